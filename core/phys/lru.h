/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * LRU lists, second chance, and the per-CPU batches in front of them (spec 09 s1, s2).
 *
 * Terms
 *   pagevec   up to lru->pagevec_size pages of a CPU on their way to a list or to another place of
 *             one; each holds one reference.
 *   lruvec    the five lists and their statistics: a zone's, or with reclaim=node a node's.
 *   type      0 anonymous (PG_swapbacked: shared memory too), 1 file.
 *
 * Page flags decide the list: set PG_active, PG_unevictable and PG_swapbacked before adding. Being
 * on a list costs no reference; whoever drops the last one takes the page off its list
 * (lru_put_page). With mglru=1 evictable pages are in generations instead: core/phys/lru_gen_lists.h.
 * Owns the pagevecs; the lists belong to their zone or node.
 * Invariants (lru_check): I09.1 a page with PG_lru is on exactly the list its flags name; I09.2
 * lengths equal nr_inactive_anon .. nr_unevictable; I09.3 PG_unevictable excludes PG_active; I09.5
 * a mlocked page on a list is on the unevictable one. Linux: mm/swap.c, include/linux/mm_inline.h;
 * left out: compound pages on the lists, hotplug.
 */
#ifndef MEMRIG_LRU_H
#define MEMRIG_LRU_H

#include <errno.h>

#include "core/phys/lru_gen_lists.h"
#include "core/phys/mmzone.h"

#define PAGEVEC_MAX 31

struct pagevec {
	u32 nr;
	u32 frames[PAGEVEC_MAX];
};

struct lru_cpu {
	struct pagevec add, rotate, deactivate, activate;
};

struct lru {
	struct phys *phys;
	u32 pagevec_size;
	bool per_node, mglru;
	u32 fault_task;			      /* mglru: whose fault is being handled; 0: nobody's */
	u64 limit;			      /* memlimit= in pages; 0: none */
	u64 headroom;			      /* charges that need no counting */
	struct lru_cpu *cpu;		      /* [ncpu] */
	struct lruvec *vec[MM_MAX_ZONES + 1]; /* by zone slot + 1; entry 0: never allocated */
};

/* Lists per zone, or per node with reclaim=node; pagevec= pages a batch. 0 or -ENOMEM. */
int lru_init(struct lru *lru, struct phys *phys, const struct machine_config *c);
void lru_destroy(struct lru *lru);

/* Not PG_swapbacked: what get_scan_count() calls file. Shared memory is not. */
MM_INLINE bool page_is_file_cache(const struct page *p)
{
	return !PageSwapBacked(p);
}

/* The list @p is or would be on, by its flags. */
MM_INLINE enum lru_list page_lru(const struct page *p)
{
	if (MM_UNLIKELY(PageUnevictable(p)))
		return LRU_UNEVICTABLE;
	return (enum lru_list)((PageSwapBacked(p) ? LRU_INACTIVE_ANON : LRU_INACTIVE_FILE) +
			       (PageActive(p) ? 1 : 0));
}

MM_INLINE bool is_file_lru(enum lru_list l)
{
	return l == LRU_INACTIVE_FILE || l == LRU_ACTIVE_FILE;
}

MM_INLINE bool is_active_lru(enum lru_list l)
{
	return l == LRU_ACTIVE_ANON || l == LRU_ACTIVE_FILE;
}

/* Lists of @p's zone or node. @p must have been allocated once. */
MM_INLINE struct lruvec *page_lruvec(const struct lru *lru, const struct page *p)
{
	VM_BUG_ON(!(p->flags >> PAGE_ZONE_SHIFT));
	return lru->vec[p->flags >> PAGE_ZONE_SHIFT];
}

MM_INLINE struct lruvec *zone_lruvec(const struct lru *lru, const struct zone *z)
{
	return lru->vec[z->slot + 1];
}

/* ---- list, flags and counters together, for those who move pages between lists themselves ---- */

