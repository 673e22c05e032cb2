/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Read-ahead on demand (spec 14 s5).
 *
 * Terms
 *   window   [start, start + size) of file_ra_state: what was read last.
 *   marker   PG_readahead (the bit of PG_reclaim) on the page at start + size - async_size: whoever
 *            comes to it starts the next window before the reader gets there.
 *   sync     the reader misses; async: the reader met a marker.
 *
 * Pages are allocated cold and without effort: a window is cut where memory ends, and that is no
 * error. Counts ra_pages_read, readahead_marker_hits. Linux: mm/readahead.c, and the mmap part of
 * mm/filemap.c; left out: congestion of the device.
 */
#ifndef MEMRIG_READAHEAD_H
#define MEMRIG_READAHEAD_H

#include "core/backing/filemap.h"

#define MMAP_LOTSAMISS 100u

/* The reader of @req pages from @index misses the first. */
void page_cache_sync_readahead(struct filemap *fm, struct vm_file *f, u64 index, u64 req);
/* The reader met marker @p at @index; takes the mark away. Nothing while @p is written. */
void page_cache_async_readahead(struct filemap *fm, struct vm_file *f, struct page *p, u64 index,
				u64 req);
/*
 * [index, index + nr), but no more than 2 MiB (4.0's max_sane_readahead), whatever the state says.
 * -EINVAL for tmpfs, else 0.
 */
int force_page_cache_readahead(struct filemap *fm, struct vm_file *f, u64 index, u64 nr);

/* A fault misses @index: the pages around it, a sequential window with @seq, nothing with @rand. */
void mmap_sync_readahead(struct filemap *fm, struct vm_file *f, u64 index, bool seq, bool rand);
/* A fault finds @p at @index in the cache. */
void mmap_async_readahead(struct filemap *fm, struct vm_file *f, struct page *p, u64 index,
			  bool rand);
/* Fault-around mapped a page: as good as a hit. */
MM_INLINE void mmap_around_hit(struct vm_file *f)
{
	if (f->ra.mmap_miss)
		f->ra.mmap_miss--;
}

#endif
