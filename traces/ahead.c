/* SPDX-License-Identifier: BSD-2-Clause */
#include "traces/ahead.h"

#include <stdlib.h>
#include <string.h>

void ahead_init(struct ahead *a, struct mrt *file, bool inline_only)
{
	memset(a, 0, sizeof(*a));
	a->file = file;
	a->inline_only = inline_only;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
}

static bool is_last(const struct mrt_batch *b)
{
	return b->err || b->kind == MRT_END;
}

static void *fill(void *self)
{
	struct ahead *a = self;
	bool last = false;

	while (!last) {
		struct mrt_batch *b;

		pthread_mutex_lock(&a->lock);
		while (a->filled == AHEAD_BATCHES && !a->stop)
			pthread_cond_wait(&a->changed, &a->lock);
		b = &a->batch[(a->head + a->filled) % AHEAD_BATCHES];
		last = a->stop;
		pthread_mutex_unlock(&a->lock);
		if (last)
			break;
		mrt_next(a->file, b);
		last = is_last(b);
		pthread_mutex_lock(&a->lock);
		a->filled++;
		pthread_cond_signal(&a->changed);
		pthread_mutex_unlock(&a->lock);
	}
	return NULL;
}

static void start(struct ahead *a)
{
	a->stop = false;
	if (pthread_create(&a->thread, NULL, fill, a))
		a->inline_only = true; /* no thread to be had: slower, not wrong */
	else
		a->running = true;
}

void ahead_stop(struct ahead *a)
{
	if (a->running) {
		pthread_mutex_lock(&a->lock);
		a->stop = true;
		pthread_cond_signal(&a->changed);
		pthread_mutex_unlock(&a->lock);
		pthread_join(a->thread, NULL);
	}
	a->running = a->held = false;
	a->head = a->filled = 0;
}

void ahead_destroy(struct ahead *a)
{
	ahead_stop(a);
	for (unsigned i = 0; i < AHEAD_BATCHES; i++)
		free(a->batch[i].buffer);
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
}

const struct mrt_batch *ahead_get(struct ahead *a)
{
	const struct mrt_batch *b;

	if (!a->running && !a->inline_only)
		start(a);
	if (a->inline_only) {
		mrt_next(a->file, &a->batch[0]);
		return &a->batch[0];
	}
	pthread_mutex_lock(&a->lock);
	if (a->held) {
		a->head = (a->head + 1) % AHEAD_BATCHES;
		a->filled--;
		pthread_cond_signal(&a->changed);
	}
	while (!a->filled)
		pthread_cond_wait(&a->changed, &a->lock);
	b = &a->batch[a->head];
	a->held = true;
	pthread_mutex_unlock(&a->lock);
	return b;
}
