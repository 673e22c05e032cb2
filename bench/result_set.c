/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/result_set.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/manifest.h"
#include "bench/stats.h"
#include "core/config.h"
#include "core/vmstat.h"

/* ---- finding files ---- */

static json_t *load_json(const char *path, char *err, size_t errlen)
{
	json_error_t e;
	json_t *j = json_load_file(path, 0, &e);

	if (!j && e.line > 0)
		snprintf(err, errlen, "%s:%d: %s", path, e.line, e.text);
	else if (!j)
		snprintf(err, errlen, "%s", e.text);
	return j;
}

static bool is_replay(const json_t *j)
{
	return json_is_object(json_object_get(j, "replay")) && json_is_object(json_object_get(j, "vmstat")) &&
	       json_is_object(json_object_get(j, "trace"));
}

static char *stem(const char *name)
{
	char *s = strdup(name), *dot = s ? strrchr(s, '.') : NULL;

	if (dot && dot != s)
		*dot = 0;
	return s;
}

/* Names from the place: .../<trace>/<machine>/result.json or .../<trace>/<machine>.json. */
static void name_replay(struct replay_result *r, const char *below)
{
	char *copy = strdup(below), *parts[3] = {NULL, NULL, NULL}, *save = NULL;
	const char *path = json_string_value(json_object_get(json_object_get(r->json, "trace"), "path"));
	const char *slash = path ? strrchr(path, '/') : NULL;

	for (char *p = strtok_r(copy, "/", &save); p; p = strtok_r(NULL, "/", &save)) {
		parts[0] = parts[1];
		parts[1] = parts[2];
		parts[2] = p;
	}
	if (parts[2] && parts[0] && !strcmp(parts[2], "result.json")) {
		r->trace = strdup(parts[0]);
		r->machine = strdup(parts[1]);
	} else {
		r->trace = parts[1] ? strdup(parts[1]) : stem(slash ? slash + 1 : path ? path : "trace");
		r->machine = stem(parts[2] ? parts[2] : "result");
	}
	free(copy);
}

static void find_samples(struct replay_result *r)
{
	char path[4096];
	const char *slash = strrchr(r->json_path, '/');
	int dir = slash ? (int)(slash - r->json_path) + 1 : 0;
	struct stat st;

	snprintf(path, sizeof(path), "%.*ssamples.csv", dir, r->json_path);
	if (!stat(path, &st))
		r->samples_path = strdup(path);
}

static void read_config(struct replay_result *r)
{
	json_t *config = json_object_get(r->json, "config");
	const char *page = json_string_value(json_object_get(config, "page"));
	char text[CONFIG_STR_MAX];

	r->page_bytes = 4096;
	if (page)
		(void)config_parse_size(page, &r->page_bytes);
	for (unsigned k = 0; k < NR_CONFIG_KEYS; k++) {
		const char *v = json_string_value(json_object_get(config, config_key_name(k)));

		r->settings += v && strcmp(v, config_key_default(k, text, sizeof(text)));
	}
}

static int add_replay(struct results *r, const char *path, char *err, size_t errlen)
{
	struct replay_result *n;
	json_t *j;

	if (r->nr_replays == RESULTS_MAX_REPLAYS) {
		snprintf(err, errlen, "%s: more than %d replays", r->replay_dir, RESULTS_MAX_REPLAYS);
		return -1;
	}
	j = load_json(path, err, errlen);
	if (!j)
		return -1;
	if (!is_replay(j)) {
		json_decref(j);
		return 0;
	}
	n = &r->replays[r->nr_replays++];
	memset(n, 0, sizeof(*n));
	n->json = j;
	n->json_path = strdup(path);
	name_replay(n, path + strlen(r->replay_dir));
	find_samples(n);
	read_config(n);
	return 0;
}

/* Directories still to be read. */
struct walk {
	char **paths;
	size_t nr, room;
};

static int push(struct walk *w, const char *dir, const char *name)
{
	if (w->nr == w->room) {
		size_t room = w->room ? w->room * 2 : 64;
		char **p = realloc(w->paths, room * sizeof(*p));

		if (!p)
			return -1;
		w->paths = p;
		w->room = room;
	}
	if (asprintf(&w->paths[w->nr], "%s/%s", dir, name) < 0)
		return -1;
	w->nr++;
	return 0;
}


static int read_dir(struct results *r, struct walk *w, const char *dir, char *err, size_t errlen)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	struct stat st;
	int rc = 0;

	if (!d) {
		snprintf(err, errlen, "%s: %s", dir, strerror(errno));
		return -1;
	}
	while (!rc && (e = readdir(d))) {
		char path[4096];
		size_t n = strlen(e->d_name);

		if (e->d_name[0] == '.' ||
		    (size_t)snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= sizeof(path) ||
		    stat(path, &st))
			continue;
		if (S_ISDIR(st.st_mode))
			rc = push(w, dir, e->d_name);
		else if (n > 5 && !strcmp(e->d_name + n - 5, ".json"))
			rc = add_replay(r, path, err, errlen);
	}
	closedir(d);
	return rc;
}

