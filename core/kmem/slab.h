/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floor 4: caches of equal objects, kmalloc over size classes (spec 04).
 *
 * Terms
 *   object      a host pointer into the arena; size is the stride, object_size what was asked for.
 *   slab        one block of 2^gfporder pages; its state is in the first struct page: slab_cache,
 *               freelist, slab_active (objects in use), slab_private (s_mem: offset of object 0).
 *   CPU array   struct array_cache: LIFO stack of free objects of one cache on one virtual CPU. Only
 *               the thread that drives the CPU touches it, so alloc and free take no lock there.
 *   node        struct kmem_cache_node: lists of full, partial and free slabs, and the array shared
 *               by all CPUs; under node->lock while smp=1.
 *
 * Two allocators behind one interface, chosen by slab=slab|slub: core/kmem/slab.c (Linux 4.0's SLAB,
 * exact in the order of objects) and core/kmem/slub.c. SLUB and debug caches keep their CPU arrays
 * empty with limit 0, so the inlined fast paths below fall through to the functions that know better.
 *
 * Ownership: struct kmem_cache and the nodes are objects of kmem's own caches; CPU arrays are per-CPU
 * memory, which Linux keeps outside the page allocator too (host memory here).
 * Invariants I04.1-I04.4: kmem_check().
 * Linux: mm/slab.c, mm/slub.c, mm/slab_common.c; left out: memory cgroups, alien arrays of NUMA, RCU.
 */
#ifndef MEMRIG_KMEM_SLAB_H
#define MEMRIG_KMEM_SLAB_H

#include <pthread.h>
#include <string.h>

#include "core/base/list.h"
#include "core/phys/mmzone.h"

/* Cache flags: X(SYMBOL, value, "name"), values of Linux 4.0. */
#define SLAB_FLAGS(X)                                                                              \
	X(DEBUG_FREE, 0x100, "debug_free")                                                         \
	X(RED_ZONE, 0x400, "red_zone")                                                             \
	X(POISON, 0x800, "poison")                                                                 \
	X(HWCACHE_ALIGN, 0x2000, "hwcache_align")                                                  \
	X(CACHE_DMA, 0x4000, "cache_dma")                                                          \
	X(STORE_USER, 0x10000, "store_user")                                                       \
	X(RECLAIM_ACCOUNT, 0x20000, "reclaim_account")                                             \
	X(PANIC, 0x40000, "panic")                                                                 \
	X(DESTROY_BY_RCU, 0x80000, "destroy_by_rcu")                                               \
	X(MEM_SPREAD, 0x100000, "mem_spread")                                                      \
	X(TRACE, 0x200000, "trace")                                                                \
	X(NOLEAKTRACE, 0x800000, "noleaktrace")                                                    \
	X(NOTRACK, 0x1000000, "notrack")                                                           \
	X(FAILSLAB, 0x2000000, "failslab")

enum {
#define X(SYM, value, name) SLAB_##SYM = value,
	SLAB_FLAGS(X)
#undef X
};

#define ZERO_SIZE_PTR     ((void *)16)
#define KMEM_CPU_ENTRIES  120  /* largest limit of a CPU array (spec 04 s2.2) */
#define KMEM_CPU_STRIDE   1024 /* bytes from one CPU's array to the next CPU's */
#define KMEM_FREELIST     256  /* bytes a frame: the longest freelist of byte indices */
#define KMEM_SHIFTS       26   /* kmalloc classes: powers of two below 2^26, 1: 96, 2: 192 */
#define KMEM_SMALL        192  /* up to here a kmalloc class is looked up by size / 8 */

struct array_cache {
	u32 avail, limit, batchcount, touched;
	u64 pushes;    /* objects freed into it */
	u64 gained;    /* objects put in by refills */
	u64 drained;   /* objects taken out by flushes and drains */
	u32 allocmiss, freemiss;
	void *entry[];
};
_Static_assert(sizeof(struct array_cache) + KMEM_CPU_ENTRIES * sizeof(void *) <= KMEM_CPU_STRIDE,
	       "a CPU array fits its slot");

struct kmem;
struct kmem_cache_node;

