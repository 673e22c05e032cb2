/* SPDX-License-Identifier: BSD-2-Clause */
/* A machine under pressure, for tests that look inside: one task, anonymous memory, files. */
#ifndef MEMRIG_TESTS_RECLAIM_RIG_H
#define MEMRIG_TESTS_RECLAIM_RIG_H

#include "core/backing/file_io.h"
#include "core/backing/pageio.h"
#include "core/hw/clock.h"
#include "core/hw/events.h"
#include "core/machine/machine_types.h"
#include "core/phys/page_alloc.h"
#include "core/reclaim/vmscan.h"
#include "core/vm/rmap.h"
#include "core/vm/vm.h"
#include "tests/machine_boot.h"

#define PG   4096ull
#define BASE 0x10000000ull

struct rrig {
	struct machine *m;
	struct vm *vm;
	struct phys *phys;
	struct vmscan *vs;
	struct filemap *fm;
	struct task *t;
};

static inline void rrig_up(struct rrig *g, const char *pairs)
{
	g->m = boot_machine(pairs);
	g->vm = &g->m->vm;
	g->phys = &g->m->phys;
	g->vs = g->m->reclaim.vmscan;
	g->fm = &g->vm->files;
	for (u32 i = 1; i <= 4; i++)
		assert_int_equal(vm_define_task(g->vm, i, 10 + i, 10 + i), 0);
	g->t = vm_task(g->vm, 1);
	assert_int_equal(vm_spawn(g->vm, g->t, 0, 0), 0);
	g->m->hw.task = 1;
}

static inline void rrig_check(struct rrig *g)
{
	char why[256] = "";

	if (machine_check(g->m, why, sizeof(why)))
		fail_msg("%s", why);
}

static inline void rrig_down(struct rrig *g)
{
	rrig_check(g);
	machine_destroy(g->m);
}

static inline u64 rrig_event(const struct rrig *g, enum vm_event_item ev)
{
	return g->m->hw.cpus[0].events[ev];
}

static inline s64 rrig_level(const struct rrig *g, enum zone_stat_item item)
{
	return global_page_state(g->phys, item);
}

/* An anonymous mapping of the task; shared: of a file. */
static inline void rrig_map(struct rrig *g, struct task *t, vaddr_t at, u64 pages)
{
	assert_int_equal(sys_mmap(g->vm, t, at, pages * PG, MM_PROT_READ | MM_PROT_WRITE,
				  MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED, 0, 0, 0),
			 at);
}

static inline void rrig_write(struct rrig *g, struct task *t, vaddr_t at, u64 pages)
{
	for (u64 i = 0; i < pages; i++)
		assert_true(mm_access(g->vm, t, at + i * PG, MM_ACCESS_WRITE) <= RES_MAJOR);
}

static inline struct page *rrig_page(struct rrig *g, struct task *t, vaddr_t at)
{
	struct vm_area_struct *v = t->mm->mmap;

	for (u64 f = 0; f < g->phys->nr_frames; f++) { /* the frame that maps it: slow and sure */
		struct page *p = &g->phys->memmap[f];

		for (v = t->mm->mmap; v && p->_mapcount; v = v->vm_next)
			if (v->vm_start <= at && at < v->vm_end &&
			    page_check_address(g->vm, p, v, at))
				return p;
	}
	return NULL;
}

/* Read page @i of @f by a call of its own. */
static inline void rrig_read(struct rrig *g, struct vm_file *f, u64 i)
{
	assert_int_equal(file_read(g->fm, f, i * PG, PG, NULL), PG);
}

static inline struct vm_file *rrig_file(struct rrig *g, u64 id, u64 pages)
{
	struct vm_file *f = filemap_open(g->fm, id, pages * PG, false);

	assert_non_null(f);
	return f;
}

static inline bool rrig_cached(struct rrig *g, struct vm_file *f, u64 i)
{
	return filemap_lookup(g->phys, f, i) != NULL;
}

/* scan_control of a direct reclaimer that may do everything. */
static inline struct scan_control rrig_sc(int priority)
{
	return (struct scan_control){.nr_to_reclaim = SWAP_CLUSTER_MAX,
				     .gfp = GFP_KERNEL,
				     .priority = priority,
				     .reclaim_idx = MM_MAX_NR_ZONES - 1,
				     .may_writepage = true,
				     .may_unmap = true,
				     .may_swap = true};
}

/* Unit of the zone of type @t of node 0. */
static inline struct scan_unit *rrig_unit(struct rrig *g, enum zone_type t)
{
	return zone_unit(g->vs, g->phys->nodes[0].node_zones[t]);
}

#endif
