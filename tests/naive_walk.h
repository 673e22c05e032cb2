/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A second walker, written from the architecture manuals' descriptor tables and for clarity only: one
 * access, no masks shared with arch/. Differential tests compare arch/walk.c with it.
 */
#ifndef MEMRIG_TEST_NAIVE_WALK_H
#define MEMRIG_TEST_NAIVE_WALK_H

#include "arch/walk.h"

struct naive {
	enum pt_status status;
	int level;
	u64 pa;
};

struct naive_cpu {
	const struct pt_mem *mem;
	u64 ttbr0, ttbr1;
	u32 dacr;
	unsigned pa_bits; /* ARM64 output size */
	bool pxn;         /* short descriptors */
};

static inline u64 naive_bits(u64 v, unsigned high, unsigned low)
{
	u64 r = 0;

	for (unsigned b = low; b <= high; b++)
		r |= (v >> b & 1) << (b - low);
	return r;
}

/* Reads @n bytes at @pa; false: nothing is there. */
static inline bool naive_read(const struct naive_cpu *c, u64 pa, unsigned n, u64 *v)
{
	*v = 0;
	if (pa < c->mem->start || pa - c->mem->start >= c->mem->bytes)
		return false;
	for (unsigned i = 0; i < n; i++)
		*v |= (u64)c->mem->base[pa - c->mem->start + i] << (8 * i);
	return true;
}

/* Table of the AP[2:0] encodings: what may PL1 and PL0 do? 0 nothing, 1 read, 2 read and write. */
static inline enum pt_status naive_short_ap(unsigned ap, bool xn, bool pxn, unsigned access, bool user)
{
	static const int pl1[8] = {0, 2, 2, 2, 0, 1, 1, 1};
	static const int pl0[8] = {0, 0, 1, 2, 0, 0, 1, 1};
	int may = user ? pl0[ap] : pl1[ap];

	if (access == PT_ACCESS_EXEC)
		return may >= 1 && !xn && (user || !pxn) ? PT_OK : PT_F_PERMISSION;
	return may >= (access == PT_ACCESS_WRITE ? 2 : 1) ? PT_OK : PT_F_PERMISSION;
}

/* Domain field of DACR first: 0 no access, 1 client, 2 reserved (no access), 3 manager. */
static inline enum pt_status naive_short_check(const struct naive_cpu *c, unsigned domain, enum pt_status rights)
{
	switch (naive_bits(c->dacr, 2 * domain + 1, 2 * domain)) {
	case 1:
		return rights;
	case 3:
		return PT_OK;
	default:
		return PT_F_DOMAIN;
	}
}

static inline struct naive naive_short(const struct naive_cpu *c, u64 va, unsigned access, bool user)
{
	struct naive r = {PT_F_TRANSLATION, 1, 0};
	unsigned ap, domain, type;
	bool xn, pxn;
	u64 d, l2;

	if (va >= 1ull << 32)
		return r;
	if (!naive_read(c, naive_bits(c->ttbr0, 63, 14) * 16384 + naive_bits(va, 31, 20) * 4, 4, &d)) {
		r.status = PT_F_EXTERNAL;
		return r;
	}
	type = (unsigned)naive_bits(d, 1, 0);
	if (type == 0 || (type == 3 && !c->pxn))
		return r;
	if (type >= 2) {
		ap = (unsigned)(naive_bits(d, 15, 15) * 4 + naive_bits(d, 11, 10));
		xn = naive_bits(d, 4, 4);
		pxn = c->pxn && naive_bits(d, 0, 0);
		domain = (unsigned)naive_bits(d, 8, 5);
		r.pa = naive_bits(d, 31, 20) << 20 | naive_bits(va, 19, 0);
		if (naive_bits(d, 18, 18)) {
			domain = 0;
			r.pa = naive_bits(d, 8, 5) << 36 | naive_bits(d, 23, 20) << 32 |
			       naive_bits(d, 31, 24) << 24 | naive_bits(va, 23, 0);
		}
		r.status = naive_short_check(c, domain, naive_short_ap(ap, xn, pxn, access, user));
		return r;
	}
	domain = (unsigned)naive_bits(d, 8, 5);
	pxn = c->pxn && naive_bits(d, 2, 2);
	r.level = 2;
	if (!naive_read(c, naive_bits(d, 31, 10) * 1024 + naive_bits(va, 19, 12) * 4, 4, &l2)) {
		r.status = PT_F_EXTERNAL;
		return r;
	}
	type = (unsigned)naive_bits(l2, 1, 0);
	if (type == 0)
		return r;
	ap = (unsigned)(naive_bits(l2, 9, 9) * 4 + naive_bits(l2, 5, 4));
	if (type == 1) { /* 64 KiB */
		xn = naive_bits(l2, 15, 15);
		r.pa = naive_bits(l2, 31, 16) << 16 | naive_bits(va, 15, 0);
	} else {
		xn = naive_bits(l2, 0, 0);
		r.pa = naive_bits(l2, 31, 12) << 12 | naive_bits(va, 11, 0);
	}
	r.status = naive_short_check(c, domain, naive_short_ap(ap, xn, pxn, access, user));
	return r;
}

