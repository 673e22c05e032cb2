/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries: both halves of ARM32 words, emulated young and dirty, swap entries, geometries (spec 02). */
#include "tests/arch_tables.h"

static const struct row {
	u32 linux_word, hw;
	unsigned rights; /* of the walker: A02.3 */
} rows[] = {
	{ 0x6012375f, 0x60123c7f, PT_UR | PT_UW | PT_KR | PT_KW },
	{ 0x6012371f, 0x60123e7f, PT_UR | PT_KR },
	{ 0x601237df, 0x60123e7f, PT_UR | PT_KR },
	{ 0x6012375d, 0, 0 },
	{ 0x6012365f, 0x6012345f, PT_KR | PT_KW },
	{ 0x60123653, 0x60123453, PT_KR | PT_KW },
};

static void test_A02_1(void **state)
{
	struct tables t;

	(void)state;
	tables_init(&t, PT_ARM_SHORT, MiB);
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		vaddr_t va = 0x10000000 + i * 0x1000;
		struct pt_leaf leaf;
		const u32 *page;

		tables_set(&t, va, arm_short_decode(rows[i].linux_word));
		assert_int_equal(pt_lookup(&t.space, va, &leaf), 0);
		page = pt_mem_at(&t.mem, leaf.table);
		assert_int_equal(page[i], rows[i].linux_word);
		assert_int_equal(page[i + ARM_HWTABLE_OFF / 4], rows[i].hw);
	}
	tables_destroy(&t);
}

static void test_A02_2(void **state)
{
	struct tables t;
	struct pt_leaf a, b;
	const u32 *l1;

	(void)state;
	tables_init(&t, PT_ARM_SHORT, MiB);
	tables_set(&t, 0x10003000, arm_short_decode(rows[0].linux_word));
	tables_set(&t, 0x10103000, arm_short_decode(rows[0].linux_word));
	assert_int_equal(pt_lookup(&t.space, 0x10003000, &a), 0);
	assert_int_equal(pt_lookup(&t.space, 0x10103000, &b), 0);
	assert_int_equal(a.table, b.table);
	assert_int_equal((u8 *)b.slot - (u8 *)a.slot, 1024);
	assert_int_equal(t.count[0], 1);
	l1 = pt_mem_at(&t.mem, t.space.root);
	assert_int_equal(l1[0x100] & 0xfff, 0x831);
	assert_int_equal(l1[0x101] & 0xfff, 0xc31);
	assert_int_equal(l1[0x101] - l1[0x100], 1024);
	tables_destroy(&t);
}

static void test_A02_3(void **state)
{
	struct tables t;
	struct pt_result r;

	(void)state;
	tables_init(&t, PT_ARM_SHORT, MiB);
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		vaddr_t va = 0x10000000 + i * 0x1000;

		tables_set(&t, va, arm_short_decode(rows[i].linux_word));
		for (unsigned access = 0; access < 6; access++) {
			bool user = access < 3;
			enum pt_access kind = (enum pt_access)(access % 3);
			bool ok = rows[i].rights & pt_right(kind, user);

			assert_int_equal(tables_access(&t, va + 0x123, kind, user, &r) == PT_OK, ok);
			if (ok)
				assert_int_equal(r.pa, 0x60123123);
		}
	}
	assert_int_equal(tables_access(&t, 0x10001000, PT_ACCESS_READ, true, &r), PT_OK);
	tables_access(&t, 0x10001000, PT_ACCESS_WRITE, true, &r);
	assert_int_equal(r.fsr, 0x80f);
	tables_destroy(&t);
}

/* What a fault handler does to an emulated young or dirty fault. */
static void make_young(struct tables *t, vaddr_t va, bool dirty)
{
	pt_slot *slot = pt_find_slot(&t->space, va);
	pte_t p = pte_mkyoung(pte_get(t->g, slot));

	pte_set(t->g, slot, dirty ? pte_mkdirty(p) : p, t->mmu.hwad);
}

