/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A12.7: a machine that is gone has left nothing on the host, whatever it was and did, and neither has one
 * that could not boot. Every host allocation of the program goes through this file (linked with --wrap,
 * cmake/tests_extra.cmake), which counts what lives and can refuse the n-th; so it judges mappings, too, which
 * a leak sanitizer does not see. scripts/test runs all unit tests under such a one besides.
 */
#include <errno.h>

#include "core/base/limits.h"
#include "core/machine/machine_types.h"
#include "core/phys/page_alloc.h"
#include "tests/scenario.h"
#include "workloads/workload.h"

/* ---- the allocations ---- */

#define SLOTS (1u << 16)

static struct live {
	void *p;
	size_t bytes; /* of a mapping; 0: of the heap */
} live[SLOTS];
static u64 nr_live;
static u64 refuse; /* the refuse-th allocation from now is refused; 0: none */
static u64 refuse_page;

static u32 slot_of(const void *p)
{
	u32 i = (u32)((uintptr_t)p >> 4) * 2654435761u;

	for (i %= SLOTS; live[i].p && live[i].p != p; i = (i + 1) % SLOTS)
		;
	return i;
}

static void *born(void *p, size_t bytes)
{
	if (p) {
		live[slot_of(p)] = (struct live){p, bytes};
		if (++nr_live > SLOTS / 2)
			abort();
	}
	return p;
}

static void gone(const void *p)
{
	u32 i = slot_of(p), k;

	if (!live[i].p) /* the C library's own, such as of a stream in memory */
		return;
	nr_live--;
	live[i].p = NULL;
	for (k = (i + 1) % SLOTS; live[k].p; k = (k + 1) % SLOTS) { /* close the gap for those behind */
		struct live moved = live[k];

		live[k].p = NULL;
		live[slot_of(moved.p)] = moved;
	}
}

static bool refused(void)
{
	return refuse && !--refuse;
}

/* Hands the call to the library and keeps the books; names as ld --wrap wants them. */
#define ALLOCATOR(type, name, params, args)                                                        \
	type __real_##name params;                                                                 \
	type __wrap_##name params;                                                                 \
	type __wrap_##name params                                                                  \
	{                                                                                          \
		return refused() ? NULL : born(__real_##name args, 0);                             \
	}

ALLOCATOR(void *, malloc, (size_t n), (n))
ALLOCATOR(void *, calloc, (size_t n, size_t size), (n, size))
ALLOCATOR(void *, aligned_alloc, (size_t align, size_t n), (align, n))
ALLOCATOR(char *, strdup, (const char *s), (s))

void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n)
{
	void *q;

	if (refused())
		return NULL;
	gone(p);
	q = __real_realloc(p, n);
	born(q ? q : p, 0);
	return q;
}

void __real_free(void *p);
void __wrap_free(void *p);
void __wrap_free(void *p)
{
	gone(p);
	__real_free(p);
}

void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off)
{
	void *p = refused() ? MAP_FAILED : __real_mmap(at, n, prot, flags, fd, off);

	return p == MAP_FAILED ? p : born(p, n);
}

int __real_munmap(void *p, size_t n);
int __wrap_munmap(void *p, size_t n);
int __wrap_munmap(void *p, size_t n)
{
	if (live[slot_of(p)].p && live[slot_of(p)].bytes != n)
		abort(); /* part of a mapping stays behind */
	gone(p);
	return __real_munmap(p, n);
}

/* Pages of the machine, for boot. */
struct page *__real_alloc_pages(struct phys *phys, unsigned cpu, gfp_t gfp, unsigned order);
struct page *__wrap_alloc_pages(struct phys *phys, unsigned cpu, gfp_t gfp, unsigned order);
struct page *__wrap_alloc_pages(struct phys *phys, unsigned cpu, gfp_t gfp, unsigned order)
{
	return refuse_page && !--refuse_page ? NULL : __real_alloc_pages(phys, cpu, gfp, order);
}

/* ---- machines ---- */

