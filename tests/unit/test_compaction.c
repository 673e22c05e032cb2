/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compaction (spec 10 s4 to s8). Zones of a chosen size and layout are windows of a real one: every
 * frame outside is in use, and the zone's bounds are narrowed to the window for a run.
 */
#include "core/base/prng.h"
#include "core/hw/events.h"
#include "core/phys/page_alloc.h"
#include "core/reclaim/compaction.h"
#include "tests/swap_rig.h"

struct window {
	struct srig g;
	struct task *t;
	struct zone *z;
	struct compaction *c;
	pfn_t start;
	u64 n;
	vaddr_t *addr_of; /* [n]: where the task maps the frame; 0: free */
	u64 pages;	  /* of the task's area */
	u64 old_start, old_spanned;
};

static pfn_t pfn_at(struct window *w, u64 page)
{
	return page_to_pfn(w->g.vm->phys, srig_page(&w->g, w->t, BASE + page * PAGE));
}

/* Aligned run of @n frames that the task maps all; 0: none. */
static pfn_t find_run(struct window *w, u64 align)
{
	struct phys *phys = w->g.vm->phys;
	u8 *mine = calloc(phys->nr_frames, 1);
	pfn_t found = 0;

	for (u64 i = 0; i < w->pages; i++)
		mine[pfn_at(w, i) - phys->base_pfn] = 1;
	for (u64 f = 0; f + w->n <= phys->nr_frames && !found; f += align) {
		u64 k = 0;

		while (k < w->n && mine[f + k])
			k++;
		if (k == w->n)
			found = (pfn_t)(phys->base_pfn + f);
	}
	free(mine);
	return found;
}

/* Fills the machine's memory; a window of @n frames is the task's. */
static struct window window_boot(u64 n, const char *const *sets)
{
	struct window w = {.g = srig_boot(sets), .n = n};
	struct phys *phys = w.g.vm->phys;
	gfp_t rest = MM_GFP_HIGHMEM | MM_GFP_MOVABLE | MM_GFP_NO_KSWAPD | MM_GFP_NOWARN;

	w.c = w.g.m->reclaim.compaction;
	w.z = &phys->zones[0];
	w.t = srig_task(&w.g, 1);
	w.pages = (u64)global_page_state(phys, NR_FREE_PAGES) - 300;
	srig_map(&w.g, w.t, BASE, w.pages);
	for (u64 i = 0; i < w.pages; i++)
		srig_write(&w.g, w.t, BASE + i * PAGE, i + 1);
	lru_add_drain_all(&w.g.vm->lru);
	drain_all_pages(phys);
	while (alloc_page(phys, 0, rest))
		;
	assert_int_equal(global_page_state(phys, NR_FREE_PAGES), 0);
	w.start = find_run(&w, 1ull << (phys->max_order - 1));
	assert_int_not_equal(w.start, 0);
	w.addr_of = calloc(n, sizeof(*w.addr_of));
	for (u64 i = 0; i < w.pages; i++) {
		pfn_t pfn = pfn_at(&w, i);

		if (pfn >= w.start && pfn < w.start + n)
			w.addr_of[pfn - w.start] = BASE + i * PAGE;
	}
	return w;
}

static void window_free(struct window *w, u64 i)
{
	assert_int_equal(sys_madvise(w->g.vm, w->t, w->addr_of[i], PAGE, MM_MADV_DONTNEED), 0);
	w->addr_of[i] = 0;
}

/* After the frees: they reach the free lists, and the zone is the window. */
static void window_close(struct window *w)
{
	struct zone *z = w->z;

	drain_all_pages(w->g.vm->phys);
	w->old_start = z->zone_start_pfn;
	w->old_spanned = z->spanned_pages;
	z->zone_start_pfn = w->start;
	z->spanned_pages = w->n;
	z->compact_cached_free_pfn = zone_end_pfn(z);
	z->compact_cached_migrate_pfn[0] = z->compact_cached_migrate_pfn[1] = w->start;
	for (u64 i = 0; i < w->n; i++)
		z->phys->pageblock[(w->start + i - z->phys->base_pfn) >>
				   z->phys->pageblock_order] &= (u8)~PAGEBLOCK_SKIP;
}

