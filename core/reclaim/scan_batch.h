/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages taken off their lists together, and what is done with them: shared by the two lists
 * (shrink_list.c) and the generations (lru_gen.c). Linux keeps such batches on lists.
 */
#ifndef MEMRIG_RECLAIM_SCAN_BATCH_H
#define MEMRIG_RECLAIM_SCAN_BATCH_H

#include "core/reclaim/vmscan.h"

#define SCAN_BATCH_MAX 64u /* the generations' batch; the lists' is SWAP_CLUSTER_MAX */

/* In the order taken. Each page has a reference of the batch and no PG_lru. */
struct scan_batch {
	u32 nr;
	u32 frames[SCAN_BATCH_MAX];
};

/* What taking the batch meant. */
struct scan_taken {
	u64 scanned;		      /* pages looked at */
	u64 by_zone[MM_MAX_NR_ZONES]; /* of the pages taken */
};

MM_INLINE struct page *scan_page(const struct vmscan *vs, const struct scan_batch *b, u32 i)
{
	return frame_to_page(vs->phys, b->frames[i]);
}

/* Adds the batch to nr_isolated_anon or nr_isolated_file, or with @sign -1 takes it off. */
void count_isolated(struct vmscan *vs, const struct scan_unit *u, const struct scan_batch *b, bool file, s64 sign);

/* Adds @n (reclaim=zone) or the pages by their zones (reclaim=node) to five counters from @ev on. */
void count_by_zone(struct vmscan *vs, const struct scan_unit *u, enum vm_event_item ev, u64 n, const u64 *by_zone);

/*
 * Frees what can be freed of @b, all of one type, and puts the rest back; how many were freed. Adds to
 * sc->nr_scanned, not to nr_reclaimed. Counts pgscan, pgsteal, pgactivate and lowers nr_isolated. (spec 09 s8)
 */
u64 shrink_batch(struct vmscan *vs, struct scan_unit *u, struct scan_control *sc, const struct scan_batch *b,
		 const struct scan_taken *t, bool file);

#endif
