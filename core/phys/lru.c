/* SPDX-License-Identifier: BSD-2-Clause */
/*
 *   lru_cache_add -> pagevec -> head of active or inactive list ... tail <- reclaim scans from here
 *   mark_page_accessed: inactive -> inactive, referenced -> active -> active, referenced
 */
#include "core/phys/lru.h"

#include <errno.h>
#include <stdlib.h>

#include "core/hw/events.h"
#include "core/phys/page_alloc.h"

int lru_init(struct lru *lru, struct phys *phys, const struct machine_config *c)
{
	lru->phys = phys;
	lru->per_node = c->reclaim == RECLAIM_NODE;
	lru->mglru = c->mglru;
	lru->pagevec_size = (u32)c->pagevec;
	lru->limit = c->memlimit >> phys->page_shift;
	lru->headroom = 0;
	for (unsigned i = 0; i < phys->nr_zones; i++) {
		struct zone *z = &phys->zones[i];

		lru->vec[z->slot + 1] = lru->per_node ? &zone_pgdat(z)->lruvec : &z->lruvec;
	}
	lru->cpu = calloc(phys->ncpu, sizeof(*lru->cpu));
	if (!lru->cpu)
		return -ENOMEM;
	return lru->mglru ? lru_gen_init(lru) : 0;
}

void lru_destroy(struct lru *lru)
{
	if (lru->mglru)
		lru_gen_destroy(lru);
	free(lru->cpu);
	lru->cpu = NULL;
}

/* ---- lists ---- */

/* @n pages join list @l of their lruvec: its lengths in their zones. */
static void count_joining(struct lru *lru, const u32 *frames, u32 n, enum lru_list l)
{
	const struct page *map = lru->phys->memmap;

	if (!lru->per_node) { /* all are of one zone */
		mod_lru_size(lru, &map[frames[0]], l, n);
		return;
	}
	for (u32 i = 0; i < n; i++)
		mod_lru_size(lru, &map[frames[i]], l, 1);
}

void add_pages_to_lru_list(struct lru *lru, const u32 *frames, u32 n, enum lru_list l)
{
	struct page *map = lru->phys->memmap;

	if (MM_UNLIKELY(lru->mglru)) {
		for (u32 i = 0; i < n; i++)
			add_page_to_lru_list(lru, &map[frames[i]], l);
		return;
	}
	if (!n)
		return;
	for (u32 i = 0; i < n; i++) {
		VM_BUG_ON(PageLRU(&map[frames[i]]));
		SetPageLRU(&map[frames[i]]);
	}
	count_joining(lru, frames, n, l);
	plist_add_heads(map, &page_lruvec(lru, &map[frames[0]])->lists[l], frames, n);
}

u64 lruvec_size(const struct lru *lru, const struct lruvec *vec, enum lru_list l, unsigned max_type)
{
	u64 sum = 0;

	for (unsigned i = 0; i < lru->phys->nr_zones; i++) {
		const struct zone *z = &lru->phys->zones[i];

		if (zone_lruvec(lru, z) == vec && z->type <= max_type)
			sum += (u64)z->vm_stat[NR_INACTIVE_ANON + l];
	}
	return sum;
}

/* ---- batches ---- */

/* Frees pages whose last reference was a batch's, the last of them first. */
static void free_lone(struct lru *lru, const u32 *frames, u32 nr)
{
	while (nr)
		lru_put_page_slow(lru, frame_to_page(lru->phys, frames[--nr]));
}

/* Drops the last reference of a page on no list. */
MM_INLINE void free_unlisted(struct lru *lru, struct page *p)
{
	VM_BUG_ON(PageLRU(p));
	lru_forget_page(p);
	free_hot_cold_page(lru->phys, lru->phys->hw->cpu, p, false);
}

enum {
	TRACE_MAPPED = 1,
	TRACE_ANON = 2,
	TRACE_FILE = 4,
	TRACE_SWAPCACHE = 8,
	TRACE_SWAPBACKED = 16
};

static void trace_insertion(struct lru *lru, const struct page *p)
{
	unsigned flags = (page_mapped(p) ? TRACE_MAPPED : 0) |
			 (PageAnon(p) ? TRACE_ANON : TRACE_FILE) |
			 (PageSwapCache(p) ? TRACE_SWAPCACHE : 0) |
			 (PageSwapBacked(p) ? TRACE_SWAPBACKED : 0);

	trace_event(lru->phys->hw, EVENT_LRU_INSERTION, page_to_pfn(lru->phys, p), page_lru(p),
		    flags);
}

