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

#include "core/vm/mmap.h"
#include "core/vm/page_lock.h"
#include "core/vm/rmap.h"
#include "core/vm/swapin.h"
#include "core/vm/vm.h"

struct entry_user { /* one swap entry in a page table */
	struct vm_area_struct *vma;
	vaddr_t addr;
	u32 next; /* index + 1 of the slot's next one */
};

struct unuse {
	struct vm *vm;
	struct swap_info_struct *si;
	struct vm_area_struct *vma; /* being walked */
	u32 *first;		    /* [max]: index + 1 into users */
	struct entry_user *users;
	u32 nr, cap;
};

static int note_user(struct unuse *u, u32 offset, vaddr_t addr)
{
	if (u->nr == u->cap) {
		u32 cap = u->cap ? u->cap * 2 : 1024;
		struct entry_user *grown = realloc(u->users, cap * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		u->users = grown;
		u->cap = cap;
	}
	u->users[u->nr] = (struct entry_user){u->vma, addr, u->first[offset]};
	u->first[offset] = ++u->nr;
	return 0;
}

static int note_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	struct unuse *u = arg;

	for (unsigned i = 0; i < n; i++) {
		pte_t p = get_pte(vm, slots, i);
		swp_entry_t e;

		if (!pte_is_swap(p) || is_migration_entry(p))
			continue;
		e = pte_to_swp_entry(p);
		if (swp_type(e) == u->si->type &&
		    note_user(u, swp_offset(e), va + ((u64)i << vm->page_shift)))
			return -ENOMEM;
	}
	return 0;
}

static int note_all(struct unuse *u)
{
	struct mm_struct *mm;

	u->nr = 0;
	list_for_each_entry(mm, &u->vm->mms, all)
		for_each_vma(mm, v) {
			u->vma = v;
			if (pte_range(u->vm, mm, v->vm_start, v->vm_end, note_leaf, u))
				return -ENOMEM;
		}
	return 0;
}

/* Maps @p, locked, where @user has its entry. */
static void unuse_pte(struct vm *vm, const struct entry_user *user, struct page *p, swp_entry_t e)
{
	struct vm_area_struct *v = user->vma;
	pt_slot *slot = pte_lookup(vm, v->vm_mm, user->addr);
	pte_t pte = pte_make((paddr_t)page_to_pfn(vm->phys, p) << vm->page_shift, v->vm_page_prot);

	BUG_ON(!slot);
	if (get_pte(vm, slot, 0).v != swp_entry_to_pte(e).v)
		return; /* gone since it was noted */
	v->vm_mm->rss[MM_SWAPENTS]--;
	v->vm_mm->rss[MM_ANONPAGES]++;
	get_page(p);
	set_pte(vm, slot, pte_mkold(pte));
	charge(vm->hw, COST_PTE_OP);
	page_add_anon_rmap(vm, p, v, user->addr, false);
	swap_free(&vm->swap, e);
	activate_page(&vm->lru, p); /* so that it does not go straight to another area */
}

/* Reads one slot back. 0, -ENOMEM, -EIO. */
static int unuse_slot(struct unuse *u, u32 offset)
{
	struct swap *sw = &u->vm->swap;
	swp_entry_t e = swp_entry(u->si->type, offset);
	struct page *p = read_swap_cache_async(sw, e, GFP_HIGHUSER_MOVABLE);
	int r = 0;

	if (!p)
		return u->si->swap_map[offset] ? -ENOMEM : 0;
	lock_page(u->vm, p);
	vm_wait_on_page_writeback(u->vm, p);
	if (!PageUptodate(p)) {
		r = -EIO;
		goto out;
	}
	for (u32 i = u->first[offset]; i; i = u->users[i - 1].next)
		unuse_pte(u->vm, &u->users[i - 1], p, e);
	if (PageSwapCache(p) && page_swp_entry(p).v == e.v && !swap_count(sw, e))
		delete_from_swap_cache(sw, p);
	SetPageDirty(p); /* its copy on the device goes */
out:
	unlock_page(p);
	lru_put_page(&u->vm->lru, p);
	return r;
}

/* One walk and one pass over the slots. */
static int unuse_pass(struct unuse *u)
{
	int r = note_all(u);

	for (u32 off = 1; !r && off < u->si->max; off++)
		if (swap_slot_in_use(u->si, off))
			r = unuse_slot(u, off);
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
	charge(vm->hw, COST_SYSCALL);
	return swap_area_add(&vm->swap, area);
}

int sys_swapoff(struct vm *vm, struct swap_info_struct *si)
{
	int r;

	charge(vm->hw, COST_SYSCALL);
	if (!si)
		return -EINVAL;
	if (vm_enough_memory(vm, si->pages))
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