static void window_open(struct window *w)
{
	w->z->zone_start_pfn = w->old_start;
	w->z->spanned_pages = w->old_spanned;
}

static void window_settle(struct window *w)
{
	lru_add_drain_all(&w->g.vm->lru);
	drain_all_pages(w->g.vm->phys);
}

/* Contents are where they were mapped; where in the window each frame's page went: @at (may be
 * NULL). */
static void window_contents(struct window *w)
{
	for (u64 i = 0; i < w->n; i++)
		if (w->addr_of[i])
			assert_int_equal(srig_read(&w->g, w->t, w->addr_of[i]),
					 (w->addr_of[i] - BASE) / PAGE + 1);
}

static void window_end(struct window *w)
{
	window_open(w);
	window_contents(w);
	free(w->addr_of);
	srig_end(&w->g);
}

/* Frame in the window that now holds what was in frame @i. */
static u64 now_at(struct window *w, u64 i)
{
	return page_to_pfn(w->g.vm->phys, srig_page(&w->g, w->t, w->addr_of[i])) - w->start;
}

static bool frame_used(struct window *w, u64 i)
{
	return page_count(pfn_to_page(w->g.vm->phys, (pfn_t)(w->start + i))) > 0;
}

#define SMALL(...)                                                                                 \
	((const char *const[]){"mem=8M", "ideal=1", "min_free_kbytes=0", "max_order=4",            \
			       __VA_ARGS__, NULL})
#define LARGE(...)                                                                                 \
	((const char *const[]){"mem=64M", "ideal=1", "min_free_kbytes=0", __VA_ARGS__, NULL})

static enum compact_result compact(struct window *w, int order, enum migrate_mode mode)
{
	return compact_zone_order(w->c, w->z, order, MIGRATE_MOVABLE, mode, 0, w->z->type);
}

/* ---- s8.1 ---- */

static struct window toy(void)
{
	struct window w = window_boot(40, SMALL("events=1024"));

	for (u64 i = 1; i < 40; i += 2)
		window_free(&w, i);
	window_close(&w);
	return w;
}

static void test_worked_example(void **state)
{
	struct window w = toy();
	static const u64 first[][2] = {{6, 39}, {4, 37}, {2, 35}, {0, 33}};
	static const u64 second[][2] = {{14, 31}, {12, 29}, {10, 27}, {8, 25}};
	struct zone *z = w.z;

	assert_int_equal(fragmentation_index(z, 3), 825);
	assert_int_equal(compaction_suitable(w.c, z, 3, 0, z->type), COMPACT_CONTINUE);
	assert_int_equal(compact(&w, 3, MIGRATE_ASYNC), COMPACT_PARTIAL);
	for (int i = 0; i < 4; i++)
		assert_int_equal(now_at(&w, first[i][0]), first[i][1]);
	assert_int_equal(z->free_area[3].nr_free,
			 1); /* A10.18: the sources merged before the test */
	assert_int_equal(srig_event(&w.g, EV_COMPACTMIGRATE_SCANNED), 8);
	assert_int_equal(srig_event(&w.g, EV_COMPACTFREE_SCANNED), 8);
	assert_int_equal(srig_event(&w.g, EV_COMPACTISOLATED), 8);
	assert_int_equal(srig_event(&w.g, EV_PGMIGRATE_SUCCESS), 4);
	assert_int_equal(z->compact_cached_migrate_pfn[0], w.start);
	assert_int_equal(z->compact_cached_free_pfn, w.start + 40);

	compact_nodes(w.c); /* manual: from the cached pfns, to the end */
	for (int i = 0; i < 4; i++)
		assert_int_equal(now_at(&w, second[i][0]), second[i][1]);
	assert_int_equal(z->compact_cached_migrate_pfn[1], w.start); /* COMPLETE resets them */
	assert_int_equal(z->free_area[3].nr_free, 1);		     /* a manual run never drains */
	window_settle(&w);
	assert_int_equal(z->free_area[3].nr_free, 2);
	for (u64 i = 0; i < 40; i++) /* by block: free, free, half, full, full */
		assert_int_equal(frame_used(&w, i), i >= 24 || (i >= 16 && i % 2 == 0));
	window_end(&w);
	(void)state;
}

