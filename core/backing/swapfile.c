/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Swap areas and their slots (spec 08 s6).
 *
 * Rotating disk: slots in a row, 256 at a time. A run starts at the lowest place where 256 slots
 * are free in a row, or, when there is none, at the lowest free slot; within a run and after it the
 * next free slot upwards is taken, wrapping once.
 *
 *   .....XXXX..X............[256 free]......     X used
 *        ^lowest_bit         ^next run
 *
 * Solid state: each CPU fills an aligned cluster of 256 that it took free from a list.
 *
 * A slot's byte in swap_map is count | HAS_CACHE. Counts beyond 62 go on in a side table; each
 * page-size piece of swap_map that needs one costs a page of the machine's memory, as in Linux.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/backing/swap.h"
#include "core/backing/swap_internal.h"
#include "core/base/bits.h"
#include "core/hw/clock.h"
#include "core/phys/page_alloc.h"

#define NO_CLUSTER UINT32_MAX

/* ---- life of an area ---- */

static u64 io_daemon(void *self, u64 budget_ns)
{
	(void)budget_ns; /* the device has a processor of its own */
	swap_complete_io(self);
	return 0;
}

int swap_init(struct swap *sw, struct phys *phys, struct lru *lru, const struct machine_config *c,
	      u64 max_offset)
{
	*sw = (struct swap){
		.hw = phys->hw,
		.phys = phys,
		.lru = lru,
		.page_cluster = c->page_cluster,
		.max_offset = mm_min(max_offset, (1u << SWAP_OFFSET_BITS) - 1),
		.ra = {.hits = 4},
	};
	list_init(&sw->avail);
	blockdev_init(&sw->dev, sw->hw, c->swapdev, c->swapdev_bandwidth, c->swapdev_queue);
	if (!blockdev_at_once(&sw->dev)) {
		sw->dev.daemon = clock_add_daemon(sw->hw, io_daemon, sw, CLOCK_NEVER, 0);
		if (sw->dev.daemon < 0)
			return -ENOMEM;
	}
	if (c->swap_slots != SWAP_SLOTS_SLOTS)
		return 0;
	sw->slots_cache = calloc(phys->ncpu, sizeof(*sw->slots_cache));
	return sw->slots_cache ? 0 : -ENOMEM;
}

/* Every per-slot table once: pointer, bytes a slot. */
static u64 table_bytes(const struct swap *sw, const struct swap_info_struct *si, u64 each)
{
	return ALIGN_UP(si->max * each, 1ull << sw->phys->page_shift);
}

static void unmap_table(void *p, u64 bytes)
{
	if (p)
		hw_unmap_lazy(p, bytes);
}

static void area_free(struct swap *sw, struct swap_info_struct *si)
{
	unmap_table(si->swap_map, table_bytes(sw, si, 1));
	unmap_table(si->continued, table_bytes(sw, si, sizeof(u32)));
	unmap_table(si->cont_frames, table_bytes(sw, si, sizeof(u32)));
	unmap_table(si->cache, table_bytes(sw, si, sizeof(u32)));
	unmap_table(si->shadows, table_bytes(sw, si, sizeof(u64)));
	unmap_table(si->tags, table_bytes(sw, si, sizeof(u64)));
	unmap_table(si->bytes, (u64)si->max << sw->phys->page_shift);
	free(si->cluster_info);
	free(si);
}

void swap_destroy(struct swap *sw)
{
	for (unsigned t = 0; t < MAX_SWAPFILES; t++)
		if (sw->info[t])
			area_free(sw, sw->info[t]);
	free(sw->slots_cache);
	blockdev_destroy(&sw->dev);
	memset(sw, 0, sizeof(*sw));
}

static struct swap_info_struct *area_alloc(struct swap *sw, u32 max)
{
	struct swap_info_struct *si = calloc(1, sizeof(*si));

