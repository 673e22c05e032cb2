/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Workloads: the same stream byte for byte whatever the batches, another for another seed, and
 * well-formed: a small model of tasks, mappings, files and blocks follows each stream. Distributions
 * against their formulas.
 */
#include <errno.h>
#include <math.h>

#include "core/base/bits.h"
#include "core/base/limits.h"
#include "tests/test.h"
#include "workloads/dist.h"
#include "workloads/workload.h"

/* ---- small settings, so that all workloads together take a moment ---- */

static const char *const small[][3] = {
	{"stream", "size", "1M"}, {"churn", "events", "20000"}, {"churn", "live", "500"},
	{"churn", "threads", "40"}, {"database", "events", "3000"}, {"database", "size", "4M"},
	{"database", "sync", "50"}, {"build", "units", "6"}, {"build", "heap", "3M"},
	{"fragment", "size", "8M"}, {"clones", "size", "1M"}, {"refs", "refs", "20000"},
};

static void prepare(struct workload_run *r, const struct workload *w, u64 seed)
{
	const struct workload_options o = {.seed = seed};
	char err[200] = "";

	workload_prepare(r, w);
	for (size_t i = 0; i < ARRAY_SIZE(small); i++)
		if (!strcmp(small[i][0], w->name))
			assert_int_equal(workload_set(r, small[i][1], small[i][2], err, sizeof(err)), 0);
	if (workload_start(r, &o, err, sizeof(err)))
		fail_msg("%s", err);
}

struct stream {
	struct mm_op *ops;
	size_t nr, cap;
};

static struct stream collect(const struct workload *w, u64 seed, size_t batch)
{
	struct stream s = {0};
	struct workload_run r;
	size_t n;

	prepare(&r, w, seed);
	do {
		if (s.cap - s.nr < batch) {
			s.cap = s.cap * 2 + batch;
			s.ops = realloc(s.ops, s.cap * sizeof(*s.ops));
			assert_non_null(s.ops);
		}
		n = workload_next(&r, s.ops + s.nr, batch);
		assert_true(n <= batch);
		s.nr += n;
	} while (n);
	assert_int_equal(workload_next(&r, s.ops, batch), 0);
	workload_stop(&r);
	return s;
}

static void test_streams_are_repeatable(void **state)
{
	const struct workload *w;

	(void)state;
	for (unsigned i = 0; (w = workload_at(i)); i++) {
		struct stream a = collect(w, 1, WORKLOAD_BURST), b = collect(w, 1, MM_MAX_OP_BATCH);
		struct stream c = collect(w, 2, MM_MAX_OP_BATCH);

		assert_ptr_equal(workload_find(w->name), w);
		assert_true(a.nr > 50);
		assert_int_equal(a.nr, b.nr);
		assert_memory_equal(a.ops, b.ops, a.nr * sizeof(*a.ops));
		if (strcmp(w->name, "stream") && strcmp(w->name, "fragment")) /* nothing random in these */
			assert_true(c.nr != a.nr || memcmp(a.ops, c.ops, a.nr * sizeof(*a.ops)));
		free(a.ops);
		free(b.ops);
		free(c.ops);
	}
	assert_null(workload_find("no such"));
}

static u64 hash_stream(const struct stream *s)
{
	const u64 *words = (const u64 *)(const void *)s->ops;
	u64 h = s->nr;

	for (size_t i = 0; i < s->nr * sizeof(*s->ops) / 8; i++)
		h = prng_splitmix(&h) ^ words[i];
	return prng_splitmix(&h);
}

/* Other compilers and hosts must draw the same: changes only when a workload does. */
static void test_streams_are_the_same_everywhere(void **state)
{
	static const struct {
		const char *name;
		u64 hash;
	} want[] = {
		{"stream", 0x64cdef10ef49315ull},
		{"churn", 0xe855d9049413036aull},
		{"forktree", 0xb836b96ddab1ad8full},
		{"database", 0xbaa42d62f28d1bcdull},
		{"build", 0xde9dcc212ef2616ull},
		{"fragment", 0xc0af28f472f339dull},
		{"clones", 0x7914edfb841fd2b4ull},
		{"refs", 0xde474cdb03859945ull},
	};

	unsigned wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct stream s = collect(workload_find(want[i].name), 1, 4096);
		u64 h = hash_stream(&s);

		if (h != want[i].hash)
			print_message("{\"%s\", 0x%llxull},\n", want[i].name, (unsigned long long)h);
		wrong += h != want[i].hash;
		free(s.ops);
	}
	assert_int_equal(wrong, 0);
}

