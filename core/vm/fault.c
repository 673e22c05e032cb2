/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * do_page_fault -> handle_mm_fault -> one handler by what the descriptor says (spec 07 s2, s3, s4,
 * s6):
 *
 *   none         anonymous: zero page (read) or new page (write); file: do_fault (file_fault.c)
 *   not present  do_swap_page (swapin.c)
 *   present      write to a read-only page: reuse or copy (do_wp_page); otherwise young and dirty
 */
#include "core/vm/fault.h"

#include <errno.h>

#include "core/backing/pageio.h"
#include "core/phys/page_alloc.h"
#include "core/vm/ksm_rmap.h"
#include "core/vm/page_lock.h"
#include "core/vm/pgtable.h"
#include "core/vm/psi.h"
#include "core/vm/rmap.h"
#include "core/vm/swapin.h"
#include "core/vm/tlb.h"
#include "core/vm/vm.h"
#include "core/vm/vma.h"

static vaddr_t page_start(const struct vm *vm, vaddr_t addr)
{
	return addr & ~((1ull << vm->page_shift) - 1);
}

MM_INLINE void set_fault_pte(struct vm_fault *vmf, pte_t p)
{
	set_pte(vmf->vm, vmf->slot, p);
	charge(vmf->vm->hw, COST_PTE_OP);
}

bool lock_page_or_retry(struct vm_fault *vmf, struct page *p)
{
	if (MM_LIKELY(trylock_page(p)))
		return true;
	if (!(vmf->flags & FAULT_FLAG_ALLOW_RETRY)) {
		lock_page(vmf->vm, p);
		return true;
	}
	if (!(vmf->flags & FAULT_FLAG_RETRY_NOWAIT)) {
		mmap_read_unlock(vmf->vm, vmf->mm);
		vm_wait_on_page_locked(vmf->vm, p);
	}
	return false;
}

/* ---- anonymous ---- */

MM_INLINE struct page *new_anon_page(struct vm_fault *vmf)
{
	if (MM_UNLIKELY(anon_vma_prepare(vmf->vm, vmf->vma)))
		return NULL;
	charge(vmf->vm->hw, COST_PAGE_ALLOC);
	if (MM_UNLIKELY(!lru_charge(&vmf->vm->lru)))
		return NULL;
	return alloc_page(vmf->vm->phys, vmf->vm->hw->cpu, GFP_HIGHUSER_MOVABLE);
}

MM_INLINE void install_anon(struct vm_fault *vmf, struct page *p)
{
	struct vm *vm = vmf->vm;

	vmf->mm->rss[MM_ANONPAGES]++;
	page_add_new_anon_rmap(vm, p, vmf->vma, vmf->addr);
	set_fault_pte(vmf, maybe_mkwrite(pte_mkdirty(mk_pte(vm, p, vmf->vma)), vmf->vma));
}

struct page *alloc_anon_page(struct vm_fault *vmf)
{
	return new_anon_page(vmf);
}

void install_anon_page(struct vm_fault *vmf, struct page *p)
{
	install_anon(vmf, p);
}

/*
 * What a page holds that is born of a write: zeros, or with contents=unique something of its own, since
 * nobody said what was written.
 */
MM_INLINE void clear_new_page(struct vm *vm, struct page *p)
{
	hw_clear_frame(vm->hw, page_to_pfn(vm->phys, p));
	if (MM_UNLIKELY(vm->unique_contents))
		hw_set_frame_tag(vm->hw, page_to_pfn(vm->phys, p), BIT(63) | vm->unique_contents++);
}

