/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/stats.h"

void compare_series(const double *base, size_t n, const double *other, size_t m, bool less_is_better,
		    struct compare_verdict *out)
{
	out->base = stats_median(base, n);
	out->other = stats_median(other, m);
	out->change = out->other / out->base - 1;
	out->worse = less_is_better ? out->change : out->base / out->other - 1;
	out->low = out->high = out->p = (double)NAN;
	out->significant = false;
	if (n < COMPARE_LEAST || m < COMPARE_LEAST)
		return;
	stats_ratio_interval(base, n, other, m, &out->low, &out->high);
	out->low -= 1;
	out->high -= 1;
	out->p = 2 * fmin(stats_mann_whitney(base, n, other, m), stats_mann_whitney(other, m, base, n));
	out->p = fmin(out->p, 1);
	out->significant = out->p <= COMPARE_ALPHA;
}

static json_t *series(json_t *all, const char *name, bool less_is_better, const char *unit)
{
	json_t *s = json_object_get(all, name);

	if (s)
		return json_object_get(s, "values");
	s = json_pack("{s[] sb ss}", "values", "less_is_better", less_is_better, "unit", unit);
	json_object_set_new(all, name, s);
	return json_object_get(s, "values");
}

/* 0, or -1: a bench entry without name, unit or values. */
static int add_bench(json_t *out, const json_t *doc)
{
	json_t *all = json_object_get(out, "series"), *b, *v;
	size_t i, k;

	json_array_foreach(json_object_get(doc, "benches"), i, b) {
		const char *name = json_string_value(json_object_get(b, "name"));
		const char *unit = json_string_value(json_object_get(b, "unit"));
		json_t *values = json_object_get(b, "values");

		if (!name || !unit || !json_array_size(values))
			return -1;
		json_t *to = series(all, name, json_is_true(json_object_get(b, "less_is_better")), unit);

		json_array_foreach(values, k, v)
			json_array_append(to, v);
	}
	return json_object_set_new(out, "what", json_string("bench"));
}

static int add_replay(json_t *out, const json_t *doc)
{
	json_t *replay = json_object_get(doc, "replay"), *trace = json_object_get(doc, "trace");
	json_t *rate = json_object_get(replay, "events_per_second"), *counters = json_object_get(out, "counters");
	static const char *const exact[] = {"events", "skipped", "virtual_ns"};

	if (!json_is_number(rate) || !trace)
		return -1;
	json_array_append_new(series(json_object_get(out, "series"), "replay/events_per_second", false,
				     "events/s"), json_real(json_number_value(rate)));
	for (size_t i = 0; i < ARRAY_SIZE(exact); i++)
		json_object_set(counters, exact[i], json_object_get(replay, exact[i]));
	json_object_update(counters, json_object_get(doc, "vmstat"));
	json_object_set(out, "trace", json_object_get(trace, "hash"));
	json_object_set(out, "config", json_object_get(doc, "config"));
	return json_object_set_new(out, "what", json_string("replay"));
}

static int load_one(json_t *out, const char *path, char *err, size_t errlen)
{
	json_error_t e;
	json_t *doc = json_load_file(path, 0, &e);
	const char *had = json_string_value(json_object_get(out, "what"));
	bool bench = json_is_array(json_object_get(doc, "benches"));
	int rc = -1;

	if (!doc) {
		if (e.line > 0)
			snprintf(err, errlen, "%s:%d: %s", path, e.line, e.text);
		else
			snprintf(err, errlen, "%s", e.text);
		return -1;
	}
	if (had && strcmp(had, bench ? "bench" : "replay"))
		snprintf(err, errlen, "%s: not a %s result as the files before it", path, had);
	else if (bench ? add_bench(out, doc) : add_replay(out, doc))
		snprintf(err, errlen, "%s: neither a result of 'memrig bench --json' nor of 'memrig replay --json'",
			 path);
	else
		rc = 0;
	json_decref(doc);
	return rc;
}

json_t *compare_load(const char *paths, char *err, size_t errlen)
{
	json_t *out = json_pack("{s{} s{}}", "series", "counters");
	char *copy = strdup(paths), *save = NULL;
	int rc = copy ? 0 : -1;

	for (char *p = strtok_r(copy, ",", &save); p && !rc; p = strtok_r(NULL, ",", &save))
		rc = load_one(out, p, err, errlen);
	free(copy);
	if (!rc && json_object_get(out, "what"))
		return out;
	if (!rc)
		snprintf(err, errlen, "'%s': expected a file name", paths);
	json_decref(out);
	return NULL;
}
