/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/machine/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/machine/machine_types.h"

struct text {
	u64 id;
	u32 stream;
	char *s;
};

struct batch {
	size_t first; /* record it starts with */
	u32 stream;   /* 0: no strings */
};

struct history {
	struct mm_op *ops; /* OP_NONE: the clock was advanced to ts */
	struct batch *batches;
	struct text *texts; /* by stream, then id */
	size_t nr_ops, room_ops, nr_batches, room_batches, nr_texts, room_texts;
	struct op_strings wrapped, below; /* what the machine asks while a batch runs, and whom that asks */
	const void *last_self;
	u32 stream;
	bool failed; /* out of host memory once: there can be no snapshot */
};

struct machine_snapshot {
	struct machine_config config;
	struct history h;
	u64 hash; /* of the machine then */
};

/* ---- growing arrays ---- */

static bool grow(void *array, size_t *room, size_t need, size_t size)
{
	size_t n = *room ? *room : 256;
	void *p;

	if (need <= *room)
		return true;
	while (n < need)
		n *= 2;
	p = realloc(*(void **)array, n * size);
	if (!p)
		return false;
	*(void **)array = p;
	*room = n;
	return true;
}

static int by_stream_and_id(const void *a, const void *b)
{
	const struct text *x = a, *y = b;

	if (x->stream != y->stream)
		return x->stream < y->stream ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* Where (@stream, @id) is or would be. */
static size_t text_place(const struct history *h, u32 stream, u64 id)
{
	struct text want = {.stream = stream, .id = id};
	size_t low = 0, high = h->nr_texts;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (by_stream_and_id(&h->texts[middle], &want) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct text *text_find(const struct history *h, u32 stream, u64 id)
{
	size_t i = text_place(h, stream, id);

	return i < h->nr_texts && h->texts[i].stream == stream && h->texts[i].id == id ? &h->texts[i] : NULL;
}

static bool text_add(struct history *h, u32 stream, u64 id, const char *s)
{
	size_t i = text_place(h, stream, id);
	char *copy = strdup(s);

	if (!copy || !grow(&h->texts, &h->room_texts, h->nr_texts + 1, sizeof(*h->texts))) {
		free(copy);
		return false;
	}
	memmove(&h->texts[i + 1], &h->texts[i], (h->nr_texts - i) * sizeof(*h->texts));
	h->texts[i] = (struct text){id, stream, copy};
	h->nr_texts++;
	return true;
}

/* ---- keeping ---- */

/*
 * What was asked in this batch before belongs to a stream of its own, since @id now says something else: a
 * second source of strings lies where the first one was.
 */
static bool new_stream(struct history *h, u64 id)
{
	u32 old = h->stream++;

	for (size_t i = text_place(h, old, 0); i < h->nr_texts && h->texts[i].stream == old; i++)
		if (h->texts[i].id != id && !text_add(h, h->stream, h->texts[i].id, h->texts[i].s))
			return false;
	h->batches[h->nr_batches - 1].stream = h->stream;
	return true;
}

/* The machine asks for a string: it goes into the history too, because a restored machine will ask. */
static const char *keep_string(const void *self, u64 id)
{
	struct history *h = (struct history *)(uintptr_t)self;
	const char *s = h->below.get(h->below.self, id);
	const struct text *kept = text_find(h, h->stream, id);

	if (kept && !strcmp(kept->s, s))
		return s;
	if (kept)
		h->failed |= !new_stream(h, id);
	h->failed |= !text_add(h, h->stream, id, s);
	return s;
}

const struct op_strings *history_batch(struct history *h, const struct mm_op *ops, size_t n,
				       const struct op_strings *strings)
{
	if (strings && (strings->self != h->last_self || strings->get != h->below.get || !h->stream)) {
		h->stream++;
		h->last_self = strings->self;
	}
	if (!grow(&h->ops, &h->room_ops, h->nr_ops + n, sizeof(*h->ops)) ||
	    !grow(&h->batches, &h->room_batches, h->nr_batches + 1, sizeof(*h->batches))) {
		h->failed = true;
		return strings;
	}
	h->batches[h->nr_batches++] = (struct batch){h->nr_ops, strings ? h->stream : 0};
	memcpy(h->ops + h->nr_ops, ops, n * sizeof(*ops));
	h->nr_ops += n;
	if (!strings)
		return NULL;
	h->below = *strings;
	h->wrapped = (struct op_strings){keep_string, h};
	return &h->wrapped;
}

void history_advance(struct history *h, u64 ns)
{
	struct mm_op op = {.ts = ns, .code = OP_NONE};

	history_batch(h, &op, 1, NULL);
}

static void history_free(struct history *h)
{
	for (size_t i = 0; i < h->nr_texts; i++)
		free(h->texts[i].s);
	free(h->texts);
	free(h->batches);
	free(h->ops);
}

void history_destroy(struct history *h)
{
	if (h)
		history_free(h);
	free(h);
}

int machine_keep_history(struct machine *m)
{
	if (m->applied || m->history)
		return -EBUSY;
	m->history = calloc(1, sizeof(*m->history));
	return m->history ? 0 : -ENOMEM;
}

/* ---- snapshots ---- */

static bool copy_history(struct history *to, const struct history *from)
{
	to->stream = from->stream;
	if (!grow(&to->ops, &to->room_ops, from->nr_ops, sizeof(*to->ops)) ||
	    !grow(&to->batches, &to->room_batches, from->nr_batches, sizeof(*to->batches)))
		return false;
	if (from->nr_ops)
		memcpy(to->ops, from->ops, from->nr_ops * sizeof(*to->ops));
	if (from->nr_batches)
		memcpy(to->batches, from->batches, from->nr_batches * sizeof(*to->batches));
	to->nr_ops = from->nr_ops;
	to->nr_batches = from->nr_batches;
	for (size_t i = 0; i < from->nr_texts; i++)
		if (!text_add(to, from->texts[i].stream, from->texts[i].id, from->texts[i].s))
			return false;
	return true;
}

struct machine_snapshot *machine_snapshot(struct machine *m)
{
	struct machine_snapshot *s = m->history && !m->history->failed ? calloc(1, sizeof(*s)) : NULL;

	if (!s)
		return NULL;
	s->config = m->config;
	s->hash = machine_hash(m);
	if (!copy_history(&s->h, m->history)) {
		machine_snapshot_free(s);
		return NULL;
	}
	return s;
}

void machine_snapshot_free(struct machine_snapshot *s)
{
	if (s)
		history_free(&s->h);
	free(s);
}

/* ---- restoring ---- */

struct kept_strings {
	const struct history *h;
	u32 stream;
};

static const char *kept_string(const void *self, u64 id)
{
	const struct kept_strings *k = self;
	const struct text *t = text_find(k->h, k->stream, id);

	return t ? t->s : "";
}

static void replay(struct machine *m, const struct history *h)
{
	for (size_t b = 0; b < h->nr_batches; b++) {
		size_t first = h->batches[b].first;
		size_t end = b + 1 < h->nr_batches ? h->batches[b + 1].first : h->nr_ops;
		struct kept_strings kept = {h, h->batches[b].stream};
		struct op_strings strings = {kept_string, &kept};

		if (end - first == 1 && h->ops[first].code == OP_NONE)
			machine_advance(m, h->ops[first].ts);
		else
			machine_apply(m, h->ops + first, end - first, kept.stream ? &strings : NULL, NULL);
	}
}

struct machine *machine_restore(const struct machine_snapshot *s, char *err, size_t errlen)
{
	struct machine *m = machine_create(&s->config, err, errlen);

	if (!m)
		return NULL;
	replay(m, &s->h);
	if (machine_hash(m) != s->hash) {
		snprintf(err, errlen, "the restored machine differs from the one the snapshot was taken of");
		machine_destroy(m);
		return NULL;
	}
	m->history = calloc(1, sizeof(*m->history));
	if (!m->history || !copy_history(m->history, &s->h)) {
		snprintf(err, errlen, "out of memory");
		machine_destroy(m);
		return NULL;
	}
	return m;
}