static void test_A02_4(void **state)
{
	struct tables t;
	struct pt_result r;
	struct pt_leaf leaf;

	(void)state;
	tables_init(&t, PT_ARM_SHORT, MiB);
	tables_set(&t, 0x10000000, arm_short_decode(0x6012375d));
	for (unsigned access = 0; access < 3; access++) {
		tables_access(&t, 0x10000000, (enum pt_access)access, true, &r);
		assert_int_equal(r.fsr & 0x40f, 0x07);
	}
	make_young(&t, 0x10000000, false);
	assert_int_equal(pt_lookup(&t.space, 0x10000000, &leaf), 0);
	assert_int_equal(*(u32 *)(void *)leaf.slot, 0x6012375f);
	assert_int_equal(((u32 *)(void *)leaf.slot)[512], 0x60123c7f);
	assert_int_equal(tables_access(&t, 0x10000000, PT_ACCESS_WRITE, true, &r), PT_OK);
	tables_destroy(&t);
}

/* One write fault after mkclean, none when the hardware updates, on every geometry. */
static void clean_then_write(enum pt_geom geom, bool hwad)
{
	struct tables t;
	struct pt_result r;
	u64 prot;
	pt_slot *slot;
	vaddr_t va = 0x1230000;
	unsigned faults = 0;
	s64 tables_before;

	tables_init(&t, geom, 8 * MiB);
	t.mmu.hwad = hwad;
	prot = pte_user_prot(PT_READ | PT_WRITE | PT_SHARED);
	tables_set(&t, va, pte_mkdirty(pte_make((u64)0x1234 << t.g->page_shift, prot)));
	assert_int_equal(tables_access(&t, va, PT_ACCESS_WRITE, true, &r), PT_OK);
	slot = pt_find_slot(&t.space, va);
	pte_set(t.g, slot, pte_mkclean(pte_get(t.g, slot)), t.mmu.hwad);
	tables_before = t.count[0];
	assert_int_equal(tables_access(&t, va, PT_ACCESS_READ, true, &r), PT_OK);
	while (tables_access(&t, va, PT_ACCESS_WRITE, true, &r) != PT_OK) {
		assert_int_equal(r.status, PT_F_PERMISSION);
		make_young(&t, va, true);
		assert_true(++faults < 10);
	}
	assert_int_equal(faults, hwad ? 0 : 1);
	assert_true(pte_dirty(pte_get(t.g, slot)));
	assert_int_equal(t.count[0], tables_before);
	assert_int_equal(pte_pa(pte_get(t.g, slot)) >> t.g->page_shift, 0x1234);
	tables_destroy(&t);
}

static void test_A02_5(void **state)
{
	(void)state;
	for (unsigned geom = 0; geom < PT_NR_GEOM; geom++)
		clean_then_write((enum pt_geom)geom, false);
}

static void test_A02_6(void **state)
{
	(void)state;
	for (unsigned geom = 0; geom < PT_NR_GEOM; geom++) {
		struct tables t;
		struct pt_result r;
		pte_t old;

		clean_then_write((enum pt_geom)geom, true);
		tables_init(&t, (enum pt_geom)geom, 8 * MiB);
		t.mmu.hwad = true;
		old = pte_mkold(pte_make((u64)7 << t.g->page_shift, pte_user_prot(PT_READ)));
		tables_set(&t, 0x10000, old);
		assert_int_equal(tables_access(&t, 0x10000, PT_ACCESS_READ, true, &r), PT_OK);
		assert_true(pte_young(tables_pte(&t, 0x10000)));
		assert_false(pte_dirty(tables_pte(&t, 0x10000)));
		/* hardware never grants what the mapping forbids */
		assert_int_equal(tables_access(&t, 0x10000, PT_ACCESS_WRITE, true, &r), PT_F_PERMISSION);
		assert_false(pte_dirty(tables_pte(&t, 0x10000)));
		tables_destroy(&t);
	}
}

