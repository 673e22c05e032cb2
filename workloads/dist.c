/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Zipf by rejection: an octave of ranks [2^j, 2^(j+1)) is chosen with the weight it would have if
 * all its ranks weighed as much as its first, a rank in it evenly, and kept with probability
 * (2^j / rank)^s >= 2^-s. Exact but for the rounding of fixed-point powers (2^-16), without a
 * table of n entries and without floating point.
 */
#include "workloads/dist.h"

#include "core/base/bits.h"
#include "core/base/bug.h"

#define ONE  (1ull << 32)
#define SPREAD 2654435761ull /* a prime above DIST_MAX */

u64 dist_log2(u64 m)
{
	u64 log = 0;

	for (int bit = 31; bit >= 0; bit--) {
		m = (u64)(((unsigned __int128)m * m) >> 31);
		if (m >> 32) {
			m >>= 1;
			log |= BIT(bit);
		}
	}
	return log;
}

u64 dist_exp2_neg(u64 e)
{
	u64 v = ONE, root = ONE / 2; /* 2^-(2^-i) */

	if (e >> 32 >= 63)
		return 0;
	for (int bit = 31; bit >= 0; bit--) {
		root = int_sqrt(root << 32);
		if (e & BIT(bit))
			v = (v * root) >> 32;
	}
	return v >> (e >> 32);
}

/* (2^-s)^j, Q32. */
static u64 octave_weight(unsigned j, unsigned s)
{
	return dist_exp2_neg((ONE * s / 1000) * j);
}

static void init_zipf(struct dist *d, unsigned s)
{
	u64 sum = 0;

	d->octaves = mm_fls(d->n);
	for (unsigned j = 0; j < d->octaves; j++) {
		u64 count = j + 1 < d->octaves ? BIT(j) : d->n - BIT(j) + 1;

		/* count * weight < 2^31 * 2^32; the sum of 32 of them fits after dropping 8 bits */
		sum += mm_max((count * octave_weight(j, s)) >> 8, 1);
		d->sum[j] = sum;
	}
	for (u64 i = 0; i <= DIST_SEGMENTS; i++) {
		u64 m = BIT(31) + i * (BIT(31) / DIST_SEGMENTS);
		u64 log = i == DIST_SEGMENTS ? ONE : dist_log2(m);

		d->accept[i] = (u32)(dist_exp2_neg(log * s / 1000) >> 1);
	}
}

void dist_init(struct dist *d, enum dist_kind kind, u64 n, unsigned s)
{
	BUG_ON(!n || n > DIST_MAX || s > 4000);
	*d = (struct dist){.kind = kind, .n = n};
	if (kind == DIST_ZIPF)
		init_zipf(d, s);
}

/* m^-s for m = 1 + f / 2^32, by interpolation, Q31. */
static u64 accept_at(const struct dist *d, u64 f)
{
	u64 i = f >> 24, part = f & 0xffffff;

	return d->accept[i] - (((u64)(d->accept[i] - d->accept[i + 1]) * part) >> 24);
}

u64 dist_zipf_rank(const struct dist *d, struct prng *p)
{
	for (;;) {
		u64 r = prng_below(p, d->sum[d->octaves - 1]), rank;
		unsigned j = 0;

		while (r >= d->sum[j])
			j++;
		rank = BIT(j) + prng_below(p, j + 1 < d->octaves ? BIT(j) : d->n - BIT(j) + 1);
		if (prng_below(p, BIT(31)) < accept_at(d, ((rank - BIT(j)) << 32) >> j))
			return rank;
	}
}

static u64 draw_phases(struct dist *d, struct prng *p)
{
	u64 window = d->n / 8 ? d->n / 8 : 1;

	if (!d->left) {
		d->left = mm_max(d->n / 2, 1);
		d->at = prng_below(p, d->n - window + 1);
	}
	d->left--;
	return d->at + prng_below(p, window);
}

u64 dist_draw(struct dist *d, struct prng *p)
{
	u64 i;

	switch (d->kind) {
	case DIST_ZIPF:
		return (dist_zipf_rank(d, p) - 1) * SPREAD % d->n;
	case DIST_SEQUENTIAL:
		i = d->at;
		d->at = i + 1 == d->n ? 0 : i + 1;
		return i;
	case DIST_PHASES:
		return draw_phases(d, p);
	default:
		return prng_below(p, d->n);
	}
}
