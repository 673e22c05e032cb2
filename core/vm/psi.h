/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long tasks waited, in virtual time: per task, in all, and over time.
 *
 * Terms
 *   stall    a span in which the current task waits or works for memory. Nested ones count once, each for its
 *            own reason: reclaim within a fault is reclaim.
 *   reason   major_fault, file_read, file_write: what of a fault, a read call, or a write, fsync or msync call
 *            was waiting for a device. direct_reclaim, limit_reclaim, compaction, throttle: all of it.
 *   pressure what counts as i/o: every wait for a device, in whatever stall. As memory: reclaim, compaction and
 *            throttling as a whole, and the waits for pages that were in use when they were evicted, as the
 *            kernel has it (PG_workingset, set when such a page comes back within its refault distance; without
 *            shadows of anonymous pages, every page read from swap). So a first read is i/o alone.
 *   some     a task was stalled. full: nobody else could have run: on one CPU every stall, on more one in
 *            which no other process has an address space.
 *   window   a piece of time; all are of equal length, which doubles when there are too many.
 *
 * A device without latency is done at once, and only reading from swap then takes time (SWAP_READ), which
 * counts as waiting for it. What kernel threads wait counts for nobody.
 * One thread drives a machine, so stalls never overlap and some is their sum. Owned by struct vm.
 * Linux: kernel/sched/psi.c; left out: averages, CPU pressure, kswapd's own share.
 */
#ifndef MEMRIG_VM_PSI_H
#define MEMRIG_VM_PSI_H

#include "core/hw/hw.h"
#include "core/machine.h"

#define PSI_WINDOWS 1024u

struct psi {
	u64 width; /* virtual ns a window */
	struct machine_stall_window total;
	u64 ns; /* of all stalls */
	u32 nr; /* windows up to the last stall */
	struct machine_stall_window windows[PSI_WINDOWS];
};

struct psi_mark {
	u64 start, ns;
	struct io_wait io;
};

struct vm;

/* Before what may stall the current task; psi_stall() ends it. */
MM_INLINE struct psi_mark psi_begin(const struct hw *hw, const struct psi *psi)
{
	return (struct psi_mark){hw->now, psi->ns, hw->io};
}

void psi_stall(struct vm *vm, enum stall_kind kind, struct psi_mark mark);

/*
 * What of a fault or a call on files was waiting for devices: STALL_MAJFAULT, STALL_READ, STALL_WRITE. @before is
 * hw->io of when it began; nothing is recorded if nobody waited.
 */
void psi_waits(struct vm *vm, enum stall_kind kind, struct io_wait before);

#endif
