/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Banks of RAM, before anything else exists: from mem= or a device tree.
 * Linux: arch/arm/mm/mmu.c, arch/arm/mm/init.c, arch/arm64/mm/init.c, drivers/of/fdt.c.
 */
#include "core/phys/banks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bits.h"
#include "core/phys/dtb.h"

#define ARM_VMALLOC_END    0xff000000ull
#define ARM_VMALLOC_OFFSET (8 * MiB)
#define X86_LOWMEM         (896 * MiB)

MM_PRINTF(3, 4) static int fail(char *err, size_t n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (err && n)
		vsnprintf(err, n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

bool config_is_x86(const struct machine_config *c)
{
	return c->machine == MACHINE_X86PC;
}

static bool is_arm32(const struct machine_config *c)
{
	return c->arch == ARCH_ARM32 && !config_is_x86(c);
}

/* Spec 01 s5: more orders where a huge page needs them. */
unsigned config_max_order(const struct machine_config *c)
{
	if (c->max_order)
		return (unsigned)c->max_order;
	if (c->arch == ARCH_ARM64 && c->hugetlb)
		return c->page == PAGE_64K ? 14 : c->page == PAGE_16K ? 12 : 11;
	return 11;
}

unsigned config_pageblock_order(const struct machine_config *c, unsigned max_order)
{
	/* A huge page is one table of descriptors: 2 MiB, 32 MiB, 512 MiB. */
	unsigned huge = config_page_shift(c) - 3;

	return c->hugetlb ? (unsigned)mm_min(huge, max_order - 1) : max_order - 1;
}

vaddr_t config_page_offset(const struct machine_config *c)
{
	static const u32 offsets[] = {0xc0000000u, 0x80000000u, 0x40000000u};

	return offsets[c->split];
}

unsigned model_page_struct_size(const struct phys *p)
{
	return p->config->arch == ARCH_ARM32 ? 32 : 64;
}

static paddr_t default_base(const struct machine_config *c)
{
	static const u32 bases[] = {
		[MACHINE_VEXPRESS] = 0x60000000u, [MACHINE_VIRT] = 0x40000000u, [MACHINE_X86PC] = 0};

	return bases[c->machine];
}

int for_each_size_at(const char *text, int (*fn)(void *arg, u64 size, paddr_t base, bool has_base),
		     void *arg)
{
	while (*text) {
		size_t n = strcspn(text, ",");
		char one[64], *sep;
		u64 size, base = 0;

		if (n >= sizeof(one))
			return -EINVAL;
		memcpy(one, text, n);
		one[n] = 0;
		sep = strchr(one, '@');
		if (sep) {
			*sep = 0;
			if (config_parse_size(sep + 1, &base))
				return -EINVAL;
		}
		if (config_parse_size(one, &size) || base + size < base ||
		    fn(arg, size, base, sep != NULL))
			return -EINVAL;
		text += n + (text[n] == ',');
	}
	return 0;
}

struct plan {
	struct phys_layout *out;
	u64 page, next; /* page size; base of a bank that names none */
};

static int plan_bank(void *arg, u64 size, paddr_t base, bool has_base)
{
	struct plan *plan = arg;
	struct phys_layout *out = plan->out;
	paddr_t start, end;

	if (!has_base)
		base = plan->next;
	start = ALIGN_UP(base, plan->page);
	end = ALIGN_DOWN(base + size, plan->page);
	plan->next = base + size;
	if (end <= start)
		return 0;
	if (out->nr_banks == MM_MAX_BANKS)
		return -EINVAL;
	out->banks[out->nr_banks].base = start;
	out->banks[out->nr_banks].size = end - start;
	out->banks[out->nr_banks].nid = 0;
	out->nr_banks++;
	return 0;
}

static int plan_dtb_bank(void *arg, u64 base, u64 size)
{
	return plan_bank(arg, size, base, true);
}

/* ARM64: banks beyond the linear map are removed (spec 01 s3). */
static void cut_linear_range(const struct machine_config *c, struct phys_layout *out)
{
	paddr_t first = UINT64_MAX, end;
	unsigned kept = 0;

	if (c->arch != ARCH_ARM64 || config_is_x86(c))
		return;
	for (unsigned i = 0; i < out->nr_banks; i++)
		first = mm_min(first, out->banks[i].base);
	end = ALIGN_DOWN(first, GiB) + (1ull << (c->va - 1));
	for (unsigned i = 0; i < out->nr_banks; i++) {
		if (out->banks[i].base >= end)
			continue;
		out->banks[kept] = out->banks[i];
		out->banks[kept].size = mm_min(out->banks[i].size, end - out->banks[i].base);
		kept++;
	}
	out->nr_banks = kept;
}

int phys_plan(const struct machine_config *c, struct phys_layout *out, char *err, size_t errlen)
{
	unsigned shift = config_page_shift(c);
	u64 block = 1ull << (shift + config_max_order(c) - 1);
	struct plan plan = {out, 1ull << shift, default_base(c)};
	paddr_t start = UINT64_MAX, end = 0;

	memset(out, 0, sizeof(*out));
	if (c->dtb[0]) {
		if (dtb_memory(c->dtb, plan_dtb_bank, &plan, err, errlen))
			return -EINVAL;
	} else if (for_each_size_at(c->mem, plan_bank, &plan)) {
		return fail(err, errlen, "mem=%s: expected SIZE[@BASE],... (at most %d banks)",
			    c->mem, MM_MAX_BANKS);
	}
	cut_linear_range(c, out);
	for (unsigned i = 0; i < out->nr_banks; i++) {
		start = mm_min(start, out->banks[i].base);
		end = mm_max(end, out->banks[i].base + out->banks[i].size);
	}
	if (!out->nr_banks)
		return fail(err, errlen, "mem=%s: no RAM", c->mem);
	out->base = ALIGN_DOWN(start, block);
	out->bytes = end - out->base;
	if (end >> shift >= PFN_NONE - (1u << 14) || out->bytes > 64 * TiB)
		return fail(err, errlen, "RAM up to 0x%" PRIx64 ": frame numbers have 32 bits", end);
	return 0;
}

/* ARM32: what of RAM the kernel can map for good (spec 01 s3). */
static paddr_t arm32_vmalloc_limit(const struct phys *p)
{
	const struct machine_config *c = p->config;
	vaddr_t offset = config_page_offset(c);
	u64 size = c->vmalloc;
	vaddr_t vmalloc_min = ARM_VMALLOC_END - 240 * MiB - ARM_VMALLOC_OFFSET;

	if (size)
		vmalloc_min = ARM_VMALLOC_END -
			      mm_min(mm_max(size, 16 * MiB), ARM_VMALLOC_END - (offset + 32 * MiB));
	return memblock_start_of_dram(&p->memblock) + (vmalloc_min - offset);
}

static int arm32_limits(struct phys *p)
{
	struct memblock *mb = &p->memblock;
	paddr_t border = arm32_vmalloc_limit(p), lowmem = 0, limit = 0;
	paddr_t start = memblock_start_of_dram(mb);

	if (!p->config->highmem && memblock_remove(mb, border, UINT64_MAX - border))
		return -ENOMEM;
	for (size_t i = 0; i < mb->memory.cnt; i++) {
		paddr_t base = mb->memory.regions[i].base, end = base + mb->memory.regions[i].size;

		if (base >= border)
			break;
		lowmem = mm_max(lowmem, mm_min(end, border));
		if (limit)
			continue;
		if (base & (2 * MiB - 1))
			limit = base;
		else if (end & (2 * MiB - 1))
			limit = lowmem;
	}
	limit = ALIGN_DOWN(limit, 2 * MiB);
	p->arm_lowmem_limit = lowmem;
	p->high_memory = config_page_offset(p->config) + (lowmem - start);
	mb->current_limit = limit ? limit : lowmem;
	return 0;
}

int arch_memory_limits(struct phys *p)
{
	struct memblock *mb = &p->memblock;
	unsigned shift = p->page_shift;
	paddr_t start = memblock_start_of_dram(mb), end = memblock_end_of_dram(mb);

	if (is_arm32(p->config)) {
		if (arm32_limits(p))
			return -ENOMEM;
		end = memblock_end_of_dram(mb);
	} else if (config_is_x86(p->config) && p->config->arch == ARCH_ARM32) {
		if (!p->config->highmem &&
		    memblock_remove(mb, X86_LOWMEM, UINT64_MAX - X86_LOWMEM))
			return -ENOMEM;
		end = memblock_end_of_dram(mb);
		p->arm_lowmem_limit = mm_min(end, X86_LOWMEM);
		p->high_memory = config_page_offset(p->config) + p->arm_lowmem_limit;
		mb->current_limit = p->arm_lowmem_limit;
	} else {
		mb->current_limit = end;
	}
	p->min_low_pfn = (start + (1ull << shift) - 1) >> shift;
	p->max_low_pfn = mb->current_limit >> shift;
	p->max_pfn = end >> shift;
	return 0;
}

static void bound(struct zone_bounds *b, enum zone_type t, u64 *at, u64 hi)
{
	b->lo[t] = *at;
	b->hi[t] = mm_max(*at, hi);
	*at = b->hi[t];
}

/* Spec 01 s4: borders are counted up from the first frame of RAM. */
void arch_zone_bounds(const struct phys *p, struct zone_bounds *b)
{
	const struct machine_config *c = p->config;
	u64 at = p->min_low_pfn, gib4 = (4 * GiB) >> p->page_shift;

	memset(b, 0, sizeof(*b));
	b->mask = BIT(ZONE_NORMAL) | BIT(ZONE_MOVABLE);
	if (config_is_x86(c)) {
		b->mask |= BIT(ZONE_DMA) | (c->arch == ARCH_ARM64 ? BIT(ZONE_DMA32) : 0);
		bound(b, ZONE_DMA, &at, mm_min(16 * MiB >> p->page_shift, p->max_low_pfn));
		if (c->arch == ARCH_ARM64)
			bound(b, ZONE_DMA32, &at, mm_min(gib4, p->max_low_pfn));
	} else if (c->arch == ARCH_ARM64) {
		u64 dma_end = (p->min_low_pfn & ~(gib4 - 1)) + gib4;

		b->mask |= BIT(ZONE_DMA);
		bound(b, ZONE_DMA, &at, mm_min(dma_end, p->max_low_pfn));
	} else if (c->dma_zone_size) {
		b->mask |= BIT(ZONE_DMA);
		bound(b, ZONE_DMA, &at, mm_min(at + (c->dma_zone_size >> p->page_shift),
					       p->max_low_pfn));
	}
	bound(b, ZONE_NORMAL, &at, p->max_low_pfn);
	if (c->arch == ARCH_ARM32 && c->highmem) {
		b->mask |= BIT(ZONE_HIGHMEM);
		bound(b, ZONE_HIGHMEM, &at, p->max_pfn);
	}
}

static int reserve_key(void *arg, u64 size, paddr_t base, bool has_base)
{
	struct phys *p = arg;

	if (!has_base)
		return memblock_alloc(&p->memblock, size, 1ull << p->page_shift) == MEMBLOCK_NOWHERE;
	return memblock_reserve(&p->memblock, base, size);
}

/* memmap of the kernel modelled, top-down below the limit; parts over holes go back (ARM32). */
static int reserve_memmap(struct phys *p)
{
	struct memblock *mb = &p->memblock;
	u64 unit = model_page_struct_size(p), block = 1ull << (p->max_order - 1);
	u64 first = ALIGN_DOWN(p->min_low_pfn, block), pfns = ALIGN_UP(p->max_pfn, block) - first;
	u64 last_end = first;
	paddr_t at = memblock_alloc(mb, pfns * unit, 1ull << p->page_shift);

	if (at == MEMBLOCK_NOWHERE)
		return -ENOMEM;
	for (size_t i = 0; i < mb->memory.cnt; i++) {
		const struct memblock_region *r = &mb->memory.regions[i];
		u64 s = ALIGN_DOWN(r->base >> p->page_shift, block);
		u64 e = ALIGN_UP((r->base + r->size) >> p->page_shift, block);

		if (s > last_end) {
			paddr_t from = at + (last_end - first) * unit;
			paddr_t to = at + (s - first) * unit;

			from = ALIGN_UP(from, 1ull << p->page_shift);
			to = ALIGN_DOWN(to, 1ull << p->page_shift);
			if (to > from && memblock_free(mb, from, to - from))
				return -ENOMEM;
		}
		last_end = mm_max(last_end, e);
	}
	return 0;
}

/* Fixed things of spec 01 s2.3. */
static int reserve_kernel(struct phys *p)
{
	struct memblock *mb = &p->memblock;
	const struct machine_config *c = p->config;
	paddr_t ram = memblock_start_of_dram(mb);
	u64 page = 1ull << p->page_shift;

	if (config_is_x86(c))
		return memblock_reserve(mb, 0, page) || memblock_reserve(mb, 0xa0000, 0x60000) ||
		       memblock_reserve(mb, MiB, c->kernel_size);
	if (c->arch == ARCH_ARM32)
		return memblock_reserve(mb, ram + 0x4000, 0x4000) ||
		       memblock_reserve(mb, ram + 0x8000, c->kernel_size);
	return memblock_reserve(mb, ram + 0x80000, c->kernel_size);
}

int arch_reserve(struct phys *p, char *err, size_t errlen)
{
	if (for_each_size_at(p->config->reserved, reserve_key, p))
		return fail(err, errlen, "reserved=%s: expected SIZE@BASE,...", p->config->reserved);
	if (p->ideal)
		return 0;
	if (reserve_kernel(p) || kernel_pgd_build(&p->kpgd) || reserve_memmap(p))
		return fail(err, errlen, "mem=%s: too small for the kernel and its memmap",
			    p->config->mem);
	return 0;
}
