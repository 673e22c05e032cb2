/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A12.5: whoever may sleep says so: every function of spec 12 s2 (tests/api.def) is called outside and inside
 * of atomic context, and in an interrupt, on a machine of its own.
 */
#include "tests/api_rig.h"
#include "tests/bug_hook.h"

/* ---- the calls ---- */

#define CALL(name, ...)                                                                            \
	static void call_##name(struct api_rig *r)                                                 \
	{                                                                                          \
		__VA_ARGS__;                                                                       \
	}

CALL(alloc_pages, alloc_pages(r->phys, 0, r->gfp, 1))
CALL(alloc_page, alloc_page(r->phys, 0, r->gfp))
CALL(alloc_pages_node, alloc_pages_node(r->phys, 0, -1, r->gfp, 0))
CALL(get_free_pages, get_free_pages(r->phys, 0, r->gfp, 1))
CALL(get_free_page, get_free_page(r->phys, 0, r->gfp))
CALL(get_zeroed_page, get_zeroed_page(r->phys, 0, r->gfp))
CALL(free_pages_page, free_pages_page(r->phys, 0, r->block, 1))
CALL(free_page_page, free_page_page(r->phys, 0, r->single))
CALL(free_pages, free_pages(r->phys, 0, r->pages, 1))
CALL(free_page, free_page(r->phys, 0, r->one))
CALL(alloc_pages_exact, alloc_pages_exact(r->phys, 0, 3 * PAGE, r->gfp))
CALL(free_pages_exact, free_pages_exact(r->phys, 0, r->exact, 5 * PAGE))
CALL(page_address, assert_non_null(page_address(r->phys, r->fresh)))
CALL(page_virtual, assert_true(page_virtual(&r->h, r->fresh)))
CALL(kmalloc, kmalloc(r->k, 0, 100, r->gfp))
CALL(kzalloc, kzalloc(r->k, 0, 3000, r->gfp))
CALL(kcalloc, kcalloc(r->k, 0, 3, 100, r->gfp))
CALL(krealloc, krealloc(r->k, 0, r->object, 5000, r->gfp))
CALL(kfree, kfree(r->k, 0, r->object))
CALL(ksize, assert_true(ksize(r->k, r->object) >= 100))
CALL(kmem_cache_create, kmem_cache_create(r->k, "new", 88, 0, 0, NULL))
CALL(kmem_cache_destroy, assert_int_equal(kmem_cache_destroy(r->idle_cache, 0), 0))
CALL(kmem_cache_shrink, kmem_cache_shrink(r->cache, 0))
CALL(kmem_cache_alloc, kmem_cache_alloc(r->cache, 0, r->gfp))
CALL(kmem_cache_zalloc, kmem_cache_zalloc(r->cache, 0, r->gfp))
CALL(kmem_cache_free, kmem_cache_free(r->cache, 0, r->cache_object))
CALL(vmalloc, assert_true(vmalloc(&r->va, 0, 100)))
CALL(vzalloc, assert_true(vzalloc(&r->va, 0, 100)))
CALL(vmalloc_user, assert_true(vmalloc_user(&r->va, 0, 100)))
CALL(vmalloc_32, assert_true(vmalloc_32(&r->va, 0, 100)))
CALL(__vmalloc, assert_true(__vmalloc(&r->va, 0, 100, GFP_KERNEL)))
CALL(vfree, vfree(&r->va, 0, r->area_va))
CALL(vmap, assert_true(vmap(&r->va, 0, &r->fresh, 1)))
CALL(vunmap, vunmap(&r->va, 0, r->mapped_va))
CALL(ioremap, assert_true(ioremap(&r->va, 0, 0x4000, PAGE)))
CALL(iounmap, iounmap(&r->va, 0, r->io_va))
CALL(kmap, vaddr_t va; assert_int_equal(kmap(&r->h, 0, r->fresh, &va), 0))
CALL(kunmap, kunmap(&r->h, 0, r->fresh))
CALL(kmap_atomic, kmap_atomic(&r->h, 0, r->fresh); preempt_enable(r->hw, 0))
CALL(kunmap_atomic, preempt_disable(r->hw, 0); kunmap_atomic(&r->h, 0, page_virtual(&r->h, r->fresh)))
CALL(kstack_alloc, assert_non_null(kstack_alloc(&r->stacks, 0, 2)))
CALL(kstack_free, kstack_free(&r->stacks, 0, r->stack))
CALL(kstack_push_frame, assert_int_equal(kstack_push_frame(&r->stacks, r->stack, 64), 0))
CALL(kstack_pop_frame, kstack_push_frame(&r->stacks, r->stack, 64); kstack_pop_frame(&r->stacks, r->stack))
CALL(kstack_interrupt, assert_int_equal(kstack_interrupt(&r->stacks, r->stack, 64), 0))
CALL(kstack_check, assert_int_equal(kstack_check(&r->stacks, r->stack), 0))

