/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stacks: VMAs with VM_GROWSDOWN grow downwards by faults (spec 06 s9). Linux: mm/mmap.c, mm/memory.c.
 *
 *   4.0    the lowest page of the VMA is a guard: touching it makes the VMA grow by one more first, and
 *          the limit does not count it
 *   4.12   no guard inside; 256 pages below stay free of other mappings that can be accessed
 */
#include <errno.h>

#include "core/vm/mmap.h"

/* Limits of growing @v by @grow pages to @size bytes; charges them if it has VM_ACCOUNT. */
static int acct_stack_growth(struct vm *vm, const struct vm_area_struct *v, u64 size, u64 grow)
{
	const struct mm_struct *mm = v->vm_mm;
	u64 guard = vm->guard_gap ? 0 : 1ull << vm->page_shift;

	if (!may_expand_vm(vm, mm, grow) || size - guard > vm->config->stack_limit)
		return -ENOMEM;
	if (v->vm_flags & VM_LOCKED && over_memlock(vm, mm, grow))
		return -ENOMEM;
	return v->vm_flags & VM_ACCOUNT ? vm_enough_memory(vm, mm, grow) : 0;
}

static int expand_downwards(struct vm *vm, struct vm_area_struct *v, vaddr_t start)
{
	u64 grow = (v->vm_start - start) >> vm->page_shift;
	int r = anon_vma_prepare(vm, v);

	if (r)
		return r;
	if (start < vm->mmap_min_addr || grow > v->vm_pgoff)
		return -ENOMEM;
	r = acct_stack_growth(vm, v, v->vm_end - start, grow);
	if (r)
		return r;
	vma_set_bounds(vm, v, start, v->vm_end, v->vm_pgoff - grow);
	return 0;
}

int expand_stack(struct vm *vm, struct vm_area_struct *v, vaddr_t addr)
{
	const struct vm_area_struct *prev = v->vm_prev;
	vaddr_t start = ALIGN_DOWN(addr, 1ull << vm->page_shift);

	if (prev && !(prev->vm_flags & VM_GROWSDOWN)) {
		if (!vm->guard_gap && prev->vm_end == start)
			return -ENOMEM;
		if (vm->guard_gap && prev->vm_flags & VM_RWX && start - prev->vm_end < v->vm_mm->stack_gap)
			return -ENOMEM;
	}
	return start < v->vm_start ? expand_downwards(vm, v, start) : 0;
}

int check_stack_guard_page(struct vm *vm, struct vm_area_struct *v, vaddr_t addr)
{
	u64 page = 1ull << vm->page_shift;
	vaddr_t start = ALIGN_DOWN(addr, page);

	if (vm->guard_gap || !(v->vm_flags & VM_GROWSDOWN) || start != v->vm_start)
		return 0;
	if (v->vm_prev && v->vm_prev->vm_end == start)
		return v->vm_prev->vm_flags & VM_GROWSDOWN ? 0 : -ENOMEM;
	return start < page ? -ENOMEM : expand_downwards(vm, v, start - page);
}

struct vm_area_struct *find_extend_vma(struct vm *vm, struct task *t, vaddr_t addr)
{
	struct vm_area_struct *v = find_vma(vm, t, addr);

	if (!v || v->vm_start <= addr)
		return v;
	return v->vm_flags & VM_GROWSDOWN && !expand_stack(vm, v, addr) ? v : NULL;
}
