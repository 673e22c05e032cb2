/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmap, munmap, brk (spec 06 s5 to s7). Linux: mm/mmap.c; left out: hugetlb, 32-bit hints, per-file
 * permissions (recorded files were openable; errors of that kind come from the trace).
 */
#include <errno.h>

#include "core/vm/fault.h"
#include "core/vm/ksm_rmap.h"
#include "core/vm/mmap.h"
#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"
#include "core/vm/vm.h"

/* ---- limits ---- */

/* May @pages more be promised? Overcommit modes 0 to 2 for a privileged task. (spec 06 s7.3) */
int vm_enough_memory(struct vm *vm, u64 pages)
{
	const struct phys *phys = vm->phys;
	s64 free;

	vm->committed += pages;
	if (vm->overcommit == 1)
		return 0;
	if (vm->overcommit == 0) {
		if (vm->modern) {
			if (pages <= phys->totalram_pages + vm->swap.total_swap_pages)
				return 0;
		} else {
			free = global_page_state(phys, NR_FREE_PAGES) + global_page_state(phys, NR_FILE_PAGES) -
			       global_page_state(phys, NR_SHMEM) + vm->swap.nr_swap_pages +
			       global_page_state(phys, NR_SLAB_RECLAIMABLE) - (s64)phys->totalreserve_pages;
			if (free > (s64)pages)
				return 0;
		}
	} else if (vm->committed < phys->totalram_pages * vm->overcommit_ratio / 100 + vm->swap.total_swap_pages) {
		return 0;
	}
	vm->committed -= pages;
	return -ENOMEM;
}

static bool accountable(const struct vm *vm, u32 vm_flags)
{
	if (vm_flags & VM_NORESERVE && vm->overcommit != 2)
		return false;
	return (vm_flags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) == VM_WRITE ||
	       (vm->overcommit == 2 && (vm_flags & (VM_SHARED | VM_WRITE)) == VM_WRITE);
}

bool may_expand_vm(const struct vm *vm, const struct mm_struct *mm, u64 pages)
{
	return mm->total_vm + pages <= vm->config->as_limit >> vm->page_shift;
}

static u64 page_align(const struct vm *vm, u64 x)
{
	return ALIGN_UP(x, 1ull << vm->page_shift);
}

static bool unaligned(const struct vm *vm, u64 x)
{
	return x & ((1ull << vm->page_shift) - 1);
}

/* ---- munmap ---- */

/* Splits at both ends, so that [start, end) holds whole VMAs; the first of them in @out (or NULL). */
static int isolate_range(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end,
			 struct vm_area_struct **out)
{
	struct vm_area_struct *v = find_vma_slow(vm, mm, start), *last;
	int r;

	*out = NULL;
	if (!v || v->vm_start >= end)
		return 0;
	if (start > v->vm_start) {
		if (end < v->vm_end && mm->map_count >= vm->max_map_count)
			return -ENOMEM;
		r = split_vma(vm, v, start, false);
		if (r)
			return r;
		v = v->vm_next;
	}
	last = find_vma_slow(vm, mm, end);
	if (last && end > last->vm_start) {
		u64 limit = vm->max_map_count;

		vm->max_map_count = UINT32_MAX; /* this split may exceed the limit by one (spec 06 s5) */
		r = split_vma(vm, last, end, true);
		vm->max_map_count = limit;
		if (r)
			return r;
		if (v == last)
			v = last->vm_prev;
	}
	*out = v;
	return 0;
}

int do_munmap(struct vm *vm, struct mm_struct *mm, vaddr_t start, u64 len)
{
	struct vm_area_struct *v, *prev, *next;
	vaddr_t end, first, last;
	int r;

	if (unaligned(vm, start) || start > vm->task_size || len > vm->task_size - start)
		return -EINVAL;
	len = page_align(vm, len);
	if (!len)
		return -EINVAL;
	end = start + len;
	r = isolate_range(vm, mm, start, end, &v);
	if (r || !v)
		return r;
	prev = v->vm_prev;
	first = v->vm_start;
	last = first;
	lru_add_drain(&vm->lru, vm->hw->cpu);
	while (v && v->vm_start < end) {
		if (v->vm_flags & VM_LOCKED)
			munlock_range(vm, mm, v->vm_start, v->vm_end);
		zap_range(vm, mm, v->vm_start, v->vm_end);
		next = v->vm_next;
		last = v->vm_end;
		vma_unlink(vm, mm, v);
		vma_free(vm, v);
		v = next;
	}
	free_pgtables(vm, mm, first, last, prev ? prev->vm_end : 0, v ? v->vm_start : 0);
	return 0;
}

s64 sys_munmap(struct vm *vm, struct task *t, vaddr_t addr, u64 len)
{
	charge(vm->hw, COST_SYSCALL);
	return t->mm ? do_munmap(vm, t->mm, addr, len) : -EINVAL;
}

/* ---- mmap ---- */

