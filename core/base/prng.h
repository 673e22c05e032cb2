/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's only source of randomness: xoshiro256** (Blackman, Vigna 2018), seeded by
 * splitmix64. Deterministic for a seed; never seeded from time or addresses.
 */
#ifndef MEMRIG_BASE_PRNG_H
#define MEMRIG_BASE_PRNG_H

#include "core/base/types.h"

struct prng {
	u64 s[4];
};

/* One step of splitmix64; also a good 64-bit mixer for hashing integers. */
static inline u64 prng_splitmix(u64 *x)
{
	u64 z = (*x += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static inline void prng_seed(struct prng *p, u64 seed)
{
	for (int i = 0; i < 4; i++)
		p->s[i] = prng_splitmix(&seed);
}

static inline u64 prng_u64(struct prng *p)
{
	u64 *s = p->s, x = s[1] * 5, t = s[1] << 17, r = ((x << 7) | (x >> 57)) * 9;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = (s[3] << 45) | (s[3] >> 19);
	return r;
}

/* Uniform in [0, n), n > 0; the bias of the multiply-shift is below n / 2^64. */
static inline u64 prng_below(struct prng *p, u64 n)
{
	return (u64)(((unsigned __int128)prng_u64(p) * n) >> 64);
}

#endif
