/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records are made canonical, collected to a block, encoded and appended. Strings that a block
 * needs are written before it. The first 64 bytes are written empty at first and for good at the
 * close.
 */
#include "traces/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "core/base/bug.h"
#include "core/base/limits.h"
#include "traces/columns.h"
#include "traces/format.h"
#include "traces/grammar.h"
#include "traces/slots.h"
#include "traces/strtab.h"
#include "traces/text.h"

#define BLOCK_RECORDS 16384u
#define DEFAULT_LEVEL 3
#define MAX_INDEX     65536u

struct trace_writer {
	char *path, *part; /* part: what is written; equal to path for devices and pipes */
	int fd;
	int err; /* the first error */
	int flags;
	bool rename, seekable, text;
	u64 offset, events, raised, last_ts;
	struct trace_info info;
	struct grammar grammar;
	struct slots *slots;
	struct columns_encoder *columns;
	struct strtab strings;
	u32 strings_written;
	struct task_table tasks;
	struct mm_op *block;
	u32 nr_block;
	u64 block_events;
	struct trace_index_entry *index;
	u32 nr_index, cap_index, index_step;
	u64 nr_blocks;
	FILE *out; /* of text */
	bool head_done;
	u64 head_lost; /* what the head said */
	struct text_printer printer;
};

static int fail(struct trace_writer *w, int err)
{
	if (!w->err && err)
		w->err = err;
	return w->err;
}

