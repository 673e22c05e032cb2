/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole machine opened up: what tests of swap and migration share. */
#ifndef MEMRIG_SWAP_RIG_H
#define MEMRIG_SWAP_RIG_H

#include "core/machine/machine_types.h"
#include "core/phys/page_alloc.h"
#include "core/vm/rmap.h"
#include "core/vm/swapin.h"
#include "core/vm/vm.h"
#include "tests/machine_boot.h"

#include <errno.h>

#define PAGE 4096ull
#define BASE 0x10000000ull /* where areas of the tests start */

struct srig {
	struct machine *m;
	struct vm *vm;
	struct swap *sw;
};

static inline struct srig srig_boot(const char *const *sets)
{
	struct srig g = {.m = boot_machine_sets(sets)};

	g.vm = &g.m->vm;
	g.sw = &g.vm->swap;
	return g;
}

static inline void srig_sound(struct srig *g)
{
	char why[512];

	if (machine_check(g->m, why, sizeof(why)))
		fail_msg("%s", why);
}

static inline void srig_end(struct srig *g)
{
	srig_sound(g);
	machine_destroy(g->m);
	g->m = NULL;
}

static inline u64 srig_event(const struct srig *g, enum vm_event_item ev)
{
	u64 n = 0;

	for (unsigned cpu = 0; cpu < g->m->hw.ncpu; cpu++)
		n += g->m->hw.cpus[cpu].events[ev];
	return n;
}

/* ---- tasks ---- */

static inline struct task *srig_task(struct srig *g, u32 idx)
{
	assert_int_equal(vm_define_task(g->vm, idx, idx, idx), 0);
	assert_int_equal(vm_spawn(g->vm, vm_task(g->vm, idx), 0, 0), 0);
	return vm_task(g->vm, idx);
}

static inline struct task *srig_fork(struct srig *g, struct task *parent, u32 idx)
{
	assert_int_equal(vm_define_task(g->vm, idx, idx, idx), 0);
	assert_int_equal(vm_fork(g->vm, parent, vm_task(g->vm, idx)), 0);
	return vm_task(g->vm, idx);
}

/* A private anonymous area of @pages at @addr. */
static inline void srig_map(struct srig *g, struct task *t, vaddr_t addr, u64 pages)
{
	s64 r = sys_mmap(g->vm, t, addr, pages * PAGE, MM_PROT_READ | MM_PROT_WRITE,
			 MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED, 0, 0, 0);

	assert_int_equal(r, addr);
}

static inline void srig_write(struct srig *g, struct task *t, vaddr_t addr, u64 tag)
{
	assert_true(mm_write_tag(g->vm, t, addr, 1, tag) <= RES_MAJOR);
}

/* What a read finds, with the fault it takes. */
static inline u64 srig_read(struct srig *g, struct task *t, vaddr_t addr)
{
	u64 tag = 0;

	assert_true(mm_access(g->vm, t, addr, MM_ACCESS_READ) <= RES_MAJOR);
	assert_true(mm_read_tag(g->vm, t, addr, &tag));
	return tag;
}

static inline pte_t srig_pte(struct srig *g, struct task *t, vaddr_t addr)
{
	pt_slot *slot = pte_lookup(g->vm, t->mm, addr);

	return slot ? get_pte(g->vm, slot, 0) : (pte_t){0};
}

/* The page mapped at @addr; fails the test if there is none. */
static inline struct page *srig_page(struct srig *g, struct task *t, vaddr_t addr)
{
	pte_t p = srig_pte(g, t, addr);

	assert_true(pte_present(p));
	return vm_normal_page(g->vm, p);
}

static inline swp_entry_t srig_entry(struct srig *g, struct task *t, vaddr_t addr)
{
	pte_t p = srig_pte(g, t, addr);

	assert_true(pte_is_swap(p) && !is_migration_entry(p));
	return pte_to_swp_entry(p);
}

/* ---- swapping one page out by the steps of spec 08 s7 ---- */

enum swap_step { STEP_ISOLATED, STEP_ADDED, STEP_UNMAPPED, STEP_WRITTEN, STEP_FROZEN, STEP_FREED };

/* Called after each step, if given; the page must not be looked into at STEP_FREED. */
typedef void (*swap_step_fn)(void *arg, enum swap_step step, const struct page *p);

/*
 * False: the page stayed (no slot, young, locked, pinned, still being written) and is back on the
 * LRU. @upto: the last step to take.
 */
static inline bool srig_swap_out_page(struct srig *g, struct page *p, enum swap_step upto,
				      swap_step_fn fn, void *arg)
{
	struct vm *vm = g->vm;

	lru_add_drain_all(&vm->lru);
	if (isolate_lru_page(&vm->lru, p))
		return false;
	ClearPageActive(p); /* reclaim takes from the inactive list */
	if (!trylock_page(p))
		goto keep;
	if (fn)
		fn(arg, STEP_ISOLATED, p);
	if (!PageSwapCache(p) && (page_mapcount(p) != page_count(p) - 1 || !add_to_swap(g->sw, p)))
		goto keep_locked;
	if (fn)
		fn(arg, STEP_ADDED, p);
	if (upto < STEP_UNMAPPED ||
	    (page_mapped(p) && try_to_unmap(vm, p, TTU_UNMAP | TTU_IGNORE_ACCESS) != SWAP_SUCCESS))
		goto keep_locked;
	if (fn)
		fn(arg, STEP_UNMAPPED, p);
	if (upto < STEP_WRITTEN)
		goto keep_locked;
	if (PageDirty(p)) {
		SetPageReclaim(p);
		ClearPageDirty(p);
		assert_int_equal(swap_writepage(g->sw, p), 0);
		if (PageWriteback(p) || PageDirty(p) || !trylock_page(p))
			goto keep;
	}
	if (fn)
		fn(arg, STEP_WRITTEN, p);
	if (upto < STEP_FROZEN || page_count(p) != 2 || !PageSwapCache(p))
		goto keep_locked;
	p->_count = 0;
	swap_cache_remove_frozen(g->sw, p);
	if (fn)
		fn(arg, STEP_FROZEN, p);
	unlock_page(p);
	lru_forget_page(p);
	free_hot_cold_page(vm->phys, vm->hw->cpu, p, false);
	if (fn)
		fn(arg, STEP_FREED, p);
	return true;
keep_locked:
	unlock_page(p);
keep:
	putback_lru_page(&vm->lru, p);
	return false;
}

static inline bool srig_swap_out(struct srig *g, struct task *t, vaddr_t addr)
{
	return srig_swap_out_page(g, srig_page(g, t, addr), STEP_FREED, NULL, NULL);
}

#endif
