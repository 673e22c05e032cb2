/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a mapping goes (spec 06 s7.1).
 *
 *   topdown    0 ..... heap ..... [gap <- searched ------ mmap_base)  stack  TASK_SIZE
 *   bottomup   0 ..... heap ..... [mmap_base -- searched -> gap ......... stack) TASK_SIZE
 *
 * Linux: mm/mmap.c, arch/arm/mm/mmap.c, arch/arm64/mm/mmap.c, mm/huge_memory.c; left out: address
 * randomisation (none), cache colours of ARM32 caches that alias.
 */
#include <errno.h>

#include "core/base/bits.h"
#include "core/vm/mmap.h"

#define STACK_RND_BYTES ((0x3ffffull << 12) + 1) /* arm64: span of the stack's randomisation */

void arch_pick_mmap_layout(const struct vm *vm, struct mm_struct *mm)
{
	u64 gap = vm->config->stack_limit, least = 128 * MiB, most = vm->task_size / 6 * 5;

	mm->stack_gap = vm->guard_gap ? 256ull << vm->page_shift : 0;
	mm->topdown = !vm->legacy_va_layout && gap != UINT64_MAX;
	if (!mm->topdown) {
		mm->mmap_base = vm->phys->kpgd.layout.unmapped_base;
		return;
	}
	if (vm->config->arch == ARCH_ARM64 && !vm->guard_gap)
		least += STACK_RND_BYTES;
	if (vm->guard_gap && gap + mm->stack_gap > gap)
		gap += mm->stack_gap;
	mm->mmap_base = page_align(vm, vm->task_size - mm_clamp(gap, least, most));
}

static s64 from_below(const struct vm *vm, const struct mm_struct *mm, u64 len, vaddr_t low)
{
	vaddr_t high = vm->task_size, above = mm_max(mm->highest_vm_end, low);
	s64 r = vma_index_bottomup(vm, mm, len, low, high);

	if (r >= 0)
		return r;
	return above <= high - len ? (s64)above : -ENOMEM;
}

static s64 from_above(const struct vm *vm, const struct mm_struct *mm, u64 len)
{
	vaddr_t low = mm_max(1ull << vm->page_shift, vm->mmap_min_addr), high = mm->mmap_base;

	if (high < low || high - low < len)
		return -ENOMEM;
	if (mm->highest_vm_end <= high - len) /* the gap above all VMAs */
		return (s64)(high - len);
	return vma_index_topdown(vm, mm, len, low, high);
}

/* A free address for @len bytes, at @hint if that can be. */
static s64 free_area(struct vm *vm, const struct mm_struct *mm, vaddr_t hint, u64 len)
{
	s64 r;

	if (len > vm->task_size)
		return -ENOMEM;
	if (hint) {
		const struct vm_area_struct *v;

		hint = page_align(vm, hint);
		v = vma_index_find(vm, mm, hint);
		if (hint <= vm->task_size - len && hint >= vm->mmap_min_addr &&
		    (!v || hint + len <= vma_start_gap(v)))
			return (s64)hint;
	}
	if (!mm->topdown)
		return from_below(vm, mm, len, mm->mmap_base);
	r = from_above(vm, mm, len);
	return r >= 0 ? r : from_below(vm, mm, len, vm->phys->kpgd.layout.unmapped_base);
}

/*
 * Room for one huge page more, then the highest (lowest) address in it that lies in its huge page as @off
 * does. -ENOMEM: try without.
 */
static s64 huge_area(struct vm *vm, const struct mm_struct *mm, vaddr_t hint, u64 len, u64 off)
{
	u64 huge = 1ull << (2 * vm->page_shift - 3), lead;
	s64 r;

	if (!vm->modern || len & (huge - 1) || off + len < ALIGN_UP(off, huge) + huge)
		return -ENOMEM;
	r = free_area(vm, mm, hint, len + huge);
	if (r < 0 || (vaddr_t)r == hint)
		return r;
	lead = (off - (u64)r) & (huge - 1);
	return r + (s64)(mm->topdown && !lead ? huge : lead);
}

s64 get_unmapped_area(struct vm *vm, struct mm_struct *mm, vaddr_t addr, u64 len, u64 off, unsigned flags)
{
	s64 r = -ENOMEM;

	if (len > vm->task_size)
		return -ENOMEM;
	if (flags & AREA_FIXED)
		r = (s64)addr;
	else if (flags & AREA_HUGE)
		r = huge_area(vm, mm, addr, len, off);
	if (r < 0)
		r = free_area(vm, mm, addr, len);
	if (r < 0)
		return r;
	if ((vaddr_t)r > vm->task_size - len)
		return -ENOMEM;
	return page_unaligned(vm, (vaddr_t)r) ? -EINVAL : r;
}
