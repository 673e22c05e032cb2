/* SPDX-License-Identifier: BSD-2-Clause */
/* LRU lists, second chance, refault distance: floors 3 and 5 without anything above (spec 09). */
#include <errno.h>

#include "core/backing/workingset.h"
#include "core/hw/events.h"
#include "tests/phys_boot.h"

#define MAX_PAGES 64

struct lru_rig {
	struct phys_rig r;
	struct lru lru;
	struct workingset ws;
	struct page *pages[MAX_PAGES];
	unsigned nr;
};

static const s64 free_slots = 1;

static void up(struct lru_rig *g, const char *pairs)
{
	memset(g, 0, sizeof(*g));
	rig_boot(&g->r, pairs);
	assert_int_equal(lru_init(&g->lru, &g->r.phys, &g->r.config), 0);
	assert_int_equal(events_init(&g->r.hw, g->r.config.events), 0);
	workingset_init(&g->ws, &g->lru, &free_slots, &g->r.config);
}

static void check(struct lru_rig *g)
{
	char why[256] = "";

	if (lru_check(&g->lru, why, sizeof(why)))
		fail_msg("%s", why);
}

static struct page *fresh(struct lru_rig *g, u32 flags)
{
	struct page *p = alloc_page(&g->r.phys, 0, GFP_HIGHUSER_MOVABLE);

	assert_non_null(p);
	p->flags |= flags;
	assert_true(g->nr < MAX_PAGES);
	g->pages[g->nr++] = p;
	return p;
}

static struct page *queued(struct lru_rig *g, u32 flags)
{
	struct page *p = fresh(g, flags);

	lru_cache_add(&g->lru, p);
	return p;
}

static void down(struct lru_rig *g)
{
	check(g);
	lru_add_drain_all(&g->lru);
	check(g);
	while (g->nr)
		lru_put_page(&g->lru, g->pages[--g->nr]);
	for (unsigned l = 0; l < NR_LRU_LISTS; l++)
		assert_int_equal(
			global_page_state(&g->r.phys, (enum zone_stat_item)(NR_INACTIVE_ANON + l)),
			0);
	lru_destroy(&g->lru);
	events_destroy(&g->r.hw);
	rig_down(&g->r);
}

static s64 level(struct lru_rig *g, enum zone_stat_item item)
{
	return global_page_state(&g->r.phys, item);
}

static u64 event(struct lru_rig *g, enum vm_event_item ev)
{
	return g->r.hw.cpus[0].events[ev];
}

static struct lruvec *vec(struct lru_rig *g, const struct page *p)
{
	return page_lruvec(&g->lru, p);
}

#define BIT32(n) (1u << (n))

static void test_A09_1(void **state)
{
	static const unsigned sizes[] = {14, 15, 31};

	(void)state;
	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		struct lru_rig g;
		char pairs[64];

		snprintf(pairs, sizeof(pairs), IDEAL_1G "pagevec=%u", sizes[s]);
		up(&g, pairs);
		for (unsigned i = 0; i < sizes[s]; i++) {
			struct page *p = queued(&g, 0);

			assert_false(PageLRU(p));
			assert_int_equal(page_count(p), 2);
			assert_int_equal(level(&g, NR_INACTIVE_FILE), 0);
		}
		queued(&g, 0);
		assert_int_equal(level(&g, NR_INACTIVE_FILE), sizes[s]);
		assert_int_equal(page_count(g.pages[0]), 1);
		assert_false(PageLRU(g.pages[sizes[s]]));
		/* the last one of the batch is at the head */
		assert_ptr_equal(plist_first(g.r.phys.memmap,
					     &vec(&g, g.pages[0])->lists[LRU_INACTIVE_FILE]),
				 g.pages[sizes[s] - 1]);
		down(&g);
	}
}

/* Of a batch's pages, those nobody else holds go back to the allocator when it is drained. */
static void test_drain_frees_pages_of_nobody(void **state)
{
	struct lru_rig g;
	u64 freed;

	(void)state;
	up(&g, IDEAL_1G);
	for (int i = 0; i < 3; i++)
		queued(&g, BIT32(PG_active) | BIT32(PG_swapbacked));
	for (int i = 0; i < 2; i++)
		lru_put_page(&g.lru, g.pages[--g.nr]);
	freed = event(&g, EV_PGFREE);
	lru_add_drain(&g.lru, 0);
	assert_int_equal(event(&g, EV_PGFREE), freed + 2);
	assert_int_equal(level(&g, NR_ACTIVE_ANON), 1);
	assert_int_equal(vec(&g, g.pages[0])->recent_scanned[0], 3);
	assert_int_equal(vec(&g, g.pages[0])->recent_rotated[0], 3);
	down(&g);
}

