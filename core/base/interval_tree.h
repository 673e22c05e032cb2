/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interval trees over the red-black tree: closed intervals, sorted by where they start; each node
 * knows the largest end of its subtree, so that a query skips what ends too early. Cost of a query:
 * O(log n + answers).
 *
 * INTERVAL_TREE(prefix, type, rb, sub, START, LAST) makes the functions for nodes embedded in
 * `type`: rb, the rb_node; sub, a u64 for the subtree's largest end; START(n) and LAST(n),
 * expressions for the ends, which must not change while the node is in a tree.
 *
 * Order: by start; of equal starts the one inserted first comes first.
 * Invariant (prefix_check): red-black rules, order, every sub exact.
 * Linux: include/linux/interval_tree_generic.h.
 */
#ifndef MEMRIG_INTERVAL_TREE_H
#define MEMRIG_INTERVAL_TREE_H

#include "core/base/rbtree.h"

#define INTERVAL_TREE(prefix, type, rb, sub, START, LAST)                                          \
	static inline type *prefix##_entry(const struct rb_node *n)                                \
	{                                                                                          \
		return n ? container_of(n, type, rb) : NULL;                                       \
	}                                                                                          \
	static inline u64 prefix##_max(const type *n)                                              \
	{                                                                                          \
		u64 max = LAST(n);                                                                 \
		if (n->rb.left && prefix##_entry(n->rb.left)->sub > max)                           \
			max = prefix##_entry(n->rb.left)->sub;                                     \
		if (n->rb.right && prefix##_entry(n->rb.right)->sub > max)                         \
			max = prefix##_entry(n->rb.right)->sub;                                    \
		return max;                                                                        \
	}                                                                                          \
	static inline bool prefix##_update(struct rb_node *node)                                   \
	{                                                                                          \
		type *n = prefix##_entry(node);                                                    \
		u64 old = n->sub;                                                                  \
		n->sub = prefix##_max(n);                                                          \
		return n->sub != old;                                                              \
	}                                                                                          \
	static inline void prefix##_insert(struct rb_root *root, type *n)                          \
	{                                                                                          \
		struct rb_node **link = &root->node, *parent = NULL;                               \
		while (*link) {                                                                    \
			parent = *link;                                                            \
			link = START(n) < START(prefix##_entry(parent)) ? &parent->left            \
									: &parent->right;          \
		}                                                                                  \
		rb_link(&n->rb, parent, link);                                                     \
		rb_insert(root, &n->rb, prefix##_update);                                          \
	}                                                                                          \
	/* Directly behind @prev, which starts at the same point. */                               \
	static inline void prefix##_insert_after(struct rb_root *root, type *n, type *prev)        \
	{                                                                                          \
		struct rb_node *parent = &prev->rb, **link = &prev->rb.right;                      \
		while (*link) {                                                                    \
			parent = *link;                                                            \
			link = &parent->left;                                                      \
		}                                                                                  \
		rb_link(&n->rb, parent, link);                                                     \
		rb_insert(root, &n->rb, prefix##_update);                                          \
	}                                                                                          \
	static inline void prefix##_remove(struct rb_root *root, type *n)                          \
	{                                                                                          \
		rb_erase(root, &n->rb, prefix##_update);                                           \
	}                                                                                          \
	/* First of the subtree at @n, whose sub reaches @first, that meets [first, last]. */      \
	static inline type *prefix##_leftmost(type *n, u64 first, u64 last)                        \
	{                                                                                          \
		while (n) {                                                                        \
			type *left = prefix##_entry(n->rb.left);                                   \
			if (left && left->sub >= first) {                                          \
				n = left;                                                          \
				continue;                                                          \
			}                                                                          \
			if (START(n) > last)                                                       \
				return NULL;                                                       \
			if (LAST(n) >= first)                                                      \
				return n;                                                          \
			n = prefix##_entry(n->rb.right);                                           \
			if (n && n->sub < first)                                                   \
				return NULL;                                                       \
		}                                                                                  \
		return NULL;                                                                       \
	}                                                                                          \
	static inline type *prefix##_first(const struct rb_root *root, u64 first, u64 last)        \
	{                                                                                          \
		type *n = prefix##_entry(root->node);                                              \
		return n && n->sub >= first ? prefix##_leftmost(n, first, last) : NULL;            \
	}                                                                                          \
	static inline type *prefix##_next(type *n, u64 first, u64 last)                            \
	{                                                                                          \
		for (;;) {                                                                         \
			type *right = prefix##_entry(n->rb.right);                                 \
			struct rb_node *from;                                                      \
			if (right && right->sub >= first)                                          \
				return prefix##_leftmost(right, first, last);                      \
			do { /* up until we come from the left */                                  \
				from = &n->rb;                                                     \
				n = prefix##_entry(rb_parent(from));                               \
				if (!n)                                                            \
					return NULL;                                               \
			} while (n->rb.right == from);                                             \
			if (START(n) > last)                                                       \
				return NULL;                                                       \
			if (LAST(n) >= first)                                                      \
				return n;                                                          \
		}                                                                                  \
	}                                                                                          \
	static inline bool prefix##_check(const struct rb_root *root)                              \
	{                                                                                          \
		u64 start = 0;                                                                     \
		if (rb_check(root))                                                                \
			return false;                                                              \
		for (struct rb_node *r = rb_first(root); r; r = rb_next(r)) {                      \
			const type *n = prefix##_entry(r);                                         \
			if (n->sub != prefix##_max(n) || START(n) < start)                         \
				return false;                                                      \
			start = START(n);                                                          \
		}                                                                                  \
		return true;                                                                       \
	}

#endif
