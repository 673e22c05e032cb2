/* SPDX-License-Identifier: BSD-2-Clause */
/* mremap (spec 06 s7.2). Linux: mm/mremap.c. */
#include <errno.h>

#include "core/base/bits.h"
#include "core/vm/fault.h"
#include "core/vm/mmap.h"
#include "core/vm/pgtable.h"
#include "core/vm/tlb.h"
#include "core/vm/vm.h"

struct move {
	struct mm_struct *mm;
	u64 delta; /* new address - old address */
	vaddr_t failed;
};

/* Moves descriptors as they are; frames, counts and rmap do not change. */
static int move_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	struct move *m = arg;

	for (unsigned i = 0; i < n; i++, va += 1ull << vm->page_shift) {
		pte_t p = get_pte(vm, slots, i);
		pt_slot *to;

		if (pte_none(p))
			continue;
		to = pte_alloc(vm, m->mm, va + m->delta);
		if (!to)
			return -ENOMEM;
		set_pte(vm, to, p);
		set_pte(vm, slot_at(vm, slots, i), (pte_t){0});
	}
	charge_n(vm->hw, COST_PTE_OP, 2 * n);
	return 0;
}

/* A copy of @v's part [addr, addr + len) at @to, merged into a neighbour if possible. NULL: no memory. */
static struct vm_area_struct *copy_vma(struct vm *vm, struct vm_area_struct *v, vaddr_t addr, u64 new_len,
				       vaddr_t to)
{
	struct mm_struct *mm = v->vm_mm;
	u64 pgoff = v->vm_pgoff + ((addr - v->vm_start) >> vm->page_shift);
	struct vm_area_struct *n;
	struct vma_link l;

	if (!v->vm_file && !v->anon_vma) /* never faulted: numbered from its new place */
		pgoff = to >> vm->page_shift;
	if (find_vma_links(vm, mm, to, to + new_len, &l))
		return NULL;
	n = vma_merge(vm, &(struct vma_merge){.mm = mm, .prev = l.prev, .addr = to, .end = to + new_len,
					      .flags = v->vm_flags, .anon_vma = v->anon_vma, .source = v,
					      .file = v->vm_file, .pgoff = pgoff});
	if (n)
		return n;
	n = vma_dup(vm, v);
	if (!n)
		return NULL;
	n->vm_start = to;
	n->vm_end = to + new_len;
	n->vm_pgoff = pgoff;
	if (anon_vma_clone(vm, n, v)) {
		kmem_cache_free(vm->vma_cache, vm->hw->cpu, n);
		return NULL;
	}
	if (n->vm_file)
		filemap_get(n->vm_file);
	if (!vma_link_at(vm, mm, n, &l))
		return n;
	n->vm_flags &= ~(u32)VM_ACCOUNT; /* what it would hold is the caller's charge */
	vma_free(vm, n);
	return NULL;
}

/*
 * Moves what is at [addr, addr + old_len) of one VMA to free space at @to. The caller has charged
 * what it grows by; the rest of the commitment moves along. Address or -ENOMEM.
 */
static s64 move_vma(struct vm *vm, struct task *t, vaddr_t addr, u64 old_len, u64 new_len,
		    vaddr_t to)
{
	struct mm_struct *mm = t->mm;
	struct vm_area_struct *v = find_vma_slow(vm, mm, addr);
	struct move m = {.mm = mm, .delta = to - addr};
	bool account = v->vm_flags & VM_ACCOUNT;
	int r;

	if (mm->map_count + 3 >= vm->max_map_count)
		return -ENOMEM;
	if (!copy_vma(vm, v, addr, new_len, to))
		return -ENOMEM;
	vm->committed +=
		account ? old_len >> vm->page_shift : 0; /* of two mappings now; one goes */
	r = pte_range(vm, mm, addr, addr + old_len, move_leaf, &m);
	if (r) { /* back again: tables of the old range still exist */
		struct move back = {.mm = mm, .delta = addr - to};

		pte_range(vm, mm, to, to + old_len, move_leaf, &back);
		vm_flush_range(vm, mm, addr, addr + old_len);
		vm->committed += account ? (new_len - old_len) >> vm->page_shift
					 : 0; /* the caller's to give back */
		do_munmap(vm, mm, to, new_len);
		return r;
	}
	vm_flush_range(vm, mm, addr, addr + old_len);
	do_munmap(vm, mm, addr, old_len);
	return (s64)to;
}

