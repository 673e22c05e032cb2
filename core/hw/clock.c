/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A handful of daemons: the earliest is found by a scan when one has run, so that the hot path is
 * one comparison with the least due time.
 */
#include "core/hw/clock.h"

#include <errno.h>

#include "core/hw/lockdep.h"

static void find_due(struct hw *hw)
{
	hw->daemon_due = CLOCK_NEVER;
	for (unsigned i = 0; i < hw->nr_daemons; i++)
		if (hw->daemons[i].due < hw->daemon_due)
			hw->daemon_due = hw->daemons[i].due;
}

int clock_add_daemon(struct hw *hw, daemon_step step, void *self, u64 due, u64 period)
{
	if (hw->nr_daemons == MM_MAX_DAEMONS)
		return -ENOSPC;
	hw->daemons[hw->nr_daemons] = (struct hw_daemon){step, self, due, period};
	if (due < hw->daemon_due)
		hw->daemon_due = due;
	return (int)hw->nr_daemons++;
}

void clock_wake(struct hw *hw, int id)
{
	struct hw_daemon *d = &hw->daemons[id];

	if (d->due > hw->now)
		d->due = hw->now;
	find_due(hw);
}

void clock_sleep_until(struct hw *hw, int id, u64 ns)
{
	hw->daemons[id].due = ns;
	find_due(hw);
}

static struct hw_daemon *earliest(struct hw *hw)
{
	struct hw_daemon *best = &hw->daemons[0];

	for (unsigned i = 1; i < hw->nr_daemons; i++)
		if (hw->daemons[i].due < best->due)
			best = &hw->daemons[i];
	return best;
}

/* One step of @d, due before @ns. */
static void run_daemon(struct hw *hw, struct hw_daemon *d, u64 ns)
{
	u64 budget, used, due = d->due;
	u32 context = 0;

	if (!d->period && due >= ns) { /* no time to work in: later */
		d->due = ns + 1;
		find_due(hw);
		return;
	}
	if (due > hw->now)
		hw->now = due;
	budget = ns - due;
	d->due = CLOCK_NEVER; /* a step may have itself woken again */
	if (lockdep_on(hw))
		context = lockdep_enter(hw);
	used = d->step(d->self, budget);
	if (lockdep_on(hw))
		lockdep_leave(hw, context);
	if (d->period)
		d->due = due + (used > d->period ? used : d->period);
	else if (used && used >= budget)
		d->due = due + used;
	else if (d->due < due + used)
		d->due = due + used;
	find_due(hw);
}

void clock_run_one(struct hw *hw, int id, u64 ns)
{
	struct hw_daemon *d = &hw->daemons[id];

	while (d->due < ns)
		run_daemon(hw, d, ns);
}

void clock_run(struct hw *hw, u64 ns)
{
	find_due(hw); /* it may have been lowered only to have somebody look */
	while (hw->daemon_due <= ns)
		run_daemon(hw, earliest(hw), ns);
	if (ns > hw->now)
		hw->now = ns;
}
