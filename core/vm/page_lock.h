/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sleeping on a page (spec 07 s1.3): virtual time passes until whoever holds it lets go: a device completes,
 * or a daemon ends its step. That nobody ever would is a deadlock of ours: BUG.
 * Linux: mm/filemap.c; left out: wait queues (daemons run in the order of the clock), killable waits.
 */
#ifndef MEMRIG_VM_PAGE_LOCK_H
#define MEMRIG_VM_PAGE_LOCK_H

#include "core/vm/mm_types.h"

/* Sleeps until @p is unlocked, or no longer under write-back. The caller holds a reference. */
void vm_wait_on_page_locked(struct vm *vm, struct page *p);
void vm_wait_on_page_writeback(struct vm *vm, struct page *p);

/* Sleeps until the lock is free and takes it. */
MM_INLINE void lock_page(struct vm *vm, struct page *p)
{
	might_sleep(vm->hw);
	if (lockdep_on(vm->hw))
		lockdep_may_take(vm->hw, LOCK_PAGE, false);
	while (MM_UNLIKELY(!trylock_page(p)))
		vm_wait_on_page_locked(vm, p);
}

#endif
