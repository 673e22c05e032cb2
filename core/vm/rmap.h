/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page -> mappings: counts, and the mapping field of anonymous pages (spec 08 s2.4). Each mapping
 * holds one reference; the caller takes and drops it. Linux: mm/rmap.c.
 */
#ifndef MEMRIG_VM_RMAP_H
#define MEMRIG_VM_RMAP_H

#include "core/vm/mm_types.h"

MM_INLINE u64 linear_page_index(const struct vm *vm, const struct vm_area_struct *v, vaddr_t addr)
{
	return ((addr - v->vm_start) >> vm->page_shift) + v->vm_pgoff;
}

/* Which rss counter a mapped page belongs to. */
MM_INLINE enum mm_counter mm_counter_of(const struct page *p)
{
	if (PageAnon(p))
		return MM_ANONPAGES;
	return PageSwapBacked(p) ? MM_SHMEMPAGES : MM_FILEPAGES;
}

/* First mapping of a new anonymous page; queues it for the LRU: active (4.0) or inactive (5.9). */
MM_INLINE void page_add_new_anon_rmap(struct vm *vm, struct page *p, const struct vm_area_struct *v,
				      vaddr_t addr)
{
	p->flags |= 1u << PG_swapbacked | 1u << PG_uptodate;
	p->_mapcount = 1;
	p->mapping = (u64)(uintptr_t)v->anon_vma | PAGE_MAPPING_ANON;
	p->index = linear_page_index(vm, v, addr);
	inc_zone_page_state(vm->phys, p, NR_ANON_PAGES);
	if (MM_UNLIKELY(v->vm_flags & VM_LOCKED)) {
		lru_add_unevictable(&vm->lru, p);
		return;
	}
	p->flags |= vm->modern ? 0 : 1u << PG_active;
	lru_cache_add(&vm->lru, p);
}

MM_INLINE void page_add_file_rmap(struct vm *vm, struct page *p)
{
	if (!p->_mapcount++)
		inc_zone_page_state(vm->phys, p, NR_FILE_MAPPED);
}

/* Another mapping of a page that is mapped already: fork. */
MM_INLINE void page_dup_rmap(struct page *p)
{
	VM_BUG_ON(!p->_mapcount);
	p->_mapcount++;
}

/* The page now belongs to @v alone, so later walks need not visit relatives. */
MM_INLINE void page_move_anon_rmap(struct page *p, const struct vm_area_struct *v)
{
	p->mapping = (u64)(uintptr_t)v->anon_vma | PAGE_MAPPING_ANON;
}

void clear_page_mlock(struct vm *vm, struct page *p);

MM_INLINE void page_remove_rmap(struct vm *vm, struct page *p)
{
	VM_BUG_ON(p->_mapcount <= 0);
	if (--p->_mapcount)
		return;
	dec_zone_page_state(vm->phys, p, PageAnon(p) ? NR_ANON_PAGES : NR_FILE_MAPPED);
	if (MM_UNLIKELY(PageMlocked(p)))
		clear_page_mlock(vm, p);
}

/* Marks the present pages of a locked range and moves them to the unevictable list. (spec 06 s8) */
void mlock_range(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end);
void munlock_range(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end);

#endif
