/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/backing/filemap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/backing/pageio.h"
#include "core/base/hash.h"
#include "core/hw/clock.h"
#include "core/phys/page_alloc.h"

#define RA_BYTES   (128 * KiB) /* largest read-ahead window of a new file */
#define TABLE_BITS 8

/* ---- boot ---- */

static u64 io_daemon(void *self, u64 budget_ns)
{
	(void)budget_ns; /* the device has a processor of its own */
	filemap_complete_io(self);
	return 0;
}

int filemap_init(struct filemap *fm, struct kmem *kmem, struct lru *lru, struct swap *swap,
		 struct workingset *ws, const struct machine_config *c)
{
	*fm = (struct filemap){.phys = kmem->phys,
			       .hw = kmem->hw,
			       .lru = lru,
			       .swap = swap,
			       .ws = ws,
			       .id_bits = TABLE_BITS};
	list_init(&fm->files);
	list_init(&fm->dirty);
	list_init(&fm->shadow_nodes.head);
	fm->ra_pages = (u32)(RA_BYTES >> fm->phys->page_shift);
	blockdev_init(&fm->disk, fm->hw, c->disk, c->disk_bandwidth, c->disk_queue);
	if (!blockdev_at_once(&fm->disk)) {
		fm->disk.daemon = clock_add_daemon(fm->hw, io_daemon, fm, CLOCK_NEVER, 0);
		if (fm->disk.daemon < 0)
			return -ENOMEM;
	}
	fm->nodes = kmem_cache_create(kmem, "radix_tree_node", sizeof(struct xa_node), 0,
				      SLAB_RECLAIM_ACCOUNT, NULL);
	fm->by_id = calloc(1u << TABLE_BITS, sizeof(*fm->by_id));
	return fm->by_id && fm->nodes ? 0 : -ENOMEM;
}

static void *node_alloc(void *self)
{
	struct filemap *fm = self;

	return kmem_cache_zalloc(fm->nodes, fm->hw->cpu, GFP_NOFS);
}

static void node_free(void *self, void *node)
{
	struct filemap *fm = self;

	kmem_cache_free(fm->nodes, fm->hw->cpu, node);
}

static const struct xa_ops arena_nodes = {node_alloc, node_free};

/* ---- adding ---- */

int add_to_page_cache_locked(struct filemap *fm, struct page *p, struct address_space *m, u64 index,
			     u64 *shadow)
{
	struct xa_pos pos;
	u64 old;

	VM_BUG_ON(!PageLocked(p));
	if (xa_reserve(&m->pages, index, &pos))
		return -ENOMEM;
	old = xa_entry(&pos);
	if (xa_is_frame(old))
		return -EEXIST;
	if (shadow)
		*shadow = old & ~XA_VALUE;
	lock_model(fm->hw, LOCK_TREE, m);
	m->nrshadows -= old != 0;
	get_page(p);
	p->mapping = (u64)(uintptr_t)m;
	p->index = index;
	xa_set(&m->pages, &pos, xa_frame_entry(page_frame(fm->phys, p)));
	m->nrpages++;
	inc_zone_page_state(fm->phys, p, NR_FILE_PAGES);
	if (PageSwapBacked(p))
		inc_zone_page_state(fm->phys, p, NR_SHMEM);
	unlock_model(fm->hw, LOCK_TREE, m);
	return 0;
}

int add_to_page_cache_lru(struct filemap *fm, struct page *p, struct address_space *m, u64 index)
{
	u64 shadow = 0;
	int r;

	might_sleep(fm->hw);
	if (MM_UNLIKELY(!lru_charge(fm->lru)))
		return -ENOMEM;
	SetPageLocked(p);
	r = add_to_page_cache_locked(fm, p, m, index, &shadow);
	if (r) {
		ClearPageLocked(p);
		return r;
	}
	if (shadow)
		workingset_return(fm->ws, p, shadow);
	lru_cache_add(fm->lru, p);
	return 0;
}

/* ---- removing ---- */

