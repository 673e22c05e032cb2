/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Swap: areas of slots, who uses each slot, and the cache of pages that have one (spec 08 s6 to
 * s9).
 *
 * Terms
 *   area     a device or file of slots, one page each; slot 0 is the header and never used.
 *   entry    (area, slot) in 32 bits, as in page->private; 0 is no entry.
 *   count    references to a slot from page tables (and 1 for shared memory): low bits of swap_map.
 *   cache    the swap cache: pages whose contents have (or will have) a slot. Being in it is a
 *            reference of the page and the HAS_CACHE bit of the slot.
 *   store    what was written: a tag (data=tag) or bytes a slot.
 *
 * Owns areas, their maps and stores (host memory, reserved lazily) and the pages' references from
 * the cache; continuation pages come from the machine's RAM. Invariants (swap_check()): I08.5,
 * I08.6, I08.8. Linux: mm/swapfile.c, mm/swap_state.c, mm/page_io.c, mm/swap_slots.c; left out:
 * frontswap, swap files with extents, discard, hibernation.
 */
#ifndef MEMRIG_SWAP_H
#define MEMRIG_SWAP_H

#include "core/backing/blockdev.h"
#include "core/backing/workingset.h"
#include "core/base/list.h"
#include "core/kmem/slab.h"
#include "core/phys/lru.h"

#define MAX_SWAPFILES	 30u /* 32 types less the two of migration entries */
#define SWAP_OFFSET_BITS 27u
#define SWAPFILE_CLUSTER 256u
#define SWAP_BATCH	 64u /* slots a CPU takes or gives back at once (swap_slots=slots) */

#define SWAP_PLUG_MAX 1024u /* reads waiting to be merged: the largest window of read-ahead */

enum { /* a byte of swap_map */
       SWAP_MAP_MAX = 0x3e,
       SWAP_MAP_BAD = 0x3f,
       SWAP_HAS_CACHE = 0x40,
       COUNT_CONTINUED = 0x80,
       SWAP_MAP_SHMEM = COUNT_CONTINUED | SWAP_MAP_BAD
};

typedef struct {
	u32 v;
} swp_entry_t;

MM_INLINE swp_entry_t swp_entry(unsigned type, u64 offset)
{
	return (swp_entry_t){(u32)type << SWAP_OFFSET_BITS | (u32)offset};
}

MM_INLINE unsigned swp_type(swp_entry_t e)
{
	return e.v >> SWAP_OFFSET_BITS;
}

MM_INLINE u32 swp_offset(swp_entry_t e)
{
	return e.v & ((1u << SWAP_OFFSET_BITS) - 1);
}

enum { SWP_USED = 1, SWP_WRITEOK = 2, SWP_SOLIDSTATE = 4 };

struct swap_cluster { /* of a solid-state area */
	u32 count;    /* used slots */
	u32 next;     /* free clusters are a list in order of becoming free */
};

struct swap_info_struct {
	struct swap *swap;
	u64 id; /* which device: what swapon was given */
	unsigned type, flags;
	int prio;
	u32 max; /* slots, the header included */
	u32 pages, inuse_pages;
	u32 lowest_bit, highest_bit;  /* bounds of the free slots; highest 0: none */
	u32 cluster_next, cluster_nr; /* rotating: where to go on, how many more in a row */
	u8 *swap_map;		      /* [max] */
	u32 *continued;		      /* [max]: count beyond SWAP_MAP_MAX */
	u32 *cont_frames; /* frame + 1 of the continuation page of each page-size piece of swap_map
			   */
	u32 *cache;	  /* [max]: frame + 1 of the cached page */
	u64 *shadows;	  /* [max], anonws=1: what evicted pages left; NULL otherwise */
	u64 nr_cached;
	u64 *tags;			       /* store with data=tag */
	u8 *bytes;			       /* store with data=bytes */
	struct swap_cluster *cluster_info;     /* solid-state only */
	u32 nr_clusters, free_head, free_tail; /* cluster numbers, or SWAP_NO_CLUSTER */
	struct {
		u32 index, next; /* cluster in use by the CPU, its next slot to look at */
	} percpu_cluster[MM_MAX_CPUS];
	struct list_head avail; /* in swap->avail while slots are free */
};

/* Slots a CPU holds (swap_slots=slots): taken but not handed out, and given back but not yet freed.
 */
