/* SPDX-License-Identifier: BSD-2-Clause */
/*
 *   zone  |in use|free |in use|in use| ... |free|in use|free|
 *          migrate scanner ->                  <- free scanner
 *
 * The migrate scanner takes up to 32 pages from one pageblock; migrate_pages() asks for a target
 * for each, and the free scanner, from the other end, splits free blocks when it has none left.
 */
#include "core/reclaim/compaction.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bits.h"
#include "core/hw/clock.h"
#include "core/hw/events.h"
#include "core/phys/buddy.h"

/* ---- suitability (spec 10 s5) ---- */

int fragmentation_index(const struct zone *z, unsigned order)
{
	u64 free_pages = 0, blocks = 0, suitable = 0;

	for (unsigned o = 0; o < z->phys->max_order; o++) {
		u64 n = z->free_area[o].nr_free;

		blocks += n;
		free_pages += n << o;
		if (o >= order)
			suitable += n << (o - order);
	}
	if (!blocks)
		return 0;
	if (suitable)
		return -1000;
	return (int)(1000 - (s64)((1000 + free_pages * 1000 / (1ull << order)) / blocks));
}

static enum compact_result suitable_40(const struct compaction *c, const struct zone *z, int order,
				       unsigned alloc_flags, unsigned classzone_idx)
{
	u64 low = z->watermark[WMARK_LOW];
	int index;

	if (zone_watermark_ok(z, (unsigned)order, low, classzone_idx, alloc_flags))
		return COMPACT_PARTIAL;
	if (!zone_watermark_ok(z, 0, low + (2ull << order), classzone_idx, alloc_flags))
		return COMPACT_SKIPPED;
	index = fragmentation_index(z, (unsigned)order);
	return index >= 0 && (u64)index <= c->extfrag_threshold ? COMPACT_SKIPPED
								: COMPACT_CONTINUE;
}

static enum compact_result suitable_412(const struct compaction *c, const struct zone *z, int order,
					unsigned alloc_flags, unsigned classzone_idx)
{
	u64 mark = z->watermark[alloc_flags & ALLOC_WMARK_MASK];
	int index;

	if (zone_watermark_ok(z, (unsigned)order, mark, classzone_idx, alloc_flags))
		return COMPACT_PARTIAL;
	mark = z->watermark[order > 3 ? WMARK_LOW : WMARK_MIN] + (2ull << order);
	if (!zone_watermark_ok(z, 0, mark, classzone_idx, ALLOC_CMA))
		return COMPACT_SKIPPED;
	if (order <= 3)
		return COMPACT_CONTINUE;
	index = fragmentation_index(z, (unsigned)order);
	return index >= 0 && (u64)index <= c->extfrag_threshold ? COMPACT_SKIPPED
								: COMPACT_CONTINUE;
}

enum compact_result compaction_suitable(const struct compaction *c, const struct zone *z, int order,
					unsigned alloc_flags, unsigned classzone_idx)
{
	enum compact_result r = COMPACT_CONTINUE;

	if (order != -1)
		r = c->rule412 ? suitable_412(c, z, order, alloc_flags, classzone_idx)
			       : suitable_40(c, z, order, alloc_flags, classzone_idx);
	trace_event(c->phys->hw, EVENT_COMPACT_SUITABLE, z->node, z->type, order, r);
	return r;
}

/* ---- deferral (spec 10 s7) ---- */

static void trace_defer(const struct zone *z, enum mm_event_code code, int order)
{
	trace_event(z->phys->hw, code, z->node, z->type, order, z->compact_considered,
		    z->compact_defer_shift, z->compact_order_failed);
}

void defer_compaction(struct zone *z, int order)
{
	z->compact_considered = 0;
	if (z->compact_defer_shift < COMPACT_MAX_DEFER_SHIFT)
		z->compact_defer_shift++;
	if (order < z->compact_order_failed)
		z->compact_order_failed = order;
	trace_defer(z, EVENT_COMPACT_DEFER, order);
}

bool compaction_deferred(struct zone *z, int order)
{
	u32 limit = 1u << z->compact_defer_shift;

	if (order < z->compact_order_failed)
		return false;
	if (++z->compact_considered > limit)
		z->compact_considered = limit;
	if (z->compact_considered >= limit)
		return false;
	trace_defer(z, EVENT_COMPACT_DEFERRED, order);
	return true;
}

