/* SPDX-License-Identifier: BSD-2-Clause */
/* madvise, and the mlock family, which walks VMAs the same way (spec 06 s8, 07 s7). Linux: mm/madvise.c, mm/mlock.c. */
#include <errno.h>

#include "core/backing/readahead.h"
#include "core/backing/shmem.h"
#include "core/vm/fault.h"
#include "core/vm/ksm_rmap.h"
#include "core/vm/lazyfree.h"
#include "core/vm/mmap.h"
#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"
#include "core/vm/swapin.h"
#include "core/vm/vm.h"

/* ---- madvise ---- */

/* Flags that @advice sets and clears; false if it changes no flags. */
static bool advice_flags(u32 advice, u32 *set, u32 *clear)
{
	*set = *clear = 0;
	switch (advice) {
	case MM_MADV_NORMAL:
		*clear = VM_RAND_READ | VM_SEQ_READ;
		return true;
	case MM_MADV_SEQUENTIAL:
		*set = VM_SEQ_READ;
		*clear = VM_RAND_READ;
		return true;
	case MM_MADV_RANDOM:
		*set = VM_RAND_READ;
		*clear = VM_SEQ_READ;
		return true;
	case MM_MADV_DONTFORK:
		*set = VM_DONTCOPY;
		return true;
	case MM_MADV_DOFORK:
		*clear = VM_DONTCOPY;
		return true;
	case MM_MADV_HUGEPAGE:
		*set = VM_HUGEPAGE;
		*clear = VM_NOHUGEPAGE;
		return true;
	case MM_MADV_NOHUGEPAGE:
		*set = VM_NOHUGEPAGE;
		*clear = VM_HUGEPAGE;
		return true;
	default:
		return false;
	}
}

/* Flags of @v after @advice, merging's side effects done. 0, 1 if @advice changes no flags, or -ENOMEM. */
static int advised_flags(struct vm *vm, struct vm_area_struct *v, vaddr_t start, vaddr_t end, u32 advice, u32 *flags)
{
	u32 set, clear;

	*flags = v->vm_flags;
	if (advice == MM_MADV_MERGEABLE || advice == MM_MADV_UNMERGEABLE)
		return ksm_madvise(vm, v, start, end, advice, flags);
	if (!advice_flags(advice, &set, &clear))
		return 1;
	*flags = (v->vm_flags | set) & ~clear;
	return 0;
}

/* Swapped-out pages of a leaf table into the swap cache. */
static int swapin_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	(void)arg;
	(void)va;
	for (unsigned i = 0; i < n; i++) {
		pte_t p = get_pte(vm, slots, i);
		struct page *page;

		if (!pte_is_swap(p) || is_migration_entry(p))
			continue;
		page = read_swap_cache_async(&vm->swap, pte_to_swp_entry(p), GFP_HIGHUSER_MOVABLE);
		if (page)
			lru_put_page(&vm->lru, page);
	}
	return 0;
}

/* Reads the range ahead: swapped-out pages, or the file's. Nothing that fails is an error. */
static int advise_willneed(struct vm *vm, struct vm_area_struct *v, vaddr_t start, vaddr_t end)
{
	u64 first = v->vm_pgoff + ((start - v->vm_start) >> vm->page_shift);
	u64 pages = (end - start) >> vm->page_shift;

	if (!v->vm_file)
		pte_range(vm, v->vm_mm, start, end, swapin_leaf, NULL);
	else if (v->vm_file->shmem)
		shmem_swapin_range(&vm->files, v->vm_file, first, first + pages - 1);
	else
		return force_page_cache_readahead(&vm->files, v->vm_file, first, pages);
	lru_add_drain(&vm->lru, vm->hw->cpu);
	return 0;
}

static int advise_remove(struct vm *vm, struct vm_area_struct *v, vaddr_t start, vaddr_t end)
{
	u64 first = v->vm_pgoff + ((start - v->vm_start) >> vm->page_shift);

	if (v->vm_flags & (VM_LOCKED | VM_HUGETLB) || !v->vm_file)
		return -EINVAL;
	if ((v->vm_flags & (VM_SHARED | VM_WRITE)) != (VM_SHARED | VM_WRITE))
		return -EACCES;
	return vm_punch_hole(vm, v->vm_file, first, first + ((end - start) >> vm->page_shift) - 1);
}

