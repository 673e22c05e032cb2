/* SPDX-License-Identifier: BSD-2-Clause */
/* Chapter 01: zones, limits, watermarks, reserves. Formulas are recomputed here from the text. */
#include <errno.h>

#include "core/base/bits.h"
#include "tests/phys_boot.h"

static u64 min_free_for(u64 kib)
{
	return mm_clamp(int_sqrt(kib * 16), 128, 65536);
}

struct marks {
	u64 min, low, high;
};

/* Spec 01 s8.4; scale 0: the 4.0 rule. */
static struct marks marks_for(u64 pages_min, u64 managed, u64 lowmem, bool highmem, u64 scale)
{
	u64 tmp = pages_min * managed / lowmem, d;
	struct marks m;

	m.min = highmem ? mm_clamp(managed / 1024, 32, 128) : tmp;
	m.low = m.min + tmp / 4;
	m.high = m.min + tmp / 2;
	if (scale) {
		d = mm_max(tmp / 4, managed * scale / 10000);
		m.low = m.min + d;
		m.high = m.min + 2 * d;
	}
	return m;
}

static void assert_marks(const struct zone *z, u64 min, u64 low, u64 high)
{
	assert_int_equal(z->watermark[WMARK_MIN], min);
	assert_int_equal(z->watermark[WMARK_LOW], low);
	assert_int_equal(z->watermark[WMARK_HIGH], high);
}

static void test_A01_4(void **state)
{
	static const struct {
		unsigned ram, vmalloc, lowmem, high_memory, start, highmem; /* MiB but addresses */
	} rows[] = {
		{256, 0, 256, 0xd0000000, 0xd0800000, 0}, {512, 0, 512, 0xe0000000, 0xe0800000, 0},
		{760, 0, 760, 0xef800000, 0xf0000000, 0}, {1024, 0, 760, 0xef800000, 0xf0000000, 264},
		{2048, 0, 760, 0xef800000, 0xf0000000, 1288},
		{1024, 512, 496, 0xdf000000, 0xdf800000, 528},
		{1024, 128, 880, 0xf7000000, 0xf7800000, 144},
		{1024, 8, 992, 0xfe000000, 0xfe800000, 32},
		{1024, 2000, 32, 0xc2000000, 0xc2800000, 992},
	};
	struct phys_rig rig;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[128];
		struct phys *p;

		snprintf(text, sizeof(text), "arch=arm32 ideal=1 mem=%uM vmalloc=%uM", rows[i].ram,
			 rows[i].vmalloc);
		p = rig_boot(&rig, text);
		assert_int_equal(p->arm_lowmem_limit - 0x60000000u, rows[i].lowmem * MiB);
		assert_int_equal(p->high_memory, rows[i].high_memory);
		assert_int_equal((p->high_memory + 8 * MiB) & ~(8 * MiB - 1), rows[i].start);
		assert_int_equal(p->totalhigh_pages, rows[i].highmem * MiB >> 12);
		rig_down(&rig);
	}
}

static void test_A01_5(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, IDEAL_1G "highmem=0");

	(void)state;
	assert_int_equal(p->totalram_pages, 760 * MiB >> 12);
	assert_null(p->nodes[0].node_zones[ZONE_HIGHMEM]);
	rig_down(&rig);
}

static void test_A01_6(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, "arch=arm32 ideal=1 mem=257M@0x60000000");

	(void)state;
	assert_int_equal(p->arm_lowmem_limit, 0x60000000 + 257 * MiB);
	assert_int_equal(p->memblock.current_limit, 0x60000000 + 256 * MiB);
	rig_down(&rig);
}

