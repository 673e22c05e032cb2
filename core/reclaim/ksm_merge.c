/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Merging: a page becomes a KSM page, another's mappings are led to it, and back (spec 11 s4,
 * s4.1).
 */
#include <errno.h>

#include "core/phys/page_alloc.h"
#include "core/reclaim/ksm_internal.h"
#include "core/vm/fault.h"
#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"
#include "core/vm/tlb.h"
#include "core/vm/vma.h"

struct vm_area_struct *ksm_mergeable_vma(struct ksm *k, const struct rmap_item *item)
{
	vaddr_t addr = rmap_item_addr(item);
	struct vm_area_struct *v =
		ksm_mm_exiting(item->mm) ? NULL : find_vma_slow(k->vm, item->mm, addr);

	return v && v->vm_start <= addr && v->vm_flags & VM_MERGEABLE && v->anon_vma ? v : NULL;
}

struct page *ksm_mergeable_page(struct ksm *k, const struct rmap_item *item)
{
	struct page *p = NULL;

	if (!mmap_read_trylock(k->vm, item->mm))
		return NULL;
	if (ksm_mergeable_vma(k, item))
		p = ksm_follow_page(k->vm, item->mm, rmap_item_addr(item), NULL);
	p = p && PageAnon(p) ? p : NULL;
	if (p)
		get_page(p);
	mmap_read_unlock(k->vm, item->mm);
	return p;
}

/* ---- one page ---- */

/* One attempt to merge what an item's address maps. */
struct merge {
	struct vm_area_struct *vma;
	vaddr_t addr;
	struct page *page;
	pt_slot *slot;
	pte_t pte;
};

/*
 * Makes the mapping read-only and clean. Someone else's reference (a pin, a batch) forbids it: he
 * may write past the page tables. 0 or -EFAULT.
 */
static int write_protect_page(struct ksm *k, struct merge *m)
{
	struct page *p = m->page;
	bool swapped = PageSwapCache(p);

	if (PageKsm(p) || ksm_follow_page(k->vm, m->vma->vm_mm, m->addr, &m->slot) != p)
		return -EFAULT;
	m->pte = get_pte(k->vm, m->slot, 0);
	if (!pte_write(m->pte) && !pte_dirty(m->pte) &&
	    !(k->vm->modern && PageAnonExclusive(p)))
		return 0;
	if (page_mapcount(p) + 1 + swapped != page_count(p))
		return -EFAULT;
	ClearPageMappedToDisk(p); /* PG_anon_exclusive: it may be shared from now on */
	if (pte_dirty(m->pte))
		SetPageDirty(p);
	m->pte = pte_mkclean(pte_wrprotect(m->pte));
	set_pte(k->vm, m->slot, m->pte);
	vm_flush_page(k->vm, m->vma->vm_mm, m->addr);
	return 0;
}

/* A locked mapping takes its lock along. */
static void carry_mlock(struct ksm *k, const struct merge *m, struct page *kpage)
{
	if (!(m->vma->vm_flags & VM_LOCKED))
		return;
	munlock_page(k->vm, m->page);
	if (!PageMlocked(kpage))
		mlock_page(k->vm, kpage);
}

/* The mapping leads to @kpage (NULL: the zero page) from now on. */
static void replace_page(struct ksm *k, const struct merge *m, struct page *kpage)
{
	struct vm *vm = k->vm;
	pfn_t pfn = kpage ? page_to_pfn(k->phys, kpage) : vm->zero_pfn;
	pte_t p = pte_make((paddr_t)pfn << vm->page_shift, m->vma->vm_page_prot);

	if (kpage) {
		get_page(kpage);
		if (!kpage->_mapcount++)
			inc_zone_page_state(k->phys, kpage, NR_ANON_PAGES);
	} else {
		p = pte_mkdirty(pte_mkspecial(p)); /* dirty: one of ours */
		vm->ksm.zero_pages++;
		m->vma->vm_mm->rss[MM_ANONPAGES]--;
	}
	set_pte(vm, m->slot, p);
	vm_flush_page(vm, m->vma->vm_mm, m->addr);
	if (kpage)
		carry_mlock(k, m, kpage);
	page_remove_rmap(vm, m->page);
	if (!page_mapped(m->page))
		try_to_free_swap(&vm->swap, m->page);
	lru_put_page(&vm->lru, m->page);
}