	if (!si)
		return NULL;
	si->swap = sw;
	si->max = max;
	si->swap_map = hw_map_lazy(table_bytes(sw, si, 1));
	si->continued = hw_map_lazy(table_bytes(sw, si, sizeof(u32)));
	si->cont_frames = hw_map_lazy(table_bytes(sw, si, sizeof(u32)));
	si->cache = hw_map_lazy(table_bytes(sw, si, sizeof(u32)));
	if (sw->ws && sw->ws->anon)
		si->shadows = hw_map_lazy(table_bytes(sw, si, sizeof(u64)));
	if (sw->hw->data_bytes)
		si->bytes = hw_map_lazy((u64)max << sw->phys->page_shift);
	else
		si->tags = hw_map_lazy(table_bytes(sw, si, sizeof(u64)));
	if (!si->swap_map || !si->continued || !si->cont_frames || !si->cache ||
	    (!si->bytes && !si->tags) || (sw->ws && sw->ws->anon && !si->shadows)) {
		area_free(sw, si);
		return NULL;
	}
	return si;
}

/* Behind the last area of its priority. */
static void avail_add(struct swap *sw, struct swap_info_struct *si)
{
	struct swap_info_struct *at;

	list_for_each_entry (at, &sw->avail, avail)
		if (at->prio < si->prio)
			break;
	list_add_tail(&si->avail, &at->avail);
}

/* ---- clusters of a solid-state area ---- */

static void free_cluster_add(struct swap_info_struct *si, u32 c)
{
	si->cluster_info[c].next = NO_CLUSTER;
	if (si->free_head == NO_CLUSTER)
		si->free_head = c;
	else
		si->cluster_info[si->free_tail].next = c;
	si->free_tail = c;
}

static int make_clusters(struct swap *sw, struct swap_info_struct *si)
{
	si->nr_clusters = (si->max + SWAPFILE_CLUSTER - 1) / SWAPFILE_CLUSTER;
	si->cluster_info = calloc(si->nr_clusters, sizeof(*si->cluster_info));
	if (!si->cluster_info)
		return -ENOMEM;
	si->free_head = si->free_tail = NO_CLUSTER;
	si->cluster_info[0].count = 1; /* the header */
	for (u32 off = si->max; off < si->nr_clusters * SWAPFILE_CLUSTER; off++)
		si->cluster_info[off / SWAPFILE_CLUSTER].count++; /* behind the end */
	for (u32 c = 0; c < si->nr_clusters; c++)
		if (!si->cluster_info[c].count)
			free_cluster_add(si, c);
	for (unsigned cpu = 0; cpu < sw->phys->ncpu; cpu++)
		si->percpu_cluster[cpu].index = NO_CLUSTER;
	return 0;
}

/* A free cluster gets its first slot: only ever the head of the list. */
static void cluster_slot_taken(struct swap_info_struct *si, u32 offset)
{
	u32 c = offset / SWAPFILE_CLUSTER;

	if (si->cluster_info[c].count++)
		return;
	BUG_ON(si->free_head != c);
	si->free_head = si->cluster_info[c].next;
	if (si->free_head == NO_CLUSTER)
		si->free_tail = NO_CLUSTER;
}

static void cluster_slot_freed(struct swap_info_struct *si, u32 offset)
{
	u32 c = offset / SWAPFILE_CLUSTER;

	VM_BUG_ON(!si->cluster_info[c].count);
	if (!--si->cluster_info[c].count)
		free_cluster_add(si, c);
}

/* The CPU's place in its cluster, or in a new one; false: no free cluster is left. */
static bool cluster_slot(struct swap_info_struct *si, u32 *offset)
{
	unsigned cpu = si->swap->hw->cpu;
	u32 *index = &si->percpu_cluster[cpu].index, *next = &si->percpu_cluster[cpu].next;

	for (;;) {
		u32 end, tmp;

		if (*index == NO_CLUSTER) {
			if (si->free_head == NO_CLUSTER)
				return false;
			*index = si->free_head;
			*next = *index * SWAPFILE_CLUSTER;
		}
		end = (u32)mm_min((u64)(*index + 1) * SWAPFILE_CLUSTER, si->max);
		for (tmp = *next; tmp < end && si->swap_map[tmp]; tmp++)
			;
		if (tmp < end && (si->cluster_info[*index].count || si->free_head == *index)) {
			*next = tmp + 1;
			*offset = tmp;
			return true;
		}
		*index = NO_CLUSTER; /* full, or freed whole and taken by its place in the list
					again */
	}
}

