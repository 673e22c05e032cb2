/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * brk (spec 06 s6). Linux: mm/mmap.c; left out: READ_IMPLIES_EXEC, the data segment in RLIMIT_DATA
 * (programs of the model have none).
 */
#include <errno.h>

#include "core/vm/fault.h"
#include "core/vm/mmap.h"
#include "core/vm/vm.h"

/* Its errors are what brk() keeps to itself. */
s64 do_brk(struct vm *vm, struct mm_struct *mm, vaddr_t addr, u64 len)
{
	struct mmap_request rq = {.addr = addr, .len = page_align(vm, len), .pgoff = addr >> vm->page_shift};
	s64 r;

	might_sleep(vm->hw);
	if (!rq.len)
		return (s64)addr;
	r = get_unmapped_area(vm, mm, addr, rq.len, 0, AREA_FIXED);
	if (r < 0)
		return r;
	rq.vm_flags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | mm->def_flags;
	if (rq.vm_flags & VM_LOCKED && over_memlock(vm, mm, rq.len >> vm->page_shift))
		return -EAGAIN;
	if (mm->map_count > vm->max_map_count)
		return -ENOMEM;
	return mmap_region(vm, mm, &rq); /* VM_ACCOUNT comes with private writable */
}

/* From the page-aligned break @old to @new: true if that could be done. */
static bool move_break(struct vm *vm, struct mm_struct *mm, vaddr_t old, vaddr_t new)
{
	u64 page = 1ull << vm->page_shift;

	if (new == old)
		return true;
	if (new < old)
		return !do_munmap(vm, mm, new, old - new);
	if (find_vma_intersection(vm, mm, old, new + page)) /* one page stays free behind the heap */
		return false;
	return do_brk(vm, mm, old, new - old) >= 0;
}

s64 sys_brk(struct vm *vm, struct task *t, vaddr_t addr)
{
	struct mm_struct *mm = t->mm;
	vaddr_t old;
	bool moved;

	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	if (!mm)
		return -ESRCH;
	if (addr < mm->start_brk || addr > vm->task_size || addr - mm->start_brk > vm->config->data_limit)
		return (s64)mm->brk;
	mmap_write_lock(vm, mm);
	old = page_align(vm, mm->brk);
	moved = move_break(vm, mm, old, page_align(vm, addr));
	if (moved)
		mm->brk = addr;
	mmap_write_unlock(vm, mm);
	if (moved && mm->def_flags & VM_LOCKED && page_align(vm, addr) > old)
		mm_populate(vm, t, old, page_align(vm, addr));
	return (s64)mm->brk;
}
