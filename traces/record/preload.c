/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libmemrig-preload.so: loaded into recorded programs by LD_PRELOAD, it passes every call of the
 * malloc family on to whatever allocator the program has and notes it in its thread's ring
 * (preload.h).
 *
 * Rules it lives by
 *   - an allocation is stamped after it returned and a free before it begins: a block that two
 *     threads hand on is never seen allocated twice.
 *   - no call of ours allocates: rings come from shared memory, dlsym()'s first need of calloc is
 *     served from a static buffer.
 *   - what the allocator itself calls while we are inside it is not recorded (`inside`).
 *   - a forked child notices by a page that forks zeroed (MADV_WIPEONFORK), whatever way it forked.
 *   - without the recorder, or after it went, every call is passed on and nothing else happens.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "traces/record/preload.h"

#define PUBLIC	 __attribute__((visibility("default")))
#define FAST_TLS __thread __attribute__((tls_model("initial-exec")))

static struct {
	void *(*malloc)(size_t);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	void *(*memalign)(size_t, size_t);
	int (*posix_memalign)(void **, size_t, size_t);
	void *(*aligned_alloc)(size_t, size_t);
	void *(*valloc)(size_t);
	void *(*pvalloc)(size_t);
	void *(*reallocarray)(void *, size_t, size_t);
	void (*free)(void *);
} real;

static struct heap_shm *shm;
static volatile u32 *same_process; /* 1; 0 in a child that was forked since */
static u32 my_pid;
static u64 fork_tick; /* when this process last began a fork() */
static pthread_key_t thread_end;
static bool have_key;

struct thread_ring {
	struct heap_ring *ring;
	struct heap_event *ev;
	u64 head, limit; /* limit: head may grow to here without looking at the reader */
	u32 inside;	 /* we are below a call of ours, or setting up */
	u32 gave_up;	 /* waited in vain: drop until the reader moves */
};
static FAST_TLS struct thread_ring me;

/* dlsym() may want memory before we know where from: never freed. */
static _Alignas(64) char early[16384];
static size_t early_used;

static bool is_early(const void *p)
{
	return (const char *)p >= early && (const char *)p < early + sizeof(early);
}

static void *early_alloc(size_t size)
{
	void *p = early + early_used;

	size = (size + 15) & ~(size_t)15;
	if (size > sizeof(early) - early_used)
		return NULL;
	early_used += size;
	return p;
}

static void find_real(void)
{
	static bool busy;

	if (busy)
		return;
	busy = true;
#define FIND(f) (*(void **)(&real.f) = dlsym(RTLD_NEXT, #f))
	FIND(calloc);
	FIND(malloc);
	FIND(realloc);
	FIND(free);
	FIND(memalign);
	FIND(posix_memalign);
	FIND(aligned_alloc);
	FIND(valloc);
	FIND(pvalloc);
	FIND(reallocarray);
#undef FIND
	busy = false;
}

static u32 my_tid(void)
{
	return (u32)syscall(SYS_gettid);
}

/* --- rings --- */

static struct heap_ring *claim(u32 tid)
{
	for (u32 i = 0; i < PRELOAD_RINGS; i++) {
		u32 none = 0, high;

		if (atomic_load_explicit(&shm->ring[i].owner, memory_order_relaxed) ||
		    !atomic_compare_exchange_strong(&shm->ring[i].owner, &none, tid))
			continue;
		shm->ring[i].pid = my_pid;
		high = atomic_load(&shm->high);
		while (high <= i && !atomic_compare_exchange_weak(&shm->high, &high, i + 1))
			;
		return &shm->ring[i];
	}
	return NULL;
}

static void put(u64 tick, u64 ptr, u64 size, u64 aux);

static bool take_ring(void)
{
	u32 tid = my_tid();
	struct heap_ring *r = claim(tid);

	me.ring = r;
	me.gave_up = 0;
	if (!r)
		return false;
	me.ev = (struct heap_event *)(void *)((char *)shm + PRELOAD_RINGS_OFFSET) +
		(size_t)(r - shm->ring) * PRELOAD_RING_EVENTS;
	me.head = atomic_load(&r->head);
	me.limit = atomic_load(&r->tail) + PRELOAD_RING_EVENTS;
	if (have_key)
		pthread_setspecific(thread_end, &me);
	if (tid != my_pid)
		put(preload_tick(), 0, 0, (u64)HEAP_THREAD << 56);
	return true;
}

