/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The n-th page allocation fails, for every n there is: whatever was being done answers with an error or
 * goes on, every invariant holds, and when all is given back nothing has been lost.
 */
#include "core/machine/machine_types.h"
#include "core/phys/page_alloc.h"
#include "core/vm/vm.h"
#include "tests/machine_boot.h"
#include "tests/scenario.h"

static void assert_sound(struct machine *m, u64 nth)
{
	char why[512];

	if (machine_check(m, why, sizeof(why)))
		fail_msg("allocation %llu failed: %s", (unsigned long long)nth, why);
}

/* All of the scenario, looking at every invariant when the failure has just happened and at the end. */
static void play(struct machine *m, const char *path, u64 nth)
{
	char err[512];
	struct trace_reader *r = trace_open(path, TRACE_READ_INLINE, err, sizeof(err));
	const struct mm_op *ops;
	bool looked = !nth;
	ssize_t n;

	if (!r)
		fail_msg("%s", err);
	m->phys.fail_nth = nth;
	while ((n = trace_next(r, &ops)) > 0) {
		struct op_strings strings = trace_reader_strings(r);

		for (ssize_t i = 0, len; i < n; i += len) {
			len = ops[i].flags & MM_OP_HAS_EXT ? 2 : 1;
			machine_apply(m, ops + i, (size_t)len, &strings, NULL);
			if (!looked && !m->phys.fail_nth) {
				looked = true;
				assert_sound(m, nth);
			}
		}
	}
	if (n)
		fail_msg("%s", trace_reader_error(r));
	trace_close(r);
}

/* What is free when no cache keeps a slab and no CPU a page. */
static u64 free_in_the_end(struct machine *m)
{
	struct kmem_cache *c;
	struct vmstat_snapshot s;

	list_for_each_entry(c, &m->kmem.caches, list)
		kmem_cache_shrink(c, 0);
	drain_all_pages(&m->phys);
	machine_vmstat(m, &s);
	return (u64)s.v[vmstat_by_name("nr_free_pages")];
}

static void fail_each(const char *const *sets)
{
	char path[64];
	int fd = scenario_file(path);
	u64 whole, nth, left;

	for (nth = 0, whole = 0;; nth++) {
		struct machine *m = boot_machine_sets(sets);

		play(m, path, nth);
		left = m->phys.fail_nth;
		m->phys.fail_nth = 0;
		assert_sound(m, nth);
		if (!nth) /* without a failure */
			whole = free_in_the_end(m);
		else if (free_in_the_end(m) < whole)
			fail_msg("allocation %llu failed: pages are lost", (unsigned long long)nth);
		machine_destroy(m);
		if (left)
			break;
	}
	print_message("%llu allocations failed, one by one\n", (unsigned long long)nth - 1);
	assert_true(nth > 200);
	close(fd);
}

static void test_arm64_slab(void **state)
{
	static const char *const sets[] = {"mem=64M", NULL};

	(void)state;
	fail_each(sets);
}

static void test_arm32_highmem_slub(void **state)
{
	static const char *const sets[] = {"arch=arm32", "mem=96M", "vmalloc=900M", "slab=slub", NULL};

	(void)state;
	fail_each(sets);
}

static void test_later_policies(void **state)
{
	static const char *const sets[] = {"page=16k", "va=47", "mem=128M", "policy=4.12", "vmapstack=1", NULL};

	(void)state;
	fail_each(sets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arm64_slab),
		cmocka_unit_test(test_arm32_highmem_slub),
		cmocka_unit_test(test_later_policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
