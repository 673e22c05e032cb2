/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/reclaim/shrinker.h"

#include "core/base/bits.h"
#include "core/hw/events.h"
#include "core/reclaim/vmscan.h"

void register_shrinker(struct vmscan *vs, struct shrinker *s)
{
	might_sleep(vs->hw);
	if (!s->seeks)
		s->seeks = DEFAULT_SEEKS;
	if (!s->batch)
		s->batch = SHRINK_BATCH;
	s->deferred = 0;
	list_add_tail(&s->link, &vs->shrinkers);
}

void unregister_shrinker(struct shrinker *s)
{
	list_del(&s->link);
}

static u64 shrink_one(struct vmscan *vs, struct shrinker *s, gfp_t gfp, u64 scanned, u64 eligible)
{
	u64 freeable = s->count(s->self), freed = 0, owed = s->deferred, delta, total, ret;

	if (!freeable)
		return 0;
	delta = 4 * scanned / s->seeks * freeable / (eligible + 1);
	total = owed + delta;
	if (delta < freeable / 4)
		total = mm_min(total, freeable / 2);
	total = mm_min(total, freeable * 2);
	trace_event(vs->hw, EVENT_SLAB_START, (s64)owed, gfp, (s64)scanned, (s64)eligible,
		    (s64)freeable, (s64)total);
	while (total >= s->batch || total >= freeable) {
		u64 n = mm_min(s->batch, total);

		ret = s->scan(s->self, n);
		if (ret == SHRINK_STOP)
			break;
		freed += ret;
		count_vm_events(vs->hw, vs->hw->cpu, EV_SLABS_SCANNED, n);
		total -= n;
		if (!n)
			break;
	}
	s->deferred = total;
	trace_event(vs->hw, EVENT_SLAB_END, (s64)owed, (s64)total, (s64)total, (s64)freed);
	return freed;
}

u64 shrink_slab(struct vmscan *vs, gfp_t gfp, u64 scanned, u64 eligible)
{
	struct shrinker *s, *tmp;
	u64 freed = 0;

	might_sleep(vs->hw);
	if (!scanned)
		scanned = SWAP_CLUSTER_MAX;
	list_for_each_entry_safe (s, tmp, &vs->shrinkers, link)
		freed += shrink_one(vs, s, gfp, scanned, eligible);
	return freed;
}

void drop_slab(struct vmscan *vs)
{
	might_sleep(vs->hw);
	count_vm_event(vs->hw, vs->hw->cpu, EV_DROP_SLAB);
	while (shrink_slab(vs, GFP_KERNEL, 1000, 1000) > 10)
		;
}
