/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pageblocks and their migratetypes: fallback and stealing, RESERVE and HIGHATOMIC blocks.
 *
 * Terms: start (the type that is wanted), fallback (the type robbed), claim (a pageblock changes its
 * type because enough of it came along).
 * Linux: mm/page_alloc.c, mm/page_isolation.c; left out: CMA areas (the type exists, no block has it).
 */
#include "core/phys/buddy.h"

/* Whom to rob, in this order (spec 03 s3.2). Both rules have the same table. */
static const u8 fallbacks[MIGRATE_PCPTYPES][2] = {
	[MIGRATE_UNMOVABLE] = {MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE},
	[MIGRATE_RECLAIMABLE] = {MIGRATE_UNMOVABLE, MIGRATE_MOVABLE},
	[MIGRATE_MOVABLE] = {MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE},
};

void set_block_type(const struct phys *p, u32 frame, enum migratetype mt)
{
	u8 *b = &p->pageblock[frame >> p->pageblock_order];

	if (p->mobility_disabled && mt < MIGRATE_PCPTYPES)
		mt = MIGRATE_UNMOVABLE;
	SET_RELAXED(*b, (u8)((*b & ~PAGEBLOCK_TYPE) | mt));
}

enum migratetype get_pageblock_migratetype(const struct phys *phys, const struct page *page)
{
	return frame_pageblock_type(phys, page_frame(phys, page));
}

void set_pageblock_migratetype(struct phys *phys, const struct page *page, enum migratetype mt)
{
	set_block_type(phys, page_frame(phys, page), mt);
}

/* Frames of the pageblock of @frame that a move may touch; false if it must move nothing. */
static bool block_range(const struct zone *z, u32 frame, u32 *start, u32 *end)
{
	u32 n = 1u << z->phys->pageblock_order;

	*start = frame & ~(n - 1);
	*end = *start + n;
	if (!frame_in_zone(z, *start))
		*start = frame;
	return frame_in_zone(z, *end - 1);
}

/*
 * PageLRU of a page that another CPU may be using: a guess, as in the kernel, that only weighs the
 * decision to claim a block.
 */
__attribute__((noinline, no_sanitize("thread"))) static bool looks_movable(const struct page *page)
{
	return *(const volatile u32 *)&page->flags >> PG_lru & 1;
}

/*
 * Moves every free block of the pageblock to the heads of @mt's lists; counts pages moved and, with
 * @movable, pages in use that sit on an LRU list.
 */
static u64 move_block(struct zone *z, u32 frame, enum migratetype mt, u64 *movable)
{
	const struct phys *p = z->phys;
	u64 moved = 0;
	u32 start, end;
	unsigned order;

	if (movable)
		*movable = 0;
	if (!block_range(z, frame, &start, &end))
		return 0;
	for (u64 f = start; f < end;) {
		if (!page_buddy(p, f, &order)) {
			if (movable && looks_movable(&p->memmap[f]))
				++*movable;
			f++;
			continue;
		}
		free_list_del(z, (u32)f, order);
		free_list_add(z, (u32)f, order, mt);
		f += 1u << order;
		moved += 1u << order;
	}
	return moved;
}

u64 move_freepages_block(struct phys *phys, struct zone *zone, u32 frame, enum migratetype mt)
{
	u64 moved;

	BUG_ON(zone->phys != phys);
	zone_lock(zone);
	moved = move_block(zone, frame, mt, NULL);
	zone_unlock(zone);
	return moved;
}

static void claim_range(const struct phys *p, u32 frame, unsigned order, enum migratetype mt)
{
	for (u32 i = 0; i < 1u << (order - p->pageblock_order); i++)
		set_block_type(p, frame + (i << p->pageblock_order), mt);
}

