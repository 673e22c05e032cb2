/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memrig __heap_worker TRACE ALLOCATOR TOUCH: the process that heap_host.c starts with an allocator
 * preloaded. Prints one JSON object.
 *
 * Nothing of its own is allocated with malloc while events run: tables are mappings, the trace is
 * decoded in this thread between the timed batches.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bench/cmd.h"
#include "bench/heap_host.h"
#include "bench/progress.h"
#include "core/base/limits.h"
#include "traces/reader.h"

#define BATCH 65536u

struct event {
	u64 size;
	u32 slot, old;
	u8 code, align_shift;
};

struct block {
	void *ptr;
	u64 size; /* as requested */
};

struct worker {
	struct block *blocks;  /* by slot */
	struct event *events;  /* the batch */
	u32 nr;
	enum heap_host_touch touch;
	u64 page;
	u64 ns, calls, allocations, frees, reallocs, skipped;
	u64 requested, peak_requested, peak_rss;
};

static void *map_table(u64 bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Field @i of /proc/self/statm in bytes: 1 resident, 5 data. */
static u64 statm(const struct worker *w, int i)
{
	char buf[256], *at = buf;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	u64 v = 0;

	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = '\0';
	for (; i >= 0; i--)
		v = strtoull(at, &at, 10);
	return v * w->page;
}

/* ---- the timed part ---- */

MM_INLINE void touch_block(const struct worker *w, void *ptr, u64 size)
{
	volatile char *p = ptr;

	if (w->touch == HEAP_HOST_TOUCH_NONE || !p || !size)
		return;
	*p = 1;
	for (u64 at = w->page; w->touch == HEAP_HOST_TOUCH_PAGES && at < size; at += w->page)
		p[at] = 1;
}

static void *allocate(const struct event *e)
{
	switch (e->code) {
	case OP_CALLOC:
		return calloc(1, e->size);
	case OP_MEMALIGN:
		return memalign((size_t)1 << e->align_shift, e->size);
	default:
		return malloc(e->size);
	}
}

static void run_realloc(struct worker *w, const struct event *e)
{
	struct block *old = &w->blocks[e->old], *b = &w->blocks[e->slot];
	void *ptr = e->old == MM_SLOT_NONE ? NULL : old->ptr;

	if (e->old != MM_SLOT_NONE)
		old->ptr = NULL;
	if (b->ptr)
		free(b->ptr);
	b->ptr = realloc(ptr, e->size);
	touch_block(w, b->ptr, e->size);
}

static void run_batch(struct worker *w)
{
	for (u32 i = 0; i < w->nr; i++) {
		const struct event *e = &w->events[i];
		struct block *b = &w->blocks[e->slot];

		if (e->code == OP_FREE) {
			free(b->ptr);
			b->ptr = NULL;
		} else if (e->code == OP_REALLOC) {
			run_realloc(w, e);
		} else {
			if (MM_UNLIKELY(b->ptr != NULL))
				free(b->ptr); /* left behind by a process that ended */
			b->ptr = allocate(e);
			touch_block(w, b->ptr, e->size);
		}
	}
}

static void flush_batch(struct worker *w)
{
	u64 start = host_ns(), rss;

	run_batch(w);
	w->ns += host_ns() - start;
	w->calls += w->nr;
	w->nr = 0;
	rss = statm(w, 1);
	w->peak_rss = rss > w->peak_rss ? rss : w->peak_rss;
}

/* ---- decoding ---- */

static void account(struct worker *w, u32 slot, u64 size)
{
	w->requested += size - w->blocks[slot].size;
	w->blocks[slot].size = size;
	if (w->requested > w->peak_requested)
		w->peak_requested = w->requested;
}

static u8 align_shift(const struct mm_op_ext *x)
{
	u64 align = x && x->has & MM_EXT_X0 && x->x0 > 16 ? x->x0 : 16;

	return align > GiB ? 30 : (u8)(64 - __builtin_clzll(align - 1));
}

/* False: nothing to call. */
static bool decode(struct worker *w, const struct mm_op *op, struct event *e)
{
	*e = (struct event){.size = op->len, .slot = (u32)op->arg, .old = MM_SLOT_NONE, .code = op->code};
	if (op->code == OP_REALLOC)
		e->old = (u32)(op->arg >> 32);
	if (op->code == OP_REALLOC && e->slot == MM_SLOT_NONE && !op->len && e->old != MM_SLOT_NONE) {
		e->slot = e->old; /* of 0 bytes: a free */
		e->code = OP_FREE;
	}
	if (e->slot >= MM_MAX_HEAP_SLOTS || (e->old != MM_SLOT_NONE && e->old >= MM_MAX_HEAP_SLOTS))
		return false;
	if (e->code == OP_FREE) {
		account(w, e->slot, 0);
		w->frees++;
		return true;
	}
	if (!op->addr)
		return false; /* it failed */
	e->align_shift = align_shift(mm_op_ext(op));
	if (e->old != MM_SLOT_NONE)
		account(w, e->old, 0);
	account(w, e->slot, op->len);
	w->reallocs += e->code == OP_REALLOC;
	w->allocations += e->code != OP_REALLOC;
	return true;
}

static int replay(struct worker *w, struct trace_reader *r)
{
	const struct mm_op *ops;
	ssize_t n;

	while ((n = trace_next(r, &ops)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (ops[i].code < OP_MALLOC || ops[i].code > OP_FREE)
				continue;
			if (decode(w, &ops[i], &w->events[w->nr]))
				w->nr++;
			else
				w->skipped++;
			if (w->nr == BATCH)
				flush_batch(w);
		}
	}
	flush_batch(w);
	return (int)n;
}

/* ---- the process ---- */

static int answer_error(const char *text)
{
	json_t *j = json_pack("{ss}", "error", text);

	json_dumpf(j, stdout, 0);
	json_decref(j);
	return EXIT_USAGE;
}

/* A symbol that only the allocator's library has: was it really loaded? */
static bool is_loaded(int which)
{
	static const char *const symbols[NR_HEAP_HOSTS] = {
		[HEAP_HOST_JEMALLOC] = "mallctl", [HEAP_HOST_MIMALLOC] = "mi_malloc",
		[HEAP_HOST_TCMALLOC] = "tc_malloc",
	};

	return !symbols[which] || dlsym(RTLD_DEFAULT, symbols[which]);
}

static void answer(const struct worker *w, u64 base_rss, u64 brk_bytes, u64 data_bytes)
{
	u64 final = statm(w, 1);

	printf("{\"events\":%llu,\"allocations\":%llu,\"frees\":%llu,\"reallocs\":%llu,\"skipped\":%llu,"
	       "\"ns\":%llu,\"base_rss\":%llu,\"peak_rss\":%llu,\"final_rss\":%llu,"
	       "\"peak_requested\":%llu,\"brk_bytes\":%llu,\"data_bytes\":%llu}\n",
	       (unsigned long long)w->calls, (unsigned long long)w->allocations,
	       (unsigned long long)w->frees, (unsigned long long)w->reallocs,
	       (unsigned long long)w->skipped, (unsigned long long)w->ns,
	       (unsigned long long)base_rss, (unsigned long long)w->peak_rss,
	       (unsigned long long)final, (unsigned long long)w->peak_requested,
	       (unsigned long long)brk_bytes, (unsigned long long)data_bytes);
}

static int measure(struct worker *w, struct trace_reader *r)
{
	u64 from = (u64)(uintptr_t)sbrk(0), rss = statm(w, 1), data = statm(w, 5);

	w->peak_rss = rss;
	if (replay(w, r) < 0)
		return answer_error(trace_reader_error(r));
	if (!w->calls)
		return answer_error("the trace has no malloc events");
	answer(w, rss, (u64)(uintptr_t)sbrk(0) - from, statm(w, 5) - data);
	return EXIT_DONE;
}

int cmd_heap_worker(int argc, char **argv)
{
	struct worker w = {.page = (u64)sysconf(_SC_PAGESIZE)};
	int which = argc == 4 ? atoi(argv[2]) : 0, ret;
	struct trace_reader *r;
	char err[512];

	if (!heap_host_name(which))
		return answer_error("__heap_worker is for the program's own use");
	if (!is_loaded(which))
		return answer_error("the allocator's library could not be preloaded");
	w.touch = (enum heap_host_touch)atoi(argv[3]);
	w.blocks = map_table((u64)MM_MAX_HEAP_SLOTS * sizeof(*w.blocks));
	w.events = map_table((u64)BATCH * sizeof(*w.events));
	if (!w.blocks || !w.events)
		return answer_error("out of memory");
	memset(w.events, 1, (u64)BATCH * sizeof(*w.events));
	r = trace_open(argv[1], TRACE_READ_INLINE, err, sizeof(err));
	if (!r)
		return answer_error(err);
	ret = measure(&w, r);
	trace_close(r);
	return ret;
}
