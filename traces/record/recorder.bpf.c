// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
/*
 * The kernel side of `memrig record`: tracing programs that look at the events of traced processes
 * and put a record into the ring of their CPU. All of them are BTF tracepoints, which need neither
 * kprobes nor a compiler on the recorded machine.
 *
 *   sys_exit           calls that change mappings, with arguments and result in one record: all
 *                      argument registers are still there when the call returns.
 *   sys_enter          only remembers when munmap began: memory that another thread gets again must
 *                      not appear mapped before it was unmapped. Everything else is stamped at its
 * end. page_fault_*       address and kind of access (x86; elsewhere the software event alone).
 *   page-faults-maj    a software perf event: says that the task's fault was a major one.
 *   signal_generate    says that the task's fault ended in SIGSEGV or SIGBUS.
 *   kmem_*, mm_page_*  with --kmem, then alone: pages and objects of the kernel.
 *   sched_process_*    fork, exec and exit. At exec, and when a process is first seen running, all
 * its mappings are listed right here, in the context of the process, before it can do anything
 * else: nothing has to be stopped, nothing can be missed.
 *
 * Kernel structures are described by the few members used; their offsets are relocated when the
 * program is loaded (CO-RE), so building needs no kernel headers and no BTF.
 */
#define __KERNEL__
typedef unsigned long long __u64;
typedef unsigned int __u32;
typedef unsigned short __u16;
typedef unsigned char __u8;
typedef long long __s64;
typedef int __s32;
typedef short __s16;
typedef signed char __s8;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u64 __addrpair;

enum bpf_map_type_used {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_CGROUP_ARRAY = 8,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29
};
enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_F_NO_PREALLOC = 1, BPF_LOCAL_STORAGE_GET_F_CREATE = 1 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_AVAIL_DATA = 0, BPF_RB_RING_SIZE = 1 };

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "event.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define CORE __attribute__((preserve_access_index))
#define NULL ((void *)0)

struct super_block {
	unsigned int s_dev;
	unsigned long s_magic;
} CORE;
struct inode {
	unsigned short i_mode;
	struct super_block *i_sb;
	unsigned long i_ino;
	long long i_size;
	unsigned int i_generation;
} CORE;
struct qstr {
	const unsigned char *name;
} CORE;
struct dentry {
	struct qstr d_name;
} CORE;
struct path {
	struct dentry *dentry;
} CORE;
struct file {
	struct inode *f_inode;
	struct path f_path;
} CORE;
struct fdtable {
	unsigned int max_fds;
	struct file **fd;
} CORE;
struct files_struct {
	struct fdtable *fdt;
} CORE;
struct mm_struct {
	unsigned long brk, start_brk, start_stack;
} CORE;
struct vm_area_struct {
	unsigned long vm_start, vm_end, vm_flags, vm_pgoff;
	struct file *vm_file;
} CORE;
typedef struct {
	int counter;
} atomic_t;
struct signal_struct {
	atomic_t live;
} CORE;
struct thread_info {
	unsigned int status;
} CORE;
struct task_struct {
	struct thread_info thread_info;
	int pid, tgid;
	struct mm_struct *mm;
	struct files_struct *files;
	struct signal_struct *signal;
	char comm[16];
} CORE;
struct kmem_cache {
	const char *name;
	unsigned int object_size, align, allocflags;
	void (*ctor)(void *object);
} CORE;
struct page;
struct kernel_siginfo {
	int si_code;
} CORE;
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long di, si, dx, r10, r8, r9, ip, orig_ax;
} CORE;
#define ARGS(regs)                                                                                 \
	{                                                                                          \
		regs->di, regs->si, regs->dx, regs->r10, regs->r8, regs->r9                        \
	}
#define NUMBER(regs) ((long)regs->orig_ax)
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	u64 regs[31];
	u64 pc;
	u64 orig_x0;
	s32 syscallno;
} CORE;
#define ARGS(r)                                                                                    \
	{                                                                                          \
		r->orig_x0, r->regs[1], r->regs[2], r->regs[3], r->regs[4], r->regs[5]             \
	}
#define NUMBER(r) ((long)r->syscallno)
#else
#error "no register names for this architecture yet"
#endif

