/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A06.22: random calls against an array of pages that knows rights and locks of each and nothing of
 * VMAs; with both indexes in step. After every call the rights, every answer (addresses chosen by the
 * search included) and the list of VMAs agree, and no two neighbours could be one.
 *
 *   |<-- blocked -->|<------ window ------>|<-- blocked -->|   ARM32: all of 0 .. TASK_SIZE
 *                    heap ->
 */
#include "core/base/prng.h"
#include "tests/vma_rig.h"

#if defined(__SANITIZE_ADDRESS__) || MM_DEBUG
#define OPS 20000u
#else
#define OPS 100000u
#endif
#define WINDOW 0x40000000ull
#define PAGES  384u
#define LOW    0x2000ull
#define HIGH   0xbf000000ull

struct page_state {
	bool mapped, locked;
	u8 prot;
};

struct model {
	struct page_state page[PAGES];
	u64 brk; /* bytes from the start of the window */
};

struct duel {
	struct vma_rig rig[2];
	struct model model;
	struct prng prng;
	const struct anon_vma *anon[PAGES]; /* of each page's VMA before the call, first rig */
	bool excused[PAGES]; /* the anon rule kept the VMAs below and from this page apart once */
	u64 op;
	char what[120];
};

struct call {
	unsigned kind, first, n, prot;
	bool shared, anywhere;
	u64 brk;
};

enum { MAP, UNMAP, PROTECT, LOCK, UNLOCK, BRK, WRITE, KINDS };

/* ---- the array's answers ---- */

static s64 model_map(struct model *m, struct call *c)
{
	if (c->anywhere) { /* the highest run of free pages */
		unsigned run = 0, i = PAGES;

		while (i && run < c->n)
			run = m->page[--i].mapped ? 0 : run + 1;
		if (run < c->n)
			return -ENOMEM;
		c->first = i;
	}
	for (unsigned i = c->first; i < c->first + c->n; i++)
		m->page[i] = (struct page_state){.mapped = true, .prot = (u8)c->prot};
	return (s64)(WINDOW + c->first * 4096ull);
}

static s64 model_brk(struct model *m, u64 brk)
{
	unsigned old = (unsigned)((m->brk + 4095) / 4096), new = (unsigned)((brk + 4095) / 4096);

	for (unsigned i = old; new > old && i <= new; i++)
		if (i >= PAGES || m->page[i].mapped) /* one page stays free behind */
			return (s64)(WINDOW + m->brk);
	for (unsigned i = new; i < old; i++)
		m->page[i] = (struct page_state){0};
	for (unsigned i = old; i < new; i++)
		m->page[i] = (struct page_state){.mapped = true, .prot = RW};
	m->brk = brk;
	return (s64)(WINDOW + brk);
}

static s64 model_change(struct model *m, const struct call *c)
{
	bool unreadable = false;

	for (unsigned i = c->first; i < c->first + c->n; i++) {
		if (!m->page[i].mapped)
			return -ENOMEM;
		if (c->kind == PROTECT)
			m->page[i].prot = (u8)c->prot;
		else
			m->page[i].locked = c->kind == LOCK;
		unreadable |= !m->page[i].prot;
	}
	return c->kind == LOCK && unreadable ? -ENOMEM : 0; /* nothing to populate it with */
}

static s64 model_call(struct model *m, struct call *c)
{
	switch (c->kind) {
	case MAP:
		return model_map(m, c);
	case UNMAP:
		for (unsigned i = c->first; i < c->first + c->n; i++)
			m->page[i] = (struct page_state){0};
		return 0;
	case BRK:
		return model_brk(m, c->brk);
	case WRITE:
		return m->page[c->first].mapped && m->page[c->first].prot & MM_PROT_WRITE ? 0 : -EFAULT;
	default:
		return model_change(m, c);
	}
}

/* ---- the machine's ---- */

static s64 real_call(struct vma_rig *r, const struct call *c, u64 chosen)
{
	u64 at = WINDOW + c->first * 4096ull, len = c->n * 4096ull;
	u32 flags = MM_MAP_ANON | (c->shared ? MM_MAP_SHARED : MM_MAP_PRIVATE);

	switch (c->kind) {
	case MAP:
		return sys_mmap(r->vm, r->t, c->anywhere ? 0 : at, len, c->prot, flags | (c->anywhere ? 0 :
			MM_MAP_FIXED),
				0, 0, 0);
	case UNMAP:
		return sys_munmap(r->vm, r->t, at, len);
	case PROTECT:
		return sys_mprotect(r->vm, r->t, at, len, c->prot);
	case LOCK:
		return sys_mlock(r->vm, r->t, at, len, 0);
	case UNLOCK:
		return sys_munlock(r->vm, r->t, at, len);
	case BRK:
		return sys_brk(r->vm, r->t, WINDOW + chosen);
	default:
		return mm_access(r->vm, r->t, at, MM_ACCESS_WRITE) >= RES_SIGSEGV ? -EFAULT : 0;
	}
}

