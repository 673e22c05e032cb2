/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A memory cgroup of the running kernel for the length of a measurement. Version 2 where its hierarchy has the
 * memory controller (mounted privately if nobody has), else version 1. Needs root. Leaves nothing behind.
 */
#ifndef MEMRIG_BENCH_MEMCG_H
#define MEMRIG_BENCH_MEMCG_H

#include "core/base/types.h"

struct memcg {
	int version; /* 1 or 2 */
	char dir[512];
	char mount[64];	   /* of a hierarchy mounted for us; "": none */
	char control[600]; /* subtree_control we enabled memory in; "": none */
};

/* A new group that may hold @bytes. 0, or -1 with one line in @why. */
int memcg_create(struct memcg *g, u64 bytes, char *why, size_t n);
/* Its processes must be gone. 0, or -errno: it could not be removed. */
int memcg_destroy(struct memcg *g);

/* The calling process becomes a member. 0 or -errno. */
int memcg_enter(const struct memcg *g);

/* Open memory.stat, or -errno; each memcg_stat() on it makes the kernel bring its counters up to date. */
int memcg_stat_open(const struct memcg *g);
/* A number of memory.stat by its name; -1: there is none. */
s64 memcg_stat(int fd, const char *name);

/* A number of /proc/vmstat; -1: there is none. */
s64 host_vmstat(const char *name);

#endif
