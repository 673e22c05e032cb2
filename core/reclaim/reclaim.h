/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floor 7 as floor 8 sees it: what happens under memory pressure, and the daemons that tidy up.
 *
 * Each part (reclaim proper, migration and compaction, KSM) has its own object; struct reclaim owns
 * them and points to the floors they work on. The one edge upwards, phys->on_pressure, leads here.
 */
#ifndef MEMRIG_RECLAIM_H
#define MEMRIG_RECLAIM_H

#include <stdio.h>

#include "core/vm/mm_types.h"

struct compaction;
struct ksm;
struct vmscan;

struct reclaim {
	struct vm *vm;
	struct phys *phys;
	struct hw *hw;
	const struct machine_config *config;
	struct ksm *ksm;
	struct vmscan *vmscan; /* reclaim proper: core/reclaim/vmscan.h */
	struct compaction *compaction; /* core/reclaim/compaction.h */
};

/* 0 or -ENOMEM. @vm must be up and live as long as @r. */
int reclaim_init(struct reclaim *r, struct vm *vm, const struct machine_config *c);
void reclaim_destroy(struct reclaim *r);

/* Invariants of chapters 09, 10 and 11: 0, or chapter * 1000 + n with a sentence in @why. */
int reclaim_check(struct reclaim *r, char *why, size_t n);
/* Run-time tunables of this floor: 0, -EINVAL, -EBUSY, -ENOENT. */
int reclaim_sysctl(struct reclaim *r, const char *name, const char *value);
/* Views of this floor; -ENOENT for names of others. */
int reclaim_show(struct reclaim *r, const char *view, FILE *out);
/*
 * Between operations: tasks that were killed exit; with threads=inline woken kernel threads have
 * run. Cheap if there is nothing to do.
 */
void reclaim_sched_point(struct reclaim *r);
/* drop_caches 2: shrinkers. (spec 09 s12) */
void reclaim_drop_slab(struct reclaim *r);
/* Compacts all zones as far as it goes (write to compact_memory). */
void reclaim_compact(struct reclaim *r);
/* Runs kernel thread @thread by hand, @n times. -EINVAL: no such thread. */
int reclaim_step(struct reclaim *r, const char *thread, u64 n);

#endif
