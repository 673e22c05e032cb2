/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/backing/file_io.h"

#include <errno.h>

#include "core/backing/pageio.h"
#include "core/backing/readahead.h"
#include "core/backing/shmem.h"
#include "core/base/bits.h"
#include "core/phys/page_alloc.h"

#define MAX_TRIES 64u /* to have source and destination in memory at once */
#define COLD_GFP  (GFP_HIGHUSER_MOVABLE | MM_GFP_COLD)

/* First use of a page that was read ahead. */
static void count_use(const struct filemap *fm, struct page *p)
{
	if (TestClearPageOwnerPriv1(p))
		count_vm_event(fm->hw, fm->hw->cpu, EV_RA_PAGES_USED);
}

/*
 * A new page in the cache, locked and not uptodate, with the caller's reference. 0, -ENOMEM, or
 * -EEXIST: another came first.
 */
static int new_page(struct filemap *fm, struct address_space *m, u64 index, gfp_t gfp,
		    struct page **out)
{
	struct page *p;
	int r;

	charge(fm->hw, COST_PAGE_ALLOC);
	p = alloc_page(fm->phys, fm->hw->cpu, gfp);
	if (!p)
		return -ENOMEM;
	r = add_to_page_cache_lru(fm, p, m, index);
	if (r) {
		lru_put_page(fm->lru, p);
		return r;
	}
	*out = p;
	return 0;
}

/* Waits for or repeats the read of @p. 0, or -EIO. */
static int make_uptodate(struct filemap *fm, struct page *p)
{
	if (PageUptodate(p))
		return 0;
	if (!wait_on_page_locked(fm, p))
		return -EIO; /* its writer copies from a mapping of this very page */
	if (PageUptodate(p))
		return 0;
	SetPageLocked(p);
	return read_page(fm, p);
}

/* ---- read ---- */

struct reader {
	struct filemap *fm;
	struct vm_file *f;
	u64 index, last; /* page at hand, page behind the range */
};

/* The page at hand, uptodate and with a reference. 0, -EIO, -ENOMEM. */
static int read_cached(struct reader *r, struct page **out)
{
	struct filemap *fm = r->fm;
	struct address_space *m = &r->f->mapping;
	struct page *p = find_get_page(fm, m, r->index);
	int err;

	count_vm_event(fm->hw, fm->hw->cpu, p ? EV_CACHE_HITS : EV_CACHE_MISSES);
	if (!p) {
		count_vm_event(fm->hw, fm->hw->cpu, EV_FILE_MISSES);
		page_cache_sync_readahead(fm, r->f, r->index, r->last - r->index);
		p = find_get_page(fm, m, r->index);
	}
	while (!p) {
		err = new_page(fm, m, r->index, COLD_GFP, &p);
		if (!err)
			err = read_page(fm, p);
		else if (err == -EEXIST)
			err = (p = find_get_page(fm, m, r->index)) ? 0 : -EAGAIN;
		if (err == -EAGAIN)
			continue;
		if (err) {
			if (p)
				lru_put_page(fm->lru, p);
			return err;
		}
	}
	if (PageReclaim(p))
		page_cache_async_readahead(fm, r->f, p, r->index, r->last - r->index);
	err = make_uptodate(fm, p);
	if (err) {
		lru_put_page(fm->lru, p);
		return err;
	}
	*out = p;
	return 0;
}

/* Bytes of page @index from @offset on that lie before the end of the file. */
static u64 bytes_in_page(const struct filemap *fm, const struct vm_file *f, u64 index, u64 offset)
{
	u64 at = (index << fm->phys->page_shift) + offset;

	return at >= f->size ? 0 : mm_min(f->size - at, (1ull << fm->phys->page_shift) - offset);
}

/*
 * What prev_pos becomes after a read up to @end of the page at @start: the page and the offset in
 * it, which is 0 when all of it was read (so that only a read that stopped within a page can be
 * continued).
 */
static u64 read_end(u64 start, u64 end, u64 page)
{
	return start | (end & (page - 1));
}

