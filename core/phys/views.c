/* SPDX-License-Identifier: BSD-2-Clause */
/* Views in the layout of /proc (spec 03 s10): buddyinfo, pagetypeinfo, zoneinfo, meminfo; memblock. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/phys/buddy.h"
#include "core/phys/vmstat_layout.h"

static bool populated(const struct zone *z)
{
	return z->present_pages;
}

static void show_buddyinfo(const struct phys *p, FILE *out)
{
	for (unsigned i = 0; i < p->nr_zones; i++) {
		const struct zone *z = &p->zones[i];

		if (!populated(z))
			continue;
		fprintf(out, "Node %u, zone %8s ", z->node, z->name);
		for (unsigned o = 0; o < p->max_order; o++)
			fprintf(out, "%6u ", z->free_area[o].nr_free);
		fputc('\n', out);
	}
}

static void count_one(void *arg, u32 frame)
{
	(void)frame;
	++*(u64 *)arg;
}

static void show_free_types(const struct phys *p, const struct zone *z, FILE *out)
{
	for (unsigned k = 0; k < p->nr_mt; k++) {
		enum migratetype mt = (enum migratetype)p->mt_order[k];

		fprintf(out, "Node %4u, zone %8s, type %12s ", z->node, z->name,
			migratetype_name(p, mt));
		for (unsigned o = 0; o < p->max_order; o++) {
			u64 n = 0;

			for_each_free_block(z, o, mt, count_one, &n);
			fprintf(out, "%6" PRIu64 " ", n);
		}
		fputc('\n', out);
	}
}

static void show_block_types(const struct phys *p, const struct zone *z, FILE *out)
{
	u64 count[MIGRATE_TYPES] = {0}, n = 1ull << p->pageblock_order;

	for (u64 pfn = z->zone_start_pfn; pfn < zone_end_pfn(z); pfn += n)
		if (pfn_valid(p, pfn))
			count[frame_pageblock_type(p, (u32)(pfn - p->base_pfn))]++;
	fprintf(out, "Node %u, zone %8s ", z->node, z->name);
	for (unsigned k = 0; k < p->nr_mt; k++)
		fprintf(out, "%12" PRIu64 " ", count[p->mt_order[k]]);
	fputc('\n', out);
}

static void show_pagetypeinfo(const struct phys *p, FILE *out)
{
	fprintf(out, "Page block order: %u\nPages per block:  %llu\n\n", p->pageblock_order,
		1ull << p->pageblock_order);
	fprintf(out, "%-43s ", "Free pages count per migrate type at order");
	for (unsigned o = 0; o < p->max_order; o++)
		fprintf(out, "%6u ", o);
	fputc('\n', out);
	for (unsigned i = 0; i < p->nr_zones; i++)
		if (populated(&p->zones[i]))
			show_free_types(p, &p->zones[i], out);
	fprintf(out, "\n%-23s", "Number of blocks type ");
	for (unsigned k = 0; k < p->nr_mt; k++)
		fprintf(out, "%12s ", migratetype_name(p, (enum migratetype)p->mt_order[k]));
	fputc('\n', out);
	for (unsigned i = 0; i < p->nr_zones; i++)
		if (populated(&p->zones[i]))
			show_block_types(p, &p->zones[i], out);
}

/* Spec 01 s11; 0 with one CPU and exact counters would hide the rule, so it is always printed. */
static unsigned stat_threshold(const struct phys *p, const struct zone *z)
{
	unsigned t = 2 * mm_fls(p->ncpu) *
		     (1 + mm_fls(z->managed_pages >> (27 - p->page_shift)));

	return (unsigned)mm_min(t, 125);
}

/* The lines of @scope, summed over @nr zones from @z on. */
static void show_levels(const struct phys *p, const struct zone *z, unsigned nr, enum line_scope scope, FILE *out)
{
	unsigned n;
	const struct layout_line *l = vmstat_layout(p, &n);

	for (unsigned i = 0; i < n; i++) {
		s64 sum = 0;

		if (l[i].scope != scope || !vmstat_line_exists(p, &l[i]))
			continue;
		for (unsigned k = 0; k < nr; k++)
			sum += zone_vmstat_line(&z[k], &l[i]);
		fprintf(out, "\n%*s%-12s %" PRId64, p->config->policy == POLICY_4_0 ? 4 : 6, "", l[i].name, sum);
	}
}

