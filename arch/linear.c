/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/linear.h"

#include <errno.h>

struct map_type {
	u64 prot;        /* of pages and blocks, in the memory manager's form; 0: no page form */
	u32 section;     /* ARM32 short descriptors; 0: no section form */
	bool device, global_user;
};

static struct map_type type_of(enum pt_map_type type)
{
	u64 vectors = pte_user_prot(PT_READ | PT_EXEC) | A64_DIRTY;

	switch (type) {
	case PT_MAP_RWX:
		return (struct map_type){pte_kernel_prot(PT_KERNEL_EXEC), ARM_SECT_RWX, false, false};
	case PT_MAP_RW:
		return (struct map_type){pte_kernel_prot(PT_KERNEL), ARM_SECT_RW, false, false};
	case PT_MAP_DEVICE:
		return (struct map_type){pte_kernel_prot(PT_DEVICE), ARM_SECT_DEVICE, true, false};
	case PT_MAP_ROM:
		return (struct map_type){0, ARM_SECT_ROM, false, false};
	case PT_MAP_VECTORS:
		return (struct map_type){vectors, 0, false, true};
	default:
		return (struct map_type){(pte_kernel_prot(PT_KERNEL_RO) & ~A64_PXN), 0, false, false};
	}
}

/* A block's descriptor in place of a page's. */
static u64 block_of(const struct pt_geometry *g, paddr_t pa, u64 prot)
{
	pte_t p = pte_make(pa, prot);

	return (g->family == PT_LPAE ? lpae_encode(p) : pte_encode_user(p, false)) & ~A64_TABLE;
}

/* ---- contiguous hint ---- */

/* Entry @i of height @h in the table @e is about to change: its group is none any more. */
static void break_group(const struct pt_geometry *g, u64 *e, u32 i, int h)
{
	u32 n = pt_cont_entries(g, h);

	if (n == 1 || !(e[i] & A64_VALID) || !(e[i] & A64_CONT))
		return;
	for (u32 k = i - i % n; k < i - i % n + n; k++)
		e[k] &= ~A64_CONT;
}

static bool whole_group(const struct pt_geometry *g, const u64 *e, u32 n, int h)
{
	u64 size = BIT(g->shift[h]);

	if (!(e[0] & A64_VALID) || (h && pt_entry_is_table(g, e[0])) || (e[0] & pt_addr_mask(g) & (n * size - 1)))
		return false;
	for (u32 k = 1; k < n; k++)
		if (e[k] != e[0] + k * size)
			return false;
	return true;
}

static void set_groups(const struct pt_space *s, paddr_t table, int h, vaddr_t va, vaddr_t end)
{
	const struct pt_geometry *g = pt_geo(s);
	u64 *e = pt_mem_at(s->mem, table);
	u32 n = pt_cont_entries(g, h);

	for (vaddr_t next; va != end; va = next) {
		u32 i = pt_index(g, va, h);

		next = pt_addr_end(g, va, end, h);
		if (h && pt_entry_is_table(g, e[i]))
			set_groups(s, pt_entry_table(g, e[i]), h - 1, va, next);
		else if (n > 1 && i % n == n - 1 && whole_group(g, &e[i - (n - 1)], n, h))
			for (u32 k = i - (n - 1); k <= i; k++)
				e[k] |= A64_CONT;
	}
}

void pt_set_contiguous(const struct pt_space *s, vaddr_t va, vaddr_t end)
{
	if (pt_geo(s)->family != PT_SHORT && va != end)
		set_groups(s, s->root, pt_geo(s)->levels - 1, va, end);
}

/* The same memory as block @e of height @h, as a table's worth of entries one height below. */
static int split(const struct pt_space *s, u64 *slot, u32 index, int h)
{
	const struct pt_geometry *g = pt_geo(s);
	paddr_t table = s->alloc->alloc(s->alloc->ctx, h - 1);
	u64 *e, size = BIT(g->shift[h - 1]);

	if (table == PT_NO_MEMORY)
		return -ENOMEM;
	break_group(g, slot - index, index, h);
	e = pt_mem_at(s->mem, table);
	for (u32 i = 0; i < g->entries[h - 1]; i++)
		e[i] = (*slot + i * size) | (h == 1 ? A64_TABLE : 0);
	pt_populate(g, slot, table, s->alloc->kernel);
	if (s->alloc->flush)
		s->alloc->flush(s->alloc->ctx);
	return 0;
}

