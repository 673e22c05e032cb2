/* SPDX-License-Identifier: BSD-2-Clause */
/* memrig replay T: one trace on a fresh machine, or on several at once. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/footprint.h"
#include "bench/heap_host.h"
#include "bench/machine_args.h"
#include "bench/manifest.h"
#include "bench/replay_loop.h"
#include "bench/result.h"
#include "bench/sweep.h"
#include "bench/trace_source.h"
#include "bench/verdict.h"

struct replay_args {
	struct machine_args machine;
	struct sweep sweep; /* for lists */
	const char *trace, *json, *show, *dir;
	u64 sample_ns;
	unsigned jobs;
	bool check, quiet, summary, place_own;
};

enum { OPT_JSON = 256, OPT_CHECK, OPT_SAMPLE, OPT_SHOW, OPT_SUMMARY, OPT_PLACE, OPT_JOBS };

static const struct argp_option options[] = {
	{"check", OPT_CHECK, 0, 0, "Compare every recorded result and run all invariants at the end", 0},
	{"json", OPT_JSON, "FILE", 0, "Write the result", 0},
	{"sample", OPT_SAMPLE, "NS", 0, "A row of counters every NS nanoseconds of the trace, to DIR/samples.csv", 0},
	{"show", OPT_SHOW, "VIEW,...", 0, "Print views of the machine at the end", 0},
	{"output", 'o', "DIR", 0, "Where samples go; of several machines also sweep.csv, results and curves", 0},
	{"summary", OPT_SUMMARY, 0, 0, "Print the summary (the default without --quiet)", 0},
	{"place", OPT_PLACE, "trace|own", 0, "Addresses as recorded, or chosen by the model", 0},
	{"jobs", OPT_JOBS, "N", 0, "Several machines: threads that drive them (one a CPU)", 0},
	{"quiet", 'q', 0, 0, "No progress line, no summary", 0},
	{0},
};

static void parse_option(int key, char *arg, struct replay_args *a, struct argp_state *state)
{
	char *end, err[256];

	switch (key) {
	case OPT_CHECK:
		a->check = true;
		break;
	case OPT_JSON:
		a->json = arg;
		break;
	case OPT_SAMPLE:
		a->sample_ns = strtoull(arg, &end, 0);
		if (!a->sample_ns || *end)
			argp_failure(state, 2, 0, "--sample %s: expected nanoseconds", arg);
		break;
	case OPT_SHOW:
		a->show = arg;
		break;
	case OPT_SUMMARY:
		a->summary = true;
		break;
	case OPT_PLACE:
		if (config_set(&a->machine.config, "place", arg, err, sizeof(err)))
			argp_failure(state, 2, 0, "%s", err);
		break;
	case OPT_JOBS:
		a->jobs = parse_jobs(arg, state);
		break;
	case 'o':
		a->dir = arg;
		break;
	default:
		a->quiet = true;
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct replay_args *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->machine;
		return 0;
	case ARGP_KEY_ARG:
		if (a->trace)
			argp_failure(state, 2, 0, "one trace at a time; '%s' is too many", arg);
		a->trace = arg;
		return 0;
	case ARGP_KEY_END:
		if (!a->trace)
			argp_failure(state, 2, 0, "which trace?");
		if (a->sample_ns && !a->dir)
			argp_failure(state, 2, 0, "--sample needs -o DIR");
		return 0;
	case ARGP_KEY_NO_ARGS:
	case ARGP_KEY_ERROR:
	case ARGP_KEY_SUCCESS:
	case ARGP_KEY_FINI:
	case ARGP_KEY_ARGS:
		return ARGP_ERR_UNKNOWN;
	default:
		if (key != 'o' && key != 'q' && (key < OPT_JSON || key > OPT_JOBS))
			return ARGP_ERR_UNKNOWN;
		parse_option(key, arg, a, state);
		return 0;
	}
}

static int complain(const char *text)
{
	fprintf(stderr, "memrig: replay: %s\n", text);
	return 2;
}

static int open_samples(struct outfile *o, const char *dir)
{
	char path[4096];
	int r = make_dirs(dir);

	if (r)
		return r;
	if ((size_t)snprintf(path, sizeof(path), "%s/samples.csv", dir) >= sizeof(path))
		return -ENAMETOOLONG;
	return outfile_open(o, path);
}

static int finish(struct machine *m, const struct replay_args *a, const struct replay_stats *st,
		  struct trace_reader *r)
{
	char hash[32], err[512];
	struct result_trace t = {.path = a->trace, .hash = hash, .events = st->events,
				 .lost = trace_reader_info(r)->lost, .duration_ns = st->last_ts - st->first_ts};
	int status = verdict(m, st, a->check, a->trace, stdout);

	snprintf(hash, sizeof(hash), "%016" PRIx64, trace_hash(r));
	if (a->json) {
		json_t *j = result_json(m, st, &t);
		int bad = !j || result_write(j, a->json, err, sizeof(err));

		json_decref(j);
		if (bad)
			return complain(j ? err : "out of memory");
	}
	if (trace_reader_notice(r)[0])
		fprintf(stderr, "memrig: replay: %s\n", trace_reader_notice(r));
	if (a->show && views_print("replay", m, a->show, stdout))
		return 2;
	if (a->summary || (!a->quiet && !a->show))
		result_print(m, st, &t, stdout);
	if (t.lost)
		fprintf(stderr, "memrig: replay: %s: the recorder lost %" PRIu64 " events\n",
			a->trace, t.lost);
	return status;
}

