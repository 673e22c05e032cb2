/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Up to 32 pages off the tail of a list, and what becomes of each (spec 09 s7, s8).
 *
 *   active:   tail -> young? (counted only) -> head of inactive
 *   inactive: tail -> young? back | no: unmap, write, free
 *
 * A batch is an array of frames, in the order taken, so that the next pages' data can be fetched
 * ahead of their turn; Linux keeps it on lists.
 */
#include <errno.h>

#include "core/backing/pageio.h"
#include "core/backing/shmem.h"
#include "core/base/bits.h"
#include "core/hw/events.h"
#include "core/phys/page_alloc.h"
#include "core/reclaim/lru_gen.h"
#include "core/reclaim/scan_batch.h"
#include "core/reclaim/vmscan.h"
#include "core/vm/lazyfree.h"
#include "core/vm/rmap.h"
#include "core/vm/vm.h"

#define HZ_10 100000000ull /* a tenth of a second */

/* ---- isolation ---- */

/* True: @p, on a list, may leave it in this mode, and has a reference for that. */
MM_INLINE bool may_isolate(struct page *p, unsigned mode)
{
	VM_BUG_ON(!PageLRU(p));
	if (PageUnevictable(p) && !(mode & ISOLATE_UNEVICTABLE))
		return false;
	if (mode & (ISOLATE_CLEAN | ISOLATE_ASYNC_MIGRATE)) {
		if (PageWriteback(p))
			return false;
		if (PageDirty(p) && (mode & ISOLATE_CLEAN))
			return false;
	}
	if ((mode & ISOLATE_UNMAPPED) && page_mapped(p))
		return false;
	return get_page_unless_zero(p);
}

int isolate_page(struct vmscan *vs, struct page *p, unsigned mode)
{
	if (!may_isolate(p, mode))
		return -EBUSY;
	del_page_from_lru_list(vs->lru, p, page_lru(p));
	return 0;
}

void count_isolated(struct vmscan *vs, const struct scan_unit *u, const struct scan_batch *b, bool file, s64 sign)
{
	enum zone_stat_item item = file ? NR_ISOLATED_FILE : NR_ISOLATED_ANON;

	if (u->zone) {
		mod_zone_page_state(u->zone, item, sign * (s64)b->nr);
		return;
	}
	for (u32 i = 0; i < b->nr; i++)
		mod_zone_page_state(page_zone(vs->phys, scan_page(vs, b, i)), item, sign);
}

/* Skipped pages return to the head in the order they had (spec 13 s2.2). */
static void put_back_skipped(struct vmscan *vs, struct page_list *skipped, struct page_list *list)
{
	struct page *map = vs->phys->memmap;

	for (struct page *p = plist_first(map, skipped); p; p = plist_next(map, p))
		count_vm_event(vs->hw, vs->hw->cpu, EV_PGSKIP_DMA + page_zone(vs->phys, p)->type);
	plist_splice_head(map, skipped, list);
}

/* The pages taken off list @l are not in its length any more. */
static void shorten(const struct scan_unit *u, enum lru_list l, const struct scan_taken *t, u32 nr)
{
	enum zone_stat_item item = (enum zone_stat_item)(NR_INACTIVE_ANON + l);

	if (u->zone) {
		mod_zone_page_state(u->zone, item, -(s64)nr);
		return;
	}
	for (unsigned type = 0; type < MM_MAX_NR_ZONES; type++)
		if (t->by_zone[type])
			mod_zone_page_state(u->node->node_zones[type], item, -(s64)t->by_zone[type]);
}

/* Links are dense and found one by one; the pages themselves may be anywhere: asked for so many early. */
#define FETCH_AHEAD 8u

/* The frame in front of @frame on its list. */
MM_INLINE u32 fetch_page(const struct page *map, u32 frame)
{
	__builtin_prefetch(&map[frame], 1);
	return page_link(map, frame)->prev;
}

/*
 * Takes up to @nr pages off the tail of list @l. Busy ones go to its head and count as scanned;
 * those of zones above reclaim_idx are set aside, do not use up @nr, but are in nr_scanned, too.
 * Pages that leave in a row are cut off together: @last and @left say what stays of the list.
 */
