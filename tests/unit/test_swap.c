/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of an anonymous page: out, in, shared, dead (spec 08 s5 to s11). */
#include "core/backing/shmem.h"
#include "core/base/prng.h"
#include "tests/swap_rig.h"

#define RIG(...) srig_boot((const char *const[]){"mem=64M", "swap=16M", __VA_ARGS__, NULL})

/* ---- s10: the state table ---- */

struct row {
	bool swapcache, dirty;
	s32 count, mapcount;
	u32 map;
};

static void assert_row(struct srig *g, const struct page *p, swp_entry_t e, struct row want)
{
	assert_int_equal(PageSwapCache(p), want.swapcache);
	assert_int_equal(PageDirty(p), want.dirty);
	assert_int_equal(page_count(p), want.count);
	assert_int_equal(page_mapcount(p), want.mapcount);
	assert_int_equal(swap_map_byte(g->sw, e), want.map);
}

struct steps {
	struct srig *g;
	int seen;
};

static void each_row(void *arg, enum swap_step step, const struct page *p)
{
	struct steps *s = arg;
	swp_entry_t e = page_swp_entry(p);

	if (step == STEP_ADDED)
		assert_row(s->g, p, e, (struct row){true, true, 3, 1, 0x40});
	else if (step == STEP_UNMAPPED)
		assert_row(s->g, p, e, (struct row){true, true, 2, 0, 0x41});
	s->seen |= 1 << step;
}

static void rows_of_a_page(struct srig *g)
{
	struct task *t = srig_task(g, 1), *child;
	struct steps s = {.g = g};
	swp_entry_t e = swp_entry(0, 1);
	struct page *p;
	pte_t pte;

	srig_map(g, t, BASE, 1);
	srig_write(g, t, BASE, 7);
	lru_add_drain_all(&g->vm->lru);
	p = srig_page(g, t, BASE);
	assert_true(pte_dirty(srig_pte(g, t, BASE)));
	assert_row(g, p, e, (struct row){false, false, 1, 1, 0});

	child = srig_fork(g, t, 2);
	assert_false(pte_write(srig_pte(g, t, BASE)) || pte_write(srig_pte(g, child, BASE)));
	assert_row(g, p, e, (struct row){false, false, 2, 2, 0});
	vm_exit(g->vm, child);

	assert_false(srig_swap_out_page(g, p, STEP_WRITTEN, each_row, &s));
	lru_add_drain_all(&g->vm->lru);
	assert_int_equal(srig_entry(g, t, BASE).v, e.v);
	assert_row(g, p, e, (struct row){true, false, 1, 0, 0x41}); /* written, not reclaimed */
	assert_true(srig_swap_out_page(g, p, STEP_FREED, NULL, NULL));
	assert_int_equal(swap_map_byte(g->sw, e), 0x01);
	assert_int_equal(page_count(p), 0);

	assert_int_equal(srig_read(g, t, BASE), 7);
	lru_add_drain_all(&g->vm->lru);
	p = srig_page(g, t, BASE);
	pte = srig_pte(g, t, BASE);
	assert_false(pte_write(pte) && pte_dirty(pte));
	assert_false(PageActive(p));
	assert_row(g, p, e, (struct row){true, false, 2, 1, 0x40});

	assert_true(
		srig_swap_out(g, t, BASE)); /* keeps its slot: clean, nothing is written again */
	assert_int_equal(srig_event(g, EV_PSWPOUT), 1);
	srig_write(g, t, BASE, 8);
	lru_add_drain_all(&g->vm->lru);
	p = srig_page(g, t, BASE);
	pte = srig_pte(g, t, BASE);
	assert_true(pte_write(pte) && pte_dirty(pte));
	assert_row(g, p, e, (struct row){false, true, 1, 1, 0});

	vm_exit(g->vm, t);
	assert_int_equal(page_count(p), 0);
	assert_int_equal(swap_map_byte(g->sw, e), 0);
	assert_int_equal(s.seen & (1 << STEP_ADDED | 1 << STEP_UNMAPPED),
			 1 << STEP_ADDED | 1 << STEP_UNMAPPED);
}

static void test_A08_1(void **state)
{
	struct srig tag = RIG("page_cluster=0"), bytes = RIG("page_cluster=0", "data=bytes");

	rows_of_a_page(&tag);
	srig_end(&tag);
	rows_of_a_page(&bytes);
	srig_end(&bytes);
	(void)state;
}

/* s10.2: count / mapcount / swap_map at every step. */
static void timeline(void *arg, enum swap_step step, const struct page *p)
{
	static const struct {
		s32 count, mapcount, map;
	} want[] = {
		[STEP_ISOLATED] = {2, 1, -1},	[STEP_ADDED] = {3, 1, 0x40},
		[STEP_UNMAPPED] = {2, 0, 0x41}, [STEP_WRITTEN] = {2, 0, 0x41},
		[STEP_FROZEN] = {0, 0, 0x01},	[STEP_FREED] = {0, 0, 0x01},
	};
	struct steps *s = arg;

	assert_int_equal(page_count(p), want[step].count);
	assert_int_equal(page_mapcount(p), want[step].mapcount);
	if (want[step].map >= 0)
		assert_int_equal(swap_map_byte(s->g->sw, swp_entry(0, 1)), want[step].map);
	assert_false(PageWriteback(p));
	s->seen++;
}

