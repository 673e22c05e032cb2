/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/trace_source.h"

static ssize_t next(void *self, const struct mm_op **ops)
{
	return trace_next(self, ops);
}

static const char *error(void *self)
{
	return trace_reader_error(self);
}

static u64 line(void *self, size_t i)
{
	return trace_op_line(self, i);
}

static double progress(void *self)
{
	u64 done, total;

	trace_reader_progress(self, &done, &total);
	return total ? (double)done / (double)total : -1;
}

static struct op_strings strings(void *self)
{
	return trace_reader_strings(self);
}

struct op_source trace_source(struct trace_reader *r)
{
	return (struct op_source){r, next, error, line, progress, strings};
}
