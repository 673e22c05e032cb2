/* SPDX-License-Identifier: BSD-2-Clause */
/* KSM: what merges, when, into which frame, and what undoes it (spec 11). */
#include "core/vm/gup.h"
#include "core/phys/page_alloc.h"
#include "core/vm/rmap.h"
#include "core/vm/vma.h"
#include "tests/ksm_rig.h"

#include <errno.h>

static u64 nr_free(struct ksm_rig *g)
{
	drain_all_pages(&g->m->phys);
	return (u64)machine_counter(g->m, "nr_free_pages");
}

static u64 anon_pages(struct ksm_rig *g)
{
	return (u64)machine_counter(g->m, "nr_anon_pages");
}

static bool mergeable(struct ksm_rig *g, u32 t, u64 i)
{
	return find_vma_slow(g->vm, g->t[t]->mm, ksm_at(g, i))->vm_flags & VM_MERGEABLE;
}

/* ---- numbers ---- */

static void test_A11_1_rows_of_the_table(void **state)
{
	const u64 n = 1000;

	(void)state;
	for_each_ksm_machine(g, "") { /* all equal, unlimited */
		ksm_area(g, 1, 0, n);
		ksm_fill(g, 1, 0, n, 7, 0);
		ksm_expect(g, 0, 0, 0, 0);
		ksm_scan(g, 1);
		ksm_expect(g, 0, 0, 0, n);
		ksm_scan(g, 1);
		ksm_expect(g, 1, n - 1, 0, 0);
		ksm_scan(g, 1);
		ksm_expect(g, 1, n - 1, 0, 0);
	}
	for_each_ksm_machine(g, "") { /* all different */
		ksm_area(g, 1, 0, n);
		ksm_fill(g, 1, 0, n, 7, 1);
		ksm_scan(g, 1);
		ksm_expect(g, 0, 0, 0, n);
		for (int i = 0; i < 3; i++) {
			ksm_scan(g, 1);
			ksm_expect(g, 0, 0, n, 0);
		}
	}
	for_each_ksm_machine(g, "") { /* k groups of m */
		const u64 k = 125, m = 8;

		ksm_area(g, 1, 0, k * m);
		for (u64 i = 0; i < m; i++)
			ksm_fill(g, 1, i * k, k, 50, 1);
		ksm_scan(g, 1);
		ksm_expect(g, 0, 0, 0, n);
		ksm_scan(g, 1);
		ksm_expect(g, k, n - k, 0, 0);
		ksm_scan(g, 1);
		ksm_expect(g, k, n - k, 0, 0);
	}
	for_each_ksm_machine(g, "ksm_use_zero_pages=1") { /* zeros in pages of their own */
		u64 anon = anon_pages(g);
		struct ksm_stats s;

		ksm_area(g, 1, 0, n);
		ksm_fill(g, 1, 0, n, 0, 0);
		ksm_scan(g, 1);
		ksm_expect(g, 0, 0, 0, n);
		ksm_scan(g, 1);
		ksm_expect(g, 0, 0, 0, n);
		ksm_stats(g->k, &s);
		assert_int_equal(s.ksm_zero_pages, n);
		assert_int_equal(anon_pages(g), anon);
		ksm_write(g, 1, 3, 9); /* the zero page is copied like any */
		assert_int_equal(ksm_tag(g, 1, 3), 9);
		assert_int_equal(ksm_tag(g, 1, 4), 0);
		ksm_scan(g, 1);
		ksm_expect(g, 0, 0, 0, 1); /* zero pages are no candidates: their items go */
		ksm_stats(g->k, &s);
		assert_int_equal(s.ksm_zero_pages, n - 1);
	}
}

/* Steady state of @n equal pages with at most @limit mappings each (s10.2). */
static void limited(u64 limit, u64 n)
{
	u64 full = n / limit, rest = n % limit, shared = full + (rest >= 2);
	u64 sharing = full * (limit - 1) + (rest >= 2 ? rest - 1 : 0);
	char key[64];

	snprintf(key, sizeof(key), "ksm_max_page_sharing=%llu", (unsigned long long)limit);
	for_each_ksm_machine(g, key) {
		struct ksm_stats s;

		ksm_area(g, 1, 0, n);
		ksm_fill(g, 1, 0, n, 7, 0);
		ksm_scan(g, 1);
		ksm_expect(g, 0, 0, 0, n);
		for (int i = 0; i < 3; i++) {
			ksm_scan(g, 1);
			ksm_expect(g, shared, sharing, rest == 1, 0);
		}
		ksm_stats(g->k, &s);
		assert_int_equal(s.stable_node_dups, shared > 1 ? shared : 0);
		assert_int_equal(s.stable_node_chains, shared > 1);
		assert_int_equal(ksm_sysctl(g->k, "ksm_max_page_sharing", "300"), -EBUSY);
		vm_exit(g->vm, g->t[1]);
		ksm_scan(g, 2);
		ksm_expect(g, 0, 0, 0, 0);
		assert_int_equal(ksm_sysctl(g->k, "ksm_max_page_sharing", "300"), 0);
	}
}

