/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The heap model under streams of malloc events, as heap_apply() gets them from a replay: short-lived
 * blocks on a stack, random lifetimes among 1000 to 100000 live blocks, and with realloc and calloc.
 * The kernel under it only counts. Each pass over a stream ends with nothing live.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "core/base/prng.h"
#include "core/machine/heap.h"

#define STREAM_OPS (1u << 16)
#define HEAP_START 0x555555000000ull

struct heap_bench {
	struct heap_model *h;
	struct mm_op *ops;
	u32 nr, at;
	u64 brk, next, touched;
};

static s64 count_brk(void *ctx, u64 addr)
{
	struct heap_bench *b = ctx;

	if (addr)
		b->brk = addr;
	return (s64)b->brk;
}

static s64 count_mmap(void *ctx, u64 len)
{
	struct heap_bench *b = ctx;

	b->next -= len;
	return (s64)b->next;
}

static int count_munmap(void *ctx, u64 addr, u64 len)
{
	struct heap_bench *b = ctx;

	b->next += addr == b->next ? len : 0;
	return 0;
}

static s64 count_mremap(void *ctx, u64 addr, u64 old_len, u64 new_len)
{
	(void)addr;
	(void)old_len;
	return count_mmap(ctx, new_len);
}

static void count_touch(void *ctx, u64 addr, u64 len)
{
	struct heap_bench *b = ctx;

	(void)addr;
	b->touched += len;
}

static const struct heap_kernel count_kernel = {
	count_brk, count_mmap, count_munmap, count_mremap, count_touch,
};

/* Sizes as programs ask for them: mostly below 128 bytes, one in 64 large. */
static u64 some_size(struct prng *p)
{
	u64 kind = prng_below(p, 64);

	if (kind < 48)
		return 1 + prng_below(p, 128);
	return kind < 63 ? 1 + prng_below(p, 1024) : 1 + prng_below(p, 16384);
}

struct stream {
	struct prng prng;
	struct mm_op *ops;
	u32 nr, nr_live, *live, *unused, nr_unused;
};

static void emit(struct stream *s, unsigned code, u64 arg, u64 len)
{
	s->ops[s->nr++] = (struct mm_op){.code = (u8)code, .task = 1, .addr = 1, .arg = arg, .len = len};
}

static void emit_alloc(struct stream *s, unsigned code)
{
	u32 slot = s->live[s->nr_live++] = s->unused[--s->nr_unused];

	emit(s, code, slot, some_size(&s->prng));
}

static void emit_free(struct stream *s, u32 i)
{
	u32 slot = s->live[i];

	s->unused[s->nr_unused++] = slot;
	s->live[i] = s->live[--s->nr_live];
	emit(s, OP_FREE, slot, 0);
}

/* @depth > 0: random lifetimes, about @depth live; else a stack of at most 64. */
static void fill_stream(struct stream *s, u32 nr, u32 depth, bool rich)
{
	while (s->nr + s->nr_live < nr) {
		u64 r = prng_below(&s->prng, 256);
		u32 limit = depth ? depth : 64;
		bool add = !s->nr_live || (s->nr_live < limit && r & 1);

		if (depth && s->nr_live && s->nr_live < limit / 2)
			add = true;
		if (rich && s->nr_live && r >= 240) {
			u64 slot = s->live[prng_below(&s->prng, s->nr_live)];

			emit(s, OP_REALLOC, slot | slot << 32, some_size(&s->prng));
		} else if (add) {
			emit_alloc(s, rich && r >= 224 ? OP_CALLOC : OP_MALLOC);
		} else {
			emit_free(s, depth ? (u32)prng_below(&s->prng, s->nr_live) : s->nr_live - 1);
		}
	}
	while (s->nr_live)
		emit_free(s, s->nr_live - 1);
}

static int make_stream(struct heap_bench *b, u32 depth, bool rich)
{
	u32 nr = depth * 8 > STREAM_OPS ? depth * 8 : STREAM_OPS, slots = depth + 65;
	struct stream s = {.ops = malloc((nr + slots) * sizeof(*s.ops)),
			   .live = malloc(slots * sizeof(u32)), .unused = malloc(slots * sizeof(u32))};

	if (s.ops && s.live && s.unused) {
		prng_seed(&s.prng, 1);
		while (s.nr_unused < slots) {
			s.unused[s.nr_unused] = slots - 1 - s.nr_unused;
			s.nr_unused++;
		}
		fill_stream(&s, nr, depth, rich);
	}
	free(s.live);
	free(s.unused);
	b->ops = s.ops;
	b->nr = s.nr;
	return s.nr ? 0 : -ENOMEM;
}

static void heap_teardown(struct bench_ctx *ctx)
{
	struct heap_bench *b = ctx->data;

	heap_model_destroy(b->h);
	free(b->ops);
	free(b);
}

static int heap_setup(struct bench_ctx *ctx, u32 depth, bool rich)
{
	struct heap_params p = {.page_shift = 12, .touch = HEAP_TOUCH_BLOCK};
	struct heap_bench *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	ctx->data = b;
	b->brk = HEAP_START;
	b->next = 0x7fff00000000ull;
	b->h = heap_model_create(&p);
	if (!b->h || make_stream(b, depth, rich)) {
		heap_teardown(ctx);
		return -ENOMEM;
	}
	heap_model_bind(b->h, &count_kernel, b);
	return 0;
}

static int setup_stack(struct bench_ctx *ctx)
{
	return heap_setup(ctx, 0, false);
}

static int setup_random(struct bench_ctx *ctx)
{
	return heap_setup(ctx, (u32)ctx->arg, false);
}

static int setup_rich(struct bench_ctx *ctx)
{
	return heap_setup(ctx, (u32)ctx->arg, true);
}

static void run(struct bench_ctx *ctx, u64 n)
{
	struct heap_bench *b = ctx->data;

	while (n) {
		u32 left = b->nr - b->at, k = n < left ? (u32)n : left;

		for (u32 i = 0; i < k; i++)
			heap_apply(b->h, &b->ops[b->at + i], NULL);
		n -= k;
		b->at = b->at + k == b->nr ? 0 : b->at + k;
	}
}

#define GOAL .unit = BENCH_M_PER_SEC, .goal = 60, .rival = 6.6, \
	.rival_name = "glibc's trace_run replaying its own format"

const struct bench_case bench_heap_cases[] = {
	{.suite = "heap", .name = "stack", .help = "malloc or free event, last in first out, 64 deep",
	 .setup = setup_stack, .run = run, .teardown = heap_teardown, GOAL},
	{.suite = "heap", .name = "random", .help = "malloc or free event, random lifetimes",
	 .setup = setup_random, .run = run, .teardown = heap_teardown, .args = {1000, 10000, 100000},
	 .nr_args = 3, .arg_name = "live", GOAL},
	{.suite = "heap", .name = "rich", .help = "malloc, calloc, realloc or free event, random lifetimes",
	 .setup = setup_rich, .run = run, .teardown = heap_teardown, .args = {1000, 10000},
	 .nr_args = 2, .arg_name = "live", GOAL},
	{0},
};
