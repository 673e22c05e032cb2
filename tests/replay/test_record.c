/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records real programs and compares the traces with what the programs did. Without the right to
 * use eBPF only the malloc-only parts run, and the rest says that it was skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/replay/record_target.h"
#include "tests/test.h"
#include "traces/reader.h"
#include "traces/record/recorder.h"
#include "traces/writer.h"

#define TARGET MEMRIG_BINARY_DIR "/record-target"
#define MEMRIG MEMRIG_BINARY_DIR "/memrig"

struct event {
	struct mm_op op;
	struct mm_op_ext ext;
	u32 pid, tid, child;
};

struct recorded {
	struct event *v;
	size_t nr;
	u64 lost;
	char dir[64], trace[96], report[96];
	struct did_all did;
	struct rec_summary summary;
};

static bool skipped; /* eBPF is not allowed here */

static void paths(struct recorded *r)
{
	memset(r, 0, sizeof(*r));
	strcpy(r->dir, "/tmp/memrig-test-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->trace, sizeof(r->trace), "%s/t.mrt", r->dir);
	snprintf(r->report, sizeof(r->report), "%s/report", r->dir);
}

static void discard(struct recorded *r)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", r->dir);
	assert_int_equal(system(command), 0);
	free(r->v);
}

static void add_event(struct recorded *r, const struct trace_reader *t, const struct mm_op *op)
{
	struct event *e;

	if (!(r->nr & (r->nr - 1)))
		r->v = realloc(r->v, (r->nr ? r->nr * 2 : 1) * sizeof(*r->v));
	assert_non_null(r->v);
	e = &r->v[r->nr++];
	memset(e, 0, sizeof(*e));
	e->op = *op;
	if (mm_op_ext(op))
		e->ext = *mm_op_ext(op);
	trace_task_ids(t, op->task, &e->pid, &e->tid);
	if (op->code == OP_FORK)
		trace_task_ids(t, (u32)op->arg, &e->child, &e->tid);
}

/* The whole trace, without bookkeeping. */
static void load(struct recorded *r)
{
	char err[256] = "";
	struct trace_reader *t = trace_open(r->trace, TRACE_READ_INLINE, err, sizeof(err));
	const struct mm_op *ops;
	u64 last = 0;
	ssize_t n;

	if (!t)
		fail_msg("%s", err);
	while ((n = trace_next(t, &ops)) > 0)
		for (ssize_t i = 0; i < n; i++) {
			assert_true(ops[i].code == OP_EXT || ops[i].ts >= last);
			last = ops[i].code == OP_EXT ? last : ops[i].ts;
			if (ops[i].code != OP_EXT && ops[i].code != OP_TASK)
				add_event(r, t, &ops[i]);
		}
	assert_string_equal(trace_reader_error(t), "");
	assert_string_equal(trace_reader_notice(t), "");
	r->lost = trace_reader_info(t)->lost;
	trace_close(t);
}

static void load_report(struct recorded *r)
{
	int fd = open(r->report, O_RDONLY);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, &r->did, sizeof(r->did)), (ssize_t)sizeof(r->did));
	close(fd);
}

/* False: not allowed here. */
static bool record(struct recorded *r, const char *mode, bool heap, bool heap_only)
{
	char *argv[] = {(char *)(uintptr_t)TARGET, (char *)(uintptr_t)mode, r->report, NULL};
	struct rec_options opt = {
		.output = r->trace, .argv = argv, .heap = heap, .heap_only = heap_only};
	char err[512];
	int e = rec_run(&opt, &r->summary, err, sizeof(err));

	if (e == -EPERM && !heap_only) {
		print_message("skipped: %s\n", err);
		skipped = true;
		return false;
	}
	if (e)
		fail_msg("%s", err);
	load(r);
	return true;
}

static size_t count(const struct recorded *r, unsigned code, u32 pid)
{
	size_t n = 0;

	for (size_t i = 0; i < r->nr; i++)
		n += r->v[i].op.code == code && (!pid || r->v[i].pid == pid);
	return n;
}

