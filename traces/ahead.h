/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decoding ahead: a thread fills a ring of batches from a struct mrt, the reader empties it. Memory
 * is the ring.
 */
#ifndef MEMRIG_TRACE_AHEAD_H
#define MEMRIG_TRACE_AHEAD_H

#include <pthread.h>

#include "traces/mrt.h"

#define AHEAD_BATCHES 3u

struct ahead {
	struct mrt *file;
	struct mrt_batch batch[AHEAD_BATCHES];
	unsigned head, filled;	  /* oldest filled batch; how many are filled. Under lock */
	bool stop, running, held; /* held: the reader has the oldest batch */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool inline_only; /* no thread: decode when asked */
};

void ahead_init(struct ahead *a, struct mrt *file, bool inline_only);
void ahead_destroy(struct ahead *a); /* stops the thread first */
void ahead_stop(struct ahead *a);    /* the next ahead_get() starts again at the file's position */
/* Gives back what it returned before and returns the next batch. A batch with err or MRT_END is the
 * last. */
const struct mrt_batch *ahead_get(struct ahead *a);

#endif
