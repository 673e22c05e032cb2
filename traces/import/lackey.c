/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * valgrind --tool=lackey --trace-mem=yes: "I  ADDR,SIZE" fetches, " L" loads, " S" stores, " M"
 * both. There are no mappings in it: each MiB is mapped, anonymous and private, when it is touched
 * first. Fetches from the page fetched from before are left out: they change nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "traces/import/formats.h"

#define CHUNK (1ull << 20)

bool lackey_probe(const char *line)
{
	u64 addr;
	char *end;

	if (!((line[0] == 'I' && line[1] == ' ') ||
	      (line[0] == ' ' && line[1] && strchr("LSM", line[1]))))
		return false;
	addr = strtoull(line + 2, &end, 16);
	return end != line + 2 && *end == ',' && addr;
}

static int map_chunk(struct importer *im, u64 addr)
{
	struct mm_op op = {.code = OP_MMAP,
			   .task = im->task,
			   .addr = addr & ~(CHUNK - 1),
			   .len = CHUNK,
			   .flags = 7};
	struct mm_op_ext ext = {.x0 = MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED,
				.has = MM_EXT_X0};

	if (map64_get(&im->known, addr / CHUNK) != MAP64_NONE)
		return 0;
	return map64_set(&im->known, addr / CHUNK, 1) ? -ENOMEM : import_put(im, &op, &ext);
}

static int put(struct importer *im, u8 code, u64 addr, u64 len)
{
	struct mm_op op = {.code = code, .task = im->task, .addr = addr, .len = len};

	if (code == OP_EXEC_AT)
		op.len = 0;
	return trace_writer_put(im->w, &op, 1);
}

static int start(struct importer *im)
{
	struct mm_op op = {.code = OP_SPAWN};

	if (im->started)
		return 0;
	im->started = true;
	op.task = im->task = trace_writer_task(im->w, 1, 1);
	return trace_writer_put(im->w, &op, 1);
}

int lackey_line(struct importer *im, char *line)
{
	u64 addr, len, page;
	char kind, *end;
	int err;

	if (!lackey_probe(line))
		return IMPORT_IGNORED; /* valgrind's own messages */
	kind = line[0] == 'I' ? 'I' : line[1];
	addr = strtoull(line + 2, &end, 16);
	len = strtoull(end + 1, NULL, 10);
	if (!len || len > CHUNK || addr + len < addr)
		return IMPORT_UNKNOWN;
	page = addr / im->page_size;
	if (kind == 'I' && page == im->first_ts && len <= im->page_size)
		return IMPORT_DONE;
	err = start(im);
	if (!err)
		err = map_chunk(im, addr);
	if (!err)
		err = map_chunk(im, addr + len - 1);
	if (err)
		return err;
	if (kind == 'I') {
		im->first_ts =
			page; /* there are no times; the field holds the page of the last fetch */
		return put(im, OP_EXEC_AT, addr, len);
	}
	if (kind != 'S')
		err = put(im, OP_READ, addr, len);
	return err || kind == 'L' ? err : put(im, OP_WRITE, addr, len);
}
