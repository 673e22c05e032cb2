/* SPDX-License-Identifier: BSD-2-Clause */
/* Spec 05 s2: permanent and temporary mappings. 1 GiB vexpress. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/vm/highmem.h"
#include "tests/kmem_boot.h"

#define VEXPRESS "arch=arm32 machine=vexpress mem=1G ncpu=2 "

static struct phys_rig rig;
static struct phys *p;
static struct highmem h;
static struct page *page[600];

static void boot(const char *pairs)
{
	p = rig_boot(&rig, pairs);
	assert_int_equal(highmem_init(&h, p), 0);
	for (int i = 0; i < 600; i++)
		do
			page[i] = alloc_page(p, 0, GFP_HIGHUSER);
		while (!zone_is_highmem(page_zone(p, page[i]))); /* the fair policy also gives lowmem */
}

static int up(void **state)
{
	(void)state;
	boot(VEXPRESS);
	return 0;
}

static int up_debug(void **state)
{
	(void)state;
	boot(VEXPRESS "debug_highmem=1");
	return 0;
}

static void check(void)
{
	char why[256] = "";

	if (highmem_check(&h, why, sizeof(why)))
		fail_msg("%s", why);
}

static int down(void **state)
{
	(void)state;
	check();
	highmem_destroy(&h);
	phys_destroy(&rig.phys);
	hw_destroy(&rig.hw);
	return 0;
}

#define ASSERT_BUG(stmt)                                                                           \
	do {                                                                                       \
		int status_;                                                                       \
		pid_t pid_ = fork();                                                               \
		if (!pid_) {                                                                       \
			if (!freopen("/dev/null", "w", stderr))                                    \
				_exit(0);                                                          \
			signal(SIGABRT, SIG_DFL);                                                  \
			stmt;                                                                      \
			_exit(0);                                                                  \
		}                                                                                  \
		waitpid(pid_, &status_, 0);                                                        \
		assert_true(WIFSIGNALED(status_) && WTERMSIG(status_) == SIGABRT);                 \
	} while (0)

static vaddr_t map(struct page *pg)
{
	vaddr_t va = 0;

	assert_int_equal(kmap(&h, 0, pg, &va), 0);
	return va;
}

static void test_A05_11(void **state)
{
	vaddr_t va;

	(void)state;
	assert_int_equal(map(page[0]), 0xbfe01000);
	for (int i = 1; i < 510; i++)
		map(page[i]);
	assert_int_equal(map(page[510]), 0xbffff000);
	assert_int_equal(map(page[511]), 0xbfe00000);
	assert_int_equal(h.flushes, 0); /* nobody unmapped: nothing to flush */
	assert_int_equal(kmap(&h, 0, page[512], &va), -EAGAIN);
	assert_int_equal(h.waits, 1);
	kunmap(&h, 0, page[100]);
	assert_int_equal(map(page[512]), 0xbfe00000 + 101 * 4096);
	assert_int_equal(h.flushes, 1);
}

static void test_A05_12(void **state)
{
	vaddr_t va = map(page[0]);
	u64 ptes;

	(void)state;
	assert_int_equal(map(page[0]), va);
	assert_int_equal(h.pkmap_count[1], 3);
	kunmap(&h, 0, page[0]);
	kunmap(&h, 0, page[0]);
	assert_int_equal(h.pkmap_count[1], 1);
	assert_int_equal(page_virtual(&h, page[0]), va);
	ptes = h.pkmap.nr_ptes;
	assert_int_equal(map(page[0]), va);
	assert_int_equal(h.pkmap_count[1], 2);
	assert_int_equal(h.pkmap.nr_ptes, ptes);
	assert_int_equal(h.last, 1);
}

static void test_A05_13(void **state)
{
	(void)state;
	for (int i = 0; i < 511; i++)
		map(page[i]);
	for (int i = 0; i < 511; i++)
		kunmap(&h, 0, page[i]);
	check();
	assert_int_equal(h.flushes, 0);
	assert_int_equal(map(page[511]), 0xbfe00000);
	assert_int_equal(h.flushes, 1);
	assert_int_equal(h.pkmap.nr_ptes, 1);
	assert_int_equal(page_virtual(&h, page[0]), 0);
}

static void test_A05_14(void **state)
{
	struct page *low = alloc_page(p, 0, GFP_KERNEL);
	vaddr_t va;

	(void)state;
	assert_int_equal(kmap(&h, 0, low, &va), 0);
	assert_int_equal(va, 0xc0000000 + ((page_to_pfn(p, low) - p->min_low_pfn) << 12));
	assert_ptr_equal(highmem_ptr(&h, va), page_address(p, low));
	assert_int_equal(h.pkmap.nr_ptes, 0);
	assert_int_equal(h.last, 0);
	kunmap(&h, 0, low);
}

