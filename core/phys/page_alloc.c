/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Allocation and freeing of pages.
 *
 *   alloc_pages -> walk_zonelist (low watermark, FAIR) -> CPU list, else buddy -> prepare
 *        \-> slow path: min watermark with the flags' privileges -> phys->on_pressure
 *   free_pages_page -> checks -> CPU list (order 0) or buddy
 *
 * The fast paths touch: the zone's read-mostly line, its free level, the CPU's list and the page.
 */
#include <string.h>

#include "core/phys/buddy.h"

#define FLAGS_CHECKED                                                                              \
	(1u << PG_lru | 1u << PG_locked | 1u << PG_private | 1u << PG_private_2 |                  \
	 1u << PG_writeback | 1u << PG_reserved | 1u << PG_slab | 1u << PG_swapcache |             \
	 1u << PG_active | 1u << PG_unevictable | 1u << PG_mlocked)

enum zone_type gfp_zone(const struct phys *phys, gfp_t gfp)
{
	u8 t = phys->gfp_zone_tab[gfp & 15];

	BUG_ON(t >= MM_MAX_NR_ZONES); /* e.g. DMA with HIGHMEM */
	return (enum zone_type)t;
}

enum migratetype gfp_migratetype(const struct phys *phys, gfp_t gfp)
{
	return (enum migratetype)
		phys->migratetype_tab[(gfp >> 3 & 1) | (gfp >> 18 & 2)];
}
_Static_assert(MM_GFP_MOVABLE == 1 << 3 && MM_GFP_RECLAIMABLE == 1 << 19, "shifts above");

const struct zonelist *node_zonelist(const struct phys *phys, unsigned nid, gfp_t gfp)
{
	enum zone_type t = gfp_zone(phys, gfp);

	return gfp & MM_GFP_THISNODE ? &phys->nodes[nid].node_thislists[t]
				     : &phys->nodes[nid].node_zonelists[t];
}

/* Leaks the page: its frame never comes back (spec 03 s6.1). */
static __attribute__((noinline)) void bad_page(struct phys *p, unsigned cpu, const struct page *page)
{
	count_vm_event(p->hw, cpu, EV_BAD_PAGES);
	phys_warn(p, "bad page: pfn %#x count %d mapcount %d mapping %#llx flags %#x",
		  page_to_pfn(p, page), page->_count, page->_mapcount,
		  (unsigned long long)page->mapping, page->flags & PAGE_FLAGS_MASK);
}

/* ---- watermarks ---- */

/* Spec 03 s4.1: room at every order below, at a mark halved with each. */
static bool watermark_ok_40(const struct zone *z, unsigned order, s64 free, s64 min, s64 reserve)
{
	unsigned top = top_order(z->phys);

	if (free <= min + reserve)
		return false;
	/* What the steps below leave is at least the top blocks: often that settles it. */
	if (((s64)RELAXED(z->free_area[top].nr_free) << top) - (1ll << order) >= min)
		return true;
	for (unsigned o = 0; o < order; o++) {
		free -= (s64)RELAXED(z->free_area[o].nr_free) << o;
		min >>= 1;
		if (free <= min)
			return false;
	}
	return true;
}

/* Since 4.4: one block of a usable list suffices. */
static bool watermark_ok_44(const struct zone *z, unsigned order, s64 free, s64 min, s64 reserve,
			    bool harder)
{
	if (free <= min + reserve)
		return false;
	if (!order)
		return true;
	for (unsigned o = order; o < z->phys->max_order; o++) {
		if (!RELAXED(z->free_area[o].nr_free))
			continue;
		if (harder)
			return true;
		for (unsigned mt = 0; mt < MIGRATE_PCPTYPES; mt++)
			if (free_list_first(z, o, mt) != PFN_NONE)
				return true;
	}
	return false;
}

MM_INLINE bool watermark_ok_with(const struct zone *z, unsigned order, u64 mark, unsigned classzone,
				 unsigned flags, s64 pages)
{
	s64 free = pages - ((1ll << order) - 1), min = (s64)mark;
	s64 reserve = (s64)z->lowmem_reserve[classzone];
	bool wmark44 = z->phys->wmark44;

	if (flags & ALLOC_HIGH)
		min -= min / 2;
	if (flags & ALLOC_HARDER)
		min -= min / 4;
	else if (wmark44)
		free -= (s64)RELAXED(z->nr_reserved_highatomic);
	if (wmark44)
		return watermark_ok_44(z, order, free, min, reserve, flags & ALLOC_HARDER);
	return watermark_ok_40(z, order, free, min, reserve);
}

static bool watermark_ok(const struct zone *z, unsigned order, u64 mark, unsigned classzone,
			 unsigned flags)
{
	return watermark_ok_with(z, order, mark, classzone, flags, RELAXED(z->vm_stat[NR_FREE_PAGES]));
}

bool zone_watermark_ok_with(const struct zone *zone, unsigned order, u64 mark,
			    enum zone_type classzone_idx, unsigned alloc_flags, u64 free_pages)
{
	return watermark_ok_with(zone, order, mark, classzone_idx, alloc_flags, (s64)free_pages);
}

bool zone_watermark_ok(const struct zone *zone, unsigned order, u64 mark,
		       enum zone_type classzone_idx, unsigned alloc_flags)
{
	return watermark_ok(zone, order, mark, classzone_idx, alloc_flags);
}

/* ---- taking pages out of one zone ---- */

