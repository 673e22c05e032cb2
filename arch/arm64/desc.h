/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ARM64 translation-table descriptors and Linux's software bits in them (spec 02 s4.2, s4.5). pte_t
 * has this form on every architecture: ARM32's entries are translated when they are read and stored
 * (arch/arm/), so that the memory manager knows one set of bits.
 *
 *   63      59 58   57   56   55  54  53  52   51      47        12 11 10 9 8 7 6 5 4  2 1 0
 *   [ignored] [PN][WRITE][SP][DIRTY][UXN][PXN][CONT][DBM] [ address ] [nG][AF][SH ][AP ][.][Attr][type][V]
 *
 * Hardware sees bits 54..51 and below; DIRTY, SPECIAL, WRITE and PROT_NONE are Linux's. A user page is
 * hardware-writable (AP[2] = 0) only while it is both WRITE and DIRTY: a clean one faults on its
 * first write, unless the hardware updates dirty state itself (DBM set, hwad=1).
 * Linux: arch/arm64/include/asm/pgtable{,-hwdef}.h of 4.0, DBM from 4.3; left out: 52-bit addresses,
 * stage 2, huge pages of user space.
 */
#ifndef MEMRIG_ARM64_DESC_H
#define MEMRIG_ARM64_DESC_H

#include "core/base/bug.h"
#include "core/base/types.h"

typedef struct {
	u64 v;
} pte_t;

#define A64_VALID     BIT(0)
#define A64_TABLE     BIT(1) /* levels 0-2: table; level 3: page */
#define A64_ATTR(i)   ((u64)(i) << 2)
#define A64_USER      BIT(6) /* AP[1] */
#define A64_RDONLY    BIT(7) /* AP[2] */
#define A64_SH_INNER  (3ull << 8)
#define A64_AF        BIT(10)
#define A64_NG        BIT(11)
#define A64_DBM       BIT(51)
#define A64_CONT      BIT(52)
#define A64_PXN       BIT(53)
#define A64_UXN       BIT(54)
#define A64_DIRTY     BIT(55)
#define A64_SPECIAL   BIT(56)
#define A64_WRITE     BIT(57)
#define A64_PROT_NONE BIT(58) /* only when not valid */
#define A64_ADDR      0x0000fffffffff000ull

#define A64_TYPE      3ull
#define A64_BLOCK     1ull /* type of a block, levels 1 and 2 */

/* hierarchical bits of table descriptors, LPAE's too; Linux leaves them 0 */
#define A64_PXN_TABLE BIT(59)
#define A64_UXN_TABLE BIT(60)
#define A64_AP0_TABLE BIT(61) /* no user access below */
#define A64_AP1_TABLE BIT(62) /* no writes below */

/* memory attributes by AttrIndx, and the register that defines them */
#define A64_ATTR_NGNRNE 0
#define A64_ATTR_NGNRE  1
#define A64_ATTR_GRE    2
#define A64_ATTR_NC     3
#define A64_ATTR_NORMAL 4
#define A64_MAIR_LINUX  0x000000ff440c0400ull

/* User rights as VMAs have them. */
enum { PT_READ = 1, PT_WRITE = 2, PT_EXEC = 4, PT_SHARED = 8 };

MM_INLINE bool pte_none(pte_t p)
{
	return !p.v;
}

MM_INLINE bool pte_valid(pte_t p)
{
	return p.v & A64_VALID;
}

MM_INLINE bool pte_present(pte_t p)
{
	return p.v & (A64_VALID | A64_PROT_NONE);
}

MM_INLINE bool pte_young(pte_t p)
{
	return p.v & A64_AF;
}

/* Linux's mark, or the hardware's: writable without ever having been marked. */
MM_INLINE bool pte_dirty(pte_t p)
{
	return p.v & A64_DIRTY || (p.v & (A64_WRITE | A64_RDONLY | A64_DBM)) == (A64_WRITE | A64_DBM);
}

MM_INLINE bool pte_write(pte_t p)
{
	return p.v & A64_WRITE;
}

MM_INLINE bool pte_special(pte_t p)
{
	return p.v & A64_SPECIAL;
}

MM_INLINE paddr_t pte_pa(pte_t p)
{
	return p.v & A64_ADDR;
}

MM_INLINE pte_t pte_mkyoung(pte_t p)
{
	return (pte_t){p.v | A64_AF};
}

MM_INLINE pte_t pte_mkold(pte_t p)
{
	return (pte_t){p.v & ~A64_AF};
}

MM_INLINE pte_t pte_mkdirty(pte_t p)
{
	return (pte_t){p.v | A64_DIRTY};
}

