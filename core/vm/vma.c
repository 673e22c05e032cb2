/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vm/vma.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/vm/interval_tree.h"
#include "core/vm/mmap.h"

/* ---- find ---- */

struct vm_area_struct *find_vma_cached(struct vm *vm, struct task *t, vaddr_t addr)
{
	struct vm_area_struct *v;

	if (t->vmacache_seqnum != t->mm->vmacache_seqnum) {
		memset(t->vmacache, 0, sizeof(t->vmacache));
		t->vmacache_seqnum = t->mm->vmacache_seqnum;
	}
	for (unsigned i = 0; i < VMACACHE_SIZE; i++) {
		v = t->vmacache[i];
		if (v && v->vm_start <= addr && addr < v->vm_end) {
			t->vmacache_last = i;
			count_vm_event(vm->hw, vm->hw->cpu, EV_VMACACHE_HITS);
			return v;
		}
	}
	v = find_vma_slow(vm, t->mm, addr);
	if (v) {
		t->vmacache_last = (addr >> vm->page_shift) & (VMACACHE_SIZE - 1);
		t->vmacache[t->vmacache_last] = v;
	}
	return v;
}

void vmacache_invalidate(struct vm *vm, struct mm_struct *mm)
{
	if (MM_LIKELY(++mm->vmacache_seqnum))
		return;
	for (u32 i = 0; i < vm->nr_tasks; i++) /* wrapped: old numbers must not become valid again */
		if (vm->tasks[i] && vm->tasks[i]->mm == mm)
			memset(vm->tasks[i]->vmacache, 0, sizeof(vm->tasks[i]->vmacache));
}

struct vm_area_struct *find_vma_prev(struct vm *vm, struct mm_struct *mm, vaddr_t addr,
				     struct vm_area_struct **prev)
{
	struct vm_area_struct *v = find_vma_slow(vm, mm, addr);

	if (v)
		*prev = v->vm_prev;
	else
		*prev = mm->highest_vm_end ? find_vma_slow(vm, mm, mm->highest_vm_end - 1) : NULL;
	return v;
}

struct vm_area_struct *find_vma_intersection(struct vm *vm, struct mm_struct *mm, vaddr_t start,
					     vaddr_t end)
{
	struct vm_area_struct *v = find_vma_slow(vm, mm, start);

	return v && v->vm_start < end ? v : NULL;
}

/* ---- link ---- */

int find_vma_links(struct vm *vm, struct mm_struct *mm, vaddr_t addr, vaddr_t end,
		   struct vma_link *l)
{
	l->after = NULL;
	return vma_index_place(vm, mm, addr, end, l);
}

/* Sums of pages that results and limits need, by kind of VMA. */
static void account(struct vm *vm, struct mm_struct *mm, const struct vm_area_struct *v, s64 sign)
{
	s64 pages = sign * (s64)vma_pages(vm, v);

	mm->total_vm += (u64)pages;
	if (v->vm_flags & VM_LOCKED)
		mm->locked_vm += (u64)pages;
	if (v->vm_file) {
		mm->shared_vm += (u64)pages;
		if ((v->vm_flags & (VM_EXEC | VM_WRITE)) == VM_EXEC)
			mm->exec_vm += (u64)pages;
	} else if (v->vm_flags & VM_GROWSDOWN) {
		mm->stack_vm += (u64)pages;
	}
}

int vma_link_at(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v, struct vma_link *l)
{
	might_sleep(vm->hw);
	mmap_assert_write_locked(vm, mm);
	v->vm_mm = mm;
	if (vma_index_insert(vm, mm, v, l))
		return -ENOMEM;
	if (v->vm_file) {
		lock_model(vm->hw, LOCK_I_MMAP, &v->vm_file->mapping);
		if (l->after)
			vma_interval_tree_insert_after(&v->vm_file->i_mmap, v, l->after);
		else
			vma_interval_tree_insert(&v->vm_file->i_mmap, v);
		unlock_model(vm->hw, LOCK_I_MMAP, &v->vm_file->mapping);
	}
	mm->map_count++;
	account(vm, mm, v, 1);
	charge(vm->hw, COST_VMA_OP);
	return 0;
}

