/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The running kernel as judge of KSM: classes of equal, unique, zero and changing pages in an area
 * of ours are merged by ksmd, one full scan a batch, and the model must show the same counters
 * after each. Skipped (77) where KSM is missing, is used by somebody, or may not be set; the
 * settings are restored.
 */
#include "tests/ksm_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define KSM "/sys/kernel/mm/ksm/"
#define ALL 4000 /* pages_to_scan: more than there are, so that a batch is a full scan */
#define NAP 40	 /* milliseconds ksmd sleeps between two: time to stop it */

static const char *const restored[] = {"run", "pages_to_scan", "sleep_millisecs", "smart_scan",
				       "use_zero_pages"};
static s64 saved[ARRAY_SIZE(restored)];
static bool changed_settings;

/* A number of the kernel's; -1: it has no such file. */
static s64 get(const char *name)
{
	char path[128], text[64] = "";
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), KSM "%s", name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 ? strtoll(text, NULL, 10) : -1;
}

static bool put(const char *name, s64 value)
{
	char path[128], text[32];
	int fd, n = snprintf(text, sizeof(text), "%lld", (long long)value);
	bool ok;

	snprintf(path, sizeof(path), KSM "%s", name);
	fd = open(path, O_WRONLY);
	ok = fd >= 0 && write(fd, text, (size_t)n) == n;
	if (fd >= 0)
		close(fd);
	return ok;
}

static void restore(void)
{
	if (!changed_settings)
		return;
	put("run", 2); /* nothing of ours stays merged */
	for (size_t i = 0; i < ARRAY_SIZE(restored); i++)
		if (saved[i] >= 0)
			put(restored[i], saved[i]);
	changed_settings = false;
}

static void on_signal(int sig)
{
	restore();
	_exit(128 + sig);
}

static void skip_all(const char *why)
{
	printf("skipped: %s\n", why);
	exit(77);
}

/* Nobody else: ksmd is stopped, and nothing is in its trees. */
static void prepare(void)
{
	static const char *const nothing[] = {"pages_shared", "pages_sharing", "pages_unshared",
					      "pages_volatile"};

	if (access(KSM "run", R_OK))
		skip_all("the running kernel has no KSM");
	if (geteuid() || access(KSM "run", W_OK))
		skip_all("KSM can be set by root only");
	if (get("run") != 0)
		skip_all("KSM is in use: /sys/kernel/mm/ksm/run is not 0");
	for (size_t i = 0; i < ARRAY_SIZE(nothing); i++)
		if (get(nothing[i]) != 0)
			skip_all("KSM is in use: it holds pages already");
	for (size_t i = 0; i < ARRAY_SIZE(restored); i++)
		saved[i] = get(restored[i]);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGALRM, on_signal);
	atexit(restore);
	changed_settings = true;
	if (!put("pages_to_scan", ALL) || !put("sleep_millisecs", NAP))
		skip_all("KSM cannot be set here");
}

/* ---- the layout, in the kernel and in the model ---- */

#define EQUAL	 300u /* pages 0..: all the same */
#define UNIQUE	 200u
#define ZERO	 50u
#define CHANGING 20u
#define PAIRS	 60u /* 30 contents, twice each */
#define PAGES	 (EQUAL + UNIQUE + ZERO + CHANGING + PAIRS + 4)

struct judge {
	struct ksm_rig g;
	u8 *area;
	u64 page;
	u64 change;
};

/* The kernel's page and the model's get the same contents. */
static void fill(struct judge *j, u64 i, u64 tag)
{
	u64 *w = (u64 *)(void *)(j->area + i * j->page);

	for (u64 k = 0; k < j->page / 8; k++)
		w[k] = tag;
	ksm_fill(&j->g, 1, i, 1, tag, 0);
}

static void lay_out(struct judge *j)
{
	u64 i = 0, end;

	for (end = i + EQUAL; i < end; i++)
		fill(j, i, 0x1111);
	for (end = i + UNIQUE; i < end; i++)
		fill(j, i, 0x100000 + i);
	for (end = i + ZERO; i < end; i++)
		fill(j, i, 0);
	i += CHANGING;
	for (end = i + PAIRS; i < end; i++)
		fill(j, i, 0x200000 + (end - i) / 2);
	for (u64 k = 0; k < 2;
	     k++) { /* read only: the zero page, which is no candidate; two never touched */
		(void)*(volatile u8 *)(j->area + (i + k) * j->page);
		mm_access(j->g.vm, j->g.t[1], ksm_at(&j->g, i + k), MM_ACCESS_READ);
	}
}

static void rewrite(struct judge *j)
{
	for (u64 i = EQUAL + UNIQUE + ZERO; i < EQUAL + UNIQUE + ZERO + CHANGING; i++)
		fill(j, i, 0x300000 + ++j->change);
}

