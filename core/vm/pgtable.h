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

#include "arch/walk.h"
#include "core/vm/mm_types.h"

/* The top table of a new address space. 0 or -ENOMEM. */
int pgd_alloc(struct vm *vm, struct mm_struct *mm);
void pgd_free(struct vm *vm, struct mm_struct *mm);

/* Slot of the leaf for @va, or NULL if a table on the way is missing. */
u64 *pte_lookup(struct vm *vm, const struct mm_struct *mm, vaddr_t va);
/* The same, allocating what is missing; NULL: no memory (tables made so far stay). */
u64 *pte_alloc(struct vm *vm, struct mm_struct *mm, vaddr_t va);

/* Stores a user descriptor with the architecture's rules for AP[2] and DBM. */
MM_INLINE void set_pte(const struct vm *vm, u64 *slot, pte_t p)
{
	*slot = pte_encode_user(p, vm->hwad);
}

/*
 * Calls @fn for each leaf table that exists below [start, end): @slots is its first slot in the range,
 * @n their number, @va the first address. Stops at the first result other than 0 and returns it.
 */
typedef int (*pte_range_fn)(struct vm *vm, void *arg, u64 *slots, unsigned n, vaddr_t va);
int pte_range(struct vm *vm, const struct mm_struct *mm, vaddr_t start, vaddr_t end, pte_range_fn fn,
	      void *arg);

/* Frees tables whose whole span lies between @floor and @ceiling (0: no limit). (spec 02 s7) */
void free_pgtables(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end, vaddr_t floor,
		   vaddr_t ceiling);

/* Descriptor bits for mappings with these VM_* flags. */
u64 vm_get_page_prot(u32 vm_flags);

/* The page a present descriptor maps, or NULL for the zero page. */
MM_INLINE struct page *vm_normal_page(const struct vm *vm, pte_t p)
{
	if (pte_special(p))
		return NULL;
	return pfn_to_page(vm->phys, (pfn_t)(pte_pa(p) >> vm->page_shift));
}

#endif
