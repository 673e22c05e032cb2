/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A build: make forks compilers, some at a time. Each maps the same program and libraries, reads
 * headers from the page cache, grows its own memory bit by bit while it works over it, writes an
 * object file and ends.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/base/bits.h"
#include "core/base/bug.h"
#include "workloads/dist.h"
#include "workloads/workload.h"

enum { UNITS, JOBS, HEAP, TEXT, LIBS, HEADERS };

static const struct workload_param params[] = {
	[UNITS] = {"units", 50, 1, 1 << 20, "files to compile"},
	[JOBS] = {"jobs", 4, 1, 64, "compilers at a time"},
	[HEAP] = {"heap", 16 * MiB, MiB, 4 * GiB, "bytes that a compiler uses at most"},
	[TEXT] = {"text", 16 * MiB, 64 * KiB, 512 * MiB, "bytes of the compiler's program file"},
	[LIBS] = {"libs", 6, 0, 32, "shared libraries of 2 MiB"},
	[HEADERS] = {"headers", 200, 1, 100000, "header files of 64 KiB, read by all"},
	{0},
};

#define LIB_SIZE    (2 * MiB)
#define HEADER_SIZE (64 * KiB)
#define DATA_SIZE   MiB
#define ARENA       MiB /* memory is mapped in such steps */
#define FILE_TEXT   1u
#define FILE_LIB    2u  /* and following */
#define FILE_HEADER 100u
#define FILE_OBJECT (FILE_HEADER + 100000u)

struct job {
	u32 task; /* 0: idle */
	u64 unit, heap, used; /* bytes mapped at last; so far */
	u32 headers;
	bool mapped;
};

struct build {
	struct job jobs[64];
	u64 next_unit, done, heap_base;
	u32 next_task, next_file;
	struct dist text, headers;
	u64 turn;
	u64 name_cc;
	bool started;
};

static int build_init(struct workload_run *r)
{
	struct build *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	r->state = b;
	b->heap_base = WORKLOAD_BASE + ALIGN_UP(r->param[TEXT], MiB) + DATA_SIZE +
		       r->param[LIBS] * LIB_SIZE * 2;
	dist_init(&b->text, DIST_ZIPF, ALIGN_UP(r->param[TEXT], MiB) / r->page, 900);
	dist_init(&b->headers, DIST_ZIPF, r->param[HEADERS], 700);
	b->next_task = 2;
	return 0;
}

/* Files are announced some each burst. False: all are. */
static bool announce(struct workload_run *r, struct build *b)
{
	u32 all = 1 + (u32)(r->param[LIBS] + r->param[HEADERS]), i = b->next_file;

	if (i >= all)
		return false;
	for (; i < all && i < b->next_file + 32; i++) {
		if (!i)
			emit_file(r, FILE_TEXT, ALIGN_UP(r->param[TEXT], MiB), workload_name(r, "cc"));
		else if (i <= r->param[LIBS])
			emit_file(r, FILE_LIB + i - 1, LIB_SIZE, 0);
		else
			emit_file(r, FILE_HEADER + i - 1 - r->param[LIBS], HEADER_SIZE, 0);
	}
	b->next_file = i;
	return true;
}

static void start_make(struct workload_run *r, struct build *b)
{
	emit_task(r, 1, 100, 100);
	emit_spawn(r, 1, workload_name(r, "make"), 0, 0);
	emit_mmap(r, 1, WORKLOAD_BASE, DATA_SIZE, MM_PROT_READ | MM_PROT_WRITE);
	emit_write(r, 1, WORKLOAD_BASE, DATA_SIZE, 1);
	b->name_cc = workload_name(r, "cc");
	b->started = true;
}

static void start_job(struct workload_run *r, struct build *b, struct job *j)
{
	u32 task = b->next_task++;

	*j = (struct job){.task = task, .unit = b->next_unit++};
	j->heap = ARENA * (1 + prng_below(&r->prng, r->param[HEAP] / ARENA));
	j->headers = 1 + (u32)prng_below(&r->prng, r->param[HEADERS]);
	emit_task(r, task, 99 + task, 99 + task);
	emit_fork(r, 1, task);
	emit_write(r, task, WORKLOAD_BASE, 8, task); /* the child's last steps before exec */
	emit_exec(r, task, b->name_cc);
}

static void map_program(struct workload_run *r, struct build *b, struct job *j)
{
	u64 at = WORKLOAD_BASE, text = ALIGN_UP(r->param[TEXT], MiB);

	emit_mmap_file(r, j->task, at, text, MM_PROT_READ | MM_PROT_EXEC, false, FILE_TEXT, 0);
	at += text;
	emit_mmap(r, j->task, at, DATA_SIZE, MM_PROT_READ | MM_PROT_WRITE);
	emit_write(r, j->task, at, DATA_SIZE / 4, j->task);
	at += DATA_SIZE;
	for (u32 i = 0; i < r->param[LIBS]; i++, at += 2 * LIB_SIZE) {
		emit_mmap_file(r, j->task, at, LIB_SIZE, MM_PROT_READ, false, FILE_LIB + i, 0);
		emit_read(r, j->task, at + prng_below(&r->prng, LIB_SIZE / r->page) * r->page, 64);
	}
	VM_BUG_ON(at != b->heap_base);
	j->mapped = true;
}

/* One more arena, while the program runs over its text and what it has. */
static void work(struct workload_run *r, struct build *b, struct job *j)
{
	u64 arena = b->heap_base + j->used;

	if (j->headers) {
		j->headers--;
		emit_fread(r, j->task, FILE_HEADER + dist_draw(&b->headers, &r->prng), 0, HEADER_SIZE);
	}
	if (j->used < j->heap) {
		emit_mmap(r, j->task, arena, ARENA, MM_PROT_READ | MM_PROT_WRITE);
		for (int i = 0; i < 4; i++)
			emit_write(r, j->task, arena + (u64)i * ARENA / 4, ARENA / 4, j->task);
		j->used += ARENA;
	}
	for (int i = 0; i < 24; i++)
		emit_read(r, j->task, WORKLOAD_BASE + dist_draw(&b->text, &r->prng) * r->page, 64);
	for (int i = 0; i < 24; i++)
		emit_write(r, j->task, b->heap_base + prng_below(&r->prng, j->used / r->page) * r->page,
			   64, j->unit);
}

static void finish(struct workload_run *r, struct build *b, struct job *j)
{
	emit_file(r, FILE_OBJECT + j->unit, 0, 0);
	emit_fwrite(r, j->task, FILE_OBJECT + j->unit, 0, j->used / 32);
	emit_exit(r, j->task);
	j->task = 0;
	b->done++;
}

static bool build_step(struct workload_run *r)
{
	struct build *b = r->state;
	struct job *j = &b->jobs[b->turn++ % r->param[JOBS]];

	if (announce(r, b))
		return true;
	if (!b->started) {
		start_make(r, b);
	} else if (!j->task && b->next_unit < r->param[UNITS]) {
		start_job(r, b, j);
	} else if (j->task && !j->mapped) {
		map_program(r, b, j);
	} else if (j->task && (j->headers || j->used < j->heap)) {
		work(r, b, j);
	} else if (j->task) {
		finish(r, b, j);
	} else if (b->done == r->param[UNITS]) {
		emit_exit(r, 1);
		return false;
	}
	return true;
}

static void build_fini(struct workload_run *r)
{
	free(r->state);
}

const struct workload workload_build = {
	.name = "build",
	.help = "compilers forked by make: shared text, growing heaps, headers in the page cache",
	.params = params,
	.init = build_init,
	.step = build_step,
	.fini = build_fini,
};
