/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/phys/lru_gen_lists.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "core/base/bits.h"
#include "core/phys/lru.h"

/* ---- structures ---- */

static struct lru_gen *gen_new(const struct lru *lru)
{
	struct lru_gen *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->max_seq = MIN_NR_GENS + 1;
	for (unsigned gen = 0; gen < MAX_NR_GENS; gen++) {
		g->birth[gen] = lru->phys->hw->now;
		for (unsigned type = 0; type < ANON_AND_FILE; type++)
			for (unsigned z = 0; z < MM_MAX_NR_ZONES; z++)
				plist_init(&g->lists[gen][type][z]);
	}
	return g;
}

int lru_gen_init(struct lru *lru)
{
	for (unsigned i = 0; i < lru->phys->nr_zones; i++) {
		struct zone *z = &lru->phys->zones[i];
		struct lruvec *v = zone_lruvec(lru, z);

		if (!v->gen && !(v->gen = gen_new(lru)))
			return -ENOMEM;
		v->gen->zones[z->type] = z;
	}
	return 0;
}

void lru_gen_destroy(struct lru *lru)
{
	for (unsigned i = 0; i < lru->phys->nr_zones; i++) {
		struct lruvec *v = zone_lruvec(lru, &lru->phys->zones[i]);

		free(v->gen);
		v->gen = NULL;
	}
}

/* ---- pages and lists ---- */

/* The youngest two generations count as active. */
static bool gen_is_active(const struct lru_gen *g, unsigned gen)
{
	return gen == gen_of_seq(g->max_seq) || gen == gen_of_seq(g->max_seq - 1);
}

static enum zone_stat_item size_item(unsigned type, bool active)
{
	return (enum zone_stat_item)((type == LRU_GEN_FILE ? NR_INACTIVE_FILE : NR_INACTIVE_ANON) + active);
}

/* Counts a page of @z that came (@to) or went (@from), in generations of @g; -1: on no list. */
static void mod_size(const struct lru_gen *g, struct zone *z, unsigned type, int from, int to)
{
	bool was = from >= 0 && gen_is_active(g, (unsigned)from), is = to >= 0 && gen_is_active(g, (unsigned)to);

	if (from >= 0 && to >= 0 && was == is)
		return;
	if (from >= 0)
		mod_zone_page_state(z, size_item(type, was), -1);
	if (to >= 0)
		mod_zone_page_state(z, size_item(type, is), 1);
}

static void set_page_gen(struct page *p, unsigned gen)
{
	p->flags = (p->flags & ~PAGE_GEN_MASK) | (gen + 1) << PAGE_GEN_SHIFT;
}

static void link_gen(const struct lru *lru, struct page_list *l, struct page *p, bool tail)
{
	if (tail)
		plist_add_tail(lru->phys->memmap, l, p);
	else
		plist_add_head(lru->phys->memmap, l, p);
}

bool lru_gen_add(struct lru *lru, struct page *p, bool tail)
{
	struct lru_gen *g = page_lruvec(lru, p)->gen;
	unsigned type = page_is_file_cache(p), gen;
	struct zone *z = page_zone(lru->phys, p);

	if (PageUnevictable(p))
		return false;
	VM_BUG_ON(page_lru_gen(p) >= 0);
	if (PageActive(p))
		gen = gen_of_seq(g->max_seq);
	else if ((type == LRU_GEN_ANON && !PageSwapCache(p)) ||
		 (PageReclaim(p) && (PageDirty(p) || PageWriteback(p))))
		gen = gen_of_seq(g->min_seq[type] + 1);
	else
		gen = gen_of_seq(g->min_seq[type]);
	ClearPageActive(p);
	set_page_gen(p, gen);
	link_gen(lru, &g->lists[gen][type][z->type], p, tail);
	mod_size(g, z, type, -1, (int)gen);
	return true;
}

/* Off its list; was it one of the youngest two? */
static bool unlink_gen(struct lru *lru, struct page *p)
{
	struct lru_gen *g = page_lruvec(lru, p)->gen;
	unsigned gen = (unsigned)page_lru_gen(p), type = page_is_file_cache(p);
	struct zone *z = page_zone(lru->phys, p);

	plist_del(lru->phys->memmap, &g->lists[gen][type][z->type], p);
	p->flags &= ~PAGE_GEN_MASK;
	mod_size(g, z, type, (int)gen, -1);
	return gen_is_active(g, gen);
}

bool lru_gen_del(struct lru *lru, struct page *p)
{
	if (page_lru_gen(p) < 0)
		return false;
	if (unlink_gen(lru, p))
		SetPageActive(p);
	return true;
}

void lru_gen_isolate(struct lru *lru, struct page *p)
{
	VM_BUG_ON(!PageLRU(p) || page_lru_gen(p) < 0);
	ClearPageLRU(p);
	unlink_gen(lru, p);
}

