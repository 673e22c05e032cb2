/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Boot-time memory regions: what is RAM, what is taken (spec 01 s2).
 *
 * Terms: memory (RAM), reserved (of it or beside it: kept from the buddy), current_limit (end of
 * what allocations may use), nid (memory node of a memory region).
 * Owns its two tables (host memory: exists only to build the machine and to print it).
 * Invariants (I01.1, memblock_check()): both tables sorted by base, disjoint, neighbours of equal
 * node merged. Linux: mm/memblock.c; left out: physmem, hotplug flags, mirrored memory.
 */
#ifndef MEMRIG_PHYS_MEMBLOCK_H
#define MEMRIG_PHYS_MEMBLOCK_H

#include <stdio.h>

#include "core/base/types.h"

#define MEMBLOCK_NOWHERE    (~0ull)
#define MEMBLOCK_ACCESSIBLE 0ull /* as an end: current_limit */

struct memblock_region {
	paddr_t base;
	u64 size;
	unsigned nid;
};

struct memblock_type {
	size_t cnt, max;
	u64 total_size;
	struct memblock_region *regions;
	const char *name;
};

struct memblock {
	struct memblock_type memory, reserved;
	paddr_t current_limit; /* 0: none */
	bool bottom_up;
};

int memblock_init(struct memblock *mb); /* 0 or -ENOMEM; both tables empty, no limit */
void memblock_destroy(struct memblock *mb);

/*
 * All four: 0, or -ENOMEM. Size 0 does nothing; base + size is cut to 2^64 - 1. add inserts what is
 * not covered yet; remove cuts out of memory, free out of reserved. (spec 01 s2.2)
 */
int memblock_add(struct memblock *mb, paddr_t base, u64 size);
int memblock_add_node(struct memblock *mb, paddr_t base, u64 size, unsigned nid);
int memblock_remove(struct memblock *mb, paddr_t base, u64 size);
int memblock_reserve(struct memblock *mb, paddr_t base, u64 size);
int memblock_free(struct memblock *mb, paddr_t base, u64 size);

/* Gives [base, base + size) of memory to node @nid, splitting regions at the borders. */
int memblock_set_node(struct memblock *mb, paddr_t base, u64 size, unsigned nid);

/*
 * A free range of @size bytes in [@start, @end) aligned to @align (a power of two), from the top
 * unless bottom_up; address 0's page is never returned. MEMBLOCK_NOWHERE if there is none.
 */
paddr_t memblock_find_in_range(const struct memblock *mb, u64 size, u64 align, paddr_t start,
			       paddr_t end);

/* find + reserve below current_limit. MEMBLOCK_NOWHERE when nothing fits (the kernel panics). */
paddr_t memblock_alloc(struct memblock *mb, u64 size, u64 align);

/*
 * Ascending ranges of memory minus reserved (and their node). Start with *@i = 0; false at the end.
 */
bool memblock_next_free(const struct memblock *mb, u64 *i, paddr_t *start, paddr_t *end,
			unsigned *nid);

bool memblock_is_memory(const struct memblock *mb, paddr_t pa);
bool memblock_is_reserved(const struct memblock *mb, paddr_t pa);
/* Bytes of @t inside [start, end). */
u64 memblock_bytes_in(const struct memblock_type *t, paddr_t start, paddr_t end);
paddr_t memblock_start_of_dram(const struct memblock *mb);
paddr_t memblock_end_of_dram(const struct memblock *mb);

int memblock_check(const struct memblock *mb, char *why, size_t n); /* 0, or 1 (I01.1) */
void memblock_show(const struct memblock *mb, FILE *out);

#endif