/*
 * May [addr, addr + old) of one VMA become @new_len long? 0 or -errno; pages charged for it in
 * @charged. (Linux: vma_to_resize)
 */
static int check_resize(struct vm *vm, struct mm_struct *mm, vaddr_t addr, u64 old_len, u64 new_len,
			u64 *charged)
{
	struct vm_area_struct *v = find_vma_slow(vm, mm, addr);
	u64 more = (new_len - old_len) >> vm->page_shift, pgoff;

	*charged = 0;
	if (!v || v->vm_start > addr || old_len > v->vm_end - addr)
		return -EFAULT;
	if (more) {
		if (v->vm_flags & (VM_DONTEXPAND | VM_PFNMAP))
			return -EFAULT;
		pgoff = v->vm_pgoff + ((addr - v->vm_start) >> vm->page_shift);
		if (pgoff + (new_len >> vm->page_shift) < pgoff)
			return -EINVAL;
	}
	if (v->vm_flags & VM_LOCKED && over_memlock(vm, mm, more))
		return -EAGAIN;
	if (!may_expand_vm(vm, mm, more))
		return -ENOMEM;
	if (v->vm_flags & VM_ACCOUNT) {
		if (vm_enough_memory(vm, mm, more))
			return -EFAULT; /* sic */
		*charged = more;
	}
	return 0;
}

/*
 * 6.17 moves several VMAs of a range at once if their size stays. Each part replaces only what lies
 * where it goes: what the target has below the source's holes stays.
 */
static s64 move_several(struct vm *vm, struct task *t, vaddr_t addr, u64 len, vaddr_t to)
{
	vaddr_t end = addr + len, at = addr;
	struct vm_area_struct *v;

	while ((v = find_vma_slow(vm, t->mm, at)) && v->vm_start < end) {
		vaddr_t from = v->vm_start > at ? v->vm_start : at;
		vaddr_t stop = v->vm_end < end ? v->vm_end : end;
		s64 r = do_munmap(vm, t->mm, to + (from - addr), stop - from);

		if (!r)
			r = move_vma(vm, t, from, stop - from, stop - from, to + (from - addr));
		if (r < 0)
			return r;
		at = stop;
	}
	return (s64)to;
}

/* The VMA that holds @addr, or NULL. */
static struct vm_area_struct *vma_at(struct vm *vm, struct mm_struct *mm, vaddr_t addr)
{
	struct vm_area_struct *v = find_vma_slow(vm, mm, addr);

	return v && v->vm_start <= addr ? v : NULL;
}

/* What 6.x looks at before it unmaps the target. */
static int check_source(struct vm *vm, struct mm_struct *mm, vaddr_t addr, u64 old_len, u64 new_len)
{
	struct vm_area_struct *v = vma_at(vm, mm, addr);

	if (!v)
		return -EFAULT;
	if (old_len == new_len)
		return 0;
	return mm_min(old_len, new_len) > v->vm_end - addr ? -EFAULT : 0;
}

static bool ranges_overlap(const struct vm *vm, vaddr_t addr, u64 old_len, vaddr_t to, u64 new_len)
{
	if (vm->modern)
		return addr + old_len > to && to + new_len > addr;
	return (to <= addr && to + new_len > addr) || (addr <= to && addr + old_len > to);
}

static s64 mremap_to(struct vm *vm, struct task *t, vaddr_t addr, u64 old_len, u64 new_len,
		     vaddr_t to)
{
	struct mm_struct *mm = t->mm;
	u64 charged;
	s64 r;

	if (page_unaligned(vm, to) || new_len > vm->task_size || to > vm->task_size - new_len)
		return -EINVAL;
	if (ranges_overlap(vm, addr, old_len, to, new_len))
		return -EINVAL;
	r = vm->modern ? check_source(vm, mm, addr, old_len, new_len) : 0;
	if (r)
		return r;
	if (vm->modern && old_len == new_len)
		return move_several(vm, t, addr, old_len, to);
	r = do_munmap(vm, mm, to, new_len);
	if (r)
		return r;
	if (old_len > new_len) {
		r = do_munmap(vm, mm, addr + new_len, old_len - new_len);
		if (r)
			return r;
		old_len = new_len;
	}
	r = check_resize(vm, mm, addr, old_len, new_len, &charged);
	if (r)
		return r;
	r = move_vma(vm, t, addr, old_len, new_len, to);
	vm->committed -= r < 0 ? charged : 0;
	return r;
}

