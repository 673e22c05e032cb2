/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * get_user_pages and CVE-2016-5195, step by step, in every mode and on both architectures (spec 07
 * s7, s8).
 */
#include <errno.h>

#include "core/vm/dirtycow.h"
#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"
#include "tests/machine_boot.h"

#define A	     0x20000000ull
#define FILE1	     7
#define FORCED_WRITE (FOLL_FORCE | FOLL_GET | FOLL_WRITE)

static const char *const machines[] = {
	"mem=256M",
	"mem=256M hwad=1",
	"mem=256M data=bytes",
	"arch=arm32 machine=vexpress mem=256M",
	"arch=arm32 machine=vexpress mem=256M lpae=1 data=bytes",
	"page=64k va=42 mem=512M",
};

struct scene {
	struct machine *m;
	struct vm *vm;
	struct task *t;
	u64 page, orig; /* orig: the file page's content tag */
	struct page *c; /* the file's cached page */
};

static struct scene open_scene(const char *settings, u32 prot, u32 flags)
{
	struct scene s = {.m = boot_machine(settings)};

	s.vm = &s.m->vm;
	s.t = boot_task(s.m, 1);
	s.page = 1ull << s.vm->page_shift;
	assert_int_equal(vm_file(s.vm, FILE1, 4 * s.page, "disk", "F"), 0);
	assert_int_equal(sys_mmap(s.vm, s.t, A, s.page, prot, flags | MM_MAP_FIXED, FILE1, 0, 0),
			 A);
	/* somebody has read the file: its page is cached, and unmapped again */
	assert_int_equal(mm_access(s.vm, s.t, A, MM_ACCESS_READ), RES_MAJOR);
	assert_int_equal(sys_madvise(s.vm, s.t, A, s.page, MM_MADV_DONTNEED), 0);
	s.c = filemap_lookup(s.vm->phys, filemap_find(&s.vm->files, FILE1), 0);
	assert_non_null(s.c);
	s.orig = hw_frame_tag(s.vm->hw, page_to_pfn(s.vm->phys, s.c));
	return s;
}

static void close_scene(struct scene *s)
{
	assert_machine_sound(s->m);
	machine_destroy(s->m);
}

static u64 file_word(const struct scene *s)
{
	return hw_frame_tag(s->vm->hw, page_to_pfn(s->vm->phys, s->c));
}

/* What @orig looks like after "EVIL" was written over its first bytes. */
static u64 evil(u64 orig)
{
	memcpy(&orig, "EVIL", 4);
	return orig;
}

static u64 view(struct scene *s)
{
	u64 word = 0;

	assert_int_equal(access_remote_vm(s->vm, s->t, A, &word, sizeof(word), false),
			 sizeof(word));
	return word;
}

static pte_t pte_of(struct scene *s)
{
	return get_pte(s->vm, pte_lookup(s->vm, s->t->mm, A), 0);
}

static const char *run_to(struct gup_op *op, const char *point)
{
	const char *at = gup_point_name(op->point);

	while (strcmp(at, point) && op->point < GUP_DONE)
		at = gup_step(op);
	return at;
}

/* ---- gup ---- */

static void test_A07_15(void **state)
{
	struct machine *m = boot_machine("mem=256M");
	struct vm *vm = &m->vm;
	struct task *t = boot_task(m, 1);
	struct page *zero, *p;
	s32 count;

	(void)state;
	sys_mmap(vm, t, A, 4096, MM_PROT_READ | MM_PROT_WRITE,
		 MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED, 0, 0, 0);
	mm_access(vm, t, A, MM_ACCESS_READ);
	zero = pfn_to_page(vm->phys, vm->zero_pfn);
	count = page_count(zero);
	assert_int_equal(get_user_pages(vm, t, t->mm, A, 1, 0, &p), 1);
	assert_ptr_equal(p, zero);
	assert_int_equal(page_count(zero), count + 1);
	gup_put_page(vm, p);
	assert_int_equal(get_user_pages(vm, t, t->mm, A, 1, FOLL_DUMP, &p), -EFAULT);
	assert_int_equal(get_user_pages(vm, t, t->mm, A, 1, FOLL_WRITE, &p), 1);
	assert_ptr_not_equal(p, zero);
	lru_add_drain_all(&vm->lru);
	assert_int_equal(page_count(p), 2);
	assert_int_equal(page_mapcount(p), 1);
	assert_int_equal(page_count(zero), count);
	assert_int_equal(t->mm->rss[MM_ANONPAGES], 1);
	gup_put_page(vm, p);
	assert_machine_sound(m);
	machine_destroy(m);
}

