/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a task does with its memory: accesses, which walk the tables as the hardware does and fault
 * where it cannot go on, and contents. Linux: none (the CPU), arch/arm64/mm/fault.c.
 */
#include <errno.h>

#include "core/vm/fault.h"
#include "core/vm/pgtable.h"
#include "core/vm/tlb.h"
#include "core/vm/vm.h"

static enum mm_op_res fault_answer(struct vm *vm, vm_fault_t r)
{
	if (MM_LIKELY(!(r & (VM_FAULT_ERROR | VM_FAULT_MAJOR))))
		return RES_MINOR;
	if (r & (VM_FAULT_BADMAP | VM_FAULT_BADACCESS | VM_FAULT_SIGSEGV)) {
		count_vm_event(vm->hw, vm->hw->cpu, EV_SEGV);
		return RES_SIGSEGV;
	}
	if (r & (VM_FAULT_SIGBUS |
		 VM_FAULT_OOM)) { /* out of memory: killed, as there is no reclaim yet */
		count_vm_event(vm->hw, vm->hw->cpu, EV_SIGBUS);
		return RES_SIGBUS;
	}
	return RES_MAJOR;
}

/* The walker's refusal as the hardware reports it. */
static vm_fault_t fault_by_status(struct vm *vm, struct task *t, vaddr_t addr, unsigned access,
				  const struct pt_hit *hit)
{
	const struct pt_result r = {.status = hit->fault, .level = hit->level};
	u32 status = pt_fault_code(vm->geom, &r, (enum pt_access)access, true);

	return do_page_fault(vm, t, addr, status, hit->level == 3 ? hit->slot : NULL);
}

/*
 * Faults until the access can go on, as the retried instruction would: more than once only while a
 * page is on the move. A PTE that is missing or forbids the access needs no status word to be
 * understood.
 */
MM_INLINE vm_fault_t take_fault(struct vm *vm, struct task *t, vaddr_t addr, unsigned access,
				const struct pt_hit *hit)
{
	vm_fault_t r, major = 0;

	for (;;) {
		r = MM_LIKELY(hit->level == 3 && addr < vm->task_size &&
			      hit->fault != PT_F_EXTERNAL)
			    ? do_user_fault(vm, t, addr, access, hit->slot)
			    : fault_by_status(vm, t, addr, access, hit);
		if (MM_LIKELY(!(r & VM_FAULT_AGAIN)))
			return r | major;
		major |= r & VM_FAULT_MAJOR; /* was counted, and is what the access had to wait for */
	}
}

/* As the hardware does; a neighbour of the last fault needs no steps above the leaf. */
MM_INLINE struct pt_hit user_walk(const struct pt_geometry *g, struct vm *vm, const struct mm_struct *mm, vaddr_t addr,
				  unsigned access)
{
	pt_slot *slot = g->family == PT_ARM64 ? pte_remembered(g, vm, mm, addr) : NULL;
	struct pt_hit r;

	if (slot)
		return pt_user_leaf_arm64(g, (u64 *)(void *)slot, addr, (enum pt_access)access, vm->hwad);
	r = pt_user_body(g, &vm->mem, mm->pgd, addr, (enum pt_access)access, vm->hwad);
	if (r.fault && r.level == 3 && addr < vm->task_size && r.fault != PT_F_EXTERNAL)
		pte_remember(g, vm, mm, addr, r.slot);
	return r;
}

MM_INLINE enum mm_op_res access_body(const struct pt_geometry *g, struct vm *vm, struct task *t,
				     vaddr_t addr, unsigned access)
{
	struct pt_hit r;

	count_vm_event(vm->hw, vm->hw->cpu, EV_ACCESSES);
	charge_n(vm->hw, COST_WALK_LEVEL, g->levels);
	r = user_walk(g, vm, t->mm, addr, access);
	if (MM_LIKELY(!r.fault))
		return RES_NONE;
	return fault_answer(vm, take_fault(vm, t, addr, access, &r));
}

/* With a TLB model: walks only what it does not know, and caches what was walked. */
static enum mm_op_res access_tlb(struct vm *vm, struct task *t, vaddr_t addr, unsigned access)
{
	struct hw *hw = vm->hw;
	enum mm_op_res res = RES_NONE;
	struct pt_hit r;

	count_vm_event(hw, hw->cpu, EV_ACCESSES);
	if (MM_LIKELY(vm_tlb_hit(vm, t->mm, addr, access)))
		return RES_NONE;
	count_vm_event(hw, hw->cpu, EV_TLB_MISS);
	charge_n(hw, COST_WALK_LEVEL, vm_geometry(vm)->levels);
	r = pt_user_access(vm->geom, &vm->mem, t->mm->pgd, addr, (enum pt_access)access, vm->hwad);
	if (r.fault)
		res = fault_answer(vm, take_fault(vm, t, addr, access, &r));
	if (res < RES_SIGSEGV)
		vm_tlb_fill(vm, t->mm, addr);
	return res;
}

