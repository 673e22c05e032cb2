/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The race of CVE-2016-5195 as an experiment (spec 07 s8): two actors on one address space.
 *
 * Terms
 *   W   writes through access_remote_vm() to a page the task may only read, one gup step at a time.
 *   M   gives the page back with madvise(DONTNEED), in one piece.
 *   tick     one step of one actor, chosen by a seeded coin.
 *   window   W stands at G5 or G6: the copy is made, the flags have changed, the look-up comes
 * next.
 *
 * Nothing outside the model is touched. Which rule the kernel follows is the machine's key
 * dirtycow=.
 */
#ifndef MEMRIG_VM_DIRTYCOW_H
#define MEMRIG_VM_DIRTYCOW_H

#include "core/vm/gup.h"

struct dirtycow_race {
	u64 seed, max_ticks;
	vaddr_t addr; /* W's target; M gives back its page */
	const void *text;
	u32 len;
	u64 file; /* id of the file behind it, and the page of it */
	u64 index;
};

struct dirtycow_result {
	u64 ticks;     /* until the file changed, or all */
	u64 writes;    /* attempts that W began */
	u64 drops;     /* of M */
	u64 in_window; /* attempts in whose window M ran */
	u64 successes; /* attempts that changed the file; the first ends the race */
	bool changed;  /* the file's page is not what it was */
};

/*
 * Races W and M of @t until the file's cached page changes or the ticks are over. 0, or -EFAULT: no such
 * page. Counts forced_writes, forced_write_windows, forced_write_successes. May sleep.
 */
int dirtycow_race(struct vm *vm, struct task *t, const struct dirtycow_race *race,
		  struct dirtycow_result *out);

/*
 * One attempt of W with M run whenever W comes to stand at @point (GUP_DONE: never), at its first
 * time only. What W passed through is handed to @see, if not NULL, before each step. 0, or W's
 * error.
 */
int dirtycow_inject(struct vm *vm, struct task *t, vaddr_t addr, const void *text, u32 len,
		    enum gup_point point, void (*see)(void *arg, const struct gup_op *op),
		    void *arg);

#endif
