/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's own traffic: recorded while 200 processes come and go, every object once alive at a time, and
 * replayed on both object allocators with every invariant. Skipped where eBPF is not allowed.
 */
#include <errno.h>
#include <unistd.h>

#include "core/machine.h"
#include "tests/test.h"
#include "traces/reader.h"
#include "traces/record/recorder.h"

#define PROCESSES 200

static char dir[] = "/tmp/memrig-kmem-XXXXXX", trace[64];
static struct rec_summary summary;
static bool skipped;

static int record_once(void **state)
{
	char *argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c",
			(char *)(uintptr_t) "i=0; while [ $i -lt 200 ]; do (exit 0); i=$((i+1)); done; "
			"sleep 0.5", NULL}; /* tasks are freed after a grace period */
	struct rec_options opt = {.output = trace, .argv = argv, .all = true, .kmem = true, .ring_mib = 32};
	char err[512];
	int r;

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(trace, sizeof(trace), "%s/t.mrt", dir);
	r = rec_run(&opt, &summary, err, sizeof(err));
	if (r == -EPERM || (r == -EINVAL && geteuid())) {
		print_message("skipped: %s\n", err);
		skipped = true;
		return 0;
	}
	if (r)
		print_error("%s\n", err);
	return r;
}

static int clean_up(void **state)
{
	(void)state;
	unlink(trace);
	return rmdir(dir);
}

static struct trace_reader *open_trace(void)
{
	char err[512];
	struct trace_reader *r = trace_open(trace, 0, err, sizeof(err));

	if (!r)
		fail_msg("%s", err);
	return r;
}

/* What was alive when; ids are small and dense. */
struct alive {
	u8 what[1u << 20]; /* code of the allocation, 0: none */
	u64 tasks, tasks_freed, pages, objects, caches;
	u32 task_id[1u << 20];
};

static void see(struct alive *a, const struct mm_op *op, const struct op_strings *s)
{
	bool named = op->code == OP_CACHE_ALLOC || op->code == OP_CACHE_FREE;
	u64 id = named ? op->len : op->addr;
	bool frees = op->code == OP_FREE_PAGES || op->code == OP_KFREE || op->code == OP_CACHE_FREE;

	if (op->code == OP_CACHE_CREATE) {
		a->caches++;
		return;
	}
	if (op_group(op->code) != OPG_KERNEL)
		return;
	assert_int_equal(op->task, 0);
	assert_true(id && id < ARRAY_SIZE(a->what));
	if (frees) {
		assert_true(a->what[id]); /* unborn ones are left out */
		a->tasks_freed += a->task_id[id];
		a->what[id] = 0;
		a->task_id[id] = 0;
		return;
	}
	assert_false(a->what[id]); /* one at a time */
	a->what[id] = op->code;
	a->pages += op->code == OP_ALLOC_PAGES;
	a->objects += op->code == OP_KMALLOC;
	if (op->code == OP_CACHE_ALLOC && !strcmp(s->get(s->self, op->addr & ~MM_NAME_STR), "task_struct")) {
		a->tasks++;
		a->task_id[id] = 1;
	}
}

static void test_each_object_lives_once(void **state)
{
	static struct alive a;
	struct trace_reader *r;
	const struct mm_op *ops;
	ssize_t n;

	(void)state;
	if (skipped)
		skip();
	r = open_trace();
	while ((n = trace_next(r, &ops)) > 0) {
		struct op_strings s = trace_reader_strings(r);

		for (ssize_t i = 0; i < n; i++)
			if (ops[i].code != OP_EXT)
				see(&a, &ops[i], &s);
	}
	assert_int_equal(n, 0);
	assert_true(a.caches > 5);
	if (!trace_reader_info(r)->lost) {
		assert_in_range(a.tasks, PROCESSES, 100000); /* others may fork meanwhile */
		assert_true(a.tasks_freed > PROCESSES / 2);  /* the last ones are freed after a grace period */
		assert_true(a.pages > PROCESSES && a.objects > PROCESSES);
	}
	assert_true(strlen(trace_info_get(trace_reader_info(r), "probe.kmem")) > 0);
	trace_close(r);
}

static void replay_on(const char *slab)
{
	struct machine_config c;
	struct machine *m;
	struct trace_reader *r;
	const struct mm_op *ops;
	char err[512];
	ssize_t n;

	config_init(&c);
	assert_int_equal(config_set(&c, "mem", "24G", err, sizeof(err)), 0);
	assert_int_equal(config_set(&c, "ncpu", "2", err, sizeof(err)), 0);
	assert_int_equal(config_set(&c, "slab", slab, err, sizeof(err)), 0);
	assert_int_equal(config_finish(&c, err, sizeof(err)), 0);
	m = machine_create(&c, err, sizeof(err));
	assert_non_null(m);
	r = open_trace();
	while ((n = trace_next(r, &ops)) > 0) {
		struct op_strings s = trace_reader_strings(r);

		machine_apply(m, ops, (size_t)n, &s, NULL);
	}
	assert_int_equal(n, 0);
	for (unsigned code = 0; code < NR_OP_CODES; code++) {
		assert_int_equal(machine_skipped(m, code), 0);
		if (machine_errors(m, code))
			fail_msg("slab=%s: %llu errors of %s", slab, (unsigned long long)machine_errors(m, code),
				 op_name(code));
	}
	if (machine_check(m, err, sizeof(err)))
		fail_msg("slab=%s: %s", slab, err);
	machine_destroy(m);
	trace_close(r);
}

static void test_replays_on_both_allocators(void **state)
{
	(void)state;
	if (skipped)
		skip();
	replay_on("slab");
	replay_on("slub");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_object_lives_once),
		cmocka_unit_test(test_replays_on_both_allocators),
	};

	return cmocka_run_group_tests(tests, record_once, clean_up);
}
