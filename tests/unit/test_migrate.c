/* SPDX-License-Identifier: BSD-2-Clause */
/* Page migration (spec 10 s1 to s3): one page in all its states, lists, system calls, races. */
#include "core/vm/gup.h"
#include "core/backing/pageio.h"
#include "core/hw/clock.h"
#include "core/phys/page_alloc.h"
#include "core/reclaim/migrate.h"
#include "tests/swap_rig.h"

#define RIG(...)                                                                                   \
	srig_boot((const char *const[]){"mem=64M", "swap=16M", "page_cluster=0", __VA_ARGS__, NULL})

/* ---- requests ---- */

struct source {
	struct srig *g;
	u32 asked, returned, left; /* left: pages it still has */
};

static struct page *get_new(struct page *old, void *private)
{
	struct source *s = private;

	(void)old;
	s->asked++;
	if (!s->left)
		return NULL;
	s->left--;
	return alloc_page(s->g->vm->phys, 0, GFP_HIGHUSER_MOVABLE);
}

static void put_new(struct page *p, void *private)
{
	struct source *s = private;

	s->returned++;
	s->left++;
	free_page_page(s->g->vm->phys, 0, p);
}

static int migrate(struct srig *g, struct source *s, enum migrate_mode mode, struct page_list *list)
{
	const struct migrate_request rq = {.vm = g->vm,
					   .get_new_page = get_new,
					   .put_new_page = put_new,
					   .private = s,
					   .mode = mode,
					   .reason = MR_SYSCALL};

	s->g = g;
	return migrate_pages(&rq, list);
}

static struct page_list isolated(struct srig *g, struct page *p)
{
	struct page_list list;

	plist_init(&list);
	lru_add_drain_all(&g->vm->lru);
	assert_int_equal(isolate_for_migration(g->vm, p, &list), 0);
	return list;
}

/* Isolates and migrates one page; the answer of migrate_pages(). What stays on the list goes back.
 */
static int migrate_one(struct srig *g, struct page *p, enum migrate_mode mode, struct source *s)
{
	struct page_list list = isolated(g, p);
	int r = migrate(g, s, mode, &list);

	putback_movable_pages(g->vm, &list);
	lru_add_drain_all(&g->vm->lru);
	return r;
}

/* ---- the short cut for simple pages against migrate_op_step() ---- */

#define AREA 48u

static struct page *get_any(struct page *old, void *private)
{
	struct srig *g = private;

	(void)old;
	return alloc_page(g->vm->phys, 0, GFP_HIGHUSER_MOVABLE);
}

/* Up to 12 pages of @t, at random, migrated as one list. */
static void migrate_some(struct srig *g, struct task *t, struct prng *rnd, bool in_steps)
{
	const struct migrate_request rq = {.vm = g->vm, .get_new_page = get_any, .private = g, .mode = MIGRATE_SYNC,
					   .in_steps = in_steps};
	struct page_list list;

	plist_init(&list);
	lru_add_drain_all(&g->vm->lru);
	for (u64 n = prng_below(rnd, 12); n; n--) {
		pte_t p = srig_pte(g, t, BASE + prng_below(rnd, AREA) * PAGE);
		struct page *page = pte_present(p) ? vm_normal_page(g->vm, p) : NULL;

		if (page)
			isolate_for_migration(g->vm, page, &list);
	}
	migrate_pages(&rq, &list);
	putback_movable_pages(g->vm, &list);
}

/* Shared and own, locked, given up, swapped, read-only, dirty and clean pages, and what is done to them. */
static void live(struct srig *g, struct task *t, u32 child, struct prng *rnd, bool in_steps)
{
	vaddr_t at = BASE + prng_below(rnd, AREA) * PAGE;

	switch (prng_below(rnd, 12)) {
	case 0:
		srig_fork(g, t, child);
		break;
	case 1:
		sys_mlock(g->vm, t, at, PAGE, 0);
		break;
	case 2:
		sys_munlock(g->vm, t, at, PAGE);
		break;
	case 3:
		sys_madvise(g->vm, t, at, PAGE, MM_MADV_FREE);
		break;
	case 4:
		if (pte_present(srig_pte(g, t, at)) && vm_normal_page(g->vm, srig_pte(g, t, at)))
			srig_swap_out_page(g, srig_page(g, t, at), (enum swap_step)prng_below(rnd, STEP_FREED + 1),
					   NULL, NULL);
		break;
	case 5:
		sys_mprotect(g->vm, t, at, PAGE, MM_PROT_READ);
		break;
	case 6:
	case 7:
		mm_access(g->vm, t, at, MM_ACCESS_READ);
		break;
	case 8:
	case 9:
		mm_write_tag(g->vm, t, at, 1, prng_below(rnd, 1u << 30));
		break;
	default:
		migrate_some(g, t, rnd, in_steps);
	}
}