void compaction_defer_reset(struct zone *z, int order, bool alloc_success)
{
	if (alloc_success)
		z->compact_considered = z->compact_defer_shift = 0;
	if (order >= z->compact_order_failed)
		z->compact_order_failed = order + 1;
	trace_defer(z, EVENT_COMPACT_DEFER_RESET, order);
}

bool compaction_restarting(const struct zone *z, int order)
{
	return order >= z->compact_order_failed &&
	       z->compact_defer_shift == COMPACT_MAX_DEFER_SHIFT &&
	       z->compact_considered >= 1u << z->compact_defer_shift;
}

/* ---- skip bits and cached pfns ---- */

static u64 block_pages(const struct zone *z)
{
	return 1ull << z->phys->pageblock_order;
}

static u64 block_start(const struct zone *z, u64 pfn)
{
	return pfn & ~(block_pages(z) - 1);
}

static u8 *block_bits(const struct zone *z, u64 pfn)
{
	return &z->phys->pageblock[(pfn - z->phys->base_pfn) >> z->phys->pageblock_order];
}

static void reset_cached_pfns(struct zone *z)
{
	z->compact_cached_migrate_pfn[0] = z->compact_cached_migrate_pfn[1] = z->zone_start_pfn;
	z->compact_cached_free_pfn = zone_end_pfn(z);
}

static void reset_zone(struct zone *z)
{
	z->compact_blockskip_flush = false;
	reset_cached_pfns(z);
	for (u64 pfn = block_start(z, z->zone_start_pfn); pfn < zone_end_pfn(z);
	     pfn += block_pages(z))
		*block_bits(z, pfn) &= (u8)~PAGEBLOCK_SKIP;
}

void reset_isolation_suitable(struct compaction *c, pg_data_t *node)
{
	(void)c;
	for (unsigned t = 0; t < MM_MAX_NR_ZONES; t++)
		if (node->node_zones[t] && node->node_zones[t]->compact_blockskip_flush)
			reset_zone(node->node_zones[t]);
}

/* A call of a scanner that saw a block to its end and took nothing from it, beginning at @pfn. */
static void note_fruitless(const struct compact_control *cc, u64 pfn, bool migrate_scanner)
{
	struct zone *z = cc->zone;

	if (cc->ignore_skip_hint)
		return;
	*block_bits(z, pfn) |= PAGEBLOCK_SKIP;
	if (!migrate_scanner) {
		if (pfn < z->compact_cached_free_pfn)
			z->compact_cached_free_pfn = pfn;
		return;
	}
	if (pfn > z->compact_cached_migrate_pfn[0])
		z->compact_cached_migrate_pfn[0] = pfn;
	if (cc->mode != MIGRATE_ASYNC && pfn > z->compact_cached_migrate_pfn[1])
		z->compact_cached_migrate_pfn[1] = pfn;
}

/* All of [start, end) is memory of this zone. */
static bool block_in_zone(const struct zone *z, u64 start, u64 end)
{
	return start >= z->zone_start_pfn && start < end && end <= zone_end_pfn(z) &&
	       pfn_valid(z->phys, start) && pfn_valid(z->phys, end - 1);
}

/* A block that this run may look at: in the zone, and not to be skipped. */
static bool block_usable(const struct compact_control *cc, u64 start, u64 end)
{
	return block_in_zone(cc->zone, start, end) &&
	       (cc->ignore_skip_hint || !(*block_bits(cc->zone, start) & PAGEBLOCK_SKIP));
}

static bool block_is_movable(const struct zone *z, u64 pfn)
{
	enum migratetype mt = (enum migratetype)(*block_bits(z, pfn) & PAGEBLOCK_TYPE);

	return mt == MIGRATE_MOVABLE || mt == MIGRATE_CMA;
}

/* ---- migrate scanner (spec 10 s6.1) ---- */

enum isolate_result { ISOLATE_ABORT, ISOLATE_NONE, ISOLATE_SUCCESS };

static bool too_many_isolated(const struct compact_control *cc)
{
	const struct zone *z = cc->zone;
	s64 isolated = z->vm_stat[NR_ISOLATED_ANON] + z->vm_stat[NR_ISOLATED_FILE];
	s64 listed = z->vm_stat[NR_INACTIVE_ANON] + z->vm_stat[NR_ACTIVE_ANON] +
		     z->vm_stat[NR_INACTIVE_FILE] + z->vm_stat[NR_ACTIVE_FILE];

	return isolated > listed / 2;
}

