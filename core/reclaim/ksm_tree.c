/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stable and the unstable tree in either order (spec 11 s1, s4, s9).
 *
 *   tree ---- node (rmap_items) --> KSM page
 *        `--- chain ---- dup (at most max_page_sharing items) --> KSM page
 *                   `--- dup ...                              --> another of equal contents
 *
 * With ksm_order=hash a tree is a table of buckets; what an rb-tree walk would compare on the way
 * is not looked at.
 */
#include <errno.h>

#include "core/hw/clock.h"
#include "core/reclaim/ksm_internal.h"
#include "core/vm/rmap.h"

#define TABLE_BITS 10 /* of an empty table */

u32 ksm_nid(const struct ksm *k, const struct page *p)
{
	return k->merge_across_nodes ? 0 : page_zone(k->phys, p)->node;
}

/* ---- tables ---- */

static u64 table_bytes(unsigned bits)
{
	return sizeof(void *) << bits;
}

static void **bucket_of(const struct ksm_table *t, u64 hash)
{
	return &t->bucket[hash >> (64 - t->bits)];
}

/* Moves @t's contents to a table of @bits; links are read and written by @hash_of and @link_of. */
static void table_grow(struct ksm_table *t, unsigned bits, u64 (*hash_of)(void *),
		       void **(*link_of)(void *))
{
	struct ksm_table old = *t;
	void **fresh = hw_map_lazy(table_bytes(bits));

	if (!fresh)
		return; /* longer chains, if there is a table at all */
	t->bucket = fresh;
	t->bits = bits;
	for (u64 i = 0; old.bucket && i < 1ull << old.bits; i++)
		for (void *e = old.bucket[i], *next; e; e = next) {
			void **to = bucket_of(t, hash_of(e));

			next = *link_of(e);
			*link_of(e) = *to;
			*to = e;
		}
	if (old.bucket)
		hw_unmap_lazy(old.bucket, table_bytes(old.bits));
}

static u64 item_hash(void *e)
{
	return ((struct rmap_item *)e)->hash;
}

static void **item_link(void *e)
{
	return (void **)&((struct rmap_item *)e)->next;
}

static u64 node_hash(void *e)
{
	return ((struct stable_node *)e)->hash;
}

static void **node_link(void *e)
{
	return (void **)&((struct stable_node *)e)->bucket;
}

/* False: there is no table and no host memory for one. */
static bool table_add(struct ksm_table *t, void *e, u64 (*hash_of)(void *),
		      void **(*link_of)(void *))
{
	void **to;

	if (!t->bucket || t->used >> t->bits)
		table_grow(t, t->bucket ? t->bits + 1 : TABLE_BITS, hash_of, link_of);
	if (!t->bucket)
		return false;
	to = bucket_of(t, hash_of(e));
	*link_of(e) = *to;
	*to = e;
	t->used++;
	return true;
}

static void table_del(struct ksm_table *t, void *e, u64 (*hash_of)(void *),
		      void **(*link_of)(void *))
{
	void **at = bucket_of(t, hash_of(e));

	while (*at != e)
		at = link_of(*at);
	*at = *link_of(e);
	t->used--;
}

void ksm_tables_destroy(struct ksm *k)
{
	if (k->stable_hash.bucket)
		hw_unmap_lazy(k->stable_hash.bucket, table_bytes(k->stable_hash.bits));
	if (k->unstable_hash.bucket)
		hw_unmap_lazy(k->unstable_hash.bucket, table_bytes(k->unstable_hash.bits));
}

/* ---- stable nodes ---- */

bool ksm_sharing_candidate(const struct ksm *k, const struct stable_node *node)
{
	return !k->max_page_sharing ||
	       (node->rmap_hlist_len && node->rmap_hlist_len < k->max_page_sharing);
}

/* ksm_order=hash: candidates of these contents may merge now. */
static void unsettle_hash(struct ksm *k, u64 hash)
{
	if (!k->unstable_hash.bucket)
		return;
	for (struct rmap_item *i = *bucket_of(&k->unstable_hash, hash); i; i = i->next)
		if (i->hash == hash)
			ksm_unsettle(k, i);
}

/* Out of the tree, the chain or the list it is in. */
static void unlink_node(struct ksm *k, struct stable_node *node)
{
	if (node->place != KSM_IN_TREE)
		hlist_del(&node->link);
	else if (k->by_hash)
		table_del(&k->stable_hash, node, node_hash, node_link);
	else
		rb_erase(&k->stable[node->nid], &node->node, NULL);
	if (node->place == KSM_IN_CHAIN) {
		k->stable_node_dups--;
		node->owner = NULL;
	}
}

