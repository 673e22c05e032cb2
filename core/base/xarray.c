/* SPDX-License-Identifier: BSD-2-Clause */
/*
 *   root (shift 12) --slot--> inner (shift 6) --slot--> leaf (shift 0) --slot--> entry
 *                                                         ^
 *   dir[index / 64] --------------------------------------+
 */
#include "core/base/xarray.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bits.h"
#include "core/base/bug.h"

#define DIR_MAX                                                                                    \
	(1ull << 22)  /* leaves with a directory entry: 1 TiB of 4 KiB pages, 32 MiB of host       \
			 addresses */
#define TOP_SHIFT 60u /* of a root that covers all of 64 bits */

void xa_init(struct xarray *xa, const struct xa_ops *ops, void *self, struct xa_list *value_only)
{
	*xa = (struct xarray){.ops = ops, .self = self, .value_only = value_only};
}

static struct xa_node *child(const struct xa_node *n, unsigned slot)
{
	return (struct xa_node *)(uintptr_t)n->slots[slot];
}

static unsigned slot_of(const struct xa_node *n, u64 index)
{
	return (unsigned)(index >> n->shift) % XA_SLOTS;
}

/* Does the subtree of a root with @shift have a place for @index? */
static bool covers(unsigned shift, u64 index)
{
	return shift >= TOP_SHIFT || !(index >> (shift + XA_SHIFT));
}

/* ---- value-only leaves ---- */

void xa_list_leaf(struct xarray *xa, struct xa_node *n)
{
	bool want = n->count && n->count == n->nr_values, listed = !list_empty(&n->value_only);

	if (!xa->value_only || want == listed)
		return;
	if (want) {
		list_add_tail(&n->value_only, &xa->value_only->head);
		xa->value_only->nr++;
	} else {
		list_del(&n->value_only);
		xa->value_only->nr--;
	}
}

/* ---- nodes ---- */

static struct xa_node *node_new(struct xarray *xa)
{
	struct xa_node *n = xa->ops->alloc(xa->self);

	if (!n)
		return NULL;
	n->tree = xa;
	list_init(&n->value_only);
	return n;
}

static void node_free(struct xarray *xa, struct xa_node *n)
{
	if (!list_empty(&n->value_only)) {
		list_del(&n->value_only);
		xa->value_only->nr--;
	}
	if (!n->shift && n->leaf < xa->nr_dir)
		xa->dir[n->leaf] = NULL;
	xa->ops->free(xa->self, n);
}

static void free_subtree(struct xarray *xa, struct xa_node *n)
{
	for (unsigned i = 0; n->shift && i < XA_SLOTS; i++)
		if (n->slots[i])
			free_subtree(xa, child(n, i));
	node_free(xa, n);
}

void xa_destroy(struct xarray *xa)
{
	if (xa->root)
		free_subtree(xa, xa->root);
	free(xa->dir);
	xa->root = NULL;
	xa->dir = NULL;
	xa->nr_dir = 0;
}

static void attach(struct xa_node *parent, unsigned slot, struct xa_node *n)
{
	parent->slots[slot] = (u64)(uintptr_t)n;
	parent->count++;
	n->parent = parent;
	n->offset = (u8)slot;
	for (unsigned t = 0; t < XA_NR_TAGS; t++)
		if (n->tags[t])
			parent->tags[t] |= BIT(slot);
}

/* Removes empty nodes from @n upwards. */
static void trim(struct xarray *xa, struct xa_node *n)
{
	while (n && !n->count) {
		struct xa_node *parent = n->parent;

		if (parent) {
			parent->slots[n->offset] = 0;
			parent->count--;
		} else {
			xa->root = NULL;
		}
		node_free(xa, n);
		n = parent;
	}
	/* a root whose only child is its first needs no level of its own */
	while ((n = xa->root) && n->shift && n->count == 1 && n->slots[0]) {
		xa->root = child(n, 0);
		xa->root->parent = NULL;
		xa->root->offset = 0;
		node_free(xa, n);
	}
}

static void enter_all(struct xarray *xa, struct xa_node *n)
{
	if (!n->shift && n->leaf < xa->nr_dir)
		xa->dir[n->leaf] = n;
	for (unsigned i = 0; n->shift && i < XA_SLOTS; i++)
		if (n->slots[i])
			enter_all(xa, child(n, i));
}

/* Enters a leaf into the directory, which grows to hold it; without host memory it does not. */
static void dir_enter(struct xarray *xa, struct xa_node *leaf)
{
	u64 cap = xa->nr_dir ? xa->nr_dir : 1;
	struct xa_node **dir;

	if (leaf->leaf >= DIR_MAX)
		return;
	while (cap <= leaf->leaf)
		cap *= 2;
	if (cap > xa->nr_dir) {
		dir = calloc(cap, sizeof(struct xa_node *));
		if (!dir)
			return;
		if (xa->dir)
			memcpy(dir, xa->dir, xa->nr_dir * sizeof(struct xa_node *));
		free(xa->dir);
		xa->dir = dir;
		xa->nr_dir = cap;
		enter_all(xa, xa->root); /* some may have come when it could not grow */
		return;
	}
	xa->dir[leaf->leaf] = leaf;
}

