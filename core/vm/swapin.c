/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Swap-in:
 *
 *   entry -> cache? -> no: read it and its neighbours (major fault)
 *                   -> lock -> still this entry's page? -> still this descriptor? -> map it
 *
 * The page stays in the cache, and keeps its slot, until somebody writes it alone or swap gets
 * full.
 */
#include "core/vm/swapin.h"

#include "core/phys/page_alloc.h"
#include "core/vm/ksm_rmap.h"
#include "core/vm/page_lock.h"
#include "core/vm/rmap.h"
#include "core/vm/vma.h"

/* Waits until the page has moved; the access is tried again then. */
static vm_fault_t migration_entry_wait(struct vm_fault *vmf)
{
	struct page *p = migration_entry_to_page(vmf->vm, vmf->pte);

	if (!get_page_unless_zero(p))
		return VM_FAULT_AGAIN;
	vm_wait_on_page_locked(vmf->vm, p);
	lru_put_page(&vmf->vm->lru, p);
	return VM_FAULT_AGAIN;
}

static bool descriptor_changed(const struct vm_fault *vmf)
{
	return get_pte(vmf->vm, vmf->slot, 0).v != vmf->pte.v;
}

/* The page of @e, from the cache or read. NULL: no memory, or the entry is gone. */
static struct page *swapin_page(struct vm_fault *vmf, swp_entry_t e, vm_fault_t *r)
{
	struct vm *vm = vmf->vm;
	struct page *p = lookup_swap_cache(&vm->swap, e);

	if (p)
		return p;
	p = swapin_readahead(&vm->swap, e, GFP_HIGHUSER_MOVABLE);
	if (p) {
		count_vm_event(vm->hw, vm->hw->cpu, EV_PGMAJFAULT);
		*r |= VM_FAULT_MAJOR;
	}
	return p;
}

/* Maps locked page @p in place of its swap entry. */
static void map_swapped(struct vm_fault *vmf, struct page *p, swp_entry_t e, vm_fault_t *r)
{
	struct vm *vm = vmf->vm;
	pte_t pte = pte_make((paddr_t)page_to_pfn(vm->phys, p) << vm->page_shift,
			     vmf->vma->vm_page_prot);
	bool exclusive = false;

	vmf->mm->rss[MM_ANONPAGES]++;
	vmf->mm->rss[MM_SWAPENTS]--;
	if (vmf->write && reuse_swap_page(&vm->swap, p)) {
		pte = pte_mkdirty(pte);
		if (vmf->vma->vm_flags & VM_WRITE)
			pte = pte_mkwrite(pte);
		vmf->write = false;
		exclusive = true;
		*r |= VM_FAULT_WRITE;
	}
	set_pte(vm, vmf->slot, pte);
	charge(vm->hw, COST_PTE_OP);
	vmf->pte = get_pte(vm, vmf->slot, 0);
	page_add_anon_rmap(vm, p, vmf->vma, vmf->addr, exclusive);
	swap_free(&vm->swap, e);
	if (vm_swap_full(&vm->swap) || vmf->vma->vm_flags & VM_LOCKED || PageMlocked(p))
		try_to_free_swap(&vm->swap, p);
}

/*
 * Maps a copy of locked page @p, which belongs to other mappings than this one: KSM merged them once
 * (spec 08 s8 step 5). VM_FAULT_*.
 */
static vm_fault_t map_copy(struct vm_fault *vmf, struct page *p, swp_entry_t e)
{
	struct vm *vm = vmf->vm;
	struct page *copy = anon_vma_prepare(vm, vmf->vma) ? NULL :
			    alloc_page(vm->phys, vm->hw->cpu, GFP_HIGHUSER_MOVABLE);
	vm_fault_t r = copy && vmf->write ? VM_FAULT_WRITE : 0;
	pte_t pte;

	if (!copy)
		return VM_FAULT_OOM;
	hw_copy_frame(vm->hw, page_to_pfn(vm->phys, copy), page_to_pfn(vm->phys, p));
	SetPageDirty(copy);
	pte = pte_make((paddr_t)page_to_pfn(vm->phys, copy) << vm->page_shift, vmf->vma->vm_page_prot);
	if (vmf->write)
		pte = pte_mkdirty(vmf->vma->vm_flags & VM_WRITE ? pte_mkwrite(pte) : pte);
	vmf->mm->rss[MM_ANONPAGES]++;
	vmf->mm->rss[MM_SWAPENTS]--;
	set_pte(vm, vmf->slot, pte);
	page_add_new_anon_rmap(vm, copy, vmf->vma, vmf->addr);
	swap_free(&vm->swap, e);
	return r;
}

/* What of a page in hand forbids mapping it: 0 to go on, VM_FAULT_AGAIN: fault again. */
static vm_fault_t unfit(const struct vm_fault *vmf, const struct page *p, swp_entry_t e)
{
	if (!PageSwapCache(p) || page_swp_entry(p).v != e.v || descriptor_changed(vmf))
		return VM_FAULT_AGAIN;
	return PageUptodate(p) ? 0 : VM_FAULT_SIGBUS;
}

vm_fault_t do_swap_page(struct vm_fault *vmf)
{
	struct vm *vm = vmf->vm;
	vm_fault_t r = 0, bad;
	swp_entry_t e;
	struct page *p;

	might_sleep(vmf->vm->hw);
	if (is_migration_entry(vmf->pte))
		return migration_entry_wait(vmf);
	e = pte_to_swp_entry(vmf->pte);
	p = swapin_page(vmf, e, &r);
	if (!p)
		return descriptor_changed(vmf) ? VM_FAULT_AGAIN : VM_FAULT_OOM;
	if (!lock_page_or_retry(vmf, p)) {
		lru_put_page(&vm->lru, p);
		return r | VM_FAULT_RETRY;
	}
	bad = unfit(vmf, p, e);
	if (bad) {
		unlock_page(p);
		lru_put_page(&vm->lru, p);
		return bad | r;
	}
	if (MM_UNLIKELY(ksm_might_need_to_copy(vm, p, vmf->vma, vmf->addr))) {
		r |= map_copy(vmf, p, e);
		unlock_page(p);
		lru_put_page(&vm->lru, p);
		return r;
	}
	map_swapped(vmf, p, e, &r); /* the reference in hand is the descriptor's now */
	unlock_page(p);
	return vmf->write ? r | do_wp_page(vmf) : r;
}

int copy_swap_pte(struct vm *vm, struct mm_struct *to, struct mm_struct *from, pte_t p)
{
	int r = swap_duplicate(&vm->swap, pte_to_swp_entry(p));

	(void)from;
	if (!r)
		to->rss[MM_SWAPENTS]++;
	return r;
}

void zap_swap_pte(struct vm *vm, struct mm_struct *mm, pte_t p)
{
	mm->rss[MM_SWAPENTS]--;
	free_swap_and_cache(&vm->swap, pte_to_swp_entry(p));
}

int unmap_to_swap(struct vm *vm, struct mm_struct *mm, struct page *page, pte_t *out)
{
	swp_entry_t e = page_swp_entry(page);
	int r = swap_duplicate(&vm->swap, e);

	if (r)
		return r;
	mm->rss[MM_ANONPAGES]--;
	mm->rss[MM_SWAPENTS]++;
	ClearPageMappedToDisk(page); /* not PageAnonExclusive() any more: the entry may be copied by fork */
	*out = swp_entry_to_pte(e);
	return 0;
}
