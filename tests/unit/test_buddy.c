/* SPDX-License-Identifier: BSD-2-Clause */
/* Chapter 03, sections 1-6 and 11, on the ideal machine of spec 01 s12; NORMAL zone unless said. */
#include <errno.h>

#include "tests/phys_boot.h"

#define NORMAL_MOVABLE (GFP_HIGHUSER_MOVABLE & ~(gfp_t)MM_GFP_HIGHMEM)
#define MAX_PAGES      300000

struct fixture {
	struct phys_rig rig;
	struct phys *p;
	struct zone *normal, *high;
	struct page **pages; /* [MAX_PAGES] */
};

static int boot_with(void **state, const char *more)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char text[512];

	snprintf(text, sizeof(text), "%s ncpu=4 %s", IDEAL_1G, more);
	f->p = rig_boot(&f->rig, text);
	f->normal = rig_zone(f->p, ZONE_NORMAL);
	f->high = rig_zone(f->p, ZONE_HIGHMEM);
	f->pages = calloc(MAX_PAGES, sizeof(*f->pages));
	*state = f;
	return 0;
}

/* The worked numbers count no RESERVE block: key highorder does without it, all else is 4.0. */
static int boot_plain(void **state)
{
	return boot_with(state, "highorder=highatomic");
}

static int boot_40(void **state)
{
	return boot_with(state, "");
}

static int down(void **state)
{
	struct fixture *f = *state;

	rig_down(&f->rig);
	free(f->pages);
	free(f);
	return 0;
}

static u64 events(const struct fixture *f, enum vm_event_item ev)
{
	u64 sum = 0;

	for (unsigned cpu = 0; cpu < f->rig.hw.ncpu; cpu++)
		sum += f->rig.hw.cpus[cpu].events[ev];
	return sum;
}

static u32 pfn(const struct fixture *f, const struct page *page)
{
	return page_to_pfn(f->p, page);
}

struct collect {
	u32 frame[64], n;
};

static void collect_one(void *arg, u32 frame)
{
	struct collect *c = arg;

	if (c->n < ARRAY_SIZE(c->frame))
		c->frame[c->n] = frame;
	c->n++;
}

/* Frames of a free list as pfns. */
static struct collect list_of(const struct zone *z, unsigned order, enum migratetype mt)
{
	struct collect c = {.n = 0};

	for_each_free_block(z, order, mt, collect_one, &c);
	for (u32 i = 0; i < c.n && i < ARRAY_SIZE(c.frame); i++)
		c.frame[i] += (u32)z->phys->base_pfn;
	return c;
}

static void test_A03_1(void **state)
{
	struct fixture *f = *state;

	ASSERT_NR_FREE(f->normal, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 190);
}

/* With 4.0's RESERVE: one block of each zone (spec 03 s7). */
static void test_reserve_blocks(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(list_of(f->normal, 10, MIGRATE_MOVABLE).n, 189);
	assert_int_equal(list_of(f->normal, 10, MIGRATE_RESERVE).n, 1);
	assert_int_equal(list_of(f->normal, 10, MIGRATE_RESERVE).frame[0], 0x60000);
	assert_int_equal(list_of(f->high, 10, MIGRATE_MOVABLE).n, 65);
	assert_int_equal(list_of(f->high, 10, MIGRATE_RESERVE).n, 1);
	assert_int_equal(phys_sysctl(f->p, "min_free_kbytes", "16384"), 0);
	assert_int_equal(list_of(f->normal, 10, MIGRATE_RESERVE).n, 2);
	assert_int_equal(phys_sysctl(f->p, "min_free_kbytes", "2048"), 0);
	assert_int_equal(list_of(f->normal, 10, MIGRATE_RESERVE).n, 1);
	/* the block given back is at the head of MOVABLE: the next one allocated */
	assert_int_equal(list_of(f->normal, 10, MIGRATE_MOVABLE).frame[0], 0x60400);
}

