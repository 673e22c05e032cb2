/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Suite compaction: pages that move. "migrate" is migrate_pages() on lists of 32 anonymous pages, new
 * frames from the allocator, batches drained: all that a page costs until it is mapped and listed again
 * and its old frame is free. "compact" is a whole run over a zone in which every other page is free.
 * "copy" is what the host takes to copy pages in a random order and no more: the bound for real bytes.
 */
#include <errno.h>
#include <string.h>

#include "bench/bench.h"
#include "bench/bench_rig.h"
#include "core/phys/page_alloc.h"
#include "core/reclaim/compaction.h"
#include "core/vm/pgtable.h"
#include "core/vm/vm.h"

#define BASE  0x100000000ull
#define PAGES 16384u /* 64 MiB */
#define CHUNK 32u

static int setup(struct bench_ctx *ctx, const char *settings)
{
	if (bench_rig_setup_touched(ctx, settings, BASE, PAGES))
		return -ENOMEM;
	return bench_rig_shuffle(ctx->data, PAGES) ? 0 : -ENOMEM;
}

static int tag_setup(struct bench_ctx *ctx)
{
	return setup(ctx, "mem=512M");
}

static int bytes_setup(struct bench_ctx *ctx)
{
	return setup(ctx, "mem=512M data=bytes");
}

/* ---- migrate_pages ---- */

static struct page *new_page(struct page *old, void *private)
{
	struct vm *vm = private;

	(void)old;
	return alloc_page(vm->phys, vm->hw->cpu, GFP_HIGHUSER_MOVABLE);
}

static struct page *page_at(struct bench_rig *r, u64 i)
{
	return vm_normal_page(r->vm, get_pte(r->vm, pte_lookup(r->vm, r->t->mm, BASE + (i << 12)), 0));
}

/* Pages in order of their addresses, over and over; a chunk lies in one leaf table. */
static void migrate_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;
	struct vm *vm = r->vm;
	const struct migrate_request rq = {.vm = vm, .get_new_page = new_page, .private = vm, .mode = MIGRATE_SYNC};
	struct page_list list;

	for (u64 i = 0; i < n; i += CHUNK) {
		pt_slot *slots = pte_lookup(vm, r->t->mm, BASE + (i % PAGES << 12));

		plist_init(&list);
		for (u64 k = 0; k < CHUNK && i + k < n; k++)
			BUG_ON(isolate_for_migration(vm, vm_normal_page(vm, get_pte(vm, slots, (s64)k)), &list));
		BUG_ON(migrate_pages(&rq, &list));
	}
	vm_lru_drain_all(vm);
}

/* ---- permuted copy ---- */

/* The host has given memory to the targets, as it has to those that migration finds. */
static int copy_setup(struct bench_ctx *ctx)
{
	int err = bytes_setup(ctx);
	struct hw *hw;

	if (err)
		return err;
	hw = ((struct bench_rig *)ctx->data)->vm->hw;
	memset(hw->arena + hw->bytes / 2, 1, (u64)PAGES << 12);
	return 0;
}

/* Frame i to frame order[i] of the upper half, all of them once. */
static void copy_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;
	struct hw *hw = r->vm->hw;
	u8 *half = hw->arena + hw->bytes / 2;

	for (u64 i = 0; i < n; i++) {
		const void *from = hw_pfn_ptr(hw, page_to_pfn(r->vm->phys, page_at(r, i % PAGES)));

		memcpy(half + (r->order[i % PAGES] << 12), from, 4096);
	}
}

/* ---- compact_nodes ---- */

/* Every other page of the area free. */
static void fragment(struct bench_ctx *ctx)
{
	struct bench_rig *r = ctx->data;

	bench_rig_map(r, BASE, PAGES);
	bench_rig_touch(r);
	for (u64 i = 0; i < PAGES; i += 2)
		sys_madvise(r->vm, r->t, BASE + (i << 12), 4096, MM_MADV_DONTNEED);
	vm_lru_drain_all(r->vm);
	drain_all_pages(r->vm->phys);
}

static void compact_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;

	while (n--)
		compact_nodes(r->m->reclaim.compaction);
}

/* arg: MiB of the zone. The area is 64 MiB whatever it is: the work is for pages moved. */
static int compact_setup(struct bench_ctx *ctx)
{
	struct bench_rig *r;
	char settings[64];
	u64 *moved;
	int err;

	snprintf(settings, sizeof(settings), "mem=%lldM", (long long)ctx->arg);
	err = setup(ctx, settings);
	if (err)
		return err;
	r = ctx->data;
	moved = &r->m->hw.cpus[0].events[EV_PGMIGRATE_SUCCESS];
	fragment(ctx);
	*moved = 0;
	compact_run(ctx, 1);
	ctx->items = *moved;
	return *moved ? 0 : -EINVAL;
}

const struct bench_case bench_compaction_cases[] = {
	{.suite = "compaction", .name = "migrate", .help = "a mapped anonymous page migrated", .setup = tag_setup,
	 .run = migrate_run,
	 .teardown = bench_rig_teardown, .batch = PAGES, .unit = BENCH_M_PER_SEC, .goal = 20, .rival = 1,
	 .rival_name = "host kernel, move_pages"},
	{.suite = "compaction", .name = "copy", .help = "a page copied to a random place (bound of migrate-bytes)",
	 .setup = copy_setup, .run = copy_run, .teardown = bench_rig_teardown, .batch = PAGES, .unit = BENCH_M_PER_SEC},
	{.suite = "compaction", .name = "migrate-bytes", .help = "a page migrated with real contents",
	 .setup = bytes_setup, .run = migrate_run, .teardown = bench_rig_teardown, .batch = PAGES,
	 .unit = BENCH_M_PER_SEC, .rival_name = "its copy alone, on this machine", .rival_case = "copy",
	 .rival_part = 0.8},
	{.suite = "compaction", .name = "compact", .help = "a page moved by a manual run, 64 MiB half free in it",
	 .setup = compact_setup, .run = compact_run, .reset = fragment, .teardown = bench_rig_teardown, .batch = 1,
	 .args = {96, 512, 4096}, .nr_args = 3, .arg_name = "mib", .unit = BENCH_M_PER_SEC, .goal = 20, .rival = 1,
	 .rival_name = "host kernel"},
	{0},
};
