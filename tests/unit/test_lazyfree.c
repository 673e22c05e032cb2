/* SPDX-License-Identifier: BSD-2-Clause */
/* A13.11: MADV_FREE. Clean pages vanish under pressure without swap I/O; a rewritten one survives. */
#include <errno.h>

#include "core/machine/machine_types.h"
#include "core/vm/vm.h"
#include "tests/machine_boot.h"

#define PAGE  4096ull
#define AREA  0x10000000ull
#define OTHER 0x20000000ull
#define N     100u

static struct machine *m;
static struct task *t;

static void boot(const char *pairs)
{
	m = boot_machine(pairs);
	t = boot_task(m, 1);
}

static void map(u64 addr, u64 pages)
{
	assert_int_equal(sys_mmap(&m->vm, t, addr, pages * PAGE, MM_PROT_READ | MM_PROT_WRITE,
				  MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED, 0, 0, 0), addr);
}

static s64 counter(const char *name)
{
	struct vmstat_snapshot s;

	machine_vmstat(m, &s);
	return s.v[vmstat_by_name(name)];
}

static void down(void)
{
	char why[256] = "";

	if (machine_check(m, why, sizeof(why)))
		fail_msg("%s", why);
	machine_destroy(m);
}

/* Writes other memory, page by page, until what MADV_FREE gave up has gone. */
static void press(u64 pages)
{
	map(OTHER, pages);
	for (u64 i = 0; i < pages && counter("pglazyfreed") < (s64)N - 1; i++)
		assert_true(mm_write_tag(&m->vm, t, OTHER + i * PAGE, 1, 1000 + i) < RES_SIGSEGV);
}

static void test_A13_11_lazyfree(void **state)
{
	s64 before;
	u64 tag;

	(void)state;
	boot("mem=32M swap=64M lazyfree=1 threads=inline");
	map(AREA, N);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(mm_write_tag(&m->vm, t, AREA + i * PAGE, 1, 1 + i), RES_MINOR);
	lru_add_drain_all(&m->vm.lru);
	before = counter("nr_inactive_file");
	assert_int_equal(sys_madvise(&m->vm, t, AREA, N * PAGE, MM_MADV_FREE), 0);
	assert_int_equal(counter("pglazyfree"), N);
	assert_int_equal(counter("nr_inactive_file"), before + N);
	assert_int_equal(counter("nr_active_anon"), 0);
	assert_int_equal(counter("nr_anon_pages"), N); /* still the program's until they go */
	assert_true(mm_write_tag(&m->vm, t, AREA + 7 * PAGE, 1, 777) < RES_SIGSEGV);
	press(16384);
	assert_int_equal(counter("pglazyfreed"), N - 1);
	assert_int_equal(counter("pswpin"), 0);
	if (!mm_read_tag(&m->vm, t, AREA + 7 * PAGE, &tag)) /* it may lie in swap by now */
		assert_true(mm_access(&m->vm, t, AREA + 7 * PAGE, MM_ACCESS_READ) < RES_SIGSEGV);
	assert_true(mm_read_tag(&m->vm, t, AREA + 7 * PAGE, &tag));
	assert_int_equal(tag, 777);
	for (unsigned i = 0; i < N; i++) {
		if (i == 7)
			continue;
		assert_false(mm_read_tag(&m->vm, t, AREA + i * PAGE, &tag));
		assert_int_equal(mm_access(&m->vm, t, AREA + i * PAGE, MM_ACCESS_READ), RES_MINOR);
		assert_true(mm_read_tag(&m->vm, t, AREA + i * PAGE, &tag));
		assert_int_equal(tag, 0);
	}
	down();
}

/* Pages that lie in swap lose their slots at once. */
static void test_A13_11_swap_entries_are_dropped(void **state)
{
	s64 free_before;
	u64 swapped;

	(void)state;
	boot("mem=32M swap=64M lazyfree=1 threads=inline");
	map(AREA, N);
	assert_true(mm_write_tag(&m->vm, t, AREA, N * PAGE, 5) < RES_SIGSEGV);
	map(OTHER, 12000);
	for (u64 i = 0; i < 12000 && t->mm->rss[MM_SWAPENTS] < N; i++)
		mm_write_tag(&m->vm, t, OTHER + i * PAGE, 1, 9);
	swapped = (u64)t->mm->rss[MM_SWAPENTS];
	assert_true(swapped > 0);
	free_before = m->vm.swap.nr_swap_pages;
	assert_int_equal(sys_madvise(&m->vm, t, AREA, N * PAGE, MM_MADV_FREE), 0);
	assert_true(m->vm.swap.nr_swap_pages > free_before);
	assert_true((u64)t->mm->rss[MM_SWAPENTS] < swapped);
	down();
}

static void test_A13_11_without_the_key(void **state)
{
	(void)state;
	boot("mem=32M");
	map(AREA, N);
	assert_int_equal(sys_madvise(&m->vm, t, AREA, N * PAGE, MM_MADV_FREE), -EINVAL);
	down();
	boot("mem=32M lazyfree=1");
	assert_int_equal(vm_file(&m->vm, 3, 10 * PAGE, "disk", "f"), 0);
	assert_int_equal(sys_mmap(&m->vm, t, AREA, 10 * PAGE, MM_PROT_READ, MM_MAP_PRIVATE | MM_MAP_FIXED, 3, 0, 0),
			 AREA);
	assert_int_equal(sys_madvise(&m->vm, t, AREA, 10 * PAGE, MM_MADV_FREE), -EINVAL);
	down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A13_11_lazyfree), cmocka_unit_test(test_A13_11_swap_entries_are_dropped),
		cmocka_unit_test(test_A13_11_without_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
