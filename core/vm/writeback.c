/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vm/writeback.h"

#include <errno.h>

#include "core/backing/pageio.h"
#include "core/base/bits.h"
#include "core/hw/clock.h"
#include "core/vm/rmap.h"

#define BATCH 64u /* pages of one request, and of one look at the thresholds */

/* ---- thresholds ---- */

static u64 zone_dirtyable(const struct vm *vm, const struct zone *z)
{
	s64 pages = zone_page_state(z, NR_FREE_PAGES) + zone_page_state(z, NR_INACTIVE_FILE) +
		    zone_page_state(z, NR_ACTIVE_FILE) - (s64)z->dirty_balance_reserve;

	(void)vm;
	return pages > 0 ? (u64)pages : 0;
}

static u64 global_dirtyable(const struct vm *vm)
{
	u64 sum = 0;

	for (unsigned i = 0; i < vm->phys->nr_zones; i++) {
		const struct zone *z = &vm->phys->zones[i];

		if (vm->highmem_is_dirtyable || !zone_is_highmem(z))
			sum += zone_dirtyable(vm, z);
	}
	return sum + 1;
}

void global_dirty_limits(const struct vm *vm, u64 *background, u64 *dirty)
{
	u64 pages = global_dirtyable(vm);

	*dirty = pages * vm->dirty_ratio / 100;
	*background = pages * vm->dirty_background_ratio / 100;
	if (*background >= *dirty)
		*background = *dirty / 2;
}

static u64 nr_dirty(const struct vm *vm)
{
	return (u64)global_page_state(vm->phys, NR_FILE_DIRTY);
}

/* ---- one page, one file ---- */

bool clear_page_dirty_for_io(struct vm *vm, struct page *p)
{
	VM_BUG_ON(!PageLocked(p));
	if (page_mapping(p) && page_mapcount(p) && page_mkclean(vm, p))
		set_page_dirty(&vm->files, p);
	return clear_page_dirty(&vm->files, p);
}

struct batch {
	u32 frames[BATCH];
	unsigned n;
	u64 next; /* index that would join */
};

static void flush_batch(struct vm *vm, struct address_space *m, struct batch *b)
{
	if (b->n)
		write_pages(&vm->files, m, b->frames, b->n);
	b->n = 0;
}

/*
 * Writes up to @nr dirty pages [*index, last] of @m, in requests of adjacent ones. Pages under
 * write-back are waited for with @wait, else left for later. *@index ends behind the last one seen.
 */
static u64 write_range(struct vm *vm, struct address_space *m, u64 *index, u64 last, u64 nr,
		       bool wait)
{
	struct batch b = {.n = 0};
	u64 written = 0, entry;

	for (; written < nr && (entry = xa_next_tagged(&m->pages, index, last, XA_DIRTY));
	     ++*index) {
		struct page *p = frame_to_page(vm->phys, xa_frame(entry));

		if (b.n && (b.n == BATCH || *index != b.next))
			flush_batch(vm, m, &b);
		if (PageWriteback(p) && (!wait || !wait_on_page_writeback(&vm->files, p)))
			continue;
		if (!trylock_page(p))
			continue;
		if (!clear_page_dirty_for_io(vm, p)) {
			unlock_page(p);
			continue;
		}
		b.frames[b.n++] = page_frame(vm->phys, p);
		b.next = *index + 1;
		written++;
	}
	flush_batch(vm, m, &b);
	return written;
}

static void wait_range(struct vm *vm, struct address_space *m, u64 first, u64 last)
{
	u64 entry;

	for (u64 i = first; (entry = xa_next_tagged(&m->pages, &i, last, XA_WRITEBACK)); i++)
		wait_on_page_writeback(&vm->files, frame_to_page(vm->phys, xa_frame(entry)));
}

