/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Suite slab: slab=slab and slab=slub beside the host's malloc libraries, on the same patterns
 * (slab_patterns.h), in one run, so that ratios mean something.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/rival_malloc.h"
#include "core/kmem/slab.h"

#define PATTERN(name)                 slab_##name
#define PATTERN_ALLOC(a, cpu, size)   ((void)(size), kmem_cache_alloc(a, cpu, GFP_KERNEL))
#define PATTERN_FREE(a, cpu, p)       kmem_cache_free(a, cpu, p)
#include "bench/slab_patterns.h"

#define PATTERN(name)                 kmalloc_##name
#define PATTERN_ALLOC(a, cpu, size)   kmalloc(a, cpu, size, GFP_KERNEL)
#define PATTERN_FREE(a, cpu, p)       kfree(a, cpu, p)
#include "bench/slab_patterns.h"

struct slab_bench {
	struct machine_config config;
	struct hw hw;
	struct phys phys;
	struct kmem kmem;
	struct pattern pattern;
	struct rival rival;
	bool kmalloc;
};

static int boot(struct slab_bench *b, const char *allocator, bool smp)
{
	const char *pairs[] = {"arch=arm64", "mem=2G", allocator, smp ? "ncpu=2" : "ncpu=1",
			       smp ? "smp=1" : "smp=0", "slab_nomerge=1"};
	struct phys_layout l;
	char err[256];
	int r = 0;

	config_init(&b->config);
	for (size_t i = 0; i < ARRAY_SIZE(pairs) && !r; i++)
		r = config_set_pair(&b->config, pairs[i], err, sizeof(err));
	if (!r)
		r = config_finish(&b->config, err, sizeof(err));
	if (!r)
		r = phys_plan(&b->config, &l, err, sizeof(err));
	if (r)
		return r;
	struct hw_params hp = {.base = l.base, .bytes = l.bytes, .page_shift = 12,
			       .ncpu = (unsigned)b->config.ncpu, .data_bytes = false, .seed = 1};

	r = hw_init(&b->hw, &hp);
	if (!r)
		r = phys_init(&b->phys, &b->hw, &b->config, err, sizeof(err));
	return r ? r : kmem_init(&b->kmem, &b->phys, &b->config);
}

static int model_setup(struct bench_ctx *ctx, const char *allocator, int kind, bool use_kmalloc)
{
	struct slab_bench *b = aligned_alloc(4096, ALIGN_UP(sizeof(*b), 4096));
	u32 size = ctx->arg ? (u32)ctx->arg : 64;
	int r;

	if (!b)
		return -ENOMEM;
	memset(b, 0, sizeof(*b));
	ctx->data = b;
	b->kmalloc = use_kmalloc;
	r = boot(b, allocator, kind == PATTERN_REMOTE);
	if (r)
		return r;
	if (use_kmalloc)
		return kmalloc_start(&b->pattern, &b->kmem, kind, size) ? -ENOMEM : 0;
	return slab_start(&b->pattern, kmem_cache_create(&b->kmem, "bench", size, 0, 0, NULL), kind, size)
	       ? -ENOMEM : 0;
}

static void model_run(struct bench_ctx *ctx, u64 n)
{
	struct slab_bench *b = ctx->data;

	if (b->kmalloc)
		kmalloc_run(&b->pattern, n);
	else
		slab_run(&b->pattern, n);
}

static void model_teardown(struct bench_ctx *ctx)
{
	struct slab_bench *b = ctx->data;

	if (b->kmalloc)
		kmalloc_stop(&b->pattern);
	else
		slab_stop(&b->pattern);
	kmem_destroy(&b->kmem);
	phys_destroy(&b->phys);
	hw_destroy(&b->hw);
	free(b);
}

