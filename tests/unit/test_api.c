/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A12.3: the functions of spec 12 s2 exist (tests/api.def); those that other tests reach only through system
 * calls are called here by themselves. That each is documented with its context and tested directly is
 * judged by tests/scripts/api-documented.
 */
#include "core/hw/clock.h"
#include "tests/api_rig.h"

typedef void (*any_fn)(void);

static const struct function {
	const char *spec, *ours, *header;
	any_fn address;
} functions[] = {
#define API(spec, ours, header, context) {#spec, #ours, header, (any_fn)ours},
#include "tests/api.def"
#undef API
};

/* The table of the chapter, as it stands there. */
static const char *const spec_names =
	"alloc_pages alloc_page alloc_pages_node __get_free_pages __get_free_page get_zeroed_page __free_pages "
	"__free_page free_pages free_page alloc_pages_exact free_pages_exact page_address kmalloc kzalloc kcalloc "
	"krealloc kfree ksize kmem_cache_create kmem_cache_destroy kmem_cache_shrink kmem_cache_alloc "
	"kmem_cache_zalloc kmem_cache_free vmalloc vzalloc vmalloc_user vmalloc_32 __vmalloc vfree vmap vunmap "
	"ioremap iounmap kmap kunmap kmap_atomic kunmap_atomic kstack_alloc kstack_free kstack_push_frame "
	"kstack_pop_frame kstack_interrupt kstack_check find_vma find_vma_prev find_vma_intersection "
	"get_unmapped_area do_mmap do_munmap do_brk sys_brk mprotect mremap mlock munlock mlockall munlockall "
	"madvise vma_merge split_vma insert_vm_struct vma_link handle_mm_fault do_page_fault access get_user_pages "
	"access_remote_vm get_page put_page page_count page_mapcount lock_page trylock_page unlock_page follow_page "
	"vm_normal_page anon_vma_prepare anon_vma_fork page_add_new_anon_rmap page_add_anon_rmap page_add_file_rmap "
	"page_remove_rmap page_referenced try_to_unmap rmap_walk do_fork_mm exit_mm add_to_swap swapon swapoff "
	"swapin_readahead try_to_free_swap add_to_page_cache_lru find_get_page delete_from_page_cache file_read "
	"file_write truncate lru_cache_add lru_add_drain lru_add_drain_all mark_page_accessed isolate_lru_page "
	"putback_lru_page try_to_free_pages wakeup_kswapd kswapd_step shrink_slab register_shrinker drop_caches "
	"out_of_memory oom_badness oom_reaper_step migrate_pages move_pages compact_zone try_to_compact_pages "
	"compact_nodes fragmentation_index ksm_madvise ksmd_step ksm_set sys_boot sys_destroy sys_check "
	"sys_snapshot sys_restore vmstat_get zoneinfo buddyinfo pagetypeinfo slabinfo vmallocinfo maps pagemap";

static void test_A12_3(void **state)
{
	char names[4096], *save = NULL;
	size_t n = 0;

	(void)state;
	assert_true(strlen(spec_names) < sizeof(names));
	strcpy(names, spec_names);
	for (char *w = strtok_r(names, " ", &save); w; w = strtok_r(NULL, " ", &save), n++) {
		bool found = false;

		for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
			found |= !strcmp(functions[i].spec, w);
		if (!found)
			fail_msg("%s is not in tests/api.def", w);
	}
	assert_int_equal(n, 137);
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		assert_non_null(functions[i].address);
		if (!strstr(spec_names, functions[i].spec))
			fail_msg("%s is no name of spec 12 s2", functions[i].spec);
	}
}

