/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One page on the move (spec 10 s1):
 *
 *   old: isolated, locked -> mappings become entries -> count is what is expected
 *     -> the cache's slot names new -> contents and flags -> entries become mappings of new ->
 * unlock
 *
 * Anything that goes wrong before the contents move puts the old page's mappings back.
 */
#include "core/reclaim/migrate.h"

#include <errno.h>
#include <inttypes.h>

#include "core/backing/pageio.h"
#include "core/hw/events.h"
#include "core/phys/page_alloc.h"
#include "core/vm/ksm_rmap.h"
#include "core/vm/page_lock.h"
#include "core/vm/rmap.h"
#include "core/vm/swapin.h"

#define MAX_PASSES 10
#define FORCE_PASS 3 /* first one that may wait */

/* ---- isolated pages ---- */

MM_INLINE void count_isolated(const struct vm *vm, const struct page *p, s64 n)
{
	mod_zone_page_state(page_zone(vm->phys, p),
			    page_is_file_cache(p) ? NR_ISOLATED_FILE : NR_ISOLATED_ANON, n);
}

int isolate_for_migration(struct vm *vm, struct page *p, struct page_list *to)
{
	int r = isolate_lru_page(&vm->lru, p);

	if (r)
		return r;
	count_isolated(vm, p, 1);
	plist_add_head(vm->phys->memmap, to, p);
	return 0;
}

MM_INLINE void putback(struct vm *vm, struct page_list *from, struct page *p)
{
	plist_del(vm->phys->memmap, from, p);
	count_isolated(vm, p, -1);
	putback_lru_page(&vm->lru, p);
}

void putback_movable_pages(struct vm *vm, struct page_list *from)
{
	struct page *p;

	while ((p = plist_first(vm->phys->memmap, from)))
		putback(vm, from, p);
}

/* ---- mappings ---- */

/* The descriptor of @new where the old page was mapped: not young, not dirty, writable if it was and may be. */
MM_INLINE pte_t moved_pte(const struct vm *vm, const struct page *new, const struct vm_area_struct *v, bool write)
{
	pte_t pte = pte_make((paddr_t)page_to_pfn(vm->phys, new) << vm->page_shift, v->vm_page_prot);

	pte = pte_mkold(pte);
	return write && v->vm_flags & VM_WRITE ? pte_mkwrite(pte) : pte;
}

static void map_again(struct vm *vm, struct page *new, const struct vm_area_struct *v, vaddr_t addr,
		      pt_slot *slot, bool write)
{
	get_page(new);
	set_pte(vm, slot, moved_pte(vm, new, v, write));
	charge(vm->hw, COST_PTE_OP);
	if (PageAnon(new))
		page_add_anon_rmap(vm, new, v, addr, false);
	else
		page_add_file_rmap(vm, new);
	if (MM_UNLIKELY(v->vm_flags & VM_LOCKED)) /* the last unmapping took the flag away */
		mlock_page(vm, new);
}

/* arg: the old page. */
static int remove_migration_pte(struct vm *vm, struct page *new, struct vm_area_struct *v,
				vaddr_t addr, void *arg)
{
	pt_slot *slot = pte_lookup(vm, v->vm_mm, addr);
	pte_t p = slot ? get_pte(vm, slot, 0) : (pte_t){0};

	if (is_migration_entry(p) && migration_entry_to_page(vm, p) == arg)
		map_again(vm, new, v, addr, slot, is_write_migration_entry(p));
	return SWAP_AGAIN;
}

static void remove_migration_ptes(struct vm *vm, struct page *old, struct page *new)
{
	rmap_walk(vm, new,
		  &(struct rmap_walk_control){.arg = old, .rmap_one = remove_migration_pte});
}

/* ---- from frame to frame ---- */

/* The cache's slot names @new from now on, if nobody but the cache and the isolator uses @old. */
static int move_mapping(struct vm *vm, struct page *old, struct page *new)
{
	bool cached = PageSwapCache(old) || page_mapping(old);

	if (page_count(old) != 1 + cached)
		return -EAGAIN;
	if (PageSwapCache(old))
		swap_cache_replace(&vm->swap, old, new);
	else if (cached)
		page_cache_replace(&vm->files, old, new);
	return 0;
}

/* The dirty state goes along, and so does the count of dirty pages, from zone to zone. */
MM_INLINE void move_dirty(struct vm *vm, struct page *old, struct page *new)
{
	const struct address_space *m = page_mapping(new);

	if (!TestClearPageDirty(old))
		return;
	SetPageDirty(new);
	if (!m || m->kind != MAPPING_DISK)
		return;
	dec_zone_page_state(vm->phys, old, NR_FILE_DIRTY);
	inc_zone_page_state(vm->phys, new, NR_FILE_DIRTY);
}

