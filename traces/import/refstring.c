/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reference traces of page-cache and block-cache studies: what was read, nothing else.
 *
 *   oracleGeneral  binary records of 24 bytes, as libCacheSim reads them: u32 seconds, u64 object,
 *                  u32 bytes, s64 index of the next use (not needed here)
 *   csv            time,object[,bytes[,op]], with or without a line of names; op r (or anything)
 * reads, w writes
 *
 * Objects become pages of one file in order of their first appearance, a run of pages each if they
 * are larger: which object it was decides nothing, and numbers of 64 bits do not fit into an
 * offset.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "traces/import/formats.h"

#define MAX_BYTES (1ull << 30) /* of an object */

struct objects {
	u64 pages;		  /* given out so far */
	u64 size;		  /* of the file as announced, in pages */
	struct map64 first, held; /* by object: its first page; how many it has */
};

static void free_objects(void *own)
{
	struct objects *o = own;

	map64_free(&o->first);
	map64_free(&o->held);
	free(o);
}

static int refs_start(struct importer *im)
{
	struct mm_op op = {.code = OP_SPAWN};

	if (im->own)
		return 0;
	im->own = calloc(1, sizeof(struct objects));
	if (!im->own)
		return -ENOMEM;
	im->free_own = free_objects;
	op.task = im->task = trace_writer_task(im->w, 1, 1);
	return trace_writer_put(im->w, &op, 1);
}

/* Has the file hold @pages pages: announced with room to grow, so that this is rare. */
static int grow_file(struct importer *im, u64 ts, u64 pages)
{
	struct objects *o = im->own;
	u64 size = o->size ? o->size : 1u << 16;

	if (pages <= o->size)
		return 0;
	while (size < pages)
		size *= 2;
	o->size = size;
	return import_file(im, im->task, ts, "objects", size * im->page_size) < 0 ? -ENOMEM : 0;
}

/* First page of object @id, which has @pages; a larger one than before moves. */
static int object_page(struct importer *im, u64 ts, u64 id, u64 pages, u64 *first)
{
	struct objects *o = im->own;
	u32 at = map64_get(&o->first, id), had = at == MAP64_NONE ? 0 : map64_get(&o->held, id);

	if (at != MAP64_NONE && had >= pages) {
		*first = at;
		return 0;
	}
	if (o->pages + pages >= MAP64_NONE)
		return -E2BIG;
	*first = o->pages;
	o->pages += pages;
	if (map64_set(&o->first, id, (u32)*first) || map64_set(&o->held, id, (u32)pages))
		return -ENOMEM;
	return grow_file(im, ts, o->pages);
}

static int put_reference(struct importer *im, u64 ts, u64 id, u64 bytes, bool write)
{
	u64 pages = bytes > im->page_size ? (bytes + im->page_size - 1) / im->page_size : 1, first;
	struct mm_op op = {.ts = ts, .code = write ? OP_FWRITE : OP_FREAD};
	int e = refs_start(im);

	if (!e)
		e = object_page(im, ts, id, pages, &first);
	if (e)
		return e;
	op.task = im->task;
	op.arg = 1;
	op.addr = first * im->page_size;
	op.len = pages * im->page_size;
	return trace_writer_put(im->w, &op, 1);
}

static u64 little_endian(const u8 *p, unsigned bytes)
{
	u64 v = 0;

	while (bytes)
		v = v << 8 | p[--bytes];
	return v;
}

int oracle_record(struct importer *im, const u8 *record)
{
	u64 seconds = little_endian(record, 4), id = little_endian(record + 4, 8);
	u64 bytes = little_endian(record + 12, 4);

	if (bytes > MAX_BYTES)
		return IMPORT_UNKNOWN;
	return put_reference(im, import_ts(im, seconds * 1000000000), id, bytes, false);
}

bool oracle_probe(const char *line)
{
	(void)line;
	return false; /* binary without a magic number: has to be named */
}

bool csv_probe(const char *line)
{
	char *end;

	(void)strtod(line, &end);
	return end != line && *end == ',' && end[1] >= '0' && end[1] <= '9';
}

int csv_line(struct importer *im, char *line)
{
	char *end, *at;
	double seconds = strtod(line, &end);
	u64 id, bytes = 0;
	bool write;

	if (end == line || *end != ',')
		return im->line ? IMPORT_UNKNOWN : IMPORT_IGNORED; /* the names of the columns */
	at = end + 1;
	id = strtoull(at, &end, 0);
	if (end == at || seconds < 0 || seconds > 1e10)
		return IMPORT_UNKNOWN;
	if (*end == ',') {
		at = end + 1;
		bytes = strtoull(at, &end, 0);
	}
	if (bytes > MAX_BYTES)
		return IMPORT_UNKNOWN;
	write = *end == ',' && (end[1] == 'w' || end[1] == 'W');
	return put_reference(im, import_ts(im, (u64)(seconds * 1e9)), id, bytes, write);
}
