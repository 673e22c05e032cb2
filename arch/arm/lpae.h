/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ARM32 long descriptors (LPAE): one table that hardware and Linux share, three levels, 40-bit
 * output. Bits 55 to 58 are ignored by the hardware and belong to Linux.
 * Linux: arch/arm/include/asm/pgtable-3level.h, proc-v7-3level.S; left out: hypervisor tables,
 * the TTBR1 split (one tree maps all 4 GiB).
 */
#ifndef MEMRIG_ARM_LPAE_H
#define MEMRIG_ARM_LPAE_H

#include "arch/arm64/desc.h"

#define LPAE_PRESENT  3ull /* valid, page */
#define LPAE_VALID    BIT(0)
#define LPAE_MT_MASK  (7ull << 2)
#define LPAE_MT_DEV   (4ull << 2)
#define LPAE_MT_WA    (7ull << 2)
#define LPAE_USER     BIT(6)
#define LPAE_AP2      BIT(7) /* hardware read-only */
#define LPAE_SHARED   (3ull << 8)
#define LPAE_YOUNG    BIT(10)
#define LPAE_NG       BIT(11)
#define LPAE_PXN      BIT(53)
#define LPAE_XN       BIT(54)
#define LPAE_DIRTY    BIT(55)
#define LPAE_SPECIAL  BIT(56)
#define LPAE_NONE     BIT(57)
#define LPAE_RDONLY   BIT(58)
#define LPAE_ADDR     0x000000fffffff000ull

/* MAIR0 and MAIR1 as Linux programs them */
#define LPAE_MAIR0 0xeeaa4400u
#define LPAE_MAIR1 0xff000004u

/*
 * The descriptor for @p: Linux's word with what the hardware needs beside it, AP[2] when read-only or
 * clean, not valid without rights, nG for user pages.
 */
MM_INLINE u64 lpae_encode(pte_t p)
{
	u64 v = p.v, xn = v & (A64_USER | A64_PROT_NONE) ? A64_UXN : A64_PXN, l;
	bool dirty = pte_dirty(p);

	if (!pte_present(p))
		return (v & 0x7c) | (pte_swap_offset(p) & (BIT(25) - 1)) << 7;
	l = (v & LPAE_ADDR) | (v & (LPAE_USER | LPAE_SHARED | LPAE_YOUNG)) | A64_TABLE;
	l |= v & A64_VALID ? LPAE_VALID : LPAE_NONE;
	l |= (dirty ? LPAE_DIRTY : 0) | (v & A64_WRITE ? 0 : LPAE_RDONLY) | (v & A64_SPECIAL);
	l |= (dirty && v & A64_WRITE ? 0 : LPAE_AP2) | (v & xn ? LPAE_XN : 0) | (v & A64_USER ? LPAE_NG : 0);
	return l | ((v & A64_ATTR(7)) == A64_ATTR(A64_ATTR_NORMAL) ? LPAE_MT_WA : LPAE_MT_DEV);
}

MM_INLINE pte_t lpae_decode(u64 l)
{
	u64 v = (l & (LPAE_ADDR | LPAE_USER | LPAE_SHARED | LPAE_YOUNG | LPAE_DIRTY | LPAE_SPECIAL)) | A64_TABLE;
	bool user = l & (LPAE_USER | LPAE_NONE);

	if (!(l & LPAE_PRESENT))
		return (pte_t){(l & 0x7c) | (l >> 7 & (BIT(25) - 1)) << 8};
	v |= l & LPAE_NONE ? A64_PROT_NONE : A64_VALID;
	v |= l & LPAE_RDONLY ? A64_RDONLY : A64_WRITE;
	v |= user ? A64_NG | A64_PXN : A64_UXN;
	v |= l & LPAE_XN ? A64_UXN | A64_PXN : 0;
	return (pte_t){v | A64_ATTR((l & LPAE_MT_MASK) == LPAE_MT_WA ? A64_ATTR_NORMAL : A64_ATTR_NGNRE)};
}

#endif
