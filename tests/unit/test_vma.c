/* SPDX-License-Identifier: BSD-2-Clause */
/* VMAs: find, merge, split, unmap, break, free addresses (spec 06). Each test runs with both indexes. */
#include "tests/vma_rig.h"

static void test_A06_1(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "") {
		assert_int_equal(map_at(&r, 0x10000000, 1, RW, ANON), 0x10000000);
		assert_int_equal(map_at(&r, 0x10001000, 1, RW, ANON), 0x10001000);
		assert_layout(&r, "10000000-10002000 rw");
		assert_int_equal(r.t->mm->map_count, 1);
		assert_int_equal(machine_counter(r.m, "vma_merges"), 1);
	}
}

static void test_A06_2(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "") {
		run(&r, "m 10000 2 rw; m 14000 2 rw");
		assert_int_equal(r.t->mm->map_count, 2);
		run(&r, "m 12000 2 rw");
		assert_layout(&r, "10000-16000 rw");
		assert_int_equal(r.t->mm->map_count, 1);
	}
}

static void test_A06_3(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "") {
		run(&r, "m 10000 1 r; m 13000 2 rw; m 12000 1 rw");
		assert_layout(&r, "10000-11000 r 12000-15000 rw");
		assert_int_equal(vma_at(&r, 0x12000)->vm_pgoff, 0x12000 >> 12);
	}
}

/* Table 10.1: the eight cases; 4 and 8 also in the variants of 10.3. */
struct merge_case {
	const char *name, *before, *operation, *after, *modern;
	u64 keep; /* the VMA of this address lives on */
};
static const struct merge_case merge_cases[] = {
	{"1 fill a hole", "m 10000 2 rw; m 14000 2 rw", "m 12000 2 rw", "10000-16000 rw", NULL, 0x10000},
	{"2 extend prev", "m 10000 2 rw; m 13000 2 r", "m 12000 1 rw", "10000-13000 rw 13000-15000 r", NULL, 0x10000},
	{"3 extend next down", "m 10000 2 r; m 13000 2 rw", "m 12000 1 rw", "10000-12000 r 12000-15000 rw",
		NULL, 0x13000},
	{"4 border down", "m 10000 6 rw; p 14000 2 r", "p 12000 2 r", "10000-12000 rw 12000-16000 r", NULL, 0x14000},
	{"4 N never writable", "m 10000 4 rw; m 14000 2 r", "p 12000 2 r",
		"10000-12000 rw 12000-14000 r 14000-16000 r",
	 "10000-12000 rw 12000-16000 r", 0x12000},
	{"5 border up", "m 10000 2 rw; m 12000 4 r", "p 12000 1 rw", "10000-13000 rw 13000-16000 r", NULL, 0x10000},
	{"6 all three", "m 10000 2 rw; m 12000 2 r; m 14000 2 rw", "p 12000 2 rw", "10000-16000 rw", NULL, 0x10000},
	{"7 prev swallows", "m 10000 2 rw; m 12000 2 r; m 14000 2 rwx", "p 12000 2 rw",
		"10000-14000 rw 14000-16000 rwx",
	 NULL, 0x10000},
	{"8 area and next", "m 10000 2 rwx; m 12000 2 r; m 14000 2 rw", "p 12000 2 rw",
		"10000-12000 rwx 12000-16000 rw",
	 NULL, 0x12000},
	{"no case", "m 10000 2 rw; m 12000 2 r; m 14000 2 rw", "p 12000 2 rx",
		"10000-12000 rw 12000-14000 rx 14000-16000 rw",
	 NULL, 0x12000},
};

static void test_A06_4(void **state)
{
	struct vma_rig r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(merge_cases); i++) {
		const struct merge_case *c = &merge_cases[i];

		for (int modern = 0; modern < 2; modern++)
			for_each_index(&r, modern ? "policy=modern" : "policy=4.0") {
				const struct vm_area_struct *keep;

				run(&r, c->before);
				keep = vma_at(&r, c->keep);
				assert_int_equal(vma_at(&r, 0x12000) == NULL, c->operation[0] == 'm');
				assert_true(run(&r, c->operation) >= 0);
				assert_layout(&r, modern && c->modern ? c->modern : c->after);
				if (!modern)
					assert_ptr_equal(vma_at(&r, c->keep), keep);
				for_each_vma(r.t->mm, v)
					assert_int_equal(v->vm_pgoff, v->vm_start >> 12);
			}
	}
}

