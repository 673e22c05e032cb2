/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A page's index picks, from the interval tree of its anon_vma or file, the VMAs whose range holds
 * it; in each of them the page can be at one address only:
 *
 *   page.mapping -> tree --[index, index]--> VMA -> vm_start + (index - vm_pgoff) -> descriptor:
 * this frame?
 */
#include "core/vm/rmap.h"

#include <errno.h>

#include "core/backing/pageio.h"
#include "core/vm/interval_tree.h"
#include "core/vm/ksm_rmap.h"
#include "core/vm/lazyfree.h"
#include "core/vm/lru_gen_walk.h"
#include "core/vm/pgtable.h"
#include "core/vm/swapin.h"
#include "core/vm/tlb.h"

/* ---- walk ---- */

struct anon_vma *page_get_anon_vma(const struct page *p)
{
	struct anon_vma *a = page_lock_anon_vma_read(p);

	if (a)
		a->refcount++;
	return a;
}

static vaddr_t vma_address(const struct page *p, const struct vm_area_struct *v)
{
	return v->vm_start + ((p->index - v->vm_pgoff) << v->vm_mm->page_shift);
}

/* Visits one VMA; true: the walk is over. */
MM_INLINE bool visit(struct vm *vm, struct page *p, struct vm_area_struct *v,
		  const struct rmap_walk_control *rwc, int *answer)
{
	if (rwc->invalid_vma && rwc->invalid_vma(v, rwc->arg))
		return false;
	*answer = rwc->rmap_one(vm, p, v, vma_address(p, v), rwc->arg);
	return *answer != SWAP_AGAIN || (rwc->done && rwc->done(p));
}

MM_INLINE int walk_anon(struct vm *vm, struct page *p, const struct rmap_walk_control *rwc)
{
	struct anon_vma *a = rwc->anon_lock ? rwc->anon_lock(p) : page_anon_vma(p);
	int answer = SWAP_AGAIN;

	if (!a)
		return answer;
	lock_model(vm->hw, LOCK_ANON_VMA, a->root);
	anon_vma_interval_tree_foreach(avc, &a->rb_root, p->index,
				       p->index) if (visit(vm, p, avc->vma, rwc, &answer)) break;
	unlock_model(vm->hw, LOCK_ANON_VMA, a->root);
	return answer;
}

MM_INLINE int walk_file(struct vm *vm, struct page *p, const struct rmap_walk_control *rwc)
{
	const struct address_space *m = page_mapping(p);
	int answer = SWAP_AGAIN;

	BUG_ON(!PageLocked(p));
	if (!m)
		return answer;
	lock_model(vm->hw, LOCK_I_MMAP, m);
	vma_interval_tree_foreach(v, &m->host->i_mmap, p->index,
				  p->index) if (visit(vm, p, v, rwc, &answer)) break;
	unlock_model(vm->hw, LOCK_I_MMAP, m);
	return answer;
}

static __attribute__((noinline)) int walk_ksm(struct vm *vm, struct page *p, struct rmap_walk_control rwc)
{
	return rmap_walk_ksm(vm, p, &rwc);
}

/* rmap_walk() in its caller: what a constant control says is known to the compiler, which calls nothing by pointer. */
MM_INLINE int walk(struct vm *vm, struct page *p, const struct rmap_walk_control *rwc)
{
	might_sleep(vm->hw);
	if (MM_UNLIKELY(PageKsm(p)))
		return walk_ksm(vm, p, *rwc);
	return PageAnon(p) ? walk_anon(vm, p, rwc) : walk_file(vm, p, rwc);
}

int rmap_walk(struct vm *vm, struct page *p, const struct rmap_walk_control *rwc)
{
	return walk(vm, p, rwc);
}

/* page_check_address() that hands out the entry, too. */
MM_INLINE pt_slot *check_address(struct vm *vm, const struct page *p, const struct vm_area_struct *v, vaddr_t addr,
				 pte_t *pte)
{
	pt_slot *slot = pte_lookup(vm, v->vm_mm, addr);

	*pte = slot ? get_pte(vm, slot, 0) : (pte_t){0};
	if (!pte_present(*pte) || (pfn_t)(pte_pa(*pte) >> vm->page_shift) != page_to_pfn(vm->phys, p))
		return NULL;
	return slot;
}

pt_slot *page_check_address(struct vm *vm, const struct page *p, const struct vm_area_struct *v, vaddr_t addr)
{
	pte_t pte;

	return check_address(vm, p, v, addr, &pte);
}

