/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page allocator against the naive one: the same operations on both; every answer must be the
 * same frame, and every so often all lists the same from head to tail.
 */
#include "core/base/prng.h"
#include "tests/model/buddy_naive.inc"
#include "tests/phys_boot.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || MM_DEBUG
#define OPS 60000u
#else
#define OPS 1000000u
#endif
#define MAX_LIVE 40000

struct live {
	int frame;
	u8 order;
};

struct duel {
	struct phys_rig rig;
	struct naive *m;
	struct prng prng;
	struct live live[MAX_LIVE];
	u32 nr_live;
	u64 op;
	u32 target; /* allocations are likelier below so many free pages taken */
};

struct walk {
	const struct duel *d;
	int expect;
	const char *what;
	unsigned order, mt;
};

static void same_frame(void *arg, u32 frame)
{
	struct walk *w = arg;

	if (w->expect != (int)frame)
		fail_msg("op %llu, list order %u type %u: frame %u, expected %d",
			 (unsigned long long)w->d->op, w->order, w->mt, frame, w->expect);
	w->expect = w->d->m->page[frame].next;
}

static void compare_pcp(const struct duel *d, const struct zone *z, const struct nv_zone *n,
			unsigned cpu)
{
	assert_int_equal(z->pageset[cpu].count, n->pcp[cpu].count);
	for (unsigned mt = 0; mt < MIGRATE_PCPTYPES; mt++) {
		u32 len = pcp_list_length(z, cpu, (enum migratetype)mt);

		assert_int_equal(len, n->pcp[cpu].nr[mt]);
		for (u32 i = 0; i < len; i++)
			if ((int)pcp_list_frame(z, cpu, (enum migratetype)mt, i) !=
			    n->pcp[cpu].page[mt][i])
				fail_msg("op %llu: cpu %u list %u position %u differs",
					 (unsigned long long)d->op, cpu, mt, i);
	}
}

static void compare_zone(const struct duel *d, const struct zone *z)
{
	const struct nv_zone *n = &d->m->zone[z->type];

	assert_int_equal(z->managed_pages, n->managed);
	assert_int_equal(zone_page_state(z, NR_FREE_PAGES), n->free);
	if (d->m->fair)
		assert_int_equal(zone_page_state(z, NR_ALLOC_BATCH), n->batch);
	for (int i = 0; i < 3; i++)
		assert_int_equal(z->watermark[i], n->mark[i]);
	for (unsigned o = 0; o < NV_ORDERS; o++) {
		assert_int_equal(z->free_area[o].nr_free, n->nr_free[o]);
		for (unsigned mt = 0; mt < MIGRATE_TYPES; mt++) {
			struct walk w = {d, n->head[o][mt], "free", o, mt};

			for_each_free_block(z, o, (enum migratetype)mt, same_frame, &w);
			assert_int_equal(w.expect, NV_NONE);
		}
	}
	for (unsigned cpu = 0; cpu < NV_CPUS; cpu++)
		compare_pcp(d, z, n, cpu);
}

static void compare(struct duel *d)
{
	const struct phys *p = &d->rig.phys;

	for (unsigned i = 0; i < p->nr_zones; i++)
		if (p->zones[i].present_pages)
			compare_zone(d, &p->zones[i]);
	for (u64 b = 0; b < p->nr_frames >> p->pageblock_order; b++)
		assert_int_equal(p->pageblock[b] & PAGEBLOCK_TYPE, d->m->block_type[b]);
}

static void start(struct duel *d, const char *pairs, u64 seed)
{
	int lo[MM_MAX_NR_ZONES] = {0}, hi[MM_MAX_NR_ZONES] = {0};
	struct phys *p = rig_boot(&d->rig, pairs);

	for (unsigned i = 0; i < p->nr_zones; i++) {
		const struct zone *z = &p->zones[i];

		if (!z->present_pages)
			continue;
		lo[z->type] = (int)z->start_frame;
		hi[z->type] = (int)(z->start_frame + z->spanned_pages);
	}
	d->m = naive_boot(&d->rig.config, (int)p->nr_frames, lo, hi, p->zone_mask,
			  (int)p->pageblock_order);
	prng_seed(&d->prng, seed);
	d->nr_live = 0;
	d->op = 0;
	compare(d);
}

static void finish(struct duel *d)
{
	naive_destroy(d->m);
	rig_down(&d->rig);
}

static unsigned random_order(struct duel *d)
{
	u64 r = prng_below(&d->prng, 100);

	return r < 70 ? 0 : r < 99 ? (unsigned)prng_below(&d->prng, 5)
				   : (unsigned)prng_below(&d->prng, 12);
}

static void one_alloc(struct duel *d)
{
	static const gfp_t gfps[] = {
		GFP_KERNEL, GFP_ATOMIC, GFP_HIGHUSER_MOVABLE, GFP_HIGHUSER_MOVABLE | MM_GFP_COLD,
		GFP_HIGHUSER, GFP_TEMPORARY, GFP_NOWAIT, GFP_KERNEL | MM_GFP_DMA,
		GFP_USER | MM_GFP_MOVABLE, GFP_ATOMIC | MM_GFP_NOMEMALLOC,
		GFP_KERNEL | MM_GFP_COLD, GFP_NOFS | MM_GFP_RECLAIMABLE,
		GFP_HIGHUSER_MOVABLE, GFP_HIGHUSER_MOVABLE,
	};
	gfp_t gfp = gfps[prng_below(&d->prng, ARRAY_SIZE(gfps))];
	unsigned order = random_order(d), cpu = (unsigned)prng_below(&d->prng, NV_CPUS);
	struct page *page;
	int want, got;

	if (prng_below(&d->prng, 200) == 0)
		gfp |= MM_GFP_MEMALLOC;
	if (d->nr_live == MAX_LIVE)
		return;
	page = alloc_pages(&d->rig.phys, cpu, gfp, order);
	want = naive_alloc(d->m, (int)cpu, gfp, (int)order);
	got = page ? (int)page_frame(&d->rig.phys, page) : NV_NONE;
	if (got != want)
		fail_msg("op %llu: gfp %#x order %u cpu %u: frame %d, expected %d",
			 (unsigned long long)d->op, gfp, order, cpu, got, want);
	if (page)
		d->live[d->nr_live++] = (struct live){got, (u8)order};
}