/* The four states of second chance, for pages on a list and pages still in a batch. */
static void test_A09_2(void **state)
{
	(void)state;
	for (int on_list = 0; on_list < 2; on_list++)
		for (int file = 0; file < 2; file++)
			for (int active = 0; active < 2; active++)
				for (int referenced = 0; referenced < 2; referenced++) {
					u32 type = file ? 0 : BIT32(PG_swapbacked);
					bool moves = !active && referenced;
					u64 scanned, rotated, age, activated;
					struct lru_rig g;
					struct page *p;

					up(&g, IDEAL_1G "ncpu=1");
					p = queued(&g,
						   type | (active ? BIT32(PG_active) : 0) |
							   (referenced ? BIT32(PG_referenced) : 0));
					if (on_list)
						lru_add_drain(&g.lru, 0);
					scanned = vec(&g, p)->recent_scanned[file];
					rotated = vec(&g, p)->recent_rotated[file];
					age = vec(&g, p)->inactive_age;
					activated = event(&g, EV_PGACTIVATE);
					mark_page_accessed(&g.lru, p);
					assert_int_equal(PageActive(p), active || moves);
					assert_int_equal(PageReferenced(p), !moves);
					assert_int_equal(event(&g, EV_PGACTIVATE) - activated,
							 moves && on_list);
					assert_int_equal(vec(&g, p)->recent_scanned[file] - scanned,
							 moves && on_list);
					assert_int_equal(vec(&g, p)->recent_rotated[file] - rotated,
							 moves && on_list);
					assert_int_equal(vec(&g, p)->inactive_age - age,
							 moves && file);
					check(&g);
					lru_add_drain(&g.lru, 0);
					assert_int_equal(event(&g, EV_PGACTIVATE) - activated,
							 moves && on_list);
					assert_int_equal(
						level(&g, file ? NR_ACTIVE_FILE : NR_ACTIVE_ANON),
						active || moves);
					down(&g);
				}
}

/* With more CPUs activation waits in a batch of its own; an unevictable page is only referenced. */
static void test_A09_2_batched_and_unevictable(void **state)
{
	struct lru_rig g;
	struct page *p;

	(void)state;
	up(&g, IDEAL_1G "ncpu=2");
	p = queued(&g, 0);
	lru_add_drain(&g.lru, 0);
	mark_page_accessed(&g.lru, p);
	mark_page_accessed(&g.lru, p);
	assert_false(PageActive(p));
	assert_int_equal(page_count(p), 2);
	lru_add_drain(&g.lru, 0);
	assert_true(PageActive(p));
	assert_int_equal(page_count(p), 1);
	assert_int_equal(event(&g, EV_PGACTIVATE), 1);
	p = fresh(&g, 0);
	lru_add_unevictable(&g.lru, p);
	for (int i = 0; i < 3; i++)
		mark_page_accessed(&g.lru, p);
	assert_true(PageReferenced(p));
	assert_false(PageActive(p));
	down(&g);
}

static void test_rotate_and_deactivate(void **state)
{
	struct lru_rig g;
	struct page *a, *b, *c;

	(void)state;
	up(&g, IDEAL_1G);
	a = queued(&g, 0);
	b = queued(&g, 0);
	c = queued(&g, BIT32(PG_active) | BIT32(PG_referenced));
	lru_add_drain(&g.lru, 0);
	rotate_reclaimable_page(&g.lru, b);
	lru_add_drain(&g.lru, 0);
	assert_int_equal(event(&g, EV_PGROTATED), 1);
	assert_ptr_equal(plist_last(g.r.phys.memmap, &vec(&g, a)->lists[LRU_INACTIVE_FILE]), b);
	deactivate_file_page(&g.lru, c);
	lru_add_drain(&g.lru, 0);
	assert_false(PageActive(c) || PageReferenced(c));
	assert_ptr_equal(plist_last(g.r.phys.memmap, &vec(&g, a)->lists[LRU_INACTIVE_FILE]), c);
	assert_int_equal(event(&g, EV_PGROTATED), 2);
	assert_int_equal(event(&g, EV_PGDEACTIVATE), 1);
	SetPageDirty(a); /* will be written: to the head, and on when that is done */
	deactivate_file_page(&g.lru, a);
	lru_add_drain(&g.lru, 0);
	assert_true(PageReclaim(a));
	assert_ptr_equal(plist_first(g.r.phys.memmap, &vec(&g, a)->lists[LRU_INACTIVE_FILE]), a);
	assert_int_equal(event(&g, EV_PGROTATED), 2);
	down(&g);
}

