/* SPDX-License-Identifier: BSD-2-Clause */
/* Recorded events to operations: see convert.h. The host's numbers become the trace's in calls.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "traces/record/calls.h"
#include "traces/record/convert.h"
#include "traces/record/kmem.h"
#include "traces/record/preload.h"

#define NR_BUCKETS 4096u
#define DROP	   1 /* not an error: the event says nothing that a replay could use */

/* VM_* of the kernel, as far as a region needs them. */
enum {
	R_READ = 1,
	R_WRITE = 2,
	R_EXEC = 4,
	R_MAYSHARE = 0x80,
	R_GROWSDOWN = 0x100,
	R_LOCKED = 0x2000
};

struct early_fault {
	struct early_fault *next;
	struct rec_event e;
};

struct process {
	struct process *next;
	u32 tgid;
	u32 task; /* of the leader; of the lender for a borrower */
	u32 nth;  /* number of its program, of all that the recording saw */
	u32 parent, parent_nth; /* it was forked from; 0: none known */
	bool borrower;
	bool fresh; /* regions are being listed since an exec */
	u64 start_brk, brk, stack, stack_end;
	u64 hidden, hidden_end;
	u32 *tids, nr_tids;   /* announced threads, the leader not among them */
	u32 *ended, nr_ended; /* threads after their exit: the kernel may still write for them */
	struct early_fault *early, **early_end;
};

struct known_file {
	struct known_file *next;
	u64 dev, ino, size, id;
};

struct rec_convert {
	struct trace_writer *w;
	struct rec_convert_options opt;
	struct process *procs[NR_BUCKETS];
	struct known_file *files[NR_BUCKETS];
	u64 nr_files, orphans, last_ts;
	u32 nr_programs;
	u64 count[NR_REC_KINDS];
	struct rec_kmem_ids kmem;
};

/* --- tables --- */

static struct process **proc_slot(struct rec_convert *c, u32 tgid)
{
	struct process **p = &c->procs[tgid % NR_BUCKETS];

	while (*p && (*p)->tgid != tgid)
		p = &(*p)->next;
	return p;
}

static struct process *proc_find(struct rec_convert *c, u32 tgid)
{
	return *proc_slot(c, tgid);
}

static struct process *proc_add(struct rec_convert *c, u32 tgid)
{
	struct process **slot = proc_slot(c, tgid);

	if (*slot)
		return *slot;
	*slot = calloc(1, sizeof(**slot));
	if (*slot) {
		(*slot)->tgid = tgid;
		(*slot)->early_end = &(*slot)->early;
	}
	return *slot;
}

static void drop_early(struct process *p)
{
	struct early_fault *f;

	while ((f = p->early)) {
		p->early = f->next;
		free(f);
	}
	p->early_end = &p->early;
}

static void proc_remove(struct rec_convert *c, u32 tgid)
{
	struct process **slot = proc_slot(c, tgid), *p = *slot;

	if (!p)
		return;
	*slot = p->next;
	drop_early(p);
	free(p->tids);
	free(p->ended);
	free(p);
}

static struct known_file **file_slot(struct rec_convert *c, u64 dev, u64 ino)
{
	struct known_file **f = &c->files[(ino * 31 + dev) % NR_BUCKETS];

	while (*f && ((*f)->dev != dev || (*f)->ino != ino))
		f = &(*f)->next;
	return f;
}

struct rec_convert *rec_convert_new(struct trace_writer *w, const struct rec_convert_options *opt)
{
	struct rec_convert *c = calloc(1, sizeof(*c));

	if (c) {
		c->w = w;
		c->opt = *opt;
	}
	return c;
}

void rec_convert_free(struct rec_convert *c)
{
	if (!c)
		return;
	for (u32 i = 0; i < NR_BUCKETS; i++) {
		struct known_file *f;

		while (c->procs[i])
			proc_remove(c, c->procs[i]->tgid);
		while ((f = c->files[i])) {
			c->files[i] = f->next;
			free(f);
		}
	}
	rec_kmem_free(&c->kmem);
	free(c);
}

