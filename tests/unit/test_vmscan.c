/* SPDX-License-Identifier: BSD-2-Clause */
/* The arithmetic of reclaim and of the OOM killer, without a machine around it (spec 09). */
#include "core/base/bits.h"
#include "core/reclaim/vmscan.h"
#include "tests/test.h"

/* ---- get_scan_count ---- */

/* Spec 09 s5.1, fresh statistics, inactive file list low: the FRACT rows of s12.1 from the formula.
 */
static u64 fract(u64 size, int priority, bool file, u64 swappiness)
{
	u64 part = file ? 200 - swappiness : swappiness;

	return (size >> priority) * part / 201;
}

static const struct scan_input lists_of_12_1 = {
	.size = {10000, 30000, 8000, 12000},
	.free = 5000,
	.high = 1323,
	.swappiness = 60,
	.may_swap = true,
	.global = true,
	.inactive_file_low = true,
};

static void test_A09_7(void **state)
{
	static const u64 table[][5] = {
		/* priority, inactive and active anon, inactive and active file */
		{12, 0, 2, 0, 1},
		{10, 2, 8, 4, 7},
		{8, 11, 34, 21, 32},
		{6, 46, 139, 87, 130},
		{4, 186, 559, 348, 522},
		{2, 746, 2238, 1393, 2089},
		{1, 1492, 4477, 2786, 4179},
	};
	struct scan_input in = lists_of_12_1;
	struct lruvec v = {0};
	u64 nr[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		in.priority = (int)table[i][0];
		assert_int_equal(get_scan_count(&in, &v, nr), SCAN_FRACT);
		for (unsigned l = 0; l < 4; l++) {
			assert_int_equal(nr[l], fract(in.size[l], in.priority, l >= 2, 60));
			assert_int_equal(nr[l], table[i][l + 1]);
		}
	}
	in.priority = 0;
	assert_int_equal(get_scan_count(&in, &v, nr), SCAN_EQUAL);
	for (unsigned l = 0; l < 4; l++)
		assert_int_equal(nr[l], in.size[l]);
	in = lists_of_12_1; /* no swap: files only */
	in.may_swap = false;
	assert_int_equal(get_scan_count(&in, &v, nr), SCAN_FILE);
	assert_int_equal(nr[LRU_INACTIVE_ANON] + nr[LRU_ACTIVE_ANON], 0);
	in = lists_of_12_1; /* the cache trap: hardly any cache left, and that is not enough */
	in.priority = 4;
	in.size[LRU_INACTIVE_FILE] = 300;
	in.size[LRU_ACTIVE_FILE] = 200;
	in.free = 823;
	assert_int_equal(get_scan_count(&in, &v, nr), SCAN_ANON);
	assert_int_equal(nr[LRU_ACTIVE_ANON], 30000 >> 4);
	assert_int_equal(nr[LRU_INACTIVE_FILE], 0);
	in.free = 824;
	assert_int_equal(get_scan_count(&in, &v, nr), SCAN_FRACT);
	in = lists_of_12_1; /* enough inactive file pages */
	in.inactive_file_low = false;
	in.priority = 3;
	assert_int_equal(get_scan_count(&in, &v, nr), SCAN_FILE);
	assert_int_equal(nr[LRU_INACTIVE_FILE], 1000);
	assert_int_equal(nr[LRU_ACTIVE_ANON], 0);
}

/* Feedback (spec 09 s12.1): a type whose scanned pages had to be kept is spared. */
static void test_A09_7_feedback_and_halving(void **state)
{
	struct lruvec v = {.recent_scanned = {1000, 1000}, .recent_rotated = {800, 100}};
	struct scan_input in = {.size = {40000, 40000, 40000, 40000},
				.free = 5000,
				.high = 1,
				.swappiness = 60,
				.may_swap = true,
				.global = true,
				.inactive_file_low = true,
				.priority = 4};
	u64 ap = 60 * 1001 / 801, fp = 140 * 1001 / 101, nr[4];

	(void)state;
	assert_int_equal(get_scan_count(&in, &v, nr), SCAN_FRACT);
	assert_int_equal(nr[LRU_ACTIVE_ANON], 2500 * ap / (ap + fp + 1));
	assert_int_equal(nr[LRU_ACTIVE_FILE], 2500 * fp / (ap + fp + 1));
	assert_int_equal(v.recent_scanned[0], 1000);
	v.recent_scanned[0] = 20001; /* more than a quarter of 80000 */
	get_scan_count(&in, &v, nr);
	assert_int_equal(v.recent_scanned[0], 10000);
	assert_int_equal(v.recent_rotated[0], 400);
	assert_int_equal(v.recent_scanned[1], 1000);
}

