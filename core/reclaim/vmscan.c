/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From "memory is short" to lists and numbers of pages:
 *
 *   try_to_free_pages -> shrink_zones ---\
 *   kswapd -> balance_pgdat --------------> shrink_unit -> shrink_lruvec -> shrink_list
 * (shrink_list.c) try_to_free_limited -----------------/             \-> shrink_slab
 *
 * get_scan_count() divides a pass between anonymous and file pages by what scanning either has
 * brought lately: pages scanned per page that had to be kept.
 */
#include "core/reclaim/vmscan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bits.h"
#include "core/backing/pageio.h"
#include "core/hw/clock.h"
#include "core/hw/events.h"
#include "core/phys/page_alloc.h"
#include "core/reclaim/lru_gen.h"
#include "core/reclaim/shadow_nodes.h"
#include "core/vm/vm.h"

int vmscan_init(struct vmscan *vs, struct vm *vm, const struct machine_config *c)
{
	struct phys *p = vm->phys;

	*vs = (struct vmscan){
		.vm = vm,
		.phys = p,
		.hw = vm->hw,
		.lru = &vm->lru,
		.swap = &vm->swap,
		.files = &vm->files,
		.config = c,
		.node = c->reclaim == RECLAIM_NODE,
		.anonws = c->anonws || c->mglru,
		.inactive412 = c->inactive == INACTIVE_4_12,
		.swappiness = c->swappiness,
		.limit = c->memlimit >> p->page_shift,
		.min_ttl_ns = c->mglru_min_ttl_ms * 1000000,
	};
	list_init(&vs->shrinkers);
	shadow_nodes_init(vs);
	vs->nr_units = vs->node ? p->nr_nodes : p->nr_zones;
	for (unsigned i = 0; i < p->nr_zones; i++) {
		struct zone *z = &p->zones[i];
		struct scan_unit *u = zone_unit(vs, z);

		u->vec = zone_lruvec(vs->lru, z);
		u->zone = vs->node ? NULL : z;
		u->node = zone_pgdat(z);
	}
	vs->reaper = -1;
	if (c->oom == OOM_RULE_REAPER && c->threads != THREADS_MANUAL) {
		vs->reaper = clock_add_daemon(vs->hw, oom_reaper_daemon, vs, CLOCK_NEVER, 0);
		if (vs->reaper < 0)
			return vs->reaper;
	}
	return kswapd_init(vs);
}

int vmscan_sysctl(struct vmscan *vs, const char *name, const char *value)
{
	char *end;
	u64 v = strtoull(value, &end, 0);

	if (strcmp(name, "swappiness"))
		return -ENOENT;
	if (end == value || *end || v > 100)
		return -EINVAL;
	vs->swappiness = v;
	return 0;
}

/* ---- sizes ---- */

u64 unit_lru_size(const struct vmscan *vs, const struct scan_unit *u, enum lru_list l,
		  unsigned reclaim_idx)
{
	if (u->zone)
		return u->vec->lists[l].nr;
	return lruvec_size(vs->lru, u->vec, l, reclaim_idx);
}

static bool swap_left(const struct vmscan *vs)
{
	return vs->swap->nr_swap_pages > 0;
}

u64 zone_reclaimable_pages(const struct vmscan *vs, const struct zone *z)
{
	u64 n = (u64)(z->vm_stat[NR_INACTIVE_FILE] + z->vm_stat[NR_ACTIVE_FILE]);

	if (swap_left(vs))
		n += (u64)(z->vm_stat[NR_INACTIVE_ANON] + z->vm_stat[NR_ACTIVE_ANON]);
	return n;
}

bool zone_reclaimable(const struct vmscan *vs, const struct zone *z)
{
	return vs->node || (u64)z->vm_stat[NR_PAGES_SCANNED] < zone_reclaimable_pages(vs, z) * 6;
}

/* Refaults that were activated, in the node of @u. */
static u64 unit_refaults(const struct vmscan *vs, const struct scan_unit *u)
{
	u64 sum = 0;

	for (unsigned i = 0; i < vs->phys->nr_zones; i++) {
		const struct zone *z = &vs->phys->zones[i];

		if (u->zone ? z == u->zone : z->node == u->node->node_id)
			sum += (u64)z->vm_stat[NR_WORKINGSET_ACTIVATE];
	}
	return sum;
}