CALL(find_vma, assert_ptr_equal(find_vma(r->vm, r->t, AREA + PAGE), r->area))
CALL(find_vma_prev, struct vm_area_struct *prev; find_vma_prev(r->vm, r->mm, AREA, &prev))
CALL(find_vma_intersection, find_vma_intersection(r->vm, r->mm, AREA, AREA + PAGE))
CALL(get_unmapped_area, assert_true(get_unmapped_area(r->vm, r->mm, 0, PAGE, 0, 0) > 0))
CALL(sys_mmap, srig_map(&r->g, r->t, HOLE, 1))
CALL(do_munmap, assert_int_equal(do_munmap(r->vm, r->mm, AREA + 15 * PAGE, PAGE), 0))
CALL(do_brk, assert_int_equal(do_brk(r->vm, r->mm, HOLE, PAGE), HOLE))
CALL(sys_brk, sys_brk(r->vm, r->t, 0))
CALL(sys_mprotect, assert_int_equal(sys_mprotect(r->vm, r->t, AREA + 8 * PAGE, PAGE, MM_PROT_READ), 0))
CALL(sys_mremap, assert_int_equal(sys_mremap(r->vm, r->t, AREA + 15 * PAGE, PAGE, 2 * PAGE, 0, 0, 0), AREA + 15 * PAGE))
CALL(sys_mlock, assert_int_equal(sys_mlock(r->vm, r->t, AREA + 8 * PAGE, PAGE, 0), 0))
CALL(sys_munlock, assert_int_equal(sys_munlock(r->vm, r->t, AREA + 8 * PAGE, PAGE), 0))
CALL(sys_mlockall, assert_int_equal(sys_mlockall(r->vm, r->t, MM_MCL_FUTURE), 0))
CALL(sys_munlockall, assert_int_equal(sys_munlockall(r->vm, r->t), 0))
CALL(sys_madvise, assert_int_equal(sys_madvise(r->vm, r->t, AREA + 8 * PAGE, PAGE, MM_MADV_DONTNEED), 0))
CALL(vma_merge, struct vma_merge m = {.mm = r->mm, .addr = HOLE, .end = HOLE + PAGE, .flags = VM_READ};
     assert_null(vma_merge(r->vm, &m)))
CALL(split_vma, assert_int_equal(split_vma(r->vm, r->area, AREA + 8 * PAGE, false), 0))
CALL(insert_vm_struct, assert_int_equal(insert_vm_struct(r->vm, r->mm, r->unlinked), 0))
CALL(vma_link_at, struct vma_link l; assert_int_equal(find_vma_links(r->vm, r->mm, HOLE, HOLE + 2 * PAGE, &l), 0);
     assert_int_equal(vma_link_at(r->vm, r->mm, r->unlinked, &l), 0))
CALL(handle_mm_fault, struct vm_fault f = {.vm = r->vm, .task = r->t, .mm = r->mm, .vma = r->area,
					   .addr = AREA + 9 * PAGE, .write = true};
     assert_false(handle_mm_fault(&f) & VM_FAULT_ERROR))