/* ---- comparison ---- */

static void compare_rights(const struct duel *d, const struct vma_rig *r)
{
	const struct vm_area_struct *v = r->t->mm->mmap;

	for (unsigned i = 0; i < PAGES; i++) {
		const struct page_state *p = &d->model.page[i];
		u64 at = WINDOW + i * 4096ull;
		bool mapped;

		while (v && v->vm_end <= at)
			v = v->vm_next;
		mapped = v && v->vm_start <= at;
		if (mapped != p->mapped || (mapped && ((v->vm_flags & VM_RWX) != p->prot ||
						       !(v->vm_flags & VM_LOCKED) == p->locked)))
			fail_msg("call %llu (%s): page %u differs", (unsigned long long)d->op, d->what, i);
	}
}

static void note_anon(struct duel *d)
{
	struct vma_rig *r = &d->rig[0];

	for (unsigned i = 0; i < PAGES; i++) {
		const struct vm_area_struct *v = vma_at(r, WINDOW + i * 4096ull);

		d->anon[i] = v ? v->anon_vma : NULL;
	}
}

/* Could the two, which touch, be one but for the anon rule? (spec 06 s4) */
static bool alike(const struct vm_area_struct *a, const struct vm_area_struct *b)
{
	return b && a->vm_end == b->vm_start && !((a->vm_flags ^ b->vm_flags) & ~(u32)VM_SOFTDIRTY) &&
	       a->vm_file == b->vm_file && a->vm_pgoff + ((a->vm_end - a->vm_start) >> 12) == b->vm_pgoff;
}

/*
 * VMAs are as large as the rules let them be. Two with different anon_vmas stay apart, also when faults
 * later give both the same one (A06.6), until rights or locks make them different for a while.
 */
static void check_maximal(struct duel *d)
{
	bool apart[PAGES] = {false};

	for_each_vma(d->rig[0].t->mm, a) {
		unsigned b = (unsigned)((a->vm_end - WINDOW) >> 12);

		if (!alike(a, a->vm_next))
			continue;
		apart[b] = d->excused[b] || d->anon[b - 1] != d->anon[b] || a->anon_vma != a->vm_next->anon_vma;
		if (!apart[b])
			fail_msg("call %llu (%s): two VMAs meet at %llx that could be one", (unsigned long long)d->op,
				 d->what, (unsigned long long)a->vm_end);
	}
	memcpy(d->excused, apart, sizeof(apart));
}

static void compare_lists(const struct duel *d)
{
	const struct vm_area_struct *a = d->rig[0].t->mm->mmap, *b = d->rig[1].t->mm->mmap;

	for (; a && b; a = a->vm_next, b = b->vm_next) {
		if (a->vm_start != b->vm_start || a->vm_end != b->vm_end || a->vm_flags != b->vm_flags ||
		    a->vm_pgoff != b->vm_pgoff)
			fail_msg("call %llu (%s): the indexes differ at %llx", (unsigned long long)d->op, d->what,
				 (unsigned long long)a->vm_start);
	}
	assert_true(!a && !b);
}

static void compare_finds(const struct duel *d)
{
	for (unsigned k = 0; k < 8; k++) {
		u64 at = WINDOW + (d->op * 8 + k) * 2654435761ull % (PAGES * 4096);
		const struct vm_area_struct *v[2];

		for (int i = 0; i < 2; i++) {
			v[i] = vma_index_find(d->rig[i].vm, d->rig[i].t->mm, at);
			assert_true(v[i] && v[i]->vm_end > at && (!v[i]->vm_prev || v[i]->vm_prev->vm_end <= at));
		}
		assert_int_equal(v[0]->vm_start, v[1]->vm_start);
	}
}

/* ---- calls ---- */

static struct call random_call(struct duel *d)
{
	static const u8 prots[] = {MM_PROT_NONE, MM_PROT_READ, RW, RW, RW, MM_PROT_READ | MM_PROT_EXEC};
	struct prng *p = &d->prng;
	struct call c = {.kind = (unsigned)prng_below(p, 12), .prot = prots[prng_below(p, ARRAY_SIZE(prots))]};

	c.kind = c.kind >= KINDS ? c.kind - KINDS : c.kind; /* more of the first five */
	c.n = 1 + (unsigned)prng_below(p, prng_below(p, 4) ? 6 : 64);
	c.first = (unsigned)prng_below(p, PAGES - c.n);
	c.shared = !prng_below(p, 8);
	c.anywhere = !prng_below(p, 3);
	c.brk = prng_below(p, 40 * 4096);
	snprintf(d->what, sizeof(d->what), "kind %u, pages %u+%u, prot %u%s%s", c.kind, c.first, c.n, c.prot,
		 c.shared ? ", shared" : "", c.anywhere ? ", anywhere" : "");
	return c;
}

