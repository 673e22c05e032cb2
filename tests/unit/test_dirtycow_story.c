/* SPDX-License-Identifier: BSD-2-Clause */
/* What `memrig run dirtycow` and study E10 tell: one rule changes the file, the others do not. */
#include <errno.h>

#include "bench/dirtycow.h"
#include "tests/machine_boot.h"
#include "traces/reader.h"

static u32 times(const char *text, const char *what)
{
	u32 n = 0;

	while ((text = strstr(text, what))) {
		n++;
		text++;
	}
	return n;
}

static void tell(struct machine_config *c, bool one, char *text, size_t n)
{
	char err[512];
	FILE *f = fmemopen(text, n, "w");

	assert_int_equal(config_finish(c, err, sizeof(err)), 0);
	assert_int_equal(dirtycow_story(c, one, 1, f, err, sizeof(err)), 0);
	fclose(f);
}

static void test_story(void **state)
{
	static const char *const archs[] = {"arch=arm64", "arch=arm32"};
	static char text[16384];
	char err[512];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct machine_config c;

		config_init(&c);
		assert_int_equal(config_set_pair(&c, archs[i], err, sizeof(err)), 0);
		tell(&c, false, text, sizeof(text));
		assert_int_equal(times(text, "The file is CHANGED"), 1);
		assert_int_equal(times(text, "The file is as it was"), 2);
		assert_int_equal(times(text, "EVILG"), 1);
		assert_int_equal(times(text, "successes 1"), 1);
		assert_int_equal(times(text, "successes 0"), 2);
		assert_int_equal(config_set_pair(&c, "dirtycow=fixed", err, sizeof(err)), 0);
		tell(&c, true, text, sizeof(text));
		assert_int_equal(times(text, "dirtycow="), 1);
		assert_int_equal(times(text, "The file is CHANGED"), 0);
	}
}

#define RACES 64

/* Study E10's races: the answers in @value, in order. */
static void race(struct machine *m, s64 *value)
{
	static struct mm_result results[4096];
	char err[512];
	struct trace_reader *r = trace_open(MEMRIG_SOURCE_DIR "/workloads/studies/dirtycow.txt", TRACE_READ_INLINE,
					    err, sizeof(err));
	const struct mm_op *ops;
	unsigned races = 0;
	ssize_t n;

	if (!r)
		fail_msg("%s", err);
	while ((n = trace_next(r, &ops)) > 0) {
		struct op_strings strings = trace_reader_strings(r);

		assert_true(n <= 4096);
		machine_apply(m, ops, (size_t)n, &strings, results);
		for (ssize_t i = 0; i < n; i++)
			if (ops[i].code == OP_DIRTYCOW) {
				assert_true(races < RACES);
				value[races++] = results[i].value;
			}
	}
	assert_int_equal(races, RACES);
	trace_close(r);
}

static void test_attempts(void **state)
{
	static const char *const rules[] = {"vulnerable", "fixed", "exclusive"};

	(void)state;
	for (int rule = 0; rule < 3; rule++) {
		s64 value[RACES], writes = 0;
		char settings[64];
		struct machine *m;

		snprintf(settings, sizeof(settings), "mem=64M dirtycow=%s", rules[rule]);
		m = boot_machine(settings);
		race(m, value);
		for (int i = 0; i < RACES; i++) {
			if (rule ? value[i] != -EAGAIN : value[i] < 1 || value[i] > 20)
				fail_msg("%s, race %d: %lld", rules[rule], i, (long long)value[i]);
			writes += value[i];
		}
		assert_int_equal(machine_counter(m, "forced_write_successes"), rule ? 0 : RACES);
		if (!rule) { /* each window is a success, and ends its race */
			assert_int_equal(machine_counter(m, "forced_writes"), writes);
			assert_int_equal(machine_counter(m, "forced_write_windows"), RACES);
		}
		assert_true(machine_counter(m, "forced_writes") >= (rule ? 1000 : RACES));
		if (rule == 1)
			assert_true(machine_counter(m, "forced_write_windows") > 1000);
		assert_machine_sound(m);
		machine_destroy(m);
	}
}

static s64 race_at(struct machine *m, u64 addr)
{
	struct mm_op op = {.code = OP_DIRTYCOW, .task = 1, .addr = addr, .len = 10};
	struct mm_result r;

	machine_apply(m, &op, 1, NULL, &r);
	return r.value;
}

/* Only a private mapping of a file has what the race is about. */
static void test_no_race(void **state)
{
	struct machine *m = boot_machine("mem=64M");
	struct mm_op task = {.code = OP_TASK, .task = 1, .addr = 1, .len = 1};
	struct task *t;

	(void)state;
	machine_apply(m, &task, 1, NULL, NULL);
	t = boot_task(m, 1);
	assert_int_equal(vm_file(&m->vm, 1, 8192, "disk", "F"), 0);
	assert_int_equal(race_at(m, 0x20000000), -EINVAL); /* nothing there */
	assert_int_equal(sys_mmap(&m->vm, t, 0x20000000, 4096, MM_PROT_READ,
				  MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED, 0, 0, 0),
			 0x20000000);
	assert_int_equal(race_at(m, 0x20000000), -EINVAL);
	assert_int_equal(sys_mmap(&m->vm, t, 0x20000000, 4096, MM_PROT_READ, MM_MAP_SHARED | MM_MAP_FIXED, 1, 0, 0),
			 0x20000000);
	assert_int_equal(race_at(m, 0x20000000), -EINVAL);
	assert_int_equal(sys_mmap(&m->vm, t, 0x20000000, 4096, MM_PROT_READ, MM_MAP_PRIVATE | MM_MAP_FIXED, 1, 0, 0),
			 0x20000000);
	assert_int_equal(race_at(m, 0x20000001), -EINVAL);
	assert_int_equal(race_at(m, 0x20000000), -EFAULT); /* not cached */
	assert_int_equal(sys_fread(&m->vm, t, 1, 0, 4096, 0), 4096);
	assert_int_equal(race_at(m, 0x20000000), -EAGAIN);
	assert_machine_sound(m);
	machine_destroy(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_story),
		cmocka_unit_test(test_attempts),
		cmocka_unit_test(test_no_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
