/* SPDX-License-Identifier: BSD-2-Clause */
/* memrig trace: tools on traces, one function and one argp a tool. */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/cmd.h"
#include "core/config.h"
#include "traces/format.h"
#include "traces/import.h"
#include "traces/names.h"
#include "traces/tools.h"
#include "traces/validate.h"

#define MAX_INPUTS 64
#define MAX_PIDS   256

enum {
	OPT_RAW = 256,
	OPT_TEXT,
	OPT_LEVEL,
	OPT_FROM,
	OPT_TO,
	OPT_FIRST,
	OPT_TASK,
	OPT_OP,
	OPT_NOT_OP,
	OPT_CPU,
	OPT_SAME_MACHINE,
	OPT_FORMAT,
	OPT_LIST,
	OPT_QUIET
};

struct args {
	const char *input[MAX_INPUTS], *output, *format;
	unsigned nr_inputs, max_inputs;
	int flags;
	bool same_machine, list, chose_op;
	struct trace_select select;
	u32 pids[MAX_PIDS];
	bool needs_output, quiet;
};

#define OUTPUT_OPTIONS                                                                             \
	{"output", 'o', "FILE", 0, "The trace to write (required)", 0},                            \
		{"raw", OPT_RAW, NULL, 0, "Raw records instead of compressed columns", 0},         \
		{"text", OPT_TEXT, NULL, 0, "Text instead of binary", 0},                          \
	{                                                                                          \
		"level", OPT_LEVEL, "N", 0, "zstd level, 1 to 19 (default 3)", 0                   \
	}

static u64 number(struct argp_state *state, const char *option, const char *text)
{
	u64 v = 0;

	if (*text == '-' || names_number(text, strlen(text), &v))
		argp_failure(state, EXIT_USAGE, 0, "--%s: '%s': expected a number", option, text);
	return v;
}

static const char *next_op_name(void *ctx)
{
	unsigned *code = ctx;

	while (++*code < NR_OP_CODES)
		if (op_known(*code) && *op_name(*code))
			return op_name(*code);
	return NULL;
}

