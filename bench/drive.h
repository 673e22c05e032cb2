/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `replay` and `run` share: their options, and the way from a stream of operations over one machine, or
 * with lists several (bench/sweep.h), to what is printed and written.
 */
#ifndef MEMRIG_DRIVE_H
#define MEMRIG_DRIVE_H

#include "bench/machine_args.h"
#include "bench/replay_loop.h"
#include "bench/sweep.h"
#include "traces/reader.h"

struct drive {
	const char *verb; /* for messages */
	struct machine_args machine;
	struct sweep sweep; /* for lists: the verb fills in what names the stream */
	const char *json, *show, *dir;
	u64 sample_ns;
	unsigned jobs;
	bool check, quiet, summary;
};

extern const struct argp drive_argp; /* its input: struct drive */
#define DRIVE_ARGP {{&drive_argp, 0, NULL, 0}, {0}}

/* Before argp_parse(). @d is zero-filled. */
void drive_init(struct drive *d, const char *verb);

/* One machine's stream. */
struct drive_stream {
	const char *name;            /* in the lines of --check */
	const char *title;           /* what the result calls it */
	struct op_source src;
	struct trace_reader *reader; /* where it is read from; NULL: a workload */
};

/* Whether lists were given: then drive_many(), else drive_config() and drive_one(). */
bool drive_is_many(const struct drive *d);
/* Exit status, after everything was printed and written; d->sweep says which stream. */
int drive_many(struct drive *d);

/* Finishes the configuration of the one machine, and knows all --show names: EXIT_DONE or EXIT_USAGE. */
int drive_config(struct drive *d);
/* mem=0.5wss of it becomes a size: @open gives the stream once before. EXIT_DONE or EXIT_USAGE. */
int drive_size(struct drive *d, int (*open)(void *self, struct drive_stream *s, char *err, size_t n),
	       void (*close)(void *self, struct drive_stream *s), void *self);
/* Boots it, runs the stream to its end, prints and writes. Exit status. */
int drive_one(const struct drive *d, const struct drive_stream *s);

/* The malloc events of a trace on a host's allocator (heap=jemalloc): the same for its result. */
int drive_on_host(const struct drive *d, const char *trace);

#endif
