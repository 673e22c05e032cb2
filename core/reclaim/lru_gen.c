/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/reclaim/lru_gen.h"

#include <inttypes.h>

#include "core/base/bits.h"
#include "core/hw/events.h"
#include "core/reclaim/scan_batch.h"
#include "core/vm/lazyfree.h"
#include "core/vm/lru_gen_walk.h"
#include "core/vm/vm.h"
#include "core/vm/writeback.h"

/* Weight of anonymous pages; 0: they cannot be evicted. */
static u64 swappiness_of(const struct vmscan *vs, const struct scan_control *sc)
{
	return sc->may_swap && vs->swap->nr_swap_pages >= (s64)MIN_LRU_BATCH ? vs->swappiness : 0;
}

/* ---- tiers and types: refaults against evictions ---- */

struct position {
	u64 refaulted, total, gain;
};

static struct position read_position(const struct lru_gen *g, unsigned type, unsigned tier, u64 gain)
{
	return (struct position){
		.refaulted = g->avg_refaulted[type][tier] + g->refaulted[type][tier],
		.total = g->avg_total[type][tier] + g->evicted[type][tier] + g->protected[type][tier],
		.gain = gain,
	};
}

/* Does @pv refault seldom, or at most as often as @sp, by gains? Then it may be evicted. */
static bool may_evict(struct position sp, struct position pv)
{
	return pv.refaulted < MIN_LRU_BATCH || (unsigned __int128)pv.refaulted * (sp.total + MIN_LRU_BATCH) * sp.gain <=
						       (unsigned __int128)(sp.refaulted + 1) * pv.total * pv.gain;
}

/* The last of the tiers in a row, from 1 on, that may be evicted when compared with @sp. */
static unsigned last_tier(const struct lru_gen *g, unsigned type, struct position sp, u64 gain)
{
	unsigned tier = 1;

	while (tier < MAX_NR_TIERS && may_evict(sp, read_position(g, type, tier, gain)))
		tier++;
	return tier - 1;
}

unsigned lru_gen_last_tier(const struct lru_gen *g, unsigned type)
{
	return last_tier(g, type, read_position(g, type, 0, 1), 2);
}

unsigned lru_gen_choose_type(const struct lru_gen *g, u64 swappiness, unsigned *tier)
{
	const u64 gain[ANON_AND_FILE] = {swappiness, 200 - swappiness};
	unsigned type = may_evict(read_position(g, LRU_GEN_ANON, 0, gain[LRU_GEN_ANON]),
				  read_position(g, LRU_GEN_FILE, 0, gain[LRU_GEN_FILE]));

	*tier = last_tier(g, type, read_position(g, !type, 0, gain[!type]), gain[type]);
	return type;
}

/* ---- aging ---- */

struct gen_sizes {
	u64 young, old, total;
};

static struct gen_sizes measure(const struct lru_gen *g, bool can_swap)
{
	struct gen_sizes s = {0};

	for (unsigned type = !can_swap; type < ANON_AND_FILE; type++)
		for (u64 seq = g->min_seq[type]; seq <= g->max_seq; seq++) {
			u64 n = lru_gen_size(g, gen_of_seq(seq), type);

			s.total += n;
			s.young += seq == g->max_seq ? n : 0;
			s.old += seq + MIN_NR_GENS == g->max_seq ? n : 0;
		}
	return s;
}

/* Eviction stalls at MIN_NR_GENS; with one more it is time when pages are spread too unevenly. */
static bool should_age(const struct lru_gen *g, bool can_swap, const struct gen_sizes *s)
{
	u64 oldest = g->min_seq[!can_swap];

	if (oldest + MIN_NR_GENS != g->max_seq)
		return oldest + MIN_NR_GENS > g->max_seq;
	return s->young * MIN_NR_GENS > s->total || s->old * (MIN_NR_GENS + 2) < s->total;
}

void lru_gen_begin(struct vmscan *vs, struct scan_unit *u, bool can_swap, bool force)
{
	if (vs->config->mglru_walk)
		lru_gen_walk_mms(vs->vm, u->vec, can_swap, force);
	lru_gen_inc_max_seq(vs->lru, u->vec->gen, can_swap);
}

/* mglru_min_ttl_ms: are the oldest file pages too young for anything but thrashing? */
static bool too_young(const struct vmscan *vs, const struct lru_gen *g)
{
	return vs->hw->now < g->birth[gen_of_seq(g->min_seq[LRU_GEN_FILE])] + vs->min_ttl_ns;
}

