/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Suite pcp: per-CPU page lists with one host thread per virtual CPU (smp=1), and what they save.
 * pair/threads=2 against threads=1 is the scaling figure.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/bench_phys.h"

#define RUN_PAGES 512u

static int smp_setup(struct bench_ctx *ctx)
{
	ctx->data = phys_bench_boot("arch=arm64 ideal=1 mem=4G smp=1 ncpu=8");
	return ctx->data ? 0 : -ENOMEM;
}

static int plain_setup(struct bench_ctx *ctx)
{
	ctx->data = phys_bench_boot("arch=arm64 ideal=1 mem=4G");
	return ctx->data ? 0 : -ENOMEM;
}

static void rig_teardown(struct bench_ctx *ctx)
{
	phys_bench_down(ctx->data);
}

static void pair_run(struct bench_ctx *ctx, u64 n)
{
	struct phys *p = &((struct phys_bench *)ctx->data)->phys;
	unsigned cpu = ctx->thread;

	for (u64 i = 0; i < n; i++) {
		struct page *page = alloc_pages(p, cpu, GFP_HIGHUSER_MOVABLE, 0);

		bench_use(page);
		free_pages_page(p, cpu, page, 0);
	}
}

/* Longer than the lists: a third of the operations meet the zone lock's batches. */
static void stack_run(struct bench_ctx *ctx, u64 n)
{
	struct phys *p = &((struct phys_bench *)ctx->data)->phys;
	struct page *pages[RUN_PAGES];
	unsigned cpu = ctx->thread;

	for (u64 k = 0; k < n; k++) {
		for (u32 i = 0; i < RUN_PAGES; i++)
			pages[i] = alloc_pages(p, cpu, GFP_HIGHUSER_MOVABLE, 0);
		for (u32 i = 0; i < RUN_PAGES; i++)
			free_pages_page(p, cpu, pages[i], 0);
	}
}

static void bulk_run(struct bench_ctx *ctx, u64 n)
{
	struct phys *p = &((struct phys_bench *)ctx->data)->phys;
	struct page *pages[RUN_PAGES];

	for (u64 k = 0; k < n; k++) {
		bench_use_u64(alloc_pages_bulk(p, 0, GFP_HIGHUSER_MOVABLE, RUN_PAGES, pages));
		for (u32 i = 0; i < RUN_PAGES; i++)
			free_pages_page(p, 0, pages[i], 0);
	}
}

const struct bench_case bench_pcp_cases[] = {
	{.suite = "pcp", .name = "pair", .help = "pages allocated and freed by all CPUs together",
	 .setup = smp_setup, .run = pair_run, .teardown = rig_teardown, .threads = {1, 2},
	 .unit = BENCH_M_PER_SEC},
	{.suite = "pcp", .name = "stack", .help = "pages of 512 allocated, then freed, by all CPUs together",
	 .setup = smp_setup, .run = stack_run, .teardown = rig_teardown, .threads = {1, 2},
	 .items = RUN_PAGES, .unit = BENCH_M_PER_SEC},
	{.suite = "pcp", .name = "bulk", .help = "a page of 512 allocated in bulk and freed one by one",
	 .setup = plain_setup, .run = bulk_run, .teardown = rig_teardown, .items = RUN_PAGES},
	{0},
};