MM_INLINE void leave(struct filemap *fm, struct page *p, u64 entry)
{
	struct address_space *m = page_mapping(p);
	struct xa_pos pos;

	VM_BUG_ON(!PageLocked(p) || PageWriteback(p) || page_mapped(p));
	if (PageDirty(p))
		cancel_dirty_page(fm, p);
	ClearPageOwnerPriv1(p);
	BUG_ON(!xa_find(&m->pages, p->index, &pos) ||
	       xa_entry(&pos) != xa_frame_entry(page_frame(fm->phys, p)));
	lock_model(fm->hw, LOCK_TREE, m);
	if (entry)
		xa_frame_to_value(&m->pages, &pos, entry);
	else
		xa_set(&m->pages, &pos, 0);
	unlock_model(fm->hw, LOCK_TREE, m);
	m->nrpages--;
	m->nrshadows += entry != 0;
	p->mapping = 0; /* the index stays */
	dec_zone_page_state(fm->phys, p, NR_FILE_PAGES);
	if (PageSwapBacked(p))
		dec_zone_page_state(fm->phys, p, NR_SHMEM);
}

void page_cache_leave(struct filemap *fm, struct page *p, u64 entry)
{
	leave(fm, p, entry);
}

void delete_from_page_cache(struct filemap *fm, struct page *p)
{
	leave(fm, p, 0);
	lru_put_page(fm->lru, p);
}

void page_cache_remove_frozen(struct filemap *fm, struct page *p, u64 shadow)
{
	VM_BUG_ON(page_count(p) || PageDirty(p));
	leave(fm, p, shadow ? XA_VALUE | shadow : 0);
}

void page_cache_replace(struct filemap *fm, struct page *from, struct page *to)
{
	struct address_space *m = page_mapping(from);
	struct xa_pos pos;

	VM_BUG_ON(!PageLocked(from) || !PageLocked(to));
	BUG_ON(!xa_find(&m->pages, from->index, &pos) ||
	       xa_entry(&pos) != xa_frame_entry(page_frame(fm->phys, from)));
	lock_model(fm->hw, LOCK_TREE, m);
	xa_set(&m->pages, &pos, xa_frame_entry(page_frame(fm->phys, to)));
	unlock_model(fm->hw, LOCK_TREE, m);
	get_page(to);
	to->mapping = from->mapping;
	to->index = from->index;
	if (PageSwapBacked(from))
		SetPageSwapBacked(to);
	from->mapping = 0;
	from->_count--; /* the cache's reference; the caller has another */
	VM_BUG_ON(from->_count <= 0);
	inc_zone_page_state(fm->phys, to, NR_FILE_PAGES);
	dec_zone_page_state(fm->phys, from, NR_FILE_PAGES);
	if (PageSwapBacked(from)) {
		inc_zone_page_state(fm->phys, to, NR_SHMEM);
		dec_zone_page_state(fm->phys, from, NR_SHMEM);
	}
}

void page_cache_drop_shadows(struct filemap *fm, struct xa_node *leaf)
{
	struct address_space *m = container_of(leaf->tree, struct address_space, pages);
	u64 index = leaf->leaf << XA_SHIFT;
	struct xa_pos pos = {.node = leaf};

	(void)fm;
	BUG_ON(leaf->count != leaf->nr_values);
	for (unsigned left = leaf->count; left; pos.slot++) {
		VM_BUG_ON(pos.slot >= XA_SLOTS || xa_leaf(&m->pages, index) != leaf);
		if (!xa_entry(&pos))
			continue;
		left--;
		m->nrshadows--;
		xa_set(&m->pages, &pos, 0);
	}
}

/* ---- files ---- */

static struct vm_file *file_new(struct filemap *fm, u64 id, u64 size, bool shmem)
{
	struct vm_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->id = id;
	f->size = size;
	f->shmem = shmem;
	f->refs = 1;
	f->mode = FMODE_READ | FMODE_WRITE;
	f->ra = (struct file_ra_state){.ra_pages = shmem ? 0 : fm->ra_pages,
				       .prev_pos = UINT64_MAX};
	f->mapping.kind = shmem ? MAPPING_TMPFS : MAPPING_DISK;
	f->mapping.host = f;
	xa_init(&f->mapping.pages, &arena_nodes, fm, shmem ? NULL : &fm->shadow_nodes);
	list_init(&f->mapping.dirty_link);
	store_init(&f->store, id, shmem ? 0 : size);
	list_add_tail(&f->all, &fm->files);
	return f;
}

