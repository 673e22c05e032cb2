/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operation: the only thing that goes into a machine. Traces decode to operations, workloads
 * generate them, and neither knows of the other.
 *
 * Terms
 *   record     one struct mm_op of 40 bytes.
 *   extension  a record of code OP_EXT directly behind the record it belongs to (MM_OP_HAS_EXT in
 *              its flags): a recorded result that does not fit, and up to three further fields.
 *              Batches never separate the two.
 *   task       a dense index (0, 1, 2, ...) of a (pid, tid) pair, introduced by OP_TASK; index 0 is
 *              the kernel and needs no introduction.
 *   slot       a dense, recycled index of a live heap block, so that replay needs no hash table.
 *              Unique over all processes; a forked child frees what it inherited under the
 *              parent's number, and the number is given out again when no process holds it. exec
 *              and the end of a process free without an operation: whoever keeps blocks by slot
 *              drops the old one when a new block arrives in its slot.
 *   string     an id into the stream's string table (struct op_strings), 0 = none.
 */
#ifndef MEMRIG_OP_H
#define MEMRIG_OP_H

#include "core/base/types.h"

enum mm_op_code {
#define OP(code, SYM, name, group, keys, text) OP_##SYM = code,
#include "core/op.def"
#undef OP
	NR_OP_CODES = 128
};

enum mm_op_group {
	OPG_META, OPG_TASK, OPG_MAPPING, OPG_ACCESS, OPG_CONTENT, OPG_FILE, OPG_HEAP, OPG_KERNEL,
	OPG_CONTROL
};

struct mm_op {
	u64 ts;    /* nanoseconds since the start of the trace, never decreasing */
	u64 addr;  /* op.def says per code what addr, len and arg are */
	u64 len;
	u64 arg;
	u32 task;  /* dense task index */
	u16 flags; /* prot, advice or access type; recorded result; MM_OP_HAS_EXT */
	u8 cpu;
	u8 code;   /* enum mm_op_code */
};
_Static_assert(sizeof(struct mm_op) == 40, "one operation is 40 bytes");

struct mm_op_ext { /* the same 40 bytes when code is OP_EXT */
	u64 result; /* see enum mm_op_res: RES_EXT reads it */
	u64 x0, x1, x2;
	u32 pad;
	u16 has;    /* MM_EXT_* */
	u8 pad2;
	u8 code;    /* OP_EXT */
};
_Static_assert(sizeof(struct mm_op_ext) == sizeof(struct mm_op), "an extension fills one record");

#define MM_EXT_X0         1 /* the text form has x0's key */
#define MM_EXT_X1         2
#define MM_EXT_X2         4
#define MM_EXT_RESULT_STR 8 /* result is a string id: a comma list, or pfn:index */

/* flags, bits 0-7: prot (MM_PROT_*), advice (MM_MADV_*) or access type (MM_ACCESS_*) */
#define MM_OP_LOW       0x00ff
/* flags, bits 8-11: the recorded result */
#define MM_OP_RES_SHIFT 8
#define MM_OP_RES_MASK  0x0f00
/* flags, bits 12-14: which optional keys of addr, len, arg the text form had */
#define MM_OP_HAS_ADDR  0x1000
#define MM_OP_HAS_LEN   0x2000
#define MM_OP_HAS_ARG   0x4000
#define MM_OP_HAS_EXT   0x8000

enum mm_op_res {
	RES_UNKNOWN, /* nothing recorded: nothing is compared */
	RES_ZERO,    /* 0 */
	RES_ADDR,    /* equal to addr */
	RES_EXT,     /* the extension's result: a number or a negative errno as s64 */
	RES_NONE,    /* accesses: no fault */
	RES_MINOR, RES_MAJOR, RES_SIGSEGV, RES_SIGBUS,
	NR_RES
};

static inline enum mm_op_res mm_op_res(const struct mm_op *op)
{
	return (enum mm_op_res)((op->flags & MM_OP_RES_MASK) >> MM_OP_RES_SHIFT);
}