static void test_A07_16(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		struct scene s = open_scene(machines[i], MM_PROT_READ, MM_MAP_SHARED);
		struct page *p;

		assert_int_equal(
			get_user_pages(s.vm, s.t, s.t->mm, A, 1, FOLL_WRITE | FOLL_FORCE, &p),
			-EFAULT);
		close_scene(&s);
		s = open_scene(machines[i], MM_PROT_READ, MM_MAP_PRIVATE);
		assert_int_equal(get_user_pages(s.vm, s.t, s.t->mm, A, 1, FOLL_WRITE, &p), -EFAULT);
		assert_int_equal(
			get_user_pages(s.vm, s.t, s.t->mm, A, 1, FOLL_WRITE | FOLL_FORCE, &p), 1);
		assert_true(PageAnon(p) && p != s.c);
		assert_true(pte_dirty(pte_of(&s)) && !pte_write(pte_of(&s)));
		gup_put_page(s.vm, p);
		assert_int_equal(mm_access(s.vm, s.t, A, MM_ACCESS_WRITE), RES_SIGSEGV);
		close_scene(&s);
	}
}

/* Rights and holes that gup refuses; how many pages it got before. */
static void test_refusals(void **state)
{
	struct machine *m = boot_machine("mem=256M");
	struct vm *vm = &m->vm;
	struct task *t = boot_task(m, 1);
	struct page *p[4];

	(void)state;
	sys_mmap(vm, t, A, 8192, MM_PROT_WRITE, MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED, 0, 0,
		 0);
	sys_mmap(vm, t, A + 8192, 4096, MM_PROT_NONE, MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED,
		 0, 0, 0);
	assert_int_equal(get_user_pages(vm, t, t->mm, A, 1, 0, p),
			 -EFAULT); /* reading needs VM_READ */
	assert_int_equal(get_user_pages(vm, t, t->mm, A, 4, FOLL_WRITE, p), 2);
	assert_int_equal(t->minflt, 2);
	gup_put_page(vm, p[0]);
	gup_put_page(vm, p[1]);
	assert_int_equal(get_user_pages(vm, t, t->mm, A + 8192, 1, FOLL_WRITE, p), -EFAULT);
	assert_int_equal(get_user_pages(vm, t, t->mm, A + 8192, 1, FOLL_FORCE, p), 1);
	gup_put_page(vm, p[0]);
	assert_int_equal(get_user_pages(vm, t, t->mm, A + 12288, 1, FOLL_FORCE, p), -EFAULT);
	assert_int_equal(get_user_pages(vm, t, t->mm, A + 12288, 0, FOLL_FORCE, p), 0);
	t->mm->mmap->vm_flags |= VM_IO;
	assert_int_equal(get_user_pages(vm, t, t->mm, A, 1, FOLL_WRITE, p), -EFAULT);
	t->mm->mmap->vm_flags &= ~(u32)VM_IO;
	assert_int_equal(t->mm->mmap_sem, 0);
	assert_machine_sound(m);
	machine_destroy(m);
}

/* access_remote_vm across a page border, in both data modes. */
static void test_remote(void **state)
{
	static const char text[] = "0123456789abcdef";
	char back[sizeof(text)] = "";

	(void)state;
	for (int bytes = 0; bytes < 2; bytes++) {
		struct machine *m = boot_machine(bytes ? "mem=256M data=bytes" : "mem=256M");
		struct task *t = boot_task(m, 1);
		vaddr_t at = A + 4096 - 8;

		sys_mmap(&m->vm, t, A, 8192, MM_PROT_READ,
			 MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED, 0, 0, 0);
		assert_int_equal(access_remote_vm(&m->vm, t, at, (void *)(uintptr_t)text, 16, true),
				 16);
		assert_int_equal(access_remote_vm(&m->vm, t, at, back, 16, false), 16);
		assert_memory_equal(back, text, 16);
		assert_int_equal(access_remote_vm(&m->vm, t, A + 8184, back, 16, false), 8);
		assert_machine_sound(m);
		machine_destroy(m);
	}
}

/* ---- Dirty COW ---- */

static void with_mode(char *out, size_t n, const char *machine, const char *mode)
{
	snprintf(out, n, "%s dirtycow=%s", machine, mode);
}

