/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lock model (spec 12 s5.1, lockdep=1): system calls hold mmap_sem in the mode they need, whoever does not
 * is found, and so is an order of locks by which two could wait for each other.
 */
#include "core/base/limits.h"
#include "core/hw/clock.h"
#include "core/vm/dirtycow.h"
#include "tests/api_rig.h"
#include "tests/bug_hook.h"
#include "workloads/workload.h"

#define RIG(...)                                                                                   \
	srig_boot((const char *const[]){"mem=64M", "swap=16M", "page_cluster=0", "lockdep=1", __VA_ARGS__, NULL})

/* ---- the order ---- */

/* What a task holds, outer to inner; then the next one, and whether that is in order. */
static const struct {
	enum lock_class held[3];
	unsigned nr;
	enum lock_class next;
	bool nested, wrong;
} orders[] = {
	{{0}, 0, LOCK_ZONE, false, false},
	{{LOCK_MMAP_SEM}, 1, LOCK_PAGE, false, false},
	{{LOCK_MMAP_SEM, LOCK_I_MMAP, LOCK_ANON_VMA}, 3, LOCK_TREE, false, false},
	{{LOCK_KSM_THREAD}, 1, LOCK_MMAP_SEM, false, false},
	{{LOCK_MMAP_SEM}, 1, LOCK_KSM_THREAD, false, true},
	{{LOCK_MMAP_SEM}, 1, LOCK_MMAP_SEM, false, true},
	{{LOCK_MMAP_SEM}, 1, LOCK_MMAP_SEM, true, false}, /* a child's under its parent's */
	{{LOCK_PAGE}, 1, LOCK_MMAP_SEM, false, true},
	{{LOCK_ANON_VMA}, 1, LOCK_I_MMAP, false, true},
	{{LOCK_I_MMAP}, 1, LOCK_PAGE, false, true},
	{{LOCK_TREE}, 1, LOCK_ANON_VMA, false, true},
	{{LOCK_SLAB_LIST}, 1, LOCK_ZONE, false, false},
	{{LOCK_ZONE}, 1, LOCK_SLAB_LIST, false, true},
	{{LOCK_MMAP_SEM, LOCK_ZONE}, 2, LOCK_ANON_VMA, false, true},
};

struct order_trial {
	struct hw *hw;
	enum lock_class class;
	bool nested;
};

static void take_next(void *arg)
{
	const struct order_trial *t = arg;

	lockdep_may_take(t->hw, t->class, t->nested);
}

static void drop_another(void *arg)
{
	lockdep_drop(arg, LOCK_ZONE, arg);
}

static void test_order(void **state)
{
	(void)state;
	if (!MM_DEBUG)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		struct srig g = RIG("ncpu=1");
		struct hw *hw = &g.m->hw;
		struct order_trial next = {hw, orders[i].next, orders[i].nested};
		u64 locks[3];

		for (unsigned k = 0; k < orders[i].nr; k++)
			lockdep_take(hw, orders[i].held[k], &locks[k]);
		if (bug_fires(take_next, &next) != orders[i].wrong)
			fail_msg("order %zu: %s under %s", i, lock_class_name(orders[i].next),
				 orders[i].nr ? lock_class_name(orders[i].held[orders[i].nr - 1]) : "nothing");
		assert_true(bug_fires(drop_another, hw)); /* not held */
		for (unsigned k = 0; k < orders[i].nr; k++) {
			assert_true(lockdep_holds(hw, orders[i].held[k], &locks[k]));
			lockdep_drop(hw, orders[i].held[k], &locks[k]); /* in any order */
		}
		srig_end(&g);
	}
}

static u64 orderly(void *self, u64 budget)
{
	struct srig *g = self;

	(void)budget;
	lock_model(g->vm->hw, LOCK_MMAP_SEM, g); /* the task that waits holds inner ones: not our business */
	unlock_model(g->vm->hw, LOCK_MMAP_SEM, g);
	return 0;
}

static u64 keeper(void *self, u64 budget)
{
	(void)budget;
	lock_model(self, LOCK_PAGE, self);
	return 0;
}

static void pass_time(void *arg)
{
	struct hw *hw = arg;

	clock_run(hw, hw->now + 1000);
}

