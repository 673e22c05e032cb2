/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/fleet.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/progress.h"

#define MAX_JOBS 256u

/* A batch in the ring. */
struct slot {
	struct mm_op *ops; /* MM_MAX_OP_BATCH */
	u64 *lines;        /* of each record; NULL: nobody asks */
	size_t n;
};

/* What the threads share. All fields are under the lock but those of slots between filled and the oldest
 * batch that somebody still needs, which nobody writes. */
struct engine {
	struct fleet *f;
	const struct op_source *src;
	struct op_strings strings;
	struct slot ring[FLEET_RING];
	u64 filled;   /* batches decoded so far; batch i lies in slot i % FLEET_RING */
	u64 records;
	bool decoding, ended, check;
	int rc;       /* of the source */
	struct progress progress;
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

/* ---- decoding ---- */

static bool slot_make(struct slot *s, bool lines)
{
	if (!s->ops)
		s->ops = malloc(MM_MAX_OP_BATCH * sizeof(*s->ops));
	if (lines && !s->lines)
		s->lines = malloc(MM_MAX_OP_BATCH * sizeof(*s->lines));
	return s->ops && (s->lines || !lines);
}

/* The next batch into @s: its length, 0 at the end, or negative. Without the lock. */
static ssize_t decode(struct engine *e, struct slot *s)
{
	const struct mm_op *ops;
	ssize_t n;

	if (!slot_make(s, e->check))
		return -ENOMEM;
	n = e->src->next(e->src->self, &ops);
	if (n <= 0)
		return n < 0 ? -EIO : 0;
	memcpy(s->ops, ops, (size_t)n * sizeof(*ops));
	s->n = (size_t)n;
	for (size_t i = 0; e->check && i < s->n; i++)
		s->lines[i] = e->src->line(e->src->self, i);
	return n;
}

static void show_progress(struct engine *e)
{
	char text[96];

	if (!progress_due(&e->progress))
		return;
	snprintf(text, sizeof(text), "%u machines: %.1f M records", e->f->nr, (double)e->records / 1e6);
	progress_show(&e->progress, e->src->progress ? e->src->progress(e->src->self) : -1, text);
}

/* A turn of decoding; the lock is held before and after. */
static void decode_turn(struct engine *e)
{
	e->decoding = true;
	for (unsigned i = 0; i < FLEET_TURN && !e->ended; i++) {
		struct slot *s = &e->ring[e->filled % FLEET_RING];
		ssize_t n;

		pthread_mutex_unlock(&e->lock);
		n = decode(e, s);
		show_progress(e);
		pthread_mutex_lock(&e->lock);
		if (n > 0) {
			e->filled++;
			e->records += (u64)n;
		} else {
			e->ended = true;
			e->rc = (int)n;
		}
	}
	e->decoding = false;
}

/* ---- driving ---- */

static u64 slot_line(void *self, size_t i)
{
	return ((const struct slot *)self)->lines[i];
}

static void boot(const struct engine *e, struct fleet_member *v)
{
	v->st = malloc(sizeof(*v->st));
	v->m = v->st ? machine_create(&v->config, v->error, sizeof(v->error)) : NULL;
	v->loop = v->m ? replay_begin(v->m, &e->strings, &v->options, v->st) : NULL;
	if (!v->loop && !v->error[0])
		snprintf(v->error, sizeof(v->error), "out of memory");
}

static void finish(const struct engine *e, struct fleet_member *v)
{
	if (v->loop && replay_end(v->loop))
		snprintf(v->error, sizeof(v->error), "samples cannot be written (disk full?)");
	v->loop = NULL;
	if (!v->error[0])
		e->f->done(e->f->self, v);
	machine_destroy(v->m);
	v->m = NULL;
	free(v->st);
	v->st = NULL;
}

/*
 * What there is to do with one machine up to batch @end: booting it first, ending it last. Without the
 * lock, but nobody else touches the machine or these batches.
 */
static void drive(struct engine *e, struct fleet_member *v, u64 end, bool last)
{
	if (!v->m)
		boot(e, v);
	for (u64 i = v->next; v->loop && i < end; i++) {
		struct slot *s = &e->ring[i % FLEET_RING];

		replay_apply(v->loop, &(struct replay_batch){.ops = s->ops, .n = s->n, .line = slot_line, .self = s});
	}
	if (last || !v->loop)
		finish(e, v);
}

/* ---- who does what ---- */

/* The oldest batch that is still needed. */
static u64 oldest(const struct engine *e)
{
	u64 least = e->filled;

	for (unsigned i = 0; i < e->f->nr; i++)
		if (!e->f->members[i].over && e->f->members[i].next < least)
			least = e->f->members[i].next;
	return least;
}

/* The machine that is most behind among those that nobody drives and that have something to do. */
static struct fleet_member *pick(const struct engine *e)
{
	struct fleet_member *best = NULL;
	u64 enough = e->decoding ? FLEET_TURN : 1; /* more is coming: no turns for single batches */

