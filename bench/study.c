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

static const char *add_word(const char **list, unsigned *nr, const char *word)
{
	if (*nr == SWEEP_MAX_ARGS)
		return "fewer words";
	list[(*nr)++] = word;
	return NULL;
}

static const char *parse_words(struct study *s, char *text, bool metrics)
{
	char *save = NULL;

	for (char *w = strtok_r(text, " \t", &save); w; w = strtok_r(NULL, " \t", &save)) {
		if (!metrics) {
			const char *wanted = add_word(s->sweep.args, &s->sweep.nr_args, w);

			if (wanted)
				return wanted;
			continue;
		}
		if (s->nr_metrics == STUDY_MAX_METRICS || strlen(w) >= sizeof(s->metrics[0]))
			return "fewer or shorter metrics";
		strcpy(s->metrics[s->nr_metrics++], w);
	}
	return NULL;
}

static const char *parse_trace(struct study *s, const char *dir, const char *file)
{
	if ((size_t)snprintf(s->trace, sizeof(s->trace), "%s/%s", dir, file) >= sizeof(s->trace))
		return "a shorter path";
	s->sweep.verb = "replay";
	return add_word(s->sweep.args, &s->sweep.nr_args, s->trace);
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
	if (!strcmp(key, "workload")) {
		s->sweep.verb = "run";
		return parse_words(s, value, false);
	}
	if (!strcmp(key, "trace"))
		return parse_trace(s, dir, value);
	if (!strcmp(key, "set"))
		return add_word(s->sweep.settings, &s->sweep.nr_settings, value);
	if (!strcmp(key, "metrics"))
		return parse_words(s, value, true);
	if (!strcmp(key, "vary") || !strcmp(key, "param"))
		return sweep_add_axis(&s->sweep, value, *key == 'p', err, sizeof(err)) ? err : NULL;
	return "title, workload, trace, set, vary, param, metrics or quick";
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
	if (s->sweep.nr_args)
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
	char plot[64];
	int r;

	snprintf(plot, sizeof(plot), "study-%s", s->name);
	if (figures_init(&figures, err, errlen))
		return -1;
	r = results_load(&results, NULL, NULL, out_dir, err, errlen);
	if (!r) {
		r = figures_draw(&figures, &results, plot, out_dir, err, errlen);
		results_free(&results);
	}
	figures_free(&figures);
	return r;
}

int study_run(struct study *s, const char *out_dir, bool quiet, char *err, size_t errlen)
{
	char dir[4200], csv[4300];
	struct table t;
	int r;

	snprintf(dir, sizeof(dir), "%s/%s", out_dir, s->name);
	snprintf(csv, sizeof(csv), "%s/%s.csv", out_dir, s->name);
	s->sweep.dir = dir;
	s->sweep.quiet = quiet;
	table_init(&t);
	r = sweep_run(&s->sweep, &t, err, errlen);
	if (!r) {
		r = table_write_csv(&t, csv);
		if (r)
			snprintf(err, errlen, "%s: %s", csv, strerror(-r));
	}
	if (!r) {
		printf("%s: %s\n", s->name, s->title);
		sweep_print(&s->sweep, &t, s->metrics, s->nr_metrics, stdout);
		r = draw(s, out_dir, err, errlen);
		if (!r)
			printf("picture: %s/study-%s.svg\n", out_dir, s->name);
	}
	table_free(&t);
	return r;
}
