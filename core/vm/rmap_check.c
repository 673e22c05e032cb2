/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vm/rmap_check.h"

#include <errno.h>
#include <stdio.h>

#include "core/vm/interval_tree.h"
#include "core/vm/rmap.h"

#define GRAIN	16u	   /* bytes: no two anon_vmas begin closer together */
#define MAX_RAM (64 * GiB) /* arrays by address stay reasonable below */

/* ---- anon_vmas ---- */

struct degrees {
	struct vm *vm;
	u32 *found; /* by address in the arena: VMAs and children seen, and 1 if it was visited
		       itself */
	u64 avcs;   /* of all VMAs' lists, less those of all trees */
	char *why;
	size_t n;
};

static u32 *found_at(const struct degrees *d, const struct anon_vma *a)
{
	return &d->found[((const u8 *)a - d->vm->hw->arena) / GRAIN];
}

static int broken(struct degrees *d, int number, const char *text, const struct vm_area_struct *v)
{
	snprintf(d->why, d->n, "I08.%d: %s, VMA [%llx,%llx)", number, text,
		 (unsigned long long)v->vm_start, (unsigned long long)v->vm_end);
	return 8000 + number;
}

/* Is @avc in the tree of its anon_vma? */
static bool in_tree(const struct anon_vma_chain *avc)
{
	u64 first = avc->vma->vm_pgoff;

	anon_vma_interval_tree_foreach (n, &avc->anon_vma->rb_root, first, first)
		if (n == avc)
			return true;
	return false;
}

/* The first visit of an anon_vma checks its tree and tells its parent. */
static bool visit_anon_vma(struct degrees *d, struct anon_vma *a)
{
	if (*found_at(d, a) >> 31)
		return true;
	*found_at(d, a) |= 1u << 31;
	if (!anon_vma_interval_tree_check(&a->rb_root))
		return false;
	for (struct rb_node *n = rb_first(&a->rb_root); n; n = rb_next(n))
		d->avcs--;
	++*found_at(d, a->parent);
	return true;
}

static int check_vma(struct degrees *d, struct vm_area_struct *v)
{
	struct anon_vma_chain *avc;
	bool own = !v->anon_vma;

	list_for_each_entry (avc, &v->anon_vma_chain, same_vma) {
		d->avcs++;
		own |= avc->anon_vma == v->anon_vma;
		if (v->anon_vma && avc->anon_vma->root != v->anon_vma->root)
			return broken(d, 2, "anon_vmas of two families", v);
		if (avc->vma != v || !in_tree(avc) || !visit_anon_vma(d, avc->anon_vma))
			return broken(d, 3, "a chain out of its tree", v);
	}
	if (v->anon_vma)
		++*found_at(d, v->anon_vma);
	return own ? 0 : broken(d, 1, "its anon_vma is not in its chain", v);
}

static int check_degrees(struct degrees *d, struct vm_area_struct *v)
{
	struct anon_vma_chain *avc;

	list_for_each_entry (avc, &v->anon_vma_chain, same_vma)
		if (avc->anon_vma->degree != (*found_at(d, avc->anon_vma) & 0x7fffffff))
			return broken(d, 3, "an anon_vma's degree", v);
	return 0;
}

int anon_vma_check(struct vm *vm, char *why, size_t n)
{
	u64 bytes = vm->hw->bytes / GRAIN * sizeof(u32);
	struct degrees d = {.vm = vm, .why = why, .n = n};
	struct mm_struct *mm;
	int r = 0;

	if (vm->hw->bytes > MAX_RAM)
		return 0;
	d.found = hw_map_lazy(bytes);
	if (!d.found)
		return -ENOMEM;
	list_for_each_entry (mm, &vm->mms, all)
		for (struct vm_area_struct *v = mm->mmap; v && !r; v = v->vm_next)
			r = check_vma(&d, v);
	list_for_each_entry (mm, &vm->mms, all)
		for (struct vm_area_struct *v = mm->mmap; v && !r; v = v->vm_next)
			r = check_degrees(&d, v);
	if (!r && d.avcs) {
		snprintf(why, n, "I08.3: %lld chains are in lists and not in trees",
			 (long long)d.avcs);
		r = 8003;
	}
	hw_unmap_lazy(d.found, bytes);
	return r;
}

/* ---- references ---- */

