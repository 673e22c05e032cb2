/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kswapd: one thread a node (spec 09 s4; 13 s2.5).
 *
 *   asleep --wakeup--> balance --balanced--> nap (HZ/10) --still balanced--> asleep
 *                         ^------- asked for more, or not balanced any more -----/
 *
 * A run of balance_pgdat() is cut into turns of one unit at one priority, so that a thread on the
 * virtual clock yields when its budget is used up and goes on where it was. What a turn costs
 * beyond the budget is time in which the thread does not run again. threads=timed: a daemon of the
 * clock; inline: the same with all the time it wants; manual: `step`.
 */
#include "core/base/bits.h"
#include "core/hw/clock.h"
#include "core/hw/events.h"
#include "core/phys/page_alloc.h"
#include "core/reclaim/lru_gen.h"
#include "core/reclaim/vmscan.h"

#define NAP_NS (CLOCK_JIFFY * CLOCK_HZ / 10)

static bool no_compaction(const struct vmscan *vs)
{
	return !vs->compact.suitable;
}

bool zone_balanced(const struct vmscan *vs, const struct zone *z, unsigned order, u64 gap,
		   int classzone_idx)
{
	if (!zone_watermark_ok(z, order, z->watermark[WMARK_HIGH] + gap,
			       (enum zone_type)classzone_idx, 0))
		return false;
	return !order || vs->node || no_compaction(vs) ||
	       vs->compact.suitable(vs->compact.self, z, order, (unsigned)classzone_idx);
}

/* 4.12: one zone that can serve the request is enough. */
static bool any_zone_balanced(const struct vmscan *vs, const pg_data_t *node, unsigned order,
			      int idx)
{
	bool populated = false;

	for (int t = 0; t <= idx; t++) {
		const struct zone *z = node->node_zones[t];

		if (!z || !z->managed_pages)
			continue;
		populated = true;
		if (zone_balanced(vs, z, order, 0, idx))
			return true;
	}
	return !populated;
}

bool pgdat_balanced(const struct vmscan *vs, const pg_data_t *node, unsigned order,
		    int classzone_idx)
{
	u64 managed = 0, balanced = 0;

	if (vs->node)
		return any_zone_balanced(vs, node, order, classzone_idx);
	for (int t = 0; t <= classzone_idx; t++) {
		const struct zone *z = node->node_zones[t];

		if (!z || !z->present_pages)
			continue;
		managed += z->managed_pages;
		if (!zone_reclaimable(vs, z) || zone_balanced(vs, z, order, 0, t))
			balanced += z->managed_pages;
		else if (!order)
			return false;
	}
	return !order || balanced >= managed / 4;
}

/* ---- a run of balance_pgdat() ---- */

/* The highest type with pages: what kswapd looks after when nobody asks for less. */
static int top_zone(const struct kswapd *k)
{
	int top = 0;

	for (int t = 0; t < MM_MAX_NR_ZONES; t++)
		if (k->node->node_zones[t] && k->node->node_zones[t]->present_pages)
			top = t;
	return top;
}

/* Takes what was asked for since the last time as the next run's task. */
static void take_wanted(struct kswapd *k)
{
	k->order = k->new_order = k->wanted_order;
	k->idx = k->new_idx = k->wanted_idx;
	k->wanted_order = 0;
	k->wanted_idx = k->vs->node ? 0 : top_zone(k);
}

static void begin_run(struct kswapd *k)
{
	struct vmscan *vs = k->vs;

	k->sc = (struct scan_control){
		.gfp = GFP_KERNEL,
		.order = k->order,
		.priority = DEF_PRIORITY,
		.may_writepage = true,
		.may_unmap = true,
		.may_swap = true,
		.kswapd = true,
		.reclaim_idx = vs->node ? (unsigned)k->idx : MM_MAX_NR_ZONES - 1,
	};
	k->state = KSWAPD_BALANCE;
	k->run_order = k->order;
	k->zone = -1;
	k->end_zone = 0;
	k->run_reclaimed = 0;
	count_vm_event(vs->hw, vs->hw->cpu, EV_PAGEOUTRUN);
	trace_event(vs->hw, EVENT_KSWAPD_WAKE, k->node->node_id, k->order);
}

