/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Suite refs: a string of page references replayed through machine_apply(), a tenth of whose pages fit
 * into memory: the page cache with its two lists, refault distance, kswapd and everything else of a
 * machine. An item is one read of one page. The string repeats and its operations are made from it in
 * batches, as a reader of traces would hand them over; making them is timed.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/bench_rig.h"
#include "core/backing/file_io.h"
#include "workloads/dist.h"

#define FILE_ID 1u
#define BATCH   1024u
#define LONGEST (1u << 23) /* of a string: more pages than a tenth of 16 M; one reference in five misses */

struct refs {
	struct bench_rig *r;
	u32 *string; /* [nr] */
	u64 nr, at;
	struct mm_op ops[BATCH];
};

static void refs_teardown(struct bench_ctx *ctx)
{
	struct refs *s = ctx->data;

	if (!s)
		return;
	bench_rig_free(s->r);
	free(s->string);
	free(s);
}

static void replay(struct refs *s, u64 n)
{
	for (u64 done = 0; done < n;) {
		u64 nr = n - done < BATCH ? n - done : BATCH;

		for (u64 i = 0; i < nr; i++) {
			s->ops[i].addr = (u64)s->string[s->at] << 12;
			if (++s->at == s->nr)
				s->at = 0;
		}
		machine_apply(s->r->m, s->ops, nr, NULL, NULL);
		done += nr;
	}
}

/* arg: pages of the file. */
static int refs_setup(struct bench_ctx *ctx)
{
	u64 pages = (u64)ctx->arg, nr = pages < LONGEST ? pages : LONGEST;
	struct refs *s = calloc(1, sizeof(*s));
	struct vm_file *f;
	struct prng rnd;
	struct dist d;
	char sets[96];

	ctx->data = s;
	snprintf(sets, sizeof(sets), "mem=%lluM ideal=1", (unsigned long long)(pages / 10 * 4096 / MiB) + 8);
	if (!s || !(s->string = malloc(nr * sizeof(u32))) || !(s->r = bench_rig_new(sets, &ctx->error)))
		return -ENOMEM;
	f = filemap_open(&s->r->vm->files, FILE_ID, pages << 12, false);
	if (!f)
		return -ENOMEM;
	f->mode |= FMODE_RANDOM;
	s->nr = nr;
	dist_init(&d, DIST_ZIPF, pages, 1000);
	prng_seed(&rnd, 1);
	for (u64 i = 0; i < nr; i++)
		s->string[i] = (u32)dist_draw(&d, &rnd);
	for (u32 i = 0; i < BATCH; i++)
		s->ops[i] = (struct mm_op){.code = OP_FREAD, .task = 1, .len = 4096, .arg = FILE_ID,
					   .flags = MM_OP_HAS_ADDR | MM_OP_HAS_LEN | MM_OP_HAS_ARG};
	replay(s, nr);
	return 0;
}

static void refs_run(struct bench_ctx *ctx, u64 n)
{
	replay(ctx->data, n);
}

const struct bench_case bench_refs_cases[] = {
	{.suite = "refs", .name = "zipf", .help = "a reference of a zipf string, a tenth of its pages fit",
	 .setup = refs_setup, .run = refs_run, .teardown = refs_teardown, .args = {1 << 20, 1 << 24}, .nr_args = 2,
	 .arg_name = "pages", .arg_goals = {50, 25}, .unit = BENCH_M_PER_SEC, .rival = 4.7,
	 .rival_name = "libCacheSim, LRU"},
	{0},
};
