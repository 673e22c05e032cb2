/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random operations of several tasks on a machine too small for them, against a model that knows
 * only what each address must read: nothing lost, nothing mixed up, all invariants whole.
 * MEMRIG_STORM=n makes it n times longer.
 */
#include "core/base/prng.h"
#include "tests/reclaim_rig.h"

#define NTASKS	 4u
#define NPAGES	 4096u /* of the anonymous area of a task, at most */
#define NFILE	 2048u
#define FILE_AT	 0x40000000ull
#define SHMEM_AT 0x60000000ull

struct storm {
	struct rrig g;
	struct prng rnd;
	u64 pages;		  /* of an anonymous area */
	u64 anon[NTASKS][NPAGES]; /* contents; 0: zeros */
	bool alive[NTASKS];
	u64 file[NFILE], shmem[NFILE];
	u64 next_tag, verified, kills;
};

static u64 pick(struct storm *s, u64 n)
{
	return prng_below(&s->rnd, n);
}

static struct task *task(struct storm *s, u32 i)
{
	return vm_task(s->g.vm, i + 1);
}

static void map_all(struct storm *s, struct task *t)
{
	rrig_map(&s->g, t, BASE, s->pages);
	assert_int_equal(sys_mmap(s->g.vm, t, FILE_AT, NFILE * PG, MM_PROT_READ | MM_PROT_WRITE,
				  MM_MAP_SHARED | MM_MAP_FIXED, 1, 0, 0),
			 FILE_AT);
	assert_int_equal(sys_mmap(s->g.vm, t, SHMEM_AT, NFILE * PG, MM_PROT_READ | MM_PROT_WRITE,
				  MM_MAP_SHARED | MM_MAP_FIXED, 2, 0, 0),
			 SHMEM_AT);
}

/* Between operations, as the machine's own loop: daemons, exits of the killed. */
static void between(struct storm *s)
{
	struct hw *hw = &s->g.m->hw;

	clock_run(hw, hw->now + 1 + pick(s, 2000));
	reclaim_sched_point(&s->g.m->reclaim);
	for (u32 i = 0; i < NTASKS; i++)
		if (s->alive[i] && !task(s, i)->mm) {
			s->alive[i] = false;
			s->kills++;
		}
}

/* The current task may be killed in the middle of its access: then the answer says nothing. */
static bool dead(const struct task *t)
{
	return !t->mm || t->killed;
}

static void verify(struct storm *s, u32 i, vaddr_t at, u64 want)
{
	struct task *t = task(s, i);
	enum mm_op_res r = mm_access(s->g.vm, t, at, MM_ACCESS_READ);
	u64 tag = 0;

	if (r > RES_MAJOR) {
		assert_true(dead(t));
		return;
	}
	if (dead(t))
		return;
	assert_true(mm_read_tag(s->g.vm, t, at, &tag));
	if (tag != want)
		fail_msg("task %u address %#llx: %llu instead of %llu", i, (unsigned long long)at,
			 (unsigned long long)tag, (unsigned long long)want);
	s->verified++;
}

/* True if the write arrived. */
static bool store(struct storm *s, u32 i, vaddr_t at, u64 tag)
{
	struct task *t = task(s, i);

	if (mm_write_tag(s->g.vm, t, at, 1, tag) <= RES_MAJOR)
		return true;
	assert_true(dead(t));
	return false;
}

/* A new process that has written all its pages once, if it lives that long. */
static void revive(struct storm *s, u32 i)
{
	if (vm_spawn(s->g.vm, task(s, i), 0, 0))
		return;
	s->g.m->hw.task = i + 1;
	map_all(s, task(s, i));
	memset(s->anon[i], 0, sizeof(s->anon[i]));
	s->alive[i] = true;
	for (u64 p = 0; p < s->pages && s->alive[i]; p++) {
		if (store(s, i, BASE + p * PG, s->next_tag + 1))
			s->anon[i][p] = ++s->next_tag;
		between(s);
	}
}

/* Skewed, so that there are hot and cold pages. */
static u64 some_page(struct storm *s, u64 n)
{
	return pick(s, 3) ? pick(s, n / 4 + 1) : pick(s, n);
}

static void op_fork(struct storm *s, u32 from)
{
	for (u32 to = 0; to < NTASKS; to++) {
		if (s->alive[to])
			continue;
		if (vm_fork(s->g.vm, task(s, from), task(s, to)))
			return; /* no memory: nothing happened */
		memcpy(s->anon[to], s->anon[from], sizeof(s->anon[to]));
		s->alive[to] = true;
		return;
	}
}

