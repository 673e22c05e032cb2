/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The heap model: invariants under random operations, each mechanism by itself, and placement block
 * by block against the C library's own malloc, which a second process of this program runs.
 */
#include <gnu/libc-version.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/prng.h"
#include "core/machine/heap.h"
#include "core/machine/heap_types.h"
#include "tests/test.h"

#define START     0x555555000000ull
#define MAP_START 0x7f0000000000ull
#define MAX_SLOTS 20000

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* ---- a kernel that counts ---- */

struct fake {
	u64 brk, next, mapped, touches, touched_bytes, refuse_brk, refuse_mmap;
};

static s64 fake_brk(void *ctx, u64 addr)
{
	struct fake *f = ctx;

	if (addr && !f->refuse_brk)
		f->brk = addr;
	return (s64)f->brk;
}

static s64 fake_mmap(void *ctx, u64 len)
{
	struct fake *f = ctx;
	u64 at = f->next;

	if (f->refuse_mmap || len > 1ull << 46)
		return -12;
	f->next += len + 4096;
	f->mapped += len;
	return (s64)at;
}

static int fake_munmap(void *ctx, u64 addr, u64 len)
{
	struct fake *f = ctx;

	assert_true(addr >= MAP_START && len <= f->mapped);
	f->mapped -= len;
	return 0;
}

static s64 fake_mremap(void *ctx, u64 addr, u64 old, u64 len)
{
	struct fake *f = ctx;

	if (f->refuse_mmap || fake_munmap(ctx, addr, old))
		return -12;
	return fake_mmap(ctx, len);
}

static void fake_touch(void *ctx, u64 addr, u64 len)
{
	struct fake *f = ctx;

	if (!((addr >= START && addr + len <= f->brk) || addr >= MAP_START))
		fail_msg("touch of %llx, %llu bytes, break %llx", (unsigned long long)addr,
			 (unsigned long long)len, (unsigned long long)f->brk);
	f->touches++;
	f->touched_bytes += len;
}

static const struct heap_kernel fake_kernel = {fake_brk, fake_mmap, fake_munmap, fake_mremap, fake_touch};

static struct heap_model *make(struct fake *f, enum heap_touch touch)
{
	struct heap_params p = {.page_shift = 12, .touch = touch};
	struct heap_model *h = heap_model_create(&p);

	assert_non_null(h);
	*f = (struct fake){.brk = START, .next = MAP_START};
	heap_model_bind(h, &fake_kernel, f);
	return h;
}

static void check(struct heap_model *h)
{
	char why[200] = "";
	int r = heap_model_check(h, why, sizeof(why));

	if (r)
		fail_msg("invariant %d: %s", r, why);
}

static void apply(struct heap_model *h, unsigned code, u32 task, u64 arg, u64 len, u64 align)
{
	struct mm_op op = {.code = (u8)code, .task = task, .arg = arg, .len = len, .addr = 1};
	struct mm_op_ext ext = {.code = OP_EXT, .has = MM_EXT_X0, .x0 = align};

	heap_apply(h, &op, &ext);
}

static void alloc(struct heap_model *h, u32 slot, u64 len)
{
	apply(h, OP_MALLOC, 1, slot, len, 0);
}

static void release(struct heap_model *h, u32 slot)
{
	apply(h, OP_FREE, 1, slot, 0, 0);
}

static u64 address(struct heap_model *h, u32 slot)
{
	u64 addr = 0, usable;

	assert_true(heap_block(h, slot, &addr, &usable));
	return addr;
}

/* ---- workloads shared by the model and the C library ---- */

struct step {
	u8 code;
	u32 slot;
	u64 len, align;
};

struct shape {
	const char *name;
	u32 steps, live;
	u64 (*size)(struct prng *p);
	unsigned percent_realloc, percent_calloc, percent_memalign;
	bool waves; /* grow to `live`, free all, again */
};

static u64 size_small(struct prng *p)
{
	return prng_below(p, 200);
}

static u64 size_mixed(struct prng *p)
{
	return prng_below(p, 16) ? prng_below(p, 1ull << (4 + prng_below(p, 8))) : prng_below(p, 60000);
}

static u64 size_large(struct prng *p)
{
	return prng_below(p, 1ull << (8 + prng_below(p, 13)));
}

