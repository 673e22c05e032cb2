/* SPDX-License-Identifier: BSD-2-Clause */
/* Swap areas and their slots: order, clusters, priorities, counts, batches (spec 08 s6, 13 s4). */
#include "tests/swap_rig.h"

#define RIG(...)    srig_boot((const char *const[]){"mem=64M", "ideal=1", __VA_ARGS__, NULL})
#define AREA(pages) ((pages) + 1) * PAGE

static u32 take(struct srig *g)
{
	return swp_offset(get_swap_page(g->sw));
}

static void give(struct srig *g, u32 offset)
{
	swapcache_free(g->sw, swp_entry(0, offset));
}

static int area(struct srig *g, u64 id, u64 pages, int prio)
{
	return swap_area_add(
		g->sw, &(struct swap_area){
			       .id = id, .bytes = AREA(pages), .has_prio = true, .prio = prio});
}

/* swap_check() wants every HAS_CACHE backed by a page: tests that only take slots give them back.
 */
static void give_all(struct srig *g)
{
	for (unsigned t = 0; t < MAX_SWAPFILES; t++)
		for (u32 off = 1; g->sw->info[t] && off < g->sw->info[t]->max; off++)
			if (g->sw->info[t]->swap_map[off] & SWAP_HAS_CACHE)
				swapcache_free(g->sw, swp_entry(t, off));
}

static void test_slots_in_a_row(void **state)
{
	struct srig g = RIG("swap=4M");

	for (u32 i = 1; i <= 1023; i++)
		assert_int_equal(take(&g), i);
	assert_int_equal(get_swap_page(g.sw).v, 0);
	assert_int_equal(g.sw->nr_swap_pages, 0);
	give(&g, 500);
	assert_int_equal(take(&g), 500);
	give_all(&g);
	assert_int_equal(g.sw->nr_swap_pages, 1023);
	srig_end(&g);
	(void)state;
}

/* The order part of A08.9 that needs no pages. */
static void test_clusters(void **state)
{
	struct srig g = RIG("swap=8M");

	for (u32 i = 1; i <= 300; i++)
		assert_int_equal(take(&g), i);
	for (u32 i = 10; i <= 20; i++)
		give(&g, i);
	for (u32 i = 301; i <= 512; i++) /* to the end of the second run of 256 */
		assert_int_equal(take(&g), i);
	/* 10..20 are no run of 256: the next one is behind */
	for (u32 i = 513; i <= 768; i++)
		assert_int_equal(take(&g), i);
	for (u32 i = 600; i < 600 + SWAPFILE_CLUSTER; i++)
		if (i <= 768)
			give(&g, i);
	/* 600..768 and what follows are free in a row */
	for (u32 i = 600; i < 600 + SWAPFILE_CLUSTER; i++)
		assert_int_equal(take(&g), i);
	give_all(&g);
	srig_end(&g);
	(void)state;
}

static void test_short_of_runs_takes_the_lowest(void **state)
{
	struct srig g = RIG("swap=4M");

	for (u32 i = 1; i <= 1023; i++)
		take(&g);
	for (u32 i = 2; i <= 1022; i += 2)
		give(&g, i); /* 511 free, never two in a row */
	for (u32 i = 2; i <= 1022; i += 2)
		assert_int_equal(take(&g), i);
	assert_int_equal(take(&g), 0);
	give_all(&g);
	srig_end(&g);
	(void)state;
}

static void test_solid_state_clusters(void **state)
{
	struct srig g = RIG("swap=4M", "swap_ssd=1", "ncpu=2");

	/* cluster 0 holds the header: it is no free cluster */
	assert_int_equal(take(&g), 256);
	g.m->hw.cpu = 1;
	assert_int_equal(take(&g), 512);
	assert_int_equal(take(&g), 513);
	g.m->hw.cpu = 0;
	for (u32 i = 257; i < 512; i++)
		assert_int_equal(take(&g), i);
	assert_int_equal(take(&g), 768);
	for (u32 i = 256; i < 512; i++)
		give(&g, i); /* a free cluster again, last on the list */
	for (u32 i = 769; i < 1024; i++)
		assert_int_equal(take(&g), i);
	assert_int_equal(take(&g), 256);
	for (u32 i = 257; i < 512; i++)
		assert_int_equal(take(&g), i);
	/* no free cluster left: any free slot after the last one */
	assert_int_equal(take(&g), 514);
	give_all(&g);
	srig_end(&g);
	(void)state;
}

static void test_priorities_and_turns(void **state)
{
	struct srig g = RIG("swap_slots=global");
	unsigned types[8];

	assert_int_equal(area(&g, 1, 100, 5), 0);
	assert_int_equal(area(&g, 2, 4, 10), 0);
	assert_int_equal(area(&g, 3, 4, 10), 0);
	for (int i = 0; i < 8; i++)
		types[i] = swp_type(get_swap_page(g.sw));
	for (int i = 0; i < 8; i += 2)
		assert_int_not_equal(types[i], types[i + 1]); /* 1 and 2 in turns */
	for (int i = 0; i < 8; i++)
		assert_int_not_equal(types[i], 0);
	assert_int_equal(swp_type(get_swap_page(g.sw)), 0); /* both full: the lower one */
	swapcache_free(g.sw, swp_entry(2, 3));
	assert_int_equal(get_swap_page(g.sw).v, swp_entry(2, 3).v);
	give_all(&g);
	srig_end(&g);
	(void)state;
}

