/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slab=slub: the second allocator, in the manner of Linux's SLUB.
 *
 * A free object holds the address of the next free one, so a slab needs no memory of its own for
 * management and no colours. Each CPU owns one slab (frozen) and pops its freelist; slabs that it
 * gave up and that got objects back wait on the CPU's partial list, then on the node's.
 *
 *   page->freelist      first free object of a slab that no CPU allocates from, or objects freed
 *                       into a CPU's slab by others
 *   page->slab_active   objects not on page->freelist; SLUB_FROZEN: a CPU's slab or on its list
 *   page->slab_private  objects of the slab | order << 24 (under pressure slabs are smaller)
 *
 * Linux: mm/slub.c; differs: the lockless cmpxchg on the page is the node's lock here (smp=1).
 */
#include <errno.h>

#include "core/kmem/slab_internal.h"

#define SLUB_FROZEN      0x80000000u
#define SLUB_MAX_ORDER   3 /* PAGE_ALLOC_COSTLY_ORDER */
#define SLUB_MAX_OBJECTS 32767

/* What a CPU owns of a cache, in the slot where SLAB keeps its array. */
struct kmem_cache_cpu {
	u32 avail, limit; /* array_cache's: always 0, so that the inlined paths come here */
	u32 nr_partial_free; /* objects free on the partial slabs, by estimate at freezing */
	u32 partial;      /* frame of the first of the CPU's partial slabs, linked by their links' next */
	void *freelist;
	struct page *page;
	u64 allocs, alloc_slow, frees, free_slow;
};
_Static_assert(sizeof(struct kmem_cache_cpu) <= KMEM_CPU_STRIDE, "fits the CPU's slot");
_Static_assert(offsetof(struct kmem_cache_cpu, avail) == offsetof(struct array_cache, avail) &&
	       offsetof(struct kmem_cache_cpu, limit) == offsetof(struct array_cache, limit),
	       "the inlined fast paths read these two");

MM_INLINE struct kmem_cache_cpu *cpu_of(const struct kmem_cache *c, unsigned cpu)
{
	return (struct kmem_cache_cpu *)(void *)(c->cpu_base + (size_t)cpu * KMEM_CPU_STRIDE);
}

MM_INLINE void *get_next(const struct kmem_cache *c, const void *obj)
{
	void *next;

	memcpy(&next, (const u8 *)obj + c->offset, sizeof(next));
	return next;
}

MM_INLINE void set_next(const struct kmem_cache *c, void *obj, void *next)
{
	memcpy((u8 *)obj + c->offset, &next, sizeof(next));
}

MM_INLINE u32 slab_objects(const struct page *page)
{
	return page->slab_private & 0xffffff;
}

MM_INLINE u32 slab_inuse(const struct page *page)
{
	return page->slab_active & ~SLUB_FROZEN;
}

/* ---- geometry ---- */

/* Least order from @min_order with at least @min_objects and at most 1/@fraction wasted. */
static unsigned slab_order(const struct kmem *k, u32 size, u32 min_objects, unsigned max_order,
			   u32 fraction)
{
	u64 page = 1ull << k->page_shift;
	unsigned order = 0;

	if ((page / size) > SLUB_MAX_OBJECTS)
		return 0;
	while (order <= max_order && (page << order) < (u64)min_objects * size)
		order++;
	for (; order <= max_order; order++)
		if ((page << order) % size <= (page << order) / fraction)
			break;
	return order;
}

static int calculate_order(const struct kmem *k, u32 size)
{
	u64 page = 1ull << k->page_shift;
	u32 min_objects = 4 * (mm_fls(k->ncpu) + 1);
	unsigned order;

	min_objects = (u32)mm_min(min_objects, (page << SLUB_MAX_ORDER) / size);
	for (; min_objects > 1; min_objects--)
		for (u32 fraction = 16; fraction >= 4; fraction /= 2) {
			order = slab_order(k, size, min_objects, SLUB_MAX_ORDER, fraction);
			if (order <= SLUB_MAX_ORDER)
				return (int)order;
		}
	order = slab_order(k, size, 1, SLUB_MAX_ORDER, 1);
	if (order <= SLUB_MAX_ORDER)
		return (int)order;
	order = slab_order(k, size, 1, k->phys->max_order - 1, 1);
	return order < k->phys->max_order ? (int)order : -E2BIG;
}

