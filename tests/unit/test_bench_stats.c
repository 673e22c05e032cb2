/* SPDX-License-Identifier: BSD-2-Clause */
/* Statistics and comparison on synthetic data: regressions are found, noise is none. */
#include <math.h>

#include "bench/compare.h"
#include "bench/core_share.h"
#include "bench/stats.h"
#include "core/base/prng.h"
#include "tests/test.h"

static void near(double got, double want)
{
	if (fabs(got - want) > 1e-9)
		fail_msg("got %.12g, want %.12g", got, want);
}

static void test_quantiles(void **state)
{
	double v[] = {5, 1, 4, 2, 3}, even[] = {4, 1, 3, 2};

	(void)state;
	near(stats_median(v, 5), 3);
	near(v[0], 5); /* the input keeps its order */
	near(stats_median(even, 4), 2.5);
	near(stats_quantile(v, 5, 0.25), 2);
	near(stats_quantile(v, 5, 1), 5);
	near(stats_quantile(v, 1, 0.3), 1);
	assert_true(isnan(stats_median(v, 0)));
}

/* Every arrangement of the ranks: the plain definition of P(U >= u). */
static double brute_force(const double *a, size_t na, const double *b, size_t nb)
{
	size_t n = na + nb;
	double u = 0, seen = 0, total = 0;

	for (size_t i = 0; i < na; i++)
		for (size_t j = 0; j < nb; j++)
			u += b[j] > a[i];
	for (u64 set = 0; set < 1ull << n; set++) {
		double k = 0, below = 0;

		if ((size_t)__builtin_popcountll(set) != nb)
			continue;
		for (size_t r = 0; r < n; r++) {
			if (set >> r & 1)
				k += below;
			else
				below++;
		}
		total++;
		seen += k >= u;
	}
	return seen / total;
}

static void test_mann_whitney_exact(void **state)
{
	struct prng r;

	(void)state;
	prng_seed(&r, test_seed(7));
	for (int round = 0; round < 60; round++) {
		size_t na = 1 + prng_below(&r, 6), nb = 1 + prng_below(&r, 6);
		double a[6], b[6];

		for (size_t i = 0; i < na; i++)
			a[i] = (double)prng_below(&r, 1000000) / 7.0;
		for (size_t i = 0; i < nb; i++)
			b[i] = (double)prng_below(&r, 1000000) / 11.0 + 0.001;
		near(stats_mann_whitney(a, na, b, nb), brute_force(a, na, b, nb));
	}
}

static void test_mann_whitney_edges(void **state)
{
	double same[8] = {1, 1, 1, 1, 1, 1, 1, 1}, a[50], b[50];

	(void)state;
	near(stats_mann_whitney(same, 4, same + 4, 4), 1); /* nothing but ties */
	near(stats_mann_whitney(same, 0, same, 4), 1);
	for (int i = 0; i < 50; i++) {
		a[i] = i;
		b[i] = i + 40;
	}
	assert_true(stats_mann_whitney(a, 50, b, 50) < 1e-6); /* the normal approximation */
	assert_true(stats_mann_whitney(b, 50, a, 50) > 0.999);
}

static void fill(struct prng *r, double *v, size_t n, double level, double noise)
{
	for (size_t i = 0; i < n; i++)
		v[i] = level * (1 + noise * ((double)prng_below(r, 2000001) / 1e6 - 1));
}

static void test_regression_found(void **state)
{
	double base[9], slow[9];
	struct compare_verdict v;
	struct prng r;

	(void)state;
	prng_seed(&r, test_seed(3));
	fill(&r, base, 9, 100, 0.02);
	fill(&r, slow, 9, 110, 0.02);
	compare_series(base, 9, slow, 9, true, &v);
	assert_true(v.significant);
	assert_true(v.worse > 0.05 && v.worse < 0.15);
	assert_true(v.low > 0 && v.low < v.change && v.change < v.high);
	compare_series(base, 9, slow, 9, false, &v); /* more is better: the same data is a gain */
	assert_true(v.significant && v.worse < 0);
}

/* Of many pairs from one source, about 5 % may look different, not more than 10 %. */
static void test_noise_is_no_regression(void **state)
{
	double a[9], b[9];
	struct compare_verdict v;
	struct prng r;
	int found = 0;

	(void)state;
	prng_seed(&r, test_seed(11));
	for (int i = 0; i < 200; i++) {
		fill(&r, a, 9, 100, 0.1);
		fill(&r, b, 9, 100, 0.1);
		compare_series(a, 9, b, 9, true, &v);
		found += v.significant;
	}
	assert_in_range(found, 0, 20);
}

static void test_few_repetitions_prove_nothing(void **state)
{
	double a[3] = {1, 2, 3}, b[3] = {10, 20, 30};
	struct compare_verdict v;

	(void)state;
	compare_series(a, 3, b, 3, true, &v);
	assert_false(v.significant);
	assert_true(isnan(v.p));
	near(v.worse, 9);
}

/* Whatever runs beside us: a core does one addition that waits a cycle, and a few that do not. */
static void test_core_width(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++) {
		double w = core_width();

		if (w < 0.3 || w > 16)
			fail_msg("%g additions a cycle", w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_mann_whitney_exact),
		cmocka_unit_test(test_mann_whitney_edges),
		cmocka_unit_test(test_regression_found),
		cmocka_unit_test(test_noise_is_no_regression),
		cmocka_unit_test(test_few_repetitions_prove_nothing),
		cmocka_unit_test(test_core_width),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
