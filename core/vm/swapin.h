/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What floor 6 does with swap entries in its tables: fault, fork, zap, unmap (spec 08 s2.3, s4.2,
 * s8, s9). Linux: mm/memory.c, mm/rmap.c.
 */
#ifndef MEMRIG_VM_SWAPIN_H
#define MEMRIG_VM_SWAPIN_H

#include "core/vm/fault.h"
#include "core/vm/swapops.h"

/* Fault on a descriptor that is neither none nor present: vmf->pte. VM_FAULT_AGAIN after a
 * migration. */
vm_fault_t do_swap_page(struct vm_fault *vmf);

/* Fork copies swap entry @p of @from to @to: one more user of the slot, SWAPENTS. 0 or -ENOMEM. */
int copy_swap_pte(struct vm *vm, struct mm_struct *to, struct mm_struct *from, pte_t p);

/* The address space lets go of swap entry @p, which the caller clears. */
void zap_swap_pte(struct vm *vm, struct mm_struct *mm, pte_t p);

/*
 * try_to_unmap: @mm maps @page, which is in the swap cache, no longer, but may swap it in: one more
 * user of the slot, ANONPAGES-1, SWAPENTS+1. The entry to store in @out. 0, or -errno: keep the
 * mapping.
 */
int unmap_to_swap(struct vm *vm, struct mm_struct *mm, struct page *page, pte_t *out);

/* I08.5 to I08.8: 0, or 8000 + n with a sentence in @why. */
int vm_swap_check(struct vm *vm, char *why, size_t n);

/* swapon: swap_area_add() and a system call's time. May sleep. */
int sys_swapon(struct vm *vm, const struct swap_area *area);
/*
 * swapoff of @si (NULL: -EINVAL): reads back all that is in it. -ENOMEM: that much is not to be
 * had, or memory ran out; -EIO: read error. Then the area stays, with what was not read back. May sleep.
 * (spec 08 s6)
 */
int sys_swapoff(struct vm *vm, struct swap_info_struct *si);

#endif
