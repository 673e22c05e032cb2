/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults by kind, page counts and locks, MADV_DONTNEED (spec 07 s1 to s6, s9). */
#include <errno.h>

#include "core/base/prng.h"
#include "core/hw/clock.h"
#include "core/phys/page_alloc.h"
#include "core/vm/fault.h"
#include "core/vm/gup.h"
#include "core/vm/page_lock.h"
#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"
#include "tests/machine_boot.h"

#define A    0x20000000ull /* aligned to a fault-around window of 16 pages, and to a table */
#define PAGE 4096ull
#define RW   (MM_PROT_READ | MM_PROT_WRITE)

struct rig {
	struct machine *m;
	struct vm *vm;
	struct task *t, *child;
};

static struct rig boot(const char *settings)
{
	struct rig r = {.m = boot_machine(settings)};

	r.vm = &r.m->vm;
	r.t = boot_task(r.m, 1);
	assert_int_equal(vm_define_task(r.vm, 2, 2, 2), 0);
	r.child = vm_task(r.vm, 2);
	return r;
}

static void end(struct rig *r)
{
	assert_machine_sound(r->m);
	machine_destroy(r->m);
}

static void map_anon(struct rig *r, vaddr_t at, u64 pages, u32 prot)
{
	assert_int_equal(sys_mmap(r->vm, r->t, at, pages * PAGE, prot,
				  MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED, 0, 0, 0),
			 at);
}

static void map_file(struct rig *r, vaddr_t at, u64 pages, u32 prot, u32 flags, u64 off)
{
	assert_int_equal(sys_mmap(r->vm, r->t, at, pages * PAGE, prot, flags | MM_MAP_FIXED, 1,
				  off * PAGE, 0),
			 at);
}

static struct vm_file *the_file(struct rig *r)
{
	return filemap_find(&r->vm->files, 1);
}

static struct page *file_page(struct rig *r, u64 index)
{
	return filemap_lookup(r->vm->phys, the_file(r), index);
}

/* File 1 of @pages pages, all cached, none mapped; the LRU drained. */
static void cached_file(struct rig *r, u64 pages)
{
	assert_int_equal(vm_file(r->vm, 1, pages * PAGE, "disk", "F"), 0);
	map_file(r, 0x30000000, pages, MM_PROT_READ, MM_MAP_SHARED, 0);
	mm_access_range(r->vm, r->t, 0x30000000, pages * PAGE, MM_ACCESS_READ);
	assert_int_equal(sys_munmap(r->vm, r->t, 0x30000000, pages * PAGE), 0);
	lru_add_drain_all(&r->vm->lru);
	for (u64 i = 0; i < pages; i++) {
		assert_non_null(file_page(r, i));
		ClearPageReclaim(
			file_page(r, i)); /* read-ahead's mark, which fault-around respects */
	}
	r->t->minflt = r->t->majflt = 0;
}

static enum mm_op_res touch(struct rig *r, struct task *t, vaddr_t va, unsigned access)
{
	return mm_access(r->vm, t, va, access);
}

/* Minor faults that an access took. */
static u64 faults(struct rig *r, struct task *t, vaddr_t va, unsigned access)
{
	u64 before = t->minflt;

	assert_true(touch(r, t, va, access) <= RES_MINOR);
	return t->minflt - before;
}

static pte_t pte_at(struct rig *r, struct task *t, vaddr_t va)
{
	pt_slot *slot = pte_lookup(r->vm, t->mm, va);

	return slot ? get_pte(r->vm, slot, 0) : (pte_t){0};
}

static struct page *page_at(struct rig *r, struct task *t, vaddr_t va)
{
	pte_t p = pte_at(r, t, va);

	return pte_present(p) ? vm_normal_page(r->vm, p) : NULL;
}

static u64 free_now(struct rig *r)
{
	drain_all_pages(r->vm->phys);
	return (u64)global_page_state(r->vm->phys, NR_FREE_PAGES);
}

static void assert_counts(const struct page *p, s32 count, s32 mapcount)
{
	assert_int_equal(page_count(p), count);
	assert_int_equal(page_mapcount(p), mapcount);
}

/* ---- anonymous ---- */

