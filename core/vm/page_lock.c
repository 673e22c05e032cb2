/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vm/page_lock.h"

#include "core/backing/pageio.h"
#include "core/hw/clock.h"

#define MAX_ROUNDS (1u << 24) /* of periodic daemons that do not help */

/* The device has nothing in flight that helps: time passes for the daemons. */
static void wait_for_daemon(struct hw *hw, u32 round)
{
	BUG_ON(hw->daemon_due == CLOCK_NEVER || round == MAX_ROUNDS);
	/* a daemon without a period wants time to work in: one tick of it */
	clock_advance_to(hw, (hw->daemon_due > hw->now ? hw->daemon_due : hw->now) + 1);
}

void vm_wait_on_page_locked(struct vm *vm, struct page *p)
{
	might_sleep(vm->hw);
	for (u32 i = 0; PageLocked(p) && !wait_on_page_locked(&vm->files, p); i++)
		wait_for_daemon(vm->hw, i);
}

void vm_wait_on_page_writeback(struct vm *vm, struct page *p)
{
	might_sleep(vm->hw);
	for (u32 i = 0; PageWriteback(p) && !wait_on_page_writeback(&vm->files, p); i++)
		wait_for_daemon(vm->hw, i);
}
