/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/sweep.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/manifest.h"

int sweep_add_axis(struct sweep *s, const char *text, bool is_param, char *err, size_t n)
{
	struct sweep_axis *a = &s->axes[s->nr_axes];
	const char *eq = strchr(text, '=');
	char copy[4096], *save = NULL;

	if (s->nr_axes == SWEEP_MAX_AXES) {
		snprintf(err, n, "'%s': more than %d axes", text, SWEEP_MAX_AXES);
		return -EINVAL;
	}
	if (!eq || eq == text || (size_t)(eq - text) >= sizeof(a->key) || strlen(eq + 1) >= sizeof(copy)) {
		snprintf(err, n, "'%s': expected KEY=VALUE,VALUE...", text);
		return -EINVAL;
	}
	snprintf(a->key, sizeof(a->key), "%.*s", (int)(eq - text), text);
	a->is_param = is_param;
	a->nr = 0;
	strcpy(copy, eq + 1);
	for (char *v = strtok_r(copy, ",", &save); v; v = strtok_r(NULL, ",", &save)) {
		if (a->nr == SWEEP_MAX_VALUES || strlen(v) >= sizeof(a->values[0])) {
			snprintf(err, n, "'%s': more than %d values, or one too long", a->key, SWEEP_MAX_VALUES);
			return -EINVAL;
		}
		strcpy(a->values[a->nr++], v);
	}
	if (!a->nr) {
		snprintf(err, n, "'%s': no value", text);
		return -EINVAL;
	}
	s->nr_axes++;
	return 0;
}

unsigned sweep_nr_variants(const struct sweep *s)
{
	unsigned n = 1;

	for (unsigned i = 0; i < s->nr_axes; i++)
		n = n * s->axes[i].nr > SWEEP_MAX_VARIANTS ? SWEEP_MAX_VARIANTS + 1 : n * s->axes[i].nr;
	return n;
}

/* Value of axis @axis in variant @v: the last axis runs fastest. */
static const char *value_of(const struct sweep *s, unsigned v, unsigned axis)
{
	for (unsigned i = s->nr_axes - 1; i > axis; i--)
		v /= s->axes[i].nr;
	return s->axes[axis].values[v % s->axes[axis].nr];
}

static void label_of(const struct sweep *s, unsigned v, char separator, char *out, size_t n)
{
	size_t used = 0;

	out[0] = 0;
	for (unsigned i = 0; i < s->nr_axes && used < n; i++)
		used += (size_t)snprintf(out + used, n - used, "%s%s", i ? (char[2]){separator, 0} : "",
					 value_of(s, v, i));
	if (!s->nr_axes)
		snprintf(out, n, "run");
	for (char *p = out; *p; p++)
		if (*p == '/')
			*p = '_';
}

/* ---- one variant, as a process ---- */

static void json_path(const struct sweep *s, unsigned v, const char *suffix, char *out, size_t n)
{
	char label[512];

	label_of(s, v, '_', label, sizeof(label));
	snprintf(out, n, "%s/%s%s", s->dir, label, suffix);
}

static _Noreturn void exec_variant(const struct sweep *s, unsigned v)
{
	static char texts[2 * SWEEP_MAX_AXES][192], json[4096], log[4096];
	const char *argv[3 * SWEEP_MAX_ARGS + 4 * SWEEP_MAX_AXES];
	unsigned n = 0;

	json_path(s, v, ".json", json, sizeof(json));
	json_path(s, v, ".log", log, sizeof(log));
	argv[n++] = "memrig";
	argv[n++] = s->verb;
	for (unsigned i = 0; i < s->nr_args; i++)
		argv[n++] = s->args[i];
	for (unsigned i = 0; i < s->nr_axes; i++) {
		snprintf(texts[i], sizeof(texts[i]), "%s=%s", s->axes[i].key, value_of(s, v, i));
		if (!s->axes[i].is_param)
			argv[n++] = "--set";
		argv[n++] = texts[i];
	}
	for (unsigned i = 0; i < s->nr_settings; i++) {
		argv[n++] = "--set";
		argv[n++] = s->settings[i];
	}
	argv[n++] = "--quiet";
	argv[n++] = "--json";
	argv[n++] = json;
	argv[n] = NULL;
	if (!freopen(log, "w", stderr) || !freopen("/dev/null", "w", stdout))
		_exit(2);
	execv("/proc/self/exe", (char *const *)argv);
	_exit(2);
}

/* The line a failed variant left behind. */
static void failure_of(const struct sweep *s, unsigned v, char *err, size_t n)
{
	char path[4096], label[512], line[1024] = "";
	FILE *f;

	label_of(s, v, ' ', label, sizeof(label));
	json_path(s, v, ".log", path, sizeof(path));
	f = fopen(path, "re");
	if (!f || !fgets(line, sizeof(line), f))
		snprintf(line, sizeof(line), "it left no message");
	if (f)
		fclose(f);
	line[strcspn(line, "\n")] = 0;
	snprintf(err, n, "variant '%s' failed: %s", label, line);
}

