/* SPDX-License-Identifier: BSD-2-Clause */
/* Suite reclaim: pages scanned. (References that drive reclaim: bench_refs.c) */
#include <errno.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/bench_rig.h"
#include "core/backing/file_io.h"
#include "core/reclaim/lru_gen.h"
#include "core/reclaim/vmscan.h"
#include "core/vm/lru_gen_walk.h"

#define SCAN_PAGES 65536u

static struct scan_control control(void)
{
	return (struct scan_control){.nr_to_reclaim = SWAP_CLUSTER_MAX, .gfp = GFP_KERNEL, .priority = DEF_PRIORITY,
				     .reclaim_idx = MM_MAX_NR_ZONES - 1, .may_writepage = true, .may_unmap = true,
				     .may_swap = true};
}

static struct scan_unit *only_unit(const struct bench_rig *r)
{
	for (unsigned i = 0; i < r->m->phys.nr_zones; i++)
		if (r->m->phys.zones[i].present_pages)
			return zone_unit(r->m->reclaim.vmscan, &r->m->phys.zones[i]);
	return NULL;
}

/* A file of SCAN_PAGES, read once: all inactive, none referenced. Shadows of the last round would activate them. */
static void fill_reset(struct bench_ctx *ctx)
{
	struct bench_rig *r = ctx->data;
	struct vm_file *f = filemap_find(&r->vm->files, 1);

	filemap_truncate(&r->vm->files, f, 0);
	filemap_truncate(&r->vm->files, f, (u64)SCAN_PAGES << 12);
	for (u64 i = 0; i < SCAN_PAGES; i++)
		(void)file_read(&r->vm->files, f, i << 12, 4096, NULL);
	lru_add_drain_all(&r->vm->lru);
	for (u64 i = 0; i < SCAN_PAGES; i++) {
		struct page *p = filemap_lookup(&r->m->phys, f, i);

		if (p)
			ClearPageReferenced(p);
	}
}

static int scan_setup(struct bench_ctx *ctx)
{
	struct bench_rig *r = bench_rig_new("mem=1G ideal=1 threads=manual", &ctx->error);

	ctx->data = r;
	ctx->items = SWAP_CLUSTER_MAX;
	if (!r || !filemap_open(&r->vm->files, 1, (u64)SCAN_PAGES << 12, false))
		return -ENOMEM;
	fill_reset(ctx);
	return 0;
}

static void evict_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;
	struct scan_control sc = control();

	while (n--)
		BUG_ON(shrink_inactive_list(r->m->reclaim.vmscan, only_unit(r), &sc, SWAP_CLUSTER_MAX,
					    LRU_INACTIVE_FILE) != SWAP_CLUSTER_MAX);
}

/* Anonymous pages, young in the table: looked at and moved to the inactive list. */
static void anon_reset(struct bench_ctx *ctx)
{
	struct bench_rig *r = ctx->data;

	bench_rig_map(r, 0x10000000, SCAN_PAGES);
	bench_rig_touch(r);
	lru_add_drain_all(&r->vm->lru);
}

static int anon_setup(struct bench_ctx *ctx)
{
	struct bench_rig *r = bench_rig_new("mem=1G ideal=1 threads=manual swap=1G", &ctx->error);

	ctx->data = r;
	ctx->items = SWAP_CLUSTER_MAX;
	if (!r)
		return -ENOMEM;
	anon_reset(ctx);
	return 0;
}

static void deactivate_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;
	const u64 *moved = &r->m->hw.cpus[0].events[EV_PGDEACTIVATE], before = *moved;
	struct scan_control sc = control();

	for (u64 i = 0; i < n; i++)
		shrink_active_list(r->m->reclaim.vmscan, only_unit(r), &sc, SWAP_CLUSTER_MAX, LRU_ACTIVE_ANON);
	BUG_ON(*moved - before != n * SWAP_CLUSTER_MAX);
}

/* ---- generations (mglru=1) ---- */

static int evict_gen_setup(struct bench_ctx *ctx)
{
	struct bench_rig *r = bench_rig_new("mem=1G ideal=1 threads=manual mglru=1", &ctx->error);

	ctx->data = r;
	ctx->items = MIN_LRU_BATCH;
	if (!r || !filemap_open(&r->vm->files, 1, (u64)SCAN_PAGES << 12, false))
		return -ENOMEM;
	fill_reset(ctx);
	return 0;
}

/* At the first priority a pass over so many pages is one batch. */
static void evict_gen_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;
	u64 lru_pages = 0;

	while (n--) {
		struct scan_control sc = control();

		lru_gen_shrink(r->m->reclaim.vmscan, only_unit(r), &sc, &lru_pages);
		BUG_ON(sc.nr_reclaimed != MIN_LRU_BATCH);
	}
}

static void age_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;

	while (n--)
		lru_gen_begin(r->m->reclaim.vmscan, only_unit(r), true, true);
}

static void walk_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;

	while (n--)
		lru_gen_walk_mms(r->vm, only_unit(r)->vec, true, true);
}

/* Pages that were young once; without a reset their entries stay old. */
static int age_setup(struct bench_ctx *ctx)
{
	static const char settings[] = "mem=1G ideal=1 threads=manual swap=1G mglru=1 hwad=1";

	if (bench_rig_setup_touched(ctx, settings, 0x10000000, SCAN_PAGES))
		return -ENOMEM;
	ctx->items = SCAN_PAGES;
	age_run(ctx, 1);
	return 0;
}

static void age_reset(struct bench_ctx *ctx)
{
	bench_rig_touch(ctx->data);
}

static void teardown(struct bench_ctx *ctx)
{
	bench_rig_free(ctx->data);
}

const struct bench_case bench_reclaim_cases[] = {
	{.suite = "reclaim", .name = "evict", .help = "an inactive file page scanned and freed, shadow left",
	 .setup = scan_setup, .run = evict_run, .reset = fill_reset, .teardown = teardown,
	 .batch = SCAN_PAGES / SWAP_CLUSTER_MAX, .goal = 10, .rival = 650, .rival_name = "host kernel"},
	{.suite = "reclaim", .name = "deactivate", .help = "an active anonymous page scanned, young, deactivated",
	 .setup = anon_setup, .run = deactivate_run, .reset = anon_reset, .teardown = teardown,
	 .batch = SCAN_PAGES / SWAP_CLUSTER_MAX, .goal = 10, .rival = 650, .rival_name = "host kernel"},
	{.suite = "reclaim", .name = "evict_gen", .help = "a file page of the oldest generation scanned and freed",
	 .setup = evict_gen_setup, .run = evict_gen_run, .reset = fill_reset, .teardown = teardown,
	 .batch = SCAN_PAGES / MIN_LRU_BATCH / 2},
	{.suite = "reclaim", .name = "age_old", .help = "an entry of a page table that aging finds old",
	 .setup = age_setup, .run = walk_run, .teardown = teardown},
	{.suite = "reclaim", .name = "age_young", .help = "a young one made old, its page moved on",
	 .setup = age_setup, .run = age_run, .reset = age_reset, .teardown = teardown, .batch = 1},
	{0},
};
