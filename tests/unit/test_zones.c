/* SPDX-License-Identifier: BSD-2-Clause */
/* Chapter 01: zones, limits, watermarks, reserves. Formulas are recomputed here from the text. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A01_4), cmocka_unit_test(test_A01_5),
		cmocka_unit_test(test_A01_6), cmocka_unit_test(test_A01_7),
		cmocka_unit_test(test_A01_8), cmocka_unit_test(test_A01_9),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
