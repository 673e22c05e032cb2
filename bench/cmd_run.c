/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memrig run WORKLOAD [PARAMETER=VALUE...]: generates a workload and replays it on a machine, or
 * writes it as a trace. What the machine gets is the same in both cases.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/cmd.h"
#include "bench/dirtycow.h"
#include "bench/drive.h"
#include "bench/study.h"
#include "bench/workload_source.h"
#include "bench/workload_trace.h"
#include "workloads/workload.h"

struct run_args {
	struct drive drive;
	const struct workload *workload;
	struct workload_run run;
	char text[512]; /* workload and parameters as given */
	const char *write, *study;
	u64 gap;
	u64 seeds;     /* of dirtycow */
	bool list, as_text, dirtycow;
};

enum { OPT_WRITE = 256, OPT_LIST, OPT_GAP, OPT_STUDY, OPT_TEXT };

static const struct argp_option options[] = {
	{"list", OPT_LIST, 0, 0, "List the workloads and their parameters", 0},
	{"write", OPT_WRITE, "FILE", 0, "Write the workload as a trace instead of replaying it", 0},
	{"text", OPT_TEXT, 0, 0, "With --write: as text", 0},
	{"study", OPT_STUDY, "NAME", 0,
	 "Run a ready study: its table and its plot, into DIR (out/studies); 'list' lists them, 'quick' runs the quick "
	 "ones", 0},
	{"gap", OPT_GAP, "NS", 0, "Nanoseconds between two operations (100)", 0},
	{0},
};

static void list_workloads(FILE *out)
{
	const struct workload *w;

	fprintf(out, "dirtycow: CVE-2016-5195 step by step, and as a race (docs/DIRTYCOW.md)\n"
		     "    seeds    races (10)\n");

	for (unsigned i = 0; (w = workload_at(i)); i++) {
		fprintf(out, "%s: %s\n", w->name, w->help);
		for (const struct workload_param *p = w->params; p->name; p++) {
			bool size = p->def >= 64 * KiB && !(p->def % KiB);

			fprintf(out, "    %-8s %s (%" PRIu64 "%s)\n", p->name, p->help,
				!size ? p->def : p->def % MiB ? p->def >> 10 : p->def >> 20,
				!size ? "" : p->def % MiB ? "K" : "M");
		}
	}
}

/* `dirtycow [seeds=N]` is no stream of operations: two actors share a system call (bench/dirtycow.h). */
static void parse_dirtycow(const char *arg, const char *eq, struct run_args *a, struct argp_state *state)
{
	char *end;

	if (!a->dirtycow) {
		a->dirtycow = true;
		a->seeds = 10;
		return;
	}
	a->seeds = eq && !strncmp(arg, "seeds=", 6) ? strtoull(eq + 1, &end, 0) : 0;
	if (!a->seeds || *end || a->seeds > 1000)
		argp_failure(state, EXIT_USAGE, 0, "'%s': expected seeds=1..1000", arg);
}

static int run_dirtycow(struct run_args *a)
{
	struct machine_config *c = &a->drive.machine.config;
	char err[512];

	if (machine_args_finish(&a->drive.machine))
		return EXIT_USAGE;
	if (!dirtycow_story(c, c->given[CFG_dirtycow], a->seeds, stdout, err, sizeof(err)))
		return EXIT_DONE;
	return cmd_error("run: %s", err);
}

