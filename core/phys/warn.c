/* SPDX-License-Identifier: BSD-2-Clause */
/* Warnings and allocation-failure reports: counted always, printed where phys->log says. */
#include <stdarg.h>

#include "core/phys/buddy.h"

void phys_warn(struct phys *p, const char *fmt, ...)
{
	va_list ap;

	__atomic_fetch_add(&p->nr_warnings, 1, __ATOMIC_RELAXED);
	if (!p->log)
		return;
	va_start(ap, fmt);
	vfprintf(p->log, fmt, ap);
	va_end(ap);
	fputc('\n', p->log);
}

/* One line for the request and one a zone, unless NOWARN (spec 03 s8.2). */
void warn_alloc_failed(const struct alloc_context *ac)
{
	struct phys *p = ac->phys;
	char gfp[256];

	if (ac->gfp & MM_GFP_NOWARN)
		return;
	phys_warn(p, "page allocation failure: order:%u, mode:0x%x (%s)", ac->order, ac->gfp,
		  gfp_print(ac->gfp, gfp, sizeof(gfp)));
	for (u32 i = 0; p->log && i < ac->zonelist->nr; i++) {
		const struct zone *z = ac->zonelist->zones[i];

		fprintf(p->log, "Node %u %s free:%lld min:%llu low:%llu high:%llu reserve:%llu\n",
			z->node, z->name, (long long)zone_page_state(z, NR_FREE_PAGES),
			(unsigned long long)z->watermark[WMARK_MIN],
			(unsigned long long)z->watermark[WMARK_LOW],
			(unsigned long long)z->watermark[WMARK_HIGH],
			(unsigned long long)z->lowmem_reserve[ac->classzone_idx]);
	}
}
