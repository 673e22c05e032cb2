/* SPDX-License-Identifier: BSD-2-Clause */
/* The error table of mmap, 10.2, row by row; and overcommit (spec 06 s7, s7.3). With both indexes. */
#include "core/base/bits.h"
#include "core/vm/mmap.h"
#include "tests/vma_rig.h"

#define ARM32   "arch=arm32 machine=vexpress "
#define PRIVATE MM_MAP_PRIVATE
#define SHARED  MM_MAP_SHARED
#define FIXED   MM_MAP_FIXED
#define R       MM_PROT_READ
#define W       MM_PROT_WRITE
#define X       MM_PROT_EXEC
#define SIZE    0xbf000000ull /* TASK_SIZE of ARM32 */

enum { F_RW = 1, F_WRITE_ONLY, F_READ_ONLY, F_APPEND, F_NOEXEC, F_NOMMAP, F_APPEND_READ };

static const u32 modes[] = {
	[F_RW] = FMODE_READ | FMODE_WRITE, [F_WRITE_ONLY] = FMODE_WRITE, [F_READ_ONLY] = FMODE_READ,
	[F_APPEND] = FMODE_READ | FMODE_WRITE | FMODE_APPEND, [F_NOEXEC] = FMODE_READ | FMODE_NOEXEC,
	[F_NOMMAP] = FMODE_READ | FMODE_NOMMAP, [F_APPEND_READ] = FMODE_READ | FMODE_APPEND,
};

struct row {
	int n;
	const char *settings, *before;
	u64 addr, len;
	u32 prot, flags;
	u64 file, off;
	s64 result; /* 1: any address */
};

#define ROW_ANON(n, settings, before, addr, len, prot, flags, result)                              \
	{n, settings, before, addr, len, prot, (flags) | MM_MAP_ANON, 0, 0, result}

static const struct row rows[] = {
	ROW_ANON(1, "", "", 0, 0, R, PRIVATE, -EINVAL),
	ROW_ANON(2, "", "", 0, SIZE + 4096, R, PRIVATE, -ENOMEM),
	ROW_ANON(2, "", "", 0x10000, SIZE + 4096, R, PRIVATE | FIXED, -ENOMEM),
	ROW_ANON(3, "", "", 0, UINT64_MAX - 100, R, PRIVATE, -ENOMEM),
	{4, "", "", 0, 8192, R, PRIVATE, F_RW, 0xffffffffull << 12, -EOVERFLOW}, /* 2^32 pages */
	{4, "", "", 0, 4096, R, PRIVATE, F_RW, 0xfffffffeull << 12, 1},
	{4, "", "", 0, 4096, R, PRIVATE, F_RW, 1, -EINVAL}, /* unaligned: not even asked */
	ROW_ANON(5, "", "", 0, 4096, R, 0, -EINVAL),
	ROW_ANON(5, "", "", 0, 4096, R, PRIVATE | SHARED, -EINVAL),
	{5, "", "", 0, 4096, R, 0, F_RW, 0, -EINVAL},
	ROW_ANON(5, "", "", 0, SIZE + 4096, R, 0, -ENOMEM), /* the address is looked for first */
	ROW_ANON(6, "", "", 0x10800, 4096, R, PRIVATE | FIXED, -EINVAL),
	ROW_ANON(7, "", "", SIZE - 4096, 8192, R, PRIVATE | FIXED, -ENOMEM),
	{8, "", "", 0, 4096, R, PRIVATE, F_WRITE_ONLY, 0, -EACCES},
	{8, "", "", 0, 4096, W, SHARED, F_WRITE_ONLY, 0, -EACCES},
	{9, "", "", 0, 4096, R | W, SHARED, F_READ_ONLY, 0, -EACCES},
	{9, "", "", 0, 4096, R | W, PRIVATE, F_READ_ONLY, 0, 1},
	{10, "", "", 0, 4096, R | W, SHARED, F_APPEND, 0, -EACCES},
	{10, "", "", 0, 4096, R, SHARED, F_APPEND, 0, -EACCES}, /* whatever the mapping is for */
	{10, "", "", 0, 4096, R, SHARED, F_APPEND_READ, 0, 1},
	{10, "", "", 0, 4096, R | W, PRIVATE, F_APPEND, 0, 1},
	{11, "", "", 0, 4096, R | X, PRIVATE, F_NOEXEC, 0, -EPERM},
	{11, "", "", 0, 4096, R, PRIVATE, F_NOEXEC, 0, 1},
	{12, "", "", 0, 4096, R, PRIVATE, F_NOMMAP, 0, -ENODEV},
	{13, "", "", 0, 4096, R, PRIVATE | MM_MAP_GROWSDOWN, F_RW, 0, -EINVAL},
	ROW_ANON(13, "", "", 0, 4096, R, SHARED | MM_MAP_GROWSDOWN, -EINVAL),
	{14, "", "", 0, 4096, R, PRIVATE, VM_BAD_FILE, 0, -EBADF},
	{14, "", "", 0, 0, R, PRIVATE, VM_BAD_FILE, 0, -EBADF}, /* before anything else is looked at */
	ROW_ANON(15, "memlock_limit=0", "", 0, 4096, R, PRIVATE | MM_MAP_LOCKED, -EPERM),
	ROW_ANON(16, "memlock_limit=8K", "", 0, 3 * 4096, R, PRIVATE | MM_MAP_LOCKED, -EAGAIN),
	ROW_ANON(16, "memlock_limit=8K", "", 0, 2 * 4096, R, PRIVATE | MM_MAP_LOCKED, 1),
	ROW_ANON(17, "as_limit=64K", "m 10000 14 r", 0, 3 * 4096, R, PRIVATE, -ENOMEM),
	ROW_ANON(17, "as_limit=64K", "m 10000 14 r", 0, 2 * 4096, R, PRIVATE, 1),
	ROW_ANON(17, "as_limit=64K", "m 10000 14 r", 0x10000, 16 * 4096, R, PRIVATE | FIXED, 0x10000), /* replaces */
	ROW_ANON(18, "max_map_count=1", "m 10000 1 r; m 20000 1 r", 0, 4096, R, PRIVATE, -ENOMEM),
	ROW_ANON(18, "max_map_count=2", "m 10000 1 r; m 20000 1 r", 0, 4096, R, PRIVATE, 1),
	ROW_ANON(19, "overcommit_memory=2 overcommit_kbytes=64", "", 0, 16 * 4096, R | W, PRIVATE, -ENOMEM),
	ROW_ANON(19, "overcommit_memory=2 overcommit_kbytes=64", "", 0, 15 * 4096, R | W, PRIVATE, 1),
	ROW_ANON(20, "overcommit_memory=2 overcommit_kbytes=64", "", 0, 16 * 4096, R, PRIVATE, 1),
	{20, "overcommit_memory=2 overcommit_kbytes=64", "", 0, 16 * 4096, R | W, SHARED, F_RW, 0, 1},
	ROW_ANON(22, "mmap_min_addr=64K", "", 0x1000, 4096, R, PRIVATE, 0x10000),
	ROW_ANON(22, "mmap_min_addr=64K", "", 0xfff, 4096, R, PRIVATE, 1), /* rounds to no hint at all */
};