static void test_reference_timeline(void **state)
{
	struct srig g = RIG("page_cluster=0");
	struct task *t = srig_task(&g, 1);
	struct steps s = {.g = &g};
	struct page *p;

	srig_map(&g, t, BASE, 1);
	srig_write(&g, t, BASE, 1);
	p = srig_page(&g, t, BASE);
	assert_int_equal(page_count(p), 2); /* the pagevec's */
	lru_add_drain_all(&g.vm->lru);
	assert_int_equal(page_count(p), 1);
	assert_true(srig_swap_out_page(&g, p, STEP_FREED, timeline, &s));
	assert_int_equal(s.seen, STEP_FREED + 1);
	srig_read(&g, t, BASE);
	p = srig_page(&g, t, BASE);
	assert_int_equal(page_count(p), 3); /* cache, descriptor, pagevec */
	lru_add_drain_all(&g.vm->lru);
	assert_int_equal(page_count(p), 2);
	assert_int_equal(swap_map_byte(g.sw, swp_entry(0, 1)), 0x40);
	srig_end(&g);
	(void)state;
}

static void test_A08_9(void **state)
{
	struct srig g = RIG("page_cluster=0");
	struct task *t = srig_task(&g, 1);

	srig_map(&g, t, BASE, 600);
	for (u32 i = 0; i < 600; i++)
		srig_write(&g, t, BASE + i * PAGE, i);
	for (u32 i = 0; i < 300; i++) {
		assert_true(srig_swap_out(&g, t, BASE + i * PAGE));
		assert_int_equal(srig_entry(&g, t, BASE + i * PAGE).v, i + 1);
	}
	assert_int_equal(sys_madvise(g.vm, t, BASE + 9 * PAGE, 11 * PAGE, MM_MADV_DONTNEED),
			 0); /* slots 10..20 */
	for (u32 i = 300; i < 512; i++) {
		assert_true(srig_swap_out(&g, t, BASE + i * PAGE));
		assert_int_equal(srig_entry(&g, t, BASE + i * PAGE).v, i + 1);
	}
	for (u32 i = 512; i < 520; i++) { /* the next run of 256 is not at 10 */
		assert_true(srig_swap_out(&g, t, BASE + i * PAGE));
		assert_int_equal(srig_entry(&g, t, BASE + i * PAGE).v, i + 1);
	}
	srig_end(&g);
	(void)state;
}

static void test_A08_10(void **state)
{
	struct srig g =
		srig_boot((const char *const[]){"mem=64M", "swap=64K", NULL}); /* 15 slots */
	struct task *t = srig_task(&g, 1);
	struct page *p;

	srig_map(&g, t, BASE, 16);
	for (u32 i = 0; i < 16; i++)
		srig_write(&g, t, BASE + i * PAGE, i);
	for (u32 i = 0; i < 15; i++)
		assert_true(srig_swap_out(&g, t, BASE + i * PAGE));
	assert_int_equal(get_swap_page(g.sw).v, 0);
	p = srig_page(&g, t, BASE + 15 * PAGE);
	assert_true(trylock_page(p));
	assert_false(add_to_swap(g.sw, p));
	unlock_page(p);
	assert_false(srig_swap_out(&g, t, BASE + 15 * PAGE));
	assert_false(PageSwapCache(p) || PageDirty(p));
	assert_int_equal(page_mapcount(p), 1);
	srig_end(&g);
	(void)state;
}

static void test_A08_11(void **state)
{
	struct srig g = RIG("page_cluster=0");
	struct task *t = srig_task(&g, 1), *c;
	u64 major;
	struct page *p;

	srig_map(&g, t, BASE, 1);
	srig_write(&g, t, BASE, 5);
	c = srig_fork(&g, t, 2);
	assert_true(srig_swap_out(&g, t, BASE));
	assert_int_equal(swap_map_byte(g.sw, swp_entry(0, 1)), 2);
	major = srig_event(&g, EV_PGMAJFAULT);
	assert_int_equal(mm_access(g.vm, t, BASE, MM_ACCESS_READ), RES_MAJOR);
	assert_int_equal(t->majflt, 1);
	assert_int_equal(swap_map_byte(g.sw, swp_entry(0, 1)), 0x41);
	assert_int_equal(mm_access(g.vm, c, BASE, MM_ACCESS_READ),
			 RES_MINOR); /* found in the cache */
	assert_int_equal(c->majflt, 0);
	assert_int_equal(srig_event(&g, EV_PGMAJFAULT), major + 1);
	assert_int_equal(srig_event(&g, EV_PSWPIN), 1);
	p = srig_page(&g, t, BASE);
	assert_ptr_equal(p, srig_page(&g, c, BASE));
	lru_add_drain_all(&g.vm->lru);
	assert_int_equal(page_count(p), 3);
	assert_int_equal(page_mapcount(p), 2);
	assert_int_equal(swap_map_byte(g.sw, swp_entry(0, 1)), 0x40);
	/* one writes: a copy; the other one is alone then and gives the slot up */
	srig_write(&g, c, BASE, 6);
	assert_ptr_not_equal(p, srig_page(&g, c, BASE));
	srig_write(&g, t, BASE, 7);
	assert_ptr_equal(p, srig_page(&g, t, BASE));
	assert_int_equal(swap_map_byte(g.sw, swp_entry(0, 1)), 0);
	srig_end(&g);
	(void)state;
}

