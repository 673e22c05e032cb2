/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations on the heap model. The common case, a block from or to the thread's tcache, is decided
 * here from the slot and the cache alone; all else is heap_arena.c and heap_sys.c.
 */
#include "core/machine/heap.h"

#include <stdlib.h>
#include <string.h>

#include "core/hw/hw.h"
#include "core/machine/heap_types.h"

#define NO_TASK 0xffffffffu

/* ---- the region ---- */

/* Lays the tables out from @at on; with @at NULL only measures. */
static u64 lay_out(struct heap_model *h, u8 *at)
{
	u64 slots = (u64)MM_MAX_HEAP_SLOTS * sizeof(*h->slots);
	u64 units = ((u64)HEAP_UNITS + HEAP_FIRST) * sizeof(*h->units);
	u64 written = MM_MAX_HEAP_BYTES / 4096 / 8 + 4096;
	u64 mapped = (u64)MM_MAX_HEAP_MAPPED * sizeof(*h->mapped);
	u64 caches = (u64)MM_MAX_HEAP_THREADS * sizeof(*h->caches);
	u64 of = (u64)MM_MAX_TASKS * sizeof(*h->cache_of), n = 0;

	if (at) {
		h->units = (void *)at;
		h->slots = (void *)(at + ALIGN_UP(units, 4096));
	}
	n = ALIGN_UP(units, 4096) + slots;
	if (at)
		h->mapped = (void *)(at + n);
	n += ALIGN_UP(mapped, 4096);
	if (at)
		h->caches = (void *)(at + n);
	n += ALIGN_UP(caches, 4096);
	if (at)
		h->cache_of = (void *)(at + n);
	n += ALIGN_UP(of, 4096);
	if (at)
		h->written = (void *)(at + n);
	return n + ALIGN_UP(written, 4096);
}

static void start_empty(struct heap_model *h)
{
	heap_init_bins(h);
	h->mmap_threshold = HEAP_MMAP_MIN;
	h->trim_threshold = HEAP_MMAP_MIN;
	h->task = NO_TASK;
}

static u64 populated_bytes(const struct heap_model *h)
{
	return (u64)h->units_populated * sizeof(*h->units) + (u64)h->slots_populated * sizeof(*h->slots);
}

static bool get_region(struct heap_model *h)
{
	struct heap_pool *pool = h->pool;

	h->region_bytes = lay_out(h, NULL);
	if (pool && pool->nr) {
		h->region = pool->entry[--pool->nr].region;
		h->units_populated = pool->entry[pool->nr].units;
		h->slots_populated = pool->entry[pool->nr].slots;
		pool->bytes -= populated_bytes(h);
	} else {
		h->region = hw_map_lazy(h->region_bytes);
	}
	if (h->region)
		lay_out(h, h->region);
	return h->region;
}

static u64 written_bytes(const struct heap_model *h)
{
	return h->top ? (unit_page(h, h->end - 1) / 64 + 1) * sizeof(u64) : 0;
}

/* Back to zeros what a new heap expects to be zero: units are written before they are read. */
static void wipe_region(struct heap_model *h)
{
	memset(h->slots, 0, (u64)h->nr_slots * sizeof(*h->slots));
	memset(h->written, 0, written_bytes(h));
	for (u32 i = 0; i < h->nr_caches; i++)
		if (h->caches[i].task != NO_TASK)
			h->cache_of[h->caches[i].task] = 0;
}

static void put_region(struct heap_model *h)
{
	struct heap_pool *pool = h->pool;

	if (!pool || pool->nr == HEAP_POOL || pool->bytes + populated_bytes(h) > HEAP_POOLED) {
		hw_unmap_lazy(h->region, h->region_bytes);
		return;
	}
	wipe_region(h);
	pool->bytes += populated_bytes(h);
	pool->entry[pool->nr].region = h->region;
	pool->entry[pool->nr].units = h->units_populated;
	pool->entry[pool->nr++].slots = h->slots_populated;
}

void heap_pool_drain(struct heap_pool *p)
{
	struct heap_model h;

	while (p->nr)
		hw_unmap_lazy(p->entry[--p->nr].region, lay_out(&h, NULL));
	p->bytes = 0;
}

struct heap_model *heap_model_create(const struct heap_params *p)
{
	struct heap_model *h;