static bool worth_isolating(const struct compact_control *cc, const struct page *p)
{
	const struct address_space *m;

	if (!PageLRU(p) || (PageUnevictable(p) && !cc->c->unevictable))
		return false;
	m = page_mapping(p);
	if (!m && !PageSwapCache(p) && page_count(p) > page_mapcount(p))
		return false; /* pinned: it would only be taken in vain */
	if (cc->mode != MIGRATE_ASYNC)
		return true;
	return !PageWriteback(p) && !(PageDirty(p) && m && m->flags & AS_NO_MIGRATE);
}

/* Isolates up to 32 pages of [pfn, end); where it stopped. */
static u64 isolate_migratepages_block(struct compact_control *cc, u64 pfn, u64 end)
{
	struct phys *phys = cc->c->phys;
	struct hw *hw = phys->hw;
	u64 first = pfn, scanned = 0, taken = 0, file = 0;

	for (; pfn < end && cc->migratepages.nr < COMPACT_CLUSTER_MAX; pfn++) {
		u32 frame = (u32)(pfn - phys->base_pfn);
		struct page *p = frame_to_page(phys, frame);
		unsigned order;

		scanned++;
		if (page_buddy(phys, frame, &order)) {
			pfn += (1ull << order) - 1;
			continue;
		}
		if (!worth_isolating(cc, p) || isolate_lru_page(&cc->c->vm->lru, p))
			continue;
		plist_add_head(phys->memmap, &cc->migratepages, p);
		file += page_is_file_cache(p);
		taken++;
	}
	mod_zone_page_state(cc->zone, NR_ISOLATED_FILE, (s64)file);
	mod_zone_page_state(cc->zone, NR_ISOLATED_ANON, (s64)(taken - file));
	if (pfn > end)
		pfn = end;
	if (pfn == end && !taken)
		note_fruitless(cc, first, true);
	charge_n(hw, COST_COMPACT_SCAN, scanned);
	count_vm_events(hw, hw->cpu, EV_COMPACTMIGRATE_SCANNED, scanned);
	cc->migrate_scanned += scanned;
	count_vm_events(hw, hw->cpu, EV_COMPACTISOLATED, taken);
	trace_event(hw, EVENT_COMPACT_ISOLATE_MIGRATE, (s64)first, (s64)pfn, (s64)scanned,
		    (s64)taken);
	return pfn;
}

static enum isolate_result isolate_migratepages(struct compact_control *cc)
{
	struct zone *z = cc->zone;
	u64 low = cc->migrate_pfn, end = ALIGN_UP(low + 1, block_pages(z));

	for (; end <= cc->free_pfn; low = end, end += block_pages(z)) {
		if (!block_usable(cc, low, end) ||
		    (cc->mode == MIGRATE_ASYNC && !block_is_movable(z, low)))
			continue;
		if (too_many_isolated(cc) && cc->mode == MIGRATE_ASYNC)
			return ISOLATE_ABORT;
		low = isolate_migratepages_block(cc, low, end);
		break;
	}
	/* In the free scanner's block: let them meet. */
	cc->migrate_pfn = end <= cc->free_pfn ? low : cc->free_pfn;
	return cc->migratepages.nr ? ISOLATE_SUCCESS : ISOLATE_NONE;
}

/* ---- free scanner (spec 10 s6.2) ---- */

static bool is_target_block(const struct zone *z, u64 pfn)
{
	unsigned order;

	if (page_buddy(z->phys, pfn - z->phys->base_pfn, &order) &&
	    order >= z->phys->pageblock_order)
		return false;
	return block_is_movable(z, pfn);
}

/* Splits free blocks of [pfn, end) until there are targets enough; where it stopped. */
static u64 isolate_freepages_block(struct compact_control *cc, u64 pfn, u64 end)
{
	struct phys *phys = cc->c->phys;
	struct hw *hw = phys->hw;
	u64 first = pfn, scanned = 0, taken = 0;

	while (pfn < end && cc->migratepages.nr > cc->freepages.nr) {
		u32 frame = (u32)(pfn - phys->base_pfn);
		unsigned order, n = 0;

		scanned++;
		if (page_buddy(phys, frame, &order))
			n = split_free_page(phys, frame_to_page(phys, frame));
		for (unsigned i = 0; i < n; i++)
			plist_add_head(phys->memmap, &cc->freepages,
				       frame_to_page(phys, frame + i));
		taken += n;
		pfn += n ? n : 1;
	}
	if (pfn == end && !taken)
		note_fruitless(cc, first, false);
	charge_n(hw, COST_COMPACT_SCAN, scanned);
	count_vm_events(hw, hw->cpu, EV_COMPACTFREE_SCANNED, scanned);
	cc->free_scanned += scanned;
	count_vm_events(hw, hw->cpu, EV_COMPACTISOLATED, taken);
	trace_event(hw, EVENT_COMPACT_ISOLATE_FREE, (s64)first, (s64)pfn, (s64)scanned, (s64)taken);
	return pfn;
}

