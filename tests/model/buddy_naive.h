/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The page allocator once more, written from spec chapters 01 and 03 step by step: one page at a
 * time, one struct per zone, no short cut. The real one must agree with it list by list.
 * It knows nothing of core/phys but the names of flags and types.
 */
#ifndef MEMRIG_TESTS_BUDDY_NAIVE_H
#define MEMRIG_TESTS_BUDDY_NAIVE_H

#include "core/phys/gfp.h"
#include "core/phys/mmzone.h"

#define NV_NONE   (-1)
#define NV_ORDERS 11
#define NV_CPUS   4
#define NV_PCP    4096

struct nv_page {
	int next, prev;  /* on a free list */
	int order;       /* of the free block that starts here, or NV_NONE */
	int type;        /* list it is on; of a page on a per-CPU list: its freepage type */
	int zone;
};

struct nv_pcp {
	int count, nr[3];
	int page[3][NV_PCP]; /* head first */
	int type[3][NV_PCP];
};

struct nv_zone {
	bool exists, highmem;
	int start, end;  /* frames */
	long managed, free, batch;
	bool depleted;
	long mark[3], reserve[MM_MAX_NR_ZONES];
	int head[NV_ORDERS][MIGRATE_TYPES], tail[NV_ORDERS][MIGRATE_TYPES], nr_free[NV_ORDERS];
	int pcp_high, pcp_batch;
	long nr_reserve_blocks, nr_highatomic;
	struct nv_pcp pcp[NV_CPUS];
};

struct naive {
	int frames, block_order;
	bool fair, scale, wmark44, highatomic, steal412, grouping_off;
	struct nv_page *page;
	u8 *block_type;
	struct nv_zone zone[MM_MAX_NR_ZONES];
	long min_free_kbytes;
	long ratio[MM_MAX_NR_ZONES];
};

/* @lo and @hi: first frame and end of each zone type. All of it is free at first. */
struct naive *naive_boot(const struct machine_config *c, int frames, const int *lo, const int *hi,
			 unsigned mask, int block_order);
void naive_destroy(struct naive *m);
int naive_alloc(struct naive *m, int cpu, gfp_t gfp, int order); /* frame, or NV_NONE */
void naive_free(struct naive *m, int cpu, int frame, int order, bool cold);
void naive_drain(struct naive *m, int cpu);
void naive_set_min_free(struct naive *m, long kbytes);

#endif