/* Runs @move on each page of @pv and drops the batch's references. */
static void drain_moving(struct lru *lru, struct pagevec *pv,
			 void (*move)(struct lru *, struct page *))
{
	u32 lone[PAGEVEC_MAX], nr_lone = 0, nr = pv->nr;

	for (u32 i = 0; i < nr; i++) {
		struct page *p = frame_to_page(lru->phys, pv->frames[i]);

		move(lru, p);
		if (put_page_testzero(p))
			lone[nr_lone++] = pv->frames[i];
	}
	pv->nr = 0;
	free_lone(lru, lone, nr_lone);
}

/* A page to its list. */
static void add_fn(struct lru *lru, struct page *p)
{
	add_page_to_lru_list(lru, p, page_lru(p));
	update_reclaim_stat(page_lruvec(lru, p), page_is_file_cache(p), PageActive(p));
	if (MM_UNLIKELY(lru->phys->hw->events != NULL))
		trace_insertion(lru, p);
}

/*
 * Neighbours of a batch that go to the same list go there together. A page whose last reference is the batch's
 * would be put on its list and taken off again: it never gets there, but counts as any other.
 */
void lru_add_drain_vec(struct lru *lru, struct pagevec *pv)
{
	u32 lone[PAGEVEC_MAX], nr_lone = 0, nr = pv->nr, first = 0, end = 0; /* of the run, in place */
	const bool traced = lru->phys->hw->events != NULL;
	struct page *map = lru->phys->memmap;
	const struct lruvec *vec = NULL;
	enum lru_list list = LRU_UNEVICTABLE;

	if (MM_UNLIKELY(lru->mglru)) {
		drain_moving(lru, pv, add_fn);
		return;
	}
	for (u32 i = 0; i < nr; i++) {
		struct page *p = &map[pv->frames[i]];
		struct lruvec *v = page_lruvec(lru, p);
		enum lru_list l = page_lru(p);

		update_reclaim_stat(v, page_is_file_cache(p), PageActive(p));
		if (MM_UNLIKELY(traced))
			trace_insertion(lru, p);
		if (put_page_testzero(p)) {
			lone[nr_lone++] = pv->frames[i];
			continue;
		}
		if (l != list || v != vec) {
			add_pages_to_lru_list(lru, pv->frames + first, end - first, list);
			first = end;
			list = l;
			vec = v;
		}
		pv->frames[end++] = pv->frames[i];
	}
	add_pages_to_lru_list(lru, pv->frames + first, end - first, list);
	pv->nr = 0;
	while (nr_lone)
		free_unlisted(lru, frame_to_page(lru->phys, lone[--nr_lone]));
}

/* Queues @p for @move, which happens when the batch is full. */
static void queue_moving(struct lru *lru, struct pagevec *pv, struct page *p,
			 void (*move)(struct lru *, struct page *))
{
	get_page(p);
	pv->frames[pv->nr++] = page_frame(lru->phys, p);
	if (pv->nr == lru->pagevec_size)
		drain_moving(lru, pv, move);
}

static void count_event(struct lru *lru, enum vm_event_item ev)
{
	count_vm_event(lru->phys->hw, lru->phys->hw->cpu, ev);
}

static void activate_fn(struct lru *lru, struct page *p)
{
	if (!PageLRU(p) || PageActive(p) || PageUnevictable(p))
		return;
	del_page_from_lru_list(lru, p, page_lru(p));
	SetPageActive(p);
	add_page_to_lru_list(lru, p, page_lru(p));
	trace_event(lru->phys->hw, EVENT_LRU_ACTIVATE, page_to_pfn(lru->phys, p));
	count_event(lru, EV_PGACTIVATE);
	update_reclaim_stat(page_lruvec(lru, p), page_is_file_cache(p), true);
}

static void rotate_fn(struct lru *lru, struct page *p)
{
	if (!PageLRU(p) || PageActive(p) || PageUnevictable(p))
		return;
	if (MM_UNLIKELY(lru->mglru)) { /* from whatever generation to the oldest */
		del_page_from_lru_list(lru, p, page_lru(p));
		ClearPageActive(p);
		add_page_to_lru_tail(lru, p, page_lru(p));
	} else {
		plist_move_tail(lru->phys->memmap, &page_lruvec(lru, p)->lists[page_lru(p)], p);
	}
	count_event(lru, EV_PGROTATED);
}

static void deactivate_fn(struct lru *lru, struct page *p)
{
	bool active = PageActive(p), busy = PageWriteback(p) || PageDirty(p);

	if (!PageLRU(p) || PageUnevictable(p) || page_mapped(p))
		return;
	del_page_from_lru_list(lru, p, page_lru(p));
	p->flags &= ~(1u << PG_active | 1u << PG_referenced);
	if (busy) { /* write-back will end some day, and PG_reclaim move it on */
		SetPageReclaim(p);
		add_page_to_lru_list(lru, p, page_lru(p));
	} else {
		add_page_to_lru_tail(lru, p, page_lru(p));
		count_event(lru, EV_PGROTATED);
	}
	if (active)
		count_event(lru, EV_PGDEACTIVATE);
	update_reclaim_stat(page_lruvec(lru, p), page_is_file_cache(p), false);
}

