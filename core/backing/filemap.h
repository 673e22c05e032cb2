/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page cache: files, their cached pages, what is dirty (spec 14 s1, s2, s6).
 *
 * Terms
 *   file      inode and open file in one: what a trace announced with `file`, or the object behind
 * a shared anonymous mapping. One read-ahead state a file. mapping   struct address_space: a file's
 * cached pages by index, in a radix tree whose entries are frames, shadows of evicted pages (disk)
 * or swap slots (shared memory). kind      disk: pages are read from and written to the block
 * device; tmpfs: pages are swap-backed and live nowhere else. store     a disk file's contents as
 * they are on the device (core/backing/store.h).
 *
 * A cached page holds one reference, on top of those of batches, page tables and callers; its
 * mapping field is the address_space, its index its place there. "Locked" is PG_locked: insertion,
 * removal, truncation and I/O want it. Owns files (host memory), tree nodes (cache radix_tree_node)
 * and cached pages. Invariants (filemap_check): I14.1 to I14.4. Who maps a file is known to floor 6
 * alone: unmapping before truncation and cleaning of descriptors before writing are its work
 * (core/vm/file.c). Linux: mm/filemap.c, mm/truncate.c, mm/shmem.c; left out: direct I/O, holes
 * punched, huge pages, several open files on one inode, inodes themselves as reclaimable objects.
 */
#ifndef MEMRIG_FILEMAP_H
#define MEMRIG_FILEMAP_H

#include "core/backing/blockdev.h"
#include "core/backing/store.h"
#include "core/backing/swap.h"
#include "core/backing/workingset.h"
#include "core/base/list.h"
#include "core/base/rbtree.h"
#include "core/base/xarray.h"
#include "core/kmem/slab.h"
#include "core/op.h"
#include "core/phys/lru.h"

struct vm_file;

enum mapping_kind { MAPPING_DISK, MAPPING_TMPFS };
enum { /* address_space->flags */
       AS_EIO = 1,
       AS_ENOSPC = 2,
       AS_UNEVICTABLE = 4,
       AS_EXITING = 8,
       AS_NO_MIGRATE = 16 /* dirty pages cannot move: they are written first (no migratepage) */
};
enum { /* vm_file->mode */
       FMODE_READ = MM_FMODE_READ,
       FMODE_WRITE = MM_FMODE_WRITE,
       FMODE_RANDOM = 4,
       FMODE_APPEND = MM_FMODE_APPEND, /* the file itself is append-only */
       FMODE_NOEXEC = MM_FMODE_NOEXEC, /* of its mount */
       FMODE_NOMMAP = MM_FMODE_NOMMAP  /* its driver maps nothing */
};

struct address_space {
	struct xarray pages;
	u64 nrpages;
	u64 nrshadows;	     /* values in the tree: shadows; of tmpfs: swap slots */
	u64 writeback_index; /* where the flusher goes on */
	struct vm_file *host;
	enum mapping_kind kind;
	u32 flags;		     /* AS_* */
	struct list_head dirty_link; /* in filemap->dirty while it has dirty pages; oldest first */
};

struct file_ra_state {
	u64 start, size,
		async_size; /* current window, in pages; when async_size of it are left, read on */
	u32 ra_pages;	    /* largest window */
	u32 mmap_miss;
	u64 prev_pos; /* where the last read ended; all ones: never read */
};

struct vm_file {
	u64 id;
	u64 size; /* bytes */
	struct address_space mapping;
	struct file_ra_state ra;
	struct file_store store;
	u32 refs;      /* mappings, and 1 while it has a name */
	u32 mode;      /* FMODE_* */
	bool shmem;    /* mapping.kind is MAPPING_TMPFS */
	u64 writes;    /* calls so far: makes made-up contents differ */
	bool unlinked; /* the name is gone; found by its id while it lives */
	bool named;    /* announced by id and not unlinked */
	u8 bad_kinds;  /* IO_ERROR_*: injected, for pages bad_first..bad_last */
	u64 bad_first, bad_last;
	struct rb_root i_mmap; /* interval tree of the VMAs that map it (core/vm/interval_tree.h) */
	u64 committed; /* pages promised at birth (shared anonymous memory) */
	struct list_head all;
};

