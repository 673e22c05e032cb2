/* SPDX-License-Identifier: BSD-2-Clause */
/* The C face of gbench.cc: runs the cases of all suites under Google Benchmark. Seen by C++. */
#ifndef MEMRIG_GBENCH_H
#define MEMRIG_GBENCH_H

#include "bench/bench.h"
#include "bench/perf.h"

#define GBENCH_MAX_REPETITIONS 1024

/* One case with one argument and thread count, after its last repetition. */
struct gbench_result {
	const struct bench_case *c;
	s64 arg;
	unsigned threads;
	double goal, rival;     /* of this argument; 0: none */
	const char *name;       /* suite/name/arg */
	unsigned total;         /* cases that will run; 0: not known */
	const char *error;      /* NULL, or why it could not be measured: then the rest is unset */
	unsigned repetitions;
	u64 iterations;         /* of each repetition */
	const double *ns;       /* per item, one a repetition; with threads: as each thread sees it */
	double core_width;      /* least around the repetitions: bench/core_share.h */
	double perf[NR_PERF_ITEMS]; /* per item, mean of the repetitions; < 0: not counted */
};

struct gbench_options {
	bool perf;              /* count perf events around the measured regions */
	bool native;            /* Google Benchmark prints, result() is not called */
	const char *filter;     /* as in the flags: only to count what will run */
	void (*result)(void *self, const struct gbench_result *r);
	void *self;
};

/* @flags: --benchmark_* only, ended by NULL. Number of cases run, or -EINVAL (message printed). */
int gbench_run(const char *const *flags, const struct gbench_options *opt);

#endif
