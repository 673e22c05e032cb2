/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/phys/vmstat_layout.h"

#include <string.h>

#define NOTHING(...)

/* The list itself is in the order of 4.0. */
static const struct layout_line layout_40[] = {
#define ZONE_STAT(SYM, name, unit, text) {name, NR_##SYM, 1, LINE_ZONE},
#define WB_STAT(SYM, name, unit, text)	 {name, VMSTAT_WB(WB_##SYM), 1, LINE_GLOBAL},
#define VM_EVENT(SYM, name, unit, text)	 {name, VMSTAT_EVENT(EV_##SYM), 1, LINE_GLOBAL},
#define RIG_EVENT			 NOTHING
#include "core/vmstat.def"
#undef ZONE_STAT
#undef WB_STAT
#undef VM_EVENT
#undef RIG_EVENT
};

static const struct layout_line layout_412[] = {
#define ZONE_LINE(name, ITEM, n)  {name, NR_##ITEM, n, LINE_ZONE},
#define NODE_LINE(name, ITEM, n)  {name, NR_##ITEM, n, LINE_NODE},
#define WB_LINE(name, ITEM)	  {name, VMSTAT_WB(WB_##ITEM), 1, LINE_GLOBAL},
#define EVENT_LINE(name, ITEM, n) {name, VMSTAT_EVENT(EV_##ITEM), n, LINE_GLOBAL},
#define MODERN_LINE(name, ITEM)	  {name, VMSTAT_EVENT(EV_##ITEM), 1, LINE_MODERN},
#include "core/phys/vmstat_412.def"
#undef ZONE_LINE
#undef NODE_LINE
#undef WB_LINE
#undef EVENT_LINE
#undef MODERN_LINE
};

/* Where our own counters begin: behind all of 4.0's. */
#define FIRST_OWN ((unsigned)ARRAY_SIZE(layout_40))
_Static_assert(NR_VMSTAT + ARRAY_SIZE(layout_412) - ARRAY_SIZE(layout_40) <= VMSTAT_MAX_LINES, "room for all lines");

const struct layout_line *vmstat_layout(const struct phys *p, unsigned *n)
{
	bool old = p->config->policy == POLICY_4_0;

	*n = old ? (unsigned)ARRAY_SIZE(layout_40) : (unsigned)ARRAY_SIZE(layout_412);
	return old ? layout_40 : layout_412;
}

/* The zone type whose suffix @name ends with; MM_MAX_NR_ZONES: none. */
static unsigned zone_suffix(const char *name)
{
	static const char *const suffixes[MM_MAX_NR_ZONES] = {
		[ZONE_DMA] = "_dma",	  [ZONE_DMA32] = "_dma32",     [ZONE_NORMAL] = "_normal",
		[ZONE_HIGHMEM] = "_high", [ZONE_MOVABLE] = "_movable",
	};
	const char *suffix = strrchr(name, '_');
	unsigned t = 0;

	while (t < MM_MAX_NR_ZONES && (!suffix || strcmp(suffix, suffixes[t])))
		t++;
	return t;
}

static bool name_exists(const struct phys *p, const char *name)
{
	unsigned t = zone_suffix(name);

	if (t < MM_MAX_NR_ZONES)
		return p->zone_mask >> t & 1;
	if (!strncmp(name, "numa_", 5) || !strcmp(name, "zone_reclaim_failed"))
		return p->nr_nodes > 1;
	return true;
}

bool vmstat_line_exists(const struct phys *p, const struct layout_line *l)
{
	return (l->scope != LINE_MODERN || p->config->policy == POLICY_MODERN) && name_exists(p, l->name);
}

s64 zone_vmstat_line(const struct zone *z, const struct layout_line *l)
{
	s64 sum = 0;

	VM_BUG_ON(l->scope > LINE_NODE);
	for (unsigned i = 0; i < l->n; i++)
		sum += zone_page_state(z, (enum zone_stat_item)(l->first + i));
	return sum;
}

static bool layout_holds(const struct phys *p, unsigned item)
{
	unsigned n;
	const struct layout_line *l = vmstat_layout(p, &n);

	for (unsigned i = 0; i < n; i++)
		if (l[i].first == item && vmstat_line_exists(p, &l[i]))
			return true;
	return false;
}

unsigned phys_vmstat_lines(const struct phys *p, const struct vmstat_snapshot *s, struct vmstat_line *out)
{
	unsigned n, nr = 0;
	const struct layout_line *l = vmstat_layout(p, &n);

	for (unsigned i = 0; i < n; i++) {
		if (!vmstat_line_exists(p, &l[i]))
			continue;
		out[nr].name = l[i].name;
		out[nr].value = 0;
		for (unsigned k = 0; k < l[i].n; k++)
			out[nr].value += s->v[l[i].first + k];
		nr++;
	}
	for (unsigned item = FIRST_OWN; item < NR_VMSTAT; item++)
		if (name_exists(p, vmstat_name(item)) && !layout_holds(p, item))
			out[nr++] = (struct vmstat_line){vmstat_name(item), s->v[item]};
	return nr;
}
