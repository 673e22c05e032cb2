/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both object allocators under random operations on many caches and CPUs: no object is given out
 * twice, none changes while in use, the invariants hold, and a page allocation that fails anywhere
 * loses nothing. With smp=1 every CPU has its thread.
 */
#include <pthread.h>

#include "tests/kmem_boot.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || MM_DEBUG > 0
#define STEPS 100000u
#else
#define STEPS 1000000u
#endif
#define CACHES 24
#define LIVE   20000u

struct live {
	u64 *p;
	u64 mark;
	u32 words;
	struct kmem_cache *cache; /* NULL: kmalloc */
};

static struct kmem_rig rig;
static struct kmem *k;
static struct live live[LIVE];

static void mark(struct live *l, u64 value)
{
	l->mark = value;
	for (u32 i = 0; i < l->words; i++)
		l->p[i] = value + i;
}

static void verify(const struct live *l)
{
	for (u32 i = 0; i < l->words; i++)
		if (l->p[i] != l->mark + i)
			fail_msg("object %p of %s changed while in use", (void *)l->p,
				 l->cache ? l->cache->name : "kmalloc");
}

static struct kmem_cache *random_cache(struct prng *r)
{
	static const u32 aligns[] = {0, 8, 16, 64, 128};
	u32 size = 8 + (u32)prng_below(r, prng_below(r, 5) ? 500 : 9000);
	u32 flags = prng_below(r, 3) ? 0 : SLAB_HWCACHE_ALIGN;

	flags |= prng_below(r, 4) ? 0 : SLAB_RECLAIM_ACCOUNT;
	return kmem_cache_create(k, "model", size, aligns[prng_below(r, 5)], flags, NULL);
}

static void alloc_one(struct prng *r, struct live *l, struct kmem_cache **caches, unsigned cpu, u64 n)
{
	l->cache = prng_below(r, 3) ? caches[prng_below(r, CACHES)] : NULL;
	if (l->cache) {
		l->p = kmem_cache_alloc(l->cache, cpu, GFP_ATOMIC);
		l->words = l->cache->object_size / 8;
	} else {
		u64 size = 8 + prng_below(r, prng_below(r, 10) ? 1000 : 20000);

		l->p = kmalloc(k, cpu, size, GFP_ATOMIC);
		l->words = (u32)(size / 8);
	}
	if (!l->p)
		return;
	mark(l, n << 32);
}

static void free_one_live(struct live *l, unsigned cpu)
{
	verify(l);
	if (l->cache)
		kmem_cache_free(l->cache, cpu, l->p);
	else
		kfree(k, cpu, l->p);
	l->p = NULL;
}

static void all_shrunk_and_empty(struct kmem_cache **caches)
{
	struct kmem_cache *c;

	for (u32 i = 0; i < CACHES; i++)
		assert_int_equal(kmem_cache_destroy(caches[i], 0), 0);
	list_for_each_entry(c, &k->caches, list)
		kmem_cache_shrink(c, 0);
	drain_all_pages(k->phys);
}