bool page_find_mapping(struct vm *vm, const struct page *p, struct page_mapping *out)
{
	VM_BUG_ON(!PageAnon(p) || PageKsm(p) || page_mapcount(p) != 1);
	anon_vma_interval_tree_foreach(avc, &page_anon_vma(p)->rb_root, p->index, p->index) {
		out->vma = avc->vma;
		out->addr = vma_address(p, avc->vma);
		out->slot = check_address(vm, p, avc->vma, out->addr, &out->pte);
		if (out->slot)
			return true;
	}
	return false;
}

bool page_mapped_in_vma(struct vm *vm, const struct page *p, const struct vm_area_struct *v)
{
	vaddr_t addr = vma_address(p, v);

	return addr >= v->vm_start && addr < v->vm_end && page_check_address(vm, p, v, addr);
}

static bool page_not_mapped(const struct page *p)
{
	return !page_mapped(p);
}

/* ptep_clear_flush_young: the next access must walk again, or it would not be seen. */
MM_INLINE bool clear_young(struct vm *vm, struct mm_struct *mm, vaddr_t addr, pt_slot *slot, pte_t p)
{
	if (!pte_young(p))
		return false;
	set_pte(vm, slot, pte_mkold(p));
	vm_flush_page(vm, mm, addr);
	charge(vm->hw, COST_PTE_OP);
	return true;
}

/* ---- page_referenced ---- */

/* mglru: a young mapping, and those near it, become old. */
static bool clear_young_around(struct vm *vm, const struct page *p, struct vm_area_struct *v, vaddr_t addr,
			       pt_slot *slot)
{
	if (!pte_young(get_pte(vm, slot, 0)) || v->vm_flags & (VM_SEQ_READ | VM_RAND_READ))
		return false;
	lru_gen_look_around(vm, p, v, addr, slot);
	return true;
}

struct referenced {
	int mapcount, referenced;
	u32 vm_flags;
};

MM_INLINE int page_referenced_one(struct vm *vm, struct page *p, struct vm_area_struct *v,
			       vaddr_t addr, void *arg)
{
	struct referenced *r = arg;
	pte_t pte;
	pt_slot *slot = check_address(vm, p, v, addr, &pte);

	if (!slot)
		return SWAP_AGAIN;
	if (v->vm_flags & VM_LOCKED) {
		r->vm_flags |= VM_LOCKED;
		return SWAP_FAIL;
	}
	/* a sequential reader does not come back: its accesses say nothing of the future */
	if ((MM_UNLIKELY(vm->lru.mglru) && clear_young_around(vm, p, v, addr, slot)) ||
	    (clear_young(vm, v->vm_mm, addr, slot, pte) && !(v->vm_flags & VM_SEQ_READ))) {
		r->referenced++;
		r->vm_flags |= v->vm_flags;
	}
	return --r->mapcount ? SWAP_AGAIN : SWAP_SUCCESS;
}

/* Pages of files and of KSM are looked at under their lock. */
static __attribute__((noinline)) int referenced_locked(struct vm *vm, struct page *p, bool is_locked, u32 *vm_flags)
{
	struct referenced r = {.mapcount = page_mapcount(p)};
	const struct rmap_walk_control rwc = {.arg = &r, .rmap_one = page_referenced_one};

	if (!(p->mapping & ~PAGE_MAPPING_FLAGS))
		return 0;
	if (!is_locked && !trylock_page(p))
		return 1;
	walk(vm, p, &rwc);
	if (!is_locked)
		unlock_page(p);
	*vm_flags = r.vm_flags;
	return r.referenced;
}

int page_referenced_mapped(struct vm *vm, struct page *p, bool is_locked, u32 *vm_flags)
{
	struct referenced r = {.mapcount = page_mapcount(p)};
	const struct rmap_walk_control rwc = {.arg = &r, .rmap_one = page_referenced_one};

	if ((p->mapping & PAGE_MAPPING_FLAGS) != PAGE_MAPPING_ANON)
		return referenced_locked(vm, p, is_locked, vm_flags);
	walk_anon(vm, p, &rwc);
	*vm_flags = r.vm_flags;
	return r.referenced;
}

/* ---- try_to_unmap ---- */

/* What replaces @pte, and the rss of the address space with it. 0, or -errno: the mapping stays. */
MM_INLINE int unmapped_entry(struct vm *vm, struct mm_struct *mm, struct page *p, pte_t pte,
			  unsigned ttu, pte_t *out)
{
	*out = (pte_t){0};
	if (PageAnon(p) && PageSwapCache(p))
		return unmap_to_swap(vm, mm, p, out);
	if (page_lazyfree(p) && !(ttu & TTU_MIGRATION) && PageDirty(p)) {
		SetPageSwapBacked(p); /* written again: wanted after all */
		return -EBUSY;
	}
	BUG_ON(PageAnon(p) && !page_lazyfree(p) && !(ttu & TTU_MIGRATION));
	if (ttu & TTU_MIGRATION)
		*out = make_migration_entry(vm, p, pte_write(pte));
	else
		mm->rss[mm_counter_of(p)]--;
	return 0;
}