/* A cached page that needs nothing but to be marked, for a caller that copies nothing. */
MM_INLINE bool read_hit(struct filemap *fm, struct vm_file *f, u64 pos, u64 len)
{
	const u32 told = 1u << PG_uptodate | 1u << PG_reclaim | 1u << PG_owner_priv_1;
	u64 page = 1ull << fm->phys->page_shift;
	struct page *p;

	if ((pos & (page - 1)) + len > page || f->shmem)
		return false;
	p = filemap_lookup(fm->phys, f, pos >> fm->phys->page_shift);
	if (!p || (p->flags & told) != 1u << PG_uptodate)
		return false;
	count_vm_event(fm->hw, fm->hw->cpu, EV_CACHE_HITS);
	count_vm_event(fm->hw, fm->hw->cpu, EV_FILE_REFERENCES);
	if (pos != f->ra.prev_pos) /* else the last read's continuation: the same access */
		mark_page_accessed(fm->lru, p);
	f->ra.prev_pos = read_end(pos & ~(page - 1), pos + len, page);
	return true;
}

/* The range lies before the end of the file. */
static __attribute__((noinline)) s64 read_range(struct filemap *fm, struct vm_file *f, u64 pos,
						u64 len, const struct file_actor *actor)
{
	unsigned shift = fm->phys->page_shift;
	u64 page = 1ull << shift, done = 0, prev_pos = f->ra.prev_pos;
	struct reader r = {.fm = fm, .f = f, .last = (pos + len + page - 1) >> shift};
	int err = 0;

	while (done < len) {
		struct file_piece piece = {.offset = (pos + done) & (page - 1), .done = done};

		r.index = (pos + done) >> shift;
		count_vm_event(fm->hw, fm->hw->cpu, EV_FILE_REFERENCES);
		err = f->shmem ? shmem_read_page(fm, f, r.index, &piece.page)
			       : read_cached(&r, &piece.page);
		if (err)
			break;
		piece.len = mm_min(len - done, bytes_in_page(fm, f, r.index, piece.offset));
		if (piece.page && pos + done != prev_pos) /* else the same access goes on */
			mark_page_accessed(fm->lru, piece.page);
		if (actor && actor->copy)
			err = actor->copy(actor->self, &piece);
		if (piece.page) {
			count_use(fm, piece.page);
			lru_put_page(fm->lru, piece.page);
		}
		if (err || !piece.len) /* nothing: somebody cut the file */
			break;
		done += piece.len;
		prev_pos = read_end(r.index << shift, piece.offset + piece.len, page);
	}
	f->ra.prev_pos = prev_pos;
	return done ? (s64)done : err;
}

s64 file_read(struct filemap *fm, struct vm_file *f, u64 pos, u64 len,
	      const struct file_actor *actor)
{
	might_sleep(fm->hw);
	if (!(f->mode & FMODE_READ))
		return -EBADF;
	if (pos >= f->size || !len)
		return 0;
	len = mm_min(len, f->size - pos);
	if (!actor && read_hit(fm, f, pos, len))
		return (s64)len;
	return read_range(fm, f, pos, len, actor);
}

/* ---- write ---- */

/*
 * The page to write @len bytes to, locked and with a reference: read first if it has parts below
 * the end of the file that stay.
 */
static int write_begin(struct filemap *fm, struct vm_file *f, u64 index, u64 len, struct page **out)
{
	u64 page = 1ull << fm->phys->page_shift;
	struct page *p;
	int err;

	do {
		p = find_get_page(fm, &f->mapping, index);
		if (p) {
			BUG_ON(!wait_on_page_locked(fm, p));
			SetPageLocked(p);
			break;
		}
		err = new_page(fm, &f->mapping, index, GFP_HIGHUSER_MOVABLE, &p);
		if (err && err != -EEXIST)
			return err;
	} while (err);
	*out = p;
	if (PageUptodate(p) || len == page)
		return 0;
	if (index << fm->phys->page_shift >= f->size) { /* beyond the end: nothing to read */
		hw_clear_frame(fm->hw, page_to_pfn(fm->phys, p));
		return 0;
	}
	count_vm_event(fm->hw, fm->hw->cpu, EV_FILE_MISSES);
	err = read_page(fm, p);
	if (err) {
		lru_put_page(fm->lru, p);
		return err;
	}
	SetPageLocked(p);
	return 0;
}

