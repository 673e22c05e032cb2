/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine through its public header: operations in, counters and invariants out. */
#include "core/base/prng.h"
#include "core/machine.h"
#include "tests/machine_boot.h"

#include <errno.h>

#define PAGE 4096ull

struct rig {
	struct machine *m;
	struct mm_result r;
	u64 ts;
};

static const char *const plain[] = {"mem=256M", NULL};

static void apply(struct rig *g, struct mm_op op)
{
	op.ts = g->ts += 1000;
	machine_apply(g->m, &op, 1, NULL, &g->r);
}

static s64 apply_ext(struct rig *g, struct mm_op op, struct mm_op_ext ext)
{
	struct mm_op pair[2] = {op};
	struct mm_result res[2];

	pair[0].ts = g->ts += 1000;
	pair[0].flags |= MM_OP_HAS_EXT;
	ext.code = OP_EXT;
	memcpy(&pair[1], &ext, sizeof(ext));
	machine_apply(g->m, pair, 2, NULL, res);
	g->r = res[0];
	return res[0].value;
}

static void define(struct rig *g, u32 task, u32 pid)
{
	apply(g, (struct mm_op){.code = OP_TASK, .task = task, .addr = pid, .len = pid});
}

static s64 map(struct rig *g, u32 task, u64 addr, u64 pages, u16 prot, u32 flags)
{
	return apply_ext(g, (struct mm_op){.code = OP_MMAP, .task = task, .addr = addr, .len = pages * PAGE,
					   .flags = prot},
			 (struct mm_op_ext){.x0 = flags, .has = MM_EXT_X0});
}

static unsigned touch(struct rig *g, u32 task, u64 addr, u8 access)
{
	apply(g, (struct mm_op){.code = OP_FAULT, .task = task, .addr = addr, .flags = access});
	return g->r.res;
}

static s64 counter(struct rig *g, const char *name)
{
	struct vmstat_snapshot s;

	machine_vmstat(g->m, &s);
	return s.v[vmstat_by_name(name)];
}

static void assert_sound(struct rig *g)
{
	char why[512];

	if (machine_check(g->m, why, sizeof(why)))
		fail_msg("%s", why);
}

static struct rig start(const char *const *sets)
{
	struct rig g = {.m = boot_machine_sets(sets)};

	define(&g, 1, 100);
	apply(&g, (struct mm_op){.code = OP_SPAWN, .task = 1});
	assert_int_equal(g.r.value, 0);
	return g;
}

#define ANON (MM_MAP_PRIVATE | MM_MAP_ANON)
#define RW   (MM_PROT_READ | MM_PROT_WRITE)

static void test_anonymous_life(void **state)
{
	struct rig g = start(plain);
	s64 a = map(&g, 1, 0, 8, RW, ANON);

	(void)state;
	assert_true(a > 0);
	assert_int_equal(touch(&g, 1, (u64)a, MM_ACCESS_READ), RES_MINOR);
	assert_int_equal(counter(&g, "zero_page_maps"), 1);
	assert_int_equal(touch(&g, 1, (u64)a, MM_ACCESS_READ), RES_NONE);
	assert_int_equal(touch(&g, 1, (u64)a, MM_ACCESS_WRITE), RES_MINOR);
	assert_int_equal(touch(&g, 1, (u64)a, MM_ACCESS_WRITE), RES_NONE);
	assert_int_equal(touch(&g, 1, (u64)a + PAGE, MM_ACCESS_WRITE), RES_MINOR);
	assert_int_equal(touch(&g, 1, (u64)a + 8 * PAGE, MM_ACCESS_WRITE), RES_SIGSEGV);
	assert_int_equal(counter(&g, "nr_anon_pages"), 2);
	assert_int_equal(counter(&g, "pgfault"), 3);
	assert_int_equal(counter(&g, "nr_page_table_pages"), 4);
	assert_sound(&g);
	apply(&g, (struct mm_op){.code = OP_MUNMAP, .task = 1, .addr = (u64)a, .len = 8 * PAGE});
	assert_int_equal(g.r.value, 0);
	apply(&g, (struct mm_op){.code = OP_DRAIN});
	assert_int_equal(counter(&g, "nr_anon_pages"), 0);
	assert_int_equal(counter(&g, "nr_page_table_pages"), 1);
	assert_sound(&g);
	machine_destroy(g.m);
}

