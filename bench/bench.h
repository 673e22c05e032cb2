/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Micro-benchmarks in C. A file bench_<suite>.c exports one table, ended by an entry without name,
 *
 *	const struct bench_case bench_<suite>_cases[] = { {...}, ..., {0} };
 *
 * and suites.def gets one line. bench_hw.c is the smallest member of the family and its manual.
 *
 * Terms
 *   case       one thing that is measured; once per entry of args and of threads.
 *   iteration  what run() does n times, looping itself: the wrapper costs nothing per iteration.
 *   item       what a figure is given for; an iteration does `items` of them (default 1).
 *   batch      at most this many iterations are done between two calls of reset(), which is not
 *              timed. The clock is read twice a batch (some 40 ns): a batch should last 5 us or more.
 *
 * setup() and teardown() are called once per repetition, by one thread. With threads > 1 each host
 * thread has its own ctx (same data and arg), and run() and reset() are called in all of them: they
 * may only touch what belongs to ctx->thread, or what is made for concurrent use.
 * This header is seen by C++: no min, max, likely.
 */
#ifndef MEMRIG_BENCH_H
#define MEMRIG_BENCH_H

#include "core/base/types.h"

#define BENCH_MAX_ARGS    16
#define BENCH_SKIPPED     "skipped: " /* an error that begins so is no failure of the run */
#define BENCH_MAX_THREADS 8 /* entries of a case's list of thread counts */

struct bench_ctx {
	void *data;       /* whatever setup() made */
	s64 arg;          /* one of the case's args, or 0 */
	unsigned thread;  /* 0 .. threads - 1 */
	unsigned threads;
	u64 items;        /* set by setup() when it is not known before (items of one iteration) */
	const char *error; /* set by setup() before it fails: printed; a string that stays */
};

/* How a figure is given; the goal and the rival are in the same unit. */
enum bench_unit {
	BENCH_NS,        /* nanoseconds an item: less is better */
	BENCH_M_PER_SEC, /* million items a second: more is better */
	BENCH_GB_PER_SEC, /* items are bytes; 10^9 bytes a second: more is better */
	BENCH_TIMES      /* items are nanoseconds that the same work takes the plain way, which setup() measured just
			  * before and put into ctx->items: how many times faster; more is better */
};

struct bench_case {
	const char *suite, *name; /* shown as suite/name[/arg_name=arg][/threads=n] */
	const char *help;         /* what one item is, a phrase */
	int (*setup)(struct bench_ctx *ctx);  /* 0, or negative errno: the case is reported as failed */
	void (*run)(struct bench_ctx *ctx, u64 n);
	void (*reset)(struct bench_ctx *ctx);    /* may be NULL */
	void (*teardown)(struct bench_ctx *ctx); /* may be NULL */
	s64 args[BENCH_MAX_ARGS]; /* nr_args of them; none: one run with arg 0 */
	unsigned nr_args;
	const char *arg_name;
	unsigned threads[BENCH_MAX_THREADS]; /* numbers of host threads, up to the first 0; none: 1 */
	u64 items;                /* per iteration; 0: 1, or what setup() put into ctx->items */
	u64 batch;                /* 0: no limit */
	u64 iterations;           /* 0: as many as the minimum time needs; else exactly this many */
	enum bench_unit unit;
	double goal;              /* 0: none */
	double rival;             /* 0: none */
	double arg_goals[BENCH_MAX_ARGS];  /* in the order of args; 0: goal holds */
	double arg_rivals[BENCH_MAX_ARGS]; /* 0: rival holds */
	const char *rival_name;   /* whose figure it is, and where it was measured */
	const char *rival_case;   /* instead: a case of the suite that runs before this one; its median is the rival, */
	double rival_part;        /* and this part of it the goal */
};

/* Keeps the compiler from optimising away a value, or from remembering memory. */
MM_INLINE void bench_use(const void *p)
{
	__asm__ volatile("" : : "r"(p) : "memory");
}

MM_INLINE void bench_use_u64(u64 v)
{
	__asm__ volatile("" : : "r"(v));
}

#define SUITE(name) extern const struct bench_case bench_##name##_cases[];
#include "bench/suites.def"
#undef SUITE

#endif
