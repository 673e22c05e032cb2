/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is aged and who is evicted with mglru=1 (spec 13 s5), in the manner of Linux 6.1.
 *
 *   aging     when the youngest generation holds more than half of all pages, the oldest less than a
 *             quarter, or only MIN_NR_GENS are left: walk the page tables, promote what was accessed, begin
 *             a generation. kswapd does it before it evicts; a task that reclaims directly or because of
 *             memlimit= does it below the default priority only.
 *   eviction  from the tail of the oldest generation of one type, 64 pages at a time.
 *   tiers     pages of the oldest generation with more references than tier 0 are evicted only while they
 *             refault no more than twice as often (per eviction) as those of tier 0; else they move on.
 *   types     the older oldest generation first; at the same age the type whose tier 0 refaults less,
 *             weighed by swappiness against 200 - swappiness. With fewer than 64 free slots: files only.
 *
 * Linux: mm/vmscan.c; left out: memory cgroups and their generations, the cut of a pass when the watermarks
 * are met, one generation of history only. Different: a batch is 64 pages on 32-bit machines, too; a pass that
 * finds nothing but dirty file pages writes 64 of them (Linux 6.13 wakes the flusher, 6.1 waits for it).
 */
#ifndef MEMRIG_RECLAIM_LRU_GEN_H
#define MEMRIG_RECLAIM_LRU_GEN_H

#include "core/reclaim/vmscan.h"

/* Of kswapd, at each priority: ages @u if it is time; with mglru_min_ttl_ms= kills if all is too young. */
void lru_gen_age(struct vmscan *vs, struct scan_unit *u, struct scan_control *sc);

/* One pass over @u at sc->priority: shrink_lruvec() of the generations. Ages first if it must. */
void lru_gen_shrink(struct vmscan *vs, struct scan_unit *u, struct scan_control *sc, u64 *lru_pages);

/* Walks page tables and begins a generation. @force: tables that were cold last time, too. */
void lru_gen_begin(struct vmscan *vs, struct scan_unit *u, bool can_swap, bool force);

/* A page that could not be evicted: to the youngest generation, or the second oldest if it will be clean soon. */
void lru_gen_reject(struct page *p);

/* The last tier of @type that may be evicted. */
unsigned lru_gen_last_tier(const struct lru_gen *g, unsigned type);
/* The type to evict from, of two with equally old pages, and in *@tier its last tier to evict. */
unsigned lru_gen_choose_type(const struct lru_gen *g, u64 swappiness, unsigned *tier);

/* View lru_gen: generations, their age in milliseconds, anonymous and file pages; tiers with refaults. */
void lru_gen_show(const struct vmscan *vs, FILE *out);

#endif
