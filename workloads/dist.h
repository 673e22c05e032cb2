/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which of n items is next. Integers only, so that every host draws the same.
 *
 * Terms
 *   uniform     each alike.
 *   zipf        item of rank k (from 1) with weight k^-s; s in thousandths. Ranks are spread over
 *               the items by a bijection, so that hot items are no neighbours.
 *   sequential  0, 1, ... n - 1, and again.
 *   phases      uniform in a window of n / 8 items, which moves after n / 2 draws.
 *
 * Invariant: every draw is below n.
 */
#ifndef MEMRIG_DIST_H
#define MEMRIG_DIST_H

#include "core/base/prng.h"
#include "core/base/types.h"

enum dist_kind { DIST_UNIFORM, DIST_ZIPF, DIST_SEQUENTIAL, DIST_PHASES, NR_DISTS };

#define DIST_OCTAVES  40
#define DIST_SEGMENTS 256
#define DIST_MAX      (1ull << 31) /* items */

struct dist {
	enum dist_kind kind;
	u64 n;
	u64 at, left;   /* sequential: next; phases: start of the window, draws left in it */
	unsigned octaves;
	u64 sum[DIST_OCTAVES];            /* zipf: of the weights of octaves 0..j */
	u32 accept[DIST_SEGMENTS + 1];    /* zipf: m^-s for m in [1, 2], Q31 */
};

/* @n in 1..DIST_MAX; @s in thousandths, 0..4000, for zipf. */
void dist_init(struct dist *d, enum dist_kind kind, u64 n, unsigned s);
u64 dist_draw(struct dist *d, struct prng *p);

/* Rank of zipf before it is spread: 1 is the hottest. */
u64 dist_zipf_rank(const struct dist *d, struct prng *p);

/* 2^-(e / 2^32) and log2 of m / 2^31 (m in [2^31, 2^32)), both in Q32; for tests. */
u64 dist_exp2_neg(u64 e);
u64 dist_log2(u64 m);

#endif