static int by_name(const void *x, const void *y)
{
	const struct replay_result *a = x, *b = y;
	int c = strcmp(a->trace, b->trace);

	if (!c)
		c = (a->settings > b->settings) - (a->settings < b->settings);
	return c ? c : strcmp(a->machine, b->machine);
}

static int load_replays(struct results *r, char *err, size_t errlen)
{
	struct walk w = {.nr = 0};
	int rc;

	r->replays = calloc(RESULTS_MAX_REPLAYS, sizeof(*r->replays));
	if (!r->replays) {
		snprintf(err, errlen, "out of memory");
		return -1;
	}
	rc = read_dir(r, &w, r->replay_dir, err, errlen);
	while (!rc && w.nr) {
		char *dir = w.paths[--w.nr];

		rc = read_dir(r, &w, dir, err, errlen);
		free(dir);
	}
	while (w.nr)
		free(w.paths[--w.nr]);
	free(w.paths);
	qsort(r->replays, r->nr_replays, sizeof(*r->replays), by_name);
	return rc;
}

/* Every case has a name, a unit and repetitions that are numbers. */
static bool is_bench(const json_t *doc)
{
	json_t *benches = json_object_get(doc, "benches"), *b, *v;
	size_t i, k;

	json_array_foreach(benches, i, b) {
		json_t *values = json_object_get(b, "values");

		if (!json_is_string(json_object_get(b, "name")) || !json_is_string(json_object_get(b, "unit")) ||
		    !json_array_size(values))
			return false;
		json_array_foreach(values, k, v)
			if (!json_is_number(v))
				return false;
	}
	return json_is_array(benches);
}

int results_load(struct results *r, const char *bench, const char *replays, const char *data, char *err,
		 size_t errlen)
{
	memset(r, 0, sizeof(*r));
	r->bench_path = bench;
	r->replay_dir = replays;
	r->data_dir = data;
	if (bench) {
		r->bench = load_json(bench, err, errlen);
		if (r->bench && !is_bench(r->bench)) {
			snprintf(err, errlen, "%s: no result of 'memrig bench --json'", bench);
			json_decref(r->bench);
			r->bench = NULL;
		}
		if (!r->bench)
			return -1;
	}
	if (replays && load_replays(r, err, errlen)) {
		results_free(r);
		return -1;
	}
	return 0;
}

void results_free(struct results *r)
{
	for (unsigned i = 0; i < r->nr_replays; i++) {
		free(r->replays[i].json_path);
		free(r->replays[i].samples_path);
		free(r->replays[i].trace);
		free(r->replays[i].machine);
		json_decref(r->replays[i].json);
	}
	free(r->replays);
	json_decref(r->bench);
	memset(r, 0, sizeof(*r));
}

void results_hash(const struct results *r, char out[17])
{
	const char *hash = json_string_value(json_object_get(r->bench, "hash"));

	out[0] = 0;
	if (hash)
		snprintf(out, 17, "%s", hash);
	else if (r->nr_replays)
		manifest_hash(json_object_get(r->replays[0].json, "host"), out);
}

/* ---- tables ---- */

static int add_cols(struct table *t, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (table_add_col(t, names[i]) < 0)
			return -1;
	return 0;
}

