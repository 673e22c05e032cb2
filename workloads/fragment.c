/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Physical memory in pieces: a process fills memory, gives back every n-th page, and the kernel then
 * asks for blocks of a high order. Each round leaves the holes further apart.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/base/bits.h"
#include "workloads/workload.h"

enum { SIZE, ROUNDS, STRIDE, ORDER, BLOCKS };

static const struct workload_param params[] = {
	[SIZE] = {"size", 256 * MiB, MiB, 256 * GiB, "bytes that the process fills"},
	[ROUNDS] = {"rounds", 3, 1, 16, "rounds; the distance of the holes doubles with each"},
	[STRIDE] = {"stride", 2, 1, 512, "of how many pages one is given back in the first round"},
	[ORDER] = {"order", 4, 0, 10, "order of the kernel's blocks"},
	[BLOCKS] = {"blocks", 256, 1, 1 << 20, "blocks that the kernel asks for in a round"},
	{0},
};

#define TASK 1u

enum phase { START, FILL, PUNCH, ASK, GIVE_BACK };

struct fragment {
	enum phase phase;
	u64 len, at, round, blocks;
};

static int fragment_init(struct workload_run *r)
{
	struct fragment *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->len = ALIGN_UP(r->param[SIZE], MiB);
	r->state = f;
	return 0;
}

/* Emits @n operations at most; moves on when the region's end is reached. */
static void sweep(struct workload_run *r, struct fragment *f, int n, u64 stride, enum phase then)
{
	for (int i = 0; i < n && f->at < f->len; i++, f->at += stride) {
		if (f->phase == FILL)
			emit_write(r, TASK, WORKLOAD_BASE + f->at, stride, f->round + 1);
		else
			emit_madvise(r, TASK, WORKLOAD_BASE + f->at, r->page, MM_MADV_DONTNEED);
	}
	if (f->at >= f->len) {
		f->at = 0;
		f->phase = then;
	}
}

static void ask(struct workload_run *r, struct fragment *f)
{
	for (int i = 0; i < 64 && f->blocks < r->param[BLOCKS]; i++)
		emit_alloc_pages(r, 1 + f->blocks++, (unsigned)r->param[ORDER]);
	if (f->blocks == r->param[BLOCKS])
		f->phase = GIVE_BACK;
}

static bool give_back(struct workload_run *r, struct fragment *f)
{
	for (int i = 0; i < 64 && f->blocks; i++)
		emit_free_pages(r, f->blocks--);
	if (f->blocks)
		return true;
	f->phase = FILL;
	if (++f->round < r->param[ROUNDS])
		return true;
	emit_exit(r, TASK);
	return false;
}

static bool fragment_step(struct workload_run *r)
{
	struct fragment *f = r->state;

	switch (f->phase) {
	case START:
		emit_task(r, TASK, 100, 100);
		emit_spawn(r, TASK, workload_name(r, "fragment"), 0, 0);
		emit_mmap(r, TASK, WORKLOAD_BASE, f->len, MM_PROT_READ | MM_PROT_WRITE);
		f->phase = FILL;
		return true;
	case FILL:
		sweep(r, f, 64, MiB, PUNCH);
		return true;
	case PUNCH:
		sweep(r, f, 64, (r->param[STRIDE] << f->round) * r->page, ASK);
		return true;
	case ASK:
		ask(r, f);
		return true;
	default:
		return give_back(r, f);
	}
}

static void fragment_fini(struct workload_run *r)
{
	free(r->state);
}

const struct workload workload_fragment = {
	.name = "fragment",
	.help = "memory with holes, then kernel requests for blocks of a high order",
	.params = params,
	.init = fragment_init,
	.step = fragment_step,
	.fini = fragment_fini,
};