static void test_A08_12(void **state)
{
	static const struct {
		u32 offset, window;
	} calls[] = {{1000, 8}, {5000, 4}, {9000, 2}, {3000, 1}, {7000, 1}, {7001, 2}};
	struct srig g = RIG("page_cluster=3");

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		assert_int_equal(swapin_nr_pages(g.sw, calls[i].offset), calls[i].window);
	g.sw->ra.hits = 30; /* many hits: 32 pages, capped at 8 */
	assert_int_equal(swapin_nr_pages(g.sw, 1), 8);
	assert_int_equal(machine_sysctl(g.m, "page_cluster", "5"), 0);
	g.sw->ra.hits = 9; /* 11 -> 16 */
	assert_int_equal(swapin_nr_pages(g.sw, 1), 16);
	assert_int_equal(machine_sysctl(g.m, "page_cluster", "0"), 0);
	assert_int_equal(swapin_nr_pages(g.sw, 1), 1);
	assert_int_equal(machine_sysctl(g.m, "page_cluster", "11"), -EINVAL);
	srig_end(&g);
	(void)state;
}

static void swap_out_all(struct srig *g, struct task *t, u32 pages)
{
	for (u32 i = 0; i < pages; i++)
		assert_true(srig_swap_out(g, t, BASE + i * PAGE));
}

static void test_A08_13(void **state)
{
	struct srig g = RIG("page_cluster=3");
	struct task *t = srig_task(&g, 1);
	u32 ahead = 0;

	srig_map(&g, t, BASE, 64);
	for (u32 i = 0; i < 64; i++)
		srig_write(&g, t, BASE + i * PAGE, i);
	swap_out_all(&g, t, 64);	    /* page i in slot i + 1 */
	srig_read(&g, t, BASE + 18 * PAGE); /* slot 19: block 16..23 */
	assert_int_equal(srig_event(&g, EV_PSWPIN), 8);
	for (u32 slot = 16; slot < 24; slot++) {
		struct page *p = swap_cache_peek(g.sw, swp_entry(0, slot));

		assert_non_null(p);
		ahead += PageReclaim(p); /* PG_readahead */
		assert_int_equal(PageReclaim(p), slot != 19);
		assert_true(PageLRU(p)); /* drained */
	}
	assert_int_equal(ahead, 7);
	assert_int_equal(mm_access(g.vm, t, BASE + 19 * PAGE, MM_ACCESS_READ),
			 RES_MINOR); /* slot 20: a hit */
	assert_false(PageReclaim(srig_page(&g, t, BASE + 19 * PAGE)));
	assert_int_equal(g.sw->ra.hits, 1);
	assert_int_equal(srig_read(&g, t, BASE + 40 * PAGE), 40);
	assert_true(g.sw->ra.last_pages >= 4);
	srig_end(&g);
	(void)state;
}

static void test_A08_14(void **state)
{
	struct srig g = RIG("page_cluster=0");
	struct task *t = srig_task(&g, 1), *c;

	srig_map(&g, t, BASE, 1);
	srig_write(&g, t, BASE, 3);
	assert_true(srig_swap_out(&g, t, BASE));
	c = srig_fork(&g, t, 2);
	assert_int_equal(swap_count(g.sw, swp_entry(0, 1)), 2);
	assert_int_equal(t->mm->rss[MM_SWAPENTS], 1);
	assert_int_equal(c->mm->rss[MM_SWAPENTS], 1);
	srig_sound(&g);
	vm_exit(g.vm, t);
	assert_int_equal(swap_count(g.sw, swp_entry(0, 1)), 1);
	assert_int_equal(srig_read(&g, c, BASE), 3);
	srig_end(&g);
	(void)state;
}

static void test_A08_15(void **state)
{
	struct srig g = RIG("page_cluster=0");
	struct task *t = srig_task(&g, 1);
	swp_entry_t e = swp_entry(0, 1);

	srig_map(&g, t, BASE, 1);
	srig_write(&g, t, BASE, 3);
	assert_true(srig_swap_out(&g, t, BASE));
	for (u32 i = 0; i < 65; i++)
		srig_fork(&g, t, 2 + i);
	assert_int_equal(swap_count(g.sw, e), 66);
	srig_sound(&g);
	for (u32 i = 0; i < 65; i++) {
		if (i % 2)
			assert_int_equal(srig_read(&g, vm_task(g.vm, 2 + i), BASE), 3);
		vm_exit(g.vm, vm_task(g.vm, 2 + i));
	}
	assert_int_equal(swap_count(g.sw, e), 1);
	srig_write(&g, t, BASE, 4);
	assert_int_equal(swap_count(g.sw, e), 0);
	srig_end(&g);
	(void)state;
}

/* A fork that finds no memory for the continuation leaves nothing behind. */
static void test_fork_without_a_continuation(void **state)
{
	struct srig g = RIG("page_cluster=0");
	struct task *t = srig_task(&g, 1);
	bool refused = false;

	srig_map(&g, t, BASE, 1);
	srig_write(&g, t, BASE, 3);
	assert_true(srig_swap_out(&g, t, BASE));
	for (u32 i = 2; i < 2 + SWAP_MAP_MAX - 1; i++)
		srig_fork(&g, t, i);
	assert_int_equal(vm_define_task(g.vm, 100, 100, 100), 0);
	for (u64 n = 1; n < 100; n++) {
		int r;

		g.m->phys.fail_nth = n;
		r = vm_fork(g.vm, t, vm_task(g.vm, 100));
		g.m->phys.fail_nth = 0;
		srig_sound(&g);
		if (!r)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(swap_count(g.sw, swp_entry(0, 1)), SWAP_MAP_MAX);
		refused = true;
	}
	assert_true(refused);
	assert_int_equal(swap_count(g.sw, swp_entry(0, 1)), SWAP_MAP_MAX + 1);
	srig_end(&g);
	(void)state;
}

