/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a trace, binary or text (told apart by their first bytes), as batches of operations. Memory
 * is bounded whatever the length: a mapping of the file, a few decoded batches, the strings, the
 * tasks and one entry for each heap block live at once. Binary traces are decoded ahead on another
 * thread.
 *
 * What trace_next() returns keeps the contract of core/op.h: known codes, task indices introduced
 * before, extensions where they belong, times that never decrease. Everything a file says is
 * checked before it is believed.
 */
#ifndef MEMRIG_TRACE_READER_H
#define MEMRIG_TRACE_READER_H

#include <sys/types.h>

#include "core/op.h"
#include "traces/info.h"

struct trace_reader;

enum {
	TRACE_READ_INLINE = 1,	   /* decode in the caller's thread */
	TRACE_READ_NO_CHECKSUM = 2 /* trust the payloads: measurements only */
};

/*
 * Opens @path ("-": text on standard input). NULL with one line in @err that names the file, the
 * line or byte and what was expected.
 */
MM_PUBLIC struct trace_reader *trace_open(const char *path, unsigned flags, char *err, size_t errlen);
MM_PUBLIC void trace_close(struct trace_reader *r);

/* Valid until trace_close(); of text, complete once trace_next() was called. */
MM_PUBLIC const struct trace_info *trace_reader_info(const struct trace_reader *r);

/*
 * The next 1..MM_MAX_OP_BATCH records, never between an operation and its extension; valid until
 * the next call. 0 at the end, -errno with trace_reader_error() otherwise, again and again.
 */
MM_PUBLIC ssize_t trace_next(struct trace_reader *r, const struct mm_op **ops);

MM_PUBLIC const char *trace_reader_error(const struct trace_reader *r); /* one line; "" if there is none */
/* One line when the trace was cut short ("" if not); known after trace_next() returned 0. */
MM_PUBLIC const char *trace_reader_notice(const struct trace_reader *r);

/* Strings and tasks of everything returned so far. Other threads may look strings up while reading goes on. */
MM_PUBLIC struct op_strings trace_reader_strings(const struct trace_reader *r);
MM_PUBLIC u32 trace_nr_tasks(const struct trace_reader *r); /* the kernel, index 0, included */
MM_PUBLIC int trace_task_ids(const struct trace_reader *r, u32 task, u32 *pid, u32 *tid); /* 0 or -ENOENT */

/* Line of record @i of the current batch in a text trace; of a binary one, its ordinal from 1. */
MM_PUBLIC u64 trace_op_line(const struct trace_reader *r, size_t i);

MM_PUBLIC bool trace_reader_is_text(const struct trace_reader *r);
/* Bytes consumed and in all (0: unknown), for progress. */
MM_PUBLIC void trace_reader_progress(const struct trace_reader *r, u64 *done, u64 *total);

/* To the first record again; strings and tasks stay. 0, or -ESPIPE on a pipe. */
MM_PUBLIC int trace_rewind(struct trace_reader *r);

/*
 * Identifies the file, not its contents: xxh64 over the checks of its blocks, or over the lines of
 * a text. Twins differ. Complete after trace_next() returned 0.
 */
MM_PUBLIC u64 trace_hash(const struct trace_reader *r);

#endif
