/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Suite walk: page-table walks and range work. "constant" walks an inlined body whose geometry the
 * compiler knows; "entry" goes through pt_user_access(), which switches over the geometries; "access"
 * is the whole of an access that does not fault, counters included.
 */
#include <errno.h>

#include "arch/walk.h"
#include "bench/bench.h"
#include "bench/bench_rig.h"
#include "core/vm/pgtable.h"
#include "core/vm/vm.h"

#define BASE  0x100000000ull
#define PAGES 512u /* tables and a bit of memmap: in the first-level cache */

static int setup(struct bench_ctx *ctx, const char *settings, u64 pages)
{
	struct bench_rig *r = bench_rig_new(settings, &ctx->error);

	ctx->data = r;
	if (!r)
		return -ENOMEM;
	bench_rig_map(r, BASE, pages);
	bench_rig_touch(r);
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

/* The geometries side by side: the same pages touched, the same walk. */
static int geometry_setup(struct bench_ctx *ctx)
{
	static const char *const settings[] = {
		"mem=256M page=4k va=39", "mem=256M page=4k va=48", "mem=256M page=16k va=47",
		"mem=256M page=64k va=42",
	};
	struct bench_rig *r = bench_rig_new(settings[ctx->arg], &ctx->error);

	ctx->data = r;
	if (!r)
		return -ENOMEM;
	bench_rig_map(r, BASE, PAGES);
	bench_rig_touch(r);
	return 0;
}

static void geometry_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;
	unsigned shift = r->vm->page_shift;

	for (u64 i = 0; i < n; i++)
		mm_access(r->vm, r->t, BASE + (i % PAGES << shift), MM_ACCESS_READ);
}

/* Filling descriptors one after another, tables there. */
static void map_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;
	u64 prot = vm_get_page_prot(VM_READ | VM_WRITE);
	pt_slot *slot = NULL;

	for (u64 i = 0; i < n; i++) {
		vaddr_t va = BASE + (i % PAGES << 12);

		if (!(va & (2 * MiB - 1)))
			slot = pte_alloc(r->vm, r->t->mm, va);
		set_pte(r->vm, slot_at(r->vm, slot, (s64)(i % PAGES)), pte_make(0x40000000 + (i % PAGES << 12), prot));
	}
}

/* Saves the descriptors in the rig's array, or puts them back. */
static void keep_entries(struct bench_rig *r, bool restore)
{
	u64 *slots = (u64 *)(void *)pte_lookup(r->vm, r->t->mm, BASE), *saved = r->order;

	for (u64 i = 0; i < PAGES; i++) {
		if (restore)
			slots[i] = saved[i];
		else
			saved[i] = slots[i];
	}
}

static int map_setup(struct bench_ctx *ctx)
{
	int r = small_setup(ctx);

	if (!r && !bench_rig_shuffle(ctx->data, PAGES))
		return -ENOMEM;
	if (!r)
		keep_entries(ctx->data, false);
	return r;
}

static void map_teardown(struct bench_ctx *ctx)
{
	keep_entries(ctx->data, true); /* the frames are still owned by what touched them */
	teardown(ctx);
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
	{.suite = "walk", .name = "geometry", .help = "0: 4K/39, 1: 4K/48, 2: 16K/47, 3: 64K/42",
	 .setup = geometry_setup, .run = geometry_run, .teardown = teardown, .args = {0, 1, 2, 3}, .nr_args = 4,
	 .arg_name = "geometry"},
	{.suite = "walk", .name = "map", .help = "a page's descriptor filled, one after another", .setup = map_setup,
	 .run = map_run, .teardown = map_teardown, .goal = 1},
	{0},
};
