/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables as the memory manager uses them: find a slot, fill, clear and change ranges a whole
 * leaf table at a time, allocate and free tables (spec 02 s7).
 *
 * Terms
 *   space    one tree of tables: geometry, memory window, root, and where tables come from.
 *   span     consecutive slots of one leaf table (or one block) that a range covers.
 *
 * Tables belong to whoever pt_alloc's functions take them from; this module never keeps state.
 * Addresses of a range may not cross from the user to the kernel half; ends are exclusive, 0 stands
 * for the end of all addresses. Nothing is flushed and nothing counted here: the owner does both.
 * Linux: mm/memory.c (free_pgtables, *_alloc, unmap_page_range, remap_pfn_range), mm/mprotect.c;
 * left out: page_table_lock (one thread drives a tree).
 */
#ifndef MEMRIG_ARCH_RANGE_H
#define MEMRIG_ARCH_RANGE_H

#include "arch/pgtable.h"

/* Where table pages come from. @height: of the table; 0 counts in nr_ptes, 1 (if levels > 2) in nr_pmds. */
struct pt_alloc {
	void *ctx;
	/* physical address of a zeroed, aligned table, or PT_NO_MEMORY; a root takes g->root_bytes */
	paddr_t (*alloc)(void *ctx, int height);
	void (*free)(void *ctx, paddr_t table, int height);
	void (*flush)(void *ctx); /* after a block was split or replaced; may be NULL */
	bool hwad;   /* entries are stored for hardware that updates them */
	bool kernel; /* tables of the kernel's half: domain 0 on ARM32 short descriptors */
};

#define PT_NO_MEMORY (~0ull)

struct pt_space {
	enum pt_geom geom;
	paddr_t root;
	const struct pt_mem *mem;
	const struct pt_alloc *alloc; /* may be NULL for calls that neither allocate nor free */
};

struct pt_leaf {
	pt_slot *slot; /* entry at which the walk ended: a PTE, a block, or an empty entry */
	paddr_t table; /* table that holds it */
	int height;    /* 0: a PTE (perhaps none); above: a block, or nothing below */
	u32 index;
};

struct pt_span {
	vaddr_t va;
	pt_slot *slots; /* first slot; pt_slot_at() gives the others */
	u32 nr;
	int height;    /* 0: PTEs; above: one block */
	paddr_t table; /* the leaf table */
};

/* Called once per leaf table that a range touches and that exists. */
typedef void (*pt_span_fn)(void *ctx, const struct pt_span *span);

MM_INLINE const struct pt_geometry *pt_geo(const struct pt_space *s)
{
	return &pt_geometries[s->geom];
}

/*
 * The kernel's view of an entry above the pages: none, table or block. On ARM32 short descriptors
 * the value is the first L1 word of the pair.
 */
MM_INLINE u64 pt_entry(const struct pt_geometry *g, const void *slot)
{
	return g->family == PT_SHORT ? *(const u32 *)slot : *(const u64 *)slot;
}

MM_INLINE bool pt_entry_is_table(const struct pt_geometry *g, u64 e)
{
	return (e & 3) == (g->family == PT_SHORT ? 1 : 3);
}

/* The table an entry points to; on ARM32 short descriptors the page that holds all four tables. */
MM_INLINE paddr_t pt_entry_table(const struct pt_geometry *g, u64 e)
{
	return g->family == PT_SHORT ? e & 0xfffff000 : e & pt_addr_mask(g);
}

/* Whether an entry of height > 0 maps nothing: on ARM32 short descriptors both halves of the pair. */
MM_INLINE bool pt_entry_none(const struct pt_geometry *g, const void *slot)
{
	(void)g;
	return !*(const u64 *)slot;
}

/* Makes the entry of @slot point to @table. */
MM_INLINE void pt_populate(const struct pt_geometry *g, void *slot, paddr_t table, bool kernel)
{
	if (g->family == PT_SHORT) {
		u32 w = (u32)table + ARM_HWTABLE_OFF + (kernel ? ARM_TABLE_KERNEL : ARM_TABLE_USER);

		((u32 *)slot)[0] = w;
		((u32 *)slot)[1] = w + 1024;
	} else {
		*(u64 *)slot = table | A64_TABLE | A64_VALID;
	}
}

/* pt_lookup() for callers that know the geometry at compile time: 3 ns with tables in cache. */
MM_INLINE int pt_lookup_in(const struct pt_geometry *g, const struct pt_mem *mem, paddr_t root, vaddr_t va,
			   struct pt_leaf *leaf)
{
	paddr_t table = root;
	int h = g->levels - 1;
	u64 e;

#define PT_STEP_(height)                                                                           \
	do {                                                                                       \
		h = (height);                                                                      \
		leaf->index = pt_index(g, va, h);                                                  \
		leaf->slot = pt_mem_at(mem, table + ((u64)leaf->index << g->entry_shift[h]));      \
		BUG_ON(!leaf->slot);                                                               \
		e = pt_entry(g, leaf->slot);                                                       \
		if (MM_UNLIKELY(!pt_entry_is_table(g, e)))                                         \
			goto out;                                                                  \
		table = pt_entry_table(g, e);                                                      \
	} while (0)
	if (g->levels > 3)
		PT_STEP_(3);
	if (g->levels > 2)
		PT_STEP_(2);
	PT_STEP_(1);
#undef PT_STEP_
	h = 0;
	leaf->index = pt_index(g, va, 0);
	leaf->slot = pt_mem_at(mem, table + ((u64)leaf->index << g->entry_shift[0]));
	BUG_ON(!leaf->slot);
out:
	leaf->table = table;
	leaf->height = h;
	return h;
}