/* ---- well-formedness ---- */

#define MAX_TASKS 2048
#define MAX_MAPS  128

struct map {
	u64 start, end;
};

struct proc {
	bool defined, alive, thread;
	u64 brk;
	u32 pid, tid;
	struct map maps[MAX_MAPS];
	unsigned nr_maps;
};

struct follower {
	struct proc *procs;
	u8 *files;
	u64 *block;  /* pointer of a live slot */
	u64 ts, live, accesses;
	const char *name;
};

#define EXPECT(f, i, c)                                                                            \
	do {                                                                                       \
		if (!(c))                                                                          \
			fail_msg("%s, record %zu: not %s", (f)->name, i, #c);                      \
	} while (0)

static struct proc *space_of(struct follower *f, u32 task)
{
	struct proc *p = &f->procs[task];

	for (u32 i = 0; p->thread && i < MAX_TASKS; i++)
		if (f->procs[i].pid == p->pid && f->procs[i].tid == p->pid)
			return &f->procs[i];
	return p;
}

static bool mapped(const struct proc *p, u64 addr, u64 len)
{
	for (unsigned i = 0; i < p->nr_maps; i++)
		if (p->maps[i].start <= addr && addr + len <= p->maps[i].end)
			return true;
	for (unsigned i = 0; i < p->nr_maps; i++) /* across adjacent ones */
		if (p->maps[i].start <= addr && addr < p->maps[i].end)
			return mapped(p, p->maps[i].end, addr + len - p->maps[i].end);
	return false;
}

static void follow_mapping(struct follower *f, size_t i, const struct mm_op *op, struct proc *p)
{
	const struct mm_op_ext *x = mm_op_ext(op);

	if (op->code == OP_MMAP) {
		EXPECT(f, i, x && x->has & MM_EXT_X0 && x->x0 & MM_MAP_FIXED);
		EXPECT(f, i, op->addr % WORKLOAD_ALIGN == 0 && op->addr >= WORKLOAD_BASE && op->len);
		for (unsigned k = 0; k < p->nr_maps; k++)
			EXPECT(f, i, op->addr + op->len <= p->maps[k].start || op->addr >= p->maps[k].end);
		if (!(x->x0 & MM_MAP_ANON))
			EXPECT(f, i, x->has & MM_EXT_X1 && f->files[x->x1]);
		EXPECT(f, i, p->nr_maps < MAX_MAPS);
		p->maps[p->nr_maps++] = (struct map){op->addr, op->addr + op->len};
	} else {
		EXPECT(f, i, mapped(p, op->addr, op->len));
	}
}

static void follow_heap(struct follower *f, size_t i, const struct mm_op *op)
{
	u32 slot = (u32)op->arg;

	EXPECT(f, i, slot < 1 << 20);
	if (op->code == OP_MALLOC) {
		EXPECT(f, i, op->addr && op->len && !f->block[slot]);
		f->block[slot] = op->addr;
		f->live++;
	} else if (op->code == OP_REALLOC) {
		EXPECT(f, i, f->block[op->arg >> 32] && mm_op_ext(op)->x0 == f->block[op->arg >> 32]);
		f->block[op->arg >> 32] = 0;
		f->block[slot] = op->addr;
	} else {
		EXPECT(f, i, f->block[slot] == op->addr && op->addr);
		f->block[slot] = 0;
		f->live--;
	}
}

static void follow_task(struct follower *f, size_t i, const struct mm_op *op, struct proc *p)
{
	struct proc *child;

	switch (op->code) {
	case OP_SPAWN:
		EXPECT(f, i, p->defined && !p->alive);
		p->alive = true;
		break;
	case OP_FORK:
		EXPECT(f, i, op->arg < MAX_TASKS);
		child = &f->procs[op->arg];
		EXPECT(f, i, p->alive && child->defined && !child->alive);
		memcpy(child->maps, p->maps, sizeof(p->maps));
		child->nr_maps = p->nr_maps;
		child->alive = true;
		break;
	case OP_EXEC:
		EXPECT(f, i, p->alive);
		p->nr_maps = 0;
		break;
	case OP_THREAD:
		EXPECT(f, i, p->alive);
		for (u32 t = 0; t < MAX_TASKS; t++)
			if (f->procs[t].defined && f->procs[t].pid == p->pid && f->procs[t].tid == op->arg)
				f->procs[t].alive = f->procs[t].thread = true;
		break;
	default:
		EXPECT(f, i, p->alive);
		p->alive = false;
	}
}

static void follow(struct follower *f, size_t i, const struct mm_op *op)
{
	struct proc *p = &f->procs[op->task];

	EXPECT(f, i, op->task < MAX_TASKS && op->ts >= f->ts && op_known(op->code));
	f->ts = op->ts;
	if (op->code == OP_TASK) {
		EXPECT(f, i, !p->defined && op->addr && op->len);
		p->defined = true;
		p->pid = (u32)op->addr;
		p->tid = (u32)op->len;
		return;
	}
	EXPECT(f, i, op->task == 0 || p->defined);
	switch (op_group(op->code)) {
	case OPG_TASK:
		follow_task(f, i, op, p);
		break;
	case OPG_MAPPING:
		EXPECT(f, i, p->alive);
		follow_mapping(f, i, op, space_of(f, op->task));
		break;
	case OPG_ACCESS:
	case OPG_CONTENT:
		EXPECT(f, i, p->alive && mapped(space_of(f, op->task), op->addr, op->len));
		f->accesses++;
		break;
	case OPG_FILE:
		EXPECT(f, i, op->arg < MM_MAX_FILES && (op->code == OP_FILE || f->files[op->arg]));
		f->files[op->arg] = 1;
		break;
	case OPG_HEAP:
		EXPECT(f, i, p->alive);
		follow_heap(f, i, op);
		break;
	default:
		EXPECT(f, i, op->task == 0);
	}
}

static void test_streams_are_well_formed(void **state)
{
	const struct workload *w;

	(void)state;
	for (unsigned i = 0; (w = workload_at(i)); i++) {
		struct stream s = collect(w, test_seed(3), 1000);
		struct follower f = {.name = w->name};

		f.procs = calloc(MAX_TASKS, sizeof(*f.procs));
		f.files = calloc(MM_MAX_FILES, 1);
		f.block = calloc(1 << 20, sizeof(u64));
		assert_true(f.procs && f.files && f.block);
		for (size_t k = 0; k < s.nr; k++) {
			EXPECT(&f, k, s.ops[k].code != OP_EXT || (k && s.ops[k - 1].flags & MM_OP_HAS_EXT));
			EXPECT(&f, k, s.ops[k].code == OP_EXT || !(s.ops[k].flags & MM_OP_HAS_EXT) ||
				      (k + 1 < s.nr && s.ops[k + 1].code == OP_EXT));
			if (s.ops[k].code != OP_EXT)
				follow(&f, k, &s.ops[k]);
		}
		for (u32 t = 0; t < MAX_TASKS; t++)
			EXPECT(&f, s.nr, !f.procs[t].alive);
		EXPECT(&f, s.nr, !f.live && (f.accesses || !strcmp(w->name, "churn") || !strcmp(w->name, "refs")));
		free(f.procs);
		free(f.files);
		free(f.block);
		free(s.ops);
	}
}

static void test_parameters(void **state)
{
	const struct workload_options o = {.seed = 1};
	struct workload_run r;
	char err[300];

	(void)state;
	workload_prepare(&r, workload_find("stream"));
	assert_int_equal(workload_set(&r, "size", "2M", err, sizeof(err)), 0);
	assert_int_equal(r.param[0], 2 * MiB);
	assert_int_equal(workload_set(&r, "size", "0x20000", err, sizeof(err)), 0);
	assert_int_equal(r.param[0], 0x20000);
	assert_int_equal(workload_set(&r, "size", "1", err, sizeof(err)), -EINVAL);
	assert_int_equal(workload_set(&r, "size", "1X", err, sizeof(err)), -EINVAL);
	assert_int_equal(workload_set(&r, "size", "-1", err, sizeof(err)), -EINVAL);
	assert_int_equal(workload_set(&r, "size", "99999999999T", err, sizeof(err)), -EINVAL);
	assert_int_equal(workload_set(&r, "sise", "1M", err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "passes"));
	workload_prepare(&r, workload_find("forktree"));
	assert_int_equal(workload_set(&r, "depth", "16", err, sizeof(err)), 0);
	assert_int_equal(workload_start(&r, &o, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "1000000"));
}

/* Every default lies within its own bounds. */
static void test_defaults_are_allowed(void **state)
{
	const struct workload *w;

	(void)state;
	for (unsigned i = 0; (w = workload_at(i)); i++) {
		assert_true(w->help && w->params && w->init && w->step);
		for (const struct workload_param *p = w->params; p->name; p++)
			assert_true(p->help && p->min <= p->def && p->def <= p->max);
	}
}

/* ---- distributions ---- */

static void test_powers_of_two_in_fixed_point(void **state)
{
	(void)state;
	for (u64 i = 0; i < 1000; i++) {
		u64 m = BIT(31) + i * 2147483;
		double log = log2((double)m / 2147483648.0) * 4294967296.0;
		double e = (double)i / 100, p = exp2(-e) * 4294967296.0;

		assert_true(fabs((double)dist_log2(m) - log) < 16);
		assert_true(fabs((double)dist_exp2_neg((u64)(e * 4294967296.0)) - p) < 64);
	}
}

/* Frequencies of the hottest ranks and of the tail, against k^-s / H. */
static void test_zipf_follows_its_law(void **state)
{
	static const unsigned exponents[] = {0, 500, 990, 1000, 1500, 2500};
	const u64 n = 1000, draws = 200000;
	struct prng p;

	(void)state;
	prng_seed(&p, test_seed(17));
	for (size_t e = 0; e < ARRAY_SIZE(exponents); e++) {
		double s = exponents[e] / 1000.0, h = 0, want;
		u64 count[1001] = {0}, tail = 0;
		struct dist d;

		dist_init(&d, DIST_ZIPF, n, exponents[e]);
		for (u64 i = 0; i < draws; i++)
			count[dist_zipf_rank(&d, &p)]++;
		for (u64 k = 1; k <= n; k++)
			h += pow((double)k, -s);
		assert_int_equal(count[0], 0);
		for (u64 k = 1; k <= 5; k++) {
			want = (double)draws * pow((double)k, -s) / h;
			assert_true(fabs((double)count[k] - want) < 6 * sqrt(want) + 5);
		}
		want = 0;
		for (u64 k = n / 2; k <= n; k++) {
			want += (double)draws * pow((double)k, -s) / h;
			tail += count[k];
		}
		assert_true(fabs((double)tail - want) < 6 * sqrt(want) + 5);
	}
}

static void test_draws_stay_below_n_and_reach_all(void **state)
{
	static const u64 sizes[] = {1, 2, 3, 7, 8, 64, 1000, DIST_MAX};
	struct prng p;

	(void)state;
	prng_seed(&p, test_seed(23));
	for (int kind = 0; kind < NR_DISTS; kind++) {
		for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
			u64 seen = 0;
			struct dist d;

			dist_init(&d, (enum dist_kind)kind, sizes[i], 800);
			for (int k = 0; k < 3000; k++) {
				u64 x = dist_draw(&d, &p);

				assert_true(x < sizes[i]);
				seen |= x < 64 ? BIT(x) : 0;
			}
			if (sizes[i] <= 8)
				assert_int_equal(seen, BIT(sizes[i]) - 1);
		}
	}
}

static void test_sequential_and_phases(void **state)
{
	struct prng p;
	struct dist d;
	u64 first, x;

	(void)state;
	prng_seed(&p, 1);
	dist_init(&d, DIST_SEQUENTIAL, 10, 0);
	for (u64 i = 0; i < 30; i++)
		assert_int_equal(dist_draw(&d, &p), i % 10);
	dist_init(&d, DIST_PHASES, 8000, 0);
	first = dist_draw(&d, &p);
	for (int i = 0; i < 3998; i++) {
		x = dist_draw(&d, &p);
		assert_true((x > first ? x - first : first - x) < 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_allowed),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_powers_of_two_in_fixed_point),
		cmocka_unit_test(test_zipf_follows_its_law),
		cmocka_unit_test(test_draws_stay_below_n_and_reach_all),
		cmocka_unit_test(test_sequential_and_phases),
		cmocka_unit_test(test_streams_are_repeatable),
		cmocka_unit_test(test_streams_are_well_formed),
		cmocka_unit_test(test_streams_are_the_same_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
