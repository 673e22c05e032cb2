/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vm/lru_gen_walk.h"

#include <string.h>

#include "core/backing/pageio.h"
#include "core/base/bits.h"
#include "core/base/hash.h"
#include "core/vm/pgtable.h"
#include "core/vm/tlb.h"

#define ENTRIES_A_LINE 8u /* of a cache line, as Linux counts them: 2 to 8 */

/* ---- which tables are worth a walk ---- */

/* What a leaf table is known by: the frame it lies in. */
static u64 table_key(const struct vm *vm, const pt_slot *slot)
{
	return hw_pa(vm->hw, slot) >> vm->page_shift;
}

static void filter_bits(u64 key, u32 bit[2])
{
	u32 h = hash_u64(key, 2 * GEN_FILTER_SHIFT);

	bit[0] = h & ((1u << GEN_FILTER_SHIFT) - 1);
	bit[1] = h >> GEN_FILTER_SHIFT;
}

static bool worth_a_walk(const struct lru_gen *g, u64 seq, u64 key)
{
	const u64 *f = g->filter[seq % 2];
	u32 bit[2];

	if (!g->filter_used[seq % 2])
		return true;
	filter_bits(key, bit);
	return f[bit[0] / 64] >> bit[0] % 64 & f[bit[1] / 64] >> bit[1] % 64 & 1;
}

static void note_table(struct lru_gen *g, u64 seq, u64 key)
{
	u64 *f = g->filter[seq % 2];
	u32 bit[2];

	filter_bits(key, bit);
	f[bit[0] / 64] |= 1ull << bit[0] % 64;
	f[bit[1] / 64] |= 1ull << bit[1] % 64;
}

static void clear_filter(struct lru_gen *g, u64 seq)
{
	memset(g->filter[seq % 2], 0, sizeof(g->filter[0]));
	g->filter_used[seq % 2] = true;
}

/* One young entry in a cache line, on average. */
static bool many_young(u64 total, u64 young)
{
	return young * ENTRIES_A_LINE >= total;
}

/* ---- entries ---- */

/* The page of lruvec @v that present, young entry @e maps, if it can be promoted. */
static struct page *young_page(const struct vm *vm, const struct lruvec *v, pte_t e, bool can_swap)
{
	struct page *p = vm_normal_page(vm, e);

	if (!p || page_lruvec(&vm->lru, p) != v || (!page_is_file_cache(p) && !can_swap))
		return NULL;
	return p;
}

/* Makes young entry @e in @slot old if its page is one of @v's; true if so. */
static bool age_entry(struct vm *vm, struct lruvec *v, struct mm_struct *mm, pt_slot *slot, pte_t e, vaddr_t va,
		      bool can_swap)
{
	struct page *p = young_page(vm, v, e, can_swap);

	if (!p)
		return false;
	set_pte(vm, slot, pte_mkold(e));
	vm_flush_page(vm, mm, va);
	charge(vm->hw, COST_PTE_OP);
	if (pte_dirty(e) && !PageDirty(p) && !(PageAnon(p) && PageSwapBacked(p) && !PageSwapCache(p)))
		set_page_dirty(&vm->files, p);
	lru_gen_promote(&vm->lru, p);
	return true;
}

/* ---- aging ---- */

struct gen_walk {
	struct lruvec *v;
	struct mm_struct *mm;
	bool can_swap, force;
};

/* Most entries are old or none: these cost one load. How many were young. */
MM_INLINE u64 age_table(const struct pt_geometry *g, struct vm *vm, const struct gen_walk *w, pt_slot *slots,
			unsigned n, vaddr_t va)
{
	u64 young = 0;

	for (unsigned i = 0; i < n; i++) {
		pt_slot *slot = pt_slot_at(g, slots, i);
		pte_t e = pte_get(g, slot);

		if (MM_UNLIKELY(pte_present(e) && pte_young(e)))
			young += age_entry(vm, w->v, w->mm, slot, e, va + ((vaddr_t)i << vm->page_shift), w->can_swap);
	}
	return young;
}

static u64 age_table_of(struct vm *vm, const struct gen_walk *w, pt_slot *slots, unsigned n, vaddr_t va)
{
	PT_SWITCH(vm->geom, age_table, vm, w, slots, n, va)
}

