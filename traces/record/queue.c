/* SPDX-License-Identifier: BSD-2-Clause */
/* Sources of recorded events and their merge: see queue.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "traces/record/queue.h"

int rec_queues_init(struct rec_queues *qs, u32 nr)
{
	qs->nr = nr;
	qs->q = calloc(nr, sizeof(*qs->q));
	return qs->q ? 0 : -ENOMEM;
}

void rec_queues_free(struct rec_queues *qs)
{
	for (u32 i = 0; i < qs->nr && qs->q; i++) {
		for (size_t k = qs->q[i].head; k < qs->q[i].tail; k++)
			free(qs->q[i].v[k].name);
		free(qs->q[i].v);
	}
	free(qs->q);
	qs->q = NULL;
	qs->nr = 0;
}

/* Room for one more at the tail: reuses what left at the head before it grows. */
static int make_room(struct rec_queue *q)
{
	size_t live = q->tail - q->head;
	struct rec_item *v;

	if (q->tail < q->cap)
		return 0;
	if (live <= q->cap / 2 && q->head) {
		memmove(q->v, q->v + q->head, live * sizeof(*q->v));
		q->head = 0;
		q->tail = live;
		return 0;
	}
	v = realloc(q->v, (q->cap ? q->cap * 2 : 1024) * sizeof(*v));
	if (!v)
		return -ENOMEM;
	q->v = v;
	q->cap = q->cap ? q->cap * 2 : 1024;
	return 0;
}

int rec_push(struct rec_queue *q, const struct rec_item *item)
{
	size_t i;

	if (make_room(q))
		return -ENOMEM;
	for (i = q->tail; i > q->head && q->v[i - 1].e.ts > item->e.ts; i--)
		q->v[i] = q->v[i - 1];
	q->v[i] = *item;
	q->tail++;
	return 0;
}

struct rec_item *rec_pop(struct rec_queues *qs, u64 watermark)
{
	struct rec_queue *best = NULL;
	u64 ts = watermark;

	for (u32 i = 0; i < qs->nr; i++) {
		struct rec_queue *q = &qs->q[i];

		if (q->head == q->tail || q->v[q->head].e.ts > ts)
			continue;
		if (best && q->v[q->head].e.ts == ts)
			continue; /* equal times: the source with the lower number first */
		best = q;
		ts = q->v[q->head].e.ts;
	}
	return best ? &best->v[best->head++] : NULL;
}

struct rec_item *rec_last_fault(struct rec_queues *qs, u32 tid, u64 ts)
{
	struct rec_item *last = NULL;

	for (u32 i = 0; i < qs->nr; i++) {
		struct rec_queue *q = &qs->q[i];
		size_t bound = q->tail - q->head > 4096 ? q->tail - 4096 : q->head;

		for (size_t k = q->tail; k > bound; k--) {
			struct rec_item *it = &q->v[k - 1];

			if (it->e.kind != REC_FAULT || it->e.tid != tid || it->e.ts > ts)
				continue;
			if (!last || it->e.ts > last->e.ts)
				last = it;
			break;
		}
	}
	return last;
}