static int advise_vma(struct vm *vm, struct vm_area_struct *v, struct vm_area_struct **prev, vaddr_t start,
		      vaddr_t end, u32 advice)
{
	u32 flags;
	int r = advised_flags(vm, v, start, end, advice, &flags);

	*prev = v;
	if (r < 0)
		return r;
	if (!r) {
		if (flags == v->vm_flags)
			return 0;
		*prev = start > v->vm_start ? v : v->vm_prev;
		return vma_modify_flags(vm, v, start, end, flags, prev, &v);
	}
	if (advice == MM_MADV_WILLNEED)
		return advise_willneed(vm, v, start, end);
	if (advice == MM_MADV_REMOVE)
		return advise_remove(vm, v, start, end);
	if (advice == MM_MADV_FREE && vm->lazyfree)
		return madvise_free(vm, v, start, end);
	if (advice == MM_MADV_DONTNEED) {
		if (v->vm_flags & (VM_LOCKED | VM_HUGETLB | VM_PFNMAP))
			return -EINVAL;
		zap_range(vm, v->vm_mm, start, end);
	}
	return 0;
}

/* Advice the modelled kernel knows; later kernels know more. */
static bool advice_known(const struct vm *vm, u32 advice)
{
	switch (advice) {
	case MM_MADV_FREE:
		return vm->modern || vm->lazyfree;
	case MM_MADV_COLD:
	case MM_MADV_PAGEOUT:
	case MM_MADV_POPULATE_READ:
	case MM_MADV_POPULATE_WRITE:
	case MM_MADV_WIPEONFORK:
	case MM_MADV_KEEPONFORK:
		return vm->modern;
	default:
		return advice < MM_MADV_NOREUSE;
	}
}

s64 sys_madvise(struct vm *vm, struct task *t, vaddr_t addr, u64 len, u32 advice)
{
	u64 page = 1ull << vm->page_shift;
	struct vm_area_struct *v, *prev;
	vaddr_t end;
	s64 unmapped = 0;

	charge(vm->hw, COST_SYSCALL);
	if (!t->mm || !advice_known(vm, advice) || addr & (page - 1))
		return -EINVAL;
	len = ALIGN_UP(len, page);
	end = addr + len;
	if (end < addr)
		return -EINVAL;
	if (end == addr)
		return 0;
	for (v = find_vma_slow(vm, t->mm, addr); addr < end; v = prev->vm_next) {
		vaddr_t stop;
		int r;

		if (!v)
			return -ENOMEM;
		if (addr < v->vm_start) {
			unmapped = -ENOMEM;
			addr = v->vm_start;
			if (addr >= end)
				return unmapped;
		}
		stop = v->vm_end < end ? v->vm_end : end;
		r = advise_vma(vm, v, &prev, addr, stop, advice);
		if (r)
			return r;
		addr = stop > prev->vm_end ? stop : prev->vm_end;
	}
	return unmapped;
}

/* ---- pages of locked areas ---- */

void mlock_page(struct vm *vm, struct page *p)
{
	if (TestSetPageMlocked(p))
		return;
	inc_zone_page_state(vm->phys, p, NR_MLOCK);
	count_vm_event(vm->hw, vm->hw->cpu, EV_UNEVICTABLE_PGMLOCKED);
	if (!lru_isolate(&vm->lru, p))
		return;
	lru_add_unevictable(&vm->lru, p);
}

void mlock_new_page(struct vm *vm, struct page *p)
{
	SetPageMlocked(p);
	inc_zone_page_state(vm->phys, p, NR_MLOCK);
	count_vm_event(vm->hw, vm->hw->cpu, EV_UNEVICTABLE_PGMLOCKED);
	lru_add_unevictable(&vm->lru, p);
}

