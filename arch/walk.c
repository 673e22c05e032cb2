/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One body per descriptor format, instantiated once per geometry behind a switch:
 *
 *      va  [ignored | root index | ... | index | page offset]
 *             ttbr -> entry -> ... -> entry -> page        a block or section leaves early
 *
 * Order of checks: descriptor type, output size, access flag, domain, permission.
 */
#include "arch/walk.h"

enum { STEP_DOWN = -1 }; /* a table descriptor: go on; else an enum pt_status */

struct walk {
	const struct pt_mem *mem;
	u64 *slot;
	paddr_t table;
	u64 desc, tables; /* tables: OR of the table descriptors passed, for hierarchical rights */
	u64 size_mask;    /* output-address bits that must be 0 */
	u32 index;
};

/* Rights by user, read-only, PXN and UXN of a leaf. */
#define LONG_DATA_(u, ro)    (PT_KR | ((ro) ? 0 : PT_KW) | ((u) ? PT_UR : 0) | ((u) && !(ro) ? PT_UW : 0))
#define A64_RIGHTS_(u, ro, p, x) /* fetching needs no right to read; what EL0 may write EL1 never runs */ \
	(LONG_DATA_(u, ro) | ((x) ? 0 : PT_UX) | ((p) || ((u) && !(ro)) ? 0 : PT_KX))
#define LPAE_RIGHTS_(u, ro, p, x)                                                                  \
	(LONG_DATA_(u, ro) | ((x) || !(u) ? 0 : PT_UX) | ((x) || (p) ? 0 : PT_KX))
#define LONG_AP_(fn, p, x)  fn(0, 0, p, x), fn(1, 0, p, x), fn(0, 1, p, x), fn(1, 1, p, x)
#define LONG_TABLE_(fn)     { LONG_AP_(fn, 0, 0), LONG_AP_(fn, 1, 0), LONG_AP_(fn, 0, 1), LONG_AP_(fn, 1, 1) }

static const u8 a64_rights[16] = LONG_TABLE_(A64_RIGHTS_), lpae_rights[16] = LONG_TABLE_(LPAE_RIGHTS_);

/* Rights of a long-format leaf; @tables: hierarchical limits, which act like the leaf's own bits. */
MM_INLINE unsigned long_rights(const struct pt_geometry *g, u64 d, u64 tables)
{
	u64 e = (d | (tables >> 6 & (A64_PXN | A64_UXN)) | (tables >> 55 & A64_RDONLY)) & ~(tables >> 55 & A64_USER);
	unsigned i = (unsigned)(e >> 6 & 3) | (unsigned)(e >> 51 & 12);

	return g->family == PT_ARM64 ? a64_rights[i] : lpae_rights[i];
}

/* Reads the entry of height @h and judges its type. */
MM_INLINE int long_step(const struct pt_geometry *g, struct walk *w, vaddr_t va, int h)
{
	w->index = pt_index(g, va, h);
	w->slot = pt_mem_at(w->mem, w->table + (u64)w->index * 8);
	if (MM_UNLIKELY(!w->slot))
		return PT_F_EXTERNAL;
	w->desc = *w->slot;
	if (!(w->desc & A64_VALID))
		return PT_F_TRANSLATION;
	if (!(w->desc & A64_TABLE) && (!h || !(g->block_heights & 1u << h)))
		return PT_F_TRANSLATION;
	if (MM_UNLIKELY(w->desc & w->size_mask))
		return PT_F_ADDRSIZE;
	if (!h || !(w->desc & A64_TABLE))
		return PT_OK;
	w->table = w->desc & pt_addr_mask(g);
	w->tables |= w->desc;
	return STEP_DOWN;
}

/* hwad: sets what an access needs in the leaf; false if that would not make it legal. */
static bool long_hwad(const struct pt_geometry *g, struct walk *w, enum pt_access access, bool user)
{
	u64 d = w->desc | A64_AF;
	u64 old = w->desc;

	if (access == PT_ACCESS_WRITE && d & A64_RDONLY) {
		if (g->family == PT_ARM64 && d & A64_DBM)
			d &= ~A64_RDONLY;
		else if (g->family == PT_LPAE && !(d & LPAE_RDONLY)) /* no such hardware: Linux's bit */
			d = (d & ~LPAE_AP2) | LPAE_DIRTY;
	}
	if (!(long_rights(g, d, w->tables) & pt_right(access, user)))
		d = old | A64_AF;
	*w->slot = w->desc = d;
	return d != old;
}

