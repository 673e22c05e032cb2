/* SPDX-License-Identifier: BSD-2-Clause */
/* Chapter 03: the page API, nodes, HIGHATOMIC, the slow path's edge upwards, random stress, views. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/prng.h"
#include "tests/phys_boot.h"

#define NORMAL_MOVABLE (GFP_HIGHUSER_MOVABLE & ~(gfp_t)MM_GFP_HIGHMEM)

static u64 events(const struct phys_rig *rig, enum vm_event_item ev)
{
	u64 sum = 0;

	for (unsigned cpu = 0; cpu < rig->hw.ncpu; cpu++)
		sum += rig->hw.cpus[cpu].events[ev];
	return sum;
}

/* @fn must end in a failed assertion of our own. */
static void assert_aborts(void (*fn)(struct phys *p), struct phys *p)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		fclose(stderr);
		signal(SIGABRT, SIG_DFL);
		fn(p);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status)); /* a sanitizer may turn it into an exit */
}

static void ask_for_highmem_address(struct phys *p)
{
	get_free_pages(p, 0, GFP_HIGHUSER, 0);
}

static void ask_for_two_zones(struct phys *p)
{
	alloc_page(p, 0, GFP_KERNEL | MM_GFP_DMA | MM_GFP_HIGHMEM);
}

static void test_A03_21(void **state)
{
	struct live {
		struct page *page;
		unsigned order;
	} *live = calloc(200000, sizeof(*live));
	const u32 ops = MM_DEBUG ? 100000 : 1000000;
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, IDEAL_1G "ncpu=4");
	struct prng prng;
	u32 n = 0;

	(void)state;
	prng_seed(&prng, test_seed(21));
	for (u32 i = 1; i <= ops; i++) {
		static const gfp_t gfps[] = {GFP_KERNEL, NORMAL_MOVABLE, GFP_TEMPORARY,
					     GFP_HIGHUSER_MOVABLE, GFP_ATOMIC};
		unsigned cpu = (unsigned)prng_below(&prng, 4);

		if (n < 200000 && prng_below(&prng, 100) < (i / 100000 & 1 ? 40 : 60)) {
			unsigned order = (unsigned)prng_below(&prng, prng_below(&prng, 12));
			gfp_t gfp = gfps[prng_below(&prng, ARRAY_SIZE(gfps))] | MM_GFP_NOWARN;

			live[n].page = alloc_pages(p, cpu, gfp, order);
			live[n].order = order;
			n += live[n].page != NULL;
		} else if (n) {
			u32 k = (u32)prng_below(&prng, n);

			free_pages_page(p, cpu, live[k].page, live[k].order);
			live[k] = live[--n];
		}
		if (i % (MM_DEBUG ? 10000 : 1000) == 0 && (MM_DEBUG || i % 20000 == 0))
			rig_check(&rig);
	}
	while (n--)
		free_pages_page(p, 0, live[n].page, live[n].order);
	drain_all_pages(p);
	ASSERT_NR_FREE(rig_zone(p, ZONE_NORMAL), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 190);
	ASSERT_NR_FREE(rig_zone(p, ZONE_HIGHMEM), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 66);
	assert_int_equal(events(&rig, EV_BAD_PAGES), 0);
	free(live);
	rig_down(&rig);
}

static void test_A03_23(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, IDEAL_1G);
	u64 free = free_pages_of(rig_zone(p, ZONE_NORMAL));
	void *at;

	(void)state;
	assert_aborts(ask_for_highmem_address, p);
	assert_aborts(ask_for_two_zones, p);
	at = alloc_pages_exact(p, 0, 5 * 4096 - 100, GFP_KERNEL);
	assert_non_null(at);
	assert_int_equal(free - free_pages_of(rig_zone(p, ZONE_NORMAL)), 8);
	drain_all_pages(p);
	assert_int_equal(free - free_pages_of(rig_zone(p, ZONE_NORMAL)), 5);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(page_count(virt_to_page(p, (u8 *)at + i * 4096)), 1);
	free_pages_exact(p, 0, at, 5 * 4096 - 100);
	drain_all_pages(p);
	assert_int_equal(free, free_pages_of(rig_zone(p, ZONE_NORMAL)));
	free_pages_exact(p, 0, NULL, 4096);
	rig_down(&rig);
}

