/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A translation look-aside buffer: set-associative, one a CPU, its entries tagged with address-space
 * identifiers (spec 02 s1).
 *
 * Terms
 *   ASID        8 bits (ARM32) or 16 (ARM64) that tell address spaces apart in the tags.
 *   context     generation and ASID; 0 for an address space that never ran. When the ASIDs run out a
 *               new generation begins: everything is flushed and whoever runs next draws a new one.
 *   stale entry one that allows what the tables do not allow any more: a flush was missed.
 *
 * Entries are of page size and hold what EL0 may do; nothing is cached that faulted. Replacement is
 * round robin within a set. The caller owns the memory (tlb_bytes() of zeros). Flushes reach all
 * CPUs. Linux: arch/arm64/mm/context.c, asm/tlbflush.h; left out: global entries, intermediate
 * levels, host time (misses are counted, never timed).
 */
#ifndef MEMRIG_ARCH_TLB_H
#define MEMRIG_ARCH_TLB_H

#include "core/base/types.h"

#define TLB_WAYS 4u

#define TLB_READ  1u /* as PT_UR, PT_UW, PT_UX */
#define TLB_WRITE 2u
#define TLB_EXEC  4u

struct tlb_set {
	u64 tag[TLB_WAYS]; /* page number << 20 | ASID << 4 | rights; 0: empty */
	u64 pa[TLB_WAYS];  /* of the page */
};

struct __attribute__((aligned(64))) tlb {
	struct tlb_set *sets; /* nr_sets of CPU 0, of CPU 1, ... */
	u8 *next;             /* by set: the way that is replaced next */
	u32 nr_sets, ncpu;    /* nr_sets: a power of two */
	unsigned page_shift, asid_bits;
	u64 generation;       /* in the bits above asid_bits */
	u32 next_asid;
};

struct tlb_entry {
	vaddr_t va;
	u64 asid, pa;
	unsigned rights;
};

/* Sets for at least @entries entries. */
u32 tlb_sets(u64 entries);
u64 tlb_bytes(u32 nr_sets, u32 ncpu);

/* @memory: tlb_bytes() of zeros, which stay the caller's. */
void tlb_init(struct tlb *t, void *memory, u32 nr_sets, u32 ncpu, unsigned page_shift, unsigned asid_bits);

/* A context of the current generation for one that is 0 or out of date. May flush everything. */
u64 tlb_new_context(struct tlb *t);

MM_INLINE u64 tlb_asid(const struct tlb *t, u64 context)
{
	return context & (BIT(t->asid_bits) - 1);
}

/* Whether @context may be used for look-ups; else the caller draws a new one. */
MM_INLINE bool tlb_context_current(const struct tlb *t, u64 context)
{
	return context >> t->asid_bits == t->generation;
}

MM_INLINE u64 tlb_tag(const struct tlb *t, u64 context, vaddr_t va)
{
	return va >> t->page_shift << 20 | tlb_asid(t, context) << 4;
}

MM_INLINE struct tlb_set *tlb_set_of(const struct tlb *t, unsigned cpu, vaddr_t va)
{
	return &t->sets[(u64)cpu * t->nr_sets + (va >> t->page_shift & (t->nr_sets - 1))];
}

/* True if an entry of @context gives @right to @va; *pa is then the answer. */
MM_INLINE bool tlb_lookup(const struct tlb *t, unsigned cpu, u64 context, vaddr_t va, unsigned right, paddr_t *pa)
{
	const struct tlb_set *s = tlb_set_of(t, cpu, va);
	u64 want = tlb_tag(t, context, va);

	for (unsigned w = 0; w < TLB_WAYS; w++) {
		if ((s->tag[w] ^ want) >> 4)
			continue;
		*pa = s->pa[w] | (va & (BIT(t->page_shift) - 1));
		return s->tag[w] & right;
	}
	return false;
}

/* Caches a translation, in place of an older one of the same page; @rights is not 0. */
void tlb_fill(struct tlb *t, unsigned cpu, u64 context, vaddr_t va, paddr_t pa, unsigned rights);

/* Drops what all CPUs know of [start, end) in @context; one that is out of date has nothing. */
void tlb_flush_range(struct tlb *t, u64 context, vaddr_t start, vaddr_t end);
void tlb_flush_asid(struct tlb *t, u64 context);
void tlb_flush_all(struct tlb *t);

/* Slot @i of all sets and CPUs: 1 and @e if it holds something, 0 if not, -1 beyond the last. */
int tlb_entry(const struct tlb *t, u64 i, struct tlb_entry *e);

#endif