/* Borders move without a change of the count; equal rights merge, different ones do not. */
static void test_A06_4_counts(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "") {
		run(&r, "m 10000 2 rw; m 12000 4 r; p 12000 1 rw");
		assert_int_equal(r.t->mm->map_count, 2);
		run(&r, "p 11000 2 r"); /* V has been writable nowhere above 13000: flags differ in ACCOUNT */
		assert_layout(&r, "10000-11000 rw 11000-13000 r 13000-16000 r");
		run(&r, "p 13000 3 rw; p 11000 2 rw");
		assert_layout(&r, "10000-16000 rw");
	}
}

static void test_A06_5(void **state)
{
	struct vma_rig r;
	struct task *child;

	(void)state;
	for_each_index(&r, "") {
		run(&r, "m 10000 1 rw; m 12000 1 rw; w 10000 1; w 12000 1");
		assert_ptr_not_equal(vma_at(&r, 0x10000)->anon_vma, vma_at(&r, 0x12000)->anon_vma);
		run(&r, "m 11000 1 rw"); /* only the lower one grows */
		assert_layout(&r, "10000-12000 rw 12000-13000 rw");
		run(&r, "m 20000 1 rw; m 22000 1 rw; w 20000 1; m 21000 1 rw");
		assert_layout(&r, "10000-12000 rw 12000-13000 rw 20000-23000 rw");
		run(&r, "m 30000 1 rw; m 32000 1 rw; w 32000 1; m 31000 1 rw");
		assert_layout(&r, "10000-12000 rw 12000-13000 rw 20000-23000 rw 30000-33000 rw");
		child = fork_task(&r, 2);
		assert_int_equal(sys_mmap(r.vm, child, 0x33000, 4096, RW, ANON | MM_MAP_FIXED, 0, 0, 0), 0x33000);
		assert_task_layout(child,
			"10000-12000 rw 12000-13000 rw 20000-23000 rw 30000-33000 rw 33000-34000 rw");
		run(&r, "m 33000 1 rw"); /* the parent's chain is still singular */
		assert_layout(&r, "10000-12000 rw 12000-13000 rw 20000-23000 rw 30000-34000 rw");
	}
}

static void test_A06_6(void **state)
{
	static const struct {
		const char *faults, *after;
	} orders[] = {
		{"w 10000 1; w 11000 1; w 12000 1", "10000-13000 rw"},
		{"w 12000 1; w 10000 1; w 11000 1", "10000-11000 rw 11000-13000 rw"},
		{"w 10000 1; w 12000 1", "10000-12000 rw 12000-13000 rw"},
	};
	struct vma_rig r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
		for_each_index(&r, "") {
			run(&r, "m 10000 3 rw; p 11000 1 rwx");
			assert_int_equal(r.t->mm->map_count, 3);
			run(&r, orders[i].faults);
			if (i < 2)
				assert_ptr_equal(vma_at(&r, 0x11000)->anon_vma, vma_at(&r, i ? 0x12000 :
					0x10000)->anon_vma);
			run(&r, "p 11000 1 rw");
			assert_layout(&r, orders[i].after);
		}
}

static void test_A06_7(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "") {
		run(&r, "m 10000 5 rw; w 10000 5; u 12000 1");
		assert_layout(&r, "10000-12000 rw 13000-15000 rw");
		assert_int_equal(vma_at(&r, 0x13000)->vm_pgoff, 0x13000 >> 12);
		assert_int_equal(r.t->mm->rss[MM_ANONPAGES], 4);
		assert_int_equal(sys_munmap(r.vm, r.t, 0x400000, 0x10000), 0);
		assert_int_equal(sys_munmap(r.vm, r.t, 0x10001, 0x1000), -EINVAL);
		assert_int_equal(sys_munmap(r.vm, r.t, 0x10000, 0), -EINVAL);
		assert_int_equal(sys_munmap(r.vm, r.t, r.vm->task_size + r.page, r.page), -EINVAL);
		assert_int_equal(sys_munmap(r.vm, r.t, 0x10000, r.vm->task_size), -EINVAL);
		assert_layout(&r, "10000-12000 rw 13000-15000 rw");
		run(&r, "u 11000 3"); /* over the hole: the ends of both */
		assert_layout(&r, "10000-11000 rw 14000-15000 rw");
		run(&r, "u 0 4096");
		assert_layout(&r, "");
	}
}

static void test_A06_8(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "max_map_count=10") {
		for (u64 i = 0; i < 9; i++)
			assert_true(map_at(&r, 0x100000 + i * 0x10000, 4, RW, ANON | MM_MAP_FIXED) > 0);
		assert_true(map_at(&r, 0x200000, 4, RW, ANON | MM_MAP_FIXED) > 0);
		assert_int_equal(r.t->mm->map_count, 10);
		assert_int_equal(sys_munmap(r.vm, r.t, 0x201000, 0x1000), -ENOMEM); /* in the middle */
		assert_int_equal(sys_munmap(r.vm, r.t, 0x203000, 0x1000), 0);       /* at the end */
		assert_int_equal(sys_munmap(r.vm, r.t, 0x200000, 0x1000), 0);       /* at the start */
		assert_int_equal(sys_mprotect(r.vm, r.t, 0x100000, 0x1000, MM_PROT_READ), -ENOMEM);
		assert_int_equal(map_at(&r, 0x210000, 1, RW, ANON | MM_MAP_FIXED), 0x210000);
		assert_int_equal(r.t->mm->map_count, 11);
		assert_int_equal(map_at(&r, 0x220000, 1, RW, ANON | MM_MAP_FIXED), -ENOMEM);
		assert_machine_sound(r.m);
	}
}

