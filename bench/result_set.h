/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Results on disk as tables: a bench JSON, and a directory of replays as scripts/run leaves it,
 * DIR/<trace>/<machine>/result.json with samples.csv beside it (DIR/<trace>/<machine>.json will do).
 */
#ifndef MEMRIG_RESULT_SET_H
#define MEMRIG_RESULT_SET_H

#include <jansson.h>

#include "bench/table.h"

#define RESULTS_MAX_REPLAYS 1024

struct replay_result {
	char *json_path, *samples_path; /* samples_path: NULL if there is none */
	char *trace, *machine;          /* names */
	json_t *json;
	unsigned settings;              /* configuration keys that differ from their defaults */
	u64 page_bytes;
};

struct results {
	const char *bench_path; /* NULL: no bench results */
	json_t *bench;
	const char *replay_dir;
	struct replay_result *replays; /* sorted by trace, then settings, then machine */
	unsigned nr_replays;
	const char *data_dir;   /* where csv:NAME inputs lie; NULL: none */
};

/* Loads what is given (NULL: nothing of that kind). 0, or -1 with one line in @err. */
int results_load(struct results *r, const char *bench, const char *replays, const char *data, char *err,
		 size_t errlen);
void results_free(struct results *r);

/* Manifest hash of the bench (or of the first replay's host, or ""). */
void results_hash(const struct results *r, char out[17]);

/*
 * Bench cases of one unit ("": all, "+ns": only those with a goal): row (from 0), label, suite,
 * suite_index, case, arg, threads, unit,
 * median, least, greatest, q1, q3, goal, rival. 0 or -1 (out of memory).
 */
int results_bench_table(const struct results *r, const char *unit, struct table *t);

/*
 * Replays of @trace (NULL: all), one row each: row, trace, machine, label, machine_index, page_bytes,
 * events, skipped, seconds, events_per_second, virtual_ns, bytes_per_event, every vmstat counter, and
 * the peaks of the samples: peak_rss_anon, peak_rss_file, peak_pgtable_bytes (bytes). 0 or -1.
 */
int results_replay_table(const struct results *r, const char *trace, struct table *t);

#endif
