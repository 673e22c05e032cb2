/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bins and chunks of the break's heap.
 *
 * A freed chunk goes to its thread's tcache, else (small) to a fastbin, else it merges with free
 * neighbours and waits in the unsorted bin. A request looks in the fastbin and small bin of its size,
 * then sorts the unsorted chunks into their bins, taking one that fits exactly, then takes the
 * smallest chunk that is large enough, then cuts from top. The order of all this is glibc's, because
 * it decides what stays at the end of the heap and so what can be given back.
 */
#include "core/machine/heap_types.h"

#define UNSORTED      1u
#define MAX_UNSORTED  10000 /* chunks sorted by one request */

MM_INLINE u32 bin_head(unsigned bin)
{
	return 2 * bin;
}

MM_INLINE u32 *link_next(struct heap_model *h, u32 c)
{
	return &h->units[c + 1].a;
}

MM_INLINE u32 *link_prev(struct heap_model *h, u32 c)
{
	return &h->units[c + 1].b;
}

MM_INLINE u32 *size_smaller(struct heap_model *h, u32 c)
{
	return &h->units[c + 2].a;
}

MM_INLINE u32 *size_larger(struct heap_model *h, u32 c)
{
	return &h->units[c + 2].b;
}

/* Links of a bin's head are glibc's own data, not the guest's heap. */
MM_INLINE void wrote_links(struct heap_model *h, u32 c)
{
	if (c >= HEAP_FIRST)
		wrote(h, c + 1);
}

MM_INLINE void set_header(struct heap_model *h, u32 c, u32 size, u32 flags)
{
	h->units[c].a = size << HEAP_FLAG_BITS | flags;
	wrote(h, c);
}

/* Keeps the flag about the chunk before. */
MM_INLINE void set_size(struct heap_model *h, u32 c, u32 size)
{
	set_header(h, c, size, h->units[c].a & HEAP_PREV_USED);
}

MM_INLINE void set_used(struct heap_model *h, u32 c, u32 size)
{
	h->units[c + size].a |= HEAP_PREV_USED;
	wrote(h, c + size);
}

MM_INLINE void set_free(struct heap_model *h, u32 c, u32 size)
{
	h->units[c + size].a &= ~HEAP_PREV_USED;
	h->units[c + size].b = size;
	wrote(h, c + size);
}

/* Sizes above 1 KiB share bins: spacing 64, 512, 4096, 32768, 262144 bytes, then one for all. */
unsigned heap_bin_of(u32 units)
{
	u32 bytes = units * HEAP_UNIT;

	if (units < HEAP_SMALL_UNITS)
		return units;
	if (units >= 1u << 20)
		return 126;
	if (bytes >> 6 <= 48)
		return 48 + (bytes >> 6);
	if (bytes >> 9 <= 20)
		return 91 + (bytes >> 9);
	if (bytes >> 12 <= 10)
		return 110 + (bytes >> 12);
	if (bytes >> 15 <= 4)
		return 119 + (bytes >> 15);
	if (bytes >> 18 <= 2)
		return 124 + (bytes >> 18);
	return 126;
}

void heap_init_bins(struct heap_model *h)
{
	for (unsigned i = 0; i < HEAP_BINS; i++)
		*link_next(h, bin_head(i)) = *link_prev(h, bin_head(i)) = bin_head(i);
}

static void link_between(struct heap_model *h, u32 c, u32 before, u32 after)
{
	*link_next(h, c) = after;
	*link_prev(h, c) = before;
	*link_next(h, before) = c;
	*link_prev(h, after) = c;
	wrote_links(h, c);
	wrote_links(h, before);
	wrote_links(h, after);
}

static void join_sizes(struct heap_model *h, u32 c, u32 larger, u32 smaller)
{
	*size_larger(h, c) = larger;
	*size_smaller(h, c) = smaller;
	*size_smaller(h, larger) = c;
	*size_larger(h, smaller) = c;
	wrote(h, c + 2);
	wrote(h, larger + 2);
	wrote(h, smaller + 2);
}

