/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How much may be promised (spec 06 s7.3), and the limits of a task. Linux: mm/util.c, mm/mmap.c; left
 * out: huge pages, batches of the per-CPU counter.
 */
#include <errno.h>

#include "core/base/bits.h"
#include "core/vm/mmap.h"

static s64 kbytes_to_pages(const struct vm *vm, u64 kbytes)
{
	return (s64)(kbytes >> (vm->page_shift - 10));
}

/* Mode 0 of 4.0: what is free or soon could be, less the reserves. */
static bool guess(const struct vm *vm, s64 pages)
{
	const struct phys *phys = vm->phys;
	s64 reserve = (s64)phys->totalreserve_pages, free = global_page_state(phys, NR_FREE_PAGES);

	if (!vm->config->cap_sys_admin)
		reserve += kbytes_to_pages(vm, vm->admin_reserve_kbytes);
	if (MM_LIKELY(free - reserve > pages)) /* the rest adds to it: shared memory is among the file pages */
		return true;
	free += global_page_state(phys, NR_FILE_PAGES) -
		   global_page_state(phys, NR_SHMEM) + (s64)vm->swap.nr_swap_pages +
		   global_page_state(phys, NR_SLAB_RECLAIMABLE);

	return free > (s64)phys->totalreserve_pages && free - reserve > pages;
}

/* Mode 2: strictly below a share of RAM plus swap. */
static bool within_limit(const struct vm *vm, const struct mm_struct *mm)
{
	s64 limit = vm->overcommit_kbytes ? kbytes_to_pages(vm, vm->overcommit_kbytes)
					  : (s64)(vm->phys->totalram_pages * vm->overcommit_ratio / 100);

	limit += (s64)vm->swap.total_swap_pages;
	if (!vm->config->cap_sys_admin)
		limit -= kbytes_to_pages(vm, vm->admin_reserve_kbytes);
	if (mm)
		limit -= (s64)mm_min(mm->total_vm / 32, (u64)kbytes_to_pages(vm, vm->user_reserve_kbytes));
	return (s64)vm->committed < limit;
}

static bool enough(const struct vm *vm, const struct mm_struct *mm, u64 pages)
{
	switch (vm->overcommit) {
	case 1:
		return true;
	case 0:
		if (vm->modern) /* 5.x refuses only what can never be had */
			return (s64)pages <= (s64)vm->phys->totalram_pages + (s64)vm->swap.total_swap_pages;
		return guess(vm, (s64)pages);
	default:
		return within_limit(vm, mm);
	}
}

int vm_enough_memory(struct vm *vm, const struct mm_struct *mm, u64 pages)
{
	vm->committed += pages;
	if (MM_LIKELY(enough(vm, mm, pages)))
		return 0;
	vm->committed -= pages;
	return -ENOMEM;
}

void overcommit_init(struct vm *vm)
{
	const struct machine_config *c = vm->config;
	u64 share = ((u64)global_page_state(vm->phys, NR_FREE_PAGES) << (vm->page_shift - 10)) / 32;

	vm->overcommit = c->overcommit_memory;
	vm->overcommit_ratio = c->overcommit_ratio;
	vm->overcommit_kbytes = c->overcommit_kbytes;
	vm->admin_reserve_kbytes = c->given[CFG_admin_reserve_kbytes] ? c->admin_reserve_kbytes : mm_min(share, 8192);
	vm->user_reserve_kbytes = c->given[CFG_user_reserve_kbytes] ? c->user_reserve_kbytes : mm_min(share, 131072);
}

bool may_expand_vm(const struct vm *vm, const struct mm_struct *mm, u64 pages)
{
	return mm->total_vm + pages <= vm->config->as_limit >> vm->page_shift;
}

bool over_memlock(const struct vm *vm, const struct mm_struct *mm, u64 pages)
{
	return mm->locked_vm + pages > vm->config->memlock_limit >> vm->page_shift;
}