static u32 order_objects(const struct kmem_cache *c, unsigned order)
{
	return (u32)((1ull << (order + c->kmem->page_shift)) / c->size);
}

int slub_create(struct kmem_cache *c, u32 flags)
{
	struct kmem *k = c->kmem;
	u32 size = ALIGN_UP((u32)mm_max(c->object_size, 1), k->word);
	int order;

	c->inuse = size;
	c->offset = 0;
	if (flags & (SLAB_DESTROY_BY_RCU | SLAB_POISON) || c->ctor) {
		c->offset = size;
		size += (u32)sizeof(void *);
	}
	c->size = ALIGN_UP((u32)mm_max(size, sizeof(void *)), c->align);
	order = calculate_order(k, c->size);
	if (order < 0)
		return order;
	c->gfporder = (u8)order;
	c->num = order_objects(c, c->gfporder);
	c->min_order = 0;
	while (!order_objects(c, c->min_order))
		c->min_order++;
	c->min_num = order_objects(c, c->min_order);
	c->allocflags = flags & SLAB_CACHE_DMA ? MM_GFP_DMA : 0u;
	c->min_partial = (u32)mm_clamp((mm_fls(c->size) - 1) / 2, 5, 10);
	c->cpu_partial = c->size >= 1u << k->page_shift ? 2 : c->size >= 1024 ? 6
			 : c->size >= 256 ? 13 : 30;
	return 0;
}

int slub_setup_cpus(struct kmem_cache *c, unsigned cpu)
{
	struct kmem *k = c->kmem;
	struct kmem_cache_node *n;

	for (unsigned i = 0; i < k->ncpu; i++)
		cpu_of(c, i)->partial = PFN_NONE;
	if (k->early && !k->ideal)
		n = (struct kmem_cache_node *)(void *)k->boot_nodes[k->nr_boot_nodes++];
	else
		n = kmem_meta_alloc(c, cpu, k->node_size, META_NODE);
	if (!n)
		return -ENOMEM;
	memset(n, 0, sizeof(*n));
	for (int i = 0; i < NR_KMEM_SLAB_LISTS; i++)
		slab_list_init(&n->lists[i]);
	if (k->smp)
		pthread_spin_init(&n->lock, PTHREAD_PROCESS_PRIVATE);
	c->node = n;
	return 0;
}

void slub_release(struct kmem_cache *c, unsigned cpu)
{
	if (c->kmem->smp)
		pthread_spin_destroy(&c->node->lock);
	kmem_meta_free(c, cpu, c->node);
}

/* ---- slabs ---- */

static void discard(struct kmem_cache *c, unsigned cpu, struct page *page)
{
	unsigned order = page->slab_private >> 24;

	kmem_freepages(c, cpu, page, order);
}

/* A frozen slab with all its objects on the caller's freelist. */
static struct page *new_slab(struct kmem_cache *c, unsigned cpu, gfp_t gfp, void **freelist)
{
	unsigned order = c->gfporder;
	gfp_t first = order > c->min_order
			      ? (gfp | MM_GFP_NOWARN | MM_GFP_NORETRY) & ~(gfp_t)MM_GFP_NOFAIL : gfp;
	struct page *page = kmem_getpages(c, cpu, first, order);
	u8 *base;
	u32 num;

	if (!page && order > c->min_order)
		page = kmem_getpages(c, cpu, gfp, order = c->min_order);
	if (!page)
		return NULL;
	num = order_objects(c, order);
	base = slab_base(c->kmem, page);
	for (u32 i = 0; i < num; i++) {
		u8 *obj = base + (u64)i * c->size;

		if (c->ctor)
			c->ctor(obj);
		set_next(c, obj, i + 1 < num ? obj + c->size : NULL);
	}
	page->freelist = NULL;
	page->slab_active = num | SLUB_FROZEN;
	page->slab_private = num | order << 24;
	__atomic_fetch_add(&c->grown, 1, __ATOMIC_RELAXED);
	*freelist = base;
	return page;
}

