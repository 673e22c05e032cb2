/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Range operations of arch/range.c against an array of pages: map, unmap, protect, make old, look up in
 * batches, free tables, and failing allocations, around a border of the top table on every geometry.
 */
#include "tests/arch_tables.h"

#define N 600u /* pages; half of them below the border */

struct shadow {
	bool mapped, young;
	u8 rights;
	pfn_t pfn;
};

struct world {
	struct tables t;
	struct shadow page[N];
	struct prng r;
	vaddr_t base;
	u64 spans, in_spans; /* seen by the last call's function */
};

static vaddr_t va_of(const struct world *w, u64 i)
{
	return w->base + (i << w->t.g->page_shift);
}

static void see(void *ctx, const struct pt_span *span)
{
	struct world *w = ctx;

	assert_int_equal(span->height, 0);
	w->spans++;
	for (u32 i = 0; i < span->nr; i++)
		w->in_spans += pte_present(pte_get(w->t.g, pt_slot_at(w->t.g, span->slots, i)));
}

static u64 count(const struct world *w, u64 from, u64 to, bool young)
{
	u64 n = 0;

	for (u64 i = from; i < to; i++)
		n += w->page[i].mapped && (!young || w->page[i].young);
	return n;
}

/* The longest stretch of pages without mapping from @from on, at most @n. */
static u64 free_stretch(const struct world *w, u64 from, u64 n)
{
	u64 k = 0;

	while (k < n && from + k < N && !w->page[from + k].mapped)
		k++;
	return k;
}

static void do_map(struct world *w, u64 from, u64 n, bool list)
{
	pfn_t pfns[N], first = (pfn_t)(0x1000 + prng_below(&w->r, 0x10000));
	unsigned rights = 1 + (unsigned)prng_below(&w->r, 15);
	u64 prot = pte_user_prot(rights);
	int r;

	n = free_stretch(w, from, n);
	for (u64 i = 0; i < n; i++)
		pfns[i] = list ? (pfn_t)(0x1000 + prng_below(&w->r, 0x10000)) : first + (pfn_t)i;
	w->t.limit = prng_below(&w->r, 8) ? ~0ull : prng_below(&w->r, 3);
	r = list ? pt_map_list(&w->t.space, va_of(w, from), n, pfns, prot)
		 : pt_map_range(&w->t.space, va_of(w, from), n, first, prot);
	w->t.limit = ~0ull;
	if (r) { /* whole leaf tables at a time: what lies before the missing one is mapped */
		assert_int_equal(r, -ENOMEM);
		pt_unmap_range(&w->t.space, va_of(w, from), va_of(w, from + n), NULL, NULL);
		return;
	}
	for (u64 i = 0; i < n; i++)
		w->page[from + i] = (struct shadow){true, true, (u8)rights, pfns[i]};
}

static void do_unmap(struct world *w, u64 from, u64 to)
{
	w->spans = w->in_spans = 0;
	pt_unmap_range(&w->t.space, va_of(w, from), va_of(w, to), see, w);
	assert_int_equal(w->in_spans, count(w, from, to, false));
	for (u64 i = from; i < to; i++)
		w->page[i].mapped = false;
}

/* As free_pgtables() is called: neighbours bound what may go. */
static void do_free(struct world *w, u64 from, u64 to)
{
	u64 low = from, high = to;

	do_unmap(w, from, to);
	while (low && !w->page[low - 1].mapped)
		low--;
	while (high < N && !w->page[high].mapped)
		high++;
	pt_free_range(&w->t.space, va_of(w, from), va_of(w, to), low ? va_of(w, low) : 0,
		      high < N ? va_of(w, high) : 0);
}

