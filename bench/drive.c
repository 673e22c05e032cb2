/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/drive.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/footprint.h"
#include "bench/heap_host.h"
#include "bench/manifest.h"
#include "bench/result.h"
#include "bench/verdict.h"

/* ---- options ---- */

enum { OPT_JSON = 256, OPT_CHECK, OPT_SAMPLE, OPT_SHOW, OPT_SUMMARY, OPT_JOBS };

static const struct argp_option options[] = {
	{"check", OPT_CHECK, 0, 0, "Compare every recorded result and run all invariants at the end", 0},
	{"json", OPT_JSON, "FILE", 0, "Write the result", 0},
	{"sample", OPT_SAMPLE, "NS", 0, "A row of counters every NS nanoseconds of the trace, to DIR/samples.csv", 0},
	{"show", OPT_SHOW, "VIEW,...", 0, "Print views of the machine at the end", 0},
	{"output", 'o', "DIR", 0, "Where samples go; of several machines also sweep.csv, results and curves", 0},
	{"summary", OPT_SUMMARY, 0, 0, "Print the summary (the default without --quiet)", 0},
	{"jobs", OPT_JOBS, "N", 0, "Several machines: threads that drive them (one a CPU)", 0},
	{"quiet", 'q', 0, 0, "No progress line, no summary", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct drive *d = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &d->machine;
		return 0;
	case ARGP_KEY_END:
		if (d->sample_ns && !d->dir)
			argp_failure(state, EXIT_USAGE, 0, "--sample needs -o DIR");
		return 0;
	case OPT_CHECK:
		d->check = true;
		return 0;
	case OPT_JSON:
		d->json = arg;
		return 0;
	case OPT_SAMPLE:
		d->sample_ns = parse_number("sample", arg, state);
		if (!d->sample_ns)
			argp_failure(state, EXIT_USAGE, 0, "--sample %s: expected nanoseconds", arg);
		return 0;
	case OPT_SHOW:
		d->show = arg;
		return 0;
	case OPT_SUMMARY:
		d->summary = true;
		return 0;
	case OPT_JOBS:
		d->jobs = parse_jobs(arg, state);
		return 0;
	case 'o':
		d->dir = arg;
		return 0;
	case 'q':
		d->quiet = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = MACHINE_ARGP;
const struct argp drive_argp = {.options = options, .parser = parse, .children = children};

void drive_init(struct drive *d, const char *verb)
{
	d->verb = verb;
	machine_args_init(&d->machine, &d->sweep.variants);
}

/* ---- several machines ---- */

bool drive_is_many(const struct drive *d)
{
	return d->sweep.variants.nr_axes;
}

int drive_many(struct drive *d)
{
	struct sweep *s = &d->sweep;

	if (d->show && views_known(d->verb, d->show))
		return EXIT_USAGE;
	s->verb = d->verb;
	s->base = d->machine.config;
	s->check = d->check;
	s->sample_ns = d->sample_ns;
	s->show = d->show;
	s->jobs = d->jobs;
	s->dir = d->dir;
	s->quiet = d->quiet;
	return sweep_verb(s, d->json, sweep_paging, SWEEP_NR_PAGING);
}

/* ---- one machine ---- */

int drive_config(struct drive *d)
{
	if (d->show && views_known(d->verb, d->show))
		return EXIT_USAGE;
	return machine_args_finish(&d->machine);
}

int drive_size(struct drive *d, int (*open)(void *self, struct drive_stream *s, char *err, size_t n),
	       void (*close)(void *self, struct drive_stream *s), void *self)
{
	struct drive_stream s = {.name = NULL};
	char err[512] = "out of memory";
	int rc;

	if (!footprint_asked(&d->machine.config))
		return EXIT_DONE;
	if (open(self, &s, err, sizeof(err)))
		return cmd_error("%s: %s", d->verb, err);
	rc = footprint_resolve(&d->machine.config, &s.src, err, sizeof(err));
	close(self, &s);
	return rc ? cmd_error("%s: %s", d->verb, err) : EXIT_DONE;
}

/* Takes the reference to @j. */
static int write_json(const struct drive *d, json_t *j)
{
	char err[512] = "out of memory";
	int bad = !j || result_write(j, d->json, err, sizeof(err));

	json_decref(j);
	return bad ? cmd_error("%s: %s", d->verb, err) : EXIT_DONE;
}

static bool wants_summary(const struct drive *d)
{
	return d->summary || (!d->quiet && !d->show);
}

/* What is printed and written of a machine at the end of its stream. */
static int finish(struct machine *m, const struct drive *d, const struct drive_stream *s,
		  const struct replay_stats *st)
{
	char hash[32];
	struct result_trace t = result_trace_of(s->reader, s->title, st, hash);
	int status = verdict(m, st, d->check, s->name, stdout);

	if (d->json && write_json(d, result_json(m, st, &t)))
		return EXIT_USAGE;
	if (s->reader && trace_reader_notice(s->reader)[0])
		fprintf(stderr, "memrig: %s: %s\n", d->verb, trace_reader_notice(s->reader));
	if (d->show && views_print(d->verb, m, d->show, stdout))
		return EXIT_USAGE;
	if (wants_summary(d))
		result_print(m, st, &t, stdout);
	if (t.lost)
		fprintf(stderr, "memrig: %s: %s: the recorder lost %" PRIu64 " events\n", d->verb, s->name, t.lost);
	return status;
}

static int open_samples(const struct drive *d, struct outfile *o)
{
	char path[4096];
	int rc = make_dirs(d->dir);

	if (!rc && (size_t)snprintf(path, sizeof(path), "%s/samples.csv", d->dir) >= sizeof(path))
		rc = -ENAMETOOLONG;
	if (!rc)
		rc = outfile_open(o, path);
	if (rc)
		o->f = NULL;
	return rc ? cmd_error("%s: %s: %s", d->verb, d->dir, strerror(-rc)) : EXIT_DONE;
}

/* Runs the stream; 0, or EXIT_USAGE after one line. */
static int apply(struct machine *m, const struct drive *d, const struct drive_stream *s, struct replay_stats *st)
{
	struct replay_options opt = {.check = d->check, .quiet = d->quiet, .time_ops = true, .sample_ns = d->sample_ns};
	struct outfile samples = {.f = NULL};
	int rc;

	if (d->sample_ns && open_samples(d, &samples))
		return EXIT_USAGE;
	opt.samples = samples.f;
	rc = replay_loop(m, &s->src, &opt, st);
	if (samples.f && rc)
		outfile_abandon(&samples);
	else if (samples.f && outfile_commit(&samples))
		rc = -ENOSPC;
	if (!rc)
		return EXIT_DONE;
	return cmd_error("%s: %s", d->verb, rc == -EIO ? st->error : rc == -ENOMEM ? "out of memory" :
			 "samples.csv: cannot be written (disk full?)");
}

int drive_one(const struct drive *d, const struct drive_stream *s)
{
	struct replay_stats *st = malloc(sizeof(*st));
	char err[512] = "out of memory";
	struct machine *m = st ? machine_create(&d->machine.config, err, sizeof(err)) : NULL;
	int rc = m ? apply(m, d, s, st) : cmd_error("%s: %s", d->verb, err);

	if (!rc)
		rc = finish(m, d, s, st);
	machine_destroy(m);
	free(st);
	return rc;
}

/* ---- the host's allocators ---- */

int drive_on_host(const struct drive *d, const char *trace)
{
	struct heap_host_result r;
	char err[512];

	if (d->show || d->sample_ns || d->check)
		return cmd_error("%s: heap=: a host allocator has no views, samples or checks", d->verb);
	if (heap_host_replay(trace, (int)d->machine.config.heap, HEAP_HOST_TOUCH_FIRST, &r, err, sizeof(err)))
		return cmd_error("%s: %s", d->verb, err);
	if (d->json && write_json(d, heap_host_json(&r)))
		return EXIT_USAGE;
	if (wants_summary(d))
		heap_host_print(&r, stdout);
	return EXIT_DONE;
}
