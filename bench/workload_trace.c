/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/workload_trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/limits.h"
#include "traces/writer.h"

struct translate {
	struct workload_run *run;
	struct trace_writer *w;
	u32 *task; /* workload's index -> trace's */
	u32 cap;
	u64 string[WORKLOAD_MAX_NAMES + 1];
	struct mm_op in[MM_MAX_OP_BATCH], out[MM_MAX_OP_BATCH];
};

static int learn_task(struct translate *t, const struct mm_op *op)
{
	if (op->task >= t->cap) {
		u32 cap = op->task * 2 + 64;
		u32 *more = realloc(t->task, cap * sizeof(u32));

		if (!more)
			return -ENOMEM;
		memset(more + t->cap, 0, (cap - t->cap) * sizeof(u32));
		t->task = more;
		t->cap = cap;
	}
	t->task[op->task] = trace_writer_task(t->w, (u32)op->addr, (u32)op->len);
	return 0;
}

static u32 task_of(const struct translate *t, u64 task)
{
	return task < t->cap ? t->task[task] : 0;
}

/* String ids are the extension's x0 of these operations. */
static bool has_name(unsigned code)
{
	return code == OP_SPAWN || code == OP_EXEC || code == OP_FILE || code == OP_MARK;
}

static u64 string_of(struct translate *t, u64 id)
{
	struct op_strings names = workload_strings(t->run);

	if (!id || id > WORKLOAD_MAX_NAMES)
		return 0;
	if (!t->string[id])
		t->string[id] = trace_writer_string(t->w, names.get(names.self, id));
	return t->string[id];
}

/* Tasks and strings get the trace's numbers; OP_TASK is the writer's own business. */
static int translate_batch(struct translate *t, size_t n, size_t *out)
{
	*out = 0;
	for (size_t i = 0; i < n; i++) {
		struct mm_op *op = &t->out[*out];
		struct mm_op_ext *x = (struct mm_op_ext *)(void *)op;

		*op = t->in[i];
		if (op->code == OP_TASK) {
			if (learn_task(t, op))
				return -ENOMEM;
			continue;
		}
		++*out;
		if (op->code == OP_EXT) {
			if (i && has_name(t->in[i - 1].code))
				x->x0 = string_of(t, x->x0);
			continue;
		}
		op->task = task_of(t, op->task);
		if (op->code == OP_FORK)
			op->arg = task_of(t, op->arg);
	}
	return 0;
}

static int copy_all(struct translate *t)
{
	size_t n, out;
	int r = 0;

	while (!r && (n = workload_next(t->run, t->in, MM_MAX_OP_BATCH))) {
		r = translate_batch(t, n, &out);
		if (!r)
			r = trace_writer_put(t->w, t->out, out);
	}
	return r;
}

static struct trace_writer *open_writer(struct workload_run *run, const char *path, const char *title,
					bool text, char *err, size_t n)
{
	struct trace_writer *w = NULL;
	struct trace_info info;

	trace_info_init(&info);
	info.page_shift = (u32)__builtin_ctzll(run->page);
	if (trace_info_set(&info, "source", "workload") || trace_info_set(&info, "command", title))
		snprintf(err, n, "%s: out of memory", path);
	else
		w = trace_writer_open(path, &info, text ? TRACE_WRITE_TEXT : 0, err, n);
	trace_info_free(&info);
	return w;
}

int workload_write_trace(struct workload_run *run, const char *path, const char *title, bool text,
			 char *err, size_t n)
{
	struct translate *t = calloc(1, sizeof(*t));
	int r;

	snprintf(err, n, "%s: out of memory", path);
	if (!t)
		return -ENOMEM;
	t->run = run;
	t->w = open_writer(run, path, title, text, err, n);
	r = t->w ? copy_all(t) : -EIO;
	if (t->w && r == -ENOMEM)
		trace_writer_abort(t->w);
	else if (t->w) /* the writer remembers its own errors */
		r = trace_writer_close(t->w, err, n);
	free(t->task);
	free(t);
	return r;
}
