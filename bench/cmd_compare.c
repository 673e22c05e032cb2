/* SPDX-License-Identifier: BSD-2-Clause */
/* memrig compare: medians, confidence and regressions of two or more results. */
#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/compare.h"

#define MAX_RESULTS 32

enum { OPT_GATE = 256, OPT_ALL };

static const struct argp_option options[] = {
	{"gate", OPT_GATE, "PERCENT", 0, "Exit with 1 when a series is worse than the first result's by more than this "
	 "and the difference is significant", 0},
	{"all", OPT_ALL, NULL, 0, "Also list counters that are equal", 0},
	{0},
};

struct args {
	const char *results[MAX_RESULTS];
	unsigned nr;
	double gate; /* < 0: none */
	bool all;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;
	char *end;

	switch (key) {
	case OPT_GATE:
		a->gate = strtod(arg, &end);
		if (*end || end == arg || !(a->gate >= 0))
			argp_failure(state, EXIT_USAGE, 0, "--gate: '%s': expected a percentage", arg);
		return 0;
	case OPT_ALL:
		a->all = true;
		return 0;
	case ARGP_KEY_ARG:
		if (a->nr == MAX_RESULTS)
			argp_failure(state, EXIT_USAGE, 0, "more than %d results", MAX_RESULTS);
		a->results[a->nr++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (a->nr < 2)
			argp_failure(state, EXIT_USAGE, 0, "expected two results or more");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options, .parser = parse, .args_doc = "A.json B.json...",
	.doc = "Compares results of 'bench --json' or 'replay --json' with the first of them. A1.json,A2.json,... "
	       "counts as one result with more repetitions."
	       "\vSignificant: two-sided Mann-Whitney test, p <= 0.05; the interval is the bootstrap's 95 % "
	       "interval of the ratio of the medians. With fewer than 4 repetitions on a side nothing can be "
	       "tested: --gate then judges by the medians alone and the table says so. Counters of a replay are "
	       "exact: each that differs is listed. Exit status: 1 for a regression beyond --gate.",
};

static double *numbers(const json_t *series, size_t *n)
{
	const json_t *values = json_object_get(series, "values");
	double *v;

	*n = json_array_size(values);
	v = calloc(*n + 1, sizeof(*v));
	for (size_t i = 0; v && i < *n; i++)
		v[i] = json_number_value(json_array_get(values, i));
	return v;
}

/* Too few repetitions leave nothing to test: then the medians decide. */
static bool regressed(const struct compare_verdict *v, double gate)
{
	return gate >= 0 && v->worse * 100 > gate && (v->significant || isnan(v->p));
}

static void print_verdict(const char *name, const char *unit, const struct compare_verdict *v, double gate)
{
	char interval[48] = "-", p[16] = "-";
	const char *word = "same";

	if (!isnan(v->p)) {
		snprintf(interval, sizeof(interval), "%+.1f .. %+.1f %%", v->low * 100, v->high * 100);
		snprintf(p, sizeof(p), "%.3f", v->p);
	}
	if (regressed(v, gate))
		word = isnan(v->p) ? "REGRESSION (untested)" : "REGRESSION";
	else if (isnan(v->p))
		word = "untested";
	else if (v->significant)
		word = v->worse > 0 ? "worse" : "better";
	printf("%-44s %12.5g %12.5g %-8s %+8.1f %% %20s %7s  %s\n", name, v->base, v->other, unit, v->change * 100,
	       interval, p, word);
}

/* Number of regressions; -1: out of memory. */
static int compare_all_series(const json_t *a, const json_t *b, double gate)
{
	const char *name;
	json_t *sa, *sb;
	int bad = 0;

	json_object_foreach(json_object_get(a, "series"), name, sa) {
		struct compare_verdict v;
		size_t na, nb;
		double *va, *vb;

		sb = json_object_get(json_object_get(b, "series"), name);
		if (!sb) {
			printf("%-44s only in the first\n", name);
			continue;
		}
		va = numbers(sa, &na);
		vb = numbers(sb, &nb);
		if (va && vb) {
			compare_series(va, na, vb, nb, json_is_true(json_object_get(sa, "less_is_better")), &v);
			print_verdict(name, json_string_value(json_object_get(sa, "unit")), &v, gate);
			bad += regressed(&v, gate);
		}
		free(va);
		free(vb);
		if (!va || !vb)
			return -1;
	}
	json_object_foreach(json_object_get(b, "series"), name, sb)
		if (!json_object_get(json_object_get(a, "series"), name))
			printf("%-44s only in the second\n", name);
	return bad;
}

static void compare_config(const json_t *a, const json_t *b)
{
	json_t *ca = json_object_get(a, "config"), *cb = json_object_get(b, "config"), *v;
	const char *key;

	if (ca && !json_equal(json_object_get(a, "trace"), json_object_get(b, "trace")))
		printf("  the traces differ\n");
	json_object_foreach(ca, key, v) {
		json_t *w = json_object_get(cb, key);

		if (!json_equal(v, w))
			printf("  config %s: %s against %s\n", key, json_string_value(v),
			       w ? json_string_value(w) : "nothing");
	}
}

static void compare_counters(const json_t *a, const json_t *b, bool all)
{
	json_t *ca = json_object_get(a, "counters"), *cb = json_object_get(b, "counters"), *v;
	unsigned equal = 0, differ = 0;
	const char *name;

	json_object_foreach(ca, name, v) {
		json_int_t x = json_integer_value(v), y = json_integer_value(json_object_get(cb, name));

		differ += x != y;
		equal += x == y;
		if (x == y && !(all && x))
			continue;
		printf("%-44s %12lld %12lld          ", name, (long long)x, (long long)y);
		if (x)
			printf("%+8.1f %%", ((double)y / (double)x - 1) * 100);
		putchar('\n');
	}
	if (equal || differ)
		printf("counters: %u equal, %u differ\n", equal, differ);
}

static int compare_two(const struct args *a, const json_t *first, unsigned i)
{
	char err[512];
	json_t *other = compare_load(a->results[i], err, sizeof(err));
	int bad;

	if (!other)
		return -cmd_error("compare: %s", err);
	if (!json_equal(json_object_get(first, "what"), json_object_get(other, "what"))) {
		json_decref(other);
		return -cmd_error("compare: %s: a bench and a replay cannot be compared", a->results[i]);
	}
	printf("%s against %s\n", a->results[i], a->results[0]);
	compare_config(first, other);
	printf("%-44s %12s %12s %-8s %10s %20s %7s\n", "series", "first", "second", "unit", "change", "95 % interval",
	       "p");
	bad = compare_all_series(first, other, a->gate);
	compare_counters(first, other, a->all);
	json_decref(other);
	return bad < 0 ? -cmd_error("compare: out of memory") : bad;
}

int cmd_compare(int argc, char **argv)
{
	struct args a = {.gate = -1};
	char err[512];
	json_t *first;
	int bad = 0;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	first = compare_load(a.results[0], err, sizeof(err));
	if (!first)
		return cmd_error("compare: %s", err);
	for (unsigned i = 1; i < a.nr; i++) {
		int rc = compare_two(&a, first, i);

		if (rc < 0) {
			json_decref(first);
			return EXIT_USAGE;
		}
		bad += rc;
	}
	json_decref(first);
	if (a.gate >= 0)
		printf("%d regression%s beyond %g %%\n", bad, bad == 1 ? "" : "s", a.gate);
	return bad ? EXIT_CHECK_FAILED : EXIT_DONE;
}