static void free_node(struct ksm *k, struct stable_node *node)
{
	kmem_cache_free(k->node_cache, k->hw->cpu, node);
}

static void item_off_node(struct ksm *k, struct rmap_item *item, bool others)
{
	if (others)
		k->pages_sharing--;
	else
		k->pages_shared--;
	put_anon_vma(k->vm, item->anon_vma);
	item->anon_vma = NULL;
	item->address &= ~KSM_FLAG_MASK;
}

/* Its page is gone, or is to be left alone: items lose it, counters fall. */
static void remove_node(struct ksm *k, struct stable_node *node)
{
	struct rmap_item *item;

	hlist_for_each_entry_safe(item, &node->hlist, hlist)
		item_off_node(k, item, next_ != NULL);
	unlink_node(k, node);
	if (k->by_hash)
		unsettle_hash(k, node->hash);
	free_node(k, node);
}

struct page *ksm_get_page(struct ksm *k, struct stable_node *node)
{
	struct page *p = pfn_to_page(k->phys, node->kpfn);

	if (page_stable_node(p) == node && get_page_unless_zero(p))
		return p;
	remove_node(k, node);
	return NULL;
}

void ksm_stable_append(struct ksm *k, struct rmap_item *item, struct stable_node *node)
{
	item->head = node;
	item->address |= KSM_STABLE_FLAG;
	item->address &= ~KSM_HASHED_FLAG;
	hlist_add_head(&item->hlist, &node->hlist);
	node->rmap_hlist_len++;
	if (item->hlist.next)
		k->pages_sharing++;
	else
		k->pages_shared++;
}

void ksm_remove_from_tree(struct ksm *k, struct rmap_item *item)
{
	if (item->address & KSM_STABLE_FLAG) {
		struct stable_node *node = item->head;
		struct page *p = ksm_get_page(k, node);
		bool full;

		if (!p)
			return; /* all items of the node are off it */
		full = !ksm_sharing_candidate(k, node);
		hlist_del(&item->hlist);
		node->rmap_hlist_len--;
		lru_put_page(&k->vm->lru, p);
		item_off_node(k, item, node->hlist.first != NULL);
		if (full && k->by_hash)
			unsettle_hash(k, node->hash);
		return;
	}
	if (!(item->address & KSM_UNSTABLE_FLAG))
		return;
	if (k->by_hash) {
		table_del(&k->unstable_hash, item, item_hash, item_link);
	} else {
		u8 age = (u8)(k->seqnr - item->address);

		BUG_ON(age > 1);
		if (!age) /* else the tree it was in is no more */
			rb_erase(&k->unstable[item->nid], &item->node, NULL);
	}
	k->pages_unshared--;
	item->address &= ~KSM_FLAG_MASK | KSM_HASHED_FLAG;
}

/* ---- chains ---- */

static void free_chain(struct ksm *k, struct stable_node *chain)
{
	BUG_ON(chain->hlist.first);
	unlink_node(k, chain);
	free_node(k, chain);
	k->stable_node_chains--;
}

/* @to takes @from's place in the tree. */
static void replace_in_tree(struct ksm *k, struct stable_node *from, struct stable_node *to)
{
	to->place = KSM_IN_TREE;
	to->nid = from->nid;
	to->hash = from->hash;
	if (k->by_hash) {
		void **at = bucket_of(&k->stable_hash, from->hash);

		while (*at != from)
			at = node_link(*at);
		to->bucket = from->bucket;
		*at = to;
	} else {
		rb_replace(&k->stable[from->nid], &from->node, &to->node);
	}
}

static void chain_add(struct ksm *k, struct stable_node *chain, struct stable_node *dup)
{
	dup->place = KSM_IN_CHAIN;
	dup->owner = chain;
	dup->nid = chain->nid;
	dup->hash = chain->hash;
	hlist_add_head(&dup->link, &chain->hlist);
	k->stable_node_dups++;
}

/* A chain in @node's place, with it as the first dup. NULL: no memory. */
static struct stable_node *make_chain(struct ksm *k, struct stable_node *node)
{
	struct stable_node *chain = kmem_cache_zalloc(k->node_cache, k->hw->cpu, GFP_KERNEL);

	if (!chain)
		return NULL;
	chain->chain = true;
	chain->prune_time = clock_jiffies(k->hw);
	replace_in_tree(k, node, chain);
	k->stable_node_chains++;
	chain_add(k, chain, node);
	return chain;
}