static void test_automatic_priorities(void **state)
{
	struct srig g = RIG("swap=1M");
	char text[512] = "";
	FILE *f;

	assert_int_equal(swap_area_add(g.sw, &(struct swap_area){.id = 1, .bytes = MiB}), 0);
	assert_int_equal(swap_area_add(g.sw, &(struct swap_area){.id = 2, .bytes = MiB}), 0);
	assert_int_equal(g.sw->info[0]->prio, -1);
	assert_int_equal(g.sw->info[1]->prio, -2);
	assert_int_equal(g.sw->info[2]->prio, -3);
	swap_area_disable(g.sw, g.sw->info[1]);
	swap_area_remove(g.sw, g.sw->info[1]);
	assert_int_equal(g.sw->info[2]->prio, -2);
	assert_int_equal(swap_area_add(g.sw, &(struct swap_area){.id = 4, .bytes = MiB}), 0);
	assert_int_equal(g.sw->info[1]->prio, -3); /* the free type, the next priority */
	f = fmemopen(text, sizeof(text), "w");
	assert_int_equal(machine_show(g.m, "swaps", f), 0);
	fclose(f);
	assert_non_null(
		strstr(text, "/dev/swap4                              partition\t1020\t0\t-3\n"));
	srig_end(&g);
	(void)state;
}

static void test_swapon_errors(void **state)
{
	struct srig g = RIG("swap=1M");
	struct swap_area a = {.id = 9, .bytes = 2 * PAGE};

	assert_int_equal(swap_area_add(g.sw, &(struct swap_area){.id = 0, .bytes = MiB}), -EBUSY);
	assert_int_equal(swap_area_add(g.sw, &(struct swap_area){.id = 9, .bytes = PAGE}), -EINVAL);
	assert_int_equal(
		swap_area_add(g.sw,
			      &(struct swap_area){.id = 9, .bytes = MiB, .no_signature = true}),
		-EINVAL);
	for (; a.id < 9 + MAX_SWAPFILES - 1; a.id++)
		assert_int_equal(swap_area_add(g.sw, &a), 0);
	assert_int_equal(swap_area_add(g.sw, &a), -EPERM);
	assert_int_equal(g.sw->total_swap_pages, 255 + MAX_SWAPFILES - 1);
	srig_end(&g);
	(void)state;
}

static void test_counts_and_continuation(void **state)
{
	struct srig g = RIG("swap=1M");
	swp_entry_t e = get_swap_page(g.sw);
	u64 used = srig_event(&g, EV_PGALLOC_NORMAL) + srig_event(&g, EV_PGALLOC_DMA);

	assert_int_equal(swapcache_prepare(g.sw, e), -EEXIST);
	assert_int_equal(swapcache_prepare(g.sw, swp_entry(0, 7)), -ENOENT);
	assert_int_equal(swapcache_prepare(g.sw, swp_entry(0, 4000)), -EINVAL);
	assert_int_equal(swap_duplicate(g.sw, swp_entry(0, 7)), -ENOENT);
	assert_int_equal(swap_duplicate(g.sw, swp_entry(3, 7)), -EINVAL);
	for (u32 i = 1; i <= 1000; i++) {
		assert_int_equal(swap_duplicate(g.sw, e), 0);
		assert_int_equal(swap_count(g.sw, e), i);
	}
	assert_int_equal(swap_map_byte(g.sw, e), SWAP_HAS_CACHE | COUNT_CONTINUED | SWAP_MAP_MAX);
	assert_int_equal(srig_event(&g, EV_PGALLOC_NORMAL) + srig_event(&g, EV_PGALLOC_DMA),
			 used + 1);
	swapcache_free(g.sw, e);
	assert_int_equal(swapcache_prepare(g.sw, e), 0);
	swapcache_free(g.sw, e);
	for (u32 i = 999; i >= 1; i--) {
		swap_free(g.sw, e);
		assert_int_equal(swap_count(g.sw, e), i);
	}
	assert_int_equal(swap_map_byte(g.sw, e), 1);
	swap_free(g.sw, e);
	assert_int_equal(g.sw->nr_swap_pages, 255);
	srig_end(&g);
	(void)state;
}

static void test_no_memory_for_a_continuation(void **state)
{
	struct srig g = RIG("swap=1M");
	swp_entry_t e = get_swap_page(g.sw);

	for (u32 i = 0; i < SWAP_MAP_MAX; i++)
		assert_int_equal(swap_duplicate(g.sw, e), 0);
	g.m->phys.fail_nth = 1;
	assert_int_equal(swap_duplicate(g.sw, e), -ENOMEM);
	assert_int_equal(swap_count(g.sw, e), SWAP_MAP_MAX);
	for (u32 i = 0; i < SWAP_MAP_MAX; i++)
		swap_free(g.sw, e);
	give_all(&g);
	srig_end(&g);
	(void)state;
}

