/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SLAB of Linux 4.0: geometry, growing, refill, flush, reaping. Exact in the order of objects.
 *
 *   alloc:  CPU array -> shared array -> partial slabs -> free slabs -> new slab
 *   free:   CPU array -> shared array -> slab (tail of partial, head of free, or destroyed)
 *
 * A slab's freelist is an array of indices; slots [active, num) hold the free ones. On-slab it is
 * accounted before the objects and shifted with them by the colour (but see on_slab_freelist());
 * off-slab it is a kmalloc object of its own. Batches first ask the host's cache for what they will
 * touch, in an order that changes nothing.
 * Linux: mm/slab.c; left out: alien arrays, kmemcheck, RCU-deferred slab freeing.
 */
#include <errno.h>

#include "core/kmem/slab_internal.h"

/* ---- geometry (spec 04 s2) ---- */

struct geometry {
	u32 num, left;
	unsigned order;
	bool found;
};

static u32 freelist_bytes(const struct kmem_cache *c, u64 num, u32 align)
{
	u64 bytes = num * c->idx_bytes;

	return (u32)(align ? ALIGN_UP(bytes, (u64)align) : bytes);
}

/* Objects of a block of @bytes, and what is left over. */
static u64 estimate(const struct kmem_cache *c, u64 bytes, bool off_slab, u64 *left)
{
	u64 num, fl = 0;

	if (off_slab) {
		num = bytes / c->size;
	} else {
		num = bytes / (c->size + c->idx_bytes);
		if (bytes - num * c->size < freelist_bytes(c, num, c->align))
			num--;
		fl = freelist_bytes(c, num, c->align);
	}
	*left = bytes - num * c->size - fl;
	return num;
}

static struct geometry choose_order(const struct kmem_cache *c, u32 flags, bool off_slab)
{
	const struct kmem *k = c->kmem;
	unsigned max = k->kmalloc_shift_high - k->page_shift;
	struct geometry g = {0};

	for (unsigned o = 0; o <= max; o++) {
		u64 bytes = 1ull << (o + k->page_shift), left = 0;
		u64 num = c->size > bytes ? 0 : estimate(c, bytes, off_slab, &left);

		if (!num)
			continue;
		if (num > (c->idx_bytes == 1 ? 255u : 65535u) ||
		    (off_slab && num > c->size / c->idx_bytes))
			break;
		g = (struct geometry){(u32)num, (u32)left, o, true};
		if (flags & SLAB_RECLAIM_ACCOUNT || o >= k->slab_max_order || left * 8 <= bytes)
			break;
	}
	return g;
}

/* slabdebug=1: room for red zones and the user word. Returns the flags in force. */
static u32 debug_layout(struct kmem_cache *c, u32 flags)
{
	if (c->kmem->debug) {
		if (c->size < 4096 || mm_fls(c->size - 1) == mm_fls(c->size - 1 + 8 + 16))
			flags |= SLAB_RED_ZONE | SLAB_STORE_USER;
		if (!(flags & SLAB_DESTROY_BY_RCU))
			flags |= SLAB_POISON;
	}
	c->align = (u32)mm_max(c->align, c->kmem->word);
	if (c->align > 8)
		flags &= ~(u32)(SLAB_RED_ZONE | SLAB_STORE_USER);
	if (flags & SLAB_RED_ZONE) {
		c->size = ALIGN_UP(c->size, 8);
		c->obj_offset = 8;
		c->size += 16;
	}
	if (flags & SLAB_STORE_USER)
		c->size += 8;
	c->debug = flags & (SLAB_RED_ZONE | SLAB_POISON | SLAB_STORE_USER);
	return flags;
}

