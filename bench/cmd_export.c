/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memrig export pgtables T: replays a trace and writes the page tables of one task, and the kernel's,
 * as a case for an ARM MMU (traces/export_pgtables.h).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/machine_args.h"
#include "bench/manifest.h"
#include "core/machine.h"
#include "traces/export_pgtables.h"
#include "traces/reader.h"

struct export_args {
	struct machine_args machine;
	const char *what, *trace, *dir, *mark;
	u64 task, probes, seed; /* task: a pid; 0: the busiest */
	bool quiet;
};

enum { OPT_TASK = 256, OPT_AT, OPT_PROBES, OPT_SEED };

static const struct argp_option options[] = {
	{"output", 'o', "DIR", 0, "Folder of the case: tables.bin, regs.txt, probes.txt, expected.txt", 0},
	{"task", OPT_TASK, "PID", 0, "Whose tables (default: the busiest process of the trace)", 0},
	{"at", OPT_AT, "MARK", 0, "State at this mark (default: before the task's last exit, or at the end)", 0},
	{"probes", OPT_PROBES, "N", 0, "Accesses to ask about (default 5000)", 0},
	{"seed", OPT_SEED, "N", 0, "Of the choice of probes (default 1)", 0},
	{"quiet", 'q', 0, 0, "No summary", 0},
	{0},
};

