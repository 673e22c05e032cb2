/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shadow entries and refault distance (spec 09 s9): what an evicted page leaves in its slot of the
 * page cache (key anonws=1: of the swap cache, too), and what its return tells.
 *
 *   age of the lruvec:  ... evict A (E) ... evictions and activations ... refault A (R)
 *   distance = R - E: how many more pages of memory would have kept A. At most what the active list
 *   holds: A competes with it, and is activated at once.
 *
 * Terms
 *   age      lruvec->inactive_age: evictions plus activations.
 *   shadow   age, zone (reclaim=node: node) and whether the page was active, packed in less than 63
 *            bits. The distance wraps as it does in a word of the guest.
 *
 * With mglru=1 a shadow holds the oldest generation at eviction and the page's references instead, and a
 * refault tells the controller of the generations how well a tier was chosen (core/reclaim/lru_gen.c).
 *
 * Owns nothing; the slots that hold shadows are the cache's. With workingset=0 evictions leave
 * nothing. Linux: mm/workingset.c; left out: per-memory-cgroup ages.
 */
#ifndef MEMRIG_WORKINGSET_H
#define MEMRIG_WORKINGSET_H

#include "core/phys/lru.h"

struct workingset {
	struct lru *lru;
	struct phys *phys;
	const s64 *nr_swap_pages; /* free slots; NULL: no swap */
	bool enabled, node, anon, modern, mglru;
	unsigned slot_bits;    /* bits of a shadow that name the zone or node, and the active bit */
	unsigned bucket_order; /* evictions that share an age when the word is short of bits */
	u64 mask;	       /* of a distance */
};

/* A decoded shadow. */
struct refault {
	u64 distance;
	struct lruvec *vec;
	struct zone *zone; /* whose counters move; with reclaim=node the node's first zone */
	bool was_active;
};

void workingset_init(struct workingset *ws, struct lru *lru, const s64 *nr_swap_pages,
		     const struct machine_config *c);

/*
 * @p is being evicted by reclaim: its shadow, or 0 for none (workingset=0; shared memory, and
 * anonymous pages unless anonws=1). Ages the lruvec. Never for truncation.
 */
u64 workingset_eviction(struct workingset *ws, const struct page *p);

/* What @shadow tells if its page came back now. Changes nothing. */
void workingset_unpack(const struct workingset *ws, u64 shadow, struct refault *r);

/*
 * A page comes back to the slot that held @shadow: true if it is to be active, which also ages its
 * lruvec. @file: a page of a file. Counts workingset_refault and workingset_activate.
 */
bool workingset_refault(struct workingset *ws, u64 shadow, bool file);

/*
 * @p comes back to the slot that held @shadow, and is on no list yet: sets PG_active if it is to be active.
 * mglru=1: counts the refault for its tier if it was evicted from what is the oldest generation still, and
 * sets PG_workingset if it is needed at once (workingset_restore_*).
 */
void workingset_return(struct workingset *ws, struct page *p, u64 shadow);

/* mark_page_accessed() activated a page of a file. */
MM_INLINE void workingset_activation(struct lruvec *v)
{
	v->inactive_age++;
}

/* More leaf nodes of nothing but shadows than this are shrunk: present pages / 16. */
u64 workingset_max_nodes(const struct workingset *ws);

#endif