struct kmem_cache {
	u8 *cpu_base;       /* CPU 0's slot of KMEM_CPU_STRIDE bytes */
	struct kmem *kmem;
	struct kmem_cache_node *node;
	void (*ctor)(void *obj);
	u32 size;           /* from one object to the next */
	u32 recip;          /* ceil(2^32 / size): offset to index without a division */
	u32 num;            /* objects a slab */
	u32 object_size;
	u32 flags;          /* SLAB_* */
	gfp_t allocflags;
	u32 batchcount, limit, shared;
	u32 colour, colour_off, align;
	u32 freelist_size;
	s32 refcount;       /* aliases; -1: never merged */
	u32 inuse, offset;  /* slub: used bytes, place of the free pointer */
	u32 min_num, min_order, min_partial, cpu_partial; /* slub */
	u16 obj_offset;     /* debug: bytes before the object */
	u8 gfporder;
	u8 idx_bytes;       /* of a freelist entry: 1 or 2 */
	bool off_slab, debug, slub;
	struct kmem_cache *freelist_cache; /* off-slab freelists come from here */
	struct list_head list;             /* kmem->caches, newest first */
	u64 grown, reaped, high_mark, nr_errors;
	u32 nr_slabs;
	u64 slab_pages;     /* pages of all slabs */
	u32 slot;           /* of per-CPU memory */
	char name[32];
};

struct kmem {
	u8 *arena;
	struct page *map;    /* page of the arena's first frame */
	struct page *memmap; /* phys->memmap */
	unsigned page_shift;
	unsigned ncpu;
	bool smp, nomerge, debug, debug_vm, slub;
	bool ideal; /* ideal=1: caches and nodes lie outside RAM, so that booting takes no page */
	bool early; /* bootstrap: caches are on-slab whatever their size */
	bool full;  /* bootstrap over: arrays have their real sizes */
	struct phys *phys;
	struct hw *hw;
	u32 word, cache_line, kmalloc_min, slab_max_order, node_size, kmalloc_shift_high;
	u64 kmalloc_max;
	int create_error; /* why kmem_cache_create() returned NULL last: -EINVAL, -E2BIG, -ENOMEM */
	struct kmem_cache *small[KMEM_SMALL / 8 + 1]; /* class by (size + 7) / 8 */
	struct kmem_cache *kmalloc_caches[KMEM_SHIFTS], *kmalloc_dma_caches[KMEM_SHIFTS];
	struct kmem_cache cache_cache; /* the cache of caches */
	u64 boot_nodes[2][8];          /* its node and the node class's, until kmalloc works */
	u32 nr_boot_nodes;
	struct list_head caches;
	pthread_mutex_t mutex;         /* slab_mutex: create, destroy */
	u8 *percpu;                    /* CPU arrays of all caches */
	u8 *ideal_meta;                /* by slot, when ideal */
	u32 *free_slots;
	u32 nr_free_slots;
	u8 identity[256];              /* 0, 1, 2, ...: a new slab's freelist */
	u8 *freelists;                 /* [frames of the arena][KMEM_FREELIST]: byte freelists, lazily mapped */
	u64 *reclaimed_slab;           /* [ncpu] slab pages freed since boot, for reclaim (spec 04 s5) */
};

/*
 * Boots floor 4 on @phys in the order of spec 04 s6.1. 0, or -ENOMEM (host or RAM too small).
 */
int kmem_init(struct kmem *k, struct phys *phys, const struct machine_config *c);
void kmem_destroy(struct kmem *k); /* host memory only: the arena goes with the machine */

/* I04.1 to I04.4 of every cache and A04.15's equation: 0, or 4001..4015 with a sentence. Quiescent. */
int kmem_check(struct kmem *k, char *why, size_t n);

/* "slabinfo"; -ENOENT for names of other floors. */
int kmem_show(struct kmem *k, const char *view, FILE *out);

/*
 * A cache of objects of @size bytes, or an existing one that serves as well (spec 04 s2). @align 0 or
 * a power of two. NULL: no memory, no fitting order, or arguments that debug_vm=1 refuses. May sleep.
 */
