/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages leave the cache because their file gets shorter, or because nobody needs them (spec 14 s6).
 */
#include <errno.h>
#include <string.h>

#include "core/backing/file_io.h"
#include "core/backing/filemap.h"
#include "core/backing/pageio.h"
#include "core/backing/shmem.h"
#include "core/base/bits.h"
#include "core/base/limits.h"

static void truncate_page(struct filemap *fm, struct page *p)
{
	get_page(p);
	BUG_ON(!wait_on_page_locked(fm, p));
	SetPageLocked(p);
	BUG_ON(!wait_on_page_writeback(fm, p) || page_mapped(p));
	delete_from_page_cache(fm, p);
	unlock_page(p);
	lru_put_page(fm->lru, p);
}

/*
 * The rest of a page that is the file's last one now; of shared memory, from its swap slot if need
 * be (without memory it stays as it is, as in Linux). A tag has no parts: it stays.
 */
static void zero_partial_page(struct filemap *fm, struct vm_file *f, u64 size)
{
	u64 page = 1ull << fm->phys->page_shift, rest = size & (page - 1);
	struct page *p = NULL;

	if (!rest)
		return;
	if (f->shmem && !shmem_read_page(fm, f, size >> fm->phys->page_shift, &p) && p) {
		set_page_dirty(fm, p);
		lru_put_page(fm->lru, p); /* the cache's reference remains */
	}
	p = filemap_lookup(fm->phys, f, size >> fm->phys->page_shift);
	if (!p)
		return;
	BUG_ON(!wait_on_page_locked(fm, p) || !wait_on_page_writeback(fm, p));
	hw_frame_changed(fm->hw, page_to_pfn(fm->phys, p));
	if (fm->hw->data_bytes)
		memset((u8 *)hw_pfn_ptr(fm->hw, page_to_pfn(fm->phys, p)) + rest, 0, page - rest);
}

void filemap_zero_tail(struct filemap *fm, struct vm_file *f)
{
	zero_partial_page(fm, f, f->size);
}

/* Everything in the tree from @index to @last goes. */
static void drop_range(struct filemap *fm, struct address_space *m, u64 index, u64 last)
{
	u64 entry;

	for (; (entry = xa_next(&m->pages, &index, last)); index++) {
		if (xa_is_frame(entry)) {
			truncate_page(fm, frame_to_page(fm->phys, xa_frame(entry)));
			continue;
		}
		xa_erase(&m->pages, index);
		m->nrshadows--;
		if (m->kind == MAPPING_TMPFS)
			free_swap_and_cache(fm->swap, shmem_entry_swap(entry));
	}
}

void filemap_truncate(struct filemap *fm, struct vm_file *f, u64 size)
{
	might_sleep(fm->hw);
	if (size < f->size)
		zero_partial_page(fm, f, size);
	else
		filemap_zero_tail(fm, f);
	f->size = size;
	drop_range(fm, &f->mapping, file_pages(fm, f), UINT64_MAX);
	store_truncate(&f->store, fm->hw, size);
}

int filemap_punch(struct filemap *fm, struct vm_file *f, u64 first, u64 last)
{
	u64 end = mm_min(last, FILE_MAX_PAGES) + 1;
	int r = 0;

	might_sleep(fm->hw);
	if (!f->shmem) /* beyond the file there is nothing to clear on the device */
		end = mm_min(end, file_pages(fm, f));
	if (!f->shmem && end > first && end - first > MM_MAX_PUNCH)
		return -ENOSPC;
	drop_range(fm, &f->mapping, first, last);
	for (u64 i = first; !f->shmem && !r && i < end; i++)
		r = store_clear(&f->store, fm->hw, i);
	return r;
}

/* Clean, unlocked, not mapped, and known to the cache and the caller alone. */
static bool invalidate_page(struct filemap *fm, struct page *p)
{
	if (PageDirty(p) || PageWriteback(p) || page_mapped(p) || page_count(p) != 2)
		return false;
	SetPageLocked(p);
	delete_from_page_cache(fm, p);
	unlock_page(p);
	return true;
}

u64 invalidate_mapping_pages(struct filemap *fm, struct address_space *m, u64 first, u64 last)
{
	u64 gone = 0, entry;

	might_sleep(fm->hw);
	for (u64 index = first; (entry = xa_next(&m->pages, &index, last));
	     index++) { /* no file has 2^64 pages */
		struct page *p;

		if (!xa_is_frame(entry))
			continue;
		p = frame_to_page(fm->phys, xa_frame(entry));
		if (PageLocked(p))
			continue;
		get_page(p);
		if (invalidate_page(fm, p))
			gone++;
		else
			deactivate_file_page(fm->lru, p);
		lru_put_page(fm->lru, p);
	}
	return gone;
}

u64 drop_pagecache(struct filemap *fm)
{
	struct vm_file *f;
	u64 gone = 0;

	might_sleep(fm->hw);
	list_for_each_entry (f, &fm->files, all)
		if (f->mapping.nrpages)
			gone += invalidate_mapping_pages(fm, &f->mapping, 0, UINT64_MAX);
	count_vm_event(fm->hw, fm->hw->cpu, EV_DROP_PAGECACHE);
	return gone;
}
