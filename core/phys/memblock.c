/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/phys/memblock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bits.h"
#include "core/base/bug.h"

#define INIT_REGIONS 128

static int type_init(struct memblock_type *t, const char *name)
{
	t->regions = calloc(INIT_REGIONS, sizeof(*t->regions));
	if (!t->regions)
		return -ENOMEM;
	t->max = INIT_REGIONS;
	t->cnt = 0;
	t->total_size = 0;
	t->name = name;
	return 0;
}

int memblock_init(struct memblock *mb)
{
	memset(mb, 0, sizeof(*mb));
	if (type_init(&mb->memory, "memory") || type_init(&mb->reserved, "reserved")) {
		memblock_destroy(mb);
		return -ENOMEM;
	}
	return 0;
}

void memblock_destroy(struct memblock *mb)
{
	free(mb->memory.regions);
	free(mb->reserved.regions);
	memset(mb, 0, sizeof(*mb));
}

static paddr_t region_end(const struct memblock_region *r)
{
	return r->base + r->size;
}

/* Cuts @size so that base + size does not pass the last address. */
static u64 cap_size(paddr_t base, u64 size)
{
	return mm_min(size, UINT64_MAX - base);
}

static int insert_region(struct memblock_type *t, size_t at, paddr_t base, u64 size, unsigned nid)
{
	if (t->cnt == t->max) {
		struct memblock_region *r = realloc(t->regions, 2 * t->max * sizeof(*r));

		if (!r)
			return -ENOMEM;
		t->regions = r;
		t->max *= 2;
	}
	memmove(&t->regions[at + 1], &t->regions[at], (t->cnt - at) * sizeof(t->regions[0]));
	t->regions[at] = (struct memblock_region){base, size, nid};
	t->cnt++;
	t->total_size += size;
	return 0;
}

static void remove_region(struct memblock_type *t, size_t at)
{
	t->total_size -= t->regions[at].size;
	t->cnt--;
	memmove(&t->regions[at], &t->regions[at + 1], (t->cnt - at) * sizeof(t->regions[0]));
}

static void merge_regions(struct memblock_type *t)
{
	size_t i = 0;

	while (i + 1 < t->cnt) {
		struct memblock_region *a = &t->regions[i], *b = a + 1;

		if (region_end(a) != b->base || a->nid != b->nid) {
			i++;
			continue;
		}
		a->size += b->size;
		t->cnt--;
		memmove(b, b + 1, (t->cnt - i - 1) * sizeof(*b));
	}
}

/* Inserts the parts of [base, base + size) that @t does not cover, then merges. */
static int add_range(struct memblock_type *t, paddr_t base, u64 size, unsigned nid)
{
	paddr_t end;
	size_t i;

	size = cap_size(base, size);
	end = base + size;
	for (i = 0; i < t->cnt && base < end; i++) {
		struct memblock_region r = t->regions[i];

		if (r.base >= end)
			break;
		if (region_end(&r) <= base)
			continue;
		if (r.base > base) {
			if (insert_region(t, i, base, r.base - base, nid))
				return -ENOMEM;
			i++;
		}
		base = mm_min(region_end(&r), end);
	}
	if (base < end && insert_region(t, i, base, end - base, nid))
		return -ENOMEM;
	merge_regions(t);
	return 0;
}

/* Splits border regions so that [base, end) is a whole number of regions: [*from, *to). */
static int isolate_range(struct memblock_type *t, paddr_t base, paddr_t end, size_t *from, size_t *to)
{
	*from = *to = 0;
	for (size_t i = 0; i < t->cnt; i++) {
		struct memblock_region *r = &t->regions[i];
		paddr_t cut = 0;

		if (r->base >= end)
			break;
		if (region_end(r) <= base)
			continue;
		if (r->base < base)
			cut = base;
		else if (region_end(r) > end)
			cut = end;
		if (cut) {
			struct memblock_region low = {r->base, cut - r->base, r->nid};

			t->total_size -= low.size;
			r->size -= low.size;
			r->base = cut;
			if (insert_region(t, i, low.base, low.size, low.nid))
				return -ENOMEM;
			if (cut == base)
				continue; /* the upper part comes next */
		}
		if (*to == 0)
			*from = i;
		*to = i + 1;
	}
	return 0;
}

static int remove_range(struct memblock_type *t, paddr_t base, u64 size)
{
	size_t from, to;

	size = cap_size(base, size);
	if (!size)
		return 0;
	if (isolate_range(t, base, base + size, &from, &to))
		return -ENOMEM;
	while (to-- > from)
		remove_region(t, to);
	return 0;
}

int memblock_add(struct memblock *mb, paddr_t base, u64 size)
{
	return add_range(&mb->memory, base, size, 0);
}

int memblock_add_node(struct memblock *mb, paddr_t base, u64 size, unsigned nid)
{
	return add_range(&mb->memory, base, size, nid);
}

int memblock_remove(struct memblock *mb, paddr_t base, u64 size)
{
	return remove_range(&mb->memory, base, size);
}

int memblock_reserve(struct memblock *mb, paddr_t base, u64 size)
{
	return add_range(&mb->reserved, base, size, 0);
}

int memblock_free(struct memblock *mb, paddr_t base, u64 size)
{
	return remove_range(&mb->reserved, base, size);
}

int memblock_set_node(struct memblock *mb, paddr_t base, u64 size, unsigned nid)
{
	size_t from, to;

	size = cap_size(base, size);
	if (!size)
		return 0;
	if (isolate_range(&mb->memory, base, base + size, &from, &to))
		return -ENOMEM;
	for (size_t i = from; i < to; i++)
		mb->memory.regions[i].nid = nid;
	merge_regions(&mb->memory);
	return 0;
}

