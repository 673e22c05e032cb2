/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Suite replay: whole traces through the reader and machine_apply() on one core, each on a machine
 * that has just booted (creation is not timed). An iteration is one pass, an item one event.
 *
 * mixed: one process with 64 regions of 4 to 64 pages. Of 100 events 10 are mapping calls (half mmap
 * and munmap, the rest mprotect, brk, madvise), 60 first touches and 30 accesses of touched pages:
 * about what compilers and interpreters do, with more mapping calls (a recorded python3 has 5). Seven
 * events of eight go to the region of the one before. mixed-mapping has 25 mapping calls instead.
 * captured: the traces of traces/samples (or $MEMRIG_SAMPLES), one after the other.
 * NAME-decode reads the same file and applies nothing, NAME-apply applies what was decoded before;
 * raw=1: the trace is in raw records instead of compressed columns.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "core/base/bug.h"
#include "core/base/limits.h"
#include "core/base/prng.h"
#include "core/machine.h"
#include "traces/reader.h"
#include "traces/writer.h"

#define EVENTS   (1u << 18)
#define RECORDS  (EVENTS + EVENTS / 4) /* room for the extensions of mmap */
#define REGIONS  64
#define PAGE     4096ull
#define SPACING  MiB /* between regions: greater than the largest */
#define BASE     0x10000000ull
#define HEAP     0x8000000ull
#define TASK     1u
#define MAX_TRACES 32

struct region {
	u64 addr, pages, touched; /* pages 0: not mapped */
	bool readonly;            /* its first half: then only reads go to the region */
};

struct stream {
	struct mm_op *ops;
	size_t nr;
	u64 events;
	u64 brk;
	struct region regions[REGIONS];
	u64 last; /* index of the region touched last */
	struct prng prng;
};

/* A trace file, and what a pass over it needs. */
struct trace_file {
	char path[512];
	bool temporary;
	u64 events;
	struct mm_op *ops; /* decoded, for NAME-apply */
	size_t nr;
	struct machine *m; /* fresh for each pass */
};

struct replay_bench {
	struct machine_config config;
	struct trace_file t[MAX_TRACES];
	unsigned nr;
	bool decode, apply; /* which halves a pass does */
};

static struct mm_op *add(struct stream *s, u8 code, u64 addr, u64 len)
{
	struct mm_op *op = &s->ops[s->nr++];

	memset(op, 0, sizeof(*op));
	op->ts = s->events++ * 100;
	op->code = code;
	op->task = TASK;
	op->addr = addr;
	op->len = len;
	return op;
}

static void add_mmap(struct stream *s, struct region *r, size_t i)
{
	struct mm_op_ext *ext;
	struct mm_op *op;

	r->addr = BASE + i * SPACING;
	r->pages = 4 + prng_below(&s->prng, 61);
	r->touched = 0;
	r->readonly = false;
	op = add(s, OP_MMAP, r->addr, r->pages * PAGE);
	op->flags = MM_PROT_READ | MM_PROT_WRITE | MM_OP_HAS_ADDR | MM_OP_HAS_LEN | MM_OP_HAS_EXT;
	ext = (struct mm_op_ext *)(void *)&s->ops[s->nr++];
	memset(ext, 0, sizeof(*ext));
	ext->code = OP_EXT;
	ext->has = MM_EXT_X0;
	ext->x0 = MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED;
}

static void add_munmap(struct stream *s, struct region *r)
{
	add(s, OP_MUNMAP, r->addr, r->pages * PAGE);
	r->pages = 0;
}

/* Splits the region's VMA, and merges it again the next time. */
static void add_mprotect(struct stream *s, struct region *r)
{
	r->readonly = !r->readonly;
	add(s, OP_MPROTECT, r->addr, r->pages / 2 * PAGE)->flags |=
		(u16)(MM_PROT_READ | (r->readonly ? 0 : MM_PROT_WRITE));
}

static void add_brk(struct stream *s)
{
	u64 size = prng_below(&s->prng, 64) * PAGE;

	s->brk = HEAP + size;
	add(s, OP_BRK, s->brk, 0)->flags |= MM_OP_HAS_ADDR;
}

