/* SPDX-License-Identifier: BSD-2-Clause */
/* What comes out of a sweep: a table, JSON, pictures. */
#include <inttypes.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/plot.h"
#include "bench/result.h"
#include "bench/sweep.h"

/* ---- tables ---- */

/* Calls @fn for each number in an object of the result, by its name; host and trace are no results. */
static void for_each_number(const json_t *root, void (*fn)(struct table *, const char *, double), struct table *t)
{
	static const char *const not_results[] = {"config", "trace", "host", "ops", "mismatches"};
	const char *object, *key;
	json_t *members, *value;

	json_object_foreach((json_t *)root, object, members) {
		bool skip = !json_is_object(members);

		for (size_t i = 0; i < ARRAY_SIZE(not_results); i++)
			skip |= !strcmp(object, not_results[i]);
		if (skip)
			continue;
		json_object_foreach(members, key, value) {
			if (json_is_number(value))
				fn(t, key, json_number_value(value));
		}
	}
	json_object_foreach(json_object_get(json_object_get(root, "pressure"), "stall_ns"), key, value) {
		char name[64];

		snprintf(name, sizeof(name), "stall_%s_ns", key);
		fn(t, name, json_number_value(value));
	}
	json_object_foreach(json_object_get(root, "ops"), object, members) {
		char name[64];

		snprintf(name, sizeof(name), "%s_errors", object);
		fn(t, name, json_number_value(json_object_get(members, "errors")));
	}
}

static void add_column(struct table *t, const char *name, double value)
{
	(void)value;
	table_add_col(t, name);
}

static void set_number(struct table *t, const char *name, double value)
{
	table_set(t, name, value == (double)(s64)value ? "%.15g" : "%.6g", value);
}

static void add_columns(const struct sweep *s, const struct sweep_result *results, struct table *t)
{
	static const char *const own[] = {"row", "variant", "state", "curve", "curve_index", "mem_bytes"};

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		table_add_col(t, own[i]);
	for (unsigned i = 0; i < s->variants.nr_axes; i++)
		table_add_col(t, s->variants.axes[i].key);
	for (unsigned i = 0; i < variants_nr(&s->variants); i++)
		for_each_number(results[i].json, add_column, t);
}

static void set_state(const struct sweep_result *res, struct table *t)
{
	json_int_t killed = json_integer_value(json_object_get(json_object_get(res->json, "vmstat"), "oom_kill"));

	if (res->error[0])
		table_set(t, "state", "%s", res->error);
	else if (res->status == EXIT_CHECK_FAILED)
		table_set(t, "state", "check failed");
	else if (killed)
		table_set(t, "state", "out of memory: %lld task%s killed", (long long)killed, killed == 1 ? "" : "s");
	else
		table_set(t, "state", "ok");
}

/* Curves are numbered in order of appearance. */
static void set_curve(const struct sweep *s, unsigned i, struct table *t)
{
	char label[VARIANTS_LABEL], other[VARIANTS_LABEL];
	unsigned index = 0;

	variants_label(&s->variants, i, "mem", ' ', label);
	for (unsigned k = 0; k < i; k++) {
		unsigned its = (unsigned)table_number(t, k, table_col(t, "curve_index"));

		variants_label(&s->variants, k, "mem", ' ', other);
		if (!strcmp(label, other)) {
			index = its;
			break;
		}
		index = its + 1 > index ? its + 1 : index;
	}
	table_set(t, "curve", "%s", label);
	table_set(t, "curve_index", "%u", index);
}

int sweep_table(const struct sweep *s, const struct sweep_result *results, struct table *t)
{
	table_init(t);
	add_columns(s, results, t);
	for (unsigned i = 0; i < variants_nr(&s->variants); i++) {
		if (table_add_row(t) < 0)
			return -1;
		for_each_number(results[i].json, set_number, t);
		table_set(t, "row", "%u", i);
		table_set(t, "variant", "%s", results[i].label);
		set_state(&results[i], t);
		set_curve(s, i, t);
		if (results[i].mem)
			table_set(t, "mem_bytes", "%" PRIu64, results[i].mem);
		for (unsigned k = 0; k < s->variants.nr_axes; k++)
			table_set(t, s->variants.axes[k].key, "%s", variants_value(&s->variants, i, k));
	}
	return 0;
}

json_t *sweep_json(const struct sweep *s, const struct sweep_result *results)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < variants_nr(&s->variants); i++) {
		json_t *settings = json_object(), *v;

		for (unsigned k = 0; k < s->variants.nr_axes; k++)
			json_object_set_new(settings, s->variants.axes[k].key,
					    json_string(variants_value(&s->variants, i, k)));
		v = json_pack("{ss so}", "variant", results[i].label, "settings", settings);
		if (results[i].error[0])
			json_object_set_new(v, "error", json_string(results[i].error));
		else
			json_object_set(v, "result", results[i].json);
		json_array_append_new(list, v);
	}
	return json_pack("{si ss so}", "schema", 1, "memrig", MEMRIG_VERSION, "variants", list);
}

