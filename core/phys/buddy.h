/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Private to floor 3: the free lists themselves. All functions need the zone lock when smp=1.
 *
 * A free block is known by its first frame only: the order byte says "free, this order, on this
 * migratetype's list"; the link joins it to its list. Nothing of it is in struct page, so merging
 * reads one dense byte per order and a block that nobody allocated touches no struct page.
 *
 * Fields that other threads read without the lock (levels, list heads for the watermark test) are
 * written with relaxed atomic stores: plain moves on every host, and defined behaviour.
 */
#ifndef MEMRIG_PHYS_BUDDY_H
#define MEMRIG_PHYS_BUDDY_H

#include "core/base/bits.h"
#include "core/phys/page_alloc.h"

#define RELAXED(x)        __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define SET_RELAXED(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELAXED)

#define ORDER_MASK 15u /* of the order byte */
#define TYPE_SHIFT 4

MM_INLINE unsigned top_order(const struct phys *p)
{
	return p->max_order - 1;
}

MM_INLINE u8 *order_byte_of(const struct phys *p, u32 frame, unsigned order)
{
	return order == top_order(p) ? &p->top_byte[frame >> order] : &p->order_byte[frame];
}

MM_INLINE struct page_link *link_of(const struct phys *p, u32 frame, unsigned order)
{
	return order == top_order(p) ? &p->top_links[frame >> order] : page_link(p->memmap, frame);
}

MM_INLINE void zone_lock(struct zone *z)
{
	if (MM_UNLIKELY(z->smp))
		pthread_spin_lock(&z->lock);
}

MM_INLINE void zone_unlock(struct zone *z)
{
	if (MM_UNLIKELY(z->smp))
		pthread_spin_unlock(&z->lock);
}

/* Under the zone lock only: the sole writers of these levels. */
MM_INLINE void add_level(struct zone *z, enum zone_stat_item item, s64 d)
{
	SET_RELAXED(z->vm_stat[item], z->vm_stat[item] + d);
}

MM_INLINE bool frame_in_zone(const struct zone *z, u32 frame)
{
	return frame - z->start_frame < z->nr_frames;
}

MM_INLINE void free_list_add(struct zone *z, u32 frame, unsigned order, enum migratetype mt,
			     bool tail)
{
	const struct phys *p = z->phys;
	struct free_area *area = &z->free_area[order];
	struct free_list *l = &area->list[mt];
	struct page_link *k = link_of(p, frame, order);

	VM_BUG_ON(frame & ((1u << order) - 1));
	*order_byte_of(p, frame, order) = (u8)(order + 1 + ((unsigned)mt << TYPE_SHIFT));
	if (l->first == PFN_NONE) {
		*k = (struct page_link){PFN_NONE, PFN_NONE};
		l->last = frame;
		SET_RELAXED(l->first, frame);
	} else if (tail) {
		*k = (struct page_link){PFN_NONE, l->last};
		link_of(p, l->last, order)->next = frame;
		l->last = frame;
	} else {
		*k = (struct page_link){l->first, PFN_NONE};
		link_of(p, l->first, order)->prev = frame;
		SET_RELAXED(l->first, frame);
	}
	SET_RELAXED(area->nr_free, area->nr_free + 1);
}

/* Takes the free block at @frame off the list that its order byte names. */
MM_INLINE void free_list_del(struct zone *z, u32 frame, unsigned order)
{
	const struct phys *p = z->phys;
	struct free_area *area = &z->free_area[order];
	u8 *byte = order_byte_of(p, frame, order);
	struct free_list *l = &area->list[*byte >> TYPE_SHIFT];
	struct page_link k = *link_of(p, frame, order);

	VM_BUG_ON((*byte & ORDER_MASK) != order + 1);
	*byte = 0;
	if (k.prev == PFN_NONE)
		SET_RELAXED(l->first, k.next);
	else
		link_of(p, k.prev, order)->next = k.next;
	if (k.next == PFN_NONE)
		l->last = k.prev;
	else
		link_of(p, k.next, order)->prev = k.prev;
	SET_RELAXED(area->nr_free, area->nr_free - 1);
}

MM_INLINE enum migratetype frame_pageblock_type(const struct phys *p, u32 frame)
{
	return (enum migratetype)(RELAXED(p->pageblock[frame >> p->pageblock_order]) &
				  PAGEBLOCK_TYPE);
}

/* The block of this order that would merge with @frame's is free. */
MM_INLINE bool buddy_is_free(const struct zone *z, u32 buddy, unsigned order)
{
	return (z->phys->order_byte[buddy] & ORDER_MASK) == order + 1 && frame_in_zone(z, buddy);
}

