/* SPDX-License-Identifier: BSD-2-Clause */
/* Spec 02 s3, s4.3, s5 to s7: what the kernel maps, where it puts things, and whose tables are whose. */
#include <errno.h>

#include "arch/linear.h"
#include "core/base/bits.h"
#include "core/vm/kernel_access.h"
#include "core/vm/pgtable.h"
#include "core/vm/vmalloc.h"
#include "tests/arch_tables.h"
#include "tests/machine_boot.h"

#define VEXPRESS "arch=arm32 machine=vexpress "
#define PHYS     0x60000000ull
#define RAM_1G   "mem=1G "

static const u32 *l1_of(struct machine *m)
{
	return pt_mem_at(&m->vm.mem, m->phys.kpgd.space.root);
}

static unsigned sections(const u32 *l1, u32 from, u32 to, u32 *tables)
{
	unsigned n = 0;

	*tables = 0;
	for (u32 i = from; i < to; i++) {
		n += (l1[i] & 3) == 2;
		*tables += (l1[i] & 3) == 1;
	}
	return n;
}

static void test_A02_7(void **state)
{
	struct machine *m = boot_machine(VEXPRESS RAM_1G);
	const u32 *l1 = l1_of(m);
	u32 tables;

	(void)state;
	assert_int_equal(m->phys.kpgd.space.root, PHYS + 0x4000);
	assert_int_equal(sections(l1, 0xc00, 0xef8, &tables), 760);
	assert_int_equal(tables, 0);
	for (u32 i = 0; i < 760; i++)
		assert_int_equal(l1[0xc00 + i], (PHYS + i * MiB) | (i < 11 ? ARM_SECT_RWX : ARM_SECT_RW));
	assert_int_equal(sections(l1, 0, 0xc00, &tables) + sections(l1, 0xef8, 0x1000, &tables), 0);
	machine_destroy(m);

	m = boot_machine(VEXPRESS "mem=511M"); /* lowmem ends at an odd MiB: half a pair */
	l1 = l1_of(m);
	assert_int_equal(sections(l1, 0xc00, 0x1000, &tables), 511);
	assert_int_equal(l1[0xdfe], (PHYS + 510 * MiB) | ARM_SECT_RW);
	assert_int_equal(l1[0xdff], 0);
	machine_destroy(m);
}

static void test_A02_8(void **state)
{
	for (unsigned odd = 0; odd < 2; odd++) { /* the half MiB is the first of its pair, or the second */
		char set[64];
		struct machine *m;
		const u32 *l1, *pte, *hw;
		u64 mib = 254 + odd;
		u32 tables, mapped = 0;
		const u32 first = odd ? 256 : 0;

		(void)state;
		snprintf(set, sizeof(set), VEXPRESS "mem=%lluK", (unsigned long long)(mib * 1024 + 512));
		m = boot_machine(set);
		l1 = l1_of(m);
		assert_int_equal(sections(l1, 0xc00, 0xc00 + (u32)ALIGN_DOWN(mib, 2), &tables), ALIGN_DOWN(mib, 2));
		assert_int_equal(tables, 0);
		assert_int_equal(sections(l1, 0xc00 + (u32)ALIGN_DOWN(mib, 2), 0xd10, &tables), 0);
		assert_int_equal(tables, 2); /* one PTE page: both words of the pair */
		assert_int_equal(l1[0xc00 + mib] & 0x3ff, 0x11);
		pte = pt_mem_at(&m->vm.mem, (l1[0xc00 + ALIGN_DOWN(mib, 2)] & ~0x3ffu) - ARM_HWTABLE_OFF);
		hw = pte + ARM_HWTABLE_OFF / 4;
		for (u32 i = 0; i < 512; i++)
			mapped += pte[i] != 0;
		assert_int_equal(mapped, 128 + first);
		for (u32 i = 0; i < 128; i++) {
			u32 pa = (u32)(PHYS + mib * MiB + i * 4096);

			assert_int_equal(pte[first + i], pa | 0x65f);
			assert_int_equal(hw[first + i], pa | 0x45f);
		}
		assert_int_equal(pte[first + 128] | hw[first + 128], 0);
		assert_machine_sound(m);
		machine_destroy(m);
	}
}

