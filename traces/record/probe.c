/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads and reads the programs of recorder.bpf.c: see probe.h. */
#include <asm/unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "traces/record/probe.h"
#include "recorder.skel.h"

struct ring_of { /* context of one ring's records */
	struct rec_probe *p;
	u32 cpu;
};

struct rec_probe {
	struct recorder_bpf *skel;
	struct ring_of *ring;
	struct rec_queue marks; /* REC_MAJOR, REC_SIGNAL of this drain */
	struct ring_buffer *rb;
	int *ring_fd, *perf_fd;
	struct bpf_link **major;
	u32 cpus;
	u64 *loss_buf; /* NR_REC_LOSSES * cpus */
	u64 cost[NR_REC_COSTS];
	struct rec_queues *target; /* of the running drain; NULL: records are thrown away */
	u64 seen; /* records of kmem while they are thrown away: of the calibration */
	int error;
	bool attached, kmem;
};

static const struct {
	long nr;
	enum rec_call call;
} calls[] = {
	{__NR_mmap, CALL_MMAP},
	{__NR_munmap, CALL_MUNMAP},
	{__NR_mremap, CALL_MREMAP},
	{__NR_mprotect, CALL_MPROTECT},
	{__NR_brk, CALL_BRK},
	{__NR_madvise, CALL_MADVISE},
	{__NR_mlock, CALL_MLOCK},
	{__NR_mlock2, CALL_MLOCK2},
	{__NR_munlock, CALL_MUNLOCK},
	{__NR_mlockall, CALL_MLOCKALL},
	{__NR_munlockall, CALL_MUNLOCKALL},
	{__NR_pkey_mprotect, CALL_MPROTECT},
	{__NR_ftruncate, CALL_FTRUNCATE},
};

const char *rec_loss_name(enum rec_loss kind)
{
	static const char *const names[NR_REC_LOSSES] = {"call", "fault", "task", "region", "file", "kmem"};

	return kind < NR_REC_LOSSES ? names[kind] : "?";
}

const char *rec_cost_name(enum rec_cost c)
{
	static const char *const names[NR_REC_COSTS] = {"syscall", "mapping_call", "fault", "kmem"};

	return c < NR_REC_COSTS ? names[c] : "?";
}

u32 rec_probe_cpus(const struct rec_probe *p)
{
	return p->cpus;
}

u64 rec_probe_cost(const struct rec_probe *p, enum rec_cost c)
{
	return p->cost[c];
}

/* --- from the rings --- */

static void fault_to_event(struct rec_event *e, const struct rec_fault *f)
{
	e->ts = f->ts;
	e->tgid = f->tgid;
	e->tid = f->tid;
	e->kind = f->kind;
	e->cpu = f->cpu;
	e->flags = f->flags;
	e->x = f->x;
	e->a[0] = f->addr;
}

static int add_record(struct rec_probe *p, struct rec_queue *q, const struct rec_item *item)
{
	int err = rec_push(q, item);

	if (err) {
		free(item->name);
		p->error = err;
	}
	return err;
}

/* Major faults and signals belong to their thread's last fault, which is mostly still queued. */
static void mark_faults(struct rec_probe *p)
{
	struct rec_queue *q = &p->marks;

	for (; q->head < q->tail; q->head++) {
		const struct rec_event *e = &q->v[q->head].e;
		struct rec_item *f = rec_last_fault(p->target, e->tid, e->ts);

		if (!f)
			continue;
		if (e->kind == REC_MAJOR)
			f->e.flags |= REC_F_MAJOR;
		else
			f->e.flags |= e->x == 7 ? REC_F_BUS : REC_F_SEGV;
	}
}

