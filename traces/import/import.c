/* SPDX-License-Identifier: BSD-2-Clause */
#include "traces/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "traces/import/formats.h"
#include "traces/lines.h"
#include "traces/names.h"
#include "traces/tools.h"

static const struct import_format formats[] = {
	{.name = "text",
	 .help = "the project's own text form, or a binary trace to write anew",
	 .probe = text_probe},
	{.name = "strace",
	 .help = "strace -f -ttt (best with -y, of the memory calls, clone, execve)",
	 .probe = strace_probe,
	 .line = strace_line},
	{.name = "perf",
	 .help = "perf script of syscalls:*, exceptions:page_fault_user, sched:sched_process_*",
	 .probe = perf_probe,
	 .line = perf_line},
	{.name = "lackey",
	 .help = "valgrind --tool=lackey --trace-mem=yes",
	 .probe = lackey_probe,
	 .line = lackey_line},
	{.name = "heaptrack",
	 .help = "heaptrack's raw output (heaptrack --raw), unpacked",
	 .probe = heaptrack_probe,
	 .line = heaptrack_line},
	{.name = "oracleGeneral",
	 .help = "references as libCacheSim keeps them: binary records of 24 bytes",
	 .probe = oracle_probe,
	 .record_bytes = 24,
	 .record = oracle_record},
	{.name = "csv",
	 .help = "references: time,object[,bytes[,r|w]]",
	 .probe = csv_probe,
	 .line = csv_line},
};

const struct import_format *import_format(unsigned i)
{
	return i < ARRAY_SIZE(formats) ? &formats[i] : NULL;
}

bool text_probe(const char *line)
{
	return !strncmp(line, "memrig-trace ", 13);
}

u64 import_ts(struct importer *im, u64 ns)
{
	if (!im->started) {
		im->first_ts = ns;
		im->started = true;
	}
	return ns > im->first_ts ? ns - im->first_ts : 0;
}

int import_put(struct importer *im, struct mm_op *op, struct mm_op_ext *ext)
{
	struct mm_op both[2] = {*op};

	if (!ext)
		return trace_writer_put(im->w, op, 1);
	both[0].flags |= MM_OP_HAS_EXT;
	ext->code = OP_EXT;
	memcpy(&both[1], ext, sizeof(*ext));
	return trace_writer_put(im->w, both, 2);
}

void import_result(struct mm_op *op, struct mm_op_ext *ext, s64 value)
{
	op->flags |= RES_EXT << MM_OP_RES_SHIFT;
	ext->result = (u64)value;
}

int import_file(struct importer *im, u32 task, u64 ts, const char *name, u64 end)
{
	u64 key = XXH64(name, strlen(name), 0), pages = (end + im->page_size - 1) / im->page_size;
	u32 id = map64_get(&im->files, key), had;
	struct mm_op op = {.ts = ts, .task = task};
	struct mm_op_ext ext = {0};

	if (pages >= MAP64_NONE)
		pages = MAP64_NONE - 1;
	if (id == MAP64_NONE) {
		id = im->files.nr + 1;
		if (map64_set(&im->files, key, id))
			return -ENOMEM;
		op.code = OP_FILE;
		ext.x0 = trace_writer_string(im->w, name);
		ext.has = MM_EXT_X0;
	} else {
		had = map64_get(&im->sizes, id);
		if (had >= pages)
			return (int)id;
		op.code = OP_FTRUNCATE;
	}
	op.arg = id;
	op.len = pages * im->page_size;
	if (map64_set(&im->sizes, id, (u32)pages) || import_put(im, &op, ext.has ? &ext : NULL))
		return -ENOMEM;
	return (int)id;
}