void vma_forget(struct vm_area_struct *v)
{
	if (v->vm_file)
		vma_interval_tree_remove(&v->vm_file->i_mmap, v);
}

void vma_unlink(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v)
{
	account(vm, mm, v, -1);
	vma_index_erase(vm, mm, v);
	vma_forget(v);
	mm->map_count--;
	vmacache_invalidate(vm, mm);
	charge(vm->hw, COST_VMA_OP);
}

int insert_vm_struct(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v)
{
	struct vma_link l;

	might_sleep(vm->hw);
	if (!v->vm_file)
		v->vm_pgoff = v->vm_start >> vm->page_shift;
	if (find_vma_links(vm, mm, v->vm_start, v->vm_end, &l))
		return -ENOMEM;
	if (v->vm_flags & VM_ACCOUNT && vm_enough_memory(vm, mm, vma_pages(vm, v)))
		return -ENOMEM;
	if (!vma_link_at(vm, mm, v, &l))
		return 0;
	vm->committed -= v->vm_flags & VM_ACCOUNT ? vma_pages(vm, v) : 0;
	return -ENOMEM;
}

struct vm_area_struct *vma_alloc(struct vm *vm)
{
	struct vm_area_struct *v = kmem_cache_zalloc(vm->vma_cache, vm->hw->cpu, GFP_KERNEL);

	if (v)
		list_init(&v->anon_vma_chain);
	return v;
}

struct vm_area_struct *vma_dup(struct vm *vm, const struct vm_area_struct *v)
{
	struct vm_area_struct *n = kmem_cache_alloc(vm->vma_cache, vm->hw->cpu, GFP_KERNEL);

	if (n) {
		*n = *v;
		list_init(&n->anon_vma_chain);
	}
	return n;
}

void vma_free(struct vm *vm, struct vm_area_struct *v)
{
	if (v->vm_flags & VM_ACCOUNT)
		vm->committed -= vma_pages(vm, v);
	unlink_anon_vmas(vm, v);
	if (v->vm_file)
		mapping_put(vm, v->vm_file);
	kmem_cache_free(vm->vma_cache, vm->hw->cpu, v);
}

void vma_set_bounds(struct vm *vm, struct vm_area_struct *v, vaddr_t start, vaddr_t end, u64 pgoff)
{
	struct mm_struct *mm = v->vm_mm;
	vaddr_t old_end = v->vm_end;

	account(vm, mm, v, -1);
	vma_trees_remove(v);
	v->vm_start = start;
	v->vm_end = end;
	v->vm_pgoff = pgoff;
	vma_trees_insert(v);
	account(vm, mm, v, 1);
	vma_index_moved(vm, mm, v, old_end);
	charge(vm->hw, COST_VMA_OP);
}

int vma_expand_up(struct vm *vm, struct vm_area_struct *v, vaddr_t end)
{
	if (vma_index_prepare(vm, v->vm_mm, v, end))
		return -ENOMEM;
	vma_set_bounds(vm, v, v->vm_start, end, v->vm_pgoff);
	return 0;
}

void vma_set_flags(struct vm *vm, struct vm_area_struct *v, u32 flags)
{
	account(vm, v->vm_mm, v, -1);
	v->vm_flags = flags;
	account(vm, v->vm_mm, v, 1);
}

/* ---- merge ---- */

static bool singular(const struct vm_area_struct *v)
{
	return !list_empty(&v->anon_vma_chain) && v->anon_vma_chain.next->next == &v->anon_vma_chain;
}

/*
 * 6.x: a side without anon_vma takes over the other's, unless that one's pages may still be a parent's.
 * (4.0 asks the target's chain even when the anon_vma is the source's.)
 */
