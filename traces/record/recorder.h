/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records live programs into a trace: the eBPF programs tell about mappings, faults and tasks, the
 * preload library about the malloc family; a merge brings both into one order of time.
 *
 *   recorded CPU --> ring of the CPU (probe) --\
 *                                               queues --> merge --> convert --> trace writer
 *   recorded thread --> ring of the thread ----/
 *                       (preload, heap)
 *
 * How nothing is missed, and nobody disturbed
 *   A command is forked, held, entered into the table of traced processes and only then executed.
 * At every exec the kernel side lists the new program's mappings before its first instruction;
 *   children are entered by the fork itself. No process is stopped or ptraced. Detaching is the
 *   end of the programs' links, which the kernel does by itself should the recorder be killed.
 *   What does not fit into a ring is counted by CPU and kind and said in the trace.
 *
 * What a recording cannot see
 *   Faults are first touches only. Calls of shmat and remap_file_pages. 32-bit programs. The malloc
 *   family of statically linked or set-user-id programs and of allocators that a program brings
 *   under other names. A process that was running: which of its pages were present.
 */
#ifndef MEMRIG_RECORD_RECORDER_H
#define MEMRIG_RECORD_RECORDER_H

#include <signal.h>
#include <sys/types.h>

#include "core/base/types.h"

struct rec_options {
	const char *output;
	char *const *argv; /* NULL: no command */
	const pid_t *pids;
	u32 nr_pids;
	const char *cgroup;
	bool all;
	bool kmem;		     /* the kernel's pages and objects, nothing else */
	bool heap, heap_only;	     /* heap_only implies heap and excludes all eBPF */
	u32 ring_mib;		     /* of each CPU, 0: 8 */
	u64 fingerprint_ns;	     /* between two looks at all pages; 0: none (fingerprint.h) */
	int write_flags;	     /* TRACE_WRITE_* */
	volatile sig_atomic_t *stop; /* set by a signal handler: finish the trace; NULL: never */
};

struct rec_summary {
	u64 events, lost, bytes, late, nanoseconds;
	u64 pages_seen, pages_changed; /* by the looks at contents */
	u32 programs; /* that loaded the preload library */
	int status;   /* of the command, as wait() gives it; -1: still running, or none */
	u32 pid;      /* of the command */
};

/* 0, or -errno with one line in @err; no file is left then. -EPERM: not allowed to use eBPF. */
int rec_run(const struct rec_options *opt, struct rec_summary *out, char *err, size_t n);

#endif
