/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All streams are copied or decompressed, then expanded to arrays of 64-bit values that hold the
 * most that their number of operations can ask for, so that the pass itself needs no bounds checks:
 * whoever asks for more than there was reads what is there and is found out at the end. What can be
 * judged for a shape is judged once a shape, not once an operation.
 */
#include "traces/columns.h"

#include <string.h>
#include <zstd.h>

#include "traces/columns_impl.h"
#include "traces/validate.h"

struct shape {	     /* a shape made ready for the pass: 64 bytes */
	u64 tail;    /* task, flags, cpu, code as they lie in struct mm_op */
	u64 mask[3]; /* all ones where addr, len, arg vary */
	u32 cell[3];
	u8 shift[3];
	u8 inc[3];
	u8 has_ext;
	u8 way; /* enum way */
};

enum way {	     /* how an operation of the shape is decoded, from frequent to rare */
	   WAY_ADDR, /* nothing but perhaps addr varies, no extension */
	   WAY_PLAIN,
	   WAY_ALLOC,
	   WAY_FREE, /* without extension */
	   WAY_HEAP_EXT,
	   WAY_CHECK /* a plain one whose records are validated one by one */
};

struct columns_decoder {
	ZSTD_DCtx *zstd;
	struct heap_guess heap;
	u8 *buffer; /* of all streams, then of their values */
	size_t cap;
	struct shape *ready;
	u32 cap_ready;
};

struct pass {		     /* state of one block's decoding */
	const u64 *v[NR_CV]; /* next value; of CV_TS they are times */
	const struct col_shape *shapes;
	const struct shape *ready;
	u64 *cells;
	const u8 *shifts;
	struct heap_guess *heap;
	struct validator *valid;
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
	0,     0xff,  0xffff, 0xffffff, 0xffffffff, 0xffffffffff, 0xffffffffffff, 0xffffffffffffff,
	~0ull, ~0ull, ~0ull,  ~0ull,	~0ull,	    ~0ull,	  ~0ull,	  ~0ull};

/* The next value if @mask is all ones and @inc 1; 0 and no step if both are 0. */
MM_INLINE u64 next_masked(const u64 **v, u64 mask, u64 inc)
{
	u64 x = **v & mask;

	*v += inc;
	return x;
}

MM_INLINE u64 next_value(const u64 **v)
{
	return *(*v)++;
}

MM_INLINE u64 next_field(const struct shape *s, unsigned f, const u64 **v, u64 *cells)
{
	u64 d = next_masked(v, s->mask[f], s->inc[f]);

	return cells[s->cell[f]] += unzigzag(d) << s->shift[f];
}

MM_INLINE u64 ext_field(struct pass *p, const struct col_shape *s, unsigned f)
{
	u64 *cell = &p->cells[s->cell[f]];

	if (s->vary & BIT(f))
		*cell += unzigzag(next_value(&p->v[CV_X])) << p->shifts[s->cell[f]];
	return *cell;
}

MM_INLINE void decode_ext(struct pass *p, const struct col_shape *s, struct mm_op_ext *x,
			  bool x0_is_done)
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

/* Heap operations: the decoder's half of heap_alloc(), heap_free(), heap_realloc() of the encoder.
 */

MM_INLINE int decode_alloc(struct pass *p, const struct shape *s, struct mm_op *op)
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

MM_INLINE int decode_free(struct pass *p, const struct shape *s, struct mm_op *op)
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

/* malloc, calloc, free without an extension: the hot ones. */
MM_INLINE int decode_heap(struct pass *p, const struct shape *s, bool is_free, struct mm_op *op)
{
	op->len = next_field(s, CF_LEN, &p->v[CV_LEN], p->cells);
	return is_free ? decode_free(p, s, op) : decode_alloc(p, s, op);
}

static int decode_heap_ext(struct pass *p, const struct shape *s, const struct col_shape *full,
			   struct mm_op *op)
{
	struct mm_op_ext *x = (struct mm_op_ext *)(void *)(op + 1);
	int err;

	if (full->code != OP_REALLOC)
		err = decode_heap(p, s, full->code == OP_FREE, op);
	else if (!s->has_ext)
		return -EINVAL;
	else {
		op->len = next_field(s, CF_LEN, &p->v[CV_LEN], p->cells);
		err = decode_realloc(p, s, full, op, x);
	}
	if (!err && s->has_ext)
		decode_ext(p, full, x, full->code == OP_REALLOC);
	return err;
}

MM_INLINE void decode_plain(struct pass *p, const struct shape *s, const struct col_shape *full,
			    struct mm_op *op)
{
	op->addr = next_field(s, CF_ADDR, &p->v[CV_ADDR], p->cells);
	op->len = next_field(s, CF_LEN, &p->v[CV_LEN], p->cells);
	op->arg = next_field(s, CF_ARG, &p->v[CV_ARG], p->cells);
	if (s->has_ext)
		decode_ext(p, full, (void *)(op + 1), false);
}

