/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMAs: find, link, split, merge (spec 06 s2 to s4), stacks (s9).
 *
 * Invariants I06.1 to I06.5 (vma_check): list order = index order; disjoint, page aligned; every
 * gap kept in the index exact; map_count, highest_vm_end and the sums of pages right; a file knows
 * its mappings. Linux: mm/mmap.c; left out: ops->open and close, since no mapping of the model has
 * them.
 */
#ifndef MEMRIG_VM_VMA_H
#define MEMRIG_VM_VMA_H

#include "core/vm/mm_types.h"
#include "core/vm/vma_index.h"

/* Lowest VMA that ends above @addr (it may start above it), or NULL: from the index. */
MM_INLINE struct vm_area_struct *find_vma_slow(struct vm *vm, struct mm_struct *mm, vaddr_t addr)
{
	count_vm_event(vm->hw, vm->hw->cpu, EV_VMA_TREE_WALKS);
	return vma_index_find(vm, mm, addr);
}

struct vm_area_struct *find_vma_cached(struct vm *vm, struct task *t, vaddr_t addr);
/* The same, by way of the task's cache of four VMAs. Atomic. (spec 06 s2) */
MM_INLINE struct vm_area_struct *find_vma(struct vm *vm, struct task *t, vaddr_t addr)
{
	struct vm_area_struct *v = t->vmacache[t->vmacache_last];

	if (MM_LIKELY(v && t->vmacache_seqnum == t->mm->vmacache_seqnum && v->vm_start <= addr &&
		      addr < v->vm_end)) {
		count_vm_event(vm->hw, vm->hw->cpu, EV_VMACACHE_HITS);
		return v;
	}
	return find_vma_cached(vm, t, addr);
}

/* find_vma(), and the VMA before @addr (or before what was found) in @prev. Atomic. */
struct vm_area_struct *find_vma_prev(struct vm *vm, struct mm_struct *mm, vaddr_t addr,
				     struct vm_area_struct **prev);
/* The first VMA of [start, end), or NULL. Atomic. */
struct vm_area_struct *find_vma_intersection(struct vm *vm, struct mm_struct *mm, vaddr_t start,
					     vaddr_t end);

/* A VMA left the list: cached ones may dangle. */
void vmacache_invalidate(struct vm *vm, struct mm_struct *mm);

/* Where a new VMA [addr, end) would go. -ENOMEM if something overlaps. */
int find_vma_links(struct vm *vm, struct mm_struct *mm, vaddr_t addr, vaddr_t end,
		   struct vma_link *l);
/*
 * Inserts @v where find_vma_links() said: list, index, file, counts. 0, or -ENOMEM with nothing changed.
 * May sleep.
 */
int vma_link_at(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v, struct vma_link *l);
/* Takes @v out of list, index and file; it stays allocated. */
void vma_unlink(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v);
/* Takes @v out of its file only: the whole address space is going. */
void vma_forget(struct vm_area_struct *v);
/* A whole new VMA, charged if it has VM_ACCOUNT. 0, or -ENOMEM also for an overlap. May sleep. (spec 06 s3) */
int insert_vm_struct(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v);
struct vm_area_struct *vma_alloc(struct vm *vm);
/* A copy of @v without links to file and anon_vmas (anon_vma stays set); NULL: no memory. */
struct vm_area_struct *vma_dup(struct vm *vm, const struct vm_area_struct *v);
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
/* The VMA that now holds the range, or NULL: nothing changed. May sleep. (spec 06 s4) */
struct vm_area_struct *vma_merge(struct vm *vm, const struct vma_merge *m);

/*
 * Cuts @v in two at @addr; the new VMA is the lower part if @new_below. 0, or -ENOMEM: nothing changed. May
 * sleep.
 */
int split_vma(struct vm *vm, struct vm_area_struct *v, vaddr_t addr, bool new_below);
/* The same without a look at max_map_count, for munmap. */
int split_vma_unlimited(struct vm *vm, struct vm_area_struct *v, vaddr_t addr, bool new_below);

/*
 * Gives [start, end) of @v new flags: merged with neighbours if possible, else split off. The VMA that
 * has exactly the range (or holds it, when merged), in @out. 0 or -ENOMEM.
 */
int vma_modify_flags(struct vm *vm, struct vm_area_struct *v, vaddr_t start, vaddr_t end, u32 flags,
		     struct vm_area_struct **prev, struct vm_area_struct **out);

/*
 * Changes @v's bounds in place; gaps, list and index stay right. An end that moves needs a
 * vma_index_prepare() before.
 */
void vma_set_bounds(struct vm *vm, struct vm_area_struct *v, vaddr_t start, vaddr_t end, u64 pgoff);
/* @v grows upwards to @end into free space. 0 or -ENOMEM. */
int vma_expand_up(struct vm *vm, struct vm_area_struct *v, vaddr_t end);
/* New flags for all of @v, with the sums that depend on them. */
void vma_set_flags(struct vm *vm, struct vm_area_struct *v, u32 flags);

/* Lowers a stack to hold @addr. 0 or -ENOMEM. (spec 06 s9) */
int expand_stack(struct vm *vm, struct vm_area_struct *v, vaddr_t addr);
/* Fault at @addr in @v: 4.0 keeps its lowest page as a guard and grows first. 0 or -ENOMEM. */
int check_stack_guard_page(struct vm *vm, struct vm_area_struct *v, vaddr_t addr);
/* find_vma(), but a stack that starts above @addr is lowered to it; NULL: not mapped. */
struct vm_area_struct *find_extend_vma(struct vm *vm, struct task *t, vaddr_t addr);

/* Invariants I06.1 to I06.5 of one address space: 0, or 6001..6005 with a sentence in @why. */
int vma_check(struct vm *vm, struct mm_struct *mm, char *why, size_t n);

/* ---- anon_vma.c ---- */

int anon_vma_prepare_slow(struct vm *vm, struct vm_area_struct *v);
/* Makes sure that @v has an anon_vma, its own or a neighbour's. 0 or -ENOMEM. May sleep. (spec 08 s2.1) */
MM_INLINE int anon_vma_prepare(struct vm *vm, struct vm_area_struct *v)
{
	might_sleep(vm->hw);
	return MM_LIKELY(v->anon_vma) ? 0 : anon_vma_prepare_slow(vm, v);
}
/* Links @dst to every anon_vma of @src (spec 08 s2.2). 0 or -ENOMEM with nothing linked. May sleep. */
int anon_vma_clone(struct vm *vm, struct vm_area_struct *dst, struct vm_area_struct *src);
/* The same for a child's copy, which gets an anon_vma of its own besides. 0 or -ENOMEM. May sleep. (spec 08 s2.2) */
int anon_vma_fork(struct vm *vm, struct vm_area_struct *child, struct vm_area_struct *parent);
void unlink_anon_vmas(struct vm *vm, struct vm_area_struct *v);

#endif
