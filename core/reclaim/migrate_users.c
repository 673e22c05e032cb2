/* SPDX-License-Identifier: BSD-2-Clause */
/* Who migrates besides compaction: system calls, and ranges that must become empty (spec 10 s2). */
#include <errno.h>
#include <inttypes.h>

#include "core/phys/page_alloc.h"
#include "core/reclaim/migrate.h"
#include "core/vm/pgtable.h"
#include "core/vm/swapin.h"
#include "core/vm/vm.h"
#include "core/vm/vma.h"

/* ---- to another node ---- */

struct target {
	struct vm *vm;
	int node;
	u64 n; /* move_pages: entries */
	struct page **pages;
	const int *nodes;
	int *status;
};

static struct page *page_on_node(struct vm *vm, int node)
{
	return alloc_pages_node(vm->phys, vm->hw->cpu, node, GFP_HIGHUSER_MOVABLE | MM_GFP_THISNODE,
				0);
}

static struct page *new_node_page(struct page *old, void *private)
{
	const struct target *t = private;

	(void)old;
	return page_on_node(t->vm, t->node);
}

static bool node_exists(const struct vm *vm, int node)
{
	return node >= 0 && (unsigned)node < vm->phys->nr_nodes;
}

static int page_node(const struct vm *vm, const struct page *p)
{
	return page_zone(vm->phys, p)->node;
}

struct node_walk {
	struct vm *vm;
	struct page_list *to;
	int node;
};

static int isolate_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	const struct node_walk *w = arg;

	(void)va;
	for (unsigned i = 0; i < n; i++) {
		pte_t pte = get_pte(vm, slots, i);
		struct page *p = pte_present(pte) ? vm_normal_page(vm, pte) : NULL;

		if (p && page_node(vm, p) == w->node && page_mapcount(p) == 1)
			isolate_for_migration(vm, p, w->to);
	}
	return 0;
}

int sys_migrate_pages(struct vm *vm, struct mm_struct *mm, int from, int to)
{
	struct target t = {.vm = vm, .node = to};
	const struct migrate_request rq = {.vm = vm,
					   .get_new_page = new_node_page,
					   .private = &t,
					   .mode = MIGRATE_SYNC,
					   .reason = MR_SYSCALL};
	struct page_list list;
	struct node_walk w = {.vm = vm, .to = &list, .node = from};
	int r = 0;

	charge(vm->hw, COST_SYSCALL);
	if (!node_exists(vm, from) || !node_exists(vm, to))
		return -ENODEV;
	plist_init(&list);
	lru_add_drain_all(&vm->lru);
	mmap_read_lock(vm, mm);
	pte_range(vm, mm, 0, vm->task_size, isolate_leaf, &w);
	if (!plist_empty(&list))
		r = migrate_pages(&rq, &list);
	putback_movable_pages(vm, &list);
	mmap_read_unlock(vm, mm);
	return r;
}

/* ---- move_pages ---- */

/* The page at @addr: NULL with the status that says why not. */
static struct page *page_at(struct vm *vm, struct mm_struct *mm, vaddr_t addr, int *status)
{
	struct vm_area_struct *v = find_vma_slow(vm, mm, addr);
	pt_slot *slot;
	pte_t pte;

	*status = -EFAULT;
	if (!v || addr < v->vm_start || v->vm_flags & (VM_IO | VM_PFNMAP))
		return NULL;
	slot = pte_lookup(vm, mm, addr);
	pte = slot ? get_pte(vm, slot, 0) : (pte_t){0};
	if (!pte_present(pte)) {
		*status = -ENOENT;
		return NULL;
	}
	return vm_normal_page(vm, pte); /* NULL: the zero page */
}

/* Isolates what is to move to nodes[i]; the others have their status at once. */
static void gather(struct vm *vm, struct mm_struct *mm, vaddr_t addr, int node, bool move_all,
		   int *status, struct page **out, struct page_list *list)
{
	struct page *p = page_at(vm, mm, addr, status);

	*out = NULL;
	if (!p)
		return;
	*status = page_node(vm, p);
	if (*status == node)
		return;
	*status = page_mapcount(p) > 1 && !move_all ? -EACCES : isolate_for_migration(vm, p, list);
	if (!*status)
		*out = p;
}

/* The entry of the array that wants @old moved decides the node. */
static struct page *new_array_page(struct page *old, void *private)
{
	const struct target *t = private;

	for (u64 i = 0; i < t->n; i++)
		if (t->pages[i] == old) {
			struct page *p = page_on_node(t->vm, t->nodes[i]);

			t->status[i] = p ? t->nodes[i] : -ENOMEM;
			return p;
		}
	BUG();
}

#define MOVE_CHUNK 256u

static int move_chunk(struct vm *vm, struct mm_struct *mm, u64 n, const vaddr_t *addrs,
		      const int *nodes, int *status, bool move_all)
{
	struct page *pages[MOVE_CHUNK];
	struct target t = {.vm = vm, .n = n, .pages = pages, .nodes = nodes, .status = status};
	const struct migrate_request rq = {.vm = vm,
					   .get_new_page = new_array_page,
					   .private = &t,
					   .mode = MIGRATE_SYNC,
					   .reason = MR_SYSCALL};
	struct page_list list;
	int r = 0;

	plist_init(&list);
	mmap_read_lock(vm, mm);
	for (u64 i = 0; i < n; i++)
		gather(vm, mm, addrs[i], nodes[i], move_all, &status[i], &pages[i], &list);
	if (!plist_empty(&list))
		r = migrate_pages(&rq, &list);
	putback_movable_pages(vm, &list);
	mmap_read_unlock(vm, mm);
	return r;
}

