/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line is split into words (quoted strings are undone in place, in a copy), the first four are
 * time, CPU, task and operation, the rest key=value, and behind a lone `=` the result.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/limits.h"
#include "traces/text.h"

#define MAX_WORDS (6 + 2 * OP_MAX_KEYS)

struct word {
	char *text;
	size_t len, key; /* key: bytes before the first '=' outside quotes; len if there is none */
};

struct line {
	struct text_parser *p;
	struct word word[MAX_WORDS];
	unsigned nr;
	char *err;
	size_t errlen;
};

static int MM_PRINTF(2, 3) bad(struct line *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->err, l->errlen, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int unescape(const char **at, const char *end)
{
	unsigned v = 0;

	switch (*(*at)++) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case '"':
		return '"';
	case '\\':
		return '\\';
	case 'x':
		for (int i = 0; i < 2; i++) {
			char c = *at < end ? *(*at)++ : 0;

			if (c >= '0' && c <= '9')
				v = v * 16 + (unsigned)(c - '0');
			else if ((c | 32) >= 'a' && (c | 32) <= 'f')
				v = v * 16 + (unsigned)((c | 32) - 'a' + 10);
			else
				return -1;
		}
		return v ? (int)v : -1;
	}
	return -1;
}

/* One word from *@at on, written to *@to (never longer than what was read). */
static int split_word(struct line *l, const char **at, const char *end, char **to)
{
	struct word *w = &l->word[l->nr];
	bool quoted = false, has_key = false;

	if (l->nr == MAX_WORDS)
		return bad(l, "more words than any operation has");
	w->text = *to;
	for (; *at < end && (quoted || (**at != ' ' && **at != '\t'));) {
		int c = (unsigned char)*(*at)++;

		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && c == '\\') {
			c = *at < end ? unescape(at, end) : -1;
			if (c < 0)
				return bad(l, "a bad escape in quotes: expected \\\" \\\\ \\n \\t "
					      "or \\xHH");
		} else if (c == '=' && !quoted && !has_key) {
			has_key = true;
			w->key = (size_t)(*to - w->text);
		}
		*(*to)++ = (char)c;
	}
	if (quoted)
		return bad(l, "expected a closing quote");
	w->len = (size_t)(*to - w->text);
	if (!has_key)
		w->key = w->len;
	*(*to)++ = 0;
	l->nr++;
	return 0;
}

static int split(struct line *l, const char *at, const char *end, char *copy)
{
	for (;;) {
		int err;

		while (at < end && (*at == ' ' || *at == '\t'))
			at++;
		if (at == end || *at == '#')
			return 0;
		err = split_word(l, &at, end, &copy);
		if (err)
			return err;
	}
}

static int parse_time(struct line *l, u64 *ts)
{
	const struct word *w = &l->word[0];

	*ts = l->p->last_ts;
	if (w->len == 1 && *w->text == '-')
		return 0;
	if (*w->text == '-' || names_number(w->text, w->len, ts))
		return bad(l, "expected a time in nanoseconds or -, got '%.40s'", w->text);
	if (*ts < l->p->last_ts)
		return bad(l, "expected a time of at least %llu, got %.20s",
			   (unsigned long long)l->p->last_ts, w->text);
	return 0;
}

static int parse_cpu(struct line *l, u8 *cpu)
{
	const struct word *w = &l->word[1];
	u64 v;

	if (names_number(w->text, w->len, &v) || v > 255)
		return bad(l, "expected a CPU from 0 to 255, got '%.40s'", w->text);
	*cpu = (u8)v;
	return 0;
}

