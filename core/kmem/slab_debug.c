/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slabdebug=1 (spec 04 s8): what surrounds and fills an object tells of its misuse.
 *
 *   | red zone 8 | object ............ a5 | red zone 8 | user word 8 |
 *   raw          obj = raw + obj_offset
 *
 * Free objects: inactive red zones, bytes 0x6b up to a last 0xa5; a byte found changed at the next
 * allocation was written after free. Errors are counted in cache->nr_errors and warned about.
 */
#include "core/kmem/slab_internal.h"

#define RED_INACTIVE 0x09f911029d74e35bull
#define RED_ACTIVE   0xd84156c5635688c0ull
#define POISON_INUSE 0x5a
#define POISON_FREE  0x6b
#define POISON_END   0xa5

static void error(struct kmem_cache *c, const char *text)
{
	c->nr_errors++;
	kmem_warn(c->kmem, text, c->name);
}

static u32 tail_words(const struct kmem_cache *c)
{
	return c->flags & SLAB_STORE_USER ? 16 : 8;
}

static u64 red_get(const struct kmem_cache *c, const u8 *raw, int which)
{
	u64 v;

	memcpy(&v, which ? raw + c->size - tail_words(c) : raw, sizeof(v));
	return v;
}

static void red_set(const struct kmem_cache *c, u8 *raw, u64 v)
{
	if (!(c->flags & SLAB_RED_ZONE))
		return;
	memcpy(raw, &v, sizeof(v));
	memcpy(raw + c->size - tail_words(c), &v, sizeof(v));
}

static void poison(const struct kmem_cache *c, u8 *obj, u8 byte)
{
	if (!(c->flags & SLAB_POISON) || !c->object_size)
		return;
	memset(obj, byte, c->object_size);
	obj[c->object_size - 1] = POISON_END;
}

void slab_debug_init_object(struct kmem_cache *c, void *raw)
{
	u8 *obj = (u8 *)raw + c->obj_offset;

	if (c->ctor && !(c->flags & SLAB_POISON))
		c->ctor(obj);
	red_set(c, raw, RED_INACTIVE);
	poison(c, obj, POISON_FREE);
}

static void check_poison(struct kmem_cache *c, const u8 *obj)
{
	for (u32 i = 0; i < c->object_size; i++)
		if (obj[i] != (i == c->object_size - 1 ? POISON_END : POISON_FREE)) {
			error(c, "use after free");
			return;
		}
}

void *slab_debug_alloc(struct kmem_cache *c, void *raw)
{
	u8 *obj = (u8 *)raw + c->obj_offset;

	if (c->flags & SLAB_POISON) {
		check_poison(c, obj);
		poison(c, obj, POISON_INUSE);
	}
	if (c->flags & SLAB_RED_ZONE) {
		if (red_get(c, raw, 0) != RED_INACTIVE || red_get(c, raw, 1) != RED_INACTIVE)
			error(c, "double free, or object overrun");
		red_set(c, raw, RED_ACTIVE);
	}
	if (c->ctor && c->flags & SLAB_POISON)
		c->ctor(obj);
	return obj;
}

void *slab_debug_free(struct kmem_cache *c, void *obj)
{
	u8 *raw = (u8 *)obj - c->obj_offset;
	struct page *page = kmem_page(c->kmem, obj);

	if (!PageSlab(page) || page->slab_cache != c ||
	    slab_object(c, page, slab_index(c, page, raw)) != raw) {
		error(c, "bad pointer freed");
		return NULL;
	}
	if (c->flags & SLAB_RED_ZONE) {
		u64 a = red_get(c, raw, 0), b = red_get(c, raw, 1);

		if (a == RED_INACTIVE && b == RED_INACTIVE) {
			error(c, "double free detected");
			return NULL;
		}
		if (a != RED_ACTIVE || b != RED_ACTIVE)
			error(c, "memory outside object was overwritten");
		red_set(c, raw, RED_INACTIVE);
	}
	poison(c, obj, POISON_FREE);
	return raw;
}
