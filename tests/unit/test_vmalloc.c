/* SPDX-License-Identifier: BSD-2-Clause */
/* Spec 05 s1 on the machine of s3: 1 GiB vexpress, 4 KiB pages. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/vm/highmem.h"
#include "core/vm/vmalloc.h"
#include "core/vm/kernel_access.h"
#include "tests/kmem_boot.h"
#include "tests/machine_boot.h"

#define VEXPRESS "arch=arm32 machine=vexpress mem=1G "

static struct kmem_rig rig;
static struct kmem *k;
static struct vmalloc v;
static struct highmem hm;

static void boot(const char *pairs)
{
	k = kmem_rig_boot(&rig, pairs);
	assert_int_equal(highmem_init(&hm, k->phys), 0);
	assert_int_equal(vmalloc_init(&v, k), 0);
}

static void check(void)
{
	char why[256] = "";

	if (vmalloc_check(&v, why, sizeof(why)))
		fail_msg("%s", why);
	kmem_rig_check(&rig);
}

static int up(void **state)
{
	(void)state;
	boot(VEXPRESS);
	return 0;
}

static int down(void **state)
{
	(void)state;
	check();
	vmalloc_destroy(&v);
	highmem_destroy(&hm);
	kmem_rig_down(&rig);
	return 0;
}

/* The child does it and must die of an assertion. */
#define ASSERT_BUG(stmt)                                                                           \
	do {                                                                                       \
		int status_;                                                                       \
		pid_t pid_ = fork();                                                               \
		if (!pid_) {                                                                       \
			freopen("/dev/null", "w", stderr) ? (void)0 : (void)0;                     \
			signal(SIGABRT, SIG_DFL);                                                  \
			stmt;                                                                      \
			_exit(0);                                                                  \
		}                                                                                  \
		waitpid(pid_, &status_, 0);                                                        \
		assert_true(WIFSIGNALED(status_) && WTERMSIG(status_) == SIGABRT);                 \
	} while (0)

static void test_A05_1(void **state)
{
	(void)state;
	assert_int_equal(vmalloc(&v, 0, 1), 0xf0000000);
	assert_int_equal(find_vmap_area(&v, 0xf0000000)->vm->size, 8192);
	assert_int_equal(vmalloc(&v, 0, 1), 0xf0002000);
}

static void test_A05_2(void **state)
{
	vaddr_t a = vmalloc(&v, 0, 1);
	u8 *p = vmalloc_ptr(&v, a + 4095);

	(void)state;
	assert_int_equal(a, 0xf0000000);
	assert_non_null(p);
	*p = 17;
	assert_int_equal(*(u8 *)vmalloc_ptr(&v, a + 4095), 17);
	assert_null(vmalloc_ptr(&v, 0xf0001000));
}

static void test_A05_3(void **state)
{
	struct zone *high;
	static struct page *held[300000];
	u64 before, n = 0;
	vaddr_t a;
	pfn_t last = 0;
	bool contiguous = true;
	gfp_t all = GFP_HIGHUSER | MM_GFP_NOWARN | MM_GFP_MEMALLOC; /* below the watermarks too */

	(void)state;
	boot(VEXPRESS "fair=0"); /* the fair policy would spread them over both zones */
	high = rig_zone(k->phys, ZONE_HIGHMEM);
	drain_all_pages(k->phys);
	before = free_pages_of(high);
	a = vmalloc(&v, 0, 256 * 4096);
	drain_all_pages(k->phys);
	assert_int_equal(before - free_pages_of(high), 256);
	vfree(&v, 0, a);
	/* every second page of all memory in use: no block of order 8, or even 1, is left */
	while (n < ARRAY_SIZE(held) && (held[n] = alloc_page(k->phys, 0, all)))
		n++;
	assert_true(n < ARRAY_SIZE(held));
	for (u64 i = 0; i < n; i++)
		if (!(page_to_pfn(k->phys, held[i]) & 1)) {
			free_page_page(k->phys, 0, held[i]);
			held[i] = NULL;
		}
	drain_all_pages(k->phys);
	assert_null(kmalloc(k, 0, 1 << 20, GFP_KERNEL | MM_GFP_NOWARN));
	a = vmalloc(&v, 0, 1 << 20);
	assert_true(a != 0);
	for (u32 i = 0; i < 256; i++) {
		pfn_t pfn = kernel_map_get(&v.map, a + i * 4096);

		contiguous &= i && pfn == last + 1;
		last = pfn;
	}
	assert_false(contiguous);
	vfree(&v, 0, a);
	for (u64 i = 0; i < n; i++)
		if (held[i])
			free_page_page(k->phys, 0, held[i]);
	down(NULL);
}

