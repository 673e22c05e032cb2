/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One pass. All streams are first copied or decompressed into buffers that hold the most bytes their
 * number of operations can ask for, so that the pass itself needs no bounds checks on values:
 * whoever asks for more than there was reads what is there and is found out at the end.
 */
#include "traces/columns.h"

#include <string.h>
#include <zstd.h>

#include "traces/columns_impl.h"

struct shape { /* a shape made ready for the pass: 64 bytes */
	u64 tail;     /* task, flags, cpu, code as they lie in struct mm_op */
	u64 mask[3];  /* all ones where addr, len, arg vary */
	u32 cell[3];
	u8 shift[3];
	u8 inc[3];
	u8 has_ext, heap;
};

struct values { /* cursor of one stream */
	const u8 *control, *data;
	u64 next; /* number of the next value */
	const u8 *end;
};

struct columns_decoder {
	ZSTD_DCtx *zstd;
	struct heap_guess heap;
	u8 *buffer; /* of all streams */
	size_t cap;
	struct shape *ready;
	u32 cap_ready;
};

struct pass { /* state of one block's decoding */
	struct values v[NR_CV];
	const struct col_shape *shapes;
	const struct shape *ready;
	u64 *cells;
	const u8 *shifts;
	struct heap_guess *heap;
};

struct columns_decoder *columns_decoder_create(void)
{
	struct columns_decoder *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->zstd = ZSTD_createDCtx();
	if (!d->zstd) {
		free(d);
		return NULL;
	}
	return d;
}

void columns_decoder_destroy(struct columns_decoder *d)
{
	if (!d)
		return;
	ZSTD_freeDCtx(d->zstd);
	free(d->heap.slot);
	free(d->buffer);
	free(d->ready);
	free(d);
}

void columns_decoder_reset(struct columns_decoder *d)
{
	free(d->heap.slot);
	memset(&d->heap, 0, sizeof(d->heap));
}

static const u64 byte_mask[16] = {
	0, 0xff, 0xffff, 0xffffff, 0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff,
	~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull
};

/* The next value if @mask is all ones and @inc 1; 0 and no step if both are 0. */
MM_INLINE u64 next_masked(struct values *v, u64 mask, u64 inc)
{
	unsigned bytes = v->control[v->next >> 1] >> (v->next & 1) * 4 & 15;
	u64 x;

	memcpy(&x, v->data, 8);
	v->next += inc;
	v->data += bytes & mask;
	return x & byte_mask[bytes] & mask;
}

MM_INLINE u64 next_value(struct values *v)
{
	return next_masked(v, ~0ull, 1);
}

MM_INLINE u64 next_field(const struct shape *s, unsigned f, struct values *v, u64 *cells)
{
	u64 d = next_masked(v, s->mask[f], s->inc[f]);

	return cells[s->cell[f]] += unzigzag(d) << s->shift[f];
}

static u64 ext_field(struct pass *p, const struct col_shape *s, unsigned f)
{
	u64 *cell = &p->cells[s->cell[f]];

	if (s->vary & BIT(f))
		*cell += unzigzag(next_value(&p->v[CV_X])) << p->shifts[s->cell[f]];
	return *cell;
}

static void decode_ext(struct pass *p, const struct col_shape *s, struct mm_op_ext *x, bool x0_is_done)
{
	if (!x0_is_done)
		x->x0 = ext_field(p, s, CF_X0);
	x->x1 = ext_field(p, s, CF_X1);
	x->x2 = ext_field(p, s, CF_X2);
	x->result = ext_field(p, s, CF_RESULT);
	x->pad = 0;
	x->has = s->ext_has;
	x->pad2 = 0;
	x->code = OP_EXT;
}

/* Heap operations: the decoder's half of heap_alloc(), heap_free(), heap_realloc() of the encoder. */

