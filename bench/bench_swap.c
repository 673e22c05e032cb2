/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Suite swap: anonymous pages to the device and back, contents as tags or bytes, a device that is done
 * at once. Going out is what shrink_page_list does to one page (spec 08 s7); coming in is a read fault.
 */
#include <errno.h>

#include "bench/bench.h"
#include "bench/bench_rig.h"
#include "core/phys/page_alloc.h"
#include "core/vm/rmap.h"
#include "core/vm/swapin.h"
#include "core/vm/vm.h"

#define BASE  0x100000000ull
#define PAGES 16384u

static int setup(struct bench_ctx *ctx, const char *settings)
{
	return bench_rig_setup_touched(ctx, settings, BASE, PAGES);
}

static int tag_setup(struct bench_ctx *ctx)
{
	return setup(ctx, "mem=1G swap=256M page_cluster=0");
}

static int cluster_setup(struct bench_ctx *ctx)
{
	return setup(ctx, "mem=1G swap=256M page_cluster=3");
}

static int slots_setup(struct bench_ctx *ctx)
{
	return setup(ctx, "mem=1G swap=256M page_cluster=0 swap_slots=slots");
}

static int bytes_setup(struct bench_ctx *ctx)
{
	return setup(ctx, "mem=1G swap=256M page_cluster=0 data=bytes");
}

static void swap_out(struct bench_rig *r, vaddr_t va)
{
	struct vm *vm = r->vm;
	pt_slot *slot = pte_lookup(vm, r->t->mm, va);
	struct page *p = vm_normal_page(vm, get_pte(vm, slot, 0));

	BUG_ON(isolate_lru_page(&vm->lru, p) || !trylock_page(p));
	BUG_ON(!PageSwapCache(p) && !add_to_swap(&vm->swap, p));
	BUG_ON(try_to_unmap(vm, p, TTU_UNMAP | TTU_IGNORE_ACCESS) != SWAP_SUCCESS);
	if (PageDirty(p)) {
		SetPageReclaim(p);
		ClearPageDirty(p);
		swap_writepage(&vm->swap, p);
		BUG_ON(PageWriteback(p) || !trylock_page(p));
	}
	BUG_ON(page_count(p) != 2);
	p->_count = 0;
	swap_cache_remove_frozen(&vm->swap, p);
	unlock_page(p);
	lru_forget_page(p);
	free_hot_cold_page(vm->phys, vm->hw->cpu, p, false);
}

/* All pages out, then all in, written: the next round writes them again. */
static void out_in_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ctx->data;

	for (u64 i = 0; i < n; i++)
		swap_out(r, BASE + (i << 12));
	for (u64 i = 0; i < n; i++)
		BUG_ON(mm_access(r->vm, r->t, BASE + (i << 12), MM_ACCESS_WRITE) > RES_MAJOR);
	vm_lru_drain_all(r->vm);
}

/* Only the slot: taken and given back, without a page. */
static void slot_run(struct bench_ctx *ctx, u64 n)
{
	struct swap *sw = &((struct bench_rig *)ctx->data)->vm->swap;
	swp_entry_t e[256];

	while (n) {
		u64 k = n < 256 ? n : 256;

		for (u64 i = 0; i < k; i++)
			e[i] = get_swap_page(sw);
		for (u64 i = 0; i < k; i++)
			swapcache_free(sw, e[i]);
		n -= k;
	}
}

#define OUT_IN(nm, text, su) \
	.suite = "swap", .name = nm, .help = text, .setup = su, .run = out_in_run, \
	.teardown = bench_rig_teardown, .batch = PAGES

const struct bench_case bench_swap_cases[] = {
	{OUT_IN("out-in", "a page swapped out and in, one fault each", tag_setup), .goal = 100, .rival = 52000,
	 .rival_name = "host kernel, disk"},
	{OUT_IN("out-in-ahead", "the same with read-ahead of 8", cluster_setup), .goal = 100},
	{OUT_IN("out-in-slots", "the same with slots in batches (swap_slots=slots)", slots_setup), .goal = 100},
	{OUT_IN("out-in-bytes", "the same with real contents", bytes_setup)},
	{.suite = "swap", .name = "slot", .help = "a slot taken and given back", .setup = tag_setup, .run = slot_run,
	 .teardown = bench_rig_teardown},
	{.suite = "swap", .name = "slot-batched", .help = "the same in batches of 64", .setup = slots_setup,
	 .run = slot_run, .teardown = bench_rig_teardown},
	{0},
};
