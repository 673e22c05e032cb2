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

int zap_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	struct mm_struct *mm = arg;

	(void)va;
	for (unsigned i = 0; i < n; i++) {
		pte_t p = get_pte(vm, slots, i);
		struct page *page;

		if (!p.v)
			continue;
		set_pte(vm, slot_at(vm, slots, i), (pte_t){0});
		if (MM_UNLIKELY(!pte_present(p))) {
			zap_nonpresent(vm, mm, p);
			continue;
		}
		page = vm_normal_page(vm, p);
		if (!page) {
			ksm_zero_pte(vm, p, -1);
			continue;
		}
		if (!PageAnon(page) && pte_dirty(p))
			set_page_dirty(&vm->files, page);
		mm->rss[mm_counter_of(page)]--;
		page_remove_rmap(vm, page);
		if (MM_UNLIKELY(PageSwapCache(page)))
			free_swap_cache(&vm->swap, page);
		lru_put_page(&vm->lru, page);
	}
	charge_n(vm->hw, COST_PTE_OP, n);
	return 0;
}

void zap_range(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end)
{
	pte_range(vm, mm, start, end, zap_leaf, mm);
	vm_flush_range(vm, mm, start, end);
	charge(vm->hw, COST_TLB_FLUSH);
	count_vm_event(vm->hw, vm->hw->cpu, EV_TLB_FLUSHES);
}
