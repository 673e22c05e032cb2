/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/machine/apply_kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/phys/page_alloc.h"
#include "core/vm/highmem.h"
#include "core/vm/vmalloc.h"

enum id_kind { ID_PAGES, ID_OBJECT, ID_CACHE, ID_AREA, ID_MAPPING };

/* What an id holds. */
struct held {
	u64 id;
	u8 used;  /* 0: free entry; 1: in use; 2: deleted */
	u8 kind;  /* enum id_kind */
	u16 order;
	u32 nr;   /* single pages of alloc_bulk; 0: one block */
	struct kmem_cache *cache; /* of an object; NULL: kmalloc */
	void *p;  /* struct page *, struct page **, object or cache */
	vaddr_t va;
};

struct machine_kernel_ops {
	struct phys *phys;
	struct kmem *kmem;
	struct vmalloc vmalloc;
	struct highmem highmem;
	struct held *table; /* open addressing */
	u32 bits, used;     /* used: entries not free, deleted ones included */
};

/* One operation in flight. */
struct kop {
	struct machine_kernel_ops *k;
	const struct mm_op *op;
	const struct mm_op_ext *ext;
	const struct op_strings *strings;
	struct mm_result *res;
	unsigned cpu;
};

struct machine_kernel_ops *apply_kernel_create(struct phys *phys, struct kmem *kmem, struct vm *vm)
{
	struct machine_kernel_ops *k = calloc(1, sizeof(*k));

	(void)vm;
	if (!k)
		return NULL;
	k->phys = phys;
	k->kmem = kmem;
	k->bits = 10;
	k->table = calloc(1u << k->bits, sizeof(*k->table));
	if (!k->table || highmem_init(&k->highmem, phys) || vmalloc_init(&k->vmalloc, kmem)) {
		free(k->table);
		free(k);
		return NULL;
	}
	return k;
}

void apply_kernel_destroy(struct machine_kernel_ops *k)
{
	if (!k)
		return;
	for (u32 i = 0; i < 1u << k->bits; i++)
		if (k->table[i].used == 1 && k->table[i].nr)
			free(k->table[i].p);
	free(k->table);
	free(k); /* what lies in the arena goes with it */
}

/* ---- ids ---- */

static struct held *find(struct machine_kernel_ops *k, enum id_kind kind, u64 id, bool insert)
{
	u32 mask = (1u << k->bits) - 1, i = hash_u64(id * 8 + kind + 1, k->bits);
	struct held *grave = NULL;

	for (;; i = (i + 1) & mask) {
		struct held *h = &k->table[i];

		if (h->used == 1 && h->id == id && h->kind == kind)
			return h;
		if (h->used == 2 && !grave)
			grave = h;
		if (!h->used)
			return insert ? (grave ? grave : h) : NULL;
	}
}

/* At most half full, graves included; they go when the table is built anew. */
static bool make_room(struct machine_kernel_ops *k)
{
	struct held *old = k->table;
	u32 size = 1u << k->bits, live = 0;

	if (k->used * 2 < size)
		return true;
	for (u32 i = 0; i < size; i++)
		live += old[i].used == 1;
	k->table = calloc(live * 4 < size ? size : 2 * (size_t)size, sizeof(*old));
	if (!k->table) {
		k->table = old;
		return false;
	}
	k->bits += live * 4 >= size;
	k->used = live;
	for (u32 i = 0; i < size; i++)
		if (old[i].used == 1)
			*find(k, old[i].kind, old[i].id, true) = old[i];
	free(old);
	return true;
}

/* Remembers @h; what the id held before is forgotten (its trace lost the free). */
static void keep(struct machine_kernel_ops *k, enum id_kind kind, u64 id, struct held h)
{
	struct held *to = find(k, kind, id, true);

	k->used += !to->used;
	if (to->used == 1 && to->nr)
		free(to->p);
	h.id = id;
	h.kind = (u8)kind;
	h.used = 1;
	*to = h;
}