/* From 4.12 on a node's first zone shows the node's levels. */
static void show_node_levels(const struct phys *p, const struct zone *z, FILE *out)
{
	const struct zone *first = z;
	unsigned nr = p->nr_zones / p->nr_nodes;

	while (first > p->zones && first[-1].node == z->node)
		first--;
	for (const struct zone *before = first; before < z; before++)
		if (populated(before))
			return;
	fputs("\n  per-node stats", out);
	show_levels(p, first, nr, LINE_NODE, out);
}

static void show_protection(const struct phys *p, const struct zone *z, FILE *out)
{
	const char *sep = "";

	fputs("\n        protection: (", out);
	for (unsigned t = 0; t < MM_MAX_NR_ZONES; t++) {
		if (!(p->zone_mask >> t & 1))
			continue;
		fprintf(out, "%s%" PRIu64, sep, z->lowmem_reserve[t]);
		sep = ", ";
	}
	fputc(')', out);
}

static void show_zone(const struct phys *p, const struct zone *z, FILE *out)
{
	bool old = p->config->policy == POLICY_4_0;

	fprintf(out, "Node %u, zone %8s", z->node, z->name);
	if (!old)
		show_node_levels(p, z, out);
	fprintf(out,
		"\n  pages free     %" PRId64 "\n        min      %" PRIu64
		"\n        low      %" PRIu64 "\n        high     %" PRIu64,
		zone_page_state(z, NR_FREE_PAGES), z->watermark[WMARK_MIN],
		z->watermark[WMARK_LOW], z->watermark[WMARK_HIGH]);
	if (old)
		fprintf(out, "\n        scanned  %" PRId64, zone_page_state(z, NR_PAGES_SCANNED));
	fprintf(out,
		"\n        spanned  %" PRIu64 "\n        present  %" PRIu64 "\n        managed  %" PRIu64,
		z->spanned_pages, z->present_pages, z->managed_pages);
	if (!old)
		show_protection(p, z, out);
	show_levels(p, z, 1, LINE_ZONE, out);
	if (old)
		show_protection(p, z, out);
	fputs("\n  pagesets", out);
	for (unsigned cpu = 0; cpu < p->ncpu; cpu++)
		fprintf(out,
			"\n    cpu: %u\n              count: %u\n              high:  %u"
			"\n              batch: %u\n  vm stats threshold: %u",
			cpu, z->pageset[cpu].count, z->pageset[cpu].high, z->pageset[cpu].batch,
			stat_threshold(p, z));
	fprintf(out,
		"\n  all_unreclaimable: %u\n  start_pfn:         %" PRIu64
		"\n  inactive_ratio:    %" PRIu64 "\n",
		0u, z->zone_start_pfn, z->inactive_ratio);
}

static void show_zoneinfo(const struct phys *p, FILE *out)
{
	for (unsigned i = 0; i < p->nr_zones; i++)
		if (populated(&p->zones[i]))
			show_zone(p, &p->zones[i], out);
}

static u64 kib(const struct phys *p, s64 pages)
{
	return (u64)(pages > 0 ? pages : 0) << (p->page_shift - 10);
}

/* Spec of Linux 3.14: free pages above the reserves, and half of the caches above the low marks. */
static s64 available_pages(const struct phys *p)
{
	s64 low = 0, cache, slab, avail;

	for (unsigned i = 0; i < p->nr_zones; i++)
		low += (s64)p->zones[i].watermark[WMARK_LOW];
	avail = global_page_state(p, NR_FREE_PAGES) - low;
	cache = global_page_state(p, NR_ACTIVE_FILE) + global_page_state(p, NR_INACTIVE_FILE);
	cache -= cache / 2 < low ? cache / 2 : low;
	slab = global_page_state(p, NR_SLAB_RECLAIMABLE);
	slab -= slab / 2 < low ? slab / 2 : low;
	return avail + cache + slab;
}

