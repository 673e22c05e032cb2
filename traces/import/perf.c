/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * perf script (optionally -F comm,pid,tid,cpu,time,event,trace,addr): `COMM PID/TID [CPU] SECONDS:
 * EVENT: FIELDS`. System calls are put together from sys_enter_X and sys_exit_X of a thread; faults
 * come from exceptions:page_fault_user; tasks from sched:sched_process_fork, exec, exit. perf
 * record -e 'syscalls:sys_*_mmap' ... needs -T for times.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/import/formats.h"
#include "traces/names.h"

struct pending { /* a call that was entered */
	char name[24];
	u64 arg[6];
};

struct perf {
	struct map64 calls;   /* tid -> index of pending */
	struct map64 process; /* tid -> pid */
	struct pending *pending;
	u32 nr, cap;
};

struct sample {
	u32 pid, tid;
	u8 cpu;
	u64 ns;
	const char *event, *rest; /* event: up to its colon */
	size_t event_len;
};

static void free_perf(void *own)
{
	struct perf *p = own;

	map64_free(&p->calls);
	map64_free(&p->process);
	free(p->pending);
	free(p);
}

static struct perf *own(struct importer *im)
{
	if (!im->own) {
		im->own = calloc(1, sizeof(struct perf));
		im->free_own = free_perf;
	}
	return im->own;
}

/* "12345.678901:" to nanoseconds. */
static bool parse_time(const char *s, u64 *ns, const char **rest)
{
	char *end;
	u64 sec = strtoull(s, &end, 10), frac = 0;
	unsigned digits = 0;

	if (end == s || *end != '.')
		return false;
	for (s = end + 1; isdigit((unsigned char)*s) && digits < 9; s++, digits++)
		frac = frac * 10 + (u64)(*s - '0');
	for (; digits < 9; digits++)
		frac *= 10;
	*ns = sec * 1000000000ull + frac;
	*rest = s + 1;
	return *s == ':';
}

/* The words before the time: the last number (or PID/TID) is the task, [N] the CPU. */
static bool parse_sample(const char *line, struct sample *s)
{
	const char *at = line;
	bool task = false;

	memset(s, 0, sizeof(*s));
	for (;;) {
		char *end;
		u64 v;

		while (*at == ' ' || *at == '\t')
			at++;
		if (!*at)
			return false;
		if (task && parse_time(at, &s->ns, &s->rest))
			break;
		v = strtoull(at + (*at == '['), &end, 10);
		if (*at == '[' && *end == ']') {
			s->cpu = (u8)v;
		} else if (end != at && (*end == ' ' || *end == '/') && v <= 0x7fffffff) {
			s->pid = s->tid = (u32)v;
			if (*end == '/')
				s->tid = (u32)strtoul(end + 1, NULL, 10);
			task = true;
		}
		while (*at && *at != ' ' && *at != '\t')
			at++;
	}
	at = s->rest;
	while (*at == ' ' || isdigit((unsigned char)*at)) /* a period may stand before the event */
		at++;
	s->event = at;
	while (*at && *at != ' ' && !(*at == ':' && (at[1] == ' ' || !at[1])))
		at++;
	s->event_len = (size_t)(at - s->event);
	s->rest = *at == ':' ? at + 1 : at;
	return s->event_len && s->tid <= 0x7fffffff;
}

bool perf_probe(const char *line)
{
	struct sample s;

	return parse_sample(line, &s) && memchr(s.event, ':', s.event_len);
}

static bool is_event(const struct sample *s, const char *name)
{
	return s->event_len == strlen(name) && !strncmp(s->event, name, s->event_len);
}

/* Number of "key=0x1" or "key: 0x1" in the fields. */
static bool field(const char *rest, const char *key, u64 *value)
{
	size_t n = strlen(key);

	for (const char *at = rest; (at = strstr(at, key)); at += n) {
		const char *v = at + n;

		if ((at != rest && at[-1] != ' ' && at[-1] != ',') || (*v != '=' && *v != ':'))
			continue;
		for (v++; *v == ' '; v++)
			;
		return !names_number(v, strcspn(v, ", )\n"), value);
	}
	return false;
}

