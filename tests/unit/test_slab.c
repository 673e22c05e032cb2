/* SPDX-License-Identifier: BSD-2-Clause */
/* Spec 04 s1-s5: geometry, colours, refill, flush, reap, shrink, destroy, merging. slab=slab. */
#include <errno.h>

#include "tests/kmem_boot.h"

#define ONE_CPU  "arch=arm32 machine=vexpress mem=1G "
#define NO_MERGE "slab_nomerge=1 "

static struct kmem_rig rig;
static struct kmem *k;
static struct slab_list_copy full, partial, empty;

static void boot(const char *pairs)
{
	k = kmem_rig_boot(&rig, pairs);
}

static int down(void **state)
{
	(void)state;
	kmem_rig_down(&rig);
	return 0;
}

static int boot_one(void **state)
{
	(void)state;
	boot(ONE_CPU NO_MERGE);
	return 0;
}

static int boot_two(void **state)
{
	(void)state;
	boot(ONE_CPU NO_MERGE "ncpu=2");
	return 0;
}

static struct kmem_cache *cache(size_t size, size_t align, u32 flags)
{
	struct kmem_cache *c = kmem_cache_create(k, "test", size, align, flags, NULL);

	assert_non_null(c);
	return c;
}

static void lists(struct kmem_cache *c)
{
	copy_slab_list(c, KMEM_SLABS_FULL, &full);
	copy_slab_list(c, KMEM_SLABS_PARTIAL, &partial);
	copy_slab_list(c, KMEM_SLABS_FREE, &empty);
}

/* ---- geometry, recomputed from the formulas of s2 ---- */

struct geom {
	u32 size, align, order, num, fl, left, colour, limit;
	bool off, ok;
};

static u32 up(u32 x, u32 a)
{
	return (x + a - 1) / a * a;
}

static struct geom expected(u32 size, u32 align, u32 flags, u32 word, u32 line, bool early)
{
	struct geom g = {0};
	u32 ralign = line, fl;

	if (flags & SLAB_HWCACHE_ALIGN) {
		while (size <= ralign / 2)
			ralign /= 2;
		align = align > ralign ? align : ralign;
	}
	align = up(align > 8 ? align : 8, word);
	size = up(size, word);
	g.off = size >= 128 && !early && !(flags & SLAB_NOLEAKTRACE);
	size = up(size, align);
	if (size < 16)
		size = up(16, align);
	for (u32 o = 0; o <= 10; o++) {
		u64 bytes = 4096ull << o, num, left;

		if (g.off) {
			num = bytes / size;
			left = bytes % size;
		} else {
			num = bytes / (size + 1);
			if (bytes - num * size < up((u32)num, align))
				num--;
			left = bytes - num * size - up((u32)num, align);
		}
		if (!num || num > bytes)
			continue;
		if (num > 255 || (g.off && num > size))
			break;
		g.ok = true;
		g.num = (u32)num;
		g.order = o;
		g.left = (u32)left;
		if (flags & SLAB_RECLAIM_ACCOUNT || o >= 1 || left * 8 <= bytes)
			break;
	}
	fl = up(g.num, align);
	if (g.off && g.left >= fl) {
		g.off = false;
		g.left -= fl;
	}
	g.fl = g.off ? g.num : fl;
	g.size = size;
	g.align = align;
	g.colour = g.left / (line > align ? line : align);
	g.limit = size > 131072 ? 1 : size > 4096 ? 8 : size > 1024 ? 24 : size > 256 ? 54 : 120;
	return g;
}

static void assert_geom(struct kmem_cache *c, const struct geom *g)
{
	struct kmem_cache_info i = cache_info(c, 0);

	assert_int_equal(i.size, g->size);
	assert_int_equal(i.align, g->align);
	assert_int_equal(i.order, g->order);
	assert_int_equal(i.num, g->num);
	assert_int_equal(i.freelist_size, g->fl);
	assert_int_equal(i.off_slab, g->off);
	assert_int_equal(i.colour, g->colour);
	assert_int_equal(i.limit, g->limit);
	assert_int_equal(i.batch, (g->limit + 1) / 2);
}