static void isolate_batch(struct vmscan *vs, struct scan_unit *u, const struct scan_control *sc,
			  u64 nr, enum lru_list l, struct scan_batch *b, struct scan_taken *t)
{
	struct page_list *list = &u->vec->lists[l], skipped;
	struct page *map = vs->phys->memmap;
	unsigned mode =
		(sc->may_unmap ? 0 : ISOLATE_UNMAPPED) | (sc->may_writepage ? 0 : ISOLATE_CLEAN);
	u64 budget = nr, left = list->nr;
	u32 last = list->last, ahead = last;

	VM_BUG_ON(nr > SWAP_CLUSTER_MAX);
	for (u32 i = 0; i < FETCH_AHEAD && ahead != PFN_NONE; i++)
		ahead = fetch_page(map, ahead);
	*t = (struct scan_taken){0};
	b->nr = 0;
	plist_init(&skipped);
	while (budget && left) {
		struct page *p = &map[last];
		const struct zone *z = u->zone ? u->zone : page_zone(vs->phys, p);
		bool skip = vs->node && z->type > sc->reclaim_idx;

		t->scanned++;
		budget -= !skip;
		if (MM_UNLIKELY(skip) || MM_UNLIKELY(!may_isolate(p, mode))) {
			plist_cut(map, list, last, left);
			plist_del(map, list, p);
			plist_add_head(map, skip ? &skipped : list, p);
			last = list->last;
			left = list->nr;
			continue;
		}
		VM_BUG_ON(page_lru(p) != l);
		ClearPageLRU(p);
		__builtin_prefetch((void *)(uintptr_t)(p->mapping & ~PAGE_MAPPING_FLAGS));
		t->by_zone[z->type]++;
		b->frames[b->nr++] = last;
		last = page_link(map, last)->prev;
		left--;
		if (ahead != PFN_NONE)
			ahead = fetch_page(map, ahead);
	}
	plist_cut(map, list, last, left);
	shorten(u, l, t, b->nr);
	put_back_skipped(vs, &skipped, list);
	trace_event(vs->hw, EVENT_ISOLATE, sc->order, (s64)nr, (s64)t->scanned, b->nr, mode,
		    is_file_lru(l));
	if (!sc->limit && u->zone)
		mod_zone_page_state(u->zone, NR_PAGES_SCANNED, (s64)t->scanned);
	count_isolated(vs, u, b, is_file_lru(l), 1);
	charge_n(vs->hw, COST_SCAN_PAGE, t->scanned);
}

void count_by_zone(struct vmscan *vs, const struct scan_unit *u, enum vm_event_item ev,
			  u64 n, const u64 *by_zone)
{
	if (ev == EV_PGSCAN_LIMIT || ev == EV_PGSTEAL_LIMIT) {
		count_vm_events(vs->hw, vs->hw->cpu, ev, n);
		return;
	}
	if (u->zone) {
		count_vm_events(vs->hw, vs->hw->cpu, ev + u->zone->type, n);
		return;
	}
	for (unsigned t = 0; t < MM_MAX_NR_ZONES; t++) {
		count_vm_events(vs->hw, vs->hw->cpu, ev + t, by_zone[t]);
		n -= mm_min(n, by_zone[t]);
	}
	/* Scanned but not taken: for the zone that most requests prefer. */
	count_vm_events(vs->hw, vs->hw->cpu, ev + ZONE_NORMAL, n);
}

/* Frees pages whose count is 0, the last of @frames first, as cold ones. */
static void free_batch(struct vmscan *vs, const struct scan_batch *b)
{
	for (u32 i = b->nr; i-- > 0;) {
		struct page *p = scan_page(vs, b, i);

		lru_forget_page(p);
		free_hot_cold_page(vs->phys, vs->hw->cpu, p, true);
	}
}

/* Puts @p on list @l; if only the isolation held it, it goes to @lone instead. */
static void relink(struct vmscan *vs, struct page *p, enum lru_list l, struct scan_batch *lone)
{
	if (put_page_testzero(p)) {
		lone->frames[lone->nr++] = page_frame(vs->phys, p);
		return;
	}
	add_page_to_lru_list(vs->lru, p, l);
}

/* The same for all of @b, in its order. */
static void relink_all(struct vmscan *vs, struct scan_batch *b, enum lru_list l, struct scan_batch *lone)
{
	u32 n = 0;

	for (u32 i = 0; i < b->nr; i++)
		if (MM_UNLIKELY(put_page_testzero(scan_page(vs, b, i))))
			lone->frames[lone->nr++] = b->frames[i];
		else
			b->frames[n++] = b->frames[i];
	add_pages_to_lru_list(vs->lru, b->frames, n, l);
}

