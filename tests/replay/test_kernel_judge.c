/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The running kernel judges the model (bench/verify.h). MEMRIG_SEED moves the seeds, MEMRIG_JUDGE_SEEDS
 * says how many sequences each mode gets.
 */
#include <sys/wait.h>

#include "bench/verify.h"
#include "tests/test.h"

#define STEPS 250
#define SEEDS 12

static void judge(const char *mode)
{
	u64 first = test_seed(1) * 1000, n = SEEDS;
	struct verify_result r = {0};
	char err[512];

	if (getenv("MEMRIG_JUDGE_SEEDS"))
		n = strtoull(getenv("MEMRIG_JUDGE_SEEDS"), NULL, 0);
	for (u64 seed = first; seed < first + n; seed++) {
		char trace[512];

		snprintf(trace, sizeof(trace), "%s/judge-%s.txt", MEMRIG_BINARY_DIR, mode);
		if (verify_sequence(mode, seed, STEPS, trace, &r, err, sizeof(err)))
			fail_msg("%s", err);
		if (r.differences)
			fail_msg("mode %s, seed %llu: %s", mode, (unsigned long long)seed, r.first);
	}
	assert_true(r.answers >= n * STEPS);
	assert_true(r.mappings > n);
}

static void test_anon(void **state)
{
	(void)state;
	judge("anon");
}

static void test_lock(void **state)
{
	(void)state;
	judge("lock");
}

static void test_place(void **state)
{
	(void)state;
	judge("place");
}

static void test_brk(void **state)
{
	(void)state;
	judge("brk");
}

static void test_fork(void **state)
{
	(void)state;
	judge("fork");
}

static void test_file(void **state)
{
	(void)state;
	judge("file");
}

/* A wrong answer, written over a right one, is found. */
static void test_a_lie_is_found(void **state)
{
	const char *path = MEMRIG_BINARY_DIR "/judge-lie.txt";
	struct verify_result r = {0};
	char err[512], command[1200];

	(void)state;
	if (verify_sequence("anon", 7, STEPS, path, &r, err, sizeof(err)))
		fail_msg("%s", err);
	assert_int_equal(r.differences, 0);
	snprintf(command, sizeof(command),
		 "sed -i '0,/= minor/s//= none/' %s && %s/memrig replay %s --quiet --check --set policy=modern "
		 "--set hwad=1 >/dev/null", path, MEMRIG_BINARY_DIR, path);
	assert_int_equal(WEXITSTATUS(system(command)), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_anon), cmocka_unit_test(test_lock), cmocka_unit_test(test_place),
		cmocka_unit_test(test_brk), cmocka_unit_test(test_fork), cmocka_unit_test(test_file),
		cmocka_unit_test(test_a_lie_is_found),
	};
	char why[256];

	if (!verify_possible(why, sizeof(why))) {
		printf("skipped: %s\n", why);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
