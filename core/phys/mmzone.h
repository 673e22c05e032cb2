/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nodes, zones, free lists, per-CPU page lists: the structures of floor 3.
 *
 * Terms
 *   frame       pfn - phys->base_pfn: the index into memmap and every per-frame array.
 *   slot        index of a zone in phys->zones[], kept (plus one) in page->flags.
 *   zone type   DMA .. MOVABLE, always five numbers here; phys->zone_mask says which the profile
 *               configures, and views print those only.
 *   order byte  per frame: order + 1 of the free block that starts there, and the list it is on.
 *   top order   MAX_ORDER - 1. Blocks of it have their own small arrays (one entry a block), so that
 *               booting a terabyte touches kilobytes.
 *
 * Ownership: machine_create's thread builds it; zone->lock protects free_area, the order bytes and
 * links of the zone's frames and its level counters while smp=1; pageset[cpu] belongs to the thread
 * that drives that CPU.
 * Linux: include/linux/mmzone.h; left out: memory cgroups, sections, hotplug.
 */
#ifndef MEMRIG_PHYS_MMZONE_H
#define MEMRIG_PHYS_MMZONE_H

#include <pthread.h>
#include <stdio.h>

#include "core/base/limits.h"
#include "core/config.h"
#include "core/hw/atomic.h"
#include "core/hw/hw.h"
#include "core/hw/lockdep.h"
#include "core/phys/gfp.h"
#include "core/phys/kernel_pgd.h"
#include "core/phys/memblock.h"
#include "core/phys/page.h"
#include "core/phys/page_list.h"

enum zone_type { ZONE_DMA, ZONE_DMA32, ZONE_NORMAL, ZONE_HIGHMEM, ZONE_MOVABLE };
_Static_assert(ZONE_MOVABLE + 1 == MM_MAX_NR_ZONES, "zone types");
#define MM_MAX_ZONES (MM_MAX_NODES * MM_MAX_NR_ZONES)

/*
 * Names, not numbers: Linux 4.0 and 4.4 number them differently (spec 03 s1); phys->mt_order gives
 * the order in which the kernel in question counts and prints them.
 */
enum migratetype {
	MIGRATE_UNMOVABLE,
	MIGRATE_RECLAIMABLE,
	MIGRATE_MOVABLE,
	MIGRATE_PCPTYPES, /* types with per-CPU lists */
	MIGRATE_RESERVE = MIGRATE_PCPTYPES,
	MIGRATE_HIGHATOMIC = MIGRATE_PCPTYPES, /* highorder=highatomic: in RESERVE's place */
	MIGRATE_CMA,
	MIGRATE_ISOLATE,
	MIGRATE_TYPES
};

enum zone_watermarks { WMARK_MIN, WMARK_LOW, WMARK_HIGH, NR_WMARK };

enum { /* alloc_flags, spec 03 s1 */
	ALLOC_WMARK_MIN = 0, ALLOC_WMARK_LOW = 1, ALLOC_WMARK_HIGH = 2, ALLOC_WMARK_MASK = 3,
	ALLOC_NO_WATERMARKS = 4, ALLOC_HARDER = 0x10, ALLOC_HIGH = 0x20, ALLOC_CPUSET = 0x40,
	ALLOC_CMA = 0x80, ALLOC_FAIR = 0x100
};

enum { /* zone->flags */
	ZONE_RECLAIM_LOCKED = 1, ZONE_OOM_LOCKED = 2, ZONE_CONGESTED = 4, ZONE_DIRTY = 8,
	ZONE_WRITEBACK = 16, ZONE_FAIR_DEPLETED = 32
};

enum lru_list {
	LRU_INACTIVE_ANON, LRU_ACTIVE_ANON, LRU_INACTIVE_FILE, LRU_ACTIVE_FILE, LRU_UNEVICTABLE,
	NR_LRU_LISTS
};

struct lru_gen;
struct lruvec { /* lists of core/phys/lru.c; in the zone or in the node (key reclaim) */
	struct page_list lists[NR_LRU_LISTS];
	u64 recent_rotated[2], recent_scanned[2]; /* anonymous, file */
	u64 inactive_age;
	struct lru_gen *gen; /* mglru=1: in place of the first four lists; NULL otherwise */
};

