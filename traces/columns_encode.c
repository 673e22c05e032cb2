/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Four passes over at most 32768 records: (1) shapes, and per shape which fields vary; heap
 * operations become differences to the guess; (2) cells and differences; (3) streams; (4) zstd.
 */
#include "traces/columns.h"

#include <string.h>
#include <zstd.h>

#include "traces/columns_impl.h"
#include "traces/map64.h"

#define MAX_OPS TRACE_MAX_BLOCK_RECORDS

struct item { /* one operation of the block */
	const struct mm_op *op;
	const struct mm_op_ext *ext;
	u32 shape;
	u64 value[COL_FIELDS]; /* of heap operations addr, arg, x0: differences */
	u64 arg2;	       /* second value of a realloc's arg */
};

struct delta {
	u64 d;
	u32 cell; /* whose shift applies; CELL_NONE: none */
};
#define CELL_NONE 0xffffffffu

struct columns_encoder {
	ZSTD_CCtx *zstd;
	int level;
	struct heap_guess heap;
	struct item *items;
	struct col_shape *shapes;
	u64 (*first)[COL_FIELDS]; /* first value of each field of a shape */
	u32 nr_ops, nr_shapes, nr_cells;
	u64 *cells, *initial, *bits; /* last and first value; all differences or-ed */
	u8 *shifts;
	struct delta *deltas[NR_CV];
	u32 nr[NR_CV];
	u8 *scratch, *out;
	size_t cap_out, out_size;
	struct col_head head;
};

struct columns_encoder *columns_encoder_create(int zstd_level)
{
	struct columns_encoder *e = calloc(1, sizeof(*e));
	size_t cells = (size_t)MAX_OPS * COL_FIELDS + 1;
	bool ok = e;

	if (!e)
		return NULL;
	e->zstd = ZSTD_createCCtx();
	e->level = zstd_level;
	e->cap_out = sizeof(e->head) + MAX_OPS * 200;
	e->items = calloc(MAX_OPS, sizeof(*e->items));
	e->shapes = calloc(MAX_OPS, sizeof(*e->shapes));
	e->first = calloc(MAX_OPS, sizeof(*e->first));
	e->cells = calloc(cells, sizeof(*e->cells));
	e->initial = calloc(cells, sizeof(*e->initial));
	e->bits = calloc(cells, sizeof(*e->bits));
	e->shifts = calloc(cells, 1);
	e->scratch = malloc(MAX_OPS * 40);
	e->out = malloc(e->cap_out);
	ok = e->zstd && e->items && e->shapes && e->first && e->cells && e->initial && e->bits &&
	     e->shifts && e->scratch && e->out;
	for (unsigned v = 0; v < NR_CV; v++) {
		e->deltas[v] = malloc(col_max_values(v, MAX_OPS) * sizeof(struct delta));
		ok = ok && e->deltas[v];
	}
	if (!ok) {
		columns_encoder_destroy(e);
		return NULL;
	}
	return e;
}

void columns_encoder_destroy(struct columns_encoder *e)
{
	if (!e)
		return;
	ZSTD_freeCCtx(e->zstd);
	for (unsigned v = 0; v < NR_CV; v++)
		free(e->deltas[v]);
	free(e->heap.slot);
	free(e->items);
	free(e->shapes);
	free(e->first);
	free(e->cells);
	free(e->initial);
	free(e->bits);
	free(e->shifts);
	free(e->scratch);
	free(e->out);
	free(e);
}

/* Pass 1, heap operations: slot and addresses become differences to what the decoder will guess. */

static int heap_alloc(struct heap_guess *h, struct item *it)
{
	u8 class = slot_class(it->op->len);
	u32 guess = guess_slot(h, class), slot = (u32)it->op->arg;
	u64 addr = guess_addr(h, slot);

	it->value[CF_ARG] = slot == guess ? 0 : (u64)slot + 1;
	it->value[CF_ADDR] = zigzag(it->op->addr - addr);
	if (slot == MM_SLOT_NONE)
		return 0;
	return guess_born(h, slot, class, it->op->addr, it->op->len, it->op->addr == addr);
}

