/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Locked memory (spec 06 s8): the system calls, which change VM_LOCKED and populate; and the pages,
 * which carry PG_mlocked and wait on the unevictable list. Linux: mm/mlock.c.
 *
 * A page is mlocked while some VM_LOCKED mapping holds it. Unlocking one of several mappings asks the
 * others (try_to_munlock); losing the last mapping by truncation clears the mark (clear_page_mlock).
 */
#include <errno.h>

#include "core/vm/fault.h"
#include "core/vm/mmap.h"
#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"
#include "core/vm/vm.h"

/* ---- pages ---- */

static void count(struct vm *vm, enum vm_event_item event)
{
	count_vm_event(vm->hw, vm->hw->cpu, event);
}

/* True if the page was not marked yet. */
static bool mark_mlocked(struct vm *vm, struct page *p)
{
	if (TestSetPageMlocked(p))
		return false;
	inc_zone_page_state(vm->phys, p, NR_MLOCK);
	count(vm, EV_UNEVICTABLE_PGMLOCKED);
	return true;
}

void mlock_page(struct vm *vm, struct page *p)
{
	if (mark_mlocked(vm, p) && !isolate_lru_page(&vm->lru, p))
		putback_lru_page(&vm->lru, p);
}

void mlock_new_page(struct vm *vm, struct page *p)
{
	mark_mlocked(vm, p);
	lru_add_unevictable(&vm->lru, p);
}

/* Does another VMA lock the isolated page? Then it is mlocked again. */
static bool locked_elsewhere(struct vm *vm, struct page *p)
{
	bool locked = TestSetPageLocked(p), found;

	found = page_mapcount(p) > 1 && try_to_munlock(vm, p) == SWAP_MLOCK;
	if (!locked)
		ClearPageLocked(p);
	return found;
}

void munlock_page(struct vm *vm, struct page *p)
{
	if (!TestClearPageMlocked(p))
		return;
	dec_zone_page_state(vm->phys, p, NR_MLOCK);
	if (isolate_lru_page(&vm->lru, p)) { /* on its way to the lists, or somebody else's just now */
		count(vm, PageUnevictable(p) ? EV_UNEVICTABLE_PGSTRANDED : EV_UNEVICTABLE_PGMUNLOCKED);
		return;
	}
	if (!locked_elsewhere(vm, p))
		count(vm, EV_UNEVICTABLE_PGMUNLOCKED);
	putback_lru_page(&vm->lru, p);
}

void clear_page_mlock(struct vm *vm, struct page *p)
{
	ClearPageMlocked(p);
	dec_zone_page_state(vm->phys, p, NR_MLOCK);
	count(vm, EV_UNEVICTABLE_PGCLEARED);
	if (!isolate_lru_page(&vm->lru, p))
		putback_lru_page(&vm->lru, p);
	else if (PageUnevictable(p))
		count(vm, EV_UNEVICTABLE_PGSTRANDED);
}

static int lock_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	bool lock = *(bool *)arg;

	(void)va;
	for (unsigned i = 0; i < n; i++) {
		pte_t p = get_pte(vm, slots, i);
		struct page *page = pte_present(p) ? vm_normal_page(vm, p) : NULL;

		if (page && lock)
			mlock_page(vm, page);
		else if (page)
			munlock_page(vm, page);
	}
	return 0;
}

static void lock_range(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end, bool lock)
{
	lru_add_drain(&vm->lru, vm->hw->cpu); /* pages in batches have no list to move from */
	pte_range(vm, mm, start, end, lock_leaf, &lock);
}

void mlock_range(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end)
{
	lock_range(vm, mm, start, end, true);
}

void munlock_range(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end)
{
	lock_range(vm, mm, start, end, false);
}

/* ---- populate ---- */

/* From the first VMA on; stops at the first error, unless they are to be ignored. */
static int populate(struct vm *vm, struct task *t, vaddr_t start, vaddr_t end, bool ignore_errors)
{
	struct vm_area_struct *v;
	int r = 0;

	mmap_read_lock(vm, t->mm);
	v = find_vma_slow(vm, t->mm, start);
	for (; v && v->vm_start < end && (!r || ignore_errors); v = v->vm_next)
		r = populate_vma_range(vm, t, v, v->vm_start > start ? v->vm_start : start,
				       v->vm_end < end ? v->vm_end : end);
	mmap_read_unlock(vm, t->mm);
	return r;
}

void mm_populate(struct vm *vm, struct task *t, vaddr_t start, vaddr_t end)
{
	might_sleep(vm->hw);
	populate(vm, t, start, end, true);
}

/* ---- system calls ---- */