void lru_gen_age(struct vmscan *vs, struct scan_unit *u, struct scan_control *sc)
{
	u64 swappiness = swappiness_of(vs, sc);
	struct lru_gen *g = u->vec->gen;
	struct gen_sizes s = measure(g, swappiness);

	if (vs->min_ttl_ns && too_young(vs, g)) {
		if (!sc->order)
			oom_kill_thrashing(vs);
		return;
	}
	if (should_age(g, swappiness, &s))
		lru_gen_begin(vs, u, swappiness, false);
}

/* ---- eviction ---- */

/* Pages that are not evicted now move on, and are none of the batch. True if @p was one. */
static bool sort_page(struct vmscan *vs, struct lru_gen *g, struct page *p, unsigned type, unsigned last)
{
	unsigned tier = lru_tier_from_refs(page_lru_refs(p)), next = gen_of_seq(g->min_seq[type] + 1);

	if (MM_UNLIKELY(PageMlocked(p))) {
		lru_isolate(vs->lru, p);
		lru_add_unevictable(vs->lru, p);
		count_vm_event(vs->hw, vs->hw->cpu, EV_UNEVICTABLE_PGCULLED);
		return true;
	}
	if (page_lazyfree(p) && PageDirty(p)) { /* written again: anonymous after all */
		lru_isolate(vs->lru, p);
		SetPageSwapBacked(p);
		add_page_to_lru_tail(vs->lru, p, page_lru(p));
		return true;
	}
	if (tier > last) {
		lru_gen_move(vs->lru, p, next, true);
		g->protected[type][tier]++;
		count_vm_event(vs->hw, vs->hw->cpu, EV_LRU_GEN_PROTECTED);
		mod_zone_page_state(page_zone(vs->phys, p), NR_WORKINGSET_ACTIVATE, 1);
		count_vm_event(vs->hw, vs->hw->cpu,
			       type ? EV_WORKINGSET_ACTIVATE_FILE : EV_WORKINGSET_ACTIVATE_ANON);
		return true;
	}
	if (PageLocked(p) || PageWriteback(p) || (type == LRU_GEN_FILE && PageDirty(p))) {
		lru_gen_move(vs->lru, p, next, false);
		SetPageReclaim(p);
		return true;
	}
	return false;
}

/* Off its list with a reference; false: not for this reclaimer, or free already. */
static bool isolate_gen_page(struct vmscan *vs, const struct scan_control *sc, struct page *p)
{
	bool may_write = sc->may_writepage && sc->gfp & MM_GFP_IO;

	if (!sc->may_unmap && page_mapped(p))
		return false;
	if (!may_write && (PageDirty(p) || (PageAnon(p) && PageSwapBacked(p) && !PageSwapCache(p))))
		return false;
	if (!get_page_unless_zero(p))
		return false;
	lru_gen_isolate(vs->lru, p);
	if (!PageReferenced(p)) /* references count from the first on: tier 0 without it */
		p->flags &= ~PAGE_LRU_TIER;
	ClearPageReclaim(p);
	ClearPageReferenced(p);
	return true;
}

/* One look at the oldest generation of a type. */
struct gen_scan {
	u64 scanned, sorted, dirty;
	struct scan_taken taken;
	struct scan_batch batch;
};

/* Pages of zone type @z: those that cannot be taken now go to the head of their list. True: the scan is over. */
static bool scan_zone(struct vmscan *vs, struct scan_unit *u, const struct scan_control *sc, unsigned type, unsigned z,
		      unsigned last, struct gen_scan *s)
{
	struct lru_gen *g = u->vec->gen;
	struct page_list *l = &g->lists[gen_of_seq(g->min_seq[type])][type][z];
	u32 skipped[MIN_LRU_BATCH], nr_skipped = 0;
	struct page *map = vs->phys->memmap, *p;

	while ((p = plist_last(map, l)) && s->scanned < MAX_LRU_BATCH && s->batch.nr < MIN_LRU_BATCH &&
	       nr_skipped < MIN_LRU_BATCH) {
		bool dirty = type == LRU_GEN_FILE && PageDirty(p);

		s->scanned++;
		if (sort_page(vs, g, p, type, last)) {
			s->sorted++;
			s->dirty += dirty;
		} else if (isolate_gen_page(vs, sc, p)) {
			s->batch.frames[s->batch.nr++] = page_frame(vs->phys, p);
			s->taken.by_zone[z]++;
		} else {
			skipped[nr_skipped++] = page_frame(vs->phys, p);
			plist_del(map, l, p);
		}
	}
	for (u32 i = 0; i < nr_skipped; i++)
		plist_add_head(map, l, frame_to_page(vs->phys, skipped[i]));
	return s->scanned >= MAX_LRU_BATCH || s->batch.nr >= MIN_LRU_BATCH;
}