/* Nothing found and forced: up to 32 pages of each list; not forced: nothing. */
static void test_A09_7_force(void **state)
{
	struct scan_input in = {.size = {100, 20, 3000, 10},
				.free = 9,
				.high = 1,
				.swappiness = 60,
				.may_swap = true,
				.global = true,
				.priority = 12};
	struct lruvec v = {0};
	u64 nr[4];

	(void)state;
	get_scan_count(&in, &v, nr);
	assert_int_equal(nr[LRU_INACTIVE_FILE], 0);
	in.force = true;
	assert_int_equal(get_scan_count(&in, &v, nr), SCAN_FILE);
	assert_int_equal(nr[LRU_INACTIVE_FILE], 32);
	assert_int_equal(nr[LRU_ACTIVE_FILE], 10);
	assert_int_equal(nr[LRU_INACTIVE_ANON], 0);
}

static void test_A09_8(void **state)
{
	struct scan_input in = lists_of_12_1;
	struct lruvec v = {0};
	u64 nr[4];

	(void)state;
	in.swappiness = 0;
	for (in.priority = 12; in.priority >= 0; in.priority--) {
		assert_int_equal(get_scan_count(&in, &v, nr),
				 SCAN_FRACT); /* EQUAL needs a swappiness */
		assert_int_equal(nr[LRU_INACTIVE_ANON] + nr[LRU_ACTIVE_ANON], 0);
	}
	in.priority = 12;
	in.free = in.size[LRU_INACTIVE_FILE] = in.size[LRU_ACTIVE_FILE] = 0;
	assert_int_equal(get_scan_count(&in, &v, nr), SCAN_ANON);
	assert_int_equal(nr[LRU_ACTIVE_ANON], 30000 >> 12);
	in = lists_of_12_1;
	in.swappiness = 100;
	in.priority = 2;
	memcpy(in.size, (u64[4]){9000, 9000, 9000, 9000}, sizeof(in.size));
	v = (struct lruvec){.recent_scanned = {70, 70}, .recent_rotated = {7, 7}};
	get_scan_count(&in, &v, nr);
	assert_int_equal(nr[LRU_INACTIVE_ANON], nr[LRU_INACTIVE_FILE]);
	in.global = false; /* a limit with swappiness 0 never swaps */
	in.swappiness = 0;
	assert_int_equal(get_scan_count(&in, &v, nr), SCAN_FILE);
}

/* ---- inactive lists ---- */

static void test_A09_9(void **state)
{
	struct phys phys = {.page_shift = 12};
	struct swap swap = {.total_swap_pages = 1};
	struct vmscan vs = {.phys = &phys, .swap = &swap};
	struct zone zone = {.inactive_ratio = 3};
	struct lruvec v = {0};
	struct scan_unit u = {.vec = &v, .zone = &zone};
	struct scan_control sc = {0};

	(void)state;
	v.lists[LRU_ACTIVE_ANON].nr = 4000;
	v.lists[LRU_INACTIVE_ANON].nr = 1000;
	assert_true(inactive_list_is_low(&vs, &u, false, &sc, false));
	v.lists[LRU_INACTIVE_ANON].nr = 1334;
	assert_false(inactive_list_is_low(&vs, &u, false, &sc, false));
	v.lists[LRU_INACTIVE_ANON].nr = 0;
	swap.total_swap_pages = 0;
	assert_false(inactive_list_is_low(&vs, &u, false, &sc, false));
	v.lists[LRU_ACTIVE_FILE].nr = 11;
	v.lists[LRU_INACTIVE_FILE].nr = 10;
	assert_true(inactive_list_is_low(&vs, &u, true, &sc, false));
	v.lists[LRU_INACTIVE_FILE].nr = 11;
	assert_false(inactive_list_is_low(&vs, &u, true, &sc, false));
	/* 4.12: by size, and at once when refaults were seen */
	vs.inactive412 = true;
	phys.nr_zones = 1;
	phys.zones = &zone;
	v.lists[LRU_ACTIVE_FILE].nr = 700000;
	v.lists[LRU_INACTIVE_FILE].nr = 140000; /* 3.2 GiB: ratio 5 */
	assert_int_equal(int_sqrt(10 * ((840000ull << 12) / GiB)), 5);
	assert_false(inactive_list_is_low(&vs, &u, true, &sc, true));
	v.lists[LRU_INACTIVE_FILE].nr = 139999;
	assert_true(inactive_list_is_low(&vs, &u, true, &sc, true));
	v.lists[LRU_INACTIVE_FILE].nr = 600000;
	zone.vm_stat[NR_WORKINGSET_ACTIVATE] = 1;
	assert_true(inactive_list_is_low(&vs, &u, true, &sc, true));
	assert_false(inactive_list_is_low(&vs, &u, true, &sc, false));
	u.refaults = 1;
	assert_false(inactive_list_is_low(&vs, &u, true, &sc, true));
}