/* @h: height of the leaf. */
MM_INLINE int long_leaf(const struct pt_geometry *g, const struct pt_mmu *mmu, struct walk *w,
			vaddr_t va, int h, unsigned need, struct pt_result *r)
{
	u64 low = BIT(g->shift[h]) - 1, d = w->desc;

	r->shift = g->shift[h];
	r->attr = (u8)(d >> 2 & 7);
	r->sh = (u8)(d >> 8 & 3);
	r->global = !(d & A64_NG);
	r->rights = (u8)long_rights(g, d, w->tables);
	r->pa = (d & pt_addr_mask(g) & ~low) | (va & low);
	if (MM_UNLIKELY(!(d & A64_AF)))
		return PT_F_ACCESSFLAG;
	(void)mmu;
	return MM_LIKELY(r->rights & need) ? PT_OK : PT_F_PERMISSION;
}

MM_INLINE int long_finish(const struct pt_geometry *g, const struct pt_mmu *mmu, struct walk *w,
			  vaddr_t va, int h, int status, enum pt_access access, bool user,
			  struct pt_result *r)
{
	r->level = (s8)(3 - h);
	if (MM_LIKELY(status == PT_OK)) {
		unsigned need = pt_right(access, user);

		status = long_leaf(g, mmu, w, va, h, need, r);
		if (MM_UNLIKELY(status != PT_OK) && mmu->hwad && long_hwad(g, w, access, user))
			status = long_leaf(g, mmu, w, va, h, need, r);
	}
	return status;
}

/* Output-address bits that must be 0. */
MM_INLINE u64 long_size_mask(const struct pt_geometry *g, const struct pt_mmu *mmu)
{
	return g->family == PT_ARM64 && MM_UNLIKELY(mmu->pa_bits) ? pt_addr_mask(g) & ~(BIT(mmu->pa_bits) - 1) : 0;
}

/* Root for @va, or false when the address lies in no half. */
MM_INLINE bool long_root(const struct pt_geometry *g, const struct pt_mmu *mmu, vaddr_t va, paddr_t *root)
{
	u64 top = va >> g->va_bits;

	*root = mmu->ttbr0;
	if (MM_UNLIKELY(top)) {
		*root = mmu->ttbr1;
		if (g->family != PT_ARM64 || top != ~0ull >> g->va_bits)
			return false;
	}
	if (*root == PT_NO_TABLE)
		return false;
	*root &= ~(u64)(g->root_bytes - 1);
	return true;
}

MM_INLINE int walk_long(const struct pt_geometry *g, const struct pt_mem *mem, const struct pt_mmu *mmu,
			vaddr_t va, enum pt_access access, bool user, struct pt_result *r)
{
	struct walk w = { .mem = mem };
	int status = STEP_DOWN, h = g->levels;

	w.size_mask = long_size_mask(g, mmu);
	if (MM_UNLIKELY(!long_root(g, mmu, va, &w.table))) {
		r->level = 0;
		return PT_F_TRANSLATION;
	}
	if (g->levels > 3)
		status = long_step(g, &w, va, h = 3);
	if (g->levels > 2 && status == STEP_DOWN)
		status = long_step(g, &w, va, h = 2);
	if (status == STEP_DOWN)
		status = long_step(g, &w, va, h = 1);
	if (MM_LIKELY(status == STEP_DOWN))
		status = long_finish(g, mmu, &w, va, 0, long_step(g, &w, va, 0), access, user, r);
	else
		status = long_finish(g, mmu, &w, va, h, status, access, user, r);
	r->table = w.table;
	r->index = w.index;
	r->desc = w.desc;
	return status;
}

/* Rights by APX:AP[1:0] with ARMv7's meaning of 111; the access flag is not enabled. */
static const u8 short_ap[8] = {
	0, PT_KR | PT_KW, PT_KR | PT_KW | PT_UR, PT_KR | PT_KW | PT_UR | PT_UW,
	0, PT_KR, PT_KR | PT_UR, PT_KR | PT_UR,
};

