/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Invariants of address spaces against pages: counts are recomputed from the tables (spec 07 I7.*).
 * The scan's arrays are host memory, reserved lazily and gone afterwards.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"
#include "core/vm/swapin.h"
#include "core/vm/tlb.h"
#include "core/vm/vm.h"
#include "core/vm/vma.h"

struct scan {
	u32 *mapped; /* mappings found, by frame */
	s64 rss[NR_MM_COUNTERS];
	u64 leaf_tables;
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
		s->rss[mm_counter_of(page)]++;
	}
	return 0;
}

static int count_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	(void)vm;
	(void)slots;
	(void)n;
	(void)va;
	((struct scan *)arg)->leaf_tables++;
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
	s->leaf_tables = 0;
	for_each_vma(mm, v) {
		r = pte_range(vm, mm, v->vm_start, v->vm_end, scan_leaf, s);
		if (r)
			return r;
	}
	pte_range(vm, mm, 0, vm->task_size, count_leaf, s);
	for (int i = 0; i < NR_MM_COUNTERS; i++)
		if (i != MM_SWAPENTS && s->rss[i] != mm->rss[i]) {
			snprintf(s->why, s->n, "I07.6: rss counter %d is %lld, tables say %lld", i,
				 (long long)mm->rss[i], (long long)s->rss[i]);
			return 7006;
		}
	if (s->leaf_tables != mm->nr_ptes) {
		snprintf(s->why, s->n, "I02.2: nr_ptes is %llu, tables %llu", (unsigned long long)mm->nr_ptes,
			 (unsigned long long)s->leaf_tables);
		return 2002;
	}
	return 0;
}

static int check_counts(struct vm *vm, const u32 *mapped, char *why, size_t n)
{
	for (u64 f = 0; f < vm->phys->nr_frames; f++) {
		struct page *p;

		if (!mapped[f])
			continue;
		p = frame_to_page(vm->phys, (u32)f);
		if (page_mapcount(p) != (s32)mapped[f] || page_count(p) < page_mapcount(p)) {
			snprintf(why, n, "I07.4: frame %llu: mapcount %d, count %d, mappings %u",
				 (unsigned long long)f, page_mapcount(p), page_count(p), mapped[f]);
			return 7004;
		}
	}
	return 0;
}

int vm_check(struct vm *vm, char *why, size_t n)
{
	u64 bytes = vm->phys->nr_frames * sizeof(u32);
	struct scan s = {.why = why, .n = n};
	struct mm_struct *mm;
	int r = 0;

	s.mapped = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s.mapped == MAP_FAILED) {
		snprintf(why, n, "no host memory to check with");
		return -ENOMEM;
	}
	list_for_each_entry(mm, &vm->mms, all) {
		s.mm = mm;
		r = check_mm(vm, &s);
		if (r)
			break;
	}
	if (!r)
		r = check_counts(vm, s.mapped, why, n);
	if (!r)
		r = vm_tlb_check(vm, why, n);
	munmap(s.mapped, bytes);
	if (!r)
		r = vm_swap_check(vm, why, n);
	return r ? r : lru_check(&vm->lru, why, n);
}