static s64 do_row(struct vma_rig *r, const struct row *c)
{
	return sys_mmap(r->vm, r->t, c->addr, c->len, c->prot, c->flags, c->file, c->off, 0);
}

static void open_files(struct vma_rig *r)
{
	for (u64 id = 1; id < ARRAY_SIZE(modes); id++) {
		assert_int_equal(vm_file(r->vm, id, 1 * MiB, "disk", ""), 0);
		assert_int_equal(vm_file_mode(r->vm, id, modes[id]), 0);
	}
}

static void test_A06_11(void **state)
{
	struct vma_rig r;
	char settings[200];

	(void)state;
	assert_true(ARRAY_SIZE(rows) >= 20);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *c = &rows[i];

		snprintf(settings, sizeof(settings), ARM32 "%s", c->settings);
		for_each_index(&r, settings) {
			u32 maps;
			s64 got;

			open_files(&r);
			run(&r, c->before);
			maps = r.t->mm->map_count;
			got = do_row(&r, c);
			if (c->result == 1 ? got <= 0 : got != c->result)
				fail_msg("row %d (line %zu): %lld, expected %lld", c->n, i, (long long)got,
					 (long long)c->result);
			if (got < 0)
				assert_int_equal(r.t->mm->map_count, maps);
			assert_machine_sound(r.m);
		}
	}
}

static u64 charged(struct vma_rig *r, u32 prot, u32 flags)
{
	u64 before = r->vm->committed;

	assert_true(map_at(r, 0, 5, prot, flags) > 0);
	return r->vm->committed - before;
}

static void test_A06_11_row_21(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "overcommit_memory=0") {
		assert_int_equal(charged(&r, RW, ANON), 5);
		assert_int_equal(charged(&r, RW, ANON | MM_MAP_NORESERVE), 0);
		assert_int_equal(charged(&r, R, ANON), 0);
		assert_int_equal(charged(&r, RW, SHARED | MM_MAP_ANON), 5); /* the object, not the mapping */
		assert_int_equal(charged(&r, RW, SHARED | MM_MAP_ANON | MM_MAP_NORESERVE), 0);
	}
	for_each_index(&r, "overcommit_memory=2")
		assert_int_equal(charged(&r, RW, ANON | MM_MAP_NORESERVE), 5);
}

static void test_A06_11_row_23(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "overcommit_memory=2 overcommit_kbytes=64") {
		run(&r, "m 10000 4 r; m 18000 4 r");
		assert_int_equal(map_at(&r, 0x12000, 8, R, ANON | FIXED), 0x12000); /* merges with both rests */
		assert_layout(&r, "10000-1c000 r");
		assert_int_equal(map_at(&r, 0x12000, 16, RW, ANON | FIXED), -ENOMEM);
		assert_layout(&r, "10000-12000 r"); /* gone, although nothing came */
	}
}