static void check_page(struct world *w, u64 i)
{
	const struct shadow *s = &w->page[i];
	pt_slot *slot = pt_find_slot(&w->t.space, va_of(w, i));
	pte_t p = slot ? pte_get(w->t.g, slot) : (pte_t){0};

	assert_int_equal(pte_present(p), s->mapped);
	if (!s->mapped)
		return;
	assert_int_equal(pte_pa(p) >> w->t.g->page_shift, s->pfn);
	assert_int_equal(pte_young(p), s->young);
	assert_int_equal(pte_protnone(p), !(s->rights & 7));
	assert_int_equal(pte_write(p), (s->rights & 10) == 10);
}

/* Tables: those of the walk, those counted by whoever gave them, and no invariant broken. */
static void check_tables(struct world *w)
{
	struct pt_count n;
	char why[256];

	pt_count_range(&w->t.space, 0, BIT(w->t.g->va_bits), &n);
	for (int h = 0; h < w->t.g->levels - 1; h++)
		assert_int_equal(n.tables[h], w->t.count[h]);
	assert_int_equal(n.present, count(w, 0, N, false));
	if (pt_check(&w->t.space, 0, BIT(w->t.g->va_bits), why, sizeof(why)))
		fail_msg("%s", why);
}

static void check_batch(struct world *w)
{
	vaddr_t va[100];
	pt_slot *slots[100];
	u64 found = 0;

	for (u32 i = 0; i < 100; i++)
		va[i] = va_of(w, prng_below(&w->r, N));
	for (u32 i = 0; i < 100; i++)
		found += pt_find_slot(&w->t.space, va[i]) != NULL;
	assert_int_equal(pt_lookup_batch(&w->t.space, va, 100, slots), found);
	for (u32 i = 0; i < 100; i++)
		assert_ptr_equal(slots[i], pt_find_slot(&w->t.space, va[i]));
}

static void step(struct world *w)
{
	u64 from = prng_below(&w->r, N), n = 1 + prng_below(&w->r, prng_below(&w->r, 4) ? 40 : N), to;
	unsigned rights;

	to = from + n < N ? from + n : N;
	switch (prng_below(&w->r, 8)) {
	case 0:
	case 1:
		do_map(w, from, n, false);
		break;
	case 2:
		do_map(w, from, n, true);
		break;
	case 3:
		do_unmap(w, from, to);
		break;
	case 4:
		do_free(w, from, to);
		break;
	case 5:
		rights = (unsigned)prng_below(&w->r, 16);
		assert_true(pt_protect_range(&w->t.space, va_of(w, from), va_of(w, to), pte_user_prot(rights)) <=
			    count(w, from, to, false));
		for (u64 i = from; i < to; i++)
			w->page[i].rights = w->page[i].mapped ? (u8)rights : 0;
		break;
	case 6:
		assert_int_equal(pt_mkold_range(&w->t.space, va_of(w, from), va_of(w, to)), count(w, from, to, true));
		for (u64 i = from; i < to; i++)
			w->page[i].young = false;
		break;
	default:
		w->in_spans = 0;
		pt_walk_range(&w->t.space, va_of(w, from), va_of(w, to), see, w);
		assert_int_equal(w->in_spans, count(w, from, to, false));
	}
}

static void run(enum pt_geom geom, u64 seed)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	tables_init(&w->t, geom, 8 * MiB);
	prng_seed(&w->r, seed);
	w->base = BIT(w->t.g->shift[w->t.g->levels - 1]) - (N / 2ull << w->t.g->page_shift);
	for (unsigned i = 0; i < 1500; i++) {
		step(w);
		for (unsigned k = 0; k < 8; k++)
			check_page(w, prng_below(&w->r, N));
		if (i % 50)
			continue;
		for (u64 k = 0; k < N; k++)
			check_page(w, k);
		check_tables(w);
		check_batch(w);
	}
	do_free(w, 0, N);
	for (int h = 0; h < PT_MAX_LEVELS; h++)
		assert_int_equal(w->t.count[h], 0);
	tables_destroy(&w->t);
	free(w);
}

static void test_ranges(void **state)
{
	u64 seed = test_seed(17);

	(void)state;
	for (unsigned geom = 0; geom < PT_NR_GEOM; geom++)
		run((enum pt_geom)geom, seed + geom);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