MM_INLINE unsigned short_rights(unsigned ap, bool xn, bool pxn)
{
	unsigned r = short_ap[ap];

	if (!xn)
		r |= (r & PT_UR ? PT_UX : 0) | (r & PT_KR && !pxn ? PT_KX : 0);
	return r;
}

static void short_section(const struct pt_mmu *mmu, u32 d, vaddr_t va, struct pt_result *r)
{
	bool super = d & ARM_L1_SUPER;
	u64 low = (super ? ARM_SUPER_SIZE : ARM_SECT_SIZE) - 1;

	r->pa = (d & ~low & 0xffffffff) | (va & low);
	if (super)
		r->pa |= (u64)(d >> 20 & 15) << 32 | (u64)(d >> 5 & 15) << 36;
	r->domain = super ? 0 : d >> 5 & 15;
	r->shift = super ? 24 : 20;
	r->global = !(d & ARM_SECT_NG);
	r->attr = (u8)((d >> 10 & 0x1c) | (d >> 2 & 3));
	r->sh = d >> 16 & 1;
	r->rights = (u8)short_rights((d >> 10 & 3) | (d >> 13 & 4), d & ARM_SECT_XN, mmu->pxn && d & 1);
}

/* @l1: the table descriptor the page was reached by. */
MM_INLINE void short_page(const struct pt_mmu *mmu, u32 l1, u32 d, vaddr_t va, struct pt_result *r)
{
	bool large = (d & ARM_HW_TYPE) == ARM_HW_LARGE;
	u32 low = large ? 0xffff : 0xfff;
	bool xn = d & (large ? ARM_LARGE_XN : ARM_HW_XN);

	r->pa = (d & ~low) | (va & low);
	r->shift = large ? 16 : 12;
	r->global = !(d & ARM_HW_NG);
	r->attr = (u8)((d >> (large ? 10 : 4) & 0x1c) | (d >> 2 & 3));
	r->sh = d >> 10 & 1;
	r->rights = (u8)short_rights((d >> 4 & 3) | (d >> 7 & 4), xn, mmu->pxn && l1 & ARM_L1_TABLE_PXN);
}

/* Domain 0: every access faults; 1: rights decide; 3: none is checked, fetches included. */
MM_INLINE int short_judge(const struct pt_mmu *mmu, struct pt_result *r, unsigned need)
{
	u32 client = mmu->dacr >> (2 * r->domain) & 3;

	if (MM_UNLIKELY(client != 1)) {
		if (client != 3)
			return PT_F_DOMAIN;
		r->rights = 0x3f;
	}
	return MM_LIKELY(r->rights & need) ? PT_OK : PT_F_PERMISSION;
}

MM_INLINE int short_once(const struct pt_mem *mem, const struct pt_mmu *mmu, vaddr_t va,
			 unsigned need, struct pt_result *r)
{
	u32 *slot, l1;

	r->level = 1;
	if (MM_UNLIKELY(va >> 32 || mmu->ttbr0 == PT_NO_TABLE))
		return PT_F_TRANSLATION;
	r->table = mmu->ttbr0 & ~0x3fffull;
	r->index = (u32)(va >> 20);
	slot = pt_mem_at(mem, r->table + r->index * 4ull);
	if (MM_UNLIKELY(!slot))
		return PT_F_EXTERNAL;
	r->desc = l1 = *slot;
	if (MM_UNLIKELY((l1 & ARM_L1_TYPE) != ARM_L1_TABLE)) {
		if (!(l1 & ARM_L1_SECTION) || ((l1 & 1) && !mmu->pxn))
			return PT_F_TRANSLATION;
		short_section(mmu, l1, va, r);
		return short_judge(mmu, r, need);
	}
	r->level = 2;
	r->table = l1 & ~0x3ffu;
	r->index = (u32)(va >> 12) & 255;
	slot = pt_mem_at(mem, r->table + r->index * 4ull);
	if (MM_UNLIKELY(!slot))
		return PT_F_EXTERNAL;
	r->desc = *slot;
	r->domain = l1 >> 5 & 15;
	if (MM_UNLIKELY(!(r->desc & ARM_HW_TYPE)))
		return PT_F_TRANSLATION;
	short_page(mmu, l1, (u32)r->desc, va, r);
	return short_judge(mmu, r, need);
}

/*
 * hwad on a CPU without it: the Linux word says whether the fault is only emulation of young or
 * dirty; then both words are rewritten. Only tables of Linux's layout have a Linux half.
 */