int slab_create(struct kmem_cache *c, u32 flags)
{
	struct kmem *k = c->kmem;
	u32 min = (u32)mm_min(k->kmalloc_min, 16);
	bool off_slab;
	struct geometry g;

	c->size = ALIGN_UP(c->size, k->word);
	c->flags = flags = debug_layout(c, flags);
	off_slab = c->size >= (1u << k->page_shift) >> 5 && !k->early && !(flags & SLAB_NOLEAKTRACE);
	c->idx_bytes = (1u << k->page_shift) >> 8 <= min ? 1 : 2;
	c->size = ALIGN_UP(c->size, c->align);
	if (c->idx_bytes == 1 && c->size < min)
		c->size = ALIGN_UP(min, c->align);
	if (!c->size) /* 2-byte indices allow any stride but none at all */
		c->size = c->align;
	g = choose_order(c, flags, off_slab);
	if (!g.found)
		return -E2BIG;
	c->num = g.num;
	c->gfporder = (u8)g.order;
	c->freelist_size = freelist_bytes(c, g.num, c->align);
	if (off_slab && g.left >= c->freelist_size) {
		off_slab = false;
		g.left -= c->freelist_size;
	}
	if (off_slab)
		c->freelist_size = freelist_bytes(c, g.num, 0);
	c->off_slab = off_slab;
	c->colour_off = (u32)mm_max(k->cache_line, c->align);
	c->colour = g.left / c->colour_off;
	c->allocflags = flags & SLAB_CACHE_DMA ? MM_GFP_DMA : 0u;
	if (off_slab)
		c->freelist_cache = kmalloc_slab(k, c->freelist_size, 0);
	BUG_ON(off_slab && !c->freelist_cache);
	return 0;
}

/* ---- arrays and nodes (spec 04 s2.2) ---- */

static u32 array_limit(const struct kmem_cache *c)
{
	u32 page = 1u << c->kmem->page_shift;
	u32 limit = c->size > 131072 ? 1 : c->size > page ? 8 : c->size > 1024 ? 24
		    : c->size > 256 ? 54 : 120;

	return (u32)(c->debug ? mm_min(limit, SLAB_DEBUG_LIMIT) : limit);
}

static void init_node(struct kmem_cache *c, struct kmem_cache_node *n)
{
	memset(n, 0, sizeof(*n));
	for (int i = 0; i < NR_KMEM_SLAB_LISTS; i++)
		slab_list_init(&n->lists[i]);
	if (c->kmem->smp)
		pthread_spin_init(&n->lock, PTHREAD_PROCESS_PRIVATE);
	c->node = n;
}

static int make_node(struct kmem_cache *c, unsigned cpu)
{
	struct kmem *k = c->kmem;
	struct kmem_cache_node *n;

	if (k->early && !k->ideal)
		n = (struct kmem_cache_node *)(void *)k->boot_nodes[k->nr_boot_nodes++];
	else
		n = kmem_meta_alloc(c, cpu, k->node_size, META_NODE);
	if (!n)
		return -ENOMEM;
	init_node(c, n);
	n->next_reap = kmem_jiffies(k) + SLAB_REAP_NODE;
	return 0;
}

static struct array_cache *alloc_shared(struct kmem_cache *c, unsigned cpu, u32 limit)
{
	struct array_cache *ac =
		kmem_meta_alloc(c, cpu, sizeof(*ac) + limit * sizeof(void *), META_SHARED);

	if (ac) {
		memset(ac, 0, sizeof(*ac));
		ac->limit = limit;
		ac->batchcount = SLAB_SHARED_BATCH;
	}
	return ac;
}

static void free_block(struct kmem_cache *c, unsigned cpu, void **objs, u32 n);

/* New limits for all CPUs; what the bootstrap arrays held goes back to the slabs. */
static void tune_arrays(struct kmem_cache *c, u32 limit, u32 batch)
{
	c->limit = limit;
	c->batchcount = batch;
	for (unsigned cpu = 0; cpu < c->kmem->ncpu; cpu++) {
		struct array_cache *ac = slab_real_array(c, cpu);

		if (ac->avail) {
			free_block(c, cpu, ac->entry, ac->avail);
			ac->drained += ac->avail;
		}
		ac->avail = 0;
		ac->touched = 0;
		ac->limit = limit;
		ac->batchcount = batch;
	}
}