static void parse_workload(char *arg, struct run_args *a, struct argp_state *state)
{
	char err[512], *eq = strchr(arg, '=');
	size_t used = strlen(a->text);

	snprintf(a->text + used, sizeof(a->text) - used, "%s%s", used ? " " : "", arg);
	if (a->dirtycow || (!a->workload && !strcmp(arg, "dirtycow"))) {
		parse_dirtycow(arg, eq, a, state);
		return;
	}
	if (!a->workload) {
		a->workload = workload_find(arg);
		if (!a->workload)
			argp_failure(state, EXIT_USAGE, 0, "no workload '%s'; 'memrig run --list' lists all", arg);
		else
			workload_prepare(&a->run, a->workload);
		return;
	}
	if (!eq)
		argp_failure(state, EXIT_USAGE, 0, "'%s': expected PARAMETER=VALUE", arg);
	if (!eq)
		return;
	*eq = '\0';
	if (workload_set(&a->run, arg, eq + 1, err, sizeof(err)))
		argp_failure(state, EXIT_USAGE, 0, "%s", err);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run_args *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->drive;
		return 0;
	case ARGP_KEY_ARG:
		parse_workload(arg, a, state);
		return 0;
	case ARGP_KEY_END:
		if (!a->workload && !a->list && !a->study && !a->dirtycow)
			argp_failure(state, EXIT_USAGE, 0, "which workload? 'memrig run --list' lists all");
		return 0;
	case OPT_WRITE:
		a->write = arg;
		return 0;
	case OPT_TEXT:
		a->as_text = true;
		return 0;
	case OPT_LIST:
		a->list = true;
		return 0;
	case OPT_STUDY:
		a->study = arg;
		return 0;
	case OPT_GAP:
		a->gap = parse_number("gap", arg, state);
		if (!a->gap || a->gap > 1000000000000ull)
			argp_failure(state, EXIT_USAGE, 0, "--gap %s: expected nanoseconds", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- one machine, or several ---- */

static struct workload_options options_of(const struct run_args *a)
{
	const struct machine_config *c = &a->drive.machine.config;

	return (struct workload_options){.seed = c->seed, .gap = a->gap, .page = 1ull << config_page_shift(c)};
}

/* A run of its own of the workload, which is not started. */
static int open_workload(void *self, struct drive_stream *s, char *err, size_t n)
{
	const struct run_args *a = self;
	struct workload_options o = options_of(a);
	struct workload_source *source = calloc(1, sizeof(*source));
	struct workload_run *run = malloc(sizeof(*run));

	if (run)
		*run = a->run;
	if (!source || !run || workload_start(run, &o, err, n)) {
		free(source);
		free(run);
		return -1;
	}
	source->run = run;
	*s = (struct drive_stream){.name = a->workload->name, .title = a->text, .src = workload_source(source)};
	return 0;
}

static void close_workload(void *self, struct drive_stream *s)
{
	struct workload_source *source = s->src.self;

	(void)self;
	workload_stop(source->run);
	free(source->run);
	free(source);
}

static int write_trace(const struct run_args *a, const char *path, bool text)
{
	struct workload_options o = options_of(a);
	struct workload_run run = a->run;
	char err[512];
	int rc;

	if (workload_start(&run, &o, err, sizeof(err)))
		return cmd_error("run: %s", err);
	rc = workload_write_trace(&run, path, a->text, text, err, sizeof(err));
	workload_stop(&run);
	return rc ? cmd_error("run: %s", err) : EXIT_DONE;
}

static int on_host(const struct run_args *a)
{
	char path[] = "/tmp/memrig-run-XXXXXX";
	int fd = mkstemp(path), rc;

	if (fd < 0)
		return cmd_error("run: %s: %s", path, strerror(errno));
	close(fd);
	rc = write_trace(a, path, false);
	if (!rc)
		rc = drive_on_host(&a->drive, path);
	unlink(path);
	return rc;
}

static int single(struct run_args *a)
{
	char err[512] = "out of memory";
	struct drive_stream s;
	int rc;

	if (drive_config(&a->drive))
		return EXIT_USAGE;
	if (a->write)
		return write_trace(a, a->write, a->as_text);
	if (a->drive.machine.config.heap != HEAP_MODEL)
		return on_host(a);
	if (drive_size(&a->drive, open_workload, close_workload, a))
		return EXIT_USAGE;
	if (open_workload(a, &s, err, sizeof(err)))
		return cmd_error("run: %s", err);
	rc = drive_one(&a->drive, &s);
	close_workload(a, &s);
	return rc;
}

static int many(struct run_args *a)
{
	if (a->write)
		return cmd_error("run: --write: a trace is of one machine; no lists");
	a->drive.sweep.workload = a->workload;
	a->drive.sweep.run = a->run;
	a->drive.sweep.title = a->text;
	a->drive.sweep.gap = a->gap;
	return drive_many(&a->drive);
}

/* ---- studies ---- */

static int list_studies(const char *dir, char **names)
{
	char err[5120];
	struct study *s = malloc(sizeof(*s));
	int rc = s ? EXIT_DONE : cmd_error("run: out of memory");

	for (char **n = names; s && n && *n && rc == EXIT_DONE; n++) {
		if (study_read(s, dir, *n, err, sizeof(err)))
			rc = cmd_error("run: %s", err);
		else
			printf("%-6s %s%s\n", s->name, s->title, s->quick ? "" : " (takes a while)");
	}
	free(s);
	return rc;
}

static int run_study(const char *dir, const char *name, const struct run_args *a, bool only_quick)
{
	const char *out = a->drive.dir ? a->drive.dir : "out/studies";
	char err[5120];
	struct study *s = malloc(sizeof(*s));
	int bad;

	if (!s)
		return cmd_error("run: out of memory");
	bad = study_read(s, dir, name, err, sizeof(err));
	if (!bad && (!only_quick || s->quick))
		bad = study_run(s, out, a->drive.quiet, err, sizeof(err));
	free(s);
	return bad ? cmd_error("run: %s", err) : EXIT_DONE;
}

static int studies(const struct run_args *a)
{
	char dir[4200], err[512], **names;
	int rc = EXIT_DONE;

	if (study_find_dir(dir, sizeof(dir), err, sizeof(err)))
		return cmd_error("run: %s", err);
	names = study_names(dir);
	if (!strcmp(a->study, "list"))
		rc = list_studies(dir, names);
	else if (strcmp(a->study, "quick"))
		rc = run_study(dir, a->study, a, false);
	else
		for (char **n = names; n && *n && rc == EXIT_DONE; n++)
			rc = run_study(dir, *n, a, true);
	for (char **n = names; n && *n; n++)
		free(*n);
	free(names);
	return rc;
}

int cmd_run(int argc, char **argv)
{
	static const struct argp_child children[] = DRIVE_ARGP;
	static const struct argp argp = {
		.options = options, .parser = parse, .args_doc = "WORKLOAD [PARAMETER=VALUE...]",
		.children = children,
		.doc = "Generates a workload and replays it on a fresh machine, or with lists of values (--set "
		       "mem=64M,128M) on several at once, or writes it as a trace.\v" VARIANTS_HELP,
	};
	struct run_args *a = calloc(1, sizeof(*a));
	int rc = EXIT_DONE;

	if (!a)
		return cmd_error("run: out of memory");
	drive_init(&a->drive, "run");
	argp_parse(&argp, argc, argv, 0, NULL, a);
	if (a->study)
		rc = studies(a);
	else if (a->list)
		list_workloads(stdout);
	else if (a->dirtycow)
		rc = run_dirtycow(a);
	else
		rc = drive_is_many(&a->drive) ? many(a) : single(a);
	free(a);
	return rc;
}