/* Fills s->batch from the oldest generation of @type; true if the pass got anywhere. */
static bool scan_type(struct vmscan *vs, struct scan_unit *u, const struct scan_control *sc, unsigned type,
		      unsigned last, struct gen_scan *s)
{
	s->scanned = s->sorted = s->batch.nr = 0;
	s->taken = (struct scan_taken){0};
	if (nr_gens(u->vec->gen, type) == MIN_NR_GENS)
		return false;
	for (unsigned z = sc->reclaim_idx + 1; z-- > 0;)
		if (scan_zone(vs, u, sc, type, z, last, s))
			break;
	return s->batch.nr || s->scanned >= MAX_LRU_BATCH;
}

/* What is known of the scan beyond its batch. */
static void account_scan(struct vmscan *vs, struct scan_unit *u, const struct scan_control *sc, unsigned type,
			 struct gen_scan *s)
{
	static const u64 none[MM_MAX_NR_ZONES];

	s->taken.scanned = s->batch.nr;
	count_by_zone(vs, u, EV_PGREFILL_DMA, s->sorted, none);
	if (!sc->limit && u->zone)
		mod_zone_page_state(u->zone, NR_PAGES_SCANNED, (s64)s->scanned);
	count_isolated(vs, u, &s->batch, type == LRU_GEN_FILE, 1);
	charge_n(vs->hw, COST_SCAN_PAGE, s->scanned);
	trace_event(vs->hw, EVENT_ISOLATE, sc->order, MIN_LRU_BATCH, (s64)s->scanned, s->batch.nr, 0,
		    type == LRU_GEN_FILE);
}

/* The type whose turn it is, or the other if that has nothing. The type scanned. */
static unsigned scan_some_type(struct vmscan *vs, struct scan_unit *u, const struct scan_control *sc, u64 swappiness,
			       struct gen_scan *s)
{
	struct lru_gen *g = u->vec->gen;
	unsigned type, tier = 0;
	bool tier_known = false;

	if (!swappiness)
		type = LRU_GEN_FILE;
	else if (g->min_seq[LRU_GEN_ANON] < g->min_seq[LRU_GEN_FILE])
		type = LRU_GEN_ANON;
	else if (swappiness == 1)
		type = LRU_GEN_FILE;
	else {
		type = lru_gen_choose_type(g, swappiness, &tier);
		tier_known = true;
	}
	for (unsigned tries = !swappiness; tries < ANON_AND_FILE; tries++) {
		bool got = scan_type(vs, u, sc, type, tier_known ? tier : lru_gen_last_tier(g, type), s);

		account_scan(vs, u, sc, type, s);
		if (got)
			break;
		type = tries + 1 < ANON_AND_FILE ? !type : type;
		tier_known = false;
	}
	return type;
}

/* One batch. Pages scanned; 0: nothing can be evicted before somebody ages. */
static u64 evict_batch(struct vmscan *vs, struct scan_unit *u, struct scan_control *sc, u64 swappiness,
		       bool *swapping)
{
	struct lru_gen *g = u->vec->gen;
	struct gen_scan s = {.dirty = 0};
	unsigned type = scan_some_type(vs, u, sc, swappiness, &s);
	u64 scanned = s.batch.nr || s.scanned >= MAX_LRU_BATCH ? s.scanned : 0;

	scanned += lru_gen_inc_min_seq(g, swappiness); /* there is another oldest to look at */
	if (nr_gens(g, !swappiness) == MIN_NR_GENS)
		scanned = 0;
	if (s.batch.nr) {
		sc->nr_reclaimed += shrink_batch(vs, u, sc, &s.batch, &s.taken, type == LRU_GEN_FILE);
		*swapping |= type == LRU_GEN_ANON;
	} else if (s.dirty && sc->gfp & MM_GFP_FS) {
		writeback_pages(vs->vm, MIN_LRU_BATCH);
	}
	return scanned;
}

