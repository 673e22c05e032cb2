/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two depths of judgement on operations.
 *
 * validator  what readers promise their callers, checked for each record of each file: known codes,
 *            extensions in place, tasks introduced in order, times not decreasing, slots dense.
 * checker    what `memrig trace check` tells beyond that: tasks that act after their end, mappings
 * that overlap without having been unmapped, lost events, frees of blocks never seen born.
 */
#ifndef MEMRIG_TRACE_VALIDATE_H
#define MEMRIG_TRACE_VALIDATE_H

#include <stdio.h>

#include "core/op.h"

struct op_rule { /* per code, from op.def */
	u8 known, low_max, needs_ext, heap;
	u16 ext_required;
};

struct validator {
	struct op_rule rule[NR_OP_CODES];
	u32 nr_tasks;
	u32 nr_slots;
	u64 last_ts;
	u32 new_tasks; /* met since the caller last set this to 0 */
};

void validator_init(struct validator *v);
void validator_reset(struct validator *v); /* before the first record again */
/*
 * Judges @n whole records. NULL, or what is wrong with record *@at.
 */
const char *validator_see(struct validator *v, const struct mm_op *ops, size_t n, size_t *at);

/*
 * What can be judged without the values: NULL or what is wrong. *@each: records must be seen one by
 * one all the same (task bookkeeping, fork, tasks not introduced yet).
 */
const char *validator_shape(const struct validator *v, u8 code, u16 flags, u16 ext_has, u32 task,
			    bool *each);

struct trace_reader;

struct check_report {
	u64 events, lost_events, tasks, processes, alive; /* alive: processes without an end */
	u64 unborn; /* frees of blocks that the trace did not see born */
	u64 duration_ns, findings;
};

/*
 * Reads @r to its end. Each finding is a line on @out, at most @limit of them; all are counted. 0,
 * or -errno when the trace cannot be read (trace_reader_error()).
 */
int trace_check(struct trace_reader *r, struct check_report *report, FILE *out, u64 limit);

#endif