/*
 * pt_lookup: finds the entry that decides about @va. Returns the height at which the walk ended, 0
 * for a slot of a PTE (which may be none), and fills @leaf. The tables must be well-formed.
 */
int pt_lookup(const struct pt_space *s, vaddr_t va, struct pt_leaf *leaf);

/* The PTE's slot for @va, or NULL if no table reaches that far (or a block maps it). */
pt_slot *pt_find_slot(const struct pt_space *s, vaddr_t va);

/*
 * pt_lookup_batch: slots of @n addresses with look-ahead, so that their cache misses overlap;
 * slots[i] is NULL where pt_find_slot() would be. Returns the number found.
 */
u64 pt_lookup_batch(const struct pt_space *s, const vaddr_t *va, u64 n, pt_slot **slots);

/*
 * pte_alloc: allocates what is missing on the way to the PTE of @va. 0 and @leaf, -ENOMEM (tables
 * already made stay), or -EEXIST if a block maps @va.
 */
int pt_alloc_slot(const struct pt_space *s, vaddr_t va, struct pt_leaf *leaf);

/* Maps @n pages from @va to the frames pfn, pfn + 1, ...; entries must be none. 0 or -ENOMEM/-EEXIST. */
int pt_map_range(const struct pt_space *s, vaddr_t va, u64 n, pfn_t pfn, u64 prot);

/* Maps @n pages from @va to the frames listed; entries must be none. 0 or -ENOMEM/-EEXIST. */
int pt_map_list(const struct pt_space *s, vaddr_t va, u64 n, const pfn_t *pfns, u64 prot);

/* Calls @fn for each span of [va, end). Tables may not be freed from @fn. */
void pt_walk_range(const struct pt_space *s, vaddr_t va, vaddr_t end, pt_span_fn fn, void *ctx);

/*
 * Clears all PTEs of [va, end), calling @fn (may be NULL) before each span is cleared. Blocks are
 * given to @fn and cleared when the range holds them whole, else left alone (split them first).
 */
void pt_unmap_range(const struct pt_space *s, vaddr_t va, vaddr_t end, pt_span_fn fn, void *ctx);

/* change_protection: pte_modify() on every present PTE of [va, end); returns how many changed. */
u64 pt_protect_range(const struct pt_space *s, vaddr_t va, vaddr_t end, u64 prot);

/* Clears young of every present PTE of [va, end); returns how many were young. */
u64 pt_mkold_range(const struct pt_space *s, vaddr_t va, vaddr_t end);

/*
 * free_pgtables for one VMA (spec s7): frees each table under [va, end) whose parent entry's whole
 * span lies in [floor, ceiling), ceiling 0 meaning no limit, and clears that entry. The PTEs must
 * have been cleared before.
 */
void pt_free_range(const struct pt_space *s, vaddr_t va, vaddr_t end, vaddr_t floor, vaddr_t ceiling);

/* Frees every table below the root's entries of [va, end), whatever it holds, and clears those entries. */
void pt_free_all(const struct pt_space *s, vaddr_t va, vaddr_t end);

struct pt_count {
	u64 tables[PT_MAX_LEVELS]; /* by height, the root included */
	u64 present, swap, blocks;
};

/* Counts tables and entries of [va, end) (for I02.2 and the pgtables view). */
void pt_count_range(const struct pt_space *s, vaddr_t va, vaddr_t end, struct pt_count *out);

/*
 * Entries that one contiguous hint covers, in a table of height @h: aligned, equal but for their output
 * addresses, which are consecutive from an aligned one (ARM64 and LPAE; 1: no hint at this height).
 */
MM_INLINE u32 pt_cont_entries(const struct pt_geometry *g, int h)
{
	if (g->family == PT_SHORT || h > 1 || (h && !(g->block_heights & 2)))
		return 1;
	return g->page_shift == 12 ? 16 : g->page_shift == 14 && !h ? 128 : 32;
}

/*
 * Checks the tree over [va, end): I02.1 (each ARM32 hardware word is the function of its Linux word)
 * and I02.4 (no pair mixes a table with a section), I02.6 (ours: contiguous hints come in whole groups).
 * 0, or the number 1, 4 or 6 of the invariant, or 9 for a table outside memory, with a sentence in @why.
 */
int pt_check(const struct pt_space *s, vaddr_t va, vaddr_t end, char *why, size_t size);

#endif
