/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random reads, writes, mapped writes, truncations, write-back, eviction and swapping of files of
 * both kinds, with allocations that fail, against plain arrays: nothing lost, nothing mixed up.
 * With data=tag in whole pages, with data=bytes in bytes.
 */
#include "core/base/prng.h"
#include "tests/file_rig.h"

#define FILES  3u
#define MOST   1500u /* pages a file may have */
#define BUFFER 6u    /* pages of user memory */

struct naive_file {
	u64 size;
	u8 bytes[MOST * PAGE];
};

struct storm {
	struct srig g;
	struct prng r;
	struct task *t;
	u64 pages; /* most a file has */
	u64 unit;  /* 1, or a page: what offsets are multiples of */
	struct vm_file *f[FILES];
	struct naive_file n[FILES];
	u8 user[BUFFER * PAGE];
};

static u64 below(struct storm *s, u64 n)
{
	return prng_below(&s->r, n);
}

static vaddr_t mapping(unsigned file)
{
	return BASE + 0x1000000ull * (file + 1);
}

static void set_page(u8 *page, u64 tag)
{
	for (u64 i = 0; i < PAGE / 8; i++)
		memcpy(page + i * 8, &tag, 8);
}

/* A multiple of the unit up to @most. */
static u64 amount(struct storm *s, u64 most)
{
	return s->unit * below(s, most / s->unit + 1);
}

static void user_write(struct storm *s)
{
	u64 i = below(s, BUFFER), tag = prng_u64(&s->r);

	if (mm_write_tag(s->g.vm, s->t, BASE + i * PAGE, 1, tag) < RES_SIGSEGV)
		set_page(s->user + i * PAGE, tag);
}

static void transfer(struct storm *s, unsigned k, bool write)
{
	struct naive_file *n = &s->n[k];
	u64 len = amount(s, BUFFER * PAGE), off = amount(s, s->pages * PAGE - len),
	    at = amount(s, BUFFER * PAGE - len);
	s64 done;

	if (write) {
		done = sys_fwrite(s->g.vm, s->t, s->f[k]->id, off, len, BASE + at);
		if (done <= 0)
			return;
		if (off > n->size)
			memset(n->bytes + n->size, 0, off - n->size);
		memcpy(n->bytes + off, s->user + at, (size_t)done);
		if (off + (u64)done > n->size)
			n->size = off + (u64)done;
	} else {
		done = sys_fread(s->g.vm, s->t, s->f[k]->id, off, len, BASE + at);
		if (done < 0)
			return;
		assert_true((u64)done <= (off < n->size ? n->size - off : 0));
		memcpy(s->user + at, n->bytes + off, (size_t)done);
	}
}

static void mapped(struct storm *s, unsigned k, bool write)
{
	u64 i = below(s, s->pages), tag = prng_u64(&s->r);
	bool within = i * PAGE < s->n[k].size;
	enum mm_op_res r = write ? mm_write_tag(s->g.vm, s->t, mapping(k) + i * PAGE, 1, tag)
				 : mm_access(s->g.vm, s->t, mapping(k) + i * PAGE, MM_ACCESS_READ);

	if (!within)
		assert_int_equal(r, RES_SIGBUS);
	else if (write && r < RES_SIGSEGV)
		set_page(s->n[k].bytes + i * PAGE, tag);
}

static void truncate_file(struct storm *s, unsigned k)
{
	struct naive_file *n = &s->n[k];
	u64 size = amount(s, s->pages * PAGE);

	if (s->f[k]->shmem) /* a swapped-out last page can only be cut with memory for it */
		s->g.vm->phys->fail_nth = 0;
	assert_int_equal(vm_ftruncate(s->g.vm, s->f[k]->id, size), 0);
	if (size > n->size)
		memset(n->bytes + n->size, 0, size - n->size);
	n->size = size;
	assert_int_equal(s->f[k]->size, size);
}

/* Reclaim in miniature: some cached page goes. */
static void evict(struct storm *s, unsigned k)
{
	struct vm *vm = s->g.vm;
	struct page *p = frig_page(&s->g, s->f[k], below(s, s->pages));

	if (!p || !PageUptodate(p))
		return;
	if (s->f[k]->shmem) {
		frig_swap_out(&s->g, p);
		return;
	}
	lru_add_drain_all(&vm->lru);
	assert_true(wait_on_page_locked(&vm->files, p) && wait_on_page_writeback(&vm->files, p));
	SetPageLocked(p);
	if (page_mapped(p))
		assert_int_equal(try_to_unmap(vm, p, TTU_UNMAP | TTU_IGNORE_ACCESS), SWAP_SUCCESS);
	if (clear_page_dirty_for_io(vm, p))
		write_page(&vm->files, p);
	else
		unlock_page(p);
	assert_true(wait_on_page_writeback(&vm->files, p));
	frig_evict(&s->g, p, below(s, 2) ? workingset_eviction(&vm->ws, p) : 0);
}

struct compare {
	struct storm *s;
	const struct naive_file *n;
	u64 off;
};

static int compare_piece(void *self, const struct file_piece *piece)
{
	const struct compare *c = self;
	struct hw *hw = c->s->g.vm->hw;
	const u8 *want = c->n->bytes + c->off + piece->done;
	pfn_t pfn = piece->page ? page_to_pfn(c->s->g.vm->phys, piece->page) : c->s->g.vm->zero_pfn;
	u64 tag;

	if (hw->data_bytes) {
		assert_memory_equal(want, (u8 *)hw_pfn_ptr(hw, pfn) + piece->offset, piece->len);
	} else {
		memcpy(&tag, want, 8);
		assert_int_equal(hw_frame_tag(hw, pfn), tag);
	}
	return 0;
}