static void test_A03_2(void **state)
{
	struct fixture *f = *state;
	struct page *page = alloc_page(f->p, 0, GFP_KERNEL);

	ASSERT_NR_FREE(f->normal, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 189);
	assert_int_equal(free_pages_of(f->normal), 194560 - 31);
	assert_int_equal(f->normal->pageset[0].count, 30);
	assert_int_equal(events(f, EV_PGALLOC_NORMAL), 1);
	assert_int_equal(get_pageblock_migratetype(f->p, page), MIGRATE_UNMOVABLE);
	free_page_page(f->p, 0, page);
}

static void test_A03_3(void **state)
{
	struct fixture *f = *state;
	struct page *page = alloc_page(f->p, 0, GFP_KERNEL);
	u64 freed = events(f, EV_PGFREE);

	free_page_page(f->p, 0, page);
	assert_int_equal(events(f, EV_PGFREE), freed + 1);
	assert_int_equal(f->normal->pageset[0].count, 31);
	ASSERT_NR_FREE(f->normal, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 189);
	drain_all_pages(f->p);
	ASSERT_NR_FREE(f->normal, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 190);
	assert_int_equal(get_pageblock_migratetype(f->p, page), MIGRATE_UNMOVABLE);
}

static void test_A03_4(void **state)
{
	struct fixture *f = *state;

	for (u32 i = 0; i < 31; i++) {
		f->pages[i] = alloc_page(f->p, 0, NORMAL_MOVABLE);
		assert_int_equal(pfn(f, f->pages[i]), pfn(f, f->pages[0]) + i);
	}
	for (u32 i = 0; i < 31; i++)
		free_page_page(f->p, 0, f->pages[i]);
}

static void test_A03_5(void **state)
{
	struct fixture *f = *state;
	u32 n = 400;

	assert_int_equal(alloc_pages_bulk(f->p, 0, NORMAL_MOVABLE, n, f->pages), n);
	drain_all_pages(f->p);
	for (u32 i = 0; i < n; i++) {
		u64 before = free_pages_of(f->normal);
		u32 count = f->normal->pageset[0].count;

		free_page_page(f->p, 0, f->pages[i]);
		if (count + 1 < 186) {
			assert_int_equal(free_pages_of(f->normal), before);
			assert_int_equal(f->normal->pageset[0].count, count + 1);
		} else {
			assert_int_equal(free_pages_of(f->normal), before + 31);
			assert_int_equal(f->normal->pageset[0].count, 155);
		}
	}
}

static void test_A03_6(void **state)
{
	struct fixture *f = *state;
	struct page *page = alloc_pages(f->p, 0, GFP_KERNEL, 3);

	assert_int_equal(pfn(f, page), 0x8f400);
	ASSERT_NR_FREE(f->normal, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 189);
	for (unsigned o = 3; o < 10; o++)
		assert_int_equal(list_of(f->normal, o, MIGRATE_UNMOVABLE).frame[0],
				 0x8f400 + (1 << o));
	free_pages_page(f->p, 0, page, 3);
}

/* Each merge takes one block off a list: seven of them, one an order from 3 to 9. */
static void test_A03_7(void **state)
{
	struct fixture *f = *state;
	struct page *page = alloc_pages(f->p, 0, GFP_KERNEL, 3);

	free_pages_page(f->p, 0, page, 3);
	ASSERT_NR_FREE(f->normal, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 190);
	assert_int_equal(get_pageblock_migratetype(f->p, page), MIGRATE_UNMOVABLE);
	assert_int_equal(list_of(f->normal, 10, MIGRATE_UNMOVABLE).frame[0], 0x8f400);
}

/* Takes the whole block of order 10 as single pages, bypassing the per-CPU lists. */
static u32 take_block(struct fixture *f, gfp_t gfp)
{
	struct page *page = alloc_pages(f->p, 0, gfp, 10);

	assert_non_null(page);
	split_page(f->p, page, 10);
	for (u32 i = 0; i < 1024; i++)
		f->pages[i] = &page[i];
	return pfn(f, page);
}

