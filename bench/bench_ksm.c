/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Suite ksm: full scans of unique pages. first-scans is what ksmd does to memory it has not seen:
 * it sums every page, and in the second full scan finds it unchanged and looks for its like;
 * nothing merges. rescan is every full scan after that, while nobody writes.
 */
#include <errno.h>

#include "bench/bench.h"
#include "bench/bench_rig.h"
#include "core/reclaim/ksm.h"
#include "core/vm/vm.h"

#define BASE  0x100000000ull
#define PAGES 32768u /* 128 MiB: more than a cache holds */

/* @settings, and mem and data; every page has contents of its own. */
static int setup(struct bench_ctx *ctx, const char *settings)
{
	struct bench_rig *r;

	if (bench_rig_setup(ctx, settings, BASE, PAGES))
		return -ENOMEM;
	r = ctx->data;
	if (sys_madvise(r->vm, r->t, BASE, (u64)PAGES << 12, MM_MADV_MERGEABLE) ||
	    mm_fill(r->vm, r->t, BASE, (u64)PAGES << 12, 0x9e3779b97f4a7c15ull,
		    0x9e3779b97f4a7c15ull)) {
		ctx->error = "the pages cannot be laid out";
		return -ENOMEM;
	}
	vm_lru_drain_all(r->vm);
	return 0;
}

static int hash_bytes(struct bench_ctx *ctx)
{
	return setup(ctx, "mem=512M data=bytes ksm_order=hash");
}

static int contents_bytes(struct bench_ctx *ctx)
{
	return setup(ctx, "mem=512M data=bytes ksm_order=contents ksm_checksum=xxhash");
}

static int jhash_bytes(struct bench_ctx *ctx)
{
	return setup(ctx, "mem=512M data=bytes ksm_order=contents");
}

static int hash_tags(struct bench_ctx *ctx)
{
	return setup(ctx, "mem=512M ksm_order=hash");
}

static void scan_run(struct bench_ctx *ctx, u64 n)
{
	struct ksm *k = ((struct bench_rig *)ctx->data)->m->reclaim.ksm;
	u64 end = k->pages_scanned + n;

	while (k->pages_scanned < end)
		ksm_do_scan(k, end - k->pages_scanned);
}

/* As if ksmd had never seen a page. */
static void forget(struct bench_ctx *ctx)
{
	struct ksm *k = ((struct bench_rig *)ctx->data)->m->reclaim.ksm;

	ksm_set_run(k, KSM_RUN_UNMERGE);
	ksm_set_run(k, KSM_RUN_STOP);
}

static int seen(struct bench_ctx *ctx, int r)
{
	struct ksm_stats s;

	if (r)
		return r;
	ksm_full_scans(((struct bench_rig *)ctx->data)->m->reclaim.ksm, 3);
	ksm_stats(((struct bench_rig *)ctx->data)->m->reclaim.ksm, &s);
	if (s.pages_unshared != PAGES) {
		ctx->error = "the pages are not unique";
		return -EINVAL;
	}
	return 0;
}

static int hash_seen(struct bench_ctx *ctx)
{
	return seen(ctx, hash_bytes(ctx));
}

static int contents_seen(struct bench_ctx *ctx)
{
	return seen(ctx, contents_bytes(ctx));
}

#define SCAN(nm, text, su)                                                                         \
	.suite = "ksm", .name = nm, .help = text, .setup = su, .run = scan_run,                    \
	.teardown = bench_rig_teardown, .unit = BENCH_M_PER_SEC
#define FIRST(nm, text, su)                                                                        \
	SCAN(nm, text, su), .reset = forget, .batch = 2 * PAGES, .iterations = 2 * PAGES

const struct bench_case bench_ksm_cases[] = {
	{FIRST("first-scans", "a page of real bytes in the first two full scans", hash_bytes),
	 .goal = 4, .rival = 0.2, .rival_name = "ksmd"},
	{FIRST("first-scans-contents", "the same in trees by contents, xxhash", contents_bytes),
	 .rival = 0.2, .rival_name = "ksmd"},
	{FIRST("first-scans-jhash2", "the same in trees by contents, jhash2 as in 4.0",
	       jhash_bytes),
	 .rival = 0.2, .rival_name = "ksmd"},
	{FIRST("first-scans-tags", "the same with tags for contents", hash_tags)},
	{SCAN("rescan", "a page of real bytes that nobody wrote, seen again", hash_seen),
	 .goal = 200, .rival = 4, .rival_name = "ksmd"},
	{SCAN("rescan-contents", "the same in trees by contents", contents_seen), .rival = 4,
	 .rival_name = "ksmd"},
	{0},
};