static int rival_setup(struct bench_ctx *ctx, int library, int kind)
{
	struct slab_bench *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	r = rival_start(&b->rival, library, kind, ctx->arg ? (u32)ctx->arg : 64);
	if (r) {
		free(b);
		ctx->error = BENCH_SKIPPED "the library is not installed (scripts/deps)";
		return r;
	}
	ctx->data = b;
	return 0;
}

static void rival_bench_run(struct bench_ctx *ctx, u64 n)
{
	rival_run(&((struct slab_bench *)ctx->data)->rival, n);
}

static void rival_teardown(struct bench_ctx *ctx)
{
	rival_stop(&((struct slab_bench *)ctx->data)->rival);
	free(ctx->data);
}

#define SETUPS(name, KIND)                                                                         \
	static int slab_##name##_setup(struct bench_ctx *c) { return model_setup(c, "slab=slab", KIND, false); } \
	static int slub_##name##_setup(struct bench_ctx *c) { return model_setup(c, "slab=slub", KIND, false); } \
	static int kmalloc_##name##_setup(struct bench_ctx *c) { return model_setup(c, "slab=slab", KIND, true); } \
	static int glibc_##name##_setup(struct bench_ctx *c) { return rival_setup(c, RIVAL_GLIBC, KIND); } \
	static int jemalloc_##name##_setup(struct bench_ctx *c) { return rival_setup(c, RIVAL_JEMALLOC, KIND); } \
	static int mimalloc_##name##_setup(struct bench_ctx *c) { return rival_setup(c, RIVAL_MIMALLOC, KIND); } \
	static int tcmalloc_##name##_setup(struct bench_ctx *c) { return rival_setup(c, RIVAL_TCMALLOC, KIND); }
SETUPS(pair, PATTERN_PAIR)
SETUPS(batch, PATTERN_BATCHED)
SETUPS(million, PATTERN_MILLION)
SETUPS(remote, PATTERN_REMOTE)

#define SIZES .args = {8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096}, .nr_args = 10, .arg_name = "bytes"
#define ONE   .args = {64}, .nr_args = 1, .arg_name = "bytes"
#define OURS(who, pattern, text, which, ...)                                                       \
	{.suite = "slab", .name = #pattern "/" #who, .help = text, .setup = who##_##pattern##_setup, \
	 .run = model_run, .teardown = model_teardown, which, __VA_ARGS__}
#define THEIRS(who, pattern, text, which, ...)                                                     \
	{.suite = "slab", .name = #pattern "/" #who, .help = text, .setup = who##_##pattern##_setup, \
	 .run = rival_bench_run, .teardown = rival_teardown, which, __VA_ARGS__}
#define ALL(pattern, text, which, target, best, whose, ...)                                        \
	OURS(slab, pattern, text, which, .goal = target, .rival = best, .rival_name = whose, __VA_ARGS__), \
	OURS(slub, pattern, text, which, __VA_ARGS__), OURS(kmalloc, pattern, text, which, __VA_ARGS__), \
	THEIRS(glibc, pattern, text, which, __VA_ARGS__), THEIRS(jemalloc, pattern, text, which, __VA_ARGS__), \
	THEIRS(mimalloc, pattern, text, which, __VA_ARGS__), THEIRS(tcmalloc, pattern, text, which, __VA_ARGS__)

const struct bench_case bench_slab_cases[] = {
	ALL(pair, "an object allocated and freed at once", SIZES, 2.5, 5.7, "tcmalloc, 64 bytes", .batch = 0),
	ALL(batch, "of 8192 objects, freed in random order, one pair", ONE, 4, 7.5, "mimalloc",
	    .batch = 0, .iterations = 8192 * 2048),
	ALL(million, "2^20 live objects, a random one replaced", ONE, 50, 54, "jemalloc", .batch = 0),
	ALL(remote, "an object freed on another CPU than allocated it", ONE, 10, 30, "mimalloc",
	    .batch = 0, .iterations = 1 << 20), /* many at once: the other thread may first have to get a CPU */
	{0},
};
