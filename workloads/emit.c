/* SPDX-License-Identifier: BSD-2-Clause */
/* One function an operation: fills the record as core/op.def describes it. */
#include "core/base/bug.h"
#include "workloads/workload.h"

#define GFP_KERNEL_BITS 0xd0u /* __GFP_WAIT | __GFP_IO | __GFP_FS, spec 03 s1 */

static struct mm_op *emit(struct workload_run *r, unsigned code, u32 task)
{
	struct mm_op *op = &r->out[r->nr++];

	BUG_ON(r->nr > r->max);
	r->ts += r->gap;
	*op = (struct mm_op){.ts = r->ts, .task = task, .code = (u8)code};
	return op;
}

static struct mm_op *emit_range(struct workload_run *r, unsigned code, u32 task, u64 addr, u64 len)
{
	struct mm_op *op = emit(r, code, task);

	op->addr = addr;
	op->len = len;
	op->flags = MM_OP_HAS_ADDR | MM_OP_HAS_LEN;
	return op;
}

/* The extension of the operation emitted last. */
static struct mm_op_ext *extend(struct workload_run *r, u16 has)
{
	struct mm_op_ext *x = (struct mm_op_ext *)(void *)&r->out[r->nr++];

	BUG_ON(r->nr > r->max);
	r->out[r->nr - 2].flags |= MM_OP_HAS_EXT;
	*x = (struct mm_op_ext){.code = OP_EXT, .has = has};
	return x;
}

void emit_task(struct workload_run *r, u32 task, u32 pid, u32 tid)
{
	struct mm_op *op = emit(r, OP_TASK, task);

	op->addr = pid;
	op->len = tid;
}

void emit_spawn(struct workload_run *r, u32 task, u64 name, u64 brk, u64 stack)
{
	struct mm_op *op = emit(r, OP_SPAWN, task);

	op->addr = brk;
	op->len = stack;
	op->flags = (u16)((brk ? MM_OP_HAS_ADDR : 0) | (stack ? MM_OP_HAS_LEN : 0));
	if (name)
		extend(r, MM_EXT_X0)->x0 = name;
}

void emit_fork(struct workload_run *r, u32 task, u32 child)
{
	struct mm_op *op = emit(r, OP_FORK, task);

	op->arg = child;
	op->flags = MM_OP_HAS_ARG;
}

void emit_exec(struct workload_run *r, u32 task, u64 name)
{
	emit(r, OP_EXEC, task);
	if (name)
		extend(r, MM_EXT_X0)->x0 = name;
}

void emit_exit(struct workload_run *r, u32 task)
{
	emit(r, OP_EXIT, task);
}

void emit_thread(struct workload_run *r, u32 task, u32 tid)
{
	struct mm_op *op = emit(r, OP_THREAD, task);

	op->arg = tid;
	op->flags = MM_OP_HAS_ARG;
}

static void emit_map(struct workload_run *r, u32 task, u64 addr, u64 len, u32 prot, u32 flags,
		     u64 file, u64 off)
{
	struct mm_op *op = emit_range(r, OP_MMAP, task, addr, len);
	struct mm_op_ext *x;

	op->arg = off;
	op->flags |= (u16)(prot | RES_ADDR << MM_OP_RES_SHIFT | (file ? MM_OP_HAS_ARG : 0));
	x = extend(r, (u16)(MM_EXT_X0 | (file ? MM_EXT_X1 : 0)));
	x->x0 = flags | MM_MAP_FIXED;
	x->x1 = file;
}

void emit_mmap(struct workload_run *r, u32 task, u64 addr, u64 len, u32 prot)
{
	emit_map(r, task, addr, len, prot, MM_MAP_PRIVATE | MM_MAP_ANON, 0, 0);
}

void emit_mmap_file(struct workload_run *r, u32 task, u64 addr, u64 len, u32 prot, bool shared,
		    u64 file, u64 off)
{
	emit_map(r, task, addr, len, prot, shared ? MM_MAP_SHARED : MM_MAP_PRIVATE, file, off);
}

void emit_munmap(struct workload_run *r, u32 task, u64 addr, u64 len)
{
	emit_range(r, OP_MUNMAP, task, addr, len)->flags |= RES_ZERO << MM_OP_RES_SHIFT;
}

void emit_mprotect(struct workload_run *r, u32 task, u64 addr, u64 len, u32 prot)
{
	emit_range(r, OP_MPROTECT, task, addr, len)->flags |=
		(u16)(prot | RES_ZERO << MM_OP_RES_SHIFT);
}

