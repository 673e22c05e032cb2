/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults: what happens when the walker says no (spec 07), and the page's way out of an address space.
 */
#ifndef MEMRIG_VM_FAULT_H
#define MEMRIG_VM_FAULT_H

#include "core/vm/mm_types.h"

enum { /* spec 07 s8.2 */
	VM_FAULT_OOM = 1, VM_FAULT_SIGBUS = 2, VM_FAULT_MAJOR = 4, VM_FAULT_WRITE = 8,
	VM_FAULT_HWPOISON = 0x10, VM_FAULT_HWPOISON_LARGE = 0x20, VM_FAULT_SIGSEGV = 0x40,
	VM_FAULT_NOPAGE = 0x100, VM_FAULT_LOCKED = 0x200, VM_FAULT_RETRY = 0x400, VM_FAULT_FALLBACK = 0x800,
	VM_FAULT_BADMAP = 0x10000, VM_FAULT_BADACCESS = 0x20000, /* ours */
	VM_FAULT_AGAIN = 0x40000 /* ours: nothing was mapped, but what was in the way has gone */
};
#define VM_FAULT_ERROR (VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV | VM_FAULT_BADMAP | VM_FAULT_BADACCESS)
typedef u32 vm_fault_t;

/* One fault on its way through the handlers. */
struct vm_fault {
	struct vm *vm;
	struct task *task;
	struct mm_struct *mm;
	struct vm_area_struct *vma;
	vaddr_t addr; /* page aligned */
	pt_slot *slot;    /* its leaf descriptor */
	pte_t pte;    /* as found */
	bool write;
};

/*
 * An access of @t that the walker refused; counts it. @slot: the leaf descriptor the walker came to, or
 * NULL. VM_FAULT_* (spec 07 s2).
 */
vm_fault_t do_page_fault(struct vm *vm, struct task *t, vaddr_t addr, unsigned access, pt_slot *slot);

/* Write to a page that vmf->pte maps read-only: reuses or copies it. (spec 07 s6) */
vm_fault_t do_wp_page(struct vm_fault *vmf);
/*
 * A fault at @addr of @v on behalf of the kernel: no task's counts, no rights checked but the
 * descriptor's. VM_FAULT_*. (Linux: handle_mm_fault)
 */
vm_fault_t fault_in_page(struct vm *vm, struct vm_area_struct *v, vaddr_t addr, bool write);

/* Makes [start, end) of the mm resident as mlock and MAP_POPULATE do. 0 or -errno. (spec 06 s8) */
int mm_populate(struct vm *vm, struct task *t, vaddr_t start, vaddr_t end);

/* Unmaps all pages of [start, end), which lies in @v or is all of several VMAs. (Linux: zap_page_range) */
void zap_range(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end);

/* The same for one leaf table, as a pte_range_fn; @arg: the mm. Flushes nothing. */
int zap_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va);

/* Lowers a stack to hold @addr. 0 or -ENOMEM. (spec 06 s9) */
int expand_stack(struct vm *vm, struct vm_area_struct *v, vaddr_t addr);

#endif
