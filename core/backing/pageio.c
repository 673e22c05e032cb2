/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/backing/pageio.h"

#include <errno.h>

#include "core/base/bits.h"
#include "core/hw/clock.h"

void file_inject_error(struct vm_file *f, unsigned kinds, u64 first, u64 last)
{
	f->bad_kinds = (u8)kinds;
	f->bad_first = first;
	f->bad_last = last;
}

static bool injected(const struct vm_file *f, unsigned kind, u64 index)
{
	return MM_UNLIKELY(f->bad_kinds & kind) && index >= f->bad_first && index <= f->bad_last;
}

/* ---- in flight ---- */

static void end_page_read(struct page *p)
{
	VM_BUG_ON(!PageLocked(p) || PageUptodate(p));
	if (!PageError(p))
		SetPageUptodate(p);
	unlock_page(p);
}

static void end_io(struct filemap *fm, const struct blockdev_io *io)
{
	struct page *p = frame_to_page(fm->phys, io->frame);

	if (io->write)
		end_page_writeback(fm, p);
	else
		end_page_read(p);
}

void filemap_complete_io(struct filemap *fm)
{
	struct blockdev_io io;

	while (blockdev_next_done(&fm->disk, fm->hw->now, &io))
		end_io(fm, &io);
	if (fm->disk.daemon >= 0)
		clock_sleep_until(fm->hw, fm->disk.daemon, blockdev_due(&fm->disk));
	swap_complete_io(fm->swap);
}

u64 filemap_io_due(const struct filemap *fm)
{
	return mm_min(blockdev_due(&fm->disk), blockdev_due(&fm->swap->dev));
}

/* Pages that cannot wait in a queue, for want of host memory, are waited for. */
static void submit(struct filemap *fm, const u32 *frames, unsigned n, bool write)
{
	struct blockdev_io io = {.write = write};

	if (!blockdev_submit(&fm->disk, frames, n, write)) {
		clock_sleep_until(fm->hw, fm->disk.daemon, blockdev_due(&fm->disk));
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		io.frame = frames[i];
		end_io(fm, &io);
	}
}

/* The oldest page in flight is done; the clock goes there. @thrashing: that is for a page that was in use. */
static bool wait_io(struct filemap *fm, bool thrashing)
{
	struct hw *hw = fm->hw;
	u64 due = filemap_io_due(fm);
	struct blockdev *dev = due == blockdev_due(&fm->disk) ? &fm->disk : &fm->swap->dev;

	if (due == UINT64_MAX)
		return false;
	if (due > hw->now) {
		dev->waited_ns += due - hw->now;
		hw_io_wait(hw, due - hw->now, thrashing);
		hw->now = due;
	}
	filemap_complete_io(fm);
	return true;
}

bool filemap_wait_io(struct filemap *fm)
{
	return wait_io(fm, false);
}

bool wait_on_page_locked(struct filemap *fm, struct page *p)
{
	bool thrashing = PageWorkingset(p) && !PageUptodate(p);

	while (PageLocked(p))
		if (!wait_io(fm, thrashing))
			return false;
	return true;
}

bool wait_on_page_writeback(struct filemap *fm, struct page *p)
{
	while (PageWriteback(p))
		if (!filemap_wait_io(fm))
			return false;
	return true;
}

/* ---- reading ---- */

void read_pages(struct filemap *fm, struct address_space *m, const u32 *frames, unsigned n)
{
	struct hw *hw = fm->hw;
	unsigned first = 0;

	BUG_ON(blockdev_reserve(&fm->disk, n));
	for (unsigned i = 0; i < n; i++) {
		struct page *p = frame_to_page(fm->phys, frames[i]);

		VM_BUG_ON(!PageLocked(p) || page_mapping(p) != m);
		if (injected(m->host, IO_ERROR_READ, p->index))
			SetPageError(p);
		else
			store_read(&m->host->store, hw, p->index, page_to_pfn(fm->phys, p));
		if (i + 1 < n && frame_to_page(fm->phys, frames[i + 1])->index == p->index + 1)
			continue;
		submit(fm, frames + first, i + 1 - first, false);
		first = i + 1;
	}
	count_vm_events(hw, hw->cpu, EV_PGPGIN, (u64)n << (fm->phys->page_shift - 10));
}

int read_page(struct filemap *fm, struct page *p)
{
	u32 frame = page_frame(fm->phys, p);

	ClearPageError(p); /* of an earlier try */
	read_pages(fm, page_mapping(p), &frame, 1);
	wait_on_page_locked(fm, p);
	return PageUptodate(p) ? 0 : -EIO;
}

