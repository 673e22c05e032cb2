/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/report.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/manifest.h"
#include "bench/stats.h"

static const char style[] =
#include "bench/report_css.h"
	;

void report_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc(*text, out);
		}
	}
}

/* ---- pictures ---- */

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t room = 0;

	if (!f)
		return NULL;
	if (getdelim(&text, &room, 0, f) < 0) {
		free(text);
		text = NULL;
	}
	fclose(f);
	return text;
}

/* Names that gnuplot gives to elements; inline they would clash with those of the next picture. */
static size_t own_id(const char *at)
{
	static const char *const ids[] = {"gpDot", "gpPt", "gnuplot_", "textbox", "greybox"};

	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		if (!strncmp(at, ids[i], strlen(ids[i])))
			return strlen(ids[i]);
	return 0;
}

static void copy_body(FILE *out, const char *body, unsigned number)
{
	bool word = false; /* inside a name: no id begins here */

	while (*body) {
		size_t n = word ? 0 : own_id(body);

		if (n) {
			fprintf(out, "f%u-", number);
			fwrite(body, 1, n, out);
			body += n;
			word = true;
			continue;
		}
		word = (*body >= 'a' && *body <= 'z') || (*body >= 'A' && *body <= 'Z') || *body == '_';
		fputc(*body++, out);
	}
}

int report_svg(FILE *out, const char *path, unsigned number, const char *label)
{
	char *text = read_file(path), *svg = text ? strstr(text, "<svg") : NULL, *desc;
	const char *box = svg ? strstr(svg, "viewBox=\"") : NULL;

	if (!svg || !box) {
		free(text);
		return text ? -EINVAL : -ENOENT;
	}
	/* gnuplot's own title and description say nothing */
	desc = strstr(svg, "</desc>");
	box += strlen("viewBox=\"");
	fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" "
		     "viewBox=\"%.*s\" role=\"img\" aria-label=\"", (int)strcspn(box, "\""), box);
	report_text(out, label);
	fputs("\">", out);
	copy_body(out, desc ? desc + strlen("</desc>") : strchr(svg, '>') + 1, number);
	free(text);
	return 0;
}

static int figure(FILE *out, const struct figure *g, unsigned number)
{
	int rc;

	fputs("<figure>\n<div class=scroll>", out);
	rc = report_svg(out, g->svg, number, g->title);
	fputs("</div>\n<figcaption>", out);
	report_text(out, g->plot->sentence);
	fputs("<details><summary>drawn by</summary><code>", out);
	report_text(out, g->command);
	fputs("</code></details></figcaption>\n</figure>\n", out);
	return rc;
}