/* ---- finding slots ---- */

/* First of 256 free slots in a row, from the lowest free slot on; 0: none. */
static u32 free_run(const struct swap_info_struct *si)
{
	u32 start = si->lowest_bit, n = 0;

	for (u32 off = start; off <= si->highest_bit; off++) {
		if (si->swap_map[off]) {
			n = 0;
			start = off + 1;
		} else if (++n == SWAPFILE_CLUSTER) {
			return start;
		}
	}
	return 0;
}

/* A cached page whose slot nothing refers to any more gives it up when swap is short. */
static bool reclaim_slot(struct swap *sw, struct swap_info_struct *si, u32 offset)
{
	struct page *p = swap_cache_peek(sw, swp_entry(si->type, offset));
	bool freed = false;

	if (!p || !trylock_page(p))
		return false;
	get_page(p);
	freed = try_to_free_swap(sw, p);
	unlock_page(p);
	lru_put_page(sw->lru, p);
	return freed;
}

/* Free, or made free by taking it from a page that does not need it. */
static bool slot_usable(struct swap *sw, struct swap_info_struct *si, u32 offset)
{
	if (si->swap_map[offset] == SWAP_HAS_CACHE && vm_swap_full(sw))
		reclaim_slot(sw, si, offset);
	return !si->swap_map[offset];
}

/* Usable slot in [from, to), upwards; 0: none. */
static u32 scan_up(struct swap *sw, struct swap_info_struct *si, u32 from, u32 to)
{
	if (from < to && MM_LIKELY(!si->swap_map[from]))
		return from;
	while (from < to) {
		const u8 *hit;

		if (vm_swap_full(sw)) {
			if (slot_usable(sw, si, from))
				return from;
			from++;
			continue;
		}
		hit = memchr(si->swap_map + from, 0, to - from);
		return hit ? (u32)(hit - si->swap_map) : 0;
	}
	return 0;
}

static u32 start_of_scan(struct swap_info_struct *si)
{
	u32 run;

	if (si->cluster_nr) {
		si->cluster_nr--;
		return si->cluster_next;
	}
	si->cluster_nr = SWAPFILE_CLUSTER - 1;
	if (si->pages - si->inuse_pages < SWAPFILE_CLUSTER)
		return si->cluster_next;
	run = free_run(si);
	return run ? run : si->lowest_bit;
}

static void take_slot(struct swap_info_struct *si, u32 offset)
{
	VM_BUG_ON(si->swap_map[offset]);
	if (offset == si->lowest_bit)
		si->lowest_bit++;
	if (offset == si->highest_bit)
		si->highest_bit--;
	if (++si->inuse_pages == si->pages) {
		si->lowest_bit = si->max;
		si->highest_bit = 0;
		list_del(&si->avail);
	}
	si->swap_map[offset] = SWAP_HAS_CACHE;
	if (si->cluster_info)
		cluster_slot_taken(si, offset);
	si->cluster_next = offset + 1;
}

/* A free slot, now taken; 0: none. */
static u32 scan_swap_map(struct swap *sw, struct swap_info_struct *si)
{
	u32 start, off;

	if (!si->highest_bit)
		return 0;
	if (si->cluster_info && cluster_slot(si, &off)) {
		take_slot(si, off);
		return off;
	}
	start = si->cluster_info ? si->cluster_next : start_of_scan(si);
	if (start > si->highest_bit || start < si->lowest_bit)
		start = si->lowest_bit;
	off = scan_up(sw, si, start, si->highest_bit + 1);
	if (!off)
		off = scan_up(sw, si, si->lowest_bit, start);
	if (off)
		take_slot(si, off);
	return off;
}

/* Up to @n slots of one area under one hold of its lock: more than one only if they are in a row.
 */