static void test_A11_1_and_arithmetic_of_max_page_sharing(void **state)
{
	static const u64 of_256[] = {256, 257, 258, 512, 513, 1000};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(of_256); i++)
		limited(256, of_256[i]);
	for (u64 n = 2; n < 8; n++)
		limited(2, n);
}

/* A duplicate whose pages go leaves its chain; a chain of one is given up when it is searched. */
static void test_chains_are_pruned_and_given_up(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "ksm_max_page_sharing=4 ksm_stable_node_chains_prune_millisecs=0") {
		struct ksm_stats s;

		ksm_area(g, 1, 0, 12);
		ksm_fill(g, 1, 0, 12, 7, 0);
		ksm_scan(g, 2);
		ksm_expect(g, 3, 9, 0, 0);
		for (u64 i = 0; i < 9; i++) /* the first two duplicates' pages, and one of the third's */
			ksm_write(g, 1, i, 100 + i);
		ksm_area(g, 1, 100, 1);
		ksm_fill(g, 1, 100, 1, 7, 0);
		ksm_scan(g, 3);
		ksm_stats(g->k, &s);
		assert_int_equal(s.stable_node_chains, 0);
		assert_int_equal(s.stable_node_dups, 0);
		ksm_expect(g, 1, 3, 9, 0);
	}
}

static u64 step(struct ksm_rig *g, u64 n)
{
	u64 before = g->k->pages_scanned;

	ksm_do_scan(g->k, n);
	assert_machine_sound(g->m);
	return g->k->pages_scanned - before;
}

/* s10.1, one page at a time. */
static void test_A11_17_worked_trace_one_page_a_batch(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "ksm_pages_to_scan=1") {
		struct page *second;

		ksm_area(g, 1, 0, 4);
		ksm_fill(g, 1, 0, 2, 0xa, 0);
		ksm_fill(g, 1, 2, 1, 0xb, 0);
		ksm_fill(g, 1, 3, 1, 0xa, 0);
		second = ksm_page(g, 1, 1);
		for (u64 i = 1; i <= 4; i++) {
			assert_int_equal(step(g, 1), 1);
			ksm_expect(g, 0, 0, 0, i);
		}
		assert_int_equal(step(g, 1), 0); /* the end of a round is a batch of its own */
		step(g, 1);
		ksm_expect(g, 0, 0, 1, 3);
		step(g, 1);
		ksm_expect(g, 1, 1, 0, 2);
		assert_ptr_equal(ksm_page(g, 1, 0), second);
		assert_ptr_equal(ksm_page(g, 1, 1), second);
		step(g, 1);
		ksm_expect(g, 1, 1, 1, 1);
		step(g, 1);
		ksm_expect(g, 1, 2, 1, 0);
		assert_ptr_equal(ksm_page(g, 1, 3), second);
		assert_int_equal(step(g, 100), 0);
		for (int i = 0; i < 4; i++) { /* round 3 */
			step(g, 1);
			ksm_expect(g, 1, 2, 1, 0);
		}
		ksm_write(g, 1, 3, 0xa1);
		ksm_expect(g, 1, 2, 1, 0);
		assert_ptr_not_equal(ksm_page(g, 1, 3), second);
		assert_int_equal(step(g, 100), 0);
		assert_int_equal(step(g, 3), 3);
		ksm_expect(g, 1, 2, 1, 0);
		step(g, 1);
		ksm_expect(g, 1, 1, 1, 1);
		step(g, 100);
		assert_int_equal(step(g, 4), 4);
		ksm_expect(g, 1, 1, 2, 0);
		assert_int_equal(step(g, 100), 0);
		assert_int_equal(step(g, 100), 4); /* a batch stops at the end of the round */
	}
}

/* ---- frames ---- */

static void test_A11_2_survivor_is_the_second(void **state)
{
	const u64 n = 64;

	(void)state;
	for_each_ksm_machine(g, "") {
		struct page *second;
		u64 before;

		ksm_area(g, 1, 0, n);
		ksm_fill(g, 1, 0, n, 7, 0);
		second = ksm_page(g, 1, 1);
		ksm_scan(g, 1);
		before = nr_free(g);
		ksm_scan(g, 1);
		assert_in_range(nr_free(g), before + n - 3, before + n - 1); /* but for KSM's own objects */
		assert_int_equal(anon_pages(g), 1);
		for (u64 i = 0; i < n; i++)
			assert_ptr_equal(ksm_page(g, 1, i), second);
		assert_int_equal(page_mapcount(second), n);
	}
}

static void test_A11_3_changing_pages_stay_volatile(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "") {
		ksm_area(g, 1, 0, 8);
		for (u64 round = 0; round < 6; round++) {
			ksm_fill(g, 1, 0, 8, 100 + round, 0);
			ksm_scan(g, 1);
			ksm_expect(g, 0, 0, 0, 8);
		}
		ksm_scan(g, 1);
		ksm_expect(g, 1, 7, 0, 0);
	}
}