static void test_A13_10(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, IDEAL_1G "policy=4.12");
	struct zone *z = rig_zone(p, ZONE_NORMAL);
	const u64 limit = 194560 / 100 + 1024;
	struct page *page, *pages[1000];
	u32 n = 0;
	struct alloc_context ac = {.phys = p, .migratetype = MIGRATE_UNMOVABLE,
				   .zonelist = &p->nodes[0].node_zonelists[ZONE_NORMAL]};

	(void)state;
	/* only what the slow path of a harder allocation takes is kept: free memory must be low */
	assert_int_equal(phys_sysctl(p, "min_free_kbytes", "900000"), 0);
	page = alloc_pages(p, 0, GFP_KERNEL, 3);
	assert_null(page);
	assert_int_equal(z->nr_reserved_highatomic, 0);
	assert_int_equal(phys_sysctl(p, "min_free_kbytes", "700000"), 0); /* low mark above free */
	page = alloc_pages(p, 0, GFP_ATOMIC, 3);
	assert_non_null(page);
	assert_int_equal(z->nr_reserved_highatomic, 1024);
	assert_int_equal(get_pageblock_migratetype(p, page), MIGRATE_HIGHATOMIC);
	pages[n++] = page;
	while (n < 1000)
		assert_non_null(pages[n++] = alloc_pages(p, 0, GFP_ATOMIC, 3));
	assert_true(z->nr_reserved_highatomic >= limit);
	assert_true(z->nr_reserved_highatomic < limit + 1024);
	while (n)
		free_pages_page(p, 0, pages[--n], 3);
	assert_true(unreserve_highatomic_pageblock(&ac, false));
	while (unreserve_highatomic_pageblock(&ac, false))
		;
	assert_int_equal(z->nr_reserved_highatomic, 1024); /* the last one stays */
	assert_true(unreserve_highatomic_pageblock(&ac, true));
	assert_int_equal(z->nr_reserved_highatomic, 0);
	assert_int_equal(free_list_first(z, 10, MIGRATE_HIGHATOMIC), PFN_NONE);
	rig_down(&rig);
}

static void test_zero_and_contents(void **state)
{
	static const char *const modes[] = {IDEAL_1G "data=tag", IDEAL_1G "data=bytes"};
	struct phys_rig rig;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct phys *p = rig_boot(&rig, modes[i]);
		struct page *page = alloc_pages(p, 0, GFP_KERNEL, 1);

		hw_set_frame_tag(&rig.hw, page_to_pfn(p, page), 0x55);
		hw_set_frame_tag(&rig.hw, page_to_pfn(p, page) + 1, 0x66);
		free_pages_page(p, 0, page, 1);
		assert_ptr_equal(alloc_pages(p, 0, GFP_KERNEL | MM_GFP_ZERO, 1), page);
		assert_int_equal(hw_frame_tag(&rig.hw, page_to_pfn(p, page)), 0);
		assert_int_equal(hw_frame_tag(&rig.hw, page_to_pfn(p, page) + 1), 0);
		free_pages(p, 0, page_address(p, page), 1);
		void *zeroed = get_zeroed_page(p, 0, GFP_KERNEL);

		assert_ptr_equal(page_address(p, virt_to_page(p, zeroed)), zeroed);
		free_page(p, 0, zeroed);
		free_page(p, 0, NULL);
		rig_down(&rig);
	}
}

static void test_highmem_has_no_address(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, IDEAL_1G);
	struct page *page = alloc_page(p, 0, GFP_HIGHUSER);

	(void)state;
	assert_null(page_address(p, page));
	assert_ptr_equal(pfn_to_page(p, page_to_pfn(p, page)), page);
	free_page_page(p, 0, page);
	rig_down(&rig);
}