/* ---- for people ---- */

static bool differs(const struct table *t, int col)
{
	for (unsigned r = 1; r < t->nr_rows; r++)
		if (strcmp(table_get(t, r, col), table_get(t, 0, col)))
			return true;
	return false;
}

/* What a failed variant does not have is a dash. */
static const char *shown(const struct table *t, unsigned row, int col)
{
	const char *text = table_get(t, row, col);

	return strcmp(text, TABLE_MISSING) ? text : "-";
}

static int width_of(const struct table *t, int col)
{
	size_t w = strlen(t->cols[col]);

	for (unsigned r = 0; r < t->nr_rows; r++)
		if (strlen(shown(t, r, col)) > w)
			w = strlen(shown(t, r, col));
	return (int)w;
}

void sweep_print(const struct sweep *s, const struct table *t, const char (*metrics)[64], unsigned nr, FILE *out)
{
	int cols[TABLE_MAX_COLS], state = table_col(t, "state");
	unsigned n = 0;

	for (unsigned i = 0; i < s->variants.nr_axes; i++)
		cols[n++] = table_col(t, s->variants.axes[i].key);
	for (unsigned i = 0; i < nr; i++)
		if (table_col(t, metrics[i]) >= 0)
			cols[n++] = table_col(t, metrics[i]);
	for (unsigned c = 6 + s->variants.nr_axes; !nr && c < t->nr_cols; c++)
		if (differs(t, (int)c))
			cols[n++] = (int)c;
	for (unsigned c = 0; c < n; c++)
		fprintf(out, "%s%*s", c ? "  " : "", width_of(t, cols[c]), t->cols[cols[c]]);
	fputs("  state\n", out);
	for (unsigned r = 0; r < t->nr_rows; r++) {
		for (unsigned c = 0; c < n; c++)
			fprintf(out, "%s%*s", c ? "  " : "", width_of(t, cols[c]), shown(t, r, cols[c]));
		fprintf(out, "  %s\n", table_get(t, r, state));
	}
}

/* ---- for verbs ---- */

const char sweep_paging[SWEEP_NR_PAGING][64] = {"references", "misses", "miss_ratio", "pgmajfault",
						"workingset_refault", "pswpin", "allocstall", "some_ns"};

static int write_json(const struct sweep *s, const struct sweep_result *results, const char *path)
{
	json_t *j = sweep_json(s, results);
	char err[512] = "out of memory";
	int bad = !j || result_write(j, path, err, sizeof(err));

	json_decref(j);
	return bad ? cmd_error("%s: %s", s->verb, err) : EXIT_DONE;
}

/* Curves over the size of memory, if several sizes were run. */
static int draw_curves(const struct sweep *s)
{
	static const char *const plots[] = {"misses", "stalls"};
	const struct axis *mem = variants_axis(&s->variants, "mem");
	struct figures f;
	struct results r;
	char err[1024];
	int rc = 0;

	if (!mem || mem->nr < 2)
		return EXIT_DONE;
	if (figures_init(&f, err, sizeof(err)))
		return cmd_error("%s: %s", s->verb, err);
	memset(&r, 0, sizeof(r));
	rc = results_load(&r, NULL, NULL, s->dir, err, sizeof(err));
	for (size_t i = 0; i < ARRAY_SIZE(plots) && !rc; i++)
		rc = figures_draw(&f, &r, plots[i], s->dir, err, sizeof(err));
	for (unsigned i = 0; i < f.nr && !rc && !s->quiet; i++)
		printf("picture: %s\n", f.list[i].svg);
	results_free(&r);
	figures_free(&f);
	return rc ? cmd_error("%s: %s", s->verb, err) : EXIT_DONE;
}

static int write_files(const struct sweep *s, const struct table *t)
{
	char path[8192];
	int rc;

	snprintf(path, sizeof(path), "%s/sweep.csv", s->dir);
	rc = table_write_csv(t, path);
	return rc ? cmd_error("%s: %s: %s", s->verb, path, strerror(-rc)) : draw_curves(s);
}

int sweep_verb(struct sweep *s, const char *json, const char (*metrics)[64], unsigned nr)
{
	struct sweep_result *results;
	int status = EXIT_DONE;
	struct table t;
	char err[5120];

	s->keep = json != NULL;
	if (sweep_run(s, &results, err, sizeof(err)))
		return cmd_error("%s: %s", s->verb, err);
	if (sweep_table(s, results, &t)) {
		status = cmd_error("%s: out of memory", s->verb);
	} else {
		for (unsigned i = 0; i < t.nr_rows; i++) {
			if (results[i].said && results[i].said[0])
				printf("==> %s\n%s", results[i].label, results[i].said);
			status = results[i].status > status ? results[i].status : status;
		}
		sweep_print(s, &t, metrics, nr, stdout);
		fflush(stdout);
		if (json && write_json(s, results, json))
			status = EXIT_USAGE;
		if (s->dir && write_files(s, &t))
			status = EXIT_USAGE;
	}
	table_free(&t);
	sweep_free(s, results);
	return status;
}
