/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables of address spaces, in frames of the emulated RAM: allocate, fill, cut, free.
 *
 * Terms: slot, the place of a leaf descriptor; leaf table, a table of level 3 (counted in nr_ptes).
 * Only this module and the fault path touch descriptors.
 * Owns the table frames (counted in nr_page_table_pages). Linux: mm/memory.c, arch/arm64/mm.
 */
#ifndef MEMRIG_VM_PGTABLE_H
#define MEMRIG_VM_PGTABLE_H

#include "arch/range.h"
#include "arch/walk.h"
#include "core/vm/mm_types.h"

/* The top table of a new address space. 0 or -ENOMEM. */
int pgd_alloc(struct vm *vm, struct mm_struct *mm);
void pgd_free(struct vm *vm, struct mm_struct *mm);

#define PT_NO_SPAN (~0ull)

/* pte_lookup() from the top; remembers the leaf table in vm->leaf until a table is freed. */
pt_slot *pte_walk(struct vm *vm, const struct mm_struct *mm, vaddr_t va);
/* The same, allocating what is missing; NULL: no memory (tables made so far stay). */
pt_slot *pte_alloc(struct vm *vm, struct mm_struct *mm, vaddr_t va);

MM_INLINE const struct pt_geometry *vm_geometry(const struct vm *vm)
{
	return &pt_geometries[vm->geom];
}

/* The slot of @va if its leaf table is the one remembered, else NULL. */
MM_INLINE pt_slot *pte_remembered(const struct pt_geometry *g, const struct vm *vm, const struct mm_struct *mm,
				  vaddr_t va)
{
	if (MM_LIKELY(vm->leaf.span == va >> g->shift[1]) && MM_LIKELY(vm->leaf.pgd == mm->pgd))
		return pt_slot_at(g, vm->leaf.slots, pt_index(g, va, 0));
	return NULL;
}

/* @slot is the PTE's of @va, an address of user space. */
MM_INLINE void pte_remember(const struct pt_geometry *g, struct vm *vm, const struct mm_struct *mm, vaddr_t va,
			    pt_slot *slot)
{
	vm->leaf.pgd = mm->pgd;
	vm->leaf.span = va >> g->shift[1];
	vm->leaf.slots = pt_slot_at(g, slot, -(s64)pt_index(g, va, 0));
}

/* Slot of the leaf for @va, or NULL if a table on the way is missing. A neighbour of the last one needs no walk. */
MM_INLINE pt_slot *pte_lookup(struct vm *vm, const struct mm_struct *mm, vaddr_t va)
{
	pt_slot *slot = pte_remembered(vm_geometry(vm), vm, mm, va);

	return MM_LIKELY(slot != NULL) ? slot : pte_walk(vm, mm, va);
}

/* I02.7 (ours): vm->leaf is where the tables lead. 0, or 2007 with a sentence in @why. */
int pte_leaf_check(const struct vm *vm, char *why, size_t n);

/* The tree of @mm for calls of arch/range.h that neither allocate nor free. */
MM_INLINE struct pt_space vm_space(const struct vm *vm, const struct mm_struct *mm)
{
	return (struct pt_space){.geom = vm->geom, .root = mm->pgd, .mem = &vm->mem};
}

/* Slot @i of a leaf table. */
MM_INLINE pt_slot *slot_at(const struct vm *vm, pt_slot *slots, s64 i)
{
	return pt_slot_at(vm_geometry(vm), slots, i);
}

/* The entry in slot @i. */
MM_INLINE pte_t get_pte(const struct vm *vm, pt_slot *slots, s64 i)
{
	const struct pt_geometry *g = vm_geometry(vm);

	return pte_get(g, pt_slot_at(g, slots, i));
}

/* Stores an entry with the architecture's rules for read-only, DBM and the hardware's copy. */
MM_INLINE void set_pte(const struct vm *vm, pt_slot *slot, pte_t p)
{
	pte_set(vm_geometry(vm), slot, p, vm->hwad);
}

/*
 * Calls @fn for each leaf table that exists below [start, end): @slots is its first slot in the range,
 * @n their number, @va the first address. Stops at the first result other than 0 and returns it.
 */
typedef int (*pte_range_fn)(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va);
int pte_range(struct vm *vm, const struct mm_struct *mm, vaddr_t start, vaddr_t end, pte_range_fn fn,
	      void *arg);

/* Frees tables whose whole span lies between @floor and @ceiling (0: no limit). (spec 02 s7) */
void free_pgtables(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end, vaddr_t floor,
		   vaddr_t ceiling);

/*
 * Does the file want to hear of the first write to each page of @v? Then its descriptors are read-only
 * until do_wp_page() has told it. (spec 07 s5.3)
 */
MM_INLINE bool vma_wants_writenotify(const struct vm_area_struct *v)
{
	return (v->vm_flags & (VM_SHARED | VM_WRITE)) == (VM_SHARED | VM_WRITE) && v->vm_file &&
	       v->vm_file->mapping.kind == MAPPING_DISK;
}

/* Sets vm_page_prot after the flags or the file of @v changed. */
void vma_set_page_prot(struct vm_area_struct *v);

/* Descriptor bits for mappings with these VM_* flags. */
u64 vm_get_page_prot(u32 vm_flags);

/* The descriptor of a new mapping of @p in @v: read-only unless @v is shared, young, clean. */
MM_INLINE pte_t mk_pte(const struct vm *vm, const struct page *p, const struct vm_area_struct *v)
{
	return pte_make((paddr_t)page_to_pfn(vm->phys, p) << vm->page_shift, v->vm_page_prot);
}

/* A forced write to an area without the right leaves its descriptor read-only. */
MM_INLINE pte_t maybe_mkwrite(pte_t p, const struct vm_area_struct *v)
{
	return v->vm_flags & VM_WRITE ? pte_mkwrite(p) : p;
}

/* The page a present descriptor maps, or NULL for the zero page. Atomic. */
MM_INLINE struct page *vm_normal_page(const struct vm *vm, pte_t p)
{
	pfn_t pfn = (pfn_t)(pte_pa(p) >> vm->page_shift);

	if (pte_special(p) || pfn == vm->zero_pfn) /* ARM32's short descriptors have no special bit */
		return NULL;
	return pfn_to_page(vm->phys, pfn);
}

#endif