static size_t find_mark(const struct recorded *r, u64 mark)
{
	for (size_t i = 0; i < r->nr; i++)
		if (r->v[i].op.code == OP_MUNMAP && r->v[i].op.addr == mark)
			return i;
	fail_msg("no mark %lx in %zu events", (unsigned long)mark, r->nr);
	return 0;
}

static s64 result_of(const struct event *e)
{
	switch (mm_op_res(&e->op)) {
	case RES_ZERO:
		return 0;
	case RES_ADDR:
		return (s64)e->op.addr;
	case RES_EXT:
		return (s64)e->ext.result;
	default:
		return -12345;
	}
}

static bool is_call(const struct event *e)
{
	return e->op.code >= OP_MMAP && e->op.code <= OP_MUNLOCKALL;
}

static void compare_call(const struct event *e, const struct did *d)
{
	print_message("%-10s addr=%llx len=%llx -> %lld\n", op_name(d->code),
		      (unsigned long long)d->addr, (unsigned long long)d->len, (long long)d->ret);
	assert_int_equal(e->op.code, d->code);
	assert_int_equal(e->op.addr, d->addr);
	assert_int_equal(e->op.len, d->len);
	assert_int_equal(e->op.flags & MM_OP_LOW, d->low);
	assert_int_equal(e->op.arg, d->arg);
	assert_int_equal(e->ext.x0, d->flags);
	assert_int_equal(result_of(e), d->ret);
	assert_int_equal(e->tid, d->tid);
}

/* Every call between the marks, in order, with arguments and result, and nothing else. */
static void compare_calls(const struct recorded *r, size_t from, size_t to)
{
	u32 next = 0;

	for (size_t i = from; i < to; i++) {
		if (r->v[i].pid != r->did.pid || !is_call(&r->v[i]))
			continue;
		while (next < r->did.nr && r->did.v[next].code == OP_FAULT)
			next++;
		assert_true(next < r->did.nr);
		compare_call(&r->v[i], &r->did.v[next++]);
	}
	for (; next < r->did.nr; next++)
		assert_int_equal(r->did.v[next].code, OP_FAULT);
}

/* Every first touch of the mapping, in order, with its kind. */
static void compare_faults(const struct recorded *r, size_t from, size_t to)
{
	u32 next = 0;

	for (size_t i = from; i < to; i++) {
		const struct mm_op *op = &r->v[i].op;

		if (op->code != OP_FAULT || r->v[i].pid != r->did.pid || op->addr < r->did.start ||
		    op->addr >= r->did.end)
			continue;
		while (next < r->did.nr && r->did.v[next].code != OP_FAULT)
			next++;
		assert_true(next < r->did.nr);
		assert_int_equal(op->addr, r->did.v[next].addr);
		assert_int_equal(op->flags & MM_OP_LOW, r->did.v[next].low);
		assert_int_equal(mm_op_res(op), RES_MINOR);
		next++;
	}
	for (; next < r->did.nr; next++)
		assert_int_not_equal(r->did.v[next].code, OP_FAULT);
}

static void compare_child(const struct recorded *r)
{
	size_t fork = 0, mark = find_mark(r, MARK_CHILD), i;
	size_t writes = 0;

	while (fork < r->nr && !(r->v[fork].op.code == OP_FORK && r->v[fork].child == r->did.child))
		fork++;
	assert_true(fork < mark);
	assert_int_equal(r->v[fork].pid, r->did.pid);
	assert_int_equal(r->v[mark].pid, r->did.child);
	for (i = mark + 1; i < r->nr && r->v[i].op.code != OP_MUNMAP; i++)
		writes += r->v[i].op.code == OP_FAULT && r->v[i].pid == r->did.child &&
			  r->v[i].op.addr == r->did.start &&
			  (r->v[i].op.flags & MM_OP_LOW) == MM_ACCESS_WRITE;
	assert_int_equal(writes, 1);
	assert_true(i < r->nr);
	assert_int_equal(r->v[i].op.addr, r->did.start + 6 * 4096);
	assert_int_equal(result_of(&r->v[i]), 0);
	assert_int_equal(count(r, OP_EXIT, r->did.child), 1);
}