/* Takes @c off its size list; the next chunk of the same size, if any, stands in for it. */
static void unlink_size(struct heap_model *h, u32 c, u32 next)
{
	u32 smaller = *size_smaller(h, c), larger = *size_larger(h, c);

	if (!smaller)
		return;
	if (next >= HEAP_FIRST && !*size_smaller(h, next)) {
		if (smaller == c)
			join_sizes(h, next, next, next);
		else
			join_sizes(h, next, larger, smaller);
		return;
	}
	*size_smaller(h, larger) = smaller;
	*size_larger(h, smaller) = larger;
	wrote(h, larger + 2);
	wrote(h, smaller + 2);
}

static void unlink_chunk(struct heap_model *h, u32 c)
{
	u32 next = *link_next(h, c), prev = *link_prev(h, c);

	*link_next(h, prev) = next;
	*link_prev(h, next) = prev;
	wrote_links(h, prev);
	wrote_links(h, next);
	if (next == prev && next < HEAP_FIRST)
		h->bin_map[next / 2 / 64] &= ~BIT(next / 2 % 64);
	if (chunk_size(h, c) >= HEAP_SMALL_UNITS)
		unlink_size(h, c, next);
}

static void link_unsorted(struct heap_model *h, u32 c, u32 size)
{
	u32 head = bin_head(UNSORTED);

	link_between(h, c, head, *link_next(h, head));
	if (size >= HEAP_SMALL_UNITS) {
		*size_smaller(h, c) = *size_larger(h, c) = 0;
		wrote(h, c + 2);
	}
}

/* Large bins: largest first; one chunk of each size is also on a circle of sizes. */
static void link_large(struct heap_model *h, u32 c, u32 size, u32 head)
{
	u32 first = *link_next(h, head), at;

	if (first == head) {
		join_sizes(h, c, c, c);
		link_between(h, c, head, head);
		return;
	}
	if (size < chunk_size(h, *link_prev(h, head))) {
		join_sizes(h, c, *size_larger(h, first), first);
		link_between(h, c, *link_prev(h, head), head);
		return;
	}
	for (at = first; size < chunk_size(h, at);)
		at = *size_smaller(h, at);
	if (size == chunk_size(h, at)) { /* second place: the circle stays as it is */
		*size_smaller(h, c) = *size_larger(h, c) = 0;
		link_between(h, c, at, *link_next(h, at));
		return;
	}
	join_sizes(h, c, *size_larger(h, at), at);
	link_between(h, c, *link_prev(h, at), at);
}

static void link_binned(struct heap_model *h, u32 c, u32 size)
{
	unsigned bin = heap_bin_of(size);
	u32 head = bin_head(bin);

	if (size < HEAP_SMALL_UNITS)
		link_between(h, c, head, *link_next(h, head));
	else
		link_large(h, c, size, head);
	h->bin_map[bin / 64] |= BIT(bin % 64);
}

/* ---- tcache ---- */

static bool cache_wants(const struct heap_model *h, u32 size)
{
	return size - HEAP_MIN_UNITS < HEAP_CACHE_BINS && h->cache &&
	       h->cache->count[size - HEAP_MIN_UNITS] < HEAP_CACHE_COUNT;
}

static void cache_put(struct heap_model *h, u32 c, u32 size)
{
	struct heap_cache *t = h->cache;
	u32 bin = size - HEAP_MIN_UNITS;

	t->entry[bin][t->count[bin]++] = c;
	wrote(h, c + 1);
}

/* ---- allocation ---- */

static u32 pop_fast(struct heap_model *h, u32 units)
{
	u32 c = h->fast[units];

	if (c)
		h->fast[units] = *link_next(h, c);
	return c;
}

static u32 alloc_fast(struct heap_model *h, u32 units)
{
	u32 c = pop_fast(h, units), more;

	if (!c)
		return 0;
	while (cache_wants(h, units) && (more = pop_fast(h, units)))
		cache_put(h, more, units);
	return c;
}

static u32 pop_small(struct heap_model *h, u32 units)
{
	u32 head = bin_head(units), c = *link_prev(h, head);

	if (c == head)
		return 0;
	unlink_chunk(h, c);
	set_used(h, c, units);
	return c;
}

static u32 alloc_small(struct heap_model *h, u32 units)
{
	u32 c = pop_small(h, units), more;

	if (!c)
		return 0;
	while (cache_wants(h, units) && (more = pop_small(h, units)))
		cache_put(h, more, units);
	return c;
}

