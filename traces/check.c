/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a trace that reads well may still have wrong: things that cannot have happened, so something
 * was lost or two recordings were mixed. Mappings are kept per process as sorted, disjoint ranges.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "traces/map64.h"
#include "traces/reader.h"
#include "traces/validate.h"

struct range {
	u64 start, end;
};

struct process {
	u32 pid;
	bool ended;
	struct range *maps;
	u32 nr, cap;
};

struct check {
	struct trace_reader *r;
	struct check_report *report;
	FILE *out;
	u64 limit, line, page_mask;
	struct map64 pids; /* pid -> index */
	struct process *process;
	u32 nr, cap;
};

static void MM_PRINTF(2, 3) finding(struct check *c, const char *fmt, ...)
{
	va_list ap;

	if (c->report->findings++ >= c->limit)
		return;
	fprintf(c->out, "%s %" PRIu64 ": ", trace_reader_is_text(c->r) ? "line" : "record",
		c->line);
	va_start(ap, fmt);
	vfprintf(c->out, fmt, ap);
	va_end(ap);
	fputc('\n', c->out);
}

static struct process *process_of(struct check *c, u32 pid)
{
	u32 i = map64_get(&c->pids, pid);

	if (i != MAP64_NONE)
		return &c->process[i];
	if (c->nr == c->cap) {
		u32 cap = c->cap ? c->cap * 2 : 64;
		struct process *more = realloc(c->process, cap * sizeof(*more));

		if (!more)
			return NULL;
		c->process = more;
		c->cap = cap;
	}
	if (map64_set(&c->pids, pid, c->nr))
		return NULL;
	c->report->processes += pid != 0;
	c->process[c->nr] = (struct process){.pid = pid};
	return &c->process[c->nr++];
}

