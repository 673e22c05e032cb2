/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vm/tlb.h"

#include <errno.h>
#include <stdio.h>

#include "core/vm/pgtable.h"

static u64 host_bytes(const struct vm *vm, u32 sets)
{
	return ALIGN_UP(sizeof(struct tlb) + tlb_bytes(sets, vm->hw->ncpu), 4096);
}

int vm_tlb_init(struct vm *vm)
{
	u32 sets = tlb_sets(vm->config->tlb);

	if (!vm->config->tlb)
		return 0;
	vm->tlb = hw_map_lazy(host_bytes(vm, sets));
	if (!vm->tlb)
		return -ENOMEM;
	tlb_init(vm->tlb, vm->tlb + 1, sets, vm->hw->ncpu, vm->page_shift,
		 vm_geometry(vm)->family == PT_ARM64 ? 16 : 8);
	return 0;
}

void vm_tlb_destroy(struct vm *vm)
{
	if (vm->tlb)
		hw_unmap_lazy(vm->tlb, host_bytes(vm, vm->tlb->nr_sets));
	vm->tlb = NULL;
}

void vm_tlb_fill(struct vm *vm, struct mm_struct *mm, vaddr_t addr)
{
	const struct pt_mmu mmu = {.ttbr0 = mm->pgd, .ttbr1 = PT_NO_TABLE, .dacr = ARM_DACR_LINUX};
	struct pt_result r;

	if (mmu_translate(vm->geom, &vm->mem, &mmu, addr, PT_ACCESS_READ, true, &r) != PT_OK)
		return;
	if (!tlb_context_current(vm->tlb, mm->context))
		mm->context = tlb_new_context(vm->tlb);
	tlb_fill(vm->tlb, vm->hw->cpu, mm->context, addr, r.pa, r.rights & (PT_UR | PT_UW | PT_UX));
	charge(vm->hw, COST_TLB_REFILL);
}

static struct mm_struct *mm_of_asid(const struct vm *vm, u64 asid)
{
	struct mm_struct *mm;

	list_for_each_entry(mm, &vm->mms, all)
		if (tlb_context_current(vm->tlb, mm->context) && tlb_asid(vm->tlb, mm->context) == asid)
			return mm;
	return NULL;
}

/* What the entry at @va allows, young or not: clearing young flushes nothing. */
static unsigned rights_of(const struct vm *vm, pte_t p)
{
	unsigned rights = TLB_READ;

	if (!pte_valid(p) || !pte_user(p))
		return 0;
	if (pte_write(p) && (pte_dirty(p) || vm->hwad))
		rights |= TLB_WRITE;
	return rights | (p.v & A64_UXN ? 0 : TLB_EXEC);
}

static bool stale(struct vm *vm, const struct tlb_entry *e)
{
	struct mm_struct *mm = mm_of_asid(vm, e->asid);
	pt_slot *slot = mm ? pte_lookup(vm, mm, e->va) : NULL;
	pte_t p = slot ? get_pte(vm, slot, 0) : (pte_t){0};

	return e->rights & ~rights_of(vm, p) || pte_pa(p) != e->pa;
}

int vm_tlb_check(struct vm *vm, char *why, size_t n)
{
	struct tlb_entry e;
	int r;

	for (u64 i = 0; vm->tlb && (r = tlb_entry(vm->tlb, i, &e)) >= 0; i++) {
		if (!r || !stale(vm, &e))
			continue;
		snprintf(why, n, "I02.5: stale TLB entry: ASID %llu, address %llx, rights %u to %llx",
			 (unsigned long long)e.asid, (unsigned long long)e.va, e.rights, (unsigned long long)e.pa);
		return 2005;
	}
	return 0;
}