static const char *const machines[] = {
	"mem=64M",
	"mem=64M data=bytes swap=32M",
	"mem=48M swap=64M swap_ssd=1 swap_slots=slots ncpu=2",
	"mem=64M page=16k va=47 policy=4.12 swap=32M",
	"mem=256M page=64k va=42 vma=btree",
	"mem=64M policy=modern swap=32M oom=reaper kcompactd=1 ksm_run=1 ksm_all=1",
	"mem=128M nodes=2 ncpu=4 smp=1 threads=manual",
	"mem=64M slab=slub vmapstack=1 events=4096 tlb=64",
	"mem=64M reclaim=node anonws=1 lazyfree=1 swap=32M threads=inline",
	"mem=64M reclaim=node mglru=1 swap=32M",
	"mem=64M memlimit=16M swap=32M psi_window=1",
	"mem=64M ksm_run=1 ksm_order=hash ksm_all=1 data=bytes",
	"mem=64M slabdebug=1 debug_vm=1 place=own",
	"arch=arm32 machine=vexpress mem=96M debug_highmem=1 swap=32M",
	"arch=arm32 machine=vexpress lpae=1 mem=96M slab=slub",
	"arch=arm32 machine=x86pc mem=64M highmem=0 ideal=1",
};

static struct machine *create(const char *settings, char *err, size_t n)
{
	struct machine_config c;
	char copy[256], *save = NULL;

	config_init(&c);
	snprintf(copy, sizeof(copy), "%s", settings);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		if (config_set_pair(&c, w, err, n))
			fail_msg("%s: %s", settings, err);
	if (config_finish(&c, err, n))
		fail_msg("%s: %s", settings, err);
	err[0] = 0;
	return machine_create(&c, err, n);
}

/* Fails with what was left since there were @before allocations. */
static void assert_balance(u64 before, const char *what, const char *settings, u64 nth)
{
	if (nr_live == before)
		return;
	print_message("%s: %s %llu: %lld allocations stay behind\n", settings, what, (unsigned long long)nth,
		      (long long)(nr_live - before));
	fail();
}

/* ---- real work ---- */

/*
 * Records of the text trace up to @share of it, so that what it makes is still there; the @nth host allocation
 * they need is refused. What is left of @nth.
 */
static u64 play(struct machine *m, const char *path, double share, u64 nth)
{
	char err[512];
	struct trace_reader *r = trace_open(path, TRACE_READ_INLINE, err, sizeof(err));
	const struct mm_op *ops;
	ssize_t n;

	if (!r)
		fail_msg("%s", err);
	while ((n = trace_next(r, &ops)) > 0) {
		struct op_strings strings = trace_reader_strings(r);
		size_t some = (size_t)((double)n * share);

		if (some && some < (size_t)n && ops[some - 1].flags & MM_OP_HAS_EXT)
			some++;
		refuse = nth;
		machine_apply(m, ops, some, &strings, NULL);
		nth = refuse;
		refuse = 0;
	}
	assert_int_equal(n, 0);
	trace_close(r);
	return nth;
}

static void run_workloads(struct machine *m, size_t records)
{
	static struct mm_op ops[MM_MAX_OP_BATCH];
	const struct workload *w;

	for (unsigned i = 0; (w = workload_at(i)); i++) {
		struct workload_options o = {.seed = 3};
		struct workload_run run;
		struct op_strings strings;
		char err[256];
		size_t n, done = 0;

		workload_prepare(&run, w);
		assert_int_equal(workload_start(&run, &o, err, sizeof(err)), 0);
		strings = workload_strings(&run);
		for (; done < records && (n = workload_next(&run, ops, WORKLOAD_BURST)) > 0; done += n)
			machine_apply(m, ops, n, &strings, NULL);
		workload_stop(&run);
	}
}

static void look_at_everything(struct machine *m)
{
	const char *view;
	FILE *out = fopen("/dev/null", "w");

	assert_non_null(out);
	for (unsigned i = 0; (view = machine_view_name(i)); i++) {
		u64 hash = machine_hash(m);

		/* lru_gen: with mglru=1 only; layout: not of x86pc */
		if (machine_show(m, view, out) && strcmp(view, "lru_gen") && strcmp(view, "layout"))
			fail_msg("no view %s", view);
		if (machine_hash(m) != hash)
			fail_msg("looking at %s changes the machine", view);
	}
	fclose(out);
}

