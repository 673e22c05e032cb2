/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page allocator: buddy, per-CPU lists, zone choice, watermarks (spec 03).
 *
 * Every function takes the virtual CPU it runs on. "Atomic" below: callable where the guest may not
 * sleep, which is so iff the gfp flags lack MM_GFP_WAIT.
 * Linux: mm/page_alloc.c; left out: memory hotplug, page poisoning, dirty limits per zone.
 */
#ifndef MEMRIG_PHYS_PAGE_ALLOC_H
#define MEMRIG_PHYS_PAGE_ALLOC_H

#include "core/phys/mmzone.h"

/*
 * 2^@order adjacent pages, count 1 on the first; NULL if the watermarks forbid it and
 * phys->on_pressure could not help, or for order >= MAX_ORDER. Counts pgalloc_<zone>. MM_GFP_ZERO
 * clears the contents, MM_GFP_COMP makes a compound page. Atomic iff @gfp lacks MM_GFP_WAIT. (spec 03 s8)
 */
struct page *alloc_pages(struct phys *phys, unsigned cpu, gfp_t gfp, unsigned order);
struct page *alloc_pages_node(struct phys *phys, unsigned cpu, int nid, gfp_t gfp, unsigned order);

/* One page. Atomic iff @gfp lacks MM_GFP_WAIT. */
MM_INLINE struct page *alloc_page(struct phys *phys, unsigned cpu, gfp_t gfp)
{
	return alloc_pages(phys, cpu, gfp, 0);
}

/* Up to @n order-0 pages into @pages; returns how many. Same pages as @n calls of alloc_page(). */
unsigned alloc_pages_bulk(struct phys *phys, unsigned cpu, gfp_t gfp, unsigned n,
			  struct page **pages);

/*
 * Drops the caller's reference and frees at 0 (Linux: __free_pages); @order must match the
 * allocation. A page that fails the checks (mapped, has a mapping, count, flags) is leaked and
 * bad_pages counted. Counts pgfree. Atomic. (spec 03 s6)
 */
void free_pages_page(struct phys *phys, unsigned cpu, struct page *page, unsigned order);

/* The same of one page. Atomic. */
MM_INLINE void free_page_page(struct phys *phys, unsigned cpu, struct page *page)
{
	free_pages_page(phys, cpu, page, 0);
}

/*
 * The same as free_page_page() of each of the @n pages in turn, but their struct pages are fetched
 * ahead: for pages that come in no order. (Linux: release_pages of pages on no list)
 */
void free_pages_bulk(struct phys *phys, unsigned cpu, struct page *const *pages, unsigned n);

/* An order-0 page whose count is already 0; cold pages go to the tail of the CPU's list. */
void free_hot_cold_page(struct phys *phys, unsigned cpu, struct page *page, bool cold);

/*
 * Drops a reference of @page or, for a tail, of its compound page; frees at 0. The caller must have
 * taken the page off every LRU list. Atomic.
 */
void put_page(struct phys *phys, unsigned cpu, struct page *page);

/*
 * Addresses instead of pages: NULL for none; MM_GFP_HIGHMEM is forbidden (an assertion). Atomic iff @gfp
 * lacks MM_GFP_WAIT. (spec 03 s9)
 */
void *get_free_pages(struct phys *phys, unsigned cpu, gfp_t gfp, unsigned order);
void *get_zeroed_page(struct phys *phys, unsigned cpu, gfp_t gfp);
MM_INLINE void *get_free_page(struct phys *phys, unsigned cpu, gfp_t gfp)
{
	return get_free_pages(phys, cpu, gfp, 0);
}

/* Gives them back; @order must match. NULL: nothing. Atomic. */
void free_pages(struct phys *phys, unsigned cpu, void *addr, unsigned order);
MM_INLINE void free_page(struct phys *phys, unsigned cpu, void *addr)
{
	free_pages(phys, cpu, addr, 0);
}

/*
 * Whole pages for @size bytes, or NULL; the order's surplus is freed at once. Atomic iff @gfp lacks
 * MM_GFP_WAIT. (spec 03 s9)
 */
void *alloc_pages_exact(struct phys *phys, unsigned cpu, u64 size, gfp_t gfp);
/* Gives them back, page by page; @size as it was asked for. NULL: nothing. Atomic. */
void free_pages_exact(struct phys *phys, unsigned cpu, void *addr, u64 size);

/* Makes a non-compound block 2^@order single pages with count 1 each. */
void split_page(struct phys *phys, struct page *page, unsigned order);

/* Empties the per-CPU lists of one CPU or all, of one zone or (NULL) all. (spec 03 s6.5) */
void drain_local_pages(struct phys *phys, unsigned cpu, struct zone *zone);
void drain_zone_pages(struct phys *phys, struct zone *zone);
void drain_all_pages(struct phys *phys);

/* For the slow path and reclaim. */
bool zone_watermark_ok(const struct zone *zone, unsigned order, u64 mark,
		       enum zone_type classzone_idx, unsigned alloc_flags);
/* The same as if the zone had @free_pages free. */
bool zone_watermark_ok_with(const struct zone *zone, unsigned order, u64 mark,
			    enum zone_type classzone_idx, unsigned alloc_flags, u64 free_pages);
struct page *get_page_from_freelist(struct alloc_context *ac, unsigned alloc_flags);
unsigned gfp_to_alloc_flags(const struct phys *phys, unsigned cpu, gfp_t gfp); /* spec 03 s8.1 */
enum zone_type gfp_zone(const struct phys *phys, gfp_t gfp);                 /* spec 01 s6 */
enum migratetype gfp_migratetype(const struct phys *phys, gfp_t gfp);        /* spec 03 s1 */
const struct zonelist *node_zonelist(const struct phys *phys, unsigned nid, gfp_t gfp);

/*
 * For compaction and isolation, on frames of one zone.
 * split_free_page: takes the free block at @page out of the buddy as single pages with count 1;
 * returns its size in pages, 0 if the low watermark forbids it. (spec 10 s6)
 */
unsigned split_free_page(struct phys *phys, struct page *page);
/* Moves the free blocks of the frame's pageblock to @mt's lists; returns the pages moved. */
u64 move_freepages_block(struct phys *phys, struct zone *zone, u32 frame, enum migratetype mt);
enum migratetype get_pageblock_migratetype(const struct phys *phys, const struct page *page);
void set_pageblock_migratetype(struct phys *phys, const struct page *page, enum migratetype mt);
/*
 * highorder=highatomic: gives one pageblock back before the OOM killer runs; unless @force, each zone
 * keeps its last one. True if free pages moved. (spec 03 s7)
 */
bool unreserve_highatomic_pageblock(const struct alloc_context *ac, bool force);

/* Frames on a free list from head to tail: calls fn(arg, frame) for each. (views, tests) */
void for_each_free_block(const struct zone *zone, unsigned order, enum migratetype mt,
			 void (*fn)(void *arg, u32 frame), void *arg);
/* Frame @i from the head of a per-CPU list of @mt; the list's length from pcp_list_length(). */
u32 pcp_list_length(const struct zone *zone, unsigned cpu, enum migratetype mt);
u32 pcp_list_frame(const struct zone *zone, unsigned cpu, enum migratetype mt, u32 i);

#endif