/* ---- A10.10 .. A10.20 ---- */

/*
 * The low half becomes free and the high half full, but for the two blocks where the scanners
 * meet: 4.0 takes the free scanner's lowest block for crossed as soon as it has given 32
 * pages; 4.12 goes on, and leaves the last 32, for which no block is left above the one the migrate
 * scanner has entered.
 */
static void test_A10_10(void **state)
{
	static const u64 left[] = {1024 / 2 - 32, 32}; /* pages in use in block 3 */

	for (int rule = 0; rule < 2; rule++) {
		struct window w =
			window_boot(8 * 1024, LARGE(rule ? "compaction=4.12" : "compaction=4.0"));

		for (u64 i = 0; i < w.n; i += 2)
			window_free(&w, i);
		window_close(&w);
		assert_int_equal(w.z->free_area[10].nr_free, 0);
		compact_nodes(w.c);
		window_settle(&w);
		assert_int_equal(w.z->free_area[10].nr_free, 3);
		for (u64 block = 0; block < 8; block++) {
			u64 used = 0;

			for (u64 i = 0; i < 1024; i++)
				used += frame_used(&w, block * 1024 + i);
			assert_int_equal(used, block < 3    ? 0
					       : block == 3 ? left[rule]
					       : block == 4 ? 1024 - left[rule]
							    : 1024);
		}
		for (u64 i = w.n / 2 + 1024; i < w.n; i++)
			assert_true(frame_used(&w, i));
		assert_int_equal(srig_event(&w.g, EV_PGMIGRATE_SUCCESS), w.n / 4 - left[rule]);
		window_end(&w);
	}
	(void)state;
}

/* A zone that exists on paper only. */
static struct zone paper_zone(struct srig *g, const u32 *blocks, unsigned n)
{
	struct zone z = g->vm->phys->zones[0];

	for (unsigned o = 0; o < MM_MAX_ORDER; o++)
		z.free_area[o].nr_free = o < n ? blocks[o] : 0;
	z.vm_stat[NR_FREE_PAGES] = 0;
	for (unsigned o = 0; o < n; o++)
		z.vm_stat[NR_FREE_PAGES] += (s64)blocks[o] << o;
	for (int i = 0; i < NR_WMARK; i++)
		z.watermark[i] = 0;
	memset(z.lowmem_reserve, 0, sizeof(z.lowmem_reserve));
	return z;
}

static void test_A10_11(void **state)
{
	static const struct {
		u32 blocks[10];
		unsigned order;
		int index;
	} cases[] = {
		{{4096}, 4, 938},
		{{0, 2048}, 4, 875},
		{{1024}, 9, 998},
		{{0, 0, 0, 0, 0, 0, 0, 0, 2}, 9, 0},
		{{10}, 3, 775},
		{{100, 50, 20, 10, 5, 2, 1, 1, 1}, 9, 985},
		{{0}, 3, 0},
		{{0, 0, 0, 1}, 3, -1000},
		{{0, 0, 0, 10}, 4, 400},
		{{3, 0, 122}, 3, 501},
	};
	struct srig g = srig_boot(LARGE("ncpu=1"));
	struct compaction *c = g.m->reclaim.compaction;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct zone z = paper_zone(&g, cases[i].blocks, 10);

		assert_int_equal(fragmentation_index(&z, cases[i].order), cases[i].index);
		if (cases[i].index == -1000)
			assert_int_equal(compaction_suitable(c, &z, (int)cases[i].order, 0, z.type),
					 COMPACT_PARTIAL);
		if (cases[i].index == 400)
			assert_int_equal(compaction_suitable(c, &z, (int)cases[i].order, 0, z.type),
					 COMPACT_SKIPPED);
		if (cases[i].index == 501)
			assert_int_equal(compaction_suitable(c, &z, (int)cases[i].order, 0, z.type),
					 COMPACT_CONTINUE);
		assert_int_equal(compaction_suitable(c, &z, -1, 0, z.type), COMPACT_CONTINUE);
	}
	assert_int_equal(machine_sysctl(g.m, "extfrag_threshold", "600"), 0);
	struct zone z = paper_zone(&g, (const u32[]){3, 0, 122}, 3);

	assert_int_equal(compaction_suitable(c, &z, 3, 0, z.type), COMPACT_SKIPPED);
	assert_int_equal(machine_sysctl(g.m, "extfrag_threshold", "1001"), -EINVAL);
	srig_end(&g);
	(void)state;
}