static int decode_alloc(struct pass *p, const struct shape *s, struct mm_op *op)
{
	struct heap_guess *h = p->heap;
	u8 class = slot_class(op->len);
	u32 slot = guess_slot(h, class);
	u64 arg = next_masked(&p->v[CV_ARG], s->mask[CF_ARG], s->inc[CF_ARG]), addr;

	if (arg)
		slot = (u32)(arg - 1);
	addr = guess_addr(h, slot);
	op->addr = addr + unzigzag(next_masked(&p->v[CV_ADDR], s->mask[CF_ADDR], s->inc[CF_ADDR]));
	op->arg = slot;
	if (slot == MM_SLOT_NONE)
		return 0;
	return guess_born(h, slot, class, op->addr, op->len, op->addr == addr);
}

static int decode_free(struct pass *p, const struct shape *s, struct mm_op *op)
{
	struct heap_guess *h = p->heap;
	u32 arg = (u32)next_masked(&p->v[CV_ARG], s->mask[CF_ARG], s->inc[CF_ARG]);
	u32 slot = h->last + unzigzag32(arg);

	op->addr = guess_freed_addr(h, slot);
	op->addr += unzigzag(next_masked(&p->v[CV_ADDR], s->mask[CF_ADDR], s->inc[CF_ADDR]));
	op->arg = slot;
	if (slot >= h->nr)
		h->unknown = op->addr;
	guess_gone(h, slot);
	return slot < h->nr || slot == MM_SLOT_NONE ? 0 : -EINVAL;
}

static int decode_realloc(struct pass *p, const struct shape *s, const struct col_shape *full,
			  struct mm_op *op, struct mm_op_ext *x)
{
	struct heap_guess *h = p->heap;
	u64 arg = next_masked(&p->v[CV_ARG], s->mask[CF_ARG], s->inc[CF_ARG]), x0 = 0, addr;
	u32 old = h->last + unzigzag32((u32)(arg >> 1)), new = MM_SLOT_NONE;

	if (full->vary & BIT(CF_X0))
		x0 = unzigzag(next_value(&p->v[CV_X]));
	x->x0 = guess_freed_addr(h, old) + x0;
	addr = guess_addr(h, old);
	op->addr = addr + unzigzag(next_masked(&p->v[CV_ADDR], s->mask[CF_ADDR], s->inc[CF_ADDR]));
	if (op->addr || !op->len)
		guess_gone(h, old);
	if (op->addr)
		new = guess_slot(h, slot_class(op->len));
	if (arg & 1)
		new = (u32)next_value(&p->v[CV_ARG]);
	op->arg = (u64)old << 32 | new;
	if (old >= h->nr && old != MM_SLOT_NONE)
		return -EINVAL;
	if (new == MM_SLOT_NONE)
		return 0;
	return guess_born(h, new, slot_class(op->len), op->addr, op->len, op->addr == addr);
}

static __attribute__((noinline)) int decode_heap(struct pass *p, const struct shape *s,
						 const struct col_shape *full, struct mm_op *op)
{
	struct mm_op_ext *x = (struct mm_op_ext *)(void *)(op + 1);
	int err;

	op->len = next_field(s, CF_LEN, &p->v[CV_LEN], p->cells);
	if (full->code == OP_FREE)
		err = decode_free(p, s, op);
	else if (full->code != OP_REALLOC)
		err = decode_alloc(p, s, op);
	else
		err = s->has_ext ? decode_realloc(p, s, full, op, x) : -EINVAL;
	if (!err && s->has_ext)
		decode_ext(p, full, x, full->code == OP_REALLOC);
	return err;
}

MM_INLINE void decode_plain(struct pass *p, const struct shape *s, struct mm_op *op)
{
	op->addr = next_field(s, CF_ADDR, &p->v[CV_ADDR], p->cells);
	op->len = next_field(s, CF_LEN, &p->v[CV_LEN], p->cells);
	op->arg = next_field(s, CF_ARG, &p->v[CV_ARG], p->cells);
}

MM_INLINE int decode_pass(struct pass *p, const struct col_head *head, const void *ids, bool wide,
			  struct mm_op *ops, u32 n)
{
	struct mm_op *op = ops, *end = ops + n;
	u64 ts = head->first_ts;

