/* SPDX-License-Identifier: BSD-2-Clause */
/* Reclaim at work: lists, kswapd, direct reclaim, refaults (spec 09, 13 s2). */
#include <errno.h>

#include "core/base/bits.h"
#include "core/vm/pgtable.h"
#include "tests/reclaim_rig.h"

#define VEXPRESS "arch=arm32 machine=vexpress ideal=1 mem=1G "
#define SMALL	 "mem=64M ideal=1 " /* one zone, no reserves */

static struct zone *only_zone(struct rrig *g)
{
	struct zone *found = NULL;

	for (unsigned i = 0; i < g->phys->nr_zones; i++)
		if (g->phys->zones[i].present_pages)
			found = &g->phys->zones[i];
	return found;
}

static struct scan_unit *only_unit(struct rrig *g)
{
	return zone_unit(g->vs, only_zone(g));
}

static u64 free_of(const struct zone *z)
{
	return (u64)zone_page_state(z, NR_FREE_PAGES);
}

static void test_A09_3(void **state)
{
	static const char *const sets[] = {SMALL, SMALL "anonws=1"};

	(void)state;
	for (int modern = 0; modern < 2; modern++) {
		struct rrig g;
		struct vm_file *f;
		struct page *p;

		rrig_up(&g, sets[modern]);
		rrig_map(&g, g.t, BASE, 1);
		rrig_write(&g, g.t, BASE, 1);
		f = rrig_file(&g, 7, 1);
		rrig_read(&g, f, 0);
		p = rrig_page(&g, g.t, BASE);
		assert_non_null(p);
		assert_int_equal(PageActive(p), !modern);
		assert_false(PageActive(filemap_lookup(g.phys, f, 0)));
		lru_add_drain_all(&g.vm->lru);
		assert_int_equal(rrig_level(&g, modern ? NR_INACTIVE_ANON : NR_ACTIVE_ANON), 1);
		assert_int_equal(rrig_level(&g, NR_INACTIVE_FILE), 1);
		rrig_down(&g);
	}
}

static void test_A09_4(void **state)
{
	const u64 hot = 1000;
	struct vm_file *hots, *stream;
	struct rrig g;

	(void)state;
	rrig_up(&g, SMALL "threads=inline");
	hots = rrig_file(&g, 1, hot);
	stream = rrig_file(&g, 2, 3 * g.phys->totalram_pages);
	for (int pass = 0; pass < 2; pass++) {
		for (u64 i = 0; i < hot; i++)
			rrig_read(&g, hots, i);
		lru_add_drain_all(&g.vm->lru); /* pages in a batch become active uncounted */
	}
	for (u64 i = 0; i < 3 * g.phys->totalram_pages; i++) {
		rrig_read(&g, stream, i);
		clock_run(&g.m->hw, g.m->hw.now + 1);
	}
	for (u64 i = 0; i < hot; i++)
		assert_true(rrig_cached(&g, hots, i) &&
			    PageActive(filemap_lookup(g.phys, hots, i)));
	/* what was evicted was the stream's, from the inactive list: nothing was ever deactivated
	 */
	assert_int_equal(rrig_event(&g, EV_PGDEACTIVATE), 0);
	assert_int_equal(rrig_event(&g, EV_PGACTIVATE), hot);
	assert_true(rrig_level(&g, NR_FILE_PAGES) < (s64)g.phys->totalram_pages);
	rrig_down(&g);
}

static void test_A09_5(void **state)
{
	struct rrig g;
	struct zone *z;
	struct vm_file *f;
	struct page **held;
	u64 wakes = 0, n = 0;

	(void)state;
	rrig_up(&g, "arch=arm32 machine=vexpress ideal=1 mem=256M threads=manual");
	z = only_zone(&g);
	held = calloc(g.phys->nr_frames, sizeof(*held));
	f = rrig_file(&g, 1, z->managed_pages / 2);
	for (u64 i = 0; i < z->managed_pages / 2; i++)
		rrig_read(&g, f, i);
	while (wakes < 20) {
		u64 before = free_of(z);

		held[n] = alloc_page(g.phys, 0, GFP_KERNEL);
		assert_non_null(held[n]);
		n++;
		assert_true(free_of(z) >= z->watermark[WMARK_MIN]);
		if (g.vs->kswapd[0].state == KSWAPD_ASLEEP) {
			assert_true(before > z->watermark[WMARK_LOW]);
			continue;
		}
		/* the fast path failed; until now kswapd slept */
		assert_true(before <= z->watermark[WMARK_LOW]);
		wakes++;
		kswapd_run(g.vs, 0);
		assert_int_equal(g.vs->kswapd[0].state, KSWAPD_ASLEEP);
		drain_all_pages(g.phys);
		assert_true(free_of(z) > z->watermark[WMARK_HIGH]);
	}
	assert_int_equal(rrig_event(&g, EV_ALLOCSTALL), 0);
	assert_true(rrig_event(&g, EV_PAGEOUTRUN) >= 20);
	while (n)
		free_page_page(g.phys, 0, held[--n]);
	free(held);
	rrig_down(&g);
}

/* Pages taken out of a zone, to be given back until it has as many free ones as a test wants. */
struct ballast {
	struct page **pages;
	u64 n;
};