void munlock_page(struct vm *vm, struct page *p)
{
	if (!TestClearPageMlocked(p))
		return;
	dec_zone_page_state(vm->phys, p, NR_MLOCK);
	count_vm_event(vm->hw, vm->hw->cpu, EV_UNEVICTABLE_PGMUNLOCKED);
	if (!lru_isolate(&vm->lru, p))
		return;
	ClearPageUnevictable(p);
	lru_add_now(&vm->lru, p);
	count_vm_event(vm->hw, vm->hw->cpu, EV_UNEVICTABLE_PGRESCUED);
}

void clear_page_mlock(struct vm *vm, struct page *p)
{
	ClearPageMlocked(p);
	dec_zone_page_state(vm->phys, p, NR_MLOCK);
	count_vm_event(vm->hw, vm->hw->cpu, EV_UNEVICTABLE_PGCLEARED);
	if (lru_isolate(&vm->lru, p)) {
		ClearPageUnevictable(p);
		lru_add_now(&vm->lru, p);
	}
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

/* ---- mlock ---- */

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

static int do_mlock(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end, bool lock)
{
	struct vm_area_struct *v = find_vma_slow(vm, mm, start), *prev;

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

static void page_range_of(const struct vm *vm, vaddr_t addr, u64 len, vaddr_t *start, vaddr_t *end)
{
	u64 page = 1ull << vm->page_shift;

	*start = ALIGN_DOWN(addr, page);
	*end = *start + ALIGN_UP(len + (addr & (page - 1)), page);
}

s64 sys_mlock(struct vm *vm, struct task *t, vaddr_t addr, u64 len, u32 flags)
{
	u64 limit = vm->config->memlock_limit >> vm->page_shift;
	vaddr_t start, end;
	int r;

	charge(vm->hw, COST_SYSCALL);
	if (!t->mm || flags & ~(u32)MM_MLOCK_ONFAULT)
		return -EINVAL;
	if (!vm->config->memlock_limit)
		return -EPERM;
	page_range_of(vm, addr, len, &start, &end);
	if (t->mm->locked_vm + ((end - start) >> vm->page_shift) > limit)
		return -ENOMEM;
	if (end < start)
		return -EINVAL;
	if (end == start)
		return 0;
	r = do_mlock(vm, t->mm, start, end, true);
	if (r || flags & MM_MLOCK_ONFAULT)
		return r;
	return mm_populate(vm, t, start, end);
}

s64 sys_munlock(struct vm *vm, struct task *t, vaddr_t addr, u64 len)
{
	vaddr_t start, end;

	charge(vm->hw, COST_SYSCALL);
	page_range_of(vm, addr, len, &start, &end);
	if (!t->mm || end < start)
		return -EINVAL;
	return end == start ? 0 : do_mlock(vm, t->mm, start, end, false);
}

static void lock_all(struct vm *vm, struct task *t, bool lock)
{
	struct vm_area_struct *prev;

	for (struct vm_area_struct *v = t->mm->mmap; v; v = prev->vm_next)
		if (mlock_fixup(vm, v, &prev, v->vm_start, v->vm_end, lock))
			prev = v;
}

s64 sys_mlockall(struct vm *vm, struct task *t, u32 flags)
{
	charge(vm->hw, COST_SYSCALL);
	if (!t->mm || !flags || flags & ~(u32)(MM_MCL_CURRENT | MM_MCL_FUTURE | MM_MCL_ONFAULT))
		return -EINVAL;
	t->mm->def_flags = flags & MM_MCL_FUTURE ? t->mm->def_flags | VM_LOCKED : t->mm->def_flags & ~(u32)VM_LOCKED;
	if (!(flags & MM_MCL_CURRENT))
		return 0;
	lock_all(vm, t, true);
	if (!(flags & MM_MCL_ONFAULT))
		for_each_vma(t->mm, v)
			mm_populate(vm, t, v->vm_start, v->vm_end);
	return 0;
}

s64 sys_munlockall(struct vm *vm, struct task *t)
{
	charge(vm->hw, COST_SYSCALL);
	if (!t->mm)
		return -EINVAL;
	t->mm->def_flags &= ~(u32)VM_LOCKED;
	lock_all(vm, t, false);
	return 0;
}