int slab_setup_cpus(struct kmem_cache *c, unsigned cpu)
{
	struct kmem *k = c->kmem;
	u32 limit = k->full ? array_limit(c) : 1, batch = (limit + 1) / 2;
	struct array_cache *shared = NULL;

	c->shared = k->full && k->ncpu > 1 && c->size <= 1u << k->page_shift ? 8 : 0;
	tune_arrays(c, limit, batch);
	if (c->shared) {
		shared = alloc_shared(c, cpu, c->shared * batch);
		if (!shared)
			return -ENOMEM;
	}
	if (!c->node && make_node(c, cpu)) {
		kmem_meta_free(c, cpu, shared);
		return -ENOMEM;
	}
	if (k->full) {
		c->node->shared = shared;
		c->node->free_limit = (1 + k->ncpu) * batch + c->num;
	}
	return 0;
}

void slab_release(struct kmem_cache *c, unsigned cpu)
{
	if (c->kmem->smp)
		pthread_spin_destroy(&c->node->lock);
	kmem_meta_free(c, cpu, c->node->shared);
	kmem_meta_free(c, cpu, c->node);
}

/* ---- slabs ---- */

static struct page *list_head_page(struct kmem_cache *c, enum kmem_slab_list list)
{
	u32 f = c->node->lists[list].first;

	return f == PFN_NONE ? NULL : &c->kmem->memmap[f];
}

static void slab_destroy(struct kmem_cache *c, unsigned cpu, struct page *page)
{
	void *freelist = page->freelist;

	kmem_freepages(c, cpu, page, c->gfporder);
	if (c->off_slab)
		kmem_cache_free(c->freelist_cache, cpu, freelist);
}

/* Destroys the slabs that free_block() chained through their links' next. */
static void slabs_destroy(struct kmem_cache *c, unsigned cpu, u32 chain)
{
	struct page *map = c->kmem->memmap;

	while (chain != PFN_NONE) {
		struct page *page = &map[chain];

		chain = page_link(map, chain)->next;
		slab_destroy(c, cpu, page);
	}
}

/* freelist[i] = i: copied, growing is not rare when caches breathe. */
static void init_freelist(struct kmem_cache *c, struct page *page)
{
	if (c->idx_bytes == 1)
		memcpy(page->freelist, c->kmem->identity, c->num);
	else
		for (u32 i = 0; i < c->num; i++)
			((u16 *)page->freelist)[i] = (u16)i;
}

static void init_objects(struct kmem_cache *c, struct page *page)
{
	init_freelist(c, page);
	if (!c->ctor && !c->debug)
		return;
	for (u32 i = 0; i < c->num; i++) {
		void *obj = slab_object(c, page, i);

		if (c->debug)
			slab_debug_init_object(c, obj);
		else
			c->ctor(obj);
	}
}

static u32 next_colour(struct kmem_cache *c, struct kmem_cache_node *n)
{
	u32 offset;

	node_lock(c, n);
	offset = n->colour_next++;
	if (n->colour_next >= c->colour)
		n->colour_next = 0;
	node_unlock(c, n);
	return offset * c->colour_off;
}

/*
 * Where the freelist of an on-slab cache is kept. Its place in the slab (at the colour's offset) is
 * left free, but byte lists lie in a dense array: all at the start of their pages, they would compete
 * for the same few sets of the host's caches.
 */
static void *on_slab_freelist(const struct kmem_cache *c, const struct page *page, u32 offset)
{
	const struct kmem *k = c->kmem;
	u64 f = (u64)(page - k->map);

	if (c->idx_bytes != 1)
		return slab_base(k, page) + offset;
	return k->freelists + f * KMEM_FREELIST + (c->num <= 64 ? f / 16 % 4 * 64 : 0);
}

