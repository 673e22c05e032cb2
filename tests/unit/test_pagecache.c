/* SPDX-License-Identifier: BSD-2-Clause */
/* Chapter 14: page cache, read-ahead, write-back, shared memory, by the functions that faults and
 * calls use. */
#include "core/hw/clock.h"
#include "tests/file_rig.h"

#define MAX_RA 32u /* 128 KiB of 4 KiB pages */

static const char *const plain[] = {"mem=64M", NULL};
static const char *const with_swap[] = {"mem=64M", "swap=16M", NULL};

/* ---- read-ahead ---- */

struct window {
	u64 start, size, async;
};

/* The windows that reads of @chunk pages from the start of a @pages long file make, by the formulas
 * of s5. */
static unsigned windows_of(u64 chunk, u64 pages, struct window *w)
{
	u64 p = 1, size, start = 0, async;
	unsigned n = 0;

	while (p < chunk)
		p *= 2;
	size = p <= MAX_RA / 32 ? 4 * p : p <= MAX_RA / 4 ? 2 * p : MAX_RA;
	async = size > chunk ? size - chunk : size;
	if (size == async) { /* merged with the one after */
		async = size < MAX_RA / 16 ? size * 4 : size * 2 < MAX_RA ? size * 2 : MAX_RA;
		size += async;
	}
	while (start <
	       pages + MAX_RA) { /* the last marker starts one behind the end, without pages */
		w[n++] = (struct window){start, size, async};
		start += size;
		size = size < MAX_RA / 16 ? size * 4 : size * 2 < MAX_RA ? size * 2 : MAX_RA;
		async = size;
	}
	return n;
}

static void test_A14_1(void **state)
{
	static const u64 chunks[] = {1, 4, 16, 32};
	static const struct window first[4][4] = {
		{{0, 4, 3}, {4, 8, 8}, {12, 16, 16}, {28, 32, 32}},
		{{0, 8, 4}, {8, 16, 16}, {24, 32, 32}, {56, 32, 32}},
		{{0, 32, 16}, {32, 32, 32}, {64, 32, 32}, {96, 32, 32}},
		{{0, 64, 32}, {64, 32, 32}, {96, 32, 32}, {128, 32, 32}}};

	(void)state;
	for (unsigned c = 0; c < 4; c++) {
		struct srig g = srig_boot(plain);
		struct vm_file *f = frig_file(&g, 1, 200, false);
		struct window want[200], seen = {~0ull, 0, 0};
		unsigned n = windows_of(chunks[c], 200, want), at = 0;

		assert_memory_equal(want, first[c], sizeof(first[c]));
		for (u64 i = 0; i < 200; i += chunks[c]) {
			u64 len = 200 - i < chunks[c] ? 200 - i : chunks[c];
			struct window now;

			frig_read(&g, f, i, len);
			now = (struct window){f->ra.start, f->ra.size, f->ra.async_size};
			if (!memcmp(&now, &seen, sizeof(now)))
				continue;
			while (at < n && memcmp(&want[at], &now, sizeof(now)))
				at++; /* several windows within one large read */
			assert_true(at < n);
			seen = now;
		}
		assert_true(seen.start + seen.size >= 200);
		assert_int_equal(frig_level(&g, NR_FILE_PAGES), 200);
		assert_int_equal(srig_event(&g, EV_PGPGIN), 200 * 4); /* every page once */
		assert_int_equal(srig_event(&g, EV_RA_PAGES_READ), 200);
		assert_int_equal(srig_event(&g, EV_RA_PAGES_USED), 200);
		srig_end(&g);
	}
}

static void test_A14_2(void **state)
{
	struct srig g = srig_boot(plain);
	struct vm_file *f = frig_file(&g, 1, 10000, false);
	struct file_ra_state before;

	(void)state;
	frig_read(&g, f, 5000, 1);
	before = f->ra;
	for (u64 i = 1; i < 50; i++) {
		u64 index = i * 37 % 90 * 100 + 750;

		frig_read(&g, f, index, 1);
		assert_null(frig_page(&g, f, index - 1));
		assert_null(frig_page(&g, f, index + 1));
		assert_false(PageReclaim(frig_page(&g, f, index)));
		assert_int_equal(f->ra.size, before.size); /* state untouched */
	}
	assert_int_equal(frig_level(&g, NR_FILE_PAGES), 50);
	assert_int_equal(srig_event(&g, EV_READAHEAD_MARKER_HITS), 0);
	srig_end(&g);
}

static void test_A14_3(void **state)
{
	struct srig g = srig_boot(plain);
	struct vm_file *f = frig_file(&g, 1, 4000, false);
	u64 largest[2] = {0, 0};

	(void)state;
	for (u64 i = 0; i < 400; i++)
		for (unsigned s = 0; s < 2; s++) {
			struct file_ra_state old = f->ra;

			frig_read(&g, f, 2000 * s + i, 1);
			if (f->ra.start != old.start && f->ra.size > largest[s])
				largest[s] = f->ra.size;
		}
	assert_int_equal(largest[0], MAX_RA);
	assert_int_equal(largest[1], MAX_RA);
	/* both ends of each stream were read once, with little beyond */
	assert_true(frig_level(&g, NR_FILE_PAGES) <= 2 * (400 + 2 * (s64)MAX_RA));
	assert_int_equal(srig_event(&g, EV_PGPGIN), 4 * frig_level(&g, NR_FILE_PAGES));
	srig_end(&g);
}

static void test_A14_14(void **state)
{
	struct srig g =
		srig_boot((const char *const[]){"mem=64M", "fault_around_bytes=4096", NULL});
	struct vm_file *f = frig_file(&g, 1, 9000, false);
	struct task *t = srig_task(&g, 1);
	s64 before;

	(void)state;
	frig_map(&g, t, BASE, 9000, f, MM_MAP_PRIVATE, MM_PROT_READ);
	for (u64 i = 0; i < 100; i++) {
		before = frig_level(&g, NR_FILE_PAGES);
		assert_int_equal(frig_touch(&g, t, BASE + (i * 64 + 32) * PAGE, MM_ACCESS_READ),
				 RES_MAJOR);
		assert_int_equal(frig_level(&g, NR_FILE_PAGES) - before, MAX_RA);
		assert_int_equal(f->ra.mmap_miss, i + 1);
		assert_non_null(frig_page(&g, f, i * 64 + 32 - 16));
		assert_true(PageReclaim(frig_page(&g, f, i * 64 + 16 + 32 - 8))); /* the marker */
	}
	before = frig_level(&g, NR_FILE_PAGES);
	assert_int_equal(frig_touch(&g, t, BASE + 8000 * PAGE, MM_ACCESS_READ), RES_MAJOR);
	assert_int_equal(f->ra.mmap_miss, 101);
	assert_int_equal(frig_level(&g, NR_FILE_PAGES) - before, 1); /* alone */
	/* two hits: 99, and the next miss, the hundredth, reads around again */
	assert_int_equal(frig_touch(&g, t, BASE + 33 * PAGE, MM_ACCESS_READ), RES_MINOR);
	assert_int_equal(frig_touch(&g, t, BASE + 34 * PAGE, MM_ACCESS_READ), RES_MINOR);
	assert_int_equal(f->ra.mmap_miss, 99);
	before = frig_level(&g, NR_FILE_PAGES);
	assert_int_equal(frig_touch(&g, t, BASE + 8500 * PAGE, MM_ACCESS_READ), RES_MAJOR);
	assert_int_equal(frig_level(&g, NR_FILE_PAGES) - before, MAX_RA);
	srig_end(&g);
}

