/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Generations instead of active and inactive lists (mglru=1; spec 13 s5): where pages are, what moves
 * them, and what is known of refaults. Who is aged and evicted: core/reclaim/lru_gen.c; accesses through
 * page tables: core/vm/lru_gen_walk.c.
 *
 *   min_seq[type] (oldest, evicted from) ... max_seq - 1, max_seq (youngest two: what counts as active)
 *
 * Terms
 *   seq     number of a generation, from 0 up and never reused; page->flags keep seq % MAX_NR_GENS, plus
 *           one, and 0 for a page on no list.
 *   refs    accesses through file descriptors beyond the first: PG_referenced is the first, PG_workingset
 *           the second, two more bits of page->flags (arch_1 and private_2, which nothing else uses) count on.
 *   tier    order of refs + 1: 0, 1, 2 or 3. Pages of one generation differ by it; a tier whose pages
 *           come back more often than those of tier 0 is spared.
 *   type    0 anonymous (PG_swapbacked), 1 file.
 *
 * Both types share max_seq. PG_active is clear on a list; off it, PG_active says that the page belongs
 * into the youngest generation. A page promoted by a walk moves at once; Linux only changes its flags and
 * lets eviction sort it later, so there a list's length and its counters disagree.
 * Owns one struct lru_gen a lruvec. Invariants (lru_gen_check): a page on the list of generation g, type t,
 * zone z says so by its flags; 2 to 4 generations a type; lists of no generation are empty; the sums of the
 * lists are nr_inactive_* and nr_active_*.
 * Linux: include/linux/mm_inline.h, mmzone.h; left out: memory cgroups, generations of history (one only).
 */
#ifndef MEMRIG_LRU_GEN_LISTS_H
#define MEMRIG_LRU_GEN_LISTS_H

#include "core/phys/mmzone.h"

#define MIN_NR_GENS   2u
#define MAX_NR_GENS   4u
#define MAX_NR_TIERS  4u
#define MIN_LRU_BATCH 64u
#define MAX_LRU_BATCH (MIN_LRU_BATCH * 64)

#define LRU_REFS_WIDTH 2u
#define LRU_REFS_MAX   (1u << LRU_REFS_WIDTH) /* of page_lru_refs() */

#define GEN_FILTER_SHIFT 15u /* log2 bits of a filter of tables worth a walk */

enum { LRU_GEN_ANON, LRU_GEN_FILE, ANON_AND_FILE };

struct lru;

struct lru_gen {
	u64 max_seq, min_seq[ANON_AND_FILE];
	u64 birth[MAX_NR_GENS]; /* virtual time the generation began */
	struct page_list lists[MAX_NR_GENS][ANON_AND_FILE][MM_MAX_NR_ZONES];
	struct zone *zones[MM_MAX_NR_ZONES]; /* of the lruvec, by type; NULL: none */
	/* refaults of pages evicted from the oldest generation, and moving averages of those before it */
	u64 avg_refaulted[ANON_AND_FILE][MAX_NR_TIERS], avg_total[ANON_AND_FILE][MAX_NR_TIERS];
	u64 refaulted[ANON_AND_FILE][MAX_NR_TIERS], evicted[ANON_AND_FILE][MAX_NR_TIERS];
	u64 protected[ANON_AND_FILE][MAX_NR_TIERS]; /* spared for their tier; none of tier 0 */
	/* tables worth a walk, by parity of the walk's max_seq (core/vm/lru_gen_walk.c) */
	u64 filter[2][(1u << GEN_FILTER_SHIFT) / 64];
	bool filter_used[2]; /* false: every table is */
};

MM_INLINE unsigned gen_of_seq(u64 seq)
{
	return (unsigned)(seq % MAX_NR_GENS);
}

MM_INLINE unsigned nr_gens(const struct lru_gen *g, unsigned type)
{
	return (unsigned)(g->max_seq - g->min_seq[type] + 1);
}

/* Generation of a page on a list, -1 off it. */
MM_INLINE int page_lru_gen(const struct page *p)
{
	return (int)(p->flags >> PAGE_GEN_SHIFT & 7) - 1;
}

/* Accesses beyond the first, 0 to LRU_REFS_MAX. */
MM_INLINE unsigned page_lru_refs(const struct page *p)
{
	return PageArch1(p) + 2u * PagePrivate2(p) + PageWorkingset(p);
}

MM_INLINE unsigned lru_tier_from_refs(unsigned refs)
{
	return refs <= 1 ? refs : refs <= 3 ? 2 : 3;
}

#define PAGE_LRU_REFS (1u << PG_arch_1 | 1u << PG_private_2)
#define PAGE_LRU_TIER (PAGE_LRU_REFS | 1u << PG_referenced | 1u << PG_workingset)

/* Generations of all lruvecs of @lru. 0 or -ENOMEM. */
int lru_gen_init(struct lru *lru);
void lru_gen_destroy(struct lru *lru);

/*
 * Puts @p, which has PG_lru, on the list its state asks for: PG_active (just faulted in, or promoted off the
 * lists) the youngest; anonymous and not in the swap cache, or marked for reclaim and dirty or under
 * write-back: the second oldest; else the oldest. @tail: to be evicted next. False: unevictable.
 */
bool lru_gen_add(struct lru *lru, struct page *p, bool tail);
/* Takes @p off. PG_active then tells whether it was in the youngest two. False: it was in no generation. */
bool lru_gen_del(struct lru *lru, struct page *p);
/* The same for eviction: PG_active stays clear. */
void lru_gen_isolate(struct lru *lru, struct page *p);

/* From its list to that of generation @gen, head or @tail; references are forgotten. */
void lru_gen_move(struct lru *lru, struct page *p, unsigned gen, bool tail);

/*
 * The young bit of a mapping of @p was seen: to the youngest generation, or off the lists PG_referenced.
 * True if it moved. lru_gen_promoted.
 */
bool lru_gen_promote(struct lru *lru, struct page *p);

/* mark_page_accessed(): one more reference. */
void lru_gen_inc_refs(struct page *p);

/*
 * A new youngest generation. A type that has MAX_NR_GENS loses its oldest one to the second oldest; anonymous
 * pages without @can_swap become the youngest instead, without being touched. lru_gen_aged.
 */
void lru_gen_inc_max_seq(struct lru *lru, struct lru_gen *g, bool can_swap);
/* Forgets oldest generations that are empty, down to MIN_NR_GENS. True if there were any. */
bool lru_gen_inc_min_seq(struct lru_gen *g, bool can_swap);

/* Pages of one generation and type. */
u64 lru_gen_size(const struct lru_gen *g, unsigned gen, unsigned type);

/* Of lru_check(): adds lengths to @length by zone slot. 0, or 9000 + n with a sentence in @why. */
int lru_gen_check(struct lru *lru, const struct lruvec *v, u64 (*length)[NR_LRU_LISTS], char *why, size_t n);

#endif