/* How many pages this pass may look at; 0: none, or none yet. (Linux: get_nr_to_scan) */
static u64 pages_to_scan(struct vmscan *vs, struct scan_unit *u, struct scan_control *sc, bool can_swap)
{
	struct lru_gen *g = u->vec->gen;
	struct gen_sizes s = measure(g, can_swap);
	u64 n = s.total >> sc->priority;

	if (!should_age(g, can_swap, &s))
		return n;
	if (sc->priority != DEF_PRIORITY) {
		if (sc->kswapd) /* has done so before this pass, or thinks it is no use */
			return 0;
		lru_gen_begin(vs, u, can_swap, false);
		return n;
	}
	return g->min_seq[!can_swap] + MIN_NR_GENS <= g->max_seq ? n : 0;
}

/* A task that has what it came for does not swap on, nor does one that is to die. */
static bool had_enough(const struct vmscan *vs, const struct scan_control *sc, bool swapping)
{
	const struct task *t = vm_task(vs->vm, vs->hw->task);

	if (sc->kswapd)
		return false;
	return (sc->nr_reclaimed >= sc->nr_to_reclaim && swapping) || (t && t->killed);
}

void lru_gen_shrink(struct vmscan *vs, struct scan_unit *u, struct scan_control *sc, u64 *lru_pages)
{
	u64 scanned = 0, first = u->vec->gen->max_seq, swappiness, want, n;
	bool swapping = false;

	lru_add_drain(vs->lru, vs->hw->cpu);
	*lru_pages += measure(u->vec->gen, swappiness_of(vs, sc)).total;
	do {
		swappiness = swappiness_of(vs, sc);
		want = pages_to_scan(vs, u, sc, swappiness);
		n = want ? evict_batch(vs, u, sc, swappiness, &swapping) : 0;
		scanned += n;
	} while (n && scanned < want && u->vec->gen->max_seq - first <= 1 && !had_enough(vs, sc, swapping));
}

void lru_gen_reject(struct page *p)
{
	if (PageWorkingset(p)) /* isolation took it */
		SetPageReferenced(p);
	if (PageReclaim(p) && (PageDirty(p) || PageWriteback(p)))
		ClearPageActive(p);
	else
		SetPageActive(p);
}

/* ---- view ---- */

static void show_unit(const struct vmscan *vs, const struct scan_unit *u, FILE *out)
{
	const struct lru_gen *g = u->vec->gen;
	u64 oldest = mm_min(g->min_seq[LRU_GEN_ANON], g->min_seq[LRU_GEN_FILE]);

	fprintf(out, " node %5u", u->node->node_id);
	fprintf(out, u->zone ? " zone %s\n" : "\n", u->zone ? u->zone->name : "");
	for (u64 seq = oldest; seq <= g->max_seq; seq++) {
		unsigned gen = gen_of_seq(seq);

		fprintf(out, " %10" PRIu64 " %10" PRIu64, seq, (vs->hw->now - g->birth[gen]) / 1000000);
		for (unsigned type = 0; type < ANON_AND_FILE; type++)
			fprintf(out, " %10" PRIu64, seq < g->min_seq[type] ? 0 : lru_gen_size(g, gen, type));
		fputc('\n', out);
	}
	for (unsigned type = 0; type < ANON_AND_FILE; type++)
		for (unsigned tier = 0; tier < MAX_NR_TIERS; tier++)
			fprintf(out, "  %s tier %u refaulted %" PRIu64 " evicted %" PRIu64 " protected %" PRIu64
				     " average %" PRIu64 "/%" PRIu64 "\n",
				type ? "file" : "anon", tier, g->refaulted[type][tier], g->evicted[type][tier],
				g->protected[type][tier], g->avg_refaulted[type][tier], g->avg_total[type][tier]);
}

void lru_gen_show(const struct vmscan *vs, FILE *out)
{
	fprintf(out, vs->lru->mglru ? "memcg     0\n" : "mglru=0: no generations\n");
	for (u32 i = 0; i < vs->nr_units; i++) {
		const struct scan_unit *u = &vs->units[i];

		if (u->node && u->vec->gen && (!u->zone || u->zone->present_pages))
			show_unit(vs, u, out);
	}
}