/* pid or pid.tid; a task not seen before is put into @out as OP_TASK. */
static int parse_task(struct line *l, const char *text, size_t len, struct text_line *out,
		      u64 *task)
{
	const char *dot = memchr(text, '.', len);
	size_t n = dot ? (size_t)(dot - text) : len;
	u64 pid, tid;
	bool is_new;
	int i;

	if (names_number(text, n, &pid) || pid > TASK_MAX_ID)
		return bad(l, "expected a task (pid or pid.tid), got '%.40s'", text);
	tid = pid;
	if (dot && (names_number(dot + 1, len - n - 1, &tid) || tid > TASK_MAX_ID || (!pid && tid)))
		return bad(l, "expected a task (pid or pid.tid), got '%.40s'", text);
	i = tasks_get(l->p->tasks, (u32)pid, (u32)tid, &is_new);
	if (i < 0)
		return bad(l, "more than %u tasks, or no memory", MM_MAX_TASKS);
	if (is_new)
		out->ops[out->nr++] =
			(struct mm_op){.code = OP_TASK, .task = (u32)i, .addr = pid, .len = tid};
	*task = (u64)i;
	return 0;
}

static const char *next_op(void *ctx)
{
	unsigned *code = ctx;

	while (++*code < NR_OP_CODES)
		if (op_known(*code))
			return op_name(*code);
	return NULL;
}

static int parse_op(struct line *l, u8 *code)
{
	const struct word *w = &l->word[3];
	unsigned from = 0, got = w->key == w->len ? op_by_name(w->text) : OP_NONE;
	const char *near;

	if (got == OP_NONE) {
		near = names_nearest(w->text, w->len, next_op, &from);
		return bad(l, "unknown operation '%.40s'%s%s%s", w->text,
			   near ? ": did you mean '" : "", near ? near : "", near ? "'?" : "");
	}
	*code = (u8)got;
	return 0;
}

struct key_walk {
	const struct op_shape *s;
	unsigned i;
};

static const char *next_key(void *ctx)
{
	struct key_walk *walk = ctx;

	return walk->i < walk->s->nr_keys ? walk->s->keys[walk->i++].name : NULL;
}

static int unknown_key(struct line *l, const struct op_shape *s, u8 code, const struct word *w)
{
	struct key_walk walk = {.s = s};
	const char *near = names_nearest(w->text, w->key, next_key, &walk);
	char keys[128] = "";
	size_t n = 0;

	if (near)
		return bad(l, "unknown key '%.*s' of %s: did you mean '%s'?",
			   (int)(w->key > 40 ? 40 : w->key), w->text, op_name(code), near);
	for (unsigned i = 0; i < s->nr_keys && n < sizeof(keys); i++)
		n += (size_t)snprintf(keys + n, sizeof(keys) - n, " %s", s->keys[i].name);
	return bad(l, "unknown key '%.*s' of %s: expected%s", (int)(w->key > 40 ? 40 : w->key),
		   w->text, op_name(code), n ? keys : " no key");
}

static int parse_string(struct line *l, const char *text, size_t len, u64 *value)
{
	if (len > TRACE_TEXT_STRING)
		return bad(l, "a string of more than %u bytes", TRACE_TEXT_STRING);
	*value = strtab_intern(l->p->strings, text, len);
	return *value || !len ? 0 : bad(l, "too many strings, or no memory");
}

static int parse_value(struct line *l, const struct op_key *k, const char *text, size_t len,
		       struct text_line *out, u64 *value)
{
	int err;

	switch (k->kind) {
	case KK_STR:
		return parse_string(l, text, len, value);
	case KK_TASK:
		return parse_task(l, text, len, out, value);
	case KK_NAME:
		if (!names_number(text, len, value) && !(*value & MM_NAME_STR))
			return 0;
		err = parse_string(l, text, len, value);
		*value |= MM_NAME_STR;
		return err;
	case KK_HEX:
	case KK_DEC:
	case KK_BYTES:
		err = names_number(text, len, value);
		break;
	default:
		err = names_parse((enum key_kind)k->kind, text, len, value);
	}
	return err ? bad(l, "%s=: expected %s, got '%.40s'", k->name,
			 names_expected((enum key_kind)k->kind), text)
		   : 0;
}

