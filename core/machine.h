/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine: one emulated computer seen from its memory manager. Opaque, without globals; a
 * process may hold hundreds. One host thread drives one machine; the same operations, configuration
 * and seed give the same counters, bit for bit.
 */
#ifndef MEMRIG_MACHINE_H
#define MEMRIG_MACHINE_H

#include <stdio.h>

#include "core/base/types.h"
#include "core/config.h"
#include "core/op.h"
#include "core/vmstat.h"

struct machine;

/* What the machine answered to one operation, in the terms of interfaces.md s3. */
struct mm_result {
	s64 value;   /* number, address, negative errno */
	s64 second;  /* e.g. the index of a pfn:index answer */
	u8 res;      /* enum mm_op_res: RES_EXT says value; RES_NONE.. for accesses; RES_UNKNOWN: skipped */
	u8 has_second;
};

/*
 * Boots a machine. @c must have passed config_finish(). Returns NULL with one line in @err when the
 * configuration cannot be booted (no RAM left, host out of address space).
 */
MM_PUBLIC struct machine *machine_create(const struct machine_config *c, char *err, size_t errlen);
MM_PUBLIC void machine_destroy(struct machine *m);

/*
 * Applies @n records (extensions included) in order. With @results, entry i answers record i.
 * @strings serves the string ids in them; NULL if there are none. Unsupported operations are
 * skipped and counted by code. Never fails: guest errors are results.
 */
MM_PUBLIC void machine_apply(struct machine *m, const struct mm_op *ops, size_t n,
			     const struct op_strings *strings, struct mm_result *results);

/* Runs daemons up to virtual time @ns. Earlier times are no error and change nothing. */
MM_PUBLIC void machine_advance(struct machine *m, u64 ns);

MM_PUBLIC void machine_vmstat(const struct machine *m, struct vmstat_snapshot *out);
/*
 * What /proc/vmstat of the kernel that policy= models would print of @s, in its order, then our own counters
 * (spec 12 s4), into @out[VMSTAT_MAX_LINES]. Returns how many lines.
 */
MM_PUBLIC unsigned machine_vmstat_lines(const struct machine *m, const struct vmstat_snapshot *s,
					struct vmstat_line *out);
/* The value now of the line called @name. 0, or -ENOENT: this kernel prints no such line. */
MM_PUBLIC int machine_vmstat_get(const struct machine *m, const char *name, s64 *value);

/*
 * Snapshots. A machine that keeps its history (machine_keep_history() before its first operation: 0,
 * -EBUSY, -ENOMEM) can be copied at any time and continued from there, identically: a snapshot is the
 * configuration and every operation since boot, and restoring replays them, so it takes as long as the
 * machine's life took. machine_snapshot(): NULL without a history or memory. machine_restore(): a new
 * machine that keeps its history too, or NULL with one line in @err.
 */
struct machine_snapshot;
MM_PUBLIC int machine_keep_history(struct machine *m);
MM_PUBLIC struct machine_snapshot *machine_snapshot(struct machine *m);
MM_PUBLIC struct machine *machine_restore(const struct machine_snapshot *s, char *err, size_t errlen);
MM_PUBLIC void machine_snapshot_free(struct machine_snapshot *s);

/* All invariants of all floors. 0, or 1 with the violated one named in @why. */
MM_PUBLIC int machine_check(struct machine *m, char *why, size_t n);

/* Hash over the counters, tasks and free lists: equal for equal histories on any host. */
MM_PUBLIC u64 machine_hash(struct machine *m);

/* Prints the view called @view (interfaces.md s5). -ENOENT for an unknown name. */
MM_PUBLIC int machine_show(struct machine *m, const char *view, FILE *out);
MM_PUBLIC const char *machine_view_name(unsigned i); /* NULL behind the last */

MM_PUBLIC u64 machine_now(const struct machine *m); /* virtual nanoseconds */
MM_PUBLIC u64 machine_skipped(const struct machine *m, unsigned op_code);
MM_PUBLIC u64 machine_errors(const struct machine *m, unsigned op_code); /* answered with an error */
MM_PUBLIC const struct machine_config *machine_config_of(const struct machine *m);

struct pt_mem;
struct pt_mmu;

/*
 * Registers of the MMU while process @pid runs (0: the kernel alone), the memory that holds the tables,
 * and the number of their geometry (arch/walk.h). 0, or -ENOENT: no such address space.
 */
MM_PUBLIC int machine_mmu(const struct machine *m, u32 pid, int *geom, struct pt_mem *mem, struct pt_mmu *mmu);

