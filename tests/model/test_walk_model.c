/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch/walk.c against the naive walker: sound tables with all rights, tables with random bits, and pure
 * garbage. The window is an allocation of its own size with a guard behind it, so that a read outside
 * would crash.
 */
#include <sys/mman.h>

#include "core/base/prng.h"
#include "tests/naive_walk.h"
#include "tests/test.h"

#define WINDOW (256 * KiB)
#define START  0x40000000ull

struct bed {
	struct pt_mem mem;
	struct prng r;
	void *map;
	u64 agreed[PT_F_EXTERNAL + 1];
};

static void bed_open(struct bed *b, u64 seed)
{
	memset(b, 0, sizeof(*b));
	b->map = mmap(NULL, WINDOW + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(b->map != MAP_FAILED);
	assert_int_equal(mprotect((u8 *)b->map + 4096, WINDOW, PROT_READ | PROT_WRITE), 0);
	b->mem = (struct pt_mem){(u8 *)b->map + 4096, WINDOW, START};
	prng_seed(&b->r, seed);
}

static void bed_close(struct bed *b)
{
	munmap(b->map, WINDOW + 8192);
}

static u64 rnd(struct bed *b, u64 n)
{
	return prng_below(&b->r, n);
}

/* Address in the window or, one time in 32, anywhere. */
static u64 somewhere(struct bed *b, u64 align)
{
	return rnd(b, 32) ? START + rnd(b, WINDOW / align) * align : prng_u64(&b->r) & 0xfffffffffc00;
}

static u64 long_descriptor(struct bed *b, const struct pt_geometry *g)
{
	u64 attrs = prng_u64(&b->r) & (0xffful | 0xfff0ull << 48);

	if (rnd(b, 8))
		attrs |= 3;
	if (rnd(b, 4))
		attrs |= A64_AF;
	if (rnd(b, 3)) /* hierarchical limits would hide what lies below */
		attrs &= ~(0xfull << 59);
	return (somewhere(b, pt_page_size(g)) & 0xfffffffff000) | attrs;
}

static u64 short_descriptor(struct bed *b)
{
	u64 d = prng_u64(&b->r);

	return rnd(b, 2) ? (somewhere(b, 1024) & 0xfffffc00) | (d & 0x3fc) | 1 : (u32)d;
}

/* Every word of the window is a descriptor; then @garbage of them are not even that. */
static void fill(struct bed *b, const struct pt_geometry *g, unsigned garbage)
{
	bool narrow = g->family == PT_SHORT;

	for (u64 i = 0; i < WINDOW / 8; i++) {
		u64 v = narrow ? short_descriptor(b) | short_descriptor(b) << 32 : long_descriptor(b, g);

		((u64 *)(void *)b->mem.base)[i] = rnd(b, 100) < garbage ? prng_u64(&b->r) : v;
	}
}

static u64 some_va(struct bed *b, const struct pt_geometry *g)
{
	u64 va = prng_u64(&b->r);

	if (!rnd(b, 50))
		return va; /* mostly in no half */
	va &= BIT(g->va_bits) - 1;
	return g->family == PT_ARM64 && rnd(b, 2) ? va | ~(BIT(g->va_bits) - 1) : va;
}

static void compare(struct bed *b, const struct pt_geometry *g, unsigned garbage, unsigned n)
{
	struct pt_mmu mmu = {.ttbr0 = somewhere(b, 1024), .ttbr1 = rnd(b, 20) ? somewhere(b, 64) : PT_NO_TABLE,
			     .dacr = rnd(b, 3) ? 0x55555555 : (u32)prng_u64(&b->r), .pxn = rnd(b, 2),
			     .pa_bits = (u8)(rnd(b, 2) ? 0 : 32 + 4 * rnd(b, 4))};
	struct naive_cpu cpu = {&b->mem, mmu.ttbr0, mmu.ttbr1, mmu.dacr, mmu.pa_bits, mmu.pxn};

	fill(b, g, garbage);
	for (unsigned i = 0; i < n; i++) {
		vaddr_t va = some_va(b, g);
		unsigned access = (unsigned)rnd(b, 3);
		bool user = rnd(b, 2);
		struct naive want = naive_walk(&cpu, g->geom, va, access, user);
		struct pt_result r;

		mmu_translate(g->geom, &b->mem, &mmu, va, (enum pt_access)access, user, &r);
		if (r.status != want.status || r.level != want.level || (!want.status && r.pa != want.pa))
			fail_msg("%s va %#llx access %u user %d: status %d level %d pa %#llx, naive %d %d %#llx",
				 g->name, (unsigned long long)va, access, user, r.status, r.level,
				 (unsigned long long)r.pa, want.status, want.level, (unsigned long long)want.pa);
		b->agreed[r.status]++;
	}
}

/* The batch and the short way of user accesses give the same answers. */
static void compare_ways(struct bed *b, const struct pt_geometry *g)
{
	struct pt_mmu mmu = {.ttbr0 = ALIGN_DOWN(START + rnd(b, WINDOW), 64), .ttbr1 = PT_NO_TABLE,
			     .dacr = ARM_DACR_LINUX};
	struct pt_result one, many[200];
	vaddr_t va[200];

	fill(b, g, 10);
	mmu.ttbr0 = ALIGN_DOWN(mmu.ttbr0, g->root_bytes);
	for (u32 i = 0; i < 200; i++)
		va[i] = some_va(b, g);
	mmu_translate_batch(g->geom, &b->mem, &mmu, va, 200, PT_ACCESS_READ, true, many);
	for (u32 i = 0; i < 200; i++) {
		struct pt_hit hit = pt_user_access(g->geom, &b->mem, mmu.ttbr0, va[i], PT_ACCESS_READ, false);

		mmu_translate(g->geom, &b->mem, &mmu, va[i], PT_ACCESS_READ, true, &one);
		assert_int_equal(one.status, many[i].status);
		assert_int_equal(one.level, many[i].level);
		if (one.status == PT_OK)
			assert_int_equal(one.pa, many[i].pa);
		/* the short way sees tables of Linux only: neither blocks nor limits in table descriptors */
		if (!hit.fault)
			assert_true(one.status == PT_OK || one.status == PT_F_PERMISSION);
	}
}

static void test_walkers_agree(void **state)
{
	u64 seed = test_seed(41);
	struct bed b;

	(void)state;
	for (unsigned geom = 0; geom < PT_NR_GEOM; geom++) {
		const struct pt_geometry *g = &pt_geometries[geom];

		bed_open(&b, seed + geom);
		for (unsigned round = 0; round < 12; round++)
			compare(&b, g, round < 8 ? 0 : round < 11 ? 10 : 100, 4000);
		compare_ways(&b, g);
		/* the test sees every kind of answer that the format has */
		assert_true(b.agreed[PT_OK] > 500);
		assert_true(b.agreed[PT_F_TRANSLATION] > 500);
		assert_true(b.agreed[PT_F_PERMISSION] > 500);
		assert_true(b.agreed[PT_F_EXTERNAL] > 100);
		assert_true(g->family == PT_SHORT || b.agreed[PT_F_ACCESSFLAG] > 500);
		assert_true(g->family != PT_SHORT || b.agreed[PT_F_DOMAIN] > 50);
		bed_close(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walkers_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