static void op_exit(struct storm *s, u32 i)
{
	u32 others = 0;

	for (u32 k = 0; k < NTASKS; k++)
		others += s->alive[k];
	if (others < 2)
		return;
	vm_exit(s->g.vm, task(s, i));
	s->alive[i] = false;
}

/* Where it stops at a locked area, what lies before is gone all the same. */
static void op_dontneed(struct storm *s, u32 i, u64 p)
{
	bool all = !sys_madvise(s->g.vm, task(s, i), BASE + p * PG, 16 * PG, MM_MADV_DONTNEED);

	for (u64 k = p; k < p + 16; k++) {
		u64 tag;

		if (!all) {
			if (mm_access(s->g.vm, task(s, i), BASE + k * PG, MM_ACCESS_READ) >
				    RES_MAJOR ||
			    !mm_read_tag(s->g.vm, task(s, i), BASE + k * PG, &tag) || tag)
				continue;
		}
		s->anon[i][k] = 0;
	}
}

static void one(struct storm *s)
{
	u32 i = (u32)pick(s, NTASKS);
	u64 p, tag = s->next_tag + 1;

	if (!s->alive[i]) {
		if (!pick(s, 8))
			revive(s, i);
		return;
	}
	s->g.m->hw.task = i + 1;
	s->g.m->hw.cpu = (unsigned)pick(s, s->g.m->hw.ncpu);
	if (!pick(s, 500)) {
		op_fork(s, i);
		return;
	}
	if (!pick(s, 900)) {
		op_exit(s, i);
		return;
	}
	switch (pick(s, 80)) {
	case 2:
		p = pick(s, s->pages - 16);
		if (pick(s, 8))
			return;
		op_dontneed(s, i, p);
		return;
	case 3:
		p = pick(s, s->pages - 8);
		sys_mlock(s->g.vm, task(s, i), BASE + p * PG, 8 * PG, 0);
		return;
	case 4:
		sys_munlock(s->g.vm, task(s, i), BASE, s->pages * PG);
		return;
	case 5: { /* a stream that nobody needs again */
		struct vm_file *f = filemap_find(s->g.fm, 3);

		(void)file_read(s->g.fm, f, pick(s, 16384) * PG, 8 * PG, NULL);
		return;
	}
	case 7:
	case 8:
	case 9:
		p = some_page(s, NFILE);
		if (store(s, i, FILE_AT + p * PG, tag))
			s->file[p] = s->next_tag = tag;
		return;
	case 10:
	case 11:
	case 12:
		p = some_page(s, NFILE);
		verify(s, i, FILE_AT + p * PG, s->file[p]);
		return;
	case 13:
	case 14:
		p = some_page(s, s->pages / 4);
		if (store(s, i, SHMEM_AT + p * PG, tag))
			s->shmem[p] = s->next_tag = tag;
		return;
	case 15:
	case 16:
		p = some_page(s, s->pages / 4);
		verify(s, i, SHMEM_AT + p * PG, s->shmem[p]);
		return;
	default:
		p = some_page(s, s->pages);
		if (pick(s, 2)) {
			verify(s, i, BASE + p * PG, s->anon[i][p]);
		} else if (store(s, i, BASE + p * PG, tag)) {
			s->anon[i][p] = s->next_tag = tag;
		}
	}
}

/* What the device holds of the file at first: read through a mapping before there is any pressure.
 */
static void learn_file(struct storm *s)
{
	for (u64 p = 0; p < NFILE; p++) {
		u64 tag;

		assert_true(mm_access(s->g.vm, task(s, 0), FILE_AT + p * PG, MM_ACCESS_READ) <=
			    RES_MAJOR);
		assert_true(mm_read_tag(s->g.vm, task(s, 0), FILE_AT + p * PG, &tag));
		s->file[p] = tag;
	}
}