/* The first call in a forked child: its rings are its parent's, so it needs its own. */
static void after_fork(void)
{
	u32 parent = my_pid;

	*same_process = 1;
	my_pid = (u32)getpid();
	if (take_ring())
		put(fork_tick ? fork_tick : preload_tick(), parent, 0, (u64)HEAP_FORK << 56);
	fork_tick = 0;
}

/* The ring is full: waits up to 20 ms for the reader. False: drop. */
static bool wait_for_reader(void)
{
	const struct timespec nap = {0, 100000};

	for (int i = 0; i < 200; i++) {
		me.limit = atomic_load_explicit(&me.ring->tail, memory_order_acquire) +
			   PRELOAD_RING_EVENTS;
		if (me.head < me.limit) {
			me.gave_up = 0;
			return true;
		}
		if (me.gave_up || atomic_load(&shm->stop))
			break;
		syscall(SYS_nanosleep, &nap, NULL);
	}
	me.gave_up = 1;
	return false;
}

static void put(u64 tick, u64 ptr, u64 size, u64 aux)
{
	struct heap_event *e;

	if (__builtin_expect(me.head >= me.limit, 0) && !wait_for_reader()) {
		me.ring->lost++;
		return;
	}
	e = &me.ev[me.head % PRELOAD_RING_EVENTS];
	e->tick = tick;
	e->ptr = ptr;
	e->size = size;
	e->aux = aux;
	atomic_store_explicit(&me.ring->head, ++me.head, memory_order_release);
}

/* Everything unusual about a call: no recorder, first call of a thread, fork, gone recorder. */
static __attribute__((noinline)) bool ready_slow(void)
{
	bool ok = false;

	if (!shm || atomic_load_explicit(&shm->stop, memory_order_relaxed))
		return false;
	me.inside++;
	if (!*same_process)
		after_fork();
	if (me.ring || take_ring())
		ok = true;
	else
		atomic_fetch_add(&shm->homeless, 1);
	me.inside--;
	return ok;
}

static inline bool ready(void)
{
	if (__builtin_expect(me.ring && *same_process &&
				     !atomic_load_explicit(&shm->stop, memory_order_relaxed),
			     1))
		return true;
	return ready_slow();
}

static inline void note(enum heap_kind kind, const void *ptr, size_t size, u64 aux)
{
	int saved = errno;

	if (ptr && ready())
		put(preload_tick(), (u64)(uintptr_t)ptr, size, aux | (u64)kind << 56);
	errno = saved;
}

/* --- the family --- */

#define NEED(f, otherwise)                                                                         \
	do {                                                                                       \
		if (!real.f) {                                                                     \
			find_real();                                                               \
			if (!real.f)                                                               \
				return otherwise;                                                  \
		}                                                                                  \
	} while (0)

PUBLIC void *malloc(size_t size)
{
	void *p;

	if (!real.malloc) {
		find_real();
		if (!real.malloc)
			return early_alloc(size);
	}
	if (me.inside)
		return real.malloc(size);
	me.inside = 1;
	p = real.malloc(size);
	note(HEAP_MALLOC, p, size, 0);
	me.inside = 0;
	return p;
}

PUBLIC void *calloc(size_t n, size_t size)
{
	void *p;

	if (!real.calloc) {
		find_real();
		if (!real.calloc)
			return early_alloc(n * size);
	}
	if (me.inside)
		return real.calloc(n, size);
	me.inside = 1;
	p = real.calloc(n, size);
	note(HEAP_CALLOC, p, n * size, 0);
	me.inside = 0;
	return p;
}

PUBLIC void free(void *p)
{
	if (!p || is_early(p))
		return;
	NEED(free, (void)0);
	if (me.inside) {
		real.free(p);
		return;
	}
	me.inside = 1;
	note(HEAP_FREE, p, 0, 0);
	real.free(p);
	me.inside = 0;
}

static void *early_to_real(void *old, size_t size)
{
	size_t most = (size_t)(early + sizeof(early) - (char *)old);
	void *p = malloc(size);

	if (p)
		memcpy(p, old, size < most ? size : most);
	return p;
}