static void isolate_freepages(struct compact_control *cc)
{
	struct zone *z = cc->zone;
	u64 n = block_pages(z), at = cc->free_pfn, start = block_start(z, at);
	u64 end = mm_min(start + n, zone_end_pfn(z)), low = ALIGN_UP(cc->migrate_pfn + 1, n);

	for (; start >= low && cc->migratepages.nr > cc->freepages.nr;
	     end = start, start -= n, at = start) {
		if (!block_usable(cc, start, end) || !is_target_block(z, start))
			continue;
		at = isolate_freepages_block(cc, at, end);
		cc->free_pfn = at = at < end ? at : start - n;
		if (cc->c->rule412 && cc->freepages.nr >= cc->migratepages.nr)
			return;
	}
	/*
	 * Crossed, so that compact_finished() sees it. In 4.0 also when the lowest block allowed
	 * gave enough: what is left in it, and in the block below, stays as it is.
	 */
	if (start < low)
		cc->free_pfn = cc->migrate_pfn;
}

/* Target of one page: struct migrate_request's get_new_page. */
static struct page *compaction_alloc(struct page *old, void *private)
{
	struct compact_control *cc = private;

	(void)old;
	if (plist_empty(&cc->freepages))
		isolate_freepages(cc);
	return plist_pop_head(cc->c->phys->memmap, &cc->freepages);
}

static void compaction_free(struct page *unused, void *private)
{
	struct compact_control *cc = private;

	plist_add_head(cc->c->phys->memmap, &cc->freepages, unused);
}

/* ---- compact_zone (spec 10 s6) ---- */

/* A free block that an allocation of @mt would take by stealing its pageblock (4.12). */
static bool stealable(const struct compact_control *cc, unsigned order)
{
	static const u8 fallbacks[MIGRATE_PCPTYPES][2] = {
		[MIGRATE_UNMOVABLE] = {MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE},
		[MIGRATE_RECLAIMABLE] = {MIGRATE_UNMOVABLE, MIGRATE_MOVABLE},
		[MIGRATE_MOVABLE] = {MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE},
	};
	enum migratetype mt = cc->migratetype;

	if (mt >= MIGRATE_PCPTYPES ||
	    (mt == MIGRATE_MOVABLE && order < cc->zone->phys->pageblock_order / 2))
		return false;
	/* for others a pageblock changes its type: let it be as free as it can first */
	if (mt != MIGRATE_MOVABLE && cc->mode != MIGRATE_ASYNC &&
	    cc->migrate_pfn != block_start(cc->zone, cc->migrate_pfn))
		return false;
	for (unsigned i = 0; i < 2; i++)
		if (free_list_first(cc->zone, order, fallbacks[mt][i]) != PFN_NONE)
			return true;
	return false;
}

static bool wanted_page_is_free(const struct compact_control *cc)
{
	const struct zone *z = cc->zone;

	for (unsigned o = (unsigned)cc->order; o < z->phys->max_order; o++) {
		if (free_list_first(z, o, cc->migratetype) != PFN_NONE)
			return true;
		if (cc->c->rule412 ? stealable(cc, o)
				   : o >= z->phys->pageblock_order && z->free_area[o].nr_free)
			return true;
	}
	return false;
}

static enum compact_result finished(const struct compact_control *cc)
{
	struct zone *z = cc->zone;
	u64 mark = z->watermark[cc->c->rule412 ? cc->alloc_flags & ALLOC_WMARK_MASK
					       : (unsigned)WMARK_LOW];

	if (cc->free_pfn <= cc->migrate_pfn) {
		reset_cached_pfns(z); /* the next run begins anew */
		if (!cc->kswapd)
			z->compact_blockskip_flush = true;
		return cc->c->rule412 && !cc->whole_zone ? COMPACT_PARTIAL_SKIPPED
							 : COMPACT_COMPLETE;
	}
	if (cc->order == -1)
		return COMPACT_CONTINUE;
	if (!zone_watermark_ok(z, (unsigned)cc->order, mark, cc->classzone_idx, cc->alloc_flags))
		return COMPACT_CONTINUE;
	return wanted_page_is_free(cc) ? COMPACT_PARTIAL : COMPACT_NO_SUITABLE_PAGE;
}

