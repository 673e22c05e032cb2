/* SPDX-License-Identifier: BSD-2-Clause */
/* Chapter 03 on the ideal machine of spec 01 s12, NORMAL zone unless said. */
#include "tests/phys_boot.h"

#define NORMAL_MOVABLE (GFP_HIGHUSER_MOVABLE & ~(gfp_t)MM_GFP_HIGHMEM)

static struct phys_rig rig;
static struct phys *p;
static struct zone *normal, *high;

static int boot(void **state)
{
	(void)state;
	p = rig_boot(&rig, IDEAL_1G "ncpu=4 highorder=highatomic steal=4.0");
	normal = rig_zone(p, ZONE_NORMAL);
	high = rig_zone(p, ZONE_HIGHMEM);
	return 0;
}

static int down(void **state)
{
	(void)state;
	rig_down(&rig);
	return 0;
}

static u64 events(enum vm_event_item ev)
{
	u64 sum = 0;

	for (unsigned cpu = 0; cpu < rig.hw.ncpu; cpu++)
		sum += rig.hw.cpus[cpu].events[ev];
	return sum;
}

static void test_A03_1(void **state)
{
	(void)state;
	ASSERT_NR_FREE(normal, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 190);
}

static void test_A03_2(void **state)
{
	struct page *page = alloc_page(p, 0, GFP_KERNEL);

	(void)state;
	assert_non_null(page);
	ASSERT_NR_FREE(normal, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 189);
	assert_int_equal(free_pages_of(normal), 194560 - 31);
	assert_int_equal(normal->pageset[0].count, 30);
	assert_int_equal(events(EV_PGALLOC_NORMAL), 1);
	assert_int_equal(get_pageblock_migratetype(p, page), MIGRATE_UNMOVABLE);
	free_page_page(p, 0, page);
}

static void test_A03_3(void **state)
{
	struct page *page = alloc_page(p, 0, GFP_KERNEL);

	(void)state;
	free_page_page(p, 0, page);
	assert_int_equal(normal->pageset[0].count, 31);
	ASSERT_NR_FREE(normal, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 189);
	drain_all_pages(p);
	ASSERT_NR_FREE(normal, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 190);
	assert_int_equal(get_pageblock_migratetype(p, page), MIGRATE_UNMOVABLE);
}

static void test_A03_4(void **state)
{
	struct page *page[31];

	(void)state;
	for (unsigned i = 0; i < 31; i++) {
		page[i] = alloc_page(p, 0, NORMAL_MOVABLE);
		assert_int_equal(page_to_pfn(p, page[i]), page_to_pfn(p, page[0]) + i);
	}
	for (unsigned i = 0; i < 31; i++)
		free_page_page(p, 0, page[i]);
}

static void test_A03_6_7(void **state)
{
	struct page *page = alloc_pages(p, 0, GFP_KERNEL, 3);

	(void)state;
	assert_int_equal(page_to_pfn(p, page), 0x8f400);
	ASSERT_NR_FREE(normal, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 189);
	free_pages_page(p, 0, page, 3);
	ASSERT_NR_FREE(normal, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 190);
}

#define T(f) cmocka_unit_test_setup_teardown(f, boot, down)

int main(void)
{
	const struct CMUnitTest tests[] = {T(test_A03_1), T(test_A03_2), T(test_A03_3),
					   T(test_A03_4), T(test_A03_6_7)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