static void add_madvise(struct stream *s, struct region *r)
{
	add(s, OP_MADVISE, r->addr, r->pages * PAGE)->flags |= MM_MADV_DONTNEED;
	r->touched = 0;
}

static void add_mapping_call(struct stream *s, struct region *r, size_t i)
{
	u64 dice = prng_below(&s->prng, 100);

	if (!r->pages)
		add_mmap(s, r, i);
	else if (dice < 60)
		add_munmap(s, r);
	else if (dice < 75)
		add_mprotect(s, r);
	else if (dice < 90)
		add_brk(s);
	else
		add_madvise(s, r);
}

static void add_touch(struct stream *s, struct region *r)
{
	add(s, OP_FAULT, r->addr + r->touched++ * PAGE, 0)->flags |=
		(u16)(r->readonly ? MM_ACCESS_READ : MM_ACCESS_WRITE);
}

static void add_access(struct stream *s, struct region *r)
{
	u64 addr = r->addr + prng_below(&s->prng, r->touched) * PAGE + 64;
	bool write = !r->readonly && prng_below(&s->prng, 2);

	add(s, write ? OP_WRITE : OP_READ, addr, 8)->flags |= MM_OP_HAS_ADDR | MM_OP_HAS_LEN;
}

/* A region that @wants holds for: seven times of eight the last one, else any. NULL: there is none. */
static struct region *find(struct stream *s, bool (*wants)(const struct region *))
{
	if (!prng_below(&s->prng, 8))
		s->last = prng_below(&s->prng, REGIONS);
	for (u64 i = 0; i < REGIONS; i++, s->last = (s->last + 1) % REGIONS)
		if (wants(&s->regions[s->last]))
			return &s->regions[s->last];
	return NULL;
}

static bool untouched(const struct region *r)
{
	return r->touched < r->pages;
}

static bool touched(const struct region *r)
{
	return r->pages && r->touched;
}

static void add_event(struct stream *s, u64 mapping_percent)
{
	u64 dice = prng_below(&s->prng, 100), i = prng_below(&s->prng, REGIONS);
	struct region *r = NULL;

	if (dice >= mapping_percent) {
		bool first = (dice - mapping_percent) * 3 < (100 - mapping_percent) * 2;

		r = find(s, first ? untouched : touched);
		if (r && first)
			add_touch(s, r);
		else if (r)
			add_access(s, r);
	}
	if (!r)
		add_mapping_call(s, &s->regions[i], i);
}

static int make_stream(struct stream *s, u64 mapping_percent)
{
	s->ops = calloc(RECORDS, sizeof(*s->ops));
	if (!s->ops)
		return -ENOMEM;
	prng_seed(&s->prng, 1);
	add(s, OP_SPAWN, HEAP, 0x7ffffff000)->flags |= MM_OP_HAS_ADDR | MM_OP_HAS_LEN;
	while (s->events < EVENTS - 1 && s->nr < RECORDS - 3)
		add_event(s, mapping_percent);
	add(s, OP_EXIT, 0, 0);
	return 0;
}

/* Writes the stream as a trace to a temporary file. */
static int write_stream(const struct stream *s, struct trace_file *t, bool raw)
{
	struct trace_info info;
	struct trace_writer *w;
	char err[512];
	int fd, rc;

	snprintf(t->path, sizeof(t->path), "/tmp/memrig-bench-XXXXXX");
	fd = mkstemp(t->path);
	if (fd < 0)
		return -errno;
	close(fd);
	t->temporary = true;
	trace_info_init(&info);
	w = trace_writer_open(t->path, &info, raw ? TRACE_WRITE_RAW : 0, err, sizeof(err));
	trace_info_free(&info);
	if (!w)
		return -EIO;
	if (trace_writer_task(w, 100, 100) != TASK || trace_writer_put(w, s->ops, s->nr)) {
		trace_writer_abort(w);
		return -EIO;
	}
	rc = trace_writer_close(w, err, sizeof(err));
	return rc;
}