	for (u32 i = 0; i < head->nr_ops; i++) {
		u32 id = wide ? ((const u16 *)ids)[i] : ((const u8 *)ids)[i];
		const struct shape *s = &p->ready[id];

		if (MM_UNLIKELY(id >= head->nr_shapes))
			return -EINVAL;
		if (MM_UNLIKELY(op + 1 + s->has_ext > end))
			return -EINVAL;
		ts += next_value(&p->v[CV_TS]);
		op->ts = ts;
		memcpy(&op->task, &s->tail, 8);
		if (s->heap) {
			int err = decode_heap(p, s, &p->shapes[id], op);

			if (err)
				return err;
		} else {
			decode_plain(p, s, op);
			if (s->has_ext)
				decode_ext(p, &p->shapes[id], (void *)(op + 1), false);
		}
		op += 1 + s->has_ext;
	}
	return op == end ? 0 : -EINVAL;
}

/* Buffers: everything a file declares is checked here before it is used as a size. */

static size_t stream_cap(const struct col_head *h, unsigned s)
{
	size_t n = h->nr_ops;

	switch (s) {
	case CS_SHAPES: return sizeof(struct col_shape) * h->nr_shapes;
	case CS_CELLS: return sizeof(u64) * h->nr_cells;
	case CS_SHIFTS: return h->nr_cells;
	case CS_IDS: return n * h->id_bytes;
	}
	n = col_max_values((s - CS_VALUES) / 2, n);
	return (s - CS_VALUES) & 1 ? n * 8 : (n + 1) / 2;
}

#define SLACK 16 /* a cursor may read 8 bytes behind its last value */

static const char *check_head(const struct col_head *h, size_t size, u32 n)
{
	u64 stored = sizeof(*h);

	if (!h->nr_ops || h->nr_ops > n || !h->nr_shapes || h->nr_shapes > h->nr_ops ||
	    h->nr_cells > h->nr_shapes * COL_FIELDS || (h->id_bytes != 1 && h->id_bytes != 2))
		return "impossible numbers of shapes, cells or operations";
	for (unsigned s = 0; s < NR_CS; s++) {
		size_t cap = stream_cap(h, s);

		if (h->stream[s].raw > cap || h->stream[s].stored > h->stream[s].raw ||
		    (s < CS_VALUES && h->stream[s].raw != cap))
			return "a stream of impossible size";
		stored += h->stream[s].stored;
	}
	return stored == size ? NULL : "streams that do not add up to the block";
}

static int reserve(struct columns_decoder *d, const struct col_head *h)
{
	size_t need = 0;

	for (unsigned s = 0; s < NR_CS; s++)
		need += ALIGN_UP(stream_cap(h, s) + SLACK, (size_t)64);
	if (need > d->cap) {
		free(d->buffer);
		d->cap = 0;
		d->buffer = aligned_alloc(64, need);
		if (!d->buffer)
			return -ENOMEM;
		memset(d->buffer, 0, need); /* what is behind a short stream is defined */
		d->cap = need;
	}
	if (h->nr_shapes > d->cap_ready) {
		free(d->ready);
		d->cap_ready = 0;
		d->ready = aligned_alloc(64, h->nr_shapes * sizeof(*d->ready));
		if (!d->ready)
			return -ENOMEM;
		d->cap_ready = h->nr_shapes;
	}
	return 0;
}

/* Is a nibble above 8 among the control bytes? @n is rounded up to 8: zeros follow. */
static bool bad_control(const u8 *control, size_t n)
{
	u64 bad = 0;

	for (size_t i = 0; i < n; i += 8) {
		u64 x;

		memcpy(&x, control + i, 8);
		bad |= (x >> 3) & (x | x >> 1 | x >> 2) & 0x1111111111111111ull;
	}
	return bad;
}

