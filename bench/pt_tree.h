/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables alone, for measuring walks and ranges: a window of memory, one tree, tables from a pointer
 * that only moves. Pages lie at an even distance from PT_TREE_VA up.
 */
#ifndef MEMRIG_BENCH_PT_TREE_H
#define MEMRIG_BENCH_PT_TREE_H

#include "arch/range.h"
#include "arch/walk.h"

#define PT_TREE_NR_VA (1u << 20)
#define PT_TREE_BATCH 256u /* results there are */
#define PT_TREE_VA    (4 * MiB)

struct pt_tree {
	struct pt_mem mem;
	struct pt_alloc alloc;
	struct pt_space space;
	u64 bytes;         /* of tables so far */
	u64 pages, stride; /* stride: bytes from one mapped page to the next */
	u64 window;
	vaddr_t *va;       /* PT_TREE_NR_VA mapped addresses at random */
	struct pt_result *results;
};

/* NULL: no memory on the host, or the window is too small for the tables. */
struct pt_tree *pt_tree_new(enum pt_geom geom, u64 pages, u64 stride, u64 window);
void pt_tree_free(struct pt_tree *t);

/* The same number of pages on every geometry, side by side or far apart. */
struct pt_tree *pt_tree_dense(enum pt_geom geom);
struct pt_tree *pt_tree_sparse(enum pt_geom geom);

MM_INLINE vaddr_t pt_tree_va(const struct pt_tree *t, u64 i)
{
	return PT_TREE_VA + i * t->stride;
}

MM_INLINE struct pt_mmu pt_tree_mmu(const struct pt_tree *t)
{
	return (struct pt_mmu){.ttbr0 = t->space.root, .ttbr1 = PT_NO_TABLE, .dacr = ARM_DACR_LINUX};
}

/* @n walks through the public entry, independent of one another; a sum that keeps them. */
u64 pt_tree_walk(struct pt_tree *t, u64 n);

#endif