struct bpf_iter_task_vma {
	__u64 opaque[1];
} __attribute__((aligned(8)));
extern int bpf_iter_task_vma_new(struct bpf_iter_task_vma *it, struct task_struct *task,
				 __u64 addr) __ksym;
extern struct vm_area_struct *bpf_iter_task_vma_next(struct bpf_iter_task_vma *it) __ksym;
extern void bpf_iter_task_vma_destroy(struct bpf_iter_task_vma *it) __ksym;
extern struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
extern void bpf_task_release(struct task_struct *p) __ksym;

/* Set by the recorder before loading. */
const volatile u8 call_of[512];
const volatile u32 scope;
const volatile u32 self;	   /* the recorder's tgid: never traced by scope */
const volatile u32 user_bits = 47; /* faults above are the kernel's */
u32 listed;			   /* argument of snapshot(): a tgid */

struct ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
};
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, u32);
	__array(values, struct ring);
} rings SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, u32);
	__type(value, struct rec_proc);
} procs SEC(".maps");
struct file_key {
	u64 dev, ino;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct file_key);
	__type(value, u64);
} files SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NR_REC_LOSSES);
	__type(key, u32);
	__type(value, u64);
} losses SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} cgroup SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, u64);
} began SEC(".maps"); /* when the task's munmap began */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, u8);
} caches SEC(".maps"); /* announced */

static __always_inline void lose(u32 loss)
{
	u64 *n = bpf_map_lookup_elem(&losses, &loss);

	if (n)
		*n += 1;
}

static __always_inline void *ring_of_cpu(void)
{
	u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&rings, &cpu);
}

/* A constant-size reservation with its head filled, or NULL (counted). */
static __always_inline void fill_head(struct rec_event *e, u8 kind, u64 ts, u32 tgid, u32 tid)
{
	e->ts = ts;
	e->tgid = tgid;
	e->tid = tid;
	e->kind = kind;
	e->cpu = (u8)bpf_get_smp_processor_id();
	e->flags = 0;
	e->x = 0;
}

static __always_inline struct rec_event *reserve(u8 kind, u64 ts, u32 tgid, u32 tid, u32 loss)
{
	void *ring = ring_of_cpu();
	struct rec_event *e = NULL;

	if (ring)
		e = bpf_ringbuf_reserve(ring, sizeof(*e), 0);
	if (e)
		fill_head(e, kind, ts, tgid, tid);
	else
		lose(loss);
	return e;
}

static __always_inline struct rec_named *reserve_named(u8 kind, u64 ts, u32 tgid, u32 tid, u32 loss)
{
	void *ring = ring_of_cpu();
	struct rec_named *e = NULL;

	if (ring)
		e = bpf_ringbuf_reserve(ring, sizeof(*e), 0);
	if (e)
		fill_head(&e->e, kind, ts, tgid, tid);
	else
		lose(loss);
	return e;
}

static __always_inline void submit(void *e)
{
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP); /* the recorder polls: waking it costs more */
}

/* Announces @f the first time and when its size changed; its key goes to @dev, @ino (0, 0: none).
 */
static __always_inline void announce(struct file *f, u64 ts, u32 tgid, u32 tid, u64 *dev, u64 *ino)
{
	struct inode *inode = BPF_CORE_READ(f, f_inode);
	struct super_block *sb = BPF_CORE_READ(inode, i_sb);
	struct file_key key = {BPF_CORE_READ(sb, s_dev), BPF_CORE_READ(inode, i_ino)};
	u64 size = BPF_CORE_READ(inode, i_size), *seen;
	struct rec_named *e;

	if ((BPF_CORE_READ(inode, i_mode) & 0170000) != 0100000)
		return; /* not a regular file: /dev/zero, devices */
	key.dev |= (u64)BPF_CORE_READ(inode, i_generation)
		   << 32; /* numbers of removed files return */
	*dev = key.dev;
	*ino = key.ino;
	seen = bpf_map_lookup_elem(&files, &key);
	if (seen && *seen == size)
		return;
	e = reserve_named(REC_FILE, ts, tgid, tid, LOSS_FILE);
	if (!e)
		return;
	e->e.a[0] = key.dev;
	e->e.a[1] = key.ino;
	e->e.a[2] = size;
	e->e.a[3] = BPF_CORE_READ(sb, s_magic);
	bpf_probe_read_kernel_str(e->name, sizeof(e->name),
				  BPF_CORE_READ(f, f_path.dentry, d_name.name));
	submit(e);
	bpf_map_update_elem(&files, &key, &size, BPF_ANY);
}

