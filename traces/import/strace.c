/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * strace -f -ttt: `[PID] SECONDS.MICROS call(arg, ...) = result`. Symbolic constants become
 * numbers, calls that another thread interrupted (<unfinished ...>) are put together again. A
 * thread's process is what clone said.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/import/formats.h"
#include "traces/names.h"

struct strace {
	struct map64 process; /* tid -> pid */
	struct map64 pending; /* tid -> index of text */
	char **text;
	u32 nr, cap;
	u32 main; /* on a terminal the first process has no number until there are more: it is task
		     1 */
};

static void free_strace(void *own)
{
	struct strace *s = own;

	for (u32 i = 0; i < s->nr; i++)
		free(s->text[i]);
	free(s->text);
	map64_free(&s->process);
	map64_free(&s->pending);
	free(s);
}

static struct strace *own(struct importer *im)
{
	if (!im->own) {
		im->own = calloc(1, sizeof(struct strace));
		im->free_own = free_strace;
	}
	return im->own;
}

/* "1700000000.123456" to nanoseconds; NULL if there is no such time. */
static const char *parse_seconds(const char *s, u64 *ns)
{
	char *end;
	u64 sec = strtoull(s, &end, 10), frac = 0;
	unsigned digits = 0;

	if (end == s || *end != '.')
		return NULL;
	for (s = end + 1; isdigit((unsigned char)*s); s++)
		if (digits < 9) {
			frac = frac * 10 + (u64)(*s - '0');
			digits++;
		}
	for (; digits < 9; digits++)
		frac *= 10;
	*ns = sec * 1000000000ull + frac;
	return s;
}

/* pid and time of a line; returns what follows, or NULL. */
static const char *parse_start(const char *s, u32 *tid, u64 *ns)
{
	char *end;

	*tid = 1;
	while (*s == ' ')
		s++;
	if (!strncmp(s, "[pid ", 5)) {
		*tid = (u32)strtoul(s + 5, &end, 10);
		if (*end != ']')
			return NULL;
		s = end + 1;
	} else {
		u64 v = strtoull(s, &end, 10);

		if (end != s && *end == ' ') {
			*tid = (u32)v;
			s = end;
		}
	}
	while (*s == ' ')
		s++;
	s = parse_seconds(s, ns);
	while (s && *s == ' ')
		s++;
	return s;
}

bool strace_probe(const char *line)
{
	u32 tid;
	u64 ns;
	const char *s = parse_start(line, &tid, &ns);

	return s && (isalpha((unsigned char)*s) || *s == '+' || *s == '<') && strpbrk(s, "(+<");
}

static const struct {
	const char *name;
	u64 value;
} constants[] = {{"PROT_READ", 1},	     {"PROT_WRITE", 2},
		 {"PROT_EXEC", 4},	     {"PROT_NONE", 0},
		 {"MAP_SHARED", 1},	     {"MAP_PRIVATE", 2},
		 {"MAP_SHARED_VALIDATE", 3}, {"MAP_FIXED", 0x10},
		 {"MAP_ANONYMOUS", 0x20},    {"MAP_32BIT", 0x40},
		 {"MAP_GROWSDOWN", 0x100},   {"MAP_DENYWRITE", 0x800},
		 {"MAP_LOCKED", 0x2000},     {"MAP_NORESERVE", 0x4000},
		 {"MAP_POPULATE", 0x8000},   {"MAP_NONBLOCK", 0x10000},
		 {"MAP_STACK", 0x20000},     {"MAP_HUGETLB", 0x40000},
		 {"MAP_SYNC", 0x80000},	     {"MAP_FIXED_NOREPLACE", 0x100000},
		 {"MREMAP_MAYMOVE", 1},	     {"MREMAP_FIXED", 2},
		 {"MREMAP_DONTUNMAP", 4},    {"MCL_CURRENT", 1},
		 {"MCL_FUTURE", 2},	     {"MCL_ONFAULT", 4},
		 {"MLOCK_ONFAULT", 1},	     {"MADV_NORMAL", 0},
		 {"MADV_RANDOM", 1},	     {"MADV_SEQUENTIAL", 2},
		 {"MADV_WILLNEED", 3},	     {"MADV_DONTNEED", 4},
		 {"MADV_FREE", 8},	     {"MADV_REMOVE", 9},
		 {"MADV_DONTFORK", 10},	     {"MADV_DOFORK", 11},
		 {"MADV_MERGEABLE", 12},     {"MADV_UNMERGEABLE", 13},
		 {"MADV_HUGEPAGE", 14},	     {"MADV_NOHUGEPAGE", 15},
		 {"MADV_DONTDUMP", 16},	     {"MADV_DODUMP", 17},
		 {"MADV_WIPEONFORK", 18},    {"MADV_KEEPONFORK", 19},
		 {"MADV_COLD", 20},	     {"MADV_PAGEOUT", 21},
		 {"MADV_POPULATE_READ", 22}, {"MADV_POPULATE_WRITE", 23},
		 {"CLONE_VM", 0x100},	     {"CLONE_THREAD", 0x10000},
		 {"CLONE_VFORK", 0x4000},    {"NULL", 0}};

