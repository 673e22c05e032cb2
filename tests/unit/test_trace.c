/* SPDX-License-Identifier: BSD-2-Clause */
/* Writer and reader: all encodings give back what was put in, and damaged files are refused. */
#include "tests/test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/trace_gen.h"
#include "traces/format.h"

static struct trace_reader *must_open(const char *path, unsigned flags)
{
	char err[512];
	struct trace_reader *r = trace_open(path, flags, err, sizeof(err));

	if (!r)
		fail_msg("%s", err);
	return r;
}

struct stream { /* pulls single records out of a reader */
	struct trace_reader *r;
	const struct mm_op *ops;
	ssize_t n, at;
};

static const struct mm_op *pull(struct stream *s)
{
	if (s->at == s->n) {
		s->n = trace_next(s->r, &s->ops);
		s->at = 0;
		if (s->n < 0)
			fail_msg("%s", trace_reader_error(s->r));
		if (!s->n)
			return NULL;
		assert_true(s->n <= 4096);
		assert_int_not_equal(s->ops[0].code, OP_EXT);
	}
	return &s->ops[s->at++];
}

/* As pull(), without task bookkeeping, whose place a text does not keep. */
static const struct mm_op *pull_event(struct stream *s)
{
	const struct mm_op *op;

	do
		op = pull(s);
	while (op && op->code == OP_TASK);
	return op;
}

static void same_string(struct stream *a, u64 x, struct stream *b, u64 y)
{
	struct op_strings sa = trace_reader_strings(a->r), sb = trace_reader_strings(b->r);

	assert_string_equal(sa.get(sa.self, x), sb.get(sb.self, y));
}

static void same_fields(const struct grammar *g, struct stream *sa, const struct mm_op *a,
			struct stream *sb, const struct mm_op *b)
{
	static const struct mm_op_ext nothing;
	const struct mm_op_ext *xa = mm_op_ext(a) ? mm_op_ext(a) : &nothing;
	const struct mm_op_ext *xb = mm_op_ext(b) ? mm_op_ext(b) : &nothing;
	const struct op_shape *s = &g->shape[a->code];
	u32 pa, ta, pb, tb;

	assert_int_equal(a->code, b->code);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->ts, b->ts);
	assert_int_equal(a->cpu, b->cpu);
	assert_int_equal(xa->has, xb->has);
	assert_int_equal(trace_task_ids(sa->r, a->task, &pa, &ta), 0);
	assert_int_equal(trace_task_ids(sb->r, b->task, &pb, &tb), 0);
	assert_int_equal(pa, pb);
	assert_int_equal(ta, tb);
	if (s->heap)
		assert_int_equal(a->arg, b->arg);
	for (unsigned i = 0; i < s->nr_keys; i++) {
		const struct op_key *k = &s->keys[i];
		u64 va = grammar_get(a, xa, k->field), vb = grammar_get(b, xb, k->field);

		if (k->kind == KK_STR || (k->kind == KK_NAME && va & MM_NAME_STR))
			same_string(sa, va & ~MM_NAME_STR, sb, vb & ~MM_NAME_STR);
		else if (k->kind != KK_TASK)
			assert_int_equal(va, vb);
	}
	if (xa->has & MM_EXT_RESULT_STR)
		same_string(sa, xa->result, sb, xb->result);
	else
		assert_int_equal(xa->result, xb->result);
}

static u64 compare(const char *a, unsigned flags_a, const char *b, unsigned flags_b)
{
	struct stream sa = {.r = must_open(a, flags_a)}, sb = {.r = must_open(b, flags_b)};
	struct grammar g;
	u64 n = 0;

	grammar_init(&g);
	for (;;) {
		const struct mm_op *x = pull_event(&sa), *y = pull_event(&sb);

		assert_int_equal(!x, !y);
		if (!x)
			break;
		if (x->code == OP_EXT)
			assert_int_equal(y->code, OP_EXT);
		else
			same_fields(&g, &sa, x, &sb, y);
		n++;
	}
	trace_close(sa.r);
	trace_close(sb.r);
	return n;
}