/* Linux's numbers, the same on x86 and ARM. */
u64 import_map_flags(u64 abi)
{
	static const struct {
		u64 abi, flag;
	} map[] = {{0x10, MM_MAP_FIXED},
		   {0x20, MM_MAP_ANON},
		   {0x40, MM_MAP_32BIT},
		   {0x100, MM_MAP_GROWSDOWN},
		   {0x800, MM_MAP_DENYWRITE},
		   {0x2000, MM_MAP_LOCKED},
		   {0x4000, MM_MAP_NORESERVE},
		   {0x8000, MM_MAP_POPULATE},
		   {0x10000, MM_MAP_NONBLOCK},
		   {0x20000, MM_MAP_STACK},
		   {0x40000, MM_MAP_HUGETLB},
		   {0x80000, MM_MAP_SYNC},
		   {0x100000, MM_MAP_FIXED_NOREPLACE}};
	u64 flags = (abi & 3) == 2 ? MM_MAP_PRIVATE : (abi & 3) ? MM_MAP_SHARED : 0;

	for (size_t i = 0; i < ARRAY_SIZE(map); i++)
		if (abi & map[i].abi)
			flags |= map[i].flag;
	return flags;
}

u16 import_advice(u64 abi)
{
	static const u8 low[] = {MM_MADV_NORMAL,     MM_MADV_RANDOM,	    MM_MADV_SEQUENTIAL,
				 MM_MADV_WILLNEED,   MM_MADV_DONTNEED,	    MM_MADV_OTHER,
				 MM_MADV_OTHER,	     MM_MADV_OTHER,	    MM_MADV_FREE,
				 MM_MADV_REMOVE,     MM_MADV_DONTFORK,	    MM_MADV_DOFORK,
				 MM_MADV_MERGEABLE,  MM_MADV_UNMERGEABLE,   MM_MADV_HUGEPAGE,
				 MM_MADV_NOHUGEPAGE, MM_MADV_DONTDUMP,	    MM_MADV_DODUMP,
				 MM_MADV_WIPEONFORK, MM_MADV_KEEPONFORK,    MM_MADV_COLD,
				 MM_MADV_PAGEOUT,    MM_MADV_POPULATE_READ, MM_MADV_POPULATE_WRITE};

	return abi < ARRAY_SIZE(low) ? low[abi] : MM_MADV_OTHER;
}

static const struct import_format *by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (!strcmp(formats[i].name, name))
			return &formats[i];
	return NULL;
}

static const char *next_format(void *ctx)
{
	const struct import_format *f = import_format((*(unsigned *)ctx)++);

	return f ? f->name : NULL;
}

static const struct import_format *choose(const char *name, const char *input, struct lines *l,
					  char *err, size_t errlen)
{
	const struct import_format *f = name ? by_name(name) : NULL;
	unsigned from = 0;
	const char *near = name && !f ? names_nearest(name, strlen(name), next_format, &from)
				      : NULL,
		   *at;
	size_t left = lines_peek(l, 64 << 10, &at);

	if (name && !f)
		snprintf(err, errlen,
			 "unknown format '%s'%s%s%s; 'memrig trace import --list' lists all", name,
			 near ? ", did you mean '" : "", near ? near : "", near ? "'?" : "");
	if (name)
		return f;
	for (unsigned line = 0; line < 64 && left; line++) { /* the first lines may be messages */
		const char *nl = memchr(at, '\n', left);
		size_t n = nl ? (size_t)(nl - at) : left;
		char copy[256];

		snprintf(copy, sizeof(copy), "%.*s", (int)(n > 255 ? 255 : n), at);
		for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
			if (formats[i].probe(copy))
				return &formats[i];
		at += n + !!nl;
		left -= n + !!nl;
	}
	snprintf(err, errlen, "%s: expected one of the formats of 'memrig trace import --list'",
		 input);
	return NULL;
}

static int import_lines(struct importer *im, const struct import_format *f, struct lines *l,
			struct import_report *rep, const char *input, char *err, size_t errlen)
{
	const char *line;
	size_t n;
	int got;

