/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * get_user_pages: the kernel reaches for a task's pages (spec 07 s7), whole or step by step (s8).
 *
 * Terms
 *   pin       a page that was got holds a reference more until gup_put_page().
 *   forced    FOLL_FORCE: rights of the VMA do not matter, only what it might become (VM_MAY*).
 *   the rule  what happens to the flags after a forced write fault on a mapping that is not
 * writable. Dropping FOLL_WRITE was CVE-2016-5195 (dirtycow=vulnerable, 2.6.22 to 4.8.2);
 * remembering FOLL_COW and asking for a dirty descriptor mended it (fixed); asking whether the page
 * was ever shared is 5.19's way (exclusive).
 *
 * One state machine, gup_step(), looks up one page; get_user_pages() and access_remote_vm() run it
 * to its end, tests and the race driver (dirtycow.h) stop in between. All take mmap_sem for
 * reading. Linux: mm/gup.c, mm/memory.c __access_remote_vm; left out: fast gup, huge pages,
 * nonblocking callers.
 */
#ifndef MEMRIG_VM_GUP_H
#define MEMRIG_VM_GUP_H

#include "core/vm/mm_types.h"

enum foll_flag { /* values of Linux 4.0 */
		 FOLL_WRITE = 1,
		 FOLL_TOUCH = 2,
		 FOLL_GET = 4,
		 FOLL_DUMP = 8,
		 FOLL_FORCE = 0x10,
		 FOLL_NOWAIT = 0x20,
		 FOLL_MLOCK = 0x40,
		 FOLL_SPLIT = 0x80,
		 FOLL_HWPOISON = 0x100,
		 FOLL_NUMA = 0x200,
		 FOLL_MIGRATION = 0x400,
		 FOLL_TRIED = 0x800,
		 FOLL_COW = 0x4000
};

/*
 * The page mapped at @addr of @v if @flags allow its use, in @out; NULL: a fault is needed first.
 * With FOLL_GET a reference. 0, or -EFAULT: never (FOLL_DUMP on an empty or zero page, special mappings).
 * Atomic.
 */
int follow_page(struct vm *vm, struct vm_area_struct *v, vaddr_t addr, u32 flags,
		struct page **out);

/*
 * Up to @n pages from @start on into @pages (NULL: only faulted in), faulting as @flags demand; @t,
 * if not NULL, is charged the faults (min_flt, maj_flt). The number of pages, or the error if it is
 * 0: -EFAULT, -ENOMEM, -EBUSY (FOLL_NOWAIT would have slept). May sleep. (spec 07 s7)
 */
s64 get_user_pages(struct vm *vm, struct task *t, struct mm_struct *mm, vaddr_t start, u64 n,
		   u32 flags, struct page **pages);
/* A pin more, or less; vm_check() accounts for pins taken this way only. */
void gup_pin_page(struct vm *vm, struct page *p);
void gup_put_page(struct vm *vm, struct page *p);

/*
 * Reads or writes @len bytes of the task's memory as /proc/self/mem and ptrace do: forced. The
 * bytes moved. With data=tag a frame's contents are its tag over and over; a write changes the
 * tag's bytes. May sleep.
 */
u64 access_remote_vm(struct vm *vm, struct task *t, vaddr_t addr, void *buf, u64 len, bool write);

/* ---- step by step ---- */

enum gup_point {	 /* where an operation stands: what it does next (spec 07 s8) */
		 GUP_G1, /* first look-up */
		 GUP_G2, /* fault on an empty descriptor */
		 GUP_G3, /* look-up after it; others may run */
		 GUP_G4, /* write fault on a read-only descriptor, then the rule */
		 GUP_G5, /* the window: others may run */
		 GUP_G6, /* look-up under the new flags */
		 GUP_G7, /* copy to or from the page, and let it go */
		 GUP_DONE,
		 GUP_ERROR
};

struct gup_op {
	struct vm *vm;
	struct task *task; /* charged; may be NULL */
	struct mm_struct *mm;
	struct vm_area_struct *vma;
	vaddr_t addr; /* page aligned */
	u32 flags;    /* as they are now */
	enum gup_point point;
	struct page *page; /* from G7 on: pinned if FOLL_GET */
	int error;	   /* GUP_ERROR: -errno */
	void *buf;	   /* what G7 copies; NULL: nothing, the pin is the caller's */
	u32 offset, len;
	bool write; /* what was asked for, whatever became of FOLL_WRITE */
};

/*
 * Begins to look up the page at @addr of @t's mm; takes mmap_sem for reading until the operation is
 * done, failed or aborted. With @buf, G7 copies @len bytes, which end in the page: into it with
 * FOLL_WRITE, else from it. Returns the first point, or "error".
 */
const char *gup_begin(struct gup_op *op, struct vm *vm, struct task *t, vaddr_t addr, u32 flags,
		      void *buf, u32 len);
/* Does what its point says and goes on to the next, which is returned: "G1".."G7", "done", "error".
 */
const char *gup_step(struct gup_op *op);
/* The FOLL_* word as it is now. */
u32 gup_flags(const struct gup_op *op);
/* Gives up in the middle; what was faulted in stays. */
void gup_abort(struct gup_op *op);
const char *gup_point_name(enum gup_point point);

#endif