/* Better to merge with than @best: it has room, and is fuller. */
static bool better_dup(const struct ksm *k, const struct stable_node *dup,
		       const struct stable_node *best)
{
	return !best ||
	       (ksm_sharing_candidate(k, dup) &&
		(!ksm_sharing_candidate(k, best) || dup->rmap_hlist_len > best->rmap_hlist_len));
}

/*
 * The dup of a chain to merge with and its page: the first with room, or after a pruning the
 * fullest of those. A chain of one is given up. (s9)
 */
static struct page *best_of_chain(struct ksm *k, struct stable_node **node,
				  struct stable_node **dup, bool prune)
{
	struct stable_node *chain = *node, *d, *best = NULL;
	u64 now = clock_jiffies(k->hw),
	    wait = k->stable_node_chains_prune_millisecs * 1000000 / CLOCK_JIFFY;
	struct page *p, *page = NULL;

	prune = prune && now >= chain->prune_time + wait;
	if (prune)
		chain->prune_time = now;
	hlist_for_each_entry_safe(d, &chain->hlist, link) {
		p = ksm_get_page(k, d);
		if (!p)
			continue;
		if (!better_dup(k, d, best)) {
			lru_put_page(&k->vm->lru, p);
			continue;
		}
		if (page)
			lru_put_page(&k->vm->lru, page);
		best = d;
		page = p;
		if (!prune && ksm_sharing_candidate(k, best))
			break;
	}
	*dup = best;
	if (!best) {
		free_chain(k, chain);
	} else if (chain->hlist.first == &best->link && !best->link.next) {
		hlist_del(&best->link);
		k->stable_node_dups--;
		k->stable_node_chains--;
		best->owner = NULL;
		replace_in_tree(k, chain, best);
		free_node(k, chain);
		*node = best;
	} else if (chain->hlist.first != &best->link && best->rmap_hlist_len &&
		   best->rmap_hlist_len + 1 < k->max_page_sharing) {
		hlist_del(&best->link);
		hlist_add_head(&best->link, &chain->hlist);
	}
	return page;
}

static struct page *page_of_tree_node(struct ksm *k, struct stable_node **node,
				      struct stable_node **dup, bool prune)
{
	if ((*node)->chain)
		return best_of_chain(k, node, dup, prune);
	*dup = *node;
	return ksm_get_page(k, *node);
}

/* ---- stable tree ---- */

/* One look through the stable tree. */
struct stable_look {
	struct stable_node *node, *dup; /* of equal contents: in the tree, and the one to use */
	struct rb_node *parent, **link; /* where a new node would go */
	bool stale;			/* a node on the way was: the tree has changed */
};

static void look_by_contents(struct ksm *k, struct page *page, u32 nid, bool prune,
			     struct stable_look *l)
{
	l->link = &k->stable[nid].node;
	while (*l->link) {
		struct stable_node *node = container_of(*l->link, struct stable_node, node), *dup;
		struct page *p = page_of_tree_node(k, &node, &dup, prune);
		int order;

		if (!p) {
			l->stale = true;
			return;
		}
		order = ksm_compare(k, page, p);
		lru_put_page(&k->vm->lru, p);
		l->parent = *l->link;
		if (!order) {
			l->node = node;
			l->dup = dup;
			return;
		}
		l->link = order < 0 ? &l->parent->left : &l->parent->right;
	}
}

static void look_by_hash(struct ksm *k, struct page *page, u32 nid, u64 hash, bool prune,
			 struct stable_look *l)
{
	struct stable_node *next,
		*n = k->stable_hash.bucket ? *bucket_of(&k->stable_hash, hash) : NULL;

	for (; n; n = next) {
		struct stable_node *node = n, *dup;
		struct page *p;
		int order;

		next = n->bucket;
		if (n->hash != hash || n->nid != nid)
			continue;
		p = page_of_tree_node(k, &node, &dup, prune);
		if (!p) {
			l->stale = true;
			return;
		}
		order = ksm_compare(k, page, p);
		lru_put_page(&k->vm->lru, p);
		if (!order) {
			l->node = node;
			l->dup = dup;
			return;
		}
	}
}

/* False: a stale node ended the search. */
static bool stable_look(struct ksm *k, struct page *page, u32 nid, u64 hash, bool prune,
			struct stable_look *l)
{
	do {
		*l = (struct stable_look){0};
		if (k->by_hash)
			look_by_hash(k, page, nid, hash, prune, l);
		else
			look_by_contents(k, page, nid, prune, l);
	} while (l->stale && !k->stale_ends_search);
	return !l->stale;
}