static void test_A01_7(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, IDEAL_1G);
	struct zone *n = rig_zone(p, ZONE_NORMAL), *h = rig_zone(p, ZONE_HIGHMEM);

	(void)state;
	assert_int_equal(n->zone_start_pfn, 0x60000);
	assert_int_equal(n->spanned_pages, 194560);
	assert_int_equal(n->present_pages, 194560);
	assert_int_equal(n->managed_pages, 194560);
	assert_int_equal(h->zone_start_pfn, 0x8f800);
	assert_int_equal(h->managed_pages, 67584);
	ASSERT_NR_FREE(n, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 190);
	ASSERT_NR_FREE(h, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 66);
	rig_down(&rig);

	/* Scenario A: page directory, kernel, memmap. */
	p = rig_boot(&rig, "arch=arm32 mem=1G");
	n = rig_zone(p, ZONE_NORMAL);
	h = rig_zone(p, ZONE_HIGHMEM);
	ASSERT_NR_FREE(n, 0, 1, 2, 1, 0, 1, 1, 1, 1, 0, 185);
	assert_int_equal(n->managed_pages, 189938);
	assert_int_equal(p->min_free_kbytes, 3486);
	assert_marks(n, 871, 1088, 1306);
	assert_marks(h, 66, 143, 220);
	rig_down(&rig);
}

static void test_A01_8(void **state)
{
	static const u64 mib[] = {16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 65536,
				  262144};
	struct phys_rig rig;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mib); i++) {
		char text[128];

		/* RAM from 4 GiB up: one zone holds all of it below 8 GiB. */
		snprintf(text, sizeof(text), "arch=arm64 ideal=1 mem=%lluM@0x100000000",
			 (unsigned long long)mib[i]);
		rig_boot(&rig, text);
		assert_int_equal(rig.phys.min_free_kbytes, min_free_for(mib[i] * 1024));
		rig_down(&rig);
	}
	assert_int_equal(min_free_for(16 * 1024), 512);
	assert_int_equal(min_free_for(8192ull * 1024), 11585);
	assert_int_equal(min_free_for(262144ull * 1024), 65536);
}

static void test_A01_9(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, IDEAL_1G);
	struct marks m = marks_for(3528 / 4, 194560, 194560, false, 0);

	(void)state;
	assert_int_equal(p->min_free_kbytes, 3528);
	assert_marks(rig_zone(p, ZONE_NORMAL), m.min, m.low, m.high);
	assert_marks(rig_zone(p, ZONE_NORMAL), 882, 1102, 1323);
	assert_marks(rig_zone(p, ZONE_HIGHMEM), 66, 142, 219);
	assert_int_equal(p->totalreserve_pages, 3654);
	assert_int_equal(rig_zone(p, ZONE_NORMAL)->lowmem_reserve[ZONE_HIGHMEM], 2112);
	assert_int_equal(rig_zone(p, ZONE_NORMAL)->lowmem_reserve[ZONE_MOVABLE], 2112);
	assert_int_equal(phys_sysctl(p, "min_free_kbytes", "16384"), 0);
	assert_marks(rig_zone(p, ZONE_NORMAL), 4096, 5120, 6144);
	rig_down(&rig);

	p = rig_boot(&rig, IDEAL_1G "watermark=scale");
	m = marks_for(882, 67584, 194560, true, 10);
	assert_marks(rig_zone(p, ZONE_NORMAL), 882, 1102, 1322);
	assert_marks(rig_zone(p, ZONE_HIGHMEM), m.min, m.low, m.high);
	assert_marks(rig_zone(p, ZONE_HIGHMEM), 66, 142, 218);
	rig_down(&rig);
}

