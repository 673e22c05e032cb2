/* SPDX-License-Identifier: BSD-2-Clause */
/* What the system calls on mappings share: the region maker, unmapping, limits, free addresses. */
#ifndef MEMRIG_VM_MMAP_H
#define MEMRIG_VM_MMAP_H

#include "core/vm/vma.h"

MM_INLINE u64 page_align(const struct vm *vm, u64 x)
{
	return ALIGN_UP(x, 1ull << vm->page_shift);
}

MM_INLINE bool page_unaligned(const struct vm *vm, u64 x)
{
	return x & ((1ull << vm->page_shift) - 1);
}

/* ---- mmap.c ---- */

struct mmap_request {
	vaddr_t addr;
	u64 len; /* whole pages */
	u32 vm_flags;
	u64 pgoff;
	struct vm_file *file; /* its reference goes to the mapping on success */
};

/* Replaces what is in the way; merges or makes a VMA. The address or -errno. (spec 06 s7) */
s64 mmap_region(struct vm *vm, struct mm_struct *mm, const struct mmap_request *rq);

/* 0 (also if nothing was mapped), -EINVAL, -ENOMEM. May sleep. (spec 06 s5) */
int do_munmap(struct vm *vm, struct mm_struct *mm, vaddr_t start, u64 len);

/*
 * Maps [addr, addr + len), whole pages, anonymous, as the heap is; what is there is replaced. The address,
 * or -EINVAL, -EAGAIN (RLIMIT_MEMLOCK), -ENOMEM. May sleep. (spec 06 s6)
 */
s64 do_brk(struct vm *vm, struct mm_struct *mm, vaddr_t addr, u64 len);

/* Drops a mapping's reference to its file; the last one of shared memory gives the commitment back.
 */
void mapping_put(struct vm *vm, struct vm_file *f);

/* ---- unmapped_area.c ---- */

/* Direction and base of @mm's address searches, by the stack's limit. (spec 06 s7.1) */
void arch_pick_mmap_layout(const struct vm *vm, struct mm_struct *mm);

enum { AREA_FIXED = 1, AREA_HUGE = 2 };
/*
 * Where @len bytes may go, @addr being a hint or, with AREA_FIXED, an order. AREA_HUGE: later
 * kernels align anonymous memory of whole huge pages, as offset @off of the object. Address or -errno.
 * Atomic.
 */
s64 get_unmapped_area(struct vm *vm, struct mm_struct *mm, vaddr_t addr, u64 len, u64 off,
		      unsigned flags);

/* ---- overcommit.c ---- */

/* Promises @pages to @mm (NULL: to the kernel): 0, or -ENOMEM with nothing promised. (spec 06 s7.3) */
int vm_enough_memory(struct vm *vm, const struct mm_struct *mm, u64 pages);
/* The values that boot computes. */
void overcommit_init(struct vm *vm);

bool may_expand_vm(const struct vm *vm, const struct mm_struct *mm, u64 pages); /* RLIMIT_AS */
/* Would @pages more locked ones exceed RLIMIT_MEMLOCK? Without that limit the task has
 * CAP_IPC_LOCK. */
bool over_memlock(const struct vm *vm, const struct mm_struct *mm, u64 pages);

#endif