static void set_free(struct rrig *g, struct zone *z, struct ballast *b, u64 want)
{
	drain_all_pages(g->phys);
	while (free_of(z) < want) {
		assert_true(b->n > 0);
		free_page_page(g->phys, 0, b->pages[--b->n]);
		drain_all_pages(g->phys);
	}
}

static struct ballast take(struct rrig *g, struct zone *z, gfp_t gfp, u64 n)
{
	struct ballast b = {calloc(n, sizeof(struct page *)), 0};

	while (b.n < n) {
		struct page *p = alloc_page(g->phys, 0, gfp);

		assert_non_null(p);
		assert_ptr_equal(page_zone(g->phys, p), z);
		b.pages[b.n++] = p;
	}
	return b;
}

static void drop(struct rrig *g, struct ballast *b)
{
	while (b->n)
		free_page_page(g->phys, 0, b->pages[--b->n]);
	free(b->pages);
}

/* NORMAL lies between high and high + gap, or above: what kswapd does with it while HIGHMEM needs
 * work. */
static void test_A09_6(void **state)
{
	(void)state;
	for (int above = 0; above < 2; above++) {
		struct ballast normal, high;
		struct zone *n, *h;
		struct vm_file *f;
		struct rrig g;
		u64 gap, reserve, want;

		rrig_up(&g, VEXPRESS "threads=manual fair=0");
		n = g.phys->nodes[0].node_zones[ZONE_NORMAL];
		h = g.phys->nodes[0].node_zones[ZONE_HIGHMEM];
		high = take(&g, h, GFP_HIGHUSER, 4000);
		normal = take(&g, n, GFP_KERNEL, 12000);
		f = rrig_file(&g, 1, g.phys->totalram_pages);
		for (u64 i = 0; !rrig_event(&g, EV_ALLOCSTALL); i++)
			rrig_read(&g, f, i);
		gap = mm_min(n->watermark[WMARK_LOW], (n->managed_pages + 99) / 100);
		reserve = n->lowmem_reserve[ZONE_HIGHMEM];
		want = n->watermark[WMARK_HIGH] + reserve + (above ? gap + 50 : gap / 2);
		set_free(&g, n, &normal, want);
		set_free(&g, h, &high, h->watermark[WMARK_LOW]);
		assert_true(free_of(h) <= h->watermark[WMARK_HIGH]);
		wakeup_kswapd(g.vs, h, 0, ZONE_HIGHMEM);
		memset(&g.m->hw.cpus[0].events[EV_PGSCAN_KSWAPD_DMA], 0, 5 * sizeof(u64));
		kswapd_run(g.vs, 0);
		drain_all_pages(g.phys);
		assert_true(free_of(h) > h->watermark[WMARK_HIGH]);
		assert_true(free_of(n) > n->watermark[WMARK_HIGH]);
		assert_true(rrig_event(&g, EV_PGSCAN_KSWAPD_HIGH) > 0);
		assert_int_equal(rrig_event(&g, EV_PGSCAN_KSWAPD_NORMAL) > 0, !above);
		drop(&g, &high);
		drop(&g, &normal);
		rrig_down(&g);
	}
}

/* Maps one page of @f and makes it an active page of the lists, young in the table. */
static struct page *mapped_active(struct rrig *g, struct vm_file *f, vaddr_t at, u32 prot)
{
	struct page *p;

	assert_int_equal(
		sys_mmap(g->vm, g->t, at, PG, prot, MM_MAP_PRIVATE | MM_MAP_FIXED, f->id, 0, 0),
		at);
	assert_true(mm_access(g->vm, g->t, at,
			      prot & MM_PROT_EXEC ? MM_ACCESS_EXEC : MM_ACCESS_READ) <= RES_MAJOR);
	p = filemap_lookup(g->phys, f, 0);
	lru_add_drain_all(&g->vm->lru);
	while (!PageActive(p))
		mark_page_accessed(&g->vm->lru, p);
	return p;
}

static void test_A09_10(void **state)
{
	struct scan_control sc = rrig_sc(12);
	struct page *data, *code;
	struct lruvec *v;
	struct rrig g;
	u64 rotated;

	(void)state;
	rrig_up(&g, SMALL);
	v = only_unit(&g)->vec;
	data = mapped_active(&g, rrig_file(&g, 1, 1), BASE, MM_PROT_READ);
	code = mapped_active(&g, rrig_file(&g, 2, 1), BASE + PG, MM_PROT_READ | MM_PROT_EXEC);
	rotated = v->recent_rotated[1];
	shrink_active_list(g.vs, only_unit(&g), &sc, 2, LRU_ACTIVE_FILE);
	assert_false(PageActive(data));
	assert_true(PageActive(code));
	assert_int_equal(v->recent_rotated[1] - rotated, 2);
	assert_int_equal(rrig_event(&g, EV_PGDEACTIVATE), 1);
	rrig_down(&g);
}

