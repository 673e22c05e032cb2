/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages between RAM and the areas' stores, and the device between them (spec 08 s7, s8).
 *
 * Contents are copied when a request is made; until the device is done a page that is read stays locked
 * and one that is written under write-back. All areas are on one device (swapdev=); without a latency
 * it is done at once, and whoever asked is charged SWAP_READ or SWAP_WRITE.
 * Linux: mm/page_io.c; left out: bios, swap files through a file system.
 */
#include <string.h>

#include "core/backing/swap_internal.h"
#include "core/hw/clock.h"

MM_INLINE void store_write(struct swap *sw, const struct page *p)
{
	swp_entry_t e = page_swp_entry(p);
	struct swap_info_struct *si = page_area(sw, p);
	pfn_t pfn = page_to_pfn(sw->phys, p);

	if (si->tags)
		si->tags[swp_offset(e)] = sw->hw->tags[hw_frame(sw->hw, pfn)];
	else
		memcpy(si->bytes + ((u64)swp_offset(e) << sw->phys->page_shift), hw_pfn_ptr(sw->hw, pfn),
		       1ull << sw->phys->page_shift);
}

MM_INLINE void store_read(struct swap *sw, const struct page *p)
{
	swp_entry_t e = page_swp_entry(p);
	struct swap_info_struct *si = page_area(sw, p);
	pfn_t pfn = page_to_pfn(sw->phys, p);

	hw_frame_changed(sw->hw, pfn);
	if (si->tags)
		sw->hw->tags[hw_frame(sw->hw, pfn)] = si->tags[swp_offset(e)];
	else
		memcpy(hw_pfn_ptr(sw->hw, pfn), si->bytes + ((u64)swp_offset(e) << sw->phys->page_shift),
		       1ull << sw->phys->page_shift);
}

/* ---- the device is done ---- */

MM_INLINE void end_read(struct page *p)
{
	VM_BUG_ON(!PageLocked(p) || PageUptodate(p));
	if (!PageError(p))
		SetPageUptodate(p);
	unlock_page(p);
}

MM_INLINE void end_write(struct swap *sw, struct page *p)
{
	struct zone *z = page_zone(sw->phys, p);

	VM_BUG_ON(!PageWriteback(p));
	if (TestClearPageReclaim(p))
		rotate_reclaimable_page(sw->lru, p);
	ClearPageWriteback(p);
	mod_zone_page_state(z, NR_WRITEBACK, -1);
	mod_zone_page_state(z, NR_WRITTEN, 1);
}

MM_INLINE void end_io(struct swap *sw, u32 frame, bool write)
{
	if (write)
		end_write(sw, frame_to_page(sw->phys, frame));
	else
		end_read(frame_to_page(sw->phys, frame));
}

static void wake_at_next(struct swap *sw)
{
	if (sw->dev.daemon >= 0)
		clock_sleep_until(sw->hw, sw->dev.daemon, blockdev_due(&sw->dev));
}

void swap_complete_io(struct swap *sw)
{
	struct blockdev_io io;

	while (blockdev_next_done(&sw->dev, sw->hw->now, &io))
		end_io(sw, io.frame, io.write);
	wake_at_next(sw);
}

/* One request. Without host memory for the queue it is done at once. */
MM_INLINE void submit(struct swap *sw, const u32 *frames, u32 n, bool write)
{
	struct hw *hw = sw->hw;
	u64 kib = (u64)n << (sw->phys->page_shift - 10), before;

	count_vm_events(hw, hw->cpu, write ? EV_PSWPOUT : EV_PSWPIN, n);
	count_vm_events(hw, hw->cpu, write ? EV_PGPGOUT : EV_PGPGIN, kib);
	if (!blockdev_reserve(&sw->dev, n) && !blockdev_submit(&sw->dev, frames, n, write)) {
		wake_at_next(sw);
		return;
	}
	before = hw->now;
	charge_n(hw, write ? COST_SWAP_WRITE : COST_SWAP_READ, n);
	hw_io_wait(hw, hw->now - before, !write && PageWorkingset(frame_to_page(sw->phys, frames[0])));
	for (u32 i = 0; i < n; i++)
		end_io(sw, frames[i], write);
}

/* ---- requests ---- */

void swap_plug(struct swap *sw)
{
	VM_BUG_ON(sw->plugged);
	sw->plugged = true;
}

/* Whether the pages of two frames have adjacent slots. */
static bool in_a_row(const struct swap *sw, u32 a, u32 b)
{
	return frame_to_page(sw->phys, b)->private == frame_to_page(sw->phys, a)->private + 1;
}

void swap_unplug(struct swap *sw)
{
	u32 first = 0;

	for (u32 i = 0; i < sw->nr_plugged; i++) {
		if (i + 1 < sw->nr_plugged && in_a_row(sw, sw->plug[i], sw->plug[i + 1]))
			continue;
		submit(sw, sw->plug + first, i + 1 - first, false);
		first = i + 1;
	}
	sw->nr_plugged = 0;
	sw->plugged = false;
}

void swap_readpage(struct swap *sw, struct page *p)
{
	u32 frame = page_frame(sw->phys, p);

	VM_BUG_ON(!PageLocked(p) || PageUptodate(p));
	if (MM_UNLIKELY(sw->fail_reads)) {
		sw->fail_reads--;
		SetPageError(p);
	} else {
		store_read(sw, p);
	}
	if (sw->plugged && sw->nr_plugged < SWAP_PLUG_MAX)
		sw->plug[sw->nr_plugged++] = frame;
	else
		submit(sw, &frame, 1, false);
}

int swap_writepage(struct swap *sw, struct page *p)
{
	u32 frame = page_frame(sw->phys, p);

	if (MM_UNLIKELY(page_slot_unused(sw, p)) && try_to_free_swap(sw, p)) {
		unlock_page(p);
		return 0;
	}
	SetPageWriteback(p);
	inc_zone_page_state(sw->phys, p, NR_WRITEBACK);
	unlock_page(p);
	store_write(sw, p);
	submit(sw, &frame, 1, true);
	return 0;
}