static void test_A04_1(void **state)
{
	static const struct { u32 obj, size, order, num, off, fl, colour, limit; } rows[] = {
		{12, 16, 0, 240, 0, 240, 0, 120}, {20, 24, 0, 163, 0, 168, 0, 120},
		{100, 104, 0, 39, 0, 40, 0, 120}, {200, 200, 0, 20, 0, 24, 1, 120},
		{500, 504, 0, 8, 0, 8, 0, 54}, {1000, 1000, 0, 4, 0, 8, 1, 54},
		{1500, 1504, 1, 5, 0, 8, 10, 24}, {3000, 3000, 1, 2, 0, 8, 34, 24},
		{5000, 5000, 1, 1, 0, 8, 49, 8},
	};
	static const struct { u32 size, order, num, off, fl, limit; } classes[] = {
		{64, 0, 63, 0, 64, 120}, {128, 0, 32, 1, 32, 120}, {192, 0, 21, 0, 64, 120},
		{256, 0, 16, 1, 16, 120}, {512, 0, 8, 1, 8, 54}, {1024, 0, 4, 1, 4, 54},
		{2048, 0, 2, 1, 2, 24}, {4096, 0, 1, 1, 1, 24}, {8192, 1, 1, 1, 1, 8},
		{131072, 5, 1, 1, 1, 8}, {262144, 6, 1, 1, 1, 1}, {4194304, 10, 1, 1, 1, 1},
	};

	(void)state;
	for (size_t r = 0; r < ARRAY_SIZE(rows); r++) {
		struct kmem_cache_info i = cache_info(cache(rows[r].obj, 8, 0), 0);

		assert_int_equal(i.size, rows[r].size);
		assert_int_equal(i.order, rows[r].order);
		assert_int_equal(i.num, rows[r].num);
		assert_int_equal(i.off_slab, rows[r].off);
		assert_int_equal(i.freelist_size, rows[r].fl);
		assert_int_equal(i.colour, rows[r].colour);
		assert_int_equal(i.limit, rows[r].limit);
		assert_int_equal(i.batch, (rows[r].limit + 1) / 2);
		assert_int_equal(i.sharedfactor, 0);
	}
	for (size_t r = 0; r < ARRAY_SIZE(classes); r++) {
		struct kmem_cache_info i = cache_info(kmalloc_slab(k, classes[r].size, 0), 0);

		assert_int_equal(i.size, classes[r].size);
		assert_int_equal(i.align, 64);
		assert_int_equal(i.order, classes[r].order);
		assert_int_equal(i.num, classes[r].num);
		assert_int_equal(i.off_slab, classes[r].off);
		assert_int_equal(i.freelist_size, classes[r].fl);
		assert_int_equal(i.limit, classes[r].limit);
		assert_int_equal(i.colour, 0);
	}
}

static void test_A04_1_line32(void **state)
{
	struct kmem_cache_info i;

	(void)state;
	boot(ONE_CPU "kmalloc_min=32 cache_line=32");
	i = cache_info(kmalloc_slab(k, 32, 0), 0);
	assert_int_equal(i.num, 124);
	assert_int_equal(i.freelist_size, 128);
	i = cache_info(kmalloc_slab(k, 96, 0), 0);
	assert_int_equal(i.size, 96);
	assert_int_equal(i.num, 42);
	i = cache_info(kmalloc_slab(k, 192, 0), 0);
	assert_int_equal(i.num, 21);
	assert_int_equal(i.freelist_size, 32);
	assert_int_equal(i.colour, 1);
	kmem_rig_down(&rig);
	boot(ONE_CPU "kmalloc_min=32 cache_line=64");
	i = cache_info(kmalloc_slab(k, 96, 0), 0);
	assert_int_equal(i.size, 128);
	assert_int_equal(i.align, 64);
	kmem_rig_down(&rig);
	boot("arch=arm64 mem=256M"); /* the node's class is early, hence on-slab */
	i = cache_info(kmalloc_slab(k, 128, 0), 0);
	assert_int_equal(i.num, 31);
	assert_int_equal(i.freelist_size, 64);
	assert_false(i.off_slab);
	kmem_rig_down(&rig);
}

