/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The eBPF programs of recorder.bpf.c from outside: chooses processes, attaches, moves records from
 * the kernel's rings to queues, measures what the programs cost, and detaches without a trace in
 * the recorded processes.
 */
#ifndef MEMRIG_RECORD_PROBE_H
#define MEMRIG_RECORD_PROBE_H

#include <sys/types.h>

#include "traces/record/queue.h"

struct rec_probe;

struct rec_probe_options {
	enum rec_scope scope;
	const char *cgroup; /* SCOPE_CGROUP: a folder of the unified hierarchy */
	u32 ring_bytes;	    /* of each CPU; a power of two */
	bool kmem;	    /* the kernel's own allocations, and nothing else */
};

enum rec_cost { COST_SYSCALL, COST_CALL, COST_FAULT, COST_KMEM, NR_REC_COSTS };

/*
 * Loads, attaches and calibrates. NULL with one line in @err; *@refused tells a lack of privilege
 * (or a kernel without BPF) from other errors.
 */
struct rec_probe *rec_probe_open(const struct rec_probe_options *opt, bool *refused, char *err,
				 size_t n);
void rec_probe_close(struct rec_probe *p);

u32 rec_probe_cpus(const struct rec_probe *p); /* queues 0 .. cpus - 1 belong to the rings */

int rec_probe_add_waiting(struct rec_probe *p,
			  pid_t pid); /* recorded from its next exec on; 0 or -errno */
int rec_probe_add_running(struct rec_probe *p, pid_t pid); /* lists its mappings now; 0 or -errno */

/* Moves all records to the queues. Their number, or -errno. */
s64 rec_probe_drain(struct rec_probe *p, struct rec_queues *qs);

/* No record is made from here on; drain once more. */
void rec_probe_detach(struct rec_probe *p);

/* Losses of @kind on @cpu so far. */
u64 rec_probe_lost(const struct rec_probe *p, enum rec_loss kind, u32 cpu);
const char *rec_loss_name(enum rec_loss kind);

/* What a probe adds to the recorded program, ns; the names that go into the trace. */
u64 rec_probe_cost(const struct rec_probe *p, enum rec_cost c);
const char *rec_cost_name(enum rec_cost c);

#endif