void lru_add_drain(struct lru *lru, unsigned cpu)
{
	struct lru_cpu *c = &lru->cpu[cpu];

	if (c->add.nr)
		lru_add_drain_vec(lru, &c->add);
	if (c->rotate.nr)
		drain_moving(lru, &c->rotate, rotate_fn);
	if (c->deactivate.nr)
		drain_moving(lru, &c->deactivate, deactivate_fn);
	if (c->activate.nr)
		drain_moving(lru, &c->activate, activate_fn);
}

void lru_add_drain_all(struct lru *lru)
{
	might_sleep(lru->phys->hw);
	for (unsigned cpu = 0; cpu < lru->phys->ncpu; cpu++)
		lru_add_drain(lru, cpu);
}

/* ---- second chance ---- */

static struct lru_cpu *this_cpu(struct lru *lru)
{
	return &lru->cpu[lru->phys->hw->cpu];
}

void activate_page(struct lru *lru, struct page *p)
{
	if (!PageLRU(p) || PageActive(p) || PageUnevictable(p))
		return;
	if (lru->phys->ncpu == 1)
		activate_fn(lru, p);
	else
		queue_moving(lru, &this_cpu(lru)->activate, p, activate_fn);
}

/* A page still in this CPU's batch becomes active by its flag alone. */
static void activate_queued(struct lru *lru, struct page *p)
{
	const struct pagevec *pv = &this_cpu(lru)->add;
	u32 f = page_frame(lru->phys, p);

	for (u32 i = pv->nr; i-- > 0;)
		if (pv->frames[i] == f) {
			SetPageActive(p);
			return;
		}
}

void mark_page_accessed(struct lru *lru, struct page *p)
{
	if (MM_UNLIKELY(lru->mglru)) {
		lru_gen_inc_refs(p);
		return;
	}
	if (!PageReferenced(p)) {
		SetPageReferenced(p);
		return;
	}
	if (PageActive(p) || PageUnevictable(p))
		return;
	if (PageLRU(p))
		activate_page(lru, p);
	else
		activate_queued(lru, p);
	ClearPageReferenced(p);
	if (page_is_file_cache(p))
		page_lruvec(lru, p)->inactive_age++;
}

void rotate_reclaimable_page(struct lru *lru, struct page *p)
{
	if (!PageLocked(p) && !PageDirty(p) && !PageUnevictable(p) && PageLRU(p))
		queue_moving(lru, &this_cpu(lru)->rotate, p, rotate_fn);
}

void deactivate_file_page(struct lru *lru, struct page *p)
{
	if (!PageUnevictable(p) && page_count(p))
		queue_moving(lru, &this_cpu(lru)->deactivate, p, deactivate_fn);
}

void mark_page_lazyfree(struct lru *lru, struct page *p)
{
	bool active = PageActive(p);

	if (!PageLRU(p) || !PageAnon(p) || !PageSwapBacked(p) || PageSwapCache(p) || PageUnevictable(p))
		return;
	del_page_from_lru_list(lru, p, page_lru(p));
	ClearPageActive(p);
	ClearPageReferenced(p);
	ClearPageSwapBacked(p);
	add_page_to_lru_list(lru, p, LRU_INACTIVE_FILE);
	count_event(lru, EV_PGLAZYFREE);
	if (active)
		count_event(lru, EV_PGDEACTIVATE);
	update_reclaim_stat(page_lruvec(lru, p), true, false);
}

/* ---- single pages ---- */

void lru_add_now(struct lru *lru, struct page *p)
{
	add_page_to_lru_list(lru, p, page_lru(p));
}

void lru_add_unevictable(struct lru *lru, struct page *p)
{
	ClearPageActive(p);
	SetPageUnevictable(p);
	add_page_to_lru_list(lru, p, LRU_UNEVICTABLE);
}

bool lru_isolate(struct lru *lru, struct page *p)
{
	if (!PageLRU(p))
		return false;
	del_page_from_lru_list(lru, p, page_lru(p));
	return true;
}

void putback_lru_page_slow(struct lru *lru, struct page *p)
{
	bool was = PageUnevictable(p);

	ClearPageUnevictable(p);
	if (PageMlocked(p)) {
		lru_add_unevictable(lru, p);
		if (!was)
			count_event(lru, EV_UNEVICTABLE_PGCULLED);
	} else {
		lru_cache_add(lru, p);
		if (was)
			count_event(lru, EV_UNEVICTABLE_PGRESCUED);
	}
	lru_put_page(lru, p);
}

void lru_put_page_slow(struct lru *lru, struct page *p)
{
	lru_isolate(lru, p);
	free_unlisted(lru, p);
}

