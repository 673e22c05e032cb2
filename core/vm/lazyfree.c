/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * MADV_FREE, key lazyfree=1 (spec 13 s5): the program does not need these pages' contents any more, but
 * may write to them again, and until then it would save a fault to keep them.
 *
 *   advice:   descriptors old and clean, page clean and not swap-backed, on the inactive file list
 *   pressure: still clean -> freed without I/O; written again -> swap-backed again, active
 *
 * Linux: mm/madvise.c (madvise_free), mm/swap.c (mark_page_lazyfree); left out: the per-CPU batch.
 */
#include <errno.h>

#include "core/vm/fault.h"
#include "core/vm/lazyfree.h"
#include "core/vm/pgtable.h"
#include "core/vm/swapin.h"
#include "core/vm/tlb.h"

/* Out of the swap cache and clean; false if somebody else needs it as it is. */
static bool make_clean(struct vm *vm, struct page *p)
{
	bool done = false;

	if (!PageSwapCache(p) && !PageDirty(p))
		return true;
	if (!trylock_page(p))
		return false;
	if (page_mapcount(p) == 1 && (!PageSwapCache(p) || try_to_free_swap(&vm->swap, p))) {
		ClearPageDirty(p);
		done = true;
	}
	unlock_page(p);
	return done;
}

static int free_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	struct mm_struct *mm = arg;

	for (unsigned i = 0; i < n; i++, va += 1ull << vm->page_shift) {
		pte_t p = get_pte(vm, slots, i);
		struct page *page;

		if (pte_is_swap(p) && !is_migration_entry(p)) {
			set_pte(vm, slot_at(vm, slots, i), (pte_t){0});
			zap_swap_pte(vm, mm, p);
			continue;
		}
		page = pte_present(p) ? vm_normal_page(vm, p) : NULL;
		if (!page || !PageAnon(page) || PageKsm(page) || page_mapcount(page) != 1 || !make_clean(vm, page))
			continue;
		if (pte_young(p) || pte_dirty(p)) {
			set_pte(vm, slot_at(vm, slots, i), pte_mkold(pte_mkclean(p)));
			vm_flush_page(vm, mm, va);
		}
		mark_page_lazyfree(&vm->lru, page);
	}
	charge_n(vm->hw, COST_PTE_OP, n);
	return 0;
}

int madvise_free(struct vm *vm, struct vm_area_struct *v, vaddr_t start, vaddr_t end)
{
	if (v->vm_file || v->vm_flags & (VM_LOCKED | VM_HUGETLB | VM_PFNMAP))
		return -EINVAL;
	lru_add_drain(&vm->lru, vm->hw->cpu);
	return pte_range(vm, v->vm_mm, start, end, free_leaf, v->vm_mm);
}
