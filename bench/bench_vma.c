/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Suite vma: look-ups among many VMAs, and mapping calls. arg: the number of VMAs; neighbours differ in
 * rights, so that they do not merge.
 */
#include <errno.h>

#include "bench/bench.h"
#include "bench/bench_rig.h"
#include "core/vm/vm.h"
#include "core/vm/vma.h"

#define BASE 0x100000000ull

static int setup(struct bench_ctx *ctx)
{
	struct bench_rig *r = bench_rig_new("mem=4G max_map_count=2000000", &ctx->error);
	u64 n = (u64)ctx->arg;

	ctx->data = r;
	if (!r || !bench_rig_shuffle(r, n))
		return -ENOMEM;
	for (u64 i = 0; i < n; i++)
		BUG_ON(sys_mmap(r->vm, r->t, BASE + i * 8192, 4096, i & 1 ? MM_PROT_READ : MM_PROT_NONE,
				MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED, 0, 0, 0) < 0);
	r->pages = n;
	return 0;
}

static void teardown(struct bench_ctx *ctx)
{
	bench_rig_free(ctx->data);
}

static void find_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;
	u64 sum = 0, at = 0;

	for (u64 i = 0; i < n; i++) {
		sum += find_vma_slow(r->vm, r->t->mm, BASE + r->order[at] * 8192)->vm_start;
		at = at + 1 == r->pages ? 0 : at + 1;
	}
	bench_use_u64(sum);
}

static void near_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;
	u64 sum = 0;

	for (u64 i = 0; i < n; i++)
		sum += find_vma(r->vm, r->t, BASE + 8192 + (i & 1023))->vm_start;
	bench_use_u64(sum);
}

static void map_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;

	for (u64 i = 0; i < n; i++) {
		s64 a = sys_mmap(r->vm, r->t, 0, 16384, MM_PROT_READ | MM_PROT_WRITE,
				 MM_MAP_PRIVATE | MM_MAP_ANON, 0, 0, 0);

		sys_munmap(r->vm, r->t, (u64)a, 16384);
	}
}

const struct bench_case bench_vma_cases[] = {
	{.suite = "vma", .name = "find", .help = "find_vma at a random VMA", .setup = setup, .run = find_run,
	 .teardown = teardown, .args = {100, 10000, 1000000}, .nr_args = 3, .arg_name = "vmas",
	 .arg_rivals = {27, 87, 1086}, .rival_name = "Linux's rbtree"},
	{.suite = "vma", .name = "find-near", .help = "find_vma where the last hit was", .setup = setup,
	 .run = near_run, .teardown = teardown, .args = {10000}, .nr_args = 1, .arg_name = "vmas", .goal = 5,
	 .rival = 41, .rival_name = "Linux"},
	{.suite = "vma", .name = "mmap-munmap", .help = "16 KiB mapped and unmapped untouched", .setup = setup,
	 .run = map_run, .teardown = teardown, .args = {100}, .nr_args = 1, .arg_name = "vmas", .goal = 75,
	 .rival = 801, .rival_name = "Linux 6.1's code in a process; 4060 on a host kernel"},
	{0},
};
