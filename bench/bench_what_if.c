/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Suite what_if: one trace on eight sizes of memory in one pass, `memrig replay T --set mem=A,B,...`, against
 * eight replays one after another, each of which opens the trace, decodes it ahead on a thread of its own as
 * the verb does, boots a machine and collects its result. The plain way is measured in setup() of the same
 * repetition; the figure is how many times faster the one pass is with so many threads.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/fleet.h"
#include "bench/progress.h"
#include "bench/result.h"
#include "bench/trace_source.h"
#include "bench/workload_trace.h"
#include "core/base/bug.h"

#define SIZES 8

static const char *const sizes[SIZES] = {"mem=40M", "mem=48M", "mem=56M", "mem=64M", "mem=80M", "mem=96M", "mem=128M",
					 "mem=256M"};

struct what_if {
	char path[32];
	struct machine_config config[SIZES];
	struct fleet_member members[SIZES];
	u64 hash[SIZES]; /* of the machines in the end, the plain way */
};

static void make_result(struct machine *m, const struct replay_stats *st)
{
	json_t *j = result_json(m, st, &(struct result_trace){.path = "t", .hash = ""});

	BUG_ON(!j);
	json_decref(j);
}

static void replay_one(struct what_if *w, unsigned i)
{
	struct replay_options opt = {.quiet = true, .time_ops = true};
	struct replay_stats *st = malloc(sizeof(*st));
	char err[512];
	struct trace_reader *r = trace_open(w->path, 0, err, sizeof(err));
	struct machine *m = machine_create(&w->config[i], err, sizeof(err));
	struct op_source src;

	BUG_ON(!st || !r || !m);
	src = trace_source(r);
	BUG_ON(replay_loop(m, &src, &opt, st));
	make_result(m, st);
	w->hash[i] = machine_hash(m);
	machine_destroy(m);
	trace_close(r);
	free(st);
}

static void what_if_teardown(struct bench_ctx *ctx)
{
	struct what_if *w = ctx->data;

	unlink(w->path);
	free(w);
}

static int make_trace(struct what_if *w)
{
	struct workload_run run;
	char err[512];
	int fd;

	strcpy(w->path, "/tmp/memrig-bench-XXXXXX");
	fd = mkstemp(w->path);
	if (fd < 0)
		return -errno;
	close(fd);
	workload_prepare(&run, workload_find("database"));
	if (workload_start(&run, &(struct workload_options){.seed = 1}, err, sizeof(err)))
		return -EINVAL;
	if (workload_write_trace(&run, w->path, "database", false, err, sizeof(err)))
		return -EIO;
	workload_stop(&run);
	return 0;
}

static int configure(struct what_if *w)
{
	char err[512];

	for (unsigned i = 0; i < SIZES; i++) {
		config_init(&w->config[i]);
		if (config_set_pair(&w->config[i], sizes[i], err, sizeof(err)) ||
		    config_set_pair(&w->config[i], "swap=128M", err, sizeof(err)) ||
		    config_finish(&w->config[i], err, sizeof(err)))
			return -EINVAL;
	}
	return 0;
}

static int what_if_setup(struct bench_ctx *ctx)
{
	struct what_if *w = calloc(1, sizeof(*w));
	int rc;
	u64 start;

	if (!w)
		return -ENOMEM;
	ctx->data = w;
	rc = sysconf(_SC_NPROCESSORS_ONLN) < ctx->arg ? -ENODEV : configure(w);
	if (rc == -ENODEV)
		ctx->error = BENCH_SKIPPED "fewer CPUs than threads";
	if (!rc)
		rc = make_trace(w);
	if (rc) {
		what_if_teardown(ctx);
		return rc;
	}
	start = host_ns();
	for (unsigned i = 0; i < SIZES; i++)
		replay_one(w, i);
	ctx->items = host_ns() - start;
	return 0;
}

static void take(void *self, struct fleet_member *v)
{
	const struct what_if *w = self;

	make_result(v->m, v->st);
	BUG_ON(machine_hash(v->m) != w->hash[v->id]);
}

static void what_if_run(struct bench_ctx *ctx, u64 n)
{
	struct what_if *w = ctx->data;
	struct fleet f = {.members = w->members, .nr = SIZES, .jobs = (unsigned)ctx->arg, .quiet = true, .done = take,
			  .self = w};

	for (; n; n--) {
		char err[512];
		struct trace_reader *r = trace_open(w->path, TRACE_READ_INLINE, err, sizeof(err));
		struct op_source src;

		BUG_ON(!r);
		src = trace_source(r);
		for (unsigned i = 0; i < SIZES; i++)
			w->members[i] = (struct fleet_member){
				.config = w->config[i], .options = {.quiet = true, .time_ops = true}, .id = i};
		BUG_ON(fleet_run(&f, &src, err, sizeof(err)));
		trace_close(r);
	}
}

const struct bench_case bench_what_if_cases[] = {
	{.suite = "what_if", .name = "sizes", .help = "eight sizes of memory in one pass, against eight replays",
	 .setup = what_if_setup, .run = what_if_run, .teardown = what_if_teardown, .iterations = 1, .unit = BENCH_TIMES,
	 .args = {1, 2}, .nr_args = 2, .arg_name = "jobs", .arg_goals = {0, 1.8}},
	{0},
};