/* A robber of @start may take the whole pageblock along with a block of @order. */
static bool can_steal(const struct phys *p, unsigned order, enum migratetype start)
{
	return order >= p->pageblock_order / 2 || start == MIGRATE_RECLAIMABLE ||
	       start == MIGRATE_UNMOVABLE || p->mobility_disabled;
}

/* try_to_steal of 4.0: the pageblock's free blocks change lists, then perhaps its type. */
static void try_to_steal(struct zone *z, u32 frame, unsigned order, enum migratetype start)
{
	const struct phys *p = z->phys;
	u64 moved;

	if (order >= p->pageblock_order) {
		claim_range(p, frame, order, start);
		return;
	}
	if (!can_steal(p, order, start))
		return;
	moved = move_block(z, frame, start, NULL);
	if (moved >= 1u << (p->pageblock_order - 1) || p->mobility_disabled)
		set_block_type(p, frame, start);
}

/* Largest order with a block on one of @start's fallback lists; its head goes to *@frame. */
static bool find_fallback(const struct zone *z, unsigned order, enum migratetype start, u32 *frame,
			  unsigned *found)
{
	for (unsigned o = z->phys->max_order; o-- > order;) {
		for (unsigned i = 0; i < 2; i++) {
			u32 first = free_list_first(z, o, fallbacks[start][i]);

			if (first != PFN_NONE) {
				*frame = first;
				*found = o;
				return true;
			}
		}
	}
	return false;
}

/* 4.0: the block found is split at once, its remainder going to @start's lists. */
static u32 fallback_40(struct zone *z, unsigned order, enum migratetype start, u32 *frame)
{
	struct buddy_view v = view_of(z);
	unsigned o;

	if (!find_fallback(z, order, start, frame, &o))
		return 0;
	try_to_steal(z, *frame, o, start);
	free_list_del(z, *frame, o);
	if (o > order)
		free_remainder(&v, *frame, 1u << order, o, start);
	return 1;
}

/* 4.12: the block found, or its pageblock, moves to @start's lists; the search is then repeated. */
static bool fallback_412(struct zone *z, unsigned order, enum migratetype start)
{
	const struct phys *p = z->phys;
	enum migratetype old;
	u64 free, movable, alike;
	unsigned o;
	u32 frame;

	if (!find_fallback(z, order, start, &frame, &o))
		return false;
	old = frame_pageblock_type(p, frame);
	if (o >= p->pageblock_order) {
		claim_range(p, frame, o, start);
	} else if (can_steal(p, o, start) && !(p->highatomic && old == MIGRATE_HIGHATOMIC)) {
		free = move_block(z, frame, start, &movable);
		alike = start == MIGRATE_MOVABLE ? movable
			: old == MIGRATE_MOVABLE
				? (1ull << p->pageblock_order) - (free + movable)
				: 0;
		if (free) {
			if (free + alike >= 1u << (p->pageblock_order - 1) || p->mobility_disabled)
				set_block_type(p, frame, start);
			return true;
		}
	}
	free_list_del(z, frame, o);
	free_list_add(z, frame, o, start);
	return true;
}

u32 rmqueue_slow(struct zone *z, unsigned order, enum migratetype mt, u32 want, u32 *frame,
		 enum migratetype *got_mt)
{
	u32 got = 0;

	if (mt >= MIGRATE_PCPTYPES)
		return 0;
	if (z->phys->steal412)
		got = fallback_412(z, order, mt) ? rmqueue_smallest(z, order, mt, want, frame) : 0;
	else
		got = fallback_40(z, order, mt, frame);
	if (!got && !z->phys->highatomic) {
		*got_mt = MIGRATE_RESERVE;
		got = rmqueue_smallest(z, order, MIGRATE_RESERVE, want, frame);
	}
	return got;
}

static bool block_has_reserved(const struct phys *p, u64 pfn, u64 end_pfn)
{
	paddr_t start = pfn << p->page_shift, end = end_pfn << p->page_shift;

	return memblock_bytes_in(&p->memblock.memory, start, end) < end - start ||
	       memblock_bytes_in(&p->memblock.reserved, start, end);
}