static void test_mmap_advice(void **state)
{
	struct srig g = srig_boot(plain);
	struct vm_file *f = frig_file(&g, 1, 1000, false);
	struct task *t = srig_task(&g, 1);

	(void)state;
	frig_map(&g, t, BASE, 1000, f, MM_MAP_PRIVATE, MM_PROT_READ);
	assert_int_equal(sys_madvise(g.vm, t, BASE, 1000 * PAGE, MM_MADV_RANDOM), 0);
	assert_int_equal(frig_touch(&g, t, BASE + 500 * PAGE, MM_ACCESS_READ), RES_MAJOR);
	assert_int_equal(frig_level(&g, NR_FILE_PAGES), 1);
	assert_int_equal(f->ra.mmap_miss, 0);
	assert_int_equal(sys_madvise(g.vm, t, BASE, 1000 * PAGE, MM_MADV_SEQUENTIAL), 0);
	assert_int_equal(frig_touch(&g, t, BASE, MM_ACCESS_READ), RES_MAJOR);
	assert_int_equal(f->ra.start,
			 0); /* a request of ra_pages: the first window, merged with the second */
	assert_int_equal(f->ra.size, 2 * MAX_RA);
	assert_int_equal(sys_fadvise(g.vm, 1, MM_MADV_RANDOM), 0);
	frig_read(&g, f, 700, 3);
	assert_int_equal(frig_level(&g, NR_FILE_PAGES), 1 + 2 * MAX_RA + 3);
	assert_int_equal(sys_fadvise(g.vm, 1, MM_MADV_SEQUENTIAL), 0);
	assert_int_equal(f->ra.ra_pages, 2 * MAX_RA);
	assert_false(f->mode & FMODE_RANDOM);
	assert_int_equal(sys_fadvise(g.vm, 1, MM_MADV_NORMAL), 0);
	assert_int_equal(f->ra.ra_pages, MAX_RA);
	assert_int_equal(sys_fadvise(g.vm, 1, MM_MADV_WILLNEED), 0);
	assert_int_equal(f->mapping.nrpages, 512 + 3); /* 2 MiB, and what was read beyond */
	assert_int_equal(sys_fadvise(g.vm, 1, MM_MADV_DONTNEED), 0);
	assert_int_equal(f->mapping.nrpages, frig_level(&g, NR_FILE_MAPPED));
	assert_int_equal(sys_fadvise(g.vm, 1, MM_MADV_DONTFORK), -EINVAL);
	srig_end(&g);
}

static void test_A14_16(void **state)
{
	struct srig g = srig_boot(plain);
	struct vm_file *f = frig_file(&g, 1, 200, false);

	(void)state;
	frig_read(&g, f, 150, 1); /* tree nodes and CPU lists are there */
	g.vm->phys->fail_nth = 3; /* the third page of the first window */
	assert_int_equal(file_read(frig_fm(&g), f, 0, PAGE, NULL), PAGE);
	assert_int_equal(f->mapping.nrpages, 3);
	g.vm->phys->fail_nth = 1; /* no window at all, and the page itself neither */
	f->mode |= FMODE_RANDOM;
	assert_int_equal(file_read(frig_fm(&g), f, 50 * PAGE, PAGE, NULL),
			 PAGE); /* read-ahead fails, the page alone comes */
	f->ra.ra_pages = 0;
	g.vm->phys->fail_nth = 1;
	assert_int_equal(file_read(frig_fm(&g), f, 60 * PAGE, PAGE, NULL), -ENOMEM);
	assert_null(frig_page(&g, f, 60));
	g.vm->phys->fail_nth = 0;
	srig_end(&g);
}

/* ---- look-ups, references, LRU ---- */

static void test_A14_4(void **state)
{
	struct srig g = srig_boot(plain);
	struct vm_file *f = frig_file(&g, 1, 10, false);
	struct page *p;

	(void)state;
	frig_read(&g, f, 0, 1);
	lru_add_drain_all(&g.vm->lru);
	p = frig_page(&g, f, 0);
	assert_true(PageReferenced(p) && !PageActive(p) && PageLRU(p));
	f->ra.prev_pos = UINT64_MAX; /* somebody else reads it */
	frig_read(&g, f, 0, 1);
	lru_add_drain_all(&g.vm->lru);
	assert_true(PageActive(p) && !PageReferenced(p));
	/* two halves in sequence are one access */
	assert_int_equal(file_read(frig_fm(&g), f, 5 * PAGE, PAGE / 2, NULL), PAGE / 2);
	assert_int_equal(file_read(frig_fm(&g), f, 5 * PAGE + PAGE / 2, PAGE / 2, NULL), PAGE / 2);
	lru_add_drain_all(&g.vm->lru);
	p = frig_page(&g, f, 5);
	assert_true(PageReferenced(p) && !PageActive(p));
	srig_end(&g);
}