static bool anon_rule_later(const struct vm_area_struct *target, const struct vma_merge *m)
{
	const struct vm_area_struct *owner = target->anon_vma ? target : m->source;

	if (target->anon_vma == m->anon_vma)
		return true;
	return !(target->anon_vma && m->anon_vma) && (!owner || singular(owner));
}

/* May pages of @a and @b live in one VMA? @v, if given, is the one whose chain decides. */
static bool anon_rule(const struct anon_vma *a, const struct anon_vma *b, const struct vm_area_struct *v)
{
	if ((!a || !b) && (!v || singular(v)))
		return true;
	return a == b;
}

static bool mergeable(const struct vm_area_struct *v, const struct vma_merge *m)
{
	return !((v->vm_flags ^ m->flags) & ~(u32)VM_SOFTDIRTY) && v->vm_file == m->file;
}

static bool anon_fits(const struct vm *vm, const struct vm_area_struct *target, const struct vma_merge *m)
{
	return vm->modern ? anon_rule_later(target, m) : anon_rule(m->anon_vma, target->anon_vma, target);
}

static bool can_merge_after(const struct vm *vm, const struct vm_area_struct *prev, const struct vma_merge *m)
{
	return mergeable(prev, m) && anon_fits(vm, prev, m) &&
	       prev->vm_pgoff + vma_pages(vm, prev) == m->pgoff;
}

static bool can_merge_before(const struct vm *vm, const struct vm_area_struct *next, const struct vma_merge *m)
{
	return mergeable(next, m) && anon_fits(vm, next, m) &&
	       next->vm_pgoff == m->pgoff + ((m->end - m->addr) >> vm->page_shift);
}

/* @grow takes over the anon_vma of @shrink, whose pages it will hold. 0 or -ENOMEM. */
static int import_anon_vma(struct vm *vm, struct vm_area_struct *grow, struct vm_area_struct *shrink)
{
	int r;

	if (grow->anon_vma || !shrink->anon_vma)
		return 0;
	grow->anon_vma = shrink->anon_vma;
	r = anon_vma_clone(vm, grow, shrink);
	if (r)
		grow->anon_vma = NULL;
	return r;
}

/* Removes @v, whose range another VMA takes; the commitment moves with the range. */
static void swallow(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v)
{
	vma_unlink(vm, mm, v);
	v->vm_flags &= ~(u32)VM_ACCOUNT;
	vma_free(vm, v);
}

/* What may fail of adjust(), before it changes anything. */
static int prepare_adjust(struct vm *vm, struct vm_area_struct *grow, vaddr_t start, vaddr_t end)
{
	struct vm_area_struct *prev = grow->vm_prev;
	int r;

	for (struct vm_area_struct *v = grow->vm_next; v && v->vm_start < end; v = v->vm_next) {
		r = import_anon_vma(vm, grow, v);
		if (r)
			return r;
	}
	r = vma_index_prepare(vm, grow->vm_mm, grow, end);
	if (r || !prev || prev->vm_end <= start)
		return r;
	r = vma_index_prepare(vm, grow->vm_mm, prev, start);
	return r ? r : import_anon_vma(vm, grow, prev);
}

/* @grow := [start, end); VMAs that lie in it go, one that borders on it from inside shrinks. */
static int adjust(struct vm *vm, struct vm_area_struct *grow, vaddr_t start, vaddr_t end, u64 pgoff)
{
	struct mm_struct *mm = grow->vm_mm;
	struct vm_area_struct *v = grow->vm_prev;
	int r = prepare_adjust(vm, grow, start, end);

	if (r)
		return r;
	if (v && v->vm_end > start)
		vma_set_bounds(vm, v, v->vm_start, start, v->vm_pgoff);
	while ((v = grow->vm_next) && v->vm_end <= end)
		swallow(vm, mm, v);
	if (v && v->vm_start < end)
		vma_set_bounds(vm, v, end, v->vm_end, v->vm_pgoff + ((end - v->vm_start) >> vm->page_shift));
	vma_set_bounds(vm, grow, start, end, pgoff);
	count_vm_event(vm->hw, vm->hw->cpu, EV_VMA_MERGES);
	return 0;
}