static void show_meminfo(const struct phys *p, FILE *out)
{
#define S(item) global_page_state(p, NR_##item)
	s64 anon = S(ACTIVE_ANON) + S(INACTIVE_ANON), file = S(ACTIVE_FILE) + S(INACTIVE_FILE);
	s64 free_high = 0;

	for (unsigned i = 0; i < p->nr_zones; i++)
		if (zone_is_highmem(&p->zones[i]))
			free_high += zone_page_state(&p->zones[i], NR_FREE_PAGES);
	const struct {
		const char *name;
		u64 kib;
	} lines[] = {
		{"MemTotal", kib(p, (s64)p->totalram_pages)},
		{"MemFree", kib(p, S(FREE_PAGES))},
		{"MemAvailable", kib(p, available_pages(p))},
		{"Buffers", 0},
		{"Cached", kib(p, S(FILE_PAGES) - (s64)p->swap_cached_pages)},
		{"SwapCached", kib(p, (s64)p->swap_cached_pages)},
		{"Active", kib(p, S(ACTIVE_ANON) + S(ACTIVE_FILE))},
		{"Inactive", kib(p, anon + file - S(ACTIVE_ANON) - S(ACTIVE_FILE))},
		{"Active(anon)", kib(p, S(ACTIVE_ANON))},
		{"Inactive(anon)", kib(p, S(INACTIVE_ANON))},
		{"Active(file)", kib(p, S(ACTIVE_FILE))},
		{"Inactive(file)", kib(p, S(INACTIVE_FILE))},
		{"Unevictable", kib(p, S(UNEVICTABLE))},
		{"Mlocked", kib(p, S(MLOCK))},
		{"HighTotal", kib(p, (s64)p->totalhigh_pages)},
		{"HighFree", kib(p, free_high)},
		{"LowTotal", kib(p, (s64)(p->totalram_pages - p->totalhigh_pages))},
		{"LowFree", kib(p, S(FREE_PAGES) - free_high)},
		{"SwapTotal", kib(p, (s64)p->swap_pages)},
		{"SwapFree", kib(p, (s64)p->swap_free_pages)},
		{"Dirty", kib(p, S(FILE_DIRTY))},
		{"Writeback", kib(p, S(WRITEBACK))},
		{"AnonPages", kib(p, S(ANON_PAGES))},
		{"Mapped", kib(p, S(FILE_MAPPED))},
		{"Shmem", kib(p, S(SHMEM))},
		{"Slab", kib(p, S(SLAB_RECLAIMABLE) + S(SLAB_UNRECLAIMABLE))},
		{"SReclaimable", kib(p, S(SLAB_RECLAIMABLE))},
		{"SUnreclaim", kib(p, S(SLAB_UNRECLAIMABLE))},
		{"PageTables", kib(p, S(PAGETABLE))},
	};
	bool highmem = p->zone_mask & BIT(ZONE_HIGHMEM);

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		bool high_line = !strncmp(lines[i].name, "High", 4) || !strncmp(lines[i].name, "Low", 3);
		int pad = 15 - (int)strlen(lines[i].name);

		if (!high_line || highmem)
			fprintf(out, "%s:%*s%8" PRIu64 " kB\n", lines[i].name, pad > 0 ? pad : 0, "",
				lines[i].kib);
	}
#undef S
}

int phys_show(struct phys *phys, const char *view, FILE *out)
{
	if (!strcmp(view, "buddyinfo"))
		show_buddyinfo(phys, out);
	else if (!strcmp(view, "pagetypeinfo"))
		show_pagetypeinfo(phys, out);
	else if (!strcmp(view, "zoneinfo"))
		show_zoneinfo(phys, out);
	else if (!strcmp(view, "meminfo"))
		show_meminfo(phys, out);
	else if (!strcmp(view, "memblock"))
		memblock_show(&phys->memblock, out);
	else
		return -ENOENT;
	return 0;
}