static void test_A09_12(void **state)
{
	struct scan_control sc = rrig_sc(12);
	struct scan_unit *u;
	struct vm_file *f;
	struct page *p;
	struct rrig g;

	(void)state;
	rrig_up(&g, SMALL "threads=manual");
	u = only_unit(&g);
	f = rrig_file(&g, 1, 4);
	assert_int_equal(file_write(g.fm, f, 0, PG, NULL), PG);
	lru_add_drain_all(&g.vm->lru);
	p = filemap_lookup(g.phys, f, 0);
	ClearPageReferenced(p);
	assert_true(PageDirty(p));
	assert_int_equal(shrink_inactive_list(g.vs, u, &sc, 1, LRU_INACTIVE_FILE), 0);
	assert_true(PageDirty(p) && PageReclaim(p) && PageLRU(p));
	assert_int_equal(rrig_level(&g, NR_VMSCAN_IMMEDIATE), 1);
	assert_true(u->flags & ZONE_DIRTY); /* all that was taken was dirty and not being written */
	sc.kswapd = true;
	assert_int_equal(shrink_inactive_list(g.vs, u, &sc, 1, LRU_INACTIVE_FILE), 1);
	assert_false(rrig_cached(&g, f, 0));
	assert_int_equal(rrig_level(&g, NR_VMSCAN_WRITE), 1);
	assert_int_equal(rrig_level(&g, NR_WRITTEN), 1);
	assert_int_equal(rrig_event(&g, EV_PGPGOUT), PG / KiB);
	rrig_down(&g);
}

/*
 * By hand: 40 inactive file pages, the ten oldest of them mapped and young, and 64 active ones that
 * nobody touched. One batch of each list, twice.
 */
static void test_A09_13(void **state)
{
	struct scan_control sc = rrig_sc(12);
	struct vm_file *f, *hot;
	struct scan_unit *u;
	struct zone *z;
	struct rrig g;
	unsigned t;

	(void)state;
	rrig_up(&g, SMALL "threads=manual fault_around_bytes=4096");
	z = only_zone(&g);
	t = z->type;
	u = only_unit(&g);
	f = rrig_file(&g, 1, 40);
	hot = rrig_file(&g, 2, 64);
	f->mode |= FMODE_RANDOM;
	hot->mode |= FMODE_RANDOM;
	assert_int_equal(sys_mmap(g.vm, g.t, BASE, 10 * PG, MM_PROT_READ,
				  MM_MAP_PRIVATE | MM_MAP_FIXED, 1, 0, 0),
			 BASE);
	for (u64 i = 0; i < 40; i++)
		rrig_read(&g, f, i);
	for (u64 i = 0; i < 40; i++)
		ClearPageReferenced(filemap_lookup(g.phys, f, i));
	for (u64 i = 0; i < 10; i++)
		mm_access(g.vm, g.t, BASE + i * PG, MM_ACCESS_READ);
	for (int pass = 0; pass < 2; pass++) {
		for (u64 i = 0; i < 64; i++)
			rrig_read(&g, hot, i);
		lru_add_drain_all(&g.vm->lru);
	}
	assert_int_equal(rrig_level(&g, NR_INACTIVE_FILE), 40);
	assert_int_equal(rrig_level(&g, NR_ACTIVE_FILE), 64);
	assert_int_equal(rrig_event(&g, EV_PGACTIVATE), 64);
	/* 32 active ones move on, unreferenced */
	shrink_active_list(g.vs, u, &sc, 32, LRU_ACTIVE_FILE);
	assert_int_equal(rrig_event(&g, EV_PGREFILL_DMA + t), 32);
	assert_int_equal(rrig_event(&g, EV_PGDEACTIVATE), 32);
	assert_int_equal(rrig_level(&g, NR_INACTIVE_FILE), 72);
	/* of the 32 oldest inactive ones, ten are young and stay; nr_scanned counts mapped ones
	 * twice */
	sc.nr_scanned = 0;
	assert_int_equal(shrink_inactive_list(g.vs, u, &sc, 32, LRU_INACTIVE_FILE), 22);
	assert_int_equal(sc.nr_scanned, 32 + 10);
	assert_int_equal(rrig_event(&g, EV_PGSCAN_DIRECT_DMA + t), 32);
	assert_int_equal(rrig_event(&g, EV_PGSTEAL_DIRECT_DMA + t), 22);
	assert_int_equal(rrig_level(&g, NR_INACTIVE_FILE), 50);
	/* as kswapd: the eight left of the file, then the 24 oldest that were deactivated */
	sc.kswapd = true;
	assert_int_equal(shrink_inactive_list(g.vs, u, &sc, 32, LRU_INACTIVE_FILE), 32);
	assert_int_equal(rrig_event(&g, EV_PGSCAN_KSWAPD_DMA + t), 32);
	assert_int_equal(rrig_event(&g, EV_PGSTEAL_KSWAPD_DMA + t), 32);
	/* last the ten: old now, but marked as referenced once: unmapped and freed */
	assert_int_equal(shrink_inactive_list(g.vs, u, &sc, 18, LRU_INACTIVE_FILE), 18);
	assert_int_equal(f->mapping.nrpages, 0);
	assert_int_equal(rrig_event(&g, EV_PGACTIVATE), 64);
	assert_int_equal(rrig_level(&g, NR_FILE_MAPPED), 0);
	rrig_down(&g);
}