static const struct shape shapes[] = {
	{"small churn", 60000, 3000, size_small, 0, 0, 0, false},
	{"mixed churn", 60000, 3000, size_mixed, 5, 10, 0, false},
	{"realloc, calloc, memalign", 40000, 1500, size_mixed, 30, 20, 10, false},
	{"large, mapped and trimmed", 20000, 200, size_large, 10, 5, 5, false},
	{"waves", 60000, 5000, size_mixed, 0, 0, 0, true},
};

struct generator {
	const struct shape *shape;
	struct prng prng;
	u32 live[MAX_SLOTS], nr_live, unused[MAX_SLOTS], nr_unused;
	bool shrinking;
};

static void start(struct generator *g, const struct shape *s, u64 seed)
{
	memset(g, 0, sizeof(*g));
	g->shape = s;
	prng_seed(&g->prng, seed);
	for (u32 i = MAX_SLOTS; i-- > 0;)
		g->unused[g->nr_unused++] = i;
}

static struct step next_step(struct generator *g)
{
	const struct shape *s = g->shape;
	struct step st = {.code = OP_MALLOC};
	u32 kind = (u32)prng_below(&g->prng, 100), i;
	bool add = s->waves ? !g->shrinking : prng_below(&g->prng, s->live) >= g->nr_live / 2;

	if (s->waves && g->nr_live >= s->live)
		g->shrinking = true;
	if (!g->nr_live)
		g->shrinking = false, add = true;
	if (g->nr_live && kind < s->percent_realloc) {
		st.code = OP_REALLOC;
		st.slot = g->live[prng_below(&g->prng, g->nr_live)];
		st.len = 1 + s->size(&g->prng);
		return st;
	}
	if (!add) {
		i = (u32)prng_below(&g->prng, g->nr_live);
		st.code = OP_FREE;
		st.slot = g->unused[g->nr_unused++] = g->live[i];
		g->live[i] = g->live[--g->nr_live];
		return st;
	}
	kind = (u32)prng_below(&g->prng, 100);
	if (kind < s->percent_calloc)
		st.code = OP_CALLOC;
	else if (kind < s->percent_calloc + s->percent_memalign)
		st.code = OP_MEMALIGN;
	st.slot = g->live[g->nr_live++] = g->unused[--g->nr_unused];
	st.len = s->size(&g->prng);
	st.align = 32ull << prng_below(&g->prng, 8);
	return st;
}

/* What both sides report after each step. */
struct report {
	u64 block; /* offset from the start of the heap; UINT64_MAX: mapped, or freed */
	u64 heap;  /* bytes up to the break */
	u64 mapped;
};

/* ---- the C library's side, in a fresh process: argv[1] is "--libc", argv[2] the shape ---- */

static u64 run_step(void **blocks, const struct step *st)
{
	void *p = blocks[st->slot];

	switch (st->code) {
	case OP_FREE:
		free(p);
		blocks[st->slot] = NULL;
		return UINT64_MAX;
	case OP_REALLOC:
		p = realloc(p, st->len);
		break;
	case OP_CALLOC:
		p = calloc(1, st->len);
		break;
	case OP_MEMALIGN:
		p = memalign(st->align, st->len);
		break;
	default:
		p = malloc(st->len);
	}
	blocks[st->slot] = p;
	return (u64)(uintptr_t)p;
}

