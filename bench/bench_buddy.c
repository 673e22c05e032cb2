/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Suite buddy: the page allocator of one CPU. Pairs (allocate, free at once), a large set allocated and
 * freed in random order until all is merged, boot; each against the size of memory.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/bench_phys.h"
#include "core/base/prng.h"

#define RIVAL_CPU "2-core Zen 4 VM"
#define PAGES     262144u /* of a random free: 1 GiB */

struct set {
	struct phys_bench *b;
	struct page **pages; /* [PAGES] */
	u32 *slot;           /* where the i-th page allocated goes: its turn to be freed */
};

static int boot_gib(struct set *s, u64 gib)
{
	char text[128];

	snprintf(text, sizeof(text), "arch=arm64 ideal=1 mem=%lluG", (unsigned long long)gib);
	s->b = phys_bench_boot(text);
	return s->b ? 0 : -ENOMEM;
}

static void set_free(struct set *s)
{
	if (s->b)
		phys_bench_down(s->b);
	free(s->pages);
	free(s->slot);
	free(s);
}

/* ---- pairs ---- */

static int pair_boot(struct bench_ctx *ctx, u64 gib)
{
	struct set *s = calloc(1, sizeof(*s));

	ctx->data = s;
	return s && !boot_gib(s, gib) ? 0 : -ENOMEM;
}

static int pair_setup(struct bench_ctx *ctx)
{
	return pair_boot(ctx, 2);
}

static int pair_mem_setup(struct bench_ctx *ctx)
{
	return pair_boot(ctx, (u64)ctx->arg);
}

static void pair_run(struct bench_ctx *ctx, unsigned order, u64 n)
{
	struct phys *p = &((struct set *)ctx->data)->b->phys;

	for (u64 i = 0; i < n; i++) {
		struct page *page = alloc_pages(p, 0, GFP_HIGHUSER_MOVABLE, order);

		bench_use(page);
		free_pages_page(p, 0, page, order);
	}
}

static void pair0_run(struct bench_ctx *ctx, u64 n)
{
	pair_run(ctx, 0, n);
}

static void pair9_run(struct bench_ctx *ctx, u64 n)
{
	pair_run(ctx, 9, n);
}

static void pair_order_run(struct bench_ctx *ctx, u64 n)
{
	pair_run(ctx, (unsigned)ctx->arg, n);
}

static void set_teardown(struct bench_ctx *ctx)
{
	set_free(ctx->data);
}

/* ---- a large set freed in random order ---- */

static int random_boot(struct bench_ctx *ctx, u64 gib)
{
	struct set *s = calloc(1, sizeof(*s));
	struct prng prng;

	ctx->data = s;
	if (!s || boot_gib(s, gib))
		return -ENOMEM;
	s->pages = calloc(PAGES, sizeof(*s->pages));
	s->slot = calloc(PAGES, sizeof(*s->slot));
	if (!s->pages || !s->slot)
		return -ENOMEM;
	for (u32 i = 0; i < PAGES; i++)
		s->slot[i] = i;
	prng_seed(&prng, 1);
	for (u32 i = PAGES - 1; i; i--) {
		u32 j = (u32)prng_below(&prng, i + 1), t = s->slot[i];

		s->slot[i] = s->slot[j];
		s->slot[j] = t;
	}
	ctx->items = PAGES;
	return 0;
}

static int random_setup(struct bench_ctx *ctx)
{
	return random_boot(ctx, 2);
}

/* 1 GiB holds the set only without watermarks: sizes are from 2 GiB up. */
static int random_mem_setup(struct bench_ctx *ctx)
{
	return random_boot(ctx, (u64)ctx->arg);
}

static void random_run(struct bench_ctx *ctx, u64 n)
{
	struct set *s = ctx->data;
	struct phys *p = &s->b->phys;

	for (u64 k = 0; k < n; k++) {
		for (u32 i = 0; i < PAGES; i++)
			s->pages[s->slot[i]] = alloc_pages(p, 0, GFP_HIGHUSER_MOVABLE, 0);
		for (u32 i = 0; i < PAGES; i++)
			free_pages_page(p, 0, s->pages[i], 0);
		drain_all_pages(p);
	}
}

static void random_bulk_run(struct bench_ctx *ctx, u64 n)
{
	struct set *s = ctx->data;
	struct phys *p = &s->b->phys;

	for (u64 k = 0; k < n; k++) {
		for (u32 i = 0; i < PAGES; i++)
			s->pages[s->slot[i]] = alloc_pages(p, 0, GFP_HIGHUSER_MOVABLE, 0);
		free_pages_bulk(p, 0, s->pages, PAGES);
		drain_all_pages(p);
	}
}

/* ---- boot ---- */

static void boot_run(struct bench_ctx *ctx, u64 n)
{
	char text[128];

	snprintf(text, sizeof(text), "arch=arm64 ideal=1 mem=%lluG", (unsigned long long)ctx->arg);
	for (u64 i = 0; i < n; i++) {
		struct phys_bench *b = phys_bench_boot(text);

		bench_use(b);
		if (b)
			phys_bench_down(b);
	}
}

#define SIZES {2, 8, 32, 128, 512, 1024}, .nr_args = 6, .arg_name = "GiB"

const struct bench_case bench_buddy_cases[] = {
	{.suite = "buddy", .name = "pair0", .help = "one page allocated and freed", .setup = pair_setup,
	 .run = pair0_run, .teardown = set_teardown, .goal = 5, .rival = 26,
	 .rival_name = "Linux 6.1's code in a process, " RIVAL_CPU},
	{.suite = "buddy", .name = "pair9", .help = "2 MiB allocated and freed", .setup = pair_setup,
	 .run = pair9_run, .teardown = set_teardown, .goal = 8, .rival = 51,
	 .rival_name = "LLFree, " RIVAL_CPU},
	{.suite = "buddy", .name = "random_free",
	 .help = "a page of 262144, allocated, then freed in random order until all is merged",
	 .setup = random_setup, .run = random_run, .teardown = set_teardown, .goal = 20, .rival = 73,
	 .rival_name = "LLFree, " RIVAL_CPU},
	{.suite = "buddy", .name = "random_bulk",
	 .help = "the same, the pages given back by one call that knows them all",
	 .setup = random_setup, .run = random_bulk_run, .teardown = set_teardown, .goal = 20, .rival = 73,
	 .rival_name = "LLFree, " RIVAL_CPU},
	{.suite = "buddy", .name = "pair", .help = "a block allocated and freed", .setup = pair_setup,
	 .run = pair_order_run, .teardown = set_teardown,
	 .args = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, .nr_args = 11, .arg_name = "order"},
	{.suite = "buddy", .name = "pair_mem", .help = "one page allocated and freed, by size of memory",
	 .setup = pair_mem_setup, .run = pair0_run, .teardown = set_teardown, .args = SIZES},
	{.suite = "buddy", .name = "random_mem",
	 .help = "a page of the random free, by size of memory", .setup = random_mem_setup,
	 .run = random_run, .teardown = set_teardown, .args = SIZES},
	{.suite = "buddy", .name = "boot", .help = "floors 2 and 3 booted and taken down (goal: 1 TiB)",
	 .run = boot_run, .args = SIZES, .goal = 10e6},
	{0},
};