/* Everything of a frame but where the host put the arena. */
static void same_frames(struct srig *a, struct srig *b)
{
	struct phys *pa = a->vm->phys, *pb = b->vm->phys;

	for (u32 f = 0; f < pa->nr_frames; f++) {
		struct page x = pa->memmap[f], y = pb->memmap[f];

		if (x.mapping > PAGE_MAPPING_FLAGS && PageAnon(&x)) {
			x.mapping -= (uintptr_t)a->m->hw.arena;
			y.mapping -= (uintptr_t)b->m->hw.arena;
		} else if (x.mapping && y.mapping) {
			x.mapping = y.mapping = 1;
		}
		if (!x._count && !y._count)
			x.index = y.index = 0;
		if (PageSlab(&x) || !x._count)
			continue;
		if (memcmp(&x, &y, sizeof(x)))
			fail_msg("frame %x differs: flags %x and %x", f, x.flags, y.flags);
		assert_int_equal(hw_frame_tag(&a->m->hw, page_to_pfn(pa, &pa->memmap[f])),
				 hw_frame_tag(&b->m->hw, page_to_pfn(pb, &pb->memmap[f])));
	}
	for (unsigned z = 0; z < pa->nr_zones; z++)
		for (unsigned l = 0; l < NR_LRU_LISTS; l++) {
			struct page *x = plist_first(pa->memmap, &pa->zones[z].lruvec.lists[l]);
			struct page *y = plist_first(pb->memmap, &pb->zones[z].lruvec.lists[l]);

			for (; x && y; x = plist_next(pa->memmap, x), y = plist_next(pb->memmap, y))
				assert_int_equal(page_frame(pa, x), page_frame(pb, y));
			assert_true(!x && !y);
		}
}

static void test_short_cut(void **state)
{
	static const char *const settings[] = {"hwad=0", "hwad=1", "policy=modern", "tlb=64", "data=bytes"};

	(void)state;
	for (size_t s = 0; s < ARRAY_SIZE(settings); s++) {
		u64 seed = test_seed(1010 + s), moved = 0;
		struct srig g[2];

		for (int steps = 0; steps < 2; steps++) {
			struct task *t[8];
			struct prng rnd;
			u32 n = 1;

			g[steps] = RIG(settings[s]);
			prng_seed(&rnd, seed);
			t[0] = srig_task(&g[steps], 1);
			srig_map(&g[steps], t[0], BASE, AREA);
			for (unsigned i = 0; i < 1500; i++) {
				live(&g[steps], t[prng_below(&rnd, n)], n + 1, &rnd, steps);
				if (n < ARRAY_SIZE(t) && vm_task(g[steps].vm, n + 1)) {
					t[n] = vm_task(g[steps].vm, n + 1);
					n++;
				}
			}
			srig_sound(&g[steps]);
			moved = srig_event(&g[steps], EV_PGMIGRATE_SUCCESS);
		}
		assert_true(moved > 200);
		assert_int_equal(machine_hash(g[0].m), machine_hash(g[1].m));
		same_frames(&g[0], &g[1]);
		for (u64 i = 0; i < AREA; i++)
			assert_int_equal(srig_pte(&g[0], vm_task(g[0].vm, 1), BASE + i * PAGE).v,
					 srig_pte(&g[1], vm_task(g[1].vm, 1), BASE + i * PAGE).v);
		for (int i = 0; i < 2; i++)
			srig_end(&g[i]);
	}
}

/* ---- A10.1 .. A10.9 ---- */