static u64 ratio_by_size(const struct vmscan *vs, u64 pages)
{
	u64 gib = pages >> (30 - vs->phys->page_shift);

	return gib ? int_sqrt(10 * gib) : 1;
}

bool inactive_list_is_low(const struct vmscan *vs, const struct scan_unit *u, bool file,
			  const struct scan_control *sc, bool actual_reclaim)
{
	enum lru_list l = file ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON;
	u64 inactive = unit_lru_size(vs, u, l, sc->reclaim_idx);
	u64 active = unit_lru_size(vs, u, l + 1, sc->reclaim_idx), ratio;

	if (!file && !vs->swap->total_swap_pages)
		return false;
	if (!vs->inactive412 && file)
		return active > inactive;
	if (!vs->inactive412)
		ratio = u->zone && !sc->limit ? u->zone->inactive_ratio
					      : ratio_by_size(vs, inactive + active);
	else if (file && actual_reclaim && u->refaults != unit_refaults(vs, u))
		ratio = 0;
	else
		ratio = ratio_by_size(vs, inactive + active);
	return inactive * ratio < active;
}

/* ---- how much of which list ---- */

/* Old experience counts less: once it outgrows a quarter of the lists it is halved. */
static void age_statistics(struct lruvec *v, unsigned type, u64 pages)
{
	if (v->recent_scanned[type] <= pages / 4)
		return;
	v->recent_scanned[type] /= 2;
	v->recent_rotated[type] /= 2;
}

static enum scan_balance choose_balance(const struct scan_input *in)
{
	if (!in->may_swap || (!in->global && !in->swappiness))
		return SCAN_FILE;
	if (!in->priority && in->swappiness)
		return SCAN_EQUAL;
	if (in->global &&
	    in->size[LRU_INACTIVE_FILE] + in->size[LRU_ACTIVE_FILE] + in->free <= in->high)
		return SCAN_ANON;
	return in->inactive_file_low ? SCAN_FRACT : SCAN_FILE;
}

enum scan_balance get_scan_count(const struct scan_input *in, struct lruvec *stat, u64 nr[4])
{
	enum scan_balance b = choose_balance(in);
	u64 fraction[2] = {0, 0}, denominator = 1, sum = 0;

	if (b == SCAN_FRACT) {
		age_statistics(stat, 0, in->size[LRU_INACTIVE_ANON] + in->size[LRU_ACTIVE_ANON]);
		age_statistics(stat, 1, in->size[LRU_INACTIVE_FILE] + in->size[LRU_ACTIVE_FILE]);
		fraction[0] = in->swappiness * (stat->recent_scanned[0] + 1) /
			      (stat->recent_rotated[0] + 1);
		fraction[1] = (200 - in->swappiness) * (stat->recent_scanned[1] + 1) /
			      (stat->recent_rotated[1] + 1);
		denominator = fraction[0] + fraction[1] + 1;
	}
	for (int pass = 0; !sum && pass < 2; pass++)
		for (unsigned l = 0; l < 4; l++) {
			bool file = l >= LRU_INACTIVE_FILE;
			u64 scan = in->size[l] >> in->priority;

			if (!scan && pass && in->force)
				scan = mm_min(in->size[l], SWAP_CLUSTER_MAX);
			if (b == SCAN_FRACT)
				scan = (u64)((unsigned __int128)scan * fraction[file] /
					     denominator);
			else if (b != SCAN_EQUAL && (b == SCAN_FILE) != file)
				scan = 0;
			nr[l] = scan;
			sum += scan;
		}
	return b;
}

static void unit_levels(const struct vmscan *vs, const struct scan_unit *u, u64 *free, u64 *high)
{
	*free = *high = 0;
	for (unsigned t = 0; t < MM_MAX_NR_ZONES; t++) {
		const struct zone *z = u->node->node_zones[t];

		if (!z || (u->zone && z != u->zone))
			continue;
		*free += (u64)z->vm_stat[NR_FREE_PAGES];
		*high += z->watermark[WMARK_HIGH];
	}
	(void)vs;
}

