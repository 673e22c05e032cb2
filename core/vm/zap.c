/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pages' way out of an address space (spec 08 s9). Linux: mm/memory.c zap_page_range.
 *
 * One leaf table is the unit of work: what its pages have in common (rss, mapped pages of a zone,
 * time) is summed up and accounted once.
 */
#include "core/backing/pageio.h"
#include "core/vm/fault.h"
#include "core/vm/ksm_rmap.h"
#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"
#include "core/vm/swapin.h"
#include "core/vm/tlb.h"

/* An entry that is neither none nor present leaves the address space. */
static void zap_nonpresent(struct vm *vm, struct mm_struct *mm, pte_t p)
{
	if (is_migration_entry(p))
		mm->rss[mm_counter_of(migration_entry_to_page(vm, p))]--;
	else
		zap_swap_pte(vm, mm, p);
}

/* What the pages of one leaf table have in common. */
struct zap_batch {
	struct zone *zone; /* of the counts below */
	s64 anon, mapped;  /* pages of it whose last mapping went */
	s64 rss[NR_MM_COUNTERS];
};

static void flush_zone(struct zap_batch *b)
{
	if (b->anon)
		mod_zone_page_state(b->zone, NR_ANON_PAGES, -b->anon);
	if (b->mapped)
		mod_zone_page_state(b->zone, NR_FILE_MAPPED, -b->mapped);
	b->anon = b->mapped = 0;
}

/* page_remove_rmap(), counted in the batch. */
MM_INLINE void remove_rmap(struct vm *vm, struct zap_batch *b, struct page *p)
{
	struct zone *z;

	VM_BUG_ON(p->_mapcount <= 0);
	if (--p->_mapcount)
		return;
	z = page_zone(vm->phys, p);
	if (MM_UNLIKELY(z != b->zone)) {
		flush_zone(b);
		b->zone = z;
	}
	if (PageAnon(p))
		b->anon++;
	else
		b->mapped++;
	if (MM_UNLIKELY(PageMlocked(p)))
		clear_page_mlock(vm, p);
}

MM_INLINE void zap_present(struct vm *vm, struct zap_batch *b, pte_t pte)
{
	struct page *p = vm_normal_page(vm, pte);

	if (MM_UNLIKELY(!p)) {
		ksm_zero_pte(vm, pte, -1);
		return;
	}
	if (!PageAnon(p) && pte_dirty(pte))
		set_page_dirty(&vm->files, p);
	b->rss[mm_counter_of(p)]++;
	remove_rmap(vm, b, p);
	if (MM_UNLIKELY(PageSwapCache(p)))
		free_swap_cache(&vm->swap, p);
	lru_put_page(&vm->lru, p);
}

MM_INLINE int zap_body(const struct pt_geometry *g, struct vm *vm, struct mm_struct *mm,
		       pt_slot *slots, unsigned n)
{
	struct zap_batch b = {.zone = NULL};

	for (unsigned i = 0; i < n; i++) {
		pt_slot *slot = pt_slot_at(g, slots, i);
		pte_t p;

		if (pte_slot_none(g, slot))
			continue;
		p = pte_get(g, slot);
		pte_set(g, slot, (pte_t){0}, vm->hwad);
		if (MM_LIKELY(pte_present(p)))
			zap_present(vm, &b, p);
		else
			zap_nonpresent(vm, mm, p);
	}
	flush_zone(&b);
	for (int i = 0; i < NR_MM_COUNTERS; i++)
		mm->rss[i] -= b.rss[i];
	charge_n(vm->hw, COST_PTE_OP, n);
	return 0;
}

int zap_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	struct mm_struct *mm = arg;

	(void)va;
	PT_SWITCH(vm->geom, zap_body, vm, mm, slots, n)
}

void zap_range(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end)
{
	pte_range(vm, mm, start, end, zap_leaf, mm);
	vm_flush_range(vm, mm, start, end);
	charge(vm->hw, COST_TLB_FLUSH);
	count_vm_event(vm->hw, vm->hw->cpu, EV_TLB_FLUSHES);
}
