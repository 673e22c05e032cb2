/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traces on the host's allocators: every call is made, in every allocator that is installed, each in
 * its own process; and workloads survive being written as traces.
 */
#include <errno.h>
#include <unistd.h>

#include "bench/cmd.h"
#include "bench/heap_host.h"
#include "bench/workload_trace.h"
#include "core/base/limits.h"
#include "tests/test.h"
#include "traces/reader.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static char *temp_file(const char *text)
{
	char *path = strdup("/tmp/memrig-test-XXXXXX");
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	return path;
}

static void remove_file(char *path)
{
	unlink(path);
	free(path);
}

static const char calls[] =
	"memrig-trace 1\n"
	"@arch x86_64\n"
	"@page_size 4096\n"
	"0 0 100 spawn\n"
	"1 0 100 malloc ptr=0x1000 size=100\n"
	"2 0 100 calloc ptr=0x2000 size=200\n"
	"3 0 100 memalign ptr=0x4000 size=300 align=4096\n"
	"4 0 100 realloc old=0x1000 ptr=0x8000 size=3000000\n"
	"5 0 100 malloc ptr=0x9000 size=0\n"
	"6 0 100 free ptr=0x2000\n"
	"7 0 100 free ptr=0x7777\n" /* born before the trace */
	"8 0 100 fork child=101\n"
	"9 0 101 free ptr=0x8000\n" /* the child's copy */
	"10 0 100 free ptr=0x8000\n"
	"11 0 100 free ptr=0x4000\n"
	"12 0 101 exit\n"
	"13 0 100 exit\n";

static void test_every_allocator_makes_every_call(void **state)
{
	struct heap_host_result r;
	char err[512], *path;

	(void)state;
	if (SANITIZED)
		skip();
	path = temp_file(calls);
	for (int which = HEAP_HOST_GLIBC; which < NR_HEAP_HOSTS; which++) {
		int rc = heap_host_replay(path, which, HEAP_HOST_TOUCH_PAGES, &r, err, sizeof(err));

		if (rc == -ENOENT) {
			print_message("skipped: %s\n", err);
			assert_non_null(strstr(err, "apt-get install lib"));
			continue;
		}
		if (rc)
			fail_msg("%s: %s", heap_host_name(which), err);
		assert_string_equal(r.allocator, heap_host_name(which));
		assert_int_equal(!!*r.library, which != HEAP_HOST_GLIBC);
		assert_int_equal(r.allocations, 4);
		assert_int_equal(r.reallocs, 1);
		assert_int_equal(r.frees, 4);
		assert_int_equal(r.skipped, 1);
		assert_int_equal(r.events, 9);
		assert_int_equal(r.peak_requested, 3000500);
		assert_true(r.ns_per_event > 0 && r.base_rss && r.peak_rss >= r.base_rss);
	}
	remove_file(path);
}

static void test_unusable_input(void **state)
{
	struct heap_host_result r;
	char err[512], *path;

	(void)state;
	if (SANITIZED)
		skip();
	assert_int_equal(heap_host_replay("/no/such/trace", HEAP_HOST_GLIBC, HEAP_HOST_TOUCH_NONE, &r, err,
					  sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "/no/such/trace"));
	assert_int_equal(heap_host_replay("x", NR_HEAP_HOSTS, HEAP_HOST_TOUCH_NONE, &r, err, sizeof(err)),
			 -EINVAL);
	path = temp_file("memrig-trace 1\n@arch x86_64\n@page_size 4096\n0 0 1 spawn\n");
	assert_int_equal(heap_host_replay(path, HEAP_HOST_GLIBC, HEAP_HOST_TOUCH_NONE, &r, err, sizeof(err)),
			 -EINVAL);
	assert_non_null(strstr(err, "no malloc events"));
	remove_file(path);
}

/* ---- workload -> trace -> the same operations ---- */

static void start(struct workload_run *run, const struct workload *w, const char *key, const char *value)
{
	const struct workload_options o = {.seed = 4};
	char err[300];

	workload_prepare(run, w);
	if (!strcmp(w->name, "churn") || !strcmp(w->name, "database"))
		assert_int_equal(workload_set(run, key, value, err, sizeof(err)), 0);
	assert_int_equal(workload_start(run, &o, err, sizeof(err)), 0);
}

/* Next operation of the workload that a trace shows, skipping what the writer makes itself. */
struct cursor {
	struct workload_run run;
	struct mm_op ops[MM_MAX_OP_BATCH];
	size_t nr, at;
};

static const struct mm_op *next_of(struct cursor *c)
{
	for (;;) {
		if (c->at == c->nr) {
			c->nr = workload_next(&c->run, c->ops, MM_MAX_OP_BATCH);
			c->at = 0;
			if (!c->nr)
				return NULL;
		}
		c->at++;
		if (c->ops[c->at - 1].code != OP_TASK)
			return &c->ops[c->at - 1];
	}
}

static void compare_op(const struct workload *w, u64 i, const struct mm_op *a, const struct mm_op *b)
{
	if (!a || a->code != b->code)
		fail_msg("%s: record %llu is %s, was %s", w->name, (unsigned long long)i,
			 op_name(b->code), a ? op_name(a->code) : "nothing");
	if (a->code == OP_EXT)
		return;
	assert_int_equal(a->ts, b->ts);
	assert_int_equal(a->addr, b->addr);
	assert_int_equal(a->len, b->len);
	assert_int_equal(a->flags & MM_OP_RES_MASK, b->flags & MM_OP_RES_MASK);
	if (op_group(a->code) == OPG_ACCESS)
		assert_int_equal(a->arg, b->arg);
}

static void test_workloads_survive_as_traces(void **state)
{
	struct cursor *c = malloc(sizeof(*c));
	const struct workload *w;
	struct workload_run run;
	char err[512], *path = temp_file("");

	(void)state;
	assert_non_null(c);
	for (unsigned i = 0; (w = workload_at(i)); i++) {
		struct trace_reader *r;
		const struct mm_op *ops;
		u64 seen = 0;
		ssize_t n;

		start(&run, w, "events", "3000");
		if (workload_write_trace(&run, path, w->name, false, err, sizeof(err)))
			fail_msg("%s: %s", w->name, err);
		workload_stop(&run);
		start(&c->run, w, "events", "3000");
		c->nr = c->at = 0;
		r = trace_open(path, TRACE_READ_INLINE, err, sizeof(err));
		if (!r)
			fail_msg("%s: %s", w->name, err);
		while ((n = trace_next(r, &ops)) > 0)
			for (ssize_t k = 0; k < n; k++, seen++)
				if (ops[k].code != OP_TASK)
					compare_op(w, seen, next_of(c), &ops[k]);
		if (n < 0)
			fail_msg("%s: %s", w->name, trace_reader_error(r));
		assert_null(next_of(c));
		trace_close(r);
		workload_stop(&c->run);
	}
	remove_file(path);
	free(c);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocator_makes_every_call),
		cmocka_unit_test(test_unusable_input),
		cmocka_unit_test(test_workloads_survive_as_traces),
	};

	/* heap_host.c starts /proc/self/exe again: here that is this test */
	if (argc > 1 && !strcmp(argv[1], "__heap_worker"))
		return cmd_heap_worker(argc - 1, argv + 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
