/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual machines made from one image, as KSM was made for: processes whose memory is mostly
 * equal, partly zero, partly their own. After ksmd has merged it, some pages are written and ksmd
 * runs again.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/base/bits.h"
#include "workloads/workload.h"

enum { CLONES, SIZE, EQUAL, ZERO, WRITE, SCANS, ROUNDS };

static const struct workload_param params[] = {
	[CLONES] = {"clones", 8, 1, 10000, "processes"},
	[SIZE] = {"size", 8 * MiB, 64 * KiB, 16 * GiB, "bytes of each"},
	[EQUAL] = {"equal", 70, 0, 100, "percent of the pages that are the same in all"},
	[ZERO] = {"zero", 10, 0, 100, "percent of the pages that are zero"},
	[WRITE] = {"write", 5, 0, 100, "percent of the pages written between two rounds"},
	[SCANS] = {"scans", 2, 0, 1000, "full scans of ksmd in each round"},
	[ROUNDS] = {"rounds", 2, 1, 1000, "rounds of scanning and writing"},
	{0},
};

#define WRITES_A_BURST 64
#define OWN_TAG        (1ull << 40) /* beyond the tags of equal pages */

struct clones {
	u64 pages, equal, zero;
	u64 writes;  /* left in this round, of all processes */
	u64 round, changed;
	u32 up;
	bool scanned;
	u64 mark;
};

static int clones_init(struct workload_run *r)
{
	struct clones *c;

	if (r->param[EQUAL] + r->param[ZERO] > 100)
		return workload_complain(r, "equal and zero are more than 100 percent");
	c = r->state = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->pages = ALIGN_UP(r->param[SIZE], WORKLOAD_ALIGN) / r->page;
	c->equal = c->pages * r->param[EQUAL] / 100;
	c->zero = c->pages * r->param[ZERO] / 100;
	return 0;
}

static void start_clone(struct workload_run *r, struct clones *c)
{
	u32 task = 1 + c->up++;
	u64 own = c->pages - c->equal - c->zero;

	if (!c->mark)
		c->mark = workload_name(r, "scanned");
	emit_task(r, task, 99 + task, 99 + task);
	emit_spawn(r, task, 0, 0, 0);
	emit_mmap(r, task, WORKLOAD_BASE, c->pages * r->page, MM_PROT_READ | MM_PROT_WRITE);
	emit_madvise(r, task, WORKLOAD_BASE, c->pages * r->page, MM_MADV_MERGEABLE);
	if (c->equal)
		emit_fill(r, task, WORKLOAD_BASE, c->equal * r->page, 1, 1);
	if (c->zero)
		emit_fill(r, task, WORKLOAD_BASE + c->equal * r->page, c->zero * r->page, 0, 0);
	if (own)
		emit_fill(r, task, WORKLOAD_BASE + (c->equal + c->zero) * r->page, own * r->page,
			  OWN_TAG * (task + 1), 1);
}

static void some_writes(struct workload_run *r, struct clones *c)
{
	for (int i = 0; i < WRITES_A_BURST && c->writes; i++, c->writes--) {
		u32 task = 1 + (u32)prng_below(&r->prng, r->param[CLONES]);
		u64 page = prng_below(&r->prng, c->pages);

		emit_write(r, task, WORKLOAD_BASE + page * r->page, 8, OWN_TAG / 2 + ++c->changed);
	}
}

static bool end_clones(struct workload_run *r, struct clones *c)
{
	for (int i = 0; i < 64 && c->up; i++)
		emit_exit(r, c->up--);
	return c->up > 0;
}

static bool clones_step(struct workload_run *r)
{
	struct clones *c = r->state;

	if (c->round == r->param[ROUNDS])
		return end_clones(r, c);
	if (c->up < r->param[CLONES]) {
		start_clone(r, c);
	} else if (!c->scanned) {
		if (r->param[SCANS])
			emit_ksm(r, r->param[SCANS]);
		emit_mark(r, c->mark);
		c->scanned = true;
		c->writes = c->pages * r->param[CLONES] * r->param[WRITE] / 100;
	} else if (c->writes) {
		some_writes(r, c);
	} else {
		c->scanned = false;
		c->round++;
	}
	return true;
}

static void clones_fini(struct workload_run *r)
{
	free(r->state);
}

const struct workload workload_clones = {
	.name = "clones",
	.help = "processes with mostly equal memory, for same-page merging",
	.params = params,
	.init = clones_init,
	.step = clones_step,
	.fini = clones_fini,
};
