/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Caches of either allocator: bootstrap, creation and merging, destruction, views, invariants.
 *
 * Bootstrap (spec 04 s6.1): cache of caches -> kmalloc class of the nodes -> [early ends] -> all
 * other classes ascending -> DMA classes -> [full] every cache gets arrays of its real size.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "core/kmem/slab_internal.h"

void kmem_warn(struct kmem *k, const char *text, const char *name)
{
	k->phys->nr_warnings++;
	if (k->phys->log)
		fprintf(k->phys->log, "slab: %s: %s\n", name, text);
}

int kmem_report(char *why, size_t n, int number, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, n, fmt, ap);
	va_end(ap);
	return number;
}

u32 calculate_alignment(const struct kmem *k, u32 flags, u32 align, u32 size)
{
	if (flags & SLAB_HWCACHE_ALIGN) {
		u32 ralign = k->cache_line;

		while (size <= ralign / 2)
			ralign /= 2;
		align = (u32)mm_max(align, ralign);
	}
	align = (u32)mm_max(align, 8); /* ARCH_SLAB_MINALIGN */
	return ALIGN_UP(align, k->word);
}

static void count_slab(struct kmem_cache *c, int sign, unsigned order)
{
	u64 pages = 1ull << order;

	if (c->kmem->smp) {
		__atomic_fetch_add(&c->slab_pages, sign > 0 ? pages : -pages, __ATOMIC_RELAXED);
		__atomic_fetch_add(&c->nr_slabs, (u32)sign, __ATOMIC_RELAXED);
	} else {
		c->slab_pages += sign > 0 ? pages : -pages;
		c->nr_slabs += (u32)sign;
	}
}

struct page *kmem_getpages(struct kmem_cache *c, unsigned cpu, gfp_t gfp, unsigned order)
{
	struct kmem *k = c->kmem;
	bool reclaimable = c->flags & SLAB_RECLAIM_ACCOUNT;
	gfp_t extra = c->allocflags | (order ? MM_GFP_COMP : 0u) |
		      (reclaimable ? MM_GFP_RECLAIMABLE : 0u);
	struct page *page;

	BUG_ON(gfp & (MM_GFP_HIGHMEM | MM_GFP_DMA32));
	page = alloc_pages(k->phys, cpu, (gfp & ~(gfp_t)(MM_GFP_ZERO | MM_GFP_MOVABLE)) | extra, order);
	if (!page)
		return NULL;
	mod_zone_page_state(page_zone(k->phys, page),
			    reclaimable ? NR_SLAB_RECLAIMABLE : NR_SLAB_UNRECLAIMABLE, 1ll << order);
	count_slab(c, 1, order);
	SetPageSlab(page);
	page->slab_cache = c;
	page->slab_active = 0;
	return page;
}

void kmem_freepages(struct kmem_cache *c, unsigned cpu, struct page *page, unsigned order)
{
	struct kmem *k = c->kmem;

	BUG_ON(!PageSlab(page));
	mod_zone_page_state(page_zone(k->phys, page),
			    c->flags & SLAB_RECLAIM_ACCOUNT ? NR_SLAB_RECLAIMABLE
							    : NR_SLAB_UNRECLAIMABLE,
			    -(1ll << order));
	count_slab(c, -1, order);
	ClearPageSlab(page);
	page->slab_cache = NULL;
	page->slab_active = 0;
	page->slab_private = 0;
	page->freelist = NULL;
	k->reclaimed_slab[cpu] += 1ull << order;
	free_pages_page(k->phys, cpu, page, order);
}

/* ---- creation ---- */

static int take_slot(struct kmem *k, struct kmem_cache *c)
{
	if (!k->nr_free_slots) {
		kmem_warn(k, "too many caches", c->name);
		return -ENOMEM;
	}
	c->slot = k->free_slots[--k->nr_free_slots];
	c->cpu_base = k->percpu + (size_t)c->slot * k->ncpu * KMEM_CPU_STRIDE;
	memset(c->cpu_base, 0, (size_t)k->ncpu * KMEM_CPU_STRIDE);
	return 0;
}