static int heap_free(struct heap_guess *h, struct item *it)
{
	u32 slot = (u32)it->op->arg;

	it->value[CF_ARG] = zigzag32(slot - h->last);
	it->value[CF_ADDR] = zigzag(it->op->addr - guess_freed_addr(h, slot));
	if (slot >= h->nr)
		h->unknown = it->op->addr;
	guess_gone(h, slot);
	return 0;
}

static int heap_realloc(struct heap_guess *h, struct item *it)
{
	const struct mm_op *op = it->op;
	u32 old = (u32)(op->arg >> 32), new = (u32)op->arg, guess = MM_SLOT_NONE;
	u64 addr = guess_addr(h, old);
	bool explicit;

	it->value[CF_X0] = zigzag(it->ext->x0 - guess_freed_addr(h, old));
	it->value[CF_ADDR] = zigzag(op->addr - addr);
	it->value[CF_ARG] = (u64)zigzag32(old - h->last) << 1;
	if (op->addr || !op->len)
		guess_gone(h, old);
	if (op->addr)
		guess = guess_slot(h, slot_class(op->len));
	explicit = new != guess;
	it->value[CF_ARG] |= explicit;
	it->arg2 = new;
	if (new == MM_SLOT_NONE)
		return 0;
	return guess_born(h, new, slot_class(op->len), op->addr, op->len, op->addr == addr);
}

static int heap_item(struct heap_guess *h, struct item *it)
{
	if (it->op->code == OP_FREE)
		return heap_free(h, it);
	if (it->op->code == OP_REALLOC)
		return heap_realloc(h, it);
	return heap_alloc(h, it);
}

static bool is_heap(u8 code)
{
	return code >= OP_MALLOC && code <= OP_FREE;
}

static int shape_of(struct columns_encoder *e, struct map64 *map, struct item *it)
{
	const struct mm_op *op = it->op;
	u16 has = it->ext ? it->ext->has : 0;
	u64 key = (u64)op->task | (u64)op->cpu << 24 | (u64)op->code << 32 | (u64)op->flags << 40 |
		  (u64)has << 56;
	u32 i = map64_get(map, key);

	if (i == MAP64_NONE) {
		i = e->nr_shapes++;
		if (map64_set(map, key, i))
			return -ENOMEM;
		e->shapes[i] = (struct col_shape){.task = op->task,
						  .flags = op->flags,
						  .cpu = op->cpu,
						  .code = op->code,
						  .ext_has = has};
		memcpy(e->first[i], it->value, sizeof(it->value));
		if (is_heap(op->code)) /* the guess is the constant */
			e->first[i][CF_ADDR] = e->first[i][CF_ARG] = 0;
		if (op->code == OP_REALLOC)
			e->first[i][CF_X0] = 0;
	}
	it->shape = i;
	for (unsigned f = 0; f < COL_FIELDS; f++)
		if (it->value[f] != e->first[i][f])
			e->shapes[i].vary |= (u8)BIT(f);
	return 0;
}

static int find_shapes(struct columns_encoder *e, const struct mm_op *ops, u32 n)
{
	struct map64 map = {0};
	int err = 0;

	e->nr_ops = e->nr_shapes = 0;
	for (u32 i = 0; i < n && !err; i++) {
		struct item *it = &e->items[e->nr_ops++];
		const struct mm_op *op = &ops[i];

		*it = (struct item){.op = op, .ext = mm_op_ext(op)};
		it->value[CF_ADDR] = op->addr;
		it->value[CF_LEN] = op->len;
		it->value[CF_ARG] = op->arg;
		if (it->ext) {
			it->value[CF_X0] = it->ext->x0;
			it->value[CF_X1] = it->ext->x1;
			it->value[CF_X2] = it->ext->x2;
			it->value[CF_RESULT] = it->ext->result;
			i++;
		}
		if (is_heap(op->code))
			err = heap_item(&e->heap, it);
		if (!err)
			err = shape_of(e, &map, it);
	}
	map64_free(&map);
	return err;
}

