/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/core_share.h"

#include <time.h>

#include "core/base/types.h"

#define ROUNDS 4096u
#define TRIES  3 /* the best of them: the others were interrupted */

/* One addition that the compiler neither drops nor joins with the next. */
#define ADD(x)                                                                                     \
	do {                                                                                       \
		(x)++;                                                                             \
		__asm__ volatile("" : "+r"(x));                                                    \
	} while (0)

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double one_by_one(void)
{
	double start = now_ns();
	u64 a = 0;

	for (u32 i = 0; i < ROUNDS; i++) {
		ADD(a);
		ADD(a);
		ADD(a);
		ADD(a);
		ADD(a);
		ADD(a);
		ADD(a);
		ADD(a);
	}
	return now_ns() - start;
}

static double side_by_side(void)
{
	double start = now_ns();
	u64 a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0;

	for (u32 i = 0; i < ROUNDS; i++) {
		ADD(a);
		ADD(b);
		ADD(c);
		ADD(d);
		ADD(e);
		ADD(f);
		ADD(g);
		ADD(h);
	}
	return now_ns() - start;
}

double core_width(void)
{
	double chain = one_by_one(), free = side_by_side();

	for (int i = 1; i < TRIES; i++) {
		double c = one_by_one(), f = side_by_side();

		chain = c < chain ? c : chain;
		free = f < free ? f : free;
	}
	return chain / free;
}
