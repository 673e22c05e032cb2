/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request patterns of suite slab, written once and compiled for each allocator, so that all do
 * the same work. A file that includes this defines, before it,
 *
 *	PATTERN(name)             how the functions are called
 *	PATTERN_ALLOC(a, cpu, size), PATTERN_FREE(a, cpu, p)
 *
 * Terms
 *   pair     allocate, free at once; the hot case.
 *   batch    8192 allocated, then freed in random order.
 *   million  2^20 objects live; a random one is freed, its successor allocated and written.
 *   remote   allocated by one thread (CPU 0), freed by another (CPU 1).
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "core/base/prng.h"

#ifndef MEMRIG_SLAB_PATTERNS_H
#define MEMRIG_SLAB_PATTERNS_H

#define PATTERN_BATCH 8192u
#define PATTERN_LIVE  (1u << 20)
#define PATTERN_RING  4096u

enum { PATTERN_PAIR, PATTERN_BATCHED, PATTERN_MILLION, PATTERN_REMOTE, NR_PATTERNS };

struct pattern {
	void *a; /* allocator */
	u32 size;
	int kind;
	void **slot;
	u32 *order;
	u64 random;
	/* remote: one producer, one consumer */
	void **ring;
	pthread_t thread;
	bool stop;
	u64 head __attribute__((aligned(64))); /* written by the producer */
	u64 tail __attribute__((aligned(64))); /* written by the consumer */
};

/* Waits a moment for the other thread; on a busy machine it may need the CPU to go on. */
static inline void pattern_wait(u64 *spins)
{
	if (++*spins & 1023)
		__builtin_ia32_pause();
	else
		sched_yield();
}

static inline u32 *pattern_shuffled(u32 n)
{
	u32 *v = malloc(n * sizeof(*v));
	struct prng r;

	if (!v)
		return NULL;
	prng_seed(&r, 1);
	for (u32 i = 0; i < n; i++) {
		u32 j = (u32)prng_below(&r, i + 1);

		v[i] = v[j];
		v[j] = i;
	}
	return v;
}

/* A full-period generator: cheap beside what is measured, the same for all allocators. */
MM_INLINE u64 pattern_random(struct pattern *p)
{
	p->random = p->random * 6364136223846793005ull + 1442695040888963407ull;
	return p->random >> 32;
}

#endif

static void PATTERN(pair)(struct pattern *p, u64 n)
{
	for (u64 i = 0; i < n; i++) {
		void *o = PATTERN_ALLOC(p->a, 0, p->size);

		bench_use(o);
		PATTERN_FREE(p->a, 0, o);
	}
}

static void PATTERN(batched)(struct pattern *p, u64 n)
{
	for (u64 done = 0; done < n; done += PATTERN_BATCH) {
		for (u32 i = 0; i < PATTERN_BATCH; i++)
			p->slot[i] = PATTERN_ALLOC(p->a, 0, p->size);
		for (u32 i = 0; i < PATTERN_BATCH; i++)
			PATTERN_FREE(p->a, 0, p->slot[p->order[i]]);
	}
}

static void PATTERN(million)(struct pattern *p, u64 n)
{
	for (u64 i = 0; i < n; i++) {
		void **slot = &p->slot[pattern_random(p) & (PATTERN_LIVE - 1)];

		PATTERN_FREE(p->a, 0, *slot);
		*slot = PATTERN_ALLOC(p->a, 0, p->size);
		*(u64 *)*slot = i;
	}
}

static void *PATTERN(consumer)(void *arg)
{
	struct pattern *p = arg;
	u64 tail = 0, spins = 0;

	for (;;) {
		u64 head = __atomic_load_n(&p->head, __ATOMIC_ACQUIRE);

		if (head == tail) {
			if (__atomic_load_n(&p->stop, __ATOMIC_RELAXED))
				return NULL;
			pattern_wait(&spins);
			continue;
		}
		for (; tail != head; tail++)
			PATTERN_FREE(p->a, 1, p->ring[tail % PATTERN_RING]);
		__atomic_store_n(&p->tail, tail, __ATOMIC_RELEASE);
	}
}

static void PATTERN(remote)(struct pattern *p, u64 n)
{
	u64 head = p->head, end = head + n, tail = p->tail, spins = 0;

	while (head != end) {
		u64 chunk = end - head < 128 ? end - head : 128;

		while (head + chunk - tail > PATTERN_RING) {
			pattern_wait(&spins);
			tail = __atomic_load_n(&p->tail, __ATOMIC_ACQUIRE);
		}
		for (; chunk; chunk--, head++) {
			void *o = PATTERN_ALLOC(p->a, 0, p->size);

			*(u64 *)o = head;
			p->ring[head % PATTERN_RING] = o;
		}
		__atomic_store_n(&p->head, head, __ATOMIC_RELEASE);
	}
	while (__atomic_load_n(&p->tail, __ATOMIC_ACQUIRE) != end)
		pattern_wait(&spins);
}

static void PATTERN(run)(struct pattern *p, u64 n)
{
	switch (p->kind) {
	case PATTERN_PAIR:
		PATTERN(pair)(p, n);
		break;
	case PATTERN_BATCHED:
		PATTERN(batched)(p, n);
		break;
	case PATTERN_MILLION:
		PATTERN(million)(p, n);
		break;
	default:
		PATTERN(remote)(p, n);
	}
}

static void PATTERN(stop)(struct pattern *p)
{
	if (p->kind == PATTERN_REMOTE && p->ring) {
		__atomic_store_n(&p->stop, true, __ATOMIC_RELAXED);
		pthread_join(p->thread, NULL);
	}
	if (p->kind == PATTERN_MILLION && p->slot)
		for (u32 i = 0; i < PATTERN_LIVE; i++)
			PATTERN_FREE(p->a, 0, p->slot[i]);
	free(p->ring);
	free(p->slot);
	free(p->order);
}

/* 0, or -1: no memory. */
static int PATTERN(start)(struct pattern *p, void *a, int kind, u32 size)
{
	u32 live = kind == PATTERN_MILLION ? PATTERN_LIVE : PATTERN_BATCH;

	memset(p, 0, sizeof(*p));
	p->a = a;
	p->size = size;
	p->kind = kind;
	p->random = 1;
	p->slot = calloc(live, sizeof(*p->slot));
	p->order = pattern_shuffled(live);
	p->ring = calloc(PATTERN_RING, sizeof(*p->ring));
	if (!p->slot || !p->order || !p->ring)
		return -1;
	if (kind == PATTERN_MILLION) { /* filled in random order, as after some life */
		for (u32 i = 0; i < live; i++) {
			p->slot[p->order[i]] = PATTERN_ALLOC(a, 0, size);
			if (!p->slot[p->order[i]])
				return -1;
			memset(p->slot[p->order[i]], 1, 8);
		}
		PATTERN(million)(p, 2 * live);
	}
	if (kind == PATTERN_REMOTE && pthread_create(&p->thread, NULL, PATTERN(consumer), p))
		return -1;
	return 0;
}

#undef PATTERN
#undef PATTERN_ALLOC
#undef PATTERN_FREE
