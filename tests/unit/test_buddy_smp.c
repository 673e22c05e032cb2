/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * smp=1: one host thread per virtual CPU allocates and frees at once, and pages change hands so that
 * they are freed on other CPUs. Every frame has an owner mark that is taken and given back atomically:
 * a frame handed out twice, or freed while free, is seen at once; a lost one at the end.
 */
#include <pthread.h>

#include "core/base/prng.h"
#include "tests/phys_boot.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) || MM_DEBUG
#define OPS 150000u
#else
#define OPS 2500000u /* of each of four threads: ten million */
#endif
#define THREADS 4
#define LIVE    3000
#define SHELF   512

struct shelf { /* pages left for whoever comes by */
	u64 slot[SHELF]; /* page pointer, order in the low bits; 0: empty */
};

struct worker {
	struct phys *p;
	u8 *owned;
	struct shelf *shelf;
	unsigned cpu;
	u64 seed, failed, allocated, freed;
	const char *error;
	struct {
		struct page *page;
		unsigned order;
	} live[LIVE];
	u32 nr_live;
};

static void mark(struct worker *w, const struct page *page, unsigned order, u8 from, u8 to)
{
	u32 f = page_frame(w->p, page);

	for (u32 i = 0; i < 1u << order; i++)
		if (__atomic_exchange_n(&w->owned[f + i], to, __ATOMIC_RELAXED) != from)
			w->error = from ? "freed while free" : "handed out twice";
}

static void release(struct worker *w, struct page *page, unsigned order)
{
	mark(w, page, order, 1, 0);
	free_pages_page(w->p, w->cpu, page, order);
	w->freed += 1ull << order;
}

static void take(struct worker *w, struct prng *prng)
{
	static const gfp_t gfps[] = {GFP_KERNEL, GFP_HIGHUSER_MOVABLE, GFP_TEMPORARY, GFP_ATOMIC,
				     GFP_HIGHUSER_MOVABLE | MM_GFP_COLD, GFP_HIGHUSER_MOVABLE};
	unsigned order = prng_below(prng, 10) ? 0 : (unsigned)prng_below(prng, 6);
	gfp_t gfp = gfps[prng_below(prng, ARRAY_SIZE(gfps))] | MM_GFP_NOWARN;
	struct page *page = alloc_pages(w->p, w->cpu, gfp, order);

	if (!page) {
		w->failed++;
		return;
	}
	mark(w, page, order, 0, 1);
	w->allocated += 1ull << order;
	w->live[w->nr_live].page = page;
	w->live[w->nr_live++].order = order;
}

/* Swaps one of ours against what lies on the shelf. */
static void pass_on(struct worker *w, struct prng *prng, u32 k)
{
	u64 mine = (uintptr_t)w->live[k].page | w->live[k].order, other;
	u64 *slot = &w->shelf->slot[prng_below(prng, SHELF)];

	w->live[k] = w->live[--w->nr_live];
	other = __atomic_exchange_n(slot, mine, __ATOMIC_ACQ_REL);
	if (other)
		release(w, (struct page *)(uintptr_t)(other & ~31ull), other & 31);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct prng prng;

	prng_seed(&prng, w->seed);
	for (u32 i = 0; i < OPS && !w->error; i++) {
		u32 k;

		if (w->nr_live < LIVE && prng_below(&prng, 100) < (i >> 16 & 1 ? 40 : 60)) {
			take(w, &prng);
			continue;
		}
		if (!w->nr_live)
			continue;
		k = (u32)prng_below(&prng, w->nr_live);
		if (!prng_below(&prng, 4)) {
			pass_on(w, &prng, k);
			continue;
		}
		release(w, w->live[k].page, w->live[k].order);
		w->live[k] = w->live[--w->nr_live];
	}
	while (w->nr_live) {
		w->nr_live--;
		release(w, w->live[w->nr_live].page, w->live[w->nr_live].order);
	}
	return NULL;
}

static void stress(const char *pairs)
{
	struct worker *workers = calloc(THREADS, sizeof(*workers));
	struct shelf *shelf = calloc(1, sizeof(*shelf));
	pthread_t threads[THREADS];
	struct phys_rig rig;
	struct phys *p = rig_boot(&rig, pairs);
	u8 *owned = calloc(p->nr_frames, 1);
	struct vmstat_snapshot before = {0}, s = {0};
	u64 seed = test_seed(99), allocated = 0, freed = 0;
	s64 pgalloc = 0;

	phys_vmstat(p, &before);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i].p = p;
		workers[i].owned = owned;
		workers[i].shelf = shelf;
		workers[i].cpu = i;
		workers[i].seed = seed + i;
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < SHELF; i++)
		if (shelf->slot[i])
			release(&workers[0], (struct page *)(uintptr_t)(shelf->slot[i] & ~31ull),
				shelf->slot[i] & 31);
	for (unsigned i = 0; i < THREADS; i++) {
		if (workers[i].error)
			fail_msg("cpu %u: a frame was %s", i, workers[i].error);
		allocated += workers[i].allocated;
		freed += workers[i].freed;
	}
	assert_int_equal(allocated, freed);
	rig_check(&rig);
	for (unsigned cpu = 0; cpu < THREADS; cpu++)
		drain_local_pages(p, cpu, NULL);
	for (unsigned i = 0; i < p->nr_zones; i++)
		assert_int_equal(zone_page_state(&p->zones[i], NR_FREE_PAGES),
				 p->zones[i].managed_pages);
	phys_vmstat(p, &s);
	for (unsigned t = 0; t < MM_MAX_NR_ZONES; t++)
		pgalloc += s.v[VMSTAT_EVENT(EV_PGALLOC_DMA + t)];
	assert_int_equal(pgalloc, allocated);
	assert_int_equal(s.v[VMSTAT_EVENT(EV_PGFREE)] - before.v[VMSTAT_EVENT(EV_PGFREE)], freed);
	assert_int_equal(s.v[VMSTAT_EVENT(EV_BAD_PAGES)], 0);
	free(owned);
	free(shelf);
	free(workers);
	rig_down(&rig);
}

static void test_stress_40(void **state)
{
	(void)state;
	stress("arch=arm32 ideal=1 smp=1 ncpu=4 mem=96M vmalloc=1968M");
}

static void test_stress_412(void **state)
{
	(void)state;
	stress("arch=arm32 ideal=1 smp=1 ncpu=4 mem=96M vmalloc=1968M policy=4.12");
}

static void test_stress_two_nodes(void **state)
{
	(void)state;
	stress("arch=arm64 ideal=1 smp=1 ncpu=4 nodes=2 mem=128M");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stress_40),
		cmocka_unit_test(test_stress_412),
		cmocka_unit_test(test_stress_two_nodes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