/* A program with a known sequence of calls and touches, a fork and a thread: exactly that. */
static void test_known_sequence(void **state)
{
	struct recorded r;
	size_t from, to, thread;

	(void)state;
	paths(&r);
	if (!record(&r, "calls", false, false)) {
		discard(&r);
		skip();
	}
	load_report(&r);
	assert_int_equal(r.lost, 0);
	assert_int_equal(count(&r, OP_LOST, 0), 0);
	assert_int_equal(r.summary.status, 0);
	assert_int_equal(r.did.pid, r.summary.pid);
	from = find_mark(&r, MARK_BEGIN) + 1;
	to = find_mark(&r, MARK_END);
	compare_calls(&r, from, to);
	compare_faults(&r, from, to);
	compare_child(&r);
	thread = find_mark(&r, MARK_THREAD);
	assert_int_equal(r.v[thread].tid, r.did.thread);
	assert_int_equal(count(&r, OP_SPAWN, 0), 1);
	assert_int_equal(r.v[0].op.code, OP_SPAWN);
	assert_int_equal(count(&r, OP_THREAD, r.did.pid), 1);
	assert_int_equal(count(&r, OP_EXIT, r.did.pid), 2);
	discard(&r);
}

/* All that is touched was mapped before: the mappings that exec itself made are in the trace. */
static void test_faults_hit_mappings(void **state)
{
	struct recorded r;
	size_t outside = 0, faults = 0;

	(void)state;
	paths(&r);
	if (!record(&r, "calls", false, false)) {
		discard(&r);
		skip();
	}
	for (size_t i = 0; i < r.nr; i++) {
		bool found = false;

		if (r.v[i].op.code != OP_FAULT || r.v[i].pid != r.summary.pid)
			continue;
		faults++;
		for (size_t k = 0; k < i && !found; k++) {
			const struct mm_op *m = &r.v[k].op;
			u64 start = (u64)result_of(&r.v[k]);

			found = m->code == OP_MMAP && r.v[i].op.addr >= start &&
				r.v[i].op.addr < ((start + m->len + 4095) & ~4095ull);
			/* the heap between spawn's break and the highest one, and a growing stack
			 */
			found |= m->code == OP_BRK &&
				 r.v[i].op.addr >= (r.v[0].op.addr & ~4095ull) &&
				 r.v[i].op.addr < start;
			found |= m->code == OP_MMAP && r.v[k].ext.x0 & MM_MAP_GROWSDOWN &&
				 r.v[i].op.addr < start && r.v[i].op.addr >= start - (8ull << 20);
		}
		if (!found)
			print_message("outside: %llx\n", (unsigned long long)r.v[i].op.addr);
		outside += !found;
	}
	assert_true(faults > 30);
	assert_int_equal(outside, 0);
	discard(&r);
}

static void test_killed_program(void **state)
{
	struct recorded r;

	(void)state;
	paths(&r);
	if (!record(&r, "die", false, false)) {
		discard(&r);
		skip();
	}
	load_report(&r);
	assert_true(WIFSIGNALED(r.summary.status));
	compare_calls(&r, find_mark(&r, MARK_BEGIN) + 1, r.nr);
	assert_int_equal(count(&r, OP_EXIT, r.did.pid), 1);
	assert_int_equal(r.lost, 0);
	discard(&r);
}

static void test_signals_are_results(void **state)
{
	struct recorded r;
	size_t segv = 0;

	(void)state;
	paths(&r);
	if (!record(&r, "segv", false, false)) {
		discard(&r);
		skip();
	}
	for (size_t i = 0; i < r.nr; i++)
		segv += r.v[i].op.code == OP_FAULT && mm_op_res(&r.v[i].op) == RES_SIGSEGV;
	assert_int_equal(segv, 1);
	discard(&r);
}

