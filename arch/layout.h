/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the kernel of Linux 4.0 puts things in its half of the address space (spec 02 s5, s6).
 *
 * Terms
 *   region  one line of the boot message "Virtual kernel memory layout": name, start, end.
 *   linear  PAGE_OFFSET and up: RAM at a constant distance. ARM32 calls it lowmem.
 *
 * Pure arithmetic. Ends are exclusive; a region that a machine does not have is empty (start == end).
 * Linux: arch/arm/mm/init.c, arch/arm64/mm/init.c (mem_init), asm/memory.h, asm/fixmap.h; left out:
 * what later kernels moved (image into vmalloc space 4.6, linear map into the bottom half 5.4).
 */
#ifndef MEMRIG_ARCH_LAYOUT_H
#define MEMRIG_ARCH_LAYOUT_H

#include <stdio.h>

#include "arch/pgtable.h"

enum layout_region {
	LAYOUT_USER, LAYOUT_MODULES, LAYOUT_PKMAP, LAYOUT_LINEAR, LAYOUT_HOLE, LAYOUT_VMALLOC, LAYOUT_VMEMMAP,
	LAYOUT_FIXMAP, LAYOUT_PCI_IO, LAYOUT_VECTORS, NR_LAYOUT,
};

struct vrange {
	vaddr_t start, end;
};

struct layout {
	const struct pt_geometry *g;
	struct vrange at[NR_LAYOUT];
	vaddr_t task_size, unmapped_base; /* TASK_SIZE, TASK_UNMAPPED_BASE */
	vaddr_t page_offset, fixaddr_top; /* FIXADDR_TOP: highest page of the fixmap's slots + 1 on ARM64 */
};

/*
 * Fills @l. @page_offset: ARM32's split; @high_memory: end of the linear map; @highmem: ARM32, a pkmap
 * window exists. ARM64 takes @high_memory only (0: the largest linear map).
 */
void layout_init(struct layout *l, enum pt_geom geom, vaddr_t page_offset, vaddr_t high_memory, bool highmem);

MM_INLINE bool layout_has(const struct layout *l, enum layout_region r, vaddr_t va)
{
	return va >= l->at[r].start && va < l->at[r].end;
}

const char *layout_name(enum layout_region r);

/* Indices of the regions that are not empty, by start address; returns their number. */
unsigned layout_sorted(const struct layout *l, enum layout_region order[NR_LAYOUT]);

/* One line a region: name, start, end, size in KiB or MiB. */
void layout_show(const struct layout *l, FILE *out);

#endif
