/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The `lists` operation: snapshots of the allocators' lists, head to tail, as JSON texts in the form
 * of interfaces.md s4. Frames are numbered from the first frame of RAM, as alloc_pages answers. Kind frames
 * is a map of each zone: runs ["free", 512] of what frames in a row are used for, from the zone's first on:
 * hole (no memory), reserved (never the buddy allocator's), free (in its lists), cached (on a CPU's list),
 * anon, file (page cache and shared memory), kernel (all else).
 *
 * Owns the texts; they go with the machine.
 */
#ifndef MEMRIG_LISTS_H
#define MEMRIG_LISTS_H

#include "core/base/types.h"

struct machine;

/*
 * Takes a snapshot called @name of @kind ("buddy", "pcp", "blocks", "lru", "slab", "cache"; @cache
 * for the last two). 0, -EINVAL (unknown kind or cache), -ENOMEM.
 */
int machine_take_lists(struct machine *m, const char *name, const char *kind, u64 cache);

#endif
