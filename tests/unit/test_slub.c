/* SPDX-License-Identifier: BSD-2-Clause */
/* slab=slub: geometry, the order of objects, partial slabs, discarding; and slabdebug=1 of slab=slab. */
#include <errno.h>

#include "tests/kmem_boot.h"

static struct kmem_rig rig;
static struct kmem *k;

static int up(void **state)
{
	(void)state;
	k = kmem_rig_boot(&rig, "arch=arm64 mem=256M slab=slub slab_nomerge=1");
	return 0;
}

static int down(void **state)
{
	(void)state;
	kmem_rig_down(&rig);
	return 0;
}

/* slub_min_objects 4 * (fls(1) + 1) = 8; waste at most 1/16, then 1/8, 1/4. */
static void test_geometry(void **state)
{
	static const struct { u32 size, order, num; } rows[] = {
		{8, 0, 512}, {64, 0, 64}, {96, 0, 42}, {192, 0, 21}, {256, 0, 16}, {512, 0, 8},
		{1024, 1, 8}, {2048, 2, 8}, {4096, 3, 8}, {8192, 3, 4}, {1000, 1, 8}, {700, 1, 11},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kmem_cache_info c =
			cache_info(kmem_cache_create(k, "g", rows[i].size, 0, 0, NULL), 0);

		assert_int_equal(c.order, rows[i].order);
		assert_int_equal(c.num, rows[i].num);
	}
}

/* A new slab is handed out in address order; a freed object is the next one given. */
static void test_order(void **state)
{
	struct kmem_cache *c = kmem_cache_create(k, "order", 64, 0, 0, NULL);
	void *obj[64], *other;

	(void)state;
	for (u32 i = 0; i < 64; i++)
		assert_int_equal(obj_index(c, obj[i] = kmem_cache_alloc(c, 0, GFP_KERNEL)), i);
	assert_int_equal(cache_info(c, 0).num_slabs, 1);
	other = kmem_cache_alloc(c, 0, GFP_KERNEL);
	assert_int_equal(cache_info(c, 0).num_slabs, 2);
	kmem_cache_free(c, 0, other);
	assert_ptr_equal(kmem_cache_alloc(c, 0, GFP_KERNEL), other);
	kmem_cache_free(c, 0, obj[5]); /* not the CPU's slab: waits on its partial list */
	assert_ptr_not_equal(kmem_cache_alloc(c, 0, GFP_KERNEL), obj[5]);
	for (u32 i = 2; i < 64; i++)
		kmem_cache_alloc(c, 0, GFP_KERNEL); /* fills the CPU's slab */
	assert_ptr_equal(kmem_cache_alloc(c, 0, GFP_KERNEL), obj[5]);
	assert_int_equal(cache_info(c, 0).num_slabs, 2);
}

static void test_discard(void **state)
{
	struct kmem_cache *c = kmem_cache_create(k, "discard", 256, 0, 0, NULL);
	static void *obj[64 * 16];

	(void)state;
	for (int i = 0; i < 64 * 16; i++)
		obj[i] = kmem_cache_alloc(c, 0, GFP_KERNEL);
	assert_int_equal(cache_info(c, 0).num_slabs, 64);
	assert_int_equal(kmem_cache_shrink(c, 0), 1);
	for (int i = 0; i < 64 * 16; i++)
		kmem_cache_free(c, 0, obj[i]);
	kmem_rig_check(&rig);
	assert_true(cache_info(c, 0).num_slabs < 40); /* min_partial and the CPU's own stay */
	assert_int_equal(kmem_cache_shrink(c, 0), 0);
	assert_int_equal(cache_info(c, 0).num_slabs, 0);
	obj[0] = kmem_cache_alloc(c, 0, GFP_KERNEL);
	assert_int_equal(kmem_cache_destroy(c, 0), -EBUSY);
	kmem_cache_free(c, 0, obj[0]);
	assert_int_equal(kmem_cache_destroy(c, 0), 0);
}

/* Under pressure a slab is as small as one object needs. */
static void test_fallback(void **state)
{
	struct kmem_cache *c = kmem_cache_create(k, "fallback", 2048, 0, 0, NULL);
	void *p;

	(void)state;
	assert_int_equal(cache_info(c, 0).order, 2);
	k->phys->fail_nth = 1;
	p = kmem_cache_alloc(c, 0, GFP_KERNEL);
	assert_non_null(p);
	assert_int_equal(k->phys->fail_nth, 0);
	assert_int_equal(compound_order(kmem_page(k, p)), 0);
	kmem_rig_check(&rig);
	kmem_cache_free(c, 0, p);
	assert_int_equal(kmem_cache_destroy(c, 0), 0);
}

static u32 runs;
static void ctor(void *obj)
{
	runs++;
	memset(obj, 0x11, 64);
}

/* The free pointer lies behind an object that has a constructor: its contents survive. */
static void test_ctor(void **state)
{
	struct kmem_cache *c = kmem_cache_create(k, "ctor", 64, 0, 0, ctor);

	(void)state;
	for (int i = 0; i < 1000; i++) {
		u8 *p = kmem_cache_alloc(c, 0, GFP_KERNEL);

		for (int b = 0; b < 64; b++)
			assert_int_equal(p[b], 0x11);
		kmem_cache_free(c, 0, p);
	}
	assert_int_equal(runs, cache_info(c, 0).num);
}

/* ---- slabdebug=1 ---- */

static void test_debug(void **state)
{
	struct kmem_cache *c, *big;
	u8 *p, *q;

	(void)state;
	k = kmem_rig_boot(&rig, "arch=arm64 mem=256M slabdebug=1");
	c = kmem_cache_create(k, "debug", 100, 8, 0, NULL);
	assert_int_equal(c->size, 104 + 16 + 8);
	assert_true(cache_info(c, 0).limit <= 32);
	p = kmem_cache_alloc(c, 0, GFP_KERNEL);
	assert_int_equal(p[0], 0x5a);
	assert_int_equal(p[99], 0xa5);
	memset(p, 1, 100);
	kmem_cache_free(c, 0, p);
	assert_int_equal(c->nr_errors, 0);
	assert_int_equal(p[0], 0x6b);

	p = kmem_cache_alloc(c, 0, GFP_KERNEL);
	p[104] = 1; /* overrun */
	kmem_cache_free(c, 0, p);
	assert_int_equal(c->nr_errors, 1);

	p = kmem_cache_alloc(c, 0, GFP_KERNEL);
	kmem_cache_free(c, 0, p);
	kmem_cache_free(c, 0, p); /* twice: refused */
	assert_int_equal(c->nr_errors, 2);

	p[50] = 2; /* after free: found at the next allocation */
	q = kmem_cache_alloc(c, 0, GFP_KERNEL);
	assert_ptr_equal(p, q);
	assert_int_equal(c->nr_errors, 3);
	kmem_cache_free(c, 0, q + 8); /* no object */
	assert_int_equal(c->nr_errors, 4);
	kmem_cache_free(c, 0, q);

	big = kmem_cache_create(k, "aligned", 100, 64, 0, NULL); /* no red zones above 8 bytes */
	assert_int_equal(big->size, 128);
	p = kmem_cache_alloc(big, 0, GFP_KERNEL);
	assert_int_equal((p - k->arena) % 64, 0);
	kmem_cache_free(big, 0, p);
	kmem_rig_down(&rig);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
	const struct CMUnitTest tests[] = {
		T(test_geometry), T(test_order), T(test_discard), T(test_fallback), T(test_ctor),
		cmocka_unit_test(test_debug),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
