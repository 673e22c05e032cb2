/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Suite hw: the host's own costs, which bound everything else, and the contents of guest frames.
 * The smallest member of the family, kept as its manual: a struct for setup()'s state, run() loops
 * itself over n iterations, results are consumed by bench_use*(), the table ends with {0}.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/bench.h"
#include "core/hw/hw.h"

#define FRAMES 4096u /* 16 MiB of 4 KiB frames: beyond the second-level cache */

static void clock_run(struct bench_ctx *ctx, u64 n)
{
	struct timespec t;

	(void)ctx;
	for (u64 i = 0; i < n; i++) {
		clock_gettime(CLOCK_MONOTONIC, &t);
		bench_use(&t);
	}
}

/* arg: bytes of a copy; source and target together twice that. */
static int copy_setup(struct bench_ctx *ctx)
{
	ctx->data = aligned_alloc(4096, (size_t)ctx->arg * 2);
	if (!ctx->data)
		return -ENOMEM;
	memset(ctx->data, 1, (size_t)ctx->arg * 2);
	ctx->items = (u64)ctx->arg;
	return 0;
}

static void copy_run(struct bench_ctx *ctx, u64 n)
{
	char *p = ctx->data;

	for (u64 i = 0; i < n; i++) {
		memcpy(p, p + ctx->arg, (size_t)ctx->arg);
		bench_use(p);
	}
}

static void zero_run(struct bench_ctx *ctx, u64 n)
{
	for (u64 i = 0; i < n; i++) {
		memset(ctx->data, 0, (size_t)ctx->arg);
		bench_use(ctx->data);
	}
}

static void copy_teardown(struct bench_ctx *ctx)
{
	free(ctx->data);
}

static int frame_setup(struct bench_ctx *ctx)
{
	struct hw_params p = {.base = 0x40000000, .bytes = FRAMES * 4096ull, .page_shift = 12,
			      .ncpu = 1, .data_bytes = ctx->arg != 0, .seed = 1};
	struct hw *hw = malloc(sizeof(*hw));
	int rc;

	if (!hw)
		return -ENOMEM;
	rc = hw_init(hw, &p);
	if (rc) {
		free(hw);
		return rc;
	}
	for (u32 i = 0; i < FRAMES; i++) /* host pages present: the host's faults are not measured */
		hw_set_frame_tag(hw, 0x40000 + i, 1);
	ctx->data = hw;
	return 0;
}

static void frame_clear_run(struct bench_ctx *ctx, u64 n)
{
	struct hw *hw = ctx->data;

	for (u64 i = 0; i < n; i++)
		hw_clear_frame(hw, 0x40000 + (u32)(i % FRAMES));
	bench_use(hw);
}

static void frame_teardown(struct bench_ctx *ctx)
{
	hw_destroy(ctx->data);
	free(ctx->data);
}

const struct bench_case bench_hw_cases[] = {
	{.suite = "hw", .name = "clock", .help = "one reading of the host's clock", .run = clock_run},
	{.suite = "hw", .name = "memcpy", .help = "bytes copied by the host's memcpy", .setup = copy_setup,
	 .run = copy_run, .teardown = copy_teardown, .args = {4096, 65536, 1 << 24}, .nr_args = 3,
	 .arg_name = "bytes", .unit = BENCH_GB_PER_SEC},
	{.suite = "hw", .name = "memset", .help = "bytes zeroed by the host's memset", .setup = copy_setup,
	 .run = zero_run, .teardown = copy_teardown, .args = {4096, 1 << 24}, .nr_args = 2,
	 .arg_name = "bytes", .unit = BENCH_GB_PER_SEC},
	{.suite = "hw", .name = "clear_frame", .help = "a guest frame of 4 KiB zeroed; data=tag, then data=bytes",
	 .setup = frame_setup, .run = frame_clear_run, .teardown = frame_teardown, .args = {0, 1},
	 .nr_args = 2, .arg_name = "data_bytes"},
	{0},
};