static __always_inline struct file *file_of_fd(struct task_struct *task, u32 fd)
{
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **array = BPF_CORE_READ(fdt, fd), *f = NULL;

	if (fd >= BPF_CORE_READ(fdt, max_fds))
		return NULL;
	bpf_probe_read_kernel(&f, sizeof(f), array + fd);
	return f;
}

static __always_inline void announce_program(struct task_struct *task, u8 kind, u64 ts, u32 tgid)
{
	struct rec_named *n = reserve_named(kind, ts, tgid, tgid, LOSS_TASK);

	if (!n)
		return;
	n->e.a[0] = BPF_CORE_READ(task, mm, brk);
	n->e.a[1] = BPF_CORE_READ(task, mm, start_stack);
	n->e.a[2] = BPF_CORE_READ(task, mm, start_brk);
	n->e.ret = 0;
	bpf_probe_read_kernel_str(n->name, 16, task->comm);
	submit(n);
}

static __always_inline void list_region(struct vm_area_struct *vma, u64 ts, u32 tgid)
{
	u64 dev = 0, ino = 0;
	struct rec_event *e;

	if (vma->vm_file)
		announce(vma->vm_file, ts, tgid, tgid, &dev, &ino);
	e = reserve(REC_REGION, ts, tgid, tgid, LOSS_REGION);
	if (!e)
		return;
	e->a[0] = vma->vm_start;
	e->a[1] = vma->vm_end;
	e->a[2] = vma->vm_flags;
	e->a[3] = vma->vm_pgoff;
	e->a[4] = dev;
	e->a[5] = ino;
	e->ret = 0;
	submit(e);
}

/*
 * Announces @task's program and lists its mappings; from here on its events are recorded. The
 * mappings are locked for reading meanwhile. -EBUSY when a writer had them: then nothing happened,
 * but for an exec, where nobody else can have them.
 */
static __always_inline int announce_process(struct task_struct *task, u8 kind, u32 tgid)
{
	struct rec_proc now = {(u64)task->mm, PROC_LIVE, 0};
	struct bpf_iter_task_vma it;
	struct vm_area_struct *vma;
	struct rec_event *e;
	int err = bpf_iter_task_vma_new(&it, task, 0);
	u64 ts = bpf_ktime_get_ns();

	if (err && kind == REC_EXEC) {
		lose(LOSS_REGION);
		err = 0;
	}
	if (!err)
		announce_program(task, kind, ts, tgid);
	while ((vma = bpf_iter_task_vma_next(&it)))
		list_region(vma, ts, tgid);
	if (!err) {
		e = reserve(REC_REGIONS_END, ts, tgid, tgid, LOSS_REGION);
		if (e)
			submit(e);
		bpf_map_update_elem(&procs, &tgid, &now, BPF_ANY);
	}
	bpf_iter_task_vma_destroy(&it);
	return err;
}

static __always_inline struct rec_proc *first_sight(struct task_struct *task, u32 tgid)
{
	if (announce_process(task, REC_SEEN, tgid))
		return NULL; /* the next event tries again */
	return bpf_map_lookup_elem(&procs, &tgid);
}

static __always_inline int in_scope(u32 tgid)
{
	if (scope == SCOPE_LIST || tgid == self)
		return 0;
	return scope == SCOPE_ALL || bpf_current_task_under_cgroup(&cgroup, 0) == 1;
}

/* The process of the current task if its events are wanted now, else NULL. *@fresh: was listed just
 * now. */
