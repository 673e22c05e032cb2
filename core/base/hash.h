/* SPDX-License-Identifier: BSD-2-Clause */
/* Integer hashing for tables whose iteration order decides nothing. Strings and blobs: xxhash. */
#ifndef MEMRIG_BASE_HASH_H
#define MEMRIG_BASE_HASH_H

#include "core/base/types.h"

/* @bits top bits of a Fibonacci multiplicative hash (Knuth 6.4). */
MM_INLINE u32 hash_u64(u64 x, unsigned bits)
{
	return (u32)((x * 0x9e3779b97f4a7c15ull) >> (64 - bits));
}

#endif
