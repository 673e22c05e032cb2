/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The running kernel judges the page cache (bench/cache_judge.h): misses, refaults, activations and the length
 * of the active list, side by side. Skipped (77) without root, a memory cgroup or a disk. MEMRIG_SEED moves the
 * strings.
 */
#include "bench/cache_judge.h"
#include "tests/test.h"

#define MISSES	 2.0 /* percent apart */
#define REFAULTS 5.0

static void print_sides(const struct cache_case *c, const struct cache_verdict *v)
{
	const struct cache_side *sides[] = {&v->kernel, &v->model};

	for (int i = 0; i < 2; i++)
		print_message("  %-18s %-6s %llu misses, %llu refaults, %lld activated (%llu perhaps others'), "
			      "%llu active\n",
			      i ? "" : c->name, i ? "model" : "kernel", (unsigned long long)sides[i]->misses,
			      (unsigned long long)sides[i]->refaults, (long long)sides[i]->activations,
			      (unsigned long long)sides[i]->strangers, (unsigned long long)sides[i]->active);
}

static bool near(const struct cache_case *c, const char *what, u64 kernel, u64 model, double percent, u64 slack)
{
	u64 apart = kernel > model ? kernel - model : model - kernel;

	if (apart <= slack || cache_judge_error(kernel, model) <= percent)
		return true;
	print_message("  %s: %s apart: kernel %llu, model %llu\n", c->name, what, (unsigned long long)kernel,
		      (unsigned long long)model);
	return false;
}

/* The kernel's lists are moved in batches of 31 a CPU, and its counters lag behind by up to 128 pages. */
static bool agree(const struct cache_case *c, const struct cache_verdict *v)
{
	if (!near(c, "misses", v->kernel.misses, v->model.misses, MISSES, 0))
		return false;
	if (v->mglru)
		return true; /* counts refaults otherwise */
	return near(c, "refaults", v->kernel.refaults, v->model.refaults, REFAULTS, 64) &&
	       near(c, "active pages", v->kernel.active, v->model.active, REFAULTS, 128) &&
	       (v->kernel.activations < 0 ||
		near(c, "activations", (u64)v->kernel.activations, (u64)v->model.activations, REFAULTS,
		     128 + v->kernel.strangers));
}

/*
 * What else the machine does can disturb a run of the kernel (its own reclaim takes the group's pages, too), but
 * hardly makes it agree with a model that is wrong: so a few runs may be tried.
 */
#define TRIES 4

static void judge(unsigned i)
{
	const struct cache_case *c = cache_judge_case(i);
	struct cache_verdict v;
	char err[600];

	for (unsigned try = 1; try <= TRIES; try++) {
		if (cache_judge_run(c, MEMRIG_BINARY_DIR, test_seed(1), &v, err, sizeof(err)))
			fail_msg("%s", err);
		print_sides(c, &v);
		assert_true(v.kernel.misses > c->limit / 4096); /* there was a limit */
		if (agree(c, &v))
			return;
	}
	fail_msg("%s: %u runs of the kernel, none like the model", c->name, TRIES);
}

static void test_scan_and_hot_set(void **state)
{
	(void)state;
	judge(0);
}

static void test_phases(void **state)
{
	(void)state;
	judge(1);
}

static void test_zipf(void **state)
{
	(void)state;
	judge(2);
}

static void test_cyclic(void **state)
{
	(void)state;
	judge(3);
}

/* A model with nine tenths of the memory would not pass. */
static void test_less_memory_is_noticed(void **state)
{
	struct cache_side all, less;
	char err[256];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		const struct cache_case *c = cache_judge_case(i);
		u64 pages = c->limit / 4096;

		assert_int_equal(cache_judge_model(c, 1, false, pages, &all, err, sizeof(err)), 0);
		assert_int_equal(cache_judge_model(c, 1, false, pages * 9 / 10, &less, err, sizeof(err)), 0);
		assert_true(cache_judge_error(all.misses, less.misses) > MISSES);
		assert_true(cache_judge_error(all.refaults, less.refaults) > REFAULTS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan_and_hot_set),
		cmocka_unit_test(test_phases),
		cmocka_unit_test(test_zipf),
		cmocka_unit_test(test_cyclic),
		cmocka_unit_test(test_less_memory_is_noticed),
	};
	char why[600];

	if (!cache_judge_possible(MEMRIG_BINARY_DIR, why, sizeof(why))) {
		printf("skipped: %s\n", why);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
