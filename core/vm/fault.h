/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults: what happens when the walker says no (spec 07 s2 to s6), and the page's way out of an
 * address space (zap.c).
 *
 * Terms
 *   fault       one pass through handle_mm_fault(); an access may take several.
 *   RETRY       a handler that would have slept on a page lock let go of mmap_sem instead: the
 * caller starts over, once, without VM_FAULT_FLAG_ALLOW_RETRY.
 *
 * A handler finds its descriptor in vmf->slot and vmf->pte; it may sleep (virtual time passes,
 * daemons run), and looks at the slot again afterwards. Linux: mm/memory.c, arch/arm64/mm/fault.c;
 * left out: huge pages, NUMA hinting, signals that interrupt a fault.
 */
#ifndef MEMRIG_VM_FAULT_H
#define MEMRIG_VM_FAULT_H

#include "core/vm/mm_types.h"

enum { /* spec 07 s8.2 */
       VM_FAULT_OOM = 1,
       VM_FAULT_SIGBUS = 2,
       VM_FAULT_MAJOR = 4,
       VM_FAULT_WRITE = 8,
       VM_FAULT_HWPOISON = 0x10,
       VM_FAULT_HWPOISON_LARGE = 0x20,
       VM_FAULT_SIGSEGV = 0x40,
       VM_FAULT_NOPAGE = 0x100,
       VM_FAULT_LOCKED = 0x200,
       VM_FAULT_RETRY = 0x400,
       VM_FAULT_FALLBACK = 0x800,
       VM_FAULT_BADMAP = 0x10000,
       VM_FAULT_BADACCESS = 0x20000, /* ours */
       VM_FAULT_AGAIN = 0x40000 /* ours: nothing was mapped, but what was in the way has gone */
};
#define VM_FAULT_ERROR                                                                             \
	(VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV | VM_FAULT_BADMAP | VM_FAULT_BADACCESS)
typedef u32 vm_fault_t;

enum fault_flag { /* vmf->flags; FAULT_FLAG_WRITE of Linux is vmf->write */
		  FAULT_FLAG_MKWRITE = 2,
		  FAULT_FLAG_ALLOW_RETRY = 4,
		  FAULT_FLAG_RETRY_NOWAIT = 8,
		  FAULT_FLAG_KILLABLE = 0x10,
		  FAULT_FLAG_TRIED = 0x20,
		  FAULT_FLAG_USER = 0x40
};

/* One fault on its way through the handlers. */
struct vm_fault {
	struct vm *vm;
	struct task *task;
	struct mm_struct *mm;
	struct vm_area_struct *vma;
	vaddr_t addr;  /* page aligned */
	pt_slot *slot; /* its leaf descriptor */
	pte_t pte;     /* as found */
	bool write;
	u32 flags;
	struct page *page; /* a file's handler: what it found, locked and with a reference */
};

/*
 * The fault handler's entry: @status is the hardware's fault status word (arch/walk.h), decoded by
 * the architecture's rules; @slot: the leaf descriptor the walker came to, or NULL. Charges
 * COST_FAULT, counts min_flt or maj_flt of the task at the first attempt (policy=modern: at the
 * last), leaves the signal's number and code in the task on an error. VM_FAULT_*. May sleep. (spec 07 s2)
 */
vm_fault_t do_page_fault(struct vm *vm, struct task *t, vaddr_t addr, u32 status, pt_slot *slot);

/* The same when the status is known to be an ordinary one: a missing or forbidden page below
 * task_size. */
vm_fault_t do_user_fault(struct vm *vm, struct task *t, vaddr_t addr, unsigned access,
			 pt_slot *slot);

/*
 * One fault of vmf->vma at vmf->addr, whose rights the caller has checked. Counts pgfault
 * (policy=modern: and the task's faults, unless the result is RETRY). vmf->slot may be NULL.
 * VM_FAULT_*. May sleep. (spec 07 s3)
 */
vm_fault_t handle_mm_fault(struct vm_fault *vmf);

/* Write to a page that vmf->pte maps read-only: reuses or copies it. (spec 07 s6) */
vm_fault_t do_wp_page(struct vm_fault *vmf);
/*
 * A fault at @addr of @v on behalf of the kernel: no task's counts, no rights checked but the
 * descriptor's. VM_FAULT_*. (Linux: handle_mm_fault)
 */
vm_fault_t fault_in_page(struct vm *vm, struct vm_area_struct *v, vaddr_t addr, bool write);

/* File pages: none -> mapped (file_fault.c, spec 07 s5). */
vm_fault_t do_fault(struct vm_fault *vmf);
/* A page of the VMA's file is about to become dirty: first those that are too many are written, so that the
 * page being mapped is not among them. */
void balance_dirty_file(const struct vm_fault *vmf);
/*
 * Makes [start, end) of @v resident: writable if that is what the mapping is for, and mlocked if it
 * is VM_LOCKED. 0; -ENOMEM: an address that cannot be had; -EAGAIN: no memory. (spec 06 s8)
 */
int populate_vma_range(struct vm *vm, struct task *t, struct vm_area_struct *v, vaddr_t start,
		       vaddr_t end);

/* The same for all that is mapped below [start, end), as MAP_POPULATE does: errors are nobody's. */
void mm_populate(struct vm *vm, struct task *t, vaddr_t start, vaddr_t end);

/*
 * Locks @p. False: it was locked, VM_FAULT_FLAG_ALLOW_RETRY is set, and the caller is to return
 * VM_FAULT_RETRY; mmap_sem was dropped and the lock waited for, unless RETRY_NOWAIT. (spec 07 s1.3)
 */
bool lock_page_or_retry(struct vm_fault *vmf, struct page *p);

/* New anonymous page for the faulting VMA, with its anon_vma, contents undefined. NULL: no memory.
 */
struct page *alloc_anon_page(struct vm_fault *vmf);
/* Puts it into the tables: rss, rmap, LRU, descriptor (dirty; writable if the VMA is). */
void install_anon_page(struct vm_fault *vmf, struct page *p);

/* Unmaps all pages of [start, end), which lies in @v or is all of several VMAs. (Linux:
 * zap_page_range) */
void zap_range(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end);

/* The same for one leaf table, as a pte_range_fn; @arg: the mm. Flushes nothing. */
int zap_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va);

#endif