static void zone_statistics(const struct phys *p, unsigned cpu, struct zone *preferred,
			    struct zone *z)
{
	s64 *here = z->pageset[cpu].numa, *wanted = preferred->pageset[cpu].numa;

#define COUNT(v, item) SET_RELAXED((v)[item - NR_NUMA_HIT], (v)[item - NR_NUMA_HIT] + 1)
	if (z->node == preferred->node) {
		COUNT(here, NR_NUMA_HIT);
	} else {
		COUNT(here, NR_NUMA_MISS);
		COUNT(wanted, NR_NUMA_FOREIGN);
	}
	if (z->node == p->cpu_node[cpu])
		COUNT(here, NR_NUMA_LOCAL);
	else
		COUNT(here, NR_NUMA_OTHER);
#undef COUNT
}

/* A block of order > 0, or one whose CPU lists may not be used: straight from the buddy. */
static struct page *rmqueue_block(struct zone *z, unsigned order, enum migratetype mt,
				  unsigned alloc_flags)
{
	enum migratetype got_mt;
	u32 frame, got = 0;

	zone_lock(z);
	if (z->phys->highatomic && (alloc_flags & ALLOC_HARDER))
		got = rmqueue_smallest(z, order, MIGRATE_HIGHATOMIC, 1, &frame);
	if (!got)
		got = rmqueue(z, order, mt, 1, &frame, &got_mt);
	if (got) {
		add_level(z, NR_FREE_PAGES, -(1ll << order));
		if (z->batch_mode == BATCH_PER_CPU) {
			add_level(z, NR_ALLOC_BATCH, -(1ll << order));
			if (z->vm_stat[NR_ALLOC_BATCH] <= 0)
				SET_RELAXED(z->flags, z->flags | ZONE_FAIR_DEPLETED);
		}
	}
	zone_unlock(z);
	return got ? &z->phys->memmap[frame] : NULL;
}

MM_INLINE struct page *rmqueue_pcp(struct zone *z, unsigned cpu, enum migratetype mt, bool cold)
{
	struct per_cpu_pages *pcp = &z->pageset[cpu];
	struct pcp_list *l = &pcp->lists[mt];
	u32 at;

	if (MM_UNLIKELY(!pcp_list_nr(l)) && !pcp_refill(z, cpu, mt, cold))
		return NULL;
	pcp->count--;
	at = cold ? --l->tail : l->head++;
	return pcp_entry_page(l->ring[at & l->mask]);
}

/* buffered_rmqueue of spec 03 s3.4, without the preparation of the page. */
MM_INLINE struct page *rmqueue_zone(struct phys *p, unsigned cpu, struct zone *preferred,
				    struct zone *z, gfp_t gfp, unsigned order, enum migratetype mt,
				    unsigned alloc_flags)
{
	struct page *page;

	if (MM_LIKELY(!order))
		page = rmqueue_pcp(z, cpu, mt, gfp & MM_GFP_COLD);
	else
		page = rmqueue_block(z, order, mt, alloc_flags);
	if (!page)
		return NULL;
	if (z->batch_mode == BATCH_EXACT) {
		z->vm_stat[NR_ALLOC_BATCH] -= 1ll << order;
		if (MM_UNLIKELY(z->vm_stat[NR_ALLOC_BATCH] <= 0))
			z->flags |= ZONE_FAIR_DEPLETED;
	} else if (z->batch_mode == BATCH_PER_CPU && !order) {
		SET_RELAXED(z->pageset[cpu].batch_taken, z->pageset[cpu].batch_taken + 1);
	}
	count_vm_events(p->hw, cpu, EV_PGALLOC_DMA + z->type, 1ull << order);
	if (MM_UNLIKELY(p->nr_nodes > 1))
		zone_statistics(p, cpu, preferred, z);
	return page;
}

static void clear_frame(struct phys *p, pfn_t pfn)
{
	struct hw *hw = p->hw;

	if (!p->smp) {
		hw_clear_frame(hw, pfn);
		return;
	}
	hw_frame_changed(hw, pfn);
	if (hw->tags)
		hw->tags[hw_frame(hw, pfn)] = 0;
	else
		memset(hw_pfn_ptr(hw, pfn), 0, 1ull << hw->page_shift);
}

void clear_pages(struct phys *p, struct page *page, unsigned order)
{
	for (u32 i = 0; i < 1u << order; i++)
		clear_frame(p, page_to_pfn(p, page + i));
}

static void prep_compound_page(const struct phys *p, const struct zone *z, struct page *page,
			       unsigned order)
{
	u32 zone_bits = z->fresh_flags;

	page->flags |= 1u << PG_head;
	for (u32 i = 1; i < 1u << order; i++) {
		page[i].flags = zone_bits | 1u << PG_tail;
		page[i].first_frame = page_frame(p, page);
	}
	page[1].index = order;
}

/* Something wrote to a page while it was free. */
MM_INLINE bool page_dirty_when_free(const struct page *page)
{
	return MM_UNLIKELY((page->flags & PAGE_FLAGS_MASK) | (u32)page->_count |
			   (u32)page->_mapcount) ||
	       MM_UNLIKELY(page->mapping);
}

/* Flags and _count in one store. */
MM_INLINE void set_fresh(struct page *page, u32 flags)
{
	struct { u32 flags; s32 count; } both = {flags, 1};

	_Static_assert(offsetof(struct page, _count) == 4, "flags and _count side by side");
	memcpy(page, &both, sizeof(both));
	page->private = 0;
}

