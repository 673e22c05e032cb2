/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KSM under random life: processes write, fork, exit, unmap, advise and are scanned in batches of any
 * size. A naive model knows what every page must hold; machines that differ in what must not matter show
 * the same counters all the time.
 */
#include "core/base/prng.h"
#include "tests/ksm_rig.h"

#define PAGES 600ull /* more than one leaf table */
#define TASKS 6u
#define GONE  ~0ull

struct model {
	bool alive;
	u64 tag[PAGES]; /* GONE: nothing mapped */
	bool touched[PAGES];
};

struct storm {
	struct ksm_rig g;
	struct prng prng;
	struct model model[TASKS + 1];
	u64 next_tag;
	bool whole; /* scans are full ones */
};

static u64 below(struct storm *s, u64 n)
{
	return prng_below(&s->prng, n);
}

/* Some process that lives; 0: none does. */
static u32 somebody(struct storm *s)
{
	u32 first = (u32)below(s, TASKS);

	for (u32 i = 0; i < TASKS; i++)
		if (s->model[1 + (first + i) % TASKS].alive)
			return 1 + (first + i) % TASKS;
	return 0;
}

static u32 nobody(struct storm *s)
{
	for (u32 t = 1; t <= TASKS; t++)
		if (!s->model[t].alive)
			return t;
	return 0;
}

static void appear(struct storm *s, u32 t)
{
	ksm_task(&s->g, t);
	ksm_area(&s->g, t, 0, PAGES);
	memset(&s->model[t], 0, sizeof(s->model[t]));
	s->model[t].alive = true;
}

static void op_fill(struct storm *s, u32 t)
{
	u64 first = below(s, PAGES), n = 1 + below(s, 60), kind = below(s, 4);
	u64 tag = kind == 0 ? 0 : kind == 1 ? 1 + below(s, 5) : s->next_tag;

	for (u64 i = first; i < first + n && i < PAGES; i++) {
		if (s->model[t].tag[i] == GONE)
			continue;
		ksm_fill(&s->g, t, i, 1, tag, 0);
		s->model[t].tag[i] = tag;
		s->model[t].touched[i] = true;
		tag += kind == 3;
	}
	s->next_tag = kind >= 2 ? tag + 1 : s->next_tag;
}

static void op_write(struct storm *s, u32 t)
{
	u64 i = below(s, PAGES), tag = below(s, 3) ? 1 + below(s, 5) : ++s->next_tag;

	if (s->model[t].tag[i] == GONE)
		return;
	ksm_write(&s->g, t, i, tag);
	s->model[t].tag[i] = tag;
	s->model[t].touched[i] = true;
}

static void op_fork(struct storm *s, u32 t)
{
	u32 child = nobody(s);

	if (!child)
		return;
	ksm_forked(&s->g, t, child);
	s->model[child] = s->model[t];
}

static void op_exit(struct storm *s, u32 t)
{
	vm_exit(s->g.vm, s->g.t[t]);
	s->model[t].alive = false;
}

/* Unmapped, given up, or moved away from under ksmd and mapped anew. */
static void op_unmap(struct storm *s, u32 t)
{
	u64 first = below(s, PAGES), n = 1 + below(s, 40), kind = below(s, 3);

	if (first + n > PAGES)
		n = PAGES - first;
	if (kind == 0) {
		assert_int_equal(sys_munmap(s->g.vm, s->g.t[t], ksm_at(&s->g, first), n * s->g.page), 0);
	} else if (kind == 1) {
		sys_madvise(s->g.vm, s->g.t[t], ksm_at(&s->g, first), n * s->g.page, MM_MADV_DONTNEED);
	} else {
		ksm_area(&s->g, t, first, n);
	}
	for (u64 i = first; i < first + n; i++) {
		if (s->model[t].tag[i] == GONE && kind == 1)
			continue;
		s->model[t].tag[i] = kind ? 0 : GONE;
		s->model[t].touched[i] = false;
	}
}

