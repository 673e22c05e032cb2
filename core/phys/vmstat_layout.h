/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What /proc/vmstat and /proc/zoneinfo of the kernel modelled print, and in what order (spec 12 s4).
 *
 * A line is a sum of adjacent items of a snapshot under a name; the lines of zones come first, from 4.12
 * on followed by those of nodes. As Linux's configuration decides it, counters with a zone's suffix exist
 * for the zones of the profile, and numa_* and zone_reclaim_failed with more than one node.
 */
#ifndef MEMRIG_PHYS_VMSTAT_LAYOUT_H
#define MEMRIG_PHYS_VMSTAT_LAYOUT_H

#include "core/phys/mmzone.h"

enum line_scope { LINE_ZONE, LINE_NODE, LINE_GLOBAL, LINE_MODERN };

struct layout_line {
	const char *name;
	u16 first; /* item of a snapshot */
	u8 n;      /* items summed */
	u8 scope;
};

/* The lines of @p's kernel, our own counters not among them; *@n: how many. */
const struct layout_line *vmstat_layout(const struct phys *p, unsigned *n);
/* False for lines that this machine's kernel was not configured for. */
bool vmstat_line_exists(const struct phys *p, const struct layout_line *l);
/* The line's level in one zone: its share of @l, which is LINE_ZONE or LINE_NODE. */
s64 zone_vmstat_line(const struct zone *z, const struct layout_line *l);

/* All lines that exist, then our own counters, into @out[VMSTAT_MAX_LINES]; how many. */
unsigned phys_vmstat_lines(const struct phys *p, const struct vmstat_snapshot *s, struct vmstat_line *out);

#endif
