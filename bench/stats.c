/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/prng.h"

#define RESAMPLES 2000

static int by_value(const void *x, const void *y)
{
	double a = *(const double *)x, b = *(const double *)y;

	return (a > b) - (a < b);
}

double stats_quantile(double *v, size_t n, double q)
{
	double at = q * (double)(n - 1);
	size_t i = (size_t)at;

	qsort(v, n, sizeof(*v), by_value);
	if (i + 1 >= n)
		return v[n - 1];
	return v[i] + (at - (double)i) * (v[i + 1] - v[i]);
}

double stats_median(const double *v, size_t n)
{
	double *copy, m;

	if (!n)
		return (double)NAN;
	copy = malloc(n * sizeof(*copy));
	if (!copy)
		return (double)NAN;
	memcpy(copy, v, n * sizeof(*copy));
	m = stats_quantile(copy, n, 0.5);
	free(copy);
	return m;
}

/*
 * P(U >= u) under the null hypothesis, exact: counts the arrangements of na + nb ranks by their U.
 * ways[i][k]: arrangements of i values of b among the ranks seen so far with U = k.
 */
static double exact_tail(size_t na, size_t nb, double u)
{
	size_t max = na * nb, rows = nb + 1;
	double *ways = calloc(rows * (max + 1), sizeof(*ways)), total = 0, tail = 0;

	if (!ways)
		return 1;
	ways[0] = 1;
	for (size_t rank = 0; rank < na + nb; rank++)
		for (size_t i = nb; i > 0; i--) /* this rank is b's i-th: it beats rank - (i - 1) of a's */
			for (size_t k = max + 1; rank + 1 >= i && k-- > rank + 1 - i;)
				ways[i * (max + 1) + k] += ways[(i - 1) * (max + 1) + k - (rank + 1 - i)];
	for (size_t k = 0; k <= max; k++) {
		total += ways[nb * (max + 1) + k];
		if ((double)k >= u)
			tail += ways[nb * (max + 1) + k];
	}
	free(ways);
	return tail / total;
}

/* Sum of t^3 - t over groups of equal values in both samples. */
static double ties(const double *a, size_t na, const double *b, size_t nb)
{
	double sum = 0, *all = malloc((na + nb) * sizeof(*all));
	size_t start = 0, n = na + nb;

	if (!all)
		return 0;
	memcpy(all, a, na * sizeof(*all));
	memcpy(all + na, b, nb * sizeof(*all));
	qsort(all, n, sizeof(*all), by_value);
	for (size_t i = 1; i <= n; i++) {
		if (i < n && all[i] == all[start])
			continue;
		double t = (double)(i - start);

		sum += t * t * t - t;
		start = i;
	}
	free(all);
	return sum;
}

double stats_mann_whitney(const double *a, size_t na, const double *b, size_t nb)
{
	double u = 0, n = (double)(na + nb), product = (double)na * (double)nb, tied, variance;

	if (!na || !nb)
		return 1;
	for (size_t i = 0; i < na; i++)
		for (size_t j = 0; j < nb; j++)
			u += b[j] > a[i] ? 1 : b[j] == a[i] ? 0.5 : 0;
	tied = ties(a, na, b, nb);
	if (tied == 0 && na + nb <= STATS_EXACT)
		return exact_tail(na, nb, u);
	variance = product / 12 * (n + 1 - tied / (n * (n - 1)));
	if (variance <= 0)
		return 1;
	return 0.5 * erfc((u - product / 2 - 0.5) / sqrt(variance) / sqrt(2));
}

static double resampled_median(struct prng *r, const double *v, size_t n, double *scratch)
{
	for (size_t i = 0; i < n; i++)
		scratch[i] = v[prng_below(r, n)];
	return stats_quantile(scratch, n, 0.5);
}

void stats_ratio_interval(const double *a, size_t na, const double *b, size_t nb, double *low, double *high)
{
	double *scratch = malloc((na + nb + RESAMPLES) * sizeof(*scratch)), *ratios = scratch + na + nb;
	struct prng r;

	*low = *high = (double)NAN;
	if (!scratch || !na || !nb) {
		free(scratch);
		return;
	}
	prng_seed(&r, 1);
	for (size_t i = 0; i < RESAMPLES; i++) {
		double base = resampled_median(&r, a, na, scratch);

		ratios[i] = resampled_median(&r, b, nb, scratch) / base;
	}
	*low = stats_quantile(ratios, RESAMPLES, 0.025);
	*high = stats_quantile(ratios, RESAMPLES, 0.975);
	free(scratch);
}
