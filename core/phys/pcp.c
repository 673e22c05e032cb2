/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Per-CPU page lists (spec 03 s3.4, s5, s6.2-6.5).
 *
 *        head                                   tail
 *   free ->| newest ... oldest | <- cold free, COLD refill
 *  alloc <-|                   | -> bulk free to the buddy, COLD allocation
 *
 * A ring of page pointers per type: pushing and popping touch no other page's struct.
 * Linux: mm/page_alloc.c; left out: lists per order (5.13).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/phys/buddy.h"

/*
 * batch of spec 03 s5: a quarter of a thousandth of the zone, at most 128 KiB, as 2^n - 1.
 */
static u32 zone_batchsize(const struct phys *p, const struct zone *z)
{
	u64 b = mm_min(z->managed_pages / 1024, (512 * 1024) >> p->page_shift);

	b = mm_max(b / 4, 1);
	return (u32)((1ull << ilog2(b + b / 2)) - 1);
}

static void pageset_values(const struct phys *p, const struct zone *z, u32 *batch, u32 *high)
{
	u32 b = zone_batchsize(p, z);

	*high = 6 * b;
	*batch = (u32)mm_max(b, 1);
	if (p->percpu_pagelist_fraction) {
		*high = (u32)(z->managed_pages / p->percpu_pagelist_fraction);
		*batch = (u32)mm_clamp(*high / 4, 1, p->page_shift * 8);
	}
	if (p->pcp_batch)
		*batch = (u32)p->pcp_batch;
	if (p->pcp_high)
		*high = (u32)p->pcp_high;
	else if (p->pcp_batch)
		*high = 6 * *batch;
}