static void positional(struct export_args *a, char *arg, struct argp_state *state)
{
	if (!a->what) {
		if (strcmp(arg, "pgtables"))
			argp_failure(state, 2, 0, "'%s': only pgtables can be exported", arg);
		a->what = arg;
	} else if (!a->trace) {
		a->trace = arg;
	} else {
		argp_failure(state, 2, 0, "one trace at a time; '%s' is too many", arg);
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct export_args *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->machine;
		return 0;
	case ARGP_KEY_ARG:
		positional(a, arg, state);
		return 0;
	case ARGP_KEY_END:
		if (!a->what || !a->trace)
			argp_failure(state, 2, 0, "usage: memrig export pgtables TRACE -o DIR");
		if (!a->dir)
			argp_failure(state, 2, 0, "where to? -o DIR");
		if (!a->probes || a->probes > 10000000)
			argp_failure(state, 2, 0, "--probes: 1 to 10000000");
		return 0;
	case 'o':
		a->dir = arg;
		return 0;
	case 'q':
		a->quiet = true;
		return 0;
	case OPT_TASK:
		a->task = parse_number("task", arg, state);
		return 0;
	case OPT_AT:
		a->mark = arg;
		return 0;
	case OPT_PROBES:
		a->probes = parse_number("probes", arg, state);
		return 0;
	case OPT_SEED:
		a->seed = parse_number("seed", arg, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The stretch of a batch up to the state wanted. */
struct stop {
	const struct export_args *a;
	struct trace_reader *r;
	u32 pid;       /* of the task wanted; 0: not seen yet */
	u64 exits_left; /* of its leader: the last one ends the replay */
	bool reached;
};

static u32 pid_of(struct trace_reader *r, u32 task)
{
	u32 pid, tid;

	return trace_task_ids(r, task, &pid, &tid) ? 0 : pid;
}

static bool is_leader(struct trace_reader *r, u32 task)
{
	u32 pid, tid;

	return !trace_task_ids(r, task, &pid, &tid) && pid == tid;
}

/* What the first pass counts, by task index. */
struct census {
	u64 *events, *exits;
	u32 nr;
};

static int census_grow(struct census *c, u32 task)
{
	u32 nr = c->nr ? c->nr : 64;
	u64 *events, *exits;

	while (nr <= task)
		nr *= 2;
	events = realloc(c->events, nr * sizeof(u64));
	c->events = events ? events : c->events;
	exits = realloc(c->exits, nr * sizeof(u64));
	c->exits = exits ? exits : c->exits;
	if (!events || !exits)
		return -ENOMEM;
	memset(events + c->nr, 0, (nr - c->nr) * sizeof(u64));
	memset(exits + c->nr, 0, (nr - c->nr) * sizeof(u64));
	c->nr = nr;
	return 0;
}

static int census_take(struct census *c, struct trace_reader *r)
{
	const struct mm_op *ops;
	ssize_t n;

	while ((n = trace_next(r, &ops)) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (ops[i].code == OP_EXT)
				continue;
			if (ops[i].task >= c->nr && census_grow(c, ops[i].task))
				return -ENOMEM;
			c->events[ops[i].task]++;
			c->exits[ops[i].task] += ops[i].code == OP_EXIT;
		}
	return (int)n;
}

/* Finds the busiest process if none was named, and how often the one wanted exits. */
static int first_pass(struct stop *s)
{
	struct census c = {0};
	u64 most = 0;
	int r = census_take(&c, s->r);

	s->pid = (u32)s->a->task;
	for (u32 i = 1; i < c.nr && !s->a->task; i++)
		if (c.events[i] > most) {
			most = c.events[i];
			s->pid = pid_of(s->r, i);
		}
	for (u32 i = 1; i < c.nr; i++)
		if (c.exits[i] && pid_of(s->r, i) == s->pid && is_leader(s->r, i))
			s->exits_left += c.exits[i];
	free(c.events);
	free(c.exits);
	return r ? r : trace_rewind(s->r);
}

static bool stops_here(struct stop *s, const struct mm_op *op)
{
	const struct mm_op_ext *ext = mm_op_ext(op);
	struct op_strings strings = trace_reader_strings(s->r);

	if (s->a->mark)
		return op->code == OP_MARK && ext && !strcmp(strings.get(strings.self, ext->x0), s->a->mark);
	return op->code == OP_EXIT && pid_of(s->r, op->task) == s->pid && is_leader(s->r, op->task) &&
	       !--s->exits_left;
}

/* Replays up to the state wanted. 0, or 2 with a message. */
static int replay(struct machine *m, struct stop *s)
{
	struct op_strings strings = trace_reader_strings(s->r);
	const struct mm_op *ops;
	ssize_t n = 0, end;

	while (!s->reached && (n = trace_next(s->r, &ops)) > 0) {
		for (end = 0; end < n && !s->reached; end++)
			if (ops[end].code != OP_EXT && stops_here(s, &ops[end])) {
				s->reached = true;
				break;
			}
		machine_apply(m, ops, (size_t)end, &strings, NULL);
	}
	if (n < 0)
		return cmd_error("export: %s", trace_reader_error(s->r));
	if (!s->reached && s->a->mark)
		return cmd_error("export: %s: no mark '%s'", s->a->trace, s->a->mark);
	return 0;
}

static int write_case(struct machine *m, const struct stop *s)
{
	const struct export_args *a = s->a;
	struct pt_mem mem;
	struct pt_mmu mmu;
	struct pt_case c = {.mem = &mem, .nr = a->probes, .seed = a->seed};
	struct pt_export_stats st;
	char err[4200];
	int geom;

	if (machine_mmu(m, s->pid, &geom, &mem, &mmu))
		return cmd_error("export: %s: no address space of task %u then", a->trace, s->pid);
	c.geom = (enum pt_geom)geom;
	c.mmu = mmu;
	if (make_dirs(a->dir))
		return cmd_error("export: %s: %s", a->dir, strerror(errno));
	if (pt_export_case(a->dir, &c, &st, err, sizeof(err)))
		return cmd_error("export: %s", err);
	if (!a->quiet)
		printf("%s: task %u on %s: %" PRIu64 " KiB of tables in %" PRIu64 " pieces, %" PRIu64
		       " probes, %" PRIu64 " of them translated\n", a->dir, s->pid, pt_geometries[geom].name,
		       st.bytes >> 10, st.loads, st.probes, st.translated);
	return 0;
}

int cmd_export(int argc, char **argv)
{
	static const struct argp_child children[] = MACHINE_ARGP;
	static const struct argp argp = {
		.options = options, .parser = parse, .args_doc = "pgtables TRACE", .children = children,
		.doc = "Replays a trace and writes the task's and the kernel's page tables as a case for an ARM "
		       "MMU, probes and expected answers included.",
	};
	struct export_args a = {.probes = 5000, .seed = 1};
	struct stop s = {.a = &a};
	struct machine *m;
	char err[512];
	int rc;

	machine_args_init(&a.machine, NULL);
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (machine_args_finish(&a.machine))
		return 2;
	s.r = trace_open(a.trace, 0, err, sizeof(err));
	if (!s.r)
		return cmd_error("export: %s", err);
	rc = first_pass(&s);
	m = rc ? NULL : machine_create(&a.machine.config, err, sizeof(err));
	if (rc)
		rc = cmd_error("export: %s", rc == -ESPIPE ? "the trace is read twice: give it as a file" :
			      rc == -ENOMEM ? "out of memory" : trace_reader_error(s.r));
	else if (!m)
		rc = cmd_error("export: %s", err);
	else
		rc = replay(m, &s);
	if (!rc)
		rc = write_case(m, &s);
	machine_destroy(m);
	trace_close(s.r);
	return rc;
}