/* Makes a fresh page the caller's; false if it is bad and another must be taken. */
MM_INLINE bool prep_new_page(struct phys *p, unsigned cpu, const struct zone *z, struct page *page,
			     unsigned order, gfp_t gfp, unsigned alloc_flags)
{
	if (MM_UNLIKELY(page_dirty_when_free(page))) {
		bad_page(p, cpu, page);
		return false;
	}
#if MM_DEBUG >= 1
	for (u32 i = 1; i < 1u << order; i++)
		BUG_ON(page_dirty_when_free(&page[i]));
#endif
	set_fresh(page, z->fresh_flags);
	if (MM_UNLIKELY(gfp & (MM_GFP_ZERO | MM_GFP_COMP))) {
		if (gfp & MM_GFP_ZERO)
			clear_pages(p, page, order);
		if ((gfp & MM_GFP_COMP) && order)
			prep_compound_page(p, z, page, order);
	}
	if (MM_UNLIKELY(alloc_flags & ALLOC_NO_WATERMARKS))
		page->flags |= PAGE_PFMEMALLOC;
	return true;
}

/* ---- choosing the zone (spec 03 s4) ---- */

/* One pass over the zonelist. *@skipped counts zones left out by FAIR. */
MM_INLINE struct page *walk_zonelist(struct phys *p, unsigned cpu, gfp_t gfp, unsigned order,
				     const struct zonelist *zl, enum migratetype mt,
				     unsigned alloc_flags, unsigned *skipped)
{
	struct zone *preferred = zl->zones[0];

	for (u32 i = 0; i < zl->nr; i++) {
		struct zone *z = zl->zones[i];
		struct page *page;

		if (alloc_flags & ALLOC_FAIR) {
			if (z->node != preferred->node)
				break;
			if (MM_UNLIKELY(RELAXED(z->flags) & ZONE_FAIR_DEPLETED)) {
				++*skipped;
				continue;
			}
		}
		if (!watermark_ok(z, order, z->watermark[alloc_flags & ALLOC_WMARK_MASK],
				  preferred->type, alloc_flags) &&
		    !(alloc_flags & ALLOC_NO_WATERMARKS))
			continue;
		do {
			page = rmqueue_zone(p, cpu, preferred, z, gfp, order, mt, alloc_flags);
			if (!page)
				break;
		} while (MM_UNLIKELY(!prep_new_page(p, cpu, z, page, order, gfp, alloc_flags)));
		if (!page)
			continue;
		if (MM_UNLIKELY(order && (alloc_flags & ALLOC_HARDER) && p->highatomic))
			reserve_highatomic_pageblock(z, page_frame(p, page));
		return page;
	}
	return NULL;
}

static struct page *freelist_pages(struct phys *p, unsigned cpu, gfp_t gfp, unsigned order,
				   const struct zonelist *zl, enum migratetype mt,
				   unsigned alloc_flags)
{
	unsigned skipped = 0;
	struct page *page;

	if (!zl->nr)
		return NULL;
	page = walk_zonelist(p, cpu, gfp, order, zl, mt, alloc_flags, &skipped);
	if (page || !(alloc_flags & ALLOC_FAIR))
		return page;
	if (!skipped && p->nr_nodes == 1)
		return NULL;
	if (skipped)
		reset_alloc_batches(zl->zones[0]);
	return walk_zonelist(p, cpu, gfp, order, zl, mt, alloc_flags & ~ALLOC_FAIR, &skipped);
}

struct page *get_page_from_freelist(struct alloc_context *ac, unsigned alloc_flags)
{
	return freelist_pages(ac->phys, ac->cpu, ac->gfp, ac->order, ac->zonelist, ac->migratetype,
			      alloc_flags);
}

/* ---- slow path (spec 03 s8) ---- */

unsigned gfp_to_alloc_flags(const struct phys *phys, unsigned cpu, gfp_t gfp)
{
	const struct phys_cpu *c = &phys->cpus[cpu];
	bool atomic = !(gfp & (MM_GFP_WAIT | MM_GFP_NO_KSWAPD));
	unsigned flags = ALLOC_WMARK_MIN | ALLOC_CPUSET | (gfp & MM_GFP_HIGH ? ALLOC_HIGH : 0);

	if (atomic) {
		if (!(gfp & MM_GFP_NOMEMALLOC))
			flags |= ALLOC_HARDER;
		flags &= ~ALLOC_CPUSET;
	} else if (c->rt_task && !in_interrupt(phys->hw, cpu)) {
		flags |= ALLOC_HARDER;
	}
	if (!(gfp & MM_GFP_NOMEMALLOC) &&
	    ((gfp & MM_GFP_MEMALLOC) || (!in_interrupt(phys->hw, cpu) && (c->pf_memalloc || c->tif_memdie))))
		flags |= ALLOC_NO_WATERMARKS;
	return flags;
}

static struct page *try_hard(struct alloc_context *ac)
{
	const struct phys_cpu *c = &ac->phys->cpus[ac->cpu];
	struct phys *p = ac->phys;
	struct page *page;