static enum compact_result compact_finished(const struct compact_control *cc)
{
	enum compact_result r = finished(cc);

	trace_event(cc->c->phys->hw, EVENT_COMPACT_FINISHED, cc->zone->node, cc->zone->type,
		    cc->order, r);
	return r == COMPACT_NO_SUITABLE_PAGE ? COMPACT_CONTINUE : r;
}

static void set_scanners(struct compact_control *cc)
{
	struct zone *z = cc->zone;
	u64 start = z->zone_start_pfn, end = zone_end_pfn(z);

	cc->migrate_pfn = z->compact_cached_migrate_pfn[cc->mode != MIGRATE_ASYNC];
	cc->free_pfn = z->compact_cached_free_pfn;
	if (cc->free_pfn < start || cc->free_pfn > end)
		z->compact_cached_free_pfn = cc->free_pfn = block_start(z, end);
	if (cc->migrate_pfn < start || cc->migrate_pfn > end) {
		cc->migrate_pfn = start;
		z->compact_cached_migrate_pfn[0] = z->compact_cached_migrate_pfn[1] = start;
	}
	cc->whole_zone = cc->migrate_pfn == start;
}

/* Sources freed by migration wait in batches: they can only merge when those are drained. */
static void drain_when_block_is_left(struct compact_control *cc)
{
	struct vm *vm = cc->c->vm;

	if (cc->order <= 0 || !cc->last_migrated_pfn ||
	    cc->last_migrated_pfn >= (cc->migrate_pfn & ~((1ull << cc->order) - 1)))
		return;
	lru_add_drain(&vm->lru, vm->hw->cpu);
	drain_local_pages(vm->phys, vm->hw->cpu, cc->zone);
	cc->last_migrated_pfn = 0;
}

/* Targets that were not needed; the free scanner of the next run starts above them. */
static void release_freepages(struct compact_control *cc)
{
	struct phys *phys = cc->c->phys;
	struct page *p;
	u64 high = 0;

	while ((p = plist_pop_head(phys->memmap, &cc->freepages))) {
		high = mm_max(high, page_to_pfn(phys, p));
		free_page_page(phys, phys->hw->cpu, p);
	}
	high = block_start(cc->zone, high);
	if (high > cc->zone->compact_cached_free_pfn)
		cc->zone->compact_cached_free_pfn = high;
}

/* Moves what was isolated. False: no targets are left although the scanners have not met. */
static bool migrate_isolated(struct compact_control *cc)
{
	const struct migrate_request rq = {.vm = cc->c->vm,
					   .get_new_page = compaction_alloc,
					   .put_new_page = compaction_free,
					   .private = cc,
					   .mode = cc->mode,
					   .reason = MR_COMPACTION};
	int err = migrate_pages(&rq, &cc->migratepages);

	if (err)
		putback_movable_pages(cc->c->vm, &cc->migratepages);
	return err != -ENOMEM || cc->free_pfn <= cc->migrate_pfn;
}

static enum compact_result run_scanners(struct compact_control *cc)
{
	enum compact_result r;

	while ((r = compact_finished(cc)) == COMPACT_CONTINUE) {
		u64 from = cc->migrate_pfn;

		switch (isolate_migratepages(cc)) {
		case ISOLATE_ABORT:
			putback_movable_pages(cc->c->vm, &cc->migratepages);
			return COMPACT_PARTIAL;
		case ISOLATE_SUCCESS:
			if (!migrate_isolated(cc))
				return COMPACT_PARTIAL;
			if (!cc->last_migrated_pfn)
				cc->last_migrated_pfn = from;
			break;
		case ISOLATE_NONE:
			break;
		}
		drain_when_block_is_left(cc);
	}
	return r;
}

enum compact_result compact_zone(struct compact_control *cc)
{
	struct zone *z = cc->zone;
	struct hw *hw = cc->c->phys->hw;
	enum compact_result r =
		compaction_suitable(cc->c, z, cc->order, cc->alloc_flags, cc->classzone_idx);

