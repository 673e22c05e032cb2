/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The swap cache, read-ahead into it, and the way to the store and back (spec 08 s7, s8).
 *
 *   add_to_swap        page has a slot, dirty           count | HAS_CACHE
 *   swap_writepage     contents are in the store        page under write-back, then clean
 *   removed by reclaim, or by whoever finds that nothing else refers to the slot
 *   read_swap_cache_async   slot has a page again       not uptodate until read
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/backing/swap_internal.h"
#include "core/base/bits.h"
#include "core/phys/page_alloc.h"

/* ---- the cache ---- */

MM_INLINE struct page *peek(const struct swap *sw, swp_entry_t e)
{
	const struct swap_info_struct *si = swap_info_of(sw, e);
	u32 slot = si ? si->cache[swp_offset(e)] : 0;

	return slot ? frame_to_page(sw->phys, slot - 1) : NULL;
}

struct page *swap_cache_peek(const struct swap *sw, swp_entry_t e)
{
	return peek(sw, e);
}

/* @si: the area of @e. */
MM_INLINE void add_to_cache(struct swap *sw, struct swap_info_struct *si, struct page *p, swp_entry_t e)
{
	VM_BUG_ON(!PageLocked(p) || PageSwapCache(p) || !PageSwapBacked(p));
	BUG_ON(!si || si->cache[swp_offset(e)]);
	get_page(p);
	SetPageSwapCache(p);
	p->private = e.v;
	si->cache[swp_offset(e)] = page_frame(sw->phys, p) + 1;
	si->nr_cached++;
	sw->nr_cached++;
	inc_zone_page_state(sw->phys, p, NR_FILE_PAGES);
}

int add_to_swap_cache(struct swap *sw, struct page *p, swp_entry_t e)
{
	add_to_cache(sw, swap_info_of(sw, e), p, e);
	return 0;
}

/* Out of the table and off its slot; the reference remains. */
static void cache_erase(struct swap *sw, struct page *p)
{
	struct swap_info_struct *si = page_area(sw, p);
	u32 offset = swp_offset(page_swp_entry(p));

	VM_BUG_ON(!PageLocked(p) || PageWriteback(p));
	BUG_ON(si->cache[offset] != page_frame(sw->phys, p) + 1);
	si->cache[offset] = 0;
	si->nr_cached--;
	sw->nr_cached--;
	p->private = 0;
	ClearPageSwapCache(p);
	dec_zone_page_state(sw->phys, p, NR_FILE_PAGES);
	slot_uncache(sw, si, offset);
}

void delete_from_swap_cache(struct swap *sw, struct page *p)
{
	cache_erase(sw, p);
	lru_put_page(sw->lru, p);
}

void swap_cache_remove_frozen(struct swap *sw, struct page *p)
{
	VM_BUG_ON(page_count(p));
	cache_erase(sw, p);
}

void swap_cache_leave_shadow(struct swap *sw, const struct page *p, u64 shadow)
{
	swp_entry_t e = page_swp_entry(p);
	struct swap_info_struct *si = swap_info_of(sw, e);

	if (si->shadows)
		si->shadows[swp_offset(e)] = shadow;
}

/* @p is read in again. */
static void refault(struct swap *sw, struct swap_info_struct *si, struct page *p, swp_entry_t e)
{
	u64 shadow = si->shadows ? si->shadows[swp_offset(e)] : 0;

	if (!shadow)
		return;
	si->shadows[swp_offset(e)] = 0;
	workingset_return(sw->ws, p, shadow);
}

void swap_cache_replace(struct swap *sw, struct page *from, struct page *to)
{
	swp_entry_t e = page_swp_entry(from);
	struct swap_info_struct *si = swap_info_of(sw, e);

	VM_BUG_ON(!PageLocked(from) || !PageLocked(to));
	BUG_ON(si->cache[swp_offset(e)] != page_frame(sw->phys, from) + 1);
	si->cache[swp_offset(e)] = page_frame(sw->phys, to) + 1;
	get_page(to);
	to->private = e.v;
	SetPageSwapCache(to);
	from->private = 0;
	ClearPageSwapCache(from);
	from->_count--; /* the cache's reference; the caller has another */
	VM_BUG_ON(from->_count <= 0);
	inc_zone_page_state(sw->phys, to, NR_FILE_PAGES);
	dec_zone_page_state(sw->phys, from, NR_FILE_PAGES);
}

bool add_to_swap(struct swap *sw, struct page *p)
{
	swp_entry_t e;

	might_sleep(sw->hw);
	e = get_swap_page(sw);
	VM_BUG_ON(!PageLocked(p) || !PageUptodate(p));
	if (!e.v)
		return false;
	add_to_cache(sw, swap_info_of(sw, e), p, e);
	SetPageDirty(p);
	return true;
}