static void test_A07_1(void **state)
{
	struct rig r = boot("mem=256M hwad=1");
	u64 before;

	(void)state;
	map_anon(&r, A, 4, RW);
	touch(&r, r.t, A + PAGE, MM_ACCESS_READ); /* the tables are there from here on */
	before = free_now(&r);
	assert_int_equal(faults(&r, r.t, A, MM_ACCESS_READ), 1);
	assert_int_equal(free_now(&r), before);
	assert_int_equal(pte_pa(pte_at(&r, r.t, A)) >> 12, r.vm->zero_pfn);
	assert_int_equal(r.t->mm->rss[MM_ANONPAGES], 0);
	assert_int_equal(faults(&r, r.t, A, MM_ACCESS_WRITE), 1);
	/* the frame, an anon_vma and an AVC, whose slabs are a page each */
	assert_int_equal(r.t->mm->rss[MM_ANONPAGES], 1);
	assert_true(free_now(&r) >= before - 3 && free_now(&r) < before);
	assert_int_equal(faults(&r, r.t, A, MM_ACCESS_WRITE), 0);
	end(&r);
}

static void test_A07_2(void **state)
{
	static const char *const machines[] = {"mem=256M",
					       "arch=arm32 machine=vexpress mem=256M data=bytes",
					       "mem=256M policy=modern"};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct rig r = boot(machines[i]);
		struct page *p;

		map_anon(&r, A, 1, RW);
		assert_int_equal(faults(&r, r.t, A, MM_ACCESS_WRITE), 1);
		p = page_at(&r, r.t, A);
		assert_int_equal(hw_frame_tag(r.vm->hw, page_to_pfn(r.vm->phys, p)), 0);
		assert_counts(p, 2, 1);
		lru_add_drain_all(&r.vm->lru);
		assert_counts(p, 1, 1);
		assert_true(PageLRU(p) && PageSwapBacked(p));
		assert_int_equal(PageActive(p), i != 2); /* since 5.9 on the inactive list */
		assert_true(pte_dirty(pte_at(&r, r.t, A)) && pte_young(pte_at(&r, r.t, A)));
		end(&r);
	}
}

static void test_A07_3(void **state)
{
	struct rig r = boot("arch=arm32 machine=vexpress mem=256M hwad=0");

	(void)state;
	map_anon(&r, A, 1, RW);
	assert_int_equal(faults(&r, r.t, A, MM_ACCESS_WRITE), 1);
	assert_int_equal(faults(&r, r.t, A, MM_ACCESS_WRITE), 0);
	assert_int_equal(faults(&r, r.t, A, MM_ACCESS_READ), 0);
	cached_file(&r, 1);
	map_file(&r, A + PAGE, 1, RW, MM_MAP_SHARED, 0);
	assert_int_equal(faults(&r, r.t, A + PAGE, MM_ACCESS_READ), 1);
	assert_int_equal(faults(&r, r.t, A + PAGE, MM_ACCESS_WRITE), 1);
	assert_int_equal(faults(&r, r.t, A + PAGE, MM_ACCESS_WRITE), 0);
	assert_true(PageDirty(file_page(&r, 0)));
	end(&r);
}

static void test_A07_12(void **state)
{
	struct rig r = boot("mem=256M");

	(void)state;
	map_anon(&r, A, 1, RW);
	touch(&r, r.t, A, MM_ACCESS_READ);
	assert_int_equal(r.t->mm->rss[MM_ANONPAGES], 0);
	assert_int_equal(faults(&r, r.t, A, MM_ACCESS_WRITE), 1);
	assert_int_equal(r.t->mm->rss[MM_ANONPAGES], 1);
	assert_non_null(page_at(&r, r.t, A));
	end(&r);
}

/* ---- files ---- */

static void test_A07_4(void **state)
{
	struct rig r = boot("mem=256M");

	(void)state;
	cached_file(&r, 32);
	map_file(&r, A, 16, MM_PROT_READ, MM_MAP_PRIVATE, 0);
	assert_int_equal(faults(&r, r.t, A + 5 * PAGE, MM_ACCESS_READ), 1);
	assert_int_equal(r.t->mm->rss[MM_FILEPAGES], 16);
	for (u64 i = 0; i < 16; i++) {
		assert_int_equal(page_mapcount(file_page(&r, i)), 1);
		assert_int_equal(faults(&r, r.t, A + i * PAGE, MM_ACCESS_READ), 0);
	}
	map_file(&r, A + 0x100000 + 3 * PAGE, 16, MM_PROT_READ, MM_MAP_PRIVATE, 16);
	assert_int_equal(faults(&r, r.t, A + 0x100000 + 3 * PAGE, MM_ACCESS_READ), 1);
	assert_int_equal(r.t->mm->rss[MM_FILEPAGES],
			 16 + 13); /* from its own start to the window's end */
	assert_int_equal(page_mapcount(file_page(&r, 16 + 12)), 1);
	assert_int_equal(page_mapcount(file_page(&r, 16 + 13)), 0);
	end(&r);

	r = boot("mem=256M fault_around_bytes=4096");
	cached_file(&r, 16);
	map_file(&r, A, 16, MM_PROT_READ, MM_MAP_PRIVATE, 0);
	for (u64 i = 0; i < 16; i++)
		assert_int_equal(faults(&r, r.t, A + i * PAGE, MM_ACCESS_READ), 1);
	end(&r);
}

