/* SPDX-License-Identifier: BSD-2-Clause */
/* Statistics of a handful of repetitions: no assumption about their distribution. */
#ifndef MEMRIG_STATS_H
#define MEMRIG_STATS_H

#include "core/base/types.h"

/* Quantile @q (0..1) with linear interpolation; sorts @v. @n > 0. */
double stats_quantile(double *v, size_t n, double q);

/* The middle one, or the mean of the two middle ones; does not change @v. NaN for n = 0. */
double stats_median(const double *v, size_t n);

/*
 * One-sided Mann-Whitney test: the probability that values as large as @b's (against @a's) arise
 * when both come from the same source. Exact up to STATS_EXACT values and no ties, else the normal
 * approximation with tie correction. 1 if one side is empty.
 */
#define STATS_EXACT 40
double stats_mann_whitney(const double *a, size_t na, const double *b, size_t nb);

/*
 * 95 % confidence interval of median(b) / median(a) by bootstrap (percentile method, fixed seed: the
 * same input gives the same interval).
 */
void stats_ratio_interval(const double *a, size_t na, const double *b, size_t nb, double *low,
			  double *high);

#endif