/*
 * The walk over "memory minus reserved": position *i counts memory regions in its upper half and
 * gaps between reserved regions in its lower half; whichever ends first advances.
 */
bool memblock_next_free(const struct memblock *mb, u64 *i, paddr_t *start, paddr_t *end, unsigned *nid)
{
	const struct memblock_type *m = &mb->memory, *r = &mb->reserved;
	size_t mi = (size_t)(*i >> 32), ri = (size_t)(*i & 0xffffffffu);

	while (mi < m->cnt && ri <= r->cnt) {
		const struct memblock_region *mem = &m->regions[mi];
		paddr_t gap_start = ri ? region_end(&r->regions[ri - 1]) : 0;
		paddr_t gap_end = ri < r->cnt ? r->regions[ri].base : UINT64_MAX;
		paddr_t s = mm_max(mem->base, gap_start), e = mm_min(region_end(mem), gap_end);

		if (region_end(mem) <= gap_end)
			mi++;
		else
			ri++;
		if (s >= e)
			continue;
		*start = s;
		*end = e;
		if (nid)
			*nid = mem->nid;
		*i = (u64)mi << 32 | ri;
		return true;
	}
	return false;
}

paddr_t memblock_find_in_range(const struct memblock *mb, u64 size, u64 align, paddr_t start,
			       paddr_t end)
{
	paddr_t s, e, best = MEMBLOCK_NOWHERE;
	u64 i = 0;

	BUG_ON(!is_pow2(align));
	if (end == MEMBLOCK_ACCESSIBLE)
		end = mb->current_limit ? mb->current_limit : UINT64_MAX;
	start = mm_max(start, 4096); /* never hand out the first page */
	while (memblock_next_free(mb, &i, &s, &e, NULL)) {
		s = mm_max(s, start);
		e = mm_min(e, end);
		if (s >= e || e - s < size)
			continue;
		paddr_t at = mb->bottom_up ? ALIGN_UP(s, align) : ALIGN_DOWN(e - size, align);

		if (at < s || at + size > e)
			continue;
		best = at;
		if (mb->bottom_up)
			break;
	}
	return best;
}

paddr_t memblock_alloc(struct memblock *mb, u64 size, u64 align)
{
	paddr_t at = memblock_find_in_range(mb, size, align, 0, MEMBLOCK_ACCESSIBLE);

	if (at != MEMBLOCK_NOWHERE && memblock_reserve(mb, at, size))
		return MEMBLOCK_NOWHERE;
	return at;
}

static bool type_has(const struct memblock_type *t, paddr_t pa)
{
	size_t lo = 0, hi = t->cnt;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (pa < t->regions[mid].base)
			hi = mid;
		else if (pa - t->regions[mid].base < t->regions[mid].size)
			return true;
		else
			lo = mid + 1;
	}
	return false;
}

bool memblock_is_memory(const struct memblock *mb, paddr_t pa)
{
	return type_has(&mb->memory, pa);
}

bool memblock_is_reserved(const struct memblock *mb, paddr_t pa)
{
	return type_has(&mb->reserved, pa);
}

u64 memblock_bytes_in(const struct memblock_type *t, paddr_t start, paddr_t end)
{
	u64 sum = 0;

	for (size_t i = 0; i < t->cnt; i++) {
		paddr_t s = mm_max(start, t->regions[i].base);
		paddr_t e = mm_min(end, region_end(&t->regions[i]));

		sum += e > s ? e - s : 0;
	}
	return sum;
}

paddr_t memblock_start_of_dram(const struct memblock *mb)
{
	return mb->memory.cnt ? mb->memory.regions[0].base : 0;
}

paddr_t memblock_end_of_dram(const struct memblock *mb)
{
	return mb->memory.cnt ? region_end(&mb->memory.regions[mb->memory.cnt - 1]) : 0;
}

static bool type_ok(const struct memblock_type *t)
{
	u64 sum = 0;

	for (size_t i = 0; i < t->cnt; i++) {
		const struct memblock_region *r = &t->regions[i];

		sum += r->size;
		if (!r->size || r->base + r->size < r->base)
			return false;
		if (i && (region_end(r - 1) > r->base ||
			  (region_end(r - 1) == r->base && r[-1].nid == r->nid)))
			return false;
	}
	return sum == t->total_size;
}

int memblock_check(const struct memblock *mb, char *why, size_t n)
{
	if (type_ok(&mb->memory) && type_ok(&mb->reserved))
		return 0;
	snprintf(why, n, "I01.1: %s regions unsorted, overlapping or not merged",
		 type_ok(&mb->memory) ? "reserved" : "memory");
	return 1;
}

void memblock_show(const struct memblock *mb, FILE *out)
{
	const struct memblock_type *types[] = {&mb->memory, &mb->reserved};

	for (size_t k = 0; k < ARRAY_SIZE(types); k++) {
		const struct memblock_type *t = types[k];

		fprintf(out, "%s: cnt %zu, total 0x%" PRIx64 "\n", t->name, t->cnt, t->total_size);
		for (size_t i = 0; i < t->cnt; i++)
			fprintf(out, "%4zu: 0x%016" PRIx64 "..0x%016" PRIx64 ", 0x%" PRIx64
				" bytes on node %u\n", i, t->regions[i].base,
				region_end(&t->regions[i]) - 1, t->regions[i].size,
				t->regions[i].nid);
	}
	fprintf(out, "current_limit: 0x%" PRIx64 "\n", mb->current_limit);
}