static void test_isolate_and_putback(void **state)
{
	struct lru_rig g;
	struct page *p;

	(void)state;
	up(&g, IDEAL_1G);
	p = queued(&g, 0);
	assert_int_equal(isolate_lru_page(&g.lru, p), -EBUSY);
	lru_add_drain(&g.lru, 0);
	assert_int_equal(isolate_lru_page(&g.lru, p), 0);
	assert_int_equal(page_count(p), 2);
	assert_int_equal(level(&g, NR_INACTIVE_FILE), 0);
	SetPageMlocked(p);
	putback_lru_page(&g.lru, p);
	assert_int_equal(level(&g, NR_UNEVICTABLE), 1);
	assert_int_equal(event(&g, EV_UNEVICTABLE_PGCULLED), 1);
	assert_int_equal(page_count(p), 1);
	assert_int_equal(isolate_lru_page(&g.lru, p), 0);
	ClearPageMlocked(p);
	putback_lru_page(&g.lru, p);
	assert_int_equal(event(&g, EV_UNEVICTABLE_PGRESCUED), 1);
	lru_add_drain(&g.lru, 0);
	assert_int_equal(level(&g, NR_INACTIVE_FILE), 1);
	down(&g);
}

/* Each rule broken on purpose is found. */
static void test_I09_1_2_3_5(void **state)
{
	char why[256];
	struct lru_rig g;
	struct page *p;

	(void)state;
	up(&g, IDEAL_1G);
	p = queued(&g, 0);
	lru_add_drain(&g.lru, 0);
	SetPageActive(p);
	assert_int_equal(lru_check(&g.lru, why, sizeof(why)), 9001);
	SetPageUnevictable(p);
	assert_int_equal(lru_check(&g.lru, why, sizeof(why)), 9003);
	ClearPageUnevictable(p);
	ClearPageActive(p);
	SetPageMlocked(p);
	assert_int_equal(lru_check(&g.lru, why, sizeof(why)), 9005);
	ClearPageMlocked(p);
	page_zone(&g.r.phys, p)->vm_stat[NR_INACTIVE_FILE]++;
	assert_int_equal(lru_check(&g.lru, why, sizeof(why)), 9002);
	page_zone(&g.r.phys, p)->vm_stat[NR_INACTIVE_FILE]--;
	down(&g);
}

/* With reclaim=node one set of lists serves all zones; counters stay with the zones. */
static void test_node_lists(void **state)
{
	struct lru_rig g;
	struct page *high, *normal;

	(void)state;
	up(&g, IDEAL_1G "reclaim=node");
	high = queued(&g, 0);
	normal = alloc_page(&g.r.phys, 0, GFP_KERNEL);
	g.pages[g.nr++] = normal;
	lru_cache_add(&g.lru, normal);
	lru_add_drain(&g.lru, 0);
	assert_ptr_equal(vec(&g, high), vec(&g, normal));
	assert_int_equal(vec(&g, high)->lists[LRU_INACTIVE_FILE].nr, 2);
	assert_int_equal(lruvec_size(&g.lru, vec(&g, high), LRU_INACTIVE_FILE, ZONE_NORMAL), 1);
	assert_int_equal(lruvec_size(&g.lru, vec(&g, high), LRU_INACTIVE_FILE, ZONE_MOVABLE), 2);
	down(&g);
}

/* ---- refault distance by direct calls ---- */

/* As many active file pages as the test wants to compete with. */
static void active_pages(struct lru_rig *g, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		queued(g, BIT32(PG_active));
	lru_add_drain(&g->lru, 0);
	assert_int_equal(level(g, NR_ACTIVE_FILE), n);
}

