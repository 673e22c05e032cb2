/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two sources behind one interface: blocks of a binary trace (mrt.c, decoded ahead by ahead.c) and
 * lines of a text. Strings and tasks are entered here, in the caller's thread, when their batch is
 * reached.
 */
#include "traces/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/bug.h"
#include "core/base/limits.h"
#include "traces/ahead.h"
#include "traces/lines.h"
#include "traces/mrt.h"
#include "traces/text.h"

struct trace_reader {
	char *path;
	int fd;
	bool text, ended, ahead_ready;
	int err;
	char error[MRT_ERR], notice[MRT_ERR];
	struct trace_info info;
	struct strtab strings;
	struct task_table tasks;
	u32 nr_tasks_seen, nr_strings_seen; /* since the start or the last rewind */
	u64 hash, done, total;
	/* binary */
	struct mrt mrt;
	struct ahead ahead;
	const struct mrt_batch *batch;
	u32 pos;     /* in batch */
	u64 ordinal; /* of the first record of what trace_next() returned last, from 1 */
	u32 last_n;
	/* text */
	struct lines lines;
	struct text_parser parser;
	struct mm_op *ops;
	u64 *line_of; /* of each record of ops */
};

static int MM_PRINTF(3, 4) set_error(struct trace_reader *r, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->error, sizeof(r->error), fmt, ap);
	va_end(ap);
	r->err = err;
	return err;
}

static void parse_first_lines(struct trace_reader *r);

static int open_text(struct trace_reader *r)
{
	struct text_parser *p = &r->parser;

	r->text = true;
	r->ops = malloc(MM_MAX_OP_BATCH * sizeof(*r->ops));
	r->line_of = malloc(MM_MAX_OP_BATCH * sizeof(*r->line_of));
	p->slots = slots_create();
	if (!r->ops || !r->line_of || !p->slots)
		return set_error(r, -ENOMEM, "%s: no memory", r->path);
	BUG_ON(grammar_init(&p->grammar));
	p->strings = &r->strings;
	p->tasks = &r->tasks;
	p->info = &r->info;
	parse_first_lines(r);
	return r->err;
}