static void one_free(struct duel *d)
{
	unsigned cpu = (unsigned)prng_below(&d->prng, NV_CPUS);
	struct live l;
	struct page *page;
	u32 i;

	if (!d->nr_live)
		return;
	i = (u32)prng_below(&d->prng, d->nr_live);
	l = d->live[i];
	d->live[i] = d->live[--d->nr_live];
	page = frame_to_page(&d->rig.phys, (u32)l.frame);
	if (!l.order && prng_below(&d->prng, 8) == 0) {
		page->_count = 0;
		free_hot_cold_page(&d->rig.phys, cpu, page, true);
		naive_free(d->m, (int)cpu, l.frame, 0, true);
		return;
	}
	free_pages_page(&d->rig.phys, cpu, page, l.order);
	naive_free(d->m, (int)cpu, l.frame, l.order, false);
}

static void rare_event(struct duel *d)
{
	char text[32];
	long kb;

	switch (prng_below(&d->prng, 3)) {
	case 0:
		kb = 128 + (long)prng_below(&d->prng, 3000);
		snprintf(text, sizeof(text), "%ld", kb);
		assert_int_equal(phys_sysctl(&d->rig.phys, "min_free_kbytes", text), 0);
		naive_set_min_free(d->m, kb);
		break;
	case 1:
		drain_all_pages(&d->rig.phys);
		for (int cpu = 0; cpu < NV_CPUS; cpu++)
			naive_drain(d->m, cpu);
		break;
	default: /* change between filling up and emptying */
		d->target = (u32)prng_below(&d->prng, 100);
	}
}

static void duel(const char *pairs, u32 ops, u64 seed)
{
	struct duel *d = calloc(1, sizeof(*d));
	u64 total;

	start(d, pairs, seed);
	total = d->rig.phys.totalram_pages;
	d->target = 50;
	for (d->op = 1; d->op <= ops; d->op++) {
		u64 free = (u64)global_page_state(&d->rig.phys, NR_FREE_PAGES);
		bool fill = free * 100 > total * d->target;

		if (prng_below(&d->prng, 4) ? fill : !fill)
			one_alloc(d);
		else
			one_free(d);
		if (prng_below(&d->prng, 2000) == 0)
			rare_event(d);
		if (d->op % 2000 == 0)
			compare(d);
		if (d->op % 20000 == 0)
			rig_check(&d->rig);
	}
	while (d->nr_live)
		one_free(d);
	drain_all_pages(&d->rig.phys);
	for (int cpu = 0; cpu < NV_CPUS; cpu++)
		naive_drain(d->m, cpu);
	compare(d);
	for (unsigned i = 0; i < d->rig.phys.nr_zones; i++)
		assert_int_equal(zone_page_state(&d->rig.phys.zones[i], NR_FREE_PAGES),
				 d->rig.phys.zones[i].managed_pages);
	finish(d);
	free(d);
}

/* Zones DMA, NORMAL and HIGHMEM in 64 MiB: vmalloc= leaves 32 MiB of lowmem. */
#define SMALL "arch=arm32 ideal=1 ncpu=4 mem=64M vmalloc=2000M "

static void test_three_zones_40(void **state)
{
	(void)state;
	duel(SMALL "dma_zone_size=16M", OPS, test_seed(1));
}

static void test_three_zones_412(void **state)
{
	(void)state;
	duel(SMALL "dma_zone_size=16M policy=4.12", OPS, test_seed(2));
}

/* Zones this small have no per-CPU lists to speak of; these have. */
static void test_per_cpu_lists(void **state)
{
	(void)state;
	duel(SMALL "pcp_batch=15 pcp_high=90", OPS / 2, test_seed(4));
	duel(SMALL "pcp_batch=7 pcp_high=20 dma_zone_size=16M policy=4.12", OPS / 2, test_seed(5));
	duel("arch=arm32 ideal=1 ncpu=4 mem=128M vmalloc=1920M", OPS / 2, test_seed(6));
}

static void test_unaligned_border(void **state)
{
	(void)state;
	duel("arch=arm32 ideal=1 ncpu=4 mem=31M@0x60000000,50M@0x61f00000 vmalloc=2000M", OPS / 4,
	     test_seed(3));
}

static void test_single_keys(void **state)
{
	static const char *const keys[] = {"steal=4.12", "wmark=4.4", "highorder=highatomic",
					   "watermark=scale", "fair=0", "hugetlb=1",
					   "hugetlb=1 policy=4.12", "mem=16M"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		char text[256];

		snprintf(text, sizeof(text), "%s%s", SMALL, keys[i]);
		duel(text, OPS / 10, test_seed(10 + i));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_three_zones_40),
		cmocka_unit_test(test_three_zones_412),
		cmocka_unit_test(test_per_cpu_lists),
		cmocka_unit_test(test_unaligned_border),
		cmocka_unit_test(test_single_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
