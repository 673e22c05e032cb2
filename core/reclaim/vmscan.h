/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page reclaim (spec 09 s3, s5 to s8; 13 s2).
 *
 * Terms
 *   unit      what is reclaimed from at once: a zone, or with reclaim=node a node. One lruvec each.
 *   scan      a page is scanned when it is taken off the tail of a list, or found busy there.
 *   priority  12 down to 0: a pass looks at size >> priority pages of each list.
 *   limit     reclaim for memlimit=: from all units, by the allocating task; no watermarks, no
 * kswapd.
 *
 * struct vmscan owns the units' flags and statistics, kswapd's state, shrinkers and the OOM
 * killer's queue; pages and lists belong to floors 3 to 6. Invariants (vmscan_check): I09.4 at rest
 * no page is isolated; no lock or PF_MEMALLOC is left behind. Linux: mm/vmscan.c; left out: memory
 * cgroups but memlimit=, lumpy and zone_reclaim_mode reclaim, huge pages, page migration in place
 * of eviction.
 */
#ifndef MEMRIG_RECLAIM_VMSCAN_H
#define MEMRIG_RECLAIM_VMSCAN_H

#include "core/reclaim/shrinker.h"
#include "core/vm/mm_types.h"

#define DEF_PRIORITY	    12
#define SWAP_CLUSTER_MAX    32u
#define MAX_RECLAIM_RETRIES 16
#define COSTLY_ORDER	    3u
#define OOM_REAP_MAX	    64u

struct scan_unit {
	struct lruvec *vec;
	struct zone *zone; /* reclaim=zone; NULL: the node as a whole */
	pg_data_t *node;
	u32 flags;	    /* ZONE_CONGESTED, ZONE_DIRTY, ZONE_WRITEBACK */
	u64 refaults;	    /* workingset_activate at the end of the last reclaim (inactive=4.12) */
	u64 inactive_ratio; /* reclaim=zone: the zone's */
};

struct scan_control {
	u64 nr_to_reclaim, nr_scanned, nr_reclaimed;
	gfp_t gfp;
	unsigned order;
	int priority;
	unsigned reclaim_idx; /* highest zone type whose pages help */
	bool may_writepage, may_unmap, may_swap;
	bool kswapd, limit;
};

enum scan_balance { SCAN_EQUAL, SCAN_FRACT, SCAN_ANON, SCAN_FILE };

/* Input of get_scan_count(): everything it looks at. */
struct scan_input {
	u64 size[4];	/* by enum lru_list */
	u64 free, high; /* free pages and high watermark of the unit */
	u64 swappiness;
	int priority;
	bool may_swap; /* allowed, and slots are free */
	bool global;   /* no limit reclaim: the cache trap applies */
	bool inactive_file_low;
	bool force; /* a list so small that nothing would be scanned is scanned all the same */
};

/* kswapd of one node, between its steps. */
struct kswapd {
	struct vmscan *vs;
	pg_data_t *node;
	int daemon; /* of the clock; -1: none (threads=manual) */
	enum { KSWAPD_ASLEEP, KSWAPD_BALANCE, KSWAPD_NAP } state;
	unsigned order, new_order,
		wanted_order;	      /* of the run; of the thread's plan; of wake-ups since */
	int idx, new_idx, wanted_idx; /* highest zone type, likewise */
	unsigned balanced_order;      /* what the last run achieved */
	int balanced_idx;
	/* the run of balance_pgdat() in progress */
	struct scan_control sc;
	int end_zone, zone; /* zone: next to do; below 0: a pass is to begin */
	u64 attempted, pass_start, run_reclaimed;
	u32 fruitless; /* runs in a row that reclaimed nothing */
	bool woken;    /* has not looked yet what is wanted */
	bool raise_priority, pgdat_needs_compaction;
	unsigned run_order; /* of the last run when it began: what kcompactd is asked for */
};

