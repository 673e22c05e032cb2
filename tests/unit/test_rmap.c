/* SPDX-License-Identifier: BSD-2-Clause */
/* anon_vmas, fork, walks and their invariants (spec 08 s1 to s4, s10.1). */
#include <errno.h>

#include "core/phys/page_alloc.h"
#include "core/vm/interval_tree.h"
#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"
#include "core/vm/rmap_check.h"
#include "core/vm/swapops.h"
#include "tests/machine_boot.h"

#define A    0x20000000ull
#define PAGE 4096ull
#define RW   (MM_PROT_READ | MM_PROT_WRITE)

enum { P, C, G, H, NR_FAMILY };

struct family {
	struct machine *m;
	struct vm *vm;
	struct task *t[NR_FAMILY];
};

static struct family boot(const char *settings)
{
	struct family f;
	char text[128];

	snprintf(text, sizeof(text), "%s slab_nomerge=1",
		 settings); /* objects are counted by cache */
	f.m = boot_machine(text);
	f.vm = &f.m->vm;
	f.t[P] = boot_task(f.m, 1);
	for (u32 i = 1; i < NR_FAMILY; i++) {
		assert_int_equal(vm_define_task(f.vm, i + 1, i + 1, i + 1), 0);
		f.t[i] = vm_task(f.vm, i + 1);
	}
	return f;
}

static void end(struct family *f)
{
	assert_machine_sound(f->m);
	machine_destroy(f->m);
}

static void map(struct family *f, int i, u64 pages)
{
	assert_int_equal(sys_mmap(f->vm, f->t[i], A, pages * PAGE, RW,
				  MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED, 0, 0, 0),
			 A);
}

static void write_page(struct family *f, int i, u64 page)
{
	assert_true(mm_access(f->vm, f->t[i], A + page * PAGE, MM_ACCESS_WRITE) <= RES_MAJOR);
}

static void fork_of(struct family *f, int parent, int child)
{
	assert_int_equal(vm_fork(f->vm, f->t[parent], f->t[child]), 0);
}

static struct vm_area_struct *vma(struct family *f, int i)
{
	return f->t[i]->mm->mmap;
}

static struct anon_vma *av(struct family *f, int i)
{
	return vma(f, i)->anon_vma;
}

static u32 chain_length(const struct vm_area_struct *v)
{
	u32 n = 0;

	for (const struct list_head *l = v->anon_vma_chain.next; l != &v->anon_vma_chain;
	     l = l->next)
		n++;
	return n;
}

static u32 tree_size(const struct anon_vma *a)
{
	u32 n = 0;

	for (struct rb_node *r = rb_first(&a->rb_root); r; r = rb_next(r))
		n++;
	return n;
}

static pt_slot *slot(struct family *f, int i, u64 page)
{
	return pte_lookup(f->vm, f->t[i]->mm, A + page * PAGE);
}

static pte_t pte(struct family *f, int i, u64 page)
{
	pt_slot *s = slot(f, i, page);

	return s ? get_pte(f->vm, s, 0) : (pte_t){0};
}

static struct page *page_of(struct family *f, int i, u64 page)
{
	return pte_present(pte(f, i, page)) ? vm_normal_page(f->vm, pte(f, i, page)) : NULL;
}

static s64 anon_vmas(struct family *f)
{
	struct kmem_cache_info info;

	kmem_cache_info(f->vm->anon_vma_cache, 0, &info);
	return (s64)(info.active_objs - info.avail - info.shared_avail);
}

/* VMAs that a walk of @p visits, in order. */
struct visits {
	struct vm_area_struct *v[16];
	u32 n, hits;
};

static int visit(struct vm *vm, struct page *p, struct vm_area_struct *v, vaddr_t addr, void *arg)
{
	struct visits *s = arg;

	s->v[s->n++] = v;
	s->hits += page_check_address(vm, p, v, addr) != NULL;
	return SWAP_AGAIN;
}

static struct visits walk(struct family *f, struct page *p)
{
	struct visits s = {.n = 0};