static void test_fork_copies_on_write(void **state)
{
	struct rig g = start(plain);
	u64 a = (u64)map(&g, 1, 0x10000000, 4, RW, ANON | MM_MAP_FIXED);

	(void)state;
	for (u64 i = 0; i < 4; i++)
		assert_int_equal(touch(&g, 1, a + i * PAGE, MM_ACCESS_WRITE), RES_MINOR);
	define(&g, 2, 101);
	apply(&g, (struct mm_op){.code = OP_FORK, .task = 1, .arg = 2});
	assert_int_equal(g.r.value, 0);
	assert_int_equal(counter(&g, "nr_anon_pages"), 4);
	assert_sound(&g);
	assert_int_equal(touch(&g, 2, a, MM_ACCESS_WRITE), RES_MINOR);
	assert_int_equal(counter(&g, "cow_copies"), 1);
	assert_int_equal(touch(&g, 1, a, MM_ACCESS_WRITE), RES_MINOR);
	assert_int_equal(counter(&g, "cow_reuses"), 1);
	assert_int_equal(touch(&g, 1, a, MM_ACCESS_WRITE), RES_NONE);
	assert_sound(&g);
	apply(&g, (struct mm_op){.code = OP_EXIT, .task = 1});
	assert_int_equal(touch(&g, 2, a + PAGE, MM_ACCESS_WRITE), RES_MINOR);
	assert_int_equal(counter(&g, "cow_reuses"), 2);
	assert_sound(&g);
	apply(&g, (struct mm_op){.code = OP_EXIT, .task = 2});
	apply(&g, (struct mm_op){.code = OP_DRAIN});
	assert_int_equal(counter(&g, "nr_anon_pages"), 0);
	assert_int_equal(counter(&g, "nr_page_table_pages"), 0);
	assert_sound(&g);
	machine_destroy(g.m);
}