static void test_A08_16(void **state)
{
	for (int mode = 0; mode < 2; mode++) {
		struct srig g = RIG(mode ? "data=bytes" : "data=tag", "swap_slots=slots");
		struct task *t = srig_task(&g, 1), *c;

		srig_map(&g, t, BASE, 500);
		for (u32 i = 0; i < 500; i++)
			srig_write(&g, t, BASE + i * PAGE, 1000 + i);
		c = srig_fork(&g, t, 2);
		for (u32 i = 0; i < 500; i += 2)
			assert_true(srig_swap_out(&g, t, BASE + i * PAGE));
		for (u32 i = 0; i < 100; i += 4) /* some back in, in the cache */
			srig_read(&g, t, BASE + i * PAGE);
		srig_sound(&g);
		assert_int_equal(sys_swapoff(g.vm, swap_area_last(g.sw)), 0);
		assert_int_equal(g.sw->nr_swap_pages, 0);
		assert_int_equal(g.sw->total_swap_pages, 0);
		assert_null(g.sw->info[0]);
		assert_int_equal(c->mm->rss[MM_SWAPENTS] + t->mm->rss[MM_SWAPENTS], 0);
		for (u32 i = 0; i < 500; i++) {
			assert_int_equal(srig_read(&g, t, BASE + i * PAGE), 1000 + i);
			assert_int_equal(srig_read(&g, c, BASE + i * PAGE), 1000 + i);
			assert_int_equal(page_mapcount(srig_page(&g, t, BASE + i * PAGE)), 2);
		}
		assert_int_equal(sys_swapoff(g.vm, swap_area_last(g.sw)), -EINVAL);
		srig_end(&g);
	}
	(void)state;
}

static void test_swapoff_without_memory(void **state)
{
	struct srig g = RIG("overcommit_memory=1");
	struct task *t = srig_task(&g, 1);

	srig_map(&g, t, BASE, 200);
	for (u32 i = 0; i < 200; i++)
		srig_write(&g, t, BASE + i * PAGE, i);
	swap_out_all(&g, t, 200);
	for (u64 n = 1; n < 100; n += 37) {
		g.m->phys.fail_nth = n;
		assert_int_equal(sys_swapoff(g.vm, swap_area_last(g.sw)), -ENOMEM);
		srig_sound(&g);
		assert_int_equal(g.sw->total_swap_pages, 4095);
		assert_true(g.sw->info[0]->flags & SWP_WRITEOK);
		assert_int_equal(srig_read(&g, t, BASE), 0);
	}
	g.m->phys.fail_nth = 0;
	assert_int_equal(machine_sysctl(g.m, "overcommit_memory", "2"), 0);
	assert_int_equal(machine_sysctl(g.m, "overcommit_ratio", "0"), 0);
	g.vm->committed = g.sw->total_swap_pages; /* nothing more may be promised */
	assert_int_equal(sys_swapoff(g.vm, swap_area_last(g.sw)), -ENOMEM);
	g.vm->committed = 200;
	assert_int_equal(machine_sysctl(g.m, "overcommit_memory", "1"), 0);
	assert_int_equal(sys_swapoff(g.vm, swap_area_last(g.sw)), 0);
	for (u32 i = 0; i < 200; i++)
		assert_int_equal(srig_read(&g, t, BASE + i * PAGE), i);
	srig_end(&g);
	(void)state;
}

static void test_A08_17(void **state)
{
	struct srig g = RIG("page_cluster=3");
	struct task *t = srig_task(&g, 1);
	struct page *cached;

	srig_map(&g, t, BASE, 4);
	for (u32 i = 0; i < 4; i++)
		srig_write(&g, t, BASE + i * PAGE, i);
	swap_out_all(&g, t, 4);
	srig_read(&g, t, BASE); /* slots 1..7: pages 1..3 are read ahead */
	cached = swap_cache_peek(g.sw, srig_entry(&g, t, BASE + 2 * PAGE));
	assert_non_null(cached);
	assert_int_equal(sys_madvise(g.vm, t, BASE, 4 * PAGE, MM_MADV_DONTNEED), 0);
	assert_int_equal(page_count(cached), 0);
	assert_int_equal(g.sw->nr_swap_pages, 4095);
	assert_int_equal(g.sw->nr_cached, 0);
	assert_int_equal(t->mm->rss[MM_SWAPENTS] + t->mm->rss[MM_ANONPAGES], 0);
	assert_int_equal(srig_read(&g, t, BASE), 0);
	srig_end(&g);
	(void)state;
}

static void test_A08_18(void **state)
{
	struct srig g = RIG("page_cluster=0");
	struct task *t = srig_task(&g, 1);
	s64 free_slots;
	u64 copies;

	srig_map(&g, t, BASE, 1);
	srig_write(&g, t, BASE, 3);
	assert_true(srig_swap_out(&g, t, BASE));
	free_slots = g.sw->nr_swap_pages;
	copies = srig_event(&g, EV_COW_COPIES);
	assert_int_equal(mm_access(g.vm, t, BASE, MM_ACCESS_WRITE), RES_MAJOR);
	assert_int_equal(g.sw->nr_swap_pages, free_slots + 1);
	assert_int_equal(srig_event(&g, EV_COW_COPIES), copies);
	assert_int_equal((u64)g.m->vm.hw->cpus[0].events[EV_PSWPIN], 1);
	assert_true(srig_page(&g, t, BASE)->mapping ==
		    ((u64)(uintptr_t)t->mm->mmap->anon_vma | PAGE_MAPPING_ANON));
	assert_int_equal(srig_read(&g, t, BASE), 3);
	srig_end(&g);
	(void)state;
}

