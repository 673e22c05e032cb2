/* SPDX-License-Identifier: BSD-2-Clause */
/* memrig record: captures live programs into a trace. The work is done in traces/record. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/cmd.h"
#include "traces/record/recorder.h"
#include "traces/writer.h"

#define MAX_PIDS 1024

enum { OPT_CGROUP = 256, OPT_MALLOC, OPT_MALLOC_ONLY, OPT_BUFFER, OPT_RAW, OPT_TEXT, OPT_LEVEL, OPT_KMEM,
       OPT_PRINTS };

static const struct argp_option options[] = {
	{"output", 'o', "FILE", 0, "The trace to write (- with --text: standard output)", 0},
	{"pid", 'p', "PID", 0,
	 "Record a running process, its mappings first; may be repeated. Ends with the last of "
	 "them",
	 0},
	{"cgroup", OPT_CGROUP, "PATH", 0,
	 "Record all processes of a folder of the unified hierarchy", 0},
	{"all", 'a', NULL, 0, "Record all processes", 0},
	{"kmem", OPT_KMEM, NULL, 0,
	 "With -a: record what the kernel allocates (pages, kmalloc, slab objects) instead of what processes do",
	 0},
	{"malloc", OPT_MALLOC, NULL, 0, "Also record the command's malloc family (LD_PRELOAD)", 0},
	{"malloc-only", OPT_MALLOC_ONLY, NULL, 0,
	 "Record only the malloc family: needs no privilege", 0},
	{"fingerprints", OPT_PRINTS, "SECONDS", OPTION_ARG_OPTIONAL,
	 "Hash every page of private anonymous memory at intervals (1); changed ones become fill operations",
	 0},
	{"buffer", OPT_BUFFER, "MIB", 0, "Ring of each CPU (8)", 0},
	{"level", OPT_LEVEL, "N", 0, "zstd level 1..19 of the trace (3)", 0},
	{"raw", OPT_RAW, NULL, 0, "Uncompressed records: larger, replayed without decoding", 0},
	{"text", OPT_TEXT, NULL, 0, "Write the text form", 0},
	{"quiet", 'q', NULL, 0, "Say nothing unless something was lost", 0},
	{0},
};

struct args {
	struct rec_options opt;
	pid_t pids[MAX_PIDS];
	bool quiet;
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static unsigned long number(struct argp_state *state, const char *what, const char *arg,
			    unsigned long max)
{
	char *end;
	unsigned long v = strtoul(arg, &end, 10);

	if (*end || end == arg || !v || v > max)
		argp_failure(state, EXIT_USAGE, 0, "%s: '%s': expected a number from 1 to %lu",
			     what, arg, max);
	return v;
}

/* Seconds, perhaps with a fraction, in nanoseconds. */
static u64 seconds(struct argp_state *state, const char *arg)
{
	char *end;
	double v = arg ? strtod(arg, &end) : 1;

	if (arg && (*end || end == arg || !(v >= 0.001 && v <= 86400)))
		argp_failure(state, EXIT_USAGE, 0,
			     "--fingerprints: '%s': expected seconds from 0.001 to 86400", arg);
	return (u64)(v * 1e9);
}