void wakeup_kswapd(struct vmscan *vs, struct zone *z, unsigned order, int classzone_idx)
{
	struct kswapd *k = &vs->kswapd[z->node];

	if (!z->present_pages)
		return;
	if (vs->node) {
		k->wanted_idx = classzone_idx > k->wanted_idx ? classzone_idx : k->wanted_idx;
		k->wanted_order = order > k->wanted_order ? order : k->wanted_order;
	} else if (k->wanted_order < order) {
		k->wanted_order = order;
		k->wanted_idx = classzone_idx < k->wanted_idx ? classzone_idx : k->wanted_idx;
	}
	if (k->state == KSWAPD_BALANCE)
		return;
	if (vs->node && (k->node->kswapd_failures >= MAX_RECLAIM_RETRIES ||
			 pgdat_balanced(vs, k->node, order, classzone_idx)))
		return;
	if (!vs->node && zone_balanced(vs, z, order, 0, 0))
		return;
	trace_event(vs->hw, EVENT_WAKEUP_KSWAPD, z->node, z->type, order);
	k->node->kswapd_asleep = false;
	if (k->state == KSWAPD_NAP) /* disturbed: it balances again without having slept */
		count_vm_event(vs->hw, vs->hw->cpu, EV_KSWAPD_LOW_WMARK_HIT_QUICKLY);
	k->state = KSWAPD_BALANCE;
	k->woken = true;
	if (k->daemon >= 0)
		clock_wake(vs->hw, k->daemon);
}

/* Before a pass looks at any list: active anonymous pages move on, or a generation begins. */
static void age(struct vmscan *vs, struct scan_unit *u, struct scan_control *sc)
{
	if (MM_UNLIKELY(u->vec->gen != NULL))
		lru_gen_age(vs, u, sc);
	else if (vs->swap->total_swap_pages && inactive_list_is_low(vs, u, false, sc, true))
		shrink_active_list(vs, u, sc, SWAP_CLUSTER_MAX, LRU_ACTIVE_ANON);
}

static void clear_unit_flags(struct scan_unit *u)
{
	u->flags &= ~(u32)(ZONE_CONGESTED | ZONE_DIRTY);
}

/* From the highest zone down: the first that is not balanced ends the search. -1: all are. */
static int find_end_zone(struct kswapd *k)
{
	struct vmscan *vs = k->vs;

	for (int t = k->idx; t >= 0; t--) {
		struct zone *z = k->node->node_zones[t];
		struct scan_unit *u;

		if (!z || !z->present_pages)
			continue;
		if (k->sc.priority != DEF_PRIORITY && !zone_reclaimable(vs, z))
			continue;
		u = zone_unit(vs, z);
		age(vs, u, &k->sc);
		if (!zone_balanced(vs, z, k->sc.order, 0, 0))
			return t;
		clear_unit_flags(u);
	}
	return -1;
}

/* False: nothing to do, the run is over. */
static bool begin_pass(struct kswapd *k)
{
	struct vmscan *vs = k->vs;
	struct scan_control *sc = &k->sc;

	k->attempted = 0;
	k->raise_priority = true;
	if (vs->node) {
		if (pgdat_balanced(vs, k->node, sc->order, k->idx))
			return false;
		age(vs, &vs->units[k->node->node_id], sc);
		k->end_zone = k->idx;
	} else {
		int end = find_end_zone(k);

		if (end < 0)
			return false;
		k->end_zone = end;
		sc->nr_reclaimed = 0;
	}
	k->pass_start = sc->nr_reclaimed;
	k->pgdat_needs_compaction = k->sc.order > 0;
	for (int t = 0; t <= k->end_zone && k->pgdat_needs_compaction && !vs->node; t++) {
		const struct zone *z = k->node->node_zones[t];

		if (z && z->present_pages &&
		    zone_watermark_ok(z, k->order, z->watermark[WMARK_LOW], (enum zone_type)k->idx,
				      0))
			k->pgdat_needs_compaction = false;
	}
	if (sc->priority < DEF_PRIORITY - 2)
		sc->may_writepage = true;
	k->zone = 0;
	return true;
}

/* One zone; true if it was looked at hard enough for the priority to stay. (spec 09 s4 step 4) */
static bool kswapd_shrink_zone(struct kswapd *k, struct zone *z)
{
	struct vmscan *vs = k->vs;
	struct scan_control *sc = &k->sc;
	struct scan_unit *u = zone_unit(vs, z);
	unsigned testorder = sc->order;
	u64 gap;

	sc->nr_to_reclaim = mm_max(SWAP_CLUSTER_MAX, z->watermark[WMARK_HIGH]);
	if (sc->order && !no_compaction(vs) &&
	    vs->compact.suitable(vs->compact.self, z, sc->order, 0))
		testorder = 0;
	gap = mm_min(z->watermark[WMARK_LOW], (z->managed_pages + 99) / 100);
	if (zone_balanced(vs, z, testorder, gap, k->end_zone))
		return true;
	shrink_unit(vs, u, sc, z->type == k->end_zone);
	k->attempted += sc->nr_to_reclaim;
	u->flags &= ~(u32)ZONE_WRITEBACK;
	if (zone_reclaimable(vs, z) && zone_balanced(vs, z, testorder, 0, k->end_zone))
		clear_unit_flags(u);
	return sc->nr_scanned >= sc->nr_to_reclaim;
}