/* Open addressing with linear probing. */
static struct vm_file **id_slot(const struct filemap *fm, u64 id)
{
	u32 mask = (1u << fm->id_bits) - 1, i = hash_u64(id + 1, fm->id_bits);

	while (fm->by_id[i] && fm->by_id[i]->id != id)
		i = (i + 1) & mask;
	return &fm->by_id[i];
}

/* Those behind the hole move up, so that searches still find them. */
static void forget_name(struct filemap *fm, struct vm_file *f)
{
	u32 mask = (1u << fm->id_bits) - 1, i = (u32)(id_slot(fm, f->id) - fm->by_id);

	fm->by_id[i] = NULL;
	fm->nr_named--;
	f->named = false;
	for (i = (i + 1) & mask; fm->by_id[i]; i = (i + 1) & mask) {
		struct vm_file *moved = fm->by_id[i];

		fm->by_id[i] = NULL;
		*id_slot(fm, moved->id) = moved;
	}
}

static void file_free(struct filemap *fm, struct vm_file *f)
{
	f->mapping.flags |= AS_EXITING;
	filemap_truncate(fm, f, 0);
	VM_BUG_ON(f->mapping.nrpages || f->mapping.nrshadows ||
		  !list_empty(&f->mapping.dirty_link));
	xa_destroy(&f->mapping.pages);
	store_destroy(&f->store, fm->hw);
	if (f->named)
		forget_name(fm, f);
	list_del(&f->all);
	free(f);
}

/* Everything in the arena goes with it: only host memory is given back. */
void filemap_destroy(struct filemap *fm)
{
	struct vm_file *f, *tmp;

	if (!fm->files.next)
		return;
	list_for_each_entry_safe (f, tmp, &fm->files, all) {
		free(f->mapping.pages.dir);
		store_destroy(&f->store, fm->hw);
		free(f);
	}
	blockdev_destroy(&fm->disk);
	free(fm->by_id);
	fm->by_id = NULL;
	list_init(&fm->files);
}

static int grow_table(struct filemap *fm)
{
	struct vm_file **old = fm->by_id, *f;

	if (fm->nr_named * 2 < 1u << fm->id_bits)
		return 0;
	fm->by_id = calloc(2u << fm->id_bits, sizeof(*fm->by_id));
	if (!fm->by_id) {
		fm->by_id = old;
		return -ENOMEM;
	}
	fm->id_bits++;
	free(old);
	list_for_each_entry (f, &fm->files, all)
		if (f->named)
			*id_slot(fm, f->id) = f;
	return 0;
}

struct vm_file *filemap_open(struct filemap *fm, u64 id, u64 size, bool shmem)
{
	struct vm_file *f = *id_slot(fm, id);

	if (f) {
		if (size > f->size) {
			if (!shmem && f->store.original == f->size)
				f->store.original = size;
			f->size = size;
		}
		return f;
	}
	if (grow_table(fm))
		return NULL;
	f = file_new(fm, id, size, shmem);
	if (!f)
		return NULL;
	f->named = true;
	fm->nr_named++;
	*id_slot(fm, id) = f;
	return f;
}

struct vm_file *filemap_peek(const struct filemap *fm, u64 id)
{
	return *id_slot(fm, id);
}

struct vm_file *filemap_find(struct filemap *fm, u64 id)
{
	struct vm_file *f = *id_slot(fm, id);

	return f ? f : filemap_open(fm, id, 0, false);
}

struct vm_file *filemap_shmem(struct filemap *fm, u64 size)
{
	return file_new(fm, 0, size, true);
}

void filemap_get(struct vm_file *f)
{
	f->refs++;
}

void filemap_put(struct filemap *fm, struct vm_file *f)
{
	VM_BUG_ON(!f->refs);
	if (!--f->refs)
		file_free(fm, f);
}

void filemap_unlink(struct filemap *fm, struct vm_file *f)
{
	VM_BUG_ON(!f->named || f->unlinked);
	f->unlinked = true;
	filemap_put(fm, f);
}
