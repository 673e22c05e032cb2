/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/pt_tree.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "core/base/prng.h"

#define SMALL_PAGES 2048u /* of the dense and the sparse trees */

static paddr_t tree_alloc(void *ctx, int height)
{
	struct pt_tree *t = ctx;
	const struct pt_geometry *g = pt_geo(&t->space);
	bool root = height == g->levels - 1;
	u64 bytes = root && g->root_bytes > pt_page_size(g) ? g->root_bytes : pt_page_size(g);
	u64 at = ALIGN_UP(t->bytes, bytes);

	if (at + bytes > t->window)
		return PT_NO_MEMORY;
	t->bytes = at + bytes;
	return t->mem.start + at;
}

void pt_tree_free(struct pt_tree *t)
{
	if (!t)
		return;
	if (t->mem.base)
		munmap(t->mem.base, t->window);
	free(t->va);
	free(t->results);
	free(t);
}

static int fill(struct pt_tree *t)
{
	u64 prot = pte_user_prot(PT_READ | PT_WRITE | PT_SHARED) | A64_DIRTY;
	int r = 0;

	t->space.root = tree_alloc(t, pt_geo(&t->space)->levels - 1);
	if (t->stride == pt_page_size(pt_geo(&t->space)))
		return pt_map_range(&t->space, PT_TREE_VA, t->pages, 0x1000, prot);
	for (u64 i = 0; i < t->pages && !r; i++)
		r = pt_map_range(&t->space, pt_tree_va(t, i), 1, (pfn_t)(0x1000 + i), prot);
	return r;
}

struct pt_tree *pt_tree_new(enum pt_geom geom, u64 pages, u64 stride, u64 window)
{
	struct pt_tree *t = calloc(1, sizeof(*t));
	struct prng prng;
	void *base;

	if (!t)
		return NULL;
	*t = (struct pt_tree){.pages = pages, .stride = stride, .window = window};
	base = mmap(NULL, window, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	t->mem = (struct pt_mem){base == MAP_FAILED ? NULL : base, window, 0x40000000};
	t->va = calloc(PT_TREE_NR_VA, sizeof(*t->va));
	t->results = calloc(PT_TREE_BATCH, sizeof(*t->results));
	t->alloc = (struct pt_alloc){.ctx = t, .alloc = tree_alloc};
	t->space = (struct pt_space){.geom = geom, .mem = &t->mem, .alloc = &t->alloc};
	if (!t->mem.base || !t->va || !t->results || fill(t)) {
		pt_tree_free(t);
		return NULL;
	}
	prng_seed(&prng, 1);
	for (u64 i = 0; i < PT_TREE_NR_VA; i++)
		t->va[i] = pt_tree_va(t, prng_below(&prng, pages));
	return t;
}

struct pt_tree *pt_tree_dense(enum pt_geom geom)
{
	return pt_tree_new(geom, SMALL_PAGES, pt_page_size(&pt_geometries[geom]), 64 * MiB);
}

/* Each page in a leaf table of its own as far as the address space has room for that. */
struct pt_tree *pt_tree_sparse(enum pt_geom geom)
{
	const struct pt_geometry *g = &pt_geometries[geom];
	u64 room = (BIT(g->va_bits) - PT_TREE_VA) / SMALL_PAGES, stride = BIT(g->shift[1]) + pt_page_size(g);

	if (stride > room)
		stride = ALIGN_DOWN(room, pt_page_size(g));
	return pt_tree_new(geom, SMALL_PAGES, stride, 256 * MiB);
}

u64 pt_tree_walk(struct pt_tree *t, u64 n)
{
	const struct pt_mmu mmu = pt_tree_mmu(t);
	u64 sum = 0;

	for (u64 i = 0; i < n; i++) {
		mmu_translate(t->space.geom, &t->mem, &mmu, t->va[i % PT_TREE_NR_VA], PT_ACCESS_READ, true, t->results);
		sum += t->results->pa;
	}
	return sum;
}