/* Lets ksmd make a full scan and stops it. How many it made: one, unless this machine is slow. */
static u64 kernel_scan(void)
{
	const struct timespec nap = {0, 2000000};
	s64 before = get("full_scans");

	assert_true(put("run", 1));
	for (int i = 0; i < 5000 && get("full_scans") == before; i++)
		nanosleep(&nap, NULL);
	assert_true(put("run", 0)); /* waits for the batch under way */
	return (u64)(get("full_scans") - before);
}

static void compare(struct judge *j, int scan)
{
	struct ksm_stats s;
	s64 zero = get("ksm_zero_pages");

	ksm_stats(j->g.k, &s);
	if (get("pages_shared") != (s64)s.pages_shared ||
	    get("pages_sharing") != (s64)s.pages_sharing ||
	    get("pages_unshared") != (s64)s.pages_unshared ||
	    get("pages_volatile") != (s64)s.pages_volatile ||
	    (zero >= 0 && zero != (s64)s.ksm_zero_pages))
		fail_msg("scan %d: the kernel has %lld/%lld/%lld/%lld and %lld zero pages, the "
			 "model "
			 "%llu/%llu/%llu/%llu and %llu",
			 scan, (long long)get("pages_shared"), (long long)get("pages_sharing"),
			 (long long)get("pages_unshared"), (long long)get("pages_volatile"),
			 (long long)zero, (unsigned long long)s.pages_shared,
			 (unsigned long long)s.pages_sharing, (unsigned long long)s.pages_unshared,
			 (unsigned long long)s.pages_volatile,
			 (unsigned long long)s.ksm_zero_pages);
}

/* One case: the kernel's keys as they are, but for these two. */
static void judge(s64 smart_scan, s64 use_zero_pages)
{
	struct judge j = {.page = (u64)sysconf(_SC_PAGESIZE)};
	char keys[256];

	if ((smart_scan && get("smart_scan") < 0) ||
	    (use_zero_pages && get("use_zero_pages") < 0)) {
		print_message("this kernel has no such key\n");
		return;
	}
	put("smart_scan", smart_scan);
	put("use_zero_pages", use_zero_pages);
	snprintf(keys, sizeof(keys),
		 "policy=modern hwad=0 page=%s va=%s ksm_max_page_sharing=%lld ksm_smart_scan=%lld "
		 "ksm_use_zero_pages=%lld ksm_pages_to_scan=%d",
		 j.page == 4096	   ? "4k"
		 : j.page == 16384 ? "16k"
				   : "64k",
		 j.page == 65536   ? "42"
		 : j.page == 16384 ? "47"
				   : "48",
		 (long long)get("max_page_sharing"), (long long)smart_scan,
		 (long long)use_zero_pages, ALL);
	j.g = ksm_boot(keys, "");
	j.area = mmap(NULL, PAGES * j.page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	assert_true(j.area != MAP_FAILED);
	madvise(j.area, PAGES * j.page, MADV_NOHUGEPAGE);
	assert_int_equal(madvise(j.area, PAGES * j.page, MADV_MERGEABLE), 0);
	ksm_area(&j.g, 1, 0, PAGES);
	lay_out(&j);
	rewrite(&j);
	for (int scan = 1; scan <= 10; scan++) {
		ksm_full_scans(j.g.k, kernel_scan());
		compare(&j, scan);
		rewrite(&j);
		if (scan == 5) /* one of many, one of a pair */
			for (u64 i = 0; i < 2; i++)
				fill(&j, i ? PAGES - 5 : 0, 0x400000 + i);
		if (scan == 7) {
			munmap(j.area + 10 * j.page, 20 * j.page);
			assert_int_equal(
				sys_munmap(j.g.vm, j.g.t[1], ksm_at(&j.g, 10), 20 * j.page), 0);
		}
	}
	assert_true(put("run", 2) && put("run", 0));
	munmap(j.area, PAGES * j.page);
	assert_int_equal(ksm_set_run(j.g.k, KSM_RUN_UNMERGE), 0);
	compare(&j, 0);
	ksm_end(&j.g);
}

static void test_counters_of_the_running_kernel(void **state)
{
	(void)state;
	judge(0, 0);
}

static void test_counters_with_smart_scan(void **state)
{
	(void)state;
	judge(1, 0);
}

static void test_counters_with_zero_pages(void **state)
{
	(void)state;
	judge(0, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counters_of_the_running_kernel),
		cmocka_unit_test(test_counters_with_smart_scan),
		cmocka_unit_test(test_counters_with_zero_pages),
	};

	prepare();
	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