static void test_A06_9(void **state)
{
	const u64 brk = 0x20000000;
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "data_limit=1M") {
		assert_int_equal(vm_spawn(r.vm, r.t, brk, 0), 0);
		assert_int_equal(sys_brk(r.vm, r.t, 0), brk);
		assert_int_equal(sys_brk(r.vm, r.t, brk + 1), brk + 1);
		assert_layout(&r, "20000000-20001000 rw");
		assert_int_equal(sys_brk(r.vm, r.t, brk + 8193), brk + 8193);
		assert_layout(&r, "20000000-20003000 rw");
		assert_int_equal(sys_brk(r.vm, r.t, brk - 1), brk + 8193);
		/* a mapping exactly at the target blocks, one a page higher does not */
		assert_int_equal(map_at(&r, brk + 0x6000, 1, MM_PROT_READ, ANON | MM_MAP_FIXED), brk + 0x6000);
		assert_int_equal(sys_brk(r.vm, r.t, brk + 0x6000), brk + 8193);
		assert_int_equal(sys_brk(r.vm, r.t, brk + 0x5000), brk + 0x5000);
		assert_int_equal(sys_munmap(r.vm, r.t, brk + 0x6000, 0x1000), 0);
		/* shrinking unmaps whole pages only */
		assert_int_equal(sys_brk(r.vm, r.t, brk + 0x3001), brk + 0x3001);
		assert_layout(&r, "20000000-20004000 rw");
		assert_int_equal(sys_brk(r.vm, r.t, brk + 0x3800), brk + 0x3800);
		assert_layout(&r, "20000000-20004000 rw");
		assert_int_equal(sys_brk(r.vm, r.t, brk + MiB + 1), brk + 0x3800); /* RLIMIT_DATA */
		assert_int_equal(sys_brk(r.vm, r.t, brk + MiB), brk + MiB);
		assert_int_equal(sys_brk(r.vm, r.t, brk), brk);
		assert_layout(&r, "");
	}
}

static void test_A06_10(void **state)
{
	const u64 brk = 0x20000000;
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "") {
		assert_int_equal(vm_spawn(r.vm, r.t, brk, 0), 0);
		assert_int_equal(sys_brk(r.vm, r.t, brk + 0x2000), brk + 0x2000);
		assert_true(vma_at(&r, brk)->vm_flags & VM_ACCOUNT);
		run(&r, "m 20002000 1 rw; m 20003000 1 r");
		assert_layout(&r, "20000000-20003000 rw 20003000-20004000 r");
	}
}

static void test_A06_12(void **state)
{
	struct vma_rig r;
	struct task *child;
	u64 tag;

	(void)state;
	for_each_index(&r, "") {
		run(&r, "s 10000 2 rw; s 12000 2 rw");
		assert_layout(&r, "10000-12000 rw 12000-14000 rw");
		assert_int_equal(mm_write_tag(r.vm, r.t, 0x10000, 4096, 0x77), RES_MINOR);
		child = fork_task(&r, 2);
		assert_int_equal(mm_access(r.vm, child, 0x10000, MM_ACCESS_READ), RES_MINOR);
		assert_true(mm_read_tag(r.vm, child, 0x10000, &tag));
		assert_int_equal(tag, 0x77);
		assert_true(mm_write_tag(r.vm, child, 0x10000, 4096, 0x88) < RES_SIGSEGV);
		assert_true(mm_read_tag(r.vm, r.t, 0x10000, &tag));
		assert_int_equal(tag, 0x88);
	}
}

#define ARM32 "arch=arm32 machine=vexpress "

static void test_A06_13(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, ARM32) {
		assert_int_equal(r.t->mm->mmap_base, 0xb7000000);
		assert_int_equal(map_at(&r, 0, 1, RW, ANON), 0xb6fff000);
		assert_int_equal(map_at(&r, 0, 1, RW, ANON), 0xb6ffe000);
		assert_int_equal(map_at(&r, 0, 1, RW, ANON), 0xb6ffd000);
		assert_layout(&r, "b6ffd000-b7000000 rw");
	}
}