static int enter(struct importer *im, const struct sample *s, const char *call, size_t n)
{
	static const char *const keys[][6] = {
		{"addr", "len", "prot", "flags", "fd", "off"},		     /* mmap */
		{"addr", "old_len", "new_len", "flags", "new_addr", "none"}, /* mremap */
		{"start", "len", "prot", "flags", "none", "none"}, /* mprotect, mlock, madvise */
		{"addr", "len", "none", "none", "none", "none"},   /* munmap */
		{"brk", "none", "none", "none", "none", "none"},
		{"flags", "none", "none", "none", "none", "none"}, /* mlockall */
	};
	struct perf *p = im->own;
	struct pending c = {.name = ""};
	u32 i = map64_get(&p->calls, s->tid);
	unsigned row;

	if (n >= sizeof(c.name))
		return IMPORT_IGNORED;
	memcpy(c.name, call, n);
	if (!import_is_memory_call(c.name))
		return IMPORT_IGNORED;
	row = !strcmp(c.name, "mmap")	    ? 0
	      : !strcmp(c.name, "mremap")   ? 1
	      : !strcmp(c.name, "munmap")   ? 3
	      : !strcmp(c.name, "brk")	    ? 4
	      : !strcmp(c.name, "mlockall") ? 5
					    : 2;
	for (unsigned k = 0; k < 6; k++)
		field(s->rest, keys[row][k], &c.arg[k]);
	if (row == 2)
		field(s->rest, "len_in", &c.arg[1]);
	if (!strcmp(c.name, "madvise"))
		field(s->rest, "behavior", &c.arg[2]);
	if (!strcmp(c.name, "mlock2"))
		c.arg[2] = c.arg[3];
	if (i == MAP64_NONE) {
		if (p->nr == p->cap) {
			u32 cap = p->cap ? p->cap * 2 : 64;
			struct pending *more = realloc(p->pending, cap * sizeof(*more));

			if (!more)
				return -ENOMEM;
			p->pending = more;
			p->cap = cap;
		}
		i = p->nr++;
		if (map64_set(&p->calls, s->tid, i))
			return -ENOMEM;
	}
	p->pending[i] = c;
	return IMPORT_DONE;
}

static int leave(struct importer *im, const struct sample *s, const char *call, size_t n)
{
	struct perf *p = im->own;
	u32 i = map64_get(&p->calls, s->tid);
	struct import_call c = {.has_result = true};
	char name[32];
	struct pending *was;
	u64 result;
	const char *at = s->rest;

	if (i == MAP64_NONE || strncmp(p->pending[i].name, call, n) || p->pending[i].name[n] || !n)
		return IMPORT_IGNORED; /* entered before the recording */
	was = &p->pending[i];
	while (*at == ' ')
		at++;
	if (names_number(at, strcspn(at, " \n"), &result))
		return IMPORT_UNKNOWN;
	c.name = was->name;
	c.result = (s64)result;
	memcpy(c.arg, was->arg, sizeof(c.arg));
	if (!strcmp(was->name, "mmap") && !(c.arg[3] & 0x20) && (s32)c.arg[4] >= 0) {
		snprintf(name, sizeof(name), "fd %u of %u", (unsigned)c.arg[4], s->pid);
		c.file = name;
	}
	i = (u32)import_syscall(im, s->pid, s->tid, s->cpu, import_ts(im, s->ns), &c);
	was->name[0] = 0;
	return (int)i;
}

static int put(struct importer *im, const struct sample *s, struct mm_op op)
{
	op.ts = import_ts(im, s->ns);
	op.cpu = s->cpu;
	op.task = trace_writer_task(im->w, s->pid, s->tid);
	return trace_writer_put(im->w, &op, 1);
}

static int fault(struct importer *im, const struct sample *s)
{
	u64 addr, code;

	if (!field(s->rest, "address", &addr) || !field(s->rest, "error_code", &code))
		return IMPORT_UNKNOWN;
	return put(im, s,
		   (struct mm_op){.code = OP_FAULT,
				  .addr = addr, /* bit 1: write, bit 4: fetch */
				  .flags = code & 2    ? MM_ACCESS_WRITE
					   : code & 16 ? MM_ACCESS_EXEC
						       : MM_ACCESS_READ});
}

/* A child is a thread if it shows up later under its parent's pid; sched_process_fork does not say,
 * a fork is assumed. */
static int fork_event(struct importer *im, const struct sample *s)
{
	u64 child;

	if (!field(s->rest, "child_pid", &child) || !child || child > 0x7fffffff)
		return IMPORT_UNKNOWN;
	return import_clone(im, s->pid, s->tid, s->cpu, import_ts(im, s->ns), (u32)child, 0);
}

int perf_line(struct importer *im, char *line)
{
	static const char enter_prefix[] = "syscalls:sys_enter_",
			  exit_prefix[] = "syscalls:sys_exit_";
	size_t ne = sizeof(enter_prefix) - 1, nx = sizeof(exit_prefix) - 1;
	struct sample s;

	if (!own(im))
		return -ENOMEM;
	if (!*line || *line == '#')
		return IMPORT_IGNORED;
	if (!parse_sample(line, &s) || !s.pid)
		return *line == ' ' || *line == '\t' ? IMPORT_IGNORED : IMPORT_UNKNOWN;
	if (s.event_len > ne && !strncmp(s.event, enter_prefix, ne))
		return enter(im, &s, s.event + ne, s.event_len - ne);
	if (s.event_len > nx && !strncmp(s.event, exit_prefix, nx))
		return leave(im, &s, s.event + nx, s.event_len - nx);
	if (is_event(&s, "exceptions:page_fault_user"))
		return fault(im, &s);
	if (is_event(&s, "sched:sched_process_fork"))
		return fork_event(im, &s);
	if (is_event(&s, "sched:sched_process_exec"))
		return put(im, &s, (struct mm_op){.code = OP_EXEC});
	if (is_event(&s, "sched:sched_process_exit"))
		return put(im, &s, (struct mm_op){.code = OP_EXIT});
	return IMPORT_IGNORED;
}