/* A kernel entry made after a user's top table: 0x05, one copy, and from then on no fault. */
static void test_A02_9(void **state)
{
	static const char *const machines[] = {VEXPRESS RAM_1G, VEXPRESS RAM_1G "lpae=1", VEXPRESS "mem=2G split=2g",
					       VEXPRESS "mem=300M split=1g lpae=1"};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(machines); i++) {
		struct machine *m = boot_machine(machines[i]);
		struct vm *vm = &m->vm;
		bool narrow = vm->geom == PT_ARM_SHORT;
		struct mm_struct *mm = boot_task(m, 1)->mm, *later;
		struct kernel_access a;
		struct vmalloc v;
		vaddr_t va;

		assert_int_equal(vmalloc_init(&v, &m->kmem), 0);
		/* lowmem is there from the start */
		a = vm_kernel_access(vm, mm, vm->phys->kpgd.layout.page_offset + 64 * MiB, PT_ACCESS_WRITE, false);
		assert_int_equal(a.fsr, 0);
		assert_int_equal(a.walk.pa, vm->phys->kpgd.linear_base + 64 * MiB);
		va = vmalloc(&v, 0, 8192);
		a = vm_kernel_access(vm, mm, va + 4096, PT_ACCESS_WRITE, false);
		assert_int_equal(a.result, 0);
		if (narrow)
			assert_int_equal(a.fsr, 0x805); /* section translation, write */
		assert_int_equal(a.copies, narrow || a.fsr);
		a = vm_kernel_access(vm, mm, va, PT_ACCESS_READ, false);
		assert_int_equal(a.fsr | a.copies, 0);
		assert_ptr_equal(pt_mem_at(&vm->mem, a.walk.pa), vmalloc_ptr(&v, va));
		/* user mode never; an address without a kernel entry not either */
		assert_int_equal(vm_kernel_access(vm, mm, va, PT_ACCESS_READ, true).result, -EFAULT);
		a = vm_kernel_access(vm, mm, va + 64 * MiB, PT_ACCESS_READ, false);
		assert_int_equal(a.result, -EFAULT);
		assert_int_equal(a.copies, 0);
		/* who comes later has the entry already */
		later = boot_task(m, 2)->mm;
		assert_int_equal(vm_kernel_access(vm, later, va, PT_ACCESS_READ, false).copies, 0);
		vmalloc_destroy(&v);
		assert_machine_sound(m);
		machine_destroy(m);
	}
}

/* The modules' window shares a top entry with user space under long descriptors: copied one level down. */
static void test_lazy_copy_of_a_middle_entry(void **state)
{
	struct machine *m = boot_machine(VEXPRESS RAM_1G "lpae=1");
	struct mm_struct *mm = boot_task(m, 1)->mm;
	struct kernel_pgd *k = &m->phys.kpgd;
	struct kernel_access a;
	vaddr_t va = k->layout.at[LAYOUT_MODULES].start;

	(void)state;
	assert_int_equal(mm->nr_pmds, 1);
	assert_int_equal(pt_create_mapping(&k->space, &k->layout, va, PHYS + 16 * MiB, 4096, PT_MAP_RWX), 0);
	a = vm_kernel_access(&m->vm, mm, va, PT_ACCESS_EXEC, false);
	assert_int_equal(a.result, 0);
	assert_int_equal(a.copies, 1);
	assert_int_equal(a.fsr & 0x3f, 0x06); /* translation, level 2 */
	assert_int_equal(a.walk.pa, PHYS + 16 * MiB);
	assert_int_equal(vm_kernel_access(&m->vm, mm, va, PT_ACCESS_READ, false).copies, 0);
	assert_machine_sound(m);
	vm_exit(&m->vm, vm_task(&m->vm, 1)); /* the kernel's table is not freed with the user's */
	assert_int_equal(pt_find_slot(&k->space, va) != NULL, 1);
	assert_machine_sound(m);
	machine_destroy(m);
}

/* A tree of the kernel's half with its layout. */
static void kernel_tree(struct tables *t, struct layout *l, enum pt_geom geom)
{
	tables_init(t, geom, 16 * MiB);
	layout_init(l, geom, 0xc0000000, geom >= PT_A64_4K_39 ? 0 : 0xef800000, true);
}

static void walk_kernel(struct tables *t, vaddr_t va, struct pt_result *r)
{
	assert_int_equal(tables_access(t, va, PT_ACCESS_READ, false, r), PT_OK);
}

static void test_A02_11(void **state)
{
	static const enum pt_geom with_1g[] = {PT_A64_4K_39, PT_A64_4K_48};
	struct tables t;
	struct layout l;
	struct pt_result r;

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(with_1g); i++) {
		kernel_tree(&t, &l, with_1g[i]);
		assert_int_equal(pt_create_mapping(&t.kernel, &l, l.page_offset + GiB, GiB, GiB, PT_MAP_RWX), 0);
		walk_kernel(&t, l.page_offset + GiB + 0x1234567, &r);
		assert_int_equal(r.level, 1);
		assert_int_equal(r.pa, GiB + 0x1234567);
		assert_int_equal(t.count[0] + t.count[1], 0);
		/* not aligned on both sides: 2 MiB blocks; then pages */
		assert_int_equal(pt_create_mapping(&t.kernel, &l, l.page_offset + 4 * GiB, 5 * GiB - 2 * MiB, GiB,
						   PT_MAP_RWX), 0);
		walk_kernel(&t, l.page_offset + 4 * GiB + 5 * MiB, &r);
		assert_int_equal(r.level, 2);
		assert_int_equal(r.pa, 5 * GiB + 3 * MiB);
		assert_int_equal(t.count[0], 0);
		assert_int_equal(t.count[1], 1);
		assert_int_equal(pt_create_mapping(&t.kernel, &l, l.page_offset + 8 * GiB, 9 * GiB + 4096, 2 * MiB,
						   PT_MAP_RW), 0);
		walk_kernel(&t, l.page_offset + 8 * GiB, &r);
		assert_int_equal(r.level, 3);
		assert_int_equal(t.count[0], 1);
		tables_destroy(&t);
	}
	for (unsigned geom = PT_A64_16K_36; geom < PT_NR_GEOM; geom++) { /* blocks of the PMD's size only */
		u64 block = BIT(pt_geometries[geom].shift[1]);

		kernel_tree(&t, &l, (enum pt_geom)geom);
		assert_int_equal(pt_create_mapping(&t.kernel, &l, l.page_offset + 8 * GiB, 8 * GiB, 8 * GiB,
						   PT_MAP_RWX), 0);
		for (u64 at = 0; at < 8 * GiB; at += block) {
			walk_kernel(&t, l.page_offset + 8 * GiB + at, &r);
			assert_int_equal(r.level, 2);
			assert_int_equal(BIT(r.shift), block);
			assert_int_equal(r.pa, 8 * GiB + at);
		}
		assert_int_equal(t.count[0], 0);
		tables_destroy(&t);
	}
}

