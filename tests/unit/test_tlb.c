/* SPDX-License-Identifier: BSD-2-Clause */
/* The TLB alone, and the machine with one: same answers, fewer walks, and a missed flush is caught. */
#include "core/base/prng.h"
#include "core/vm/pgtable.h"
#include "core/vm/tlb.h"
#include "tests/machine_boot.h"

struct box {
	struct tlb t;
	void *memory;
};

static struct box box_new(u64 entries, u32 ncpu, unsigned asid_bits)
{
	u32 sets = tlb_sets(entries);
	struct box b = {.memory = calloc(1, tlb_bytes(sets, ncpu))};

	assert_non_null(b.memory);
	tlb_init(&b.t, b.memory, sets, ncpu, 12, asid_bits);
	return b;
}

static void test_lookup_fill(void **state)
{
	struct box b = box_new(64, 2, 16);
	u64 one = tlb_new_context(&b.t), two = tlb_new_context(&b.t);
	paddr_t pa;

	(void)state;
	assert_int_equal(b.t.nr_sets, 16);
	assert_int_not_equal(one, two);
	assert_false(tlb_lookup(&b.t, 0, one, 0x5123, TLB_READ, &pa));
	tlb_fill(&b.t, 0, one, 0x5123, 0x70000123, TLB_READ);
	assert_true(tlb_lookup(&b.t, 0, one, 0x5fff, TLB_READ, &pa));
	assert_int_equal(pa, 0x70000fff);
	assert_false(tlb_lookup(&b.t, 0, one, 0x5123, TLB_WRITE, &pa));
	assert_false(tlb_lookup(&b.t, 0, two, 0x5123, TLB_READ, &pa));
	assert_false(tlb_lookup(&b.t, 1, one, 0x5123, TLB_READ, &pa));
	assert_false(tlb_lookup(&b.t, 0, one, 0x15123, TLB_READ, &pa));
	/* more rights replace, and do not double, the entry */
	tlb_fill(&b.t, 0, one, 0x5123, 0x70000123, TLB_READ | TLB_WRITE);
	assert_true(tlb_lookup(&b.t, 0, one, 0x5123, TLB_WRITE, &pa));
	tlb_flush_range(&b.t, one, 0x5000, 0x5001);
	assert_false(tlb_lookup(&b.t, 0, one, 0x5123, TLB_READ, &pa));
	free(b.memory);
}

/* A set holds four pages; the fifth replaces the first, in turn. */
static void test_replacement(void **state)
{
	struct box b = box_new(64, 1, 8);
	u64 c = tlb_new_context(&b.t), stride = 16 * 4096;
	paddr_t pa;

	(void)state;
	for (u64 i = 0; i < 5; i++)
		tlb_fill(&b.t, 0, c, i * stride, i * 4096, TLB_READ);
	assert_false(tlb_lookup(&b.t, 0, c, 0, TLB_READ, &pa));
	for (u64 i = 1; i < 5; i++)
		assert_true(tlb_lookup(&b.t, 0, c, i * stride, TLB_READ, &pa));
	tlb_fill(&b.t, 0, c, 5 * stride, 0, TLB_READ);
	assert_false(tlb_lookup(&b.t, 0, c, stride, TLB_READ, &pa));
	free(b.memory);
}

/* Against a list of what was filled and flushed, on two CPUs, through several generations. */
static void test_random_flushes(void **state)
{
	enum { PAGES = 64, CONTEXTS = 6 };
	struct box b = box_new(1024, 2, 4);
	u64 context[CONTEXTS] = {0};
	u8 may[2][CONTEXTS][PAGES] = {0}; /* rights an entry may have at most */
	struct prng r;

	(void)state;
	prng_seed(&r, test_seed(3));
	for (int i = 0; i < 20000; i++) {
		u64 k = prng_below(&r, CONTEXTS), page = prng_below(&r, PAGES), n = 1 + prng_below(&r, PAGES - page);
		unsigned cpu = prng_u64(&r) & 1, rights = 1 + (unsigned)prng_below(&r, 7);
		u64 generation = b.t.generation;
		paddr_t pa;

		if (!tlb_context_current(&b.t, context[k]) || !prng_below(&r, 500))
			context[k] = tlb_new_context(&b.t);
		if (b.t.generation != generation)
			memset(may, 0, sizeof(may));
		switch (prng_below(&r, 8)) {
		case 0:
			tlb_flush_range(&b.t, context[k], page << 12, (page + n) << 12);
			for (u64 p = page; p < page + n; p++)
				may[0][k][p] = may[1][k][p] = 0;
			break;
		case 1:
			if (prng_below(&r, 10))
				break;
			tlb_flush_asid(&b.t, context[k]);
			memset(may[0][k], 0, PAGES);
			memset(may[1][k], 0, PAGES);
			break;
		default:
			tlb_fill(&b.t, cpu, context[k], page << 12, (k << 20) + (page << 12), rights);
			may[cpu][k][page] = (u8)rights;
		}
		page = prng_below(&r, PAGES);
		if (tlb_context_current(&b.t, context[k]) &&
		    tlb_lookup(&b.t, cpu, context[k], page << 12, 7, &pa))
			assert_int_equal(pa, (k << 20) + (page << 12));
		for (unsigned right = 1; right < 8 && tlb_context_current(&b.t, context[k]); right *= 2)
			if (tlb_lookup(&b.t, cpu, context[k], page << 12, right, &pa))
				assert_true(may[cpu][k][page] & right);
	}
	assert_true(b.t.generation > 2);
	free(b.memory);
}