static void test_A10_1(void **state)
{
	for (int bytes = 0; bytes < 2; bytes++) {
		struct srig g = RIG(bytes ? "data=bytes" : "data=tag");
		struct task *t[3] = {srig_task(&g, 1)};
		struct source s = {.left = 1};
		struct page *old, *new;
		s64 rss;

		srig_map(&g, t[0], BASE, 1);
		srig_write(&g, t[0], BASE, 77);
		t[1] = srig_fork(&g, t[0], 2);
		t[2] = srig_fork(&g, t[1], 3);
		lru_add_drain_all(&g.vm->lru);
		old = srig_page(&g, t[0], BASE);
		assert_int_equal(page_count(old), 3);
		rss = t[1]->mm->rss[MM_ANONPAGES];
		assert_int_equal(migrate_one(&g, old, MIGRATE_SYNC, &s), 0);
		new = srig_page(&g, t[0], BASE);
		assert_ptr_not_equal(new, old);
		assert_int_equal(page_count(old), 0);
		assert_int_equal(page_count(new), 3);
		assert_int_equal(page_mapcount(new), 3);
		assert_int_equal(t[1]->mm->rss[MM_ANONPAGES], rss);
		for (int i = 0; i < 3; i++) {
			pte_t pte = srig_pte(&g, t[i], BASE);

			assert_ptr_equal(srig_page(&g, t[i], BASE), new);
			assert_false(pte_young(pte) || pte_write(pte));
			assert_int_equal(srig_read(&g, t[i], BASE), 77);
		}
		assert_int_equal(srig_event(&g, EV_PGMIGRATE_SUCCESS), 1);
		srig_end(&g);
	}
	(void)state;
}

/* A page of one writer keeps its write bit; its first write afterwards copies nothing. */
static void test_write_bit_survives(void **state)
{
	struct srig g = RIG("hwad=0");
	struct task *t = srig_task(&g, 1);
	struct source s = {.left = 1};
	struct page *new;

	srig_map(&g, t, BASE, 1);
	srig_write(&g, t, BASE, 1);
	lru_add_drain_all(&g.vm->lru);
	assert_true(pte_write(srig_pte(&g, t, BASE)));
	assert_true(PageActive(srig_page(&g, t, BASE)));
	assert_int_equal(migrate_one(&g, srig_page(&g, t, BASE), MIGRATE_ASYNC, &s), 0);
	assert_true(pte_write(srig_pte(&g, t, BASE)));
	new = srig_page(&g, t, BASE);
	assert_true(PageActive(new) && PageSwapBacked(new) && PageUptodate(new) && PageDirty(new));
	srig_write(&g, t, BASE, 2);
	assert_ptr_equal(srig_page(&g, t, BASE), new);
	assert_int_equal(srig_event(&g, EV_COW_COPIES), 0);
	srig_end(&g);
	(void)state;
}

static void test_A10_2(void **state)
{
	struct srig g = RIG("data=tag");
	struct task *t = srig_task(&g, 1);
	struct source s = {.left = 1};
	struct page *p;

	srig_map(&g, t, BASE, 1);
	srig_write(&g, t, BASE, 7);
	p = srig_page(&g, t, BASE);
	lru_add_drain_all(&g.vm->lru);
	get_page(p);
	assert_int_equal(migrate_one(&g, p, MIGRATE_SYNC, &s), 1);
	assert_int_equal(s.asked, 10);
	assert_int_equal(s.returned, 10);
	assert_int_equal(s.left, 1);
	assert_ptr_equal(srig_page(&g, t, BASE), p);
	assert_int_equal(page_count(p), 2);
	assert_int_equal(srig_read(&g, t, BASE), 7);
	assert_int_equal(srig_event(&g, EV_PGMIGRATE_FAIL),
			 0); /* not for ever: only the permanent ones count */
	lru_put_page(&g.vm->lru, p);
	srig_end(&g);
	(void)state;
}

/* A daemon that unlocks a page (or ends its write-back) when its time has come. */
struct unlocker {
	struct srig *g;
	struct page *p;
	enum page_flag_bit bit;
	bool done;
};

static u64 unlock_step(void *self, u64 budget)
{
	struct unlocker *u = self;

	(void)budget;
	u->p->flags &= ~(1u << u->bit);
	u->done = true;
	return 0;
}