static void test_A06_14(void **state)
{
	static const char *const legacy[] = {ARM32 "legacy_va_layout=1", ARM32 "stack_limit=18446744073709551615"};
	struct vma_rig r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(legacy); i++)
		for_each_index(&r, legacy[i]) {
			assert_int_equal(map_at(&r, 0, 1, RW, ANON), 0x40000000);
			assert_int_equal(map_at(&r, 0, 1, MM_PROT_READ, ANON), 0x40001000);
			run(&r, "u 40000000 1; m 10000 1 r");
			assert_int_equal(map_at(&r, 0, 2, RW, ANON), 0x40002000);
			assert_int_equal(map_at(&r, 0, 1, RW, ANON), 0x40000000); /* the lowest gap that fits */
			assert_int_equal(map_at(&r, 0, (0xbf000000 - 0x40004000) >> 12, MM_PROT_NONE, ANON),
				0x40004000);
			assert_int_equal(map_at(&r, 0, 1, RW, ANON), -ENOMEM);
		}
}

static void test_A06_15(void **state)
{
	struct vma_rig r;
	u64 base;

	(void)state;
	for_each_index(&r, "") {
		base = r.t->mm->mmap_base;
		assert_int_equal(map_at(&r, 0, 10, RW, ANON), base - 10 * 4096);
		assert_int_equal(sys_munmap(r.vm, r.t, base - 5 * 4096, 3 * 4096), 0);
		assert_int_equal(map_at(&r, 0, 4, RW, ANON), base - 14 * 4096);
		assert_int_equal(map_at(&r, 0, 3, RW, ANON), base - 5 * 4096);
		assert_int_equal(r.t->mm->map_count, 1);
	}
}

/* Table 10.1b. */
static void test_address_search_10_1b(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, ARM32) {
		run(&r, "m 20000000 16 rw; m b6ff0000 16 rw; m b6fe0000 8 rw");
		assert_int_equal(map_at(&r, 0, 4, RW, ANON), 0xb6fec000);
		assert_int_equal(map_at(&r, 0, 5, RW, ANON), 0xb6fdb000);
		assert_int_equal(map_at(&r, 0, 4, RW, ANON), 0xb6fe8000);
		assert_int_equal(map_at(&r, 0xb0000123, 2, RW, ANON), 0xb0000000);
		assert_layout(&r, "20000000-20010000 rw b0000000-b0002000 rw b6fdb000-b7000000 rw");
	}
}

/* Top-down fails: the gap that reaches across mmap_base serves, from below. */
static void test_search_falls_back(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, ARM32) {
		assert_int_equal(map_at(&r, 0x1000, (0xb6000000 - 0x1000) >> 12, MM_PROT_NONE, ANON |
			MM_MAP_FIXED), 0x1000);
		assert_int_equal(map_at(&r, 0, 0x1800000 >> 12, RW, ANON), 0xb6000000);
		assert_int_equal(map_at(&r, 0, 0x7800000 >> 12, RW, ANON), 0xb7800000);
		assert_int_equal(map_at(&r, 0, 1, RW, ANON), -ENOMEM);
	}
}

/* Later kernels align anonymous memory of whole huge pages, and keep 256 pages below stacks free. */
static void test_modern_addresses(void **state)
{
	struct vma_rig r;
	u64 base;

	(void)state;
	for_each_index(&r, "policy=modern hwad=1") {
		base = ALIGN_DOWN(r.t->mm->mmap_base, 2 * MiB);
		assert_int_equal(map_at(&r, 0, 1, MM_PROT_READ, ANON), r.t->mm->mmap_base - 4096);
		assert_int_equal(map_at(&r, 0, 512, RW, ANON) & (2 * MiB - 1), 0);
		assert_true(map_at(&r, 0, 513, RW, ANON) & (2 * MiB - 1));
		assert_int_equal(map_at(&r, base - 64 * MiB, 2, RW, ANON | MM_MAP_GROWSDOWN), base - 64 * MiB);
		assert_int_not_equal(map_at(&r, base - 64 * MiB - 255 * 4096, 1, RW, ANON),
			base - 64 * MiB - 255 * 4096);
		assert_int_equal(map_at(&r, base - 64 * MiB - 257 * 4096, 1, RW, ANON), base - 64 * MiB - 257 * 4096);
	}
}

