/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long tasks waited for memory, in virtual time: per task, in all, and over time.
 *
 * Terms
 *   stall    a span in which the current task waits for memory. Nested ones count once, each for
 * its own reason: reclaim within a major fault is reclaim. some     a task was stalled. full:
 * nobody else could have run: on one CPU every stall, on more one in which no other process has an
 * address space. window   a piece of time; all are of equal length, which doubles when there are
 * too many.
 *
 * One thread drives a machine, so stalls never overlap and some is their sum. Owned by struct vm.
 * Linux: kernel/sched/psi.c; left out: averages, CPU and I/O pressure.
 */
#ifndef MEMRIG_VM_PSI_H
#define MEMRIG_VM_PSI_H

#include "core/hw/hw.h"
#include "core/machine.h"

#define PSI_WINDOWS 1024u

struct psi {
	u64 width; /* virtual ns a window */
	u64 total[NR_STALLS], some, full;
	u32 nr; /* windows up to the last stall */
	struct machine_stall_window windows[PSI_WINDOWS];
};

struct psi_mark {
	u64 start, some;
};

struct vm;

/* Before what may stall the current task; psi_stall() ends it. */
MM_INLINE struct psi_mark psi_begin(const struct hw *hw, const struct psi *psi)
{
	return (struct psi_mark){hw->now, psi->some};
}

void psi_stall(struct vm *vm, enum stall_kind kind, struct psi_mark mark);

#endif