struct kmem_cache *kmem_cache_create(struct kmem *k, const char *name, size_t size, size_t align,
				     u32 flags, void (*ctor)(void *));

/* Drops a reference; at 0 frees everything. -EBUSY while objects live: the cache works on. May sleep. */
int kmem_cache_destroy(struct kmem_cache *c, unsigned cpu);

/*
 * Drains all CPUs, destroys free slabs; 1 if slabs remain, else 0. smp=1: other CPUs must be idle. May
 * sleep.
 */
int kmem_cache_shrink(struct kmem_cache *c, unsigned cpu);

/* One pass of the periodic reaper on @c for @cpu; @due: the node's turn has come. (spec 04 s5) */
void kmem_cache_reap(struct kmem_cache *c, unsigned cpu, bool due);

/* cache_reap(): the pass over all caches, due by the machine's clock (HZ = 100). */
void kmem_reap(struct kmem *k, unsigned cpu);

/* Everything below the fast paths. */
void *kmem_cache_alloc_slow(struct kmem_cache *c, unsigned cpu, gfp_t gfp);
void kmem_cache_free_slow(struct kmem_cache *c, unsigned cpu, void *obj);

MM_INLINE struct array_cache *kmem_cpu_array(const struct kmem_cache *c, unsigned cpu)
{
	return (struct array_cache *)(void *)(c->cpu_base + (size_t)cpu * KMEM_CPU_STRIDE);
}

/* First page of the block that @p lies in. */
MM_INLINE struct page *kmem_page(const struct kmem *k, const void *p)
{
	struct page *page = &k->map[(u64)((const u8 *)p - k->arena) >> k->page_shift];

	return MM_UNLIKELY(PageTail(page)) ? &k->memmap[page->first_frame] : page;
}

/*
 * An object, or NULL when no page could be had. Atomic iff @gfp lacks MM_GFP_WAIT. MM_GFP_ZERO clears
 * object_size bytes. (spec 04 s4)
 */
MM_INLINE void *kmem_cache_alloc(struct kmem_cache *c, unsigned cpu, gfp_t gfp)
{
	struct array_cache *ac = kmem_cpu_array(c, cpu);
	u32 avail = ac->avail;
	void *obj;

	cpu_might_sleep_if(gfp & MM_GFP_WAIT, c->kmem->hw, cpu);
	if (MM_UNLIKELY(!avail))
		return kmem_cache_alloc_slow(c, cpu, gfp);
	ac->touched = 1;
	obj = ac->entry[avail - 1];
	ac->avail = avail - 1;
	if (MM_UNLIKELY(gfp & MM_GFP_ZERO))
		memset(obj, 0, c->object_size);
	return obj;
}

/* The same, zeroed. Atomic iff @gfp lacks MM_GFP_WAIT. */
MM_INLINE void *kmem_cache_zalloc(struct kmem_cache *c, unsigned cpu, gfp_t gfp)
{
	return kmem_cache_alloc(c, cpu, gfp | MM_GFP_ZERO);
}

/* @obj must be an object of @c in use. Atomic. (spec 04 s5) */
MM_INLINE void kmem_cache_free(struct kmem_cache *c, unsigned cpu, void *obj)
{
	struct array_cache *ac = kmem_cpu_array(c, cpu);
	u32 avail = ac->avail;

	VM_BUG_ON(!obj || kmem_page(c->kmem, obj)->slab_cache != c);
	if (MM_UNLIKELY(avail >= ac->limit)) {
		kmem_cache_free_slow(c, cpu, obj);
		return;
	}
	ac->entry[avail] = obj;
	ac->avail = avail + 1;
	ac->pushes++;
}

/* Class of @size > KMEM_SMALL or with MM_GFP_DMA; NULL beyond kmalloc_max. */
struct kmem_cache *kmalloc_slab_large(struct kmem *k, size_t size, gfp_t gfp);

/* The cache that kmalloc(@size) takes from; NULL for 0 and beyond KMALLOC_MAX_SIZE. */
MM_INLINE struct kmem_cache *kmalloc_slab(struct kmem *k, size_t size, gfp_t gfp)
{
	if (MM_LIKELY(size <= KMEM_SMALL && !(gfp & MM_GFP_DMA)))
		return k->small[(size + 7) / 8];
	return kmalloc_slab_large(k, size, gfp);
}

