/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sorted array: processes have tens to hundreds of mappings, look-ups dominate, and a binary
 * search over 24-byte entries needs no balancing.
 */
#include "core/machine/place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct place *place_create(void)
{
	return calloc(1, sizeof(struct place));
}

struct place *place_clone(const struct place *p)
{
	struct place *c = place_create();

	if (!c || !p->nr)
		return c;
	c->spans = malloc(p->nr * sizeof(*c->spans));
	if (!c->spans) {
		free(c);
		return NULL;
	}
	memcpy(c->spans, p->spans, p->nr * sizeof(*c->spans));
	c->nr = c->cap = p->nr;
	return c;
}

void place_clear(struct place *p)
{
	p->nr = 0;
}

void place_destroy(struct place *p)
{
	if (p)
		free(p->spans);
	free(p);
}

/* Index of the first span that ends above @addr. */
static u32 lower_bound(const struct place *p, u64 addr)
{
	u32 lo = 0, hi = p->nr;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (p->spans[mid].from + p->spans[mid].len > addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

const struct place_span *place_span_of(const struct place *p, u64 addr)
{
	u32 i = lower_bound(p, addr);

	return i < p->nr && p->spans[i].from <= addr ? &p->spans[i] : NULL;
}

bool place_find(const struct place *p, u64 addr, u64 *model)
{
	const struct place_span *s = place_span_of(p, addr);

	if (!s)
		return false;
	*model = s->to + (addr - s->from);
	return true;
}

static int insert_at(struct place *p, u32 i, struct place_span span)
{
	if (p->nr == p->cap) {
		u32 cap = p->cap ? 2 * p->cap : 32;
		struct place_span *grown = realloc(p->spans, cap * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		p->spans = grown;
		p->cap = cap;
	}
	memmove(p->spans + i + 1, p->spans + i, (p->nr - i) * sizeof(span));
	p->spans[i] = span;
	p->nr++;
	return 0;
}

static void drop_at(struct place *p, u32 i)
{
	p->nr--;
	memmove(p->spans + i, p->spans + i + 1, (p->nr - i) * sizeof(*p->spans));
}

/* Cuts [from, end) out of span @i. Returns 1 if the span is gone, 0 if not, or -ENOMEM. */
static int cut(struct place *p, u32 i, u64 from, u64 end)
{
	struct place_span *s = &p->spans[i], rest;
	u64 s_end = s->from + s->len;

	if (from <= s->from && end >= s_end) {
		drop_at(p, i);
		return 1;
	}
	if (from > s->from && end < s_end) {
		rest = (struct place_span){end, s->to + (end - s->from), s_end - end};
		s->len = from - s->from;
		return insert_at(p, i + 1, rest);
	}
	if (from <= s->from) {
		s->to += end - s->from;
		s->len = s_end - end;
		s->from = end;
	} else {
		s->len = from - s->from;
	}
	return 0;
}

int place_remove(struct place *p, u64 from, u64 len)
{
	u64 end = from + len;

	for (u32 i = lower_bound(p, from); i < p->nr && p->spans[i].from < end;) {
		int r = cut(p, i, from, end);

		if (r < 0)
			return r;
		i += !r;
	}
	return 0;
}

int place_add(struct place *p, u64 from, u64 len, u64 to)
{
	int r = place_remove(p, from, len);

	return r ? r : insert_at(p, lower_bound(p, from), (struct place_span){from, to, len});
}
