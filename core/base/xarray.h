/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Radix tree of 64-bit entries by 64-bit index, with two tags an entry.
 *
 * Terms
 *   entry   0: empty; a frame number (xa_frame_entry); or a value, bit 63 set: what stands in the
 *           place of a frame (a shadow, a swap slot, a host pointer shifted right by one).
 *   node    64 slots; a leaf's hold entries, an inner one's child pointers. Empty nodes are freed.
 *   tag     a bit an entry; an inner node's bit says that some entry below has it.
 *   leaf directory   leaf by index / 64, so that a lookup costs two loads. A shortcut, not the
 * truth: indices beyond it go through the tree. value-only leaf  holds values and no frame: on the
 * list `value_only`, oldest first, if there is one.
 *
 * Nodes come from the owner's allocator (xa_ops), the directory from the host's. Every function
 * that may allocate does so before it changes anything: the allocator may empty other places of the same tree
 * (reclaim), and when there is no node nothing has happened. Invariants (xa_check): counts, tags and
 * directory agree with the slots; no empty node. Linux: lib/radix-tree.c; left out: an entry in the
 * root (index 0 alone takes a node here), RCU, preloading.
 */
#ifndef MEMRIG_XARRAY_H
#define MEMRIG_XARRAY_H

#include "core/base/list.h"
#include "core/base/types.h"

#define XA_SHIFT 6u
#define XA_SLOTS 64u
#define XA_VALUE BIT(63)

enum xa_tag { XA_DIRTY, XA_WRITEBACK, XA_NR_TAGS };

struct xarray;

struct xa_node {
	u64 slots[XA_SLOTS];
	u64 tags[XA_NR_TAGS];
	struct xa_node *parent;
	struct xarray *tree;
	u64 leaf;     /* a leaf's index / 64 */
	u8 shift;     /* bits of the index below this node's; 0: leaf */
	u8 offset;    /* its slot in the parent */
	u8 count;     /* used slots */
	u8 nr_values; /* of them, values */
	struct list_head value_only;
};

struct xa_ops {
	void *(*alloc)(void *self); /* sizeof(struct xa_node) zeroed bytes, or NULL */
	void (*free)(void *self, void *node);
};

struct xa_list { /* value-only leaves of any number of trees */
	struct list_head head;
	u64 nr;
};

struct xarray {
	struct xa_node **dir; /* [nr_dir] */
	u64 nr_dir;
	struct xa_node *root; /* NULL: empty */
	const struct xa_ops *ops;
	void *self;
	struct xa_list *value_only; /* or NULL */
};

/* Place of an entry; valid until the next change of the tree's nodes. */
struct xa_pos {
	struct xa_node *node;
	unsigned slot;
};

void xa_init(struct xarray *xa, const struct xa_ops *ops, void *self, struct xa_list *value_only);
/* Frees all nodes; entries are forgotten. */
void xa_destroy(struct xarray *xa);

MM_INLINE u64 xa_frame_entry(u32 frame)
{
	return (u64)frame + 1;
}

MM_INLINE bool xa_is_frame(u64 entry)
{
	return entry - 1 <= UINT32_MAX;
}

MM_INLINE u32 xa_frame(u64 entry)
{
	return (u32)(entry - 1);
}

MM_INLINE bool xa_is_value(u64 entry)
{
	return entry >> 63;
}

struct xa_node *xa_find_leaf(const struct xarray *xa, u64 index);

/* The leaf that holds @index, or NULL. */
MM_INLINE struct xa_node *xa_leaf(const struct xarray *xa, u64 index)
{
	u64 leaf = index >> XA_SHIFT;

	return MM_LIKELY(leaf < xa->nr_dir) ? xa->dir[leaf] : xa_find_leaf(xa, index);
}

/* Brings what xa_leaf() reads first into the host's cache. */
MM_INLINE void xa_prefetch_leaf(const struct xarray *xa, u64 index)
{
	if (MM_LIKELY(index >> XA_SHIFT < xa->nr_dir))
		__builtin_prefetch(&xa->dir[index >> XA_SHIFT]);
}

/* The entry at @index; 0: empty. */
MM_INLINE u64 xa_load(const struct xarray *xa, u64 index)
{
	const struct xa_node *n = xa_leaf(xa, index);

	return MM_LIKELY(n != NULL) ? n->slots[index % XA_SLOTS] : 0;
}

/* Has the node path for @index made: 0 with @pos, or -ENOMEM. An empty place must be filled or
 * trimmed. */
int xa_reserve(struct xarray *xa, u64 index, struct xa_pos *pos);
/* The place of @index if its leaf exists. */
MM_INLINE bool xa_find(const struct xarray *xa, u64 index, struct xa_pos *pos)
{
	*pos = (struct xa_pos){xa_leaf(xa, index), (unsigned)index % XA_SLOTS};
	return pos->node;
}
void xa_trim(struct xarray *xa, const struct xa_pos *pos);

MM_INLINE u64 xa_entry(const struct xa_pos *pos)
{
	return pos->node->slots[pos->slot];
}

/* Replaces the entry at @pos. An empty @entry drops its tags and the nodes that become empty. */
void xa_set(struct xarray *xa, const struct xa_pos *pos, u64 entry);

void xa_list_leaf(struct xarray *xa, struct xa_node *leaf); /* on or off the list of value-only leaves */

/* xa_set() of a value where a frame is. */
MM_INLINE void xa_frame_to_value(struct xarray *xa, const struct xa_pos *pos, u64 value)
{
	struct xa_node *n = pos->node;

	n->slots[pos->slot] = value;
	if (MM_UNLIKELY(++n->nr_values == n->count))
		xa_list_leaf(xa, n);
}

/* Stores @entry, which is not empty. 0 or -ENOMEM; the old entry is lost. */
int xa_store(struct xarray *xa, u64 index, u64 entry);
/* Empties @index; what was there. */
u64 xa_erase(struct xarray *xa, u64 index);

/* Tags of an entry that exists; xa_tagged() is false for those that do not. */
void xa_tag_set(struct xarray *xa, u64 index, enum xa_tag tag);
void xa_tag_clear(struct xarray *xa, u64 index, enum xa_tag tag);
bool xa_tagged(const struct xarray *xa, u64 index, enum xa_tag tag);
MM_INLINE bool xa_any_tagged(const struct xarray *xa, enum xa_tag tag)
{
	return xa->root && xa->root->tags[tag];
}

/* First entry at or after *@index and not beyond @last, whose index it stores; 0: none. */
u64 xa_next(const struct xarray *xa, u64 *index, u64 last);
/* The same of entries with @tag. */
u64 xa_next_tagged(const struct xarray *xa, u64 *index, u64 last, enum xa_tag tag);

/* 0, or the number of the broken rule: 1 links, 2 counts, 3 tags, 4 directory, 5 list. O(nodes). */
int xa_check(const struct xarray *xa);
/* Nodes of the tree, inner ones included. */
u64 xa_nr_nodes(const struct xarray *xa);

#endif
