/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The recorder's side of the preload library: owns the shared memory, reads the rings, turns ticks
 * into nanoseconds of CLOCK_MONOTONIC and gives rings of ended threads back. Needs no privilege.
 */
#ifndef MEMRIG_RECORD_HEAP_H
#define MEMRIG_RECORD_HEAP_H

#include "traces/record/preload.h"
#include "traces/record/queue.h"

struct rec_heap {
	int fd;
	struct heap_shm *shm;
	struct {
		u64 tick, ns;
	} then, now;	/* two points of the line that converts ticks */
	u64 next_sweep; /* when rings of ended threads are looked for again, ns */
	u64 events;
	u32 *dead_pid; /* processes found dead in the last sweep */
	u32 nr_dead;
};

int rec_heap_open(struct rec_heap *h); /* 0 or -errno */
void rec_heap_close(struct rec_heap *h);

/* The file's device as the kernel spells it, and its inode: to keep it out of the trace. */
void rec_heap_file(const struct rec_heap *h, u64 *dev, u64 *ino);

/* Sets LD_PRELOAD and PRELOAD_ENV, in the child before it executes the program. 0 or -errno. */
int rec_heap_environment(const struct rec_heap *h, const char *library);

/* Moves what the rings hold to @qs, ring i to queue @first + i. Number of events, or -ENOMEM. */
s64 rec_heap_drain(struct rec_heap *h, struct rec_queues *qs, u32 first);

/* No thread records any more from here on. */
void rec_heap_stop(struct rec_heap *h);

u64 rec_heap_lost(const struct rec_heap *h);
u32 rec_heap_attached(const struct rec_heap *h);

#endif
