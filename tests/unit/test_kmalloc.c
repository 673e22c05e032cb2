/* SPDX-License-Identifier: BSD-2-Clause */
/* Spec 04 s6: size classes, krealloc, ksize, DMA caches, bootstrap order; both allocators. */
#include "tests/kmem_boot.h"

static struct kmem_rig rig;
static struct kmem *k;

/* The table of s6, recomputed: least class of the configured ones that holds @size. */
static u64 class_of(u64 size, u64 min)
{
	u64 c = min;

	if (min <= 32 && size > 64 && size <= 96)
		return 96;
	if (min <= 64 && size > 128 && size <= 192)
		return 192;
	while (c < size)
		c *= 2;
	return c;
}

static void test_A04_13(void **state)
{
	static const u32 mins[] = {32, 64, 128};

	(void)state;
	for (int m = 0; m < 3; m++) {
		char text[128], name[32];

		snprintf(text, sizeof(text), "arch=arm64 mem=256M slab_nomerge=1 cache_line=32 kmalloc_min=%u",
			 mins[m]);
		k = kmem_rig_boot(&rig, text);
		assert_null(kmalloc_slab(k, 0, 0));
		for (u64 size = 1; size <= 4 * MiB; size += size < 4096 ? 1 : size / 64) {
			u64 want = class_of(size, mins[m]);
			struct kmem_cache *c = kmalloc_slab(k, size, 0);

			snprintf(name, sizeof(name), "kmalloc-%llu", (unsigned long long)want);
			assert_string_equal(c->name, name);
			assert_int_equal(c->object_size, want);
		}
		assert_int_equal(kmalloc_slab(k, 4 * MiB, 0)->object_size, 4 * MiB);
		assert_null(kmalloc_slab(k, 4 * MiB + 1, 0));
		kmem_rig_down(&rig);
	}
	k = kmem_rig_boot(&rig, "arch=arm64 mem=256M kmalloc_min=64");
	for (u32 s = 65; s <= 192; s++)
		assert_int_equal(kmalloc_slab(k, s, 0)->object_size, s <= 128 ? 128 : 192);
	kmem_rig_down(&rig);
	k = kmem_rig_boot(&rig, "arch=arm64 mem=256M kmalloc_min=128");
	for (u32 s = 129; s <= 256; s++)
		assert_int_equal(kmalloc_slab(k, s, 0)->object_size, 256);
	kmem_rig_down(&rig);
}

static void test_A04_14(void **state)
{
	u64 warned;
	void *p;

	(void)state;
	k = kmem_rig_boot(&rig, "arch=arm32 machine=vexpress mem=1G");
	p = kmalloc(k, 0, 4 * MiB, GFP_KERNEL);
	assert_non_null(p);
	assert_int_equal(compound_order(kmem_page(k, p)), 10);
	assert_int_equal(ksize(k, p), 4 * MiB);
	assert_ptr_equal(kmem_page(k, (u8 *)p + 4 * MiB - 1), kmem_page(k, p));
	warned = k->phys->nr_warnings;
	assert_null(kmalloc(k, 0, 4 * MiB + 1, GFP_KERNEL));
	assert_int_equal(k->phys->nr_warnings, warned + 1);
	assert_null(kmalloc(k, 0, 4 * MiB + 1, GFP_KERNEL | MM_GFP_NOWARN));
	assert_int_equal(k->phys->nr_warnings, warned + 1);
	kfree(k, 0, p);
	kmem_rig_down(&rig);
}