/* Pass 2: cells. */

static u32 new_cell(struct columns_encoder *e, u64 initial)
{
	e->cells[e->nr_cells] = e->initial[e->nr_cells] = initial;
	e->bits[e->nr_cells] = 0;
	return e->nr_cells++;
}

/* Operations of a task and group share the address; other fields are shared per task and code. */
static u64 cell_key(const struct col_shape *s, unsigned field)
{
	u64 kind = s->code;

	if (field == CF_ADDR || field == CF_RESULT)
		kind = 128u + (s->code < 40			     ? 0
			       : s->code == OP_FAULT || s->code < 44 ? 1
								     : s->code / 10);
	return (u64)s->task << 16 | kind << 4 | (field == CF_RESULT ? (u64)CF_ADDR : field);
}

static int find_cells(struct columns_encoder *e)
{
	struct map64 map = {0}, constants = {0};
	int err = 0;

	e->nr_cells = 0;
	for (u32 i = 0; i < e->nr_shapes && !err; i++) {
		struct col_shape *s = &e->shapes[i];

		for (unsigned f = 0; f < COL_FIELDS && !err; f++) {
			bool varies = s->vary & BIT(f);
			u64 key = varies ? cell_key(s, f) : e->first[i][f];
			u32 cell = map64_get(varies ? &map : &constants, key);

			if (cell == MAP64_NONE) {
				cell = new_cell(e, e->first[i][f]);
				err = map64_set(varies ? &map : &constants, key, cell);
			}
			s->cell[f] = cell;
		}
	}
	map64_free(&map);
	map64_free(&constants);
	return err;
}

static void put_value(struct columns_encoder *e, enum col_value v, u64 d, u32 cell)
{
	e->deltas[v][e->nr[v]++] = (struct delta){.d = d, .cell = cell};
}

static void put_field(struct columns_encoder *e, const struct col_shape *s, const struct item *it,
		      unsigned f)
{
	enum col_value v = f >= CF_X0 ? CV_X : (enum col_value)(CV_ADDR + f);
	u32 cell = s->cell[f];
	u64 d;

	if (!(s->vary & BIT(f)))
		return;
	d = it->value[f] - e->cells[cell];
	e->cells[cell] = it->value[f];
	e->bits[cell] |= d;
	put_value(e, v, d, cell);
}

static void put_item(struct columns_encoder *e, const struct item *it)
{
	const struct col_shape *s = &e->shapes[it->shape];

	if (!is_heap(s->code)) {
		for (unsigned f = 0; f < COL_FIELDS; f++)
			put_field(e, s, it, f);
		return;
	}
	put_field(e, s, it, CF_LEN);
	if (s->vary & BIT(CF_ADDR))
		put_value(e, CV_ADDR, it->value[CF_ADDR], CELL_NONE);
	if (s->vary & BIT(CF_ARG))
		put_value(e, CV_ARG, it->value[CF_ARG], CELL_NONE);
	if (s->code == OP_REALLOC) {
		if (it->value[CF_ARG] & 1)
			put_value(e, CV_ARG, it->arg2, CELL_NONE);
		if (s->vary & BIT(CF_X0))
			put_value(e, CV_X, it->value[CF_X0], CELL_NONE);
	} else {
		put_field(e, s, it, CF_X0);
	}
	for (unsigned f = CF_X1; f < COL_FIELDS; f++)
		put_field(e, s, it, f);
}