/* Is the space behind @v free up to @end? */
static bool vma_expandable(const struct vm *vm, const struct vm_area_struct *v, vaddr_t end)
{
	return end > v->vm_end && end <= vm->task_size &&
	       (!v->vm_next || vma_start_gap(v->vm_next) >= end);
}

/* @v, whose last part is being resized, grows to @end where it stands. 0 or -ENOMEM. */
static int grow_in_place(struct vm *vm, struct vm_area_struct *v, vaddr_t end)
{
	struct vma_merge m = {.mm = v->vm_mm,
			      .prev = v,
			      .addr = v->vm_end,
			      .end = end,
			      .flags = v->vm_flags,
			      .anon_vma = v->anon_vma,
			      .file = v->vm_file,
			      .pgoff = v->vm_pgoff + vma_pages(vm, v)};

	/* 6.x merges with a neighbour it comes to touch (spec 06 s10.3) */
	return vm->modern && vma_merge(vm, &m) ? 0 : vma_expand_up(vm, v, end);
}

/* In place if possible, else somewhere else if allowed. Address or -errno. */
static s64 grow(struct vm *vm, struct task *t, vaddr_t addr, u64 old_len, u64 new_len, u32 flags)
{
	struct vm_area_struct *v = find_vma_slow(vm, t->mm, addr);
	u64 off = (v->vm_pgoff << vm->page_shift) + (addr - v->vm_start);
	s64 r;

	if (v->vm_end == addr + old_len && vma_expandable(vm, v, addr + new_len)) {
		if (grow_in_place(vm, v, addr + new_len))
			return -ENOMEM;
		return (s64)addr;
	}
	if (!(flags & MM_MREMAP_MAYMOVE))
		return -ENOMEM;
	r = get_unmapped_area(vm, t->mm, 0, new_len, off, v->vm_file ? 0 : AREA_HUGE);
	return r < 0 ? r : move_vma(vm, t, addr, old_len, new_len, (vaddr_t)r);
}

/* Whole pages, something is to be left; the caller holds mmap_sem for writing. */
static s64 do_mremap(struct vm *vm, struct task *t, vaddr_t addr, u64 old_len, u64 new_len, u32 flags, vaddr_t to,
		     vaddr_t place)
{
	u64 charged;
	s64 r;

	if (flags & MM_MREMAP_FIXED)
		return mremap_to(vm, t, addr, old_len, new_len, to);
	if (vm->modern && !vma_at(vm, t->mm, addr))
		return -EFAULT;
	if (old_len >= new_len) {
		r = old_len > new_len ? do_munmap(vm, t->mm, addr + new_len, old_len - new_len) : 0;
		return r ? r : (s64)addr;
	}
	if (place && place != addr)
		return mremap_to(vm, t, addr, old_len, new_len, place);
	r = check_resize(vm, t->mm, addr, old_len, new_len, &charged);
	if (r)
		return r;
	r = grow(vm, t, addr, old_len, new_len, flags);
	vm->committed -= r < 0 ? charged : 0;
	return r;
}

s64 sys_mremap(struct vm *vm, struct task *t, vaddr_t addr, u64 old_len, u64 new_len, u32 flags, vaddr_t to,
	       vaddr_t place)
{
	const struct vm_area_struct *v;
	bool locked;
	s64 r;

	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	if (!t->mm || flags & ~(u32)(MM_MREMAP_MAYMOVE | MM_MREMAP_FIXED) ||
	    (flags & MM_MREMAP_FIXED && !(flags & MM_MREMAP_MAYMOVE)) || page_unaligned(vm, addr))
		return -EINVAL;
	old_len = page_align(vm, old_len);
	new_len = page_align(vm, new_len);
	if (!new_len)
		return -EINVAL;
	mmap_write_lock(vm, t->mm);
	r = do_mremap(vm, t, addr, old_len, new_len, flags, to, place);
	v = r >= 0 && new_len > old_len ? vma_index_find(vm, t->mm, (vaddr_t)r) : NULL;
	locked = v && v->vm_flags & VM_LOCKED;
	mmap_write_unlock(vm, t->mm);
	if (locked)
		mm_populate(vm, t, (vaddr_t)r + old_len, (vaddr_t)r + new_len);
	return r;
}
