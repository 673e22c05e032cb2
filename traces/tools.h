/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traces from traces: copies that leave out, shift, merge or hide. A copy gives tasks, strings and
 * heap slots new numbers, so any selection is a valid trace again.
 */
#ifndef MEMRIG_TRACE_TOOLS_H
#define MEMRIG_TRACE_TOOLS_H

#include "traces/reader.h"
#include "traces/writer.h"

struct trace_copy { /* one reader's numbers in a writer's */
	struct trace_reader *r;
	struct trace_writer *w;
	u32 *task; /* reader's index -> writer's + 1; 0: not used yet */
	u32 nr_task;
	u32 pid_offset;		       /* added to pids and tids */
	u8 *kinds;		       /* which fields hold strings and tasks: private */
	struct anonymiser *anonymiser; /* NULL: names stay */
};

int trace_copy_init(struct trace_copy *c, struct trace_reader *r, struct trace_writer *w);
void trace_copy_free(struct trace_copy *c);
/* Appends @op (its extension behind it) at time @ts. 0 or the writer's error. */
int trace_copy_op(struct trace_copy *c, const struct mm_op *op, u64 ts);

struct trace_select {
	u64 from, to;	 /* times to keep: [from, to) */
	u64 first;	 /* at most this many operations; 0: all */
	const u32 *pids; /* only these processes, if nr_pids */
	unsigned nr_pids;
	bool codes[NR_OP_CODES]; /* only these operations */
	u64 cpus;		 /* bits of the CPUs to keep; all above 63 count as 63 */
	bool anonymous;		 /* names become "name1", ...; pids are counted from 1 */
};

/* Everything. */
void trace_select_init(struct trace_select *s);

/*
 * Copies what @s selects from @r into a new trace @path. Before s->from all that shapes address
 * spaces is kept at time 0 and accesses are left out, so that what follows finds its mappings. 0,
 * or -errno with one line in @err.
 */
int trace_copy_selected(struct trace_reader *r, const char *path, int flags,
			const struct trace_select *s, u64 *events, char *err, size_t errlen);

/*
 * Merges @n traces by time. Traces that use the same pids get theirs shifted apart unless
 * @same_machine.
 */
int trace_merge(struct trace_reader **r, unsigned n, const char *path, int flags, bool same_machine,
		u64 *events, char *err, size_t errlen);

#endif