static void test_A02_12(void **state)
{
	(void)state;
	for (unsigned geom = PT_A64_4K_39; geom < PT_NR_GEOM; geom++) {
		const struct pt_geometry *g = &pt_geometries[geom];
		u64 page = pt_page_size(g), block = BIT(g->shift[1]);
		struct pt_result before, r;
		struct tables t;
		struct layout l;
		vaddr_t va;

		kernel_tree(&t, &l, (enum pt_geom)geom);
		va = l.page_offset + 2 * block;
		assert_int_equal(pt_create_mapping(&t.kernel, &l, va, 4 * block, block, PT_MAP_RWX), 0);
		assert_int_equal(t.count[0], 0);
		walk_kernel(&t, va, &before);
		assert_int_equal(pt_create_mapping(&t.kernel, &l, va + 3 * page, 99 * page, page, PT_MAP_DEVICE), 0);
		assert_int_equal(t.count[0], 1);
		for (u64 i = 0; i < block / page; i++) {
			walk_kernel(&t, va + i * page, &r);
			assert_int_equal(r.level, 3);
			assert_int_equal(r.pa, i == 3 ? 99 * page : 4 * block + i * page);
			assert_int_equal(r.rights, i == 3 ? PT_KR | PT_KW : before.rights);
			assert_int_equal(r.attr, i == 3 ? A64_ATTR_NGNRE : before.attr);
			assert_int_equal(r.sh, before.sh);
		}
		/* a block that is put back frees the table */
		assert_int_equal(pt_create_mapping(&t.kernel, &l, va, 4 * block, block, PT_MAP_RWX), 0);
		assert_int_equal(t.count[0], 0);
		walk_kernel(&t, va + 3 * page, &r);
		assert_int_equal(r.level, 2);
		/* splitting asked for, and failing for want of memory: nothing changes */
		t.limit = 0;
		assert_int_equal(pt_split_block(&t.kernel, va, 0), -ENOMEM);
		walk_kernel(&t, va + 3 * page, &r);
		assert_int_equal(r.level, 2);
		t.limit = 1;
		assert_int_equal(pt_split_block(&t.kernel, va, 0), 0);
		walk_kernel(&t, va + 3 * page, &r);
		assert_int_equal(r.level, 3);
		assert_int_equal(r.pa, 4 * block + 3 * page);
		tables_destroy(&t);
	}
}

static u64 hints(struct tables *t, vaddr_t va, u64 size)
{
	u64 n = 0;

	for (vaddr_t at = va; at != va + size;) {
		struct pt_leaf leaf;
		int h = pt_lookup(&t->kernel, at, &leaf);

		n += !!(*(u64 *)(void *)leaf.slot & A64_CONT);
		at += BIT(t->g->shift[h]);
	}
	return n;
}

static int check_kernel(struct tables *t, struct layout *l)
{
	char why[256] = "";

	return pt_check(&t->kernel, l->page_offset, t->g->family == PT_ARM64 ? 0 : 4 * GiB, why, sizeof(why));
}