/* Nothing here may allocate: the heap must be as a program finds it. */
static int libc_side(unsigned which, u64 seed)
{
	u64 from = (u64)(uintptr_t)sbrk(0), pages = 4096;
	void **blocks = mmap(NULL, MAX_SLOTS * sizeof(*blocks), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct report *out = mmap(NULL, shapes[which].steps * sizeof(*out), PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct generator *g = mmap(NULL, sizeof(*g), PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t bytes = shapes[which].steps * sizeof(*out), done = 0;

	if (from % pages || blocks == MAP_FAILED || out == MAP_FAILED || g == MAP_FAILED)
		return 3;
	mallopt(M_ARENA_MAX, 1);
	start(g, &shapes[which], seed);
	for (u32 i = 0; i < shapes[which].steps; i++) {
		struct step st = next_step(g);
		u64 p = run_step(blocks, &st);

		out[i].heap = (u64)(uintptr_t)sbrk(0) - from;
		out[i].block = p >= from && p < from + out[i].heap ? p - from : UINT64_MAX;
		out[i].mapped = i % 64 ? 0 : mallinfo2().hblkhd;
	}
	while (done < bytes) {
		ssize_t n = write(STDOUT_FILENO, (char *)out + done, bytes - done);

		if (n <= 0)
			return 4;
		done += (size_t)n;
	}
	return 0;
}

/* Runs this program as the C library's side; its reports, or NULL. */
static struct report *ask_libc(unsigned which, u64 seed)
{
	size_t bytes = shapes[which].steps * sizeof(struct report), done = 0;
	struct report *r = malloc(bytes);
	char shape[16], seed_text[32];
	int fd[2], status = -1;
	pid_t pid;

	snprintf(shape, sizeof(shape), "%u", which);
	snprintf(seed_text, sizeof(seed_text), "%llu", (unsigned long long)seed);
	assert_non_null(r);
	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (!pid) {
		dup2(fd[1], STDOUT_FILENO);
		close(fd[0]);
		execl("/proc/self/exe", "libc-side", "--libc", shape, seed_text, NULL);
		_exit(127);
	}
	close(fd[1]);
	while (done < bytes) {
		ssize_t n = read(fd[0], (char *)r + done, bytes - done);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	close(fd[0]);
	waitpid(pid, &status, 0);
	if (done == bytes && !status)
		return r;
	free(r);
	return NULL;
}

struct difference {
	u64 blocks, placed, heap_off, mapped_off; /* blocks in the heap, of them equal; greatest offs */
	u64 heap_end, libc_end, peak, libc_peak;
};

static void step_model(struct heap_model *h, const struct step *st)
{
	u64 arg = st->slot;

	if (st->code == OP_REALLOC)
		arg |= (u64)st->slot << 32;
	apply(h, st->code, 1, arg, st->len, st->align);
}

static u64 off(u64 a, u64 b)
{
	return a > b ? a - b : b - a;
}

static void compare_step(struct heap_model *h, struct fake *f, const struct step *st,
			 const struct report *libc, struct difference *d)
{
	u64 heap = f->brk - START, addr, usable;

	d->heap_off = mm_max(d->heap_off, off(heap, libc->heap));
	if (libc->mapped)
		d->mapped_off = mm_max(d->mapped_off, off(f->mapped, libc->mapped));
	d->peak = mm_max(d->peak, heap);
	d->libc_peak = mm_max(d->libc_peak, libc->heap);
	d->heap_end = heap;
	d->libc_end = libc->heap;
	if (st->code == OP_FREE || libc->block == UINT64_MAX)
		return;
	d->blocks++;
	if (heap_block(h, st->slot, &addr, &usable))
		d->placed += addr - START == libc->block;
}

static struct difference compare_shape(unsigned which, u64 seed, const struct report *libc)
{
	struct generator *g = malloc(sizeof(*g));
	struct difference d = {0};
	struct fake f;
	struct heap_model *h = make(&f, HEAP_TOUCH_HEADER);

	assert_non_null(g);
	start(g, &shapes[which], seed);
	for (u32 i = 0; i < shapes[which].steps; i++) {
		struct step st = next_step(g);

		step_model(h, &st);
		compare_step(h, &f, &st, &libc[i], &d);
	}
	check(h);
	heap_model_destroy(h);
	free(g);
	return d;
}

/* The model's heap ends within 1 % (at least one growth step) of the C library's, and almost every
 * block lies where the C library put it. Other versions of glibc differ in detail: sizes only. */
static void test_heap_is_as_large_as_glibc(void **state)
{
	u64 seed = test_seed(3); /* one shape begins with memalign, which sets up no tcache */
	bool same_version = !strcmp(gnu_get_libc_version(), "2.36");

	(void)state;
	if (SANITIZED || getenv("LD_PRELOAD"))
		skip();
	for (unsigned i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct report *libc = ask_libc(i, seed);
		struct difference d;

		if (!libc)
			skip();
		d = compare_shape(i, seed, libc);
		print_message("%-26s heap end %7llu KiB, glibc %7llu; peak %7llu, glibc %7llu; "
			      "%llu of %llu blocks placed alike\n", shapes[i].name,
			      (unsigned long long)d.heap_end >> 10, (unsigned long long)d.libc_end >> 10,
			      (unsigned long long)d.peak >> 10, (unsigned long long)d.libc_peak >> 10,
			      (unsigned long long)d.placed, (unsigned long long)d.blocks);
		assert_in_range(off(d.heap_end, d.libc_end), 0, mm_max(d.libc_end / 100, 135168));
		assert_in_range(off(d.peak, d.libc_peak), 0, mm_max(d.libc_peak / 100, 135168));
		if (same_version)
			assert_int_equal(d.placed, d.blocks);
		free(libc);
	}
}

/* ---- the model by itself ---- */

static void test_random_operations_keep_invariants(void **state)
{
	u64 seed = test_seed(11);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct generator *g = malloc(sizeof(*g));
		struct heap_stats st;
		struct fake f;
		struct heap_model *h = make(&f, i % 2 ? HEAP_TOUCH_BLOCK : HEAP_TOUCH_HEADER);

		assert_non_null(g);
		start(g, &shapes[i], seed);
		for (u32 k = 0; k < 20000; k++) {
			struct step step = next_step(g);

			step_model(h, &step);
			if (k % 500 == 0)
				check(h);
		}
		check(h);
		heap_model_stats(h, &st);
		assert_int_equal(st.live_blocks, g->nr_live);
		assert_int_equal(st.heap_bytes, f.brk - START);
		assert_int_equal(st.mmapped_bytes, f.mapped);
		assert_int_equal(st.failed + st.unknown + st.malformed, 0);
		assert_int_equal(st.in_use - st.mmapped_bytes + st.free_bytes + st.tcache_bytes +
				 st.top_bytes + HEAP_CACHE_SELF * HEAP_UNIT, st.heap_bytes);
		while (g->nr_live)
			release(h, g->live[--g->nr_live]);
		check(h);
		heap_model_stats(h, &st);
		assert_int_equal(st.in_use, 0);
		assert_int_equal(st.mmapped_bytes, 0);
		heap_model_destroy(h);
		free(g);
	}
}

/* 132 KiB steps: M_TOP_PAD and the request, in whole pages. */
static void test_break_moves_in_steps(void **state)
{
	struct fake f;
	struct heap_model *h = make(&f, HEAP_TOUCH_HEADER);
	u64 first;

	(void)state;
	alloc(h, 0, 24);
	first = ALIGN_UP(HEAP_CACHE_SELF * 16 + 128 * KiB + 32, 4096);
	assert_int_equal(first, 132 * KiB);
	assert_int_equal(f.brk - START, first);
	assert_int_equal(address(h, 0), START + HEAP_CACHE_SELF * 16 + 16);
	for (u32 i = 1; i <= 5000; i++)
		alloc(h, i, 24);
	assert_int_equal((f.brk - START) % (132 * KiB), 0);
	assert_true(f.brk - START >= 5000 * 32);
	heap_model_destroy(h);
}

static void test_top_is_trimmed(void **state)
{
	struct fake f;
	struct heap_model *h = make(&f, HEAP_TOUCH_HEADER);
	u64 peak;

	(void)state;
	for (u32 i = 0; i < 100; i++)
		alloc(h, i, 50000);
	peak = f.brk;
	for (u32 i = 100; i-- > 0;)
		release(h, i);
	assert_true(peak - START > 100 * 50000);
	assert_in_range(f.brk - START, 128 * KiB, 128 * KiB + 8192);
	check(h);
	heap_model_destroy(h);
}

static void test_large_blocks_are_mapped_and_raise_the_threshold(void **state)
{
	struct fake f;
	struct heap_model *h = make(&f, HEAP_TOUCH_HEADER);
	struct heap_stats st;

	(void)state;
	alloc(h, 0, 24);
	alloc(h, 1, 128 * KiB - 25); /* one less than the threshold: from the heap */
	assert_int_equal(f.mapped, 0);
	alloc(h, 2, MiB);
	assert_int_equal(f.mapped, MiB + 4096);
	assert_int_equal(address(h, 2) % 4096, 16);
	release(h, 2);
	assert_int_equal(f.mapped, 0);
	alloc(h, 2, MiB); /* as large as the block just freed: still mapped */
	assert_int_equal(f.mapped, 0);
	release(h, 2);
	alloc(h, 3, 40 * MiB);
	release(h, 3);
	alloc(h, 3, 40 * MiB); /* above 32 MiB: always mapped */
	assert_int_equal(f.mapped, 40 * MiB + 4096);
	heap_model_stats(h, &st);
	assert_int_equal(st.mmap_calls, 3);
	check(h);
	heap_model_destroy(h);
}

static void test_realloc_in_place_and_by_mremap(void **state)
{
	struct fake f;
	struct heap_model *h = make(&f, HEAP_TOUCH_HEADER);
	u64 at;

	(void)state;
	alloc(h, 0, 5000);
	at = address(h, 0);
	apply(h, OP_REALLOC, 1, 0, 9000, 0); /* grows into top */
	assert_int_equal(address(h, 0), at);
	alloc(h, 1, 24);
	apply(h, OP_REALLOC, 1, 0, 20000, 0); /* blocked: moves */
	assert_true(address(h, 0) != at);
	apply(h, OP_REALLOC, 1, 0 | 0ull << 32, 100, 0);
	alloc(h, 2, MiB);
	apply(h, OP_REALLOC, 1, 2 | 2ull << 32, 4 * MiB, 0);
	assert_int_equal(f.mapped, 4 * MiB + 4096);
	apply(h, OP_REALLOC, 1, MM_SLOT_NONE | 2ull << 32, 0, 0); /* of 0 bytes */
	assert_int_equal(f.mapped, 0);
	check(h);
	heap_model_destroy(h);
}

static void test_pages_are_touched_once(void **state)
{
	struct fake f;
	struct heap_model *h = make(&f, HEAP_TOUCH_BLOCK);
	u64 after;

	(void)state;
	for (u32 i = 0; i < 1000; i++)
		alloc(h, i, 4000);
	after = f.touches;
	assert_in_range(after, 1000 * 4016 / 4096, 1000 * 4016 / 4096 + 8);
	for (u32 round = 0; round < 3; round++) {
		for (u32 i = 0; i < 900; i++)
			release(h, i);
		for (u32 i = 0; i < 900; i++)
			alloc(h, i, 4000);
	}
	assert_in_range(f.touches, after, after + 8);
	heap_model_destroy(h);
}

static void test_fork_copies_and_touches_again(void **state)
{
	struct fake f, g;
	struct heap_model *h = make(&f, HEAP_TOUCH_BLOCK), *child;
	u64 before;

	(void)state;
	for (u32 i = 0; i < 100; i++)
		alloc(h, i, 100);
	release(h, 7);
	before = f.touches;
	child = heap_model_fork(h, 1, 2);
	assert_non_null(child);
	g = f;
	heap_model_bind(child, &fake_kernel, &g);
	assert_int_equal(address(child, 5), address(h, 5));
	apply(child, OP_MALLOC, 2, 200, 100, 0); /* from the cache that it inherited */
	alloc(h, 300, 100);
	assert_int_equal(address(child, 200), address(h, 300));
	assert_true(g.touches > before && f.touches > before);
	apply(child, OP_FREE, 2, 5, 0, 0);
	check(h);
	check(child);
	assert_int_equal(address(h, 5), address(h, 5));
	heap_exec_reset(child);
	check(child);
	g = (struct fake){.brk = START, .next = MAP_START};
	apply(child, OP_MALLOC, 2, 0, 24, 0);
	assert_int_equal(address(child, 0), START + HEAP_CACHE_SELF * 16 + 16);
	heap_model_destroy(child);
	heap_model_destroy(h);
}

static void test_threads_have_caches(void **state)
{
	struct fake f;
	struct heap_model *h = make(&f, HEAP_TOUCH_HEADER);
	struct heap_stats st;
	u64 at;

	(void)state;
	alloc(h, 0, 100);
	at = address(h, 0);
	apply(h, OP_FREE, 2, 0, 0, 0); /* another thread frees: its cache has the block */
	alloc(h, 1, 100);
	assert_true(address(h, 1) != at);
	apply(h, OP_MALLOC, 2, 2, 100, 0);
	assert_int_equal(address(h, 2), at);
	apply(h, OP_FREE, 2, 2, 0, 0);
	heap_model_stats(h, &st);
	assert_int_equal(st.tcache_bytes, 112);
	heap_thread_exit(h, 2);
	heap_model_stats(h, &st);
	assert_int_equal(st.tcache_bytes, 0);
	check(h);
	heap_model_destroy(h);
}

static void test_a_kernel_that_refuses(void **state)
{
	struct fake f;
	struct heap_model *h = make(&f, HEAP_TOUCH_HEADER);
	struct heap_stats st;

	(void)state;
	alloc(h, 0, 24);
	f.refuse_brk = 1;
	for (u32 i = 1; i < 100; i++)
		alloc(h, i, 5000); /* the heap is full: mappings */
	heap_model_stats(h, &st);
	assert_int_equal(st.failed, 0);
	assert_true(st.mmapped_blocks > 50);
	f.refuse_mmap = 1;
	for (u32 i = 100; i < 200; i++)
		alloc(h, i, 5000);
	heap_model_stats(h, &st);
	assert_int_equal(st.failed, 100);
	apply(h, OP_REALLOC, 1, 60 | 60ull << 32, 9000, 0);
	check(h);
	for (u32 i = 0; i < 100; i++)
		release(h, i);
	release(h, 150); /* never got its memory */
	heap_model_stats(h, &st);
	assert_int_equal(st.unknown, 1);
	assert_int_equal(st.in_use, 0);
	check(h);
	heap_model_destroy(h);
}

static void test_impossible_operations(void **state)
{
	struct fake f;
	struct heap_model *h = make(&f, HEAP_TOUCH_HEADER);
	struct heap_stats st;

	(void)state;
	release(h, MM_SLOT_NONE);
	release(h, 3);
	alloc(h, MM_MAX_HEAP_SLOTS, 10);
	alloc(h, 1, 10);
	alloc(h, 1, 10); /* over a live block */
	alloc(h, 2, UINT64_MAX);
	apply(h, OP_MEMALIGN, 1, 4, 100, 1ull << 63);
	apply(h, OP_MEMALIGN, 1, 5, UINT64_MAX, 48);
	apply(h, OP_REALLOC, 1, 1 | 1ull << 32, UINT64_MAX, 0);
	apply(h, OP_REALLOC, 1, 6 | (u64)MM_SLOT_NONE << 32, 100, 0);
	apply(h, OP_MMAP, 1, 1, 100, 0);
	heap_model_stats(h, &st);
	assert_int_equal(st.unknown, 2);
	assert_int_equal(st.malformed, 2);
	assert_int_equal(st.failed, 4);
	assert_int_equal(st.live_blocks, 2);
	check(h);
	heap_model_destroy(h);
}

static void test_accounting_only(void **state)
{
	struct heap_params p = {.page_shift = 12, .account_only = true};
	struct heap_model *h = heap_model_create(&p); /* no kernel: none may be called */
	struct heap_stats st;

	(void)state;
	assert_non_null(h);
	alloc(h, 0, 24);
	alloc(h, 1, MiB);
	apply(h, OP_REALLOC, 1, 2 | 1ull << 32, 2 * MiB, 0);
	release(h, 0);
	release(h, 9);
	heap_model_stats(h, &st);
	assert_int_equal(st.in_use, 2 * MiB + 16);
	assert_int_equal(st.live_blocks, 1);
	assert_int_equal(st.unknown, 1);
	assert_int_equal(st.heap_bytes + st.mmapped_bytes, 0);
	check(h);
	heap_model_destroy(h);
}

/* The check finds what it says it finds. */
static void test_check_finds_damage(void **state)
{
	struct fake f;
	struct heap_model *h = make(&f, HEAP_TOUCH_HEADER);
	char why[200];
	u32 c;

	(void)state;
	for (u32 i = 0; i < 20; i++)
		alloc(h, i, 2000);
	for (u32 i = 0; i < 20; i += 2)
		release(h, i);
	check(h);
	c = h->slots[5].chunk;
	h->units[c].a += 1 << HEAP_FLAG_BITS;
	assert_int_not_equal(heap_model_check(h, why, sizeof(why)), 0);
	h->units[c].a -= 1 << HEAP_FLAG_BITS;
	h->slots[5].size++;
	assert_int_equal(heap_model_check(h, why, sizeof(why)), 5);
	h->slots[5].size--;
	h->slots[3] = h->slots[5];
	assert_int_equal(heap_model_check(h, why, sizeof(why)), 5);
	h->slots[3].accounted = 0;
	assert_int_equal(heap_model_check(h, why, sizeof(why)), 6);
	h->bin_map[0] ^= BIT(40);
	assert_int_equal(heap_model_check(h, why, sizeof(why)), 3);
	heap_model_destroy(h);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_break_moves_in_steps),
		cmocka_unit_test(test_top_is_trimmed),
		cmocka_unit_test(test_large_blocks_are_mapped_and_raise_the_threshold),
		cmocka_unit_test(test_realloc_in_place_and_by_mremap),
		cmocka_unit_test(test_pages_are_touched_once),
		cmocka_unit_test(test_fork_copies_and_touches_again),
		cmocka_unit_test(test_threads_have_caches),
		cmocka_unit_test(test_a_kernel_that_refuses),
		cmocka_unit_test(test_impossible_operations),
		cmocka_unit_test(test_accounting_only),
		cmocka_unit_test(test_check_finds_damage),
		cmocka_unit_test(test_random_operations_keep_invariants),
		cmocka_unit_test(test_heap_is_as_large_as_glibc),
	};

	if (argc == 4 && !strcmp(argv[1], "--libc"))
		return libc_side((unsigned)atoi(argv[2]) % ARRAY_SIZE(shapes), strtoull(argv[3], NULL, 0));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
