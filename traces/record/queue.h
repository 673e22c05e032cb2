/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Brings the events of many sources (one ring a CPU, one a recorded thread) into one order of time.
 *
 * Terms
 *   source     a queue whose events arrive nearly sorted; an insertion from its end sorts them.
 *   watermark  the time up to which every source has delivered: what is older may leave. An event
 *              that comes later than that is passed on late; the writer raises its time.
 */
#ifndef MEMRIG_RECORD_QUEUE_H
#define MEMRIG_RECORD_QUEUE_H

#include <stddef.h>

#include "traces/record/event.h"

struct rec_item {
	struct rec_event e;
	char *name; /* of REC_EXEC, REC_SEEN, REC_FILE: owned; else NULL */
};

struct rec_queue {
	struct rec_item *v;
	size_t head, tail, cap;
};

struct rec_queues {
	struct rec_queue *q;
	u32 nr;
};

int rec_queues_init(struct rec_queues *qs, u32 nr); /* 0 or -ENOMEM */
void rec_queues_free(struct rec_queues *qs);

/* 0 or -ENOMEM (the item is not in). */
int rec_push(struct rec_queue *q, const struct rec_item *item);

/* The oldest item not younger than @watermark, or NULL; valid until the next push. */
struct rec_item *rec_pop(struct rec_queues *qs, u64 watermark);

/* The last fault of thread @tid not younger than @ts that is still queued, or NULL. */
struct rec_item *rec_last_fault(struct rec_queues *qs, u32 tid, u64 ts);

#endif