/* Groups of pages and of blocks; a change inside one takes the hint off all of it, and no other. */
static void test_I02_6_contiguous(void **state)
{
	(void)state;
	for (unsigned geom = PT_A64_4K_39; geom < PT_NR_GEOM; geom++) {
		const struct pt_geometry *g = &pt_geometries[geom];
		u64 page = pt_page_size(g), block = BIT(g->shift[1]);
		u64 n0 = pt_cont_entries(g, 0), n1 = pt_cont_entries(g, 1);
		u64 blocks = g->va_bits < 40 ? 2 * n1 : 3 * n1;
		struct tables t;
		struct layout l;
		vaddr_t va, pages;
		u64 *word;

		kernel_tree(&t, &l, (enum pt_geom)geom);
		assert_int_equal(n0 * page, g->page_shift == 12 ? 64 * KiB : 2 * MiB);
		va = l.page_offset + ALIGN_UP(GiB, n1 * block);
		if (blocks * block > BIT(g->va_bits - 2)) /* 16K/36 has room for a few blocks only */
			blocks = n1;
		/* blocks from the middle of a group on, and off the 1 GiB borders */
		assert_int_equal(pt_create_mapping(&t.kernel, &l, va + block, ALIGN_UP(GiB, n1 * block) + block,
						   (blocks - 1) * block, PT_MAP_RWX), 0);
		pages = l.page_offset + 8 * block;
		assert_int_equal(pt_create_mapping(&t.kernel, &l, pages + page, 4 * block + page, 4 * n0 * page,
						   PT_MAP_RW), 0);
		pt_set_contiguous(&t.kernel, l.page_offset, l.at[LAYOUT_LINEAR].end);
		assert_int_equal(hints(&t, pages, 5 * n0 * page), 3 * n0);
		assert_int_equal(check_kernel(&t, &l), 0);
		/* one entry without its group is what the check is for */
		word = (u64 *)(void *)pt_find_slot(&t.kernel, pages + n0 * page);
		*word &= ~A64_CONT;
		assert_int_equal(check_kernel(&t, &l), 6);
		*word |= A64_CONT;
		word[1] += page;
		assert_int_equal(check_kernel(&t, &l), 6);
		word[1] -= page;
		assert_int_equal(pt_create_mapping(&t.kernel, &l, pages + (n0 + 3) * page, 0, page, PT_MAP_DEVICE), 0);
		assert_int_equal(hints(&t, pages, 5 * n0 * page), 2 * n0);
		assert_int_equal(check_kernel(&t, &l), 0);
		if (n1 > 1 && blocks > n1) {
			u64 before = hints(&t, va, blocks * block);

			assert_true(before >= n1);
			assert_int_equal(pt_split_block(&t.kernel, va + (n1 + 2) * block, 0), 0);
			assert_int_equal(hints(&t, va, blocks * block), before - n1);
			assert_int_equal(check_kernel(&t, &l), 0);
		}
		tables_destroy(&t);
	}
}

/* The linear map of later kernels has the hint, that of 4.0 has not. */
static void test_contiguous_by_policy(void **state)
{
	static const char *const sets[] = {"mem=3G page=64k va=42 policy=4.0", "mem=18G page=64k va=42 policy=4.12"};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(sets); i++) {
		struct machine *m = boot_machine(sets[i]);
		struct pt_leaf leaf;
		vaddr_t va = m->phys.kpgd.layout.page_offset;

		/* 32 blocks of 512 MiB, whose output is aligned to 16 GiB: RAM starts at 1 GiB, so none is */
		pt_lookup(&m->phys.kpgd.space, va, &leaf);
		assert_false(*(u64 *)(void *)leaf.slot & A64_CONT);
		assert_machine_sound(m);
		machine_destroy(m);
	}
	for (unsigned later = 0; later < 2; later++) {
		struct machine *m = boot_machine(later ? "mem=768M@0x40000000 policy=4.12" : "mem=768M@0x40000000");
		struct pt_leaf leaf;

		assert_int_equal(pt_lookup(&m->phys.kpgd.space, m->phys.kpgd.layout.page_offset, &leaf), 1);
		assert_int_equal(!!(*(u64 *)(void *)leaf.slot & A64_CONT), later);
		assert_machine_sound(m);
		machine_destroy(m);
	}
}

/* 1 GiB -> 2 MiB -> 4 KiB in one step. */
static void test_split_twice(void **state)
{
	struct tables t;
	struct layout l;
	struct pt_result r;

	(void)state;
	kernel_tree(&t, &l, PT_A64_4K_48);
	assert_int_equal(pt_create_mapping(&t.kernel, &l, l.page_offset, 0, GiB, PT_MAP_RWX), 0);
	assert_int_equal(pt_create_mapping(&t.kernel, &l, l.page_offset + 5 * MiB, 7 * GiB, 4096, PT_MAP_RW), 0);
	for (vaddr_t at = 0; at < GiB; at += 4096) {
		walk_kernel(&t, l.page_offset + at, &r);
		assert_int_equal(r.pa, at == 5 * MiB ? 7 * GiB : at);
		assert_int_equal(r.level, at >= 4 * MiB && at < 6 * MiB ? 3 : 2);
	}
	assert_int_equal(t.count[0], 1);
	assert_int_equal(t.count[1], 1);
	tables_destroy(&t);
}