static void test_A05_4(void **state)
{
	s64 free;
	u64 warned = k->phys->nr_warnings;

	(void)state;
	vfree(&v, 0, vmalloc(&v, 0, 4096));
	vmalloc_purge(&v, 0);
	drain_all_pages(k->phys);
	free = global_page_state(k->phys, NR_FREE_PAGES);
	assert_int_equal(vmalloc(&v, 0, 0), 0);
	assert_int_equal(k->phys->nr_warnings, warned + 1);
	assert_int_equal(vmalloc(&v, 0, (k->phys->totalram_pages + 1) * 4096), 0);
	assert_int_equal(k->phys->nr_warnings, warned + 2);
	assert_int_equal(vmalloc(&v, 0, 241 * MiB), 0);
	assert_int_equal(v.last_error, -EBUSY);
	assert_int_equal(k->phys->nr_warnings, warned + 3);
	drain_all_pages(k->phys);
	assert_int_equal(global_page_state(k->phys, NR_FREE_PAGES), free);
	assert_int_equal(v.nr_areas, 0);
}

static void test_A05_5(void **state)
{
	vaddr_t a = vmalloc(&v, 0, 8192), b;

	(void)state;
	vfree(&v, 0, a);
	b = vmalloc(&v, 0, 8192);
	assert_true(b > a);
	vfree(&v, 0, b);
	vmalloc_purge(&v, 0);
	assert_int_equal(vmalloc(&v, 0, 8192), a);
}

/* The worked timeline of s2.11. */
static void test_timeline(void **state)
{
	vaddr_t first = vmalloc(&v, 0, 8192);

	(void)state;
	assert_int_equal(first, 0xf0000000);
	assert_int_equal(vmalloc(&v, 0, 4096), 0xf0003000);
	vfree(&v, 0, first);
	assert_int_equal(v.lazy_nr, 3);
	assert_int_equal(vmalloc(&v, 0, 4096), 0xf0005000);
	vmalloc_purge(&v, 0);
	assert_int_equal(vmalloc(&v, 0, 4096), 0xf0000000);
	assert_int_equal(vmalloc(&v, 0, 4096), 0xf0007000);
}

static void test_A05_6(void **state)
{
	vaddr_t a[9];

	(void)state;
	assert_int_equal(v.lazy_max, 8192);
	for (int i = 0; i < 9; i++) /* 1024 pages with the guard */
		a[i] = vmalloc(&v, 0, 1023 * 4096);
	for (int i = 0; i < 8; i++)
		vfree(&v, 0, a[i]);
	assert_int_equal(v.lazy_nr, 8192);
	assert_int_equal(v.nr_purges, 0);
	vfree(&v, 0, a[8]);
	assert_int_equal(v.nr_purges, 1);
	assert_int_equal(v.nr_flushes, 1);
	assert_int_equal(v.lazy_nr, 0);
}

static void test_lazy_max(void **state)
{
	static const unsigned cpus[] = {1, 2, 3, 4, 7}, want[] = {8192, 16384, 16384, 24576, 24576};
	char text[128];

	(void)state;
	for (int i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), VEXPRESS "ncpu=%u", cpus[i]);
		boot(text);
		assert_int_equal(v.lazy_max, want[i]);
		down(NULL);
	}
}