/* The same contents written again do not make a page a changing one. */
static void test_rewritten_with_the_same_contents(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "") {
		ksm_area(g, 1, 0, 2);
		ksm_fill(g, 1, 0, 2, 5, 1);
		ksm_scan(g, 1);
		ksm_fill(g, 1, 0, 1, 5, 0);
		ksm_write(g, 1, 1, 9);
		ksm_scan(g, 1);
		ksm_expect(g, 0, 0, 1, 1);
	}
}

static void test_A11_4_write_to_a_merged_page(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "") {
		struct page *kpage;
		u64 faults;

		ksm_area(g, 1, 0, 3);
		ksm_fill(g, 1, 0, 3, 7, 0);
		ksm_scan(g, 2);
		ksm_expect(g, 1, 2, 0, 0);
		kpage = ksm_page(g, 1, 0);
		faults = (u64)machine_counter(g->m, "cow_copies");
		ksm_write(g, 1, 0, 8);
		assert_int_equal(machine_counter(g->m, "cow_copies"), faults + 1);
		assert_ptr_not_equal(ksm_page(g, 1, 0), kpage);
		assert_int_equal(ksm_tag(g, 1, 0), 8);
		assert_int_equal(ksm_tag(g, 1, 1), 7);
		ksm_expect(g, 1, 2, 0, 0);
		ksm_scan(g, 1);
		ksm_expect(g, 1, 1, 0, 1);
	}
}

static void test_A11_5_last_mapping_written(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "") {
		struct page *kpage;

		ksm_area(g, 1, 0, 2);
		ksm_fill(g, 1, 0, 2, 7, 0);
		ksm_scan(g, 2);
		kpage = ksm_page(g, 1, 0);
		ksm_write(g, 1, 0, 8);
		assert_int_equal(page_mapcount(kpage), 1);
		ksm_write(g, 1, 1, 9); /* never reused, though nobody else maps it */
		assert_ptr_not_equal(ksm_page(g, 1, 1), kpage);
		assert_int_equal(page_count(kpage), 0);
		ksm_expect(g, 1, 1, 0, 0); /* the node is stale, but nobody met it */
		assert_machine_sound(g->m);
		ksm_scan(g, 1);
		ksm_expect(g, 0, 0, 0, 2);
		ksm_scan(g, 1);
		ksm_expect(g, 0, 0, 2, 0);
	}
}

/* ---- processes ---- */

static void test_A11_6_two_processes(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "") {
		u64 before;

		vm_exit(g->vm, ksm_task(g, 2));
		vm_lru_drain_all(g->vm);
		vm_exit(g->vm, g->t[1]);
		before = nr_free(g);
		ksm_task(g, 1);
		ksm_task(g, 2);
		ksm_area(g, 1, 0, 16);
		ksm_fill(g, 1, 0, 16, 30, 1);
		ksm_area(g, 2, 100, 16); /* at other addresses */
		ksm_fill(g, 2, 100, 16, 30, 1);
		ksm_scan(g, 2);
		ksm_expect(g, 16, 16, 0, 0);
		assert_int_equal(anon_pages(g), 16);
		vm_exit(g->vm, g->t[2]);
		ksm_expect(g, 16, 16, 0, 0);
		ksm_scan(g, 1);
		ksm_expect(g, 16, 0, 0, 0);
		vm_exit(g->vm, g->t[1]);
		ksm_scan(g, 1);
		ksm_expect(g, 0, 0, 0, 0);
		vm_lru_drain_all(g->vm);
		kmem_cache_shrink(g->k->item_cache, 0);
		kmem_cache_shrink(g->k->node_cache, 0);
		kmem_cache_shrink(g->vm->ksm.slot_cache, 0);
		assert_in_range(nr_free(g) + 24, before, before + 24); /* slabs of floor 6 may have grown */
		assert_int_equal(anon_pages(g), 0);
	}
}

static void test_A11_7_fork_of_merged_pages(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "") {
		ksm_area(g, 1, 0, 4);
		ksm_fill(g, 1, 0, 4, 7, 0);
		ksm_scan(g, 2);
		ksm_expect(g, 1, 3, 0, 0);
		ksm_forked(g, 1, 2);
		assert_int_equal(page_mapcount(ksm_page(g, 1, 0)), 8);
		ksm_expect(g, 1, 3, 0, 0);
		ksm_scan(g, 1);
		ksm_expect(g, 1, 7, 0, 0);
		assert_ptr_equal(ksm_page(g, 1, 0), ksm_page(g, 2, 3));
		vm_exit(g->vm, g->t[1]);
		ksm_scan(g, 1);
		ksm_expect(g, 1, 3, 0, 0);
	}
}

/* A fork may exceed the limit of a page's mappings. */
static void test_fork_exceeds_the_limit(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "ksm_max_page_sharing=4") {
		ksm_area(g, 1, 0, 4);
		ksm_fill(g, 1, 0, 4, 7, 0);
		ksm_scan(g, 2);
		ksm_forked(g, 1, 2);
		ksm_scan(g, 1);
		ksm_expect(g, 1, 7, 0, 0);
	}
}

