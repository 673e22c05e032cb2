/* SPDX-License-Identifier: BSD-2-Clause */
/* memrig plot: pictures from results. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/plot.h"

enum { OPT_BENCH = 256, OPT_REPLAYS, OPT_DATA, OPT_LIST };

static const struct argp_option options[] = {
	{"bench", OPT_BENCH, "FILE", 0, "Result of 'memrig bench --json'", 0},
	{"replays", OPT_REPLAYS, "DIR", 0, "Replays: DIR/TRACE/MACHINE/result.json, samples.csv beside it", 0},
	{"data", OPT_DATA, "DIR", 0, "Where the CSV files of csv: inputs are", 0},
	{"output", 'o', "DIR", 0, "Write there (default: out/plots)", 0},
	{"list", OPT_LIST, NULL, 0, "Print the declared plots", 0},
	{0},
};

struct args {
	const char *bench, *replays, *data, *out;
	const char *names[PLOT_MAX];
	unsigned nr;
	bool list;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case OPT_BENCH:
		a->bench = arg;
		return 0;
	case OPT_REPLAYS:
		a->replays = arg;
		return 0;
	case OPT_DATA:
		a->data = arg;
		return 0;
	case 'o':
		a->out = arg;
		return 0;
	case OPT_LIST:
		a->list = true;
		return 0;
	case ARGP_KEY_ARG:
		if (a->nr == PLOT_MAX)
			argp_failure(state, EXIT_USAGE, 0, "too many names");
		a->names[a->nr++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (!a->list && !a->bench && !a->replays && !a->data)
			argp_failure(state, EXIT_USAGE, 0, "from what? --bench FILE, --replays DIR or --data DIR");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options, .parser = parse, .args_doc = "[NAME...]",
	.doc = "Draws the plots declared in plots/plots.list (NAME: only these) as SVG with gnuplot; beside each "
	       "image lie its data (.tsv) and its script (.gp)."
	       "\vMEMRIG_PLOTS names another directory with plots.list. A column that the input does not have is an "
	       "error. docs/BENCH.md tells how a plot is added.",
};

static void print_list(const struct figures *f)
{
	for (unsigned i = 0; i < f->nr_plots; i++)
		printf("%-16s %-12s %s\n", f->plots[i].name, f->plots[i].input, f->plots[i].title);
}

static int draw_all(struct figures *f, const struct results *r, const struct args *a)
{
	char err[1024];

	for (unsigned i = 0; i < (a->nr ? a->nr : 1); i++)
		if (figures_draw(f, r, a->nr ? a->names[i] : NULL, a->out, err, sizeof(err)))
			return cmd_error("plot: %s", err);
	for (unsigned i = 0; i < f->nr; i++)
		printf("%s\n", f->list[i].svg);
	if (!f->nr)
		return cmd_error("plot: none of the plots has its input in what was given");
	return EXIT_DONE;
}

int cmd_plot(int argc, char **argv)
{
	struct args a = {.out = "out/plots"};
	struct figures f;
	struct results r;
	char err[1024];
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (figures_init(&f, err, sizeof(err)))
		return cmd_error("plot: %s", err);
	if (a.list) {
		print_list(&f);
		figures_free(&f);
		return EXIT_DONE;
	}
	if (results_load(&r, a.bench, a.replays, a.data, err, sizeof(err))) {
		figures_free(&f);
		return cmd_error("plot: %s", err);
	}
	rc = draw_all(&f, &r, &a);
	results_free(&r);
	figures_free(&f);
	return rc;
}
