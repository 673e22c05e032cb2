/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls with Linux's numbers to operations: what strace and perf have in common. */
#include <errno.h>
#include <string.h>

#include "traces/import/formats.h"

enum call {
	C_MMAP,
	C_MUNMAP,
	C_MREMAP,
	C_MPROTECT,
	C_BRK,
	C_MADVISE,
	C_MLOCK,
	C_MLOCK2,
	C_MUNLOCK,
	C_MLOCKALL,
	C_MUNLOCKALL,
	NR_CALLS
};

static const struct {
	const char *name;
	enum call call;
	u8 code;
} calls[] = {
	{"mmap", C_MMAP, OP_MMAP},
	{"mmap2", C_MMAP, OP_MMAP},
	{"munmap", C_MUNMAP, OP_MUNMAP},
	{"mremap", C_MREMAP, OP_MREMAP},
	{"mprotect", C_MPROTECT, OP_MPROTECT},
	{"pkey_mprotect", C_MPROTECT, OP_MPROTECT},
	{"brk", C_BRK, OP_BRK},
	{"madvise", C_MADVISE, OP_MADVISE},
	{"mlock", C_MLOCK, OP_MLOCK},
	{"mlock2", C_MLOCK2, OP_MLOCK},
	{"munlock", C_MUNLOCK, OP_MUNLOCK},
	{"mlockall", C_MLOCKALL, OP_MLOCKALL},
	{"munlockall", C_MUNLOCKALL, OP_MUNLOCKALL},
};

static int find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (!strcmp(calls[i].name, name))
			return (int)i;
	return -1;
}

bool import_is_memory_call(const char *name)
{
	return find(name) >= 0;
}

static int fill_mmap(struct importer *im, const struct import_call *c, struct mm_op *op,
		     struct mm_op_ext *ext)
{
	int file;

	op->flags |= (u16)(c->arg[2] & 7);
	ext->x0 = import_map_flags(c->arg[3]);
	ext->has |= MM_EXT_X0;
	if (ext->x0 & MM_MAP_ANON || !c->file)
		return 0;
	file = import_file(im, op->task, op->ts, c->file, c->arg[5] + c->arg[1]);
	if (file < 0)
		return file;
	ext->x1 = (u64)file;
	ext->has |= MM_EXT_X1;
	op->arg = c->arg[5];
	op->flags |= MM_OP_HAS_ARG;
	return 0;
}

static void fill_mremap(const struct import_call *c, struct mm_op *op, struct mm_op_ext *ext)
{
	op->arg = c->arg[2];
	ext->x0 = c->arg[3] & 7;
	ext->has |= MM_EXT_X0;
	if (ext->x0 & MM_MREMAP_FIXED) {
		ext->x1 = c->arg[4];
		ext->has |= MM_EXT_X1;
	}
}

int import_syscall(struct importer *im, u32 pid, u32 tid, u8 cpu, u64 ts,
		   const struct import_call *c)
{
	int i = find(c->name), err = 0;
	struct mm_op op = {.ts = ts, .cpu = cpu, .addr = c->arg[0], .len = c->arg[1]};
	struct mm_op_ext ext = {0};

	if (i < 0)
		return IMPORT_IGNORED;
	op.code = calls[i].code;
	op.task = trace_writer_task(im->w, pid, tid);
	if (c->has_result)
		import_result(&op, &ext, c->result);
	switch (calls[i].call) {
	case C_MMAP:
		err = fill_mmap(im, c, &op, &ext);
		break;
	case C_MREMAP:
		fill_mremap(c, &op, &ext);
		break;
	case C_MPROTECT:
		op.flags |= (u16)(c->arg[2] & 7);
		break;
	case C_MADVISE:
		op.flags |= import_advice(c->arg[2]);
		break;
	case C_MLOCK2:
		op.arg = c->arg[2] & MM_MLOCK_ONFAULT;
		op.flags |= op.arg ? MM_OP_HAS_ARG : 0;
		break;
	case C_MLOCKALL: /* MCL_CURRENT 1, MCL_FUTURE 2, MCL_ONFAULT 4 */
		op.arg = (c->arg[0] & 3) << 1 | (c->arg[0] & 4) << 1;
		op.addr = 0;
		break;
	default:
		break;
	}
	return err ? err : import_put(im, &op, &ext);
}

int import_clone(struct importer *im, u32 pid, u32 tid, u8 cpu, u64 ts, u32 child, u64 flags)
{
	struct mm_op op = {.ts = ts, .cpu = cpu, .task = trace_writer_task(im->w, pid, tid)};

	if (flags & 0x10000) { /* CLONE_THREAD */
		op.code = OP_THREAD;
		op.arg = child;
	} else {
		op.code = OP_FORK;
		op.arg = trace_writer_task(im->w, child, child);
	}
	return import_put(im, &op, NULL);
}