static void test_A06_16(void **state)
{
	struct vm_area_struct *prev, *a, *b;
	struct vma_rig r;
	s64 walks;

	(void)state;
	for_each_index(&r, "") {
		run(&r, "m 10000 2 rw; m 20000 2 r");
		a = vma_at(&r, 0x10000);
		b = vma_at(&r, 0x20000);
		assert_ptr_equal(find_vma(r.vm, r.t, 0x0), a);
		assert_ptr_equal(find_vma(r.vm, r.t, 0x11fff), a);
		assert_ptr_equal(find_vma(r.vm, r.t, 0x12000), b); /* in the hole: the one above */
		assert_null(find_vma(r.vm, r.t, 0x22000));
		assert_null(find_vma_intersection(r.vm, r.t->mm, 0x12000, 0x20000));
		assert_ptr_equal(find_vma_intersection(r.vm, r.t->mm, 0x12000, 0x20001), b);
		assert_ptr_equal(find_vma_prev(r.vm, r.t->mm, 0x20000, &prev), b);
		assert_ptr_equal(prev, a);
		assert_null(find_vma_prev(r.vm, r.t->mm, 0x22000, &prev));
		assert_ptr_equal(prev, b);
		find_vma(r.vm, r.t, 0x10000);
		walks = machine_counter(r.m, "vma_tree_walks");
		assert_ptr_equal(find_vma(r.vm, r.t, 0x10000), a);
		assert_ptr_equal(find_vma(r.vm, r.t, 0x11000), a); /* another slot: all four are searched */
		assert_int_equal(machine_counter(r.m, "vma_tree_walks"), walks);
		run(&r, "u 20000 2");
		walks = machine_counter(r.m, "vma_tree_walks");
		assert_ptr_equal(find_vma(r.vm, r.t, 0x10000), a);
		assert_int_equal(machine_counter(r.m, "vma_tree_walks"), walks + 1);
		/* the sequence number wraps: nothing that was cached before may come back */
		r.t->mm->vmacache_seqnum = r.t->vmacache_seqnum = UINT32_MAX;
		run(&r, "m 30000 1 r; u 30000 1");
		assert_int_equal(r.t->mm->vmacache_seqnum, 0);
		for (unsigned i = 0; i < VMACACHE_SIZE; i++)
			assert_null(r.t->vmacache[i]);
	}
}

static void test_A06_21(void **state)
{
	const u64 top = 0x70000000, limit = 64 * 4096;
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "stack_limit=256K") {
		assert_int_equal(vm_spawn(r.vm, r.t, 0, top), 0);
		assert_layout(&r, "6ffff000-70000000 rw");
		/* its only page is the guard: one more comes below */
		assert_int_equal(mm_access(r.vm, r.t, top - 8, MM_ACCESS_WRITE), RES_MINOR);
		assert_layout(&r, "6fffe000-70000000 rw");
		assert_int_equal(mm_access(r.vm, r.t, top - 3 * 4096, MM_ACCESS_WRITE), RES_MINOR);
		assert_layout(&r, "6fffc000-70000000 rw");
		assert_int_equal(vma_at(&r, top - 8)->vm_pgoff, 0x6fffc);
		assert_int_equal(r.t->mm->stack_vm, 4);
		/* the guard does not count against the limit */
		assert_int_equal(mm_access(r.vm, r.t, top - limit, MM_ACCESS_WRITE), RES_MINOR);
		assert_int_equal(vma_at(&r, top - 8)->vm_start, top - limit - 4096);
		assert_int_equal(mm_access(r.vm, r.t, top - limit - 8, MM_ACCESS_WRITE), RES_SIGSEGV);
		assert_int_equal(mm_access(r.vm, r.t, top - limit - 2 * 4096, MM_ACCESS_WRITE), RES_SIGSEGV);
		assert_machine_sound(r.m);
	}
	for_each_index(&r, "policy=4.12") { /* no guard inside, 256 pages below */
		assert_int_equal(vm_spawn(r.vm, r.t, 0, top), 0);
		assert_int_equal(mm_access(r.vm, r.t, top - 8, MM_ACCESS_WRITE), RES_MINOR);
		assert_layout(&r, "6ffff000-70000000 rw");
		run(&r, "m 6fe00000 1 rw");
		assert_int_equal(mm_access(r.vm, r.t, 0x6ff01000, MM_ACCESS_WRITE), RES_MINOR);
		assert_int_equal(mm_access(r.vm, r.t, 0x6ff00000, MM_ACCESS_WRITE), RES_SIGSEGV);
		assert_layout(&r, "6fe00000-6fe01000 rw 6ff01000-70000000 rw");
	}
}