static void one_call(struct duel *d)
{
	struct call c = random_call(d), chosen = c;
	s64 want = model_call(&d->model, &chosen);

	note_anon(d);
	for (int i = 0; i < 2; i++) {
		s64 got = real_call(&d->rig[i], &c, c.brk);

		if (got != want)
			fail_msg("call %llu (%s), %s: %lld, expected %lld", (unsigned long long)d->op, d->what,
				 vma_indexes[i], (long long)got, (long long)want);
		compare_rights(d, &d->rig[i]);
	}
	compare_lists(d);
	check_maximal(d);
	compare_finds(d);
}

/* Everything outside the window is taken, by mappings that never merge. */
static void block(struct vma_rig *r, u64 start, u64 end)
{
	assert_int_equal(sys_mmap(r->vm, r->t, start, end - start, MM_PROT_NONE,
				  MM_MAP_SHARED | MM_MAP_ANON | MM_MAP_FIXED, 0, 0, 0), start);
}

static void test_A06_22(void **state)
{
	static struct duel d;
	char why[256];

	(void)state;
	prng_seed(&d.prng, test_seed(622));
	for (unsigned i = 0; i < 2; i++) {
		vma_rig_up(&d.rig[i], "arch=arm32 machine=vexpress overcommit_memory=1", i);
		assert_int_equal(vm_spawn(d.rig[i].vm, d.rig[i].t, WINDOW, 0), 0);
		block(&d.rig[i], LOW, WINDOW);
		block(&d.rig[i], WINDOW + PAGES * 4096ull, HIGH);
	}
	for (d.op = 0; d.op < OPS; d.op++) {
		one_call(&d);
		if (d.op % 64)
			continue;
		for (int i = 0; i < 2; i++)
			if (vma_check(d.rig[i].vm, d.rig[i].t->mm, why, sizeof(why)))
				fail_msg("call %llu (%s): %s", (unsigned long long)d.op, d.what, why);
		if (d.op % 8192 == 0)
			assert_machine_sound(d.rig[1].m);
	}
	for (int i = 0; i < 2; i++)
		vma_rig_down(&d.rig[i]);
}

/* ---- the indexes alone, with many VMAs ---- */

/* Naive gap search over the list. */
static s64 naive_gap(struct mm_struct *mm, u64 len, u64 low, u64 high, bool topdown)
{
	s64 found = -ENOMEM;

	for_each_vma(mm, v) {
		u64 start = v->vm_prev && v->vm_prev->vm_end > low ? v->vm_prev->vm_end : low;
		u64 end = v->vm_start < high ? v->vm_start : high;

		if (end < start || end - start < len)
			continue;
		found = (s64)(topdown ? end - len : start);
		if (!topdown)
			break;
	}
	return found;
}

static void compare_searches(struct vma_rig *r, struct prng *p)
{
	struct mm_struct *mm = r->t->mm;
	u64 len = (1 + prng_below(p, prng_below(p, 3) ? 8 : 300)) * 4096;
	u64 low = prng_below(p, 1u << 24) * 4096, high = low + prng_below(p, 1u << 24) * 4096;

	assert_int_equal(vma_index_topdown(r->vm, mm, len, low, high), naive_gap(mm, len, low, high, true));
	assert_int_equal(vma_index_bottomup(r->vm, mm, len, low, high), naive_gap(mm, len, low, high, false));
}

/* Grows to thousands of VMAs and shrinks again, so that nodes split, merge and balance on all levels. */
static void test_large_indexes(void **state)
{
	u64 seed = test_seed(623);
	struct vma_rig r;
	char why[256];

	(void)state;
	for_each_index(&r, "overcommit_memory=1") {
		struct prng p;

		prng_seed(&p, seed);
		for (u32 i = 0; i < OPS / 2; i++) {
			bool grow = i / (OPS / 8) % 2 == 0 ? prng_below(&p, 8) : !prng_below(&p, 8);
			u64 at = (16 + prng_below(&p, prng_below(&p, 2) ? 1u << 24 : 1u << 14)) * 4096;
			u64 pages = 1 + prng_below(&p, 3), wide = prng_below(&p, 4000);

			if (grow)
				map_at(&r, at, pages, i & 1 ? MM_PROT_READ : MM_PROT_NONE, ANON | MM_MAP_FIXED);
			else
				sys_munmap(r.vm, r.t, at, pages * (prng_below(&p, 2) ? wide : 1) * 4096);
			if (i % 64 == 0)
				compare_searches(&r, &p);
			if (i % 1024 == 0 && vma_check(r.vm, r.t->mm, why, sizeof(why)))
				fail_msg("step %u: %s", i, why);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A06_22),
		cmocka_unit_test(test_large_indexes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