CALL(do_page_fault, do_page_fault(r->vm, r->t, HOLE, 0, NULL))
CALL(mm_access, assert_int_equal(mm_access(r->vm, r->t, AREA, MM_ACCESS_READ), RES_NONE))
CALL(mm_access_range, mm_access_range(r->vm, r->t, AREA, PAGE, MM_ACCESS_READ))
CALL(get_user_pages, struct page *p; assert_int_equal(get_user_pages(r->vm, r->t, r->mm, AREA, 1, 0, &p), 1))
CALL(access_remote_vm, char c; assert_int_equal(access_remote_vm(r->vm, r->t, AREA, &c, 1, false), 1))
CALL(get_page, get_page(r->fresh))
CALL(put_page, put_page(r->phys, 0, r->single))
CALL(page_count, assert_int_equal(page_count(r->fresh), 1))
CALL(page_mapcount, assert_int_equal(page_mapcount(r->mapped), 1))
CALL(lock_page, lock_page(r->vm, r->mapped))
CALL(trylock_page, assert_true(trylock_page(r->mapped)))
CALL(unlock_page, unlock_page(r->locked))
CALL(follow_page, struct page *p; assert_int_equal(follow_page(r->vm, r->area, AREA, 0, &p), 0);
     assert_ptr_equal(p, r->mapped))
CALL(vm_normal_page, assert_ptr_equal(vm_normal_page(r->vm, srig_pte(&r->g, r->t, AREA)), r->mapped))
CALL(anon_vma_prepare, assert_int_equal(anon_vma_prepare(r->vm, r->area), 0))
CALL(anon_vma_fork, r->unlinked->anon_vma = r->area->anon_vma;
     assert_int_equal(anon_vma_fork(r->vm, r->unlinked, r->area), 0))
CALL(page_add_new_anon_rmap, page_add_new_anon_rmap(r->vm, r->fresh, r->area, AREA))
CALL(page_add_anon_rmap, page_add_anon_rmap(r->vm, r->mapped, r->area, AREA, false))
CALL(page_add_file_rmap, page_add_file_rmap(r->vm, r->cached))
CALL(page_remove_rmap, page_add_file_rmap(r->vm, r->cached); page_remove_rmap(r->vm, r->cached))
CALL(page_referenced, u32 flags; assert_true(page_referenced(r->vm, r->mapped, false, &flags) > 0))
CALL(try_to_unmap, try_to_unmap(r->vm, r->locked, TTU_MUNLOCK))
static int walk_one(struct vm *vm, struct page *p, struct vm_area_struct *v, vaddr_t addr, void *arg)
{
	(void)vm, (void)p, (void)v, (void)addr, (void)arg;
	return SWAP_AGAIN;
}
CALL(rmap_walk, struct rmap_walk_control rwc = {.rmap_one = walk_one};
     assert_int_equal(rmap_walk(r->vm, r->mapped, &rwc), SWAP_AGAIN))
CALL(vm_fork, assert_int_equal(vm_fork(r->vm, r->t, r->other), 0))
CALL(vm_exit, vm_exit(r->vm, r->other))