static void later(struct srig *g, struct unlocker *u, struct page *p, enum page_flag_bit bit)
{
	*u = (struct unlocker){.g = g, .p = p, .bit = bit};
	p->flags |= 1u << bit;
	assert_true(clock_add_daemon(&g->m->hw, unlock_step, u, g->m->hw.now + 1000000, 0) >= 0);
}

static void test_A10_3(void **state)
{
	struct srig g = RIG("data=tag");
	struct task *t = srig_task(&g, 1);
	struct source async = {.left = 1}, sync = {.left = 1};
	struct unlocker u;
	struct page *p;

	srig_map(&g, t, BASE, 1);
	srig_write(&g, t, BASE, 7);
	p = srig_page(&g, t, BASE);
	lru_add_drain_all(&g.vm->lru);
	assert_true(trylock_page(p));
	assert_int_equal(migrate_one(&g, p, MIGRATE_ASYNC, &async), 1);
	assert_int_equal(async.asked, 10);
	unlock_page(p);
	later(&g, &u, p, PG_locked);
	g.m->phys.cpus[0].pf_memalloc = true; /* who reclaims may not sleep here */
	assert_int_equal(migrate_one(&g, p, MIGRATE_SYNC, &async), 1);
	g.m->phys.cpus[0].pf_memalloc = false;
	assert_false(u.done);
	assert_int_equal(migrate_one(&g, p, MIGRATE_SYNC_LIGHT, &sync), 0);
	assert_true(u.done);
	assert_int_equal(sync.asked, 4); /* passes 0 to 2 do not wait */
	assert_int_equal(srig_read(&g, t, BASE), 7);
	srig_end(&g);
	(void)state;
}

static void test_A10_4(void **state)
{
	struct srig g = RIG("data=tag");
	struct task *t = srig_task(&g, 1);
	struct source light = {.left = 1}, sync = {.left = 1};
	struct unlocker u;
	struct page *p;
	struct page_list list;

	srig_map(&g, t, BASE, 1);
	srig_write(&g, t, BASE, 7);
	p = srig_page(&g, t, BASE);
	lru_add_drain_all(&g.vm->lru);
	later(&g, &u, p, PG_writeback);
	list = isolated(&g, p);
	assert_int_equal(migrate(&g, &light, MIGRATE_SYNC_LIGHT, &list), 1);
	assert_int_equal(light.asked, 1);
	assert_true(plist_empty(&list));
	assert_int_equal(srig_event(&g, EV_PGMIGRATE_FAIL), 1);
	assert_int_equal(migrate_one(&g, p, MIGRATE_SYNC, &sync), 0);
	assert_true(u.done);
	assert_int_equal(sync.asked, 4);
	srig_end(&g);
	(void)state;
}

static void test_A10_5(void **state)
{
	struct srig g = RIG("data=tag");
	struct task *t = srig_task(&g, 1);
	struct source s = {.left = 10};
	struct vm_file *f;
	struct page *old, *new;
	struct page_list list;
	s64 dirtied;

	assert_int_equal(vm_file(g.vm, 1, 8 * PAGE, "disk", "f"), 0);
	assert_int_equal(sys_mmap(g.vm, t, BASE, 8 * PAGE, MM_PROT_READ | MM_PROT_WRITE,
				  MM_MAP_SHARED | MM_MAP_FIXED, 1, 0, 0),
			 BASE);
	srig_write(&g, t, BASE + 3 * PAGE, 99);
	f = filemap_find(&g.vm->files, 1);
	old = srig_page(&g, t, BASE + 3 * PAGE);
	lru_add_drain_all(&g.vm->lru);
	assert_true(pte_dirty(srig_pte(&g, t, BASE + 3 * PAGE)) || PageDirty(old));
	set_page_dirty(&g.vm->files, old);
	dirtied = global_page_state(g.vm->phys, NR_DIRTIED);
	assert_int_equal(migrate_one(&g, old, MIGRATE_SYNC_LIGHT, &s), 0);
	new = filemap_lookup(g.vm->phys, f, 3);
	assert_ptr_not_equal(new, old);
	assert_ptr_equal(srig_page(&g, t, BASE + 3 * PAGE), new);
	assert_int_equal(new->index, 3);
	assert_true(PageDirty(new));
	assert_int_equal(global_page_state(g.vm->phys, NR_DIRTIED), dirtied);
	assert_int_equal(global_page_state(g.vm->phys, NR_FILE_DIRTY), 1);
	assert_int_equal(page_count(old), 0);
	assert_int_equal(srig_read(&g, t, BASE + 3 * PAGE), 99);
	srig_sound(&g);

	/* truncated while isolated: nothing is moved, and the page is gone */
	old = srig_page(&g, t, BASE + 3 * PAGE);
	list = isolated(&g, old);
	assert_int_equal(vm_ftruncate(g.vm, 1, 2 * PAGE), 0);
	assert_int_equal(page_count(old), 1);
	assert_int_equal(old->mapping, 0);
	s.asked = 0;
	assert_int_equal(migrate(&g, &s, MIGRATE_ASYNC, &list), 0);
	assert_int_equal(srig_event(&g, EV_PGMIGRATE_SUCCESS), 2);
	lru_add_drain_all(&g.vm->lru);
	assert_int_equal(page_count(old), 0);
	srig_end(&g);
	(void)state;
}