/* One more free slab. Spec 04 s3. */
static bool cache_grow(struct kmem_cache *c, unsigned cpu, gfp_t gfp)
{
	struct kmem_cache_node *n = c->node;
	u32 offset = next_colour(c, n);
	struct page *page = kmem_getpages(c, cpu, gfp, c->gfporder);
	u32 s_mem = offset + (c->off_slab ? 0 : c->freelist_size);
	void *freelist;

	if (!page)
		return false;
	freelist = c->off_slab ? kmem_cache_alloc(c->freelist_cache, cpu, gfp & ~(gfp_t)MM_GFP_ZERO)
			       : on_slab_freelist(c, page, offset);
	if (!freelist) {
		kmem_freepages(c, cpu, page, c->gfporder);
		return false;
	}
	page->freelist = freelist;
	page->slab_private = s_mem;
	init_objects(c, page);
	node_lock(c, n);
	slab_list_add_tail(c->kmem->memmap, &n->lists[KMEM_SLABS_FREE], page);
	n->free_objects += c->num;
	c->grown++;
	node_unlock(c, n);
	return true;
}

/* Moves up to @max objects from the top of @from to the top of @to. */
static u32 transfer_objects(struct array_cache *to, struct array_cache *from, u32 max)
{
	u32 nr = (u32)mm_min(mm_min(from->avail, max), to->limit - to->avail);

	if (nr) {
		memcpy(&to->entry[to->avail], &from->entry[from->avail - nr], nr * sizeof(void *));
		from->avail -= nr;
		to->avail += nr;
	}
	return nr;
}

/* ---- allocation (spec 04 s4) ---- */

/* Objects of the head slab of @from until @want are had or it is full. */
static u32 take_from_slab(struct kmem_cache *c, struct page *page, enum kmem_slab_list from,
			  struct array_cache *ac, u32 want)
{
	struct page *map = c->kmem->memmap;
	struct slab_list *lists = c->node->lists;
	u32 active = page->slab_active, end = (u32)mm_min(c->num, (u64)active + want), avail = ac->avail;
	u8 *s_mem = slab_base(c->kmem, page) + page->slab_private;
	u64 size = c->size;

	if (c->idx_bytes == 1)
		for (const u8 *fl = page->freelist; active < end; active++)
			ac->entry[avail++] = s_mem + fl[active] * size;
	else
		for (const u16 *fl = page->freelist; active < end; active++)
			ac->entry[avail++] = s_mem + fl[active] * size;
	want = active - page->slab_active;
	page->slab_active = active;
	ac->avail = avail;
	if (active == c->num) {
		slab_list_del(map, &lists[from], page);
		slab_list_add(map, &lists[KMEM_SLABS_FULL], page);
	} else if (from != KMEM_SLABS_PARTIAL) {
		slab_list_del(map, &lists[from], page);
		slab_list_add(map, &lists[KMEM_SLABS_PARTIAL], page);
	} /* else it is at the head of partial already */
	return want;
}

/* Asks for the freelist of the slab behind @page and the state of the one behind that. */
static inline void prefetch_slabs(struct page *map, const struct page *page)
{
	u32 f = page_link(map, (u32)(page - map))->next;

	if (f == PFN_NONE)
		return;
	__builtin_prefetch((const u8 *)map[f].freelist + map[f].slab_active);
	f = page_link(map, f)->next;
	if (f != PFN_NONE) {
		__builtin_prefetch(&map[f]);
		__builtin_prefetch(page_link(map, f));
	}
}

static void refill_from_slabs(struct kmem_cache *c, struct array_cache *ac, u32 want)
{
	struct kmem_cache_node *n = c->node;

	while (want) {
		enum kmem_slab_list from = KMEM_SLABS_PARTIAL;
		struct page *page = list_head_page(c, from);

		if (!page) {
			n->free_touched = 1;
			page = list_head_page(c, from = KMEM_SLABS_FREE);
			if (!page)
				break;
		}
		prefetch_slabs(c->kmem->memmap, page);
		want -= take_from_slab(c, page, from, ac, want);
	}
	n->free_objects -= ac->avail;
}

