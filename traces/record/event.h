/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the eBPF programs hand to the recorder: one record an event, in the ring of the CPU where it
 * happened. Shared by both sides: only fixed-width types.
 *
 * Terms
 *   call    a system call that changes mappings (enum rec_call). The recorder fills the table from
 *           the host's system call numbers, so the eBPF side knows no architecture's numbers.
 *   region  one mapping of a snapshot (at exec, or of a process that was running already).
 *   early   a fault in the address space that an exec is building, before the exec is announced.
 */
#ifndef MEMRIG_RECORD_EVENT_H
#define MEMRIG_RECORD_EVENT_H

#ifdef __bpf__
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int s32;
typedef long long s64;
#else
#include "core/base/types.h"
#endif

enum rec_kind {
	REC_CALL =
		1, /* x: enum rec_call; a[0..4]: arguments, ret; file calls: a[4] dev, a[5] inode */
	REC_FAULT, /* a[0]: address; flags: REC_F_* */
	REC_MAJOR, /* the task's last fault was major */
	REC_SIGNAL, /* x: SIGSEGV or SIGBUS raised by the task's last fault */
	REC_FORK,   /* x: tgid, a[0]: tid of the child; flags: REC_F_THREAD, REC_F_SHARED */
	REC_EXEC,   /* a[0]: break, a[1]: stack pointer; regions follow; text: name */
	REC_SEEN, /* a process that was running: a[0] break, a[1] its mm; regions follow; text: name
		   */
	REC_REGION, /* a[0..1]: start, end; a[2]: VM_*; a[3]: page offset; a[4] dev, a[5] inode */
	REC_REGIONS_END,
	REC_FILE, /* a[0] dev, a[1] inode, a[2] size, a[3] magic of the file system; text: name */
	REC_EXIT, /* flags: REC_F_LAST when the process ended with this thread */
	/* not from eBPF: the preload library's rings, see preload.h */
	REC_HEAP, /* x: enum heap_kind; a[0] pointer, a[1] size, a[2] old pointer or alignment */
	/* --kmem */
	REC_KMEM,  /* x: enum rec_kmem_kind; a[0] object or page, a[1] size or order, a[2] GFP_*, a[3] cache */
	REC_CACHE, /* a[0] cache, a[1] object size, a[2] alignment, a[3] its own GFP_*, a[4] constructor; text: name */
	NR_REC_KINDS
};

enum rec_call {
	CALL_NONE,
	CALL_MMAP,
	CALL_MUNMAP,
	CALL_MREMAP,
	CALL_MPROTECT,
	CALL_BRK,
	CALL_MADVISE,
	CALL_MLOCK,
	CALL_MLOCK2,
	CALL_MUNLOCK,
	CALL_MLOCKALL,
	CALL_MUNLOCKALL,
	CALL_FTRUNCATE,
	NR_REC_CALLS
};

enum {
	REC_F_WRITE = 1,
	REC_F_EXEC = 2,
	REC_F_KERNEL = 4,
	REC_F_EARLY = 8, /* faults */
	REC_F_MAJOR = 0x10,
	REC_F_SEGV = 0x20,
	REC_F_BUS = 0x40, /* set by the recorder */
	REC_F_THREAD = 1,
	REC_F_SHARED = 2,	/* fork: CLONE_THREAD; CLONE_VM without it (vfork) */
	REC_F_LAST = 1,		/* exit */
	REC_F_SYNTHETIC = 0x100 /* heap: made up by the library (see preload.h) */
};

#define REC_NAME 64

struct rec_event {
	u64 ts; /* CLOCK_MONOTONIC */
	u32 tgid, tid;
	u8 kind, cpu;
	u16 flags;
	u32 x;
	u64 a[6];
	s64 ret;
};

/* The only kind whose record is shorter: most events are faults. */
struct rec_fault {
	u64 ts;
	u32 tgid, tid;
	u8 kind, cpu;
	u16 flags;
	u32 x;
	u64 addr;
};

enum rec_kmem_kind {
	KMEM_PAGES = 1,
	KMEM_PAGES_FREE,
	KMEM_KMALLOC,
	KMEM_KFREE,
	KMEM_CACHE,
	KMEM_CACHE_FREE
};

/* Shorter, too: there are a million a second of them. */
struct rec_kmem {
	u64 ts;
	u32 tgid, tid;
	u8 kind, cpu;
	u16 flags;
	u32 x;
	u64 a[4];
};

struct rec_named { /* REC_EXEC, REC_SEEN, REC_FILE */
	struct rec_event e;
	char name[REC_NAME];
};

/* How the programs are asked to choose processes (rodata of the skeleton). */
enum rec_scope { SCOPE_LIST, SCOPE_CGROUP, SCOPE_ALL };

/* A traced process, key: tgid. */
struct rec_proc {
	u64 mm;	   /* its address space, to tell early faults; 0 in state PROC_WAITS */
	u32 state; /* enum rec_proc_state */
	u32 pad;
};

enum rec_proc_state {
	PROC_WAITS,  /* nothing is recorded until it executes a program */
	PROC_LISTED, /* to be recorded with a snapshot at its next event */
	PROC_LIVE,
	PROC_BORROWS /* runs in its parent's address space until it executes a program (vfork) */
};

/* Losses, counted per CPU and kind; kinds by the name that goes into the trace. */
enum rec_loss { LOSS_CALL, LOSS_FAULT, LOSS_TASK, LOSS_REGION, LOSS_FILE, LOSS_KMEM, NR_REC_LOSSES };

#endif