static void test_A11_20_a_page_does_not_merge_with_itself(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "") {
		ksm_area(g, 1, 0, 2);
		ksm_fill(g, 1, 0, 2, 7, 1);
		ksm_forked(g, 1, 2);
		for (int i = 0; i < 3; i++) {
			ksm_scan(g, 1);
			assert_ptr_equal(ksm_page(g, 1, 0), ksm_page(g, 2, 0));
			assert_false(PageKsm(ksm_page(g, 1, 0)));
		}
		ksm_expect(g, 0, 0, 2, 2); /* the parent's are in the tree, the child's find themselves */
	}
}

/* ---- what cannot merge ---- */

static void test_A11_8_extra_pin(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "") {
		struct page *pinned;
		pt_slot *slot;

		ksm_area(g, 1, 0, 2);
		ksm_fill(g, 1, 0, 2, 7, 0);
		ksm_scan(g, 1);
		pinned = ksm_page(g, 1, 1);
		gup_pin_page(g->vm, pinned);
		ksm_scan(g, 2);
		ksm_expect(g, 0, 0, 1, 1);
		assert_ptr_equal(ksm_follow_page(g->vm, g->t[1]->mm, ksm_at(g, 1), &slot), pinned);
		assert_true(pte_write(get_pte(g->vm, slot, 0)));
		gup_put_page(g->vm, pinned);
		ksm_scan(g, 1);
		ksm_expect(g, 1, 1, 0, 0);
	}
}

static void test_A11_9_pages_in_a_batch_are_drained(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "") {
		ksm_area(g, 1, 0, 3);
		ksm_fill(g, 1, 0, 3, 7, 0);
		assert_int_equal(page_count(ksm_page(g, 1, 0)), 2);
		ksm_scan(g, 1);
		assert_int_equal(page_count(ksm_page(g, 1, 0)), 1);
		ksm_scan(g, 1);
		ksm_expect(g, 1, 2, 0, 0);
	}
}

static void test_A11_12_mappings_that_cannot_merge(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "") {
		struct vm_area_struct *v;

		assert_true(sys_mmap(g->vm, g->t[1], ksm_at(g, 0), 4 * g->page, KSM_RW,
				     MM_MAP_SHARED | MM_MAP_ANON | MM_MAP_FIXED, 0, 0, 0) > 0);
		assert_int_equal(vm_file(g->vm, 5, 64 * g->page, "disk", "f"), 0);
		assert_true(sys_mmap(g->vm, g->t[1], ksm_at(g, 8), 4 * g->page, KSM_RW,
				     MM_MAP_SHARED | MM_MAP_FIXED, 5, 0, 0) > 0);
		ksm_map(g, 1, 16, 4);
		v = find_vma_slow(g->vm, g->t[1]->mm, ksm_at(g, 16));
		v->vm_flags |= VM_HUGETLB;
		for (u64 first = 0; first < 24; first += 8) {
			assert_int_equal(ksm_advise(g, 1, first, 4, MM_MADV_MERGEABLE), 0);
			assert_false(mergeable(g, 1, first));
		}
		v->vm_flags &= ~(u32)VM_HUGETLB;
		assert_null(g->t[1]->mm->ksm_slot);
		ksm_scan(g, 1);
		assert_int_equal(g->k->seqnr, 0);
		/* a private file mapping merges what was copied; zero pages are nobody's */
		assert_true(sys_mmap(g->vm, g->t[1], ksm_at(g, 24), 8 * g->page, KSM_RW,
				     MM_MAP_PRIVATE | MM_MAP_FIXED, 5, 0, 0) > 0);
		assert_int_equal(ksm_advise(g, 1, 24, 8, MM_MADV_MERGEABLE), 0);
		ksm_area(g, 1, 40, 4);
		for (u64 i = 0; i < 4; i++) {
			mm_access(g->vm, g->t[1], ksm_at(g, 24 + i), MM_ACCESS_READ);
			mm_access(g->vm, g->t[1], ksm_at(g, 40 + i), MM_ACCESS_READ);
		}
		ksm_fill(g, 1, 28, 2, 7, 0);
		ksm_fill(g, 1, 43, 1, 8, 0);
		ksm_scan(g, 2);
		ksm_expect(g, 1, 1, 1, 0);
	}
}

static void test_A11_13_only_advised_parts(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "") {
		u32 vmas;

		ksm_map(g, 1, 0, 9);
		ksm_fill(g, 1, 0, 9, 7, 0);
		vmas = g->t[1]->mm->map_count;
		assert_int_equal(ksm_advise(g, 1, 3, 3, MM_MADV_MERGEABLE), 0);
		assert_int_equal(g->t[1]->mm->map_count, vmas + 2);
		ksm_scan(g, 3);
		ksm_expect(g, 1, 2, 0, 0);
		assert_false(PageKsm(ksm_page(g, 1, 2)));
		assert_true(PageKsm(ksm_page(g, 1, 3)));
		assert_int_equal(ksm_advise(g, 1, 0, 3, MM_MADV_MERGEABLE), 0);
		assert_int_equal(ksm_advise(g, 1, 6, 3, MM_MADV_MERGEABLE), 0);
		assert_int_equal(g->t[1]->mm->map_count, vmas);
		ksm_scan(g, 2);
		ksm_expect(g, 1, 8, 0, 0);
	}
}

/* ---- undoing ---- */

