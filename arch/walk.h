/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walker: what the MMU does with a table (spec 02 s4, arm-style fault classes).
 *
 * Reads descriptors from the window and nothing else; with hwad it writes access and dirty state back
 * as FEAT_HAFDBS hardware does. Software bits never influence it.
 */
#ifndef MEMRIG_ARCH_WALK_H
#define MEMRIG_ARCH_WALK_H

#include "arch/arm64/desc.h"

enum pt_access { PT_ACCESS_READ, PT_ACCESS_WRITE, PT_ACCESS_EXEC }; /* as MM_ACCESS_* */

enum pt_fault {
	PT_OK,
	PT_TRANSLATION,
	PT_ACCESS_FLAG,
	PT_PERMISSION,
	PT_ADDRESS_SIZE,
	PT_EXTERNAL /* the table lies outside of memory */
};

struct pt_result {
	enum pt_fault fault;
	unsigned level; /* of the leaf, or where the walk failed */
	paddr_t pa;     /* PT_OK */
	u64 *slot;      /* the last descriptor read; NULL if none */
	u64 desc;       /* its value */
};

/* DFSC of a data abort (spec 02 s4.4): translation 4-7, access flag 8-11, permission 12-15. */
static inline unsigned pt_dfsc(const struct pt_result *r)
{
	static const u8 base[] = {0, 4, 8, 12, 0, 16 + 4};

	return base[r->fault] + r->level;
}

/* Follows tables from @root to the entry that maps @va or stops the walk. No permission check. */
MM_INLINE struct pt_result pt_walk_body(enum pt_geom g, const struct pt_mem *mem, paddr_t root, vaddr_t va)
{
	struct pt_result r = {.level = pt_top_level(g)};
	paddr_t table = root;

	for (;; r.level++) {
		u64 *entries = pt_table(mem, table, 8ull * pt_entries(g, r.level));

		if (MM_UNLIKELY(!entries)) {
			r.fault = PT_EXTERNAL;
			return r;
		}
		r.slot = &entries[pt_index(g, r.level, va)];
		r.desc = *r.slot;
		if (r.level == 3)
			break;
		if (MM_UNLIKELY((r.desc & (A64_VALID | A64_TABLE)) != (A64_VALID | A64_TABLE)))
			break;
		table = r.desc & A64_ADDR & ~((1ull << pt_page_shift(g)) - 1);
	}
	if (MM_UNLIKELY(!(r.desc & A64_VALID)))
		r.fault = PT_TRANSLATION;
	else if (r.level == 3 && MM_UNLIKELY(!(r.desc & A64_TABLE)))
		r.fault = PT_TRANSLATION; /* 01 at level 3 is reserved */
	else if (r.level < 3 && !(pt_geometries[g].blocks & BIT(r.level)))
		r.fault = PT_TRANSLATION; /* a block where the granule has none */
	return r;
}

/* Rights of a user access; AF first, as the architecture orders faults. */
MM_INLINE enum pt_fault pt_user_check(u64 desc, enum pt_access access)
{
	if (MM_UNLIKELY(!(desc & A64_AF)))
		return PT_ACCESS_FLAG;
	if (access == PT_ACCESS_WRITE)
		return (desc & (A64_USER | A64_RDONLY)) == A64_USER ? PT_OK : PT_PERMISSION;
	if (MM_UNLIKELY(!(desc & A64_USER)))
		return PT_PERMISSION;
	return access == PT_ACCESS_EXEC && desc & A64_UXN ? PT_PERMISSION : PT_OK;
}

/* FEAT_HAFDBS: sets AF, clears AP[2] of a DBM descriptor on a write; updates memory. */
MM_INLINE void pt_hardware_update(struct pt_result *r, enum pt_access access)
{
	u64 d = r->desc | A64_AF;

	if (access == PT_ACCESS_WRITE && d & A64_DBM)
		d &= ~A64_RDONLY;
	if (d != r->desc)
		*r->slot = r->desc = d;
}

/* One access of the user half (TTBR0) at EL0. Addresses beyond the half: translation, top level 0. */
MM_INLINE struct pt_result pt_translate_body(enum pt_geom g, const struct pt_mem *mem, paddr_t root,
					     vaddr_t va, enum pt_access access, bool hwad)
{
	struct pt_result r;
	u64 offset;

	if (MM_UNLIKELY(va >> pt_geometries[g].va_bits))
		return (struct pt_result){.fault = PT_TRANSLATION};
	r = pt_walk_body(g, mem, root, va);
	if (MM_UNLIKELY(r.fault))
		return r;
	if (hwad)
		pt_hardware_update(&r, access);
	r.fault = pt_user_check(r.desc, access);
	offset = (1ull << pt_level_shift(g, r.level)) - 1;
	r.pa = (r.desc & A64_ADDR & ~offset) | (va & offset);
	return r;
}

/* The public entry: one instance per geometry behind a switch. */
struct pt_result pt_translate(enum pt_geom g, const struct pt_mem *mem, paddr_t root, vaddr_t va,
			      enum pt_access access, bool hwad);

#endif