static __always_inline struct rec_proc *traced(u32 tgid, int *fresh)
{
	struct rec_proc *p = bpf_map_lookup_elem(&procs, &tgid);
	struct task_struct *task;

	*fresh = 0;
	if (p && p->state != PROC_LISTED)
		return p->state == PROC_WAITS ? NULL : p;
	if (!p && !in_scope(tgid))
		return NULL;
	task = bpf_get_current_task_btf();
	if (!task->mm)
		return NULL;
	*fresh = 1;
	return first_sight(task, tgid);
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter, struct pt_regs *regs, long id)
{
	u64 *start;

	if (call_of[id & 511] != CALL_MUNMAP)
		return 0;
	u32 tgid = (u32)(bpf_get_current_pid_tgid() >> 32);

	if (!bpf_map_lookup_elem(&procs, &tgid))
		return 0;
	start = bpf_task_storage_get(&began, bpf_get_current_task_btf(), NULL,
				     BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (start)
		*start = bpf_ktime_get_ns();
	return 0;
}

static __always_inline u64 time_of_call(u32 call, struct task_struct *task, u64 now)
{
	u64 *start;

	if (call != CALL_MUNMAP)
		return now;
	start = bpf_task_storage_get(&began, task, NULL, 0);
	return start && *start ? *start : now;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
	u64 args[6] = ARGS(regs), id = bpf_get_current_pid_tgid(), ts = bpf_ktime_get_ns();
	long nr = NUMBER(regs);
	u32 call = call_of[nr & 511], tgid = (u32)(id >> 32);
	struct task_struct *task;
	struct rec_event *e;
	struct file *f = NULL;
	u64 dev = 0, ino = 0;
	int fresh;

	if (nr < 0 || nr > 511 || call == CALL_NONE)
		return 0;
	if (!traced(tgid, &fresh) || fresh) /* the list of mappings has this call's effect */
		return 0;
	task = bpf_get_current_task_btf();
#if defined(__TARGET_ARCH_x86)
	if (task->thread_info.status & 2) /* TS_COMPAT: another table of numbers */
		return 0;
#endif
	if (call == CALL_MMAP && !(args[3] & 0x20) && ret < 0 && ret > -4096)
		f = NULL;
	else if (call == CALL_MMAP && !(args[3] & 0x20)) /* MAP_ANONYMOUS */
		f = file_of_fd(task, (u32)args[4]);
	else if (call == CALL_FTRUNCATE)
		f = file_of_fd(task, (u32)args[0]);
	if (f)
		announce(f, ts, tgid, (u32)id, &dev, &ino);
	if (call == CALL_FTRUNCATE)
		return 0; /* announced with its new size */
	e = reserve(REC_CALL, time_of_call(call, task, ts), tgid, (u32)id, LOSS_CALL);
	if (!e)
		return 0;
	e->x = call;
	e->a[0] = args[0];
	e->a[1] = args[1];
	e->a[2] = args[2];
	e->a[3] = args[3];
	e->a[4] = args[4];
	e->a[5] = args[5];
	if (call ==
	    CALL_MMAP) { /* offset to a[2]'s upper half would be too tight: prot and flags share */
		e->a[2] = (u32)args[2] | (u64)(u32)args[3] << 32;
		e->a[3] = args[5];
		e->a[4] = dev;
		e->a[5] = ino;
	}
	e->ret = ret;
	submit(e);
	return 0;
}

static __always_inline void fault(u64 addr, u16 flags)
{
	u64 id = bpf_get_current_pid_tgid();
	u32 tgid = (u32)(id >> 32);
	struct rec_proc *p;
	struct rec_fault *e;
	void *ring;
	int fresh;

	if (addr >> user_bits)
		return;
	p = bpf_map_lookup_elem(&procs, &tgid);
	if (!p || p->state != PROC_WAITS)
		p = traced(tgid, &fresh);
	if (!p || !(ring = ring_of_cpu()))
		return;
	if (p->mm != (u64)bpf_get_current_task_btf()->mm)
		flags |= REC_F_EARLY; /* in what an exec is building */
	else if (p->state == PROC_WAITS)
		return;
	/* the last quarter is for events without which the faults make no sense */
	if (bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) >
	    bpf_ringbuf_query(ring, BPF_RB_RING_SIZE) / 4 * 3)
		e = NULL;
	else
		e = bpf_ringbuf_reserve(ring, sizeof(*e), 0);
	if (!e) {
		lose(LOSS_FAULT);
		return;
	}
	e->ts = bpf_ktime_get_ns();
	e->tgid = tgid;
	e->tid = (u32)id;
	e->kind = REC_FAULT;
	e->cpu = (u8)bpf_get_smp_processor_id();
	e->flags = flags;
	e->x = 0;
	e->addr = addr;
	submit(e);
}