MM_INLINE vm_fault_t do_anonymous_page(struct vm_fault *vmf)
{
	struct vm *vm = vmf->vm;
	struct page *p;

	if (MM_UNLIKELY(vmf->vma->vm_flags & VM_GROWSDOWN) &&
	    check_stack_guard_page(vm, vmf->vma, vmf->addr))
		return VM_FAULT_SIGSEGV;
	if (!vmf->write) {
		set_fault_pte(vmf, pte_mkspecial(pte_make((paddr_t)vm->zero_pfn << vm->page_shift,
							  vmf->vma->vm_page_prot)));
		count_vm_event(vm->hw, vm->hw->cpu, EV_ZERO_PAGE_MAPS);
		return 0;
	}
	p = new_anon_page(vmf);
	if (MM_UNLIKELY(!p))
		return VM_FAULT_OOM;
	clear_new_page(vm, p);
	install_anon(vmf, p);
	return 0;
}

/* ---- copy on write ---- */

static vm_fault_t wp_reuse(struct vm_fault *vmf)
{
	set_fault_pte(vmf, maybe_mkwrite(pte_mkdirty(pte_mkyoung(vmf->pte)), vmf->vma));
	vm_flush_page(vmf->vm, vmf->mm, vmf->addr);
	count_vm_event(vmf->vm->hw, vmf->vm->hw->cpu, EV_COW_REUSES);
	return VM_FAULT_WRITE;
}

/* What the copy holds: @old's contents, or zeros for the zero page. */
static void fill_copy(struct vm *vm, struct page *p, const struct page *old)
{
	if (old)
		hw_copy_frame(vm->hw, page_to_pfn(vm->phys, p), page_to_pfn(vm->phys, old));
	else
		clear_new_page(vm, p);
}

/* A locked area no longer holds @old, which other areas may still lock. */
static void munlock_old(struct vm *vm, struct page *old)
{
	lock_page(vm, old);
	munlock_page(vm, old);
	unlock_page(old);
}

/* The copy replaces @old (NULL: the zero page), which loses this mapping last (spec 07 s6 step 5).
 */
static vm_fault_t wp_copy(struct vm_fault *vmf, struct page *old)
{
	struct vm *vm = vmf->vm;
	struct page *p;

	if (old)
		get_page(old); /* the allocation may reclaim it */
	p = new_anon_page(vmf);
	if (!p) {
		if (old)
			lru_put_page(&vm->lru, old);
		return VM_FAULT_OOM;
	}
	fill_copy(vm, p, old);
	if (MM_UNLIKELY(get_pte(vm, vmf->slot, 0).v != vmf->pte.v)) {
		lru_put_page(&vm->lru, p);
		if (old)
			lru_put_page(&vm->lru, old);
		return VM_FAULT_AGAIN;
	}
	if (old)
		vmf->mm->rss[mm_counter_of(old)]--;
	install_anon(vmf, p);
	vm_flush_page(vm, vmf->mm, vmf->addr);
	charge(vm->hw, COST_TLB_FLUSH);
	count_vm_event(vm->hw, vm->hw->cpu, EV_COW_COPIES);
	if (!old) {
		ksm_zero_pte(vm, vmf->pte, -1);
		return VM_FAULT_WRITE;
	}
	page_remove_rmap(vm, old);
	lru_put_page(&vm->lru, old); /* the mapping's */
	if (MM_UNLIKELY(vmf->vma->vm_flags & VM_LOCKED))
		munlock_old(vm, old);
	lru_put_page(&vm->lru, old);
	return VM_FAULT_WRITE;
}

/*
 * Later kernels reuse a page that was never shared since it was born or last reused, and otherwise
 * only one to which nobody but the mapping refers (spec 07 s6 Modern).
 */
static bool can_reuse_modern(struct vm *vm, struct page *p)
{
	if (PageAnonExclusive(p))
		return true;
	if (page_count(p) > 3)
		return false;
	if (!PageLRU(p)) /* perhaps a batch's reference */
		lru_add_drain(&vm->lru, vm->hw->cpu);
	if (page_count(p) > 1 + PageSwapCache(p))
		return false;
	if (PageSwapCache(p))
		try_to_free_swap(&vm->swap, p);
	return page_count(p) == 1;
}