u64 rec_convert_unborn(const struct rec_convert *c)
{
	return c->kmem.unborn;
}

u64 rec_convert_count(const struct rec_convert *c, enum rec_kind kind)
{
	return c->count[kind];
}

u64 rec_convert_orphans(const struct rec_convert *c)
{
	return c->orphans;
}

/* --- output --- */

static u64 trace_time(struct rec_convert *c, u64 ts)
{
	if (ts > c->last_ts)
		c->last_ts = ts;
	return ts > c->opt.start ? ts - c->opt.start : 0;
}

static struct mm_op new_op(struct rec_convert *c, const struct rec_event *e, u32 task, u8 code)
{
	struct mm_op op = {.ts = trace_time(c, e->ts), .task = task, .cpu = e->cpu, .code = code};

	return op;
}

static void set_result(struct mm_op *op, enum mm_op_res res)
{
	op->flags = (u16)((op->flags & ~MM_OP_RES_MASK) | (u32)res << MM_OP_RES_SHIFT);
}

static int put_plain(struct rec_convert *c, const struct mm_op *op)
{
	return trace_writer_put(c->w, op, 1);
}

static int put_ext(struct rec_convert *c, const struct mm_op *op, const struct mm_op_ext *ext)
{
	struct mm_op pair[2];

	pair[0] = *op;
	pair[0].flags |= MM_OP_HAS_EXT;
	memcpy(&pair[1], ext, sizeof(*ext));
	((struct mm_op_ext *)(void *)&pair[1])->code = OP_EXT;
	return trace_writer_put(c->w, pair, 2);
}

int rec_convert_lost(struct rec_convert *c, u64 ts, const char *kind, u64 n)
{
	struct mm_op op = {
		.ts = trace_time(c, ts), .len = n, .code = OP_LOST, .flags = MM_OP_HAS_ARG};

	op.arg = trace_writer_string(c->w, kind);
	return put_plain(c, &op);
}

/* --- tasks --- */

static bool has_tid(const u32 *tids, u32 nr, u32 tid)
{
	for (u32 i = 0; i < nr; i++)
		if (tids[i] == tid)
			return true;
	return false;
}