/* The machine's hash at the end. */
static u64 storm(const char *pairs, u64 pages, u64 seed, u64 ops, bool in_steps)
{
	u64 hash;
	struct storm *s = calloc(1, sizeof(*s));
	char *more = getenv("MEMRIG_STORM");

	assert_non_null(s);
	prng_seed(&s->rnd, seed);
	ops *= more ? strtoull(more, NULL, 0) : 1;
	rrig_up(&s->g, pairs);
	s->g.vs->in_steps = in_steps;
	s->pages = pages;
	assert_non_null(filemap_open(s->g.fm, 1, NFILE * PG, false));
	assert_non_null(filemap_open(s->g.fm, 2, NFILE * PG, true));
	assert_non_null(filemap_open(s->g.fm, 3, 16400 * PG, false));
	map_all(s, task(s, 0));
	learn_file(s);
	revive(s, 0);
	for (u64 n = 0; n < ops; n++) {
		one(s);
		between(s);
		if (n % 997 == 0)
			rrig_check(&s->g);
	}
	for (u32 i = 0; i < NTASKS; i++)
		for (u64 p = 0; p < s->pages && s->alive[i]; p++) {
			s->g.m->hw.task = i + 1;
			verify(s, i, BASE + p * PG, s->anon[i][p]);
			between(s);
		}
	rrig_check(&s->g);
	assert_true(s->verified > ops / 8);
	print_message(
		"  %llu verified, %llu out, %llu in, %llu major, %lld refaults, %llu stalls, %llu "
		"killed\n",
		(unsigned long long)s->verified, (unsigned long long)rrig_event(&s->g, EV_PSWPOUT),
		(unsigned long long)rrig_event(&s->g, EV_PSWPIN),
		(unsigned long long)rrig_event(&s->g, EV_PGMAJFAULT),
		(long long)rrig_level(&s->g, NR_WORKINGSET_REFAULT),
		(unsigned long long)rrig_event(&s->g, EV_ALLOCSTALL), (unsigned long long)s->kills);
	hash = machine_hash(s->g.m);
	for (u32 i = 0; i < NTASKS; i++)
		if (s->alive[i])
			vm_exit(s->g.vm, task(s, i));
	s->g.m->hw.task = 0;
	rrig_down(&s->g);
	free(s);
	return hash;
}

static void run(const char *pairs, u64 pages, u64 ops)
{
	u64 seed = test_seed(20260731);

	print_message("%s, %llu pages\n", pairs, (unsigned long long)pages);
	storm(pairs, pages, seed, ops, false);
}

#define TINY "mem=16M ideal=1 min_free_kbytes=256 overcommit_memory=1 "

static void test_storm_with_swap(void **state)
{
	(void)state;
	run(TINY "swap=64M", 4096, 8000);
	run(TINY "swap=64M data=bytes threads=inline", 3000, 8000);
	run(TINY "swap=64M threads=manual ncpu=2", 2000, 6000);
	run(TINY "swap=8M", 3000, 8000);
}

static void test_storm_without_swap(void **state)
{
	(void)state;
	run(TINY, 700, 8000);
	run(TINY "data=bytes", 400, 8000);
	run(TINY, 3500, 6000); /* does not fit: somebody is killed now and then */
}

/* What is decided at one look for simple pages ends as it does step by step. */
static void test_storm_short_cuts(void **state)
{
	static const char *const sets[] = {TINY "swap=64M", TINY "swap=64M policy=4.12", TINY "policy=modern",
					   TINY "swap=32M disk=100000 disk_bandwidth=200"};
	u64 seed = test_seed(20261126);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		assert_int_equal(storm(sets[i], 1500, seed + i, 3000, false),
				 storm(sets[i], 1500, seed + i, 3000, true));
}

static void test_storm_policies(void **state)
{
	static const char *const sets[] = {
		TINY "swap=64M policy=4.12",
		TINY "swap=64M policy=modern",
		TINY "swap=64M reclaim=node",
		TINY "swap=64M inactive=4.12",
		TINY "swap=64M anonws=1",
		TINY "swap=64M retry=4.7 oom=reaper",
		TINY "policy=4.12",
		TINY "policy=modern data=bytes",
		"arch=arm32 machine=vexpress mem=16M ideal=1 swap=64M",
		TINY "swap=64M workingset=0 pagevec=1",
		TINY "swap=64M mglru=1",
		TINY "swap=64M mglru=1 mglru_walk=0 data=bytes",
		TINY "swap=64M mglru=1 reclaim=node hwad=1 threads=inline",
		TINY "swap=64M mglru=1 policy=modern ncpu=2",
		TINY "mglru=1 data=bytes lazyfree=1",
		TINY "mglru=1 swap=64M memlimit=8M",
		TINY "mglru=1 swap=64M nodes=2 mglru_min_ttl_ms=1",
		"arch=arm32 machine=vexpress mem=16M ideal=1 swap=64M mglru=1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		run(sets[i], 2500, 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_storm_with_swap),
		cmocka_unit_test(test_storm_without_swap),
		cmocka_unit_test(test_storm_short_cuts),
		cmocka_unit_test(test_storm_policies),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