static void test_bulk_equals_single(void **state)
{
	struct phys_rig a, b;
	struct phys *p = rig_boot(&a, IDEAL_1G), *q = rig_boot(&b, IDEAL_1G);
	struct page *pages[500], *scattered[500];

	(void)state;
	assert_int_equal(alloc_pages_bulk(p, 0, GFP_HIGHUSER_MOVABLE, 500, pages), 500);
	for (unsigned i = 0; i < 500; i++) {
		assert_int_equal(page_to_pfn(q, alloc_page(q, 0, GFP_HIGHUSER_MOVABLE)),
				 page_to_pfn(p, pages[i]));
	}
	/* Given back in a scattered order: the same lists, so the same pages in the next round. */
	for (unsigned i = 0; i < 500; i++)
		scattered[i] = pages[i * 181 % 500];
	free_pages_bulk(p, 0, scattered, 500);
	for (unsigned i = 0; i < 500; i++)
		free_page_page(q, 0, pfn_to_page(q, page_to_pfn(p, scattered[i])));
	assert_int_equal(pcp_list_length(page_zone(p, pages[0]), 0, MIGRATE_MOVABLE),
			 pcp_list_length(page_zone(q, pfn_to_page(q, page_to_pfn(p, pages[0]))), 0, MIGRATE_MOVABLE));
	rig_check(&a);
	rig_check(&b);
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(page_to_pfn(p, alloc_page(p, 0, GFP_HIGHUSER_MOVABLE)),
				 page_to_pfn(q, alloc_page(q, 0, GFP_HIGHUSER_MOVABLE)));
	rig_down(&a);
	rig_down(&b);
}

/* Two nodes: own node first, then the other; THISNODE never leaves; counters tell. */
static void test_nodes_fall_back(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, "arch=arm64 ideal=1 mem=64M nodes=2 ncpu=2 fair=0");
	const struct zone *z0 = p->nodes[0].node_zones[ZONE_DMA], *z1 = p->nodes[1].node_zones[ZONE_DMA];
	struct page *page;
	u32 n = 0;

	(void)state;
	assert_int_equal(z0->present_pages, 8192);
	assert_int_equal(z1->present_pages, 8192);
	assert_int_equal(p->cpu_node[1], 1);
	page = alloc_page(p, 1, GFP_KERNEL);
	assert_ptr_equal(page_zone(p, page), z1);
	assert_int_equal(zone_page_state(z1, NR_NUMA_HIT), 1);
	assert_int_equal(zone_page_state(z1, NR_NUMA_LOCAL), 1);
	free_page_page(p, 1, page);
	page = alloc_pages_node(p, 1, 0, GFP_KERNEL, 0);
	assert_ptr_equal(page_zone(p, page), z0);
	assert_int_equal(zone_page_state(z0, NR_NUMA_HIT), 1);
	assert_int_equal(zone_page_state(z0, NR_NUMA_OTHER), 1);
	free_page_page(p, 0, page);
	while (page_zone(p, page = alloc_pages(p, 0, GFP_KERNEL, 3)) == z0)
		n++;
	assert_true(n > 900);
	assert_ptr_equal(page_zone(p, page), z1);
	assert_int_equal(zone_page_state(z1, NR_NUMA_MISS), 1);
	assert_int_equal(zone_page_state(z0, NR_NUMA_FOREIGN), 1);
	while ((page = alloc_pages(p, 0, GFP_KERNEL | MM_GFP_THISNODE | MM_GFP_NOWARN, 1)))
		assert_ptr_equal(page_zone(p, page), z0);
	assert_true(free_pages_of(z1) > 7000);
	rig_down(&rig);
}

struct presser {
	unsigned wakes, reclaims;
	enum phys_pressure_result answer;
	struct page *gift, *freed;
};

static enum phys_pressure_result press(void *self, struct alloc_context *ac,
				       enum phys_pressure_stage stage)
{
	struct presser *s = self;

	if (stage == PRESSURE_WAKE) {
		s->wakes++;
		return PRESSURE_FAIL;
	}
	s->reclaims++;
	assert_int_equal(ac->tries, s->reclaims - 1);
	assert_int_equal(ac->classzone_idx, ac->preferred_zone->type);
	if (s->freed) { /* "reclaim" makes progress */
		free_pages_page(ac->phys, ac->cpu, s->freed, 10);
		s->freed = NULL;
		return PRESSURE_RETRY;
	}
	ac->page = s->gift;
	return s->answer;
}