static void test_A07_5(void **state)
{
	struct rig r = boot("mem=256M");

	(void)state;
	cached_file(&r, 16);
	map_file(&r, A, 16, MM_PROT_READ, MM_MAP_PRIVATE, 0);
	assert_true(trylock_page(file_page(&r, 1)));
	ClearPageUptodate(file_page(&r, 2));
	SetPageReclaim(file_page(&r, 3));
	assert_int_equal(faults(&r, r.t, A, MM_ACCESS_READ), 1);
	for (u64 i = 0; i < 16; i++)
		assert_int_equal(page_mapcount(file_page(&r, i)), i < 1 || i > 3);
	unlock_page(file_page(&r, 1));
	SetPageUptodate(file_page(&r, 2));
	ClearPageReclaim(file_page(&r, 3));
	end(&r);
}

static void test_A07_6(void **state)
{
	struct rig r = boot("mem=256M");

	(void)state;
	assert_int_equal(vm_file(r.vm, 1, 64 * PAGE, "disk", "F"), 0);
	map_file(&r, A, 64, MM_PROT_READ, MM_MAP_PRIVATE, 0);
	assert_int_equal(touch(&r, r.t, A, MM_ACCESS_READ), RES_MAJOR);
	assert_int_equal(machine_counter(r.m, "pgmajfault"), 1);
	assert_int_equal(r.t->majflt, 1);
	assert_int_equal(r.t->minflt, 0);
	end(&r);
}

static void test_A07_7(void **state)
{
	struct rig r = boot("mem=256M");
	u64 orig, tag;

	(void)state;
	cached_file(&r, 1);
	orig = hw_frame_tag(r.vm->hw, page_to_pfn(r.vm->phys, file_page(&r, 0)));
	map_file(&r, A, 1, RW, MM_MAP_PRIVATE, 0);
	assert_int_equal(faults(&r, r.t, A, MM_ACCESS_WRITE), 1);
	assert_int_equal(page_mapcount(file_page(&r, 0)), 0);
	assert_true(PageAnon(page_at(&r, r.t, A)));
	assert_true(mm_read_tag(r.vm, r.t, A, &tag));
	assert_int_equal(tag, orig);
	mm_write_tag(r.vm, r.t, A, 1, 99);
	assert_int_equal(hw_frame_tag(r.vm->hw, page_to_pfn(r.vm->phys, file_page(&r, 0))), orig);
	assert_int_equal(r.t->mm->rss[MM_ANONPAGES], 1);
	assert_int_equal(r.t->mm->rss[MM_FILEPAGES], 0);
	end(&r);
}

static void test_A07_8(void **state)
{
	struct rig r = boot("mem=256M");
	u64 tag;

	(void)state;
	cached_file(&r, 1);
	map_file(&r, A, 1, RW, MM_MAP_SHARED, 0);
	assert_int_equal(vm_fork(r.vm, r.t, r.child), 0);
	mm_write_tag(r.vm, r.t, A, 1, 99);
	assert_true(PageDirty(file_page(&r, 0)));
	assert_int_equal(machine_counter(r.m, "nr_dirty"), 1);
	assert_int_equal(faults(&r, r.child, A, MM_ACCESS_READ), 1);
	assert_true(mm_read_tag(r.vm, r.child, A, &tag));
	assert_int_equal(tag, 99);
	assert_int_equal(page_mapcount(file_page(&r, 0)), 2);
	end(&r);
}