/* ---- in the machine ---- */

#define RW    (MM_PROT_READ | MM_PROT_WRITE)
#define ANON  (MM_MAP_PRIVATE | MM_MAP_ANON)
#define BASE  0x10000000ull
#define PAGES 96u

struct act {
	unsigned kind, task;
	u64 page, n, x;
};

/* One random operation; the answer. */
static s64 act(struct machine *m, const struct act *a)
{
	struct vm *vm = &m->vm;
	struct task *t = vm_task(vm, a->task);
	u64 shift = vm->page_shift, len = a->n << shift;
	vaddr_t va = BASE + (a->page << shift);

	switch (a->kind) {
	case 0:
		return sys_mmap(vm, t, va, len, RW, ANON | MM_MAP_FIXED, 0, 0, 0);
	case 1:
		return sys_munmap(vm, t, va, len);
	case 2:
		return sys_mprotect(vm, t, va, len, (u32)a->x & 3);
	case 3:
		return sys_mremap(vm, t, va, len, len, MM_MREMAP_MAYMOVE | MM_MREMAP_FIXED,
				  BASE + (((u64)PAGES + a->page) << shift), 0);
	case 4:
		if (a->x & 15)
			return 0;
		return vm_fork(vm, t, vm_task(vm, 3 - a->task));
	case 5:
		return sys_madvise(vm, t, va, len, MM_MADV_DONTNEED);
	case 6:
		return sys_mmap(vm, t, va, len, RW, MM_MAP_SHARED | MM_MAP_ANON | MM_MAP_FIXED, 0, 0, 0);
	default:
		m->hw.cpu = a->x >> 8 & 1;
		return mm_access(vm, t, va + (a->x >> 16 & 4095), (unsigned)(a->x % 3));
	}
}

static void same_answers(const char *settings, const char *tlb, u64 seed)
{
	char with[256];
	struct machine *plain = boot_machine(settings), *m;
	struct prng r;

	snprintf(with, sizeof(with), "%s %s", settings, tlb);
	m = boot_machine(with);
	prng_seed(&r, seed);
	for (u32 i = 1; i < 3; i++) {
		boot_task(plain, i);
		boot_task(m, i);
	}
	for (int i = 0; i < 6000; i++) {
		struct act a = {(unsigned)prng_below(&r, 40), 1 + (unsigned)prng_below(&r, 2),
				prng_below(&r, 2 * PAGES), 1 + prng_below(&r, 8), prng_u64(&r)};

		assert_int_equal(act(plain, &a), act(m, &a));
		if (i % 200 == 0)
			assert_machine_sound(m);
	}
	assert_machine_sound(m);
	assert_int_equal(machine_counter(plain, "pgfault"), machine_counter(m, "pgfault"));
	assert_int_equal(machine_counter(plain, "dirty_faults"), machine_counter(m, "dirty_faults"));
	assert_int_equal(machine_counter(plain, "accesses"), machine_counter(m, "accesses"));
	assert_int_equal(machine_counter(plain, "tlb_miss"), 0);
	assert_true(machine_counter(m, "tlb_miss") > 0);
	assert_true(machine_counter(m, "tlb_miss") < machine_counter(m, "accesses"));
	machine_destroy(plain);
	machine_destroy(m);
}

