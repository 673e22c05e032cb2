/* SPDX-License-Identifier: BSD-2-Clause */
/* madvise (spec 07 s7). Linux: mm/madvise.c; left out: memory failure injection, hole punching. */
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
	case MM_MADV_DONTDUMP:
		*set = VM_DONTDUMP;
		return true;
	case MM_MADV_DODUMP:
		*clear = VM_DONTDUMP;
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
	if (advice == MM_MADV_DOFORK && v->vm_flags & VM_IO)
		return -EINVAL;
	if (advice == MM_MADV_DODUMP && v->vm_flags & VM_SPECIAL)
		return -EINVAL;
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

/* Advice that leaves the VMAs as they are is content with mmap_sem for reading. */
static bool only_reads(u32 advice)
{
	return advice == MM_MADV_REMOVE || advice == MM_MADV_WILLNEED || advice == MM_MADV_DONTNEED ||
	       advice == MM_MADV_FREE;
}

/* [addr, end) is not empty. */
static s64 advise_range(struct vm *vm, struct task *t, vaddr_t addr, vaddr_t end, u32 advice)
{
	struct vm_area_struct *v, *prev;
	s64 unmapped = 0;

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

s64 sys_madvise(struct vm *vm, struct task *t, vaddr_t addr, u64 len, u32 advice)
{
	u64 pages_len = page_align(vm, len);
	vaddr_t end = addr + pages_len;
	s64 r;

	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	if (!t->mm || !advice_known(vm, advice) || page_unaligned(vm, addr))
		return -EINVAL;
	if ((len && !pages_len) || end < addr)
		return -EINVAL;
	if (end == addr)
		return 0;
	if (only_reads(advice)) {
		mmap_read_lock(vm, t->mm);
		r = advise_range(vm, t, addr, end, advice);
		mmap_read_unlock(vm, t->mm);
		return r;
	}
	mmap_write_lock(vm, t->mm);
	r = advise_range(vm, t, addr, end, advice);
	mmap_write_unlock(vm, t->mm);
	return r;
}
