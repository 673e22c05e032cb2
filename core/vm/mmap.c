/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmap and munmap (spec 06 s5, s7). Linux: mm/mmap.c; left out: hugetlb, READ_IMPLIES_EXEC,
 * mandatory locks.
 */
#include "core/vm/mmap.h"

#include <errno.h>

#include "core/vm/fault.h"
#include "core/vm/ksm_rmap.h"
#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"
#include "core/vm/vm.h"

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
		r = split_vma_unlimited(vm, v, start, false);
		if (r)
			return r;
		v = v->vm_next;
	}
	last = v->vm_end > end ? v : v->vm_end == end ? NULL : find_vma_slow(vm, mm, end);
	if (last && end > last->vm_start) { /* may exceed the limit by one */
		r = split_vma_unlimited(vm, last, end, true);
		if (r)
			return r;
		if (v == last)
			v = last->vm_prev;
	}
	*out = v;
	return 0;
}

/* Takes the whole VMAs from @v to @end out of the address space; they stay chained. Their end. */
static vaddr_t detach_range(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v,
			    vaddr_t end, struct vm_area_struct **behind)
{
	vaddr_t last = v->vm_end;

	for (; v && v->vm_start < end; v = v->vm_next) {
		if (v->vm_flags & VM_LOCKED) {
			vma_set_flags(vm, v, v->vm_flags & ~(u32)VM_LOCKED);
			munlock_range(vm, mm, v->vm_start, v->vm_end);
		}
		last = v->vm_end;
		vma_unlink(vm, mm, v);
	}
	*behind = v;
	return last;
}

int do_munmap(struct vm *vm, struct mm_struct *mm, vaddr_t start, u64 len)
{
	struct vm_area_struct *v, *prev, *next, *behind;
	vaddr_t end, last;
	int r;

	might_sleep(vm->hw);
	mmap_assert_write_locked(vm, mm);
	if (page_unaligned(vm, start) || start > vm->task_size || len > vm->task_size - start)
		return -EINVAL;
	len = page_align(vm, len);
	if (!len)
		return -EINVAL;
	end = start + len;
	r = isolate_range(vm, mm, start, end, &v);
	if (r || !v)
		return r;
	prev = v->vm_prev;
	start = v->vm_start;
	last = detach_range(vm, mm, v, end, &behind);
	lru_add_drain(&vm->lru, vm->hw->cpu);
	zap_range(vm, mm, start, last);
	free_pgtables(vm, mm, start, last, prev ? prev->vm_end : 0, behind ? behind->vm_start : 0);
	for (; v != behind; v = next) {
		next = v->vm_next;
		vma_free(vm, v);
	}
	return 0;
}

s64 sys_munmap(struct vm *vm, struct task *t, vaddr_t addr, u64 len)
{
	int r;

	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	if (!t->mm)
		return -EINVAL;
	mmap_write_lock(vm, t->mm);
	r = do_munmap(vm, t->mm, addr, len);
	mmap_write_unlock(vm, t->mm);
	return r;
}

/* ---- mmap ---- */

/* Pages of [addr, addr + len) that are mapped now and would be replaced. */
static u64 count_vma_pages_range(struct vm *vm, struct mm_struct *mm, vaddr_t addr, u64 len)
{
	vaddr_t end = addr + len;
	u64 bytes = 0;

	for (struct vm_area_struct *v = find_vma_slow(vm, mm, addr); v && v->vm_start < end;
	     v = v->vm_next)
		bytes += (v->vm_end < end ? v->vm_end : end) -
			 (v->vm_start > addr ? v->vm_start : addr);
	return bytes >> vm->page_shift;
}

/* Private, writable, and not excused: its pages are promised. */
static bool accountable_mapping(u32 vm_flags)
{
	return (vm_flags & (VM_NORESERVE | VM_SHARED | VM_WRITE | VM_HUGETLB)) == VM_WRITE;
}

static struct vm_area_struct *new_vma(struct vm *vm, struct mm_struct *mm,
				      const struct mmap_request *rq, u32 flags, struct vma_link *l)
{
	struct vm_area_struct *v = vma_alloc(vm);

	if (!v)
		return NULL;
	v->vm_start = rq->addr;
	v->vm_end = rq->addr + rq->len;
	v->vm_flags = flags & VM_LOCKED && flags & (VM_SPECIAL | VM_HUGETLB)
			      ? flags & ~(u32)VM_LOCKED
			      : flags;
	v->vm_pgoff = rq->pgoff;
	v->vm_file = rq->file;
	vma_set_page_prot(v);
	if (!vma_link_at(vm, mm, v, l))
		return v;
	kmem_cache_free(vm->vma_cache, vm->hw->cpu, v);
	return NULL;
}