/* Straight into the buddy: cold and alone on a list that is drained. */
static void free_now(struct fixture *f, struct page *page)
{
	free_page_page(f->p, 3, page);
	drain_local_pages(f->p, 3, NULL);
}

static void test_A03_8(void **state)
{
	struct fixture *f = *state;
	u32 base = take_block(f, NORMAL_MOVABLE);

	free_now(f, f->pages[8]);  /* an ordinary free page at the head */
	free_now(f, f->pages[2]);
	free_now(f, f->pages[3]);  /* pages 2, 3: the free neighbour of order 1 */
	free_now(f, f->pages[0]);  /* buddy 1 busy, 2-3 free: to the tail */
	struct collect c = list_of(f->normal, 0, MIGRATE_MOVABLE);

	assert_int_equal(c.n, 2);
	assert_int_equal(c.frame[0], base + 8);
	assert_int_equal(c.frame[1], base);
	struct page *page = alloc_page(f->p, 0, NORMAL_MOVABLE);

	assert_int_equal(pfn(f, page), base + 8);
	free_page_page(f->p, 0, page);
	for (u32 i = 0; i < 1024; i++)
		if (i != 8 && i != 2 && i != 3 && i != 0)
			free_page_page(f->p, 0, f->pages[i]);
}

/*
 * Leaves the zone with nothing free but what the test frees again: takes everything by order 10 and
 * splits the last block of each type. Watermarks are out of the way (min_free_kbytes=0).
 */
static u32 empty_zone(struct fixture *f, gfp_t gfp)
{
	u32 n = 0;

	assert_int_equal(phys_sysctl(f->p, "min_free_kbytes", "0"), 0);
	while ((f->pages[2048 + n] = alloc_pages(f->p, 0, gfp | MM_GFP_NOWARN | MM_GFP_MEMALLOC, 10)))
		n++;
	assert_int_equal(free_pages_of(f->normal), 0);
	return n;
}

static void refill_zone(struct fixture *f, u32 n)
{
	for (u32 i = 0; i < n; i++)
		if (f->pages[2048 + i])
			free_pages_page(f->p, 0, f->pages[2048 + i], 10);
}

/* Frees 2^order pages of block @k (a multiple of that from its start) with the block's type set. */
static struct page *give(struct fixture *f, u32 k, enum migratetype mt, u32 at, unsigned order)
{
	struct page *page = f->pages[2048 + k];

	set_pageblock_migratetype(f->p, page, mt);
	if (page->_count == 1 && !PageCompound(page) && !page[1]._count)
		split_page(f->p, page, 10);
	for (u32 i = 0; i < 1u << order; i++)
		free_page_page(f->p, 3, &page[at + i]);
	drain_local_pages(f->p, 3, NULL);
	return &page[at];
}

/* Frees what give() left of the block. */
static void give_rest(struct fixture *f, u32 k)
{
	struct page *page = f->pages[2048 + k];

	for (u32 i = 0; i < 1024; i++)
		if (page[i]._count)
			free_page_page(f->p, 3, &page[i]);
	drain_local_pages(f->p, 3, NULL);
	f->pages[2048 + k] = NULL;
}

static void test_A03_9(void **state)
{
	struct fixture *f = *state;
	u32 n = empty_zone(f, GFP_KERNEL);
	struct page *given = give(f, 5, MIGRATE_UNMOVABLE, 64, 3), *page;

	page = alloc_pages(f->p, 0, NORMAL_MOVABLE | MM_GFP_MEMALLOC, 1);
	assert_ptr_equal(page, given);
	assert_int_equal(get_pageblock_migratetype(f->p, page), MIGRATE_UNMOVABLE);
	assert_int_equal(list_of(f->normal, 1, MIGRATE_MOVABLE).n, 1); /* the remainder */
	assert_int_equal(list_of(f->normal, 2, MIGRATE_MOVABLE).n, 1);
	free_pages_page(f->p, 0, page, 1);
	assert_int_equal(list_of(f->normal, 3, MIGRATE_UNMOVABLE).n, 1);
	give_rest(f, 5);
	refill_zone(f, n);
}

