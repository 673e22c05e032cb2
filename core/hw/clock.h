/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual time and the daemons that live on it.
 *
 * Terms
 *   daemon   a bounded step function with a virtual CPU of its own: the time it uses delays only
 *            itself. It runs when the clock reaches its due time; order is (due time, id).
 *   budget   virtual nanoseconds a step may use: from its due time, when its CPU became free, to
 * the time the clock moves to. What it uses beyond that delays its next step. asleep   due time
 * CLOCK_NEVER, until somebody wakes it.
 *
 * Owns the daemon table in struct hw. Invariant: clock_due is the least due time of all daemons.
 */
#ifndef MEMRIG_CLOCK_H
#define MEMRIG_CLOCK_H

#include "core/hw/hw.h"

#define CLOCK_NEVER UINT64_MAX
#define CLOCK_HZ    100 /* jiffies a second (spec 00 s0.5) */
#define CLOCK_JIFFY (1000000000ull / CLOCK_HZ)

/*
 * Does at most @budget_ns of work and returns what it used; the clock itself is not to be moved. A
 * step that sleeps until a certain time sets its own due time with clock_sleep_until().
 */
typedef u64 (*daemon_step)(void *self, u64 budget_ns);

/*
 * Adds a daemon that first runs at @due. With a @period it runs again that much after each due
 * time; without one it sleeps after each step that used less than its budget. Its id, or -ENOSPC.
 */
int clock_add_daemon(struct hw *hw, daemon_step step, void *self, u64 due, u64 period);

/* Makes daemon @id due now. Waking a daemon that is awake changes nothing. */
void clock_wake(struct hw *hw, int id);

/* The same for daemon @id alone. */
void clock_run_one(struct hw *hw, int id, u64 ns);

/* Daemon @id sleeps until @ns, or until it is woken. */
void clock_sleep_until(struct hw *hw, int id, u64 ns);

/* Runs the daemons due up to @ns in order, then moves the clock there. Never moves it back. */
void clock_run(struct hw *hw, u64 ns);

MM_INLINE void clock_advance_to(struct hw *hw, u64 ns)
{
	if (MM_UNLIKELY(ns >= hw->daemon_due))
		clock_run(hw, ns);
	else if (ns > hw->now)
		hw->now = ns;
}

MM_INLINE u64 clock_jiffies(const struct hw *hw)
{
	return hw->now / CLOCK_JIFFY;
}

#endif
