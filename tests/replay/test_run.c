/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `memrig run` as users call it: every workload on a machine with all checks, the same result from
 * the generator and from the trace it wrote, and one line and exit status 2 for wrong usage.
 */
#include <jansson.h>
#include <unistd.h>

#include "bench/cmd.h"
#include "tests/command.h"
#include "workloads/workload.h"

#define MEMRIG MEMRIG_BINARY_DIR "/memrig"

/* Exit status of `memrig ARGS`; its standard error goes to @err if given. */
static int memrig(char *err, size_t n, const char *fmt, ...) MM_PRINTF(3, 4);

static int memrig(char *err, size_t n, const char *fmt, ...)
{
	char args[1024], command[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(args, sizeof(args), fmt, ap);
	va_end(ap);
	snprintf(command, sizeof(command), "%s %s 2>&1 >/dev/null", MEMRIG, args);
	return run_command(command, err, n);
}

/* Small enough to run all in a moment. */
static const char *settings(const char *workload)
{
	static const char *const small[][2] = {
		{"stream", "size=1M"}, {"churn", "events=20000 threads=5"}, {"forktree", "size=1M"},
		{"database", "events=3000 size=4M"}, {"build", "units=6 heap=3M"},
		{"fragment", "size=8M"}, {"clones", "size=1M"}, {"refs", "refs=20000"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(small); i++)
		if (!strcmp(small[i][0], workload))
			return small[i][1];
	return "";
}

static json_t *load(const char *path)
{
	json_t *j = json_load_file(path, 0, NULL);

	assert_non_null(j);
	return j;
}

static void assert_same(const char *name, const json_t *a, const json_t *b, const char *key)
{
	if (!json_object_get(a, key) || !json_equal(json_object_get(a, key), json_object_get(b, key)))
		fail_msg("%s: %s differs", name, key);
}

static void test_generated_and_written_give_the_same_result(void **state)
{
	char dir[] = "/tmp/memrig-run-test-XXXXXX", err[2000];
	const struct workload *w;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (unsigned i = 0; (w = workload_at(i)); i++) {
		json_t *a, *b;
		char path[64];

		snprintf(path, sizeof(path), "%s/a.json", dir);
		if (memrig(err, sizeof(err), "run %s %s --check -q --json %s", w->name, settings(w->name), path))
			fail_msg("%s: %s", w->name, err);
		a = load(path);
		unlink(path);
		assert_int_equal(memrig(err, sizeof(err), "run %s %s --write %s/t.mrt", w->name,
					settings(w->name), dir), 0);
		assert_int_equal(memrig(err, sizeof(err), "replay %s/t.mrt --check -q --json %s", dir, path), 0);
		b = load(path);
		assert_same(w->name, a, b, "vmstat");
		assert_same(w->name, a, b, "tasks");
		assert_same(w->name, a, b, "zones");
		json_decref(a);
		json_decref(b);
		unlink(path);
		snprintf(path, sizeof(path), "%s/t.mrt", dir);
		unlink(path);
	}
	assert_int_equal(rmdir(dir), 0);
}

/* Larger pages, a small address space: streams still hold what they promise. */
static void test_other_machines(void **state)
{
	static const char *const sets[] = {"page=16k", "page=64k", "va=39"};
	const struct workload *w;
	char err[2000];

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(sets); k++)
		for (unsigned i = 0; (w = workload_at(i)); i++)
			if (memrig(err, sizeof(err), "run %s %s --check -q --set %s", w->name,
				   settings(w->name), sets[k]))
				fail_msg("%s, %s: %s", w->name, sets[k], err);
}

static void test_wrong_usage_is_one_line(void **state)
{
	static const char *const wrong[] = {
		"run", "run nothing", "run stream size", "run stream size=x", "run stream sise=1M",
		"run stream --gap 0", "run forktree depth=16", "run stream --set mem=nonsense",
		"run stream --write /no/such/dir/t.mrt", "run stream size=64K --json /no/such/dir/t.json",
	};
	char err[2000];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		int rc = memrig(err, sizeof(err), "%s%s", wrong[i], i ? " -q" : "");

		if (rc != EXIT_USAGE || !*err || strchr(err, '\n') != err + strlen(err) - 1)
			fail_msg("%s: status %d, \"%s\"", wrong[i], rc, err);
	}
	assert_int_equal(memrig(err, sizeof(err), "run --list"), EXIT_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_generated_and_written_give_the_same_result),
		cmocka_unit_test(test_other_machines),
		cmocka_unit_test(test_wrong_usage_is_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