static void random_layout(struct window *w, struct prng *r, u32 percent_used)
{
	for (u64 i = 0; i < w->n; i++)
		if (prng_below(r, 100) >= percent_used)
			window_free(w, i);
	window_close(w);
}

static void test_A10_12(void **state)
{
	struct prng r;
	u64 seed = test_seed(1012);

	prng_seed(&r, seed);
	for (int run = 0; run < 20; run++) {
		struct window w = window_boot(512, SMALL("events=65536"));
		u64 up = 0, down = UINT64_MAX;
		enum compact_result got;
		bool ended = false;

		random_layout(&w, &r, 20 + (u32)prng_below(&r, 70));
		w.g.m->hw.events->head = 0;
		got = compact(&w, run % 3 ? -1 : 3, (enum migrate_mode)(run % 3));
		for (u64 i = 0; event_at(&w.g.m->hw, i); i++) {
			const struct mm_event *e = event_at(&w.g.m->hw, i);

			if (e->code == EVENT_COMPACT_ISOLATE_MIGRATE) {
				assert_true((u64)e->v[0] >= up);
				up = (u64)e->v[1];
			} else if (e->code == EVENT_COMPACT_ISOLATE_FREE) {
				u64 block = (u64)e->v[0] & ~7ull;

				assert_true(block <= down);
				down = block;
			} else if (e->code == EVENT_COMPACT_END) {
				assert_int_equal(e->v[5] == COMPACT_COMPLETE, e->v[2] <= e->v[1]);
				assert_int_equal(e->v[5], got);
				ended = true;
			}
		}
		assert_true(ended || got == COMPACT_SKIPPED || got == COMPACT_PARTIAL);
		assert_true(run % 3 == 0 || got == COMPACT_COMPLETE);
		window_settle(&w);
		window_end(&w);
	}
	(void)state;
}

/* Attempts that are skipped before the next one goes ahead. */
static u32 skipped(struct zone *z, int order)
{
	u32 n = 0;

	while (compaction_deferred(z, order))
		n++;
	return n;
}

static void test_A10_13(void **state)
{
	static const u32 want[] = {1, 3, 7, 15, 31, 63, 63, 63};
	struct srig g = srig_boot(LARGE("ncpu=1"));
	struct zone z = g.vm->phys->zones[0];

	assert_int_equal(z.compact_order_failed, 0);
	assert_int_equal(skipped(&z, 4), 0);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		defer_compaction(&z, 4);
		assert_int_equal(skipped(&z, 4), want[i]);
		assert_int_equal(compaction_restarting(&z, 4), i >= 5);
	}
	defer_compaction(&z, 4);
	assert_true(compaction_deferred(
		&z, 3)); /* order 3 as well: the first failures defer every order */
	compaction_defer_reset(&z, 2, true);
	assert_int_equal(z.compact_order_failed, 3);
	defer_compaction(&z, 4);
	assert_false(compaction_deferred(&z, 2));
	assert_true(compaction_deferred(&z, 3));
	compaction_defer_reset(&z, 4, true);
	assert_int_equal(z.compact_defer_shift, 0);
	assert_int_equal(z.compact_considered, 0);
	assert_int_equal(z.compact_order_failed, 5);
	srig_end(&g);
	(void)state;
}