/* Makes and splits tables down to the entry of height @h for @va. */
static int descend(const struct pt_space *s, vaddr_t va, int h, struct pt_leaf *leaf)
{
	const struct pt_geometry *g = pt_geo(s);
	int r = 0;

	while (!r && pt_lookup(s, va, leaf) > h) {
		paddr_t table;

		if (!pt_entry_none(g, leaf->slot)) {
			if (g->family == PT_SHORT)
				return -EEXIST;
			r = split(s, (u64 *)(void *)leaf->slot, leaf->index, leaf->height);
			continue;
		}
		table = s->alloc->alloc(s->alloc->ctx, leaf->height - 1);
		if (table == PT_NO_MEMORY)
			return -ENOMEM;
		pt_populate(g, leaf->slot, table, s->alloc->kernel);
	}
	return r;
}

int pt_split_block(const struct pt_space *s, vaddr_t va, int height)
{
	struct pt_leaf leaf;
	int h = pt_lookup(s, va, &leaf);

	return h <= height || pt_entry_none(pt_geo(s), leaf.slot) ? 0 : descend(s, va, height, &leaf);
}

static int put_pages(const struct pt_space *s, vaddr_t va, vaddr_t end, paddr_t pa, const struct map_type *t)
{
	const struct pt_geometry *g = pt_geo(s);
	u64 page = pt_page_size(g);

	for (; va != end; va += page, pa += page) {
		struct pt_leaf leaf;
		int r = descend(s, va, 0, &leaf);

		if (r)
			return r;
		if (g->family != PT_SHORT)
			break_group(g, (u64 *)(void *)leaf.slot - leaf.index, leaf.index, 0);
		pte_set(g, leaf.slot, pte_make(pa, t->prot), s->alloc->hwad);
		if (t->global_user && g->family == PT_SHORT) /* nG belongs to addresses below TASK_SIZE */
			arm_short_store(leaf.slot, arm_short_encode(pte_make(pa, t->prot)), 0);
		else if (t->global_user)
			*(u64 *)(void *)leaf.slot &= ~LPAE_NG;
	}
	return 0;
}

/* ---- ARM32 ---- */

static int put_sections(const struct pt_space *s, vaddr_t va, vaddr_t end, paddr_t pa, const struct map_type *t)
{
	struct pt_leaf leaf;
	u32 *pair;

	if (pt_lookup(s, va, &leaf) == 0)
		return -EEXIST;
	for (pair = (u32 *)(void *)leaf.slot; va != end; va += MiB, pa += MiB)
		pair[va >> 20 & 1] = (u32)pa | t->section;
	return 0;
}

/* Physical memory beyond 4 GiB, by supersections (create_36bit_mapping). */
static int put_supersections(const struct pt_space *s, vaddr_t va, u64 size, paddr_t pa, const struct map_type *t)
{
	u32 word = t->section | ARM_L1_SUPER;

	if (!t->section || t->section & ARM_L1_DOMAIN(15) || (va | pa | size) & (ARM_SUPER_SIZE - 1) || pa >> 36)
		return -EINVAL;
	for (vaddr_t end = va + size; va != end; va += 2 * MiB) {
		u32 at = (u32)(pa + (va & ~(ARM_SUPER_SIZE - 1)) - (end - size));
		struct pt_leaf leaf;

		if (pt_lookup(s, va, &leaf) == 0)
			return -EEXIST;
		((u32 *)(void *)leaf.slot)[0] = ((u32 *)(void *)leaf.slot)[1] =
			word | (at & 0xff000000) | (u32)(pa >> 32 & 15) << 20;
	}
	return 0;
}

static int create_arm32(const struct pt_space *s, const struct layout *l, vaddr_t va, paddr_t pa, u64 size,
			const struct map_type *t)
{
	const struct pt_geometry *g = pt_geo(s);
	u64 section = g->family == PT_SHORT ? MiB : 2 * MiB;
	vaddr_t end = va + size, next;
	bool warn = t->device && !layout_has(l, LAYOUT_VMALLOC, va);
	int r = 0;

	if ((va < l->task_size && va != l->at[LAYOUT_VECTORS].start) || (!t->prot && (va | pa | size) & (section - 1)))
		return -EINVAL;
	if (g->family == PT_SHORT && pa >> 32)
		return put_supersections(s, va, size, pa, t);
	for (; va != end && !r; pa += next - va, va = next) {
		struct pt_leaf leaf;

		next = pt_addr_end(g, va, end, 1);
		if (!t->section || (va | next | pa) & (section - 1)) {
			r = put_pages(s, va, next, pa, t);
		} else if (g->family == PT_SHORT) {
			r = put_sections(s, va, next, pa, t);
		} else {
			r = descend(s, va, 1, &leaf);
			if (!r && !leaf.height)
				r = -EEXIST;
			if (!r)
				*(u64 *)(void *)leaf.slot = block_of(g, pa, t->prot);
		}
	}
	return r ? r : warn;
}

