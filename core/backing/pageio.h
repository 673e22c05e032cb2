/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cached pages to and from the block device, and what is dirty (spec 14 s4, s7).
 *
 * The life of a page: read in flight (locked, not uptodate) -> uptodate -> dirty (flag, tag,
 * nr_dirty) -> under write-back (flag, tag, nr_writeback; may be dirtied again) -> clean. With a
 * device that is done at once the states in flight are passed through within one call.
 * Linux: fs/mpage.c, mm/page-writeback.c (per page), mm/filemap.c (locks and waits).
 */
#ifndef MEMRIG_PAGEIO_H
#define MEMRIG_PAGEIO_H

#include "core/backing/filemap.h"

enum { IO_ERROR_READ = 1, IO_ERROR_WRITE = 2 };

/* Pages [first, last] of @f fail from now on; @kinds: IO_ERROR_*, 0: none do any more. */
void file_inject_error(struct vm_file *f, unsigned kinds, u64 first, u64 last);

/*
 * Reads @n locked pages of @m, in the cache at ascending indices, with one request for each run of
 * adjacent ones. Each is unlocked when its data are there: uptodate, or PG_error. Counts pgpgin.
 */
void read_pages(struct filemap *fm, struct address_space *m, const u32 *frames, unsigned n);
/* Reads locked page @p and waits for it. 0 or -EIO; unlocked. */
int read_page(struct filemap *fm, struct page *p);

/* Time passes until the oldest page in flight is done. False: none is. */
bool filemap_wait_io(struct filemap *fm);
/* Time passes until @p is unlocked (not under write-back). False: nothing in flight will do that.
 */
bool wait_on_page_locked(struct filemap *fm, struct page *p);
bool wait_on_page_writeback(struct filemap *fm, struct page *p);

/*
 * Marks @p dirty: true if it was not. Pages of disk files are tagged and counted (nr_dirty,
 * nr_dirtied); others only have the flag.
 */
bool set_page_dirty(struct filemap *fm, struct page *p);
/* The flag and the count (nr_dirty) go, the tag remains until write-back starts. True if it was
 * dirty. */
bool clear_page_dirty(struct filemap *fm, struct page *p);
/* Forgets that @p is dirty: it will never be written. */
void cancel_dirty_page(struct filemap *fm, struct page *p);

/*
 * Writes locked page @p of a disk file, whose dirty flag the caller has just cleared, and unlocks
 * it. Under write-back until the device is done. 0, or the error that its mapping will report
 * (-EIO, -ENOSPC). Counts pgpgout, nr_written.
 */
int write_page(struct filemap *fm, struct page *p);
/* The same for @n pages of @m at adjacent indices: one request. The first error. */
int write_pages(struct filemap *fm, struct address_space *m, const u32 *frames, unsigned n);
void start_page_writeback(struct filemap *fm, struct page *p);
void end_page_writeback(struct filemap *fm, struct page *p);

/* The error that writing met since the last call: 0, -EIO, -ENOSPC. Reported once. */
int mapping_take_error(struct address_space *m);

/* When the next page in flight is done, of files or of swap; UINT64_MAX: none is in flight. */
u64 filemap_io_due(const struct filemap *fm);
/* Finishes what both devices have done by now. */
void filemap_complete_io(struct filemap *fm);

#endif