static void test_A09_14(void **state)
{
	struct scan_control sc = rrig_sc(12);
	struct page *p;
	struct page_list *list;
	struct rrig g;
	char why[256];

	(void)state;
	rrig_up(&g, SMALL);
	rrig_map(&g, g.t, BASE, 3);
	rrig_write(&g, g.t, BASE, 3);
	lru_add_drain_all(&g.vm->lru);
	list = &only_unit(&g)->vec->lists[LRU_ACTIVE_ANON];
	p = plist_last(g.phys->memmap, list);
	sc.may_unmap = false; /* mapped pages are busy then */
	shrink_active_list(g.vs, only_unit(&g), &sc, 1, LRU_ACTIVE_ANON);
	assert_ptr_equal(plist_first(g.phys->memmap, list), p);
	assert_int_equal(rrig_event(&g, EV_PGREFILL_DMA + only_zone(&g)->type), 1);
	assert_int_equal(rrig_level(&g, NR_ACTIVE_ANON), 3);
	assert_int_equal(rrig_level(&g, NR_ISOLATED_ANON) + rrig_level(&g, NR_ISOLATED_FILE), 0);
	only_zone(&g)->vm_stat[NR_ISOLATED_ANON] = 1; /* I09.4 */
	assert_int_equal(reclaim_check(&g.m->reclaim, why, sizeof(why)), 9004);
	only_zone(&g)->vm_stat[NR_ISOLATED_ANON] = 0;
	rrig_down(&g);
}

/* Cyclic reading of @over more pages than all memory: every refault is active iff its distance was
 * within the active list, which holds 1500. */
static u64 cyclic(u64 hot_pages, s64 over)
{
	u64 refaults = 0, activated = 0, n;
	struct vm_file *f, *hot;
	struct rrig g;

	rrig_up(&g, "mem=16M ideal=1 threads=inline pagevec=1 events=64");
	n = (u64)((s64)g.phys->totalram_pages + over);
	f = rrig_file(&g, 1, n);
	hot = rrig_file(&g, 2, hot_pages);
	f->mode |= FMODE_RANDOM;
	for (u64 i = 0; i < 2 * hot_pages; i++)
		rrig_read(&g, hot, i % hot_pages);
	for (u64 i = 0; i < 4 * n; i++) {
		s64 before = rrig_level(&g, NR_ACTIVE_FILE), after;
		u64 seen = g.m->hw.events->head, at = i % n;

		rrig_read(&g, f, at);
		after = rrig_level(&g, NR_ACTIVE_FILE);
		for (; seen < g.m->hw.events->head; seen++) {
			const struct mm_event *e = &g.m->hw.events->e[seen & g.m->hw.events->mask];

			if (e->code != EVENT_REFAULT)
				continue;
			refaults++;
			activated += (u64)e->v[1];
			if (e->v[0] <= (before < after ? before : after))
				assert_int_equal(e->v[1], 1);
			if (e->v[0] > (before > after ? before : after) + 1)
				assert_int_equal(e->v[1], 0);
		}
		clock_run(&g.m->hw, g.m->hw.now + 1);
	}
	assert_int_equal(rrig_level(&g, NR_WORKINGSET_REFAULT), refaults);
	assert_int_equal(rrig_level(&g, NR_WORKINGSET_ACTIVATE), activated);
	assert_true(refaults > n / 2);
	rrig_down(&g);
	return activated;
}

static void test_A09_15_whole(void **state)
{
	(void)state;
	assert_true(cyclic(1500, -800) > 0);	/* needs some 700 pages more than are inactive */
	assert_int_equal(cyclic(500, 1000), 0); /* needs 1500: more than are active */
}

static void test_A09_18(void **state)
{
	struct rrig g;
	struct vm_file *f;
	struct scan_control sc = rrig_sc(0);

	(void)state;
	rrig_up(&g, SMALL "threads=manual");
	f = rrig_file(&g, 1, 30);
	for (int round = 0; round < 2; round++) {
		for (u64 i = 0; i < 30; i++)
			rrig_read(&g, f, i);
		lru_add_drain_all(&g.vm->lru);
		for (u64 i = 0; i < 30; i++)
			if (filemap_lookup(g.phys, f, i))
				ClearPageReferenced(filemap_lookup(g.phys, f, i));
		assert_int_equal(
			shrink_inactive_list(g.vs, only_unit(&g), &sc, 30, LRU_INACTIVE_FILE), 30);
		assert_int_equal(f->mapping.nrshadows, 30);
		if (!round) {
			filemap_truncate(g.fm, f, 0);
			assert_int_equal(f->mapping.nrshadows, 0);
			f->size = 30 * PG;
		}
	}
	assert_int_equal(rrig_level(&g, NR_WORKINGSET_REFAULT), 0);
	rrig_read(&g, f, 3);
	assert_true(rrig_level(&g, NR_WORKINGSET_REFAULT) > 0);
	rrig_down(&g);
}

