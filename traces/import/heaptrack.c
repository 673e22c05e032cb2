/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heaptrack --raw, unpacked: all numbers hexadecimal. "+ SIZE TRACE PTR" malloc, "- PTR" free, "c
 * MS" the time, "X CMD" the command; everything else (backtraces, modules, memory use) says nothing
 * about blocks. The interpreted form ("+ INDEX") has no addresses and is not understood.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "traces/import/formats.h"

bool heaptrack_probe(const char *line)
{
	char *end;

	if (line[0] != 'v' || line[1] != ' ')
		return false;
	strtoull(line + 2, &end, 16);
	return end != line + 2 && (*end == ' ' || !*end);
}

/* @n hexadecimal numbers and nothing more. */
static bool numbers(const char *s, u64 *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		char *end;

		while (*s == ' ')
			s++;
		v[i] = strtoull(s, &end, 16);
		if (end == s)
			return false;
		s = end;
	}
	return !*s;
}

int heaptrack_line(struct importer *im, char *line)
{
	struct mm_op op = {.ts = im->first_ts, .task = 0};
	u64 v[3];

	if (!line[0] || line[1] != ' ')
		return IMPORT_IGNORED;
	switch (line[0]) {
	case 'X':
		return trace_info_set(trace_writer_info(im->w), "command", line + 2)
			       ? IMPORT_UNKNOWN
			       : IMPORT_DONE;
	case 'c': /* the field holds the time now */
		if (!numbers(line + 2, v, 1) || v[0] > 1ull << 40)
			return IMPORT_UNKNOWN;
		im->first_ts = v[0] * 1000000 > im->first_ts ? v[0] * 1000000 : im->first_ts;
		return IMPORT_DONE;
	case '+':
		if (!numbers(line + 2, v, 3))
			return IMPORT_UNKNOWN;
		op.code = OP_MALLOC;
		op.len = v[0];
		op.addr = v[2];
		break;
	case '-':
		if (!numbers(line + 2, v, 1))
			return IMPORT_UNKNOWN;
		op.code = OP_FREE;
		op.addr = v[0];
		break;
	default:
		return IMPORT_IGNORED;
	}
	op.task = trace_writer_task(im->w, 1, 1);
	return trace_writer_put(im->w, &op, 1);
}
