/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables as bytes of guest memory: geometries, entries, and the predicates and modifiers that
 * the memory manager uses on entries (spec 02 s1 to s4). Pure functions; no state but the tables.
 *
 * Terms
 *   geometry  one line of geometry.def: granule, VA size, levels. Linux's folded levels are derived.
 *   height    of a table or entry, counted from the pages: 0 a table of PTEs, 1 of pmds, ...; the
 *             root has height levels - 1. (Hardware levels count the other way; results have those.)
 *   block     a leaf entry of height > 0: ARM64 and LPAE blocks, ARM32 sections.
 *   slot      host pointer to one entry. On ARM32 short descriptors the slot of a PTE is its Linux
 *             word, and the slot of height 1 is the pair of L1 words.
 *   pte_t     value of an entry as the memory manager sees it: always with ARM64's bits
 *             (arch/arm64/desc.h), translated by pte_get() and pte_set() where the bytes differ.
 *
 * All helpers are always inlined and take the geometry as `const struct pt_geometry *g`: with
 * &pt_geometries[constant] every test on g folds away. Invariant I02.1 is checked by pt_check().
 * Linux: arch/arm{,64}/include/asm/pgtable*.h; left out: PMD-sized huge pages of user space.
 */
#ifndef MEMRIG_ARCH_PGTABLE_H
#define MEMRIG_ARCH_PGTABLE_H

#include "arch/arm/lpae.h"
#include "arch/arm/short_desc.h"

#define PT_MAX_LEVELS 4

enum pt_family { PT_SHORT, PT_LPAE, PT_ARM64 };

enum pt_geom {
#define PT_GEOMETRY(sym, ...) PT_##sym,
#include "arch/geometry.def"
#undef PT_GEOMETRY
	PT_NR_GEOM,
};

struct pt_geometry {
	const char *name;
	enum pt_geom geom;
	enum pt_family family;
	u8 page_shift;
	u8 va_bits;           /* of one half of the address space */
	u8 levels;
	u8 block_heights;     /* bit h: an entry of height h may be a block */
	u8 shift[PT_MAX_LEVELS];    /* by height: address bits below the index */
	u32 entries[PT_MAX_LEVELS]; /* by height; 0 above the root */
	u8 entry_shift[PT_MAX_LEVELS]; /* by height: log2 of the bytes from slot to slot */
	u32 root_bytes;       /* PGD_SIZE; tables below the root take one page */
};

#define PT_SHIFT_(fam, ps, st, h) ((fam) == PT_SHORT ? ((h) ? 21 : 12) : (ps) + (st) * (h))
#define PT_ENTRIES_(fam, ps, va, lv, st, h)                                                        \
	((h) >= (lv) ? 0u                                                                          \
	 : (h) == (lv)-1 ? 1u << ((va)-PT_SHIFT_(fam, ps, st, (lv)-1)) : 1u << (st))

__attribute__((unused)) static const struct pt_geometry pt_geometries[PT_NR_GEOM] = {
#define PT_GEOMETRY(sym, nm, fam, ps, va, lv, st, bh)                                              \
	{                                                                                          \
		.name = nm, .geom = PT_##sym, .family = fam, .page_shift = ps, .va_bits = va,      \
		.levels = lv, .block_heights = bh,                                                 \
		.shift = { PT_SHIFT_(fam, ps, st, 0), PT_SHIFT_(fam, ps, st, 1),                   \
			   PT_SHIFT_(fam, ps, st, 2), PT_SHIFT_(fam, ps, st, 3) },                 \
		.entries = { PT_ENTRIES_(fam, ps, va, lv, st, 0), PT_ENTRIES_(fam, ps, va, lv, st, 1), \
			     PT_ENTRIES_(fam, ps, va, lv, st, 2), PT_ENTRIES_(fam, ps, va, lv, st, 3) }, \
		.entry_shift = { (fam) == PT_SHORT ? 2 : 3, 3, 3, 3 },                             \
		.root_bytes = PT_ENTRIES_(fam, ps, va, lv, st, (lv)-1) * 8,                        \
	},
#include "arch/geometry.def"
#undef PT_GEOMETRY
};

/* Linux's shifts with folded levels: a level that does not exist has the shift of the pgd. */
MM_INLINE unsigned pt_pgdir_shift(const struct pt_geometry *g)
{
	return g->shift[g->levels - 1];
}

MM_INLINE unsigned pt_pud_shift(const struct pt_geometry *g)
{
	return g->levels > 3 ? g->shift[2] : pt_pgdir_shift(g);
}

MM_INLINE unsigned pt_pmd_shift(const struct pt_geometry *g)
{
	return g->levels > 2 ? g->shift[1] : pt_pgdir_shift(g);
}

/* Index of @va in a table of height @h. */
MM_INLINE u32 pt_index(const struct pt_geometry *g, vaddr_t va, int h)
{
	return (u32)(va >> g->shift[h]) & (g->entries[h] - 1);
}

/* End of the entry of height @h that holds @va, but at most @end (0: the end of all addresses). */
MM_INLINE vaddr_t pt_addr_end(const struct pt_geometry *g, vaddr_t va, vaddr_t end, int h)
{
	vaddr_t boundary = (va + BIT(g->shift[h])) & ~(BIT(g->shift[h]) - 1);

	return boundary - 1 < end - 1 ? boundary : end;
}