#define PAGE_FLAG(Name, SYM, text)                                                                 \
	static void flag_##SYM(struct page *p)                                                     \
	{                                                                                          \
		const u32 others = p->flags;                                                       \
                                                                                                   \
		assert_false(Page##Name(p));                                                       \
		SetPage##Name(p);                                                                  \
		assert_true(Page##Name(p));                                                        \
		assert_int_equal(p->flags, others | 1u << PG_##SYM);                               \
		assert_true(TestSetPage##Name(p));                                                 \
		ClearPage##Name(p);                                                                \
		assert_false(TestSetPage##Name(p));                                                \
		assert_true(Page##Name(p));                                                        \
		assert_true(TestClearPage##Name(p));                                               \
		assert_false(TestClearPage##Name(p));                                              \
		assert_int_equal(p->flags, others);                                                \
		assert_string_equal(page_flag_name(PG_##SYM), text);                               \
	}
#include "core/phys/page_flags.def"
#undef PAGE_FLAG

static void test_page_flags(void **state)
{
	for (int ones = 0; ones < 2; ones++) {
		struct page p = {0};

		(void)state;
#define PAGE_FLAG(Name, SYM, text)                                                                 \
	p.flags = ones ? ~(1u << PG_##SYM) : 0;                                                    \
	flag_##SYM(&p);
#include "core/phys/page_flags.def"
#undef PAGE_FLAG
	}
}

/* ---- floors 3 and 4 ---- */

#define RIG(...) srig_boot((const char *const[]){"mem=64M", "swap=16M", "page_cluster=0", __VA_ARGS__, NULL})

static bool all_zero(const void *p, size_t n)
{
	const u8 *b = p;

	while (n && !b[n - 1])
		n--;
	return !n;
}

static void test_zeroed(void **state)
{
	struct srig g = RIG("data=bytes");
	struct kmem *k = g.vm->kmem;
	struct phys *phys = g.vm->phys;
	struct kmem_cache *c = kmem_cache_create(k, "zeroed", 136, 0, SLAB_DESTROY_BY_RCU, NULL);
	s64 free = global_page_state(phys, NR_FREE_PAGES);
	void *p;

	(void)state;
	p = get_free_page(phys, 0, GFP_KERNEL);
	memset(p, 0xff, PAGE);
	free_page(phys, 0, p);
	assert_ptr_equal(get_zeroed_page(phys, 0, GFP_KERNEL), p); /* the hottest page of the CPU */
	assert_true(all_zero(p, PAGE));
	free_page(phys, 0, p);
	free_page(phys, 0, NULL);
	drain_all_pages(phys);
	assert_true(global_page_state(phys, NR_FREE_PAGES) >= free);

	p = kmalloc(k, 0, 100, GFP_KERNEL);
	memset(p, 0xff, 100);
	kfree(k, 0, p);
	assert_ptr_equal(kzalloc(k, 0, 100, GFP_KERNEL), p);
	assert_true(all_zero(p, 100));
	kfree(k, 0, p);
	assert_ptr_equal(kzalloc(k, 0, 0, GFP_KERNEL), ZERO_SIZE_PTR);

	p = kmem_cache_alloc(c, 0, GFP_KERNEL);
	memset(p, 0xff, 136);
	kmem_cache_free(c, 0, p);
	assert_ptr_equal(kmem_cache_zalloc(c, 0, GFP_KERNEL), p);
	assert_true(all_zero(p, 136));
	kmem_cache_free(c, 0, p);
	assert_int_equal(kmem_cache_destroy(c, 0), 0);
	srig_end(&g);
}

/* The caller's flags decide where the pages are from. */
static void test_vmalloc_flags(void **state)
{
	static const gfp_t gfp[] = {GFP_KERNEL, GFP_KERNEL | MM_GFP_HIGHMEM};
	struct srig g = srig_boot((const char *const[]){"arch=arm32", "machine=vexpress", "mem=1G", NULL});
	struct vmalloc v;

	(void)state;
	assert_int_equal(vmalloc_init(&v, g.vm->kmem), 0);
	for (int high = 0; high < 2; high++) {
		vaddr_t va = __vmalloc(&v, 0, 3 * PAGE, gfp[high]);

		assert_true(va);
		for (u64 i = 0; i < 3; i++) {
			pfn_t pfn = kernel_map_get(&v.map, va + i * PAGE);

			assert_int_equal(zone_is_highmem(page_zone(g.vm->phys, pfn_to_page(g.vm->phys, pfn))), high);
		}
		vfree(&v, 0, va);
	}
	assert_int_equal(__vmalloc(&v, 0, 0, GFP_KERNEL), 0);
	vmalloc_destroy(&v);
	srig_end(&g);
}

/* ---- address spaces ---- */

static void test_unmapped_area(void **state)
{
	struct srig g = RIG("va=39");
	struct task *t = srig_task(&g, 1);
	struct mm_struct *mm = t->mm;

	(void)state;
	assert_int_equal(get_unmapped_area(g.vm, mm, 0, PAGE, 0, 0), mm->mmap_base - PAGE);
	assert_int_equal(get_unmapped_area(g.vm, mm, BASE, PAGE, 0, 0), BASE); /* a free hint is taken */
	srig_map(&g, t, BASE, 2);
	assert_int_equal(get_unmapped_area(g.vm, mm, BASE + PAGE, PAGE, 0, 0), mm->mmap_base - PAGE);
	assert_int_equal(get_unmapped_area(g.vm, mm, BASE + PAGE, PAGE, 0, AREA_FIXED), BASE + PAGE);
	assert_int_equal(get_unmapped_area(g.vm, mm, BASE + 1, PAGE, 0, AREA_FIXED), -EINVAL);
	assert_int_equal(get_unmapped_area(g.vm, mm, 0, 1ull << 39, 0, 0), -ENOMEM);
	srig_end(&g);
}

static void test_brk_and_munmap(void **state)
{
	struct srig g = RIG("va=39");
	struct task *t = srig_task(&g, 1);
	struct mm_struct *mm = t->mm;
	struct vm_area_struct *v;

	(void)state;
	assert_int_equal(do_brk(g.vm, mm, BASE, 3 * PAGE + 1), BASE); /* whole pages */
	v = find_vma(g.vm, t, BASE);
	assert_int_equal(v->vm_start, BASE);
	assert_int_equal(v->vm_end, BASE + 4 * PAGE);
	assert_int_equal(v->vm_flags & (VM_READ | VM_WRITE | VM_EXEC | VM_SHARED | VM_ACCOUNT),
			 VM_READ | VM_WRITE | VM_ACCOUNT);
	assert_int_equal(do_brk(g.vm, mm, BASE + 4 * PAGE, PAGE), BASE + 4 * PAGE);
	assert_int_equal(mm->map_count, 1); /* the heap grew */
	assert_int_equal(do_brk(g.vm, mm, BASE, 0), BASE);
	assert_int_equal(do_brk(g.vm, mm, BASE + 1, PAGE), -EINVAL);
	srig_write(&g, t, BASE + PAGE, 1);
	assert_int_equal(do_munmap(g.vm, mm, BASE + PAGE, PAGE), 0);
	assert_int_equal(mm->map_count, 2);
	assert_int_equal(mm->rss[MM_ANONPAGES], 0);
	assert_int_equal(do_munmap(g.vm, mm, BASE + PAGE, PAGE), 0); /* nothing there: nothing to do */
	assert_int_equal(do_munmap(g.vm, mm, BASE + 1, PAGE), -EINVAL);
	assert_int_equal(do_munmap(g.vm, mm, BASE, 0), -EINVAL);
	assert_int_equal(do_munmap(g.vm, mm, BASE, 5 * PAGE), 0);
	assert_int_equal(mm->map_count, 0);
	assert_int_equal(mm->total_vm, 0);
	srig_end(&g);
}

static struct vm_area_struct *new_vma(struct srig *g, vaddr_t start, u64 pages, u32 flags)
{
	struct vm_area_struct *v = vma_alloc(g->vm);

	assert_non_null(v);
	v->vm_start = start;
	v->vm_end = start + pages * PAGE;
	v->vm_flags = flags;
	v->vm_pgoff = start / PAGE;
	return v;
}

static void test_vma_surgery(void **state)
{
	const u32 flags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
	struct srig g = RIG("max_map_count=3");
	struct mm_struct *mm = srig_task(&g, 1)->mm;
	struct vm_area_struct *a = new_vma(&g, BASE, 4, flags), *c = new_vma(&g, BASE + 6 * PAGE, 2, flags), *low, *m;
	struct vma_merge gap = {.mm = mm, .prev = a, .addr = BASE + 4 * PAGE, .end = BASE + 6 * PAGE, .flags = flags,
				.pgoff = BASE / PAGE + 4};
	struct vma_link l;

	(void)state;
	assert_int_equal(insert_vm_struct(g.vm, mm, a), 0);
	assert_int_equal(insert_vm_struct(g.vm, mm, a), -ENOMEM); /* in its own way */
	assert_int_equal(find_vma_links(g.vm, mm, c->vm_start, c->vm_end, &l), 0);
	assert_int_equal(vma_link_at(g.vm, mm, c, &l), 0);
	assert_int_equal(mm->map_count, 2);
	assert_ptr_equal(a->vm_next, c);
	assert_ptr_equal(c->vm_prev, a);

	assert_int_equal(split_vma(g.vm, a, BASE + PAGE, true), 0); /* the new one is below */
	low = a->vm_prev;
	assert_int_equal(low->vm_start, BASE);
	assert_int_equal(low->vm_end, BASE + PAGE);
	assert_int_equal(a->vm_start, BASE + PAGE);
	assert_int_equal(a->vm_pgoff, BASE / PAGE + 1);
	assert_int_equal(split_vma(g.vm, c, BASE + 7 * PAGE, false), -ENOMEM); /* three are enough */

	gap.flags |= VM_IO;
	assert_null(vma_merge(g.vm, &gap)); /* special */
	gap.flags = flags | VM_EXEC;
	assert_null(vma_merge(g.vm, &gap)); /* different */
	gap.flags = flags;
	gap.pgoff++;
	assert_null(vma_merge(g.vm, &gap)); /* out of step */
	gap.pgoff--;
	assert_ptr_equal(vma_merge(g.vm, &gap), a);
	m = find_vma_intersection(g.vm, mm, BASE + 4 * PAGE, BASE + 5 * PAGE);
	assert_ptr_equal(m, a); /* case 1: the gap and what is behind it */
	assert_int_equal(a->vm_end, BASE + 8 * PAGE);
	assert_int_equal(mm->map_count, 2);
	assert_int_equal(split_vma(g.vm, a, BASE + 2 * PAGE, false), 0); /* the new one is above */
	assert_int_equal(a->vm_end, BASE + 2 * PAGE);
	assert_int_equal(a->vm_next->vm_pgoff, BASE / PAGE + 2);
	srig_end(&g);
}

/* ---- faults and gup ---- */

static void test_one_fault(void **state)
{
	struct srig g = RIG("data=tag");
	struct task *t = srig_task(&g, 1);
	struct vm_fault f = {.vm = g.vm, .task = t, .mm = t->mm, .addr = BASE, .write = false};
	u64 faults = srig_event(&g, EV_PGFAULT);

	(void)state;
	srig_map(&g, t, BASE, 1);
	f.vma = find_vma(g.vm, t, BASE);
	assert_int_equal(handle_mm_fault(&f), 0); /* reads see the zero page */
	assert_null(vm_normal_page(g.vm, srig_pte(&g, t, BASE)));
	assert_int_equal(t->mm->rss[MM_ANONPAGES], 0);
	f.slot = NULL;
	f.write = true;
	assert_false(handle_mm_fault(&f) & VM_FAULT_ERROR);
	assert_int_equal(page_mapcount(srig_page(&g, t, BASE)), 1);
	assert_int_equal(t->mm->rss[MM_ANONPAGES], 1);
	assert_int_equal(srig_event(&g, EV_PGFAULT) - faults, 2);
	assert_int_equal(t->minflt, 0); /* the caller's business */
	srig_end(&g);
}

static void test_follow(void **state)
{
	struct srig g = RIG("data=tag");
	struct task *t = srig_task(&g, 1);
	struct vm_area_struct *v;
	struct page *p, *mapped;

	(void)state;
	srig_map(&g, t, BASE, 3);
	srig_write(&g, t, BASE, 1);
	lru_add_drain_all(&g.vm->lru);
	assert_int_equal(mm_access(g.vm, t, BASE + PAGE, MM_ACCESS_READ), RES_MINOR);
	v = find_vma(g.vm, t, BASE);
	mapped = srig_page(&g, t, BASE);
	assert_int_equal(follow_page(g.vm, v, BASE, FOLL_GET, &p), 0);
	assert_ptr_equal(p, mapped);
	assert_int_equal(page_count(p), 2);
	gup_put_page(g.vm, p);
	assert_int_equal(follow_page(g.vm, v, BASE, FOLL_WRITE, &p), 0);
	assert_ptr_equal(p, mapped);
	assert_int_equal(follow_page(g.vm, v, BASE + PAGE, 0, &p), 0); /* the zero page */
	assert_ptr_equal(p, pfn_to_page(g.vm->phys, g.vm->zero_pfn));
	assert_int_equal(follow_page(g.vm, v, BASE + PAGE, FOLL_WRITE, &p), 0);
	assert_null(p);
	assert_int_equal(follow_page(g.vm, v, BASE + PAGE, FOLL_DUMP, &p), -EFAULT);
	assert_int_equal(follow_page(g.vm, v, BASE + 2 * PAGE, 0, &p), 0); /* nothing there */
	assert_null(p);
	assert_int_equal(follow_page(g.vm, v, BASE + 2 * PAGE, FOLL_DUMP, &p), -EFAULT);
	srig_end(&g);
}

/* Somebody else's turn: lets go of the lock. */
static u64 unlocker(void *self, u64 budget)
{
	unlock_page(self);
	return budget < 1000 ? budget : 1000;
}

static void test_lock_page(void **state)
{
	struct srig g = RIG("data=tag");
	struct page *p = alloc_page(g.vm->phys, 0, GFP_KERNEL);
	u64 before;

	(void)state;
	lock_page(g.vm, p); /* free: at once */
	assert_false(trylock_page(p));
	assert_true(clock_add_daemon(g.vm->hw, unlocker, p, g.vm->hw->now + 5000, 0) >= 0);
	before = g.vm->hw->now;
	lock_page(g.vm, p);
	assert_true(PageLocked(p));
	assert_true(g.vm->hw->now >= before + 5000);
	unlock_page(p);
	free_page_page(g.vm->phys, 0, p);
	srig_end(&g);
}

/* ---- reverse maps ---- */

static void test_anon_vmas(void **state)
{
	struct srig g = RIG("data=tag");
	struct task *t = srig_task(&g, 1);
	struct vm_area_struct *v, *child, *w;

	(void)state;
	srig_map(&g, t, BASE, 3);
	assert_int_equal(sys_mprotect(g.vm, t, BASE + 2 * PAGE, PAGE, MM_PROT_READ), 0);
	v = find_vma(g.vm, t, BASE);
	assert_int_equal(anon_vma_prepare(g.vm, v), 0);
	assert_non_null(v->anon_vma);
	assert_ptr_equal(v->anon_vma->root, v->anon_vma);
	/* a neighbour that could merge but for its rights takes the same one */
	w = find_vma(g.vm, t, BASE + 2 * PAGE);
	assert_int_equal(anon_vma_prepare(g.vm, w), 0);
	assert_ptr_equal(w->anon_vma, v->anon_vma);

	child = vma_dup(g.vm, v);
	assert_int_equal(anon_vma_fork(g.vm, child, v), 0);
	assert_ptr_not_equal(child->anon_vma, v->anon_vma);
	assert_ptr_equal(child->anon_vma->parent, v->anon_vma);
	assert_ptr_equal(child->anon_vma->root, v->anon_vma);
	assert_int_equal(child->anon_vma->degree, 1);
	assert_int_equal(v->anon_vma->degree, 4); /* itself, two VMAs, the child's */
	unlink_anon_vmas(g.vm, child);
	assert_int_equal(v->anon_vma->degree, 3);
	kmem_cache_free(g.vm->vma_cache, 0, child);
	srig_end(&g);
}

static void test_rmap_counts(void **state)
{
	struct srig g = RIG("data=tag");
	struct task *t = srig_task(&g, 1);
	struct phys *phys = g.vm->phys;
	struct vm_file *f = frig_file(&g, 5, 1, false);
	struct vm_area_struct *v;
	struct page *p = alloc_page(phys, 0, GFP_HIGHUSER_MOVABLE), *cached;

	(void)state;
	srig_map(&g, t, BASE, 4);
	v = find_vma(g.vm, t, BASE);
	assert_int_equal(anon_vma_prepare(g.vm, v), 0);
	page_add_new_anon_rmap(g.vm, p, v, BASE + 2 * PAGE);
	assert_int_equal(page_mapcount(p), 1);
	assert_int_equal(page_count(p), 2); /* the batch in front of the LRU */
	assert_ptr_equal(page_anon_vma(p), v->anon_vma);
	assert_int_equal(p->index, v->vm_pgoff + 2);
	assert_true(PageSwapBacked(p) && PageAnon(p));
	assert_int_equal(frig_level(&g, NR_ANON_PAGES), 1);
	page_add_anon_rmap(g.vm, p, v, BASE + 2 * PAGE, false);
	assert_int_equal(page_mapcount(p), 2);
	assert_int_equal(frig_level(&g, NR_ANON_PAGES), 1); /* pages, not mappings */
	page_remove_rmap(g.vm, p);
	assert_int_equal(frig_level(&g, NR_ANON_PAGES), 1);
	page_remove_rmap(g.vm, p);
	assert_int_equal(page_mapcount(p), 0);
	assert_int_equal(frig_level(&g, NR_ANON_PAGES), 0);
	lru_add_drain_all(&g.vm->lru);
	lru_put_page(&g.vm->lru, p);

	frig_read(&g, f, 0, 1);
	cached = frig_page(&g, f, 0);
	page_add_file_rmap(g.vm, cached);
	page_add_file_rmap(g.vm, cached);
	assert_int_equal(page_mapcount(cached), 2);
	assert_int_equal(frig_level(&g, NR_FILE_MAPPED), 1);
	page_remove_rmap(g.vm, cached);
	page_remove_rmap(g.vm, cached);
	assert_int_equal(frig_level(&g, NR_FILE_MAPPED), 0);
	srig_end(&g);
}

/* ---- caches ---- */

static void test_swap_cache(void **state)
{
	struct srig g = RIG("data=tag");
	struct task *t = srig_task(&g, 1);
	swp_entry_t e;
	struct page *p;
	s64 slots;

	(void)state;
	srig_map(&g, t, BASE, 1);
	srig_write(&g, t, BASE, 42);
	slots = g.sw->nr_swap_pages;
	assert_true(srig_swap_out(&g, t, BASE));
	e = srig_entry(&g, t, BASE);
	p = swapin_readahead(g.sw, e, GFP_HIGHUSER_MOVABLE);
	assert_non_null(p);
	assert_true(PageSwapCache(p) && PageUptodate(p));
	assert_int_equal(hw_frame_tag(g.vm->hw, page_to_pfn(g.vm->phys, p)), 42);
	assert_ptr_equal(swap_cache_peek(g.sw, e), p);
	assert_true(trylock_page(p));
	assert_false(try_to_free_swap(g.sw, p)); /* the descriptor still names the slot */
	unlock_page(p);
	lru_put_page(&g.vm->lru, p);
	assert_int_equal(srig_read(&g, t, BASE), 42);
	assert_ptr_equal(srig_page(&g, t, BASE), p);
	if (PageSwapCache(p)) { /* nobody but the cache knows the slot now */
		assert_true(trylock_page(p));
		assert_true(try_to_free_swap(g.sw, p));
		assert_true(PageDirty(p));
		unlock_page(p);
	}
	assert_false(PageSwapCache(p));
	assert_int_equal(g.sw->nr_swap_pages, slots);
	srig_end(&g);
}

static void test_page_cache(void **state)
{
	struct srig g = RIG("data=tag");
	struct filemap *fm = frig_fm(&g);
	struct vm_file *f = frig_file(&g, 5, 4, false);
	struct page *p = alloc_page(g.vm->phys, 0, GFP_HIGHUSER_MOVABLE), *q = alloc_page(g.vm->phys, 0, GFP_KERNEL);

	(void)state;
	assert_int_equal(add_to_page_cache_lru(fm, p, &f->mapping, 2), 0);
	assert_true(PageLocked(p));
	assert_ptr_equal(page_mapping(p), &f->mapping);
	assert_int_equal(p->index, 2);
	assert_int_equal(f->mapping.nrpages, 1);
	assert_int_equal(frig_level(&g, NR_FILE_PAGES), 1);
	assert_int_equal(add_to_page_cache_lru(fm, q, &f->mapping, 2), -EEXIST);
	assert_false(PageLocked(q));
	lru_add_drain_all(&g.vm->lru);
	assert_int_equal(page_count(p), 2); /* the cache's and ours */
	assert_ptr_equal(find_get_page(fm, &f->mapping, 2), p);
	assert_null(find_get_page(fm, &f->mapping, 3));
	lru_put_page(&g.vm->lru, p);
	delete_from_page_cache(fm, p);
	assert_null(page_mapping(p));
	assert_int_equal(page_count(p), 1);
	assert_int_equal(f->mapping.nrpages, 0);
	assert_int_equal(frig_level(&g, NR_FILE_PAGES), 0);
	unlock_page(p);
	lru_put_page(&g.vm->lru, p);
	free_page_page(g.vm->phys, 0, q);
	srig_end(&g);
}

static void test_drop_caches(void **state)
{
	struct srig g = RIG("data=tag");
	struct vm_file *f = frig_file(&g, 5, 8, false);

	(void)state;
	frig_read(&g, f, 0, 8);
	lru_add_drain_all(&g.vm->lru);
	assert_int_equal(apply_drop_caches(g.m, 0), -EINVAL);
	assert_int_equal(apply_drop_caches(g.m, 4), -EINVAL);
	assert_int_equal(apply_drop_caches(g.m, 2), 0);
	assert_true(f->mapping.nrpages >= 8);
	assert_int_equal(srig_event(&g, EV_DROP_SLAB), 1);
	assert_int_equal(apply_drop_caches(g.m, 1), 0);
	assert_int_equal(f->mapping.nrpages, 0);
	assert_int_equal(srig_event(&g, EV_DROP_PAGECACHE), 1);
	srig_end(&g);
}

/* ---- compaction and KSM ---- */

/* Every other page of the lower half of the zone is in use and movable. */
static void checker(struct srig *g, struct task *t)
{
	u64 pages = (u64)global_page_state(g->vm->phys, NR_FREE_PAGES) - 400;

	srig_map(g, t, BASE, pages);
	for (u64 i = 0; i < pages; i++)
		srig_write(g, t, BASE + i * PAGE, 1);
	lru_add_drain_all(&g->vm->lru);
	for (u64 i = 0; i < pages; i += 2)
		assert_int_equal(sys_madvise(g->vm, t, BASE + i * PAGE, PAGE, MM_MADV_DONTNEED), 0);
	drain_all_pages(g->vm->phys);
}

static u64 blocks_from(const struct zone *z, unsigned order)
{
	u64 n = 0;

	for (unsigned o = order; o < z->phys->max_order; o++)
		n += z->free_area[o].nr_free;
	return n;
}

static void test_compacting(void **state)
{
	for (int whole = 0; whole < 2; whole++) {
		struct srig g = srig_boot((const char *const[]){"mem=64M", "threads=manual", NULL});
		struct zone *z = &g.vm->phys->zones[0];
		struct alloc_context ac = {.phys = g.vm->phys, .gfp = GFP_HIGHUSER_MOVABLE, .order = 10,
					   .migratetype = MIGRATE_MOVABLE, .high_zoneidx = ZONE_MOVABLE,
					   .zonelist = node_zonelist(g.vm->phys, 0, GFP_KERNEL)};
		struct compact_control cc = {.c = g.m->reclaim.compaction, .zone = z, .order = whole ? -1 : 10,
					     .mode = MIGRATE_SYNC, .migratetype = MIGRATE_MOVABLE};
		u64 before;

		(void)state;
		checker(&g, srig_task(&g, 1));
		before = blocks_from(z, 10);
		ac.gfp = GFP_NOIO;
		assert_int_equal(try_to_compact_pages(cc.c, &ac, MIGRATE_SYNC), COMPACT_SKIPPED); /* may do no I/O */
		ac.gfp = GFP_HIGHUSER_MOVABLE;
		ac.order = 0;
		assert_int_equal(try_to_compact_pages(cc.c, &ac, MIGRATE_SYNC), COMPACT_SKIPPED);
		assert_int_equal(srig_event(&g, EV_PGMIGRATE_SUCCESS), 0);
		if (whole) {
			assert_int_equal(compact_zone(&cc), COMPACT_COMPLETE);
		} else {
			ac.order = 10;
			assert_int_equal(try_to_compact_pages(cc.c, &ac, MIGRATE_SYNC), COMPACT_PARTIAL);
		}
		assert_true(blocks_from(z, 10) > before);
		assert_true(srig_event(&g, EV_PGMIGRATE_SUCCESS) > 0);
		srig_end(&g);
	}
}

static void test_ksm_madvise(void **state)
{
	struct srig g = RIG("data=tag");
	struct task *t = srig_task(&g, 1);
	struct vm_area_struct *v;
	u32 flags;

	(void)state;
	srig_map(&g, t, BASE, 2);
	v = find_vma(g.vm, t, BASE);
	flags = v->vm_flags;
	assert_int_equal(ksm_madvise(g.vm, v, BASE, BASE + PAGE, MM_MADV_MERGEABLE, &flags), 0);
	assert_int_equal(flags, v->vm_flags | VM_MERGEABLE);
	assert_non_null(t->mm->ksm_slot);
	flags = v->vm_flags | VM_SHARED;
	v->vm_flags |= VM_SHARED; /* never such a one */
	assert_int_equal(ksm_madvise(g.vm, v, BASE, BASE + PAGE, MM_MADV_MERGEABLE, &flags), 0);
	assert_false(flags & VM_MERGEABLE);
	v->vm_flags &= ~(u32)VM_SHARED;
	flags = v->vm_flags;
	assert_int_equal(ksm_madvise(g.vm, v, BASE, BASE + PAGE, MM_MADV_UNMERGEABLE, &flags), 0);
	assert_int_equal(flags, v->vm_flags);
	srig_end(&g);
}

/* ---- the machine ---- */

static void test_pagemap(void **state)
{
	struct srig g = RIG("data=tag");
	struct task *t = srig_task(&g, 1);
	struct vm_file *f = frig_file(&g, 5, 1, false);
	struct machine_vma v;
	struct page *p;
	swp_entry_t e;
	u64 entry[5];
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	srig_map(&g, t, BASE, 4); /* present, swapped, the zero page, nothing; then a file's */
	srig_write(&g, t, BASE, 1);
	srig_write(&g, t, BASE + PAGE, 2);
	srig_read(&g, t, BASE + 2 * PAGE);
	frig_map(&g, t, BASE + 4 * PAGE, 1, f, MM_MAP_SHARED, MM_PROT_READ);
	frig_touch(&g, t, BASE + 4 * PAGE, MM_ACCESS_READ);
	assert_true(srig_swap_out(&g, t, BASE + PAGE));
	p = srig_page(&g, t, BASE);
	e = srig_entry(&g, t, BASE + PAGE);
	assert_int_equal(machine_pagemap(g.m, 1, BASE, 5, entry), 0);
	assert_int_equal(entry[0], 1ull << 63 | page_to_pfn(g.vm->phys, p));
	assert_int_equal(entry[1], 1ull << 62 | (u64)swp_offset(e) << 5 | swp_type(e));
	assert_int_equal(entry[2], 1ull << 63 | g.vm->zero_pfn);
	assert_int_equal(entry[3], 0);
	assert_int_equal(entry[4], 1ull << 63 | 1ull << 61 | page_to_pfn(g.vm->phys, frig_page(&g, f, 0)));
	assert_int_equal(machine_pagemap(g.m, 1, BASE + 1, 1, entry), -EINVAL);
	assert_int_equal(machine_pagemap(g.m, 7, BASE, 1, entry), -ESRCH);

	assert_int_equal(machine_show(g.m, "pagemap", out), 0);
	fclose(out);
	assert_non_null(strstr(text, "task 1\n0000000010000000 8000000000"));
	assert_non_null(strstr(text, "\n0000000010001000 40000000"));
	assert_null(strstr(text, "\n0000000010003000"));
	free(text);

	assert_int_equal(machine_task_vma(g.m, 0, 1, &v), 0);
	assert_int_equal(v.start, BASE + 4 * PAGE);
	assert_string_equal(v.perms, "r--s");
	assert_string_equal(v.kind, "file 5");
	assert_int_equal(machine_task_vma(g.m, 0, 2, &v), -ENOENT);
	srig_end(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A12_3),	      cmocka_unit_test(test_page_flags),
		cmocka_unit_test(test_zeroed),	      cmocka_unit_test(test_vmalloc_flags),
		cmocka_unit_test(test_unmapped_area), cmocka_unit_test(test_brk_and_munmap),
		cmocka_unit_test(test_vma_surgery),   cmocka_unit_test(test_one_fault),
		cmocka_unit_test(test_follow),	      cmocka_unit_test(test_lock_page),
		cmocka_unit_test(test_anon_vmas),     cmocka_unit_test(test_rmap_counts),
		cmocka_unit_test(test_swap_cache),    cmocka_unit_test(test_page_cache),
		cmocka_unit_test(test_drop_caches),   cmocka_unit_test(test_compacting),
		cmocka_unit_test(test_ksm_madvise),   cmocka_unit_test(test_pagemap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