	might_sleep(cc->c->phys->hw);
	plist_init(&cc->freepages);
	plist_init(&cc->migratepages);
	if (r != COMPACT_CONTINUE)
		return r;
	if (compaction_restarting(z, cc->order) && !cc->kswapd)
		reset_zone(z);
	set_scanners(cc);
	trace_event(hw, EVENT_COMPACT_BEGIN, (s64)z->zone_start_pfn, (s64)cc->migrate_pfn,
		    (s64)cc->free_pfn, (s64)zone_end_pfn(z), cc->mode != MIGRATE_ASYNC);
	lru_add_drain(&cc->c->vm->lru, hw->cpu);
	cc->c->running = true;
	r = run_scanners(cc);
	cc->c->running = false;
	release_freepages(cc);
	BUG_ON(!plist_empty(&cc->migratepages));
	trace_event(hw, EVENT_COMPACT_END, (s64)z->zone_start_pfn, (s64)cc->migrate_pfn,
		    (s64)cc->free_pfn, (s64)zone_end_pfn(z), cc->mode != MIGRATE_ASYNC, r);
	return r;
}

/* ---- who compacts (spec 10 s8) ---- */

enum compact_result compact_zone_order(struct compaction *c, struct zone *z, int order,
				       enum migratetype mt, enum migrate_mode mode,
				       unsigned alloc_flags, unsigned classzone_idx)
{
	struct compact_control cc = {.c = c,
				     .zone = z,
				     .order = order,
				     .migratetype = mt,
				     .mode = mode,
				     .alloc_flags = alloc_flags,
				     .classzone_idx = classzone_idx};

	return compact_zone(&cc);
}

/* Compacts @z for @ac. True: an allocation would succeed there now. */
static bool compact_for(struct compaction *c, const struct alloc_context *ac, struct zone *z,
			enum migrate_mode mode, enum compact_result *status)
{
	u64 mark =
		z->watermark[c->rule412 ? ac->alloc_flags & ALLOC_WMARK_MASK : (unsigned)WMARK_LOW];

	*status = compact_zone_order(c, z, (int)ac->order, ac->migratetype, mode, ac->alloc_flags,
				     ac->classzone_idx);
	if (zone_watermark_ok(z, ac->order, mark, ac->classzone_idx, ac->alloc_flags)) {
		compaction_defer_reset(z, (int)ac->order, false);
		return true;
	}
	if (mode != MIGRATE_ASYNC &&
	    (*status == COMPACT_COMPLETE || *status == COMPACT_PARTIAL_SKIPPED))
		defer_compaction(z, (int)ac->order);
	return false;
}

enum compact_result try_to_compact_pages(struct compaction *c, const struct alloc_context *ac,
					 enum migrate_mode mode)
{
	enum compact_result best = COMPACT_DEFERRED, status;
	gfp_t needed = MM_GFP_FS | MM_GFP_IO;

	might_sleep(c->phys->hw);
	if (!ac->order || c->running ||
	    (c->rule412 ? !(ac->gfp & MM_GFP_IO) : (ac->gfp & needed) != needed))
		return COMPACT_SKIPPED;
	for (u32 i = 0; i < ac->zonelist->nr; i++) {
		struct zone *z = ac->zonelist->zones[i];
		bool done;

		if (z->type > ac->high_zoneidx || compaction_deferred(z, (int)ac->order))
			continue;
		done = compact_for(c, ac, z, mode, &status);
		if (status > best)
			best = status;
		if (done)
			break;
	}
	return best;
}

struct page *alloc_pages_direct_compact(struct compaction *c, struct alloc_context *ac,
					enum migrate_mode mode, bool *deferred)
{
	struct hw *hw = c->phys->hw;
	bool *memalloc = &c->phys->cpus[ac->cpu].pf_memalloc, was = *memalloc;
	enum compact_result r;
	struct page *page;

	might_sleep(c->phys->hw);
	*deferred = false;
	if (!ac->order)
		return NULL;
	*memalloc = true;
	r = try_to_compact_pages(c, ac, mode);
	*memalloc = was;
	if (r == COMPACT_DEFERRED || r == COMPACT_SKIPPED) {
		*deferred = r == COMPACT_DEFERRED;
		return NULL;
	}
	count_vm_event(hw, hw->cpu, EV_COMPACTSTALL);
	page = get_page_from_freelist(ac, ac->alloc_flags & ~(unsigned)ALLOC_NO_WATERMARKS);
	if (!page) {
		count_vm_event(hw, hw->cpu, EV_COMPACTFAIL);
		return NULL;
	}
	page_zone(c->phys, page)->compact_blockskip_flush = false;
	compaction_defer_reset(page_zone(c->phys, page), (int)ac->order, true);
	count_vm_event(hw, hw->cpu, EV_COMPACTSUCCESS);
	return page;
}