static bool short_hwad(const struct pt_mem *mem, const struct pt_result *r, enum pt_access access)
{
	u8 *hw = pt_mem_at(mem, r->table + r->index * 4ull);
	u32 old, l;

	if (r->level != 2 || !hw || !(r->table & ARM_HWTABLE_OFF))
		return false;
	old = l = *(u32 *)(void *)(hw - ARM_HWTABLE_OFF);
	if ((l & (ARM_L_PRESENT | ARM_L_NONE)) != ARM_L_PRESENT)
		return false;
	l |= ARM_L_YOUNG;
	if (access == PT_ACCESS_WRITE && !(l & ARM_L_RDONLY))
		l |= ARM_L_DIRTY;
	if (l == old)
		return false;
	arm_short_store((pt_slot *)(void *)(hw - ARM_HWTABLE_OFF), l, l & ARM_L_USER ? ARM_HW_NG : 0);
	return true;
}

MM_INLINE int walk_short(const struct pt_mem *mem, const struct pt_mmu *mmu, vaddr_t va,
			 enum pt_access access, bool user, struct pt_result *r)
{
	unsigned need = pt_right(access, user);
	int status = short_once(mem, mmu, va, need, r);

	if (MM_UNLIKELY(status == PT_F_TRANSLATION || status == PT_F_PERMISSION) && mmu->hwad &&
	    short_hwad(mem, r, access))
		status = short_once(mem, mmu, va, need, r);
	return status;
}

MM_INLINE int translate(const struct pt_geometry *g, const struct pt_mem *mem, const struct pt_mmu *mmu,
			vaddr_t va, enum pt_access access, bool user, struct pt_result *r)
{
	int status;

	r->rights = 0;
	if (g->family == PT_SHORT)
		status = walk_short(mem, mmu, va, access, user, r);
	else
		status = walk_long(g, mem, mmu, va, access, user, r);
	r->status = (u8)status;
	if (MM_UNLIKELY(status != PT_OK))
		r->fsr = pt_fault_code(g->geom, r, access, user);
	return status;
}

int mmu_translate(enum pt_geom geom, const struct pt_mem *mem, const struct pt_mmu *mmu, vaddr_t va,
		  enum pt_access access, bool user, struct pt_result *res)
{
	PT_SWITCH(geom, translate, mem, mmu, va, access, user, res)
}

#define BATCH 32u

/* A walk that has come to its leaf table; from the start again if it met something unusual (@all). */
struct lane {
	paddr_t table;
	u64 tables, all; /* OR and AND of the table descriptors passed */
};

/* A hint: @pa may be anything. */
MM_INLINE void prefetch_pa(const struct pt_mem *mem, paddr_t pa)
{
	__builtin_prefetch((const void *)((uintptr_t)mem->base + (uintptr_t)(pa - mem->start)));
}

/* Takes @l from the table of height @h to the one below. */
MM_INLINE void lane_down(const struct pt_geometry *g, const struct pt_mem *mem, vaddr_t va, int h, struct lane *l)
{
	const u64 *slot = pt_mem_at(mem, l->table + (u64)pt_index(g, va, h) * 8);
	u64 e = slot ? *slot : 0;

	l->all &= e;
	l->tables |= e;
	l->table = e & pt_addr_mask(g);
}

/*
 * Walks up to 32 addresses to their leaf tables, so that the misses of each of the last two levels
 * overlap; the levels above stay in cache of their own.
 */
MM_INLINE void ahead_long(const struct pt_geometry *g, const struct pt_mem *mem, const struct pt_mmu *mmu,
			  const vaddr_t *va, unsigned n, struct lane *lanes)
{
	for (unsigned i = 0; i < n; i++) {
		struct lane *l = &lanes[i];

		l->tables = 0;
		l->all = long_root(g, mmu, va[i], &l->table) ? A64_TYPE : 0;
		if (g->levels > 3)
			lane_down(g, mem, va[i], 3, l);
		if (g->levels > 2)
			lane_down(g, mem, va[i], 2, l);
		prefetch_pa(mem, l->table + (u64)pt_index(g, va[i], 1) * 8);
	}
	for (unsigned i = 0; i < n; i++) {
		lane_down(g, mem, va[i], 1, &lanes[i]);
		prefetch_pa(mem, lanes[i].table + (u64)pt_index(g, va[i], 0) * 8);
	}
}

