/* SPDX-License-Identifier: BSD-2-Clause */
/* What encoder and decoder of columns.h share: the layout of the payload and the heap's guesses. */
#ifndef MEMRIG_TRACE_COLUMNS_IMPL_H
#define MEMRIG_TRACE_COLUMNS_IMPL_H

#include <errno.h>
#include <stdlib.h>

#include "traces/format.h"
#include "traces/slots.h"

enum col_value { CV_TS, CV_ADDR, CV_LEN, CV_ARG, CV_X, NR_CV };

/* Streams of a payload, in order; each value has a control and a data stream. */
enum col_stream {
	CS_SHAPES,
	CS_CELLS,
	CS_SHIFTS,
	CS_IDS,
	CS_VALUES,
	NR_CS = CS_VALUES + 2 * NR_CV
};

struct col_head {
	u32 nr_ops; /* records without extensions */
	u32 nr_shapes, nr_cells;
	u32 id_bytes; /* 1 or 2 */
	u64 first_ts;
	struct {
		u32 raw, stored; /* bytes; equal: not compressed */
	} stream[NR_CS];
};

/* Fields of a shape: addr, len, arg, x0, x1, x2, result. */
#define COL_FIELDS 7u
enum { CF_ADDR, CF_LEN, CF_ARG, CF_X0, CF_X1, CF_X2, CF_RESULT };

struct col_shape {
	u32 task;
	u16 flags;
	u8 cpu, code;
	u8 vary; /* BIT(field) */
	u8 reserved;
	u16 ext_has;
	u32 cell[COL_FIELDS];
};
_Static_assert(sizeof(struct col_shape) == 40, "layout of the format");

/* Most values of each stream for @n operations. */
MM_INLINE size_t col_max_values(enum col_value v, size_t n)
{
	return v == CV_X ? 4 * n : v == CV_ARG ? 2 * n : n;
}

MM_INLINE u64 zigzag(u64 d)
{
	return d << 1 ^ (u64)((s64)d >> 63);
}

MM_INLINE u64 unzigzag(u64 z)
{
	return z >> 1 ^ -(z & 1);
}

MM_INLINE u32 zigzag32(u32 d)
{
	return d << 1 ^ (u32)((s32)d >> 31);
}

MM_INLINE u32 unzigzag32(u32 z)
{
	return z >> 1 ^ -(z & 1);
}

/* The heap's state: what is known of each slot, and the slots freed last of each class. */
#define HEAP_RING 32u

struct heap_slot {
	u64 addr; /* where its last block was */
	u8 class;
	bool live;
};

struct heap_guess {
	struct heap_slot *slot;
	u32 nr, cap;
	u32 last;    /* slot of the last operation */
	u64 end;     /* behind the last block that was not where it was guessed */
	u64 unknown; /* last address freed that had no slot */
	u8 depth[SLOT_CLASSES];
	u32 ring[SLOT_CLASSES][HEAP_RING];
};

/* Slot for the next block of @class: the one freed last, else the next new one. Takes it from the
 * ring. */
MM_INLINE u32 guess_slot(struct heap_guess *h, u8 class)
{
	while (h->depth[class]) {
		u32 slot = h->ring[class][--h->depth[class]];

		if (!h->slot[slot].live)
			return slot;
	}
	return h->nr;
}

MM_INLINE u64 guess_addr(const struct heap_guess *h, u32 slot)
{
	return slot < h->nr ? h->slot[slot].addr : h->end;
}

static inline int heap_guess_grow(struct heap_guess *h)
{
	u32 cap = h->cap ? h->cap * 2 : 1024;
	struct heap_slot *more = realloc(h->slot, cap * sizeof(*more));

	if (!more)
		return -ENOMEM;
	h->slot = more;
	h->cap = cap;
	return 0;
}

/* A block at @addr got @slot; @hit: where it was guessed. 0, -ENOMEM, -EINVAL: the slot is not the
 * next. */
MM_INLINE int guess_born(struct heap_guess *h, u32 slot, u8 class, u64 addr, u64 len, bool hit)
{
	if (slot >= h->nr) {
		if (slot != h->nr || slot >= TRACE_MAX_SLOTS)
			return -EINVAL;
		if (slot == h->cap && heap_guess_grow(h))
			return -ENOMEM;
		h->nr++;
		hit = false;
	}
	h->slot[slot] = (struct heap_slot){.addr = addr, .class = class, .live = true};
	if (!hit)
		h->end = addr + (((len < 24 ? 24 : len) + 23) & ~15ull);
	h->last = slot;
	return 0;
}

/* The block in @slot went. Unknown slots change nothing but `last`. */
MM_INLINE void guess_gone(struct heap_guess *h, u32 slot)
{
	struct heap_slot *s;

	h->last = slot;
	if (slot >= h->nr || !h->slot[slot].live)
		return;
	s = &h->slot[slot];
	s->live = false;
	if (h->depth[s->class] == HEAP_RING) { /* forget the older half */
		u32 *ring = h->ring[s->class];

		__builtin_memcpy(ring, ring + HEAP_RING / 2, HEAP_RING / 2 * sizeof(*ring));
		h->depth[s->class] = HEAP_RING / 2;
	}
	h->ring[s->class][h->depth[s->class]++] = slot;
}

/* Address that a free of @slot is guessed to have. */
MM_INLINE u64 guess_freed_addr(const struct heap_guess *h, u32 slot)
{
	return slot < h->nr ? h->slot[slot].addr : h->unknown;
}

#endif