	if (p->page_shift < 12 || p->page_shift > 24)
		return NULL;
	h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->pool = p->pool;
	if (!get_region(h)) {
		free(h);
		return NULL;
	}
	h->page_shift = p->page_shift;
	h->page_units_shift = p->page_shift - 4;
	h->touch = p->touch;
	h->account_only = p->account_only;
	start_empty(h);
	return h;
}

void heap_model_destroy(struct heap_model *h)
{
	if (h)
		put_region(h);
	free(h);
}

void heap_model_bind(struct heap_model *h, const struct heap_kernel *k, void *ctx)
{
	h->kernel = k;
	h->kernel_ctx = ctx;
}

void heap_exec_reset(struct heap_model *h)
{
	struct heap_model old = *h;

	wipe_region(h);
	memset(h, 0, sizeof(*h));
	h->region = old.region;
	h->region_bytes = old.region_bytes;
	h->pool = old.pool;
	h->units_populated = old.units_populated;
	h->slots_populated = old.slots_populated;
	lay_out(h, h->region);
	h->page_shift = old.page_shift;
	h->page_units_shift = old.page_units_shift;
	h->touch = old.touch;
	h->account_only = old.account_only;
	h->kernel = old.kernel;
	h->kernel_ctx = old.kernel_ctx;
	start_empty(h);
}

static void copy_tables(struct heap_model *c, const struct heap_model *h)
{
	u32 units = h->top ? h->top + 1 : HEAP_FIRST;

	if (units > c->units_populated)
		hw_populate_lazy(c->units, (u64)units * sizeof(*c->units));
	memcpy(c->units, h->units, (u64)units * sizeof(*h->units));
	memcpy(c->slots, h->slots, (u64)h->nr_slots * sizeof(*h->slots));
	memcpy(c->mapped, h->mapped, (u64)h->nr_mapped * sizeof(*h->mapped));
	memcpy(c->caches, h->caches, (u64)h->nr_caches * sizeof(*h->caches));
}

struct heap_model *heap_model_fork(struct heap_model *h, u32 parent_task, u32 child_task)
{
	struct heap_params p = {h->page_shift, h->touch, h->account_only, h->pool};
	struct heap_model *c = heap_model_create(&p), made;
	u32 own;

	if (!c)
		return NULL;
	copy_tables(c, h);
	made = *c;
	*c = *h;
	c->region = made.region;
	c->units_populated = (u32)mm_max(made.units_populated, h->top);
	c->slots_populated = made.slots_populated;
	lay_out(c, c->region);
	c->task = NO_TASK;
	c->cache = NULL;
	own = parent_task < MM_MAX_TASKS ? h->cache_of[parent_task] : 0;
	for (u32 i = 0; i < c->nr_caches; i++)
		c->caches[i].task = NO_TASK;
	if (own && child_task < MM_MAX_TASKS) {
		c->cache_of[child_task] = (u16)own;
		c->caches[own - 1].task = child_task;
	}
	memset(h->written, 0, written_bytes(h));
	h->written_below = c->written_below = 0;
	return c;
}

/* ---- threads ---- */

/* First use by a thread: its tcache is itself a block. */
static struct heap_cache *new_cache(struct heap_model *h, u32 task)
{
	struct heap_cache *t = NULL;
	u32 i;

	for (i = 0; i < h->nr_caches && !t; i++)
		if (h->caches[i].dead)
			t = &h->caches[i];
	if (!t) {
		if (h->nr_caches == MM_MAX_HEAP_THREADS)
			return NULL;
		t = &h->caches[h->nr_caches++];
	}
	memset(t, 0, sizeof(*t));
	t->task = task;
	h->cache_of[task] = (u16)(t - h->caches + 1);
	h->cache = NULL;
	t->self = heap_arena_alloc(h, HEAP_CACHE_SELF);
	if (!t->self && heap_grow_top(h, HEAP_CACHE_SELF))
		t->self = heap_arena_alloc(h, HEAP_CACHE_SELF);
	return t;
}

/* Makes @task's cache the current one. memalign alone does not set up a cache that there is not yet. */
static void switch_task(struct heap_model *h, u32 task, bool aligned)
{
	u32 i = task < MM_MAX_TASKS ? h->cache_of[task] : 0;

	h->task = task;
	h->cache = i ? &h->caches[i - 1] : NULL;
	if (i || task >= MM_MAX_TASKS)
		return;
	if (aligned)
		h->task = NO_TASK;
	else
		h->cache = new_cache(h, task);
}

