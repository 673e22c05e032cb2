/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A workload: a source of operations that no program had to run for. The same name, parameters, seed
 * and page size give the same records, byte for byte, on any host.
 *
 * Terms
 *   parameter  an unsigned number with a name, a default and bounds; sizes take K, M, G.
 *   burst      what one step() emits: at most WORKLOAD_BURST records, an operation and its
 *              extension never apart.
 *   slot       number of a heap block, as in core/op.h.
 *
 * A workload emits a well-formed stream: tasks are introduced (OP_TASK) before their first use,
 * spawned or forked before they act and end with exit; accesses lie in mappings that exist; blocks
 * are freed once; times never decrease. Mappings are placed by the workload, at multiples of 64 KiB
 * from WORKLOAD_BASE up, so that every guest and page size can hold them as they are.
 *
 * A new workload is one file and one line of workloads.def; stream.c is the smallest.
 */
#ifndef MEMRIG_WORKLOAD_H
#define MEMRIG_WORKLOAD_H

#include "core/base/prng.h"
#include "core/base/types.h"
#include "core/op.h"

#define WORKLOAD_BURST      128
#define WORKLOAD_MAX_PARAMS 12
#define WORKLOAD_MAX_NAMES  16
#define WORKLOAD_BASE       0x10000000ull
#define WORKLOAD_ALIGN      (64 * KiB)

struct workload_param {
	const char *name;
	u64 def, min, max;
	const char *help;
};

struct workload_run;

struct workload {
	const char *name, *help;
	const struct workload_param *params; /* ended by an entry without name */
	int (*init)(struct workload_run *r); /* 0, -ENOMEM, or -EINVAL with workload_complain() */
	bool (*step)(struct workload_run *r); /* emits a burst; false: that was the last */
	void (*fini)(struct workload_run *r); /* frees r->state; may be NULL */
};

struct workload_run {
	const struct workload *w;
	u64 param[WORKLOAD_MAX_PARAMS]; /* in the order of w->params */
	u64 page;        /* bytes of a guest page, for strides */
	u64 gap;         /* nanoseconds between operations */
	struct prng prng;
	u64 ts;
	void *state;     /* the workload's own */
	const char *names[WORKLOAD_MAX_NAMES]; /* strings by id; 0 is none */
	unsigned nr_names;
	struct mm_op *out; /* while next() runs */
	size_t nr, max;
	bool done;
	char err[128];
};

struct workload_options {
	u64 seed, page; /* 0: page of 4 KiB */
	u64 gap;        /* 0: 100 ns */
};

const struct workload *workload_find(const char *name); /* NULL: there is none */
const struct workload *workload_at(unsigned i);         /* NULL behind the last */

/* Starts with all defaults. Nothing to free before workload_start(). */
void workload_prepare(struct workload_run *r, const struct workload *w);

/* Sets a parameter from text. 0, or -EINVAL with one line in @err. */
int workload_set(struct workload_run *r, const char *key, const char *value, char *err, size_t n);

/* 0, or -ENOMEM or -EINVAL with one line in @err. After 0, workload_stop() frees. */
int workload_start(struct workload_run *r, const struct workload_options *o, char *err, size_t n);

/* The next 1..@max records, @max at least WORKLOAD_BURST; 0 at the end. */
size_t workload_next(struct workload_run *r, struct mm_op *out, size_t max);
void workload_stop(struct workload_run *r);

/* Serves r->names. */
struct op_strings workload_strings(const struct workload_run *r);

/* ---- for workloads: each appends one operation to the burst ---- */

u64 workload_name(struct workload_run *r, const char *literal); /* id of a string that stays */
int workload_complain(struct workload_run *r, const char *text); /* -EINVAL */

void emit_task(struct workload_run *r, u32 task, u32 pid, u32 tid);
void emit_spawn(struct workload_run *r, u32 task, u64 name, u64 brk, u64 stack);
void emit_fork(struct workload_run *r, u32 task, u32 child);
void emit_exec(struct workload_run *r, u32 task, u64 name);
void emit_exit(struct workload_run *r, u32 task);
void emit_thread(struct workload_run *r, u32 task, u32 tid);
void emit_mmap(struct workload_run *r, u32 task, u64 addr, u64 len, u32 prot);
void emit_mmap_file(struct workload_run *r, u32 task, u64 addr, u64 len, u32 prot, bool shared,
		    u64 file, u64 off);
void emit_munmap(struct workload_run *r, u32 task, u64 addr, u64 len);
void emit_mprotect(struct workload_run *r, u32 task, u64 addr, u64 len, u32 prot);
void emit_brk(struct workload_run *r, u32 task, u64 addr);
void emit_madvise(struct workload_run *r, u32 task, u64 addr, u64 len, u32 advice);
void emit_read(struct workload_run *r, u32 task, u64 addr, u64 len);
void emit_write(struct workload_run *r, u32 task, u64 addr, u64 len, u64 tag);
void emit_fill(struct workload_run *r, u32 task, u64 addr, u64 len, u64 tag, u64 step);
void emit_file(struct workload_run *r, u64 file, u64 size, u64 name);
void emit_fread(struct workload_run *r, u32 task, u64 file, u64 off, u64 len);
void emit_fwrite(struct workload_run *r, u32 task, u64 file, u64 off, u64 len);
void emit_fadvise(struct workload_run *r, u32 task, u64 file, u32 advice);
void emit_fsync(struct workload_run *r, u32 task, u64 file);
void emit_malloc(struct workload_run *r, u32 task, u32 slot, u64 ptr, u64 size);
void emit_realloc(struct workload_run *r, u32 task, u32 slot, u64 old_ptr, u64 ptr, u64 size);
void emit_free(struct workload_run *r, u32 task, u32 slot, u64 ptr);
void emit_alloc_pages(struct workload_run *r, u64 id, unsigned order);
void emit_free_pages(struct workload_run *r, u64 id);
void emit_ksm(struct workload_run *r, u64 scans);
void emit_mark(struct workload_run *r, u64 name);

/* Lets @ns nanoseconds pass. */
void workload_sleep(struct workload_run *r, u64 ns);

#endif
