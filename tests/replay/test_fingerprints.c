/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fingerprints of live programs: two copies of one program are recorded, and a replay with KSM
 * saves what they have in common. The program is this file, executed with --target. Skipped (77)
 * without the right to use eBPF.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/machine.h"
#include "tests/test.h"
#include "traces/reader.h"
#include "traces/record/recorder.h"

#define MEMRIG MEMRIG_BINARY_DIR "/memrig"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

/* Pages of the program, by what they hold. */
#define COMMON	 400u /* the same in both copies, each page another */
#define REPEATED 100u /* all the same */
#define OWN	 150u /* of this process alone */
#define ZEROS	 50u  /* written zeros */
#define BUSY	 20u  /* written again and again */
#define PAGES	 (COMMON + REPEATED + OWN + ZEROS + BUSY)
#define ROUNDS	 24u
#define NAP_MS	 100u

static void fill_page(u8 *area, u64 page, u64 seed)
{
	u64 *w = (u64 *)(void *)(area + page * 4096);

	for (u64 i = 0; i < 512; i++)
		w[i] = seed ? (seed + i) * 0x9e3779b97f4a7c15ull : 0;
}

static int target(void)
{
	const struct timespec nap = {0, NAP_MS * 1000000};
	u8 *area = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);
	u64 page = 0, pid = (u64)getpid() << 20;

	if (area == MAP_FAILED)
		return 1;
	madvise(area, PAGES * 4096, MADV_NOHUGEPAGE);
	for (u64 i = 0; i < COMMON; i++)
		fill_page(area, page++, 1000 + i);
	for (u64 i = 0; i < REPEATED; i++)
		fill_page(area, page++, 7);
	for (u64 i = 0; i < OWN; i++)
		fill_page(area, page++, pid + i);
	for (u64 i = 0; i < ZEROS; i++) {
		area[page * 4096] = 1;
		fill_page(area, page++, 0);
	}
	for (u64 r = 0; r < ROUNDS; r++) {
		for (u64 i = 0; i < BUSY; i++)
			fill_page(area, page + i, pid + 100000 + r * BUSY + i);
		nanosleep(&nap, NULL);
	}
	return 0;
}

static char dir[] = "/tmp/memrig-prints-XXXXXX";

static void in_dir(char *path, size_t n, const char *name)
{
	snprintf(path, n, "%s/%s", dir, name);
}