CALL(add_to_swap, assert_true(add_to_swap(r->g.sw, r->locked)))
CALL(sys_swapon, struct swap_area a = {.id = 77, .bytes = 64 * PAGE}; assert_int_equal(sys_swapon(r->vm, &a), 0))
CALL(sys_swapoff, assert_int_equal(sys_swapoff(r->vm, NULL), -EINVAL))
CALL(swapin_readahead, assert_non_null(swapin_readahead(r->g.sw, r->slot, r->gfp)))
CALL(try_to_free_swap, assert_true(try_to_free_swap(r->g.sw, r->swapcached)))
CALL(add_to_page_cache_lru, assert_int_equal(add_to_page_cache_lru(r->fm, r->fresh, &r->file->mapping, 100), 0))
CALL(find_get_page, assert_ptr_equal(find_get_page(r->fm, &r->file->mapping, 0), r->cached))
CALL(delete_from_page_cache, get_page(r->cached_locked); delete_from_page_cache(r->fm, r->cached_locked))
CALL(file_read, assert_int_equal(file_read(r->fm, r->file, 0, PAGE, NULL), PAGE))
CALL(file_write, assert_int_equal(file_write(r->fm, r->file, 2 * PAGE, PAGE, NULL), PAGE))
CALL(vm_ftruncate, assert_int_equal(vm_ftruncate(r->vm, FILE_ID, 100 * PAGE), 0))
CALL(filemap_truncate, filemap_truncate(r->fm, r->file, 100 * PAGE))
CALL(lru_cache_add, lru_cache_add(r->lru, r->fresh))
CALL(lru_add_drain, lru_cache_add(r->lru, r->fresh); lru_add_drain(r->lru, 0))
CALL(lru_add_drain_all, lru_add_drain_all(r->lru))
CALL(mark_page_accessed, mark_page_accessed(r->lru, r->cached); mark_page_accessed(r->lru, r->cached))
CALL(isolate_lru_page, assert_int_equal(isolate_lru_page(r->lru, r->mapped), 0))
CALL(putback_lru_page, putback_lru_page(r->lru, r->isolated))
CALL(try_to_free_pages, try_to_free_pages(r->vs, node_zonelist(r->phys, 0, GFP_KERNEL), ZONE_NORMAL, 0, GFP_KERNEL))
CALL(wakeup_kswapd, wakeup_kswapd(r->vs, &r->phys->zones[0], 3, 0))
CALL(kswapd_run, kswapd_run(r->vs, 0))
CALL(shrink_slab, assert_int_equal(shrink_slab(r->vs, GFP_KERNEL, 1, 1), 0))
CALL(register_shrinker, register_shrinker(r->vs, &r->shrinker); unregister_shrinker(&r->shrinker))
CALL(apply_drop_caches, assert_int_equal(apply_drop_caches(r->m, 3), 0))
CALL(out_of_memory, assert_true(out_of_memory(r->vs, GFP_KERNEL, 0)))
CALL(oom_badness, assert_true(oom_badness(r->vs, r->t, oom_total_pages(r->vs)) > 0))
CALL(oom_reaper_step, assert_false(oom_reaper_step(r->vs)))
static struct page *no_page(struct page *old, void *private)
{
	(void)old, (void)private;
	return NULL;
}
CALL(migrate_pages, struct migrate_request rq = {.vm = r->vm, .get_new_page = no_page, .reason = MR_SYSCALL};
     assert_int_equal(migrate_pages(&rq, &r->list), -ENOMEM))
CALL(sys_move_pages, vaddr_t at = AREA; int status;
     assert_int_equal(sys_move_pages(r->vm, r->mm, 1, &at, NULL, &status, false), 0); assert_int_equal(status, 0))
CALL(compact_zone, struct compact_control cc = {.c = r->c, .zone = &r->phys->zones[0], .order = -1};
     compact_zone(&cc))
CALL(try_to_compact_pages,
     struct alloc_context ac = {.phys = r->phys, .gfp = GFP_KERNEL, .order = 4,
				.zonelist = node_zonelist(r->phys, 0, GFP_KERNEL)};
     try_to_compact_pages(r->c, &ac, MIGRATE_ASYNC))
CALL(compact_nodes, unlock_page(r->locked); unlock_page(r->swapcached); unlock_page(r->cached_locked);
     compact_nodes(r->c))
CALL(fragmentation_index, fragmentation_index(&r->phys->zones[0], 3))
CALL(ksm_madvise, u32 flags = r->area->vm_flags;
     assert_int_equal(ksm_madvise(r->vm, r->area, AREA, AREA + PAGE, MM_MADV_MERGEABLE, &flags), 0))
CALL(ksm_do_scan, ksm_do_scan(r->ksm, 10))
CALL(ksm_set_run, assert_int_equal(ksm_set_run(r->ksm, 1), 0))
CALL(ksm_sysctl, assert_int_equal(ksm_sysctl(r->ksm, "ksm_run", "1"), 0))

/* ---- the table ---- */

enum context { SLEEPS, ATOMIC, GFP, NOIRQ, UNLESS_IRQ };

static const struct entry {
	const char *name;
	void (*call)(struct api_rig *r);
	enum context context;
} entries[] = {
#define NO_ENTRY(ours)
#define SLEEPS_ENTRY(ours)     {#ours, call_##ours, SLEEPS},
#define ATOMIC_ENTRY(ours)     {#ours, call_##ours, ATOMIC},
#define GFP_ENTRY(ours)	       {#ours, call_##ours, GFP},
#define NOIRQ_ENTRY(ours)      {#ours, call_##ours, NOIRQ},
#define UNLESS_IRQ_ENTRY(ours) {#ours, call_##ours, UNLESS_IRQ},
#define OUTSIDE_ENTRY	       NO_ENTRY
#define API(spec, ours, header, context) context##_ENTRY(ours)
#include "tests/api.def"
#undef API
};

