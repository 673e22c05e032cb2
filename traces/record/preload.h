/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shared memory between the recorder and the preload library in every recorded process: a head
 * page, a table of rings, and the rings themselves, one a thread. It is a file without a name that
 * the recorder owns; the library opens it by PRELOAD_ENV (a path under /proc), so programs that
 * close all their descriptors before they execute another one do not lose it.
 *
 * A ring has one writer (its thread) and one reader (the recorder); what a thread wrote is in the
 * file the moment it is written, so `_exit`, a crash or a kill lose nothing. When a ring is full
 * its thread waits a little for the recorder, then drops (counted in `lost`) and never waits again
 * until the recorder has read.
 */
#ifndef MEMRIG_RECORD_PRELOAD_H
#define MEMRIG_RECORD_PRELOAD_H

#include <stdatomic.h>

#include "core/base/types.h"

#define PRELOAD_ENV	    "MEMRIG_PRELOAD_SHM"
#define PRELOAD_MAGIC	    0x314d48534d4d524dull
#define PRELOAD_RINGS	    1024u
#define PRELOAD_RING_EVENTS (128u << 10) /* 4 MiB a ring; memory is used as it is written */

enum heap_kind {
	HEAP_MALLOC = 1,
	HEAP_CALLOC,
	HEAP_MEMALIGN,
	HEAP_REALLOC,
	HEAP_FREE,
	HEAP_START, /* a program began: size = parent pid */
	HEAP_FORK,  /* this process is the fork of process ptr */
	HEAP_THREAD /* first event of a thread that does not lead its process */
};

struct heap_event {
	u64 tick; /* of preload_tick() */
	u64 ptr;
	u64 size;
	u64 aux; /* bits 56-63: enum heap_kind; below: old pointer or alignment */
};

struct heap_ring {
	_Alignas(64) _Atomic u64 head; /* written by the thread */
	u64 lost;
	_Alignas(64) _Atomic u64 tail;	/* written by the recorder */
	_Alignas(64) _Atomic u32 owner; /* tid, 0: free */
	u32 pid;
};

struct heap_shm {
	u64 magic;
	u32 rings, ring_events;
	_Atomic u32 stop;     /* the recorder has gone: record nothing more */
	_Atomic u32 high;     /* rings ever used: the recorder looks at no others */
	_Atomic u64 homeless; /* events of threads that found no free ring */
	_Atomic u32 attached; /* programs that loaded the library */
	struct heap_ring ring[PRELOAD_RINGS];
};

#define PRELOAD_RINGS_OFFSET ((sizeof(struct heap_shm) + 4095) & ~(size_t)4095)
#define PRELOAD_SHM_SIZE                                                                           \
	(PRELOAD_RINGS_OFFSET +                                                                    \
	 (size_t)PRELOAD_RINGS * PRELOAD_RING_EVENTS * sizeof(struct heap_event))

/* The cheapest clock that all CPUs share; the recorder compares it with CLOCK_MONOTONIC. */
static inline u64 preload_tick(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	u64 t;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(t));
	return t;
#else
#error "no cheap clock known for this architecture"
#endif
}

#endif
