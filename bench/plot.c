/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/plot.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/manifest.h"
#include "bench/tool.h"

#define MOST_ROWS 1500 /* points of a curve: more are not seen, and make the page heavy */

struct draw {
	struct figures *f;
	const struct results *r;
	const char *out_dir;
	char hash[17];
	char *err;
	size_t errlen;
};

int figures_init(struct figures *f, char *err, size_t errlen)
{
	int n;

	memset(f, 0, sizeof(*f));
	if (plot_find_dir(f->dir, sizeof(f->dir), err, errlen))
		return -1;
	f->plots = calloc(PLOT_MAX, sizeof(*f->plots));
	f->list = calloc(FIGURE_MAX, sizeof(*f->list));
	if (!f->plots || !f->list) {
		snprintf(err, errlen, "out of memory");
		n = -1;
	} else {
		n = plot_read_list(f->dir, f->plots, err, errlen);
	}
	if (n < 0) {
		figures_free(f);
		return -1;
	}
	f->nr_plots = (unsigned)n;
	return 0;
}

void figures_free(struct figures *f)
{
	free(f->plots);
	free(f->list);
	memset(f, 0, sizeof(*f));
}

/* ---- gnuplot ---- */

/* A string of gnuplot: single quotes, doubled inside. */
static void put_string(FILE *f, const char *name, const char *value)
{
	fprintf(f, "%s = '", name);
	for (; *value; value++) {
		if (*value == '\'')
			fputc('\'', f);
		fputc(*value == '\n' ? ' ' : *value, f);
	}
	fputs("'\n", f);
}

/* Least positive and greatest number of each series and of all, for axes. */
static void put_ranges(FILE *f, const struct plot *p, const struct table *t)
{
	double least = INFINITY, greatest = 0;
	char name[64];

	for (unsigned i = 0; i < p->nr_series; i++) {
		int col = table_col(t, p->series[i]);
		double own = 0, own_least = INFINITY;

		for (unsigned r = 0; r < t->nr_rows; r++) {
			double v = table_number(t, r, col);

			if (isnan(v))
				continue;
			own = fmax(own, v);
			greatest = fmax(greatest, v);
			if (v > 0)
				own_least = fmin(own_least, v);
		}
		least = fmin(least, own_least);
		snprintf(name, sizeof(name), "%s", p->series[i]);
		for (char *c = name; *c; c++) /* names of variables */
			*c = isalnum((unsigned char)*c) ? *c : '_';
		fprintf(f, "max_%s = %.9g\nmin_%s = %.9g\n", name, own, name, isinf(own_least) ? 0 : own_least);
	}
	fprintf(f, "least = %.9g\ngreatest = %.9g\n", isinf(least) ? 1 : least, greatest > 0 ? greatest : 1);
	double x_least = 0, x_greatest = 1;

	(void)table_range(t, table_col(t, p->x), &x_least, &x_greatest);
	fprintf(f, "x_least = %.15g\nx_greatest = %.15g\n", x_least, x_greatest);
}

static void put_series(FILE *f, const struct plot *p)
{
	fputs("series = '", f);
	for (unsigned i = 0; i < p->nr_series; i++)
		fprintf(f, "%s%s", i ? " " : "", p->series[i]);
	fputs("'\n", f);
}

/* Names of the curves of a table that has some, for `plot for [i = 0:curves - 1] ... title curve_[i + 1]`. */
static void put_curves(FILE *f, const struct table *t)
{
	int name = table_col(t, "curve"), index = table_col(t, "curve_index");
	unsigned nr = 0;

	if (name < 0 || index < 0)
		return;
	for (unsigned r = 0; r < t->nr_rows; r++)
		if (table_number(t, r, index) == nr) { /* they are numbered as they appear */
			char var[32];

			snprintf(var, sizeof(var), "curve_name_%u", nr++);
			put_string(f, var, table_get(t, r, name));
		}
	fprintf(f, "curves = %u\n%s", nr, nr ? "array curve_[curves]\n" : "");
	for (unsigned i = 0; i < nr; i++)
		fprintf(f, "curve_[%u] = curve_name_%u\n", i + 1, i);
}

void plot_script(const char *dir, const struct plot *p, char *out, size_t n)
{
	snprintf(out, n, "%s/%s.gp", dir, p->name);
	if (access(out, R_OK) && strchr(p->name, '-'))
		snprintf(out, n, "%s/%.*s.gp", dir, (int)strcspn(p->name, "-"), p->name);
}

