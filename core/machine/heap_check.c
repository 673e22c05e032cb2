/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Statistics and invariants of the heap model. The check marks chunks in their headers while it
 * runs (HEAP_SEEN: a chunk begins here; HEAP_OWNED: somebody has it) and removes the marks.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/machine/heap_types.h"

struct heap_walk {
	struct heap_model *h;
	char *why;
	size_t n;
	u64 free_chunks, free_units, binned;
	u64 slot_bytes, slots, mapped;
};

MM_PRINTF(3, 4) static int broken(struct heap_walk *w, int invariant, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->why, w->n, fmt, ap);
	va_end(ap);
	return invariant;
}

static u64 cached_units(const struct heap_model *h)
{
	u64 units = 0;

	for (u32 i = 0; i < h->nr_caches; i++)
		for (u32 bin = 0; bin < HEAP_CACHE_BINS; bin++)
			units += (u64)h->caches[i].count[bin] * (bin + HEAP_MIN_UNITS);
	return units;
}

/* Chunks that are neither top nor in use by a slot or a tcache. */
static u64 free_units(const struct heap_model *h)
{
	u64 units = 0;

	for (u32 bin = 1; bin < HEAP_BINS; bin++)
		for (u32 c = h->units[2 * bin + 1].a; c != 2 * bin; c = h->units[c + 1].a)
			units += chunk_size(h, c);
	for (u32 i = HEAP_MIN_UNITS; i <= HEAP_FAST_UNITS; i++)
		for (u32 c = h->fast[i]; c; c = h->units[c + 1].a)
			units += i;
	return units;
}

void heap_model_stats(const struct heap_model *h, struct heap_stats *out)
{
	u64 top = h->top ? (u64)chunk_size(h, h->top) * HEAP_UNIT : 0, in_heap;

	*out = (struct heap_stats){
		.in_use = h->in_use, .peak_in_use = h->peak_in_use, .peak_bytes = h->peak_bytes,
		.heap_bytes = heap_break_bytes(h), .mmapped_bytes = h->mmapped_bytes,
		.top_bytes = top, .live_blocks = h->live_blocks, .mmapped_blocks = h->live_mapped,
		.brk_calls = h->brk_calls, .mmap_calls = h->mmap_calls,
		.munmap_calls = h->munmap_calls, .mremap_calls = h->mremap_calls,
		.failed = h->failed, .unknown = h->unknown, .malformed = h->malformed,
		.free_bytes = free_units(h) * HEAP_UNIT,
		.tcache_bytes = cached_units(h) * HEAP_UNIT,
	};
	in_heap = h->in_use - h->mmapped_bytes;
	if (out->heap_bytes && !h->account_only)
		out->fragmentation = (u32)((out->heap_bytes - top - in_heap) * 1000 / out->heap_bytes);
}

/* 1 and 2: the chunks, from the first to the break. */
static int walk_chunks(struct heap_walk *w)
{
	struct heap_model *h = w->h;
	u32 c = HEAP_FIRST, size, next;
	bool used = true, here;

	for (; c != h->top; c = next) {
		size = chunk_size(h, c);
		next = c + size;
		if (size < HEAP_MIN_UNITS || next > h->top || next <= c)
			return broken(w, 1, "chunk %u of %u units does not end below top %u", c, size, h->top);
		if (prev_used(h, c) != used)
			return broken(w, 2, "chunk %u is wrong about the chunk before", c);
		here = prev_used(h, next);
		if (!here && (!used || h->units[next].b != size))
			return broken(w, 2, "free chunk %u: free neighbour, or size %u said %u behind it",
				      c, size, h->units[next].b);
		w->free_chunks += !here;
		w->free_units += here ? 0 : size;
		h->units[c].a |= HEAP_SEEN;
		used = here;
	}
	if (!used || !prev_used(h, h->top))
		return broken(w, 2, "free chunk %u borders on top", c);
	if (h->top + chunk_size(h, h->top) != h->end)
		return broken(w, 1, "top %u of %u units does not end at the break %u", h->top,
			      chunk_size(h, h->top), h->end);
	return 0;
}

static void clear_marks(struct heap_walk *w)
{
	for (u32 c = HEAP_FIRST; c < w->h->top && w->h->units[c].a & HEAP_SEEN; c += chunk_size(w->h, c))
		w->h->units[c].a &= ~(HEAP_SEEN | HEAP_OWNED);
}

/* Marks @c as somebody's; false if no chunk begins there or somebody has it already. */
static bool own(struct heap_walk *w, u32 c)
{
	u32 *a = &w->h->units[c].a;

	if (c < HEAP_FIRST || c >= w->h->top || (*a & (HEAP_SEEN | HEAP_OWNED)) != HEAP_SEEN)
		return false;
	*a |= HEAP_OWNED;
	return true;
}

static bool is_used(const struct heap_model *h, u32 c)
{
	return prev_used(h, c + chunk_size(h, c));
}

/* The circle of sizes of a large bin: as many members as different sizes, in order. */
static int check_sizes(struct heap_walk *w, u32 bin, u32 first, u32 sizes)
{
	struct heap_model *h = w->h;
	u32 c = first, n = 0;

	do {
		u32 smaller = h->units[c + 2].a;

		if (!smaller || h->units[smaller + 2].b != c)
			return broken(w, 3, "bin %u: circle of sizes torn at chunk %u", bin, c);
		c = smaller;
	} while (c != first && ++n <= sizes);
	return n + 1 == sizes ? 0 : broken(w, 3, "bin %u: %u sizes, circle of %u", bin, sizes, n + 1);
}

