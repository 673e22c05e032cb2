/* SPDX-License-Identifier: BSD-2-Clause */
/* The end of the line: what happens when nothing can be reclaimed (spec 09 s3, s10; 13 s3). */
#include <errno.h>

#include "tests/reclaim_rig.h"

#define SMALL "mem=16M ideal=1 overcommit_memory=1 threads=manual "

static struct zone *only_zone(struct rrig *g)
{
	struct zone *found = NULL;

	for (unsigned i = 0; i < g->phys->nr_zones; i++)
		if (g->phys->zones[i].present_pages)
			found = &g->phys->zones[i];
	return found;
}

static struct task *spawn(struct rrig *g, u32 i, u64 pages)
{
	struct task *t = vm_task(g->vm, i);

	g->m->hw.task = i;
	if (!t->mm)
		assert_int_equal(vm_spawn(g->vm, t, 0, 0), 0);
	rrig_map(g, t, BASE, pages);
	rrig_write(g, t, BASE, pages);
	return t;
}

/* Kernel pages until the allocator gives no more. Nobody is killed for the last one: NORETRY. */
struct hog {
	struct page *pages[8192];
	u64 n;
};

static struct hog *fill(struct rrig *g, u64 leave)
{
	struct hog *h = calloc(1, sizeof(*h));
	struct page *p;

	while (h->n < ARRAY_SIZE(h->pages) &&
	       (p = alloc_page(g->phys, 0, GFP_KERNEL | MM_GFP_NORETRY | MM_GFP_NOWARN)))
		h->pages[h->n++] = p;
	while (leave-- && h->n)
		free_page_page(g->phys, 0, h->pages[--h->n]);
	return h;
}

static void empty(struct rrig *g, struct hog *h)
{
	while (h->n)
		free_page_page(g->phys, 0, h->pages[--h->n]);
	free(h);
}

static void test_A09_19(void **state)
{
	struct rrig g;
	struct zone *z;
	struct page *p;
	struct hog *h;

	(void)state;
	rrig_up(&g, SMALL);
	z = only_zone(&g);
	rrig_map(&g, g.t, BASE, 1000);
	assert_int_equal(sys_mlock(g.vm, g.t, BASE, 1000 * PG, 0), 0);
	lru_add_drain_all(&g.vm->lru);
	assert_int_equal(rrig_level(&g, NR_UNEVICTABLE), 1000);
	h = fill(&g, 0);
	assert_false(zone_reclaimable(g.vs, z));
	assert_int_equal(try_to_free_pages(g.vs, node_zonelist(g.phys, 0, GFP_KERNEL), z->type, 0, GFP_KERNEL), 0);
	/* some evictable pages: unreclaimable once they were scanned six times over */
	z->vm_stat[NR_ACTIVE_FILE] += 100;
	assert_true(zone_reclaimable(g.vs, z));
	z->vm_stat[NR_PAGES_SCANNED] = 599;
	assert_true(zone_reclaimable(g.vs, z));
	z->vm_stat[NR_PAGES_SCANNED] = 600;
	assert_false(zone_reclaimable(g.vs, z));
	z->vm_stat[NR_ACTIVE_FILE] -= 100;
	/* so an allocation ends with a kill, and the victim's memory serves it */
	g.m->hw.task = 2;
	p = alloc_page(g.phys, 0, GFP_KERNEL);
	assert_non_null(p);
	assert_int_equal(rrig_event(&g, EV_OOM_KILL), 1);
	assert_null(g.t->mm);
	free_page_page(g.phys, 0, p);
	empty(&g, h);
	rrig_down(&g);
}

/* Which of a parent and its children goes; -1000 never. */
static void test_A09_20_victims(void **state)
{
	struct task *parent, *small, *big;
	struct rrig g;
	struct hog *h;

	(void)state;
	rrig_up(&g, SMALL);
	parent = spawn(&g, 1, 1000);
	small = vm_task(g.vm, 2);
	big = vm_task(g.vm, 3);
	assert_int_equal(vm_fork(g.vm, parent, small), 0);
	assert_int_equal(vm_fork(g.vm, parent, big), 0);
	g.m->hw.task = 2;
	assert_int_equal(sys_munmap(g.vm, small, BASE, 500 * PG), 0);
	parent->oom_score_adj = 100; /* most points: but a child goes in its stead, the bigger one */
	g.m->hw.task = 0;
	h = fill(&g, 0);
	assert_true(out_of_memory(g.vs, GFP_KERNEL, 0));
	assert_null(big->mm);
	assert_non_null(parent->mm);
	assert_non_null(small->mm);
	small->oom_score_adj = parent->oom_score_adj = -1000;
	assert_false(out_of_memory(g.vs, GFP_KERNEL, 0)); /* Linux would panic */
	assert_int_equal(rrig_event(&g, EV_OOM_PANIC), 1);
	assert_non_null(parent->mm);
	small->oom_score_adj = 0;
	assert_true(out_of_memory(g.vs, GFP_KERNEL, 0));
	assert_null(small->mm);
	assert_int_equal(rrig_event(&g, EV_OOM_KILL), 2);
	empty(&g, h);
	rrig_down(&g);
}