static void test_pressure_edge(void **state)
{
	struct presser s = {.answer = PRESSURE_FAIL};
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, "arch=arm64 ideal=1 mem=32M ncpu=1");
	struct page *page, *last = NULL;

	(void)state;
	while ((page = alloc_pages(p, 0, GFP_KERNEL | MM_GFP_NOWARN | MM_GFP_MEMALLOC, 10)))
		last = page;
	p->on_pressure = press;
	p->on_pressure_self = &s;
	assert_null(alloc_page(p, 0, GFP_ATOMIC | MM_GFP_NOWARN));
	assert_int_equal(s.wakes, 1); /* woken, but may not wait */
	assert_int_equal(s.reclaims, 0);
	assert_null(alloc_page(p, 0, GFP_TRANSHUGE));
	assert_int_equal(s.wakes, 1); /* NO_KSWAPD */
	assert_int_equal(s.reclaims, 1);
	s.reclaims = 0;
	p->cpus[0].pf_memalloc = true; /* reclaim itself never recurses */
	assert_null(alloc_page(p, 0, GFP_KERNEL | MM_GFP_NOWARN));
	assert_int_equal(s.reclaims, 0);
	p->cpus[0].pf_memalloc = false;
	s.answer = PRESSURE_PAGE;
	s.gift = last;
	assert_ptr_equal(alloc_page(p, 0, GFP_KERNEL), last);
	s.reclaims = 0;
	s.freed = last;
	s.answer = PRESSURE_FAIL;
	page = alloc_page(p, 0, GFP_KERNEL);
	assert_non_null(page);
	assert_int_equal(s.reclaims, 1);
	p->on_pressure = NULL;
	rig_down(&rig);
}

static void test_fail_nth(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, IDEAL_1G);

	(void)state;
	for (u64 n = 1; n < 5; n++) {
		p->fail_nth = n;
		for (u64 i = 1; i < 8; i++) {
			struct page *page = alloc_pages(p, 0, GFP_KERNEL, i & 3);

			assert_int_equal(page == NULL, i == n);
			if (page)
				free_pages_page(p, 0, page, i & 3);
		}
	}
	rig_down(&rig);
}

static char *view(struct phys *p, const char *name)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert_int_equal(phys_show(p, name, f), 0);
	fclose(f);
	return text;
}

static void assert_contains(char *text, const char *want)
{
	if (!strstr(text, want))
		fail_msg("'%s' is not in:\n%s", want, text);
}

static void test_views(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, IDEAL_1G);
	char *text;

	(void)state;
	text = view(p, "buddyinfo");
	assert_string_equal(text,
			    "Node 0, zone   Normal      0      0      0      0      0      0      0"
			    "      0      0      0    190 \n"
			    "Node 0, zone  HighMem      0      0      0      0      0      0      0"
			    "      0      0      0     66 \n");
	free(text);
	text = view(p, "pagetypeinfo");
	assert_contains(text, "Page block order: 10\nPages per block:  1024\n\n");
	assert_contains(text, "Node    0, zone   Normal, type      Reserve      0      0      0"
			      "      0      0      0      0      0      0      0      1 \n");
	assert_contains(text, "Number of blocks type     Unmovable  Reclaimable      Movable"
			      "      Reserve      Isolate \n"
			      "Node 0, zone   Normal            0            0          189"
			      "            1            0 \n");
	free(text);
	text = view(p, "zoneinfo");
	assert_contains(text, "Node 0, zone   Normal\n  pages free     194560\n"
			      "        min      882\n        low      1102\n        high     1323\n"
			      "        scanned  0\n        spanned  194560\n"
			      "        present  194560\n        managed  194560\n"
			      "    nr_free_pages 194560\n    nr_alloc_batch 221\n");
	assert_contains(text, "        protection: (0, 2112, 2112)\n  pagesets\n    cpu: 0\n"
			      "              count: 0\n              high:  186\n"
			      "              batch: 31\n  vm stats threshold: 8\n"
			      "  all_unreclaimable: 0\n  start_pfn:         393216\n"
			      "  inactive_ratio:    1\n");
	free(text);
	text = view(p, "meminfo");
	assert_contains(text, "MemTotal:        1048576 kB\nMemFree:         1048576 kB\n");
	assert_contains(text, "HighTotal:        270336 kB\n");
	free(text);
	text = view(p, "memblock");
	assert_contains(text, "0x0000000060000000..0x000000009fffffff, 0x40000000 bytes on node 0");
	free(text);
	assert_int_equal(phys_show(p, "slabinfo", stdout), -ENOENT);
	rig_down(&rig);
}