enum mm_op_res mm_access(struct vm *vm, struct task *t, vaddr_t addr, unsigned access)
{
	might_sleep(vm->hw);
	if (MM_UNLIKELY(!t->mm))
		return RES_SIGSEGV;
	if (MM_UNLIKELY(vm->tlb != NULL))
		return access_tlb(vm, t, addr, access);
	PT_SWITCH(vm->geom, access_body, vm, t, addr, access)
}

static enum mm_op_res worse(enum mm_op_res a, enum mm_op_res b)
{
	return a > b ? a : b;
}

/* Bounds of the pages that [addr, addr + len) touches; false if it wraps. */
static bool page_bounds(const struct vm *vm, vaddr_t addr, u64 len, vaddr_t *first, vaddr_t *end)
{
	*first = addr & ~((1ull << vm->page_shift) - 1);
	return !__builtin_add_overflow(addr, len ? len : 1, end);
}

enum mm_op_res mm_access_range(struct vm *vm, struct task *t, vaddr_t addr, u64 len,
			       unsigned access)
{
	enum mm_op_res r, worst = RES_NONE;
	vaddr_t va, end;

	might_sleep(vm->hw);
	if (!page_bounds(vm, addr, len, &va, &end))
		return RES_SIGSEGV;
	for (; va < end; va += 1ull << vm->page_shift) {
		r = mm_access(vm, t, va < addr ? addr : va, access);
		worst = worse(worst, r);
		if (r == RES_SIGSEGV || r == RES_SIGBUS)
			return r;
	}
	return worst;
}

bool mm_frame(struct vm *vm, struct task *t, vaddr_t va, pfn_t *pfn)
{
	pt_slot *slot = t->mm ? pte_lookup(vm, t->mm, va) : NULL;

	pte_t p = slot ? get_pte(vm, slot, 0) : (pte_t){0};

	*pfn = (pfn_t)(pte_pa(p) >> vm->page_shift);
	return pte_present(p);
}

enum mm_op_res mm_write_tag(struct vm *vm, struct task *t, vaddr_t addr, u64 len, u64 tag)
{
	enum mm_op_res r, worst = RES_NONE;
	vaddr_t va, end;
	pfn_t pfn;

	might_sleep(vm->hw);
	if (!page_bounds(vm, addr, len, &va, &end))
		return RES_SIGSEGV;
	for (; va < end; va += 1ull << vm->page_shift) {
		r = mm_access(vm, t, va < addr ? addr : va, MM_ACCESS_WRITE);
		worst = worse(worst, r);
		if (r == RES_SIGSEGV || r == RES_SIGBUS)
			return r;
		if (mm_frame(vm, t, va, &pfn))
			hw_set_frame_tag(vm->hw, pfn, tag);
	}
	return worst;
}

s64 mm_fill(struct vm *vm, struct task *t, vaddr_t addr, u64 len, u64 tag, u64 step)
{
	vaddr_t va, end;
	pfn_t pfn;

	might_sleep(vm->hw);
	if (!t->mm || !page_bounds(vm, addr, len, &va, &end))
		return -EFAULT;
	for (; va < end; va += 1ull << vm->page_shift, tag += step) {
		struct pt_hit r = pt_user_access(vm->geom, &vm->mem, t->mm->pgd, va,
						 PT_ACCESS_WRITE, vm->hwad);
		u64 *events = vm->hw->cpus[vm->hw->cpu].events;
		u64 faults = events[EV_PGFAULT], major = events[EV_PGMAJFAULT];
		u64 min = t->minflt, maj = t->majflt;
		bool bad = r.fault && take_fault(vm, t, va, MM_ACCESS_WRITE, &r) & VM_FAULT_ERROR;

		/* contents are not accesses of the trace: faults leave no count of their own */
		events[EV_PGFAULT] = faults;
		events[EV_PGMAJFAULT] = major;
		t->minflt = min;
		t->majflt = maj;
		if (bad || !mm_frame(vm, t, va, &pfn))
			return -EFAULT;
		hw_set_frame_tag(vm->hw, pfn, tag);
	}
	return 0;
}

bool mm_read_tag(struct vm *vm, struct task *t, vaddr_t addr, u64 *tag)
{
	pfn_t pfn;

	if (!mm_frame(vm, t, addr, &pfn))
		return false;
	*tag = hw_frame_tag(vm->hw, pfn);
	return true;
}