static void test_A04_2(void **state)
{
	struct kmem_cache_info i;

	(void)state;
	boot(ONE_CPU);
	i = cache_info(kmalloc_slab(k, 64, 0), 0);
	assert_int_equal(i.sharedfactor, 0);
	kmem_rig_down(&rig);
	boot(ONE_CPU "ncpu=2");
	i = cache_info(kmalloc_slab(k, 64, 0), 0);
	assert_int_equal(i.sharedfactor, 8);
	assert_int_equal(i.sharedfactor * i.batch, 480);
	kmem_rig_down(&rig);
}

static void test_A04_3(void **state)
{
	struct kmem_cache *c = cache(104, 8, 0);
	void *obj = kmem_cache_alloc(c, 0, GFP_KERNEL);
	struct kmem_cache_info i = cache_info(c, 0);

	(void)state;
	assert_int_equal(i.num, 39);
	assert_int_equal(i.num_slabs, 1);
	assert_int_equal(i.avail, 15);
	assert_int_equal(i.free_objects, 23);
	assert_int_equal(obj_index(c, obj), 15);
}

static void test_A04_4(void **state)
{
	struct kmem_cache *c = cache(104, 8, 0);
	struct kmem_cache_info i;

	(void)state;
	for (u32 n = 0; n < 16; n++)
		assert_int_equal(obj_index(c, kmem_cache_alloc(c, 0, GFP_KERNEL)), 15 - n);
	i = cache_info(c, 0);
	assert_int_equal(i.allochit, 15);
	assert_int_equal(i.allocmiss, 1);
	assert_int_equal(i.avail, 0);
	assert_int_equal(obj_index(c, kmem_cache_alloc(c, 0, GFP_KERNEL)), 38);
	i = cache_info(c, 0);
	assert_int_equal(i.avail, 22);
	assert_int_equal(i.num_slabs, 1);
	assert_int_equal(i.free_objects, 0);
	for (u32 n = 0; n < 22; n++)
		kmem_cache_alloc(c, 0, GFP_KERNEL);
	assert_int_equal(cache_info(c, 0).num_slabs, 1);
	kmem_cache_alloc(c, 0, GFP_KERNEL);
	assert_int_equal(cache_info(c, 0).num_slabs, 2);
	assert_int_equal(cache_info(c, 0).avail, 38); /* 60 wanted, one slab of 39 grown */
}

static void test_A04_5(void **state)
{
	struct kmem_cache *c = cache(1504, 8, 0);

	(void)state;
	assert_int_equal(cache_info(c, 0).colour, 10);
	for (u32 n = 0; n < 12 * 5; n++) {
		struct page *page = kmem_page(k, kmem_cache_alloc(c, 0, GFP_KERNEL));

		if (n % 5 == 0)
			assert_int_equal(page->slab_private, 8 + n / 5 % 10 * 64);
	}
}

static void test_A04_6(void **state)
{
	struct kmem_cache *c = cache(104, 8, 0);
	void *obj[121];
	u32 slabs_free;

	(void)state;
	for (int i = 0; i < 121; i++)
		obj[i] = kmem_cache_alloc(c, 0, GFP_KERNEL);
	while (cache_info(c, 0).avail)
		kmem_cache_alloc(c, 0, GFP_KERNEL);
	slabs_free = cache_info(c, 0).free_objects;
	for (int i = 0; i < 120; i++)
		kmem_cache_free(c, 0, obj[i]);
	assert_int_equal(cache_info(c, 0).avail, 120);
	assert_int_equal(cache_info(c, 0).freemiss, 0);
	kmem_cache_free(c, 0, obj[120]);
	assert_int_equal(cache_info(c, 0).avail, 61);
	assert_int_equal(cache_info(c, 0).freemiss, 1);
	assert_int_equal(cache_info(c, 0).free_objects, slabs_free + 60);
	/* the oldest went: the array's bottom is the 61st freed */
	assert_ptr_equal(kmem_cpu_array(c, 0)->entry[0], obj[60]);
	assert_ptr_equal(kmem_cpu_array(c, 0)->entry[60], obj[120]);
}