static void test_A14_5(void **state)
{
	struct srig g = srig_boot(plain);
	struct filemap *fm = frig_fm(&g);
	struct vm_file *f = frig_file(&g, 1, 100, false);
	struct page *p = alloc_page(g.vm->phys, 0, GFP_HIGHUSER_MOVABLE),
		    *q = alloc_page(g.vm->phys, 0, GFP_HIGHUSER_MOVABLE);
	u64 shadow = 77;
	u64 free_before;

	(void)state;
	SetPageLocked(p);
	SetPageLocked(q);
	assert_int_equal(add_to_page_cache_locked(fm, p, &f->mapping, 5, &shadow), 0);
	assert_int_equal(shadow, 0);
	assert_int_equal(page_count(p), 2);
	assert_int_equal(add_to_page_cache_locked(fm, q, &f->mapping, 5, &shadow), -EEXIST);
	assert_int_equal(page_count(q), 1);
	assert_int_equal(f->mapping.nrpages, 1);
	assert_int_equal(frig_level(&g, NR_FILE_PAGES), 1);
	/* evicted with a shadow */
	p->_count = 0;
	page_cache_remove_frozen(fm, p, 1234);
	p->_count = 2;
	assert_int_equal(f->mapping.nrpages, 0);
	assert_int_equal(f->mapping.nrshadows, 1);
	assert_int_equal(fm->shadow_nodes.nr, 1);
	assert_null(find_get_page(fm, &f->mapping, 5));
	assert_int_equal(add_to_page_cache_locked(fm, q, &f->mapping, 5, &shadow), 0);
	assert_int_equal(shadow, 1234);
	assert_int_equal(f->mapping.nrshadows, 0);
	assert_int_equal(f->mapping.nrpages, 1);
	assert_int_equal(fm->shadow_nodes.nr, 0);
	/* no memory for a node: everything undone */
	free_before = (u64)frig_level(&g, NR_FILE_PAGES);
	while (kmem_cpu_array(fm->nodes, 0)->avail)
		(void)!kmem_cache_alloc(fm->nodes, 0, GFP_KERNEL);
	for (unsigned nth = 1; nth < 3; nth++) {
		g.vm->phys->fail_nth = nth;
		p->_count = 1;
		p->mapping = 0;
		if (!add_to_page_cache_locked(fm, p, &f->mapping, 1ull << 20, &shadow))
			break;
		assert_int_equal(page_count(p), 1);
		assert_int_equal(p->mapping, 0);
		assert_int_equal(f->mapping.nrpages, 1);
		assert_int_equal(frig_level(&g, NR_FILE_PAGES), free_before);
		assert_int_equal(xa_check(&f->mapping.pages), 0);
		assert_int_equal(nth, 1);
	}
	g.vm->phys->fail_nth = 0;
	unlock_page(p);
	unlock_page(q);
	SetPageUptodate(p);
	SetPageUptodate(q);
	lru_put_page(&g.vm->lru, p);
	lru_put_page(&g.vm->lru, q);
	srig_sound(&g);
	machine_destroy(g.m);
}

static int note_count(void *self, const struct file_piece *piece)
{
	*(s32 *)self = page_count(piece->page);
	return 0;
}

static void test_A14_13(void **state)
{
	struct srig g = srig_boot(plain);
	struct vm_file *f = frig_file(&g, 1, 10, false);
	s32 count = 0;

	(void)state;
	/* the reader holds it: reader, cache, batch */
	assert_int_equal(file_read(frig_fm(&g), f, 0, PAGE,
				   &(struct file_actor){&count, note_count, NULL, NULL}),
			 PAGE);
	assert_int_equal(count, 3);
	assert_int_equal(page_count(frig_page(&g, f, 0)), 2);
	lru_add_drain_all(&g.vm->lru);
	assert_int_equal(page_count(frig_page(&g, f, 0)), 1);
	srig_end(&g);
}

/* ---- truncation, invalidation, unlink ---- */

static void test_A14_7(void **state)
{
	static const char *const bytes[] = {"mem=64M", "data=bytes", NULL};
	struct srig g = srig_boot(bytes);
	struct vm_file *f = frig_file(&g, 1, 16, false);
	struct task *t = srig_task(&g, 1);
	struct page *last;
	const u8 *data;

	(void)state;
	frig_map(&g, t, BASE, 16, f, MM_MAP_SHARED, MM_PROT_READ | MM_PROT_WRITE);
	frig_map(&g, t, BASE + 16 * PAGE, 16, f, MM_MAP_PRIVATE, MM_PROT_READ | MM_PROT_WRITE);
	for (u64 i = 0; i < 16; i++) {
		srig_write(&g, t, BASE + i * PAGE, 1000 + i);
		srig_write(&g, t, BASE + (16 + i) * PAGE, 2000 + i); /* private copies */
	}
	assert_int_equal(t->mm->rss[MM_ANONPAGES], 16);
	assert_int_equal(vm_ftruncate(g.vm, 1, 8 * PAGE - 100), 0);
	assert_int_equal(t->mm->rss[MM_ANONPAGES], 8);
	assert_int_equal(t->mm->rss[MM_FILEPAGES], 8);
	assert_int_equal(f->mapping.nrpages, 8);
	for (u64 i = 8; i < 16; i++) {
		assert_int_equal(frig_touch(&g, t, BASE + i * PAGE, MM_ACCESS_READ), RES_SIGBUS);
		assert_int_equal(frig_touch(&g, t, BASE + (16 + i) * PAGE, MM_ACCESS_READ),
				 RES_SIGBUS);
	}
	assert_int_equal(srig_read(&g, t, BASE + 6 * PAGE), 1006);
	last = frig_page(&g, f, 7);
	data = hw_pfn_ptr(g.vm->hw, page_to_pfn(g.vm->phys, last));
	assert_int_equal(*(const u64 *)(const void *)data, 1007);
	for (u64 i = PAGE - 100; i < PAGE; i++)
		assert_int_equal(data[i], 0);
	/* what grows again is zeros, on the device too */
	assert_int_equal(vm_ftruncate(g.vm, 1, 16 * PAGE), 0);
	assert_int_equal(srig_read(&g, t, BASE + 9 * PAGE), 0);
	assert_int_equal(sys_fsync(g.vm, 1), 0);
	srig_end(&g);
}

static void test_A14_12(void **state)
{
	struct srig g = srig_boot(plain);
	struct vm_file *f = frig_file(&g, 1, 100, false);
	struct task *t = srig_task(&g, 1);
	u64 freed = srig_event(&g, EV_PGFREE);

	(void)state;
	for (u64 i = 0; i < 100; i++)
		frig_read(&g, f, i, 1);
	frig_map(&g, t, BASE, 16, f, MM_MAP_PRIVATE, MM_PROT_READ);
	assert_int_equal(frig_touch(&g, t, BASE, MM_ACCESS_READ),
			 RES_MINOR); /* fault-around: 16 pages */
	assert_int_equal(frig_level(&g, NR_FILE_MAPPED), 16);
	assert_int_equal(sys_fwrite(g.vm, t, 1, 50 * PAGE, 3 * PAGE, 0), 3 * PAGE);
	lru_add_drain_all(&g.vm->lru);
	assert_int_equal(vm_drop_pagecache(g.vm), 100 - 16 - 3);
	assert_int_equal(srig_event(&g, EV_DROP_PAGECACHE), 1);
	assert_int_equal(srig_event(&g, EV_PGFREE) - freed, 100 - 16 - 3);
	assert_int_equal(f->mapping.nrpages, 19);
	assert_int_equal(f->mapping.nrshadows, 0); /* invalidation leaves none */
	assert_non_null(frig_page(&g, f, 3));
	assert_true(PageDirty(frig_page(&g, f, 51)));
	assert_null(frig_page(&g, f, 60));
	srig_end(&g);
}

