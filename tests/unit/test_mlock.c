/* SPDX-License-Identifier: BSD-2-Clause */
/* Locked memory: VMAs, pages, counters, limits (spec 06 s8). Each test runs with both indexes. */
#include "core/vm/pgtable.h"
#include "tests/vma_rig.h"

#define PAGES(n) ((n) * 4096ull)

static s64 count(struct vma_rig *r, const char *name)
{
	vm_lru_drain_all(r->vm);
	return machine_counter(r->m, name);
}

static struct page *page_at(struct vma_rig *r, struct task *t, u64 addr)
{
	pt_slot *slot = pte_lookup(r->vm, t->mm, addr);

	assert_non_null(slot);
	return vm_normal_page(r->vm, get_pte(r->vm, slot, 0));
}

static void test_A06_17(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "") {
		run(&r, "m 10000 10 rw; w 10000 10");
		assert_int_equal(count(&r, "nr_active_anon"), 10);
		run(&r, "l 13000 3");
		assert_layout(&r, "10000-13000 rw 13000-16000 rwL 16000-1a000 rw");
		assert_int_equal(r.t->mm->locked_vm, 3);
		assert_int_equal(count(&r, "nr_mlock"), 3);
		assert_int_equal(count(&r, "nr_unevictable"), 3);
		assert_int_equal(count(&r, "nr_active_anon"), 7);
		assert_int_equal(count(&r, "unevictable_pgs_mlocked"), 3);
		assert_int_equal(count(&r, "unevictable_pgs_culled"), 3);
		assert_true(PageMlocked(page_at(&r, r.t, 0x13000)) && PageUnevictable(page_at(&r, r.t, 0x13000)));
		run(&r, "n 13000 3");
		assert_layout(&r, "10000-1a000 rw");
		assert_int_equal(r.t->mm->locked_vm, 0);
		assert_int_equal(count(&r, "nr_mlock"), 0);
		assert_int_equal(count(&r, "nr_unevictable"), 0);
		assert_int_equal(count(&r, "nr_active_anon") + count(&r, "nr_inactive_anon"), 10);
		assert_int_equal(count(&r, "unevictable_pgs_munlocked"), 3);
		assert_int_equal(count(&r, "unevictable_pgs_rescued"), 3);
		assert_false(PageMlocked(page_at(&r, r.t, 0x13000)) || PageUnevictable(page_at(&r, r.t, 0x13000)));
	}
}

static s64 map_file(struct vma_rig *r, u64 addr, u64 pages, u32 prot, u32 flags)
{
	return sys_mmap(r->vm, r->t, addr, PAGES(pages), prot, flags | MM_MAP_FIXED, 7, 0, 0);
}

static void test_A06_18(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "") {
		assert_int_equal(vm_file(r.vm, 7, PAGES(8), "disk", ""), 0);
		assert_int_equal(map_file(&r, 0x10000, 4, MM_PROT_READ, MM_MAP_PRIVATE), 0x10000);
		run(&r, "l 10000 4");
		assert_int_equal(r.t->mm->rss[MM_FILEPAGES], 4);
		assert_int_equal(r.t->mm->rss[MM_ANONPAGES], 0);
		assert_int_equal(count(&r, "nr_mlock"), 4);
		assert_int_equal(map_file(&r, 0x20000, 4, RW, MM_MAP_PRIVATE), 0x20000);
		run(&r, "l 20000 4");
		assert_int_equal(r.t->mm->rss[MM_ANONPAGES], 4);
		assert_false(PageAnon(page_at(&r, r.t, 0x10000)));
		assert_true(PageAnon(page_at(&r, r.t, 0x20000)));
		/* shared and writable: only read, since nothing would be copied */
		assert_int_equal(map_file(&r, 0x30000, 4, RW, MM_MAP_SHARED), 0x30000);
		run(&r, "l 30000 4");
		assert_int_equal(r.t->mm->rss[MM_FILEPAGES], 8);
		assert_int_equal(count(&r, "nr_mlock"), 8);
		/* no page of the zero page's kind stays in a locked writable area */
		run(&r, "m 40000 1 rw; t 40000 1; l 40000 1");
		assert_true(PageMlocked(page_at(&r, r.t, 0x40000)));
	}
}