static int check_bin(struct heap_walk *w, u32 bin)
{
	struct heap_model *h = w->h;
	u32 head = 2 * bin, prev = head, last = UINT32_MAX, sizes = 0, c;

	for (c = h->units[head + 1].a; c != head; prev = c, c = h->units[c + 1].a) {
		if (!own(w, c) || is_used(h, c))
			return broken(w, 3, "bin %u holds %u, no free chunk or held twice", bin, c);
		if (h->units[c + 1].b != prev)
			return broken(w, 3, "bin %u: chunk %u's back link", bin, c);
		if (bin > 1 && heap_bin_of(chunk_size(h, c)) != bin)
			return broken(w, 3, "bin %u holds chunk %u of %u units", bin, c, chunk_size(h, c));
		if (bin >= HEAP_SMALL_UNITS && chunk_size(h, c) > last)
			return broken(w, 3, "bin %u not sorted at chunk %u", bin, c);
		sizes += chunk_size(h, c) != last;
		last = chunk_size(h, c);
		w->binned++;
	}
	if (h->units[head + 1].b != prev)
		return broken(w, 3, "bin %u: tail", bin);
	if (bin > 1 && !!(h->bin_map[bin / 64] & BIT(bin % 64)) != (prev != head))
		return broken(w, 3, "bin %u: occupancy bit", bin);
	if (bin >= HEAP_SMALL_UNITS && prev != head)
		return check_sizes(w, bin, h->units[head + 1].a, sizes);
	return 0;
}

static int check_bins(struct heap_walk *w)
{
	for (u32 bin = 1; bin < HEAP_BINS - 1; bin++) {
		int r = check_bin(w, bin);

		if (r)
			return r;
	}
	if (w->binned != w->free_chunks)
		return broken(w, 3, "%llu free chunks, %llu in bins", (unsigned long long)w->free_chunks,
			      (unsigned long long)w->binned);
	return 0;
}

static int check_cached(struct heap_walk *w)
{
	struct heap_model *h = w->h;

	for (u32 i = HEAP_MIN_UNITS; i <= HEAP_FAST_UNITS; i++)
		for (u32 c = h->fast[i]; c; c = h->units[c + 1].a)
			if (!own(w, c) || !is_used(h, c) || chunk_size(h, c) != i)
				return broken(w, 4, "fastbin of %u units holds %u", i, c);
	for (u32 i = 0; i < h->nr_caches; i++) {
		struct heap_cache *t = &h->caches[i];

		if (t->self && (!own(w, t->self) || !is_used(h, t->self)))
			return broken(w, 4, "tcache %u's own chunk %u", i, t->self);
		for (u32 k = 0; k < HEAP_CACHE_BINS * HEAP_CACHE_COUNT; k++) {
			u32 bin = k / HEAP_CACHE_COUNT, at = k % HEAP_CACHE_COUNT, c = t->entry[bin][at];

			if (at < t->count[bin] && (!own(w, c) || !is_used(h, c) ||
						   chunk_size(h, c) != bin + HEAP_MIN_UNITS))
				return broken(w, 4, "tcache %u: chunk %u in bin %u", i, c, bin);
		}
	}
	return 0;
}

static int check_slots(struct heap_walk *w)
{
	struct heap_model *h = w->h;

	for (u32 i = 0; i < h->nr_slots; i++) {
		union heap_slot s = h->slots[i];

		if (!s.accounted)
			continue;
		w->slots++;
		if (s.size == HEAP_MAPPED) {
			w->mapped++;
			if (s.chunk >= h->nr_mapped || !h->mapped[s.chunk].len)
				return broken(w, 6, "slot %u: no mapping %u", i, s.chunk);
			w->slot_bytes += h->mapped[s.chunk].len;
			continue;
		}
		w->slot_bytes += (u64)s.size * HEAP_UNIT;
		if (!own(w, s.chunk) || !is_used(h, s.chunk) || chunk_size(h, s.chunk) != s.size)
			return broken(w, 5, "slot %u: chunk %u of %u units", i, s.chunk, s.size);
	}
	return 0;
}

static int check_sums(struct heap_walk *w)
{
	struct heap_model *h = w->h;
	u64 mapped = 0, n = 0;

	for (u32 i = 0; i < h->nr_mapped; i++) {
		mapped += h->mapped[i].len;
		n += h->mapped[i].len != 0;
	}
	if (w->slots != h->live_blocks || w->slot_bytes != h->in_use)
		return broken(w, 6, "%llu blocks of %llu bytes, counted %llu of %llu",
			      (unsigned long long)w->slots, (unsigned long long)w->slot_bytes,
			      (unsigned long long)h->live_blocks, (unsigned long long)h->in_use);
	if (mapped != h->mmapped_bytes || n != w->mapped || n != h->live_mapped)
		return broken(w, 6, "%llu mapped blocks of %llu bytes, counted %u of %llu",
			      (unsigned long long)n, (unsigned long long)mapped, h->live_mapped,
			      (unsigned long long)h->mmapped_bytes);
	return 0;
}

static int check_accounted(struct heap_walk *w)
{
	for (u32 i = 0; i < w->h->nr_slots; i++) {
		w->slots += w->h->slots[i].accounted != 0;
		w->slot_bytes += w->h->slots[i].accounted;
	}
	return check_sums(w);
}

int heap_model_check(struct heap_model *h, char *why, size_t n)
{
	struct heap_walk w = {.h = h, .why = why, .n = n};
	int r = 0;

	if (h->account_only)
		return check_accounted(&w);
	if (h->top)
		r = walk_chunks(&w);
	if (!r)
		r = check_bins(&w);
	if (!r)
		r = check_cached(&w);
	if (!r)
		r = check_slots(&w);
	if (h->top)
		clear_marks(&w);
	return r ? r : check_sums(&w);
}
