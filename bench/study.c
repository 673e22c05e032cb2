/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/study.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data_dir.h"
#include "bench/manifest.h"
#include "bench/plot.h"

int study_find_dir(char *dir, size_t n, char *err, size_t errlen)
{
	return data_dir_find("workloads/studies", "MEMRIG_STUDIES", "README.md", dir, n, err, errlen);
}

/* ---- the file ---- */

static const char *parse_metrics(struct study *s, char *text)
{
	char *save = NULL;

	for (char *w = strtok_r(text, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		if (s->nr_metrics == STUDY_MAX_METRICS || strlen(w) >= sizeof(s->metrics[0]))
			return "fewer or shorter metrics";
		strcpy(s->metrics[s->nr_metrics++], w);
	}
	return NULL;
}

/* "NAME PARAMETER=VALUE..." */
static const char *parse_workload(struct study *s, char *text)
{
	static char err[512];
	char *save = NULL, *w, *eq;

	snprintf(s->command, sizeof(s->command), "%s", text);
	s->sweep.title = s->command;
	w = strtok_r(text, " \t", &save);
	s->sweep.workload = w ? workload_find(w) : NULL;
	if (!s->sweep.workload)
		return "a workload ('memrig run --list' lists all)";
	workload_prepare(&s->sweep.run, s->sweep.workload);
	while ((w = strtok_r(NULL, " \t", &save))) {
		eq = strchr(w, '=');
		if (!eq)
			return "PARAMETER=VALUE";
		*eq = 0;
		if (workload_set(&s->sweep.run, w, eq + 1, err, sizeof(err)))
			return err;
	}
	return NULL;
}

static const char *parse_trace(struct study *s, const char *dir, const char *file)
{
	if ((size_t)snprintf(s->trace, sizeof(s->trace), "%s/%s", dir, file) >= sizeof(s->trace))
		return "a shorter path";
	s->sweep.trace = s->trace;
	return NULL;
}

static const char *parse_plot(struct study *s, const char *name)
{
	if (s->nr_plots == STUDY_MAX_PLOTS || strlen(name) >= sizeof(s->plots[0]))
		return "fewer plots";
	strcpy(s->plots[s->nr_plots++], name);
	return NULL;
}

/* NULL, or what was expected in the line "@key @value". */
static const char *parse_line(struct study *s, const char *dir, const char *key, char *value)
{
	static char err[512];

	if (!strcmp(key, "title")) {
		snprintf(s->title, sizeof(s->title), "%s", value);
		return NULL;
	}
	if (!strcmp(key, "quick")) {
		s->quick = true;
		return NULL;
	}
	if (!*value)
		return "a value";
	if (!strcmp(key, "workload"))
		return parse_workload(s, value);
	if (!strcmp(key, "trace"))
		return parse_trace(s, dir, value);
	if (!strcmp(key, "set"))
		return config_set_pair(&s->sweep.base, value, err, sizeof(err)) ? err : NULL;
	if (!strcmp(key, "metrics"))
		return parse_metrics(s, value);
	if (!strcmp(key, "machine"))
		return variants_add_machine(&s->sweep.variants, value, err, sizeof(err)) ? err : NULL;
	if (!strcmp(key, "plot"))
		return parse_plot(s, value);
	if (!strcmp(key, "vary") || !strcmp(key, "param"))
		return variants_add(&s->sweep.variants, value, *key == 'p' ? AXIS_PARAM : AXIS_KEY, err, sizeof(err)) ?
			err : NULL;
	return "title, workload, trace, set, vary, param, machine, metrics, plot or quick";
}

static int read_lines(struct study *s, const char *dir, const char *path, FILE *f, char *err, size_t errlen)
{
	char line[1024], *key, *value, *keep;
	unsigned number = 0;

	while (fgets(line, sizeof(line), f)) {
		const char *wanted;

		number++;
		line[strcspn(line, "\r\n")] = 0;
		key = line + strspn(line, " \t");
		if (!*key || *key == '#')
			continue;
		value = key + strcspn(key, " \t");
		if (*value)
			*value++ = 0;
		value += strspn(value, " \t");
		keep = s->text + s->used;
		s->used += (size_t)snprintf(keep, sizeof(s->text) - s->used, "%s", value) + 1;
		wanted = s->used >= sizeof(s->text) ? "a shorter file" : parse_line(s, dir, key, keep);
		if (wanted) {
			snprintf(err, errlen, "%s:%u: expected %s", path, number, wanted);
			return -1;
		}
	}
	if (s->sweep.workload || s->sweep.trace)
		return 0;
	snprintf(err, errlen, "%s: neither workload nor trace", path);
	return -1;
}

int study_read(struct study *s, const char *dir, const char *name, char *err, size_t errlen)
{
	char path[4300];
	FILE *f;
	int r;

	memset(s, 0, sizeof(*s));
	s->sweep.verb = "run";
	config_init(&s->sweep.base);
	snprintf(path, sizeof(path), "%s/%s.study", dir, name);
	f = strchr(name, '/') || strlen(name) >= sizeof(s->name) ? NULL : fopen(path, "re");
	if (!f) {
		snprintf(err, errlen, "no study '%s'; 'memrig run --study list' lists all", name);
		return -1;
	}
	strcpy(s->name, name);
	r = read_lines(s, dir, path, f, err, errlen);
	fclose(f);
	return r;
}

static int by_name(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;

	return strlen(x) != strlen(y) ? (strlen(x) < strlen(y) ? -1 : 1) : strcmp(x, y);
}

char **study_names(const char *dir)
{
	DIR *d = opendir(dir);
	char **names = calloc(256, sizeof(*names)), *dot;
	struct dirent *e;
	unsigned n = 0;

	while (d && names && n < 255 && (e = readdir(d)))
		if ((dot = strrchr(e->d_name, '.')) && !strcmp(dot, ".study")) {
			names[n] = strndup(e->d_name, (size_t)(dot - e->d_name));
			n += names[n] != NULL;
		}
	if (d)
		closedir(d);
	if (names)
		qsort(names, n, sizeof(*names), by_name);
	return names;
}

/* ---- running ---- */

static int draw(const struct study *s, const char *out_dir, char *err, size_t errlen)
{
	struct figures figures;
	struct results results;
	char own[64];
	int r;

	snprintf(own, sizeof(own), "study-%s", s->name);
	if (figures_init(&figures, err, errlen))
		return -1;
	r = results_load(&results, NULL, NULL, out_dir, err, errlen);
	for (unsigned i = 0; i < (s->nr_plots ? s->nr_plots : 1) && !r; i++)
		r = figures_draw(&figures, &results, s->nr_plots ? s->plots[i] : own, out_dir, err, errlen);
	for (unsigned i = 0; i < figures.nr && !r; i++)
		printf("picture: %s\n", figures.list[i].svg);
	results_free(&results);
	figures_free(&figures);
	return r;
}

static int report(const struct study *s, const struct sweep_result *results, const char *out_dir, char *err,
		  size_t errlen)
{
	char csv[4300];
	struct table t;
	int r;

	snprintf(csv, sizeof(csv), "%s/%s.csv", out_dir, s->name);
	r = sweep_table(&s->sweep, results, &t);
	if (r)
		snprintf(err, errlen, "out of memory");
	else if ((r = table_write_csv(&t, csv)))
		snprintf(err, errlen, "%s: %s", csv, strerror(-r));
	if (!r) {
		printf("%s: %s\n", s->name, s->title);
		sweep_print(&s->sweep, &t, (const char (*)[64])s->metrics, s->nr_metrics, stdout);
		r = draw(s, out_dir, err, errlen);
	}
	table_free(&t);
	return r;
}

int study_run(struct study *s, const char *out_dir, bool quiet, char *err, size_t errlen)
{
	struct sweep_result *results;
	char dir[4200];
	int r;

	snprintf(dir, sizeof(dir), "%s/%s", out_dir, s->name);
	s->sweep.dir = dir;
	s->sweep.quiet = quiet;
	r = sweep_run(&s->sweep, &results, err, errlen);
	if (!r) {
		r = report(s, results, out_dir, err, errlen);
		sweep_free(&s->sweep, results);
	}
	return r;
}