static int parse_key(struct line *l, const struct word *w, struct mm_op *op, struct mm_op_ext *ext,
		     u32 *seen, struct text_line *out)
{
	static const u16 bits[] = {
		MM_OP_HAS_ADDR, MM_OP_HAS_LEN, MM_OP_HAS_ARG, MM_EXT_X0, MM_EXT_X1, MM_EXT_X2, 0};
	const struct op_shape *s = &l->p->grammar.shape[op->code];
	u64 value;
	int err;

	for (unsigned i = 0; i < s->nr_keys; i++) {
		const struct op_key *k = &s->keys[i];

		if (strncmp(k->name, w->text, w->key) || k->name[w->key])
			continue;
		if (*seen & BIT(i))
			return bad(l, "key '%s' twice", k->name);
		*seen |= (u32)BIT(i);
		err = parse_value(l, k, w->text + w->key + 1, w->len - w->key - 1, out, &value);
		if (err)
			return err;
		if (k->field == KF_LOW && value > s->low_max)
			return bad(l, "%s=: expected %s", k->name,
				   names_expected((enum key_kind)k->kind));
		grammar_set(op, ext, (enum key_field)k->field, value);
		if (k->field >= KF_X0)
			ext->has |= bits[k->field];
		else
			op->flags |= bits[k->field];
		return 0;
	}
	return unknown_key(l, s, op->code, w);
}

static int set_result(struct mm_op *op, struct mm_op_ext *ext, unsigned res, u64 value, bool str)
{
	op->flags |= (u16)(res << MM_OP_RES_SHIFT);
	ext->result = value;
	ext->has |= str ? MM_EXT_RESULT_STR : 0;
	return 0;
}

static int parse_result(struct line *l, const struct word *w, struct mm_op *op,
			struct mm_op_ext *ext)
{
	static const struct {
		const char *name;
		enum mm_op_res res;
	} names[] = {{"none", RES_NONE},
		     {"minor", RES_MINOR},
		     {"major", RES_MAJOR},
		     {"SIGSEGV", RES_SIGSEGV},
		     {"SIGBUS", RES_SIGBUS}};
	u64 value;
	int err = w->len > 1 && *w->text == '-' ? names_errno(w->text + 1, w->len - 1) : 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(w->text, names[i].name))
			return set_result(op, ext, names[i].res, 0, false);
	if (err)
		return set_result(op, ext, RES_EXT, (u64)-err, false);
	if (!names_number(w->text, w->len, &value))
		return set_result(op, ext, RES_EXT, value, false);
	if (w->len && strpbrk(w->text, ",:")) {
		if (parse_string(l, w->text, w->len, &value))
			return -EINVAL;
		return set_result(op, ext, RES_EXT, value, true);
	}
	return bad(l,
		   "expected a result (a number, -ENAME, none, minor, major, SIGSEGV, SIGBUS or a "
		   "comma "
		   "list), got '%.40s'",
		   w->text);
}

static int missing_key(struct line *l, const struct op_shape *s, u8 code, u32 seen)
{
	for (unsigned i = 0; i < s->nr_keys; i++)
		if (!s->keys[i].optional && !(seen & BIT(i)))
			return bad(l, "%s: missing key '%s=' (%s)", op_name(code), s->keys[i].name,
				   names_expected((enum key_kind)s->keys[i].kind));
	return 0;
}

static int parse_words(struct line *l, struct mm_op *op, struct mm_op_ext *ext,
		       struct text_line *out)
{
	u32 seen = 0;

	for (unsigned i = 4; i < l->nr; i++) {
		const struct word *w = &l->word[i];
		int err;

		if (w->len == 1 && *w->text == '=') {
			if (i + 2 != l->nr)
				return bad(l, "expected one result behind '='");
			err = parse_result(l, &l->word[i + 1], op, ext);
			return err ? err
				   : missing_key(l, &l->p->grammar.shape[op->code], op->code, seen);
		}
		if (w->key == w->len || !w->key)
			return bad(l, "expected key=value, got '%.40s'", w->text);
		err = parse_key(l, w, op, ext, &seen, out);
		if (err)
			return err;
	}
	return missing_key(l, &l->p->grammar.shape[op->code], op->code, seen);
}