/* Where @l found nothing equal. False: no host memory for the table. */
static bool insert_at(struct ksm *k, struct stable_node *node, u32 nid, u64 hash,
		      const struct stable_look *l)
{
	node->place = KSM_IN_TREE;
	node->nid = (u8)nid;
	node->hash = hash;
	if (k->by_hash)
		return table_add(&k->stable_hash, node, node_hash, node_link);
	rb_link(&node->node, l->parent, l->link);
	rb_insert(&k->stable[nid], &node->node, NULL);
	return true;
}

void ksm_misplace(struct ksm *k, struct stable_node *node)
{
	unlink_node(k, node);
	node->place = KSM_MISPLACED;
	hlist_add_head(&node->link, &k->misplaced);
}

void ksm_prune_misplaced(struct ksm *k)
{
	struct stable_node *node;

	hlist_for_each_entry_safe(node, &k->misplaced, link) {
		struct page *p = ksm_get_page(k, node);

		if (p)
			lru_put_page(&k->vm->lru, p);
	}
}

/* @page with a reference if its node has room for more. */
static struct page *own_page(struct ksm *k, struct page *page, const struct stable_node *node)
{
	if (!ksm_sharing_candidate(k, node))
		return NULL;
	get_page(page);
	return page;
}

bool ksm_stable_exists(const struct ksm *k, u64 hash)
{
	struct stable_node *n = k->stable_hash.bucket ? *bucket_of(&k->stable_hash, hash) : NULL;

	while (n && n->hash != hash)
		n = n->bucket;
	return n;
}

/* The misplaced node of @page goes where @l looked; NULL if its page cannot take another mapping.
 */
static struct page *place_node(struct ksm *k, struct page *page, struct stable_node *mine, u64 hash,
			       const struct stable_look *l)
{
	struct stable_node *chain = l->node;

	if (chain && chain == l->dup)
		chain = make_chain(k, l->dup);
	if (l->node && !chain)
		return NULL;
	hlist_del(&mine->link);
	if (chain)
		chain_add(k, chain, mine);
	else if (!insert_at(k, mine, ksm_nid(k, page), hash, l))
		BUG();
	return own_page(k, page, mine);
}

struct page *ksm_stable_search(struct ksm *k, struct page *page, u64 hash)
{
	struct stable_node *mine = page_stable_node(page);
	u32 nid = ksm_nid(k, page);
	struct stable_look l;

	if (mine && mine->place != KSM_MISPLACED) { /* seen through a fork */
		get_page(page);
		return page;
	}
	for (;;) {
		struct page *p;

		if (!stable_look(k, page, nid, hash, true, &l))
			return NULL;
		if (!l.node || (mine && page_mapcount(page) > 1 && k->max_page_sharing))
			return mine ? place_node(k, page, mine, hash, &l) : NULL;
		if (!ksm_sharing_candidate(k, l.dup))
			return NULL;
		p = ksm_get_page(k, l.dup);
		if (ksm_nid(k, p) == l.dup->nid)
			return p;
		lru_put_page(&k->vm->lru, p);
		ksm_misplace(k, l.dup);
		if (!mine)
			return NULL;
	}
}

struct stable_node *ksm_stable_insert(struct ksm *k, struct page *kpage, u64 hash)
{
	struct stable_node *node, *chain = NULL;
	u32 nid = ksm_nid(k, kpage);
	struct stable_look l;

	if (!stable_look(k, kpage, nid, hash, false, &l))
		return NULL;
	if (l.node && !k->max_page_sharing)
		return NULL;
	node = kmem_cache_zalloc(k->node_cache, k->hw->cpu, GFP_KERNEL);
	if (!node)
		return NULL;
	if (l.node) {
		chain = l.node->chain ? l.node : make_chain(k, l.node);
		if (!chain)
			goto no_place;
		chain_add(k, chain, node);
	} else if (!insert_at(k, node, nid, hash, &l)) {
		goto no_place;
	}
	node->kpfn = page_to_pfn(k->phys, kpage);
	set_page_stable_node(kpage, node);
	if (k->by_hash)
		unsettle_hash(k, hash);
	return node;
no_place:
	free_node(k, node);
	return NULL;
}

/* 0, or -EBUSY: the page is still mapped, by a fork whose mapping is not mergeable. */
static int drop_node(struct ksm *k, struct stable_node *node)
{
	struct page *p = ksm_get_page(k, node);
	int r = 0;

	if (!p)
		return 0;
	if (page_mapped(p)) {
		r = -EBUSY;
	} else {
		set_page_stable_node(p, NULL);
		remove_node(k, node);
	}
	lru_put_page(&k->vm->lru, p);
	return r;
}

