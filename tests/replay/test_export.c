/* SPDX-License-Identifier: BSD-2-Clause */
/* memrig export pgtables: the state at a mark, before the last exit, of a named task; errors. */
#include <sys/stat.h>
#include <unistd.h>

#include "tests/command.h"

#define MEMRIG MEMRIG_BINARY_DIR "/memrig "

static char dir[] = "/tmp/memrig-export-XXXXXX";
static char trace[256];

static const char text[] =
	"memrig-trace 1\n@arch arm64\n@page_size 4096\n"
	"0 0 1 spawn\n"
	"1 0 1 mmap addr=0x10000000 len=0x4000 prot=rw flags=private,anon,fixed = 0x10000000\n"
	"2 0 1 write addr=0x10000000 len=4096\n"
	"3 0 1 mark name=one\n"
	"4 0 1 write addr=0x10001000 len=4096\n"
	"5 0 2 spawn\n"
	"6 0 2 mmap addr=0x20000000 len=0x4000 prot=r flags=private,anon,fixed = 0x20000000\n"
	"7 0 2 read addr=0x20000000 len=4096\n"
	"8 0 1 munmap addr=0x10000000 len=0x1000\n"
	"9 0 1 exit\n"
	"10 0 2 exit\n";

static int run(const char *fmt, const char *args, char *out, size_t n)
{
	char cmd[1024];

	snprintf(cmd, sizeof(cmd), fmt, trace, dir, args);
	return run_command(cmd, out, n);
}

static int export(const char *args, char *out, size_t n)
{
	return run(MEMRIG "export pgtables %s -o %s/case --probes 3000 %s 2>&1", args, out, n);
}

/* Probes of @kind in the page at @va that were answered with @answer. */
static unsigned answers(u64 va, const char *kind, const char *answer)
{
	char path[300], line[256], k[8], status[16];
	unsigned long long at;
	unsigned n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/case/expected.txt", dir);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		assert_int_equal(sscanf(line, "%llx %7s %15s", &at, k, status), 3);
		n += at >> 12 == va >> 12 && !strcmp(k, kind) && !strcmp(status, answer);
	}
	fclose(f);
	return n;
}

static void test_export_at(void **state)
{
	char out[4096];

	(void)state;
	assert_int_equal(export("--at one", out, sizeof(out)), 0);
	assert_non_null(strstr(out, "task 1 on arm64-4k-48"));
	assert_true(answers(0x10000000, "uw", "ok") > 0);
	assert_int_equal(answers(0x10001000, "uw", "ok"), 0);
	assert_int_equal(export("", out, sizeof(out)), 0); /* the busiest task, before it exits */
	assert_int_equal(answers(0x10000000, "uw", "ok"), 0);
	assert_true(answers(0x10001000, "uw", "ok") > 0);
	assert_int_equal(export("--task 2 --set page=64k --set va=42", out, sizeof(out)), 0);
	assert_non_null(strstr(out, "task 2 on arm64-64k-42"));
	assert_true(answers(0x20000000, "ur", "ok") > 0);
	assert_true(answers(0x20000000, "uw", "fault") > 0);
	assert_int_equal(export("--set arch=arm32 --set machine=vexpress --seed 7", out, sizeof(out)), 0);
	assert_true(answers(0x10001000, "uw", "ok") > 0);
}

static void test_export_errors(void **state)
{
	char out[4096];

	(void)state;
	assert_int_equal(export("--at nowhere", out, sizeof(out)), 2);
	assert_non_null(strstr(out, "no mark 'nowhere'"));
	assert_int_equal(export("--task 77", out, sizeof(out)), 2);
	assert_non_null(strstr(out, "no address space of task 77"));
	assert_int_equal(export("--probes 0", out, sizeof(out)), 2);
	assert_int_equal(export("--set va=40", out, sizeof(out)), 2);
	assert_int_equal(run(MEMRIG "export %s %s %s 2>&1", "", out, sizeof(out)), 2);
	assert_int_equal(run(MEMRIG "export pgtables %s.gone -o %s %s 2>&1", "", out, sizeof(out)), 2);
}

static int make(void **state)
{
	FILE *f;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(trace, sizeof(trace), "%s/t.txt", dir);
	f = fopen(trace, "we");
	return f && fputs(text, f) >= 0 && !fclose(f) ? 0 : -1;
}

static int clean(void **state)
{
	char cmd[300];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	return system(cmd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_export_at),
		cmocka_unit_test(test_export_errors),
	};

	return cmocka_run_group_tests(tests, make, clean);
}
