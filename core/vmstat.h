/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters: the only thing, with samples and timings, that comes out of a machine. Named as in
 * /proc/vmstat so that a host's own file can be compared line by line.
 *
 * Zone levels live in the zones (core/phys), events in per-CPU arrays (core/hw), the limits of write-back
 * follow from both (core/vm/writeback.c); a snapshot holds all in one flat array of NR_VMSTAT items: levels
 * at enum zone_stat_item, limits at VMSTAT_WB(), events at VMSTAT_EVENT(). Names and order of the items are
 * the same on every machine; what the kernel modelled prints is machine_vmstat_lines()'s.
 */
#ifndef MEMRIG_VMSTAT_H
#define MEMRIG_VMSTAT_H

#include "core/base/types.h"

enum zone_stat_item {
#define ZONE_STAT(SYM, name, unit, text) NR_##SYM,
#define WB_STAT(SYM, name, unit, text)
#define VM_EVENT(SYM, name, unit, text)
#define RIG_EVENT(SYM, name, unit, text)
#include "core/vmstat.def"
#undef ZONE_STAT
#undef WB_STAT
#undef VM_EVENT
#undef RIG_EVENT
	NR_ZONE_STATS
};

enum wb_stat_item {
#define ZONE_STAT(SYM, name, unit, text)
#define WB_STAT(SYM, name, unit, text) WB_##SYM,
#define VM_EVENT(SYM, name, unit, text)
#define RIG_EVENT(SYM, name, unit, text)
#include "core/vmstat.def"
#undef ZONE_STAT
#undef WB_STAT
#undef VM_EVENT
#undef RIG_EVENT
	NR_WB_STATS
};

enum vm_event_item {
#define ZONE_STAT(SYM, name, unit, text)
#define WB_STAT(SYM, name, unit, text)
#define VM_EVENT(SYM, name, unit, text)  EV_##SYM,
#define RIG_EVENT(SYM, name, unit, text) EV_##SYM,
#include "core/vmstat.def"
#undef ZONE_STAT
#undef WB_STAT
#undef VM_EVENT
#undef RIG_EVENT
	NR_VM_EVENTS
};

#define VMSTAT_WB(item)	 ((unsigned)NR_ZONE_STATS + (unsigned)(item))
#define VMSTAT_EVENT(ev) (VMSTAT_WB(NR_WB_STATS) + (unsigned)(ev))
#define NR_VMSTAT	 VMSTAT_EVENT(NR_VM_EVENTS)

enum vmstat_unit { VMSTAT_PAGES, VMSTAT_COUNT, VMSTAT_KIB };

struct vmstat_snapshot {
	u64 ts; /* virtual nanoseconds */
	s64 v[NR_VMSTAT];
};

/* A line of /proc/vmstat: some kernels print sums of items, or an item under another name. */
struct vmstat_line {
	const char *name;
	s64 value;
};
#define VMSTAT_MAX_LINES (NR_VMSTAT + 32u)

MM_PUBLIC const char *vmstat_name(unsigned item); /* /proc/vmstat's name; "" beyond the end */
MM_PUBLIC const char *vmstat_help(unsigned item);
MM_PUBLIC enum vmstat_unit vmstat_unit(unsigned item);
MM_PUBLIC bool vmstat_is_event(unsigned item);    /* counts up; otherwise a level */
MM_PUBLIC int vmstat_by_name(const char *name);   /* item, or -1 */

#endif