static void run_model(const char *pairs, u64 seed, u32 steps, u32 fail_every)
{
	struct kmem_cache *caches[CACHES];
	struct prng r;
	s64 free;

	prng_seed(&r, seed);
	k = kmem_rig_boot(&rig, pairs);
	for (u32 i = 0; i < CACHES; i++)
		assert_non_null(caches[i] = random_cache(&r));
	all_shrunk_and_empty(caches);
	free = global_page_state(k->phys, NR_FREE_PAGES);
	prng_seed(&r, seed);
	for (u32 i = 0; i < CACHES; i++)
		assert_non_null(caches[i] = random_cache(&r));
	for (u32 n = 0; n < steps; n++) {
		/* phases of growth and decline */
		struct live *l = &live[prng_below(&r, n / 50000 % 2 ? LIVE / 8 : LIVE)];
		unsigned cpu = (unsigned)prng_below(&r, k->ncpu);

		if (fail_every && prng_below(&r, fail_every) == 0)
			k->phys->fail_nth = 1 + prng_below(&r, 3);
		if (l->p)
			free_one_live(l, cpu);
		else
			alloc_one(&r, l, caches, cpu, n);
		if (prng_below(&r, 2000) == 0)
			kmem_cache_reap(caches[prng_below(&r, CACHES)], cpu, prng_below(&r, 2));
		if (prng_below(&r, 20000) == 0)
			kmem_cache_shrink(caches[prng_below(&r, CACHES)], cpu);
		if (n % (steps / 10) == 0)
			kmem_rig_check(&rig);
	}
	k->phys->fail_nth = 0;
	for (u32 i = 0; i < LIVE; i++)
		if (live[i].p)
			free_one_live(&live[i], 0);
	all_shrunk_and_empty(caches);
	assert_int_equal(global_page_state(k->phys, NR_FREE_PAGES), free);
	kmem_rig_down(&rig);
}

static void test_I04_1(void **state)
{
	u64 seed = test_seed(41);

	(void)state;
	run_model("arch=arm64 mem=512M", seed, STEPS, 0);
	run_model("arch=arm64 mem=512M ncpu=4 slab_nomerge=1", seed + 1, STEPS, 0);
	run_model("arch=arm64 mem=512M slab=slub ncpu=4", seed + 2, STEPS / 2, 0);
	run_model("arch=arm64 mem=512M slabdebug=1 ncpu=2", seed + 3, STEPS / 4, 0);
	run_model("arch=arm64 page=16k va=47 mem=1G ncpu=2", seed + 4, STEPS / 4, 0);
}

/* Memory that comes and goes: allocations fail at random, invariants hold, nothing is lost. */
static void test_I04_2_failures(void **state)
{
	u64 seed = test_seed(42);

	(void)state;
	run_model("arch=arm64 mem=512M ncpu=2", seed, STEPS / 4, 3);
	run_model("arch=arm64 mem=512M ncpu=2 slab=slub", seed, STEPS / 4, 3);
}

/* Every single page allocation of creating, filling and emptying caches fails once. */
static void each_failure(const char *pairs)
{
	static const u32 sizes[] = {24, 104, 512, 1500, 6000};
	bool done = false;

	for (u64 nth = 1; !done && nth < 2000; nth++) {
		void *obj[200];
		struct kmem_cache *c;
		u32 n = 0;
		s64 free;

		k = kmem_rig_boot(&rig, pairs);
		list_for_each_entry(c, &k->caches, list)
			kmem_cache_shrink(c, 0);
		drain_all_pages(k->phys);
		free = global_page_state(k->phys, NR_FREE_PAGES);
		k->phys->fail_nth = nth;
		for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
			c = kmem_cache_create(k, "each", sizes[i], 0, 0, NULL);
			for (n = 0; c && n < 200; n++)
				if (!(obj[n] = kmem_cache_alloc(c, n % 2, GFP_KERNEL)))
					break;
			for (; n; n--)
				kmem_cache_free(c, n % 2, obj[n - 1]);
			kmem_rig_check(&rig);
			if (c)
				assert_int_equal(kmem_cache_destroy(c, 0), 0);
		}
		done = k->phys->fail_nth;
		k->phys->fail_nth = 0;
		list_for_each_entry(c, &k->caches, list)
			kmem_cache_shrink(c, 0);
		drain_all_pages(k->phys);
		assert_int_equal(global_page_state(k->phys, NR_FREE_PAGES), free);
		kmem_rig_down(&rig);
	}
	assert_true(done);
}

static void test_I04_3_each_failure(void **state)
{
	(void)state;
	each_failure("arch=arm64 mem=64M ncpu=2 slab_nomerge=1");
	each_failure("arch=arm64 mem=64M ncpu=2 slab_nomerge=1 slab=slub");
}

