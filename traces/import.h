/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Foreign formats. Each is one file in traces/import/ and one line in its table: a function that
 * looks at a first line, and one that turns a line into operations.
 *
 * Lines that say nothing about memory are counted as ignored, lines that make no sense as unknown;
 * an input of which nothing was understood is an error.
 */
#ifndef MEMRIG_TRACE_IMPORT_H
#define MEMRIG_TRACE_IMPORT_H

#include "traces/map64.h"
#include "traces/writer.h"

struct import_report {
	u64 events, lines, ignored, unknown, first_unknown;
};

struct importer { /* what a format's functions share */
	struct trace_writer *w;
	u64 line, first_ts; /* first_ts: the input's time of trace time 0 */
	bool started;	    /* first_ts is known */
	u32 task;	    /* of single-task formats */
	struct map64 files; /* hash of (name) -> file id */
	struct map64 sizes; /* file id -> its size in pages as announced */
	struct map64 known; /* pids that were introduced; format's own use */
	u64 page_size;
	void *own; /* the format's state, freed with free_own */
	void (*free_own)(void *own);
};

enum import_line { IMPORT_DONE, IMPORT_IGNORED, IMPORT_UNKNOWN }; /* or negative errno */

struct import_format {
	const char *name, *help;
	bool (*probe)(const char *line);	      /* does a file with this line look like it? */
	int (*line)(struct importer *im, char *line); /* enum import_line; may write into @line */
	int (*finish)(struct importer *im);	      /* may be NULL */
	size_t record_bytes; /* binary formats: size of a record, and what turns one into operations */
	int (*record)(struct importer *im, const u8 *record);
};

const struct import_format *import_format(unsigned i); /* NULL behind the last */

/*
 * Reads @input ("-": standard input) in @format (NULL: told by the first lines) and writes the
 * trace @output. 0, or -errno with one line in @err.
 */
int trace_import(const char *format, const char *input, const char *output, int flags,
		 struct import_report *report, char *err, size_t errlen);

/* For the formats. */
u64 import_ts(struct importer *im, u64 ns); /* time of the trace for a time of the input */
/* One operation with what it needs of an extension; @ext may be NULL. */
int import_put(struct importer *im, struct mm_op *op, struct mm_op_ext *ext);
/* Result as a number (an address, 0, -errno) into @op and @ext. */
void import_result(struct mm_op *op, struct mm_op_ext *ext, s64 value);
/* Id of the file called @name, announced (or grown) so that it holds @end bytes. < 0: error. */
int import_file(struct importer *im, u32 task, u64 ts, const char *name, u64 end);
/* Values of the kernel's ABI to those of core/op.h. */
u64 import_map_flags(u64 abi);
u16 import_advice(u64 abi);

#endif