static int run(struct machine *m, const struct replay_args *a, struct trace_reader *r)
{
	struct replay_stats *st = malloc(sizeof(*st));
	struct replay_options opt = {.check = a->check, .quiet = a->quiet, .time_ops = true,
				     .sample_ns = a->sample_ns};
	struct op_source src = trace_source(r);
	struct outfile samples = {.f = NULL};
	int rc;

	if (!st)
		return complain("out of memory");
	if (a->sample_ns && (rc = open_samples(&samples, a->dir)) < 0) {
		fprintf(stderr, "memrig: replay: %s: %s\n", a->dir, strerror(-rc));
		free(st);
		return 2;
	}
	opt.samples = a->sample_ns ? samples.f : NULL;
	rc = replay_loop(m, &src, &opt, st);
	if (samples.f && rc)
		outfile_abandon(&samples);
	else if (samples.f && outfile_commit(&samples))
		rc = -ENOSPC;
	if (rc == -EIO)
		rc = complain(st->error);
	else if (rc == -ENOMEM)
		rc = complain("out of memory");
	else if (rc)
		rc = complain("samples.csv: cannot be written (disk full?)");
	else
		rc = finish(m, a, st, r);
	free(st);
	return rc;
}

/* heap=glibc and the like: the trace's malloc events on a real allocator, in a process of its own. */
static int host_heap(const struct replay_args *a)
{
	struct heap_host_result r;
	char err[512];
	json_t *j;

	if (a->show || a->sample_ns || a->check)
		return complain("heap=: a host allocator has no views, samples or checks");
	if (heap_host_replay(a->trace, (int)a->machine.config.heap, HEAP_HOST_TOUCH_FIRST, &r, err, sizeof(err)))
		return complain(err);
	if (a->json) {
		j = heap_host_json(&r);
		if (!j || result_write(j, a->json, err, sizeof(err))) {
			json_decref(j);
			return complain(j ? err : "out of memory");
		}
		json_decref(j);
	}
	if (a->summary || !a->quiet)
		heap_host_print(&r, stdout);
	return 0;
}

/* mem=0.5wss: the trace runs once before, to see what it needs. */
static int resolve_mem(struct replay_args *a, char *err, size_t errlen)
{
	struct op_source src;
	struct trace_reader *r;
	int rc;

	if (!footprint_asked(&a->machine.config))
		return 0;
	r = trace_open(a->trace, 0, err, errlen);
	if (!r)
		return -EINVAL;
	src = trace_source(r);
	rc = footprint_resolve(&a->machine.config, &src, err, errlen);
	trace_close(r);
	return rc;
}

/* Lists: one pass over the trace for all machines. */
static int many(struct replay_args *a)
{
	struct sweep *s = &a->sweep;

	s->verb = "replay";
	s->trace = a->trace;
	s->base = a->machine.config;
	s->check = a->check;
	s->sample_ns = a->sample_ns;
	s->show = a->show;
	s->jobs = a->jobs;
	s->dir = a->dir;
	s->quiet = a->quiet;
	return sweep_verb(s, a->json, sweep_paging, SWEEP_NR_PAGING);
}

/* One machine. */
static int single(struct replay_args *a)
{
	struct trace_reader *r;
	struct machine *m;
	char err[512];
	int rc;

	if (machine_args_finish(&a->machine))
		return 2;
	if (a->machine.config.heap != HEAP_MODEL)
		return host_heap(a);
	if (resolve_mem(a, err, sizeof(err)))
		return complain(err);
	r = trace_open(a->trace, 0, err, sizeof(err));
	if (!r)
		return complain(err);
	m = machine_create(&a->machine.config, err, sizeof(err));
	if (!m) {
		trace_close(r);
		return complain(err);
	}
	rc = run(m, a, r);
	machine_destroy(m);
	trace_close(r);
	return rc;
}

int cmd_replay(int argc, char **argv)
{
	static const struct argp_child children[] = MACHINE_ARGP;
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "TRACE",
		.children = children,
		.doc = "Replays a trace (.mrt or text) on a fresh machine, or what if: with lists of values "
		       "(--set mem=64M,128M,256M --set workingset=0,1) on every combination of them, all in one pass "
		       "over the trace on all CPUs, with a table of their misses.\v" VARIANTS_HELP "Exit status: 0 "
		       "done; 1 with --check: a result differed or an invariant is broken; 2 unusable input.",
	};
	struct replay_args *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return complain("out of memory");
	machine_args_init(&a->machine, &a->sweep.variants);
	argp_parse(&argp, argc, argv, 0, NULL, a);
	if (a->show && views_known("replay", a->show))
		rc = 2;
	else
		rc = a->sweep.variants.nr_axes ? many(a) : single(a);
	free(a);
	return rc;
}
