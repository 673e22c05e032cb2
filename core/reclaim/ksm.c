/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ksmd: the scan over all registered address spaces, its batches on the virtual clock, its control.
 *
 *   slots:  [mm A] -> [mm B] -> ...            cursor: a slot, an address, a link in its item list
 *             |items ascending by address
 *
 * A batch takes pages from the cursor on; the end of the list ends the batch and the full scan.
 * Pages whose mark says that nothing would change (ksm_settled.c) are passed without touching their
 * items: the link then lags behind the address (passed_to) until an item is needed again.
 */
#include "core/reclaim/ksm.h"

#include <errno.h>
#include <stdlib.h>

#include "core/hw/clock.h"
#include "core/phys/page_alloc.h"
#include "core/reclaim/ksm_internal.h"
#include "core/vm/pgtable.h"
#include "core/vm/vma.h"

/* ---- items ---- */

static void free_item(struct ksm *k, struct rmap_item *item)
{
	ksm_forget_item(k, item);
	k->rmap_items--;
	item->mm = NULL;
	kmem_cache_free(k->item_cache, k->hw->cpu, item);
}

/* Items from *@link on belong to no page any more. */
static void remove_trailing_items(struct ksm *k, struct rmap_item **link)
{
	while (*link) {
		struct rmap_item *item = *link;

		*link = item->rmap_list;
		ksm_remove_from_tree(k, item);
		free_item(k, item);
	}
}

/* The item of @addr, found at the cursor or new; those below it lost their page. NULL: no memory.
 */
static struct rmap_item *get_item(struct ksm *k, struct mm_slot *slot, vaddr_t addr)
{
	struct rmap_item *item;

	while ((item = *k->rmap_list)) {
		if (rmap_item_addr(item) == addr)
			return item;
		if (rmap_item_addr(item) > addr)
			break;
		*k->rmap_list = item->rmap_list;
		ksm_remove_from_tree(k, item);
		free_item(k, item);
	}
	item = kmem_cache_zalloc(k->item_cache, k->hw->cpu,
				 GFP_KERNEL | MM_GFP_NORETRY | MM_GFP_NOWARN);
	if (!item)
		return NULL;
	k->rmap_items++;
	item->mm = slot->mm;
	item->address = addr;
	item->rmap_list = *k->rmap_list;
	*k->rmap_list = item;
	return item;
}

/* ---- cursor ---- */

static struct mm_slot *cursor_slot(const struct ksm *k)
{
	return list_entry(k->vm->ksm.cursor, struct mm_slot, mm_list);
}

static void enter_slot(struct ksm *k, struct list_head *node)
{
	k->vm->ksm.cursor = node;
	k->address = 0;
	k->passed_to = 0;
	k->gone = false;
	if (node != &k->vm->ksm.slots)
		k->rmap_list = &cursor_slot(k)->rmap_list;
}

/* Moves the link behind the items that were passed. */
static void catch_up(struct ksm *k)
{
	while (*k->rmap_list && rmap_item_addr(*k->rmap_list) < k->passed_to)
		k->rmap_list = &(*k->rmap_list)->rmap_list;
	k->passed_to = 0;
}

/* The same at the end of a leaf table, whose last item it remembers. */
static void leave_leaf(struct ksm *k, struct ksm_leaf *leaf, struct mm_slot *slot)
{
	u64 page = 1ull << k->phys->page_shift;

	if (!leaf)
		return;
	if (k->passed_to && leaf->last && rmap_item_addr(leaf->last) + page == k->passed_to) {
		k->rmap_list = &leaf->last->rmap_list;
		k->passed_to = 0;
	}
	if (k->passed_to)
		catch_up(k);
	leaf->last = k->rmap_list == &slot->rmap_list
			     ? NULL
			     : container_of(k->rmap_list, struct rmap_item, rmap_list);
}

