/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The index of an address space's VMAs: which VMA holds an address, and where a gap is free.
 *
 * Two variants with the same answers behind one switch (vma=rbtree|btree):
 *   rbtree  Linux 4.0's red-black tree of the VMAs, each node with the largest gap of its subtree.
 *   btree   a packed B-tree in the manner of the maple tree of 6.1: 31 entries a node, found with a
 *           few vector comparisons, so that a look-up touches a tenth of the cache lines.
 *
 * Both keep the list (vm_next, vm_prev, highest_vm_end) too, since gaps are computed from it and must
 * change in step with it. Sizes are in bytes.
 * Invariants: I06.1 (order, tree rules) and I06.3 (gaps), by vma_index_check().
 */
#ifndef MEMRIG_VM_VMA_INDEX_H
#define MEMRIG_VM_VMA_INDEX_H

#include "core/vm/mm_types.h"

#define VMA_BT_NODE_BYTES 512
#define VMA_BT_MAX_HEIGHT 12 /* 2^31 VMAs with nodes a quarter full need 11 */

/* The way from a leaf (level 0) to the root. */
struct vma_bt_path {
	unsigned region, height;
	struct vma_bt_node *node[VMA_BT_MAX_HEIGHT];
	int at[VMA_BT_MAX_HEIGHT];
};

/* Where a new VMA would go. */
struct vma_link {
	struct vm_area_struct *prev;
	struct vm_area_struct *after; /* fork: in the file's tree behind this one; NULL: by offset */
	union {
		struct {
			struct rb_node *parent, **link;
		};
		struct vma_bt_path path;
	};
};

/* Start of @v with the distance that later kernels keep below stacks. */
MM_INLINE vaddr_t vma_start_gap(const struct vm_area_struct *v)
{
	u64 gap = v->vm_flags & VM_GROWSDOWN ? v->vm_mm->stack_gap : 0;

	return v->vm_start > gap ? v->vm_start - gap : 0;
}

/* Bytes free below @v. */
MM_INLINE u64 vma_gap(const struct vm_area_struct *v)
{
	vaddr_t start = vma_start_gap(v), below = v->vm_prev ? v->vm_prev->vm_end : 0;

	return start > below ? start - below : 0;
}

/* @v behind @prev (NULL: first). */
MM_INLINE void vma_list_add(struct mm_struct *mm, struct vm_area_struct *v, struct vm_area_struct *prev)
{
	v->vm_prev = prev;
	v->vm_next = prev ? prev->vm_next : mm->mmap;
	if (prev)
		prev->vm_next = v;
	else
		mm->mmap = v;
	if (v->vm_next)
		v->vm_next->vm_prev = v;
	else
		mm->highest_vm_end = v->vm_end;
}

/* @v keeps its own links. */
MM_INLINE void vma_list_del(struct mm_struct *mm, const struct vm_area_struct *v)
{
	if (v->vm_prev)
		v->vm_prev->vm_next = v->vm_next;
	else
		mm->mmap = v->vm_next;
	if (v->vm_next)
		v->vm_next->vm_prev = v->vm_prev;
	else
		mm->highest_vm_end = v->vm_prev ? v->vm_prev->vm_end : 0;
}

/* ---- the variants: vma_rbtree.c and vma_btree.c ---- */

struct vm_area_struct *vma_rb_find(const struct mm_struct *mm, vaddr_t addr);
int vma_rb_place(const struct mm_struct *mm, vaddr_t addr, vaddr_t end, struct vma_link *l);
void vma_rb_insert(struct mm_struct *mm, struct vm_area_struct *v, const struct vma_link *l);
void vma_rb_erase(struct mm_struct *mm, struct vm_area_struct *v);
void vma_rb_moved(struct vm_area_struct *v);
s64 vma_rb_topdown(const struct mm_struct *mm, u64 len, vaddr_t low, vaddr_t high);
s64 vma_rb_bottomup(const struct mm_struct *mm, u64 len, vaddr_t low, vaddr_t high);
int vma_rb_check(const struct mm_struct *mm);

struct vm_area_struct *vma_bt_find(const struct vm *vm, const struct mm_struct *mm, vaddr_t addr);
int vma_bt_place(const struct vm *vm, const struct mm_struct *mm, vaddr_t addr, vaddr_t end,
		 struct vma_link *l);
