/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The red-black index (vma=rbtree): the VMAs themselves are the nodes, in order of their addresses,
 * and rb_subtree_gap is the largest gap below a VMA of the subtree (spec 06 s1). Linux: mm/mmap.c.
 *
 * An address search walks the tree in order, from the right (topdown) or the left (bottomup), and
 * leaves out every subtree whose largest gap is too small:
 *
 *            E (3)            pages of the largest gap; 4 wanted, topdown:
 *          /       \          E has a right child with 3: not there; E's own gap: no; its left
 *      B (9)       G (3)      child has 9: down; C has 2: no; B's own gap: yes.
 *     /     \
 *   A (1)   C (2)
 */
#include <errno.h>

#include "core/vm/vma_index.h"

static struct vm_area_struct *vma_of(const struct rb_node *n)
{
	return n ? container_of(n, struct vm_area_struct, vm_rb) : NULL;
}

static u64 subtree_gap_of(const struct rb_node *n)
{
	return n ? vma_of(n)->rb_subtree_gap : 0;
}

static u64 subtree_gap(const struct vm_area_struct *v)
{
	u64 gap = vma_gap(v), left = subtree_gap_of(v->vm_rb.left), right = subtree_gap_of(v->vm_rb.right);

	gap = left > gap ? left : gap;
	return right > gap ? right : gap;
}

static bool update_gap(struct rb_node *n)
{
	struct vm_area_struct *v = vma_of(n);
	u64 gap = subtree_gap(v), old = v->rb_subtree_gap;

	v->rb_subtree_gap = gap;
	return gap != old;
}

static void gap_changed(struct vm_area_struct *v)
{
	if (v)
		rb_propagate(&v->vm_rb, update_gap);
}

/* ---- look-up and change ---- */

struct vm_area_struct *vma_rb_find(const struct mm_struct *mm, vaddr_t addr)
{
	struct rb_node *n = mm->mm_rb.node;
	struct vm_area_struct *best = NULL;

	while (n) {
		struct vm_area_struct *v = vma_of(n);

		if (v->vm_end > addr) {
			best = v;
			if (v->vm_start <= addr)
				break;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

int vma_rb_place(const struct mm_struct *mm, vaddr_t addr, vaddr_t end, struct vma_link *l)
{
	struct rb_node *const *link = &mm->mm_rb.node;
	struct rb_node *parent = NULL, *prev = NULL;

	while (*link) {
		struct vm_area_struct *v = vma_of(*link);

		parent = *link;
		if (v->vm_end > addr) {
			if (v->vm_start < end)
				return -ENOMEM;
			link = &parent->left;
		} else {
			prev = parent;
			link = &parent->right;
		}
	}
	l->prev = vma_of(prev);
	l->parent = parent;
	l->link = (struct rb_node **)(uintptr_t)link;
	return 0;
}

void vma_rb_insert(struct mm_struct *mm, struct vm_area_struct *v, const struct vma_link *l)
{
	vma_list_add(mm, v, l->prev);
	gap_changed(v->vm_next); /* before the tree turns: rotations expect exact values */
	v->rb_subtree_gap = 0;
	rb_link(&v->vm_rb, l->parent, l->link);
	rb_insert(&mm->mm_rb, &v->vm_rb, update_gap);
}

void vma_rb_erase(struct mm_struct *mm, struct vm_area_struct *v)
{
	rb_erase(&mm->mm_rb, &v->vm_rb, update_gap); /* with @v in the list: as before, values are exact */
	vma_list_del(mm, v);
	gap_changed(v->vm_next);
}

void vma_rb_moved(struct vm_area_struct *v)
{
	gap_changed(v);
	gap_changed(v->vm_next);
}

/* ---- free addresses ---- */

/* What of @v's gap lies in [low, high), if it is @len bytes or more. */
static bool usable(const struct vm_area_struct *v, u64 len, vaddr_t low, vaddr_t high, vaddr_t *start, vaddr_t *end)
{
	*start = v->vm_prev && v->vm_prev->vm_end > low ? v->vm_prev->vm_end : low;
	*end = vma_start_gap(v) < high ? vma_start_gap(v) : high;
	return *end >= *start && *end - *start >= len;
}

/* The nearest ancestor that @n is left (right) of, or NULL. */
static struct rb_node *up_from(const struct rb_node *n, bool from_left)
{
	struct rb_node *p;

	while ((p = rb_parent(n)) && n != (from_left ? p->left : p->right))
		n = p;
	return p;
}

s64 vma_rb_topdown(const struct mm_struct *mm, u64 len, vaddr_t low, vaddr_t high)
{
	struct rb_node *n = mm->mm_rb.node;
	bool down = true; /* the right subtree of @n has not been looked at */
	vaddr_t start, end;

	if (subtree_gap_of(n) < len)
		return -ENOMEM;
	while (n) {
		struct vm_area_struct *v = vma_of(n);

		if (down && v->vm_end < high && subtree_gap_of(n->right) >= len) {
			n = n->right;
			continue;
		}
		if (usable(v, len, low, high, &start, &end))
			return (s64)(end - len);
		if (v->vm_start < low)
			return -ENOMEM; /* everything left is lower still */
		down = subtree_gap_of(n->left) >= len;
		n = down ? n->left : up_from(n, false);
	}
	return -ENOMEM;
}

s64 vma_rb_bottomup(const struct mm_struct *mm, u64 len, vaddr_t low, vaddr_t high)
{
	struct rb_node *n = mm->mm_rb.node;
	bool down = true; /* the left subtree of @n has not been looked at */
	vaddr_t start, end;

	if (subtree_gap_of(n) < len)
		return -ENOMEM;
	while (n) {
		struct vm_area_struct *v = vma_of(n);

		if (down && v->vm_start > low && subtree_gap_of(n->left) >= len) {
			n = n->left;
			continue;
		}
		if (usable(v, len, low, high, &start, &end))
			return (s64)start;
		if (v->vm_end >= high)
			return -ENOMEM; /* everything right is higher still */
		down = subtree_gap_of(n->right) >= len;
		n = down ? n->right : up_from(n, true);
	}
	return -ENOMEM;
}

/* ---- invariants ---- */

int vma_rb_check(const struct mm_struct *mm)
{
	struct rb_node *node = rb_first(&mm->mm_rb);

	if (rb_check(&mm->mm_rb))
		return 1;
	for_each_vma(mm, v) {
		if (vma_of(node) != v)
			return 1;
		if (v->rb_subtree_gap != subtree_gap(v))
			return 3;
		node = rb_next(node);
	}
	return node ? 1 : 0;
}