static __always_inline u16 flags_of_code(unsigned long code)
{
	return (u16)((code & 2 ? REC_F_WRITE : 0) | (code & 16 ? REC_F_EXEC : 0));
}

#if defined(__TARGET_ARCH_x86)
SEC("tp_btf/page_fault_user")
int BPF_PROG(on_fault_user, unsigned long address, struct pt_regs *regs, unsigned long code)
{
	fault(address, flags_of_code(code));
	return 0;
}

SEC("tp_btf/page_fault_kernel")
int BPF_PROG(on_fault_kernel, unsigned long address, struct pt_regs *regs, unsigned long code)
{
	fault(address, flags_of_code(code) | REC_F_KERNEL);
	return 0;
}
#endif

static __always_inline void last_fault_was(u8 kind, u32 x)
{
	u64 id = bpf_get_current_pid_tgid();
	u32 tgid = (u32)(id >> 32);
	struct rec_event *e;

	if (!bpf_map_lookup_elem(&procs, &tgid))
		return;
	e = reserve(kind, bpf_ktime_get_ns(), tgid, (u32)id, LOSS_FAULT);
	if (!e)
		return;
	e->x = x;
	submit(e);
}

SEC("perf_event")
int on_major(void *ctx)
{
	last_fault_was(REC_MAJOR, 0);
	return 0;
}

SEC("tp_btf/signal_generate")
int BPF_PROG(on_signal, int sig, struct kernel_siginfo *info, struct task_struct *task)
{
	if ((sig != 11 && sig != 7) || (u64)info < 4096)
		return 0;
	if (BPF_CORE_READ(info, si_code) > 0 && task->pid == (s32)bpf_get_current_pid_tgid())
		last_fault_was(REC_SIGNAL, (u32)sig);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	u32 tgid = (u32)parent->tgid, child_tgid = (u32)child->tgid;
	struct rec_proc now = {(u64)child->mm, PROC_LIVE, 0}, *p;
	struct rec_event *e;
	u16 flags = 0;
	int fresh;

	p = traced(tgid, &fresh);
	if (!p || !child->mm)
		return 0;
	if (child_tgid == tgid) {
		flags = REC_F_THREAD;
	} else {
		if (child->mm == parent->mm) {
			flags = REC_F_SHARED;
			now.state = PROC_BORROWS;
		}
		bpf_map_update_elem(&procs, &child_tgid, &now, BPF_ANY);
	}
	if (fresh && flags == REC_F_THREAD)
		return 0;
	e = reserve(REC_FORK, bpf_ktime_get_ns(), tgid, (u32)parent->pid, LOSS_TASK);
	if (!e)
		return 0;
	e->flags = flags;
	e->x = child_tgid;
	e->a[0] = (u32)child->pid;
	submit(e);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *p)
{
	u32 tgid = (u32)p->tgid;

	if (!bpf_map_lookup_elem(&procs, &tgid) && !in_scope(tgid))
		return 0;
	announce_process(p, REC_EXEC, tgid);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *p)
{
	u32 tgid = (u32)p->tgid;
	struct rec_event *e;
	int last;

	if (!bpf_map_lookup_elem(&procs, &tgid))
		return 0;
	last = BPF_CORE_READ(p, signal, live.counter) == 0;
	e = reserve(REC_EXIT, bpf_ktime_get_ns(), tgid, (u32)p->pid, LOSS_TASK);
	if (e) {
		e->flags = last ? REC_F_LAST : 0;
		submit(e);
	}
	if (last)
		bpf_map_delete_elem(&procs, &tgid);
	return 0;
}

/* Run once by the recorder for each -p: lists process `listed` without waiting for its next event.
 */