	for (;;) {
		if (p->on_pressure && !(ac->gfp & MM_GFP_NO_KSWAPD))
			p->on_pressure(p->on_pressure_self, ac, PRESSURE_WAKE);
		ac->alloc_flags = gfp_to_alloc_flags(p, ac->cpu, ac->gfp);
		page = get_page_from_freelist(ac, ac->alloc_flags & ~ALLOC_NO_WATERMARKS);
		if (!page && (ac->alloc_flags & ALLOC_NO_WATERMARKS))
			page = get_page_from_freelist(ac, ac->alloc_flags);
		if (page)
			return page;
		if (!(ac->gfp & MM_GFP_WAIT)) {
			if (ac->gfp & MM_GFP_NOFAIL)
				phys_warn(p, "NOFAIL allocation that may not wait");
			return NULL;
		}
		if (c->pf_memalloc || (c->tif_memdie && !(ac->gfp & MM_GFP_NOFAIL)) ||
		    !p->on_pressure)
			return NULL;
		switch (p->on_pressure(p->on_pressure_self, ac, PRESSURE_RECLAIM)) {
		case PRESSURE_PAGE:
			return ac->page;
		case PRESSURE_FAIL:
			return NULL;
		case PRESSURE_RETRY:
			ac->tries++;
		}
	}
}

static __attribute__((noinline)) struct page *slow_path(struct phys *p, unsigned cpu, gfp_t gfp,
							 unsigned order, const struct zonelist *zl,
							 enum migratetype mt)
{
	struct alloc_context ac = {
		.phys = p, .cpu = cpu, .gfp = gfp, .order = order, .migratetype = mt,
		.zonelist = zl, .high_zoneidx = gfp_zone(p, gfp),
	};
	struct page *page = NULL;

	if (zl->nr && order < p->max_order) {
		ac.preferred_zone = zl->zones[0];
		ac.classzone_idx = (enum zone_type)zl->zones[0]->type;
		page = try_hard(&ac);
	}
	if (!page)
		warn_alloc_failed(&ac);
	return page;
}

/* Fault injection of the tests: the fail_nth-th allocation from now on fails. */
static bool inject_failure(struct phys *p)
{
	return !--p->fail_nth;
}

MM_INLINE struct page *alloc_on_node(struct phys *p, unsigned cpu, unsigned nid, gfp_t gfp,
				     unsigned order)
{
	const struct zonelist *zl = node_zonelist(p, nid, gfp);
	enum migratetype mt = gfp_migratetype(p, gfp);
	struct page *page = NULL;

	if (MM_UNLIKELY(p->fail_nth) && inject_failure(p))
		return NULL;
	if (MM_UNLIKELY((gfp & (MM_GFP_MOVABLE | MM_GFP_RECLAIMABLE)) ==
			(MM_GFP_MOVABLE | MM_GFP_RECLAIMABLE)))
		phys_warn(p, "gfp flags both movable and reclaimable");
	if (!p->smp)
		charge(p->hw, COST_PAGE_ALLOC);
	if (MM_LIKELY(order < p->max_order))
		page = freelist_pages(p, cpu, gfp, order, zl, mt, p->fast_alloc_flags);
	return MM_LIKELY(page) ? page : slow_path(p, cpu, gfp, order, zl, mt);
}

static __attribute__((noinline)) struct page *alloc_here(struct phys *p, unsigned cpu, gfp_t gfp,
							  unsigned order)
{
	return alloc_on_node(p, cpu, p->cpu_node[cpu], gfp, order);
}

#define FAST_EXCLUDED                                                                              \
	((gfp_t)(MM_GFP_COLD | MM_GFP_ZERO | MM_GFP_THISNODE | MM_GFP_RECLAIMABLE | MM_GFP_COMP))

MM_INLINE void take_batch(struct zone *z, s64 pages)
{
	z->vm_stat[NR_ALLOC_BATCH] -= pages;
	if (MM_UNLIKELY(z->vm_stat[NR_ALLOC_BATCH] <= 0))
		z->flags |= ZONE_FAIR_DEPLETED;
}

/*
 * The zone may be used as far as FAIR goes. Where it is the only one, the pass that skips it would
 * just refill its batch and come back: done here at once.
 */
MM_INLINE bool fair_allows(struct zone *z, bool alone)
{
	if (MM_LIKELY(!(RELAXED(z->flags) & ZONE_FAIR_DEPLETED)))
		return true;
	if (!alone || z->smp)
		return false;
	z->vm_stat[NR_ALLOC_BATCH] = (s64)(z->watermark[WMARK_HIGH] - z->watermark[WMARK_LOW]);
	z->flags &= ~(u32)ZONE_FAIR_DEPLETED;
	return true;
}

/*
 * The same for blocks: the preferred zone far above its mark, and a block of the type at hand no
 * larger than needed but for one split after the other.
 */
