/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Drives a machine with a stream of operations: the loop that `replay`, `run` and the replay
 * benches share. Feeds batches, compares recorded results, samples counters, times one operation in
 * REPLAY_TIMED_EVERY (reading the clock for each would cost as much as the operation).
 */
#ifndef MEMRIG_REPLAY_LOOP_H
#define MEMRIG_REPLAY_LOOP_H

#include <stdio.h>

#include "core/base/limits.h"
#include "core/machine.h"

#define REPLAY_TIMED_EVERY 64
#define REPLAY_LOOK_EVERY  64 /* records between two looks at the free frames */
#define REPLAY_BUCKETS     512 /* of the latency histograms: 8 to a power of two */

/* Where operations come from. next() returns records (0: end, < 0: error, message in error()). */
struct op_source {
	void *self;
	ssize_t (*next)(void *self, const struct mm_op **ops);
	const char *(*error)(void *self);
	u64 (*line)(void *self, size_t i);          /* line or record number of record i of the batch */
	double (*progress)(void *self);             /* 0..1, < 0 if unknown; may be NULL */
	struct op_strings (*strings)(void *self);   /* may be NULL */
};

struct replay_options {
	bool check;          /* compare recorded results */
	bool quiet;          /* no progress line */
	bool time_ops;       /* latency histograms */
	u64 sample_ns;       /* 0: no samples */
	FILE *samples;       /* CSV: ts, every counter, rss, heap and ksm figures, zone_NAME_free and watermarks */
	u64 *most_used;      /* gets the most frames in use at once, seen every REPLAY_LOOK_EVERY records; or NULL */
};

struct replay_mismatch {
	u64 line;
	char expected[64], got[64];
};

struct replay_op_stat {
	u64 count, timed;
	u32 histogram[REPLAY_BUCKETS];
};

struct replay_stats {
	u64 events, skipped;
	double seconds;
	u64 first_ts, last_ts;
	u64 mismatches;
	struct replay_mismatch first[MM_MAX_MISMATCHES];
	struct replay_op_stat ops[NR_OP_CODES];
	char error[512]; /* of the source; "" if it ended well */
};

/* Runs @src to its end. 0, -EIO when the source failed, -ENOSPC when samples could not be written, -ENOMEM. */
int replay_loop(struct machine *m, const struct op_source *src, const struct replay_options *opt,
		struct replay_stats *st);

/*
 * The loop's three parts, for whoever has the batches already (bench/fleet.h): what a machine is told
 * batch by batch is what replay_loop() would tell it, whoever decoded them.
 */
struct replay;

/* The next 1..MM_MAX_OP_BATCH records; line(self, i) is that of record i. */
struct replay_batch {
	const struct mm_op *ops;
	size_t n;
	u64 (*line)(void *self, size_t i);
	void *self;
};

/* @opt and @st must outlive what is returned; @st starts empty. NULL: no memory. */
struct replay *replay_begin(struct machine *m, const struct op_strings *strings, const struct replay_options *opt,
			    struct replay_stats *st);
void replay_apply(struct replay *l, const struct replay_batch *b);
/* Completes the statistics and frees. st->seconds is what replay_apply() took. 0 or -ENOSPC (samples). */
int replay_end(struct replay *l);

/* Nanoseconds below which @percent of the timed operations lay; 0 if none was timed. */
double replay_percentile(const struct replay_op_stat *s, double percent);

#endif