static int write_script(struct draw *d, const struct figure *g, const struct table *t, const char *path,
			const char *data, const char *svg)
{
	char script[4400];
	struct outfile o;
	int rc = outfile_open(&o, path);

	if (rc)
		return rc;
	fprintf(o.f, "# %s\n", g->command);
	put_string(o.f, "data", data);
	put_string(o.f, "out", svg);
	put_string(o.f, "head", g->title);
	put_string(o.f, "hash", d->hash);
	fprintf(o.f, "rows = %u\n", t->nr_rows);
	fprintf(o.f, "page_bytes = %llu\n", g->replay ? (unsigned long long)g->replay->page_bytes : 0ull);
	put_ranges(o.f, g->plot, t);
	put_string(o.f, "xcol", g->plot->x);
	put_series(o.f, g->plot);
	put_curves(o.f, t);
	plot_script(d->f->dir, g->plot, script, sizeof(script));
	fprintf(o.f, "style = '%s/style.gp'\nload '%s'\n", d->f->dir, script);
	return outfile_commit(&o);
}

static int run_gnuplot(struct draw *d, const char *script)
{
	const char *argv[] = {"gnuplot", script, NULL};

	return tool_run(argv, "gnuplot-nox", script, d->err, d->errlen) ? -1 : 0;
}

/* Draws one figure from @t. */
static int draw(struct draw *d, struct figure *g, const struct table *t, const char *input_name)
{
	char script[4400], data[4400], tmp[4400];
	int rc;

	if (plot_check_columns(g->plot, t, input_name, d->err, d->errlen))
		return -1;
	snprintf(script, sizeof(script), "%s/%s.gp", d->out_dir, g->id);
	snprintf(data, sizeof(data), "%s/%s.tsv", d->out_dir, g->id);
	if ((size_t)snprintf(g->svg, sizeof(g->svg), "%s/%s.svg", d->out_dir, g->id) >= sizeof(g->svg)) {
		snprintf(d->err, d->errlen, "%s: name too long", d->out_dir);
		return -1;
	}
	snprintf(tmp, sizeof(tmp), "%s.tmp", g->svg);
	rc = table_write(t, data, strncmp(g->plot->input, "samples", 7) ? 0 : MOST_ROWS);
	if (!rc)
		rc = write_script(d, g, t, script, data, tmp);
	if (rc) {
		snprintf(d->err, d->errlen, "%s: %s", d->out_dir, strerror(-rc));
		return -1;
	}
	if (run_gnuplot(d, script)) {
		unlink(tmp);
		return -1;
	}
	if (rename(tmp, g->svg)) {
		snprintf(d->err, d->errlen, "%s: %s", g->svg, strerror(errno));
		return -1;
	}
	return 0;
}

static struct figure *new_figure(struct draw *d, const struct plot *p, const char *of, const char *args)
{
	struct figure *g;

	if (d->f->nr == FIGURE_MAX) {
		snprintf(d->err, d->errlen, "more than %d figures", FIGURE_MAX);
		return NULL;
	}
	g = &d->f->list[d->f->nr++];
	memset(g, 0, sizeof(*g));
	g->plot = p;
	snprintf(g->id, sizeof(g->id), "%s%s%.80s", p->name, *of ? "-" : "", of);
	for (char *c = g->id; *c; c++)
		if (*c == '/' || *c == ' ')
			*c = '-';
	snprintf(g->title, sizeof(g->title), "%s%s%.80s", p->title, *of ? ": " : "", of);
	snprintf(g->command, sizeof(g->command), "memrig plot %s %.800s -o out/plots", p->name, args);
	return g;
}

/* ---- one function an input ---- */

/* Whether each of "A+B" begins the name of a case of @bench. */
static bool has_cases(const json_t *bench, const char *wanted)
{
	while (*wanted) {
		size_t n = strcspn(wanted, "+"), i;
		const json_t *b;
		bool found = false;

		json_array_foreach(json_object_get(bench, "benches"), i, b) {
			const char *name = json_string_value(json_object_get(b, "name"));

			found |= name && !strncmp(name, wanted, n);
		}
		if (!found)
			return false;
		wanted += n + (wanted[n] == '+');
	}
	return true;
}

static int draw_bench(struct draw *d, const struct plot *p)
{
	char unit[sizeof(p->input)], *cases, args[900];
	struct table t;
	struct figure *g;
	int rc;

	snprintf(unit, sizeof(unit), "%s", p->input[5] == ':' ? p->input + 6 : "");
	cases = strchrnul(unit, ':');
	if (*cases)
		*cases++ = 0;
	if (!d->r->bench || !has_cases(d->r->bench, cases))
		return 0;
	snprintf(args, sizeof(args), "--bench %.800s", d->r->bench_path);
	rc = results_bench_table(d->r, unit, &t);
	if (!rc && t.nr_rows) {
		g = new_figure(d, p, "", args);
		rc = g ? draw(d, g, &t, d->r->bench_path) : -1;
	}
	table_free(&t);
	return rc;
}