/*
 * Free blocks of one order are on circular lists, one a migratetype, whose heads are links too: they
 * follow the frames' (and the top blocks') in the same arrays. free_list_head() gives their numbers.
 */
struct free_area {
	u32 nr_free; /* blocks of this order, all types */
};

#define FREE_HEADS_PER_ZONE 128u /* 8 an order; 8 in the top order's array */

/* One migratetype's pages of a CPU: a double-ended queue in a ring. */
struct pcp_list {
	u64 *ring; /* struct page pointer, its freepage type in the low three bits */
	u32 mask;  /* slots - 1 */
	u32 head;  /* position of the first element; runs freely, as does tail */
	u32 tail;  /* position behind the last */
	u32 pad;
};

MM_INLINE u32 pcp_list_nr(const struct pcp_list *l)
{
	return l->tail - l->head;
}

struct per_cpu_pages {
	u32 count, high, batch;
	u32 batch_taken;             /* smp: NR_ALLOC_BATCH not yet charged to the zone */
	u32 drain_wanted;            /* smp: another CPU asked this one to drain */
	struct pcp_list lists[MIGRATE_PCPTYPES];
	s64 numa[NR_NUMA_OTHER - NR_NUMA_HIT + 1]; /* numa_hit .. numa_other */
} __attribute__((aligned(64)));

struct phys;

enum { BATCH_NONE, BATCH_EXACT, BATCH_PER_CPU }; /* fair=0; fair=1; fair=1 with smp=1 */

struct zone {
	/* read by every allocation, written by watermark changes only */
	u64 watermark[NR_WMARK];
	u64 lowmem_reserve[MM_MAX_NR_ZONES]; /* by class zone (type) */
	u64 nr_reserved_highatomic;          /* pages in HIGHATOMIC blocks */
	struct per_cpu_pages *pageset;       /* [ncpu] */
	struct phys *phys;
	u32 start_frame, nr_frames;          /* zone_start_pfn and spanned_pages as frames */
	u32 head_base, top_head_base;        /* numbers of the free lists' heads */
	u8 *order_byte;                      /* phys's, nearer */
	struct page *memmap;
	unsigned top;                        /* MAX_ORDER - 1 */
	u32 fresh_flags;                     /* page->flags of a page just allocated */
	u8 node, type, slot;
	u8 batch_mode;                       /* BATCH_*: how NR_ALLOC_BATCH is kept */
	bool smp;
	/* written by allocations */
	u32 flags __attribute__((aligned(64)));
	u32 nr_isolate_pageblocks;
	s64 vm_stat[NR_ZONE_STATS];
	struct free_area free_area[MM_MAX_ORDER];
	pthread_spinlock_t lock;

	const char *name;
	u64 zone_start_pfn, spanned_pages, present_pages, managed_pages;
	u64 memmap_pages;              /* pages its part of Linux's memmap takes */
	u64 late_pages;                /* managed, but not when the watermarks were set (reserved_late) */
	u64 inactive_ratio, dirty_balance_reserve, percpu_drift_mark;
	u64 nr_migrate_reserve_block;  /* highorder=reserve */
	u64 pcp_most;                  /* no per-CPU list can be longer: high was never more (I03.4) */
	struct lruvec lruvec;
	/* compaction (spec 10 s4) */
	u64 compact_cached_free_pfn, compact_cached_migrate_pfn[2];
	u32 compact_considered, compact_defer_shift;
	int compact_order_failed;
	bool compact_blockskip_flush;
} __attribute__((aligned(64)));

struct zonelist { /* zones an allocation may use, best first */
	u32 nr;
	struct zone *zones[MM_MAX_ZONES];
};

typedef struct pglist_data {
	unsigned node_id;
	struct zone *node_zones[MM_MAX_NR_ZONES]; /* by type; NULL: not configured */
	/* by highest zone type: the fallback list, and the same of this node only */
	struct zonelist node_zonelists[MM_MAX_NR_ZONES], node_thislists[MM_MAX_NR_ZONES];
	u64 node_start_pfn, node_spanned_pages, node_present_pages;
	int kswapd_max_order, classzone_idx; /* what kswapd was woken for */
	bool kswapd_asleep;
	struct lruvec lruvec;  /* reclaim=node */
	u32 kswapd_failures;
} pg_data_t;