static void test_A04_7(void **state)
{
	struct kmem_cache *c = cache(104, 8, 0);
	void *obj[121];
	u32 before;

	(void)state;
	for (int i = 0; i < 121; i++)
		obj[i] = kmem_cache_alloc(c, 0, GFP_KERNEL);
	while (cache_info(c, 0).avail)
		kmem_cache_alloc(c, 0, GFP_KERNEL);
	before = cache_info(c, 0).free_objects;
	for (int i = 0; i < 121; i++)
		kmem_cache_free(c, 0, obj[i]);
	assert_int_equal(cache_info(c, 0).avail, 61);
	assert_int_equal(cache_info(c, 0).shared_avail, 60);
	assert_int_equal(cache_info(c, 0).free_objects, before);
	/* a refill of the other CPU takes the shared array's top */
	assert_ptr_equal(kmem_cache_alloc(c, 1, GFP_KERNEL), obj[59]);
	assert_int_equal(cache_info(c, 0).shared_avail, 60 - 16);
}

static void test_A04_8(void **state)
{
	struct kmem_cache *c = cache(104, 8, 0);
	void *obj[39 * 8];
	u64 slabs;

	(void)state;
	assert_int_equal(cache_info(c, 0).free_limit, 159);
	for (int i = 0; i < 39 * 8; i++)
		obj[i] = kmem_cache_alloc(c, 0, GFP_KERNEL);
	slabs = cache_info(c, 0).num_slabs;
	for (int i = 0; i < 39 * 8; i++) {
		struct kmem_cache_info was = cache_info(c, 0), is;

		kmem_cache_free(c, 0, obj[i]);
		is = cache_info(c, 0);
		assert_true(is.free_objects <= 159 + 38); /* never a free slab above the limit */
		if (is.num_slabs < was.num_slabs)
			assert_true(was.free_objects + 60 > 159);
	}
	assert_true(cache_info(c, 0).num_slabs < slabs);
	lists(c);
	assert_true(empty.n * 39 <= 159);
}

static void test_A04_9(void **state)
{
	struct kmem_cache *c = cache(1000, 8, 0); /* 4 a slab, limit 54, batch 27 */
	void *obj[400];

	(void)state;
	for (int i = 0; i < 400; i++)
		obj[i] = kmem_cache_alloc(c, 0, GFP_KERNEL);
	while (cache_info(c, 0).avail)
		kmem_cache_alloc(c, 0, GFP_KERNEL);
	for (int i = 0; i < 400; i += 4) /* one of each slab, in slab order or nearly */
		kmem_cache_free(c, 0, obj[i]);
	lists(c);
	assert_int_equal(partial.n, 54); /* two flushes of 27 */
	/* the first freed is the head of partial: the tail got each later one */
	assert_int_equal(partial.s[0].pfn, page_to_pfn(k->phys, kmem_page(k, obj[0])));
	assert_int_equal(partial.s[53].pfn, page_to_pfn(k->phys, kmem_page(k, obj[53 * 4])));
	for (int i = 0; i < 46; i++)
		kmem_cache_alloc(c, 0, GFP_KERNEL); /* empties the array */
	assert_int_equal(cache_info(c, 0).avail, 0);
	kmem_cache_alloc(c, 0, GFP_KERNEL);
	lists(c);
	assert_int_equal(partial.n, 27);
	assert_int_equal(partial.s[0].pfn, page_to_pfn(k->phys, kmem_page(k, obj[27 * 4])));
}

static void test_A04_10(void **state)
{
	struct kmem_cache *c = cache(104, 8, 0);
	void *a = kmem_cache_alloc(c, 0, GFP_KERNEL), *b[200];

	(void)state;
	for (int i = 0; i < 200; i++)
		b[i] = kmem_cache_alloc(c, 0, GFP_KERNEL);
	for (int i = 0; i < 200; i++)
		kmem_cache_free(c, 0, b[i]);
	assert_int_equal(kmem_cache_shrink(c, 0), 1);
	lists(c);
	assert_int_equal(empty.n, 0);
	assert_int_equal(partial.n, 1);
	assert_int_equal(cache_info(c, 0).avail, 0);
	assert_int_equal(kmem_cache_destroy(c, 0), -EBUSY);
	b[0] = kmem_cache_alloc(c, 0, GFP_KERNEL);
	assert_non_null(b[0]);
	kmem_cache_free(c, 0, b[0]);
	kmem_cache_free(c, 0, a);
	assert_int_equal(kmem_cache_shrink(c, 0), 0);
	assert_int_equal(kmem_cache_destroy(c, 0), 0);
}

