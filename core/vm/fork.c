/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fork and exit of address spaces (spec 08 s2.2, s2.3; 06 s10). Linux: kernel/fork.c dup_mmap,
 * mm/memory.c copy_page_range, mm/mmap.c exit_mmap.
 */
#include <errno.h>

#include "core/vm/fault.h"
#include "core/vm/fork.h"
#include "core/vm/interval_tree.h"
#include "core/vm/ksm_rmap.h"
#include "core/vm/mmap.h"
#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"
#include "core/vm/swapin.h"
#include "core/vm/tlb.h"

struct copy {
	struct mm_struct *to, *from;
	bool cow; /* private, may become writable: write-protect both sides */
	bool shared;
};

/* A swap entry gets one more user; a page on the move is shared from now on, whichever side maps it
 * first. */
static int copy_nonpresent(struct vm *vm, const struct copy *c, pt_slot *from, pt_slot *to)
{
	pte_t p = get_pte(vm, from, 0);

	if (is_migration_entry(p)) {
		c->to->rss[mm_counter_of(migration_entry_to_page(vm, p))]++;
		if (c->cow && is_write_migration_entry(p)) {
			p = make_migration_entry_read(p);
			set_pte(vm, from, p);
		}
	} else if (copy_swap_pte(vm, c->to, c->from, p)) {
		return -ENOMEM;
	}
	set_pte(vm, to, p);
	return 0;
}

/* Entry @p, present in the parent's slot @from, into the child's @to. */
MM_INLINE void copy_present(const struct pt_geometry *g, struct vm *vm, const struct copy *c,
			    pte_t p, pt_slot *from, pt_slot *to, u64 *rss)
{
	struct page *page = vm_normal_page(vm, p);

	if (c->cow && pte_write(p)) {
		p = pte_wrprotect(p);
		pte_set(g, from, p, vm->hwad);
	}
	if (c->shared)
		p = pte_mkclean(p);
	pte_set(g, to, pte_mkold(p), vm->hwad);
	if (MM_UNLIKELY(!page)) {
		ksm_zero_pte(vm, p, 1);
		return;
	}
	get_page(page);
	page_dup_rmap(page);
	rss[mm_counter_of(page)]++;
}

/* One leaf table of the parent into the child's, which it allocates once. */
MM_INLINE int copy_leaf_body(const struct pt_geometry *g, struct vm *vm, const struct copy *c,
			     pt_slot *slots, unsigned n, vaddr_t va)
{
	u64 rss[NR_MM_COUNTERS] = {0};
	pt_slot *to = NULL;
	int r = 0;

	for (unsigned i = 0; i < n && !r; i++) {
		pt_slot *from = pt_slot_at(g, slots, i);
		pte_t p;

		if (pte_slot_none(g, from))
			continue;
		if (MM_UNLIKELY(!to)) {
			to = pte_alloc(vm, c->to, va + ((u64)i << vm->page_shift));
			if (!to) {
				r = -ENOMEM;
				break;
			}
			to = pt_slot_at(g, to, -(s64)i);
		}
		p = pte_get(g, from); /* the allocation may have swapped it out */
		if (MM_LIKELY(pte_present(p)))
			copy_present(g, vm, c, p, from, pt_slot_at(g, to, i), rss);
		else
			r = copy_nonpresent(vm, c, from, pt_slot_at(g, to, i));
	}
	for (int i = 0; i < NR_MM_COUNTERS; i++)
		c->to->rss[i] += (s64)rss[i];
	charge_n(vm->hw, COST_PTE_OP, n);
	return r;
}

static int copy_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	const struct copy *c = arg;

	PT_SWITCH(vm->geom, copy_leaf_body, vm, c, slots, n, va)
}

