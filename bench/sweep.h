/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One trace or workload on many machines: every variant (bench/variants.h) of a configuration, all of them
 * under one decoded stream (bench/fleet.h), as many at once as the host's memory holds; the results as one
 * table. `memrig replay` and `memrig run` with lists, `memrig sweep` and the studies are this.
 *
 * Variants that need different streams (a workload's parameters, its seed, its page size) form groups,
 * one pass each. mem=0.5wss takes a pass of its own before, in which all machines that ask for it find out
 * what they need. heap=jemalloc and the like run after one another in processes of their own, since they are
 * timed.
 *
 * A variant that cannot be booted, or whose configuration is impossible, is a row with the reason.
 */
#ifndef MEMRIG_SWEEP_H
#define MEMRIG_SWEEP_H

#include <jansson.h>

#include "bench/table.h"
#include "bench/variants.h"
#include "workloads/workload.h"

struct sweep {
	const char *verb;                 /* for messages */
	const char *trace;                /* or, if NULL: */
	const struct workload *workload;
	struct workload_run run;          /* prepared, its fixed parameters set */
	const char *title;                /* what results call the stream; NULL: the trace's path */
	u64 gap;                          /* of the workload */
	struct machine_config base;       /* of all variants; before config_finish() */
	struct variants variants;
	bool check;                       /* compare recorded results, check invariants at the end */
	u64 sample_ns;                    /* 0: no samples; needs dir */
	const char *show;                 /* views to print at the end; NULL: none */
	unsigned jobs;                    /* threads; 0: one a CPU */
	const char *dir;                  /* each variant's result goes to DIR/<label>/result.json; NULL: nowhere */
	bool keep;                        /* keep whole results in memory, for sweep_json() */
	bool quiet;                       /* no progress line */
};

struct sweep_result {
	char label[VARIANTS_LABEL]; /* the values, separated by blanks */
	json_t *json;               /* as `memrig replay --json`; unless keep, without what the table does not need */
	char error[512];            /* why there is no result; "" if there is one */
	char *said;                 /* --check's lines and --show's views, to be printed; NULL: nothing */
	int status;                 /* EXIT_DONE, or EXIT_CHECK_FAILED by --check */
	u64 mem;                    /* bytes of RAM, 0 if banks or a device tree give it */
};

/*
 * Runs all variants: @results gets variants_nr() entries, to be freed with sweep_free(). 0, or -1 with one
 * line in @err: the stream failed, or not one variant has a result.
 */
int sweep_run(struct sweep *s, struct sweep_result **results, char *err, size_t n);
void sweep_free(const struct sweep *s, struct sweep_result *results);

/*
 * A row a variant: row, variant, a column an axis, state ("ok", tasks killed, or the reason of a failure),
 * curve and curve_index (the values but mem's, and their number), mem_bytes, and every number of the result's
 * objects (replay, vmstat, paging, pressure, ...) by its name, and OP_errors. 0 or -1.
 */
int sweep_table(const struct sweep *s, const struct sweep_result *results, struct table *t);

/* {"schema", "memrig", "variants": [{"variant", "settings": {key: value}, "result" or "error"}]}, in order. */
json_t *sweep_json(const struct sweep *s, const struct sweep_result *results);

/* The axes, the named columns (all that differ between variants if @nr is 0) and the state, aligned. */
void sweep_print(const struct sweep *s, const struct table *t, const char (*metrics)[64], unsigned nr, FILE *out);

/* Columns that tell what a size of memory, or a policy, costs a program. */
#define SWEEP_NR_PAGING 8
extern const char sweep_paging[SWEEP_NR_PAGING][64];

/*
 * What verbs do with a sweep: runs it, prints @metrics (or what differs) and everything said; writes
 * @json (NULL: none) and, with a directory, DIR/sweep.csv and, over several sizes of memory, the pictures
 * DIR/misses.svg and DIR/stalls.svg. The exit status.
 */
int sweep_verb(struct sweep *s, const char *json, const char (*metrics)[64], unsigned nr);

#endif