static void ctor_count(void *obj)
{
	(*(u64 **)obj) = NULL;
}

static void test_A04_11(void **state)
{
	struct kmem_cache *a, *b;

	(void)state;
	boot(ONE_CPU);
	a = cache(100, 8, 0);
	b = cache(104, 8, 0);
	assert_ptr_equal(a, b);
	assert_int_equal(cache_info(a, 0).refcount, 2);
	assert_int_equal(cache_info(a, 0).object_size, 104);
	assert_ptr_not_equal(cache(96, 8, 0), a);
	assert_ptr_not_equal(cache(104, 8, SLAB_RECLAIM_ACCOUNT), a);
	assert_ptr_not_equal(kmem_cache_create(k, "ctor", 104, 8, 0, ctor_count), a);
	assert_ptr_equal(cache(64, 64, 0), kmalloc_slab(k, 64, 0));
	a = cache(1304, 64, 0);
	assert_ptr_equal(cache(1304, 8, SLAB_HWCACHE_ALIGN), a);
	assert_int_equal(kmem_cache_destroy(a, 0), 0);
	assert_int_equal(cache_info(a, 0).refcount, 1);
	kmem_rig_down(&rig);
	boot(ONE_CPU NO_MERGE);
	assert_ptr_not_equal(cache(100, 8, 0), cache(104, 8, 0));
	kmem_rig_down(&rig);
}

static void test_A04_12(void **state)
{
	struct kmem_cache *c = cache(104, 8, 0);
	void *obj[120];

	(void)state;
	for (int i = 0; i < 120; i++)
		obj[i] = kmem_cache_alloc(c, 0, GFP_KERNEL);
	while (cache_info(c, 0).avail)
		kmem_cache_alloc(c, 0, GFP_KERNEL);
	for (int i = 0; i < 120; i++)
		kmem_cache_free(c, 0, obj[i]);
	assert_int_equal(cache_info(c, 0).touched, 1);
	kmem_cache_reap(c, 0, false);
	assert_int_equal(cache_info(c, 0).avail, 120);
	assert_int_equal(cache_info(c, 0).touched, 0);
	kmem_cache_reap(c, 0, false);
	assert_int_equal(cache_info(c, 0).avail, 96);
	assert_ptr_equal(kmem_cpu_array(c, 0)->entry[0], obj[24]);
}

/* The node's turn: free_touched clears first, then ceil(free_limit / 5 num) slabs go. */
static void test_reap_node(void **state)
{
	struct kmem_cache *c = cache(104, 8, 0);
	void *obj[156];
	u32 before;

	(void)state;
	for (int i = 0; i < 156; i++)
		obj[i] = kmem_cache_alloc(c, 0, GFP_KERNEL);
	for (int i = 0; i < 156; i++)
		kmem_cache_free(c, 0, obj[i]);
	for (int i = 0; i < 8; i++)
		kmem_cache_reap(c, 0, false);
	assert_int_equal(cache_info(c, 0).free_touched, 1);
	lists(c);
	before = empty.n;
	assert_true(before > 1);
	kmem_cache_reap(c, 0, true);
	assert_int_equal(cache_info(c, 0).free_touched, 0);
	lists(c);
	assert_true(empty.n >= before);
	before = empty.n;
	kmem_cache_reap(c, 0, true);
	lists(c);
	assert_int_equal(before - empty.n, (159 + 5 * 39 - 1) / (5 * 39));
}

