/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults of file mappings on an empty descriptor (spec 07 s5):
 *
 *   read           map the cached neighbours (fault-around), else the page, clean and read-only
 *   private write  copy the page; the file's own is not mapped
 *   shared write   tell the file (page_mkwrite), map writable and dirty
 *
 * Linux: mm/memory.c do_fault, mm/filemap.c filemap_fault, filemap_map_pages.
 */
#include "core/vm/fault.h"

#include "core/backing/file_io.h"
#include "core/backing/pageio.h"
#include "core/backing/readahead.h"
#include "core/vm/page_lock.h"
#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"
#include "core/vm/writeback.h"

static u64 file_index(const struct vm_fault *vmf)
{
	return vmf->vma->vm_pgoff + ((vmf->addr - vmf->vma->vm_start) >> vmf->vm->page_shift);
}

static void put_locked(struct vm_fault *vmf, struct page *p)
{
	unlock_page(p);
	lru_put_page(&vmf->vm->lru, p);
}

/* Somebody holds the cached page: waits, and says RETRY if that took mmap_sem. */
static vm_fault_t wait_for_page(struct vm_fault *vmf, struct page *p)
{
	bool locked;

	get_page(p);
	locked = lock_page_or_retry(vmf, p);
	if (locked)
		unlock_page(p);
	lru_put_page(&vmf->vm->lru, p);
	return locked ? 0 : VM_FAULT_RETRY;
}

/* The page of the file, from the cache or read: locked, with a reference, in vmf->page. (spec 07 s5.4) */
static vm_fault_t file_page(struct vm_fault *vmf)
{
	struct vm *vm = vmf->vm;
	struct vm_file *f = vmf->vma->vm_file;
	u32 flags = vmf->vma->vm_flags;
	unsigned advice = (flags & VM_SEQ_READ ? FILE_FAULT_SEQ : 0) | (flags & VM_RAND_READ ? FILE_FAULT_RAND : 0);
	u64 index = file_index(vmf);
	struct page *cached = filemap_lookup(vm->phys, f, index);
	unsigned r;

	if (MM_UNLIKELY(cached && PageLocked(cached)) && wait_for_page(vmf, cached))
		return VM_FAULT_RETRY;
	r = filemap_fault(&vm->files, f, index, advice, &vmf->page);
	if (r & FILE_FAULT_SIGBUS)
		return VM_FAULT_SIGBUS;
	if (r & FILE_FAULT_OOM)
		return VM_FAULT_OOM;
	get_page(vmf->page);
	lock_page(vm, vmf->page);
	if (!r)
		return VM_FAULT_LOCKED;
	count_vm_event(vm->hw, vm->hw->cpu, EV_PGMAJFAULT);
	return VM_FAULT_LOCKED | VM_FAULT_MAJOR;
}

/* Puts @p, whose reference becomes the mapping's, into an empty slot. (Linux: do_set_pte) */
static void map_file_page(struct vm_fault *vmf, pt_slot *slot, struct page *p, bool write)
{
	struct vm *vm = vmf->vm;
	pte_t pte = mk_pte(vm, p, vmf->vma);

	if (write)
		pte = maybe_mkwrite(pte_mkdirty(pte), vmf->vma);
	page_add_file_rmap(vm, p);
	vmf->mm->rss[mm_counter_of(p)]++;
	set_pte(vm, slot, pte);
	charge(vm->hw, COST_PTE_OP);
}

MM_INLINE bool slot_filled(const struct vm_fault *vmf)
{
	return !pte_slot_none(vm_geometry(vmf->vm), vmf->slot);
}

/* ---- read ---- */

/*
 * The window of addresses around the fault, cut to the VMA and the page table: the aligned block (spec 07
 * s5.1); policy=modern: a whole window's length from where the VMA's start cuts it, as 6.18 has it.
 */
