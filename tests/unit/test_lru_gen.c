/* SPDX-License-Identifier: BSD-2-Clause */
/* Generations (mglru=1, spec 13 s5): where pages begin, aging, eviction, tiers, types, refaults; by hand. */
#include "core/machine/lists.h"
#include "core/reclaim/lru_gen.h"
#include "core/reclaim/migrate.h"
#include "core/vm/lru_gen_walk.h"
#include "core/vm/pgtable.h"
#include "core/vm/swapin.h"
#include "tests/reclaim_rig.h"

#define SMALL "mem=64M ideal=1 swap=32M page_cluster=0 threads=manual mglru=1 "
#define TABLE 512u /* pages of a leaf table */

static struct scan_unit *unit(struct rrig *g)
{
	return rrig_unit(g, ZONE_DMA);
}

static struct lru_gen *gen(struct rrig *g)
{
	return unit(g)->vec->gen;
}

static void up(struct rrig *g, const char *more)
{
	char pairs[256];

	snprintf(pairs, sizeof(pairs), SMALL "%s", more);
	rrig_up(g, pairs);
	for (unsigned i = 0; i < g->phys->nr_zones; i++) /* one zone has all pages */
		assert_true(g->phys->zones[i].type == ZONE_DMA || !g->phys->zones[i].present_pages);
}

static struct page *anon(struct rrig *g, vaddr_t at)
{
	pt_slot *slot = pte_lookup(g->vm, g->t->mm, at);

	return vm_normal_page(g->vm, get_pte(g->vm, slot, 0));
}

static bool young(struct rrig *g, vaddr_t at)
{
	return pte_young(get_pte(g->vm, pte_lookup(g->vm, g->t->mm, at), 0));
}

static void touch(struct rrig *g, vaddr_t at)
{
	assert_true(mm_access(g->vm, g->t, at, MM_ACCESS_READ) <= RES_MAJOR);
}

static void fault_in(struct rrig *g, u64 n)
{
	rrig_map(g, g->t, BASE, n);
	rrig_write(g, g->t, BASE, n);
	lru_add_drain_all(g->vs->lru);
}

/* A file read once, a page a call: page i is the i-th oldest. */
static struct vm_file *read_file(struct rrig *g, u64 id, u64 pages)
{
	struct vm_file *f = rrig_file(g, id, pages);

	f->mode |= FMODE_RANDOM;
	for (u64 i = 0; i < pages; i++)
		rrig_read(g, f, i);
	lru_add_drain_all(g->vs->lru);
	return f;
}

/* ---- where pages begin ---- */

static void test_new_pages(void **state)
{
	struct vm_file *f;
	struct page *p;
	struct rrig g;

	(void)state;
	up(&g, "");
	assert_int_equal(gen(&g)->max_seq, 3);
	assert_int_equal(nr_gens(gen(&g), LRU_GEN_FILE), 4);
	fault_in(&g, 100); /* by faults: the youngest, seq 3 */
	assert_int_equal(page_lru_gen(anon(&g, BASE)), 3);
	assert_false(PageActive(anon(&g, BASE)));
	assert_int_equal(rrig_level(&g, NR_ACTIVE_ANON), 100);
	f = read_file(&g, 1, 50); /* by calls: the oldest, seq 0 */
	assert_int_equal(page_lru_gen(filemap_lookup(g.phys, f, 0)), 0);
	assert_int_equal(rrig_level(&g, NR_INACTIVE_FILE), 50);
	assert_int_equal(rrig_level(&g, NR_ACTIVE_FILE), 0);

	p = filemap_lookup(g.phys, f, 7); /* dirty and marked for reclaim: the second oldest */
	assert_int_equal(isolate_lru_page(g.vs->lru, p), 0);
	assert_int_equal(page_lru_gen(p), -1);
	set_page_dirty(g.fm, p);
	SetPageReclaim(p);
	lru_add_now(g.vs->lru, p);
	assert_int_equal(page_lru_gen(p), 1);
	put_page_testzero(p);

	p = anon(&g, BASE + PG); /* isolated young and put back (migration): the youngest again */
	assert_int_equal(isolate_lru_page(g.vs->lru, p), 0);
	assert_true(PageActive(p));
	putback_lru_page(g.vs->lru, p);
	lru_add_drain_all(g.vs->lru);
	assert_int_equal(page_lru_gen(p), 3);
	ClearPageReclaim(filemap_lookup(g.phys, f, 7));
	rrig_down(&g);
}