static void test_A01_10(void **state)
{
	static const u64 dma[] = {0, 784, 1008, 1008}, normal[] = {0, 0, 1792, 1792};
	static const enum zone_type t[] = {ZONE_DMA, ZONE_NORMAL, ZONE_HIGHMEM, ZONE_MOVABLE};
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, "machine=x86pc ideal=1 mem=1120M");

	(void)state;
	/* 4096, 200704 and 57344 pages, ratios 256, 32, 32: the x86 profile */
	assert_int_equal(rig_zone(p, ZONE_DMA)->managed_pages, 4096);
	assert_int_equal(rig_zone(p, ZONE_NORMAL)->managed_pages, 225280);
	rig_down(&rig);
	p = rig_boot(&rig, "arch=arm32 ideal=1 dma_zone_size=16M vmalloc=208M mem=1024M");
	/* lowmem 0xff000000 - 208M - 0xc0000000 = 800M: DMA 16, NORMAL 784, HIGHMEM 224 */
	for (unsigned j = 0; j < 4; j++) {
		assert_int_equal(rig_zone(p, ZONE_DMA)->lowmem_reserve[t[j]], dma[j]);
		assert_int_equal(rig_zone(p, ZONE_NORMAL)->lowmem_reserve[t[j]], normal[j]);
	}
	assert_int_equal(rig_zone(p, ZONE_DMA)->managed_pages, 4096);
	assert_int_equal(rig_zone(p, ZONE_NORMAL)->managed_pages, 200704);
	assert_int_equal(rig_zone(p, ZONE_HIGHMEM)->managed_pages, 57344);
	rig_down(&rig);
}

static void test_A01_11(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, IDEAL_1G);

	(void)state;
	assert_int_equal(phys_sysctl(p, "lowmem_reserve_ratio", "0,32"), 0);
	assert_int_equal(rig_zone(p, ZONE_NORMAL)->lowmem_reserve[ZONE_HIGHMEM], 67584);
	assert_int_equal(phys_sysctl(p, "lowmem_reserve_ratio", "1 32"), 0);
	assert_int_equal(rig_zone(p, ZONE_NORMAL)->lowmem_reserve[ZONE_HIGHMEM], 67584);
	assert_int_equal(phys_sysctl(p, "lowmem_reserve_ratio", "1,2,3"), -EINVAL);
	assert_int_equal(phys_sysctl(p, "lowmem_reserve_ratio", "x"), -EINVAL);
	rig_down(&rig);
}

/* Spec 01 s6: the text of the rule, on a profile with the zones of @mask. */
static int wanted_zone(unsigned mask, gfp_t gfp)
{
	int t = ZONE_NORMAL;

	if (gfp & MM_GFP_DMA)
		t = ZONE_DMA;
	else if (gfp & MM_GFP_DMA32)
		t = ZONE_DMA32;
	else if ((gfp & MM_GFP_HIGHMEM) && (gfp & MM_GFP_MOVABLE))
		t = ZONE_MOVABLE;
	else if (gfp & MM_GFP_HIGHMEM)
		t = ZONE_HIGHMEM;
	return mask >> t & 1 ? t : ZONE_NORMAL;
}

static void test_A01_12(void **state)
{
	static const char *const profiles[] = {
		IDEAL_1G, "arch=arm32 ideal=1 mem=1G dma_zone_size=64M", "arch=arm64 ideal=1 mem=4G",
		"machine=x86pc ideal=1 mem=1G", "machine=x86pc arch=arm64 ideal=1 mem=8G",
		"arch=arm32 highmem=0 ideal=1 mem=1G"};
	static const u8 masks[] = {
		BIT(ZONE_NORMAL) | BIT(ZONE_HIGHMEM) | BIT(ZONE_MOVABLE),
		BIT(ZONE_DMA) | BIT(ZONE_NORMAL) | BIT(ZONE_HIGHMEM) | BIT(ZONE_MOVABLE),
		BIT(ZONE_DMA) | BIT(ZONE_NORMAL) | BIT(ZONE_MOVABLE),
		BIT(ZONE_DMA) | BIT(ZONE_NORMAL) | BIT(ZONE_HIGHMEM) | BIT(ZONE_MOVABLE),
		BIT(ZONE_DMA) | BIT(ZONE_DMA32) | BIT(ZONE_NORMAL) | BIT(ZONE_MOVABLE),
		BIT(ZONE_NORMAL) | BIT(ZONE_MOVABLE)};
	static const gfp_t sole[] = {0, MM_GFP_DMA, MM_GFP_DMA32, MM_GFP_HIGHMEM};
	struct phys_rig rig;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
		struct phys *p = rig_boot(&rig, profiles[i]);

		assert_int_equal(p->zone_mask, masks[i]);
		for (size_t k = 0; k < ARRAY_SIZE(sole); k++) {
			for (unsigned movable = 0; movable < 2; movable++) {
				gfp_t gfp = GFP_KERNEL | sole[k] | (movable ? MM_GFP_MOVABLE : 0);

				assert_int_equal(gfp_zone(p, gfp), wanted_zone(masks[i], gfp));
			}
		}
		/* illegal combinations have no zone */
		assert_true(p->gfp_zone_tab[MM_GFP_DMA | MM_GFP_HIGHMEM] >= MM_MAX_NR_ZONES);
		assert_true(p->gfp_zone_tab[MM_GFP_DMA | MM_GFP_DMA32] >= MM_MAX_NR_ZONES);
		rig_down(&rig);
	}
}

