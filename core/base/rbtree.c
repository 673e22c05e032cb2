/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The textbook algorithm (Cormen et al., ch. 13) without a sentinel: deletion tracks the parent of the
 * place where a black node is missing. Values are recomputed bottom-up in each rotation and once from
 * the deepest changed node to the root.
 */
#include "core/base/rbtree.h"

static bool is_red(const struct rb_node *n)
{
	return n && n->parent_red & 1;
}

static void set_red(struct rb_node *n, bool red)
{
	n->parent_red = (n->parent_red & ~(uintptr_t)1) | red;
}

static void set_parent(struct rb_node *n, struct rb_node *parent)
{
	n->parent_red = (uintptr_t)parent | (n->parent_red & 1);
}

/* Puts @new where @old hung below @parent. */
static void replace_child(struct rb_root *root, struct rb_node *parent, struct rb_node *old,
			  struct rb_node *new)
{
	if (!parent)
		root->node = new;
	else if (parent->left == old)
		parent->left = new;
	else
		parent->right = new;
}

/* Turns the edge between @x and its right (left) child; the child goes up. */
static void rotate(struct rb_root *root, struct rb_node *x, bool left, rb_update update)
{
	struct rb_node *y = left ? x->right : x->left, *middle = left ? y->left : y->right;
	struct rb_node *parent = rb_parent(x);

	if (left) {
		x->right = middle;
		y->left = x;
	} else {
		x->left = middle;
		y->right = x;
	}
	if (middle)
		set_parent(middle, x);
	set_parent(y, parent);
	set_parent(x, y);
	replace_child(root, parent, x, y);
	if (update) {
		update(x);
		update(y);
	}
}

void rb_propagate(struct rb_node *n, rb_update update)
{
	while (n && update(n))
		n = rb_parent(n);
}

void rb_insert(struct rb_root *root, struct rb_node *n, rb_update update)
{
	struct rb_node *parent, *grand, *uncle;

	if (update) {
		update(n);
		rb_propagate(rb_parent(n), update);
	}
	while ((parent = rb_parent(n)) && is_red(parent)) {
		bool left;

		grand = rb_parent(parent);
		left = parent == grand->left;
		uncle = left ? grand->right : grand->left;
		if (is_red(uncle)) {
			set_red(parent, false);
			set_red(uncle, false);
			set_red(grand, true);
			n = grand;
			continue;
		}
		if (n == (left ? parent->right : parent->left)) {
			rotate(root, parent, left, update);
			n = parent;
			parent = rb_parent(n);
		}
		set_red(parent, false);
		set_red(grand, true);
		rotate(root, grand, !left, update);
	}
	set_red(root->node, false);
}

/* A black node is missing above @n (maybe NULL), child of @parent. */
static void erase_fixup(struct rb_root *root, struct rb_node *n, struct rb_node *parent, rb_update update)
{
	while (parent && !is_red(n)) {
		bool left = parent->left == n;
		struct rb_node *sibling = left ? parent->right : parent->left, *near, *far;

		if (is_red(sibling)) {
			set_red(sibling, false);
			set_red(parent, true);
			rotate(root, parent, left, update);
			sibling = left ? parent->right : parent->left;
		}
		near = left ? sibling->left : sibling->right;
		far = left ? sibling->right : sibling->left;
		if (!is_red(near) && !is_red(far)) {
			set_red(sibling, true);
			n = parent;
			parent = rb_parent(n);
			continue;
		}
		if (!is_red(far)) {
			set_red(near, false);
			set_red(sibling, true);
			rotate(root, sibling, !left, update);
			sibling = left ? parent->right : parent->left;
			far = left ? sibling->right : sibling->left;
		}
		set_red(sibling, is_red(parent));
		set_red(parent, false);
		set_red(far, false);
		rotate(root, parent, left, update);
		break;
	}
	if (n)
		set_red(n, false);
}

void rb_replace(struct rb_root *root, struct rb_node *from, struct rb_node *to)
{
	*to = *from;
	replace_child(root, rb_parent(from), from, to);
	if (to->left)
		set_parent(to->left, to);
	if (to->right)
		set_parent(to->right, to);
}

void rb_erase(struct rb_root *root, struct rb_node *n, rb_update update)
{
	struct rb_node *gone = n, *child, *parent;
	bool black;

	if (n->left && n->right) { /* the successor takes n's place */
		gone = n->right;
		while (gone->left)
			gone = gone->left;
	}
	child = gone->left ? gone->left : gone->right;
	parent = rb_parent(gone);
	black = !is_red(gone);
	replace_child(root, parent, gone, child);
	if (child)
		set_parent(child, parent);
	if (gone != n) {
		if (parent == n)
			parent = gone;
		*gone = *n;
		replace_child(root, rb_parent(n), n, gone);
		if (gone->left)
			set_parent(gone->left, gone);
		if (gone->right)
			set_parent(gone->right, gone);
	}
	if (update) {
		rb_propagate(parent, update);
		if (gone != n) { /* it has a new place, whose value must not depend on where that stopped */
			update(gone);
			rb_propagate(rb_parent(gone), update);
		}
	}
	if (black)
		erase_fixup(root, child, parent, update);
}

struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *n = root->node;

	while (n && n->left)
		n = n->left;
	return n;
}

struct rb_node *rb_last(const struct rb_root *root)
{
	struct rb_node *n = root->node;

	while (n && n->right)
		n = n->right;
	return n;
}

struct rb_node *rb_next(const struct rb_node *n)
{
	struct rb_node *p;

	if (n->right) {
		n = n->right;
		while (n->left)
			n = n->left;
		return (struct rb_node *)n;
	}
	while ((p = rb_parent(n)) && n == p->right)
		n = p;
	return p;
}

struct rb_node *rb_prev(const struct rb_node *n)
{
	struct rb_node *p;

	if (n->left) {
		n = n->left;
		while (n->right)
			n = n->right;
		return (struct rb_node *)n;
	}
	while ((p = rb_parent(n)) && n == p->left)
		n = p;
	return p;
}

/* Black height of the subtree, or a negative rule number. */
static int check_subtree(const struct rb_node *n)
{
	int l, r;

	if (!n)
		return 1;
	if (is_red(n) && (is_red(n->left) || is_red(n->right)))
		return -2;
	if ((n->left && rb_parent(n->left) != n) || (n->right && rb_parent(n->right) != n))
		return -4;
	l = check_subtree(n->left);
	r = check_subtree(n->right);
	if (l < 0 || r < 0)
		return l < 0 ? l : r;
	return l == r ? l + !is_red(n) : -3;
}

int rb_check(const struct rb_root *root)
{
	int r;

	if (is_red(root->node))
		return 1;
	if (root->node && rb_parent(root->node))
		return 4;
	r = check_subtree(root->node);
	return r < 0 ? -r : 0;
}
