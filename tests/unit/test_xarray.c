/* SPDX-License-Identifier: BSD-2-Clause */
/* The tree of page-cache entries against a plain array, with node allocations that fail. */
#include "core/base/xarray.h"

#include <errno.h>

#include "core/base/prng.h"
#include "tests/test.h"

struct pool {
	u64 live, budget; /* budget: allocations until one fails; 0: none fails */
	void (*reclaim)(struct pool *); /* what an allocation does first; NULL: nothing */
	void *arg;
};

static void *pool_alloc(void *self)
{
	struct pool *p = self;

	if (p->reclaim)
		p->reclaim(p);
	if (p->budget && !--p->budget)
		return NULL;
	p->live++;
	return calloc(1, sizeof(struct xa_node));
}

static void pool_free(void *self, void *node)
{
	((struct pool *)self)->live--;
	free(node);
}

static const struct xa_ops ops = {pool_alloc, pool_free};

#define PLACES 700

/* Places far apart and near, at the ends of the index space too. */
static u64 place(u64 i)
{
	static const u64 bases[] = {0, 63, 4000, 1ull << 30, 1ull << 41, UINT64_MAX - 99};

	return bases[i / 100 % 6] + i % 100;
}

struct naive {
	u64 entry[PLACES];
	bool tag[PLACES][XA_NR_TAGS];
};

static u64 naive_next(const struct naive *n, u64 *index, u64 last, int tag)
{
	u64 best = UINT64_MAX, entry = 0;

	for (u64 i = 0; i < 600; i++)
		if (n->entry[i] && place(i) >= *index && place(i) <= last && place(i) <= best &&
		    (tag < 0 || n->tag[i][tag])) {
			best = place(i);
			entry = n->entry[i];
		}
	if (entry)
		*index = best;
	return entry;
}

/* Places 100.. repeat some of 0..: use each index under one number only. */
static u64 number(u64 i)
{
	for (u64 k = 0; k < i; k++)
		if (place(k) == place(i))
			return k;
	return i;
}

static void test_random_against_array(void **state)
{
	struct prng r;
	struct pool pool = {0};
	struct xa_list values = {.nr = 0};
	struct xarray xa;
	static struct naive n;

	(void)state;
	memset(&n, 0, sizeof(n));
	list_init(&values.head);
	prng_seed(&r, test_seed(1));
	xa_init(&xa, &ops, &pool, &values);
	for (unsigned step = 0; step < 40000; step++) {
		u64 i = number(prng_below(&r, 600)), index = place(i), a, b, last;
		enum xa_tag tag = (enum xa_tag)prng_below(&r, XA_NR_TAGS);
		int t;

		switch (prng_below(&r, 7)) {
		case 0:
		case 1: {
			u64 entry = prng_below(&r, 2) ? XA_VALUE | step : xa_frame_entry(step);

			pool.budget = prng_below(&r, 8);
			t = xa_store(&xa, index, entry);
			assert_true(!t || (t == -ENOMEM && pool.budget == 0));
			pool.budget = 0;
			if (!t)
				n.entry[i] = entry;
			break;
		}
		case 2:
			assert_int_equal(xa_erase(&xa, index), n.entry[i]);
			n.entry[i] = 0;
			n.tag[i][0] = n.tag[i][1] = false;
			break;
		case 3:
			if (n.entry[i]) {
				xa_tag_set(&xa, index, tag);
				n.tag[i][tag] = true;
			}
			break;
		case 4:
			xa_tag_clear(&xa, index, tag);
			n.tag[i][tag] = false;
			break;
		default:
			t = (int)prng_below(&r, 3) - 1;
			a = b = place(prng_below(&r, 600)) + prng_below(&r, 3);
			last = place(prng_below(&r, 600));
			assert_int_equal(t < 0 ? xa_next(&xa, &a, last)
					       : xa_next_tagged(&xa, &a, last, (enum xa_tag)t),
					 naive_next(&n, &b, last, t));
			assert_int_equal(a, b);
		}
		assert_int_equal(xa_load(&xa, index), n.entry[i]);
		assert_int_equal(xa_tagged(&xa, index, tag), n.tag[i][tag]);
		if (step % 64 == 0)
			assert_int_equal(xa_check(&xa), 0);
		assert_int_equal(xa_nr_nodes(&xa), pool.live);
	}
	xa_destroy(&xa);
	assert_int_equal(pool.live, 0);
	assert_int_equal(values.nr, 0);
	assert_true(list_empty(&values.head));
}

/* Leaves are found by two loads, in order of the directory; a tree of one leaf has no other node.
 */