static void give_slot(struct kmem *k, struct kmem_cache *c)
{
	k->free_slots[k->nr_free_slots++] = c->slot;
	c->cpu_base = NULL;
}

void *kmem_meta_alloc(struct kmem_cache *c, unsigned cpu, u64 size, u32 place)
{
	struct kmem *k = c->kmem;

	return k->ideal ? k->ideal_meta + (size_t)c->slot * META_STRIDE + place
			: kmalloc(k, cpu, size, GFP_KERNEL);
}

void kmem_meta_free(struct kmem_cache *c, unsigned cpu, void *p)
{
	if (!c->kmem->ideal)
		kfree(c->kmem, cpu, p);
}

/* A struct kmem_cache; with ideal=1 the place of the slot that take_slot() will give next. */
static struct kmem_cache *alloc_cache(struct kmem *k, unsigned cpu, gfp_t gfp)
{
	if (!k->ideal)
		return kmem_cache_alloc(&k->cache_cache, cpu, gfp);
	if (!k->nr_free_slots)
		return NULL;
	return (struct kmem_cache *)(void *)
		(k->ideal_meta + (size_t)k->free_slots[k->nr_free_slots - 1] * META_STRIDE);
}

static void free_cache(struct kmem *k, unsigned cpu, struct kmem_cache *c)
{
	if (!k->ideal)
		kmem_cache_free(&k->cache_cache, cpu, c);
}

static void init_cache(struct kmem *k, struct kmem_cache *c, const char *name, u32 size, u32 align,
		       u32 flags, void (*ctor)(void *))
{
	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s", name ? name : "");
	c->kmem = k;
	c->size = c->object_size = size;
	c->align = align;
	c->flags = flags;
	c->ctor = ctor;
	c->slub = k->slub;
	c->refcount = 1;
	list_init(&c->list);
}

/* Geometry, arrays and node of an initialised cache; puts it at the head of the list. */
static int finish_cache(struct kmem *k, struct kmem_cache *c, unsigned cpu)
{
	int err = k->slub ? slub_create(c, c->flags) : slab_create(c, c->flags);

	if (err)
		return err;
	c->recip = (u32)(((1ull << 32) + c->size - 1) / c->size);
	err = take_slot(k, c);
	if (err)
		return err;
	err = k->slub ? slub_setup_cpus(c, cpu) : slab_setup_cpus(c, cpu);
	if (err) {
		give_slot(k, c);
		return err;
	}
	list_add(&c->list, &k->caches);
	return 0;
}

static bool unmergeable(const struct kmem_cache *c)
{
	return c->flags & SLAB_NEVER_MERGE || c->ctor || c->refcount < 0;
}

static struct kmem_cache *find_mergeable(struct kmem *k, u32 size, u32 align, u32 flags,
					 void (*ctor)(void *))
{
	struct kmem_cache *c;

	if (k->nomerge || ctor || flags & SLAB_NEVER_MERGE)
		return NULL;
	size = ALIGN_UP(size, k->word);
	align = calculate_alignment(k, flags, align, size);
	size = ALIGN_UP(size, align);
	list_for_each_entry(c, &k->caches, list) {
		if (unmergeable(c) || size > c->size || c->size & (align - 1) ||
		    (flags & SLAB_MERGE_SAME) != (c->flags & SLAB_MERGE_SAME) ||
		    c->size - size >= k->word || align > c->align || c->align % align)
			continue;
		return c;
	}
	return NULL;
}

static struct kmem_cache *create_cache(struct kmem *k, const char *name, u32 size, u32 align,
				       u32 flags, void (*ctor)(void *))
{
	unsigned cpu = k->hw->cpu;
	struct kmem_cache *c = find_mergeable(k, size, align, flags, ctor);

	if (c) {
		c->refcount++;
		c->object_size = (u32)mm_max(c->object_size, size);
		c->inuse = (u32)mm_max(c->inuse, ALIGN_UP(size, k->word));
		return c;
	}
	k->create_error = -ENOMEM;
	c = alloc_cache(k, cpu, GFP_KERNEL);
	if (!c)
		return NULL;
	init_cache(k, c, name, size, calculate_alignment(k, flags, align, size), flags, ctor);
	k->create_error = finish_cache(k, c, cpu);
	if (k->create_error) {
		free_cache(k, cpu, c);
		return NULL;
	}
	return c;
}