	while ((got = lines_next(l, &line, &n)) > 0) {
		char *copy = strndup(line, n);
		int e = copy ? f->line(im, copy) : -ENOMEM;

		free(copy);
		rep->lines++;
		im->line++;
		rep->ignored += e == IMPORT_IGNORED;
		if (e == IMPORT_UNKNOWN && !rep->unknown++)
			rep->first_unknown = im->line;
		if (e < 0)
			return e;
	}
	if (got < 0)
		snprintf(err, errlen, "%s:%llu: %s", input, (unsigned long long)l->number,
			 got == -E2BIG ? "a line of more than 512 KiB" : strerror(-got));
	return got ? -EIO : f->finish ? f->finish(im) : 0;
}

static int import_records(struct importer *im, const struct import_format *f, struct lines *l,
			  struct import_report *rep)
{
	const char *at;
	size_t got;

	while ((got = lines_peek(l, f->record_bytes, &at)) >= f->record_bytes) {
		int e = f->record(im, (const u8 *)at);

		lines_take(l, f->record_bytes);
		rep->lines++;
		im->line++;
		if (e == IMPORT_UNKNOWN && !rep->unknown++)
			rep->first_unknown = im->line;
		if (e < 0)
			return e;
	}
	rep->unknown += got > 0; /* a cut record */
	return 0;
}

static int import_foreign(const struct import_format *f, struct lines *l, const char *input,
			  const char *output, int flags, struct import_report *rep, char *err,
			  size_t errlen)
{
	struct trace_info info;
	struct importer im = {.page_size = 4096};
	int e;

	trace_info_init(&info);
	info.page_shift = 12;
	trace_info_set(&info, "source", f->name);
	im.w = trace_writer_open(output, &info, flags, err, errlen);
	trace_info_free(&info);
	if (!im.w)
		return -EIO;
	*err = 0;
	e = f->record ? import_records(&im, f, l, rep)
		      : import_lines(&im, f, l, rep, input, err, errlen);
	rep->events = trace_writer_events(im.w);
	if (!e && !rep->events) {
		snprintf(err, errlen, "%s:%llu: expected %s", input,
			 (unsigned long long)(rep->first_unknown ? rep->first_unknown : 1),
			 f->help);
		e = -EINVAL;
	}
	if (im.free_own)
		im.free_own(im.own);
	map64_free(&im.files);
	map64_free(&im.sizes);
	map64_free(&im.known);
	if (e && *err) {
		trace_writer_abort(im.w);
		return e;
	}
	if (e == -EINVAL) {
		snprintf(err, errlen, "%s:%llu: values that no operation can have", input,
			 (unsigned long long)im.line);
		trace_writer_abort(im.w);
		return e;
	}
	return trace_writer_close(im.w, err, errlen);
}

static int import_text(const char *input, const char *output, int flags, struct import_report *rep,
		       char *err, size_t errlen)
{
	struct trace_reader *r = trace_open(input, 0, err, errlen);
	struct trace_select all;
	int e;

	if (!r)
		return -EINVAL;
	trace_select_init(&all);
	e = trace_copy_selected(r, output, flags, &all, &rep->events, err, errlen);
	rep->lines = rep->events;
	trace_close(r);
	return e;
}

int trace_import(const char *format, const char *input, const char *output, int flags,
		 struct import_report *report, char *err, size_t errlen)
{
	const struct import_format *f;
	bool from_stdin = !strcmp(input, "-");
	struct lines l;
	int e = -EINVAL, fd;

	memset(report, 0, sizeof(*report));
	if (format && !strcmp(format, "text"))
		return import_text(input, output, flags, report, err, errlen);
	fd = from_stdin ? dup(STDIN_FILENO) : open(input, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		snprintf(err, errlen, "%s: cannot open: %s", input, strerror(errno));
		return -errno;
	}
	if (lines_init(&l, fd)) {
		snprintf(err, errlen, "no memory");
		close(fd);
		return -ENOMEM;
	}
	f = choose(format, input, &l, err, errlen);
	if (f && (f->line || f->record))
		e = import_foreign(f, &l, input, output, flags, report, err, errlen);
	else if (f && from_stdin)
		snprintf(err, errlen, "text on standard input: expected --format text");
	else if (f)
		e = import_text(input, output, flags, report, err, errlen);
	lines_free(&l);
	close(fd);
	return e;
}