/* "mmap,munmap": sets the codes to @keep; the first --op clears all others. */
static void choose_ops(struct argp_state *state, struct args *a, char *list, bool keep)
{
	if (keep && !a->chose_op)
		memset(a->select.codes, false, sizeof(a->select.codes));
	a->chose_op |= keep;
	for (char *save, *w = strtok_r(list, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		unsigned code = op_by_name(w), from = 0;
		const char *near = names_nearest(w, strlen(w), next_op_name, &from);

		if (code == OP_NONE)
			argp_failure(state, EXIT_USAGE, 0, "unknown operation '%s'%s%s%s", w,
				     near ? ", did you mean '" : "", near ? near : "",
				     near ? "'?" : "");
		a->select.codes[code] = keep;
	}
}

static void choose_pids(struct argp_state *state, struct args *a, char *list)
{
	a->select.pids = a->pids;
	for (char *save, *w = strtok_r(list, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		if (a->select.nr_pids == MAX_PIDS)
			argp_failure(state, EXIT_USAGE, 0, "more than %d processes", MAX_PIDS);
		a->pids[a->select.nr_pids++] = (u32)number(state, "task", w);
	}
}

static void choose_cpus(struct argp_state *state, struct args *a, char *list)
{
	a->select.cpus = 0;
	for (char *save, *w = strtok_r(list, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		u64 cpu = number(state, "cpu", w);

		a->select.cpus |= BIT(cpu > 63 ? 63 : cpu);
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case 'o':
		a->output = arg;
		return 0;
	case OPT_RAW:
		a->flags |= TRACE_WRITE_RAW;
		return 0;
	case OPT_TEXT:
		a->flags |= TRACE_WRITE_TEXT;
		return 0;
	case OPT_QUIET:
		a->quiet = true;
		return 0;
	case OPT_LEVEL: {
		u64 level = number(state, "level", arg);

		if (!level || level > 19)
			argp_failure(state, EXIT_USAGE, 0, "--level: '%s': expected 1 to 19", arg);
		a->flags |= (int)level;
		return 0;
	}
	case OPT_FROM:
		a->select.from = number(state, "from", arg);
		return 0;
	case OPT_TO:
		a->select.to = number(state, "to", arg);
		return 0;
	case OPT_FIRST:
		a->select.first = number(state, "first", arg);
		return 0;
	case OPT_TASK:
		choose_pids(state, a, arg);
		return 0;
	case OPT_OP:
		choose_ops(state, a, arg, true);
		return 0;
	case OPT_NOT_OP:
		choose_ops(state, a, arg, false);
		return 0;
	case OPT_CPU:
		choose_cpus(state, a, arg);
		return 0;
	case OPT_SAME_MACHINE:
		a->same_machine = true;
		return 0;
	case OPT_FORMAT:
		a->format = arg;
		return 0;
	case OPT_LIST:
		a->list = true;
		return 0;
	case ARGP_KEY_ARG:
		if (a->nr_inputs == a->max_inputs)
			argp_failure(state, EXIT_USAGE, 0, "unexpected '%s'", arg);
		a->input[a->nr_inputs++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (a->list)
			return 0;
		if (!a->nr_inputs)
			argp_failure(state, EXIT_USAGE, 0, "expected a trace");
		if (a->needs_output && !a->output)
			argp_failure(state, EXIT_USAGE, 0, "expected -o FILE");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The line in @err becomes the verb's; exit status 2. */
static int unusable(const char *err)
{
	return cmd_error("%s", err);
}

static struct trace_reader *open_trace(const char *path)
{
	char err[512];
	struct trace_reader *r = trace_open(path, 0, err, sizeof(err));

	if (!r)
		unusable(err);
	return r;
}

static int read_failed(const struct trace_reader *r)
{
	return unusable(*trace_reader_error(r) ? trace_reader_error(r) : "no memory");
}

static void warn(const char *text)
{
	if (*text)
		fprintf(stderr, "memrig: warning: %s\n", text);
}

/* info */

struct census {
	u64 count[NR_OP_CODES], events, records, first_ts, last_ts;
};

static int count_all(struct trace_reader *r, struct census *c)
{
	const struct mm_op *ops;
	ssize_t n;

	while ((n = trace_next(r, &ops)) > 0) {
		if (!c->records)
			c->first_ts = ops[0].ts;
		for (ssize_t i = 0; i < n; i++) {
			c->records++;
			if (ops[i].code == OP_EXT || ops[i].code == OP_TASK)
				continue;
			c->count[ops[i].code]++;
			c->events++;
			c->last_ts = ops[i].ts;
		}
	}
	return (int)n;
}

static int tool_info(const struct args *a)
{
	struct trace_reader *r = open_trace(a->input[0]);
	const struct trace_info *info;
	struct census c = {0};
	u64 done, total;

	if (!r)
		return EXIT_USAGE;
	if (count_all(r, &c)) {
		int status = read_failed(r);

		trace_close(r);
		return status;
	}
	info = trace_reader_info(r);
	trace_reader_progress(r, &done, &total);
	printf("%-20s %s\n", "format", trace_reader_is_text(r) ? "text 1" : "binary 1");
	printf("%-20s %s\n%-20s %" PRIu64 "\n", "arch", info->arch, "page_size",
	       (u64)1 << info->page_shift);
	for (u32 i = 0; i < info->nr; i++)
		printf("%-20s %s\n", info->kv[i].key, info->kv[i].value);
	printf("%-20s %" PRIu64 "\n", "lost", info->lost);
	printf("%-20s %" PRIu64 "\n%-20s %" PRIu64 "\n", "events", c.events, "bytes", done);
	printf("%-20s %.2f\n", "bytes_per_event", c.events ? (double)done / (double)c.events : 0);
	printf("%-20s %u\n%-20s %.9f\n", "tasks", trace_nr_tasks(r) - 1, "duration_s",
	       c.events ? (double)(c.last_ts - c.first_ts) * 1e-9 : 0);
	printf("%-20s %016" PRIx64 "\n", "hash", trace_hash(r));
	for (unsigned code = 0; code < NR_OP_CODES; code++)
		if (c.count[code])
			printf("op.%-17s %" PRIu64 "\n", op_name(code), c.count[code]);
	warn(trace_reader_notice(r));
	trace_close(r);
	return EXIT_DONE;
}

/* check */

static int tool_check(const struct args *a)
{
	struct trace_reader *r = open_trace(a->input[0]);
	struct check_report rep;
	int status = EXIT_DONE;

	if (!r)
		return EXIT_USAGE;
	if (trace_check(r, &rep, stdout, 32)) {
		status = read_failed(r);
		trace_close(r);
		return status;
	}
	printf("%s: %" PRIu64 " events, %" PRIu64 " tasks of %" PRIu64 " processes (%" PRIu64
	       " alive at the end), %.3f s; lost %" PRIu64 "; %" PRIu64
	       " frees of unknown blocks; %" PRIu64 " findings\n",
	       a->input[0], rep.events, rep.tasks, rep.processes, rep.alive,
	       (double)rep.duration_ns * 1e-9, trace_reader_info(r)->lost, rep.unborn,
	       rep.findings);
	if (*trace_reader_notice(r)) {
		printf("%s\n", trace_reader_notice(r));
		status = EXIT_CHECK_FAILED;
	}
	if (rep.findings)
		status = EXIT_CHECK_FAILED;
	trace_close(r);
	return status;
}

/* cut, filter, export, anonymise: copies */

static int copy(const struct args *a, const char *output, int flags)
{
	struct trace_reader *r = open_trace(a->input[0]);
	char err[512];
	u64 events;
	int e;

	if (!r)
		return EXIT_USAGE;
	e = trace_copy_selected(r, output, flags, &a->select, &events, err, sizeof(err));
	if (!e)
		warn(trace_reader_notice(r));
	trace_close(r);
	if (e)
		return unusable(err);
	if (strcmp(output, "-") && !a->quiet)
		fprintf(stderr, "%s: %" PRIu64 " events\n", output, events);
	return EXIT_DONE;
}

static int tool_copy(const struct args *a)
{
	return copy(a, a->output, a->flags);
}

static int tool_anonymise(const struct args *a)
{
	struct args b = *a;

	b.select.anonymous = true;
	b.select.pids = b.pids;
	return copy(&b, b.output, b.flags);
}

static int tool_export(const struct args *a)
{
	return copy(a, a->output ? a->output : "-", TRACE_WRITE_TEXT);
}

static int tool_merge(const struct args *a)
{
	struct trace_reader *r[MAX_INPUTS];
	char err[512];
	u64 events;
	int e = -EINVAL;
	unsigned n = 0;

	while (n < a->nr_inputs && (r[n] = open_trace(a->input[n])))
		n++;
	if (n == a->nr_inputs) {
		e = trace_merge(r, n, a->output, a->flags, a->same_machine, &events, err,
				sizeof(err));
		if (e)
			unusable(err);
		else if (!a->quiet)
			fprintf(stderr, "%s: %" PRIu64 " events\n", a->output, events);
	}
	for (unsigned i = 0; i < n; i++)
		trace_close(r[i]);
	return e ? EXIT_USAGE : EXIT_DONE;
}

/* import */

static int tool_import(const struct args *a)
{
	const struct import_format *f;
	struct import_report rep;
	char err[512];

	if (a->list) {
		for (unsigned i = 0; (f = import_format(i)); i++)
			printf("%-10s %s\n", f->name, f->help);
		return EXIT_DONE;
	}
	if (trace_import(a->format, a->input[0], a->output, a->flags, &rep, err, sizeof(err)))
		return unusable(err);
	if (!a->quiet) {
		fprintf(stderr,
			"%s: %" PRIu64 " events from %" PRIu64 " lines; %" PRIu64
			" lines say nothing about memory\n",
			a->output, rep.events, rep.lines, rep.ignored);
		if (rep.unknown)
			fprintf(stderr,
				"%" PRIu64 " lines not understood, the first is %" PRIu64 "\n",
				rep.unknown, rep.first_unknown);
	}
	return EXIT_DONE;
}

static const struct argp_option quiet_options[] = {
	{"quiet", OPT_QUIET, NULL, 0, "Say nothing that is no error", 0}, {0}};
static const struct argp_option output_options[] = {
	OUTPUT_OPTIONS, {"quiet", OPT_QUIET, NULL, 0, "Say nothing that is no error", 0}, {0}};
static const struct argp_option cut_options[] = {
	OUTPUT_OPTIONS,
	{"from", OPT_FROM, "NS", 0, "Begin here; mappings made before are kept, at time 0", 0},
	{"to", OPT_TO, "NS", 0, "End before this time", 0},
	{"first", OPT_FIRST, "N", 0, "At most so many operations", 0},
	{"quiet", OPT_QUIET, NULL, 0, "Say nothing that is no error", 0},
	{0}};
static const struct argp_option filter_options[] = {
	OUTPUT_OPTIONS,
	{"task", OPT_TASK, "PID,...", 0, "Only these processes (and the kernel)", 0},
	{"op", OPT_OP, "NAME,...", 0, "Only these operations", 0},
	{"not-op", OPT_NOT_OP, "NAME,...", 0, "Not these operations", 0},
	{"cpu", OPT_CPU, "N,...", 0, "Only these CPUs", 0},
	{"quiet", OPT_QUIET, NULL, 0, "Say nothing that is no error", 0},
	{0}};
static const struct argp_option merge_options[] = {
	OUTPUT_OPTIONS,
	{"same-machine", OPT_SAME_MACHINE, NULL, 0,
	 "The traces were recorded together: equal pids are equal processes", 0},
	{"quiet", OPT_QUIET, NULL, 0, "Say nothing that is no error", 0},
	{0}};
static const struct argp_option export_options[] = {
	{"output", 'o', "FILE", 0, "The text to write (default: standard output)", 0},
	{"quiet", OPT_QUIET, NULL, 0, "Say nothing that is no error", 0},
	{0}};
static const struct argp_option import_options[] = {
	OUTPUT_OPTIONS,
	{"format", OPT_FORMAT, "F", 0, "What the input is (default: told by its first lines)", 0},
	{"list", OPT_LIST, NULL, 0, "List the formats", 0},
	{"quiet", OPT_QUIET, NULL, 0, "Say nothing that is no error", 0},
	{0}};

static const struct tool {
	const char *name, *args_doc, *doc;
	const struct argp_option *options;
	int (*run)(const struct args *a);
	bool needs_output;
	unsigned max_inputs;
} tools[] = {
	{"info", "T", "Says what a trace holds.", quiet_options, tool_info, false, 1},
	{"check", "T",
	 "Looks for what cannot have happened: lost or mixed records. Exit status 1 if there was "
	 "something.",
	 quiet_options, tool_check, false, 1},
	{"cut", "T -o FILE", "Keeps a part of a trace.", cut_options, tool_copy, true, 1},
	{"filter", "T -o FILE", "Keeps some processes, operations or CPUs.", filter_options,
	 tool_copy, true, 1},
	{"merge", "T... -o FILE", "Merges traces by time.", merge_options, tool_merge, true,
	 MAX_INPUTS},
	{"import", "FILE -o FILE", "Makes a trace of a foreign format or of text; FILE may be '-'.",
	 import_options, tool_import, true, 1},
	{"export", "T", "Prints a trace as text.", export_options, tool_export, false, 1},
	{"anonymise", "T -o FILE",
	 "Hides names of programs and files, the command and the process numbers.", output_options,
	 tool_anonymise, true, 1},
};

static void help(FILE *out)
{
	fputs("Usage: memrig trace TOOL [OPTION...]\nTools on traces (binary or text).\n\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(tools); i++)
		fprintf(out, "  %-10s %s\n", tools[i].name, tools[i].doc);
	fputs("\n'memrig trace TOOL --help' explains a tool.\n", out);
}

static int run(const struct tool *t, int argc, char **argv)
{
	struct args *a = calloc(1, sizeof(*a));
	struct argp argp = {
		.options = t->options, .parser = parse, .args_doc = t->args_doc, .doc = t->doc};
	char name[64];
	int status;

	if (!a)
		return cmd_error("no memory");
	snprintf(name, sizeof(name), "memrig trace %s", t->name);
	argv[0] = name;
	trace_select_init(&a->select);
	a->needs_output = t->needs_output;
	a->max_inputs = t->max_inputs;
	status = argp_parse(&argp, argc, argv, 0, NULL, a) ? EXIT_USAGE : t->run(a);
	free(a);
	return status;
}

int cmd_trace(int argc, char **argv)
{
	const char *names[ARRAY_SIZE(tools)], *near;

	if (argc < 2) {
		help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-?") || !strcmp(argv[1], "-h")) {
		help(stdout);
		return EXIT_DONE;
	}
	for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
		if (!strcmp(argv[1], tools[i].name))
			return run(&tools[i], argc - 1, argv + 1);
		names[i] = tools[i].name;
	}
	near = config_nearest(argv[1], names, ARRAY_SIZE(tools));
	if (near)
		return cmd_error("unknown tool '%s', did you mean '%s'?", argv[1], near);
	return cmd_error("unknown tool '%s'; 'memrig trace --help' lists all", argv[1]);
}
