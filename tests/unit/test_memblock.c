/* SPDX-License-Identifier: BSD-2-Clause */
/* Chapter 01 s2: memblock; a bitmap of small addresses is the naive version. */
#include "core/base/bits.h"
#include "core/base/prng.h"
#include "core/phys/memblock.h"
#include "tests/phys_boot.h"

static struct memblock fresh(void)
{
	struct memblock mb;

	assert_int_equal(memblock_init(&mb), 0);
	return mb;
}

static void check(const struct memblock *mb)
{
	char why[128] = "";

	if (memblock_check(mb, why, sizeof(why)))
		fail_msg("%s", why);
}

static void test_A01_1(void **state)
{
	static const u8 orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	static const u64 ranges[3][2] = {{0, 100}, {100, 100}, {50, 100}};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(orders); k++) {
		struct memblock mb = fresh();

		for (unsigned i = 0; i < 3; i++)
			memblock_add(&mb, ranges[orders[k][i]][0], ranges[orders[k][i]][1]);
		check(&mb);
		assert_int_equal(mb.memory.cnt, 1);
		assert_int_equal(mb.memory.regions[0].base, 0);
		assert_int_equal(mb.memory.regions[0].size, 200);
		memblock_destroy(&mb);
	}
}

static void test_A01_2(void **state)
{
	struct memblock mb = fresh();
	paddr_t s, e;
	u64 i = 0;

	(void)state;
	memblock_add(&mb, 0x1000, 0x9000);
	memblock_reserve(&mb, 0x3000, 0x1000);
	assert_true(memblock_next_free(&mb, &i, &s, &e, NULL));
	assert_int_equal(s, 0x1000);
	assert_int_equal(e, 0x3000);
	assert_true(memblock_next_free(&mb, &i, &s, &e, NULL));
	assert_int_equal(s, 0x4000);
	assert_int_equal(e, 0xa000);
	assert_false(memblock_next_free(&mb, &i, &s, &e, NULL));
	memblock_destroy(&mb);
}

static void test_A01_3(void **state)
{
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, IDEAL_1G);

	(void)state;
	assert_int_equal(memblock_alloc(&p->memblock, 8 * MiB, 4096), 0x8f000000);
	phys_destroy(p);
	hw_destroy(&rig.hw);
}

static void test_find_obeys_limits(void **state)
{
	struct memblock mb = fresh();

	(void)state;
	memblock_add(&mb, 0, 0x10000);
	/* the first page never */
	assert_int_equal(memblock_find_in_range(&mb, 0x1000, 0x1000, 0, 0x1000), MEMBLOCK_NOWHERE);
	assert_int_equal(memblock_find_in_range(&mb, 0x1000, 0x1000, 0, 0x2000), 0x1000);
	assert_int_equal(memblock_find_in_range(&mb, 0x3000, 0x4000, 0, 0), 0xc000);
	mb.current_limit = 0x8000;
	assert_int_equal(memblock_find_in_range(&mb, 0x1000, 0x1000, 0, MEMBLOCK_ACCESSIBLE), 0x7000);
	mb.bottom_up = true;
	assert_int_equal(memblock_find_in_range(&mb, 0x1000, 0x4000, 0, MEMBLOCK_ACCESSIBLE), 0x4000);
	assert_int_equal(memblock_alloc(&mb, 0x10000, 1), MEMBLOCK_NOWHERE);
	memblock_destroy(&mb);
}

static void test_size_edges(void **state)
{
	struct memblock mb = fresh();

	(void)state;
	assert_int_equal(memblock_add(&mb, 0x5000, 0), 0);
	assert_int_equal(mb.memory.cnt, 0);
	assert_int_equal(memblock_add(&mb, UINT64_MAX - 0xfff, 0x5000), 0);
	assert_int_equal(mb.memory.regions[0].size, 0xfff); /* cut to the address limit */
	check(&mb);
	memblock_destroy(&mb);
}

/* test_I01_1: all operations at random against a bitmap, regions sorted, disjoint, merged. */
#define CELLS 256
static void apply(bool *cells, u64 base, u64 size, bool value)
{
	for (u64 i = base; i < base + size && i < CELLS; i++)
		cells[i] = value;
}

static void compare(const struct memblock_type *t, const bool *cells)
{
	u64 total = 0;

	for (u64 i = 0; i < CELLS; i++)
		total += cells[i];
	assert_int_equal(t->total_size, total);
	for (u64 i = 0; i < CELLS; i++)
		assert_int_equal(memblock_bytes_in(t, i, i + 1), cells[i]);
}

static void compare_free(const struct memblock *mb, const bool *mem, const bool *res)
{
	bool cells[CELLS] = {false};
	paddr_t s, e, last = 0;

	for (u64 i = 0; memblock_next_free(mb, &i, &s, &e, NULL);) {
		assert_true(s >= last && s < e);
		last = e;
		apply(cells, s, e - s, true);
	}
	for (u64 i = 0; i < CELLS; i++)
		assert_int_equal(cells[i], mem[i] && !res[i]);
}

static void test_I01_1(void **state)
{
	bool mem[CELLS] = {false}, res[CELLS] = {false};
	struct memblock mb = fresh();
	struct prng prng;

	(void)state;
	prng_seed(&prng, test_seed(7));
	for (unsigned op = 0; op < 3000; op++) {
		u64 base = prng_below(&prng, CELLS), size = prng_below(&prng, CELLS - base + 1);

		if (prng_below(&prng, 3))
			size = mm_min(size, 9);
		switch (prng_below(&prng, 4)) {
		case 0:
			memblock_add(&mb, base, size);
			apply(mem, base, size, true);
			break;
		case 1:
			memblock_remove(&mb, base, size);
			apply(mem, base, size, false);
			break;
		case 2:
			memblock_reserve(&mb, base, size);
			apply(res, base, size, true);
			break;
		default:
			memblock_free(&mb, base, size);
			apply(res, base, size, false);
		}
		check(&mb);
		compare(&mb.memory, mem);
		compare(&mb.reserved, res);
		compare_free(&mb, mem, res);
	}
	memblock_destroy(&mb);
}

static void test_nodes_split_and_merge(void **state)
{
	struct memblock mb = fresh();

	(void)state;
	memblock_add(&mb, 0, 100);
	memblock_set_node(&mb, 30, 40, 1);
	check(&mb);
	assert_int_equal(mb.memory.cnt, 3);
	assert_int_equal(mb.memory.regions[1].base, 30);
	assert_int_equal(mb.memory.regions[1].size, 40);
	assert_int_equal(mb.memory.regions[1].nid, 1);
	memblock_set_node(&mb, 0, 100, 0);
	assert_int_equal(mb.memory.cnt, 1);
	memblock_destroy(&mb);
}

static void test_more_regions_than_the_first_table(void **state)
{
	struct memblock mb = fresh();

	(void)state;
	for (u64 i = 0; i < 1000; i++)
		assert_int_equal(memblock_add(&mb, (999 - i) * 10, 5), 0);
	check(&mb);
	assert_int_equal(mb.memory.cnt, 1000);
	memblock_destroy(&mb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A01_1), cmocka_unit_test(test_A01_2),
		cmocka_unit_test(test_A01_3), cmocka_unit_test(test_I01_1),
		cmocka_unit_test(test_find_obeys_limits), cmocka_unit_test(test_size_edges),
		cmocka_unit_test(test_nodes_split_and_merge),
		cmocka_unit_test(test_more_regions_than_the_first_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
