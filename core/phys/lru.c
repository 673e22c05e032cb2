/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/phys/lru.h"

#include <errno.h>
#include <stdlib.h>

#include "core/phys/page_alloc.h"

int lru_init(struct lru *lru, struct phys *phys, bool per_node)
{
	lru->phys = phys;
	lru->per_node = per_node;
	lru->add = calloc((size_t)phys->ncpu * NR_LRU_LISTS, sizeof(*lru->add));
	return lru->add ? 0 : -ENOMEM;
}

void lru_destroy(struct lru *lru)
{
	free(lru->add);
	lru->add = NULL;
}

static struct lruvec *lruvec_of(const struct lru *lru, struct zone *z)
{
	return lru->per_node ? &zone_pgdat(z)->lruvec : &z->lruvec;
}

enum lru_list page_lru(const struct page *p)
{
	if (PageUnevictable(p))
		return LRU_UNEVICTABLE;
	if (PageSwapBacked(p))
		return PageActive(p) ? LRU_ACTIVE_ANON : LRU_INACTIVE_ANON;
	return PageActive(p) ? LRU_ACTIVE_FILE : LRU_INACTIVE_FILE;
}

static void add_to_list(struct lru *lru, struct page *p, enum lru_list list)
{
	struct zone *z = page_zone(lru->phys, p);

	VM_BUG_ON(PageLRU(p));
	SetPageLRU(p);
	if (list == LRU_ACTIVE_ANON || list == LRU_ACTIVE_FILE)
		SetPageActive(p);
	if (list == LRU_UNEVICTABLE)
		SetPageUnevictable(p);
	plist_add_head(lru->phys->memmap, &lruvec_of(lru, z)->lists[list], p);
	mod_zone_page_state(z, (enum zone_stat_item)(NR_INACTIVE_ANON + list), 1);
}

void lru_pagevec_drain(struct lru *lru, struct pagevec *pv, enum lru_list list)
{
	for (u32 i = 0; i < pv->nr; i++) {
		struct page *p = frame_to_page(lru->phys, pv->frames[i]);

		add_to_list(lru, p, list);
		lru_put_page(lru, p);
	}
	pv->nr = 0;
}

void lru_add_now(struct lru *lru, struct page *p, enum lru_list list)
{
	add_to_list(lru, p, list);
}

void lru_add_drain(struct lru *lru, unsigned cpu)
{
	for (unsigned l = 0; l < NR_LRU_LISTS; l++) {
		struct pagevec *pv = &lru->add[cpu * NR_LRU_LISTS + l];

		if (pv->nr)
			lru_pagevec_drain(lru, pv, (enum lru_list)l);
	}
}

void lru_add_drain_all(struct lru *lru)
{
	for (unsigned cpu = 0; cpu < lru->phys->ncpu; cpu++)
		lru_add_drain(lru, cpu);
}

bool lru_isolate(struct lru *lru, struct page *p)
{
	struct zone *z;
	enum lru_list list;

	if (!PageLRU(p))
		return false;
	z = page_zone(lru->phys, p);
	list = page_lru(p);
	plist_del(lru->phys->memmap, &lruvec_of(lru, z)->lists[list], p);
	mod_zone_page_state(z, (enum zone_stat_item)(NR_INACTIVE_ANON + list), -1);
	ClearPageLRU(p);
	return true;
}

void lru_put_page_slow(struct lru *lru, struct page *p)
{
	lru_isolate(lru, p);
	p->flags &= ~(1u << PG_active | 1u << PG_unevictable | 1u << PG_swapbacked | 1u << PG_uptodate |
		      1u << PG_dirty | 1u << PG_referenced);
	p->mapping = 0;
	free_hot_cold_page(lru->phys, lru->phys->hw->cpu, p, false);
}

int lru_check(struct lru *lru, char *why, size_t n)
{
	u64 length[NR_LRU_LISTS] = {0};

	for (unsigned i = 0; i < lru->phys->nr_zones; i++) {
		struct zone *z = &lru->phys->zones[i];

		if (lru->per_node && z != zone_pgdat(z)->node_zones[z->type])
			continue;
		for (unsigned l = 0; l < NR_LRU_LISTS; l++) {
			const struct page_list *list = &z->lruvec.lists[l];

			for (struct page *p = plist_first(lru->phys->memmap, list); p;
			     p = plist_next(lru->phys->memmap, p)) {
				if (!PageLRU(p) || page_lru(p) != l || !page_count(p)) {
					snprintf(why, n, "lru: frame %u on list %u", page_frame(lru->phys, p), l);
					return 1;
				}
				length[l]++;
			}
		}
	}
	for (unsigned l = 0; l < NR_LRU_LISTS && !lru->per_node; l++) {
		s64 counted = global_page_state(lru->phys, (enum zone_stat_item)(NR_INACTIVE_ANON + l));

		if (counted != (s64)length[l]) {
			snprintf(why, n, "lru: list %u has %llu pages, counter says %lld", l,
				 (unsigned long long)length[l], (long long)counted);
			return 1;
		}
	}
	return 0;
}
