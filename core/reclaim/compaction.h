/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory compaction: pages in use move to the top of a zone so that free ones merge at its bottom
 * (spec 10 s4 to s8).
 *
 * Terms
 *   migrate scanner   goes upwards and isolates pages in use; free scanner: downwards, isolates
 * free ones as targets. Where they meet the zone is done. cached pfn        where the scanners of
 * the next run begin (asynchronous and synchronous runs apart for the migrate scanner); in struct
 * zone. skip bit          of a pageblock: a scanner found nothing there. Cleared when all defers
 * are used up, and when kswapd goes to sleep after a run that met. deferral          after failures
 * the next 1, 3, 7 .. 63 attempts are skipped. rule              compaction=4.0 or 4.12: tests of
 * suitability and of success (s5, s6).
 *
 * Owns kcompactd's state; the rest of the state is in zones and pageblocks. Pages on a run's two
 * lists belong to the run; at rest there are none (I10.2, I10.3). Invariant I10.4
 * (compaction_check): cached pfns lie in their zone. Linux: mm/compaction.c; left out: contention
 * (one thread), per-zone shrinkers, CMA areas.
 */
#ifndef MEMRIG_RECLAIM_COMPACTION_H
#define MEMRIG_RECLAIM_COMPACTION_H

#include "core/phys/page_alloc.h"
#include "core/reclaim/migrate.h"
#include "core/reclaim/vmscan.h"

#define COMPACT_CLUSTER_MAX	32u
#define COMPACT_MAX_DEFER_SHIFT 6u

enum compact_result { /* of 4.0; PARTIAL_SKIPPED and NO_SUITABLE_PAGE are 4.12's and internal */
		      COMPACT_DEFERRED,
		      COMPACT_SKIPPED,
		      COMPACT_CONTINUE,
		      COMPACT_PARTIAL,
		      COMPACT_COMPLETE,
		      COMPACT_PARTIAL_SKIPPED,
		      COMPACT_NO_SUITABLE_PAGE,
		      COMPACT_NOT_SUITABLE_ZONE
};

struct compaction {
	struct vm *vm;
	struct phys *phys;
	bool rule412;
	bool off; /* only by hand: reclaim does not know of it */
	bool unevictable;      /* pages on the unevictable list may move (4.1) */
	u64 extfrag_threshold; /* fragmentation index up to which a failure is for lack of memory */
	struct {	       /* kcompactd of a node */
		unsigned order;
		int classzone_idx;
		int daemon; /* of the clock; -1: runs by kcompactd_run() only */
		struct compaction *self;
	} kcompactd[MM_MAX_NODES];
	bool has_kcompactd;
	bool running; /* a run is in progress: allocations it makes do not start another */
};

/* One run over one zone. */
struct compact_control {
	struct compaction *c;
	struct zone *zone;
	struct page_list freepages, migratepages;
	u64 free_pfn, migrate_pfn, last_migrated_pfn;
	u64 free_scanned, migrate_scanned; /* pages the run's scanners have seen */
	int order; /* -1: everything (manual) */
	enum migrate_mode mode;
	enum migratetype migratetype;
	unsigned alloc_flags, classzone_idx;
	bool ignore_skip_hint, kswapd;
	bool whole_zone; /* began at the zone's ends */
};

/* What reclaim calls; lives as long as @c. */
struct compact_ops compaction_ops(struct compaction *c);
/* With kcompactd=1 and threads=timed its daemons are added to the clock. */
int compaction_init(struct compaction *c, struct vm *vm, const struct machine_config *config);
/* extfrag_threshold, compact_unevictable_allowed, compact_memory: 0, -EINVAL, -ENOENT. */
int compaction_sysctl(struct compaction *c, const char *name, const char *value);
/* I10.4: 0, or 10004 with a sentence in @why. */
int compaction_check(struct compaction *c, char *why, size_t n);

/* Spec 10 s5: towards 0 lack of memory, towards 1000 fragmentation, -1000: a block would do. Atomic. */
int fragmentation_index(const struct zone *z, unsigned order);
/* COMPACT_SKIPPED, COMPACT_CONTINUE or COMPACT_PARTIAL (the allocation would succeed as it is). */
enum compact_result compaction_suitable(const struct compaction *c, const struct zone *z, int order,
					unsigned alloc_flags, unsigned classzone_idx);

/* Deferral (spec 10 s7). */
void defer_compaction(struct zone *z, int order);
bool compaction_deferred(struct zone *z, int order);
void compaction_defer_reset(struct zone *z, int order, bool alloc_success);
bool compaction_restarting(const struct zone *z, int order);
void reset_isolation_suitable(struct compaction *c, pg_data_t *node);

/* Runs from the cached pfns until a page of cc->order is there or the scanners meet. May sleep. (spec 10 s6) */
enum compact_result compact_zone(struct compact_control *cc);
/* The same with a control of its own. */
enum compact_result compact_zone_order(struct compaction *c, struct zone *z, int order,
				       enum migratetype mt, enum migrate_mode mode,
				       unsigned alloc_flags, unsigned classzone_idx);

/*
 * For an allocation that failed: compacts the zones it may use. (spec 10 s8 "direct") The page, or
 * NULL. Counts compact_stall, compact_success, compact_fail; *@deferred: all zones were deferred. May sleep.
 */
struct page *alloc_pages_direct_compact(struct compaction *c, struct alloc_context *ac,
					enum migrate_mode mode, bool *deferred);
enum compact_result try_to_compact_pages(struct compaction *c, const struct alloc_context *ac,
					 enum migrate_mode mode);
/* kswapd's: asynchronous, all zones of the node. */
void compact_pgdat(struct compaction *c, pg_data_t *node, int order);
/* compact_memory: everything, synchronously, ignoring skip bits. May sleep. */
void compact_nodes(struct compaction *c);

/* kcompactd: wanted after a high-order run of kswapd; runs as a daemon of the clock or by hand. */
void wakeup_kcompactd(struct compaction *c, pg_data_t *node, unsigned order, int classzone_idx);
void kcompactd_run(struct compaction *c, unsigned nid);

#endif