static u32 scan_swap_map_slots(struct swap *sw, struct swap_info_struct *si, u32 n,
			       swp_entry_t *out)
{
	u32 got = 0, off = scan_swap_map(sw, si);

	count_vm_event(sw->hw, sw->hw->cpu, EV_SWAP_LOCKS);
	while (off) {
		out[got++] = swp_entry(si->type, off);
		if (got == n || !si->highest_bit)
			break;
		if (!si->cluster_info) {
			if (!si->cluster_nr || off + 1 > si->highest_bit || si->swap_map[off + 1])
				break;
		} else if (!cluster_slot(si, &off)) {
			break;
		} else {
			take_slot(si, off);
			continue;
		}
		off = scan_swap_map(sw, si);
	}
	return got;
}

/* Up to @n slots from the best area that has any; areas of equal priority take turns. */
static u32 get_swap_pages(struct swap *sw, u32 n, swp_entry_t *out)
{
	struct swap_info_struct *si, *next;
	u32 got = 0;

	if (sw->nr_swap_pages <= 0)
		return 0;
	n = (u32)mm_min(n, (u64)sw->nr_swap_pages);
	sw->nr_swap_pages -= n;
	list_for_each_entry_safe (si, next, &sw->avail, avail) {
		if (si->avail.next != si->avail.prev) { /* not the only one */
			list_del(&si->avail);
			avail_add(sw, si);
		}
		got = scan_swap_map_slots(sw, si, n, out);
		if (got)
			break;
	}
	sw->nr_swap_pages += n - got;
	return got;
}

/* ---- counting ---- */

u32 swap_count(const struct swap *sw, swp_entry_t e)
{
	struct swap_info_struct *si = swap_info_of(sw, e);

	return si ? slot_count(si, swp_offset(e)) : 0;
}

u8 swap_map_byte(const struct swap *sw, swp_entry_t e)
{
	struct swap_info_struct *si = swap_info_of(sw, e);

	return si ? si->swap_map[swp_offset(e)] : 0;
}

/* Memory for counts beyond 62 in this piece of swap_map. 0 or -ENOMEM. */
static int add_swap_count_continuation(struct swap *sw, struct swap_info_struct *si, u32 offset)
{
	u32 *frame = &si->cont_frames[offset >> sw->phys->page_shift];
	struct page *p;

	if (*frame)
		return 0;
	p = alloc_page(sw->phys, sw->hw->cpu, GFP_KERNEL | MM_GFP_HIGHMEM);
	if (!p)
		return -ENOMEM;
	*frame = page_frame(sw->phys, p) + 1;
	return 0;
}

/* The count is at its end, or there is nothing to count. */
static int duplicate_rare(struct swap *sw, struct swap_info_struct *si, u32 offset)
{
	u8 count = si->swap_map[offset] & (u8)~SWAP_HAS_CACHE;

	if (!si->swap_map[offset])
		return -ENOENT;
	if (count == SWAP_MAP_BAD || count == SWAP_MAP_SHMEM)
		return -EINVAL;
	if (add_swap_count_continuation(sw, si, offset))
		return -ENOMEM;
	si->swap_map[offset] |= COUNT_CONTINUED;
	si->continued[offset]++;
	return 0;
}

int swap_duplicate(struct swap *sw, swp_entry_t e)
{
	struct swap_info_struct *si = swap_info_of(sw, e);
	u8 *byte;

	if (MM_UNLIKELY(!si))
		return -EINVAL;
	byte = &si->swap_map[swp_offset(e)];
	if (MM_UNLIKELY(!*byte) || MM_UNLIKELY((*byte & (u8)~SWAP_HAS_CACHE) >= SWAP_MAP_MAX))
		return duplicate_rare(sw, si, swp_offset(e));
	++*byte;
	return 0;
}

void swap_shmem_alloc(struct swap *sw, swp_entry_t e)
{
	struct swap_info_struct *si = swap_info_of(sw, e);

	BUG_ON(!si || si->swap_map[swp_offset(e)] != SWAP_HAS_CACHE);
	si->swap_map[swp_offset(e)] |= SWAP_MAP_SHMEM;
}

