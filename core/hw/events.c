/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/hw/events.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name, *fields;
} events[] = {
#define EVENT(SYM, name, fields) {name, fields},
#include "core/event.def"
#undef EVENT
};

int events_init(struct hw *hw, u64 entries)
{
	u64 size = 1;

	hw->events = NULL;
	if (!entries)
		return 0;
	while (size < entries)
		size *= 2;
	hw->events = calloc(1, sizeof(struct event_ring) + size * sizeof(struct mm_event));
	if (!hw->events)
		return -ENOMEM;
	hw->events->mask = size - 1;
	return 0;
}

void events_destroy(struct hw *hw)
{
	free(hw->events);
	hw->events = NULL;
}

void event_add(struct hw *hw, enum mm_event_code code, const s64 v[6])
{
	struct event_ring *r = hw->events;
	struct mm_event *e = &r->e[r->head++ & r->mask];

	*e = (struct mm_event){
		.ts = hw->now, .task = hw->task, .cpu = (u16)hw->cpu, .code = (u16)code};
	memcpy(e->v, v, sizeof(e->v));
}

const struct mm_event *event_at(const struct hw *hw, u64 i)
{
	const struct event_ring *r = hw->events;
	u64 kept;

	if (!r)
		return NULL;
	kept = r->head <= r->mask ? r->head : r->mask + 1;
	return i < kept ? &r->e[(r->head - kept + i) & r->mask] : NULL;
}

const char *event_name(unsigned code)
{
	return code < NR_EVENTS ? events[code].name : "?";
}

static bool in_hex(const char *field, size_t n)
{
	return (n >= 5 && !memcmp(field + n - 5, "flags", 5)) ||
	       (n == 12 && !memcmp(field, "isolate_mode", n));
}

static void print_event(const struct mm_event *e, FILE *out)
{
	const char *f = events[e->code].fields;

	fprintf(out, "task-%" PRIu32 " [%03u] %" PRIu64 ".%09" PRIu64 ": %s:", e->task, e->cpu,
		e->ts / 1000000000, e->ts % 1000000000, events[e->code].name);
	for (unsigned i = 0; *f; i++) {
		size_t n = strcspn(f, " ");

		fprintf(out, in_hex(f, n) ? " %.*s=0x%" PRIx64 : " %.*s=%" PRId64, (int)n, f,
			e->v[i]);
		f += n + (f[n] == ' ');
	}
	fputc('\n', out);
}

void events_print(const struct hw *hw, FILE *out)
{
	const struct mm_event *e;

	fprintf(out, "# task-index [cpu] seconds: event: fields (%" PRIu64 " events%s)\n",
		hw->events ? hw->events->head : 0, hw->events ? "" : ": set events=N to keep the last N");
	for (u64 i = 0; (e = event_at(hw, i)); i++)
		print_event(e, out);
}
