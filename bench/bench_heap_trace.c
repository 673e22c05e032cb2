/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The heap model under captured malloc traces: all traces of traces/samples (or of $MEMRIG_SAMPLES)
 * that have malloc events, decoded before, each process of them on a heap of its own. An iteration is
 * one pass over all traces from empty heaps on, an item one malloc, realloc or free.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "core/machine/heap.h"
#include "traces/reader.h"

#define MAX_TRACES 32
#define HEAP_START 0x555555000000ull

struct process {
	struct heap_model *heap;
	u64 brk, next, touched;
};

/* What is left of a trace: events of the heap, forks, execs and exits. */
struct replayed {
	struct mm_op *ops;
	size_t nr, cap;
	u32 *leader; /* task -> task that leads its process */
	u32 nr_tasks;
	struct process *procs; /* by leader */
	struct heap_pool *pool;
};

struct trace_bench {
	struct replayed t[MAX_TRACES];
	unsigned nr;
	u64 events;
	struct heap_pool pool;
};

/* ---- a kernel that only counts ---- */

static s64 count_brk(void *ctx, u64 addr)
{
	struct process *p = ctx;

	if (addr)
		p->brk = addr;
	return (s64)p->brk;
}

static s64 count_mmap(void *ctx, u64 len)
{
	struct process *p = ctx;

	p->next -= len;
	return (s64)p->next;
}

static int count_munmap(void *ctx, u64 addr, u64 len)
{
	(void)ctx;
	(void)addr;
	(void)len;
	return 0;
}

static s64 count_mremap(void *ctx, u64 addr, u64 old_len, u64 new_len)
{
	(void)addr;
	(void)old_len;
	return count_mmap(ctx, new_len);
}

static void count_touch(void *ctx, u64 addr, u64 len)
{
	struct process *p = ctx;

	(void)addr;
	p->touched += len;
}

static const struct heap_kernel count_kernel = {
	count_brk, count_mmap, count_munmap, count_mremap, count_touch,
};

/* ---- loading ---- */

static bool is_heap(const struct mm_op *op)
{
	return op->code >= OP_MALLOC && op->code <= OP_FREE;
}

static bool wanted(const struct mm_op *op)
{
	return is_heap(op) || op->code == OP_EXT || op->code == OP_FORK || op->code == OP_EXEC ||
	       op->code == OP_EXIT;
}

