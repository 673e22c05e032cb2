/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages of tmpfs files and of shared anonymous memory (spec 14 s8).
 *
 * In the cache of their own file, but swap-backed: on the anonymous LRU lists, counted in nr_shmem,
 * never written to a file's device. Under pressure a page's contents go to a swap slot, whose entry
 * takes the page's place in the tree; whoever needs the page brings it back.
 * Linux: mm/shmem.c; left out: size limits of the mount, symlinks, huge pages.
 */
#ifndef MEMRIG_SHMEM_H
#define MEMRIG_SHMEM_H

#include "core/backing/filemap.h"

/* The page for a read, with a reference; NULL in *@out: a hole, which reads as zeros. 0, -EIO,
 * -ENOMEM. */
int shmem_read_page(struct filemap *fm, struct vm_file *f, u64 index, struct page **out);
/* The page for a write, born zeroed if it was a hole: locked, with a reference. 0, -EIO, -ENOMEM.
 */
int shmem_write_page(struct filemap *fm, struct vm_file *f, u64 index, struct page **out);
/* The page for a fault, without a reference (valid until something allocates). FILE_FAULT_*. */
unsigned shmem_fault(struct filemap *fm, struct vm_file *f, u64 index, struct page **out);

/*
 * Moves locked, unmapped, dirty @p from its file to the swap cache under a new slot and starts
 * writing it; unlocks it. False: no slot or no memory, or @p is busy; still locked, dirty. (Linux:
 * shmem_writepage)
 */
bool shmem_writepage(struct filemap *fm, struct page *p);

/* Swapped-out pages [first, last] into the swap cache. (madvise WILLNEED) */
void shmem_swapin_range(struct filemap *fm, struct vm_file *f, u64 first, u64 last);

MM_INLINE u64 shmem_swap_entry(swp_entry_t e)
{
	return XA_VALUE | e.v;
}

MM_INLINE swp_entry_t shmem_entry_swap(u64 entry)
{
	return (swp_entry_t){(u32)entry};
}

#endif
