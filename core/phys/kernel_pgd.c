/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/phys/kernel_pgd.h"

#include <errno.h>
#include <string.h>

#include "core/base/bits.h"
#include "core/phys/banks.h"
#include "core/phys/page_alloc.h"

int config_geometry(const struct machine_config *c)
{
	if (c->arch == ARCH_ARM64)
		return pt_find_geometry(config_page_shift(c), (unsigned)c->va);
	return c->lpae ? PT_ARM_LPAE : PT_ARM_SHORT;
}

/* ---- where tables come from ---- */

static u64 table_bytes(const struct kernel_pgd *k, int height)
{
	const struct pt_geometry *g = k->layout.g;
	u64 page = pt_page_size(g);

	return height == g->levels - 1 && g->root_bytes > page ? g->root_bytes : page;
}

/* @bytes, a power of two, for good: from the image or from memblock. */
static paddr_t early_alloc(struct kernel_pgd *k, u64 bytes)
{
	paddr_t pa = ALIGN_DOWN(k->pool_end, bytes) - bytes;

	if (k->pool_end >= bytes && pa >= k->pool)
		k->pool_end = pa;
	else
		pa = memblock_alloc(&k->phys->memblock, bytes, bytes);
	return pa;
}

static paddr_t pgd_table_alloc(void *ctx, int height)
{
	struct kernel_pgd *k = ctx;
	struct phys *p = k->phys;
	u64 bytes = table_bytes(k, height), pages = bytes >> p->page_shift;
	struct page *page;
	paddr_t pa;

	if (k->early) {
		pa = early_alloc(k, bytes);
		if (pa == MEMBLOCK_NOWHERE)
			return PT_NO_MEMORY;
		k->nr_early += pages;
	} else {
		page = alloc_pages(p, p->hw->cpu, GFP_KERNEL, mm_fls(pages) - 1);
		if (!page)
			return PT_NO_MEMORY;
		pa = (paddr_t)page_to_pfn(p, page) << p->page_shift;
		k->nr_tables += pages;
	}
	memset(hw_ptr(p->hw, pa), 0, bytes);
	return pa;
}

static void pgd_table_free(void *ctx, paddr_t pa, int height)
{
	struct kernel_pgd *k = ctx;
	struct phys *p = k->phys;
	u64 pages = table_bytes(k, height) >> p->page_shift;

	if (memblock_is_reserved(&p->memblock, pa)) /* an early one stays reserved */
		return;
	k->nr_tables -= pages;
	free_pages_page(p, p->hw->cpu, pfn_to_page(p, (pfn_t)(pa >> p->page_shift)), mm_fls(pages) - 1);
}

static void pgd_flush(void *ctx)
{
	((struct kernel_pgd *)ctx)->flushes++;
}

int kernel_pgd_init(struct kernel_pgd *k, struct phys *p)
{
	const struct machine_config *c = p->config;
	paddr_t first = memblock_start_of_dram(&p->memblock), end = memblock_end_of_dram(&p->memblock);
	int geom = config_geometry(c);
	vaddr_t high;

	memset(k, 0, sizeof(*k));
	if (geom < 0)
		return -EINVAL;
	k->phys = p;
	k->mem = (struct pt_mem){p->hw->arena, p->hw->bytes, p->hw->base};
	k->alloc = (struct pt_alloc){.ctx = k, .alloc = pgd_table_alloc, .free = pgd_table_free, .flush = pgd_flush,
				     .kernel = true};
	k->space = (struct pt_space){.geom = (enum pt_geom)geom, .root = PT_NO_TABLE, .mem = &k->mem,
				     .alloc = &k->alloc};
	k->linear_base = c->arch == ARCH_ARM64 ? ALIGN_DOWN(first, BIT(pt_geometries[geom].shift[1])) : first;
	high = c->arch == ARCH_ARM64 ? (~0ull << (c->va - 1)) + (end - k->linear_base) : p->high_memory;
	layout_init(&k->layout, (enum pt_geom)geom, config_page_offset(c), high, c->highmem);
	return 0;
}

/* ---- paging_init ---- */

/* ARM32 has its top table 16 KiB below the image; ARM64 in the image. */
static int boot_root(struct kernel_pgd *k, paddr_t text)
{
	paddr_t below = text - 16 * KiB;

	if (k->layout.g->family != PT_ARM64 && !(below & (16 * KiB - 1)))
		k->space.root = below;
	else
		k->space.root = pgd_table_alloc(k, k->layout.g->levels - 1);
	if (k->space.root == PT_NO_TABLE)
		return -ENOMEM;
	memset(hw_ptr(k->phys->hw, k->space.root), 0, table_bytes(k, k->layout.g->levels - 1));
	return 0;
}

