/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page-table geometries: what differs between granules and address sizes, as constants.
 *
 * Terms
 *   level      the hardware's: the leaf is always 3, a geometry of n levels starts at 4 - n.
 *   window     the guest-physical memory that tables lie in, as host memory.
 *   table      one frame of 8-byte descriptors; the top one may be shorter.
 *
 * Pure functions on bytes: nothing here knows of a machine. Hot functions take the geometry as an
 * enumeration and are inlined, so that with a constant one every shift is a constant; PT_SWITCH
 * makes one instance per geometry and chooses once per call.
 */
#ifndef MEMRIG_ARCH_PGTABLE_H
#define MEMRIG_ARCH_PGTABLE_H

#include "core/base/bug.h"
#include "core/base/types.h"

enum pt_geom {
#define PT_GEOMETRY(SYM, name, shift, va, levels, blocks) PT_##SYM,
#include "arch/geometry.def"
#undef PT_GEOMETRY
	NR_PT_GEOMS
};

struct pt_geometry {
	const char *name;
	u8 page_shift, va_bits, levels, blocks;
};

static const struct pt_geometry pt_geometries[NR_PT_GEOMS] = {
#define PT_GEOMETRY(SYM, name, shift, va, levels, blocks) {name, shift, va, levels, blocks},
#include "arch/geometry.def"
#undef PT_GEOMETRY
};

/* Guest-physical [start, start + bytes) as host memory. */
struct pt_mem {
	u8 *base;
	u64 bytes;
	paddr_t start;
};

typedef struct {
	u64 v;
} pte_t;

/* Calls fn(geometry, ...) with the geometry as a constant. */
#define PT_CASE(SYM, fn, ...)                                                                      \
	case PT_##SYM:                                                                             \
		return fn(PT_##SYM, __VA_ARGS__);
#define PT_SWITCH(geom, fn, ...)                                                                   \
	switch (geom) {                                                                            \
		PT_CASE(A64_4K_48, fn, __VA_ARGS__)                                                \
		PT_CASE(A64_4K_39, fn, __VA_ARGS__)                                                \
		PT_CASE(A64_16K_36, fn, __VA_ARGS__)                                               \
		PT_CASE(A64_16K_47, fn, __VA_ARGS__)                                               \
		PT_CASE(A64_16K_48, fn, __VA_ARGS__)                                               \
		PT_CASE(A64_64K_42, fn, __VA_ARGS__)                                               \
		PT_CASE(A64_64K_48, fn, __VA_ARGS__)                                               \
	default:                                                                                   \
		BUG();                                                                             \
	}

MM_INLINE unsigned pt_page_shift(enum pt_geom g)
{
	return pt_geometries[g].page_shift;
}

/* Index bits of a full table: a frame of 8-byte entries. */
MM_INLINE unsigned pt_index_bits(enum pt_geom g)
{
	return pt_page_shift(g) - 3u;
}

MM_INLINE unsigned pt_top_level(enum pt_geom g)
{
	return 4u - pt_geometries[g].levels;
}

/* log2 of the bytes that one entry of @level maps. */
MM_INLINE unsigned pt_level_shift(enum pt_geom g, unsigned level)
{
	return pt_page_shift(g) + (3u - level) * pt_index_bits(g);
}

MM_INLINE unsigned pt_entries(enum pt_geom g, unsigned level)
{
	if (level == pt_top_level(g))
		return 1u << (pt_geometries[g].va_bits - pt_level_shift(g, level));
	return 1u << pt_index_bits(g);
}

MM_INLINE unsigned pt_index(enum pt_geom g, unsigned level, vaddr_t va)
{
	return (unsigned)(va >> pt_level_shift(g, level)) & (pt_entries(g, level) - 1u);
}

/* End of the entry that maps @va at @level, cut to @end; no overflow at the top (spec 02 s7). */
MM_INLINE vaddr_t pt_addr_end(enum pt_geom g, unsigned level, vaddr_t va, vaddr_t end)
{
	vaddr_t boundary = ((va >> pt_level_shift(g, level)) + 1) << pt_level_shift(g, level);

	return boundary - 1 < end - 1 ? boundary : end;
}

/* The table at guest-physical @pa, or NULL if it does not lie in the window. */
MM_INLINE u64 *pt_table(const struct pt_mem *mem, paddr_t pa, u64 bytes)
{
	u64 off = pa - mem->start;

	if (MM_UNLIKELY(off >= mem->bytes || bytes > mem->bytes - off))
		return NULL;
	return (u64 *)(void *)(mem->base + off);
}

/* Geometry by page shift and address bits; -1 if the closed list has none. */
static inline int pt_find_geometry(unsigned page_shift, unsigned va_bits)
{
	for (int g = 0; g < NR_PT_GEOMS; g++)
		if (pt_geometries[g].page_shift == page_shift && pt_geometries[g].va_bits == va_bits)
			return g;
	return -1;
}

#endif
