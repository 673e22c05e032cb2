/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/backing/blockdev.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bits.h"

void blockdev_init(struct blockdev *d, struct hw *hw, u64 latency, u64 mib_s, u64 depth)
{
	u64 page = 1ull << hw->page_shift;

	*d = (struct blockdev){.hw = hw, .latency = latency, .daemon = -1};
	d->depth = (u32)mm_clamp(depth, 1, BLOCKDEV_MAX_DEPTH);
	d->page_ns = mib_s ? page * 1000000000ull / (mib_s * MiB) : 0;
}

void blockdev_destroy(struct blockdev *d)
{
	free(d->ring);
	d->ring = NULL;
	d->cap = d->nr = 0;
}

int blockdev_grow(struct blockdev *d, u32 pages)
{
	struct blockdev_io *ring;
	u32 cap = d->cap ? d->cap : 64;

	while (cap < d->nr + pages)
		cap *= 2;
	ring = malloc(cap * sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	for (u32 i = 0; i < d->nr; i++)
		ring[i] = d->ring[(d->head + i) & (d->cap - 1)];
	free(d->ring);
	d->ring = ring;
	d->cap = cap;
	d->head = 0;
	return 0;
}

void blockdev_queue(struct blockdev *d, const u32 *frames, u32 n, bool write)
{
	u64 start, done;

	BUG_ON(d->nr + n > d->cap);
	start = mm_max(d->hw->now, d->slot_free[d->next_slot]);
	done = mm_max(start + d->latency, d->bus_free);
	for (u32 i = 0; i < n; i++) {
		done += d->page_ns;
		d->ring[(d->head + d->nr++) & (d->cap - 1)] =
			(struct blockdev_io){done, frames[i], write};
	}
	d->slot_free[d->next_slot] = d->bus_free = done;
	d->next_slot = (d->next_slot + 1) % d->depth;
}

bool blockdev_next_done(struct blockdev *d, u64 now, struct blockdev_io *io)
{
	if (blockdev_due(d) > now || !d->nr)
		return false;
	*io = d->ring[d->head & (d->cap - 1)];
	d->head++;
	d->nr--;
	return true;
}