/* NULL or ZERO_SIZE_PTR by @size; warns about a size that no class has. */
void *kmalloc_no_class(struct kmem *k, size_t size, gfp_t gfp);

/*
 * At least @size bytes, physically contiguous, never highmem. 0: ZERO_SIZE_PTR. Atomic iff @gfp lacks
 * MM_GFP_WAIT. (spec 04 s6)
 */
MM_INLINE void *kmalloc(struct kmem *k, unsigned cpu, size_t size, gfp_t gfp)
{
	struct kmem_cache *c = kmalloc_slab(k, size, gfp);

	return MM_LIKELY(c) ? kmem_cache_alloc(c, cpu, gfp) : kmalloc_no_class(k, size, gfp);
}

/* The same, zeroed. Atomic iff @gfp lacks MM_GFP_WAIT. */
MM_INLINE void *kzalloc(struct kmem *k, unsigned cpu, size_t size, gfp_t gfp)
{
	return kmalloc(k, cpu, size, gfp | MM_GFP_ZERO);
}

/* n * size bytes, zeroed; NULL also when the product overflows. Atomic iff @gfp lacks MM_GFP_WAIT. */
void *kcalloc(struct kmem *k, unsigned cpu, size_t n, size_t size, gfp_t gfp);

/* NULL and ZERO_SIZE_PTR: nothing. Atomic. */
MM_INLINE void kfree(struct kmem *k, unsigned cpu, void *p)
{
	struct page *page;

	if (MM_UNLIKELY((uintptr_t)p <= (uintptr_t)ZERO_SIZE_PTR))
		return;
	page = kmem_page(k, p);
	BUG_ON(!PageSlab(page));
	kmem_cache_free(page->slab_cache, cpu, p);
}

/* Size of the class that @p is of; 0 for NULL and ZERO_SIZE_PTR. Atomic. */
size_t ksize(struct kmem *k, const void *p);

/*
 * Fits the old class: the same pointer. @size 0: freed, ZERO_SIZE_PTR. NULL: no memory, @p untouched. Atomic
 * iff @gfp lacks MM_GFP_WAIT.
 */
void *krealloc(struct kmem *k, unsigned cpu, void *p, size_t size, gfp_t gfp);

/* One cache in numbers: what slabinfo prints and the `lists kind=cache` snapshot holds. */
struct kmem_cache_info {
	const char *name;
	u64 active_objs, num_objs, active_slabs, num_slabs, shared_avail;
	u32 size, object_size, align, order, num, freelist_size, colour, colour_off, limit, batch,
		sharedfactor, free_limit, avail, touched, free_objects, colour_next, free_touched;
	s32 refcount;
	bool off_slab;
	u64 allochit, allocmiss, freehit, freemiss, grown, reaped, high_mark;
};
void kmem_cache_info(struct kmem_cache *c, unsigned cpu, struct kmem_cache_info *out);

enum kmem_slab_list { KMEM_SLABS_FULL, KMEM_SLABS_PARTIAL, KMEM_SLABS_FREE, NR_KMEM_SLAB_LISTS };

/* Slabs of one list from head to tail. */
void kmem_for_each_slab(struct kmem_cache *c, enum kmem_slab_list list,
			void (*fn)(void *arg, pfn_t pfn, u32 active, u32 s_mem), void *arg);

/* Object @i of @cpu's array, bottom first; @i below kmem_cache_info's avail. */
void *kmem_array_object(const struct kmem_cache *c, unsigned cpu, u32 i);

bool kmem_cache_reap_due(const struct kmem_cache *c); /* the node's turn, by the machine's clock */

/* Index of an object in its slab, and the slab's frame. */
u32 kmem_obj_index(const struct kmem_cache *c, const void *obj, pfn_t *pfn);

/* The cache of an address inside a slab object, or NULL. */
struct kmem_cache *kmem_cache_of(const struct kmem *k, const void *obj);

#endif
