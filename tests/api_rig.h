/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One object of each kind that the functions of spec 12 s2 work on, for tests that go through them all
 * (tests/api.def). Each is in the state that its function wants.
 */
#ifndef MEMRIG_TESTS_API_RIG_H
#define MEMRIG_TESTS_API_RIG_H

#include "core/kmem/kstack.h"
#include "core/machine/apply_file.h"
#include "core/reclaim/compaction.h"
#include "core/reclaim/ksm.h"
#include "core/reclaim/migrate.h"
#include "core/vm/fault.h"
#include "core/vm/gup.h"
#include "core/vm/highmem.h"
#include "core/vm/ksm_rmap.h"
#include "core/vm/mmap.h"
#include "core/vm/page_lock.h"
#include "core/vm/vma.h"
#include "core/vm/vmalloc.h"
#include "tests/file_rig.h"

#define AREA	   (BASE + 0x100000) /* a VMA of AREA_PAGES, whose pages are present */
#define AREA_PAGES 16u
#define HOLE	   (BASE + 0x800000) /* nothing is there */
#define FILE_ID	   9u
#define FILE_PAGES 8u

struct api_rig {
	struct srig g;
	struct machine *m;
	struct vm *vm;
	struct hw *hw;
	struct phys *phys;
	struct kmem *k;
	struct lru *lru;
	struct filemap *fm;
	struct vmscan *vs;
	struct compaction *c;
	struct ksm *ksm;
	struct task *t, *other; /* other: has no address space yet */
	struct mm_struct *mm;
	gfp_t gfp;

	struct vm_area_struct *area, *unlinked;	 /* unlinked: a VMA at HOLE that is in no list */
	struct page *mapped, *isolated, *locked; /* of the area; locked: PG_locked, not in the swap cache */
	struct page *swapcached;		 /* of the area, locked, in the swap cache, its slot unused */
	struct page *fresh;			 /* count 1, nobody's */
	swp_entry_t slot;			 /* of a page that was swapped out */
	struct vm_file *file;
	struct page *cached, *cached_locked; /* of the file; the second one locked */

	void *pages, *one, *exact, *object, *cache_object; /* order 1, order 0, 5 pages, kmalloc(100), of the cache */
	struct page *block, *single;			   /* order 1, order 0 */
	struct kmem_cache *cache, *idle_cache;		   /* idle: without objects */
	struct vmalloc va;
	vaddr_t area_va, mapped_va, io_va;
	struct highmem h;
	vaddr_t atomic_va; /* of kmap_atomic() */
	struct kstacks stacks;
	struct kstack *stack;
	struct shrinker shrinker;
	struct page_list list; /* of one isolated page of the area */
};

static inline struct page *api_rig_page(struct api_rig *r, unsigned i)
{
	return srig_page(&r->g, r->t, AREA + i * PAGE);
}

static inline u64 api_rig_count(void *self)
{
	(void)self;
	return 0;
}

static inline void api_rig_slots(struct api_rig *r)
{
	/* page 4: swapped out; page 5: in the cache, whose slot no table refers to */
	assert_true(srig_swap_out(&r->g, r->t, AREA + 4 * PAGE));
	r->slot = srig_entry(&r->g, r->t, AREA + 4 * PAGE);
	r->swapcached = api_rig_page(r, 5);
	assert_true(trylock_page(r->swapcached));
	assert_true(add_to_swap(r->g.sw, r->swapcached));
}

