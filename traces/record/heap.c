/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the rings of the preload library: see heap.h and preload.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "traces/record/heap.h"

#define SWEEP_NS 200000000ull

static u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

/* A pair of readings of both clocks taken as close together as it goes. */
static void read_clocks(u64 *tick, u64 *ns)
{
	u64 best = ~0ull;

	for (int i = 0; i < 5; i++) {
		u64 a = preload_tick(), n = now_ns(), b = preload_tick();

		if (b - a >= best)
			continue;
		best = b - a;
		*tick = a + (b - a) / 2;
		*ns = n;
	}
}

int rec_heap_open(struct rec_heap *h)
{
	const struct timespec nap = {0, 10000000};

	memset(h, 0, sizeof(*h));
	h->fd = memfd_create("memrig-heap", MFD_CLOEXEC);
	if (h->fd < 0)
		return -errno;
	if (ftruncate(h->fd, (off_t)PRELOAD_SHM_SIZE))
		goto fail;
	h->shm = mmap(NULL, PRELOAD_SHM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
		      h->fd, 0);
	if (h->shm == MAP_FAILED)
		goto fail;
	h->dead_pid = calloc(PRELOAD_RINGS, sizeof(*h->dead_pid));
	if (!h->dead_pid)
		goto fail;
	h->shm->rings = PRELOAD_RINGS;
	h->shm->ring_events = PRELOAD_RING_EVENTS;
	h->shm->magic = PRELOAD_MAGIC;
	read_clocks(&h->then.tick, &h->then.ns);
	nanosleep(&nap, NULL);
	read_clocks(&h->now.tick, &h->now.ns);
	return 0;
fail:
	close(h->fd);
	h->fd = -1;
	h->shm = NULL;
	return errno ? -errno : -ENOMEM;
}

void rec_heap_close(struct rec_heap *h)
{
	if (h->fd < 0 || !h->shm)
		return;
	rec_heap_stop(h);
	munmap(h->shm, PRELOAD_SHM_SIZE);
	close(h->fd);
	free(h->dead_pid);
	h->shm = NULL;
	h->fd = -1;
}

void rec_heap_file(const struct rec_heap *h, u64 *dev, u64 *ino)
{
	struct stat st;

	*dev = *ino = 0;
	if (h->shm && !fstat(h->fd, &st)) {
		*dev = (u64)major(st.st_dev) << 20 | minor(st.st_dev);
		*ino = st.st_ino;
	}
}

int rec_heap_environment(const struct rec_heap *h, const char *library)
{
	const char *old = getenv("LD_PRELOAD");
	char path[64], list[8192];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getppid(), h->fd);
	snprintf(list, sizeof(list), "%s%s%s", library, old && *old ? ":" : "", old ? old : "");
	if (setenv(PRELOAD_ENV, path, 1) || setenv("LD_PRELOAD", list, 1))
		return -errno;
	return 0;
}

static u64 to_ns(const struct rec_heap *h, u64 tick)
{
	u64 ticks = h->now.tick - h->then.tick, ns = h->now.ns - h->then.ns;
	s64 d = (s64)(tick - h->then.tick);

	return ticks ? (u64)((s64)h->then.ns + (s64)((__int128)d * (s64)ns / (s64)ticks))
		     : h->then.ns;
}

static int take(struct rec_heap *h, struct rec_queue *q, const struct heap_event *e, u32 pid,
		u32 tid)
{
	struct rec_item item = {.e = {.kind = REC_HEAP, .tgid = pid, .tid = tid}};

	item.e.ts = to_ns(h, e->tick);
	item.e.x = (u32)(e->aux >> 56);
	item.e.a[0] = e->ptr;
	item.e.a[1] = e->size;
	item.e.a[2] = e->aux & ((1ull << 56) - 1);
	h->events++;
	return rec_push(q, &item);
}

static int drain_ring(struct rec_heap *h, u32 i, u64 head, struct rec_queue *q)
{
	struct heap_ring *r = &h->shm->ring[i];
	const struct heap_event *ev =
		(const struct heap_event *)(const void *)((char *)h->shm + PRELOAD_RINGS_OFFSET) +
		(size_t)i * PRELOAD_RING_EVENTS;
	u32 tid = atomic_load(&r->owner) & 0x7fffffffu, pid = r->pid;
	u64 tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	for (; tail < head; tail++) {
		if (take(h, q, &ev[tail % PRELOAD_RING_EVENTS], pid, tid))
			return -ENOMEM;
		if (!(tail % 4096)) /* let a waiting thread go on early */
			atomic_store_explicit(&r->tail, tail, memory_order_release);
	}
	atomic_store_explicit(&r->tail, tail, memory_order_release);
	return 0;
}

static bool gone(u32 pid, u32 owner)
{
	u32 tid = owner & 0x7fffffffu;

	return owner & 0x80000000u || (syscall(SYS_tgkill, pid, tid, 0) && errno == ESRCH);
}

/* Frees rings whose thread has ended and that are empty; notes processes that are no more. */
static void sweep(struct rec_heap *h, u32 high)
{
	h->nr_dead = 0;
	for (u32 i = 0; i < high; i++) {
		struct heap_ring *r = &h->shm->ring[i];
		u32 owner = atomic_load(&r->owner);

		if (!owner || !gone(r->pid, owner) ||
		    atomic_load(&r->head) != atomic_load(&r->tail))
			continue;
		if (kill((pid_t)r->pid, 0) && errno == ESRCH)
			h->dead_pid[h->nr_dead++] = r->pid;
		atomic_store(&r->owner, 0);
	}
}

s64 rec_heap_drain(struct rec_heap *h, struct rec_queues *qs, u32 first)
{
	u32 high = atomic_load(&h->shm->high);
	u64 heads[PRELOAD_RINGS], before = h->events, tick, ns;

	if (high > qs->nr - first)
		high = qs->nr - first;
	for (u32 i = 0; i < high; i++)
		heads[i] = atomic_load_explicit(&h->shm->ring[i].head, memory_order_acquire);
	read_clocks(&tick, &ns);
	if (ns - h->now.ns > 5000000) { /* a longer line is a more exact one */
		h->then = h->now;
		h->now.tick = tick;
		h->now.ns = ns;
	}
	for (u32 i = 0; i < high; i++)
		if (heads[i] != atomic_load(&h->shm->ring[i].tail) &&
		    drain_ring(h, i, heads[i], &qs->q[first + i]))
			return -ENOMEM;
	h->nr_dead = 0;
	if (ns >= h->next_sweep) {
		h->next_sweep = ns + SWEEP_NS;
		sweep(h, high);
	}
	return (s64)(h->events - before);
}

void rec_heap_stop(struct rec_heap *h)
{
	atomic_store(&h->shm->stop, 1);
}

u64 rec_heap_lost(const struct rec_heap *h)
{
	u64 n = atomic_load(&h->shm->homeless);

	for (u32 i = 0; i < PRELOAD_RINGS; i++)
		n += h->shm->ring[i].lost;
	return n;
}

u32 rec_heap_attached(const struct rec_heap *h)
{
	return atomic_load(&h->shm->attached);
}
