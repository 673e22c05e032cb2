/* SPDX-License-Identifier: BSD-2-Clause */
/*
 *   ARM32: user | modules | pkmap | lowmem | hole | vmalloc [PCI io] | fixmap | vectors
 *   ARM64: user ... | vmalloc | vmemmap | fixmap | PCI io | modules | linear
 */
#include "arch/layout.h"

#include <inttypes.h>

#define STRUCT_PAGE 64u /* bytes, of a 64-bit kernel */

static void set(struct layout *l, enum layout_region r, vaddr_t start, vaddr_t end)
{
	l->at[r] = (struct vrange){start, end > start ? end : start};
}

static void arm32(struct layout *l, vaddr_t high_memory, bool highmem)
{
	vaddr_t offset = l->page_offset, pkmap = offset - (highmem ? 2 * MiB : 0);
	vaddr_t vmalloc = ALIGN_DOWN(high_memory + 8 * MiB, 8 * MiB);

	l->task_size = offset - 16 * MiB;
	l->unmapped_base = ALIGN_UP(l->task_size / 3, 16 * MiB);
	l->fixaddr_top = 0xffeff000;
	set(l, LAYOUT_USER, 2 << l->g->page_shift, l->task_size);
	set(l, LAYOUT_MODULES, l->task_size, pkmap);
	set(l, LAYOUT_PKMAP, pkmap, offset);
	set(l, LAYOUT_LINEAR, offset, high_memory);
	set(l, LAYOUT_HOLE, high_memory, vmalloc);
	set(l, LAYOUT_VMALLOC, vmalloc, 0xff000000);
	set(l, LAYOUT_PCI_IO, 0xfee00000, 0xff000000);
	set(l, LAYOUT_FIXMAP, 0xffc00000, 0xfff00000);
	set(l, LAYOUT_VECTORS, 0xffff0000, 0xffff1000);
}

static void arm64(struct layout *l, vaddr_t high_memory)
{
	unsigned va = l->g->va_bits, shift = l->g->page_shift;
	u64 pud = BIT(pt_pud_shift(l->g)), vmemmap = ALIGN_UP(BIT(va - shift) * STRUCT_PAGE, pud);
	vaddr_t offset = ~0ull << (va - 1), modules = offset - 64 * MiB, pci = modules - 18 * MiB;
	vaddr_t fixmap = pci - 2 * MiB - (3ull << shift); /* hole, earlycon, text poke */
	/* Linux leaves one PUD, which with 16K/36 is less than what lies in it */
	vaddr_t map = offset - ALIGN_UP(offset - fixmap, pud) - vmemmap;

	l->task_size = BIT(va);
	l->unmapped_base = l->task_size / 4;
	l->page_offset = offset;
	l->fixaddr_top = pci - 2 * MiB;
	set(l, LAYOUT_USER, 0, l->task_size);
	set(l, LAYOUT_VMALLOC, ~0ull << va, map - 64 * KiB);
	set(l, LAYOUT_VMEMMAP, map, map + vmemmap);
	set(l, LAYOUT_FIXMAP, fixmap, l->fixaddr_top);
	set(l, LAYOUT_PCI_IO, pci, pci + 16 * MiB);
	set(l, LAYOUT_MODULES, modules, offset);
	set(l, LAYOUT_LINEAR, offset, high_memory ? high_memory : offset + (BIT(va - 1) - 1));
}

void layout_init(struct layout *l, enum pt_geom geom, vaddr_t page_offset, vaddr_t high_memory, bool highmem)
{
	*l = (struct layout){.g = &pt_geometries[geom], .page_offset = page_offset};
	if (l->g->family == PT_ARM64)
		arm64(l, high_memory);
	else
		arm32(l, high_memory, highmem);
}

const char *layout_name(enum layout_region r)
{
	static const char *const names[NR_LAYOUT] = {
		"user", "modules", "pkmap", "lowmem", "hole", "vmalloc", "vmemmap", "fixmap", "PCI io", "vectors",
	};

	return names[r];
}

unsigned layout_sorted(const struct layout *l, enum layout_region order[NR_LAYOUT])
{
	unsigned n = 0, i;

	for (unsigned r = 0; r < NR_LAYOUT; r++) {
		if (l->at[r].start == l->at[r].end)
			continue;
		for (i = n++; i && l->at[order[i - 1]].start > l->at[r].start; i--)
			order[i] = order[i - 1];
		order[i] = (enum layout_region)r;
	}
	return n;
}

void layout_show(const struct layout *l, FILE *out)
{
	enum layout_region order[NR_LAYOUT];
	unsigned n = layout_sorted(l, order);
	int digits = l->g->family == PT_ARM64 ? 16 : 8;

	for (unsigned i = 0; i < n; i++) {
		const struct vrange *v = &l->at[order[i]];
		bool arm64 = l->g->family == PT_ARM64;
		u64 size = v->end - v->start;
		bool mib = size >= MiB && !(size % MiB);

		size /= mib ? MiB : KiB;

		fprintf(out, "%-8s 0x%0*" PRIx64 " 0x%0*" PRIx64 " %9" PRIu64 " %s\n",
			arm64 && order[i] == LAYOUT_LINEAR ? "linear" : layout_name(order[i]), digits, v->start,
			digits, v->end, size, mib ? "MiB" : "KiB");
	}
}