/* @ac is empty: shared array, slabs, new slabs. False: no memory. */
static bool refill(struct kmem_cache *c, unsigned cpu, struct array_cache *ac, gfp_t gfp)
{
	struct kmem_cache_node *n = c->node;

	ac->allocmiss++;
	for (;;) {
		u32 want = ac->batchcount;

		if (!ac->touched)
			want = (u32)mm_min(want, SLAB_BATCHREFILL_LIMIT);
		node_lock(c, n);
		if (n->shared && transfer_objects(ac, n->shared, want))
			n->shared->touched = 1;
		else
			refill_from_slabs(c, ac, want);
		node_unlock(c, n);
		if (ac->avail) {
			ac->gained += ac->avail;
			return true;
		}
		if (!cache_grow(c, cpu, gfp) && !ac->avail)
			return false;
	}
}

void *slab_alloc_slow(struct kmem_cache *c, unsigned cpu, gfp_t gfp)
{
	struct array_cache *ac = slab_real_array(c, cpu);
	void *obj;

	if (!ac->avail && !refill(c, cpu, ac, gfp))
		return NULL;
	ac->touched = 1;
	obj = ac->entry[--ac->avail];
	return MM_UNLIKELY(c->debug) ? slab_debug_alloc(c, obj) : obj;
}

/* ---- freeing (spec 04 s5) ---- */

/* The books of one batch: nothing else changes them under the lock. */
struct free_batch {
	struct page *memmap;
	u32 num, free_objects, chain;
	struct slab_list partial;
};

/* The rarer moves: off the full list, or empty. @done: objects of the batch put back so far. */
static __attribute__((noinline)) void relink(struct kmem_cache *c, struct free_batch *b,
					     struct page *page, u32 active, u32 done)
{
	struct slab_list *full = &c->node->lists[KMEM_SLABS_FULL];

	slab_list_del(b->memmap, active + 1 == b->num ? full : &b->partial, page);
	if (active) {
		slab_list_add_tail(b->memmap, &b->partial, page);
	} else if (b->free_objects + done > c->node->free_limit) {
		u32 f = (u32)(page - b->memmap);

		b->free_objects -= b->num;
		page_link(b->memmap, f)->next = b->chain;
		b->chain = f;
	} else {
		slab_list_add(b->memmap, &c->node->lists[KMEM_SLABS_FREE], page);
	}
}

/*
 * Puts @n objects back. What the loop reads lives in registers: only relink(), rare, sees @b.
 * @wide: 2-byte freelists; @single: slabs of one page. Constants at every call.
 */
MM_INLINE void free_objects(struct kmem_cache *c, struct free_batch *b, void **objs, u32 n, bool wide,
			    bool single)
{
	const struct kmem *k = c->kmem;
	struct page *memmap = k->memmap, *map = k->map;
	u8 *arena = k->arena;
	u64 recip = c->recip;
	u32 num = c->num, bias = (u32)(map - memmap); /* frame of the arena's first page */
	unsigned shift = k->page_shift;
	struct slab_list partial = b->partial;

	for (u32 i = 0; i < n; i++) {
		u64 off = (u64)((u8 *)objs[i] - arena);
		u32 f = (u32)(off >> shift), active;
		struct page *page = &map[f];
		struct page_link *l, *next;

		if (!single && PageTail(page)) {
			page = &memmap[page->first_frame];
			f = (u32)(page - map);
		}
		off -= (u64)f << shift;
		active = page->slab_active - 1;
		VM_BUG_ON(page->slab_cache != c || active >= num);
		off = (off - page->slab_private) * recip >> 32;
		if (wide)
			((u16 *)page->freelist)[active] = (u16)off;
		else
			((u8 *)page->freelist)[active] = (u8)off;
		page->slab_active = active;
		if (MM_UNLIKELY(!active || active + 1 == num)) {
			b->partial = partial;
			relink(c, b, page, active, i + 1);
			partial = b->partial;
			continue;
		}
		f += bias;
		if (f == partial.last)
			continue;
		l = page_link(memmap, f); /* to the tail */
		next = page_link(memmap, l->next);
		next->prev = l->prev;
		if (MM_UNLIKELY(l->prev == PFN_NONE))
			partial.first = l->next;
		else
			page_link(memmap, l->prev)->next = l->next;
		page_link(memmap, partial.last)->next = f;
		l->next = PFN_NONE;
		l->prev = partial.last;
		partial.last = f;
	}
	b->partial = partial;
	b->free_objects += n;
}

