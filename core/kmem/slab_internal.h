/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What slab_common.c, slab.c, slub.c and slab_debug.c share. Not for other floors.
 *
 * struct kmem_cache_node lives in a kmalloc object of the class that Linux's node takes (spec 04
 * s6.1), so it has at most 64 bytes and its lists keep only their two ends.
 */
#ifndef MEMRIG_KMEM_SLAB_INTERNAL_H
#define MEMRIG_KMEM_SLAB_INTERNAL_H

#include "core/base/bits.h"
#include "core/kmem/slab.h"
#include "core/phys/page_alloc.h"

#define SLAB_HZ                 100 /* jiffies a second (spec 00 s0.5) */
#define SLAB_REAP_NODE          (4 * SLAB_HZ)
#define SLAB_BATCHREFILL_LIMIT  16
#define SLAB_SHARED_BATCH       0xbaadf00du
#define SLAB_NEVER_MERGE                                                                           \
	(SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER | SLAB_TRACE | SLAB_DESTROY_BY_RCU |        \
	 SLAB_NOLEAKTRACE | SLAB_FAILSLAB)
#define SLAB_MERGE_SAME (SLAB_DEBUG_FREE | SLAB_RECLAIM_ACCOUNT | SLAB_CACHE_DMA | SLAB_NOTRACK)

/* Doubly linked through page_link(), ended by PFN_NONE, without a count. */
struct slab_list {
	u32 first, last;
};

struct kmem_cache_node {
	struct slab_list lists[NR_KMEM_SLAB_LISTS]; /* slub: only PARTIAL */
	u32 free_objects;          /* slub: slabs on the partial list */
	u32 free_limit;
	u32 colour_next;
	u32 free_touched;
	u64 next_reap;             /* jiffies */
	struct array_cache *shared; /* NULL: none */
	pthread_spinlock_t lock;
};
_Static_assert(sizeof(struct kmem_cache_node) <= 64, "a node fits the smallest class it may have");

MM_INLINE void slab_list_init(struct slab_list *l)
{
	l->first = l->last = PFN_NONE;
}

MM_INLINE bool slab_list_empty(const struct slab_list *l)
{
	return l->first == PFN_NONE;
}

MM_INLINE void slab_list_add(struct page *map, struct slab_list *l, struct page *p)
{
	u32 f = (u32)(p - map);

	*page_link(map, f) = (struct page_link){l->first, PFN_NONE};
	if (l->first == PFN_NONE)
		l->last = f;
	else
		page_link(map, l->first)->prev = f;
	l->first = f;
}

MM_INLINE void slab_list_add_tail(struct page *map, struct slab_list *l, struct page *p)
{
	u32 f = (u32)(p - map);

	*page_link(map, f) = (struct page_link){PFN_NONE, l->last};
	if (l->last == PFN_NONE)
		l->first = f;
	else
		page_link(map, l->last)->next = f;
	l->last = f;
}

MM_INLINE void slab_list_del(struct page *map, struct slab_list *l, struct page *p)
{
	struct page_link k = *page_link(map, (u32)(p - map));

	if (k.prev == PFN_NONE)
		l->first = k.next;
	else
		page_link(map, k.prev)->next = k.next;
	if (k.next == PFN_NONE)
		l->last = k.prev;
	else
		page_link(map, k.next)->prev = k.prev;
}

MM_INLINE void node_lock(const struct kmem_cache *c, struct kmem_cache_node *n)
{
	if (MM_UNLIKELY(c->kmem->smp))
		pthread_spin_lock(&n->lock);
	else
		spin_section_begin(c->kmem->hw);
	lock_model(c->kmem->hw, LOCK_SLAB_LIST, n);
}

MM_INLINE void node_unlock(const struct kmem_cache *c, struct kmem_cache_node *n)
{
	unlock_model(c->kmem->hw, LOCK_SLAB_LIST, n);
	if (MM_UNLIKELY(c->kmem->smp))
		pthread_spin_unlock(&n->lock);
	else
		spin_section_end(c->kmem->hw);
}

MM_INLINE u8 *slab_base(const struct kmem *k, const struct page *page)
{
	return k->arena + ((u64)(page - k->map) << k->page_shift);
}

/* Exact for offsets that are multiples of size, which all object offsets are. */
MM_INLINE u32 slab_index(const struct kmem_cache *c, const struct page *page, const void *obj)
{
	u64 off = (u64)((const u8 *)obj - slab_base(c->kmem, page)) - page->slab_private;

	return (u32)(off * c->recip >> 32);
}

MM_INLINE void *slab_object(const struct kmem_cache *c, const struct page *page, u32 index)
{
	return slab_base(c->kmem, page) + page->slab_private + (u64)index * c->size;
}