/* A mapping whose pages cannot move dirty: only SYNC writes them, and moves them then. */
static void test_fallback_migrate(void **state)
{
	struct srig g = RIG("data=tag");
	struct task *t = srig_task(&g, 1);
	struct source s = {.left = 10};
	struct page *p;

	assert_int_equal(vm_file(g.vm, 1, 8 * PAGE, "disk", "f"), 0);
	assert_int_equal(sys_mmap(g.vm, t, BASE, 8 * PAGE, MM_PROT_READ | MM_PROT_WRITE,
				  MM_MAP_SHARED | MM_MAP_FIXED, 1, 0, 0),
			 BASE);
	srig_write(&g, t, BASE, 5);
	p = srig_page(&g, t, BASE);
	filemap_find(&g.vm->files, 1)->mapping.flags |= AS_NO_MIGRATE;
	assert_int_equal(migrate_one(&g, p, MIGRATE_SYNC_LIGHT, &s), 1);
	assert_int_equal(srig_event(&g, EV_PGMIGRATE_FAIL), 1);
	assert_ptr_equal(srig_page(&g, t, BASE), p);
	srig_sound(&g);
	assert_int_equal(migrate_one(&g, p, MIGRATE_SYNC, &s), 0);
	assert_ptr_not_equal(srig_page(&g, t, BASE), p);
	assert_int_equal(srig_read(&g, t, BASE), 5);
	srig_end(&g);
	(void)state;
}

static void test_A10_6(void **state)
{
	struct srig g = RIG("data=tag");
	struct task *t = srig_task(&g, 1), *c;
	struct source s = {.left = 10};
	struct page *old, *new;
	swp_entry_t e;

	/* in the swap cache and not mapped */
	srig_map(&g, t, BASE, 2);
	srig_write(&g, t, BASE, 5);
	srig_write(&g, t, BASE + PAGE, 6);
	lru_add_drain_all(&g.vm->lru);
	old = srig_page(&g, t, BASE);
	assert_false(srig_swap_out_page(&g, old, STEP_WRITTEN, NULL, NULL));
	e = srig_entry(&g, t, BASE);
	assert_int_equal(migrate_one(&g, old, MIGRATE_ASYNC, &s), 0);
	assert_int_equal(srig_entry(&g, t, BASE).v, e.v);
	new = swap_cache_peek(g.sw, e);
	assert_ptr_not_equal(new, old);
	assert_int_equal(new->private, e.v);
	assert_false(PageSwapCache(old));
	assert_int_equal(page_count(old), 0);
	srig_sound(&g);
	assert_int_equal(mm_access(g.vm, t, BASE, MM_ACCESS_READ), RES_MINOR);
	assert_int_equal(srig_read(&g, t, BASE), 5);

	/* in the swap cache and mapped: its mappings become swap entries, not migration entries */
	old = srig_page(&g, t, BASE);
	c = srig_fork(&g, t, 2);
	lru_add_drain_all(&g.vm->lru);
	assert_int_equal(migrate_one(&g, old, MIGRATE_ASYNC, &s), 0);
	assert_int_equal(srig_entry(&g, t, BASE).v, e.v);
	assert_int_equal(swap_count(g.sw, e), 2);
	srig_sound(&g);
	assert_int_equal(srig_read(&g, t, BASE), 5);
	assert_int_equal(srig_read(&g, c, BASE), 5);
	assert_int_equal(srig_event(&g, EV_PSWPIN), 0);
	srig_end(&g);
	(void)state;
}

