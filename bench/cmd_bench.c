/* SPDX-License-Identifier: BSD-2-Clause */
/* memrig bench: times the hot paths, prints them against goal and rival, writes JSON and CSV. */
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/cmd.h"
#include "bench/gbench.h"
#include "bench/manifest.h"
#include "bench/stats.h"

#define MAX_FLAGS 64
#define OWN_FLAGS 3

enum { OPT_JSON = 256, OPT_CSV, OPT_PERF, OPT_FORCE, OPT_LIST, OPT_MIN_TIME, OPT_QUIET };

static const struct argp_option options[] = {
	{"filter", 'f', "RE", 0, "Only the cases whose name matches", 0},
	{"list", OPT_LIST, NULL, 0, "Print the names of the cases and what their items are", 0},
	{"quick", 'q', NULL, 0, "5 repetitions of at least 0.02 s instead of 9 of 0.1 s", 0},
	{"repetitions", 'r', "N", 0, "Repetitions of each case", 0},
	{"min-time", OPT_MIN_TIME, "SECONDS", 0, "Least measured time of a repetition", 0},
	{"perf", OPT_PERF, NULL, 0, "Count perf events around the measured regions", 0},
	{"json", OPT_JSON, "FILE", 0, "Write all repetitions and the manifest", 0},
	{"csv", OPT_CSV, "FILE", 0, "Write one line a repetition", 0},
	{"quiet", OPT_QUIET, NULL, 0, "Print no table", 0},
	{"force", OPT_FORCE, NULL, 0, "Measure although this build checks its assertions", 0},
	{0},
};

struct args {
	const char *filter, *json, *csv, *repetitions, *min_time;
	bool quick, perf, force, list, quiet, native;
	const char *flags[MAX_FLAGS]; /* --benchmark_*: OWN_FLAGS of ours, then the user's, which win */
	unsigned nr_flags;
	char command[1024]; /* as given, for the result */
};

static void check_number(struct argp_state *state, const char *text, const char *what)
{
	char *end;
	double v = strtod(text, &end);

	if (*end || end == text || !(v > 0) || v > GBENCH_MAX_REPETITIONS)
		argp_failure(state, EXIT_USAGE, 0, "%s: '%s': expected a number above 0, at most %d", what, text,
			     GBENCH_MAX_REPETITIONS);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case 'f':
		a->filter = arg;
		return 0;
	case 'q':
		a->quick = true;
		return 0;
	case 'r':
		check_number(state, arg, "--repetitions");
		a->repetitions = arg;
		return 0;
	case OPT_MIN_TIME:
		check_number(state, arg, "--min-time");
		a->min_time = arg;
		return 0;
	case OPT_JSON:
		a->json = arg;
		return 0;
	case OPT_CSV:
		a->csv = arg;
		return 0;
	case OPT_PERF:
		a->perf = true;
		return 0;
	case OPT_FORCE:
		a->force = true;
		return 0;
	case OPT_LIST:
		a->list = true;
		return 0;
	case OPT_QUIET:
		a->quiet = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_failure(state, EXIT_USAGE, 0, "'%s': expected only options; --filter RE selects cases", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options, .parser = parse,
	.doc = "Times the hot paths through Google Benchmark; every --benchmark_* option is passed on to it."
	       "\vA figure is the median of the repetitions, with the least and the greatest beside it. The clock "
	       "is read around batches, never around single operations; what a case does to get ready for the "
	       "next batch is not timed. 'memrig compare' compares two --json files, 'memrig plot' draws one.",
};

/* Keeps the command line; moves --benchmark_* out of argv, for argp would refuse them. The new argc. */
static int take_flags(struct args *a, int argc, char **argv)
{
	int n = 1;
	size_t at = (size_t)snprintf(a->command, sizeof(a->command), "%s", argv[0]);

	for (int i = 1; i < argc && at < sizeof(a->command); i++)
		at += (size_t)snprintf(a->command + at, sizeof(a->command) - at,
				       strpbrk(argv[i], " |*?()[]$&;<>\\") ? " '%s'" : " %s", argv[i]);
	a->nr_flags = OWN_FLAGS;
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--benchmark_", 12) || a->nr_flags == MAX_FLAGS - 1) {
			argv[n++] = argv[i];
			continue;
		}
		a->native |= !strncmp(argv[i], "--benchmark_format", 18) ||
			     !strncmp(argv[i], "--benchmark_list_tests", 22);
		a->flags[a->nr_flags++] = argv[i];
	}
	argv[n] = NULL;
	return n;
}