static int open_source(struct trace_reader *r, unsigned flags)
{
	const char *at;
	struct stat st;
	u64 magic = 0;
	int err;

	if (strcmp(r->path, "-"))
		r->fd = open(r->path, O_RDONLY | O_CLOEXEC);
	else
		r->fd = dup(STDIN_FILENO);
	if (r->fd < 0 || fstat(r->fd, &st))
		return set_error(r, -errno, "%s: cannot open: %s", r->path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return set_error(r, -EISDIR, "%s: expected a trace, got a directory", r->path);
	if (tasks_init(&r->tasks) || lines_init(&r->lines, r->fd))
		return set_error(r, -ENOMEM, "%s: no memory", r->path);
	r->total = S_ISREG(st.st_mode) ? (u64)st.st_size : 0;
	if (lines_peek(&r->lines, 8, &at) >= 8)
		memcpy(&magic, at, 8);
	if (magic != TRACE_MAGIC)
		return open_text(r);
	if (!S_ISREG(st.st_mode))
		return set_error(
			r, -ESPIPE,
			"%s: expected a file or text: binary traces are not read from pipes",
			r->path);
	lines_free(&r->lines);
	err = mrt_open(&r->mrt, r->path, r->fd, flags, r->error, sizeof(r->error));
	if (err)
		return r->err = err;
	err = mrt_read_info(&r->mrt, &r->info, r->error, sizeof(r->error));
	if (err)
		return r->err = err;
	ahead_init(&r->ahead, &r->mrt, flags & TRACE_READ_INLINE);
	r->ahead_ready = true;
	return 0;
}

struct trace_reader *trace_open(const char *path, unsigned flags, char *err, size_t errlen)
{
	struct trace_reader *r = calloc(1, sizeof(*r));

	if (r)
		r->path = strdup(path);
	if (!r || !r->path) {
		snprintf(err, errlen, "%s: no memory", path);
		free(r);
		return NULL;
	}
	r->fd = -1;
	r->nr_tasks_seen = 1;
	trace_info_init(&r->info);
	if (open_source(r, flags)) {
		snprintf(err, errlen, "%s", r->error);
		trace_close(r);
		return NULL;
	}
	return r;
}

void trace_close(struct trace_reader *r)
{
	if (!r)
		return;
	if (r->ahead_ready)
		ahead_destroy(&r->ahead);
	mrt_close(&r->mrt);
	lines_free(&r->lines);
	slots_destroy(r->parser.slots);
	trace_info_free(&r->info);
	strtab_free(&r->strings);
	tasks_free(&r->tasks);
	free(r->ops);
	free(r->line_of);
	if (r->fd >= 0)
		close(r->fd);
	free(r->path);
	free(r);
}

/* Binary. */

static int enter_strings(struct trace_reader *r, const struct mrt_batch *b)
{
	for (size_t i = 0; i < b->size;) {
		size_t n = strlen(b->text + i);

		if (!n)
			return set_error(r, -EINVAL, "%s: byte %zu: an empty string", r->path,
					 b->end);
		/* after a rewind the strings are already there */
		if (r->nr_strings_seen++ >= r->strings.nr &&
		    strtab_append(&r->strings, b->text + i, n))
			return set_error(r, -EINVAL,
					 "%s: byte %zu: too many or too long strings, or no memory",
					 r->path, b->end);
		i += n + 1;
	}
	return 0;
}

static int enter_tasks(struct trace_reader *r, const struct mrt_batch *b)
{
	u32 left = b->nr_new_tasks;

	for (u32 i = 0; i < b->nr && left; i++) {
		const struct mm_op *op = &b->ops[i];

		if (op->code == OP_TASK) {
			left--;
			if (r->nr_tasks_seen++ < r->tasks.nr)
				continue;
			if (tasks_append(&r->tasks, (u32)op->addr, (u32)op->len))
				return set_error(r, -ENOMEM, "%s: no memory for tasks", r->path);
		}
		i += !!(op->flags & MM_OP_HAS_EXT);
	}
	return 0;
}

/* The next batch with operations: 1, 0 at the end, or -errno. */
static int next_batch(struct trace_reader *r)
{
	for (;;) {
		const struct mrt_batch *b = ahead_get(&r->ahead);

		r->batch = b;
		r->pos = 0;
		r->hash = b->hash;
		if (b->err)
			return set_error(r, b->err, "%s", b->why);
		r->done = b->end;
		if (b->kind == MRT_END) {
			r->ended = true;
			snprintf(r->notice, sizeof(r->notice), "%s", b->why);
			return 0;
		}
		if (b->kind == MRT_STRINGS && enter_strings(r, b))
			return r->err;
		if (b->kind == MRT_OPS)
			return enter_tasks(r, b) ? r->err : 1;
	}
}

static ssize_t next_binary(struct trace_reader *r, const struct mm_op **ops)
{
	const struct mm_op *at;
	u32 n;

	r->ordinal += r->last_n;
	r->last_n = 0;
	if (!r->batch || r->pos == r->batch->nr) {
		int got = next_batch(r);

		if (got <= 0)
			return got;
	}
	at = r->batch->ops + r->pos;
	n = r->batch->nr - r->pos;
	if (n > MM_MAX_OP_BATCH) {
		n = MM_MAX_OP_BATCH;
		n -= at[n].code == OP_EXT; /* an operation and its extension stay together */
	}
	r->pos += n;
	r->last_n = n;
	*ops = at;
	return n;
}

/* Text. */

static int parse_line(struct trace_reader *r, struct text_line *out)
{
	const char *line;
	size_t len;
	char why[256];
	int got = lines_next(&r->lines, &line, &len);

	r->hash = r->lines.hash;
	r->done = r->lines.bytes;
	out->nr = 0;
	if (got < 0)
		return set_error(
			r, got, "%s:%llu: %s", r->path, (unsigned long long)r->lines.number,
			got == -E2BIG ? "expected a line of at most 512 KiB" : strerror(-got));
	if (!got) {
		r->ended = true;
		if (!r->parser.seen_first)
			return set_error(r, -EINVAL,
					 "%s:1: expected '" TEXT_FIRST " %d', got an empty file",
					 r->path, TEXT_VERSION);
		return 0;
	}
	strcpy(why, "no memory");
	if (text_parse_line(&r->parser, line, len, out, why, sizeof(why)))
		return set_error(r, -EINVAL, "%s:%llu: %s", r->path,
				 (unsigned long long)r->lines.number, why);
	return 1;
}

/* The header: everything up to the first operation, so that trace_reader_info() is known. */
static void parse_first_lines(struct trace_reader *r)
{
	const char *at;
	struct text_line none;

	do {
		if (parse_line(r, &none) <= 0 || none.nr)
			return;
		if (lines_peek(&r->lines, 1, &at) < 1)
			return;
	} while (*at == '@' || *at == '#' || *at == '\n');
}

static ssize_t next_text(struct trace_reader *r, const struct mm_op **ops)
{
	struct text_line line;
	u32 n = 0;

	*ops = r->ops;
	while (n + ARRAY_SIZE(line.ops) <= MM_MAX_OP_BATCH && !r->ended) {
		int got = parse_line(r, &line);

		if (got < 0)
			return n ? (ssize_t)n
				 : got; /* what was good before the line, then the error */
		for (unsigned i = 0; i < line.nr; i++, n++) {
			r->ops[n] = line.ops[i];
			r->line_of[n] = r->lines.number;
		}
	}
	r->last_n = n;
	return n;
}

ssize_t trace_next(struct trace_reader *r, const struct mm_op **ops)
{
	if (r->err)
		return r->err;
	if (r->ended)
		return 0;
	return r->text ? next_text(r, ops) : next_binary(r, ops);
}

const struct trace_info *trace_reader_info(const struct trace_reader *r)
{
	return &r->info;
}

const char *trace_reader_error(const struct trace_reader *r)
{
	return r->error;
}

const char *trace_reader_notice(const struct trace_reader *r)
{
	return r->notice;
}

struct op_strings trace_reader_strings(const struct trace_reader *r)
{
	return strtab_strings(&r->strings);
}

u32 trace_nr_tasks(const struct trace_reader *r)
{
	return r->tasks.nr;
}

int trace_task_ids(const struct trace_reader *r, u32 task, u32 *pid, u32 *tid)
{
	if (task >= r->tasks.nr)
		return -ENOENT;
	*pid = r->tasks.id[task].pid;
	*tid = r->tasks.id[task].tid;
	return 0;
}

u64 trace_op_line(const struct trace_reader *r, size_t i)
{
	return r->text ? r->line_of[i] : r->ordinal + i + 1;
}

bool trace_reader_is_text(const struct trace_reader *r)
{
	return r->text;
}

void trace_reader_progress(const struct trace_reader *r, u64 *done, u64 *total)
{
	*done = r->done;
	*total = r->total;
}

static int rewind_text(struct trace_reader *r)
{
	if (lseek(r->fd, 0, SEEK_SET) < 0)
		return -errno;
	lines_free(&r->lines);
	slots_destroy(r->parser.slots);
	r->parser.slots = slots_create();
	r->parser.last_ts = 0;
	r->parser.seen_first = false;
	tasks_free(&r->tasks); /* tasks are introduced again where they appear */
	if (!r->parser.slots || tasks_init(&r->tasks) || lines_init(&r->lines, r->fd))
		return -ENOMEM;
	return 0;
}

int trace_rewind(struct trace_reader *r)
{
	int err = 0;

	if (r->text) {
		err = rewind_text(r);
	} else {
		ahead_stop(&r->ahead);
		mrt_rewind(&r->mrt);
		r->batch = NULL;
	}
	r->pos = r->last_n = 0;
	r->ordinal = r->done = r->hash = 0;
	r->nr_tasks_seen = 1;
	r->nr_strings_seen = 0;
	r->ended = false;
	r->err = 0;
	r->error[0] = r->notice[0] = 0;
	return err;
}

u64 trace_hash(const struct trace_reader *r)
{
	return r->hash;
}