static int write_all(struct trace_writer *w, const void *data, size_t n)
{
	const char *at = data;

	while (n) {
		ssize_t got = write(w->fd, at, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return fail(w, got ? -errno : -ENOSPC);
		at += got;
		n -= (size_t)got;
		w->offset += (u64)got;
	}
	return 0;
}

static void seal_block(struct trace_block *b, const void *payload)
{
	b->magic = TRACE_BLOCK_MAGIC;
	b->check = XXH64(payload, b->size, 0);
	b->head_check = XXH64(b, offsetof(struct trace_block, head_check), 0);
}

/* A long trace keeps every second entry, then every fourth, ...: the index is bounded. */
static void thin_index(struct trace_writer *w)
{
	for (u32 i = 1; 2 * i < w->nr_index; i++)
		w->index[i] = w->index[2 * i];
	w->nr_index = (w->nr_index + 1) / 2;
	w->index_step *= 2;
}

static int add_index(struct trace_writer *w, u64 first_ts)
{
	if (w->nr_blocks++ % w->index_step)
		return 0;
	if (w->nr_index == MAX_INDEX)
		thin_index(w);
	if (w->nr_index == w->cap_index) {
		u32 cap = w->cap_index ? w->cap_index * 2 : 64;
		struct trace_index_entry *more = realloc(w->index, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		w->index = more;
		w->cap_index = cap;
	}
	w->index[w->nr_index++] = (struct trace_index_entry){
		.offset = w->offset, .first_ts = first_ts, .events = w->events - w->block_events};
	return 0;
}

static int put_block(struct trace_writer *w, struct trace_block *b, const void *payload)
{
	static const char zeros[8];
	int err = b->kind == TRACE_BLK_INDEX ? 0 : add_index(w, b->first_ts);

	if (err)
		return fail(w, err);
	seal_block(b, payload);
	if (write_all(w, b, sizeof(*b)) || write_all(w, payload, b->size))
		return w->err;
	return write_all(w, zeros, -b->size & 7);
}

static int put_info(struct trace_writer *w)
{
	struct trace_block b = {.kind = TRACE_BLK_INFO};
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return fail(w, -ENOMEM);
	text_print_info(&w->info, "", f);
	if (fclose(f)) {
		free(text);
		return fail(w, -ENOMEM);
	}
	b.size = (u32)size;
	put_block(w, &b, text);
	free(text);
	return w->err;
}

static int put_strings(struct trace_writer *w)
{
	struct trace_block b = {.kind = TRACE_BLK_STRINGS};
	char *text;
	size_t size = 0, used = 0;
	u32 end = w->strings_written;

	while (end < w->strings.nr && size < MiB)
		size += strlen(strtab_get(&w->strings, ++end)) + 1;
	text = malloc(size);
	if (!text)
		return fail(w, -ENOMEM);
	for (u32 i = w->strings_written; i < end; i++) {
		const char *string = strtab_get(&w->strings, i + 1);
		size_t n = strlen(string) + 1;

		memcpy(text + used, string, n);
		used += n;
	}
	b.size = (u32)size;
	b.records = end - w->strings_written;
	put_block(w, &b, text);
	free(text);
	w->strings_written = end;
	return w->err;
}

static int put_ops(struct trace_writer *w)
{
	struct trace_block b = {.kind = TRACE_BLK_OPS,
				.records = w->nr_block,
				.events = w->block_events,
				.first_ts = w->nr_block ? w->block[0].ts : 0};
	const void *payload = w->block;
	size_t size = w->nr_block * sizeof(*w->block);

	if (!w->nr_block)
		return w->err;
	while (!w->err && w->strings_written < w->strings.nr)
		put_strings(w);
	if (w->columns && !w->err)
		fail(w, columns_encode(w->columns, w->block, w->nr_block, &payload, &size));
	b.size = (u32)size;
	if (!w->err)
		put_block(w, &b, payload);
	w->nr_block = 0;
	w->block_events = 0;
	return w->err;
}

/* The head of a text, as late as possible: losses may be known by then. */
static void put_head(struct trace_writer *w)
{
	if (w->head_done)
		return;
	w->head_done = true;
	w->head_lost = w->info.lost;
	text_print_head(&w->info, w->out);
}

static int put_text(struct trace_writer *w, const struct mm_op *op)
{
	struct op_strings strings = strtab_strings(&w->strings);

	if (op->code == OP_TASK)
		return 0;
	put_head(w);
	text_print_op(&w->printer, op, &strings, w->out);
	return ferror(w->out) ? fail(w, errno ? -errno : -EIO) : 0;
}

/* One canonical record with its extension. */
static int append(struct trace_writer *w, const struct mm_op *op, const struct mm_op_ext *ext)
{
	struct mm_op *to = &w->block[w->nr_block];

	to[0] = *op;
	if (ext)
		memcpy(&to[1], ext, sizeof(*ext));
	if (op->code != OP_TASK) {
		w->block_events++;
		w->events++;
	}
	if (w->text)
		return put_text(w, to);
	w->nr_block += ext ? 2 : 1;
	return w->nr_block >= BLOCK_RECORDS - 1 ? put_ops(w) : 0;
}

static struct trace_header header(const struct trace_writer *w, bool closed, u64 index_offset)
{
	struct trace_header h = {
		.magic = TRACE_MAGIC,
		.endian = TRACE_ENDIAN_MARK,
		.major = TRACE_VERSION_NOW,
		.minor = TRACE_MINOR,
		.page_shift = (u8)w->info.page_shift,
		.encoding = w->columns ? TRACE_ENC_COLUMNS : TRACE_ENC_RAW,
	};

	if (closed) {
		h.file_size = w->offset;
		h.index_offset = index_offset;
		h.events = w->events;
		h.lost = w->info.lost;
	}
	h.check = XXH64(&h, offsetof(struct trace_header, check), 0);
	return h;
}

static int open_file(struct trace_writer *w, const char *path)
{
	struct stat st;
	bool special = !stat(path, &st) && !S_ISREG(st.st_mode);

	w->path = strdup(path);
	if (!w->path)
		return -ENOMEM;
	if (!strcmp(path, "-")) {
		w->fd = dup(STDOUT_FILENO);
		w->part = strdup(path);
	} else {
		w->rename = !special;
		if (asprintf(&w->part, "%s%s", path, special ? "" : ".part") < 0)
			w->part = NULL;
		if (!w->part)
			return -ENOMEM;
		w->fd = open(w->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	}
	if (w->fd < 0)
		return -errno;
	w->seekable = w->rename;
	return w->part ? 0 : -ENOMEM;
}

static int start(struct trace_writer *w)
{
	struct trace_header h;

	if (w->text) {
		w->out = fdopen(w->fd, "w");
		if (!w->out)
			return -errno;
		w->printer = (struct text_printer){.grammar = &w->grammar, .tasks = &w->tasks};
		return 0;
	}
	h = header(w, false, 0);
	write_all(w, &h, sizeof(h));
	return put_info(w);
}

static void release(struct trace_writer *w)
{
	if (w->out)
		fclose(w->out);
	else if (w->fd >= 0)
		close(w->fd);
	trace_info_free(&w->info);
	slots_destroy(w->slots);
	columns_encoder_destroy(w->columns);
	strtab_free(&w->strings);
	tasks_free(&w->tasks);
	free(w->block);
	free(w->index);
	free(w->path);
	free(w->part);
	free(w);
}

struct trace_writer *trace_writer_open(const char *path, const struct trace_info *info, int flags,
				       char *err, size_t errlen)
{
	struct trace_writer *w = calloc(1, sizeof(*w));
	int e = -ENOMEM, level = flags & TRACE_WRITE_LEVEL;

	if (!w) {
		snprintf(err, errlen, "%s: no memory", path);
		return NULL;
	}
	w->fd = -1;
	w->index_step = 1;
	w->flags = flags;
	w->text = flags & TRACE_WRITE_TEXT;
	BUG_ON(grammar_init(&w->grammar));
	if (trace_info_copy(&w->info, info))
		goto out;
	w->slots = slots_create();
	w->block = malloc((BLOCK_RECORDS + 2) * sizeof(*w->block));
	if (!w->text && !(flags & TRACE_WRITE_RAW)) {
		w->columns = columns_encoder_create(level ? level : DEFAULT_LEVEL);
		if (!w->columns)
			goto out;
	}
	if (!w->slots || !w->block || tasks_init(&w->tasks))
		goto out;
	e = open_file(w, path);
	if (!e)
		e = start(w);
	if (!e)
		return w;
out:
	snprintf(err, errlen, "%s: cannot write: %s", path, strerror(-e));
	if (w->fd >= 0 && w->rename)
		unlink(w->part);
	release(w);
	return NULL;
}

u64 trace_writer_string(struct trace_writer *w, const char *s)
{
	size_t n = s ? strnlen(s, TRACE_MAX_STRING_BYTES) : 0;
	u32 id = n ? strtab_intern(&w->strings, s, n) : 0;

	if (n && !id)
		fail(w, -ENOMEM);
	return id;
}

u32 trace_writer_task(struct trace_writer *w, u32 pid, u32 tid)
{
	bool is_new;
	int i = tasks_get(&w->tasks, pid, tid, &is_new);
	struct mm_op op = {.code = OP_TASK, .addr = pid, .len = tid, .ts = w->last_ts};

	if (i < 0) {
		fail(w, i);
		return 0;
	}
	op.task = (u32)i;
	if (is_new && !w->err)
		append(w, &op, NULL);
	return (u32)i;
}

static bool is_task(const struct trace_writer *w, u64 task)
{
	return task < w->tasks.nr;
}

static int put_one(struct trace_writer *w, const struct mm_op *from,
		   const struct mm_op_ext *from_ext)
{
	struct mm_op op = *from;
	struct mm_op_ext ext = {0};
	bool has_ext = from_ext;
	struct task_id self;
	u32 child = 0;

	if (has_ext)
		ext = *from_ext;
	if (grammar_canonical(&w->grammar, &op, &ext, &has_ext) || !is_task(w, op.task))
		return fail(w, -EINVAL);
	if (op.code == OP_FORK) {
		if (!is_task(w, op.arg))
			return fail(w, -EINVAL);
		child = w->tasks.id[op.arg].pid;
	}
	if (op.ts < w->last_ts) {
		op.ts = w->last_ts;
		w->raised++;
	}
	w->last_ts = op.ts;
	self = w->tasks.id[op.task];
	if (fail(w, slots_see(w->slots, self.pid, self.tid, child, &op, &ext)))
		return w->err;
	return append(w, &op, has_ext ? &ext : NULL);
}

int trace_writer_put(struct trace_writer *w, const struct mm_op *ops, size_t n)
{
	for (size_t i = 0; i < n && !w->err; i++) {
		const struct mm_op_ext *ext = NULL;

		if (ops[i].flags & MM_OP_HAS_EXT) {
			if (i + 1 == n || ops[i + 1].code != OP_EXT)
				return fail(w, -EINVAL);
			ext = mm_op_ext(&ops[i]);
		}
		put_one(w, &ops[i], ext);
		i += !!ext;
	}
	return w->err;
}

struct trace_info *trace_writer_info(struct trace_writer *w)
{
	return &w->info;
}

u64 trace_writer_events(const struct trace_writer *w)
{
	return w->events;
}

u64 trace_writer_bytes(const struct trace_writer *w)
{
	return w->offset;
}

u64 trace_writer_raised(const struct trace_writer *w)
{
	return w->raised;
}

int trace_writer_flush(struct trace_writer *w)
{
	if (!w->text)
		return put_ops(w);
	return fflush(w->out) ? fail(w, -errno) : w->err;
}

/* Index, then the header with what is known now. */
static void finish(struct trace_writer *w)
{
	struct trace_block b = {.kind = TRACE_BLK_INDEX};
	struct trace_header h;
	u64 at;

	put_ops(w);
	if (!w->err)
		put_info(w);
	at = w->offset;
	b.records = w->nr_index;
	b.events = w->events;
	b.size = w->nr_index * (u32)sizeof(*w->index);
	if (!w->err)
		put_block(w, &b, w->index);
	if (w->err || !w->seekable)
		return;
	h = header(w, true, at);
	if (pwrite(w->fd, &h, sizeof(h), 0) != (ssize_t)sizeof(h))
		fail(w, errno ? -errno : -EIO);
}

static void finish_text(struct trace_writer *w)
{
	FILE *out = w->out;

	put_head(w); /* a trace without operations has one, too */
	if (w->info.lost != w->head_lost)
		text_print_info(&w->info, "@", out);
	w->out = NULL;
	w->fd = -1;
	if (fclose(out))
		fail(w, errno ? -errno : -EIO);
}

int trace_writer_close(struct trace_writer *w, char *err, size_t errlen)
{
	int e;

	if (w->text)
		finish_text(w);
	else
		finish(w);
	if (w->fd >= 0 && close(w->fd))
		fail(w, -errno);
	w->fd = -1;
	if (!w->err && w->rename && rename(w->part, w->path))
		fail(w, -errno);
	if (w->err) {
		snprintf(err, errlen, "%s: cannot write: %s", w->path, strerror(-w->err));
		if (w->rename)
			unlink(w->part);
	}
	e = w->err;
	release(w);
	return e;
}

void trace_writer_abort(struct trace_writer *w)
{
	if (w->rename)
		unlink(w->part);
	release(w);
}