/* Takes everything that waits on the slab; the caller holds the lock. */
static void *take_freelist(struct page *page)
{
	void *list = page->freelist;

	page->freelist = NULL;
	page->slab_active = slab_objects(page) | SLUB_FROZEN;
	return list;
}

static void add_partial(struct kmem_cache *c, struct page *page, bool tail)
{
	struct kmem_cache_node *n = c->node;
	struct slab_list *l = &n->lists[KMEM_SLABS_PARTIAL];

	if (tail)
		slab_list_add_tail(c->kmem->memmap, l, page);
	else
		slab_list_add(c->kmem->memmap, l, page);
	n->free_objects++;
}

static void remove_partial(struct kmem_cache *c, struct page *page)
{
	slab_list_del(c->kmem->memmap, &c->node->lists[KMEM_SLABS_PARTIAL], page);
	c->node->free_objects--;
}

/* Unfreezes a slab under the lock: to the node's list, or true if it is to be discarded. */
static bool unfreeze(struct kmem_cache *c, struct page *page, bool tail)
{
	page->slab_active &= ~SLUB_FROZEN;
	if (!slab_inuse(page) && c->node->free_objects >= c->min_partial)
		return true;
	if (page->freelist)
		add_partial(c, page, tail);
	return false;
}

/* The CPU's partial slabs go to the node. */
static void unfreeze_partials(struct kmem_cache *c, unsigned cpu, struct kmem_cache_cpu *cc)
{
	struct page *map = c->kmem->memmap;
	u32 f = cc->partial, dead = PFN_NONE;

	cc->partial = PFN_NONE;
	cc->nr_partial_free = 0;
	node_lock(c, c->node);
	while (f != PFN_NONE) {
		struct page *page = &map[f];
		u32 next = page_link(map, f)->next;

		if (unfreeze(c, page, true)) {
			page_link(map, f)->next = dead;
			dead = f;
		}
		f = next;
	}
	node_unlock(c, c->node);
	while (dead != PFN_NONE) {
		struct page *page = &map[dead];

		dead = page_link(map, dead)->next;
		discard(c, cpu, page);
	}
}

/* Gives the CPU's slab up; what is left of its freelist goes back to it. */
static void deactivate(struct kmem_cache *c, unsigned cpu, struct kmem_cache_cpu *cc)
{
	struct page *page = cc->page;
	void *obj = cc->freelist;
	bool dead;

	if (!page)
		return;
	cc->page = NULL;
	cc->freelist = NULL;
	node_lock(c, c->node);
	while (obj) {
		void *next = get_next(c, obj);

		set_next(c, obj, page->freelist);
		page->freelist = obj;
		page->slab_active--;
		obj = next;
	}
	dead = unfreeze(c, page, true);
	node_unlock(c, c->node);
	if (dead)
		discard(c, cpu, page);
}

/* ---- allocation ---- */

/* The next slab to allocate from, with its freelist: CPU's partial, node's partial, new. */
static void *next_slab(struct kmem_cache *c, unsigned cpu, struct kmem_cache_cpu *cc, gfp_t gfp)
{
	struct page *map = c->kmem->memmap, *page = NULL;
	struct slab_list *l = &c->node->lists[KMEM_SLABS_PARTIAL];
	u32 got = 0;
	void *list = NULL;

	node_lock(c, c->node);
	if (cc->partial != PFN_NONE) {
		page = &map[cc->partial];
		cc->partial = page_link(map, cc->partial)->next;
		if (cc->partial == PFN_NONE)
			cc->nr_partial_free = 0;
		list = take_freelist(page);
	}
	while (!slab_list_empty(l) && (!page || (!list && got <= c->cpu_partial / 2))) {
		page = &map[l->first];
		remove_partial(c, page);
		list = take_freelist(page);
	}
	/* a few more for the CPU's own list, so that the lock is not taken for each */
	while (list && !slab_list_empty(l) && cc->partial == PFN_NONE && got <= c->cpu_partial / 2) {
		struct page *more = &map[l->first];

		remove_partial(c, more);
		more->slab_active |= SLUB_FROZEN;
		got += slab_objects(more) - slab_inuse(more);
		page_link(map, (u32)(more - map))->next = cc->partial;
		cc->partial = (u32)(more - map);
		cc->nr_partial_free = got;
	}
	node_unlock(c, c->node);
	if (!list)
		page = new_slab(c, cpu, gfp, &list);
	cc->page = page;
	return list;
}

