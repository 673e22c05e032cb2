/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * swapon and swapoff (spec 08 s6). Linux: mm/swapfile.c.
 *
 * swapoff reads back every slot in use, in order, and puts the page where entries name it. Who they
 * are is collected first, in one walk over all page tables, so that the cost is that of the tables
 * and the slots, not of their product. While pages are read back reclaim may unmap pages that were
 * cached already, so the walk is repeated until no slot is in use; none is taken anew meanwhile.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/backing/shmem.h"
#include "core/phys/page_alloc.h"
#include "core/vm/fork.h"
#include "core/vm/ksm_rmap.h"
#include "core/vm/mmap.h"
#include "core/vm/page_lock.h"
#include "core/vm/rmap.h"
#include "core/vm/swapin.h"
#include "core/vm/vm.h"
#include "core/vm/vma.h"

struct entry_user { /* who names a slot: a page table, or a file of shared memory */
	struct vm_area_struct *vma;
	struct vm_file *file;
	u64 at;   /* address; index in the file */
	u32 next; /* index + 1 of the slot's next one */
};

struct unuse {
	struct vm *vm;
	struct swap_info_struct *si;
	struct vm_area_struct *vma; /* being walked */
	u32 *first;                 /* [max]: index + 1 into users */
	struct entry_user *users;
	u32 nr, cap;
};

static int note_user(struct unuse *u, swp_entry_t e, struct entry_user who)
{
	u32 *first = &u->first[swp_offset(e)];

	if (swp_type(e) != u->si->type)
		return 0;
	if (u->nr == u->cap) {
		u32 cap = u->cap ? u->cap * 2 : 1024;
		struct entry_user *grown = realloc(u->users, cap * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		u->users = grown;
		u->cap = cap;
	}
	who.next = *first;
	u->users[u->nr] = who;
	*first = ++u->nr;
	return 0;
}

static int note_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	struct unuse *u = arg;

	for (unsigned i = 0; i < n; i++) {
		pte_t p = get_pte(vm, slots, i);
		struct entry_user who = {.vma = u->vma, .at = va + ((u64)i << vm->page_shift)};

		if (pte_is_swap(p) && !is_migration_entry(p) && note_user(u, pte_to_swp_entry(p), who))
			return -ENOMEM;
	}
	return 0;
}

static int note_file(struct unuse *u, struct vm_file *f)
{
	u64 index = 0, entry;

	for (; (entry = xa_next(&f->mapping.pages, &index, UINT64_MAX)); index++)
		if (xa_is_value(entry) &&
		    note_user(u, shmem_entry_swap(entry), (struct entry_user){.file = f, .at = index}))
			return -ENOMEM;
	return 0;
}

static int note_mm(struct unuse *u, struct mm_struct *mm)
{
	int r = 0;

	mmap_read_lock(u->vm, mm);
	for_each_vma(mm, v) {
		u->vma = v;
		r = pte_range(u->vm, mm, v->vm_start, v->vm_end, note_leaf, u);
		if (r)
			break;
	}
	mmap_read_unlock(u->vm, mm);
	return r;
}

static int note_all(struct unuse *u)
{
	struct mm_struct *mm;
	struct vm_file *f;

	u->nr = 0;
	list_for_each_entry(mm, &u->vm->mms, all) {
		int r = note_mm(u, mm);

		if (r)
			return r;
	}
	list_for_each_entry(f, &u->vm->files.files, all)
		if (f->shmem && note_file(u, f))
			return -ENOMEM;
	return 0;
}

/* Who was noted must not go while pages are read: memory pressure may kill tasks meanwhile. */
static void pin_all(struct vm *vm)
{
	struct mm_struct *mm;
	struct vm_file *f;

	list_for_each_entry(mm, &vm->mms, all)
		mm->mm_users++;
	list_for_each_entry(f, &vm->files.files, all)
		filemap_get(f);
}

static void unpin_all(struct vm *vm)
{
	struct mm_struct *mm, *next_mm;
	struct vm_file *f, *next_file;

	list_for_each_entry_safe(mm, next_mm, &vm->mms, all)
		mm_put(vm, mm);
	list_for_each_entry_safe(f, next_file, &vm->files.files, all)
		filemap_put(&vm->files, f);
}

/* The page to map for @user: locked @p, or a copy if other mappings than this one own it (KSM). */
static struct page *page_for(struct vm *vm, const struct entry_user *user, struct page *p)
{
	struct page *copy;

	if (MM_LIKELY(!ksm_might_need_to_copy(vm, p, user->vma, user->at))) {
		get_page(p);
		return p;
	}
	copy = anon_vma_prepare(vm, user->vma) ? NULL : alloc_page(vm->phys, vm->hw->cpu, GFP_HIGHUSER_MOVABLE);
	if (copy) {
		hw_copy_frame(vm->hw, page_to_pfn(vm->phys, copy), page_to_pfn(vm->phys, p));
		SetPageDirty(copy);
	}
	return copy;
}

