/* SPDX-License-Identifier: BSD-2-Clause */
/* memrig sweep: one trace or workload on many machines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/machine_args.h"
#include "bench/sweep.h"

enum { OPT_VARY = 256, OPT_PARAM, OPT_MACHINE, OPT_METRICS, OPT_JOBS, OPT_JSON };

static const struct argp_option options[] = {
	{"vary", OPT_VARY, "KEY=A,B,...", 0, "A machine key and its values; the same as --set", 0},
	{"param", OPT_PARAM, "NAME=A,B,...", 0, "A parameter of the workload and its values; may be repeated", 0},
	{"machine", OPT_MACHINE, "NAME: KEY=VALUE...", 0, "One of several named machines, with keys of its own (one "
	 "argument); may be repeated", 0},
	{"metrics", OPT_METRICS, "NAME,...", 0, "Columns to print (all that differ)", 0},
	{"output", 'o', "DIR", 0, "Where sweep.csv, each run's result and curves go (out/sweep)", 0},
	{"json", OPT_JSON, "FILE", 0, "Write all results", 0},
	{"jobs", OPT_JOBS, "N", 0, "Threads that drive the machines (one a CPU)", 0},
	{"quiet", 'q', NULL, 0, "No progress lines", 0},
	{0},
};

struct args {
	struct machine_args machine;
	struct sweep sweep;
	char title[512]; /* workload and parameters as given */
	char metrics[64][64];
	unsigned nr_metrics;
	const char *json;
};

static void parse_metrics(struct args *a, char *list, struct argp_state *state)
{
	char *save = NULL;

	for (char *m = strtok_r(list, ",", &save); m; m = strtok_r(NULL, ",", &save)) {
		if (a->nr_metrics == ARRAY_SIZE(a->metrics) || strlen(m) >= sizeof(a->metrics[0]))
			argp_failure(state, EXIT_USAGE, 0, "--metrics: too many names, or '%s' too long", m);
		strcpy(a->metrics[a->nr_metrics++], m);
	}
}

/* The trace, or a workload and its parameters. */
static void positional(struct args *a, char *arg, struct argp_state *state)
{
	struct sweep *s = &a->sweep;
	size_t used = strlen(a->title);
	char err[512], *eq = strchr(arg, '=');

	snprintf(a->title + used, sizeof(a->title) - used, "%s%s", used ? " " : "", arg);
	if (!s->trace && !s->workload) {
		s->workload = workload_find(arg);
		if (s->workload)
			workload_prepare(&s->run, s->workload);
		else
			s->trace = arg;
		return;
	}
	if (s->trace || !eq) {
		argp_failure(state, EXIT_USAGE, 0, s->trace ? "one trace at a time; '%s' is too many" :
			     "'%s': expected PARAMETER=VALUE", arg);
		return;
	}
	*eq = 0;
	if (workload_set(&s->run, arg, eq + 1, err, sizeof(err)))
		argp_failure(state, EXIT_USAGE, 0, "%s", err);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;
	struct sweep *s = &a->sweep;
	char err[512];

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->machine;
		return 0;
	case OPT_VARY:
	case OPT_PARAM:
		if (variants_add(&s->variants, arg, key == OPT_PARAM ? AXIS_PARAM : AXIS_KEY, err, sizeof(err)))
			argp_failure(state, EXIT_USAGE, 0, "%s", err);
		return 0;
	case OPT_MACHINE:
		if (variants_add_machine(&s->variants, arg, err, sizeof(err)))
			argp_failure(state, EXIT_USAGE, 0, "--machine %s: %s", arg, err);
		return 0;
	case OPT_METRICS:
		parse_metrics(a, arg, state);
		return 0;
	case OPT_JSON:
		a->json = arg;
		return 0;
	case OPT_JOBS:
		s->jobs = parse_jobs(arg, state);
		return 0;
	case 'o':
		s->dir = arg;
		return 0;
	case 'q':
		s->quiet = true;
		return 0;
	case ARGP_KEY_ARG:
		positional(a, arg, state);
		return 0;
	case ARGP_KEY_END:
		if (!s->trace && !s->workload)
			argp_failure(state, EXIT_USAGE, 0, "which trace or workload?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_sweep(int argc, char **argv)
{
	static const struct argp_child children[] = MACHINE_ARGP;
	static const struct argp argp = {
		.options = options, .parser = parse, .args_doc = "TRACE\nWORKLOAD [PARAMETER=VALUE...]",
		.children = children,
		.doc = "Replays a trace, or runs a workload, on every combination of the varied keys, parameters and "
		       "machines, in one pass where they share the stream, and prints what differs. For example: "
		       "memrig sweep t.mrt --vary page=4k,16k,64k --set va=48\v" VARIANTS_HELP,
	};
	struct args *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return cmd_error("sweep: out of memory");
	a->sweep.verb = "sweep";
	a->sweep.dir = "out/sweep";
	machine_args_init(&a->machine, &a->sweep.variants);
	argp_parse(&argp, argc, argv, 0, NULL, a);
	a->sweep.base = a->machine.config;
	a->sweep.title = a->sweep.workload ? a->title : NULL;
	rc = sweep_verb(&a->sweep, a->json, (const char (*)[64])a->metrics, a->nr_metrics);
	free(a);
	return rc;
}