static void begin_round(struct ksm *k)
{
	lru_add_drain_all(&k->vm->lru);
	if (!k->merge_across_nodes)
		ksm_prune_misplaced(k);
	memset(k->unstable, 0, sizeof(k->unstable));
	(void)ksm_settled_init(k); /* without it every page is looked at */
	enter_slot(k, k->vm->ksm.slots.next);
}

/* The end of an address space: items above go, and the slot if nothing in it was mergeable. */
static void finish_slot(struct ksm *k)
{
	struct mm_slot *slot = cursor_slot(k);
	bool drop = !k->address;

	if (k->passed_to)
		catch_up(k);
	remove_trailing_items(k, k->rmap_list);
	slot->passed = k->seqnr + 1;
	enter_slot(k, slot->mm_list.next);
	if (drop)
		ksm_drop_slot(k->vm, slot);
}

/* ---- the next page ---- */

/* A leaf table's part of a VMA. */
struct leaf_part {
	pt_slot *slots;
	unsigned n;
	vaddr_t va;
};

/* A batch on its way: what it may still scan, the page it came to, and the table it is in. */
struct batch {
	u64 left;
	struct page *page; /* with a reference */
	struct rmap_item *item;
	struct leaf_part part; /* n 0: none */
	unsigned next;	       /* slot of the part */
	u32 *marks;
	struct ksm_leaf *leaf;
};

/* Growing pauses for pages that did not merge. (s9 Modern) */
static bool smart_skip(struct ksm *k, const struct page *page, struct rmap_item *item)
{
	unsigned age = item->age;

	if (!k->smart_scan || PageKsm(page))
		return false;
	item->age = (u8)(age < 255 ? age + 1 : age);
	if (age < 3)
		return false;
	if (!item->remaining_skips) {
		item->remaining_skips = age <= 3 ? 1 : age <= 5 ? 2 : age <= 8 ? 4 : 8;
		return false;
	}
	k->pages_skipped++;
	item->remaining_skips--;
	ksm_remove_from_tree(k, item);
	return true;
}

static int first_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	(void)vm;
	*(struct leaf_part *)arg = (struct leaf_part){slots, n, va};
	return 1;
}

/* Is the item that the cursor's link leads to the one of @addr? Then pages may be passed from
 * there. */
static bool link_is_at(const struct ksm *k, vaddr_t addr)
{
	return k->passed_to || (*k->rmap_list && rmap_item_addr(*k->rmap_list) == addr);
}

/* The page of a present descriptor if it is a candidate: anonymous, not the zero page. */
static struct page *candidate_page(const struct ksm *k, pte_t p)
{
	struct page *page = vm_normal_page(k->vm, p);

	return page && PageAnon(page) ? page : NULL;
}

/*
 * Passes settled pages from slot @i on. The first slot that needs a look, or @n; the batch may end.
 */
static unsigned pass_settled(struct ksm *k, const struct leaf_part *part, unsigned i,
			     const u32 *marks, struct batch *b)
{
	const struct pt_geometry *g = vm_geometry(k->vm);
	unsigned shift = k->phys->page_shift;
	const u32 *versions = k->hw->versions;
	u64 base = k->hw->base >> shift, frames = k->hw->bytes >> shift, left = b->left;
	unsigned last = part->n;

	if (k->gone || !(marks[i] & KSM_MARK_SETTLED) ||
	    !link_is_at(k, part->va + ((u64)i << shift)))
		return i;
	for (; i < part->n && left; i++) {
		pte_t p = pte_get(g, pt_slot_at(g, part->slots, i));
		u64 frame = (pte_pa(p) >> shift) - base;
		u32 mark = marks[i];

		if (!mark && !p.v)
			continue;
		if (!pte_present(p) || frame >= frames ||
		    mark != ((mark & KSM_MARK_SUMMED) | KSM_MARK_SETTLED | KSM_MARK_ITEM |
			     versions[frame]))
			break;
		left--;
		last = i;
	}
	if (last < part->n) {
		k->passed_to = part->va + ((u64)(last + 1) << shift);
		k->pages_scanned += b->left - left;
		charge_n(k->hw, COST_KSM_PAGE, b->left - left);
	}
	b->left = left;
	return i;
}

