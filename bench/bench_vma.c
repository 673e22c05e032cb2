/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Suite vma: look-ups among many VMAs, insertion, address search, and mapping calls, each with both
 * indexes. arg: the number of VMAs; neighbours differ in rights, so that they do not merge.
 */
#include <errno.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/bench_rig.h"
#include "core/vm/vm.h"
#include "core/vm/vma.h"

#define BASE   0x100000000ull
#define STRIDE 16384ull /* of the VMAs: one page, three free */
#define SPARES 256      /* VMAs that an insertion batch puts between the others */

struct vma_bench {
	struct bench_rig *rig;
	struct vm_area_struct *spare[SPARES];
	u64 first; /* where in the order the next batch begins */
};

static int setup_index(struct bench_ctx *ctx, const char *index)
{
	struct vma_bench *b = calloc(1, sizeof(*b));
	u64 n = (u64)ctx->arg;
	char settings[120];

	if (!b)
		return -ENOMEM;
	ctx->data = b;
	snprintf(settings, sizeof(settings), "mem=4G max_map_count=2000000 vma=%s", index);
	b->rig = bench_rig_new(settings, &ctx->error);
	if (!b->rig || !bench_rig_shuffle(b->rig, n))
		return -ENOMEM;
	for (u64 i = 0; i < n; i++)
		BUG_ON(sys_mmap(b->rig->vm, b->rig->t, BASE + i * STRIDE, 4096, i & 1 ? MM_PROT_READ : MM_PROT_NONE,
				MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED, 0, 0, 0) < 0);
	b->rig->pages = n;
	return 0;
}

static int setup_rbtree(struct bench_ctx *ctx)
{
	return setup_index(ctx, "rbtree");
}

static int setup_btree(struct bench_ctx *ctx)
{
	return setup_index(ctx, "btree");
}

static void teardown(struct bench_ctx *ctx)
{
	struct vma_bench *b = ctx->data;

	if (b)
		bench_rig_free(b->rig);
	free(b);
}

static void find_run(struct bench_ctx *ctx, u64 n)
{
	const struct bench_rig *r = ((struct vma_bench *)ctx->data)->rig;
	u64 sum = 0, at = 0;

	for (u64 i = 0; i < n; i++) {
		sum += find_vma_slow(r->vm, r->t->mm, BASE + r->order[at] * STRIDE)->vm_start;
		at = at + 1 == r->pages ? 0 : at + 1;
	}
	bench_use_u64(sum);
}

static void near_run(struct bench_ctx *ctx, u64 n)
{
	const struct bench_rig *r = ((struct vma_bench *)ctx->data)->rig;
	u64 sum = 0;

	for (u64 i = 0; i < n; i++)
		sum += find_vma(r->vm, r->t, BASE + STRIDE + (i & 1023))->vm_start;
	bench_use_u64(sum);
}

/* Where the k-th insertion of a batch goes: behind a random VMA. */
static vaddr_t place_of(const struct vma_bench *b, u64 k)
{
	return BASE + b->rig->order[(b->first + k) % b->rig->pages] * STRIDE + 8192;
}

static int setup_insert(struct bench_ctx *ctx, const char *index)
{
	int r = setup_index(ctx, index);
	struct vma_bench *b = ctx->data;

	for (unsigned i = 0; !r && i < SPARES; i++) {
		b->spare[i] = vma_alloc(b->rig->vm);
		if (!b->spare[i])
			return -ENOMEM;
		b->spare[i]->vm_flags = VM_READ | VM_EXEC;
	}
	return r;
}

static int setup_insert_rbtree(struct bench_ctx *ctx)
{
	return setup_insert(ctx, "rbtree");
}

static int setup_insert_btree(struct bench_ctx *ctx)
{
	return setup_insert(ctx, "btree");
}

static void insert_run(struct bench_ctx *ctx, u64 n)
{
	struct vma_bench *b = ctx->data;
	struct bench_rig *r = b->rig;
	struct vma_link l;

	for (u64 i = 0; i < n; i++) {
		struct vm_area_struct *v = b->spare[i];

		v->vm_start = place_of(b, i);
		v->vm_end = v->vm_start + 4096;
		BUG_ON(find_vma_links(r->vm, r->t->mm, v->vm_start, v->vm_end, &l));
		BUG_ON(vma_link_at(r->vm, r->t->mm, v, &l));
	}
}

static void insert_reset(struct bench_ctx *ctx)
{
	struct vma_bench *b = ctx->data;
	struct bench_rig *r = b->rig;

	for (unsigned i = 0; i < SPARES; i++) {
		struct vm_area_struct *v = vma_index_find(r->vm, r->t->mm, place_of(b, i));

		if (v == b->spare[i])
			vma_unlink(r->vm, r->t->mm, v);
	}
	b->first = (b->first + SPARES) % r->pages;
}

static void insert_teardown(struct bench_ctx *ctx)
{
	insert_reset(ctx);
	teardown(ctx);
}