/* A kernel thread that runs while a task waits has locks of its own, and lets go of them. */
static void test_contexts(void **state)
{
	struct srig g;
	struct hw *hw;
	char why[128];

	(void)state;
	if (!MM_DEBUG)
		skip();
	g = RIG("ncpu=1");
	hw = &g.m->hw;
	assert_true(clock_add_daemon(hw, orderly, &g, hw->now + 100, 0) >= 0);
	lock_model(hw, LOCK_ANON_VMA, &g);
	clock_run(hw, hw->now + 1000);
	assert_int_equal(machine_check(g.m, why, sizeof(why)), 1);
	assert_string_equal(why, "anon_vma->rwsem was not dropped");
	unlock_model(hw, LOCK_ANON_VMA, &g);
	srig_sound(&g);
	assert_true(clock_add_daemon(hw, keeper, hw, hw->now + 100, 0) >= 0);
	assert_true(bug_fires(pass_time, hw));
	machine_destroy(g.m);
}

/* ---- modes ---- */

enum mode { NOT_HELD, FOR_READING, FOR_WRITING };

struct args {
	struct srig g;
	struct task *t;
	struct vm_area_struct *v;
};

static void call_fault(void *args)
{
	struct args *a = args;
	struct vm_fault f = {.vm = a->g.vm, .task = a->t, .mm = a->t->mm, .vma = a->v, .addr = BASE, .write = true};

	handle_mm_fault(&f);
}

static void call_follow(void *args)
{
	struct args *a = args;
	struct page *p;

	follow_page(a->g.vm, a->v, BASE, 0, &p);
}

static void call_populate(void *args)
{
	struct args *a = args;
	populate_vma_range(a->g.vm, a->t, a->v, BASE, BASE + PAGE);
}

static void call_munmap(void *args)
{
	struct args *a = args;
	do_munmap(a->g.vm, a->t->mm, BASE + PAGE, PAGE);
}

static void call_brk(void *args)
{
	struct args *a = args;
	do_brk(a->g.vm, a->t->mm, BASE + 16 * PAGE, PAGE);
}

static void call_split(void *args)
{
	struct args *a = args;
	split_vma(a->g.vm, a->v, BASE + PAGE, true);
}

static void call_merge(void *args)
{
	struct args *a = args;
	struct vma_merge m = {.mm = a->t->mm, .addr = BASE + 16 * PAGE, .end = BASE + 17 * PAGE};

	vma_merge(a->g.vm, &m);
}

static void call_insert(void *args)
{
	struct args *a = args;
	struct vm_area_struct *v = vma_dup(a->g.vm, a->v);

	v->vm_start += 16 * PAGE;
	v->vm_end += 16 * PAGE;
	insert_vm_struct(a->g.vm, a->t->mm, v);
}

static const struct {
	const char *name;
	void (*call)(void *args);
	enum mode needs;
} needs[] = {
	{"handle_mm_fault", call_fault, FOR_READING}, {"follow_page", call_follow, FOR_READING},
	{"populate_vma_range", call_populate, FOR_READING}, {"do_munmap", call_munmap, FOR_WRITING},
	{"do_brk", call_brk, FOR_WRITING}, {"split_vma", call_split, FOR_WRITING},
	{"vma_merge", call_merge, FOR_WRITING}, {"insert_vm_struct", call_insert, FOR_WRITING},
};

static void test_modes(void **state)
{
	static const char *const names[] = {"without mmap_sem", "with mmap_sem for reading", "for writing"};

	(void)state;
	if (!MM_DEBUG)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		for (int mode = NOT_HELD; mode <= FOR_WRITING; mode++) {
			struct args a = {.g = RIG("ncpu=1")};

			a.t = srig_task(&a.g, 1);
			srig_map(&a.g, a.t, BASE, 4);
			a.v = find_vma(a.g.vm, a.t, BASE);
			if (mode == FOR_READING)
				mmap_read_lock(a.g.vm, a.t->mm);
			else if (mode == FOR_WRITING)
				mmap_write_lock(a.g.vm, a.t->mm);
			if (bug_fires(needs[i].call, &a) != (mode < (int)needs[i].needs))
				fail_msg("%s %s: %s", needs[i].name, names[mode], bug_text);
			assert_true(mode >= (int)needs[i].needs || strstr(bug_text, "mmap_sem is needed"));
			machine_destroy(a.g.m);
		}
}

/* The first two only read. */
#define NR_CALLS 9

struct call {
	struct srig g;
	struct task *t;
	int number;
};