static void test_A08_19(void **state)
{
	struct srig g = RIG("page_cluster=0");
	struct task *t = srig_task(&g, 1);
	struct page *file, *copy;

	assert_int_equal(vm_file(g.vm, 1, 4 * PAGE, "disk", "f"), 0);
	assert_int_equal(sys_mmap(g.vm, t, BASE, 2 * PAGE, MM_PROT_READ | MM_PROT_WRITE,
				  MM_MAP_PRIVATE | MM_MAP_FIXED, 1, 0, 0),
			 BASE);
	srig_read(&g, t, BASE);
	srig_write(&g, t, BASE + PAGE, 77);
	file = srig_page(&g, t, BASE);
	copy = srig_page(&g, t, BASE + PAGE);
	assert_true(PageAnon(copy) && PageSwapBacked(copy));
	assert_false(PageAnon(file) ||
		     PageSwapBacked(file)); /* reclaim asks this before add_to_swap */
	assert_true(srig_swap_out(&g, t, BASE + PAGE));
	assert_int_equal(srig_entry(&g, t, BASE + PAGE).v, 1);
	assert_int_equal(srig_read(&g, t, BASE + PAGE), 77);
	srig_end(&g);
	(void)state;
}

static void test_A08_20(void **state)
{
	struct srig g = RIG("page_cluster=0");
	struct task *t = srig_task(&g, 1);

	srig_map(&g, t, BASE, 100);
	for (u32 i = 0; i < 100; i++)
		srig_write(&g, t, BASE + i * PAGE, i);
	assert_int_equal(srig_event(&g, EV_PGMAJFAULT), 0);
	swap_out_all(&g, t, 100);
	for (u32 i = 0; i < 100; i++)
		assert_int_equal(srig_read(&g, t, BASE + i * PAGE), i);
	assert_int_equal(srig_event(&g, EV_PSWPOUT), 100);
	assert_int_equal(srig_event(&g, EV_PSWPIN), 100);
	assert_int_equal(srig_event(&g, EV_PGMAJFAULT), 100);
	assert_int_equal(t->majflt, 100);
	assert_int_equal(t->minflt, 100);
	srig_end(&g);
	(void)state;
}

static void test_read_error(void **state)
{
	struct srig g = RIG("page_cluster=0");
	struct task *t = srig_task(&g, 1);

	srig_map(&g, t, BASE, 1);
	srig_write(&g, t, BASE, 3);
	assert_true(srig_swap_out(&g, t, BASE));
	g.sw->fail_reads = 1;
	assert_int_equal(mm_access(g.vm, t, BASE, MM_ACCESS_READ), RES_SIGBUS);
	srig_sound(&g);
	srig_end(&g);
	(void)state;
}

/* A page that nobody needs any more is not written, and one that is locked is left alone. */
static void test_no_write_for_nobody(void **state)
{
	struct srig g = RIG("page_cluster=0");
	struct task *t = srig_task(&g, 1);
	struct page *p;

	srig_map(&g, t, BASE, 1);
	srig_write(&g, t, BASE, 3);
	lru_add_drain_all(&g.vm->lru);
	p = srig_page(&g, t, BASE);
	assert_true(trylock_page(p));
	assert_true(add_to_swap(g.sw, p));
	assert_int_equal(try_to_unmap(g.vm, p, TTU_UNMAP | TTU_IGNORE_ACCESS), SWAP_SUCCESS);
	vm_exit(g.vm, t); /* the page is locked: its slot stays */
	assert_int_equal(swap_map_byte(g.sw, swp_entry(0, 1)), 0x40);
	get_page(p);
	assert_int_equal(swap_writepage(g.sw, p), 0);
	assert_int_equal(srig_event(&g, EV_PSWPOUT), 0);
	assert_int_equal(swap_map_byte(g.sw, swp_entry(0, 1)), 0);
	lru_put_page(&g.vm->lru, p);
	srig_end(&g);
	(void)state;
}

static void test_meminfo(void **state)
{
	struct srig g = RIG("page_cluster=0");
	struct task *t = srig_task(&g, 1);
	char text[4096] = "";
	FILE *f;

	srig_map(&g, t, BASE, 10);
	for (u32 i = 0; i < 10; i++)
		srig_write(&g, t, BASE + i * PAGE, i);
	swap_out_all(&g, t, 10);
	srig_read(&g, t, BASE);
	f = fmemopen(text, sizeof(text), "w");
	assert_int_equal(machine_show(g.m, "meminfo", f), 0);
	fclose(f);
	assert_non_null(strstr(text, "SwapTotal:         16380 kB"));
	assert_non_null(strstr(text, "SwapFree:          16340 kB"));
	assert_non_null(strstr(text, "SwapCached:            4 kB"));
	srig_end(&g);
	(void)state;
}

