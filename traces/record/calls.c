/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's mmap flags, advice and results in the trace's terms: see calls.h. */
#include <sys/mman.h>

#include "traces/record/calls.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MAP_32BIT
#define MAP_32BIT 0
#endif

static const struct {
	u64 host, own;
} map_flags[] = {
	{MAP_FIXED, MM_MAP_FIXED},	   {MAP_ANONYMOUS, MM_MAP_ANON},
	{MAP_GROWSDOWN, MM_MAP_GROWSDOWN}, {MAP_FIXED_NOREPLACE, MM_MAP_FIXED_NOREPLACE},
	{MAP_LOCKED, MM_MAP_LOCKED},	   {MAP_POPULATE, MM_MAP_POPULATE},
	{MAP_NORESERVE, MM_MAP_NORESERVE}, {MAP_NONBLOCK, MM_MAP_NONBLOCK},
	{MAP_STACK, MM_MAP_STACK},	   {MAP_HUGETLB, MM_MAP_HUGETLB},
	{MAP_DENYWRITE, MM_MAP_DENYWRITE}, {MAP_SYNC, MM_MAP_SYNC},
	{MAP_32BIT, MM_MAP_32BIT},
};

static u64 map_flags_of(u64 host)
{
	u64 own = (host & MAP_TYPE) == MAP_PRIVATE ? MM_MAP_PRIVATE : MM_MAP_SHARED;

	for (size_t i = 0; i < ARRAY_SIZE(map_flags); i++)
		if (map_flags[i].host && host & map_flags[i].host)
			own |= map_flags[i].own;
	return own;
}

static u16 prot_of(u64 host)
{
	return (u16)((host & PROT_READ ? MM_PROT_READ : 0) |
		     (host & PROT_WRITE ? MM_PROT_WRITE : 0) |
		     (host & PROT_EXEC ? MM_PROT_EXEC : 0));
}

static u16 advice_of(u64 host)
{
	static const u8 own[] = {
		[0] = MM_MADV_NORMAL,	      [1] = MM_MADV_RANDOM,
		[2] = MM_MADV_SEQUENTIAL,     [3] = MM_MADV_WILLNEED,
		[4] = MM_MADV_DONTNEED,	      [5 ... 7] = MM_MADV_OTHER,
		[8] = MM_MADV_FREE,	      [9] = MM_MADV_REMOVE,
		[10] = MM_MADV_DONTFORK,      [11] = MM_MADV_DOFORK,
		[12] = MM_MADV_MERGEABLE,     [13] = MM_MADV_UNMERGEABLE,
		[14] = MM_MADV_HUGEPAGE,      [15] = MM_MADV_NOHUGEPAGE,
		[16] = MM_MADV_DONTDUMP,      [17] = MM_MADV_DODUMP,
		[18] = MM_MADV_WIPEONFORK,    [19] = MM_MADV_KEEPONFORK,
		[20] = MM_MADV_COLD,	      [21] = MM_MADV_PAGEOUT,
		[22] = MM_MADV_POPULATE_READ, [23] = MM_MADV_POPULATE_WRITE,
	};

	return host < ARRAY_SIZE(own) ? own[host] : MM_MADV_OTHER;
}

const char *call_file_kind(u64 magic)
{
	return magic == 0x01021994 || magic == 0x858458f6 ? "tmpfs" : "disk"; /* tmpfs, ramfs */
}

static void do_mmap(const struct rec_event *e, u64 file, struct call_op *out)
{
	u64 flags = map_flags_of(e->a[2] >> 32);

	out->op.code = OP_MMAP;
	out->op.addr = e->a[0];
	out->op.len = e->a[1];
	out->op.flags = prot_of((u32)e->a[2]);
	out->ext.has |= MM_EXT_X0;
	out->has_ext = true;
	if (!(flags & MM_MAP_ANON) && file) {
		out->ext.x1 = file;
		out->ext.has |= MM_EXT_X1;
		out->op.arg = e->a[3];
		out->op.flags |= MM_OP_HAS_ARG;
	} else if (!(flags & MM_MAP_ANON) && (e->ret >= 0 || e->ret < -4095)) {
		flags |= MM_MAP_ANON; /* a device: what counts is that no file's pages are behind it
				       */
	}
	out->ext.x0 = flags;
}

static void do_mremap(const struct rec_event *e, struct call_op *out)
{
	out->op.code = OP_MREMAP;
	out->op.arg = e->a[2];
	if (e->a[3]) {
		out->ext.x0 = e->a[3] & 7; /* MREMAP_* have the trace's values */
		out->ext.has |= MM_EXT_X0;
		out->has_ext = true;
	}
	if (e->a[3] & (MM_MREMAP_FIXED | MM_MREMAP_DONTUNMAP)) {
		out->ext.x1 = e->a[4];
		out->ext.has |= MM_EXT_X1;
	}
}

static u64 mlockall_flags(u64 host)
{
	return (u64)((host & MCL_CURRENT ? MM_MCL_CURRENT : 0) |
		     (host & MCL_FUTURE ? MM_MCL_FUTURE : 0) | (host & 4 ? MM_MCL_ONFAULT : 0));
}

static void add_result(s64 ret, struct call_op *out)
{
	bool address =
		out->op.code == OP_MMAP || out->op.code == OP_MREMAP || out->op.code == OP_BRK;
	enum mm_op_res res = RES_EXT;

	if (!address && !ret)
		res = RES_ZERO;
	else if (address && (u64)ret == out->op.addr && ret)
		res = RES_ADDR;
	else
		out->has_ext = true;
	if (res == RES_EXT)
		out->ext.result = (u64)ret;
	out->op.flags = (u16)(out->op.flags | (u32)res << MM_OP_RES_SHIFT);
}

void call_to_op(const struct rec_event *e, u64 file, struct call_op *out)
{
	struct mm_op *op = &out->op;

	op->addr = e->a[0];
	op->len = e->a[1];
	switch (e->x) {
	case CALL_MMAP:
		do_mmap(e, file, out);
		break;
	case CALL_MUNMAP:
		op->code = OP_MUNMAP;
		break;
	case CALL_MREMAP:
		do_mremap(e, out);
		break;
	case CALL_MPROTECT:
		op->code = OP_MPROTECT;
		op->flags = prot_of(e->a[2]);
		break;
	case CALL_BRK:
		op->code = OP_BRK;
		op->len = 0;
		break;
	case CALL_MADVISE:
		op->code = OP_MADVISE;
		op->flags = advice_of(e->a[2]);
		break;
	case CALL_MLOCK2:
		op->arg = e->a[2] & MM_MLOCK_ONFAULT;
		op->flags = e->a[2] ? MM_OP_HAS_ARG : 0;
		op->code = OP_MLOCK;
		break;
	case CALL_MLOCK:
		op->code = OP_MLOCK;
		break;
	case CALL_MUNLOCK:
		op->code = OP_MUNLOCK;
		break;
	case CALL_MLOCKALL:
		op->code = OP_MLOCKALL;
		op->arg = mlockall_flags(e->a[0]);
		op->addr = op->len = 0;
		break;
	case CALL_MUNLOCKALL:
		op->code = OP_MUNLOCKALL;
		op->addr = op->len = 0;
		break;
	default:
		return;
	}
	add_result(e->ret, out);
}
