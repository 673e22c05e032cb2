/* SPDX-License-Identifier: BSD-2-Clause */
#include "traces/tasks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/limits.h"

int tasks_append(struct task_table *t, u32 pid, u32 tid)
{
	if (t->nr >= MM_MAX_TASKS)
		return -E2BIG;
	if (t->nr == t->cap) {
		u32 cap = t->cap ? t->cap * 2 : 64;
		struct task_id *more = realloc(t->id, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		t->id = more;
		t->cap = cap;
	}
	t->id[t->nr++] = (struct task_id){pid, tid};
	return 0;
}

int tasks_init(struct task_table *t)
{
	memset(t, 0, sizeof(*t));
	return tasks_append(t, 0, 0);
}

void tasks_free(struct task_table *t)
{
	map64_free(&t->map);
	free(t->id);
	memset(t, 0, sizeof(*t));
}

int tasks_get(struct task_table *t, u32 pid, u32 tid, bool *is_new)
{
	u64 key = (u64)pid << 32 | tid;
	u32 i = map64_get(&t->map, key);
	int err;

	*is_new = false;
	if (!pid)
		return 0;
	if (pid > TASK_MAX_ID || tid > TASK_MAX_ID)
		return -EINVAL;
	if (i != MAP64_NONE)
		return (int)i;
	err = map64_set(&t->map, key, t->nr);
	if (!err)
		err = tasks_append(t, pid, tid);
	*is_new = !err;
	return err ? err : (int)t->nr - 1;
}