static void test_A11_10_unmergeable(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "") {
		ksm_area(g, 1, 0, 10);
		ksm_fill(g, 1, 0, 10, 7, 0);
		ksm_scan(g, 2);
		ksm_expect(g, 1, 9, 0, 0);
		assert_int_equal(ksm_advise(g, 1, 0, 5, MM_MADV_UNMERGEABLE), 0);
		ksm_expect(g, 1, 9, 0, 0);
		for (u64 i = 0; i < 10; i++) {
			assert_int_equal(ksm_tag(g, 1, i), 7);
			assert_int_equal(PageKsm(ksm_page(g, 1, i)), i >= 5);
			assert_int_equal(mergeable(g, 1, i), i >= 5);
		}
		ksm_scan(g, 1);
		ksm_expect(g, 1, 4, 0, 0);
		assert_int_equal(ksm_advise(g, 1, 0, 10, MM_MADV_UNMERGEABLE), 0);
		ksm_expect(g, 1, 4, 0, 0);
		ksm_scan(g, 1); /* nothing is left: the mm goes */
		ksm_expect(g, 0, 0, 0, 0);
		assert_null(g->t[1]->mm->ksm_slot);
		assert_int_equal(g->k->seqnr, 4);
		ksm_scan(g, 3);
		assert_int_equal(g->k->seqnr, 4);
		assert_int_equal(ksm_advise(g, 1, 0, 10, MM_MADV_UNMERGEABLE), 0); /* without the flag: ignored */
	}
	for_each_ksm_machine(g, "") { /* no memory for the copies */
		ksm_area(g, 1, 0, 4);
		ksm_fill(g, 1, 0, 4, 7, 0);
		ksm_scan(g, 2);
		g->m->phys.fail_nth = 2;
		assert_int_equal(ksm_advise(g, 1, 0, 4, MM_MADV_UNMERGEABLE), -ENOMEM);
		g->m->phys.fail_nth = 0;
		assert_true(mergeable(g, 1, 0));
		assert_machine_sound(g->m);
		assert_int_equal(ksm_advise(g, 1, 0, 4, MM_MADV_UNMERGEABLE), 0);
		assert_false(mergeable(g, 1, 0));
	}
}

static void test_A11_11_run_2(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "") {
		ksm_area(g, 1, 0, 40);
		ksm_fill(g, 1, 0, 20, 7, 0);
		ksm_fill(g, 1, 20, 20, 50, 1);
		ksm_forked(g, 1, 2);
		ksm_write(g, 2, 39, 7);
		ksm_scan(g, 3);
		ksm_expect(g, 1, 40, 19 + 1, 19);
		assert_int_equal(ksm_set_run(g->k, KSM_RUN_UNMERGE), 0);
		ksm_expect(g, 0, 0, 0, 0);
		assert_int_equal(g->k->seqnr, 0);
		assert_machine_sound(g->m);
		for (u32 t = 1; t <= 2; t++)
			for (u64 i = 0; i < 40; i++) {
				u64 want = i < 20 ? 7 : 50 + i - 20;

				assert_int_equal(ksm_tag(g, t, i), t == 2 && i == 39 ? 7 : want);
				assert_false(PageKsm(ksm_page(g, t, i)));
			}
		ksm_scan(g, 2); /* ksmd rests while unmerging */
		ksm_expect(g, 0, 0, 0, 0);
		assert_int_equal(ksm_set_run(g->k, KSM_RUN_MERGE), 0);
		ksm_scan(g, 3);
		ksm_expect(g, 1, 40, 19 + 1, 19);
	}
	for_each_ksm_machine(g, "") { /* no memory: stopped */
		ksm_area(g, 1, 0, 8);
		ksm_fill(g, 1, 0, 6, 7, 0);
		ksm_fill(g, 1, 6, 2, 9, 1);
		ksm_scan(g, 2);
		g->m->phys.fail_nth = 3;
		assert_int_equal(ksm_set_run(g->k, KSM_RUN_UNMERGE), -ENOMEM);
		g->m->phys.fail_nth = 0;
		assert_int_equal(g->vm->ksm.run, KSM_RUN_STOP);
		assert_machine_sound(g->m);
		ksm_scan(g, 3);
		ksm_expect(g, 1, 5, 2, 0);
	}
}

static void test_A11_18_munmap_of_a_part(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "") {
		ksm_area(g, 1, 0, 30);
		ksm_fill(g, 1, 0, 30, 7, 1);
		ksm_scan(g, 2);
		ksm_expect(g, 0, 0, 30, 0);
		assert_int_equal(sys_munmap(g->vm, g->t[1], ksm_at(g, 25), 5 * g->page), 0);
		assert_int_equal(sys_munmap(g->vm, g->t[1], ksm_at(g, 10), 5 * g->page), 0);
		ksm_expect(g, 0, 0, 30, 0);
		ksm_scan(g, 1);
		ksm_expect(g, 0, 0, 20, 0);
		assert_int_equal(g->k->rmap_items, 20);
		assert_int_equal(sys_madvise(g->vm, g->t[1], ksm_at(g, 4), g->page, MM_MADV_DONTNEED), 0);
		ksm_scan(g, 1);
		ksm_expect(g, 0, 0, 19, 0);
	}
}