MM_INLINE u32 slab_freelist_get(const struct kmem_cache *c, const struct page *page, u32 i)
{
	return c->idx_bytes == 1 ? ((const u8 *)page->freelist)[i]
				 : ((const u16 *)page->freelist)[i];
}

MM_INLINE void slab_freelist_set(const struct kmem_cache *c, struct page *page, u32 i, u32 index)
{
	if (c->idx_bytes == 1)
		((u8 *)page->freelist)[i] = (u8)index;
	else
		((u16 *)page->freelist)[i] = (u16)index;
}

MM_INLINE u64 kmem_jiffies(const struct kmem *k)
{
	return k->hw->now / (1000000000ull / SLAB_HZ);
}

#define SLAB_DEBUG_ARRAY 64 /* offset of a debug cache's real array behind its empty one */
#define SLAB_DEBUG_LIMIT 32
_Static_assert(SLAB_DEBUG_ARRAY + sizeof(struct array_cache) + SLAB_DEBUG_LIMIT * sizeof(void *) <=
		       KMEM_CPU_STRIDE, "both arrays of a debug cache fit its slot");

/* The CPU's array that holds objects: behind the empty one when fast paths are off (debug). */
MM_INLINE struct array_cache *slab_real_array(const struct kmem_cache *c, unsigned cpu)
{
	struct array_cache *ac = kmem_cpu_array(c, cpu);

	return c->debug ? (struct array_cache *)(void *)((u8 *)ac + SLAB_DEBUG_ARRAY) : ac;
}

/* slab_common.c */
u32 calculate_alignment(const struct kmem *k, u32 flags, u32 align, u32 size);
struct page *kmem_getpages(struct kmem_cache *c, unsigned cpu, gfp_t gfp, unsigned order);
void kmem_freepages(struct kmem_cache *c, unsigned cpu, struct page *page, unsigned order);
void kmem_warn(struct kmem *k, const char *text, const char *name);
int kmem_report(char *why, size_t n, int number, const char *fmt, ...) MM_PRINTF(4, 5); /* number */

/* A cache's node or (slab.c) shared array: kmalloc, or with ideal=1 the cache's place outside RAM. */
void *kmem_meta_alloc(struct kmem_cache *c, unsigned cpu, u64 size, u32 place);
void kmem_meta_free(struct kmem_cache *c, unsigned cpu, void *p);
#define META_NODE   512u /* behind struct kmem_cache */
#define META_SHARED 576u
#define META_STRIDE 4736u
_Static_assert(sizeof(struct kmem_cache) <= META_NODE && META_NODE + 64 <= META_SHARED &&
	       META_SHARED + sizeof(struct array_cache) + 8 * 60 * sizeof(void *) <= META_STRIDE,
	       "places of a cache's parts");

/* One allocator: slab.c or slub.c. */
int slab_create(struct kmem_cache *c, u32 flags);   /* geometry; 0 or -E2BIG */
int slab_setup_cpus(struct kmem_cache *c, unsigned cpu); /* arrays and node for the boot state; -ENOMEM */
void *slab_alloc_slow(struct kmem_cache *c, unsigned cpu, gfp_t gfp);
void slab_free_slow(struct kmem_cache *c, unsigned cpu, void *obj);
int slab_shrink(struct kmem_cache *c, unsigned cpu);
void slab_reap(struct kmem_cache *c, unsigned cpu, bool due);
void slab_release(struct kmem_cache *c, unsigned cpu);
int slab_check(struct kmem_cache *c, u64 *pages, char *why, size_t n);
void slab_info(struct kmem_cache *c, unsigned cpu, struct kmem_cache_info *out);

int slub_create(struct kmem_cache *c, u32 flags);
int slub_setup_cpus(struct kmem_cache *c, unsigned cpu);
void *slub_alloc(struct kmem_cache *c, unsigned cpu, gfp_t gfp);
void slub_free(struct kmem_cache *c, unsigned cpu, void *obj);
int slub_shrink(struct kmem_cache *c, unsigned cpu);
void slub_release(struct kmem_cache *c, unsigned cpu);
int slub_check(struct kmem_cache *c, u64 *pages, char *why, size_t n);
void slub_info(struct kmem_cache *c, unsigned cpu, struct kmem_cache_info *out);

/* slab_debug.c: spec 04 s8. @raw is the start of the stride, the user's object lies obj_offset on. */
void slab_debug_init_object(struct kmem_cache *c, void *raw);
void *slab_debug_alloc(struct kmem_cache *c, void *raw);
void *slab_debug_free(struct kmem_cache *c, void *obj); /* raw object, or NULL: refused */

#endif
