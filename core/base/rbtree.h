/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intrusive red-black tree with augmentation.
 *
 * Terms: a node is embedded in its owner; the caller walks down, links with rb_link() and rebalances
 * with rb_insert(). An augmented tree keeps a value in each node that depends on its children:
 * `update` recomputes it and says whether it changed.
 *
 * Invariants (rb_check): the root is black, no red node has a red child, all paths to leaves have
 * the same number of black nodes, parents are right.
 * Linux: lib/rbtree.c; differs: one augmentation callback instead of three.
 */
#ifndef MEMRIG_RBTREE_H
#define MEMRIG_RBTREE_H

#include "core/base/types.h"

struct rb_node {
	struct rb_node *left, *right;
	uintptr_t parent_red; /* parent, bit 0: red */
};

struct rb_root {
	struct rb_node *node;
};

/* Recomputes @n's value from its children; true if it changed. NULL for a plain tree. */
typedef bool (*rb_update)(struct rb_node *n);

MM_INLINE struct rb_node *rb_parent(const struct rb_node *n)
{
	return (struct rb_node *)(n->parent_red & ~(uintptr_t)1);
}

/* Hangs @n as a red leaf at @link, a child pointer of @parent (or the root with parent NULL). */
MM_INLINE void rb_link(struct rb_node *n, struct rb_node *parent, struct rb_node **link)
{
	n->left = n->right = NULL;
	n->parent_red = (uintptr_t)parent | 1;
	*link = n;
}

/* Rebalances after rb_link(); brings the augmented values up to the root up to date. */
void rb_insert(struct rb_root *root, struct rb_node *n, rb_update update);
void rb_erase(struct rb_root *root, struct rb_node *n, rb_update update);

/* @to takes @from's place, colour and children; not for augmented trees. */
void rb_replace(struct rb_root *root, struct rb_node *from, struct rb_node *to);

/* Recomputes from @n upwards until a value does not change. */
void rb_propagate(struct rb_node *n, rb_update update);

struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *n);
struct rb_node *rb_prev(const struct rb_node *n);

/* 0, or the number of the broken rule: 1 red root, 2 red-red, 3 black height, 4 parent. O(n). */
int rb_check(const struct rb_root *root);

#endif