static void test_A03_10(void **state)
{
	struct fixture *f = *state;
	u32 n = empty_zone(f, GFP_KERNEL);
	struct page *page;

	give(f, 5, MIGRATE_UNMOVABLE, 64, 5);
	give(f, 5, MIGRATE_UNMOVABLE, 512, 4); /* another free block of the pageblock */
	page = alloc_pages(f->p, 0, NORMAL_MOVABLE | MM_GFP_MEMALLOC, 5);
	assert_int_equal(list_of(f->normal, 4, MIGRATE_MOVABLE).n, 1); /* moved along */
	assert_int_equal(list_of(f->normal, 4, MIGRATE_UNMOVABLE).n, 0);
	assert_int_equal(get_pageblock_migratetype(f->p, page), MIGRATE_UNMOVABLE); /* 48 < 512 */
	free_pages_page(f->p, 0, page, 5);
	give_rest(f, 5);
	/* again with half of the block free */
	struct page *half = give(f, 6, MIGRATE_UNMOVABLE, 0, 9);

	for (u32 i = 0; i < n; i++) /* take block 5 back first */
		if (!f->pages[2048 + i])
			f->pages[2048 + i] = alloc_pages(f->p, 0, GFP_KERNEL | MM_GFP_MEMALLOC, 10);
	page = alloc_pages(f->p, 0, NORMAL_MOVABLE | MM_GFP_MEMALLOC, 5);
	assert_ptr_equal(page, half);
	assert_int_equal(get_pageblock_migratetype(f->p, page), MIGRATE_MOVABLE);
	free_pages_page(f->p, 0, page, 5);
	give_rest(f, 6);
	refill_zone(f, n);
}

static void test_A03_11(void **state)
{
	struct fixture *f = *state;
	u32 n = empty_zone(f, NORMAL_MOVABLE);
	struct page *given = give(f, 5, MIGRATE_MOVABLE, 10, 0), *page;

	give(f, 5, MIGRATE_MOVABLE, 100, 2);
	given = &f->pages[2048 + 5][100]; /* largest order first */
	page = alloc_pages(f->p, 0, GFP_KERNEL | MM_GFP_MEMALLOC, 1);
	assert_ptr_equal(page, given);
	assert_int_equal(list_of(f->normal, 0, MIGRATE_UNMOVABLE).n, 1); /* came along */
	assert_int_equal(get_pageblock_migratetype(f->p, page), MIGRATE_MOVABLE); /* 5 < 512 */
	free_pages_page(f->p, 0, page, 1);
	give_rest(f, 5);
	refill_zone(f, n);
}

static void test_A03_12(void **state)
{
	struct fixture *f = *state;
	u32 n = empty_zone(f, NORMAL_MOVABLE);
	struct page *page;

	give(f, 5, MIGRATE_RECLAIMABLE, 100, 2);
	struct page *large = give(f, 6, MIGRATE_UNMOVABLE, 256, 8);

	page = alloc_pages(f->p, 0, NORMAL_MOVABLE | MM_GFP_MEMALLOC, 1);
	assert_ptr_equal(page, large);
	free_pages_page(f->p, 0, page, 1);
	give_rest(f, 5);
	give_rest(f, 6);
	refill_zone(f, n);
}