	assert_int_equal(
		rmap_walk(f->vm, p, &(struct rmap_walk_control){.arg = &s, .rmap_one = visit}),
		SWAP_AGAIN);
	return s;
}

/* ---- chains ---- */

static void test_A08_2(void **state)
{
	struct family f = boot("mem=128M");

	(void)state;
	map(&f, P, 4);
	write_page(&f, P, 0);
	fork_of(&f, P, C);
	fork_of(&f, C, G);
	assert_int_equal(chain_length(vma(&f, P)), 1);
	assert_int_equal(chain_length(vma(&f, C)), 2);
	assert_int_equal(chain_length(vma(&f, G)), 3);
	assert_int_equal(tree_size(av(&f, P)), 3);
	assert_int_equal(tree_size(av(&f, C)), 2);
	assert_int_equal(tree_size(av(&f, G)), 1);
	/* newest first at the head */
	assert_ptr_equal(
		list_first_entry(&vma(&f, G)->anon_vma_chain, struct anon_vma_chain, same_vma)
			->anon_vma,
		av(&f, G));
	assert_ptr_equal(
		list_last_entry(&vma(&f, G)->anon_vma_chain, struct anon_vma_chain, same_vma)
			->anon_vma,
		av(&f, P));
	assert_ptr_equal(av(&f, G)->root, av(&f, P));
	assert_ptr_equal(av(&f, G)->parent, av(&f, C));
	end(&f);
}

static int unmap(struct family *f, struct page *p, unsigned ttu)
{
	int r;

	assert_true(trylock_page(p));
	r = try_to_unmap(f->vm, p, ttu);
	unlock_page(p);
	return r;
}

static void test_A08_3(void **state)
{
	struct family f = boot("mem=128M swap=16M");
	struct page *x, *y;
	struct visits s;

	(void)state;
	map(&f, P, 4);
	write_page(&f, P, 0);
	write_page(&f, P, 1);
	fork_of(&f, P, C);
	fork_of(&f, C, G);
	x = page_of(&f, P, 0);
	assert_int_equal(page_mapcount(x), 3);
	assert_int_equal(walk(&f, x).n, 3);
	assert_int_equal(walk(&f, x).hits, 3);
	lru_add_drain_all(&f.vm->lru);
	assert_int_equal(isolate_lru_page(&f.vm->lru, x), 0);
	assert_true(trylock_page(x));
	assert_true(add_to_swap(&f.vm->swap, x));
	unlock_page(x);
	assert_int_equal(unmap(&f, x, TTU_UNMAP | TTU_IGNORE_ACCESS), SWAP_SUCCESS);
	assert_int_equal(page_mapcount(x), 0);
	for (int i = P; i <= G; i++)
		assert_true(pte_is_swap(pte(&f, i, 0)) && !is_migration_entry(pte(&f, i, 0)));
	putback_lru_page(&f.vm->lru, x);

	/* a page that C copied: its walk leaves P out */
	write_page(&f, C, 1);
	y = page_of(&f, C, 1);
	assert_ptr_equal(page_anon_vma(y), av(&f, C));
	s = walk(&f, y);
	assert_int_equal(s.n, 2);
	assert_ptr_equal(s.v[0], vma(&f, C));
	assert_ptr_equal(s.v[1], vma(&f, G));
	assert_int_equal(s.hits, 1);
	end(&f);
}

static void test_A08_4(void **state)
{
	struct family f = boot("mem=128M");
	struct page *x;

	(void)state;
	map(&f, P, 1);
	write_page(&f, P, 0);
	fork_of(&f, P, C);
	x = page_of(&f, P, 0);
	vm_exit(f.vm, f.t[P]);
	assert_ptr_not_equal(page_anon_vma(x), av(&f, C)); /* its maker's, who is gone */
	write_page(&f, C, 0);
	assert_ptr_equal(page_of(&f, C, 0), x);
	assert_ptr_equal(page_anon_vma(x), av(&f, C));
	/* the parent that outlives its child: its own stays */
	fork_of(&f, C, G);
	vm_exit(f.vm, f.t[G]);
	write_page(&f, C, 0);
	assert_ptr_equal(page_anon_vma(x), av(&f, C));
	end(&f);
}