/* get_scan_count() on the live lists; the pages it chose from in @lru_pages. */
static void scan_targets(struct vmscan *vs, struct scan_unit *u, const struct scan_control *sc,
			 u64 nr[4], u64 *lru_pages)
{
	struct scan_input in = {
		.swappiness = vs->swappiness,
		.priority = sc->priority,
		.global = !sc->limit,
		.may_swap = sc->may_swap && swap_left(vs),
		.inactive_file_low = inactive_list_is_low(vs, u, true, sc, false),
		.force = u->zone && (sc->limit || (sc->kswapd && !zone_reclaimable(vs, u->zone))),
	};
	enum scan_balance b;

	for (unsigned l = 0; l < 4; l++)
		in.size[l] = unit_lru_size(vs, u, (enum lru_list)l, sc->reclaim_idx);
	unit_levels(vs, u, &in.free, &in.high);
	b = get_scan_count(&in, u->vec, nr);
	for (unsigned l = 0; l < 4; l++)
		if (b == SCAN_EQUAL || b == SCAN_FRACT ||
		    (b == SCAN_FILE) == (l >= LRU_INACTIVE_FILE))
			*lru_pages += in.size[l];
}

/* ---- one pass over a unit's lists ---- */

static u64 shrink_list(struct vmscan *vs, struct scan_unit *u, struct scan_control *sc, u64 nr,
		       enum lru_list l)
{
	if (!is_active_lru(l))
		return shrink_inactive_list(vs, u, sc, nr, l);
	if (inactive_list_is_low(vs, u, l == LRU_ACTIVE_FILE, sc, true))
		shrink_active_list(vs, u, sc, nr, l);
	return 0;
}

/*
 * The target is met: the type with less left to do is done; of the other, as large a part stays
 * undone as of the first (spec 09 s5.2 step 4). False: one type is exhausted and the pass is over.
 */
static bool rebalance(u64 nr[4], const u64 target[4])
{
	u64 anon = nr[LRU_INACTIVE_ANON] + nr[LRU_ACTIVE_ANON];
	u64 file = nr[LRU_INACTIVE_FILE] + nr[LRU_ACTIVE_FILE], left;
	unsigned drop = file > anon ? LRU_INACTIVE_ANON : LRU_INACTIVE_FILE,
		 keep = drop ^ LRU_INACTIVE_FILE;

	if (!anon || !file)
		return false;
	left = (file > anon ? anon : file) * 100 / (target[drop] + target[drop + 1] + 1);
	nr[drop] = nr[drop + 1] = 0;
	for (unsigned l = keep; l < keep + 2; l++) {
		u64 scanned = target[l] - nr[l], want = target[l] * (100 - left) / 100;

		nr[l] = want - mm_min(want, scanned);
	}
	return true;
}

void shrink_lruvec(struct vmscan *vs, struct scan_unit *u, struct scan_control *sc, u64 *lru_pages)
{
	u64 nr[4], target[4], reclaimed = 0;
	bool adjusted = !sc->limit && !sc->kswapd && sc->priority == DEF_PRIORITY;

	charge(vs->hw, COST_SHRINK_UNIT);
	if (MM_UNLIKELY(u->vec->gen != NULL)) {
		lru_gen_shrink(vs, u, sc, lru_pages);
		return;
	}
	scan_targets(vs, u, sc, nr, lru_pages);
	memcpy(target, nr, sizeof(target));
	while (nr[LRU_INACTIVE_ANON] || nr[LRU_ACTIVE_FILE] || nr[LRU_INACTIVE_FILE]) {
		for (unsigned l = 0; l < 4; l++) {
			u64 n = mm_min(nr[l], SWAP_CLUSTER_MAX);

			nr[l] -= n;
			if (n)
				reclaimed += shrink_list(vs, u, sc, n, (enum lru_list)l);
		}
		if (reclaimed < sc->nr_to_reclaim || adjusted)
			continue;
		if (!rebalance(nr, target))
			break;
		adjusted = true;
	}
	sc->nr_reclaimed += reclaimed;
	if (inactive_list_is_low(vs, u, false, sc, true))
		shrink_active_list(vs, u, sc, SWAP_CLUSTER_MAX, LRU_ACTIVE_ANON);
}