/* The item of candidate @p in slot b->next becomes due. False: it is skipped this time. */
static bool take_page(struct ksm *k, struct mm_slot *slot, struct page *p, struct batch *b)
{
	get_page(p); /* the item's allocation may reclaim */
	if (k->passed_to)
		catch_up(k);
	b->item = get_item(k, slot, k->address);
	k->no_memory = !b->item;
	if (!b->item) {
		lru_put_page(&k->vm->lru, p);
		return true;
	}
	k->gone = false;
	k->rmap_list = &b->item->rmap_list;
	k->mark = b->marks ? &b->marks[b->next] : NULL;
	if (k->mark)
		*k->mark |= KSM_MARK_ITEM;
	if (smart_skip(k, p, b->item)) {
		lru_put_page(&k->vm->lru, p);
		b->item = NULL;
		return false;
	}
	k->address += 1ull << k->phys->page_shift;
	b->page = p;
	b->next++;
	return true;
}

/* True: @b->item is due, the batch is over, or memory is. False: the part is done. */
static bool scan_leaf(struct ksm *k, struct mm_slot *slot, struct batch *b)
{
	const struct leaf_part *part = &b->part;
	unsigned shift = k->phys->page_shift;

	for (; b->next < part->n; b->next++) {
		struct page *p;
		pte_t pte;

		if (b->marks && k->by_hash) {
			b->next = pass_settled(k, part, b->next, b->marks, b);
			k->address = part->va + ((u64)b->next << shift);
			if (!b->left)
				return true;
			if (b->next == part->n)
				break;
		}
		k->address = part->va + ((u64)b->next << shift);
		pte = get_pte(k->vm, part->slots, b->next);
		p = pte_present(pte) ? candidate_page(k, pte) : NULL;
		if (!p)
			k->gone |= b->marks && b->marks[b->next];
		else if (take_page(k, slot, p, b))
			return true;
	}
	leave_leaf(k, b->leaf, slot);
	k->address = part->va + ((u64)part->n << shift);
	b->part.n = 0;
	return false;
}

static bool scan_vma(struct ksm *k, struct mm_slot *slot, struct vm_area_struct *v, struct batch *b)
{
	if (k->address < v->vm_start)
		k->address = v->vm_start;
	while (v->anon_vma && k->address < v->vm_end) {
		if (!pte_range(k->vm, slot->mm, k->address, v->vm_end, first_leaf, &b->part))
			break;
		k->address = b->part.va;
		b->next = 0;
		b->leaf = NULL;
		b->marks = ksm_leaf_marks(k, slot, b->part.va, b->part.slots, &b->leaf);
		if (scan_leaf(k, slot, b))
			return true;
	}
	k->address = v->vm_end;
	return false;
}

static bool scan_slot(struct ksm *k, struct mm_slot *slot, struct batch *b)
{
	struct vm_area_struct *v;

	if (ksm_mm_exiting(slot->mm)) {
		enter_slot(k, &slot->mm_list);
		return false;
	}
	for (v = find_vma_slow(k->vm, slot->mm, k->address); v; v = v->vm_next)
		if (v->vm_flags & VM_MERGEABLE && scan_vma(k, slot, v, b))
			return true;
	return false;
}

enum slot_scan { SLOT_DUE, SLOT_DONE, SLOT_BUSY };

/* Goes on in the cursor's slot. SLOT_BUSY: somebody changes its mappings just now. */
static enum slot_scan look_into_slot(struct ksm *k, struct batch *b)
{
	struct mm_slot *slot = cursor_slot(k);
	struct mm_struct *mm = slot->mm;
	bool due;

	if (!mmap_read_trylock(k->vm, mm))
		return SLOT_BUSY;
	due = (b->part.n && scan_leaf(k, slot, b)) || scan_slot(k, slot, b);
	mmap_read_unlock(k->vm, mm);
	return due ? SLOT_DUE : SLOT_DONE;
}