static void test_A14_15(void **state)
{
	struct srig g = srig_boot(plain);
	struct vm_file *f = frig_file(&g, 1, 40, false);
	struct task *t = srig_task(&g, 1);

	(void)state;
	frig_map(&g, t, BASE, 40, f, MM_MAP_SHARED, MM_PROT_READ | MM_PROT_WRITE);
	srig_write(&g, t, BASE + 7 * PAGE, 4711);
	assert_int_equal(sys_unlink(g.vm, 1), 0);
	assert_int_equal(sys_unlink(g.vm, 1), -ENOENT);
	assert_int_equal(srig_read(&g, t, BASE + 7 * PAGE), 4711);
	assert_int_equal(srig_read(&g, t, BASE + 30 * PAGE), store_original_tag(1, 30));
	assert_true(frig_level(&g, NR_FILE_PAGES) > 0);
	assert_int_equal(sys_munmap(g.vm, t, BASE, 40 * PAGE), 0);
	assert_int_equal(frig_level(&g, NR_FILE_PAGES), 0);
	assert_int_equal(frig_level(&g, NR_FILE_DIRTY), 0);
	assert_true(list_empty(&frig_fm(&g)->files));
	/* the id is free for another file */
	f = frig_file(&g, 1, 3, false);
	frig_read(&g, f, 0, 3);
	assert_int_equal(sys_unlink(g.vm, 1), 0); /* no user: gone at once */
	assert_int_equal(frig_level(&g, NR_FILE_PAGES), 0);
	srig_end(&g);
}

static void test_A14_17(void **state)
{
	static const char *const modes[2][3] = {{"mem=64M", "data=bytes", NULL},
						{"mem=64M", "data=tag", NULL}};

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct srig g = srig_boot(modes[k]);
		struct vm_file *f = frig_file(&g, 1, 2, false);
		struct task *t = srig_task(&g, 1);

		assert_int_equal(sys_fwrite(g.vm, t, 1, 10 * PAGE, PAGE, 0), PAGE);
		assert_int_equal(f->size, 11 * PAGE);
		frig_read(&g, f, 0, 11);
		assert_int_equal(frig_tag(&g, f, 1), store_original_tag(1, 1));
		for (u64 i = 2; i < 10; i++)
			assert_int_equal(frig_tag(&g, f, i), 0);
		assert_int_not_equal(frig_tag(&g, f, 10), 0);
		assert_int_equal(file_read(frig_fm(&g), f, 11 * PAGE, PAGE, NULL),
				 0); /* at the end */
		assert_int_equal(file_read(frig_fm(&g), f, 99 * PAGE, PAGE, NULL), 0);
		f->mode = FMODE_READ;
		assert_int_equal(sys_fwrite(g.vm, t, 1, 0, PAGE, 0), -EBADF);
		srig_end(&g);
	}
}

/* ---- write-back ---- */

static void check_A14_6(const char *const *sets, bool hwad)
{
	struct srig g = srig_boot(sets);
	struct vm_file *f = frig_file(&g, 1, 4, false);
	struct task *t = srig_task(&g, 1);
	struct page *p;
	s64 dirtied;

	frig_map(&g, t, BASE, 4, f, MM_MAP_SHARED, MM_PROT_READ | MM_PROT_WRITE);
	/* read first: mapped read-only, so that the first write is noticed */
	assert_int_equal(frig_touch(&g, t, BASE, MM_ACCESS_READ), RES_MAJOR);
	assert_false(pte_write(srig_pte(&g, t, BASE)));
	assert_int_equal(frig_touch(&g, t, BASE, MM_ACCESS_WRITE), RES_MINOR);
	p = srig_page(&g, t, BASE);
	assert_true(PageDirty(p) && xa_tagged(&f->mapping.pages, 0, XA_DIRTY));
	assert_int_equal(frig_touch(&g, t, BASE, MM_ACCESS_WRITE), RES_NONE);
	dirtied = frig_level(&g, NR_DIRTIED);
	SetPageLocked(p);
	assert_true(clear_page_dirty_for_io(g.vm, p));
	assert_int_equal(write_page(frig_fm(&g), p), 0);
	assert_false(PageDirty(p) || PageWriteback(p) || PageLocked(p));
	assert_false(pte_dirty(srig_pte(&g, t, BASE)));
	assert_false(pte_write(srig_pte(&g, t, BASE)));
	assert_int_equal(frig_level(&g, NR_WRITTEN), 1);
	assert_int_equal(frig_level(&g, NR_FILE_DIRTY), 0);
	assert_int_equal(srig_event(&g, EV_PGPGOUT), 4);
	assert_int_equal(frig_touch(&g, t, BASE, MM_ACCESS_READ), RES_NONE);
	assert_int_equal(frig_touch(&g, t, BASE, MM_ACCESS_WRITE), RES_MINOR);
	assert_true(PageDirty(p) && pte_dirty(srig_pte(&g, t, BASE)));
	assert_int_equal(frig_level(&g, NR_DIRTIED), dirtied + 1);
	assert_int_equal(frig_level(&g, NR_FILE_DIRTY), 1);
	(void)hwad;
	srig_end(&g);
}

static void test_A14_6(void **state)
{
	static const char *const soft[] = {"mem=64M", "hwad=0", NULL}, *const hard[] = {"mem=64M",
											"hwad=1",
											NULL};
	static const char *const arm32[] = {"mem=64M", "arch=arm32", NULL};

	(void)state;
	check_A14_6(soft, false);
	check_A14_6(hard, true);
	check_A14_6(arm32, false);
}

static void check_A14_8(const char *threads, u64 percent)
{
	const char *const sets[] = {"mem=64M", threads, NULL};
	struct srig g = srig_boot(sets);
	struct task *t = srig_task(&g, 1);
	u64 quarter = g.vm->phys->totalram_pages / 4, background, dirty;

	for (u64 i = 0; i < quarter; i++) {
		assert_int_equal(sys_fwrite(g.vm, t, 1, i * PAGE, PAGE, 0), PAGE);
		global_dirty_limits(g.vm, &background, &dirty);
		assert_true(frig_level(&g, NR_FILE_DIRTY) <= (s64)dirty);
	}
	assert_true(frig_level(&g, NR_WRITTEN) > 0);
	assert_true((u64)frig_level(&g, NR_FILE_DIRTY) * 100 <=
		    g.vm->phys->totalram_pages * percent);
	assert_int_equal(frig_level(&g, NR_WRITTEN) + frig_level(&g, NR_FILE_DIRTY), quarter);
	assert_int_equal(sys_fsync(g.vm, 1), 0);
	assert_int_equal(frig_level(&g, NR_FILE_DIRTY), 0);
	assert_int_equal(frig_level(&g, NR_WRITTEN), quarter);
	srig_end(&g);
}