/* @p is locked. 4.0 counts mappings and swap entries. */
static bool can_reuse(struct vm *vm, struct page *p)
{
	if (MM_UNLIKELY(vm->modern))
		return can_reuse_modern(vm, p);
	if (MM_LIKELY(!PageSwapCache(p)))
		return page_mapcount(p) <= 1;
	return reuse_swap_page(&vm->swap, p);
}

/* Locks @old, perhaps after sleeping. False: the descriptor is another one by now, and the page not
 * locked. */
static bool lock_wp_page(struct vm_fault *vmf, struct page *old)
{
	bool same;

	if (MM_LIKELY(trylock_page(old)))
		return true;
	get_page(old);
	lock_page(vmf->vm, old);
	same = get_pte(vmf->vm, vmf->slot, 0).v == vmf->pte.v;
	if (!same)
		unlock_page(old);
	lru_put_page(&vmf->vm->lru, old);
	return same;
}

static vm_fault_t wp_anon(struct vm_fault *vmf, struct page *old)
{
	bool reuse;

	if (!lock_wp_page(vmf, old))
		return VM_FAULT_AGAIN;
	reuse = can_reuse(vmf->vm, old);
	if (reuse)
		page_move_anon_rmap(old, vmf->vma);
	unlock_page(old);
	return reuse ? wp_reuse(vmf) : wp_copy(vmf, old);
}

vm_fault_t do_wp_page(struct vm_fault *vmf)
{
	struct page *old = vm_normal_page(vmf->vm, vmf->pte);
	bool shared = (vmf->vma->vm_flags & (VM_SHARED | VM_WRITE)) == (VM_SHARED | VM_WRITE);

	if (!old)
		return shared ? wp_reuse(vmf) : wp_copy(vmf, NULL);
	if (PageAnon(old) && !PageKsm(old))
		return wp_anon(vmf, old);
	if (!shared)
		return wp_copy(vmf, old);
	balance_dirty_file(vmf);
	set_page_dirty(&vmf->vm->files, old);
	return wp_reuse(vmf);
}

/* ---- dispatch ---- */

/* Access or dirty state was all that was missing: the work of software-managed AF and AP[2]. */
static vm_fault_t update_young_dirty(struct vm_fault *vmf)
{
	struct hw *hw = vmf->vm->hw;
	pte_t p = pte_mkyoung(vmf->pte);

	if (!pte_young(vmf->pte))
		count_vm_event(hw, hw->cpu, EV_YOUNG_FAULTS);
	if (vmf->write) {
		if (!pte_dirty(vmf->pte))
			count_vm_event(hw, hw->cpu, EV_DIRTY_FAULTS);
		p = pte_mkdirty(p);
	}
	if (p.v != vmf->pte.v)
		set_fault_pte(vmf, p);
	vm_flush_page(vmf->vm, vmf->mm,
		      vmf->addr); /* a write fault without a reason: a stale entry */
	return 0;
}

MM_INLINE vm_fault_t handle_pte_fault(struct vm_fault *vmf)
{
	if (MM_UNLIKELY(!vmf->slot)) {
		vmf->slot = pte_alloc(vmf->vm, vmf->mm, vmf->addr);
		if (!vmf->slot)
			return VM_FAULT_OOM;
	}
	vmf->pte = get_pte(vmf->vm, vmf->slot, 0);
	if (MM_LIKELY(pte_none(vmf->pte)))
		return vmf->vma->vm_file ? do_fault(vmf) : do_anonymous_page(vmf);
	if (MM_UNLIKELY(!pte_present(vmf->pte)))
		return do_swap_page(vmf);
	if (vmf->write && !pte_write(vmf->pte))
		return do_wp_page(vmf);
	return update_young_dirty(vmf);
}

static void count_task_fault(struct task *t, bool major)
{
	if (!t)
		return;
	if (major)
		t->majflt++;
	else
		t->minflt++;
}

