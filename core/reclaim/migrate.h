/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page migration: contents, flags and mappings of a page move to another frame (spec 10 s1 to s3).
 *
 * Terms
 *   isolated   off its LRU list with a reference of the isolator, counted in nr_isolated_*.
 *   entry      migration entry: what stands in page tables for a page on the move. It names the old
 *              page, which stays locked until the entry is gone.
 *   pass       one attempt at every page of a list; ten, of which the last seven may wait (force).
 *
 * Owns nothing: lists belong to callers, who put back what stays on them. At rest no migration
 * entry exists (I10.1) and nothing is isolated (I10.3): migrate_check(). Linux: mm/migrate.c; left
 * out: huge pages, buffers, balloon pages, NUMA balancing.
 */
#ifndef MEMRIG_RECLAIM_MIGRATE_H
#define MEMRIG_RECLAIM_MIGRATE_H

#include "core/phys/page_list.h"
#include "core/vm/mm_types.h"

/* ASYNC never blocks; SYNC_LIGHT may, but not on write-back; SYNC waits for that too. */
enum migrate_mode { MIGRATE_ASYNC, MIGRATE_SYNC_LIGHT, MIGRATE_SYNC };

enum migrate_reason {
	MR_COMPACTION,
	MR_MEMORY_FAILURE,
	MR_MEMORY_HOTPLUG,
	MR_SYSCALL,
	MR_MEMPOLICY_MBIND,
	MR_NUMA_MISPLACED,
	MR_CMA
};

struct migrate_request {
	struct vm *vm;
	/* A new page with one reference, or NULL: no more. Called once a page and pass. */
	struct page *(*get_new_page)(struct page *old, void *private);
	/* Takes back a page that was not used; NULL: it is freed. */
	void (*put_new_page)(struct page *unused, void *private);
	void *private;
	enum migrate_mode mode;
	enum migrate_reason reason;
	bool in_steps; /* tests: no short cut for simple pages */
};

/*
 * Migrates the isolated pages of @from, head first. Those that were migrated, or cannot ever be,
 * leave the list and go back to the LRU; the others stay on it, for the caller to put back. The
 * number of pages not migrated, or -ENOMEM: no new page was to be had. Counts pgmigrate_success and
 * pgmigrate_fail. May sleep by mode. (spec 10 s1)
 */
int migrate_pages(const struct migrate_request *rq, struct page_list *from);

/* Takes @p off its LRU list, with a reference, counts it, and puts it at the head of @to. 0 or
 * -EBUSY. */
int isolate_for_migration(struct vm *vm, struct page *p, struct page_list *to);
/* Puts all pages of @from, which are isolated, back to the LRU. */
void putback_movable_pages(struct vm *vm, struct page_list *from);

/*
 * One page's migration in steps, for races (spec 00 s0.5): each call does the next step and says
 * where it stopped. Between steps the page is locked and its mappings are migration entries.
 */
enum migrate_point { MIGRATE_AT_START, MIGRATE_AT_UNMAPPED, MIGRATE_AT_MOVED, MIGRATE_AT_END };
struct migrate_op {
	struct vm *vm;
	struct page *page, *newpage;
	struct anon_vma *anon_vma;
	enum migrate_mode mode;
	enum migrate_point at;
	bool was_mapped;
	int result; /* at the end: 0, -EAGAIN, -EBUSY */
};
/* @page isolated, @newpage with one reference. */
void migrate_op_start(struct migrate_op *op, struct vm *vm, struct page *page, struct page *newpage,
		      enum migrate_mode mode);
enum migrate_point migrate_op_step(struct migrate_op *op, bool force);

/* ---- users (spec 10 s2) ---- */

/*
 * move_pages(2): moves the page at each of @n addresses of @mm to nodes[i]; @nodes NULL: only asks.
 * status[i]: the node it is on now, -ENOENT (not present), -EACCES (mapped elsewhere too and not
 * @move_all), -EFAULT (no mapping, or the zero page), -EBUSY. 0, -ENODEV (no such node), or what
 * migrate_pages() answered. May sleep.
 */
int sys_move_pages(struct vm *vm, struct mm_struct *mm, u64 n, const vaddr_t *addrs,
		   const int *nodes, int *status, bool move_all);
/* migrate_pages(2): all of @mm's pages on node @from to node @to; how many stayed, or -ENODEV. */
int sys_migrate_pages(struct vm *vm, struct mm_struct *mm, int from, int to);

/*
 * Empties [start, start + n) for memory hot-remove or a contiguous allocation: the pageblocks
 * become ISOLATE, pages in use migrate out, per-CPU lists are drained. 0: all frames are free (and
 * stay out of the allocator's reach until undo_isolate_range()); -EBUSY: a block that is not
 * MOVABLE, or something in it could not be moved: nothing changed for good. @start and @n are
 * multiples of the largest free block, within one zone.
 */
int isolate_range(struct vm *vm, pfn_t start, u64 n, enum migrate_reason reason);
void undo_isolate_range(struct vm *vm, pfn_t start, u64 n);

/* I10.1, I10.3: 0, or 10000 + n with a sentence in @why. O(tables). */
int migrate_check(struct vm *vm, char *why, size_t n);

#endif