/* Sums over all tasks, in pages and bytes as the names say. */
struct machine_totals {
	u64 rss_anon, rss_file, rss_shmem; /* pages */
	u64 pgtable_bytes;
	u64 heap_used, heap_size;          /* bytes; of the model heaps */
	u64 tasks, vmas;                   /* alive */
	u64 relocated_tasks;
};
MM_PUBLIC void machine_totals(const struct machine *m, struct machine_totals *out);

/*
 * What /proc/@pid/pagemap would say of the @n pages from @addr on (Linux's format: PFN, 61 file, 62 swapped,
 * 63 present). 0, -EINVAL: @addr is not page-aligned, or -ESRCH: no such address space.
 */
MM_PUBLIC int machine_pagemap(struct machine *m, u32 pid, vaddr_t addr, u64 n, u64 *entries);

struct machine_task;
struct machine_vma;

/* Numbers of /sys/kernel/mm/ksm (spec 11 s2, s9). */
struct machine_ksm {
	u64 pages_shared, pages_sharing, pages_unshared, pages_volatile, full_scans, pages_scanned, pages_skipped,
		ksm_zero_pages, stable_node_chains, stable_node_dups;
};
MM_PUBLIC void machine_ksm(const struct machine *m, struct machine_ksm *out);

/* Counters and address spaces at a `mark` operation, in order; NULL behind the last. */
struct machine_mark {
	char *name;
	u64 event; /* records applied before it */
	struct vmstat_snapshot stat;
	struct machine_ksm ksm;
	struct machine_task *tasks; /* of machine_task(), at that time */
	struct machine_vma *vmas;   /* of all tasks, one after the other: nr_vmas each */
	size_t nr_tasks;
};
MM_PUBLIC const struct machine_mark *machine_mark(const struct machine *m, size_t i);

/* Snapshots of `lists` operations, in order, as JSON objects (interfaces.md s4); NULL behind the last. */
MM_PUBLIC const char *machine_list_json(const struct machine *m, size_t i);

/* What the first failing `check` operation found; "" if none failed. */
MM_PUBLIC const char *machine_check_failure(const struct machine *m);

/* Why a task waited: for a device in a fault, for work of its own on memory, for a device in a call on files. */
enum stall_kind {
	STALL_MAJFAULT, STALL_RECLAIM, STALL_LIMIT, STALL_COMPACT, STALL_THROTTLE, STALL_READ, STALL_WRITE, NR_STALLS
};
MM_PUBLIC const char *machine_stall_name(unsigned kind); /* "major_fault" */

/*
 * Virtual nanoseconds of a stretch of time that tasks waited: some and full of /proc/pressure/memory, the
 * same of io, and by reason. A wait for a page that was in use when it was evicted is both.
 */
struct machine_stall_window {
	u64 some, full, kind[NR_STALLS];
	u64 io_some, io_full;
};
struct machine_pressure {
	struct machine_stall_window total;
	u64 width;  /* virtual ns a window; window i starts at i * width */
	u32 nr;
};
MM_PUBLIC void machine_pressure(const struct machine *m, struct machine_pressure *out);
MM_PUBLIC const struct machine_stall_window *machine_pressure_window(const struct machine *m, u32 i);

/* One address space at the end of a replay, for results. */
struct machine_task {
	u32 pid;
	u64 minflt, majflt, rss_anon, rss_file, rss_shmem, swap, pgtable_bytes, nr_vmas;
	u64 stall_ns[NR_STALLS];
	u64 memory_stall_ns, io_stall_ns; /* of it: what counts as memory pressure, as i/o pressure */
	bool killed; /* by the OOM killer */
};
struct machine_vma {
	vaddr_t start, end;
	u64 pgoff;         /* pages */
	char perms[5];     /* "rw-p" */
	char kind[24];     /* "anon", "shmem", "file N", "heap", "stack" */
	char flags[96];    /* the letters of smaps' VmFlags */
};
struct machine_zone {
	unsigned node;
	const char *name;
	u64 start_pfn, spanned, present, managed, min, low, high;
	unsigned nr_zones, nr_orders;
	u64 protection[8], free[16];
};
MM_PUBLIC size_t machine_nr_tasks(const struct machine *m);
MM_PUBLIC void machine_task(const struct machine *m, size_t i, struct machine_task *out);
/* 0, or -ENOENT behind the last VMA of task @i. */
MM_PUBLIC int machine_task_vma(const struct machine *m, size_t i, size_t vma, struct machine_vma *out);
MM_PUBLIC size_t machine_nr_zones(const struct machine *m);
MM_PUBLIC void machine_zone(const struct machine *m, size_t i, struct machine_zone *out);

#endif
