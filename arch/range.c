/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ranges are walked by descending once per leaf table; the loops over a leaf's slots have one
 * instance per descriptor family, so that the cost a page is that of the store.
 */
#include "arch/range.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

MM_INLINE int lookup(const struct pt_geometry *g, const struct pt_space *s, vaddr_t va, struct pt_leaf *leaf)
{
	return pt_lookup_in(g, s->mem, s->root, va, leaf);
}

int pt_lookup(const struct pt_space *s, vaddr_t va, struct pt_leaf *leaf)
{
	PT_SWITCH(s->geom, lookup, s, va, leaf)
}

pt_slot *pt_find_slot(const struct pt_space *s, vaddr_t va)
{
	struct pt_leaf leaf;

	return pt_lookup(s, va, &leaf) ? NULL : leaf.slot;
}

#define BATCH 32u

MM_INLINE u64 lookup_batch(const struct pt_geometry *g, const struct pt_space *s, const vaddr_t *va, u64 n,
			pt_slot **slots)
{
	struct pt_leaf leaf;
	u64 found = 0;

	for (u64 i = 0; i < n; i++) {
		slots[i] = pt_lookup_in(g, s->mem, s->root, va[i], &leaf) ? NULL : leaf.slot;
		__builtin_prefetch(slots[i]);
		found += slots[i] != NULL;
	}
	return found;
}

/* Prefetches the entries of height 1 of up to 32 addresses, whose tables are found through cached levels. */
MM_INLINE void lookup_ahead(const struct pt_geometry *g, const struct pt_space *s, const vaddr_t *va, u64 n)
{
	for (u64 i = 0; i < n; i++) {
		paddr_t table = s->root;
		void *slot;

		for (int h = g->levels - 1; h > 1; h--) {
			slot = pt_mem_at(s->mem, table + (u64)pt_index(g, va[i], h) * 8);
			if (!slot || !pt_entry_is_table(g, pt_entry(g, slot)))
				break;
			table = pt_entry_table(g, pt_entry(g, slot));
		}
		slot = pt_mem_at(s->mem, table + (u64)pt_index(g, va[i], 1) * 8);
		if (slot)
			__builtin_prefetch(slot);
	}
}

