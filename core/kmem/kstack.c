/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/kmem/kstack.h"

#include <errno.h>

#include "core/base/bits.h"
#include "core/phys/page_alloc.h"

int kstacks_init(struct kstacks *s, struct kmem *k, const struct kstack_vmap *vmap)
{
	bool arm32 = k->phys->config->arch == ARCH_ARM32;
	u64 page = 1ull << k->page_shift;

	*s = (struct kstacks){.kmem = k, .vmap = vmap};
	s->size = arm32 ? 8 * 1024 : 16 * 1024;
	s->info_size = arm32 ? 320 : 96; /* spec 12 s5.3 */
	s->pad = arm32 ? 8 : 16;
	if (s->size >= page) {
		s->order = ilog2(s->size / page);
		return 0;
	}
	s->cache = kmem_cache_create(k, "thread_info", s->size, s->size, 0, NULL);
	return s->cache ? 0 : -ENOMEM;
}

void kstacks_destroy(struct kstacks *s)
{
	if (s->cache)
		kmem_cache_destroy(s->cache, s->kmem->hw->cpu);
}

/* Host memory at @off from the base; NULL: an access faults. */
static u8 *byte_at(const struct kstacks *s, const struct kstack *st, s64 off)
{
	if (s->vmap)
		return s->vmap->ptr(s->vmap->self, st->va + (u64)off);
	return st->base + off;
}

/* thread_info as it was made: task pointer and flags, the rest zero. */
static u8 info_byte(const struct kstack *st, u32 i)
{
	return (u8)(i < 8 ? st->task >> (8 * i) : 0);
}

static u32 magic_size(const struct kstacks *s)
{
	return s->kmem->word;
}

static u8 magic_byte(u32 i)
{
	return (u8)(i < 4 ? KSTACK_END_MAGIC >> (8 * i) : 0);
}

static void init_stack(const struct kstacks *s, struct kstack *st)
{
	for (u32 i = 0; i < s->info_size; i++)
		*byte_at(s, st, i) = info_byte(st, i);
	for (u32 i = 0; i < magic_size(s); i++)
		*byte_at(s, st, s->info_size + i) = magic_byte(i);
	st->sp = st->low = (s64)(s->size - s->pad);
}

static bool alloc_area(struct kstacks *s, unsigned cpu, struct kstack *st)
{
	struct kmem *k = s->kmem;

	if (s->vmap) {
		st->va = s->vmap->alloc(s->vmap->self, cpu, s->size);
		if (st->va)
			st->page = virt_to_page(k->phys, s->vmap->ptr(s->vmap->self, st->va));
		return st->va;
	}
	if (s->cache) {
		st->base = kmem_cache_alloc(s->cache, cpu, GFP_KERNEL);
		if (st->base)
			st->page = kmem_page(k, st->base);
		return st->base;
	}
	st->page = alloc_pages(k->phys, cpu, GFP_KERNEL, s->order);
	if (st->page)
		st->base = page_address(k->phys, st->page);
	return st->page;
}

struct kstack *kstack_alloc(struct kstacks *s, unsigned cpu, u64 task)
{
	struct kstack *st = kzalloc(s->kmem, cpu, sizeof(*st), GFP_KERNEL); /* may sleep */

	if (!st)
		return NULL;
	st->task = task;
	if (!alloc_area(s, cpu, st)) {
		kfree(s->kmem, cpu, st);
		return NULL;
	}
	inc_zone_page_state(s->kmem->phys, st->page, NR_KERNEL_STACK);
	init_stack(s, st);
	return st;
}

void kstack_free(struct kstacks *s, unsigned cpu, struct kstack *st)
{
	dec_zone_page_state(s->kmem->phys, st->page, NR_KERNEL_STACK);
	if (s->vmap)
		s->vmap->free(s->vmap->self, cpu, st->va);
	else if (s->cache)
		kmem_cache_free(s->cache, cpu, st->base);
	else
		free_pages_page(s->kmem->phys, cpu, st->page, s->order);
	kfree(s->kmem, cpu, st);
}

/* Frame bytes that equal nothing of thread_info or the magic word. */
#define FRAME_BYTE 0xf1

static int write_frame(struct kstacks *s, struct kstack *st, s64 from, s64 to)
{
	const struct hw *hw = s->kmem->hw;

	for (s64 off = to - 1; off >= from; off--) {
		u8 *p;

		if (!s->vmap && (u64)(st->base + off - hw->arena) >= hw->bytes)
			return -EFAULT; /* below the linear map */
		p = byte_at(s, st, off);
		if (!p)
			return -EFAULT;
		*p = FRAME_BYTE;
	}
	return 0;
}

int kstack_push_frame(struct kstacks *s, struct kstack *st, u32 bytes)
{
	s64 sp = st->sp - (s64)bytes;

	BUG_ON(st->nr_frames == KSTACK_MAX_FRAMES);
	if (s->vmap && sp < 0)
		return -EFAULT; /* the first access below the base hits the guard */
	if (write_frame(s, st, sp, st->sp))
		return -EFAULT;
	st->frames[st->nr_frames++] = bytes;
	st->sp = sp;
	if (sp < st->low)
		st->low = sp;
	return 0;
}

void kstack_pop_frame(struct kstacks *s, struct kstack *st)
{
	(void)s;
	BUG_ON(!st->nr_frames);
	st->sp += st->frames[--st->nr_frames];
}

int kstack_interrupt(struct kstacks *s, struct kstack *st, u32 bytes)
{
	int r = kstack_push_frame(s, st, bytes);

	if (!r)
		kstack_pop_frame(s, st);
	return r;
}

unsigned kstack_check(struct kstacks *s, const struct kstack *st)
{
	unsigned found = st->low < 0 ? KSTACK_BELOW : 0;

	for (u32 i = 0; i < magic_size(s); i++)
		if (*byte_at(s, st, s->info_size + i) != magic_byte(i))
			found |= KSTACK_MAGIC_LOST;
	for (u32 i = 0; i < s->info_size; i++)
		if (*byte_at(s, st, i) != info_byte(st, i))
			found |= KSTACK_CORRUPT;
	return found;
}
