/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vm/ksm_rmap.h"

#include <errno.h>

#include "core/hw/clock.h"
#include "core/op.h"
#include "core/vm/fault.h"
#include "core/vm/fork.h"
#include "core/vm/interval_tree.h"
#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"

int ksm_registry_init(struct vm *vm)
{
	list_init(&vm->ksm.slots);
	vm->ksm.cursor = &vm->ksm.slots;
	vm->ksm.daemon = -1;
	vm->ksm.all = vm->config->ksm_all;
	vm->ksm.slot_cache =
		kmem_cache_create(vm->kmem, "ksm_mm_slot", sizeof(struct mm_slot), 0, 0, NULL);
	return vm->ksm.slot_cache ? 0 : -ENOMEM;
}

/* ---- slots ---- */

int ksm_enter(struct vm *vm, struct mm_struct *mm)
{
	struct ksm_registry *k = &vm->ksm;
	struct mm_slot *slot = kmem_cache_zalloc(k->slot_cache, vm->hw->cpu, GFP_KERNEL);
	bool first = list_empty(&k->slots);

	if (!slot)
		return -ENOMEM;
	slot->mm = mm;
	slot->serial = ++k->serial;
	list_add_tail(&slot->mm_list, k->run == KSM_RUN_UNMERGE ? &k->slots : k->cursor);
	mm->ksm_slot = slot;
	mm->mm_count++;
	if (first && k->daemon >= 0)
		clock_wake(vm->hw, k->daemon);
	return 0;
}

void ksm_drop_slot(struct vm *vm, struct mm_slot *slot)
{
	struct mm_struct *mm = slot->mm;

	BUG_ON(slot->rmap_list || vm->ksm.cursor == &slot->mm_list);
	list_del(&slot->mm_list);
	mm->ksm_slot = NULL;
	kmem_cache_free(vm->ksm.slot_cache, vm->hw->cpu, slot);
	mmdrop(vm, mm);
}

void ksm_exit(struct vm *vm, struct mm_struct *mm)
{
	struct mm_slot *slot = mm->ksm_slot;

	if (!slot || vm->ksm.cursor == &slot->mm_list)
		return;
	if (!slot->rmap_list)
		ksm_drop_slot(vm, slot);
	else
		list_move(&slot->mm_list, vm->ksm.cursor);
}

int ksm_fork(struct vm *vm, struct mm_struct *child, struct mm_struct *parent)
{
	int r = parent->ksm_slot ? ksm_enter(vm, child) : 0;

	return vm->modern ? 0 : r;
}

/* ---- madvise ---- */

#define KSM_NEVER                                                                                  \
	(VM_SHARED | VM_MAYSHARE | VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_HUGETLB | VM_MIXEDMAP)

int ksm_madvise(struct vm *vm, struct vm_area_struct *v, vaddr_t start, vaddr_t end, u32 advice,
		u32 *flags)
{
	int r;

	might_sleep(vm->hw);
	if (advice == MM_MADV_MERGEABLE) {
		if (v->vm_flags & (VM_MERGEABLE | KSM_NEVER))
			return 0;
		r = v->vm_mm->ksm_slot ? 0 : ksm_enter(vm, v->vm_mm);
		if (!r)
			*flags |= VM_MERGEABLE;
		return r;
	}
	if (!(v->vm_flags & VM_MERGEABLE))
		return 0;
	r = v->anon_vma ? unmerge_ksm_pages(vm, v, start, end) : 0;
	if (!r)
		*flags &= ~VM_MERGEABLE;
	return r;
}

u32 ksm_flags_of_new(struct vm *vm, struct mm_struct *mm, u32 flags, const struct vm_file *file)
{
	if (MM_LIKELY(!vm->ksm.all) || file || flags & KSM_NEVER)
		return 0;
	return mm->ksm_slot || !ksm_enter(vm, mm) ? VM_MERGEABLE : 0;
}

/* ---- finding and breaking ---- */

struct page *ksm_follow_page(struct vm *vm, const struct mm_struct *mm, vaddr_t addr,
			     pt_slot **slot)
{
	pt_slot *s = pte_lookup(vm, mm, addr);
	pte_t p = s ? get_pte(vm, s, 0) : (pte_t){0};

	if (slot)
		*slot = s;
	return pte_present(p) ? vm_normal_page(vm, p) : NULL;
}

