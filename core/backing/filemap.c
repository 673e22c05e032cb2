/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/backing/filemap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/base/hash.h"
#include "core/phys/page_alloc.h"

#define READ_AROUND 32 /* pages: the default read-ahead window */
#define TABLE_BITS  12

int filemap_init(struct filemap *fm, struct phys *phys, struct lru *lru)
{
	fm->phys = phys;
	fm->lru = lru;
	list_init(&fm->files);
	fm->id_bits = TABLE_BITS;
	fm->by_id = calloc(1u << TABLE_BITS, sizeof(*fm->by_id));
	return fm->by_id ? 0 : -ENOMEM;
}

static u64 array_bytes(u64 cap)
{
	return cap * sizeof(u32);
}

/* Drops the cache's references from page @from on. */
static void uncache(struct filemap *fm, struct vm_file *f, u64 from)
{
	for (u64 i = from; f->nr_cached && i < f->cap; i++) {
		struct page *p;

		if (!f->slots[i])
			continue;
		p = frame_to_page(fm->phys, f->slots[i] - 1);
		f->slots[i] = 0;
		f->nr_cached--;
		p->mapping = 0;
		dec_zone_page_state(fm->phys, p, NR_FILE_PAGES);
		if (f->shmem)
			dec_zone_page_state(fm->phys, p, NR_SHMEM);
		lru_put_page(fm->lru, p);
	}
}

static void file_free(struct filemap *fm, struct vm_file *f)
{
	uncache(fm, f, 0);
	if (f->slots)
		munmap(f->slots, array_bytes(f->cap));
	list_del(&f->all);
	free(f);
}

void filemap_destroy(struct filemap *fm)
{
	struct vm_file *f, *tmp;

	if (!fm->by_id)
		return;
	list_for_each_entry_safe(f, tmp, &fm->files, all)
		file_free(fm, f);
	free(fm->by_id);
	fm->by_id = NULL;
}

int filemap_reserve(struct vm_file *f, u64 pages)
{
	u64 cap = f->cap ? f->cap : 1024;
	void *slots;

	if (pages <= f->cap)
		return 0;
	if (pages > 1ull << 36)
		return -ENOMEM;
	while (cap < pages)
		cap *= 2;
	slots = mmap(NULL, array_bytes(cap), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (slots == MAP_FAILED)
		return -ENOMEM;
	if (f->slots) {
		memcpy(slots, f->slots, array_bytes(f->cap));
		munmap(f->slots, array_bytes(f->cap));
	}
	f->slots = slots;
	f->cap = cap;
	return 0;
}

static struct vm_file *file_new(struct filemap *fm, u64 size, bool shmem)
{
	struct vm_file *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->size = size;
	f->shmem = shmem;
	f->refs = 1;
	list_add_tail(&f->all, &fm->files);
	return f;
}

/* Open addressing; files stay until the machine goes, so nothing is ever removed. */
static struct vm_file **id_slot(struct filemap *fm, u64 id)
{
	u32 mask = (1u << fm->id_bits) - 1, i = hash_u64(id + 1, fm->id_bits);

	while (fm->by_id[i] && fm->by_id[i]->id != id)
		i = (i + 1) & mask;
	return &fm->by_id[i];
}

static int grow_table(struct filemap *fm)
{
	struct vm_file **old = fm->by_id, *f;
	u32 named = 0;

	list_for_each_entry(f, &fm->files, all)
		named += f->named;
	if (named * 2 < 1u << fm->id_bits)
		return 0;
	fm->by_id = calloc(2u << fm->id_bits, sizeof(*fm->by_id));
	if (!fm->by_id) {
		fm->by_id = old;
		return -ENOMEM;
	}
	fm->id_bits++;
	free(old);
	list_for_each_entry(f, &fm->files, all)
		if (f->named)
			*id_slot(fm, f->id) = f;
	return 0;
}

struct vm_file *filemap_open(struct filemap *fm, u64 id, u64 size, bool shmem)
{
	struct vm_file **slot = id_slot(fm, id), *f = *slot;

	if (f) {
		if (size > f->size)
			f->size = size;
		return f;
	}
	if (grow_table(fm))
		return NULL;
	f = file_new(fm, size, shmem);
	if (!f)
		return NULL;
	f->id = id;
	f->named = true;
	*id_slot(fm, id) = f;
	return f;
}

struct vm_file *filemap_find(struct filemap *fm, u64 id)
{
	struct vm_file *f = *id_slot(fm, id);

	return f ? f : filemap_open(fm, id, 0, false);
}

struct vm_file *filemap_shmem(struct filemap *fm, u64 size)
{
	return file_new(fm, size, true);
}

void filemap_get(struct vm_file *f)
{
	f->refs++;
}

void filemap_put(struct filemap *fm, struct vm_file *f)
{
	VM_BUG_ON(!f->refs);
	if (!--f->refs)
		file_free(fm, f);
}

static u64 file_pages(const struct filemap *fm, const struct vm_file *f)
{
	u64 page = 1ull << fm->phys->page_shift;

	return ALIGN_UP(f->size, page) >> fm->phys->page_shift;
}

void filemap_truncate(struct filemap *fm, struct vm_file *f, u64 size)
{
	f->size = size;
	uncache(fm, f, file_pages(fm, f));
}

/* Puts a new page at @index; NULL: no memory. A cached page is left alone and returned. */
static struct page *add_page(struct filemap *fm, struct vm_file *f, u64 index)
{
	struct hw *hw = fm->phys->hw;
	struct page *p = filemap_lookup(fm->phys, f, index);

	if (p)
		return p;
	if (filemap_reserve(f, index + 1))
		return NULL;
	p = alloc_page(fm->phys, hw->cpu, GFP_HIGHUSER_MOVABLE);
	if (!p)
		return NULL;
	hw_clear_frame(hw, page_to_pfn(fm->phys, p));
	if (!f->shmem && hw->tags) /* contents of a disk file: distinct, fixed by file and offset */
		hw_set_frame_tag(hw, page_to_pfn(fm->phys, p), (f->id + 1) << 40 | (index + 1));
	p->mapping = (u64)(uintptr_t)f;
	p->index = index;
	SetPageUptodate(p);
	if (f->shmem)
		SetPageSwapBacked(p);
	f->slots[index] = page_frame(fm->phys, p) + 1;
	f->nr_cached++;
	inc_zone_page_state(fm->phys, p, NR_FILE_PAGES);
	if (f->shmem)
		inc_zone_page_state(fm->phys, p, NR_SHMEM);
	lru_cache_add(fm->lru, p);
	return p;
}

struct page *filemap_fault_page(struct filemap *fm, struct vm_file *f, u64 index, bool *major)
{
	struct page *p = filemap_lookup(fm->phys, f, index);
	struct hw *hw = fm->phys->hw;
	u64 from, end, pages = file_pages(fm, f);

	*major = false;
	if (p)
		return p;
	if (f->shmem)
		return add_page(fm, f, index);
	*major = true;
	from = index > READ_AROUND / 2 ? index - READ_AROUND / 2 : 0;
	end = from + READ_AROUND < pages ? from + READ_AROUND : pages;
	for (u64 i = from; i < end; i++) {
		if (filemap_lookup(fm->phys, f, i))
			continue;
		if (!add_page(fm, f, i))
			break;
		charge(hw, COST_DISK_READ);
		count_vm_events(hw, hw->cpu, EV_PGPGIN, 1ull << (fm->phys->page_shift - 10));
	}
	return add_page(fm, f, index);
}