/* Cases 3, 4 and 8: the range joins what follows it. */
static struct vm_area_struct *merge_before(struct vm *vm, const struct vma_merge *m,
					   struct vm_area_struct *area, struct vm_area_struct *next)
{
	u64 pages = (m->end - m->addr) >> vm->page_shift;
	u64 pgoff = next->vm_pgoff - pages;

	if (m->prev && m->addr < m->prev->vm_end) /* case 4: the border moves down */
		return adjust(vm, next, m->addr, next->vm_end, pgoff) ? NULL : next;
	if (area == next) /* case 3 */
		return adjust(vm, next, m->addr, next->vm_end, pgoff) ? NULL : next;
	return adjust(vm, area, m->addr, next->vm_end, pgoff) ? NULL : area; /* case 8 */
}

struct vm_area_struct *vma_merge(struct vm *vm, const struct vma_merge *m)
{
	struct vm_area_struct *prev = m->prev, *area, *next;
	bool next_fits;

	might_sleep(vm->hw);
	mmap_assert_write_locked(vm, m->mm);
	if (m->flags & VM_SPECIAL)
		return NULL;
	area = next = prev ? prev->vm_next : m->mm->mmap;
	if (next && next->vm_end == m->end) /* cases 6, 7, 8: the range is a VMA already */
		next = next->vm_next;
	next_fits = next && next->vm_start == m->end && can_merge_before(vm, next, m);
	if (prev && prev->vm_end == m->addr && can_merge_after(vm, prev, m)) {
		vaddr_t end = m->end;

		if (next_fits && anon_rule(prev->anon_vma, next->anon_vma, NULL))
			end = next->vm_end; /* cases 1, 6; otherwise 2, 5, 7 */
		return adjust(vm, prev, prev->vm_start, end, prev->vm_pgoff) ? NULL : prev;
	}
	return next_fits ? merge_before(vm, m, area, next) : NULL;
}

/* ---- split ---- */

/* Undoes what split_vma_unlimited() did to its new VMA. */
static int drop_split(struct vm *vm, struct vm_area_struct *n)
{
	n->vm_flags &= ~(u32)VM_ACCOUNT; /* still charged to the old one */
	vma_free(vm, n);
	return -ENOMEM;
}

int split_vma_unlimited(struct vm *vm, struct vm_area_struct *v, vaddr_t addr, bool new_below)
{
	struct mm_struct *mm = v->vm_mm;
	struct vm_area_struct *n, old = *v;
	struct vma_link l;
	u64 upper = v->vm_pgoff + ((addr - v->vm_start) >> vm->page_shift);

	might_sleep(vm->hw);
	mmap_assert_write_locked(vm, mm);
	n = vma_dup(vm, v);
	VM_BUG_ON(addr <= v->vm_start || addr >= v->vm_end);
	if (!n)
		return -ENOMEM;
	if (new_below) {
		n->vm_end = addr;
	} else {
		n->vm_start = addr;
		n->vm_pgoff = upper;
	}
	if (anon_vma_clone(vm, n, v)) {
		kmem_cache_free(vm->vma_cache, vm->hw->cpu, n);
		return -ENOMEM;
	}
	if (n->vm_file)
		filemap_get(n->vm_file);
	if (!new_below && vma_index_prepare(vm, mm, v, addr))
		return drop_split(vm, n);
	if (new_below)
		vma_set_bounds(vm, v, addr, v->vm_end, upper);
	else
		vma_set_bounds(vm, v, v->vm_start, addr, v->vm_pgoff);
	BUG_ON(find_vma_links(vm, mm, n->vm_start, n->vm_end, &l));
	if (vma_link_at(vm, mm, n, &l)) {
		vma_set_bounds(vm, v, old.vm_start, old.vm_end, old.vm_pgoff);
		return drop_split(vm, n);
	}
	count_vm_event(vm->hw, vm->hw->cpu, EV_VMA_SPLITS);
	return 0;
}