static bool in_reclaim_compaction(const struct scan_control *sc)
{
	return sc->order && (sc->order > COSTLY_ORDER || sc->priority < DEF_PRIORITY - 2);
}

static bool should_continue(struct vmscan *vs, struct scan_unit *u, u64 reclaimed, u64 scanned,
			    const struct scan_control *sc)
{
	u64 wanted = 2ull << sc->order, inactive;

	if (!in_reclaim_compaction(sc))
		return false;
	if (sc->gfp & MM_GFP_REPEAT ? !reclaimed && !scanned : !reclaimed)
		return false;
	inactive = unit_lru_size(vs, u, LRU_INACTIVE_FILE, sc->reclaim_idx);
	if (swap_left(vs))
		inactive += unit_lru_size(vs, u, LRU_INACTIVE_ANON, sc->reclaim_idx);
	if (reclaimed < wanted && inactive > wanted)
		return true;
	for (unsigned t = 0; vs->compact.suitable && t <= sc->reclaim_idx; t++) {
		const struct zone *z = u->node->node_zones[t];

		if (z && z->present_pages && (!u->zone || z == u->zone) &&
		    vs->compact.suitable(vs->compact.self, z, sc->order, 0))
			return false;
	}
	return true;
}

static u64 slab_pages(const struct vmscan *vs)
{
	return (u64)(global_page_state(vs->phys, NR_SLAB_RECLAIMABLE) +
		     global_page_state(vs->phys, NR_SLAB_UNRECLAIMABLE));
}

/* Objects may go by the hundred before a page does: pages are what counts. */
static u64 shrink_slab_pages(struct vmscan *vs, const struct scan_control *sc, u64 scanned, u64 lru_pages)
{
	u64 before = slab_pages(vs), after;

	shrink_slab(vs, sc->gfp, scanned, lru_pages);
	after = slab_pages(vs);
	return before > after ? before - after : 0;
}

bool shrink_unit(struct vmscan *vs, struct scan_unit *u, struct scan_control *sc, bool classzone)
{
	bool reclaimable = false;
	u64 scanned, reclaimed;

	do {
		u64 lru_pages = 0;

		reclaimed = sc->nr_reclaimed;
		scanned = sc->nr_scanned;
		shrink_lruvec(vs, u, sc, &lru_pages);
		if (classzone && !sc->limit)
			sc->nr_reclaimed += shrink_slab_pages(vs, sc, sc->nr_scanned - scanned, lru_pages);
		reclaimed = sc->nr_reclaimed - reclaimed;
		scanned = sc->nr_scanned - scanned;
		reclaimable |= reclaimed > 0;
	} while (should_continue(vs, u, reclaimed, scanned, sc));
	if (vs->node && reclaimable && !sc->limit)
		u->node->kswapd_failures = 0;
	return reclaimable;
}

/* ---- direct reclaim ---- */

void reclaim_sleep(struct vmscan *vs, u64 ns)
{
	might_sleep(vs->hw);
	if (!vs->in_daemon) /* a kernel thread is on the clock itself */
		clock_run(vs->hw, vs->hw->now + ns);
}

void reclaim_wait(struct vmscan *vs, u64 ns)
{
	u64 due = filemap_io_due(vs->files), now = vs->hw->now;

	might_sleep(vs->hw);
	if (due != UINT64_MAX)
		reclaim_sleep(vs, due > now && due - now < ns ? due - now : ns);
}

/* Compaction would succeed, or is not allowed: reclaiming more is no use. */
static bool compaction_ready(const struct vmscan *vs, struct zone *z, unsigned order)
{
	u64 mark, gap;
	bool ok;

	if (!vs->compact.suitable)
		return false;
	gap = mm_min(z->watermark[WMARK_LOW], (z->managed_pages + 99) / 100);
	mark = z->watermark[WMARK_HIGH] + gap + (2ull << order);
	ok = zone_watermark_ok(z, 0, mark, ZONE_DMA, 0);
	if (vs->compact.deferred(vs->compact.self, z, order))
		return ok;
	return vs->compact.suitable(vs->compact.self, z, order, 0) && ok;
}

