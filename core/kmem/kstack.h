/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel stacks (spec 04 s7): real bytes, so that an overflow damages what it would damage.
 *
 *	base                                                        base + size
 *	| thread_info | STACK_END magic |   free   | frames  <- sp | pad |
 *
 * A push writes its frame; nothing stops it at the end: it overwrites the magic word, then
 * thread_info from its top down, then the page below in the linear map, whoever owns that. With
 * vmapstack=1 (Linux 4.9) the stack is a vmalloc area and the push beyond its guard page faults.
 *
 * Owns the stack's pages and a descriptor (kmalloc). Linux: kernel/fork.c (alloc_thread_info_node),
 * arch/arm(64)/include/asm/thread_info.h.
 */
#ifndef MEMRIG_KMEM_KSTACK_H
#define MEMRIG_KMEM_KSTACK_H

#include "core/kmem/slab.h"

#define KSTACK_END_MAGIC  0x57ac6e9du
#define KSTACK_MAX_FRAMES 64

/* vmapstack=1: the vmalloc of a floor above. */
struct kstack_vmap {
	vaddr_t (*alloc)(void *self, unsigned cpu, u64 bytes); /* 0: no memory */
	void (*free)(void *self, unsigned cpu, vaddr_t va);
	void *(*ptr)(void *self, vaddr_t va);                  /* NULL: the access faults */
	void *self;
};

struct kstacks {
	struct kmem *kmem;
	struct kmem_cache *cache; /* pages larger than a stack: objects of cache "thread_info" */
	const struct kstack_vmap *vmap;
	u32 size, info_size, pad;
	unsigned order;
};

struct kstack {
	u8 *base;      /* NULL with vmap */
	vaddr_t va;    /* vmap: address of the base */
	struct page *page;
	u64 task;
	s64 sp, low;   /* from the base; may be negative. low: the deepest so far */
	u32 nr_frames;
	u32 frames[KSTACK_MAX_FRAMES];
};

enum { /* what kstack_check() finds, as bits */
	KSTACK_MAGIC_LOST = 1, /* the word above thread_info was overwritten */
	KSTACK_CORRUPT = 2,    /* thread_info was: task pointer and flags are garbage */
	KSTACK_BELOW = 4       /* memory below the stack was */
};

/* THREAD_SIZE 8 KiB on ARM32, 16 KiB on ARM64. @vmap: NULL but with vmapstack=1. 0 or -ENOMEM. */
int kstacks_init(struct kstacks *s, struct kmem *k, const struct kstack_vmap *vmap);
void kstacks_destroy(struct kstacks *s);

/* A stack for @task; NULL: no memory. Counts nr_kernel_stack. May sleep. */
struct kstack *kstack_alloc(struct kstacks *s, unsigned cpu, u64 task);
/* Gives @st and its pages back. Atomic; with vmapstack=1 it sleeps, as vfree() does. */
void kstack_free(struct kstacks *s, unsigned cpu, struct kstack *st);

/* Calls a function with a frame of @bytes. 0; -EFAULT: ran into the guard page, nothing was written. Atomic. */
int kstack_push_frame(struct kstacks *s, struct kstack *st, u32 bytes);
void kstack_pop_frame(struct kstacks *s, struct kstack *st);

/* An interrupt handler with @bytes of frames, come and gone, on the interrupted task's stack. Atomic. */
int kstack_interrupt(struct kstacks *s, struct kstack *st, u32 bytes);

/* KSTACK_* bits; 0: intact. Atomic. */
unsigned kstack_check(struct kstacks *s, const struct kstack *st);

/* Linux's current_thread_info(): the stack's base from any stack address. */
MM_INLINE u64 kstack_base_of(const struct kstacks *s, u64 sp)
{
	return sp & ~(u64)(s->size - 1);
}

#endif
