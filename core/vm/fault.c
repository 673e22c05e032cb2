/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * do_page_fault -> handle_mm_fault -> one handler by what the descriptor says (spec 07 s3):
 *
 *   none     anonymous: zero page (read) or new page (write)
 *            file: read (with fault-around), copy (private write), or shared write
 *   present  write to a read-only page: reuse or copy (do_wp_page); otherwise young and dirty
 */
#include "core/vm/fault.h"

#include <errno.h>

#include "core/backing/file_io.h"
#include "core/backing/pageio.h"
#include "core/backing/readahead.h"
#include "core/phys/page_alloc.h"
#include "core/vm/ksm_rmap.h"
#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"
#include "core/vm/swapin.h"
#include "core/vm/tlb.h"
#include "core/vm/vm.h"
#include "core/vm/vma.h"

static vaddr_t page_start(const struct vm *vm, vaddr_t addr)
{
	return addr & ~((1ull << vm->page_shift) - 1);
}

MM_INLINE pte_t mk_pte(const struct vm *vm, const struct page *p, const struct vm_area_struct *v)
{
	return pte_make((paddr_t)page_to_pfn(vm->phys, p) << vm->page_shift, v->vm_page_prot);
}

MM_INLINE pte_t maybe_mkwrite(pte_t p, const struct vm_area_struct *v)
{
	return v->vm_flags & VM_WRITE ? pte_mkwrite(p) : p;
}

MM_INLINE void set_fault_pte(struct vm_fault *vmf, pte_t p)
{
	set_pte(vmf->vm, vmf->slot, p);
	charge(vmf->vm->hw, COST_PTE_OP);
}

/* A zeroed or yet unwritten page for the faulting VMA, with its anon_vma. NULL: no memory. */
MM_INLINE struct page *new_anon_page(struct vm_fault *vmf)
{
	if (MM_UNLIKELY(anon_vma_prepare(vmf->vm, vmf->vma)))
		return NULL;
	charge(vmf->vm->hw, COST_PAGE_ALLOC);
	return alloc_page(vmf->vm->phys, vmf->vm->hw->cpu, GFP_HIGHUSER_MOVABLE);
}

/* Puts a new anonymous page into the tables: rss, rmap, LRU, descriptor. */
MM_INLINE void install_anon(struct vm_fault *vmf, struct page *p)
{
	struct vm *vm = vmf->vm;

	vmf->mm->rss[MM_ANONPAGES]++;
	page_add_new_anon_rmap(vm, p, vmf->vma, vmf->addr);
	set_fault_pte(vmf, maybe_mkwrite(pte_mkdirty(mk_pte(vm, p, vmf->vma)), vmf->vma));
}

MM_INLINE vm_fault_t do_anonymous_page(struct vm_fault *vmf)
{
	struct vm *vm = vmf->vm;
	struct page *p;

	if (!vmf->write) {
		set_fault_pte(vmf, pte_mkspecial(pte_make((paddr_t)vm->zero_pfn << vm->page_shift,
							  vmf->vma->vm_page_prot)));
		count_vm_event(vm->hw, vm->hw->cpu, EV_ZERO_PAGE_MAPS);
		return 0;
	}
	p = new_anon_page(vmf);
	if (MM_UNLIKELY(!p))
		return VM_FAULT_OOM;
	hw_clear_frame(vm->hw, page_to_pfn(vm->phys, p));
	install_anon(vmf, p);
	return 0;
}

/* ---- files ---- */

static u64 file_index(const struct vm_fault *vmf)
{
	return vmf->vma->vm_pgoff + ((vmf->addr - vmf->vma->vm_start) >> vmf->vm->page_shift);
}

/* The page of the file, cached or read; SIGBUS beyond its end. */
static vm_fault_t file_page(struct vm_fault *vmf, struct page **out)
{
	struct vm *vm = vmf->vm;
	u32 flags = vmf->vma->vm_flags;
	unsigned advice = (flags & VM_SEQ_READ ? FILE_FAULT_SEQ : 0) | (flags & VM_RAND_READ ? FILE_FAULT_RAND : 0);
	unsigned r = filemap_fault(&vm->files, vmf->vma->vm_file, file_index(vmf), advice, out);

	if (r & FILE_FAULT_SIGBUS)
		return VM_FAULT_SIGBUS;
	if (r & FILE_FAULT_OOM)
		return VM_FAULT_OOM;
	if (!r)
		return 0;
	count_vm_event(vm->hw, vm->hw->cpu, EV_PGMAJFAULT);
	return VM_FAULT_MAJOR;
}