static void test_A01_13(void **state)
{
	struct phys_rig rig;
	struct phys *p =
		rig_boot(&rig, "arch=arm64 ideal=1 mem=256M@0x40000000,256M@0x70000000");
	struct zone *z = rig_zone(p, ZONE_DMA);
	u64 got = 0, hole = 0;
	struct page *page;

	(void)state;
	assert_int_equal(z->spanned_pages, 262144);
	assert_int_equal(z->present_pages, 131072);
	while ((page = alloc_pages(p, 0, GFP_KERNEL | MM_GFP_NOWARN | MM_GFP_MEMALLOC, 0))) {
		u64 pfn = page_to_pfn(p, page);

		got++;
		hole += pfn >= 0x50000 && pfn < 0x70000;
		assert_true(pfn_valid(p, pfn));
	}
	assert_int_equal(got, 131072);
	assert_int_equal(hole, 0);
	rig_down(&rig);
}

static void test_A01_14(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, "arch=arm32 ideal=1 mem=16M");
	struct page *page;

	(void)state;
	assert_true(4096 < 1024 * 5); /* five types with RESERVE and ISOLATE */
	assert_true(p->mobility_disabled);
	assert_int_equal(gfp_migratetype(p, GFP_HIGHUSER_MOVABLE), MIGRATE_UNMOVABLE);
	assert_int_equal(gfp_migratetype(p, GFP_TEMPORARY), MIGRATE_UNMOVABLE);
	page = alloc_page(p, 0, GFP_HIGHUSER_MOVABLE);
	assert_int_equal(get_pageblock_migratetype(p, page), MIGRATE_UNMOVABLE);
	free_page_page(p, 0, page);
	rig_down(&rig);
	p = rig_boot(&rig, "arch=arm32 ideal=1 mem=20M");
	assert_false(p->mobility_disabled);
	rig_down(&rig);
}

static void test_A01_15(void **state)
{
	static const char *const machines[] = {
		"arch=arm32 mem=1G", "arch=arm64 mem=3G", "machine=x86pc mem=1G",
		"arch=arm64 page=64k va=48 mem=2G", "arch=arm64 mem=4G nodes=2",
		"arch=arm32 mem=200M,300M@0x80000000 reserved=5M@0x61000000"};
	struct phys_rig rig;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		struct phys *p = rig_boot(&rig, machines[i]);
		u64 free = (u64)global_page_state(p, NR_FREE_PAGES), reserved = 0;
		u64 page = 1ull << p->page_shift;

		for (u64 f = 0; f < p->nr_frames; f++) {
			paddr_t pa = (p->base_pfn + f) << p->page_shift;

			reserved += memblock_bytes_in(&p->memblock.memory, pa, pa + page) &&
				    memblock_bytes_in(&p->memblock.reserved, pa, pa + page);
		}
		assert_int_equal(free, p->total_pages - reserved);
		assert_int_equal(free, p->totalram_pages);
		rig_down(&rig);
	}
}