enum scene { OUTSIDE, NO_PREEMPTION, INTERRUPT, UNDER_LOCK };

static void enter(struct hw *hw, enum scene scene)
{
	if (scene == NO_PREEMPTION)
		preempt_disable(hw, 0);
	else if (scene == INTERRUPT)
		irq_enter(hw, 0);
	else if (scene == UNDER_LOCK)
		spin_section_begin(hw);
}

static void leave(struct hw *hw, enum scene scene)
{
	if (scene == NO_PREEMPTION)
		preempt_enable(hw, 0);
	else if (scene == INTERRUPT)
		irq_exit(hw, 0);
	else if (scene == UNDER_LOCK)
		spin_section_end(hw);
}

struct trial {
	const struct entry *e;
	struct api_rig r;
};

static void try_call(void *arg)
{
	struct trial *t = arg;

	t->e->call(&t->r);
}

/* Did an assertion fail? Whatever it is outside is printed, since none may. */
static bool fires(const struct entry *e, enum scene scene, gfp_t gfp)
{
	static struct trial t;
	bool fired;

	t.e = e;
	api_rig_up(&t.r);
	t.r.gfp = gfp;
	enter(t.r.hw, scene);
	fired = bug_fires(try_call, &t);
	if (fired)
		t.r.hw->cpus[0].preempt_count = 0; /* wherever the jump came from */
	else
		leave(t.r.hw, scene);
	assert_false(in_atomic(t.r.hw, 0));
	api_rig_down(&t.r);
	return fired;
}

static void expect(const struct entry *e, enum scene scene, gfp_t gfp, bool want)
{
	static const char *const names[] = {"outside", "without preemption", "in an interrupt", "under a spin lock"};

	if (fires(e, scene, gfp) != want)
		fail_msg("%s %s %s%s", e->name, want ? "is silent" : "asserts", names[scene], bug_text);
	if (want && !strstr(bug_text, "atomic") && !strstr(bug_text, "interrupt"))
		fail_msg("%s: another assertion: %s", e->name, bug_text);
}

static void test_A12_5(void **state)
{
	(void)state;
	if (!MM_DEBUG)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		const struct entry *e = &entries[i];
		bool sleeps = e->context == SLEEPS || e->context == GFP;

		expect(e, OUTSIDE, GFP_KERNEL, false);
		expect(e, NO_PREEMPTION, GFP_KERNEL, sleeps || e->context == UNLESS_IRQ);
		expect(e, INTERRUPT, GFP_KERNEL, sleeps || e->context == NOIRQ);
		expect(e, UNDER_LOCK, GFP_KERNEL, sleeps || e->context == UNLESS_IRQ);
		if (e->context == GFP) {
			expect(e, NO_PREEMPTION, GFP_ATOMIC, false);
			expect(e, INTERRUPT, GFP_ATOMIC, false);
		}
	}
}

/* Sections nest, each CPU has its own count, and kmap_atomic() opens one. */
static void test_contexts(void **state)
{
	struct srig g = srig_boot((const char *const[]){"mem=64M", "ncpu=2", NULL});
	struct hw *hw = &g.m->hw;
	char why[128];
	struct highmem h;
	struct page *p = alloc_page(&g.m->phys, 1, GFP_KERNEL);
	vaddr_t va;

	(void)state;
	assert_int_equal(highmem_init(&h, &g.m->phys), 0);
	va = kmap_atomic(&h, 1, p);
	assert_true(in_atomic(hw, 1) && !in_interrupt(hw, 1) && !in_atomic(hw, 0));
	irq_enter(hw, 1);
	assert_true(in_atomic(hw, 1) && in_interrupt(hw, 1));
	irq_exit(hw, 1);
	assert_true(in_atomic(hw, 1) && !in_interrupt(hw, 1));
	assert_int_equal(machine_check(g.m, why, sizeof(why)), 1);
	assert_string_equal(why, "cpu 1 was left in atomic context");
	kunmap_atomic(&h, 1, va);
	assert_false(in_atomic(hw, 1));
	free_page_page(&g.m->phys, 1, p);
	highmem_destroy(&h);
	srig_end(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_A12_5), cmocka_unit_test(test_contexts)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