/* ---- results ---- */

struct report {
	const struct args *args;
	json_t *benches;
	FILE *csv;
	unsigned shown, failed;
	struct timespec started;
	bool counted[NR_PERF_ITEMS]; /* columns of --perf */
	double widest; /* the most of a core that any case had */
};

static const char *const unit_names[] = {"ns", "M/s", "GB/s", "x"};

/* Nanoseconds an item -> the case's unit. */
static double in_unit(const struct gbench_result *r, double ns)
{
	switch (r->c->unit) {
	case BENCH_M_PER_SEC:
		return 1e3 * r->threads / ns;
	case BENCH_GB_PER_SEC:
	case BENCH_TIMES:
		return r->threads / ns;
	default:
		return ns;
	}
}

static bool goal_met(const struct gbench_result *r, double v)
{
	return r->c->unit == BENCH_NS ? v <= r->goal : v >= r->goal;
}

static void print_head(const struct report *rep)
{
	printf("%-44s %10s %10s %10s %-5s %9s %-6s %9s", "case", "median", "least", "greatest", "unit", "goal",
	       "", "rival");
	for (unsigned i = 0; i < NR_PERF_ITEMS; i++)
		if (rep->counted[i])
			printf(" %13s", perf_name(i));
	putchar('\n');
}

static void print_optional(double v)
{
	if (v > 0)
		printf(" %9.4g", v);
	else
		printf(" %9s", "-");
}

static void print_row(struct report *rep, const struct gbench_result *r, const double *v)
{
	const struct bench_case *c = r->c;
	double median = stats_median(v, r->repetitions), sorted[2] = {v[0], v[0]};

	for (unsigned i = 1; i < r->repetitions; i++) {
		sorted[0] = fmin(sorted[0], v[i]);
		sorted[1] = fmax(sorted[1], v[i]);
	}
	printf("%-44s %10.4g %10.4g %10.4g %-5s", r->name, median, sorted[0], sorted[1], unit_names[c->unit]);
	print_optional(r->goal);
	printf(" %-6s", !(r->goal > 0) ? "" : goal_met(r, median) ? "met" : "MISSED");
	print_optional(r->rival);
	for (unsigned i = 0; i < NR_PERF_ITEMS; i++)
		if (rep->counted[i])
			printf(" %13.4g", r->perf[i]);
	putchar('\n');
	fflush(stdout);
}

static double seconds_since(const struct timespec *t)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - t->tv_sec) + (double)(now.tv_nsec - t->tv_nsec) / 1e9;
}

/* A line below the table that the next row replaces; only for terminals. */
static void progress(const struct report *rep, const struct gbench_result *r, bool clear)
{
	double seconds = seconds_since(&rep->started);

	if (rep->args->quiet || !isatty(2) || !r->total)
		return;
	if (clear)
		fputs("\r\033[K", stderr);
	else if (rep->shown < r->total)
		fprintf(stderr, "\r\033[Kbench: %u of %u cases, %.0f s left", rep->shown, r->total,
			seconds / rep->shown * (r->total - rep->shown));
}

static json_t *optional(double v)
{
	return v > 0 ? json_real(v) : json_null();
}