static void test_A10_7(void **state)
{
	struct srig g = RIG("data=tag");
	struct task *t = srig_task(&g, 1);
	struct source s = {.left = 2};
	struct page_list list;
	u32 rest[3];

	srig_map(&g, t, BASE, 5);
	plist_init(&list);
	for (u32 i = 0; i < 5; i++)
		srig_write(&g, t, BASE + i * PAGE, i);
	lru_add_drain_all(&g.vm->lru);
	for (u32 i = 0; i < 5; i++)
		assert_int_equal(
			isolate_for_migration(g.vm, srig_page(&g, t, BASE + i * PAGE), &list), 0);
	for (u32 i = 0; i < 3; i++)
		rest[i] = page_frame(g.vm->phys, srig_page(&g, t, BASE + (2 - i) * PAGE));
	assert_int_equal(migrate(&g, &s, MIGRATE_SYNC, &list), -ENOMEM);
	assert_int_equal(s.asked, 3);
	assert_int_equal(list.nr, 3);
	assert_int_equal(list.first, rest[0]);
	assert_int_equal(list.last, rest[2]);
	for (u32 i = 0; i < 3; i++)
		assert_int_equal(page_mapcount(frame_to_page(g.vm->phys, rest[i])), 1);
	putback_movable_pages(g.vm, &list);
	srig_end(&g);
	(void)state;
}

/* Continues a migration that stopped with entries in the tables. */
struct finisher {
	struct migrate_op op;
	bool done;
};

static u64 finish_step(void *self, u64 budget)
{
	struct finisher *f = self;

	(void)budget;
	while (migrate_op_step(&f->op, true) != MIGRATE_AT_END)
		;
	f->done = true;
	return 0;
}

static void test_A10_8(void **state)
{
	/* the access comes before the contents have moved (bit 0: after), with a fork meanwhile
	 * (bit 1) */
	for (int variant = 0; variant < 4; variant++) {
		bool moved = variant & 1, with_fork = variant & 2;
		struct srig g = RIG("data=tag");
		struct task *t = srig_task(&g, 1), *c = NULL;
		struct finisher f = {.done = false};
		struct page *old, *new;
		struct page_list list;

		srig_map(&g, t, BASE, 1);
		srig_write(&g, t, BASE, 7);
		old = srig_page(&g, t, BASE);
		list = isolated(&g, old);
		new = alloc_page(g.vm->phys, 0, GFP_HIGHUSER_MOVABLE);
		migrate_op_start(&f.op, g.vm, old, new, MIGRATE_SYNC);
		assert_int_equal(migrate_op_step(&f.op, false), MIGRATE_AT_UNMAPPED);
		assert_true(is_write_migration_entry(srig_pte(&g, t, BASE)));
		assert_int_equal(page_count(old), 1); /* s8.4: entries hold no reference */
		assert_int_equal(t->mm->rss[MM_ANONPAGES], 1);
		if (with_fork) {
			c = srig_fork(&g, t, 2);
			assert_true(is_migration_entry(srig_pte(&g, c, BASE)));
			assert_false(is_write_migration_entry(srig_pte(&g, t, BASE)) ||
				     is_write_migration_entry(srig_pte(&g, c, BASE)));
			assert_int_equal(c->mm->rss[MM_ANONPAGES], 1);
		}
		assert_int_equal(migrate_check(g.vm, (char[200]){0}, 200), 10003);
		assert_true(clock_add_daemon(&g.m->hw, finish_step, &f, g.m->hw.now + 1000000, 0) >=
			    0);
		if (moved)
			assert_int_equal(migrate_op_step(&f.op, false), MIGRATE_AT_MOVED);
		/* the access waits on the entry until the daemon has finished the move */
		assert_int_equal(srig_read(&g, with_fork ? c : t, BASE), 7);
		assert_true(f.done);
		/* who waits holds a reference: one too many for a page that has not moved yet */
		assert_int_equal(f.op.result, moved ? 0 : -EAGAIN);
		assert_ptr_equal(srig_page(&g, t, BASE), moved ? new : old);
		putback_movable_pages(g.vm, &list);
		putback_lru_page(&g.vm->lru, new);
		lru_add_drain_all(&g.vm->lru);
		new = moved ? new : old;
		assert_int_equal(page_count(new), 1 + with_fork);
		if (with_fork) {
			assert_ptr_equal(srig_page(&g, c, BASE), new);
			srig_write(&g, c, BASE, 8);
			assert_int_equal(srig_read(&g, t, BASE), 7);
			assert_int_equal(srig_read(&g, c, BASE), 8);
		} else {
			assert_true(pte_write(srig_pte(&g, t, BASE)));
		}
		srig_end(&g);
	}
	(void)state;
}