/* Cuts @units off the front of the unlinked free chunk @c; the rest is unsorted, or too small. */
static u32 split_chunk(struct heap_model *h, u32 c, u32 units)
{
	u32 size = chunk_size(h, c), rest = size - units;

	VM_BUG_ON(size < units);
	if (rest < HEAP_MIN_UNITS) {
		set_used(h, c, size);
		return 0;
	}
	set_size(h, c, units);
	set_header(h, c + units, rest, HEAP_PREV_USED);
	set_free(h, c + units, rest);
	link_unsorted(h, c + units, rest);
	return c + units;
}

/* Sorts the unsorted bin. A chunk that fits exactly, or 0; *@cached: such chunks are in the tcache. */
static u32 sort_unsorted(struct heap_model *h, u32 units, bool *cached)
{
	u32 head = bin_head(UNSORTED), c;

	for (int i = 0; i < MAX_UNSORTED && (c = *link_prev(h, head)) != head; i++) {
		u32 size = chunk_size(h, c);

		if (units < HEAP_SMALL_UNITS && c == h->last_remainder &&
		    *link_prev(h, c) == head && size > units + HEAP_MIN_UNITS) {
			unlink_chunk(h, c);
			h->last_remainder = split_chunk(h, c, units);
			return c;
		}
		unlink_chunk(h, c);
		if (size != units) {
			link_binned(h, c, size);
			continue;
		}
		set_used(h, c, size);
		if (!cache_wants(h, size))
			return c;
		cache_put(h, c, size);
		*cached = true;
	}
	return 0;
}

/* The smallest chunk of the request's own large bin that is large enough, or 0. */
static u32 best_of_bin(struct heap_model *h, u32 units)
{
	u32 head = bin_head(heap_bin_of(units)), first = *link_next(h, head), c;

	if (first == head || chunk_size(h, first) < units)
		return 0;
	for (c = *size_larger(h, first); chunk_size(h, c) < units;)
		c = *size_larger(h, c);
	if (c != *link_prev(h, head) && chunk_size(h, *link_next(h, c)) == chunk_size(h, c))
		c = *link_next(h, c); /* not the one on the circle */
	unlink_chunk(h, c);
	split_chunk(h, c, units);
	return c;
}

/* The smallest chunk of the next occupied bin, or 0. */
static u32 next_bin(struct heap_model *h, u32 units)
{
	unsigned bin = heap_bin_of(units) + 1;
	u64 map = bin % 64 ? h->bin_map[bin / 64] >> (bin % 64) << (bin % 64) : h->bin_map[bin / 64];
	u32 c, rest;

	if (!map && bin < 64)
		map = h->bin_map[1], bin = 64;
	if (!map)
		return 0;
	bin = bin / 64 * 64 + mm_ffs0(map);
	c = *link_prev(h, bin_head(bin));
	VM_BUG_ON(c < HEAP_FIRST || chunk_size(h, c) < units);
	unlink_chunk(h, c);
	rest = split_chunk(h, c, units);
	if (rest && units < HEAP_SMALL_UNITS)
		h->last_remainder = rest;
	return c;
}

static u32 cut_top(struct heap_model *h, u32 units)
{
	u32 c = h->top, size = c ? chunk_size(h, c) : 0;

	if (size < units + HEAP_MIN_UNITS)
		return 0;
	h->top = c + units;
	set_header(h, c, units, HEAP_PREV_USED);
	set_header(h, h->top, size - units, HEAP_PREV_USED);
	return c;
}

/* A chunk of at least @units from bins or top, marked used; 0: the heap must grow. */
u32 heap_arena_alloc(struct heap_model *h, u64 want)
{
	u32 units = (u32)want, c = 0;
	bool cached = false;

	if (want >= HEAP_UNITS || !h->top)
		return 0;
	if (units <= HEAP_FAST_UNITS && (c = alloc_fast(h, units)))
		return c;
	if (units < HEAP_SMALL_UNITS) {
		if ((c = alloc_small(h, units)))
			return c;
	} else if (h->have_fast) {
		heap_consolidate(h);
	}
	for (;;) {
		c = sort_unsorted(h, units, &cached);
		if (!c && cached)
			c = h->cache->entry[units - HEAP_MIN_UNITS]
					   [--h->cache->count[units - HEAP_MIN_UNITS]];
		if (!c && units >= HEAP_SMALL_UNITS)
			c = best_of_bin(h, units);
		if (!c)
			c = next_bin(h, units);
		if (!c)
			c = cut_top(h, units);
		if (c || !h->have_fast)
			return c;
		heap_consolidate(h);
	}
}

