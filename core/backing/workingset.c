/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/backing/workingset.h"

#include "core/base/bits.h"
#include "core/hw/events.h"

#define EXCEPTIONAL_BITS 2u  /* of a page-cache slot in Linux: they cost the distance two bits */
#define MEMCG_ID_BITS	 16u /* later kernels keep a cgroup's number, too */
#define SHADOW_BITS	 62u

static unsigned bits_for(unsigned values)
{
	return values > 1 ? mm_fls(values - 1) : 0;
}

static unsigned nr_zone_types(const struct phys *p)
{
	return (unsigned)__builtin_popcount(p->zone_mask);
}

void workingset_init(struct workingset *ws, struct lru *lru, const s64 *nr_swap_pages,
		     const struct machine_config *c)
{
	struct phys *p = lru->phys;
	unsigned word = c->arch == ARCH_ARM32 ? 32 : 64, taken = bits_for(p->nr_nodes);

	*ws = (struct workingset){
		.lru = lru,
		.phys = p,
		.nr_swap_pages = nr_swap_pages,
		.enabled = c->workingset,
		.node = lru->per_node,
		.anon = c->anonws || c->mglru,
		.modern = c->anonws,
		.mglru = c->mglru,
	};
	taken += EXCEPTIONAL_BITS;
	if (!ws->node) {
		taken += bits_for(nr_zone_types(p));
	} else {
		unsigned need = mm_fls(p->totalram_pages);

		taken += MEMCG_ID_BITS + ws->modern;
		if (need > word - taken)
			ws->bucket_order = need - (word - taken);
	}
	ws->slot_bits = bits_for(MM_MAX_ZONES) + 1;
	ws->mask = ~0ull >> (64 - (word - taken));
	if (word - taken + ws->slot_bits > SHADOW_BITS)
		ws->mask = ~0ull >> (64 - (SHADOW_BITS - ws->slot_bits));
}

static u64 pack_token(const struct workingset *ws, u64 token, unsigned slot, bool flag)
{
	return (token & ws->mask) << ws->slot_bits | (u64)slot << 1 | flag;
}

static u64 pack(const struct workingset *ws, u64 age, unsigned slot, bool active)
{
	return pack_token(ws, age >> ws->bucket_order, slot, active);
}

/* The oldest generation and the references, of which the flag tells whether there were any. */
static u64 gen_eviction(const struct workingset *ws, struct lru_gen *g, const struct page *p)
{
	unsigned type = page_is_file_cache(p), refs = page_lru_refs(p);
	u64 token = g->min_seq[type] << LRU_REFS_WIDTH | (refs ? refs - 1 : 0);

	g->evicted[type][lru_tier_from_refs(refs)]++;
	return pack_token(ws, token, page_zone(ws->phys, p)->slot + 1u, refs != 0);
}

u64 workingset_eviction(struct workingset *ws, const struct page *p)
{
	struct lruvec *v = page_lruvec(ws->lru, p);
	u64 age;

	if (!ws->enabled || (PageSwapBacked(p) && !ws->anon))
		return 0;
	if (ws->mglru)
		return gen_eviction(ws, v->gen, p);
	age = ws->modern ? v->inactive_age++ : ++v->inactive_age;
	return pack(ws, age, p->flags >> PAGE_ZONE_SHIFT, PageWorkingset(p)); /* slot + 1: a shadow is never 0 */
}

void workingset_unpack(const struct workingset *ws, u64 shadow, struct refault *r)
{
	unsigned slot = (unsigned)(shadow >> 1 & ((1u << (ws->slot_bits - 1)) - 1)) - 1;
	u64 then = shadow >> ws->slot_bits;

	VM_BUG_ON(slot >= ws->phys->nr_zones);
	r->zone = &ws->phys->zones[slot];
	r->vec = zone_lruvec(ws->lru, r->zone);
	r->was_active = shadow & 1;
	r->distance = (((r->vec->inactive_age >> ws->bucket_order) - then) & ws->mask)
		      << ws->bucket_order;
}

