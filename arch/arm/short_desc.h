/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ARM32 short descriptors: the two views of one table page (spec 02 s2).
 *
 * Terms
 *   Linux word     what the memory manager reads and writes: 512 words at offset 0 of a PTE page.
 *   hardware word  what the MMU reads: 512 words at offset 2048, each a function of its Linux word.
 *   pair           one Linux pgd entry: two consecutive L1 words, 1 MiB each.
 *
 * Invariant (I02.1): hardware word == arm_short_hw(Linux word, ext), ext the nG bit of user pages.
 * Linux: arch/arm/include/asm/pgtable-2level.h, arch/arm/mm/proc-v7-2level.S; left out: minicache
 * and vectors memory types, CPUs before v7.
 */
#ifndef MEMRIG_ARM_SHORT_DESC_H
#define MEMRIG_ARM_SHORT_DESC_H

#include "arch/arm64/desc.h"

/* Linux words */
#define ARM_L_PRESENT  BIT(0)
#define ARM_L_YOUNG    BIT(1)
#define ARM_L_MT_MASK  (0xfull << 2)
#define ARM_L_MT_DEV   (4ull << 2) /* shared device */
#define ARM_L_MT_WA    (7ull << 2) /* normal, write-allocate */
#define ARM_L_DIRTY    BIT(6)
#define ARM_L_RDONLY   BIT(7)
#define ARM_L_USER     BIT(8)
#define ARM_L_XN       BIT(9)
#define ARM_L_SHARED   BIT(10)
#define ARM_L_NONE     BIT(11)

#define ARM_HWTABLE_OFF 2048u

/* level 1 */
#define ARM_L1_TYPE      3u
#define ARM_L1_TABLE     1u
#define ARM_L1_SECTION   2u
#define ARM_L1_TABLE_PXN 0x4u
#define ARM_L1_BIT4      0x10u
#define ARM_L1_DOMAIN(n) ((u32)(n) << 5)
#define ARM_L1_SUPER     (1u << 18)
#define ARM_TABLE_KERNEL (ARM_L1_TABLE | ARM_L1_BIT4)
#define ARM_TABLE_USER   (ARM_L1_TABLE | ARM_L1_BIT4 | ARM_L1_DOMAIN(1))
#define ARM_SECT_XN      0x10u
#define ARM_SECT_AP1     0x800u
#define ARM_SECT_APX     (1u << 15)
#define ARM_SECT_NG      (1u << 17)
#define ARM_SECT_RWX     0x1140eu /* kernel text range and lowmem around it */
#define ARM_SECT_RW      0x1141eu /* other lowmem */
#define ARM_SECT_ROM     0x8402u  /* privileged read only */
#define ARM_SECT_DEVICE  0x11452u /* XN, shared, TEX=1, privileged write, domain 2 */
#define ARM_SECT_SHIFT   20
#define ARM_SECT_SIZE    MiB
#define ARM_SUPER_SIZE   (16 * MiB)

/* level 2 */
#define ARM_HW_TYPE   3u
#define ARM_HW_LARGE  1u
#define ARM_HW_SMALL  2u
#define ARM_HW_XN     1u
#define ARM_HW_AP0    0x10u
#define ARM_HW_AP1    0x20u
#define ARM_HW_TEX1   0x40u
#define ARM_HW_APX    0x200u
#define ARM_HW_S      0x400u
#define ARM_HW_NG     0x800u
#define ARM_LARGE_XN  0x8000u

/* client access to the kernel's, the user's and the device domain */
#define ARM_DACR_LINUX 0x15u

/*
 * The hardware word of Linux word @l (spec s2.4), without a branch: filling tables is a hot path.
 * @ext: ARM_HW_NG for user pages below TASK_SIZE, else 0.
 */
MM_INLINE u32 arm_short_hw(u32 l, u32 ext)
{
	u32 h = (l & ~0x3f3u) | ext | ARM_HW_AP0 | ARM_HW_SMALL;

	h |= (l & 0x10) << 2;               /* memory type bit 2 -> TEX[0] */
	h |= ((l >> 7 | ~(l >> 6)) & 1) << 9; /* read-only, or clean: dirty is emulated */
	h |= (l >> 3) & ARM_HW_AP1;
	h |= (l >> 9) & ARM_HW_XN;
	return (l & (3 | ARM_L_NONE)) == 3 ? h : 0;
}

/* The Linux word of @p. SPECIAL has no bit here: the zero page is known by its frame. */
MM_INLINE u32 arm_short_encode(pte_t p)
{
	u64 v = p.v, xn = v & (A64_USER | A64_PROT_NONE) ? A64_UXN : A64_PXN, l;

	if (!pte_present(p))
		return (u32)(v & 0x7c) | (u32)pte_swap_offset(p) << 7;
	l = (v & 0xfffff000) | ARM_L_PRESENT | (v & A64_AF ? ARM_L_YOUNG : 0);
	l |= (pte_dirty(p) ? ARM_L_DIRTY : 0) | (v & A64_WRITE ? 0 : ARM_L_RDONLY);
	l |= (v & A64_USER ? ARM_L_USER : 0) | (v & xn ? ARM_L_XN : 0);
	l |= (v & A64_SH_INNER ? ARM_L_SHARED : 0) | (v & A64_VALID ? 0 : ARM_L_NONE);
	return (u32)(l | ((v & A64_ATTR(7)) == A64_ATTR(A64_ATTR_NORMAL) ? ARM_L_MT_WA : ARM_L_MT_DEV));
}

MM_INLINE pte_t arm_short_decode(u32 l)
{
	u64 v = (l & 0xfffff000) | A64_TABLE;
	bool user = l & (ARM_L_USER | ARM_L_NONE);

	if (!(l & ARM_L_PRESENT))
		return (pte_t){(l & 0x7c) | (u64)(l >> 7) << 8};
	v |= (l & ARM_L_NONE ? A64_PROT_NONE : A64_VALID) | (l & ARM_L_YOUNG ? A64_AF : 0);
	v |= (l & ARM_L_DIRTY ? A64_DIRTY : 0) | (l & ARM_L_RDONLY ? A64_RDONLY : A64_WRITE);
	v |= (l & ARM_L_USER ? A64_USER : 0) | (l & ARM_L_SHARED ? A64_SH_INNER : 0);
	v |= user ? A64_NG | A64_PXN : A64_UXN;
	v |= l & ARM_L_XN ? A64_UXN | A64_PXN : 0;
	return (pte_t){v | A64_ATTR((l & ARM_L_MT_MASK) == ARM_L_MT_WA ? A64_ATTR_NORMAL : A64_ATTR_NGNRE)};
}

#endif