static __attribute__((noinline)) struct page *alloc_block(struct phys *p, unsigned cpu, gfp_t gfp,
							   unsigned order)
{
	const struct fast_choice *f = &p->cpus[cpu].fast[gfp & 15];
	struct zone *z = f->from.zone;
	s64 mark, free, size = 1ll << order;
	struct page *page;
	unsigned o, mt;
	u32 frame = 0, head;

	if (MM_UNLIKELY(gfp & FAST_EXCLUDED) ||
	    MM_UNLIKELY((p->fail_nth != 0) | (order > z->top) | z->smp))
		return alloc_here(p, cpu, gfp, order);
	mark = (s64)(z->watermark[WMARK_LOW] + z->nr_reserved_highatomic) + size;
	free = z->vm_stat[NR_FREE_PAGES];
	if (MM_UNLIKELY(free <= mark) ||
	    MM_UNLIKELY(((s64)z->free_area[z->top].nr_free << z->top) <= mark) ||
	    MM_UNLIKELY(!fair_allows(z, f->alone)))
		return alloc_here(p, cpu, gfp, order);
	mt = p->migratetype_tab[gfp >> 3 & 1];
	head = z->head_base + mt;
	for (o = order; o < z->top; o++) {
		frame = page_link(z->memmap, head + o * 8)->next;
		if (frame != head + o * 8)
			break;
	}
	struct buddy_view v = view_of(z);

	if (o == v.top) {
		frame = p->top_links[z->top_head_base + mt].next;
		if (frame == z->top_head_base + mt)
			return alloc_here(p, cpu, gfp, order);
		frame <<= o;
	}
	page = &v.map[frame];
	if (MM_UNLIKELY(MM_DEBUG || page_dirty_when_free(page)))
		return alloc_here(p, cpu, gfp, order);
	if (o == v.top)
		top_list_del(&v, frame);
	else
		low_list_del(&v, frame, o);
	while (o > order) {
		o--;
		low_list_add(&v, frame + (1u << o), o, (enum migratetype)mt, false);
	}
	z->vm_stat[NR_FREE_PAGES] = free - size;
	*f->from.pgalloc += (u64)size;
	if (z->batch_mode == BATCH_EXACT)
		take_batch(z, size);
	charge(p->hw, COST_PAGE_ALLOC);
	set_fresh(page, z->fresh_flags);
	return page;
}

/*
 * The head (COLD: tail) of the CPU's list, with all that a fresh page needs (rmqueue_zone and
 * prep_new_page). The list is not empty; a page that something wrote to goes the long way, which
 * reports it.
 */
MM_INLINE struct page *take_listed(struct phys *p, unsigned cpu, gfp_t gfp,
				   const struct page_source *from, bool cold)
{
	struct pcp_list *l = from->list;
	struct zone *z = from->zone;
	u32 at = cold ? l->tail - 1 : l->head;
	struct page *page = pcp_entry_page(l->ring[at & l->mask]);

	if (MM_UNLIKELY(page_dirty_when_free(page)))
		return alloc_here(p, cpu, gfp, 0);
	if (cold)
		l->tail = at;
	else
		l->head = at + 1;
	from->pcp->count--;
	++*from->pgalloc;
	set_fresh(page, z->fresh_flags);
	if (MM_UNLIKELY(z->smp)) {
		if (z->batch_mode == BATCH_PER_CPU)
			SET_RELAXED(from->pcp->batch_taken, from->pcp->batch_taken + 1);
		return page;
	}
	if (MM_LIKELY(z->batch_mode == BATCH_EXACT))
		take_batch(z, 1);
	charge(p->hw, COST_PAGE_ALLOC);
	return page;
}

static __attribute__((noinline)) struct page *alloc_refilled(struct phys *p, unsigned cpu, gfp_t gfp,
							      const struct page_source *from)
{
	bool cold = gfp & MM_GFP_COLD;

	if (!pcp_refill(from->zone, cpu, gfp_migratetype(p, gfp), cold))
		return alloc_here(p, cpu, gfp, 0);
	return take_listed(p, cpu, gfp, from, cold);
}

/*
 * FAIR's share of the preferred zone is used up: the next of its node that has some left and is above
 * its mark, its reserve against the preferred one included.
 */
static __attribute__((noinline)) struct page *alloc_depleted(struct phys *p, unsigned cpu, gfp_t gfp,
							      const struct fast_choice *f)
{
	const struct zonelist *zl = f->zonelist;
	struct page_source from = f->from;

	if (!fair_allows(from.zone, f->alone)) {
		struct zone *z;
		u32 i = 1;

		while (i < zl->nr && RELAXED(zl->zones[i]->flags) & ZONE_FAIR_DEPLETED)
			i++;
		if (i == zl->nr)
			return alloc_here(p, cpu, gfp, 0); /* which begins a new round */
		z = zl->zones[i];
		if ((s64)(z->watermark[WMARK_LOW] + z->lowmem_reserve[from.zone->type] +
			  RELAXED(z->nr_reserved_highatomic)) >= RELAXED(z->vm_stat[NR_FREE_PAGES]))
			return alloc_here(p, cpu, gfp, 0);
		from = page_source_of(p, cpu, z, p->migratetype_tab[gfp >> 3 & 1]);
	}
	if (from.list->head == from.list->tail)
		return alloc_refilled(p, cpu, gfp, &from);
	return take_listed(p, cpu, gfp, &from, gfp & MM_GFP_COLD);
}

/*
 * The common case spelled out: the preferred zone above its low mark, a page on the CPU's list.
 * Everything else, and every doubt, goes the long way, which does the same and more; all ways out
 * are tail calls, so that the common case needs no stack frame.
 */
MM_INLINE struct page *alloc_fast(struct phys *p, unsigned cpu, gfp_t gfp,
				  const struct fast_choice *f, bool cold)
{
	const struct zone *z = f->from.zone;

	/* The preferred zone reserves nothing against itself: no lowmem_reserve here. */
	if (MM_UNLIKELY(p->fail_nth) ||
	    MM_UNLIKELY((s64)(z->watermark[WMARK_LOW] + RELAXED(z->nr_reserved_highatomic)) >=
			RELAXED(z->vm_stat[NR_FREE_PAGES])))
		return alloc_here(p, cpu, gfp, 0);
	if (MM_UNLIKELY(RELAXED(z->flags) & ZONE_FAIR_DEPLETED))
		return alloc_depleted(p, cpu, gfp, f);
	if (MM_UNLIKELY(f->from.list->head == f->from.list->tail))
		return alloc_refilled(p, cpu, gfp, &f->from);
	return take_listed(p, cpu, gfp, &f->from, cold);
}