static inline const struct mm_op_ext *mm_op_ext(const struct mm_op *op)
{
	return op->flags & MM_OP_HAS_EXT ? (const struct mm_op_ext *)(const void *)(op + 1) : NULL;
}

/* Fixed values of the trace format, independent of any host's headers. */
enum { MM_PROT_NONE = 0, MM_PROT_READ = 1, MM_PROT_WRITE = 2, MM_PROT_EXEC = 4 };
enum {
	MM_PROT_GROWSDOWN = 0x01000000,
	MM_PROT_GROWSUP = 0x02000000
}; /* mprotect: to the end of a stack */
enum { MM_ACCESS_READ = 0, MM_ACCESS_WRITE = 1, MM_ACCESS_EXEC = 2 };
enum {
	MM_MAP_SHARED = 0x1, MM_MAP_PRIVATE = 0x2, MM_MAP_FIXED = 0x4, MM_MAP_ANON = 0x8,
	MM_MAP_FIXED_NOREPLACE = 0x10, MM_MAP_GROWSDOWN = 0x20, MM_MAP_LOCKED = 0x40,
	MM_MAP_POPULATE = 0x80, MM_MAP_NORESERVE = 0x100, MM_MAP_NONBLOCK = 0x200,
	MM_MAP_STACK = 0x400, MM_MAP_HUGETLB = 0x800, MM_MAP_DENYWRITE = 0x1000,
	MM_MAP_SYNC = 0x2000, MM_MAP_32BIT = 0x4000
};
enum { MM_FMODE_READ = 1, MM_FMODE_WRITE = 2, MM_FMODE_APPEND = 8, MM_FMODE_NOEXEC = 16, MM_FMODE_NOMMAP = 32 };
enum { MM_MREMAP_MAYMOVE = 1, MM_MREMAP_FIXED = 2, MM_MREMAP_DONTUNMAP = 4 };
enum { MM_MS_ASYNC = 1, MM_MS_INVALIDATE = 2, MM_MS_SYNC = 4 };
enum { MM_MLOCK_ONFAULT = 1, MM_MCL_CURRENT = 2, MM_MCL_FUTURE = 4, MM_MCL_ONFAULT = 8 };
enum { /* advice: madvise's, then fadvise's */
	MM_MADV_NORMAL, MM_MADV_RANDOM, MM_MADV_SEQUENTIAL, MM_MADV_WILLNEED, MM_MADV_DONTNEED,
	MM_MADV_FREE, MM_MADV_REMOVE, MM_MADV_DONTFORK, MM_MADV_DOFORK, MM_MADV_MERGEABLE,
	MM_MADV_UNMERGEABLE, MM_MADV_HUGEPAGE, MM_MADV_NOHUGEPAGE, MM_MADV_DONTDUMP,
	MM_MADV_DODUMP, MM_MADV_COLD, MM_MADV_PAGEOUT, MM_MADV_POPULATE_READ,
	MM_MADV_POPULATE_WRITE, MM_MADV_WIPEONFORK, MM_MADV_KEEPONFORK, MM_MADV_NOREUSE,
	MM_MADV_OTHER
};

/* Keys of kind name: a number, or this bit and a string id. */
#define MM_NAME_STR BIT(63)

#define MM_SLOT_NONE 0xffffffffu /* free or realloc of a block that the trace did not see born */

/* String table of a stream. get() returns "" for id 0 and for ids that do not exist. */
struct op_strings {
	const char *(*get)(const void *self, u64 id);
	const void *self;
};

/* Names for messages, text, JSON. */
MM_PUBLIC const char *op_name(unsigned code);        /* "mmap"; "" for bookkeeping codes, "?" if unknown */
MM_PUBLIC enum mm_op_group op_group(unsigned code);
MM_PUBLIC const char *op_keys(unsigned code);        /* the key string of op.def */
MM_PUBLIC const char *op_help(unsigned code);
MM_PUBLIC bool op_known(unsigned code);
MM_PUBLIC unsigned op_by_name(const char *name);     /* code, or OP_NONE */

#endif
