/* SPDX-License-Identifier: BSD-2-Clause */
/* Random operations of every code, in canonical form, and files of them. */
#ifndef MEMRIG_TEST_TRACE_GEN_H
#define MEMRIG_TEST_TRACE_GEN_H

#include <unistd.h>

#include "core/base/prng.h"
#include "traces/grammar.h"
#include "traces/reader.h"
#include "traces/writer.h"

struct gen {
	struct prng prng;
	struct grammar grammar;
	u64 ts, page[8];
	u64 live[512]; /* heap blocks */
	unsigned nr_live;
	bool plain; /* mappings, accesses and heap only, as in captured traces */
};

static inline void gen_init(struct gen *g, u64 seed)
{
	memset(g, 0, sizeof(*g));
	prng_seed(&g->prng, seed);
	assert_int_equal(grammar_init(&g->grammar), 0);
	for (unsigned i = 0; i < 8; i++)
		g->page[i] = 0x7f0000000000ull + (prng_u64(&g->prng) & 0xfffff000);
}

static inline u64 gen_number(struct gen *g)
{
	u64 x = prng_u64(&g->prng);

	switch (prng_below(&g->prng, 8)) {
	case 0:
		return 0;
	case 1:
		return x;
	case 2:
		return x & 0xff;
	case 3:
		return x & 0xffff;
	case 4:
		return -(x & 0xfff);
	default:
		return g->page[x & 7] += (x >> 60) * 4096;
	}
}

static inline u64 gen_value(struct gen *g, struct trace_writer *w, const struct op_key *k)
{
	static const char *const words[] = {"a",   "two words",	  "q\"uo\\te", "x=y",
					    "#no", "line\nbreak", "\x7f\x01",  "libc.so.6"};
	u64 r = prng_u64(&g->prng);
	char name[32];

	switch (k->kind) {
	case KK_STR:
	case KK_NAME:
		if (k->kind == KK_NAME && (r & 1))
			return r >> 40;
		snprintf(name, sizeof(name), "%s%u", words[r >> 8 & 7], (unsigned)(r >> 16 & 63));
		return trace_writer_string(w, name) | (k->kind == KK_NAME ? MM_NAME_STR : 0);
	case KK_TASK: {
		u32 pid = 1 + (u32)(r % 50);

		return trace_writer_task(w, pid, pid);
	}
	case KK_PROT:
		return r & 7;
	case KK_ADVICE:
		return r % (MM_MADV_OTHER + 1);
	case KK_ACCESS:
		return r % 3;
	case KK_MAP:
		return r & (r >> 7) & 0xffff;
	case KK_GFP:
		return r & 3 ? (r & 4 ? 0xd0 : 0x200da) : r >> 40;
	default:
		return gen_number(g);
	}
}

static inline void gen_heap(struct gen *g, struct mm_op *op, struct mm_op_ext *ext)
{
	u64 r = prng_u64(&g->prng), at = g->nr_live ? r % g->nr_live : 0;
	bool free_it = g->nr_live && (op->code == OP_FREE || g->nr_live == 512);

	op->len = r >> 56;
	op->addr = 0x5500000000ull + (prng_u64(&g->prng) & 0xffff0);
	if (free_it)
		op->code = OP_FREE;
	if (op->code == OP_FREE) {
		if (free_it && r >> 60)
			op->addr = g->live[at];
		if (free_it)
			g->live[at] = g->live[--g->nr_live];
		op->len = 0;
		return;
	}
	if (op->code == OP_REALLOC) {
		ext->x0 = g->nr_live && r >> 61 ? g->live[at] : op->addr + 1;
		if (r & 1)
			op->addr = ext->x0;
		if (g->nr_live)
			g->live[at] = op->addr;
		if (!(r >> 8 & 31))
			op->addr = 0;
		return;
	}
	g->live[g->nr_live++] = op->addr;
}

