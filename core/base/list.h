/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Circular doubly linked list of host pointers, intrusive, for objects other than pages (pages are
 * linked by frame numbers: core/phys/page_list.h).
 *
 * Terms: head (a node that is no element), "add" inserts behind the head, "add_tail" before it.
 * hlist: a list with a head of one pointer, for many mostly short lists.
 * Ownership: whoever embeds the node. Linux: include/linux/list.h; left out: RCU.
 */
#ifndef MEMRIG_BASE_LIST_H
#define MEMRIG_BASE_LIST_H

#include "core/base/types.h"

struct list_head {
	struct list_head *next, *prev;
};

static inline void list_init(struct list_head *h)
{
	h->next = h->prev = h;
}

static inline bool list_empty(const struct list_head *h)
{
	return h->next == h;
}

static inline void list_insert(struct list_head *node, struct list_head *prev, struct list_head *next)
{
	next->prev = node;
	node->next = next;
	node->prev = prev;
	prev->next = node;
}

static inline void list_add(struct list_head *node, struct list_head *head)
{
	list_insert(node, head, head->next);
}

static inline void list_add_tail(struct list_head *node, struct list_head *head)
{
	list_insert(node, head->prev, head);
}

/* Removes @node and leaves it self-linked, so that a second list_del() is harmless. */
static inline void list_del(struct list_head *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

static inline void list_move(struct list_head *node, struct list_head *head)
{
	list_del(node);
	list_add(node, head);
}

static inline void list_move_tail(struct list_head *node, struct list_head *head)
{
	list_del(node);
	list_add_tail(node, head);
}

#define list_entry(ptr, type, member)       container_of(ptr, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_last_entry(head, type, member)  list_entry((head)->prev, type, member)
#define list_for_each_entry(pos, head, member)                                                     \
	for (pos = list_entry((head)->next, __typeof__(*pos), member); &pos->member != (head);      \
	     pos = list_entry(pos->member.next, __typeof__(*pos), member))
#define list_for_each_entry_safe(pos, tmp, head, member)                                           \
	for (pos = list_entry((head)->next, __typeof__(*pos), member),                              \
	    tmp = list_entry(pos->member.next, __typeof__(*pos), member);                           \
	     &pos->member != (head);                                                                \
	     pos = tmp, tmp = list_entry(tmp->member.next, __typeof__(*tmp), member))

/* Node of a list whose head is one pointer: points to the next node and to the pointer to itself. */
struct hlist_node {
	struct hlist_node *next, **pprev;
};
struct hlist_head {
	struct hlist_node *first;
};

static inline void hlist_add_head(struct hlist_node *n, struct hlist_head *h)
{
	n->next = h->first;
	if (n->next)
		n->next->pprev = &n->next;
	h->first = n;
	n->pprev = &h->first;
}

static inline void hlist_del(struct hlist_node *n)
{
	*n->pprev = n->next;
	if (n->next)
		n->next->pprev = n->pprev;
}

#define hlist_entry(ptr, type, member) container_of(ptr, type, member)
#define hlist_for_each_entry(pos, head, member)                                                    \
	for (struct hlist_node *n_ = (head)->first;                                                \
	     n_ && (pos = hlist_entry(n_, __typeof__(*pos), member)); n_ = n_->next)
#define hlist_for_each_entry_safe(pos, head, member)                                               \
	for (struct hlist_node *n_ = (head)->first, *next_;                                        \
	     n_ && (next_ = n_->next, pos = hlist_entry(n_, __typeof__(*pos), member)); n_ = next_)

#endif
