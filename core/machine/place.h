/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Relocation: replays addresses of one machine on another whose address space is smaller or whose
 * pages are larger (interfaces.md s3, `--place own`).
 *
 * Terms
 *   span      a recorded range [from, from + len) and where the model put it; spans of a process
 *             are disjoint and sorted by `from`.
 *   boundary  a guest page that a recorded range covers only in part because guest pages are
 *             larger. Unmapping leaves it, mapping over it widens its rights: what worked on the
 *             recorded machine works here.
 *
 * Owns its array in host memory: bookkeeping of the replay, no kernel object.
 */
#ifndef MEMRIG_PLACE_H
#define MEMRIG_PLACE_H

#include "core/base/types.h"

struct place_span {
	u64 from, to, len; /* recorded start, model's start, bytes */
};

struct place {
	struct place_span *spans;
	u32 nr, cap;
};

struct place *place_create(void);
struct place *place_clone(const struct place *p); /* for fork */
void place_clear(struct place *p);                /* for exec */
void place_destroy(struct place *p);

/* Model address of recorded @addr; false if no span holds it. */
bool place_find(const struct place *p, u64 addr, u64 *model);

/* The span that holds @addr, or NULL. Valid until the next change. */
const struct place_span *place_span_of(const struct place *p, u64 addr);

/* Records that [from, from + len) went to @to; replaces what it overlaps. 0 or -ENOMEM. */
int place_add(struct place *p, u64 from, u64 len, u64 to);

/* Forgets [from, from + len), splitting spans at its borders. 0 or -ENOMEM. */
int place_remove(struct place *p, u64 from, u64 len);

#endif