static u32 calc_vm_flags(const struct vm *vm, const struct mm_struct *mm, u32 prot, u32 flags)
{
	u32 f = mm->def_flags | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;

	f |= (prot & MM_PROT_READ ? VM_READ : 0) | (prot & MM_PROT_WRITE ? VM_WRITE : 0) |
	     (prot & MM_PROT_EXEC ? VM_EXEC : 0);
	f |= (flags & MM_MAP_GROWSDOWN ? VM_GROWSDOWN : 0) | (flags & MM_MAP_DENYWRITE ? VM_DENYWRITE : 0) |
	     (flags & MM_MAP_LOCKED ? VM_LOCKED : 0);
	if (flags & MM_MAP_NORESERVE && vm->overcommit != 2)
		f |= VM_NORESERVE;
	if (flags & MM_MAP_SHARED)
		f |= VM_SHARED | VM_MAYSHARE;
	return f;
}

/* Where the mapping goes (spec 06 s7 step 7, s7.1). */
static s64 choose_address(struct vm *vm, struct mm_struct *mm, vaddr_t addr, u64 len, u32 flags)
{
	if (len > vm->task_size)
		return -ENOMEM;
	if (flags & (MM_MAP_FIXED | MM_MAP_FIXED_NOREPLACE)) {
		if (addr > vm->task_size - len)
			return -ENOMEM;
		if (unaligned(vm, addr))
			return -EINVAL;
		if (flags & MM_MAP_FIXED_NOREPLACE && find_vma_intersection(vm, mm, addr, addr + len))
			return -EEXIST;
		return (s64)addr;
	}
	if (addr) {
		struct vm_area_struct *v = find_vma_slow(vm, mm, addr);

		if (addr <= vm->task_size - len && addr >= vm->mmap_min_addr && (!v || addr + len <= v->vm_start))
			return (s64)addr;
	}
	return vm_unmapped_area(vm, mm, len);
}

/* Pages of [addr, addr + len) that are mapped now and would be replaced. */
static u64 mapped_pages(struct vm *vm, struct mm_struct *mm, vaddr_t addr, u64 len)
{
	u64 bytes = 0;

	for (struct vm_area_struct *v = find_vma_slow(vm, mm, addr); v && v->vm_start < addr + len; v = v->vm_next)
		bytes += (v->vm_end < addr + len ? v->vm_end : addr + len) - (v->vm_start > addr ? v->vm_start : addr);
	return bytes >> vm->page_shift;
}

s64 mmap_region(struct vm *vm, struct mm_struct *mm, const struct mmap_request *rq)
{
	u64 pages = rq->len >> vm->page_shift;
	u32 flags = rq->vm_flags | ksm_flags_of_new(vm, mm, rq->vm_flags, rq->file);
	struct vm_area_struct *v;
	struct vma_link l;
	int r;

	if (!may_expand_vm(vm, mm, pages) && !may_expand_vm(vm, mm, pages - mapped_pages(vm, mm, rq->addr, rq->len)))
		return -ENOMEM;
	while (find_vma_links(mm, rq->addr, rq->addr + rq->len, &l)) {
		r = do_munmap(vm, mm, rq->addr, rq->len);
		if (r)
			return r;
	}
	if (accountable(vm, flags)) {
		if (vm_enough_memory(vm, pages))
			return -ENOMEM;
		flags |= VM_ACCOUNT;
	}
	v = vma_merge(vm, &(struct vma_merge){.mm = mm, .prev = l.prev, .addr = rq->addr,
					      .end = rq->addr + rq->len, .flags = flags, .file = rq->file,
					      .pgoff = rq->pgoff});
	if (v) {
		if (rq->file)
			filemap_put(&vm->files, rq->file);
		return (s64)rq->addr;
	}
	v = vma_alloc(vm);
	if (!v) {
		if (flags & VM_ACCOUNT)
			vm->committed -= pages;
		return -ENOMEM;
	}
	v->vm_start = rq->addr;
	v->vm_end = rq->addr + rq->len;
	v->vm_flags = flags | VM_SOFTDIRTY;
	v->vm_pgoff = rq->pgoff;
	v->vm_file = rq->file;
	vma_set_page_prot(v);
	vma_link_at(vm, mm, v, &l);
	return (s64)rq->addr;
}

/* The object behind the mapping, with a reference for it. 0 or -ENOMEM. */
static int mapping_file(struct vm *vm, u32 flags, u64 file, u64 len, struct vm_file **out)
{
	*out = NULL;
	if (!(flags & MM_MAP_ANON)) {
		*out = filemap_find(&vm->files, file);
		if (*out)
			filemap_get(*out);
	} else if (flags & MM_MAP_SHARED) {
		*out = filemap_shmem(&vm->files, len);
	} else {
		return 0;
	}
	return *out ? 0 : -ENOMEM;
}