static void test_A02_10(void **state)
{
	static const struct {
		enum pt_geom geom;
		vaddr_t va;
		u32 index[4]; /* from the root down */
	} v[] = {
		{ PT_A64_4K_48, 0xffff800012345678, { 256, 0, 145, 325 } },
		{ PT_A64_64K_48, 0xffff800012345678, { 32, 0, 4660 } },
		{ PT_A64_16K_48, 0xffff800012345678, { 1, 0, 9, 209 } },
		{ PT_A64_4K_39, 0xffffffc012345678, { 256, 145, 325 } },
		{ PT_A64_64K_42, 0xfffffe0012345678, { 4096, 4660 } },
	};
	static const struct {
		enum pt_geom geom;
		unsigned levels, pgdir_shift, ptrs;
	} geo[] = {
		{ PT_A64_4K_39, 3, 30, 512 },  { PT_A64_4K_48, 4, 39, 512 }, { PT_A64_16K_36, 2, 25, 2048 },
		{ PT_A64_16K_47, 3, 36, 2048 }, { PT_A64_16K_48, 4, 47, 2 },  { PT_A64_64K_42, 2, 29, 8192 },
		{ PT_A64_64K_48, 3, 42, 64 },  { PT_ARM_SHORT, 2, 21, 2048 }, { PT_ARM_LPAE, 3, 30, 4 },
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(v); i++) {
		const struct pt_geometry *g = &pt_geometries[v[i].geom];

		for (int h = g->levels - 1, k = 0; h >= 0; h--, k++)
			assert_int_equal(pt_index(g, v[i].va, h), v[i].index[k]);
	}
	for (u32 i = 0; i < ARRAY_SIZE(geo); i++) {
		const struct pt_geometry *g = &pt_geometries[geo[i].geom];
		struct tables t;
		s64 sum = 1; /* the root */

		assert_int_equal(g->levels, geo[i].levels);
		assert_int_equal(pt_pgdir_shift(g), geo[i].pgdir_shift);
		assert_int_equal(g->entries[g->levels - 1], geo[i].ptrs);
		if (g->family == PT_ARM64) {
			assert_int_equal(pt_pgdir_shift(g), (g->page_shift - 3) * g->levels + 3);
			assert_int_equal(g->entries[0], 1u << (g->page_shift - 3));
		}
		tables_init(&t, g->geom, 8 * MiB);
		tables_set(&t, 0x10000, pte_make((u64)5 << g->page_shift, pte_user_prot(PT_READ)));
		for (int h = 0; h < PT_MAX_LEVELS; h++)
			sum += t.count[h];
		assert_int_equal(sum, geo[i].levels);
		tables_destroy(&t);
	}
}

static void test_A02_13(void **state)
{
	(void)state;
	for (unsigned geom = PT_A64_4K_39; geom < PT_NR_GEOM; geom++) {
		struct tables t;
		struct pt_result r;
		pt_slot *slot;

		tables_init(&t, (enum pt_geom)geom, 8 * MiB);
		tables_set(&t, 0x10000,
			   pte_mkwrite(pte_make((u64)9 << t.g->page_shift, pte_user_prot(PT_READ | PT_WRITE))));
		slot = pt_find_slot(&t.space, 0x10000);
		assert_true(*(u64 *)(void *)slot & A64_RDONLY);
		assert_int_equal(tables_access(&t, 0x10000, PT_ACCESS_WRITE, true, &r), PT_F_PERMISSION);
		assert_int_equal(r.fsr, 0x24u << 26 | 1u << 25 | 0x4f);
		make_young(&t, 0x10000, true);
		assert_false(*(u64 *)(void *)slot & A64_RDONLY);
		assert_true(*(u64 *)(void *)slot & A64_DIRTY);
		assert_int_equal(tables_access(&t, 0x10000, PT_ACCESS_WRITE, true, &r), PT_OK);
		tables_destroy(&t);
	}
}

