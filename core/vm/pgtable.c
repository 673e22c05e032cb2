/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vm/pgtable.h"

#include <errno.h>
#include <stdio.h>
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
	o->mm->nr_pmds += height == 1 && vm_geometry(o->vm)->levels > 2 ? (u64)n : 0;
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
	o->vm->leaf.span = PT_NO_SPAN;
	free_pages_page(o->vm->phys, o->vm->hw->cpu, p, table_order(o->vm, height));
}

/* The tree of @o->mm as arch sees it; @alloc is filled and must live as long. */
static struct pt_space space_of(struct owner *o, struct pt_alloc *alloc)
{
	*alloc = (struct pt_alloc){.ctx = o, .alloc = table_alloc, .free = table_free, .hwad = o->vm->hwad};
	return (struct pt_space){.geom = o->vm->geom, .root = o->mm->pgd, .mem = &o->vm->mem, .alloc = alloc};
}

/* LPAE: the slot of the middle table for @va, or NULL. */
static pt_slot *pmd_lookup(struct vm *vm, const struct mm_struct *mm, vaddr_t va)
{
	const struct pt_geometry *g = vm_geometry(vm);
	const u64 *top = (u64 *)pt_mem_at(&vm->mem, mm->pgd) + pt_index(g, va, 2);
	u64 *pmd = pt_entry_is_table(g, *top) ? pt_mem_at(&vm->mem, pt_entry_table(g, *top)) : NULL;

	return pmd ? (pt_slot *)(void *)(pmd + pt_index(g, va, 1)) : NULL;
}

/* ARM32: the first entry of a top table that the kernel's is copied into. */
static u32 kernel_index(const struct vm *vm)
{
	const struct pt_geometry *g = vm_geometry(vm);

	return pt_index(g, g->family == PT_SHORT ? vm->task_size : vm->phys->kpgd.layout.page_offset, g->levels - 1);
}

/*
 * ARM32: the kernel's entries as they are now; what it adds later comes by faults. With long
 * descriptors modules and pkmap share an entry with user space, whose table must be the user's own.
 */
static int copy_kernel_part(struct vm *vm, struct owner *o)
{
	const struct pt_geometry *g = vm_geometry(vm);
	const struct kernel_pgd *k = &vm->phys->kpgd;
	u64 *pgd = pt_mem_at(&vm->mem, o->mm->pgd), *kernel;
	u32 first = kernel_index(vm);
	paddr_t pmd;

	if (g->family == PT_ARM64 || k->space.root == PT_NO_TABLE)
		return 0;
	kernel = pt_mem_at(&vm->mem, k->space.root);
	memcpy(pgd + first, kernel + first, (g->entries[g->levels - 1] - first) * sizeof(*pgd));
	if (g->family == PT_SHORT)
		return 0;
	pmd = table_alloc(o, 1);
	if (pmd == PT_NO_MEMORY)
		return -ENOMEM;
	pt_populate(g, pgd + first - 1, pmd, false);
	return 0;
}

int pgd_alloc(struct vm *vm, struct mm_struct *mm)
{
	int height = vm_geometry(vm)->levels - 1;
	struct owner o = {vm, mm};

	mm->pgd = table_alloc(&o, height);
	if (mm->pgd == PT_NO_MEMORY)
		return -ENOMEM;
	if (copy_kernel_part(vm, &o)) {
		table_free(&o, mm->pgd, height);
		return -ENOMEM;
	}
	return 0;
}

/*
 * Frees the top table, and what free_pgtables() must leave to it: on ARM32 the table that holds
 * FIRST_USER_ADDRESS, with long descriptors also the one below TASK_SIZE.
 */