void compact_pgdat(struct compaction *c, pg_data_t *node, int order)
{
	might_sleep(c->phys->hw);
	for (unsigned t = 0; t < MM_MAX_NR_ZONES; t++) {
		struct zone *z = node->node_zones[t];
		struct compact_control cc = {.c = c,
					     .zone = z,
					     .order = order,
					     .mode = MIGRATE_ASYNC,
					     .migratetype = MIGRATE_UNMOVABLE,
					     .kswapd = true};

		if (!z || !z->managed_pages || compaction_deferred(z, order))
			continue;
		compact_zone(&cc);
		if (zone_watermark_ok(z, (unsigned)order, z->watermark[WMARK_LOW], 0, 0))
			compaction_defer_reset(z, order, false);
	}
}

void compact_nodes(struct compaction *c)
{
	might_sleep(c->phys->hw);
	lru_add_drain_all(&c->vm->lru);
	for (unsigned i = 0; i < c->phys->nr_zones; i++) {
		struct compact_control cc = {.c = c,
					     .zone = &c->phys->zones[i],
					     .order = -1,
					     .mode = MIGRATE_SYNC,
					     .ignore_skip_hint = true};

		if (!cc.zone->managed_pages)
			continue;
		if (c->rule412)
			reset_cached_pfns(cc.zone);
		compact_zone(&cc);
	}
}

/* ---- kcompactd ---- */

static bool kcompactd_suitable(struct compaction *c, const pg_data_t *node, int order,
			       int classzone_idx)
{
	for (int t = 0; t <= classzone_idx; t++)
		if (node->node_zones[t] && node->node_zones[t]->managed_pages &&
		    compaction_suitable(c, node->node_zones[t], order, 0,
					(unsigned)classzone_idx) == COMPACT_CONTINUE)
			return true;
	return false;
}

void wakeup_kcompactd(struct compaction *c, pg_data_t *node, unsigned order, int classzone_idx)
{
	if (!order || !c->has_kcompactd)
		return;
	if (order > c->kcompactd[node->node_id].order)
		c->kcompactd[node->node_id].order = order;
	if (classzone_idx > c->kcompactd[node->node_id].classzone_idx)
		c->kcompactd[node->node_id].classzone_idx = classzone_idx;
	if (!kcompactd_suitable(c, node, (int)order, classzone_idx))
		return;
	if (c->kcompactd[node->node_id].daemon >= 0)
		clock_wake(c->phys->hw, c->kcompactd[node->node_id].daemon);
}

static void kcompactd_do_zone(struct compaction *c, struct zone *z, int order,
			      unsigned classzone_idx)
{
	struct compact_control cc = {.c = c,
				     .zone = z,
				     .order = order,
				     .mode = MIGRATE_SYNC_LIGHT,
				     .migratetype = MIGRATE_UNMOVABLE,
				     .classzone_idx = classzone_idx,
				     .ignore_skip_hint = true};
	struct hw *hw = c->phys->hw;
	enum compact_result r;

	if (compaction_deferred(z, order) ||
	    compaction_suitable(c, z, order, 0, classzone_idx) != COMPACT_CONTINUE)
		return;
	r = compact_zone(&cc);
	count_vm_events(hw, hw->cpu, EV_KCOMPACTD_MIGRATE_SCANNED, cc.migrate_scanned);
	count_vm_events(hw, hw->cpu, EV_KCOMPACTD_FREE_SCANNED, cc.free_scanned);
	if (r == COMPACT_PARTIAL)
		compaction_defer_reset(z, order, false);
	else if (r == COMPACT_COMPLETE || r == COMPACT_PARTIAL_SKIPPED)
		defer_compaction(z, order);
}

void kcompactd_run(struct compaction *c, unsigned nid)
{
	struct hw *hw = c->phys->hw;
	int order = (int)c->kcompactd[nid].order, idx = c->kcompactd[nid].classzone_idx;

	might_sleep(c->phys->hw);
	if (!order || c->running)
		return;
	count_vm_event(hw, hw->cpu, EV_KCOMPACTD_WAKE);
	for (int t = 0; t <= idx; t++)
		if (c->phys->nodes[nid].node_zones[t] &&
		    c->phys->nodes[nid].node_zones[t]->managed_pages)
			kcompactd_do_zone(c, c->phys->nodes[nid].node_zones[t], order,
					  (unsigned)idx);
	c->kcompactd[nid].order = 0;
	c->kcompactd[nid].classzone_idx = 0;
}

/*
 * A run is not divided: what it uses beyond its budget delays the thread itself. It does not wait for
 * page locks, since on the clock that would be the whole machine's waiting.
 */
