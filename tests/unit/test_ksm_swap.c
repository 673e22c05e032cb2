/* SPDX-License-Identifier: BSD-2-Clause */
/* KSM pages that are swapped: one slot for all, copies on the way back (spec 11 s5, s6; 08 s8). */
#include "core/reclaim/compaction.h"
#include "core/reclaim/ksm_internal.h"
#include "core/reclaim/migrate.h"
#include "core/vm/gup.h"
#include "tests/swap_rig.h"

#define RIG(...) srig_boot((const char *const[]){"mem=64M", "swap=16M", __VA_ARGS__, NULL})

/* Three processes, each with one page of the same contents at an address of its own, merged. */
static struct page *three_mappers(struct srig *g, struct task **t)
{
	struct page *p;

	for (u32 i = 0; i < 3; i++) {
		t[i] = srig_task(g, 1 + i);
		srig_map(g, t[i], BASE + i * 16 * PAGE, 1);
		assert_int_equal(sys_madvise(g->vm, t[i], BASE + i * 16 * PAGE, PAGE, MM_MADV_MERGEABLE), 0);
		srig_write(g, t[i], BASE + i * 16 * PAGE, 77);
	}
	ksm_full_scans(g->m->reclaim.ksm, 2);
	p = srig_page(g, t[0], BASE);
	assert_true(PageKsm(p));
	assert_int_equal(page_mapcount(p), 3);
	srig_sound(g);
	return p;
}

static void test_A11_14_swapped_ksm_page(void **state)
{
	static const char *const orders[] = {"ksm_order=contents", "ksm_order=hash"};

	(void)state;
	for (size_t o = 0; o < ARRAY_SIZE(orders); o++) {
		struct srig g = RIG(orders[o]);
		struct task *t[3];
		struct page *p = three_mappers(&g, t);
		struct page *seen[3];
		swp_entry_t e;

		assert_true(srig_swap_out_page(&g, p, STEP_FREED, NULL, NULL));
		e = srig_entry(&g, t[0], BASE);
		assert_int_equal(swap_map_byte(g.sw, e), 3);
		for (u32 i = 0; i < 3; i++)
			assert_int_equal(srig_entry(&g, t[i], BASE + i * 16 * PAGE).v, e.v);
		assert_int_equal(srig_event(&g, EV_PSWPOUT), 1);
		srig_sound(&g);
		for (u32 i = 0; i < 3; i++) { /* the first takes the page read, the others copies of it */
			assert_int_equal(srig_read(&g, t[i], BASE + i * 16 * PAGE), 77);
			seen[i] = srig_page(&g, t[i], BASE + i * 16 * PAGE);
			assert_false(PageKsm(seen[i]));
			assert_int_equal(page_mapcount(seen[i]), 1);
			for (u32 k = 0; k < i; k++)
				assert_ptr_not_equal(seen[i], seen[k]);
			srig_sound(&g);
		}
		assert_int_equal(srig_event(&g, EV_PSWPIN), 1);
		srig_write(&g, t[1], BASE + 16 * PAGE, 78);
		assert_int_equal(srig_read(&g, t[0], BASE), 77);
		assert_int_equal(srig_read(&g, t[2], BASE + 32 * PAGE), 77);
		ksm_full_scans(g.m->reclaim.ksm, 3);
		assert_true(PageKsm(srig_page(&g, t[0], BASE)));
		assert_ptr_equal(srig_page(&g, t[0], BASE), srig_page(&g, t[2], BASE + 32 * PAGE));
		srig_end(&g);
	}
}