static void test_A09_24(void **state)
{
	struct rrig g;
	struct vm_file *f;

	(void)state;
	rrig_up(&g, SMALL);
	f = rrig_file(&g, 1, 8);
	f->mode |= FMODE_RANDOM;
	for (u64 i = 0; i < 8; i++)
		rrig_read(&g, f, i);
	assert_int_equal(file_write(g.fm, f, 2 * PG, PG, NULL), PG);
	assert_int_equal(
		sys_mmap(g.vm, g.t, BASE, PG, MM_PROT_READ, MM_MAP_PRIVATE | MM_MAP_FIXED, 1, 0, 0),
		BASE);
	assert_int_equal(mm_access(g.vm, g.t, BASE, MM_ACCESS_READ), RES_MINOR);
	lru_add_drain_all(&g.vm->lru);
	drop_pagecache(g.fm);
	for (u64 i = 1; i < 8; i++)
		if (i != 2 && filemap_lookup(g.phys, f, i))
			assert_true(page_mapped(filemap_lookup(g.phys, f, i)));
	assert_true(rrig_cached(&g, f, 0)); /* mapped */
	assert_true(rrig_cached(&g, f, 2)); /* dirty */
	assert_false(rrig_cached(&g, f, 7));
	rrig_down(&g);
}

/* ---- reclaim per node (spec 13 s2) ---- */

/* NORMAL and HIGHMEM pages on one list, oldest first: all of HIGHMEM, then @n of NORMAL. */
static struct vm_file *mixed_lists(struct rrig *g, const char *pairs, u64 n)
{
	struct vm_file *f;
	u64 i = 0, low;

	rrig_up(g, pairs);
	low = g->phys->nodes[0].node_zones[ZONE_HIGHMEM]->watermark[WMARK_LOW];
	f = rrig_file(g, 1, g->phys->totalram_pages);
	f->mode |= FMODE_RANDOM;
	while (rrig_level(g, NR_INACTIVE_FILE) < 200 + (s64)n || !n) {
		struct zone *high = g->phys->nodes[0].node_zones[ZONE_HIGHMEM];

		rrig_read(g, f, i++);
		if (i == 200) /* from here on HIGHMEM looks exhausted, and pages come from NORMAL */
			high->watermark[WMARK_LOW] = high->managed_pages;
		if (!n && i == 200)
			break;
	}
	g->phys->nodes[0].node_zones[ZONE_HIGHMEM]->watermark[WMARK_LOW] = low;
	for (u64 k = 0; k < i; k++)
		ClearPageReferenced(filemap_lookup(g->phys, f, k));
	lru_add_drain_all(&g->vm->lru);
	return f;
}

static void test_A13_2(void **state)
{
	struct scan_control sc = rrig_sc(12);
	struct zone *high, *normal;
	struct page_list *list;
	struct page *oldest;
	struct rrig g;
	s64 highs;

	(void)state;
	mixed_lists(&g, VEXPRESS "reclaim=node fair=0 threads=manual", 100);
	high = g.phys->nodes[0].node_zones[ZONE_HIGHMEM];
	normal = g.phys->nodes[0].node_zones[ZONE_NORMAL];
	highs = high->vm_stat[NR_INACTIVE_FILE];
	assert_int_equal(highs, 200);
	list = &g.vs->units[0].vec->lists[LRU_INACTIVE_FILE];
	oldest = plist_last(g.phys->memmap, list);
	assert_ptr_equal(page_zone(g.phys, oldest), high);
	sc.reclaim_idx = ZONE_NORMAL; /* as for GFP_KERNEL */
	assert_int_equal(shrink_inactive_list(g.vs, &g.vs->units[0], &sc, 32, LRU_INACTIVE_FILE),
			 32);
	assert_int_equal(high->vm_stat[NR_INACTIVE_FILE], highs);
	assert_int_equal(rrig_event(&g, EV_PGSKIP_HIGH), 200);
	assert_int_equal(rrig_event(&g, EV_PGSTEAL_DIRECT_NORMAL), 32);
	assert_int_equal(rrig_event(&g, EV_PGSTEAL_DIRECT_HIGH), 0);
	/* the skipped ones are at the head now, in the order they had */
	for (struct page *p = plist_first(g.phys->memmap, list); highs--;
	     p = plist_next(g.phys->memmap, p)) {
		assert_ptr_equal(page_zone(g.phys, p), high);
		if (!highs)
			assert_ptr_equal(p, oldest);
	}
	assert_ptr_equal(page_zone(g.phys, plist_last(g.phys->memmap, list)), normal);
	rrig_down(&g);
}

static void test_A13_3(void **state)
{
	struct scan_control sc = rrig_sc(12);
	struct zone *high;
	struct rrig g;

	(void)state;
	mixed_lists(&g, VEXPRESS "reclaim=zone fair=0 threads=manual", 100);
	high = g.phys->nodes[0].node_zones[ZONE_HIGHMEM];
	sc.reclaim_idx = ZONE_NORMAL;
	assert_int_equal(
		shrink_inactive_list(g.vs, rrig_unit(&g, ZONE_NORMAL), &sc, 32, LRU_INACTIVE_FILE),
		32);
	assert_int_equal(high->vm_stat[NR_INACTIVE_FILE], 200);
	assert_int_equal(rrig_event(&g, EV_PGSKIP_HIGH), 0);
	assert_int_equal(rrig_event(&g, EV_PGSCAN_DIRECT_NORMAL), 32);
	assert_int_equal(rrig_event(&g, EV_PGSCAN_DIRECT_HIGH), 0);
	rrig_down(&g);
}

