/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fault counts of spec 07 s9.1: sequences with the minor faults that a 6.18 kernel took
 * (policy=modern) and the 4.0 model takes (hwad=1).
 */
#include "core/vm/gup.h"
#include "tests/machine_boot.h"

#define A    0x20000000ull
#define PAGE 4096ull
#define RW   (MM_PROT_READ | MM_PROT_WRITE)
#define R    MM_ACCESS_READ
#define W    MM_ACCESS_WRITE

static struct machine *m;
static struct vm *vm;
static struct task *t, *child;
static bool modern;

static void boot(void)
{
	m = boot_machine(modern ? "mem=256M policy=modern" : "mem=256M hwad=1");
	vm = &m->vm;
	t = boot_task(m, 1);
	assert_int_equal(vm_define_task(vm, 2, 2, 2), 0);
	child = vm_task(vm, 2);
	/* a file of 64 pages, fully cached, without read-ahead marks */
	assert_int_equal(vm_file(vm, 1, 64 * PAGE, "disk", "F"), 0);
	sys_mmap(vm, t, 0x40000000, 64 * PAGE, MM_PROT_READ, MM_MAP_SHARED | MM_MAP_FIXED, 1, 0, 0);
	for (int i = 0; i < 64; i++)
		mm_access(vm, t, 0x40000000 + (u64)i * PAGE, R);
	sys_munmap(vm, t, 0x40000000, 64 * PAGE);
	for (u64 i = 0; i < 64; i++)
		ClearPageReclaim(filemap_lookup(vm->phys, filemap_find(&vm->files, 1), i));
}

static void end(void)
{
	assert_machine_sound(m);
	machine_destroy(m);
}

static void anon(u64 pages, u32 prot, u32 flags)
{
	sys_mmap(vm, t, A, pages * PAGE, prot, MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED | flags,
		 0, 0, 0);
}

static void file(vaddr_t at, u64 pages, u32 prot, u32 kind, u64 first)
{
	assert_int_equal(
		sys_mmap(vm, t, at, pages * PAGE, prot, kind | MM_MAP_FIXED, 1, first * PAGE, 0),
		at);
}

/* Minor faults of @who for touching @pages pages from @at on. */
static u64 touch(struct task *who, vaddr_t at, u64 pages, unsigned access)
{
	u64 before = who->minflt;

	assert_true(mm_access_range(vm, who, at, pages * PAGE, access) <= RES_MINOR);
	return who->minflt - before;
}

#define EXPECT(what, n) assert_int_equal(what, n)

static void anonymous_rows(void)
{
	boot();
	anon(1, RW, 0);
	EXPECT(touch(t, A, 1, R), 1);
	EXPECT(touch(t, A, 1, W), 1);
	EXPECT(touch(t, A, 1, W), 0);
	anon(1, RW, 0);
	EXPECT(touch(t, A, 1, W), 1);
	anon(8, RW, 0);
	EXPECT(touch(t, A, 8, R), 8);
	sys_madvise(vm, t, A, PAGE, MM_MADV_DONTNEED);
	EXPECT(touch(t, A, 1, R), 1);
	anon(1, RW, 0);
	touch(t, A, 1, W);
	sys_mprotect(vm, t, A, PAGE, MM_PROT_READ);
	sys_mprotect(vm, t, A, PAGE, RW);
	EXPECT(touch(t, A, 1, W), !modern);
	end();
}

static void fork_rows(void)
{
	boot();
	anon(1, RW, 0);
	touch(t, A, 1, W);
	vm_fork(vm, t, child);
	EXPECT(touch(child, A, 1, W), 1);
	EXPECT(touch(child, A, 1, W), 0);
	vm_exit(vm, child);
	EXPECT(touch(t, A, 1, W), 1);
	end();
	boot();
	anon(16, RW, 0);
	touch(t, A, 16, W);
	vm_fork(vm, t, child);
	EXPECT(touch(t, A, 16, W), 16);
	EXPECT(touch(child, A, 16, W), 16);
	EXPECT(machine_counter(m, "cow_copies"), 16);
	EXPECT(machine_counter(m, "cow_reuses"), 16);
	end();
}

