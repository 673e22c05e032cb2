/* SPDX-License-Identifier: BSD-2-Clause */
/* A12.6: a restored machine continues as the original does, whatever ran on it. */
#include <errno.h>

#include "core/base/limits.h"
#include "core/machine.h"
#include "tests/test.h"
#include "workloads/workload.h"

static void config_of(struct machine_config *c, const char *const *sets)
{
	char err[512];

	config_init(c);
	for (; *sets; sets++)
		assert_int_equal(config_set_pair(c, *sets, err, sizeof(err)), 0);
	assert_int_equal(config_finish(c, err, sizeof(err)), 0);
}

static struct machine *boot(const struct machine_config *c)
{
	char err[512];
	struct machine *m = machine_create(c, err, sizeof(err));

	if (!m)
		fail_msg("%s", err);
	return m;
}

/* At most @records of the workload onto @a and, if given, @b. Records applied. */
static size_t feed(struct workload_run *run, size_t records, struct machine *a, struct machine *b)
{
	static struct mm_op ops[MM_MAX_OP_BATCH];
	struct op_strings strings = workload_strings(run);
	size_t done = 0, n;

	while (done < records && (n = workload_next(run, ops, WORKLOAD_BURST)) > 0) {
		machine_apply(a, ops, n, &strings, NULL);
		if (b)
			machine_apply(b, ops, n, &strings, NULL);
		done += n;
	}
	return done;
}

static void assert_same(struct machine *a, struct machine *b)
{
	struct vmstat_snapshot x, y;

	machine_vmstat(a, &x);
	machine_vmstat(b, &y);
	assert_memory_equal(&x, &y, sizeof(x));
	assert_int_equal(machine_hash(a), machine_hash(b));
	assert_int_equal(machine_now(a), machine_now(b));
}

static void branch(const char *name, const char *const *sets)
{
	struct machine_config c;
	struct machine *original, *restored, *again;
	struct machine_snapshot *s;
	struct workload_run run;
	struct workload_options o = {.seed = test_seed(3)};
	char err[512], why[256];

	config_of(&c, sets);
	original = boot(&c);
	assert_int_equal(machine_keep_history(original), 0);
	workload_prepare(&run, workload_find(name));
	assert_int_equal(workload_start(&run, &o, err, sizeof(err)), 0);
	feed(&run, 20000, original, NULL);
	machine_advance(original, machine_now(original) + 50000000);
	s = machine_snapshot(original);
	assert_non_null(s);
	restored = machine_restore(s, err, sizeof(err));
	if (!restored)
		fail_msg("%s", err);
	assert_same(original, restored);
	assert_true(feed(&run, 20000, original, restored) > 0);
	assert_same(original, restored);
	assert_int_equal(machine_check(restored, why, sizeof(why)), 0);
	again = machine_restore(s, err, sizeof(err)); /* the snapshot itself has not moved on */
	assert_non_null(again);
	assert_true(machine_hash(again) != machine_hash(original));
	workload_stop(&run);
	machine_snapshot_free(s);
	machine_destroy(again);
	machine_destroy(restored);
	machine_destroy(original);
}

static void test_A12_6_files_and_forks(void **state)
{
	static const char *const sets[] = {"mem=256M", "seed=9", NULL};

	(void)state;
	branch("database", sets);
}

static void test_A12_6_generations(void **state)
{
	static const char *const sets[] = {"mem=24M", "swap=64M", "mglru=1", "reclaim=node", "seed=9", NULL};

	(void)state;
	branch("database", sets);
}

static void test_A12_6_heap(void **state)
{
	static const char *const sets[] = {"mem=128M", "arch=arm32", "machine=vexpress", NULL};

	(void)state;
	branch("churn", sets);
}

static const char *const *spoken;

static const char *say(const void *self, u64 id)
{
	(void)self;
	return spoken[id];
}

/* A second source of strings where the first one was, with other texts under the same numbers. */
static void test_strings_of_two_sources(void **state)
{
	static const char *const sets[] = {"mem=64M", NULL};
	static const char *const first[] = {"", "a", "b", "c"}, *const second[] = {"", "a", "x", "y"};
	static const u64 ids[] = {1, 2, 1, 2, 3};
	static const char *const want[] = {"a", "b", "a", "x", "y"};
	struct op_strings strings = {say, &strings};
	struct machine_config c;
	struct machine *m, *restored;
	struct machine_snapshot *s;
	char err[512];

	(void)state;
	config_of(&c, sets);
	m = boot(&c);
	assert_int_equal(machine_keep_history(m), 0);
	for (size_t i = 0; i < 5; i += i ? 3 : 2) { /* a batch of two, a batch of three */
		struct mm_op ops[6] = {{0}};
		size_t n = i ? 3 : 2;

		spoken = i ? second : first;
		for (size_t k = 0; k < n; k++) {
			struct mm_op_ext x = {.code = OP_EXT, .x0 = ids[i + k], .has = MM_EXT_X0};

			ops[2 * k] = (struct mm_op){.code = OP_MARK, .flags = MM_OP_HAS_EXT};
			memcpy(&ops[2 * k + 1], &x, sizeof(x));
		}
		machine_apply(m, ops, 2 * n, &strings, NULL);
	}
	s = machine_snapshot(m);
	assert_non_null(s);
	restored = machine_restore(s, err, sizeof(err));
	if (!restored)
		fail_msg("%s", err);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_string_equal(machine_mark(m, i)->name, want[i]);
		assert_string_equal(machine_mark(restored, i)->name, want[i]);
	}
	machine_snapshot_free(s);
	machine_destroy(restored);
	machine_destroy(m);
}

static void test_history_must_begin_at_boot(void **state)
{
	static const char *const sets[] = {"mem=64M", NULL};
	struct mm_op op = {.code = OP_TASK, .task = 1, .addr = 5, .len = 5};
	struct machine_config c;
	struct machine *m;

	(void)state;
	config_of(&c, sets);
	m = boot(&c);
	assert_null(machine_snapshot(m));
	machine_apply(m, &op, 1, NULL, NULL);
	assert_int_equal(machine_keep_history(m), -EBUSY);
	machine_destroy(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A12_6_files_and_forks),
		cmocka_unit_test(test_A12_6_generations),
		cmocka_unit_test(test_A12_6_heap),
		cmocka_unit_test(test_strings_of_two_sources),
		cmocka_unit_test(test_history_must_begin_at_boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