static __attribute__((noinline)) int decode_slowly(struct pass *p, const struct shape *s,
						   const struct col_shape *full, struct mm_op *op)
{
	size_t at;

	if (s->way == WAY_HEAP_EXT)
		return op->task < p->valid->nr_tasks ? decode_heap_ext(p, s, full, op) : -EINVAL;
	decode_plain(p, s, full, op);
	p->valid->last_ts = 0; /* times are judged for the whole block */
	return validator_see(p->valid, op, 1u + s->has_ext, &at) ? -EINVAL : 0;
}

/* @outer is copied so that the compiler keeps the cursors in registers: nobody else sees the copy.
 */
MM_INLINE int decode_pass(struct pass *outer, const struct col_head *head, const void *ids,
			  bool wide, struct mm_op *ops, u32 n)
{
	struct mm_op *op = ops, *end = ops + n;
	struct pass p = *outer;
	const u64 *ts = p.v[CV_TS];
	u32 nr_ops = head->nr_ops, nr_shapes = head->nr_shapes;
	int err = 0;

	for (u32 i = 0; i < nr_ops && !err; i++) {
		u32 id = wide ? ((const u16 *)ids)[i] : ((const u8 *)ids)[i];
		const struct shape *s = &p.ready[id];

		if (MM_UNLIKELY(id >= nr_shapes) || MM_UNLIKELY(op + 1 + s->has_ext > end))
			return -EINVAL;
		op->ts = ts[i];
		memcpy(&op->task, &s->tail, 8);
		if (s->way == WAY_ADDR) {
			op->addr = next_field(s, CF_ADDR, &p.v[CV_ADDR], p.cells);
			op->len = p.cells[s->cell[CF_LEN]];
			op->arg = p.cells[s->cell[CF_ARG]];
		} else if (s->way == WAY_PLAIN) {
			decode_plain(&p, s, &p.shapes[id], op);
		} else if (s->way <= WAY_FREE) {
			err = decode_heap(&p, s, s->way == WAY_FREE, op);
		} else {
			*outer = p;
			err = decode_slowly(outer, s, &p.shapes[id], op);
			p = *outer;
		}
		op += 1 + s->has_ext;
	}
	*outer = p;
	return err ? err : op == end ? 0 : -EINVAL;
}

/* Buffers: everything a file declares is checked here before it is used as a size. */

static size_t stream_cap(const struct col_head *h, unsigned s)
{
	size_t n = h->nr_ops;

	switch (s) {
	case CS_SHAPES:
		return sizeof(struct col_shape) * h->nr_shapes;
	case CS_CELLS:
		return sizeof(u64) * h->nr_cells;
	case CS_SHIFTS:
		return h->nr_cells;
	case CS_IDS:
		return n * h->id_bytes;
	}
	n = col_max_values((s - CS_VALUES) / 2, n);
	return (s - CS_VALUES) & 1 ? n * 8 : (n + 1) / 2;
}

#define SLACK 32 /* a cursor may read behind its last value */

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
	for (unsigned v = 0; v < NR_CV; v++)
		need += (col_max_values(v, h->nr_ops) + 2) * sizeof(u64);
	if (need > d->cap) {
		free(d->buffer);
		d->cap = 0;
		d->buffer = aligned_alloc(64, ALIGN_UP(need, (size_t)64));
		if (!d->buffer)
			return -ENOMEM;
		memset(d->buffer, 0, need); /* what is behind a short stream is defined */
		d->cap = need;
	}
	if (h->nr_shapes > d->cap_ready) {
		free(d->ready);
		d->cap_ready = 0;
		d->ready = aligned_alloc(64, ALIGN_UP(h->nr_shapes * sizeof(*d->ready), (size_t)64));
		if (!d->ready)
			return -ENOMEM;
		d->cap_ready = h->nr_shapes;
	}
	return 0;
}

/* Copies or decompresses all streams to @at[]; returns what is behind them in *@end. */
static const char *unpack(struct columns_decoder *d, const struct col_head *h, const u8 *payload,
			  u8 *at[NR_CS], u64 **end)
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
		payload += stored;
		to += ALIGN_UP(stream_cap(h, s) + SLACK, (size_t)64);
	}
	*end = (u64 *)(void *)to;
	return NULL;
}

/*
 * Values of one stream to @to: two to a control byte. The data may be read up to 14 bytes behind
 * their end, and are never left behind it: a byte count above what is left is found out.
 */
static const char *expand(const u8 *control, size_t n, const u8 *data, size_t bytes, u64 *to)
{
	const u8 *end = data + bytes;

	for (size_t i = 0; i < n; i++) {
		unsigned low = control[i] & 15, high = control[i] >> 4;
		u64 x, y;

		if (MM_UNLIKELY(data + low + high > end))
			return "values that go on behind their stream";
		memcpy(&x, data, 8);
		memcpy(&y, data + low, 8);
		to[2 * i] = x & byte_mask[low];
		to[2 * i + 1] = y & byte_mask[high];
		data += low + high;
	}
	to[2 * n] = to[2 * n + 1] = 0;
	return data == end ? NULL : "values that end before their stream";
}

