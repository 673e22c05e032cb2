/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Atomic context: where the guest kernel must not sleep (spec 12 s2).
 *
 * Each virtual CPU counts what it is inside of, as Linux's preempt_count does: sections without preemption
 * (also by kmap_atomic, and at debug levels what a spin lock protects) in the low half, interrupts above.
 * A function that may sleep says so in its first line, whether it will this time or not, so that a caller
 * in the wrong place is found at once; nothing is looked at in a release build. At rest no CPU is atomic
 * (machine_check). Linux: linux/preempt.h, linux/kernel.h (might_sleep); left out: softirqs, NMIs.
 */
#ifndef MEMRIG_HW_ATOMIC_H
#define MEMRIG_HW_ATOMIC_H

#include "core/hw/hw.h"

#define PREEMPT_OFFSET 1u
#define HARDIRQ_OFFSET 0x10000u

MM_INLINE void preempt_disable(struct hw *hw, unsigned cpu)
{
	hw->cpus[cpu].preempt_count += PREEMPT_OFFSET;
}

MM_INLINE void preempt_enable(struct hw *hw, unsigned cpu)
{
	BUG_ON(!(hw->cpus[cpu].preempt_count % HARDIRQ_OFFSET));
	hw->cpus[cpu].preempt_count -= PREEMPT_OFFSET;
}

MM_INLINE void irq_enter(struct hw *hw, unsigned cpu)
{
	hw->cpus[cpu].preempt_count += HARDIRQ_OFFSET;
}

MM_INLINE void irq_exit(struct hw *hw, unsigned cpu)
{
	BUG_ON(hw->cpus[cpu].preempt_count < HARDIRQ_OFFSET);
	hw->cpus[cpu].preempt_count -= HARDIRQ_OFFSET;
}

MM_INLINE bool in_interrupt(const struct hw *hw, unsigned cpu)
{
	return hw->cpus[cpu].preempt_count >= HARDIRQ_OFFSET;
}

MM_INLINE bool in_atomic(const struct hw *hw, unsigned cpu)
{
	return hw->cpus[cpu].preempt_count;
}

/* What a spin lock protects, where one thread drives the machine and takes none: counted at debug levels. */
MM_INLINE void spin_section_begin(struct hw *hw)
{
	if (MM_DEBUG >= 1)
		preempt_disable(hw, hw->cpu);
}

MM_INLINE void spin_section_end(struct hw *hw)
{
	if (MM_DEBUG >= 1)
		preempt_enable(hw, hw->cpu);
}

/* The caller may sleep: on the CPU of the operation in flight, or on @cpu; or only if @c. */
#define might_sleep(hw)			  cpu_might_sleep(hw, (hw)->cpu)
#define cpu_might_sleep(hw, cpu)	  VM_BUG_ON(in_atomic(hw, cpu) && "sleeps in atomic context")
#define cpu_might_sleep_if(c, hw, cpu)	  VM_BUG_ON((c) && in_atomic(hw, cpu) && "sleeps in atomic context")

#endif
