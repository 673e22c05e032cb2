/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/backing/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct chunk {
	u64 written; /* a bit a page */
	union {
		u64 tag;
		u8 *bytes;
	} page[XA_SLOTS];
};

static void *node_alloc(void *self)
{
	(void)self;
	return calloc(1, sizeof(struct xa_node));
}

static void node_free(void *self, void *node)
{
	(void)self;
	free(node);
}

static const struct xa_ops host_nodes = {node_alloc, node_free};

static struct chunk *chunk_of(u64 entry)
{
	return (struct chunk *)(uintptr_t)(entry & ~XA_VALUE);
}

void store_init(struct file_store *s, u64 file_id, u64 original)
{
	xa_init(&s->chunks, &host_nodes, NULL, NULL);
	s->file_id = file_id;
	s->original = original;
}

/* Forgets the pages of @c that @gone has bits for. */
static void forget(const struct hw *hw, struct chunk *c, u64 gone)
{
	for (unsigned i = 0; hw->data_bytes && i < XA_SLOTS; i++)
		if (gone >> i & c->written >> i & 1)
			free(c->page[i].bytes);
	c->written &= ~gone;
}

static void forget_from(struct file_store *s, const struct hw *hw, u64 first)
{
	u64 at = first >> XA_SHIFT, entry;

	while ((entry = xa_next(&s->chunks, &at, UINT64_MAX))) {
		struct chunk *c = chunk_of(entry);
		u64 start = at << XA_SHIFT;

		forget(hw, c, start >= first ? UINT64_MAX : ~(BIT(first - start) - 1));
		if (!c->written) {
			xa_erase(&s->chunks, at);
			free(c);
		}
		at++;
	}
}

void store_destroy(struct file_store *s, const struct hw *hw)
{
	forget_from(s, hw, 0);
	xa_destroy(&s->chunks);
}

static const struct chunk *written_chunk(const struct file_store *s, u64 index)
{
	u64 entry = xa_load(&s->chunks, index >> XA_SHIFT);

	return entry && chunk_of(entry)->written >> index % XA_SLOTS & 1 ? chunk_of(entry) : NULL;
}

static void read_original(const struct file_store *s, struct hw *hw, u64 index, pfn_t pfn)
{
	u64 page = 1ull << hw->page_shift, first = index << hw->page_shift;

	if (first >= s->original) {
		hw_set_frame_tag(hw, pfn, 0);
		return;
	}
	hw_set_frame_tag(hw, pfn, store_original_tag(s->file_id, index));
	if (hw->data_bytes && s->original - first < page)
		memset((u8 *)hw_pfn_ptr(hw, pfn) + (s->original - first), 0,
		       page - (s->original - first));
}

void store_read(const struct file_store *s, struct hw *hw, u64 index, pfn_t pfn)
{
	const struct chunk *c = written_chunk(s, index);

	hw_frame_changed(hw, pfn);
	if (!c)
		read_original(s, hw, index, pfn);
	else if (hw->data_bytes)
		memcpy(hw_pfn_ptr(hw, pfn), c->page[index % XA_SLOTS].bytes,
		       1ull << hw->page_shift);
	else
		hw_set_frame_tag(hw, pfn, c->page[index % XA_SLOTS].tag);
}

/* The chunk for @index, made if need be. NULL: no memory. */
static struct chunk *make_chunk(struct file_store *s, u64 index)
{
	u64 entry = xa_load(&s->chunks, index >> XA_SHIFT);
	struct chunk *c;

	if (entry)
		return chunk_of(entry);
	c = calloc(1, sizeof(*c));
	if (c && xa_store(&s->chunks, index >> XA_SHIFT, XA_VALUE | (u64)(uintptr_t)c)) {
		free(c);
		c = NULL;
	}
	return c;
}

int store_write(struct file_store *s, struct hw *hw, u64 index, pfn_t pfn, u64 valid)
{
	struct chunk *c = make_chunk(s, index);
	unsigned i = index % XA_SLOTS;

	if (!c)
		return -ENOSPC;
	if (!hw->data_bytes) {
		c->page[i].tag = hw_frame_tag(hw, pfn);
	} else {
		if (!(c->written >> i & 1))
			c->page[i].bytes = malloc(1ull << hw->page_shift);
		if (!c->page[i].bytes)
			return -ENOSPC;
		memcpy(c->page[i].bytes, hw_pfn_ptr(hw, pfn), valid);
		memset(c->page[i].bytes + valid, 0, (1ull << hw->page_shift) - valid);
	}
	c->written |= BIT(i);
	return 0;
}

int store_clear(struct file_store *s, struct hw *hw, u64 index)
{
	struct chunk *c = make_chunk(s, index);
	unsigned i = index % XA_SLOTS;

	if (!c)
		return -ENOSPC;
	if (hw->data_bytes && c->written >> i & 1) {
		memset(c->page[i].bytes, 0, 1ull << hw->page_shift);
		return 0;
	}
	c->page[i].tag = 0;
	if (hw->data_bytes && !(c->page[i].bytes = calloc(1, 1ull << hw->page_shift)))
		return -ENOSPC;
	c->written |= BIT(i);
	return 0;
}

void store_truncate(struct file_store *s, const struct hw *hw, u64 size)
{
	u64 page = 1ull << hw->page_shift, rest = size & (page - 1);
	const struct chunk *c = written_chunk(s, size >> hw->page_shift);

	if (s->original > size)
		s->original = size;
	if (rest && c && hw->data_bytes)
		memset(c->page[(size >> hw->page_shift) % XA_SLOTS].bytes + rest, 0, page - rest);
	forget_from(s, hw, (size >> hw->page_shift) + !!rest);
}
