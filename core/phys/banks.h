/* SPDX-License-Identifier: BSD-2-Clause */
/* Private to floor 3: what the architecture makes of the banks (spec 01 s3, s4, s5). */
#ifndef MEMRIG_PHYS_BANKS_H
#define MEMRIG_PHYS_BANKS_H

#include "core/phys/mmzone.h"

/* Borders between zone types, as pfns; a type is [lo, hi), empty when lo == hi. */
struct zone_bounds {
	u64 lo[MM_MAX_NR_ZONES], hi[MM_MAX_NR_ZONES];
	u8 mask; /* configured types */
};

unsigned config_max_order(const struct machine_config *c);
unsigned config_pageblock_order(const struct machine_config *c, unsigned max_order);
bool config_is_x86(const struct machine_config *c);
vaddr_t config_page_offset(const struct machine_config *c); /* ARM32, x86pc */

/*
 * Cuts memblock.memory at what the kernel can map, sets current_limit, high_memory and the pfn
 * limits of @p. (spec 01 s3)
 */
int arch_memory_limits(struct phys *p);
void arch_zone_bounds(const struct phys *p, struct zone_bounds *b);

/* Reserves what the kernel keeps for itself, and the memmap, unless ideal. -EINVAL: no room. */
int arch_reserve(struct phys *p, char *err, size_t errlen);
unsigned model_page_struct_size(const struct phys *p); /* of the kernel modelled, spec 01 s4.3 */

/* "SIZE[@BASE],..." for keys mem and reserved: calls fn for each; has_base tells the forms apart. */
int for_each_size_at(const char *text, int (*fn)(void *arg, u64 size, paddr_t base, bool has_base),
		     void *arg);

#endif