static void find_deltas(struct columns_encoder *e)
{
	u64 ts = e->items[0].op->ts;

	memset(e->nr, 0, sizeof(e->nr));
	for (u32 i = 0; i < e->nr_ops; i++) {
		put_value(e, CV_TS, e->items[i].op->ts - ts, CELL_NONE);
		ts = e->items[i].op->ts;
		put_item(e, &e->items[i]);
	}
	for (u32 c = 0; c < e->nr_cells; c++)
		e->shifts[c] = e->bits[c] ? (u8)mm_ffs0(e->bits[c]) : 0;
}

/* Passes 3 and 4. */

static int put_stream(struct columns_encoder *e, enum col_stream s, const void *raw, size_t n)
{
	size_t got = 0;

	if (n > e->cap_out - e->out_size) /* never: cap_out is for the worst case */
		return -E2BIG;
	if (n > 32)
		got = ZSTD_compressCCtx(e->zstd, e->out + e->out_size, e->cap_out - e->out_size,
					raw, n, e->level);
	if (n <= 32 || ZSTD_isError(got) || got > n - n / 16) {
		memcpy(e->out + e->out_size, raw, n);
		got = n;
	}
	e->head.stream[s].raw = (u32)n;
	e->head.stream[s].stored = (u32)got;
	e->out_size += got;
	return 0;
}

static u64 shifted(const struct columns_encoder *e, const struct delta *d)
{
	if (d->cell == CELL_NONE)
		return d->d;
	return zigzag((u64)((s64)d->d >> e->shifts[d->cell]));
}

static int put_values(struct columns_encoder *e, enum col_value v)
{
	u32 n = e->nr[v];
	u8 *control = e->scratch, *data = control + (n + 1) / 2 + 8, *end = data;
	int err;

	memset(control, 0, (n + 1) / 2);
	for (u32 i = 0; i < n; i++) {
		u64 x = shifted(e, &e->deltas[v][i]);
		unsigned bytes = (mm_fls(x) + 7) / 8;

		control[i / 2] |= (u8)(bytes << (i & 1) * 4);
		memcpy(end, &x, 8);
		end += bytes;
	}
	err = put_stream(e, CS_VALUES + 2 * v, control, (n + 1) / 2);
	return err ? err : put_stream(e, CS_VALUES + 2 * v + 1, data, (size_t)(end - data));
}

static int put_ids(struct columns_encoder *e)
{
	u8 *small = e->scratch;
	u16 *wide = (u16 *)(void *)e->scratch;

	e->head.id_bytes = e->nr_shapes > 256 ? 2 : 1;
	for (u32 i = 0; i < e->nr_ops; i++) {
		if (e->head.id_bytes == 1)
			small[i] = (u8)e->items[i].shape;
		else
			wide[i] = (u16)e->items[i].shape;
	}
	return put_stream(e, CS_IDS, e->scratch, (size_t)e->nr_ops * e->head.id_bytes);
}

int columns_encode(struct columns_encoder *e, const struct mm_op *ops, u32 n, const void **out,
		   size_t *size)
{
	int err = find_shapes(e, ops, n);

	if (!err)
		err = find_cells(e);
	if (err)
		return err;
	find_deltas(e);
	e->out_size = sizeof(e->head);
	e->head.nr_ops = e->nr_ops;
	e->head.nr_shapes = e->nr_shapes;
	e->head.nr_cells = e->nr_cells;
	e->head.first_ts = ops[0].ts;
	err = put_stream(e, CS_SHAPES, e->shapes, e->nr_shapes * sizeof(*e->shapes));
	if (!err)
		err = put_stream(e, CS_CELLS, e->initial, e->nr_cells * sizeof(u64));
	if (!err)
		err = put_stream(e, CS_SHIFTS, e->shifts, e->nr_cells);
	if (!err)
		err = put_ids(e);
	for (unsigned v = 0; v < NR_CV && !err; v++)
		err = put_values(e, v);
	if (err)
		return err;
	memcpy(e->out, &e->head, sizeof(e->head));
	*out = e->out;
	*size = e->out_size;
	return 0;
}
