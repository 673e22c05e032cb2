/* SPDX-License-Identifier: BSD-2-Clause */
/* The result of a replay: JSON as interfaces.md s4 lays it down, and a table for people. */
#ifndef MEMRIG_RESULT_H
#define MEMRIG_RESULT_H

#include <jansson.h>

#include "bench/replay_loop.h"

/* What the result says of the trace. */
struct result_trace {
	const char *path, *hash;
	u64 events, lost, duration_ns;
};

/* New reference, or NULL (out of memory). */
json_t *result_json(struct machine *m, const struct replay_stats *st, const struct result_trace *t);

/* Writes @j beside @path and renames. 0, or -errno with one line in @err; nothing is left behind. */
int result_write(const json_t *j, const char *path, char *err, size_t errlen);

/* {"kernel", "cpu", "compiler", "build_type", "commit"}: where and with what it was measured. */
json_t *result_host(void);

/* A dozen lines: events, rate, faults, memory, skipped operations. */
void result_print(struct machine *m, const struct replay_stats *st, const struct result_trace *t,
		  FILE *out);

#endif