/* Where a page of order 0 comes from: what the zone and the CPU imply, looked up once. */
struct page_source {
	struct zone *zone;
	struct per_cpu_pages *pcp; /* the CPU's of the zone */
	struct pcp_list *list;     /* of it, for the type that MOVABLE asks for */
	u64 *pgalloc;              /* event counter of the zone's type */
};

/* First choice of an allocation, by the low four gfp bits; a zone without free pages: none. */
struct fast_choice {
	struct page_source from;
	const struct zonelist *zonelist;
	bool alone; /* the zonelist has no other zone */
} __attribute__((aligned(64)));

/* What of the current task matters to the allocator (spec 03 s8.1), and short cuts; per CPU. */
struct phys_cpu {
	bool pf_memalloc; /* PF_MEMALLOC: is reclaiming */
	bool tif_memdie;  /* chosen by the OOM killer */
	bool rt_task;
	u32 last_slot;    /* zone slot + 1 of last_pcp */
	u64 *events;      /* the CPU's, of floor 2 */
	struct per_cpu_pages *last_pcp; /* where this CPU freed last */
	struct zone *last_block_zone;   /* the same of blocks of order > 0 */
	u32 last_block_slot;
	struct fast_choice fast[16] __attribute__((aligned(64)));
} __attribute__((aligned(2048)));

/* One allocation in flight, for the slow path and reclaim. */
struct alloc_context {
	struct phys *phys;
	unsigned cpu;
	gfp_t gfp;
	unsigned order;
	enum migratetype migratetype;
	unsigned alloc_flags;
	enum zone_type high_zoneidx, classzone_idx;
	const struct zonelist *zonelist;
	struct zone *preferred_zone;
	struct page *page;     /* PRESSURE_PAGE: the result */
	unsigned tries;        /* how often PRESSURE_RECLAIM was called for this allocation */
	u64 pages_reclaimed;   /* reclaim's own between tries */
	u64 state[4];          /* reclaim's own, zero at the first try */
};

enum phys_pressure_stage {
	PRESSURE_WAKE,    /* slow path entered or retried: wake kswapd (never with NO_KSWAPD) */
	PRESSURE_LIMIT,   /* memlimit= would be exceeded by a page; the context is NULL */
	PRESSURE_RECLAIM  /* the free lists failed and the caller may wait: compact, reclaim, kill */
};
enum phys_pressure_result { PRESSURE_FAIL, PRESSURE_RETRY, PRESSURE_PAGE };

/* The only edge upwards. self is phys->on_pressure_self. */
typedef enum phys_pressure_result (*phys_pressure_fn)(void *self, struct alloc_context *ac,
						      enum phys_pressure_stage stage);

struct phys {
	struct hw *hw;
	const struct machine_config *config;
	struct page *memmap;      /* [nr_frames]; in front of it its links, then the lists' heads */
	u8 *order_byte;           /* [nr_frames]: blocks below the top order */
	u8 *top_byte;             /* [nr_frames >> top order]: blocks of the top order */
	struct page_link *top_links; /* the same; then the heads of their lists */
	u8 *pageblock;            /* [nr_frames >> pageblock_order]: migratetype, PAGEBLOCK_* */
	u64 base_pfn;             /* pfn of frame 0: start of DRAM rounded down to MAX_ORDER blocks */
	u64 nr_frames;
	unsigned max_order, pageblock_order, page_shift;
	unsigned nr_nodes, nr_zones, ncpu;
	bool smp, ideal, mobility_disabled, scale_watermarks, wmark44, highatomic, steal412, fair;
	u8 zone_mask;             /* BIT(zone type) of the configured types */
	u8 gfp_zone_tab[16];      /* zone type by the low four gfp bits; NR: illegal combination */
	u8 mt_order[MIGRATE_TYPES]; /* migratetypes in the numbering of the kernel modelled */
	u8 nr_mt;                 /* of them, printed ones */
	u8 migratetype_tab[4];    /* request type by MOVABLE and RECLAIMABLE (bit 0, bit 1) */
	u8 cpu_node[MM_MAX_CPUS];
	unsigned fast_alloc_flags; /* LOW, with fair=1 also FAIR */
	struct zone *zones;       /* [nr_zones], by node, then type */
	struct zone *zone_of[1u << (32 - PAGE_ZONE_SHIFT)]; /* the same by slot + 1, as page->flags have it */
	pg_data_t nodes[MM_MAX_NODES];
	struct phys_cpu *cpus;    /* [ncpu] */
	struct memblock memblock;
	struct kernel_pgd kpgd;