static void install_file(struct vm_fault *vmf, pt_slot *slot, struct page *p, pte_t pte)
{
	struct vm *vm = vmf->vm;

	get_page(p);
	page_add_file_rmap(vm, p);
	vmf->mm->rss[vmf->vma->vm_file->shmem ? MM_SHMEMPAGES : MM_FILEPAGES]++;
	set_pte(vm, slot, pte);
	charge(vm->hw, COST_PTE_OP);
}

/* Maps the cached neighbours of a read fault: an aligned window of addresses (spec 07 s5.1). */
static void fault_around(struct vm_fault *vmf)
{
	struct vm *vm = vmf->vm;
	struct vm_area_struct *v = vmf->vma;
	u64 window = vm->fault_around_pages << vm->page_shift;
	u64 table = 1ull << vm_geometry(vm)->shift[1];
	vaddr_t va = vmf->addr & ~(window - 1), end = va + window;

	if (va < v->vm_start)
		va = v->vm_start;
	if (va < (vmf->addr & ~(table - 1)))
		va = vmf->addr & ~(table - 1);
	if (end > v->vm_end)
		end = v->vm_end;
	if (end > (vmf->addr & ~(table - 1)) + table)
		end = (vmf->addr & ~(table - 1)) + table;
	for (; va < end; va += 1ull << vm->page_shift) {
		pt_slot *slot = slot_at(vm, vmf->slot, (s64)(va - vmf->addr) >> vm->page_shift);
		u64 index = v->vm_pgoff + ((va - v->vm_start) >> vm->page_shift);
		bool none = pte_slot_none(vm_geometry(vm), slot);
		struct page *p = none ? filemap_lookup(vm->phys, v->vm_file, index) : NULL;

		if (!p || PageLocked(p) || !PageUptodate(p) || PageReclaim(p) ||
		    index >= ALIGN_UP(v->vm_file->size, 1ull << vm->page_shift) >> vm->page_shift)
			continue;
		mmap_around_hit(v->vm_file);
		install_file(vmf, slot, p, mk_pte(vm, p, v));
		count_vm_event(vm->hw, vm->hw->cpu, EV_FAULT_AROUND_MAPPED);
	}
}

static vm_fault_t do_read_fault(struct vm_fault *vmf)
{
	struct page *p;
	vm_fault_t r;

	if (vmf->vm->fault_around_pages > 1) {
		fault_around(vmf);
		if (!pte_slot_none(vm_geometry(vmf->vm), vmf->slot))
			return 0;
	}
	r = file_page(vmf, &p);
	if (r & VM_FAULT_ERROR)
		return r;
	install_file(vmf, vmf->slot, p, mk_pte(vmf->vm, p, vmf->vma));
	return r;
}

static vm_fault_t do_cow_fault(struct vm_fault *vmf)
{
	struct vm *vm = vmf->vm;
	struct page *source, *p = new_anon_page(vmf);
	vm_fault_t r;

	if (!p)
		return VM_FAULT_OOM;
	r = file_page(vmf, &source);
	if (r & VM_FAULT_ERROR) {
		lru_put_page(&vm->lru, p);
		return r;
	}
	hw_copy_frame(vm->hw, page_to_pfn(vm->phys, p), page_to_pfn(vm->phys, source));
	install_anon(vmf, p);
	return r;
}

static vm_fault_t do_shared_fault(struct vm_fault *vmf)
{
	struct page *p;
	vm_fault_t r = file_page(vmf, &p);

	if (r & VM_FAULT_ERROR)
		return r;
	set_page_dirty(&vmf->vm->files, p);
	install_file(vmf, vmf->slot, p, maybe_mkwrite(pte_mkdirty(mk_pte(vmf->vm, p, vmf->vma)), vmf->vma));
	return r;
}

static vm_fault_t do_fault(struct vm_fault *vmf)
{
	if (!vmf->write)
		return do_read_fault(vmf);
	return vmf->vma->vm_flags & VM_SHARED ? do_shared_fault(vmf) : do_cow_fault(vmf);
}

/* ---- copy on write ---- */

static vm_fault_t wp_reuse(struct vm_fault *vmf)
{
	set_fault_pte(vmf, maybe_mkwrite(pte_mkdirty(pte_mkyoung(vmf->pte)), vmf->vma));
	vm_flush_page(vmf->vm, vmf->mm, vmf->addr);
	count_vm_event(vmf->vm->hw, vmf->vm->hw->cpu, EV_COW_REUSES);
	return VM_FAULT_WRITE;
}