static void test_A13_7(void **state)
{
	struct srig g = RIG("swap=64M", "swap_slots=slots");
	s64 all = g.sw->nr_swap_pages;
	swp_entry_t e[65];

	e[0] = get_swap_page(g.sw);
	assert_int_equal(g.sw->nr_swap_pages, all - SWAP_BATCH);
	assert_int_equal(g.sw->info[0]->inuse_pages, SWAP_BATCH);
	for (int i = 1; i < 64; i++) {
		e[i] = get_swap_page(g.sw);
		assert_int_equal(g.sw->nr_swap_pages, all - SWAP_BATCH);
	}
	assert_int_equal(srig_event(&g, EV_SWAP_LOCKS), 1);
	e[64] = get_swap_page(g.sw);
	assert_int_equal(g.sw->nr_swap_pages, all - 2 * SWAP_BATCH);
	assert_int_equal(srig_event(&g, EV_SWAP_LOCKS), 2);
	swap_slots_drain(g.sw); /* 63 of the second batch were not handed out */
	assert_int_equal(g.sw->nr_swap_pages, all - 65);
	assert_int_equal(g.sw->info[0]->inuse_pages, 65);
	/* frees wait for the next 64 */
	for (int i = 0; i < 64; i++)
		swapcache_free(g.sw, e[i]);
	assert_int_equal(g.sw->nr_swap_pages, all - 65);
	swapcache_free(g.sw, e[64]);
	assert_int_equal(g.sw->nr_swap_pages, all - 1);
	swap_slots_drain(g.sw);
	assert_int_equal(g.sw->nr_swap_pages, all);
	srig_end(&g);
	(void)state;
}

static void test_A13_8(void **state)
{
	struct srig g = RIG("swap_slots=slots");
	u32 n = 0;

	assert_int_equal(area(&g, 1, 320, 1), 0);
	get_swap_page(g.sw);
	assert_false(g.sw->slots_active);
	assert_int_equal(g.sw->nr_swap_pages, 319);
	assert_int_equal(area(&g, 2, 2, 1), 0); /* 321 free */
	get_swap_page(g.sw);
	assert_true(g.sw->slots_active);
	while (g.sw->slots_active) {
		assert_int_not_equal(get_swap_page(g.sw).v, 0);
		n++;
	}
	/* the last call saw fewer than 128 free slots, gave its batch back, and took one */
	assert_int_equal(g.sw->slots_cache[0].nr, 0);
	assert_int_equal(g.sw->nr_swap_pages + 2 + n, 322);
	give_all(&g);
	swap_slots_drain(g.sw);
	assert_int_equal(g.sw->nr_swap_pages, 322);
	srig_end(&g);
	(void)state;
}

/* s4.4: locks of the area per 1000 slots taken and given back. */
static void test_batches_save_locks(void **state)
{
	struct srig global = RIG("swap=64M"), slots = RIG("swap=64M", "swap_slots=slots");
	struct srig *both[] = {&global, &slots};
	u64 locks[2];

	for (int k = 0; k < 2; k++) {
		swp_entry_t e[1000];

		for (int i = 0; i < 1000; i++)
			e[i] = get_swap_page(both[k]->sw);
		for (int i = 0; i < 1000; i++)
			swapcache_free(both[k]->sw, e[i]);
		locks[k] = srig_event(both[k], EV_SWAP_LOCKS);
		swap_slots_drain(both[k]->sw);
	}
	assert_int_equal(locks[0], 2000);
	assert_in_range(locks[1], 1000 / 64 * 2, 1000 / 64 * 2 + 2);
	srig_end(&global);
	srig_end(&slots);
	(void)state;
}

static void test_check_sees_damage(void **state)
{
	struct srig g = RIG("swap=1M");
	char why[512];

	srig_sound(&g);
	g.sw->info[0]->swap_map[9] = SWAP_HAS_CACHE;
	assert_int_equal(swap_check(g.sw, why, sizeof(why)), 8005);
	g.sw->info[0]->swap_map[9] = 1;
	assert_int_equal(swap_check(g.sw, why, sizeof(why)), 8006);
	g.sw->info[0]->swap_map[9] = 0;
	g.sw->nr_swap_pages--;
	assert_int_equal(swap_check(g.sw, why, sizeof(why)), 8006);
	g.sw->nr_swap_pages++;
	srig_end(&g);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots_in_a_row),
		cmocka_unit_test(test_clusters),
		cmocka_unit_test(test_short_of_runs_takes_the_lowest),
		cmocka_unit_test(test_solid_state_clusters),
		cmocka_unit_test(test_priorities_and_turns),
		cmocka_unit_test(test_automatic_priorities),
		cmocka_unit_test(test_swapon_errors),
		cmocka_unit_test(test_counts_and_continuation),
		cmocka_unit_test(test_no_memory_for_a_continuation),
		cmocka_unit_test(test_A13_7),
		cmocka_unit_test(test_A13_8),
		cmocka_unit_test(test_batches_save_locks),
		cmocka_unit_test(test_check_sees_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