/* First range that ends behind @addr. */
static u32 first_behind(const struct process *p, u64 addr)
{
	u32 low = 0, high = p->nr;

	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (p->maps[middle].end > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static int make_room(struct process *p, u32 at)
{
	if (p->nr == p->cap) {
		u32 cap = p->cap ? p->cap * 2 : 64;
		struct range *more = realloc(p->maps, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		p->maps = more;
		p->cap = cap;
	}
	memmove(&p->maps[at + 1], &p->maps[at], (p->nr - at) * sizeof(*p->maps));
	p->nr++;
	return 0;
}

static int unmap(struct process *p, u64 start, u64 end)
{
	u32 i = first_behind(p, start), last;

	if (i < p->nr && p->maps[i].start < start) {
		if (p->maps[i].end > end) { /* a hole in the middle */
			if (make_room(p, i))
				return -ENOMEM;
			p->maps[i].end = start;
			p->maps[i + 1].start = end;
			return 0;
		}
		p->maps[i++].end = start;
	}
	for (last = i; last < p->nr && p->maps[last].end <= end; last++)
		;
	memmove(&p->maps[i], &p->maps[last], (p->nr - last) * sizeof(*p->maps));
	p->nr -= last - i;
	if (i < p->nr && p->maps[i].start < end)
		p->maps[i].start = end;
	return 0;
}

/* Adds [start, end), which is free, joining it to neighbours. */
static int map(struct process *p, u64 start, u64 end)
{
	u32 i = first_behind(p, start);

	if (i && p->maps[i - 1].end == start) {
		p->maps[i - 1].end = end;
		if (i < p->nr && p->maps[i].start == end) {
			p->maps[i - 1].end = p->maps[i].end;
			memmove(&p->maps[i], &p->maps[i + 1], (p->nr - i - 1) * sizeof(*p->maps));
			p->nr--;
		}
		return 0;
	}
	if (i < p->nr && p->maps[i].start == end) {
		p->maps[i].start = start;
		return 0;
	}
	if (make_room(p, i))
		return -ENOMEM;
	p->maps[i] = (struct range){start, end};
	return 0;
}

/* The recorded result as a number; false if there is none or it is an error. */
static bool result(const struct mm_op *op, u64 *value)
{
	const struct mm_op_ext *ext = mm_op_ext(op);

	*value = mm_op_res(op) == RES_ADDR	   ? op->addr
		 : mm_op_res(op) == RES_EXT && ext ? ext->result
						   : 0;
	if (mm_op_res(op) == RES_EXT && ext && ext->has & MM_EXT_RESULT_STR)
		return false;
	return mm_op_res(op) != RES_UNKNOWN && *value < -4095ull;
}

static int see_map(struct check *c, struct process *p, u64 start, u64 len, bool may_cover,
		   const char *what)
{
	u64 end = (start + len + ~c->page_mask) & c->page_mask;
	u32 i = first_behind(p, start);

	if (end <= start)
		return 0;
	if (!may_cover && i < p->nr && p->maps[i].start < end)
		finding(c,
			"%s at 0x%" PRIx64 " overlaps 0x%" PRIx64 "-0x%" PRIx64
			" of process %u, which was not unmapped",
			what, start, p->maps[i].start, p->maps[i].end, p->pid);
	return unmap(p, start, end) ? -ENOMEM : map(p, start, end);
}

static int see_mapping(struct check *c, struct process *p, const struct mm_op *op)
{
	const struct mm_op_ext *ext = mm_op_ext(op);
	u64 value, end = (op->addr + op->len + ~c->page_mask) & c->page_mask;
	int err;

	if (!result(op, &value))
		return 0;
	switch (op->code) {
	case OP_MMAP:
		return see_map(c, p, value, op->len, ext && ext->x0 & MM_MAP_FIXED, "mmap");
	case OP_MUNMAP:
		return end > op->addr ? unmap(p, op->addr, end) : 0;
	case OP_MREMAP:
		err = ext && ext->x0 & MM_MREMAP_DONTUNMAP
			      ? 0
			      : unmap(p, op->addr, end > op->addr ? end : op->addr);
		return err ? err
			   : see_map(c, p, value, op->arg, ext && ext->x0 & MM_MREMAP_FIXED,
				     "mremap");
	}
	return 0;
}

static int see_fork(struct check *c, u32 pid, u32 child)
{
	struct process *to = process_of(c, child), *from = process_of(c, pid);

	to = process_of(c, child); /* the second call may have moved it */
	if (!to || !from)
		return -ENOMEM;
	to->ended = false;
	to->nr = 0;
	for (u32 i = 0; i < from->nr && to != from; i++) {
		if (make_room(to, i))
			return -ENOMEM;
		to->maps[i] = from->maps[i];
	}
	return 0;
}

static void see_heap(struct check *c, const struct mm_op *op)
{
	const struct mm_op_ext *ext = mm_op_ext(op);
	bool unborn = false;

	if (op->code == OP_FREE)
		unborn = op->addr && (u32)op->arg == MM_SLOT_NONE;
	else if (op->code == OP_REALLOC)
		unborn = ext && ext->x0 && (u32)(op->arg >> 32) == MM_SLOT_NONE;
	c->report->unborn += unborn;
}

static int see(struct check *c, const struct mm_op *op)
{
	u32 pid = 0, tid = 0, child = 0;
	struct process *p;

	trace_task_ids(c->r, op->task, &pid, &tid);
	p = process_of(c, pid);
	if (!p)
		return -ENOMEM;
	if (op->code == OP_SPAWN || op->code == OP_EXEC) {
		p->nr = 0;
		p->ended = false;
	} else if (p->ended && pid && op_group(op->code) != OPG_CONTROL) {
		finding(c, "%s of process %u after its end", op_name(op->code), pid);
		p->ended = false; /* once is enough */
	}
	switch (op->code) {
	case OP_LOST:
		c->report->lost_events += op->len;
		finding(c, "%" PRIu64 " events lost", op->len);
		return 0;
	case OP_FORK:
		trace_task_ids(c->r, (u32)op->arg, &child, &tid);
		return see_fork(c, pid, child);
	case OP_EXIT:
		p->ended = pid == tid;
		return 0;
	}
	if (op_group(op->code) == OPG_HEAP)
		see_heap(c, op);
	return op_group(op->code) == OPG_MAPPING ? see_mapping(c, p, op) : 0;
}

static int see_all(struct check *c)
{
	const struct mm_op *ops;
	bool any = false;
	u64 first = 0;
	ssize_t n;

	while ((n = trace_next(c->r, &ops)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			const struct mm_op *op = &ops[i];
			int err;

			if (op->code == OP_TASK)
				continue;
			c->line = trace_op_line(c->r, (size_t)i);
			if (!any)
				first = op->ts;
			any = true;
			c->report->duration_ns = op->ts - first;
			c->report->events++;
			err = see(c, op);
			if (err)
				return err;
			i += !!(op->flags & MM_OP_HAS_EXT);
		}
	}
	return (int)n;
}

int trace_check(struct trace_reader *r, struct check_report *report, FILE *out, u64 limit)
{
	struct check c = {.r = r,
			  .report = report,
			  .out = out,
			  .limit = limit,
			  .page_mask = ~(((u64)1 << trace_reader_info(r)->page_shift) - 1)};
	int err;

	memset(report, 0, sizeof(*report));
	err = see_all(&c);
	report->tasks = trace_nr_tasks(r) - 1;
	for (u32 i = 0; i < c.nr; i++) {
		report->alive += c.process[i].pid && !c.process[i].ended;
		free(c.process[i].maps);
	}
	free(c.process);
	map64_free(&c.pids);
	return err;
}