/* All memory comes back: free pages after everything ended equal free pages after boot. */
static s64 random_life(u64 seed, const char *const *sets, u64 steps, u64 *hash)
{
	struct rig g = start(sets);
	struct prng prng;
	u32 tasks = 1;
	s64 faults;

	prng_seed(&prng, seed);
	for (u64 i = 0; i < steps; i++) {
		u32 t = 1 + (u32)prng_below(&prng, tasks);
		u64 page = 1 + prng_below(&prng, 200), at = 0x10000000 + page * 65536;
		u64 len = (1 + prng_below(&prng, 16)) * 65536;

		switch (prng_below(&prng, 12)) {
		case 0:
			map(&g, t, at, len / PAGE, prng_below(&prng, 4) ? RW : MM_PROT_READ,
			    (prng_below(&prng, 5) ? MM_MAP_PRIVATE : MM_MAP_SHARED) | MM_MAP_ANON | MM_MAP_FIXED);
			break;
		case 1:
			apply(&g, (struct mm_op){.code = OP_MUNMAP, .task = t, .addr = at, .len = len});
			break;
		case 2:
			apply(&g, (struct mm_op){.code = OP_MPROTECT, .task = t, .addr = at, .len = len,
						 .flags = prng_below(&prng, 2) ? RW : MM_PROT_READ});
			break;
		case 3:
			if (tasks < 6) {
				tasks++;
				define(&g, tasks, 100 + tasks);
				apply(&g, (struct mm_op){.code = OP_FORK, .task = t, .arg = tasks});
			}
			break;
		case 4:
			apply_ext(&g, (struct mm_op){.code = OP_MREMAP, .task = t, .addr = at, .len = len,
						     .arg = len * 2},
				  (struct mm_op_ext){.x0 = MM_MREMAP_MAYMOVE, .has = MM_EXT_X0});
			break;
		case 5:
			apply(&g, (struct mm_op){.code = prng_below(&prng, 2) ? OP_MLOCK : OP_MUNLOCK, .task = t,
						 .addr = at, .len = 65536});
			break;
		case 6:
			apply(&g, (struct mm_op){.code = OP_MADVISE, .task = t, .addr = at, .len = len,
						 .flags = MM_MADV_DONTNEED});
			break;
		default:
			for (u64 k = 0; k < 8; k++)
				touch(&g, t, at + k * 65536, (u8)prng_below(&prng, 2));
		}
		if (i % (steps / 20) == 0)
			assert_sound(&g);
	}
	assert_sound(&g);
	*hash = machine_hash(g.m);
	for (u32 t = 1; t <= tasks; t++)
		apply(&g, (struct mm_op){.code = OP_EXIT, .task = t});
	apply(&g, (struct mm_op){.code = OP_DRAIN});
	assert_sound(&g);
	assert_int_equal(counter(&g, "nr_anon_pages"), 0);
	assert_int_equal(counter(&g, "nr_page_table_pages"), 0);
	assert_int_equal(counter(&g, "nr_mlock"), 0);
	assert_int_equal(counter(&g, "nr_shmem"), 0);
	faults = counter(&g, "pgfault");
	machine_destroy(g.m);
	return faults;
}

static void test_random_storm_on_every_geometry(void **state)
{
	static const char *const machines[][5] = {
		{"mem=512M", NULL},
		{"mem=512M", "va=39", NULL},
		{"mem=512M", "page=16k", "va=47", NULL},
		{"mem=512M", "page=16k", "va=36", NULL},
		{"mem=512M", "page=64k", "va=42", NULL},
		{"mem=512M", "page=64k", "va=48", "hwad=1", NULL},
		{"mem=512M", "data=bytes", "policy=4.12", NULL},
		{"mem=512M", "policy=modern", NULL},
		{"mem=512M", "vma=btree", NULL},
	};
	u64 seed = test_seed(11);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		u64 first, second;
		s64 a = random_life(seed + i, machines[i], 2000, &first);
		s64 b = random_life(seed + i, machines[i], 2000, &second);

		assert_int_equal(a, b);
		assert_int_equal(first, second);
	}
}

static void test_unknown_task_and_code_are_skipped(void **state)
{
	struct rig g = start(plain);

	(void)state;
	apply(&g, (struct mm_op){.code = OP_MUNMAP, .task = 77, .addr = 0, .len = PAGE});
	assert_int_equal(machine_skipped(g.m, OP_MUNMAP), 1);
	apply(&g, (struct mm_op){.code = OP_FAULT, .task = 0xffffffff, .addr = 0});
	assert_int_equal(machine_skipped(g.m, OP_FAULT), 1);
	apply(&g, (struct mm_op){.code = 99}); /* no operation has it */
	assert_int_equal(machine_skipped(g.m, 99), 1);
	machine_destroy(g.m);
}

static void test_views_print_something(void **state)
{
	struct rig g = start(plain);

	(void)state;
	map(&g, 1, 0, 4, RW, ANON);
	for (unsigned i = 0; machine_view_name(i); i++) {
		char *text = NULL;
		size_t n = 0;
		FILE *f = open_memstream(&text, &n);
		int r = machine_show(g.m, machine_view_name(i), f);

		fclose(f);
		if (!r)
			assert_true(n > 0 || !strcmp(machine_view_name(i), "vmallocinfo")); /* nothing mapped yet */
		else
			assert_int_equal(r, -ENOENT);
		free(text);
	}
	machine_destroy(g.m);
}