/* Takes the entry out; false if there is none. */
static bool take(struct machine_kernel_ops *k, enum id_kind kind, u64 id, struct held *out)
{
	struct held *h = find(k, kind, id, false);

	if (!h)
		return false;
	*out = *h;
	memset(h, 0, sizeof(*h));
	h->used = 2;
	return true;
}

static bool answer(const struct kop *o, s64 value)
{
	o->res->res = RES_EXT;
	o->res->value = value;
	return true;
}

static s64 frame_number(const struct machine_kernel_ops *k, const struct page *p)
{
	return (s64)(page_to_pfn(k->phys, p) - k->phys->min_low_pfn);
}

static gfp_t gfp_of(const struct kop *o)
{
	return o->op->flags & MM_OP_HAS_ARG ? (gfp_t)o->op->arg : GFP_KERNEL;
}

/* Zone bits that name no zone are a bug in a kernel; a trace may say anything. */
static bool names_zone(const struct kop *o, gfp_t gfp)
{
	return o->k->phys->gfp_zone_tab[gfp & 15] < MM_MAX_NR_ZONES;
}

/* Slabs are never in high memory (spec 04 s3). */
static bool suits_slabs(const struct kop *o)
{
	return names_zone(o, gfp_of(o)) && !(gfp_of(o) & (MM_GFP_HIGHMEM | MM_GFP_DMA32));
}

/* ---- pages ---- */

static bool op_alloc_pages(const struct kop *o)
{
	struct page *p;

	if (!names_zone(o, (gfp_t)o->op->arg))
		return answer(o, -EINVAL);
	p = o->op->len < 64 ? alloc_pages(o->k->phys, o->cpu, (gfp_t)o->op->arg, (unsigned)o->op->len) : NULL;
	if (!p)
		return answer(o, -ENOMEM);
	keep(o->k, ID_PAGES, o->op->addr, (struct held){.p = p, .order = (u16)o->op->len});
	return answer(o, frame_number(o->k, p));
}

static bool op_alloc_bulk(const struct kop *o)
{
	u32 n = o->op->len > 1u << 20 ? 1u << 20 : (u32)o->op->len;
	struct page **pages;

	if (!names_zone(o, (gfp_t)o->op->arg))
		return answer(o, -EINVAL);
	pages = calloc(n ? n : 1, sizeof(struct page *));
	if (!pages)
		return false;
	n = alloc_pages_bulk(o->k->phys, o->cpu, (gfp_t)o->op->arg, n, pages);
	if (n)
		keep(o->k, ID_PAGES, o->op->addr, (struct held){.p = pages, .nr = n});
	else
		free(pages);
	return answer(o, n);
}

static bool op_free_pages(const struct kop *o)
{
	struct phys *phys = o->k->phys;
	bool cold = o->op->flags & MM_OP_HAS_ARG && o->op->arg;
	struct held h;

	if (!take(o->k, ID_PAGES, o->op->addr, &h))
		return answer(o, -ENOENT);
	for (u32 i = 0; i < h.nr; i++)
		free_page_page(phys, o->cpu, ((struct page **)h.p)[i]);
	if (h.nr) {
		free(h.p);
	} else if (cold && !h.order) {
		if (put_page_testzero(h.p))
			free_hot_cold_page(phys, o->cpu, h.p, true);
	} else {
		free_pages_page(phys, o->cpu, h.p, h.order);
	}
	return answer(o, 0);
}

/* The zone that GFP_KERNEL prefers. */
static struct zone *kernel_zone(const struct machine_kernel_ops *k)
{
	return node_zonelist(k->phys, 0, GFP_KERNEL)->zones[0];
}

static bool op_watermark_ok(const struct kop *o)
{
	struct zone *z = kernel_zone(o->k);
	unsigned flags = o->op->flags & MM_OP_HAS_ARG ? (unsigned)o->op->arg : 0;

	if (o->op->len >= o->k->phys->max_order) /* there is no such block */
		return answer(o, 0);
	return answer(o, zone_watermark_ok(z, (unsigned)o->op->len, o->op->addr, z->type, flags));
}