MM_INLINE void mod_lru_size(const struct lru *lru, const struct page *p, enum lru_list l, s64 delta)
{
	mod_zone_page_state(page_zone(lru->phys, p), (enum zone_stat_item)(NR_INACTIVE_ANON + l),
			    delta);
}

MM_INLINE void add_page_to_lru_list(struct lru *lru, struct page *p, enum lru_list l)
{
	VM_BUG_ON(PageLRU(p));
	SetPageLRU(p);
	if (MM_UNLIKELY(lru->mglru) && lru_gen_add(lru, p, false))
		return;
	plist_add_head(lru->phys->memmap, &page_lruvec(lru, p)->lists[l], p);
	mod_lru_size(lru, p, l, 1);
}

MM_INLINE void add_page_to_lru_tail(struct lru *lru, struct page *p, enum lru_list l)
{
	VM_BUG_ON(PageLRU(p));
	SetPageLRU(p);
	if (MM_UNLIKELY(lru->mglru) && lru_gen_add(lru, p, true))
		return;
	plist_add_tail(lru->phys->memmap, &page_lruvec(lru, p)->lists[l], p);
	mod_lru_size(lru, p, l, 1);
}

MM_INLINE void del_page_from_lru_list(struct lru *lru, struct page *p, enum lru_list l)
{
	VM_BUG_ON(!PageLRU(p));
	ClearPageLRU(p);
	if (MM_UNLIKELY(lru->mglru) && lru_gen_del(lru, p))
		return;
	plist_del(lru->phys->memmap, &page_lruvec(lru, p)->lists[l], p);
	mod_lru_size(lru, p, l, -1);
}

/* mglru: the current task is handling a fault, of an area whose accesses tell of the future. */
MM_INLINE bool lru_gen_in_fault(const struct lru *lru)
{
	return lru->fault_task && lru->fault_task == lru->phys->hw->task;
}

/* mglru: a page that a fault brings in begins in the youngest generation. */
MM_INLINE void lru_gen_note_fault(const struct lru *lru, struct page *p)
{
	if (lru_gen_in_fault(lru) && !PageUnevictable(p) && !lru->phys->cpus[lru->phys->hw->cpu].pf_memalloc)
		SetPageActive(p);
}

/* Puts every page of @pv on its list and drops the batch's references. */
void lru_add_drain_vec(struct lru *lru, struct pagevec *pv);

/*
 * Queues a page that is on no list; takes a reference until the batch is drained. A full batch is
 * drained first: 14 pages wait, the 15th call moves them. Atomic.
 */
MM_INLINE void lru_cache_add(struct lru *lru, struct page *p)
{
	struct pagevec *pv = &lru->cpu[lru->phys->hw->cpu].add;

	VM_BUG_ON(PageLRU(p));
	if (MM_UNLIKELY(lru->mglru))
		lru_gen_note_fault(lru, p);
	get_page(p);
	if (MM_UNLIKELY(pv->nr == lru->pagevec_size))
		lru_add_drain_vec(lru, pv);
	pv->frames[pv->nr++] = page_frame(lru->phys, p);
}

/* Straight to the head of its list, without a batch and without statistics. */
void lru_add_now(struct lru *lru, struct page *p);
/* The same onto the unevictable list: PG_active goes, PG_unevictable comes. */
void lru_add_unevictable(struct lru *lru, struct page *p);

/* Drains all batches of a CPU. Atomic. */
void lru_add_drain(struct lru *lru, unsigned cpu);
/* The same of all CPUs, on each of which Linux runs a work item. May sleep. */
void lru_add_drain_all(struct lru *lru);

/*
 * Second chance (spec 09 s2): unreferenced -> referenced -> active, unreferenced -> referenced.
 * Counts pgactivate when the page moves, and the lruvec's inactive_age for file pages at once. Atomic.
 */