static void note_realloc(void *old, void *p, size_t size)
{
	if (p)
		note(HEAP_REALLOC, p, size, (u64)(uintptr_t)old);
	else if (old && !size)
		note(HEAP_FREE, old, 0, 0);
}

PUBLIC void *realloc(void *old, size_t size)
{
	void *p;

	if (is_early(old))
		return early_to_real(old, size);
	NEED(realloc, NULL);
	if (me.inside)
		return real.realloc(old, size);
	me.inside = 1;
	p = real.realloc(old, size);
	note_realloc(old, p, size);
	me.inside = 0;
	return p;
}

PUBLIC void *reallocarray(void *old, size_t n, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(n, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, all);
}

/* The aligned ones differ in their arguments only. */
#define ALIGNED(call, align, size)                                                                 \
	do {                                                                                       \
		void *p_;                                                                          \
		if (me.inside)                                                                     \
			return call;                                                               \
		me.inside = 1;                                                                     \
		p_ = call;                                                                         \
		note(HEAP_MEMALIGN, p_, size, align);                                              \
		me.inside = 0;                                                                     \
		return p_;                                                                         \
	} while (0)

PUBLIC void *memalign(size_t align, size_t size)
{
	NEED(memalign, NULL);
	ALIGNED(real.memalign(align, size), align, size);
}

PUBLIC void *aligned_alloc(size_t align, size_t size)
{
	NEED(aligned_alloc, NULL);
	ALIGNED(real.aligned_alloc(align, size), align, size);
}

PUBLIC void *valloc(size_t size)
{
	NEED(valloc, NULL);
	ALIGNED(real.valloc(size), 4096, size);
}

PUBLIC void *pvalloc(size_t size)
{
	NEED(pvalloc, NULL);
	ALIGNED(real.pvalloc(size), 4096, size);
}

PUBLIC int posix_memalign(void **out, size_t align, size_t size)
{
	int err;

	NEED(posix_memalign, ENOMEM);
	if (me.inside)
		return real.posix_memalign(out, align, size);
	me.inside = 1;
	err = real.posix_memalign(out, align, size);
	if (!err)
		note(HEAP_MEMALIGN, *out, size, align);
	me.inside = 0;
	return err;
}

/* --- begin and end --- */

static void before_fork(void)
{
	fork_tick = preload_tick();
}

static void after_fork_in_parent(void)
{
	fork_tick = 0;
}

/* A thread ends: the reader takes what is left and frees the ring once its owner is marked gone. */
static void end_of_thread(void *unused)
{
	(void)unused;
	if (me.ring && *same_process)
		atomic_fetch_or(&me.ring->owner, 0x80000000u);
	me.ring = NULL;
}

static struct heap_shm *map_shm(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct heap_shm *s;

	if (fd < 0)
		return NULL;
	/* one page more than the file has: its place is for a page of our own, see begin() */
	s = mmap(NULL, PRELOAD_SHM_SIZE + 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
		 fd, 0);
	close(fd);
	if (s == MAP_FAILED)
		return NULL;
	if (s->magic == PRELOAD_MAGIC && s->ring_events == PRELOAD_RING_EVENTS)
		return s;
	munmap(s, PRELOAD_SHM_SIZE + 4096);
	return NULL;
}

static __attribute__((constructor)) void begin(void)
{
	const char *path = getenv(PRELOAD_ENV);
	struct heap_shm *s;
	u32 *page;

	me.inside++;
	if (!real.malloc)
		find_real();
	s = path ? map_shm(path) : NULL;
	/* inside the range that the recorder leaves out of the trace */
	page = s ? mmap((char *)s + PRELOAD_SHM_SIZE, 4096, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
		 : MAP_FAILED;
	if (s && page != MAP_FAILED && !madvise(page, 4096, MADV_WIPEONFORK)) {
		*page = 1;
		same_process = page;
		my_pid = (u32)getpid();
		have_key = !pthread_key_create(&thread_end, end_of_thread);
		pthread_atfork(before_fork, after_fork_in_parent, NULL);
		shm = s;
		atomic_fetch_add(&s->attached, 1);
		if (ready())
			put(preload_tick(), 0, (u64)getppid(), (u64)HEAP_START << 56);
	}
	me.inside--;
}
