/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages that nobody wrote since they were last seen. Each leaf table has a mark a slot (host
 * memory, lazily populated, by the table's frame): the version of the contents that were mapped
 * there, and what a scan knew then. A slot whose mark still fits needs no checksum; with
 * ksm_order=hash and a settled item (in the unstable tree, or on the node of the page) it needs no
 * look at all, since the scan would put everything back where it is. Whatever would make that scan
 * end otherwise unsettles the item: a candidate or a KSM page of equal contents that came, a node
 * of them that got room.
 *
 * Marks hold for one slot of ksmd's list, one address and consecutive full scans; a table that was
 * freed and serves again starts anew.
 */
#include <errno.h>

#include "core/reclaim/ksm_internal.h"
#include "core/vm/pgtable.h"

static u32 slots_of_table(const struct ksm *k)
{
	return 1u << (k->phys->page_shift - vm_geometry(k->vm)->entry_shift[0]);
}

static u64 leaves_bytes(const struct ksm *k)
{
	return ALIGN_UP(k->phys->nr_frames * sizeof(struct ksm_leaf), 4096);
}

static u64 marks_bytes(const struct ksm *k)
{
	return ALIGN_UP(k->phys->nr_frames * slots_of_table(k) * sizeof(u32), 4096);
}

int ksm_settled_init(struct ksm *k)
{
	if (k->marks)
		return 0;
	if (hw_watch_contents(k->hw))
		return -ENOMEM;
	if (!k->leaves)
		k->leaves = hw_map_lazy(leaves_bytes(k));
	if (k->leaves)
		k->marks = hw_map_lazy(marks_bytes(k));
	return k->marks ? 0 : -ENOMEM;
}

void ksm_settled_destroy(struct ksm *k)
{
	if (k->leaves)
		hw_unmap_lazy(k->leaves, leaves_bytes(k));
	if (k->marks)
		hw_unmap_lazy(k->marks, marks_bytes(k));
}

/* Frame of the table that holds @slot; *@index: the slot's place in it. */
static u64 table_of(const struct ksm *k, const pt_slot *slot, u32 *index)
{
	u64 off = (u64)((const u8 *)slot - k->hw->arena);

	*index = (u32)(off & ((1ull << k->phys->page_shift) - 1)) >>
		 vm_geometry(k->vm)->entry_shift[0];
	return off >> k->phys->page_shift;
}

static vaddr_t span_of(const struct ksm *k, vaddr_t va)
{
	return va >> vm_geometry(k->vm)->shift[1];
}

u32 *ksm_leaf_marks(struct ksm *k, const struct mm_slot *slot, vaddr_t va, const pt_slot *slots,
		    struct ksm_leaf **leaf)
{
	u32 index, n = slots_of_table(k);
	u64 frame;
	struct ksm_leaf *l;

	if (!k->marks)
		return NULL;
	frame = table_of(k, slots, &index);
	l = &k->leaves[frame];
	if (l->serial != slot->serial || l->va != span_of(k, va) || l->epoch != k->epoch ||
	    (l->round != k->seqnr && l->round + 1 != k->seqnr)) {
		memset(&k->marks[frame * n], 0, n * sizeof(u32));
		*l = (struct ksm_leaf){
			.serial = slot->serial, .va = span_of(k, va), .epoch = k->epoch};
	}
	l->round = k->seqnr;
	*leaf = l;
	return &k->marks[frame * n + index];
}

static u32 *mark_of(struct ksm *k, const struct rmap_item *item, struct ksm_leaf **leaf)
{
	vaddr_t va = rmap_item_addr(item);
	pt_slot *slot = k->marks ? pte_lookup(k->vm, item->mm, va) : NULL;
	u64 frame;
	u32 index;

	if (!slot)
		return NULL;
	frame = table_of(k, slot, &index);
	*leaf = &k->leaves[frame];
	if (!item->mm->ksm_slot || (*leaf)->serial != item->mm->ksm_slot->serial ||
	    (*leaf)->va != span_of(k, va))
		return NULL;
	return &k->marks[frame * slots_of_table(k) + index];
}

void ksm_unsettle(struct ksm *k, const struct rmap_item *item)
{
	struct ksm_leaf *leaf;
	u32 *mark = mark_of(k, item, &leaf);

	if (mark)
		*mark &= ~KSM_MARK_SETTLED;
}

void ksm_forget_item(struct ksm *k, const struct rmap_item *item)
{
	struct ksm_leaf *leaf;
	u32 *mark = mark_of(k, item, &leaf);

	if (!mark)
		return;
	*mark = 0;
	if (leaf->last == item)
		leaf->last = NULL;
}

void ksm_forget_all(struct ksm *k)
{
	k->epoch++;
}
