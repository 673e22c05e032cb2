/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vmstat.h"

#include <string.h>

#define ENTRY(name, unit, text, event) {name, text, VMSTAT_##unit, event},

/* Levels first, events behind them, each in the order of the list. */
static const struct {
	const char *name, *help;
	u8 unit;
	bool event;
} items[] = {
#define ZONE_STAT(SYM, name, unit, text) ENTRY(name, unit, text, false)
#define WB_STAT(SYM, name, unit, text)	 ENTRY(name, unit, text, false)
#define VM_EVENT(SYM, name, unit, text)
#define RIG_EVENT(SYM, name, unit, text)
#include "core/vmstat.def"
#undef ZONE_STAT
#undef WB_STAT
#undef VM_EVENT
#undef RIG_EVENT
#define ZONE_STAT(SYM, name, unit, text)
#define WB_STAT(SYM, name, unit, text)
#define VM_EVENT(SYM, name, unit, text)  ENTRY(name, unit, text, true)
#define RIG_EVENT(SYM, name, unit, text) ENTRY(name, unit, text, true)
#include "core/vmstat.def"
};
_Static_assert(ARRAY_SIZE(items) == NR_VMSTAT, "one entry a counter");

const char *vmstat_name(unsigned item)
{
	return item < NR_VMSTAT ? items[item].name : "";
}

const char *vmstat_help(unsigned item)
{
	return item < NR_VMSTAT ? items[item].help : "";
}

enum vmstat_unit vmstat_unit(unsigned item)
{
	return item < NR_VMSTAT ? (enum vmstat_unit)items[item].unit : VMSTAT_COUNT;
}

bool vmstat_is_event(unsigned item)
{
	return item < NR_VMSTAT && items[item].event;
}

int vmstat_by_name(const char *name)
{
	for (unsigned i = 0; i < NR_VMSTAT; i++)
		if (!strcmp(items[i].name, name))
			return (int)i;
	return -1;
}
