/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model heap of a process on the machine's own system calls: growth and header writes go through
 * sys_brk, sys_mmap and the fault path like those of a real allocator.
 */
#include <errno.h>

#include "core/machine/relocate.h"
#include "core/vm/vm.h"

static s64 heap_brk(void *ctx, u64 addr)
{
	struct reloc_ctx *c = ctx;

	return sys_brk(&c->m->vm, c->task, addr);
}

static s64 heap_mmap(void *ctx, u64 len)
{
	struct reloc_ctx *c = ctx;

	return sys_mmap(&c->m->vm, c->task, 0, len, MM_PROT_READ | MM_PROT_WRITE,
			MM_MAP_PRIVATE | MM_MAP_ANON, 0, 0, 0);
}

static int heap_munmap(void *ctx, u64 addr, u64 len)
{
	struct reloc_ctx *c = ctx;

	return (int)sys_munmap(&c->m->vm, c->task, addr, len);
}

static s64 heap_mremap(void *ctx, u64 addr, u64 old_len, u64 new_len)
{
	struct reloc_ctx *c = ctx;

	return sys_mremap(&c->m->vm, c->task, addr, old_len, new_len, MM_MREMAP_MAYMOVE, 0, 0);
}

static void heap_touch(void *ctx, u64 addr, u64 len)
{
	struct reloc_ctx *c = ctx;

	mm_access_range(&c->m->vm, c->task, addr, len, MM_ACCESS_WRITE);
}

static const struct heap_kernel heap_kernel = {heap_brk, heap_mmap, heap_munmap, heap_mremap, heap_touch};

static struct heap_model *first_use(const struct reloc_ctx *c)
{
	struct heap_params p = {
		.page_shift = c->m->hw.page_shift,
		.touch = (enum heap_touch)c->m->config.heap_touch,
		.account_only = c->leader->maps_recorded,
		.pool = &c->m->heap_pool,
	};

	return heap_model_create(&p);
}

void apply_heap_bind(struct reloc_ctx *c)
{
	heap_model_bind(c->leader->heap, &heap_kernel, c);
}

bool apply_heap(struct reloc_ctx *c, const struct mm_op *op, const struct mm_op_ext *ext)
{
	if (!c->leader->heap) {
		c->leader->heap = first_use(c);
		if (!c->leader->heap)
			return false;
	}
	apply_heap_bind(c);
	heap_apply(c->leader->heap, op, ext);
	return true;
}

void apply_heap_thread_exit(struct reloc_ctx *c, u32 task)
{
	struct heap_model *h = c->leader->heap;

	if (!h)
		return;
	heap_model_bind(h, &heap_kernel, c);
	heap_thread_exit(h, task);
}