/* A mapping that touches the stack from below stops it, unless it grows downwards itself. */
static void test_stack_neighbours(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "") {
		assert_int_equal(map_at(&r, 0x50000, 2, RW, ANON | MM_MAP_GROWSDOWN | MM_MAP_FIXED), 0x50000);
		run(&r, "m 4f000 1 rw");
		assert_int_equal(mm_access(r.vm, r.t, 0x50000, MM_ACCESS_WRITE),
			RES_SIGSEGV); /* the guard has no room */
		assert_int_equal(mm_access(r.vm, r.t, 0x51000, MM_ACCESS_WRITE), RES_MINOR);
		run(&r, "u 4f000 1");
		assert_int_equal(mm_access(r.vm, r.t, 0x50000, MM_ACCESS_WRITE), RES_MINOR);
		assert_layout(&r, "4f000-52000 rw");
		run(&r, "m 4c000 1 rw");
		assert_int_equal(mm_access(r.vm, r.t, 0x4d000, MM_ACCESS_WRITE), RES_SIGSEGV);
		assert_int_equal(mm_access(r.vm, r.t, 0x4e000, MM_ACCESS_WRITE), RES_MINOR);
		assert_layout(&r, "4c000-4d000 rw 4d000-52000 rw");
		/* mprotect with GROWSDOWN reaches down to the start of the stack */
		assert_int_equal(sys_mprotect(r.vm, r.t, 0x51000, 4096, MM_PROT_READ | MM_PROT_GROWSDOWN), 0);
		assert_layout(&r, "4c000-4d000 rw 4d000-52000 r");
		assert_int_equal(sys_mprotect(r.vm, r.t, 0x4c000, 4096, MM_PROT_READ | MM_PROT_GROWSDOWN), -EINVAL);
	}
	for_each_index(&r, "") { /* a stack split in two: the lower part may touch */
		assert_int_equal(map_at(&r, 0x50000, 4, RW, ANON | MM_MAP_GROWSDOWN | MM_MAP_FIXED), 0x50000);
		run(&r, "p 52000 2 rwx");
		assert_int_equal(mm_access(r.vm, r.t, 0x52000, MM_ACCESS_WRITE), RES_MINOR);
		assert_layout(&r, "50000-52000 rw 52000-54000 rwx");
	}
}

static void test_mprotect_errors(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "") {
		run(&r, "m 10000 2 rw; m 13000 1 rw");
		assert_int_equal(sys_mprotect(r.vm, r.t, 0x10000, 4096, MM_PROT_GROWSDOWN | MM_PROT_GROWSUP),
			-EINVAL);
		assert_int_equal(sys_mprotect(r.vm, r.t, 0x10001, 4096, MM_PROT_READ), -EINVAL);
		assert_int_equal(sys_mprotect(r.vm, r.t, 0x10000, 0, MM_PROT_READ), 0);
		assert_int_equal(sys_mprotect(r.vm, r.t, 0x10000, (u64)-4096, MM_PROT_READ), -ENOMEM);
		assert_int_equal(sys_mprotect(r.vm, r.t, 0x10000, 4096, 0x40), -EINVAL);
		assert_int_equal(sys_mprotect(r.vm, r.t, 0x12000, 4096, MM_PROT_READ), -ENOMEM);
		/* over a hole: what was before it is done */
		assert_int_equal(sys_mprotect(r.vm, r.t, 0x11000, 0x3000, MM_PROT_READ), -ENOMEM);
		assert_layout(&r, "10000-11000 rw 11000-12000 r 13000-14000 rw");
	}
}