MM_INLINE int unmap_pte(struct vm *vm, struct page *p, struct vm_area_struct *v, vaddr_t addr,
		     pt_slot *slot, pte_t pte, unsigned ttu)
{
	pte_t entry;

	set_pte(vm, slot, (pte_t){0});
	count_flush(vm, v->vm_mm, addr);
	if (pte_dirty(pte) && !PageDirty(p))
		set_page_dirty(&vm->files, p);
	if (unmapped_entry(vm, v->vm_mm, p, pte, ttu, &entry)) {
		set_pte(vm, slot, pte);
		return SWAP_FAIL;
	}
	if (entry.v)
		set_pte(vm, slot, entry);
	charge(vm->hw, COST_PTE_OP);
	page_remove_rmap(vm, p);
	lru_put_page(&vm->lru, p);
	return SWAP_AGAIN;
}

/* @p is mapped in a locked VMA: it belongs on the unevictable list, if its mm can be looked at now.
 */
static int unmap_mlocked(struct vm *vm, struct page *p, const struct vm_area_struct *v)
{
	if (v->vm_mm->mmap_sem < 0)
		return SWAP_AGAIN;
	mlock_page(vm, p);
	return SWAP_MLOCK;
}

MM_INLINE int try_to_unmap_one(struct vm *vm, struct page *p, struct vm_area_struct *v, vaddr_t addr,
			    void *arg)
{
	unsigned ttu = *(const unsigned *)arg;
	pte_t pte;
	pt_slot *slot = check_address(vm, p, v, addr, &pte);

	if (!slot)
		return SWAP_AGAIN;
	if (!(ttu & TTU_IGNORE_MLOCK)) {
		if (v->vm_flags & VM_LOCKED)
			return unmap_mlocked(vm, p, v);
		if (ttu & TTU_MUNLOCK)
			return SWAP_AGAIN;
	}
	if (!(ttu & TTU_IGNORE_ACCESS) && clear_young(vm, v->vm_mm, addr, slot, pte))
		return SWAP_FAIL;
	return unmap_pte(vm, p, v, addr, slot, pte, ttu);
}

int try_to_unmap(struct vm *vm, struct page *p, unsigned ttu)
{
	const struct rmap_walk_control rwc = {.arg = &ttu,
					      .rmap_one = try_to_unmap_one,
					      .done = page_not_mapped,
					      .anon_lock = page_lock_anon_vma_read};
	int r;

	might_sleep(vm->hw);
	BUG_ON(!PageLocked(p));
	r = walk(vm, p, &rwc);
	return r != SWAP_MLOCK && !page_mapped(p) ? SWAP_SUCCESS : r;
}

int try_to_munlock(struct vm *vm, struct page *p)
{
	unsigned ttu = TTU_MUNLOCK;
	const struct rmap_walk_control rwc = {.arg = &ttu,
					      .rmap_one = try_to_unmap_one,
					      .done = page_not_mapped,
					      .anon_lock = page_lock_anon_vma_read};

	might_sleep(vm->hw);
	BUG_ON(!PageLocked(p) || PageLRU(p));
	return walk(vm, p, &rwc);
}

/* ---- page_mkclean ---- */

static int page_mkclean_one(struct vm *vm, struct page *p, struct vm_area_struct *v, vaddr_t addr,
			    void *arg)
{
	pte_t pte;
	pt_slot *slot = check_address(vm, p, v, addr, &pte);

	if (!slot || (!pte_dirty(pte) && !pte_write(pte)))
		return SWAP_AGAIN;
	set_pte(vm, slot, pte_mkclean(pte_wrprotect(pte)));
	charge(vm->hw, COST_PTE_OP);
	count_flush(vm, v->vm_mm, addr);
	(*(int *)arg)++;
	return SWAP_AGAIN;
}

static bool is_private(const struct vm_area_struct *v, void *arg)
{
	(void)arg;
	return !(v->vm_flags & VM_SHARED);
}

int page_mkclean(struct vm *vm, struct page *p)
{
	int cleaned = 0;
	const struct rmap_walk_control rwc = {
		.arg = &cleaned, .rmap_one = page_mkclean_one, .invalid_vma = is_private};

	might_sleep(vm->hw);
	BUG_ON(!PageLocked(p));
	if (page_mapped(p) && !PageAnon(p))
		walk(vm, p, &rwc);
	return cleaned;
}
