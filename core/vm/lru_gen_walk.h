/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Young bits for the generations of mglru=1: what aging and eviction learn from page tables.
 *
 *   aging      walks the tables of every address space; a page with a young entry goes to the youngest
 *              generation, the entry becomes old. Tables in which less than one entry in a cache line was
 *              young last time are passed (a filter of two hashes a table, one for each walk).
 *   eviction   finds a young entry of one page and looks at its neighbours in the table and the VMA, 64 at
 *              most, since they are in the cache by then and probably young, too. Full tables enter the filter.
 *
 * Clearing young flushes the page from the TLB model, or later accesses would not be seen; the flushes are
 * neither counted nor charged, as Linux omits them. Areas that are locked or read in one pass
 * (MADV_SEQUENTIAL, MADV_RANDOM), and address spaces with fewer than 64 resident pages, are passed.
 * Linux: mm/vmscan.c walk_mm, lru_gen_look_around; left out: young bits of upper tables, the mark of address
 * spaces that have run since the last walk.
 */
#ifndef MEMRIG_VM_LRU_GEN_WALK_H
#define MEMRIG_VM_LRU_GEN_WALK_H

#include "core/vm/mm_types.h"

/*
 * Promotes the pages of @v that were accessed through any page table. @can_swap: anonymous ones, too.
 * @force: tables the filter would pass, too. Counts lru_gen_mm_walks, _tables_*, _leaf_*, _promoted.
 */
void lru_gen_walk_mms(struct vm *vm, struct lruvec *v, bool can_swap, bool force);

/*
 * @slot, which maps @p at @addr in @v, is young: makes it old, and the young ones around it, whose pages are
 * promoted. @p itself, which is on no list, becomes PG_referenced.
 */
void lru_gen_look_around(struct vm *vm, const struct page *p, struct vm_area_struct *v, vaddr_t addr, pt_slot *slot);

#endif