s64 mmap_region(struct vm *vm, struct mm_struct *mm, const struct mmap_request *rq)
{
	u64 pages = rq->len >> vm->page_shift;
	u32 flags = rq->vm_flags | ksm_flags_of_new(vm, mm, rq->vm_flags, rq->file);
	struct vm_area_struct *v;
	struct vma_link l;
	int r;

	might_sleep(vm->hw);
	mmap_assert_write_locked(vm, mm);
	if (!may_expand_vm(vm, mm, pages) &&
	    !may_expand_vm(vm, mm, pages - count_vma_pages_range(vm, mm, rq->addr, rq->len)))
		return -ENOMEM;
	while (find_vma_links(vm, mm, rq->addr, rq->addr + rq->len, &l)) {
		r = do_munmap(vm, mm, rq->addr, rq->len);
		if (r)
			return r;
	}
	if (accountable_mapping(flags)) {
		if (vm_enough_memory(vm, mm, pages))
			return -ENOMEM;
		flags |= VM_ACCOUNT;
	}
	v = vma_merge(vm, &(struct vma_merge){.mm = mm, .prev = l.prev, .addr = rq->addr,
					      .end = rq->addr + rq->len, .flags = flags, .file = rq->file,
					      .pgoff = rq->pgoff});
	if (v) {
		if (rq->file)
			mapping_put(vm, rq->file);
	} else {
		v = new_vma(vm, mm, rq, flags, &l);
		if (!v) {
			vm->committed -= flags & VM_ACCOUNT ? pages : 0;
			return -ENOMEM;
		}
	}
	v->vm_flags |= VM_SOFTDIRTY;
	return (s64)rq->addr;
}

void mapping_put(struct vm *vm, struct vm_file *f)
{
	if (f->refs == 1)
		vm->committed -= f->committed;
	filemap_put(&vm->files, f);
}

/* A nameless object of shared memory: all of it is promised at once, unless excused. */
static int shared_memory(struct vm *vm, struct mm_struct *mm, u64 len, u32 vm_flags,
			 struct vm_file **out)
{
	u64 pages = vm_flags & VM_NORESERVE ? 0 : len >> vm->page_shift;

	if (pages && vm_enough_memory(vm, mm, pages))
		return -ENOMEM;
	*out = filemap_shmem(&vm->files, len);
	if (*out)
		(*out)->committed = pages;
	else
		vm->committed -= pages;
	return *out ? 0 : -ENOMEM;
}

/* What the file's mode makes of a mapping with these flags. 0 or -errno. (spec 06 s7 step 10) */
static int file_flags(const struct vm_file *f, u32 type, u32 *vm_flags)
{
	if (type == MM_MAP_SHARED) {
		if (*vm_flags & VM_WRITE && !(f->mode & FMODE_WRITE))
			return -EACCES;
		if (f->mode & FMODE_APPEND && f->mode & FMODE_WRITE) /* whatever the mapping is for */
			return -EACCES;
		*vm_flags |= VM_SHARED | VM_MAYSHARE;
		if (!(f->mode & FMODE_WRITE))
			*vm_flags &= ~(u32)(VM_MAYWRITE | VM_SHARED);
	} else if (type != MM_MAP_PRIVATE) {
		return -EINVAL;
	}
	if (!(f->mode & FMODE_READ))
		return -EACCES;
	if (f->mode & FMODE_NOEXEC) {
		if (*vm_flags & VM_EXEC)
			return -EPERM;
		*vm_flags &= ~(u32)VM_MAYEXEC;
	}
	if (f->mode & FMODE_NOMMAP)
		return -ENODEV;
	return *vm_flags & VM_GROWSDOWN ? -EINVAL : 0;
}

static int anon_flags(u32 type, u32 *vm_flags)
{
	if (type == MM_MAP_PRIVATE)
		return 0;
	if (type != MM_MAP_SHARED || *vm_flags & VM_GROWSDOWN)
		return -EINVAL;
	*vm_flags |= VM_SHARED | VM_MAYSHARE;
	return 0;
}

static u32 calc_vm_flags(const struct mm_struct *mm, u32 prot, u32 flags)
{
	return mm->def_flags | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC |
	       (prot & MM_PROT_READ ? VM_READ : 0) | (prot & MM_PROT_WRITE ? VM_WRITE : 0) |
	       (prot & MM_PROT_EXEC ? VM_EXEC : 0) | (flags & MM_MAP_GROWSDOWN ? VM_GROWSDOWN : 0) |
	       (flags & MM_MAP_DENYWRITE ? VM_DENYWRITE : 0) |
	       (flags & MM_MAP_LOCKED ? VM_LOCKED : 0);
}

static s64 choose_address(struct vm *vm, struct mm_struct *mm, vaddr_t addr, u64 len, u32 flags)
{
	bool fixed = flags & (MM_MAP_FIXED | MM_MAP_FIXED_NOREPLACE);
	bool huge = (flags & (MM_MAP_ANON | MM_MAP_SHARED)) == MM_MAP_ANON;
	s64 r = get_unmapped_area(vm, mm, addr, len, 0, fixed ? AREA_FIXED : huge ? AREA_HUGE : 0);

	if (r >= 0 && flags & MM_MAP_FIXED_NOREPLACE &&
	    find_vma_intersection(vm, mm, (vaddr_t)r, (vaddr_t)r + len))
		return -EEXIST;
	return r;
}