static void test_A07_9(void **state)
{
	struct rig r = boot("mem=256M data=bytes");
	u8 last[16], zero[16] = {0};

	(void)state;
	assert_int_equal(vm_file(r.vm, 1, PAGE + 100, "disk", "F"), 0);
	map_file(&r, A, 4, RW, MM_MAP_SHARED, 0);
	assert_int_equal(touch(&r, r.t, A + PAGE, MM_ACCESS_READ), RES_MAJOR);
	assert_int_equal(touch(&r, r.t, A + 2 * PAGE, MM_ACCESS_READ), RES_SIGBUS);
	assert_int_equal(r.t->signo, 7);
	assert_int_equal(r.t->si_code, 2); /* BUS_ADRERR */
	assert_int_equal(touch(&r, r.t, A + 3 * PAGE, MM_ACCESS_WRITE), RES_SIGBUS);
	assert_int_equal(access_remote_vm(r.vm, r.t, A + PAGE + 100, last, 16, false), 16);
	assert_memory_equal(last, zero, 16);
	end(&r);
}

/* ---- copy on write ---- */

static void test_A07_10(void **state)
{
	struct rig r = boot("mem=256M");
	struct page *p;
	s64 copies, reuses;

	(void)state;
	map_anon(&r, A, 1, RW);
	mm_write_tag(r.vm, r.t, A, 1, 5);
	p = page_at(&r, r.t, A);
	assert_int_equal(vm_fork(r.vm, r.t, r.child), 0);
	assert_int_equal(page_mapcount(p), 2);
	mm_write_tag(r.vm, r.child, A, 1, 6);
	assert_ptr_not_equal(page_at(&r, r.child, A), p);
	assert_int_equal(page_mapcount(p), 1);
	copies = machine_counter(r.m, "cow_copies");
	reuses = machine_counter(r.m, "cow_reuses");
	assert_int_equal(faults(&r, r.t, A, MM_ACCESS_WRITE), 1);
	assert_ptr_equal(page_at(&r, r.t, A), p);
	assert_int_equal(machine_counter(r.m, "cow_copies"), copies);
	assert_int_equal(machine_counter(r.m, "cow_reuses"), reuses + 1);
	end(&r);
}

static void test_A07_11(void **state)
{
	(void)state;
	for (int first = 0; first < 2; first++) {
		struct rig r = boot("mem=256M");
		struct task *order[2] = {r.t, r.child};

		map_anon(&r, A, 1, RW);
		touch(&r, r.t, A, MM_ACCESS_WRITE);
		assert_int_equal(vm_fork(r.vm, r.t, r.child), 0);
		touch(&r, order[first], A, MM_ACCESS_WRITE);
		touch(&r, order[!first], A, MM_ACCESS_WRITE);
		assert_int_equal(machine_counter(r.m, "cow_copies"), 1);
		assert_int_equal(machine_counter(r.m, "cow_reuses"), 1);
		end(&r);
	}
}

/* An extra pin: 4.0 reuses by mapcount, later kernels copy what was shared once and has a user
 * more. */
static void test_pin_and_reuse(void **state)
{
	(void)state;
	for (int modern = 0; modern < 2; modern++) {
		struct rig r = boot(modern ? "mem=256M policy=modern" : "mem=256M hwad=1");
		struct page *p;

		map_anon(&r, A, 1, RW);
		touch(&r, r.t, A, MM_ACCESS_WRITE);
		lru_add_drain_all(&r.vm->lru);
		assert_int_equal(vm_fork(r.vm, r.t, r.child), 0);
		assert_int_equal(get_user_pages(r.vm, NULL, r.t->mm, A, 1, 0, &p), 1);
		vm_exit(r.vm, r.child);
		touch(&r, r.t, A, MM_ACCESS_WRITE);
		assert_int_equal(page_at(&r, r.t, A) == p, !modern);
		gup_put_page(r.vm, p);
		end(&r);
	}
}

/* ---- signals ---- */

static void expect_signal(struct rig *r, vaddr_t va, unsigned access, u8 code)
{
	r->t->signo = 0;
	assert_int_equal(touch(r, r->t, va, access), RES_SIGSEGV);
	assert_int_equal(r->t->signo, 11);
	assert_int_equal(r->t->si_code, code);
}

