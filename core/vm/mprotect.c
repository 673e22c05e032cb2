/* SPDX-License-Identifier: BSD-2-Clause */
/* mprotect (spec 06 s7.2). Linux: mm/mprotect.c; left out: NUMA hinting. */
#include <errno.h>

#include "core/vm/fault.h"
#include "core/vm/mmap.h"
#include "core/vm/rmap.h"
#include "core/vm/swapops.h"
#include "core/vm/tlb.h"
#include "core/vm/vm.h"

struct change {
	u64 prot;
	bool keep_write; /* an exclusive dirty page may stay writable (later kernels) */
	bool dirty_accountable; /* the file is told of first writes */
	u64 changed;            /* present entries */
};

static int change_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	struct change *c = arg;

	(void)va;
	for (unsigned i = 0; i < n; i++) {
		pte_t p = get_pte(vm, slots, i);
		struct page *page;

		if (is_write_migration_entry(p))
			set_pte(vm, slot_at(vm, slots, i), make_migration_entry_read(p));
		if (!pte_present(p))
			continue;
		p = pte_modify(p, c->prot);
		page = vm_normal_page(vm, p);
		if (c->keep_write && page && PageAnon(page) && pte_dirty(p) && PageAnonExclusive(page))
			p = pte_mkwrite(p);
		if (c->dirty_accountable && pte_dirty(p)) /* the file knows already */
			p = pte_mkwrite(p);
		set_pte(vm, slot_at(vm, slots, i), p);
		c->changed++;
	}
	charge_n(vm->hw, COST_PTE_OP, n);
	return 0;
}

static void change_protection(struct vm *vm, struct vm_area_struct *v, vaddr_t start, vaddr_t end)
{
	struct change c = {.prot = v->vm_page_prot, .dirty_accountable = vma_wants_writenotify(v),
			   .keep_write = vm->modern && (v->vm_flags & (VM_WRITE | VM_SHARED)) == VM_WRITE};

	pte_range(vm, v->vm_mm, start, end, change_leaf, &c);
	if (!c.changed)
		return;
	vm_flush_range(vm, v->vm_mm, start, end);
	charge(vm->hw, COST_TLB_FLUSH);
	count_vm_event(vm->hw, vm->hw->cpu, EV_TLB_FLUSHES);
}

/* 6.x: making an anonymous range read-only that was never faulted gives its commitment back. */
static bool drops_account(const struct vm *vm, const struct vm_area_struct *v, u32 flags)
{
	return vm->modern && v->vm_flags & VM_ACCOUNT && !(flags & VM_WRITE) && !v->vm_file && !v->anon_vma &&
	       vm->overcommit != 2;
}

static int mprotect_fixup(struct vm *vm, struct task *t, struct vm_area_struct *v, struct vm_area_struct **prev,
			  vaddr_t start, vaddr_t end, u32 flags)
{
	u64 pages = (end - start) >> vm->page_shift, charged = 0, released = 0;
	u32 old = v->vm_flags;
	int r;

	if (flags == old) {
		*prev = v;
		return 0;
	}
	if (flags & VM_WRITE &&
	    !(v->vm_flags & (VM_ACCOUNT | VM_WRITE | VM_HUGETLB | VM_SHARED | VM_NORESERVE))) {
		if (vm_enough_memory(vm, v->vm_mm, pages))
			return -ENOMEM;
		charged = pages;
		flags |= VM_ACCOUNT;
	} else if (drops_account(vm, v, flags)) {
		flags &= ~(u32)VM_ACCOUNT;
		released = pages;
	}
	r = vma_modify_flags(vm, v, start, end, flags, prev, &v);
	if (r) {
		vm->committed -= charged;
		return r;
	}
	vm->committed -= released;
	vma_set_page_prot(v);
	change_protection(vm, v, start, end);
	if (vm->modern && (old & (VM_WRITE | VM_SHARED | VM_LOCKED)) == VM_LOCKED && flags & VM_WRITE)
		populate_vma_range(vm, t, v, start, end); /* breaks copy-on-write now, not at the first write */
	return 0;
}

/* The range is whole pages; the caller holds mmap_sem for writing. */
static int do_mprotect(struct vm *vm, struct task *t, vaddr_t start, vaddr_t end, u32 prot, u32 grows)
{
	struct vm_area_struct *v = find_vma_slow(vm, t->mm, start), *prev;
	vaddr_t at;

	if (!v)
		return -ENOMEM;
	if (grows & MM_PROT_GROWSDOWN) { /* down to the start of the stack */
		if (v->vm_start >= end)
			return -ENOMEM;
		if (!(v->vm_flags & VM_GROWSDOWN))
			return -EINVAL;
		start = v->vm_start;
	}
	if (v->vm_start > start)
		return -ENOMEM;
	if (grows & MM_PROT_GROWSUP) /* no mapping of the model grows upwards */
		return -EINVAL;
	at = start;
	prev = start > v->vm_start ? v : v->vm_prev;
	for (;;) {
		u32 flags = (v->vm_flags & ~(u32)VM_RWX) | prot; /* MM_PROT_* have VM_*'s values */
		vaddr_t stop = v->vm_end < end ? v->vm_end : end;
		int r;

		if ((flags & ~(flags >> 4)) & VM_RWX)
			return -EACCES;
		r = mprotect_fixup(vm, t, v, &prev, at, stop, flags);
		if (r)
			return r;
		at = stop;
		if (at < prev->vm_end)
			at = prev->vm_end;
		if (at >= end)
			return 0;
		v = prev->vm_next;
		if (!v || v->vm_start != at)
			return -ENOMEM;
	}
}

s64 sys_mprotect(struct vm *vm, struct task *t, vaddr_t start, u64 len, u32 prot)
{
	u32 grows = prot & (MM_PROT_GROWSDOWN | MM_PROT_GROWSUP);
	vaddr_t end;
	int r;

	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	prot &= ~grows;
	if (grows == (MM_PROT_GROWSDOWN | MM_PROT_GROWSUP) || page_unaligned(vm, start))
		return -EINVAL;
	if (!len)
		return 0;
	end = start + page_align(vm, len);
	if (end <= start)
		return -ENOMEM;
	if (prot & ~(u32)(VM_RWX))
		return -EINVAL;
	if (!t->mm)
		return -ENOMEM;
	mmap_write_lock(vm, t->mm);
	r = do_mprotect(vm, t, start, end, prot, grows);
	mmap_write_unlock(vm, t->mm);
	return r;
}