static void test_A01_16(void **state)
{
	static const struct {
		u64 gib, ratio;
	} rows[] = {{1, 3}, {2, 4}, {4, 6}, {8, 8}, {10, 10}, {16, 12}, {64, 25}, {100, 31},
		    {1024, 101}};
	struct phys_rig rig;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[64];

		/* from 0 there is a DMA zone of 4 GiB; above it, all is Normal */
		snprintf(text, sizeof(text), "arch=arm64 ideal=1 mem=4G@0,%lluG@4G",
			 (unsigned long long)rows[i].gib);
		struct phys *p = rig_boot(&rig, text);

		assert_int_equal(rig_zone(p, ZONE_NORMAL)->inactive_ratio, rows[i].ratio);
		assert_int_equal(rows[i].ratio, int_sqrt(10 * rows[i].gib));
		rig_down(&rig);
	}
	rig_boot(&rig, "arch=arm64 ideal=1 mem=512M");
	assert_int_equal(rig_zone(&rig.phys, ZONE_DMA)->inactive_ratio, 1);
	rig_down(&rig);
}

static void test_A01_17(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, "arch=arm64 ideal=1 mem=8G@0x40000000");

	(void)state;
	assert_int_equal(zone_end_pfn(rig_zone(p, ZONE_DMA)) << 12, 4 * GiB);
	assert_int_equal(rig_zone(p, ZONE_DMA)->spanned_pages << 12, 3 * GiB);
	rig_down(&rig);
	p = rig_boot(&rig, "arch=arm64 ideal=1 mem=8G@0x880000000");
	assert_int_equal(zone_end_pfn(rig_zone(p, ZONE_DMA)) << 12, 0x900000000);
	rig_down(&rig);
}

static void test_A01_18(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, "arch=arm32 ideal=1 mem=511M@0x60000000");

	(void)state;
	assert_int_equal(p->arm_lowmem_limit - 0x60000000u, 511 * MiB);
	assert_int_equal(p->high_memory, 0xdff00000);
	assert_int_equal(p->memblock.current_limit - 0x60000000u, 510 * MiB);
	assert_int_equal(rig_zone(p, ZONE_NORMAL)->managed_pages, 130560);
	assert_int_equal(rig_zone(p, ZONE_HIGHMEM)->managed_pages, 256);
	rig_down(&rig);
	p = rig_boot(&rig, "arch=arm32 ideal=1 highmem=0 mem=511M@0x60000000");
	assert_int_equal(p->totalram_pages, 130560);
	rig_down(&rig);
}

static void test_A01_19(void **state)
{
	struct phys_rig rig;
	struct phys *p;

	(void)state;
	/* 19 MiB blocks do not matter here: 20000 pages of highmem */
	p = rig_boot(&rig, "arch=arm32 ideal=1 mem=778240K,80000K");
	assert_int_equal(rig_zone(p, ZONE_HIGHMEM)->managed_pages, 20000);
	assert_int_equal(rig_zone(p, ZONE_HIGHMEM)->watermark[WMARK_MIN], 32);
	rig_down(&rig);
	p = rig_boot(&rig, "arch=arm32 lpae=1 ideal=1 mem=778240K,4000000K");
	assert_int_equal(rig_zone(p, ZONE_HIGHMEM)->managed_pages, 1000000);
	assert_int_equal(rig_zone(p, ZONE_HIGHMEM)->watermark[WMARK_MIN], 128);
	rig_down(&rig);
}

static u64 brute_totalreserve(const struct phys *p)
{
	u64 sum = 0;

	for (unsigned i = 0; i < p->nr_zones; i++) {
		const struct zone *z = &p->zones[i];
		u64 r = 0;

		for (unsigned j = z->type; j < MM_MAX_NR_ZONES; j++)
			if (z->lowmem_reserve[j] > r)
				r = z->lowmem_reserve[j];
		r += z->watermark[WMARK_HIGH];
		sum += r < z->managed_pages ? r : z->managed_pages;
	}
	return sum;
}

static void test_A01_20(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, IDEAL_1G "dma_zone_size=32M");
	u64 before = p->totalreserve_pages;

	(void)state;
	assert_int_equal(before, brute_totalreserve(p));
	assert_int_equal(phys_sysctl(p, "lowmem_reserve_ratio", "64,8,8"), 0);
	assert_int_equal(p->totalreserve_pages, brute_totalreserve(p));
	assert_true(p->totalreserve_pages > before);
	rig_down(&rig);
}