/* One process, then its child, then the child's child ...: how many anon_vmas there are in the end.
 */
static s64 generations(const char *settings, u32 n)
{
	struct family f = boot(settings);
	s64 most;

	map(&f, P, 1);
	write_page(&f, P, 0);
	for (u32 i = 0; i < n; i++) {
		int from = (int)(i & 1), to = !from;

		fork_of(&f, from, to);
		write_page(&f, to, 0);
		vm_exit(f.vm, f.t[from]);
	}
	most = anon_vmas(&f);
	end(&f);
	return most;
}

static void test_A08_5(void **state)
{
	(void)state;
	assert_true(generations("mem=128M", 1000) <= 2 + 1);
	assert_int_equal(generations("mem=128M anonvma=old", 100), 100 + 1);
	assert_int_equal(generations("mem=128M anonvma=old", 400), 400 + 1);
}

static void test_A08_6(void **state)
{
	struct family f = boot("mem=128M");
	struct anon_vma *root, *child;
	s64 before = anon_vmas(&f);

	(void)state;
	map(&f, P, 2);
	write_page(&f, P, 0);
	root = av(&f, P);
	assert_int_equal(root->degree, 2);
	fork_of(&f, P, C);
	child = av(&f, C);
	assert_int_equal(root->degree, 3);
	assert_int_equal(child->degree, 1);
	assert_machine_sound(f.m); /* which recounts */
	vm_exit(f.vm, f.t[P]);
	assert_int_equal(root->degree, 2);
	assert_int_equal(child->degree, 1);
	assert_machine_sound(f.m);
	vm_exit(f.vm, f.t[C]);
	assert_int_equal(anon_vmas(&f), before);
	end(&f);
}

/* The worked chain of spec 08 s10.1, step by step. */
static void test_worked_chain(void **state)
{
	struct family f = boot("mem=128M");
	struct anon_vma *a, *c;
	struct page *x, *y;

	(void)state;
	map(&f, P, 1);
	write_page(&f, P, 0);
	a = av(&f, P);
	x = page_of(&f, P, 0);
	fork_of(&f, P, C);
	c = av(&f, C);
	write_page(&f, C, 0);
	y = page_of(&f, C, 0);
	fork_of(&f, C, G);
	assert_ptr_equal(page_anon_vma(x), a);
	assert_ptr_equal(page_anon_vma(y), c);
	assert_int_equal(walk(&f, x).n, 3);
	assert_int_equal(walk(&f, x).hits, 1);
	assert_int_equal(walk(&f, y).n, 2);
	assert_int_equal(walk(&f, y).hits, 2);
	vm_exit(f.vm, f.t[P]);
	assert_int_equal(tree_size(a), 2);
	assert_int_equal(a->degree, 2);
	assert_int_equal(c->degree, 2);
	fork_of(&f, G, H);
	assert_ptr_not_equal(av(&f, H), a);
	assert_ptr_not_equal(av(&f, H), c);
	vm_exit(f.vm, f.t[H]);
	vm_exit(f.vm, f.t[C]);
	assert_int_equal(c->degree, 1);
	fork_of(&f, G, H);
	assert_ptr_equal(av(&f, H), c);
	assert_int_equal(c->degree, 2);
	end(&f);
}

/* ---- page_referenced, try_to_unmap ---- */