/* The copy replaces @old (NULL: the zero page), which loses this mapping last (spec 07 s6 step 5). */
static vm_fault_t wp_copy(struct vm_fault *vmf, struct page *old)
{
	struct vm *vm = vmf->vm;
	struct page *p = new_anon_page(vmf);

	if (!p)
		return VM_FAULT_OOM;
	if (!old) {
		hw_clear_frame(vm->hw, page_to_pfn(vm->phys, p));
	} else {
		hw_copy_frame(vm->hw, page_to_pfn(vm->phys, p), page_to_pfn(vm->phys, old));
		vmf->mm->rss[mm_counter_of(old)]--;
	}
	install_anon(vmf, p);
	vm_flush_page(vm, vmf->mm, vmf->addr);
	charge(vm->hw, COST_TLB_FLUSH);
	count_vm_event(vm->hw, vm->hw->cpu, EV_COW_COPIES);
	if (old) {
		page_remove_rmap(vm, old);
		lru_put_page(&vm->lru, old);
	}
	return VM_FAULT_WRITE;
}

/* A page with a slot: entries in page tables count as mappings; the slot goes if there are none. */
static bool can_reuse_swapcache(struct vm *vm, struct page *p)
{
	bool reuse;

	if (!trylock_page(p))
		return false;
	reuse = reuse_swap_page(&vm->swap, p);
	unlock_page(p);
	return reuse && (!vm->modern || page_count(p) == 1 || (page_count(p) == 2 && !PageLRU(p)));
}

/* Later kernels reuse only what nobody else refers to; 4.0 counts mappings (spec 07 s6 Modern). */
static bool can_reuse(struct vm *vm, struct page *p)
{
	if (MM_UNLIKELY(PageSwapCache(p)))
		return can_reuse_swapcache(vm, p);
	if (!vm->modern)
		return page_mapcount(p) <= 1;
	if (page_mapcount(p) == 1 && page_count(p) > 1 && !PageLRU(p))
		return page_count(p) == 2; /* the reference of a pagevec: Linux drains it and looks again */
	return page_count(p) == 1;
}

vm_fault_t do_wp_page(struct vm_fault *vmf)
{
	struct page *old = vm_normal_page(vmf->vm, vmf->pte);

	if (!old) {
		vm_fault_t r = wp_copy(vmf, NULL);

		if (!(r & VM_FAULT_ERROR))
			ksm_zero_pte(vmf->vm, vmf->pte, -1);
		return r;
	}
	if (PageKsm(old)) /* never reused, whoever is left (spec 11 s5) */
		return wp_copy(vmf, old);
	if (PageAnon(old)) {
		if (!can_reuse(vmf->vm, old))
			return wp_copy(vmf, old);
		page_move_anon_rmap(old, vmf->vma);
		return wp_reuse(vmf);
	}
	if ((vmf->vma->vm_flags & (VM_SHARED | VM_WRITE)) == (VM_SHARED | VM_WRITE)) {
		set_page_dirty(&vmf->vm->files, old);
		return wp_reuse(vmf);
	}
	return wp_copy(vmf, old);
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
	set_fault_pte(vmf, p);
	vm_flush_page(vmf->vm, vmf->mm, vmf->addr);
	return 0;
}