static void test_A14_8(void **state)
{
	(void)state;
	check_A14_8("threads=manual", 20);
	check_A14_8("threads=inline", 10); /* the flusher keeps it at the background threshold */
	check_A14_8("threads=timed", 20);
}

static void test_flusher(void **state)
{
	struct srig g = srig_boot((const char *const[]){"mem=64M", "threads=manual", NULL});
	struct vm_file *a = frig_file(&g, 1, 0, false), *b = frig_file(&g, 2, 0, false);
	struct task *t = srig_task(&g, 1);
	u64 background, dirty, n;

	(void)state;
	global_dirty_limits(g.vm, &background, &dirty);
	assert_true(background == dirty / 2 || background == (dirty - 1) / 2);
	n = background * 3 / 4;
	assert_int_equal(sys_fwrite(g.vm, t, 2, 0, n * PAGE, 0), n * PAGE);
	assert_int_equal(sys_fwrite(g.vm, t, 1, 0, n * PAGE, 0), n * PAGE);
	assert_true(flusher_step(g.vm) > 0); /* the older file first, in order */
	global_dirty_limits(g.vm, &background, &dirty);
	assert_true(frig_level(&g, NR_FILE_DIRTY) <= (s64)background);
	assert_int_equal(flusher_step(g.vm), 0);
	assert_false(PageDirty(frig_page(&g, b, 0)));
	assert_true(PageDirty(frig_page(&g, a, n - 1)));
	/* dirty_ratio and background are sysctls; background >= dirty means half */
	assert_int_equal(vm_sysctl(g.vm, "dirty_ratio", "8"), 0);
	global_dirty_limits(g.vm, &background, &dirty);
	assert_int_equal(background, dirty / 2);
	srig_end(&g);
}

static void test_A14_9(void **state)
{
	struct srig g = srig_boot(plain);
	struct vm_file *f = frig_file(&g, 1, 64, false);
	struct task *t = srig_task(&g, 1);

	(void)state;
	frig_map(&g, t, BASE, 64, f, MM_MAP_SHARED, MM_PROT_READ | MM_PROT_WRITE);
	file_inject_error(f, IO_ERROR_READ, 5, 5);
	assert_int_equal(file_read(frig_fm(&g), f, 5 * PAGE, PAGE, NULL), -EIO);
	assert_true(PageError(frig_page(&g, f, 5)) && !PageUptodate(frig_page(&g, f, 5)));
	assert_int_equal(frig_touch(&g, t, BASE + 5 * PAGE, MM_ACCESS_READ), RES_SIGBUS);
	assert_int_equal(file_read(frig_fm(&g), f, 4 * PAGE, 4 * PAGE, NULL),
			 PAGE); /* up to the bad page */
	file_inject_error(f, 0, 0, 0);
	assert_int_equal(frig_touch(&g, t, BASE + 5 * PAGE, MM_ACCESS_READ),
			 RES_MINOR); /* cached, read again */
	assert_int_equal(srig_read(&g, t, BASE + 5 * PAGE), store_original_tag(1, 5));
	/* writing: the error is reported once, the page is clean all the same */
	srig_write(&g, t, BASE + 9 * PAGE, 99);
	file_inject_error(f, IO_ERROR_WRITE, 9, 9);
	assert_int_equal(sys_fsync(g.vm, 1), -EIO);
	assert_int_equal(sys_fsync(g.vm, 1), 0);
	assert_int_equal(frig_level(&g, NR_FILE_DIRTY), 0);
	srig_end(&g);
}

/* A device with latency: pages in flight are locked or under write-back until virtual time has
 * come. */
static void test_device_latency(void **state)
{
	struct srig g =
		srig_boot((const char *const[]){"mem=64M", "disk=1000000", "disk_bandwidth=100",
						"disk_queue=2", "threads=manual", NULL});
	struct filemap *fm = frig_fm(&g);
	struct vm_file *f = frig_file(&g, 1, 200, false);
	struct hw *hw = g.vm->hw;
	u64 page_ns = PAGE * 1000000000ull / (100 * MiB), now = hw->now;
	struct page *p;

	(void)state;
	frig_read(&g, f, 0, 1); /* a window of 4: waits for its first page only */
	assert_true(hw->now - now >= 1000000 + page_ns);
	assert_true(hw->now - now < 1000000 + 4 * page_ns);
	assert_true(fm->disk.waited_ns >= 1000000);
	p = frig_page(&g, f, 3);
	assert_true(PageLocked(p) && !PageUptodate(p));
	clock_advance_to(hw, hw->now + 4 * page_ns + 2);
	assert_true(!PageLocked(p) && PageUptodate(p));
	/* writing: PG_writeback until done, and truncation waits for it */
	assert_int_equal(sys_fwrite(g.vm, NULL, 1, 0, PAGE, 0), PAGE);
	assert_int_equal(file_write_range(g.vm, f, 0, UINT64_MAX, false), 0);
	p = frig_page(&g, f, 0);
	assert_true(PageWriteback(p) && xa_tagged(&f->mapping.pages, 0, XA_WRITEBACK));
	assert_int_equal(frig_level(&g, NR_WRITEBACK), 1);
	srig_sound(&g);
	assert_int_equal(sys_fwrite(g.vm, NULL, 1, 0, PAGE, 0), PAGE); /* dirty again meanwhile */
	srig_sound(&g);
	now = hw->now;
	assert_int_equal(sys_fsync(g.vm, 1),
			 0); /* waits for the first, writes and waits for the second */
	assert_true(hw->now - now >= 1000000);
	assert_int_equal(frig_level(&g, NR_WRITEBACK), 0);
	assert_int_equal(frig_level(&g, NR_WRITTEN), 2);
	assert_int_equal(sys_fwrite(g.vm, NULL, 1, 0, PAGE, 0), PAGE);
	assert_int_equal(file_write_range(g.vm, f, 0, UINT64_MAX, false), 0);
	assert_int_equal(vm_ftruncate(g.vm, 1, 0), 0);
	assert_int_equal(frig_level(&g, NR_WRITEBACK), 0);
	assert_int_equal(f->mapping.nrpages, 0);
	srig_end(&g);
}