static void test_A13_4(void **state)
{
	(void)state;
	for (int node = 0; node < 2; node++) {
		struct zone *high;
		struct rrig g;
		u64 mark;

		mixed_lists(&g,
			    node ? VEXPRESS "reclaim=node threads=manual"
				 : VEXPRESS "reclaim=zone threads=manual",
			    0);
		high = g.phys->nodes[0].node_zones[ZONE_HIGHMEM];
		mark = high->watermark[WMARK_HIGH];
		high->watermark[WMARK_HIGH] =
			high->managed_pages; /* NORMAL is balanced, HIGHMEM is not */
		assert_int_equal(pgdat_balanced(g.vs, &g.phys->nodes[0], 0, ZONE_HIGHMEM), node);
		high->watermark[WMARK_HIGH] = mark;
		assert_true(pgdat_balanced(g.vs, &g.phys->nodes[0], 0, ZONE_HIGHMEM));
		rrig_down(&g);
	}
}

static void test_A13_5(void **state)
{
	struct rrig g;
	struct zone *z;
	struct vm_file *f;
	u64 runs, free = 0;

	(void)state;
	rrig_up(&g, SMALL "reclaim=node threads=manual");
	z = only_zone(&g);
	f = rrig_file(&g, 1, 100);
	for (unsigned w = 0; w < NR_WMARK; w++)
		z->watermark[w] +=
			g.phys->totalram_pages; /* never balanced, and nothing to reclaim */
	wakeup_kswapd(g.vs, z, 0, z->type);
	kswapd_run(g.vs, 0);
	assert_int_equal(g.phys->nodes[0].kswapd_failures, MAX_RECLAIM_RETRIES);
	assert_int_equal(rrig_event(&g, EV_KSWAPD_FAILURES), MAX_RECLAIM_RETRIES);
	runs = rrig_event(&g, EV_PAGEOUTRUN);
	for (int i = 0; i < 3; i++) {
		wakeup_kswapd(g.vs, z, 0, z->type);
		assert_int_equal(g.vs->kswapd[0].state, KSWAPD_ASLEEP);
		kswapd_run(g.vs, 0);
	}
	assert_int_equal(rrig_event(&g, EV_PAGEOUTRUN), runs);
	/* something can be reclaimed again, and a direct reclaimer finds it */
	for (unsigned w = 0; w < NR_WMARK; w++)
		z->watermark[w] -= g.phys->totalram_pages;
	for (u64 i = 0; i < 100; i++)
		rrig_read(&g, f, i);
	lru_add_drain_all(&g.vm->lru);
	for (u64 i = 0; i < 100; i++)
		ClearPageReferenced(filemap_lookup(g.phys, f, i));
	free = try_to_free_pages(g.vs, node_zonelist(g.phys, 0, GFP_KERNEL), z->type, 0,
				 GFP_KERNEL);
	assert_true(free >= SWAP_CLUSTER_MAX);
	assert_int_equal(g.phys->nodes[0].kswapd_failures, 0);
	z->watermark[WMARK_HIGH] += g.phys->totalram_pages;
	wakeup_kswapd(g.vs, z, 0, z->type);
	assert_int_not_equal(g.vs->kswapd[0].state, KSWAPD_ASLEEP);
	z->watermark[WMARK_HIGH] -= g.phys->totalram_pages;
	kswapd_run(g.vs, 0);
	rrig_down(&g);
}

static u64 xa_shadows(const struct xarray *xa)
{
	u64 n = 0, entry;

	for (u64 i = 0; (entry = xa_next(xa, &i, UINT64_MAX)); i++)
		n += xa_is_value(entry);
	return n;
}

/*
 * 16 MiB allow 256 leaves of nothing but shadows. A file of 2000 leaves is read once: the oldest go, and pages of
 * theirs are new when they come back. Under mild pressure a shrinker never owes more than half of what is too
 * much, and works by the batch: up to 256 leaves more than the limit stay.
 */
static void test_shadow_nodes_are_limited(void **state)
{
	const u64 leaves = 2000;
	struct vm_file *f;
	struct rrig g;
	s64 refaults;

	(void)state;
	rrig_up(&g, "mem=16M ideal=1 threads=inline");
	assert_int_equal(workingset_max_nodes(&g.vm->ws), 256);
	f = rrig_file(&g, 1, leaves * XA_SLOTS);
	for (u64 i = 0; i < leaves * XA_SLOTS; i++) {
		rrig_read(&g, f, i);
		if (i < 200 * XA_SLOTS) /* below the limit none may go */
			assert_int_equal(rrig_level(&g, NR_WORKINGSET_NODERECLAIM), 0);
	}
	assert_true(rrig_level(&g, NR_WORKINGSET_NODERECLAIM) > 1000);
	assert_true(g.fm->shadow_nodes.nr >= 256 && g.fm->shadow_nodes.nr < 256 + 2 * SHRINK_BATCH + 64);
	assert_null(xa_leaf(&f->mapping.pages, 0));
	assert_int_equal(f->mapping.nrshadows, xa_shadows(&f->mapping.pages));
	refaults = rrig_level(&g, NR_WORKINGSET_REFAULT);
	rrig_read(&g, f, 0);
	assert_int_equal(rrig_level(&g, NR_WORKINGSET_REFAULT), refaults);
	for (u64 i = XA_SLOTS;; i += XA_SLOTS) /* the oldest that are left */
		if (xa_leaf(&f->mapping.pages, i)) {
			rrig_read(&g, f, i + 5);
			break;
		}
	assert_true(rrig_level(&g, NR_WORKINGSET_REFAULT) > refaults);
	rrig_down(&g);
}