static void test_A05_7(void **state)
{
	vaddr_t a = vmalloc(&v, 0, 5 * MiB);
	const struct vm_struct *vm = find_vmap_area(&v, a)->vm;

	(void)state;
	assert_int_equal(vm->nr_pages, 1280);
	assert_true(vm->flags & VMALLOC_VPAGES);
	assert_int_equal(v.nr_areas, 2);
	assert_int_equal(find_vmap_area(&v, vm->pages_va)->vm->size, 2 * 4096 + 4096); /* 5120 bytes */
	vfree(&v, 0, a);
	vmalloc_purge(&v, 0);
	assert_int_equal(v.nr_areas, 0);
	a = vmalloc(&v, 0, 4 * MiB); /* 1024 * 4 = one page: kmalloc */
	assert_int_equal(v.nr_areas, 1);
}

static void test_A05_8(void **state)
{
	vaddr_t a = vmalloc(&v, 0, 8192), b = vmalloc(&v, 0, 4096), c = vmalloc(&v, 0, 8192);

	(void)state;
	assert_true(a < b && b < c);
	vfree(&v, 0, b);
	vmalloc_purge(&v, 0);
	assert_int_equal(vmalloc(&v, 0, 4096), b);
}

static void test_A05_9(void **state)
{
	vaddr_t filler = vmalloc(&v, 0, 4096), io = ioremap(&v, 0, 0x1c000000, 64 * KiB);

	(void)state;
	assert_true(filler && io);
	assert_int_equal(io % (128 * KiB), 0);
	assert_int_equal(kernel_map_get(&v.map, io + 4096), 0x1c001);
	assert_null(vmalloc_ptr(&v, io)); /* a device has no memory */
	iounmap(&v, 0, io);
	assert_int_equal(kernel_map_get(&v.map, io), PFN_NONE);
	assert_int_equal(ioremap(&v, 0, k->phys->min_low_pfn << 12, 4096), 0); /* RAM */
	assert_int_equal(vmalloc_add_static(&v, 0xf8000000, 0x1c000000, MiB), 0);
	assert_int_equal(ioremap(&v, 0, 0x1c010004, 16), 0xf8010004);
	iounmap(&v, 0, 0xf8010004);
	assert_int_equal(ioremap(&v, 0, 0x1d000004, 16) & 4095, 4);
}

static void test_A05_10(void **state)
{
	vaddr_t a = vmalloc(&v, 0, 8192);
	u64 warned = k->phys->nr_warnings, areas = v.nr_areas;

	(void)state;
	vfree(&v, 0, 0xf4000000);
	assert_int_equal(k->phys->nr_warnings, warned + 1);
	vfree(&v, 0, a + 4096); /* inside, not the start */
	assert_int_equal(k->phys->nr_warnings, warned + 2);
	vfree(&v, 0, a + 1);
	assert_int_equal(k->phys->nr_warnings, warned + 3);
	vfree(&v, 0, 0);
	assert_int_equal(k->phys->nr_warnings, warned + 3);
	assert_int_equal(v.nr_areas, areas);
	assert_int_equal(v.lazy_nr, 0);
	vfree(&v, 0, a);
	vfree(&v, 0, a); /* lazily free already */
	assert_int_equal(k->phys->nr_warnings, warned + 4);
}

static void test_A05_18(void **state)
{
	struct page *page = alloc_page(k->phys, 0, GFP_HIGHUSER);
	vaddr_t va, at = kmap_atomic(&hm, 0, page);

	(void)state;
	ASSERT_BUG(vmalloc(&v, 0, 4096));
	ASSERT_BUG(kmap(&hm, 0, page, &va));
	kunmap_atomic(&hm, 0, at);
	assert_int_equal(kmap(&hm, 0, page, &va), 0);
	kunmap(&hm, 0, page);
	irq_enter(k->hw, 0);
	ASSERT_BUG(vmalloc(&v, 0, 4096));
	irq_exit(k->hw, 0);
	free_page_page(k->phys, 0, page);
}

