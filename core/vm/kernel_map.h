/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's own mappings of a range of addresses: vmalloc area, pkmap, fixmap (spec 05 s1.7).
 *
 * Terms
 *   table   a frame of 8-byte entries, taken from the page allocator when first needed and kept (the
 *           kernel never gives tables of its own range back); the leaf's entries map pages.
 *   view    what a user's top table holds of the range (ARM32): top entries are copied from the
 *           kernel's when a first access faults. On arm64 the kernel's table is shared.
 *
 * Owns its tables, counted in nr_tables. Linux: init_mm, mm/vmalloc.c (vmap_page_range).
 */
#ifndef MEMRIG_VM_KERNEL_MAP_H
#define MEMRIG_VM_KERNEL_MAP_H

#include "core/phys/page_alloc.h"

struct kernel_map {
	struct phys *phys;
	vaddr_t start, end;
	u64 *top;            /* in the arena */
	unsigned bits;       /* of a table's index */
	unsigned levels;     /* of tables; the leaf is level 0 */
	u64 nr_ptes, nr_tables;
};

/* 0. [start, end) in whole pages. Takes no frame before the first mapping. */
int kernel_map_init(struct kernel_map *m, struct phys *phys, vaddr_t start, vaddr_t end);
void kernel_map_destroy(struct kernel_map *m); /* gives the tables back */

/* Maps the page at @va, which must not be mapped. 0, or -ENOMEM (no frame for a table). May sleep. */
int kernel_map_set(struct kernel_map *m, unsigned cpu, vaddr_t va, pfn_t pfn);

/* Replaces what is mapped at @va, if anything. 0, or -ENOMEM. */
int kernel_map_replace(struct kernel_map *m, unsigned cpu, vaddr_t va, pfn_t pfn);

/* Unmaps one page; its frame, or PFN_NONE if there was none. */
pfn_t kernel_map_clear(struct kernel_map *m, vaddr_t va);

/* The frame mapped at @va, or PFN_NONE. */
pfn_t kernel_map_get(const struct kernel_map *m, vaddr_t va);

/* Host memory behind @va, or NULL: an access would fault. */
void *kernel_map_ptr(const struct kernel_map *m, vaddr_t va);

/* Entries that map something, by a walk of all tables. (I05.2) */
u64 kernel_map_count(const struct kernel_map *m);

#define KERNEL_VIEW_SHIFT 21 /* ARM32: a top entry spans 2 MiB */

struct kernel_view {
	const struct kernel_map *map;
	u64 seen[2048 / 64]; /* top entries this user's table has */
	u64 copies;
};

/* An address space older than what is mapped now. */
void kernel_view_init(struct kernel_view *v, const struct kernel_map *m);

/*
 * A kernel access at @va under this user's table: 0 when it goes through, 1 after copying a top
 * entry, -EFAULT when the kernel has no mapping there.
 */
int kernel_view_access(struct kernel_view *v, vaddr_t va);

#endif