#define FEW_SLABS 512 /* their state fits the host's first-level cache */

/* Asks for all that a batch will touch, when it is likely to be far away. */
static void prefetch_batch(const struct kmem *k, const struct kmem_cache *c, void **objs, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		const struct page *page = &k->map[(u64)((const u8 *)objs[i] - k->arena) >> k->page_shift];

		__builtin_prefetch(page, 1);
		__builtin_prefetch(page_link(k->memmap, (u32)(page - k->memmap)), 1);
	}
	for (u32 i = 0; i < n; i++) {
		const struct page *page = kmem_page(k, objs[i]);
		struct page_link l = *page_link(k->memmap, (u32)(page - k->memmap));

		__builtin_prefetch((const u8 *)page->freelist + page->slab_active * c->idx_bytes, 1);
		if (l.prev != PFN_NONE)
			__builtin_prefetch(page_link(k->memmap, l.prev), 1);
		if (l.next != PFN_NONE)
			__builtin_prefetch(page_link(k->memmap, l.next), 1);
	}
}

/* Back to the slabs, in order; the caller holds the node's lock. Returns a chain for slabs_destroy(). */
static u32 free_block_locked(struct kmem_cache *c, void **objs, u32 n)
{
	const struct kmem *k = c->kmem;
	struct kmem_cache_node *node = c->node;
	struct free_batch b = {
		.memmap = k->memmap, .num = c->num, .free_objects = node->free_objects,
		.chain = PFN_NONE, .partial = node->lists[KMEM_SLABS_PARTIAL],
	};

	if (__atomic_load_n(&c->nr_slabs, __ATOMIC_RELAXED) > FEW_SLABS)
		prefetch_batch(k, c, objs, n);
	if (c->idx_bytes == 1 && !c->gfporder)
		free_objects(c, &b, objs, n, false, true);
	else if (c->idx_bytes == 1)
		free_objects(c, &b, objs, n, false, false);
	else
		free_objects(c, &b, objs, n, true, false);
	node->lists[KMEM_SLABS_PARTIAL] = b.partial;
	node->free_objects = b.free_objects;
	return b.chain;
}

static void free_block(struct kmem_cache *c, unsigned cpu, void **objs, u32 n)
{
	u32 chain;

	node_lock(c, c->node);
	chain = free_block_locked(c, objs, n);
	node_unlock(c, c->node);
	slabs_destroy(c, cpu, chain);
}

/* Takes @n objects off the bottom of @ac, the caller having put them elsewhere. */
static void shift_down(struct array_cache *ac, u32 n)
{
	ac->avail -= n;
	ac->drained += n;
	memmove(ac->entry, &ac->entry[n], ac->avail * sizeof(void *));
}

static void flush_array(struct kmem_cache *c, unsigned cpu, struct array_cache *ac)
{
	struct kmem_cache_node *n = c->node;
	struct array_cache *sh;
	u32 batch = ac->batchcount, chain = PFN_NONE;

	node_lock(c, n);
	sh = n->shared;
	if (sh && sh->avail < sh->limit) {
		batch = (u32)mm_min(batch, sh->limit - sh->avail);
		memcpy(&sh->entry[sh->avail], ac->entry, batch * sizeof(void *));
		sh->avail += batch;
	} else {
		chain = free_block_locked(c, ac->entry, batch);
	}
	node_unlock(c, n);
	slabs_destroy(c, cpu, chain);
	shift_down(ac, batch);
}