/* ---- numbers ---- */

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static double num(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static void cell_number(FILE *out, double v, const char *format)
{
	fputs("<td class=n>", out);
	if (!isnan(v))
		fprintf(out, format, v);
	fputs("</td>", out);
}

static void cell_text(FILE *out, const char *text)
{
	fputs("<td>", out);
	report_text(out, text);
	fputs("</td>", out);
}

static bool meets_goal(const json_t *b)
{
	double median = num(b, "median"), goal = num(b, "goal");

	return json_is_true(json_object_get(b, "less_is_better")) ? median <= goal : median >= goal;
}

/* How many times better than the rival; below 1: worse. */
static double against_rival(const json_t *b)
{
	double rival = num(b, "rival"), median = num(b, "median");

	if (!(rival > 0) || !(median > 0))
		return (double)NAN;
	return json_is_true(json_object_get(b, "less_is_better")) ? rival / median : median / rival;
}

static void bench_row(FILE *out, const json_t *b)
{
	double goal = num(b, "goal"), rival = num(b, "rival"), times = against_rival(b), least, greatest;
	json_t *values = json_object_get(b, "values"), *v;
	size_t i;

	least = greatest = json_number_value(json_array_get(values, 0));
	json_array_foreach(values, i, v) {
		least = fmin(least, json_number_value(v));
		greatest = fmax(greatest, json_number_value(v));
	}
	fputs("<tr><td>", out);
	report_text(out, str(b, "name"));
	fputs("<br><span class=note>", out);
	report_text(out, str(b, "help"));
	fputs("</span></td>", out);
	cell_number(out, num(b, "median"), "%.3g");
	fprintf(out, "<td class=n>%.3g &ndash; %.3g</td>", least, greatest);
	cell_text(out, str(b, "unit"));
	cell_number(out, goal > 0 ? goal : (double)NAN, "%.3g");
	if (goal > 0)
		fprintf(out, "<td class=%s>%s</td>", meets_goal(b) ? "met" : "missed",
			meets_goal(b) ? "met" : "missed");
	else
		fputs("<td></td>", out);
	cell_number(out, rival > 0 ? rival : (double)NAN, "%.3g");
	cell_number(out, times, "%.1f&times;");
	cell_text(out, str(b, "rival_name"));
	fputs("</tr>\n", out);
}

static void bench_table(FILE *out, const json_t *benches)
{
	json_t *b;
	size_t i;

	fputs("<div class=scroll><table><thead><tr><th>case<th class=n>median<th class=n>least &ndash; greatest<th>unit"
	      "<th class=n>goal<th><th class=n>rival<th class=n>better by<th>rival is</tr></thead><tbody>\n", out);
	json_array_foreach(benches, i, b)
		bench_row(out, b);
	fputs("</tbody></table></div>\n", out);
}

static void perf_table(FILE *out, const json_t *bench)
{
	json_t *benches = json_object_get(bench, "benches"), *b, *v;
	json_t *first = json_object_get(json_array_get(benches, 0), "perf");
	const char *name, *missing = str(bench, "perf_missing");
	size_t i;

	if (!json_object_size(first))
		return;
	fputs("<h3>Counted by the processor and the kernel, per operation</h3>\n<div class=scroll><table><thead><tr>"
	      "<th>case", out);
	json_object_foreach(first, name, v)
		if (json_is_number(v))
			fprintf(out, "<th class=n>%s", name);
	fputs("</tr></thead><tbody>\n", out);
	json_array_foreach(benches, i, b) {
		fputs("<tr>", out);
		cell_text(out, str(b, "name"));
		json_object_foreach(json_object_get(b, "perf"), name, v)
			if (json_is_number(v))
				cell_number(out, json_number_value(v), "%.3g");
		fputs("</tr>\n", out);
	}
	fputs("</tbody></table></div>\n", out);
	if (*missing) {
		fputs("<p class=note>", out);
		report_text(out, missing);
		fputs(".</p>\n", out);
	}
}

/* ---- replays ---- */

static void replay_row(FILE *out, const struct table *t, unsigned r)
{
	static const struct {
		const char *col, *format;
		double scale;
	} cols[] = {{"events", "%.0f", 1}, {"events_per_second", "%.1f", 1e-6}, {"bytes_per_event", "%.2f", 1},
		    {"pgfault", "%.0f", 1}, {"pgmajfault", "%.0f", 1}, {"cow_copies", "%.0f", 1},
		    {"peak_rss_anon", "%.1f", 1. / MiB}, {"peak_rss_file", "%.1f", 1. / MiB},
		    {"peak_pgtable_bytes", "%.0f", 1. / KiB}, {"virtual_ns", "%.1f", 1e-6}, {"skipped", "%.0f", 1}};

	fputs("<tr><td class=t>", out);
	report_text(out, table_get(t, r, table_col(t, "trace")));
	fputs("</td><td class=t>", out);
	report_text(out, table_get(t, r, table_col(t, "machine")));
	fputs("</td>", out);
	for (size_t i = 0; i < ARRAY_SIZE(cols); i++)
		cell_number(out, table_number(t, r, table_col(t, cols[i].col)) * cols[i].scale, cols[i].format);
	fputs("</tr>\n", out);
}

static void replay_table(FILE *out, const struct table *t)
{
	fputs("<div class=scroll><table><thead><tr><th>trace<th>machine<th class=n>events"
	      "<th class=n>million<br>events/s"
	      "<th class=n>bytes an<br>event<th class=n>faults<th class=n>major<th class=n>copies<br>on write"
	      "<th class=n>peak anon<br>MiB<th class=n>peak file<br>MiB<th class=n>peak tables<br>KiB"
	      "<th class=n>virtual<br>ms<th class=n>skipped</tr></thead><tbody>\n", out);
	for (unsigned r = 0; r < t->nr_rows; r++)
		replay_row(out, t, r);
	fputs("</tbody></table></div>\n", out);
}

/* ---- the page ---- */

static void tile(FILE *out, const char *value, const char *label)
{
	fputs("<div class=tile><b>", out);
	report_text(out, value);
	fputs("</b><span>", out);
	report_text(out, label);
	fputs("</span></div>\n", out);
}

static void tiles(FILE *out, const struct results *r, const struct table *replays)
{
	json_t *benches = json_object_get(r->bench, "benches"), *b;
	unsigned goals = 0, met = 0;
	double events = 0, faults = 0;
	char text[64];
	size_t i;

	json_array_foreach(benches, i, b) {
		if (!(num(b, "goal") > 0))
			continue;
		goals++;
		met += meets_goal(b);
	}
	fputs("<div class=tiles>\n", out);
	if (goals) {
		snprintf(text, sizeof(text), "%u of %u", met, goals);
		tile(out, text, "goals met by the hot paths");
	}
	if (r->bench) {
		snprintf(text, sizeof(text), "%zu", json_array_size(benches));
		tile(out, text, "cases timed");
	}
	for (unsigned k = 0; k < replays->nr_rows; k++) {
		events += table_number(replays, k, table_col(replays, "events"));
		faults += table_number(replays, k, table_col(replays, "pgfault"));
	}
	if (replays->nr_rows) {
		snprintf(text, sizeof(text), "%u", replays->nr_rows);
		tile(out, text, "replays of captured programs");
		snprintf(text, sizeof(text), events < 1e6 ? "%.0f" : "%.2f M",
			 events < 1e6 ? events : events / 1e6);
		tile(out, text, "events replayed");
		snprintf(text, sizeof(text), faults < 1e6 ? "%.0f" : "%.2f M",
			 faults < 1e6 ? faults : faults / 1e6);
		tile(out, text, "page faults handled");
	}
	fputs("</div>\n", out);
}

static int figures_of(FILE *out, const struct figures *f, const char *inputs, unsigned *number)
{
	for (unsigned i = 0; i < f->nr; i++) {
		const char *input = f->list[i].plot->input;
		int rc;

		if (strncmp(input, inputs, strlen(inputs)))
			continue;
		rc = figure(out, &f->list[i], ++*number);
		if (rc)
			return rc;
	}
	return 0;
}

/* Trace by trace: the machines side by side, then the program's life. */
static int figures_of_traces(FILE *out, const struct results *r, const struct figures *f, unsigned *number)
{
	for (unsigned i = 0; i < r->nr_replays; i++) {
		const struct replay_result *p = &r->replays[i];

		if (i && !strcmp(p->trace, p[-1].trace))
			continue;
		fputs("<h3>", out);
		report_text(out, p->trace);
		fputs("</h3>\n", out);
		for (unsigned k = 0; k < f->nr; k++) {
			const struct figure *g = &f->list[k];
			int rc;

			if (!g->replay || strcmp(g->replay->trace, p->trace) ||
			    !strcmp(g->plot->input, "all-replays"))
				continue;
			rc = figure(out, g, ++*number);
			if (rc)
				return rc;
		}
	}
	return 0;
}

static void manifest_table(FILE *out, json_t *manifest, const char *hash)
{
	const char *key;
	json_t *v;

	fputs("<table><tbody>\n", out);
	json_object_foreach(manifest, key, v) {
		fputs("<tr>", out);
		cell_text(out, key);
		if (json_is_integer(v))
			fprintf(out, "<td>%" PRId64 "</td>", (s64)json_integer_value(v));
		else
			cell_text(out, json_is_string(v) ? json_string_value(v) : "");
		fputs("</tr>\n", out);
	}
	fprintf(out, "<tr><td>hash</td><td><code>%s</code> (in the corner of each picture)</td></tr>\n", hash);
	fputs("</tbody></table>\n", out);
}

static void command(FILE *out, const char *text)
{
	fputs("<p><code>", out);
	report_text(out, text);
	fputs("</code></p>\n", out);
}

static void reproduce(FILE *out, const struct results *r)
{
	char text[4400];

	fputs("<h2>How to get these figures</h2>\n<p>Everything on this page at once:</p>\n", out);
	command(out, "scripts/run");
	if (r->bench_path) {
		fputs("<p>The benches alone; without <code>--quick</code> with more and longer repetitions:</p>\n",
		      out);
		command(out, *str(r->bench, "command") ? str(r->bench, "command") : "memrig bench --json FILE");
	}
	if (r->nr_replays) {
		fputs("<p>One replay, with its samples (the configuration is in its result.json):</p>\n", out);
		snprintf(text, sizeof(text), "memrig replay %s --json result.json --sample 10000000 -o .",
			 str(json_object_get(r->replays[0].json, "trace"), "path"));
		command(out, text);
	}
	fputs("<p>Has something become slower? The gate tells a regression from noise:</p>\n", out);
	command(out, "memrig compare before.json after.json --gate 5");
}

static void head(FILE *out, const json_t *manifest)
{
	fputs("<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
	      "<meta name=viewport content=\"width=device-width, initial-scale=1\">\n"
	      "<title>memrig report</title>\n"
	      "<style>\n",
	      out);
	fputs(style, out);
	fputs("</style>\n</head>\n<body>\n<main>\n<h1>memrig report</h1>\n<p class=lead>The memory management of "
	      "Linux as a deterministic program: how fast its hot paths are here, and what recorded programs do "
	      "on it.", out);
	fputs("</p>\n<p class=note>", out);
	report_text(out, str(manifest, "cpu"));
	if (num(manifest, "cpus") > 0)
		fprintf(out, ", %.0f processors", num(manifest, "cpus"));
	fputs("; Linux ", out);
	report_text(out, str(manifest, "kernel"));
	fputs("; ", out);
	report_text(out, str(manifest, "compiler"));
	fputs(", ", out);
	report_text(out, str(manifest, "build_type"));
	fputs("; commit ", out);
	report_text(out, str(manifest, "commit"));
	if (*str(manifest, "date")) {
		fputs("; ", out);
		report_text(out, str(manifest, "date"));
	}
	fputs("</p>\n", out);
}

/* How the objects of a small system refer to each other. */
static int structures(FILE *out, const struct structures *s, unsigned number)
{
	int rc;

	if (s->state == STRUCTURES_NONE)
		return 0;
	fputs("<h2>Structures</h2>\n", out);
	if (s->state == STRUCTURES_NO_DOT) {
		fputs("<p class=note>The graph of a small system is not drawn: graphviz (dot) is not installed.</p>\n",
		      out);
		return 0;
	}
	fputs("<figure class=graph>\n<div class=scroll>", out);
	rc = report_svg(out, s->svg, number, "The structures of a small system");
	fputs("</div>\n<figcaption>A process, its child, and the memory both have: each line is a reference, named by "
	      "the fields that hold it, with an arrow at both ends if it leads back. The child has written one of the "
	      "two anonymous pages and got a copy with an anon_vma of its own; the other one and the file's page "
	      "belong to both. <details><summary>drawn by</summary><code>memrig replay docs/seeds/graph.txt --set "
	      "mem=16M --show graph | sed -n '/^digraph/,$p' | dot -Tsvg</code></details></figcaption>\n</figure>\n",
	      out);
	return rc;
}

static int body(FILE *out, const struct results *r, const struct figures *f, const struct structures *s,
		const struct table *replays)
{
	unsigned number = 0;
	int rc = 0;

	if (r->bench) {
		fputs("<h2>Hot paths</h2>\n", out);
		rc = figures_of(out, f, "bench", &number);
		bench_table(out, json_object_get(r->bench, "benches"));
		perf_table(out, r->bench);
	}
	if (!rc && replays->nr_rows) {
		fputs("<h2>Captured programs, replayed</h2>\n<p>Each trace was captured from a real program and "
		      "replayed on a fresh machine per row. Virtual time is the model's own, from its cost table; it "
		      "says nothing about the host's speed. Peaks are the greatest samples.</p>\n", out);
		replay_table(out, replays);
		rc = figures_of(out, f, "all-replays", &number);
		if (!rc)
			rc = figures_of_traces(out, r, f, &number);
	}
	if (!rc)
		rc = structures(out, s, ++number);
	for (unsigned i = 0; i < f->nr; i++)
		if (!strncmp(f->list[i].plot->input, "csv:", 4)) {
			fputs("<h2>More</h2>\n", out);
			return rc ? rc : figures_of(out, f, "csv:", &number);
		}
	return rc;
}

int report_write(FILE *out, const struct results *r, const struct figures *f, const struct structures *s)
{
	json_t *own = manifest_json(), *manifest = json_object_get(r->bench, "manifest");
	struct table replays;
	char hash[17];
	int rc;

	if (!manifest)
		manifest = r->nr_replays ? json_object_get(r->replays[0].json, "host") : own;
	if (results_replay_table(r, NULL, &replays)) {
		json_decref(own);
		return -ENOMEM;
	}
	results_hash(r, hash);
	head(out, manifest);
	tiles(out, r, &replays);
	rc = body(out, r, f, s, &replays);
	fputs("<h2>Where it was measured</h2>\n", out);
	manifest_table(out, manifest, hash);
	reproduce(out, r);
	fputs("</main>\n</body>\n</html>\n", out);
	table_free(&replays);
	json_decref(own);
	return rc;
}
