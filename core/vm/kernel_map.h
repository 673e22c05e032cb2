/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A range of the kernel's own page tables: vmalloc area, pkmap, fixmap (spec 05 s1.7).
 *
 * The descriptors are those of core/phys/kernel_pgd.h, which owns the tables; a range counts its own
 * entries. Tables are made when a page is first mapped and, once the kernel has booted, kept. Flushes
 * are the caller's, and counted there: the TLB model holds user translations only.
 * Linux: init_mm, mm/vmalloc.c (vmap_page_range).
 */
#ifndef MEMRIG_VM_KERNEL_MAP_H
#define MEMRIG_VM_KERNEL_MAP_H

#include "core/phys/mmzone.h"

struct kernel_map {
	struct phys *phys;
	struct kernel_pgd *pgd;
	vaddr_t start, end;
	u64 nr_ptes;
};

/* [start, end) in whole pages. Takes no frame before the first mapping. */
void kernel_map_init(struct kernel_map *m, struct phys *phys, vaddr_t start, vaddr_t end);
void kernel_map_destroy(struct kernel_map *m); /* unmaps all; may be zeros */

/* Maps the page at @va, which must not be mapped. 0, or -ENOMEM (no frame for a table). May sleep. */
int kernel_map_set(struct kernel_map *m, vaddr_t va, pfn_t pfn);

/* Replaces what is mapped at @va, if anything. 0, or -ENOMEM. */
int kernel_map_replace(struct kernel_map *m, vaddr_t va, pfn_t pfn);

/* Unmaps one page; its frame, or PFN_NONE if there was none. */
pfn_t kernel_map_clear(struct kernel_map *m, vaddr_t va);

/* The frame mapped at @va, or PFN_NONE. */
pfn_t kernel_map_get(const struct kernel_map *m, vaddr_t va);

/* Host memory behind @va, or NULL: an access would fault. */
void *kernel_map_ptr(const struct kernel_map *m, vaddr_t va);

/* Entries that map something, by a walk of all tables. (I05.2) */
u64 kernel_map_count(const struct kernel_map *m);

#endif