static void test_A04_15(void **state)
{
	struct zone *z = rig_zone(&rig.phys.phys, ZONE_NORMAL);
	struct kmem_cache *c = cache(104, 8, SLAB_RECLAIM_ACCOUNT);
	void *obj = kmem_cache_alloc(c, 0, GFP_KERNEL);

	(void)state;
	assert_int_equal(zone_page_state(z, NR_SLAB_RECLAIMABLE), 1);
	assert_int_equal(get_pageblock_migratetype(k->phys, kmem_page(k, obj)), MIGRATE_RECLAIMABLE);
	kmem_rig_check(&rig); /* 4015: sum over all slabs */
	kmem_cache_free(c, 0, obj);
	kmem_cache_shrink(c, 0);
	assert_int_equal(zone_page_state(z, NR_SLAB_RECLAIMABLE), 0);
}

static u32 ctor_runs;
static void ctor_mark(void *obj)
{
	ctor_runs++;
	*(u32 *)obj = 0x1234;
}

static void test_A04_16(void **state)
{
	struct kmem_cache *c = kmem_cache_create(k, "ctor", 104, 8, 0, ctor_mark);

	(void)state;
	ctor_runs = 0;
	for (int i = 0; i < 1000; i++) {
		u32 *obj = kmem_cache_alloc(c, 0, GFP_KERNEL);

		assert_int_equal(*obj, 0x1234);
		kmem_cache_free(c, 0, obj);
	}
	assert_int_equal(ctor_runs, 39);
	assert_int_equal(cache_info(c, 0).num_slabs, 1);
}

static void test_A04_17(void **state)
{
	struct kmem_cache *c = cache(512, 64, 0), *lists_of = kmalloc_slab(k, 8, 0);
	u64 before, held;
	void *obj;

	(void)state;
	assert_true(cache_info(c, 0).off_slab);
	assert_string_equal(lists_of->name, "kmalloc-64");
#define IN_USE() (cache_info(lists_of, 0).active_objs - cache_info(lists_of, 0).avail)
	before = IN_USE();
	obj = kmem_cache_alloc(c, 0, GFP_KERNEL);
	held = IN_USE();
	assert_int_equal(held, before + cache_info(c, 0).num_slabs);
	assert_ptr_equal(kmem_cache_of(k, kmem_page(k, obj)->freelist), lists_of);
	kmem_cache_free(c, 0, obj);
	kmem_cache_shrink(c, 0);
	held = IN_USE();
	assert_int_equal(held, before);
#undef IN_USE
}

static int by_address(const void *a, const void *b)
{
	const u8 *x = *(u8 *const *)a, *y = *(u8 *const *)b;

	return x < y ? -1 : x > y;
}

/* Every object of one slab: aligned, inside the block, disjoint. */
static void check_objects(struct kmem_cache *c)
{
	struct kmem_cache_info i = cache_info(c, 0);
	u8 **obj = calloc(i.num, sizeof(*obj)), *base;

	for (u32 n = 0; n < i.num; n++) {
		obj[n] = kmem_cache_alloc(c, 0, GFP_KERNEL);
		assert_non_null(obj[n]);
		assert_int_equal((obj[n] - k->arena) % i.align, 0);
	}
	qsort(obj, i.num, sizeof(*obj), by_address);
	base = hw_pfn_ptr(k->hw, page_to_pfn(k->phys, kmem_page(k, obj[0])));
	for (u32 n = 0; n < i.num; n++) {
		assert_true(obj[n] >= base && obj[n] + i.size <= base + ((size_t)4096 << i.order));
		assert_true(!n || obj[n] >= obj[n - 1] + i.size);
		kmem_cache_free(c, 0, obj[n]);
	}
	free(obj);
}

static void test_A04_19(void **state)
{
	struct prng r;

	(void)state;
	prng_seed(&r, test_seed(419));
	for (int n = 0; n < 1000; n++) {
		u32 size = (u32)prng_below(&r, prng_below(&r, 4) ? 600 : 20000) + 1;
		u32 align = 1u << prng_below(&r, 9), flags = prng_below(&r, 4) ? 0 : SLAB_HWCACHE_ALIGN;
		struct geom g;
		struct kmem_cache *c;

		flags |= prng_below(&r, 8) ? 0 : SLAB_RECLAIM_ACCOUNT;
		flags |= prng_below(&r, 8) ? 0 : SLAB_NOLEAKTRACE;
		g = expected(size, align, flags, 4, 64, false);
		c = kmem_cache_create(k, "random", size, align, flags, NULL);
		assert_int_equal(c != NULL, g.ok);
		if (!c)
			continue;
		assert_geom(c, &g);
		check_objects(c);
		assert_int_equal(kmem_cache_destroy(c, 0), 0);
	}
}