static int make_trace(struct trace_file *t, u64 mapping_percent, bool raw)
{
	struct stream *s = calloc(1, sizeof(*s));
	int rc = s ? make_stream(s, mapping_percent) : -ENOMEM;

	if (!rc)
		rc = write_stream(s, t, raw);
	if (s)
		free(s->ops);
	free(s);
	return rc;
}

/* ---- captured traces ---- */

static void samples_dir(char *dir, size_t n)
{
	const char *given = getenv("MEMRIG_SAMPLES");
	char exe[400];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	exe[len > 0 ? len : 0] = 0;
	slash = strrchr(exe, '/');
	if (slash)
		*slash = 0;
	if (given)
		snprintf(dir, n, "%s", given);
	else
		snprintf(dir, n, "%s/../../traces/samples", exe);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct trace_file *)a)->path, ((const struct trace_file *)b)->path);
}

static int find_samples(struct replay_bench *b)
{
	char dir[448];
	struct dirent *e;
	DIR *d;

	samples_dir(dir, sizeof(dir));
	d = opendir(dir);
	while (d && (e = readdir(d)) && b->nr < MAX_TRACES) {
		size_t n = strlen(e->d_name);

		if (n > 4 && !strcmp(e->d_name + n - 4, ".mrt") &&
		    (size_t)snprintf(b->t[b->nr].path, sizeof(b->t[0].path), "%s/%s", dir, e->d_name) <
			    sizeof(b->t[0].path))
			b->nr++;
	}
	if (d)
		closedir(d);
	qsort(b->t, b->nr, sizeof(b->t[0]), by_path);
	return b->nr ? 0 : -ENODATA;
}

/* ---- passes ---- */

/* The next batch of a trace; its end and errors are both 0, for load() has read it before. */
static size_t next(struct trace_reader *r, const struct mm_op **ops)
{
	ssize_t n = trace_next(r, ops);

	return n > 0 ? (size_t)n : 0;
}

/* Reads the whole trace into memory: counts its events and proves that it can be read. */
static int load(struct trace_file *t)
{
	char err[512];
	struct trace_reader *r = trace_open(t->path, TRACE_READ_INLINE, err, sizeof(err));
	const struct mm_op *ops;
	ssize_t n;

	if (!r)
		return -EIO;
	while ((n = trace_next(r, &ops)) > 0) {
		struct mm_op *grown = realloc(t->ops, (t->nr + (size_t)n) * sizeof(*grown));

		if (!grown) {
			n = -ENOMEM;
			break;
		}
		t->ops = grown;
		memcpy(t->ops + t->nr, ops, (size_t)n * sizeof(*ops));
		t->nr += (size_t)n;
		for (ssize_t i = 0; i < n; i++)
			t->events += ops[i].code != OP_EXT && ops[i].code != OP_TASK;
	}
	trace_close(r);
	return (int)n;
}

static int boot(struct replay_bench *b)
{
	char err[256];

	for (unsigned i = 0; i < b->nr && b->apply; i++) {
		if (b->t[i].m)
			machine_destroy(b->t[i].m);
		b->t[i].m = machine_create(&b->config, err, sizeof(err));
		if (!b->t[i].m)
			return -ENOMEM;
	}
	return 0;
}

static void replay_teardown(struct bench_ctx *ctx)
{
	struct replay_bench *b = ctx->data;

	for (unsigned i = 0; i < b->nr; i++) {
		if (b->t[i].m)
			machine_destroy(b->t[i].m);
		if (b->t[i].temporary)
			unlink(b->t[i].path);
		free(b->t[i].ops);
	}
	free(b);
}

/* @mapping_percent 0: the captured traces. */
static int setup(struct bench_ctx *ctx, u64 mapping_percent, bool decode, bool apply)
{
	struct replay_bench *b = calloc(1, sizeof(*b));
	char err[256];
	int rc;

	if (!b)
		return -ENOMEM;
	ctx->data = b;
	b->decode = decode;
	b->apply = apply;
	config_init(&b->config);
	rc = config_set_pair(&b->config, "mem=4G", err, sizeof(err));
	if (!rc)
		rc = config_finish(&b->config, err, sizeof(err));
	b->nr = mapping_percent ? 1 : 0;
	if (!rc)
		rc = mapping_percent ? make_trace(&b->t[0], mapping_percent, ctx->arg != 0) : find_samples(b);
	ctx->items = 0;
	for (unsigned i = 0; i < b->nr && !rc; i++) {
		rc = load(&b->t[i]);
		ctx->items += b->t[i].events;
	}
	if (!rc)
		rc = boot(b);
	if (rc)
		replay_teardown(ctx);
	return rc;
}