static void test_A05_19(void **state)
{
	struct machine *m = boot_machine("mem=256M arch=arm32 machine=vexpress");
	struct mm_struct *old;
	struct vmalloc w;
	vaddr_t a;

	(void)state;
	assert_int_equal(vmalloc_init(&w, &m->kmem), 0);
	vmalloc(&w, 0, 4096);
	old = boot_task(m, 1)->mm;
	a = vmalloc(&w, 0, 4 * MiB); /* reaches 2 MiB steps the user has not seen */
	assert_int_equal(vm_kernel_access(&m->vm, old, a, PT_ACCESS_READ, false).copies, 0); /* existed before */
	assert_int_equal(vm_kernel_access(&m->vm, old, a + 3 * MiB, PT_ACCESS_READ, false).copies, 1);
	assert_int_equal(vm_kernel_access(&m->vm, old, a + 3 * MiB + 4096, PT_ACCESS_WRITE, false).copies, 0);
	assert_int_equal(vm_kernel_access(&m->vm, old, a + 4 * MiB, PT_ACCESS_READ, false).result, -EFAULT); /* guard */
	vmalloc_destroy(&w);
	machine_destroy(m);
}

static void test_A05_20(void **state)
{
	enum { LIVE = 200 };
	vaddr_t a[LIVE] = {0};
	u64 pages[LIVE] = {0};
	struct prng r;
	s64 free;

	(void)state;
	prng_seed(&r, test_seed(520));
	vfree(&v, 0, vmalloc(&v, 0, 16 * MiB)); /* the tables that stay */
	vmalloc_purge(&v, 0);
	for (u64 at = v.start; at < v.start + 240 * MiB; at += 2 * MiB) {
		assert_int_equal(kernel_map_set(&v.map, at, 0), 0);
		kernel_map_clear(&v.map, at);
	}
	drain_all_pages(k->phys);
	free = global_page_state(k->phys, NR_FREE_PAGES);
	for (int n = 0; n < 10000; n++) {
		u32 i = (u32)prng_below(&r, LIVE);

		if (a[i]) {
			vfree(&v, 0, a[i]);
			a[i] = 0;
		} else {
			pages[i] = prng_below(&r, 100) ? 1 + prng_below(&r, 30) : 1 + prng_below(&r, 1500);
			a[i] = vmalloc(&v, 0, pages[i] * 4096);
			assert_true(a[i] >= v.start && a[i] + pages[i] * 4096 < v.end);
			assert_non_null(vmalloc_ptr(&v, a[i] + pages[i] * 4096 - 1));
			assert_null(vmalloc_ptr(&v, a[i] + pages[i] * 4096));
		}
		if (n % 500 == 0)
			check(); /* disjoint, mapped pages as many as live ones */
	}
	for (u32 i = 0; i < LIVE; i++)
		vfree(&v, 0, a[i]);
	vmalloc_purge(&v, 0);
	assert_int_equal(v.nr_areas, 0);
	assert_int_equal(v.used, 0);
	struct kmem_cache *c;
	list_for_each_entry(c, &k->caches, list)
		kmem_cache_shrink(c, 0);
	drain_all_pages(k->phys);
	assert_true(global_page_state(k->phys, NR_FREE_PAGES) >= free);
}

/* Every page allocation of a vmalloc() fails once: 0, and nothing is lost. */
static void test_vmalloc_failures(void **state)
{
	struct kmem_cache *c;
	u64 nth, base = 0;
	vaddr_t a = 0;

	(void)state;
	for (nth = 0; !a && nth < 3000; nth++) {
		s64 free;

		vmalloc_purge(&v, 0);
		list_for_each_entry(c, &k->caches, list)
			kmem_cache_shrink(c, 0);
		drain_all_pages(k->phys);
		free = global_page_state(k->phys, NR_FREE_PAGES) + (s64)k->phys->kpgd.nr_tables;
		assert_true(nth < 2 || (u64)free == base);
		base = (u64)free;
		k->phys->fail_nth = nth;
		a = vmalloc(&v, 0, 5 * MiB);
		if (nth && a)
			assert_true(k->phys->fail_nth);
		if (!nth) {
			assert_true(a);
			vfree(&v, 0, a);
			a = 0;
		}
		check();
	}
	k->phys->fail_nth = 0;
	assert_true(a && nth > 1280);
}

