/* SPDX-License-Identifier: BSD-2-Clause */
/* Invariants I11.1 to I11.5, recounted from trees, item lists and page tables. */
#include <stdio.h>

#include "core/reclaim/ksm_internal.h"
#include "core/vm/pgtable.h"

struct census {
	struct ksm *k;
	char *why;
	size_t n;
	u64 items, unstable, stable;	   /* found in the slots' lists */
	u64 nodes, with_items, node_items; /* found in the trees */
	u64 chains, dups;
	u64 nodeless; /* KSM pages mapped without a node */
};

static int broken(const struct census *c, int n, const char *what, u64 where)
{
	snprintf(c->why, c->n, "I11.%d: %s (%llx)", n, what, (unsigned long long)where);
	return 11000 + n;
}

/* ---- items ---- */

static int check_item(struct census *c, const struct rmap_item *item, const struct mm_slot *slot,
		      vaddr_t last)
{
	vaddr_t addr = rmap_item_addr(item);

	if (item->mm != slot->mm || (last != ~0ull && addr <= last))
		return broken(c, 4, "an item is out of order or another mm's", addr);
	if (item->address & KSM_STABLE_FLAG && item->address & KSM_UNSTABLE_FLAG)
		return broken(c, 3, "an item is in both trees", addr);
	c->items++;
	c->stable += !!(item->address & KSM_STABLE_FLAG);
	c->unstable += !!(item->address & KSM_UNSTABLE_FLAG);
	return 0;
}

static int check_slots(struct census *c)
{
	struct mm_slot *slot;

	list_for_each_entry(slot, &c->k->vm->ksm.slots, mm_list) {
		vaddr_t last = ~0ull;

		if (slot->mm->ksm_slot != slot)
			return broken(c, 4, "a slot's mm does not know it", slot->serial);
		for (const struct rmap_item *i = slot->rmap_list; i; i = i->rmap_list) {
			int r = check_item(c, i, slot, last);

			if (r)
				return r;
			last = rmap_item_addr(i);
		}
	}
	return 0;
}

/* ---- nodes ---- */

static int check_node(struct census *c, struct stable_node *node)
{
	struct rmap_item *item;
	u64 n = 0;

	hlist_for_each_entry(item, &node->hlist, hlist) {
		if (!(item->address & KSM_STABLE_FLAG) || item->head != node || !item->anon_vma)
			return broken(c, 1, "an item on a node does not know it", item->address);
		n++;
	}
	if (n != node->rmap_hlist_len)
		return broken(c, 3, "a node's length is wrong", node->kpfn);
	c->nodes++;
	c->with_items += n > 0;
	c->node_items += n;
	return 0;
}

static int check_tree_node(struct census *c, struct stable_node *node)
{
	struct stable_node *dup;
	int r;

	if (node->place != KSM_IN_TREE)
		return broken(c, 1, "a node of the tree is said to be elsewhere", node->kpfn);
	if (!node->chain)
		return check_node(c, node);
	c->chains++;
	hlist_for_each_entry(dup, &node->hlist, link) {
		c->dups++;
		r = dup->place == KSM_IN_CHAIN && dup->owner == node
			    ? check_node(c, dup)
			    : broken(c, 1, "a duplicate does not know its chain", dup->kpfn);
		if (r)
			return r;
	}
	return 0;
}

static int check_trees(struct census *c)
{
	struct ksm *k = c->k;
	bool scanning = k->vm->ksm.cursor != &k->vm->ksm.slots; /* else the unstable tree is void */
	struct stable_node *node;
	int r = 0;

	for (u32 nid = 0; nid < MM_MAX_NODES; nid++) {
		if (rb_check(&k->stable[nid]) || (scanning && rb_check(&k->unstable[nid])))
			return broken(c, 1, "a tree is no red-black tree", nid);
		for (struct rb_node *n = rb_first(&k->stable[nid]); n && !r; n = rb_next(n))
			r = check_tree_node(c, container_of(n, struct stable_node, node));
	}
	for (u64 i = 0; k->stable_hash.bucket && i < 1ull << k->stable_hash.bits; i++)
		for (node = k->stable_hash.bucket[i]; node && !r; node = node->bucket)
			r = check_tree_node(c, node);
	hlist_for_each_entry(node, &k->misplaced, link)
		if (!r)
			r = check_node(c, node);
	return r;
}

/* ---- pages ---- */

static int check_page(struct census *c, const struct page *p, pte_t pte, vaddr_t va)
{
	struct stable_node *node = page_stable_node(p);

	if (pte_write(pte))
		return broken(c, 2, "a KSM page is mapped writable", va);
	if (!node) {
		c->nodeless++;
		return 0;
	}
	if (kmem_cache_of(c->k->vm->kmem, node) != c->k->node_cache || node->chain ||
	    node->kpfn != page_to_pfn(c->k->phys, p))
		return broken(c, 1, "a KSM page's node does not point back", va);
	return 0;
}

static int check_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	struct census *c = arg;

	for (unsigned i = 0; i < n; i++) {
		pte_t pte = get_pte(vm, slots, i);
		struct page *p = pte_present(pte) ? vm_normal_page(vm, pte) : NULL;
		int r = p && PageKsm(p) ? check_page(c, p, pte, va + ((u64)i << vm->page_shift))
					: 0;

		if (r)
			return r;
	}
	return 0;
}

static int check_pages(struct census *c)
{
	struct mm_struct *mm;
	int r = 0;

	list_for_each_entry(mm, &c->k->vm->mms, all)
		for_each_vma(mm, v) {
			r = v->anon_vma
				    ? pte_range(c->k->vm, mm, v->vm_start, v->vm_end, check_leaf, c)
				    : 0;
			if (r)
				return r;
		}
	if (c->nodeless && !c->k->orphans)
		return broken(c, 5, "KSM pages without a node outside a merge", c->nodeless);
	return 0;
}

static int check_counters(const struct census *c)
{
	const struct ksm *k = c->k;

	if (k->pages_shared != c->with_items || k->pages_sharing != c->node_items - c->with_items)
		return broken(c, 3, "pages_shared or pages_sharing is wrong", c->with_items);
	if (c->stable != c->node_items)
		return broken(c, 3, "stable items are on no node", c->stable);
	if (k->pages_unshared != c->unstable)
		return broken(c, 3, "pages_unshared is wrong", c->unstable);
	if (k->rmap_items != c->items || k->stable_node_chains != c->chains ||
	    k->stable_node_dups != c->dups)
		return broken(c, 3, "rmap_items, stable_node_chains or stable_node_dups is wrong",
			      c->items);
	return 0;
}

int ksm_check(struct ksm *k, char *why, size_t n)
{
	struct census c = {.k = k, .why = why, .n = n};
	int r = check_slots(&c);

	r = r ? r : check_trees(&c);
	r = r ? r : check_counters(&c);
	return r ? r : check_pages(&c);
}