MM_INLINE void migrate_page_copy(struct vm *vm, struct page *old, struct page *new)
{
	const u32 kept = 1u << PG_error | 1u << PG_referenced | 1u << PG_uptodate |
			 1u << PG_owner_priv_1 | 1u << PG_mappedtodisk | 1u << PG_workingset;
	const u32 moved = 1u << PG_active | 1u << PG_unevictable;

	hw_copy_frame(vm->hw, page_to_pfn(vm->phys, new), page_to_pfn(vm->phys, old));
	new->flags |= old->flags &(kept | moved);
	old->flags &= ~moved;
	move_dirty(vm, old, new);
}

/* A disk file's pages can move dirty; a mapping that cannot move them has them written first. */
static int fallback_migrate(struct migrate_op *op)
{
	struct vm *vm = op->vm;

	if (!PageDirty(op->page))
		return 0;
	if (op->mode != MIGRATE_SYNC)
		return -EBUSY;
	clear_page_dirty(&vm->files, op->page);
	write_page(&vm->files, op->page); /* unlocks */
	lock_page(vm, op->page);
	return -EAGAIN;
}

static int move_to_new_page(struct migrate_op *op)
{
	struct page *old = op->page, *new = op->newpage;
	const struct address_space *m = page_mapping(old);
	int r = 0;

	if (page_mapped(old))
		return -EAGAIN;
	if (m && !PageSwapCache(old) && m->flags & AS_NO_MIGRATE)
		r = fallback_migrate(op);
	if (!r) {
		new->index = old->index;
		if (PageSwapBacked(old))
			SetPageSwapBacked(new);
		r = move_mapping(op->vm, old, new);
	}
	if (!r) {
		if (!m)
			new->mapping = old->mapping;
		if (MM_UNLIKELY(PageKsm(new)))
			ksm_migrate_page(op->vm, new, old);
		migrate_page_copy(op->vm, old, new);
	}
	return r;
}

/* ---- one page in steps ---- */

void migrate_op_start(struct migrate_op *op, struct vm *vm, struct page *page, struct page *newpage,
		      enum migrate_mode mode)
{
	*op = (struct migrate_op){.vm = vm,
				  .page = page,
				  .newpage = newpage,
				  .mode = mode,
				  .at = MIGRATE_AT_START,
				  .result = -EAGAIN};
}

/* The lock, as far as mode and @force allow. 0 or -EAGAIN. */
static int lock_for_migration(struct migrate_op *op, bool force)
{
	struct vm *vm = op->vm;

	if (trylock_page(op->page))
		return 0;
	if (!force || op->mode == MIGRATE_ASYNC || vm->phys->cpus[vm->hw->cpu].pf_memalloc)
		return -EAGAIN;
	lock_page(vm, op->page);
	return 0;
}

/* Write-back ended, waited for if mode and @force allow. 0, -EBUSY, -EAGAIN. */
static int settle_writeback(struct migrate_op *op, bool force)
{
	if (!PageWriteback(op->page))
		return 0;
	if (op->mode != MIGRATE_SYNC)
		return -EBUSY;
	if (!force)
		return -EAGAIN;
	vm_wait_on_page_writeback(op->vm, op->page);
	return 0;
}

/* Locks and unmaps; what is left is to move. A page that cannot go on is unlocked again. */
static int unmap_for_migration(struct migrate_op *op, bool force)
{
	struct page *p = op->page;
	int r = lock_for_migration(op, force);

	if (r)
		return r;
	r = settle_writeback(op, force);
	if (r)
		goto unlock;
	if (PageAnon(p) && !PageKsm(p)) {
		op->anon_vma = page_get_anon_vma(p);
		if (!op->anon_vma && !PageSwapCache(p)) {
			r = -EAGAIN; /* unmapped by now: nobody will find it by its anon_vma */
			goto unlock;
		}
	}
	if (page_mapped(p)) {
		try_to_unmap(op->vm, p, TTU_MIGRATION | TTU_IGNORE_MLOCK | TTU_IGNORE_ACCESS);
		op->was_mapped = true;
	}
	return 0;
unlock:
	unlock_page(p);
	return r;
}

/* Mappings name the new page, or the old one again. */
static void restore_mappings(struct migrate_op *op)
{
	if (op->was_mapped)
		remove_migration_ptes(op->vm, op->page, op->result ? op->page : op->newpage);
	if (!op->result)
		op->page->mapping = 0;
	if (op->anon_vma)
		put_anon_vma(op->vm, op->anon_vma);
	unlock_page(op->newpage);
	unlock_page(op->page);
}

enum migrate_point migrate_op_step(struct migrate_op *op, bool force)
{
	switch (op->at) {
	case MIGRATE_AT_START:
		op->result = unmap_for_migration(op, force);
		op->at = op->result ? MIGRATE_AT_END : MIGRATE_AT_UNMAPPED;
		break;
	case MIGRATE_AT_UNMAPPED:
		BUG_ON(!trylock_page(op->newpage));
		op->result = move_to_new_page(op);
		op->at = MIGRATE_AT_MOVED;
		break;
	case MIGRATE_AT_MOVED:
		restore_mappings(op);
		op->at = MIGRATE_AT_END;
		break;
	case MIGRATE_AT_END:
		break;
	}
	return op->at;
}

