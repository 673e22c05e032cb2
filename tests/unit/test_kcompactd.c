/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A13.12: kswapd, woken for a block of order 9 in memory with holes, wakes kcompactd when it goes to
 * sleep; blocks of order 9 appear without anybody having stalled for them.
 */
#include "core/machine/machine_types.h"
#include "core/phys/page_alloc.h"
#include "core/vm/vm.h"
#include "tests/machine_boot.h"

#define PAGE  4096ull
#define AREA  0x10000000ull
#define PAGES 12288u /* 48 MiB of 64 */
#define SECOND 1000000000ull

static struct machine *holes(const char *policy)
{
	char settings[256];
	struct machine *m;
	struct task *t;

	snprintf(settings, sizeof(settings), "mem=64M %s", policy);
	m = boot_machine(settings);
	t = boot_task(m, 1);
	assert_int_equal(sys_mmap(&m->vm, t, AREA, PAGES * PAGE, MM_PROT_READ | MM_PROT_WRITE,
				  MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED, 0, 0, 0), AREA);
	assert_true(mm_access_range(&m->vm, t, AREA, PAGES * PAGE, MM_ACCESS_WRITE) < RES_SIGSEGV);
	for (u64 i = 0; i < PAGES; i += 2)
		assert_int_equal(sys_madvise(&m->vm, t, AREA + i * PAGE, PAGE, MM_MADV_DONTNEED), 0);
	vm_lru_drain_all(&m->vm);
	drain_all_pages(&m->phys);
	return m;
}

static s64 counter(struct machine *m, const char *name)
{
	struct vmstat_snapshot s;

	machine_vmstat(m, &s);
	return s.v[vmstat_by_name(name)];
}

/* How many of @n requests that may not wait were answered, a second apart. */
static unsigned ask(struct machine *m, unsigned n)
{
	unsigned got = 0;

	for (unsigned i = 0; i < n; i++) {
		got += alloc_pages(&m->phys, 0, GFP_ATOMIC | MM_GFP_NOWARN, 9) != NULL;
		machine_advance(m, machine_now(m) + SECOND);
	}
	return got;
}

static void test_A13_12_kcompactd(void **state)
{
	struct machine *without = holes("kcompactd=0"), *with = holes("kcompactd=1");
	unsigned few, many;
	char why[256] = "";

	(void)state;
	few = ask(without, 20);
	many = ask(with, 20);
	assert_true(many > few);
	assert_int_equal(counter(without, "compact_daemon_wake"), 0);
	assert_true(counter(with, "compact_daemon_wake") > 0);
	assert_true(counter(with, "compact_daemon_migrate_scanned") > 0);
	assert_true(counter(with, "compact_daemon_free_scanned") <= counter(with, "compact_free_scanned"));
	assert_int_equal(counter(without, "compact_daemon_migrate_scanned"), 0);
	assert_true(counter(with, "pgmigrate_success") > 0);
	assert_int_equal(counter(with, "compact_stall"), 0);
	if (machine_check(with, why, sizeof(why)))
		fail_msg("%s", why);
	machine_destroy(without);
	machine_destroy(with);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_A13_12_kcompactd)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