/* What create_mapping of ARM32 refuses, warns of, and does with 16 MiB beyond 4 GiB. */
static void test_arm32_mapping_rules(void **state)
{
	struct tables t;
	struct layout l;
	struct pt_result r;
	const u32 *l1;

	(void)state;
	kernel_tree(&t, &l, PT_ARM_SHORT);
	l1 = pt_mem_at(&t.mem, t.space.root);
	assert_int_equal(pt_create_mapping(&t.kernel, &l, 0x10000000, PHYS, MiB, PT_MAP_RW), -EINVAL);
	assert_int_equal(pt_create_mapping(&t.kernel, &l, 0xffff0000, PHYS, 4096, PT_MAP_VECTORS), 0);
	assert_int_equal(pt_create_mapping(&t.kernel, &l, 0xd0000000, 0x1c000000, MiB, PT_MAP_DEVICE), 1);
	assert_int_equal(pt_create_mapping(&t.kernel, &l, 0xf8000000, 0x1c000000, 2 * MiB, PT_MAP_DEVICE), 0);
	assert_int_equal(l1[0xf80], 0x1c000000 | ARM_SECT_DEVICE);
	assert_int_equal(l1[0xf81], 0x1c100000 | ARM_SECT_DEVICE);
	assert_int_equal(pt_create_mapping(&t.kernel, &l, 0xf9000000, 0x08000000, 4096, PT_MAP_ROM), -EINVAL);
	assert_int_equal(pt_create_mapping(&t.kernel, &l, 0xf9000000, 0x08000000, MiB, PT_MAP_ROM), 0);
	assert_int_equal(tables_access(&t, 0xf9000000, PT_ACCESS_READ, false, &r), PT_OK);
	assert_int_equal(tables_access(&t, 0xf9000000, PT_ACCESS_WRITE, false, &r), PT_F_PERMISSION);
	/* sections and a table do not share a pair */
	assert_int_equal(pt_create_mapping(&t.kernel, &l, 0xf8000000, 0x1c000000, 4096, PT_MAP_DEVICE), -EEXIST);
	/* an odd start takes word 1, an odd end word 0 */
	assert_int_equal(pt_create_mapping(&t.kernel, &l, 0xc0100000, 0x60100000, 2 * MiB, PT_MAP_RW), 0);
	assert_int_equal(l1[0xc00], 0);
	assert_int_equal(l1[0xc01], 0x60100000 | ARM_SECT_RW);
	assert_int_equal(l1[0xc02], 0x60200000 | ARM_SECT_RW);
	assert_int_equal(l1[0xc03], 0);
	/* supersections: beyond 4 GiB, 16 MiB aligned, domain 0 */
	assert_int_equal(pt_create_mapping(&t.kernel, &l, 0xfa000000, 0x5ab000000, 16 * MiB, PT_MAP_DEVICE), -EINVAL);
	assert_int_equal(pt_create_mapping(&t.kernel, &l, 0xfa000000, 0x5ab100000, 16 * MiB, PT_MAP_RW), -EINVAL);
	assert_int_equal(pt_create_mapping(&t.kernel, &l, 0xfa000000, 0x5ab000000, 32 * MiB, PT_MAP_RW), 0);
	for (u32 i = 0; i < 32; i++) {
		assert_int_equal(l1[0xfa0 + i] & 0xff000000, i < 16 ? 0xab000000 : 0xac000000);
		assert_int_equal(l1[0xfa0 + i] & 0xffffff, 5 << 20 | ARM_L1_SUPER | ARM_SECT_RW);
		walk_kernel(&t, 0xfa012345 + i * MiB, &r);
		assert_int_equal(r.pa, 0x5ab012345ull + i * MiB);
		assert_int_equal(r.shift, 24);
	}
	/* the vectors page is everybody's to read and execute, and global; its second page is not */
	assert_int_equal(pt_create_mapping(&t.kernel, &l, 0xffff1000, PHYS + 4096, 4096, PT_MAP_VECTORS_KERNEL), 0);
	walk_kernel(&t, 0xffff0000, &r);
	assert_true(r.global);
	assert_int_equal(r.rights, PT_UR | PT_UX | PT_KR | PT_KX);
	walk_kernel(&t, 0xffff1000, &r);
	assert_int_equal(r.rights, PT_KR | PT_KX);
	tables_destroy(&t);
}

/* ---- layouts ---- */

static void check_region(const struct layout *l, enum layout_region r, vaddr_t start, vaddr_t end)
{
	if (l->at[r].start != start || l->at[r].end != end)
		fail_msg("%s %s: 0x%llx-0x%llx, expected 0x%llx-0x%llx", l->g->name, layout_name(r),
			 (unsigned long long)l->at[r].start, (unsigned long long)l->at[r].end,
			 (unsigned long long)start, (unsigned long long)end);
}

static void check_disjoint(const struct layout *l)
{
	enum layout_region order[NR_LAYOUT];
	unsigned n = layout_sorted(l, order);
	vaddr_t end = 0;

	for (unsigned i = 0; i < n; i++) {
		if (order[i] == LAYOUT_PCI_IO && l->g->family != PT_ARM64) {
			assert_true(l->at[order[i]].end <= l->at[LAYOUT_VMALLOC].end); /* inside */
			continue;
		}
		assert_true(l->at[order[i]].start >= end);
		assert_true(l->at[order[i]].end > l->at[order[i]].start);
		end = l->at[order[i]].end;
	}
}

