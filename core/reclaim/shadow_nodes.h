/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The limit on what shadows of evicted pages may cost (spec 09 s9): leaves of the page cache's trees that hold
 * nothing else, beyond workingset_max_nodes() of them, are given to the shrinkers. The oldest go first, with all
 * their shadows; a page of theirs that comes back is new.
 * The leaves are filemap->shadow_nodes, kept by core/base/xarray.c. Linux: mm/workingset.c; left out: a list and
 * a limit a node and cgroup.
 */
#ifndef MEMRIG_RECLAIM_SHADOW_NODES_H
#define MEMRIG_RECLAIM_SHADOW_NODES_H

#include "core/reclaim/vmscan.h"

/* Registers vs->shadow_nodes. Freed leaves count in workingset_nodereclaim. May sleep. */
void shadow_nodes_init(struct vmscan *vs);

#endif