void pgd_free(struct vm *vm, struct mm_struct *mm)
{
	struct owner o = {vm, mm};
	struct pt_alloc alloc;
	struct pt_space space = space_of(&o, &alloc);

	if (vm_geometry(vm)->family == PT_LPAE) { /* the kernel's tables below it are not the user's */
		pt_slot *pmd = pmd_lookup(vm, mm, vm->task_size);

		if (pmd)
			memset(pmd, 0, (vm_geometry(vm)->entries[1] - pt_index(vm_geometry(vm), vm->task_size, 1)) * 8);
	}
	pt_free_all(&space, 0, vm->task_size);
	table_free(&o, mm->pgd, vm_geometry(vm)->levels - 1);
	mm->pgd = 0;
	BUG_ON(mm->nr_ptes || mm->nr_pmds || mm->nr_tables);
}

/* ---- one slot ---- */

MM_INLINE pt_slot *lookup_body(const struct pt_geometry *g, const struct vm *vm, const struct mm_struct *mm,
			       vaddr_t va)
{
	struct pt_leaf leaf;

	return pt_lookup_in(g, &vm->mem, mm->pgd, va, &leaf) ? NULL : leaf.slot;
}

static pt_slot *walk_to_slot(const struct vm *vm, const struct mm_struct *mm, vaddr_t va)
{
	PT_SWITCH(vm->geom, lookup_body, vm, mm, va)
}

pt_slot *pte_walk(struct vm *vm, const struct mm_struct *mm, vaddr_t va)
{
	pt_slot *slot = walk_to_slot(vm, mm, va);

	if (slot && va < vm->task_size) /* the kernel's tables are not freed here */
		pte_remember(vm_geometry(vm), vm, mm, va, slot);
	return slot;
}

int pte_leaf_check(const struct vm *vm, char *why, size_t n)
{
	const struct mm_struct *mm;
	vaddr_t va = vm->leaf.span << vm_geometry(vm)->shift[1];

	if (vm->leaf.span == PT_NO_SPAN)
		return 0;
	list_for_each_entry(mm, &vm->mms, all)
		if (mm->pgd == vm->leaf.pgd && walk_to_slot(vm, mm, va) == vm->leaf.slots)
			return 0;
	snprintf(why, n, "I02.7: the leaf table remembered for address %llx is not there", (unsigned long long)va);
	return 2007;
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

/* Nothing is mapped in the range, and no table but the root is on the way to it. */
static bool ends_at_root(const struct vm *vm, const struct mm_struct *mm, vaddr_t start, vaddr_t end)
{
	const struct pt_geometry *g = vm_geometry(vm);
	int h = g->levels - 1;
	const u8 *root = pt_mem_at(&vm->mem, mm->pgd);

	return !((start ^ (end - 1)) >> g->shift[h]) && !pt_entry(g, root + (u64)pt_index(g, start, h) * 8);
}

int pte_range(struct vm *vm, const struct mm_struct *mm, vaddr_t start, vaddr_t end, pte_range_fn fn,
	      void *arg)
{
	if (start >= end || ends_at_root(vm, mm, start, end))
		return 0;
	return range_level(vm, mm->pgd, vm_geometry(vm)->levels - 1, start, end, fn, arg);
}

void free_pgtables(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end, vaddr_t floor,
		   vaddr_t ceiling)
{
	struct owner o = {vm, mm};
	struct pt_alloc alloc;
	struct pt_space space;

	if (start >= end || ends_at_root(vm, mm, start, end))
		return;
	space = space_of(&o, &alloc);
	if (vm_geometry(vm)->family != PT_ARM64) { /* FIRST_USER_ADDRESS, USER_PGTABLES_CEILING */
		floor = mm_max(floor, vm->phys->kpgd.layout.at[LAYOUT_USER].start);
		ceiling = ceiling ? ceiling : vm->task_size;
	}
	pt_free_range(&space, start, end, floor, ceiling);
}

u64 vm_get_page_prot(u32 vm_flags)
{
	unsigned rights = vm_flags & (VM_READ | VM_WRITE | VM_EXEC | VM_SHARED);

	return pte_user_prot(rights); /* VM_* rights have PT_*'s values */
}

void vma_set_page_prot(struct vm_area_struct *v)
{
	v->vm_page_prot = vm_get_page_prot(vma_wants_writenotify(v) ? v->vm_flags & ~(u32)VM_SHARED : v->vm_flags);
}
