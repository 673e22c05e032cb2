/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The n-th page allocation fails, for every n there is: whatever was being done answers with an error or
 * goes on, every invariant holds, and when all is given back nothing has been lost.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "core/machine/machine_types.h"
#include "core/phys/page_alloc.h"
#include "core/vm/vm.h"
#include "tests/test.h"
#include "traces/reader.h"

/* A bit of everything that takes pages; ends with everything given back. */
static const char scenario[] =
	"memrig-trace 1\n0 0 1 spawn brk=0x20000000 stack=0x7ff000000000\n"
	"- 0 1 mmap addr=0x10000000 len=0x800000 prot=rw flags=private,anon,fixed\n"
	"- 0 1 write addr=0x10000000 len=0x40000\n- 0 1 read addr=0x10100000 len=0x8000\n"
	"- 0 1 mprotect addr=0x10010000 len=0x3000 prot=r\n- 0 1 munmap addr=0x10020000 len=0x1000\n"
	"- 0 1 madvise addr=0x10030000 len=0x4000 advice=dontneed\n- 0 1 mlock addr=0x10000000 len=0x4000\n"
	"- 0 1 mremap addr=0x10200000 old=0x10000 new=0x20000 flags=maymove\n"
	"- 0 1 brk addr=0x20400000\n- 0 1 write addr=0x20000000 len=0x30000\n"
	"- 0 1 file id=1 size=0x100000 name=f kind=disk\n- 0 1 file id=2 size=0x20000 name=t kind=tmpfs\n"
	"- 0 1 mmap addr=0x30000000 len=0x40000 prot=rw flags=private,fixed file=1 off=0\n"
	"- 0 1 mmap addr=0x31000000 len=0x20000 prot=rw flags=shared,fixed file=2 off=0\n"
	"- 0 1 read addr=0x30000000 len=0x10000\n- 0 1 write addr=0x30008000 len=0x8000\n"
	"- 0 1 write addr=0x31000000 len=0x8000\n- 0 1 fread file=1 off=0x40000 len=0x10000 buf=0x10001000\n"
	"- 0 1 fork child=2\n- 0 2 write addr=0x10000000 len=0x20000\n- 0 1 write addr=0x20000000 len=0x8000\n"
	"- 0 2 fork child=3\n- 0 3 read addr=0x31000000 len=0x8000\n- 0 3 munmap addr=0x10000000 len=0x100000\n"
	"- 0 2 exec name=b\n- 0 2 mmap addr=0x40000000 len=0x10000 prot=rw flags=private,anon,fixed,populate\n"
	"- 0 4 spawn brk=0x20000000\n- 0 4 malloc ptr=0x1000 size=100000\n- 0 4 malloc ptr=0x2000 size=300000\n"
	"- 0 4 free ptr=0x1000\n"
	"- 0 0 alloc_pages id=1 order=0 gfp=kernel\n- 0 0 alloc_pages id=2 order=3 gfp=kernel,comp\n"
	"- 0 0 alloc_bulk id=3 n=40 gfp=highuser_movable\n- 0 0 kmalloc id=4 size=200\n- 0 0 kmalloc id=5 size=9000\n"
	"- 0 0 cache_create cache=c size=700\n- 0 0 cache_alloc cache=c id=6\n- 0 0 cache_alloc cache=c id=7\n"
	"- 0 0 vmalloc id=8 size=50000\n- 0 0 vmalloc id=9 size=3000000\n"
	"- 0 0 vfree id=8\n- 0 0 vfree id=9\n- 0 0 free_pages id=1\n- 0 0 free_pages id=2\n- 0 0 free_pages id=3\n"
	"- 0 0 kfree id=4\n- 0 0 kfree id=5\n- 0 0 cache_free id=6\n- 0 0 cache_free id=7\n"
	"- 0 0 cache_destroy cache=c\n"
	"- 0 4 exit\n- 0 3 exit\n- 0 2 exit\n- 0 1 exit\n- 0 1 unlink file=2\n- 0 1 unlink file=1\n"
	"- 0 1 drop_caches what=3\n- 0 1 drain\n";