static void test_A07_13(void **state)
{
	static const char *const machines[] = {"mem=256M", "mem=256M hwad=1",
					       "arch=arm32 machine=vexpress mem=256M",
					       "arch=arm32 machine=vexpress mem=256M lpae=1"};
	enum { MAPERR = 1, ACCERR = 2 };

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct rig r = boot(machines[i]);

		map_anon(&r, A, 1, MM_PROT_NONE);
		map_anon(&r, A + 2 * PAGE, 1, MM_PROT_READ);
		expect_signal(&r, A, MM_ACCESS_READ, ACCERR);
		expect_signal(&r, A, MM_ACCESS_WRITE, ACCERR);
		expect_signal(&r, A + PAGE, MM_ACCESS_READ, MAPERR);
		expect_signal(&r, 0x1000, MM_ACCESS_WRITE, MAPERR);
		expect_signal(&r, A + 2 * PAGE, MM_ACCESS_WRITE, ACCERR);
		touch(&r, r.t, A + 2 * PAGE, MM_ACCESS_READ);
		expect_signal(&r, A + 2 * PAGE, MM_ACCESS_WRITE, ACCERR);
		expect_signal(&r, A + 2 * PAGE, MM_ACCESS_EXEC, ACCERR);
		expect_signal(&r, r.vm->task_size + 0x1000, MM_ACCESS_READ, MAPERR);
		end(&r);
	}
}

/* Statuses that the short way skips decode to what it assumes; the others end in a signal. */
static void test_status_words(void **state)
{
	static const char *const machines[] = {"mem=256M", "arch=arm32 machine=vexpress mem=256M",
					       "arch=arm32 machine=vexpress mem=256M lpae=1"};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct rig r = boot(machines[i]);
		enum pt_geom g = r.vm->geom;

		for (unsigned access = 0; access < 3; access++) {
			for (int s = PT_F_TRANSLATION; s <= PT_F_PERMISSION; s++) {
				struct pt_result res = {.status = (u8)s,
							.level = g == PT_ARM_SHORT ? 2 : 3};
				struct pt_fault_info f;

				if (s == PT_F_ADDRSIZE || s == PT_F_DOMAIN ||
				    (g == PT_ARM_SHORT && s == PT_F_ACCESSFLAG))
					continue;
				f = pt_fault_decode(
					g, pt_fault_code(g, &res, (enum pt_access)access, true), A,
					r.vm->task_size, true);
				assert_int_equal(f.path, PT_PATH_PAGE);
				assert_int_equal(f.write, access == MM_ACCESS_WRITE);
				assert_int_equal(f.fetch, access == MM_ACCESS_EXEC);
			}
		}
		map_anon(&r, A, 1, RW);
		assert_int_equal(do_page_fault(r.vm, r.t, A,
					       g == PT_A64_4K_48  ? 0x24u << 26 | 0x21
					       : g == PT_ARM_LPAE ? 0x221
								  : 1,
					       NULL),
				 VM_FAULT_SIGBUS);
		assert_int_equal(r.t->signo, 7);
		assert_int_equal(r.t->si_code, 1); /* BUS_ADRALN */
		end(&r);
	}
}

/* ---- counts and locks ---- */

static void test_A07_14(void **state)
{
	struct rig r = boot("mem=256M page_cluster=0");
	struct page *p;

	(void)state;
	map_anon(&r, A, 1, RW);
	touch(&r, r.t, A, MM_ACCESS_WRITE);
	p = page_at(&r, r.t, A);
	assert_counts(p, 2, 1);
	lru_add_drain_all(&r.vm->lru);
	assert_counts(p, 1, 1);
	assert_int_equal(vm_fork(r.vm, r.t, r.child), 0);
	assert_counts(p, 2, 2);
	vm_exit(r.vm, r.child);
	assert_counts(p, 1, 1);

	assert_int_equal(vm_file(r.vm, 1, PAGE, "disk", "F"), 0);
	map_file(&r, A + PAGE, 1, MM_PROT_READ, MM_MAP_SHARED, 0);
	touch(&r, r.t, A + PAGE, MM_ACCESS_READ);
	p = file_page(&r, 0);
	assert_counts(p, 3, 1); /* mapping, cache, batch */
	lru_add_drain_all(&r.vm->lru);
	assert_counts(p, 2, 1);
	assert_int_equal(vm_fork(r.vm, r.t, r.child), 0);
	touch(&r, r.child, A + PAGE, MM_ACCESS_READ);
	assert_counts(p, 3, 2);
	vm_exit(r.vm, r.child);
	sys_madvise(r.vm, r.t, A + PAGE, PAGE, MM_MADV_DONTNEED);
	assert_counts(p, 1, 0);
	assert_machine_sound(r.m);
	end(&r);
}

/* A daemon that unlocks a page when its time comes, and looks at mmap_sem then. */
struct unlocker {
	struct page *p;
	struct mm_struct *mm;
	s32 sem;
};