static void test_A06_19(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "memlock_limit=32K") { /* 8 pages */
		run(&r, "m 10000 2 rw; m 13000 2 rw");
		assert_int_equal(sys_mlock(r.vm, r.t, 0x10000, PAGES(5), 0), -ENOMEM);
		assert_layout(&r, "10000-12000 rwL 13000-15000 rw");
		assert_int_equal(r.t->mm->locked_vm, 2);
		assert_int_equal(sys_mlock(r.vm, r.t, 0x12000, PAGES(1), 0), -ENOMEM); /* starts in the hole */
		run(&r, "m 20000 8 rw; w 20000 8");
		assert_int_equal(sys_mlock(r.vm, r.t, 0x20000, PAGES(7), 0), -ENOMEM); /* over the limit */
		assert_int_equal(sys_mlock(r.vm, r.t, 0x20000, PAGES(6), 0), 0);
		assert_int_equal(map_at(&r, 0x30000, 1, RW, ANON | MM_MAP_LOCKED), -EAGAIN);
		assert_int_equal(sys_mlockall(r.vm, r.t, MM_MCL_CURRENT), -ENOMEM); /* 12 pages mapped */
		assert_int_equal(sys_mlockall(r.vm, r.t, 0), -EINVAL);
		assert_int_equal(sys_mlockall(r.vm, r.t, 64), -EINVAL);
		/* lengths count from the page that holds the start */
		run(&r, "n 10000 2; n 20000 6");
		assert_int_equal(sys_mlock(r.vm, r.t, 0x10fff, 2, 0), 0);
		assert_layout(&r, "10000-12000 rwL 13000-15000 rw 20000-28000 rw");
		assert_int_equal(sys_munlock(r.vm, r.t, 0x10000, PAGES(3)), -ENOMEM);
		assert_layout(&r, "10000-12000 rw 13000-15000 rw 20000-28000 rw");
	}
	for_each_index(&r, "memlock_limit=0") {
		run(&r, "m 10000 2 rw");
		assert_int_equal(sys_mlock(r.vm, r.t, 0x10000, PAGES(1), 0), -EPERM);
		assert_int_equal(sys_mlockall(r.vm, r.t, MM_MCL_CURRENT), -EPERM);
		assert_int_equal(map_at(&r, 0x30000, 1, RW, ANON | MM_MAP_LOCKED), -EPERM);
		assert_int_equal(sys_munlock(r.vm, r.t, 0x10000, PAGES(1)), 0);
	}
}

static void test_A06_20(void **state)
{
	struct vma_rig r;
	struct task *child;
	struct page *p;

	(void)state;
	for_each_index(&r, "") {
		run(&r, "m 10000 2 rw; l 10000 2");
		p = page_at(&r, r.t, 0x10000);
		child = fork_task(&r, 2);
		assert_task_layout(child, "10000-12000 rw");
		assert_int_equal(child->mm->locked_vm, 0);
		assert_int_equal(child->mm->def_flags, 0);
		assert_int_equal(page_mapcount(p), 2);
		assert_true(PageMlocked(p) && PageUnevictable(p));
		assert_int_equal(count(&r, "nr_mlock"), 2);
		run(&r, "u 10000 1");
		assert_int_equal(page_mapcount(p), 1);
		assert_false(PageMlocked(p) || PageUnevictable(p));
		assert_int_equal(count(&r, "nr_mlock"), 1);
		assert_int_equal(count(&r, "nr_unevictable"), 1);
		/* with the child's lock the other page stays when the parent unlocks */
		p = page_at(&r, r.t, 0x11000);
		vma_set_flags(r.vm, vma_index_find(r.vm, child->mm, 0x11000),
			      vma_index_find(r.vm, child->mm, 0x11000)->vm_flags | VM_LOCKED);
		run(&r, "n 11000 1");
		assert_true(PageMlocked(p) && PageUnevictable(p));
		assert_int_equal(count(&r, "nr_mlock"), 1);
		vm_exit(r.vm, child);
		assert_int_equal(count(&r, "nr_mlock"), 0);
	}
}