static void test_A04_20(void **state)
{
	struct kmem_cache *on = cache(104, 8, 0), *off = cache(512, 64, 0);

	(void)state;
	for (u64 nth = 1; nth <= 2; nth++) {
		struct kmem_cache *c = nth == 1 ? on : off;
		s64 free;

		for (void *o; (o = kmalloc(k, 0, 64, GFP_ATOMIC)), cache_info(kmalloc_slab(k, 64, 0), 0).avail;)
			assert_non_null(o); /* the off-slab list will need a page as well */
		drain_all_pages(k->phys);
		free = global_page_state(k->phys, NR_FREE_PAGES);
		k->phys->fail_nth = nth;
		assert_null(kmem_cache_alloc(c, 0, GFP_KERNEL));
		assert_int_equal(k->phys->fail_nth, 0);
		drain_all_pages(k->phys);
		assert_int_equal(global_page_state(k->phys, NR_FREE_PAGES), free);
		assert_int_equal(cache_info(c, 0).num_slabs, 0);
		assert_int_equal(cache_info(c, 0).avail, 0);
		kmem_rig_check(&rig);
		assert_non_null(kmem_cache_alloc(c, 0, GFP_KERNEL));
	}
}

/* spec 04 s2: sizes 0 to 7 without debug_vm, refusals with it, no order for 8 MiB. */
static void test_create_edges(void **state)
{
	struct kmem_cache_info i;

	(void)state;
	boot(ONE_CPU NO_MERGE);
	i = cache_info(cache(0, 0, 0), 0);
	assert_int_equal(i.size, 16);
	assert_int_equal(i.num, 240);
	assert_int_equal(i.object_size, 0);
	assert_null(kmem_cache_create(k, "huge", 8 * MiB, 0, 0, NULL));
	kmem_rig_down(&rig);
	boot(ONE_CPU NO_MERGE "debug_vm=1");
	assert_null(kmem_cache_create(k, "small", 0, 0, 0, NULL));
	assert_null(kmem_cache_create(k, NULL, 64, 0, 0, NULL));
	assert_null(kmem_cache_create(k, "huge", 4 * MiB + 1, 0, 0, NULL));
	assert_non_null(kmem_cache_create(k, "good", 64, 0, 0, NULL));
	kmem_rig_down(&rig);
}

static void test_slabinfo(void **state)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	for (int i = 0; i < 3; i++)
		kmem_cache_alloc(cache(104, 8, 0), 0, GFP_KERNEL);
	assert_int_equal(kmem_show(k, "slabinfo", f), 0);
	assert_int_equal(kmem_show(k, "maps", f), -ENOENT);
	fclose(f);
	assert_non_null(strstr(text, "slabinfo - version: 2.1\n# name            <active_objs>"));
	assert_non_null(strstr(text, "\ntest                  16     39    104   39    1 : tunables  120   60    0"
				     " : slabdata      1      1      0\n"));
	assert_non_null(strstr(text, "\nkmalloc-4194304 "));
	free(text);
}

int main(void)
{
#define T(f)  cmocka_unit_test_setup_teardown(f, boot_one, down)
#define T2(f) cmocka_unit_test_setup_teardown(f, boot_two, down)
	const struct CMUnitTest tests[] = {
		T(test_A04_1), cmocka_unit_test(test_A04_1_line32), cmocka_unit_test(test_A04_2),
		T(test_A04_3), T(test_A04_4), T(test_A04_5), T(test_A04_6), T2(test_A04_7),
		T(test_A04_8), T(test_A04_9), T(test_A04_10), cmocka_unit_test(test_A04_11),
		T(test_A04_12), T(test_reap_node), T(test_A04_15), T(test_A04_16), T(test_A04_17),
		T(test_A04_19), T(test_A04_20), cmocka_unit_test(test_create_edges), T(test_slabinfo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
