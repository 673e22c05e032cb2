/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a trace says about itself: its @key lines, in binary its info block.
 *
 * Terms
 *   well-known keys  arch, page_size (kept as fields), source, command, captured_with, clock,
 *                    start (realtime of ts 0, ns since 1970), host, notes: free text.
 *   lost.KIND.CPU    events of a kind that the recorder lost on a CPU; `lost` is their sum plus
 *                    what was lost without a kind.
 *   probe.NAME       "COST_NS HITS": what one hit of a probe costs the recorded program.
 *
 * An info owns its strings; trace_info_free() releases them.
 */
#ifndef MEMRIG_TRACE_INFO_H
#define MEMRIG_TRACE_INFO_H

#include "core/base/types.h"

struct trace_kv {
	char *key, *value;
};

struct trace_info {
	char arch[16]; /* of the recorded machine: "x86_64", "aarch64", ... */
	u32 page_shift;
	u32 version;	     /* format version of the file that was read */
	u64 lost;	     /* sum of all kinds and CPUs */
	u64 events;	     /* of a closed binary trace; 0 if not known before the end */
	u32 nr, cap, bytes;  /* bytes: of all values, at most 1 MiB */
	struct trace_kv *kv; /* in order of first setting */
};

/* The host's architecture and page size, nothing else. */
MM_PUBLIC void trace_info_init(struct trace_info *info);
MM_PUBLIC void trace_info_free(struct trace_info *info);
MM_PUBLIC int trace_info_copy(struct trace_info *to, const struct trace_info *from); /* 0 or -ENOMEM */

/*
 * Sets @key ([a-z0-9_.-]+) to @value; control characters of @value are stored as blanks. Keys arch,
 * page_size and lost go to the fields. -EINVAL for a bad key or value, -ENOMEM, -E2BIG.
 */
MM_PUBLIC int trace_info_set(struct trace_info *info, const char *key, const char *value);
MM_PUBLIC int trace_info_setf(struct trace_info *info, const char *key, const char *fmt, ...) MM_PRINTF(3, 4);

/* "" when there is no such key. */
MM_PUBLIC const char *trace_info_get(const struct trace_info *info, const char *key);

/* Adds @n lost events of @kind ("mmap", "fault", "ring") on @cpu to what is already there. */
MM_PUBLIC int trace_info_add_lost(struct trace_info *info, const char *kind, unsigned cpu, u64 n);
MM_PUBLIC int trace_info_add_probe(struct trace_info *info, const char *name, u64 cost_ns, u64 hits);

#endif