SEC("syscall")
int snapshot(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid((s32)listed);
	int err = 0;

	if (!task)
		return -3; /* ESRCH */
	if (task->mm)
		err = announce_process(task, REC_SEEN, listed);
	bpf_task_release(task);
	return err;
}

/* Run once by the recorder for the command it is about to start: recorded from its next exec on. */
SEC("syscall")
int enlist(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid((s32)listed);
	struct rec_proc now = {0, PROC_WAITS, 0};
	u32 tgid = listed;

	if (!task)
		return -3;
	now.mm = (u64)task->mm;
	bpf_map_update_elem(&procs, &tgid, &now, BPF_ANY);
	bpf_task_release(task);
	return 0;
}

/* ---- --kmem: pages and objects of the kernel, whoever asks for them ---- */

static __always_inline void kmem(u32 what, u64 ptr, u64 size, u64 gfp, u64 cache)
{
	u64 id = bpf_get_current_pid_tgid();
	void *ring = ring_of_cpu();
	struct rec_kmem *e = ring ? bpf_ringbuf_reserve(ring, sizeof(*e), 0) : NULL;

	if (!e) {
		lose(LOSS_KMEM);
		return;
	}
	e->ts = bpf_ktime_get_ns();
	e->tgid = (u32)(id >> 32);
	e->tid = (u32)id;
	e->kind = REC_KMEM;
	e->cpu = (u8)bpf_get_smp_processor_id();
	e->flags = 0;
	e->x = what;
	e->a[0] = ptr;
	e->a[1] = size;
	e->a[2] = gfp;
	e->a[3] = cache;
	submit(e);
}

static __always_inline void announce_cache(struct kmem_cache *s)
{
	u64 key = (u64)s;
	u8 yes = 1;
	struct rec_named *e;

	if (bpf_map_lookup_elem(&caches, &key))
		return;
	e = reserve_named(REC_CACHE, bpf_ktime_get_ns(), 0, 0, LOSS_KMEM);
	if (!e)
		return;
	e->e.a[0] = key;
	e->e.a[1] = BPF_CORE_READ(s, object_size);
	e->e.a[2] = BPF_CORE_READ(s, align);
	e->e.a[3] = BPF_CORE_READ(s, allocflags);
	e->e.a[4] = BPF_CORE_READ(s, ctor) != NULL;
	bpf_probe_read_kernel_str(e->name, sizeof(e->name), BPF_CORE_READ(s, name));
	submit(e);
	bpf_map_update_elem(&caches, &key, &yes, BPF_ANY);
}

SEC("tp_btf/mm_page_alloc")
int BPF_PROG(on_page_alloc, struct page *page, unsigned int order, unsigned int gfp)
{
	if (page)
		kmem(KMEM_PAGES, (u64)page, order, gfp, 0);
	return 0;
}

SEC("tp_btf/mm_page_free")
int BPF_PROG(on_page_free, struct page *page, unsigned int order)
{
	kmem(KMEM_PAGES_FREE, (u64)page, order, 0, 0);
	return 0;
}

SEC("tp_btf/kmalloc")
int BPF_PROG(on_kmalloc, unsigned long site, const void *ptr, u64 wanted, u64 got, unsigned int gfp)
{
	if ((u64)ptr > 4096)
		kmem(KMEM_KMALLOC, (u64)ptr, wanted, gfp, 0);
	return 0;
}

SEC("tp_btf/kfree")
int BPF_PROG(on_kfree, unsigned long site, const void *ptr)
{
	if ((u64)ptr > 4096)
		kmem(KMEM_KFREE, (u64)ptr, 0, 0, 0);
	return 0;
}

SEC("tp_btf/kmem_cache_alloc")
int BPF_PROG(on_cache_alloc, unsigned long site, const void *ptr, struct kmem_cache *s, unsigned int gfp)
{
	if (!ptr)
		return 0;
	announce_cache(s);
	kmem(KMEM_CACHE, (u64)ptr, 0, gfp, (u64)s);
	return 0;
}

SEC("tp_btf/kmem_cache_free")
int BPF_PROG(on_cache_free, unsigned long site, const void *ptr)
{
	if (ptr)
		kmem(KMEM_CACHE_FREE, (u64)ptr, 0, 0, 0);
	return 0;
}