void mark_page_accessed(struct lru *lru, struct page *p);
/* Moves an inactive page to its active list: through a batch, at once on a machine of one CPU. */
void activate_page(struct lru *lru, struct page *p);
/* A file page that its owner gives up: to the inactive list (spec 09 s2). pgdeactivate, pgrotated.
 */
void deactivate_file_page(struct lru *lru, struct page *p);
/* Write-back of a page marked for reclaim has ended: to the inactive tail. pgrotated. */
void rotate_reclaimable_page(struct lru *lru, struct page *p);

/* Pages of user memory: on the lists, in batches, isolated. */
u64 lru_nr_pages(const struct lru *lru);
bool lru_charge_slow(struct lru *lru);
/*
 * A page of user memory (anonymous or of the page cache) is about to be allocated: with memlimit=
 * the task reclaims first if that is one too many. False: nothing could be reclaimed, the
 * allocation fails.
 */
MM_INLINE bool lru_charge(struct lru *lru)
{
	return MM_LIKELY(!lru->limit) || lru_charge_slow(lru);
}

/* Takes @p off its list with a reference of its own: 0, or -EBUSY if it is on none. Atomic. */
MM_INLINE int isolate_lru_page(struct lru *lru, struct page *p)
{
	if (!PageLRU(p))
		return -EBUSY;
	get_page(p);
	del_page_from_lru_list(lru, p, page_lru(p));
	return 0;
}
/* Back through the batch, or to the unevictable list if mlocked; drops isolate's reference. Atomic. */
void putback_lru_page_slow(struct lru *lru, struct page *p);
MM_INLINE void putback_lru_page(struct lru *lru, struct page *p)
{
	if (MM_UNLIKELY(p->flags & (1u << PG_unevictable | 1u << PG_mlocked))) {
		putback_lru_page_slow(lru, p);
		return;
	}
	lru_cache_add(lru, p);
	p->_count--; /* the isolator's reference is the batch's now */
	VM_BUG_ON(p->_count <= 0);
}

/* Takes @p off its list. False if it is on none. No reference is taken. */
bool lru_isolate(struct lru *lru, struct page *p);

/* Statistics of a page that enters a list or was looked at (Linux: update_page_reclaim_stat). */
MM_INLINE void update_reclaim_stat(struct lruvec *v, bool file, bool rotated)
{
	v->recent_scanned[file]++;
	if (rotated)
		v->recent_rotated[file]++;
}

/* add_page_to_lru_list() for @n pages of one lruvec, in this order. */
void add_pages_to_lru_list(struct lru *lru, const u32 *frames, u32 n, enum lru_list l);

/* Length of list @l over the zones of @vec up to type @max_type. */
u64 lruvec_size(const struct lru *lru, const struct lruvec *vec, enum lru_list l,
		unsigned max_type);

/* Drops a reference; at the last one takes @p off its list and frees it. */
void lru_put_page_slow(struct lru *lru, struct page *p);
MM_INLINE void lru_put_page(struct lru *lru, struct page *p)
{
	if (put_page_testzero(p))
		lru_put_page_slow(lru, p);
}

/* MADV_FREE: a clean anonymous page goes to the inactive file list, no longer swap-backed. (spec 13 s5) */
void mark_page_lazyfree(struct lru *lru, struct page *p);

/* Clears what a page of user memory must not carry into the free lists. Count must be 0. */
MM_INLINE void lru_forget_page(struct page *p)
{
	p->flags &= ~(1u << PG_active | 1u << PG_unevictable | 1u << PG_swapbacked |
		      1u << PG_uptodate | 1u << PG_dirty | 1u << PG_referenced | 1u << PG_reclaim |
		      1u << PG_error | 1u << PG_mappedtodisk | 1u << PG_workingset |
		      PAGE_LRU_REFS);
	p->mapping = 0;
}

/* I09.1 to I09.3 and I09.5: 0, or 9000 + n with a sentence in @why. */
int lru_check(struct lru *lru, char *why, size_t n);

#endif