static bool kswapd_shrink_node(struct kswapd *k)
{
	struct vmscan *vs = k->vs;
	struct scan_control *sc = &k->sc;
	struct scan_unit *u = &vs->units[k->node->node_id];

	sc->nr_to_reclaim = 0;
	for (int t = 0; t <= (int)sc->reclaim_idx; t++) {
		const struct zone *z = k->node->node_zones[t];

		if (z && z->managed_pages)
			sc->nr_to_reclaim += mm_max(z->watermark[WMARK_HIGH], SWAP_CLUSTER_MAX);
	}
	shrink_unit(vs, u, sc, true);
	u->flags &= ~(u32)ZONE_WRITEBACK;
	if (sc->order && sc->nr_reclaimed >= 2ull << sc->order)
		sc->order = 0;
	return sc->nr_scanned >= sc->nr_to_reclaim;
}

/* The next unit of the pass. False: the pass is over. */
static bool turn(struct kswapd *k)
{
	struct vmscan *vs = k->vs;
	struct zone *z;

	if (vs->node) {
		k->sc.nr_scanned = 0;
		if (kswapd_shrink_node(k))
			k->raise_priority = false;
		return false;
	}
	z = k->node->node_zones[k->zone++];
	if (z && z->present_pages && (k->sc.priority == DEF_PRIORITY || zone_reclaimable(vs, z))) {
		k->sc.nr_scanned = 0;
		if (kswapd_shrink_zone(k, z))
			k->raise_priority = false;
	}
	return k->zone <= k->end_zone;
}

/* After the last unit of a pass: true if another pass is needed. (spec 09 s4 steps 5 to 7) */
static bool end_pass(struct kswapd *k)
{
	struct vmscan *vs = k->vs;
	struct scan_control *sc = &k->sc;
	u64 reclaimed = sc->nr_reclaimed - k->pass_start;

	k->run_reclaimed += reclaimed;
	k->zone = -1;
	if (!vs->node && k->order && sc->nr_reclaimed >= 2ull << k->order)
		k->order = sc->order = 0;
	if (k->pgdat_needs_compaction && sc->nr_reclaimed > k->attempted && vs->compact.pgdat)
		vs->compact.pgdat(vs->compact.self, k->node, k->order);
	if (k->raise_priority || !reclaimed)
		sc->priority--;
	if (sc->priority >= 1)
		return vs->node || !pgdat_balanced(vs, k->node, k->order, k->idx);
	if (vs->node && !sc->nr_reclaimed) {
		k->node->kswapd_failures++;
		count_vm_event(vs->hw, vs->hw->cpu, EV_KSWAPD_FAILURES);
	}
	return false;
}

/* ---- the thread ---- */

/* May it sleep: balanced for what the last run achieved, or (node) hopeless. */
static bool may_sleep(const struct kswapd *k)
{
	if (k->vs->node && k->node->kswapd_failures >= MAX_RECLAIM_RETRIES)
		return true;
	return pgdat_balanced(k->vs, k->node, k->balanced_order, k->balanced_idx);
}

static void fall_asleep(struct kswapd *k)
{
	struct vmscan *vs = k->vs;

	k->state = KSWAPD_ASLEEP;
	k->node->kswapd_asleep = true;
	trace_event(vs->hw, EVENT_KSWAPD_SLEEP, k->node->node_id);
	if (vs->compact.reset_suitable)
		vs->compact.reset_suitable(vs->compact.self, k->node);
	if (k->run_order && vs->compact.wake_kcompactd)
		vs->compact.wake_kcompactd(vs->compact.self, k->node, k->run_order, k->idx);
}

/* Not balanced after all: the next run at once. */
static void run_again(struct kswapd *k)
{
	struct vmscan *vs = k->vs;
	unsigned order = k->balanced_order;
	int idx = k->idx;

	count_vm_event(vs->hw, vs->hw->cpu, EV_KSWAPD_HIGH_WMARK_HIT_QUICKLY);
	k->fruitless = k->run_reclaimed ? 0 : k->fruitless + 1;
	if (vs->config->threads != THREADS_TIMED && k->fruitless > MAX_RECLAIM_RETRIES) {
		/* Linux's would spin until somebody else frees memory; here nobody else runs
		 * meanwhile. */
		k->fruitless = 0;
		fall_asleep(k);
		return;
	}
	take_wanted(k);
	if (vs->node) { /* 4.12 forgets neither order nor zone of an unfinished run */
		k->order = k->order > order ? k->order : order;
		k->idx = k->idx > idx ? k->idx : idx;
	}
	begin_run(k);
}