/* Frees a block into the buddy: merges, then head or tail (spec 03 s6.4). */
MM_INLINE void free_one_block(struct zone *z, u32 frame, unsigned order, enum migratetype mt)
{
	unsigned top = top_order(z->phys), limit = top;

	if (MM_UNLIKELY(mt == MIGRATE_ISOLATE))
		limit = (unsigned)mm_min(top, z->phys->pageblock_order);
	else
		add_level(z, NR_FREE_PAGES, 1ll << order);
	while (order < limit) {
		u32 buddy = frame ^ (1u << order);

		if (!buddy_is_free(z, buddy, order))
			break;
		free_list_del(z, buddy, order);
		frame &= ~(1u << order);
		order++;
	}
	/* Would merge again as soon as its buddy is freed: then keep it from being taken. */
	bool tail = order + 1 < top &&
		    buddy_is_free(z, (frame & ~(1u << order)) ^ (2u << order), order + 1);
	free_list_add(z, frame, order, mt, tail);
}

/* Free blocks that are left of [frame, frame + 2^order) behind its first @used frames. */
MM_INLINE void free_remainder(struct zone *z, u32 frame, u32 used, unsigned order,
			      enum migratetype mt)
{
	while (used < 1u << order) {
		unsigned o = mm_ffs0(used);

		free_list_add(z, frame + used, o, mt, false);
		used += 1u << o;
	}
}

/* Lowest order >= @order with a block of @mt, or MAX_ORDER. */
MM_INLINE unsigned smallest_order(const struct zone *z, unsigned order, enum migratetype mt)
{
	unsigned n = z->phys->max_order;

	while (order < n && z->free_area[order].list[mt].first == PFN_NONE)
		order++;
	return order;
}

/*
 * Up to @want blocks of @order, all out of the smallest suitable block of @mt's lists (spec 03
 * s3.1): they are [*frame, *frame + got << order). Taking several at once leaves the lists exactly as
 * taking them one by one would: every list below the split block's order is empty then.
 */
MM_INLINE u32 rmqueue_smallest(struct zone *z, unsigned order, enum migratetype mt, u32 want,
			       u32 *frame)
{
	unsigned o = smallest_order(z, order, mt);
	u32 got;

	if (o == z->phys->max_order)
		return 0;
	*frame = z->free_area[o].list[mt].first;
	free_list_del(z, *frame, o);
	got = (u32)mm_min(want, 1u << (o - order));
	if (got << order != 1u << o)
		free_remainder(z, *frame, got << order, o, mt);
	return got;
}

/* pageblock.c: spec 03 s3.2, s3.3. Type under which the blocks count goes to *@got_mt. */
u32 rmqueue_slow(struct zone *z, unsigned order, enum migratetype mt, u32 want, u32 *frame,
		 enum migratetype *got_mt);

MM_INLINE u32 rmqueue(struct zone *z, unsigned order, enum migratetype mt, u32 want, u32 *frame,
		      enum migratetype *got_mt)
{
	u32 got = rmqueue_smallest(z, order, mt, want, frame);

	*got_mt = mt;
	if (MM_UNLIKELY(!got))
		return rmqueue_slow(z, order, mt, want, frame, got_mt);
	return got;
}

void reserve_highatomic_pageblock(struct zone *z, u32 frame); /* pageblock.c */
void setup_zone_migrate_reserve(struct zone *z);
void set_block_type(const struct phys *p, u32 frame, enum migratetype mt);

/* pcp.c */
int pcp_init(struct phys *p, struct zone *z);    /* rings and boot values; -ENOMEM */
void pcp_destroy(struct zone *z);
int pcp_update(struct phys *p, struct zone *z);  /* batch and high from the configuration */
bool pcp_refill(struct zone *z, unsigned cpu, enum migratetype mt, bool cold);
void pcp_bulk_free(struct zone *z, unsigned cpu, u32 n);
void pcp_drain(struct zone *z, unsigned cpu);

/* wmark.c */
void calculate_min_free_kbytes(struct phys *p);  /* spec 01 s8.1-2 */
void setup_per_zone_wmarks(struct phys *p);      /* spec 01 s8.3-6 */
void setup_per_zone_lowmem_reserve(struct phys *p);
void setup_per_zone_inactive_ratio(struct phys *p);
void reset_alloc_batches(struct zone *preferred);

/* warn.c */
MM_PRINTF(2, 3) void phys_warn(struct phys *p, const char *fmt, ...);
void warn_alloc_failed(const struct alloc_context *ac);

#define PCP_ENTRY_TYPE 7ull
MM_INLINE struct page *pcp_entry_page(u64 entry)
{
	return (struct page *)(uintptr_t)(entry & ~PCP_ENTRY_TYPE);
}

/* Contents of a block; charges virtual time except while several threads drive the machine. */
void clear_pages(struct phys *p, struct page *page, unsigned order);

#endif
