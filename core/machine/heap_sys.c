/* SPDX-License-Identifier: BSD-2-Clause */
/* The heap model's system calls: moving the break, blocks in mappings of their own, first writes. */
#include "core/hw/hw.h"
#include "core/machine/heap_types.h"

static u64 page_bytes(const struct heap_model *h)
{
	return 1ull << h->page_shift;
}

u64 heap_break_bytes(const struct heap_model *h)
{
	return h->top ? (u64)(h->end - HEAP_FIRST) * HEAP_UNIT : 0;
}

void heap_note_peak(struct heap_model *h)
{
	h->peak_bytes = mm_max(h->peak_bytes, heap_break_bytes(h) + h->mmapped_bytes);
}

/* ---- writes ---- */

static bool is_written(const struct heap_model *h, u32 page)
{
	return h->written[page / 64] & BIT(page % 64);
}

/* Moves the border of what is written throughout up to the first page that is not. */
static void advance_written(struct heap_model *h)
{
	u32 page = h->written_below > HEAP_FIRST ? unit_page(h, h->written_below) : 0;
	u32 end = unit_page(h, h->end - 1);

	while (page <= end && is_written(h, page))
		page++;
	h->written_below = page ? (page << h->page_units_shift) - h->page_bias : 0;
}

static void touch_page(struct heap_model *h, u32 page)
{
	u64 addr = ((h->base >> h->page_shift) + page) << h->page_shift;

	h->written[page / 64] |= BIT(page % 64);
	/* The first page holds more than the heap when the break did not start on a border. */
	h->kernel->touch(h->kernel_ctx, mm_max(addr, h->base), 1);
	if (h->written_below <= HEAP_FIRST || unit_page(h, h->written_below) == page)
		advance_written(h);
}

void heap_wrote_slow(struct heap_model *h, u32 c)
{
	u32 page = unit_page(h, c);

	if (!is_written(h, page))
		touch_page(h, page);
}

void heap_touch_block(struct heap_model *h, u32 c, u32 units)
{
	u32 first = unit_page(h, c + 1), last = unit_page(h, c + units - 1);

	if (c + units <= h->written_below)
		return;
	for (u32 page = first; page <= last; page++)
		if (!is_written(h, page))
			touch_page(h, page);
}

/* Pages from unit @from up to the break are gone. */
static void forget_pages(struct heap_model *h, u32 from)
{
	u32 page = unit_page(h, from + (1u << h->page_units_shift) - 1);
	u32 end = unit_page(h, h->end - 1);

	h->written_below = (u32)mm_min(h->written_below, from);
	for (; page <= end; page++)
		h->written[page / 64] &= ~BIT(page % 64);
}

/* ---- the break ---- */

static bool first_break(struct heap_model *h)
{
	s64 now = h->kernel->brk(h->kernel_ctx, 0);

	h->brk_calls++;
	if (now <= 0)
		return false;
	h->base = ALIGN_UP((u64)now, (u64)HEAP_UNIT);
	h->page_bias = (u32)((h->base & (page_bytes(h) - 1)) / HEAP_UNIT) - HEAP_FIRST;
	h->end = HEAP_FIRST;
	return true;
}

/* Sets the break to @addr: all or nothing. */
static bool move_break(struct heap_model *h, u64 addr)
{
	h->brk_calls++;
	return h->kernel->brk(h->kernel_ctx, addr) == (s64)addr;
}

/*
 * Makes top large enough to cut @units: by what is missing plus M_TOP_PAD, in whole pages. False:
 * the break cannot move so far.
 */
bool heap_grow_top(struct heap_model *h, u64 units)
{
	u64 have = h->top ? (u64)chunk_size(h, h->top) * HEAP_UNIT : 0, end, more;

	if (units >= HEAP_UNITS || (!h->base && !first_break(h)))
		return false;
	more = units * HEAP_UNIT + HEAP_TOP_PAD + HEAP_MIN_UNITS * HEAP_UNIT - have;
	end = ALIGN_UP(unit_addr(h, h->end) + ALIGN_UP(more, page_bytes(h)), page_bytes(h));
	if ((end - h->base) / HEAP_UNIT >= HEAP_UNITS - HEAP_FIRST || !move_break(h, end))
		return false;
	if (!h->top)
		h->top = HEAP_FIRST;
	h->end = (u32)((end - h->base) / HEAP_UNIT) + HEAP_FIRST;
	if (h->end > h->units_populated) {
		hw_populate_lazy(&h->units[h->units_populated],
				 (u64)(h->end - h->units_populated) * sizeof(*h->units));
		h->units_populated = h->end;
	}
	h->units[h->top].a = (h->end - h->top) << HEAP_FLAG_BITS | HEAP_PREV_USED;
	wrote(h, h->top);
	heap_note_peak(h);
	return true;
}