static void test_I01_2_3(void **state)
{
	static const char *const machines[] = {"arch=arm64 mem=3G nodes=3", "arch=arm32 mem=2G nodes=2",
					       "machine=x86pc mem=2G nodes=2"};
	struct phys_rig rig;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(machines); k++) {
		struct phys *p = rig_boot(&rig, machines[k]);

		for (u64 pfn = p->min_low_pfn; pfn < p->max_pfn; pfn += 61) {
			unsigned spans = 0;

			for (unsigned i = 0; i < p->nr_zones; i++)
				spans += pfn >= p->zones[i].zone_start_pfn &&
					 pfn < zone_end_pfn(&p->zones[i]);
			assert_int_equal(spans, 1);
		}
		for (unsigned i = 0; i < p->nr_zones; i++) {
			const struct zone *z = &p->zones[i];

			assert_true(z->watermark[0] <= z->watermark[1]);
			assert_true(z->watermark[1] <= z->watermark[2]);
		}
		rig_down(&rig);
	}
}

static void test_A13_9(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, IDEAL_1G "watermark=scale watermark_scale_factor=1000");
	struct zone *z = rig_zone(p, ZONE_NORMAL);

	(void)state;
	assert_marks(z, 882, 882 + 19456, 882 + 2 * 19456);
	assert_int_equal(phys_sysctl(p, "watermark_scale_factor", "10"), 0);
	assert_marks(z, 882, 1102, 1322);
	assert_int_equal(phys_sysctl(p, "watermark_scale_factor", "0"), -EINVAL);
	assert_int_equal(phys_sysctl(p, "watermark_scale_factor", "1001"), -EINVAL);
	rig_down(&rig);
	p = rig_boot(&rig, "arch=arm64 ideal=1 mem=4G@0x40000000");
	assert_marks(rig_zone(p, ZONE_DMA), 1536, 1920, 2304);
	assert_marks(rig_zone(p, ZONE_NORMAL), 512, 640, 768);
	assert_int_equal(rig_zone(p, ZONE_DMA)->lowmem_reserve[ZONE_NORMAL], 1024);
	assert_int_equal(rig_zone(p, ZONE_DMA)->lowmem_reserve[ZONE_MOVABLE], 1024);
	rig_down(&rig);
	p = rig_boot(&rig, "arch=arm64 ideal=1 mem=4G@0x40000000 watermark=scale");
	assert_marks(rig_zone(p, ZONE_DMA), 1536, 2322, 3108);
	assert_marks(rig_zone(p, ZONE_NORMAL), 512, 774, 1036);
	rig_down(&rig);
}

/* What kernels of 2022 and later print, from zoneinfo's own text (issue "Physical memory"). */
struct real {
	const char *config;
	u64 min_free_kbytes;
	struct {
		const char *zone;
		u64 managed, min, low, high, protection;
	} zones[2];
};

static u64 field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	assert_non_null(at);
	return strtoull(at + strlen(name), NULL, 10);
}

static void assert_real_zone(const struct real *r, const char *text, unsigned i)
{
	char head[32];
	const char *at, *prot;

	snprintf(head, sizeof(head), "zone %8s", r->zones[i].zone);
	at = strstr(text, head);
	assert_non_null(at);
	assert_int_equal(field(at, "managed"), r->zones[i].managed);
	assert_int_equal(field(at, "        min"), r->zones[i].min);
	assert_int_equal(field(at, "        low"), r->zones[i].low);
	assert_int_equal(field(at, "        high"), r->zones[i].high);
	prot = strchr(strstr(at, "protection: (0, "), ')');
	while (prot[-1] != ' ')
		prot--;
	assert_int_equal(strtoull(prot, NULL, 10), r->zones[i].protection); /* the last one */
}