/* MADV_SEQUENTIAL: a fault says nothing about the future. */
static void test_sequential_area_is_not_young(void **state)
{
	struct rrig g;

	(void)state;
	up(&g, "");
	rrig_map(&g, g.t, BASE, 100);
	assert_int_equal(sys_madvise(g.vm, g.t, BASE, 100 * PG, MM_MADV_SEQUENTIAL), 0);
	rrig_write(&g, g.t, BASE, 100);
	lru_add_drain_all(g.vs->lru);
	assert_int_equal(page_lru_gen(anon(&g, BASE)), 1); /* anonymous, not in the swap cache: second oldest */
	lru_gen_begin(g.vs, unit(&g), true, true);
	assert_int_equal(rrig_event(&g, EV_LRU_GEN_LEAF_TOTAL), 0);
	rrig_down(&g);
}

/* ---- aging ---- */

/*
 * 128 pages in seq 3, all young. First walk: they stay there and become old; max_seq 4. Pages 0, 5 and 77
 * are accessed. Second walk: these three move to seq 4; max_seq 5. Nothing else moves.
 */
static void test_aging_promotes_exactly_the_accessed(void **state)
{
	static const char *const kinds[] = {"", "hwad=1", "hwad=1 reclaim=node data=bytes", "tlb=64"};
	static const u64 hot[] = {0, 5, 77};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		struct rrig g;

		up(&g, kinds[k]);
		fault_in(&g, 128);
		lru_gen_begin(g.vs, unit(&g), true, false);
		assert_int_equal(gen(&g)->max_seq, 4);
		assert_int_equal(rrig_event(&g, EV_LRU_GEN_LEAF_TOTAL), 128);
		assert_int_equal(rrig_event(&g, EV_LRU_GEN_LEAF_YOUNG), 128);
		assert_int_equal(rrig_event(&g, EV_LRU_GEN_PROMOTED), 0);
		for (u64 i = 0; i < 128; i++)
			assert_false(young(&g, BASE + i * PG));
		for (size_t i = 0; i < ARRAY_SIZE(hot); i++)
			touch(&g, BASE + hot[i] * PG);
		lru_gen_begin(g.vs, unit(&g), true, false);
		assert_int_equal(gen(&g)->max_seq, 5);
		assert_int_equal(rrig_event(&g, EV_LRU_GEN_LEAF_YOUNG), 131);
		assert_int_equal(rrig_event(&g, EV_LRU_GEN_PROMOTED), 3);
		for (u64 i = 0; i < 128; i++)
			assert_int_equal(page_lru_gen(anon(&g, BASE + i * PG)),
					 i == 0 || i == 5 || i == 77 ? gen_of_seq(4) : 3);
		assert_int_equal(rrig_level(&g, NR_ACTIVE_ANON), 3); /* seq 4 and 5 */
		assert_int_equal(rrig_level(&g, NR_INACTIVE_ANON), 125);
		assert_int_equal(gen(&g)->min_seq[LRU_GEN_ANON], 2);
		rrig_down(&g);
	}
}

/* Four generations are the most: the oldest joins the next. Without swap the oldest becomes the youngest. */
static void test_oldest_makes_room(void **state)
{
	struct rrig g;

	(void)state;
	up(&g, "mglru_walk=0");
	fault_in(&g, 100);
	read_file(&g, 1, 30);
	for (int i = 0; i < 4; i++) /* max_seq 7: anonymous pages were merged from 3 to 4 */
		lru_gen_begin(g.vs, unit(&g), true, false);
	assert_int_equal(gen(&g)->min_seq[LRU_GEN_ANON], 4);
	assert_int_equal(lru_gen_size(gen(&g), gen_of_seq(4), LRU_GEN_ANON), 100);
	assert_int_equal(lru_gen_size(gen(&g), gen_of_seq(4), LRU_GEN_FILE), 30);
	assert_int_equal(rrig_level(&g, NR_ACTIVE_ANON), 0);
	lru_gen_begin(g.vs, unit(&g), false, false); /* max_seq 8 = 4 mod 4 */
	assert_int_equal(gen(&g)->max_seq, 8);
	assert_int_equal(lru_gen_size(gen(&g), gen_of_seq(8), LRU_GEN_ANON), 100);
	assert_int_equal(lru_gen_size(gen(&g), gen_of_seq(5), LRU_GEN_FILE), 30);
	assert_int_equal(rrig_level(&g, NR_ACTIVE_ANON), 100);
	assert_int_equal(rrig_level(&g, NR_INACTIVE_ANON), 0);
	rrig_down(&g);
}