static void around_window(const struct vm_fault *vmf, vaddr_t *start, vaddr_t *end)
{
	const struct vm *vm = vmf->vm;
	u64 window = vm->fault_around_pages << vm->page_shift,
	    table = 1ull << vm_geometry(vm)->shift[1];
	vaddr_t low = vmf->addr & ~(table - 1), high = low + table;

	if (low < vmf->vma->vm_start)
		low = vmf->vma->vm_start;
	if (high > vmf->vma->vm_end)
		high = vmf->vma->vm_end;
	*start = vmf->addr & ~(window - 1);
	*end = *start + window;
	if (*start < low) {
		*start = low;
		if (vm->modern)
			*end = low + window;
	}
	if (*end > high)
		*end = high;
}

/* Would mapping @p now need no more than a descriptor? */
static bool can_map_around(const struct page *p)
{
	return p && !PageLocked(p) && PageUptodate(p) &&
	       !PageReclaim(p); /* PG_reclaim: also PG_readahead */
}

/* Maps what the cache has of the window (spec 07 s5.1). */
static void fault_around(struct vm_fault *vmf)
{
	struct vm *vm = vmf->vm;
	struct vm_area_struct *v = vmf->vma;
	u64 pages = file_pages(&vm->files, v->vm_file), mapped = 0;
	vaddr_t va, end;

	around_window(vmf, &va, &end);
	for (; va < end; va += 1ull << vm->page_shift) {
		pt_slot *slot = slot_at(vm, vmf->slot, (s64)(va - vmf->addr) >> vm->page_shift);
		u64 index = v->vm_pgoff + ((va - v->vm_start) >> vm->page_shift);
		struct page *p;

		if (index >= pages)
			break;
		if (!pte_slot_none(vm_geometry(vm), slot))
			continue;
		p = filemap_lookup(vm->phys, v->vm_file, index);
		if (!can_map_around(p))
			continue;
		get_page(p);
		mmap_around_hit(v->vm_file);
		map_file_page(vmf, slot, p, false);
		mapped++;
	}
	count_vm_events(vm->hw, vm->hw->cpu, EV_FAULT_AROUND_MAPPED, mapped);
}

static vm_fault_t do_read_fault(struct vm_fault *vmf)
{
	vm_fault_t r;

	if (vmf->vm->fault_around_pages > 1) {
		fault_around(vmf);
		if (slot_filled(vmf))
			return 0;
	}
	r = file_page(vmf);
	if (!(r & VM_FAULT_LOCKED))
		return r;
	if (slot_filled(vmf)) { /* while we slept */
		put_locked(vmf, vmf->page);
		return r;
	}
	map_file_page(vmf, vmf->slot, vmf->page, false);
	unlock_page(vmf->page);
	return r;
}

/* ---- write ---- */

static vm_fault_t do_cow_fault(struct vm_fault *vmf)
{
	struct vm *vm = vmf->vm;
	struct page *p = alloc_anon_page(vmf);
	vm_fault_t r;

	if (!p)
		return VM_FAULT_OOM;
	r = file_page(vmf);
	if (!(r & VM_FAULT_LOCKED)) {
		lru_put_page(&vm->lru, p);
		return r;
	}
	hw_copy_frame(vm->hw, page_to_pfn(vm->phys, p), page_to_pfn(vm->phys, vmf->page));
	if (slot_filled(vmf))
		lru_put_page(&vm->lru, p);
	else
		install_anon_page(vmf, p);
	put_locked(vmf, vmf->page);
	return r;
}

void balance_dirty_file(const struct vm_fault *vmf)
{
	if (!vmf->vma->vm_file->shmem)
		balance_dirty_pages(vmf->vm);
}

static vm_fault_t do_shared_fault(struct vm_fault *vmf)
{
	vm_fault_t r;

	balance_dirty_file(vmf);
	r = file_page(vmf);
	if (!(r & VM_FAULT_LOCKED))
		return r;
	if (slot_filled(vmf)) {
		put_locked(vmf, vmf->page);
		return r;
	}
	map_file_page(vmf, vmf->slot, vmf->page, true);
	set_page_dirty(&vmf->vm->files, vmf->page);
	unlock_page(vmf->page);
	return r;
}

vm_fault_t do_fault(struct vm_fault *vmf)
{
	if (!vmf->write)
		return do_read_fault(vmf);
	return vmf->vma->vm_flags & VM_SHARED ? do_shared_fault(vmf) : do_cow_fault(vmf);
}