int vma_bt_insert(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v, struct vma_link *l);
void vma_bt_erase(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v);
int vma_bt_prepare(struct vm *vm, struct mm_struct *mm);
void vma_bt_moved(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v, vaddr_t old_end);
s64 vma_bt_topdown(const struct vm *vm, const struct mm_struct *mm, u64 len, vaddr_t low, vaddr_t high);
s64 vma_bt_bottomup(const struct vm *vm, const struct mm_struct *mm, u64 len, vaddr_t low, vaddr_t high);
void vma_bt_destroy(struct vm *vm, struct mm_struct *mm);
int vma_bt_check(const struct vm *vm, const struct mm_struct *mm);

/* ---- the switch ---- */

/* Lowest VMA that ends above @addr, or NULL. */
MM_INLINE struct vm_area_struct *vma_index_find(const struct vm *vm, const struct mm_struct *mm, vaddr_t addr)
{
	return vm->btree ? vma_bt_find(vm, mm, addr) : vma_rb_find(mm, addr);
}

/* Place of a new VMA [addr, end); -ENOMEM if one overlaps. Good until the index changes. */
MM_INLINE int vma_index_place(const struct vm *vm, const struct mm_struct *mm, vaddr_t addr, vaddr_t end,
			      struct vma_link *l)
{
	return vm->btree ? vma_bt_place(vm, mm, addr, end, l) : vma_rb_place(mm, addr, end, l);
}

/* Puts @v at its place, which is used up. 0, or -ENOMEM with nothing changed. */
MM_INLINE int vma_index_insert(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v,
			       struct vma_link *l)
{
	if (vm->btree)
		return vma_bt_insert(vm, mm, v, l);
	vma_rb_insert(mm, v, l);
	return 0;
}

MM_INLINE void vma_index_erase(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v)
{
	if (vm->btree)
		vma_bt_erase(vm, mm, v);
	else
		vma_rb_erase(mm, v);
}

/* May @v's end move to @end? 0, or -ENOMEM; vma_index_moved() then cannot fail. */
MM_INLINE int vma_index_prepare(struct vm *vm, struct mm_struct *mm, const struct vm_area_struct *v, vaddr_t end)
{
	if (MM_LIKELY(!vm->btree || (v->vm_end - 1) >> vm->page_shift >> 32 == (end - 1) >> vm->page_shift >> 32))
		return 0;
	return vma_bt_prepare(vm, mm);
}

/* @v's bounds changed, its order did not; its end was @old_end. */
MM_INLINE void vma_index_moved(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v, vaddr_t old_end)
{
	if (!v->vm_next)
		mm->highest_vm_end = v->vm_end;
	if (vm->btree)
		vma_bt_moved(vm, mm, v, old_end);
	else
		vma_rb_moved(v);
}

/* Highest (lowest) @len free bytes in [low, high) below the last VMA. The address, or -ENOMEM. */
MM_INLINE s64 vma_index_topdown(const struct vm *vm, const struct mm_struct *mm, u64 len, vaddr_t low,
				vaddr_t high)
{
	return vm->btree ? vma_bt_topdown(vm, mm, len, low, high) : vma_rb_topdown(mm, len, low, high);
}

MM_INLINE s64 vma_index_bottomup(const struct vm *vm, const struct mm_struct *mm, u64 len, vaddr_t low,
				 vaddr_t high)
{
	return vm->btree ? vma_bt_bottomup(vm, mm, len, low, high) : vma_rb_bottomup(mm, len, low, high);
}

/* Gives the index's own memory back; its VMAs are not touched. */
MM_INLINE void vma_index_destroy(struct vm *vm, struct mm_struct *mm)
{
	if (vm->btree)
		vma_bt_destroy(vm, mm);
	else
		mm->mm_rb.node = NULL;
}

/* 0, or the number of the broken invariant of chapter 6: 1 or 3. O(n). */
MM_INLINE int vma_index_check(const struct vm *vm, const struct mm_struct *mm)
{
	return vm->btree ? vma_bt_check(vm, mm) : vma_rb_check(mm);
}

#endif
