/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accesses to the kernel's half of the address space under a user's tables (spec 02 s2.6, s4.4).
 *
 * ARM32: each top table has a copy of the kernel's entries; one the kernel made later is copied by the
 * fault of a first access (0x05), without locks. ARM64: the kernel's table is shared, so that a
 * translation fault is final. User mode never gets there: bad area.
 * Linux: arch/arm/mm/fault.c (do_translation_fault), arch/arm64/mm/fault.c.
 */
#ifndef MEMRIG_VM_KERNEL_ACCESS_H
#define MEMRIG_VM_KERNEL_ACCESS_H

#include "arch/walk.h"
#include "core/vm/mm_types.h"

struct kernel_access {
	int result;      /* 0 or -EFAULT: bad area */
	unsigned copies; /* entries copied into @mm's tables on the way */
	u32 fsr;         /* of the first fault; 0: none */
	struct pt_result walk; /* the last one */
};

/* Registers of the MMU while @mm runs; NULL: the kernel's own tables alone. */
struct pt_mmu vm_mmu(const struct vm *vm, const struct mm_struct *mm);

/* One access to @va >= TASK_SIZE while @mm runs. */
struct kernel_access vm_kernel_access(struct vm *vm, struct mm_struct *mm, vaddr_t va, enum pt_access access,
				      bool user);

#endif
