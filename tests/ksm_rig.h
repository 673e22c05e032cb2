/* SPDX-License-Identifier: BSD-2-Clause */
/* A booted machine whose mergeable pages are laid out by tags, for tests of KSM. */
#ifndef MEMRIG_KSM_RIG_H
#define MEMRIG_KSM_RIG_H

#include "core/phys/page_alloc.h"
#include "core/reclaim/ksm_internal.h"
#include "core/vm/pgtable.h"
#include "tests/machine_boot.h"

#define KSM_BASE 0x10000000ull
#define KSM_ANON (MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED)
#define KSM_RW   (MM_PROT_READ | MM_PROT_WRITE)

struct ksm_rig {
	struct machine *m;
	struct vm *vm;
	struct ksm *k;
	u64 page;
	struct task *t[16]; /* by index, from 1 */
};

/* @settings and @more: "key=value" words. Task 1 exists. */
static inline struct ksm_rig ksm_boot(const char *settings, const char *more)
{
	struct ksm_rig g = {0};
	char all[512];

	snprintf(all, sizeof(all), "mem=256M %s %s", settings, more);
	g.m = boot_machine(all);
	g.vm = &g.m->vm;
	g.k = g.m->reclaim.ksm;
	g.page = 1ull << g.vm->page_shift;
	g.t[1] = boot_task(g.m, 1);
	return g;
}

static inline void ksm_end(struct ksm_rig *g)
{
	assert_machine_sound(g->m);
	machine_destroy(g->m);
	g->m = NULL;
}

/* Address of the @i-th page of the rig's area. */
static inline vaddr_t ksm_at(const struct ksm_rig *g, u64 i)
{
	return KSM_BASE + i * g->page;
}

static inline struct task *ksm_task(struct ksm_rig *g, u32 i)
{
	return g->t[i] = boot_task(g->m, i);
}

static inline struct task *ksm_forked(struct ksm_rig *g, u32 parent, u32 child)
{
	assert_int_equal(vm_define_task(g->vm, child, child, child), 0);
	assert_int_equal(vm_fork(g->vm, g->t[parent], vm_task(g->vm, child)), 0);
	return g->t[child] = vm_task(g->vm, child);
}

static inline s64 ksm_advise(struct ksm_rig *g, u32 t, u64 first, u64 pages, u32 advice)
{
	return sys_madvise(g->vm, g->t[t], ksm_at(g, first), pages * g->page, advice);
}

static inline void ksm_map(struct ksm_rig *g, u32 t, u64 first, u64 pages)
{
	s64 r = sys_mmap(g->vm, g->t[t], ksm_at(g, first), pages * g->page, KSM_RW, KSM_ANON, 0, 0, 0);

	assert_int_equal(r, ksm_at(g, first));
}

/* Mapped, and mergeable. */
static inline void ksm_area(struct ksm_rig *g, u32 t, u64 first, u64 pages)
{
	ksm_map(g, t, first, pages);
	assert_int_equal(ksm_advise(g, t, first, pages, MM_MADV_MERGEABLE), 0);
}

/* Page @first + i gets @tag + i * @step. */
static inline void ksm_fill(struct ksm_rig *g, u32 t, u64 first, u64 pages, u64 tag, u64 step)
{
	assert_int_equal(mm_fill(g->vm, g->t[t], ksm_at(g, first), pages * g->page, tag, step), 0);
}

static inline void ksm_write(struct ksm_rig *g, u32 t, u64 i, u64 tag)
{
	assert_true(mm_write_tag(g->vm, g->t[t], ksm_at(g, i), 1, tag) < RES_SIGSEGV);
}

static inline struct page *ksm_page(struct ksm_rig *g, u32 t, u64 i)
{
	return ksm_follow_page(g->vm, g->t[t]->mm, ksm_at(g, i), NULL);
}

static inline u64 ksm_tag(struct ksm_rig *g, u32 t, u64 i)
{
	u64 tag = ~0ull;

	assert_true(mm_read_tag(g->vm, g->t[t], ksm_at(g, i), &tag));
	return tag;
}

static inline void ksm_scan(struct ksm_rig *g, u64 n)
{
	ksm_full_scans(g->k, n);
	assert_machine_sound(g->m);
}

static inline void ksm_expect_at(const struct ksm_rig *g, u64 shared, u64 sharing, u64 unshared, u64 others, int line)
{
	struct ksm_stats s;

	ksm_stats(g->k, &s);
	if (s.pages_shared != shared || s.pages_sharing != sharing || s.pages_unshared != unshared ||
	    s.pages_volatile != others)
		fail_msg("line %d: %llu/%llu/%llu/%llu, expected %llu/%llu/%llu/%llu", line,
			 (unsigned long long)s.pages_shared, (unsigned long long)s.pages_sharing,
			 (unsigned long long)s.pages_unshared, (unsigned long long)s.pages_volatile,
			 (unsigned long long)shared, (unsigned long long)sharing, (unsigned long long)unshared,
			 (unsigned long long)others);
}
#define ksm_expect(g, shared, sharing, unshared, others)                                           \
	ksm_expect_at(g, shared, sharing, unshared, others, __LINE__)

/* Both orders in both data modes: the counters must be the same. */
static const char *const ksm_machines[] = {
	"", "ksm_order=hash", "data=bytes", "data=bytes ksm_order=hash",
};
#define for_each_ksm_machine(g, more)                                                              \
	for (size_t i_ = 0; i_ < ARRAY_SIZE(ksm_machines); i_++)                                   \
		for (struct ksm_rig rig_ = ksm_boot(ksm_machines[i_], more), *g = &rig_; g->m; ksm_end(g))

#endif