int swapcache_prepare(struct swap *sw, swp_entry_t e)
{
	struct swap_info_struct *si = swap_info_of(sw, e);

	return si ? slot_hold(si, swp_offset(e)) : -EINVAL;
}

/* The slot's byte is 0 or about to be: back to the free ones. */
static void release_slot(struct swap *sw, struct swap_info_struct *si, u32 offset)
{
	si->swap_map[offset] = 0;
	if (si->shadows)
		si->shadows[offset] = 0;
	if (si->cluster_info)
		cluster_slot_freed(si, offset);
	if (offset < si->lowest_bit)
		si->lowest_bit = offset;
	if (offset > si->highest_bit) {
		bool was_full = !si->highest_bit;

		si->highest_bit = offset;
		if (was_full && si->flags & SWP_WRITEOK)
			avail_add(sw, si);
	}
	sw->nr_swap_pages++;
	si->inuse_pages--;
}

/* ---- slots in the hands of CPUs (spec 13 s4) ---- */

/* Empties the return array: one hold of the lock for each area it has slots of. */
static void drain_returned(struct swap *sw, struct swap_slots_cache *sc)
{
	unsigned last = MAX_SWAPFILES;

	for (u32 i = 0; i < sc->n_ret; i++) {
		unsigned type = swp_type(sc->slots_ret[i]);

		if (type != last)
			count_vm_event(sw->hw, sw->hw->cpu, EV_SWAP_LOCKS);
		last = type;
		release_slot(sw, sw->info[type], swp_offset(sc->slots_ret[i]));
	}
	sc->n_ret = 0;
}

void swap_slots_drain(struct swap *sw)
{
	for (unsigned cpu = 0; sw->slots_cache && cpu < sw->phys->ncpu; cpu++) {
		struct swap_slots_cache *sc = &sw->slots_cache[cpu];

		drain_returned(sw, sc);
		if (sc->nr)
			count_vm_event(sw->hw, sw->hw->cpu, EV_SWAP_LOCKS);
		for (; sc->nr; sc->nr--, sc->cur++)
			release_slot(sw, sw->info[swp_type(sc->slots[sc->cur])],
				     swp_offset(sc->slots[sc->cur]));
	}
}

/* Batches are worth it while many slots are free; they are given back when few are. */
static bool slots_worthwhile(struct swap *sw)
{
	s64 ncpu = sw->phys->ncpu;

	if (!sw->slots_active) {
		sw->slots_active = sw->nr_swap_pages > ncpu * 5 * SWAP_BATCH;
	} else if (sw->nr_swap_pages < ncpu * 2 * SWAP_BATCH) {
		sw->slots_active = false;
		swap_slots_drain(sw);
	}
	return sw->slots_active;
}

/* From the CPU's batch, refilled when empty; 0: none to be had this way. */
static swp_entry_t slots_cache_get(struct swap *sw)
{
	struct swap_slots_cache *sc = &sw->slots_cache[sw->hw->cpu];

	if (!slots_worthwhile(sw))
		return (swp_entry_t){0};
	if (!sc->nr) {
		sc->cur = 0;
		sc->nr = get_swap_pages(sw, SWAP_BATCH, sc->slots);
	}
	if (!sc->nr)
		return (swp_entry_t){0};
	sc->nr--;
	return sc->slots[sc->cur++];
}

/*
 * The common case of get_swap_pages(): the only area is a rotating disk, and the next slot of the run in progress is
 * free. 0: look for one.
 */
static u32 next_of_run(struct swap *sw, struct swap_info_struct **area)
{
	struct swap_info_struct *si;
	u32 off;

	if (list_empty(&sw->avail) || sw->avail.next != sw->avail.prev || sw->nr_swap_pages <= 0)
		return 0;
	*area = si = list_entry(sw->avail.next, struct swap_info_struct, avail);
	off = si->cluster_next;
	if (si->cluster_info || !si->cluster_nr || off < si->lowest_bit || off > si->highest_bit || si->swap_map[off])
		return 0;
	si->cluster_nr--;
	sw->nr_swap_pages--;
	count_vm_event(sw->hw, sw->hw->cpu, EV_SWAP_LOCKS);
	take_slot(si, off);
	return off;
}