void emit_brk(struct workload_run *r, u32 task, u64 addr)
{
	struct mm_op *op = emit(r, OP_BRK, task);

	op->addr = addr;
	op->flags = MM_OP_HAS_ADDR | RES_ADDR << MM_OP_RES_SHIFT;
}

void emit_madvise(struct workload_run *r, u32 task, u64 addr, u64 len, u32 advice)
{
	emit_range(r, OP_MADVISE, task, addr, len)->flags |=
		(u16)(advice | RES_ZERO << MM_OP_RES_SHIFT);
}

void emit_read(struct workload_run *r, u32 task, u64 addr, u64 len)
{
	emit_range(r, OP_READ, task, addr, len);
}

void emit_write(struct workload_run *r, u32 task, u64 addr, u64 len, u64 tag)
{
	struct mm_op *op = emit_range(r, OP_WRITE, task, addr, len);

	op->arg = tag;
	op->flags |= tag ? MM_OP_HAS_ARG : 0;
}

void emit_fill(struct workload_run *r, u32 task, u64 addr, u64 len, u64 tag, u64 step)
{
	struct mm_op *op = emit_range(r, OP_FILL, task, addr, len);

	op->arg = tag;
	op->flags |= MM_OP_HAS_ARG;
	if (step)
		extend(r, MM_EXT_X0)->x0 = step;
}

void emit_file(struct workload_run *r, u64 file, u64 size, u64 name)
{
	struct mm_op *op = emit(r, OP_FILE, 0);

	op->arg = file;
	op->len = size;
	op->flags = MM_OP_HAS_ARG | MM_OP_HAS_LEN;
	if (name)
		extend(r, MM_EXT_X0)->x0 = name;
}

static void emit_io(struct workload_run *r, unsigned code, u32 task, u64 file, u64 off, u64 len)
{
	struct mm_op *op = emit_range(r, code, task, off, len);

	op->arg = file;
	op->flags |= MM_OP_HAS_ARG;
}

void emit_fread(struct workload_run *r, u32 task, u64 file, u64 off, u64 len)
{
	emit_io(r, OP_FREAD, task, file, off, len);
}

void emit_fwrite(struct workload_run *r, u32 task, u64 file, u64 off, u64 len)
{
	emit_io(r, OP_FWRITE, task, file, off, len);
}

void emit_fadvise(struct workload_run *r, u32 task, u64 file, u32 advice)
{
	struct mm_op *op = emit(r, OP_FADVISE, task);

	op->arg = file;
	op->flags |= (u16)(MM_OP_HAS_ARG | advice | RES_ZERO << MM_OP_RES_SHIFT);
}

void emit_fsync(struct workload_run *r, u32 task, u64 file)
{
	struct mm_op *op = emit(r, OP_FSYNC, task);

	op->arg = file;
	op->flags = MM_OP_HAS_ARG;
}

void emit_malloc(struct workload_run *r, u32 task, u32 slot, u64 ptr, u64 size)
{
	emit_range(r, OP_MALLOC, task, ptr, size)->arg = slot;
}

void emit_realloc(struct workload_run *r, u32 task, u32 slot, u64 old_ptr, u64 ptr, u64 size)
{
	emit_range(r, OP_REALLOC, task, ptr, size)->arg = slot | (u64)slot << 32;
	extend(r, MM_EXT_X0)->x0 = old_ptr;
}

void emit_free(struct workload_run *r, u32 task, u32 slot, u64 ptr)
{
	struct mm_op *op = emit(r, OP_FREE, task);

	op->addr = ptr;
	op->arg = slot;
	op->flags = MM_OP_HAS_ADDR;
}

void emit_alloc_pages(struct workload_run *r, u64 id, unsigned order)
{
	emit_range(r, OP_ALLOC_PAGES, 0, id, order)->arg = GFP_KERNEL_BITS;
	r->out[r->nr - 1].flags |= MM_OP_HAS_ARG;
}

void emit_free_pages(struct workload_run *r, u64 id)
{
	struct mm_op *op = emit(r, OP_FREE_PAGES, 0);

	op->addr = id;
	op->flags = MM_OP_HAS_ADDR;
}

void emit_ksm(struct workload_run *r, u64 scans)
{
	struct mm_op *op = emit(r, OP_KSM, 0);

	op->len = scans;
	op->flags = MM_OP_HAS_LEN;
}

void emit_mark(struct workload_run *r, u64 name)
{
	emit(r, OP_MARK, 0);
	extend(r, MM_EXT_X0)->x0 = name;
}
