/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors that are neither none nor present: swap entries, and migration entries, which stand
 * for a page on the move (spec 02 s4.5, 10 s3). The bits are arch's (pte_swap()); here they get a
 * meaning. A migration entry names the frame of the old page, which is locked as long as the entry
 * exists. Linux: include/linux/swapops.h; left out: hwpoison entries.
 */
#ifndef MEMRIG_VM_SWAPOPS_H
#define MEMRIG_VM_SWAPOPS_H

#include "core/vm/pgtable.h"

MM_INLINE pte_t swp_entry_to_pte(swp_entry_t e)
{
	return pte_swap(swp_type(e), swp_offset(e));
}

/* @p must be a swap entry, no migration entry. */
MM_INLINE swp_entry_t pte_to_swp_entry(pte_t p)
{
	return swp_entry(pte_swap_type(p), pte_swap_offset(p));
}

MM_INLINE pte_t make_migration_entry(const struct vm *vm, const struct page *p, bool write)
{
	return pte_swap(write ? PT_MIGRATION_WRITE : PT_MIGRATION_READ, page_frame(vm->phys, p));
}

MM_INLINE bool is_migration_entry(pte_t p)
{
	return pte_is_migration(p);
}

MM_INLINE bool is_write_migration_entry(pte_t p)
{
	return pte_is_swap(p) && pte_swap_type(p) == PT_MIGRATION_WRITE;
}

MM_INLINE pte_t make_migration_entry_read(pte_t p)
{
	return pte_swap(PT_MIGRATION_READ, pte_swap_offset(p));
}

MM_INLINE struct page *migration_entry_to_page(const struct vm *vm, pte_t p)
{
	return frame_to_page(vm->phys, (u32)pte_swap_offset(p));
}

#endif
