/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * read, write and faults on files, through the page cache (spec 14 s3, s4, 07 s5.4).
 *
 * Terms
 *   actor   what a caller does with each piece of a page that a read or write comes to: copies from
 * or to user memory, or makes contents up. It may fault, allocate, and so reclaim; the page it gets
 * is held by a reference.
 *
 * Who writes balances dirty pages after each page: floor 6 (core/vm/file.c), which can clean
 * descriptors, passes `wrote`. Counts cache_hits, cache_misses, file_references, file_misses,
 * ra_pages_used.
 * Linux: mm/filemap.c (do_generic_file_read, generic_perform_write, filemap_fault), mm/shmem.c.
 */
#ifndef MEMRIG_FILE_IO_H
#define MEMRIG_FILE_IO_H

#include "core/backing/filemap.h"

struct file_piece {
	struct page *page; /* NULL: a hole of a tmpfs file, which reads as zeros */
	u64 offset, len;   /* in the page */
	u64 done;	   /* bytes of the call before this piece */
};

struct file_actor {
	void *self;
	/* Copies @piece; 0, -EFAULT, or -EAGAIN: a source is gone since prefault, and cannot be
	 * faulted in while the destination is locked. NULL: nothing is copied. */
	int (*copy)(void *self, const struct file_piece *piece);
	/* Before a page is taken for writing: makes the source present. 0 or -EFAULT; NULL: nothing
	 * to do. */
	int (*prefault)(void *self, u64 done, u64 len);
	/* A page was written and is unlocked again; NULL: nobody cares. */
	void (*wrote)(void *self);
};

/*
 * Reads up to @len bytes at @pos; the number read, 0 at and after the end, or if nothing was read
 * -EBADF, -EIO, -ENOMEM or the actor's error. May sleep.
 */
s64 file_read(struct filemap *fm, struct vm_file *f, u64 pos, u64 len,
	      const struct file_actor *actor);
/*
 * Writes @len bytes at @pos, to an append-only file at its end; the number written, or if nothing was -EBADF,
 * -EFBIG, -EIO, -ENOMEM, -EFAULT.
 * May sleep.
 */
s64 file_write(struct filemap *fm, struct vm_file *f, u64 pos, u64 len,
	       const struct file_actor *actor);

enum { /* what filemap_fault() found */
       FILE_FAULT_MAJOR = 1,
       FILE_FAULT_SIGBUS = 2,
       FILE_FAULT_OOM = 4
};
enum {
	FILE_FAULT_SEQ = 1,
	FILE_FAULT_RAND = 2,
	FILE_FAULT_WRITE = 4
}; /* advice of the VMA; shared write */

/*
 * The uptodate page at @index for a fault; FILE_FAULT_* or 0. *@out, without a reference, is valid
 * until something allocates. Shared memory is born zeroed, or swapped in.
 */
unsigned filemap_fault_slow(struct filemap *fm, struct vm_file *f, u64 index, unsigned advice,
			    struct page **out);
MM_INLINE unsigned filemap_fault(struct filemap *fm, struct vm_file *f, u64 index, unsigned advice,
				 struct page **out)
{
	const u32 told =
		1u << PG_uptodate | 1u << PG_locked | 1u << PG_reclaim | 1u << PG_owner_priv_1;
	struct page *p = filemap_lookup(fm->phys, f, index);

	if (MM_UNLIKELY(!p || (p->flags & told) != 1u << PG_uptodate || index >= file_pages(fm, f)))
		return filemap_fault_slow(fm, f, index, advice, out);
	if (!f->shmem) {
		count_vm_event(fm->hw, fm->hw->cpu, EV_CACHE_HITS);
		if (f->ra.mmap_miss && !(advice & FILE_FAULT_RAND))
			f->ra.mmap_miss--;
	}
	*out = p;
	return 0;
}

#define FILE_MAX_PAGES (1ull << 36) /* pages a file may have */

#endif
