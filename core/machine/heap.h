/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The heap of a process: what glibc's malloc does to memory management, without its bytes.
 *
 * A malloc trace says which blocks live when; this model decides where they lie, and so when the
 * break moves, what is mapped separately, and which page is written for the first time.
 *
 * Terms
 *   unit      16 bytes of guest heap: glibc's alignment. Sizes and positions are counted in units.
 *   chunk     a run of units: header and block. At least two units.
 *   top       the last chunk, bordering on the break.
 *   tcache    per thread, 7 chunks of each of the 64 smallest sizes, not coalesced.
 *   slot      the trace's dense number of a live block (core/op.h): the model's only look-up.
 *   mmapped   a block above the mmap threshold, in a mapping of its own.
 *
 * Owns its bookkeeping: one lazily populated host region a heap, indexed by slot and by unit; no
 * pointer into guest memory. The guest's memory changes only through struct heap_kernel.
 * Invariants (heap_model_check): 1 chunks tile [base, break); 2 borders agree (previous size and
 * in-use bit of neighbours), no two free neighbours; 3 bins hold each free chunk once, in the right
 * bin, large ones sorted, with their occupancy bits; 4 fastbins and tcaches hold chunks of their
 * size that no slot holds; 5 slots hold distinct chunks of the recorded size; 6 mapped blocks and
 * sums agree with the statistics.
 *
 * glibc: malloc/malloc.c of 2.36. Left out: arenas beyond the main one (threads share it), heaps
 * that continue in a mapping when the break cannot move (such requests get their own mapping),
 * hardening, tunables, and moving the break by others between two steps.
 */
#ifndef MEMRIG_HEAP_H
#define MEMRIG_HEAP_H

#include "core/base/types.h"
#include "core/op.h"

struct heap_model;

/* The process's system calls, given by the owner of the heap; any of them may fail. */
struct heap_kernel {
	s64 (*brk)(void *ctx, u64 addr);   /* the break afterwards, as brk(2)'s system call; 0 asks */
	s64 (*mmap)(void *ctx, u64 len);   /* private, anonymous, rw: address or -errno */
	int (*munmap)(void *ctx, u64 addr, u64 len);
	s64 (*mremap)(void *ctx, u64 addr, u64 old_len, u64 new_len); /* may move */
	void (*touch)(void *ctx, u64 addr, u64 len); /* a write to each page of the range */
};

enum heap_touch {
	HEAP_TOUCH_HEADER, /* only what malloc itself writes: chunk headers and links */
	HEAP_TOUCH_BLOCK,  /* and every page of a new block, unless written since it was mapped */
	HEAP_TOUCH_EACH    /* and every page of a new block, each time */
};

/*
 * Host memory of small heaps that are gone, for the next ones: processes that fork, exec and exit
 * would otherwise spend their time in the host's page faults. All zero is an empty pool.
 */
#define HEAP_POOL 16
struct heap_pool {
	struct {
		u8 *region;
		u32 units, slots; /* populated */
	} entry[HEAP_POOL];
	unsigned nr;
	u64 bytes; /* populated in all of them */
};

/* Gives everything back to the host; heaps that use the pool must be destroyed before. */
void heap_pool_drain(struct heap_pool *p);

struct heap_params {
	unsigned page_shift;
	enum heap_touch touch;
	bool account_only;      /* the recorded allocator's own system calls are in the trace */
	struct heap_pool *pool; /* outlives the heap; may be NULL */
};

struct heap_stats {
	u64 in_use;        /* bytes of live blocks, headers included */
	u64 heap_bytes;    /* of the break's heap */
	u64 mmapped_bytes; /* of separately mapped blocks */
	u64 peak_in_use, peak_bytes; /* highest in_use; highest heap_bytes + mmapped_bytes */
	u64 free_bytes;    /* in bins and fastbins, tcaches and top excluded */
	u64 tcache_bytes, top_bytes;
	u64 live_blocks, mmapped_blocks;
	u64 brk_calls, mmap_calls, munmap_calls, mremap_calls;
	u64 failed;        /* allocations that got no memory */
	u64 unknown;       /* frees and reallocs of blocks that the trace did not see born */
	u64 malformed;     /* operations with an impossible slot: nothing done, or the old block freed */
	u32 fragmentation; /* thousandths of heap_bytes that are neither in use nor top */
};

/* NULL: no memory, or a page size below 4 KiB. */
struct heap_model *heap_model_create(const struct heap_params *p);
void heap_model_destroy(struct heap_model *h); /* no system calls: the address space goes too */

/* Whose address space the following operations change. Cheap: may be called before each. */
void heap_model_bind(struct heap_model *h, const struct heap_kernel *k, void *ctx);

/*
 * The child's heap. The forking thread's cache belongs to @child_task afterwards; caches of other
 * threads are lost to the child, as in glibc. All pages of both count as not written, since the
 * next write to each copies it. NULL: no memory.
 */
struct heap_model *heap_model_fork(struct heap_model *h, u32 parent_task, u32 child_task);

/* As new, after exec: the old address space is gone. */
void heap_exec_reset(struct heap_model *h);

/* The thread's cache goes back to the heap. */
void heap_thread_exit(struct heap_model *h, u32 task);

/*
 * One operation of group HEAP; others are ignored. @ext may be NULL. The slot is as core/op.h
 * says; failing system calls leave a block unallocated and count in `failed`.
 */
void heap_apply(struct heap_model *h, const struct mm_op *op, const struct mm_op_ext *ext);

/* Model address and usable bytes of a live block; false if the slot is empty or only accounted. */
bool heap_block(const struct heap_model *h, u32 slot, u64 *addr, u64 *usable);

void heap_model_stats(const struct heap_model *h, struct heap_stats *out);

/* 0, or the number of the violated invariant with a sentence in @why. Leaves no trace in the heap. */
int heap_model_check(struct heap_model *h, char *why, size_t n);

#endif