/* Still in the swap cache, with its node alive: mapped again as the KSM page it is. */
static void test_read_again_from_the_swap_cache(void **state)
{
	struct srig g = RIG("ksm_order=contents");
	struct task *t[3];
	struct page *p = three_mappers(&g, t);

	(void)state;
	assert_false(srig_swap_out_page(&g, p, STEP_WRITTEN, NULL, NULL));
	assert_int_equal(page_mapcount(p), 0);
	assert_int_equal(srig_read(&g, t[1], BASE + 16 * PAGE), 77);
	assert_ptr_equal(srig_page(&g, t[1], BASE + 16 * PAGE), p);
	assert_true(PageKsm(p));
	srig_write(&g, t[0], BASE, 5); /* never the owner: a copy */
	assert_ptr_not_equal(srig_page(&g, t[0], BASE), p);
	assert_int_equal(srig_read(&g, t[2], BASE + 32 * PAGE), 77);
	assert_int_equal(page_mapcount(p), 2);
	srig_sound(&g);
	assert_int_equal(ksm_set_run(g.m->reclaim.ksm, KSM_RUN_UNMERGE), 0);
	assert_int_equal(srig_read(&g, t[2], BASE + 32 * PAGE), 77);
	srig_end(&g);
}

/* page_referenced and try_to_unmap find all mappings, those of later forks too. (s7) */
static void test_rmap_of_a_ksm_page_finds_forks(void **state)
{
	struct srig g = RIG("ksm_order=contents");
	struct task *t[3], *child;
	struct page *p = three_mappers(&g, t);
	u32 flags;

	(void)state;
	child = srig_fork(&g, t[2], 4);
	assert_int_equal(page_mapcount(p), 4);
	for (u32 i = 0; i < 3; i++)
		srig_read(&g, t[i], BASE + i * 16 * PAGE);
	srig_read(&g, child, BASE + 32 * PAGE);
	assert_int_equal(page_referenced(g.vm, p, false, &flags), 4);
	assert_int_equal(page_referenced(g.vm, p, false, &flags), 0);
	assert_true(srig_swap_out_page(&g, p, STEP_FREED, NULL, NULL));
	assert_int_equal(swap_map_byte(g.sw, srig_entry(&g, child, BASE + 32 * PAGE)), 4);
	assert_int_equal(srig_read(&g, child, BASE + 32 * PAGE), 77);
	srig_end(&g);
}

/* A kernel's write into a page that nobody faults on is a change like any. */
static void test_written_by_the_kernel(void **state)
{
	static const char *const data[] = {"data=tag", "data=bytes"};

	(void)state;
	for (size_t o = 0; o < 2 * ARRAY_SIZE(data); o++) {
		struct srig g = RIG(data[o / 2], o % 2 ? "ksm_order=hash" : "ksm_order=contents");
		struct task *t = srig_task(&g, 1);
		struct ksm_stats s;
		u64 word = 0x1234;

		srig_map(&g, t, BASE, 4);
		assert_int_equal(sys_madvise(g.vm, t, BASE, 4 * PAGE, MM_MADV_MERGEABLE), 0);
		for (u64 i = 0; i < 4; i++)
			srig_write(&g, t, BASE + i * PAGE, 50 + i);
		ksm_full_scans(g.m->reclaim.ksm, 3);
		assert_int_equal(access_remote_vm(g.vm, t, BASE + 2 * PAGE, &word, sizeof(word), true),
				 sizeof(word));
		ksm_full_scans(g.m->reclaim.ksm, 1);
		ksm_stats(g.m->reclaim.ksm, &s);
		assert_int_equal(s.pages_unshared, 3);
		assert_int_equal(s.pages_volatile, 1);
		srig_end(&g);
	}
}

/* ---- migration ---- */

static struct page *new_frame(struct page *old, void *vm)
{
	(void)old;
	return alloc_page(((struct vm *)vm)->phys, 0, GFP_HIGHUSER_MOVABLE);
}

static int migrate_page_of(struct srig *g, struct page *p)
{
	const struct migrate_request rq = {.vm = g->vm, .get_new_page = new_frame, .private = g->vm,
					   .mode = MIGRATE_SYNC, .reason = MR_SYSCALL};
	struct page_list list;
	int r;

	plist_init(&list);
	lru_add_drain_all(&g->vm->lru);
	assert_int_equal(isolate_for_migration(g->vm, p, &list), 0);
	r = migrate_pages(&rq, &list);
	lru_add_drain_all(&g->vm->lru);
	return r;
}

static void expect(struct srig *g, u64 shared, u64 sharing, u64 unshared, u64 others)
{
	struct ksm_stats s;

	ksm_stats(g->m->reclaim.ksm, &s);
	assert_int_equal(s.pages_shared, shared);
	assert_int_equal(s.pages_sharing, sharing);
	assert_int_equal(s.pages_unshared, unshared);
	assert_int_equal(s.pages_volatile, others);
}