void heap_thread_exit(struct heap_model *h, u32 task)
{
	u32 i = task < MM_MAX_TASKS ? h->cache_of[task] : 0;
	struct heap_cache *t;

	if (!i)
		return;
	t = &h->caches[i - 1];
	h->cache = NULL;
	h->task = NO_TASK;
	for (u32 bin = 0; bin < HEAP_CACHE_BINS; bin++)
		while (t->count[bin])
			heap_arena_free(h, t->entry[bin][--t->count[bin]], false);
	if (t->self)
		heap_arena_free(h, t->self, false);
	t->self = 0;
	t->dead = true;
	t->task = NO_TASK;
	h->cache_of[task] = 0;
}

/* ---- blocks ---- */

MM_INLINE void took(struct heap_model *h, u64 bytes)
{
	h->live_blocks++;
	h->in_use += bytes;
	h->peak_in_use = mm_max(h->peak_in_use, h->in_use);
}

static u64 slot_bytes(const struct heap_model *h, union heap_slot s)
{
	return s.size == HEAP_MAPPED ? h->mapped[s.chunk].len : (u64)s.size * HEAP_UNIT;
}

/* A new block from bins, top, a mapping or a grown top, in glibc's order. Size 0: no memory. */
static union heap_slot new_block(struct heap_model *h, u64 units, u64 align)
{
	union heap_slot s = {.accounted = 0};
	u32 c = heap_arena_alloc(h, units), entry;

	if (!c && units * HEAP_UNIT >= h->mmap_threshold && (entry = heap_map_block(h, units, align))) {
		s.chunk = entry - 1;
		s.size = HEAP_MAPPED;
		return s;
	}
	if (!c && heap_grow_top(h, units))
		c = heap_arena_alloc(h, units);
	/* A heap that cannot grow: glibc goes on in mappings, and so does every later request. */
	if (!c && (entry = heap_map_block(h, units, align))) {
		s.chunk = entry - 1;
		s.size = HEAP_MAPPED;
		return s;
	}
	s.chunk = c;
	s.size = c ? chunk_size(h, c) : 0;
	return s;
}

static void drop_block(struct heap_model *h, union heap_slot s)
{
	if (s.size == HEAP_MAPPED)
		heap_unmap_block(h, s.chunk);
	else
		heap_arena_free(h, s.chunk, true);
}

static void touch_large(struct heap_model *h, union heap_slot s)
{
	if (h->touch == HEAP_TOUCH_EACH)
		h->kernel->touch(h->kernel_ctx, unit_addr(h, s.chunk + 1),
				 (u64)s.size * HEAP_UNIT - 8);
	else
		heap_touch_block(h, s.chunk, s.size);
}

MM_INLINE void touch_all(struct heap_model *h, union heap_slot s)
{
	if (s.size == HEAP_MAPPED || h->touch == HEAP_TOUCH_HEADER)
		return; /* mappings are touched when made */
	if (MM_LIKELY(h->touch == HEAP_TOUCH_BLOCK && s.size <= 1u << h->page_units_shift)) {
		wrote(h, s.chunk + 1);
		wrote(h, s.chunk + s.size - 1);
		return;
	}
	touch_large(h, s);
}

static void fill_slot(struct heap_model *h, u32 slot, union heap_slot s)
{
	h->slots[slot] = s;
	if (!s.size) {
		h->failed++;
		return;
	}
	took(h, slot_bytes(h, s));
	touch_all(h, s);
}

static void free_slot(struct heap_model *h, u32 slot)
{
	union heap_slot s = h->slots[slot];

	h->slots[slot].accounted = 0;
	h->live_blocks--;
	h->in_use -= slot_bytes(h, s);
	drop_block(h, s);
}

/* A slot higher than all before: the table is populated some pages ahead. */
static void note_slot(struct heap_model *h, u32 slot)
{
	u32 step = HEAP_POPULATE / sizeof(*h->slots);

	h->nr_slots = slot + 1;
	if (slot < h->slots_populated)
		return;
	if (slot >= step) /* small processes never get so far */
		hw_populate_lazy(&h->slots[ALIGN_DOWN(slot, step)], HEAP_POPULATE);
	h->slots_populated = ALIGN_DOWN(slot, step) + step;
}

