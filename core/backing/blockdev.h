/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block device as a cost model in virtual time.
 *
 * Terms
 *   request   pages in a row, read or written together.
 *   latency   time from the start of a request to its first page, the same for all.
 *   queue     how many requests the device works on at once; the next one starts when one is done.
 *   bus       pages are transferred one after the other, at `bandwidth`.
 *
 * A device without latency and with unlimited bandwidth is done at once: nothing is ever in flight.
 * Requests finish in the order in which they were submitted. What finishes when is kept in a queue
 * of frames; floor 5's owner of the device takes it out (blockdev_next_done()). Linux: none; stands
 * for the block layer, an elevator and a disk.
 */
#ifndef MEMRIG_BLOCKDEV_H
#define MEMRIG_BLOCKDEV_H

#include "core/hw/hw.h"

#define BLOCKDEV_MAX_DEPTH 256u

struct blockdev_io { /* one page on its way */
	u64 done;
	u32 frame;
	bool write;
};

struct blockdev {
	struct hw *hw;
	u64 latency; /* ns a request */
	u64 page_ns; /* ns a page on the bus */
	u32 depth;   /* requests at once */
	u32 next_slot;
	u64 slot_free[BLOCKDEV_MAX_DEPTH]; /* when each queue slot is done */
	u64 bus_free;
	struct blockdev_io *ring; /* pages in flight, oldest at head */
	u32 cap, head, nr;
	u64 reads, writes, pages_read, pages_written; /* requests and pages so far */
	u64 waited_ns;				      /* virtual time that tasks waited for it */
	int daemon; /* of the clock: finishes what is due; -1: none */
};

/* @mib_s: bandwidth in MiB a second, 0: unlimited; @depth from 1. */
void blockdev_init(struct blockdev *d, struct hw *hw, u64 latency, u64 mib_s, u64 depth);
void blockdev_destroy(struct blockdev *d);

MM_INLINE bool blockdev_at_once(const struct blockdev *d)
{
	return !(d->latency | d->page_ns);
}

/* Room for @pages more in flight. 0 or -ENOMEM. Never fails for a device that is done at once. */
int blockdev_grow(struct blockdev *d, u32 pages); /* blockdev_reserve() when there is no room */
MM_INLINE int blockdev_reserve(struct blockdev *d, u32 pages)
{
	return blockdev_at_once(d) || d->nr + pages <= d->cap ? 0 : blockdev_grow(d, pages);
}

/*
 * A request of @n pages in a row. Done at once: returns true, and the caller finishes the pages
 * itself. Otherwise they are in flight (blockdev_reserve() was called) until virtual time has come.
 */
void blockdev_queue(struct blockdev *d, const u32 *frames, u32 n, bool write); /* what is not done at once */
MM_INLINE bool blockdev_submit(struct blockdev *d, const u32 *frames, u32 n, bool write)
{
	*(write ? &d->writes : &d->reads) += 1;
	*(write ? &d->pages_written : &d->pages_read) += n;
	if (MM_UNLIKELY(!blockdev_at_once(d))) {
		blockdev_queue(d, frames, n, write);
		return false;
	}
	return true;
}

/* The oldest page in flight if it is done by @now; removes it. */
bool blockdev_next_done(struct blockdev *d, u64 now, struct blockdev_io *io);
/* When that will be; UINT64_MAX: nothing is in flight. */
MM_INLINE u64 blockdev_due(const struct blockdev *d)
{
	return d->nr ? d->ring[d->head & (d->cap - 1)].done : UINT64_MAX;
}

#endif
