/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of swap share (core/backing/swap.h is the interface). */
#ifndef MEMRIG_SWAP_INTERNAL_H
#define MEMRIG_SWAP_INTERNAL_H

#include <errno.h>

#include "core/backing/swap.h"

/* Area of @e, or NULL if the entry names no slot. */
MM_INLINE struct swap_info_struct *swap_info_of(const struct swap *sw, swp_entry_t e)
{
	unsigned type = swp_type(e);
	struct swap_info_struct *si = type < MAX_SWAPFILES ? sw->info[type] : NULL;

	return si && swp_offset(e) && swp_offset(e) < si->max ? si : NULL;
}

/* Area of the slot of @p, which is in the cache. */
MM_INLINE struct swap_info_struct *page_area(const struct swap *sw, const struct page *p)
{
	VM_BUG_ON(!PageSwapCache(p) || !swap_info_of(sw, page_swp_entry(p)));
	return sw->info[swp_type(page_swp_entry(p))];
}

/* References to a slot from page tables. */
MM_INLINE u32 slot_count(const struct swap_info_struct *si, u32 offset)
{
	u8 byte = si->swap_map[offset] & (u8)~SWAP_HAS_CACHE;

	if (MM_UNLIKELY(byte & COUNT_CONTINUED))
		return byte == SWAP_MAP_SHMEM ? 1 : SWAP_MAP_MAX + si->continued[offset];
	return byte;
}

/* Nothing refers to the slot and no page caches it. */
void slot_unused(struct swap *sw, struct swap_info_struct *si, u32 offset);

/* The cache takes hold of a slot in use. 0, -EEXIST, -ENOENT: swapcache_prepare(). */
MM_INLINE int slot_hold(struct swap_info_struct *si, u32 offset)
{
	u8 *byte = &si->swap_map[offset];

	if (*byte & SWAP_HAS_CACHE)
		return -EEXIST;
	if (!*byte || *byte == SWAP_MAP_BAD)
		return -ENOENT;
	*byte |= SWAP_HAS_CACHE;
	return 0;
}

/* No page table refers to the slot of @p, which is in the cache. */
MM_INLINE bool page_slot_unused(const struct swap *sw, const struct page *p)
{
	return !slot_count(page_area(sw, p), swp_offset(page_swp_entry(p)));
}

/* The cache's hold on a slot ends. */
MM_INLINE void slot_uncache(struct swap *sw, struct swap_info_struct *si, u32 offset)
{
	u8 *byte = &si->swap_map[offset];

	BUG_ON(!(*byte & SWAP_HAS_CACHE));
	*byte &= (u8)~SWAP_HAS_CACHE;
	if (!*byte)
		slot_unused(sw, si, offset);
}

/* Reads a locked page of the cache; it is unlocked when the device is done. Counts pswpin. */
void swap_readpage(struct swap *sw, struct page *p);

/* Between these reads wait, so that adjacent slots go to the device in one request. */
void swap_plug(struct swap *sw);
void swap_unplug(struct swap *sw);

#endif