/* Sizes tell the target's blocks from those of the C library. */
static size_t count_size(const struct recorded *r, unsigned code, u64 size)
{
	size_t n = 0;

	for (size_t i = 0; i < r->nr; i++)
		n += r->v[i].op.code == code && r->v[i].op.len == size;
	return n;
}

static void check_heap(const struct recorded *r)
{
	u32 pid = r->summary.pid;
	size_t unknown = 0;

	assert_int_equal(r->lost, 0);
	assert_int_equal(count_size(r, OP_MALLOC, 5001), 1);
	assert_int_equal(count_size(r, OP_CALLOC, 3 * 5011), 1);
	assert_int_equal(count_size(r, OP_REALLOC, 5021 * 7), 1);
	assert_int_equal(count_size(r, OP_MEMALIGN, 5031), 1);
	assert_int_equal(count_size(r, OP_MEMALIGN, 5032), 1);
	assert_int_equal(count_size(r, OP_MEMALIGN, 5120), 1);
	assert_int_equal(count_size(r, OP_REALLOC, 2 * 5041), 1);
	assert_int_equal(count_size(r, OP_MALLOC, 7001), 3000);
	assert_int_equal(count_size(r, OP_MALLOC, 6001), 10); /* of the child, before its _exit */
	assert_int_equal(count(r, OP_FORK, pid), 1);
	assert_int_equal(count(r, OP_THREAD, pid), 3);
	for (size_t i = 0; i < r->nr; i++)
		unknown += r->v[i].op.code == OP_FREE && (u32)r->v[i].op.arg == MM_SLOT_NONE;
	assert_int_equal(unknown, 0);
}

static void test_malloc_only(void **state)
{
	struct recorded r;

	(void)state;
	paths(&r);
	assert_true(record(&r, "heap", true, true));
	check_heap(&r);
	assert_int_equal(r.summary.programs, 1);
	assert_int_equal(count(&r, OP_MMAP, 0), 0);
	assert_int_equal(count(&r, OP_SPAWN, 0), 1);
	discard(&r);
}

static void test_malloc_with_mappings(void **state)
{
	struct recorded r;

	(void)state;
	paths(&r);
	if (!record(&r, "heap", true, false)) {
		discard(&r);
		skip();
	}
	check_heap(&r);
	assert_true(count(&r, OP_MMAP, r.summary.pid) > 5);
	assert_int_equal(count(&r, OP_EXIT, r.summary.pid), 4);
	for (size_t i = 0; i < r.nr; i++) /* the recorder's own memory stays out */
		assert_true(r.v[i].op.code != OP_MMAP || r.v[i].op.len < 1ull << 31);
	discard(&r);
}

static bool wait_for_file(const char *path)
{
	const struct timespec nap = {0, 20000000};

	for (int i = 0; i < 500 && access(path, R_OK); i++)
		nanosleep(&nap, NULL);
	return !access(path, R_OK);
}

static pid_t start_recorder(struct recorded *r, const char *option, int in)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	dup2(in, 0);
	execl(MEMRIG, "memrig", "record", "-q", "-o", r->trace, option, TARGET, "spin", r->report,
	      NULL);
	_exit(99);
}

static bool bpf_allowed(void)
{
	struct recorded r;
	bool ok;

	paths(&r);
	ok = record(&r, "segv", false, false);
	discard(&r);
	return ok;
}