enum merge_with { WITH_NOTHING_YET, WITH_KSM_PAGE, WITH_ZERO_PAGE };

/*
 * @page at @item's address merges with @kpage, becomes the KSM page itself, or gives way to the
 * zero page. 0; -EFAULT: not possible now.
 */
static int merge_one_page(struct ksm *k, struct vm_area_struct *v, const struct rmap_item *item,
			  struct page *page, enum merge_with with, struct page *kpage)
{
	struct merge m = {.vma = v, .addr = rmap_item_addr(item), .page = page};
	int r = -EFAULT;

	if (page == kpage) /* a KSM page seen through a fork */
		return 0;
	if (!PageAnon(page) || !trylock_page(page))
		return -EFAULT;
	if (write_protect_page(k, &m))
		goto out;
	if (with == WITH_NOTHING_YET) {
		set_page_stable_node(page, NULL);
		mark_page_accessed(&k->vm->lru, page);
		r = 0;
		goto out;
	}
	if (ksm_compare(k, page, kpage ? kpage : pfn_to_page(k->phys, k->vm->zero_pfn)))
		goto out;
	replace_page(k, &m, kpage);
	r = 0;
out:
	unlock_page(page);
	return r;
}

/* @kpage NULL: @page becomes one without a node. On success @item pins its anon_vma, and is in no
 * tree. */
static int merge_with_ksm_page(struct ksm *k, struct rmap_item *item, struct page *page,
			       struct page *kpage)
{
	struct vm_area_struct *v;
	int r = -EFAULT;

	if (!mmap_read_trylock(k->vm, item->mm))
		return r;
	v = ksm_mergeable_vma(k, item);
	if (v && !merge_one_page(k, v, item, page, kpage ? WITH_KSM_PAGE : WITH_NOTHING_YET, kpage)) {
		ksm_remove_from_tree(k, item);
		item->anon_vma = v->anon_vma;
		v->anon_vma->refcount++;
		r = 0;
	}
	mmap_read_unlock(k->vm, item->mm);
	return r;
}

/* Undoes a merge that got no node. */
static void break_cow(struct ksm *k, struct rmap_item *item)
{
	struct vm_area_struct *v;

	put_anon_vma(k->vm, item->anon_vma);
	item->anon_vma = NULL;
	if (!mmap_read_trylock(k->vm, item->mm)) {
		k->orphans++;
		return;
	}
	v = ksm_mergeable_vma(k, item);
	if (v && break_ksm(k->vm, v, rmap_item_addr(item)))
		k->orphans++;
	mmap_read_unlock(k->vm, item->mm);
}

static bool merge_two_pages(struct ksm *k, struct rmap_item *item, struct page *page,
			    struct rmap_item *tree_item, struct page *tree_page)
{
	if (merge_with_ksm_page(k, item, page, NULL))
		return false;
	if (!merge_with_ksm_page(k, tree_item, tree_page, page))
		return true;
	break_cow(k, item);
	return false;
}

static bool merge_with_zero_page(struct ksm *k, struct rmap_item *item, struct page *page)
{
	struct vm_area_struct *v;
	bool done;

	if (!k->use_zero_pages || item->oldchecksum != k->zero_checksum || !mmap_read_trylock(k->vm, item->mm))
		return false;
	v = ksm_mergeable_vma(k, item);
	done = !v || !merge_one_page(k, v, item, page, WITH_ZERO_PAGE, NULL);
	mmap_read_unlock(k->vm, item->mm);
	return done;
}