struct kmem_cache *kmem_cache_create(struct kmem *k, const char *name, size_t size, size_t align,
				     u32 flags, void (*ctor)(void *))
{
	struct kmem_cache *c = NULL;
	bool refused = k->debug_vm &&
		       (!name || size < k->word || size > k->kmalloc_max || in_interrupt(k->hw, k->hw->cpu));

	might_sleep(k->hw);
	BUG_ON(align & (align - 1));
	k->create_error = size > UINT32_MAX / 2 ? -E2BIG : -EINVAL;
	if (!refused && size <= UINT32_MAX / 2) {
		if (k->smp)
			pthread_mutex_lock(&k->mutex);
		c = create_cache(k, name, (u32)size, (u32)align, flags, ctor);
		if (k->smp)
			pthread_mutex_unlock(&k->mutex);
	}
	BUG_ON(!c && flags & SLAB_PANIC);
	return c;
}

int kmem_cache_destroy(struct kmem_cache *c, unsigned cpu)
{
	struct kmem *k = c->kmem;
	int err = 0;

	cpu_might_sleep(c->kmem->hw, cpu);
	if (k->smp)
		pthread_mutex_lock(&k->mutex);
	BUG_ON(c == &k->cache_cache);
	if (c->refcount)
		c->refcount--; /* 0 already: a destroy that found objects, tried again */
	if (!c->refcount) {
		if (kmem_cache_shrink(c, cpu)) {
			kmem_warn(k, "Slab cache still has objects", c->name);
			err = -EBUSY;
		} else {
			list_del(&c->list);
			if (c->slub)
				slub_release(c, cpu);
			else
				slab_release(c, cpu);
			give_slot(k, c);
			free_cache(k, cpu, c);
		}
	}
	if (k->smp)
		pthread_mutex_unlock(&k->mutex);
	return err;
}

/* ---- the switch between the two allocators ---- */

void *kmem_cache_alloc_slow(struct kmem_cache *c, unsigned cpu, gfp_t gfp)
{
	void *obj = c->slub ? slub_alloc(c, cpu, gfp) : slab_alloc_slow(c, cpu, gfp);

	if (obj && MM_UNLIKELY(gfp & MM_GFP_ZERO))
		memset(obj, 0, c->object_size);
	return obj;
}

void kmem_cache_free_slow(struct kmem_cache *c, unsigned cpu, void *obj)
{
	if (c->slub)
		slub_free(c, cpu, obj);
	else
		slab_free_slow(c, cpu, obj);
}

int kmem_cache_shrink(struct kmem_cache *c, unsigned cpu)
{
	cpu_might_sleep(c->kmem->hw, cpu);
	return c->slub ? slub_shrink(c, cpu) : slab_shrink(c, cpu);
}

void kmem_cache_reap(struct kmem_cache *c, unsigned cpu, bool due)
{
	if (!c->slub)
		slab_reap(c, cpu, due);
}

void kmem_reap(struct kmem *k, unsigned cpu)
{
	struct kmem_cache *c;

	list_for_each_entry(c, &k->caches, list)
		kmem_cache_reap(c, cpu, kmem_cache_reap_due(c));
}

bool kmem_cache_reap_due(const struct kmem_cache *c)
{
	return kmem_jiffies(c->kmem) >= c->node->next_reap;
}

/* ---- bootstrap ---- */

static int boot_cache(struct kmem *k, struct kmem_cache *c, const char *name, u32 size, u32 flags)
{
	init_cache(k, c, name, size, calculate_alignment(k, flags, k->kmalloc_min, size), flags, NULL);
	return finish_cache(k, c, 0);
}

static u32 class_size(unsigned i)
{
	return i == 1 ? 96 : i == 2 ? 192 : 1u << i;
}

