/* SPDX-License-Identifier: BSD-2-Clause */
/* memrig sweep: one trace or workload on many machines. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/sweep.h"
#include "workloads/workload.h"

enum { OPT_VARY = 256, OPT_PARAM, OPT_METRICS, OPT_JOBS };

static const struct argp_option options[] = {
	{"vary", OPT_VARY, "KEY=A,B,...", 0, "A machine key and its values; may be repeated", 0},
	{"param", OPT_PARAM, "NAME=A,B,...", 0, "A parameter of the workload and its values", 0},
	{"set", 's', "KEY=VALUE", 0, "A machine key for all runs", 0},
	{"metrics", OPT_METRICS, "NAME,...", 0, "Columns to print (all that differ)", 0},
	{"output", 'o', "DIR", 0, "Where sweep.csv and each run's result go (out/sweep)", 0},
	{"jobs", OPT_JOBS, "N", 0, "Runs at once (one a CPU)", 0},
	{"quiet", 'q', NULL, 0, "No progress lines", 0},
	{0},
};

struct args {
	struct sweep sweep;
	char metrics[64][64];
	unsigned nr_metrics;
};

static void add_text(const char **list, unsigned *nr, const char *text, struct argp_state *state)
{
	if (*nr == SWEEP_MAX_ARGS)
		argp_failure(state, EXIT_USAGE, 0, "more than %d arguments", SWEEP_MAX_ARGS);
	list[(*nr)++] = text;
}

static void parse_metrics(struct args *a, char *list, struct argp_state *state)
{
	char *save = NULL;

	for (char *m = strtok_r(list, ",", &save); m; m = strtok_r(NULL, ",", &save)) {
		if (a->nr_metrics == ARRAY_SIZE(a->metrics) || strlen(m) >= sizeof(a->metrics[0]))
			argp_failure(state, EXIT_USAGE, 0, "--metrics: too many names, or '%s' too long", m);
		strcpy(a->metrics[a->nr_metrics++], m);
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;
	struct sweep *s = &a->sweep;
	char err[512], *end;

	switch (key) {
	case OPT_VARY:
	case OPT_PARAM:
		if (sweep_add_axis(s, arg, key == OPT_PARAM, err, sizeof(err)))
			argp_failure(state, EXIT_USAGE, 0, "%s", err);
		return 0;
	case OPT_METRICS:
		parse_metrics(a, arg, state);
		return 0;
	case OPT_JOBS:
		s->jobs = (unsigned)strtoul(arg, &end, 10);
		if (*end || !s->jobs || s->jobs > 256)
			argp_failure(state, EXIT_USAGE, 0, "--jobs %s: expected 1 to 256", arg);
		return 0;
	case 's':
		add_text(s->settings, &s->nr_settings, arg, state);
		return 0;
	case 'o':
		s->dir = arg;
		return 0;
	case 'q':
		s->quiet = true;
		return 0;
	case ARGP_KEY_ARG:
		if (!s->nr_args)
			s->verb = workload_find(arg) ? "run" : "replay";
		add_text(s->args, &s->nr_args, arg, state);
		return 0;
	case ARGP_KEY_END:
		if (!s->nr_args)
			argp_failure(state, EXIT_USAGE, 0, "which trace or workload?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_sweep(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options, .parser = parse, .args_doc = "TRACE\nWORKLOAD [PARAMETER=VALUE...]",
		.doc = "Replays a trace, or runs a workload, once for every combination of the varied keys, and "
		       "prints what differs. For example: memrig sweep t.mrt --vary page=4k,16k,64k --set va=48",
	};
	struct args *a = calloc(1, sizeof(*a));
	char err[5120], path[4200];
	struct table t;
	int r;

	if (!a)
		return cmd_error("sweep: out of memory");
	a->sweep.dir = "out/sweep";
	argp_parse(&argp, argc, argv, 0, NULL, a);
	table_init(&t);
	r = sweep_run(&a->sweep, &t, err, sizeof(err));
	if (!r) {
		snprintf(path, sizeof(path), "%s/sweep.csv", a->sweep.dir);
		r = table_write_csv(&t, path);
		if (r)
			snprintf(err, sizeof(err), "%s: %s", path, strerror(-r));
	}
	if (!r)
		sweep_print(&a->sweep, &t, a->metrics, a->nr_metrics, stdout);
	table_free(&t);
	free(a);
	return r ? cmd_error("sweep: %s", err) : EXIT_DONE;
}