static void set_number(struct table *t, const char *col, const json_t *v)
{
	if (json_is_integer(v))
		table_set(t, col, "%lld", (long long)json_integer_value(v));
	else if (json_is_number(v))
		table_set(t, col, "%.9g", json_number_value(v));
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static void set_spread(struct table *t, const json_t *values)
{
	static const struct {
		const char *col;
		double q;
	} quantiles[] = {{"least", 0}, {"q1", 0.25}, {"median", 0.5}, {"q3", 0.75}, {"greatest", 1}};
	size_t n = json_array_size(values);
	double *v = calloc(n + 1, sizeof(*v));

	for (size_t i = 0; v && i < n; i++)
		v[i] = json_number_value(json_array_get(values, i));
	for (size_t i = 0; v && n && i < ARRAY_SIZE(quantiles); i++)
		table_set(t, quantiles[i].col, "%.6g", stats_quantile(v, n, quantiles[i].q));
	free(v);
}

/* Position of the case's suite among the suites seen, for colours. */
static unsigned suite_index(const json_t *benches, const char *suite)
{
	unsigned index = 0;
	const char *last = "";
	size_t i;
	json_t *b;

	json_array_foreach(benches, i, b) {
		const char *s = text_of(b, "suite");

		if (i && strcmp(s, last))
			index++;
		if (!strcmp(s, suite))
			return index;
		last = s;
	}
	return index;
}

/* "+UNIT": only cases with a goal. */
static bool wanted(const json_t *b, const char *unit)
{
	if (*unit == '+' && !json_is_number(json_object_get(b, "goal")))
		return false;
	unit += *unit == '+';
	return !*unit || !strcmp(text_of(b, "unit"), unit);
}

int results_bench_table(const struct results *r, const char *unit, struct table *t)
{
	static const char *const cols[] = {"row", "label", "suite", "suite_index", "case", "arg", "threads", "unit",
					   "median", "least", "greatest", "q1", "q3", "goal", "rival"};
	json_t *benches = json_object_get(r->bench, "benches"), *b;
	size_t i;

	table_init(t);
	if (add_cols(t, cols, ARRAY_SIZE(cols)))
		return -1;
	json_array_foreach(benches, i, b) {
		if (!wanted(b, unit))
			continue;
		if (table_add_row(t) < 0)
			return -1;
		table_set(t, "label", "%s", text_of(b, "name"));
		table_set(t, "suite", "%s", text_of(b, "suite"));
		table_set(t, "suite_index", "%u", suite_index(benches, text_of(b, "suite")));
		table_set(t, "case", "%s", text_of(b, "case"));
		table_set(t, "unit", "%s", text_of(b, "unit"));
		set_number(t, "arg", json_object_get(b, "arg"));
		set_number(t, "threads", json_object_get(b, "threads"));
		set_number(t, "goal", json_object_get(b, "goal"));
		set_number(t, "rival", json_object_get(b, "rival"));
		set_spread(t, json_object_get(b, "values"));
		table_set(t, "row", "%u", t->nr_rows - 1);
	}
	return 0;
}

/* Peaks over the samples of a replay, in bytes. */
static void set_peaks(struct table *t, const struct replay_result *r)
{
	static const struct {
		const char *col, *sample;
		bool pages;
	} peaks[] = {{"peak_rss_anon", "rss_anon", true}, {"peak_rss_file", "rss_file", true},
		     {"peak_pgtable_bytes", "pgtable_bytes", false}};
	struct table s;
	char err[256];
	double least, greatest;

	if (!r->samples_path || table_read_csv(&s, r->samples_path, err, sizeof(err)))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(peaks); i++)
		if (table_range(&s, table_col(&s, peaks[i].sample), &least, &greatest))
			table_set(t, peaks[i].col, "%.0f",
				  greatest * (peaks[i].pages ? (double)r->page_bytes : 1));
	table_free(&s);
}

static void set_bytes_per_event(struct table *t, const json_t *j)
{
	json_t *trace = json_object_get(j, "trace");
	double events = json_number_value(json_object_get(trace, "events"));
	struct stat st;

	if (events > 0 && !stat(text_of(trace, "path"), &st))
		table_set(t, "bytes_per_event", "%.3f", (double)st.st_size / events);
}

static void set_replay(struct table *t, const struct replay_result *p)
{
	static const char *const keys[] = {"events", "skipped", "seconds", "events_per_second", "virtual_ns"};
	json_t *replay = json_object_get(p->json, "replay"), *vmstat = json_object_get(p->json, "vmstat"), *v;
	const char *name;

	table_set(t, "trace", "%s", p->trace);
	table_set(t, "machine", "%s", p->machine);
	table_set(t, "label", "%s on %s", p->trace, p->machine);
	table_set(t, "row", "%u", t->nr_rows - 1);
	table_set(t, "page_bytes", "%llu", (unsigned long long)p->page_bytes);
	for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
		set_number(t, keys[k], json_object_get(replay, keys[k]));
	json_object_foreach(vmstat, name, v)
		set_number(t, name, v);
	set_bytes_per_event(t, p->json);
	set_peaks(t, p);
}

int results_replay_table(const struct results *r, const char *trace, struct table *t)
{
	static const char *const cols[] = {"row", "trace", "machine", "label", "machine_index", "page_bytes", "events",
					   "skipped", "seconds", "events_per_second", "virtual_ns", "bytes_per_event",
					   "peak_rss_anon", "peak_rss_file", "peak_pgtable_bytes"};
	unsigned machine = 0;

	table_init(t);
	if (add_cols(t, cols, ARRAY_SIZE(cols)))
		return -1;
	for (unsigned i = 0; i < NR_VMSTAT; i++)
		if (table_add_col(t, vmstat_name(i)) < 0)
			return -1;
	for (unsigned i = 0; i < r->nr_replays; i++) {
		const struct replay_result *p = &r->replays[i];

		machine = i && !strcmp(p->trace, p[-1].trace) ? machine + 1 : 0;
		if (trace && strcmp(trace, p->trace))
			continue;
		if (table_add_row(t) < 0)
			return -1;
		set_replay(t, p);
		table_set(t, "machine_index", "%u", machine);
	}
	return 0;
}