/* Position in kmalloc_caches[] of a size, spec 04 s6. */
static unsigned class_index(const struct kmem *k, u32 size)
{
	if (size <= k->kmalloc_min)
		return ilog2(k->kmalloc_min);
	if (size > 64 && size <= 96 && k->kmalloc_min <= 32)
		return 1;
	if (size > 128 && size <= 192 && k->kmalloc_min <= 64)
		return 2;
	return mm_fls(size - 1);
}

static int kmalloc_class(struct kmem *k, struct kmem_cache **slot, u32 size, u32 flags)
{
	char name[32];
	struct kmem_cache *c;
	int err;

	if (*slot)
		return 0;
	c = alloc_cache(k, 0, GFP_NOWAIT);
	if (!c)
		return -ENOMEM;
	snprintf(name, sizeof(name), "%skmalloc-%u", flags & SLAB_CACHE_DMA ? "dma-" : "", size);
	*slot = c;
	err = boot_cache(k, c, name, size, flags | SLAB_HWCACHE_ALIGN);
	for (u32 i = 1; i <= KMEM_SMALL / 8; i++) /* off-slab lists and nodes need it at once */
		k->small[i] = k->kmalloc_caches[class_index(k, i * 8)];
	return err;
}

static int kmalloc_classes(struct kmem *k)
{
	struct kmem_cache **t = k->kmalloc_caches;
	int err = 0;

	for (unsigned i = ilog2(k->kmalloc_min); i <= k->kmalloc_shift_high && !err; i++) {
		err = kmalloc_class(k, &t[i], class_size(i), 0);
		if (!err && i == 6 && k->kmalloc_min <= 32)
			err = kmalloc_class(k, &t[1], 96, 0);
		if (!err && i == 7 && k->kmalloc_min <= 64)
			err = kmalloc_class(k, &t[2], 192, 0);
	}
	if (!k->phys->nodes[0].node_zones[ZONE_DMA])
		return err;
	for (unsigned i = 0; i <= k->kmalloc_shift_high && !err; i++)
		if (t[i])
			err = kmalloc_class(k, &k->kmalloc_dma_caches[i], class_size(i), SLAB_CACHE_DMA);
	return err;
}

static void replace_boot_node(struct kmem *k, struct kmem_cache *c, void *obj)
{
	struct kmem_cache_node *old = c->node, *n = obj;

	*n = *old;
	if (k->smp) {
		pthread_spin_destroy(&old->lock);
		pthread_spin_init(&n->lock, PTHREAD_PROCESS_PRIVATE);
	}
	c->node = n;
}

static int replace_boot_nodes(struct kmem *k, struct kmem_cache *nodes)
{
	void *a, *b;

	if (k->ideal)
		return 0; /* they lie outside RAM already */
	a = kmem_cache_alloc(nodes, 0, GFP_NOWAIT);
	b = kmem_cache_alloc(nodes, 0, GFP_NOWAIT);
	if (!a || !b)
		return -ENOMEM;
	replace_boot_node(k, &k->cache_cache, a);
	replace_boot_node(k, nodes, b);
	return 0;
}

static int boot_caches(struct kmem *k)
{
	unsigned node_class = class_index(k, k->node_size);
	struct kmem_cache *c;
	int err;

	k->early = true;
	err = boot_cache(k, &k->cache_cache, "kmem_cache", sizeof(struct kmem_cache), SLAB_HWCACHE_ALIGN);
	k->cache_cache.refcount = -1;
	if (!err)
		err = kmalloc_class(k, &k->kmalloc_caches[node_class], class_size(node_class), 0);
	k->early = false;
	if (!err)
		err = replace_boot_nodes(k, k->kmalloc_caches[node_class]);
	if (!err)
		err = kmalloc_classes(k);
	if (err)
		return err;
	k->full = true;
	list_for_each_entry(c, &k->caches, list)
		if (!k->slub && slab_setup_cpus(c, 0))
			return -ENOMEM;
	return 0;
}

