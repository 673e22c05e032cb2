/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters: the only thing, with samples and timings, that comes out of a machine. Named as in
 * /proc/vmstat so that a host's own file can be compared line by line.
 *
 * Zone levels live in the zones (core/phys), events in per-CPU arrays (core/hw); a snapshot folds
 * both into one flat array of NR_VMSTAT values indexed by enum vmstat_item.
 */
#ifndef MEMRIG_VMSTAT_H
#define MEMRIG_VMSTAT_H

#include "core/base/types.h"

enum zone_stat_item {
#define ZONE_STAT(SYM, name, unit, text) NR_##SYM,
#define VM_EVENT(SYM, name, unit, text)
#define RIG_EVENT(SYM, name, unit, text)
#include "core/vmstat.def"
#undef ZONE_STAT
#undef VM_EVENT
#undef RIG_EVENT
	NR_ZONE_STATS
};

enum vm_event_item {
#define ZONE_STAT(SYM, name, unit, text)
#define VM_EVENT(SYM, name, unit, text)  EV_##SYM,
#define RIG_EVENT(SYM, name, unit, text) EV_##SYM,
#include "core/vmstat.def"
#undef ZONE_STAT
#undef VM_EVENT
#undef RIG_EVENT
	NR_VM_EVENTS
};

#define NR_VMSTAT ((unsigned)NR_ZONE_STATS + (unsigned)NR_VM_EVENTS)
#define VMSTAT_EVENT(ev) ((unsigned)NR_ZONE_STATS + (unsigned)(ev))

enum vmstat_unit { VMSTAT_PAGES, VMSTAT_COUNT, VMSTAT_KIB };

struct vmstat_snapshot {
	u64 ts; /* virtual nanoseconds */
	s64 v[(unsigned)NR_ZONE_STATS + (unsigned)NR_VM_EVENTS];
};

MM_PUBLIC const char *vmstat_name(unsigned item); /* /proc/vmstat's name; "" beyond the end */
MM_PUBLIC const char *vmstat_help(unsigned item);
MM_PUBLIC enum vmstat_unit vmstat_unit(unsigned item);
MM_PUBLIC bool vmstat_is_event(unsigned item);    /* counts up; otherwise a level */
MM_PUBLIC int vmstat_by_name(const char *name);   /* item, or -1 */

#endif