static void inject(const char *machine, const char *mode, enum gup_point point, bool damage)
{
	char settings[128];
	struct scene s;

	with_mode(settings, sizeof(settings), machine, mode);
	s = open_scene(settings, MM_PROT_READ, MM_MAP_PRIVATE);
	assert_int_equal(dirtycow_inject(s.vm, s.t, A, "EVIL", 4, point, NULL, NULL), 0);
	assert_int_equal(file_word(&s), damage ? evil(s.orig) : s.orig);
	assert_int_equal(PageDirty(s.c), damage);
	/* what was dropped after the look-up had its page is lost, to the writer only */
	assert_int_equal(view(&s), point == GUP_G7 ? s.orig : evil(s.orig));
	assert_int_equal(s.t->mm->rss[MM_ANONPAGES], damage || point == GUP_G7 ? 0 : 1);
	close_scene(&s);
}

static void test_A07_19(void **state)
{
	static const char text[] = "EVIL";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		char settings[128];
		struct gup_op op;
		struct page *p;
		struct scene s;

		for (enum gup_point k = GUP_G1; k <= GUP_G7; k++)
			inject(machines[i], "vulnerable", k, k == GUP_G5 || k == GUP_G6);
		inject(machines[i], "vulnerable", GUP_DONE, false);
		/* the same by hand, as spec 07 s8.0 has it */
		with_mode(settings, sizeof(settings), machines[i], "vulnerable");
		s = open_scene(settings, MM_PROT_READ, MM_MAP_PRIVATE);
		gup_begin(&op, s.vm, s.t, A, FORCED_WRITE, (void *)(uintptr_t)text, 4);
		assert_string_equal(run_to(&op, "G3"), "G3");
		assert_int_equal(s.t->mm->rss[MM_ANONPAGES], 1);
		assert_true(pte_dirty(pte_of(&s)) && !pte_write(pte_of(&s)));
		assert_int_equal(gup_flags(&op), FORCED_WRITE);
		assert_string_equal(run_to(&op, "G5"), "G5");
		assert_int_equal(gup_flags(&op), FOLL_FORCE | FOLL_GET);
		p = vm_normal_page(s.vm, pte_of(&s));
		lru_add_drain_all(&s.vm->lru);
		assert_int_equal(sys_madvise(s.vm, s.t, A, s.page, MM_MADV_DONTNEED), 0);
		assert_int_equal(page_count(p), 0);
		assert_string_equal(run_to(&op, "done"), "done");
		assert_int_equal(file_word(&s), evil(s.orig));
		assert_true(PageDirty(s.c));
		close_scene(&s);
	}
}

static void test_A07_20(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		for (enum gup_point k = GUP_G1; k <= GUP_G7; k++) {
			inject(machines[i], "fixed", k, false);
			inject(machines[i], "exclusive", k, false);
		}
		inject(machines[i], "fixed", GUP_DONE, false);
	}
}

static struct dirtycow_result race(const char *mode, u64 seed, u64 ticks)
{
	char settings[128];
	struct dirtycow_race r = {.seed = seed,
				  .max_ticks = ticks,
				  .addr = A,
				  .text = "EVIL",
				  .len = 4,
				  .file = FILE1};
	struct dirtycow_result out;
	struct scene s;

	with_mode(settings, sizeof(settings), seed % 2 ? machines[3] : machines[0], mode);
	s = open_scene(settings, MM_PROT_READ, MM_MAP_PRIVATE);
	assert_int_equal(dirtycow_race(s.vm, s.t, &r, &out), 0);
	assert_int_equal(s.t->mm->mmap_sem, 0);
	close_scene(&s);
	return out;
}

static void test_A07_21(void **state)
{
	struct dirtycow_result r;

	(void)state;
	for (u64 seed = 1; seed <= 10; seed++) {
		r = race("vulnerable", seed, 100000);
		assert_true(r.changed && r.successes == 1);
		assert_true(r.writes >= 1 && r.drops >= r.in_window && r.in_window >= 1);
		/* the window ratio is 1: the first drop in it succeeds, whatever came before */
		assert_int_equal(r.in_window, r.successes);
	}
	r = race("fixed", 1, 1000000);
	assert_false(r.changed);
	assert_int_equal(r.ticks, 1000000);
	assert_true(r.in_window > 1000 && r.successes == 0);
	assert_false(race("exclusive", 2, 100000).changed);
}

