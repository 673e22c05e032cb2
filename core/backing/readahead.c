/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/backing/readahead.h"

#include <errno.h>

#include "core/backing/pageio.h"
#include "core/base/bits.h"
#include "core/phys/page_alloc.h"

#define RA_GFP	     (GFP_HIGHUSER_MOVABLE | MM_GFP_COLD | MM_GFP_NORETRY | MM_GFP_NOWARN)
#define FORCED_BYTES (2 * MiB) /* most that a forced read-ahead reads */
#define MAX_CHUNK    (FORCED_BYTES >> 12)

/* First window for a read of @req pages. */
static u64 init_size(u64 req, u64 max)
{
	u64 p = 1ull << mm_fls(req - 1); /* rounded up to a power of two */

	if (p <= max / 32)
		return p * 4;
	return p <= max / 4 ? p * 2 : max;
}

static u64 next_size(u64 size, u64 max)
{
	return mm_min(size < max / 16 ? size * 4 : size * 2, max);
}

/* ---- submission ---- */

/* Pages that are new to the cache join it in order; then all are read together. */
static void read_batch(struct filemap *fm, struct vm_file *f, const u32 *frames, const u64 *index,
		       unsigned n)
{
	u32 added[MAX_CHUNK];
	unsigned nr = 0;

	for (unsigned i = 0; i < n; i++) {
		struct page *p = frame_to_page(fm->phys, frames[i]);

		if (add_to_page_cache_lru(fm, p, &f->mapping, index[i])) {
			ClearPageReclaim(p);
			lru_put_page(fm->lru, p);
			continue;
		}
		SetPageOwnerPriv1(p); /* not used yet: file_io.c */
		added[nr++] = frames[i];
	}
	if (nr)
		read_pages(fm, &f->mapping, added, nr);
	for (unsigned i = 0; i < nr; i++)
		lru_put_page(fm->lru, frame_to_page(fm->phys, added[i]));
	count_vm_events(fm->hw, fm->hw->cpu, EV_RA_PAGES_READ, nr);
}

/*
 * Reads what is not cached of [start, start + nr), up to the end of the file; the new page
 * @lookahead before the end gets the marker. At most MAX_CHUNK pages.
 */
static void do_readahead(struct filemap *fm, struct vm_file *f, u64 start, u64 nr, u64 lookahead)
{
	u32 frames[MAX_CHUNK];
	u64 at[MAX_CHUNK], end = file_pages(fm, f);
	unsigned n = 0;

	VM_BUG_ON(nr > MAX_CHUNK);
	for (u64 i = 0; i < nr && start + i < end; i++) {
		struct page *p;

		if (filemap_lookup(fm->phys, f, start + i))
			continue;
		charge(fm->hw, COST_PAGE_ALLOC);
		p = alloc_page(fm->phys, fm->hw->cpu, RA_GFP);
		if (!p)
			break;
		if (i == nr - lookahead)
			SetPageReclaim(p); /* PG_readahead */
		frames[n] = page_frame(fm->phys, p);
		at[n++] = start + i;
	}
	if (n)
		read_batch(fm, f, frames, at, n);
}

static void submit(struct filemap *fm, struct vm_file *f)
{
	do_readahead(fm, f, f->ra.start, f->ra.size, f->ra.async_size);
}

int force_page_cache_readahead(struct filemap *fm, struct vm_file *f, u64 index, u64 nr)
{
	u64 most = FORCED_BYTES >> fm->phys->page_shift;

	if (f->shmem)
		return -EINVAL;
	do_readahead(fm, f, index, mm_min(nr, most), 0);
	return 0;
}

/* ---- decision ---- */

/* First index from @index on that is not cached, but not beyond @max of them. */
static u64 next_hole(const struct filemap *fm, const struct vm_file *f, u64 index, u64 max)
{
	for (u64 i = 0; i < max && filemap_lookup(fm->phys, f, index); i++)
		index++;
	return index;
}

/* Cached pages directly before @index, at most @max. */
static u64 history(const struct filemap *fm, const struct vm_file *f, u64 index, u64 max)
{
	u64 n = 0;

	while (n < max && n < index && filemap_lookup(fm->phys, f, index - 1 - n))
		n++;
	return n;
}

