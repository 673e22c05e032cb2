/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vm/interval_tree.h"

void vma_trees_remove(struct vm_area_struct *v)
{
	struct anon_vma_chain *avc;

	list_for_each_entry (avc, &v->anon_vma_chain, same_vma)
		anon_vma_interval_tree_remove(&avc->anon_vma->rb_root, avc);
	if (v->vm_file)
		vma_interval_tree_remove(&v->vm_file->i_mmap, v);
}

void vma_trees_insert(struct vm_area_struct *v)
{
	struct anon_vma_chain *avc;

	if (v->vm_file)
		vma_interval_tree_insert(&v->vm_file->i_mmap, v);
	list_for_each_entry (avc, &v->anon_vma_chain, same_vma)
		anon_vma_interval_tree_insert(&avc->anon_vma->rb_root, avc);
}