/* Order 0 with rarer flags: of them, COLD alone has a short way. */
static __attribute__((noinline)) struct page *alloc_flagged(struct phys *p, unsigned cpu, gfp_t gfp)
{
	if ((gfp & FAST_EXCLUDED) != MM_GFP_COLD)
		return alloc_here(p, cpu, gfp, 0);
	return alloc_fast(p, cpu, gfp, &p->cpus[cpu].fast[gfp & 15], true);
}

struct page *alloc_pages(struct phys *phys, unsigned cpu, gfp_t gfp, unsigned order)
{
	cpu_might_sleep_if(gfp & MM_GFP_WAIT, phys->hw, cpu);
	if (MM_UNLIKELY(order))
		return alloc_block(phys, cpu, gfp, order);
	if (MM_UNLIKELY(gfp & FAST_EXCLUDED))
		return alloc_flagged(phys, cpu, gfp);
	return alloc_fast(phys, cpu, gfp, &phys->cpus[cpu].fast[gfp & 15], false);
}

struct page *alloc_pages_node(struct phys *phys, unsigned cpu, int nid, gfp_t gfp, unsigned order)
{
	cpu_might_sleep_if(gfp & MM_GFP_WAIT, phys->hw, cpu);
	BUG_ON(nid >= (int)phys->nr_nodes);
	return alloc_on_node(phys, cpu, nid < 0 ? phys->cpu_node[cpu] : (unsigned)nid, gfp, order);
}

unsigned alloc_pages_bulk(struct phys *phys, unsigned cpu, gfp_t gfp, unsigned n,
			  struct page **pages)
{
	unsigned i;

	cpu_might_sleep_if(gfp & MM_GFP_WAIT, phys->hw, cpu);
	for (i = 0; i < n; i++) {
		pages[i] = alloc_pages(phys, cpu, gfp, 0);
		if (!pages[i])
			break;
	}
	return i;
}

/* ---- freeing (spec 03 s6) ---- */

/* What must hold of a page that nobody uses any more; anonymous mappings were reset. */
MM_INLINE bool page_bad_to_free(const struct page *page)
{
	return (page->flags & FLAGS_CHECKED) | (u32)page->_count | (u32)page->_mapcount |
	       (page->mapping != 0);
}

/* Takes a compound page apart. False if head and tails do not match. */
static bool destroy_compound(const struct phys *p, struct page *page, unsigned order)
{
	if (compound_order(page) != order)
		return false;
	page->flags &= ~(1u << PG_head);
	for (u32 i = 1; i < 1u << order; i++) {
		if (!PageTail(&page[i]) || page[i].first_frame != page_frame(p, page))
			return false;
		page[i].flags &= ~(1u << PG_tail);
		page[i].first_frame = 0;
	}
	page[1].index = 0;
	return true;
}

/* Checks and cleans; false: the page is bad and leaked. */
MM_INLINE bool free_prepare(struct phys *p, unsigned cpu, struct page *page, unsigned order)
{
	if (page->mapping & PAGE_MAPPING_ANON)
		page->mapping = 0;
	if (MM_UNLIKELY(page->flags & (1u << PG_head | 1u << PG_tail)) &&
	    (PageTail(page) || !destroy_compound(p, page, order))) {
		bad_page(p, cpu, page);
		return false;
	}
	if (MM_UNLIKELY(page_bad_to_free(page))) {
		bad_page(p, cpu, page);
		return false;
	}
	page->flags &= ~(PAGE_FLAGS_MASK | PAGE_PFMEMALLOC);
	return true;
}

/* The other pages of a block: checked always for small orders, at debug levels for all. */
static bool free_prepare_tails(struct phys *p, unsigned cpu, struct page *page, unsigned order)
{
	bool ok = true;

	if (order > 3 && !MM_DEBUG)
		return true;
	for (u32 i = 1; i < 1u << order; i++) {
		if (page_bad_to_free(&page[i])) {
			bad_page(p, cpu, &page[i]);
			ok = false;
		}
		page[i].flags &= ~(PAGE_FLAGS_MASK | PAGE_PFMEMALLOC);
	}
	return ok;
}

static void free_to_buddy(struct zone *z, u32 frame, unsigned order, enum migratetype mt)
{
	zone_lock(z);
	if (z->vm_stat[NR_PAGES_SCANNED])
		add_level(z, NR_PAGES_SCANNED, -z->vm_stat[NR_PAGES_SCANNED]);
	if (MM_UNLIKELY(z->nr_isolate_pageblocks))
		mt = frame_pageblock_type(z->phys, frame);
	free_one_block(z, frame, order, mt);
	zone_unlock(z);
}