static void test_msync(void **state)
{
	struct srig g = srig_boot(plain);
	struct vm_file *f = frig_file(&g, 1, 8, false);
	struct task *t = srig_task(&g, 1);

	(void)state;
	frig_map(&g, t, BASE, 4, f, MM_MAP_SHARED, MM_PROT_READ | MM_PROT_WRITE);
	frig_map(&g, t, BASE + 6 * PAGE, 2, f, MM_MAP_SHARED, MM_PROT_READ | MM_PROT_WRITE);
	for (u64 i = 0; i < 4; i++)
		srig_write(&g, t, BASE + i * PAGE, i + 1);
	assert_int_equal(sys_msync(g.vm, t, BASE + 1, PAGE, MM_MS_SYNC), -EINVAL);
	assert_int_equal(sys_msync(g.vm, t, BASE, PAGE, MM_MS_SYNC | MM_MS_ASYNC), -EINVAL);
	assert_int_equal(sys_msync(g.vm, t, BASE, PAGE, 8), -EINVAL);
	assert_int_equal(sys_msync(g.vm, t, BASE, 4 * PAGE, MM_MS_ASYNC), 0);
	assert_int_equal(frig_level(&g, NR_FILE_DIRTY), 4);
	assert_int_equal(sys_msync(g.vm, t, BASE + PAGE, 2 * PAGE, MM_MS_SYNC), 0);
	assert_int_equal(frig_level(&g, NR_FILE_DIRTY), 2);
	assert_int_equal(sys_msync(g.vm, t, BASE, 8 * PAGE, MM_MS_SYNC),
			 -ENOMEM); /* a hole, but the rest is done */
	assert_int_equal(frig_level(&g, NR_FILE_DIRTY), 0);
	assert_int_equal(sys_mlock(g.vm, t, BASE, PAGE, 0), 0);
	assert_int_equal(sys_msync(g.vm, t, BASE, PAGE, MM_MS_INVALIDATE), -EBUSY);
	srig_end(&g);
}

/* ---- shared memory ---- */

static void test_A14_10(void **state)
{
	struct srig g = srig_boot(with_swap);
	struct vm_file *f = frig_file(&g, 1, 8, true);
	struct task *t = srig_task(&g, 1);
	struct page *p;
	u64 tag;

	(void)state;
	assert_int_equal(sys_fwrite(g.vm, t, 1, 3 * PAGE, PAGE, 0), PAGE);
	p = frig_page(&g, f, 3);
	tag = frig_tag(&g, f, 3);
	lru_add_drain_all(&g.vm->lru);
	assert_true(PageSwapBacked(p) && page_lru(p) == LRU_INACTIVE_ANON);
	assert_int_equal(frig_level(&g, NR_SHMEM), 1);
	assert_int_equal(frig_level(&g, NR_FILE_DIRTY), 0); /* no device behind it */
	assert_true(frig_swap_out(&g, p));
	assert_int_equal(frig_level(&g, NR_SHMEM), 0);
	assert_int_equal(frig_level(&g, NR_FILE_PAGES), 0);
	assert_int_equal(f->mapping.nrshadows, 1);
	assert_int_equal(swap_map_byte(g.sw, shmem_entry_swap(xa_load(&f->mapping.pages, 3))),
			 SWAP_MAP_SHMEM);
	srig_sound(&g);
	/* back by a read, and by a fault */
	assert_int_equal(file_read(frig_fm(&g), f, 3 * PAGE, PAGE, NULL), PAGE);
	assert_int_equal(frig_tag(&g, f, 3), tag);
	assert_int_equal(frig_level(&g, NR_SHMEM), 1);
	assert_int_equal(g.sw->nr_swap_pages, g.sw->total_swap_pages);
	assert_true(frig_swap_out(&g, frig_page(&g, f, 3)));
	frig_map(&g, t, BASE, 8, f, MM_MAP_SHARED, MM_PROT_READ);
	assert_int_equal(frig_touch(&g, t, BASE + 3 * PAGE, MM_ACCESS_READ), RES_MAJOR);
	assert_int_equal(srig_read(&g, t, BASE + 3 * PAGE), tag);
	/* holes read as zeros without a page; truncation frees slots */
	assert_int_equal(file_read(frig_fm(&g), f, 0, PAGE, NULL), PAGE);
	assert_null(frig_page(&g, f, 0));
	assert_true(frig_swap_out(&g, frig_page(&g, f, 3)));
	assert_int_equal(vm_ftruncate(g.vm, 1, 0), 0);
	assert_int_equal(g.sw->nr_swap_pages, g.sw->total_swap_pages);
	assert_int_equal(f->mapping.nrshadows, 0);
	srig_end(&g);
}

static void test_A14_11(void **state)
{
	struct srig g = srig_boot(with_swap);
	struct task *t = srig_task(&g, 1), *child;
	s64 r = sys_mmap(g.vm, t, BASE, 4 * PAGE, MM_PROT_READ | MM_PROT_WRITE,
			 MM_MAP_SHARED | MM_MAP_ANON | MM_MAP_FIXED, 0, 0, 0);

	(void)state;
	assert_int_equal(r, BASE);
	srig_write(&g, t, BASE + PAGE, 21);
	child = srig_fork(&g, t, 2);
	assert_int_equal(srig_read(&g, child, BASE + PAGE), 21);
	srig_write(&g, child, BASE + 2 * PAGE, 22);
	for (u64 i = 1; i < 3; i++)
		assert_true(frig_swap_out(&g, srig_page(&g, child, BASE + i * PAGE)));
	assert_int_equal(frig_level(&g, NR_SHMEM), 0);
	assert_int_equal(t->mm->rss[MM_SHMEMPAGES] + child->mm->rss[MM_SHMEMPAGES], 0);
	srig_sound(&g);
	assert_int_equal(srig_read(&g, t, BASE + 2 * PAGE), 22); /* the child's write */
	assert_int_equal(srig_read(&g, child, BASE + PAGE), 21);
	srig_write(&g, t, BASE + PAGE, 23);
	assert_int_equal(srig_read(&g, child, BASE + PAGE), 23);
	vm_exit(g.vm, t);
	assert_int_equal(srig_read(&g, child, BASE + 2 * PAGE), 22);
	vm_exit(g.vm, child);
	lru_add_drain_all(&g.vm->lru);
	assert_int_equal(frig_level(&g, NR_SHMEM), 0);
	assert_int_equal(g.sw->nr_swap_pages, g.sw->total_swap_pages);
	assert_true(list_empty(&frig_fm(&g)->files));
	srig_end(&g);
}

/* ---- user memory, eviction, replacement, invariants ---- */

