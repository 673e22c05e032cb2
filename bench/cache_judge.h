/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The running kernel judges the page cache: a file is read in the order of a reference string under a memory
 * limit, by the kernel in a memory cgroup and by the model with memlimit= and policy=modern.
 *
 * Kernel side: single pages by pread() on a file system with a device, without read-ahead
 * (POSIX_FADV_RANDOM), by a process of its own on one CPU. A miss is a page that mincore() does not see before
 * the read. Refaults are memory.stat's; activations too, or with version 1 of cgroups, which does not count
 * them, /proc/vmstat's if hardly anybody else refaulted meanwhile. memory.stat is read every 64 references, or the
 * kernel would judge by counters that may be seconds old.
 * Model side: the limit is what the kernel held of the file at most, since its group pays for its radix nodes
 * and stacks, too.
 * With the kernel's multi-generational LRU on, the model has mglru=1.
 */
#ifndef MEMRIG_CACHE_JUDGE_H
#define MEMRIG_CACHE_JUDGE_H

#include "core/base/types.h"

struct cache_case {
	const char *name;
	unsigned string; /* of workload refs */
	u64 pages, refs, hot;
	u64 limit; /* bytes */
};

struct cache_side {
	u64 misses, refaults;
	s64 activations; /* -1: not known */
	u64 strangers;	 /* of these, so many at most may be others': their refaults meanwhile */
	u64 active;	 /* pages on the active list at the end; of generations, in the youngest two */
	u64 held;	 /* pages of the file at most */
};

struct cache_verdict {
	struct cache_side kernel, model;
	int cgroup;   /* version */
	bool mglru;
};

/* The strings that memrig verify --cache runs; NULL behind the last. */
const struct cache_case *cache_judge_case(unsigned i);

/* True, or false with the reason in @why: not root, no controller, no file system with a device at @dir. */
bool cache_judge_possible(const char *dir, char *why, size_t n);

/*
 * Runs @c on both. The file is made in @dir and removed, and so is the cgroup; signals wait until then.
 * 0, or -1 with one line in @err.
 */
int cache_judge_run(const struct cache_case *c, const char *dir, u64 seed, struct cache_verdict *v, char *err,
		    size_t n);

/* The model's side alone, with memory for @held pages of the file. 0, or -1 with one line in @err. */
int cache_judge_model(const struct cache_case *c, u64 seed, bool mglru, u64 held, struct cache_side *side, char *err,
		      size_t n);

/* How far apart in percent of @kernel; 0 if both are 0. */
double cache_judge_error(u64 kernel, u64 model);

#endif