static void test_A08_7(void **state)
{
	struct family f = boot("mem=128M");
	struct page *x;
	u32 flags;

	(void)state;
	map(&f, P, 1);
	write_page(&f, P, 0);
	fork_of(&f, P, C);
	fork_of(&f, P, G);
	x = page_of(&f, P, 0);
	assert_int_equal(page_referenced(f.vm, x, false, &flags),
			 1); /* the children were born old */
	for (int i = P; i <= G; i++)
		mm_access(f.vm, f.t[i], A, MM_ACCESS_READ);
	assert_int_equal(page_referenced(f.vm, x, false, &flags), 3);
	assert_true(flags & VM_READ);
	for (int i = P; i <= G; i++)
		assert_false(pte_young(pte(&f, i, 0)));
	assert_int_equal(page_referenced(f.vm, x, false, &flags), 0);
	assert_int_equal(flags, 0);

	assert_int_equal(sys_madvise(f.vm, f.t[C], A, PAGE, MM_MADV_SEQUENTIAL), 0);
	for (int i = P; i <= G; i++)
		mm_access(f.vm, f.t[i], A, MM_ACCESS_READ);
	assert_int_equal(page_referenced(f.vm, x, false, &flags), 2);
	assert_false(pte_young(pte(&f, C, 0)));

	for (int i = P; i <= G; i++)
		mm_access(f.vm, f.t[i], A, MM_ACCESS_READ);
	vma(&f, P)->vm_flags |= VM_LOCKED; /* the first in the tree ends the walk */
	assert_int_equal(page_referenced(f.vm, x, false, &flags), 0);
	assert_int_equal(flags, VM_LOCKED);
	assert_true(pte_young(pte(&f, G, 0)));
	vma(&f, P)->vm_flags &= ~(u32)VM_LOCKED;
	end(&f);
}

static void test_A08_8(void **state)
{
	struct family f = boot("mem=128M");
	struct page *x;
	pte_t before;

	(void)state;
	map(&f, P, 1);
	write_page(&f, P, 0);
	x = page_of(&f, P, 0);
	before = pte(&f, P, 0);
	assert_true(pte_young(before));
	assert_int_equal(unmap(&f, x, TTU_UNMAP), SWAP_FAIL);
	assert_int_equal(pte(&f, P, 0).v, pte_mkold(before).v);
	assert_int_equal(page_mapcount(x), 1);
	/* locked: FAIL becomes MLOCK, unless mmap_sem is held for writing */
	vma(&f, P)->vm_flags |= VM_LOCKED;
	lru_add_drain_all(&f.vm->lru);
	mmap_write_lock(f.vm, f.t[P]->mm);
	assert_int_equal(unmap(&f, x, TTU_UNMAP), SWAP_AGAIN);
	mmap_write_unlock(f.vm, f.t[P]->mm);
	assert_int_equal(unmap(&f, x, TTU_UNMAP), SWAP_MLOCK);
	assert_true(PageMlocked(x) && PageUnevictable(x));
	munlock_page(f.vm, x);
	vma(&f, P)->vm_flags &= ~(u32)VM_LOCKED;
	end(&f);
}

/* Migration entries: made by unmapping, split by fork, gone by zapping, with the rss they stand
 * for. */
static void test_migration_entries(void **state)
{
	struct family f = boot("mem=128M");
	struct page *x, *y;

	(void)state;
	map(&f, P, 2);
	write_page(&f, P, 0);
	write_page(&f, P, 1);
	x = page_of(&f, P, 0);
	y = page_of(&f, P, 1);
	lru_add_drain_all(&f.vm->lru);
	assert_int_equal(isolate_lru_page(&f.vm->lru, x), 0);
	assert_true(trylock_page(x));
	assert_int_equal(
		try_to_unmap(f.vm, x, TTU_MIGRATION | TTU_IGNORE_ACCESS | TTU_IGNORE_MLOCK),
		SWAP_SUCCESS);
	assert_true(is_write_migration_entry(pte(&f, P, 0)));
	assert_ptr_equal(migration_entry_to_page(f.vm, pte(&f, P, 0)), x);
	assert_int_equal(f.t[P]->mm->rss[MM_ANONPAGES], 2);
	fork_of(&f, P, C);
	for (int i = P; i <= C; i++)
		assert_true(is_migration_entry(pte(&f, i, 0)) &&
			    !is_write_migration_entry(pte(&f, i, 0)));
	assert_int_equal(f.t[C]->mm->rss[MM_ANONPAGES], 2);
	assert_int_equal(sys_madvise(f.vm, f.t[P], A, 2 * PAGE, MM_MADV_DONTNEED), 0);
	assert_int_equal(f.t[P]->mm->rss[MM_ANONPAGES], 0);
	vm_exit(f.vm, f.t[C]);
	assert_int_equal(page_count(y), 0);
	unlock_page(x);
	putback_lru_page(&f.vm->lru, x);
	end(&f);
}