static bool first_of_trace(const struct results *r, unsigned i)
{
	return !i || strcmp(r->replays[i].trace, r->replays[i - 1].trace);
}

/* Of an input samples:COLUMN only those in which the column says something. */
static bool has_anything(const struct plot *p, const struct table *t)
{
	double least, greatest;

	if (p->input[7] != ':')
		return true;
	return table_range(t, table_col(t, p->input + 8), &least, &greatest) && greatest > 0;
}

static int draw_samples(struct draw *d, const struct plot *p)
{
	char args[900], of[200];

	snprintf(args, sizeof(args), "--replays %.800s", d->r->replay_dir ? d->r->replay_dir : "");
	for (unsigned i = 0; i < d->r->nr_replays; i++) {
		const struct replay_result *r = &d->r->replays[i];
		struct figure *g;
		struct table t;
		int rc;

		if (!first_of_trace(d->r, i) || !r->samples_path)
			continue;
		if (table_read_csv(&t, r->samples_path, d->err, d->errlen))
			return -1;
		if (!has_anything(p, &t)) {
			table_free(&t);
			continue;
		}
		snprintf(of, sizeof(of), "%.90s on %.90s", r->trace, r->machine);
		g = new_figure(d, p, of, args);
		if (g)
			g->replay = r;
		rc = g ? draw(d, g, &t, r->samples_path) : -1;
		table_free(&t);
		if (rc)
			return -1;
	}
	return 0;
}

static int draw_replays(struct draw *d, const struct plot *p, bool all)
{
	char args[900];

	snprintf(args, sizeof(args), "--replays %.800s", d->r->replay_dir ? d->r->replay_dir : "");
	for (unsigned i = 0; i < d->r->nr_replays; i++) {
		const struct replay_result *r = &d->r->replays[i];
		struct figure *g;
		struct table t;
		int rc;

		if (!first_of_trace(d->r, i) || (all && i))
			continue;
		rc = results_replay_table(d->r, all ? NULL : r->trace, &t);
		if (!rc && t.nr_rows > 1) {
			g = new_figure(d, p, all ? "" : r->trace, args);
			if (g)
				g->replay = r;
			rc = g ? draw(d, g, &t, d->r->replay_dir) : -1;
		}
		table_free(&t);
		if (rc)
			return -1;
	}
	return 0;
}

static int draw_csv(struct draw *d, const struct plot *p)
{
	char path[4300], args[900];
	struct table t;
	struct figure *g;
	int rc;

	if (!d->r->data_dir)
		return 0;
	snprintf(path, sizeof(path), "%.4000s/%s", d->r->data_dir, p->input + 4);
	if (access(path, R_OK))
		return 0;
	if (table_read_csv(&t, path, d->err, d->errlen))
		return -1;
	snprintf(args, sizeof(args), "--data %.800s", d->r->data_dir);
	g = new_figure(d, p, "", args);
	rc = g ? draw(d, g, &t, path) : -1;
	table_free(&t);
	return rc;
}

static int draw_plot(struct draw *d, const struct plot *p)
{
	if (!strncmp(p->input, "bench", 5) && (!p->input[5] || p->input[5] == ':'))
		return draw_bench(d, p);
	if (!strncmp(p->input, "samples", 7) && (!p->input[7] || p->input[7] == ':'))
		return draw_samples(d, p);
	if (!strcmp(p->input, "replays"))
		return draw_replays(d, p, false);
	if (!strcmp(p->input, "all-replays"))
		return draw_replays(d, p, true);
	if (!strncmp(p->input, "csv:", 4))
		return draw_csv(d, p);
	snprintf(d->err, d->errlen, "plot %s: unknown input '%s': expected bench[:UNIT], samples[:COLUMN], replays, "
		 "all-replays or csv:FILE", p->name, p->input);
	return -1;
}

int figures_draw(struct figures *f, const struct results *r, const char *only, const char *out_dir, char *err,
		 size_t errlen)
{
	struct draw d = {.f = f, .r = r, .out_dir = out_dir, .err = err, .errlen = errlen};
	bool found = false;
	int rc = make_dirs(out_dir);

	if (rc) {
		snprintf(err, errlen, "%s: %s", out_dir, strerror(-rc));
		return -1;
	}
	results_hash(r, d.hash);
	for (unsigned i = 0; i < f->nr_plots; i++) {
		if (only && strcmp(only, f->plots[i].name))
			continue;
		found = true;
		if (draw_plot(&d, &f->plots[i]))
			return -1;
	}
	if (found)
		return 0;
	snprintf(err, errlen, "%s/plots.list: no plot '%s'", f->dir, only);
	return -1;
}