/*
 * Two tables. Walk 1 knows none, looks into both: all young. Then table A is used whole, of B 10 pages of 512:
 * walk 2 looks into both, but B has less than one young entry in eight. Walk 3 passes B, whose accessed page
 * stays where it is; a forced walk finds it.
 */
static void test_cold_tables_are_passed(void **state)
{
	vaddr_t b = BASE + TABLE * PG, page = b + 100 * PG;
	struct rrig g;

	(void)state;
	up(&g, "hwad=1");
	fault_in(&g, 2 * TABLE);
	lru_gen_begin(g.vs, unit(&g), true, false);
	for (u64 i = 0; i < TABLE + 10; i++)
		touch(&g, BASE + i * PG);
	lru_gen_begin(g.vs, unit(&g), true, false);
	assert_int_equal(rrig_event(&g, EV_LRU_GEN_TABLES_WALKED), 4);
	assert_int_equal(rrig_event(&g, EV_LRU_GEN_TABLES_SKIPPED), 0);
	touch(&g, page);
	lru_gen_begin(g.vs, unit(&g), true, false); /* max_seq 6 */
	assert_int_equal(rrig_event(&g, EV_LRU_GEN_TABLES_WALKED), 5);
	assert_int_equal(rrig_event(&g, EV_LRU_GEN_TABLES_SKIPPED), 1);
	assert_true(young(&g, page));
	assert_int_equal(page_lru_gen(anon(&g, page)), 3);
	lru_gen_begin(g.vs, unit(&g), true, true);
	assert_int_equal(rrig_event(&g, EV_LRU_GEN_TABLES_WALKED), 7);
	assert_int_equal(page_lru_gen(anon(&g, page)), gen_of_seq(6));
	rrig_down(&g);
}

/* ---- eviction ---- */

/* 200 pages of the oldest generation, read in order: the first 64 go, and nothing else. */
static void test_eviction_order(void **state)
{
	struct scan_control sc = rrig_sc(2); /* 200 >> 2: one batch is enough */
	struct vm_file *f;
	struct rrig g;
	u64 lru_pages = 0;

	(void)state;
	up(&g, "");
	f = read_file(&g, 1, 200);
	lru_gen_shrink(g.vs, unit(&g), &sc, &lru_pages);
	assert_int_equal(lru_pages, 200);
	assert_int_equal(sc.nr_reclaimed, 64);
	for (u64 i = 0; i < 200; i++)
		assert_int_equal(rrig_cached(&g, f, i), i >= 64);
	assert_int_equal(gen(&g)->evicted[LRU_GEN_FILE][0], 64);
	assert_int_equal(rrig_event(&g, EV_PGSCAN_DIRECT_DMA), 64);
	assert_int_equal(rrig_event(&g, EV_PGSTEAL_DIRECT_DMA), 64);
	assert_int_equal(f->mapping.nrshadows, 64);
	rrig_down(&g);
}

/* Both types are equally old: the one that refaults less goes. A reclaimer that may not swap takes files. */
static void test_type_by_age(void **state)
{
	struct scan_control sc = rrig_sc(2);
	struct vm_file *f;
	struct rrig g;
	u64 n = 0;

	(void)state;
	up(&g, "mglru_walk=0");
	fault_in(&g, 200);
	for (u64 i = 0; i < 200; i++)
		set_pte(g.vm, pte_lookup(g.vm, g.t->mm, BASE + i * PG),
			pte_mkold(get_pte(g.vm, pte_lookup(g.vm, g.t->mm, BASE + i * PG), 0)));
	for (int i = 0; i < 3; i++)
		lru_gen_begin(g.vs, unit(&g), true, false); /* max_seq 6, both min_seq 3 */
	f = read_file(&g, 1, 200);
	gen(&g)->refaulted[LRU_GEN_FILE][0] = 1000; /* files are dear: at the same age anonymous pages go */
	lru_gen_shrink(g.vs, unit(&g), &sc, &n);
	assert_int_equal(f->mapping.nrpages, 200);
	assert_int_equal(rrig_event(&g, EV_PSWPOUT), 64); /* 400 >> 2 is more, but who swaps stops when served */

	sc = rrig_sc(1); /* whatever files cost */
	sc.may_swap = false;
	lru_gen_shrink(g.vs, unit(&g), &sc, &n);
	assert_int_equal(f->mapping.nrpages, 200 - 128);
	assert_int_equal(rrig_event(&g, EV_PSWPOUT), 64);
	rrig_down(&g);
}

