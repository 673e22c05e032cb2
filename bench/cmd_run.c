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
#include "bench/footprint.h"
#include "bench/heap_host.h"
#include "bench/machine_args.h"
#include "bench/replay_loop.h"
#include "bench/result.h"
#include "bench/dirtycow.h"
#include "bench/study.h"
#include "bench/sweep.h"
#include "bench/verdict.h"
#include "bench/workload_source.h"
#include "bench/workload_trace.h"
#include "workloads/workload.h"

struct run_args {
	struct machine_args machine;
	struct sweep sweep; /* for lists */
	const struct workload *workload;
	struct workload_run run;
	char text[512]; /* workload and parameters as given */
	const char *json, *show, *write, *study, *out_dir;
	u64 gap;
	u64 seeds;     /* of dirtycow */
	bool check, quiet, list, as_text, dirtycow;
};

enum { OPT_JSON = 256, OPT_CHECK, OPT_SHOW, OPT_WRITE, OPT_LIST, OPT_GAP, OPT_STUDY, OPT_TEXT };

static const struct argp_option options[] = {
	{"list", OPT_LIST, 0, 0, "List the workloads and their parameters", 0},
	{"write", OPT_WRITE, "FILE", 0, "Write the workload as a trace instead of replaying it", 0},
	{"text", OPT_TEXT, 0, 0, "With --write: as text", 0},
	{"study", OPT_STUDY, "NAME", 0,
	 "Run a ready study: its table and its plot; 'list' lists them, 'quick' runs the quick ones", 0},
	{"output", 'o', "DIR", 0, "Where a study's results go (out/studies), and those of several machines", 0},
	{"gap", OPT_GAP, "NS", 0, "Nanoseconds between two operations (100)", 0},
	{"check", OPT_CHECK, 0, 0, "Compare expected results and run all invariants at the end", 0},
	{"json", OPT_JSON, "FILE", 0, "Write the result", 0},
	{"show", OPT_SHOW, "VIEW,...", 0, "Print views of the machine at the end", 0},
	{"quiet", 'q', 0, 0, "No progress line, no summary", 0},
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
	char err[512];

	if (machine_args_finish(&a->machine))
		return EXIT_USAGE;
	if (!dirtycow_story(&a->machine.config, a->machine.config.given[CFG_dirtycow], a->seeds, stdout, err,
			    sizeof(err)))
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

static void parse_option(int key, char *arg, struct run_args *a, struct argp_state *state)
{
	char *end;

	switch (key) {
	case OPT_JSON:
		a->json = arg;
		break;
	case OPT_CHECK:
		a->check = true;
		break;
	case OPT_SHOW:
		a->show = arg;
		break;
	case OPT_WRITE:
		a->write = arg;
		break;
	case OPT_TEXT:
		a->as_text = true;
		break;
	case OPT_LIST:
		a->list = true;
		break;
	case OPT_STUDY:
		a->study = arg;
		break;
	case 'o':
		a->out_dir = arg;
		break;
	case OPT_GAP:
		a->gap = strtoull(arg, &end, 0);
		if (!a->gap || *end || a->gap > 1000000000000ull)
			argp_failure(state, EXIT_USAGE, 0, "--gap %s: expected nanoseconds", arg);
		break;
	default:
		a->quiet = true;
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct run_args *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->machine;
		return 0;
	case ARGP_KEY_ARG:
		parse_workload(arg, a, state);
		return 0;
	case ARGP_KEY_END:
		if (!a->workload && !a->list && !a->study && !a->dirtycow)
			argp_failure(state, EXIT_USAGE, 0, "which workload? 'memrig run --list' lists all");
		return 0;
	default:
		if (key != 'q' && key != 'o' && (key < OPT_JSON || key > OPT_TEXT))
			return ARGP_ERR_UNKNOWN;
		parse_option(key, arg, a, state);
		return 0;
	}
}

/* ---- on one machine ---- */

static int write_json(json_t *j, const char *path)
{
	char err[512] = "out of memory";
	int bad = !j || result_write(j, path, err, sizeof(err));

	json_decref(j);
	return bad ? cmd_error("run: %s", err) : EXIT_DONE;
}

static int report(struct machine *m, const struct run_args *a, const struct replay_stats *st)
{
	struct result_trace t = {.path = a->text, .hash = "", .events = st->events,
				 .duration_ns = st->last_ts - st->first_ts};
	int status = verdict(m, st, a->check, a->workload->name, stdout);

	if (a->json && write_json(result_json(m, st, &t), a->json))
		return EXIT_USAGE;
	if (a->show && views_print("run", m, a->show, stdout))
		return EXIT_USAGE;
	if (!a->quiet && !a->show)
		result_print(m, st, &t, stdout);
	return status;
}

/* mem=0.5wss: the workload, not yet started, runs once before, to see what it needs. */
static int resolve_mem(struct run_args *a, const struct workload_options *o, char *err,
		       size_t errlen)
{
	struct workload_run once = a->run;
	struct op_source src;
	struct workload_source *s;
	int rc;

	if (!footprint_asked(&a->machine.config) || a->write || a->machine.config.heap)
		return 0;
	snprintf(err, errlen, "out of memory");
	s = calloc(1, sizeof(*s));
	rc = s ? workload_start(&once, o, err, errlen) : -ENOMEM;
	if (!rc) {
		s->run = &once;
		src = workload_source(s);
		rc = footprint_resolve(&a->machine.config, &src, err, errlen);
		workload_stop(&once);
	}
	free(s);
	return rc;
}

static int replay(struct run_args *a)
{
	struct replay_options opt = {.check = a->check, .quiet = a->quiet, .time_ops = true};
	struct workload_source *s = calloc(1, sizeof(*s));
	struct op_source src = workload_source(s);
	struct replay_stats *st = calloc(1, sizeof(*st));
	char err[512] = "out of memory";
	struct machine *m = s && st ? machine_create(&a->machine.config, err, sizeof(err)) : NULL;
	int rc;

	if (!m) {
		rc = cmd_error("run: %s", err);
	} else {
		s->run = &a->run;
		rc = replay_loop(m, &src, &opt, st) ? cmd_error("run: %s", st->error) : report(m, a, st);
		machine_destroy(m);
	}
	free(s);
	free(st);
	return rc;
}

/* ---- on the host's allocators ---- */

static int on_host(struct run_args *a, int which)
{
	char path[] = "/tmp/memrig-run-XXXXXX", err[512];
	struct heap_host_result r;
	int fd = mkstemp(path), rc;

	if (fd < 0)
		return cmd_error("run: %s: %s", path, strerror(errno));
	close(fd);
	rc = workload_write_trace(&a->run, path, a->text, false, err, sizeof(err));
	if (!rc)
		rc = heap_host_replay(path, which, HEAP_HOST_TOUCH_FIRST, &r, err, sizeof(err));
	unlink(path);
	if (rc)
		return cmd_error("run: %s", err);
	if (a->json && write_json(heap_host_json(&r), a->json))
		return EXIT_USAGE;
	if (!a->quiet)
		heap_host_print(&r, stdout);
	return EXIT_DONE;
}

static int dispatch(struct run_args *a)
{
	char err[512];
	struct workload_options o = {.seed = a->machine.config.seed, .gap = a->gap,
				     .page = 4096ull << (2 * a->machine.config.page)};
	int rc;

	if (resolve_mem(a, &o, err, sizeof(err)) || workload_start(&a->run, &o, err, sizeof(err)))
		return cmd_error("run: %s", err);
	if (a->write) {
		rc = workload_write_trace(&a->run, a->write, a->text, a->as_text, err, sizeof(err));
		rc = rc ? cmd_error("run: %s", err) : EXIT_DONE;
	} else if (a->machine.config.heap) {
		rc = on_host(a, (int)a->machine.config.heap);
	} else {
		rc = replay(a);
	}
	workload_stop(&a->run);
	return rc;
}

/* Lists: one pass for all machines. */
static int many(struct run_args *a)
{
	struct sweep *s = &a->sweep;

	if (a->write)
		return cmd_error("run: --write: a trace is of one machine; no lists");
	s->verb = "run";
	s->workload = a->workload;
	s->run = a->run;
	s->title = a->text;
	s->gap = a->gap;
	s->base = a->machine.config;
	s->check = a->check;
	s->show = a->show;
	s->dir = a->out_dir;
	s->quiet = a->quiet;
	return sweep_verb(s, a->json, sweep_paging, SWEEP_NR_PAGING);
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
	const char *out = a->out_dir ? a->out_dir : "out/studies";
	char err[5120];
	struct study *s = malloc(sizeof(*s));
	int bad;

	if (!s)
		return cmd_error("run: out of memory");
	bad = study_read(s, dir, name, err, sizeof(err));
	if (!bad && (!only_quick || s->quick))
		bad = study_run(s, out, a->quiet, err, sizeof(err));
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
	static const struct argp_child children[] = MACHINE_ARGP;
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
	machine_args_init(&a->machine, &a->sweep.variants);
	argp_parse(&argp, argc, argv, 0, NULL, a);
	if (a->study)
		rc = studies(a);
	else if (a->list)
		list_workloads(stdout);
	else if (a->dirtycow)
		rc = run_dirtycow(a);
	else if (a->show && views_known("run", a->show))
		rc = EXIT_USAGE;
	else if (a->sweep.variants.nr_axes)
		rc = many(a);
	else
		rc = machine_args_finish(&a->machine) ? EXIT_USAGE : dispatch(a);
	free(a);
	return rc;
}