/* Booting with too little memory says so. */
static void test_boot_failures(void **state)
{
	struct kmem km;
	int r = -1;

	(void)state;
	for (u64 nth = 1; r && nth < 200; nth++) {
		rig_boot(&rig.phys, "arch=arm64 mem=64M ncpu=2");
		rig.phys.phys.fail_nth = nth;
		r = kmem_init(&km, &rig.phys.phys, &rig.phys.config);
		if (!r)
			kmem_destroy(&km);
		rig_down(&rig.phys);
	}
	assert_int_equal(r, 0);
}

/* ---- smp=1 ---- */

#define THREADS 4
#define MAILBOX 1024

struct worker {
	unsigned cpu;
	u64 seed;
	struct kmem_cache **caches;
	void **mailbox; /* shared: objects freed by whoever takes them out */
};

static void *work(void *arg)
{
	struct worker *w = arg;
	void *mine[256] = {0};
	struct kmem_cache *of[256];
	struct prng r;

	prng_seed(&r, w->seed);
	for (u32 n = 0; n < STEPS / 4; n++) {
		u32 i = (u32)prng_below(&r, 256), c = (u32)prng_below(&r, 4);

		if (!mine[i]) {
			of[i] = w->caches[c];
			mine[i] = kmem_cache_alloc(of[i], w->cpu, GFP_ATOMIC);
			if (mine[i])
				*(u64 *)mine[i] = w->cpu;
			continue;
		}
		if (prng_below(&r, 4) || of[i] != w->caches[0]) {
			if (*(u64 *)mine[i] != w->cpu)
				return "object changed under its owner";
			kmem_cache_free(of[i], w->cpu, mine[i]);
			mine[i] = NULL;
			continue;
		}
		/* objects of cache 0 change hands: freed on another CPU than they came from */
		mine[i] = __atomic_exchange_n(&w->mailbox[prng_below(&r, MAILBOX)], mine[i],
					      __ATOMIC_ACQ_REL);
		if (mine[i])
			*(u64 *)mine[i] = w->cpu;
		if (prng_below(&r, 1000) == 0)
			kmem_cache_reap(w->caches[c], w->cpu, false);
	}
	for (u32 i = 0; i < 256; i++)
		if (mine[i])
			kmem_cache_free(of[i], w->cpu, mine[i]);
	return NULL;
}

static void run_threads(const char *pairs, u64 seed)
{
	static const u32 sizes[] = {64, 104, 700, 3000};
	static void *mailbox[MAILBOX];
	struct kmem_cache *caches[4];
	struct worker w[THREADS];
	pthread_t t[THREADS];

	k = kmem_rig_boot(&rig, pairs);
	for (int i = 0; i < 4; i++)
		caches[i] = kmem_cache_create(k, "smp", sizes[i], 0, 0, NULL);
	for (unsigned i = 0; i < THREADS; i++) {
		w[i] = (struct worker){i, seed + i, caches, mailbox};
		assert_int_equal(pthread_create(&t[i], NULL, work, &w[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		void *said;

		pthread_join(t[i], &said);
		if (said)
			fail_msg("%s", (char *)said);
	}
	kmem_rig_check(&rig);
	for (int i = 0; i < MAILBOX; i++)
		if (mailbox[i]) {
			kmem_cache_free(caches[0], 0, mailbox[i]);
			mailbox[i] = NULL;
		}
	for (int i = 0; i < 4; i++)
		assert_int_equal(kmem_cache_destroy(caches[i], 0), 0);
	kmem_rig_down(&rig);
}

static void test_I04_4_threads(void **state)
{
	u64 seed = test_seed(44);

	(void)state;
	run_threads("arch=arm64 mem=512M ncpu=4 smp=1 slab_nomerge=1", seed);
	run_threads("arch=arm64 mem=512M ncpu=4 smp=1 slab_nomerge=1 slab=slub", seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_I04_1), cmocka_unit_test(test_I04_2_failures),
		cmocka_unit_test(test_I04_3_each_failure), cmocka_unit_test(test_boot_failures),
		cmocka_unit_test(test_I04_4_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