/* Cached pages in front of the reader betray a stream whose state is lost. */
static bool try_context(const struct filemap *fm, struct vm_file *f, u64 index, u64 req, u64 max)
{
	u64 size = history(fm, f, index, max);

	if (size <= req)
		return false;
	if (size >= index) /* from the start of the file: likely to go on to its end */
		size *= 2;
	f->ra.start = index;
	f->ra.size = mm_min(size + req, max);
	f->ra.async_size = 1;
	return true;
}

enum { RA_NOTHING, RA_INITIAL, RA_WINDOW, RA_RANDOM };

/* Moves the state to the next window, or says what to do instead. */
static int decide(const struct filemap *fm, struct vm_file *f, bool hit_marker, u64 index, u64 req)
{
	struct file_ra_state *ra = &f->ra;
	u64 max = ra->ra_pages;

	if (!index)
		return RA_INITIAL;
	if (index == ra->start + ra->size - ra->async_size || index == ra->start + ra->size) {
		ra->start += ra->size;
		ra->size = ra->async_size = next_size(ra->size, max);
		return RA_WINDOW;
	}
	if (hit_marker) { /* interleaved streams: the marker is somebody else's */
		u64 start = next_hole(fm, f, index + 1, max);

		if (start - index > max)
			return RA_NOTHING;
		ra->start = start;
		ra->size = ra->async_size = next_size(start - index + req, max);
		return RA_WINDOW;
	}
	if (req > max || index - (ra->prev_pos >> fm->phys->page_shift) <= 1)
		return RA_INITIAL;
	return try_context(fm, f, index, req, max) ? RA_WINDOW : RA_RANDOM;
}

static void ondemand(struct filemap *fm, struct vm_file *f, bool hit_marker, u64 index, u64 req)
{
	struct file_ra_state *ra = &f->ra;

	switch (decide(fm, f, hit_marker, index, req)) {
	case RA_NOTHING:
		return;
	case RA_RANDOM:
		do_readahead(fm, f, index, req, 0);
		return;
	case RA_INITIAL:
		ra->start = index;
		ra->size = init_size(req, ra->ra_pages);
		ra->async_size = ra->size > req ? ra->size - req : ra->size;
		break;
	default:
		break;
	}
	/* The window's first page would be its own marker: join it with the one after. */
	if (index == ra->start && ra->size == ra->async_size) {
		ra->async_size = next_size(ra->size, ra->ra_pages);
		ra->size += ra->async_size;
	}
	submit(fm, f);
}

void page_cache_sync_readahead(struct filemap *fm, struct vm_file *f, u64 index, u64 req)
{
	if (!f->ra.ra_pages)
		return;
	if (f->mode & FMODE_RANDOM)
		force_page_cache_readahead(fm, f, index, req);
	else
		ondemand(fm, f, false, index, req);
}

void page_cache_async_readahead(struct filemap *fm, struct vm_file *f, struct page *p, u64 index,
				u64 req)
{
	if (!f->ra.ra_pages || PageWriteback(p)) /* there the bit means reclaim */
		return;
	ClearPageReclaim(p);
	count_vm_event(fm->hw, fm->hw->cpu, EV_READAHEAD_MARKER_HITS);
	ondemand(fm, f, true, index, req);
}

/* ---- faults ---- */

void mmap_sync_readahead(struct filemap *fm, struct vm_file *f, u64 index, bool seq, bool rand)
{
	struct file_ra_state *ra = &f->ra;

	if (rand || !ra->ra_pages)
		return;
	if (seq) {
		page_cache_sync_readahead(fm, f, index, ra->ra_pages);
		return;
	}
	if (ra->mmap_miss < MMAP_LOTSAMISS * 10)
		ra->mmap_miss++;
	if (ra->mmap_miss > MMAP_LOTSAMISS) /* faults that nothing around helps */
		return;
	ra->start = index > ra->ra_pages / 2 ? index - ra->ra_pages / 2 : 0;
	ra->size = ra->ra_pages;
	ra->async_size = ra->ra_pages / 4;
	submit(fm, f);
}

void mmap_async_readahead(struct filemap *fm, struct vm_file *f, struct page *p, u64 index,
			  bool rand)
{
	if (rand)
		return;
	if (f->ra.mmap_miss)
		f->ra.mmap_miss--;
	if (MM_UNLIKELY(PageReclaim(p)))
		page_cache_async_readahead(fm, f, p, index, f->ra.ra_pages);
}
