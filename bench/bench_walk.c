/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Suite walk: page-table walks and range work. "constant" walks an inlined body whose geometry the
 * compiler knows; "entry" goes through pt_user_access(), which switches over the geometries; "access"
 * is the whole of an access that does not fault, counters included; the others know tables only.
 */
#include <errno.h>

#include "bench/bench.h"
#include "bench/bench_rig.h"
#include "bench/pt_tree.h"
#include "core/vm/pgtable.h"
#include "core/vm/tlb.h"
#include "core/vm/vm.h"

#define BASE  0x100000000ull
#define PAGES 512u /* tables and a bit of memmap: in the first-level cache */

static int setup(struct bench_ctx *ctx, const char *settings, u64 pages)
{
	if (bench_rig_setup(ctx, settings, BASE, pages))
		return -ENOMEM;
	bench_rig_touch(ctx->data);
	return 0;
}

static int small_setup(struct bench_ctx *ctx)
{
	return setup(ctx, "mem=256M", PAGES);
}

static void teardown(struct bench_ctx *ctx)
{
	bench_rig_free(ctx->data);
}

static void constant_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;
	paddr_t sum = 0;

	for (u64 i = 0; i < n; i++)
		sum += pt_user_body(&pt_geometries[PT_A64_4K_48], &r->vm->mem, r->t->mm->pgd, BASE + (i % PAGES << 12),
					 PT_ACCESS_WRITE, false).pa;
	bench_use_u64(sum);
}

static void entry_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;
	paddr_t sum = 0;

	for (u64 i = 0; i < n; i++)
		sum += pt_user_access(r->vm->geom, &r->vm->mem, r->t->mm->pgd, BASE + (i % PAGES << 12),
				    PT_ACCESS_WRITE, false).pa;
	bench_use_u64(sum);
}

static void access_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;

	for (u64 i = 0; i < n; i++)
		mm_access(r->vm, r->t, BASE + (i % PAGES << 12), MM_ACCESS_WRITE);
}

/* Every access finds its translation in the model's TLB. */
static int tlb_setup(struct bench_ctx *ctx)
{
	int r = setup(ctx, "mem=256M tlb=1024", PAGES);

	for (u64 i = 0; !r && i < PAGES; i++) {
		struct bench_rig *rig = ctx->data;

		mm_access(rig->vm, rig->t, BASE + (i << 12), MM_ACCESS_WRITE);
	}
	return r;
}

/* The look-up alone, as "constant" is to "access". */
static void lookup_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;
	paddr_t sum = 0, pa = 0;

	for (u64 i = 0; i < n; i++) {
		tlb_lookup(r->vm->tlb, 0, r->t->mm->context, BASE + (i % PAGES << 12), TLB_WRITE, &pa);
		sum += pa;
	}
	bench_use_u64(sum);
}

/* ---- tables alone ---- */

static int keep_tree(struct bench_ctx *ctx, struct pt_tree *t)
{
	ctx->data = t;
	return t ? 0 : -ENOMEM;
}

static void tree_free(struct bench_ctx *ctx)
{
	pt_tree_free(ctx->data);
}

/* 64 GiB of 4 KiB pages: 128 MiB of tables. */
static int huge_setup(struct bench_ctx *ctx)
{
	return keep_tree(ctx, pt_tree_new(PT_A64_4K_48, 64 * GiB >> 12, 4096, 192 * MiB));
}

static void batched_run(struct bench_ctx *ctx, u64 n)
{
	struct pt_tree *t = ctx->data;
	const struct pt_mmu mmu = pt_tree_mmu(t);
	u64 faults = 0, k;

	for (u64 i = 0; i < n; i += k) {
		k = n - i < PT_TREE_BATCH ? n - i : PT_TREE_BATCH;
		faults += mmu_translate_batch(t->space.geom, &t->mem, &mmu, &t->va[i % PT_TREE_NR_VA], k,
					      PT_ACCESS_WRITE, true, t->results);
	}
	bench_use_u64(faults);
}

/* Each address depends on the answer before. */
static void dependent_run(struct bench_ctx *ctx, u64 n)
{
	struct pt_tree *t = ctx->data;
	const struct pt_mmu mmu = pt_tree_mmu(t);
	u64 at = 0;

	for (u64 i = 0; i < n; i++) {
		mmu_translate(t->space.geom, &t->mem, &mmu, t->va[at], PT_ACCESS_WRITE, true, t->results);
		at = (t->results->pa >> 12) * 0x9e3779b9u % PT_TREE_NR_VA;
	}
	bench_use_u64(at);
}

