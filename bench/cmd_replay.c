/* SPDX-License-Identifier: BSD-2-Clause */
/* memrig replay T: one trace on a fresh machine, or on several at once. */
#include <stdlib.h>

#include "bench/cmd.h"
#include "bench/drive.h"
#include "bench/trace_source.h"

struct replay_args {
	struct drive drive;
	const char *trace;
};

enum { OPT_PLACE = 256 };

static const struct argp_option options[] = {
	{"place", OPT_PLACE, "trace|own", 0, "Addresses as recorded, or chosen by the model", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct replay_args *a = state->input;
	char err[256];

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->drive;
		return 0;
	case ARGP_KEY_ARG:
		if (a->trace)
			argp_failure(state, EXIT_USAGE, 0, "one trace at a time; '%s' is too many", arg);
		a->trace = arg;
		return 0;
	case ARGP_KEY_END:
		if (!a->trace)
			argp_failure(state, EXIT_USAGE, 0, "which trace?");
		return 0;
	case OPT_PLACE:
		if (config_set(&a->drive.machine.config, "place", arg, err, sizeof(err)))
			argp_failure(state, EXIT_USAGE, 0, "%s", err);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int open_trace(void *self, struct drive_stream *s, char *err, size_t n)
{
	const struct replay_args *a = self;

	*s = (struct drive_stream){.name = a->trace, .title = a->trace, .reader = trace_open(a->trace, 0, err, n)};
	if (!s->reader)
		return -1;
	s->src = trace_source(s->reader);
	return 0;
}

static void close_trace(void *self, struct drive_stream *s)
{
	(void)self;
	trace_close(s->reader);
}

static int single(struct replay_args *a)
{
	struct drive_stream s;
	char err[512];
	int rc;

	if (drive_config(&a->drive))
		return EXIT_USAGE;
	if (a->drive.machine.config.heap != HEAP_MODEL)
		return drive_on_host(&a->drive, a->trace);
	if (drive_size(&a->drive, open_trace, close_trace, a))
		return EXIT_USAGE;
	if (open_trace(a, &s, err, sizeof(err)))
		return cmd_error("replay: %s", err);
	rc = drive_one(&a->drive, &s);
	close_trace(a, &s);
	return rc;
}

int cmd_replay(int argc, char **argv)
{
	static const struct argp_child children[] = DRIVE_ARGP;
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.args_doc = "TRACE",
		.children = children,
		.doc = "Replays a trace (.mrt or text) on a fresh machine, or what if: with lists of values "
		       "(--set mem=64M,128M,256M --set workingset=0,1) on every combination of them, all in one pass "
		       "over the trace on all CPUs, with a table of their misses.\v" VARIANTS_HELP "Exit status: 0 "
		       "done; 1 with --check: a result differed or an invariant is broken; 2 unusable input.",
	};
	struct replay_args *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return cmd_error("replay: out of memory");
	drive_init(&a->drive, "replay");
	argp_parse(&argp, argc, argv, 0, NULL, a);
	a->drive.sweep.trace = a->trace;
	rc = drive_is_many(&a->drive) ? drive_many(&a->drive) : single(a);
	free(a);
	return rc;
}