struct page *lookup_swap_cache(struct swap *sw, swp_entry_t e)
{
	struct page *p = peek(sw, e);

	if (!p)
		return NULL;
	get_page(p);
	if (TestClearPageReclaim(p)) /* PG_readahead is the same bit */
		sw->ra.hits++;
	return p;
}

/* ---- reading ---- */

static struct page *peek_get(const struct swap *sw, swp_entry_t e)
{
	struct page *p = peek(sw, e);

	if (p)
		get_page(p);
	return p;
}

struct page *read_swap_cache_async(struct swap *sw, swp_entry_t e, gfp_t gfp)
{
	struct page *p = peek_get(sw, e);
	struct swap_info_struct *si;

	cpu_might_sleep_if(gfp & MM_GFP_WAIT, sw->hw, sw->hw->cpu);
	if (p)
		return p;
	p = lru_charge(sw->lru) ? alloc_page(sw->phys, sw->hw->cpu, gfp) : NULL;
	if (!p)
		return NULL;
	/* The allocation may have reclaimed: the slot may be gone, or its page back in the cache. */
	si = swap_info_of(sw, e);
	if (!si || slot_hold(si, swp_offset(e))) {
		lru_put_page(sw->lru, p);
		return peek_get(sw, e);
	}
	p->flags |= 1u << PG_locked | 1u << PG_swapbacked;
	add_to_cache(sw, si, p, e);
	refault(sw, si, p, e);
	if (!si->shadows && !sw->lru->mglru) /* nobody knows: it was in use (4.20 to 5.8) */
		SetPageWorkingset(p);
	lru_cache_add(sw->lru, p);
	swap_readpage(sw, p);
	return p;
}

/* The window that the hits since the last call earn (spec 08 s8.1), before the limits. */
static u32 window_of_hits(struct swap *sw, u32 offset)
{
	u32 pages = sw->ra.hits + 2, window = 4;

	sw->ra.hits = 0;
	if (pages == 2) { /* no hits: only neighbours suggest a stream */
		u32 prev = sw->ra.prev_offset;

		sw->ra.prev_offset = offset;
		return offset == prev + 1 || offset + 1 == prev ? 2 : 1;
	}
	while (window < pages)
		window *= 2;
	return window;
}

u32 swapin_nr_pages(struct swap *sw, u32 offset)
{
	u32 max = 1u << sw->page_cluster, pages;

	if (max <= 1)
		return 1;
	pages = window_of_hits(sw, offset);
	if (pages > max)
		pages = max;
	if (pages < sw->ra.last_pages / 2)
		pages = sw->ra.last_pages / 2;
	sw->ra.last_pages = pages;
	return pages;
}

struct page *swapin_readahead(struct swap *sw, swp_entry_t e, gfp_t gfp)
{
	u32 offset = swp_offset(e), mask, first, last;

	cpu_might_sleep_if(gfp & MM_GFP_WAIT, sw->hw, sw->hw->cpu);
	mask = swapin_nr_pages(sw, offset) - 1;
	first = offset & ~mask;
	last = offset | mask;
	if (!mask)
		return read_swap_cache_async(sw, e, gfp);
	swap_plug(sw);
	for (u32 off = first ? first : 1; off <= last; off++) {
		struct page *p = read_swap_cache_async(sw, swp_entry(swp_type(e), off), gfp);

		if (!p)
			continue;
		if (off != offset)
			SetPageReclaim(p); /* PG_readahead */
		lru_put_page(sw->lru, p);
	}
	swap_unplug(sw);
	lru_add_drain(sw->lru, sw->hw->cpu); /* so that reclaim finds them */
	return read_swap_cache_async(sw, e, gfp);
}

/* ---- from outside ---- */

void swap_publish(struct swap *sw)
{
	sw->phys->swap_pages = sw->total_swap_pages;
	sw->phys->swap_free_pages = sw->nr_swap_pages > 0 ? (u64)sw->nr_swap_pages : 0;
	sw->phys->swap_cached_pages = sw->nr_cached;
}

int swap_sysctl(struct swap *sw, const char *name, const char *value)
{
	char *end;
	u64 v = strtoull(value, &end, 0);

	if (strcmp(name, "page_cluster"))
		return -ENOENT;
	if (end == value || *end || v > 10)
		return -EINVAL;
	sw->page_cluster = v;
	return 0;
}

