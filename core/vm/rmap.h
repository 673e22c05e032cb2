/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page -> mappings (spec 08 s2.4, s3, s4): counts, the mapping field of anonymous pages, and the walks that
 * visit every descriptor of a page.
 *
 * Each mapping holds one reference; the caller takes and drops it. A walk costs O(log n + VMAs whose
 * range holds the page's index): for a page copied by a child, only the child and its descendants.
 * Linux: mm/rmap.c; left out: huge pages, hwpoison, nonlinear mappings.
 */
#ifndef MEMRIG_VM_RMAP_H
#define MEMRIG_VM_RMAP_H

#include "core/vm/mm_types.h"
#include "core/vm/tlb.h"

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

/*
 * Modern: the page was never shared since it was born or last reused (Linux 5.19, PG_anon_exclusive, which
 * shares its bit too). Fork clears it.
 */
MM_INLINE bool PageAnonExclusive(const struct page *p)
{
	return PageMappedToDisk(p);
}

/* A new page of a locked area: mlocked, and on the unevictable list at once. */
void mlock_new_page(struct vm *vm, struct page *p);

/* First mapping of a new anonymous page; queues it for the LRU: active (4.0) or inactive (5.9). Atomic. */
MM_INLINE void page_add_new_anon_rmap(struct vm *vm, struct page *p, const struct vm_area_struct *v,
				      vaddr_t addr)
{
	p->flags |= 1u << PG_swapbacked | 1u << PG_uptodate | 1u << PG_mappedtodisk;
	p->_mapcount = 1;
	p->mapping = (u64)(uintptr_t)v->anon_vma | PAGE_MAPPING_ANON;
	p->index = linear_page_index(vm, v, addr);
	inc_zone_page_state(vm->phys, p, NR_ANON_PAGES);
	if (MM_UNLIKELY((v->vm_flags & (VM_LOCKED | VM_SPECIAL)) == VM_LOCKED)) {
		mlock_new_page(vm, p);
		return;
	}
	p->flags |= vm->anonws ? 0 : 1u << PG_active;
	lru_cache_add(&vm->lru, p);
}

/*
 * A mapping of a page that may have been mapped before: swap-in. The first one of a page without an
 * anon_vma gives it the VMA's own (@exclusive) or its root. Atomic. (spec 08 s2.4)
 */
MM_INLINE void page_add_anon_rmap(struct vm *vm, struct page *p, const struct vm_area_struct *v, vaddr_t addr,
				  bool exclusive)
{
	if (p->_mapcount++)
		return;
	inc_zone_page_state(vm->phys, p, NR_ANON_PAGES);
	if (PageAnon(p))
		return;
	p->mapping = (u64)(uintptr_t)(exclusive ? v->anon_vma : v->anon_vma->root) | PAGE_MAPPING_ANON;
	p->index = linear_page_index(vm, v, addr);
}

/* One more mapping of a page of a file. Counts nr_mapped at the first. Atomic. */
MM_INLINE void page_add_file_rmap(struct vm *vm, struct page *p)
{
	if (!p->_mapcount++)
		inc_zone_page_state(vm->phys, p, NR_FILE_MAPPED);
}

/* Another mapping of a page that is mapped already: fork. */
MM_INLINE void page_dup_rmap(struct page *p)
{
	VM_BUG_ON(!p->_mapcount);
	ClearPageMappedToDisk(p); /* PageAnonExclusive() */
	p->_mapcount++;
}

/* The page now belongs to @v alone, so later walks need not visit relatives. */
MM_INLINE void page_move_anon_rmap(struct page *p, const struct vm_area_struct *v)
{
	p->mapping = (u64)(uintptr_t)v->anon_vma | PAGE_MAPPING_ANON;
	SetPageMappedToDisk(p);
}

void clear_page_mlock(struct vm *vm, struct page *p);

/*
 * One mapping less. Counts nr_anon_pages or nr_mapped at the last, which also ends PG_mlocked. Atomic.
 * (spec 08 s2.4)
 */
MM_INLINE void page_remove_rmap(struct vm *vm, struct page *p)
{
	VM_BUG_ON(p->_mapcount <= 0);
	if (--p->_mapcount)
		return;
	dec_zone_page_state(vm->phys, p, PageAnon(p) ? NR_ANON_PAGES : NR_FILE_MAPPED);
	if (MM_UNLIKELY(PageMlocked(p)))
		clear_page_mlock(vm, p);
}

/* ---- walks ---- */

enum { SWAP_SUCCESS, SWAP_AGAIN, SWAP_FAIL, SWAP_MLOCK };

/* A page of @mm is no longer mapped at @addr: flush, charge, tlb_flushes. */
MM_INLINE void count_flush(struct vm *vm, struct mm_struct *mm, vaddr_t addr)
{
	vm_flush_page(vm, mm, addr);
	charge(vm->hw, COST_TLB_FLUSH);
	count_vm_event(vm->hw, vm->hw->cpu, EV_TLB_FLUSHES);
}

enum ttu_flags { /* values of Linux 4.0 */
	TTU_UNMAP = 1, TTU_MIGRATION = 2, TTU_MUNLOCK = 4,
	TTU_IGNORE_MLOCK = 0x100, TTU_IGNORE_ACCESS = 0x200, TTU_IGNORE_HWPOISON = 0x400
};

struct rmap_walk_control {
	void *arg;
	/* One VMA that may map @p at @addr: SWAP_AGAIN goes on, anything else ends the walk. */
	int (*rmap_one)(struct vm *vm, struct page *p, struct vm_area_struct *v, vaddr_t addr, void *arg);
	bool (*done)(const struct page *p);                               /* NULL: visit all */
	struct anon_vma *(*anon_lock)(const struct page *p);              /* NULL: page_anon_vma() */
	bool (*invalid_vma)(const struct vm_area_struct *v, void *arg);   /* NULL: none is skipped */
};

/* The anon_vma that @p's mapping names, mapped or not; NULL for file and KSM pages. */
MM_INLINE struct anon_vma *page_anon_vma(const struct page *p)
{
	if ((p->mapping & PAGE_MAPPING_FLAGS) != PAGE_MAPPING_ANON)
		return NULL;
	return (struct anon_vma *)(uintptr_t)(p->mapping & ~PAGE_MAPPING_FLAGS);
}

/* The same, but NULL unless @p is mapped: the anon_vma of an unmapped page may be gone. */
MM_INLINE struct anon_vma *page_lock_anon_vma_read(const struct page *p)
{
	return page_mapped(p) ? page_anon_vma(p) : NULL;
}

/* The same with a reference, for who unmaps @p and maps it again; NULL: not mapped. */
struct anon_vma *page_get_anon_vma(const struct page *p);
void put_anon_vma(struct vm *vm, struct anon_vma *a);

/*
 * Calls rwc->rmap_one for each VMA whose range holds @p's index, in tree order. @p is locked unless it is
 * anonymous and no KSM page. The last answer, SWAP_AGAIN if there was none. May sleep. (spec 08 s3)
 */
int rmap_walk(struct vm *vm, struct page *p, const struct rmap_walk_control *rwc);

/* The descriptor by which @v maps @p at @addr; NULL if it is absent or maps another page. */
pt_slot *page_check_address(struct vm *vm, const struct page *p, const struct vm_area_struct *v, vaddr_t addr);

struct page_mapping { /* a place where a page is mapped */
	struct vm_area_struct *vma;
	vaddr_t addr;
	pt_slot *slot;
	pte_t pte;
};

/* Where an anonymous page, no KSM page, that is mapped once is mapped. False: no descriptor names it now. */
bool page_find_mapping(struct vm *vm, const struct page *p, struct page_mapping *out);

/*
 * Tests and clears the accessed state in all mappings. The number of accessed ones that count, 0 if not
 * mapped, 1 for a file or KSM page that is not locked and cannot be; the flags of their VMAs, and VM_LOCKED
 * if one is locked, in @vm_flags. May sleep. (spec 08 s4.1)
 */
int page_referenced_mapped(struct vm *vm, struct page *p, bool is_locked, u32 *vm_flags);
MM_INLINE int page_referenced(struct vm *vm, struct page *p, bool is_locked, u32 *vm_flags)
{
	might_sleep(vm->hw);
	*vm_flags = 0;
	return page_mapped(p) ? page_referenced_mapped(vm, p, is_locked, vm_flags) : 0;
}

/*
 * Takes @p, which is locked, out of all page tables. SWAP_*; SUCCESS: no longer mapped. May sleep. (spec 08
 * s4.2)
 */
int try_to_unmap(struct vm *vm, struct page *p, unsigned ttu);

/* SWAP_MLOCK and @p mlocked again if a locked VMA still maps it, else SWAP_AGAIN. @p is locked, off the LRU. */
int try_to_munlock(struct vm *vm, struct page *p);

/* Write-protects and cleans all shared mappings of a file page before write-back; how many were changed. */
int page_mkclean(struct vm *vm, struct page *p);

/* Is @p mapped in @v? (not merely within its range) */
bool page_mapped_in_vma(struct vm *vm, const struct page *p, const struct vm_area_struct *v);

/* Marks @p mlocked and moves it to the unevictable list, and back. (spec 06 s8) */
void mlock_page(struct vm *vm, struct page *p);
void munlock_page(struct vm *vm, struct page *p);

/* Marks the present pages of a locked range and moves them to the unevictable list. (spec 06 s8) */
void mlock_range(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end);
/* The way back; the VMA has lost VM_LOCKED already. Pages that another VMA locks stay where they
 * are. */
void munlock_range(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end);
#endif