static int drop_tree_node(struct ksm *k, struct stable_node *node)
{
	struct stable_node *dup;
	int r = 0;

	if (!node->chain)
		return drop_node(k, node);
	hlist_for_each_entry_safe(dup, &node->hlist, link)
		if (drop_node(k, dup))
			r = -EBUSY;
	if (!r)
		free_chain(k, node);
	return r;
}

int ksm_remove_all_nodes(struct ksm *k)
{
	struct stable_node *node;
	int r = 0;

	for (u32 nid = 0; nid < MM_MAX_NODES; nid++)
		while (!r && k->stable[nid].node)
			r = drop_tree_node(
				k, container_of(k->stable[nid].node, struct stable_node, node));
	for (u64 i = 0; k->stable_hash.bucket && i < 1ull << k->stable_hash.bits; i++)
		for (struct stable_node *n = k->stable_hash.bucket[i], *next; n; n = next) {
			next = n->bucket;
			if (drop_tree_node(k, n))
				r = -EBUSY;
		}
	hlist_for_each_entry_safe(node, &k->misplaced, link)
		if (drop_node(k, node))
			r = -EBUSY;
	return r;
}

/* ---- unstable tree ---- */

/* ksm_order=hash: an item left from the full scan before, whose turn has not come yet in this one.
 */
static bool hidden(const struct ksm *k, const struct rmap_item *item)
{
	const struct mm_slot *slot = item->mm->ksm_slot;

	if (k->vm->ksm.cursor == &slot->mm_list)
		return rmap_item_addr(item) >= k->address;
	return slot->passed != k->seqnr + 1;
}

enum met { MET_OTHER, MET_EQUAL, MET_NOTHING };

/* @item of the tree was met: go on, take it (with a reference to @tree_page), or give up. */
static enum met meet(struct ksm *k, const struct rmap_item *item, struct page *page, u32 nid,
		     struct page **tree_page, int *order)
{
	*tree_page = ksm_mergeable_page(k, item);
	if (!*tree_page)
		return MET_NOTHING;
	*order = *tree_page == page ? 0 : ksm_compare(k, page, *tree_page);
	if (*tree_page != page && !*order && ksm_nid(k, *tree_page) == nid)
		return MET_EQUAL;
	lru_put_page(&k->vm->lru, *tree_page);
	return *order ? MET_OTHER : MET_NOTHING;
}

static void mark_unstable(struct ksm *k, struct rmap_item *item, u32 nid)
{
	item->address |= KSM_UNSTABLE_FLAG | (k->seqnr & KSM_SEQNR_MASK);
	item->nid = nid;
	k->pages_unshared++;
}

static struct rmap_item *unstable_by_contents(struct ksm *k, struct rmap_item *item,
					      struct page *page, u32 nid, struct page **tree_page)
{
	struct rb_node *parent = NULL, **link = &k->unstable[nid].node;

	while (*link) {
		struct rmap_item *t = container_of(*link, struct rmap_item, node);
		int order;
		enum met met = meet(k, t, page, nid, tree_page, &order);

		if (met != MET_OTHER)
			return met == MET_EQUAL ? t : NULL;
		parent = *link;
		link = order < 0 ? &parent->left : &parent->right;
	}
	item->address &= ~KSM_HASHED_FLAG;
	rb_link(&item->node, parent, link);
	rb_insert(&k->unstable[nid], &item->node, NULL);
	mark_unstable(k, item, nid);
	return NULL;
}

static struct rmap_item *unstable_by_hash(struct ksm *k, struct rmap_item *item, struct page *page,
					  u32 nid, struct page **tree_page)
{
	struct rmap_item *t =
		k->unstable_hash.bucket ? *bucket_of(&k->unstable_hash, item->hash) : NULL;

	for (; t; t = t->next) {
		enum met met;
		int order;

		if (t->hash != item->hash || t->nid != nid)
			continue;
		if (hidden(k, t)) {
			ksm_unsettle(k, t);
			continue;
		}
		met = meet(k, t, page, nid, tree_page, &order);
		if (met != MET_OTHER)
			return met == MET_EQUAL ? t : NULL;
	}
	if (table_add(&k->unstable_hash, item, item_hash, item_link))
		mark_unstable(k, item, nid);
	return NULL;
}

struct rmap_item *ksm_unstable_search_insert(struct ksm *k, struct rmap_item *item,
					     struct page *page, struct page **tree_page)
{
	u32 nid = ksm_nid(k, page);

	return k->by_hash ? unstable_by_hash(k, item, page, nid, tree_page)
			  : unstable_by_contents(k, item, page, nid, tree_page);
}