/* ---- ARM64 ---- */

/* A table whose memory a block takes over: it goes with all below it. */
static void drop_table(const struct pt_space *s, paddr_t table, int h)
{
	const struct pt_geometry *g = pt_geo(s);
	const u64 *e = pt_mem_at(s->mem, table);

	for (u32 i = 0; h && i < g->entries[h]; i++)
		if (pt_entry_is_table(g, e[i]))
			drop_table(s, pt_entry_table(g, e[i]), h - 1);
	s->alloc->free(s->alloc->ctx, table, h);
}

static int put_block(const struct pt_space *s, vaddr_t va, paddr_t pa, int h, const struct map_type *t)
{
	const struct pt_geometry *g = pt_geo(s);
	paddr_t table = s->root;
	struct pt_leaf leaf;
	u64 *slot, old;
	int r = pt_lookup(s, va, &leaf) > h ? descend(s, va, h, &leaf) : 0;

	if (r)
		return r;
	for (int k = g->levels - 1;; k--) {
		slot = (u64 *)pt_mem_at(s->mem, table) + pt_index(g, va, k);
		if (k == h)
			break;
		table = pt_entry_table(g, *slot);
	}
	break_group(g, slot - pt_index(g, va, h), pt_index(g, va, h), h);
	old = *slot;
	*slot = block_of(g, pa, t->prot);
	if (pt_entry_is_table(g, old))
		drop_table(s, pt_entry_table(g, old), h - 1);
	if (old && s->alloc->flush)
		s->alloc->flush(s->alloc->ctx);
	return 0;
}

static int create_arm64(const struct pt_space *s, const struct layout *l, vaddr_t va, paddr_t pa, u64 size,
			const struct map_type *t)
{
	const struct pt_geometry *g = pt_geo(s);
	vaddr_t end = va + size, next;
	int r = 0;

	if (va < l->at[LAYOUT_VMALLOC].start || !t->prot)
		return -EINVAL;
	for (; va != end && !r; pa += next - va, va = next) {
		int h = g->levels - 1;

		while (h && (!(g->block_heights & 1u << h) || (va | pa) & (BIT(g->shift[h]) - 1) ||
			     end - va < BIT(g->shift[h])))
			h--;
		next = va + BIT(g->shift[h]);
		r = h ? put_block(s, va, pa, h, t) : put_pages(s, va, next, pa, t);
	}
	return r;
}

int pt_create_mapping(const struct pt_space *s, const struct layout *l, vaddr_t va, paddr_t pa, u64 size,
		      enum pt_map_type type)
{
	struct map_type t = type_of(type);

	if (!size || (va | pa | size) & (pt_page_size(pt_geo(s)) - 1))
		return -EINVAL;
	if (pt_geo(s)->family == PT_ARM64)
		return create_arm64(s, l, va, pa, size, &t);
	return create_arm32(s, l, va, pa, size, &t);
}

static int map_piece(const struct pt_space *s, const struct layout *l, paddr_t from, paddr_t to, paddr_t base,
		     enum pt_map_type type)
{
	return from < to ? pt_create_mapping(s, l, l->page_offset + (from - base), from, to - from, type) : 0;
}

int pt_map_banks(const struct pt_space *s, const struct layout *l, const struct pt_bank *banks, unsigned n,
		 paddr_t base, paddr_t limit, paddr_t text, paddr_t init_end)
{
	const struct pt_geometry *g = pt_geo(s);
	u64 section = g->family == PT_SHORT ? MiB : BIT(g->shift[1]);
	paddr_t x_start = ALIGN_DOWN(text, section), x_end = ALIGN_UP(init_end, section);
	int r = 0;

	for (unsigned i = 0; i < n && !r; i++) {
		paddr_t start = banks[i].start, end = banks[i].end;

		if (g->family == PT_ARM64) {
			if (!i && g->page_shift == 12) /* early tables must lie in what is mapped by blocks */
				start = ALIGN_UP(start, section);
			r = map_piece(s, l, start, end, base, PT_MAP_RWX);
			continue;
		}
		end = end < limit ? end : limit;
		if (end <= x_start) {
			r = map_piece(s, l, start, end, base, PT_MAP_RWX);
		} else if (start >= x_end) {
			r = map_piece(s, l, start, end, base, PT_MAP_RW);
		} else {
			paddr_t a = start < x_start ? x_start : start, b = end < x_end ? end : x_end;

			r = map_piece(s, l, start, a, base, PT_MAP_RW);
			r = r ? r : map_piece(s, l, a, b, base, PT_MAP_RWX);
			r = r ? r : map_piece(s, l, b, end, base, PT_MAP_RW);
		}
	}
	return r;
}
