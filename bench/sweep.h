/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many runs of one trace or workload: every combination of the values of several axes, each run in a
 * process of its own, as many at once as there are CPUs; the results as one table.
 *
 * Terms
 *   axis      a key with several values: a machine key (--set) or a parameter of the workload.
 *   variant   one combination; its label is the values, "node 256M".
 */
#ifndef MEMRIG_SWEEP_H
#define MEMRIG_SWEEP_H

#include "bench/table.h"

#define SWEEP_MAX_AXES     8
#define SWEEP_MAX_VALUES   64
#define SWEEP_MAX_ARGS     48
#define SWEEP_MAX_VARIANTS 4096

struct sweep_axis {
	char key[64];
	char values[SWEEP_MAX_VALUES][64];
	unsigned nr;
	bool is_param; /* of the workload, not of the machine */
};

struct sweep {
	const char *verb;                   /* "replay" or "run" */
	const char *args[SWEEP_MAX_ARGS];   /* the trace; the workload and its parameters */
	unsigned nr_args;
	const char *settings[SWEEP_MAX_ARGS]; /* KEY=VALUE for all variants */
	unsigned nr_settings;
	struct sweep_axis axes[SWEEP_MAX_AXES];
	unsigned nr_axes;
	unsigned jobs;                      /* 0: one a CPU */
	const char *dir;                    /* each variant's result goes to DIR/<label>.json */
	bool quiet;                         /* no progress lines */
};

/* "key=a,b,c" becomes an axis. 0, or -EINVAL with one line in @err. */
int sweep_add_axis(struct sweep *s, const char *text, bool is_param, char *err, size_t n);

unsigned sweep_nr_variants(const struct sweep *s);

/*
 * Runs all variants; @out gets a row each: variant, one column an axis, and every number of the
 * result's objects (replay, vmstat, ksm, ...) by its name, and OP_errors, how many operations of a kind
 * were answered with an error. 0, or -1 with one line in @err.
 */
int sweep_run(const struct sweep *s, struct table *out, char *err, size_t n);

/* The axes and the named columns (all that differ between variants if @nr is 0), aligned for reading. */
void sweep_print(const struct sweep *s, const struct table *t, char (*metrics)[64], unsigned nr, FILE *out);

#endif