struct vmscan;
/* migrate's part: what reclaim asks of compaction. NULL members: no compaction. */
struct compact_ops {
	void *self;
	/* compaction_suitable(): 0 SKIPPED, 1 CONTINUE, 2 PARTIAL */
	int (*suitable)(void *self, const struct zone *z, unsigned order, unsigned classzone_idx);
	bool (*deferred)(void *self, struct zone *z, unsigned order);
	/* __alloc_pages_direct_compact(): the page, or NULL; mode 0 async, 1 sync light, 2 sync */
	struct page *(*direct)(void *self, struct alloc_context *ac, int mode);
	void (*pgdat)(void *self, pg_data_t *node, unsigned order); /* compact_pgdat, async */
	void (*reset_suitable)(void *self, pg_data_t *node);	    /* skip bits, kswapd sleeps */
	void (*wake_kcompactd)(void *self, pg_data_t *node, unsigned order, int classzone_idx);
};

struct vmscan {
	struct vm *vm;
	struct phys *phys;
	struct hw *hw;
	struct lru *lru;
	struct swap *swap;
	struct filemap *files;
	const struct machine_config *config;
	bool node, anonws, inactive412;
	u64 swappiness;
	u32 nr_units;
	struct scan_unit units[MM_MAX_ZONES]; /* reclaim=zone: by slot; node: by node id */
	struct kswapd kswapd[MM_MAX_NODES];
	struct list_head shrinkers;
	struct shrinker shadow_nodes; /* of core/reclaim/shadow_nodes.h */
	struct compact_ops compact;
	struct task *reaping[OOM_REAP_MAX]; /* victims whose memory the reaper is to take */
	u8 reap_attempts[OOM_REAP_MAX];
	u32 nr_reaping;
	int reaper; /* daemon of the clock; -1: none */
	bool exits_pending;
	bool in_steps;	/* tests: no short cut for simple pages */
	bool in_daemon; /* a kernel thread is running: it must not wait for others */
	u64 limit;	/* memlimit= in pages; 0: none */
	u64 min_ttl_ns; /* mglru_min_ttl_ms=; 0: none */
};

/* 0 or -ENOMEM. */
int vmscan_init(struct vmscan *vs, struct vm *vm, const struct machine_config *c);
/* I09.4: 0, or 9000 + n with a sentence in @why. */
int vmscan_check(struct vmscan *vs, char *why, size_t n);
/* swappiness: 0, -EINVAL, -ENOENT. */
int vmscan_sysctl(struct vmscan *vs, const char *name, const char *value);

/* ---- units and zones ---- */

MM_INLINE struct scan_unit *zone_unit(struct vmscan *vs, const struct zone *z)
{
	return &vs->units[vs->node ? z->node : z->slot];
}

/* Pages on list @l of @u that count for @sc: of zones up to its reclaim_idx. */
u64 unit_lru_size(const struct vmscan *vs, const struct scan_unit *u, enum lru_list l,
		  unsigned reclaim_idx);

u64 zone_reclaimable_pages(const struct vmscan *vs, const struct zone *z);
/* Scanned less than six times what there is since a page was last freed; always so with
 * reclaim=node. */
bool zone_reclaimable(const struct vmscan *vs, const struct zone *z);

/* Is list pair @file so unbalanced that active pages must move on? (spec 09 s6) */
bool inactive_list_is_low(const struct vmscan *vs, const struct scan_unit *u, bool file,
			  const struct scan_control *sc, bool actual_reclaim);

/*
 * How many pages of each list to scan: @nr by enum lru_list; which rule decided. Halves statistics
 * that have grown beyond a quarter of their lists. (spec 09 s5.1)
 */
enum scan_balance get_scan_count(const struct scan_input *in, struct lruvec *stat, u64 nr[4]);

/* ---- shrinking ---- */

/* Up to 32 pages off the tail of @l, moved or freed; the number freed. (spec 09 s7, s8) */
void shrink_active_list(struct vmscan *vs, struct scan_unit *u, struct scan_control *sc, u64 nr,
			enum lru_list l);
u64 shrink_inactive_list(struct vmscan *vs, struct scan_unit *u, struct scan_control *sc, u64 nr,
			 enum lru_list l);

/* One pass over the lists of @u at sc->priority. Adds to nr_scanned and nr_reclaimed; pages it
 * could have looked at in @lru_pages. (spec 09 s5.2) */
void shrink_lruvec(struct vmscan *vs, struct scan_unit *u, struct scan_control *sc, u64 *lru_pages);
/* The same with shrinkers, repeated for high orders. True if anything was reclaimed. (spec 09 s5)
 */