/* A slot to be filled: within bounds, and empty after this. */
MM_INLINE bool slot_for_new(struct heap_model *h, u32 slot)
{
	if (MM_UNLIKELY(slot >= h->nr_slots)) {
		if (slot >= MM_MAX_HEAP_SLOTS) {
			h->malformed++;
			return false;
		}
		note_slot(h, slot);
	}
	if (MM_UNLIKELY(h->slots[slot].accounted)) {
		h->malformed++;
		free_slot(h, slot);
	}
	return true;
}

MM_INLINE void do_malloc(struct heap_model *h, u32 slot, u64 bytes)
{
	u64 units = request_units(bytes), bin = units - HEAP_MIN_UNITS;
	struct heap_cache *t = h->cache;
	union heap_slot s;

	if (!slot_for_new(h, slot))
		return;
	if (MM_LIKELY(bin < HEAP_CACHE_BINS && t && t->count[bin])) {
		s.chunk = t->entry[bin][--t->count[bin]];
		s.size = (u32)units;
		h->slots[slot] = s;
		took(h, units * HEAP_UNIT);
		wrote(h, s.chunk + 1);
		touch_all(h, s);
		return;
	}
	fill_slot(h, slot, new_block(h, units, 0));
}

MM_INLINE void do_free(struct heap_model *h, u32 slot)
{
	union heap_slot s;
	struct heap_cache *t = h->cache;
	u32 bin;

	if (MM_UNLIKELY(slot >= h->nr_slots || !h->slots[slot].accounted)) {
		h->unknown++;
		return;
	}
	s = h->slots[slot];
	bin = s.size - HEAP_MIN_UNITS;
	if (MM_LIKELY(bin < HEAP_CACHE_BINS && t && t->count[bin] < HEAP_CACHE_COUNT)) {
		h->slots[slot].accounted = 0;
		t->entry[bin][t->count[bin]++] = s.chunk;
		h->live_blocks--;
		h->in_use -= (u64)s.size * HEAP_UNIT;
		wrote(h, s.chunk + 1);
		return;
	}
	free_slot(h, slot);
}

/* malloc without the tcache's shortcut. */
static void do_calloc(struct heap_model *h, u32 slot, u64 bytes)
{
	if (slot_for_new(h, slot))
		fill_slot(h, slot, new_block(h, request_units(bytes), 0));
}

static void do_memalign(struct heap_model *h, u32 slot, u64 bytes, u64 align)
{
	u64 units = request_units(bytes);
	union heap_slot s;

	if (align <= HEAP_UNIT) {
		do_malloc(h, slot, bytes);
		return;
	}
	if (!slot_for_new(h, slot))
		return;
	align = mm_max(align, HEAP_MIN_UNITS * HEAP_UNIT);
	if (align > BIT(44)) {
		h->failed++;
		return;
	}
	if (!is_pow2(align))
		align = BIT(mm_fls(align));
	s = new_block(h, request_units(units * HEAP_UNIT + align + HEAP_MIN_UNITS * HEAP_UNIT), align);
	if (s.size && s.size != HEAP_MAPPED) {
		s.chunk = heap_arena_align(h, s.chunk, units, align);
		s.size = chunk_size(h, s.chunk);
	}
	fill_slot(h, slot, s);
}

/* Moves a block to a new place: allocate, copy, free. False: no memory, @s stays. */
static bool move_block(struct heap_model *h, union heap_slot *s, u64 units)
{
	union heap_slot to = new_block(h, units, 0);

	if (!to.size)
		return false;
	touch_all(h, to);
	if (to.size != HEAP_MAPPED && s->size != HEAP_MAPPED && to.chunk == s->chunk + s->size) {
		h->units[s->chunk].a += to.size << HEAP_FLAG_BITS; /* it grew in place after all */
		wrote(h, s->chunk);
		heap_arena_resize(h, s->chunk, units);
		s->size = chunk_size(h, s->chunk);
		return true;
	}
	drop_block(h, *s);
	*s = to;
	return true;
}

static bool resize_block(struct heap_model *h, union heap_slot *s, u64 units)
{
	if (s->size == HEAP_MAPPED) {
		if (heap_remap_block(h, s->chunk, units))
			return true;
		return h->mapped[s->chunk].len >= units * HEAP_UNIT + 8 || move_block(h, s, units);
	}
	if (!heap_arena_resize(h, s->chunk, units))
		return move_block(h, s, units);
	s->size = chunk_size(h, s->chunk);
	touch_all(h, *s);
	return true;
}