/* The last step of a lane; as translate() from there on. */
MM_INLINE int lane_finish(const struct pt_geometry *g, const struct pt_mem *mem, const struct pt_mmu *mmu,
			  u64 size_mask, const struct lane *l, vaddr_t va, enum pt_access access, bool user,
			  struct pt_result *r)
{
	struct walk w = {.mem = mem, .table = l->table, .tables = l->tables, .size_mask = size_mask};
	int status;

	r->rights = 0;
	status = long_finish(g, mmu, &w, va, 0, long_step(g, &w, va, 0), access, user, r);
	r->table = w.table;
	r->index = w.index;
	r->desc = w.desc;
	r->status = (u8)status;
	if (MM_UNLIKELY(status != PT_OK))
		r->fsr = pt_fault_code(g->geom, r, access, user);
	return status;
}

MM_INLINE void ahead_short(const struct pt_mem *mem, const struct pt_mmu *mmu, const vaddr_t *va, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		u32 *slot = pt_mem_at(mem, (mmu->ttbr0 & ~0x3fffull) + (va[i] >> 20 & 4095) * 4);

		if (slot)
			prefetch_pa(mem, (*slot & ~0x3ffull) + (va[i] >> 12 & 255) * 4);
	}
}

MM_INLINE u64 translate_batch(const struct pt_geometry *g, const struct pt_mem *mem, const struct pt_mmu *mmu,
			      const vaddr_t *va, u64 n, enum pt_access access, bool user,
			      struct pt_result *res)
{
	u64 faults = 0, size_mask = long_size_mask(g, mmu);
	struct lane lanes[BATCH];

	for (u64 at = 0; at < n; at += BATCH) {
		unsigned k = n - at < BATCH ? (unsigned)(n - at) : BATCH;

		if (g->family == PT_SHORT)
			ahead_short(mem, mmu, va + at, k);
		else
			ahead_long(g, mem, mmu, va + at, k, lanes);
		for (unsigned i = 0; i < k; i++) {
			struct pt_result *r = &res[at + i];

			if (g->family == PT_SHORT || lanes[i].all != A64_TYPE || lanes[i].tables & size_mask)
				faults += translate(g, mem, mmu, va[at + i], access, user, r) != PT_OK;
			else
				faults += lane_finish(g, mem, mmu, size_mask, &lanes[i], va[at + i], access, user,
						      r) != PT_OK;
		}
	}
	return faults;
}

u64 mmu_translate_batch(enum pt_geom geom, const struct pt_mem *mem, const struct pt_mmu *mmu,
			const vaddr_t *va, u64 n, enum pt_access access, bool user,
			struct pt_result *res)
{
	PT_SWITCH(geom, translate_batch, mem, mmu, va, n, access, user, res)
}

struct pt_hit pt_user_arm32(enum pt_geom geom, const struct pt_mem *mem, paddr_t root, vaddr_t va,
			    enum pt_access access, bool hwad)
{
	const struct pt_mmu mmu = {.ttbr0 = root, .ttbr1 = PT_NO_TABLE, .dacr = ARM_DACR_LINUX, .hwad = hwad};
	struct pt_hit hit = {0};
	struct pt_result r;
	bool leaf;

	mmu_translate(geom, mem, &mmu, va, access, true, &r);
	hit.fault = r.status;
	hit.level = r.level;
	if (MM_LIKELY(r.status == PT_OK))
		hit.pa = r.pa;
	leaf = geom == PT_ARM_SHORT ? r.level == 2 : r.level == 3;
	if (leaf && r.status != PT_F_EXTERNAL) {
		paddr_t slot = geom == PT_ARM_SHORT ? r.table - ARM_HWTABLE_OFF + r.index * 4ull
						    : r.table + r.index * 8ull;

		hit.slot = pt_mem_at(mem, slot);
		hit.level = 3;
		hit.desc = r.desc;
	}
	return hit;
}

struct pt_hit pt_user_access(enum pt_geom geom, const struct pt_mem *mem, paddr_t root, vaddr_t va,
			     enum pt_access access, bool hwad)
{
	PT_SWITCH(geom, pt_user_body, mem, root, va, access, hwad)
}
