/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A tree of processes: each writes part of the memory it inherited (copy-on-write), forks its
 * children one after another, waits for each, and exits. Depth first, so that as many processes live at
 * once as the tree is deep; with wide=1 children live until their parent ends.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/base/bits.h"
#include "workloads/workload.h"

enum { DEPTH, FANOUT, SIZE, WRITE, WIDE };

static const struct workload_param params[] = {
	[DEPTH] = {"depth", 4, 0, 16, "generations below the first process"},
	[FANOUT] = {"fanout", 3, 1, 1000, "children of each process"},
	[SIZE] = {"size", 8 * MiB, 64 * KiB, 16 * GiB, "bytes that the first process writes"},
	[WRITE] = {"write", 10, 0, 100, "percent of the pages that each child writes"},
	[WIDE] = {"wide", 0, 0, 1, "1: children live as long as their parent"},
	{0},
};

#define MAX_PROCESSES 1000000ull
#define WRITES_A_BURST 64

struct node {
	u32 task;
	u64 children, writes;
};

struct forktree {
	struct node stack[17];
	u32 level, next_task;
	u64 pages;
	bool started;
};

static int forktree_init(struct workload_run *r)
{
	u64 all = 1, generation = 1;
	struct forktree *f;

	for (u64 i = 0; i < r->param[DEPTH]; i++) {
		generation *= r->param[FANOUT];
		all += generation;
		if (all > MAX_PROCESSES)
			return workload_complain(r, "the tree has more than 1000000 processes");
	}
	f = r->state = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->pages = ALIGN_UP(r->param[SIZE], WORKLOAD_ALIGN) / r->page;
	f->next_task = 1;
	return 0;
}

static void enter(struct workload_run *r, struct forktree *f, u32 task)
{
	struct node *n = &f->stack[f->level];

	*n = (struct node){.task = task};
	n->writes = f->level ? f->pages * r->param[WRITE] / 100 : 0;
}

static void forktree_start(struct workload_run *r, struct forktree *f)
{
	emit_task(r, 1, 100, 100);
	emit_spawn(r, 1, workload_name(r, "forktree"), 0, 0);
	emit_mmap(r, 1, WORKLOAD_BASE, f->pages * r->page, MM_PROT_READ | MM_PROT_WRITE);
	emit_write(r, 1, WORKLOAD_BASE, f->pages * r->page, 1);
	f->next_task = 2;
	enter(r, f, 1);
	f->started = true;
}

static void some_writes(struct workload_run *r, struct forktree *f, struct node *n)
{
	for (int i = 0; i < WRITES_A_BURST && n->writes; i++, n->writes--)
		emit_write(r, n->task, WORKLOAD_BASE + prng_below(&r->prng, f->pages) * r->page, 8,
			   n->task);
}

static void fork_child(struct workload_run *r, struct forktree *f, struct node *n)
{
	u32 task = f->next_task++;

	n->children++;
	emit_task(r, task, 99 + task, 99 + task);
	emit_fork(r, n->task, task);
	f->level++;
	enter(r, f, task);
}

/* Ends the process on top of the stack; with wide=1 only the first does, and all with it. */
static bool leave(struct workload_run *r, struct forktree *f)
{
	if (!r->param[WIDE]) {
		emit_exit(r, f->stack[f->level].task);
		return f->level-- > 0;
	}
	if (f->level) {
		f->level--;
		return true;
	}
	for (int i = 0; i < WRITES_A_BURST && f->next_task > 1; i++)
		emit_exit(r, --f->next_task); /* leaves before what forked them */
	return f->next_task > 1;
}

static bool forktree_step(struct workload_run *r)
{
	struct forktree *f = r->state;
	struct node *n = &f->stack[f->level];

	if (!f->started)
		forktree_start(r, f);
	else if (n->writes)
		some_writes(r, f, n);
	else if (f->level < r->param[DEPTH] && n->children < r->param[FANOUT])
		fork_child(r, f, n);
	else
		return leave(r, f);
	return true;
}

static void forktree_fini(struct workload_run *r)
{
	free(r->state);
}

const struct workload workload_forktree = {
	.name = "forktree",
	.help = "processes that fork processes and write part of what they inherit",
	.params = params,
	.init = forktree_init,
	.step = forktree_step,
	.fini = forktree_fini,
};
