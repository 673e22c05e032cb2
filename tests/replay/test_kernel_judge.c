/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The running kernel judges the model (policy=modern, hwad=1): kernel_judge issues random sequences of
 * memory system calls and accesses on the kernel below, and every answer, every fault and the mappings
 * at the end must be the model's. Rules differ between kernels: policy=modern is 6.18, older ones are
 * not asked. MEMRIG_SEED moves the seeds, MEMRIG_JUDGE_SEEDS says how many each mode gets.
 */
#include <jansson.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/cmd.h"
#include "tests/test.h"

#define STEPS    250
#define MAX_MAPS 4096
#define SEEDS    12

struct map {
	unsigned long task, start, end;
	char perms[5];
};

static struct map wanted[MAX_MAPS];
static size_t nr_wanted;


/* The "#maps" comments of the trace; the widest range they lie in bounds what is compared. */
static void read_maps(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[256];
	struct map m;

	assert_non_null(f);
	nr_wanted = 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "#maps %lu %lx %lx %4s", &m.task, &m.start, &m.end, m.perms) == 4) {
			assert_true(nr_wanted < MAX_MAPS);
			wanted[nr_wanted++] = m;
		}
	fclose(f);
}

static bool is_wanted(unsigned long task, unsigned long start, unsigned long end, const char *perms)
{
	for (size_t i = 0; i < nr_wanted; i++)
		if (wanted[i].task == task && wanted[i].start == start && wanted[i].end == end &&
		    !strcmp(wanted[i].perms, perms))
			return true;
	return false;
}

/* Every mapping of task 1 in the kernel's list, and none besides where the kernel was asked to look. */
static void compare_maps(const char *path)
{
	json_t *root = json_load_file(path, 0, NULL), *task, *vma;
	size_t i, k, found = 0, expected = 0;

	assert_non_null(root);
	json_array_foreach(json_object_get(root, "tasks"), i, task) {
		if (json_integer_value(json_object_get(task, "task")) != 1)
			continue;
		json_array_foreach(json_object_get(task, "vmas"), k, vma) {
			unsigned long start = strtoul(json_string_value(json_object_get(vma, "start")), NULL, 16);
			unsigned long end = strtoul(json_string_value(json_object_get(vma, "end")), NULL, 16);
			const char *kind = json_string_value(json_object_get(vma, "kind"));

			if ((start >= 0x20040000 || end <= 0x20000000) && strcmp(kind, "heap"))
				continue;
			found++;
			if (!is_wanted(1, start, end, json_string_value(json_object_get(vma, "perms"))))
				fail_msg("%s: the model has %lx-%lx, the kernel has not", path, start, end);
		}
	}
	for (i = 0; i < nr_wanted; i++)
		expected += wanted[i].task == 1;
	assert_int_equal(found, expected);
	json_decref(root);
}

static void judge(const char *mode)
{
	unsigned long first = test_seed(1) * 1000, n = SEEDS;

	if (getenv("MEMRIG_JUDGE_SEEDS"))
		n = strtoul(getenv("MEMRIG_JUDGE_SEEDS"), NULL, 0);
	for (unsigned long seed = first; seed < first + n; seed++) {
		char trace[256], json[256], command[1024];

		snprintf(trace, sizeof(trace), "%s/judge-%s.txt", MEMRIG_BINARY_DIR, mode);
		snprintf(json, sizeof(json), "%s/judge-%s.json", MEMRIG_BINARY_DIR, mode);
		snprintf(command, sizeof(command), "%s/kernel-judge %lu %d %s >%s", MEMRIG_BINARY_DIR, seed, STEPS,
			 mode, trace);
		assert_int_equal(system(command), 0);
		snprintf(command, sizeof(command),
			 "%s/memrig replay %s --quiet --check --set policy=modern --set hwad=1 --json %s",
			 MEMRIG_BINARY_DIR, trace, json);
		if (system(command))
			fail_msg("mode %s, seed %lu: the answers differ, see %s", mode, seed, trace);
		read_maps(trace);
		compare_maps(json);
	}
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_anon),  cmocka_unit_test(test_lock), cmocka_unit_test(test_place),
		cmocka_unit_test(test_brk),   cmocka_unit_test(test_fork),
	};
	struct utsname u;
	int major = 0, minor = 0;

	uname(&u);
	sscanf(u.release, "%d.%d", &major, &minor);
	if (major * 1000 + minor < 6018 || sysconf(_SC_PAGESIZE) != 4096) {
		printf("skipped: the judge is a 6.18 kernel with 4 KiB pages, this is %s\n", u.release);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
