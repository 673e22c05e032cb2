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

MM_INLINE void zone_lock(struct zone *z)
{
	if (MM_UNLIKELY(z->smp))
		pthread_spin_lock(&z->lock);
	else
		spin_section_begin(z->phys->hw);
	lock_model(z->phys->hw, LOCK_ZONE, z);
}

MM_INLINE void zone_unlock(struct zone *z)
{
	unlock_model(z->phys->hw, LOCK_ZONE, z);
	if (MM_UNLIKELY(z->smp))
		pthread_spin_unlock(&z->lock);
	else
		spin_section_end(z->phys->hw);
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

/*
 * Where the free blocks of orders below the top are described, in locals: stores to the order bytes
 * may alias anything, so the compiler would read these fields of phys and zone again each time.
 */
struct buddy_view {
	struct zone *z;
	u8 *order_byte;
	struct page *map;
	u32 start, nr; /* frames of the zone */
	unsigned top;
};

MM_INLINE struct buddy_view view_of(struct zone *z)
{
	return (struct buddy_view){z, z->order_byte, z->memmap, z->start_frame, z->nr_frames, z->top};
}

MM_INLINE struct page_source page_source_of(const struct phys *p, unsigned cpu, struct zone *z, unsigned mt)
{
	struct per_cpu_pages *pcp = &z->pageset[cpu];

	return (struct page_source){z, pcp, &pcp->lists[mt], &p->cpus[cpu].events[EV_PGALLOC_DMA + z->type]};
}

/* Counts a block in or out. */
MM_INLINE void count_free(struct zone *z, unsigned order, u32 d)
{
	struct free_area *area = &z->free_area[order];

	SET_RELAXED(area->nr_free, area->nr_free + d);
}

/* The two for blocks of the top order, and the two for blocks below it. */
MM_INLINE void top_list_add(const struct buddy_view *v, u32 frame, enum migratetype mt)
{
	const struct phys *p = v->z->phys;
	struct page_link *links = p->top_links;
	u32 id = frame >> v->top, head = v->z->top_head_base + mt, first = links[head].next;

	p->top_byte[id] = (u8)(v->top + 1 + ((unsigned)mt << TYPE_SHIFT));
	set_page_link(&links[id], first, head);
	links[first].prev = id;
	SET_RELAXED(links[head].next, id);
	count_free(v->z, v->top, 1);
}

MM_INLINE void top_list_del(const struct buddy_view *v, u32 frame)
{
	const struct phys *p = v->z->phys;
	struct page_link *links = p->top_links;
	u32 id = frame >> v->top;
	struct page_link k = links[id];

	VM_BUG_ON((p->top_byte[id] & ORDER_MASK) != v->top + 1);
	p->top_byte[id] = 0;
	SET_RELAXED(links[k.prev].next, k.next);
	links[k.next].prev = k.prev;
	count_free(v->z, v->top, (u32)-1);
}

MM_INLINE void low_list_add(const struct buddy_view *v, u32 frame, unsigned order,
			    enum migratetype mt, bool tail)
{
	u32 head = v->z->head_base + order * 8 + mt, prev, next;

	VM_BUG_ON(frame & ((1u << order) - 1));
	v->order_byte[frame] = (u8)(order + 1 + ((unsigned)mt << TYPE_SHIFT));
	if (tail) {
		prev = page_link(v->map, head)->prev;
		next = head;
	} else {
		prev = head;
		next = page_link(v->map, head)->next;
	}
	set_page_link(page_link(v->map, frame), next, prev);
	page_link(v->map, next)->prev = frame;
	SET_RELAXED(page_link(v->map, prev)->next, frame);
	count_free(v->z, order, 1);
}

MM_INLINE void low_list_del(const struct buddy_view *v, u32 frame, unsigned order)
{
	struct page_link k = *page_link(v->map, frame);

	VM_BUG_ON((v->order_byte[frame] & ORDER_MASK) != order + 1);
	v->order_byte[frame] = 0;
	SET_RELAXED(page_link(v->map, k.prev)->next, k.next);
	page_link(v->map, k.next)->prev = k.prev;
	count_free(v->z, order, (u32)-1);
}

MM_INLINE void free_list_add(struct zone *z, u32 frame, unsigned order, enum migratetype mt)
{
	struct buddy_view v = view_of(z);

	if (order == v.top)
		top_list_add(&v, frame, mt);
	else
		low_list_add(&v, frame, order, mt, false);
}

/* Takes the free block at @frame off the list that its order byte names. */
MM_INLINE void free_list_del(struct zone *z, u32 frame, unsigned order)
{
	struct buddy_view v = view_of(z);

	if (order == v.top)
		top_list_del(&v, frame);
	else
		low_list_del(&v, frame, order);
}

MM_INLINE enum migratetype frame_pageblock_type(const struct phys *p, u32 frame)
{
	return (enum migratetype)(RELAXED(p->pageblock[frame >> p->pageblock_order]) &
				  PAGEBLOCK_TYPE);
}

/* The block of this order that would merge with @frame's is free. */
MM_INLINE bool view_buddy_free(const struct buddy_view *v, u32 buddy, unsigned order)
{
	return (v->order_byte[buddy] & ORDER_MASK) == order + 1 && buddy - v->start < v->nr;
}

MM_INLINE bool buddy_is_free(const struct zone *z, u32 buddy, unsigned order)
{
	return (z->phys->order_byte[buddy] & ORDER_MASK) == order + 1 && frame_in_zone(z, buddy);
}

/* Merges and inserts, at head or tail (spec 03 s6.4 steps 2-4); levels are the caller's. */
MM_INLINE void view_free(const struct buddy_view *v, u32 frame, unsigned order, enum migratetype mt)
{
	unsigned limit = v->top;

	if (MM_UNLIKELY(mt == MIGRATE_ISOLATE))
		limit = (unsigned)mm_min(limit, v->z->phys->pageblock_order);
	for (; order < limit; order++) {
		u32 buddy = frame ^ (1u << order);

		if (!view_buddy_free(v, buddy, order))
			break;
		low_list_del(v, buddy, order);
		frame &= ~(1u << order);
	}
	if (order == v->top) {
		top_list_add(v, frame, mt);
		return;
	}
	/* Would merge again as soon as its buddy is freed: then keep it from being taken. */
	bool tail = order + 1 < v->top &&
		    view_buddy_free(v, (frame & ~(1u << order)) ^ (2u << order), order + 1);
	low_list_add(v, frame, order, mt, tail);
}

/* Frees a block into the buddy. */
MM_INLINE void free_one_block(struct zone *z, u32 frame, unsigned order, enum migratetype mt)
{
	struct buddy_view v = view_of(z);

	if (MM_LIKELY(mt != MIGRATE_ISOLATE))
		add_level(z, NR_FREE_PAGES, 1ll << order);
	view_free(&v, frame, order, mt);
}

/* Free blocks that are left of [frame, frame + 2^order) behind its first @used frames. */
MM_INLINE void free_remainder(const struct buddy_view *v, u32 frame, u32 used, unsigned order,
			      enum migratetype mt)
{
	while (used < 1u << order) {
		unsigned o = mm_ffs0(used);

		low_list_add(v, frame + used, o, mt, false);
		used += 1u << o;
	}
}

/* Lowest order >= @order with a block of @mt, or MAX_ORDER. */
MM_INLINE unsigned smallest_order(const struct zone *z, unsigned order, enum migratetype mt)
{
	unsigned n = z->phys->max_order;

	const struct page *map = z->phys->memmap;
	u32 head = z->head_base + order * 8 + mt;

	for (; order < n - 1; order++, head += 8)
		if (page_link(map, head)->next != head)
			return order;
	head = z->top_head_base + mt;
	return order == n - 1 && z->phys->top_links[head].next != head ? order : n;
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
	struct buddy_view v = view_of(z);
	u32 got;

	if (o > v.top)
		return 0;
	*frame = free_list_first(z, o, mt);
	if (o == v.top)
		top_list_del(&v, *frame);
	else
		low_list_del(&v, *frame, o);
	got = (u32)mm_min(want, 1u << (o - order));
	if (got << order != 1u << o)
		free_remainder(&v, *frame, got << order, o, mt);
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