int split_vma(struct vm *vm, struct vm_area_struct *v, vaddr_t addr, bool new_below)
{
	might_sleep(vm->hw);
	if (v->vm_mm->map_count >= vm->max_map_count)
		return -ENOMEM;
	return split_vma_unlimited(vm, v, addr, new_below);
}

int vma_modify_flags(struct vm *vm, struct vm_area_struct *v, vaddr_t start, vaddr_t end, u32 flags,
		     struct vm_area_struct **prev, struct vm_area_struct **out)
{
	struct vma_merge m = {
		.mm = v->vm_mm, .prev = *prev, .addr = start, .end = end, .flags = flags,
		.anon_vma = v->anon_vma, .source = v, .file = v->vm_file,
		.pgoff = v->vm_pgoff + ((start - v->vm_start) >> vm->page_shift),
	};
	struct vm_area_struct *merged = vma_merge(vm, &m);
	int r;

	if (merged)
		goto flags; /* case 8 leaves the middle VMA, with its old flags */
	merged = v;
	if (start != v->vm_start && (r = split_vma(vm, v, start, true)))
		return r;
	if (end != v->vm_end && (r = split_vma(vm, v, end, false)))
		return r;
flags:
	vma_set_flags(vm, merged, flags);
	*out = *prev = merged;
	return 0;
}

/* ---- invariants ---- */

static int broken(char *why, size_t n, int number, const char *text, const struct vm_area_struct *v)
{
	snprintf(why, n, "I06.%d: %s at VMA [%llx,%llx)", number, text,
		 v ? (unsigned long long)v->vm_start : 0, v ? (unsigned long long)v->vm_end : 0);
	return 6000 + number;
}

static bool in_file(const struct vm_area_struct *v)
{
	vma_interval_tree_foreach(w, &v->vm_file->i_mmap, v->vm_pgoff, v->vm_pgoff)
		if (w == v)
			return true;
	return false;
}

/* The sums of account(), anew. */
static void add_pages(struct vm *vm, struct mm_struct *sum, const struct vm_area_struct *v)
{
	account(vm, sum, v, 1);
	sum->map_count++;
}

int vma_check(struct vm *vm, struct mm_struct *mm, char *why, size_t n)
{
	struct vm_area_struct *prev = NULL;
	u64 page = (1ull << vm->page_shift) - 1;
	struct mm_struct sum = {0};
	int r;

	for_each_vma(mm, v) {
		if (v->vm_prev != prev || v->vm_mm != mm)
			return broken(why, n, 1, "list", v);
		if (v->vm_start >= v->vm_end || (v->vm_start | v->vm_end) & page ||
		    v->vm_end > vm->task_size || (prev && prev->vm_end > v->vm_start))
			return broken(why, n, 2, "bounds", v);
		if (v->vm_file && !in_file(v))
			return broken(why, n, 5, "unknown to its file", v);
		add_pages(vm, &sum, v);
		prev = v;
	}
	r = vma_index_check(vm, mm);
	if (r)
		return broken(why, n, r,
			      r == 1 ? "list and index disagree" : "a gap kept in the index", NULL);
	if (mm->highest_vm_end != (prev ? prev->vm_end : 0))
		return broken(why, n, 3, "highest_vm_end", prev);
	if (sum.map_count != mm->map_count || sum.total_vm != mm->total_vm ||
	    sum.locked_vm != mm->locked_vm || sum.stack_vm != mm->stack_vm ||
	    sum.shared_vm != mm->shared_vm || sum.exec_vm != mm->exec_vm)
		return broken(why, n, 4, "map_count or a sum of pages", prev);
	return 0;
}