static void test_a_terabyte_boots(void **state)
{
	static const char *const huge[] = {"mem=1T", NULL};
	struct rig g = start(huge);
	s64 a = map(&g, 1, 0, 8, RW, ANON);

	(void)state;
	assert_int_equal(touch(&g, 1, (u64)a, MM_ACCESS_WRITE), RES_MINOR);
	machine_destroy(g.m);
}

static void test_impossible_machines_are_refused(void **state)
{
	struct machine_config c;
	char err[512] = "";

	(void)state;
	config_init(&c);
	assert_int_equal(config_set_pair(&c, "mem=8K", err, sizeof(err)), 0);
	assert_int_equal(config_finish(&c, err, sizeof(err)), 0);
	assert_null(machine_create(&c, err, sizeof(err)));
	assert_true(err[0]);
}

#define READS 6000u

/* A file twice the size of memory, and one that is open for writing only. */
static struct rig start_readers(void)
{
	static const char *const small[] = {"mem=16M", NULL};
	struct rig g = start(small);

	apply_ext(&g, (struct mm_op){.code = OP_FILE, .arg = 1, .len = 8192 * PAGE}, (struct mm_op_ext){.has = 0});
	apply_ext(&g, (struct mm_op){.code = OP_FILE, .arg = 2, .len = 64 * PAGE},
		  (struct mm_op_ext){.x2 = MM_FMODE_WRITE, .has = MM_EXT_X2});
	return g;
}

/*
 * Reads in a row are applied together, with look-ahead; one that carries an (empty) extension takes the way of all
 * other operations. Answers, counters and the machine behind them are the same.
 */
static void test_runs_of_reads_equal_reads_one_by_one(void **state)
{
	static struct mm_op ops[READS];
	static struct mm_result together[READS];
	struct rig a = start_readers(), b = start_readers();
	struct vmstat_snapshot sa, sb;
	u64 failed = 0;
	struct prng r;

	(void)state;
	prng_seed(&r, test_seed(1));
	for (u32 i = 0; i < READS; i++) {
		u64 page = prng_below(&r, prng_below(&r, 4) ? 8300 : 900); /* some hot, some behind the end */

		ops[i] = (struct mm_op){.code = OP_FREAD, .ts = a.ts + 1000 * (i + 1), .arg = 1 + !prng_below(&r, 50),
					.addr = page * PAGE, .len = 1 + prng_below(&r, 3 * PAGE)};
	}
	machine_apply(a.m, ops, READS, NULL, together);
	for (u32 i = 0; i < READS; i++) {
		assert_int_equal(apply_ext(&b, ops[i], (struct mm_op_ext){.has = 0}), together[i].value);
		assert_int_equal(together[i].res, b.r.res);
		failed += together[i].value < 0;
	}
	assert_true(failed > READS / 100);
	assert_int_equal(machine_errors(a.m, OP_FREAD), failed);
	assert_int_equal(machine_errors(b.m, OP_FREAD), failed);
	machine_vmstat(a.m, &sa);
	machine_vmstat(b.m, &sb);
	assert_memory_equal(sa.v, sb.v, sizeof(sa.v));
	assert_true(counter(&a, "workingset_refault") > 0);
	assert_true(machine_hash(a.m) == machine_hash(b.m));
	assert_sound(&a);
	machine_destroy(a.m);
	machine_destroy(b.m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_anonymous_life),
		cmocka_unit_test(test_fork_copies_on_write),
		cmocka_unit_test(test_random_storm_on_every_geometry),
		cmocka_unit_test(test_unknown_task_and_code_are_skipped),
		cmocka_unit_test(test_views_print_something),
		cmocka_unit_test(test_a_terabyte_boots),
		cmocka_unit_test(test_impossible_machines_are_refused),
		cmocka_unit_test(test_runs_of_reads_equal_reads_one_by_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