/* File pages: i_mmap by offset; write-back's page_mkclean makes the next write tell the file again.
 */
static void test_file_rmap(void **state)
{
	struct family f = boot("mem=128M hwad=1");
	struct vm_file *file;
	struct page *p;
	struct visits s = {.n = 0};

	(void)state;
	assert_int_equal(vm_file(f.vm, 1, 8 * PAGE, "disk", "F"), 0);
	file = filemap_find(&f.vm->files, 1);
	assert_int_equal(
		sys_mmap(f.vm, f.t[P], A, 4 * PAGE, RW, MM_MAP_SHARED | MM_MAP_FIXED, 1, 0, 0), A);
	assert_int_equal(sys_mmap(f.vm, f.t[P], A + 16 * PAGE, 4 * PAGE, RW,
				  MM_MAP_SHARED | MM_MAP_FIXED, 1, 2 * PAGE, 0),
			 A + 16 * PAGE);
	write_page(&f, P, 2);
	write_page(&f, P, 16);
	p = filemap_lookup(f.vm->phys, file, 2);
	assert_int_equal(page_mapcount(p), 2);
	assert_true(trylock_page(p));
	rmap_walk(f.vm, p, &(struct rmap_walk_control){.arg = &s, .rmap_one = visit});
	assert_int_equal(s.n, 2);
	assert_int_equal(s.hits, 2);
	assert_true(s.v[0]->vm_pgoff < s.v[1]->vm_pgoff);
	assert_int_equal(page_mkclean(f.vm, p), 2);
	assert_false(pte_dirty(pte(&f, P, 2)) || pte_write(pte(&f, P, 2)));
	assert_int_equal(page_mkclean(f.vm, p), 0);
	unlock_page(p);
	assert_int_equal(mm_access(f.vm, f.t[P], A + 2 * PAGE, MM_ACCESS_WRITE), RES_MINOR);
	assert_int_equal(mm_access(f.vm, f.t[P], A + 2 * PAGE, MM_ACCESS_WRITE), RES_NONE);
	/* splits and moves of borders keep the tree right (I06.5) */
	assert_int_equal(sys_munmap(f.vm, f.t[P], A + PAGE, PAGE), 0);
	assert_true(vma_interval_tree_check(&file->i_mmap));
	fork_of(&f, P, C);
	assert_true(vma_interval_tree_check(&file->i_mmap));
	end(&f);
}

/* ---- no memory ---- */

/* Whatever allocation of a fork fails, the child is undone and the parent as before. */
static void test_fork_failures(void **state)
{
	static struct page *pages[20000];
	u32 failed = 0, done = 0;

	(void)state;
	for (u32 left = 0; left < 12; left++) {
		struct family f = boot("mem=32M min_free_kbytes=0 ideal=1 threads=manual");
		u64 n = 0, committed, used;
		s64 objects;
		int r;

		for (u64 i = 0; i < 40; i += 2) /* several VMAs, each with chains of its own */
			assert_int_equal(sys_mmap(f.vm, f.t[P], A + i * 4 * MiB, 2 * PAGE, RW,
						  MM_MAP_PRIVATE | MM_MAP_ANON | MM_MAP_FIXED, 0, 0,
						  0),
					 A + i * 4 * MiB);
		for (u64 i = 0; i < 40; i += 2)
			mm_write_tag(f.vm, f.t[P], A + i * 4 * MiB, 2 * PAGE, i + 1);
		f.vm->phys->on_pressure = NULL;
		while ((pages[n] = alloc_page(f.vm->phys, 0,
					      GFP_ATOMIC | MM_GFP_HIGHMEM | MM_GFP_NOWARN)))
			n++;
		for (u32 i = 0; i < left; i++)
			free_page_page(f.vm->phys, 0, pages[--n]);
		objects = anon_vmas(&f);
		committed = f.vm->committed;
		used = f.t[P]->mm->map_count;
		r = (int)vm_fork(f.vm, f.t[P], f.t[C]);
		assert_true(r == 0 || r == -ENOMEM);
		failed += r != 0;
		done += r == 0;
		if (r) {
			assert_null(f.t[C]->mm);
			assert_int_equal(anon_vmas(&f), objects);
			assert_int_equal(f.vm->committed, committed);
			assert_int_equal(f.t[P]->mm->map_count, used);
		}
		assert_machine_sound(f.m);
		for (u64 i = 0; i < n; i++)
			free_page_page(f.vm->phys, 0, pages[i]);
		for (u64 i = 0; i < 40; i += 2) {
			u64 tag;

			assert_true(mm_read_tag(f.vm, f.t[P], A + i * 4 * MiB + PAGE, &tag));
			assert_int_equal(tag, i + 1);
			mm_write_tag(f.vm, f.t[P], A + i * 4 * MiB, 1, 1);
		}
		end(&f);
	}
	assert_true(failed > 4);
	(void)done;
}

