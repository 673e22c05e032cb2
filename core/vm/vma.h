/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMAs: find, link, split, merge (spec 06 s2 to s4), and the search for free addresses.
 *
 * Invariants (vma_check): list order = tree order; disjoint, page aligned; every rb_subtree_gap
 * exact; map_count and highest_vm_end right. Linux: mm/mmap.c.
 */
#ifndef MEMRIG_VM_VMA_H
#define MEMRIG_VM_VMA_H

#include "core/vm/mm_types.h"

/* Lowest VMA that ends above @addr (it may start above it), or NULL. Uses the task's cache if given. */
struct vm_area_struct *find_vma_slow(struct vm *vm, struct mm_struct *mm, vaddr_t addr);
struct vm_area_struct *find_vma_cached(struct vm *vm, struct task *t, vaddr_t addr);
struct vm_area_struct *find_vma_intersection(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end);

MM_INLINE struct vm_area_struct *find_vma(struct vm *vm, struct task *t, vaddr_t addr)
{
	struct vm_area_struct *v = t->vmacache[(addr >> vm->page_shift) & (VMACACHE_SIZE - 1)];

	if (MM_LIKELY(v && t->vmacache_seqnum == t->mm->vmacache_seqnum && v->vm_start <= addr &&
		      addr < v->vm_end)) {
		count_vm_event(vm->hw, vm->hw->cpu, EV_VMACACHE_HITS);
		return v;
	}
	return find_vma_cached(vm, t, addr);
}

/* Where a new VMA [addr, end) would go. -ENOMEM if something overlaps. */
struct vma_link {
	struct vm_area_struct *prev;
	struct rb_node *parent, **link;
	struct vm_area_struct *after; /* fork: in the file's tree behind this one; NULL: by offset */
};
int find_vma_links(struct mm_struct *mm, vaddr_t addr, vaddr_t end, struct vma_link *l);
/* Inserts @v where find_vma_links() said; counts it in map_count. */
void vma_link_at(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v, const struct vma_link *l);
/* Takes @v out of list, tree and file; it stays allocated. */
void vma_unlink(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v);
struct vm_area_struct *vma_alloc(struct vm *vm);
/* Drops its anon_vma links and file reference, and frees it. */
void vma_free(struct vm *vm, struct vm_area_struct *v);

/* One attempt to merge [addr, end) into its neighbours instead of making a VMA. */
struct vma_merge {
	struct mm_struct *mm;
	struct vm_area_struct *prev; /* the VMA before addr (it may reach into the range), or NULL */
	vaddr_t addr, end;
	u32 flags;
	struct anon_vma *anon_vma;
	const struct vm_area_struct *source; /* the VMA whose pages and anon_vma these are; NULL: new */
	struct vm_file *file;
	u64 pgoff;
};
/* The VMA that now holds the range, or NULL: nothing changed. (spec 06 s4) */
struct vm_area_struct *vma_merge(struct vm *vm, const struct vma_merge *m);

/* Cuts @v in two at @addr; the new VMA is the lower part if @new_below. 0 or -ENOMEM. */
int split_vma(struct vm *vm, struct vm_area_struct *v, vaddr_t addr, bool new_below);

/*
 * Gives [start, end) of @v new flags: merged with neighbours if possible, else split off. The VMA that
 * has exactly the range (or holds it, when merged), in @out. 0 or -ENOMEM.
 */
int vma_modify_flags(struct vm *vm, struct vm_area_struct *v, vaddr_t start, vaddr_t end, u32 flags,
		     struct vm_area_struct **prev, struct vm_area_struct **out);

/* Free range of @len bytes: top-down below mmap_base, then bottom-up. Address or -ENOMEM. (06 s7.1) */
s64 vm_unmapped_area(struct vm *vm, struct mm_struct *mm, u64 len);

/* Changes @v's bounds in place; gaps, list and tree stay right. For stacks, brk and mremap. */
void vma_set_bounds(struct vm *vm, struct vm_area_struct *v, vaddr_t start, vaddr_t end, u64 pgoff);

int vma_check(struct vm *vm, struct mm_struct *mm, char *why, size_t n);

/* ---- anon_vma.c ---- */

int anon_vma_prepare_slow(struct vm *vm, struct vm_area_struct *v);
MM_INLINE int anon_vma_prepare(struct vm *vm, struct vm_area_struct *v)
{
	return MM_LIKELY(v->anon_vma) ? 0 : anon_vma_prepare_slow(vm, v);
}
/* Links @dst to every anon_vma of @src (spec 08 s2.2). 0 or -ENOMEM with nothing linked. */
int anon_vma_clone(struct vm *vm, struct vm_area_struct *dst, struct vm_area_struct *src);
int anon_vma_fork(struct vm *vm, struct vm_area_struct *child, struct vm_area_struct *parent);
void unlink_anon_vmas(struct vm *vm, struct vm_area_struct *v);

#endif