static int on_record(void *ctx, void *data, size_t size)
{
	const struct ring_of *ring = ctx;
	const struct rec_event *e = data;
	struct rec_item item = {0};

	if (!ring->p->target) {
		ring->p->seen += e->kind == REC_KMEM && e->tgid == (u32)getpid();
		return 0;
	}
	if (size == sizeof(struct rec_kmem)) {
		memcpy(&item.e, data, offsetof(struct rec_kmem, a));
		memcpy(item.e.a, ((const struct rec_kmem *)data)->a, sizeof(((struct rec_kmem *)0)->a));
		return add_record(ring->p, &ring->p->target->q[ring->cpu], &item);
	}
	if (size == sizeof(struct rec_fault)) {
		fault_to_event(&item.e, data);
		return add_record(ring->p, &ring->p->target->q[ring->cpu], &item);
	}
	item.e = *e;
	if (e->kind == REC_MAJOR || e->kind == REC_SIGNAL)
		return add_record(ring->p, &ring->p->marks, &item);
	if (size == sizeof(struct rec_named))
		item.name = strndup(((const struct rec_named *)data)->name, REC_NAME);
	return add_record(ring->p, &ring->p->target->q[ring->cpu], &item);
}

s64 rec_probe_drain(struct rec_probe *p, struct rec_queues *qs)
{
	int n;

	p->target = qs;
	p->error = 0;
	n = ring_buffer__consume(p->rb);
	mark_faults(p);
	p->target = NULL;
	return p->error ? p->error : n;
}

/* --- processes --- */

/* Runs a program of kind "syscall" on process @pid. */
static int run_on(struct rec_probe *p, const struct bpf_program *prog, pid_t pid)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int err;

	p->skel->bss->listed = (u32)pid;
	err = bpf_prog_test_run_opts(bpf_program__fd(prog), &opts);
	if (err)
		return err;
	return (int)opts.retval;
}

int rec_probe_add_waiting(struct rec_probe *p, pid_t pid)
{
	return run_on(p, p->skel->progs.enlist, pid);
}

int rec_probe_add_running(struct rec_probe *p, pid_t pid)
{
	const struct timespec nap = {0, 200000};
	int err = -EBUSY;

	for (int i = 0; i < 5000 && err == -EBUSY;
	     i++) { /* its mappings are being changed: again */
		err = run_on(p, p->skel->progs.snapshot, pid);
		if (err == -EBUSY)
			nanosleep(&nap, NULL);
	}
	return err;
}

u64 rec_probe_lost(const struct rec_probe *p, enum rec_loss kind, u32 cpu)
{
	u32 key = kind;

	if (bpf_map__lookup_elem(p->skel->maps.losses, &key, sizeof(key), p->loss_buf,
				 p->cpus * sizeof(u64), 0))
		return 0;
	return p->loss_buf[cpu];
}

/* --- loading --- */

static int fail(char *err, size_t n, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, n, fmt, ap);
	va_end(ap);
	return code;
}

static int make_rings(struct rec_probe *p, const struct rec_probe_options *opt)
{
	int outer = bpf_map__fd(p->skel->maps.rings);

	for (u32 cpu = 0; cpu < p->cpus; cpu++) {
		struct ring_of *ctx = &p->ring[cpu];
		int err;

		ctx->p = p;
		ctx->cpu = cpu;
		p->ring_fd[cpu] = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "mr_ring", 0, 0,
						 opt->ring_bytes, NULL);
		if (p->ring_fd[cpu] < 0)
			return p->ring_fd[cpu];
		err = bpf_map_update_elem(outer, &cpu, &p->ring_fd[cpu], BPF_ANY);
		if (err)
			return err;
		if (!p->rb)
			p->rb = ring_buffer__new(p->ring_fd[cpu], on_record, ctx, NULL);
		else if (ring_buffer__add(p->rb, p->ring_fd[cpu], on_record, ctx))
			return -errno;
		if (!p->rb)
			return -errno;
	}
	return 0;
}

static int set_cgroup(struct rec_probe *p, const char *path)
{
	u32 zero = 0;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = bpf_map__update_elem(p->skel->maps.cgroup, &zero, sizeof(zero), &fd, sizeof(fd),
				   BPF_ANY);
	close(fd);
	return err;
}

static int attach_major(struct rec_probe *p)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .size = sizeof(attr),
				       .config = PERF_COUNT_SW_PAGE_FAULTS_MAJ,
				       .sample_period = 1};

	for (u32 cpu = 0; cpu < p->cpus; cpu++) {
		p->perf_fd[cpu] =
			(int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
		if (p->perf_fd[cpu] < 0)
			continue; /* an offline CPU */
		p->major[cpu] =
			bpf_program__attach_perf_event(p->skel->progs.on_major, p->perf_fd[cpu]);
		if (!p->major[cpu])
			return -errno;
	}
	return 0;
}

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (!getenv("MEMRIG_LIBBPF_DEBUG"))
		return 0;
	return level <= LIBBPF_DEBUG ? vfprintf(stderr, fmt, ap) : 0;
}