/*
 * Pages 0..127 of the oldest generation; 10..19 and 40 are young, and page 80 beyond the batch. Eviction of page 10
 * looks at [0, 64) of the area: 11..19 and 40 become old with it. They and page 10 go to the youngest
 * generation, the other 53 of the batch to swap; page 80 is still young.
 */
static void test_look_around(void **state)
{
	struct scan_control sc = rrig_sc(1);
	struct rrig g;
	u64 n = 0;

	(void)state;
	up(&g, "hwad=1 mglru_walk=0");
	fault_in(&g, 128);
	lru_gen_walk_mms(g.vm, unit(&g)->vec, true, true); /* all old */
	for (int i = 0; i < 3; i++)
		lru_gen_begin(g.vs, unit(&g), true, false); /* min_seq 3, max_seq 6 */
	for (u64 i = 10; i < 20; i++)
		touch(&g, BASE + i * PG);
	touch(&g, BASE + 40 * PG);
	touch(&g, BASE + 80 * PG);
	lru_gen_shrink(g.vs, unit(&g), &sc, &n);
	assert_int_equal(rrig_event(&g, EV_LRU_GEN_LOOK_AROUND), 1);
	assert_int_equal(rrig_event(&g, EV_LRU_GEN_LOOK_YOUNG), 11);
	assert_int_equal(sc.nr_reclaimed, 53);
	for (u64 i = 10; i < 20; i++) {
		assert_int_equal(page_lru_gen(anon(&g, BASE + i * PG)), gen_of_seq(6));
		assert_false(young(&g, BASE + i * PG));
	}
	assert_int_equal(page_lru_gen(anon(&g, BASE + 40 * PG)), gen_of_seq(6));
	assert_true(young(&g, BASE + 80 * PG));
	assert_int_equal(page_lru_gen(anon(&g, BASE + 80 * PG)), 3);
	rrig_down(&g);
}

/* The oldest generation has no pages: the next one is looked at in the same pass. */
static void test_empty_generations_are_passed(void **state)
{
	struct scan_control sc = rrig_sc(2);
	struct vm_file *f;
	struct rrig g;
	u64 n = 0;

	(void)state;
	up(&g, "mglru_walk=0");
	f = read_file(&g, 1, 200);
	lru_gen_begin(g.vs, unit(&g), false, false); /* merged: 200 pages in seq 1 of 1..4 */
	for (u64 i = 0; i < 200; i++)
		lru_gen_move(g.vs->lru, filemap_lookup(g.phys, f, i), gen_of_seq(2), false);
	lru_gen_shrink(g.vs, unit(&g), &sc, &n); /* seq 1 is empty: the same pass takes from seq 2 */
	assert_int_equal(gen(&g)->min_seq[LRU_GEN_FILE], 2);
	assert_int_equal(sc.nr_reclaimed, 64);
	rrig_down(&g);
}

/* Direct reclaim at the default priority never ages; below it does when two generations are left. */
static void test_who_ages(void **state)
{
	struct scan_control sc = rrig_sc(DEF_PRIORITY);
	struct rrig g;
	u64 n = 0;

	(void)state;
	up(&g, "");
	fault_in(&g, 200); /* seq 3 of 0..3: nothing in the older three */
	assert_true(lru_gen_inc_min_seq(gen(&g), true));
	assert_int_equal(nr_gens(gen(&g), LRU_GEN_ANON), 2);
	lru_gen_shrink(g.vs, unit(&g), &sc, &n);
	assert_int_equal(gen(&g)->max_seq, 3);
	sc.priority = 3;
	lru_gen_shrink(g.vs, unit(&g), &sc, &n);
	assert_int_equal(gen(&g)->max_seq, 4);
	assert_int_equal(rrig_event(&g, EV_LRU_GEN_AGED), 1);
	rrig_down(&g);
}

/* ---- tiers and types ---- */

/* References 1, 2, 3, 4, 5, 6: tiers 0, 1, 2, 2, 3, 3. */
static void test_tiers_by_references(void **state)
{
	static const unsigned tier[] = {0, 1, 2, 2, 3, 3};
	struct vm_file *f;
	struct rrig g;

	(void)state;
	up(&g, "");
	f = read_file(&g, 1, ARRAY_SIZE(tier));
	for (u64 i = 0; i < ARRAY_SIZE(tier); i++) {
		struct page *p = filemap_lookup(g.phys, f, i);

		for (u64 k = 0; k < i; k++) /* reading it again from its start would be the same access (spec 14 s3) */
			mark_page_accessed(g.vs->lru, p);
		assert_int_equal(lru_tier_from_refs(page_lru_refs(p)), tier[i]);
		assert_int_equal(page_lru_gen(p), 0); /* references move nothing */
	}
	rrig_down(&g);
}