/* Room for everything a list may hold: high, and refills of the others while it is full. */
static int ring_resize(struct pcp_list *l, u32 high, u32 batch)
{
	u64 need = mm_max((u64)high + 4ull * batch + 2, pcp_list_nr(l) + 2ull * batch);
	u32 slots = 1u << mm_fls(need);
	u64 *ring;

	if (l->ring && slots <= l->mask + 1)
		return 0;
	ring = malloc(slots * sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	for (u32 i = l->head; i != l->tail; i++)
		ring[i & (slots - 1)] = l->ring[i & l->mask];
	free(l->ring);
	l->ring = ring;
	l->mask = slots - 1;
	return 0;
}

static int pageset_set(struct zone *z, u32 batch, u32 high)
{
	for (unsigned cpu = 0; cpu < z->phys->ncpu; cpu++) {
		struct per_cpu_pages *pcp = &z->pageset[cpu];

		for (unsigned mt = 0; mt < MIGRATE_PCPTYPES; mt++)
			if (ring_resize(&pcp->lists[mt], high, batch))
				return -ENOMEM;
		pcp->batch = batch;
		pcp->high = high;
	}
	z->pcp_most = mm_max(z->pcp_most, mm_max(high, 1) + 3ull * batch);
	return 0;
}

int pcp_init(struct phys *p, struct zone *z)
{
	z->pageset = aligned_alloc(64, p->ncpu * sizeof(*z->pageset));
	if (!z->pageset)
		return -ENOMEM;
	memset(z->pageset, 0, p->ncpu * sizeof(*z->pageset));
	return pageset_set(z, 1, 0);
}

void pcp_destroy(struct zone *z)
{
	for (unsigned cpu = 0; z->pageset && cpu < z->phys->ncpu; cpu++)
		for (unsigned mt = 0; mt < MIGRATE_PCPTYPES; mt++)
			free(z->pageset[cpu].lists[mt].ring);
	free(z->pageset);
	z->pageset = NULL;
}

int pcp_update(struct phys *p, struct zone *z)
{
	u32 batch, high;

	pageset_values(p, z, &batch, &high);
	return pageset_set(z, batch, high);
}

/* Charges what this CPU took since its last visit to the zone lock (smp=1). */
static void fold_batch(struct zone *z, struct per_cpu_pages *pcp)
{
	if (!pcp->batch_taken)
		return;
	add_level(z, NR_ALLOC_BATCH, -(s64)pcp->batch_taken);
	SET_RELAXED(pcp->batch_taken, 0);
	if (z->vm_stat[NR_ALLOC_BATCH] <= 0)
		SET_RELAXED(z->flags, z->flags | ZONE_FAIR_DEPLETED);
}

/*
 * Takes batch pages out of the buddy onto the empty list of @mt, so that popping (from the tail for
 * COLD) yields them in the order of extraction. False if the zone has none left.
 */
bool pcp_refill(struct zone *z, unsigned cpu, enum migratetype mt, bool cold)
{
	struct per_cpu_pages *pcp = &z->pageset[cpu];
	struct pcp_list *l = &pcp->lists[mt];
	struct page *map = z->phys->memmap;
	u32 left = pcp->batch, taken;

	VM_BUG_ON(pcp_list_nr(l));
	if (MM_UNLIKELY(RELAXED(pcp->drain_wanted)))
		pcp_drain(z, cpu);
	zone_lock(z);
	fold_batch(z, pcp);
	while (left) {
		enum migratetype got_mt;
		u32 frame, got = rmqueue(z, 0, mt, left, &frame, &got_mt);

		if (!got)
			break;
		for (u32 i = 0; i < got; i++) {
			u64 entry = (uintptr_t)&map[frame + i] | got_mt;

			if (cold)
				l->ring[--l->head & l->mask] = entry;
			else
				l->ring[l->tail++ & l->mask] = entry;
		}
		left -= got;
	}
	taken = pcp_list_nr(l);
	add_level(z, NR_FREE_PAGES, -(s64)taken);
	zone_unlock(z);
	pcp->count += taken;
	return taken;
}

MM_INLINE u64 pop_tail(struct pcp_list *l)
{
	return l->ring[--l->tail & l->mask];
}

/* Brings the order bytes and links of the pages freed next into the cache. */
static void prefetch_tail(const struct phys *p, const struct pcp_list *l, u32 n)
{
	n = (u32)mm_min(mm_min(n, pcp_list_nr(l)), 64);
	for (u32 i = 1; i <= n; i++) {
		u64 e = l->ring[(l->tail - i) & l->mask];
		u32 frame = page_frame(p, pcp_entry_page(e));

		__builtin_prefetch(&p->order_byte[frame], 1);
		__builtin_prefetch(page_link(p->memmap, frame), 1);
	}
}

/* Pages of pageblocks being isolated keep the block's type, not the one they were freed with. */
static enum migratetype isolated_type(struct zone *z, u32 frame)
{
	enum migratetype mt = frame_pageblock_type(z->phys, frame);

	if (mt == MIGRATE_ISOLATE)
		add_level(z, NR_FREE_PAGES, -1);
	return mt;
}

/* Frees @n pages from the tail of @l. */
MM_INLINE void free_tail(const struct buddy_view *v, struct pcp_list *l, u32 n)
{
	for (u32 end = l->tail - n; l->tail != end;) {
		u64 e = pop_tail(l);
		u32 frame = (u32)(pcp_entry_page(e) - v->map);
		enum migratetype mt = (enum migratetype)(e & PCP_ENTRY_TYPE);

		if (MM_UNLIKELY(v->z->nr_isolate_pageblocks))
			mt = isolated_type(v->z, frame);
		view_free(v, frame, 0, mt);
	}
}

/* Round robin over the three lists, from their tails (spec 03 s6.3). */
void pcp_bulk_free(struct zone *z, unsigned cpu, u32 n)
{
	struct per_cpu_pages *pcp = &z->pageset[cpu];
	const struct phys *p = z->phys;
	struct buddy_view v = view_of(z);
	u32 left = (u32)mm_min(n, pcp->count), batch_free = 0;
	unsigned turn = 0;

	pcp->count -= left;
	for (unsigned mt = 0; mt < MIGRATE_PCPTYPES; mt++)
		prefetch_tail(p, &pcp->lists[mt], left);
	zone_lock(z);
	fold_batch(z, pcp);
	if (z->vm_stat[NR_PAGES_SCANNED])
		add_level(z, NR_PAGES_SCANNED, -z->vm_stat[NR_PAGES_SCANNED]);
	add_level(z, NR_FREE_PAGES, left);
	while (left) {
		struct pcp_list *l;
		u32 take;

		do {
			batch_free++;
			if (++turn == MIGRATE_PCPTYPES)
				turn = 0;
			l = &pcp->lists[p->mt_order[turn]];
		} while (!pcp_list_nr(l));
		if (batch_free == MIGRATE_PCPTYPES)
			batch_free = left;
		take = (u32)mm_min(mm_min(batch_free, left), pcp_list_nr(l));
		free_tail(&v, l, take);
		left -= take;
		batch_free -= take;
	}
	zone_unlock(z);
}

void pcp_drain(struct zone *z, unsigned cpu)
{
	struct per_cpu_pages *pcp = &z->pageset[cpu];

	SET_RELAXED(pcp->drain_wanted, 0);
	if (pcp->count)
		pcp_bulk_free(z, cpu, pcp->count);
}

void drain_local_pages(struct phys *phys, unsigned cpu, struct zone *zone)
{
	for (unsigned i = 0; i < phys->nr_zones; i++)
		if ((!zone || zone == &phys->zones[i]) && phys->zones[i].pageset)
			pcp_drain(&phys->zones[i], cpu);
}

/* With smp=1 the other CPUs' lists belong to their threads: they are asked, as an IPI would. */
void drain_zone_pages(struct phys *phys, struct zone *zone)
{
	for (unsigned cpu = 0; cpu < phys->ncpu; cpu++) {
		if (!phys->smp) {
			drain_local_pages(phys, cpu, zone);
			continue;
		}
		for (unsigned i = 0; i < phys->nr_zones; i++)
			if ((!zone || zone == &phys->zones[i]) && phys->zones[i].pageset)
				SET_RELAXED(phys->zones[i].pageset[cpu].drain_wanted, 1);
	}
}

void drain_all_pages(struct phys *phys)
{
	drain_zone_pages(phys, NULL);
}

u32 pcp_list_length(const struct zone *zone, unsigned cpu, enum migratetype mt)
{
	return pcp_list_nr(&zone->pageset[cpu].lists[mt]);
}

u32 pcp_list_frame(const struct zone *zone, unsigned cpu, enum migratetype mt, u32 i)
{
	const struct pcp_list *l = &zone->pageset[cpu].lists[mt];

	return page_frame(zone->phys, pcp_entry_page(l->ring[(l->head + i) & l->mask]));
}
