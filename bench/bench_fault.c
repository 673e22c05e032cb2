/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Suite fault: faults by kind, fork and unmapping, each through the public entry of floor 6: walk, VMA
 * look-up, page, rmap, LRU batch, descriptor, counters. Contents are tags (data=tag).
 */
#include <errno.h>

#include "bench/bench.h"
#include "bench/bench_rig.h"
#include "core/vm/fork.h"
#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"
#include "core/vm/vm.h"

#define BASE  0x100000000ull
#define PAGES 16384u /* 64 MiB: 640 KiB of struct page, 128 KiB of descriptors */

static int plain_setup(struct bench_ctx *ctx)
{
	return bench_rig_setup(ctx, "mem=1G", BASE, PAGES);
}

/* Nothing mapped, all tables and frames given back. */
static void fresh_reset(struct bench_ctx *ctx)
{
	struct bench_rig *r = ctx->data;

	bench_rig_map(r, BASE, PAGES);
	vm_lru_drain_all(r->vm);
}

static void touch_run(struct bench_ctx *ctx, u64 n, unsigned access)
{
	struct bench_rig *r = ctx->data;

	for (u64 i = 0; i < n; i++)
		mm_access(r->vm, r->t, BASE + (i % PAGES << 12), access);
}

static void write_run(struct bench_ctx *ctx, u64 n)
{
	touch_run(ctx, n, MM_ACCESS_WRITE);
}

static void read_run(struct bench_ctx *ctx, u64 n)
{
	touch_run(ctx, n, MM_ACCESS_READ);
}

/* The child writes what it shares with the parent: one copy a page. */
static void fork_reset(struct bench_ctx *ctx)
{
	struct bench_rig *r = ctx->data;

	vm_exit(r->vm, r->child);
	vm_lru_drain_all(r->vm);
	bench_rig_touch(r);
	BUG_ON(vm_fork(r->vm, r->t, r->child));
}

static void cow_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;

	for (u64 i = 0; i < n; i++)
		mm_access(r->vm, r->child, BASE + (i % PAGES << 12), MM_ACCESS_WRITE);
}

/* The parent writes when the child is gone: one reuse a page. */
static void reuse_reset(struct bench_ctx *ctx)
{
	struct bench_rig *r = ctx->data;

	fork_reset(ctx);
	vm_exit(r->vm, r->child);
}

/* arg: resident pages. An item is a page. */
static int fork_setup(struct bench_ctx *ctx)
{
	if (bench_rig_setup(ctx, "mem=2G", BASE, (u64)ctx->arg))
		return -ENOMEM;
	bench_rig_touch(ctx->data);
	ctx->items = (u64)ctx->arg;
	return 0;
}

static void exit_reset(struct bench_ctx *ctx)
{
	struct bench_rig *r = ctx->data;

	vm_exit(r->vm, r->child);
}

static void fork_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;

	while (n--)
		BUG_ON(vm_fork(r->vm, r->t, r->child));
}

static void zap_reset(struct bench_ctx *ctx)
{
	fork_reset(ctx);
}

static void zap_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;

	while (n--)
		sys_madvise(r->vm, r->child, r->base, r->pages << 12, MM_MADV_DONTNEED);
}

/* arg: address spaces that map one page, the first process and its children. An item is a mapping. */
static int rmap_setup(struct bench_ctx *ctx)
{
	struct bench_rig *r;

	if (bench_rig_setup(ctx, "mem=1G", BASE, 1))
		return -ENOMEM;
	r = ctx->data;
	bench_rig_touch(r);
	for (u32 i = 0; i + 1 < (u32)ctx->arg; i++) {
		u32 task = r->child->index + 1 + i;

		if (vm_define_task(r->vm, task, task, task) || vm_fork(r->vm, r->t, vm_task(r->vm, task)))
			return -ENOMEM;
	}
	ctx->items = (u64)ctx->arg;
	return 0;
}

static void rmap_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;
	struct page *p = vm_normal_page(r->vm, get_pte(r->vm, pte_lookup(r->vm, r->t->mm, BASE), 0));
	u32 flags;

	while (n--)
		page_referenced(r->vm, p, true, &flags);
}

const struct bench_case bench_fault_cases[] = {
	{.suite = "fault", .name = "anon-write", .help = "first write to an anonymous page", .setup = plain_setup,
	 .run = write_run, .reset = fresh_reset,
	 .teardown = bench_rig_teardown, .batch = PAGES, .goal = 25, .rival = 195,
	 .rival_name = "Linux 6.1's code in a process; 1592 on a host kernel"},
	{.suite = "fault", .name = "anon-read", .help = "first read of an anonymous page: the zero page",
	 .setup = plain_setup, .run = read_run, .reset = fresh_reset, .teardown = bench_rig_teardown, .batch = PAGES},
	{.suite = "fault", .name = "cow-copy", .help = "write to a page shared since fork", .setup = plain_setup,
	 .run = cow_run, .reset = fork_reset, .teardown = bench_rig_teardown, .batch = PAGES, .goal = 40, .rival = 2290,
	 .rival_name = "host kernel"},
	{.suite = "fault", .name = "cow-reuse", .help = "write to a page whose other user is gone",
	 .setup = plain_setup, .run = write_run, .reset = reuse_reset, .teardown = bench_rig_teardown, .batch = PAGES,
	 .goal = 20, .rival = 749, .rival_name = "host kernel"},
	{.suite = "fault", .name = "fork", .help = "a resident page copied by fork", .setup = fork_setup,
	 .run = fork_run, .reset = exit_reset, .teardown = bench_rig_teardown, .batch = 1,
	 .args = {64, 256, 1024, 4096, 16384, 65536}, .nr_args = 6, .arg_name = "pages", .goal = 5, .rival = 51,
	 .rival_name = "host kernel"},
	{.suite = "fault", .name = "rmap", .help = "one mapping of a shared page, by a walk of all of them",
	 .setup = rmap_setup, .run = rmap_run, .teardown = bench_rig_teardown,
	 .args = {1, 4, 16, 64, 256}, .nr_args = 5, .arg_name = "mappers"},
	{.suite = "fault", .name = "dontneed-shared", .help = "a shared page dropped by madvise",
	 .setup = fork_setup, .run = zap_run, .reset = zap_reset, .teardown = bench_rig_teardown, .batch = 1,
	 .args = {4096}, .nr_args = 1, .arg_name = "pages"},
	{0},
};