/* ---- the decision table of shrink_page_list ---- */

static enum page_references table_of_8_2(int ptes, bool referenced, bool swapbacked, bool exec)
{
	if (!ptes)
		return referenced && !swapbacked ? PAGEREF_RECLAIM_CLEAN : PAGEREF_RECLAIM;
	if (swapbacked || referenced || ptes > 1 || exec)
		return PAGEREF_ACTIVATE;
	return PAGEREF_KEEP;
}

static void test_A09_11(void **state)
{
	(void)state;
	for (int ptes = 0; ptes < 3; ptes++)
		for (int referenced = 0; referenced < 2; referenced++)
			for (int swapbacked = 0; swapbacked < 2; swapbacked++)
				for (int exec = 0; exec < 2; exec++) {
					u32 flags = exec ? VM_EXEC : 0;
					bool set;

					assert_int_equal(
						page_check_references(flags, ptes, referenced,
								      swapbacked, false, &set),
						table_of_8_2(ptes, referenced, swapbacked, exec));
					assert_int_equal(set, ptes && !swapbacked);
					assert_int_equal(page_check_references(flags | VM_LOCKED,
									       ptes, referenced,
									       swapbacked, false,
									       &set),
							 PAGEREF_RECLAIM);
					/* 5.9: anonymous pages are treated as file pages are */
					if (swapbacked && ptes)
						assert_int_equal(
							page_check_references(flags, ptes,
									      referenced, true,
									      true, &set),
							referenced || ptes > 1 ? PAGEREF_ACTIVATE
									       : PAGEREF_KEEP);
				}
}

/* ---- shrinkers ---- */

struct fake_cache {
	struct shrinker s;
	u64 objects, asked, calls;
	bool refuse;
};

static u64 fake_count(void *self)
{
	return ((struct fake_cache *)self)->objects;
}

static u64 fake_scan(void *self, u64 nr)
{
	struct fake_cache *c = self;

	c->asked += nr;
	c->calls++;
	if (c->refuse)
		return SHRINK_STOP;
	nr = mm_min(nr, c->objects);
	c->objects -= nr;
	return nr;
}

static void fake_vs(struct vmscan *vs, struct hw *hw, struct hw_cpu *cpu)
{
	memset(vs, 0, sizeof(*vs));
	memset(hw, 0, sizeof(*hw));
	memset(cpu, 0, sizeof(*cpu));
	hw->cpus = cpu;
	vs->hw = hw;
	list_init(&vs->shrinkers);
}

static void test_A09_23(void **state)
{
	struct fake_cache c = {.s = {.count = fake_count, .scan = fake_scan, .self = &c},
			       .objects = 1000};
	u64 delta = 4 * 32 / DEFAULT_SEEKS * 1000 / (3200 + 1);
	struct vmscan vs;
	struct hw_cpu cpu;
	struct hw hw;

	(void)state;
	fake_vs(&vs, &hw, &cpu);
	register_shrinker(&vs, &c.s);
	assert_int_equal(delta, 19);
	for (u64 i = 1; i * delta < SHRINK_BATCH; i++) {
		assert_int_equal(shrink_slab(&vs, GFP_KERNEL, 32, 3200), 0);
		assert_int_equal(c.s.deferred, i * delta);
		assert_int_equal(c.calls, 0);
	}
	assert_int_equal(shrink_slab(&vs, GFP_KERNEL, 32, 3200), SHRINK_BATCH);
	assert_int_equal(c.calls, 1);
	assert_int_equal(c.s.deferred, 7 * delta - SHRINK_BATCH);
	assert_int_equal(cpu.events[EV_SLABS_SCANNED], SHRINK_BATCH);
	/* nothing scanned counts as 32; twice the cache at most; few objects go at once */
	c.objects = 10;
	c.s.deferred = 5000;
	assert_int_equal(shrink_slab(&vs, GFP_KERNEL, 0, 0), 10);
	assert_int_equal(c.s.deferred, 0);
	c = (struct fake_cache){.s = c.s, .objects = 1000, .refuse = true};
	assert_int_equal(shrink_slab(&vs, GFP_KERNEL, 1000, 1000), 0);
	assert_int_equal(c.calls, 1);
	c.refuse = false;
	c.s.deferred = 0;
	drop_slab(&vs);
	assert_true(c.objects < SHRINK_BATCH);
	assert_int_equal(cpu.events[EV_DROP_SLAB], 1);
	unregister_shrinker(&c.s);
	assert_int_equal(shrink_slab(&vs, GFP_KERNEL, 32, 1), 0);
}