/* The four invariants notice what is broken on purpose. */
static void test_invariants(void **state)
{
	struct srig g = RIG("page_cluster=0");
	struct task *t = srig_task(&g, 1);
	struct swap_info_struct *si = g.sw->info[0];
	struct page *p;
	char why[512];

	srig_map(&g, t, BASE, 2);
	srig_write(&g, t, BASE, 3);
	srig_write(&g, t, BASE + PAGE, 4);
	swap_out_all(&g, t, 2);
	srig_sound(&g);
	si->swap_map[1]++;
	assert_int_equal(vm_check(g.vm, why, sizeof(why)), 8005);
	si->swap_map[1]--;
	si->inuse_pages++;
	assert_int_equal(vm_check(g.vm, why, sizeof(why)), 8006);
	si->inuse_pages--;
	t->mm->rss[MM_SWAPENTS]++;
	assert_int_equal(vm_check(g.vm, why, sizeof(why)), 8007);
	t->mm->rss[MM_SWAPENTS]--;
	srig_read(&g, t, BASE);
	p = srig_page(&g, t, BASE);
	p->private ++;
	assert_int_equal(vm_check(g.vm, why, sizeof(why)), 8008);
	p->private --;
	si->swap_map[1] = 1; /* cached, but the slot does not know */
	assert_int_equal(vm_check(g.vm, why, sizeof(why)), 8005);
	si->swap_map[1] = SWAP_HAS_CACHE;
	srig_end(&g);
	(void)state;
}

/* ---- shared memory ---- */

/* The steps of reclaim for a page of shared memory: its slot takes its place in the file. */
static void swap_out_shared(struct srig *g, struct task *t, vaddr_t addr)
{
	struct page *p = srig_page(g, t, addr);

	lru_add_drain_all(&g->vm->lru);
	assert_int_equal(isolate_lru_page(&g->vm->lru, p), 0);
	assert_true(trylock_page(p));
	assert_int_equal(try_to_unmap(g->vm, p, TTU_UNMAP | TTU_IGNORE_ACCESS), SWAP_SUCCESS);
	SetPageReclaim(p);
	ClearPageDirty(p);
	assert_true(shmem_writepage(&g->vm->files, p));
	assert_true(PageSwapCache(p) && trylock_page(p));
	assert_int_equal(page_count(p), 2);
	p->_count = 0;
	swap_cache_remove_frozen(g->sw, p);
	unlock_page(p);
	lru_forget_page(p);
	free_hot_cold_page(g->vm->phys, 0, p, false);
}

static void test_shared_memory(void **state)
{
	for (int mode = 0; mode < 2; mode++) {
		struct srig g = RIG(mode ? "data=bytes" : "data=tag", "page_cluster=0");
		struct task *t = srig_task(&g, 1), *c;
		char why[256];

		assert_int_equal(sys_mmap(g.vm, t, BASE, 40 * PAGE, MM_PROT_READ | MM_PROT_WRITE,
					  MM_MAP_SHARED | MM_MAP_ANON | MM_MAP_FIXED, 0, 0, 0), BASE);
		for (u32 i = 0; i < 40; i++)
			srig_write(&g, t, BASE + i * PAGE, 500 + i);
		c = srig_fork(&g, t, 2);
		for (u32 i = 0; i < 40; i += 2)
			swap_out_shared(&g, t, BASE + i * PAGE);
		assert_int_equal(swap_map_byte(g.sw, swp_entry(0, 1)), SWAP_MAP_SHMEM);
		assert_int_equal(t->mm->rss[MM_SWAPENTS], 0);
		srig_sound(&g);
		g.sw->info[0]->swap_map[21] = SWAP_MAP_SHMEM; /* no file names it */
		g.sw->info[0]->inuse_pages++;
		g.sw->nr_swap_pages--;
		assert_int_equal(vm_swap_check(g.vm, why, sizeof(why)), 8005);
		g.sw->info[0]->swap_map[21] = 0;
		g.sw->info[0]->inuse_pages--;
		g.sw->nr_swap_pages++;
		assert_int_equal(mm_access(g.vm, c, BASE, MM_ACCESS_READ), RES_MAJOR);
		assert_int_equal(srig_read(&g, c, BASE), 500);
		assert_int_equal(swap_map_byte(g.sw, swp_entry(0, 1)), 0);
		assert_int_equal(sys_swapoff(g.vm, swap_area_last(g.sw)), 0);
		srig_sound(&g);
		for (u32 i = 0; i < 40; i++)
			assert_int_equal(srig_read(&g, i % 3 ? t : c, BASE + i * PAGE), 500 + i);
		srig_end(&g);
	}
	(void)state;
}

/* ---- a device that takes its time ---- */