bool shrink_unit(struct vmscan *vs, struct scan_unit *u, struct scan_control *sc, bool classzone);

enum page_references { PAGEREF_RECLAIM, PAGEREF_RECLAIM_CLEAN, PAGEREF_KEEP, PAGEREF_ACTIVATE };
/* Spec 09 s8.2 step 5. @ptes: young mappings; @referenced: PG_referenced was set. *@set: set it
 * again. */
enum page_references page_check_references(u32 vm_flags, int ptes, bool referenced, bool swapbacked,
					   bool anonws, bool *set);

enum isolate_mode {
	ISOLATE_CLEAN = 1,
	ISOLATE_UNMAPPED = 2,
	ISOLATE_ASYNC_MIGRATE = 4,
	ISOLATE_UNEVICTABLE = 8
};
/* 0: taken off its list with a reference; -EBUSY: not in this mode. For @p on a list. (spec 09
 * s8.1) */
int isolate_page(struct vmscan *vs, struct page *p, unsigned mode);

/* ---- entries ---- */

/*
 * Direct reclaim by the current task: pages freed, 1 if only hope is left, 0 if nothing helps.
 * May sleep. (spec 09 s3)
 */
u64 try_to_free_pages(struct vmscan *vs, const struct zonelist *zl, unsigned high_idx,
		      unsigned order, gfp_t gfp);
/* The task is about to exceed memlimit= by a page: pages freed. */
u64 try_to_free_limited(struct vmscan *vs, u64 nr_to_reclaim);

/* Refaults counted so far are old news to inactive_list_is_low() (inactive=4.12). */
void snapshot_refaults(struct vmscan *vs);

/* Time passes for the current task until the device has done something, @ns at most; none if it is
 * idle. */
void reclaim_wait(struct vmscan *vs, u64 ns);
/* The current task sleeps: kernel threads on the virtual clock run. */
void reclaim_sleep(struct vmscan *vs, u64 ns);

/* ---- kswapd.c ---- */

int kswapd_init(struct vmscan *vs);
/*
 * An allocation of @order for zone types up to @classzone_idx failed @z's watermark: its node's kswapd is to
 * balance it. Atomic. (spec 09 s4)
 */
void wakeup_kswapd(struct vmscan *vs, struct zone *z, unsigned order, int classzone_idx);
/* Runs the thread of node @nid until it sleeps. */
void kswapd_run(struct vmscan *vs, unsigned nid);
/* threads=timed: lets it use the time that has passed since it last ran. For places that may
 * reclaim. */
void kswapd_catch_up(struct vmscan *vs, unsigned nid);
bool zone_balanced(const struct vmscan *vs, const struct zone *z, unsigned order, u64 gap,
		   int classzone_idx);
bool pgdat_balanced(const struct vmscan *vs, const pg_data_t *node, unsigned order,
		    int classzone_idx);

/* ---- oom_kill.c ---- */

/* Points of @t, 0: must not be killed. Atomic. (spec 09 s10) */
u64 oom_badness(const struct vmscan *vs, const struct task *t, u64 totalpages);
u64 oom_total_pages(const struct vmscan *vs);
/* The task to kill, NULL: none; *@abort: somebody is dying already. */
struct task *oom_select(struct vmscan *vs, u64 totalpages, u64 *points, bool *abort);
/* Kills somebody for an allocation. False: nobody is left to kill. May sleep. */
bool out_of_memory(struct vmscan *vs, gfp_t gfp, unsigned order);
/* kswapd gives up: as out_of_memory(), but the victim leaves at its next scheduling point. */
void oom_kill_thrashing(struct vmscan *vs);
/* Tasks that were killed and may leave, leave. The current one only if it is between operations. */
void oom_reap_exits(struct vmscan *vs, u32 current);
/* A step of the thread oom_reaper. */
u64 oom_reaper_daemon(void *self, u64 budget);
/* One attempt at each queued address space (oom=reaper). True if some must be tried again. May sleep. */
bool oom_reaper_step(struct vmscan *vs);

/* ---- slowpath.c ---- */

enum phys_pressure_result reclaim_on_pressure(void *self, struct alloc_context *ac,
					      enum phys_pressure_stage stage);

#endif