static vm_fault_t mm_fault_modern(struct vm_fault *vmf)
{
	struct hw *hw = vmf->vm->hw;
	vm_fault_t r = handle_pte_fault(vmf);

	if (r & VM_FAULT_RETRY) /* counted when it completes */
		return r;
	count_vm_event(hw, hw->cpu, EV_PGFAULT);
	if (!(r & VM_FAULT_ERROR))
		count_task_fault(vmf->task, r & VM_FAULT_MAJOR || vmf->flags & FAULT_FLAG_TRIED);
	return r;
}

static vm_fault_t mm_fault_40(struct vm_fault *vmf)
{
	count_vm_event(vmf->vm->hw, vmf->vm->hw->cpu, EV_PGFAULT);
	return handle_pte_fault(vmf);
}

/* mglru: pages that come in meanwhile are young, unless the area is read in one pass. */
static vm_fault_t mm_fault_special(struct vm_fault *vmf)
{
	struct vm *vm = vmf->vm;
	vm_fault_t r;

	if (vm->lru.mglru && !(vmf->vma->vm_flags & (VM_SEQ_READ | VM_RAND_READ)))
		vm->lru.fault_task = vm->hw->task;
	r = vm->modern ? mm_fault_modern(vmf) : mm_fault_40(vmf);
	vm->lru.fault_task = 0;
	return r;
}

MM_INLINE vm_fault_t mm_fault(struct vm_fault *vmf)
{
	mmap_assert_locked(vmf->vm, vmf->mm);
	if (MM_UNLIKELY(vmf->vm->special_fault))
		return mm_fault_special(vmf);
	count_vm_event(vmf->vm->hw, vmf->vm->hw->cpu, EV_PGFAULT);
	return handle_pte_fault(vmf);
}

vm_fault_t handle_mm_fault(struct vm_fault *vmf)
{
	might_sleep(vmf->vm->hw);
	return mm_fault(vmf);
}

vm_fault_t fault_in_page(struct vm *vm, struct vm_area_struct *v, vaddr_t addr, bool write)
{
	struct vm_fault vmf = {.vm = vm, .mm = v->vm_mm, .vma = v, .addr = page_start(vm, addr), .write = write};

	might_sleep(vm->hw);
	return mm_fault(&vmf);
}

/* ---- do_page_fault ---- */

/* May @v be accessed so? A mapping that has any right is readable (spec 07 s2 step 5). */
static bool access_allowed(const struct vm_area_struct *v, unsigned access)
{
	if (access == MM_ACCESS_WRITE)
		return v->vm_flags & VM_WRITE;
	if (access == MM_ACCESS_EXEC)
		return v->vm_flags & VM_EXEC;
	return v->vm_flags & VM_RWX;
}

/* One attempt, under mmap_sem (spec 07 s2 steps 4 to 6). */
MM_INLINE vm_fault_t attempt(struct vm_fault *vmf, vaddr_t addr, unsigned access)
{
	struct vm_area_struct *v = vmf->vma = find_vma(vmf->vm, vmf->task, addr);

	if (MM_UNLIKELY(!v))
		return VM_FAULT_BADMAP;
	if (MM_UNLIKELY(v->vm_start > addr) &&
	    (!(v->vm_flags & VM_GROWSDOWN) || expand_stack(vmf->vm, v, addr)))
		return VM_FAULT_BADMAP;
	if (MM_UNLIKELY(!access_allowed(v, access)))
		return VM_FAULT_BADACCESS;
	return mm_fault(vmf);
}

enum {
	SIGBUS_NR = 7,
	SIGSEGV_NR = 11,
	SEGV_MAPERR = 1,
	SEGV_ACCERR = 2,
	BUS_ADRALN = 1,
	BUS_ADRERR = 2
};

static void set_signal(struct task *t, u8 signo, u8 code)
{
	t->signo = signo;
	t->si_code = code;
}

/* What the task is told of @r (spec 07 s2 step 8). Out of memory: the access is tried again, or
 * killed. */
static void signal_of(struct task *t, vm_fault_t r)
{
	if (r & VM_FAULT_SIGBUS)
		set_signal(t, SIGBUS_NR, BUS_ADRERR);
	else if (r & (VM_FAULT_BADMAP | VM_FAULT_BADACCESS | VM_FAULT_SIGSEGV))
		set_signal(t, SIGSEGV_NR, r & VM_FAULT_BADACCESS ? SEGV_ACCERR : SEGV_MAPERR);
}