static void test_slow_device(void **state)
{
	struct srig g = RIG("swapdev=1000000", "swapdev_queue=1", "page_cluster=3");
	struct task *t = srig_task(&g, 1);
	struct page *p;
	u64 start;

	srig_map(&g, t, BASE, 64);
	for (u32 i = 0; i < 64; i++)
		srig_write(&g, t, BASE + i * PAGE, i);
	p = srig_page(&g, t, BASE);
	assert_false(srig_swap_out_page(&g, p, STEP_FREED, NULL, NULL));
	assert_true(PageWriteback(p) && PageSwapCache(p) && PageReclaim(p));
	assert_int_equal(global_page_state(g.vm->phys, NR_WRITEBACK), 1);
	lru_add_drain_all(&g.vm->lru);
	machine_advance(g.m, g.m->hw.now + 1000001);
	assert_false(PageWriteback(p) || PageReclaim(p));
	assert_int_equal(global_page_state(g.vm->phys, NR_WRITEBACK), 0);
	lru_add_drain_all(&g.vm->lru);
	assert_int_equal(srig_event(&g, EV_PGROTATED), 1); /* done: to the inactive tail */
	assert_true(srig_swap_out_page(&g, p, STEP_FREED, NULL, NULL));
	for (u32 i = 1; i < 64; i++)
		srig_swap_out_page(&g, srig_page(&g, t, BASE + i * PAGE), STEP_WRITTEN, NULL, NULL);
	machine_advance(g.m, g.m->hw.now + 100000000);
	lru_add_drain_all(&g.vm->lru);
	for (u32 i = 1; i < 64; i++) {
		p = swap_cache_peek(g.sw, srig_entry(&g, t, BASE + i * PAGE));
		assert_true(srig_swap_out_page(&g, p, STEP_FREED, NULL, NULL));
	}
	assert_int_equal(srig_event(&g, EV_PSWPOUT), 64);

	start = g.m->hw.now;
	/* waits for its block of 8, having let go of mmap_sem: one major fault all the same */
	assert_int_equal(mm_access(g.vm, t, BASE + 20 * PAGE, MM_ACCESS_READ), RES_MAJOR);
	assert_int_equal(t->majflt, 1);
	assert_int_equal(srig_event(&g, EV_PGMAJFAULT), 1);
	assert_in_range(g.m->hw.now - start, 1000000, 1100000);
	assert_int_equal(g.sw->dev.reads, 1);
	assert_int_equal(g.sw->dev.pages_read, 8);
	assert_int_equal(srig_read(&g, t, BASE + 20 * PAGE), 20);
	/* swapoff waits for what is being read and written */
	assert_int_equal(sys_swapoff(g.vm, swap_area_last(g.sw)), 0);
	for (u32 i = 0; i < 64; i++)
		assert_int_equal(srig_read(&g, t, BASE + i * PAGE), i);
	srig_end(&g);
	(void)state;
}

/* ---- A08.21: four families against contents kept beside them ---- */

#define STORM_PAGES 48
#define STORM_TASKS 4

struct storm {
	struct srig g;
	struct prng rng;
	u64 want[STORM_TASKS][STORM_PAGES];
	bool alive[STORM_TASKS];
	u64 next_tag;
};

static u32 pick(struct storm *s, u32 n)
{
	return (u32)prng_below(&s->rng, n);
}

static void storm_check_page(struct storm *s, u32 task, u32 page)
{
	struct task *t = vm_task(s->g.vm, task + 1);
	enum mm_op_res r = mm_access(s->g.vm, t, BASE + page * PAGE, MM_ACCESS_READ);
	u64 tag = 0;

	if (r == RES_SIGBUS)
		return; /* injected failure */
	assert_true(mm_read_tag(s->g.vm, t, BASE + page * PAGE, &tag));
	assert_int_equal(tag, s->want[task][page]);
}

static void storm_write(struct storm *s, u32 task, u32 page)
{
	struct task *t = vm_task(s->g.vm, task + 1);

	if (mm_access(s->g.vm, t, BASE + page * PAGE, MM_ACCESS_WRITE) == RES_SIGBUS)
		return;
	s->want[task][page] = ++s->next_tag;
	assert_true(mm_write_tag(s->g.vm, t, BASE + page * PAGE, 1, s->next_tag) <= RES_MAJOR);
}

static void storm_reclaim(struct storm *s, u32 task, u32 page)
{
	pte_t p = srig_pte(&s->g, vm_task(s->g.vm, task + 1), BASE + page * PAGE);
	struct page *frame;

	if (pte_is_swap(p))
		frame = swap_cache_peek(s->g.sw, pte_to_swp_entry(p));
	else
		frame = pte_present(p) ? vm_normal_page(s->g.vm, p) : NULL;
	if (frame)
		srig_swap_out_page(&s->g, frame, (enum swap_step)(STEP_ADDED + pick(s, 5)), NULL,
				   NULL);
}

static void storm_fork(struct storm *s, u32 task, u32 other)
{
	if (other == task)
		return;
	if (s->alive[other])
		vm_exit(s->g.vm, vm_task(s->g.vm, other + 1));
	s->alive[other] =
		!vm_fork(s->g.vm, vm_task(s->g.vm, task + 1), vm_task(s->g.vm, other + 1));
	memcpy(s->want[other], s->want[task], sizeof(s->want[0]));
}

static void storm_dontneed(struct storm *s, u32 task, u32 page)
{
	u32 n = 1 + pick(s, 4);

	if (page + n > STORM_PAGES)
		return;
	assert_int_equal(sys_madvise(s->g.vm, vm_task(s->g.vm, task + 1), BASE + page * PAGE,
				     n * PAGE, MM_MADV_DONTNEED),
			 0);
	memset(&s->want[task][page], 0, n * sizeof(u64));
}

static void storm_swapoff(struct storm *s)
{
	int r = sys_swapoff(s->g.vm, swap_area_last(s->g.sw));

	assert_true(r == 0 || r == -ENOMEM || r == -EINVAL);
	if (!swap_area_last(s->g.sw))
		assert_int_equal(
			sys_swapon(s->g.vm, &(struct swap_area){.bytes = 100 * PAGE,
								.solid_state = pick(s, 2)}),
			0);
}