static void test_A02_15(void **state)
{
	(void)state;
	for (unsigned geom = 0; geom < PT_NR_GEOM; geom++) {
		const struct pt_geometry *g = &pt_geometries[geom];
		u64 offsets[] = { 1, BIT(24), pt_swap_max_offset(g) };

		assert_int_equal(pt_swap_max_offset(g), g->family == PT_ARM64 ? BIT(50) - 1 : BIT(25) - 1);
		for (unsigned type = 0; type < 32; type++) {
			for (u32 i = 0; i < ARRAY_SIZE(offsets); i++) {
				pte_t p = pte_swap(type, offsets[i]);

				assert_false(pte_none(p));
				assert_false(pte_present(p));
				assert_int_equal(p.v & 3, 0);
				assert_int_equal(pte_swap_type(p), type);
				assert_int_equal(pte_swap_offset(p), offsets[i]);
				assert_int_equal(pte_is_migration(p), type >= PT_MAX_SWAPFILES);
			}
		}
	}
}

static void test_A02_16(void **state)
{
	struct tables t;
	struct pt_result r;

	(void)state;
	tables_init(&t, PT_A64_4K_48, MiB);
	assert_int_equal(tables_access(&t, 0x0001000000000000, PT_ACCESS_READ, true, &r), PT_F_TRANSLATION);
	assert_int_equal(r.level, 0);
	assert_int_equal(r.fsr & 0x3f, 4);
	tables_destroy(&t);
	tables_init(&t, PT_A64_4K_39, MiB);
	assert_int_equal(tables_access(&t, 0x0000008000000000, PT_ACCESS_READ, true, &r), PT_F_TRANSLATION);
	assert_int_equal(r.level, 0);
	assert_int_equal(r.fsr & 0x3f, 4);
	tables_destroy(&t);
}

/* All rights of vm_flags, through the table to the walker, with the private and shared forms. */
static void test_prot_from_vm(void **state)
{
	(void)state;
	for (unsigned geom = 0; geom < PT_NR_GEOM; geom++) {
		for (unsigned vm = 0; vm < 16; vm++) {
			struct tables t;
			struct pt_result r;
			pte_t p;

			tables_init(&t, (enum pt_geom)geom, 8 * MiB);
			p = pte_make((u64)77 << t.g->page_shift, pte_user_prot(vm));
			assert_true(pte_present(p) && pte_young(p) && !pte_dirty(p));
			assert_int_equal(pte_protnone(p), !(vm & 7));
			assert_int_equal(pte_write(p), (vm & 10) == 10);
			tables_set(&t, 0x20000, pte_mkdirty(p));
			assert_true(pte_present(tables_pte(&t, 0x20000)));
			assert_int_equal(pte_protnone(tables_pte(&t, 0x20000)), !(vm & 7));
			assert_int_equal(tables_access(&t, 0x20000, PT_ACCESS_READ, true, &r) == PT_OK, !!(vm & 7));
			assert_int_equal(tables_access(&t, 0x20000, PT_ACCESS_WRITE, true, &r) == PT_OK,
					 (vm & 10) == 10);
			assert_int_equal(tables_access(&t, 0x20000, PT_ACCESS_EXEC, true, &r) == PT_OK, !!(vm & 4));
			p = pte_modify(tables_pte(&t, 0x20000), pte_user_prot(PT_READ));
			tables_set(&t, 0x20000, p);
			assert_int_equal(tables_access(&t, 0x20000, PT_ACCESS_READ, true, &r), PT_OK);
			assert_int_equal(r.pa >> t.g->page_shift, 77);
			assert_int_equal(tables_access(&t, 0x20000, PT_ACCESS_WRITE, true, &r), PT_F_PERMISSION);
			tables_destroy(&t);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A02_1),  cmocka_unit_test(test_A02_2),  cmocka_unit_test(test_A02_3),
		cmocka_unit_test(test_A02_4),  cmocka_unit_test(test_A02_5),  cmocka_unit_test(test_A02_6),
		cmocka_unit_test(test_A02_10), cmocka_unit_test(test_A02_13), cmocka_unit_test(test_A02_15),
		cmocka_unit_test(test_A02_16), cmocka_unit_test(test_prot_from_vm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
