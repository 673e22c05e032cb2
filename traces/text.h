/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The text twin of the format (interfaces.md s3): one operation to and from one line.
 *
 * Canonical text: one blank between words; `-` for a time equal to the one before, except on the
 * first line; keys in the order of op.def; names instead of numbers where there are names; strings
 * are quoted only if they must be.
 */
#ifndef MEMRIG_TRACE_TEXT_H
#define MEMRIG_TRACE_TEXT_H

#include <stdio.h>

#include "traces/grammar.h"
#include "traces/info.h"
#include "traces/slots.h"
#include "traces/strtab.h"
#include "traces/tasks.h"

#define TEXT_VERSION	  1
#define TEXT_FIRST	  "memrig-trace"
#define TRACE_TEXT_STRING 65536u

struct text_printer {
	const struct grammar *grammar;
	const struct task_table *tasks;
	u64 last_ts;
	bool started; /* an operation was printed */
};

/* The version line and the @lines. */
void text_print_head(const struct trace_info *info, FILE *out);
/* All lines "key value", each behind @prefix. */
void text_print_info(const struct trace_info *info, const char *prefix, FILE *out);
/* One line; @op is followed by its extension if it has one. Bookkeeping prints nothing. */
void text_print_op(struct text_printer *p, const struct mm_op *op, const struct op_strings *strings,
		   FILE *out);
/* "0x1000", "-ENOMEM", "minor", "" for none: the recorded result as text, at most @n bytes. */
void text_print_result(const struct grammar *g, const struct mm_op *op,
		       const struct op_strings *strings, char *buf, size_t n);

struct text_parser {
	struct grammar grammar;
	struct strtab *strings;
	struct task_table *tasks;
	struct trace_info *info;
	struct slots *slots;
	u64 last_ts;
	bool seen_first; /* the version line */
};

/* What one line gave: up to two new tasks (OP_TASK records), then the operation, then its
 * extension. */
struct text_line {
	struct mm_op ops[4];
	unsigned nr; /* 0: comment, blank, header */
};

/*
 * Parses a line of @len bytes without its newline. 0, or -EINVAL, -ENOMEM with what was expected in
 * @err.
 */
int text_parse_line(struct text_parser *p, const char *line, size_t len, struct text_line *out,
		    char *err, size_t errlen);

/* One "key value" into @info: 0 or -EINVAL with @err. */
int text_parse_info(struct trace_info *info, const char *line, size_t len, char *err,
		    size_t errlen);

#endif
