/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fault status words: encoded from walk results, decoded for the fault handler (spec 02 s2.6, s4.4).
 * ARM32 short: FSR[3:0], [10]; long: FSR[5:0] and bit 9; ARM64: ESR with class in [31:26]. The long
 * codes are a class in bits 5:2 and the level in 1:0, the same for LPAE and ARM64.
 */
#include "arch/walk.h"

static u32 short_code(const struct pt_result *r)
{
	bool page = r->level == 2;

	switch (r->status) {
	case PT_F_TRANSLATION:
		return page ? 0x07 : 0x05;
	case PT_F_ACCESSFLAG:
		return page ? 0x06 : 0x03;
	case PT_F_DOMAIN:
		return page ? 0x0b : 0x09;
	case PT_F_PERMISSION:
		return page ? 0x0f : 0x0d;
	default: /* external abort on the table walk */
		return page ? 0x0e : 0x0c;
	}
}

static u32 long_code(const struct pt_result *r)
{
	u32 level = (u32)r->level & 3;

	switch (r->status) {
	case PT_F_TRANSLATION:
		return 0x04 | level;
	case PT_F_ADDRSIZE:
		return level;
	case PT_F_ACCESSFLAG:
		return 0x08 | level;
	case PT_F_PERMISSION:
		return 0x0c | level;
	default: /* external abort on the table walk */
		return 0x14 | level;
	}
}

u32 pt_fault_code(enum pt_geom geom, const struct pt_result *res, enum pt_access access, bool user)
{
	enum pt_family family = pt_geometries[geom].family;
	u32 class, code;

	if (family == PT_ARM64) {
		class = (access == PT_ACCESS_EXEC ? 0x20u : 0x24u) | (user ? 0 : 1);
		code = long_code(res) | (access == PT_ACCESS_WRITE ? (u32)PT_ESR_WNR : 0);
		return class << 26 | 1u << 25 | code;
	}
	code = family == PT_SHORT ? short_code(res) : long_code(res) | (u32)PT_FSR_LPAE;
	code |= access == PT_ACCESS_EXEC ? (u32)PT_FSR_FETCH : 0;
	return code | (access == PT_ACCESS_WRITE ? (u32)PT_FSR_WRITE : 0);
}

static enum pt_fault_path short_path(u32 fs, vaddr_t va, vaddr_t task_size, bool user)
{
	switch (fs) {
	case 0x01:
		return PT_PATH_ALIGN;
	case 0x05:
		if (va < task_size)
			return PT_PATH_PAGE;
		return user ? PT_PATH_BAD : PT_PATH_KERNEL;
	case 0x07:
	case 0x0f:
		return PT_PATH_PAGE;
	case 0x0d:
		return PT_PATH_BAD;
	case 0x09:
	case 0x0b:
		return PT_PATH_BAD;
	default:
		return PT_PATH_BUS;
	}
}

/* @code: the low six bits of the long format. */
static enum pt_fault_path long_path(u32 code, vaddr_t va, vaddr_t task_size, bool user, bool lazy)
{
	u32 level = code & 3;

	switch (code >> 2) {
	case 1: /* translation */
		if (level == 3 || va < task_size)
			return PT_PATH_PAGE;
		return user || !lazy ? PT_PATH_BAD : PT_PATH_KERNEL;
	case 2: /* access flag */
	case 3: /* permission */
		return level ? PT_PATH_PAGE : PT_PATH_BUS;
	default:
		return code == 0x21 ? PT_PATH_ALIGN : PT_PATH_BUS;
	}
}

struct pt_fault_info pt_fault_decode(enum pt_geom geom, u32 code, vaddr_t va, vaddr_t task_size, bool user)
{
	enum pt_family family = pt_geometries[geom].family;
	struct pt_fault_info f = { .user = user, .level = -1 };

	if (family == PT_ARM64) {
		u32 class = code >> 26;

		f.user = !(class & 1);
		f.fetch = (class & ~1u) == 0x20;
		f.write = !f.fetch && code & PT_ESR_WNR && !(code & PT_ESR_CM);
		f.path = long_path(code & 0x3f, va, task_size, f.user, false);
		f.level = (code & 0x3f) < 0x10 ? (s8)(code & 3) : (s8)-1;
		return f;
	}
	f.fetch = code & PT_FSR_FETCH;
	f.write = !f.fetch && code & PT_FSR_WRITE;
	if (family == PT_LPAE) {
		f.path = long_path(code & 0x3f, va, task_size, user, true);
		f.level = (code & 0x3f) < 0x10 ? (s8)(code & 3) : (s8)-1;
		return f;
	}
	code = (code & 0xf) | (code >> 6 & 0x10);
	f.path = short_path(code, va, task_size, user);
	if (code >= 0x05 && code != 0x08) /* odd codes: bit 1 tells page from section */
		f.level = code & 2 ? 2 : 1;
	return f;
}
