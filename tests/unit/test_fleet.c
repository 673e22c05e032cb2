/* SPDX-License-Identifier: BSD-2-Clause */
/* Many machines under one stream: each is as it would be alone, whoever drives it. */
#include <errno.h>
#include <pthread.h> /* also: what TSan judges */

#include "bench/fleet.h"
#include "bench/workload_source.h"
#include "tests/test.h"

#define MACHINES 9

static const char *const settings[MACHINES] = {"mem=32M", "mem=40M", "mem=64M", "mem=1K", "mem=256M", "page=16k",
					       "reclaim=node", "policy=modern", "seed=7"};

static void configure(struct machine_config *c, const char *pair)
{
	char err[256];

	config_init(c);
	assert_int_equal(config_set_pair(c, "mem=48M", err, sizeof(err)), 0);
	assert_int_equal(config_set_pair(c, "swap=64M", err, sizeof(err)), 0);
	assert_int_equal(config_set_pair(c, pair, err, sizeof(err)), 0);
	assert_int_equal(config_finish(c, err, sizeof(err)), 0);
}

static void start(struct workload_run *run, struct workload_source *s)
{
	char err[256];

	memset(s, 0, sizeof(*s));
	workload_prepare(run, workload_find("database"));
	assert_int_equal(workload_set(run, "events", "12000", err, sizeof(err)), 0);
	assert_int_equal(workload_set(run, "size", "40M", err, sizeof(err)), 0);
	assert_int_equal(workload_start(run, &(struct workload_options){.seed = 1}, err, sizeof(err)), 0);
	s->run = run;
}

struct outcome {
	u64 hash, events, now;
};

static struct outcome outcome_of(struct machine *m, const struct replay_stats *st)
{
	return (struct outcome){machine_hash(m), st->events, machine_now(m)};
}

static struct outcome alone(const struct machine_config *c)
{
	static struct workload_source s;
	static struct replay_stats st;
	struct replay_options opt = {.quiet = true, .check = true, .time_ops = true};
	struct workload_run run;
	struct outcome o = {0};
	struct op_source src;
	struct machine *m;
	char err[256];

	m = machine_create(c, err, sizeof(err));
	if (!m)
		return o;
	start(&run, &s);
	src = workload_source(&s);
	assert_int_equal(replay_loop(m, &src, &opt, &st), 0);
	o = outcome_of(m, &st);
	workload_stop(&run);
	machine_destroy(m);
	return o;
}

static void take(void *self, struct fleet_member *v)
{
	((struct outcome *)self)[v->id] = outcome_of(v->m, v->st);
}

static void test_as_if_alone(void **state)
{
	static struct fleet_member members[MACHINES];
	static struct workload_source s;
	struct outcome want[MACHINES], got[MACHINES];
	struct workload_run run;
	char err[512];

	(void)state;
	for (unsigned i = 0; i < MACHINES; i++) {
		configure(&members[i].config, settings[i]);
		want[i] = alone(&members[i].config);
	}
	for (unsigned jobs = 1; jobs <= 12; jobs += jobs < 3 ? 1 : 9) {
		struct fleet f = {.members = members, .nr = MACHINES, .jobs = jobs, .quiet = true, .done = take,
				  .self = got};
		struct op_source src;

		memset(got, 0, sizeof(got));
		for (unsigned i = 0; i < MACHINES; i++) {
			memset(&members[i], 0, sizeof(members[i]));
			configure(&members[i].config, settings[i]);
			members[i].options = (struct replay_options){.quiet = true, .check = i & 1, .time_ops = true};
			members[i].id = i;
		}
		start(&run, &s);
		src = workload_source(&s);
		assert_int_equal(fleet_run(&f, &src, err, sizeof(err)), 0);
		workload_stop(&run);
		for (unsigned i = 0; i < MACHINES; i++) {
			assert_memory_equal(&got[i], &want[i], sizeof(got[i]));
			assert_null(members[i].m);
			assert_int_equal(members[i].error[0] != 0, want[i].events == 0);
		}
	}
	assert_true(want[0].events > 12000 && !want[3].events);
}

/* ---- a source that breaks ---- */

static ssize_t broken_next(void *self, const struct mm_op **ops)
{
	static const struct mm_op op[2] = {{.code = OP_TASK, .task = 1, .addr = 10, .len = 10},
					   {.code = OP_SPAWN, .task = 1}};
	unsigned *left = self;

	*ops = op;
	return (*left)-- ? 2 : -EINVAL;
}

static const char *broken_error(void *self)
{
	(void)self;
	return "record 3 is bad";
}

static void test_broken_source(void **state)
{
	static struct fleet_member members[4];
	struct outcome got[4] = {{0}};

	(void)state;
	for (unsigned batches = 0; batches < 40; batches += 39) {
		struct fleet f = {.members = members, .nr = 4, .jobs = 2, .quiet = true, .done = take, .self = got};
		unsigned left = batches;
		struct op_source src = {.self = &left, .next = broken_next, .error = broken_error};
		char err[512];

		memset(members, 0, sizeof(members));
		for (unsigned i = 0; i < 4; i++)
			configure(&members[i].config, "mem=32M");
		assert_int_equal(fleet_run(&f, &src, err, sizeof(err)), -EIO);
		assert_string_equal(err, "record 3 is bad");
		for (unsigned i = 0; i < 4; i++) {
			assert_null(members[i].m);
			assert_int_equal(got[i].events, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_if_alone),
		cmocka_unit_test(test_broken_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