/* ---- freeing ---- */

/* Merges the used chunk @c with free neighbours and makes it free, or part of top. Units merged. */
static u32 merge_free(struct heap_model *h, u32 c)
{
	u32 size = chunk_size(h, c), next = c + size, before;

	if (!prev_used(h, c)) {
		before = h->units[c].b;
		c -= before;
		size += before;
		unlink_chunk(h, c);
	}
	if (next == h->top) {
		size += chunk_size(h, next);
		h->top = c;
		set_header(h, c, size, HEAP_PREV_USED);
		return size;
	}
	if (!prev_used(h, next + chunk_size(h, next))) {
		unlink_chunk(h, next);
		size += chunk_size(h, next);
	}
	set_header(h, c, size, HEAP_PREV_USED);
	set_free(h, c, size);
	link_unsorted(h, c, size);
	return size;
}

/* Empties the fastbins: merged chunks can serve larger requests and reach top. */
void heap_consolidate(struct heap_model *h)
{
	h->have_fast = false;
	for (u32 i = HEAP_MIN_UNITS; i <= HEAP_FAST_UNITS; i++) {
		u32 c = h->fast[i];

		h->fast[i] = 0;
		while (c) {
			u32 next = *link_next(h, c);

			merge_free(h, c);
			c = next;
		}
	}
}

void heap_arena_free(struct heap_model *h, u32 c, bool cached)
{
	u32 size = chunk_size(h, c);

	if (cached && cache_wants(h, size)) {
		cache_put(h, c, size);
		return;
	}
	if (size <= HEAP_FAST_UNITS) {
		*link_next(h, c) = h->fast[size];
		wrote(h, c + 1);
		h->fast[size] = c;
		h->have_fast = true;
		return;
	}
	if ((u64)merge_free(h, c) * HEAP_UNIT < HEAP_MERGE_BYTES)
		return;
	if (h->have_fast)
		heap_consolidate(h);
	if ((u64)chunk_size(h, h->top) * HEAP_UNIT >= h->trim_threshold)
		heap_trim(h);
}

/* ---- resizing in place ---- */

/* Keeps @units of the used chunk @c of @size, its border flags still to be set; frees the rest. */
static void cut_used(struct heap_model *h, u32 c, u32 size, u32 units)
{
	u32 rest = size - units;

	if (rest < HEAP_MIN_UNITS) {
		set_size(h, c, size);
		set_used(h, c, size);
		return;
	}
	set_size(h, c, units);
	set_header(h, c + units, rest, HEAP_PREV_USED);
	set_used(h, c + units, rest);
	heap_arena_free(h, c + units, true);
}

u32 heap_arena_resize(struct heap_model *h, u32 c, u64 want)
{
	u32 size = chunk_size(h, c), next = c + size, units = (u32)want, more;

	if (want >= HEAP_UNITS)
		return 0;
	if (size < units) {
		more = chunk_size(h, next);
		if (next == h->top) {
			if ((u64)size + more < (u64)units + HEAP_MIN_UNITS)
				return 0;
			h->top = c + units;
			set_size(h, c, units);
			set_header(h, h->top, size + more - units, HEAP_PREV_USED);
			return c;
		}
		if (prev_used(h, next + more) || size + more < units)
			return 0;
		unlink_chunk(h, next);
		size += more;
	}
	cut_used(h, c, size, units);
	return c;
}

/* Cuts the used chunk @c to one of @units whose block is aligned to @align bytes, a power of two. */
u32 heap_arena_align(struct heap_model *h, u32 c, u64 want, u64 align)
{
	u32 size = chunk_size(h, c), units = (u32)want, lead;
	u64 block = unit_addr(h, c + 1);

	lead = (u32)((ALIGN_UP(block, align) - block) / HEAP_UNIT);
	if (lead) {
		if (lead < HEAP_MIN_UNITS)
			lead += (u32)(align / HEAP_UNIT);
		VM_BUG_ON(lead + units > size);
		set_header(h, c + lead, size - lead, HEAP_PREV_USED);
		set_used(h, c + lead, size - lead);
		set_size(h, c, lead);
		heap_arena_free(h, c, true);
		c += lead;
		size = chunk_size(h, c);
	}
	if (size > units + HEAP_MIN_UNITS)
		cut_used(h, c, size, units);
	return c;
}