static void test_A12_7_work(void **state)
{
	char path[64], err[512];
	int fd = scenario_file(path);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		for (int part = 0; part < 3; part++) {
			u64 before = nr_live;
			struct machine *m = create(machines[i], err, sizeof(err)), *again;
			struct machine_snapshot *s;

			if (!m)
				fail_msg("%s: %s", machines[i], err);
			assert_true(nr_live > before + 5);
			assert_int_equal(machine_keep_history(m), 0);
			play(m, path, part == 2 ? 1 : 0.75, 0); /* part 0 and 1: most of it is alive at the end */
			if (part)
				run_workloads(m, 2000);
			look_at_everything(m);
			s = machine_snapshot(m);
			assert_non_null(s);
			if (part == 2) {
				again = machine_restore(s, err, sizeof(err));
				if (!again)
					fail_msg("%s: %s", machines[i], err);
				machine_destroy(again);
			}
			machine_snapshot_free(s);
			machine_destroy(m);
			assert_balance(before, "part", machines[i], (u64)part);
		}
	close(fd);
}

/* The n-th host allocation of a machine at work is refused, for every n. */
static void test_work_without_memory(void **state)
{
	char path[64], err[512], why[256];
	int fd = scenario_file(path);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		u64 nth = 0, left;

		do {
			u64 before = nr_live;
			struct machine *m = create(machines[i], err, sizeof(err));

			left = play(m, path, 1, ++nth);
			if (machine_check(m, why, sizeof(why)))
				fail_msg("%s: allocation %llu: %s", machines[i], (unsigned long long)nth, why);
			machine_destroy(m);
			assert_balance(before, "allocation at work", machines[i], nth);
		} while (!left);
		print_message("%s: %llu allocations were refused\n", machines[i], (unsigned long long)nth - 1);
		assert_true(nth > 10);
	}
	close(fd);
}

/* ---- failing boots ---- */

/* Refuses *@which = 1, 2, ... until boot does not ask that often; how many boots failed. */
static u64 fail_boots(const char *settings, u64 *which, const char *what)
{
	u64 nth, failed = 0;

	for (nth = 1;; nth++) {
		char err[512];
		u64 before = nr_live, left;
		struct machine *m;

		*which = nth;
		m = create(settings, err, sizeof(err));
		left = *which;
		*which = 0;
		if (!m) {
			failed++;
			if (!err[0] || strchr(err, '\n'))
				fail_msg("%s: %s %llu: no line says why", settings, what, (unsigned long long)nth);
		}
		machine_destroy(m);
		assert_balance(before, what, settings, nth);
		if (left)
			return failed;
	}
}

static void test_A12_7_boot(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		u64 host = fail_boots(machines[i], &refuse, "host allocation");
		u64 pages = fail_boots(machines[i], &refuse_page, "page");

		print_message("%s: %llu boots failed for want of host memory, %llu of pages\n", machines[i],
			      (unsigned long long)host, (unsigned long long)pages);
		assert_true(host > 10);
	}
}

/* Machines too small to boot, and a little larger, and so on. */
static void test_small_machines(void **state)
{
	unsigned failed = 0, booted = 0;

	(void)state;
	for (unsigned kib = 256; kib <= 4096; kib += 64) {
		u64 before = nr_live;
		char settings[96], err[512];
		struct machine *m;

		snprintf(settings, sizeof(settings), "mem=%uK kernel_size=0 ncpu=%u", kib, 1 + kib / 64 % 4);
		m = create(settings, err, sizeof(err));
		failed += !m;
		booted += m != NULL;
		machine_destroy(m);
		assert_balance(before, "KiB", settings, kib);
	}
	assert_true(failed && booted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A12_7_work),
		cmocka_unit_test(test_work_without_memory),
		cmocka_unit_test(test_A12_7_boot),
		cmocka_unit_test(test_small_machines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
