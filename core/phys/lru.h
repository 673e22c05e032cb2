/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * LRU lists and the per-CPU batches in front of them (spec 09 s1; Linux: mm/swap.c).
 *
 * Terms
 *   pagevec   up to 14 pages of a CPU on their way to the lists; each holds one reference.
 *
 * Being on a list costs no reference; whoever drops the last one takes the page off its list
 * (lru_put_page). Lists are the zone's; the node's with reclaim=node.
 * Owns the pagevecs. Invariant: a page is on a list iff PG_lru; the lists' lengths are the zone
 * counters nr_inactive_anon .. nr_unevictable.
 */
#ifndef MEMRIG_LRU_H
#define MEMRIG_LRU_H

#include "core/phys/mmzone.h"

#define PAGEVEC_SIZE 14

struct pagevec {
	u32 nr;
	u32 frames[PAGEVEC_SIZE];
};

struct lru {
	struct phys *phys;
	bool per_node;
	struct pagevec *add; /* [ncpu][NR_LRU_LISTS] */
};

int lru_init(struct lru *lru, struct phys *phys, bool per_node); /* 0 or -ENOMEM */
void lru_destroy(struct lru *lru);

void lru_pagevec_drain(struct lru *lru, struct pagevec *pv, enum lru_list list);

/* Queues a page that is on no list; takes a reference until the batch is drained. */
MM_INLINE void lru_cache_add(struct lru *lru, struct page *p, enum lru_list list)
{
	struct pagevec *pv = &lru->add[lru->phys->hw->cpu * NR_LRU_LISTS + list];

	get_page(p);
	pv->frames[pv->nr++] = page_frame(lru->phys, p);
	if (MM_UNLIKELY(pv->nr == PAGEVEC_SIZE))
		lru_pagevec_drain(lru, pv, list);
}

/* Straight to a list, without a batch: pages of locked areas. */
void lru_add_now(struct lru *lru, struct page *p, enum lru_list list);

void lru_add_drain(struct lru *lru, unsigned cpu);
void lru_add_drain_all(struct lru *lru);

/* Takes @p off its list. False if it is on none. */
bool lru_isolate(struct lru *lru, struct page *p);

/* The list @p is or would be on, by its flags. */
enum lru_list page_lru(const struct page *p);

/* Drops a reference; at the last one takes @p off its list and frees it. */
void lru_put_page_slow(struct lru *lru, struct page *p);
MM_INLINE void lru_put_page(struct lru *lru, struct page *p)
{
	if (put_page_testzero(p))
		lru_put_page_slow(lru, p);
}

/* Lists, flags and counters agree: 0, or 1 with a sentence in @why. */
int lru_check(struct lru *lru, char *why, size_t n);

#endif