static void test_A03_13(void **state)
{
	struct fixture *f = *state;
	u32 n = 0;
	struct page *page = NULL;

	assert_int_equal(list_of(f->normal, 10, MIGRATE_RESERVE).n, 1);
	while (list_of(f->normal, 10, MIGRATE_RESERVE).n) {
		page = alloc_pages(f->p, 0, NORMAL_MOVABLE | MM_GFP_MEMALLOC, 10);
		assert_non_null(page);
		f->pages[n++] = page;
	}
	assert_int_equal(n, 190); /* it was the last */
	assert_int_equal(pfn(f, page), 0x60000);
	free_pages_page(f->p, 0, f->pages[--n], 10);
	assert_int_equal(list_of(f->normal, 10, MIGRATE_RESERVE).n, 1);
	page = alloc_page(f->p, 0, NORMAL_MOVABLE | MM_GFP_MEMALLOC);
	assert_int_equal(get_pageblock_migratetype(f->p, page), MIGRATE_RESERVE);
	u32 before = pcp_list_length(f->normal, 0, MIGRATE_MOVABLE);

	free_page_page(f->p, 0, page);
	assert_int_equal(pcp_list_length(f->normal, 0, MIGRATE_MOVABLE), before + 1);
	drain_all_pages(f->p);
	assert_int_equal(list_of(f->normal, 10, MIGRATE_RESERVE).n, 1);
	while (n)
		free_pages_page(f->p, 0, f->pages[--n], 10);
}

/* Brings the zone's free pages to exactly @free; the order is kept in the page's private field. */
static u32 reduce_to(struct fixture *f, struct zone *z, u64 free, u32 n)
{
	gfp_t gfp = (z == f->high ? GFP_HIGHUSER : GFP_KERNEL) | MM_GFP_MEMALLOC;

	while (free_pages_of(z) > free) {
		u64 surplus = free_pages_of(z) - free;
		unsigned order = surplus >= 1024 ? 10 : surplus >= 64 ? 6 : 1;

		assert_true(surplus > 1);
		f->pages[n] = alloc_pages(f->p, 3, gfp, order);
		f->pages[n++]->private = order;
	}
	return n;
}

static void test_A03_14(void **state)
{
	struct fixture *f = *state;
	struct zone *z = f->normal;

	z->vm_stat[NR_FREE_PAGES] = 1102; /* the test looks at levels only */
	assert_false(zone_watermark_ok(z, 0, 1102, ZONE_NORMAL, ALLOC_WMARK_LOW));
	z->vm_stat[NR_FREE_PAGES] = 1103;
	assert_true(zone_watermark_ok(z, 0, 1102, ZONE_NORMAL, ALLOC_WMARK_LOW));
	z->vm_stat[NR_FREE_PAGES] = 1102 + 2112;
	assert_false(zone_watermark_ok(z, 0, 1102, ZONE_HIGHMEM, ALLOC_WMARK_LOW));
	z->vm_stat[NR_FREE_PAGES] = 1102 + 2112 + 1;
	assert_true(zone_watermark_ok(z, 0, 1102, ZONE_HIGHMEM, ALLOC_WMARK_LOW));
	z->vm_stat[NR_FREE_PAGES] = 194560;
}

static void test_A03_15(void **state)
{
	struct fixture *f = *state;
	unsigned flags = gfp_to_alloc_flags(f->p, 0, GFP_ATOMIC);
	struct zone *z = f->normal;

	assert_int_equal(flags, ALLOC_WMARK_MIN | ALLOC_HIGH | ALLOC_HARDER);
	z->vm_stat[NR_FREE_PAGES] = 331;
	assert_false(zone_watermark_ok(z, 0, 882, ZONE_NORMAL, flags));
	assert_null(alloc_page(f->p, 0, GFP_ATOMIC));
	z->vm_stat[NR_FREE_PAGES] = 332;
	assert_true(zone_watermark_ok(z, 0, 882, ZONE_NORMAL, flags));
	struct page *page = alloc_page(f->p, 0, GFP_ATOMIC);

	assert_non_null(page);
	assert_null(alloc_page(f->p, 1, GFP_KERNEL)); /* without the flags */
	free_page_page(f->p, 0, page);
	z->vm_stat[NR_FREE_PAGES] += 194560 - 332;
}