/* The rows of s6, and again by its formulas for every geometry. */
static void check_arm64_layouts(void)
{
	static const struct {
		enum pt_geom geom;
		vaddr_t vmalloc, vmalloc_end, vmemmap, vmemmap_size, fixaddr_top, pci, modules, page_offset;
	} rows[] = {
		{PT_A64_4K_39, 0xffffff8000000000, 0xffffffbdbfff0000, 0xffffffbdc0000000, 8 * GiB,
		 0xffffffbffac00000, 0xffffffbffae00000, 0xffffffbffc000000, 0xffffffc000000000},
		{PT_A64_4K_48, 0xffff000000000000, 0xffff7bffbfff0000, 0xffff7bffc0000000, 4 * TiB, 0xffff7ffffac00000,
		 0xffff7ffffae00000, 0xffff7ffffc000000, 0xffff800000000000},
		{PT_A64_64K_42, 0xfffffc0000000000, 0xfffffdfedfff0000, 0xfffffdfee0000000, 4 * GiB, 0xfffffdfffac00000,
		 0xfffffdfffae00000, 0xfffffdfffc000000, 0xfffffe0000000000},
		{PT_A64_64K_48, 0xffff000000000000, 0xffff77ffffff0000, 0xffff780000000000, 4 * TiB, 0xffff7ffffac00000,
		 0xffff7ffffae00000, 0xffff7ffffc000000, 0xffff800000000000},
		{PT_A64_16K_47, 0xffff800000000000, 0xffffbf6fffff0000, 0xffffbf7000000000, 512 * GiB,
		 0xffffbffffac00000, 0xffffbffffae00000, 0xffffbffffc000000, 0xffffc00000000000},
	};
	struct layout l;

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		layout_init(&l, rows[i].geom, 0, 0, false);
		check_region(&l, LAYOUT_VMALLOC, rows[i].vmalloc, rows[i].vmalloc_end);
		check_region(&l, LAYOUT_VMEMMAP, rows[i].vmemmap, rows[i].vmemmap + rows[i].vmemmap_size);
		check_region(&l, LAYOUT_PCI_IO, rows[i].pci, rows[i].pci + 16 * MiB);
		check_region(&l, LAYOUT_MODULES, rows[i].modules, rows[i].page_offset);
		assert_int_equal(l.fixaddr_top, rows[i].fixaddr_top);
		assert_int_equal(l.at[LAYOUT_LINEAR].start, rows[i].page_offset);
		assert_int_equal(l.page_offset, rows[i].page_offset);
	}
	for (unsigned geom = PT_A64_4K_39; geom < PT_NR_GEOM; geom++) {
		const struct pt_geometry *g = &pt_geometries[geom];
		u64 pud = BIT(pt_pud_shift(g)), vmemmap = ALIGN_UP(BIT(g->va_bits - g->page_shift) * 64, pud);
		vaddr_t offset = ~0ull << (g->va_bits - 1), end = offset - pud - vmemmap - 64 * KiB;

		layout_init(&l, g->geom, 0, 0, false);
		check_disjoint(&l);
		assert_int_equal(l.task_size, BIT(g->va_bits));
		assert_int_equal(l.unmapped_base, BIT(g->va_bits) / 4);
		assert_int_equal(l.at[LAYOUT_LINEAR].end - offset + 1, BIT(g->va_bits - 1));
		if (pud > 100 * MiB) /* 16K/36: the formula's gap of 32 MiB would lie over the modules */
			assert_int_equal(l.at[LAYOUT_VMALLOC].end, end);
		assert_int_equal(l.at[LAYOUT_VMEMMAP].start - l.at[LAYOUT_VMALLOC].end, 64 * KiB);
	}
}

static void check_arm32_layout(const struct layout *l, vaddr_t offset, vaddr_t high, bool highmem)
{
	vaddr_t vmalloc = (high + 8 * MiB) & ~(8 * MiB - 1);

	check_region(l, LAYOUT_USER, 0x2000, offset - 16 * MiB);
	check_region(l, LAYOUT_MODULES, offset - 16 * MiB, offset - (highmem ? 2 * MiB : 0));
	check_region(l, LAYOUT_PKMAP, offset - (highmem ? 2 * MiB : 0), offset);
	check_region(l, LAYOUT_LINEAR, offset, high);
	check_region(l, LAYOUT_HOLE, high, vmalloc);
	check_region(l, LAYOUT_VMALLOC, vmalloc, 0xff000000);
	check_region(l, LAYOUT_PCI_IO, 0xfee00000, 0xff000000);
	check_region(l, LAYOUT_FIXMAP, 0xffc00000, 0xfff00000);
	check_region(l, LAYOUT_VECTORS, 0xffff0000, 0xffff1000);
	assert_int_equal(l->fixaddr_top, 0xffeff000);
	assert_int_equal(l->task_size, offset - 16 * MiB);
	check_disjoint(l);
}