/* Pages that a returning page competes with. */
static u64 workingset_size(const struct workingset *ws, const struct refault *r, bool file)
{
	u64 n = r->vec->lists[LRU_ACTIVE_FILE].nr;

	if (!ws->modern)
		return n;
	if (!file)
		n += r->vec->lists[LRU_INACTIVE_FILE].nr;
	if (ws->nr_swap_pages && *ws->nr_swap_pages > 0) {
		n += r->vec->lists[LRU_ACTIVE_ANON].nr;
		if (file)
			n += r->vec->lists[LRU_INACTIVE_ANON].nr;
	}
	return n;
}

static void count(struct workingset *ws, bool file, enum vm_event_item anon,
		  enum vm_event_item cached)
{
	struct hw *hw = ws->phys->hw;

	count_vm_event(hw, hw->cpu, file ? cached : anon);
}

bool workingset_refault(struct workingset *ws, u64 shadow, bool file)
{
	struct refault r;
	bool activate;

	workingset_unpack(ws, shadow, &r);
	activate = r.distance <= workingset_size(ws, &r, file);
	mod_zone_page_state(r.zone, NR_WORKINGSET_REFAULT, 1);
	count(ws, file, EV_WORKINGSET_REFAULT_ANON, EV_WORKINGSET_REFAULT_FILE);
	trace_event(ws->phys->hw, EVENT_REFAULT, (s64)r.distance, activate);
	if (!activate)
		return false;
	r.vec->inactive_age++;
	mod_zone_page_state(r.zone, NR_WORKINGSET_ACTIVATE, 1);
	count(ws, file, EV_WORKINGSET_ACTIVATE_ANON, EV_WORKINGSET_ACTIVATE_FILE);
	if (r.was_active)
		count(ws, file, EV_WORKINGSET_RESTORE_ANON, EV_WORKINGSET_RESTORE_FILE);
	return true;
}

static void gen_refault(struct workingset *ws, struct page *p, u64 shadow)
{
	unsigned slot = (unsigned)(shadow >> 1 & ((1u << (ws->slot_bits - 1)) - 1)) - 1, type = page_is_file_cache(p);
	unsigned refs = (unsigned)(shadow >> ws->slot_bits & (LRU_REFS_MAX - 1)) + (unsigned)(shadow & 1);
	struct zone *z = &ws->phys->zones[slot];
	struct lruvec *v = zone_lruvec(ws->lru, z);
	u64 seq = shadow >> (ws->slot_bits + LRU_REFS_WIDTH);
	struct hw *hw = ws->phys->hw;

	VM_BUG_ON(slot >= ws->phys->nr_zones);
	mod_zone_page_state(z, NR_WORKINGSET_REFAULT, 1);
	count(ws, type, EV_WORKINGSET_REFAULT_ANON, EV_WORKINGSET_REFAULT_FILE);
	if (v != page_lruvec(ws->lru, p) || seq != (v->gen->min_seq[type] & ws->mask >> LRU_REFS_WIDTH))
		return;
	v->gen->refaulted[type][lru_tier_from_refs(refs)]++;
	count_vm_event(hw, hw->cpu, EV_LRU_GEN_REFAULT);
	trace_event(hw, EVENT_REFAULT, (s64)refs, 0);
	if (lru_gen_in_fault(ws->lru) || refs == LRU_REFS_MAX) {
		SetPageWorkingset(p);
		count(ws, type, EV_WORKINGSET_RESTORE_ANON, EV_WORKINGSET_RESTORE_FILE);
	}
}

void workingset_return(struct workingset *ws, struct page *p, u64 shadow)
{
	if (MM_UNLIKELY(ws->mglru)) {
		gen_refault(ws, p, shadow);
	} else if (workingset_refault(ws, shadow, page_is_file_cache(p))) {
		SetPageActive(p);
		if (shadow & 1) /* it was in use: whoever waits for it waits for memory */
			SetPageWorkingset(p);
	}
}

u64 workingset_max_nodes(const struct workingset *ws)
{
	u64 present = 0;

	for (unsigned n = 0; n < ws->phys->nr_nodes; n++)
		present += ws->phys->nodes[n].node_present_pages;
	return present >> (1 + 6 - 3);
}
