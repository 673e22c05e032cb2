/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Invariants of reverse mapping and of page references (spec 08 I08.1 to I08.4 and degrees, 07 I7.1
 * to I7.3, I7.5). Linux has none of this; CONFIG_DEBUG_VM_RB is the nearest.
 */
#ifndef MEMRIG_VM_RMAP_CHECK_H
#define MEMRIG_VM_RMAP_CHECK_H

#include "core/vm/mm_types.h"

/* Chains, trees and degrees of all anon_vmas. 0, or 8000 + n with a sentence in @why. O(VMAs *
 * chains). */
int anon_vma_check(struct vm *vm, char *why, size_t n);

/*
 * References against owners, page by page: @mapped[frame] is the number of descriptors that map it.
 * A page on an LRU list must have exactly mappings + cache + swap cache + batches + pins; one that
 * is isolated, at least that. Walks find every mapping of an anonymous page. 0, or 7000 + n, 8004.
 */
int page_ledger_check(struct vm *vm, const u32 *mapped, char *why, size_t n);

#endif