/* RAM and vmalloc= of 01 s3, on booted machines. */
static void check_arm32_machines(void)
{
	static const struct {
		unsigned ram; /* MiB */
		const char *vmalloc;
		vaddr_t high, start;
	} rows[] = {
		{256, "", 0xd0000000, 0xd0800000},	{512, "", 0xe0000000, 0xe0800000},
		{760, "", 0xef800000, 0xf0000000},	{1024, "", 0xef800000, 0xf0000000},
		{2048, "", 0xef800000, 0xf0000000},	{1024, "vmalloc=512M", 0xdf000000, 0xdf800000},
		{1024, "vmalloc=128M", 0xf7000000, 0xf7800000}, {1024, "vmalloc=8M", 0xfe000000, 0xfe800000},
		{1024, "vmalloc=2000M", 0xc2000000, 0xc2800000},
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		for (unsigned lpae = 0; lpae < 2; lpae++) {
			char set[128];
			struct machine *m;

			snprintf(set, sizeof(set), VEXPRESS "mem=%uM lpae=%u %s", rows[i].ram, lpae, rows[i].vmalloc);
			m = boot_machine(set);
			check_arm32_layout(&m->phys.kpgd.layout, 0xc0000000, rows[i].high, true);
			assert_int_equal(m->phys.kpgd.layout.at[LAYOUT_VMALLOC].start, rows[i].start);
			assert_machine_sound(m);
			machine_destroy(m);
		}
	}
}

static void test_A02_14(void **state)
{
	static const vaddr_t offsets[] = {0xc0000000, 0x80000000, 0x40000000};
	static const char *const splits[] = {"3g", "2g", "1g"};

	(void)state;
	check_arm64_layouts();
	check_arm32_machines();
	for (u32 i = 0; i < ARRAY_SIZE(offsets); i++) {
		for (unsigned highmem = 0; highmem < 2; highmem++) {
			char set[128];
			struct machine *m;

			snprintf(set, sizeof(set), VEXPRESS "mem=400M split=%s highmem=%u", splits[i], highmem);
			m = boot_machine(set);
			check_arm32_layout(&m->phys.kpgd.layout, offsets[i], offsets[i] + 400 * MiB, highmem);
			assert_int_equal(vm_task_size(&m->vm), offsets[i] - 16 * MiB);
			machine_destroy(m);
		}
	}
	assert_int_equal(ALIGN_UP(0xbf000000ull / 3, 16 * MiB), 0x40000000); /* TASK_UNMAPPED_BASE of 3G/1G */
}

/* start, end, size, in that order. */
static void test_show_layout(void **state)
{
	struct machine *m = boot_machine(VEXPRESS RAM_1G);
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	assert_int_equal(machine_show(m, "layout", f), 0);
	assert_int_equal(machine_show(m, "pgtables", f), 0);
	fclose(f);
	assert_non_null(strstr(text, "lowmem   0xc0000000 0xef800000       760 MiB\n"));
	assert_non_null(strstr(text, "vectors  0xffff0000 0xffff1000         4 KiB\n"));
	assert_non_null(strstr(text, "c0b00000-ef800000 level 1, entries of 1024 KiB"));
	free(text);
	machine_destroy(m);
}

/* ---- teardown and invariants ---- */

#define RW   (MM_PROT_READ | MM_PROT_WRITE)
#define ANON (MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED)

static const char *const every[] = {
	VEXPRESS RAM_1G, VEXPRESS RAM_1G "lpae=1", VEXPRESS "mem=64M ideal=1", VEXPRESS "mem=64M ideal=1 lpae=1",
	"mem=64M page=4k va=39", "mem=64M page=4k va=48", "mem=128M page=16k va=36", "mem=128M page=16k va=47",
	"mem=128M page=16k va=48", "mem=1G page=64k va=42", "mem=1G page=64k va=48",
};

static void test_A02_17(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(every); i++) {
		struct machine *m = boot_machine(every[i]);
		struct vm *vm = &m->vm;
		u64 page = 1ull << vm->page_shift;
		vaddr_t low = mm_max(vm->phys->kpgd.layout.at[LAYOUT_USER].start, mm_max(page, 4096ull));
		vaddr_t high = vm->task_size - page;
		struct task *t = boot_task(m, 1);
		s64 empty, none;

		empty = machine_counter(m, "nr_page_table_pages");
		assert_int_equal(empty, t->mm->nr_tables);
		assert_int_equal(sys_mmap(vm, t, low, page, RW, ANON, 0, 0, 0), low);
		assert_int_equal(sys_mmap(vm, t, high, page, RW, ANON, 0, 0, 0), high);
		assert_int_equal(mm_access(vm, t, low, MM_ACCESS_WRITE), RES_MINOR);
		assert_int_equal(mm_access(vm, t, high, MM_ACCESS_WRITE), RES_MINOR);
		assert_int_equal(t->mm->nr_ptes, 2);
		assert_machine_sound(m);
		/* unmapping alone: on ARM32 the table of FIRST_USER_ADDRESS stays until the end */
		assert_int_equal(sys_munmap(vm, t, high, page), 0);
		assert_int_equal(t->mm->nr_ptes, 1);
		assert_int_equal(sys_munmap(vm, t, low, page), 0);
		assert_int_equal(t->mm->nr_ptes, vm_geometry(vm)->family != PT_ARM64);
		assert_int_equal(sys_mmap(vm, t, high, page, RW, ANON, 0, 0, 0), high);
		assert_int_equal(mm_access(vm, t, high, MM_ACCESS_WRITE), RES_MINOR);
		assert_machine_sound(m);
		none = machine_counter(m, "nr_page_table_pages") - (s64)t->mm->nr_tables;
		vm_exit(vm, t);
		assert_int_equal(machine_counter(m, "nr_page_table_pages"), none);
		assert_int_equal(none, 0);
		assert_machine_sound(m);
		machine_destroy(m);
	}
}