/* Moved away and back between two scans: the items are new, the pages and their marks are not. */
static void test_moved_pages_lose_their_items(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "") {
		vaddr_t away = ksm_at(g, 4096);

		ksm_area(g, 1, 0, 4);
		ksm_fill(g, 1, 0, 4, 7, 1);
		ksm_scan(g, 3);
		ksm_expect(g, 0, 0, 4, 0);
		assert_int_equal(sys_mremap(g->vm, g->t[1], ksm_at(g, 0), 4 * g->page, 4 * g->page,
					    MM_MREMAP_MAYMOVE | MM_MREMAP_FIXED, away, 0), away);
		ksm_scan(g, 1);
		ksm_expect(g, 0, 0, 0, 4);
		assert_int_equal(sys_mremap(g->vm, g->t[1], away, 4 * g->page, 4 * g->page,
					    MM_MREMAP_MAYMOVE | MM_MREMAP_FIXED, ksm_at(g, 0), 0), ksm_at(g, 0));
		ksm_scan(g, 1);
		ksm_expect(g, 0, 0, 0, 4);
		ksm_scan(g, 1);
		ksm_expect(g, 0, 0, 4, 0);
	}
}

/* ---- trees ---- */

static u64 in_order(struct ksm_rig *g, const struct rb_root *root, bool stable)
{
	const struct page *last = NULL;
	u64 n = 0;

	for (struct rb_node *r = rb_first(root); r; r = rb_next(r), n++) {
		const struct page *p = stable ?
			pfn_to_page(&g->m->phys, container_of(r, struct stable_node, node)->kpfn) :
			ksm_follow_page(g->vm, container_of(r, struct rmap_item, node)->mm,
					rmap_item_addr(container_of(r, struct rmap_item, node)), NULL);

		if (last) {
			assert_true(ksm_compare(g->k, last, p) < 0);
			if (g->m->hw.data_bytes)
				assert_true(memcmp(hw_pfn_ptr(&g->m->hw, page_to_pfn(&g->m->phys, last)),
						   hw_pfn_ptr(&g->m->hw, page_to_pfn(&g->m->phys, p)), g->page) < 0);
		}
		last = p;
	}
	return n;
}

static void test_A11_16_trees_in_order_of_contents(void **state)
{
	static const char *const data[] = {"data=tag", "data=bytes"};
	u64 seed = test_seed(5);

	(void)state;
	for (size_t d = 0; d < ARRAY_SIZE(data); d++) {
		struct ksm_rig g = ksm_boot(data[d], "");
		struct prng prng;

		prng_seed(&prng, seed);
		ksm_area(&g, 1, 0, 300);
		for (u64 i = 0; i < 100; i++) {
			u64 tag = prng_u64(&prng);

			ksm_fill(&g, 1, 3 * i, 2, tag, 0);
			ksm_fill(&g, 1, 3 * i + 2, 1, prng_u64(&prng), 0);
		}
		ksm_scan(&g, 1);
		ksm_do_scan(g.k, 300); /* round 2, but for its end */
		assert_int_equal(in_order(&g, &g.k->stable[0], true), 100);
		assert_int_equal(in_order(&g, &g.k->unstable[0], false), 100);
		ksm_end(&g);
	}
}

