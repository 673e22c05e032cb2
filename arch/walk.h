/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hardware table walker: what an ARM MMU answers for an address, read from the tables' bytes
 * and nothing else (spec 02 s2.6, s2.7, s4.2, s4.4).
 *
 * Terms
 *   mmu      the registers that a walk depends on.
 *   rights   six bits, PT_UR ... PT_KX: user and kernel, read, write, fetch.
 *   level    hardware numbering: 1, 2 on ARM32 short descriptors, 0 to 3 elsewhere (3: pages).
 *
 * Only the hardware half of an ARM32 table is read, except for hwad=1, where the walker stands in
 * for hardware that those CPUs lack and rewrites both halves. Tables outside the window of guest
 * memory answer PT_F_EXTERNAL; no input makes the walker read elsewhere.
 * Linux: none (hardware), arch/arm/mm/fsr-2level.c for the codes; left out: stage 2, big-endian
 * tables, TEX remap of memory types, LPA2.
 */
#ifndef MEMRIG_ARCH_WALK_H
#define MEMRIG_ARCH_WALK_H

#include "arch/pgtable.h"

enum pt_access { PT_ACCESS_READ, PT_ACCESS_WRITE, PT_ACCESS_EXEC }; /* as MM_ACCESS_* */

#define PT_UR 0x01u
#define PT_UW 0x02u
#define PT_UX 0x04u
#define PT_KR 0x08u
#define PT_KW 0x10u
#define PT_KX 0x20u

/* The right that an access needs. */
MM_INLINE unsigned pt_right(enum pt_access access, bool user)
{
	return (user ? PT_UR : PT_KR) << access;
}

enum pt_status {
	PT_OK,
	PT_F_TRANSLATION,
	PT_F_ADDRSIZE,
	PT_F_ACCESSFLAG,
	PT_F_DOMAIN,
	PT_F_PERMISSION,
	PT_F_EXTERNAL, /* the walk left guest memory */
};

struct pt_mmu {
	paddr_t ttbr0, ttbr1; /* ttbr1: ARM64's kernel half only */
	u32 dacr;             /* ARM32 short descriptors: ARM_DACR_LINUX */
	u8 pa_bits;           /* ARM64: output size (IPS); 0: 48 */
	bool hwad;            /* sets accessed and dirty state itself */
	bool pxn;             /* ARM32 short descriptors: the CPU knows PXN */
};

struct pt_result {
	u8 status;  /* enum pt_status */
	s8 level;   /* of the leaf, or of the fault */
	u8 shift;   /* log2 of the bytes that the leaf maps */
	u8 rights;  /* of the leaf, whatever was asked; 0 if there is none */
	u8 attr;    /* AttrIndx; short descriptors: TEX:C:B */
	u8 sh;      /* SH[1:0]; short descriptors: S */
	u8 domain;  /* short descriptors */
	bool global;
	u32 index;     /* of the last descriptor read, in its (hardware) table */
	u32 fsr;       /* on a fault: FSR (ARM32) or ESR (ARM64), spec s2.6 and s4.4 */
	paddr_t table; /* physical address of the (hardware) table that holds it */
	paddr_t pa;    /* the answer */
	u64 desc;      /* the last descriptor read */
};

/*
 * mmu_translate: walks the tables of @mmu in @mem for an access to @va and fills @res. Returns
 * res->status. With mmu->hwad the leaf's accessed and dirty state is set as hardware would, in the
 * tables. Counts nothing; any table contents are allowed.
 */
int mmu_translate(enum pt_geom geom, const struct pt_mem *mem, const struct pt_mmu *mmu, vaddr_t va,
		  enum pt_access access, bool user, struct pt_result *res);

/*
 * @n independent translations with look-ahead: the cache misses of up to 32 walks overlap. Results
 * as of mmu_translate() one after another. Returns the number of faults.
 */
u64 mmu_translate_batch(enum pt_geom geom, const struct pt_mem *mem, const struct pt_mmu *mmu,
			const vaddr_t *va, u64 n, enum pt_access access, bool user,
			struct pt_result *res);

/* Fault status register of ARM32 (short or long format), or ESR of ARM64, for a faulting result. */
u32 pt_fault_code(enum pt_geom geom, const struct pt_result *res, enum pt_access access, bool user);

#define PT_FSR_WRITE   BIT(11)
#define PT_FSR_LPAE    BIT(9)
#define PT_FSR_FETCH   BIT(31) /* software: an instruction fault */
#define PT_ESR_WNR     BIT(6)
#define PT_ESR_CM      BIT(8)

/* What a fault handler does first with a status word (spec s2.6, s4.4). */
enum pt_fault_path {
	PT_PATH_PAGE,    /* do_page_fault */
	PT_PATH_KERNEL,  /* copy the kernel's pgd entry if it has one, else bad area */
	PT_PATH_BAD,     /* bad area: SIGSEGV */
	PT_PATH_ALIGN,   /* SIGBUS, BUS_ADRALN */
	PT_PATH_BUS,     /* SIGBUS or other fatal status */
};

