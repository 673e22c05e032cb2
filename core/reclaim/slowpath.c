/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * phys->on_pressure: what an allocation does when the free lists fail the watermark (spec 03 s8.2
 * steps 1, 7 to 11; 13 s3.4). page_alloc.c has the loop around it.
 *
 *   wake kswapd | compact (order > 0) -> reclaim -> try again -> drain, again -> retry? -> kill ->
 * ...
 *
 * Linux: mm/page_alloc.c __alloc_pages_slowpath; left out: cpusets, dump-core tasks.
 */
#include "core/hw/clock.h"
#include "core/phys/page_alloc.h"
#include "core/reclaim/vmscan.h"
#include "core/vm/vm.h"

/* Where Linux would loop for ever, the model gives up and says so. */
#define LIVELOCK_TRIES 512u

enum { STATE_NO_PROGRESS, STATE_COMPACT_RETRIES, STATE_COMPACT_MODE }; /* of alloc_context.state */

static void wake_all_kswapds(struct vmscan *vs, const struct alloc_context *ac)
{
	pg_data_t *last = NULL;

	for (u32 i = 0; i < ac->zonelist->nr; i++) {
		struct zone *z = ac->zonelist->zones[i];

		if (z->type > ac->high_zoneidx || (vs->node && zone_pgdat(z) == last))
			continue;
		last = zone_pgdat(z);
		wakeup_kswapd(vs, z, ac->order,
			      (int)(vs->node ? ac->high_zoneidx : ac->classzone_idx));
		kswapd_catch_up(vs, z->node);
	}
}

static struct page *from_freelist(struct alloc_context *ac)
{
	return get_page_from_freelist(ac, ac->alloc_flags & ~(unsigned)ALLOC_NO_WATERMARKS);
}

static struct page *direct_reclaim(struct vmscan *vs, struct alloc_context *ac, u64 *progress)
{
	struct phys_cpu *cpu = &vs->phys->cpus[ac->cpu];
	struct page *page;

	cpu->pf_memalloc = true;
	*progress = try_to_free_pages(vs, ac->zonelist, ac->high_zoneidx, ac->order, ac->gfp);
	cpu->pf_memalloc = false;
	if (!*progress)
		return NULL;
	page = from_freelist(ac);
	if (!page) { /* what was freed may be in the per-CPU lists */
		drain_all_pages(vs->phys);
		page = from_freelist(ac);
	}
	return page;
}

static struct page *direct_compact(struct vmscan *vs, struct alloc_context *ac)
{
	struct psi_mark stall = psi_begin(vs->hw, &vs->vm->psi);
	struct page *page = NULL;

	if (ac->order && vs->compact.direct)
		page = vs->compact.direct(vs->compact.self, ac, (int)ac->state[STATE_COMPACT_MODE]);
	ac->state[STATE_COMPACT_MODE] = 1;
	psi_stall(vs->vm, STALL_COMPACT, stall);
	return page;
}

/* Spec 03 s8.3. *@progress: worth another try. */
static struct page *may_oom(struct vmscan *vs, struct alloc_context *ac, bool *progress)
{
	struct page *page;

	*progress = false;
	page = get_page_from_freelist(ac, ALLOC_WMARK_HIGH | ALLOC_CPUSET);
	if (page)
		return page;
	if (!(ac->gfp & MM_GFP_NOFAIL)) {
		if (ac->order > COSTLY_ORDER || ac->high_zoneidx < ZONE_NORMAL)
			return NULL;
		if (!(ac->gfp & MM_GFP_FS)) {
			*progress = true;
			return NULL;
		}
		if (ac->gfp & MM_GFP_THISNODE)
			return NULL;
	}
	*progress = out_of_memory(vs, ac->gfp, ac->order) || ac->gfp & MM_GFP_NOFAIL;
	return NULL;
}

static bool should_alloc_retry(const struct alloc_context *ac)
{
	if (ac->gfp & MM_GFP_NORETRY)
		return false;
	if (ac->gfp & MM_GFP_NOFAIL || ac->order <= COSTLY_ORDER)
		return true;
	return ac->gfp & MM_GFP_REPEAT && ac->pages_reclaimed < 1ull << ac->order;
}

static enum phys_pressure_result result_of(struct alloc_context *ac, struct page *page)
{
	ac->page = page;
	return page ? PRESSURE_PAGE : PRESSURE_FAIL;
}

/* One more round, unless there were so many that this is for ever. */
static enum phys_pressure_result again(struct vmscan *vs, const struct alloc_context *ac)
{
	if (ac->tries < LIVELOCK_TRIES)
		return PRESSURE_RETRY;
	count_vm_event(vs->hw, vs->hw->cpu, EV_ALLOC_LIVELOCK);
	return PRESSURE_FAIL;
}

/* retry=4.0, spec 03 s8.2 step 11 */
static enum phys_pressure_result retry_40(struct vmscan *vs, struct alloc_context *ac, u64 progress)
{
	bool hope;