/* Gives whole pages at the end back, keeping M_TOP_PAD. */
void heap_trim(struct heap_model *h)
{
	u64 area = (u64)chunk_size(h, h->top) * HEAP_UNIT - HEAP_MIN_UNITS * HEAP_UNIT - 1, give;

	if (area <= HEAP_TOP_PAD)
		return;
	give = ALIGN_DOWN(area - HEAP_TOP_PAD, page_bytes(h));
	if (!give || !move_break(h, unit_addr(h, h->end) - give))
		return;
	forget_pages(h, h->end - (u32)(give / HEAP_UNIT));
	h->end -= (u32)(give / HEAP_UNIT);
	h->units[h->top].a = (h->end - h->top) << HEAP_FLAG_BITS | HEAP_PREV_USED;
	wrote(h, h->top);
}

/* ---- mapped blocks ---- */

static u32 new_entry(struct heap_model *h)
{
	u32 entry;

	if (h->free_mapped) {
		entry = h->free_mapped - 1;
		h->free_mapped = (u32)h->mapped[entry].addr;
		return entry + 1;
	}
	return h->nr_mapped < MM_MAX_HEAP_MAPPED ? ++h->nr_mapped : 0;
}

static void drop_entry(struct heap_model *h, u32 entry)
{
	h->mapped[entry] = (struct heap_mapped){.addr = h->free_mapped};
	h->free_mapped = entry + 1;
}

static void touch_mapped(struct heap_model *h, const struct heap_mapped *m, u64 from)
{
	u64 len = h->touch == HEAP_TOUCH_HEADER ? HEAP_UNIT : m->len;

	if (from < len)
		h->kernel->touch(h->kernel_ctx, m->addr + from, len - from);
}

/* @units plus 8 bytes, since no neighbour's header can be borrowed, rounded to pages. */
static u64 mapped_len(const struct heap_model *h, u64 units, u64 lead)
{
	return ALIGN_UP(units * HEAP_UNIT + 8 + lead, page_bytes(h));
}

u32 heap_map_block(struct heap_model *h, u64 units, u64 align)
{
	u64 len = mapped_len(h, units, 0), block;
	u32 entry = new_entry(h);
	struct heap_mapped *m;
	s64 addr;

	if (!entry)
		return 0;
	m = &h->mapped[entry - 1];
	h->mmap_calls++;
	addr = h->kernel->mmap(h->kernel_ctx, len);
	if (addr <= 0) {
		drop_entry(h, entry - 1);
		return 0;
	}
	block = (u64)addr + HEAP_UNIT;
	*m = (struct heap_mapped){(u64)addr, len, align ? ALIGN_UP(block, align) - block : 0};
	h->live_mapped++;
	h->mmapped_bytes += len;
	touch_mapped(h, m, 0);
	heap_note_peak(h);
	return entry;
}

/* Freed mappings raise the threshold: blocks of such sizes come and go, let the heap recycle them. */
void heap_unmap_block(struct heap_model *h, u32 entry)
{
	struct heap_mapped *m = &h->mapped[entry];
	u64 size = m->len - m->lead;

	if (size > h->mmap_threshold && size <= HEAP_MMAP_MAX) {
		h->mmap_threshold = size;
		h->trim_threshold = 2 * size;
	}
	h->munmap_calls++;
	h->kernel->munmap(h->kernel_ctx, m->addr, m->len);
	h->mmapped_bytes -= m->len;
	h->live_mapped--;
	drop_entry(h, entry);
}

/* False: the kernel refuses; nothing has changed. */
bool heap_remap_block(struct heap_model *h, u32 entry, u64 units)
{
	struct heap_mapped *m = &h->mapped[entry];
	u64 len = mapped_len(h, units, m->lead), old = m->len;
	s64 addr;

	if (len == old)
		return true;
	h->mremap_calls++;
	addr = h->kernel->mremap(h->kernel_ctx, m->addr, old, len);
	if (addr <= 0)
		return false;
	h->mmapped_bytes += len - old;
	m->addr = (u64)addr;
	m->len = len;
	if (len > old && h->touch != HEAP_TOUCH_HEADER)
		touch_mapped(h, m, old);
	heap_note_peak(h);
	return true;
}