static int run(const char *fmt, const char *a, const char *b)
{
	char command[1400];
	int status;

	snprintf(command, sizeof(command), fmt, a, b);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* A column of the samples at its greatest. */
static u64 greatest(const char *csv, const char *column)
{
	FILE *f = fopen(csv, "r");
	char *line = NULL, *save, *w;
	size_t cap = 0;
	u64 best = 0;
	int at = -1, i;

	assert_non_null(f);
	while (getline(&line, &cap, f) > 0) {
		line[strcspn(line, "\n")] = 0;
		for (i = 0, w = strtok_r(line, ",", &save); w;
		     i++, w = strtok_r(NULL, ",", &save)) {
			if (at < 0 && !strcmp(w, column)) {
				at = i;
				break;
			}
			if (i == at && strtoull(w, NULL, 10) > best)
				best = strtoull(w, NULL, 10);
		}
	}
	free(line);
	fclose(f);
	if (at < 0)
		fail_msg("no column %s", column);
	return best;
}

struct counted {
	u64 fills, pages, zeros, tasks, last_task;
};

static void count_fills(const char *path, struct counted *c)
{
	char err[256] = "";
	struct trace_reader *t = trace_open(path, TRACE_READ_INLINE, err, sizeof(err));
	const struct mm_op *ops;
	s64 n;

	if (!t)
		fail_msg("%s", err);
	memset(c, 0, sizeof(*c));
	while ((n = trace_next(t, &ops)) > 0)
		for (s64 i = 0; i < n; i++) {
			if (ops[i].code != OP_FILL)
				continue;
			c->fills++;
			c->pages += ops[i].len / 4096;
			c->zeros += ops[i].arg ? 0 : ops[i].len / 4096;
			c->tasks += ops[i].task != c->last_task;
			c->last_task = ops[i].task;
		}
	trace_close(t);
}

static char trace[128], self[256];

static void test_two_copies_are_recorded(void **state)
{
	struct counted c;

	(void)state;
	assert_int_equal(run(MEMRIG " record -q --fingerprints=0.3 -o %1$s -- /bin/sh -c "
				    "'%2$s --target & %2$s --target & wait' 2>/dev/null",
			     trace, self),
			 0);
	count_fills(trace, &c);
	print_message("%llu fills of %llu pages, %llu of zeros\n", (unsigned long long)c.fills,
		      (unsigned long long)c.pages, (unsigned long long)c.zeros);
	assert_true(c.pages >= 2 * PAGES);
	assert_true(c.zeros >= 2 * ZEROS);
	assert_true(c.tasks >= 2);
	/* what does not change is said once: later looks find the busy pages, and a few of libc's
	 */
	assert_true(c.pages < 2 * (PAGES + 400) + 2 * ROUNDS * (BUSY + 30));
}

/* All common pages merge across the copies, the repeated ones and the zeros among themselves. */
static void test_a_replay_says_what_ksm_saves(void **state)
{
	static const char *const rates[] = {"20000", "20"};
	u64 sharing[2], common = COMMON + (2 * REPEATED - 1) + (2 * ZEROS - 1);
	char out[160], csv[192];

	(void)state;
	for (int i = 0; i < 2; i++) {
		char set[400];

		snprintf(out, sizeof(out), "%s/out%d", dir, i);
		snprintf(csv, sizeof(csv), "%s/samples.csv", out);
		snprintf(set, sizeof(set),
			 "--set ksm_all=1 --set contents=unique --set ksm_run=1 --set "
			 "ksm_pages_to_scan=%s "
			 "--sample 50000000 -o %s",
			 rates[i], out);
		assert_int_equal(run(MEMRIG " replay %s --quiet %s", trace, set), 0);
		sharing[i] = greatest(csv, "ksm_pages_sharing");
	}
	print_message("pages saved: %llu at 20000 pages a batch, %llu at 20\n",
		      (unsigned long long)sharing[0], (unsigned long long)sharing[1]);
	assert_in_range(sharing[0], common,
			common + 800); /* the shell's and libc's equal pages too */
	assert_true(sharing[1] < sharing[0]);
}

/* Whether recording is possible here at all. */
static bool allowed(void)
{
	char probe[160];

	in_dir(probe, sizeof(probe), "probe");
	return !run(MEMRIG " record -q -o %s -- /bin/true %s", probe, "2>/dev/null");
}

static void usage(const char *how, int want)
{
	assert_int_equal(run(MEMRIG " record %1$s 2>/dev/null", how, ""), want);
}

static void test_wrong_usage(void **state)
{
	(void)state;
	usage("--fingerprints=x -o /tmp/nothing -- /bin/true", 2);
	usage("--fingerprints=0 -o /tmp/nothing -- /bin/true", 2);
	usage("--fingerprints --malloc-only -o /tmp/nothing -- /bin/true", 2);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_copies_are_recorded),
		cmocka_unit_test(test_a_replay_says_what_ksm_saves),
		cmocka_unit_test(test_wrong_usage),
	};
	char clean[64];
	ssize_t n;
	int r;

	if (argc > 1 && !strcmp(argv[1], "--target"))
		return target();
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0 || !mkdtemp(dir))
		return 1;
	in_dir(trace, sizeof(trace), "t.mrt");
	snprintf(clean, sizeof(clean), "rm -rf '%s'", dir);
	if (SANITIZED) { /* the recorded program is this one: its shadow memory is terabytes to look at */
		printf("skipped: the program to record would be sanitized, too\n");
		r = 77;
	} else if (!allowed()) {
		printf("skipped: this process may not use eBPF\n");
		r = 77;
	} else {
		r = cmocka_run_group_tests(tests, NULL, NULL);
	}
	return system(clean) ? 1 : r;
}