static void test_A10_14(void **state)
{
	for (int sync = 0; sync < 2; sync++) {
		struct window w = window_boot(64, SMALL("ncpu=1"));
		struct phys *phys = w.g.vm->phys;
		u64 low_moved = 0;

		for (u64 i = 1; i < 64; i += 2)
			window_free(&w, i);
		window_close(&w);
		set_pageblock_migratetype(phys, pfn_to_page(phys, w.start + 8), MIGRATE_UNMOVABLE);
		set_pageblock_migratetype(phys, pfn_to_page(phys, w.start + 56), MIGRATE_UNMOVABLE);
		assert_int_equal(compact(&w, -1, sync ? MIGRATE_SYNC : MIGRATE_ASYNC),
				 COMPACT_COMPLETE);
		for (u64 i = 8; i < 16; i += 2)
			low_moved += now_at(&w, i) != i;
		assert_int_equal(low_moved, sync ? 4 : 0);
		for (u64 i = 57; i < 64; i += 2)
			assert_false(frame_used(&w, i)); /* never a target */
		window_settle(&w);
		for (u64 i = 0; i < 64; i++) /* the low-numbered MOVABLE blocks are empty */
			if (i < 8)
				assert_false(frame_used(&w, i));
		set_pageblock_migratetype(phys, pfn_to_page(phys, w.start + 8), MIGRATE_MOVABLE);
		set_pageblock_migratetype(phys, pfn_to_page(phys, w.start + 56), MIGRATE_MOVABLE);
		window_end(&w);
	}
	(void)state;
}

static void test_A10_15(void **state)
{
	struct window w = window_boot(128, SMALL("ncpu=1"));
	u64 scanned;

	for (u64 i = 1; i < w.n; i += 2)
		window_free(&w, i);
	window_close(&w);
	for (u64 i = 0; i < w.n; i += 2)
		get_page(srig_page(&w.g, w.t, w.addr_of[i]));
	assert_int_equal(compact(&w, 3, MIGRATE_SYNC_LIGHT), COMPACT_COMPLETE);
	scanned = srig_event(&w.g, EV_COMPACTMIGRATE_SCANNED);
	assert_int_equal(scanned, w.n);
	assert_true(w.z->compact_blockskip_flush);
	assert_int_equal(compact(&w, 3, MIGRATE_SYNC_LIGHT), COMPACT_COMPLETE);
	assert_int_equal(srig_event(&w.g, EV_COMPACTMIGRATE_SCANNED), scanned);
	reset_isolation_suitable(w.c, zone_pgdat(w.z));
	assert_false(w.z->compact_blockskip_flush);
	assert_int_equal(compact(&w, 3, MIGRATE_SYNC_LIGHT), COMPACT_COMPLETE);
	assert_int_equal(srig_event(&w.g, EV_COMPACTMIGRATE_SCANNED), 2 * scanned);
	assert_int_equal(srig_event(&w.g, EV_PGMIGRATE_SUCCESS), 0);
	for (u64 i = 0; i < w.n; i += 2)
		lru_put_page(&w.g.vm->lru, srig_page(&w.g, w.t, w.addr_of[i]));
	window_end(&w);
	(void)state;
}

/* An allocation under pressure whose only help is direct compaction. */
struct helper {
	struct compaction *c;
	bool deferred;
};

static enum phys_pressure_result compact_only(void *self, struct alloc_context *ac,
					      enum phys_pressure_stage stage)
{
	struct helper *h = self;

	if (stage != PRESSURE_RECLAIM)
		return PRESSURE_RETRY;
	ac->page = alloc_pages_direct_compact(h->c, ac, MIGRATE_ASYNC, &h->deferred);
	return ac->page ? PRESSURE_PAGE : PRESSURE_FAIL;
}

static struct page *alloc_with_compaction(struct window *w, gfp_t gfp, unsigned order)
{
	struct phys *phys = w->g.vm->phys;
	phys_pressure_fn old = phys->on_pressure;
	void *old_self = phys->on_pressure_self;
	struct helper h = {.c = w->c};
	struct page *p;

	phys->on_pressure = compact_only;
	phys->on_pressure_self = &h;
	p = alloc_pages(phys, 0, gfp | MM_GFP_NOWARN, order);
	phys->on_pressure = old;
	phys->on_pressure_self = old_self;
	return p;
}

