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
	if (find_vma_links(mm, to, to + new_len, &l))
		return NULL;
	n = vma_merge(vm, &(struct vma_merge){.mm = mm, .prev = l.prev, .addr = to, .end = to + new_len,
					      .flags = v->vm_flags, .anon_vma = v->anon_vma, .source = v,
					      .file = v->vm_file, .pgoff = pgoff});
	if (n)
		return n;
	n = vma_alloc(vm);
	if (!n)
		return NULL;
	*n = *v;
	list_init(&n->anon_vma_chain);
	n->vm_start = to;
	n->vm_end = to + new_len;
	n->vm_pgoff = pgoff;
	if (anon_vma_clone(vm, n, v)) {
		kmem_cache_free(vm->vma_cache, vm->hw->cpu, n);
		return NULL;
	}
	if (n->vm_file)
		filemap_get(n->vm_file);
	vma_link_at(vm, mm, n, &l);
	return n;
}

static s64 move_vma(struct vm *vm, struct task *t, vaddr_t addr, u64 old_len, u64 new_len, vaddr_t to)
{
	struct mm_struct *mm = t->mm;
	struct vm_area_struct *v = find_vma_slow(vm, mm, addr);
	struct move m = {.mm = mm, .delta = to - addr};
	bool account = v->vm_flags & VM_ACCOUNT, locked = v->vm_flags & VM_LOCKED;
	int r;

	if (mm->map_count >= vm->max_map_count - 3)
		return -ENOMEM;
	if (account && vm_enough_memory(vm, new_len >> vm->page_shift))
		return -ENOMEM;
	if (!copy_vma(vm, v, addr, new_len, to)) {
		vm->committed -= account ? new_len >> vm->page_shift : 0;
		return -ENOMEM;
	}
	r = pte_range(vm, mm, addr, addr + old_len, move_leaf, &m);
	if (r) { /* back again: tables of the old range still exist */
		struct move back = {.mm = mm, .delta = addr - to};

		pte_range(vm, mm, to, to + old_len, move_leaf, &back);
		vm_flush_range(vm, mm, addr, addr + old_len);
		do_munmap(vm, mm, to, new_len);
		return r;
	}
	vm_flush_range(vm, mm, addr, addr + old_len);
	do_munmap(vm, mm, addr, old_len);
	if (locked && new_len > old_len)
		mm_populate(vm, t, to + old_len, to + new_len);
	return (s64)to;
}

/* May [addr, addr + old) of one VMA grow to @new? 0 or -errno. */
static int check_growth(struct vm *vm, struct mm_struct *mm, vaddr_t addr, u64 old_len, u64 new_len)
{
	struct vm_area_struct *v = find_vma_slow(vm, mm, addr);
	u64 more = new_len > old_len ? (new_len - old_len) >> vm->page_shift : 0;

	if (!v || v->vm_start > addr || old_len > v->vm_end - addr)
		return -EFAULT;
	if (v->vm_flags & (VM_DONTEXPAND | VM_PFNMAP) && new_len > old_len)
		return -EFAULT;
	if (v->vm_flags & VM_LOCKED && mm->locked_vm + more > vm->config->memlock_limit >> vm->page_shift)
		return -EAGAIN;
	return may_expand_vm(vm, mm, more) ? 0 : -ENOMEM;
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

static s64 mremap_to(struct vm *vm, struct task *t, vaddr_t addr, u64 old_len, u64 new_len, vaddr_t to)
{
	struct mm_struct *mm = t->mm;
	int r;

	if (to & ((1ull << vm->page_shift) - 1) || new_len > vm->task_size || to > vm->task_size - new_len)
		return -EINVAL;
	if (addr + old_len > to && to + new_len > addr)
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
	r = check_growth(vm, mm, addr, old_len, new_len);
	return r ? r : move_vma(vm, t, addr, old_len, new_len, to);
}

/* Grows where it stands; -EAGAIN if something is in the way. */
static s64 grow_in_place(struct vm *vm, struct task *t, vaddr_t addr, u64 old_len, u64 new_len)
{
	struct vm_area_struct *v = find_vma_slow(vm, t->mm, addr);
	u64 more = (new_len - old_len) >> vm->page_shift;
	vaddr_t end = addr + new_len;

	if (v->vm_end != addr + old_len || (v->vm_next && v->vm_next->vm_start < end) || end > vm->task_size)
		return -EAGAIN;
	if (v->vm_flags & VM_ACCOUNT && vm_enough_memory(vm, more))
		return -EFAULT;
	if (vm->modern) { /* 6.x merges with a neighbour it comes to touch (spec 06 s10.3) */
		struct vma_merge m = {.mm = t->mm, .prev = v, .addr = v->vm_end, .end = end, .flags = v->vm_flags,
				      .anon_vma = v->anon_vma, .source = v, .file = v->vm_file,
				      .pgoff = v->vm_pgoff + vma_pages(vm, v)};

		if (!vma_merge(vm, &m))
			vma_set_bounds(vm, v, v->vm_start, end, v->vm_pgoff);
	} else {
		vma_set_bounds(vm, v, v->vm_start, end, v->vm_pgoff);
	}
	if (v->vm_flags & VM_LOCKED)
		mm_populate(vm, t, addr + old_len, end);
	return (s64)addr;
}

s64 sys_mremap(struct vm *vm, struct task *t, vaddr_t addr, u64 old_len, u64 new_len, u32 flags, vaddr_t to,
	       vaddr_t place)
{
	u64 page = 1ull << vm->page_shift;
	s64 r;

	charge(vm->hw, COST_SYSCALL);
	if (!t->mm || flags & ~(u32)(MM_MREMAP_MAYMOVE | MM_MREMAP_FIXED) ||
	    (flags & MM_MREMAP_FIXED && !(flags & MM_MREMAP_MAYMOVE)) || addr & (page - 1))
		return -EINVAL;
	old_len = ALIGN_UP(old_len, page);
	new_len = ALIGN_UP(new_len, page);
	if (!new_len)
		return -EINVAL;
	if (flags & MM_MREMAP_FIXED)
		return mremap_to(vm, t, addr, old_len, new_len, to);
	if (vm->modern && !vma_at(vm, t->mm, addr))
		return -EFAULT;
	if (old_len >= new_len) {
		r = old_len > new_len ? do_munmap(vm, t->mm, addr + new_len, old_len - new_len) : 0;
		return r ? r : (s64)addr;
	}
	r = check_growth(vm, t->mm, addr, old_len, new_len);
	if (r)
		return r;
	if (!place || place == addr) {
		r = grow_in_place(vm, t, addr, old_len, new_len);
		if (r != -EAGAIN)
			return r;
	}
	if (!(flags & MM_MREMAP_MAYMOVE))
		return -ENOMEM;
	if (place && place != addr)
		return mremap_to(vm, t, addr, old_len, new_len, place);
	r = vm_unmapped_area(vm, t->mm, new_len);
	return r < 0 ? r : move_vma(vm, t, addr, old_len, new_len, (vaddr_t)r);
}
