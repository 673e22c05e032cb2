/* SPDX-License-Identifier: BSD-2-Clause */
#include "traces/tools.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bug.h"
#include "traces/grammar.h"
#include "traces/map64.h"
#include "traces/tasks.h"

struct anonymiser {
	struct map64 names; /* string id -> number */
	struct map64 pids;  /* pid or tid -> number */
};

int trace_copy_init(struct trace_copy *c, struct trace_reader *r, struct trace_writer *w)
{
	struct grammar *g = malloc(sizeof(*g));

	*c = (struct trace_copy){.r = r, .w = w};
	c->kinds = calloc(NR_OP_CODES, OP_MAX_KEYS * 2);
	if (!g || !c->kinds) {
		free(g);
		return -ENOMEM;
	}
	BUG_ON(grammar_init(g));
	for (unsigned code = 0; code < NR_OP_CODES; code++)
		for (unsigned k = 0; k < g->shape[code].nr_keys; k++) {
			c->kinds[(code * OP_MAX_KEYS + k) * 2] = g->shape[code].keys[k].kind;
			c->kinds[(code * OP_MAX_KEYS + k) * 2 + 1] = g->shape[code].keys[k].field;
		}
	free(g);
	return 0;
}

void trace_copy_free(struct trace_copy *c)
{
	free(c->task);
	free(c->kinds);
	c->task = NULL;
	c->kinds = NULL;
}

/* Next free number for @key, remembered. */
static u32 number_of(struct map64 *m, u64 key)
{
	u32 n = map64_get(m, key);

	if (n != MAP64_NONE)
		return n;
	n = m->nr + 1;
	return map64_set(m, key, n) ? 0 : n;
}

static u32 copy_task(struct trace_copy *c, u32 task)
{
	u32 pid = 0, tid = 0, to;

	if (task >= c->nr_task) {
		u32 n = trace_nr_tasks(c->r);
		u32 *more = realloc(c->task, n * sizeof(*more));

		if (!more)
			return 0;
		memset(more + c->nr_task, 0, (n - c->nr_task) * sizeof(*more));
		c->task = more;
		c->nr_task = n;
	}
	if (c->task[task])
		return c->task[task] - 1;
	trace_task_ids(c->r, task, &pid, &tid);
	if (pid && c->anonymiser) {
		pid = number_of(&c->anonymiser->pids, pid);
		tid = number_of(&c->anonymiser->pids, tid);
	}
	to = pid ? trace_writer_task(c->w, pid + c->pid_offset, tid + c->pid_offset) : 0;
	c->task[task] = to + 1;
	return to;
}

static u64 copy_string(struct trace_copy *c, u64 id, bool name)
{
	struct op_strings s = trace_reader_strings(c->r);
	char text[32];

	if (!name || !c->anonymiser || !id)
		return trace_writer_string(c->w, s.get(s.self, id));
	snprintf(text, sizeof(text), "name%u", number_of(&c->anonymiser->names, id));
	return trace_writer_string(c->w, text);
}

/* Names of programs and files; not those of tunables, threads and kinds. */
static bool is_name(u8 code, u8 field)
{
	return (code == OP_SPAWN || code == OP_EXEC || code == OP_FILE) && field == KF_X0;
}

int trace_copy_op(struct trace_copy *c, const struct mm_op *op, u64 ts)
{
	struct mm_op out[2] = {*op};
	struct mm_op_ext *ext = (struct mm_op_ext *)(void *)&out[1];
	bool has_ext = op->flags & MM_OP_HAS_EXT;
	const u8 *kinds = c->kinds + (size_t)op->code * OP_MAX_KEYS * 2;

	if (has_ext)
		out[1] = op[1];
	for (unsigned k = 0; k < OP_MAX_KEYS; k++) {
		u8 kind = kinds[2 * k], field = kinds[2 * k + 1];
		u64 v = grammar_get(out, ext, (enum key_field)field);

		if (kind == KK_STR)
			v = copy_string(c, v, is_name(op->code, field));
		else if (kind == KK_NAME && v & MM_NAME_STR)
			v = copy_string(c, v & ~MM_NAME_STR, false) | MM_NAME_STR;
		else if (kind == KK_TASK)
			v = copy_task(c, (u32)v);
		else
			continue;
		grammar_set(out, ext, (enum key_field)field, v);
	}
	if (has_ext && ext->has & MM_EXT_RESULT_STR)
		ext->result = copy_string(c, ext->result, false);
	out[0].task = copy_task(c, op->task);
	out[0].ts = ts;
	return trace_writer_put(c->w, out, 1u + has_ext);
}