static u64 kcompactd_daemon(void *self, u64 budget)
{
	struct compaction *c = *(struct compaction **)self;
	struct hw *hw = c->phys->hw;
	bool *memalloc = &c->phys->cpus[hw->cpu].pf_memalloc;
	u64 start = hw->now, used;

	(void)budget;
	*memalloc = true;
	for (unsigned nid = 0; nid < c->phys->nr_nodes; nid++)
		if (self == &c->kcompactd[nid].self)
			kcompactd_run(c, nid);
	*memalloc = false;
	used = hw->now - start;
	hw->now = start; /* the thread's own time, not the machine's */
	return used;
}

/* ---- what reclaim asks (struct compact_ops) ---- */

static int op_suitable(void *self, const struct zone *z, unsigned order, unsigned classzone_idx)
{
	switch (compaction_suitable(self, z, (int)order, 0, classzone_idx)) {
	case COMPACT_SKIPPED:
		return 0;
	case COMPACT_CONTINUE:
		return 1;
	default:
		return 2;
	}
}

static bool op_deferred(void *self, struct zone *z, unsigned order)
{
	(void)self;
	return compaction_deferred(z, (int)order);
}

static struct page *op_direct(void *self, struct alloc_context *ac, int mode)
{
	bool deferred;

	return alloc_pages_direct_compact(self, ac, (enum migrate_mode)mode, &deferred);
}

static void op_pgdat(void *self, pg_data_t *node, unsigned order)
{
	compact_pgdat(self, node, (int)order);
}

static void op_reset(void *self, pg_data_t *node)
{
	reset_isolation_suitable(self, node);
}

static void op_wake(void *self, pg_data_t *node, unsigned order, int classzone_idx)
{
	wakeup_kcompactd(self, node, order, classzone_idx);
}

struct compact_ops compaction_ops(struct compaction *c)
{
	if (c->off)
		return (struct compact_ops){.self = c};
	return (struct compact_ops){.self = c, .suitable = op_suitable, .deferred = op_deferred, .direct = op_direct,
				    .pgdat = op_pgdat, .reset_suitable = op_reset, .wake_kcompactd = op_wake};
}

/* ---- from outside ---- */

int compaction_init(struct compaction *c, struct vm *vm, const struct machine_config *config)
{
	*c = (struct compaction){.vm = vm,
				 .phys = vm->phys,
				 .rule412 = config->compaction == COMPACTION_4_12,
				 .off = config->compaction == COMPACTION_OFF,
				 .unevictable = config->compact_unevictable_allowed,
				 .extfrag_threshold = config->extfrag_threshold,
				 .has_kcompactd = config->kcompactd};
	for (unsigned nid = 0; nid < MM_MAX_NODES; nid++) {
		c->kcompactd[nid].self = c;
		c->kcompactd[nid].daemon = -1;
		if (!config->kcompactd || config->threads != THREADS_TIMED || nid >= c->phys->nr_nodes)
			continue;
		c->kcompactd[nid].daemon = clock_add_daemon(
			vm->hw, kcompactd_daemon, &c->kcompactd[nid].self, CLOCK_NEVER, 0);
		if (c->kcompactd[nid].daemon < 0)
			return -ENOMEM;
	}
	return 0;
}

int compaction_sysctl(struct compaction *c, const char *name, const char *value)
{
	char *end;
	u64 v = strtoull(value, &end, 0);
	bool bad = end == value || *end;

	if (!strcmp(name, "extfrag_threshold")) {
		if (bad || v > 1000)
			return -EINVAL;
		c->extfrag_threshold = v;
	} else if (!strcmp(name, "compact_unevictable_allowed")) {
		if (bad || v > 1)
			return -EINVAL;
		c->unevictable = v;
	} else if (!strcmp(name, "compact_memory")) {
		compact_nodes(c); /* whatever is written */
	} else {
		return -ENOENT;
	}
	return 0;
}

int compaction_check(struct compaction *c, char *why, size_t n)
{
	for (unsigned i = 0; i < c->phys->nr_zones; i++) {
		const struct zone *z = &c->phys->zones[i];
		u64 pfns[] = {z->compact_cached_free_pfn, z->compact_cached_migrate_pfn[0],
			      z->compact_cached_migrate_pfn[1]};

		for (unsigned k = 0; k < ARRAY_SIZE(pfns); k++)
			if (pfns[k] < z->zone_start_pfn || pfns[k] > zone_end_pfn(z)) {
				snprintf(why, n, "I10.4: cached pfn %" PRIu64 " outside zone %s",
					 pfns[k], z->name);
				return 10004;
			}
	}
	return 0;
}
