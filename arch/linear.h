/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Maps of whole ranges with the largest entries that fit: what the kernel builds of its own half at
 * boot (spec 02 s3, s4.3).
 *
 *   section  ARM32: 1 MiB, half a pair (LPAE: 2 MiB); supersection: 16 MiB, beyond 4 GiB only.
 *   block    ARM64: 1 GiB (4K granule) or the PMD's size.
 *
 * Tables come from s->alloc, whose tables of the kernel's half have domain 0 on ARM32. Nothing is
 * flushed but through s->alloc->flush. Linux: arch/arm/mm/mmu.c, arch/arm64/mm/mmu.c; left out: the
 * boot code's first tables (prepare_page_table finds nothing to clear), early fixmap, TCM.
 */
#ifndef MEMRIG_ARCH_LINEAR_H
#define MEMRIG_ARCH_LINEAR_H

#include "arch/layout.h"
#include "arch/range.h"

enum pt_map_type {
	PT_MAP_RWX,     /* kernel text and lowmem around it */
	PT_MAP_RW,      /* other lowmem */
	PT_MAP_DEVICE,
	PT_MAP_ROM,     /* sections only */
	PT_MAP_VECTORS, /* the vectors page: read and executed by all, global, pages only */
	PT_MAP_VECTORS_KERNEL, /* its second page: the kernel's alone */
};

/*
 * create_mapping: [va, va + size) -> [pa, pa + size), page aligned; what is mapped there already is
 * replaced, blocks that only shrink are split first. 0; 1: done, but a device lies outside the
 * vmalloc area (ARM32 warns); -EINVAL: not a kernel address, or a type without the form that the
 * range needs; -EEXIST: a section or table of ARM32 is in the way; -ENOMEM.
 */
int pt_create_mapping(const struct pt_space *s, const struct layout *l, vaddr_t va, paddr_t pa, u64 size,
		      enum pt_map_type type);

/*
 * Sets the contiguous hint on every group of [va, end) that allows it (ARM64 since 4.10, for what never
 * changes); whoever splits or changes an entry later takes it off the whole group first.
 */
void pt_set_contiguous(const struct pt_space *s, vaddr_t va, vaddr_t end);

/* Replaces the block that maps @va, if its height is above @height, by tables down to there. */
int pt_split_block(const struct pt_space *s, vaddr_t va, int height);

struct pt_bank {
	paddr_t start, end;
};

/*
 * map_lowmem (ARM32) or map_mem (ARM64): the linear map of @n banks. @base: physical address that
 * l->page_offset maps; @limit: ARM32 cuts banks there; @text, @init_end: the image, whose sections
 * are executable (ARM32). 0 or as above.
 */
int pt_map_banks(const struct pt_space *s, const struct layout *l, const struct pt_bank *banks, unsigned n,
		 paddr_t base, paddr_t limit, paddr_t text, paddr_t init_end);

#endif