static void test_A10_9(void **state)
{
	struct srig g = RIG("data=tag");
	struct task *t = srig_task(&g, 1);
	struct source s = {.left = 1};
	struct page *old, *new;

	srig_map(&g, t, BASE, 1);
	srig_write(&g, t, BASE, 7);
	assert_int_equal(sys_mlock(g.vm, t, BASE, PAGE, 0), 0);
	old = srig_page(&g, t, BASE);
	lru_add_drain_all(&g.vm->lru);
	assert_true(PageMlocked(old) && PageUnevictable(old));
	assert_int_equal(global_page_state(g.vm->phys, NR_MLOCK), 1);
	assert_int_equal(migrate_one(&g, old, MIGRATE_SYNC, &s), 0);
	new = srig_page(&g, t, BASE);
	assert_ptr_not_equal(new, old);
	assert_true(PageMlocked(new) && PageUnevictable(new) && PageLRU(new));
	assert_false(PageMlocked(old) || PageUnevictable(old));
	assert_int_equal(global_page_state(g.vm->phys, NR_MLOCK), 1);
	assert_int_equal(global_page_state(g.vm->phys, NR_UNEVICTABLE), 1);
	assert_int_equal(sys_munlock(g.vm, t, BASE, PAGE), 0);
	assert_int_equal(global_page_state(g.vm->phys, NR_MLOCK), 0);
	assert_int_equal(srig_read(&g, t, BASE), 7);
	srig_end(&g);
	(void)state;
}

/* ---- users ---- */

static void test_A10_21(void **state)
{
	struct srig g = RIG("nodes=2", "data=tag");
	struct task *t = srig_task(&g, 1);
	vaddr_t addrs[6];
	int nodes[6], status[6], home;

	srig_map(&g, t, BASE, 4);
	for (u32 i = 0; i < 2; i++)
		srig_write(&g, t, BASE + i * PAGE, 10 + i);
	srig_read(&g, t, BASE + 2 * PAGE); /* the zero page */
	srig_fork(&g, t, 2);
	srig_write(&g, t, BASE, 10); /* page 0 is t's alone again, page 1 shared */
	lru_add_drain_all(&g.vm->lru);
	home = page_zone(g.vm->phys, srig_page(&g, t, BASE))->node;
	for (u32 i = 0; i < 4; i++)
		addrs[i] = BASE + i * PAGE;
	addrs[4] = BASE + 100 * PAGE;
	addrs[5] = BASE; /* twice: moved already, or on its way */
	assert_int_equal(sys_move_pages(g.vm, t->mm, 5, addrs, NULL, status, false), 0);
	assert_int_equal(status[0], home);
	assert_int_equal(status[1], home);
	assert_int_equal(status[2], -EFAULT); /* zero page */
	assert_int_equal(status[3], -ENOENT);
	assert_int_equal(status[4], -EFAULT);
	for (u32 i = 0; i < 6; i++)
		nodes[i] = !home;
	assert_int_equal(sys_move_pages(g.vm, t->mm, 6, addrs, nodes, status, false), 0);
	assert_int_equal(status[0], !home);
	assert_int_equal(status[1], -EACCES);
	assert_int_equal(status[5], -EBUSY);
	assert_int_equal(page_zone(g.vm->phys, srig_page(&g, t, BASE))->node, !home);
	assert_int_equal(sys_move_pages(g.vm, t->mm, 2, addrs, nodes, status, true), 0);
	assert_int_equal(status[0], !home);
	assert_int_equal(status[1], !home);
	assert_int_equal(srig_read(&g, t, BASE), 10);
	assert_int_equal(srig_read(&g, t, BASE + PAGE), 11);
	nodes[0] = 7;
	assert_int_equal(sys_move_pages(g.vm, t->mm, 1, addrs, nodes, status, false), -ENODEV);
	srig_sound(&g);
	assert_int_equal(sys_migrate_pages(g.vm, t->mm, !home, home),
			 0); /* page 1 is shared: left alone */
	assert_int_equal(page_zone(g.vm->phys, srig_page(&g, t, BASE))->node, home);
	assert_int_equal(page_zone(g.vm->phys, srig_page(&g, t, BASE + PAGE))->node, !home);
	srig_end(&g);
	(void)state;
}