static void test_A09_15_direct(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 8; n++)
		for (unsigned k = 0; k < 10; k++) {
			struct page *p;
			struct lru_rig g;
			u64 shadow;

			up(&g, IDEAL_1G);
			active_pages(&g, n);
			p = fresh(&g, 0);
			shadow = workingset_eviction(&g.ws, p);
			for (unsigned i = 0; i < k; i++)
				assert_int_not_equal(workingset_eviction(&g.ws, p), shadow);
			assert_int_equal(workingset_refault(&g.ws, shadow, true), k <= n);
			assert_int_equal(level(&g, NR_WORKINGSET_REFAULT), 1);
			assert_int_equal(level(&g, NR_WORKINGSET_ACTIVATE), k <= n);
			assert_int_equal(vec(&g, p)->inactive_age, k + 1 + (k <= n));
			down(&g);
		}
}

static void test_A09_16(void **state)
{
	struct lru_rig g;
	struct page *p;

	(void)state;
	up(&g, IDEAL_1G);
	p = fresh(&g, 0);
	assert_true(workingset_refault(&g.ws, workingset_eviction(&g.ws, p), true));
	assert_int_equal(level(&g, NR_ACTIVE_FILE), 0);
	down(&g);
}

static void test_A09_17(void **state)
{
	struct lru_rig g;
	struct refault r;
	struct page *a, *p;
	u64 shadow;

	(void)state;
	up(&g, IDEAL_1G "events=8");
	a = fresh(&g, 0);
	shadow = workingset_eviction(&g.ws, a);
	for (int i = 0; i < 5; i++) {
		p = queued(&g, 0);
		lru_add_drain(&g.lru, 0);
		mark_page_accessed(&g.lru, p);
		mark_page_accessed(&g.lru, p);
		assert_true(PageActive(p));
	}
	for (int i = 0; i < 3; i++)
		workingset_eviction(&g.ws, a);
	workingset_unpack(&g.ws, shadow, &r);
	assert_int_equal(r.distance, 8);
	assert_false(workingset_refault(&g.ws, shadow, true)); /* 8 > 5 active */
	assert_int_equal(event_at(&g.r.hw, 7)->code, EVENT_REFAULT);
	assert_int_equal(event_at(&g.r.hw, 7)->v[0], 8);
	assert_int_equal(event_at(&g.r.hw, 7)->v[1], 0);
	down(&g);
}

/* The distance wraps where a word of the guest would: 28 bits on 32-bit machines of one node. */
static void test_bits_of_the_distance(void **state)
{
	struct refault r;
	struct lru_rig g;
	struct page *p;
	u64 shadow;

	(void)state;
	up(&g, "arch=arm32 machine=vexpress ideal=1 mem=1G dma_zone_size=64M");
	assert_int_equal(g.ws.mask, (1u << 28) - 1);
	p = fresh(&g, 0);
	vec(&g, p)->inactive_age = (1u << 28) - 2;
	shadow = workingset_eviction(&g.ws, p);
	for (int i = 0; i < 4; i++)
		workingset_eviction(&g.ws, p);
	workingset_unpack(&g.ws, shadow, &r);
	assert_int_equal(r.distance, 4);
	down(&g);
	up(&g, IDEAL_1G "workingset=0");
	assert_int_equal(workingset_eviction(&g.ws, fresh(&g, 0)), 0);
	down(&g);
}

/* Modern: the snapshot is taken first, anonymous pages count, and the flag of a once active page.
 */
static void test_modern_ages(void **state)
{
	struct refault r;
	struct lru_rig g;
	struct page *p;
	u64 shadow;

	(void)state;
	up(&g, "mem=256M ideal=1 policy=modern");
	p = queued(&g, BIT32(PG_swapbacked) | BIT32(PG_workingset));
	queued(&g, 0);
	lru_add_drain(&g.lru, 0);
	shadow = workingset_eviction(&g.ws, p);
	workingset_unpack(&g.ws, shadow, &r);
	assert_int_equal(r.distance, 1);
	assert_true(r.was_active);
	assert_true(workingset_refault(&g.ws, shadow, false)); /* one inactive file page */
	assert_int_equal(event(&g, EV_WORKINGSET_REFAULT_ANON), 1);
	assert_int_equal(event(&g, EV_WORKINGSET_RESTORE_ANON), 1);
	for (int i = 0; i < 2; i++)
		workingset_eviction(&g.ws, p);
	assert_false(workingset_refault(&g.ws, shadow, false));
	assert_int_equal(event(&g, EV_WORKINGSET_ACTIVATE_ANON), 1);
	ClearPageWorkingset(p);
	down(&g);
}

