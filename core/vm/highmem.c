/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vm/highmem.h"

#include <errno.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/phys/banks.h"

#define PKMAP_SIZE (2 * MiB)
#define PAGE_4K    4096ull /* ARM32 has no other */

int highmem_init(struct highmem *h, struct phys *phys)
{
	const struct vrange *fixmap = &phys->kpgd.layout.at[LAYOUT_FIXMAP];
	const struct machine_config *c = phys->config;

	memset(h, 0, sizeof(*h));
	h->phys = phys;
	h->debug = c->debug_highmem;
	if (c->arch != ARCH_ARM32) {
		h->page_offset = ~0ull << (c->va - 1);
		return 0;
	}
	h->page_offset = config_page_offset(c);
	h->pkmap_base = h->page_offset - PKMAP_SIZE;
	for (u32 i = 0; i < PA_HASH_BUCKETS; i++)
		h->hash[i] = PKMAP_NONE;
	for (u32 i = 0; i < phys->nr_zones; i++)
		h->present |= zone_is_highmem(&phys->zones[i]);
	BUG_ON(h->present && KM_TYPE_NR * phys->ncpu > 768 - 1); /* spec 05 s2.8 */
	if (!h->present)
		return 0;
	kernel_map_init(&h->pkmap, phys, h->pkmap_base, h->page_offset);
	kernel_map_init(&h->fixmap, phys, fixmap->start, fixmap->end);
	/* kmap_atomic must not allocate: its tables are there from boot, but for the ideal machine's */
	if (!c->ideal && (kernel_map_set(&h->fixmap, FIXADDR_TOP, 0) ||
			  kernel_map_set(&h->pkmap, h->pkmap_base, 0)))
		return -ENOMEM;
	kernel_map_clear(&h->fixmap, FIXADDR_TOP);
	kernel_map_clear(&h->pkmap, h->pkmap_base);
	return 0;
}

void highmem_destroy(struct highmem *h)
{
	kernel_map_destroy(&h->pkmap);
	kernel_map_destroy(&h->fixmap);
}

static bool is_high(const struct highmem *h, const struct page *page)
{
	return h->present && zone_is_highmem(page_zone(h->phys, page));
}

static vaddr_t slot_va(const struct highmem *h, u32 slot)
{
	return h->pkmap_base + slot * PAGE_4K;
}

/* ---- page -> slot ---- */

static u16 *bucket(struct highmem *h, u32 frame)
{
	return &h->hash[hash_u64(frame, 7)];
}

static u32 find_slot(const struct highmem *h, const struct page *page)
{
	u32 frame = page_frame(h->phys, page), s = h->hash[hash_u64(frame, 7)];

	while (s != PKMAP_NONE && h->pkmap_frame[s] != frame)
		s = h->hash_next[s];
	return s;
}

static void hash_add(struct highmem *h, u32 slot, u32 frame)
{
	u16 *b = bucket(h, frame);

	h->pkmap_frame[slot] = frame;
	h->hash_next[slot] = *b;
	*b = (u16)slot;
}

static void hash_del(struct highmem *h, u32 slot)
{
	u16 *p = bucket(h, h->pkmap_frame[slot]);

	while (*p != slot)
		p = &h->hash_next[*p];
	*p = h->hash_next[slot];
}

vaddr_t page_virtual(const struct highmem *h, const struct page *page)
{
	u32 slot;

	if (!is_high(h, page)) {
		u64 pa = (u64)page_to_pfn(h->phys, page) << h->phys->page_shift;

		return kernel_pgd_virt(&h->phys->kpgd, pa);
	}
	slot = find_slot(h, page);
	return slot == PKMAP_NONE ? 0 : slot_va(h, slot);
}

/* ---- kmap (spec 05 s2.2) ---- */

static void flush_all_zero_pkmaps(struct highmem *h)
{
	bool any = false;

	for (u32 i = 0; i < LAST_PKMAP; i++) {
		if (h->pkmap_count[i] != 1)
			continue;
		h->pkmap_count[i] = 0;
		kernel_map_clear(&h->pkmap, slot_va(h, i));
		hash_del(h, i);
		any = true;
	}
	if (any) {
		h->flushes++;
		count_vm_event(h->phys->hw, h->phys->hw->cpu, EV_TLB_FLUSHES);
	}
}

/* A free slot for @page, mapped with count 1; PKMAP_NONE: every slot has users. */
static u32 map_new_virtual(struct highmem *h, struct page *page)
{
	for (u32 left = LAST_PKMAP; left; left--) {
		h->last = (h->last + 1) & (LAST_PKMAP - 1);
		if (!h->last) {
			flush_all_zero_pkmaps(h);
			left = LAST_PKMAP;
		}
		if (h->pkmap_count[h->last])
			continue;
		if (kernel_map_set(&h->pkmap, slot_va(h, h->last), page_to_pfn(h->phys, page)))
			return PKMAP_NONE;
		h->pkmap_count[h->last] = 1;
		hash_add(h, h->last, page_frame(h->phys, page));
		return h->last;
	}
	return PKMAP_NONE;
}