static void init_numbers(struct kmem *k, const struct machine_config *c)
{
	bool arm32 = c->arch == ARCH_ARM32;
	u64 order = c->slab_max_order;

	k->word = arm32 ? 4 : 8;
	k->kmalloc_min = c->kmalloc_min ? (u32)c->kmalloc_min
			 : c->machine == MACHINE_X86PC ? 32
			 : arm32 || c->policy == POLICY_4_0 ? 64 : 128;
	BUG_ON(!is_pow2(k->kmalloc_min) || k->kmalloc_min < 8);
	k->cache_line = c->cache_line ? (u32)c->cache_line
			: c->machine == MACHINE_X86PC ? 64 : k->kmalloc_min;
	BUG_ON(!is_pow2(k->cache_line));
	k->node_size = arm32 ? 56 : 104; /* spec 12 s5.3; 64-bit: same fields, wider */
	k->kmalloc_shift_high = (u32)mm_min(k->phys->max_order + k->page_shift - 1, 25);
	k->kmalloc_max = 1ull << k->kmalloc_shift_high;
	k->slab_max_order = order <= 10 ? (u32)order
				: k->phys->totalram_pages << k->page_shift > 32 * MiB;
}

static size_t freelists_bytes(const struct kmem *k)
{
	return (size_t)(k->hw->bytes >> k->page_shift) * KMEM_FREELIST;
}