/* Waits for one of the processes. 0, or -1 when it failed. */
static int reap(const struct sweep *s, pid_t *pids, unsigned nr, unsigned *done, char *err, size_t n)
{
	char path[4096], label[512];
	int status;
	pid_t pid = waitpid(-1, &status, 0);

	for (unsigned v = 0; v < nr; v++) {
		if (pids[v] != pid)
			continue;
		pids[v] = 0;
		++*done;
		if (!WIFEXITED(status) || WEXITSTATUS(status)) {
			failure_of(s, v, err, n);
			return -1;
		}
		json_path(s, v, ".log", path, sizeof(path));
		unlink(path);
		label_of(s, v, ' ', label, sizeof(label));
		if (!s->quiet)
			fprintf(stderr, "memrig: sweep: %u of %u: %s\n", *done, nr, label);
		return 0;
	}
	return 0;
}

static int run_all(const struct sweep *s, unsigned nr, char *err, size_t n)
{
	unsigned jobs = s->jobs ? s->jobs : (unsigned)sysconf(_SC_NPROCESSORS_ONLN), done = 0, started = 0;
	pid_t *pids = calloc(nr, sizeof(*pids));
	int r = 0;

	if (!pids) {
		snprintf(err, n, "out of memory");
		return -1;
	}
	while (!r && done < nr) {
		if (started < nr && started - done < jobs) {
			fflush(NULL);
			pids[started] = fork();
			if (!pids[started])
				exec_variant(s, started);
			if (pids[started] < 0) {
				snprintf(err, n, "fork: %s", strerror(errno));
				r = -1;
			} else {
				started++;
			}
		} else {
			r = reap(s, pids, started, &done, err, n);
		}
	}
	for (unsigned v = 0; r && v < started; v++) /* after a failure the others are of no use */
		if (pids[v] > 0) {
			kill(pids[v], SIGKILL);
			waitpid(pids[v], NULL, 0);
		}
	free(pids);
	return r;
}

/* ---- results ---- */

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
	table_set(t, name, "%.15g", value);
}

static json_t *load(const struct sweep *s, unsigned v, char *err, size_t n)
{
	json_error_t e;
	char path[4096];
	json_t *j;

	json_path(s, v, ".json", path, sizeof(path));
	j = json_load_file(path, 0, &e);
	if (!j)
		snprintf(err, n, "%s:%d: %s", path, e.line, e.text);
	return j;
}

static int collect(const struct sweep *s, unsigned nr, struct table *out, char *err, size_t n)
{
	char label[512];

	for (unsigned v = 0; v < nr; v++) {
		json_t *j = load(s, v, err, n);

		if (!j)
			return -1;
		if (!v) {
			table_add_col(out, "row");
			table_add_col(out, "variant");
			for (unsigned i = 0; i < s->nr_axes; i++)
				table_add_col(out, s->axes[i].key);
			for_each_number(j, add_column, out);
		}
		if (table_add_row(out) < 0) {
			snprintf(err, n, "out of memory");
			json_decref(j);
			return -1;
		}
		label_of(s, v, ' ', label, sizeof(label));
		table_set(out, "row", "%u", v);
		table_set(out, "variant", "%s", label);
		for_each_number(j, set_number, out);
		for (unsigned i = 0; i < s->nr_axes; i++)
			table_set(out, s->axes[i].key, "%s", value_of(s, v, i));
		json_decref(j);
	}
	return 0;
}

int sweep_run(const struct sweep *s, struct table *out, char *err, size_t n)
{
	unsigned nr = sweep_nr_variants(s);
	int r;

	if (nr > SWEEP_MAX_VARIANTS) {
		snprintf(err, n, "more than %d variants", SWEEP_MAX_VARIANTS);
		return -1;
	}
	r = make_dirs(s->dir);
	if (r) {
		snprintf(err, n, "%s: %s", s->dir, strerror(-r));
		return -1;
	}
	return run_all(s, nr, err, n) || collect(s, nr, out, err, n) ? -1 : 0;
}

/* ---- for people ---- */

static bool differs(const struct table *t, int col)
{
	for (unsigned r = 1; r < t->nr_rows; r++)
		if (strcmp(table_get(t, r, col), table_get(t, 0, col)))
			return true;
	return false;
}

static int width_of(const struct table *t, int col)
{
	size_t w = strlen(t->cols[col]);

	for (unsigned r = 0; r < t->nr_rows; r++)
		if (strlen(table_get(t, r, col)) > w)
			w = strlen(table_get(t, r, col));
	return (int)w;
}

void sweep_print(const struct sweep *s, const struct table *t, char (*metrics)[64], unsigned nr, FILE *out)
{
	int cols[TABLE_MAX_COLS];
	unsigned n = 0;

	for (unsigned i = 0; i < s->nr_axes; i++)
		cols[n++] = table_col(t, s->axes[i].key);
	for (unsigned i = 0; i < nr; i++)
		if (table_col(t, metrics[i]) >= 0)
			cols[n++] = table_col(t, metrics[i]);
	for (unsigned c = 2 + s->nr_axes; !nr && c < t->nr_cols; c++)
		if (differs(t, (int)c))
			cols[n++] = (int)c;
	for (unsigned c = 0; c < n; c++)
		fprintf(out, "%s%*s", c ? "  " : "", width_of(t, cols[c]), t->cols[cols[c]]);
	fputc('\n', out);
	for (unsigned r = 0; r < t->nr_rows; r++) {
		for (unsigned c = 0; c < n; c++)
			fprintf(out, "%s%*s", c ? "  " : "", width_of(t, cols[c]), table_get(t, r, cols[c]));
		fputc('\n', out);
	}
}