/* Spec 10 s5: towards 0 lack of memory, towards 1000 fragmentation; -1000: a block would do. */
static bool op_fragmentation_index(const struct kop *o)
{
	const struct zone *z = kernel_zone(o->k);
	u64 blocks = 0, pages = 0, order = o->op->len;

	if (order >= o->k->phys->max_order)
		return answer(o, -EINVAL);
	for (unsigned i = 0; i < o->k->phys->max_order; i++) {
		u64 n = z->free_area[i].nr_free;

		blocks += n;
		pages += n << i;
		if (i >= order && n)
			return answer(o, -1000);
	}
	if (!blocks)
		return answer(o, 0);
	return answer(o, 1000 - (s64)((1000 + pages * 1000 / (1ull << order)) / blocks));
}

/* ---- objects ---- */

static bool op_kmalloc(const struct kop *o)
{
	void *p;

	if (!suits_slabs(o))
		return answer(o, -EINVAL);
	p = kmalloc(o->k->kmem, o->cpu, o->op->len, gfp_of(o));
	if (!p)
		return answer(o, -ENOMEM);
	keep(o->k, ID_OBJECT, o->op->addr, (struct held){.p = p});
	return answer(o, 0);
}

static bool free_object(const struct kop *o, u64 id)
{
	struct held h;

	if (!take(o->k, ID_OBJECT, id, &h))
		return answer(o, -ENOENT);
	if (h.cache)
		kmem_cache_free(h.cache, o->cpu, h.p);
	else
		kfree(o->k->kmem, o->cpu, h.p);
	return answer(o, 0);
}

static void ctor_nothing(void *obj)
{
	(void)obj; /* that there is one decides merging and, for SLUB, geometry */
}

#define CACHE_NAMED BIT(63)

static bool op_cache_create(const struct kop *o)
{
	u64 id = o->op->addr, align = o->op->flags & MM_OP_HAS_ARG ? o->op->arg : 0;
	u32 flags = o->ext && o->ext->has & MM_EXT_X0 ? (u32)o->ext->x0 : 0;
	bool ctor = o->ext && o->ext->has & MM_EXT_X1 && o->ext->x1;
	struct kmem_cache *c;
	char name[32];

	if (align & (align - 1) || flags & SLAB_PANIC)
		return answer(o, -EINVAL);
	if (id & CACHE_NAMED)
		snprintf(name, sizeof(name), "%s",
			 o->strings ? o->strings->get(o->strings->self, id & ~CACHE_NAMED) : "");
	else
		snprintf(name, sizeof(name), "cache-%llu", (unsigned long long)id);
	c = kmem_cache_create(o->k->kmem, name, o->op->len, align, flags, ctor ? ctor_nothing : NULL);
	if (!c)
		return answer(o, o->k->kmem->create_error);
	keep(o->k, ID_CACHE, id, (struct held){.p = c});
	return answer(o, 0);
}

static bool cache_alloc(const struct kop *o, struct kmem_cache *c)
{
	pfn_t pfn;
	void *p;

	if (!suits_slabs(o))
		return answer(o, -EINVAL);
	p = kmem_cache_alloc(c, o->cpu, gfp_of(o));
	if (!p)
		return answer(o, -ENOMEM);
	keep(o->k, ID_OBJECT, o->op->len, (struct held){.p = p, .cache = c});
	o->res->second = kmem_obj_index(c, p, &pfn);
	o->res->has_second = 1;
	return answer(o, (s64)(pfn - o->k->phys->min_low_pfn));
}

static bool cache_reap(const struct kop *o, struct kmem_cache *c)
{
	bool due = o->op->flags & MM_OP_HAS_ARG ? o->op->arg != 0 : kmem_cache_reap_due(c);

	kmem_cache_reap(c, o->cpu, due);
	return answer(o, 0);
}

static bool cache_destroy(const struct kop *o, struct kmem_cache *c)
{
	struct held h;
	int r = kmem_cache_destroy(c, o->cpu);

	if (!r)
		take(o->k, ID_CACHE, o->op->addr, &h);
	return answer(o, r);
}