void lru_gen_move(struct lru *lru, struct page *p, unsigned gen, bool tail)
{
	struct lru_gen *g = page_lruvec(lru, p)->gen;
	unsigned old = (unsigned)page_lru_gen(p), type = page_is_file_cache(p);
	struct zone *z = page_zone(lru->phys, p);

	plist_del(lru->phys->memmap, &g->lists[old][type][z->type], p);
	p->flags = (p->flags & ~(PAGE_GEN_MASK | PAGE_LRU_TIER)) | (gen + 1) << PAGE_GEN_SHIFT;
	link_gen(lru, &g->lists[gen][type][z->type], p, tail);
	mod_size(g, z, type, (int)old, (int)gen);
}

bool lru_gen_promote(struct lru *lru, struct page *p)
{
	unsigned youngest = gen_of_seq(page_lruvec(lru, p)->gen->max_seq);

	if (page_lru_gen(p) < 0) { /* isolated, or still in a batch: for who puts it on a list */
		SetPageReferenced(p);
		return false;
	}
	if ((unsigned)page_lru_gen(p) == youngest)
		return false;
	lru_gen_move(lru, p, youngest, false);
	count_vm_event(lru->phys->hw, lru->phys->hw->cpu, EV_LRU_GEN_PROMOTED);
	return true;
}

void lru_gen_inc_refs(struct page *p)
{
	if (PageUnevictable(p))
		return;
	if (!PageReferenced(p))
		SetPageReferenced(p);
	else if (!PageWorkingset(p))
		SetPageWorkingset(p);
	else if (!PageArch1(p))
		SetPageArch1(p);
	else if (!PagePrivate2(p)) { /* 1 + 1 = 2 */
		SetPagePrivate2(p);
		ClearPageArch1(p);
	}
}

u64 lru_gen_size(const struct lru_gen *g, unsigned gen, unsigned type)
{
	u64 n = 0;

	for (unsigned z = 0; z < MM_MAX_NR_ZONES; z++)
		n += g->lists[gen][type][z].nr;
	return n;
}

/* ---- generations come and go ---- */

/* The oldest generation ends: what it taught goes into the averages. */
static void settle_refaults(struct lru_gen *g, unsigned type)
{
	for (unsigned tier = 0; tier < MAX_NR_TIERS; tier++) {
		u64 total = g->avg_total[type][tier] + g->evicted[type][tier] + g->protected[type][tier];

		g->avg_refaulted[type][tier] = (g->avg_refaulted[type][tier] + g->refaulted[type][tier]) / 2;
		g->avg_total[type][tier] = total / 2;
		g->refaulted[type][tier] = g->evicted[type][tier] = g->protected[type][tier] = 0;
	}
}

/* The oldest of four generations makes room: its pages join the next one, as the coldest of it. */
static void merge_oldest(struct lru *lru, struct lru_gen *g, unsigned type)
{
	unsigned oldest = gen_of_seq(g->min_seq[type]), next = gen_of_seq(g->min_seq[type] + 1);

	for (unsigned z = 0; z < MM_MAX_NR_ZONES; z++) {
		struct page_list *l = &g->lists[oldest][type][z];

		while (l->nr)
			lru_gen_move(lru, plist_last(lru->phys->memmap, l), next, true);
	}
}

/* What was active no longer is, and pages left where the new generation begins are. */
static void shift_active(struct lru_gen *g)
{
	unsigned prev = gen_of_seq(g->max_seq - 1), next = gen_of_seq(g->max_seq + 1);

	for (unsigned type = 0; type < ANON_AND_FILE; type++)
		for (unsigned z = 0; z < MM_MAX_NR_ZONES; z++) {
			s64 delta = (s64)(g->lists[prev][type][z].nr - g->lists[next][type][z].nr);
			unsigned item = type ? NR_INACTIVE_FILE : NR_INACTIVE_ANON;

			if (!delta)
				continue;
			mod_zone_page_state(g->zones[z], (enum zone_stat_item)item, delta);
			mod_zone_page_state(g->zones[z], (enum zone_stat_item)(item + 1), -delta);
		}
}

void lru_gen_inc_max_seq(struct lru *lru, struct lru_gen *g, bool can_swap)
{
	for (unsigned type = 0; type < ANON_AND_FILE; type++) {
		if (nr_gens(g, type) != MAX_NR_GENS)
			continue;
		if (type == LRU_GEN_FILE || can_swap)
			merge_oldest(lru, g, type);
		settle_refaults(g, type);
		g->min_seq[type]++;
	}
	shift_active(g);
	g->max_seq++;
	g->birth[gen_of_seq(g->max_seq)] = lru->phys->hw->now;
	count_vm_event(lru->phys->hw, lru->phys->hw->cpu, EV_LRU_GEN_AGED);
}