static int map_all_banks(struct kernel_pgd *k, paddr_t text, paddr_t end)
{
	const struct memblock *mb = &k->phys->memblock;
	struct pt_bank banks[MM_MAX_BANKS];
	unsigned n = 0;

	for (size_t i = 0; i < mb->memory.cnt && n < MM_MAX_BANKS; i++, n++)
		banks[n] = (struct pt_bank){mb->memory.regions[i].base,
					    mb->memory.regions[i].base + mb->memory.regions[i].size};
	return pt_map_banks(&k->space, &k->layout, banks, n, k->linear_base, k->phys->arm_lowmem_limit, text, end);
}

/*
 * devicemaps_init and kmap_init of ARM32: vectors, tables of pkmap and fixmap. Boards' static io is
 * left out: drivers ioremap().
 */
static int map_arm32_rest(struct kernel_pgd *k)
{
	const struct layout *l = &k->layout;
	u64 page = pt_page_size(l->g);
	vaddr_t vectors = l->at[LAYOUT_VECTORS].start;
	struct pt_leaf leaf;
	int r;

	k->vectors = early_alloc(k, 2 * page);
	if (k->vectors == MEMBLOCK_NOWHERE)
		return -ENOMEM;
	r = pt_create_mapping(&k->space, l, vectors, k->vectors, page, PT_MAP_VECTORS);
	if (!r)
		r = pt_create_mapping(&k->space, l, vectors + page, k->vectors + page, page, PT_MAP_VECTORS_KERNEL);
	if (!r && l->at[LAYOUT_PKMAP].start != l->at[LAYOUT_PKMAP].end)
		r = pt_alloc_slot(&k->space, l->at[LAYOUT_PKMAP].start, &leaf);
	return r ? r : pt_alloc_slot(&k->space, l->at[LAYOUT_FIXMAP].start, &leaf);
}

/* ARM64: while the map grows, tables may only come from what the boot code has mapped. */
static paddr_t early_limit(const struct kernel_pgd *k, paddr_t limit)
{
	const struct pt_geometry *g = k->layout.g;
	u64 first = BIT(g->page_shift == 12 ? pt_pud_shift(g) : pt_pmd_shift(g));

	return mm_min(limit, k->linear_base + first);
}

int kernel_pgd_build(struct kernel_pgd *k)
{
	struct phys *p = k->phys;
	struct memblock *mb = &p->memblock;
	const struct memblock_region *first = &mb->memory.regions[0];
	bool arm64 = k->layout.g->family == PT_ARM64;
	paddr_t text = first->base + (arm64 ? 0x80000 : 0x8000), end = text + p->config->kernel_size;
	paddr_t limit = mb->current_limit;
	int r;

	if (p->ideal || config_is_x86(p->config))
		return 0;
	if (end > first->base + first->size)
		return -ENOMEM;
	k->early = true;
	k->pool = end - p->config->kernel_size / 2;
	k->pool_end = ALIGN_DOWN(end, pt_page_size(k->layout.g));
	if (arm64)
		mb->current_limit = early_limit(k, limit);
	r = boot_root(k, text);
	r = r ? r : map_all_banks(k, text, end);
	mb->current_limit = limit;
	if (!r && arm64 && p->config->policy != POLICY_4_0)
		pt_set_contiguous(&k->space, k->layout.page_offset, k->layout.at[LAYOUT_LINEAR].end);
	if (!r && !arm64)
		r = map_arm32_rest(k);
	k->zero_page = early_alloc(k, pt_page_size(k->layout.g));
	if (!r && k->zero_page == MEMBLOCK_NOWHERE)
		r = -ENOMEM;
	k->early = false;
	k->built = !r;
	return r;
}

const struct pt_space *kernel_pgd_space(struct kernel_pgd *k)
{
	if (k->space.root == PT_NO_TABLE)
		k->space.root = pgd_table_alloc(k, k->layout.g->levels - 1);
	return k->space.root == PT_NO_TABLE ? NULL : &k->space; /* PT_NO_MEMORY is the same value */
}

static bool maps_nothing(const struct pt_space *s, vaddr_t va, vaddr_t end)
{
	struct pt_count n;

	pt_count_range(s, va, end, &n);
	return !n.present && !n.blocks && !n.swap;
}

void kernel_pgd_trim(struct kernel_pgd *k, vaddr_t start, vaddr_t end)
{
	vaddr_t first = k->layout.g->family == PT_ARM64 ? k->layout.at[LAYOUT_VMALLOC].start : k->layout.task_size;
	vaddr_t last = k->layout.g->family == PT_ARM64 ? 0 : 4 * GiB;

	if (k->built || k->space.root == PT_NO_TABLE || !maps_nothing(&k->space, start, end))
		return; /* a kernel that has booted never gives tables of its own half back */
	pt_free_range(&k->space, start, end, start, end);
	if (!maps_nothing(&k->space, first, last))
		return;
	pt_free_all(&k->space, first, last);
	pgd_table_free(k, k->space.root, k->layout.g->levels - 1);
	k->space.root = PT_NO_TABLE;
}