/* ---- memlimit ---- */

u64 lru_nr_pages(const struct lru *lru)
{
	u64 n = 0;

	for (unsigned i = 0; i < lru->phys->nr_zones; i++) {
		const s64 *level = lru->phys->zones[i].vm_stat;

		for (unsigned l = 0; l < NR_LRU_LISTS; l++)
			n += (u64)level[NR_INACTIVE_ANON + l];
		n += (u64)(level[NR_ISOLATED_ANON] + level[NR_ISOLATED_FILE]);
	}
	for (unsigned cpu = 0; cpu < lru->phys->ncpu; cpu++)
		n += lru->cpu[cpu].add.nr;
	return n;
}

#define LIMIT_RETRIES 5u

/*
 * Counting is done when the last known headroom is used up; pages freed since then only add to it.
 * Kernel threads are not limited.
 */
bool lru_charge_slow(struct lru *lru)
{
	struct phys *phys = lru->phys;

	if (lru->headroom) {
		lru->headroom--;
		return true;
	}
	for (unsigned tries = 0;; tries++) {
		u64 used = lru_nr_pages(lru);

		if (used < lru->limit) {
			lru->headroom = lru->limit - used - 1;
			return true;
		}
		if (!phys->hw->task)
			return true;
		if (tries == LIMIT_RETRIES || !phys->on_pressure ||
		    phys->on_pressure(phys->on_pressure_self, NULL, PRESSURE_LIMIT) ==
			    PRESSURE_FAIL)
			return false;
	}
}

/* ---- checks ---- */

#define I09(n) (9000 + (n))

static const char *page_fault_of(const struct page *p, unsigned l)
{
	if (!PageLRU(p) || !page_count(p))
		return "is not marked as on a list, or free";
	if (PageUnevictable(p) && PageActive(p))
		return "is active and unevictable";
	if (page_lru(p) != l)
		return "has flags of another list";
	if (PageMlocked(p) && l != LRU_UNEVICTABLE)
		return "is mlocked";
	return NULL;
}

/* Walks the lists of one lruvec; per slot of @length how many pages of each zone and list. */
static int check_lruvec(struct lru *lru, const struct lruvec *v, u64 (*length)[NR_LRU_LISTS],
			char *why, size_t n)
{
	struct phys *phys = lru->phys;

	for (unsigned l = v->gen ? LRU_UNEVICTABLE : 0; l < NR_LRU_LISTS; l++) {
		u64 nr = 0;

		for (struct page *p = plist_first(phys->memmap, &v->lists[l]); p;
		     p = plist_next(phys->memmap, p)) {
			const char *bad = page_fault_of(p, l);

			if (!bad && page_lruvec(lru, p) != v)
				bad = "belongs to another zone";
			if (!bad && ++nr > v->lists[l].nr)
				bad = "is beyond the list's length";
			if (bad) {
				snprintf(why, n, "I09.%d: frame %u on LRU list %u %s",
					 PageMlocked(p) ? 5 : 1, page_frame(phys, p), l, bad);
				return PageUnevictable(p) && PageActive(p) ? I09(3)
				       : PageMlocked(p)			   ? I09(5)
									   : I09(1);
			}
			length[page_zone(phys, p)->slot][l]++;
		}
		if (nr != v->lists[l].nr) {
			snprintf(why, n, "I09.2: LRU list %u: %llu pages, length says %llu", l,
				 (unsigned long long)nr, (unsigned long long)v->lists[l].nr);
			return I09(2);
		}
	}
	return v->gen ? lru_gen_check(lru, v, length, why, n) : 0;
}

int lru_check(struct lru *lru, char *why, size_t n)
{
	u64 length[MM_MAX_ZONES][NR_LRU_LISTS] = {{0}};
	struct phys *phys = lru->phys;
	int r = 0;

	for (unsigned i = 0; i < phys->nr_zones && !r; i++) {
		const struct lruvec *v = zone_lruvec(lru, &phys->zones[i]);
		bool seen = false;

		for (unsigned k = 0; k < i; k++)
			seen |= zone_lruvec(lru, &phys->zones[k]) == v;
		if (!seen)
			r = check_lruvec(lru, v, length, why, n);
	}
	for (unsigned i = 0; i < phys->nr_zones && !r; i++)
		for (unsigned l = 0; l < NR_LRU_LISTS && !r; l++) {
			const struct zone *z = &phys->zones[i];

			if (z->vm_stat[NR_INACTIVE_ANON + l] == (s64)length[z->slot][l])
				continue;
			snprintf(why, n,
				 "I09.2: zone %s, LRU list %u: %llu pages, counter says %lld",
				 z->name, l, (unsigned long long)length[z->slot][l],
				 (long long)z->vm_stat[NR_INACTIVE_ANON + l]);
			r = I09(2);
		}
	return r;
}