	for (unsigned i = 0; i < e->f->nr; i++) {
		struct fleet_member *v = &e->f->members[i];

		if (v->busy || v->over || (best && best->next <= v->next))
			continue;
		if (!v->m || e->ended || e->filled - v->next >= enough)
			best = v;
	}
	return best;
}

static void drive_turn(struct engine *e, struct fleet_member *v)
{
	u64 end = v->next + FLEET_TURN < e->filled ? v->next + FLEET_TURN : e->filled;
	bool last = e->ended && end == e->filled;

	v->busy = true;
	pthread_mutex_unlock(&e->lock);
	drive(e, v, end, last);
	pthread_mutex_lock(&e->lock);
	v->next = end;
	v->busy = false;
	v->over = !v->m;
}

static bool all_over(const struct engine *e)
{
	for (unsigned i = 0; i < e->f->nr; i++)
		if (!e->f->members[i].over)
			return false;
	return true;
}

static void *work(void *self)
{
	struct engine *e = self;

	pthread_mutex_lock(&e->lock);
	while (!all_over(e) && !e->rc) {
		struct fleet_member *v;

		if (!e->ended && !e->decoding && e->filled - oldest(e) + FLEET_TURN <= FLEET_RING)
			decode_turn(e);
		else if ((v = pick(e)))
			drive_turn(e, v);
		else {
			pthread_cond_wait(&e->changed, &e->lock);
			continue;
		}
		pthread_cond_broadcast(&e->changed);
	}
	pthread_cond_broadcast(&e->changed);
	pthread_mutex_unlock(&e->lock);
	return NULL;
}

static void run_threads(struct engine *e)
{
	unsigned jobs = e->f->jobs ? e->f->jobs : (unsigned)sysconf(_SC_NPROCESSORS_ONLN), started = 0;
	pthread_t threads[MAX_JOBS];

	jobs = jobs > e->f->nr ? e->f->nr : jobs;
	jobs = jobs > MAX_JOBS ? MAX_JOBS : jobs;
	while (started + 1 < jobs && !pthread_create(&threads[started], NULL, work, e))
		started++;
	work(e);
	while (started)
		pthread_join(threads[--started], NULL);
}

int fleet_run(struct fleet *f, const struct op_source *src, char *err, size_t errlen)
{
	struct engine *e = calloc(1, sizeof(*e));
	int rc;

	if (!e) {
		snprintf(err, errlen, "out of memory");
		return -ENOMEM;
	}
	e->f = f;
	e->src = src;
	if (src->strings)
		e->strings = src->strings(src->self);
	for (unsigned i = 0; i < f->nr; i++)
		e->check |= f->members[i].options.check;
	pthread_mutex_init(&e->lock, NULL);
	pthread_cond_init(&e->changed, NULL);
	e->progress = progress_begin(f->quiet);
	run_threads(e);
	progress_end(&e->progress, "");
	rc = e->rc;
	if (rc)
		snprintf(err, errlen, "%s", rc == -EIO ? src->error(src->self) : "out of memory");
	for (unsigned i = 0; i < f->nr; i++) { /* what a failed source left behind */
		struct fleet_member *v = &f->members[i];

		if (v->loop)
			(void)replay_end(v->loop);
		machine_destroy(v->m);
		free(v->st);
		v->loop = NULL;
		v->m = NULL;
		v->st = NULL;
	}
	for (unsigned i = 0; i < FLEET_RING; i++) {
		free(e->ring[i].ops);
		free(e->ring[i].lines);
	}
	pthread_mutex_destroy(&e->lock);
	pthread_cond_destroy(&e->changed);
	free(e);
	return rc;
}