int swap_show(struct swap *sw, const char *view, FILE *out)
{
	unsigned kib_shift = sw->phys->page_shift - 10;

	if (strcmp(view, "swaps"))
		return -ENOENT;
	fprintf(out, "Filename\t\t\t\tType\t\tSize\tUsed\tPriority\n");
	for (unsigned t = 0; t < MAX_SWAPFILES; t++) {
		const struct swap_info_struct *si = sw->info[t];
		char name[40];

		if (!si)
			continue;
		snprintf(name, sizeof(name), "/dev/swap%" PRIu64, si->id);
		fprintf(out, "%-40s%s\t%u\t%u\t%d\n", name, "partition", si->pages << kib_shift,
			si->inuse_pages << kib_shift, si->prio);
	}
	return 0;
}

/* Slots of @si in the hands of CPUs: in use, but in no cache. */
static u32 slots_held(const struct swap *sw, unsigned type)
{
	u32 n = 0;

	for (unsigned cpu = 0; sw->slots_cache && cpu < sw->phys->ncpu; cpu++) {
		const struct swap_slots_cache *sc = &sw->slots_cache[cpu];

		for (u32 i = 0; i < sc->nr; i++)
			n += swp_type(sc->slots[sc->cur + i]) == type;
		for (u32 i = 0; i < sc->n_ret; i++)
			n += swp_type(sc->slots_ret[i]) == type;
	}
	return n;
}

static int check_area(struct swap *sw, const struct swap_info_struct *si, char *why, size_t n)
{
	u64 used = 0, has_cache = 0, cached = 0;

	for (u32 off = 1; off < si->max; off++) {
		const struct page *p =
			si->cache[off] ? frame_to_page(sw->phys, si->cache[off] - 1) : NULL;

		used += si->swap_map[off] != 0;
		has_cache += (si->swap_map[off] & SWAP_HAS_CACHE) != 0;
		cached += p != NULL;
		if (!si->swap_map[off] && (off >= si->lowest_bit) != (off <= si->highest_bit)) {
			snprintf(why, n, "I08.6: free slot %u outside [%u, %u]", off,
				 si->lowest_bit, si->highest_bit);
			return 8006;
		}
		if (p && !(si->swap_map[off] & SWAP_HAS_CACHE)) {
			snprintf(why, n, "I08.5: slot %u is cached without HAS_CACHE", off);
			return 8005;
		}
		if (p && (!PageSwapCache(p) || p->private != swp_entry(si->type, off).v)) {
			snprintf(why, n, "I08.8: slot %u caches frame %u, which has entry %#x", off,
				 page_frame(sw->phys, p), p->private);
			return 8008;
		}
	}
	if (has_cache != cached + slots_held(sw, si->type) || cached != si->nr_cached) {
		snprintf(why, n,
			 "I08.5: area %u: %" PRIu64 " slots with HAS_CACHE, %" PRIu64
			 " cached, %" PRIu64 " counted",
			 si->type, has_cache, cached, si->nr_cached);
		return 8005;
	}
	if (used != si->inuse_pages) {
		snprintf(why, n, "I08.6: area %u: %" PRIu64 " slots used, %u counted", si->type,
			 used, si->inuse_pages);
		return 8006;
	}
	return 0;
}

/* Pages that claim to be cached are where they say. */
static int check_pages(struct swap *sw, char *why, size_t n)
{
	for (u64 f = 0; sw->nr_cached && f < sw->phys->nr_frames; f++) {
		const struct page *p = frame_to_page(sw->phys, (u32)f);

		if (page_count(p) && PageSwapCache(p) &&
		    swap_cache_peek(sw, page_swp_entry(p)) != p) {
			snprintf(why, n, "I08.8: frame %" PRIu64 ": entry %#x does not lead back",
				 f, p->private);
			return 8008;
		}
	}
	return 0;
}

int swap_check(struct swap *sw, char *why, size_t n)
{
	s64 total = 0, used = 0;
	u64 cached = 0;

	for (unsigned t = 0; t < MAX_SWAPFILES; t++) {
		const struct swap_info_struct *si = sw->info[t];
		int r = si ? check_area(sw, si, why, n) : 0;

		if (r)
			return r;
		total += si && si->flags & SWP_WRITEOK ? si->pages : 0;
		used += si ? si->inuse_pages : 0;
		cached += si ? si->nr_cached : 0;
	}
	if (total != (s64)sw->total_swap_pages || sw->nr_swap_pages + used != total ||
	    cached != sw->nr_cached) {
		snprintf(why, n, "I08.6: %" PRId64 " free + %" PRId64 " used slots, total %" PRId64,
			 sw->nr_swap_pages, used, total);
		return 8006;
	}
	return check_pages(sw, why, n);
}
