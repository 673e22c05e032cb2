/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * phys_check(): the invariants of spec 00 s0.7, 01 s13 and 03 s11 that this floor owns. Numbers in
 * results: chapter * 1000 + number (1003 is I01.3), I0.x is 0 * 1000 + x + 100.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/phys/buddy.h"

#define I0(n)  (100 + (n))
#define I01(n) (1000 + (n))
#define I03(n) (3000 + (n))

/* Frames whose struct page is looked at; above, only lists are (the rest is untouched memory). */
#define MAX_SCAN (1u << 22)

struct check {
	struct phys *p;
	u8 *seen;    /* [nr_frames] bits: frame is free, in the buddy or on a per-CPU list */
	char *why;
	size_t n;
	int bad;
};

MM_PRINTF(3, 4) static void violated(struct check *c, int number, const char *fmt, ...)
{
	va_list ap;

	if (c->bad)
		return;
	c->bad = number;
	va_start(ap, fmt);
	vsnprintf(c->why, c->n, fmt, ap);
	va_end(ap);
}

static bool see(struct check *c, u64 frame)
{
	u8 bit = (u8)(1u << (frame & 7));
	bool before = c->seen[frame >> 3] & bit;

	c->seen[frame >> 3] |= bit;
	return !before;
}

static void see_block(struct check *c, u32 frame, unsigned order)
{
	if (order < 3) {
		for (u32 i = 0; i < 1u << order; i++)
			if (!see(c, frame + i))
				violated(c, I0(1), "I0.1: frame %u is free twice", frame + i);
		return;
	}
	for (u32 i = frame >> 3; i < (frame + (1u << order)) >> 3; i++) {
		if (c->seen[i])
			violated(c, I0(1), "I0.1: a frame near %u is free twice", i << 3);
		c->seen[i] = 0xff;
	}
}

static void check_free_block(struct check *c, const struct zone *z, u32 f, unsigned order,
			     unsigned mt)
{
	const struct phys *p = c->p;
	unsigned got;

	if (!page_buddy(p, f, &got) || got != order ||
	    *order_byte_of(p, f, order) >> TYPE_SHIFT != mt)
		violated(c, I03(2), "I03.2: frame %u is on list order %u type %u but not marked so",
			 f, order, mt);
	if (f & ((1u << order) - 1) || !frame_in_zone(z, f) ||
	    !frame_in_zone(z, f + (1u << order) - 1))
		violated(c, I03(2), "I03.2: free block %u order %u unaligned or across zones", f,
			 order);
	if (order < top_order(p) && !z->nr_isolate_pageblocks &&
	    buddy_is_free(z, f ^ (1u << order), order))
		violated(c, I03(2), "I03.2: free buddies %u and %u of order %u", f,
			 f ^ (1u << order), order);
	if (p->memmap[f]._count)
		violated(c, I0(1), "I0.1: free block %u has count %d", f, p->memmap[f]._count);
}

/* Walks one list; returns its blocks. */
static u64 check_list(struct check *c, const struct zone *z, unsigned order, unsigned mt)
{
	const struct phys *p = c->p;
	bool top = order == top_order(p);
	u32 head = free_list_head(z, order, mt), prev = head, id;
	u64 n = 0;

	for (;; n++) {
		id = top ? p->top_links[prev].next : page_link(p->memmap, prev)->next;
		if ((top ? p->top_links[id].prev : page_link(p->memmap, id)->prev) != prev)
			violated(c, I0(2), "I0.2: list order %u type %u broken at %u", order, mt, id);
		if (id == head || c->bad)
			return n;
		check_free_block(c, z, top ? id << order : id, order, mt);
		see_block(c, top ? id << order : id, order);
		prev = id;
	}
}

static u64 check_free_lists(struct check *c, const struct zone *z)
{
	u64 pages = 0;

	for (unsigned o = 0; o < c->p->max_order; o++) {
		u64 blocks = 0;

		for (unsigned mt = 0; mt < MIGRATE_TYPES && !c->bad; mt++) {
			u64 n = check_list(c, z, o, mt);

			blocks += n;
			if (mt != MIGRATE_ISOLATE)
				pages += n << o;
		}
		if (!c->bad && blocks != z->free_area[o].nr_free)
			violated(c, I0(2), "I0.2: %s order %u: nr_free %u, %llu on the lists",
				 z->name, o, z->free_area[o].nr_free, (unsigned long long)blocks);
	}
	if (!c->bad && (s64)pages != z->vm_stat[NR_FREE_PAGES])
		violated(c, I0(2), "I0.2: %s: nr_free_pages %lld, %llu on the lists", z->name,
			 (long long)z->vm_stat[NR_FREE_PAGES], (unsigned long long)pages);
	return pages;
}

static void check_pcp_page(struct check *c, const struct zone *z, const struct page *page)
{
	u32 f = page_frame(c->p, page);
	unsigned order;

	if (page->_count || page_buddy(c->p, f, &order) || !frame_in_zone(z, f))
		violated(c, I03(3), "I03.3: frame %u on a per-CPU list has count %d or is in the "
			 "buddy or another zone", f, page->_count);
	if (!c->bad && !see(c, f))
		violated(c, I0(1), "I0.1: frame %u is free twice (per-CPU list)", f);
}