u64 pt_lookup_batch(const struct pt_space *s, const vaddr_t *va, u64 n, pt_slot **slots)
{
	u64 found = 0;

	for (u64 at = 0; at < n; at += BATCH) {
		u64 k = n - at < BATCH ? n - at : BATCH;

		switch (s->geom) {
#define PT_GEOMETRY(sym, ...)                                                                      \
	case PT_##sym:                                                                             \
		lookup_ahead(&pt_geometries[PT_##sym], s, va + at, k);                             \
		found += lookup_batch(&pt_geometries[PT_##sym], s, va + at, k, slots + at);        \
		break;
#include "arch/geometry.def"
#undef PT_GEOMETRY
		case PT_NR_GEOM:
			BUG();
		}
	}
	return found;
}

int pt_alloc_slot(const struct pt_space *s, vaddr_t va, struct pt_leaf *leaf)
{
	const struct pt_geometry *g = pt_geo(s);
	int h;

	while ((h = pt_lookup(s, va, leaf))) {
		paddr_t table;

		if (!pt_entry_none(g, leaf->slot))
			return -EEXIST;
		table = s->alloc->alloc(s->alloc->ctx, h - 1);
		if (table == PT_NO_MEMORY)
			return -ENOMEM;
		VM_BUG_ON(!pt_mem_at(s->mem, table) || table & (pt_page_size(g) - 1));
		pt_populate(g, leaf->slot, table, s->alloc->kernel);
	}
	return 0;
}

/* The loops over slots take any ARM64 geometry for @g: only the distance of frames differs, @step. */
MM_INLINE void fill_seq(const struct pt_geometry *g, u64 step, pt_slot *slots, u64 nr, paddr_t pa, u64 prot,
			bool hwad)
{
	pte_set(g, slots, pte_make(pa, prot), hwad); /* all bits but the frame's are the same in all */
	if (g->family == PT_SHORT) {
		u32 *l = (u32 *)(void *)slots, *h = l + ARM_HWTABLE_OFF / 4;

		for (u64 i = 1; i < nr; i++) {
			l[i] = l[0] + (u32)(i * step);
			h[i] = h[0] ? h[0] + (u32)(i * step) : 0;
		}
	} else {
		u64 *e = (u64 *)(void *)slots;

		for (u64 i = 1; i < nr; i++)
			e[i] = e[0] + i * step;
	}
}

MM_INLINE void fill_list(const struct pt_geometry *g, unsigned page_shift, pt_slot *slots, u64 nr,
			 const pfn_t *pfns, u64 prot, bool hwad)
{
	for (u64 i = 0; i < nr; i++)
		pte_set(g, pt_slot_at(g, slots, (s64)i), pte_make((u64)pfns[i] << page_shift, prot), hwad);
}

/* @g: one of the three families' representatives; @page_shift: the real one. */
MM_INLINE void fill(const struct pt_geometry *g, unsigned page_shift, pt_slot *slots, u64 nr, pfn_t pfn,
		    const pfn_t *pfns, u64 prot, bool hwad)
{
	if (pfns)
		fill_list(g, page_shift, slots, nr, pfns, prot, hwad);
	else
		fill_seq(g, BIT(page_shift), slots, nr, (u64)pfn << page_shift, prot, hwad);
}

static int map_pages(const struct pt_space *s, vaddr_t va, u64 n, pfn_t pfn, const pfn_t *pfns, u64 prot)
{
	const struct pt_geometry *g = pt_geo(s);

	while (n) {
		struct pt_leaf leaf;
		int err = pt_alloc_slot(s, va, &leaf);
		u64 k = g->entries[0] - leaf.index;

		if (err)
			return err;
		k = k < n ? k : n;
		if (g->family == PT_SHORT)
			fill(&pt_geometries[PT_ARM_SHORT], 12, leaf.slot, k, pfn, pfns, prot, s->alloc->hwad);
		else if (g->family == PT_LPAE)
			fill(&pt_geometries[PT_ARM_LPAE], 12, leaf.slot, k, pfn, pfns, prot, s->alloc->hwad);
		else
			fill(&pt_geometries[PT_A64_4K_48], g->page_shift, leaf.slot, k, pfn, pfns, prot,
			     s->alloc->hwad);
		n -= k;
		va += k << g->page_shift;
		pfn += (pfn_t)k;
		pfns = pfns ? pfns + k : NULL;
	}
	return 0;
}

int pt_map_range(const struct pt_space *s, vaddr_t va, u64 n, pfn_t pfn, u64 prot)
{
	return map_pages(s, va, n, pfn, NULL, prot);
}

int pt_map_list(const struct pt_space *s, vaddr_t va, u64 n, const pfn_t *pfns, u64 prot)
{
	return map_pages(s, va, n, 0, pfns, prot);
}

void pt_walk_range(const struct pt_space *s, vaddr_t va, vaddr_t end, pt_span_fn fn, void *ctx)
{
	const struct pt_geometry *g = pt_geo(s);

	while (va != end) {
		struct pt_leaf leaf;
		int h = pt_lookup(s, va, &leaf);
		vaddr_t next = pt_addr_end(g, va, end, h ? h : 1);

		if (!h || !pt_entry_none(g, leaf.slot)) {
			struct pt_span span = { va, leaf.slot, 1, h, leaf.table };

			if (!h)
				span.nr = (u32)((next - va + pt_page_size(g) - 1) >> g->page_shift);
			fn(ctx, &span);
		}
		va = next;
	}
}

struct clear_ctx {
	const struct pt_geometry *g;
	pt_span_fn fn;
	void *ctx;
	vaddr_t end;
};

static void clear_span(void *ctx, const struct pt_span *span)
{
	struct clear_ctx *c = ctx;
	size_t bytes = (size_t)span->nr << c->g->entry_shift[span->height];

	if (span->height) {
		u64 size = BIT(c->g->shift[span->height]);

		if (span->va & (size - 1) || c->end - span->va < size)
			return;
	}
	if (c->fn)
		c->fn(c->ctx, span);
	memset(span->slots, 0, bytes);
	if (c->g->family == PT_SHORT && !span->height)
		memset((u8 *)span->slots + ARM_HWTABLE_OFF, 0, bytes);
}

void pt_unmap_range(const struct pt_space *s, vaddr_t va, vaddr_t end, pt_span_fn fn, void *ctx)
{
	struct clear_ctx c = { pt_geo(s), fn, ctx, end };

	pt_walk_range(s, va, end, clear_span, &c);
}

struct change_ctx {
	const struct pt_geometry *g;
	u64 prot;
	bool hwad;
	bool old; /* clear young instead */
	u64 changed;
};

MM_INLINE u64 change_slots(const struct pt_geometry *g, const struct pt_span *span, const struct change_ctx *c)
{
	u64 changed = 0;

	for (u32 i = 0; i < span->nr; i++) {
		pt_slot *slot = pt_slot_at(g, span->slots, i);
		pte_t old = pte_get(g, slot);

		if (!pte_present(old) || (c->old && !pte_young(old)))
			continue;
		pte_set(g, slot, c->old ? pte_mkold(old) : pte_modify(old, c->prot), c->hwad);
		changed += pte_get(g, slot).v != old.v;
	}
	return changed;
}

static void change_span(void *ctx, const struct pt_span *span)
{
	struct change_ctx *c = ctx;

	if (span->height)
		return;
	switch (c->g->family) {
	case PT_SHORT:
		c->changed += change_slots(&pt_geometries[PT_ARM_SHORT], span, c);
		break;
	case PT_LPAE:
		c->changed += change_slots(&pt_geometries[PT_ARM_LPAE], span, c);
		break;
	case PT_ARM64: /* any granule: slots differ only in the frame's position, which is kept */
		c->changed += change_slots(&pt_geometries[PT_A64_4K_48], span, c);
		break;
	}
}

u64 pt_protect_range(const struct pt_space *s, vaddr_t va, vaddr_t end, u64 prot)
{
	struct change_ctx c = { pt_geo(s), prot, s->alloc && s->alloc->hwad, false, 0 };

	pt_walk_range(s, va, end, change_span, &c);
	return c.changed;
}

u64 pt_mkold_range(const struct pt_space *s, vaddr_t va, vaddr_t end)
{
	struct change_ctx c = { pt_geo(s), 0, s->alloc && s->alloc->hwad, true, 0 };

	pt_walk_range(s, va, end, change_span, &c);
	return c.changed;
}

/* Whether the span of the entry of height @h around @va lies in [floor, ceiling). */
static bool span_inside(const struct pt_geometry *g, vaddr_t va, int h, vaddr_t floor, vaddr_t ceiling)
{
	vaddr_t lo = ALIGN_DOWN(va, BIT(g->shift[h])), last = lo + BIT(g->shift[h]) - 1;

	return lo >= floor && (!ceiling || last <= ceiling - 1);
}

/* Frees what it may below the entries of [va, end) in @table, whose height is @h. */
static void free_level(const struct pt_space *s, paddr_t table, int h, vaddr_t va, vaddr_t end, vaddr_t floor,
		       vaddr_t ceiling)
{
	const struct pt_geometry *g = pt_geo(s);

	for (vaddr_t next; va != end; va = next) {
		u64 *slot = pt_mem_at(s->mem, table + (u64)pt_index(g, va, h) * 8);
		u64 e = pt_entry(g, slot);
		paddr_t child = pt_entry_table(g, e);

		next = pt_addr_end(g, va, end, h);
		if (!pt_entry_is_table(g, e))
			continue;
		if (h > 1)
			free_level(s, child, h - 1, va, next, floor, ceiling);
		if (!span_inside(g, va, h, floor, ceiling))
			continue;
		*slot = 0;
		s->alloc->free(s->alloc->ctx, child, h - 1);
	}
}

void pt_free_range(const struct pt_space *s, vaddr_t va, vaddr_t end, vaddr_t floor, vaddr_t ceiling)
{
	free_level(s, s->root, pt_geo(s)->levels - 1, va, end, floor, ceiling);
}

void pt_free_all(const struct pt_space *s, vaddr_t va, vaddr_t end)
{
	free_level(s, s->root, pt_geo(s)->levels - 1, va, end, 0, 0);
}

MM_INLINE void count_slots(const struct pt_geometry *g, pt_slot *slots, u32 nr, struct pt_count *out)
{
	for (u32 i = 0; i < nr; i++) {
		pte_t p = pte_get(g, pt_slot_at(g, slots, i));

		out->present += pte_present(p);
		out->swap += pte_is_swap(p);
	}
}

static void count_level(const struct pt_space *s, paddr_t table, int h, vaddr_t va, vaddr_t end,
			struct pt_count *out)
{
	const struct pt_geometry *g = pt_geo(s);

	out->tables[h]++;
	if (!h) {
		u64 nr = (end - va + pt_page_size(g) - 1) >> g->page_shift;

		count_slots(g, pt_slot_at(g, pt_mem_at(s->mem, table), pt_index(g, va, 0)), (u32)nr, out);
		return;
	}
	for (vaddr_t next; va != end; va = next) {
		const u64 *slot = pt_mem_at(s->mem, table + (u64)pt_index(g, va, h) * 8);
		u64 e = pt_entry(g, slot);

		next = pt_addr_end(g, va, end, h);
		if (pt_entry_is_table(g, e))
			count_level(s, pt_entry_table(g, e), h - 1, va, next, out);
		else if (g->family == PT_SHORT)
			out->blocks += ((u32)*slot != 0) + (*slot >> 32 != 0);
		else
			out->blocks += e != 0;
	}
}

void pt_count_range(const struct pt_space *s, vaddr_t va, vaddr_t end, struct pt_count *out)
{
	memset(out, 0, sizeof(*out));
	count_level(s, s->root, pt_geo(s)->levels - 1, va, end, out);
}

/* One ARM32 PTE page: every hardware word against its Linux word, nG as set or not (vectors). */
static int check_short_page(const struct pt_space *s, paddr_t table, vaddr_t va, char *why, size_t size)
{
	const u32 *l = pt_mem_at(s->mem, table), *h = l + ARM_HWTABLE_OFF / 4;

	for (u32 i = 0; i < 512; i++) {
		u32 ext = l[i] & ARM_L_USER && h[i] & ARM_HW_NG ? ARM_HW_NG : 0;

		if (!(l[i] & ARM_L_PRESENT) ? h[i] : h[i] != arm_short_hw(l[i], ext)) {
			snprintf(why, size, "I02.1: va %#llx: Linux word %#x, hardware word %#x",
				 (unsigned long long)(va + i * 4096ull), l[i], h[i]);
			return 1;
		}
	}
	return 0;
}

/* One entry with the hint: its whole group must be one. @e: entry @i of a table of height @h. */
static bool broken_group(const struct pt_geometry *g, const u64 *e, u32 i, int h)
{
	u32 n = pt_cont_entries(g, h), k = i % n;
	u64 size = BIT(g->shift[h]), want = e[i] - k * size;

	return n == 1 || (want & pt_addr_mask(g) & (n * size - 1)) || e[i - k] != want ||
	       e[i - k + n - 1] != want + (n - 1) * size || (k + 1 < n && e[i + 1] != e[i] + size);
}

static int check_groups(const struct pt_space *s, paddr_t table, int h, vaddr_t va, char *why, size_t size)
{
	const struct pt_geometry *g = pt_geo(s);
	const u64 *e = pt_mem_at(s->mem, table);

	for (u32 i = 0; i < g->entries[h]; i++) {
		if (!(e[i] & A64_VALID) || !(e[i] & A64_CONT) || (h && pt_entry_is_table(g, e[i])) ||
		    !broken_group(g, e, i, h))
			continue;
		snprintf(why, size, "I02.6: below va %#llx: entry %u of height %d, %#llx, lacks its contiguous group",
			 (unsigned long long)va, i, h, (unsigned long long)e[i]);
		return 6;
	}
	return 0;
}

static int check_level(const struct pt_space *s, paddr_t table, int h, vaddr_t va, vaddr_t end, char *why,
		       size_t size)
{
	const struct pt_geometry *g = pt_geo(s);
	int err = g->family == PT_SHORT ? 0 : check_groups(s, table, h, va, why, size);

	for (vaddr_t next; va != end && !err; va = next) {
		const u64 *slot = pt_mem_at(s->mem, table + (u64)pt_index(g, va, h) * 8);
		u64 e = slot ? pt_entry(g, slot) : 0;
		paddr_t child = pt_entry_table(g, e);

		next = pt_addr_end(g, va, end, h);
		if (!slot || (pt_entry_is_table(g, e) && !pt_mem_at(s->mem, child))) {
			snprintf(why, size, "va %#llx: a table outside memory", (unsigned long long)va);
			return 9;
		}
		if (g->family == PT_SHORT && (e & 3) != (*slot >> 32 & 3) && e && *slot >> 32) {
			snprintf(why, size, "I02.4: va %#llx: pair %#llx mixes table and section",
				 (unsigned long long)va, (unsigned long long)*slot);
			return 4;
		}
		if (!pt_entry_is_table(g, e))
			continue;
		if (h > 1)
			err = check_level(s, child, h - 1, va, next, why, size);
		else if (g->family == PT_SHORT)
			err = check_short_page(s, child, ALIGN_DOWN(va, 2 * MiB), why, size);
		else
			err = check_groups(s, child, 0, va, why, size);
	}
	return err;
}

int pt_check(const struct pt_space *s, vaddr_t va, vaddr_t end, char *why, size_t size)
{
	return check_level(s, s->root, pt_geo(s)->levels - 1, va, end, why, size);
}
