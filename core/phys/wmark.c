/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watermarks, lowmem reserves and the sysctls behind them (spec 01 s8-s10).
 *
 *   min_free_kbytes --> min --(quarter | scale)--> low, high --> NR_ALLOC_BATCH, RESERVE blocks,
 *   lowmem_reserve_ratio --> lowmem_reserve --> totalreserve_pages
 *
 * Linux: mm/page_alloc.c; left out: watermark boosting (5.0).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/phys/buddy.h"

#define MIN_FREE_LOWEST  128u
#define MIN_FREE_HIGHEST 65536u
#define MIN_FREE_MODERN  262144u

/* managed as the watermarks see it: while booting, less what is freed later (reserved_late). */
static u64 marked_pages(const struct zone *z)
{
	return z->managed_pages - (z->phys->booting ? mm_min(z->late_pages, z->managed_pages) : 0);
}

/* Pages of the zones that a GFP_USER request may use, less their high watermarks. */
static u64 nr_free_buffer_pages(const struct phys *p)
{
	u64 sum = 0;

	for (unsigned i = 0; i < p->nr_zones; i++) {
		const struct zone *z = &p->zones[i];
		u64 pages = marked_pages(z);

		if (z->type <= ZONE_NORMAL && pages > z->watermark[WMARK_HIGH])
			sum += pages - z->watermark[WMARK_HIGH];
	}
	return sum;
}

void calculate_min_free_kbytes(struct phys *p)
{
	u64 kbytes = nr_free_buffer_pages(p) << (p->page_shift - 10);
	u64 new = int_sqrt(kbytes * 16);
	u64 cap = p->config->policy == POLICY_MODERN ? MIN_FREE_MODERN : MIN_FREE_HIGHEST;

	if ((s64)new > p->user_min_free_kbytes)
		p->min_free_kbytes = mm_clamp(new, MIN_FREE_LOWEST, cap);
	else
		phys_warn(p, "min_free_kbytes is not updated to %" PRIu64 ": user defined value %"
			  PRId64 " is preferred", new, p->user_min_free_kbytes);
	if (!p->config->khugepaged)
		return;
	u64 zones = 0;

	for (unsigned i = 0; i < p->nr_zones; i++)
		zones += p->zones[i].type <= ZONE_NORMAL && p->zones[i].present_pages;
	new = mm_min((11 * zones) << p->pageblock_order, nr_free_buffer_pages(p) / 20)
	      << (p->page_shift - 10);
	p->min_free_kbytes = mm_max(p->min_free_kbytes, new);
}

/* Brings NR_ALLOC_BATCH to high - low and lets FAIR take from the zone again. */
static void refill_alloc_batch(struct zone *z)
{
	zone_lock(z);
	add_level(z, NR_ALLOC_BATCH, (s64)(z->watermark[WMARK_HIGH] - z->watermark[WMARK_LOW]) -
					     z->vm_stat[NR_ALLOC_BATCH]);
	SET_RELAXED(z->flags, z->flags & ~ZONE_FAIR_DEPLETED);
	zone_unlock(z);
}

/* All zones of the node from the lowest up to @preferred (spec 03 s4). */
void reset_alloc_batches(struct zone *preferred)
{
	pg_data_t *node = zone_pgdat(preferred);

	for (unsigned t = 0; t <= preferred->type; t++)
		if (node->node_zones[t])
			refill_alloc_batch(node->node_zones[t]);
}

static void calculate_totalreserve(struct phys *p)
{
	p->totalreserve_pages = 0;
	for (unsigned i = 0; i < p->nr_zones; i++) {
		struct zone *z = &p->zones[i];
		u64 max = 0;

		for (unsigned j = z->type; j < MM_MAX_NR_ZONES; j++)
			max = mm_max(max, z->lowmem_reserve[j]);
		z->dirty_balance_reserve =
			mm_min(z->managed_pages, max + z->watermark[WMARK_HIGH]);
		p->totalreserve_pages += z->dirty_balance_reserve;
	}
}

static void zone_wmarks(struct phys *p, struct zone *z, u64 pages_min, u64 lowmem_pages)
{
	u64 pages = marked_pages(z), gap_low, gap_high;
	u64 tmp = lowmem_pages ? (u64)((unsigned __int128)pages_min * pages / lowmem_pages) : 0;

	z->watermark[WMARK_MIN] = zone_is_highmem(z) ? mm_clamp(pages / 1024, 32, 128) : tmp;
	if (p->scale_watermarks) {
		gap_low = mm_max(tmp / 4, pages / 10000 * p->watermark_scale_factor +
						  pages % 10000 * p->watermark_scale_factor / 10000);
		gap_high = 2 * gap_low;
	} else {
		gap_low = tmp / 4;
		gap_high = tmp / 2;
	}
	z->watermark[WMARK_LOW] = z->watermark[WMARK_MIN] + gap_low;
	z->watermark[WMARK_HIGH] = z->watermark[WMARK_MIN] + gap_high;
}