static void test_A11_19_nodes_apart(void **state)
{
	static const char *const machines[] = {"", "ksm_order=hash"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		for (int apart = 0; apart < 2; apart++) {
			struct ksm_rig g = ksm_boot(machines[i], "mem=512M nodes=2 ncpu=2");
			u32 nodes = 0;

			if (apart)
				assert_int_equal(ksm_sysctl(g.k, "ksm_merge_across_nodes", "0"), 0);
			ksm_area(&g, 1, 0, 8);
			for (u64 p = 0; p < 8; p++) {
				g.m->hw.cpu = p < 4 ? 0 : 1;
				ksm_fill(&g, 1, p, 1, 7, 0);
				nodes |= 1u << page_zone(&g.m->phys, ksm_page(&g, 1, p))->node;
			}
			assert_int_equal(nodes, 3);
			g.m->hw.cpu = 0;
			ksm_scan(&g, 2);
			ksm_expect(&g, apart ? 2 : 1, apart ? 6 : 7, 0, 0);
			assert_int_equal(ksm_sysctl(g.k, "ksm_merge_across_nodes", apart ? "1" : "0"), -EBUSY);
			ksm_end(&g);
		}
}

/* ---- control ---- */

static void test_error_results(void **state)
{
	static const struct {
		const char *name, *value;
		int want;
	} sets[] = {
		{"ksm_run", "3", -EINVAL}, {"ksm_run", "x", -EINVAL}, {"ksm_run", "", -EINVAL},
		{"ksm_run", "1", 0}, {"ksm_run", "2", 0}, {"ksm_run", "0", 0},
		{"ksm_pages_to_scan", "4294967295", 0}, {"ksm_pages_to_scan", "4294967296", -EINVAL},
		{"ksm_sleep_millisecs", "4294967295", 0}, {"ksm_sleep_millisecs", "4294967296", -EINVAL},
		{"ksm_sleep_millisecs", "-1", -EINVAL}, {"ksm_merge_across_nodes", "2", -EINVAL},
		{"ksm_merge_across_nodes", "0", 0}, {"ksm_max_page_sharing", "1", -EINVAL},
		{"ksm_max_page_sharing", "2", 0}, {"ksm_use_zero_pages", "2", -EINVAL}, {"ksm_smart_scan", "1", 0},
		{"ksm_nothing", "1", -ENOENT}, {"swappiness", "1", -ENOENT}, {"ksm/run", "1", 0},
	};
	struct ksm_rig g = ksm_boot("", "");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		if (ksm_sysctl(g.k, sets[i].name, sets[i].value) != sets[i].want)
			fail_msg("%s=%s", sets[i].name, sets[i].value);
	ksm_map(&g, 1, 0, 4);
	kmem_cache_shrink(g.vm->ksm.slot_cache, 0);
	g.m->phys.fail_nth = 1;
	assert_int_equal(ksm_advise(&g, 1, 0, 4, MM_MADV_MERGEABLE), -ENOMEM);
	g.m->phys.fail_nth = 0;
	assert_false(mergeable(&g, 1, 0));
	assert_int_equal(sys_madvise(g.vm, g.t[1], ksm_at(&g, 0) + 1, g.page, MM_MADV_MERGEABLE), -EINVAL);
	assert_int_equal(sys_madvise(g.vm, g.t[1], ksm_at(&g, 100), g.page, MM_MADV_MERGEABLE), -ENOMEM);
	ksm_end(&g);
}

/* 1000 pages, 100 a batch, 20 ms between: ten batches and an empty one a round. */
static void test_ksmd_on_the_virtual_clock(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "ksm_run=1") {
		u64 start;

		ksm_area(g, 1, 0, 1000);
		ksm_fill(g, 1, 0, 1000, 7, 0);
		start = g->m->hw.now;
		machine_advance(g->m, start + 1000000000ull);
		assert_int_equal(g->m->hw.now, start + 1000000000ull);
		assert_int_equal(g->k->seqnr, 4); /* 11 batches of 20.2 ms a round */
		ksm_expect(g, 1, 999, 0, 0);
		vm_exit(g->vm, g->t[1]);
		machine_advance(g->m, g->m->hw.now + 1000000000ull);
		ksm_expect(g, 0, 0, 0, 0);
		assert_int_equal(g->m->hw.daemons[g->vm->ksm.daemon].due, UINT64_MAX); /* asleep */
	}
}

/* Pages that do not merge are looked at less and less; merged ones are never skipped. (6.7) */
static void test_smart_scan(void **state)
{
	static const u64 skipped[] = {0, 0, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0};

	(void)state;
	for_each_ksm_machine(g, "ksm_smart_scan=1") {
		ksm_area(g, 1, 0, 5);
		ksm_fill(g, 1, 0, 3, 7, 1);
		ksm_fill(g, 1, 3, 2, 9, 0);
		ksm_write(g, 1, 2, 20);
		for (size_t i = 0; i < ARRAY_SIZE(skipped); i++) {
			u64 before = g->k->pages_skipped;

			ksm_scan(g, 1);
			assert_int_equal(g->k->pages_skipped - before, 3 * skipped[i]);
			if (i)
				ksm_expect(g, 1, 1, skipped[i] ? 0 : 3, skipped[i] ? 3 : 0);
		}
	}
}

/* With 6.11's order a page needs two scans even where an equal KSM page exists. */
static void test_volatile_pages_first(void **state)
{
	static const char *const keys[] = {"ksm_volatile_first=0", "ksm_volatile_first=1"};

	(void)state;
	for (int modern = 0; modern < 2; modern++)
		for_each_ksm_machine(g, keys[modern]) {
			ksm_area(g, 1, 0, 3);
			ksm_fill(g, 1, 0, 2, 7, 0);
			ksm_scan(g, 2);
			ksm_fill(g, 1, 2, 1, 7, 0);
			ksm_scan(g, 1);
			ksm_expect(g, 1, modern ? 1 : 2, 0, modern);
			ksm_scan(g, 1);
			ksm_expect(g, 1, 2, 0, 0);
		}
}

static void test_ksm_all(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "ksm_all=1") {
		ksm_map(g, 1, 0, 4);
		assert_true(mergeable(g, 1, 0));
		ksm_fill(g, 1, 0, 4, 7, 0);
		ksm_forked(g, 1, 2);
		ksm_write(g, 2, 0, 7);
		ksm_scan(g, 2);
		ksm_expect(g, 1, 7, 0, 0);
	}
}

/* Pages whose contents nobody told are nobody's equal. */
static void test_unknown_contents(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "contents=unique") {
		ksm_area(g, 1, 0, 10);
		for (u64 i = 0; i < 10; i++)
			mm_access(g->vm, g->t[1], ksm_at(g, i), i % 2 ? MM_ACCESS_WRITE : MM_ACCESS_READ);
		mm_access(g->vm, g->t[1], ksm_at(g, 0), MM_ACCESS_WRITE); /* was the zero page */
		ksm_scan(g, 2);
		ksm_expect(g, 0, 0, 6, 0);
		ksm_fill(g, 1, 0, 2, 0, 0);
		ksm_scan(g, 2);
		ksm_expect(g, 1, 1, 4, 0);
	}
}

