/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What record_target.c did, in the terms of the trace, as it wrote it to its report file: the
 * recorder's test compares. MARK_* are munmap calls of nothing at these addresses.
 */
#ifndef MEMRIG_RECORD_TARGET_H
#define MEMRIG_RECORD_TARGET_H

#include "core/base/types.h"

#define MARK_BEGIN  0x7000000ul
#define MARK_END    0x7001000ul
#define MARK_CHILD  0x7002000ul
#define MARK_THREAD 0x7003000ul

struct did {
	u32 code; /* OP_* */
	u32 low;  /* prot, advice, access */
	u32 pid, tid;
	u64 addr, len, arg, flags; /* flags: MM_MAP_*, MM_MREMAP_* */
	s64 ret;		   /* calls only */
};

#define MAX_DID 128

struct did_all {
	u32 nr;
	u32 pid, child, thread;
	u64 start, end; /* faults are compared within */
	struct did v[MAX_DID];
};

#endif