static void zero_and_realloc(const char *pairs)
{
	u8 *p, *q;

	k = kmem_rig_boot(&rig, pairs);
	assert_ptr_equal(kmalloc(k, 0, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	kfree(k, 0, ZERO_SIZE_PTR);
	kfree(k, 0, NULL);
	assert_int_equal(ksize(k, NULL), 0);
	assert_null(kcalloc(k, 0, SIZE_MAX / 2, 3, GFP_KERNEL));
	p = kmalloc(k, 0, 100, GFP_KERNEL);
	memset(p, 7, 128);
	kfree(k, 0, p);
	p = kcalloc(k, 0, 10, 10, GFP_KERNEL);
	for (int i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
	assert_int_equal(ksize(k, p), 128);
	memset(p, 3, 128);
	assert_ptr_equal(krealloc(k, 0, p, 128, GFP_KERNEL), p);
	q = krealloc(k, 0, p, 1000, GFP_KERNEL);
	assert_ptr_not_equal(q, p);
	for (int i = 0; i < 128; i++)
		assert_int_equal(q[i], 3);
	assert_ptr_equal(krealloc(k, 0, q, 0, GFP_KERNEL), ZERO_SIZE_PTR);
	p = krealloc(k, 0, NULL, 50, GFP_KERNEL);
	assert_non_null(p);
	kfree(k, 0, p);
	kmem_rig_down(&rig);
}

static void test_krealloc(void **state)
{
	(void)state;
	zero_and_realloc("arch=arm64 mem=256M");
	zero_and_realloc("arch=arm64 mem=256M slab=slub");
}

static void test_dma(void **state)
{
	void *p;

	(void)state;
	k = kmem_rig_boot(&rig, "arch=arm32 machine=vexpress mem=1G dma_zone_size=64M");
	p = kmalloc(k, 0, 100, GFP_KERNEL | MM_GFP_DMA);
	assert_string_equal(kmem_cache_of(k, p)->name, "dma-kmalloc-128");
	assert_int_equal(page_zone(k->phys, kmem_page(k, p))->type, ZONE_DMA);
	kfree(k, 0, p);
	p = kmalloc(k, 0, 150, GFP_KERNEL | MM_GFP_DMA);
	assert_string_equal(kmem_cache_of(k, p)->name, "dma-kmalloc-192");
	kfree(k, 0, p);
	kmem_rig_down(&rig);
}

/* Spec 04 s6.1: the list is newest first, so the boot order read backwards. */
static void test_bootstrap_order(void **state)
{
	static const char *const arm32[] = {"kmem_cache", "kmalloc-64", "kmalloc-128", "kmalloc-192",
					    "kmalloc-256", "kmalloc-512"};
	static const char *const arm64[] = {"kmem_cache", "kmalloc-128", "kmalloc-64", "kmalloc-192",
					    "kmalloc-256", "kmalloc-512"};

	(void)state;
	for (int a = 0; a < 2; a++) {
		const char *const *want = a ? arm64 : arm32;
		struct list_head *at;

		k = kmem_rig_boot(&rig, a ? "arch=arm64 mem=256M" : "arch=arm32 machine=vexpress mem=1G");
		at = k->caches.prev;
		for (int i = 0; i < 6; i++, at = at->prev)
			assert_string_equal(list_entry(at, struct kmem_cache, list)->name, want[i]);
		assert_false(kmem_cache_of(k, k->cache_cache.node)->off_slab);
		assert_string_equal(kmem_cache_of(k, k->cache_cache.node)->name, want[1]);
		assert_string_equal(kmem_cache_of(k, kmalloc_slab(k, 64, 0))->name, "kmem_cache");
		kmem_rig_down(&rig);
	}
}

/* ideal=1: no frame is taken before the first request. */
static void test_ideal_boot(void **state)
{
	(void)state;
	k = kmem_rig_boot(&rig, "arch=arm32 machine=vexpress ideal=1 mem=1G");
	assert_int_equal(free_pages_of(rig_zone(k->phys, ZONE_NORMAL)), 194560);
	assert_int_equal(global_page_state(k->phys, NR_SLAB_UNRECLAIMABLE), 0);
	assert_non_null(kmem_cache_create(k, "c", 104, 8, 0, NULL));
	assert_int_equal(free_pages_of(rig_zone(k->phys, ZONE_NORMAL)), 194560);
	kmem_rig_down(&rig);
}

/* Pages larger than 4 KiB: 2-byte indices, classes up to 32 MiB. */
static void test_large_pages(void **state)
{
	static const char *const pairs[] = {"arch=arm64 page=16k va=47 mem=512M",
					    "arch=arm64 page=64k va=42 mem=1G"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		void *p[500];

		k = kmem_rig_boot(&rig, pairs[i]);
		assert_int_equal(kmalloc_slab(k, 64, 0)->idx_bytes, 2);
		/* min(MAX_ORDER + PAGE_SHIFT - 1, 25) */
		assert_int_equal(k->kmalloc_max, i ? 32 * MiB : 1ull << (k->phys->max_order + 14 - 1));
		for (int n = 0; n < 500; n++)
			assert_non_null(p[n] = kmalloc(k, 0, 16 + (u64)n * 8, GFP_KERNEL));
		kmem_rig_check(&rig);
		for (int n = 0; n < 500; n++)
			kfree(k, 0, p[n]);
		kmem_rig_down(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A04_13), cmocka_unit_test(test_A04_14),
		cmocka_unit_test(test_krealloc), cmocka_unit_test(test_dma),
		cmocka_unit_test(test_bootstrap_order), cmocka_unit_test(test_ideal_boot),
		cmocka_unit_test(test_large_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
