/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vm/kernel_access.h"

#include <errno.h>

#include "core/phys/mmzone.h"
#include "core/vm/pgtable.h"

struct pt_mmu vm_mmu(const struct vm *vm, const struct mm_struct *mm)
{
	paddr_t kernel = vm->phys->kpgd.space.root;
	bool split = vm_geometry(vm)->family == PT_ARM64;

	return (struct pt_mmu){.ttbr0 = mm ? mm->pgd : split ? PT_NO_TABLE : kernel,
			       .ttbr1 = split ? kernel : PT_NO_TABLE, .dacr = ARM_DACR_LINUX, .hwad = vm->hwad};
}

/* do_translation_fault: copies the highest entry that the kernel has for @va and @mm lacks. */
static bool copy_entry(struct vm *vm, struct mm_struct *mm, vaddr_t va)
{
	const struct pt_geometry *g = vm_geometry(vm);
	paddr_t to = mm->pgd, from = vm->phys->kpgd.space.root;

	for (int h = g->levels - 1; h > 0 && from != PT_NO_TABLE; h--) {
		u64 *u = (u64 *)pt_mem_at(&vm->mem, to) + pt_index(g, va, h);
		u64 *k = (u64 *)pt_mem_at(&vm->mem, from) + pt_index(g, va, h);
		unsigned half = g->family == PT_SHORT ? va >> 20 & 1 : 0; /* of the pair, the one that faulted */

		if (g->family == PT_SHORT ? !((u32 *)k)[half] : !*k)
			return false;
		if (*u != *k && (g->family == PT_SHORT ? !((u32 *)u)[half] : !*u)) {
			*u = *k;
			return true;
		}
		if (!pt_entry_is_table(g, pt_entry(g, u)) || !pt_entry_is_table(g, pt_entry(g, k)))
			return false;
		to = pt_entry_table(g, pt_entry(g, u));
		from = pt_entry_table(g, pt_entry(g, k));
	}
	return false;
}

struct kernel_access vm_kernel_access(struct vm *vm, struct mm_struct *mm, vaddr_t va, enum pt_access access,
				      bool user)
{
	const struct pt_mmu mmu = vm_mmu(vm, mm);
	struct kernel_access a = {0};
	struct pt_fault_info f;

	while (mmu_translate(vm->geom, &vm->mem, &mmu, va, access, user, &a.walk) != PT_OK) {
		a.fsr = a.fsr ? a.fsr : a.walk.fsr;
		f = pt_fault_decode(vm->geom, a.walk.fsr, va, vm->task_size, user);
		if (f.path != PT_PATH_KERNEL || !copy_entry(vm, mm, va)) {
			a.result = -EFAULT; /* kernel addresses have no VMA */
			break;
		}
		a.copies++;
		charge(vm->hw, COST_FAULT);
	}
	return a;
}
