/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/backing/shmem.h"

#include <errno.h>

#include "core/backing/file_io.h"
#include "core/backing/pageio.h"
#include "core/phys/page_alloc.h"

/* A zeroed page in a hole: locked, with the caller's reference. 0 or -ENOMEM. */
static int fill_hole(struct filemap *fm, struct vm_file *f, u64 index, struct page **out)
{
	struct page *p;
	int err;

	charge(fm->hw, COST_PAGE_ALLOC);
	p = lru_charge(fm->lru) ? alloc_page(fm->phys, fm->hw->cpu, GFP_HIGHUSER_MOVABLE) : NULL;
	if (!p)
		return -ENOMEM;
	SetPageSwapBacked(p);
	err = add_to_page_cache_lru(fm, p, &f->mapping, index);
	if (err) {
		lru_put_page(fm->lru, p);
		return err;
	}
	hw_clear_frame(fm->hw, page_to_pfn(fm->phys, p));
	SetPageUptodate(p);
	*out = p;
	return 0;
}

/* The page of slot @e back into the file: locked, with a reference. 0, -EIO, -ENOMEM, -EAGAIN. */
static int swap_in(struct filemap *fm, struct vm_file *f, u64 index, swp_entry_t e, bool *major,
		   struct page **out)
{
	struct swap *sw = fm->swap;
	struct page *p = lookup_swap_cache(sw, e);
	int err = -EIO;

	if (!p) {
		*major = true;
		p = swapin_readahead(sw, e, GFP_HIGHUSER_MOVABLE);
		if (!p) /* no memory, unless it came back by another way */
			return xa_load(&f->mapping.pages, index) == shmem_swap_entry(e) ? -ENOMEM
											: -EAGAIN;
	}
	BUG_ON(!wait_on_page_locked(fm, p));
	SetPageLocked(p);
	if (xa_load(&f->mapping.pages, index) != shmem_swap_entry(e) || !PageSwapCache(p))
		err = -EAGAIN;
	else if (PageUptodate(p) && wait_on_page_writeback(fm, p))
		err = add_to_page_cache_locked(fm, p, &f->mapping, index, NULL);
	if (err) {
		unlock_page(p);
		lru_put_page(fm->lru, p);
		return err;
	}
	delete_from_swap_cache(sw, p);
	set_page_dirty(fm, p);
	swap_free(sw, e);
	*out = p;
	return 0;
}

enum { GET_READ, GET_FAULT, GET_WRITE };

/* Locked and with a reference; NULL: a hole, for GET_READ. */
static int get_shmem_page(struct filemap *fm, struct vm_file *f, u64 index, int how, bool *major,
			  struct page **out)
{
	int err;

	do {
		u64 entry = xa_load(&f->mapping.pages, index);

		*out = NULL;
		err = 0;
		if (xa_is_frame(entry)) {
			struct page *p = frame_to_page(fm->phys, xa_frame(entry));

			get_page(p);
			BUG_ON(!wait_on_page_locked(fm, p));
			SetPageLocked(p);
			*out = p;
		} else if (entry) {
			err = swap_in(fm, f, index, shmem_entry_swap(entry), major, out);
		} else if (how != GET_READ) {
			err = fill_hole(fm, f, index, out);
		}
	} while (err == -EAGAIN || err == -EEXIST);
	return err;
}

int shmem_read_page(struct filemap *fm, struct vm_file *f, u64 index, struct page **out)
{
	bool major = false;
	int err = get_shmem_page(fm, f, index, GET_READ, &major, out);

	count_vm_events(fm->hw, fm->hw->cpu, EV_FILE_MISSES, major);
	if (!err && *out)
		unlock_page(*out);
	return err;
}

int shmem_write_page(struct filemap *fm, struct vm_file *f, u64 index, struct page **out)
{
	bool major = false;
	int err = get_shmem_page(fm, f, index, GET_WRITE, &major, out);

	count_vm_events(fm->hw, fm->hw->cpu, EV_FILE_MISSES, major);
	return err;
}

unsigned shmem_fault(struct filemap *fm, struct vm_file *f, u64 index, struct page **out)
{
	bool major = false;
	int err = get_shmem_page(fm, f, index, GET_FAULT, &major, out);

	if (err)
		return err == -ENOMEM ? FILE_FAULT_OOM : FILE_FAULT_SIGBUS;
	unlock_page(*out);
	lru_put_page(fm->lru, *out);
	return major ? FILE_FAULT_MAJOR : 0;
}

void shmem_swapin_range(struct filemap *fm, struct vm_file *f, u64 first, u64 last)
{
	u64 entry;

	for (u64 i = first; (entry = xa_next(&f->mapping.pages, &i, last)); i++) {
		struct page *p;

		if (!xa_is_value(entry))
			continue;
		p = read_swap_cache_async(fm->swap, shmem_entry_swap(entry), GFP_HIGHUSER_MOVABLE);
		if (p)
			lru_put_page(fm->lru, p);
	}
}

bool shmem_writepage(struct filemap *fm, struct page *p)
{
	swp_entry_t e = get_swap_page(fm->swap);

	VM_BUG_ON(!PageLocked(p) || page_mapped(p));
	if (!e.v || add_to_swap_cache(fm->swap, p, e)) {
		if (e.v)
			swapcache_free(fm->swap, e);
		set_page_dirty(fm, p);
		return false;
	}
	swap_shmem_alloc(fm->swap, e);
	page_cache_leave(fm, p, shmem_swap_entry(e));
	lru_put_page(fm->lru, p);
	swap_writepage(fm->swap, p);
	return true;
}