void setup_per_zone_wmarks(struct phys *p)
{
	u64 pages_min = p->min_free_kbytes >> (p->page_shift - 10), lowmem_pages = 0;

	for (unsigned i = 0; i < p->nr_zones; i++)
		if (!zone_is_highmem(&p->zones[i]))
			lowmem_pages += marked_pages(&p->zones[i]);
	for (unsigned i = 0; i < p->nr_zones; i++) {
		struct zone *z = &p->zones[i];

		zone_wmarks(p, z, pages_min, lowmem_pages);
		refill_alloc_batch(z);
		if (!p->highatomic) {
			zone_lock(z);
			setup_zone_migrate_reserve(z);
			zone_unlock(z);
		}
	}
	calculate_totalreserve(p);
}

void setup_per_zone_lowmem_reserve(struct phys *p)
{
	for (unsigned n = 0; n < p->nr_nodes; n++) {
		struct zone **zones = p->nodes[n].node_zones;

		for (unsigned j = 0; j < MM_MAX_NR_ZONES; j++) {
			u64 acc = zones[j] ? zones[j]->managed_pages : 0;

			if (zones[j])
				zones[j]->lowmem_reserve[j] = 0;
			for (unsigned i = j; i-- > 0;) {
				if (!zones[i])
					continue;
				zones[i]->lowmem_reserve[j] =
					acc / mm_max(p->lowmem_reserve_ratio[i], 1);
				acc += zones[i]->managed_pages;
			}
		}
	}
	calculate_totalreserve(p);
}

void setup_per_zone_inactive_ratio(struct phys *p)
{
	for (unsigned i = 0; i < p->nr_zones; i++) {
		u64 gib = p->zones[i].managed_pages >> (30 - p->page_shift);

		p->zones[i].inactive_ratio = gib ? int_sqrt(10 * gib) : 1;
	}
}

/* ---- sysctls ---- */

static int sysctl_min_free(struct phys *p, u64 v)
{
	if (v > INT32_MAX)
		return -EINVAL;
	p->user_min_free_kbytes = (s64)v;
	p->min_free_kbytes = v;
	setup_per_zone_wmarks(p);
	return 0;
}

static int sysctl_scale_factor(struct phys *p, u64 v)
{
	if (v < 1 || v > 1000)
		return -EINVAL;
	p->watermark_scale_factor = v;
	setup_per_zone_wmarks(p);
	return 0;
}

static int update_pagesets(struct phys *p)
{
	for (unsigned i = 0; i < p->nr_zones; i++)
		if (p->zones[i].pageset && pcp_update(p, &p->zones[i]))
			return -ENOMEM;
	return 0;
}

static int sysctl_fraction(struct phys *p, u64 v)
{
	if (v && v < 8)
		return -EINVAL;
	p->percpu_pagelist_fraction = v;
	return update_pagesets(p);
}

static int sysctl_pcp_batch(struct phys *p, u64 v)
{
	if (v > 65536)
		return -EINVAL;
	p->pcp_batch = v;
	return update_pagesets(p);
}

static int sysctl_pcp_high(struct phys *p, u64 v)
{
	if (v > 1000000)
		return -EINVAL;
	p->pcp_high = v;
	return update_pagesets(p);
}

/* One number a configured zone but the last, separated by commas or blanks; 0 counts as 1. */
static int sysctl_lowmem_reserve_ratio(struct phys *p, const char *text)
{
	u64 ratio[MM_MAX_NR_ZONES];
	unsigned t = 0;

	memcpy(ratio, p->lowmem_reserve_ratio, sizeof(ratio));
	while (*(text += strspn(text, ", \t"))) {
		char *end;
		u64 v = strtoull(text, &end, 0);

		while (t < ZONE_MOVABLE && !(p->zone_mask >> t & 1))
			t++;
		if (end == text || t >= ZONE_MOVABLE || v > INT32_MAX)
			return -EINVAL;
		ratio[t++] = v;
		text = end;
	}
	memcpy(p->lowmem_reserve_ratio, ratio, sizeof(ratio));
	setup_per_zone_lowmem_reserve(p);
	return 0;
}

static const struct {
	const char *name;
	int (*set)(struct phys *p, u64 v);
} sysctls[] = {
	{"min_free_kbytes", sysctl_min_free},
	{"watermark_scale_factor", sysctl_scale_factor},
	{"percpu_pagelist_fraction", sysctl_fraction},
	{"pcp_batch", sysctl_pcp_batch},
	{"pcp_high", sysctl_pcp_high},
};

int phys_sysctl(struct phys *phys, const char *name, const char *value)
{
	if (!strcmp(name, "lowmem_reserve_ratio"))
		return sysctl_lowmem_reserve_ratio(phys, value);
	for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++) {
		char *end;
		u64 v;

		if (strcmp(name, sysctls[i].name))
			continue;
		errno = 0;
		v = strtoull(value, &end, 0);
		if (*value < '0' || *value > '9' || *end || errno)
			return -EINVAL;
		return sysctls[i].set(phys, v);
	}
	return -ENOENT;
}