static void storm_step(struct storm *s)
{
	u32 task = pick(s, STORM_TASKS), page = pick(s, STORM_PAGES), what = pick(s, 1000);

	if (!s->alive[task]) {
		assert_int_equal(vm_spawn(s->g.vm, vm_task(s->g.vm, task + 1), 0, 0), 0);
		srig_map(&s->g, vm_task(s->g.vm, task + 1), BASE, STORM_PAGES);
		memset(s->want[task], 0, sizeof(s->want[0]));
		s->alive[task] = true;
	}
	if (what < 380)
		storm_reclaim(s, task, page);
	else if (what < 640)
		storm_check_page(s, task, page);
	else if (what < 930)
		storm_write(s, task, page);
	else if (what < 970)
		storm_dontneed(s, task, page);
	else if (what < 985)
		storm_fork(s, task, pick(s, STORM_TASKS));
	else if (what < 998)
		lru_add_drain_all(&s->g.vm->lru);
	else if (what < 999)
		storm_swapoff(s);
	else {
		vm_exit(s->g.vm, vm_task(s->g.vm, task + 1));
		s->alive[task] = false;
	}
}

/* Frames that belong to nobody but the object allocator. */
static s64 spare_frames(struct srig *g)
{
	struct phys *phys = g->vm->phys;

	lru_add_drain_all(&g->vm->lru);
	drain_all_pages(phys);
	return global_page_state(phys, NR_FREE_PAGES) +
	       global_page_state(phys, NR_SLAB_RECLAIMABLE) +
	       global_page_state(phys, NR_SLAB_UNRECLAIMABLE);
}

/* @fail_every: an allocation fails about that often (0: never). */
static void storm(const char *data, const char *slots, u32 steps, u32 fail_every, u64 seed)
{
	struct storm s = {.next_tag = 1};
	s64 frames;

	s.g = srig_boot((const char *const[]){"mem=32M", "swap=400K", "overcommit_memory=1", data,
					      slots, NULL});
	prng_seed(&s.rng, seed);
	for (u32 i = 0; i < STORM_TASKS; i++)
		assert_int_equal(vm_define_task(s.g.vm, i + 1, i + 1, i + 1), 0);
	frames = spare_frames(&s.g);
	for (u32 i = 0; i < steps; i++) {
		if (fail_every && !s.g.m->phys.fail_nth && vm_task(s.g.vm, 1)->mm)
			s.g.m->phys.fail_nth = 1 + pick(&s, fail_every);
		if (fail_every && (!s.alive[0] || !s.alive[1] || !s.alive[2] || !s.alive[3]))
			s.g.m->phys.fail_nth = 0; /* births must succeed here */
		storm_step(&s);
		if (i % 5000 == 0)
			srig_sound(&s.g);
	}
	s.g.m->phys.fail_nth = 0;
	assert_true(srig_event(&s.g, EV_PSWPOUT) > steps / 50);
	assert_true(srig_event(&s.g, EV_PSWPIN) > steps / 50);
	for (u32 i = 0; i < STORM_TASKS; i++)
		for (u32 k = 0; s.alive[i] && k < STORM_PAGES; k++)
			storm_check_page(&s, i, k);
	srig_sound(&s.g);
	for (u32 i = 0; i < STORM_TASKS; i++)
		vm_exit(s.g.vm, vm_task(s.g.vm, i + 1));
	swap_slots_drain(s.g.sw);
	for (unsigned t = 0; t < MAX_SWAPFILES; t++)
		assert_true(!s.g.sw->info[t] || !s.g.sw->info[t]->inuse_pages);
	assert_int_equal(s.g.sw->nr_swap_pages, s.g.sw->total_swap_pages);
	assert_int_equal(sys_swapoff(s.g.vm, swap_area_last(s.g.sw)),
			 0); /* its continuation pages go too */
	assert_int_equal(spare_frames(&s.g), frames);
	srig_end(&s.g);
}

static void test_A08_21(void **state)
{
	u64 seed = test_seed(821);

	storm("data=tag", "swap_slots=global", 100000, 0, seed);
	storm("data=bytes", "swap_slots=global", 100000, 0, seed + 1);
	storm("data=tag", "swap_slots=slots", 50000, 0, seed + 2);
	storm("data=tag", "swap_slots=global", 50000, 60, seed + 3);
	storm("data=bytes", "swap_slots=slots", 50000, 60, seed + 4);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A08_1),
		cmocka_unit_test(test_reference_timeline),
		cmocka_unit_test(test_A08_9),
		cmocka_unit_test(test_A08_10),
		cmocka_unit_test(test_A08_11),
		cmocka_unit_test(test_A08_12),
		cmocka_unit_test(test_A08_13),
		cmocka_unit_test(test_A08_14),
		cmocka_unit_test(test_A08_15),
		cmocka_unit_test(test_fork_without_a_continuation),
		cmocka_unit_test(test_A08_16),
		cmocka_unit_test(test_swapoff_without_memory),
		cmocka_unit_test(test_A08_17),
		cmocka_unit_test(test_A08_18),
		cmocka_unit_test(test_A08_19),
		cmocka_unit_test(test_A08_20),
		cmocka_unit_test(test_read_error),
		cmocka_unit_test(test_no_write_for_nobody),
		cmocka_unit_test(test_meminfo),
		cmocka_unit_test(test_invariants),
		cmocka_unit_test(test_shared_memory), cmocka_unit_test(test_slow_device),
		cmocka_unit_test(test_A08_21),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