static void private_file_rows(void)
{
	boot();
	file(A, 64, MM_PROT_READ, MM_MAP_PRIVATE, 0);
	EXPECT(touch(t, A, 64, R), 4);
	file(A, 61, MM_PROT_READ, MM_MAP_PRIVATE, 3);
	EXPECT(touch(t, A, 61, R), 4);
	sys_munmap(vm, t, A, 61 * PAGE);
	file(A + 3 * PAGE, 61, MM_PROT_READ, MM_MAP_PRIVATE, 3);
	EXPECT(touch(t, A + 3 * PAGE, 61, R), 4);
	sys_munmap(vm, t, A, 64 * PAGE);
	file(A, 16, MM_PROT_READ, MM_MAP_PRIVATE, 0);
	sys_madvise(vm, t, A, 16 * PAGE, MM_MADV_RANDOM);
	EXPECT(touch(t, A, 16, R), 1);
	file(A, 2, RW, MM_MAP_PRIVATE, 0);
	EXPECT(touch(t, A, 1, R), 1);
	EXPECT(touch(t, A, 1, W), 1);
	EXPECT(touch(t, A + PAGE, 1, W), 1);
	file(A, 2, RW, MM_MAP_PRIVATE, 0);
	EXPECT(touch(t, A, 1, W), 1);
	EXPECT(touch(t, A + PAGE, 1, R), 1);
	end();
}

static void shared_file_rows(void)
{
	boot();
	file(A, 2, RW, MM_MAP_SHARED, 0);
	EXPECT(touch(t, A, 1, R), 1);
	EXPECT(touch(t, A, 1, W), 1);
	EXPECT(touch(t, A + PAGE, 1, W), 1);
	end();
}

static void fork_file_rows(void)
{
	boot();
	file(A, 2, MM_PROT_READ, MM_MAP_PRIVATE, 0);
	touch(t, A, 2, R);
	vm_fork(vm, t, child);
	EXPECT(touch(child, A, 2, R), 1); /* page tables not copied; fault-around maps the second */
	end();
	boot();
	file(A, 3, RW, MM_MAP_PRIVATE, 0);
	touch(t, A, 3, R);
	touch(t, A + 2 * PAGE, 1, W); /* an anon_vma: copied */
	vm_fork(vm, t, child);
	EXPECT(touch(child, A, 2, R), 0);
	end();
}

static void populate_rows(void)
{
	u64 before;

	boot();
	anon(8, RW, 0);
	before = t->minflt;
	assert_int_equal(sys_mlock(vm, t, A, 8 * PAGE, 0), 0);
	EXPECT(t->minflt - before, 8);
	EXPECT(touch(t, A, 8, W), 0);
	anon(8, MM_PROT_READ, 0);
	before = t->minflt;
	assert_int_equal(sys_mlock(vm, t, A, 8 * PAGE, 0), 0);
	EXPECT(t->minflt - before, 8);
	before = t->minflt;
	anon(8, RW, MM_MAP_POPULATE);
	EXPECT(t->minflt - before, 8);
	end();
}

static void remote_row(void)
{
	u64 before, tag, word = 0;

	boot();
	file(A, 1, MM_PROT_READ, MM_MAP_PRIVATE, 0);
	tag = hw_frame_tag(
		vm->hw,
		page_to_pfn(vm->phys, filemap_lookup(vm->phys, filemap_find(&vm->files, 1), 0)));
	before = t->minflt;
	assert_int_equal(access_remote_vm(vm, t, A, "EVIL", 4, true), 4);
	EXPECT(t->minflt - before, modern ? 1 : 2);
	assert_int_equal(
		hw_frame_tag(vm->hw,
			     page_to_pfn(vm->phys,
					 filemap_lookup(vm->phys, filemap_find(&vm->files, 1), 0))),
		tag);
	access_remote_vm(vm, t, A, &word, 4, false);
	assert_memory_equal(&word, "EVIL", 4);
	end();
}

static void rows(void)
{
	anonymous_rows();
	fork_rows();
	private_file_rows();
	shared_file_rows();
	fork_file_rows();
	populate_rows();
	remote_row();
}

static void test_table_4_0(void **state)
{
	(void)state;
	modern = false;
	rows();
}

static void test_table_modern(void **state)
{
	(void)state;
	modern = true;
	rows();
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_table_4_0),
					   cmocka_unit_test(test_table_modern)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