/* Either what shapes processes, or what the kernel does for itself: together they would count pages twice. */
static void choose_programs(struct rec_probe *p)
{
	const struct bpf_program *const kmem[] = {
		p->skel->progs.on_page_alloc, p->skel->progs.on_page_free,  p->skel->progs.on_kmalloc,
		p->skel->progs.on_kfree,      p->skel->progs.on_cache_alloc, p->skel->progs.on_cache_free,
	};
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, p->skel->obj) {
		bool is_kmem = false;

		for (size_t i = 0; i < ARRAY_SIZE(kmem); i++)
			is_kmem |= prog == kmem[i];
		bpf_program__set_autoload(prog, is_kmem == p->kmem);
	}
}

static int load(struct rec_probe *p, const struct rec_probe_options *opt, char *err, size_t n)
{
	int e;

	libbpf_set_print(quiet);
	p->skel = recorder_bpf__open();
	if (!p->skel)
		return fail(err, n, -errno, "cannot open the recording programs: %s",
			    strerror(errno));
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		((u8 *)(uintptr_t)p->skel->rodata->call_of)[calls[i].nr & 511] = (u8)calls[i].call;
	p->kmem = opt->kmem;
	choose_programs(p);
	p->skel->rodata->scope = opt->scope;
	p->skel->rodata->self = (u32)getpid();
	p->skel->rodata->user_bits =
		56; /* the kernel's half begins above, with 48 or with 57 bits */
	bpf_map__set_max_entries(p->skel->maps.rings, p->cpus);
	e = recorder_bpf__load(p->skel);
	if (e == -EPERM || e == -EACCES)
		return fail(err, n, e, "recording needs root (or CAP_BPF and CAP_PERFMON)");
	if (e)
		return fail(err, n, e,
			    "this kernel refuses the recording programs (%s); they need BTF and "
			    "Linux 6.7",
			    strerror(-e));
	if (opt->scope == SCOPE_CGROUP && (e = set_cgroup(p, opt->cgroup)))
		return fail(err, n, e,
			    "%s: not a usable folder of the unified cgroup hierarchy (%s)",
			    opt->cgroup, strerror(-e));
	e = make_rings(p, opt);
	return e ? fail(err, n, e, "cannot make the rings: %s", strerror(-e)) : 0;
}

static int attach(struct rec_probe *p, char *err, size_t n)
{
	int e = recorder_bpf__attach(p->skel);

	if (!e && !p->kmem)
		e = attach_major(p);
	p->attached = !e;
	return e ? fail(err, n, e, "cannot attach the recording programs: %s", strerror(-e)) : 0;
}

/* --- what the probes cost: the same work with and without, on ourselves --- */

#define ROUNDS 5
#define CALLS  500u

static u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

static u64 time_once(enum rec_cost c, char *page, char *area)
{
	u64 start;

	if (c == COST_FAULT)
		madvise(area, CALLS * 4096ul, MADV_DONTNEED);
	start = now_ns();
	for (u32 i = 0; i < CALLS; i++) {
		if (c == COST_SYSCALL)
			syscall(SYS_getppid);
		else if (c == COST_CALL)
			madvise(page, 4096, MADV_NORMAL);
		else if (c == COST_KMEM)
			close(eventfd(0, EFD_CLOEXEC)); /* a few objects: how many is counted */
		else
			((volatile char *)area)[i * 4096ul] = 1;
	}
	return (now_ns() - start) / CALLS;
}