static int dense_setup(struct bench_ctx *ctx)
{
	return keep_tree(ctx, pt_tree_dense((enum pt_geom)ctx->arg));
}

static int sparse_setup(struct bench_ctx *ctx)
{
	return keep_tree(ctx, pt_tree_sparse((enum pt_geom)ctx->arg));
}

static void geometry_run(struct bench_ctx *ctx, u64 n)
{
	bench_use_u64(pt_tree_walk(ctx->data, n));
}

/* ---- ranges: map and unmap, a batch at a time ---- */

#define RANGE_PAGES 8192u

static int range_setup(struct bench_ctx *ctx)
{
	return keep_tree(ctx, pt_tree_new(PT_A64_4K_48, RANGE_PAGES, 4096, 16 * MiB));
}

static void unmap_run(struct bench_ctx *ctx, u64 n)
{
	struct pt_tree *t = ctx->data;

	pt_unmap_range(&t->space, PT_TREE_VA, pt_tree_va(t, n), NULL, NULL);
}

static void map_run(struct bench_ctx *ctx, u64 n)
{
	struct pt_tree *t = ctx->data;

	if (pt_map_range(&t->space, PT_TREE_VA, n, 0x1000, pte_user_prot(PT_READ | PT_WRITE)))
		BUG();
}

/* Tables stay, as they do while an address space lives. */
static void map_reset(struct bench_ctx *ctx)
{
	unmap_run(ctx, RANGE_PAGES);
}

static void unmap_reset(struct bench_ctx *ctx)
{
	map_run(ctx, RANGE_PAGES);
}

const struct bench_case bench_walk_cases[] = {
	{.suite = "walk", .name = "constant", .help = "a walk of four levels in cache, geometry known to the compiler",
	 .setup = small_setup, .run = constant_run, .teardown = teardown, .goal = 3, .rival = 138,
	 .rival_name = "QEMU's walker"},
	{.suite = "walk", .name = "entry", .help = "the same through the public entry", .setup = small_setup,
	 .run = entry_run, .teardown = teardown, .goal = 14, .rival = 138, .rival_name = "QEMU's walker"},
	{.suite = "walk", .name = "access", .help = "an access that does not fault, counters included",
	 .setup = small_setup, .run = access_run, .teardown = teardown, .goal = 14, .rival = 138,
	 .rival_name = "QEMU's walker"},
	{.suite = "walk", .name = "tlb-hit", .help = "a look-up that hits the model TLB", .setup = tlb_setup,
	 .run = lookup_run, .teardown = teardown, .goal = 2, .rival = 2, .rival_name = "QEMU's TLB"},
	{.suite = "walk", .name = "tlb-access", .help = "an access that hits the model TLB, counters included",
	 .setup = tlb_setup, .run = access_run, .teardown = teardown},
	{.suite = "walk", .name = "random-batched", .help = "a walk over 64 GiB at random, with look-ahead",
	 .setup = huge_setup, .run = batched_run, .teardown = tree_free, .goal = 30, .rival = 183,
	 .rival_name = "one after another"},
	{.suite = "walk", .name = "random-dependent", .help = "the same, each address out of the answer before",
	 .setup = huge_setup, .run = dependent_run, .teardown = tree_free},
	{.suite = "walk", .name = "dense", .help = "a random walk, 2048 pages side by side; geometry.def's order",
	 .setup = dense_setup, .run = geometry_run, .teardown = tree_free, .args = {0, 1, 2, 3, 4, 5, 6, 7, 8},
	 .nr_args = PT_NR_GEOM, .arg_name = "geometry"},
	{.suite = "walk", .name = "sparse", .help = "the same, pages far apart; geometry.def's order",
	 .setup = sparse_setup, .run = geometry_run, .teardown = tree_free, .args = {0, 1, 2, 3, 4, 5, 6, 7, 8},
	 .nr_args = PT_NR_GEOM, .arg_name = "geometry"},
	{.suite = "walk", .name = "map", .help = "a page mapped, one after another, tables there", .setup = range_setup,
	 .run = map_run, .reset = map_reset, .teardown = tree_free, .batch = RANGE_PAGES, .goal = 1},
	{.suite = "walk", .name = "unmap", .help = "a page unmapped, as a range", .setup = range_setup,
	 .run = unmap_run, .reset = unmap_reset, .teardown = tree_free, .batch = RANGE_PAGES, .goal = 0.5, .rival = 248,
	 .rival_name = "the host's kernel"},
	{0},
};
