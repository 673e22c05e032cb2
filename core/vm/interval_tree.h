/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two trees by which a page finds the VMAs that may map it (spec 08 s1): a file's i_mmap holds
 * its VMAs, an anon_vma's rb_root the chains of its VMAs; both keyed by the VMA's page range
 * [vm_pgoff, vm_pgoff + pages - 1]. A VMA's range may change only between vma_trees_remove() and
 * vma_trees_insert().
 * Linux: mm/interval_tree.c.
 */
#ifndef MEMRIG_VM_INTERVAL_TREE_H
#define MEMRIG_VM_INTERVAL_TREE_H

#include "core/base/interval_tree.h"
#include "core/vm/mm_types.h"

/* Last page offset of @v; the VMA knows its page size by its mm. */
MM_INLINE u64 vma_last_pgoff(const struct vm_area_struct *v)
{
	return v->vm_pgoff + ((v->vm_end - v->vm_start) >> v->vm_mm->page_shift) - 1;
}

#define VMA_START_(v)	((v)->vm_pgoff)
#define VMA_LAST_(v)	vma_last_pgoff(v)
#define AVC_START_(avc) ((avc)->vma->vm_pgoff)
#define AVC_LAST_(avc)	vma_last_pgoff((avc)->vma)
INTERVAL_TREE(vma_interval_tree, struct vm_area_struct, shared.rb, shared.rb_subtree_last,
	      VMA_START_, VMA_LAST_)
INTERVAL_TREE(anon_vma_interval_tree, struct anon_vma_chain, rb, rb_subtree_last, AVC_START_,
	      AVC_LAST_)

#define vma_interval_tree_foreach(v, root, first, last)                                            \
	for (struct vm_area_struct *v = vma_interval_tree_first(root, first, last); v;             \
	     v = vma_interval_tree_next(v, first, last))
#define anon_vma_interval_tree_foreach(avc, root, first, last)                                     \
	for (struct anon_vma_chain *avc = anon_vma_interval_tree_first(root, first, last); avc;    \
	     avc = anon_vma_interval_tree_next(avc, first, last))

/* @v leaves, or comes back to, all trees it is in: its file's and those of its anon_vmas. */
void vma_trees_remove(struct vm_area_struct *v);
void vma_trees_insert(struct vm_area_struct *v);

#endif
