/* SPDX-License-Identifier: BSD-2-Clause */
/* Interval trees against a sorted list, under random insertions, removals and queries. */
#include "core/base/interval_tree.h"
#include "core/base/prng.h"
#include "tests/test.h"

#define NODES 300

struct item {
	struct rb_node rb;
	u64 sub, start, last;
};

#define ITEM_START(n) ((n)->start)
#define ITEM_LAST(n)  ((n)->last)
INTERVAL_TREE(item, struct item, rb, sub, ITEM_START, ITEM_LAST)

/* The naive order: by start, equal starts in order of insertion. */
struct naive {
	struct item *items[NODES];
	unsigned n;
};

static void naive_insert(struct naive *l, struct item *n, const struct item *after)
{
	unsigned at = 0;

	while (at < l->n && l->items[at]->start <= n->start) {
		at++;
		if (l->items[at - 1] == after)
			break;
	}
	memmove(&l->items[at + 1], &l->items[at], (l->n - at) * sizeof(l->items[0]));
	l->items[at] = n;
	l->n++;
}

static void naive_remove(struct naive *l, const struct item *n)
{
	unsigned at = 0;

	while (l->items[at] != n)
		at++;
	memmove(&l->items[at], &l->items[at + 1], (l->n - at - 1) * sizeof(l->items[0]));
	l->n--;
}

static void query(const struct rb_root *root, const struct naive *l, u64 first, u64 last)
{
	struct item *n = item_first(root, first, last);

	for (unsigned i = 0; i < l->n; i++) {
		if (l->items[i]->start > last || l->items[i]->last < first)
			continue;
		assert_ptr_equal(n, l->items[i]);
		n = item_next(n, first, last);
	}
	assert_null(n);
}

static void test_against_list(void **state)
{
	static struct item pool[NODES];
	struct rb_root root = {NULL};
	struct naive list = {.n = 0};
	bool in[NODES] = {false};
	struct prng r;

	(void)state;
	prng_seed(&r, test_seed(81));
	for (int step = 0; step < 30000; step++) {
		u64 i = prng_below(&r, NODES), a = prng_below(&r, 100);
		struct item *after = list.n ? list.items[prng_below(&r, list.n)] : NULL;

		if (in[i]) {
			item_remove(&root, &pool[i]);
			naive_remove(&list, &pool[i]);
		} else if (after && prng_below(&r, 4) == 0) {
			pool[i].start = after->start;
			pool[i].last = after->start + prng_below(&r, 40);
			item_insert_after(&root, &pool[i], after);
			naive_insert(&list, &pool[i], after);
		} else {
			pool[i].start = a;
			pool[i].last = a + prng_below(&r, 40);
			item_insert(&root, &pool[i]);
			naive_insert(&list, &pool[i], NULL);
		}
		in[i] = !in[i];
		query(&root, &list, a, a + prng_below(&r, 10));
		if (step % 100 == 0)
			assert_true(item_check(&root));
	}
}

/* The check sees a bound that changed in the tree, and a stale maximum. */
static void test_check_sees_damage(void **state)
{
	struct item n[3] = {
		{.start = 1, .last = 5}, {.start = 2, .last = 9}, {.start = 3, .last = 4}};
	struct rb_root root = {NULL};

	(void)state;
	for (int i = 0; i < 3; i++)
		item_insert(&root, &n[i]);
	assert_true(item_check(&root));
	n[0].last = 20;
	assert_false(item_check(&root));
	n[0].last = 5;
	n[0].start = 7;
	assert_false(item_check(&root));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_list),
					   cmocka_unit_test(test_check_sees_damage)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
