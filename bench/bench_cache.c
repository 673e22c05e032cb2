/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Suite cache: the page cache from inside: look-ups, reads that hit, reads that miss, writes and their
 * way to a device that is done at once. Contents are tags (data=tag); an item is a page.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/bench_rig.h"
#include "core/backing/file_io.h"
#include "core/vm/vm.h"
#include "core/vm/writeback.h"

#define BATCH 16384u /* pages of the file, but for look-ups */

struct cache_rig {
	struct bench_rig *r;
	struct filemap *fm;
	struct vm_file *f;
	u64 pages;
};

static void teardown(struct bench_ctx *ctx)
{
	struct cache_rig *c = ctx->data;

	if (c)
		bench_rig_free(c->r);
	free(c);
}

static int setup_pages(struct bench_ctx *ctx, const char *settings, u64 pages, bool shuffled)
{
	struct cache_rig *c = calloc(1, sizeof(*c));

	ctx->data = c;
	if (!c)
		return -ENOMEM;
	c->r = bench_rig_new(settings, &ctx->error);
	if (!c->r)
		return -ENOMEM;
	c->fm = &c->r->vm->files;
	c->pages = pages;
	c->f = filemap_open(c->fm, 1, pages << 12, false);
	return c->f && (!shuffled || bench_rig_shuffle(c->r, pages)) ? 0 : -ENOMEM;
}

static int cold_setup(struct bench_ctx *ctx)
{
	return setup_pages(ctx, "mem=1G threads=manual", BATCH, false);
}

static int warm_setup(struct bench_ctx *ctx)
{
	u64 pages = ctx->arg ? (u64)ctx->arg : BATCH;
	int r = setup_pages(ctx, "mem=6G threads=manual", pages, true);

	if (!r)
		BUG_ON(file_read(((struct cache_rig *)ctx->data)->fm, ((struct cache_rig *)ctx->data)->f, 0,
				 pages << 12, NULL) != (s64)(pages << 12));
	return r;
}

/* Nothing cached. */
static void cold_reset(struct bench_ctx *ctx)
{
	struct cache_rig *c = ctx->data;

	filemap_truncate(c->fm, c->f, 0);
	filemap_truncate(c->fm, c->f, c->pages << 12);
	c->f->ra.prev_pos = UINT64_MAX;
	vm_lru_drain_all(c->r->vm);
}

static void find_run(struct bench_ctx *ctx, u64 n)
{
	struct cache_rig *c = ctx->data;
	u64 at = 0;

	for (u64 i = 0; i < n; i++) {
		struct page *p = find_get_page(c->fm, &c->f->mapping, c->r->order[at]);

		put_page_testzero(p);
		at = at + 1 < c->pages ? at + 1 : 0;
	}
}

static void read_run(struct bench_ctx *ctx, u64 n)
{
	struct cache_rig *c = ctx->data;

	for (u64 i = 0; i < n; i++)
		BUG_ON(file_read(c->fm, c->f, i % c->pages << 12, 4096, NULL) != 4096);
}

/* Its caches do not help the reader: one page a request, no window. */
static void random_miss_reset(struct bench_ctx *ctx)
{
	cold_reset(ctx);
	((struct cache_rig *)ctx->data)->f->mode |= FMODE_RANDOM;
}

static void write_run(struct bench_ctx *ctx, u64 n)
{
	struct cache_rig *c = ctx->data;

	for (u64 i = 0; i < n; i++)
		BUG_ON(file_write(c->fm, c->f, i % c->pages << 12, 4096, NULL) != 4096);
}

static void write_sync_run(struct bench_ctx *ctx, u64 n)
{
	struct cache_rig *c = ctx->data;

	write_run(ctx, n);
	BUG_ON(file_write_range(c->r->vm, c->f, 0, UINT64_MAX, true));
}

const struct bench_case bench_cache_cases[] = {
	{.suite = "cache", .name = "find", .help = "find_get_page at random and its put", .setup = warm_setup,
	 .run = find_run, .teardown = teardown, .args = {16384, 1048576}, .nr_args = 2, .arg_name = "pages"},
	{.suite = "cache", .name = "read-hit", .help = "a cached page read", .setup = warm_setup, .run = read_run,
	 .teardown = teardown, .batch = BATCH},
	{.suite = "cache", .name = "read-ahead", .help = "a page read in sequence, not cached before",
	 .setup = cold_setup, .run = read_run, .reset = cold_reset, .teardown = teardown, .batch = BATCH},
	{.suite = "cache", .name = "read-miss", .help = "a page read alone, not cached before", .setup = cold_setup,
	 .run = read_run, .reset = random_miss_reset, .teardown = teardown, .batch = BATCH},
	{.suite = "cache", .name = "write", .help = "a cached page overwritten and dirtied", .setup = warm_setup,
	 .run = write_run, .teardown = teardown, .batch = BATCH},
	{.suite = "cache", .name = "write-sync", .help = "a cached page overwritten and written back",
	 .setup = warm_setup, .run = write_sync_run, .teardown = teardown, .batch = BATCH},
	{0},
};
