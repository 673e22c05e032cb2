/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of KSM share: contents, trees, merging, and the memory of settled pages. */
#ifndef MEMRIG_KSM_INTERNAL_H
#define MEMRIG_KSM_INTERNAL_H

#include "core/reclaim/ksm.h"

/* ---- ksm_contents.c ---- */

/* Order of two frames' contents, as memcmp of their bytes gives it in either data mode. */
int ksm_compare(const struct ksm *k, const struct page *a, const struct page *b);
/* Equal contents, equal hash. 64 bits; the checksum has 32 of them with ksm_order=hash. */
u64 ksm_hash_page(const struct ksm *k, const struct page *p);
u32 ksm_checksum(const struct ksm *k, const struct page *p);

/* ---- ksm_tree.c ---- */

/* The page of @node with a reference, or NULL: stale, and the node is gone. (s4.2) */
struct page *ksm_get_page(struct ksm *k, struct stable_node *node);
/* Can @node take one more mapping? Always, without a limit. */
bool ksm_sharing_candidate(const struct ksm *k, const struct stable_node *node);
/* Takes @item out of whatever tree it is in; counters. */
void ksm_remove_from_tree(struct ksm *k, struct rmap_item *item);
/* The KSM page of equal contents with a reference (a KSM page's own), or NULL. */
struct page *ksm_stable_search(struct ksm *k, struct page *page, u64 hash);
/* ksm_order=hash: is there a node of these contents, whether it has room or not? */
bool ksm_stable_exists(const struct ksm *k, u64 hash);
/* A node for the new KSM page @kpage; NULL: no memory, or an equal node may not be joined. */
struct stable_node *ksm_stable_insert(struct ksm *k, struct page *kpage, u64 hash);
void ksm_stable_append(struct ksm *k, struct rmap_item *item, struct stable_node *node);
/* The candidate of equal contents and its page with a reference, or NULL: @item was inserted or
 * not. */
struct rmap_item *ksm_unstable_search_insert(struct ksm *k, struct rmap_item *item,
					     struct page *page, struct page **tree_page);
/* The page's node moved to another memory node than its tree is for. */
void ksm_misplace(struct ksm *k, struct stable_node *node);
u32 ksm_nid(const struct ksm *k, const struct page *p);
/* All nodes go; -EBUSY if one's page is still mapped. */
int ksm_remove_all_nodes(struct ksm *k);
void ksm_prune_misplaced(struct ksm *k);
void ksm_tables_destroy(struct ksm *k);

/* ---- ksm_merge.c ---- */

/* The mergeable VMA at @item's address, or NULL. */
struct vm_area_struct *ksm_mergeable_vma(struct ksm *k, const struct rmap_item *item);
/* The anonymous page at @item's address with a reference, or NULL. */
struct page *ksm_mergeable_page(struct ksm *k, const struct rmap_item *item);
/* One page, its item: the heart of a scan. (s4) */
void ksm_cmp_and_merge(struct ksm *k, struct page *page, struct rmap_item *item);

/* ---- ksm_settled.c ---- */

/* What is remembered of a leaf table: whose it was when ksmd last passed it, and the last item. */
struct ksm_leaf {
	u64 serial, round, epoch;
	vaddr_t va;
	struct rmap_item *last;
};

/* Marks of a slot: the version of its page's contents, and what was known then. */
#define KSM_MARK_VERSION 0x1fffffffu
#define KSM_MARK_ITEM	 0x20000000u /* it has an item */
#define KSM_MARK_SUMMED	 0x40000000u /* whose oldchecksum is that version's */
#define KSM_MARK_SETTLED 0x80000000u /* a scan of that version changes nothing */

int ksm_settled_init(struct ksm *k); /* at the first scan. 0 or -ENOMEM */
void ksm_settled_destroy(struct ksm *k);
/* Marks of the leaf table that holds @slots, at @slots' place; those of another life are cleared.
 */
u32 *ksm_leaf_marks(struct ksm *k, const struct mm_slot *slot, vaddr_t va, const pt_slot *slots,
		    struct ksm_leaf **leaf);
/* The page of @item must be looked at when its turn comes. */
void ksm_unsettle(struct ksm *k, const struct rmap_item *item);
/* @item is about to be freed. */
void ksm_forget_item(struct ksm *k, const struct rmap_item *item);
/* Nothing remembered holds any more: a tunable changed. */
void ksm_forget_all(struct ksm *k);

#endif
