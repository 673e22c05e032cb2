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

struct trace_reader;

/*
 * What is known of the stream at @path when it has ended: @reader gives hash and losses (NULL: a workload, which
 * has neither). @hash is room for the text.
 */
struct result_trace result_trace_of(const struct trace_reader *reader, const char *path, const struct replay_stats *st,
				    char hash[32]);

/* New reference, or NULL (out of memory). */
json_t *result_json(struct machine *m, const struct replay_stats *st, const struct result_trace *t);

/*
 * References and misses of a run so far. A reference is a page that an access, or a read or write call,
 * came to (accesses + file_references); a miss is one that had to wait for a device because the page was
 * in memory nowhere (pgmajfault + file_misses): a major fault of any kind of mapping, a cache miss of a call.
 * A page that read-ahead has on its way is no miss, and neither is a first touch of anonymous memory.
 */
struct result_paging {
	u64 references, misses;
	double miss_ratio; /* misses / references; 0 without references */
};
struct result_paging result_paging(const struct vmstat_snapshot *s);

/* Writes @j beside @path and renames. 0, or -errno with one line in @err; nothing is left behind. */
int result_write(const json_t *j, const char *path, char *err, size_t errlen);

/* {"kernel", "cpu", "compiler", "build_type", "commit"}: where and with what it was measured. */
json_t *result_host(void);

/* A dozen lines: events, rate, faults, memory, skipped operations. */
void result_print(struct machine *m, const struct replay_stats *st, const struct result_trace *t,
		  FILE *out);

#endif