static void test_shape(void **state)
{
	struct pool pool = {0};
	struct xarray xa;

	(void)state;
	xa_init(&xa, &ops, &pool, NULL);
	for (u64 i = 0; i < 64; i++)
		assert_int_equal(xa_store(&xa, i, xa_frame_entry((u32)i)), 0);
	assert_int_equal(pool.live, 1);
	assert_int_equal(xa_store(&xa, 64, xa_frame_entry(64)), 0);
	assert_int_equal(pool.live, 3);
	assert_ptr_equal(xa.dir[1], xa_leaf(&xa, 64));
	xa_erase(&xa, 64);
	assert_int_equal(pool.live, 1); /* the level above went with its second child */
	assert_int_equal(xa_store(&xa, UINT64_MAX, XA_VALUE | 5), 0);
	assert_int_equal(xa_load(&xa, UINT64_MAX), XA_VALUE | 5);
	assert_int_equal(xa_check(&xa), 0);
	xa_destroy(&xa);
	assert_int_equal(pool.live, 0);
}

/* Every rule of xa_check() is noticed when broken. */
static void test_check_notices(void **state)
{
	struct pool pool = {0};
	struct xa_list values = {.nr = 0};
	struct xarray xa;
	struct xa_node *n;

	(void)state;
	list_init(&values.head);
	xa_init(&xa, &ops, &pool, &values);
	assert_int_equal(xa_store(&xa, 3, xa_frame_entry(9)), 0);
	assert_int_equal(xa_store(&xa, 4, XA_VALUE | 1), 0);
	assert_int_equal(xa_store(&xa, 100, XA_VALUE | 1), 0);
	assert_int_equal(xa_check(&xa), 0);
	assert_int_equal(values.nr, 1);
	n = xa_leaf(&xa, 3);
	n->count++;
	assert_int_equal(xa_check(&xa), 2);
	n->count--;
	n->tags[XA_DIRTY] = BIT(7);
	assert_int_equal(xa_check(&xa), 3);
	n->tags[XA_DIRTY] = BIT(3); /* but not above */
	assert_int_equal(xa_check(&xa), 3);
	n->tags[XA_DIRTY] = 0;
	n->offset = 9;
	assert_int_equal(xa_check(&xa), 1);
	n->offset = 0;
	xa.dir[0] = NULL;
	assert_int_equal(xa_check(&xa), 4);
	xa.dir[0] = n;
	n = xa_leaf(&xa, 100);
	list_del(&n->value_only);
	assert_int_equal(xa_check(&xa), 5);
	list_add(&n->value_only, &values.head);
	assert_int_equal(xa_check(&xa), 0);
	xa_destroy(&xa);
}

/* Each allocation first empties places of the very tree that asked: what it needs has to be looked at again. */
struct eater {
	struct xarray xa;
	struct prng r;
	u64 entry[600], eaten;
};

static void eat(struct pool *p)
{
	struct eater *e = p->arg;

	u64 first = prng_below(&e->r, 6) * 100;

	for (u64 k = first; k < first + 100; k++) { /* whole leaves, and what is above them */
		u64 i = number(k);

		e->eaten += e->entry[i] != 0;
		assert_int_equal(xa_erase(&e->xa, place(i)), e->entry[i]);
		e->entry[i] = 0;
	}
}

static void test_allocation_reclaims_from_the_tree(void **state)
{
	static struct eater e;
	struct pool pool = {.reclaim = eat, .arg = &e};
	struct xa_list values = {.nr = 0};

	(void)state;
	memset(&e, 0, sizeof(e));
	list_init(&values.head);
	prng_seed(&e.r, test_seed(2));
	xa_init(&e.xa, &ops, &pool, &values);
	for (unsigned step = 0; step < 20000; step++) {
		u64 i = number(prng_below(&e.r, 600)), entry = XA_VALUE | step;

		pool.budget = prng_below(&e.r, 12);
		if (!xa_store(&e.xa, place(i), entry))
			e.entry[i] = entry;
		pool.budget = 0;
		assert_int_equal(xa_load(&e.xa, place(i)), e.entry[i]);
		if (step % 64 == 0)
			assert_int_equal(xa_check(&e.xa), 0);
		assert_int_equal(xa_nr_nodes(&e.xa), pool.live);
	}
	for (u64 i = 0; i < 600; i++)
		assert_int_equal(xa_load(&e.xa, place(number(i))), e.entry[number(i)]);
	assert_true(e.eaten > 1000);
	xa_destroy(&e.xa);
	assert_int_equal(pool.live, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_against_array),
		cmocka_unit_test(test_allocation_reclaims_from_the_tree),
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_check_notices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
