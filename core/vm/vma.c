/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vm/vma.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/vm/interval_tree.h"

static struct vm_area_struct *vma_of(const struct rb_node *n)
{
	return n ? container_of(n, struct vm_area_struct, vm_rb) : NULL;
}

static vaddr_t gap_below(const struct vm_area_struct *v)
{
	return v->vm_start - (v->vm_prev ? v->vm_prev->vm_end : 0);
}

static u64 subtree_gap(const struct vm_area_struct *v)
{
	u64 gap = gap_below(v);

	if (v->vm_rb.left && vma_of(v->vm_rb.left)->rb_subtree_gap > gap)
		gap = vma_of(v->vm_rb.left)->rb_subtree_gap;
	if (v->vm_rb.right && vma_of(v->vm_rb.right)->rb_subtree_gap > gap)
		gap = vma_of(v->vm_rb.right)->rb_subtree_gap;
	return gap;
}

static bool update_gap(struct rb_node *n)
{
	struct vm_area_struct *v = vma_of(n);
	u64 gap = subtree_gap(v), old = v->rb_subtree_gap;

	v->rb_subtree_gap = gap;
	return gap != old;
}

/* ---- find ---- */

struct vm_area_struct *find_vma_slow(struct vm *vm, struct mm_struct *mm, vaddr_t addr)
{
	struct rb_node *n = mm->mm_rb.node;
	struct vm_area_struct *best = NULL;

	count_vm_event(vm->hw, vm->hw->cpu, EV_VMA_TREE_WALKS);
	while (n) {
		struct vm_area_struct *v = vma_of(n);

		if (v->vm_end > addr) {
			best = v;
			if (v->vm_start <= addr)
				break;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

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
			count_vm_event(vm->hw, vm->hw->cpu, EV_VMACACHE_HITS);
			return v;
		}
	}
	v = find_vma_slow(vm, t->mm, addr);
	if (v)
		t->vmacache[(addr >> vm->page_shift) & (VMACACHE_SIZE - 1)] = v;
	return v;
}

struct vm_area_struct *find_vma_intersection(struct vm *vm, struct mm_struct *mm, vaddr_t start, vaddr_t end)
{
	struct vm_area_struct *v = find_vma_slow(vm, mm, start);

	return v && v->vm_start < end ? v : NULL;
}

/* ---- link ---- */

