/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/machine/apply_kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/phys/page_alloc.h"

/* What an id holds: a block of pages, or several single pages of alloc_bulk. */
struct held {
	u64 id;
	u32 used; /* 0: free entry; 1: in use; 2: deleted */
	u32 order;
	u32 nr;   /* single pages; 0: one block */
	struct page **pages;
	struct page *page;
};

struct machine_kernel_ops {
	struct phys *phys;
	struct kmem *kmem;
	struct vm *vm;
	struct held *table; /* open addressing */
	u32 bits, used;
};

struct machine_kernel_ops *apply_kernel_create(struct phys *phys, struct kmem *kmem, struct vm *vm)
{
	struct machine_kernel_ops *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->phys = phys;
	k->kmem = kmem;
	k->vm = vm;
	k->bits = 10;
	k->table = calloc(1u << k->bits, sizeof(*k->table));
	if (!k->table) {
		free(k);
		return NULL;
	}
	return k;
}

void apply_kernel_destroy(struct machine_kernel_ops *k)
{
	if (!k)
		return;
	for (u32 i = 0; i < 1u << k->bits; i++)
		free(k->table[i].pages);
	free(k->table);
	free(k);
}

static struct held *find(struct machine_kernel_ops *k, u64 id, bool insert)
{
	u32 mask = (1u << k->bits) - 1, i = hash_u64(id + 1, k->bits);
	struct held *grave = NULL;

	for (;; i = (i + 1) & mask) {
		struct held *h = &k->table[i];

		if (h->used == 1 && h->id == id)
			return h;
		if (h->used == 2 && !grave)
			grave = h;
		if (!h->used)
			return insert ? (grave ? grave : h) : NULL;
	}
}

static bool grow(struct machine_kernel_ops *k)
{
	struct held *old = k->table;
	u32 size = 1u << k->bits;

	if (k->used * 2 < size)
		return true;
	k->table = calloc(2 * (size_t)size, sizeof(*old));
	if (!k->table) {
		k->table = old;
		return false;
	}
	k->bits++;
	k->used = 0;
	for (u32 i = 0; i < size; i++)
		if (old[i].used == 1) {
			*find(k, old[i].id, true) = old[i];
			k->used++;
		}
	free(old);
	return true;
}

static bool keep(struct machine_kernel_ops *k, u64 id, struct held h)
{
	if (!grow(k))
		return false;
	h.id = id;
	h.used = 1;
	*find(k, id, true) = h;
	k->used++;
	return true;
}

static void answer(struct mm_result *res, s64 value)
{
	res->res = RES_EXT;
	res->value = value;
}

static s64 frame_number(const struct machine_kernel_ops *k, const struct page *p)
{
	return (s64)(page_to_pfn(k->phys, p) - k->phys->min_low_pfn);
}

static bool do_alloc(struct machine_kernel_ops *k, const struct mm_op *op, struct mm_result *res)
{
	unsigned cpu = k->phys->hw->cpu;
	struct page *p = alloc_pages(k->phys, cpu, (gfp_t)op->arg, (unsigned)op->len);

	answer(res, -ENOMEM);
	if (!p)
		return true;
	if (!keep(k, op->addr, (struct held){.page = p, .order = (u32)op->len})) {
		free_pages_page(k->phys, cpu, p, (unsigned)op->len);
		return false;
	}
	answer(res, frame_number(k, p));
	return true;
}

static bool do_bulk(struct machine_kernel_ops *k, const struct mm_op *op, struct mm_result *res)
{
	u32 n = op->len > 1u << 20 ? 1u << 20 : (u32)op->len;
	struct page **pages = calloc(n ? n : 1, sizeof(struct page *));

	if (!pages)
		return false;
	n = alloc_pages_bulk(k->phys, k->phys->hw->cpu, (gfp_t)op->arg, n, pages);
	if (!keep(k, op->addr, (struct held){.pages = pages, .nr = n})) {
		free(pages);
		return false;
	}
	answer(res, n);
	return true;
}

static void do_free(struct machine_kernel_ops *k, const struct mm_op *op, struct mm_result *res)
{
	unsigned cpu = k->phys->hw->cpu;
	struct held *h = find(k, op->addr, false);
	bool cold = op->flags & MM_OP_HAS_ARG && op->arg;

	if (!h) {
		answer(res, -ENOENT);
		return;
	}
	for (u32 i = 0; i < h->nr; i++)
		free_page_page(k->phys, cpu, h->pages[i]);
	free(h->pages);
	if (h->page && cold && !h->order) {
		if (put_page_testzero(h->page))
			free_hot_cold_page(k->phys, cpu, h->page, true);
	} else if (h->page) {
		free_pages_page(k->phys, cpu, h->page, h->order);
	}
	memset(h, 0, sizeof(*h));
	h->used = 2;
	answer(res, 0);
}

bool apply_kernel_op(struct machine_kernel_ops *k, const struct mm_op *op, const struct mm_op_ext *ext,
		     const struct op_strings *strings, struct mm_result *res)
{
	(void)ext;
	(void)strings;
	switch (op->code) {
	case OP_ALLOC_PAGES:
		return do_alloc(k, op, res);
	case OP_ALLOC_BULK:
		return do_bulk(k, op, res);
	case OP_FREE_PAGES:
		do_free(k, op, res);
		return true;
	default:
		return false;
	}
}

int apply_kernel_lists(struct machine_kernel_ops *k, const char *name, const char *kind, u64 cache, FILE *out)
{
	(void)k;
	(void)name;
	(void)kind;
	(void)cache;
	(void)out;
	return -EINVAL;
}