/* ---- dirty ---- */

bool set_page_dirty(struct filemap *fm, struct page *p)
{
	struct address_space *m = page_mapping(p);

	if (TestSetPageDirty(p))
		return false;
	if (!m || m->kind != MAPPING_DISK)
		return true;
	xa_tag_set(&m->pages, p->index, XA_DIRTY);
	if (list_empty(&m->dirty_link))
		list_add_tail(&m->dirty_link, &fm->dirty);
	inc_zone_page_state(fm->phys, p, NR_FILE_DIRTY);
	inc_zone_page_state(fm->phys, p, NR_DIRTIED);
	return true;
}

bool clear_page_dirty(struct filemap *fm, struct page *p)
{
	struct address_space *m = page_mapping(p);

	if (!TestClearPageDirty(p))
		return false;
	if (m && m->kind == MAPPING_DISK)
		dec_zone_page_state(fm->phys, p, NR_FILE_DIRTY);
	return true;
}

static void tag_gone(struct address_space *m, u64 index)
{
	xa_tag_clear(&m->pages, index, XA_DIRTY);
	if (!xa_any_tagged(&m->pages, XA_DIRTY))
		list_del(&m->dirty_link);
}

void cancel_dirty_page(struct filemap *fm, struct page *p)
{
	struct address_space *m = page_mapping(p);

	if (clear_page_dirty(fm, p) && m && m->kind == MAPPING_DISK)
		tag_gone(m, p->index);
}

/* ---- writing ---- */

void start_page_writeback(struct filemap *fm, struct page *p)
{
	struct address_space *m = page_mapping(p);

	VM_BUG_ON(!PageLocked(p));
	if (TestSetPageWriteback(p))
		return;
	if (m && m->kind == MAPPING_DISK) {
		xa_tag_set(&m->pages, p->index, XA_WRITEBACK);
		if (!PageDirty(p))
			tag_gone(m, p->index);
	}
	inc_zone_page_state(fm->phys, p, NR_WRITEBACK);
}

void end_page_writeback(struct filemap *fm, struct page *p)
{
	struct address_space *m = page_mapping(p);

	if (TestClearPageReclaim(p))
		rotate_reclaimable_page(fm->lru, p);
	if (!TestClearPageWriteback(p))
		return;
	if (m && m->kind == MAPPING_DISK)
		xa_tag_clear(&m->pages, p->index, XA_WRITEBACK);
	dec_zone_page_state(fm->phys, p, NR_WRITEBACK);
	inc_zone_page_state(fm->phys, p, NR_WRITTEN);
}

/* Contents to the store: what is in flight cannot fail any more. Nothing beyond the end of the
 * file. */
static int store_page(struct filemap *fm, struct address_space *m, struct page *p)
{
	u64 first = p->index << fm->phys->page_shift;
	u64 valid = mm_min(m->host->size > first ? m->host->size - first : 0,
			   1ull << fm->phys->page_shift);
	int r = -EIO;

	if (!injected(m->host, IO_ERROR_WRITE, p->index))
		r = store_write(&m->host->store, fm->hw, p->index, page_to_pfn(fm->phys, p), valid);
	if (r) {
		m->flags |= r == -EIO ? AS_EIO : AS_ENOSPC;
		SetPageError(p);
	}
	return r;
}

int write_pages(struct filemap *fm, struct address_space *m, const u32 *frames, unsigned n)
{
	struct hw *hw = fm->hw;
	int err = 0;

	BUG_ON(blockdev_reserve(&fm->disk, n));
	for (unsigned i = 0; i < n; i++) {
		struct page *p = frame_to_page(fm->phys, frames[i]);
		int r;

		VM_BUG_ON(!PageLocked(p) || PageDirty(p) || m->kind != MAPPING_DISK);
		r = store_page(fm, m, p);
		err = err ? err : r;
		start_page_writeback(fm, p);
		unlock_page(p);
	}
	count_vm_events(hw, hw->cpu, EV_PGPGOUT, (u64)n << (fm->phys->page_shift - 10));
	submit(fm, frames, n, true);
	return err;
}

int write_page(struct filemap *fm, struct page *p)
{
	u32 frame = page_frame(fm->phys, p);

	return write_pages(fm, page_mapping(p), &frame, 1);
}

int mapping_take_error(struct address_space *m)
{
	int r = m->flags & AS_ENOSPC ? -ENOSPC : 0;

	if (m->flags & AS_EIO)
		r = -EIO;
	m->flags &= ~(u32)(AS_EIO | AS_ENOSPC);
	return r;
}