static void test_grammar(void **state)
{
	struct grammar g;

	(void)state;
	assert_int_equal(grammar_init(&g), 0);
	assert_true(g.shape[OP_MMAP].known);
	assert_int_equal(g.shape[OP_MMAP].nr_keys, 6);
	assert_int_equal(g.shape[OP_MADVISE].low_max, MM_MADV_OTHER);
	assert_false(g.shape[OP_TASK].known);
}

static void round_trip(u64 seed, size_t n, bool plain)
{
	char raw[256], col[256], text[256];

	gen_path(raw, sizeof(raw), "raw.mrt");
	gen_path(col, sizeof(col), "col.mrt");
	gen_path(text, sizeof(text), "text");
	gen_file(raw, seed, n, TRACE_WRITE_RAW, plain);
	gen_file(col, seed, n, 0, plain);
	gen_file(text, seed, n, TRACE_WRITE_TEXT, plain);
	assert_true(compare(raw, 0, col, 0) >= n);
	assert_true(compare(raw, TRACE_READ_INLINE, col, TRACE_READ_INLINE) >= n);
	assert_true(compare(col, 0, text, 0) >= n);
	unlink(raw);
	unlink(col);
	unlink(text);
}

static void test_round_trip_small(void **state)
{
	u64 seed = test_seed(1);

	(void)state;
	for (size_t n = 0; n < 40; n++)
		round_trip(seed + n, n, n & 1);
}

static void test_round_trip_large(void **state)
{
	(void)state;
	round_trip(test_seed(2), 60000, false);
	round_trip(test_seed(3), 60000, true);
}

static void test_rewind(void **state)
{
	char path[256];
	static const int flags[] = {0, TRACE_WRITE_RAW, TRACE_WRITE_TEXT};

	(void)state;
	gen_path(path, sizeof(path), "rewind");
	for (unsigned f = 0; f < 3; f++) {
		struct stream s;
		u64 hash, n[2] = {0, 0};

		gen_file(path, 7, 40000, flags[f], false);
		s = (struct stream){.r = must_open(path, 0)};
		for (int i = 0; i < 100; i++)
			pull(&s);
		assert_int_equal(trace_rewind(s.r), 0);
		s.at = s.n = 0;
		for (unsigned round = 0; round < 2; round++) {
			while (pull(&s))
				n[round]++;
			if (!round)
				hash = trace_hash(s.r);
			else
				assert_int_equal(hash, trace_hash(s.r));
			assert_int_equal(trace_rewind(s.r), 0);
			s.at = s.n = 0;
		}
		assert_int_equal(n[0], n[1]);
		assert_true(n[0] >= 40000);
		trace_close(s.r);
	}
	unlink(path);
}

static void test_info(void **state)
{
	char path[256];
	struct trace_reader *r;

	(void)state;
	gen_path(path, sizeof(path), "info");
	gen_file(path, 1, 10, 0, true);
	r = must_open(path, 0);
	assert_string_equal(trace_info_get(trace_reader_info(r), "command"), "random operations");
	assert_string_equal(trace_info_get(trace_reader_info(r), "lost.fault.1"), "3");
	assert_int_equal(trace_reader_info(r)->lost, 3);
	assert_int_equal(trace_reader_info(r)->events, 10);
	trace_close(r);
	unlink(path);
}

/* Reads all of @path: the number of records, or -1 with a line in @err. */
static s64 read_all(const char *path, unsigned flags, char *err, size_t errlen, bool *notice)
{
	struct trace_reader *r = trace_open(path, flags, err, errlen);
	const struct mm_op *ops;
	ssize_t n;
	s64 sum = 0;

	if (!r)
		return -1;
	while ((n = trace_next(r, &ops)) > 0)
		sum += n;
	snprintf(err, errlen, "%s", trace_reader_error(r));
	*notice = *trace_reader_notice(r);
	trace_close(r);
	return n < 0 ? -1 : sum;
}