static bool page_evictable(const struct page *p)
{
	return !PageMlocked(p);
}

/* ---- the active list ---- */

void shrink_active_list(struct vmscan *vs, struct scan_unit *u, struct scan_control *sc, u64 nr,
			enum lru_list l)
{
	struct scan_batch b, lone, stay, move;
	bool file = is_file_lru(l);
	struct scan_taken t;
	u64 rotated = 0;

	lone.nr = stay.nr = move.nr = 0;
	lru_add_drain(vs->lru, vs->hw->cpu);
	isolate_batch(vs, u, sc, nr, l, &b, &t);
	u->vec->recent_scanned[file] += b.nr;
	count_by_zone(vs, u, EV_PGREFILL_DMA, t.scanned, t.by_zone);
	for (u32 i = 0; i < b.nr; i++) {
		struct page *p = scan_page(vs, &b, i);
		u32 vm_flags = 0;

		if (MM_UNLIKELY(!page_evictable(p))) {
			dec_zone_page_state(vs->phys, p,
					    file ? NR_ISOLATED_FILE : NR_ISOLATED_ANON);
			putback_lru_page(vs->lru, p);
			continue;
		}
		if (page_referenced(vs->vm, p, false, &vm_flags)) {
			rotated++;
			if ((vm_flags & VM_EXEC) && page_is_file_cache(p)) {
				stay.frames[stay.nr++] = b.frames[i];
				continue;
			}
		}
		ClearPageActive(p);
		SetPageWorkingset(p);
		move.frames[move.nr++] = b.frames[i];
	}
	u->vec->recent_rotated[file] += rotated;
	count_isolated(vs, u, &stay, file, -1);
	count_isolated(vs, u, &move, file, -1);
	relink_all(vs, &stay, l, &lone);
	relink_all(vs, &move, l - 1, &lone);
	count_vm_events(vs->hw, vs->hw->cpu, EV_PGDEACTIVATE, move.nr);
	free_batch(vs, &lone);
}

/* ---- one page of the inactive list ---- */

enum page_references page_check_references(u32 vm_flags, int ptes, bool referenced, bool swapbacked,
					   bool anonws, bool *set)
{
	*set = false;
	if (vm_flags & VM_LOCKED)
		return PAGEREF_RECLAIM; /* unmapping will find out and mlock it */
	if (ptes) {
		if (swapbacked && !anonws)
			return PAGEREF_ACTIVATE;
		*set = true;
		if (referenced || ptes > 1)
			return PAGEREF_ACTIVATE;
		if ((vm_flags & VM_EXEC) && !swapbacked)
			return PAGEREF_ACTIVATE;
		return PAGEREF_KEEP;
	}
	return referenced && !swapbacked ? PAGEREF_RECLAIM_CLEAN : PAGEREF_RECLAIM;
}

static enum page_references references_of(struct vmscan *vs, struct page *p)
{
	u32 vm_flags = 0;
	int ptes = page_referenced(vs->vm, p, true, &vm_flags);
	bool set, referenced = TestClearPageReferenced(p);
	enum page_references r = page_check_references(vm_flags, ptes, referenced,
						       PageSwapBacked(p), vs->anonws, &set);

	if (set)
		SetPageReferenced(p);
	return r;
}

/* What the pages of a batch were like: decides the unit's flags (spec 09 s8 step 5). */
struct shrink_stat {
	u32 dirty, unqueued_dirty, congested, writeback, immediate, activated;
};

enum fate { FREED, KEEP, KEEP_LOCKED, ACTIVATE_LOCKED, CULL_LOCKED };

static bool is_swap(const struct page *p)
{
	return PageSwapBacked(p);
}