/* Order 0, already prepared: onto the CPU's list, or into the buddy (spec 03 s6.2). */
static __attribute__((noinline)) void free_to_pcp(struct phys *p, unsigned cpu, struct page *page,
						   bool cold)
{
	u32 frame = page_frame(p, page);
	struct zone *z = page_zone(p, page);
	struct per_cpu_pages *pcp = &z->pageset[cpu];
	enum migratetype mt = frame_pageblock_type(p, frame);
	u64 entry = (uintptr_t)page | mt;
	struct pcp_list *l;

	count_vm_event(p->hw, cpu, EV_PGFREE);
	if (MM_UNLIKELY(mt >= MIGRATE_PCPTYPES)) {
		if (mt == MIGRATE_ISOLATE) {
			free_to_buddy(z, frame, 0, mt);
			return;
		}
		mt = MIGRATE_MOVABLE; /* its list; the entry keeps the type */
	}
	p->cpus[cpu].last_slot = z->slot + 1u;
	p->cpus[cpu].last_pcp = pcp;
	l = &pcp->lists[mt];
	if (cold)
		l->ring[l->tail++ & l->mask] = entry;
	else
		l->ring[--l->head & l->mask] = entry;
	if (++pcp->count >= pcp->high)
		pcp_bulk_free(z, cpu, pcp->batch);
}

/*
 * The common case of free_to_pcp() with what it looks up predicted instead: same zone as last time,
 * a page of a MOVABLE or UNMOVABLE block. The branches keep the loads off the critical path from
 * this free to the next allocation of the page.
 */
MM_INLINE bool free_fast(struct phys *p, unsigned cpu, struct page *page, bool cold)
{
	const struct phys_cpu *c = &p->cpus[cpu];
	struct per_cpu_pages *pcp = c->last_pcp;
	u64 entry = (uintptr_t)page;
	struct pcp_list *l;
	u8 mt;

	if (MM_UNLIKELY(page->flags >> PAGE_ZONE_SHIFT != c->last_slot))
		return false;
	mt = RELAXED(p->pageblock[page_frame(p, page) >> p->pageblock_order]) & PAGEBLOCK_TYPE;
	if (mt == MIGRATE_MOVABLE) {
		l = &pcp->lists[MIGRATE_MOVABLE];
		entry |= MIGRATE_MOVABLE;
	} else if (mt == MIGRATE_UNMOVABLE) {
		l = &pcp->lists[MIGRATE_UNMOVABLE];
	} else {
		return false;
	}
	if (MM_UNLIKELY(pcp->count + 1 >= pcp->high))
		return false;
	pcp->count++;
	if (cold)
		l->ring[l->tail++ & l->mask] = entry;
	else
		l->ring[--l->head & l->mask] = entry;
	c->events[EV_PGFREE]++;
	return true;
}

static __attribute__((noinline)) void free_order0_checked(struct phys *p, unsigned cpu,
							   struct page *page, bool cold)
{
	if (free_prepare(p, cpu, page, 0))
		free_to_pcp(p, cpu, page, cold);
}

/* Order 0, count 0. */
MM_INLINE void free_order0(struct phys *p, unsigned cpu, struct page *page, bool cold)
{
	if (MM_UNLIKELY((page->flags & (FLAGS_CHECKED | 1u << PG_head | 1u << PG_tail)) |
			(u32)page->_mapcount) ||
	    (page->mapping && !(page->mapping & PAGE_MAPPING_ANON))) {
		free_order0_checked(p, cpu, page, cold);
		return;
	}
	if (page->mapping)
		page->mapping = 0;
	page->flags &= ~(PAGE_FLAGS_MASK | PAGE_PFMEMALLOC);
	if (!free_fast(p, cpu, page, cold))
		free_to_pcp(p, cpu, page, cold);
}

static __attribute__((noinline)) void free_block_checked(struct phys *p, unsigned cpu,
							  struct page *page, unsigned order)
{
	u32 frame = page_frame(p, page);
	struct zone *z = page_zone(p, page);

	if (!free_prepare(p, cpu, page, order) || !free_prepare_tails(p, cpu, page, order))
		return;
	count_vm_events(p->hw, cpu, EV_PGFREE, 1ull << order);
	free_to_buddy(z, frame, order, frame_pageblock_type(p, frame));
}

/* The common case of the above in one piece: a large plain block, nothing else going on. */
static __attribute__((noinline)) void free_block(struct phys *p, unsigned cpu, struct page *page,
						  unsigned order)
{
	u32 frame = page_frame(p, page), slot = page->flags >> PAGE_ZONE_SHIFT;
	const struct phys_cpu *c = &p->cpus[cpu];
	struct zone *z = c->last_block_zone;

	if (MM_UNLIKELY(order <= 3 || MM_DEBUG || slot != c->last_block_slot) ||
	    MM_UNLIKELY((page->flags & (FLAGS_CHECKED | 1u << PG_head | 1u << PG_tail)) |
			(u32)page->_mapcount | (page->mapping != 0)) ||
	    MM_UNLIKELY(z->smp | (z->nr_isolate_pageblocks != 0) |
			(z->vm_stat[NR_PAGES_SCANNED] != 0))) {
		p->cpus[cpu].last_block_slot = slot;
		p->cpus[cpu].last_block_zone = page_zone(p, page);
		free_block_checked(p, cpu, page, order);
		return;
	}
	page->flags &= ~(PAGE_FLAGS_MASK | PAGE_PFMEMALLOC);
	c->events[EV_PGFREE] += 1ull << order;
	free_one_block(z, frame, order, frame_pageblock_type(p, frame));
}