/* Anonymous pages leave shadows in the slots of the swap cache. (spec 13 s5 anonws) */
static void test_A13_13(void **state)
{
	(void)state;
	for (int fits = 0; fits < 2; fits++) {
		struct scan_control sc = rrig_sc(12);
		struct page *p;
		struct rrig g;

		rrig_up(&g, SMALL "anonws=1 swap=16M page_cluster=0 threads=manual");
		rrig_map(&g, g.t, BASE, 64);
		rrig_write(&g, g.t, BASE, 64);
		lru_add_drain_all(&g.vm->lru);
		for (int pass = 0; pass < 4; pass++) /* young once, then old: all go */
			shrink_inactive_list(g.vs, only_unit(&g), &sc, 32, LRU_INACTIVE_ANON);
		assert_int_equal(g.t->mm->rss[MM_SWAPENTS], 64);
		assert_int_equal(only_unit(&g)->vec->inactive_age, 64);
		/* the last one evicted: distance 1; with nothing on the lists only that much is too far */
		if (fits) {
			rrig_read(&g, rrig_file(&g, 1, 1), 0);
			lru_add_drain_all(&g.vm->lru);
		}
		assert_int_equal(mm_access(g.vm, g.t, BASE + 63 * PG, MM_ACCESS_READ), RES_MAJOR);
		p = rrig_page(&g, g.t, BASE + 63 * PG);
		assert_int_equal(rrig_event(&g, EV_WORKINGSET_REFAULT_ANON), 1);
		assert_int_equal(rrig_event(&g, EV_WORKINGSET_ACTIVATE_ANON), fits);
		assert_int_equal(PageActive(p), fits);
		/* a slot that is free has no shadow */
		assert_int_equal(sys_munmap(g.vm, g.t, BASE, 64 * PG), 0);
		rrig_map(&g, g.t, BASE, 1);
		rrig_write(&g, g.t, BASE, 1);
		assert_int_equal(rrig_event(&g, EV_WORKINGSET_REFAULT_ANON), 1);
		rrig_down(&g);
	}
}

/* ---- memlimit= and stall times ---- */

static void test_memlimit(void **state)
{
	u64 limit = 8 * MiB / PG;
	struct vm_file *f;
	struct rrig g;

	(void)state;
	rrig_up(&g, SMALL "memlimit=8M swap=64M threads=inline overcommit_memory=1");
	f = rrig_file(&g, 1, 4000);
	for (u64 i = 0; i < 6000; i++) {
		rrig_read(&g, f, i % 4000);
		assert_true(lru_nr_pages(&g.vm->lru) <= limit);
	}
	assert_true(lru_nr_pages(&g.vm->lru) > limit - 2 * SWAP_CLUSTER_MAX);
	assert_true(rrig_event(&g, EV_LIMIT_STALL) > 0);
	assert_true(rrig_event(&g, EV_PGSTEAL_LIMIT) >= 4000 - limit);
	assert_true(rrig_level(&g, NR_WORKINGSET_REFAULT) > 0);
	rrig_map(&g, g.t, BASE, 3000); /* anonymous pages count, too, and are swapped */
	for (u64 i = 0; i < 3000; i++) {
		rrig_write(&g, g.t, BASE + i * PG, 1);
		assert_true(lru_nr_pages(&g.vm->lru) <= limit);
	}
	assert_true(rrig_event(&g, EV_PSWPOUT) > 0);
	/* the machine has memory enough: nobody else reclaims */
	assert_int_equal(rrig_event(&g, EV_PAGEOUTRUN) + rrig_event(&g, EV_ALLOCSTALL), 0);
	assert_true(g.vm->psi.total.kind[STALL_LIMIT] > 0);
	assert_int_equal(g.vm->psi.total.kind[STALL_RECLAIM], 0);
	rrig_down(&g);
}

/* Every stall is in the task's sum, in the total, and in a window; some is what all kinds add up to. */
static void test_stall_times(void **state)
{
	u64 sum = 0, windows = 0;
	struct rrig g;

	(void)state;
	rrig_up(&g, "mem=16M ideal=1 swap=64M threads=manual overcommit_memory=1 psi_window=1");
	rrig_map(&g, g.t, BASE, 6000);
	for (int pass = 0; pass < 3; pass++)
		rrig_write(&g, g.t, BASE, 6000);
	for (unsigned k = 0; k < NR_STALLS; k++) {
		assert_int_equal(g.t->stall_ns[k], g.vm->psi.total.kind[k]);
		sum += g.vm->psi.total.kind[k];
	}
	/* nothing but reclaim and pages from swap: all of it is memory pressure, and one CPU has it in full */
	assert_int_equal(g.vm->psi.total.some, sum);
	assert_int_equal(g.vm->psi.total.full, sum);
	assert_int_equal(g.t->memory_stall_ns, sum);
	assert_int_equal(g.vm->psi.ns, sum);
	assert_true(g.vm->psi.total.kind[STALL_MAJFAULT] > 0 && g.vm->psi.total.kind[STALL_RECLAIM] > 0);
	assert_int_equal(g.t->io_stall_ns, g.vm->psi.total.io_some);
	assert_true(g.t->io_stall_ns >= g.vm->psi.total.kind[STALL_MAJFAULT]);
	assert_true(g.vm->psi.nr <= PSI_WINDOWS && g.vm->psi.width >= 1000000);
	for (u32 i = 0; i < g.vm->psi.nr; i++) {
		windows += g.vm->psi.windows[i].some;
		assert_true(g.vm->psi.windows[i].some <= g.vm->psi.width);
	}
	assert_int_equal(windows, sum);
	assert_true(sum < g.m->hw.now);
	rrig_down(&g);
}