static struct task *one_table(struct machine *m, u32 idx)
{
	struct task *t = boot_task(m, idx);

	assert_int_equal(sys_mmap(&m->vm, t, 0x10000000, 64 * KiB, RW, ANON, 0, 0, 0), 0x10000000);
	assert_int_equal(mm_access(&m->vm, t, 0x10000000, MM_ACCESS_WRITE), RES_MINOR);
	return t;
}

static void assert_broken(struct machine *m, const char *what)
{
	char why[512];

	assert_int_equal(machine_check(m, why, sizeof(why)), 1);
	if (!strstr(why, what))
		fail_msg("expected %s, found: %s", what, why);
}

static void test_I02_1(void **state)
{
	struct machine *m = boot_machine(VEXPRESS RAM_1G);
	struct task *t = one_table(m, 1);
	u32 *word = (u32 *)(void *)pte_lookup(&m->vm, t->mm, 0x10000000) + ARM_HWTABLE_OFF / 4;

	(void)state;
	assert_machine_sound(m);
	for (unsigned bit = 0; bit < 32; bit++) {
		if (bit == 11) /* nG is a function of the address, not of the Linux word */
			continue;
		*word ^= 1u << bit;
		assert_broken(m, "I02.1");
		*word ^= 1u << bit;
	}
	assert_machine_sound(m);
	machine_destroy(m);
}

static void test_I02_2(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(every); i++) {
		struct machine *m = boot_machine(every[i]);
		struct task *t = one_table(m, 1);

		assert_machine_sound(m);
		t->mm->nr_ptes++;
		assert_broken(m, "I02.2");
		t->mm->nr_ptes--;
		t->mm->nr_tables++;
		assert_broken(m, "I02.2");
		t->mm->nr_tables--;
		mod_zone_page_state(&m->phys.zones[0], NR_PAGETABLE, 1);
		assert_broken(m, "I02.2");
		mod_zone_page_state(&m->phys.zones[0], NR_PAGETABLE, -1);
		assert_machine_sound(m);
		machine_destroy(m);
	}
}

static void test_I02_3(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(every); i++) {
		struct machine *m = boot_machine(every[i]);
		struct vm *vm = &m->vm;
		struct task *a = one_table(m, 1), *b = one_table(m, 2);
		u32 index = pt_index(vm_geometry(vm), 0x10000000, vm_geometry(vm)->levels - 1);
		u64 *pa = (u64 *)pt_mem_at(&vm->mem, a->mm->pgd) + index;
		u64 *pb = (u64 *)pt_mem_at(&vm->mem, b->mm->pgd) + index, was = *pb;

		assert_machine_sound(m);
		*pb = *pa; /* the frames are mapped twice as well, which is found later */
		assert_broken(m, "I02.3");
		*pb = was;
		assert_machine_sound(m);
		machine_destroy(m);
	}
}

static void test_I02_4(void **state)
{
	struct machine *m = boot_machine(VEXPRESS RAM_1G);
	struct task *t = one_table(m, 1);
	u32 *l1 = pt_mem_at(&m->vm.mem, t->mm->pgd), *kernel = pt_mem_at(&m->vm.mem, m->phys.kpgd.space.root), was;

	(void)state;
	was = l1[0x101];
	l1[0x101] = 0x60000000 | ARM_SECT_RW;
	assert_broken(m, "I02.4");
	l1[0x101] = was;
	assert_machine_sound(m);
	was = kernel[0xc01];
	kernel[0xc01] = (kernel[0xfff] & ~3u) | 1;
	assert_broken(m, "I02.4");
	kernel[0xc01] = was;
	assert_machine_sound(m);
	machine_destroy(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A02_7),  cmocka_unit_test(test_A02_8),
		cmocka_unit_test(test_A02_9),  cmocka_unit_test(test_lazy_copy_of_a_middle_entry),
		cmocka_unit_test(test_A02_11), cmocka_unit_test(test_A02_12),
		cmocka_unit_test(test_I02_6_contiguous), cmocka_unit_test(test_contiguous_by_policy),
		cmocka_unit_test(test_split_twice), cmocka_unit_test(test_arm32_mapping_rules),
		cmocka_unit_test(test_A02_14), cmocka_unit_test(test_show_layout),
		cmocka_unit_test(test_A02_17), cmocka_unit_test(test_I02_1),
		cmocka_unit_test(test_I02_2),  cmocka_unit_test(test_I02_3),
		cmocka_unit_test(test_I02_4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