static inline u8 gen_code(struct gen *g)
{
	static const u8 plain[] = {OP_FAULT,  OP_FAULT, OP_FAULT, OP_MMAP,    OP_MUNMAP, OP_MALLOC,
				   OP_MALLOC, OP_FREE,	OP_FREE,  OP_REALLOC, OP_BRK,	 OP_READ};

	if (g->plain)
		return plain[prng_below(&g->prng, sizeof(plain))];
	for (;;) {
		u8 code = (u8)prng_below(&g->prng, NR_OP_CODES);

		if (g->grammar.shape[code].known)
			return code;
	}
}

/* One operation into @op and perhaps @op + 1; returns how many records. */
static inline unsigned gen_op(struct gen *g, struct trace_writer *w, struct mm_op *op)
{
	struct mm_op_ext ext = {.code = OP_EXT};
	bool has_ext = true;
	u64 r = prng_u64(&g->prng);
	const struct op_shape *s;

	memset(op, 0, 2 * sizeof(*op));
	op->code = gen_code(g);
	s = &g->grammar.shape[op->code];
	op->ts = g->ts += r & 1 ? 0 : r >> 50;
	op->cpu = (u8)(r >> 8 & 3);
	op->task = trace_writer_task(w, 1 + (u32)(r >> 16 & 7),
				     1 + (u32)(r >> 16 & 7) + (r >> 20 & 1));
	for (unsigned i = 0; i < s->nr_keys; i++) {
		const struct op_key *k = &s->keys[i];
		static const u16 bits[] = {MM_OP_HAS_ADDR,
					   MM_OP_HAS_LEN,
					   MM_OP_HAS_ARG,
					   MM_EXT_X0,
					   MM_EXT_X1,
					   MM_EXT_X2,
					   0};

		if (k->optional && prng_below(&g->prng, 2))
			continue;
		grammar_set(op, &ext, k->field, gen_value(g, w, k));
		if (k->field >= KF_X0)
			ext.has |= bits[k->field];
		else
			op->flags |= bits[k->field];
	}
	if (s->heap)
		gen_heap(g, op, &ext);
	op->flags |= (u16)(prng_below(&g->prng, NR_RES) << MM_OP_RES_SHIFT);
	if (mm_op_res(op) == RES_EXT) {
		ext.result = gen_number(g);
		if (prng_below(&g->prng, 4) == 0) {
			ext.result = trace_writer_string(w, "1,2,-ENOMEM");
			ext.has |= MM_EXT_RESULT_STR;
		}
	}
	assert_int_equal(grammar_canonical(&g->grammar, op, &ext, &has_ext), 0);
	if (has_ext)
		memcpy(op + 1, &ext, sizeof(ext));
	return 1 + has_ext;
}

/* Writes @n random operations to @path. */
static inline void gen_file(const char *path, u64 seed, size_t n, int flags, bool plain)
{
	struct trace_info info;
	struct gen *g = malloc(sizeof(*g));
	char err[256];
	struct trace_writer *w;

	gen_init(g, seed);
	g->plain = plain;
	trace_info_init(&info);
	trace_info_set(&info, "command", "random operations");
	trace_info_add_lost(&info, "fault", 1, 3);
	w = trace_writer_open(path, &info, flags, err, sizeof(err));
	if (!w)
		fail_msg("%s", err);
	for (size_t i = 0; i < n; i++) {
		struct mm_op op[2];

		assert_int_equal(trace_writer_put(w, op, gen_op(g, w, op)), 0);
	}
	if (trace_writer_close(w, err, sizeof(err)))
		fail_msg("%s", err);
	trace_info_free(&info);
	free(g);
}

/* A path in the test's own directory. */
static inline const char *gen_path(char *buf, size_t n, const char *name)
{
	snprintf(buf, n, "%s/test_trace_%d_%s", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp",
		 (int)getpid(), name);
	return buf;
}

#endif
