/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes a trace. The file grows beside its final name (PATH.part) and is renamed when it is closed
 * without an error; a PATH.part left by a kill is readable up to its last whole block.
 *
 * Terms as in core/op.h. One thread at a time. Errors stick: the first one is kept, later calls
 * return it, and trace_writer_close() reports it in one line and leaves nothing behind.
 */
#ifndef MEMRIG_TRACE_WRITER_H
#define MEMRIG_TRACE_WRITER_H

#include "core/op.h"
#include "traces/info.h"

struct trace_writer;

enum {
	TRACE_WRITE_RAW = 0x100,  /* raw records, replayed without a copy; default: columns */
	TRACE_WRITE_TEXT = 0x200, /* the text twin */
	TRACE_WRITE_LEVEL = 0x1f  /* low bits: zstd level 1..19; 0: the default (3) */
};

/*
 * Opens @path ("-": text on standard output). @info is copied. A path ending in ".txt" or ".mrtt"
 * is no hint: the form is chosen by @flags alone. NULL with one line in @err.
 */
struct trace_writer *trace_writer_open(const char *path, const struct trace_info *info, int flags,
				       char *err, size_t errlen);

/* Id of @s (0 for NULL and ""), for fields of kind str. */
u64 trace_writer_string(struct trace_writer *w, const char *s);

/*
 * Dense index of (@pid, @tid); writes OP_TASK at the first use. A thread with tid == pid leads its
 * process. pid 0 is the kernel, task 0.
 */
u32 trace_writer_task(struct trace_writer *w, u32 pid, u32 tid);

/*
 * Appends @n records, extensions included (each directly behind its operation). Rules: task indices
 * from trace_writer_task(), string ids from trace_writer_string(), no OP_TASK (-EINVAL). A ts below
 * the one before is raised to it (counted, see trace_writer_raised()). Heap operations: fill ptr
 * (addr), len and, for realloc, old (ext x0); arg is assigned here. 0 or the first error.
 */
int trace_writer_put(struct trace_writer *w, const struct mm_op *ops, size_t n);

/* The copy that will be in the file: update losses and probes any time before the close. */
struct trace_info *trace_writer_info(struct trace_writer *w);

u64 trace_writer_events(const struct trace_writer *w); /* without bookkeeping and extensions */
u64 trace_writer_bytes(const struct trace_writer *w);  /* written so far */
u64 trace_writer_raised(const struct trace_writer *w); /* time stamps that went backwards */

/* Makes everything put so far readable for others. 0 or the first error. */
int trace_writer_flush(struct trace_writer *w);

/* Both free @w. close: 0, or -errno with one line in @err and no file left. */
int trace_writer_close(struct trace_writer *w, char *err, size_t errlen);
void trace_writer_abort(struct trace_writer *w);

#endif
