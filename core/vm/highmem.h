/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * High memory: permanent (kmap) and temporary (kmap_atomic) mappings of pages that the linear map
 * does not reach (spec 05 s2).
 *
 * Terms
 *   slot        a page of the pkmap window of 512. pkmap_count: 0 free; 1 mapped but unused, the TLB
 *               may still hold it; n + 1: n users.
 *   fixmap      16 slots a CPU, used as a stack by kmap_atomic.
 *   atomic      between kmap_atomic() and kunmap_atomic() a CPU must not sleep (core/hw/atomic.h).
 *
 * Owns pkmap table and counts. Invariants I05.3, I05.4: highmem_check(). Linux: mm/highmem.c,
 * arch/arm/mm/highmem.c; left out: wait queues (kmap answers -EAGAIN where Linux would sleep).
 */
#ifndef MEMRIG_VM_HIGHMEM_H
#define MEMRIG_VM_HIGHMEM_H

#include "core/kmem/slab.h"
#include "core/vm/kernel_map.h"

#define LAST_PKMAP      512u
#define PA_HASH_BUCKETS 128u /* PA_HASH_ORDER 7 */
#define KM_TYPE_NR      16u
#define FIXADDR_TOP     0xffeff000ull
#define PKMAP_NONE      0xffffu

struct highmem_cpu {
	u32 depth; /* kmap_atomic slots in use */
};

struct highmem {
	struct phys *phys;
	bool present, debug;
	vaddr_t page_offset, pkmap_base;
	struct kernel_map pkmap, fixmap;
	u16 pkmap_count[LAST_PKMAP];
	u32 pkmap_frame[LAST_PKMAP]; /* frame of a slot with count >= 1 */
	u16 hash[PA_HASH_BUCKETS], hash_next[LAST_PKMAP]; /* page -> slot chains */
	u32 last;
	u64 flushes, waits; /* kmap_flushes, kmap_waits */
	struct highmem_cpu cpus[MM_MAX_CPUS];
};

int highmem_init(struct highmem *h, struct phys *phys); /* 0 or -ENOMEM */
void highmem_destroy(struct highmem *h);

/* Linear address of lowmem, pkmap address of a mapped high page, 0 for others. Atomic. (s2.1) */
vaddr_t page_virtual(const struct highmem *h, const struct page *page);

/* Maps @page for long. 0 with @va, or -EAGAIN: all slots are in use, Linux would sleep. May sleep. */
int kmap(struct highmem *h, unsigned cpu, struct page *page, vaddr_t *va);
/* One user less; the mapping stays until the next flush of the window. Atomic, but not in an interrupt. */
void kunmap(struct highmem *h, unsigned cpu, struct page *page);

/* Maps @page until kunmap_atomic(), last in first out; at most 16 deep. Atomic. (s2.3) */
vaddr_t kmap_atomic(struct highmem *h, unsigned cpu, struct page *page);
/* The last one goes; debug_highmem=1 asserts that it is @va. Atomic. */
void kunmap_atomic(struct highmem *h, unsigned cpu, vaddr_t va);

/* Host memory behind an address that one of the above returned; NULL: it would fault. */
void *highmem_ptr(const struct highmem *h, vaddr_t va);

int highmem_check(const struct highmem *h, char *why, size_t n); /* 0, or 5003, 5004 */

#endif