/* 2000 free pages, every other one: no two can merge. */
static void order1_of_single_pages(struct fixture *f)
{
	u32 n = 0;
	struct page *page;

	assert_int_equal(phys_sysctl(f->p, "min_free_kbytes", "0"), 0);
	while ((page = alloc_page(f->p, 0, GFP_KERNEL | MM_GFP_NOWARN | MM_GFP_MEMALLOC)))
		f->pages[n++] = page;
	assert_int_equal(phys_sysctl(f->p, "min_free_kbytes", "3528"), 0);
	for (u32 i = 0, done = 0; done < 2000; i++) {
		if (page_frame(f->p, f->pages[i]) & 1) {
			free_page_page(f->p, 0, f->pages[i]);
			f->pages[i] = NULL;
			done++;
		}
	}
	drain_all_pages(f->p);
	assert_int_equal(free_pages_of(f->normal), 2000);
	assert_int_equal(f->normal->free_area[0].nr_free, 2000);
	assert_true(zone_watermark_ok(f->normal, 0, 1102, ZONE_NORMAL, ALLOC_WMARK_LOW));
	assert_false(zone_watermark_ok(f->normal, 1, 1102, ZONE_NORMAL, ALLOC_WMARK_LOW));
	for (u32 i = 0; i < n; i++)
		if (f->pages[i])
			free_page_page(f->p, 0, f->pages[i]);
}

static void test_A03_16(void **state)
{
	order1_of_single_pages(*state);
}

static int boot_wmark44(void **state)
{
	return boot_with(state, "wmark=4.4 highorder=highatomic");
}

static void test_A03_16_wmark44(void **state)
{
	order1_of_single_pages(*state);
}

static void test_A03_17(void **state)
{
	struct fixture *f = *state;
	u64 warnings = f->p->nr_warnings;

	assert_null(alloc_pages(f->p, 0, GFP_KERNEL, 11));
	assert_int_equal(f->p->nr_warnings, warnings + 1);
	assert_null(alloc_pages(f->p, 0, GFP_KERNEL | MM_GFP_NOWARN, 11));
	assert_int_equal(f->p->nr_warnings, warnings + 1);
}

static void test_A03_18(void **state)
{
	struct fixture *f = *state;
	struct page *page = alloc_page(f->p, 0, GFP_HIGHUSER);
	u32 n;

	assert_ptr_equal(page_zone(f->p, page), f->high);
	free_page_page(f->p, 0, page);
	drain_all_pages(f->p);
	n = reduce_to(f, f->high, 142, 0);
	page = alloc_page(f->p, 0, GFP_HIGHUSER);
	assert_ptr_equal(page_zone(f->p, page), f->normal);
	free_page_page(f->p, 0, page);
	drain_all_pages(f->p);
	n = reduce_to(f, f->normal, 1102 + 2112, n);
	/* neither has room at its low mark; at the min mark HIGHMEM does again */
	page = alloc_page(f->p, 0, GFP_HIGHUSER);
	assert_ptr_equal(page_zone(f->p, page), f->high);
	free_page_page(f->p, 0, page);
	while (n) {
		page = f->pages[--n];
		free_pages_page(f->p, 3, page, page->private);
	}
}

/* Runs of pages by zone for a long row of allocations. */
static void test_A03_19(void **state)
{
	struct fixture *f = *state;
	static const u32 want[] = {77, 221, 77, 221, 77, 221, 77, 221};
	const struct zone *last = f->high;
	u32 run = 0, k = 0, n = 0;

	while (k < ARRAY_SIZE(want)) {
		struct page *page = alloc_page(f->p, 0, GFP_HIGHUSER);

		f->pages[n++] = page;
		if (page_zone(f->p, page) == last) {
			run++;
			continue;
		}
		assert_int_equal(run, want[k++]);
		last = page_zone(f->p, page);
		run = 1;
	}
	while (n)
		free_page_page(f->p, 0, f->pages[--n]);
}

