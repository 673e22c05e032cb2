/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls with the host's numbers become operations with the trace's. */
#ifndef MEMRIG_RECORD_CALLS_H
#define MEMRIG_RECORD_CALLS_H

#include "core/op.h"
#include "traces/record/event.h"

struct call_op {
	struct mm_op op; /* ts, task, cpu filled by the caller; code OP_NONE: nothing to write */
	struct mm_op_ext ext;
	bool has_ext;
};

/* @e: a REC_CALL; @file: the mapped file's id, 0: none. */
void call_to_op(const struct rec_event *e, u64 file, struct call_op *out);

/* "tmpfs" or "disk" by the magic number of the file system. */
const char *call_file_kind(u64 magic);

#endif