static void test_A09_20_high_order_and_nofs(void **state)
{
	struct rrig g;
	struct hog *h;

	(void)state;
	rrig_up(&g, SMALL);
	spawn(&g, 1, 100);
	h = fill(&g, 0);
	g.m->hw.task = 0;
	assert_null(alloc_pages(g.phys, 0, GFP_KERNEL | MM_GFP_NOWARN, 4));
	assert_int_equal(rrig_event(&g, EV_OOM_KILL), 0);
	assert_int_equal(rrig_event(&g, EV_ALLOC_LIVELOCK), 0);
	/* no FS: no kill, "progress", again and again: given up and reported */
	assert_null(alloc_page(g.phys, 0, GFP_NOFS | MM_GFP_NOWARN));
	assert_int_equal(rrig_event(&g, EV_OOM_KILL), 0);
	assert_int_equal(rrig_event(&g, EV_ALLOC_LIVELOCK), 1);
	assert_non_null(g.t->mm);
	empty(&g, h);
	rrig_down(&g);
}

static void test_oom_kill_allocating_task_and_panic(void **state)
{
	struct rrig g;
	struct hog *h;

	(void)state;
	rrig_up(&g, SMALL "oom_kill_allocating_task=1");
	spawn(&g, 1, 300);
	spawn(&g, 2, 10);
	h = fill(&g, 0);
	assert_true(out_of_memory(g.vs, GFP_KERNEL, 0)); /* task 2 is current */
	assert_true(vm_task(g.vm, 2)->killed);
	assert_non_null(vm_task(g.vm, 2)->mm); /* in the middle of its operation */
	reclaim_sched_point(&g.m->reclaim);
	assert_null(vm_task(g.vm, 2)->mm);
	assert_non_null(g.t->mm);
	empty(&g, h);
	rrig_down(&g);
	rrig_up(&g, SMALL "panic_on_oom=1");
	spawn(&g, 1, 10);
	assert_false(out_of_memory(g.vs, GFP_KERNEL, 0));
	assert_non_null(g.t->mm);
	rrig_down(&g);
}

static void test_A09_21(void **state)
{
	struct task *victim, *second;
	struct rrig g;
	struct hog *h;

	(void)state;
	/* asleep with mmap_sem held: ten attempts, then another victim */
	rrig_up(&g, SMALL "oom=reaper");
	victim = spawn(&g, 1, 600);
	second = spawn(&g, 2, 300);
	victim->stuck = true;
	victim->mm->mmap_sem = -1;
	g.m->hw.task = 0;
	h = fill(&g, 0);
	assert_true(out_of_memory(g.vs, GFP_KERNEL, 0));
	assert_true(victim->killed);
	for (int i = 1; i < 10; i++) {
		assert_true(oom_reaper_step(g.vs));
		assert_false(victim->mm->oom_skip);
	}
	assert_true(out_of_memory(g.vs, GFP_KERNEL, 0)); /* nobody else yet */
	assert_non_null(second->mm);
	assert_false(oom_reaper_step(g.vs));
	assert_true(victim->mm->oom_skip);
	assert_int_equal(victim->mm->rss[MM_ANONPAGES], 600);
	assert_true(out_of_memory(g.vs, GFP_KERNEL, 0));
	assert_null(second->mm);
	assert_int_equal(rrig_event(&g, EV_OOM_KILL), 2);
	victim->mm->mmap_sem = 0;
	empty(&g, h);
	rrig_down(&g);
	/* not held: its memory is gone before it exits */
	rrig_up(&g, SMALL "oom=reaper");
	victim = spawn(&g, 1, 600);
	victim->stuck = true;
	g.m->hw.task = 0;
	h = fill(&g, 0);
	assert_true(out_of_memory(g.vs, GFP_KERNEL, 0));
	assert_false(oom_reaper_step(g.vs));
	assert_non_null(victim->mm);
	assert_int_equal(victim->mm->rss[MM_ANONPAGES], 0);
	assert_int_equal(rrig_event(&g, EV_OOM_REAPED), 1);
	empty(&g, h);
	rrig_down(&g);
}

