/* SPDX-License-Identifier: BSD-2-Clause */
/* Every compile-time maximum. Reaching one is an error or a counted event, never silent. */
#ifndef MEMRIG_BASE_LIMITS_H
#define MEMRIG_BASE_LIMITS_H

#define MM_MAX_CPUS        64  /* virtual CPUs of a machine */
#define MM_MAX_NODES       4   /* memory nodes */
#define MM_MAX_NR_ZONES    5   /* DMA, DMA32, NORMAL, HIGHMEM, MOVABLE */
#define MM_MAX_ORDER       14  /* largest MAX_ORDER of any geometry (arm64 64K with THP) */
#define MM_MAX_BANKS       128 /* memory banks on the command line or in a device tree */
#define MM_MAX_DAEMONS     16  /* kernel threads of a machine */
#define MM_MAX_CACHES      4096 /* object caches of a machine */
#define MM_MAX_KEY         64  /* bytes of a configuration key */
#define MM_MAX_TASKS       (1u << 22) /* dense task (thread) indices of a trace */
#define MM_MAX_PUNCH       (1u << 20) /* pages of a disk file that one call makes a hole */
#define MM_MAX_FILES       (1u << 20) /* files of a trace */
#define MM_MAX_OP_BATCH    4096 /* operations handed to machine_apply() at once */
#define MM_MAX_MISMATCHES  32  /* differences listed in a result; the count goes on */
#define MM_MAX_HEAP_BYTES  (8ull << 30) /* break heap of one process in the heap model */
#define MM_MAX_HEAP_SLOTS  (1u << 26) /* live heap blocks of one process */
#define MM_MAX_HEAP_MAPPED 65536 /* separately mapped blocks of one heap (glibc's M_MMAP_MAX) */
#define MM_MAX_HEAP_THREADS 4096 /* threads of one process with a cache of their own */

#endif