/* Later kernels also break the zero pages that ksmd placed. */
static bool is_ksm_zero(struct vm *vm, const struct mm_struct *mm, vaddr_t addr)
{
	pt_slot *slot = vm->ksm.zero_pages && vm->modern ? pte_lookup(vm, mm, addr) : NULL;
	pte_t p = slot ? get_pte(vm, slot, 0) : (pte_t){0};

	return pte_present(p) && !vm_normal_page(vm, p) && pte_dirty(p);
}

int break_ksm(struct vm *vm, struct vm_area_struct *v, vaddr_t addr)
{
	struct page *p = ksm_follow_page(vm, v->vm_mm, addr, NULL);
	vm_fault_t r;

	might_sleep(vm->hw);
	while ((p && PageKsm(p)) || is_ksm_zero(vm, v->vm_mm, addr)) {
		r = fault_in_page(vm, v, addr, true);
		if (r & VM_FAULT_OOM)
			return -ENOMEM;
		if (r & (VM_FAULT_WRITE | VM_FAULT_ERROR))
			break;
		p = ksm_follow_page(vm, v->vm_mm, addr, NULL);
	}
	return 0;
}

int unmerge_ksm_pages(struct vm *vm, struct vm_area_struct *v, vaddr_t start, vaddr_t end)
{
	int r = 0;

	for (vaddr_t a = start; a < end && !r && !ksm_mm_exiting(v->vm_mm);
	     a += 1ull << vm->page_shift)
		r = break_ksm(vm, v, a);
	return r;
}

/* ---- rmap ---- */

/* True: the walk is over. */
static bool visit_item(struct vm *vm, struct page *p, const struct rmap_item *item, bool forks,
		       const struct rmap_walk_control *rwc, int *answer)
{
	vaddr_t addr = rmap_item_addr(item);
	bool over = false;

	lock_model(vm->hw, LOCK_ANON_VMA, item->anon_vma->root);
	anon_vma_interval_tree_foreach(avc, &item->anon_vma->rb_root, 0, UINT64_MAX) {
		struct vm_area_struct *v = avc->vma;

		if (addr < v->vm_start || addr >= v->vm_end || (item->mm == v->vm_mm) == forks)
			continue;
		if (rwc->invalid_vma && rwc->invalid_vma(v, rwc->arg))
			continue;
		*answer = rwc->rmap_one(vm, p, v, addr, rwc->arg);
		over = *answer != SWAP_AGAIN || (rwc->done && rwc->done(p));
		if (over)
			break;
	}
	unlock_model(vm->hw, LOCK_ANON_VMA, item->anon_vma->root);
	return over;
}

int rmap_walk_ksm(struct vm *vm, struct page *p, const struct rmap_walk_control *rwc)
{
	struct stable_node *node = page_stable_node(p);
	int answer = SWAP_AGAIN;
	struct rmap_item *item;

	might_sleep(vm->hw);
	BUG_ON(!PageLocked(p));
	for (int forks = 0; node && forks < 2; forks++)
		hlist_for_each_entry(item, &node->hlist, hlist)
			if (visit_item(vm, p, item, forks, rwc, &answer))
				return answer;
	return answer;
}

/* ---- swap and migration ---- */

bool ksm_might_need_to_copy(const struct vm *vm, const struct page *p,
			    const struct vm_area_struct *v, vaddr_t addr)
{
	const struct anon_vma *a;

	if (PageKsm(p))
		return !page_stable_node(p) || vm->ksm.run == KSM_RUN_UNMERGE;
	if (!PageAnon(p))
		return false; /* fresh from the device */
	a = (const struct anon_vma *)(uintptr_t)(p->mapping & ~PAGE_MAPPING_FLAGS);
	return !v->anon_vma || a->root != v->anon_vma->root ||
	       p->index != linear_page_index(vm, v, addr);
}

void ksm_migrate_page(struct vm *vm, struct page *to, struct page *from)
{
	struct stable_node *node = page_stable_node(to);

	if (!node)
		return;
	BUG_ON(node->kpfn != page_to_pfn(vm->phys, from));
	node->kpfn = page_to_pfn(vm->phys, to);
	set_page_stable_node(from, NULL);
}