/* False: the full scan has ended, nobody is registered, or the next page cannot be had now. */
static bool next_page(struct ksm *k, struct batch *b)
{
	struct list_head *slots = &k->vm->ksm.slots;
	enum slot_scan r;

	b->item = NULL;
	if (list_empty(slots))
		return false;
	if (k->vm->ksm.cursor == slots)
		begin_round(k);
	while ((r = look_into_slot(k, b)) != SLOT_DUE) {
		if (r == SLOT_BUSY)
			return false;
		finish_slot(k);
		if (k->vm->ksm.cursor == slots) {
			k->seqnr++;
			return false;
		}
	}
	return true;
}

/* ---- batches ---- */

/* What the next scan of this page may take for granted. */
static void leave_mark(struct ksm *k, const struct page *page, const struct rmap_item *item)
{
	u32 mark, settled = k->pass_settled ? KSM_MARK_SETTLED : 0;
	pfn_t pfn = page_to_pfn(k->phys, page);

	if (!k->mark)
		return;
	if (item->address & KSM_STABLE_FLAG)
		pfn = item->head->kpfn;
	else if (!(item->address & KSM_UNSTABLE_FLAG) || k->smart_scan || !settled ||
		 ksm_stable_exists(k, item->hash)) /* the next search meets its duplicates */
		settled = 0;
	mark = KSM_MARK_ITEM | hw_frame_version(k->hw, pfn);
	if ((*k->mark & KSM_MARK_VERSION) == (mark & KSM_MARK_VERSION))
		mark |= *k->mark & KSM_MARK_SUMMED;
	*k->mark = mark | settled;
}

void ksm_do_scan(struct ksm *k, u64 n)
{
	struct batch b = {.left = n};

	might_sleep(k->vm->hw);
	lock_model(k->hw, LOCK_KSM_THREAD, k);
	k->no_memory = false;
	if (k->hw->versions && k->hw->next_version + n + 1 >= HW_MAX_VERSION) {
		hw_forget_versions(k->hw);
		ksm_forget_all(k);
	}
	while (b.left && next_page(k, &b) && b.item) {
		b.left--;
		charge(k->hw, COST_KSM_PAGE);
		ksm_cmp_and_merge(k, b.page, b.item);
		leave_mark(k, b.page, b.item);
		lru_put_page(&k->vm->lru, b.page);
		k->pages_scanned++;
	}
	if (k->passed_to)
		catch_up(k);
	unlock_model(k->hw, LOCK_KSM_THREAD, k);
}

void ksm_full_scans(struct ksm *k, u64 n)
{
	u64 goal = k->seqnr + n, batch = k->pages_to_scan ? k->pages_to_scan : 1;

	might_sleep(k->vm->hw);
	while (k->seqnr < goal && !list_empty(&k->vm->ksm.slots) &&
	       k->vm->ksm.run != KSM_RUN_UNMERGE) {
		ksm_do_scan(k, batch);
		if (k->no_memory)
			break;
	}
}

static bool should_run(const struct ksm *k)
{
	return k->vm->ksm.run & KSM_RUN_MERGE && !list_empty(&k->vm->ksm.slots);
}

/* A batch, then sleep; its virtual CPU is its own, so the time goes to nobody else. */
static u64 ksmd_step(void *self, u64 budget)
{
	struct ksm *k = self;
	struct hw_daemon *d = &k->hw->daemons[k->vm->ksm.daemon];
	u64 start = k->hw->now, used;

	(void)budget;
	if (should_run(k))
		ksm_do_scan(k, k->pages_to_scan);
	used = k->hw->now - start;
	k->hw->now = start;
	if (should_run(k))
		d->due = start + used + k->sleep_millisecs * 1000000;
	return 0;
}

/* ---- control ---- */