int kmem_init(struct kmem *k, struct phys *phys, const struct machine_config *c)
{
	memset(k, 0, sizeof(*k));
	k->phys = phys;
	k->hw = phys->hw;
	k->arena = k->hw->arena;
	k->page_shift = phys->page_shift;
	k->memmap = phys->memmap;
	k->map = phys->memmap + ((k->hw->base >> k->page_shift) - phys->base_pfn);
	k->ncpu = k->hw->ncpu;
	k->smp = phys->smp;
	k->nomerge = c->slab_nomerge;
	k->debug = c->slabdebug;
	k->debug_vm = c->debug_vm;
	k->slub = c->slab == SLAB_SLUB;
	k->ideal = c->ideal;
	init_numbers(k, c);
	for (unsigned i = 0; i < sizeof(k->identity); i++)
		k->identity[i] = (u8)i;
	list_init(&k->caches);
	pthread_mutex_init(&k->mutex, NULL);
	k->percpu = calloc((size_t)MM_MAX_CACHES * k->ncpu, KMEM_CPU_STRIDE);
	k->free_slots = calloc(MM_MAX_CACHES, sizeof(*k->free_slots));
	k->reclaimed_slab = calloc(k->ncpu, sizeof(*k->reclaimed_slab));
	if (k->ideal)
		k->ideal_meta = calloc(MM_MAX_CACHES, META_STRIDE);
	k->freelists = mmap(NULL, freelists_bytes(k), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (k->freelists == MAP_FAILED)
		k->freelists = NULL;
	if (!k->percpu || !k->free_slots || !k->reclaimed_slab || !k->freelists ||
	    (k->ideal && !k->ideal_meta)) {
		kmem_destroy(k);
		return -ENOMEM;
	}
	for (u32 i = 0; i < MM_MAX_CACHES; i++)
		k->free_slots[k->nr_free_slots++] = MM_MAX_CACHES - 1 - i;
	if (boot_caches(k)) {
		kmem_destroy(k);
		return -ENOMEM;
	}
	return 0;
}

void kmem_destroy(struct kmem *k)
{
	if (k->phys)
		pthread_mutex_destroy(&k->mutex);
	if (k->freelists)
		munmap(k->freelists, freelists_bytes(k));
	free(k->percpu);
	free(k->free_slots);
	free(k->ideal_meta);
	free(k->reclaimed_slab);
	memset(k, 0, sizeof(*k));
}

/* ---- views and invariants ---- */

void *kmem_array_object(const struct kmem_cache *c, unsigned cpu, u32 i)
{
	BUG_ON(i >= slab_real_array(c, cpu)->avail);
	return (u8 *)slab_real_array(c, cpu)->entry[i] + c->obj_offset;
}

u32 kmem_obj_index(const struct kmem_cache *c, const void *obj, pfn_t *pfn)
{
	struct page *page = kmem_page(c->kmem, obj);

	if (pfn)
		*pfn = page_to_pfn(c->kmem->phys, page);
	if (c->slub) /* slab_private has another meaning there; objects start with the slab */
		return (u32)((u64)((const u8 *)obj - slab_base(c->kmem, page)) * c->recip >> 32);
	return slab_index(c, page, (const u8 *)obj - c->obj_offset);
}

struct kmem_cache *kmem_cache_of(const struct kmem *k, const void *obj)
{
	struct page *page;

	if ((u64)((const u8 *)obj - k->arena) >= k->hw->bytes)
		return NULL;
	page = kmem_page(k, obj);
	return PageSlab(page) ? page->slab_cache : NULL;
}

void kmem_for_each_slab(struct kmem_cache *c, enum kmem_slab_list list,
			void (*fn)(void *arg, pfn_t pfn, u32 active, u32 s_mem), void *arg)
{
	struct page *map = c->kmem->memmap;

	for (u32 f = c->node->lists[list].first; f != PFN_NONE; f = page_link(map, f)->next)
		fn(arg, page_to_pfn(c->kmem->phys, &map[f]), map[f].slab_active & 0x7fffffff,
		   c->slub ? 0 : map[f].slab_private);
}

void kmem_cache_info(struct kmem_cache *c, unsigned cpu, struct kmem_cache_info *out)
{
	memset(out, 0, sizeof(*out));
	out->name = c->name;
	out->size = c->size;
	out->object_size = c->object_size;
	out->align = c->align;
	out->order = c->gfporder;
	out->num = c->num;
	out->freelist_size = c->freelist_size;
	out->off_slab = c->off_slab;
	out->colour = c->colour;
	out->colour_off = c->colour_off;
	out->limit = c->limit;
	out->batch = c->batchcount;
	out->refcount = c->refcount;
	out->grown = c->grown;
	out->reaped = c->reaped;
	out->high_mark = c->high_mark;
	if (c->slub)
		slub_info(c, cpu, out);
	else
		slab_info(c, cpu, out);
}

static void show_slabinfo(struct kmem *k, FILE *out)
{
	struct kmem_cache_info i;
	struct kmem_cache *c;

	fputs("slabinfo - version: 2.1\n"
	      "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
	      " : tunables <limit> <batchcount> <sharedfactor>"
	      " : slabdata <active_slabs> <num_slabs> <sharedavail>\n", out);
	list_for_each_entry(c, &k->caches, list) {
		kmem_cache_info(c, k->hw->cpu, &i);
		fprintf(out, "%-17s %6llu %6llu %6u %4u %4u : tunables %4u %4u %4u"
			" : slabdata %6llu %6llu %6llu\n", c->name, (unsigned long long)i.active_objs,
			(unsigned long long)i.num_objs, i.size, i.num, 1u << i.order, i.limit, i.batch,
			i.sharedfactor, (unsigned long long)i.active_slabs,
			(unsigned long long)i.num_slabs, (unsigned long long)i.shared_avail);
	}
}

int kmem_show(struct kmem *k, const char *view, FILE *out)
{
	if (strcmp(view, "slabinfo"))
		return -ENOENT;
	show_slabinfo(k, out);
	return 0;
}

int kmem_check(struct kmem *k, char *why, size_t n)
{
	u64 pages = 0;
	s64 counted;
	struct kmem_cache *c;

	list_for_each_entry(c, &k->caches, list) {
		int err = c->slub ? slub_check(c, &pages, why, n) : slab_check(c, &pages, why, n);

		if (err)
			return err;
	}
	counted = global_page_state(k->phys, NR_SLAB_RECLAIMABLE) +
		  global_page_state(k->phys, NR_SLAB_UNRECLAIMABLE);
	if (counted == (s64)pages)
		return 0;
	snprintf(why, n, "NR_SLAB_* is %lld, slabs hold %llu pages", (long long)counted,
		 (unsigned long long)pages);
	return 4015;
}
