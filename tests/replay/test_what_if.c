/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `memrig replay` and `run` with lists: for each machine exactly what a run of its own gives; rows for what
 * cannot be; one line and status 2 for bad input.
 */
#include <jansson.h>
#include <unistd.h>

#include "bench/cmd.h"
#include "tests/command.h"

#define MEMRIG MEMRIG_BINARY_DIR "/memrig"

static char dir[] = "/tmp/memrig-what-if-XXXXXX";

/* Exit status of `memrig ARGS` in the test's directory; what it prints on both streams in @out. */
static int memrig(char *out, size_t n, const char *fmt, ...) MM_PRINTF(3, 4);

static int memrig(char *out, size_t n, const char *fmt, ...)
{
	char args[2048], command[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(args, sizeof(args), fmt, ap);
	va_end(ap);
	snprintf(command, sizeof(command), "(cd %s && %s %s) 2>&1", dir, MEMRIG, args);
	return run_command(command, out, n);
}

static void ok(const char *args)
{
	static char out[65536];

	if (memrig(out, sizeof(out), "%s", args))
		fail_msg("%s: %s", args, out);
}

static json_t *load(const char *name)
{
	char path[4096];
	json_t *j;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	j = json_load_file(path, 0, NULL);
	assert_non_null(j);
	return j;
}

/* The result's text without what differs from run to run (interfaces.md s4). */
static char *timeless(json_t *j)
{
	json_t *replay = json_object_get(j, "replay"), *op;
	const char *name;

	json_object_del(replay, "seconds");
	json_object_del(replay, "events_per_second");
	json_object_del(j, "host");
	json_object_foreach(json_object_get(j, "ops"), name, op) {
		json_object_del(op, "ns_p50");
		json_object_del(op, "ns_p99");
	}
	return json_dumps(j, JSON_INDENT(1));
}

/* Every variant of @lists in many.json against a run of @verb with the variant's own settings. */
static void compare_all(const char *verb, const char *fixed, size_t nr)
{
	json_t *all = load("many.json"), *variants = json_object_get(all, "variants"), *v, *value;
	size_t i;

	assert_int_equal(json_array_size(variants), nr);
	json_array_foreach(variants, i, v) {
		char args[1024], *got = timeless(json_object_get(v, "result")), *want;
		const char *key;
		json_t *one;

		snprintf(args, sizeof(args), "%s %s -q --json one.json", verb, fixed);
		json_object_foreach(json_object_get(v, "settings"), key, value)
			snprintf(args + strlen(args), sizeof(args) - strlen(args), " --set %s=%s", key,
				 json_string_value(value));
		ok(args);
		one = load("one.json");
		want = timeless(one);
		if (strcmp(got, want))
			fail_msg("%s differs from: %s", json_string_value(json_object_get(v, "variant")), args);
		free(got);
		free(want);
		json_decref(one);
	}
	json_decref(all);
}

static void test_each_is_as_if_alone(void **state)
{
	(void)state;
	ok("run database events=30000 size=32M --write t.mrt");
	ok("replay t.mrt -q --set swap=64M --set mem=48M,96M,...,384M --set workingset=0,1 --json many.json");
	compare_all("replay t.mrt", "--set swap=64M", 8);
	ok("replay t.mrt -q --jobs 3 --set mem=0.5wss,...,2wss --set page=4k,16k --set va=48 --json many.json");
	compare_all("replay t.mrt", "--set va=48", 6);
	ok("replay t.mrt -q --jobs 1 --set mem=1wss --set policy=4.0,4.12,modern --set threads=inline --json "
	   "many.json");
	compare_all("replay t.mrt", "--set mem=1wss --set threads=inline", 3);
	ok("run refs refs=20000 pages=8192 -q --set page=4k,16k --set mem=32M,64M --set va=48 --json many.json");
	compare_all("run refs refs=20000 pages=8192", "--set va=48", 4);
	ok("run refs refs=20000 pages=8192 -q --set seed=1,2 --json many.json");
	compare_all("run refs refs=20000 pages=8192", "", 2);
}

/* Samples go into a directory each, the same as alone. */
static void test_samples(void **state)
{
	static char out[4096];

	(void)state;
	ok("run refs refs=20000 pages=8192 --write t.mrt");
	ok("replay t.mrt -q --set mem=32M,64M --sample 100000 -o many");
	ok("replay t.mrt -q --set mem=64M --sample 100000 -o one");
	snprintf(out, sizeof(out), "cd %s && cmp many/64M/samples.csv one/samples.csv && test -s many/32M/samples.csv",
		 dir);
	assert_int_equal(system(out), 0);
}

static void test_rows(void **state)
{
	static char out[65536];

	(void)state;
	ok("run database events=2000 size=8M --write t.mrt");
	assert_int_equal(memrig(out, sizeof(out), "replay t.mrt -q --set mem=1M,128M --json many.json"), EXIT_DONE);
	assert_non_null(strstr(out, "mem=1M: too small"));
	assert_non_null(strstr(out, "  ok\n"));
	json_t *all = load("many.json"), *list = json_object_get(all, "variants");

	assert_non_null(json_object_get(json_array_get(list, 0), "error"));
	assert_null(json_object_get(json_array_get(list, 0), "result"));
	assert_non_null(json_object_get(json_array_get(list, 1), "result"));
	json_decref(all);
	/* the guest runs out of memory: a result like any other, and the row says so */
	ok("run churn events=4000 --write t.mrt");
	assert_int_equal(memrig(out, sizeof(out), "replay t.mrt -q --set arch=arm32,arm64 --set lpae=1"), EXIT_DONE);
	assert_non_null(strstr(out, "lpae=1 needs arch=arm32"));
	assert_int_equal(memrig(out, sizeof(out), "run forktree size=20M depth=2 wide=1 write=100 -q --set "
				"mem=48M,1G --set overcommit_memory=1"), EXIT_DONE);
	assert_non_null(strstr(out, "out of memory: "));
	/* nothing works: that is an error */
	assert_int_equal(memrig(out, sizeof(out), "replay t.mrt -q --set mem=1K,2K"), EXIT_USAGE);
	assert_string_equal(strchr(out, '\n'), "\n");
}

static void test_check_finds_the_line(void **state)
{
	static char out[65536];
	char path[4096];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/t.txt", dir);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs("memrig-trace 1\n0 0 1 spawn\n1 0 1 mmap addr=0x10000000 len=0x8000 prot=rw flags=private,anon,fixed = "
	      "0x10000000\n# a comment\n2 0 1 write addr=0x10000000 len=1 = major\n", f);
	fclose(f);
	assert_int_equal(memrig(out, sizeof(out), "replay t.txt -q --check --set mem=64M,128M"), EXIT_CHECK_FAILED);
	assert_non_null(strstr(out, "==> 128M\nt.txt:5: expected major, got minor\n"));
	assert_non_null(strstr(out, "check failed"));
}

