/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flushes of the TLB model. Whoever takes rights away from a mapping, moves it, or lets another page
 * take its place calls one of these before it goes on; with tlb=0 that costs one test. Counting
 * (tlb_flushes) and charging (COST_TLB_FLUSH) stay with the caller, since Linux batches them.
 *
 * Needed after: clearing an entry, write-protecting, mkclean, a new frame, other rights. Not needed
 * after: filling an empty entry, mkyoung. Clearing young needs none either; then the page's next
 * accesses are not seen before its TLB entry goes (ARM32 and ARM64 Linux differ: spec 02 s2.5).
 * Invariant I02.5 (ours, vm_check): no entry of the model allows what the tables do not.
 * Linux: asm/tlbflush.h.
 */
#ifndef MEMRIG_VM_TLB_H
#define MEMRIG_VM_TLB_H

#include "arch/tlb.h"
#include "core/vm/mm_types.h"

MM_INLINE void vm_flush_range(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end)
{
	if (MM_UNLIKELY(vm->tlb != NULL))
		tlb_flush_range(vm->tlb, mm->context, start, end);
}

MM_INLINE void vm_flush_page(struct vm *vm, struct mm_struct *mm, vaddr_t va)
{
	vm_flush_range(vm, mm, va, va + 1);
}

MM_INLINE void vm_flush_mm(struct vm *vm, struct mm_struct *mm)
{
	if (MM_UNLIKELY(vm->tlb != NULL))
		tlb_flush_asid(vm->tlb, mm->context);
}

/* Machine key tlb=: the model itself, one part a CPU, in lazily populated host memory. 0 or -ENOMEM. */
int vm_tlb_init(struct vm *vm);
void vm_tlb_destroy(struct vm *vm);

/* True if the model's TLB allows the access, which then needs no walk. */
MM_INLINE bool vm_tlb_hit(struct vm *vm, struct mm_struct *mm, vaddr_t addr, unsigned access)
{
	paddr_t pa;

	return tlb_context_current(vm->tlb, mm->context) &&
	       tlb_lookup(vm->tlb, vm->hw->cpu, mm->context, addr, TLB_READ << access, &pa);
}

/* Caches what the tables now say of @addr; counts nothing. */
void vm_tlb_fill(struct vm *vm, struct mm_struct *mm, vaddr_t addr);

/* I02.5: 0, or 2005 with a sentence in @why. */
int vm_tlb_check(struct vm *vm, char *why, size_t n);

#endif