static void test_A09_22(void **state)
{
	struct task *victim;
	struct rrig g;
	struct hog *h;

	(void)state;
	rrig_up(&g, SMALL "oom=kill");
	victim = spawn(&g, 1, 600);
	spawn(&g, 2, 500);
	victim->stuck = true;
	g.m->hw.task = 0;
	h = fill(&g, 0);
	assert_null(alloc_page(g.phys, 0, GFP_KERNEL | MM_GFP_NOWARN));
	assert_int_equal(rrig_event(&g, EV_OOM_KILL), 1); /* it never exits, and so nobody else is chosen */
	assert_int_equal(rrig_event(&g, EV_ALLOC_LIVELOCK), 1);
	assert_non_null(vm_task(g.vm, 2)->mm);
	empty(&g, h);
	rrig_down(&g);
}

/*
 * Memory that looks reclaimable but never is: file pages that somebody else holds. 4.12 gives up on its
 * own, 4.0 when the zone has been scanned six times over.
 */
static void test_A13_6(void **state)
{
	(void)state;
	for (int modern = 0; modern < 2; modern++) {
		struct vm_file *f;
		struct zone *z;
		struct hog *h;
		struct rrig g;
		u64 stalls;

		rrig_up(&g, modern ? SMALL "retry=4.7" : SMALL "retry=4.0");
		z = only_zone(&g);
		f = rrig_file(&g, 1, 500);
		for (u64 i = 0; i < 500; i++)
			rrig_read(&g, f, i);
		lru_add_drain_all(&g.vm->lru);
		for (u64 i = 0; i < 500; i++)
			get_page(filemap_lookup(g.phys, f, i));
		vm_exit(g.vm, g.t); /* nobody to kill */
		g.m->hw.task = 0;
		h = fill(&g, 0);
		stalls = rrig_event(&g, EV_ALLOCSTALL);
		assert_null(alloc_page(g.phys, 0, GFP_KERNEL | MM_GFP_NOWARN));
		assert_int_equal(rrig_event(&g, EV_OOM_PANIC), 1);
		stalls = rrig_event(&g, EV_ALLOCSTALL) - stalls;
		if (modern) /* the 17th fruitless round is the last; each reclaims in two passes */
			assert_int_equal(stalls, 2 * (MAX_RECLAIM_RETRIES + 1));
		else
			assert_false(zone_reclaimable(g.vs, z));
		for (u64 i = 0; i < 500; i++)
			lru_put_page(&g.vm->lru, filemap_lookup(g.phys, f, i));
		empty(&g, h);
		rrig_down(&g);
	}
}

/* Nothing to hope for at all: at once. */
static void test_A13_6_at_once(void **state)
{
	struct rrig g;
	struct hog *h;
	u64 stalls;

	(void)state;
	rrig_up(&g, SMALL "retry=4.7");
	vm_exit(g.vm, g.t);
	g.m->hw.task = 0;
	h = fill(&g, 0);
	while (rrig_level(&g, NR_FREE_PAGES) > (s64)only_zone(&g)->watermark[WMARK_MIN])
		h->pages[h->n++] = alloc_page(g.phys, 0, GFP_KERNEL | MM_GFP_NORETRY | MM_GFP_NOWARN);
	stalls = rrig_event(&g, EV_ALLOCSTALL);
	assert_null(alloc_page(g.phys, 0, GFP_KERNEL | MM_GFP_NOWARN));
	assert_int_equal(rrig_event(&g, EV_ALLOCSTALL) - stalls, 2);
	empty(&g, h);
	rrig_down(&g);
}

/* Every allocation of a loop under pressure fails once: nothing is lost. */
static void test_failure_injection(void **state)
{
	(void)state;
	for (u64 n = 1; n < 400; n += 7) {
		struct vm_file *f;
		struct rrig g;

		rrig_up(&g, SMALL "swap=32M");
		f = rrig_file(&g, 1, 3000);
		rrig_map(&g, g.t, BASE, 3000);
		rrig_write(&g, g.t, BASE, 2500);
		g.phys->fail_nth = n;
		for (u64 i = 0; i < 600; i++) {
			(void)mm_access(g.vm, g.t, BASE + (i * 7 % 3000) * PG, MM_ACCESS_WRITE);
			(void)file_read(g.fm, f, (i * 5 % 3000) * PG, PG, NULL);
		}
		g.phys->fail_nth = 0;
		rrig_down(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A09_19),
		cmocka_unit_test(test_A09_20_victims),
		cmocka_unit_test(test_A09_20_high_order_and_nofs),
		cmocka_unit_test(test_oom_kill_allocating_task_and_panic),
		cmocka_unit_test(test_A09_21),
		cmocka_unit_test(test_A09_22),
		cmocka_unit_test(test_A13_6),
		cmocka_unit_test(test_A13_6_at_once),
		cmocka_unit_test(test_failure_injection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
