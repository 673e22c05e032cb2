/* SPDX-License-Identifier: BSD-2-Clause */
#include "traces/record/kmem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * GFP_* of today's kernels (6.x) to those of the trace, which are Linux 4.0's. A request that may
 * reclaim directly may wait; kswapd is left alone where a request does not wake it.
 */
static const struct {
	u32 theirs, ours;
} gfp_bits[] = {
	{0x1, 0x1},	       /* DMA */
	{0x2, 0x2},	       /* HIGHMEM */
	{0x4, 0x4},	       /* DMA32 */
	{0x8, 0x8},	       /* MOVABLE */
	{0x10, 0x80000},       /* RECLAIMABLE */
	{0x20, 0x20},	       /* HIGH */
	{0x40, 0x40},	       /* IO */
	{0x80, 0x80},	       /* FS */
	{0x100, 0x8000},       /* ZERO */
	{0x400, 0x10},	       /* DIRECT_RECLAIM: WAIT */
	{0x1000, 0x1000000},   /* WRITE */
	{0x2000, 0x200},       /* NOWARN */
	{0x4000, 0x400},       /* RETRY_MAYFAIL: REPEAT */
	{0x8000, 0x800},       /* NOFAIL */
	{0x10000, 0x1000},     /* NORETRY */
	{0x20000, 0x2000},     /* MEMALLOC */
	{0x40000, 0x4000},     /* COMP */
	{0x80000, 0x10000},    /* NOMEMALLOC */
	{0x100000, 0x20000},   /* HARDWALL */
	{0x200000, 0x40000},   /* THISNODE */
};
#define THEIR_RECLAIMABLE    0x10u
#define THEIR_KSWAPD_RECLAIM 0x800u
#define OUR_HIGHMEM	     0x2u
#define OUR_DMA32	     0x4u
#define OUR_NO_KSWAPD	     0x400000u
#define OUR_RECLAIM_ACCOUNT  0x20000u /* of a cache */

static u64 gfp_of(u64 theirs)
{
	u64 ours = theirs & THEIR_KSWAPD_RECLAIM ? 0 : OUR_NO_KSWAPD;

	for (size_t i = 0; i < ARRAY_SIZE(gfp_bits); i++)
		if (theirs & gfp_bits[i].theirs)
			ours |= gfp_bits[i].ours;
	if (!(theirs & 0x400)) /* atomic requests wake kswapd in Linux 4.0, always */
		ours &= ~(u64)OUR_NO_KSWAPD;
	return ours;
}

static int put(struct trace_writer *w, const struct mm_op *op)
{
	return trace_writer_put(w, op, 1);
}

/* ---- ids ---- */

static int give_back(struct rec_kmem_ids *k, u32 id)
{
	if (k->nr_spare == k->cap_spare) {
		u32 cap = k->cap_spare ? k->cap_spare * 2 : 1024;
		u32 *more = realloc(k->spare, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		k->spare = more;
		k->cap_spare = cap;
	}
	k->spare[k->nr_spare++] = id;
	return 0;
}

/* Pages, objects: their addresses never meet, but the trace tells their ids apart anyway. */
static int free_of(struct rec_kmem_ids *k, struct trace_writer *w, const struct rec_event *e, u32 what, u64 ts)
{
	struct mm_op op = {.ts = ts, .cpu = e->cpu};
	u32 id = map64_take(&k->ids, e->a[0]);
	int err;

	if (id == MAP64_NONE) {
		k->unborn++;
		return 0;
	}
	op.code = what == KMEM_PAGES_FREE ? OP_FREE_PAGES : what == KMEM_KFREE ? OP_KFREE : OP_CACHE_FREE;
	if (op.code == OP_CACHE_FREE)
		op.len = id;
	else
		op.addr = id;
	err = put(w, &op);
	return err ? err : give_back(k, id);
}

static u32 freeing(u32 what)
{
	return what == KMEM_PAGES ? KMEM_PAGES_FREE : what == KMEM_KMALLOC ? KMEM_KFREE : KMEM_CACHE_FREE;
}

static int alloc_of(struct rec_kmem_ids *k, struct trace_writer *w, const struct rec_event *e, u64 ts)
{
	struct mm_op op = {.ts = ts, .cpu = e->cpu, .arg = gfp_of(e->a[2])};
	u32 id, cache = e->x == KMEM_CACHE ? map64_get(&k->caches, e->a[3]) : 0;
	int err = 0;

	if (cache == MAP64_NONE) /* its announcement was lost */
		return 0;
	if (map64_get(&k->ids, e->a[0]) != MAP64_NONE) /* its free was lost */
		err = free_of(k, w, e, freeing(e->x), ts);
	id = k->nr_spare ? k->spare[--k->nr_spare] : ++k->next;
	if (err || map64_set(&k->ids, e->a[0], id))
		return err ? err : -ENOMEM;
	switch (e->x) {
	case KMEM_PAGES:
		op.code = OP_ALLOC_PAGES;
		op.addr = id;
		op.len = e->a[1];
		break;
	case KMEM_KMALLOC:
		op.code = OP_KMALLOC;
		op.addr = id;
		op.len = e->a[1];
		break;
	default:
		op.code = OP_CACHE_ALLOC;
		op.addr = cache | MM_NAME_STR;
		op.len = id;
	}
	if (op.code != OP_ALLOC_PAGES) {
		op.arg &= ~(u64)(OUR_HIGHMEM | OUR_DMA32);
		op.flags = MM_OP_HAS_ARG;
	}
	return put(w, &op);
}

int rec_kmem_put(struct rec_kmem_ids *k, struct trace_writer *w, const struct rec_event *e, u64 ts)
{
	if (e->x == KMEM_PAGES || e->x == KMEM_KMALLOC || e->x == KMEM_CACHE)
		return alloc_of(k, w, e, ts);
	return free_of(k, w, e, e->x, ts);
}

int rec_kmem_cache(struct rec_kmem_ids *k, struct trace_writer *w, const struct rec_event *e, const char *name,
		   u64 ts)
{
	struct mm_op pair[2] = {{.ts = ts, .cpu = e->cpu, .code = OP_CACHE_CREATE, .len = e->a[1], .arg = e->a[2],
				 .flags = MM_OP_HAS_ARG | MM_OP_HAS_EXT}};
	struct mm_op_ext ext = {.code = OP_EXT, .has = MM_EXT_X0 | (e->a[4] ? MM_EXT_X1 : 0), .x1 = e->a[4] != 0};
	u64 string = trace_writer_string(w, name);

	if (map64_get(&k->caches, e->a[0]) != MAP64_NONE) /* the kernel side forgot that it was announced */
		return 0;
	if (e->a[3] & THEIR_RECLAIMABLE)
		ext.x0 |= OUR_RECLAIM_ACCOUNT;
	pair[0].addr = string | MM_NAME_STR;
	memcpy(&pair[1], &ext, sizeof(ext));
	if (map64_set(&k->caches, e->a[0], (u32)string))
		return -ENOMEM;
	return trace_writer_put(w, pair, 2);
}

void rec_kmem_free(struct rec_kmem_ids *k)
{
	map64_free(&k->ids);
	map64_free(&k->caches);
	free(k->spare);
}