static void test_A10_16(void **state)
{
	for (int pinned = 0; pinned < 2; pinned++) {
		struct window w = window_boot(8 * 1024, LARGE("ncpu=1"));
		struct page *p;

		for (u64 i = 1; i < w.n; i += 2)
			window_free(&w, i);
		window_close(&w);
		for (u64 i = 0; pinned && i < w.n; i += 2)
			get_page(srig_page(&w.g, w.t, w.addr_of[i]));
		p = alloc_with_compaction(&w, GFP_HIGHUSER_MOVABLE, 9);
		assert_int_equal(p != NULL, !pinned);
		assert_int_equal(srig_event(&w.g, EV_COMPACTSTALL), 1);
		assert_int_equal(srig_event(&w.g, EV_COMPACTSUCCESS), !pinned);
		assert_int_equal(srig_event(&w.g, EV_COMPACTFAIL), pinned);
		if (p)
			free_pages_page(w.g.vm->phys, 0, p, 9);
		for (u64 i = 0; pinned && i < w.n; i += 2)
			lru_put_page(&w.g.vm->lru, srig_page(&w.g, w.t, w.addr_of[i]));
		window_settle(&w);
		window_end(&w);
	}
	(void)state;
}

static void test_A10_17(void **state)
{
	static const gfp_t refused[] = {GFP_NOFS | MM_GFP_MOVABLE, GFP_NOIO | MM_GFP_MOVABLE};
	struct window w = toy();

	for (int i = 0; i < 2; i++)
		assert_null(alloc_with_compaction(&w, refused[i], 3));
	assert_int_equal(srig_event(&w.g, EV_COMPACTSTALL), 0);
	assert_int_equal(srig_event(&w.g, EV_COMPACTMIGRATE_SCANNED), 0);
	window_end(&w);
	(void)state;
}

static void test_A10_18(void **state)
{
	struct window w = toy();

	/* freed sources wait in a pagevec and on the CPU's list; only the drain lets them merge in
	 * time */
	assert_int_equal(compact(&w, 3, MIGRATE_ASYNC), COMPACT_PARTIAL);
	assert_int_equal(w.z->free_area[3].nr_free, 1);
	assert_int_equal(srig_event(&w.g, EV_PGMIGRATE_SUCCESS), 4); /* no block more than needed */
	window_end(&w);
	(void)state;
}

static void test_A10_19(void **state)
{
	struct prng r;
	u64 seed = test_seed(1019);

	prng_seed(&r, seed);
	for (int run = 0; run < 100; run++) {
		struct window w =
			window_boot(256, SMALL(run % 2 ? "data=bytes" : "data=tag",
					       run % 3 ? "policy=4.0" : "compaction=4.12"));
		u64 pins = prng_below(&r, 20);
		struct page *pinned[20];
		s64 before;

		random_layout(&w, &r, 10 + (u32)prng_below(&r, 80));
		before = global_page_state(w.g.vm->phys, NR_FREE_PAGES);
		for (u64 i = 0; i < pins; i++) {
			u64 k = prng_below(&r, w.n);

			pinned[i] = w.addr_of[k] ? srig_page(&w.g, w.t, w.addr_of[k]) : NULL;
			if (pinned[i])
				get_page(pinned[i]);
		}
		for (u64 i = prng_below(&r, 4); i < 6; i++)
			compact(&w, (int)prng_below(&r, 4) ?: -1,
				(enum migrate_mode)prng_below(&r, 3));
		for (u64 i = 0; i < pins; i++)
			if (pinned[i])
				lru_put_page(&w.g.vm->lru, pinned[i]);
		window_settle(&w);
		assert_int_equal(global_page_state(w.g.vm->phys, NR_FREE_PAGES), before);
		window_end(&w);
	}
	(void)state;
}