int file_write_range(struct vm *vm, struct vm_file *f, u64 first, u64 last, bool wait)
{
	u64 index = first;

	might_sleep(vm->hw);
	if (f->shmem)
		return 0;
	write_range(vm, &f->mapping, &index, last, UINT64_MAX, wait);
	if (!wait)
		return 0;
	wait_range(vm, &f->mapping, first, last);
	return mapping_take_error(&f->mapping);
}

/* ---- all files ---- */

/* Goes on where it stopped in the file, once around. */
static u64 write_mapping(struct vm *vm, struct address_space *m, u64 nr)
{
	u64 start = m->writeback_index,
	    written = write_range(vm, m, &m->writeback_index, UINT64_MAX, nr, false);

	if (written < nr) {
		m->writeback_index = 0;
		if (start)
			written += write_range(vm, m, &m->writeback_index, start - 1, nr - written,
					       false);
	}
	return written;
}

u64 writeback_pages(struct vm *vm, u64 nr)
{
	struct list_head *dirty = &vm->files.dirty;
	struct address_space *last =
		list_empty(dirty) ? NULL : list_last_entry(dirty, struct address_space, dirty_link);
	u64 written = 0;

	might_sleep(vm->hw);
	while (written < nr && !list_empty(dirty)) {
		struct address_space *m = list_first_entry(dirty, struct address_space, dirty_link);

		written += write_mapping(vm, m, nr - written);
		if (written < nr && !list_empty(&m->dirty_link))
			list_move_tail(&m->dirty_link,
				       dirty); /* what is left cannot be written now */
		if (m == last)
			break;
	}
	return written;
}

/* ---- who writes ---- */

u64 flusher_step(struct vm *vm)
{
	u64 background, dirty, written = 0, n;

	for (;;) {
		global_dirty_limits(vm, &background, &dirty);
		if (nr_dirty(vm) <= background)
			return written;
		n = writeback_pages(vm, mm_min(nr_dirty(vm) - background, BATCH));
		written += n;
		if (!n)
			return written;
	}
}

/* The flusher has a virtual CPU of its own: what it uses is not the clock's. */
static u64 flusher_daemon(void *self, u64 budget_ns)
{
	struct vm *vm = self;
	u64 now = vm->hw->now, background, dirty, used;

	do {
		global_dirty_limits(vm, &background, &dirty);
		if (nr_dirty(vm) <= background || !writeback_pages(vm, BATCH))
			break;
		charge_n(vm->hw, COST_SCAN_PAGE, BATCH);
	} while (vm->hw->now - now < budget_ns);
	used = vm->hw->now - now;
	vm->hw->now = now;
	return used;
}

int writeback_init(struct vm *vm, const struct machine_config *c)
{
	vm->dirty_ratio = c->dirty_ratio;
	vm->dirty_background_ratio = c->dirty_background_ratio;
	vm->highmem_is_dirtyable = c->highmem_is_dirtyable;
	vm->flusher = clock_add_daemon(vm->hw, flusher_daemon, vm, CLOCK_NEVER, 0);
	return vm->flusher < 0 ? vm->flusher : 0;
}

/* Over the limit: writes, then waits for the device, until below. */
static void throttle(struct vm *vm, u64 limit)
{
	while (nr_dirty(vm) + (u64)global_page_state(vm->phys, NR_WRITEBACK) > limit) {
		if (nr_dirty(vm) && writeback_pages(vm, BATCH))
			continue;
		if (!filemap_wait_io(&vm->files))
			return; /* what is left is locked, or being written to swap */
	}
}

void balance_dirty_pages(struct vm *vm)
{
	u64 background, dirty, now = nr_dirty(vm) + (u64)global_page_state(vm->phys, NR_WRITEBACK);

	might_sleep(vm->hw);
	global_dirty_limits(vm, &background, &dirty);
	if (MM_LIKELY(now <= background))
		return;
	if (vm->config->threads == THREADS_TIMED)
		clock_wake(vm->hw, vm->flusher);
	else if (vm->config->threads == THREADS_INLINE)
		flusher_step(vm);
	if (now > dirty)
		throttle(vm, dirty);
}