/* Writes a dirty page; locked again and clean: go on. */
static enum fate pageout(struct vmscan *vs, struct page *p)
{
	if (page_count(p) != 2)
		return KEEP_LOCKED; /* somebody else uses it: writing would not free it */
	if (PageSwapBacked(p) &&
	    !PageSwapCache(p)) { /* shared memory: into the swap cache on the way */
		SetPageReclaim(p);
		if (!shmem_writepage(vs->files, p)) {
			ClearPageReclaim(p);
			return ACTIVATE_LOCKED;
		}
	} else if (PageSwapCache(p)) {
		ClearPageDirty(p);
		SetPageReclaim(p);
		swap_writepage(vs->swap, p);
	} else {
		clear_page_dirty(vs->files, p);
		SetPageReclaim(p);
		(void)write_page(vs->files, p);
	}
	if (!PageWriteback(p))
		ClearPageReclaim(p);
	inc_zone_page_state(vs->phys, p, NR_VMSCAN_WRITE);
	trace_event(vs->hw, EVENT_WRITEPAGE, page_to_pfn(vs->phys, p), is_swap(p) ? 1 : 2);
	if (PageWriteback(p) || PageDirty(p) || !trylock_page(p))
		return KEEP;
	if (PageDirty(p) || PageWriteback(p))
		return KEEP_LOCKED;
	return FREED;
}

/* Out of its cache for good, if nobody else holds it. */
static bool remove_mapping(struct vmscan *vs, struct page *p)
{
	struct workingset *ws = &vs->vm->ws;

	if (page_count(p) != 2 || PageDirty(p))
		return false;
	p->_count = 0;
	if (PageSwapCache(p)) {
		swap_cache_leave_shadow(vs->swap, p, workingset_eviction(ws, p));
		swap_cache_remove_frozen(vs->swap, p);
	} else {
		page_cache_remove_frozen(vs->files, p,
					 PageSwapBacked(p) ? 0 : workingset_eviction(ws, p));
	}
	return true;
}

/*
 * A clean page of a file that nobody maps or uses: shrink_page() would find it FREED, by way of many questions
 * that one look at its fields answers.
 */
static bool evict_simple(struct vmscan *vs, struct page *p)
{
	const u32 doubtful = 1u << PG_locked | 1u << PG_dirty | 1u << PG_writeback | 1u << PG_swapcache |
			     1u << PG_swapbacked | 1u << PG_mlocked;

	if (p->flags & doubtful || p->_count != 2 || p->_mapcount || !p->mapping || p->mapping & PAGE_MAPPING_FLAGS)
		return false;
	SetPageLocked(p);
	p->_count = 0;
	page_cache_remove_frozen(vs->files, p, workingset_eviction(&vs->vm->ws, p));
	unlock_page(p);
	return true;
}

static enum fate under_writeback(struct page *p, const struct scan_unit *u,
				 const struct scan_control *sc, struct shrink_stat *st)
{
	if (sc->kswapd && PageReclaim(p) && (u->flags & ZONE_WRITEBACK)) {
		st->immediate++;
		return KEEP_LOCKED;
	}
	SetPageReclaim(p);
	st->writeback++;
	return KEEP_LOCKED;
}

/* Step 8 of spec 09 s8.2 for a dirty page. */
static enum fate dirty_page(struct vmscan *vs, struct page *p, const struct scan_unit *u,
			    const struct scan_control *sc, enum page_references ref,
			    bool may_enter_fs)
{
	if (page_is_file_cache(p) && !(sc->kswapd && (u->flags & ZONE_DIRTY))) {
		inc_zone_page_state(vs->phys, p, NR_VMSCAN_IMMEDIATE);
		SetPageReclaim(p);
		return KEEP_LOCKED;
	}
	if (ref == PAGEREF_RECLAIM_CLEAN || !may_enter_fs || !sc->may_writepage)
		return KEEP_LOCKED;
	return pageout(vs, p);
}

/* Frees an unmapped page of MADV_FREE, which no cache holds: the isolation must be its last reference. */
static bool drop_lazyfree(struct vmscan *vs, struct page *p)
{
	if (page_count(p) != 1 || PageDirty(p))
		return false;
	p->_count = 0;
	count_vm_event(vs->hw, vs->hw->cpu, EV_PGLAZYFREED);
	return true;
}

static bool has_mapping(const struct page *p)
{
	return page_lazyfree(p) || PageSwapCache(p) || (!PageAnon(p) && p->mapping);
}

static enum fate unmap_page(struct vmscan *vs, struct page *p)
{
	switch (try_to_unmap(vs->vm, p, TTU_UNMAP)) {
	case SWAP_FAIL:
		return ACTIVATE_LOCKED;
	case SWAP_AGAIN:
		return KEEP_LOCKED;
	case SWAP_MLOCK:
		return CULL_LOCKED;
	default:
		return FREED;
	}
}