static void test_isolate_range(void **state)
{
	struct srig g = RIG("ideal=1", "max_order=8");
	struct task *t = srig_task(&g, 1);
	u64 n = 128;
	pfn_t start;
	s64 before;

	srig_map(&g, t, BASE, 1000);
	for (u32 i = 0; i < 1000; i++)
		srig_write(&g, t, BASE + i * PAGE, i);
	start = (pfn_t)(page_to_pfn(g.vm->phys, srig_page(&g, t, BASE + 500 * PAGE)) & ~(n - 1));
	lru_add_drain_all(&g.vm->lru);
	before = global_page_state(g.vm->phys, NR_FREE_PAGES);
	assert_int_equal(isolate_range(g.vm, start, n, MR_MEMORY_HOTPLUG), 0);
	for (u32 i = 0; i < 1000; i++) {
		pfn_t pfn = page_to_pfn(g.vm->phys, srig_page(&g, t, BASE + i * PAGE));

		assert_true(pfn < start || pfn >= start + n);
		assert_int_equal(srig_read(&g, t, BASE + i * PAGE), i);
	}
	assert_true(global_page_state(g.vm->phys, NR_FREE_PAGES) < before);
	undo_isolate_range(g.vm, start, n);
	drain_all_pages(g.vm->phys);
	srig_sound(&g);
	gup_pin_page(g.vm, srig_page(&g, t, BASE));
	start = (pfn_t)(page_to_pfn(g.vm->phys, srig_page(&g, t, BASE)) & ~(n - 1));
	assert_int_equal(isolate_range(g.vm, start, n, MR_CMA), -EBUSY);
	srig_sound(&g);
	gup_put_page(g.vm, srig_page(&g, t, BASE));
	srig_end(&g);
	(void)state;
}

static void test_invariants(void **state)
{
	struct srig g = RIG("data=tag");
	struct task *t = srig_task(&g, 1);
	struct page_list list;
	struct page *p;
	char why[256];
	pte_t pte;

	srig_map(&g, t, BASE, 1);
	srig_write(&g, t, BASE, 7);
	p = srig_page(&g, t, BASE);
	list = isolated(&g, p);
	assert_int_equal(migrate_check(g.vm, why, sizeof(why)), 10003);
	putback_movable_pages(g.vm, &list);
	assert_int_equal(migrate_check(g.vm, why, sizeof(why)), 0);
	pte = srig_pte(&g, t, BASE);
	set_pte(g.vm, pte_lookup(g.vm, t->mm, BASE), make_migration_entry(g.vm, p, true));
	assert_int_equal(migrate_check(g.vm, why, sizeof(why)), 10001);
	set_pte(g.vm, pte_lookup(g.vm, t->mm, BASE), pte);
	srig_end(&g);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_cut),
		cmocka_unit_test(test_A10_1),
		cmocka_unit_test(test_write_bit_survives),
		cmocka_unit_test(test_A10_2),
		cmocka_unit_test(test_A10_3),
		cmocka_unit_test(test_A10_4),
		cmocka_unit_test(test_A10_5),
		cmocka_unit_test(test_fallback_migrate),
		cmocka_unit_test(test_A10_6),
		cmocka_unit_test(test_A10_7),
		cmocka_unit_test(test_A10_8),
		cmocka_unit_test(test_A10_9),
		cmocka_unit_test(test_A10_21),
		cmocka_unit_test(test_isolate_range),
		cmocka_unit_test(test_invariants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
