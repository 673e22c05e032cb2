/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sleeping on a page flag: virtual time passes until whoever holds it lets go (a device completes,
 * a daemon ends its step). That nobody ever would is a deadlock of ours: BUG. Linux: mm/filemap.c;
 * left out: wait queues (daemons run in the order of the clock), killable waits.
 */
#ifndef MEMRIG_PHYS_PAGE_WAIT_H
#define MEMRIG_PHYS_PAGE_WAIT_H

#include "core/hw/clock.h"
#include "core/phys/page.h"

/* Sleeps while @bit of @p is set; the caller holds a reference. May run daemons. */
void wait_on_page_bit(struct hw *hw, const struct page *p, enum page_flag_bit bit);

MM_INLINE void wait_on_page_locked(struct hw *hw, const struct page *p)
{
	if (MM_UNLIKELY(PageLocked(p)))
		wait_on_page_bit(hw, p, PG_locked);
}

MM_INLINE void wait_on_page_writeback(struct hw *hw, const struct page *p)
{
	if (MM_UNLIKELY(PageWriteback(p)))
		wait_on_page_bit(hw, p, PG_writeback);
}

/* Sleeps until the lock is free and takes it. */
MM_INLINE void lock_page(struct hw *hw, struct page *p)
{
	while (MM_UNLIKELY(!trylock_page(p)))
		wait_on_page_bit(hw, p, PG_locked);
}

#endif