/* Maps @p, locked, where @user has its entry. 0 or -ENOMEM. */
static int unuse_pte(struct vm *vm, const struct entry_user *user, struct page *p, swp_entry_t e)
{
	struct vm_area_struct *v = user->vma;
	pt_slot *slot = pte_lookup(vm, v->vm_mm, user->at);
	struct page *mine;
	pte_t pte;

	BUG_ON(!slot);
	if (get_pte(vm, slot, 0).v != swp_entry_to_pte(e).v)
		return 0; /* gone since it was noted */
	mine = page_for(vm, user, p);
	if (!mine)
		return -ENOMEM;
	pte = pte_make((paddr_t)page_to_pfn(vm->phys, mine) << vm->page_shift, v->vm_page_prot);
	v->vm_mm->rss[MM_SWAPENTS]--;
	v->vm_mm->rss[MM_ANONPAGES]++;
	set_pte(vm, slot, pte_mkold(pte));
	charge(vm->hw, COST_PTE_OP);
	if (mine == p)
		page_add_anon_rmap(vm, p, v, user->at, false);
	else
		page_add_new_anon_rmap(vm, mine, v, user->at);
	swap_free(&vm->swap, e);
	activate_page(&vm->lru, mine); /* so that it does not go straight to another area */
	return 0;
}

/* A page of shared memory goes back into its file. 0, -ENOMEM, -EIO. */
static int unuse_file(struct vm *vm, const struct entry_user *user, swp_entry_t e)
{
	struct page *p;
	int r;

	if (xa_load(&user->file->mapping.pages, user->at) != shmem_swap_entry(e))
		return 0;
	r = shmem_read_page(&vm->files, user->file, user->at, &p);
	if (!r && p)
		lru_put_page(&vm->lru, p);
	return r;
}

/* Reads one slot back for the page tables that name it. 0, -ENOMEM, -EIO. */
static int unuse_mapped(struct unuse *u, u32 offset)
{
	struct swap *sw = &u->vm->swap;
	swp_entry_t e = swp_entry(u->si->type, offset);
	struct page *p = read_swap_cache_async(sw, e, GFP_HIGHUSER_MOVABLE);
	int r = 0;

	if (!p)
		return u->si->swap_map[offset] ? -ENOMEM : 0;
	lock_page(u->vm, p);
	vm_wait_on_page_writeback(u->vm, p);
	if (!PageUptodate(p))
		r = -EIO;
	for (u32 i = u->first[offset]; i && !r; i = u->users[i - 1].next) {
		struct mm_struct *mm = u->users[i - 1].vma->vm_mm;

		BUG_ON(!mmap_read_trylock(u->vm, mm)); /* under the page lock; swapoff is alone with its tasks */
		r = unuse_pte(u->vm, &u->users[i - 1], p, e);
		mmap_read_unlock(u->vm, mm);
	}
	if (!r) {
		if (PageSwapCache(p) && page_swp_entry(p).v == e.v && !swap_count(sw, e))
			delete_from_swap_cache(sw, p);
		SetPageDirty(p); /* its copy on the device goes */
	}
	unlock_page(p);
	lru_put_page(&u->vm->lru, p);
	return r;
}

static int unuse_slot(struct unuse *u, u32 offset)
{
	const struct entry_user *first = u->first[offset] ? &u->users[u->first[offset] - 1] : NULL;

	if (first && first->file)
		return unuse_file(u->vm, first, swp_entry(u->si->type, offset));
	return unuse_mapped(u, offset);
}

/* One walk and one pass over the slots. */
static int unuse_pass(struct unuse *u)
{
	int r = note_all(u);

	pin_all(u->vm);
	for (u32 off = 1; !r && off < u->si->max; off++)
		if (swap_slot_in_use(u->si, off))
			r = unuse_slot(u, off);
	unpin_all(u->vm);
	hw_zero_lazy(u->first, swap_table_bytes(&u->vm->swap, u->si));
	return r;
}

static int try_to_unuse(struct vm *vm, struct swap_info_struct *si)
{
	struct unuse u = {
		.vm = vm, .si = si, .first = hw_map_lazy(swap_table_bytes(&vm->swap, si))};
	u32 left;
	int r = u.first ? 0 : -ENOMEM;

	for (left = si->inuse_pages; !r && left; left = si->inuse_pages) {
		r = unuse_pass(&u);
		swap_slots_drain(&vm->swap);
		BUG_ON(!r && si->inuse_pages >= left);
	}
	if (u.first)
		hw_unmap_lazy(u.first, swap_table_bytes(&vm->swap, si));
	free(u.users);
	return r;
}

int sys_swapon(struct vm *vm, const struct swap_area *area)
{
	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	return swap_area_add(&vm->swap, area);
}

int sys_swapoff(struct vm *vm, struct swap_info_struct *si)
{
	int r;

	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	if (!si)
		return -EINVAL;
	if (vm_enough_memory(vm, NULL, si->pages))
		return -ENOMEM;
	vm->committed -= si->pages;
	swap_area_disable(&vm->swap, si);
	r = try_to_unuse(vm, si);
	if (r)
		swap_area_enable(&vm->swap, si);
	else
		swap_area_remove(&vm->swap, si);
	return r;
}
