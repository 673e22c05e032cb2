/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that allocates and frees heap blocks: sizes skewed towards small ones, lifetimes either
 * short (last in, first out) or random, now and then a resize. Blocks may be freed by another
 * thread than the one that allocated them.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/base/bits.h"
#include "workloads/dist.h"
#include "workloads/workload.h"

enum { EVENTS, LIVE, MIN, MAX, SKEW, LIFO, RESIZE, LARGE, THREADS };

static const struct workload_param params[] = {
	[EVENTS] = {"events", 1000000, 1, 1ull << 40, "malloc, realloc and free operations"},
	[LIVE] = {"live", 10000, 1, 1 << 24, "blocks alive at most"},
	[MIN] = {"min", 16, 1, MiB, "bytes of the smallest block"},
	[MAX] = {"max", 4096, 1, MiB, "bytes of the largest common block"},
	[SKEW] = {"skew", 1000, 0, 4000, "how much small sizes prevail: exponent of a Zipf law, thousandths"},
	[LIFO] = {"lifo", 50, 0, 100, "percent of frees that free the youngest block"},
	[RESIZE] = {"resize", 2, 0, 100, "percent of operations that are a realloc"},
	[LARGE] = {"large", 1, 0, 1000, "thousandths of blocks that have 128 KiB to 4 MiB"},
	[THREADS] = {"threads", 1, 1, 1024, "threads, used at random"},
	{0},
};

#define LARGE_MIN   (128 * KiB)
#define LARGE_MAX   (4 * MiB)
#define PTR_BASE    0x100000000000ull
#define PTR_SPACING (8 * MiB) /* blocks are named by their slot; none overlaps another */
#define SIZE_STEP   16u

struct churn {
	u64 left;
	u32 *live, nr_live, *unused, nr_unused, live_max;
	struct dist sizes;
	u32 next_task; /* tasks below it exist */
	bool ending;   /* threads exit */
};

static void churn_fini(struct workload_run *r)
{
	struct churn *c = r->state;

	if (c) {
		free(c->live);
		free(c->unused);
	}
	free(c);
}

static int churn_init(struct workload_run *r)
{
	struct churn *c;
	u32 live = (u32)r->param[LIVE];

	if (r->param[MIN] > r->param[MAX])
		return workload_complain(r, "min is above max");
	c = r->state = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->live = malloc(live * sizeof(u32));
	c->unused = malloc(live * sizeof(u32));
	if (!c->live || !c->unused)
		return -ENOMEM;
	while (c->nr_unused < live) {
		c->unused[c->nr_unused] = live - 1 - c->nr_unused;
		c->nr_unused++;
	}
	c->live_max = live;
	c->next_task = 1;
	c->left = r->param[EVENTS];
	dist_init(&c->sizes, DIST_ZIPF, (r->param[MAX] - r->param[MIN]) / SIZE_STEP + 1,
		  (unsigned)r->param[SKEW]);
	return 0;
}

static u64 some_size(struct workload_run *r, struct churn *c)
{
	u64 size;

	if (r->param[LARGE] && prng_below(&r->prng, 1000) < r->param[LARGE])
		return LARGE_MIN + prng_below(&r->prng, LARGE_MAX - LARGE_MIN);
	size = r->param[MIN] + (dist_zipf_rank(&c->sizes, &r->prng) - 1) * SIZE_STEP;
	return mm_min(size + prng_below(&r->prng, SIZE_STEP), r->param[MAX]);
}

static u64 ptr_of(u32 slot)
{
	return PTR_BASE + slot * PTR_SPACING;
}

/* The process and its threads, some each burst. False: all exist. */
static bool start_tasks(struct workload_run *r, struct churn *c)
{
	u32 t = c->next_task, last = (u32)r->param[THREADS];

	if (t > last)
		return false;
	for (; t <= last && t < c->next_task + 32; t++) {
		emit_task(r, t, 100, 99 + t);
		if (t == 1)
			emit_spawn(r, 1, workload_name(r, "churn"), WORKLOAD_BASE, 0);
		else
			emit_thread(r, 1, 99 + t);
	}
	c->next_task = t;
	return true;
}

static void one_event(struct workload_run *r, struct churn *c)
{
	u32 task = 1 + (u32)prng_below(&r->prng, r->param[THREADS]), slot, i;
	/* Half full on average: growth is less likely the fuller it is. */
	bool add = prng_below(&r->prng, c->live_max) >= c->nr_live / 2 && c->nr_unused;

	if (c->nr_live && prng_below(&r->prng, 100) < r->param[RESIZE]) {
		slot = c->live[prng_below(&r->prng, c->nr_live)];
		emit_realloc(r, task, slot, ptr_of(slot), ptr_of(slot), some_size(r, c));
	} else if (add || !c->nr_live) {
		slot = c->live[c->nr_live++] = c->unused[--c->nr_unused];
		emit_malloc(r, task, slot, ptr_of(slot), some_size(r, c));
	} else {
		i = prng_below(&r->prng, 100) < r->param[LIFO] ? c->nr_live - 1 :
			(u32)prng_below(&r->prng, c->nr_live);
		slot = c->unused[c->nr_unused++] = c->live[i];
		c->live[i] = c->live[--c->nr_live];
		emit_free(r, task, slot, ptr_of(slot));
	}
}

static bool churn_step(struct workload_run *r)
{
	struct churn *c = r->state;

	if (!c->ending && start_tasks(r, c))
		return true;
	for (int i = 0; i < WORKLOAD_BURST / 2 && c->left; i++, c->left--)
		one_event(r, c);
	if (c->left)
		return true;
	for (int i = 0; i < WORKLOAD_BURST / 4 && c->nr_live; i++) {
		u32 slot = c->live[--c->nr_live];

		emit_free(r, 1, slot, ptr_of(slot));
	}
	if (c->nr_live)
		return true;
	for (int i = 0; i < 32 && c->next_task > 1; i++)
		emit_exit(r, --c->next_task); /* the leader last */
	c->ending = true;
	return c->next_task > 1;
}

const struct workload workload_churn = {
	.name = "churn",
	.help = "malloc and free of blocks of all sizes, on one heap",
	.params = params,
	.init = churn_init,
	.step = churn_step,
	.fini = churn_fini,
};