struct xa_node *xa_find_leaf(const struct xarray *xa, u64 index)
{
	struct xa_node *n = xa->root;

	if (!n || !covers(n->shift, index))
		return NULL;
	while (n && n->shift)
		n = child(n, slot_of(n, index));
	return n;
}

/* Nodes made before the tree is touched: making one may reclaim, which may empty other places of it. */
struct spare {
	unsigned nr;
	struct xa_node *nodes[2 * (TOP_SHIFT / XA_SHIFT + 1)];
};

/* Levels of a tree that is to hold @index above one whose root has @shift. */
static unsigned levels_above(unsigned shift, u64 index)
{
	unsigned levels = 0;

	for (; !covers(shift, index); shift += XA_SHIFT)
		levels++;
	return levels;
}

/* Nodes that the path to @index lacks. */
static unsigned missing_nodes(const struct xarray *xa, u64 index)
{
	const struct xa_node *n = xa->root, *c;
	unsigned above;

	if (!n)
		return 1 + levels_above(0, index);
	above = levels_above(n->shift, index);
	if (above) /* a branch of its own from the new root down */
		return above + n->shift / XA_SHIFT + above;
	for (; n->shift; n = c) {
		c = child(n, slot_of(n, index));
		if (!c)
			return n->shift / XA_SHIFT;
	}
	return 0;
}

static struct xa_node *take(struct spare *s, unsigned shift)
{
	struct xa_node *n = s->nodes[--s->nr];

	n->shift = (u8)shift;
	return n;
}

/* The leaf for @index, with nodes of @s where there are none. */
static struct xa_node *make_path(struct xarray *xa, u64 index, struct spare *s)
{
	struct xa_node *n;

	if (!xa->root)
		xa->root = take(s, levels_above(0, index) * XA_SHIFT);
	while (!covers(xa->root->shift, index)) {
		n = take(s, xa->root->shift + XA_SHIFT);
		attach(n, 0, xa->root);
		xa->root = n;
	}
	for (n = xa->root; n->shift; n = child(n, slot_of(n, index)))
		if (!child(n, slot_of(n, index)))
			attach(n, slot_of(n, index), take(s, n->shift - XA_SHIFT));
	return n;
}

int xa_reserve(struct xarray *xa, u64 index, struct xa_pos *pos)
{
	struct spare s = {.nr = 0};
	int r = 0;

	*pos = (struct xa_pos){xa_leaf(xa, index), (unsigned)index % XA_SLOTS};
	if (MM_LIKELY(pos->node != NULL))
		return 0;
	while (!r && s.nr < missing_nodes(xa, index)) {
		s.nodes[s.nr] = node_new(xa);
		if (s.nodes[s.nr])
			s.nr++;
		else
			r = -ENOMEM;
	}
	if (!r) {
		pos->node = make_path(xa, index, &s);
		pos->node->leaf = index >> XA_SHIFT;
		dir_enter(xa, pos->node);
	}
	while (s.nr)
		xa->ops->free(xa->self, s.nodes[--s.nr]);
	return r;
}

void xa_trim(struct xarray *xa, const struct xa_pos *pos)
{
	trim(xa, pos->node);
}

/* ---- entries ---- */

static void tag_clear(struct xa_node *n, unsigned slot, enum xa_tag tag)
{
	for (; n && n->tags[tag] & BIT(slot); slot = n->offset, n = n->parent) {
		n->tags[tag] &= ~BIT(slot);
		if (n->tags[tag])
			return;
	}
}

void xa_set(struct xarray *xa, const struct xa_pos *pos, u64 entry)
{
	struct xa_node *n = pos->node;
	u64 old = n->slots[pos->slot];

	n->slots[pos->slot] = entry;
	n->count = (u8)(n->count + !!entry - !!old);
	n->nr_values = (u8)(n->nr_values + xa_is_value(entry) - xa_is_value(old));
	if (!entry)
		for (unsigned t = 0; t < XA_NR_TAGS; t++)
			tag_clear(n, pos->slot, (enum xa_tag)t);
	if (MM_UNLIKELY(!n->count))
		trim(xa, n);
	else if (MM_UNLIKELY(n->nr_values || xa_is_value(old)))
		xa_list_leaf(xa, n);
}

int xa_store(struct xarray *xa, u64 index, u64 entry)
{
	struct xa_pos pos;

	VM_BUG_ON(!entry);
	if (xa_reserve(xa, index, &pos))
		return -ENOMEM;
	xa_set(xa, &pos, entry);
	return 0;
}

u64 xa_erase(struct xarray *xa, u64 index)
{
	struct xa_pos pos;
	u64 old;

	if (!xa_find(xa, index, &pos))
		return 0;
	old = xa_entry(&pos);
	if (old)
		xa_set(xa, &pos, 0);
	return old;
}

/* ---- tags ---- */

