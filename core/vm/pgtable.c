/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vm/pgtable.h"

#include <errno.h>
#include <string.h>

#include "core/phys/page_alloc.h"

/* ---- tables ---- */

static paddr_t table_alloc(struct vm *vm, struct mm_struct *mm)
{
	struct page *p = alloc_page(vm->phys, vm->hw->cpu, GFP_KERNEL | MM_GFP_REPEAT);
	paddr_t pa;

	if (!p)
		return 0;
	pa = (paddr_t)page_to_pfn(vm->phys, p) << vm->page_shift;
	memset(hw_ptr(vm->hw, pa), 0, 1ull << vm->page_shift);
	charge(vm->hw, COST_ZERO_PAGE);
	inc_zone_page_state(vm->phys, p, NR_PAGETABLE);
	mm->nr_tables++;
	return pa;
}

static void table_free(struct vm *vm, struct mm_struct *mm, paddr_t pa)
{
	struct page *p = pfn_to_page(vm->phys, (pfn_t)(pa >> vm->page_shift));

	dec_zone_page_state(vm->phys, p, NR_PAGETABLE);
	mm->nr_tables--;
	free_page_page(vm->phys, vm->hw->cpu, p);
}

int pgd_alloc(struct vm *vm, struct mm_struct *mm)
{
	mm->pgd = table_alloc(vm, mm);
	return mm->pgd ? 0 : -ENOMEM;
}

void pgd_free(struct vm *vm, struct mm_struct *mm)
{
	table_free(vm, mm, mm->pgd);
	mm->pgd = 0;
}

MM_INLINE u64 *table_at(const struct vm *vm, paddr_t pa)
{
	return (u64 *)(void *)(vm->mem.base + (pa - vm->mem.start));
}

MM_INLINE paddr_t next_table(u64 desc, enum pt_geom g)
{
	return desc & A64_ADDR & ~((1ull << pt_page_shift(g)) - 1);
}

/* ---- one slot ---- */

MM_INLINE u64 *pte_lookup_body(enum pt_geom g, const struct vm *vm, const struct mm_struct *mm, vaddr_t va)
{
	paddr_t table = mm->pgd;

	for (unsigned level = pt_top_level(g); level < 3; level++) {
		u64 desc = table_at(vm, table)[pt_index(g, level, va)];

		if (!desc)
			return NULL;
		table = next_table(desc, g);
	}
	return &table_at(vm, table)[pt_index(g, 3, va)];
}

u64 *pte_lookup(struct vm *vm, const struct mm_struct *mm, vaddr_t va)
{
	PT_SWITCH(vm->geom, pte_lookup_body, vm, mm, va)
}

MM_INLINE u64 *pte_alloc_body(enum pt_geom g, struct vm *vm, struct mm_struct *mm, vaddr_t va)
{
	paddr_t table = mm->pgd;

	for (unsigned level = pt_top_level(g); level < 3; level++) {
		u64 *slot = &table_at(vm, table)[pt_index(g, level, va)];

		if (MM_UNLIKELY(!*slot)) {
			paddr_t new = table_alloc(vm, mm);

			if (!new)
				return NULL;
			*slot = new | A64_TABLE | A64_VALID;
			mm->nr_ptes += level == 2;
		}
		table = next_table(*slot, g);
	}
	return &table_at(vm, table)[pt_index(g, 3, va)];
}

u64 *pte_alloc(struct vm *vm, struct mm_struct *mm, vaddr_t va)
{
	PT_SWITCH(vm->geom, pte_alloc_body, vm, mm, va)
}

/* ---- ranges ---- */

/* Skips what has no table: cost in proportion to the tables there are. */
static int range_level(struct vm *vm, paddr_t table, unsigned level, vaddr_t va, vaddr_t end,
		       pte_range_fn fn, void *arg)
{
	enum pt_geom g = vm->geom;
	u64 *slots = table_at(vm, table);

	if (level == 3)
		return fn(vm, arg, &slots[pt_index(g, 3, va)], (unsigned)((end - va) >> vm->page_shift), va);
	while (va < end) {
		vaddr_t next = pt_addr_end(g, level, va, end);
		u64 desc = slots[pt_index(g, level, va)];
		int r = desc ? range_level(vm, next_table(desc, g), level + 1, va, next, fn, arg) : 0;

		if (r)
			return r;
		va = next;
	}
	return 0;
}

int pte_range(struct vm *vm, const struct mm_struct *mm, vaddr_t start, vaddr_t end, pte_range_fn fn,
	      void *arg)
{
	return start < end ? range_level(vm, mm->pgd, pt_top_level(vm->geom), start, end, fn, arg) : 0;
}

/* Limits of what may go: [floor, ceiling). */
struct freeing {
	struct mm_struct *mm;
	vaddr_t floor, last; /* last: ceiling - 1, so that "no limit" is the highest number */
};

static void free_level(struct vm *vm, struct freeing *f, u64 *slots, unsigned level, vaddr_t va, vaddr_t end)
{
	enum pt_geom g = vm->geom;

	while (va < end) {
		vaddr_t next = pt_addr_end(g, level, va, end);
		u64 *slot = &slots[pt_index(g, level, va)];
		u64 span = 1ull << pt_level_shift(g, level);
		vaddr_t span_start = va & ~(span - 1);
		paddr_t child;

		if (*slot) {
			child = next_table(*slot, g);
			if (level < 2)
				free_level(vm, f, table_at(vm, child), level + 1, va, next);
			if (span_start >= f->floor && span_start + (span - 1) <= f->last) {
				*slot = 0;
				table_free(vm, f->mm, child);
				f->mm->nr_ptes -= level == 2;
			}
		}
		va = next;
	}
}

void free_pgtables(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end, vaddr_t floor,
		   vaddr_t ceiling)
{
	struct freeing f = {mm, floor, ceiling - 1};

	if (start < end)
		free_level(vm, &f, table_at(vm, mm->pgd), pt_top_level(vm->geom), start, end);
}

u64 vm_get_page_prot(u32 vm_flags)
{
	unsigned rights = vm_flags & (VM_READ | VM_WRITE | VM_EXEC | VM_SHARED);

	return pte_user_prot(rights); /* VM_* rights have PT_*'s values */
}