struct direct {
	struct scan_control sc;
	const struct zonelist *zl;
	unsigned high_idx;
	bool compaction_ready;
};

/* The highest populated zone type at or below the request. */
static unsigned requested_highidx(const struct direct *d)
{
	unsigned best = 0;

	for (u32 i = 0; i < d->zl->nr; i++)
		if (d->zl->zones[i]->type <= d->high_idx && d->zl->zones[i]->type > best)
			best = d->zl->zones[i]->type;
	return best;
}

static bool shrink_zones(struct vmscan *vs, struct direct *d)
{
	unsigned classzone = requested_highidx(d);
	struct scan_control *sc = &d->sc;
	pg_data_t *last = NULL;
	bool reclaimable = false;

	for (u32 i = 0; i < d->zl->nr; i++) {
		struct zone *z = d->zl->zones[i];

		if (z->type > d->high_idx || !z->present_pages)
			continue;
		if (sc->priority != DEF_PRIORITY && !zone_reclaimable(vs, z))
			continue;
		if (sc->order > COSTLY_ORDER && compaction_ready(vs, z, sc->order)) {
			d->compaction_ready = true;
			continue;
		}
		if (vs->node && zone_pgdat(z) == last)
			continue;
		last = zone_pgdat(z);
		if (shrink_unit(vs, zone_unit(vs, z), sc, vs->node || z->type == classzone) ||
		    (!vs->node && zone_reclaimable(vs, z)))
			reclaimable = true;
	}
	return reclaimable;
}

void snapshot_refaults(struct vmscan *vs)
{
	for (u32 i = 0; i < vs->nr_units && vs->inactive412; i++)
		if (vs->units[i].node)
			vs->units[i].refaults = unit_refaults(vs, &vs->units[i]);
}

static u64 do_try_to_free_pages(struct vmscan *vs, struct direct *d)
{
	struct scan_control *sc = &d->sc;
	u64 total = 0;
	bool reclaimable = false;

	/* 4.0 makes a second round for cgroups that were spared; without any it repeats the first.
	 */
	for (int round = 0; round < (vs->node ? 1 : 2); round++) {
		count_vm_event(vs->hw, vs->hw->cpu, EV_ALLOCSTALL);
		count_vm_event(vs->hw, vs->hw->cpu, EV_ALLOCSTALL_DMA + sc->reclaim_idx);
		for (sc->priority = DEF_PRIORITY; sc->priority >= 0; sc->priority--) {
			sc->nr_scanned = 0;
			reclaimable = shrink_zones(vs, d);
			total += sc->nr_scanned;
			if (sc->nr_reclaimed >= sc->nr_to_reclaim || d->compaction_ready)
				break;
			if (sc->priority < DEF_PRIORITY - 2)
				sc->may_writepage = true;
			if (total > sc->nr_to_reclaim * 3 / 2)
				sc->may_writepage = true;
		}
		if (sc->nr_reclaimed || d->compaction_ready)
			break;
	}
	snapshot_refaults(vs);
	if (sc->nr_reclaimed)
		return sc->nr_reclaimed;
	return d->compaction_ready || (!vs->node && reclaimable);
}

/* Half of the reserve is left: who wants more waits for kswapd, which wants it, too. */
static bool reserve_ok(const struct vmscan *vs, const pg_data_t *node)
{
	u64 reserve = 0, free = 0;

	for (unsigned t = 0; t <= ZONE_NORMAL; t++) {
		const struct zone *z = node->node_zones[t];

		if (!z || !z->present_pages)
			continue;
		reserve += z->watermark[WMARK_MIN];
		free += (u64)z->vm_stat[NR_FREE_PAGES];
	}
	(void)vs;
	return !reserve || free > reserve / 2;
}

#define THROTTLE_TRIES 100u /* jiffies: one second, as interruptible sleepers get */

