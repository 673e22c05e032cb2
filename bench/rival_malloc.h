/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The malloc libraries of the host on the patterns of suite slab. Each runs in a process of its own:
 * this program again, with the library preloaded, doing what a pipe tells it (rival_malloc.c).
 */
#ifndef MEMRIG_RIVAL_MALLOC_H
#define MEMRIG_RIVAL_MALLOC_H

#include <sys/types.h>

#include "core/base/types.h"

struct rival {
	pid_t pid;
	int to, from; /* pipes */
};

enum { RIVAL_GLIBC, RIVAL_JEMALLOC, RIVAL_MIMALLOC, RIVAL_TCMALLOC, NR_RIVALS };

/* Starts a worker on @kind (PATTERN_*) with objects of @size bytes. 0, or -errno. */
int rival_start(struct rival *r, int library, int kind, u32 size);
void rival_run(struct rival *r, u64 n);
void rival_stop(struct rival *r);

#endif