/* ---- the scan's step ---- */

/* @page's contents are those that @item was last summed for. */
static bool seen_before(struct ksm *k, const struct page *page)
{
	return k->mark && *k->mark & KSM_MARK_SUMMED &&
	       (*k->mark & KSM_MARK_VERSION) == hw_frame_version(k->hw, page_to_pfn(k->phys, page));
}

/* ksm_order=hash: the hash of @page, from @item where that still has it. Else 0: nobody asks. */
static u64 hash_of(struct ksm *k, const struct page *page, const struct rmap_item *item)
{
	if (!k->by_hash)
		return 0;
	return item->address & KSM_HASHED_FLAG && seen_before(k, page) ? item->hash
								       : ksm_hash_page(k, page);
}

/* The checksum of @page's contents against the one remembered, which it replaces. @item is in no
 * tree. */
static bool checksum_changed(struct ksm *k, const struct page *page, struct rmap_item *item,
			     u64 hash)
{
	bool seen = seen_before(k, page);
	u32 sum;

	if (k->by_hash) {
		item->hash = hash;
		item->address |= KSM_HASHED_FLAG;
	}
	if (seen)
		return false;
	sum = k->by_hash ? (u32)hash : ksm_checksum(k, page);
	if (k->mark)
		*k->mark = hw_frame_version(k->hw, page_to_pfn(k->phys, page)) | KSM_MARK_ITEM |
			   KSM_MARK_SUMMED;
	if (sum == item->oldchecksum)
		return false;
	item->oldchecksum = sum;
	return true;
}

static void insert_merged(struct ksm *k, struct page *kpage, u64 hash, struct rmap_item *tree_item,
			  struct rmap_item *item)
{
	struct stable_node *node = ksm_stable_insert(k, kpage, hash);

	if (node) {
		ksm_stable_append(k, tree_item, node);
		ksm_stable_append(k, item, node);
		return;
	}
	break_cow(k, tree_item);
	break_cow(k, item);
}

void ksm_cmp_and_merge(struct ksm *k, struct page *page, struct rmap_item *item)
{
	struct stable_node *node = page_stable_node(page);
	struct rmap_item *tree_item;
	struct page *kpage, *tree_page;
	u64 hash = 0;

	if (node) {
		if (node->place != KSM_MISPLACED && ksm_nid(k, page) != node->nid)
			ksm_misplace(k, node);
		if (node->place != KSM_MISPLACED && item->address & KSM_STABLE_FLAG &&
		    item->head == node)
			return;
	} else if (k->volatile_first) {
		hash = hash_of(k, page, item);
		ksm_remove_from_tree(k, item);
		if (checksum_changed(k, page, item, hash) || merge_with_zero_page(k, item, page))
			return;
	}
	if (node || !k->volatile_first)
		hash = hash_of(k, page, item);
	kpage = ksm_stable_search(k, page, hash);
	if (kpage == page && node && item->address & KSM_STABLE_FLAG && item->head == node) {
		lru_put_page(&k->vm->lru, kpage);
		return;
	}
	ksm_remove_from_tree(k, item);
	if (kpage) {
		if (!merge_with_ksm_page(k, item, page, kpage))
			ksm_stable_append(k, item, page_stable_node(kpage));
		lru_put_page(&k->vm->lru, kpage);
		return;
	}
	if (!k->volatile_first &&
	    (checksum_changed(k, page, item, hash) || merge_with_zero_page(k, item, page)))
		return;
	item->hash = k->by_hash ? hash : item->hash;
	tree_item = ksm_unstable_search_insert(k, item, page, &tree_page);
	if (!tree_item)
		return;
	if (merge_two_pages(k, item, page, tree_item, tree_page))
		insert_merged(k, page, hash, tree_item, item);
	lru_put_page(&k->vm->lru, tree_page);
}
