/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine as a whole. Nothing below floor 8 sees this struct; each floor has its own object and
 * pointers to the floors it uses.
 *
 * Owns every floor, created and destroyed once each in floor order (machine.c).
 */
#ifndef MEMRIG_MACHINE_TYPES_H
#define MEMRIG_MACHINE_TYPES_H

#include "core/hw/hw.h"
#include "core/kmem/slab.h"
#include "core/machine.h"
#include "core/machine/apply_kernel.h"
#include "core/machine/heap.h"
#include "core/machine/place.h"
#include "core/machine/snapshot.h"
#include "core/phys/mmzone.h"
#include "core/reclaim/reclaim.h"
#include "core/vm/mm_types.h"

/* What floor 8 keeps per dense task index, beside vm's own task. */
struct machine_proc {
	struct heap_model *heap; /* of the leader: the process's model heap; NULL before its first use */
	struct place *place;     /* of the leader: relocated addresses; NULL: as recorded */
	u64 brk_from, brk_to, brk_end; /* relocated heap: recorded start, model's start, recorded end */
	u32 pid, tid;
	u32 leader;              /* dense index of the task that owns heap and place */
	bool defined;
	bool maps_recorded;      /* the trace has this process's mappings: heap events only account */
};

struct machine {
	struct machine_config config;
	struct hw hw;
	struct phys phys;
	struct kmem kmem;
	struct vm vm;
	struct reclaim reclaim;

	struct machine_proc *procs; /* by dense task index */
	u32 nr_procs;
	struct heap_pool heap_pool;
	struct machine_kernel_ops *kernel_ops;
	struct history *history; /* snapshot.c; NULL: none is kept */
	struct machine_mark *marks;
	u32 nr_marks, nr_lists;
	char **lists;          /* snapshots of the `lists` operation: a JSON object each */
	unsigned booted;       /* floors that came up: 1 phys, 2 kmem, 3 vm, 4 reclaim */
	u64 applied;           /* records, extensions not counted */
	u64 skipped[NR_OP_CODES], errors[NR_OP_CODES];
	u32 relocated_tasks;   /* processes whose recorded addresses did not fit */
	char check_failure[256]; /* what the first failing `check` operation found; "" if none did */
};

/* Writes a sysctl at run time: 0, -EINVAL, or -ENOENT if no floor knows @name. */
int machine_sysctl(struct machine *m, const char *name, const char *value);

/* Releases what a mark holds. */
void machine_mark_free(struct machine_mark *k);

struct reloc_ctx;

/*
 * One heap operation of a process: on its model heap, or only accounted when the trace has the
 * process's own mappings (heap_glue.c). False: no host memory for the heap.
 */
bool apply_heap(struct reloc_ctx *c, const struct mm_op *op, const struct mm_op_ext *ext);

/* Has the process's heap, which exists, make its system calls through @c. */
void apply_heap_bind(struct reloc_ctx *c);

/* A thread, not the leader, is about to exit: its tcache goes back to the process's heap. */
void apply_heap_thread_exit(struct reloc_ctx *c, u32 task);

/* Entry of @task, growing the table; NULL if the index is beyond MM_MAX_TASKS or memory is out. */
struct machine_proc *machine_proc(struct machine *m, u32 task);

#endif
