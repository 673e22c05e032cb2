/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Invariants of address spaces against pages: counts are recomputed from the tables (spec 07 I7.*).
 * The scan's arrays are host memory, reserved lazily and gone afterwards.
 */
#include <errno.h>
#include <stdio.h>

#include "core/vm/interval_tree.h"
#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"
#include "core/vm/rmap_check.h"
#include "core/vm/swapin.h"
#include "core/vm/tlb.h"
#include "core/vm/vm.h"
#include "core/vm/vma.h"

struct scan {
	u32 *mapped; /* mappings found, by frame */
	s64 rss[NR_MM_COUNTERS];
	u32 *tables;    /* leaf tables seen, by frame */
	vaddr_t shared; /* + 1: an address whose leaf table was seen before */
	u64 sum;        /* of all tables' pages */
	struct vm *vm;
	struct mm_struct *mm;
	char *why;
	size_t n;
};

static int scan_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	struct scan *s = arg;

	for (unsigned i = 0; i < n; i++) {
		pte_t p = get_pte(vm, slots, i);
		struct page *page = pte_present(p) ? vm_normal_page(vm, p) : NULL;

		if (is_migration_entry(p))
			s->rss[mm_counter_of(migration_entry_to_page(vm, p))]++;
		if (!page)
			continue;
		if (!page_count(page)) {
			snprintf(s->why, s->n, "I07.7: address %llx maps a free frame",
				 (unsigned long long)(va + ((u64)i << vm->page_shift)));
			return 7007;
		}
		s->mapped[page_frame(vm->phys, page)]++;
		if (pte_write(p) && PageAnon(page) && page_mapcount(page) > 1) {
			snprintf(s->why, s->n, "I07.8: address %llx writes to a page of several address spaces",
				 (unsigned long long)(va + ((u64)i << vm->page_shift)));
			return 7008;
		}
		s->rss[mm_counter_of(page)]++;
	}
	return 0;
}

static void own_table(void *ctx, const struct pt_span *span)
{
	struct scan *s = ctx;
	u32 *owned = &s->tables[(span->table - s->vm->hw->base) >> s->vm->page_shift];

	s->shared = span->height ? s->shared : *owned ? span->va + 1 : s->shared;
	*owned = 1;
}

/* I02.1 to I02.4 of one address space; adds its tables to the sum. */
static int check_tables(struct vm *vm, struct scan *s)
{
	const struct pt_space space = vm_space(vm, s->mm);
	const struct pt_geometry *g = vm_geometry(vm);
	u64 root = g->root_bytes >> vm->page_shift, all = root ? root - 1 : 0;
	struct pt_count n;
	int r = pt_check(&space, 0, vm->task_size, s->why, s->n);

	if (r)
		return 2000 + r;
	pt_count_range(&space, 0, vm->task_size, &n);
	for (int h = 0; h < g->levels; h++)
		all += n.tables[h];
	if (n.tables[0] != s->mm->nr_ptes || (g->levels > 2 && n.tables[1] != s->mm->nr_pmds) ||
	    all != s->mm->nr_tables) {
		snprintf(s->why, s->n, "I02.2: found %llu leaf, %llu middle, %llu tables; counted %llu, %llu, %llu",
			 (unsigned long long)n.tables[0], (unsigned long long)n.tables[1], (unsigned long long)all,
			 (unsigned long long)s->mm->nr_ptes, (unsigned long long)s->mm->nr_pmds,
			 (unsigned long long)s->mm->nr_tables);
		return 2002;
	}
	s->sum += all;
	pt_walk_range(&space, 0, vm->task_size, own_table, s);
	if (!s->shared)
		return 0;
	snprintf(s->why, s->n, "I02.3: the table for address %llx is in two address spaces",
		 (unsigned long long)(s->shared - 1));
	return 2003;
}

/* The kernel's own half, and the sum of all users' tables. */
static int check_kernel(struct vm *vm, const struct scan *s)
{
	const struct pt_space *k = &vm->phys->kpgd.space;
	bool arm64 = vm_geometry(vm)->family == PT_ARM64;
	int r = 0;

	if (k->root != PT_NO_TABLE)
		r = arm64 ? pt_check(k, ~0ull << vm_geometry(vm)->va_bits, 0, s->why, s->n)
			  : pt_check(k, vm->task_size, 4 * GiB, s->why, s->n);
	if (r)
		return 2000 + r;
	if (global_page_state(vm->phys, NR_PAGETABLE) == (s64)s->sum)
		return 0;
	snprintf(s->why, s->n, "I02.2: nr_page_table_pages is %lld, address spaces have %llu",
		 (long long)global_page_state(vm->phys, NR_PAGETABLE), (unsigned long long)s->sum);
	return 2002;
}