MM_INLINE vm_fault_t handle_mm_fault(struct vm_fault *vmf)
{
	struct hw *hw = vmf->vm->hw;

	count_vm_event(hw, hw->cpu, EV_PGFAULT);
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

vm_fault_t fault_in_page(struct vm *vm, struct vm_area_struct *v, vaddr_t addr, bool write)
{
	struct vm_fault vmf = {.vm = vm, .mm = v->vm_mm, .vma = v, .addr = page_start(vm, addr),
			       .slot = pte_lookup(vm, v->vm_mm, addr), .write = write};

	return handle_mm_fault(&vmf);
}

/* May @v be accessed so? A mapping that has any right is readable (spec 07 s2 step 5). */
static bool access_allowed(const struct vm_area_struct *v, unsigned access)
{
	if (access == MM_ACCESS_WRITE)
		return v->vm_flags & VM_WRITE;
	if (access == MM_ACCESS_EXEC)
		return v->vm_flags & VM_EXEC;
	return v->vm_flags & VM_RWX;
}

int expand_stack(struct vm *vm, struct vm_area_struct *v, vaddr_t addr)
{
	vaddr_t start = page_start(vm, addr);
	u64 page = 1ull << vm->page_shift, guard = vm->modern ? 256 * page : page;
	u64 size = v->vm_end - start;

	if (v->vm_prev && !(v->vm_prev->vm_flags & VM_GROWSDOWN) && (v->vm_prev->vm_flags & VM_RWX) &&
	    start - v->vm_prev->vm_end < guard)
		return -ENOMEM;
	if (v->vm_prev && v->vm_prev->vm_end > start)
		return -ENOMEM;
	if (size > vm->config->stack_limit + (vm->modern ? 0 : page) || start < page)
		return -ENOMEM;
	if (v->vm_flags & VM_ACCOUNT)
		vm->committed += (v->vm_start - start) >> vm->page_shift;
	vma_set_bounds(vm, v, start, v->vm_end, v->vm_pgoff - ((v->vm_start - start) >> vm->page_shift));
	return 0;
}

vm_fault_t do_page_fault(struct vm *vm, struct task *t, vaddr_t addr, unsigned access, pt_slot *slot)
{
	struct vm_fault vmf = {.vm = vm, .task = t, .mm = t->mm, .addr = page_start(vm, addr),
			       .slot = slot, .write = access == MM_ACCESS_WRITE};
	struct psi_mark stall;
	vm_fault_t r;

	charge(vm->hw, COST_FAULT);
	if (MM_UNLIKELY(addr >= vm->task_size))
		return VM_FAULT_BADMAP;
	vmf.vma = find_vma(vm, t, addr);
	if (MM_UNLIKELY(!vmf.vma))
		return VM_FAULT_BADMAP;
	if (MM_UNLIKELY(vmf.vma->vm_start > addr) &&
	    (!(vmf.vma->vm_flags & VM_GROWSDOWN) || expand_stack(vm, vmf.vma, addr)))
		return VM_FAULT_BADMAP;
	if (MM_UNLIKELY(!access_allowed(vmf.vma, access)))
		return VM_FAULT_BADACCESS;
	stall = psi_begin(vm->hw, &vm->psi);
	r = handle_mm_fault(&vmf);
	if (MM_UNLIKELY(r & VM_FAULT_MAJOR)) {
		t->majflt++;
		psi_stall(vm, STALL_MAJFAULT, stall);
	} else {
		t->minflt++;
	}
	return r;
}

/* ---- accesses ---- */

static enum mm_op_res fault_answer(struct vm *vm, vm_fault_t r)
{
	if (MM_LIKELY(!(r & (VM_FAULT_ERROR | VM_FAULT_MAJOR))))
		return RES_MINOR;
	if (r & (VM_FAULT_BADMAP | VM_FAULT_BADACCESS | VM_FAULT_SIGSEGV)) {
		count_vm_event(vm->hw, vm->hw->cpu, EV_SEGV);
		return RES_SIGSEGV;
	}
	if (r & (VM_FAULT_SIGBUS | VM_FAULT_OOM)) { /* out of memory: killed, as there is no reclaim yet */
		count_vm_event(vm->hw, vm->hw->cpu, EV_SIGBUS);
		return RES_SIGBUS;
	}
	return RES_MAJOR;
}

/* Faults again, as the retried instruction would, while the page is on the move. */
MM_INLINE vm_fault_t fault_until_done(struct vm *vm, struct task *t, vaddr_t addr, unsigned access, pt_slot *slot)
{
	vm_fault_t r;

	do
		r = do_page_fault(vm, t, addr, access, slot);
	while (MM_UNLIKELY(r & VM_FAULT_AGAIN));
	return r;
}

MM_INLINE enum mm_op_res access_body(const struct pt_geometry *g, struct vm *vm, struct task *t, vaddr_t addr,
				     unsigned access)
{
	struct pt_hit r;

	count_vm_event(vm->hw, vm->hw->cpu, EV_ACCESSES);
	charge_n(vm->hw, COST_WALK_LEVEL, g->levels);
	r = pt_user_body(g, &vm->mem, t->mm->pgd, addr, (enum pt_access)access, vm->hwad);
	if (MM_LIKELY(!r.fault))
		return RES_NONE;
	return fault_answer(vm, fault_until_done(vm, t, addr, access, r.level == 3 ? r.slot : NULL));
}

/* With a TLB model: walks only what it does not know, and caches what was walked. */
static enum mm_op_res access_tlb(struct vm *vm, struct task *t, vaddr_t addr, unsigned access)
{
	struct hw *hw = vm->hw;
	enum mm_op_res res = RES_NONE;
	struct pt_hit r;

	count_vm_event(hw, hw->cpu, EV_ACCESSES);
	if (MM_LIKELY(vm_tlb_hit(vm, t->mm, addr, access)))
		return RES_NONE;
	count_vm_event(hw, hw->cpu, EV_TLB_MISS);
	charge_n(hw, COST_WALK_LEVEL, vm_geometry(vm)->levels);
	r = pt_user_access(vm->geom, &vm->mem, t->mm->pgd, addr, (enum pt_access)access, vm->hwad);
	if (r.fault)
		res = fault_answer(vm, fault_until_done(vm, t, addr, access, r.level == 3 ? r.slot : NULL));
	if (res < RES_SIGSEGV)
		vm_tlb_fill(vm, t->mm, addr);
	return res;
}

enum mm_op_res mm_access(struct vm *vm, struct task *t, vaddr_t addr, unsigned access)
{
	if (MM_UNLIKELY(!t->mm))
		return RES_SIGSEGV;
	if (MM_UNLIKELY(vm->tlb != NULL))
		return access_tlb(vm, t, addr, access);
	PT_SWITCH(vm->geom, access_body, vm, t, addr, access)
}

static enum mm_op_res worse(enum mm_op_res a, enum mm_op_res b)
{
	return a > b ? a : b;
}

/* Bounds of the pages that [addr, addr + len) touches; false if it wraps. */
static bool page_bounds(const struct vm *vm, vaddr_t addr, u64 len, vaddr_t *first, vaddr_t *end)
{
	*first = page_start(vm, addr);
	return !__builtin_add_overflow(addr, len ? len : 1, end);
}

enum mm_op_res mm_access_range(struct vm *vm, struct task *t, vaddr_t addr, u64 len, unsigned access)
{
	enum mm_op_res r, worst = RES_NONE;
	vaddr_t va, end;

	if (!page_bounds(vm, addr, len, &va, &end))
		return RES_SIGSEGV;
	for (; va < end; va += 1ull << vm->page_shift) {
		r = mm_access(vm, t, va < addr ? addr : va, access);
		worst = worse(worst, r);
		if (r == RES_SIGSEGV || r == RES_SIGBUS)
			return r;
	}
	return worst;
}

/* Frame mapped at @va for contents; 0 if none. */
static bool frame_at(struct vm *vm, struct task *t, vaddr_t va, pfn_t *pfn)
{
	pt_slot *slot = t->mm ? pte_lookup(vm, t->mm, va) : NULL;

	pte_t p = slot ? get_pte(vm, slot, 0) : (pte_t){0};

	*pfn = (pfn_t)(pte_pa(p) >> vm->page_shift);
	return pte_present(p);
}

enum mm_op_res mm_write_tag(struct vm *vm, struct task *t, vaddr_t addr, u64 len, u64 tag)
{
	enum mm_op_res r, worst = RES_NONE;
	vaddr_t va, end;
	pfn_t pfn;

	if (!page_bounds(vm, addr, len, &va, &end))
		return RES_SIGSEGV;
	for (; va < end; va += 1ull << vm->page_shift) {
		r = mm_access(vm, t, va < addr ? addr : va, MM_ACCESS_WRITE);
		worst = worse(worst, r);
		if (r == RES_SIGSEGV || r == RES_SIGBUS)
			return r;
		if (frame_at(vm, t, va, &pfn))
			hw_set_frame_tag(vm->hw, pfn, tag);
	}
	return worst;
}

s64 mm_fill(struct vm *vm, struct task *t, vaddr_t addr, u64 len, u64 tag, u64 step)
{
	vaddr_t va, end;
	pfn_t pfn;

	if (!t->mm || !page_bounds(vm, addr, len, &va, &end))
		return -EFAULT;
	for (; va < end; va += 1ull << vm->page_shift, tag += step) {
		struct pt_hit r = pt_user_access(vm->geom, &vm->mem, t->mm->pgd, va, PT_ACCESS_WRITE, vm->hwad);
		u64 *events = vm->hw->cpus[vm->hw->cpu].events;
		u64 faults = events[EV_PGFAULT], major = events[EV_PGMAJFAULT];
		u64 min = t->minflt, maj = t->majflt;
		bool bad = r.fault && do_page_fault(vm, t, va, MM_ACCESS_WRITE, NULL) & VM_FAULT_ERROR;

		/* contents are not accesses of the trace: faults leave no count of their own */
		events[EV_PGFAULT] = faults;
		events[EV_PGMAJFAULT] = major;
		t->minflt = min;
		t->majflt = maj;
		if (bad || !frame_at(vm, t, va, &pfn))
			return -EFAULT;
		hw_set_frame_tag(vm->hw, pfn, tag);
	}
	return 0;
}

bool mm_read_tag(struct vm *vm, struct task *t, vaddr_t addr, u64 *tag)
{
	pfn_t pfn;

	if (!frame_at(vm, t, addr, &pfn))
		return false;
	*tag = hw_frame_tag(vm->hw, pfn);
	return true;
}

/* ---- populate ---- */

static int populate_vma(struct vm *vm, struct task *t, struct vm_area_struct *v, vaddr_t start, vaddr_t end)
{
	bool write = (v->vm_flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;
	unsigned access = write ? MM_ACCESS_WRITE : MM_ACCESS_READ;

	if (v->vm_flags & (VM_IO | VM_PFNMAP))
		return 0;
	for (vaddr_t va = start; va < end; va += 1ull << vm->page_shift) {
		pt_slot *slot = pte_lookup(vm, t->mm, va);
		pte_t p = slot ? get_pte(vm, slot, 0) : (pte_t){0};
		struct vm_fault vmf = {.vm = vm, .task = t, .mm = t->mm, .vma = v, .addr = va, .slot = slot,
				       .write = access == MM_ACCESS_WRITE};
		vm_fault_t r;

		if (pte_present(p) && (!write || pte_write(p)))
			continue;
		if (!(v->vm_flags & VM_RWX))
			return -ENOMEM;
		r = handle_mm_fault(&vmf);
		if (r & VM_FAULT_OOM)
			return -EAGAIN;
		if (r & VM_FAULT_ERROR)
			return -ENOMEM;
		if (r & VM_FAULT_MAJOR)
			t->majflt++;
		else
			t->minflt++;
	}
	if (v->vm_flags & VM_LOCKED)
		mlock_range(vm, t->mm, start, end);
	return 0;
}

int mm_populate(struct vm *vm, struct task *t, vaddr_t start, vaddr_t end)
{
	struct vm_area_struct *v = find_vma_slow(vm, t->mm, start);

	for (; v && v->vm_start < end; v = v->vm_next) {
		int r = populate_vma(vm, t, v, v->vm_start > start ? v->vm_start : start,
				     v->vm_end < end ? v->vm_end : end);

		if (r)
			return r;
	}
	return 0;
}

/* ---- unmapping pages ---- */

/* An entry that is neither none nor present leaves the address space. */
static void zap_nonpresent(struct vm *vm, struct mm_struct *mm, pte_t p)
{
	if (is_migration_entry(p))
		mm->rss[mm_counter_of(migration_entry_to_page(vm, p))]--;
	else
		zap_swap_pte(vm, mm, p);
}

int zap_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	struct mm_struct *mm = arg;

	(void)va;
	for (unsigned i = 0; i < n; i++) {
		pte_t p = get_pte(vm, slots, i);
		struct page *page;

		if (!p.v)
			continue;
		set_pte(vm, slot_at(vm, slots, i), (pte_t){0});
		if (MM_UNLIKELY(!pte_present(p))) {
			zap_nonpresent(vm, mm, p);
			continue;
		}
		page = vm_normal_page(vm, p);
		if (!page) {
			ksm_zero_pte(vm, p, -1);
			continue;
		}
		if (!PageAnon(page) && pte_dirty(p))
			set_page_dirty(&vm->files, page);
		mm->rss[mm_counter_of(page)]--;
		page_remove_rmap(vm, page);
		if (MM_UNLIKELY(PageSwapCache(page)))
			free_swap_cache(&vm->swap, page);
		lru_put_page(&vm->lru, page);
	}
	charge_n(vm->hw, COST_PTE_OP, n);
	return 0;
}

void zap_range(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end)
{
	pte_range(vm, mm, start, end, zap_leaf, mm);
	vm_flush_range(vm, mm, start, end);
	charge(vm->hw, COST_TLB_FLUSH);
	count_vm_event(vm->hw, vm->hw->cpu, EV_TLB_FLUSHES);
}