	u64 min_low_pfn, max_low_pfn, max_pfn; /* Linux's; min_low_pfn is the first frame of RAM */
	u64 total_pages;          /* of all banks */
	u64 totalram_pages, totalhigh_pages, totalreserve_pages;
	u64 min_free_kbytes;
	s64 user_min_free_kbytes;
	u64 watermark_scale_factor, percpu_pagelist_fraction, pcp_batch, pcp_high;
	u64 lowmem_reserve_ratio[MM_MAX_NR_ZONES];
	vaddr_t high_memory;      /* ARM32, x86pc */
	paddr_t arm_lowmem_limit; /* the same: end of the linear map */
	u64 swap_pages, swap_free_pages, swap_cached_pages; /* for meminfo; kept by core/backing */
	bool booting;             /* watermarks do not see reserved_late yet */

	phys_pressure_fn on_pressure; /* NULL: allocations below the watermark fail */
	void *on_pressure_self;
	u64 fail_nth;             /* tests: the fail_nth-th allocation from now fails; 0: none */
	u64 nr_warnings;          /* failure reports and misuse warnings */
	FILE *log;                /* where they are printed; NULL: only counted */
};

#define PAGEBLOCK_TYPE 7u
#define PAGEBLOCK_SKIP 8u /* compaction */

/* What the arena must hold; known before hw_init(). */
struct phys_layout {
	paddr_t base;  /* start of the arena */
	u64 bytes;
	unsigned nr_banks;
	struct { paddr_t base; u64 size; unsigned nid; } banks[MM_MAX_BANKS];
};

/*
 * Banks from mem= (or dtb=), cut as the architecture demands. 0, or -EINVAL with one line in @err.
 */
int phys_plan(const struct machine_config *c, struct phys_layout *out, char *err, size_t errlen);

/*
 * Boots floor 3 on @hw (spec 01 s1): memblock, zones, memmap, buddy, watermarks, pagesets. @c must
 * live as long as @phys. 0, -EINVAL or -ENOMEM with one line in @err.
 */
int phys_init(struct phys *phys, struct hw *hw, const struct machine_config *c, char *err,
	      size_t errlen);
void phys_destroy(struct phys *phys);

/* Writes a sysctl of this floor. 0, -EINVAL (value), -ENOENT (not one of ours). (spec 01 s8, s9) */
int phys_sysctl(struct phys *phys, const char *name, const char *value);

/* All invariants I0.1-I0.4, I01.*, I03.*; 0, or the number (3012 for I03.12) with text in @why. */
int phys_check(struct phys *phys, char *why, size_t n);

/* A view in the layout of /proc's file of that name; -ENOENT for names of other floors. */
int phys_show(struct phys *phys, const char *view, FILE *out);

/* Adds every zone level and per-CPU event to @out (ts is left alone). (spec 12 s4) */
void phys_vmstat(const struct phys *phys, struct vmstat_snapshot *out);

/* Level of one zone, per-CPU parts folded in. */
s64 zone_page_state(const struct zone *zone, enum zone_stat_item item);
s64 global_page_state(const struct phys *phys, enum zone_stat_item item);

const char *zone_type_name(enum zone_type t); /* "Normal" */
const char *migratetype_name(const struct phys *phys, enum migratetype mt); /* "Unmovable" */
int migratetype_by_name(const struct phys *phys, const char *name); /* or -1; any case */

MM_INLINE u32 page_frame(const struct phys *phys, const struct page *page)
{
	return (u32)(page - phys->memmap);
}

MM_INLINE struct page *frame_to_page(const struct phys *phys, u32 frame)
{
	VM_BUG_ON(frame >= phys->nr_frames);
	return &phys->memmap[frame];
}

MM_INLINE pfn_t page_to_pfn(const struct phys *phys, const struct page *page)
{
	return (pfn_t)(phys->base_pfn + page_frame(phys, page));
}

MM_INLINE struct page *pfn_to_page(const struct phys *phys, pfn_t pfn)
{
	return frame_to_page(phys, (u32)(pfn - phys->base_pfn));
}