static size_t slurp(const char *path, u8 *buf, size_t cap)
{
	FILE *f = fopen(path, "rb");
	size_t n = fread(buf, 1, cap, f);

	fclose(f);
	assert_true(n < cap);
	return n;
}

static void spit(const char *path, const u8 *buf, size_t n)
{
	FILE *f = fopen(path, "wb");

	assert_int_equal(fwrite(buf, 1, n, f), n);
	fclose(f);
}

/* A closed trace cut anywhere: an error in one line, or a notice and not more records than there
 * were. */
static void test_cut_everywhere(void **state)
{
	static u8 buf[65536];
	char path[256], err[512];
	bool notice = false;

	(void)state;
	gen_path(path, sizeof(path), "cut");
	for (int raw = 0; raw < 2; raw++) {
		s64 whole;
		size_t size;

		gen_file(path, 11, 30, raw ? TRACE_WRITE_RAW : 0, true);
		size = slurp(path, buf, sizeof(buf));
		whole = read_all(path, TRACE_READ_INLINE, err, sizeof(err), &notice);
		assert_true(whole >= 30 && !notice);
		for (size_t n = 0; n < size; n++) {
			s64 got;

			spit(path, buf, n);
			err[0] = 0;
			notice = false;
			got = read_all(path, TRACE_READ_INLINE, err, sizeof(err), &notice);
			if (got < 0)
				assert_true(*err && !strchr(err, '\n') && strstr(err, "cut"));
			else
				assert_true(notice && got <= whole);
			assert_true(n < 64 ? got < 0 : got >= 0);
		}
	}
	unlink(path);
}

/* Every flipped bit is detected, or harmless: padding. */
static void test_flip_everywhere(void **state)
{
	static u8 buf[65536];
	char path[256], err[512];
	bool notice = false;

	(void)state;
	gen_path(path, sizeof(path), "flip");
	for (int raw = 0; raw < 2; raw++) {
		s64 whole;
		size_t size, harmless = 0;

		gen_file(path, 12, 12, raw ? TRACE_WRITE_RAW : 0, true);
		size = slurp(path, buf, sizeof(buf));
		whole = read_all(path, TRACE_READ_INLINE, err, sizeof(err), &notice);
		for (size_t i = 0; i < size; i++) {
			s64 got;

			buf[i] ^= (u8)(1u << (i & 7));
			spit(path, buf, size);
			buf[i] ^= (u8)(1u << (i & 7));
			err[0] = 0;
			got = read_all(path, TRACE_READ_INLINE, err, sizeof(err), &notice);
			if (got < 0) {
				assert_true(*err && !strchr(err, '\n'));
			} else {
				assert_int_equal(got, whole);
				harmless++;
			}
		}
		assert_true(harmless <= 5 * 7);
	}
	unlink(path);
}

static void test_disk_full(void **state)
{
	struct trace_info info;
	struct trace_writer *w;
	char err[256] = "";
	struct mm_op op = {.code = OP_CHECK};

	(void)state;
	trace_info_init(&info);
	for (int text = 0; text < 2; text++) {
		w = trace_writer_open("/dev/full", &info, text ? TRACE_WRITE_TEXT : 0, err,
				      sizeof(err));
		if (w) {
			for (int i = 0; i < 100000; i++)
				trace_writer_put(w, &op, 1);
			assert_int_not_equal(trace_writer_close(w, err, sizeof(err)), 0);
		}
		assert_non_null(strstr(err, "No space left"));
	}
	assert_null(trace_writer_open("/nonexistent/x.mrt", &info, 0, err, sizeof(err)));
	trace_info_free(&info);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grammar),
		cmocka_unit_test(test_round_trip_small),
		cmocka_unit_test(test_round_trip_large),
		cmocka_unit_test(test_rewind),
		cmocka_unit_test(test_info),
		cmocka_unit_test(test_cut_everywhere),
		cmocka_unit_test(test_flip_everywhere),
		cmocka_unit_test(test_disk_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