void slab_free_slow(struct kmem_cache *c, unsigned cpu, void *obj)
{
	struct array_cache *ac = slab_real_array(c, cpu);

	if (MM_UNLIKELY(c->debug)) {
		obj = slab_debug_free(c, obj);
		if (!obj)
			return;
	}
	if (ac->avail >= ac->limit) {
		ac->freemiss++;
		flush_array(c, cpu, ac);
	}
	ac->entry[ac->avail++] = obj;
	ac->pushes++;
}

/* ---- shrinking and reaping ---- */

/* Gives a part of an array (all of it by @force) back to the slabs, unless it was used since. */
static void drain_array(struct kmem_cache *c, unsigned cpu, struct array_cache *ac, bool force)
{
	u32 n;

	if (!ac || !ac->avail)
		return;
	if (ac->touched && !force) {
		ac->touched = 0;
		return;
	}
	n = force ? ac->avail : (ac->limit + 4) / 5;
	if (n > ac->avail)
		n = (ac->avail + 1) / 2;
	free_block(c, cpu, ac->entry, n);
	shift_down(ac, n);
}

/* Destroys up to @max free slabs from the tail. */
static u32 drain_freelist(struct kmem_cache *c, unsigned cpu, u32 max)
{
	struct kmem_cache_node *n = c->node;
	struct slab_list *l = &n->lists[KMEM_SLABS_FREE];
	u32 done = 0;

	while (done < max) {
		struct page *page = NULL;

		node_lock(c, n);
		if (!slab_list_empty(l)) {
			page = &c->kmem->memmap[l->last];
			slab_list_del(c->kmem->memmap, l, page);
			n->free_objects -= c->num;
		}
		node_unlock(c, n);
		if (!page)
			break;
		slab_destroy(c, cpu, page);
		done++;
	}
	return done;
}

int slab_shrink(struct kmem_cache *c, unsigned cpu)
{
	for (unsigned i = 0; i < c->kmem->ncpu; i++) {
		struct array_cache *ac = slab_real_array(c, i);

		free_block(c, cpu, ac->entry, ac->avail);
		ac->drained += ac->avail;
		ac->avail = 0;
	}
	drain_array(c, cpu, c->node->shared, true);
	drain_freelist(c, cpu, UINT32_MAX);
	return !slab_list_empty(&c->node->lists[KMEM_SLABS_FULL]) ||
	       !slab_list_empty(&c->node->lists[KMEM_SLABS_PARTIAL]);
}

void slab_reap(struct kmem_cache *c, unsigned cpu, bool due)
{
	struct kmem_cache_node *n = c->node;

	drain_array(c, cpu, slab_real_array(c, cpu), false);
	if (!due)
		return;
	n->next_reap = kmem_jiffies(c->kmem) + SLAB_REAP_NODE;
	drain_array(c, cpu, n->shared, false);
	if (n->free_touched)
		n->free_touched = 0;
	else
		c->reaped += drain_freelist(c, cpu, (n->free_limit + 5 * c->num - 1) / (5 * c->num));
}

/* ---- views and invariants ---- */

void slab_info(struct kmem_cache *c, unsigned cpu, struct kmem_cache_info *out)
{
	struct kmem_cache_node *n = c->node;
	struct array_cache *ac = slab_real_array(c, cpu);
	struct page *map = c->kmem->memmap;

	for (int l = 0; l < NR_KMEM_SLAB_LISTS; l++)
		for (u32 f = n->lists[l].first; f != PFN_NONE; f = page_link(map, f)->next) {
			out->num_slabs++;
			out->active_slabs += l != KMEM_SLABS_FREE;
			out->active_objs += map[f].slab_active;
		}
	out->num_objs = out->num_slabs * c->num;
	out->sharedfactor = c->shared;
	out->shared_avail = n->shared ? n->shared->avail : 0;
	out->free_limit = n->free_limit;
	out->free_objects = n->free_objects;
	out->colour_next = n->colour_next;
	out->free_touched = n->free_touched;
	out->avail = ac->avail;
	out->touched = ac->touched;
	for (unsigned i = 0; i < c->kmem->ncpu; i++) {
		ac = slab_real_array(c, i);
		out->allocmiss += ac->allocmiss;
		out->allochit += ac->pushes + ac->gained - ac->drained - ac->avail - ac->allocmiss;
		out->freemiss += ac->freemiss;
		out->freehit += ac->pushes - ac->freemiss;
	}
}