/* ---- locked areas ---- */

static void test_merged_pages_of_locked_areas_stay_unevictable(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "") {
		ksm_area(g, 1, 0, 3);
		assert_int_equal(sys_mlock(g->vm, g->t[1], ksm_at(g, 0), g->page, 0), 0);
		ksm_fill(g, 1, 0, 3, 7, 0);
		ksm_scan(g, 2);
		ksm_expect(g, 1, 2, 0, 0);
		assert_true(PageMlocked(ksm_page(g, 1, 0)));
		assert_int_equal(machine_counter(g->m, "nr_mlock"), 1);
		assert_int_equal(sys_munlock(g->vm, g->t[1], ksm_at(g, 0), g->page), 0);
		assert_int_equal(machine_counter(g->m, "nr_mlock"), 0);
	}
}

/* ---- invariants ---- */

static void assert_broken(struct ksm_rig *g, int number)
{
	char why[256];

	assert_int_equal(ksm_check(g->k, why, sizeof(why)), number);
	assert_int_equal(reclaim_check(&g->m->reclaim, why, sizeof(why)), number);
}

static void test_I11_each_broken_on_purpose(void **state)
{
	(void)state;
	for_each_ksm_machine(g, "") {
		struct rmap_item *first;
		struct stable_node *node;
		struct page *kpage;
		pt_slot *slot;
		u64 mapping;
		pte_t pte;

		ksm_area(g, 1, 0, 4);
		ksm_fill(g, 1, 0, 3, 7, 0);
		ksm_fill(g, 1, 3, 1, 8, 0);
		ksm_scan(g, 2);
		ksm_expect(g, 1, 2, 1, 0);
		kpage = ksm_follow_page(g->vm, g->t[1]->mm, ksm_at(g, 0), &slot);
		node = page_stable_node(kpage);
		node->kpfn++;
		assert_broken(g, 11001);
		node->kpfn--;
		pte = get_pte(g->vm, slot, 0);
		set_pte(g->vm, slot, pte_mkwrite(pte));
		assert_broken(g, 11002);
		set_pte(g->vm, slot, pte);
		g->k->pages_sharing++;
		assert_broken(g, 11003);
		g->k->pages_sharing--;
		g->k->pages_unshared--;
		assert_broken(g, 11003);
		g->k->pages_unshared++;
		first = g->t[1]->mm->ksm_slot->rmap_list;
		first->address += 2 * g->page;
		assert_broken(g, 11004);
		first->address -= 2 * g->page;
		mapping = kpage->mapping;
		set_page_stable_node(kpage, NULL);
		assert_broken(g, 11005);
		kpage->mapping = mapping;
		assert_machine_sound(g->m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A11_1_rows_of_the_table),
		cmocka_unit_test(test_A11_1_and_arithmetic_of_max_page_sharing),
		cmocka_unit_test(test_chains_are_pruned_and_given_up),
		cmocka_unit_test(test_A11_17_worked_trace_one_page_a_batch),
		cmocka_unit_test(test_A11_2_survivor_is_the_second),
		cmocka_unit_test(test_A11_3_changing_pages_stay_volatile),
		cmocka_unit_test(test_rewritten_with_the_same_contents),
		cmocka_unit_test(test_A11_4_write_to_a_merged_page),
		cmocka_unit_test(test_A11_5_last_mapping_written),
		cmocka_unit_test(test_A11_6_two_processes),
		cmocka_unit_test(test_A11_7_fork_of_merged_pages),
		cmocka_unit_test(test_fork_exceeds_the_limit),
		cmocka_unit_test(test_A11_20_a_page_does_not_merge_with_itself),
		cmocka_unit_test(test_A11_8_extra_pin),
		cmocka_unit_test(test_A11_9_pages_in_a_batch_are_drained),
		cmocka_unit_test(test_A11_12_mappings_that_cannot_merge),
		cmocka_unit_test(test_A11_13_only_advised_parts),
		cmocka_unit_test(test_A11_10_unmergeable),
		cmocka_unit_test(test_A11_11_run_2),
		cmocka_unit_test(test_A11_18_munmap_of_a_part),
		cmocka_unit_test(test_moved_pages_lose_their_items),
		cmocka_unit_test(test_A11_16_trees_in_order_of_contents),
		cmocka_unit_test(test_A11_19_nodes_apart),
		cmocka_unit_test(test_error_results),
		cmocka_unit_test(test_ksmd_on_the_virtual_clock),
		cmocka_unit_test(test_smart_scan),
		cmocka_unit_test(test_volatile_pages_first),
		cmocka_unit_test(test_ksm_all),
		cmocka_unit_test(test_unknown_contents),
		cmocka_unit_test(test_merged_pages_of_locked_areas_stay_unevictable),
		cmocka_unit_test(test_I11_each_broken_on_purpose),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
