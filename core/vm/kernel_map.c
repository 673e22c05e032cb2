/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A radix of tables. An entry holds frame number + 1, of the next table or, in the leaf, of the page.
 */
#include "core/vm/kernel_map.h"

#include <errno.h>
#include <string.h>

static u64 *frame_table(const struct kernel_map *m, u64 entry)
{
	return hw_pfn_ptr(m->phys->hw, (pfn_t)(entry - 1));
}

static u64 *new_table(struct kernel_map *m, unsigned cpu, gfp_t gfp)
{
	u64 *t = get_zeroed_page(m->phys, cpu, gfp);

	if (t) {
		memset(t, 0, 1ull << m->phys->page_shift); /* data=tag clears only the tag */
		m->nr_tables++;
	}
	return t;
}

int kernel_map_init(struct kernel_map *m, struct phys *phys, vaddr_t start, vaddr_t end)
{
	u64 pages = (end - start) >> phys->page_shift;

	*m = (struct kernel_map){.phys = phys, .start = start, .end = end};
	m->bits = phys->page_shift - 3;
	for (m->levels = 1; m->levels * m->bits < 64 && (pages - 1) >> (m->levels * m->bits);)
		m->levels++;
	return 0; /* the first mapping brings the top table */
}

static void free_tables(struct kernel_map *m, u64 *table, unsigned level)
{
	for (u64 i = 0; level && i < 1ull << m->bits; i++)
		if (table[i])
			free_tables(m, frame_table(m, table[i]), level - 1);
	free_page(m->phys, m->phys->hw->cpu, table);
}

void kernel_map_destroy(struct kernel_map *m)
{
	if (m->top)
		free_tables(m, m->top, m->levels - 1);
	m->top = NULL;
}

/* The leaf entry of @va; NULL when a table is missing and @make is false or there is no memory. */
static u64 *entry_of(const struct kernel_map *cm, unsigned cpu, vaddr_t va, bool make)
{
	struct kernel_map *m = (struct kernel_map *)cm;
	u64 index = (va - m->start) >> m->phys->page_shift, mask = (1ull << m->bits) - 1, *t = m->top;

	if (va < m->start || va >= m->end)
		return NULL;
	if (!t && make)
		t = m->top = new_table(m, cpu, GFP_KERNEL);
	if (!t)
		return NULL;
	for (unsigned level = m->levels - 1; level; level--) {
		u64 *e = &t[index >> (level * m->bits) & mask];

		if (!*e) {
			u64 *next = make ? new_table(m, cpu, GFP_KERNEL) : NULL;

			if (!next)
				return NULL;
			*e = (hw_pa(m->phys->hw, next) >> m->phys->page_shift) + 1;
		}
		t = frame_table(m, *e);
	}
	return &t[index & mask];
}

int kernel_map_set(struct kernel_map *m, unsigned cpu, vaddr_t va, pfn_t pfn)
{
	u64 *e = entry_of(m, cpu, va, true);

	if (!e)
		return -ENOMEM;
	BUG_ON(*e);
	*e = (u64)pfn + 1;
	m->nr_ptes++;
	return 0;
}

int kernel_map_replace(struct kernel_map *m, unsigned cpu, vaddr_t va, pfn_t pfn)
{
	u64 *e = entry_of(m, cpu, va, true);

	if (!e)
		return -ENOMEM;
	m->nr_ptes += !*e;
	*e = (u64)pfn + 1;
	return 0;
}

pfn_t kernel_map_clear(struct kernel_map *m, vaddr_t va)
{
	u64 *e = entry_of(m, 0, va, false);
	pfn_t pfn = PFN_NONE;

	if (e && *e) {
		pfn = (pfn_t)(*e - 1);
		*e = 0;
		m->nr_ptes--;
	}
	return pfn;
}

pfn_t kernel_map_get(const struct kernel_map *m, vaddr_t va)
{
	const u64 *e = entry_of(m, 0, va, false);

	return e && *e ? (pfn_t)(*e - 1) : PFN_NONE;
}

void *kernel_map_ptr(const struct kernel_map *m, vaddr_t va)
{
	const struct hw *hw = m->phys->hw;
	pfn_t pfn = kernel_map_get(m, va);

	if (pfn == PFN_NONE || !pfn_valid(m->phys, pfn)) /* devices have no memory behind them */
		return NULL;
	return (u8 *)hw_pfn_ptr(hw, pfn) + (va & ((1ull << hw->page_shift) - 1));
}

static u64 count_entries(const struct kernel_map *m, const u64 *table, unsigned level)
{
	u64 n = 0;

	for (u64 i = 0; i < 1ull << m->bits; i++)
		if (table[i])
			n += level ? count_entries(m, frame_table(m, table[i]), level - 1) : 1;
	return n;
}

u64 kernel_map_count(const struct kernel_map *m)
{
	return m->top ? count_entries(m, m->top, m->levels - 1) : 0;
}

void kernel_view_init(struct kernel_view *v, const struct kernel_map *m)
{
	*v = (struct kernel_view){.map = m};
	for (u64 i = 0; i < 2048 && m->start + (i << KERNEL_VIEW_SHIFT) < m->end; i++) {
		u64 *e = entry_of(m, 0, m->start + (i << KERNEL_VIEW_SHIFT), false);

		if (e) /* a table is there already: copied with the rest of the kernel's part */
			v->seen[i / 64] |= BIT(i % 64);
	}
}

int kernel_view_access(struct kernel_view *v, vaddr_t va)
{
	u64 i = (va - v->map->start) >> KERNEL_VIEW_SHIFT;

	if (kernel_map_get(v->map, va) == PFN_NONE)
		return -EFAULT;
	BUG_ON(i >= 2048);
	if (v->seen[i / 64] >> i % 64 & 1)
		return 0;
	v->seen[i / 64] |= BIT(i % 64);
	v->copies++;
	return 1;
}
