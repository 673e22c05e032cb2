/* SPDX-License-Identifier: BSD-2-Clause */
/* Levels of zones with their per-CPU parts folded in; names of migratetypes and page flags. */
#include <string.h>
#include <strings.h>

#include "core/phys/buddy.h"

s64 zone_page_state(const struct zone *zone, enum zone_stat_item item)
{
	s64 v = RELAXED(zone->vm_stat[item]);
	bool numa = item >= NR_NUMA_HIT && item <= NR_NUMA_OTHER;

	if (!zone->pageset || (!numa && item != NR_ALLOC_BATCH))
		return v;
	for (unsigned cpu = 0; cpu < zone->phys->ncpu; cpu++) {
		const struct per_cpu_pages *pcp = &zone->pageset[cpu];

		v += numa ? RELAXED(pcp->numa[item - NR_NUMA_HIT]) : -(s64)RELAXED(pcp->batch_taken);
	}
	return v;
}

s64 global_page_state(const struct phys *phys, enum zone_stat_item item)
{
	s64 sum = 0;

	for (unsigned i = 0; i < phys->nr_zones; i++)
		sum += zone_page_state(&phys->zones[i], item);
	return sum;
}

void phys_vmstat(const struct phys *phys, struct vmstat_snapshot *out)
{
	for (unsigned i = 0; i < NR_ZONE_STATS; i++)
		out->v[i] += global_page_state(phys, (enum zone_stat_item)i);
	for (unsigned cpu = 0; cpu < phys->hw->ncpu; cpu++)
		for (unsigned e = 0; e < NR_VM_EVENTS; e++)
			out->v[VMSTAT_EVENT(e)] += (s64)RELAXED(phys->hw->cpus[cpu].events[e]);
}

const char *migratetype_name(const struct phys *phys, enum migratetype mt)
{
	static const char *const names[] = {
		[MIGRATE_UNMOVABLE] = "Unmovable", [MIGRATE_RECLAIMABLE] = "Reclaimable",
		[MIGRATE_MOVABLE] = "Movable", [MIGRATE_RESERVE] = "Reserve",
		[MIGRATE_CMA] = "CMA", [MIGRATE_ISOLATE] = "Isolate"};

	return mt == MIGRATE_HIGHATOMIC && phys->highatomic ? "HighAtomic" : names[mt];
}

int migratetype_by_name(const struct phys *phys, const char *name)
{
	for (unsigned mt = 0; mt < MIGRATE_TYPES; mt++)
		if (!strcasecmp(name, migratetype_name(phys, (enum migratetype)mt)))
			return (int)mt;
	return -1;
}

const char *page_flag_name(unsigned bit)
{
	static const char *const names[] = {
#define PAGE_FLAG(Name, SYM, name) name,
#include "core/phys/page_flags.def"
#undef PAGE_FLAG
	};

	return bit < NR_PAGE_FLAGS ? names[bit] : "";
}