struct ledger {
	struct vm *vm;
	const u32 *mapped;
	u32 *batched; /* by frame: references of LRU batches */
	u64 excess;   /* references of listed pages that nobody but a pin explains */
	char *why;
	size_t n;
};

static void count_batches(struct ledger *l)
{
	for (unsigned cpu = 0; cpu < l->vm->phys->ncpu; cpu++) {
		const struct lru_cpu *c = &l->vm->lru.cpu[cpu];
		const struct pagevec *pv[] = {&c->add, &c->rotate, &c->deactivate, &c->activate};

		for (size_t k = 0; k < ARRAY_SIZE(pv); k++)
			for (u32 i = 0; i < pv[k]->nr; i++)
				l->batched[pv[k]->frames[i]]++;
	}
}

static int count_mapping(struct vm *vm, struct page *p, struct vm_area_struct *v, vaddr_t addr,
			 void *arg)
{
	*(u32 *)arg += page_check_address(vm, p, v, addr) != NULL;
	return SWAP_AGAIN;
}

/* I08.4: as many as the scan of all tables found. */
static bool walk_finds_all(struct ledger *l, struct page *p, u32 mapped)
{
	u32 found = 0;
	const struct rmap_walk_control rwc = {.arg = &found, .rmap_one = count_mapping};

	if (!mapped || !PageAnon(p) || PageKsm(p))
		return true;
	rmap_walk(l->vm, p, &rwc);
	return found == mapped;
}

static bool is_cached(const struct ledger *l, const struct page *p)
{
	const struct address_space *m = page_mapping(p);

	return m && mapping_peek(l->vm->phys, m, p->index) == p;
}

static int bad_page(struct ledger *l, u64 f, int number, const char *text)
{
	const struct page *p = frame_to_page(l->vm->phys, (u32)f);

	snprintf(l->why, l->n,
		 "I%02d.%d: %s: frame %llu, count %d, mapcount %d, mappings %u, flags %x",
		 number / 1000, number % 1000, text, (unsigned long long)f, page_count(p),
		 page_mapcount(p), l->mapped[f], p->flags);
	return number;
}

static int check_page(struct ledger *l, u64 f)
{
	struct page *p = frame_to_page(l->vm->phys, (u32)f);
	u32 mapped = l->mapped[f];
	s64 known = (s64)mapped + l->batched[f], extra;

	if (page_mapcount(p) != (s32)mapped)
		return bad_page(l, f, 7004, "mapcount");
	if (page_count(p) < page_mapcount(p))
		return bad_page(l, f, 7001, "count below mapcount");
	known += PageSwapCache(p) + PagePrivate(p);
	if (is_cached(l, p)) {
		known++;
		if (!PageUptodate(p) && !PageError(p) && !PageLocked(p))
			return bad_page(l, f, 7005, "being read and not locked");
	}
	extra = page_count(p) - known;
	if (extra < 0)
		return bad_page(l, f, 7003, "fewer references than owners");
	l->excess += PageLRU(p) ? (u64)extra : 0;
	return walk_finds_all(l, p, mapped) ? 0 : bad_page(l, f, 8004, "the walk misses a mapping");
}

int page_ledger_check(struct vm *vm, const u32 *mapped, char *why, size_t n)
{
	u64 bytes = vm->phys->nr_frames * sizeof(u32);
	struct ledger l = {
		.vm = vm, .mapped = mapped, .batched = hw_map_lazy(bytes), .why = why, .n = n};
	int r = 0;

	if (!l.batched)
		return -ENOMEM;
	count_batches(&l);
	for (u64 f = 0; f < vm->phys->nr_frames && !r; f++) {
		const struct page *p = frame_to_page(vm->phys, (u32)f);

		if (!mapped[f] && !l.batched[f] &&
		    !(p->flags & (1u << PG_lru | 1u << PG_swapcache)))
			continue;
		r = page_count(p) ? check_page(&l, f) : bad_page(&l, f, 7002, "free, but in use");
	}
	l.excess += (u64)page_count(pfn_to_page(vm->phys, vm->zero_pfn)) - 1;
	if (!r && l.excess != vm->nr_pins) {
		snprintf(why, n,
			 "I07.3: pages have %llu references more than their owners account for, "
			 "pins are %llu",
			 (unsigned long long)l.excess, (unsigned long long)vm->nr_pins);
		r = 7003;
	}
	hw_unmap_lazy(l.batched, bytes);
	return r;
}