static void test_mremap(void **state)
{
	const u32 move = MM_MREMAP_MAYMOVE, fixed = MM_MREMAP_MAYMOVE | MM_MREMAP_FIXED;
	struct vma_rig r;
	u64 tag;

	(void)state;
	for_each_index(&r, "") {
		struct vm *vm = r.vm;

		run(&r, "m 10000 4 rw; m 18000 1 rw");
		assert_int_equal(mm_write_tag(vm, r.t, 0x11000, 1, 5), RES_MINOR);
		assert_int_equal(sys_mremap(vm, r.t, 0x10000, 0x4000, 0x4000, 8, 0, 0), -EINVAL);
		assert_int_equal(sys_mremap(vm, r.t, 0x10000, 0x4000, 0x4000, MM_MREMAP_FIXED, 0x40000, 0), -EINVAL);
		assert_int_equal(sys_mremap(vm, r.t, 0x10010, 0x4000, 0x4000, 0, 0, 0), -EINVAL);
		assert_int_equal(sys_mremap(vm, r.t, 0x10000, 0x4000, 0, 0, 0, 0), -EINVAL);
		assert_int_equal(sys_mremap(vm, r.t, 0x10000, 0x4000, 0x4000, fixed, 0x12000, 0), -EINVAL);
		assert_int_equal(sys_mremap(vm, r.t, 0x10000, 0x5000, 0x6000, 0, 0, 0), -EFAULT);
		assert_int_equal(sys_mremap(vm, r.t, 0x30000, 0x1000, 0x2000, 0, 0, 0), -EFAULT);
		assert_int_equal(sys_mremap(vm, r.t, 0x10000, 0x4000, 0x3000, 0, 0, 0), 0x10000);
		assert_layout(&r, "10000-13000 rw 18000-19000 rw");
		/* grows in place, and does not merge with what it comes to touch */
		assert_int_equal(sys_mremap(vm, r.t, 0x10000, 0x3000, 0x8000, 0, 0, 0), 0x10000);
		assert_layout(&r, "10000-18000 rw 18000-19000 rw");
		assert_int_equal(sys_mremap(vm, r.t, 0x10000, 0x8000, 0x9000, 0, 0, 0), -ENOMEM);
		assert_int_equal(sys_mremap(vm, r.t, 0x10000, 0x2000, 0x3000, 0, 0, 0), -ENOMEM); /* not its end */
		assert_int_equal(sys_mremap(vm, r.t, 0x10000, 0x8000, 0x9000, fixed, 0x40000, 0), 0x40000);
		assert_layout(&r, "18000-19000 rw 40000-49000 rw");
		assert_true(mm_read_tag(vm, r.t, 0x41000, &tag));
		assert_int_equal(tag, 5);
		assert_int_equal(vma_at(&r, 0x40000)->vm_pgoff, 0x10); /* faulted: numbered from where it was */
		assert_int_equal(vm->committed, 10);
		assert_int_equal(sys_mremap(vm, r.t, 0x18000, 0x1000, 0x2000, fixed, 0x60000, 0), 0x60000);
		assert_int_equal(vma_at(&r, 0x60000)->vm_pgoff, 0x60); /* never faulted */
		assert_int_equal(sys_mremap(vm, r.t, 0x60000, 0x1000, 0x2000, move, 0, 0),
			r.t->mm->mmap_base - 0x2000);
		assert_int_equal(vm->committed, 12);
		assert_machine_sound(r.m);
	}
	for_each_index(&r, "policy=modern hwad=1") {
		run(&r, "m 10000 2 rw; m 14000 1 rw");
		assert_int_equal(sys_mremap(r.vm, r.t, 0x10000, 0x2000, 0x4000, 0, 0, 0), 0x10000);
		assert_layout(&r, "10000-15000 rw");
	}
	for_each_index(&r, "overcommit_memory=2 overcommit_kbytes=64") { /* 16 pages, strictly less */
		run(&r, "m 10000 4 rw");
		assert_int_equal(sys_mremap(r.vm, r.t, 0x10000, 0x4000, 0x10000, move, 0, 0), -EFAULT);
		assert_int_equal(r.vm->committed, 4);
		assert_int_equal(sys_mremap(r.vm, r.t, 0x10000, 0x4000, 0xf000, move, 0, 0), 0x10000);
		assert_int_equal(r.vm->committed, 15);
	}
}

static void test_madvise_ranges(void **state)
{
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "") {
		run(&r, "m 10000 4 rw; m 16000 2 rw; w 10000 4; w 16000 2");
		assert_int_equal(sys_madvise(r.vm, r.t, 0x10001, 4096, MM_MADV_RANDOM), -EINVAL);
		assert_int_equal(sys_madvise(r.vm, r.t, 0x10000, (u64)-1, MM_MADV_RANDOM), -EINVAL);
		assert_int_equal(sys_madvise(r.vm, r.t, 0x10000, 4096, MM_MADV_FREE), -EINVAL); /* 4.5 */
		assert_int_equal(sys_madvise(r.vm, r.t, 0x10000, 0, MM_MADV_RANDOM), 0);
		assert_int_equal(sys_madvise(r.vm, r.t, 0x11000, 0x2000, MM_MADV_RANDOM), 0);
		assert_layout(&r, "10000-11000 rw 11000-13000 rw 13000-14000 rw 16000-18000 rw");
		assert_true(vma_at(&r, 0x11000)->vm_flags & VM_RAND_READ);
		assert_int_equal(sys_madvise(r.vm, r.t, 0x10000, 0x4000, MM_MADV_NORMAL), 0);
		assert_layout(&r, "10000-14000 rw 16000-18000 rw");
		/* over a hole: -ENOMEM, all that is mapped is advised */
		assert_int_equal(sys_madvise(r.vm, r.t, 0x13000, 0x4000, MM_MADV_DONTNEED), -ENOMEM);
		assert_int_equal(r.t->mm->rss[MM_ANONPAGES], 4);
		assert_int_equal(sys_madvise(r.vm, r.t, 0x10000, 0x1000, MM_MADV_DONTDUMP), 0);
		assert_true(vma_at(&r, 0x10000)->vm_flags & VM_DONTDUMP);
		assert_int_equal(sys_madvise(r.vm, r.t, 0x10000, 0x1000, MM_MADV_DODUMP), 0);
		assert_layout(&r, "10000-14000 rw 16000-18000 rw");
		run(&r, "l 10000 1");
		assert_int_equal(sys_madvise(r.vm, r.t, 0x10000, 0x1000, MM_MADV_DONTNEED), -EINVAL);
		run(&r, "s 20000 2 rw");
		assert_int_equal(sys_madvise(r.vm, r.t, 0x20000, 0x1000, MM_MADV_MERGEABLE), 0);
		assert_false(vma_at(&r, 0x20000)->vm_flags & VM_MERGEABLE); /* shared: ignored */
	}
}