/* Lists of frames as plain arrays, head first. */
struct naive_list {
	u32 f[MAX_PAGES], nr;
};

static void same_list(struct lru_rig *g, const struct page_list *l, const struct naive_list *n)
{
	struct page *map = g->r.phys.memmap, *p = plist_first(map, l), *q = plist_last(map, l);

	assert_int_equal(l->nr, n->nr);
	for (u32 i = 0; i < n->nr; i++, p = plist_next(map, p), q = plist_prev(map, q)) {
		assert_int_equal(page_frame(&g->r.phys, p), n->f[i]);
		assert_int_equal(page_frame(&g->r.phys, q), n->f[n->nr - 1 - i]);
	}
	assert_true(!p && !q);
}

/* Cutting off and adding several pages leave what taking and adding one after the other does. */
static void test_pages_together(void **state)
{
	struct naive_list n = {.nr = 0};
	struct page_list list;
	struct prng rnd;
	struct lru_rig g;
	u32 spare[MAX_PAGES], nr_spare;

	(void)state;
	up(&g, IDEAL_1G);
	prng_seed(&rnd, test_seed(91));
	plist_init(&list);
	for (nr_spare = 0; nr_spare < MAX_PAGES; nr_spare++)
		spare[nr_spare] = page_frame(&g.r.phys, fresh(&g, 0));
	for (unsigned round = 0; round < 2000; round++) {
		u32 k = (u32)prng_below(&rnd, nr_spare + 1), stay;

		plist_add_heads(g.r.phys.memmap, &list, spare + nr_spare - k, k);
		memmove(n.f + k, n.f, n.nr * sizeof(u32));
		for (u32 i = 0; i < k; i++)
			n.f[k - 1 - i] = spare[nr_spare - k + i];
		n.nr += k;
		nr_spare -= k;
		same_list(&g, &list, &n);
		stay = (u32)prng_below(&rnd, n.nr + 1);
		plist_cut(g.r.phys.memmap, &list, stay ? n.f[stay - 1] : PFN_NONE, stay);
		while (n.nr > stay)
			spare[nr_spare++] = n.f[--n.nr];
		same_list(&g, &list, &n);
	}
	down(&g);
}

/* The same with lists of zones: lengths go to each page's own, as with one call a page. */
static void test_add_pages_together(void **state)
{
	static const gfp_t where[] = {GFP_HIGHUSER_MOVABLE, GFP_KERNEL};
	struct lru_rig g;
	u32 frames[16];

	(void)state;
	up(&g, IDEAL_1G "reclaim=node");
	for (unsigned i = 0; i < ARRAY_SIZE(frames); i++) {
		struct page *p = alloc_page(&g.r.phys, 0, where[i / 3 % 2]);

		g.pages[g.nr++] = p;
		frames[i] = page_frame(&g.r.phys, p);
	}
	add_pages_to_lru_list(&g.lru, frames, 0, LRU_INACTIVE_FILE);
	add_pages_to_lru_list(&g.lru, frames, ARRAY_SIZE(frames), LRU_INACTIVE_FILE);
	check(&g); /* I09.2 */
	assert_ptr_equal(plist_first(g.r.phys.memmap, &vec(&g, g.pages[0])->lists[LRU_INACTIVE_FILE]), g.pages[15]);
	down(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A09_1),
		cmocka_unit_test(test_drain_frees_pages_of_nobody),
		cmocka_unit_test(test_A09_2),
		cmocka_unit_test(test_A09_2_batched_and_unevictable),
		cmocka_unit_test(test_rotate_and_deactivate),
		cmocka_unit_test(test_isolate_and_putback),
		cmocka_unit_test(test_I09_1_2_3_5),
		cmocka_unit_test(test_node_lists),
		cmocka_unit_test(test_A09_15_direct),
		cmocka_unit_test(test_A09_16),
		cmocka_unit_test(test_A09_17),
		cmocka_unit_test(test_bits_of_the_distance),
		cmocka_unit_test(test_modern_ages),
		cmocka_unit_test(test_pages_together),
		cmocka_unit_test(test_add_pages_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