/* The gaps near the top are too small: the search has to look for a place. */
static int setup_search(struct bench_ctx *ctx, const char *index)
{
	int r = setup_index(ctx, index);
	struct vma_bench *b = ctx->data;

	if (r)
		return r;
	r = (int)sys_munmap(b->rig->vm, b->rig->t, BASE + b->rig->pages / 2 * STRIDE, 4 * STRIDE);
	b->rig->t->mm->mmap_base = BASE + b->rig->pages * STRIDE;
	return r;
}

static int setup_search_rbtree(struct bench_ctx *ctx)
{
	return setup_search(ctx, "rbtree");
}

static int setup_search_btree(struct bench_ctx *ctx)
{
	return setup_search(ctx, "btree");
}

static void search_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ((struct vma_bench *)ctx->data)->rig;
	s64 sum = 0;

	for (u64 i = 0; i < n; i++)
		sum += vma_index_topdown(r->vm, r->t->mm, (4 + (i & 3)) * 4096, 4096, r->t->mm->mmap_base);
	bench_use_u64((u64)sum);
}

static void map_run(struct bench_ctx *ctx, u64 n)
{
	struct bench_rig *r = ((struct vma_bench *)ctx->data)->rig;

	for (u64 i = 0; i < n; i++) {
		s64 a = sys_mmap(r->vm, r->t, 0, 16384, MM_PROT_READ | MM_PROT_WRITE,
				 MM_MAP_PRIVATE | MM_MAP_ANON, 0, 0, 0);

		sys_munmap(r->vm, r->t, (u64)a, 16384);
	}
}

#define SIZES  .args = {100, 1000, 10000, 100000, 1000000}, .nr_args = 5, .arg_name = "vmas"
#define INSERT .reset = insert_reset, .teardown = insert_teardown, .batch = SPARES, \
	       .args = {1000, 10000, 100000, 1000000}, .nr_args = 4, .arg_name = "vmas"
#define FEW    .args = {100, 10000}, .nr_args = 2, .arg_name = "vmas"
#define ONE(n) .args = {n}, .nr_args = 1, .arg_name = "vmas"

const struct bench_case bench_vma_cases[] = {
	{.suite = "vma", .name = "find/rbtree", .help = "find_vma at a random VMA, without the cache of four",
	 .setup = setup_rbtree, .run = find_run, .teardown = teardown, SIZES, .arg_rivals = {27, 0, 87, 0, 1086},
	 .rival_name = "Linux's rbtree"},
	{.suite = "vma", .name = "find/btree", .help = "find_vma at a random VMA, without the cache of four",
	 .setup = setup_btree, .run = find_run, .teardown = teardown, SIZES, .arg_goals = {15, 0, 30, 0, 150},
	 .arg_rivals = {36, 0, 70, 0, 598}, .rival_name = "Linux's maple tree; its rbtree: 27, 87, 1086"},
	{.suite = "vma", .name = "find-near", .help = "find_vma where the last hit was", .setup = setup_btree,
	 .run = near_run, .teardown = teardown, ONE(10000), .goal = 5, .rival = 41, .rival_name = "Linux"},
	{.suite = "vma", .name = "insert/rbtree", .help = "a VMA linked at a random place: list, index, sums",
	 .setup = setup_insert_rbtree, .run = insert_run, INSERT, .arg_rivals = {0, 103, 0, 1168},
	 .rival_name = "Linux's rbtree"},
	{.suite = "vma", .name = "insert/btree", .help = "a VMA linked at a random place: list, index, sums",
	 .setup = setup_insert_btree, .run = insert_run, INSERT, .arg_goals = {0, 60, 0, 300},
	 .arg_rivals = {0, 446, 0, 1577}, .rival_name = "Linux's maple tree; its rbtree: 103, 1168"},
	{.suite = "vma", .name = "search/rbtree", .help = "a gap of 4 to 7 pages, where most have 3",
	 .setup = setup_search_rbtree, .run = search_run, .teardown = teardown, FEW},
	{.suite = "vma", .name = "search/btree", .help = "a gap of 4 to 7 pages, where most have 3",
	 .setup = setup_search_btree, .run = search_run, .teardown = teardown, FEW},
	{.suite = "vma", .name = "mmap-munmap/rbtree", .help = "16 KiB mapped and unmapped untouched",
	 .setup = setup_rbtree, .run = map_run, .teardown = teardown, ONE(100), .goal = 75, .rival = 801,
	 .rival_name = "Linux 6.1's code in a process; 4060 on a host kernel"},
	{.suite = "vma", .name = "mmap-munmap/btree", .help = "16 KiB mapped and unmapped untouched",
	 .setup = setup_btree, .run = map_run, .teardown = teardown, ONE(100), .goal = 75, .rival = 801,
	 .rival_name = "Linux 6.1's code in a process; 4060 on a host kernel"},
	{0},
};
