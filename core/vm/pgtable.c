/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vm/pgtable.h"

#include <errno.h>
#include <string.h>

#include "core/base/bits.h"
#include "core/phys/page_alloc.h"

/* ---- tables ---- */

/* Who allocates or frees: the context of arch's callbacks. */
struct owner {
	struct vm *vm;
	struct mm_struct *mm;
};

/* Order of the block that holds a table: more than a page only for ARM32's 16 KiB first level. */
static unsigned table_order(const struct vm *vm, int height)
{
	const struct pt_geometry *g = vm_geometry(vm);

	return height == g->levels - 1 && g->root_bytes > pt_page_size(g) ? ilog2(g->root_bytes >> vm->page_shift) : 0;
}

static void account_table(const struct owner *o, struct page *p, int height, s64 n)
{
	unsigned order = table_order(o->vm, height);

	mod_zone_page_state(page_zone(o->vm->phys, p), NR_PAGETABLE, n * (1 << order));
	o->mm->nr_tables += (u64)n << order;
	o->mm->nr_ptes += height ? 0 : (u64)n;
}

static paddr_t table_alloc(void *ctx, int height)
{
	struct owner *o = ctx;
	struct vm *vm = o->vm;
	unsigned order = table_order(vm, height);
	struct page *p = alloc_pages(vm->phys, vm->hw->cpu, GFP_KERNEL | MM_GFP_REPEAT, order);
	paddr_t pa;

	if (!p)
		return PT_NO_MEMORY;
	pa = (paddr_t)page_to_pfn(vm->phys, p) << vm->page_shift;
	memset(hw_ptr(vm->hw, pa), 0, 1ull << vm->page_shift << order);
	charge_n(vm->hw, COST_ZERO_PAGE, 1u << order);
	account_table(o, p, height, 1);
	return pa;
}

static void table_free(void *ctx, paddr_t pa, int height)
{
	struct owner *o = ctx;
	struct page *p = pfn_to_page(o->vm->phys, (pfn_t)(pa >> o->vm->page_shift));

	account_table(o, p, height, -1);
	free_pages_page(o->vm->phys, o->vm->hw->cpu, p, table_order(o->vm, height));
}

/* The tree of @o->mm as arch sees it; @alloc is filled and must live as long. */
static struct pt_space space_of(struct owner *o, struct pt_alloc *alloc)
{
	*alloc = (struct pt_alloc){.ctx = o, .alloc = table_alloc, .free = table_free, .hwad = o->vm->hwad};
	return (struct pt_space){.geom = o->vm->geom, .root = o->mm->pgd, .mem = &o->vm->mem, .alloc = alloc};
}

int pgd_alloc(struct vm *vm, struct mm_struct *mm)
{
	struct owner o = {vm, mm};
	paddr_t pa = table_alloc(&o, vm_geometry(vm)->levels - 1);

	mm->pgd = pa == PT_NO_MEMORY ? 0 : pa;
	return mm->pgd ? 0 : -ENOMEM;
}

void pgd_free(struct vm *vm, struct mm_struct *mm)
{
	struct owner o = {vm, mm};

	table_free(&o, mm->pgd, vm_geometry(vm)->levels - 1);
	mm->pgd = 0;
}

/* ---- one slot ---- */

MM_INLINE pt_slot *lookup_body(const struct pt_geometry *g, const struct vm *vm, const struct mm_struct *mm,
			       vaddr_t va)
{
	struct pt_leaf leaf;

	return pt_lookup_in(g, &vm->mem, mm->pgd, va, &leaf) ? NULL : leaf.slot;
}

pt_slot *pte_lookup(struct vm *vm, const struct mm_struct *mm, vaddr_t va)
{
	PT_SWITCH(vm->geom, lookup_body, vm, mm, va)
}

pt_slot *pte_alloc(struct vm *vm, struct mm_struct *mm, vaddr_t va)
{
	pt_slot *slot = pte_lookup(vm, mm, va);
	struct owner o = {vm, mm};
	struct pt_alloc alloc;
	struct pt_space space;
	struct pt_leaf leaf;

	if (slot)
		return slot;
	space = space_of(&o, &alloc);
	return pt_alloc_slot(&space, va, &leaf) ? NULL : leaf.slot;
}

/* ---- ranges ---- */

/* Skips what has no table: cost in proportion to the tables there are. */
static int range_level(struct vm *vm, paddr_t table, int h, vaddr_t va, vaddr_t end, pte_range_fn fn, void *arg)
{
	const struct pt_geometry *g = vm_geometry(vm);
	u8 *slots = pt_mem_at(&vm->mem, table);

	if (!h)
		return fn(vm, arg, pt_slot_at(g, (pt_slot *)(void *)slots, pt_index(g, va, 0)),
			  (unsigned)((end - va) >> vm->page_shift), va);
	while (va < end) {
		vaddr_t next = pt_addr_end(g, va, end, h);
		u64 e = pt_entry(g, slots + (u64)pt_index(g, va, h) * 8);
		int r = pt_entry_is_table(g, e) ? range_level(vm, pt_entry_table(g, e), h - 1, va, next, fn, arg) : 0;

		if (r)
			return r;
		va = next;
	}
	return 0;
}

int pte_range(struct vm *vm, const struct mm_struct *mm, vaddr_t start, vaddr_t end, pte_range_fn fn,
	      void *arg)
{
	return start < end ? range_level(vm, mm->pgd, vm_geometry(vm)->levels - 1, start, end, fn, arg) : 0;
}

void free_pgtables(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end, vaddr_t floor,
		   vaddr_t ceiling)
{
	struct owner o = {vm, mm};
	struct pt_alloc alloc;
	struct pt_space space = space_of(&o, &alloc);

	if (start < end)
		pt_free_range(&space, start, end, floor, ceiling);
}

u64 vm_get_page_prot(u32 vm_flags)
{
	unsigned rights = vm_flags & (VM_READ | VM_WRITE | VM_EXEC | VM_SHARED);

	return pte_user_prot(rights); /* VM_* rights have PT_*'s values */
}