static inline void api_rig_objects(struct api_rig *r)
{
	struct page *pages[2];

	r->fresh = alloc_page(r->phys, 0, GFP_KERNEL);
	r->block = alloc_pages(r->phys, 0, GFP_KERNEL, 1);
	r->single = alloc_page(r->phys, 0, GFP_KERNEL);
	r->pages = get_free_pages(r->phys, 0, GFP_KERNEL, 1);
	r->one = get_free_page(r->phys, 0, GFP_KERNEL);
	r->exact = alloc_pages_exact(r->phys, 0, 5 * PAGE, GFP_KERNEL);
	r->object = kmalloc(r->k, 0, 100, GFP_KERNEL);
	r->cache = kmem_cache_create(r->k, "api", 72, 0, SLAB_DESTROY_BY_RCU, NULL);
	r->idle_cache = kmem_cache_create(r->k, "idle", 80, 0, SLAB_DESTROY_BY_RCU, NULL);
	r->cache_object = kmem_cache_alloc(r->cache, 0, GFP_KERNEL);
	assert_true(r->fresh && r->block && r->single && r->pages && r->one && r->exact && r->object && r->cache &&
		    r->idle_cache && r->cache_object);
	assert_int_equal(vmalloc_init(&r->va, r->k), 0);
	assert_int_equal(highmem_init(&r->h, r->phys), 0);
	r->area_va = vmalloc(&r->va, 0, 3 * PAGE);
	pages[0] = pages[1] = r->fresh;
	r->mapped_va = vmap(&r->va, 0, pages, 2);
	r->io_va = ioremap(&r->va, 0, 0x1000, PAGE);
	assert_true(r->area_va && r->mapped_va && r->io_va);
	assert_int_equal(kstacks_init(&r->stacks, r->k, NULL), 0);
	r->stack = kstack_alloc(&r->stacks, 0, 1);
	assert_non_null(r->stack);
	r->shrinker = (struct shrinker){.count = api_rig_count};
}

static inline void api_rig_up(struct api_rig *r)
{
	memset(r, 0, sizeof(*r));
	r->g = srig_boot((const char *const[]){"mem=64M", "swap=16M", "page_cluster=0", NULL});
	r->m = r->g.m;
	r->vm = r->g.vm;
	r->hw = r->vm->hw;
	r->phys = r->vm->phys;
	r->k = r->vm->kmem;
	r->lru = &r->vm->lru;
	r->fm = &r->vm->files;
	r->vs = r->m->reclaim.vmscan;
	r->c = r->m->reclaim.compaction;
	r->ksm = r->m->reclaim.ksm;
	r->t = srig_task(&r->g, 1);
	assert_int_equal(vm_define_task(r->vm, 2, 2, 2), 0);
	r->other = vm_task(r->vm, 2);
	r->mm = r->t->mm;
	srig_map(&r->g, r->t, AREA, AREA_PAGES);
	for (unsigned i = 0; i < AREA_PAGES; i++)
		srig_write(&r->g, r->t, AREA + i * PAGE, i + 1);
	lru_add_drain_all(r->lru);
	r->area = find_vma(r->vm, r->t, AREA);
	r->unlinked = vma_dup(r->vm, r->area);
	r->unlinked->anon_vma = NULL;
	r->unlinked->vm_start = HOLE;
	r->unlinked->vm_end = HOLE + 2 * PAGE;
	r->mapped = api_rig_page(r, 0);
	r->isolated = api_rig_page(r, 1);
	assert_int_equal(isolate_lru_page(r->lru, r->isolated), 0);
	r->locked = api_rig_page(r, 2);
	assert_true(trylock_page(r->locked));
	plist_init(&r->list);
	assert_int_equal(isolate_for_migration(r->vm, api_rig_page(r, 3), &r->list), 0);
	api_rig_slots(r);
	r->file = frig_file(&r->g, FILE_ID, FILE_PAGES, false);
	frig_read(&r->g, r->file, 0, FILE_PAGES);
	lru_add_drain_all(r->lru);
	r->cached = frig_page(&r->g, r->file, 0);
	r->cached_locked = frig_page(&r->g, r->file, 1);
	assert_true(trylock_page(r->cached_locked));
	api_rig_objects(r);
	r->gfp = GFP_KERNEL;
}

/* Whatever state its objects are in. */
static inline void api_rig_down(struct api_rig *r)
{
	kstacks_destroy(&r->stacks);
	highmem_destroy(&r->h);
	vmalloc_destroy(&r->va);
	machine_destroy(r->m);
}

#endif