struct naive_format {
	bool arm64;
	unsigned page_shift, va_bits, out_bits; /* out_bits: of the address field */
};

/* Limits that table descriptors put on everything below them. */
struct naive_limits {
	bool no_user, no_write, uxn, pxn;
};

static inline enum pt_status naive_long_rights(const struct naive_format *f, u64 d, struct naive_limits t,
					       unsigned access, bool user)
{
	bool el0 = naive_bits(d, 6, 6) && !t.no_user, write = !naive_bits(d, 7, 7) && !t.no_write;
	bool uxn = naive_bits(d, 54, 54) || t.uxn, pxn = naive_bits(d, 53, 53) || t.pxn, ok;

	if (access == PT_ACCESS_READ) {
		ok = user ? el0 : true;
	} else if (access == PT_ACCESS_WRITE) {
		ok = user ? el0 && write : write;
	} else if (f->arm64) {
		ok = user ? !uxn : !pxn && !(el0 && write);
	} else { /* one XN for both levels of privilege, and the right to read */
		ok = user ? el0 && !uxn : !uxn && !pxn;
	}
	return ok ? PT_OK : PT_F_PERMISSION;
}

static inline struct naive naive_long(const struct naive_cpu *c, const struct naive_format *f, u64 va, unsigned access,
				      bool user)
{
	unsigned stride = f->page_shift - 3, nr = (f->va_bits - f->page_shift + stride - 1) / stride;
	unsigned level = 4 - nr, top = f->va_bits - 1;
	bool high = f->arm64 && naive_bits(va, 63, f->va_bits) == naive_bits(~0ull, 63, f->va_bits);
	struct naive r = {PT_F_TRANSLATION, 0, 0};
	struct naive_limits t = {false, false, false, false};
	u64 table = high ? c->ttbr1 : c->ttbr0, d, out, entries;

	if ((!high && naive_bits(va, 63, f->va_bits)) || table == ~0ull)
		return r;
	for (;; level++) {
		unsigned low = f->page_shift + stride * (3 - level);

		entries = 1ull << (top - low + 1);
		if (level == 4 - nr) /* the root is aligned to its size */
			table = table / (entries * 8) * (entries * 8);
		r.level = (int)level;
		if (!naive_read(c, table + naive_bits(va, top, low) * 8, 8, &d)) {
			r.status = PT_F_EXTERNAL;
			return r;
		}
		if (!naive_bits(d, 0, 0))
			return r;
		if (level < 3 && !naive_bits(d, 1, 1) && !(level == 2 || (level == 1 && f->page_shift == 12)))
			return r; /* a block where none may be */
		if (level == 3 && !naive_bits(d, 1, 1))
			return r;
		out = naive_bits(d, f->out_bits - 1, f->page_shift) << f->page_shift;
		if (f->arm64 && c->pa_bits && c->pa_bits < f->out_bits &&
		    naive_bits(out, f->out_bits - 1, c->pa_bits)) {
			r.status = PT_F_ADDRSIZE;
			return r;
		}
		if (level == 3 || !naive_bits(d, 1, 1)) {
			r.pa = out >> low << low | naive_bits(va, low - 1, 0);
			r.status = !naive_bits(d, 10, 10) ? PT_F_ACCESSFLAG
							 : naive_long_rights(f, d, t, access, user);
			return r;
		}
		t.pxn |= naive_bits(d, 59, 59);
		t.uxn |= naive_bits(d, 60, 60);
		t.no_user |= naive_bits(d, 61, 61);
		t.no_write |= naive_bits(d, 62, 62);
		table = out;
		top = low - 1;
	}
}

static inline struct naive naive_walk(const struct naive_cpu *c, enum pt_geom geom, u64 va, unsigned access, bool user)
{
	static const struct naive_format formats[PT_NR_GEOM] = {
		[PT_ARM_LPAE] = {false, 12, 32, 40},  [PT_A64_4K_39] = {true, 12, 39, 48},
		[PT_A64_4K_48] = {true, 12, 48, 48},  [PT_A64_16K_36] = {true, 14, 36, 48},
		[PT_A64_16K_47] = {true, 14, 47, 48}, [PT_A64_16K_48] = {true, 14, 48, 48},
		[PT_A64_64K_42] = {true, 16, 42, 48}, [PT_A64_64K_48] = {true, 16, 48, 48},
	};

	if (geom == PT_ARM_SHORT)
		return naive_short(c, va, access, user);
	return naive_long(c, &formats[geom], va, access, user);
}

#endif