static int append(struct replayed *t, const struct mm_op *ops, size_t n)
{
	if (t->cap - t->nr < n) {
		size_t cap = t->cap * 2 + n;
		struct mm_op *more = realloc(t->ops, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		t->ops = more;
		t->cap = cap;
	}
	for (size_t i = 0; i < n; i++)
		if (wanted(&ops[i]) && (ops[i].code != OP_EXT || (t->nr && i && wanted(&ops[i - 1]))))
			t->ops[t->nr++] = ops[i];
	return 0;
}

/* Task -> leader of its process: the first task with the pid whose tid is the pid, else itself. */
static int find_leaders(struct replayed *t, const struct trace_reader *r)
{
	t->nr_tasks = trace_nr_tasks(r);
	t->leader = calloc(t->nr_tasks, sizeof(*t->leader));
	t->procs = calloc(t->nr_tasks, sizeof(*t->procs));
	if (!t->leader || !t->procs)
		return -ENOMEM;
	for (u32 i = 0; i < t->nr_tasks; i++) {
		u32 pid = 0, tid = 0, lead_pid, lead_tid;

		trace_task_ids(r, i, &pid, &tid);
		t->leader[i] = i;
		for (u32 k = 0; k < i && tid != pid; k++)
			if (!trace_task_ids(r, k, &lead_pid, &lead_tid) && lead_pid == pid &&
			    lead_tid == pid)
				t->leader[i] = k;
	}
	return 0;
}

static int load(struct trace_bench *b, const char *path)
{
	char err[512];
	struct trace_reader *r = trace_open(path, TRACE_READ_INLINE, err, sizeof(err));
	struct replayed *t = &b->t[b->nr++];
	const struct mm_op *ops;
	ssize_t n = -EIO;
	int rc = 0;

	t->pool = &b->pool;
	while (r && !rc && (n = trace_next(r, &ops)) > 0)
		rc = append(t, ops, (size_t)n);
	if (r && !rc)
		rc = n < 0 ? (int)n : find_leaders(t, r);
	if (r)
		trace_close(r);
	for (size_t i = 0; i < t->nr; i++)
		b->events += is_heap(&t->ops[i]);
	return r ? rc : -EIO;
}

static void samples_dir(char *dir, size_t n)
{
	const char *given = getenv("MEMRIG_SAMPLES");
	char exe[400];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	exe[len > 0 ? len : 0] = '\0';
	slash = strrchr(exe, '/');
	if (slash)
		*slash = '\0';
	snprintf(dir, n, "%s%s", given ? given : exe, given ? "" : "/../../traces/samples");
}

static int load_all(struct trace_bench *b)
{
	char dir[448], path[1024];
	struct dirent **found;
	int n, rc = 0;

	samples_dir(dir, sizeof(dir));
	n = scandir(dir, &found, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		const char *dot = strrchr(found[i]->d_name, '.');

		snprintf(path, sizeof(path), "%s/%s", dir, found[i]->d_name);
		if (!rc && dot && !strcmp(dot, ".mrt") && b->nr < MAX_TRACES)
			rc = load(b, path);
		free(found[i]);
	}
	if (n >= 0)
		free(found);
	return rc;
}

/* ---- passes ---- */

static void drop(struct process *p)
{
	heap_model_destroy(p->heap);
	p->heap = NULL;
}

static struct heap_model *heap_of(const struct replayed *t, struct process *p)
{
	const struct heap_params params = {.page_shift = 12, .touch = HEAP_TOUCH_BLOCK, .pool = t->pool};

	if (MM_UNLIKELY(!p->heap)) {
		p->heap = heap_model_create(&params);
		p->brk = HEAP_START;
		p->next = 0x7fff00000000ull;
		if (p->heap)
			heap_model_bind(p->heap, &count_kernel, p);
	}
	return p->heap;
}

static void fork_heap(struct replayed *t, const struct mm_op *op)
{
	struct process *parent = &t->procs[t->leader[op->task]];
	u32 child = (u32)op->arg;

	if (child >= t->nr_tasks || !parent->heap)
		return;
	drop(&t->procs[child]);
	t->procs[child] = *parent;
	t->procs[child].heap = heap_model_fork(parent->heap, op->task, child);
	if (t->procs[child].heap)
		heap_model_bind(t->procs[child].heap, &count_kernel, &t->procs[child]);
}

static void apply(struct replayed *t, const struct mm_op *op)
{
	struct process *p = &t->procs[t->leader[op->task]];

	if (MM_LIKELY(is_heap(op))) {
		struct heap_model *h = heap_of(t, p);

		if (h)
			heap_apply(h, op, mm_op_ext(op));
	} else if (op->code == OP_FORK) {
		fork_heap(t, op);
	} else if (op->code == OP_EXEC || (op->code == OP_EXIT && t->leader[op->task] == op->task)) {
		drop(p);
	}
}

static void run(struct bench_ctx *ctx, u64 n)
{
	struct trace_bench *b = ctx->data;

	while (n--)
		for (unsigned i = 0; i < b->nr; i++)
			for (size_t k = 0; k < b->t[i].nr; k++)
				apply(&b->t[i], &b->t[i].ops[k]);
}

static void reset(struct bench_ctx *ctx)
{
	struct trace_bench *b = ctx->data;

	for (unsigned i = 0; i < b->nr; i++)
		for (u32 k = 0; b->t[i].procs && k < b->t[i].nr_tasks; k++)
			drop(&b->t[i].procs[k]);
}

static void teardown(struct bench_ctx *ctx)
{
	struct trace_bench *b = ctx->data;

	reset(ctx);
	heap_pool_drain(&b->pool);
	for (unsigned i = 0; i < b->nr; i++) {
		free(b->t[i].ops);
		free(b->t[i].leader);
		free(b->t[i].procs);
	}
	free(b);
}

static int setup(struct bench_ctx *ctx)
{
	struct trace_bench *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return -ENOMEM;
	ctx->data = b;
	rc = load_all(b);
	if (!rc && !b->events) {
		ctx->error = BENCH_SKIPPED "no trace with malloc events in traces/samples or $MEMRIG_SAMPLES";
		rc = -ENOENT;
	}
	ctx->items = b->events;
	if (rc)
		teardown(ctx);
	return rc;
}

const struct bench_case bench_heap_trace_cases[] = {
	{.suite = "heap", .name = "captured", .help = "malloc, realloc or free event of captured traces",
	 .setup = setup, .run = run, .reset = reset, .teardown = teardown, .batch = 1,
	 .unit = BENCH_M_PER_SEC, .goal = 60, .rival = 6.6,
	 .rival_name = "glibc's trace_run replaying its own format"},
	{0},
};
