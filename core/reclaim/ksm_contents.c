/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Contents of pages: order, hash, checksum. With data=tag a page stands for its tag repeated, so
 * its order is that of the tag's bytes, and the tag itself is as good as a hash.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/reclaim/ksm_internal.h"

#define JHASH_SEED 17u

static const void *bytes_of(const struct ksm *k, const struct page *p)
{
	return hw_pfn_ptr(k->hw, page_to_pfn(k->phys, p));
}

static u64 tag_of(const struct ksm *k, const struct page *p)
{
	return k->hw->tags[hw_frame(k->hw, page_to_pfn(k->phys, p))];
}

int ksm_compare(const struct ksm *k, const struct page *a, const struct page *b)
{
	u64 x, y;

	if (!k->hw->tags)
		return memcmp(bytes_of(k, a), bytes_of(k, b), 1ull << k->phys->page_shift);
	x = __builtin_bswap64(tag_of(k, a));
	y = __builtin_bswap64(tag_of(k, b));
	return (x > y) - (x < y);
}

/* A bijection, so that different tags have different hashes; 0 is no tag's image but one. */
static u64 mix_tag(u64 x)
{
	x ^= 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static u32 rol32(u32 x, unsigned n)
{
	return x << n | x >> (32 - n);
}

/* Bob Jenkins' lookup3 (hashword) over 32-bit words: what Linux calls jhash2. */
static u32 lookup3(const u32 *w, u32 words, u32 seed)
{
	u32 a = 0xdeadbeef + (words << 2) + seed, b = a, c = a;

	for (; words > 3; words -= 3, w += 3) {
		a += w[0];
		b += w[1];
		c += w[2];
		a -= c, a ^= rol32(c, 4), c += b;
		b -= a, b ^= rol32(a, 6), a += c;
		c -= b, c ^= rol32(b, 8), b += a;
		a -= c, a ^= rol32(c, 16), c += b;
		b -= a, b ^= rol32(a, 19), a += c;
		c -= b, c ^= rol32(b, 4), b += a;
	}
	c += words > 2 ? w[2] : 0;
	b += words > 1 ? w[1] : 0;
	a += w[0];
	c ^= b, c -= rol32(b, 14);
	a ^= c, a -= rol32(c, 11);
	b ^= a, b -= rol32(a, 25);
	c ^= b, c -= rol32(b, 16);
	a ^= c, a -= rol32(c, 4);
	b ^= a, b -= rol32(a, 14);
	c ^= b, c -= rol32(b, 24);
	return c;
}

u64 ksm_hash_page(const struct ksm *k, const struct page *p)
{
	if (k->hw->tags)
		return mix_tag(tag_of(k, p));
	return XXH3_64bits(bytes_of(k, p), 1ull << k->phys->page_shift);
}

u32 ksm_checksum(const struct ksm *k, const struct page *p)
{
	u64 bytes = 1ull << k->phys->page_shift;

	if (k->by_hash || k->hw->tags)
		return (u32)ksm_hash_page(k, p);
	if (k->xxhash)
		return (u32)XXH64(bytes_of(k, p), bytes, 0);
	return lookup3(bytes_of(k, p), (u32)(bytes / 4), JHASH_SEED);
}