static void check(struct argp_state *state, const struct rec_options *o)
{
	unsigned ways = (o->nr_pids > 0) + (o->cgroup != NULL) + o->all;

	if (!o->output)
		argp_failure(state, EXIT_USAGE, 0, "expected -o FILE");
	if (ways > 1)
		argp_failure(state, EXIT_USAGE, 0, "-p, --cgroup and --all exclude each other");
	if (!ways && !o->argv)
		argp_failure(state, EXIT_USAGE, 0,
			     "expected -- CMD ARGS..., -p PID, --cgroup PATH or --all");
	if (o->nr_pids && o->argv)
		argp_failure(state, EXIT_USAGE, 0, "-p and a command exclude each other");
	if (o->heap && !o->argv)
		argp_failure(state, EXIT_USAGE, 0,
			     "--malloc records a command: expected -- CMD ARGS...");
	if (o->kmem && (!o->all || o->heap))
		argp_failure(state, EXIT_USAGE, 0,
			     "--kmem records the whole kernel and nothing else: expected -a --kmem");
	if (o->heap_only && o->fingerprint_ns)
		argp_failure(state, EXIT_USAGE, 0,
			     "--fingerprints and --malloc-only exclude each other");
	if (o->heap_only && ways)
		argp_failure(state, EXIT_USAGE, 0,
			     "--malloc-only records a command and nothing else");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;
	struct rec_options *o = &a->opt;

	switch (key) {
	case 'o':
		o->output = arg;
		return 0;
	case 'p':
		if (o->nr_pids == MAX_PIDS)
			argp_failure(state, EXIT_USAGE, 0, "more than %d processes", MAX_PIDS);
		a->pids[o->nr_pids++] = (pid_t)number(state, "-p", arg, 1ul << 30);
		return 0;
	case OPT_CGROUP:
		o->cgroup = arg;
		return 0;
	case 'a':
		o->all = true;
		return 0;
	case OPT_KMEM:
		o->kmem = true;
		return 0;
	case OPT_MALLOC_ONLY:
		o->heap_only = true; /* fall through */
	case OPT_MALLOC:
		o->heap = true;
		return 0;
	case OPT_BUFFER:
		o->ring_mib = (u32)number(state, "--buffer", arg, 1024);
		return 0;
	case OPT_PRINTS:
		o->fingerprint_ns = seconds(state, arg);
		return 0;
	case OPT_LEVEL:
		o->write_flags |= (int)number(state, "--level", arg, 19);
		return 0;
	case OPT_RAW:
		o->write_flags |= TRACE_WRITE_RAW;
		return 0;
	case OPT_TEXT:
		o->write_flags |= TRACE_WRITE_TEXT;
		return 0;
	case 'q':
		a->quiet = true;
		return 0;
	case ARGP_KEY_ARG: /* the first word that is no option begins the command */
		o->argv = state->argv + state->next - 1;
		state->next = state->argc;
		return 0;
	case ARGP_KEY_END:
		check(state, o);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "-o FILE [-- CMD ARGS...]",
	.doc = "Captures a live program: mapping calls with their results, page faults, forks, "
	       "programs "
	       "executed, exits, and with --malloc every call of the malloc family."
	       "\vNeeds root (or CAP_BPF and CAP_PERFMON) and Linux 6.7; --malloc-only needs "
	       "neither. Children "
	       "are followed. Interrupting the recorder ends the trace, not the program. What did "
	       "not fit into "
	       "the rings is counted in the trace; what every probe costs stands in its header. "
	       "Faults show "
	       "first touches only. The exit status is 0 whatever the program's was.",
};

static void watch_signals(void)
{
	const struct sigaction sa = {.sa_handler = on_signal}; /* no SA_RESTART: naps end */
	const struct sigaction ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

static void report(const struct args *a, const struct rec_summary *s)
{
	double per = s->events ? (double)s->bytes / (double)s->events : 0;

	if (s->status >= 0 && WIFSIGNALED(s->status))
		fprintf(stderr, "memrig record: the program ended with signal %d\n",
			WTERMSIG(s->status));
	else if (s->status >= 0 && WEXITSTATUS(s->status))
		fprintf(stderr, "memrig record: the program ended with status %d\n",
			WEXITSTATUS(s->status));
	else if (s->pid && s->status < 0)
		fprintf(stderr, "memrig record: detached, process %u goes on\n", s->pid);
	if (a->opt.heap && !s->programs)
		fprintf(stderr,
			"memrig record: no program took the preload library (statically linked, or "
			"set-user-id): no malloc events\n");
	if (s->lost)
		fprintf(stderr, "memrig record: %llu events lost; a larger --buffer may help\n",
			(unsigned long long)s->lost);
	if (!a->quiet && a->opt.fingerprint_ns)
		fprintf(stderr, "memrig record: %llu pages hashed, %llu of them changed\n",
			(unsigned long long)s->pages_seen, (unsigned long long)s->pages_changed);
	if (!a->quiet)
		fprintf(stderr,
			"memrig record: %s: %llu events in %.2f s, %llu bytes (%.2f an event)\n",
			a->opt.output, (unsigned long long)s->events, (double)s->nanoseconds / 1e9,
			(unsigned long long)s->bytes, per);
}

int cmd_record(int argc, char **argv)
{
	static struct args a;
	struct rec_summary summary;
	char err[1024];
	int r;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &a);
	a.opt.pids = a.pids;
	a.opt.stop = &stop;
	watch_signals();
	r = rec_run(&a.opt, &summary, err, sizeof(err));
	if (r == -EPERM && !a.opt.heap_only)
		return cmd_error("%s; 'memrig record --malloc-only -o FILE -- CMD' records the "
				 "malloc family "
				 "without privilege",
				 err);
	if (r)
		return cmd_error("%s", err);
	report(&a, &summary);
	return EXIT_DONE;
}
