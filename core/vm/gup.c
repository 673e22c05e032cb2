/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One page's look-up, as a state machine (spec 07 s8):
 *
 *   G1 follow --none--> G2 fault --> G3 follow --read-only--> G4 fault, rule --> G5 (window) --> G6
 * follow |                 ^              | |    | |                 +---- none
 * ----+---------------------------- none ----------------------+    |
 *      +---------------------- found ---+---------------------------- found
 * --------------------------+--> G7
 */
#include "core/vm/gup.h"

#include <errno.h>
#include <string.h>

#include "core/backing/pageio.h"
#include "core/vm/fault.h"
#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"
#include "core/vm/swapops.h"
#include "core/vm/vm.h"
#include "core/vm/vma.h"

/* ---- follow_page ---- */

static bool is_cow_mapping(u32 vm_flags)
{
	return (vm_flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE;
}

/* May a forced write go through a descriptor without the right? */
static bool can_force_write(const struct vm *vm, pte_t pte, const struct page *p, u32 flags)
{
	if (!(flags & FOLL_FORCE))
		return false;
	switch (vm->dirtycow) {
	case DIRTYCOW_FIXED:
		return flags & FOLL_COW && pte_dirty(pte);
	case DIRTYCOW_EXCLUSIVE:
		return p && PageAnon(p) && !PageKsm(p) && PageAnonExclusive(p);
	default:
		return false;
	}
}

static void mlock_followed(struct vm *vm, const struct vm_area_struct *v, struct page *p)
{
	if (!(v->vm_flags & VM_LOCKED) || !p->mapping || !trylock_page(p))
		return;
	lru_add_drain(&vm->lru, vm->hw->cpu); /* it may sit in this CPU's batch */
	mlock_page(vm, p);
	unlock_page(p);
}

void gup_pin_page(struct vm *vm, struct page *p)
{
	get_page(p);
	vm->nr_pins++;
}

static void use_followed(struct vm *vm, const struct vm_area_struct *v, pte_t pte, struct page *p,
			 u32 flags)
{
	if (flags & FOLL_GET)
		gup_pin_page(vm, p);
	if (flags & FOLL_TOUCH) {
		if (flags & FOLL_WRITE && !pte_dirty(pte) && !PageDirty(p))
			set_page_dirty(&vm->files, p);
		mark_page_accessed(&vm->lru, p);
	}
	if (flags & FOLL_MLOCK)
		mlock_followed(vm, v, p);
}

int follow_page(struct vm *vm, struct vm_area_struct *v, vaddr_t addr, u32 flags, struct page **out)
{
	pt_slot *slot = pte_lookup(vm, v->vm_mm, addr);
	pte_t pte = slot ? get_pte(vm, slot, 0) : (pte_t){0};
	struct page *p;

	mmap_assert_locked(vm, v->vm_mm);
	*out = NULL;
	if (!pte_present(pte))
		return pte_none(pte) && flags & FOLL_DUMP && !v->vm_file ? -EFAULT : 0;
	p = vm_normal_page(vm, pte);
	if (flags & FOLL_WRITE && !pte_write(pte) && !can_force_write(vm, pte, p, flags))
		return 0;
	if (!p) {
		if (flags & FOLL_DUMP)
			return -EFAULT;
		p = pfn_to_page(vm->phys, vm->zero_pfn);
		if (flags & FOLL_GET)
			gup_pin_page(vm, p);
		*out = p;
		return 0;
	}
	use_followed(vm, v, pte, p, flags);
	*out = p;
	return 0;
}

/* ---- one page ---- */

static int check_vma_flags(const struct vm_area_struct *v, u32 flags)
{
	if (v->vm_flags & (VM_IO | VM_PFNMAP))
		return -EFAULT;
	if (flags & FOLL_WRITE) {
		if (v->vm_flags & VM_WRITE)
			return 0;
		return flags & FOLL_FORCE && is_cow_mapping(v->vm_flags) ? 0 : -EFAULT;
	}
	if (v->vm_flags & VM_READ)
		return 0;
	return flags & FOLL_FORCE && v->vm_flags & VM_MAYREAD ? 0 : -EFAULT;
}

static void fail(struct gup_op *op, int error)
{
	op->error = error;
	op->point = GUP_ERROR;
}

/* What a forced write fault on a mapping without VM_WRITE does to the flags. */
static void apply_rule(struct gup_op *op)
{
	if (op->vma->vm_flags & VM_WRITE)
		return;
	if (op->vm->dirtycow == DIRTYCOW_VULNERABLE)
		op->flags &= ~(u32)FOLL_WRITE; /* "the copy is made, later look-ups may be reads" */
	else if (op->vm->dirtycow == DIRTYCOW_FIXED)
		op->flags |= FOLL_COW;
}

static void count_fault(struct gup_op *op, vm_fault_t r)
{
	if (!op->task || op->vm->modern) /* later kernels count in handle_mm_fault() */
		return;
	if (r & VM_FAULT_MAJOR)
		op->task->majflt++;
	else
		op->task->minflt++;
}

static void faultin_page(struct gup_op *op)
{
	struct vm_fault vmf = {.vm = op->vm,
			       .task = op->task,
			       .mm = op->mm,
			       .vma = op->vma,
			       .addr = op->addr,
			       .write = op->flags & FOLL_WRITE};
	vm_fault_t r;

	if (op->flags & FOLL_NOWAIT)
		vmf.flags |= FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_RETRY_NOWAIT;
	if (op->flags & FOLL_TRIED)
		vmf.flags |= FAULT_FLAG_TRIED;
	r = handle_mm_fault(&vmf);
	if (r & VM_FAULT_ERROR) {
		fail(op, r & VM_FAULT_OOM ? -ENOMEM : -EFAULT);
		return;
	}
	count_fault(op, r);
	if (r & VM_FAULT_RETRY) {
		fail(op, -EBUSY);
		return;
	}
	if (r & VM_FAULT_WRITE)
		apply_rule(op);
	op->point = r & VM_FAULT_WRITE ? GUP_G5 : GUP_G3;
}

/* Where a look-up that found nothing goes: to a fault on an empty, or on a read-only descriptor. */
static enum gup_point fault_point(const struct gup_op *op)
{
	pt_slot *slot = pte_lookup(op->vm, op->mm, op->addr);

	return slot && pte_present(get_pte(op->vm, slot, 0)) ? GUP_G4 : GUP_G2;
}

static void follow(struct gup_op *op)
{
	int r = follow_page(op->vm, op->vma, op->addr, op->flags, &op->page);

	if (r)
		fail(op, r);
	else
		op->point = op->page ? GUP_G7 : fault_point(op);
}

/* The word of a frame's contents that holds byte @offset, and the byte in it, with data=tag. */
static void copy_tag(struct hw *hw, pfn_t pfn, u32 offset, u8 *buf, u32 len, bool write)
{
	union {
		u64 tag;
		u8 bytes[8];
	} w = {.tag = hw_frame_tag(hw, pfn)};

	for (u32 i = 0; i < len; i++) {
		if (write)
			w.bytes[(offset + i) & 7] = buf[i];
		else
			buf[i] = w.bytes[(offset + i) & 7];
	}
	if (write)
		hw_set_frame_tag(hw, pfn, w.tag);
}

/* Through kmap: the frame itself, whatever the descriptor says by now. */
static void copy_page(struct gup_op *op)
{
	struct vm *vm = op->vm;
	pfn_t pfn = page_to_pfn(vm->phys, op->page);
	bool write = op->write;
	u8 *bytes;

	if (vm->hw->tags) {
		copy_tag(vm->hw, pfn, op->offset, op->buf, op->len, write);
	} else {
		bytes = (u8 *)hw_pfn_ptr(vm->hw, pfn) + op->offset;
		memcpy(write ? bytes : op->buf, write ? op->buf : bytes, op->len);
	}
	if (write) {
		hw_frame_changed(vm->hw, pfn);
		set_page_dirty(&vm->files, op->page);
	}
}

static void finish(struct gup_op *op)
{
	if (op->buf) {
		copy_page(op);
		if (op->flags & FOLL_GET)
			gup_put_page(op->vm, op->page);
		op->page = NULL;
	}
	op->point = GUP_DONE;
}

/* Does what the point says; false when there is nothing left to do. */
static bool step(struct gup_op *op)
{
	switch (op->point) {
	case GUP_G1:
	case GUP_G3:
	case GUP_G6:
		follow(op);
		break;
	case GUP_G2:
	case GUP_G4:
		faultin_page(op);
		break;
	case GUP_G5:
		op->point = GUP_G6;
		break;
	case GUP_G7:
		finish(op);
		break;
	default:
		BUG();
	}
	return op->point < GUP_DONE;
}

static void start(struct gup_op *op)
{
	int r;

	op->vma = find_vma_slow(op->vm, op->mm, op->addr);
	if (op->vma && op->vma->vm_start > op->addr &&
	    (!(op->vma->vm_flags & VM_GROWSDOWN) || expand_stack(op->vm, op->vma, op->addr)))
		op->vma = NULL;
	r = op->vma ? check_vma_flags(op->vma, op->flags) : -EFAULT;
	if (r)
		fail(op, r);
}

void gup_put_page(struct vm *vm, struct page *p)
{
	VM_BUG_ON(!vm->nr_pins);
	vm->nr_pins--;
	lru_put_page(&vm->lru, p);
}

/* ---- whole ---- */

/* The caller holds mmap_sem. */
static s64 get_pages(struct vm *vm, struct task *t, struct mm_struct *mm, vaddr_t start_addr, u64 n, u32 flags,
		     struct page **pages)
{
	struct gup_op op = {.vm = vm, .task = t, .mm = mm};
	u64 i;

	mmap_assert_locked(vm, mm);
	for (i = 0; i < n; i++) {
		op.addr = (start_addr & ~((1ull << vm->page_shift) - 1)) + (i << vm->page_shift);
		op.flags = flags;
		op.point = GUP_G1;
		if (!op.vma || op.addr >= op.vma->vm_end)
			start(&op);
		while (op.point < GUP_G7)
			step(&op);
		if (op.point == GUP_ERROR)
			break;
		if (pages)
			pages[i] = op.page;
	}
	return i ? (s64)i : n ? op.error : 0;
}

s64 get_user_pages(struct vm *vm, struct task *t, struct mm_struct *mm, vaddr_t start_addr, u64 n,
		   u32 flags, struct page **pages)
{
	s64 r;

	might_sleep(vm->hw);
	mmap_read_lock(vm, mm);
	r = get_pages(vm, t, mm, start_addr, n, pages ? flags | FOLL_GET : flags, pages);
	mmap_read_unlock(vm, mm);
	return r;
}

u64 access_remote_vm(struct vm *vm, struct task *t, vaddr_t addr, void *buf, u64 len, bool write)
{
	u64 page = 1ull << vm->page_shift, done = 0;

	might_sleep(vm->hw);
	while (t->mm && done < len) {
		u64 room = page - ((addr + done) & (page - 1)),
		    n = len - done < room ? len - done : room;
		struct gup_op op;

		gup_begin(&op, vm, t, addr + done, FOLL_FORCE | FOLL_GET | (write ? FOLL_WRITE : 0),
			  (u8 *)buf + done, (u32)n);
		while (op.point < GUP_DONE)
			gup_step(&op);
		if (op.point == GUP_ERROR)
			break;
		done += n;
	}
	return done;
}

/* ---- step by step ---- */

const char *gup_point_name(enum gup_point point)
{
	static const char *const names[] = {"G1", "G2", "G3",	"G4",	"G5",
					    "G6", "G7", "done", "error"};

	return names[point];
}

const char *gup_begin(struct gup_op *op, struct vm *vm, struct task *t, vaddr_t addr, u32 flags,
		      void *buf, u32 len)
{
	u64 page = 1ull << vm->page_shift;

	*op = (struct gup_op){.vm = vm,
			      .task = t,
			      .mm = t->mm,
			      .addr = addr & ~(page - 1),
			      .flags = flags,
			      .buf = buf,
			      .offset = (u32)(addr & (page - 1)),
			      .len = len,
			      .write = flags & FOLL_WRITE};
	BUG_ON(op->offset + len > page);
	mmap_read_lock(op->vm, op->mm);
	start(op);
	if (op->point == GUP_ERROR)
		mmap_read_unlock(op->vm, op->mm);
	return gup_point_name(op->point);
}

const char *gup_step(struct gup_op *op)
{
	might_sleep(op->vm->hw);
	if (!step(op))
		mmap_read_unlock(op->vm, op->mm);
	return gup_point_name(op->point);
}

u32 gup_flags(const struct gup_op *op)
{
	return op->flags;
}

void gup_abort(struct gup_op *op)
{
	if (op->point >= GUP_DONE)
		return;
	if (op->page && op->flags & FOLL_GET)
		gup_put_page(op->vm, op->page);
	op->page = NULL;
	op->point = GUP_ERROR;
	op->error = -EINTR;
	mmap_read_unlock(op->vm, op->mm);
}

/* ---- populate ---- */

int populate_vma_range(struct vm *vm, struct task *t, struct vm_area_struct *v, vaddr_t start,
		       vaddr_t end)
{
	u32 flags = FOLL_TOUCH | FOLL_MLOCK;
	u64 n = (end - start) >> vm->page_shift;

	might_sleep(vm->hw);
	if (v->vm_flags & (VM_IO | VM_PFNMAP))
		return 0;
	/* private writable pages are copied now, so that later writes do not fault */
	if ((v->vm_flags & (VM_WRITE | VM_SHARED)) == VM_WRITE)
		flags |= FOLL_WRITE;
	if (v->vm_flags & VM_RWX) /* a mapping without rights is not populated */
		flags |= FOLL_FORCE;
	for (u64 i = 0; i < n;) {
		s64 r = get_pages(vm, t, v->vm_mm, start + (i << vm->page_shift), n - i, flags, NULL);

		if (r < 0)
			return r == -ENOMEM ? -EAGAIN : -ENOMEM;
		i += (u64)r;
	}
	return 0;
}