/* Signals, and time that the fault made the task wait for a device. */
static void finish_rare(struct vm *vm, struct task *t, vm_fault_t r, struct io_wait before)
{
	psi_waits(vm, STALL_MAJFAULT, before);
	if (r & VM_FAULT_ERROR)
		signal_of(t, r);
}

/*
 * The first attempt, which answered @first, let go of mmap_sem to wait for a page: the second sees it
 * through. What the first read makes the whole a major fault; later kernels call every such wait one.
 */
static vm_fault_t second_attempt(struct vm_fault *vmf, vaddr_t addr, unsigned access, vm_fault_t first,
				 struct io_wait before)
{
	vm_fault_t r;

	vmf->flags = (vmf->flags & ~(u32)FAULT_FLAG_ALLOW_RETRY) | FAULT_FLAG_TRIED;
	mmap_read_lock(vmf->vm, vmf->mm);
	r = attempt(vmf, addr, access);
	mmap_read_unlock(vmf->vm, vmf->mm);
	if (!(r & VM_FAULT_ERROR))
		r |= vmf->vm->modern ? VM_FAULT_MAJOR : first & VM_FAULT_MAJOR;
	psi_waits(vmf->vm, STALL_MAJFAULT, before);
	return r;
}

MM_INLINE vm_fault_t user_fault(struct vm *vm, struct task *t, vaddr_t addr, unsigned access,
				pt_slot *slot)
{
	struct vm_fault vmf = {.vm = vm,
			       .task = t,
			       .mm = t->mm,
			       .addr = page_start(vm, addr),
			       .slot = slot,
			       .write = access == MM_ACCESS_WRITE,
			       .flags = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE |
					FAULT_FLAG_USER};
	struct io_wait before;
	vm_fault_t r;

	charge(vm->hw, COST_FAULT);
	before = vm->hw->io;
	mmap_read_lock(vm, t->mm);
	r = attempt(&vmf, addr, access);
	if (MM_LIKELY(!vm->modern))
		count_task_fault(t, r & VM_FAULT_MAJOR);
	if (MM_UNLIKELY(r & VM_FAULT_RETRY))
		r = second_attempt(&vmf, addr, access, r, before);
	else
		mmap_read_unlock(vm, t->mm);
	if (MM_UNLIKELY(r & (VM_FAULT_ERROR | VM_FAULT_MAJOR)))
		finish_rare(vm, t, r, before);
	return r;
}

vm_fault_t do_user_fault(struct vm *vm, struct task *t, vaddr_t addr, unsigned access,
			 pt_slot *slot)
{
	might_sleep(vm->hw);
	return user_fault(vm, t, addr, access, slot);
}

vm_fault_t do_page_fault(struct vm *vm, struct task *t, vaddr_t addr, u32 status, pt_slot *slot)
{
	struct pt_fault_info f = pt_fault_decode(vm->geom, status, addr, vm->task_size, true);

	might_sleep(vm->hw);
	switch (f.path) {
	case PT_PATH_PAGE:
		return user_fault(vm, t, addr,
				  f.write   ? MM_ACCESS_WRITE
				  : f.fetch ? MM_ACCESS_EXEC
					    : MM_ACCESS_READ,
				  slot);
	case PT_PATH_ALIGN:
	case PT_PATH_BUS:
		charge(vm->hw, COST_FAULT);
		set_signal(t, SIGBUS_NR, f.path == PT_PATH_ALIGN ? BUS_ADRALN : BUS_ADRERR);
		return VM_FAULT_SIGBUS;
	default: /* the kernel's own addresses are never a user's to fault in */
		charge(vm->hw, COST_FAULT);
		set_signal(t, SIGSEGV_NR, SEGV_MAPERR);
		return VM_FAULT_BADMAP;
	}
}