/* "Is in a memory bank" (spec 01 s4.4). */
bool pfn_valid(const struct phys *phys, u64 pfn);

/* Zone of a page that was never allocated: by address. NULL for a hole between zones. */
struct zone *pfn_zone(const struct phys *phys, u64 pfn);

MM_INLINE struct zone *page_zone(const struct phys *phys, const struct page *page)
{
	u32 slot = page->flags >> PAGE_ZONE_SHIFT;

	if (MM_LIKELY(slot))
		return phys->zone_of[slot];
	return pfn_zone(phys, page_to_pfn(phys, page));
}

MM_INLINE pg_data_t *zone_pgdat(const struct zone *zone)
{
	return (pg_data_t *)&zone->phys->nodes[zone->node];
}

/*
 * Reserved at boot (or a hole). Frames never allocated are not marked in struct page: this looks
 * them up.
 */
bool page_is_reserved(const struct phys *phys, const struct page *page);

/* Head of a compound page; the page itself if it is no tail. */
MM_INLINE struct page *compound_head(const struct phys *phys, struct page *page)
{
	return PageTail(page) ? &phys->memmap[page->first_frame] : page;
}

/* A free block starts here. *@order is set. (Linux: PageBuddy, page_order; caller locks) */
MM_INLINE bool page_buddy(const struct phys *phys, u64 frame, unsigned *order)
{
	u8 b = phys->order_byte[frame];

	if (!b && !(frame & ((1u << (phys->max_order - 1)) - 1)))
		b = phys->top_byte[frame >> (phys->max_order - 1)];
	if (!b)
		return false;
	*order = (b & 15u) - 1;
	return true;
}

/* Number of a free list's head in its array of links. */
MM_INLINE u32 free_list_head(const struct zone *z, unsigned order, unsigned mt)
{
	return order == z->phys->max_order - 1 ? z->top_head_base + mt : z->head_base + order * 8 + mt;
}

/* First frame of a free list, or PFN_NONE. Safe to ask without the zone lock, as a guess. */
MM_INLINE u32 free_list_first(const struct zone *z, unsigned order, unsigned mt)
{
	const struct phys *p = z->phys;
	unsigned top = p->max_order - 1;
	u32 head = free_list_head(z, order, mt), id;

	if (order == top) {
		id = __atomic_load_n(&p->top_links[head].next, __ATOMIC_RELAXED);
		return id == head ? PFN_NONE : id << top;
	}
	id = __atomic_load_n(&page_link(p->memmap, head)->next, __ATOMIC_RELAXED);
	return id == head ? PFN_NONE : id;
}

MM_INLINE bool zone_is_highmem(const struct zone *z)
{
	return z->type == ZONE_HIGHMEM;
}

MM_INLINE u64 zone_end_pfn(const struct zone *z)
{
	return z->zone_start_pfn + z->spanned_pages;
}

/*
 * Host address of a page's contents; NULL for highmem pages, which need kmap (spec 12 s2).
 * virt_to_page: any address inside the page. Atomic.
 */
MM_INLINE void *page_address(const struct phys *phys, const struct page *page)
{
	if (zone_is_highmem(page_zone(phys, page)))
		return NULL;
	return hw_pfn_ptr(phys->hw, page_to_pfn(phys, page));
}

MM_INLINE struct page *virt_to_page(const struct phys *phys, const void *p)
{
	return pfn_to_page(phys, (pfn_t)(hw_pa(phys->hw, p) >> phys->page_shift));
}

MM_INLINE void mod_zone_page_state(struct zone *zone, enum zone_stat_item item, s64 delta)
{
	if (MM_UNLIKELY(zone->smp))
		__atomic_fetch_add(&zone->vm_stat[item], delta, __ATOMIC_RELAXED);
	else
		zone->vm_stat[item] += delta;
}

MM_INLINE void inc_zone_page_state(const struct phys *phys, const struct page *page,
				   enum zone_stat_item item)
{
	mod_zone_page_state(page_zone(phys, page), item, 1);
}

MM_INLINE void dec_zone_page_state(const struct phys *phys, const struct page *page,
				   enum zone_stat_item item)
{
	mod_zone_page_state(page_zone(phys, page), item, -1);
}

#endif