static void test_same_answers(void **state)
{
	u64 seed = test_seed(5);

	(void)state;
	same_answers("mem=64M ncpu=2", "tlb=1024", seed);
	same_answers("mem=64M ncpu=2 hwad=1", "tlb=16", seed + 1);
	same_answers("mem=64M ncpu=2 page=16k va=47", "tlb=64", seed + 2);
	same_answers("mem=64M ncpu=2 arch=arm32 machine=vexpress", "tlb=1024", seed + 3);
	same_answers("mem=64M ncpu=2 arch=arm32 machine=vexpress lpae=1", "tlb=128", seed + 4);
}

static struct task *one_page(struct machine *m)
{
	struct task *t = boot_task(m, 1);

	assert_int_equal(sys_mmap(&m->vm, t, BASE, 4096, RW, ANON | MM_MAP_FIXED, 0, 0, 0), BASE);
	assert_int_equal(mm_access(&m->vm, t, BASE, MM_ACCESS_WRITE), RES_MINOR);
	assert_int_equal(mm_access(&m->vm, t, BASE, MM_ACCESS_WRITE), RES_NONE);
	assert_int_equal(machine_counter(m, "tlb_miss"), 1);
	assert_machine_sound(m);
	return t;
}

/* Every way to take something away, with the flush left out: machine_check() names I02.5. */
static void test_I02_5_missed_flush(void **state)
{
	(void)state;
	for (int what = 0; what < 4; what++) {
		struct machine *m = boot_machine("mem=64M tlb=64");
		struct task *t = one_page(m);
		pt_slot *slot = pte_lookup(&m->vm, t->mm, BASE);
		pte_t p = get_pte(&m->vm, slot, 0), bad[] = {
			{0}, pte_wrprotect(p), pte_mkclean(p), pte_make(pte_pa(p) + 4096, p.v & ~A64_ADDR),
		};
		char why[512];

		set_pte(&m->vm, slot, bad[what]);
		/* a stale hit: the tables would have faulted, or led elsewhere */
		assert_int_equal(mm_access(&m->vm, t, BASE, MM_ACCESS_WRITE), RES_NONE);
		assert_int_equal(vm_tlb_check(&m->vm, why, sizeof(why)), 2005);
		set_pte(&m->vm, slot, p);
		assert_machine_sound(m);
		set_pte(&m->vm, slot, bad[what]);
		vm_flush_page(&m->vm, t->mm, BASE); /* the flush that was missing */
		assert_int_equal(vm_tlb_check(&m->vm, why, sizeof(why)), 0);
		set_pte(&m->vm, slot, p);
		machine_destroy(m);
	}
}

/* Clearing young flushes nothing: the access is not seen, which is what the hardware does. */
static void test_old_page_is_not_seen(void **state)
{
	struct machine *m = boot_machine("mem=64M tlb=64");
	struct task *t = one_page(m);
	pt_slot *slot = pte_lookup(&m->vm, t->mm, BASE);

	(void)state;
	set_pte(&m->vm, slot, pte_mkold(get_pte(&m->vm, slot, 0)));
	assert_int_equal(mm_access(&m->vm, t, BASE, MM_ACCESS_READ), RES_NONE);
	assert_false(pte_young(get_pte(&m->vm, slot, 0)));
	assert_machine_sound(m);
	vm_flush_page(&m->vm, t->mm, BASE);
	assert_int_equal(mm_access(&m->vm, t, BASE, MM_ACCESS_READ), RES_MINOR);
	assert_true(pte_young(get_pte(&m->vm, slot, 0)));
	machine_destroy(m);
}

/* More address spaces than 8-bit ASIDs. */
static void test_asid_rollover(void **state)
{
	struct machine *m = boot_machine("mem=128M arch=arm32 machine=vexpress tlb=256");

	(void)state;
	for (u32 i = 1; i <= 600; i++) {
		struct task *t = boot_task(m, 1 + i % 3);

		assert_int_equal(sys_mmap(&m->vm, t, BASE, 4096, RW, ANON | MM_MAP_FIXED, 0, 0, 0), BASE);
		assert_int_equal(mm_access(&m->vm, t, BASE, MM_ACCESS_WRITE), RES_MINOR);
		assert_int_equal(mm_access(&m->vm, t, BASE, MM_ACCESS_READ), RES_NONE);
	}
	assert_true(m->vm.tlb->generation > 2);
	assert_int_equal(machine_counter(m, "tlb_miss"), 600);
	assert_machine_sound(m);
	machine_destroy(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookup_fill),	 cmocka_unit_test(test_replacement),
		cmocka_unit_test(test_random_flushes),	 cmocka_unit_test(test_same_answers),
		cmocka_unit_test(test_I02_5_missed_flush), cmocka_unit_test(test_old_page_is_not_seen),
		cmocka_unit_test(test_asid_rollover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