static void test_A11_15_migrated_ksm_page(void **state)
{
	static const char *const orders[] = {"ksm_order=contents", "ksm_order=hash"};

	(void)state;
	for (size_t o = 0; o < ARRAY_SIZE(orders); o++) {
		struct srig g = RIG(orders[o]);
		struct task *t[3], *fourth;
		struct page *old = three_mappers(&g, t), *moved;
		struct stable_node *node = page_stable_node(old);

		assert_int_equal(migrate_page_of(&g, old), 0);
		moved = srig_page(&g, t[0], BASE);
		assert_ptr_not_equal(moved, old);
		assert_ptr_equal(page_stable_node(moved), node);
		assert_int_equal(node->kpfn, page_to_pfn(g.vm->phys, moved));
		assert_int_equal(page_mapcount(moved), 3);
		for (u32 i = 0; i < 3; i++)
			assert_int_equal(srig_read(&g, t[i], BASE + i * 16 * PAGE), 77);
		srig_sound(&g);
		expect(&g, 1, 2, 0, 0);
		fourth = srig_task(&g, 4);
		srig_map(&g, fourth, BASE, 1);
		assert_int_equal(sys_madvise(g.vm, fourth, BASE, PAGE, MM_MADV_MERGEABLE), 0);
		srig_write(&g, fourth, BASE, 77);
		ksm_full_scans(g.m->reclaim.ksm, 2);
		assert_ptr_equal(srig_page(&g, fourth, BASE), moved); /* the search finds it where it is */
		expect(&g, 1, 3, 0, 0);
		srig_end(&g);
	}
}

/* A zone full of holes between merged pages is compacted: nothing of KSM changes but frames. */
static void test_A11_15_compaction_over_ksm_pages(void **state)
{
	const u64 n = 2048;
	struct srig g = RIG("ksm_order=contents");
	struct task *t = srig_task(&g, 1);
	u64 moved;

	(void)state;
	srig_map(&g, t, BASE, n);
	assert_int_equal(sys_madvise(g.vm, t, BASE, n * PAGE, MM_MADV_MERGEABLE), 0);
	for (u64 i = 0; i < n; i++)
		srig_write(&g, t, BASE + i * PAGE, i % 8 < 2 ? 1 + i / 8 : 100000 + i); /* pairs, and others */
	ksm_full_scans(g.m->reclaim.ksm, 2);
	expect(&g, n / 8, n / 8, n - n / 4, 0);
	for (u64 i = 0; i < n; i += 8) /* holes */
		assert_int_equal(sys_munmap(g.vm, t, BASE + (i + 4) * PAGE, 4 * PAGE), 0);
	ksm_full_scans(g.m->reclaim.ksm, 1);
	expect(&g, n / 8, n / 8, n / 4, 0);
	moved = srig_event(&g, EV_PGMIGRATE_SUCCESS);
	vm_lru_drain_all(g.vm);
	drain_all_pages(g.vm->phys);
	compact_nodes(g.m->reclaim.compaction);
	assert_true(srig_event(&g, EV_PGMIGRATE_SUCCESS) > moved);
	srig_sound(&g);
	expect(&g, n / 8, n / 8, n / 4, 0);
	ksm_full_scans(g.m->reclaim.ksm, 2);
	expect(&g, n / 8, n / 8, n / 4, 0);
	for (u64 i = 0; i < n; i++)
		if (i % 8 < 4)
			assert_int_equal(srig_read(&g, t, BASE + i * PAGE), i % 8 < 2 ? 1 + i / 8 : 100000 + i);
	srig_end(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A11_14_swapped_ksm_page),
		cmocka_unit_test(test_read_again_from_the_swap_cache),
		cmocka_unit_test(test_rmap_of_a_ksm_page_finds_forks),
		cmocka_unit_test(test_written_by_the_kernel),
		cmocka_unit_test(test_A11_15_migrated_ksm_page),
		cmocka_unit_test(test_A11_15_compaction_over_ksm_pages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