static void test_mlockall_future(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "") {
		assert_int_equal(vm_spawn(r.vm, r.t, 0x20000000, 0), 0);
		run(&r, "m 10000 2 rw");
		assert_int_equal(sys_mlockall(r.vm, r.t, MM_MCL_FUTURE), 0);
		run(&r, "m 12000 2 rw");
		assert_layout(&r, "10000-12000 rw 12000-14000 rwL");
		assert_int_equal(r.t->mm->rss[MM_ANONPAGES], 2);
		assert_int_equal(sys_brk(r.vm, r.t, 0x20002000), 0x20002000);
		assert_int_equal(r.t->mm->rss[MM_ANONPAGES], 4);
		assert_int_equal(sys_mlockall(r.vm, r.t, MM_MCL_CURRENT), 0);
		assert_layout(&r, "10000-14000 rwL 20000000-20002000 rwL");
		assert_int_equal(count(&r, "nr_mlock"), 6);
		run(&r, "m 30000 1 rw"); /* CURRENT alone has ended FUTURE */
		assert_int_equal(sys_munlockall(r.vm, r.t), 0);
		assert_layout(&r, "10000-14000 rw 30000-31000 rw 20000000-20002000 rw");
		assert_int_equal(count(&r, "nr_mlock"), 0);
		assert_int_equal(count(&r, "unevictable_pgs_munlocked"), 6);
	}
}

/* What cannot be had is locked all the same; a fault puts its page where it belongs; growth is populated. */
static void test_populate(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "") {
		run(&r, "m 10000 4 -");
		assert_int_equal(sys_mlock(r.vm, r.t, 0x10000, PAGES(4), 0), -ENOMEM); /* no rights: nothing to have */
		assert_layout(&r, "10000-14000 -L");
		run(&r, "p 10000 4 rw");
		assert_int_equal(mm_access(r.vm, r.t, 0x10000, MM_ACCESS_WRITE), RES_MINOR);
		assert_true(PageMlocked(page_at(&r, r.t, 0x10000)));
		assert_int_equal(count(&r, "unevictable_pgs_culled"), 0); /* it went there at once */
		assert_int_equal(sys_mremap(r.vm, r.t, 0x10000, PAGES(4), PAGES(6), 0, 0, 0), 0x10000);
		assert_int_equal(r.t->mm->rss[MM_ANONPAGES], 3); /* what it grew by */
		assert_int_equal(r.t->mm->locked_vm, 6);
		assert_int_equal(map_at(&r, 0x30000, 3, RW, ANON | MM_MAP_POPULATE), 0x30000);
		assert_int_equal(map_at(&r, 0x40000, 3, RW, ANON | MM_MAP_POPULATE | MM_MAP_NONBLOCK), 0x40000);
		assert_int_equal(map_at(&r, 0x50000, 3, RW, ANON | MM_MAP_LOCKED), 0x50000);
		assert_int_equal(r.t->mm->rss[MM_ANONPAGES], 9);
		assert_int_equal(count(&r, "nr_mlock"), 6);
		run(&r, "u 10000 6");
		assert_int_equal(count(&r, "nr_mlock"), 3);
	}
}

/* Truncation takes the last mapping of a mlocked page away. */
static void test_truncated_pages_are_cleared(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "") {
		assert_int_equal(vm_file(r.vm, 7, PAGES(8), "disk", ""), 0);
		assert_int_equal(map_file(&r, 0x10000, 8, MM_PROT_READ, MM_MAP_SHARED), 0x10000);
		run(&r, "l 10000 8");
		assert_int_equal(count(&r, "nr_mlock"), 8);
		assert_int_equal(vm_ftruncate(r.vm, 7, PAGES(3)), 0);
		assert_int_equal(count(&r, "nr_mlock"), 3);
		assert_int_equal(count(&r, "unevictable_pgs_cleared"), 5);
		assert_machine_sound(r.m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A06_17), cmocka_unit_test(test_A06_18), cmocka_unit_test(test_A06_19),
		cmocka_unit_test(test_A06_20), cmocka_unit_test(test_mlockall_future), cmocka_unit_test(test_populate),
		cmocka_unit_test(test_truncated_pages_are_cleared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