/* -EAGAIN: the source went away after prefault; what is held must be let go to bring it back. */
static int write_piece(struct filemap *fm, struct vm_file *f, u64 index, struct file_piece *piece,
		       const struct file_actor *actor)
{
	struct page *p;
	int err;

	if (actor && actor->prefault) {
		err = actor->prefault(actor->self, piece->done, piece->len);
		if (err)
			return err;
	}
	err = f->shmem ? shmem_write_page(fm, f, index, &p)
		       : write_begin(fm, f, index, piece->len, &p);
	if (err)
		return err;
	piece->page = p;
	if (actor && actor->copy)
		err = actor->copy(actor->self, piece);
	if (!err) {
		u64 end = (index << fm->phys->page_shift) + piece->offset + piece->len;

		SetPageUptodate(p);
		set_page_dirty(fm, p);
		if (end > f->size)
			f->size = end;
	}
	unlock_page(p);
	mark_page_accessed(fm->lru, p);
	lru_put_page(fm->lru, p);
	return err;
}

s64 file_write(struct filemap *fm, struct vm_file *f, u64 pos, u64 len,
	       const struct file_actor *actor)
{
	unsigned shift = fm->phys->page_shift;
	u64 page = 1ull << shift, done = 0;
	int err = 0;

	might_sleep(fm->hw);
	if (!(f->mode & FMODE_WRITE))
		return -EBADF;
	if (f->mode & FMODE_APPEND)
		pos = f->size;
	if (pos > FILE_MAX_PAGES << shift || len > (FILE_MAX_PAGES << shift) - pos)
		return -EFBIG;
	if (pos > f->size && len)
		filemap_zero_tail(fm, f);
	while (done < len && !err) {
		struct file_piece piece = {.offset = (pos + done) & (page - 1), .done = done};

		piece.len = mm_min(len - done, page - piece.offset);
		count_vm_event(fm->hw, fm->hw->cpu, EV_FILE_REFERENCES);
		for (unsigned i = 0; i < MAX_TRIES; i++) {
			err = write_piece(fm, f, (pos + done) >> shift, &piece, actor);
			if (err != -EAGAIN)
				break;
		}
		if (err)
			break;
		done += piece.len;
		if (actor && actor->wrote)
			actor->wrote(actor->self);
	}
	return done ? (s64)done : err == -EAGAIN ? -EFAULT : err;
}

/* ---- faults ---- */

static unsigned fault_error(int err)
{
	return err == -ENOMEM ? FILE_FAULT_OOM : FILE_FAULT_SIGBUS;
}

/* The page is not cached: read around it, or it alone. */
static int fault_miss(struct filemap *fm, struct vm_file *f, u64 index, unsigned advice,
		      struct page **out)
{
	struct page *p;
	int err;

	mmap_sync_readahead(fm, f, index, advice & FILE_FAULT_SEQ, advice & FILE_FAULT_RAND);
	while (!(p = find_get_page(fm, &f->mapping, index))) {
		err = new_page(fm, &f->mapping, index, COLD_GFP, &p);
		if (err == -EEXIST)
			continue;
		if (err)
			return err;
		err = read_page(fm, p);
		lru_put_page(fm->lru, p);
		if (err)
			return err;
	}
	*out = p;
	return 0;
}

unsigned filemap_fault_slow(struct filemap *fm, struct vm_file *f, u64 index, unsigned advice,
			    struct page **out)
{
	struct page *p;
	unsigned major = 0;
	int err;

	might_sleep(fm->hw);
	if (index >= file_pages(fm, f))
		return FILE_FAULT_SIGBUS;
	if (f->shmem)
		return shmem_fault(fm, f, index, out);
	p = find_get_page(fm, &f->mapping, index);
	count_vm_event(fm->hw, fm->hw->cpu, p ? EV_CACHE_HITS : EV_CACHE_MISSES);
	if (p) {
		mmap_async_readahead(fm, f, p, index, advice & FILE_FAULT_RAND);
	} else {
		major = FILE_FAULT_MAJOR;
		err = fault_miss(fm, f, index, advice, &p);
		if (err)
			return fault_error(err);
	}
	err = make_uptodate(fm, p);
	count_use(fm, p);
	lru_put_page(fm->lru, p); /* the cache's remains */
	if (err)
		return fault_error(err);
	*out = p;
	return major;
}