struct swap_slots_cache {
	u32 cur, nr, n_ret;
	swp_entry_t slots[SWAP_BATCH], slots_ret[SWAP_BATCH];
};

struct swap {
	struct hw *hw;
	struct phys *phys;
	struct lru *lru;
	struct workingset *ws; /* refault distances of anonymous pages; NULL: none */
	struct swap_info_struct *info[MAX_SWAPFILES]; /* by type; NULL: free */
	struct list_head avail; /* areas with free slots, highest priority first */
	s64 nr_swap_pages;	/* free slots */
	u64 total_swap_pages, nr_cached;
	u64 max_offset;	    /* largest slot number a page-table entry can hold */
	int least_priority; /* the last automatic one */
	u64 page_cluster;
	struct { /* read-ahead (spec 08 s8.1) */
		u32 hits, last_pages, prev_offset;
	} ra;
	struct swap_slots_cache *slots_cache; /* [ncpu]; NULL with swap_slots=global */
	bool slots_active;		      /* enough free slots to take them in batches */
	struct blockdev dev;
	bool plugged; /* reads wait to be merged */
	u32 nr_plugged, plug[SWAP_PLUG_MAX];
	u32 fail_reads; /* tests: the next reads fail */
};

/* @max_offset: what the machine's page-table entries can hold. 0 or -ENOMEM. */
int swap_init(struct swap *sw, struct phys *phys, struct lru *lru, const struct machine_config *c,
	      u64 max_offset);
/* Host memory only: pages and continuation pages go with the machine. */
void swap_destroy(struct swap *sw);
/* Tells floor 3 what meminfo is to show. */
void swap_publish(struct swap *sw);
/* Run-time tunables page_cluster: 0, -EINVAL, -ENOENT. */
int swap_sysctl(struct swap *sw, const char *name, const char *value);
/* View swaps in the layout of /proc/swaps; -ENOENT for other names. */
int swap_show(struct swap *sw, const char *view, FILE *out);
/* I08.5 (cache side), I08.6, I08.8: 0, or 8000 + n with a sentence in @why. */
int swap_check(struct swap *sw, char *why, size_t n);

/* ---- areas ---- */

struct swap_area { /* one swapon */
	u64 id;	   /* device; one area a device */
	u64 bytes;
	bool no_signature, solid_state, has_prio;
	int prio;
};

/*
 * Adds an area: the first free type; without a priority -1, then -2, ... -EINVAL (no signature,
 * less than two pages), -EBUSY (already on), -EPERM (MAX_SWAPFILES areas), -ENOMEM. Areas larger
 * than an entry can name are cut. (spec 08 s6; floor 8 calls sys_swapon())
 */
int swap_area_add(struct swap *sw, const struct swap_area *area);
/* Area of device @id, or NULL. */
struct swap_info_struct *swap_area_find(struct swap *sw, u64 id);
/* The area that swapoff without a name means: the one of the highest type. NULL: none. */
struct swap_info_struct *swap_area_last(struct swap *sw);
/* First half of swapoff: no new slots from it, its pages off the totals. */
void swap_area_disable(struct swap *sw, struct swap_info_struct *si);
/* Undoes swap_area_disable() when its pages could not all be read back. */
void swap_area_enable(struct swap *sw, struct swap_info_struct *si);
/* Second half: the area goes; no slot of it may be in use. */
void swap_area_remove(struct swap *sw, struct swap_info_struct *si);

/* For swapoff: bytes of a table of 32 bits a slot, a multiple of the page size. */
u64 swap_table_bytes(const struct swap *sw, const struct swap_info_struct *si);
/* Whether slot @offset is referred to or cached, not merely held by a CPU. */
bool swap_slot_in_use(const struct swap_info_struct *si, u32 offset);

/* ---- slots ---- */