static void test_A10_20(void **state)
{
	struct srig g = srig_boot(LARGE("extfrag_threshold=0"));
	struct compaction *c = g.m->reclaim.compaction;

	for (unsigned order = 1; order < 10; order++)
		for (u32 low = 0; low < 100; low += 33)
			for (u32 free = low + (2u << order) - 1; free <= low + (2u << order) + 1;
			     free++) {
				struct zone z = paper_zone(&g, &free, 1);

				z.watermark[WMARK_LOW] = low;
				assert_int_equal(compaction_suitable(c, &z, (int)order, 0, z.type),
						 free <= low + (2u << order) ? COMPACT_SKIPPED
									     : COMPACT_CONTINUE);
			}
	srig_end(&g);
	(void)state;
}

/* Work in proportion to pages moved: a zone sixteen times as large costs no more. */
static void test_work_is_for_pages_moved(void **state)
{
	u64 scanned[2];

	for (int i = 0; i < 2; i++) {
		struct window w = window_boot(
			i ? 8192 : 512,
			i ? LARGE("max_order=6")
			  : ((const char *const[]){"mem=8M", "ideal=1", "min_free_kbytes=0",
						   "max_order=6", NULL}));

		for (u64 k = 1; k < w.n; k += 2)
			window_free(&w, k);
		window_close(&w);
		assert_int_equal(compact(&w, 5, MIGRATE_ASYNC), COMPACT_PARTIAL);
		scanned[i] = srig_event(&w.g, EV_COMPACTMIGRATE_SCANNED) +
			     srig_event(&w.g, EV_COMPACTFREE_SCANNED);
		window_settle(&w);
		window_end(&w);
	}
	assert_int_equal(scanned[0], scanned[1]);
	(void)state;
}

/* kcompactd: woken with an order, compacts until a page of it is there; by hand here. */
static void test_kcompactd(void **state)
{
	struct window w = window_boot(256, SMALL("kcompactd=1"));
	struct mm_op step = {.code = OP_COMPACT};
	struct mm_result res;

	for (u64 i = 1; i < w.n; i += 2)
		window_free(&w, i);
	window_close(&w);
	wakeup_kcompactd(w.c, zone_pgdat(w.z), 0, w.z->type);
	kcompactd_run(w.c, 0);
	assert_int_equal(srig_event(&w.g, EV_KCOMPACTD_WAKE), 0);
	wakeup_kcompactd(w.c, zone_pgdat(w.z), 3, w.z->type);
	machine_advance(w.g.m, w.g.m->hw.now + 1000000000);
	assert_int_equal(srig_event(&w.g, EV_KCOMPACTD_WAKE), 1);
	window_settle(&w);
	assert_true(w.z->free_area[3].nr_free > 0);
	assert_int_equal(srig_event(&w.g, EV_COMPACTSTALL), 0);
	machine_apply(w.g.m, &step, 1, NULL, &res); /* and the operation */
	window_settle(&w);
	/* half of 32 blocks, less the one for which no target is left above it */
	assert_int_equal(w.z->free_area[3].nr_free, 15);
	window_end(&w);
	(void)state;
}

static void test_check_sees_damage(void **state)
{
	struct srig g = srig_boot(LARGE("ncpu=1"));
	struct zone *z = &g.vm->phys->zones[0];
	char why[256];

	z->compact_cached_free_pfn = zone_end_pfn(z) + 1;
	assert_int_equal(compaction_check(g.m->reclaim.compaction, why, sizeof(why)), 10004);
	z->compact_cached_free_pfn = zone_end_pfn(z);
	srig_end(&g);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worked_example),
		cmocka_unit_test(test_A10_10),
		cmocka_unit_test(test_A10_11),
		cmocka_unit_test(test_A10_12),
		cmocka_unit_test(test_A10_13),
		cmocka_unit_test(test_A10_14),
		cmocka_unit_test(test_A10_15),
		cmocka_unit_test(test_A10_16),
		cmocka_unit_test(test_A10_17),
		cmocka_unit_test(test_A10_18),
		cmocka_unit_test(test_A10_19),
		cmocka_unit_test(test_A10_20),
		cmocka_unit_test(test_work_is_for_pages_moved),
		cmocka_unit_test(test_kcompactd),
		cmocka_unit_test(test_check_sees_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