static void test_A05_15(void **state)
{
	vaddr_t a = kmap_atomic(&h, 0, page[0]), b = kmap_atomic(&h, 0, page[1]);
	vaddr_t c = kmap_atomic(&h, 1, page[2]);

	(void)state;
	assert_int_equal(a, 0xffeff000);
	assert_int_equal(b, 0xffefe000);
	assert_int_equal(c, 0xffeef000);
	*(u64 *)highmem_ptr(&h, b) = 5;
	assert_int_equal(kernel_map_get(&h.fixmap, b), page_to_pfn(p, page[1]));
	kunmap_atomic(&h, 0, b);
	kunmap_atomic(&h, 0, a);
	kunmap_atomic(&h, 1, c);
	assert_int_equal(h.cpus[0].depth, 0);
	assert_false(in_atomic(p->hw, 0));
	assert_int_equal(kernel_map_get(&h.fixmap, b), page_to_pfn(p, page[1])); /* stays, without debug */
	b = kmap_atomic(&h, 0, page[3]);
	assert_int_equal(kernel_map_get(&h.fixmap, b), page_to_pfn(p, page[3]));
	kunmap_atomic(&h, 0, b);
}

static void seventeen(void)
{
	for (int i = 0; i < 17; i++)
		kmap_atomic(&h, 0, page[i]);
}

static void test_A05_16(void **state)
{
	vaddr_t a, b;

	(void)state;
	ASSERT_BUG(seventeen());
	a = kmap_atomic(&h, 0, page[0]);
	b = kmap_atomic(&h, 0, page[1]);
	ASSERT_BUG(kunmap_atomic(&h, 0, a));
	kunmap_atomic(&h, 0, b);
	assert_null(highmem_ptr(&h, b)); /* cleared, with debug */
	kunmap_atomic(&h, 0, a);
	ASSERT_BUG(kunmap_atomic(&h, 0, a));
}

static void test_A05_17(void **state)
{
	vaddr_t va = map(page[0]);

	(void)state;
	assert_int_equal(kmap_atomic(&h, 0, page[0]), va);
	assert_int_equal(h.pkmap_count[1], 3);
	assert_int_equal(h.cpus[0].depth, 0);
	assert_true(in_atomic(p->hw, 0));
	kunmap_atomic(&h, 0, va);
	assert_int_equal(h.pkmap_count[1], 2);
	assert_false(in_atomic(p->hw, 0));
}

/* I05.3 and I05.4 after each of many random steps, against a naive count of users. */
static void test_random(void **state)
{
	u32 users[600] = {0}, mapped = 0;
	struct prng r;

	(void)state;
	prng_seed(&r, test_seed(52));
	for (int n = 0; n < 100000; n++) {
		u32 i = (u32)prng_below(&r, 600);
		vaddr_t va;

		if (users[i] && prng_below(&r, 2)) {
			kunmap(&h, 0, page[i]);
			mapped -= !--users[i];
			continue;
		}
		if (kmap(&h, 0, page[i], &va)) {
			assert_int_equal(mapped, 512);
			continue;
		}
		mapped += !users[i]++;
		assert_int_equal(page_virtual(&h, page[i]), va);
		assert_int_equal(h.pkmap_count[(va - 0xbfe00000) >> 12], users[i] + 1);
		if (n % 1000 == 0)
			check();
	}
}

/* spec 05 s2.7: no high memory, nothing to do. */
static void test_no_highmem(void **state)
{
	static const char *const pairs[] = {"arch=arm32 machine=vexpress mem=512M", "arch=arm64 mem=512M"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		vaddr_t va;

		p = rig_boot(&rig, pairs[i]);
		assert_int_equal(highmem_init(&h, p), 0);
		page[0] = alloc_page(p, 0, GFP_HIGHUSER);
		va = map(page[0]);
		assert_ptr_equal(highmem_ptr(&h, va), page_address(p, page[0]));
		assert_int_equal(kmap_atomic(&h, 0, page[0]), va);
		assert_true(in_atomic(p->hw, 0));
		kunmap_atomic(&h, 0, va);
		assert_false(in_atomic(p->hw, 0));
		down(NULL);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
	const struct CMUnitTest tests[] = {
		T(test_A05_11), T(test_A05_12), T(test_A05_13), T(test_A05_14), T(test_A05_15),
		cmocka_unit_test_setup_teardown(test_A05_16, up_debug, down), T(test_A05_17),
		T(test_random), cmocka_unit_test(test_no_highmem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