/* A slot with HAS_CACHE set, or 0 if there is none. (spec 08 s6.1) */
swp_entry_t get_swap_page(struct swap *sw);
/* One more reference. 0, -ENOENT (unused), -EINVAL (no such slot), -ENOMEM (continuation). */
int swap_duplicate(struct swap *sw, swp_entry_t e);
/* The slot of a shared-memory page: one reference that is never duplicated. */
void swap_shmem_alloc(struct swap *sw, swp_entry_t e);
/* One reference less; frees the slot with the last one, if it is not cached. */
void swap_free(struct swap *sw, swp_entry_t e);
/* The cache's hold on a slot: 0, -EEXIST (has it), -ENOENT (unused), -EINVAL. (spec 08 s8.2) */
int swapcache_prepare(struct swap *sw, swp_entry_t e);
void swapcache_free(struct swap *sw, swp_entry_t e);
/* References to the slot from page tables; 0 for what is no slot. */
u32 swap_count(const struct swap *sw, swp_entry_t e);
/* The byte of swap_map. */
u8 swap_map_byte(const struct swap *sw, swp_entry_t e);
/* Gives back the slots that CPUs hold (swap_slots=slots). */
void swap_slots_drain(struct swap *sw);

/* More than half of the slots are used. */
MM_INLINE bool vm_swap_full(const struct swap *sw)
{
	return sw->nr_swap_pages * 2 < (s64)sw->total_swap_pages;
}

/* ---- swap cache: every function here wants the page locked unless it says otherwise ---- */

MM_INLINE swp_entry_t page_swp_entry(const struct page *p)
{
	return (swp_entry_t){p->private};
}

/*
 * Gives an anonymous page a slot and puts it into the swap cache, dirty; one reference more. False:
 * no slot, or no memory. May sleep. (spec 08 s7 step 1)
 */
bool add_to_swap(struct swap *sw, struct page *p);
/* Puts @p in the cache under @e, whose slot has HAS_CACHE. 0 or -ENOMEM. */
int add_to_swap_cache(struct swap *sw, struct page *p, swp_entry_t e);
/* Out of the cache; the slot goes if nothing refers to it. Drops the cache's reference. */
void delete_from_swap_cache(struct swap *sw, struct page *p);
/*
 * @p is being evicted: @shadow stays with its slot until the slot is free or its page comes back.
 * Before swap_cache_remove_frozen(); 0: none.
 */
void swap_cache_leave_shadow(struct swap *sw, const struct page *p, u64 shadow);
/* The same for a page frozen at count 0: reclaim's __remove_mapping. Keeps no reference. */
void swap_cache_remove_frozen(struct swap *sw, struct page *p);
/* Migration: @to takes the place of @from, whose reference of the cache it gets. Both locked. */
void swap_cache_replace(struct swap *sw, struct page *from, struct page *to);
/* The cached page with a reference, or NULL. Counts read-ahead hits. Any lock state. */
struct page *lookup_swap_cache(struct swap *sw, swp_entry_t e);
/* The cached page without a reference or a count, or NULL. Any lock state. */
struct page *swap_cache_peek(const struct swap *sw, swp_entry_t e);
/*
 * The page of @e from the cache, or read into it: with a reference, perhaps not uptodate (read
 * error). NULL: no memory, or the slot is not used any more. Any lock state. (spec 08 s8.1)
 */
struct page *read_swap_cache_async(struct swap *sw, swp_entry_t e, gfp_t gfp);
/*
 * The same after reading the aligned block around @e, sized by the last hits. Atomic iff @gfp lacks
 * MM_GFP_WAIT.
 */
struct page *swapin_readahead(struct swap *sw, swp_entry_t e, gfp_t gfp);
/* Window of the next read-ahead at @offset; moves its state. */
u32 swapin_nr_pages(struct swap *sw, u32 offset);

/* References of a cached page's slot from page tables. */
u32 page_swapcount(const struct swap *sw, const struct page *p);
/* Nobody else needs the page as it is: may be written in place. Drops its slot if it can. */
bool reuse_swap_page(struct swap *sw, struct page *p);
/* Out of the cache, dirty, if no page table refers to the slot and it is not being written. Atomic. */
bool try_to_free_swap(struct swap *sw, struct page *p);
/* An unmapped page on its way out of an address space: gives up its slot if possible. Not locked.
 */
void free_swap_cache(struct swap *sw, struct page *p);
/* A swap entry is gone from a page table: its reference, and the cached page if nobody wants it. */
void free_swap_and_cache(struct swap *sw, swp_entry_t e);

/*
 * Writes a clean-marked locked page to its slot and unlocks it; under write-back until the device
 * is done. Writes nothing if no page table refers to the slot. Counts pswpout. (spec 08 s7 step 3)
 */
int swap_writepage(struct swap *sw, struct page *p);
/* Finishes what the device has done by now. */
void swap_complete_io(struct swap *sw);

#endif
