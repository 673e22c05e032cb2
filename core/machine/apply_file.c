/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/machine/apply_file.h"

#include <errno.h>

#include "core/vm/vm.h"

int apply_drop_caches(struct machine *m, u64 what)
{
	if (!what || what > 3)
		return -EINVAL;
	if (what & 1)
		vm_drop_pagecache(&m->vm);
	if (what & 2)
		reclaim_drop_slab(&m->reclaim);
	return 0;
}

/* buf= in the model's addresses; 0: none. */
static s64 op_transfer(struct reloc_ctx *c, const struct mm_op *op, const struct mm_op_ext *ext)
{
	u64 buf = ext && ext->has & MM_EXT_X0 ? ext->x0 : 0;
	struct vm *vm = &c->m->vm;

	if (buf && (!c->task || !c->task->mm))
		return -EFAULT;
	if (buf)
		buf = reloc_addr(c->leader, buf);
	return op->code == OP_FREAD ? sys_fread(vm, c->task, op->arg, op->addr, op->len, buf)
				    : sys_fwrite(vm, c->task, op->arg, op->addr, op->len, buf);
}

static s64 op_msync(struct reloc_ctx *c, const struct mm_op *op)
{
	u64 addr = op->addr, len = op->len;

	if (!c->task)
		return -ESRCH;
	reloc_range(c, &addr, &len);
	return sys_msync(&c->m->vm, c->task, addr, len, (u32)op->arg);
}

static const char *text(const struct op_strings *strings, const struct mm_op_ext *ext, u16 has,
			u64 id)
{
	return strings && ext && ext->has & has ? strings->get(strings->self, id) : "";
}

bool apply_file(struct reloc_ctx *c, const struct mm_op *op, const struct mm_op_ext *ext,
		const struct op_strings *strings, s64 *answer)
{
	struct vm *vm = &c->m->vm;

	switch (op->code) {
	case OP_FILE:
		*answer = vm_file(vm, op->arg, op->len,
				  text(strings, ext, MM_EXT_X1, ext ? ext->x1 : 0),
				  text(strings, ext, MM_EXT_X0, ext ? ext->x0 : 0));
		if (!*answer && ext && ext->has & MM_EXT_X2)
			*answer = vm_file_mode(vm, op->arg, (u32)ext->x2);
		return true;
	case OP_FREAD:
	case OP_FWRITE:
		*answer = op_transfer(c, op, ext);
		return true;
	case OP_FTRUNCATE:
		*answer = vm_ftruncate(vm, op->arg, op->len);
		return true;
	case OP_FSYNC:
		*answer = sys_fsync(vm, op->arg);
		return true;
	case OP_UNLINK:
		*answer = sys_unlink(vm, op->arg);
		return true;
	case OP_FADVISE:
		*answer = sys_fadvise(vm, op->arg, op->flags & MM_OP_LOW);
		return true;
	case OP_DROP_CACHES:
		*answer = apply_drop_caches(c->m, op->arg);
		return true;
	case OP_MSYNC:
		*answer = op_msync(c, op);
		return true;
	default:
		return false;
	}
}
