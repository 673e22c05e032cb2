/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shrinkers: caches of kernel objects that give some back in proportion to how hard pages are
 * scanned (spec 09 s12). Linux: mm/vmscan.c shrink_slab; left out: per-node and per-cgroup counts.
 */
#ifndef MEMRIG_RECLAIM_SHRINKER_H
#define MEMRIG_RECLAIM_SHRINKER_H

#include "core/base/list.h"
#include "core/phys/gfp.h"

struct vmscan;

#define DEFAULT_SEEKS 2u
#define SHRINK_BATCH  128u
#define SHRINK_STOP   UINT64_MAX

struct shrinker {
	u64 (*count)(void *self);	 /* objects that could be freed */
	u64 (*scan)(void *self, u64 nr); /* looks at @nr of them: freed, or SHRINK_STOP */
	void *self;
	u64 seeks;    /* cost of making one again, in disk seeks; 0: DEFAULT_SEEKS */
	u64 batch;    /* 0: SHRINK_BATCH */
	u64 deferred; /* scans owed */
	struct list_head link;
};

/* @s, which the caller owns, is asked from now on. May sleep. (spec 09 s12) */
void register_shrinker(struct vmscan *vs, struct shrinker *s);
void unregister_shrinker(struct shrinker *s);

/* @scanned of @eligible pages were looked at: objects freed. Counts slabs_scanned. May sleep. */
u64 shrink_slab(struct vmscan *vs, gfp_t gfp, u64 scanned, u64 eligible);
/* drop_caches 2: until no more than ten go at once. Counts drop_slab. */
void drop_slab(struct vmscan *vs);

#endif