void trace_select_init(struct trace_select *s)
{
	memset(s, 0, sizeof(*s));
	s->to = ~0ull;
	s->cpus = ~0ull;
	memset(s->codes, true, sizeof(s->codes));
}

static bool shapes_memory(u8 code)
{
	enum mm_op_group g = op_group(code);

	return g == OPG_TASK || g == OPG_MAPPING || g == OPG_HEAP || code == OP_FILE ||
	       code == OP_SWAPON || code == OP_SYSCTL;
}

static bool selected(const struct trace_select *s, const struct trace_reader *r,
		     const struct mm_op *op)
{
	u32 pid = 0, tid;

	if (!s->codes[op->code] || !(s->cpus >> (op->cpu > 63 ? 63 : op->cpu) & 1))
		return false;
	if (op->ts < s->from && !shapes_memory(op->code))
		return false;
	if (!s->nr_pids)
		return true;
	trace_task_ids(r, op->task, &pid, &tid);
	for (unsigned i = 0; i < s->nr_pids; i++)
		if (s->pids[i] == pid)
			return true;
	return !pid;
}

static int copy_selected(struct trace_copy *c, const struct trace_select *s, u64 *events)
{
	const struct mm_op *ops;
	ssize_t n;

	while ((n = trace_next(c->r, &ops)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			const struct mm_op *op = &ops[i];
			int err;

			i += !!(op->flags & MM_OP_HAS_EXT);
			if (op->code == OP_TASK || !selected(s, c->r, op))
				continue;
			if (op->ts >= s->to || (s->first && *events >= s->first))
				return 0;
			err = trace_copy_op(c, op, op->ts > s->from ? op->ts - s->from : 0);
			if (err)
				return err;
			++*events;
		}
	}
	return (int)n;
}

static void hide_info(struct trace_writer *w)
{
	static const char *const hidden[] = {"command", "source", "start", "host", "notes"};
	struct trace_info *info = trace_writer_info(w);

	for (size_t i = 0; i < ARRAY_SIZE(hidden); i++)
		if (*trace_info_get(info, hidden[i]))
			trace_info_set(info, hidden[i], "anonymous");
}

/* Closes or gives up; @err says the first thing that went wrong. */
static int finish(struct trace_writer *w, struct trace_reader *r, int e, char *err, size_t errlen)
{
	if (r && *trace_reader_error(r)) {
		snprintf(err, errlen, "%s", trace_reader_error(r));
		trace_writer_abort(w);
		return -EINVAL;
	}
	if (e == -EINVAL) {
		snprintf(err, errlen, "an operation that cannot be written");
		trace_writer_abort(w);
		return e;
	}
	return trace_writer_close(w, err, errlen);
}

int trace_copy_selected(struct trace_reader *r, const char *path, int flags,
			const struct trace_select *s, u64 *events, char *err, size_t errlen)
{
	struct trace_info info = {0};
	struct anonymiser a = {0};
	struct trace_writer *w;
	struct trace_copy c;
	int e = trace_info_copy(&info, trace_reader_info(r));

	*events = 0;
	if (e) {
		snprintf(err, errlen, "no memory");
		return e;
	}
	w = trace_writer_open(path, &info, flags, err, errlen);
	trace_info_free(&info);
	if (!w)
		return -EIO;
	if (s->anonymous)
		hide_info(w);
	e = trace_copy_init(&c, r, w);
	if (s->anonymous)
		c.anonymiser = &a;
	if (!e)
		e = copy_selected(&c, s, events);
	trace_copy_free(&c);
	map64_free(&a.names);
	map64_free(&a.pids);
	return finish(w, r, e, err, errlen);
}