struct filemap {
	struct phys *phys;
	struct hw *hw;
	struct lru *lru;
	struct swap *swap;	  /* for pages of shared memory */
	struct workingset *ws;	  /* judges shadows */
	struct kmem_cache *nodes; /* radix_tree_node */
	struct blockdev disk;
	struct list_head files;
	struct list_head dirty; /* address_spaces, in order of their first dirty page */
	struct xa_list
		shadow_nodes;	/* leaves that hold shadows only, oldest first: reclaim's to free */
	struct vm_file **by_id; /* hash table of named files */
	u32 id_bits, nr_named;
	u32 ra_pages; /* of new files: 128 KiB */
};

/* 0 or -ENOMEM. @kmem, @lru, @swap and @ws must live as long; @swap need not be up yet. */
int filemap_init(struct filemap *fm, struct kmem *kmem, struct lru *lru, struct swap *swap,
		 struct workingset *ws, const struct machine_config *c);
void filemap_destroy(struct filemap *fm);

/* I14.1 to I14.4 of every file: 0, or 14000 + n with a sentence in @why. */
int filemap_check(struct filemap *fm, char *why, size_t n);

/* ---- files ---- */

/* Announces or enlarges file @id. NULL: no memory. */
struct vm_file *filemap_open(struct filemap *fm, u64 id, u64 size, bool shmem);
/* File @id, made empty on demand, since recordings may name files they did not announce. */
struct vm_file *filemap_find(struct filemap *fm, u64 id);
/* File @id, or NULL. */
struct vm_file *filemap_peek(const struct filemap *fm, u64 id);
/* A nameless shared-memory object of @size bytes; one reference. NULL: no memory. */
struct vm_file *filemap_shmem(struct filemap *fm, u64 size);
void filemap_get(struct vm_file *f);
/* The last reference takes the file, its pages and its contents along. */
void filemap_put(struct filemap *fm, struct vm_file *f);
/* Removes the name: the file goes with the last mapping, and is found by its id until then. (spec
 * 14 s6)
 */
void filemap_unlink(struct filemap *fm, struct vm_file *f);

/* Pages up to the end of the file. */
MM_INLINE u64 file_pages(const struct filemap *fm, const struct vm_file *f)
{
	unsigned shift = fm->phys->page_shift;

	return (f->size >> shift) + !!(f->size & ((1ull << shift) - 1));
}

/* ---- cached pages ---- */

/* The mapping of a file page; NULL for anonymous pages and for those that are in no cache any more.
 */
MM_INLINE struct address_space *page_mapping(const struct page *p)
{
	return p->mapping & PAGE_MAPPING_FLAGS ? NULL
					       : (struct address_space *)(uintptr_t)p->mapping;
}

/* The cached page at @index, or NULL. No reference is taken. */
MM_INLINE struct page *mapping_peek(const struct phys *phys, const struct address_space *m,
				    u64 index)
{
	u64 e = xa_load(&m->pages, index);

	return xa_is_frame(e) ? frame_to_page(phys, xa_frame(e)) : NULL;
}

MM_INLINE struct page *filemap_lookup(const struct phys *phys, const struct vm_file *f, u64 index)
{
	return mapping_peek(phys, &f->mapping, index);
}

/*
 * For callers that know what will be read or written some calls from now: first the lines of the
 * tree that hold @index's entry are asked for, then, a few calls later, those of the page there, or
 * of the leaf's counts where there is none. Guesses; nothing changes.
 */
MM_INLINE void mapping_prefetch_entry(const struct address_space *m, u64 index)
{
	const struct xa_node *n = xa_leaf(&m->pages, index);

	if (n)
		__builtin_prefetch(&n->slots[index % XA_SLOTS], 1);
}

