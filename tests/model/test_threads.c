/* SPDX-License-Identifier: BSD-2-Clause */
/* 64 machines, one in each host thread, all equal to one that ran alone: no state is shared (architecture). */
#include <pthread.h>

#include "core/machine.h"
#include "tests/test.h"
#include "traces/reader.h"

#define MACHINES 64
#define SAMPLE   MEMRIG_SOURCE_DIR "/traces/samples/shell.mrt"

struct one {
	pthread_t thread;
	u64 hash;
	char err[512];
};

static int replay(struct machine *m, struct trace_reader *r)
{
	const struct mm_op *ops;
	ssize_t n;

	while ((n = trace_next(r, &ops)) > 0) {
		struct op_strings strings = trace_reader_strings(r);

		machine_apply(m, ops, (size_t)n, &strings, NULL);
	}
	return (int)n;
}

static void *run(void *arg)
{
	struct one *o = arg;
	struct machine_config c;
	struct trace_reader *r = trace_open(SAMPLE, TRACE_READ_INLINE, o->err, sizeof(o->err));
	struct machine *m = NULL;

	config_init(&c);
	if (r && !config_set_pair(&c, "mem=512M", o->err, sizeof(o->err)) &&
	    !config_finish(&c, o->err, sizeof(o->err)))
		m = machine_create(&c, o->err, sizeof(o->err));
	if (m && !replay(m, r) && !machine_check(m, o->err, sizeof(o->err)))
		o->hash = machine_hash(m);
	machine_destroy(m);
	if (r)
		trace_close(r);
	return NULL;
}

static void test_64_machines_are_one(void **state)
{
	static struct one alone, many[MACHINES];

	(void)state;
	run(&alone);
	if (!alone.hash)
		fail_msg("%s", alone.err);
	for (unsigned i = 0; i < MACHINES; i++)
		assert_int_equal(pthread_create(&many[i].thread, NULL, run, &many[i]), 0);
	for (unsigned i = 0; i < MACHINES; i++)
		assert_int_equal(pthread_join(many[i].thread, NULL), 0);
	for (unsigned i = 0; i < MACHINES; i++)
		if (many[i].hash != alone.hash)
			fail_msg("machine %u: another result: %s", i, many[i].err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_64_machines_are_one)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