/* The full scan is given up: what it put into the unstable tree leaves it. */
static void abandon_round(struct ksm *k)
{
	struct mm_slot *slot;

	list_for_each_entry(slot, &k->vm->ksm.slots, mm_list)
		for (struct rmap_item *i = slot->rmap_list; i; i = i->rmap_list)
			if (i->address & KSM_UNSTABLE_FLAG)
				ksm_remove_from_tree(k, i);
}

/* Every KSM page is broken and every item freed. 0 or -ENOMEM: stopped half way. */
static int unmerge_all(struct ksm *k)
{
	struct ksm_registry *reg = &k->vm->ksm;
	struct list_head *node = reg->slots.next, *next;
	int r = 0;

	for (; node != &reg->slots; node = next) {
		struct mm_slot *slot = list_entry(node, struct mm_slot, mm_list);

		enter_slot(k, node);
		mmap_read_lock(k->vm, slot->mm);
		for (struct vm_area_struct *v = slot->mm->mmap; v && !r && !ksm_mm_exiting(slot->mm); v = v->vm_next)
			if (v->vm_flags & VM_MERGEABLE && v->anon_vma)
				r = unmerge_ksm_pages(k->vm, v, v->vm_start, v->vm_end);
		mmap_read_unlock(k->vm, slot->mm);
		if (r)
			goto out;
		remove_trailing_items(k, &slot->rmap_list);
		slot->passed = 0;
		next = node->next;
		enter_slot(k, next);
		if (ksm_mm_exiting(slot->mm))
			ksm_drop_slot(k->vm, slot);
	}
	(void)ksm_remove_all_nodes(k);
	k->seqnr = 0;
out:
	if (r)
		abandon_round(k);
	enter_slot(k, &reg->slots);
	ksm_forget_all(k);
	return r;
}

int ksm_set_run(struct ksm *k, u64 run)
{
	struct ksm_registry *reg = &k->vm->ksm;
	int r = 0;

	might_sleep(k->vm->hw);
	if (run > KSM_RUN_UNMERGE)
		return -EINVAL;
	if (reg->run == run)
		return 0;
	reg->run = (u32)run;
	if (run == KSM_RUN_UNMERGE) {
		lock_model(k->hw, LOCK_KSM_THREAD, k);
		r = unmerge_all(k);
		unlock_model(k->hw, LOCK_KSM_THREAD, k);
		if (r)
			reg->run = KSM_RUN_STOP;
	}
	if (should_run(k) && reg->daemon >= 0)
		clock_wake(k->hw, reg->daemon);
	return r;
}

/* Only without KSM pages: nodes would be in the wrong tree, or too full. */
static int set_without_pages(struct ksm *k, u64 *field, u64 v)
{
	if (*field == v)
		return 0;
	if (k->pages_shared || ksm_remove_all_nodes(k))
		return -EBUSY;
	*field = v;
	return 0;
}

static int set_merge_across_nodes(struct ksm *k, u64 v)
{
	return v > 1 ? -EINVAL : set_without_pages(k, &k->merge_across_nodes, v);
}

static int set_max_page_sharing(struct ksm *k, u64 v)
{
	return v == 1 || v > 0x7fffffff ? -EINVAL : set_without_pages(k, &k->max_page_sharing, v);
}

static const struct {
	const char *name;
	u64 max;
	size_t offset;
	int (*set)(struct ksm *k, u64 v);
} tunables[] = {
	{"run", 2, 0, ksm_set_run},
	{"merge_across_nodes", 1, 0, set_merge_across_nodes},
	{"max_page_sharing", 0x7fffffff, 0, set_max_page_sharing},
	{"pages_to_scan", 0xffffffff, offsetof(struct ksm, pages_to_scan), NULL},
	{"sleep_millisecs", 0xffffffff, offsetof(struct ksm, sleep_millisecs), NULL},
	{"use_zero_pages", 1, offsetof(struct ksm, use_zero_pages), NULL},
	{"smart_scan", 1, offsetof(struct ksm, smart_scan), NULL},
	{"stable_node_chains_prune_millisecs", 0xffffffff,
	 offsetof(struct ksm, stable_node_chains_prune_millisecs), NULL},
};