static void test_A07_22(void **state)
{
	(void)state;
	for (int raced = 0; raced < 2; raced++) {
		struct scene s =
			open_scene("mem=256M dirtycow=vulnerable", MM_PROT_READ, MM_MAP_PRIVATE);
		s64 before = machine_counter(s.m, "pgfault");
		u64 min = s.t->minflt;

		dirtycow_inject(s.vm, s.t, A, "EVIL", 4, raced ? GUP_G5 : GUP_DONE, NULL, NULL);
		assert_int_equal(machine_counter(s.m, "pgfault"), before + 2 + raced);
		assert_int_equal(s.t->minflt, min + 2 + (u64)raced);
		close_scene(&s);
	}
}

struct path {
	char names[64];
	u32 flags; /* at the end */
};

static void note(void *arg, const struct gup_op *op)
{
	struct path *p = arg;

	strcat(p->names, gup_point_name(op->point));
	strcat(p->names, " ");
	p->flags = op->flags;
}

/* The variant scenes of spec 07 s8.0, in vulnerable mode with the drop in the window. */
static void test_variants(void **state)
{
	(void)state;
	for (int arm = 0; arm < 2; arm++) {
		const char *machine =
			arm ? "arch=arm32 machine=vexpress mem=256M dirtycow=vulnerable"
			    : "mem=256M dirtycow=vulnerable";
		struct scene s = open_scene(machine, MM_PROT_READ, MM_MAP_PRIVATE);
		struct path p = {.names = ""};

		/* already copied: the first look-up finds an anonymous page, and goes on with the
		 * write fault */
		assert_int_equal(access_remote_vm(s.vm, s.t, A, "GOOD", 4, true), 4);
		assert_int_equal(dirtycow_inject(s.vm, s.t, A, "EVIL", 4, GUP_DONE, note, &p), 0);
		assert_string_equal(p.names, "G1 G4 G5 G6 G7 done ");
		assert_int_equal(file_word(&s), s.orig);
		close_scene(&s);

		/* a writable mapping: the flags never change, and a drop costs a copy at most */
		s = open_scene(machine, MM_PROT_READ | MM_PROT_WRITE, MM_MAP_PRIVATE);
		p = (struct path){.names = ""};
		assert_int_equal(dirtycow_inject(s.vm, s.t, A, "EVIL", 4, GUP_G3, note, &p), 0);
		assert_string_equal(p.names, "G1 G2 G3 G2 G3 G7 done ");
		assert_int_equal(p.flags, FORCED_WRITE);
		assert_int_equal(file_word(&s), s.orig);
		close_scene(&s);

		s = open_scene(machine, MM_PROT_READ, MM_MAP_SHARED);
		assert_int_equal(dirtycow_inject(s.vm, s.t, A, "EVIL", 4, GUP_G5, NULL, NULL),
				 -EFAULT);
		assert_int_equal(access_remote_vm(s.vm, s.t, A, "EVIL", 4, true), 0);
		assert_int_equal(file_word(&s), s.orig);
		close_scene(&s);

		/* the exclusive rule needs one fault: the look-up accepts a page that was never
		 * shared */
		s = open_scene(arm ? "arch=arm32 machine=vexpress mem=256M dirtycow=exclusive"
				   : "mem=256M dirtycow=exclusive",
			       MM_PROT_READ, MM_MAP_PRIVATE);
		p = (struct path){.names = ""};
		assert_int_equal(dirtycow_inject(s.vm, s.t, A, "EVIL", 4, GUP_DONE, note, &p), 0);
		assert_string_equal(p.names, "G1 G2 G3 G7 done ");
		close_scene(&s);
	}
}

/* Given up at each point, nothing remains but what was faulted in. */
static void test_abort(void **state)
{
	(void)state;
	for (enum gup_point k = GUP_G1; k <= GUP_G7; k++) {
		struct scene s = open_scene("mem=256M", MM_PROT_READ, MM_MAP_PRIVATE);
		struct gup_op op;

		gup_begin(&op, s.vm, s.t, A, FORCED_WRITE, (void *)(uintptr_t) "EVIL", 4);
		assert_string_equal(run_to(&op, gup_point_name(k)), gup_point_name(k));
		gup_abort(&op);
		assert_int_equal(s.t->mm->mmap_sem, 0);
		assert_int_equal(file_word(&s), s.orig);
		close_scene(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A07_15),	 cmocka_unit_test(test_A07_16),
		cmocka_unit_test(test_A07_19),	 cmocka_unit_test(test_A07_20),
		cmocka_unit_test(test_A07_21),	 cmocka_unit_test(test_A07_22),
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_remote),
		cmocka_unit_test(test_variants), cmocka_unit_test(test_abort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
