/* SPDX-License-Identifier: BSD-2-Clause */
/* Spec 04 s7: kernel stacks and what an overflow damages. */
#include <errno.h>

#include "core/kmem/kstack.h"
#include "core/vm/vmalloc.h"
#include "tests/kmem_boot.h"

#define ARM32 "arch=arm32 machine=vexpress mem=1G "
#define ARM64 "arch=arm64 mem=256M "

static struct kmem_rig rig;
static struct kmem *k;
static struct kstacks s;

static void boot(const char *pairs, const struct kstack_vmap *vmap)
{
	k = kmem_rig_boot(&rig, pairs);
	assert_int_equal(kstacks_init(&s, k, vmap), 0);
}

static void down(void)
{
	kstacks_destroy(&s);
	kmem_rig_down(&rig);
}

/* Room between sp and the magic word, then word and thread_info: reported at exactly these bytes. */
static void exact_bytes(const char *pairs, u32 room, u32 magic, u32 info)
{
	static const u32 one = 1;
	struct kstack *st;

	boot(pairs, NULL);
	st = kstack_alloc(&s, 0, 0xc1234567);
	assert_int_equal(kstack_check(&s, st), 0);
	assert_int_equal(kstack_push_frame(&s, st, room), 0);
	assert_int_equal(kstack_check(&s, st), 0);
	kstack_push_frame(&s, st, one);
	assert_int_equal(kstack_check(&s, st), KSTACK_MAGIC_LOST);
	kstack_push_frame(&s, st, magic - 1);
	assert_int_equal(kstack_check(&s, st), KSTACK_MAGIC_LOST);
	kstack_push_frame(&s, st, one);
	assert_int_equal(kstack_check(&s, st), KSTACK_MAGIC_LOST | KSTACK_CORRUPT);
	kstack_push_frame(&s, st, info - 1);
	assert_int_equal(kstack_check(&s, st), KSTACK_MAGIC_LOST | KSTACK_CORRUPT);
	assert_int_equal(st->sp, 0);
	kstack_push_frame(&s, st, one);
	assert_int_equal(kstack_check(&s, st), KSTACK_MAGIC_LOST | KSTACK_CORRUPT | KSTACK_BELOW);
	assert_int_equal(st->base[-1], 0xf1); /* silently, in the page below */
	kstack_free(&s, 0, st);
	down();
}

static void test_A04_18(void **state)
{
	struct kstack *st;

	(void)state;
	exact_bytes(ARM32, 8192 - 8 - 320 - 4, 4, 320);
	exact_bytes(ARM64, 16384 - 16 - 96 - 8, 8, 96);
	/* two nested calls of 3000 bytes and an interrupt of 3000 */
	for (int arm64 = 0; arm64 < 2; arm64++) {
		boot(arm64 ? ARM64 : ARM32, NULL);
		st = kstack_alloc(&s, 0, 1);
		assert_int_equal(kstack_base_of(&s, (u64)(st->base + st->sp)), (u64)st->base);
		kstack_push_frame(&s, st, 3000);
		kstack_push_frame(&s, st, 3000);
		assert_int_equal(kstack_check(&s, st), 0);
		kstack_interrupt(&s, st, 3000);
		assert_int_equal(kstack_check(&s, st),
				 arm64 ? 0 : KSTACK_MAGIC_LOST | KSTACK_CORRUPT | KSTACK_BELOW);
		kstack_pop_frame(&s, st);
		kstack_pop_frame(&s, st);
		assert_int_equal(st->sp, arm64 ? 16384 - 16 : 8192 - 8);
		kstack_free(&s, 0, st);
		down();
	}
}

static void test_sizes(void **state)
{
	static const struct { const char *pairs; u32 size; unsigned order; bool cache; } rows[] = {
		{ARM32, 8192, 1, false}, {ARM64, 16384, 2, false}, {ARM64 "page=16k va=47", 16384, 0, false},
		{"arch=arm64 mem=1G page=64k va=42", 16384, 0, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kstack *a, *b;

		boot(rows[i].pairs, NULL);
		assert_int_equal(s.size, rows[i].size);
		assert_int_equal(s.order, rows[i].order);
		assert_int_equal(s.cache != NULL, rows[i].cache);
		a = kstack_alloc(&s, 0, 1);
		b = kstack_alloc(&s, 0, 2);
		assert_int_equal((a->base - k->arena) % s.size, 0);
		assert_int_equal(global_page_state(k->phys, NR_KERNEL_STACK), 2);
		kstack_free(&s, 0, a);
		kstack_free(&s, 0, b);
		assert_int_equal(global_page_state(k->phys, NR_KERNEL_STACK), 0);
		down();
	}
}

static vaddr_t va_alloc(void *self, unsigned cpu, u64 bytes)
{
	return vmalloc(self, cpu, bytes);
}

static void va_free(void *self, unsigned cpu, vaddr_t va)
{
	vfree(self, cpu, va);
}

static void *va_ptr(void *self, vaddr_t va)
{
	return vmalloc_ptr(self, va);
}

/* vmapstack=1: the overflow is a clean fault. */
static void test_vmapstack(void **state)
{
	struct vmalloc v;
	struct kstack_vmap vmap = {va_alloc, va_free, va_ptr, &v};
	struct kstack *st;

	(void)state;
	k = kmem_rig_boot(&rig, ARM32 "vmapstack=1");
	assert_int_equal(vmalloc_init(&v, k), 0);
	assert_int_equal(kstacks_init(&s, k, &vmap), 0);
	vmalloc(&v, 0, 4096); /* a neighbour below, with its guard page */
	st = kstack_alloc(&s, 0, 7);
	assert_int_equal(kstack_push_frame(&s, st, 3000), 0);
	assert_int_equal(kstack_push_frame(&s, st, 3000), 0);
	assert_int_equal(kstack_interrupt(&s, st, 3000), -EFAULT);
	assert_int_equal(kstack_check(&s, st), 0);
	assert_null(vmalloc_ptr(&v, st->va - 1));
	kstack_free(&s, 0, st);
	vmalloc_destroy(&v);
	down();
}

/* No memory at any of its allocations: NULL and nothing lost. */
static void test_no_memory(void **state)
{
	struct kstack *st = NULL;
	s64 free = 0;

	(void)state;
	boot(ARM64, NULL);
	for (u64 nth = 1; !st && nth < 10; nth++) {
		struct kmem_cache *c;

		list_for_each_entry(c, &k->caches, list)
			kmem_cache_shrink(c, 0);
		drain_all_pages(k->phys);
		assert_true(nth < 3 || free == global_page_state(k->phys, NR_FREE_PAGES));
		free = global_page_state(k->phys, NR_FREE_PAGES);
		k->phys->fail_nth = nth;
		st = kstack_alloc(&s, 0, 1);
		assert_int_equal(st == NULL, !k->phys->fail_nth);
		assert_int_equal(global_page_state(k->phys, NR_KERNEL_STACK), st != NULL);
	}
	k->phys->fail_nth = 0;
	kstack_free(&s, 0, st);
	down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A04_18), cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_vmapstack), cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