/* Differences become times; a sum that goes round is found out. */
static const char *sum_times(u64 ts, u64 *v, u32 n)
{
	bool round = false;

	for (u32 i = 0; i < n; i++) {
		u64 next = ts + v[i];

		round |= next < ts;
		v[i] = ts = next;
	}
	return round ? "an impossible time" : NULL;
}

static const char *expand_all(const struct col_head *h, u8 *const at[NR_CS], u64 *to,
			      struct pass *p)
{
	const char *why;

	for (unsigned v = 0; v < NR_CV; v++) {
		unsigned s = CS_VALUES + 2 * v;

		why = expand(at[s], h->stream[s].raw, at[s + 1], h->stream[s + 1].raw, to);
		if (why)
			return why;
		p->v[v] = to;
		if (v == CV_TS)
			why = (h->nr_ops + 1) / 2 != h->stream[s].raw
				      ? "times that are missing"
				      : sum_times(h->first_ts, to, h->nr_ops);
		if (why)
			return why;
		to += col_max_values(v, h->nr_ops) + 2;
	}
	return NULL;
}

static u8 way_of(const struct col_shape *s, bool check, bool ext)
{
	if (s->code >= OP_MALLOC && s->code <= OP_FREE) {
		if (ext || check || s->code == OP_REALLOC)
			return WAY_HEAP_EXT;
		return s->code == OP_FREE ? WAY_FREE : WAY_ALLOC;
	}
	if (check)
		return WAY_CHECK;
	return (s->vary & 6) || ext ? WAY_PLAIN : WAY_ADDR;
}

static const char *make_ready(struct columns_decoder *d, const struct col_head *h,
			      const struct col_shape *shapes, const u8 *shifts,
			      const struct validator *valid)
{
	for (u32 i = 0; i < h->nr_cells; i++)
		if (shifts[i] > 63)
			return "an impossible shift";
	for (u32 i = 0; i < h->nr_shapes; i++) {
		const struct col_shape *s = &shapes[i];
		struct shape *r = &d->ready[i];
		const char *why;
		bool check;

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
		r->tail =
			(u64)s->task | (u64)s->flags << 32 | (u64)s->cpu << 48 | (u64)s->code << 56;
		r->has_ext = !!(s->flags & MM_OP_HAS_EXT);
		why = validator_shape(valid, s->code, s->flags, s->ext_has, s->task, &check);
		if (why)
			return why;
		r->way = way_of(s, check, r->has_ext);
	}
	return NULL;
}

/* Was each value asked for, and none that was not there? @from: where the streams' values began. */
static bool all_used(const struct pass *p, const u64 *const from[NR_CV], const struct col_head *h)
{
	for (unsigned v = CV_ADDR; v < NR_CV; v++)
		if (((u64)(p->v[v] - from[v]) + 1) / 2 != h->stream[CS_VALUES + 2 * v].raw)
			return false;
	return true;
}

static const char *run_pass(struct pass *p, const struct col_head *h, const void *ids,
			    struct mm_op *ops, u32 n)
{
	const u64 *from[NR_CV];
	int err;

	memcpy(from, p->v, sizeof(from));
	err = h->id_bytes == 2 ? decode_pass(p, h, ids, true, ops, n)
			       : decode_pass(p, h, ids, false, ops, n);
	if (err == -ENOMEM)
		return "no memory";
	return err || !all_used(p, from, h) ? "operations that contradict their streams" : NULL;
}

const char *columns_decode(struct columns_decoder *d, const void *payload, size_t size,
			   struct mm_op *ops, u32 n, struct validator *valid)
{
	struct col_head h;
	struct pass p = {.heap = &d->heap, .valid = valid};
	const char *why;
	u8 *at[NR_CS];
	u64 *values;

	if (size < sizeof(h))
		return "a payload too short for its head";
	memcpy(&h, payload, sizeof(h));
	why = check_head(&h, size, n);
	if (why)
		return why;
	if (h.first_ts < valid->last_ts)
		return "a time before that of the block before";
	if (reserve(d, &h))
		return "no memory";
	why = unpack(d, &h, payload, at, &values);
	if (!why)
		why = make_ready(d, &h, (void *)at[CS_SHAPES], at[CS_SHIFTS], valid);
	if (!why)
		why = expand_all(&h, at, values, &p);
	if (why)
		return why;
	p.shapes = (void *)at[CS_SHAPES];
	p.ready = d->ready;
	p.cells = (void *)at[CS_CELLS];
	p.shifts = at[CS_SHIFTS];
	why = run_pass(&p, &h, at[CS_IDS], ops, n);
	valid->last_ts = p.v[CV_TS][h.nr_ops - 1];
	return why;
}