/*
 * I03.4 bounds count by high; a refill of one list while others are full may exceed it by a batch for
 * each of the other lists, until the next free. Lists that were longer when high was lowered stay so:
 * as in Linux a free takes back no more than a batch.
 */
static u64 check_pageset(struct check *c, const struct zone *z, unsigned cpu)
{
	const struct per_cpu_pages *pcp = &z->pageset[cpu];
	u64 sum = 0;

	for (unsigned mt = 0; mt < MIGRATE_PCPTYPES; mt++) {
		const struct pcp_list *l = &pcp->lists[mt];

		sum += pcp_list_nr(l);
		for (u32 i = 0; i < pcp_list_nr(l) && !c->bad; i++)
			check_pcp_page(c, z, pcp_entry_page(l->ring[(l->head + i) & l->mask]));
	}
	if (sum != pcp->count)
		violated(c, I03(4), "I03.4: %s cpu %u: count %u, %llu on the lists", z->name, cpu,
			 pcp->count, (unsigned long long)sum);
	if (pcp->count >= z->pcp_most)
		violated(c, I03(4), "I03.4: %s cpu %u: count %u with high %u", z->name, cpu,
			 pcp->count, pcp->high);
	return sum;
}

static void check_zone(struct check *c, const struct zone *z)
{
	u64 free, pcp = 0, used = 0;

	if (z->watermark[WMARK_MIN] > z->watermark[WMARK_LOW] ||
	    z->watermark[WMARK_LOW] > z->watermark[WMARK_HIGH])
		violated(c, I01(3), "I01.3: %s: watermarks out of order", z->name);
	if (z->managed_pages > z->present_pages || z->present_pages > z->spanned_pages)
		violated(c, I0(4), "I0.4: %s: managed %llu present %llu spanned %llu", z->name,
			 (unsigned long long)z->managed_pages,
			 (unsigned long long)z->present_pages,
			 (unsigned long long)z->spanned_pages);
	free = check_free_lists(c, z);
	for (unsigned cpu = 0; z->pageset && cpu < c->p->ncpu && !c->bad; cpu++)
		pcp += check_pageset(c, z, cpu);
	if (c->bad)
		return;
	if (free + pcp > z->managed_pages)
		violated(c, I0(3), "I0.3: %s: more free than managed", z->name);
	if (c->p->nr_frames > MAX_SCAN)
		return;
	for (u64 f = z->start_frame; f < (u64)z->start_frame + z->nr_frames; f++) {
		if (c->p->memmap[f]._count <= 0 || PageReserved(&c->p->memmap[f])) /* the zero page */
			continue;
		used++;
		if (c->seen[f >> 3] >> (f & 7) & 1)
			violated(c, I0(1), "I0.1: frame %llu is free and has count %d",
				 (unsigned long long)f, c->p->memmap[f]._count);
		else if (page_zone(c->p, &c->p->memmap[f]) != z)
			violated(c, I01(2), "I01.2: frame %llu names another zone",
				 (unsigned long long)f);
	}
	if (free + pcp + used > z->managed_pages)
		violated(c, I0(3), "I0.3: %s: free %llu + per-CPU %llu + in use %llu > managed %llu",
			 z->name, (unsigned long long)free, (unsigned long long)pcp,
			 (unsigned long long)used, (unsigned long long)z->managed_pages);
}

/* I01.2: zones do not overlap and every frame of RAM that the kernel uses lies in one. */
static void check_spans(struct check *c)
{
	const struct phys *p = c->p;
	u64 present = 0;

	for (unsigned i = 0; i < p->nr_zones; i++) {
		const struct zone *a = &p->zones[i];

		present += a->present_pages;
		for (unsigned j = 0; j < i; j++) {
			const struct zone *b = &p->zones[j];

			if (a->present_pages && b->present_pages &&
			    a->zone_start_pfn < zone_end_pfn(b) &&
			    b->zone_start_pfn < zone_end_pfn(a))
				violated(c, I01(2), "I01.2: zones %u and %u overlap", i, j);
		}
	}
	if (present > p->total_pages)
		violated(c, I01(2), "I01.2: more pages in zones than RAM");
}

static void check_reserve(struct check *c)
{
	const struct phys *p = c->p;
	u64 sum = 0;

	for (unsigned i = 0; i < p->nr_zones; i++) {
		u64 max = 0;

		for (unsigned j = p->zones[i].type; j < MM_MAX_NR_ZONES; j++)
			max = mm_max(max, p->zones[i].lowmem_reserve[j]);
		sum += mm_min(p->zones[i].managed_pages, max + p->zones[i].watermark[WMARK_HIGH]);
	}
	if (sum != p->totalreserve_pages)
		violated(c, I01(4), "totalreserve_pages %llu, sum over zones %llu",
			 (unsigned long long)p->totalreserve_pages, (unsigned long long)sum);
}

int phys_check(struct phys *phys, char *why, size_t n)
{
	struct check c = {.p = phys, .why = why, .n = n};

	if (memblock_check(&phys->memblock, why, n))
		return I01(1);
	c.seen = calloc(phys->nr_frames / 8 + 1, 1);
	if (!c.seen) {
		snprintf(why, n, "no host memory for the check");
		return I0(0);
	}
	check_spans(&c);
	check_reserve(&c);
	for (unsigned i = 0; i < phys->nr_zones && !c.bad; i++)
		check_zone(&c, &phys->zones[i]);
	free(c.seen);
	return c.bad;
}