/* The mode's rights reach later mprotect calls. */
static void test_file_modes_and_mprotect(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "") {
		open_files(&r);
		assert_int_equal(sys_mmap(r.vm, r.t, 0x10000, 4096, R, SHARED | FIXED, F_READ_ONLY, 0, 0), 0x10000);
		assert_int_equal(vma_at(&r, 0x10000)->vm_flags & (VM_SHARED | VM_MAYSHARE | VM_MAYWRITE),
			VM_MAYSHARE);
		assert_int_equal(sys_mprotect(r.vm, r.t, 0x10000, 4096, RW), -EACCES);
		assert_int_equal(sys_mmap(r.vm, r.t, 0x20000, 4096, R, PRIVATE | FIXED, F_NOEXEC, 0, 0), 0x20000);
		assert_int_equal(sys_mprotect(r.vm, r.t, 0x20000, 4096, R | X), -EACCES);
		assert_int_equal(sys_mprotect(r.vm, r.t, 0x20000, 4096, RW), 0);
	}
}

static u64 pages_of(const struct vma_rig *r, u64 kbytes)
{
	return kbytes >> (r->vm->page_shift - 10);
}

static s64 mode0_free(const struct vma_rig *r)
{
	const struct phys *p = r->vm->phys;

	return global_page_state(p, NR_FREE_PAGES) + global_page_state(p, NR_FILE_PAGES) - global_page_state(p,
		NR_SHMEM) +
	       (s64)r->vm->swap.nr_swap_pages + global_page_state(p,
		NR_SLAB_RECLAIMABLE) - (s64)p->totalreserve_pages;
}

/* Formulas of s7.3, to the page. */
static void test_overcommit_modes(void **state)
{
	struct vma_rig r;
	struct vm *vm;
	u64 limit, admin;
	s64 free;

	(void)state;
	for_each_index(&r, "overcommit_memory=0 swap=16M") {
		vm = r.vm;
		free = mode0_free(&r);
		assert_int_equal(vm_enough_memory(vm, r.t->mm, (u64)free), -ENOMEM);
		assert_int_equal(vm_enough_memory(vm, r.t->mm, (u64)free - 1), 0);
		assert_int_equal(vm->committed, free - 1);
		vm->committed = 0;
	}
	for_each_index(&r, "overcommit_memory=0 cap_sys_admin=0") {
		vm = r.vm;
		admin = pages_of(&r, vm->admin_reserve_kbytes);
		assert_true(vm->admin_reserve_kbytes > 0 && vm->admin_reserve_kbytes <= 8192);
		free = mode0_free(&r) - (s64)admin;
		assert_int_equal(vm_enough_memory(vm, r.t->mm, (u64)free), -ENOMEM);
		assert_int_equal(vm_enough_memory(vm, r.t->mm, (u64)free - 1), 0);
		vm->committed = 0;
	}
	for_each_index(&r, "overcommit_memory=1")
		assert_true(map_at(&r, 0, 1ull << 30, RW, ANON) > 0);
	for_each_index(&r,
		"overcommit_memory=2 cap_sys_admin=0 swap=16M overcommit_ratio=30 admin_reserve_kbytes=1024 "
			   "user_reserve_kbytes=512") {
		vm = r.vm;
		run(&r, "m 10000000 8192 r"); /* total_vm / 32 = 256 pages; the reserve caps it at 128 */
		limit = vm->phys->totalram_pages * 30 / 100 + vm->swap.total_swap_pages - pages_of(&r, 1024) -
			mm_min(r.t->mm->total_vm / 32, pages_of(&r, 512));
		assert_int_equal(vm_enough_memory(vm, r.t->mm, limit), -ENOMEM); /* strictly below */
		assert_int_equal(vm_enough_memory(vm, r.t->mm, limit - 1), 0);
		vm->committed = 0;
	}
	for_each_index(&r, "policy=modern hwad=1 swap=16M") { /* refuses only what can never be had */
		vm = r.vm;
		limit = vm->phys->totalram_pages + vm->swap.total_swap_pages;
		assert_int_equal(vm_enough_memory(vm, r.t->mm, limit + 1), -ENOMEM);
		assert_int_equal(vm_enough_memory(vm, r.t->mm, limit), 0);
		vm->committed = 0;
	}
}

static void test_sysctls(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "") {
		assert_int_equal(vm_sysctl(r.vm, "overcommit_memory", "3"), -EINVAL);
		assert_int_equal(vm_sysctl(r.vm, "overcommit_memory", "2"), 0);
		assert_int_equal(vm_sysctl(r.vm, "overcommit_kbytes", "64"), 0);
		assert_int_equal(map_at(&r, 0, 16, RW, ANON), -ENOMEM);
		assert_int_equal(vm_sysctl(r.vm, "legacy_va_layout", "1"), 0);
		assert_int_equal(vm_spawn(r.vm, r.t, 0, 0), 0);
		assert_int_equal(map_at(&r, 0, 1, R, ANON), r.vm->phys->kpgd.layout.unmapped_base);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A06_11), cmocka_unit_test(test_A06_11_row_21),
		cmocka_unit_test(test_A06_11_row_23), cmocka_unit_test(test_file_modes_and_mprotect),
		cmocka_unit_test(test_overcommit_modes), cmocka_unit_test(test_sysctls),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