	if (!should_alloc_retry(ac))
		return result_of(ac, direct_compact(vs, ac));
	if (!progress) {
		struct page *page = may_oom(vs, ac, &hope);

		if (page || !hope)
			return result_of(ac, page);
	}
	reclaim_wait(vs, CLOCK_JIFFY * CLOCK_HZ / 50);
	return again(vs, ac);
}

/* 4.7 and later: does what is reclaimable at best satisfy the watermark? */
static bool should_reclaim_retry(struct vmscan *vs, struct alloc_context *ac, u64 progress)
{
	u64 *loops = &ac->state[STATE_NO_PROGRESS];

	*loops = progress && ac->order <= COSTLY_ORDER ? 0 : *loops + 1;
	if (*loops > MAX_RECLAIM_RETRIES)
		return unreserve_highatomic_pageblock(ac, true);
	for (u32 i = 0; i < ac->zonelist->nr; i++) {
		const struct zone *z = ac->zonelist->zones[i];
		u64 reclaimable, pending;

		if (z->type > ac->high_zoneidx)
			continue;
		reclaimable = zone_reclaimable_pages(vs, z);
		pending = (u64)(z->vm_stat[NR_FILE_DIRTY] + z->vm_stat[NR_WRITEBACK]);
		if (!zone_watermark_ok_with(z, ac->order, z->watermark[WMARK_MIN],
					    ac->classzone_idx, ac->alloc_flags,
					    reclaimable + (u64)z->vm_stat[NR_FREE_PAGES]))
			continue;
		if (!progress && 2 * pending > reclaimable)
			reclaim_wait(vs, CLOCK_JIFFY * CLOCK_HZ / 10);
		return true;
	}
	return false;
}

static bool should_compact_retry(struct vmscan *vs, struct alloc_context *ac)
{
	u64 most = ac->order > COSTLY_ORDER ? MAX_RECLAIM_RETRIES / 4 : MAX_RECLAIM_RETRIES;

	if (!ac->order || !vs->compact.direct)
		return false;
	if (++ac->state[STATE_COMPACT_RETRIES] <= most)
		return true;
	ac->state[STATE_COMPACT_RETRIES] = 0;
	return ++ac->state[STATE_COMPACT_MODE] <= 2; /* async, sync light, sync */
}

static enum phys_pressure_result retry_47(struct vmscan *vs, struct alloc_context *ac, u64 progress)
{
	struct page *page;
	bool hope;

	if (ac->gfp & MM_GFP_NORETRY || (ac->order > COSTLY_ORDER && !(ac->gfp & MM_GFP_REPEAT)))
		return PRESSURE_FAIL;
	if (should_reclaim_retry(vs, ac, progress))
		return again(vs, ac);
	if (progress && should_compact_retry(vs, ac))
		return again(vs, ac);
	page = may_oom(vs, ac, &hope);
	if (page || !hope)
		return result_of(ac, page);
	ac->state[STATE_NO_PROGRESS] = 0;
	return again(vs, ac);
}

static enum phys_pressure_result reclaim_and_retry(struct vmscan *vs, struct alloc_context *ac)
{
	u64 progress;
	struct page *page = direct_compact(vs, ac);

	if (page)
		return result_of(ac, page);
	if (vs->config->threads == THREADS_INLINE) /* may sleep here: kernel threads run */
		kswapd_run(vs, zone_pgdat(ac->preferred_zone)->node_id);
	page = direct_reclaim(vs, ac, &progress);
	if (page)
		return result_of(ac, page);
	ac->pages_reclaimed += progress;
	return vs->config->retry == RETRY_4_7 ? retry_47(vs, ac, progress)
					      : retry_40(vs, ac, progress);
}

/* The task that would exceed memlimit= makes room; if it cannot, somebody is killed. */
static enum phys_pressure_result over_limit(struct vmscan *vs)
{
	struct phys_cpu *cpu = &vs->phys->cpus[vs->hw->cpu];
	bool memalloc = cpu->pf_memalloc;
	u64 freed;

	if (memalloc) /* reclaim itself: it is on its way to free more */
		return PRESSURE_FAIL;
	cpu->pf_memalloc = true;
	freed = try_to_free_limited(vs, SWAP_CLUSTER_MAX);
	cpu->pf_memalloc = memalloc;
	if (freed || out_of_memory(vs, GFP_HIGHUSER_MOVABLE, 0))
		return PRESSURE_RETRY;
	return PRESSURE_FAIL;
}

enum phys_pressure_result reclaim_on_pressure(void *self, struct alloc_context *ac,
					      enum phys_pressure_stage stage)
{
	struct vmscan *vs = self;

	if (stage == PRESSURE_LIMIT)
		return over_limit(vs);
	if (stage == PRESSURE_RECLAIM)
		return reclaim_and_retry(vs, ac);
	wake_all_kswapds(vs, ac);
	return PRESSURE_RETRY;
}