static void compare_all(struct storm *s)
{
	for (unsigned k = 0; k < FILES; k++) {
		struct compare c = {.s = s, .n = &s->n[k]};
		struct file_actor actor = {.self = &c, .copy = compare_piece};

		assert_int_equal(s->f[k]->size, s->n[k].size);
		assert_int_equal(file_read(frig_fm(&s->g), s->f[k], 0, s->pages * PAGE, &actor),
				 s->n[k].size);
	}
	for (u64 i = 0; i < BUFFER; i++) {
		u64 tag, want;

		memcpy(&want, s->user + i * PAGE, 8);
		if (mm_read_tag(s->g.vm, s->t, BASE + i * PAGE, &tag))
			assert_int_equal(tag, want);
	}
}

static void step(struct storm *s)
{
	unsigned k = (unsigned)below(s, FILES);

	switch (below(s, 16)) {
	case 0:
	case 1:
		user_write(s);
		break;
	case 2:
	case 3:
		transfer(s, k, false);
		break;
	case 4:
	case 5:
	case 6:
		transfer(s, k, true);
		break;
	case 7:
	case 8:
		mapped(s, k, false);
		break;
	case 9:
	case 10:
		mapped(s, k, true);
		break;
	case 11:
		if (!below(s, 3))
			truncate_file(s, k);
		break;
	case 12:
		assert_int_equal(sys_fsync(s->g.vm, s->f[k]->id), 0);
		break;
	case 13:
		lru_add_drain_all(&s->g.vm->lru);
		vm_drop_pagecache(s->g.vm);
		break;
	case 14:
		if (below(s, 2))
			writeback_pages(s->g.vm, below(s, 9));
		else
			sys_msync(s->g.vm, s->t, mapping(k), below(s, s->pages) * PAGE, MM_MS_SYNC);
		break;
	default:
		evict(s, k);
	}
}

/* @fail: allocations are made to fail now and then; without, memory that is short is reclaimed. */
static void storm(const char *const *sets, u64 pages, bool fail, u64 seed, unsigned steps)
{
	struct storm *s = calloc(1, sizeof(*s));

	s->g = srig_boot(sets);
	s->pages = pages;
	s->unit = s->g.vm->hw->data_bytes ? 1 : PAGE;
	prng_seed(&s->r, seed);
	s->t = srig_task(&s->g, 1);
	srig_map(&s->g, s->t, BASE, BUFFER);
	for (unsigned k = 0; k < FILES; k++) {
		u64 pages = k == 1 ? 9 : 0;

		s->f[k] = frig_file(&s->g, k + 1, pages, k == 2);
		s->n[k].size = pages * PAGE;
		for (u64 i = 0; i < pages; i++)
			set_page(s->n[k].bytes + i * PAGE, store_original_tag(k + 1, i));
		frig_map(&s->g, s->t, mapping(k), s->pages, s->f[k], MM_MAP_SHARED,
			 MM_PROT_READ | MM_PROT_WRITE);
	}
	for (unsigned i = 0; i < steps; i++) {
		if (fail && !below(s, 4))
			s->g.vm->phys->fail_nth = 1 + below(s, 6);
		step(s);
		s->g.vm->phys->fail_nth = 0;
		if (i % (4 * pages) == 0)
			compare_all(s);
		if (i % 499 == 0)
			srig_sound(&s->g);
	}
	compare_all(s);
	vm_exit(s->g.vm, s->t);
	for (unsigned k = 0; k < FILES; k++)
		assert_int_equal(sys_unlink(s->g.vm, k + 1), 0);
	lru_add_drain_all(&s->g.vm->lru);
	assert_int_equal(frig_level(&s->g, NR_FILE_PAGES), 0);
	assert_int_equal(s->g.sw->nr_swap_pages, s->g.sw->total_swap_pages);
	srig_end(&s->g);
	free(s);
}

static void test_tags(void **state)
{
	static const char *const soft[] = {"mem=64M", "swap=4M", "data=tag", "hwad=0", NULL};
	static const char *const hard[] = {"mem=64M", "swap=4M", "data=tag", "hwad=1", NULL};
	u64 seed = test_seed(1);

	(void)state;
	storm(soft, 24, true, seed, 12000);
	storm(hard, 24, true, seed + 1, 12000);
}

static void test_bytes(void **state)
{
	static const char *const soft[] = {"mem=64M", "swap=4M", "data=bytes", "hwad=0", NULL};
	static const char *const hard[] = {"mem=64M", "swap=4M", "data=bytes", "hwad=1", NULL};
	u64 seed = test_seed(2);

	(void)state;
	storm(soft, 24, true, seed, 8000);
	storm(hard, 24, true, seed + 1, 8000);
}

/* Files of 18 MiB in 8 MiB of RAM: reclaim evicts, writes and swaps. */
static void test_pressure(void **state)
{
	static const char *const sets[][8] = {
		{"mem=8M", "ideal=1", "swap=16M", "data=bytes", "hwad=0", NULL},
		{"mem=8M", "ideal=1", "swap=16M", "data=tag", "hwad=1", "threads=inline", NULL},
		{"mem=8M", "ideal=1", "swap=16M", "data=tag", "hwad=0", "disk=100000", NULL},
		{"mem=8M", "ideal=1", "swap=16M", "data=bytes", "hwad=1", "threads=manual", NULL},
	};
	u64 seed = test_seed(3);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(sets); i++)
		storm(sets[i], MOST, false, seed + i, 12000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_tags),
					   cmocka_unit_test(test_bytes),
					   cmocka_unit_test(test_pressure)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
