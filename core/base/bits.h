/* SPDX-License-Identifier: BSD-2-Clause */
/* Integer helpers under Linux's names (spec 00 s0.6): all constant time. */
#ifndef MEMRIG_BASE_BITS_H
#define MEMRIG_BASE_BITS_H

#include "core/base/types.h"

/* Index of the highest set bit, 1-based; 0 for 0. */
MM_INLINE unsigned mm_fls(u64 x)
{
	return x ? 64u - (unsigned)__builtin_clzll(x) : 0;
}

/* Index of the lowest set bit, 0-based; @x must not be 0. */
MM_INLINE unsigned mm_ffs0(u64 x)
{
	return (unsigned)__builtin_ctzll(x);
}

/* floor(log2(x)), @x > 0. */
MM_INLINE unsigned ilog2(u64 x)
{
	return 63u - (unsigned)__builtin_clzll(x);
}

MM_INLINE bool is_pow2(u64 x)
{
	return x && !(x & (x - 1));
}

MM_INLINE u64 mm_min(u64 a, u64 b)
{
	return a < b ? a : b;
}

MM_INLINE u64 mm_max(u64 a, u64 b)
{
	return a > b ? a : b;
}

MM_INLINE u64 mm_clamp(u64 x, u64 lo, u64 hi)
{
	return x < lo ? lo : x > hi ? hi : x;
}

/* Floor of the square root, exact for all 64-bit values (spec 00 s0.6). */
static inline u64 int_sqrt(u64 x)
{
	u64 r = 0;

	for (u64 bit = 1ull << 62; bit; bit >>= 2) {
		if (x >= r + bit) {
			x -= r + bit;
			r = (r >> 1) + bit;
		} else {
			r >>= 1;
		}
	}
	return r;
}

#endif