void xa_tag_set(struct xarray *xa, u64 index, enum xa_tag tag)
{
	struct xa_node *n = xa_leaf(xa, index);
	unsigned slot = (unsigned)index % XA_SLOTS;

	BUG_ON(!n || !n->slots[slot]);
	for (; n && !(n->tags[tag] & BIT(slot)); slot = n->offset, n = n->parent)
		n->tags[tag] |= BIT(slot);
}

void xa_tag_clear(struct xarray *xa, u64 index, enum xa_tag tag)
{
	tag_clear(xa_leaf(xa, index), (unsigned)index % XA_SLOTS, tag);
}

bool xa_tagged(const struct xarray *xa, u64 index, enum xa_tag tag)
{
	const struct xa_node *n = xa_leaf(xa, index);

	return n && n->tags[tag] >> index % XA_SLOTS & 1;
}

/* ---- walks ---- */

/* Slots of @n at or after @from that have @tag; with tag < 0 the first used one. */
static u64 candidates(const struct xa_node *n, int tag, unsigned from)
{
	if (tag >= 0)
		return n->tags[tag] & ~(BIT(from) - 1);
	for (unsigned i = from; i < XA_SLOTS; i++)
		if (n->slots[i])
			return BIT(i); /* the first is enough */
	return 0;
}

/*
 * From @index down to the first candidate: an exhausted subtree sends the walk to the next slot of
 * its parent, with all lower bits of the index zero.
 */
static u64 walk(const struct xarray *xa, u64 *index, u64 last, int tag)
{
	const struct xa_node *n = xa->root;
	u64 i = *index, set;

	if (!n || !covers(n->shift, i))
		return 0;
	while (i <= last) {
		set = candidates(n, tag, slot_of(n, i));
		if (!set) {
			u64 step = 1ull << n->shift << XA_SHIFT;

			i = (i & ~(step - 1)) + step;
			do
				n = n->parent;
			while (n && !slot_of(n, i)); /* carried beyond this one too */
			if (!n)
				return 0;
			continue;
		}
		if (!(set >> slot_of(n, i) & 1)) {
			i &= ~((1ull << n->shift << XA_SHIFT) - 1);
			i |= (u64)mm_ffs0(set) << n->shift;
			continue;
		}
		if (!n->shift) {
			*index = i;
			return n->slots[i % XA_SLOTS];
		}
		n = child(n, slot_of(n, i));
	}
	return 0;
}

u64 xa_next(const struct xarray *xa, u64 *index, u64 last)
{
	return walk(xa, index, last, -1);
}

u64 xa_next_tagged(const struct xarray *xa, u64 *index, u64 last, enum xa_tag tag)
{
	return walk(xa, index, last, (int)tag);
}

/* ---- invariants ---- */

static int check_node(const struct xarray *xa, const struct xa_node *n, u64 first)
{
	unsigned used = 0, values = 0;
	u64 tags[XA_NR_TAGS] = {0};

	if (n->tree != xa || (n->parent && child(n->parent, n->offset) != n))
		return 1;
	for (unsigned i = 0; i < XA_SLOTS; i++) {
		u64 index = first + ((u64)i << n->shift);
		int r = n->shift && n->slots[i] ? check_node(xa, child(n, i), index) : 0;

		if (r)
			return r;
		used += !!n->slots[i];
		values += !n->shift && xa_is_value(n->slots[i]);
		for (unsigned t = 0; n->shift && n->slots[i] && t < XA_NR_TAGS; t++)
			tags[t] |= child(n, i)->tags[t] ? BIT(i) : 0;
	}
	if (!used || used != n->count || values != n->nr_values)
		return 2;
	for (unsigned t = 0; t < XA_NR_TAGS; t++)
		for (unsigned i = 0; i < XA_SLOTS; i++)
			if (n->tags[t] >> i & 1 && !n->slots[i])
				return 3;
	if (n->shift)
		return memcmp(tags, n->tags, sizeof(tags)) ? 3 : 0;
	if (n->leaf != first >> XA_SHIFT || (n->leaf < xa->nr_dir && xa->dir[n->leaf] != n))
		return 4;
	return xa->value_only && list_empty(&n->value_only) == (used == values) ? 5 : 0;
}

int xa_check(const struct xarray *xa)
{
	u64 leaves = 0, index = 0;

	for (u64 i = 0; i < xa->nr_dir; i++)
		leaves += xa->dir[i] != NULL;
	while (leaves && xa_next(xa, &index, UINT64_MAX)) {
		leaves -= index >> XA_SHIFT < xa->nr_dir;
		index = (index | (XA_SLOTS - 1)) + 1;
	}
	if (leaves)
		return 4;
	return xa->root ? check_node(xa, xa->root, 0) : 0;
}

static u64 nodes_below(const struct xa_node *n)
{
	u64 sum = 1;

	for (unsigned i = 0; n->shift && i < XA_SLOTS; i++)
		if (n->slots[i])
			sum += nodes_below(child(n, i));
	return sum;
}

u64 xa_nr_nodes(const struct xarray *xa)
{
	return xa->root ? nodes_below(xa->root) : 0;
}