/* True: the task was killed while it waited. */
static bool throttle_direct_reclaim(struct vmscan *vs, const struct zonelist *zl)
{
	struct task *t = vm_task(vs->vm, vs->hw->task);
	pg_data_t *node = zl->nr ? zone_pgdat(zl->zones[0]) : NULL;
	struct psi_mark stall;

	if (!t || !t->mm || t->killed || !node || reserve_ok(vs, node))
		return false;
	count_vm_event(vs->hw, vs->hw->cpu, EV_PGSCAN_DIRECT_THROTTLE);
	stall = psi_begin(vs->hw, &vs->vm->psi);
	for (u32 i = 0; i < THROTTLE_TRIES && !reserve_ok(vs, node); i++) {
		u64 before = vs->hw->now;

		if (vs->kswapd[node->node_id].state == KSWAPD_ASLEEP)
			wakeup_kswapd(vs, zl->zones[0], 0, ZONE_NORMAL);
		if (vs->config->threads == THREADS_INLINE)
			kswapd_run(vs, node->node_id);
		else if (vs->config->threads == THREADS_TIMED)
			reclaim_sleep(vs, CLOCK_JIFFY);
		if (vs->hw->now ==
		    before) /* nobody but the caller's `step` would change anything */
			break;
	}
	psi_stall(vs->vm, STALL_THROTTLE, stall);
	return t->killed;
}

u64 try_to_free_pages(struct vmscan *vs, const struct zonelist *zl, unsigned high_idx,
		      unsigned order, gfp_t gfp)
{
	struct direct d = {
		.zl = zl,
		.high_idx = high_idx,
		.sc = {.nr_to_reclaim = SWAP_CLUSTER_MAX,
		       .gfp = gfp,
		       .order = order,
		       .reclaim_idx = high_idx,
		       .may_writepage = true,
		       .may_unmap = true,
		       .may_swap = true},
	};
	struct psi_mark stall;
	u64 freed;

	might_sleep(vs->hw);
	if (throttle_direct_reclaim(vs, zl))
		return 1;
	stall = psi_begin(vs->hw, &vs->vm->psi);
	trace_event(vs->hw, EVENT_DIRECT_BEGIN, order, 1, gfp);
	freed = do_try_to_free_pages(vs, &d);
	trace_event(vs->hw, EVENT_DIRECT_END, (s64)freed);
	psi_stall(vs->vm, STALL_RECLAIM, stall);
	return freed;
}

u64 try_to_free_limited(struct vmscan *vs, u64 nr_to_reclaim)
{
	struct scan_control sc = {
		.nr_to_reclaim = mm_max(nr_to_reclaim, SWAP_CLUSTER_MAX),
		.gfp = GFP_HIGHUSER_MOVABLE,
		.reclaim_idx = MM_MAX_NR_ZONES - 1,
		.may_writepage = true,
		.may_unmap = true,
		.may_swap = true,
		.limit = true,
	};
	struct psi_mark stall;

	might_sleep(vs->hw);
	stall = psi_begin(vs->hw, &vs->vm->psi);
	count_vm_event(vs->hw, vs->hw->cpu, EV_LIMIT_STALL);
	trace_event(vs->hw, EVENT_LIMIT_BEGIN, 0, 1, sc.gfp);
	for (sc.priority = DEF_PRIORITY; sc.priority >= 0; sc.priority--) {
		sc.nr_scanned = 0;
		for (u32 i = vs->nr_units; i-- > 0;) /* high to low, as a zonelist */
			if (vs->units[i].node)
				shrink_unit(vs, &vs->units[i], &sc, false);
		if (sc.nr_reclaimed >= sc.nr_to_reclaim)
			break;
	}
	snapshot_refaults(vs);
	trace_event(vs->hw, EVENT_LIMIT_END, (s64)sc.nr_reclaimed);
	psi_stall(vs->vm, STALL_LIMIT, stall);
	return sc.nr_reclaimed;
}

/* ---- checks ---- */

int vmscan_check(struct vmscan *vs, char *why, size_t n)
{
	s64 isolated = global_page_state(vs->phys, NR_ISOLATED_ANON) +
		       global_page_state(vs->phys, NR_ISOLATED_FILE);

	if (isolated) {
		snprintf(why, n, "I09.4: %lld pages isolated at rest", (long long)isolated);
		return 9004;
	}
	for (unsigned cpu = 0; cpu < vs->phys->ncpu; cpu++)
		if (vs->phys->cpus[cpu].pf_memalloc) {
			snprintf(why, n, "I09.4: CPU %u is reclaiming at rest", cpu);
			return 9004;
		}
	return 0;
}