int kmap(struct highmem *h, unsigned cpu, struct page *page, vaddr_t *va)
{
	u32 slot;

	BUG_ON(in_atomic(h->phys->hw, cpu));
	if (!is_high(h, page)) {
		*va = page_virtual(h, page);
		return 0;
	}
	slot = find_slot(h, page);
	if (slot == PKMAP_NONE)
		slot = map_new_virtual(h, page);
	if (slot == PKMAP_NONE) {
		h->waits++;
		return -EAGAIN;
	}
	BUG_ON(++h->pkmap_count[slot] < 2);
	*va = slot_va(h, slot);
	return 0;
}

static void kunmap_high(struct highmem *h, const struct page *page)
{
	u32 slot = find_slot(h, page);

	BUG_ON(slot == PKMAP_NONE || h->pkmap_count[slot] < 2);
	h->pkmap_count[slot]--;
}

void kunmap(struct highmem *h, unsigned cpu, struct page *page)
{
	BUG_ON(in_interrupt(h->phys->hw, cpu));
	if (is_high(h, page))
		kunmap_high(h, page);
}

/* ---- kmap_atomic (spec 05 s2.3) ---- */

vaddr_t kmap_atomic(struct highmem *h, unsigned cpu, struct page *page)
{
	struct highmem_cpu *c = &h->cpus[cpu];
	u32 slot;
	vaddr_t va;

	preempt_disable(h->phys->hw, cpu); /* page faults are disabled by it, too */
	if (!is_high(h, page))
		return page_virtual(h, page);
	slot = find_slot(h, page);
	if (slot != PKMAP_NONE) {
		h->pkmap_count[slot]++;
		return slot_va(h, slot);
	}
	BUG_ON(c->depth >= KM_TYPE_NR);
	va = FIXADDR_TOP - (c->depth++ + KM_TYPE_NR * cpu) * PAGE_4K;
	if (h->debug)
		BUG_ON(kernel_map_get(&h->fixmap, va) != PFN_NONE);
	BUG_ON(kernel_map_replace(&h->fixmap, va, page_to_pfn(h->phys, page)));
	count_vm_event(h->phys->hw, cpu, EV_TLB_FLUSHES); /* of that one page */
	return va;
}

void kunmap_atomic(struct highmem *h, unsigned cpu, vaddr_t va)
{
	struct highmem_cpu *c = &h->cpus[cpu];

	BUG_ON(!in_atomic(h->phys->hw, cpu));
	if (h->present && va >= h->fixmap.start && va < h->fixmap.end) {
		BUG_ON(!c->depth);
		c->depth--;
		if (h->debug) {
			BUG_ON(va != FIXADDR_TOP - (c->depth + KM_TYPE_NR * cpu) * PAGE_4K);
			kernel_map_clear(&h->fixmap, va);
		}
	} else if (h->present && va >= h->pkmap.start && va < h->pkmap.end) {
		kunmap_high(h, pfn_to_page(h->phys, kernel_map_get(&h->pkmap, va)));
	}
	preempt_enable(h->phys->hw, cpu);
}

void *highmem_ptr(const struct highmem *h, vaddr_t va)
{
	const struct hw *hw = h->phys->hw;
	u64 pa;

	if (h->present && va >= h->pkmap.start && va < h->pkmap.end)
		return kernel_map_ptr(&h->pkmap, va);
	if (h->present && va >= h->fixmap.start && va < h->fixmap.end)
		return kernel_map_ptr(&h->fixmap, va);
	pa = va - h->page_offset + h->phys->kpgd.linear_base;
	return pa - hw->base < hw->bytes ? hw_ptr(hw, pa) : NULL;
}

int highmem_check(const struct highmem *h, char *why, size_t n)
{
	u32 hashed = 0, mapped = 0;

	for (u32 i = 0; h->present && i < LAST_PKMAP; i++) {
		bool pte = kernel_map_get(&h->pkmap, slot_va(h, i)) != PFN_NONE;

		if (pte != !!h->pkmap_count[i]) {
			snprintf(why, n, "pkmap slot %u: count %u, entry %d", i, h->pkmap_count[i], pte);
			return 5003;
		}
		mapped += pte;
	}
	for (u32 b = 0; h->present && b < PA_HASH_BUCKETS; b++)
		for (u32 s = h->hash[b]; s != PKMAP_NONE; s = h->hash_next[s]) {
			hashed++;
			if (!h->pkmap_count[s] || hashed > LAST_PKMAP)
				break;
		}
	if (hashed == mapped)
		return 0;
	snprintf(why, n, "pkmap hash has %u pages, %u are mapped", hashed, mapped);
	return 5004;
}
