/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The red-black tree by itself: the example of spec 06 s1 (outline 2.7.4) with its rules checked at
 * every step, then random trees with an augmented sum, and broken ones.
 */
#include "core/base/prng.h"
#include "core/base/rbtree.h"
#include "tests/test.h"

struct number {
	struct rb_node rb;
	int value;
	u64 sum; /* of the subtree's values */
};

static struct number *number_of(struct rb_node *n)
{
	return n ? container_of(n, struct number, rb) : NULL;
}

static u64 sum_of(struct rb_node *n)
{
	return n ? number_of(n)->sum : 0;
}

static bool update_sum(struct rb_node *n)
{
	struct number *x = number_of(n);
	u64 old = x->sum;

	x->sum = (u64)x->value + sum_of(n->left) + sum_of(n->right);
	return x->sum != old;
}

/* The caller walks down, as all users of the tree do. False: the value is there already. */
static bool insert(struct rb_root *root, struct number *x, rb_update update)
{
	struct rb_node **link = &root->node, *parent = NULL;

	while (*link) {
		parent = *link;
		if (x->value == number_of(parent)->value)
			return false;
		link = x->value < number_of(parent)->value ? &parent->left : &parent->right;
	}
	x->sum = 0;
	rb_link(&x->rb, parent, link);
	rb_insert(root, &x->rb, update);
	return true;
}

static struct number *search(const struct rb_root *root, int value)
{
	struct rb_node *n = root->node;

	while (n && number_of(n)->value != value)
		n = value < number_of(n)->value ? n->left : n->right;
	return number_of(n);
}

static unsigned height(const struct rb_node *n)
{
	unsigned l, r;

	if (!n)
		return 0;
	l = height(n->left);
	r = height(n->right);
	return 1 + (l > r ? l : r);
}

/* I06.1: the rules, ascending order both ways, and exactly @count nodes. */
static void check(const struct rb_root *root, unsigned count)
{
	unsigned seen = 0, log2 = 0;
	int last = -1;

	assert_int_equal(rb_check(root), 0);
	for (struct rb_node *n = rb_first(root); n; n = rb_next(n)) {
		assert_true(number_of(n)->value > last);
		last = number_of(n)->value;
		assert_ptr_equal(number_of(rb_next(n) ? rb_prev(rb_next(n)) : rb_last(root)), number_of(n));
		seen++;
	}
	assert_int_equal(seen, count);
	while (count >> log2)
		log2++;
	assert_true(height(root->node) <= 2 * log2);
}

static void shuffle(struct prng *p, int *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned j = (unsigned)prng_below(p, i + 1);

		v[i] = v[j];
		v[j] = (int)i;
	}
}

static void test_I06_1_example(void **state)
{
	struct number numbers[100];
	struct rb_root root = {NULL};
	struct prng p;
	int order[100];

	(void)state;
	prng_seed(&p, test_seed(274));
	shuffle(&p, order, 100);
	check(&root, 0);
	for (unsigned i = 0; i < 100; i++) { /* insert */
		numbers[i].value = order[i];
		assert_true(insert(&root, &numbers[i], NULL));
		check(&root, i + 1);
	}
	for (int v = 0; v < 100; v++) { /* look up */
		assert_non_null(search(&root, v));
		assert_false(insert(&root, &(struct number){.value = v}, NULL));
	}
	assert_null(search(&root, 100));
	for (int v = 0; v < 100; v++) /* in order */
		assert_int_equal(number_of(v ? rb_next(&search(&root, v - 1)->rb) : rb_first(&root))->value, v);
	shuffle(&p, order, 100);
	for (unsigned i = 0; i < 100; i++) { /* erase */
		rb_erase(&root, &search(&root, order[i])->rb, NULL);
		assert_null(search(&root, order[i]));
		check(&root, 99 - i);
	}
	assert_null(root.node);
}

static void check_sums(struct rb_node *n)
{
	if (!n)
		return;
	assert_int_equal(number_of(n)->sum, (u64)number_of(n)->value + sum_of(n->left) + sum_of(n->right));
	check_sums(n->left);
	check_sums(n->right);
}

static void test_augmented_values_stay_exact(void **state)
{
	enum { N = 400 };
	static struct number numbers[N];
	bool in[N] = {false};
	struct rb_root root = {NULL};
	unsigned count = 0;
	struct prng p;

	(void)state;
	prng_seed(&p, test_seed(275));
	for (unsigned step = 0; step < 20000; step++) {
		unsigned i = (unsigned)prng_below(&p, N);

		numbers[i].value = in[i] ? numbers[i].value : (int)i;
		if (in[i])
			rb_erase(&root, &numbers[i].rb, update_sum);
		else
			assert_true(insert(&root, &numbers[i], update_sum));
		in[i] = !in[i];
		count += in[i] ? 1 : -1u;
		if (step % 16)
			continue;
		check(&root, count);
		check_sums(root.node);
	}
}

/* Each rule is noticed when it is broken. */
static void test_I06_1_broken_trees(void **state)
{
	struct number n[7];
	struct rb_root root = {NULL};
	struct rb_node *leaf;

	(void)state;
	for (int i = 0; i < 7; i++) {
		n[i].value = i;
		insert(&root, &n[i], NULL);
	}
	assert_int_equal(rb_check(&root), 0);
	root.node->parent_red |= 1;
	assert_int_equal(rb_check(&root), 1);
	root.node->parent_red &= ~(uintptr_t)1;
	leaf = rb_last(&root);
	assert_true(leaf->parent_red & 1);
	rb_parent(leaf)->parent_red |= 1;
	assert_int_not_equal(rb_check(&root), 0); /* red below red, and a black node less */
	rb_parent(leaf)->parent_red &= ~(uintptr_t)1;
	leaf->parent_red &= ~(uintptr_t)1;
	assert_int_equal(rb_check(&root), 3);
	leaf->parent_red = (uintptr_t)root.node | 1;
	assert_int_equal(rb_check(&root), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_I06_1_example),
		cmocka_unit_test(test_augmented_values_stay_exact),
		cmocka_unit_test(test_I06_1_broken_trees),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