/*
 * Tier 0: 10 refaults of 1000. A tier t may go while it has less than 64 refaults, or
 * refaults(t) * (1000 + 64) <= (10 + 1) * total(t) * 2.
 */
static void test_last_tier_by_hand(void **state)
{
	struct lru_gen *n = calloc(1, sizeof(*n));

	(void)state;
	assert_non_null(n);
	n->refaulted[LRU_GEN_FILE][0] = 10;
	n->evicted[LRU_GEN_FILE][0] = 1000;
	assert_int_equal(lru_gen_last_tier(n, LRU_GEN_FILE), 3);
	n->refaulted[LRU_GEN_FILE][1] = 63;
	n->evicted[LRU_GEN_FILE][1] = 100;
	assert_int_equal(lru_gen_last_tier(n, LRU_GEN_FILE), 3); /* too few to judge */
	n->refaulted[LRU_GEN_FILE][1] = 64; /* 68096 > 2200 */
	assert_int_equal(lru_gen_last_tier(n, LRU_GEN_FILE), 0);
	n->protected[LRU_GEN_FILE][1] = 3000; /* 68096 <= 68200: pages spared count as evicted */
	assert_int_equal(lru_gen_last_tier(n, LRU_GEN_FILE), 3);
	n->refaulted[LRU_GEN_FILE][2] = 500;
	n->evicted[LRU_GEN_FILE][2] = 600;
	assert_int_equal(lru_gen_last_tier(n, LRU_GEN_FILE), 1);
	free(n);
}

/*
 * swappiness 60: files may go while 60 * refaults(file) * (total(anon) + 64) <=
 * 140 * (refaults(anon) + 1) * total(file).
 */
static void test_type_by_hand(void **state)
{
	struct lru_gen *n = calloc(1, sizeof(*n));
	unsigned tier;

	(void)state;
	assert_non_null(n);
	assert_int_equal(lru_gen_choose_type(n, 60, &tier), LRU_GEN_FILE); /* nothing known */
	assert_int_equal(tier, 3);
	n->refaulted[LRU_GEN_ANON][0] = 100;
	n->evicted[LRU_GEN_ANON][0] = n->evicted[LRU_GEN_FILE][0] = 1000;
	n->refaulted[LRU_GEN_FILE][0] = 221; /* 14108640 <= 14140000 */
	assert_int_equal(lru_gen_choose_type(n, 60, &tier), LRU_GEN_FILE);
	n->refaulted[LRU_GEN_FILE][0] = 222; /* 14172480 */
	assert_int_equal(lru_gen_choose_type(n, 60, &tier), LRU_GEN_ANON);
	assert_int_equal(lru_gen_choose_type(n, 59, &tier), LRU_GEN_FILE); /* 13936272 <= 14241000 */
	n->refaulted[LRU_GEN_FILE][1] = 300; /* tier 1 of files against tier 0 of anonymous pages */
	n->evicted[LRU_GEN_FILE][1] = 400;
	assert_int_equal(lru_gen_choose_type(n, 59, &tier), LRU_GEN_FILE);
	assert_int_equal(tier, 0);
	free(n);
}

/* Tier 1 refaults more: of 100 pages at the tail, the 40 read twice move to the next generation instead. */
static void test_tier_protection(void **state)
{
	struct scan_control sc = rrig_sc(1);
	struct vm_file *f;
	struct rrig g;
	u64 n = 0;

	(void)state;
	up(&g, "");
	f = read_file(&g, 1, 100);
	for (u64 i = 0; i < 40; i++) {
		rrig_read(&g, f, 99);
		rrig_read(&g, f, i);
	}
	assert_int_equal(lru_tier_from_refs(page_lru_refs(filemap_lookup(g.phys, f, 99))), 3);
	gen(&g)->refaulted[LRU_GEN_FILE][1] = 64;
	gen(&g)->evicted[LRU_GEN_FILE][1] = 64;
	lru_gen_shrink(g.vs, unit(&g), &sc, &n);
	assert_int_equal(sc.nr_reclaimed, 59); /* 40..98; higher tiers are spared with tier 1 */
	for (u64 i = 0; i < 100; i++) {
		assert_int_equal(rrig_cached(&g, f, i), i < 40 || i == 99);
		if (i < 40)
			assert_int_equal(page_lru_gen(filemap_lookup(g.phys, f, i)), 1);
	}
	assert_int_equal(rrig_event(&g, EV_LRU_GEN_PROTECTED), 41);
	assert_int_equal(rrig_event(&g, EV_WORKINGSET_ACTIVATE_FILE), 41);
	assert_int_equal(page_lru_refs(filemap_lookup(g.phys, f, 0)), 0); /* forgotten */
	rrig_down(&g);
}