/* Steps 2 to 10 for a locked page. FREED: its count is 0 and it is in no cache. */
static enum fate shrink_locked(struct vmscan *vs, struct page *p, const struct scan_unit *u,
			       struct scan_control *sc, struct shrink_stat *st)
{
	bool may_enter_fs = sc->gfp & MM_GFP_FS || (PageSwapCache(p) && sc->gfp & MM_GFP_IO);
	bool file = page_is_file_cache(p) && !page_lazyfree(p), dirty = file && PageDirty(p),
	     writeback = file && PageWriteback(p);
	enum page_references ref;
	enum fate f;

	if (MM_UNLIKELY(!page_evictable(p)))
		return CULL_LOCKED;
	if (!sc->may_unmap && page_mapped(p))
		return KEEP_LOCKED;
	if (page_mapped(p) || PageSwapCache(p))
		sc->nr_scanned++;
	st->dirty += dirty || writeback;
	st->unqueued_dirty += dirty && !writeback;
	st->congested += writeback && PageReclaim(p);
	if (PageWriteback(p))
		return under_writeback(p, u, sc, st);
	if (MM_UNLIKELY(u->vec->gen != NULL) && page_mapped(p) && PageReferenced(p))
		return KEEP_LOCKED; /* a look around another page of the batch found it young */
	ref = references_of(vs, p);
	if (ref == PAGEREF_ACTIVATE)
		return ACTIVATE_LOCKED;
	if (ref == PAGEREF_KEEP)
		return KEEP_LOCKED;
	if (PageAnon(p) && !PageSwapCache(p) && PageSwapBacked(p)) {
		if (!(sc->gfp & MM_GFP_IO))
			return KEEP_LOCKED;
		if (!add_to_swap(vs->swap, p))
			return ACTIVATE_LOCKED;
		may_enter_fs = true;
	}
	if (page_mapped(p) && has_mapping(p) && (f = unmap_page(vs, p)) != FREED)
		return f;
	if (page_lazyfree(p)) {
		if (page_mapped(p) || !drop_lazyfree(vs, p))
			return KEEP_LOCKED;
		unlock_page(p);
		return FREED;
	}
	if (PageDirty(p) && (f = dirty_page(vs, p, u, sc, ref, may_enter_fs)) != FREED)
		return f;
	if (!has_mapping(p) || !remove_mapping(vs, p))
		return KEEP_LOCKED;
	unlock_page(p);
	return FREED;
}

static enum fate shrink_page(struct vmscan *vs, struct page *p, const struct scan_unit *u,
			     struct scan_control *sc, struct shrink_stat *st)
{
	enum fate f;

	if (!trylock_page(p))
		return KEEP;
	sc->nr_scanned++;
	f = shrink_locked(vs, p, u, sc, st);
	switch (f) {
	case CULL_LOCKED:
		if (PageSwapCache(p))
			try_to_free_swap(vs->swap, p);
		break;
	case ACTIVATE_LOCKED:
		if (PageSwapCache(p) && vm_swap_full(vs->swap))
			try_to_free_swap(vs->swap, p);
		SetPageActive(p);
		st->activated++;
		break;
	case KEEP_LOCKED:
		break;
	default:
		return f;
	}
	unlock_page(p);
	return f;
}

/* ---- the inactive list ---- */

static bool too_many_isolated(const struct scan_unit *u, const struct scan_control *sc,
			      enum lru_list l)
{
	const struct zone *z = u->zone;
	s64 inactive, isolated;

	if (sc->kswapd || sc->limit || !z)
		return false;
	inactive = z->vm_stat[NR_INACTIVE_ANON + l];
	isolated = z->vm_stat[is_file_lru(l) ? NR_ISOLATED_FILE : NR_ISOLATED_ANON];
	if ((sc->gfp & (MM_GFP_IO | MM_GFP_FS)) == (MM_GFP_IO | MM_GFP_FS))
		inactive >>= 3;
	return isolated > inactive;
}

static void set_unit_flags(struct vmscan *vs, struct scan_unit *u, const struct scan_control *sc,
			   const struct shrink_stat *st, u32 taken)
{
	if (st->writeback && st->writeback == taken)
		u->flags |= ZONE_WRITEBACK;
	if (sc->limit)
		return;
	if (st->dirty && st->dirty == st->congested)
		u->flags |= ZONE_CONGESTED;
	if (st->unqueued_dirty == taken)
		u->flags |= ZONE_DIRTY;
	if (st->immediate || (!sc->kswapd && u->flags & ZONE_CONGESTED))
		reclaim_wait(vs, HZ_10);
}

