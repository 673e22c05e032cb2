/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files and the page cache: which frame holds which page of which file.
 *
 * Terms
 *   file   what a trace announced with `file`, or the object behind a shared anonymous mapping.
 *   slot   entry of a file's page array: frame number + 1, 0 if the page is not cached.
 *
 * A cached page holds one reference (spec 07 s1.2). Owns files and page arrays (host memory, reserved
 * lazily: 4 bytes a page of the file) and the cached pages.
 * Linux: mm/filemap.c; left out so far: dirty write-back, per-file read-ahead state, eviction.
 */
#ifndef MEMRIG_FILEMAP_H
#define MEMRIG_FILEMAP_H

#include "core/base/list.h"
#include "core/base/rbtree.h"
#include "core/phys/lru.h"
#include "core/phys/mmzone.h"

struct vm_file {
	u64 id;
	u64 size;        /* bytes */
	u64 cap;         /* entries of slots */
	u32 *slots;
	u64 nr_cached;
	u32 refs;        /* mappings, and 1 while the trace may name it */
	bool shmem;      /* shared memory: pages are born zeroed and counted as such */
	bool named;      /* announced by id */
	struct rb_root i_mmap; /* interval tree of the VMAs that map it (core/vm/interval_tree.h) */
	struct list_head all;
};

struct filemap {
	struct phys *phys;
	struct lru *lru;
	struct list_head files;
	struct vm_file **by_id; /* hash table of named files */
	u32 id_bits;
};

int filemap_init(struct filemap *fm, struct phys *phys, struct lru *lru);
void filemap_destroy(struct filemap *fm);

/* Announces or resizes file @id. NULL: no memory. */
struct vm_file *filemap_open(struct filemap *fm, u64 id, u64 size, bool shmem);
/* File @id, made empty on demand, since recordings may name files they did not announce. */
struct vm_file *filemap_find(struct filemap *fm, u64 id);
/* A nameless shared-memory object of @size bytes; one reference. NULL: no memory. */
struct vm_file *filemap_shmem(struct filemap *fm, u64 size);
void filemap_get(struct vm_file *f);
void filemap_put(struct filemap *fm, struct vm_file *f);

/* Changes the size; cached pages beyond the new end go (their mappings must be gone already). */
void filemap_truncate(struct filemap *fm, struct vm_file *f, u64 size);

/* Makes room for @pages pages. 0 or -ENOMEM. */
int filemap_reserve(struct vm_file *f, u64 pages);

/* The cached page at @index, or NULL. No reference is taken. */
MM_INLINE struct page *filemap_lookup(const struct phys *phys, const struct vm_file *f, u64 index)
{
	return index < f->cap && f->slots[index] ? frame_to_page(phys, f->slots[index] - 1) : NULL;
}

/*
 * The page at @index, read (or zeroed, for shared memory) if it is not cached; *@major says whether a
 * device was read. Reads the 32 pages around a missing one (spec 07 s5.4). NULL: no memory.
 */
struct page *filemap_fault_page(struct filemap *fm, struct vm_file *f, u64 index, bool *major);

#endif