void free_hot_cold_page(struct phys *phys, unsigned cpu, struct page *page, bool cold)
{
	if (MM_UNLIKELY(page->_count))
		bad_page(phys, cpu, page);
	else if (cold)
		free_order0(phys, cpu, page, true);
	else
		free_order0(phys, cpu, page, false);
}

void free_pages_page(struct phys *phys, unsigned cpu, struct page *page, unsigned order)
{
	s32 count = page->_count;

	if (MM_UNLIKELY(count != 1)) {
		if (count > 1)
			page->_count = count - 1;
		else
			bad_page(phys, cpu, page); /* freed before */
		return;
	}
	page->_count = 0;
	if (MM_UNLIKELY(order))
		free_block(phys, cpu, page, order);
	else
		free_order0(phys, cpu, page, false);
}

#define FREE_AHEAD 16u /* pages: what a miss takes, in frees of pages at hand */

void free_pages_bulk(struct phys *phys, unsigned cpu, struct page *const *pages, unsigned n)
{
	for (unsigned i = 0; i < mm_min(n, FREE_AHEAD); i++)
		__builtin_prefetch(pages[i], 1);
	for (unsigned i = 0; i < n; i++) {
		if (i + FREE_AHEAD < n)
			__builtin_prefetch(pages[i + FREE_AHEAD], 1);
		free_pages_page(phys, cpu, pages[i], 0);
	}
}

void put_page(struct phys *phys, unsigned cpu, struct page *page)
{
	page = compound_head(phys, page);
	free_pages_page(phys, cpu, page, compound_order(page));
}

/* ---- addresses (spec 03 s9) ---- */

void *get_free_pages(struct phys *phys, unsigned cpu, gfp_t gfp, unsigned order)
{
	struct page *page;

	BUG_ON(gfp & MM_GFP_HIGHMEM); /* has no address */
	page = alloc_pages(phys, cpu, gfp, order);
	return page ? page_address(phys, page) : NULL;
}

void *get_zeroed_page(struct phys *phys, unsigned cpu, gfp_t gfp)
{
	return get_free_pages(phys, cpu, gfp | MM_GFP_ZERO, 0);
}

void free_pages(struct phys *phys, unsigned cpu, void *addr, unsigned order)
{
	if (addr)
		free_pages_page(phys, cpu, virt_to_page(phys, addr), order);
}

void split_page(struct phys *phys, struct page *page, unsigned order)
{
	BUG_ON(PageCompound(page) || page->_count != 1);
	(void)phys;
	for (u32 i = 1; i < 1u << order; i++) {
		page[i].flags = page->flags & ~PAGE_FLAGS_MASK;
		page[i]._count = 1;
	}
}

void *alloc_pages_exact(struct phys *phys, unsigned cpu, u64 size, gfp_t gfp)
{
	u64 pages = (size + (1ull << phys->page_shift) - 1) >> phys->page_shift;
	unsigned order = pages > 1 ? mm_fls(pages - 1) : 0;
	struct page *page;

	BUG_ON(gfp & (MM_GFP_HIGHMEM | MM_GFP_COMP));
	page = alloc_pages(phys, cpu, gfp, order);
	if (!page)
		return NULL;
	split_page(phys, page, order);
	for (u64 i = pages; i < 1ull << order; i++)
		free_pages_page(phys, cpu, &page[i], 0);
	return page_address(phys, page);
}

void free_pages_exact(struct phys *phys, unsigned cpu, void *addr, u64 size)
{
	u64 pages = (size + (1ull << phys->page_shift) - 1) >> phys->page_shift;
	struct page *page;

	if (!addr)
		return;
	page = virt_to_page(phys, addr);
	for (u64 i = 0; i < pages; i++)
		free_pages_page(phys, cpu, &page[i], 0);
}

/* ---- for compaction ---- */

unsigned split_free_page(struct phys *phys, struct page *page)
{
	struct zone *z = page_zone(phys, page);
	u32 frame = page_frame(phys, page);
	unsigned order;

	if (!page_buddy(phys, frame, &order))
		return 0;
	if (frame_pageblock_type(phys, frame) != MIGRATE_ISOLATE) {
		if (!watermark_ok(z, 0, z->watermark[WMARK_LOW] + (1u << order), 0, 0))
			return 0;
		add_level(z, NR_FREE_PAGES, -(1ll << order));
	}
	zone_lock(z);
	free_list_del(z, frame, order);
	if (order + 1 >= phys->pageblock_order) {
		for (u32 f = frame; f < frame + (1u << order); f += 1u << phys->pageblock_order) {
			enum migratetype mt = frame_pageblock_type(phys, f);

			if (mt != MIGRATE_ISOLATE && mt != MIGRATE_CMA)
				set_block_type(phys, f, MIGRATE_MOVABLE);
		}
	}
	zone_unlock(z);
	page->flags = z->fresh_flags;
	page->_count = 1;
	split_page(phys, page, order);
	return 1u << order;
}

void for_each_free_block(const struct zone *zone, unsigned order, enum migratetype mt,
			 void (*fn)(void *arg, u32 frame), void *arg)
{
	const struct phys *p = zone->phys;
	u32 head = free_list_head(zone, order, mt), id;
	bool top = order == top_order(p);

	for (id = top ? p->top_links[head].next : page_link(p->memmap, head)->next; id != head;) {
		u32 next = top ? p->top_links[id].next : page_link(p->memmap, id)->next;

		fn(arg, top ? id << order : id);
		id = next;
	}
}