static void *alloc_refill(struct kmem_cache *c, unsigned cpu, struct kmem_cache_cpu *cc, gfp_t gfp)
{
	void *list = NULL;

	cc->alloc_slow++;
	if (cc->page) {
		node_lock(c, c->node);
		if (cc->page->freelist)
			list = take_freelist(cc->page);
		else
			cc->page->slab_active &= ~SLUB_FROZEN; /* full: on no list until a free */
		node_unlock(c, c->node);
		if (!list)
			cc->page = NULL;
	}
	return list ? list : next_slab(c, cpu, cc, gfp);
}

void *slub_alloc(struct kmem_cache *c, unsigned cpu, gfp_t gfp)
{
	struct kmem_cache_cpu *cc = cpu_of(c, cpu);
	void *obj = cc->freelist;

	if (MM_UNLIKELY(!obj)) {
		obj = alloc_refill(c, cpu, cc, gfp);
		if (!obj)
			return NULL;
	}
	cc->freelist = get_next(c, obj);
	cc->allocs++;
	__builtin_prefetch((u8 *)cc->freelist + c->offset);
	return obj;
}

/* ---- freeing ---- */

/* The slab was full and nobody's: it becomes one of this CPU's partial slabs. */
static void put_cpu_partial(struct kmem_cache *c, unsigned cpu, struct kmem_cache_cpu *cc,
			    struct page *page)
{
	u32 f = (u32)(page - c->kmem->memmap);

	if (cc->nr_partial_free >= c->cpu_partial)
		unfreeze_partials(c, cpu, cc);
	page_link(c->kmem->memmap, f)->next = cc->partial;
	cc->partial = f;
	cc->nr_partial_free++;
}

static void free_remote(struct kmem_cache *c, unsigned cpu, struct kmem_cache_cpu *cc,
			struct page *page, void *obj)
{
	bool was_full, frozen, dead = false;

	cc->free_slow++;
	node_lock(c, c->node);
	frozen = page->slab_active & SLUB_FROZEN;
	was_full = !frozen && !page->freelist;
	set_next(c, obj, page->freelist);
	page->freelist = obj;
	page->slab_active--;
	if (was_full) {
		page->slab_active |= SLUB_FROZEN;
	} else if (!frozen && !slab_inuse(page) && c->node->free_objects > c->min_partial) {
		remove_partial(c, page);
		dead = true;
	}
	node_unlock(c, c->node);
	if (was_full)
		put_cpu_partial(c, cpu, cc, page);
	if (dead)
		discard(c, cpu, page);
}

void slub_free(struct kmem_cache *c, unsigned cpu, void *obj)
{
	struct kmem_cache_cpu *cc = cpu_of(c, cpu);
	struct page *page = kmem_page(c->kmem, obj);

	VM_BUG_ON(page->slab_cache != c);
	cc->frees++;
	if (MM_UNLIKELY(page != cc->page)) {
		free_remote(c, cpu, cc, page, obj);
		return;
	}
	set_next(c, obj, cc->freelist);
	cc->freelist = obj;
}

int slub_shrink(struct kmem_cache *c, unsigned cpu)
{
	struct page *map = c->kmem->memmap;
	u32 f, live = 0;

	for (unsigned i = 0; i < c->kmem->ncpu; i++) {
		deactivate(c, cpu, cpu_of(c, i));
		unfreeze_partials(c, cpu, cpu_of(c, i));
	}
	f = c->node->lists[KMEM_SLABS_PARTIAL].first;
	while (f != PFN_NONE) {
		struct page *page = &map[f];

		f = page_link(map, f)->next;
		if (!slab_inuse(page)) {
			remove_partial(c, page);
			discard(c, cpu, page);
		}
	}
	live = c->nr_slabs;
	return live != 0;
}