static void one_op(struct storm *s)
{
	u32 t = somebody(s);
	u64 what = below(s, 40), first = below(s, PAGES);

	if (!t)
		appear(s, 1);
	else if (what < 12)
		op_fill(s, t);
	else if (what < 22)
		op_write(s, t);
	else if (what < 24)
		op_fork(s, t);
	else if (what < 25)
		op_exit(s, t);
	else if (what < 28)
		op_unmap(s, t);
	else if (what < 31)
		(void)ksm_advise(&s->g, t, first, 1 + below(s, 80),
				 below(s, 3) ? MM_MADV_MERGEABLE : MM_MADV_UNMERGEABLE);
	else if (what < 38 && !s->whole)
		ksm_do_scan(s->g.k, 1 + below(s, 900));
	else if (what < 39)
		ksm_full_scans(s->g.k, 1 + below(s, 3));
	else if (!below(s, 4))
		assert_int_equal(ksm_set_run(s->g.k, KSM_RUN_UNMERGE) | ksm_set_run(s->g.k, KSM_RUN_STOP), 0);
}

static void assert_contents(struct storm *s)
{
	for (u32 t = 1; t <= TASKS; t++)
		for (u64 i = 0; s->model[t].alive && i < PAGES; i++) {
			u64 tag = 0;
			bool mapped = mm_read_tag(s->g.vm, s->g.t[t], ksm_at(&s->g, i), &tag);

			if (mapped != s->model[t].touched[i] || (mapped && tag != s->model[t].tag[i]))
				fail_msg("task %u page %llu: %llu, expected %llu", t, (unsigned long long)i,
					 (unsigned long long)tag, (unsigned long long)s->model[t].tag[i]);
			if (mapped && s->g.m->hw.data_bytes && ksm_page(&s->g, t, i)) {
				struct page *p = ksm_page(&s->g, t, i);
				const u64 *w = hw_pfn_ptr(&s->g.m->hw, page_to_pfn(&s->g.m->phys, p));

				for (u64 k = 0; k < s->g.page / 8; k += 37)
					assert_int_equal(w[k], tag);
			}
		}
}

#define POINTS 12 /* quiet points of a storm */
#define OPS    60 /* operations between two */

/* Counters after each operation, and after each quiet point's scans. */
struct history {
	struct ksm_stats op[POINTS][OPS], quiet[POINTS];
};

static struct history *storm(const char *machine, const char *policy, u64 seed, bool whole, bool pass)
{
	struct history *h = calloc(1, sizeof(*h));
	struct storm *s = calloc(1, sizeof(*s));

	s->g = ksm_boot(machine, policy);
	s->g.k->pass_settled &= pass;
	s->whole = whole;
	prng_seed(&s->prng, seed);
	s->next_tag = 1000;
	appear(s, 1);
	for (int point = 0; point < POINTS; point++) {
		for (int i = 0; i < OPS; i++) {
			one_op(s);
			ksm_stats(s->g.k, &h->op[point][i]);
		}
		assert_machine_sound(s->g.m);
		assert_contents(s);
		ksm_full_scans(s->g.k, 4);
		assert_machine_sound(s->g.m);
		assert_contents(s);
		ksm_stats(s->g.k, &h->quiet[point]);
	}
	for (u32 t = 1; t <= TASKS; t++)
		if (s->model[t].alive)
			op_exit(s, t);
	ksm_full_scans(s->g.k, 1);
	ksm_expect(&s->g, 0, 0, 0, 0);
	assert_int_equal(machine_counter(s->g.m, "nr_anon_pages"), 0);
	ksm_end(&s->g);
	free(s);
	return h;
}

static void assert_same(const char *what, int point, int op, const struct ksm_stats *a, const struct ksm_stats *b)
{
	if (memcmp(a, b, sizeof(*a)))
		fail_msg("%s: point %d, operation %d: %llu/%llu/%llu/%llu, scanned %llu; expected %llu/%llu/%llu/%llu, "
			 "%llu", what, point, op, (unsigned long long)a->pages_shared,
			 (unsigned long long)a->pages_sharing, (unsigned long long)a->pages_unshared,
			 (unsigned long long)a->pages_volatile, (unsigned long long)a->pages_scanned,
			 (unsigned long long)b->pages_shared, (unsigned long long)b->pages_sharing,
			 (unsigned long long)b->pages_unshared, (unsigned long long)b->pages_volatile,
			 (unsigned long long)b->pages_scanned);
}

