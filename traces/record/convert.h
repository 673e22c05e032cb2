/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From recorded events, in order of time, to the operations of a trace.
 *
 * Terms
 *   process  what has a tgid; becomes `spawn` when the recorder first meets it (an exec, or a
 * process that was running), `fork` and `exec` afterwards. borrower a vfork()ed child: its events
 * belong to the thread that made it, until it executes a program and becomes a process of its own.
 *   region   a mapping that the kernel made at exec, or that was there before: `mmap` at a fixed
 * place. hidden   the recorder's own shared memory inside a process: it and its faults are left
 * out.
 *
 * The names of files are the last components of their paths.
 */
#ifndef MEMRIG_RECORD_CONVERT_H
#define MEMRIG_RECORD_CONVERT_H

#include "traces/record/fingerprint.h"
#include "traces/record/queue.h"
#include "traces/writer.h"

struct rec_convert;

struct rec_convert_options {
	u64 start;		    /* CLOCK_MONOTONIC of ts 0 */
	bool heap_only;		    /* no eBPF: the preload library alone tells about processes */
	u64 hidden_dev, hidden_ino; /* kernel numbers without the generation; 0, 0: none */
};

struct rec_convert *rec_convert_new(struct trace_writer *w, const struct rec_convert_options *opt);
void rec_convert_free(struct rec_convert *c);

/* 0, or the writer's error. */
int rec_convert_put(struct rec_convert *c, const struct rec_item *item);

/* Says at @ts (CLOCK_MONOTONIC) that @n events of @kind are missing. */
int rec_convert_lost(struct rec_convert *c, u64 ts, const char *kind, u64 n);

/* heap_only: process @pid is no more. */
int rec_convert_gone(struct rec_convert *c, u64 ts, u32 pid);

/* Programs that run in known processes: at most @n of them into @v. Their number. */
size_t rec_convert_programs(const struct rec_convert *c, struct rec_program *v, size_t n);

/* At @ts the contents of these pages had changed. 0, or the writer's error; a program that is over: 0. */
int rec_convert_fill(struct rec_convert *c, u64 ts, const struct rec_print *print);

u64 rec_convert_count(const struct rec_convert *c, enum rec_kind kind); /* events seen, by kind */
u64 rec_convert_unborn(const struct rec_convert *c); /* --kmem: frees of what was there before: left out */
u64 rec_convert_orphans(const struct rec_convert *c); /* of processes nobody announced: left out */

#endif