/* ---- invariants ---- */

static int check(struct family *f)
{
	char why[512];

	return vm_check(f->vm, why, sizeof(why));
}

static void test_invariants(void **state)
{
	struct family f = boot("mem=128M");
	struct anon_vma_chain *avc;
	struct anon_vma *a, other;
	struct page *x;

	(void)state;
	map(&f, P, 2);
	write_page(&f, P, 0);
	fork_of(&f, P, C);
	assert_int_equal(check(&f), 0);
	a = av(&f, P);
	avc = list_first_entry(&vma(&f, P)->anon_vma_chain, struct anon_vma_chain, same_vma);

	vma(&f, P)->anon_vma = av(&f, C); /* not in P's chain */
	assert_int_equal(check(&f), 8001);
	vma(&f, P)->anon_vma = a;
	other = *av(&f, C);
	av(&f, C)->root = &other;
	assert_int_equal(check(&f), 8002);
	av(&f, C)->root = a;
	anon_vma_interval_tree_remove(&a->rb_root, avc);
	assert_int_not_equal(check(&f), 0);
	anon_vma_interval_tree_insert(&a->rb_root, avc);
	a->degree++;
	assert_int_equal(check(&f), 8003);
	a->degree--;
	assert_int_equal(check(&f), 0);

	lru_add_drain_all(&f.vm->lru);
	x = page_of(&f, P, 0);
	x->index++;
	assert_int_equal(check(&f), 8004);
	x->index--;
	x->_mapcount++;
	assert_int_equal(check(&f), 7004);
	x->_mapcount--;
	x->_count++;
	assert_int_equal(check(&f), 7003);
	x->_count -= 2;
	assert_int_equal(check(&f), 7001);
	x->_count++;
	f.vm->nr_pins++;
	assert_int_equal(check(&f), 7003);
	f.vm->nr_pins--;
	set_pte(f.vm, slot(&f, P, 0), pte_mkwrite(pte(&f, P, 0)));
	assert_int_equal(check(&f), 7008);
	set_pte(f.vm, slot(&f, P, 0), pte_wrprotect(pte(&f, P, 0)));
	f.t[P]->mm->rss[MM_ANONPAGES]++;
	assert_int_equal(check(&f), 7006);
	f.t[P]->mm->rss[MM_ANONPAGES]--;
	x->_count = 0;
	assert_int_equal(check(&f), 7007);
	x->_count = 2;
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A08_2),
		cmocka_unit_test(test_A08_3),
		cmocka_unit_test(test_A08_4),
		cmocka_unit_test(test_A08_5),
		cmocka_unit_test(test_A08_6),
		cmocka_unit_test(test_A08_7),
		cmocka_unit_test(test_A08_8),
		cmocka_unit_test(test_worked_chain),
		cmocka_unit_test(test_migration_entries),
		cmocka_unit_test(test_file_rmap),
		cmocka_unit_test(test_fork_failures),
		cmocka_unit_test(test_invariants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