/* The run is over: what was asked for meanwhile, another run, or a nap. */
static void end_run(struct kswapd *k)
{
	k->balanced_order = k->vs->node ? k->sc.order : k->order;
	k->balanced_idx = k->vs->node ? k->idx : k->end_zone;
	snapshot_refaults(k->vs);
	if (k->balanced_idx >= k->new_idx && k->balanced_order == k->new_order) {
		k->new_order = k->wanted_order;
		k->new_idx = k->wanted_idx;
		k->wanted_order = 0;
		k->wanted_idx = k->vs->node ? 0 : top_zone(k);
	}
	if (k->order < k->new_order || (!k->vs->node && k->idx > k->new_idx)) {
		k->order = k->new_order;
		k->idx = k->vs->node && k->idx > k->new_idx ? k->idx : k->new_idx;
		begin_run(k);
	} else if (may_sleep(k)) {
		k->state = KSWAPD_NAP;
	} else {
		run_again(k);
	}
}

/* The end of the nap, undisturbed. */
static void wake_from_nap(struct kswapd *k)
{
	if (may_sleep(k))
		fall_asleep(k);
	else
		run_again(k);
}

/* One turn of a thread that is awake. */
static void kswapd_turn(struct kswapd *k)
{
	charge(k->vs->hw, COST_SHRINK_UNIT);
	if (k->woken) {
		k->woken = false;
		take_wanted(k);
		begin_run(k);
	}
	if ((k->zone < 0 && !begin_pass(k)) || (!turn(k) && !end_pass(k)))
		end_run(k);
}

/* What kernel threads run under: PF_MEMALLOC, as nobody's task, on their own time. */
struct guise {
	u64 now;
	u32 task;
	bool memalloc, in_daemon;
};

static struct guise put_on(struct vmscan *vs)
{
	struct guise g = {vs->hw->now, vs->hw->task, vs->phys->cpus[vs->hw->cpu].pf_memalloc,
			  vs->in_daemon};

	vs->hw->task = 0;
	vs->phys->cpus[vs->hw->cpu].pf_memalloc = true;
	vs->in_daemon = true;
	return g;
}

/* Virtual time the thread used. */
static u64 take_off(struct vmscan *vs, struct guise g)
{
	u64 used = vs->hw->now - g.now;

	vs->hw->now = g.now;
	vs->hw->task = g.task;
	vs->phys->cpus[vs->hw->cpu].pf_memalloc = g.memalloc;
	vs->in_daemon = g.in_daemon;
	return used;
}

static u64 kswapd_step(void *self, u64 budget)
{
	struct kswapd *k = self;
	struct vmscan *vs = k->vs;
	struct guise g = put_on(vs);
	bool at_once = vs->config->threads == THREADS_INLINE;
	u64 used;

	if (k->state == KSWAPD_NAP)
		wake_from_nap(k);
	while (k->state == KSWAPD_BALANCE && (at_once || vs->hw->now - g.now < budget))
		kswapd_turn(k);
	used = take_off(vs, g);
	if (k->state == KSWAPD_NAP) {
		if (at_once)
			wake_from_nap(k);
		else
			clock_sleep_until(vs->hw, k->daemon, vs->hw->now + NAP_NS);
	}
	return at_once ? 0 : used;
}

void kswapd_run(struct vmscan *vs, unsigned nid)
{
	struct kswapd *k = &vs->kswapd[nid];
	struct guise g;

	might_sleep(vs->hw);
	g = put_on(vs);
	for (;;) {
		while (k->state == KSWAPD_BALANCE)
			kswapd_turn(k);
		if (k->state == KSWAPD_ASLEEP)
			break;
		wake_from_nap(k);
	}
	take_off(vs, g);
}

void kswapd_catch_up(struct vmscan *vs, unsigned nid)
{
	struct kswapd *k = &vs->kswapd[nid];

	if (vs->config->threads == THREADS_TIMED && !vs->in_daemon && k->state != KSWAPD_ASLEEP)
		clock_run_one(vs->hw, k->daemon, vs->hw->now);
}

int kswapd_init(struct vmscan *vs)
{
	for (unsigned n = 0; n < vs->phys->nr_nodes; n++) {
		struct kswapd *k = &vs->kswapd[n];

		*k = (struct kswapd){.vs = vs,
				     .node = &vs->phys->nodes[n],
				     .daemon = -1,
				     .state = KSWAPD_ASLEEP};
		k->wanted_idx = vs->node ? 0 : top_zone(k);
		if (vs->config->threads == THREADS_MANUAL)
			continue;
		k->daemon = clock_add_daemon(vs->hw, kswapd_step, k, CLOCK_NEVER, 0);
		if (k->daemon < 0)
			return k->daemon;
	}
	return 0;
}