static int mlock_fixup(struct vm *vm, struct vm_area_struct *v, struct vm_area_struct **prev, vaddr_t start,
		       vaddr_t end, bool lock)
{
	u32 flags = lock ? v->vm_flags | VM_LOCKED : v->vm_flags & ~(u32)VM_LOCKED;
	int r;

	if (flags == v->vm_flags || v->vm_flags & (VM_SPECIAL | VM_HUGETLB)) {
		*prev = v;
		return 0;
	}
	*prev = start > v->vm_start ? v : v->vm_prev;
	r = vma_modify_flags(vm, v, start, end, flags, prev, &v);
	if (r)
		return r;
	if (!lock)
		munlock_range(vm, v->vm_mm, start, end);
	return 0;
}

static int lock_vmas(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end, bool lock)
{
	struct vm_area_struct *v, *prev;

	v = find_vma_slow(vm, mm, start);
	if (!v || v->vm_start > start)
		return -ENOMEM;
	for (;;) {
		vaddr_t stop = v->vm_end < end ? v->vm_end : end;
		int r = mlock_fixup(vm, v, &prev, start, stop, lock);

		if (r)
			return r;
		start = stop > prev->vm_end ? stop : prev->vm_end;
		if (start >= end)
			return 0;
		v = prev->vm_next;
		if (!v || v->vm_start != start)
			return -ENOMEM;
	}
}

static int do_mlock(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end, bool lock)
{
	int r;

	if (end < start)
		return -EINVAL;
	if (end == start)
		return 0;
	mmap_write_lock(vm, mm);
	r = lock_vmas(vm, mm, start, end, lock);
	mmap_write_unlock(vm, mm);
	return r;
}

/* The pages that [addr, addr + len) touches. */
static void page_range_of(const struct vm *vm, vaddr_t addr, u64 len, vaddr_t *start, vaddr_t *end)
{
	*start = ALIGN_DOWN(addr, 1ull << vm->page_shift);
	*end = *start + page_align(vm, len + (addr - *start));
}

s64 sys_mlock(struct vm *vm, struct task *t, vaddr_t addr, u64 len, u32 flags)
{
	vaddr_t start, end;
	int r;

	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	if (!t->mm || flags & ~(u32)MM_MLOCK_ONFAULT)
		return -EINVAL;
	if (!vm->config->memlock_limit)
		return -EPERM;
	lru_add_drain_all(&vm->lru);
	page_range_of(vm, addr, len, &start, &end);
	if (over_memlock(vm, t->mm, (end - start) >> vm->page_shift))
		return -ENOMEM;
	r = do_mlock(vm, t->mm, start, end, true);
	if (r || flags & MM_MLOCK_ONFAULT)
		return r;
	return populate(vm, t, start, end, false);
}

s64 sys_munlock(struct vm *vm, struct task *t, vaddr_t addr, u64 len)
{
	vaddr_t start, end;

	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	page_range_of(vm, addr, len, &start, &end);
	return t->mm ? do_mlock(vm, t->mm, start, end, false) : -EINVAL;
}

/* VMAs that cannot be changed for want of memory stay as they are. */
static void lock_all(struct vm *vm, struct task *t, bool lock)
{
	struct vm_area_struct *prev;

	mmap_write_lock(vm, t->mm);
	for (struct vm_area_struct *v = t->mm->mmap; v; v = prev->vm_next)
		if (mlock_fixup(vm, v, &prev, v->vm_start, v->vm_end, lock))
			prev = v;
	mmap_write_unlock(vm, t->mm);
}

s64 sys_mlockall(struct vm *vm, struct task *t, u32 flags)
{
	struct mm_struct *mm = t->mm;

	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	if (!mm || !flags || flags & ~(u32)(MM_MCL_CURRENT | MM_MCL_FUTURE | MM_MCL_ONFAULT))
		return -EINVAL;
	if (!vm->config->memlock_limit)
		return -EPERM;
	if (flags & MM_MCL_CURRENT && mm->total_vm > vm->config->memlock_limit >> vm->page_shift)
		return -ENOMEM;
	mm->def_flags = flags & MM_MCL_FUTURE ? mm->def_flags | VM_LOCKED : mm->def_flags & ~(u32)VM_LOCKED;
	if (!(flags & MM_MCL_CURRENT))
		return 0;
	lru_add_drain_all(&vm->lru);
	lock_all(vm, t, true);
	if (!(flags & MM_MCL_ONFAULT))
		mm_populate(vm, t, 0, vm->task_size);
	return 0;
}

s64 sys_munlockall(struct vm *vm, struct task *t)
{
	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	if (!t->mm)
		return -EINVAL;
	t->mm->def_flags &= ~(u32)VM_LOCKED;
	lock_all(vm, t, false);
	return 0;
}