static void test_real_kernels(void **state)
{
#define LATER "ideal=1 watermark=scale wmark_passes=2 "
	static const struct real reals[] = {
		{"arch=arm64 " LATER "mem=256M reserved=32636K@0x40000000 reserved_late=4000K", 1887,
		 {{"DMA", 57377, 471, 588, 705, 0}}},
		{"arch=arm64 " LATER "mem=1G reserved=47612K@0x40000000 reserved_late=6800K", 3976,
		 {{"DMA", 250241, 994, 1242, 1490, 0}}},
		{"arch=arm64 " LATER "mem=4G reserved=92848K@0x40000000,80988K@0x100000000 "
		 "reserved_late=6800K", 7997,
		 {{"DMA", 763220, 1517, 2278, 3039, 944}, {"Normal", 241897, 481, 722, 963, 0}}},
		{"arch=arm64 page=16k va=47 " LATER "mem=1G reserved=44256K@0x40000000 "
		 "reserved_late=3600K", 3989,
		 {{"DMA", 62770, 249, 311, 373, 0}}},
		{"arch=arm32 machine=virt ideal=1 watermark=scale vmalloc=240M dma_zone_size=2G mem=2G "
		 "reserved=37804K@0x40000000 reserved_late=2348K", 3455,
		 {{"DMA", 187157, 863, 1078, 1293, 1280}, {"HighMem", 327680, 128, 506, 884, 0}}},
	};
	struct phys_rig rig;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reals); i++) {
		struct phys *p = rig_boot(&rig, reals[i].config);
		char *text = NULL;
		size_t size = 0;
		FILE *f = open_memstream(&text, &size);

		assert_int_equal(phys_show(p, "zoneinfo", f), 0);
		fclose(f);
		assert_int_equal(p->min_free_kbytes, reals[i].min_free_kbytes);
		for (unsigned z = 0; z < 2 && reals[i].zones[z].zone; z++)
			assert_real_zone(&reals[i], text, z);
		free(text);
		rig_down(&rig);
	}
}

/* 11 pageblocks a zone, at most a twentieth of memory. */
static void test_khugepaged_raises_min_free(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, "arch=arm64 ideal=1 hugetlb=1 khugepaged=1 mem=4G@0x40000000");

	(void)state;
	assert_int_equal(p->min_free_kbytes, 11 * 512 * 2 * 4);
	rig_down(&rig);
	p = rig_boot(&rig, "arch=arm64 ideal=1 hugetlb=1 khugepaged=1 mem=128M");
	assert_int_equal(p->min_free_kbytes, 32768 / 20 * 4);
	rig_down(&rig);
}

static void test_impossible_machines(void **state)
{
	static const char *const bad[] = {
		"mem=0", "mem=1G@", "mem=1X", "mem=0.5wss", "arch=arm32 mem=1M kernel_size=64M",
		"reserved=1G", "reserved=4G@0", "lowmem_reserve_ratio=a",
		"arch=arm64 mem=1G dtb=/nonexistent.dtb"};
	struct phys_rig rig;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_not_equal(rig_try(&rig, bad[i]), 0);
		assert_true(rig.err[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A01_4), cmocka_unit_test(test_A01_5),
		cmocka_unit_test(test_A01_6), cmocka_unit_test(test_A01_7),
		cmocka_unit_test(test_A01_8), cmocka_unit_test(test_A01_9),
		cmocka_unit_test(test_A01_10), cmocka_unit_test(test_A01_11),
		cmocka_unit_test(test_A01_12), cmocka_unit_test(test_A01_13),
		cmocka_unit_test(test_A01_14), cmocka_unit_test(test_A01_15),
		cmocka_unit_test(test_A01_16), cmocka_unit_test(test_A01_17),
		cmocka_unit_test(test_A01_18), cmocka_unit_test(test_A01_19),
		cmocka_unit_test(test_A01_20), cmocka_unit_test(test_I01_2_3),
		cmocka_unit_test(test_A13_9), cmocka_unit_test(test_real_kernels),
		cmocka_unit_test(test_khugepaged_raises_min_free),
		cmocka_unit_test(test_impossible_machines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
