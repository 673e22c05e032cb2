/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * anon_vmas and their chains (spec 08 s2).
 *
 *   VMA --anon_vma_chain--> AVC --anon_vma--> anon_vma --rb_root--> AVC --vma--> VMA
 *
 * A page belongs to one anon_vma; its tree says in which VMAs to look for it. Fork gives the child's
 * VMA links to all of the parent's anon_vmas and one of its own for the pages it will make.
 * Linux: mm/rmap.c.
 */
#include <errno.h>

#include "core/vm/interval_tree.h"
#include "core/vm/rmap.h"
#include "core/vm/vma.h"

static struct anon_vma *anon_vma_alloc(struct vm *vm)
{
	struct anon_vma *a = kmem_cache_alloc(vm->anon_vma_cache, vm->hw->cpu, GFP_KERNEL);

	if (!a)
		return NULL;
	a->root = a->parent = a;
	a->refcount = a->degree = 1; /* degree: its own parent link */
	a->rb_root = (struct rb_root){NULL};
	return a;
}

void put_anon_vma(struct vm *vm, struct anon_vma *a)
{
	struct anon_vma *root = a->root;

	if (--a->refcount)
		return;
	kmem_cache_free(vm->anon_vma_cache, vm->hw->cpu, a);
	if (root != a)
		put_anon_vma(vm, root);
}

static struct anon_vma_chain *avc_alloc(struct vm *vm)
{
	return kmem_cache_alloc(vm->avc_cache, vm->hw->cpu, GFP_KERNEL);
}

static void avc_link(struct vm *vm, struct vm_area_struct *v, struct anon_vma_chain *avc, struct anon_vma *a)
{
	avc->vma = v;
	avc->anon_vma = a;
	list_add(&avc->same_vma, &v->anon_vma_chain);
	lock_model(vm->hw, LOCK_ANON_VMA, a->root);
	anon_vma_interval_tree_insert(&a->rb_root, avc);
	unlock_model(vm->hw, LOCK_ANON_VMA, a->root);
}

static bool singular(const struct list_head *h)
{
	return !list_empty(h) && h->next->next == h;
}

/* Touching, same file, flags equal but for rights, offsets continuous (spec 06 s4). */
static bool compatible(const struct vm *vm, const struct vm_area_struct *a, const struct vm_area_struct *b)
{
	return a->vm_end == b->vm_start && a->vm_file == b->vm_file &&
	       !((a->vm_flags ^ b->vm_flags) & ~(u32)(VM_RWX | VM_SOFTDIRTY)) &&
	       b->vm_pgoff == a->vm_pgoff + vma_pages(vm, a);
}

static struct anon_vma *reusable(const struct vm *vm, const struct vm_area_struct *old,
				 const struct vm_area_struct *a, const struct vm_area_struct *b)
{
	return compatible(vm, a, b) && old->anon_vma && singular(&old->anon_vma_chain) ? old->anon_vma : NULL;
}

static struct anon_vma *find_mergeable(const struct vm *vm, const struct vm_area_struct *v)
{
	struct anon_vma *a = v->vm_next ? reusable(vm, v->vm_next, v, v->vm_next) : NULL;

	return a || !v->vm_prev ? a : reusable(vm, v->vm_prev, v->vm_prev, v);
}

int anon_vma_prepare_slow(struct vm *vm, struct vm_area_struct *v)
{
	struct anon_vma_chain *avc = avc_alloc(vm);
	struct anon_vma *a;

	if (!avc)
		return -ENOMEM;
	a = find_mergeable(vm, v);
	if (!a)
		a = anon_vma_alloc(vm);
	if (!a) {
		kmem_cache_free(vm->avc_cache, vm->hw->cpu, avc);
		return -ENOMEM;
	}
	v->anon_vma = a;
	avc_link(vm, v, avc, a);
	a->degree++;
	return 0;
}

int anon_vma_clone(struct vm *vm, struct vm_area_struct *dst, struct vm_area_struct *src)
{
	might_sleep(vm->hw);
	for (struct list_head *n = src->anon_vma_chain.prev; n != &src->anon_vma_chain; n = n->prev) {
		struct anon_vma *a = list_entry(n, struct anon_vma_chain, same_vma)->anon_vma;
		struct anon_vma_chain *avc = avc_alloc(vm);

		if (!avc) {
			dst->anon_vma = NULL; /* unlink_anon_vmas() must not take a degree off it */
			unlink_anon_vmas(vm, dst);
			return -ENOMEM;
		}
		avc_link(vm, dst, avc, a);
		/* An anon_vma that lost its VMAs and has at most one child is as good as a new one. */
		if (!dst->anon_vma && a != src->anon_vma && a->degree < 2 && !vm->old_anon_vma)
			dst->anon_vma = a;
	}
	if (dst->anon_vma)
		dst->anon_vma->degree++;
	return 0;
}

int anon_vma_fork(struct vm *vm, struct vm_area_struct *child, struct vm_area_struct *parent)
{
	struct anon_vma_chain *avc;
	struct anon_vma *a;
	int r;

	might_sleep(vm->hw);
	if (!parent->anon_vma)
		return 0;
	child->anon_vma = NULL;
	r = anon_vma_clone(vm, child, parent);
	if (r || child->anon_vma)
		return r;
	a = anon_vma_alloc(vm);
	avc = a ? avc_alloc(vm) : NULL;
	if (!avc) {
		if (a)
			put_anon_vma(vm, a);
		unlink_anon_vmas(vm, child);
		return -ENOMEM;
	}
	a->root = parent->anon_vma->root;
	a->parent = parent->anon_vma;
	a->root->refcount++;
	child->anon_vma = a;
	avc_link(vm, child, avc, a);
	a->parent->degree++;
	return 0;
}

void unlink_anon_vmas(struct vm *vm, struct vm_area_struct *v)
{
	struct anon_vma_chain *avc, *tmp;

	list_for_each_entry_safe(avc, tmp, &v->anon_vma_chain, same_vma) {
		anon_vma_interval_tree_remove(&avc->anon_vma->rb_root, avc);
		if (!avc->anon_vma->rb_root.node) {
			avc->anon_vma->parent->degree--;
			continue; /* the VMA's own degree goes first */
		}
		list_del(&avc->same_vma);
		kmem_cache_free(vm->avc_cache, vm->hw->cpu, avc);
	}
	if (v->anon_vma)
		v->anon_vma->degree--;
	list_for_each_entry_safe(avc, tmp, &v->anon_vma_chain, same_vma) {
		BUG_ON(avc->anon_vma->degree);
		put_anon_vma(vm, avc->anon_vma);
		list_del(&avc->same_vma);
		kmem_cache_free(vm->avc_cache, vm->hw->cpu, avc);
	}
	v->anon_vma = NULL;
}