bool lru_gen_inc_min_seq(struct lru_gen *g, bool can_swap)
{
	u64 seq[ANON_AND_FILE] = {g->min_seq[LRU_GEN_ANON], g->min_seq[LRU_GEN_FILE]};
	bool any = false;

	for (unsigned type = !can_swap; type < ANON_AND_FILE; type++)
		while (seq[type] + MIN_NR_GENS <= g->max_seq && !lru_gen_size(g, gen_of_seq(seq[type]), type))
			seq[type]++;
	if (can_swap) { /* anonymous pages may lag behind, files not: evict the type that is older first */
		seq[LRU_GEN_ANON] = mm_min(seq[LRU_GEN_ANON], seq[LRU_GEN_FILE]);
		seq[LRU_GEN_FILE] = mm_max(seq[LRU_GEN_ANON], g->min_seq[LRU_GEN_FILE]);
	}
	for (unsigned type = !can_swap; type < ANON_AND_FILE; type++) {
		if (seq[type] == g->min_seq[type])
			continue;
		settle_refaults(g, type);
		g->min_seq[type] = seq[type];
		any = true;
	}
	return any;
}

/* ---- checks ---- */

#define I09(n) (9000 + (n))

static const char *page_fault_of(const struct lru *lru, const struct lruvec *v, const struct page *p, unsigned gen,
				 unsigned type, unsigned zone)
{
	if (!PageLRU(p) || !page_count(p))
		return "is not marked as on a list, or free";
	if (page_lru_gen(p) != (int)gen)
		return "has flags of another generation";
	if (PageUnevictable(p) || PageActive(p))
		return "is active or unevictable";
	if (PageMlocked(p))
		return "is mlocked";
	if (page_is_file_cache(p) != (type == LRU_GEN_FILE))
		return "is of the other type";
	if (page_lruvec(lru, p) != v || page_zone(lru->phys, p)->type != zone)
		return "belongs to another zone";
	return NULL;
}

static int check_list(struct lru *lru, const struct lruvec *v, unsigned gen, unsigned type, unsigned zone,
		      u64 (*length)[NR_LRU_LISTS], char *why, size_t n)
{
	const struct page_list *l = &v->gen->lists[gen][type][zone];
	struct page *map = lru->phys->memmap;
	u64 nr = 0;

	for (struct page *p = plist_first(map, l); p; p = plist_next(map, p)) {
		const char *bad = page_fault_of(lru, v, p, gen, type, zone);

		if (!bad && ++nr > l->nr)
			bad = "is beyond the list's length";
		if (bad) {
			snprintf(why, n, "I09.1: frame %u in generation %u, type %u, %s", page_frame(lru->phys, p), gen,
				 type, bad);
			return I09(1);
		}
		length[page_zone(lru->phys, p)->slot][2 * type + gen_is_active(v->gen, gen)]++;
	}
	if (nr == l->nr)
		return 0;
	snprintf(why, n, "I09.2: generation %u, type %u: %" PRIu64 " pages, length says %" PRIu64, gen, type, nr,
		 l->nr);
	return I09(2);
}

/* Between two and four generations, and no pages in others. */
static int check_seqs(const struct lru_gen *g, char *why, size_t n)
{
	for (unsigned type = 0; type < ANON_AND_FILE; type++) {
		unsigned nr = nr_gens(g, type);

		if (nr < MIN_NR_GENS || nr > MAX_NR_GENS) {
			snprintf(why, n, "I09.2: type %u has %u generations", type, nr);
			return I09(2);
		}
		for (u64 seq = g->max_seq + 1; seq < g->min_seq[type] + MAX_NR_GENS; seq++)
			if (lru_gen_size(g, gen_of_seq(seq), type)) {
				snprintf(why, n, "I09.2: type %u has pages in no generation", type);
				return I09(2);
			}
	}
	return 0;
}

int lru_gen_check(struct lru *lru, const struct lruvec *v, u64 (*length)[NR_LRU_LISTS], char *why, size_t n)
{
	int r = check_seqs(v->gen, why, n);

	for (unsigned l = 0; l < LRU_UNEVICTABLE && !r; l++)
		if (v->lists[l].nr) {
			snprintf(why, n, "I09.2: LRU list %u is used beside generations", l);
			r = I09(2);
		}
	for (unsigned gen = 0; gen < MAX_NR_GENS && !r; gen++)
		for (unsigned type = 0; type < ANON_AND_FILE && !r; type++)
			for (unsigned z = 0; z < MM_MAX_NR_ZONES && !r; z++)
				r = check_list(lru, v, gen, type, z, length, why, n);
	return r;
}