static u64 constant(const char *s, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(constants); i++)
		if (strlen(constants[i].name) == n && !strncmp(constants[i].name, s, n))
			return constants[i].value;
	return 0; /* others do not matter to memory */
}

/* Sum of a|b|c, where words are constants. */
static u64 parse_value(const char *s, size_t n)
{
	u64 sum = 0;

	while (n) {
		size_t part = 0;
		u64 v;

		while (part < n && s[part] != '|')
			part++;
		if (names_number(s, part, &v))
			v = constant(s, part);
		sum |= v;
		s += part + (part < n);
		n -= part + (part < n);
	}
	return sum;
}

/* Splits `a, b, c` at commas outside brackets and quotes; returns the end: the closing parenthesis.
 */
static char *split_args(char *s, char *arg[], unsigned max, unsigned *nr)
{
	int depth = 0;
	bool quoted = false;

	*nr = 0;
	while (*s == ' ')
		s++;
	if (*s != ')' && max)
		arg[(*nr)++] = s;
	for (; *s; s++) {
		if (quoted) {
			if (*s == '\\' && s[1])
				s++;
			else if (*s == '"')
				quoted = false;
		} else if (*s == '"') {
			quoted = true;
		} else if (strchr("([{<", *s)) {
			depth++;
		} else if (strchr(")]}>", *s)) {
			if (!depth && *s == ')')
				return s;
			depth -= depth > 0 && !(*s == '>' && s[-1] == '-');
		} else if (*s == ',' && !depth) {
			*s = 0;
			while (s[1] == ' ')
				s++;
			if (*nr < max)
				arg[(*nr)++] = s + 1;
		}
	}
	return NULL;
}

static bool parse_result(const char *s, s64 *result)
{
	char *end;

	while (*s == ' ')
		s++;
	if (*s++ != '=')
		return false;
	while (*s == ' ')
		s++;
	if (*s == '-') {
		size_t n;
		int err;

		s += strcspn(s, " ");
		s += *s == ' ';
		n = strcspn(s, " ");
		err = names_errno(s, n);
		*result = err ? -err : -EINVAL;
		return true;
	}
	*result = (s64)strtoull(s, &end, 0);
	return end != s;
}

static u32 pid_of(struct strace *s, u32 tid)
{
	u32 pid = map64_get(&s->process, tid);

	return pid == MAP64_NONE ? tid : pid;
}

static int put_simple(struct importer *im, u32 pid, u32 tid, u64 ts, u8 code)
{
	struct mm_op op = {.ts = ts, .task = trace_writer_task(im->w, pid, tid), .code = code};

	return trace_writer_put(im->w, &op, 1);
}

/* The name in `3</lib/libc.so>`, or "fd 3 of PID" from plain numbers. */
static const char *file_name(char *fd, u32 pid, char *buf, size_t n)
{
	char *open = strchr(fd, '<'), *close = strrchr(fd, '>');

	if (*fd == '-')
		return NULL;
	if (open && close > open)
		snprintf(buf, n, "%.*s", (int)(close - open - 1), open + 1);
	else
		snprintf(buf, n, "fd %.16s of %u", fd, pid);
	return buf;
}

static int do_clone(struct importer *im, u32 tid, u64 ts, char *arg[], unsigned nr, s64 result)
{
	struct strace *s = im->own;
	u32 pid = pid_of(s, tid);
	u64 flags = 0;

	if (result <= 0 || result > 0x7fffffff)
		return IMPORT_IGNORED;
	for (unsigned i = 0; i < nr; i++) {
		const char *f = strstr(arg[i], "flags=");

		if (f)
			flags = parse_value(f + 6, strcspn(f + 6, ",} "));
	}
	if (flags & 0x10000 && map64_set(&s->process, (u64)result, pid))
		return -ENOMEM;
	return import_clone(im, pid, tid, 0, ts, (u32)result, flags);
}