swp_entry_t get_swap_page(struct swap *sw)
{
	struct swap_info_struct *si;
	u32 off = sw->slots_cache ? 0 : next_of_run(sw, &si);
	swp_entry_t e = {0};

	if (MM_LIKELY(off))
		return swp_entry(si->type, off);
	if (sw->slots_cache)
		e = slots_cache_get(sw);
	if (!e.v)
		get_swap_pages(sw, 1, &e);
	return e;
}

void slot_unused(struct swap *sw, struct swap_info_struct *si, u32 offset)
{
	struct swap_slots_cache *sc = sw->slots_cache ? &sw->slots_cache[sw->hw->cpu] : NULL;

	if (!sc) {
		count_vm_event(sw->hw, sw->hw->cpu, EV_SWAP_LOCKS);
		release_slot(sw, si, offset);
		return;
	}
	si->swap_map[offset] = SWAP_HAS_CACHE; /* in use until the batch goes back */
	if (sc->n_ret == SWAP_BATCH)
		drain_returned(sw, sc);
	sc->slots_ret[sc->n_ret++] = swp_entry(si->type, offset);
}

/* One reference less. What is left in the slot's byte. */
static u8 put_reference(struct swap *sw, struct swap_info_struct *si, u32 offset)
{
	u8 *byte = &si->swap_map[offset];

	BUG_ON(!slot_count(si, offset));
	if ((*byte & (u8)~SWAP_HAS_CACHE) == SWAP_MAP_SHMEM) {
		*byte &= SWAP_HAS_CACHE;
	} else if (*byte & COUNT_CONTINUED) {
		if (!--si->continued[offset])
			*byte &= (u8)~COUNT_CONTINUED;
	} else {
		--*byte;
	}
	if (*byte)
		return *byte;
	slot_unused(sw, si, offset);
	return 0;
}

void swap_free(struct swap *sw, swp_entry_t e)
{
	struct swap_info_struct *si = swap_info_of(sw, e);

	BUG_ON(!si);
	put_reference(sw, si, swp_offset(e));
}

void swapcache_free(struct swap *sw, swp_entry_t e)
{
	struct swap_info_struct *si = swap_info_of(sw, e);

	BUG_ON(!si);
	slot_uncache(sw, si, swp_offset(e));
}

/* ---- what the cache asks of slots ---- */

u32 page_swapcount(const struct swap *sw, const struct page *p)
{
	return slot_count(page_area(sw, p), swp_offset(page_swp_entry(p)));
}

bool reuse_swap_page(struct swap *sw, struct page *p)
{
	u32 users = (u32)page_mapcount(p);

	VM_BUG_ON(!PageLocked(p));
	if (PageKsm(p))
		return false;
	if (users > 1 || !PageSwapCache(p))
		return users <= 1;
	users += page_swapcount(sw, p);
	if (users == 1 && !PageWriteback(p)) {
		delete_from_swap_cache(sw, p);
		SetPageDirty(p);
	}
	return users <= 1;
}

bool try_to_free_swap(struct swap *sw, struct page *p)
{
	VM_BUG_ON(!PageLocked(p));
	if (!PageSwapCache(p) || PageWriteback(p) || !page_slot_unused(sw, p))
		return false;
	delete_from_swap_cache(sw, p);
	SetPageDirty(p);
	return true;
}

void free_swap_cache(struct swap *sw, struct page *p)
{
	if (!PageSwapCache(p) || page_mapped(p) || !trylock_page(p))
		return;
	try_to_free_swap(sw, p);
	unlock_page(p);
}

void free_swap_and_cache(struct swap *sw, swp_entry_t e)
{
	struct swap_info_struct *si = swap_info_of(sw, e);
	struct page *p;

	BUG_ON(!si);
	if (put_reference(sw, si, swp_offset(e)) != SWAP_HAS_CACHE)
		return;
	p = swap_cache_peek(sw, e);
	if (!p || !trylock_page(p))
		return;
	get_page(p);
	if (PageSwapCache(p) && !PageWriteback(p) && (!page_mapped(p) || vm_swap_full(sw))) {
		delete_from_swap_cache(sw, p);
		SetPageDirty(p);
	}
	unlock_page(p);
	lru_put_page(sw->lru, p);
}