static int mixed_setup(struct bench_ctx *ctx)
{
	return setup(ctx, 10, true, true);
}

static int mixed_decode_setup(struct bench_ctx *ctx)
{
	return setup(ctx, 10, true, false);
}

static int mixed_apply_setup(struct bench_ctx *ctx)
{
	return setup(ctx, 10, false, true);
}

static int mapping_setup(struct bench_ctx *ctx)
{
	return setup(ctx, 25, true, true);
}

static int captured_setup(struct bench_ctx *ctx)
{
	ctx->error = BENCH_SKIPPED "no captured traces (traces/samples, or MEMRIG_SAMPLES)";
	return setup(ctx, 0, true, true);
}

static int captured_decode_setup(struct bench_ctx *ctx)
{
	ctx->error = BENCH_SKIPPED "no captured traces (traces/samples, or MEMRIG_SAMPLES)";
	return setup(ctx, 0, true, false);
}

static void apply_decoded(const struct trace_file *t)
{
	size_t n;

	for (size_t at = 0; at < t->nr; at += n) {
		n = t->nr - at < MM_MAX_OP_BATCH ? t->nr - at : MM_MAX_OP_BATCH;
		if (at + n < t->nr && t->ops[at + n].code == OP_EXT)
			n--;
		machine_apply(t->m, t->ops + at, n, NULL, NULL);
	}
}

static void read_and_apply(const struct trace_file *t, bool apply)
{
	char err[256];
	struct trace_reader *r = trace_open(t->path, TRACE_READ_INLINE, err, sizeof(err));
	struct op_strings strings;
	const struct mm_op *ops;
	size_t n;

	BUG_ON(!r);
	strings = trace_reader_strings(r);
	while ((n = next(r, &ops))) {
		if (apply)
			machine_apply(t->m, ops, n, &strings, NULL);
		else
			bench_use(ops);
	}
	trace_close(r);
}

static void replay_run(struct bench_ctx *ctx, u64 n)
{
	struct replay_bench *b = ctx->data;

	for (u64 i = 0; i < n; i++) /* n is 1 if anything is applied: a pass needs a fresh machine */
		for (unsigned t = 0; t < b->nr; t++) {
			if (b->decode)
				read_and_apply(&b->t[t], b->apply);
			else
				apply_decoded(&b->t[t]);
		}
}

static void replay_reset(struct bench_ctx *ctx)
{
	BUG_ON(boot(ctx->data));
}

#define PASS(case_name, case_setup, text)                                                          \
	.suite = "replay", .name = case_name, .help = text, .setup = case_setup, .run = replay_run,   \
	.reset = replay_reset, .teardown = replay_teardown, .batch = 1, .unit = BENCH_M_PER_SEC
#define FORMATS .args = {0, 1}, .nr_args = 2, .arg_name = "raw"

const struct bench_case bench_replay_cases[] = {
	{PASS("mixed", mixed_setup, "an event: 10 % mapping calls, 60 % first touches, 30 % accesses"), FORMATS,
	 .goal = 20},
	{PASS("mixed-decode", mixed_decode_setup, "an event of the same trace, only decoded"), FORMATS, .goal = 200},
	{PASS("mixed-apply", mixed_apply_setup, "an event of the same trace, decoded before")},
	{PASS("mixed-mapping", mapping_setup, "an event: 25 % mapping calls, 50 % first touches, 25 % accesses")},
	{PASS("captured", captured_setup, "an event of all captured traces, one after the other")},
	{PASS("captured-decode", captured_decode_setup, "an event of the captured traces, only decoded")},
	{0},
};
