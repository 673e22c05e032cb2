/* SPDX-License-Identifier: BSD-2-Clause */
#include "traces/mrt.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <xxhash.h>

#include "core/base/bits.h"
#include "traces/reader.h"
#include "traces/text.h"
#include "traces/upgrade.h"

/* "FILE: byte N: what" */
static int MM_PRINTF(5, 6)
	bad(const struct mrt *f, size_t at, char *err, size_t errlen, const char *fmt, ...)
{
	int n = snprintf(err, errlen, "%s: byte %zu: ", f->path, at);
	va_list ap;

	va_start(ap, fmt);
	if (n > 0 && (size_t)n < errlen)
		vsnprintf(err + n, errlen - (size_t)n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int check_header(struct mrt *f, char *err, size_t errlen)
{
	struct trace_header *h = &f->header;

	if (f->size < sizeof(*h))
		return bad(f, f->size, err, errlen, "cut within the header: expected %zu bytes",
			   sizeof(*h));
	memcpy(h, f->map, sizeof(*h));
	if (h->magic != TRACE_MAGIC)
		return bad(f, 0, err, errlen, "expected a trace");
	if (h->endian != TRACE_ENDIAN_MARK)
		return bad(f, 8, err, errlen,
			   h->endian == __builtin_bswap32(TRACE_ENDIAN_MARK)
				   ? "expected a little-endian trace"
				   : "expected the endian mark");
	if (h->check != XXH64(h, offsetof(struct trace_header, check), 0))
		return bad(f, 56, err, errlen, "the header's checksum is wrong");
	if (!trace_version_known(h->major))
		return bad(f, 12, err, errlen, "expected version %d, got %u", TRACE_VERSION_NOW,
			   h->major);
	if (h->page_shift < 9 || h->page_shift > 30 || h->encoding > TRACE_ENC_COLUMNS)
		return bad(f, 48, err, errlen, "an impossible page size or encoding");
	if (h->file_size && f->size > h->file_size)
		return bad(f, h->file_size, err, errlen, "%zu bytes behind the end of the trace",
			   f->size - (size_t)h->file_size);
	f->complete = h->file_size && h->file_size == f->size;
	return 0;
}

int mrt_open(struct mrt *f, const char *path, int fd, unsigned flags, char *err, size_t errlen)
{
	struct stat st;
	void *map;

	memset(f, 0, sizeof(*f));
	f->path = path;
	if (fstat(fd, &st))
		return bad(f, 0, err, errlen, "cannot stat: %s", strerror(errno));
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return bad(f, 0, err, errlen, "cannot map: %s", strerror(errno));
	f->map = map;
	f->size = (size_t)st.st_size;
	f->no_checksum = flags & TRACE_READ_NO_CHECKSUM;
	validator_init(&f->valid);
	madvise(map, f->size, MADV_SEQUENTIAL);
	f->columns = columns_decoder_create();
	if (!f->columns || check_header(f, err, errlen)) {
		if (!f->columns)
			bad(f, 0, err, errlen, "no memory");
		mrt_close(f);
		return -EINVAL;
	}
	mrt_rewind(f);
	return 0;
}

void mrt_close(struct mrt *f)
{
	if (f->map)
		munmap((void *)(uintptr_t)f->map, f->size);
	columns_decoder_destroy(f->columns);
	f->map = NULL;
	f->columns = NULL;
}

void mrt_rewind(struct mrt *f)
{
	f->pos = sizeof(f->header);
	f->hash = 0;
	f->saw_index = false;
	columns_decoder_reset(f->columns);
	validator_reset(&f->valid);
}

/* Block head at @at, judged. 0, -EINVAL with @err, or 1: the file ends before the block does. */
static int block_at(const struct mrt *f, size_t at, struct trace_block *b, char *err, size_t errlen)
{
	size_t left = f->size - at;

	if (left < sizeof(*b))
		return 1;
	memcpy(b, f->map + at, sizeof(*b));
	if (b->magic != TRACE_BLOCK_MAGIC)
		return bad(f, at, err, errlen, "expected a block");
	if (b->head_check != XXH64(b, offsetof(struct trace_block, head_check), 0))
		return bad(f, at, err, errlen, "the checksum of a block's head is wrong");
	if (b->size > TRACE_MAX_BLOCK_BYTES || b->records > TRACE_MAX_STRINGS ||
	    b->kind < TRACE_BLK_INFO || b->kind > TRACE_BLK_INDEX)
		return bad(f, at, err, errlen, "an impossible block");
	return left - sizeof(*b) < ALIGN_UP((size_t)b->size, (size_t)8);
}

static int check_payload(const struct mrt *f, size_t at, const struct trace_block *b, char *err,
			 size_t errlen)
{
	if (f->no_checksum || b->check == XXH64(f->map + at + sizeof(*b), b->size, 0))
		return 0;
	return bad(f, at + sizeof(*b), err, errlen, "the checksum of a block of %u bytes is wrong",
		   b->size);
}

static int parse_info(const struct mrt *f, size_t at, const char *text, size_t size,
		      struct trace_info *info, char *err, size_t errlen)
{
	char why[128] = "no memory";

	for (size_t i = 0; i < size;) {
		const char *nl = memchr(text + i, '\n', size - i);
		size_t n = nl ? (size_t)(nl - text) - i : size - i;

		if (memchr(text + i, 0, n) || text_parse_info(info, text + i, n, why, sizeof(why)))
			return bad(f, at + i, err, errlen, "%s", why);
		i += n + 1;
	}
	return 0;
}

/* The info block that the entry before the last of the index points to; else the first block. */
static size_t info_position(const struct mrt *f)
{
	struct trace_block b;
	struct trace_index_entry last;
	size_t at = f->header.index_offset;
	char err[MRT_ERR];

	if (!f->complete || at > f->size || block_at(f, at, &b, err, sizeof(err)) ||
	    b.kind != TRACE_BLK_INDEX || b.size < sizeof(last))
		return sizeof(f->header);
	memcpy(&last, f->map + at + sizeof(b) + b.size - sizeof(last), sizeof(last));
	if (last.offset < sizeof(f->header) || last.offset > f->size ||
	    block_at(f, last.offset, &b, err, sizeof(err)) || b.kind != TRACE_BLK_INFO)
		return sizeof(f->header);
	return last.offset;
}

int mrt_read_info(struct mrt *f, struct trace_info *info, char *err, size_t errlen)
{
	size_t at = info_position(f);
	struct trace_block b;
	int got = block_at(f, at, &b, err, errlen);

	info->version = f->header.major;
	info->page_shift = f->header.page_shift;
	info->events = f->complete ? f->header.events : 0;
	info->lost = f->header.lost;
	if (got > 0) /* cut: nothing but the header is known */
		return 0;
	if (!got && b.kind != TRACE_BLK_INFO)
		got = bad(f, at, err, errlen, "expected the block of information first");
	if (!got)
		got = check_payload(f, at, &b, err, errlen);
	if (got)
		return got;
	return parse_info(f, at + sizeof(b), (const char *)f->map + at + sizeof(b), b.size, info,
			  err, errlen);
}

static int reserve(struct mrt_batch *b, u32 n)
{
	if (n <= b->cap)
		return 0;
	free(b->buffer);
	b->cap = 0;
	b->buffer = malloc(n * sizeof(*b->buffer));
	if (!b->buffer)
		return -ENOMEM;
	b->cap = n;
	return 0;
}

static int load_ops(struct mrt *f, size_t at, const struct trace_block *blk, struct mrt_batch *b)
{
	const void *payload = f->map + at + sizeof(*blk);
	const char *why;
	size_t wrong = 0;

	if (!blk->records || blk->records > TRACE_MAX_BLOCK_RECORDS)
		return bad(f, at, b->why, sizeof(b->why), "an impossible number of operations");
	f->valid.new_tasks = 0;
	if (f->header.encoding == TRACE_ENC_RAW) {
		if (blk->size != blk->records * sizeof(struct mm_op))
			return bad(f, at, b->why, sizeof(b->why),
				   "an impossible size of raw operations");
		b->ops = payload;
	} else {
		if (reserve(b, blk->records))
			return bad(f, at, b->why, sizeof(b->why), "no memory");
		b->ops = b->buffer;
		b->nr = blk->records;
		why = columns_decode(f->columns, payload, blk->size, b->buffer, b->nr, &f->valid);
		b->nr_new_tasks = f->valid.new_tasks;
		trace_upgrade(f->header.major, b->buffer, b->nr);
		return why ? bad(f, at, b->why, sizeof(b->why), "%s", why) : 0;
	}
	b->nr = blk->records;
	if (f->header.major != TRACE_VERSION_NOW) {
		if (reserve(b, blk->records))
			return bad(f, at, b->why, sizeof(b->why), "no memory");
		memcpy(b->buffer, payload, blk->size);
		b->ops = b->buffer;
		trace_upgrade(f->header.major, b->buffer, b->nr);
	}
	why = validator_see(&f->valid, b->ops, b->nr, &wrong);
	b->nr_new_tasks = f->valid.new_tasks;
	return why ? bad(f, at, b->why, sizeof(b->why), "operation %zu of the block: %s", wrong,
			 why)
		   : 0;
}

static int check_index(struct mrt *f, size_t at, const struct trace_block *blk, struct mrt_batch *b)
{
	size_t end = at + sizeof(*blk) + ALIGN_UP((size_t)blk->size, (size_t)8);

	if (end != f->size || (f->header.index_offset && f->header.index_offset != at) ||
	    blk->size != (u64)blk->records * sizeof(struct trace_index_entry))
		return bad(f, at, b->why, sizeof(b->why), "an index that is not at the end");
	f->saw_index = true;
	return 0;
}

static int load(struct mrt *f, size_t at, const struct trace_block *blk, struct mrt_batch *b)
{
	b->text = (const char *)f->map + at + sizeof(*blk);
	b->size = blk->size;
	switch (blk->kind) {
	case TRACE_BLK_OPS:
		b->kind = MRT_OPS;
		return load_ops(f, at, blk, b);
	case TRACE_BLK_STRINGS:
		b->kind = MRT_STRINGS;
		if (blk->size && b->text[blk->size - 1])
			return bad(f, at, b->why, sizeof(b->why), "strings without an end");
		return 0;
	case TRACE_BLK_INFO:
		b->kind = MRT_INFO;
		return 0;
	}
	b->kind = MRT_END;
	return check_index(f, at, blk, b);
}

static int at_end(struct mrt *f, size_t at, struct mrt_batch *b)
{
	b->kind = MRT_END;
	b->end = f->size;
	if (f->saw_index)
		return 0;
	if (f->complete)
		return bad(f, at, b->why, sizeof(b->why), "expected a block or the index");
	snprintf(b->why, sizeof(b->why),
		 "%s: cut at byte %zu: the last %zu bytes are no whole block", f->path, f->size,
		 f->size - at);
	return 0;
}

int mrt_next(struct mrt *f, struct mrt_batch *b)
{
	struct trace_block blk;
	size_t at = f->pos;
	int got = 1;

	b->nr = b->nr_new_tasks = 0;
	b->why[0] = 0;
	if (at < f->size && !f->saw_index)
		got = block_at(f, at, &blk, b->why, sizeof(b->why));
	if (got > 0) {
		b->hash = f->hash;
		return b->err = at_end(f, at, b);
	}
	if (!got)
		got = check_payload(f, at, &blk, b->why, sizeof(b->why));
	if (!got)
		got = load(f, at, &blk, b);
	if (got)
		return b->err = got;
	f->hash = XXH64(&blk.check, sizeof(blk.check), f->hash);
	f->pos = b->end = at + sizeof(blk) + ALIGN_UP((size_t)blk.size, (size_t)8);
	b->hash = f->hash;
	return b->err = 0;
}