/* May @pages be locked by a mapping with these flags? */
static int check_lock(const struct vm *vm, const struct mm_struct *mm, u32 vm_flags, u32 flags,
		      u64 pages)
{
	if (flags & MM_MAP_LOCKED && !vm->config->memlock_limit)
		return -EPERM;
	return vm_flags & VM_LOCKED && over_memlock(vm, mm, pages) ? -EAGAIN : 0;
}

/* Offsets of a 32-bit kernel are 32 bits of pages; later kernels refuse what no file can have. */
static bool pgoff_wraps(const struct vm *vm, const struct vm_file *f, u64 pgoff, u64 len)
{
	u64 pages = len >> vm->page_shift, limit = vm->config->arch == ARCH_ARM32 ? UINT32_MAX : UINT64_MAX;

	if (vm->modern && f)
		limit = INT64_MAX >> vm->page_shift;
	return pgoff > limit || pages > limit - pgoff;
}

/* Steps 4 to 12 of spec 06 s7, in Linux's order. @f: NULL for anonymous mappings. */
static s64 do_mmap(struct vm *vm, struct mm_struct *mm, struct vm_file *f, vaddr_t addr, u64 len,
		   u32 prot, u32 flags, u64 pgoff, u32 *vm_flags)
{
	struct mmap_request rq = {.len = page_align(vm, len), .pgoff = pgoff, .file = f};
	u32 type = flags & (MM_MAP_SHARED | MM_MAP_PRIVATE);
	s64 r;

	if (!rq.len)
		return -ENOMEM;
	if (pgoff_wraps(vm, f, pgoff, rq.len))
		return -EOVERFLOW;
	if (mm->map_count > vm->max_map_count)
		return -ENOMEM;
	r = choose_address(vm, mm, addr, rq.len, flags);
	if (r < 0)
		return r;
	rq.addr = (vaddr_t)r;
	rq.vm_flags = calc_vm_flags(mm, prot, flags);
	r = check_lock(vm, mm, rq.vm_flags, flags, rq.len >> vm->page_shift);
	if (!r)
		r = f ? file_flags(f, type, &rq.vm_flags) : anon_flags(type, &rq.vm_flags);
	if (r)
		return r;
	if (flags & MM_MAP_NORESERVE && vm->overcommit != 2)
		rq.vm_flags |= VM_NORESERVE;
	if (!f)
		rq.pgoff = type == MM_MAP_SHARED ? 0 : rq.addr >> vm->page_shift;
	if (f)
		filemap_get(f);
	else if (type == MM_MAP_SHARED &&
		 (r = shared_memory(vm, mm, rq.len, rq.vm_flags, &rq.file)))
		return r;
	r = mmap_region(vm, mm, &rq);
	if (r < 0 && rq.file)
		mapping_put(vm, rq.file);
	*vm_flags = rq.vm_flags;
	return r;
}

s64 sys_mmap(struct vm *vm, struct task *t, vaddr_t addr, u64 len, u32 prot, u32 flags, u64 file,
	     u64 off, vaddr_t place)
{
	struct vm_file *f = NULL;
	u32 vm_flags = 0;
	s64 r;

	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	if (!t->mm)
		return -ESRCH;
	if (page_unaligned(vm, off))
		return -EINVAL;
	if (!(flags & MM_MAP_ANON)) {
		if (file == VM_BAD_FILE)
			return -EBADF;
		f = filemap_find(&vm->files, file);
		if (!f)
			return -ENOMEM;
	}
	if (!len)
		return -EINVAL;
	if (place) {
		addr = place;
		flags = (flags & ~(u32)MM_MAP_FIXED_NOREPLACE) | MM_MAP_FIXED;
	}
	if (!(flags & (MM_MAP_FIXED | MM_MAP_FIXED_NOREPLACE))) {
		addr = ALIGN_DOWN(addr, 1ull << vm->page_shift);
		if (addr && addr < vm->mmap_min_addr)
			addr = page_align(vm, vm->mmap_min_addr);
	}
	mmap_write_lock(vm, t->mm);
	r = do_mmap(vm, t->mm, f, addr, len, prot, flags, off >> vm->page_shift, &vm_flags);
	mmap_write_unlock(vm, t->mm);
	if (r >= 0 && (vm_flags & VM_LOCKED ||
		       (flags & (MM_MAP_POPULATE | MM_MAP_NONBLOCK)) == MM_MAP_POPULATE))
		mm_populate(vm, t, (vaddr_t)r, (vaddr_t)r + page_align(vm, len));
	return r;
}