static int check_request(const struct vm *vm, const struct mm_struct *mm, u64 len, u32 prot, u32 flags, u64 pgoff)
{
	u32 type = flags & (MM_MAP_SHARED | MM_MAP_PRIVATE);

	(void)prot;
	if (!len)
		return -EINVAL;
	if (!page_align(vm, len))
		return -ENOMEM;
	if (pgoff + (page_align(vm, len) >> vm->page_shift) < pgoff)
		return -EOVERFLOW;
	if (mm->map_count > vm->max_map_count)
		return -ENOMEM;
	if (type != MM_MAP_SHARED && type != MM_MAP_PRIVATE)
		return -EINVAL;
	if (flags & MM_MAP_GROWSDOWN && (type == MM_MAP_SHARED || !(flags & MM_MAP_ANON)))
		return -EINVAL;
	return 0;
}

static bool over_memlock(const struct vm *vm, const struct mm_struct *mm, u64 pages)
{
	return mm->locked_vm + pages > vm->config->memlock_limit >> vm->page_shift;
}

static void finish_mapping(struct vm *vm, struct task *t, vaddr_t addr, u64 len, u32 vm_flags, u32 flags)
{
	if (vm_flags & VM_LOCKED || (flags & (MM_MAP_POPULATE | MM_MAP_NONBLOCK)) == MM_MAP_POPULATE)
		mm_populate(vm, t, addr, addr + len);
}

s64 sys_mmap(struct vm *vm, struct task *t, vaddr_t addr, u64 len, u32 prot, u32 flags, u64 file, u64 off,
	     vaddr_t place)
{
	struct mm_struct *mm = t->mm;
	struct mmap_request rq = {.pgoff = off >> vm->page_shift};
	s64 r;

	charge(vm->hw, COST_SYSCALL);
	if (!mm)
		return -ESRCH;
	if (unaligned(vm, off))
		return -EINVAL;
	if (place) {
		addr = place;
		flags = (flags & ~(u32)MM_MAP_FIXED_NOREPLACE) | MM_MAP_FIXED;
	}
	if (!(flags & (MM_MAP_FIXED | MM_MAP_FIXED_NOREPLACE)) && addr) {
		addr &= ~((1ull << vm->page_shift) - 1);
		if (addr && addr < vm->mmap_min_addr)
			addr = page_align(vm, vm->mmap_min_addr);
	}
	r = check_request(vm, mm, len, prot, flags, rq.pgoff);
	if (r)
		return r;
	rq.len = page_align(vm, len);
	r = choose_address(vm, mm, addr, rq.len, flags);
	if (r < 0)
		return r;
	rq.addr = (u64)r;
	rq.vm_flags = calc_vm_flags(vm, mm, prot, flags);
	if (rq.vm_flags & VM_LOCKED && over_memlock(vm, mm, rq.len >> vm->page_shift))
		return vm->config->memlock_limit ? -EAGAIN : -EPERM;
	r = mapping_file(vm, flags, file, rq.len, &rq.file);
	if (r)
		return r;
	if (flags & MM_MAP_ANON)
		rq.pgoff = flags & MM_MAP_SHARED ? 0 : rq.addr >> vm->page_shift;
	r = mmap_region(vm, mm, &rq);
	if (r < 0) {
		if (rq.file)
			filemap_put(&vm->files, rq.file);
		return r;
	}
	finish_mapping(vm, t, rq.addr, rq.len, rq.vm_flags, flags);
	return r;
}

/* ---- brk ---- */

static s64 do_brk(struct vm *vm, struct task *t, vaddr_t addr, u64 len)
{
	struct mm_struct *mm = t->mm;
	struct mmap_request rq = {.addr = addr, .len = len, .pgoff = addr >> vm->page_shift};

	if (addr > vm->task_size || len > vm->task_size - addr || mm->map_count > vm->max_map_count)
		return -ENOMEM;
	rq.vm_flags = VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | mm->def_flags;
	if (rq.vm_flags & VM_LOCKED && over_memlock(vm, mm, len >> vm->page_shift))
		return -EAGAIN;
	return mmap_region(vm, mm, &rq);
}

s64 sys_brk(struct vm *vm, struct task *t, vaddr_t addr)
{
	struct mm_struct *mm = t->mm;
	vaddr_t old, new;

	charge(vm->hw, COST_SYSCALL);
	if (!mm)
		return -ESRCH;
	if (addr < mm->start_brk || addr > vm->task_size || addr - mm->start_brk > vm->config->data_limit)
		return (s64)mm->brk;
	old = page_align(vm, mm->brk);
	new = page_align(vm, addr);
	if (new < old) {
		if (do_munmap(vm, mm, new, old - new))
			return (s64)mm->brk;
	} else if (new > old) {
		if (find_vma_intersection(vm, mm, old, new + (1ull << vm->page_shift)))
			return (s64)mm->brk;
		if (do_brk(vm, t, old, new - old) < 0)
			return (s64)mm->brk;
		if (mm->def_flags & VM_LOCKED)
			mm_populate(vm, t, old, new);
	}
	mm->brk = addr;
	return (s64)addr;
}
