/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/phys/page_wait.h"

#define MAX_ROUNDS (1u << 24) /* of periodic daemons that do not help */

void wait_on_page_bit(struct hw *hw, const struct page *p, enum page_flag_bit bit)
{
	for (u32 i = 0; p->flags >> bit & 1; i++) {
		BUG_ON(hw->daemon_due == CLOCK_NEVER || i == MAX_ROUNDS);
		/* a daemon without a period wants time to work in: one tick of it */
		clock_advance_to(hw, (hw->daemon_due > hw->now ? hw->daemon_due : hw->now) + 1);
	}
}