static void test_bad_input_is_one_line(void **state)
{
	static const char *const wrong[] = {
		"replay t.mrt --set mem=64M,none", "replay t.mrt --set policy=4.0,5.0",
		"replay none.mrt --set mem=64M,128M",
		"replay t.mrt --set mem=64M,...,32M", "replay t.mrt --set mem=64M,128M --show nosuch",
		"replay t.mrt --set mem=64M,128M --jobs 0", "replay t.mrt --set mem=64M,128M --json /no/such/dir/x",
		"run stream --set mem=64M,128M --write x.mrt", "sweep t.mrt --vary nosuch=1,2",
		"sweep t.mrt --param size=1M,2M t",
		"sweep stream --param sise=1M,2M", "sweep stream --machine 'a nosuch=1'",
	};
	static char out[65536];

	(void)state;
	ok("run stream size=1M --write t.mrt");
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		int rc = memrig(out, sizeof(out), "%s -q >/dev/null", wrong[i]);

		if (rc != EXIT_USAGE || !*out || strchr(out, '\n') != out + strlen(out) - 1)
			fail_msg("%s: status %d, \"%s\"", wrong[i], rc, out);
	}
}

static void test_sweep_groups(void **state)
{
	static char out[65536];

	(void)state;
	assert_int_equal(memrig(out, sizeof(out), "sweep refs refs=20000 --param pages=4096,8192 --set mem=32M,64M "
				"--machine 'no shadows: workingset=0' --machine 'modern policy=modern' "
				"--metrics references,misses -q -o s"),
			 EXIT_DONE);
	ok("run refs refs=20000 pages=8192 -q --set mem=64M --set policy=modern --json one.json");
	json_t *one = load("one.json"), *many = load("s/8192_64M_modern/result.json");

	json_object_del(json_object_get(one, "trace"), "path");
	json_object_del(json_object_get(many, "trace"), "path");
	char *a = timeless(one), *b = timeless(many);

	assert_string_equal(a, b);
	free(a);
	free(b);
	json_decref(one);
	json_decref(many);
}

static int make_dir(void **state)
{
	(void)state;
	return !mkdtemp(dir);
}

static int remove_dir(void **state)
{
	char command[256];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_is_as_if_alone),
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_check_finds_the_line),
		cmocka_unit_test(test_bad_input_is_one_line),
		cmocka_unit_test(test_sweep_groups),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
