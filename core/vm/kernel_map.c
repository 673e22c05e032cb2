/* SPDX-License-Identifier: BSD-2-Clause */
/* Ranges of the kernel's own tables: a page's descriptor at a time. */
#include "core/vm/kernel_map.h"

#include <errno.h>

#include "core/phys/page_alloc.h"

void kernel_map_init(struct kernel_map *m, struct phys *phys, vaddr_t start, vaddr_t end)
{
	*m = (struct kernel_map){.phys = phys, .pgd = &phys->kpgd, .start = start, .end = end};
}

void kernel_map_destroy(struct kernel_map *m)
{
	if (!m->phys || m->pgd->space.root == PT_NO_TABLE || m->start == m->end)
		return;
	pt_unmap_range(&m->pgd->space, m->start, m->end, NULL, NULL);
	kernel_pgd_trim(m->pgd, m->start, m->end);
	m->nr_ptes = 0;
}

/* The slot of @va; NULL: a table is missing. */
static pt_slot *slot_of(const struct kernel_map *m, vaddr_t va)
{
	if (va < m->start || va >= m->end || m->pgd->space.root == PT_NO_TABLE)
		return NULL;
	return pt_find_slot(&m->pgd->space, va);
}

static pt_slot *make_slot(struct kernel_map *m, vaddr_t va)
{
	const struct pt_space *s = kernel_pgd_space(m->pgd);
	struct pt_leaf leaf;

	BUG_ON(va < m->start || va >= m->end);
	return s && !pt_alloc_slot(s, va, &leaf) ? leaf.slot : NULL;
}

static void put(struct kernel_map *m, pt_slot *slot, pfn_t pfn)
{
	bool ram = pfn_valid(m->phys, pfn);
	u64 prot = pte_kernel_prot(ram ? PT_KERNEL : PT_DEVICE);

	pte_set(m->pgd->layout.g, slot, pte_make((paddr_t)pfn << m->phys->page_shift, prot), false);
}

int kernel_map_set(struct kernel_map *m, vaddr_t va, pfn_t pfn)
{
	pt_slot *slot = make_slot(m, va);

	if (!slot)
		return -ENOMEM;
	BUG_ON(!pte_slot_none(m->pgd->layout.g, slot));
	put(m, slot, pfn);
	m->nr_ptes++;
	return 0;
}

int kernel_map_replace(struct kernel_map *m, vaddr_t va, pfn_t pfn)
{
	pt_slot *slot = make_slot(m, va);

	if (!slot)
		return -ENOMEM;
	m->nr_ptes += pte_slot_none(m->pgd->layout.g, slot);
	put(m, slot, pfn);
	return 0;
}

pfn_t kernel_map_get(const struct kernel_map *m, vaddr_t va)
{
	const pt_slot *slot = slot_of(m, va);

	if (!slot || pte_slot_none(m->pgd->layout.g, slot))
		return PFN_NONE;
	return (pfn_t)(pte_pa(pte_get(m->pgd->layout.g, slot)) >> m->phys->page_shift);
}

pfn_t kernel_map_clear(struct kernel_map *m, vaddr_t va)
{
	pfn_t pfn = kernel_map_get(m, va);

	if (pfn != PFN_NONE) {
		pte_set(m->pgd->layout.g, slot_of(m, va), (pte_t){0}, false);
		m->nr_ptes--;
	}
	return pfn;
}

void *kernel_map_ptr(const struct kernel_map *m, vaddr_t va)
{
	const struct hw *hw = m->phys->hw;
	pfn_t pfn = kernel_map_get(m, va);

	if (pfn == PFN_NONE || !pfn_valid(m->phys, pfn)) /* devices have no memory behind them */
		return NULL;
	return (u8 *)hw_pfn_ptr(hw, pfn) + (va & ((1ull << hw->page_shift) - 1));
}

u64 kernel_map_count(const struct kernel_map *m)
{
	struct pt_count n = {0};

	if (m->phys && m->pgd->space.root != PT_NO_TABLE && m->start != m->end)
		pt_count_range(&m->pgd->space, m->start, m->end, &n);
	return n.present;
}