/* ---- views and invariants ---- */

static u32 list_length(const struct kmem_cache *c, const void *obj)
{
	u32 n = 0;

	for (; obj && n <= SLUB_MAX_OBJECTS; obj = get_next(c, obj))
		n++;
	return n;
}

/* Objects free in a CPU's slab and on its partial list. */
static u64 cpu_free_objects(const struct kmem_cache *c, unsigned cpu, u32 *slabs)
{
	const struct kmem_cache_cpu *cc = cpu_of(c, cpu);
	const struct page *map = c->kmem->memmap;
	u64 n = list_length(c, cc->freelist);

	if (cc->page) {
		n += list_length(c, cc->page->freelist);
		++*slabs;
	}
	for (u32 f = cc->partial; f != PFN_NONE; f = page_link(map, f)->next, ++*slabs)
		n += list_length(c, map[f].freelist);
	return n;
}

void slub_info(struct kmem_cache *c, unsigned cpu, struct kmem_cache_info *out)
{
	const struct page *map = c->kmem->memmap;
	u32 slabs = 0;
	u64 free = 0;

	(void)cpu;
	for (u32 f = c->node->lists[KMEM_SLABS_PARTIAL].first; f != PFN_NONE; f = page_link(map, f)->next)
		free += slab_objects(&map[f]) - slab_inuse(&map[f]);
	for (unsigned i = 0; i < c->kmem->ncpu; i++) {
		const struct kmem_cache_cpu *cc = cpu_of(c, i);

		free += cpu_free_objects(c, i, &slabs);
		out->allocmiss += cc->alloc_slow;
		out->allochit += cc->allocs - cc->alloc_slow;
		out->freemiss += cc->free_slow;
		out->freehit += cc->frees - cc->free_slow;
	}
	out->num_slabs = out->active_slabs = c->nr_slabs;
	out->num_objs = (u64)c->nr_slabs * c->num;
	out->active_objs = out->num_objs > free ? out->num_objs - free : 0;
	out->free_objects = c->node->free_objects;
}

/* The freelist of a slab: objects of it, as many as the books say. */
static int check_slub_page(const struct kmem_cache *c, const struct page *page, char *why, size_t n)
{
	u32 seen = 0, free = slab_objects(page) - slab_inuse(page);

	for (const void *o = page->freelist; o; o = get_next(c, o)) {
		u64 off = (u64)((const u8 *)o - slab_base(c->kmem, page));

		if (kmem_page(c->kmem, o) != page || off % c->size || ++seen > free)
			return kmem_report(why, n, 4003, "%s: freelist broken", c->name);
	}
	if (seen != free || page->slab_cache != c || !PageSlab(page))
		return kmem_report(why, n, 4002, "%s: slab's books say %u free, list has %u", c->name, free,
				seen);
	return 0;
}

int slub_check(struct kmem_cache *c, u64 *pages, char *why, size_t n)
{
	const struct page *map = c->kmem->memmap;
	const struct kmem_cache_node *node = c->node;
	u32 partial = 0;
	int err = 0;

	for (u32 f = node->lists[KMEM_SLABS_PARTIAL].first; f != PFN_NONE && !err; f = page_link(map, f)->next) {
		partial++;
		err = check_slub_page(c, &map[f], why, n);
		if (!err && (map[f].slab_active & SLUB_FROZEN || !map[f].freelist))
			err = kmem_report(why, n, 4001, "%s: frozen or full slab on the node", c->name);
	}
	if (!err && partial != node->free_objects)
		err = kmem_report(why, n, 4002, "%s: nr_partial", c->name);
	for (unsigned i = 0; i < c->kmem->ncpu && !err; i++) {
		const struct kmem_cache_cpu *cc = cpu_of(c, i);

		if (cc->page)
			err = check_slub_page(c, cc->page, why, n);
		for (u32 f = cc->partial; f != PFN_NONE && !err; f = page_link(map, f)->next)
			err = check_slub_page(c, &map[f], why, n);
	}
	*pages += c->slab_pages;
	return err;
}