static u64 unlock_step(void *self, u64 budget)
{
	struct unlocker *u = self;

	(void)budget;
	if (u->p && PageLocked(u->p)) {
		u->sem = u->mm->mmap_sem;
		unlock_page(u->p);
	}
	return 0;
}

static void test_A07_17(void **state)
{
	(void)state;
	for (int modern = 0; modern < 2; modern++) {
		struct rig r = boot(modern ? "mem=256M policy=modern" : "mem=256M");
		struct unlocker u = {.mm = r.t->mm, .sem = -9};
		s64 before;

		cached_file(&r, 1);
		map_file(&r, A, 1, MM_PROT_READ, MM_MAP_SHARED, 0);
		u.p = file_page(&r, 0);
		assert_true(trylock_page(u.p));
		assert_true(clock_add_daemon(r.vm->hw, unlock_step, &u, r.vm->hw->now + 100000,
					     0) >= 0);
		before = machine_counter(r.m, "pgfault");
		touch(&r, r.t, A, MM_ACCESS_READ);
		assert_int_equal(u.sem, 0); /* nobody held it while we slept */
		assert_ptr_equal(page_at(&r, r.t, A), u.p);
		assert_false(PageLocked(u.p));
		assert_int_equal(machine_counter(r.m, "pgfault"), before + (modern ? 1 : 2));
		assert_int_equal(r.t->minflt + r.t->majflt, 1);
		assert_int_equal(r.t->majflt,
				 modern); /* what had to be tried again was no minor matter */
		assert_int_equal(r.t->mm->mmap_sem, 0);
		end(&r);
	}
}

/* The other two ways: NOWAIT keeps mmap_sem and fails; without ALLOW_RETRY the lock is waited for.
 */
static void test_lock_page_or_retry(void **state)
{
	struct rig r = boot("mem=256M");
	struct unlocker u = {.mm = r.t->mm};
	struct vm_fault vmf = {.vm = r.vm, .mm = r.t->mm};
	struct page *got;

	(void)state;
	cached_file(&r, 1);
	map_file(&r, A, 1, MM_PROT_READ, MM_MAP_SHARED, 0);
	u.p = file_page(&r, 0);
	assert_true(trylock_page(u.p));
	assert_false(trylock_page(u.p));
	vmf.flags = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_RETRY_NOWAIT;
	mmap_read_lock(r.vm, vmf.mm);
	assert_false(lock_page_or_retry(&vmf, u.p));
	assert_int_equal(vmf.mm->mmap_sem, 1);
	mmap_read_unlock(r.vm, vmf.mm);
	assert_int_equal(get_user_pages(r.vm, r.t, r.t->mm, A, 1, FOLL_NOWAIT, &got), -EBUSY);
	clock_add_daemon(r.vm->hw, unlock_step, &u, r.vm->hw->now + 100000, 0);
	vmf.flags = 0;
	assert_true(lock_page_or_retry(&vmf, u.p));
	assert_true(PageLocked(u.p));
	unlock_page(u.p);
	end(&r);
}

/* ---- no memory ---- */

/* Takes all free pages of the machine into a chain of order-0 blocks, then gives some back. */
static u64 hoard(struct rig *r, struct page **pages, u64 max)
{
	u64 n = 0;

	while (n < max &&
	       (pages[n] = alloc_page(r->vm->phys, 0, GFP_ATOMIC | MM_GFP_HIGHMEM | MM_GFP_NOWARN)))
		n++;
	return n;
}

static void test_A07_18(void **state)
{
	static struct page *pages[20000];

	(void)state;
	for (u64 left = 0; left < 8; left++) {
		struct rig r = boot("mem=32M min_free_kbytes=0 ideal=1 threads=manual");
		u64 n, tables, root = r.t->mm->nr_tables;
		vm_fault_t f;

		map_anon(&r, A, 1, RW);
		r.vm->phys->on_pressure = NULL; /* nobody to help */
		n = hoard(&r, pages, ARRAY_SIZE(pages));
		for (u64 i = 0; i < left; i++)
			free_page_page(r.vm->phys, 0, pages[--n]);
		f = do_user_fault(r.vm, r.t, A, MM_ACCESS_WRITE, NULL);
		tables = r.t->mm->nr_tables;
		if (f) {
			assert_int_equal(f, VM_FAULT_OOM);
			assert_null(page_at(&r, r.t, A));
			assert_int_equal(r.t->mm->rss[MM_ANONPAGES], 0);
			/* what was taken is in the tables that exist now, or free */
			assert_true(tables >= root && tables <= root + left);
		} else {
			assert_non_null(page_at(&r, r.t, A));
		}
		assert_int_equal(f != 0,
				 left < 6); /* three tables, page; slabs of anon_vma and AVC */
		for (u64 i = 0; i < n; i++)
			free_page_page(r.vm->phys, 0, pages[i]);
		assert_int_equal(do_user_fault(r.vm, r.t, A, MM_ACCESS_WRITE, NULL), 0);
		end(&r);
	}
}