static void do_realloc(struct heap_model *h, u32 slot, u32 old, u64 bytes, bool failed)
{
	union heap_slot s;

	if (old >= h->nr_slots || !h->slots[old].accounted) {
		if (old != MM_SLOT_NONE)
			h->unknown++;
		if (slot != MM_SLOT_NONE)
			do_malloc(h, slot, bytes);
		return;
	}
	if (slot == MM_SLOT_NONE) { /* of 0 bytes: a free; else it failed and the old block stays */
		if (!failed)
			do_free(h, old);
		return;
	}
	s = h->slots[old];
	h->slots[old].accounted = 0;
	h->live_blocks--;
	h->in_use -= slot_bytes(h, s);
	if (!slot_for_new(h, slot)) {
		drop_block(h, s);
		return;
	}
	if (!resize_block(h, &s, request_units(bytes)))
		h->failed++;
	h->slots[slot] = s;
	took(h, slot_bytes(h, s));
}

/* ---- accounting only ---- */

static u64 accounted_bytes(u64 bytes)
{
	return request_units(bytes) * HEAP_UNIT;
}

static void account_free(struct heap_model *h, u32 slot)
{
	if (slot >= h->nr_slots || !h->slots[slot].accounted) {
		h->unknown++;
		return;
	}
	h->live_blocks--;
	h->in_use -= h->slots[slot].accounted;
	h->slots[slot].accounted = 0;
}

static void account_new(struct heap_model *h, u32 slot, u64 bytes)
{
	if (slot >= MM_MAX_HEAP_SLOTS) {
		h->malformed++;
		return;
	}
	if (slot >= h->nr_slots)
		note_slot(h, slot);
	if (h->slots[slot].accounted) {
		h->malformed++;
		account_free(h, slot);
	}
	h->slots[slot].accounted = accounted_bytes(bytes);
	took(h, h->slots[slot].accounted);
}

static void account(struct heap_model *h, const struct mm_op *op)
{
	u32 slot = (u32)op->arg, old = (u32)(op->arg >> 32);

	if (op->code == OP_FREE) {
		account_free(h, slot);
		return;
	}
	if (op->code == OP_REALLOC && (op->addr || !op->len) && old != MM_SLOT_NONE)
		account_free(h, old);
	if (op->addr && slot != MM_SLOT_NONE)
		account_new(h, slot, op->len);
}

/* ---- dispatch ---- */

static u64 alignment(const struct mm_op_ext *ext)
{
	return ext && ext->has & MM_EXT_X0 ? ext->x0 : 0;
}

void heap_apply(struct heap_model *h, const struct mm_op *op, const struct mm_op_ext *ext)
{
	u32 slot = (u32)op->arg;

	if (MM_UNLIKELY(op->code < OP_MALLOC || op->code > OP_FREE))
		return;
	if (MM_UNLIKELY(h->account_only)) {
		account(h, op);
		return;
	}
	if (MM_UNLIKELY(op->task != h->task))
		switch_task(h, op->task, op->code == OP_MEMALIGN && alignment(ext) > HEAP_UNIT);
	if (op->code == OP_FREE) {
		do_free(h, slot);
	} else if (op->code == OP_REALLOC) {
		do_realloc(h, slot, (u32)(op->arg >> 32), op->len, op->len && !op->addr);
	} else if (slot == MM_SLOT_NONE) {
		return; /* it failed when it was recorded */
	} else if (MM_LIKELY(op->code == OP_MALLOC)) {
		do_malloc(h, slot, op->len);
	} else if (op->code == OP_CALLOC) {
		do_calloc(h, slot, op->len);
	} else {
		do_memalign(h, slot, op->len, alignment(ext));
	}
}

bool heap_block(const struct heap_model *h, u32 slot, u64 *addr, u64 *usable)
{
	union heap_slot s;

	if (slot >= h->nr_slots || h->account_only || !h->slots[slot].accounted)
		return false;
	s = h->slots[slot];
	if (s.size == HEAP_MAPPED) {
		*addr = h->mapped[s.chunk].addr + h->mapped[s.chunk].lead + HEAP_UNIT;
		*usable = h->mapped[s.chunk].len - h->mapped[s.chunk].lead - HEAP_UNIT;
	} else {
		*addr = unit_addr(h, s.chunk + 1);
		*usable = (u64)s.size * HEAP_UNIT - 8;
	}
	return true;
}
