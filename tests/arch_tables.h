/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A window of guest memory with a table allocator, for tests of the page tables alone: pages come
 * from a bump pointer and a free list, are zeroed, and are counted by height.
 */
#ifndef MEMRIG_TEST_ARCH_TABLES_H
#define MEMRIG_TEST_ARCH_TABLES_H

#include <errno.h>

#include "arch/range.h"
#include "arch/walk.h"
#include "core/base/prng.h"
#include "tests/test.h"

struct tables {
	const struct pt_geometry *g;
	struct pt_mem mem;
	u64 next, limit;          /* bump pointer; pages that may still be taken */
	paddr_t freed[4096];
	u32 nr_freed;
	s64 count[PT_MAX_LEVELS]; /* by height, roots not included */
	struct pt_alloc alloc, kernel_alloc;
	struct pt_space space, kernel; /* user tree and, for ARM64, the kernel's tree */
	struct pt_mmu mmu;
};

static inline paddr_t tables_take(struct tables *t, u64 bytes, u64 align)
{
	t->next = ALIGN_UP(t->next, align);
	assert_true(t->next + bytes <= t->mem.bytes);
	t->next += bytes;
	memset(t->mem.base + t->next - bytes, 0, bytes);
	return t->mem.start + t->next - bytes;
}

static inline paddr_t tables_alloc(void *ctx, int height)
{
	struct tables *t = ctx;

	if (!t->limit)
		return PT_NO_MEMORY;
	t->limit--;
	t->count[height]++;
	if (t->nr_freed) {
		paddr_t pa = t->freed[--t->nr_freed];

		memset(pt_mem_at(&t->mem, pa), 0, pt_page_size(t->g));
		return pa;
	}
	return tables_take(t, pt_page_size(t->g), pt_page_size(t->g));
}

static inline void tables_free(void *ctx, paddr_t pa, int height)
{
	struct tables *t = ctx;

	t->count[height]--;
	assert_true(t->count[height] >= 0);
	if (t->nr_freed < ARRAY_SIZE(t->freed))
		t->freed[t->nr_freed++] = pa;
}

static inline void tables_init_at(struct tables *t, enum pt_geom geom, u64 bytes, paddr_t start)
{
	u64 root_align;

	memset(t, 0, sizeof(*t));
	t->g = &pt_geometries[geom];
	t->mem = (struct pt_mem){ aligned_alloc(65536, bytes), bytes, start };
	assert_non_null(t->mem.base);
	memset(t->mem.base, 0, bytes);
	t->limit = ~0ull;
	t->alloc = (struct pt_alloc){ .ctx = t, .alloc = tables_alloc, .free = tables_free };
	t->kernel_alloc = t->alloc;
	t->kernel_alloc.kernel = true;
	root_align = t->g->root_bytes < 64 ? 64 : t->g->root_bytes;
	t->space = (struct pt_space){ geom, tables_take(t, root_align, root_align), &t->mem, &t->alloc };
	t->kernel = (struct pt_space){ geom, t->space.root, &t->mem, &t->kernel_alloc };
	if (t->g->family == PT_ARM64)
		t->kernel.root = tables_take(t, root_align, root_align);
	t->mmu = (struct pt_mmu){ .ttbr0 = t->space.root, .ttbr1 = t->kernel.root, .dacr = ARM_DACR_LINUX };
}

static inline void tables_init(struct tables *t, enum pt_geom geom, u64 bytes)
{
	tables_init_at(t, geom, bytes, 0x60000000);
}

static inline void tables_destroy(struct tables *t)
{
	free(t->mem.base);
}

/* Status of an access; the result is kept in *@r. */
static inline int tables_access(struct tables *t, vaddr_t va, enum pt_access access, bool user, struct pt_result *r)
{
	return mmu_translate(t->g->geom, &t->mem, &t->mmu, va, access, user, r);
}

static inline pte_t tables_pte(struct tables *t, vaddr_t va)
{
	pt_slot *slot = pt_find_slot(&t->space, va);

	return slot ? pte_get(t->g, slot) : (pte_t){ 0 };
}

static inline void tables_set(struct tables *t, vaddr_t va, pte_t pte)
{
	struct pt_leaf leaf;

	assert_int_equal(pt_alloc_slot(&t->space, va, &leaf), 0);
	pte_set(t->g, leaf.slot, pte, t->mmu.hwad);
}

#endif