/* ---- swapon, swapoff ---- */

u64 swap_table_bytes(const struct swap *sw, const struct swap_info_struct *si)
{
	return table_bytes(sw, si, sizeof(u32));
}

bool swap_slot_in_use(const struct swap_info_struct *si, u32 offset)
{
	return si->cache[offset] || slot_count(si, offset);
}

struct swap_info_struct *swap_area_find(struct swap *sw, u64 id)
{
	for (unsigned t = 0; t < MAX_SWAPFILES; t++)
		if (sw->info[t] && sw->info[t]->id == id)
			return sw->info[t];
	return NULL;
}

struct swap_info_struct *swap_area_last(struct swap *sw)
{
	for (unsigned t = MAX_SWAPFILES; t-- > 0;)
		if (sw->info[t])
			return sw->info[t];
	return NULL;
}

void swap_area_enable(struct swap *sw, struct swap_info_struct *si)
{
	si->flags |= SWP_WRITEOK;
	sw->nr_swap_pages += si->pages;
	sw->total_swap_pages += si->pages;
	if (si->highest_bit)
		avail_add(sw, si);
}

int swap_area_add(struct swap *sw, const struct swap_area *area)
{
	u64 max = area->bytes >> sw->phys->page_shift;
	struct swap_info_struct *si;
	unsigned type = 0;

	might_sleep(sw->hw);
	while (type < MAX_SWAPFILES && sw->info[type])
		type++;
	if (type == MAX_SWAPFILES)
		return -EPERM;
	if (swap_area_find(sw, area->id))
		return -EBUSY;
	if (area->no_signature || max < 2)
		return -EINVAL;
	si = area_alloc(sw, (u32)mm_min(max, sw->max_offset + 1));
	if (!si)
		return -ENOMEM;
	si->id = area->id;
	si->type = type;
	si->flags = SWP_USED | (area->solid_state ? SWP_SOLIDSTATE : 0);
	si->pages = si->max - 1;
	si->swap_map[0] = SWAP_MAP_BAD;
	si->lowest_bit = si->cluster_next = 1;
	si->highest_bit = si->max - 1;
	si->prio = area->has_prio ? area->prio : sw->least_priority - 1;
	if (area->solid_state && make_clusters(sw, si)) {
		area_free(sw, si);
		return -ENOMEM;
	}
	if (!area->has_prio)
		sw->least_priority--;
	list_init(&si->avail);
	sw->info[type] = si;
	swap_area_enable(sw, si);
	return 0;
}

void swap_area_disable(struct swap *sw, struct swap_info_struct *si)
{
	swap_slots_drain(sw);
	list_del(&si->avail);
	si->flags &= ~(unsigned)SWP_WRITEOK;
	sw->nr_swap_pages -= si->pages;
	sw->total_swap_pages -= si->pages;
}

/* Automatic priorities below the one that goes move up, so that the next one follows the last. */
static void close_priority_gap(struct swap *sw, int prio)
{
	if (prio >= 0)
		return;
	for (unsigned t = 0; t < MAX_SWAPFILES; t++)
		if (sw->info[t] && sw->info[t]->prio < prio)
			sw->info[t]->prio++;
	sw->least_priority++;
}

void swap_area_remove(struct swap *sw, struct swap_info_struct *si)
{
	swap_slots_drain(sw);
	BUG_ON(si->inuse_pages || si->nr_cached);
	for (u64 i = 0; i << sw->phys->page_shift < si->max; i++)
		if (si->cont_frames[i])
			free_page_page(sw->phys, sw->hw->cpu,
				       frame_to_page(sw->phys, si->cont_frames[i] - 1));
	sw->info[si->type] = NULL;
	close_priority_gap(sw, si->prio);
	area_free(sw, si);
}
