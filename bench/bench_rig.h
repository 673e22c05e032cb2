/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small machine with one process, for suites that measure floor 6 from inside.
 */
#ifndef MEMRIG_BENCH_RIG_H
#define MEMRIG_BENCH_RIG_H

#include "bench/bench.h"
#include "core/machine/machine_types.h"

struct bench_rig {
	struct machine *m;
	struct vm *vm;
	struct task *t, *child; /* child: defined, without an address space */
	u64 *order;             /* a random permutation, or addresses */
	u64 pages;
	vaddr_t base;
};

/* Boots; @settings: "key=value" words separated by blanks. NULL: *error says why. */
struct bench_rig *bench_rig_new(const char *settings, const char **error);
void bench_rig_free(struct bench_rig *r);

/* setup() and teardown() of a case: ctx->data is a rig with @pages mapped at @base. 0 or -ENOMEM. */
int bench_rig_setup(struct bench_ctx *ctx, const char *settings, vaddr_t base, u64 pages);
void bench_rig_teardown(struct bench_ctx *ctx);
/* The same setup with every page written once and on its LRU list. */
int bench_rig_setup_touched(struct bench_ctx *ctx, const char *settings, vaddr_t base, u64 pages);

/* A private anonymous rw mapping of @pages at @base, replacing what is there. */
void bench_rig_map(struct bench_rig *r, vaddr_t base, u64 pages);
/* Writes every page of it once. */
void bench_rig_touch(struct bench_rig *r);
/* Fills @order with a random permutation of 0..n-1. */
bool bench_rig_shuffle(struct bench_rig *r, u64 n);

#endif