static int add_tid(u32 **tids, u32 *nr, u32 tid)
{
	u32 *v = realloc(*tids, (*nr + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	*tids = v;
	v[(*nr)++] = tid;
	return 0;
}

static void remove_tid(u32 *tids, u32 *nr, u32 tid)
{
	for (u32 i = 0; i < *nr; i++)
		if (tids[i] == tid) {
			tids[i] = tids[--*nr];
			return;
		}
}

static bool knows_thread(const struct process *p, u32 tid)
{
	return tid == p->tgid || p->borrower || has_tid(p->tids, p->nr_tids, tid);
}

static int add_thread(struct rec_convert *c, struct process *p, const struct rec_event *e, u32 tid)
{
	struct mm_op op = new_op(c, e, p->task, OP_THREAD);

	if (knows_thread(p, tid))
		return 0;
	remove_tid(p->ended, &p->nr_ended, tid);
	if (add_tid(&p->tids, &p->nr_tids, tid))
		return -ENOMEM;
	trace_writer_task(c->w, p->tgid, tid);
	op.arg = tid;
	return put_plain(c, &op);
}

/*
 * The task that the event belongs to; announces a thread that was there before the recording. What
 * the kernel does for a thread after its exit (it clears its tid) is the leader's. 0, DROP or
 * -errno.
 */
static int task_of(struct rec_convert *c, struct process *p, const struct rec_event *e, u32 *task)
{
	u32 tid = e->tid;
	int err = 0;

	if (!p->borrower && has_tid(p->ended, p->nr_ended, tid)) {
		if (tid == p->tgid || has_tid(p->ended, p->nr_ended, p->tgid))
			return DROP;
		tid = p->tgid;
	}
	if (p->borrower || tid == p->tgid) {
		*task = p->task;
		return 0;
	}
	if (!knows_thread(p, tid))
		err = add_thread(c, p, e, tid);
	*task = trace_writer_task(c->w, p->tgid, tid);
	return err;
}

/* A new address space: `spawn` for a process that is new to the trace, `exec` for others. */
static int begin_program(struct rec_convert *c, const struct rec_item *item, bool heap_only)
{
	const struct rec_event *e = &item->e;
	struct process *p = proc_find(c, e->tgid);
	bool known = p && !p->borrower && e->kind != REC_SEEN;
	struct mm_op op;
	struct mm_op_ext ext = {.has = MM_EXT_X0};

	p = p ? p : proc_add(c, e->tgid);
	if (!p)
		return -ENOMEM;
	p->borrower = false;
	p->nth = ++c->nr_programs;
	p->parent = 0;
	p->nr_tids = p->nr_ended = 0;
	p->hidden = p->hidden_end = 0;
	p->task = trace_writer_task(c->w, e->tgid, e->tgid);
	p->fresh = e->kind == REC_EXEC;
	p->brk = e->a[0];
	p->stack = e->a[1] & ~4095ull;
	p->stack_end = 0;
	p->start_brk = e->a[2];
	op = new_op(c, e, p->task, known ? OP_EXEC : OP_SPAWN);
	if (!heap_only) {
		op.addr = p->start_brk;
		op.flags |= MM_OP_HAS_ADDR;
	}
	if (!item->name || !*item->name)
		return put_plain(c, &op);
	ext.x0 = trace_writer_string(c->w, item->name);
	return put_ext(c, &op, &ext);
}

static int fork_process(struct rec_convert *c, const struct rec_event *e)
{
	struct process *parent = proc_find(c, e->tgid), *child;
	struct mm_op op;
	u32 task;
	int err;

	if (!parent) {
		c->orphans++;
		return 0;
	}
	if (e->flags & REC_F_THREAD)
		return add_thread(c, parent, e, (u32)e->a[0]);
	err = task_of(c, parent, e, &task);
	child = err ? NULL : proc_add(c, e->x);
	if (!child)
		return err ? err : -ENOMEM;
	child->borrower = e->flags & REC_F_SHARED;
	child->task = task;
	child->hidden = parent->hidden;
	child->hidden_end = parent->hidden_end;
	child->nth = ++c->nr_programs;
	child->parent = parent->tgid;
	child->parent_nth = parent->nth;
	if (child->borrower)
		return 0;
	op = new_op(c, e, task, OP_FORK);
	op.arg = child->task = trace_writer_task(c->w, e->x, e->x);
	return put_plain(c, &op);
}

static int exit_task(struct rec_convert *c, const struct rec_event *e)
{
	struct process *p = proc_find(c, e->tgid);
	struct mm_op op;
	u32 task;
	int err = 0;

	if (!p) {
		c->orphans++;
		return 0;
	}
	if (!p->borrower) {
		err = task_of(c, p, e, &task);
		op = new_op(c, e, task, OP_EXIT);
		if (!err)
			err = put_plain(c, &op);
		remove_tid(p->tids, &p->nr_tids, e->tid);
		if (err >= 0)
			err = add_tid(&p->ended, &p->nr_ended, e->tid);
	}
	if (e->flags & REC_F_LAST)
		proc_remove(c, e->tgid);
	return err;
}

int rec_convert_gone(struct rec_convert *c, u64 ts, u32 pid)
{
	struct rec_event e = {.ts = ts, .tgid = pid, .kind = REC_EXIT};
	struct process *p = proc_find(c, pid);
	int err = 0;

	while (p && p->nr_tids && !err) {
		e.tid = p->tids[p->nr_tids - 1];
		err = exit_task(c, &e);
	}
	e.tid = pid;
	e.flags = REC_F_LAST;
	return p && !err ? exit_task(c, &e) : err;
}

/* --- contents --- */

size_t rec_convert_programs(const struct rec_convert *c, struct rec_program *v, size_t n)
{
	size_t k = 0;

	for (u32 i = 0; i < NR_BUCKETS; i++)
		for (const struct process *p = c->procs[i]; p && k < n; p = p->next)
			if (!p->borrower && p->nth)
				v[k++] = (struct rec_program){p->tgid, p->nth, p->parent, p->parent_nth};
	return k;
}

int rec_convert_fill(struct rec_convert *c, u64 ts, const struct rec_print *print)
{
	const struct process *p = proc_find(c, print->tgid);
	struct mm_op op = {.ts = trace_time(c, ts), .code = OP_FILL, .addr = print->addr, .len = print->len,
			   .arg = print->tag};

	if (!p || p->nth != print->nth)
		return 0;
	op.task = p->task;
	op.flags = MM_OP_HAS_ADDR | MM_OP_HAS_LEN | MM_OP_HAS_ARG;
	return put_plain(c, &op);
}

/* --- files and regions --- */

static int put_file(struct rec_convert *c, const struct rec_event *e, const char *name)
{
	struct known_file **slot = file_slot(c, e->a[0], e->a[1]);
	bool known = *slot;
	bool shrinks = known && e->a[2] < (*slot)->size;
	struct mm_op op = new_op(c, e, 0, shrinks ? OP_FTRUNCATE : OP_FILE);
	struct mm_op_ext ext = {.has = MM_EXT_X0 | MM_EXT_X1};

	if (!known)
		*slot = calloc(1, sizeof(**slot));
	if (!*slot)
		return -ENOMEM;
	if (!known) {
		(*slot)->dev = e->a[0];
		(*slot)->ino = e->a[1];
		(*slot)->id = ++c->nr_files;
	} else if ((*slot)->size == e->a[2]) {
		return 0;
	}
	(*slot)->size = op.len = e->a[2];
	op.arg = (*slot)->id;
	if (shrinks)
		return put_plain(c, &op);
	ext.x0 = trace_writer_string(c->w, name); /* a file that grew is announced again */
	ext.x1 = trace_writer_string(c->w, call_file_kind(e->a[3]));
	return put_ext(c, &op, &ext);
}

static u64 file_id(struct rec_convert *c, u64 dev, u64 ino)
{
	struct known_file **slot = file_slot(c, dev, ino);

	return *slot ? (*slot)->id : 0;
}

static bool is_hidden_file(const struct rec_convert *c, u64 dev, u64 ino)
{
	return c->opt.hidden_ino && ino == c->opt.hidden_ino && (u32)dev == (u32)c->opt.hidden_dev;
}

/* The heap between the initial break and the break is brk's, not mmap's. */
static bool is_heap(const struct process *p, const struct rec_event *e)
{
	return !e->a[4] && !e->a[5] && e->a[0] >= (p->start_brk & ~4095ull) &&
	       e->a[1] <= ((p->brk + 4095) & ~4095ull) &&
	       (e->a[2] & (R_READ | R_WRITE)) == (R_READ | R_WRITE);
}

static int put_region(struct rec_convert *c, const struct rec_event *e)
{
	struct process *p = proc_find(c, e->tgid);
	struct mm_op op;
	struct mm_op_ext ext = {.has = MM_EXT_X0};

	if (!p) {
		c->orphans++;
		return 0;
	}
	if (is_hidden_file(c, e->a[4], e->a[5])) {
		p->hidden = e->a[0];
		p->hidden_end = e->a[1];
		return 0;
	}
	if (is_heap(p, e))
		return 0;
	op = new_op(c, e, p->task, OP_MMAP);
	op.addr = e->a[0];
	op.len = e->a[1] - e->a[0];
	op.flags = (u16)((e->a[2] & R_READ ? MM_PROT_READ : 0) |
			 (e->a[2] & R_WRITE ? MM_PROT_WRITE : 0) |
			 (e->a[2] & R_EXEC ? MM_PROT_EXEC : 0));
	ext.x0 = (u64)(MM_MAP_FIXED | (e->a[2] & R_MAYSHARE ? MM_MAP_SHARED : MM_MAP_PRIVATE) |
		       (e->a[2] & R_GROWSDOWN ? MM_MAP_GROWSDOWN : 0) |
		       (e->a[2] & R_LOCKED ? MM_MAP_LOCKED : 0));
	ext.x1 = file_id(c, e->a[4], e->a[5]);
	if (ext.x1) {
		ext.has |= MM_EXT_X1;
		op.arg = e->a[3] * 4096;
		op.flags |= MM_OP_HAS_ARG;
	} else {
		ext.x0 |= MM_MAP_ANON;
	}
	set_result(&op, RES_ADDR);
	if (p->stack >= e->a[0] && p->stack < e->a[1])
		p->stack_end = e->a[1];
	return put_ext(c, &op, &ext);
}

static int put_fault(struct rec_convert *c, const struct rec_event *e, u32 task)
{
	struct mm_op op = new_op(c, e, task, OP_FAULT);

	op.addr = e->a[0] & ~4095ull;
	op.flags = e->flags & REC_F_EXEC    ? MM_ACCESS_EXEC
		   : e->flags & REC_F_WRITE ? MM_ACCESS_WRITE
					    : MM_ACCESS_READ;
	set_result(&op, e->flags & REC_F_SEGV	 ? RES_SIGSEGV
			: e->flags & REC_F_BUS	 ? RES_SIGBUS
			: e->flags & REC_F_MAJOR ? RES_MAJOR
						 : RES_MINOR);
	return put_plain(c, &op);
}

/* The list is complete: the break, the arguments that exec wrote to the stack, and faults on the
 * way. */
static int end_regions(struct rec_convert *c, const struct rec_event *e)
{
	struct process *p = proc_find(c, e->tgid);
	struct early_fault *f;
	struct mm_op op;
	int err = 0;

	if (!p)
		return 0;
	if (p->brk > p->start_brk) {
		op = new_op(c, e, p->task, OP_BRK);
		op.addr = p->brk;
		set_result(&op, RES_ADDR);
		err = put_plain(c, &op);
	}
	if (p->fresh && p->stack_end && !err) {
		op = new_op(c, e, p->task, OP_WRITE);
		op.addr = p->stack;
		op.len = p->stack_end - p->stack;
		op.flags = MM_ACCESS_WRITE | MM_OP_HAS_LEN;
		err = put_plain(c, &op);
	}
	for (f = p->early; f && !err; f = f->next) {
		f->e.ts = e->ts;
		err = put_fault(c, &f->e, p->task);
	}
	drop_early(p);
	p->fresh = false;
	return err;
}

/* --- calls, faults, heap --- */

static bool is_hidden(const struct process *p, u64 addr)
{
	return addr >= p->hidden && addr < p->hidden_end;
}

static int put_call(struct rec_convert *c, const struct rec_event *e)
{
	struct process *p = proc_find(c, e->tgid);
	struct call_op out = {0};
	u32 task;
	int err;

	if (!p) {
		c->orphans++;
		return 0;
	}
	if (e->x == CALL_MMAP && is_hidden_file(c, e->a[4], e->a[5])) {
		if (e->ret > 0 || e->ret < -4095) {
			p->hidden = (u64)e->ret;
			p->hidden_end = p->hidden + e->a[1];
		}
		return 0;
	}
	if (is_hidden(p, e->a[0]))
		return 0;
	err = task_of(c, p, e, &task);
	if (err)
		return err;
	out.op = new_op(c, e, task, OP_NONE);
	call_to_op(e, file_id(c, e->a[4], e->a[5]), &out);
	if (out.op.code == OP_NONE)
		return 0;
	return out.has_ext ? put_ext(c, &out.op, &out.ext) : put_plain(c, &out.op);
}

static int take_fault(struct rec_convert *c, const struct rec_event *e)
{
	struct process *p = proc_find(c, e->tgid);
	struct early_fault *f;
	u32 task;
	int err;

	if (!p && e->flags & REC_F_EARLY) { /* the command's first exec */
		p = proc_add(c, e->tgid);
		if (p)
			p->borrower = true;
	}
	if (!p) {
		c->orphans++;
		return 0;
	}
	if (is_hidden(p, e->a[0]))
		return 0;
	if (e->flags & REC_F_EARLY) {
		f = calloc(1, sizeof(*f));
		if (!f)
			return -ENOMEM;
		f->e = *e;
		*p->early_end = f;
		p->early_end = &f->next;
		return 0;
	}
	err = task_of(c, p, e, &task);
	return err ? err : put_fault(c, e, task);
}

/* Without eBPF the library's first words of a program, a fork, a thread announce them. */
static int heap_announce(struct rec_convert *c, const struct rec_event *e)
{
	struct rec_item item = {.e = *e};

	if (!c->opt.heap_only)
		return 0;
	if (e->x == HEAP_START) {
		item.e.kind = REC_EXEC;
		memset(item.e.a, 0, sizeof(item.e.a));
		return begin_program(c, &item, true);
	}
	if (e->x == HEAP_FORK && !proc_find(c, e->tgid)) {
		item.e.tgid = item.e.tid = (u32)e->a[0];
		item.e.x = e->tgid;
		item.e.flags = 0;
		return fork_process(c, &item.e);
	}
	return 0;
}

static int put_heap(struct rec_convert *c, const struct rec_event *e)
{
	static const u8 codes[] = {[HEAP_MALLOC] = OP_MALLOC,
				   [HEAP_CALLOC] = OP_CALLOC,
				   [HEAP_MEMALIGN] = OP_MEMALIGN,
				   [HEAP_REALLOC] = OP_REALLOC,
				   [HEAP_FREE] = OP_FREE};
	struct process *p;
	struct mm_op op;
	struct mm_op_ext ext = {.has = MM_EXT_X0, .x0 = e->a[2]};
	u32 task;
	int err;

	if (e->x >= HEAP_START)
		return heap_announce(c, e);
	p = proc_find(c, e->tgid);
	if (!p) {
		c->orphans++;
		return 0;
	}
	err = task_of(c, p, e, &task);
	if (err)
		return err;
	op = new_op(c, e, task, codes[e->x]);
	op.addr = e->a[0];
	op.len = e->a[1];
	if (e->x == HEAP_MEMALIGN || e->x == HEAP_REALLOC)
		return put_ext(c, &op, &ext);
	return put_plain(c, &op);
}

static int put_event(struct rec_convert *c, const struct rec_item *item)
{
	const struct rec_event *e = &item->e;

	switch (e->kind) {
	case REC_CALL:
		return put_call(c, e);
	case REC_FAULT:
		return take_fault(c, e);
	case REC_FORK:
		return fork_process(c, e);
	case REC_EXEC:
	case REC_SEEN:
		return begin_program(c, item, false);
	case REC_REGION:
		return put_region(c, e);
	case REC_REGIONS_END:
		return end_regions(c, e);
	case REC_FILE:
		return put_file(c, e, item->name ? item->name : "");
	case REC_EXIT:
		return exit_task(c, e);
	case REC_HEAP:
		return put_heap(c, e);
	case REC_KMEM:
		return rec_kmem_put(&c->kmem, c->w, e, trace_time(c, e->ts));
	case REC_CACHE:
		return rec_kmem_cache(&c->kmem, c->w, e, item->name ? item->name : "", trace_time(c, e->ts));
	default:
		return 0;
	}
}

int rec_convert_put(struct rec_convert *c, const struct rec_item *item)
{
	int err;

	if (item->e.kind < NR_REC_KINDS)
		c->count[item->e.kind]++;
	err = put_event(c, item);
	return err == DROP ? 0 : err;
}