/* ---- a list of pages ---- */

static void return_new_page(const struct migrate_request *rq, struct page *p)
{
	if (rq->put_new_page) {
		ClearPageSwapBacked(p);
		rq->put_new_page(p, rq->private);
	} else {
		putback_lru_page(&rq->vm->lru, p);
	}
}

/* The one mapping of an anonymous page goes over, with its reference, and its count between zones. */
static void move_mapcount(struct vm *vm, struct page *old, struct page *new)
{
	old->_mapcount = 0;
	old->_count--;
	new->_mapcount = 1;
	new->_count++;
	if (MM_LIKELY(!((old->flags ^ new->flags) >> PAGE_ZONE_SHIFT)))
		return;
	dec_zone_page_state(vm->phys, old, NR_ANON_PAGES);
	inc_zone_page_state(vm->phys, new, NR_ANON_PAGES);
}

/*
 * The common page: anonymous, mapped once, held by nobody else, nothing going on with it. Then all steps succeed,
 * so that its descriptor is looked for once and goes from the old frame to the new one at once; everything is
 * counted and charged as migrate_op_step() would.
 */
static bool move_simple_page(struct vm *vm, struct page *old, struct page *new)
{
	const u32 doubtful = 1u << PG_locked | 1u << PG_writeback | 1u << PG_swapcache | 1u << PG_mlocked |
			     1u << PG_swapbacked;
	struct page_mapping at;

	if (old->_count != 2 || old->_mapcount != 1 || (old->flags & doubtful) != 1u << PG_swapbacked ||
	    (old->mapping & PAGE_MAPPING_FLAGS) != PAGE_MAPPING_ANON)
		return false;
	if (!page_find_mapping(vm, old, &at))
		return false;
	count_flush(vm, at.vma->vm_mm, at.addr);
	if (pte_dirty(at.pte))
		SetPageDirty(old);
	charge_n(vm->hw, COST_PTE_OP, 2);
	new->index = old->index;
	new->mapping = old->mapping;
	SetPageSwapBacked(new);
	migrate_page_copy(vm, old, new);
	set_pte(vm, at.slot, moved_pte(vm, new, at.vma, pte_write(at.pte)));
	move_mapcount(vm, old, new);
	old->mapping = 0;
	if (MM_UNLIKELY(at.vma->vm_flags & VM_LOCKED))
		mlock_page(vm, new);
	return true;
}

static int move_in_steps(const struct migrate_request *rq, struct page *p, struct page *new, bool force)
{
	struct migrate_op op;

	migrate_op_start(&op, rq->vm, p, new, rq->mode);
	while (migrate_op_step(&op, force) != MIGRATE_AT_END)
		;
	return op.result;
}

/* 0: migrated, or found free; -ENOMEM; -EAGAIN: try again; else it never will be. */
static int unmap_and_move(const struct migrate_request *rq, struct page_list *from, struct page *p,
			  bool force)
{
	struct page *new = rq->get_new_page(p, rq->private);
	int r = 0;

	if (!new)
		return -ENOMEM;
	/* else all others let go of it meanwhile */
	if ((page_count(p) > 1 || page_mapped(p)) && (rq->in_steps || !move_simple_page(rq->vm, p, new)))
		r = move_in_steps(rq, p, new, force);
	if (r != -EAGAIN)
		putback(rq->vm, from, p);
	if (r)
		return_new_page(rq, new);
	else
		putback_lru_page(&rq->vm->lru, new);
	return r;
}

struct tally {
	u64 succeeded, failed, retry;
};

/* One attempt at every page. 0 or -ENOMEM. */
static int one_pass(const struct migrate_request *rq, struct page_list *from, bool force,
		    struct tally *t)
{
	struct page *map = rq->vm->phys->memmap, *p = plist_first(map, from), *next;

	t->retry = 0;
	for (; p; p = next) {
		int r;

		next = plist_next(map, p);
		r = unmap_and_move(rq, from, p, force);
		if (r == -ENOMEM)
			return r;
		if (r == -EAGAIN)
			t->retry++;
		else if (!r)
			t->succeeded++;
		else
			t->failed++;
	}
	return 0;
}

int migrate_pages(const struct migrate_request *rq, struct page_list *from)
{
	struct hw *hw = rq->vm->hw;
	struct tally t = {.retry = 1};
	int r = 0;

	might_sleep(rq->vm->hw);
	for (int pass = 0; pass < MAX_PASSES && t.retry && !r; pass++)
		r = one_pass(rq, from, pass >= FORCE_PASS, &t);
	count_vm_events(hw, hw->cpu, EV_PGMIGRATE_SUCCESS, t.succeeded);
	count_vm_events(hw, hw->cpu, EV_PGMIGRATE_FAIL, t.failed);
	trace_event(hw, EVENT_MIGRATE_PAGES, (s64)t.succeeded, (s64)t.failed, rq->mode, rq->reason);
	return r ? r : (int)(t.failed + t.retry);
}
