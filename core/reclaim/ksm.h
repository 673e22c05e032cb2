/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KSM: ksmd, its trees, its control files (spec 11).
 *
 * Terms
 *   full scan    every mergeable page of every registered address space once; seqnr counts them.
 *   stable tree  of KSM pages, read-only wherever they are mapped; lives on between full scans.
 *   unstable     of candidates that did not change since the scan before; empty at each full scan's
 *                beginning, since their contents may change under it.
 *   order        ksm_order=contents: red-black trees by memcmp, as in Linux, walked as Linux walks
 *                them. ksm_order=hash: tables by a hash of the contents (compared on equality),
 * which also skip pages that nobody wrote since they were last seen (ksm_settled.c). Counters after
 * a full scan are the same; within one they may differ where a page of a tree vanished or changed
 * since it was inserted, for only a walk meets those.
 *
 * struct reclaim owns struct ksm; slots and the run state are floor 6's (core/vm/ksm_rmap.h).
 * Invariants I11.1 to I11.5: ksm_check(). Linux: mm/ksm.c; left out: the advisor, process-wide
 * enabling by prctl (ksm_all=1 is close), memory hotplug.
 */
#ifndef MEMRIG_KSM_H
#define MEMRIG_KSM_H

#include "core/vm/ksm_rmap.h"

struct ksm_leaf;

/* Buckets of items or nodes by the hash of their contents; grows with its use. */
struct ksm_table {
	void **bucket;
	unsigned bits;
	u64 used;
};

struct ksm {
	struct vm *vm;
	struct phys *phys;
	struct hw *hw;
	struct kmem_cache *item_cache, *node_cache;

	/* tunables: config keys and sysctls without the prefix ksm_ */
	u64 pages_to_scan, sleep_millisecs, merge_across_nodes, max_page_sharing, use_zero_pages,
		smart_scan;
	u64 stable_node_chains_prune_millisecs;
	bool volatile_first, xxhash, by_hash;
	bool pass_settled; /* with by_hash; tests switch it off: every page is looked at */
	bool stale_ends_search; /* 4.0: a search that meets a stale node gives up, later it starts
				   again */

	/* the cursor; its slot is vm->ksm.cursor */
	vaddr_t address;
	struct rmap_item **rmap_list; /* link to the next item */
	u64 seqnr;
	vaddr_t passed_to; /* items below were passed without moving rmap_list; 0: none */
	bool gone;	   /* a page that had an item is gone: the next item must be looked up */
	bool no_memory;	   /* the batch ends */

	struct rb_root stable[MM_MAX_NODES], unstable[MM_MAX_NODES];
	struct ksm_table stable_hash, unstable_hash;
	struct hlist_head misplaced; /* nodes whose page moved to another memory node */
	u32 zero_checksum;

	u64 pages_shared, pages_sharing, pages_unshared, rmap_items;
	u64 pages_scanned, pages_skipped, stable_node_chains, stable_node_dups;
	u64 orphans; /* KSM pages that no memory was left to break: nobody's until written */

	/* what is remembered of each leaf table (ksm_settled.c); NULL before the first scan */
	struct ksm_leaf *leaves;
	u32 *marks;
	u32 *mark; /* of the page being scanned, or NULL */
	u64 epoch; /* marks of another are void */
};

/* Numbers of /sys/kernel/mm/ksm. */
struct ksm_stats {
	u64 pages_shared, pages_sharing, pages_unshared, pages_volatile, full_scans;
	u64 pages_scanned, pages_skipped, ksm_zero_pages, stable_node_chains, stable_node_dups;
};

/* NULL: no memory. */
struct ksm *ksm_create(struct vm *vm, const struct machine_config *c);
void ksm_destroy(struct ksm *k);

/* One batch of at most @n pages; ends early at the end of a full scan. May sleep. (s3) */
void ksm_do_scan(struct ksm *k, u64 n);
/* Batches of pages_to_scan until full_scans grew by @n, nobody is registered, or memory is short.
 */
void ksm_full_scans(struct ksm *k, u64 n);
/* Sets the run state; 2 breaks every KSM page. 0, -EINVAL, -ENOMEM (then stopped). May sleep. (s2, s5) */
int ksm_set_run(struct ksm *k, u64 run);
/*
 * Writes a tunable, with or without ksm_ before its name. 0, -EINVAL, -EBUSY, -ENOMEM, -ENOENT. May sleep.
 * (s10.3)
 */
int ksm_sysctl(struct ksm *k, const char *name, const char *value);

void ksm_stats(const struct ksm *k, struct ksm_stats *out);
/* I11.1 to I11.5: 0, or 11000 + n with a sentence in @why. */
int ksm_check(struct ksm *k, char *why, size_t n);

#endif