/* A leaf table and its entries are under VMAs (I06.6). */
static int check_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	struct scan *s = arg;
	vaddr_t end = va + ((u64)n << vm->page_shift);
	const struct vm_area_struct *v = vma_index_find(vm, s->mm, va);

	/* ARM32 keeps the table that FIRST_USER_ADDRESS cuts in two */
	if ((!v || v->vm_start >= end) && va >= vm->phys->kpgd.layout.at[LAYOUT_USER].start) {
		snprintf(s->why, s->n, "I06.6: no VMA over the table of %llx", (unsigned long long)va);
		return 6006;
	}
	for (unsigned i = 0; i < n; i++, va += 1ull << vm->page_shift) {
		while (v && v->vm_end <= va)
			v = v->vm_next;
		if ((v && v->vm_start <= va) || pte_none(get_pte(vm, slots, i)))
			continue;
		snprintf(s->why, s->n, "I06.6: no VMA over the entry of %llx", (unsigned long long)va);
		return 6006;
	}
	return 0;
}

static int check_mm(struct vm *vm, struct scan *s)
{
	struct mm_struct *mm = s->mm;
	int r = vma_check(vm, mm, s->why, s->n);

	if (r)
		return r;
	for (int i = 0; i < NR_MM_COUNTERS; i++)
		s->rss[i] = 0;
	for_each_vma(mm, v) {
		r = pte_range(vm, mm, v->vm_start, v->vm_end, scan_leaf, s);
		if (r)
			return r;
	}
	r = pte_range(vm, mm, 0, vm->task_size, check_leaf, s);
	if (r)
		return r;
	for (int i = 0; i < NR_MM_COUNTERS; i++)
		if (i != MM_SWAPENTS && s->rss[i] != mm->rss[i]) {
			snprintf(s->why, s->n, "I07.6: rss counter %d is %lld, tables say %lld", i,
				 (long long)mm->rss[i], (long long)s->rss[i]);
			return 7006;
		}
	return check_tables(vm, s);
}

/* A file's tree holds the mappings that address spaces have of it, and no others (I06.5). */
static int check_files(struct vm *vm, char *why, size_t n)
{
	struct mm_struct *mm;
	struct vm_file *f;
	s64 mappings = 0;

	list_for_each_entry(mm, &vm->mms, all)
		for_each_vma(mm, v)
			mappings += v->vm_file != NULL;
	list_for_each_entry(f, &vm->files.files, all) {
		if (!vma_interval_tree_check(&f->i_mmap)) {
			snprintf(why, n, "I06.5: tree of the mappings of file %llu", (unsigned long long)f->id);
			return 6005;
		}
		for (struct rb_node *rb = rb_first(&f->i_mmap); rb; rb = rb_next(rb))
			mappings--;
	}
	if (!mappings)
		return 0;
	snprintf(why, n, "I06.5: %lld mappings of files more than the files know", (long long)mappings);
	return 6005;
}

static void *frame_array(const struct vm *vm)
{
	return hw_map_lazy(vm->phys->nr_frames * sizeof(u32));
}

static void free_frame_array(const struct vm *vm, void *p)
{
	if (p)
		hw_unmap_lazy(p, vm->phys->nr_frames * sizeof(u32));
}

int vm_check(struct vm *vm, char *why, size_t n)
{
	struct scan s = {.vm = vm, .why = why, .n = n, .mapped = frame_array(vm), .tables = frame_array(vm)};
	struct mm_struct *mm;
	int r = 0;

	if (!s.mapped || !s.tables) {
		snprintf(why, n, "no host memory to check with");
		r = -ENOMEM;
		goto out;
	}
	list_for_each_entry(mm, &vm->mms, all) {
		s.mm = mm;
		r = check_mm(vm, &s);
		if (r)
			goto out;
	}
	r = check_kernel(vm, &s);
	if (!r)
		r = pte_leaf_check(vm, why, n);
	if (!r)
		r = check_files(vm, why, n);
	if (!r)
		r = page_ledger_check(vm, s.mapped, why, n);
	if (!r)
		r = anon_vma_check(vm, why, n);
	if (!r)
		r = vm_tlb_check(vm, why, n);
	if (!r)
		r = vm_swap_check(vm, why, n);
	if (!r)
		r = filemap_check(&vm->files, why, n);
	if (!r)
		r = lru_check(&vm->lru, why, n);
out:
	free_frame_array(vm, s.mapped);
	free_frame_array(vm, s.tables);
	return r;
}