/* VMAs beyond 16 TiB of each other, and one that is larger than a region of the B-tree. */
static void test_wide_addresses(void **state)
{
	const u64 T = TiB;
	struct vma_rig r;

	(void)state;
	for_each_index(&r, "overcommit_memory=1") {
		assert_true(map_at(&r, 1 * T, 1, RW, ANON | MM_MAP_FIXED) > 0);
		assert_true(map_at(&r, 15 * T, (2 * T) >> 12, RW, ANON | MM_MAP_FIXED) > 0); /* across 16 TiB */
		assert_true(map_at(&r, 100 * T, (60 * T) >> 12, RW, ANON | MM_MAP_FIXED) > 0);
		assert_layout(&r, "10000000000-10000001000 rw f0000000000-110000000000 rw "
			"640000000000-a00000000000 rw");
		assert_ptr_equal(find_vma(r.vm, r.t, 2 * T), vma_at(&r, 15 * T));
		assert_ptr_equal(find_vma(r.vm, r.t, 16 * T), vma_at(&r, 15 * T));
		assert_ptr_equal(find_vma(r.vm, r.t, 40 * T), vma_at(&r, 100 * T));
		/* ends move from one region to another: grow, split, unmap */
		assert_int_equal(sys_mremap(r.vm, r.t, 15 * T, 2 * T, 30 * T, 0, 0, 0), 15 * T);
		assert_int_equal(sys_munmap(r.vm, r.t, 20 * T, T), 0);
		assert_int_equal(sys_mprotect(r.vm, r.t, 120 * T, T, MM_PROT_READ), 0);
		assert_layout(&r, "10000000000-10000001000 rw f0000000000-140000000000 rw "
			"150000000000-2d0000000000 rw "
				  "640000000000-780000000000 rw 780000000000-790000000000 r "
			"790000000000-a00000000000 rw");
		assert_int_equal(map_at(&r, 20 * T, T >> 12, RW, ANON | MM_MAP_FIXED), 20 * T);
		assert_int_equal(sys_mprotect(r.vm, r.t, 120 * T, T, RW), 0);
		assert_layout(&r, "10000000000-10000001000 rw f0000000000-2d0000000000 rw "
			"640000000000-a00000000000 rw");
		/* gaps beyond what the B-tree files exactly */
		assert_int_equal(map_at(&r, 0, (54 * T) >> 12, MM_PROT_NONE, ANON), r.t->mm->mmap_base - 54 * T);
		assert_int_equal(map_at(&r, 0, (55 * T) >> 12, MM_PROT_NONE, ANON), 45 * T);
		assert_int_equal(map_at(&r, 0, (55 * T) >> 12, MM_PROT_NONE, ANON), -ENOMEM);
		assert_int_equal(map_at(&r, 0, (42 * T) >> 12, MM_PROT_NONE, ANON), -ENOMEM);
		assert_int_equal(map_at(&r, 0, (41 * T) >> 12, MM_PROT_NONE, ANON), r.t->mm->mmap_base - 95 * T);
		assert_int_equal(map_at(&r, 0, (13 * T) >> 12, MM_PROT_NONE, ANON), 2 * T);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A06_1), cmocka_unit_test(test_A06_2), cmocka_unit_test(test_A06_3),
		cmocka_unit_test(test_A06_4), cmocka_unit_test(test_A06_4_counts), cmocka_unit_test(test_A06_5),
		cmocka_unit_test(test_A06_6), cmocka_unit_test(test_A06_7), cmocka_unit_test(test_A06_8),
		cmocka_unit_test(test_A06_9), cmocka_unit_test(test_A06_10), cmocka_unit_test(test_A06_12),
		cmocka_unit_test(test_A06_13), cmocka_unit_test(test_A06_14), cmocka_unit_test(test_A06_15),
		cmocka_unit_test(test_address_search_10_1b), cmocka_unit_test(test_search_falls_back),
		cmocka_unit_test(test_modern_addresses), cmocka_unit_test(test_A06_16), cmocka_unit_test(test_A06_21),
		cmocka_unit_test(test_stack_neighbours), cmocka_unit_test(test_mprotect_errors),
		cmocka_unit_test(test_mremap), cmocka_unit_test(test_madvise_ranges),
		cmocka_unit_test(test_wide_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