/* The operations on a cache that exists. */
static bool cache_op(const struct kop *o)
{
	struct held *h = find(o->k, ID_CACHE, o->op->addr, false);

	if (!h)
		return answer(o, -ENOENT);
	switch (o->op->code) {
	case OP_CACHE_ALLOC:
		return cache_alloc(o, h->p);
	case OP_CACHE_SHRINK:
		return answer(o, kmem_cache_shrink(h->p, o->cpu));
	case OP_CACHE_REAP:
		return cache_reap(o, h->p);
	default:
		return cache_destroy(o, h->p);
	}
}

/* ---- addresses ---- */

static bool op_vmalloc(const struct kop *o)
{
	vaddr_t va = vmalloc(&o->k->vmalloc, o->cpu, o->op->len);

	if (!va)
		return answer(o, -ENOMEM);
	keep(o->k, ID_AREA, o->op->addr, (struct held){.va = va});
	return answer(o, (s64)va);
}

static bool op_vfree(const struct kop *o)
{
	struct held h;

	if (!take(o->k, ID_AREA, o->op->addr, &h))
		return answer(o, -ENOENT);
	vfree(&o->k->vmalloc, o->cpu, h.va);
	return answer(o, 0);
}

/* page= names an allocation (its first page), or else a frame in use, counted from the first of RAM. */
static struct page *page_named(const struct kop *o, u64 name)
{
	struct phys *phys = o->k->phys;
	struct held *h = find(o->k, ID_PAGES, name, false);
	struct page *page;

	if (h)
		return h->nr ? ((struct page **)h->p)[0] : h->p;
	if (name >= phys->nr_frames || !pfn_valid(phys, phys->min_low_pfn + name))
		return NULL;
	page = pfn_to_page(phys, (pfn_t)(phys->min_low_pfn + name));
	return page_count(page) > 0 ? page : NULL;
}

static bool op_kmap(const struct kop *o)
{
	struct page *page = page_named(o, o->op->len);
	vaddr_t va;
	int r;

	if (!page)
		return answer(o, -ENOENT);
	r = kmap(&o->k->highmem, o->cpu, page, &va);
	if (r)
		return answer(o, r);
	keep(o->k, ID_MAPPING, o->op->addr, (struct held){.p = page, .va = va});
	return answer(o, (s64)va);
}

static bool op_kunmap(const struct kop *o)
{
	struct held h;

	if (!take(o->k, ID_MAPPING, o->op->addr, &h))
		return answer(o, -ENOENT);
	kunmap(&o->k->highmem, o->cpu, h.p);
	return answer(o, 0);
}

bool apply_kernel_op(struct machine_kernel_ops *k, const struct mm_op *op, const struct mm_op_ext *ext,
		     const struct op_strings *strings, struct mm_result *res)
{
	struct kop o = {k, op, ext, strings, res, k->phys->hw->cpu};

	if (!make_room(k))
		return false;
	switch (op->code) {
	case OP_ALLOC_PAGES:
		return op_alloc_pages(&o);
	case OP_ALLOC_BULK:
		return op_alloc_bulk(&o);
	case OP_FREE_PAGES:
		return op_free_pages(&o);
	case OP_WATERMARK_OK:
		return op_watermark_ok(&o);
	case OP_FRAGMENTATION_INDEX:
		return op_fragmentation_index(&o);
	case OP_KMALLOC:
		return op_kmalloc(&o);
	case OP_KFREE:
		return free_object(&o, op->addr);
	case OP_CACHE_CREATE:
		return op_cache_create(&o);
	case OP_CACHE_FREE:
		return free_object(&o, op->len);
	case OP_CACHE_ALLOC:
	case OP_CACHE_SHRINK:
	case OP_CACHE_REAP:
	case OP_CACHE_DESTROY:
		return cache_op(&o);
	case OP_VMALLOC:
		return op_vmalloc(&o);
	case OP_VFREE:
		return op_vfree(&o);
	case OP_KMAP:
		return op_kmap(&o);
	case OP_KUNMAP:
		return op_kunmap(&o);
	default:
		return false;
	}
}

/* ---- snapshots ---- */

struct slab_out {
	FILE *f;
	u64 first_pfn;
	bool item;
};

static void put_name(FILE *f, const char *s)
{
	for (; *s; s++)
		if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if ((unsigned char)*s >= 32)
			fputc(*s, f);
}