int find_vma_links(struct mm_struct *mm, vaddr_t addr, vaddr_t end, struct vma_link *l)
{
	struct rb_node **link = &mm->mm_rb.node, *parent = NULL, *prev = NULL;

	while (*link) {
		struct vm_area_struct *v = vma_of(*link);

		parent = *link;
		if (v->vm_end > addr) {
			if (v->vm_start < end)
				return -ENOMEM;
			link = &parent->left;
		} else {
			prev = parent;
			link = &parent->right;
		}
	}
	*l = (struct vma_link){.prev = vma_of(prev), .parent = parent, .link = link};
	return 0;
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

/* The gap below @v changed because its start or its predecessor's end did. */
static void gap_changed(struct vm_area_struct *v)
{
	if (v)
		rb_propagate(&v->vm_rb, update_gap);
}

void vma_link_at(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v, const struct vma_link *l)
{
	v->vm_mm = mm;
	v->vm_prev = l->prev;
	v->vm_next = l->prev ? l->prev->vm_next : mm->mmap;
	if (v->vm_prev)
		v->vm_prev->vm_next = v;
	else
		mm->mmap = v;
	if (v->vm_next)
		v->vm_next->vm_prev = v;
	else
		mm->highest_vm_end = v->vm_end;
	gap_changed(v->vm_next); /* before the tree turns: rotations expect exact values */
	v->rb_subtree_gap = 0;
	rb_link(&v->vm_rb, l->parent, l->link);
	rb_insert(&mm->mm_rb, &v->vm_rb, update_gap);
	if (v->vm_file && l->after)
		vma_interval_tree_insert_after(&v->vm_file->i_mmap, v, l->after);
	else if (v->vm_file)
		vma_interval_tree_insert(&v->vm_file->i_mmap, v);
	mm->map_count++;
	account(vm, mm, v, 1);
	charge(vm->hw, COST_VMA_OP);
}

void vma_unlink(struct vm *vm, struct mm_struct *mm, struct vm_area_struct *v)
{
	account(vm, mm, v, -1);
	rb_erase(&mm->mm_rb, &v->vm_rb, update_gap);
	if (v->vm_prev)
		v->vm_prev->vm_next = v->vm_next;
	else
		mm->mmap = v->vm_next;
	if (v->vm_next)
		v->vm_next->vm_prev = v->vm_prev;
	else
		mm->highest_vm_end = v->vm_prev ? v->vm_prev->vm_end : 0;
	gap_changed(v->vm_next);
	if (v->vm_file)
		vma_interval_tree_remove(&v->vm_file->i_mmap, v);
	mm->map_count--;
	mm->vmacache_seqnum++;
	charge(vm->hw, COST_VMA_OP);
}

struct vm_area_struct *vma_alloc(struct vm *vm)
{
	struct vm_area_struct *v = kmem_cache_zalloc(vm->vma_cache, vm->hw->cpu, GFP_KERNEL);

	if (v)
		list_init(&v->anon_vma_chain);
	return v;
}

void vma_free(struct vm *vm, struct vm_area_struct *v)
{
	if (v->vm_flags & VM_ACCOUNT)
		vm->committed -= vma_pages(vm, v);
	unlink_anon_vmas(vm, v);
	if (v->vm_file)
		filemap_put(&vm->files, v->vm_file);
	kmem_cache_free(vm->vma_cache, vm->hw->cpu, v);
}

void vma_set_bounds(struct vm *vm, struct vm_area_struct *v, vaddr_t start, vaddr_t end, u64 pgoff)
{
	struct mm_struct *mm = v->vm_mm;

	account(vm, mm, v, -1);
	vma_trees_remove(v);
	v->vm_start = start;
	v->vm_end = end;
	v->vm_pgoff = pgoff;
	vma_trees_insert(v);
	account(vm, mm, v, 1);
	if (!v->vm_next)
		mm->highest_vm_end = end;
	gap_changed(v);
	gap_changed(v->vm_next);
	charge(vm->hw, COST_VMA_OP);
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

/* @grow := [start, end); VMAs that lie in it go, one that borders on it from inside shrinks. */
static int adjust(struct vm *vm, struct vm_area_struct *grow, vaddr_t start, vaddr_t end, u64 pgoff)
{
	struct mm_struct *mm = grow->vm_mm;
	struct vm_area_struct *v;
	int r;

	for (v = grow->vm_next; v && v->vm_start < end; v = v->vm_next) {
		r = import_anon_vma(vm, grow, v);
		if (r)
			return r;
	}
	if (grow->vm_prev && grow->vm_prev->vm_end > start) {
		r = import_anon_vma(vm, grow, grow->vm_prev);
		if (r)
			return r;
		v = grow->vm_prev;
		vma_set_bounds(vm, v, v->vm_start, start, v->vm_pgoff);
	}
	while ((v = grow->vm_next) && v->vm_end <= end)
		swallow(vm, mm, v);
	if (v && v->vm_start < end)
		vma_set_bounds(vm, v, end, v->vm_end, v->vm_pgoff + ((end - v->vm_start) >> vm->page_shift));
	vma_set_bounds(vm, grow, start, end, pgoff);
	mm->vmacache_seqnum++;
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

int split_vma(struct vm *vm, struct vm_area_struct *v, vaddr_t addr, bool new_below)
{
	struct mm_struct *mm = v->vm_mm;
	struct vm_area_struct *n;
	struct vma_link l;
	u64 upper = v->vm_pgoff + ((addr - v->vm_start) >> vm->page_shift);

	if (mm->map_count >= vm->max_map_count)
		return -ENOMEM;
	n = vma_alloc(vm);
	if (!n)
		return -ENOMEM;
	*n = *v;
	list_init(&n->anon_vma_chain);
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
	if (new_below)
		vma_set_bounds(vm, v, addr, v->vm_end, upper);
	else
		vma_set_bounds(vm, v, v->vm_start, addr, v->vm_pgoff);
	BUG_ON(find_vma_links(mm, n->vm_start, n->vm_end, &l));
	vma_link_at(vm, mm, n, &l);
	mm->vmacache_seqnum++;
	count_vm_event(vm->hw, vm->hw->cpu, EV_VMA_SPLITS);
	return 0;
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
	struct mm_struct *mm = v->vm_mm;
	int r;

	if (merged)
		goto flags; /* case 8 leaves the middle VMA, with its old flags */
	merged = v;
	if (start != v->vm_start && (r = split_vma(vm, v, start, true)))
		return r;
	if (end != v->vm_end && (r = split_vma(vm, v, end, false)))
		return r;
flags:
	account(vm, mm, merged, -1);
	merged->vm_flags = flags;
	account(vm, mm, merged, 1);
	*out = *prev = merged;
	return 0;
}

/* ---- free addresses ---- */

/*
 * Highest gap of @len bytes that ends at or below @high and starts at or above @low. Walks from the
 * right; subtrees whose largest gap is too small are skipped.
 */
static s64 topdown(const struct mm_struct *mm, u64 len, vaddr_t low, vaddr_t high)
{
	struct rb_node *n = mm->mm_rb.node;
	struct vm_area_struct *v;
	vaddr_t end;

	if (high < low + len)
		return -ENOMEM;
	if (mm->highest_vm_end <= high - len) /* the gap above all VMAs */
		return (s64)(high - len);
	while (n) {
		v = vma_of(n);
		if (n->right && v->vm_end <= high - len && vma_of(n->right)->rb_subtree_gap >= len) {
			n = n->right;
			continue;
		}
		for (;;) {
			vaddr_t below = v->vm_prev ? v->vm_prev->vm_end : 0;

			end = v->vm_start < high ? v->vm_start : high;
			if (end < low + len)
				return -ENOMEM;
			if (below < low)
				below = low;
			if (end >= below + len)
				return (s64)(end - len);
			if (v->vm_rb.left && vma_of(v->vm_rb.left)->rb_subtree_gap >= len) {
				n = v->vm_rb.left;
				break;
			}
			do { /* up until we come from a right child */
				n = &v->vm_rb;
				if (!rb_parent(n))
					return -ENOMEM;
				v = vma_of(rb_parent(n));
			} while (v->vm_rb.right != n);
		}
	}
	return high >= low + len ? (s64)(high - len) : -ENOMEM;
}

/* Lowest gap of @len bytes at or above @low. */
static s64 bottomup(const struct vm *vm, struct mm_struct *mm, u64 len, vaddr_t low)
{
	vaddr_t at = low;

	for (struct vm_area_struct *v = find_vma_slow((struct vm *)(uintptr_t)vm, mm, low); v; v = v->vm_next) {
		if (at + len <= v->vm_start)
			break;
		if (v->vm_end > at)
			at = v->vm_end;
	}
	return at + len <= vm->task_size ? (s64)at : -ENOMEM;
}

s64 vm_unmapped_area(struct vm *vm, struct mm_struct *mm, u64 len)
{
	u64 page = 1ull << vm->page_shift;
	vaddr_t low = vm->mmap_min_addr > page ? vm->mmap_min_addr : page;
	s64 r = topdown(mm, len, low, mm->mmap_base);

	return r >= 0 ? r : bottomup(vm, mm, len, vm->phys->kpgd.layout.unmapped_base);
}

/* ---- invariants ---- */

static int broken(char *why, size_t n, int number, const char *text, const struct vm_area_struct *v)
{
	snprintf(why, n, "I06.%d: %s at VMA [%llx,%llx)", number, text, v ? (unsigned long long)v->vm_start : 0,
		 v ? (unsigned long long)v->vm_end : 0);
	return 6000 + number;
}

int vma_check(struct vm *vm, struct mm_struct *mm, char *why, size_t n)
{
	struct rb_node *node = rb_first(&mm->mm_rb);
	struct vm_area_struct *prev = NULL;
	u64 page = (1ull << vm->page_shift) - 1, total = 0, locked = 0;
	u32 count = 0;

	if (rb_check(&mm->mm_rb))
		return broken(why, n, 1, "red-black rules", NULL);
	for_each_vma(mm, v) {
		if (v->vm_prev != prev || vma_of(node) != v || v->vm_mm != mm)
			return broken(why, n, 1, "list and tree disagree", v);
		if (v->vm_start >= v->vm_end || (v->vm_start | v->vm_end) & page ||
		    v->vm_end > vm->task_size || (prev && prev->vm_end > v->vm_start))
			return broken(why, n, 2, "bounds", v);
		if (v->rb_subtree_gap != subtree_gap(v))
			return broken(why, n, 3, "gap", v);
		count++;
		total += vma_pages(vm, v);
		locked += v->vm_flags & VM_LOCKED ? vma_pages(vm, v) : 0;
		node = rb_next(node);
		prev = v;
	}
	if (node || mm->highest_vm_end != (prev ? prev->vm_end : 0))
		return broken(why, n, 3, "highest_vm_end", prev);
	if (count != mm->map_count || total != mm->total_vm || locked != mm->locked_vm)
		return broken(why, n, 4, "map_count, total_vm or locked_vm", prev);
	return 0;
}