static void add_json(struct report *rep, const struct gbench_result *r, const double *v)
{
	const struct bench_case *c = r->c;
	json_t *values = json_array(), *perf = json_object(), *o;

	for (unsigned i = 0; i < r->repetitions; i++)
		json_array_append_new(values, json_real(v[i]));
	for (unsigned i = 0; rep->args->perf && i < NR_PERF_ITEMS; i++)
		json_object_set_new(perf, perf_name(i), r->perf[i] >= 0 ? json_real(r->perf[i]) : json_null());
	o = json_pack("{ss ss ss ss* sI si ss ss sb so so ss* sf so sI sf so}", "name", r->name, "suite", c->suite,
		      "case", c->name, "arg_name", c->nr_args ? (c->arg_name ? c->arg_name : "arg") : NULL, "arg",
		      (json_int_t)r->arg, "threads", (int)r->threads, "help", c->help ? c->help : "", "unit",
		      unit_names[c->unit], "less_is_better", c->unit == BENCH_NS, "goal", optional(r->goal),
		      "rival", optional(r->rival), "rival_name", c->rival_name, "median",
		      stats_median(v, r->repetitions), "values", values, "iterations",
		      (json_int_t)r->iterations, "core_width", r->core_width, "perf", perf);
	rep->widest = fmax(rep->widest, r->core_width);
	json_array_append_new(rep->benches, o);
}

/* The rival that ran before @r, if it did: what this machine can do at most, today. */
static void measured_rival(const struct report *rep, struct gbench_result *r)
{
	size_t i;
	json_t *o;

	if (!r->c->rival_case)
		return;
	json_array_foreach(rep->benches, i, o) {
		if (strcmp(json_string_value(json_object_get(o, "suite")), r->c->suite) ||
		    strcmp(json_string_value(json_object_get(o, "case")), r->c->rival_case))
			continue;
		r->rival = json_number_value(json_object_get(o, "median"));
		r->goal = r->rival * r->c->rival_part;
	}
}

static void report_result(struct report *rep, const struct gbench_result *r, const double *v)
{
	struct gbench_result with_rival = *r;

	measured_rival(rep, &with_rival);
	if (!rep->args->quiet)
		print_row(rep, &with_rival, v);
	add_json(rep, &with_rival, v);
}

static void on_result(void *self, const struct gbench_result *r)
{
	struct report *rep = self;
	double v[GBENCH_MAX_REPETITIONS];

	progress(rep, r, true);
	for (unsigned i = 0; i < NR_PERF_ITEMS; i++)
		rep->counted[i] = rep->args->perf && r->perf[i] >= 0;
	if (!rep->shown++ && !rep->args->quiet)
		print_head(rep);
	if (r->error || !r->repetitions) {
		rep->failed += !r->error || strncmp(r->error, BENCH_SKIPPED, strlen(BENCH_SKIPPED)) != 0;
		fflush(stdout);
		fprintf(stderr, "memrig: bench: %s: %s\n", r->name, r->error ? r->error : "no result");
		return;
	}
	for (unsigned i = 0; i < r->repetitions && i < GBENCH_MAX_REPETITIONS; i++)
		v[i] = in_unit(r, r->ns[i]);
	report_result(rep, r, v);
	progress(rep, r, false);
	for (unsigned i = 0; rep->csv && i < r->repetitions; i++)
		fprintf(rep->csv, "%s,%s,%s,%lld,%u,%u,%s,%.6g\n", r->name, r->c->suite, r->c->name,
			(long long)r->arg, r->threads, i, unit_names[r->c->unit], v[i]);
}

static int write_json(const struct report *rep, const struct args *a)
{
	json_t *manifest = manifest_json(), *all;
	char hash[17], missing[512] = "";
	int rc;

	manifest_hash(manifest, hash);
	if (a->perf)
		perf_missing(missing, sizeof(missing));
	all = json_pack("{si ss ss ss so so ss sO}", "schema", 1, "kind", "bench", "memrig", MEMRIG_VERSION,
			"command", a->command, "manifest", manifest, "hash", json_string(hash), "perf_missing", missing,
			"benches", rep->benches);
	rc = all ? outfile_json(all, a->json) : -ENOMEM;
	json_decref(all);
	return rc ? cmd_error("bench: %s: %s", a->json, strerror(-rc)) : EXIT_DONE;
}

#define SHARED_PART 0.85 /* of the width: below it somebody else was there */