static void measure(struct rec_probe *p, u64 out[NR_REC_COSTS])
{
	char *area = mmap(NULL, CALLS * 4096ul, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	for (u32 c = 0; c < NR_REC_COSTS; c++)
		out[c] = ~0ull;
	if (area == MAP_FAILED)
		return;
	madvise(area, CALLS * 4096ul, MADV_NOHUGEPAGE);
	for (u32 round = 0; round < ROUNDS; round++) {
		for (u32 c = 0; c < NR_REC_COSTS; c++) {
			u64 t = time_once(c, area, area);

			out[c] = t < out[c] ? t : out[c];
		}
		ring_buffer__consume(p->rb);
	}
	munmap(area, CALLS * 4096ul);
}

/* What was announced went the way of the calibration's records: it is announced again. */
static void forget_caches(struct rec_probe *p)
{
	u64 key;

	while (!bpf_map__get_next_key(p->skel->maps.caches, NULL, &key, sizeof(key)))
		if (bpf_map__delete_elem(p->skel->maps.caches, &key, sizeof(key), 0))
			break;
}

static void calibrate(struct rec_probe *p, const u64 without[NR_REC_COSTS])
{
	const struct rec_proc v = {0, PROC_BORROWS, 0}; /* recorded, and nothing is listed */
	u32 self = (u32)getpid();
	u64 with[NR_REC_COSTS], objects;

	if (p->kmem) {
		measure(p, with);
		ring_buffer__consume(p->rb);
		objects = p->seen / (ROUNDS * CALLS); /* of one eventfd; the other costs are of no program here */
		if (objects && with[COST_KMEM] > without[COST_KMEM])
			p->cost[COST_KMEM] = (with[COST_KMEM] - without[COST_KMEM]) / objects;
		forget_caches(p);
		return;
	}
	if (bpf_map__update_elem(p->skel->maps.procs, &self, sizeof(self), &v, sizeof(v), BPF_ANY))
		return;
	measure(p, with);
	bpf_map__delete_elem(p->skel->maps.procs, &self, sizeof(self), 0);
	ring_buffer__consume(p->rb);
	for (u32 c = 0; c < NR_REC_COSTS; c++)
		p->cost[c] = with[c] > without[c] ? with[c] - without[c] : 0;
}

struct rec_probe *rec_probe_open(const struct rec_probe_options *opt, bool *refused, char *err,
				 size_t n)
{
	struct rec_probe *p = calloc(1, sizeof(*p));
	int cpus = libbpf_num_possible_cpus(), e;
	u64 without[NR_REC_COSTS];

	*refused = false;
	if (!p || cpus <= 0)
		goto fail;
	p->cpus = (u32)cpus;
	p->ring = calloc(p->cpus, sizeof(*p->ring));
	p->ring_fd = calloc(p->cpus, sizeof(int));
	p->perf_fd = calloc(p->cpus, sizeof(int));
	p->major = calloc(p->cpus, sizeof(*p->major));
	p->loss_buf = calloc(p->cpus, sizeof(u64));
	if (!p->ring || !p->ring_fd || !p->perf_fd || !p->major || !p->loss_buf)
		goto fail;
	e = load(p, opt, err, n);
	if (!e) {
		measure(p, without);
		e = attach(p, err, n);
	}
	if (!e) {
		calibrate(p, without);
		return p;
	}
	*refused = !p->skel || !p->attached;
fail:
	rec_probe_close(p);
	return NULL;
}

void rec_probe_detach(struct rec_probe *p)
{
	for (u32 cpu = 0; p->major && cpu < p->cpus; cpu++) {
		bpf_link__destroy(p->major[cpu]);
		p->major[cpu] = NULL;
		if (p->perf_fd[cpu] > 0)
			close(p->perf_fd[cpu]);
		p->perf_fd[cpu] = 0;
	}
	if (p->skel)
		recorder_bpf__detach(p->skel);
	p->attached = false;
}

void rec_probe_close(struct rec_probe *p)
{
	if (!p)
		return;
	rec_probe_detach(p);
	ring_buffer__free(p->rb);
	for (u32 cpu = 0; p->ring_fd && cpu < p->cpus; cpu++)
		if (p->ring_fd[cpu] > 0)
			close(p->ring_fd[cpu]);
	recorder_bpf__destroy(p->skel);
	free(p->marks.v);
	free(p->ring);
	free(p->ring_fd);
	free(p->perf_fd);
	free(p->major);
	free(p->loss_buf);
	free(p);
}
