/* SPDX-License-Identifier: BSD-2-Clause */
/* A range of fewer pages than a CPU has sets is looked up page by page, a longer one by a scan. */
#include "arch/tlb.h"

#include <string.h>

#include "core/base/bug.h"

u32 tlb_sets(u64 entries)
{
	u32 n = 1;

	while ((u64)n * TLB_WAYS < entries)
		n *= 2;
	return n;
}

u64 tlb_bytes(u32 nr_sets, u32 ncpu)
{
	return (u64)nr_sets * ncpu * (sizeof(struct tlb_set) + 1);
}

void tlb_init(struct tlb *t, void *memory, u32 nr_sets, u32 ncpu, unsigned page_shift, unsigned asid_bits)
{
	BUG_ON(!nr_sets || nr_sets & (nr_sets - 1) || asid_bits > 16);
	*t = (struct tlb){.sets = memory, .nr_sets = nr_sets, .ncpu = ncpu, .page_shift = page_shift,
			  .asid_bits = asid_bits, .generation = 1, .next_asid = 1};
	t->next = (u8 *)(t->sets + (u64)nr_sets * ncpu);
}

u64 tlb_new_context(struct tlb *t)
{
	if (t->next_asid >> t->asid_bits) { /* ASID 0 stays unused: it marks empty entries */
		t->generation++;
		t->next_asid = 1;
		tlb_flush_all(t);
	}
	return t->generation << t->asid_bits | t->next_asid++;
}

void tlb_fill(struct tlb *t, unsigned cpu, u64 context, vaddr_t va, paddr_t pa, unsigned rights)
{
	struct tlb_set *s = tlb_set_of(t, cpu, va);
	u64 tag = tlb_tag(t, context, va);
	unsigned way = TLB_WAYS;

	BUG_ON(!tlb_context_current(t, context) || !rights);
	for (unsigned w = 0; w < TLB_WAYS; w++)
		if (!((s->tag[w] ^ tag) >> 4) || (!s->tag[w] && way == TLB_WAYS))
			way = w;
	if (way == TLB_WAYS) {
		u8 *next = &t->next[s - t->sets];

		way = *next;
		*next = (u8)((way + 1) % TLB_WAYS);
	}
	s->tag[way] = tag | rights;
	s->pa[way] = pa & ~(BIT(t->page_shift) - 1);
}

static void flush_page(struct tlb *t, u64 context, vaddr_t va)
{
	u64 tag = tlb_tag(t, context, va);

	for (unsigned cpu = 0; cpu < t->ncpu; cpu++) {
		struct tlb_set *s = tlb_set_of(t, cpu, va);

		for (unsigned w = 0; w < TLB_WAYS; w++)
			if (!((s->tag[w] ^ tag) >> 4))
				s->tag[w] = 0;
	}
}

/* Entries of @context with page numbers in [first, last]. */
static void flush_scan(struct tlb *t, u64 context, u64 first, u64 last)
{
	u64 asid = tlb_asid(t, context);

	for (u64 i = 0; i < (u64)t->nr_sets * t->ncpu; i++)
		for (unsigned w = 0; w < TLB_WAYS; w++) {
			u64 tag = t->sets[i].tag[w], vpn = tag >> 20;

			if ((tag >> 4 & 0xffff) == asid && vpn >= first && vpn <= last)
				t->sets[i].tag[w] = 0;
		}
}

void tlb_flush_range(struct tlb *t, u64 context, vaddr_t start, vaddr_t end)
{
	u64 first = start >> t->page_shift, last = (end - 1) >> t->page_shift;

	if (start == end || !tlb_context_current(t, context))
		return;
	if (last - first >= t->nr_sets) {
		flush_scan(t, context, first, last);
		return;
	}
	for (u64 vpn = first; vpn <= last; vpn++)
		flush_page(t, context, vpn << t->page_shift);
}

void tlb_flush_asid(struct tlb *t, u64 context)
{
	if (tlb_context_current(t, context))
		flush_scan(t, context, 0, UINT64_MAX);
}

void tlb_flush_all(struct tlb *t)
{
	for (u64 i = 0; i < (u64)t->nr_sets * t->ncpu; i++)
		memset(t->sets[i].tag, 0, sizeof(t->sets[i].tag));
}

int tlb_entry(const struct tlb *t, u64 i, struct tlb_entry *e)
{
	const struct tlb_set *s = &t->sets[i / TLB_WAYS];
	u64 tag;

	if (i >= (u64)t->nr_sets * t->ncpu * TLB_WAYS)
		return -1;
	tag = s->tag[i % TLB_WAYS];
	if (!tag)
		return 0;
	*e = (struct tlb_entry){.va = tag >> 20 << t->page_shift, .asid = tag >> 4 & 0xffff,
				.pa = s->pa[i % TLB_WAYS], .rights = (unsigned)(tag & 7)};
	return 1;
}
