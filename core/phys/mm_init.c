/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Boot of floor 3 (spec 01 s1): banks -> memblock -> limits -> zones and nodes -> zonelists ->
 * hand-over to the buddy -> watermarks -> per-CPU lists.
 *
 * Nothing is written per frame: the arrays are zero-filled mappings, and zero means "never allocated".
 * What is written is one byte a pageblock and one link a block of the top order.
 * Linux: mm/page_alloc.c, mm/nobootmem.c; left out: deferred initialisation, hotplug.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/phys/banks.h"
#include "core/phys/buddy.h"

MM_PRINTF(4, 5) static int fail(int code, char *err, size_t n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (err && n)
		vsnprintf(err, n, fmt, ap);
	va_end(ap);
	return code;
}

/* ---- arrays ---- */

#define HUGE_FROM (4 * MiB)

static void *map_array(u64 n, size_t size)
{
	void *a = mmap(NULL, n * size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (a == MAP_FAILED)
		return NULL;
	if (n * size >= HUGE_FROM)
		madvise(a, n * size, MADV_HUGEPAGE); /* fewer faults and TLB misses; a wish */
	return a;
}

static void unmap_array(void *a, u64 n, size_t size)
{
	if (a)
		munmap(a, n * size);
}

static u64 nr_top_blocks(const struct phys *p)
{
	return p->nr_frames >> top_order(p);
}

/* Frames, then the heads of the free lists of every zone there may be. */
static u64 nr_links(const struct phys *p)
{
	return p->nr_frames + MM_MAX_ZONES * FREE_HEADS_PER_ZONE;
}

static u64 memmap_bytes(const struct phys *p)
{
	return nr_links(p) * sizeof(struct page_link) + p->nr_frames * sizeof(struct page);
}

static int map_arrays(struct phys *p)
{
	char *links = map_array(memmap_bytes(p), 1);

	if (links) /* nr_frames is a multiple of a top block, so the memmap is aligned */
		p->memmap = (struct page *)(void *)(links + nr_links(p) * sizeof(struct page_link));
	p->order_byte = map_array(p->nr_frames, 1);
	p->top_byte = map_array(nr_top_blocks(p), 1);
	p->top_links = map_array(nr_top_blocks(p) + MM_MAX_ZONES * 8, sizeof(*p->top_links));
	p->pageblock = map_array(p->nr_frames >> p->pageblock_order, 1);
	return links && p->order_byte && p->top_byte && p->top_links && p->pageblock
		       ? 0 : -ENOMEM;
}

static void unmap_arrays(struct phys *p)
{
	if (p->memmap)
		unmap_array((struct page_link *)(void *)p->memmap - nr_links(p), memmap_bytes(p), 1);
	unmap_array(p->order_byte, p->nr_frames, 1);
	unmap_array(p->top_byte, nr_top_blocks(p), 1);
	unmap_array(p->top_links, nr_top_blocks(p) + MM_MAX_ZONES * 8, sizeof(*p->top_links));
	unmap_array(p->pageblock, p->nr_frames >> p->pageblock_order, 1);
}

/* ---- what the configuration says ---- */

static void set_policies(struct phys *p)
{
	const struct machine_config *c = p->config;
	static const u8 old_order[] = {MIGRATE_UNMOVABLE, MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE};
	static const u8 new_order[] = {MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, MIGRATE_RECLAIMABLE};

	p->page_shift = config_page_shift(c);
	p->max_order = config_max_order(c);
	p->pageblock_order = config_pageblock_order(c, p->max_order);
	p->ncpu = (unsigned)c->ncpu;
	p->nr_nodes = (unsigned)c->nodes;
	p->smp = c->smp;
	p->ideal = c->ideal;
	p->scale_watermarks = c->watermark == WATERMARK_SCALE;
	p->wmark44 = c->wmark == WMARK_RULE_4_4;
	p->highatomic = c->highorder == HIGHORDER_HIGHATOMIC;
	p->steal412 = c->steal == STEAL_4_12;
	p->fair = c->fair;
	p->fast_alloc_flags = ALLOC_WMARK_LOW | ALLOC_CPUSET | (p->fair ? ALLOC_FAIR : 0);
	p->watermark_scale_factor = c->watermark_scale_factor;
	p->percpu_pagelist_fraction = c->percpu_pagelist_fraction;
	p->pcp_batch = c->pcp_batch;
	p->pcp_high = c->pcp_high;
	p->user_min_free_kbytes = -1;
	p->lowmem_reserve_ratio[ZONE_DMA] = p->lowmem_reserve_ratio[ZONE_DMA32] = 256;
	p->lowmem_reserve_ratio[ZONE_NORMAL] = p->lowmem_reserve_ratio[ZONE_HIGHMEM] = 32;
	/* 4.4 renumbered the types in the change that brought HIGHATOMIC. */
	memcpy(p->mt_order, p->highatomic ? new_order : old_order, sizeof(old_order));
	p->mt_order[3] = MIGRATE_RESERVE;
	p->mt_order[4] = MIGRATE_ISOLATE;
	p->nr_mt = 5;
	for (unsigned cpu = 0; cpu < p->ncpu; cpu++)
		p->cpu_node[cpu] = (u8)(cpu * p->nr_nodes / p->ncpu);
}

/* Spec 01 s6: flags name a zone type; a missing one degrades. */
static void set_gfp_tables(struct phys *p)
{
	for (unsigned bits = 0; bits < 16; bits++) {
		unsigned t = ZONE_NORMAL;
		unsigned which = (bits & MM_GFP_DMA) + (bits & MM_GFP_HIGHMEM ? 1 : 0) +
				 (bits & MM_GFP_DMA32 ? 1 : 0);

		if (which > 1)
			t = MM_MAX_NR_ZONES; /* illegal */
		else if (bits & MM_GFP_DMA)
			t = ZONE_DMA;
		else if (bits & MM_GFP_DMA32)
			t = ZONE_DMA32;
		else if (bits & MM_GFP_HIGHMEM)
			t = bits & MM_GFP_MOVABLE ? ZONE_MOVABLE : ZONE_HIGHMEM;
		if (t < MM_MAX_NR_ZONES && !(p->zone_mask >> t & 1))
			t = ZONE_NORMAL;
		p->gfp_zone_tab[bits] = (u8)t;
	}
	p->migratetype_tab[0] = MIGRATE_UNMOVABLE;
	p->migratetype_tab[1] = p->migratetype_tab[3] =
		p->mobility_disabled ? MIGRATE_UNMOVABLE : MIGRATE_MOVABLE;
	p->migratetype_tab[2] = p->mobility_disabled ? MIGRATE_UNMOVABLE : MIGRATE_RECLAIMABLE;
}

/* ---- memblock ---- */

static int add_banks(struct phys *p, const struct phys_layout *layout)
{
	for (unsigned i = 0; i < layout->nr_banks; i++)
		if (memblock_add(&p->memblock, layout->banks[i].base, layout->banks[i].size))
			return -ENOMEM;
	return 0;
}

/* Divides RAM evenly among the nodes, in units of the largest block. */
static int divide_nodes(struct phys *p)
{
	u64 block = 1ull << (p->page_shift + top_order(p));
	u64 share = ALIGN_DOWN(p->memblock.memory.total_size / p->nr_nodes, block), left = share;
	struct memblock_region copy[MM_MAX_BANKS];
	size_t n = p->memblock.memory.cnt;
	unsigned nid = 0;

	if (p->nr_nodes == 1)
		return 0;
	memcpy(copy, p->memblock.memory.regions, n * sizeof(copy[0]));
	for (size_t i = 0; i < n; i++) {
		paddr_t at = copy[i].base, end = at + copy[i].size;

		while (at < end) {
			u64 take = nid + 1 < p->nr_nodes ? mm_min(left, end - at) : end - at;

			if (!take)
				take = end - at;
			if (memblock_set_node(&p->memblock, at, take, nid))
				return -ENOMEM;
			at += take;
			left -= mm_min(left, take);
			if (!left && nid + 1 < p->nr_nodes) {
				nid++;
				left = share;
			}
		}
	}
	return 0;
}

/* ---- zones ---- */

static const char *const zone_names[] = {"DMA", "DMA32", "Normal", "HighMem", "Movable"};

const char *zone_type_name(enum zone_type t)
{
	return zone_names[t];
}

static u64 node_pages_between(const struct phys *p, unsigned nid, u64 lo, u64 hi, u64 *first, u64 *last)
{
	u64 pages = 0;

	*first = UINT64_MAX;
	*last = 0;
	for (size_t i = 0; i < p->memblock.memory.cnt; i++) {
		const struct memblock_region *r = &p->memblock.memory.regions[i];
		u64 s = mm_max(lo, r->base >> p->page_shift);
		u64 e = mm_min(hi, (r->base + r->size) >> p->page_shift);

		if (r->nid != nid || s >= e)
			continue;
		pages += e - s;
		*first = mm_min(*first, s);
		*last = mm_max(*last, e);
	}
	return pages;
}

static int init_zone(struct phys *p, struct zone *z, u64 lo, u64 hi)
{
	u64 first, last;

	z->present_pages = node_pages_between(p, z->node, lo, hi, &first, &last);
	if (z->present_pages) {
		z->zone_start_pfn = first;
		z->spanned_pages = last - first;
	}
	z->start_frame = (u32)(z->zone_start_pfn - (z->present_pages ? p->base_pfn : 0));
	z->nr_frames = (u32)z->spanned_pages;
	if (!p->ideal)
		z->memmap_pages = (z->spanned_pages * model_page_struct_size(p) +
				   (1ull << p->page_shift) - 1) >> p->page_shift;
	z->order_byte = p->order_byte;
	z->memmap = p->memmap;
	z->top = top_order(p);
	z->head_base = (u32)p->nr_frames + z->slot * FREE_HEADS_PER_ZONE;
	z->top_head_base = (u32)nr_top_blocks(p) + z->slot * 8u;
	for (u32 i = 0; i < FREE_HEADS_PER_ZONE; i++)
		*page_link(p->memmap, z->head_base + i) =
			(struct page_link){z->head_base + i, z->head_base + i};
	for (u32 i = 0; i < 8; i++)
		p->top_links[z->top_head_base + i] =
			(struct page_link){z->top_head_base + i, z->top_head_base + i};
	for (unsigned l = 0; l < NR_LRU_LISTS; l++)
		plist_init(&z->lruvec.lists[l]);
	z->inactive_ratio = 1;
	z->compact_cached_free_pfn = zone_end_pfn(z);
	z->compact_cached_migrate_pfn[0] = z->compact_cached_migrate_pfn[1] = z->zone_start_pfn;
	z->compact_order_failed = 0; /* the first failures defer every order (spec 10 s7) */
	pthread_spin_init(&z->lock, PTHREAD_PROCESS_PRIVATE);
	return pcp_init(p, z);
}

static int init_zones(struct phys *p)
{
	struct zone_bounds b;

	arch_zone_bounds(p, &b);
	p->zone_mask = b.mask;
	p->nr_zones = p->nr_nodes * (unsigned)__builtin_popcount(b.mask);
	p->zones = aligned_alloc(64, p->nr_zones * sizeof(*p->zones));
	if (!p->zones) {
		p->nr_zones = 0;
		return -ENOMEM;
	}
	memset(p->zones, 0, p->nr_zones * sizeof(*p->zones));
	for (unsigned i = 0, n = 0; n < p->nr_nodes; n++) {
		for (unsigned t = 0; t < MM_MAX_NR_ZONES; t++) {
			struct zone *z = &p->zones[i];

			if (!(b.mask >> t & 1))
				continue;
			z->phys = p;
			z->slot = (u8)i++;
			p->zone_of[z->slot + 1] = z;
			z->node = (u8)n;
			z->type = (u8)t;
			z->name = zone_names[t];
			z->smp = p->smp;
			z->fresh_flags = (z->slot + 1u) << PAGE_ZONE_SHIFT;
			z->batch_mode = !p->fair ? BATCH_NONE : p->smp ? BATCH_PER_CPU : BATCH_EXACT;
			p->nodes[n].node_zones[t] = z;
			if (init_zone(p, z, b.lo[t], b.hi[t]))
				return -ENOMEM;
		}
	}
	return 0;
}

static void init_nodes(struct phys *p)
{
	for (unsigned n = 0; n < p->nr_nodes; n++) {
		pg_data_t *node = &p->nodes[n];
		u64 last;

		node->node_id = n;
		node->node_present_pages =
			node_pages_between(p, n, 0, UINT64_MAX, &node->node_start_pfn, &last);
		node->node_spanned_pages =
			node->node_present_pages ? last - node->node_start_pfn : 0;
		node->kswapd_asleep = true;
		for (unsigned l = 0; l < NR_LRU_LISTS; l++)
			plist_init(&node->lruvec.lists[l]);
	}
}

/* Node order: all zones of the own node from the highest down, then the next nodes' (spec 01 s6). */
static void build_zonelist(struct phys *p, unsigned nid, unsigned high, bool this_node,
			   struct zonelist *zl)
{
	zl->nr = 0;
	for (unsigned k = 0; k < (this_node ? 1 : p->nr_nodes); k++) {
		const pg_data_t *node = &p->nodes[(nid + k) % p->nr_nodes];

		for (unsigned t = high + 1; t-- > 0;)
			if (node->node_zones[t] && node->node_zones[t]->present_pages)
				zl->zones[zl->nr++] = node->node_zones[t];
	}
}

/* Spec 01 s5: with too few pageblocks, grouping by mobility is off. */
static void decide_mobility(struct phys *p)
{
	u64 total = 0;

	for (unsigned i = 0; i < p->nr_zones; i++) {
		const struct zone *z = &p->zones[i];
		u64 memmap = zone_is_highmem(z) ? 0 : z->memmap_pages;

		total += z->present_pages - (memmap <= z->present_pages ? memmap : 0);
	}
	p->mobility_disabled = total < (u64)p->nr_mt << p->pageblock_order;
}

static void build_all_zonelists(struct phys *p)
{
	for (unsigned n = 0; n < p->nr_nodes; n++) {
		for (unsigned t = 0; t < MM_MAX_NR_ZONES; t++) {
			build_zonelist(p, n, t, false, &p->nodes[n].node_zonelists[t]);
			build_zonelist(p, n, t, true, &p->nodes[n].node_thislists[t]);
		}
	}
	decide_mobility(p);
	set_gfp_tables(p);
}

/* ---- hand-over (spec 01 s7) ---- */

/*
 * Whole blocks of the top order, ascending, each inserted at the head: what freeing them one by one
 * (or, in highmem, page by page) leads to.
 */
static void release_top_blocks(struct zone *z, u32 from, u32 to)
{
	struct buddy_view v = view_of(z);

	for (u32 f = from; f != to; f += 1u << v.top)
		top_list_add(&v, f, MIGRATE_MOVABLE);
	add_level(z, NR_FREE_PAGES, to - from);
}

/* Frames [s, e) in the largest aligned blocks; in highmem one at a time. */
static void release_small(struct zone *z, u32 s, u32 e)
{
	while (s < e) {
		unsigned top = top_order(z->phys);
		unsigned order = s ? (unsigned)mm_min(top, mm_ffs0(s)) : top;

		if (zone_is_highmem(z))
			order = 0;
		while (s + (1ull << order) > e)
			order--;
		free_one_block(z, s, order, MIGRATE_MOVABLE);
		s += 1u << order;
	}
}

static void release_range(struct zone *z, u64 s, u64 e)
{
	const struct phys *p = z->phys;
	u32 block = 1u << top_order(p);
	u32 from = (u32)(s - p->base_pfn), to = (u32)(e - p->base_pfn);
	u32 mid = ALIGN_UP(from, block), mid_end = ALIGN_DOWN(to, block);

	z->managed_pages += e - s;
	count_vm_events(p->hw, 0, EV_PGFREE, e - s);
	if (mid >= mid_end) { /* mid > to: ALIGN_UP cannot wrap, frames are below 2^32 - 2^14 */
		release_small(z, from, to);
		return;
	}
	release_small(z, from, mid);
	release_top_blocks(z, mid, mid_end);
	release_small(z, mid_end, to);
}

static void free_all_bootmem(struct phys *p)
{
	paddr_t start, end;
	u64 page = 1ull << p->page_shift;

	memset(p->pageblock, MIGRATE_MOVABLE, p->nr_frames >> p->pageblock_order);
	for (unsigned i = 0; i < p->nr_zones; i++) {
		struct zone *z = &p->zones[i];
		unsigned nid;

		for (u64 it = 0; memblock_next_free(&p->memblock, &it, &start, &end, &nid);) {
			u64 s = mm_max((start + page - 1) >> p->page_shift, z->zone_start_pfn);
			u64 e = mm_min(end >> p->page_shift, zone_end_pfn(z));

			if (nid == z->node && s < e)
				release_range(z, s, e);
		}
		p->totalram_pages += z->managed_pages;
		if (zone_is_highmem(z))
			p->totalhigh_pages += z->managed_pages;
	}
}

/* ---- the end of boot ---- */

static int init_watermarks(struct phys *p, char *err, size_t errlen)
{
	const struct machine_config *c = p->config;

	if (p->nr_zones)
		p->zones[0].late_pages = c->reserved_late >> p->page_shift;
	p->booting = true;
	for (unsigned pass = 0; pass < c->wmark_passes; pass++) {
		calculate_min_free_kbytes(p);
		setup_per_zone_wmarks(p);
	}
	if (c->min_free_kbytes != UINT64_MAX) {
		char text[32];

		snprintf(text, sizeof(text), "%llu", (unsigned long long)c->min_free_kbytes);
		if (phys_sysctl(p, "min_free_kbytes", text))
			return fail(-EINVAL, err, errlen, "min_free_kbytes: out of range");
	}
	setup_per_zone_lowmem_reserve(p);
	if (c->lowmem_reserve_ratio[0] &&
	    phys_sysctl(p, "lowmem_reserve_ratio", c->lowmem_reserve_ratio))
		return fail(-EINVAL, err, errlen, "lowmem_reserve_ratio=%s: expected one number a "
			    "zone but the last", c->lowmem_reserve_ratio);
	setup_per_zone_inactive_ratio(p);
	p->booting = false;
	return 0;
}

/* Short cuts of the order-0 path: the first zone of each zonelist, seen from each CPU. */
static void init_fast_choices(struct phys *p)
{
	static struct zone no_zone = {.watermark = {[WMARK_LOW] = 1}}; /* never written: below its mark */

	for (unsigned cpu = 0; cpu < p->ncpu; cpu++) {
		for (unsigned bits = 0; bits < 16; bits++) {
			unsigned t = p->gfp_zone_tab[bits];
			struct fast_choice *f = &p->cpus[cpu].fast[bits];

			f->from.zone = &no_zone;
			if (p->nr_nodes > 1 || t >= MM_MAX_NR_ZONES || !p->nodes[0].node_zonelists[t].nr)
				continue;
			f->zonelist = &p->nodes[0].node_zonelists[t];
			f->alone = f->zonelist->nr == 1;
			f->from = page_source_of(p, cpu, f->zonelist->zones[0], p->migratetype_tab[bits >> 3 & 1]);
		}
	}
}

static int init_pagesets(struct phys *p)
{
	for (unsigned i = 0; i < p->nr_zones; i++)
		if (p->zones[i].pageset && pcp_update(p, &p->zones[i]))
			return -ENOMEM;
	return 0;
}

static int boot(struct phys *p, const struct phys_layout *layout, char *err, size_t errlen)
{
	int r;

	p->cpus = aligned_alloc(_Alignof(struct phys_cpu), p->ncpu * sizeof(*p->cpus));
	if (!p->cpus || memblock_init(&p->memblock) || map_arrays(p))
		return -ENOMEM;
	memset(p->cpus, 0, p->ncpu * sizeof(*p->cpus));
	for (unsigned cpu = 0; cpu < p->ncpu; cpu++)
		p->cpus[cpu].events = p->hw->cpus[cpu].events;
	if (add_banks(p, layout) || arch_memory_limits(p) || divide_nodes(p))
		return -ENOMEM;
	if (p->max_low_pfn <= p->min_low_pfn)
		return fail(-EINVAL, err, errlen, "mem=%s: no low memory", p->config->mem);
	p->total_pages = p->memblock.memory.total_size >> p->page_shift;
	r = kernel_pgd_init(&p->kpgd, p);
	if (!r)
		r = arch_reserve(p, err, errlen);
	if (r)
		return r;
	if (init_zones(p))
		return -ENOMEM;
	init_nodes(p);
	build_all_zonelists(p);
	free_all_bootmem(p);
	if (!p->totalram_pages)
		return fail(-EINVAL, err, errlen, "mem=%s: nothing is left for the buddy allocator",
			    p->config->mem);
	r = init_watermarks(p, err, errlen);
	if (!r)
		r = init_pagesets(p);
	init_fast_choices(p);
	return r;
}

int phys_init(struct phys *phys, struct hw *hw, const struct machine_config *c, char *err,
	      size_t errlen)
{
	struct phys_layout layout;
	u64 block;
	int r;

	memset(phys, 0, sizeof(*phys));
	r = phys_plan(c, &layout, err, errlen);
	if (r)
		return r;
	phys->hw = hw;
	phys->config = c;
	set_policies(phys);
	block = 1ull << (phys->page_shift + top_order(phys));
	phys->base_pfn = layout.base >> phys->page_shift;
	phys->nr_frames = ALIGN_UP(layout.bytes, block) >> phys->page_shift;
	BUG_ON(hw->base != layout.base || hw->bytes < layout.bytes || hw->ncpu < phys->ncpu);
	if (err && errlen)
		err[0] = 0;
	r = boot(phys, &layout, err, errlen);
	if (r == -ENOMEM)
		fail(r, err, errlen, "out of host memory");
	if (r)
		phys_destroy(phys);
	return r;
}

void phys_destroy(struct phys *phys)
{
	for (unsigned i = 0; i < phys->nr_zones; i++) {
		if (!phys->zones[i].phys)
			continue;
		pcp_destroy(&phys->zones[i]);
		pthread_spin_destroy(&phys->zones[i].lock);
	}
	free(phys->zones);
	free(phys->cpus);
	if (phys->nr_frames)
		unmap_arrays(phys);
	memblock_destroy(&phys->memblock);
	memset(phys, 0, sizeof(*phys));
}

/* ---- questions about frames ---- */

bool pfn_valid(const struct phys *phys, u64 pfn)
{
	return memblock_is_memory(&phys->memblock, (paddr_t)pfn << phys->page_shift);
}

struct zone *pfn_zone(const struct phys *phys, u64 pfn)
{
	for (unsigned i = 0; i < phys->nr_zones; i++)
		if (pfn - phys->zones[i].zone_start_pfn < phys->zones[i].spanned_pages)
			return &phys->zones[i];
	return NULL;
}

bool page_is_reserved(const struct phys *phys, const struct page *page)
{
	paddr_t pa = (paddr_t)page_to_pfn(phys, page) << phys->page_shift;

	return PageReserved(page) || !memblock_is_memory(&phys->memblock, pa) ||
	       memblock_is_reserved(&phys->memblock, pa);
}