struct pt_fault_info {
	enum pt_fault_path path;
	bool write, fetch, user;
	s8 level; /* hardware level, -1 where the status has none */
};

/*
 * Decodes an FSR or ESR of @geom for @va. @task_size divides user from kernel addresses; @user: the
 * access came from user mode (ARM64: read from the ESR's class instead).
 */
struct pt_fault_info pt_fault_decode(enum pt_geom geom, u32 code, vaddr_t va, vaddr_t task_size, bool user);

/*
 * The short way for accesses of user space: what the fault path needs and no more. Same answers as
 * mmu_translate() with user=true.
 */
struct pt_hit {
	u8 fault;      /* enum pt_status */
	s8 level;      /* 3: a PTE decided (on ARM32 short descriptors too) */
	pt_slot *slot; /* of the PTE, when level is 3 */
	u64 desc;      /* hardware's descriptor */
	paddr_t pa;    /* if fault is PT_OK */
};

/* Rights of a user access in the long formats; AF first, as the architecture orders faults. */
MM_INLINE int pt_user_check(u64 desc, enum pt_access access)
{
	if (MM_UNLIKELY(!(desc & A64_AF)))
		return PT_F_ACCESSFLAG;
	if (access == PT_ACCESS_WRITE)
		return (desc & (A64_USER | A64_RDONLY)) == A64_USER ? PT_OK : PT_F_PERMISSION;
	if (MM_UNLIKELY(!(desc & A64_USER)))
		return PT_F_PERMISSION;
	return access == PT_ACCESS_EXEC && desc & A64_UXN ? PT_F_PERMISSION : PT_OK;
}

/* The last step: @slot is the PTE's of @va. */
MM_INLINE struct pt_hit pt_user_leaf_arm64(const struct pt_geometry *g, u64 *slot, vaddr_t va,
					   enum pt_access access, bool hwad)
{
	struct pt_hit hit = {.fault = PT_F_TRANSLATION, .level = 3, .slot = (pt_slot *)(void *)slot};
	u64 d = *slot;

	if (MM_LIKELY((d & A64_TYPE) == (A64_VALID | A64_TABLE))) {
		if (hwad) {
			u64 n = d | A64_AF;

			if (access == PT_ACCESS_WRITE && n & A64_DBM)
				n &= ~A64_RDONLY;
			if (n != d)
				*slot = d = n;
		}
		hit.fault = (u8)pt_user_check(d, access);
		hit.pa = (d & pt_addr_mask(g)) | (va & (pt_page_size(g) - 1));
	}
	hit.desc = d;
	return hit;
}

/* ARM64's tables of user space have neither blocks nor hierarchical rights: any other entry is a fault. */
MM_INLINE struct pt_hit pt_user_arm64(const struct pt_geometry *g, const struct pt_mem *mem, paddr_t table,
				      vaddr_t va, enum pt_access access, bool hwad)
{
	struct pt_hit hit = {.fault = PT_F_TRANSLATION};
	u64 *slot = NULL;
	u64 d = 0;

	if (MM_UNLIKELY(va >> g->va_bits))
		return hit;
#define PT_STEP_(h)                                                                                \
	do {                                                                                       \
		hit.level = 3 - (h);                                                               \
		slot = pt_mem_at(mem, table + (u64)pt_index(g, va, h) * 8);                        \
		if (MM_UNLIKELY(!slot))                                                            \
			goto outside;                                                              \
		d = *slot;                                                                         \
		if (MM_UNLIKELY((d & A64_TYPE) != (A64_VALID | A64_TABLE)))                        \
			goto out;                                                                  \
		table = d & pt_addr_mask(g);                                                       \
	} while (0)
	if (g->levels > 3)
		PT_STEP_(3);
	if (g->levels > 2)
		PT_STEP_(2);
	PT_STEP_(1);
#undef PT_STEP_
	slot = pt_mem_at(mem, table + (u64)pt_index(g, va, 0) * 8);
	if (MM_UNLIKELY(!slot))
		goto outside;
	return pt_user_leaf_arm64(g, slot, va, access, hwad);
out:
	hit.slot = (pt_slot *)(void *)slot;
	hit.desc = d;
	return hit;
outside:
	hit.fault = PT_F_EXTERNAL;
	return hit;
}

/* The same on ARM32, by the full walker. */
struct pt_hit pt_user_arm32(enum pt_geom geom, const struct pt_mem *mem, paddr_t root, vaddr_t va,
			    enum pt_access access, bool hwad);

/* One access of user space to the tables at @root. */
MM_INLINE struct pt_hit pt_user_body(const struct pt_geometry *g, const struct pt_mem *mem, paddr_t root,
				     vaddr_t va, enum pt_access access, bool hwad)
{
	if (g->family == PT_ARM64)
		return pt_user_arm64(g, mem, root, va, access, hwad);
	return pt_user_arm32(g->geom, mem, root, va, access, hwad);
}

/* pt_user_body() behind a switch over the geometries. */
struct pt_hit pt_user_access(enum pt_geom geom, const struct pt_mem *mem, paddr_t root, vaddr_t va,
			     enum pt_access access, bool hwad);

#endif