MM_INLINE void mapping_prefetch_page(const struct phys *phys, const struct address_space *m, u64 index)
{
	const struct xa_node *n = xa_leaf(&m->pages, index);
	u64 e = n ? n->slots[index % XA_SLOTS] : 0;

	if (xa_is_frame(e))
		__builtin_prefetch(frame_to_page(phys, xa_frame(e)), 1);
	else if (n)
		__builtin_prefetch(&n->count, 1);
}

/* The same for a page that is about to leave. */
MM_INLINE void mapping_prefetch_removal(const struct address_space *m, u64 index)
{
	const struct xa_node *n = xa_leaf(&m->pages, index);

	if (n) {
		__builtin_prefetch(&n->slots[index % XA_SLOTS], 1);
		__builtin_prefetch(&n->count, 1);
	}
}

/* The cached page at @index with a reference, or NULL. Atomic. */
MM_INLINE struct page *find_get_page(const struct filemap *fm, const struct address_space *m,
				     u64 index)
{
	struct page *p = mapping_peek(fm->phys, m, index);

	if (p)
		get_page(p);
	return p;
}

/*
 * Puts locked page @p into the cache: a reference, mapping and index, nr_file_pages (and nr_shmem
 * if swap-backed). A shadow in its place is replaced and returned in @shadow (may be NULL; 0:
 * none). 0, -EEXIST (a page is there), -ENOMEM (nothing changed). (spec 14 s2)
 */
int add_to_page_cache_locked(struct filemap *fm, struct page *p, struct address_space *m, u64 index,
			     u64 *shadow);
/*
 * The same with a page nobody else knows: locks it, decides by the shadow whether it is active, and
 * queues it for the LRU. Not locked on failure. May sleep.
 */
int add_to_page_cache_lru(struct filemap *fm, struct page *p, struct address_space *m, u64 index);

/* Takes locked, unmapped @p out of the cache, dirty or not; drops the cache's reference. Atomic. */
void delete_from_page_cache(struct filemap *fm, struct page *p);
/*
 * The same for a page whose count reclaim froze at 0, which drops no reference; @shadow (a value,
 * or 0) stays in its place.
 */
void page_cache_remove_frozen(struct filemap *fm, struct page *p, u64 shadow);
/* Out of the cache with nothing done to the reference; @entry stays in the place. For shmem.c. */
void page_cache_leave(struct filemap *fm, struct page *p, u64 entry);
/*
 * Migration: @to takes the place of @from, whose reference of the cache it gets; flags and contents
 * are the caller's work. Both locked.
 */
void page_cache_replace(struct filemap *fm, struct page *from, struct page *to);
/* Frees a leaf of shadow_nodes with all its shadows; counts nothing. */
void page_cache_drop_shadows(struct filemap *fm, struct xa_node *leaf);

/* ---- truncation and invalidation (spec 14 s6) ---- */

/*
 * Sets the size. Pages beyond the new end go, dirty or not, and so do shadows, swap slots and
 * stored contents; the rest of the last page becomes zeros. No page beyond may be mapped any more. May
 * sleep.
 */
void filemap_truncate(struct filemap *fm, struct vm_file *f, u64 size);
/* Pages [first, last] become holes, which read as zeros. None may be mapped any more. 0 or -ENOSPC. */
int filemap_punch(struct filemap *fm, struct vm_file *f, u64 first, u64 last);
/* The file grows: what mappings wrote behind its end in the last page becomes zeros. */
void filemap_zero_tail(struct filemap *fm, struct vm_file *f);
/*
 * Drops pages of [first, last] that are clean, unmapped, unlocked and used by nobody; the others
 * are deactivated. Returns how many went.
 */
u64 invalidate_mapping_pages(struct filemap *fm, struct address_space *m, u64 first, u64 last);
/* drop_caches 1: the same for every file. Counts drop_pagecache. */
u64 drop_pagecache(struct filemap *fm);

#endif