static void test_A03_20(void **state)
{
	struct fixture *f = *state;
	struct page *page = alloc_page(f->p, 0, GFP_KERNEL);
	u64 free;
	u32 count;

	free_page_page(f->p, 0, page);
	free = free_pages_of(f->normal);
	count = f->normal->pageset[0].count;
	free_page_page(f->p, 0, page);
	assert_int_equal(events(f, EV_BAD_PAGES), 1);
	assert_int_equal(free_pages_of(f->normal), free);
	assert_int_equal(f->normal->pageset[0].count, count);
	page = alloc_pages(f->p, 0, GFP_KERNEL, 4);
	free_pages_page(f->p, 0, page, 4);
	free_pages_page(f->p, 0, page, 4);
	assert_int_equal(events(f, EV_BAD_PAGES), 2);
}

static void test_bad_pages_leak(void **state)
{
	struct fixture *f = *state;
	struct page *page = alloc_page(f->p, 0, GFP_KERNEL);
	u32 count = f->normal->pageset[0].count;

	page->_mapcount = 1;
	free_page_page(f->p, 0, page);
	page = alloc_page(f->p, 0, GFP_KERNEL);
	page->mapping = 0x1000;
	free_page_page(f->p, 0, page);
	page = alloc_page(f->p, 0, GFP_KERNEL);
	SetPageLRU(page);
	free_page_page(f->p, 0, page);
	assert_int_equal(events(f, EV_BAD_PAGES), 3);
	assert_int_equal(f->normal->pageset[0].count, count - 2);
	page = alloc_page(f->p, 0, GFP_KERNEL);
	page->mapping = 0x1000 | PAGE_MAPPING_ANON; /* an anonymous mapping is reset, not an error */
	SetPageDirty(page);
	free_page_page(f->p, 0, page);
	assert_int_equal(events(f, EV_BAD_PAGES), 3);
	assert_int_equal(page->flags & PAGE_FLAGS_MASK, 0);
}

static void test_A03_22(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(f->normal->pageset[0].batch, 31);
	assert_int_equal(f->normal->pageset[0].high, 186);
	assert_int_equal(f->high->pageset[0].batch, 15);
	assert_int_equal(f->high->pageset[0].high, 90);
	assert_int_equal(phys_sysctl(f->p, "percpu_pagelist_fraction", "7"), -EINVAL);
	assert_int_equal(phys_sysctl(f->p, "percpu_pagelist_fraction", "8"), 0);
	assert_int_equal(f->normal->pageset[0].high, 24320);
	assert_int_equal(f->normal->pageset[0].batch, 96);
	/* the lists really take that many */
	assert_int_equal(alloc_pages_bulk(f->p, 0, NORMAL_MOVABLE, 30000, f->pages), 30000);
	for (u32 i = 0; i < 24000; i++)
		free_page_page(f->p, 1, f->pages[i]);
	assert_int_equal(f->normal->pageset[1].count, 24000);
	rig_check(&f->rig);
	for (u32 i = 24000; i < 30000; i++)
		free_page_page(f->p, 1, f->pages[i]);
	assert_true(f->normal->pageset[1].count < 24320);
	drain_all_pages(f->p);
	assert_int_equal(phys_sysctl(f->p, "percpu_pagelist_fraction", "0"), 0);
	assert_int_equal(f->normal->pageset[0].high, 186);
}

static void test_A03_24(void **state)
{
	struct fixture *f = *state;
	struct page *head = alloc_pages(f->p, 0, GFP_KERNEL | MM_GFP_COMP, 2);
	u64 free = free_pages_of(f->normal);

	assert_true(PageHead(head));
	assert_int_equal(compound_order(head), 2);
	for (unsigned i = 1; i < 4; i++) {
		assert_int_equal(page_count(&head[i]), 0);
		assert_ptr_equal(compound_head(f->p, &head[i]), head);
	}
	get_page(head);
	put_page(f->p, 0, head);
	assert_int_equal(free_pages_of(f->normal), free);
	put_page(f->p, 0, head);
	assert_int_equal(free_pages_of(f->normal), free + 4);
	assert_false(PageCompound(head));
	assert_int_equal(events(f, EV_BAD_PAGES), 0);
}