/* What a program writes from its memory comes back into another place of it, after eviction too. */
static void test_user_memory(void **state)
{
	static const char *const modes[2][3] = {{"mem=64M", "data=bytes", NULL},
						{"mem=64M", "data=tag", NULL}};

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct srig g = srig_boot(modes[k]);
		struct vm_file *f = frig_file(&g, 1, 0, false);
		struct task *t = srig_task(&g, 1);
		u64 faults;

		srig_map(&g, t, BASE, 16);
		for (u64 i = 0; i < 4; i++)
			srig_write(&g, t, BASE + i * PAGE, 0x1111111111111111ull * (i + 1));
		assert_int_equal(sys_fwrite(g.vm, t, 1, 0, 4 * PAGE, BASE), 4 * PAGE);
		assert_int_equal(sys_fsync(g.vm, 1), 0);
		for (u64 i = 0; i < 4; i++)
			frig_evict(&g, frig_page(&g, f, i), 0);
		faults = srig_event(&g, EV_PGFAULT);
		assert_int_equal(sys_fread(g.vm, t, 1, 0, 4 * PAGE, BASE + 8 * PAGE), 4 * PAGE);
		assert_int_equal(srig_event(&g, EV_PGFAULT) - faults, 4);
		for (u64 i = 0; i < 4; i++)
			assert_int_equal(srig_read(&g, t, BASE + (8 + i) * PAGE),
					 0x1111111111111111ull * (i + 1));
		/* no memory there: what was copied counts, or it is -EFAULT */
		assert_int_equal(sys_fread(g.vm, t, 1, 0, 4 * PAGE, BASE + 15 * PAGE), PAGE);
		assert_int_equal(sys_fread(g.vm, t, 1, 0, PAGE, BASE + 100 * PAGE), -EFAULT);
		assert_int_equal(sys_fwrite(g.vm, t, 1, 0, PAGE, BASE + 100 * PAGE), -EFAULT);
		srig_end(&g);
	}
}

static void test_madvise(void **state)
{
	static const char *const modes[2][4] = {{"mem=64M", "data=bytes", "swap=8M", NULL},
						{"mem=64M", "data=tag", "swap=8M", NULL}};

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct srig g = srig_boot(modes[k]);
		struct vm_file *f = frig_file(&g, 1, 20, false), *s = frig_file(&g, 2, 20, true);
		struct task *t = srig_task(&g, 1);

		frig_map(&g, t, BASE, 20, f, MM_MAP_SHARED, MM_PROT_READ | MM_PROT_WRITE);
		frig_map(&g, t, BASE + 20 * PAGE, 20, f, MM_MAP_PRIVATE,
			 MM_PROT_READ | MM_PROT_WRITE);
		frig_map(&g, t, BASE + 40 * PAGE, 20, s, MM_MAP_SHARED,
			 MM_PROT_READ | MM_PROT_WRITE);
		assert_int_equal(sys_madvise(g.vm, t, BASE + 4 * PAGE, 8 * PAGE, MM_MADV_WILLNEED),
				 0);
		assert_int_equal(f->mapping.nrpages, 8);
		assert_int_equal(frig_touch(&g, t, BASE + 5 * PAGE, MM_ACCESS_READ), RES_MINOR);
		srig_write(&g, t, BASE + 5 * PAGE, 77);
		srig_write(&g, t, BASE + 25 * PAGE, 78); /* a private copy of the same page */
		assert_int_equal(sys_madvise(g.vm, t, BASE + 5 * PAGE, 2 * PAGE, MM_MADV_REMOVE),
				 0);
		assert_int_equal(srig_read(&g, t, BASE + 5 * PAGE), 0);
		assert_int_equal(srig_read(&g, t, BASE + 6 * PAGE), 0);
		assert_int_equal(srig_read(&g, t, BASE + 7 * PAGE), store_original_tag(1, 7));
		assert_int_equal(srig_read(&g, t, BASE + 25 * PAGE), 78);
		assert_int_equal(sys_madvise(g.vm, t, BASE + 25 * PAGE, PAGE, MM_MADV_REMOVE),
				 -EACCES);
		/* shared memory: swapped out, read ahead, removed from its slot */
		for (u64 i = 0; i < 4; i++)
			srig_write(&g, t, BASE + (40 + i) * PAGE, 100 + i);
		for (u64 i = 0; i < 4; i++)
			assert_true(frig_swap_out(&g, frig_page(&g, s, i)));
		assert_int_equal(sys_madvise(g.vm, t, BASE + 40 * PAGE, 3 * PAGE, MM_MADV_WILLNEED),
				 0);
		assert_int_equal(g.sw->nr_cached, 3);
		assert_int_equal(frig_touch(&g, t, BASE + 41 * PAGE, MM_ACCESS_READ), RES_MINOR);
		assert_int_equal(srig_read(&g, t, BASE + 41 * PAGE), 101);
		assert_int_equal(sys_madvise(g.vm, t, BASE + 42 * PAGE, 2 * PAGE, MM_MADV_REMOVE),
				 0);
		assert_int_equal(srig_read(&g, t, BASE + 43 * PAGE), 0);
		assert_int_equal(s->mapping.nrshadows, 1);
		srig_end(&g);
	}
}

static void test_replace(void **state)
{
	struct srig g = srig_boot(plain);
	struct vm_file *f = frig_file(&g, 1, 4, false);
	struct page *from, *to = alloc_page(g.vm->phys, 0, GFP_HIGHUSER_MOVABLE);

	(void)state;
	frig_read(&g, f, 0, 4);
	lru_add_drain_all(&g.vm->lru);
	from = frig_page(&g, f, 2);
	get_page(from);
	SetPageLocked(from);
	SetPageLocked(to);
	page_cache_replace(frig_fm(&g), from, to);
	hw_copy_frame(g.vm->hw, page_to_pfn(g.vm->phys, to), page_to_pfn(g.vm->phys, from));
	SetPageUptodate(to);
	unlock_page(to);
	unlock_page(from);
	lru_cache_add(&g.vm->lru, to);
	lru_put_page(&g.vm->lru, to);
	lru_put_page(&g.vm->lru, from);
	assert_ptr_equal(frig_page(&g, f, 2), to);
	assert_int_equal(frig_tag(&g, f, 2), store_original_tag(1, 2));
	assert_int_equal(frig_level(&g, NR_FILE_PAGES), 4);
	srig_end(&g);
}

static void test_shadow_nodes(void **state)
{
	struct srig g = srig_boot(plain);
	struct filemap *fm = frig_fm(&g);
	struct vm_file *f = frig_file(&g, 1, 200, false);
	struct xa_node *leaf;

	(void)state;
	frig_read(&g, f, 0, 200);
	for (u64 i = 64; i < 128; i++) {
		ClearPageReclaim(frig_page(&g, f, i));
		frig_evict(&g, frig_page(&g, f, i), i);
	}
	assert_int_equal(fm->shadow_nodes.nr, 1);
	assert_int_equal(f->mapping.nrshadows, 64);
	srig_sound(&g);
	leaf = list_first_entry(&fm->shadow_nodes.head, struct xa_node, value_only);
	page_cache_drop_shadows(fm, leaf);
	assert_int_equal(fm->shadow_nodes.nr, 0);
	assert_int_equal(f->mapping.nrshadows, 0);
	assert_null(xa_leaf(&f->mapping.pages, 64));
	srig_end(&g);
}

static int check_code(struct srig *g)
{
	char why[256];

	return filemap_check(frig_fm(g), why, sizeof(why));
}