static void retype_block(struct zone *z, u32 frame, enum migratetype mt)
{
	set_block_type(z->phys, frame, mt);
	move_block(z, frame, mt, NULL);
}

/*
 * Brings the number of RESERVE blocks to what the min watermark asks for (spec 03 s7). The scan is
 * from the start of the zone, so the lowest wholly usable blocks are the reserve.
 */
void setup_zone_migrate_reserve(struct zone *z)
{
	const struct phys *p = z->phys;
	u64 n = 1ull << p->pageblock_order, old = z->nr_migrate_reserve_block;
	u64 reserve = mm_min(ALIGN_UP(z->watermark[WMARK_MIN], n) >> p->pageblock_order, 2);

	if (reserve == old)
		return;
	z->nr_migrate_reserve_block = reserve;
	for (u64 pfn = ALIGN_UP(z->zone_start_pfn, n); pfn < zone_end_pfn(z); pfn += n) {
		u32 frame = (u32)(pfn - p->base_pfn);
		enum migratetype mt = frame_pageblock_type(p, frame);

		if (!pfn_valid(p, pfn))
			continue;
		if (reserve) {
			if (block_has_reserved(p, pfn, mm_min(pfn + n, zone_end_pfn(z))))
				continue;
			if (mt == MIGRATE_RESERVE || mt == MIGRATE_MOVABLE)
				reserve--;
			if (mt == MIGRATE_MOVABLE)
				retype_block(z, frame, MIGRATE_RESERVE);
			continue;
		}
		if (!old)
			break;
		if (mt == MIGRATE_RESERVE)
			retype_block(z, frame, MIGRATE_MOVABLE);
	}
}

/* After a high-order atomic allocation: its pageblock is kept for the next one (spec 03 s7). */
void reserve_highatomic_pageblock(struct zone *z, u32 frame)
{
	const struct phys *p = z->phys;
	u64 n = 1ull << p->pageblock_order;
	enum migratetype mt;

	zone_lock(z);
	mt = frame_pageblock_type(p, frame);
	if (z->nr_reserved_highatomic < z->managed_pages / 100 + n && mt != MIGRATE_HIGHATOMIC &&
	    mt != MIGRATE_ISOLATE && mt != MIGRATE_CMA) {
		SET_RELAXED(z->nr_reserved_highatomic, z->nr_reserved_highatomic + n);
		retype_block(z, frame, MIGRATE_HIGHATOMIC);
	}
	zone_unlock(z);
}

static bool unreserve_zone(struct zone *z, enum migratetype mt)
{
	const struct phys *p = z->phys;
	u64 n = 1ull << p->pageblock_order;
	bool moved = false;

	zone_lock(z);
	for (unsigned o = 0; o < p->max_order && !moved; o++) {
		u32 frame = free_list_first(z, o, MIGRATE_HIGHATOMIC);

		if (frame == PFN_NONE)
			continue;
		if (frame_pageblock_type(p, frame) == MIGRATE_HIGHATOMIC)
			SET_RELAXED(z->nr_reserved_highatomic,
				    z->nr_reserved_highatomic - mm_min(n, z->nr_reserved_highatomic));
		set_block_type(p, frame, mt);
		moved = move_block(z, frame, mt, NULL);
	}
	zone_unlock(z);
	return moved;
}

bool unreserve_highatomic_pageblock(const struct alloc_context *ac, bool force)
{
	if (!ac->phys->highatomic)
		return false;
	for (u32 i = 0; i < ac->zonelist->nr; i++) {
		struct zone *z = ac->zonelist->zones[i];

		if (!force && z->nr_reserved_highatomic <= 1ull << ac->phys->pageblock_order)
			continue;
		if (unreserve_zone(z, ac->migratetype))
			return true;
	}
	return false;
}
