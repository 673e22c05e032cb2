/* SPDX-License-Identifier: BSD-2-Clause */
/* A workload as a source of operations for replay_loop(). */
#ifndef MEMRIG_WORKLOAD_SOURCE_H
#define MEMRIG_WORKLOAD_SOURCE_H

#include "bench/replay_loop.h"
#include "workloads/workload.h"

struct workload_source {
	struct workload_run *run; /* started; must outlive the source */
	struct mm_op ops[MM_MAX_OP_BATCH];
	u64 seen; /* records before this batch */
	size_t nr;
};

/* The source reads from @s, whose other fields start as zeros. */
struct op_source workload_source(struct workload_source *s);

#endif