/* Says how many figures are larger than the machine's own. */
static void warn_shared_core(const struct report *rep)
{
	double least = rep->widest;
	unsigned shared = 0;
	size_t i;
	json_t *o;

	json_array_foreach(rep->benches, i, o) {
		double w = json_real_value(json_object_get(o, "core_width"));

		shared += w < rep->widest * SHARED_PART;
		least = fmin(least, w);
	}
	if (shared)
		fprintf(stderr, "memrig: bench: another hardware thread was busy on our core around %u of %zu cases "
			"(%.1f additions a cycle were left of %.1f): their times may be too long\n", shared,
			json_array_size(rep->benches), least, rep->widest);
}

/* ---- run ---- */

static const char *flag(char *buf, size_t n, const char *name, const char *value)
{
	snprintf(buf, n, "--benchmark_%s=%s", name, value);
	return buf;
}

static int list_cases(void)
{
	static const struct bench_case *const suites[] = {
#define SUITE(name) bench_##name##_cases,
#include "bench/suites.def"
#undef SUITE
	};

	for (size_t s = 0; s < ARRAY_SIZE(suites); s++)
		for (const struct bench_case *c = suites[s]; c->name; c++)
			printf("%s/%-*s %s\n", c->suite, 36 - (int)strlen(c->suite), c->name,
			       c->help ? c->help : "");
	return EXIT_DONE;
}

static int open_csv(struct outfile *o, const char *path)
{
	int rc = outfile_open(o, path);

	if (rc)
		return cmd_error("bench: %s: %s", path, strerror(-rc));
	fputs("name,suite,case,arg,threads,repetition,unit,value\n", o->f);
	return EXIT_DONE;
}

static int finish(struct report *rep, const struct args *a, struct outfile *csv, int cases)
{
	int rc = EXIT_DONE;

	if (cases < 0 || (!a->native && !rep->shown)) {
		if (csv->f)
			outfile_abandon(csv);
		return cases < 0 ? EXIT_USAGE :
				   cmd_error("bench: no case matches '%s'; --list shows all",
					     a->filter ? a->filter : "");
	}
	if (!a->quiet)
		warn_shared_core(rep);
	if (csv->f && outfile_commit(csv))
		rc = cmd_error("bench: %s: cannot be written", a->csv);
	if (a->json && !rc)
		rc = write_json(rep, a);
	if (rep->failed && !rc)
		rc = EXIT_CHECK_FAILED;
	return rc;
}

static int run(struct args *a)
{
	char repetitions[64], min_time[64], filter[4096], missing[512];
	struct report rep = {.args = a, .benches = json_array()};
	struct gbench_options opt = {.perf = a->perf, .native = a->native, .result = on_result, .self = &rep};
	struct outfile csv = {.f = NULL};
	int rc;

	a->flags[0] = flag(repetitions, sizeof(repetitions), "repetitions",
			   a->repetitions ? a->repetitions : a->quick ? "5" : "9");
	a->flags[1] = flag(min_time, sizeof(min_time), "min_time",
			   a->min_time ? a->min_time : a->quick ? "0.02" : "0.1");
	a->flags[2] = flag(filter, sizeof(filter), "filter", a->filter ? a->filter : ".");
	if (a->csv && open_csv(&csv, a->csv))
		return EXIT_USAGE;
	if (a->perf && perf_missing(missing, sizeof(missing))[0])
		fprintf(stderr, "memrig: bench: %s\n", missing);
	rep.csv = csv.f;
	opt.filter = a->filter ? a->filter : ".";
	clock_gettime(CLOCK_MONOTONIC, &rep.started);
	rc = gbench_run(a->flags, &opt);
	rc = finish(&rep, a, &csv, rc);
	json_decref(rep.benches);
	return rc;
}

int cmd_bench(int argc, char **argv)
{
	struct args a = {0};

	argc = take_flags(&a, argc, argv);
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (a.list)
		return list_cases();
	if (a.native && (a.json || a.csv))
		return cmd_error("bench: --benchmark_format prints Google Benchmark's own report: use --benchmark_out "
				 "beside --json and --csv");
	if (MM_DEBUG > 0 && !a.force)
		return cmd_error("bench: this build checks assertions (MM_DEBUG=%d) and would measure those; "
				 "use the release preset, or --force", MM_DEBUG);
	return run(&a);
}
