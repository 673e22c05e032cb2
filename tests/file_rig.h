/* SPDX-License-Identifier: BSD-2-Clause */
/* Files on an opened-up machine: what tests of the page cache share. */
#ifndef MEMRIG_FILE_RIG_H
#define MEMRIG_FILE_RIG_H

#include "core/backing/file_io.h"
#include "core/backing/pageio.h"
#include "core/backing/readahead.h"
#include "core/backing/shmem.h"
#include "core/vm/pgtable.h"
#include "core/vm/writeback.h"
#include "tests/swap_rig.h"

static inline struct filemap *frig_fm(struct srig *g)
{
	return &g->vm->files;
}

static inline struct vm_file *frig_file(struct srig *g, u64 id, u64 pages, bool shmem)
{
	struct vm_file *f = filemap_open(frig_fm(g), id, pages * PAGE, shmem);

	assert_non_null(f);
	return f;
}

/* Reads whole pages [index, index + n) without user memory. */
static inline void frig_read(struct srig *g, struct vm_file *f, u64 index, u64 n)
{
	assert_int_equal(file_read(frig_fm(g), f, index * PAGE, n * PAGE, NULL), n * PAGE);
}

static inline struct page *frig_page(struct srig *g, const struct vm_file *f, u64 index)
{
	return filemap_lookup(g->vm->phys, f, index);
}

static inline u64 frig_tag(struct srig *g, const struct vm_file *f, u64 index)
{
	struct page *p = frig_page(g, f, index);

	assert_non_null(p);
	return hw_frame_tag(g->vm->hw, page_to_pfn(g->vm->phys, p));
}

/* A mapping of @pages of @f at @addr. */
static inline void frig_map(struct srig *g, struct task *t, vaddr_t addr, u64 pages,
			    const struct vm_file *f, u32 share, u32 prot)
{
	s64 r = sys_mmap(g->vm, t, addr, pages * PAGE, prot, share | MM_MAP_FIXED, f->id, 0, 0);

	assert_int_equal(r, addr);
}

static inline enum mm_op_res frig_touch(struct srig *g, struct task *t, vaddr_t addr,
					unsigned access)
{
	return mm_access(g->vm, t, addr, access);
}

static inline s64 frig_level(struct srig *g, enum zone_stat_item item)
{
	return global_page_state(g->vm->phys, item);
}

/* Evicts a clean, unmapped page of a disk file as reclaim does, leaving @shadow. */
static inline void frig_evict(struct srig *g, struct page *p, u64 shadow)
{
	lru_add_drain_all(&g->vm->lru);
	assert_int_equal(page_count(p), 1);
	assert_true(trylock_page(p));
	assert_true(lru_isolate(&g->vm->lru, p));
	p->_count = 0;
	page_cache_remove_frozen(frig_fm(g), p, shadow);
	unlock_page(p);
	lru_forget_page(p);
	free_hot_cold_page(g->vm->phys, g->vm->hw->cpu, p, false);
}

/* Swaps a page of shared memory out, mapped or not. False: busy, or no slot. */
static inline bool frig_swap_out(struct srig *g, struct page *p)
{
	struct vm *vm = g->vm;
	bool gone = false;

	lru_add_drain_all(&vm->lru);
	if (isolate_lru_page(&vm->lru, p))
		return false;
	if (!trylock_page(p))
		goto putback;
	if (page_mapped(p) && try_to_unmap(vm, p, TTU_UNMAP | TTU_IGNORE_ACCESS) != SWAP_SUCCESS)
		goto unlock;
	if (!clear_page_dirty(&vm->files, p) || !shmem_writepage(&vm->files, p))
		goto unlock;
	assert_false(PageWriteback(p));
	assert_true(trylock_page(p));
	assert_int_equal(page_count(p), 2);
	p->_count = 0;
	swap_cache_remove_frozen(g->sw, p);
	unlock_page(p);
	lru_forget_page(p);
	free_hot_cold_page(vm->phys, vm->hw->cpu, p, false);
	gone = true;
unlock:
	if (!gone)
		unlock_page(p);
putback:
	if (!gone)
		putback_lru_page(&vm->lru, p);
	return gone;
}

#endif