/* ---- refaults ---- */

/* A page that comes back while its generation is still the oldest counts for its tier; later it does not. */
static void test_refaults(void **state)
{
	struct scan_control sc = rrig_sc(2);
	struct vm_file *f;
	struct rrig g;
	u64 n = 0;

	(void)state;
	up(&g, "");
	f = read_file(&g, 1, 200);
	rrig_read(&g, f, 1); /* page 0 once, 1 twice */
	rrig_read(&g, f, 0);
	rrig_read(&g, f, 1);
	lru_gen_shrink(g.vs, unit(&g), &sc, &n); /* 0..63 */
	assert_int_equal(gen(&g)->evicted[LRU_GEN_FILE][0], 62);
	assert_int_equal(gen(&g)->evicted[LRU_GEN_FILE][1], 1); /* read twice */
	assert_int_equal(gen(&g)->evicted[LRU_GEN_FILE][2], 1); /* three times */
	rrig_read(&g, f, 5);
	rrig_read(&g, f, 1);
	assert_int_equal(rrig_event(&g, EV_WORKINGSET_REFAULT_FILE), 2);
	assert_int_equal(rrig_event(&g, EV_LRU_GEN_REFAULT), 2);
	assert_int_equal(gen(&g)->refaulted[LRU_GEN_FILE][0], 1);
	assert_int_equal(gen(&g)->refaulted[LRU_GEN_FILE][2], 1);
	assert_int_equal(rrig_event(&g, EV_WORKINGSET_RESTORE_FILE), 0); /* not by a fault */

	assert_int_equal(sys_mmap(g.vm, g.t, BASE, 200 * PG, MM_PROT_READ, MM_MAP_SHARED | MM_MAP_FIXED, 1, 0, 0),
			 BASE);
	assert_int_equal(sys_madvise(g.vm, g.t, BASE, 200 * PG, MM_MADV_NORMAL), 0);
	touch(&g, BASE + 9 * PG); /* by a fault: needed at once, so it was hot */
	assert_int_equal(rrig_event(&g, EV_WORKINGSET_RESTORE_FILE) > 0, 1);
	assert_true(PageWorkingset(filemap_lookup(g.phys, f, 9)));
	lru_add_drain_all(g.vs->lru);
	assert_int_equal(page_lru_gen(filemap_lookup(g.phys, f, 9)), 3);

	n = rrig_event(&g, EV_LRU_GEN_REFAULT);
	lru_gen_begin(g.vs, unit(&g), true, false); /* the oldest is another one now */
	rrig_read(&g, f, 60);
	assert_int_equal(rrig_event(&g, EV_LRU_GEN_REFAULT), n);
	assert_true(gen(&g)->avg_total[LRU_GEN_FILE][0] > 0);
	rrig_down(&g);
}

/* A swapped page that faults soon counts for anonymous tier 0 and begins youngest. */
static void test_anonymous_refault(void **state)
{
	struct scan_control sc = rrig_sc(1);
	struct rrig g;
	u64 n = 0;

	(void)state;
	up(&g, "mglru_walk=0 hwad=1");
	fault_in(&g, 128);
	lru_gen_walk_mms(g.vm, unit(&g)->vec, true, true);
	for (int i = 0; i < 3; i++)
		lru_gen_begin(g.vs, unit(&g), true, false);
	lru_gen_shrink(g.vs, unit(&g), &sc, &n);
	assert_int_equal(rrig_event(&g, EV_PSWPOUT), 64);
	touch(&g, BASE + 3 * PG);
	lru_add_drain_all(g.vs->lru);
	assert_int_equal(rrig_event(&g, EV_WORKINGSET_REFAULT_ANON), 1);
	assert_int_equal(rrig_event(&g, EV_WORKINGSET_RESTORE_ANON), 1);
	assert_int_equal(gen(&g)->refaulted[LRU_GEN_ANON][0], 1);
	assert_int_equal(page_lru_gen(anon(&g, BASE + 3 * PG)), gen_of_seq(6));
	assert_int_equal(sys_swapoff(g.vm, swap_area_last(&g.vm->swap)), 0);
	rrig_check(&g);
	lru_add_drain_all(g.vs->lru);
	assert_int_equal(rrig_level(&g, NR_INACTIVE_ANON) + rrig_level(&g, NR_ACTIVE_ANON), 128);
	rrig_down(&g);
}

