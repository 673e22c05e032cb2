/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of the heap model (heap.h), shared by heap*.c only.
 *
 * One u64 of host memory stands for each unit (16 bytes) of the guest's heap, used as glibc uses
 * the bytes there: unit c of a chunk c is its header, c+1 the links of a free chunk, c+2 the links
 * of the size list of a large free chunk. Index 0 is "none"; the first 2 * HEAP_BINS units hold the
 * heads of the bins as if they were free chunks, so that lists are circular without a special case.
 */
#ifndef MEMRIG_HEAP_TYPES_H
#define MEMRIG_HEAP_TYPES_H

#include "core/base/bits.h"
#include "core/base/bug.h"
#include "core/base/limits.h"
#include "core/machine/heap.h"

#define HEAP_UNIT        16u
#define HEAP_MIN_UNITS   2u     /* header and two links */
#define HEAP_SMALL_UNITS 64u    /* chunks below 1024 bytes have a bin a size */
#define HEAP_FAST_UNITS  8u     /* chunks up to 128 bytes go to fastbins */
#define HEAP_CACHE_BINS  64u    /* tcache: chunks of 2..65 units */
#define HEAP_CACHE_COUNT 7u
#define HEAP_CACHE_SELF  41u    /* units of the chunk that holds a thread's tcache (0x290 bytes) */
#define HEAP_BINS        128u   /* 1 unsorted, 2..63 small, 64..126 large */
#define HEAP_FIRST       (2 * HEAP_BINS + 4) /* unit of the heap's first chunk */
#define HEAP_UNITS       ((u32)(MM_MAX_HEAP_BYTES / HEAP_UNIT))
#define HEAP_POOLED       (64 * MiB) /* of host memory that a pool keeps */
#define HEAP_POPULATE    (64 * KiB) /* of the slot table at a time */
#define HEAP_TOP_PAD     (128 * KiB)
#define HEAP_MMAP_MIN    (128 * KiB)
#define HEAP_MMAP_MAX    (32 * MiB) /* the mmap threshold grows up to here */
#define HEAP_MAX_REQUEST BIT(47) /* larger ones fail anyway: no address space holds them */
#define HEAP_MERGE_BYTES (64 * KiB) /* a free chunk this large empties the fastbins */

#define HEAP_PREV_USED 1u /* flags of the header, below the size */
#define HEAP_SEEN      2u /* only inside heap_model_check() */
#define HEAP_OWNED     4u
#define HEAP_FLAG_BITS 3u
#define HEAP_FLAGS     7u

#define HEAP_MAPPED    0xffffffffu /* size of a slot whose chunk is an index of the mapped blocks */

struct heap_unit {
	u32 a; /* header: size << HEAP_FLAG_BITS | flags; links: next (to larger, older) */
	u32 b; /* header: size of the chunk before, if that is free; links: previous */
};

union heap_slot {
	struct {
		u32 chunk, size; /* size 0: empty */
	};
	u64 accounted;           /* account_only: bytes */
};

struct heap_mapped {
	u64 addr, len;  /* len 0: unused, addr is the next unused entry */
	u64 lead;       /* bytes before the header, by alignment */
};

struct heap_cache {
	u8 count[HEAP_CACHE_BINS];
	u32 entry[HEAP_CACHE_BINS][HEAP_CACHE_COUNT];
	u32 self;  /* chunk that holds it; 0: not set up */
	u32 task;
	bool dead; /* thread gone */
};

struct heap_model {
	/* hot: one or two lines */
	union heap_slot *slots;
	struct heap_unit *units;
	u64 *written;            /* a bit a page of the heap, from the page of base on */
	u32 written_below;       /* all pages of units below it are written */
	struct heap_cache *cache; /* of `task` */
	u32 task;
	u32 page_bias;           /* (unit + page_bias) >> page_units_shift: page of a unit */
	u32 page_units_shift;
	u32 nr_slots;            /* highest slot seen + 1 */
	enum heap_touch touch;
	bool account_only;
	u64 in_use, peak_in_use, live_blocks;

	const struct heap_kernel *kernel;
	void *kernel_ctx;

	u64 base;                /* address of the first chunk; 0: no heap yet */
	u32 top;                 /* chunk; 0: none */
	u32 end;                 /* unit at the break */
	u32 last_remainder;
	u32 fast[HEAP_FAST_UNITS + 1]; /* by units; links are their first link word */
	bool have_fast;
	u64 bin_map[HEAP_BINS / 64];
	u64 mmap_threshold, trim_threshold;

	struct heap_mapped *mapped;
	u32 nr_mapped, free_mapped, live_mapped; /* entries used ever; chain of unused, + 1 */
	u64 mmapped_bytes, peak_bytes;
	struct heap_cache *caches;
	u32 nr_caches;
	u16 *cache_of;           /* task -> cache + 1; 0: none */

	u64 brk_calls, mmap_calls, munmap_calls, mremap_calls, failed, unknown, malformed;
	unsigned page_shift;
	u8 *region;
	u64 region_bytes;
	struct heap_pool *pool;
	u32 units_populated, slots_populated; /* of the region, by now or by an earlier heap */
};

/* ---- chunks ---- */

MM_INLINE u32 chunk_size(const struct heap_model *h, u32 c)
{
	return h->units[c].a >> HEAP_FLAG_BITS;
}

MM_INLINE bool prev_used(const struct heap_model *h, u32 c)
{
	return h->units[c].a & HEAP_PREV_USED;
}

/* Units of the chunk for a request: 8 bytes of header more than the block, at least two. */
MM_INLINE u64 request_units(u64 bytes)
{
	u64 n = (mm_min(bytes, HEAP_MAX_REQUEST) + 8 + HEAP_UNIT - 1) / HEAP_UNIT;

	return n < HEAP_MIN_UNITS ? HEAP_MIN_UNITS : n;
}

MM_INLINE u64 unit_addr(const struct heap_model *h, u32 unit)
{
	return h->base + (u64)(unit - HEAP_FIRST) * HEAP_UNIT;
}

MM_INLINE u32 unit_page(const struct heap_model *h, u32 unit)
{
	return (unit + h->page_bias) >> h->page_units_shift;
}

void heap_wrote_slow(struct heap_model *h, u32 c);

/* A write to unit @c: what malloc itself does to guest memory. */
MM_INLINE void wrote(struct heap_model *h, u32 c)
{
	if (MM_UNLIKELY(c >= h->written_below))
		heap_wrote_slow(h, c);
}

/* heap_arena.c: bins and chunks */
u32 heap_arena_alloc(struct heap_model *h, u64 units);      /* chunk, or 0 */
void heap_arena_free(struct heap_model *h, u32 c, bool cached); /* @cached: try the tcache */
u32 heap_arena_resize(struct heap_model *h, u32 c, u64 units); /* chunk (moved?), or 0: c stays */
u32 heap_arena_align(struct heap_model *h, u32 c, u64 units, u64 align);
void heap_consolidate(struct heap_model *h);
void heap_init_bins(struct heap_model *h);
unsigned heap_bin_of(u32 units);

/* heap_sys.c: the border to the kernel */
bool heap_grow_top(struct heap_model *h, u64 units);
void heap_trim(struct heap_model *h);
u32 heap_map_block(struct heap_model *h, u64 units, u64 align); /* entry + 1, or 0 */
void heap_unmap_block(struct heap_model *h, u32 entry);
bool heap_remap_block(struct heap_model *h, u32 entry, u64 units);
void heap_touch_block(struct heap_model *h, u32 c, u32 units);
void heap_note_peak(struct heap_model *h);
u64 heap_break_bytes(const struct heap_model *h);

#endif