int sys_move_pages(struct vm *vm, struct mm_struct *mm, u64 n, const vaddr_t *addrs,
		   const int *nodes, int *status, bool move_all)
{
	int r = 0;

	might_sleep(vm->hw);
	charge(vm->hw, COST_SYSCALL);
	for (u64 i = 0; !nodes && i < n; i++) {
		struct page *p = page_at(vm, mm, addrs[i], &status[i]);

		if (p)
			status[i] = page_node(vm, p);
	}
	for (u64 i = 0; nodes && i < n; i++)
		if (!node_exists(vm, nodes[i]))
			return -ENODEV;
	lru_add_drain_all(&vm->lru);
	for (u64 i = 0; nodes && !r && i < n; i += MOVE_CHUNK) {
		u64 k = n - i < MOVE_CHUNK ? n - i : MOVE_CHUNK;

		r = move_chunk(vm, mm, k, addrs + i, nodes + i, status + i, move_all);
	}
	return r;
}

/* ---- ranges that must become empty ---- */

static u64 block_pages(const struct vm *vm)
{
	return 1ull << vm->phys->pageblock_order;
}

/* Changes a pageblock's type; its free pages leave or enter the allocator's count. */
static void retype(struct vm *vm, pfn_t pfn, enum migratetype mt, s64 sign)
{
	struct page *p = pfn_to_page(vm->phys, pfn);
	struct zone *z = page_zone(vm->phys, p);
	u64 moved;

	set_pageblock_migratetype(vm->phys, p, mt);
	moved = move_freepages_block(vm->phys, z, page_frame(vm->phys, p), mt);
	mod_zone_page_state(z, NR_FREE_PAGES, sign * (s64)moved);
	z->nr_isolate_pageblocks -= (u32)sign;
}

static struct page *any_page(struct page *old, void *private)
{
	struct vm *vm = private;

	(void)old;
	return alloc_page(vm->phys, vm->hw->cpu, GFP_HIGHUSER_MOVABLE);
}

/* All frames of the range are in free blocks. */
static bool all_free(const struct vm *vm, pfn_t start, u64 n)
{
	u64 f = start - vm->phys->base_pfn, end = f + n;
	unsigned order;

	while (f < end) {
		if (!page_buddy(vm->phys, f, &order))
			return false;
		f += 1ull << order;
	}
	return true;
}

static void migrate_out(struct vm *vm, pfn_t start, u64 n, enum migrate_reason reason)
{
	const struct migrate_request rq = {.vm = vm,
					   .get_new_page = any_page,
					   .private = vm,
					   .mode = MIGRATE_SYNC,
					   .reason = reason};
	struct page_list list;

	plist_init(&list);
	for (pfn_t pfn = start; pfn < start + n; pfn++) {
		struct page *p = pfn_to_page(vm->phys, pfn);

		if (PageLRU(p))
			isolate_for_migration(vm, p, &list);
	}
	if (!plist_empty(&list))
		migrate_pages(&rq, &list);
	putback_movable_pages(vm, &list);
	lru_add_drain_all(&vm->lru);
	drain_all_pages(vm->phys);
}

int isolate_range(struct vm *vm, pfn_t start, u64 n, enum migrate_reason reason)
{
	BUG_ON((start | n) % (1ull << (vm->phys->max_order - 1)));
	for (pfn_t pfn = start; pfn < start + n; pfn += (pfn_t)block_pages(vm))
		if (get_pageblock_migratetype(vm->phys, pfn_to_page(vm->phys, pfn)) !=
		    MIGRATE_MOVABLE)
			return -EBUSY;
	lru_add_drain_all(&vm->lru);
	for (pfn_t pfn = start; pfn < start + n; pfn += (pfn_t)block_pages(vm))
		retype(vm, pfn, MIGRATE_ISOLATE, -1);
	drain_all_pages(vm->phys);
	migrate_out(vm, start, n, reason);
	if (all_free(vm, start, n))
		return 0;
	undo_isolate_range(vm, start, n);
	return -EBUSY;
}

void undo_isolate_range(struct vm *vm, pfn_t start, u64 n)
{
	for (pfn_t pfn = start; pfn < start + n; pfn += (pfn_t)block_pages(vm))
		retype(vm, pfn, MIGRATE_MOVABLE, 1);
}

/* ---- checks ---- */

static int no_entry_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	for (unsigned i = 0; i < n; i++)
		if (is_migration_entry(get_pte(vm, slots, i))) {
			*(vaddr_t *)arg = va + ((u64)i << vm->page_shift);
			return 10001;
		}
	return 0;
}

int migrate_check(struct vm *vm, char *why, size_t n)
{
	struct mm_struct *mm;
	s64 isolated = global_page_state(vm->phys, NR_ISOLATED_ANON) +
		       global_page_state(vm->phys, NR_ISOLATED_FILE);
	vaddr_t at = 0;

	if (isolated) {
		snprintf(why, n, "I10.3: %" PRId64 " pages isolated at rest", isolated);
		return 10003;
	}
	list_for_each_entry(mm, &vm->mms, all)
		if (pte_range(vm, mm, 0, vm->task_size, no_entry_leaf, &at)) {
			snprintf(why, n, "I10.1: a migration entry is left at %" PRIx64, at);
			return 10001;
		}
	return 0;
}
