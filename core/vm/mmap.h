/* SPDX-License-Identifier: BSD-2-Clause */
/* What the system calls on mappings share: the region maker, unmapping, limits. */
#ifndef MEMRIG_VM_MMAP_H
#define MEMRIG_VM_MMAP_H

#include "core/vm/vma.h"

struct mmap_request {
	vaddr_t addr;
	u64 len; /* whole pages */
	u32 vm_flags;
	u64 pgoff;
	struct vm_file *file; /* its reference goes to the mapping on success */
};

/* Replaces what is in the way; merges or makes a VMA. The address or -errno. (spec 06 s7) */
s64 mmap_region(struct vm *vm, struct mm_struct *mm, const struct mmap_request *rq);

/* 0 (also if nothing was mapped), -EINVAL, -ENOMEM. (spec 06 s5) */
int do_munmap(struct vm *vm, struct mm_struct *mm, vaddr_t start, u64 len);

int vm_enough_memory(struct vm *vm, u64 pages);
bool may_expand_vm(const struct vm *vm, const struct mm_struct *mm, u64 pages); /* RLIMIT_AS */

#endif