static void assert_same_history(const char *what, struct history *a, const struct history *b)
{
	for (int p = 0; p < POINTS; p++) {
		for (int i = 0; i < OPS; i++)
			assert_same(what, p, i, &a->op[p][i], &b->op[p][i]);
		assert_same(what, p, OPS, &a->quiet[p], &b->quiet[p]);
	}
	free(a);
}

static const char *const policies[] = {
	"", "policy=4.12", "policy=4.12 ksm_max_page_sharing=5",
	"policy=modern ksm_smart_scan=0 ksm_use_zero_pages=1",
	"policy=modern ksm_smart_scan=1 ksm_max_page_sharing=3 ksm_pages_to_scan=64", "page=64k va=42",
	"arch=arm32",
};

/* The same order over tags and over bytes, with pages passed and without: the same after each operation. */
static void test_storm_in_both_data_modes_with_pages_passed(void **state)
{
	u64 seed = test_seed(3);

	(void)state;
	for (size_t p = 0; p < ARRAY_SIZE(policies); p++) {
		struct history *h = storm("", policies[p], seed + p, false, true);

		assert_same_history("bytes", storm("data=bytes", policies[p], seed + p, false, true), h);
		free(h);
		h = storm("ksm_order=hash", policies[p], seed + p, false, false);
		assert_same_history("pages passed", storm("ksm_order=hash", policies[p], seed + p, false, true), h);
		assert_same_history("pages passed, bytes",
				    storm("ksm_order=hash data=bytes", policies[p], seed + p, false, true), h);
		free(h);
	}
}

/*
 * Both orders, when nothing changes within a full scan and a stale node ends no search: the same. With a
 * limit of mappings a page, walks also move a chain's duplicates about, so then it does not hold.
 */
static void test_storm_in_both_orders(void **state)
{
	static const char *const unlimited[] = {
		"policy=4.12", "policy=4.12 ksm_use_zero_pages=1 ksm_pages_to_scan=77",
		"policy=modern ksm_max_page_sharing=0", "policy=modern ksm_smart_scan=0 ksm_max_page_sharing=0",
	};
	u64 seed = test_seed(40);

	(void)state;
	for (size_t p = 0; p < ARRAY_SIZE(unlimited); p++) {
		struct history *h = storm("", unlimited[p], seed + p, true, true);

		assert_same_history("hash", storm("ksm_order=hash", unlimited[p], seed + p, true, true), h);
		free(h);
	}
}

/* Every allocation of a life with KSM fails once; nothing is lost, and contents stay. */
static void test_failures_everywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ksm_machines); i++) {
		bool failed = true;

		for (u64 nth = 1; failed; nth++) {
			struct ksm_rig g = ksm_boot(ksm_machines[i], "ksm_max_page_sharing=3");
			s64 r;

			ksm_map(&g, 1, 0, 40);
			ksm_fill(&g, 1, 0, 40, 7, 0);
			ksm_fill(&g, 1, 30, 6, 9, 1);
			g.m->phys.fail_nth = nth;
			r = ksm_advise(&g, 1, 0, 40, MM_MADV_MERGEABLE);
			ksm_full_scans(g.k, 3);
			(void)ksm_set_run(g.k, KSM_RUN_UNMERGE);
			(void)ksm_set_run(g.k, KSM_RUN_STOP);
			ksm_full_scans(g.k, 2);
			failed = !g.m->phys.fail_nth;
			g.m->phys.fail_nth = 0;
			assert_machine_sound(g.m);
			for (u64 p = 0; p < 40; p++)
				assert_int_equal(ksm_tag(&g, 1, p), p >= 30 && p < 36 ? 9 + p - 30 : 7);
			if (r)
				assert_int_equal(ksm_advise(&g, 1, 0, 40, MM_MADV_MERGEABLE), 0);
			ksm_full_scans(g.k, 3);
			ksm_expect(&g, 11, 22, 7, 0); /* 34 equal: 11 of 3, and one left */
			ksm_end(&g);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_storm_in_both_data_modes_with_pages_passed),
		cmocka_unit_test(test_storm_in_both_orders),
		cmocka_unit_test(test_failures_everywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
