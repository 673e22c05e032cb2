/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KSM as floor 6 sees it: who is registered, what a KSM page's mapping points to, and how a merged
 * page is found, copied and broken (spec 11 s1, s2, s5, s7). Trees and scanning:
 * core/reclaim/ksm.h.
 *
 * Terms
 *   slot         of an address space that asked for merging; in scan order from vm->ksm.slots.
 *   rmap_item    what ksmd remembers of one address; ascending in its slot's list.
 *   stable_node  of one KSM page, which points back to it (mapping = node | 3); it holds no
 *                reference: a node whose page is gone or points elsewhere is stale.
 *   chain        a tree node without a page whose dups are nodes of equal contents.
 *
 * Objects live in caches of emulated RAM; a slot holds a reference to its mm_struct (mm_count), a
 * stable item one to its anon_vma. Linux: mm/ksm.c, include/linux/ksm.h; left out: locks.
 */
#ifndef MEMRIG_VM_KSM_RMAP_H
#define MEMRIG_VM_KSM_RMAP_H

#include "core/vm/mm_types.h"

enum { KSM_RUN_STOP, KSM_RUN_MERGE, KSM_RUN_UNMERGE };

struct mm_slot {
	struct list_head mm_list;    /* in vm->ksm.slots */
	struct rmap_item *rmap_list; /* ascending addresses */
	struct mm_struct *mm;
	u64 serial; /* never given again */
	u64 passed; /* full scan in which ksmd last came to its end, plus one */
};

/* Low bits of rmap_item.address. */
#define KSM_SEQNR_MASK	  0x0ffull /* low bits of the full scan that inserted it */
#define KSM_UNSTABLE_FLAG 0x100ull /* in the unstable tree, at least of the last full scan */
#define KSM_STABLE_FLAG	  0x200ull /* hangs on a stable node */
#define KSM_HASHED_FLAG	  0x400ull /* hash is that of oldchecksum's contents */
#define KSM_FLAG_MASK	  0xfffull

struct stable_node;
struct rmap_walk_control;

struct rmap_item {
	struct rmap_item *rmap_list; /* next in the slot */
	union {
		struct anon_vma *anon_vma; /* stable: pinned */
		u32 nid;		   /* unstable: whose tree */
	};
	struct mm_struct *mm;
	vaddr_t address; /* and KSM_*_FLAG */
	u32 oldchecksum;
	u8 age, remaining_skips; /* ksm_smart_scan=1 */
	union {
		struct rb_node node; /* unstable, ksm_order=contents */
		struct {	     /* stable */
			struct stable_node *head;
			struct hlist_node hlist;
		};
		struct { /* ksm_order=hash */
			u64 hash;
			struct rmap_item *next; /* unstable: in its bucket */
		};
	};
};
_Static_assert(sizeof(struct rmap_item) == 64, "one cache line, as in Linux");

struct stable_node {
	union {
		struct rb_node node;	    /* in the stable tree: a node of its own, or a chain */
		struct stable_node *bucket; /* the same with ksm_order=hash: next in its bucket */
	};
	u8 place; /* enum ksm_place */
	u8 nid;	  /* whose tree */
	bool chain;
	u32 rmap_hlist_len;	   /* items */
	struct stable_node *owner; /* of a dup: its chain */
	struct hlist_node link;	   /* of a dup: in the chain; or in the list of misplaced nodes */
	struct hlist_head hlist;   /* items; of a chain: dups */
	union {
		pfn_t kpfn;
		u64 prune_time; /* of a chain: jiffies of its last pruning */
	};
	u64 hash; /* ksm_order=hash */
};

enum ksm_place { KSM_IN_TREE, KSM_IN_CHAIN, KSM_MISPLACED };

MM_INLINE struct stable_node *page_stable_node(const struct page *p)
{
	return PageKsm(p) ? (struct stable_node *)(uintptr_t)(p->mapping & ~PAGE_MAPPING_FLAGS)
			  : NULL;
}

MM_INLINE void set_page_stable_node(struct page *p, const struct stable_node *n)
{
	p->mapping = (u64)(uintptr_t)n | PAGE_MAPPING_ANON | PAGE_MAPPING_KSM;
}

/* Address of an item in its mm. */
MM_INLINE vaddr_t rmap_item_addr(const struct rmap_item *item)
{
	return item->address & ~KSM_FLAG_MASK;
}

/* Nobody uses the address space any more; its slot waits for ksmd. (Linux: ksm_test_exit) */
MM_INLINE bool ksm_mm_exiting(const struct mm_struct *mm)
{
	return !mm->mm_users;
}

/* The slot cache and the empty list; ksm_all. 0 or -ENOMEM. */
int ksm_registry_init(struct vm *vm);

/* Registers @mm, just before ksmd's cursor; at the end while unmerging. 0 or -ENOMEM. (s2) */
int ksm_enter(struct vm *vm, struct mm_struct *mm);
/* The last user of @mm leaves: an unscanned slot goes at once, others next to the cursor. */
void ksm_exit(struct vm *vm, struct mm_struct *mm);
/* @child is registered if @parent is. 0 or -ENOMEM (policy=modern: best effort, 0). */
int ksm_fork(struct vm *vm, struct mm_struct *child, struct mm_struct *parent);
/* Takes @slot off the list and frees it with its reference; its items must be gone. */
void ksm_drop_slot(struct vm *vm, struct mm_slot *slot);

/* What MADV_MERGEABLE and MADV_UNMERGEABLE do before the VMA gets @flags. 0 or -ENOMEM. May sleep. (s2) */
int ksm_madvise(struct vm *vm, struct vm_area_struct *v, vaddr_t start, vaddr_t end, u32 advice,
		u32 *flags);
/* VM_MERGEABLE for a new mapping with @flags if ksm_all=1 lets it have it, else 0; registers @mm.
 */
u32 ksm_flags_of_new(struct vm *vm, struct mm_struct *mm, u32 flags, const struct vm_file *file);

/* Write faults until no KSM page is mapped at @addr of @v. 0 or -ENOMEM. Counts pgfault. (s5) */
int break_ksm(struct vm *vm, struct vm_area_struct *v, vaddr_t addr);
int unmerge_ksm_pages(struct vm *vm, struct vm_area_struct *v, vaddr_t start, vaddr_t end);

/* The page mapped at @addr, and its slot; NULL if none is or it is the zero page. */
struct page *ksm_follow_page(struct vm *vm, const struct mm_struct *mm, vaddr_t addr,
			     pt_slot **slot);

/*
 * rmap_walk() for KSM page @p: each item's own mm first, then others that forked since (s7). @p is
 * locked. The callback checks the descriptor.
 */
int rmap_walk_ksm(struct vm *vm, struct page *p, const struct rmap_walk_control *rwc);

/*
 * A page that came back from swap for @addr of @v (spec 08 s8 step 5): true if this mapping needs a
 * copy of its own, because the page is KSM's or another's by now.
 */
bool ksm_might_need_to_copy(const struct vm *vm, const struct page *p,
			    const struct vm_area_struct *v, vaddr_t addr);

/* Migration: @to takes @from's place; the node points there. Both are KSM pages' frames. (s6) */
void ksm_migrate_page(struct vm *vm, struct page *to, struct page *from);

/* A PTE of the zero page goes or is copied: keeps ksm_zero_pages. */
MM_INLINE void ksm_zero_pte(struct vm *vm, pte_t p, int delta)
{
	if (MM_UNLIKELY(vm->ksm.zero_pages && pte_dirty(p)))
		vm->ksm.zero_pages += (u64)(s64)delta;
}

#endif