/* Merging: the next operation of each trace; the earliest goes first, of equals the first trace's.
 */
struct source {
	struct trace_copy copy;
	const struct mm_op *ops;
	ssize_t n, at;
};

static const struct mm_op *peek(struct source *s)
{
	for (;;) {
		if (s->at >= s->n) {
			s->n = trace_next(s->copy.r, &s->ops);
			s->at = 0;
			if (s->n <= 0)
				return NULL;
		}
		if (s->ops[s->at].code != OP_TASK)
			return &s->ops[s->at];
		s->at++;
	}
}

/* Highest pid or tid of a trace; it is read once for this. */
static int highest_id(struct trace_reader *r, u32 *highest)
{
	const struct mm_op *ops;
	ssize_t n;
	u32 pid, tid;

	while ((n = trace_next(r, &ops)) > 0)
		;
	if (n < 0)
		return (int)n;
	*highest = 0;
	for (u32 i = 0; !trace_task_ids(r, i, &pid, &tid); i++) {
		*highest = pid > *highest ? pid : *highest;
		*highest = tid > *highest ? tid : *highest;
	}
	return trace_rewind(r);
}

static int merge(struct source *s, unsigned n, u64 *events)
{
	for (;;) {
		struct source *least = NULL;
		const struct mm_op *first = NULL;
		int err;

		for (unsigned i = 0; i < n; i++) {
			const struct mm_op *op = peek(&s[i]);

			if (!op && s[i].n < 0)
				return (int)s[i].n;
			if (op && (!first || op->ts < first->ts)) {
				first = op;
				least = &s[i];
			}
		}
		if (!least)
			return 0;
		err = trace_copy_op(&least->copy, first, first->ts);
		if (err)
			return err;
		least->at += first->flags & MM_OP_HAS_EXT ? 2 : 1;
		++*events;
	}
}

static int merge_into(struct trace_writer *w, struct trace_reader **r, struct source *s, unsigned n,
		      bool same_machine, u64 *events)
{
	u32 offset = 0, highest = 0;
	int err = 0;

	for (unsigned i = 0; i < n && !err; i++) {
		err = trace_copy_init(&s[i].copy, r[i], w);
		s[i].copy.pid_offset = offset;
		if (err || same_machine)
			continue;
		err = highest_id(r[i], &highest);
		if (highest > TASK_MAX_ID - offset)
			return -E2BIG;
		offset += (highest + 1000) / 1000 * 1000;
	}
	return err ? err : merge(s, n, events);
}

int trace_merge(struct trace_reader **r, unsigned n, const char *path, int flags, bool same_machine,
		u64 *events, char *err, size_t errlen)
{
	struct source *s = calloc(n, sizeof(*s));
	struct trace_info info = {0};
	struct trace_reader *broken = NULL;
	struct trace_writer *w;
	int e = s ? trace_info_copy(&info, trace_reader_info(r[0])) : -ENOMEM;

	*events = 0;
	if (e) {
		snprintf(err, errlen, "no memory");
		free(s);
		return e;
	}
	for (unsigned i = 1; i < n; i++)
		info.lost += trace_reader_info(r[i])->lost;
	w = trace_writer_open(path, &info, flags, err, errlen);
	trace_info_free(&info);
	if (w)
		e = merge_into(w, r, s, n, same_machine, events);
	for (unsigned i = 0; i < n; i++) {
		if (*trace_reader_error(r[i]))
			broken = r[i];
		trace_copy_free(&s[i].copy);
	}
	free(s);
	return w ? finish(w, broken, e, err, errlen) : -EIO;
}