static void test_vmap(void **state)
{
	struct page *pages[3];
	vaddr_t a;

	(void)state;
	for (int i = 0; i < 3; i++)
		pages[i] = alloc_page(k->phys, 0, GFP_HIGHUSER);
	a = vmap(&v, 0, pages, 3);
	assert_int_equal(kernel_map_get(&v.map, a + 8192), page_to_pfn(k->phys, pages[2]));
	assert_int_equal(vmap(&v, 0, pages, k->phys->totalram_pages + 1), 0);
	vunmap(&v, 0, a);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(page_count(pages[i]), 1);
		free_page_page(k->phys, 0, pages[i]);
	}
	a = vmalloc(&v, 0, 4096);
	ASSERT_BUG(vunmap(&v, 0, a));
}

static void test_variants(void **state)
{
	vaddr_t a = vzalloc(&v, 0, 10000), b = vmalloc_user(&v, 0, 4096), c = vmalloc_32(&v, 0, 4096);
	u8 buf[3 * 4096];

	(void)state;
	memset(vmalloc_ptr(&v, c), 9, 4096);
	assert_int_equal(*(u8 *)vmalloc_ptr(&v, a + 9999), 0);
	assert_int_equal(b % (16 * KiB), 0);
	assert_true(find_vmap_area(&v, b)->vm->flags & VMALLOC_USERMAP);
	assert_false(zone_is_highmem(page_zone(k->phys, pfn_to_page(k->phys, kernel_map_get(&v.map, c)))));
	memset(buf, 1, sizeof(buf));
	assert_int_equal(vread(&v, buf, c, sizeof(buf)), sizeof(buf)); /* page, guard, nothing */
	assert_int_equal(buf[4095], 9);
	assert_int_equal(buf[4096], 0);
	assert_int_equal(vread(&v, buf, v.end - 4096, 4096), 0);
	irq_enter(k->hw, 0);
	vfree(&v, 0, a); /* queued */
	assert_non_null(vmalloc_ptr(&v, a));
	irq_exit(k->hw, 0);
	vfree_deferred(&v, 0);
	assert_null(vmalloc_ptr(&v, a));
}

static void test_vmallocinfo(void **state)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	(void)state;
	vmalloc(&v, 0, 1);
	ioremap(&v, 0, 0x1c000000, 4096);
	assert_int_equal(vmalloc_show(&v, "vmallocinfo", f), 0);
	assert_int_equal(vmalloc_show(&v, "slabinfo", f), -ENOENT);
	fclose(f);
	assert_string_equal(text, "0xf0000000-0xf0002000    8192 vmalloc pages=1 vmalloc\n"
				  "0xf0002000-0xf0004000    8192 ioremap phys=1c000000 ioremap\n");
	free(text);
}

/* spec 02 s5, s6: where the area lies. */
static void test_ranges(void **state)
{
	static const struct { const char *pairs; vaddr_t start, end; } rows[] = {
		{VEXPRESS, 0xf0000000, 0xff000000},
		{"arch=arm64 va=39 mem=256M", 0xffffff8000000000, 0xffffffbdbfff0000},
		{"arch=arm64 va=48 mem=256M", 0xffff000000000000, 0xffff7bffbfff0000},
		{"arch=arm64 page=64k va=42 mem=512M", 0xfffffc0000000000, 0xfffffdfedfff0000},
		{"arch=arm64 page=64k va=48 mem=512M", 0xffff000000000000, 0xffff77ffffff0000},
		{"arch=arm64 page=16k va=47 mem=256M", 0xffff800000000000, 0xffffbf6fffff0000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		boot(rows[i].pairs);
		assert_int_equal(v.start, rows[i].start);
		assert_int_equal(v.end, rows[i].end);
		assert_int_equal(vmalloc(&v, 0, 1), rows[i].start);
		down(NULL);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
	const struct CMUnitTest tests[] = {
		T(test_A05_1), T(test_A05_2), cmocka_unit_test(test_A05_3), T(test_A05_4), T(test_A05_5),
		T(test_timeline), T(test_A05_6), cmocka_unit_test(test_lazy_max), T(test_A05_7),
		T(test_A05_8), T(test_A05_9), T(test_A05_10), T(test_A05_18), T(test_A05_19),
		T(test_A05_20), T(test_vmalloc_failures), T(test_vmap), T(test_variants),
		T(test_vmallocinfo), cmocka_unit_test(test_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
