/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Suite decode: reading traces, in nanoseconds an event, all on the calling thread (replay decodes
 * ahead on another one). Three streams: faults with a few mappings, as a kernel recorder sees them;
 * a heap whose addresses and times are those of the host's own malloc; both with raw records.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/bench.h"
#include "core/base/prng.h"
#include "traces/reader.h"
#include "traces/writer.h"

#define EVENTS 400000u
#define BLOCKS 20000u /* live heap blocks */

enum { FAULTS, HEAP };

struct decode {
	struct trace_reader *r;
	char path[64];
};

/* Mostly forward through one of four areas, at any byte of the page, a microsecond and more apart.
 */
static void put_faults(struct trace_writer *w, struct prng *p)
{
	struct mm_op op = {0};
	u64 area[4];
	u32 task = trace_writer_task(w, 100, 100), other = trace_writer_task(w, 100, 101);

	for (unsigned i = 0; i < 4; i++)
		area[i] = 0x7f0000000000ull + (prng_u64(p) & 0xfffff000);
	for (u32 i = 0; i < EVENTS; i++) {
		u64 r = prng_u64(p), *at = &area[r & 3];

		op.ts += 400 + (r >> 20 & 1023) * (r >> 30 & 7);
		op.task = r >> 60 ? task : other;
		*at += (r >> 8 & 15 ? 1 : r >> 40 & 255) << 12;
		if (r >> 52 & 31) {
			op.code = OP_FAULT;
			op.flags = r >> 58 & 3 ? MM_ACCESS_WRITE : MM_ACCESS_READ;
			op.addr = *at | (r >> 44 & 0xff8);
			op.len = 0;
		} else {
			op.code = OP_MUNMAP;
			op.flags = RES_ZERO << MM_OP_RES_SHIFT;
			op.addr = *at;
			op.len = (r >> 44 & 31) << 12;
		}
		trace_writer_put(w, &op, 1);
	}
}

static u64 now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

/* The host's malloc at work: small blocks mostly, young ones die first. */
static void put_heap(struct trace_writer *w, struct prng *p)
{
	void **live = calloc(BLOCKS, sizeof(*live));
	struct mm_op op = {.task = trace_writer_task(w, 100, 100)};
	u64 start = now();

	for (u32 i = 0; i < EVENTS && live; i++) {
		u64 r = prng_u64(p);
		u64 k = r >> 40 & 3 ? (r >> 20) % 64 : (r >> 20) % BLOCKS;

		op.ts = now() - start;
		if (live[k]) {
			op.code = OP_FREE;
			op.addr = (u64)(uintptr_t)live[k];
			op.len = 0;
			free(live[k]);
			live[k] = NULL;
		} else {
			op.code = OP_MALLOC;
			op.len = r & 7 ? 16 + (r >> 4 & 127) : 16 + (r >> 4 & 4095);
			live[k] = malloc(op.len);
			op.addr = (u64)(uintptr_t)live[k];
		}
		trace_writer_put(w, &op, 1);
	}
	for (u32 k = 0; k < BLOCKS && live; k++)
		free(live[k]);
	free(live);
}

static int write_trace(struct decode *d, unsigned kind, int flags)
{
	struct trace_info info;
	struct trace_writer *w;
	struct prng p;
	char err[256];
	int fd = mkstemp(d->path);

	if (fd < 0)
		return -errno;
	close(fd);
	trace_info_init(&info);
	prng_seed(&p, 1);
	w = trace_writer_open(d->path, &info, flags, err, sizeof(err));
	if (!w)
		return -EIO;
	if (kind == FAULTS)
		put_faults(w, &p);
	else
		put_heap(w, &p);
	if (getenv("MEMRIG_BENCH_BYTES"))
		fprintf(stderr, "%.2f bytes an event\n",
			(trace_writer_flush(w), (double)trace_writer_bytes(w) / EVENTS));
	return trace_writer_close(w, err, sizeof(err));
}

static int setup(struct bench_ctx *ctx, unsigned kind, int flags)
{
	struct decode *d = calloc(1, sizeof(*d));
	char err[256];

	ctx->data = d;
	if (!d)
		return -ENOMEM;
	strcpy(d->path, "/tmp/memrig-decode-XXXXXX");
	if (write_trace(d, kind, flags)) {
		ctx->error = "cannot write a trace to /tmp";
		return -EIO;
	}
	d->r = trace_open(d->path, TRACE_READ_INLINE, err, sizeof(err));
	unlink(d->path);
	ctx->items = EVENTS;
	return d->r ? 0 : -EIO;
}

static int faults_setup(struct bench_ctx *ctx)
{
	return setup(ctx, FAULTS, 0);
}

static int heap_setup(struct bench_ctx *ctx)
{
	return setup(ctx, HEAP, 0);
}

static int raw_setup(struct bench_ctx *ctx)
{
	return setup(ctx, FAULTS, TRACE_WRITE_RAW);
}

/* One iteration is the whole trace. */
static void run(struct bench_ctx *ctx, u64 n)
{
	struct decode *d = ctx->data;
	const struct mm_op *ops;

	for (u64 i = 0; i < n; i++) {
		while (trace_next(d->r, &ops) > 0)
			bench_use(ops);
		trace_rewind(d->r);
	}
}

static void teardown(struct bench_ctx *ctx)
{
	struct decode *d = ctx->data;

	if (d)
		trace_close(d->r);
	free(d);
}

const struct bench_case bench_decode_cases[] = {
	{.suite = "decode",
	 .name = "columns_faults",
	 .help = "event of a fault trace under zstd, inline",
	 .setup = faults_setup,
	 .run = run,
	 .teardown = teardown,
	 .goal = 5},
	{.suite = "decode",
	 .name = "columns_heap",
	 .help = "malloc or free under zstd, slots and addresses rebuilt",
	 .setup = heap_setup,
	 .run = run,
	 .teardown = teardown,
	 .goal = 5},
	{.suite = "decode",
	 .name = "raw_faults",
	 .help = "event of raw records, mapped and validated",
	 .setup = raw_setup,
	 .run = run,
	 .teardown = teardown,
	 .goal = 2},
	{0}};