static void put_slab(void *arg, pfn_t pfn, u32 active, u32 s_mem)
{
	struct slab_out *o = arg;

	fprintf(o->f, "%s[%llu,%u,%u]", o->item ? "," : "", (unsigned long long)(pfn - o->first_pfn),
		active, s_mem);
	o->item = true;
}

static void begin_list(struct slab_out *o, const char *name, const struct kmem_cache *c, const char *list)
{
	o->item = false;
	fputs("{\"name\":\"", o->f);
	put_name(o->f, name);
	fputs("\",\"kind\":\"slab\",\"zone\":\"\",\"cache\":\"", o->f);
	put_name(o->f, c->name);
	fprintf(o->f, "\",\"list\":\"%s\",\"items\":[", list);
}

static void put_lists(struct machine_kernel_ops *k, const char *name, struct kmem_cache *c, FILE *f)
{
	static const char *const lists[NR_KMEM_SLAB_LISTS] = {"full", "partial", "free"};
	struct slab_out o = {f, k->phys->min_low_pfn, false};
	struct kmem_cache_info i;

	for (int l = 0; l < NR_KMEM_SLAB_LISTS; l++) {
		begin_list(&o, name, c, lists[l]);
		kmem_for_each_slab(c, (enum kmem_slab_list)l, put_slab, &o);
		fputs("]}\n", f);
	}
	kmem_cache_info(c, k->phys->hw->cpu, &i);
	begin_list(&o, name, c, "array");
	for (u32 n = 0; n < i.avail; n++) {
		pfn_t pfn;
		u32 index = kmem_obj_index(c, kmem_array_object(c, k->phys->hw->cpu, n), &pfn);

		fprintf(f, "%s[%llu,%u]", n ? "," : "", (unsigned long long)(pfn - o.first_pfn), index);
	}
	fputs("]}\n", f);
}

static void put_cache(struct machine_kernel_ops *k, const char *name, struct kmem_cache *c, FILE *f)
{
	struct kmem_cache_info i;

	kmem_cache_info(c, k->phys->hw->cpu, &i);
	fputs("{\"name\":\"", f);
	put_name(f, name);
	fputs("\",\"kind\":\"cache\",\"cache\":\"", f);
	put_name(f, i.name);
	fprintf(f, "\",\"size\":%u,\"object_size\":%u,\"align\":%u,\"order\":%u,\"num\":%u,"
		"\"freelist_size\":%u,\"off_slab\":%u,\"colour\":%u,\"colour_off\":%u,\"limit\":%u,"
		"\"batch\":%u,\"refcount\":%d,\"free_limit\":%u,\"avail\":%u,\"touched\":%u,"
		"\"free_objects\":%u,\"colour_next\":%u,\"free_touched\":%u}\n",
		i.size, i.object_size, i.align, i.order, i.num, i.freelist_size, i.off_slab, i.colour,
		i.colour_off, i.limit, i.batch, i.refcount, i.free_limit, i.avail, i.touched,
		i.free_objects, i.colour_next, i.free_touched);
}

int apply_kernel_lists(struct machine_kernel_ops *k, const char *name, const char *kind, u64 cache,
		       FILE *out)
{
	struct held *h = find(k, ID_CACHE, cache, false);

	if (!h)
		return -EINVAL;
	if (!strcmp(kind, "slab"))
		put_lists(k, name, h->p, out);
	else if (!strcmp(kind, "cache"))
		put_cache(k, name, h->p, out);
	else
		return -EINVAL;
	return 0;
}

const struct vmalloc *apply_kernel_vmalloc(const struct machine_kernel_ops *k)
{
	return &k->vmalloc;
}

int apply_kernel_show(struct machine_kernel_ops *k, const char *view, FILE *out)
{
	return vmalloc_show(&k->vmalloc, view, out);
}

int apply_kernel_check(struct machine_kernel_ops *k, char *why, size_t n)
{
	int r = vmalloc_check(&k->vmalloc, why, n);

	return r ? r : highmem_check(&k->highmem, why, n);
}