/* ---- MADV_DONTNEED ---- */

static void test_A07_23(void **state)
{
	struct rig r = boot("mem=256M");
	u64 before, orig, tag;

	(void)state;
	map_anon(&r, A, 8, RW);
	touch(&r, r.t, A, MM_ACCESS_WRITE); /* tables, anon_vma */
	sys_madvise(r.vm, r.t, A, PAGE, MM_MADV_DONTNEED);
	lru_add_drain_all(&r.vm->lru);
	before = free_now(&r);
	mm_write_tag(r.vm, r.t, A, 8 * PAGE, 7);
	lru_add_drain_all(&r.vm->lru);
	assert_int_equal(r.t->mm->rss[MM_ANONPAGES], 8);
	assert_int_equal(free_now(&r), before - 8);
	assert_int_equal(sys_madvise(r.vm, r.t, A, 8 * PAGE, MM_MADV_DONTNEED), 0);
	assert_int_equal(r.t->mm->rss[MM_ANONPAGES], 0);
	assert_int_equal(free_now(&r), before);
	touch(&r, r.t, A, MM_ACCESS_READ);
	assert_true(mm_read_tag(r.vm, r.t, A, &tag));
	assert_int_equal(tag, 0);

	cached_file(&r, 1);
	orig = hw_frame_tag(r.vm->hw, page_to_pfn(r.vm->phys, file_page(&r, 0)));
	map_file(&r, A, 1, RW, MM_MAP_PRIVATE, 0);
	mm_write_tag(r.vm, r.t, A, 1, 9);
	sys_madvise(r.vm, r.t, A, PAGE, MM_MADV_DONTNEED);
	touch(&r, r.t, A, MM_ACCESS_READ);
	assert_true(mm_read_tag(r.vm, r.t, A, &tag));
	assert_int_equal(tag, orig);

	assert_int_equal(sys_mlock(r.vm, r.t, A, PAGE, 0), 0);
	assert_int_equal(sys_madvise(r.vm, r.t, A, PAGE, MM_MADV_DONTNEED), -EINVAL);
	end(&r);
}

/* ---- contents of many processes ---- */

#define STORM_TASKS 4
#define STORM_PAGES 64

struct storm {
	struct rig r;
	struct prng rng;
	bool alive[STORM_TASKS];
	bool mapped[STORM_TASKS][STORM_PAGES], writable[STORM_TASKS][STORM_PAGES];
	u64 want[STORM_TASKS][STORM_PAGES];
	u64 next;
};

static u32 pick(struct storm *s, u32 n)
{
	return (u32)prng_below(&s->rng, n);
}

static struct task *storm_task(struct storm *s, u32 i)
{
	return vm_task(s->r.vm, i + 1);
}

static void storm_access(struct storm *s, u32 i)
{
	u32 page = pick(s, STORM_PAGES);
	vaddr_t va = A + page * PAGE;
	u64 tag;

	if (pick(s, 2)) {
		enum mm_op_res res = mm_access(s->r.vm, storm_task(s, i), va, MM_ACCESS_WRITE);

		assert_int_equal(res == RES_SIGSEGV, !s->mapped[i][page] || !s->writable[i][page]);
		if (res == RES_SIGSEGV)
			return;
		mm_write_tag(s->r.vm, storm_task(s, i), va, 1, ++s->next);
		s->want[i][page] = s->next;
		return;
	}
	assert_int_equal(mm_access(s->r.vm, storm_task(s, i), va, MM_ACCESS_READ) == RES_SIGSEGV,
			 !s->mapped[i][page]);
	if (!s->mapped[i][page])
		return;
	assert_true(mm_read_tag(s->r.vm, storm_task(s, i), va, &tag));
	assert_int_equal(tag, s->want[i][page]);
}

