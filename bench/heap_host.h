/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A trace's malloc events on the host's own allocators, for comparison: each in a process of its own
 * that has nothing else to do. The process is this program, started again as `memrig __heap_worker`
 * with the allocator's library preloaded; it decodes a batch of events, then makes the recorded calls in
 * the recorded order on one thread, and only these are timed.
 *
 * A block that a forked child frees again, or that a process leaves behind, is freed once: all
 * processes of the trace share the worker's heap.
 */
#ifndef MEMRIG_HEAP_HOST_H
#define MEMRIG_HEAP_HOST_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

#include "core/base/types.h"

enum heap_host { /* as in the list of config key `heap`; 0 is the model */
	HEAP_HOST_GLIBC = 1,
	HEAP_HOST_JEMALLOC,
	HEAP_HOST_MIMALLOC,
	HEAP_HOST_TCMALLOC,
	NR_HEAP_HOSTS
};

enum heap_host_touch { /* what is written of each new block, inside the timed part */
	HEAP_HOST_TOUCH_NONE,
	HEAP_HOST_TOUCH_FIRST, /* its first byte */
	HEAP_HOST_TOUCH_PAGES  /* a byte of each of its pages */
};

struct heap_host_result {
	char allocator[16];
	char library[256];      /* the preloaded file; "" for the C library's own */
	u64 events;             /* calls made */
	u64 allocations, frees, reallocs;
	u64 skipped;            /* events without a block: failed when recorded, or born before it */
	double seconds, ns_per_event;
	u64 base_rss, peak_rss, final_rss; /* bytes; before the first call, highest, after the last */
	u64 peak_requested;     /* highest sum of requested bytes of live blocks */
	u64 brk_bytes;          /* growth of the break */
	u64 data_bytes;         /* growth of private writable memory (VmData), the break's included */
};

const char *heap_host_name(int which); /* "glibc", ...; NULL if there is no such allocator */

/* Path of the library of @which, "" for glibc; false when it is not installed (@path: its name). */
bool heap_host_library(int which, char *path, size_t n);

/*
 * Replays the malloc events of the trace. 0; -ENOENT: library missing, with the package's name in
 * @err; -EINVAL: the trace is unreadable or has no malloc events; -EIO: the worker failed.
 */
int heap_host_replay(const char *trace_path, int which, enum heap_host_touch touch,
		     struct heap_host_result *out, char *err, size_t n);

json_t *heap_host_json(const struct heap_host_result *r); /* new reference, or NULL */
void heap_host_print(const struct heap_host_result *r, FILE *out);

#endif
