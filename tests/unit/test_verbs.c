/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line as strangers meet it: runs the binary and looks at exit status and output. */
#include <unistd.h>

#include "bench/cmd.h"
#include "bench/perf.h"
#include "tests/command.h"

#define MEMRIG MEMRIG_BINARY_DIR "/memrig "

static unsigned lines(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

static void test_help_and_version(void **state)
{
	char out[8192];

	(void)state;
	assert_int_equal(run_command(MEMRIG "--help 2>/dev/null", out, sizeof(out)), 0);
#define VERB(name, function, summary) assert_non_null(strstr(out, summary));
#include "bench/verbs.def"
#undef VERB
	assert_int_equal(run_command(MEMRIG "--version 2>/dev/null", out, sizeof(out)), 0);
	assert_non_null(strstr(out, "memrig " MEMRIG_VERSION));
}

static void test_every_verb_has_help(void **state)
{
	char out[65536];

	(void)state;
#define VERB(name, function, summary)                                                              \
	if (summary[0]) { /* no summary: internal */                                               \
		assert_int_equal(run_command(MEMRIG #name " --help 2>/dev/null", out, sizeof(out)), 0);    \
		assert_true(lines(out) > 2);                                                       \
	}
#include "bench/verbs.def"
#undef VERB
}

static void test_unknown_verb(void **state)
{
	char out[1024];

	(void)state;
	assert_int_equal(run_command(MEMRIG "benhc 2>&1 >/dev/null", out, sizeof(out)), 2);
	assert_non_null(strstr(out, "'bench'"));
	assert_int_equal(lines(out), 1);
	assert_int_equal(run_command(MEMRIG "zzzzzzzzzz 2>&1 >/dev/null", out, sizeof(out)), 2);
	assert_int_equal(lines(out), 1);
	assert_int_equal(run_command(MEMRIG "2>/dev/null", out, sizeof(out)), 2);
}

static void test_unknown_option(void **state)
{
	char out[4096];

	(void)state;
#define VERB(name, function, summary)                                                              \
	assert_int_equal(run_command(MEMRIG #name " --no-such-option 2>&1", out, sizeof(out)), 2);
#include "bench/verbs.def"
#undef VERB
}

static void test_bench_runs(void **state)
{
	char out[8192];

	(void)state;
	assert_int_equal(run_command(MEMRIG "bench --force --quick --perf --filter hw/clock 2>/dev/null", out,
			     sizeof(out)), 0);
	assert_non_null(strstr(out, "hw/clock"));
	assert_non_null(strstr(out, perf_name(PERF_ITEM_TASK_CLOCK)));
	assert_int_equal(run_command(MEMRIG "bench --force --filter no-such-case 2>/dev/null", out, sizeof(out)), 2);
	assert_int_equal(run_command(MEMRIG "bench --force --benchmark_nonsense=1 2>/dev/null", out, sizeof(out)), 2);
	/* Google Benchmark's own report and flags pass through */
	assert_int_equal(run_command(MEMRIG "bench --force --quick --filter hw/clock "
				     "--benchmark_format=csv 2>/dev/null", out, sizeof(out)), 0);
	assert_non_null(strstr(out, "items_per_second"));
}

/* Every case gets ready, runs and tears down: one short repetition of each. */
static void test_every_bench_case_runs(void **state)
{
	char out[65536];

	(void)state;
	if (run_command(MEMRIG "bench --force --repetitions 1 --min-time 0.000001 2>&1 >/dev/null", out, sizeof(out)))
		fail_msg("%s", out);
}

static void test_bench_refuses_assertions(void **state)
{
	char out[1024];

	(void)state;
	assert_int_equal(run_command(MEMRIG "bench --quick --filter hw/clock 2>&1", out, sizeof(out)),
			 MM_DEBUG ? 2 : 0);
}

static void put(const char *path, const char *values)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fprintf(f, "{\"benches\": [{\"name\": \"x/y\", \"unit\": \"ns\", \"less_is_better\": true, "
		   "\"values\": [%s]}]}\n", values);
	fclose(f);
}

static void test_compare_gate(void **state)
{
	char dir[] = "/tmp/memrig-compare-XXXXXX", a[64], b[64], c[64], cmd[1024], out[4096];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(a, sizeof(a), "%s/a.json", dir);
	snprintf(b, sizeof(b), "%s/b.json", dir);
	snprintf(c, sizeof(c), "%s/c.json", dir);
	put(a, "10.0, 10.1, 10.2, 9.9, 9.8");
	put(b, "12.0, 12.1, 12.2, 11.9, 11.8");
	put(c, "10.05, 10.15, 10.02, 9.95, 9.85");
	snprintf(cmd, sizeof(cmd), MEMRIG "compare %s %s --gate 5 2>&1", a, b);
	assert_int_equal(run_command(cmd, out, sizeof(out)), 1);
	assert_non_null(strstr(out, "REGRESSION"));
	snprintf(cmd, sizeof(cmd), MEMRIG "compare %s %s --gate 30 2>&1", a, b);
	assert_int_equal(run_command(cmd, out, sizeof(out)), 0);
	snprintf(cmd, sizeof(cmd), MEMRIG "compare %s %s --gate 0 2>&1", a, c);
	assert_int_equal(run_command(cmd, out, sizeof(out)), 0);
	snprintf(cmd, sizeof(cmd), MEMRIG "compare %s %s --gate 5 2>&1", b, a); /* a gain */
	assert_int_equal(run_command(cmd, out, sizeof(out)), 0);
	snprintf(cmd, sizeof(cmd), MEMRIG "compare %s %s/none.json 2>&1", a, dir);
	assert_int_equal(run_command(cmd, out, sizeof(out)), 2);
	snprintf(cmd, sizeof(cmd), "echo '{\"benches\": 3}' >%s; " MEMRIG "compare %s %s 2>&1", c, a, c);
	assert_int_equal(run_command(cmd, out, sizeof(out)), 2);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	assert_int_equal(run_command(cmd, out, sizeof(out)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_help_and_version),
		cmocka_unit_test(test_every_verb_has_help),
		cmocka_unit_test(test_unknown_verb),
		cmocka_unit_test(test_unknown_option),
		cmocka_unit_test(test_bench_runs),
		cmocka_unit_test(test_every_bench_case_runs),
		cmocka_unit_test(test_bench_refuses_assertions),
		cmocka_unit_test(test_compare_gate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