/* Copies or decompresses all streams to @at[]; control bytes that are not there say "no bytes". */
static const char *unpack(struct columns_decoder *d, const struct col_head *h, const u8 *payload,
			  u8 *at[NR_CS])
{
	u8 *to = d->buffer;

	payload += sizeof(*h);
	for (unsigned s = 0; s < NR_CS; s++) {
		size_t raw = h->stream[s].raw, stored = h->stream[s].stored;

		at[s] = to;
		if (raw == stored)
			memcpy(to, payload, raw);
		else if (ZSTD_decompressDCtx(d->zstd, to, raw, payload, stored) != raw)
			return "a stream that zstd cannot decompress to its size";
		if (s >= CS_VALUES && !((s - CS_VALUES) & 1)) {
			memset(to + raw, 0, stream_cap(h, s) - raw + SLACK);
			if (bad_control(to, raw))
				return "a value of more than 8 bytes";
		}
		payload += stored;
		to += ALIGN_UP(stream_cap(h, s) + SLACK, (size_t)64);
	}
	return NULL;
}

static const char *make_ready(struct columns_decoder *d, const struct col_head *h,
			      const struct col_shape *shapes, const u8 *shifts)
{
	for (u32 i = 0; i < h->nr_cells; i++)
		if (shifts[i] > 63)
			return "an impossible shift";
	for (u32 i = 0; i < h->nr_shapes; i++) {
		const struct col_shape *s = &shapes[i];
		struct shape *r = &d->ready[i];

		for (unsigned f = 0; f < COL_FIELDS; f++)
			if (s->cell[f] >= h->nr_cells)
				return "a cell that does not exist";
		for (unsigned f = 0; f < 3; f++) {
			bool varies = s->vary & BIT(f);

			r->mask[f] = varies ? ~0ull : 0;
			r->inc[f] = varies;
			r->cell[f] = s->cell[f];
			r->shift[f] = shifts[s->cell[f]];
		}
		r->tail = (u64)s->task | (u64)s->flags << 32 | (u64)s->cpu << 48 | (u64)s->code << 56;
		r->has_ext = !!(s->flags & MM_OP_HAS_EXT);
		r->heap = s->code >= OP_MALLOC && s->code <= OP_FREE;
	}
	return NULL;
}

static bool all_used(const struct pass *p, const struct col_head *h)
{
	for (unsigned v = 0; v < NR_CV; v++) {
		const struct values *c = &p->v[v];

		if ((c->next + 1) / 2 != h->stream[CS_VALUES + 2 * v].raw || c->data != c->end)
			return false;
	}
	return true;
}

int columns_decode(struct columns_decoder *d, const void *payload, size_t size, struct mm_op *ops,
		   u32 n, const char **why)
{
	struct col_head h;
	struct pass p;
	u8 *at[NR_CS];
	int err;

	*why = "a payload too short for its head";
	if (size < sizeof(h))
		return -EINVAL;
	memcpy(&h, payload, sizeof(h));
	*why = check_head(&h, size, n);
	if (*why)
		return -EINVAL;
	if (reserve(d, &h)) {
		*why = "no memory";
		return -ENOMEM;
	}
	*why = unpack(d, &h, payload, at);
	if (!*why)
		*why = make_ready(d, &h, (void *)at[CS_SHAPES], at[CS_SHIFTS]);
	if (*why)
		return -EINVAL;
	p = (struct pass){.shapes = (void *)at[CS_SHAPES], .ready = d->ready, .heap = &d->heap,
			  .cells = (void *)at[CS_CELLS], .shifts = at[CS_SHIFTS]};
	for (unsigned v = 0; v < NR_CV; v++) {
		u8 *data = at[CS_VALUES + 2 * v + 1];

		p.v[v] = (struct values){.control = at[CS_VALUES + 2 * v], .data = data,
					 .end = data + h.stream[CS_VALUES + 2 * v + 1].raw};
	}
	err = h.id_bytes == 2 ? decode_pass(&p, &h, at[CS_IDS], true, ops, n)
			      : decode_pass(&p, &h, at[CS_IDS], false, ops, n);
	*why = err == -ENOMEM ? "no memory" : "operations that contradict their streams";
	if (!err && !all_used(&p, &h))
		err = -EINVAL;
	return err;
}