static int do_call(struct importer *im, u32 tid, u64 ts, char *text)
{
	struct strace *s = im->own;
	char *open = strchr(text, '('), *arg[8], *end, name[512];
	struct import_call c = {.name = text};
	unsigned nr;

	if (!open)
		return IMPORT_UNKNOWN;
	*open = 0;
	end = split_args(open + 1, arg, ARRAY_SIZE(arg), &nr);
	if (!end)
		return IMPORT_UNKNOWN;
	*end = 0;
	c.has_result = parse_result(end + 1, &c.result);
	if (!strcmp(text, "clone") || !strcmp(text, "clone3") || !strcmp(text, "fork") ||
	    !strcmp(text, "vfork"))
		return do_clone(im, tid, ts, arg, nr, c.has_result ? c.result : 0);
	if (!strcmp(text, "execve") || !strcmp(text, "execveat"))
		return c.has_result && !c.result ? put_simple(im, pid_of(s, tid), tid, ts, OP_EXEC)
						 : IMPORT_IGNORED;
	if (!import_is_memory_call(text))
		return IMPORT_IGNORED;
	for (unsigned i = 0; i < nr && i < 6; i++)
		c.arg[i] = parse_value(arg[i], strcspn(arg[i], "<"));
	if (!strcmp(text, "mmap2"))
		c.arg[5] *= 4096;
	if (!strncmp(text, "mmap", 4) && nr > 4)
		c.file = file_name(arg[4], pid_of(s, tid), name, sizeof(name));
	return import_syscall(im, pid_of(s, tid), tid, 0, ts, &c);
}

static int keep_pending(struct strace *s, u32 tid, const char *text, size_t n)
{
	u32 i = map64_get(&s->pending, tid);
	char *copy = strndup(text, n);

	if (!copy)
		return -ENOMEM;
	if (i == MAP64_NONE) {
		if (s->nr == s->cap) {
			u32 cap = s->cap ? s->cap * 2 : 16;
			char **more = realloc(s->text, cap * sizeof(*more));

			if (!more) {
				free(copy);
				return -ENOMEM;
			}
			s->text = more;
			s->cap = cap;
		}
		i = s->nr++;
		s->text[i] = NULL;
		if (map64_set(&s->pending, tid, i)) {
			free(copy);
			return -ENOMEM;
		}
	}
	free(s->text[i]);
	s->text[i] = copy;
	return IMPORT_IGNORED;
}

/* <... mmap resumed>rest: what was kept and the rest. */
static int resume(struct importer *im, u32 tid, u64 ts, const char *rest)
{
	struct strace *s = im->own;
	u32 i = map64_get(&s->pending, tid);
	const char *at = strstr(rest, "resumed>");
	char *whole;
	int e;

	if (i == MAP64_NONE || !s->text[i] || !at)
		return IMPORT_UNKNOWN;
	if (asprintf(&whole, "%s%s", s->text[i], at + 8) < 0)
		return -ENOMEM;
	free(s->text[i]);
	s->text[i] = NULL;
	e = do_call(im, tid, ts, whole);
	free(whole);
	return e;
}

/* "strace: Process N attached": a child, seen before its parent's clone returns. */
static int attached(struct importer *im, const char *number)
{
	u32 child = (u32)strtoul(number, NULL, 10);

	return map64_set(&im->known, child, 1) ? -ENOMEM : IMPORT_IGNORED;
}

/* The first number that no child has is that of the process which had none before. */
static u32 first_process(struct importer *im, u32 tid)
{
	struct strace *s = im->own;

	if (!s->main && tid != 1 && map64_get(&im->known, tid) == MAP64_NONE &&
	    map64_get(&im->known, 1) != MAP64_NONE)
		s->main = tid;
	return tid == s->main ? 1 : tid;
}

int strace_line(struct importer *im, char *line)
{
	struct strace *s = own(im);
	u32 tid;
	u64 ns;
	const char *text = parse_start(line, &tid, &ns);
	const char *message = strstr(line, "strace: Process ");
	char *cut;

	if (!s)
		return -ENOMEM;
	if (message && strstr(message, " attached"))
		return attached(im, message + 16); /* perhaps behind the beginning of a call */
	if (!text || !tid || tid > 0x7fffffff)
		return *line ? IMPORT_UNKNOWN : IMPORT_IGNORED;
	if (tid == 1 && map64_set(&im->known, 1, 1)) /* there are lines without a number */
		return -ENOMEM;
	tid = first_process(im, tid);
	ns = import_ts(im, ns);
	if (!strncmp(text, "+++ ", 4))
		return put_simple(im, pid_of(s, tid), tid, ns, OP_EXIT);
	if (*text == '-' || !*text) /* signals */
		return IMPORT_IGNORED;
	if (!strncmp(text, "<... ", 5))
		return resume(im, tid, ns, text);
	cut = strstr(text, "<unfinished ...>");
	if (cut)
		return keep_pending(s, tid, text, (size_t)(cut - text));
	return do_call(im, tid, ns, line + (text - line));
}