int ksm_sysctl(struct ksm *k, const char *name, const char *value)
{
	might_sleep(k->vm->hw);
	if (!strncmp(name, "ksm_", 4) || !strncmp(name, "ksm/", 4))
		name += 4;
	else
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(tunables); i++) {
		char *end;
		u64 v;

		if (strcmp(name, tunables[i].name))
			continue;
		errno = 0;
		v = strtoull(value, &end, 10);
		if (*value < '0' || *value > '9' || *end || errno || v > tunables[i].max)
			return -EINVAL;
		ksm_forget_all(k);
		if (tunables[i].set)
			return tunables[i].set(k, v);
		*(u64 *)(void *)((u8 *)k + tunables[i].offset) = v;
		return 0;
	}
	return -ENOENT;
}

void ksm_stats(const struct ksm *k, struct ksm_stats *out)
{
	u64 in_trees = k->pages_shared + k->pages_sharing + k->pages_unshared;

	*out = (struct ksm_stats){
		.pages_shared = k->pages_shared,
		.pages_sharing = k->pages_sharing,
		.pages_unshared = k->pages_unshared,
		.pages_volatile = k->rmap_items > in_trees ? k->rmap_items - in_trees : 0,
		.full_scans = k->seqnr,
		.pages_scanned = k->pages_scanned,
		.pages_skipped = k->pages_skipped,
		.ksm_zero_pages = k->vm->ksm.zero_pages,
		.stable_node_chains = k->stable_node_chains,
		.stable_node_dups = k->stable_node_dups,
	};
}

/* ---- boot ---- */

/* ksmd sleeps between batches whatever the other threads do; with threads=manual it only steps. */
static int start_daemon(struct ksm *k, const struct machine_config *c)
{
	bool manual = c->threads == THREADS_MANUAL;
	int id = manual ? -1 : clock_add_daemon(k->hw, ksmd_step, k, CLOCK_NEVER, 0);

	if (id < 0 && !manual)
		return id;
	k->vm->ksm.daemon = id;
	return ksm_set_run(k, c->ksm_run);
}

struct ksm *ksm_create(struct vm *vm, const struct machine_config *c)
{
	struct ksm *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->vm = vm;
	k->phys = vm->phys;
	k->hw = vm->hw;
	k->pages_to_scan = c->ksm_pages_to_scan;
	k->sleep_millisecs = c->ksm_sleep_millisecs;
	k->merge_across_nodes = c->ksm_merge_across_nodes;
	k->max_page_sharing = c->ksm_max_page_sharing;
	k->use_zero_pages = c->ksm_use_zero_pages;
	k->smart_scan = c->ksm_smart_scan;
	k->stable_node_chains_prune_millisecs = c->ksm_stable_node_chains_prune_millisecs;
	k->volatile_first = c->ksm_volatile_first;
	k->xxhash = c->ksm_checksum == KSM_XXHASH;
	k->by_hash = k->pass_settled = c->ksm_order == KSM_BY_HASH;
	k->stale_ends_search = c->policy == POLICY_4_0;
	k->epoch = 1;
	k->item_cache =
		kmem_cache_create(vm->kmem, "ksm_rmap_item", sizeof(struct rmap_item), 0, 0, NULL);
	k->node_cache = kmem_cache_create(vm->kmem, "ksm_stable_node", sizeof(struct stable_node),
					  0, 0, NULL);
	if (!k->item_cache || !k->node_cache || start_daemon(k, c)) {
		ksm_destroy(k);
		return NULL;
	}
	k->zero_checksum = ksm_checksum(k, pfn_to_page(k->phys, vm->zero_pfn));
	return k;
}

void ksm_destroy(struct ksm *k)
{
	if (!k)
		return;
	ksm_settled_destroy(k);
	ksm_tables_destroy(k);
	free(k);
}