/* SIGINT to the recorder: a valid trace, and a program that goes on as if nothing had happened. */
static void interrupt(const char *option, int sig)
{
	struct recorded r;
	int in[2], status;
	pid_t recorder;
	u64 rounds = 0;

	paths(&r);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	recorder = start_recorder(&r, option, in[0]);
	assert_true(recorder > 0);
	assert_true(wait_for_file(r.report));
	usleep(300000);
	kill(recorder, sig);
	assert_int_equal(waitpid(recorder, &status, 0), recorder);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	load(&r);
	load_report(&r);
	assert_int_equal(kill((pid_t)r.did.pid, 0), 0); /* it still runs */
	usleep(100000);
	close(in[0]);
	close(in[1]); /* and ends when it is told to */
	for (int i = 0; i < 200 && !rounds; i++) {
		usleep(20000);
		load_report(&r);
		rounds = r.did.end;
	}
	assert_true(rounds > 100);
	if (!strcmp(option, "--malloc-only"))
		assert_int_equal(count(&r, OP_SPAWN, 0), 1);
	else
		assert_true(count(&r, OP_MUNMAP, r.did.pid) > 100 &&
			    count(&r, OP_MUNMAP, r.did.pid) < rounds);
	discard(&r);
}

static void test_sigint(void **state)
{
	(void)state;
	if (!bpf_allowed())
		skip();
	interrupt("--malloc", SIGINT);
}

static void test_sigterm_malloc_only(void **state)
{
	(void)state;
	interrupt("--malloc-only", SIGTERM);
}

/* -p: what was mapped before comes first, then what happens. */
static void test_running_process(void **state)
{
	struct recorded r;
	volatile sig_atomic_t stop = 0;
	struct rec_options opt = {.nr_pids = 1, .stop = &stop};
	char err[512], part[128];
	int in[2], failed;
	pid_t pid;

	(void)state;
	if (!bpf_allowed())
		skip();
	paths(&r);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		dup2(in[0], 0);
		execl(TARGET, TARGET, "spin", r.report, NULL);
		_exit(99);
	}
	assert_true(wait_for_file(r.report));
	if (!fork()) { /* ends the process after a while, which ends the recording */
		snprintf(part, sizeof(part), "%s.part", r.trace);
		wait_for_file(part); /* opening the recorder may take long on a busy machine */
		usleep(500000);
		kill(pid, SIGKILL);
		_exit(0);
	}
	opt.pids = &pid;
	opt.output = r.trace;
	signal(SIGCHLD, SIG_IGN); /* so that the dead process is not kept for us to wait for */
	failed = rec_run(&opt, &r.summary, err, sizeof(err));
	signal(SIGCHLD, SIG_DFL);
	if (failed)
		fail_msg("%s", err);
	load(&r);
	assert_int_equal(r.v[0].op.code, OP_SPAWN);
	assert_int_equal(r.v[0].pid, (u32)pid);
	assert_true(count(&r, OP_MMAP, (u32)pid) > 10);
	assert_true(count(&r, OP_MUNMAP, (u32)pid) > 100);
	assert_int_equal(count(&r, OP_EXIT, (u32)pid), 1);
	assert_int_equal(r.lost, 0);
	close(in[0]);
	close(in[1]);
	discard(&r);
}

static void test_unknown_command(void **state)
{
	struct recorded r;
	char *argv[] = {(char *)(uintptr_t) "/nonexistent/program", NULL};
	struct rec_options opt = {.argv = argv, .heap = true, .heap_only = true};
	char err[512];

	(void)state;
	paths(&r);
	opt.output = r.trace;
	assert_int_equal(rec_run(&opt, &r.summary, err, sizeof(err)), -ENOENT);
	assert_non_null(strstr(err, "/nonexistent/program"));
	assert_int_not_equal(access(r.trace, F_OK), 0);
	discard(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_sequence),	cmocka_unit_test(test_faults_hit_mappings),
		cmocka_unit_test(test_killed_program),	cmocka_unit_test(test_signals_are_results),
		cmocka_unit_test(test_malloc_only),	cmocka_unit_test(test_malloc_with_mappings),
		cmocka_unit_test(test_sigint),		cmocka_unit_test(test_sigterm_malloc_only),
		cmocka_unit_test(test_running_process), cmocka_unit_test(test_unknown_command),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	return failed ? failed : skipped ? 77 : 0;
}