/* Averages halve: 100 of 1000 refaulted, then nothing: 50 of 500, 25 of 250. */
static void test_experience_fades(void **state)
{
	struct rrig g;

	(void)state;
	up(&g, "mglru_walk=0");
	gen(&g)->refaulted[LRU_GEN_FILE][0] = 100;
	gen(&g)->evicted[LRU_GEN_FILE][0] = 1000;
	lru_gen_begin(g.vs, unit(&g), true, false);
	assert_int_equal(gen(&g)->avg_refaulted[LRU_GEN_FILE][0], 50);
	assert_int_equal(gen(&g)->avg_total[LRU_GEN_FILE][0], 500);
	assert_int_equal(gen(&g)->evicted[LRU_GEN_FILE][0], 0);
	lru_gen_begin(g.vs, unit(&g), true, false);
	assert_int_equal(gen(&g)->avg_refaulted[LRU_GEN_FILE][0], 25);
	assert_int_equal(gen(&g)->avg_total[LRU_GEN_FILE][0], 250);
	rrig_down(&g);
}

/* ---- thrashing ---- */

/* Generations younger than mglru_min_ttl_ms: kswapd kills instead of evicting. */
static void test_min_ttl(void **state)
{
	(void)state;
	for (u64 ttl = 0; ttl < 2; ttl++) {
		struct rrig g;
		char more[64];

		snprintf(more, sizeof(more), "mglru_min_ttl_ms=%u", ttl ? 1000 : 0);
		up(&g, more);
		fault_in(&g, 4000);
		g.m->hw.now = 500000000; /* half a second after boot */
		wakeup_kswapd(g.vs, unit(&g)->zone, 9, ZONE_DMA);
		rrig_write(&g, g.t, BASE, 4000);
		rrig_map(&g, g.t, BASE + 4000 * PG, 20000);
		for (u64 i = 0; i < 20000 && g.t->mm && !g.t->killed; i++) {
			(void)mm_access(g.vm, g.t, BASE + (4000 + i) * PG, MM_ACCESS_WRITE);
			if (i % 1000 == 0)
				kswapd_run(g.vs, 0);
		}
		assert_int_equal(rrig_event(&g, EV_OOM_KILL) > 0, ttl);
		g.m->hw.task = 0;
		oom_reap_exits(g.vs, 0);
		rrig_down(&g);
	}
}

/* ---- what else touches lists ---- */

struct source {
	struct rrig *g;
};

static struct page *new_page(struct page *old, void *private)
{
	(void)old;
	return alloc_page(((struct source *)private)->g->phys, 0, GFP_HIGHUSER_MOVABLE);
}

static void test_migration_keeps_the_age(void **state)
{
	struct page_list list;
	struct source s;
	struct rrig g;

	(void)state;
	up(&g, "");
	fault_in(&g, 100);
	s.g = &g;
	lru_gen_begin(g.vs, unit(&g), true, false);
	lru_gen_begin(g.vs, unit(&g), true, false); /* max_seq 5; pages in 3: old */
	touch(&g, BASE);
	lru_gen_begin(g.vs, unit(&g), true, true); /* page 0 in 5, max_seq 6 */
	for (u64 i = 0; i < 2; i++) {
		const struct migrate_request rq = {.vm = g.vm, .get_new_page = new_page, .private = &s,
						   .mode = MIGRATE_SYNC, .reason = MR_SYSCALL};
		struct page *was = anon(&g, BASE + i * PG);

		plist_init(&list);
		assert_int_equal(isolate_for_migration(g.vm, was, &list), 0);
		assert_int_equal(migrate_pages(&rq, &list), 0);
		lru_add_drain_all(g.vs->lru);
		assert_ptr_not_equal(anon(&g, BASE + i * PG), was);
		/* of the youngest two: the youngest; else, not in the swap cache: the second oldest */
		assert_int_equal(page_lru_gen(anon(&g, BASE + i * PG)), gen_of_seq(i ? 4 : 6));
	}
	rrig_down(&g);
}

