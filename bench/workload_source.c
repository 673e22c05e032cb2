/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/workload_source.h"

static ssize_t next(void *self, const struct mm_op **ops)
{
	struct workload_source *s = self;

	s->seen += s->nr;
	s->nr = workload_next(s->run, s->ops, MM_MAX_OP_BATCH);
	*ops = s->ops;
	return (ssize_t)s->nr;
}

static const char *error(void *self)
{
	(void)self;
	return "";
}

static u64 line(void *self, size_t i)
{
	const struct workload_source *s = self;

	return s->seen + i + 1;
}

static struct op_strings strings(void *self)
{
	const struct workload_source *s = self;

	return workload_strings(s->run);
}

struct op_source workload_source(struct workload_source *s)
{
	return (struct op_source){.self = s, .next = next, .error = error, .line = line, .strings = strings};
}