MM_INLINE pte_t pte_mkclean(pte_t p)
{
	return (pte_t){(p.v & ~A64_DIRTY) | A64_RDONLY};
}

MM_INLINE pte_t pte_mkwrite(pte_t p)
{
	return (pte_t){p.v | A64_WRITE};
}

MM_INLINE pte_t pte_wrprotect(pte_t p)
{
	return (pte_t){(pte_dirty(p) ? p.v | A64_DIRTY : p.v) & ~A64_WRITE};
}

MM_INLINE pte_t pte_mkspecial(pte_t p)
{
	return (pte_t){p.v | A64_SPECIAL};
}

MM_INLINE bool pte_user(pte_t p)
{
	return p.v & A64_USER;
}

MM_INLINE bool pte_protnone(pte_t p)
{
	return (p.v & (A64_VALID | A64_PROT_NONE)) == A64_PROT_NONE;
}

enum pt_kernel_prot { PT_KERNEL, PT_KERNEL_EXEC, PT_KERNEL_RO, PT_DEVICE };

/* Protection of a kernel mapping: global, young, dirty, no user access. */
MM_INLINE u64 pte_kernel_prot(enum pt_kernel_prot kind)
{
	u64 p = A64_VALID | A64_TABLE | A64_AF | A64_SH_INNER | A64_UXN | A64_DIRTY;

	p |= A64_ATTR(kind == PT_DEVICE ? A64_ATTR_NGNRE : A64_ATTR_NORMAL);
	p |= kind == PT_KERNEL_EXEC ? 0 : A64_PXN;
	return p | (kind == PT_KERNEL_RO ? A64_RDONLY : A64_WRITE);
}

/* Protection of a user mapping with the given rights (PT_*), as a descriptor without address. */
MM_INLINE u64 pte_user_prot(unsigned rights)
{
	u64 p = A64_TABLE | A64_AF | A64_SH_INNER | A64_ATTR(A64_ATTR_NORMAL) | A64_NG | A64_PXN;

	if (!(rights & (PT_READ | PT_WRITE | PT_EXEC)))
		return p | A64_PROT_NONE | A64_UXN;
	p |= A64_VALID | A64_USER;
	if (!(rights & PT_EXEC))
		p |= A64_UXN;
	if ((rights & (PT_WRITE | PT_SHARED)) == (PT_WRITE | PT_SHARED))
		p |= A64_WRITE;
	return p;
}

MM_INLINE pte_t pte_make(paddr_t pa, u64 prot)
{
	return (pte_t){pa | prot};
}

/* Same frame, young and dirty state; new rights (mprotect). */
MM_INLINE pte_t pte_modify(pte_t p, u64 prot)
{
	u64 keep = A64_ADDR | A64_AF | A64_DIRTY | A64_SPECIAL;

	if (pte_dirty(p))
		p.v |= A64_DIRTY;
	return (pte_t){(p.v & keep) | (prot & ~(u64)A64_AF)};
}

/* What set_pte_at() stores for user entries: AP[2] follows WRITE and DIRTY; DBM if hardware may. */
MM_INLINE u64 pte_encode_user(pte_t p, bool hwad)
{
	u64 v = p.v & ~(A64_RDONLY | A64_DBM);

	if (!(v & A64_VALID))
		return p.v;
	if (!(v & A64_WRITE) || !pte_dirty(p)) /* the hardware's dirty state, too, survives a change */
		v |= A64_RDONLY;
	if (hwad && v & A64_WRITE)
		v |= A64_DBM;
	return v;
}

/* Swap entries: type in bits 7:2, offset in 57:8; neither none nor present for offset > 0. */
MM_INLINE pte_t pte_swap(unsigned type, u64 offset)
{
	return (pte_t){(u64)type << 2 | offset << 8};
}

MM_INLINE unsigned pte_swap_type(pte_t p)
{
	return (unsigned)(p.v >> 2) & 63u;
}

MM_INLINE u64 pte_swap_offset(pte_t p)
{
	return p.v >> 8 & ((1ull << 50) - 1);
}

#define PT_MAX_SWAPFILES   30u /* 32 types less the two of migration */
#define PT_MIGRATION_READ  30u
#define PT_MIGRATION_WRITE 31u

MM_INLINE bool pte_is_swap(pte_t p)
{
	return p.v && !pte_present(p);
}

MM_INLINE bool pte_is_migration(pte_t p)
{
	return pte_is_swap(p) && pte_swap_type(p) >= PT_MIGRATION_READ;
}

#endif