MM_INLINE u64 pt_page_size(const struct pt_geometry *g)
{
	return BIT(g->page_shift);
}

/* Guest memory: @bytes of host memory at @base are the guest-physical range from @start. */
struct pt_mem {
	u8 *base;
	u64 bytes;
	paddr_t start;
};

/* Host pointer of guest-physical @pa, or NULL outside; entries are aligned, so one compare does. */
MM_INLINE void *pt_mem_at(const struct pt_mem *mem, paddr_t pa)
{
	u64 off = pa - mem->start;

	return MM_LIKELY(off < mem->bytes) ? mem->base + off : NULL;
}

/* Output-address bits of a descriptor of the long formats. */
MM_INLINE u64 pt_addr_mask(const struct pt_geometry *g)
{
	return (BIT(g->family == PT_LPAE ? 40 : 48) - 1) & ~(BIT(g->page_shift) - 1);
}

#define PT_NO_TABLE (~0ull) /* a root that is switched off: translation fault, level 0 */

/* One entry in memory; 4 bytes wide on ARM32 short descriptors, so only accessors know its type. */
typedef struct pt_slot pt_slot;

/* Slot @i of a table of PTEs whose first slot is @slots; @i may be negative. */
MM_INLINE pt_slot *pt_slot_at(const struct pt_geometry *g, pt_slot *slots, s64 i)
{
	return (pt_slot *)(void *)((u8 *)slots + (s64)((u64)i << g->entry_shift[0]));
}

/* The entry behind a slot of height 0, in the memory manager's form. */
MM_INLINE pte_t pte_get(const struct pt_geometry *g, const pt_slot *slot)
{
	if (g->family == PT_SHORT)
		return arm_short_decode(*(const u32 *)(const void *)slot);
	if (g->family == PT_LPAE)
		return lpae_decode(*(const u64 *)(const void *)slot);
	return (pte_t){*(const u64 *)(const void *)slot};
}

/* Whether a slot holds nothing, without decoding it. */
MM_INLINE bool pte_slot_none(const struct pt_geometry *g, const pt_slot *slot)
{
	return g->family == PT_SHORT ? !*(const u32 *)(const void *)slot : !*(const u64 *)(const void *)slot;
}

/* set_pte_ext: a Linux word and the hardware word 2048 bytes above it (spec s2.4). */
MM_INLINE void arm_short_store(pt_slot *slot, u32 l, u32 ext)
{
	*(u32 *)(void *)slot = l;
	*(u32 *)(void *)((u8 *)slot + ARM_HWTABLE_OFF) = arm_short_hw(l, ext);
}

/*
 * set_pte_at: stores @p in the architecture's form: read-only while clean, DBM instead if @hwad on
 * ARM64; both words on ARM32 short descriptors, user pages non-global. Flushes nothing.
 */
MM_INLINE void pte_set(const struct pt_geometry *g, pt_slot *slot, pte_t p, bool hwad)
{
	if (g->family == PT_SHORT)
		arm_short_store(slot, arm_short_encode(p), p.v & A64_USER && pte_present(p) ? ARM_HW_NG : 0);
	else if (g->family == PT_LPAE)
		*(u64 *)(void *)slot = lpae_encode(p);
	else
		*(u64 *)(void *)slot = pte_encode_user(p, hwad);
}

/* Largest swap offset that an entry can hold (spec s4.5). */
MM_INLINE u64 pt_swap_max_offset(const struct pt_geometry *g)
{
	return g->family == PT_ARM64 ? BIT(50) - 1 : BIT(25) - 1;
}

/* ARM64 geometry by page shift and address bits; -1 if the closed list has none. */
static inline int pt_find_geometry(unsigned page_shift, unsigned va_bits)
{
	for (int i = 0; i < PT_NR_GEOM; i++)
		if (pt_geometries[i].family == PT_ARM64 && pt_geometries[i].page_shift == page_shift &&
		    pt_geometries[i].va_bits == va_bits)
			return i;
	return -1;
}

/* Returns fn(&geometry, ...) with the geometry as a constant. */
#define PT_CASE_(sym, fn, ...)                                                                     \
	case PT_##sym:                                                                             \
		return fn(&pt_geometries[PT_##sym], __VA_ARGS__);
#define PT_SWITCH(geom, fn, ...)                                                                   \
	switch (geom) {                                                                            \
		PT_CASE_(A64_4K_48, fn, __VA_ARGS__)                                               \
		PT_CASE_(A64_4K_39, fn, __VA_ARGS__)                                               \
		PT_CASE_(A64_16K_36, fn, __VA_ARGS__)                                              \
		PT_CASE_(A64_16K_47, fn, __VA_ARGS__)                                              \
		PT_CASE_(A64_16K_48, fn, __VA_ARGS__)                                              \
		PT_CASE_(A64_64K_42, fn, __VA_ARGS__)                                              \
		PT_CASE_(A64_64K_48, fn, __VA_ARGS__)                                              \
		PT_CASE_(ARM_SHORT, fn, __VA_ARGS__)                                               \
		PT_CASE_(ARM_LPAE, fn, __VA_ARGS__)                                                \
	default:                                                                                   \
		BUG();                                                                             \
	}

#endif