/* ---- OOM: badness and selection ---- */

#define NR_TASKS 8

struct oom_rig {
	struct machine_config config;
	struct vmscan vs;
	struct vm vm;
	struct phys phys;
	struct swap swap;
	struct task t[NR_TASKS], *tasks[NR_TASKS];
	struct mm_struct mm[NR_TASKS];
};

static void oom_up(struct oom_rig *g, u64 totalpages)
{
	memset(g, 0, sizeof(*g));
	g->phys.totalram_pages = totalpages;
	g->vm.tasks = g->tasks;
	g->vm.nr_tasks = NR_TASKS;
	g->vs.vm = &g->vm;
	g->vs.phys = &g->phys;
	g->vs.swap = &g->swap;
	g->vs.config = &g->config;
	for (u32 i = 1; i < NR_TASKS; i++) {
		g->tasks[i] = &g->t[i];
		g->t[i].index = i;
		g->t[i].pid = g->t[i].tid = 100 + i;
	}
}

static struct task *with_mm(struct oom_rig *g, u32 i, s64 rss, s64 swap, u64 ptes)
{
	g->mm[i].rss[MM_ANONPAGES] = rss;
	g->mm[i].rss[MM_SWAPENTS] = swap;
	g->mm[i].nr_ptes = ptes;
	g->t[i].mm = &g->mm[i];
	g->t[i].lived = true;
	return &g->t[i];
}

static void test_A09_20_badness(void **state)
{
	u64 total = 262144, points;
	struct oom_rig g;
	struct task *t;
	bool abort;

	(void)state;
	oom_up(&g, total);
	t = with_mm(&g, 1, 50000, 10000, 120);
	assert_int_equal(oom_badness(&g.vs, t, total), 60120);
	t->root = true;
	assert_int_equal(oom_badness(&g.vs, t, total), 60120 - 60120 * 3 / 100);
	assert_int_equal(oom_badness(&g.vs, t, total), 58317);
	t = with_mm(&g, 2, 1000, 0, 10);
	t->oom_score_adj = 300;
	assert_int_equal(oom_badness(&g.vs, t, total), 79610);
	t = with_mm(&g, 3, 200000, 0, 400);
	t->oom_score_adj = -900;
	assert_int_equal(oom_badness(&g.vs, t, total), 1);
	t->oom_score_adj = -1000;
	assert_int_equal(oom_badness(&g.vs, t, total), 0);
	assert_ptr_equal(oom_select(&g.vs, total, &points, &abort), &g.t[2]);
	assert_int_equal(points, 79610);
	assert_false(abort);
	/* the same points: the later one, unless the chosen one leads its group */
	t = with_mm(&g, 4, 79610, 0, 0);
	assert_ptr_equal(oom_select(&g.vs, total, &points, &abort), &g.t[2]);
	g.t[2].lived = false;
	assert_ptr_equal(oom_select(&g.vs, total, &points, &abort), t);
	/* somebody is dying already */
	g.t[1].tif_memdie = true;
	assert_null(oom_select(&g.vs, total, &points, &abort));
	assert_true(abort);
	/* pid 1 with children is init */
	t = with_mm(&g, 5, 250000, 0, 0);
	g.t[1].tif_memdie = false;
	t->pid = 1;
	assert_ptr_equal(oom_select(&g.vs, total, &points, &abort), t);
	g.t[6].parent = 5;
	assert_int_equal(oom_badness(&g.vs, t, total), 0);
}

/* The reaper's policy: a reaped address space neither scores nor holds others up. (spec 13 s3) */
static void test_A09_20_reaped_scores_nothing(void **state)
{
	struct oom_rig g;
	struct task *t;
	u64 points;
	bool abort;

	(void)state;
	oom_up(&g, 262144);
	g.config.oom = OOM_RULE_REAPER;
	t = with_mm(&g, 1, 50000, 0, 1);
	with_mm(&g, 2, 40000, 0, 1);
	t->tif_memdie = true;
	assert_null(oom_select(&g.vs, 262144, &points, &abort));
	assert_true(abort);
	t->mm->oom_skip = true;
	assert_int_equal(oom_badness(&g.vs, t, 262144), 0);
	assert_ptr_equal(oom_select(&g.vs, 262144, &points, &abort), &g.t[2]);
	assert_false(abort);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A09_7),
		cmocka_unit_test(test_A09_7_feedback_and_halving),
		cmocka_unit_test(test_A09_7_force),
		cmocka_unit_test(test_A09_8),
		cmocka_unit_test(test_A09_9),
		cmocka_unit_test(test_A09_11),
		cmocka_unit_test(test_A09_23),
		cmocka_unit_test(test_A09_20_badness),
		cmocka_unit_test(test_A09_20_reaped_scores_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