static void test_mlock_takes_pages_out(void **state)
{
	struct rrig g;

	(void)state;
	up(&g, "");
	fault_in(&g, 100);
	assert_int_equal(sys_mlock(g.vm, g.t, BASE, 40 * PG, 0), 0);
	lru_add_drain_all(g.vs->lru);
	assert_int_equal(rrig_level(&g, NR_UNEVICTABLE), 40);
	assert_int_equal(rrig_level(&g, NR_ACTIVE_ANON), 60);
	assert_int_equal(page_lru_gen(anon(&g, BASE)), -1);
	sys_munlock(g.vm, g.t, BASE, 40 * PG);
	lru_add_drain_all(g.vs->lru);
	assert_int_equal(rrig_level(&g, NR_UNEVICTABLE), 0);
	assert_int_equal(rrig_level(&g, NR_ACTIVE_ANON) + rrig_level(&g, NR_INACTIVE_ANON), 100);
	rrig_down(&g);
}

/* Dirty file pages wait a generation; when nothing else is there, they are written. */
static void test_dirty_pages_are_written(void **state)
{
	struct scan_control sc = rrig_sc(0);
	struct vm_file *f;
	struct rrig g;
	u64 n = 0;

	(void)state;
	up(&g, "");
	f = read_file(&g, 1, 200);
	for (u64 i = 0; i < 200; i++)
		set_page_dirty(g.fm, filemap_lookup(g.phys, f, i));
	for (int i = 0; i < 12; i++) {
		lru_gen_age(g.vs, unit(&g), &sc);
		lru_gen_shrink(g.vs, unit(&g), &sc, &n);
	}
	assert_true(rrig_level(&g, NR_WRITTEN) > 0);
	assert_true(sc.nr_reclaimed > 0);
	rrig_down(&g);
}

static void test_view_and_lists(void **state)
{
	const char *want;
	char *text = NULL;
	unsigned commas = 0;
	size_t size = 0;
	struct rrig g;
	FILE *f;

	(void)state;
	up(&g, "");
	fault_in(&g, 100);
	read_file(&g, 1, 30);
	g.m->hw.now += 7000000;
	lru_gen_begin(g.vs, unit(&g), true, false);
	g.m->hw.now += 2000000;
	f = open_memstream(&text, &size);
	assert_int_equal(machine_show(g.m, "lru_gen", f), 0);
	fclose(f);
	want = "memcg     0\n node     0 zone DMA\n"
	       "          1          9          0         30\n" /* merged from 0; ages since boot */
	       "          2          9          0          0\n"
	       "          3          9        100          0\n"
	       "          4          2          0          0\n"
	       "  anon tier 0 refaulted 0 evicted 0 protected 0 average 0/0\n";
	if (!strstr(text, want))
		fail_msg("%s", text);
	free(text);
	assert_int_equal(machine_take_lists(g.m, "now", "lru", 0), 0);
	want = "\"zone\":\"DMA\",\"list\":\"file generation 1\",\"items\":[";
	for (unsigned i = 0; i < g.m->nr_lists; i++) {
		const char *items = strstr(g.m->lists[i], want);

		for (const char *c = items; c && *c; c++)
			commas += *c == ',';
	}
	assert_int_equal(commas, 31); /* between 30 items, and two before them */
	rrig_down(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_pages),
		cmocka_unit_test(test_sequential_area_is_not_young),
		cmocka_unit_test(test_aging_promotes_exactly_the_accessed),
		cmocka_unit_test(test_oldest_makes_room),
		cmocka_unit_test(test_cold_tables_are_passed),
		cmocka_unit_test(test_eviction_order),
		cmocka_unit_test(test_type_by_age),
		cmocka_unit_test(test_look_around),
		cmocka_unit_test(test_empty_generations_are_passed),
		cmocka_unit_test(test_who_ages),
		cmocka_unit_test(test_tiers_by_references),
		cmocka_unit_test(test_last_tier_by_hand),
		cmocka_unit_test(test_type_by_hand),
		cmocka_unit_test(test_tier_protection),
		cmocka_unit_test(test_refaults),
		cmocka_unit_test(test_anonymous_refault),
		cmocka_unit_test(test_experience_fades),
		cmocka_unit_test(test_min_ttl),
		cmocka_unit_test(test_migration_keeps_the_age),
		cmocka_unit_test(test_mlock_takes_pages_out),
		cmocka_unit_test(test_dirty_pages_are_written),
		cmocka_unit_test(test_view_and_lists),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