static void test_gfp_names(void **state)
{
	char text[256];
	gfp_t gfp, back;

	(void)state;
	assert_int_equal(gfp_parse("highuser_movable|zero", &gfp), 0);
	assert_int_equal(gfp, GFP_HIGHUSER_MOVABLE | MM_GFP_ZERO);
	assert_int_equal(gfp_parse("atomic,memalloc", &gfp), 0);
	assert_int_equal(gfp, MM_GFP_HIGH | MM_GFP_MEMALLOC);
	assert_int_equal(gfp_parse("nowait", &gfp), 0);
	assert_int_equal(gfp, 0);
	assert_int_equal(gfp_parse("0xd0", &gfp), 0);
	assert_int_equal(gfp, GFP_KERNEL);
	assert_int_equal(gfp_parse("nonsense", &gfp), -EINVAL);
	assert_int_equal(gfp_parse("kernel|", &gfp), -EINVAL);
	for (unsigned bit = 0; bit < 25; bit++) {
		gfp = GFP_USER | 1u << bit;
		gfp_print(gfp, text, sizeof(text));
		if (!strstr(text, "0x")) { /* unnamed bits print as numbers */
			assert_int_equal(gfp_parse(text, &back), 0);
			assert_int_equal(back, gfp);
		}
	}
}

/* I0.6: after everything is freed and drained the free memory is that of boot. */
static void test_I0_6(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, "arch=arm32 mem=256M ncpu=2");
	u64 before = (u64)global_page_state(p, NR_FREE_PAGES);
	u32 top = rig_zone(p, ZONE_NORMAL)->free_area[10].nr_free, n = 0;
	struct page **pages = calloc(65536, sizeof(*pages));

	(void)state;
	while ((pages[n] = alloc_page(p, n & 1, GFP_HIGHUSER_MOVABLE | MM_GFP_NOWARN)))
		n++;
	for (u32 i = 0; i < n; i += 2)
		free_page_page(p, 0, pages[i]);
	for (u32 i = 1; i < n; i += 2)
		free_page_page(p, 1, pages[i]);
	drain_all_pages(p);
	assert_int_equal(global_page_state(p, NR_FREE_PAGES), before);
	assert_int_equal(rig_zone(p, ZONE_NORMAL)->free_area[10].nr_free, top);
	free(pages);
	rig_down(&rig);
}

/* I0.7: sums over zones, folded from all CPUs. */
static void test_I0_7(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, IDEAL_1G "ncpu=3");
	struct vmstat_snapshot s = {0};
	s64 sum = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_non_null(alloc_page(p, i % 3, i & 1 ? GFP_KERNEL : GFP_HIGHUSER));
	phys_vmstat(p, &s);
	for (unsigned i = 0; i < p->nr_zones; i++)
		sum += zone_page_state(&p->zones[i], NR_FREE_PAGES);
	assert_int_equal(s.v[NR_FREE_PAGES], sum);
	assert_int_equal(s.v[VMSTAT_EVENT(EV_PGALLOC_NORMAL)] + s.v[VMSTAT_EVENT(EV_PGALLOC_HIGH)], 100);
	rig_down(&rig);
}

/* A large order with HIGHMEM, 64K pages and THP: 14 orders. */
static void test_fourteen_orders(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, "arch=arm64 page=64k va=48 hugetlb=1 ideal=1 mem=4G");
	struct page *page;

	(void)state;
	assert_int_equal(p->max_order, 14);
	assert_int_equal(p->pageblock_order, 13);
	page = alloc_pages(p, 0, GFP_KERNEL, 13);
	assert_non_null(page);
	free_pages_page(p, 0, page, 13);
	rig_down(&rig);
	p = rig_boot(&rig, "arch=arm64 page=16k va=47 hugetlb=1 ideal=1 mem=4G");
	assert_int_equal(p->max_order, 12);
	assert_int_equal(p->pageblock_order, 11);
	rig_down(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A03_21), cmocka_unit_test(test_A03_23),
		cmocka_unit_test(test_A13_10), cmocka_unit_test(test_zero_and_contents),
		cmocka_unit_test(test_highmem_has_no_address), cmocka_unit_test(test_bulk_equals_single),
		cmocka_unit_test(test_nodes_fall_back), cmocka_unit_test(test_pressure_edge),
		cmocka_unit_test(test_fail_nth), cmocka_unit_test(test_views),
		cmocka_unit_test(test_gfp_names), cmocka_unit_test(test_I0_6),
		cmocka_unit_test(test_I0_7), cmocka_unit_test(test_fourteen_orders),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