static void put_back(struct vmscan *vs, struct scan_unit *u, struct page *p, struct scan_batch *lone)
{
	enum lru_list l;

	if (MM_UNLIKELY(!page_evictable(p))) {
		putback_lru_page(vs->lru, p);
		return;
	}
	ClearPageUnevictable(p);
	l = page_lru(p);
	if (is_active_lru(l))
		u->vec->recent_rotated[is_file_lru(l)]++;
	relink(vs, p, l, lone);
}

/* The places in the page cache that pages of @b are likely to leave: all on their way together. */
static void fetch_places(const struct vmscan *vs, const struct scan_batch *b)
{
	for (u32 i = 0; i < b->nr; i++) {
		const struct page *p = scan_page(vs, b, i);

		if (p->mapping && !(p->mapping & PAGE_MAPPING_FLAGS))
			mapping_prefetch_removal(page_mapping(p), p->index);
	}
}

u64 shrink_batch(struct vmscan *vs, struct scan_unit *u, struct scan_control *sc, const struct scan_batch *b,
		 const struct scan_taken *t, bool file)
{
	u64 freed_by_zone[MM_MAX_NR_ZONES] = {0};
	struct scan_batch freed, kept, lone;
	struct shrink_stat st = {0};

	freed.nr = kept.nr = lone.nr = 0;
	count_by_zone(vs, u,
		      sc->limit	   ? EV_PGSCAN_LIMIT
		      : sc->kswapd ? EV_PGSCAN_KSWAPD_DMA
				   : EV_PGSCAN_DIRECT_DMA,
		      t->scanned, t->by_zone);
	if (!b->nr)
		return 0;
	fetch_places(vs, b);
	for (u32 i = 0; i < b->nr; i++) {
		struct page *p = scan_page(vs, b, i);

		if (!u->vec->gen && !vs->in_steps && evict_simple(vs, p)) {
			sc->nr_scanned++;
		} else if (shrink_page(vs, p, u, sc, &st) != FREED) {
			kept.frames[kept.nr++] = b->frames[i];
			continue;
		}
		if (!u->zone)
			freed_by_zone[page_zone(vs->phys, p)->type]++;
		freed.frames[freed.nr++] = b->frames[i];
	}
	count_vm_events(vs->hw, vs->hw->cpu, EV_PGACTIVATE, st.activated);
	count_isolated(vs, u, b, file, -1);
	u->vec->recent_scanned[file] += b->nr;
	count_by_zone(vs, u,
		      sc->limit	   ? EV_PGSTEAL_LIMIT
		      : sc->kswapd ? EV_PGSTEAL_KSWAPD_DMA
				   : EV_PGSTEAL_DIRECT_DMA,
		      freed.nr, freed_by_zone);
	free_batch(vs, &freed);
	for (u32 i = 0; i < kept.nr; i++) {
		if (MM_UNLIKELY(u->vec->gen != NULL))
			lru_gen_reject(scan_page(vs, &kept, i));
		put_back(vs, u, scan_page(vs, &kept, i), &lone);
	}
	free_batch(vs, &lone);
	set_unit_flags(vs, u, sc, &st, b->nr);
	trace_event(vs->hw, EVENT_SHRINK_INACTIVE, u->node->node_id, u->zone ? u->zone->type : 0,
		    (s64)t->scanned, freed.nr, sc->priority, file ? 2 : 1);
	return freed.nr;
}

u64 shrink_inactive_list(struct vmscan *vs, struct scan_unit *u, struct scan_control *sc, u64 nr,
			 enum lru_list l)
{
	struct scan_batch b;
	struct scan_taken t;

	if (too_many_isolated(u, sc, l)) {
		const struct task *current = vm_task(vs->vm, vs->hw->task);

		reclaim_wait(vs, HZ_10);
		if (current && current->killed)
			return SWAP_CLUSTER_MAX;
	}
	lru_add_drain(vs->lru, vs->hw->cpu);
	isolate_batch(vs, u, sc, nr, l, &b, &t);
	return shrink_batch(vs, u, sc, &b, &t, is_file_lru(l));
}
