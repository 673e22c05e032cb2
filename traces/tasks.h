/* SPDX-License-Identifier: BSD-2-Clause */
/* Dense task indices of a stream: (pid, tid) -> index, index 0 the kernel. */
#ifndef MEMRIG_TRACE_TASKS_H
#define MEMRIG_TRACE_TASKS_H

#include "traces/map64.h"

struct task_id {
	u32 pid, tid;
};

struct task_table {
	struct map64 map;
	struct task_id *id;
	u32 nr, cap;
};

#define TASK_MAX_ID 0x7fffffffu /* of pid and tid */

int tasks_init(struct task_table *t); /* with the kernel; 0 or -ENOMEM */
void tasks_free(struct task_table *t);
/* Index of the task; *@is_new if it was made. -ENOMEM, -E2BIG (MM_MAX_TASKS), -EINVAL
 * (TASK_MAX_ID). */
int tasks_get(struct task_table *t, u32 pid, u32 tid, bool *is_new);
/* Appends without looking for an equal one: for streams that bring their own indices. */
int tasks_append(struct task_table *t, u32 pid, u32 tid);

#endif