static int copy_page_range(struct vm *vm, struct mm_struct *to, const struct vm_area_struct *v)
{
	struct copy c = {.to = to,
			 .from = v->vm_mm,
			 .shared = v->vm_flags & VM_SHARED,
			 .cow = (v->vm_flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE};

	/* File pages without private copies come back by faults, which is cheaper than copying. */
	if (!v->anon_vma && !(v->vm_flags & (VM_HUGETLB | VM_PFNMAP | VM_MIXEDMAP)))
		return 0;
	return pte_range(vm, v->vm_mm, v->vm_start, v->vm_end, copy_leaf, &c);
}

static int dup_vma(struct vm *vm, struct mm_struct *to, struct vm_area_struct *v)
{
	struct vm_area_struct *n;
	struct vma_link l;

	if (v->vm_flags & VM_ACCOUNT && vm_enough_memory(vm, v->vm_mm, vma_pages(vm, v)))
		return -ENOMEM;
	n = vma_dup(vm, v);
	if (!n)
		goto uncharge;
	n->anon_vma = NULL;
	n->vm_flags &= ~(u32)VM_LOCKED;
	if (anon_vma_fork(vm, n, v)) {
		kmem_cache_free(vm->vma_cache, vm->hw->cpu, n);
		goto uncharge;
	}
	if (n->vm_file)
		filemap_get(n->vm_file);
	BUG_ON(find_vma_links(vm, to, n->vm_start, n->vm_end, &l));
	l.after = v;
	if (vma_link_at(vm, to, n, &l)) {
		vma_free(vm, n); /* gives the charge back */
		return -ENOMEM;
	}
	return copy_page_range(vm, to, v);
uncharge:
	vm->committed -= v->vm_flags & VM_ACCOUNT ? vma_pages(vm, v) : 0;
	return -ENOMEM;
}

struct mm_struct *mm_alloc(struct vm *vm)
{
	struct mm_struct *mm = kmem_cache_zalloc(vm->mm_cache, vm->hw->cpu, GFP_KERNEL);

	if (!mm)
		return NULL;
	mm->mm_users = mm->mm_count = 1;
	mm->page_shift = vm->page_shift;
	if (pgd_alloc(vm, mm)) {
		kmem_cache_free(vm->mm_cache, vm->hw->cpu, mm);
		return NULL;
	}
	list_add_tail(&mm->all, &vm->mms);
	return mm;
}

void exit_mmap(struct vm *vm, struct mm_struct *mm)
{
	struct vm_area_struct *v = mm->mmap, *next;
	vaddr_t first = v ? v->vm_start : 0, last = mm->highest_vm_end;

	lru_add_drain(&vm->lru, vm->hw->cpu);
	for (; v; v = next) {
		next = v->vm_next;
		if (v->vm_flags & VM_LOCKED) {
			vma_set_flags(vm, v, v->vm_flags & ~(u32)VM_LOCKED);
			munlock_range(vm, mm, v->vm_start, v->vm_end);
		}
		pte_range(vm, mm, v->vm_start, v->vm_end, zap_leaf, mm);
	}
	vm_flush_mm(vm, mm);
	count_vm_event(vm->hw, vm->hw->cpu, EV_TLB_FLUSHES);
	free_pgtables(vm, mm, first, last, 0, 0);
	for (v = mm->mmap; v; v = next) {
		next = v->vm_next;
		vma_forget(v);
		vma_free(vm, v);
	}
	vma_index_destroy(vm, mm);
	mm->mmap = NULL; /* empty, whoever still looks at it (mm_count) */
	mm->map_count = 0;
	mm->highest_vm_end = 0;
	mm->total_vm = mm->locked_vm = mm->stack_vm = mm->shared_vm = mm->exec_vm = 0;
	BUG_ON(mm->rss[MM_ANONPAGES] || mm->rss[MM_FILEPAGES] ||
	       mm->rss[MM_SHMEMPAGES]);
}

void mmdrop(struct vm *vm, struct mm_struct *mm)
{
	if (--mm->mm_count)
		return;
	pgd_free(vm, mm);
	list_del(&mm->all);
	kmem_cache_free(vm->mm_cache, vm->hw->cpu, mm);
}

void mm_put(struct vm *vm, struct mm_struct *mm)
{
	if (--mm->mm_users)
		return;
	ksm_exit(vm, mm);
	exit_mmap(vm, mm);
	mmdrop(vm, mm);
}

/* All mappings of @old for @mm, which nobody knows yet. 0 or -ENOMEM. */
static int dup_mmap(struct vm *vm, struct mm_struct *mm, struct mm_struct *old)
{
	int r;

	mmap_write_lock(vm, old);
	mmap_write_lock_nested(vm, mm, true);
	r = ksm_fork(vm, mm, old);
	if (!r) {
		for_each_vma (old, v) {
			if (!(v->vm_flags & VM_DONTCOPY) && (r = dup_vma(vm, mm, v)))
				break;
		}
		vm_flush_mm(vm, old); /* what was copied is read-only now */
	}
	mmap_write_unlock(vm, mm);
	mmap_write_unlock(vm, old);
	return r;
}

struct mm_struct *dup_mm(struct vm *vm, struct mm_struct *old)
{
	struct mm_struct *mm = mm_alloc(vm);

	if (!mm)
		return NULL;
	mm->topdown = old->topdown;
	mm->stack_gap = old->stack_gap;
	mm->mmap_base = old->mmap_base;
	mm->start_brk = old->start_brk;
	mm->brk = old->brk;
	mm->start_stack = old->start_stack;
	if (dup_mmap(vm, mm, old)) {
		mm_put(vm, mm);
		return NULL;
	}
	charge(vm->hw, COST_TLB_FLUSH);
	count_vm_event(vm->hw, vm->hw->cpu, EV_TLB_FLUSHES);
	return mm;
}
