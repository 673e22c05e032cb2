/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ring of trace events in virtual time (spec 09 s11): the last N, N a power of two (key events=).
 * Off by default: then a call of trace_event() is one test of a pointer.
 *
 * Owns the ring (host memory). Linux: include/trace/events/vmscan.h, pagemap.h.
 */
#ifndef MEMRIG_EVENTS_H
#define MEMRIG_EVENTS_H

#include <stdio.h>

#include "core/hw/hw.h"

enum mm_event_code {
#define EVENT(SYM, name, fields) EVENT_##SYM,
#include "core/event.def"
#undef EVENT
	NR_EVENTS
};

struct mm_event {
	u64 ts;
	u32 task; /* dense index of the task whose operation is in flight */
	u16 cpu, code;
	s64 v[6];
};

struct event_ring {
	u64 head; /* events ever written */
	u64 mask;
	struct mm_event e[];
};

/* A ring of at least @entries; none for 0. 0 or -ENOMEM. */
int events_init(struct hw *hw, u64 entries);
void events_destroy(struct hw *hw);

void event_add(struct hw *hw, enum mm_event_code code, const s64 v[6]);
#define trace_event(hw, code, ...)                                                                 \
	do {                                                                                       \
		if (MM_UNLIKELY((hw)->events != NULL))                                             \
			event_add(hw, code, (const s64[6]){__VA_ARGS__});                          \
	} while (0)

/* Event @i of those still in the ring, oldest first; NULL behind the last. */
const struct mm_event *event_at(const struct hw *hw, u64 i);
const char *event_name(unsigned code);
/* One line an event, as in the kernel's trace file. */
void events_print(const struct hw *hw, FILE *out);

#endif
