/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recorded allocations of the kernel (record --kmem) to operations of task 0: pages, kmalloc, caches.
 *
 * Terms
 *   id      a small number that stands for an address while it is allocated; given out again.
 *   unborn  a free of what was allocated before the recording: left out, counted.
 */
#ifndef MEMRIG_RECORD_KMEM_H
#define MEMRIG_RECORD_KMEM_H

#include "traces/map64.h"
#include "traces/record/event.h"
#include "traces/writer.h"

struct rec_kmem_ids {
	struct map64 ids, caches; /* address -> id; cache's address -> string id of its name */
	u32 *spare, nr_spare, cap_spare, next;
	u64 unborn;
};

/* One allocation or free at @ts of the trace. 0 or -errno. */
int rec_kmem_put(struct rec_kmem_ids *k, struct trace_writer *w, const struct rec_event *e, u64 ts);
/* A cache before its first object. 0 or -errno. */
int rec_kmem_cache(struct rec_kmem_ids *k, struct trace_writer *w, const struct rec_event *e, const char *name,
		   u64 ts);
void rec_kmem_free(struct rec_kmem_ids *k);

#endif
