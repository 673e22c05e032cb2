/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's own page tables (init_mm, swapper_pg_dir), as descriptors in frames of RAM: the linear
 * map, vectors, pkmap and fixmap tables built at boot, and what vmalloc adds later.
 *
 * Terms
 *   early table  made at boot, in the image's last pages (as the kernel's own are in its data), or from
 *                memblock when the image is too small; never freed.
 *   late table   taken from the page allocator when a mapping first needs it, counted in nr_tables.
 *
 * On ARM32 every user's top table holds a copy of the kernel's entries; on ARM64 the root is TTBR1's.
 * With ideal=1 and on the x86 profile nothing is built at boot (there is no layout): the root is then
 * a late table, and the linear map is not in the tables. Not counted in nr_page_table_pages.
 * Linux: arch/arm/mm/mmu.c, arch/arm64/mm/mmu.c (paging_init).
 */
#ifndef MEMRIG_PHYS_KERNEL_PGD_H
#define MEMRIG_PHYS_KERNEL_PGD_H

#include "arch/linear.h"
#include "core/config.h"

struct phys;

struct kernel_pgd {
	struct phys *phys;
	struct layout layout;
	struct pt_mem mem;
	struct pt_alloc alloc;
	struct pt_space space; /* root: PT_NO_TABLE before the first table */
	paddr_t linear_base;   /* physical address of PAGE_OFFSET */
	paddr_t vectors;       /* ARM32: two pages */
	paddr_t zero_page;     /* if built */
	paddr_t pool, pool_end; /* early tables are cut from the end of this part of the image */
	u64 nr_early, nr_tables; /* pages */
	u64 flushes;           /* after blocks were split */
	bool early;            /* booting */
	bool built;            /* the linear map is there */
};

/* A machine's table geometry, or -1 if the closed list has none. */
int config_geometry(const struct machine_config *c);

/* Everything but the tables; the limits of RAM are known. */
int kernel_pgd_init(struct kernel_pgd *k, struct phys *p);

/* paging_init: after the image is reserved, before the zones are. 0, -EINVAL or -ENOMEM. */
int kernel_pgd_build(struct kernel_pgd *k);

/* The tree with a root: makes one if there is none. NULL: no memory. */
const struct pt_space *kernel_pgd_space(struct kernel_pgd *k);

/* Without a linear map: gives the tables of [start, end) back if they map nothing, and in the end the root. */
void kernel_pgd_trim(struct kernel_pgd *k, vaddr_t start, vaddr_t end);

/* Linear address of physical @pa. */
MM_INLINE vaddr_t kernel_pgd_virt(const struct kernel_pgd *k, paddr_t pa)
{
	return k->layout.page_offset + (pa - k->linear_base);
}

#endif