static void make_call(void *arg)
{
	struct call *c = arg;
	struct vm *vm = c->g.vm;
	struct task *t = c->t;

	switch (c->number) {
	case 0:
		sys_madvise(vm, t, BASE, PAGE, MM_MADV_DONTNEED);
		break;
	case 1:
		mm_access(vm, t, BASE + PAGE, MM_ACCESS_WRITE);
		break;
	case 2:
		sys_madvise(vm, t, BASE, PAGE, MM_MADV_DONTFORK);
		break;
	case 3:
		srig_map(&c->g, t, BASE + 16 * PAGE, 1);
		break;
	case 4:
		sys_munmap(vm, t, BASE, PAGE);
		break;
	case 5:
		sys_mprotect(vm, t, BASE, PAGE, MM_PROT_READ);
		break;
	case 6:
		sys_mlock(vm, t, BASE, PAGE, 0);
		break;
	case 7:
		sys_brk(vm, t, t->mm->start_brk + PAGE);
		break;
	default:
		vm_fork(vm, t, vm_task(vm, 2));
	}
}

/* Beside another thread's gup, half way, go calls that read, too, and no others. */
static bool waits_for_reader(int number)
{
	struct call c = {.g = RIG("dirtycow=fixed"), .number = number};
	struct gup_op op;
	bool waits;

	c.t = srig_task(&c.g, 1);
	srig_map(&c.g, c.t, BASE, 4);
	assert_int_equal(vm_define_task(c.g.vm, 2, 2, 2), 0);
	gup_begin(&op, c.g.vm, c.t, BASE, FOLL_GET | FOLL_WRITE, NULL, 0);
	lockdep_drop(c.g.vm->hw, LOCK_MMAP_SEM, c.t->mm); /* it is not this thread that holds it */
	waits = bug_fires(make_call, &c);
	machine_destroy(c.g.m);
	return waits;
}

static void test_calls_beside_a_reader(void **state)
{
	(void)state;
	if (!MM_DEBUG)
		skip();
	for (int i = 0; i < NR_CALLS; i++)
		if (waits_for_reader(i) != (i >= 2))
			fail_msg("call %d: %s", i, bug_text);
}

/* ---- all of it in order ---- */

static void work(const char *settings)
{
	static struct mm_op ops[MM_MAX_OP_BATCH];
	const struct workload *w;

	for (unsigned i = 0; (w = workload_at(i)); i++) {
		const char *sets[16] = {"lockdep=1"};
		struct workload_options o = {.seed = 11};
		struct workload_run run;
		struct op_strings strings;
		char err[256], copy[256], *save = NULL;
		unsigned nr = 1;
		struct srig g;
		size_t n;

		snprintf(copy, sizeof(copy), "%s", settings);
		for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
			sets[nr++] = word;
		g = srig_boot(sets);
		workload_prepare(&run, w);
		assert_int_equal(workload_start(&run, &o, err, sizeof(err)), 0);
		strings = workload_strings(&run);
		for (size_t done = 0; done < 30000 && (n = workload_next(&run, ops, WORKLOAD_BURST)) > 0; done += n)
			machine_apply(g.m, ops, n, &strings, NULL);
		workload_stop(&run);
		machine_advance(g.m, machine_now(g.m) + 1000000000);
		assert_int_equal(sys_swapoff(g.vm, swap_area_last(g.sw)) > 0, 0);
		srig_end(&g);
	}
}

static void test_work(void **state)
{
	(void)state;
	if (!MM_DEBUG)
		skip();
	work("mem=40M swap=256M");
	work("mem=40M swap=256M policy=4.12 ncpu=2 kcompactd=1");
	work("mem=40M swap=256M policy=modern ksm_run=1 ksm_all=1 oom=reaper");
	work("mem=40M reclaim=node mglru=1 swap=128M threads=inline ksm_run=1 ksm_all=1 ksm_use_zero_pages=1");
	work("arch=arm32 machine=vexpress mem=48M slab=slub swap=64M vma=btree");
}

static void test_refused(void **state)
{
	struct machine_config c;
	char err[256];

	(void)state;
	config_init(&c);
	assert_int_equal(config_set_pair(&c, "lockdep=1", err, sizeof(err)), 0);
	assert_int_equal(config_finish(&c, err, sizeof(err)), MM_DEBUG ? 0 : -EINVAL);
	assert_int_equal(config_set_pair(&c, "smp=1", err, sizeof(err)), 0);
	assert_int_equal(config_finish(&c, err, sizeof(err)), -EINVAL);
	assert_non_null(strstr(err, "lockdep=1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused), cmocka_unit_test(test_order),
		cmocka_unit_test(test_contexts), cmocka_unit_test(test_modes),
		cmocka_unit_test(test_calls_beside_a_reader), cmocka_unit_test(test_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