/* @obj is on an array: must be an object of @c in use by its slab's books. */
static int check_array_object(struct kmem_cache *c, const void *obj, char *why, size_t n)
{
	struct page *page = kmem_page(c->kmem, obj);
	u32 i;

	if (!PageSlab(page) || page->slab_cache != c ||
	    slab_object(c, page, i = slab_index(c, page, obj)) != obj || i >= c->num)
		return kmem_report(why, n, 4003, "%s: array holds no object of it", c->name);
	for (u32 s = page->slab_active; s < c->num; s++)
		if (slab_freelist_get(c, page, s) == i)
			return kmem_report(why, n, 4003, "%s: object %u in array and slab", c->name, i);
	return 0;
}

static int check_array(struct kmem_cache *c, const struct array_cache *ac, u64 *held, char *why, size_t n)
{
	if (!ac)
		return 0;
	if (ac->avail > ac->limit)
		return kmem_report(why, n, 4003, "%s: array over its limit", c->name);
	*held += ac->avail;
	for (u32 i = 0; i < ac->avail; i++) {
		int err = check_array_object(c, ac->entry[i], why, n);

		if (err)
			return err;
		for (u32 j = 0; j < i; j++)
			if (ac->entry[i] == ac->entry[j])
				return kmem_report(why, n, 4003, "%s: object twice in an array", c->name);
	}
	return 0;
}

static int check_slab(struct kmem_cache *c, const struct page *page, int list, char *why, size_t n)
{
	u32 active = page->slab_active;
	u64 seen[65536 / 64] = {0};
	bool ok = list == KMEM_SLABS_FULL ? active == c->num
		  : list == KMEM_SLABS_FREE ? !active : active && active < c->num;

	if (!ok || !PageSlab(page) || page->slab_cache != c)
		return kmem_report(why, n, 4001, "%s: slab with %u of %u on list %d", c->name, active, c->num,
				list);
	for (u32 i = active; i < c->num; i++) {
		u32 index = slab_freelist_get(c, page, i);

		if (index >= c->num || seen[index / 64] >> index % 64 & 1)
			return kmem_report(why, n, 4003, "%s: freelist broken", c->name);
		seen[index / 64] |= BIT(index % 64);
	}
	return 0;
}

int slab_check(struct kmem_cache *c, u64 *pages, char *why, size_t n)
{
	struct page *map = c->kmem->memmap;
	u64 free = 0, active = 0, held = 0, slabs = 0;
	int err = 0;

	for (int l = 0; l < NR_KMEM_SLAB_LISTS; l++)
		for (u32 f = c->node->lists[l].first; f != PFN_NONE; f = page_link(map, f)->next) {
			err = check_slab(c, &map[f], l, why, n);
			if (err)
				return err;
			free += c->num - map[f].slab_active;
			active += map[f].slab_active;
			slabs++;
		}
	if (free != c->node->free_objects || slabs != c->nr_slabs)
		return kmem_report(why, n, 4002, "%s: free_objects %u, slabs hold %llu", c->name,
				c->node->free_objects, (unsigned long long)free);
	for (unsigned i = 0; i < c->kmem->ncpu && !err; i++)
		err = check_array(c, slab_real_array(c, i), &held, why, n);
	if (!err)
		err = check_array(c, c->node->shared, &held, why, n);
	if (!err && held > active)
		err = kmem_report(why, n, 4004, "%s: arrays hold more than is active", c->name);
	*pages += c->slab_pages;
	if (!err && c->slab_pages != slabs << c->gfporder)
		err = kmem_report(why, n, 4015, "%s: slab_pages", c->name);
	return err;
}