static int walk_table(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	const struct gen_walk *w = arg;
	struct lru_gen *g = w->v->gen;
	u64 key = table_key(vm, slots), young;
	unsigned cpu = vm->hw->cpu;

	charge(vm->hw, COST_WALK_LEVEL);
	if (!w->force && !worth_a_walk(g, g->max_seq, key)) {
		count_vm_event(vm->hw, cpu, EV_LRU_GEN_TABLES_SKIPPED);
		return 0;
	}
	young = age_table_of(vm, w, slots, n, va);
	charge_n(vm->hw, COST_PTE_OP, n / 8);
	count_vm_event(vm->hw, cpu, EV_LRU_GEN_TABLES_WALKED);
	count_vm_events(vm->hw, cpu, EV_LRU_GEN_LEAF_TOTAL, n);
	count_vm_events(vm->hw, cpu, EV_LRU_GEN_LEAF_YOUNG, young);
	if (many_young(n, young))
		note_table(g, g->max_seq + 1, key);
	return 0;
}

static bool skip_vma(const struct vm_area_struct *v, bool can_swap)
{
	if (v->vm_flags & (VM_LOCKED | VM_SPECIAL | VM_SEQ_READ | VM_RAND_READ))
		return true;
	if (!v->vm_file || v->vm_file->shmem)
		return !can_swap;
	return v->vm_file->mapping.flags & AS_UNEVICTABLE;
}

static bool skip_mm(const struct mm_struct *mm, bool can_swap)
{
	s64 resident = mm->rss[MM_FILEPAGES];

	if (can_swap)
		resident += mm->rss[MM_ANONPAGES] + mm->rss[MM_SHMEMPAGES];
	return !mm->mm_users || mm->mmap_sem < 0 || resident < (s64)MIN_LRU_BATCH;
}

void lru_gen_walk_mms(struct vm *vm, struct lruvec *v, bool can_swap, bool force)
{
	struct gen_walk w = {.v = v, .can_swap = can_swap, .force = force};
	struct mm_struct *mm;

	clear_filter(v->gen, v->gen->max_seq + 1);
	list_for_each_entry (mm, &vm->mms, all) {
		if (skip_mm(mm, can_swap))
			continue;
		w.mm = mm;
		count_vm_event(vm->hw, vm->hw->cpu, EV_LRU_GEN_MM_WALKS);
		for_each_vma(mm, area)
			if (!skip_vma(area, can_swap))
				pte_range(vm, mm, area->vm_start, area->vm_end, walk_table, &w);
	}
}

/* ---- eviction ---- */

/* The part of @addr's table and VMA that is looked at: 64 pages around it at most. */
static void window(const struct vm *vm, const struct vm_area_struct *v, vaddr_t addr, vaddr_t *start, vaddr_t *end)
{
	vaddr_t span = (vaddr_t)vm_geometry(vm)->entries[0] << vm->page_shift;
	vaddr_t most = (vaddr_t)MIN_LRU_BATCH << vm->page_shift;

	*start = mm_max(addr & ~(span - 1), v->vm_start);
	*end = mm_min((addr & ~(span - 1)) + span, v->vm_end);
	if (*end - *start <= most)
		return;
	if (addr - *start < most / 2)
		*end = *start + most;
	else if (*end - addr < most / 2)
		*start = *end - most;
	else {
		*start = addr - most / 2;
		*end = addr + most / 2;
	}
}

void lru_gen_look_around(struct vm *vm, const struct page *p, struct vm_area_struct *v, vaddr_t addr, pt_slot *slot)
{
	struct lruvec *lruvec = page_lruvec(&vm->lru, p);
	u64 total, young = 0;
	vaddr_t start, end;

	window(vm, v, addr, &start, &end);
	total = (end - start) >> vm->page_shift;
	for (vaddr_t va = start; va < end; va += 1ull << vm->page_shift) {
		pt_slot *near = slot_at(vm, slot, ((s64)va - (s64)addr) >> vm->page_shift);
		pte_t e = get_pte(vm, near, 0);

		if (pte_present(e) && pte_young(e))
			young += age_entry(vm, lruvec, v->vm_mm, near, e, va, true);
	}
	count_vm_event(vm->hw, vm->hw->cpu, EV_LRU_GEN_LOOK_AROUND);
	count_vm_events(vm->hw, vm->hw->cpu, EV_LRU_GEN_LOOK_YOUNG, young);
	if (many_young(total, young))
		note_table(lruvec->gen, lruvec->gen->max_seq, table_key(vm, slot));
}
