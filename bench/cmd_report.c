/* SPDX-License-Identifier: BSD-2-Clause */
/* memrig report: one self-contained HTML page. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/manifest.h"
#include "bench/report.h"

enum { OPT_BENCH = 256, OPT_REPLAYS, OPT_DATA };

static const struct argp_option options[] = {
	{"bench", OPT_BENCH, "FILE", 0, "Result of 'memrig bench --json'", 0},
	{"replays", OPT_REPLAYS, "DIR", 0, "Replays: DIR/TRACE/MACHINE/result.json, samples.csv beside it", 0},
	{"data", OPT_DATA, "DIR", 0, "CSV files for the plots with csv: inputs; graph.dot, a view to be drawn", 0},
	{"output", 'o', "DIR", 0, "Write DIR/index.html (default: out/report); the pictures lie in DIR/plots too", 0},
	{0},
};

struct args {
	const char *bench, *replays, *data, *out;
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
	case ARGP_KEY_ARG:
		argp_failure(state, EXIT_USAGE, 0, "'%s': expected only options", arg);
		return 0;
	case ARGP_KEY_END:
		if (!a->bench && !a->replays)
			argp_failure(state, EXIT_USAGE, 0, "from what? --bench FILE, --replays DIR, or both");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options, .parser = parse,
	.doc = "Writes one HTML page with tables and pictures of bench and replay results; it opens without a "
	       "network, in light and dark.",
};

static int write_page(const struct results *r, const struct figures *f, const struct structures *s, const char *dir)
{
	char path[4200];
	struct outfile o;
	int rc;

	snprintf(path, sizeof(path), "%s/index.html", dir);
	rc = outfile_open(&o, path);
	if (rc)
		return cmd_error("report: %s: %s", path, strerror(-rc));
	rc = report_write(o.f, r, f, s);
	if (rc)
		outfile_abandon(&o);
	else
		rc = outfile_commit(&o);
	if (rc)
		return cmd_error("report: %s: %s", path, strerror(-rc));
	printf("%s\n", path);
	return EXIT_DONE;
}

static int draw_and_write(struct figures *f, const struct results *r, const struct args *a)
{
	char err[1024], plots[4200];
	struct structures s;

	snprintf(plots, sizeof(plots), "%.4000s/plots", a->out);
	if (figures_draw(f, r, NULL, plots, err, sizeof(err)))
		return cmd_error("report: %s", err);
	if (structures_draw(&s, a->data, plots, err, sizeof(err)))
		return cmd_error("report: %s", err);
	return write_page(r, f, &s, a->out);
}

int cmd_report(int argc, char **argv)
{
	struct args a = {.out = "out/report"};
	struct figures f;
	struct results r;
	char err[1024];
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (strlen(a.out) > 4000)
		return cmd_error("report: %.40s...: name too long", a.out);
	if (figures_init(&f, err, sizeof(err)))
		return cmd_error("report: %s", err);
	if (results_load(&r, a.bench, a.replays, a.data, err, sizeof(err))) {
		figures_free(&f);
		return cmd_error("report: %s", err);
	}
	rc = draw_and_write(&f, &r, &a);
	results_free(&r);
	figures_free(&f);
	return rc;
}