/* Remaps, protects, unmaps or gives back a few pages. */
static void storm_change(struct storm *s, u32 i)
{
	struct task *t = storm_task(s, i);
	u32 first = pick(s, STORM_PAGES), n = 1 + pick(s, 8), what = pick(s, 4);
	vaddr_t va = A + first * PAGE;

	if (first + n > STORM_PAGES)
		n = STORM_PAGES - first;
	for (u32 k = first; what == 1 && k < first + n; k++)
		if (!s->mapped[i][k])
			return; /* mprotect of holes fails half-way: not this test's matter */
	if (what == 0)
		sys_munmap(s->r.vm, t, va, n * PAGE);
	else if (what == 1)
		sys_mprotect(s->r.vm, t, va, n * PAGE, s->next & 1 ? RW : MM_PROT_READ);
	else if (what == 2)
		sys_madvise(s->r.vm, t, va, n * PAGE, MM_MADV_DONTNEED);
	else
		sys_mmap(s->r.vm, t, va, n * PAGE, RW, MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED,
			 0, 0, 0);
	for (u32 k = first; k < first + n; k++) {
		if (what == 0 || what == 3)
			s->mapped[i][k] = s->writable[i][k] = what == 3;
		else if (what == 1)
			s->writable[i][k] = s->next & 1;
		if (what != 1)
			s->want[i][k] = 0;
	}
}

static void storm_fork(struct storm *s, u32 i)
{
	u32 child = pick(s, STORM_TASKS);

	if (child == i)
		return;
	assert_int_equal(vm_fork(s->r.vm, storm_task(s, i), storm_task(s, child)), 0);
	s->alive[child] = true;
	memcpy(s->mapped[child], s->mapped[i], sizeof(s->mapped[i]));
	memcpy(s->writable[child], s->writable[i], sizeof(s->writable[i]));
	memcpy(s->want[child], s->want[i], sizeof(s->want[i]));
}

static void storm(const char *settings, u64 seed, u32 steps)
{
	struct storm s = {.r = boot(settings)};

	prng_seed(&s.rng, seed);
	for (u32 i = 2; i < STORM_TASKS; i++)
		assert_int_equal(vm_define_task(s.r.vm, i + 1, i + 1, i + 1), 0);
	s.alive[0] = true;
	map_anon(&s.r, A, STORM_PAGES, RW);
	memset(s.mapped[0], 1, sizeof(s.mapped[0]));
	memset(s.writable[0], 1, sizeof(s.writable[0]));
	for (u32 n = 0; n < steps; n++) {
		u32 i = pick(&s, STORM_TASKS), what = pick(&s, 200);

		if (!s.alive[i])
			continue;
		if (what == 0)
			storm_fork(&s, i);
		else if (what < 6)
			storm_change(&s, i);
		else
			storm_access(&s, i);
		if (n % (steps / 20) == 0)
			assert_machine_sound(s.r.m);
	}
	for (u32 i = 0; i < STORM_TASKS; i++)
		if (s.alive[i])
			vm_exit(s.r.vm, storm_task(&s, i));
	assert_int_equal(machine_counter(s.r.m, "nr_anon_pages"), 0);
	end(&s.r);
}

static void test_A07_24(void **state)
{
	u64 seed = test_seed(724);

	(void)state;
	storm("mem=64M data=bytes", seed, 100000);
	storm("mem=64M hwad=1", seed + 1, 100000);
	storm("arch=arm32 machine=vexpress mem=64M tlb=64", seed + 2, 50000);
	storm("mem=64M policy=modern data=bytes", seed + 3, 50000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A07_1),
		cmocka_unit_test(test_A07_2),
		cmocka_unit_test(test_A07_3),
		cmocka_unit_test(test_A07_4),
		cmocka_unit_test(test_A07_5),
		cmocka_unit_test(test_A07_6),
		cmocka_unit_test(test_A07_7),
		cmocka_unit_test(test_A07_8),
		cmocka_unit_test(test_A07_9),
		cmocka_unit_test(test_A07_10),
		cmocka_unit_test(test_A07_11),
		cmocka_unit_test(test_A07_12),
		cmocka_unit_test(test_A07_13),
		cmocka_unit_test(test_A07_14),
		cmocka_unit_test(test_A07_17),
		cmocka_unit_test(test_A07_18),
		cmocka_unit_test(test_A07_23),
		cmocka_unit_test(test_A07_24),
		cmocka_unit_test(test_pin_and_reuse),
		cmocka_unit_test(test_status_words),
		cmocka_unit_test(test_lock_page_or_retry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