static struct machine *boot(const char *const *sets)
{
	struct machine_config c;
	struct machine *m;
	char err[512];

	config_init(&c);
	for (; *sets; sets++)
		assert_int_equal(config_set_pair(&c, *sets, err, sizeof(err)), 0);
	assert_int_equal(config_finish(&c, err, sizeof(err)), 0);
	m = machine_create(&c, err, sizeof(err));
	if (!m)
		fail_msg("boot: %s", err);
	return m;
}

static void assert_sound(struct machine *m, u64 nth)
{
	char why[512];

	if (machine_check(m, why, sizeof(why)))
		fail_msg("allocation %llu failed: %s", (unsigned long long)nth, why);
}

/* All of the scenario, looking at every invariant when the failure has just happened and at the end. */
static void play(struct machine *m, const char *path, u64 nth)
{
	char err[512];
	struct trace_reader *r = trace_open(path, TRACE_READ_INLINE, err, sizeof(err));
	const struct mm_op *ops;
	bool looked = !nth;
	ssize_t n;

	if (!r)
		fail_msg("%s", err);
	m->phys.fail_nth = nth;
	while ((n = trace_next(r, &ops)) > 0) {
		struct op_strings strings = trace_reader_strings(r);

		for (ssize_t i = 0, len; i < n; i += len) {
			len = ops[i].flags & MM_OP_HAS_EXT ? 2 : 1;
			machine_apply(m, ops + i, (size_t)len, &strings, NULL);
			if (!looked && !m->phys.fail_nth) {
				looked = true;
				assert_sound(m, nth);
			}
		}
	}
	if (n)
		fail_msg("%s", trace_reader_error(r));
	trace_close(r);
}

/* What is free when no cache keeps a slab and no CPU a page. */
static u64 free_in_the_end(struct machine *m)
{
	struct kmem_cache *c;
	struct vmstat_snapshot s;

	list_for_each_entry(c, &m->kmem.caches, list)
		kmem_cache_shrink(c, 0);
	drain_all_pages(&m->phys);
	machine_vmstat(m, &s);
	return (u64)s.v[vmstat_by_name("nr_free_pages")];
}

static void fail_each(const char *const *sets)
{
	int fd = memfd_create("scenario", 0);
	char path[64];
	u64 whole, nth, left;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, scenario, sizeof(scenario) - 1), (ssize_t)sizeof(scenario) - 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (nth = 0, whole = 0;; nth++) {
		struct machine *m = boot(sets);

		play(m, path, nth);
		left = m->phys.fail_nth;
		m->phys.fail_nth = 0;
		assert_sound(m, nth);
		if (!nth) /* without a failure */
			whole = free_in_the_end(m);
		else if (free_in_the_end(m) < whole)
			fail_msg("allocation %llu failed: pages are lost", (unsigned long long)nth);
		machine_destroy(m);
		if (left)
			break;
	}
	print_message("%llu allocations failed, one by one\n", (unsigned long long)nth - 1);
	assert_true(nth > 200);
	close(fd);
}

static void test_arm64_slab(void **state)
{
	static const char *const sets[] = {"mem=64M", NULL};

	(void)state;
	fail_each(sets);
}

static void test_arm32_highmem_slub(void **state)
{
	static const char *const sets[] = {"arch=arm32", "mem=96M", "vmalloc=900M", "slab=slub", NULL};

	(void)state;
	fail_each(sets);
}

static void test_later_policies(void **state)
{
	static const char *const sets[] = {"page=16k", "va=47", "mem=128M", "policy=4.12", "vmapstack=1", NULL};

	(void)state;
	fail_each(sets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arm64_slab),
		cmocka_unit_test(test_arm32_highmem_slub),
		cmocka_unit_test(test_later_policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