static int finish(struct line *l, struct mm_op *op, struct mm_op_ext *ext, struct text_line *out)
{
	bool has_ext = true;
	struct task_id self = l->p->tasks->id[op->task];
	u32 child = op->code == OP_FORK ? l->p->tasks->id[op->arg].pid : 0;

	if (grammar_canonical(&l->p->grammar, op, ext, &has_ext))
		return bad(l, "%s: a value out of range", op_name(op->code));
	if (slots_see(l->p->slots, self.pid, self.tid, child, op, ext))
		return bad(l, "no memory");
	for (unsigned i = 0; i < out->nr; i++)
		out->ops[i].ts = op->ts;
	out->ops[out->nr++] = *op;
	if (has_ext)
		memcpy(&out->ops[out->nr++], ext, sizeof(*ext));
	l->p->last_ts = op->ts;
	return 0;
}

static int parse_op_line(struct line *l, struct text_line *out)
{
	struct mm_op op = {0};
	struct mm_op_ext ext = {.code = OP_EXT};
	u64 task;
	int err;

	if (l->nr < 4)
		return bad(l, "expected TIME CPU TASK OP, got %u word%s", l->nr,
			   l->nr == 1 ? "" : "s");
	err = parse_time(l, &op.ts);
	if (!err)
		err = parse_cpu(l, &op.cpu);
	if (!err)
		err = parse_op(l, &op.code);
	if (!err)
		err = parse_task(l, l->word[2].text, l->word[2].len, out, &task);
	if (err)
		return err;
	op.task = (u32)task;
	err = parse_words(l, &op, &ext, out);
	return err ? err : finish(l, &op, &ext, out);
}

int text_parse_info(struct trace_info *info, const char *line, size_t len, char *err, size_t errlen)
{
	size_t key = 0, value;
	char *copy;
	int e;

	while (key < len && line[key] != ' ' && line[key] != '\t')
		key++;
	value = key;
	while (value < len && (line[value] == ' ' || line[value] == '\t'))
		value++;
	copy = malloc(len + 2);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, line, key);
	copy[key] = 0;
	memcpy(copy + key + 1, line + value, len - value);
	copy[key + 1 + len - value] = 0;
	e = trace_info_set(info, copy, copy + key + 1);
	if (e)
		snprintf(err, errlen, "@%.40s: %s", copy,
			 !strcmp(copy, "page_size") ? "expected a power of two from 512 to 1G"
			 : e == -E2BIG		    ? "too much header"
				       : "expected a key of [a-z0-9_.-] and its value");
	free(copy);
	return e;
}

static int parse_first(struct text_parser *p, const char *line, size_t len, char *err,
		       size_t errlen)
{
	static const char want[] = TEXT_FIRST " ";
	u64 version;

	p->seen_first = true;
	if (len < sizeof(want) || strncmp(line, want, sizeof(want) - 1) ||
	    names_number(line + sizeof(want) - 1, len - sizeof(want) + 1, &version)) {
		snprintf(err, errlen, "expected '" TEXT_FIRST " %d'", TEXT_VERSION);
		return -EINVAL;
	}
	if (version == TEXT_VERSION)
		return 0;
	snprintf(err, errlen, "expected version %d, got %llu", TEXT_VERSION,
		 (unsigned long long)version);
	return -EINVAL;
}

int text_parse_line(struct text_parser *p, const char *line, size_t len, struct text_line *out,
		    char *err, size_t errlen)
{
	struct line l = {.p = p, .err = err, .errlen = errlen};
	char small[512], *copy = small;
	int e;

	out->nr = 0;
	while (len && (line[len - 1] == '\r' || line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	if (memchr(line, 0, len)) {
		snprintf(err, errlen, "expected text, got a NUL byte");
		return -EINVAL;
	}
	if (!p->seen_first)
		return parse_first(p, line, len, err, errlen);
	while (len && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	if (!len || *line == '#')
		return 0;
	if (*line == '@')
		return text_parse_info(p->info, line + 1, len - 1, err, errlen);
	if (len + 2 * MAX_WORDS > sizeof(small)) {
		copy = malloc(len + 2 * MAX_WORDS);
		if (!copy)
			return -ENOMEM;
	}
	e = split(&l, line, line + len, copy);
	if (!e)
		e = parse_op_line(&l, out);
	if (copy != small)
		free(copy);
	return e;
}