/* Evicts page @i of @f, which was on the active list. */
static void use_and_evict(struct rrig *g, struct vm_file *f, u64 i)
{
	struct scan_control sc = rrig_sc(12);

	SetPageActive(filemap_lookup(g->phys, f, i)); /* still in the batch */
	lru_add_drain_all(&g->vm->lru);
	shrink_active_list(g->vs, only_unit(g), &sc, 32, LRU_ACTIVE_FILE);
	lru_add_drain_all(&g->vm->lru);
	shrink_inactive_list(g->vs, only_unit(g), &sc, 32, LRU_INACTIVE_FILE);
	assert_false(rrig_cached(g, f, i));
}

/*
 * Waits for the files' device: a first read is i/o alone, a page that was in use and comes back is memory
 * pressure as well; calls and faults, each in its own column, per task and in all.
 */
static void test_waits_for_files(void **state)
{
	struct machine_stall_window *all;
	struct vm_file *f;
	struct rrig g;

	(void)state;
	rrig_up(&g, SMALL "disk=1000000 threads=manual");
	all = &g.vm->psi.total;
	f = rrig_file(&g, 1, 8);
	f->mode |= FMODE_RANDOM; /* no read-ahead */
	g.m->hw.task = g.t->index;
	assert_int_equal(sys_fread(g.vm, g.t, 1, 0, PG, 0), PG);
	assert_int_equal(g.t->stall_ns[STALL_READ], 1000000);
	assert_int_equal(g.t->io_stall_ns, 1000000);
	assert_int_equal(all->io_some, 1000000);
	assert_int_equal(all->io_full, 1000000); /* one CPU */
	assert_int_equal(all->some + all->full + g.t->memory_stall_ns, 0);
	assert_int_equal(sys_fread(g.vm, g.t, 1, 0, PG, 0), PG); /* cached: nobody waits */
	assert_int_equal(all->io_some, 1000000);

	use_and_evict(&g, f, 0);
	assert_int_equal(sys_fread(g.vm, g.t, 1, 0, PG, 0), PG);
	assert_int_equal(rrig_event(&g, EV_WORKINGSET_RESTORE_FILE), 1);
	assert_int_equal(g.t->stall_ns[STALL_READ], 2000000);
	assert_int_equal(all->io_some, 2000000);
	assert_int_equal(all->some, 1000000);
	assert_int_equal(g.t->memory_stall_ns, 1000000);
	assert_int_equal(rrig_event(&g, EV_FILE_REFERENCES), 3);
	assert_int_equal(rrig_event(&g, EV_FILE_MISSES), 2);

	/* the same by faults of a mapping */
	assert_int_equal(sys_mmap(g.vm, g.t, BASE, 8 * PG, MM_PROT_READ, MM_MAP_SHARED | MM_MAP_FIXED, 1, 0, 0), BASE);
	assert_int_equal(mm_access(g.vm, g.t, BASE + PG, MM_ACCESS_READ), RES_MAJOR);
	assert_int_equal(g.t->stall_ns[STALL_MAJFAULT], 1000000);
	assert_int_equal(all->some, 1000000);
	assert_int_equal(all->io_some, 3000000);
	assert_int_equal(sys_fwrite(g.vm, g.t, 1, 0, PG, 0), PG);
	assert_int_equal(sys_fsync(g.vm, 1), 0);
	assert_int_equal(g.t->stall_ns[STALL_WRITE], 1000000);
	assert_int_equal(all->io_some, 4000000);
	assert_int_equal(all->some, 1000000);
	rrig_down(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shadow_nodes_are_limited),
		cmocka_unit_test(test_waits_for_files),
		cmocka_unit_test(test_A09_3),	     cmocka_unit_test(test_A09_4),
		cmocka_unit_test(test_A09_5),	     cmocka_unit_test(test_A09_6),
		cmocka_unit_test(test_A09_10),	     cmocka_unit_test(test_A09_12),
		cmocka_unit_test(test_A09_13),	     cmocka_unit_test(test_A09_14),
		cmocka_unit_test(test_A09_15_whole), cmocka_unit_test(test_A09_18),
		cmocka_unit_test(test_A09_24),	     cmocka_unit_test(test_A13_2),
		cmocka_unit_test(test_A13_3),	     cmocka_unit_test(test_A13_4),
		cmocka_unit_test(test_A13_5),
		cmocka_unit_test(test_A13_13),
		cmocka_unit_test(test_memlimit), cmocka_unit_test(test_stall_times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