static void test_I14(void **state)
{
	struct srig g = srig_boot(with_swap);
	struct vm_file *f = frig_file(&g, 1, 10, false);
	struct page *p;
	struct xa_pos pos;
	u64 entry;

	(void)state;
	frig_read(&g, f, 0, 10);
	p = frig_page(&g, f, 4);
	assert_int_equal(check_code(&g), 0);
	f->mapping.nrpages++; /* I14.1 */
	assert_int_equal(check_code(&g), 14001);
	f->mapping.nrpages--;
	inc_zone_page_state(g.vm->phys, p, NR_FILE_PAGES);
	assert_int_equal(check_code(&g), 14001);
	dec_zone_page_state(g.vm->phys, p, NR_FILE_PAGES);
	SetPageDirty(p); /* I14.2 */
	assert_int_equal(check_code(&g), 14002);
	ClearPageDirty(p);
	xa_tag_set(&f->mapping.pages, 4, XA_WRITEBACK);
	assert_int_equal(check_code(&g), 14002);
	xa_tag_clear(&f->mapping.pages, 4, XA_WRITEBACK);
	p->index++; /* I14.3 */
	assert_int_equal(check_code(&g), 14003);
	p->index--;
	assert_true(xa_find(&f->mapping.pages, 4, &pos)); /* I14.4 */
	entry = xa_entry(&pos);
	pos.node->slots[pos.slot] = BIT(40);
	assert_int_equal(check_code(&g), 14004);
	pos.node->slots[pos.slot] = entry;
	assert_int_equal(check_code(&g), 0);
	assert_int_equal(machine_check(g.m, (char[256]){0}, 256), 0);
	f->mapping.nrshadows++; /* machine_check() comes here, too */
	assert_int_equal(machine_check(g.m, (char[256]){0}, 256), 1);
	f->mapping.nrshadows--;
	srig_end(&g);
}

/* ---- operations of a trace ---- */

static s64 apply(struct srig *g, struct mm_op op, u64 buf)
{
	struct mm_op pair[2] = {op};
	struct mm_op_ext ext = {.x0 = buf, .has = MM_EXT_X0, .code = OP_EXT};
	struct mm_result res[2];

	pair[0].flags |= buf ? MM_OP_HAS_EXT : 0;
	memcpy(&pair[1], &ext, sizeof(ext));
	machine_apply(g->m, pair, buf ? 2 : 1, NULL, res);
	return res[0].value;
}

static void test_operations(void **state)
{
	struct srig g = srig_boot(plain);

	(void)state;
	apply(&g, (struct mm_op){.code = OP_TASK, .task = 1, .addr = 1, .len = 1}, 0);
	assert_int_equal(apply(&g, (struct mm_op){.code = OP_SPAWN, .task = 1}, 0), 0);
	srig_map(&g, vm_task(g.vm, 1), BASE, 8);
	assert_int_equal(apply(&g, (struct mm_op){.code = OP_FILE, .arg = 7, .len = 100 * PAGE}, 0),
			 0);
	assert_int_equal(
		apply(&g, (struct mm_op){.code = OP_FREAD, .task = 1, .arg = 7, .len = 8192}, BASE),
		8192);
	assert_int_equal(srig_event(&g, EV_PGFAULT), 2);
	assert_int_equal(
		apply(&g,
		      (struct mm_op){.code = OP_FREAD, .arg = 7, .addr = 99 * PAGE, .len = 8192},
		      0),
		PAGE);
	assert_int_equal(
		apply(&g, (struct mm_op){.code = OP_FREAD, .arg = 7, .addr = 100 * PAGE, .len = 1},
		      0),
		0);
	assert_int_equal(apply(&g, (struct mm_op){.code = OP_FREAD, .arg = 7, .len = 1}, BASE),
			 -EFAULT); /* no task */
	assert_int_equal(apply(&g,
			       (struct mm_op){.code = OP_FWRITE, .task = 1, .arg = 7, .len = 6000},
			       BASE),
			 6000);
	assert_int_equal(frig_level(&g, NR_FILE_DIRTY), 2);
	assert_int_equal(apply(&g, (struct mm_op){.code = OP_FSYNC, .arg = 7}, 0), 0);
	assert_int_equal(frig_level(&g, NR_FILE_DIRTY), 0);
	assert_int_equal(
		apply(&g, (struct mm_op){.code = OP_FADVISE, .arg = 7, .flags = MM_MADV_WILLNEED},
		      0),
		0);
	assert_int_equal(frig_level(&g, NR_FILE_PAGES), 100);
	assert_int_equal(
		apply(&g, (struct mm_op){.code = OP_FTRUNCATE, .arg = 7, .len = 50 * PAGE}, 0), 0);
	assert_int_equal(frig_level(&g, NR_FILE_PAGES), 50);
	lru_add_drain_all(&g.vm->lru);
	assert_int_equal(apply(&g, (struct mm_op){.code = OP_DROP_CACHES, .arg = 1}, 0), 0);
	assert_int_equal(frig_level(&g, NR_FILE_PAGES), 0);
	assert_int_equal(apply(&g, (struct mm_op){.code = OP_DROP_CACHES, .arg = 4}, 0), -EINVAL);
	assert_int_equal(apply(&g, (struct mm_op){.code = OP_UNLINK, .arg = 7}, 0), 0);
	assert_true(list_empty(&frig_fm(&g)->files));
	assert_int_equal(apply(&g,
			       (struct mm_op){.code = OP_MSYNC,
					      .task = 1,
					      .addr = BASE,
					      .len = PAGE,
					      .arg = MM_MS_SYNC},
			       0),
			 0);
	assert_int_equal(machine_skipped(g.m, OP_FREAD), 0);
	srig_end(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_A14_1),	       cmocka_unit_test(test_A14_2),
		cmocka_unit_test(test_A14_3),	       cmocka_unit_test(test_A14_4),
		cmocka_unit_test(test_A14_5),	       cmocka_unit_test(test_A14_6),
		cmocka_unit_test(test_A14_7),	       cmocka_unit_test(test_A14_8),
		cmocka_unit_test(test_A14_9),	       cmocka_unit_test(test_A14_10),
		cmocka_unit_test(test_A14_11),	       cmocka_unit_test(test_A14_12),
		cmocka_unit_test(test_A14_13),	       cmocka_unit_test(test_A14_14),
		cmocka_unit_test(test_A14_15),	       cmocka_unit_test(test_A14_16),
		cmocka_unit_test(test_A14_17),	       cmocka_unit_test(test_I14),
		cmocka_unit_test(test_mmap_advice),    cmocka_unit_test(test_flusher),
		cmocka_unit_test(test_device_latency), cmocka_unit_test(test_msync),
		cmocka_unit_test(test_user_memory),    cmocka_unit_test(test_replace),
		cmocka_unit_test(test_shadow_nodes),   cmocka_unit_test(test_operations),
		cmocka_unit_test(test_madvise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