/* Worked sequences of spec 03 s10.1. */
static void test_worked_sequences(void **state)
{
	struct fixture *f = *state;
	struct page *block = alloc_pages(f->p, 0, GFP_KERNEL, 3), *page, *cold;

	assert_int_equal(pfn(f, block), 0x8f400);
	page = alloc_page(f->p, 0, NORMAL_MOVABLE);
	assert_int_equal(pfn(f, page), 0x8f000);
	assert_int_equal(list_of(f->normal, 0, MIGRATE_MOVABLE).frame[0], 0x8f01f);
	assert_int_equal(list_of(f->normal, 5, MIGRATE_MOVABLE).frame[0], 0x8f020);
	assert_int_equal(list_of(f->normal, 9, MIGRATE_MOVABLE).frame[0], 0x8f200);
	free_page_page(f->p, 0, page);
	assert_int_equal(f->normal->pageset[0].count, 31);
	assert_ptr_equal(alloc_page(f->p, 0, NORMAL_MOVABLE), page);
	free_page_page(f->p, 0, page);
	cold = alloc_page(f->p, 0, NORMAL_MOVABLE | MM_GFP_COLD);
	assert_int_equal(pfn(f, cold), 0x8f01e);
	free_page_page(f->p, 0, cold);
	free_pages_page(f->p, 0, block, 3);
	assert_int_equal(list_of(f->normal, 10, MIGRATE_UNMOVABLE).frame[0], 0x8f400);
	assert_int_equal(get_pageblock_migratetype(f->p, block), MIGRATE_UNMOVABLE);
}

static void test_watermark_pages_really_stop(void **state)
{
	struct fixture *f = *state;
	u32 n = 0;
	struct page *page;

	while ((page = alloc_page(f->p, 0, GFP_KERNEL | MM_GFP_NOWARN)))
		f->pages[n++] = page;
	assert_true(free_pages_of(f->normal) <= 882);
	assert_true(free_pages_of(f->normal) + 31 > 882);
	while ((page = alloc_page(f->p, 0, GFP_ATOMIC | MM_GFP_NOWARN)))
		f->pages[n++] = page;
	assert_true(free_pages_of(f->normal) <= 331);
	while ((page = alloc_page(f->p, 0, GFP_KERNEL | MM_GFP_MEMALLOC | MM_GFP_NOWARN))) {
		assert_true(page->flags & PAGE_PFMEMALLOC);
		f->pages[n++] = page;
	}
	assert_int_equal(free_pages_of(f->normal), 0);
	assert_int_equal(n, 194560);
	for (; n; n--)
		free_page_page(f->p, n & 3, f->pages[n - 1]);
	drain_all_pages(f->p);
	ASSERT_NR_FREE(f->normal, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 190);
}

#define P(f)  cmocka_unit_test_setup_teardown(f, boot_plain, down)
#define R(f)  cmocka_unit_test_setup_teardown(f, boot_40, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		P(test_A03_1), P(test_A03_2), P(test_A03_3), P(test_A03_4), P(test_A03_5),
		P(test_A03_6), P(test_A03_7), P(test_A03_8), P(test_A03_9), P(test_A03_10),
		P(test_A03_11), P(test_A03_12), R(test_A03_13), R(test_A03_14), R(test_A03_15),
		R(test_A03_16),
		cmocka_unit_test_setup_teardown(test_A03_16_wmark44, boot_wmark44, down),
		R(test_A03_17), R(test_A03_18), R(test_A03_19), R(test_A03_20), R(test_A03_22),
		R(test_A03_24), R(test_reserve_blocks), R(test_worked_sequences),
		R(test_watermark_pages_really_stop),
	};
	const struct CMUnitTest leaks[] = {
		cmocka_unit_test_setup_teardown(test_bad_pages_leak, boot_40, down),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	return failed + cmocka_run_group_tests(leaks, NULL, NULL);
}
