/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The trace format on disk, version 1 (docs/TRACE_FORMAT.md is the prose).
 *
 * Terms
 *   header   the first 64 bytes, rewritten once when the trace is closed.
 *   block    a 48-byte head and a payload, padded to 8 bytes; readable without any other block
 *            but for strings, task numbers and heap slots, which earlier blocks introduce.
 *   info     `key value` lines: everything the text twin says in its @key lines.
 *
 * All integers are little-endian; a file from the other side says so in `endian` and is refused.
 * Only fixed-width types, so that eBPF programs may include this file behind vmlinux.h.
 */
#ifndef MEMRIG_TRACE_FORMAT_H
#define MEMRIG_TRACE_FORMAT_H

#ifndef __VMLINUX_H__
#include "core/base/types.h"
#endif

#define TRACE_MAGIC	  0x0a1a54524d4d8943ull /* bytes 43 89 'M' 'M' 'R' 'T' 1a 0a */
#define TRACE_BLOCK_MAGIC 0x4b4c424du		/* "MBLK" */
#define TRACE_ENDIAN_MARK 0x01020304u

enum trace_version {
	TRACE_V1 = 1, /* the first: raw and column blocks, strings, index */
	TRACE_VERSION_NOW = TRACE_V1
};
#define TRACE_MINOR 0 /* grows with additions that an older reader may ignore */

struct trace_header {
	u64 magic;
	u32 endian;
	u16 major, minor;
	u64 file_size;	  /* 0 while the trace is being written */
	u64 index_offset; /* of the index block; 0 while the trace is being written */
	u64 events;	  /* records without bookkeeping and extensions; 0 while being written */
	u64 lost;
	u8 page_shift;
	u8 encoding;	/* of all operation blocks: TRACE_ENC_RAW or TRACE_ENC_COLUMNS */
	u8 reserved[6]; /* 0 */
	u64 check;	/* xxh64 of all bytes before it */
};

enum trace_block_kind {
	TRACE_BLK_INFO = 1,    /* lines "key value\n"; the last one counts */
	TRACE_BLK_STRINGS = 2, /* NUL-terminated strings with the next ids, from 1 */
	TRACE_BLK_OPS = 3,     /* operations in the header's encoding */
	TRACE_BLK_INDEX = 4    /* the last block: struct trace_index_entry for blocks before it */
};

enum trace_encoding {
	TRACE_ENC_RAW = 0,    /* struct mm_op as in memory */
	TRACE_ENC_COLUMNS = 1 /* traces/columns.h */
};

struct trace_block {
	u32 magic;
	u8 kind, reserved[3];
	u32 size;	/* bytes of the payload, without padding */
	u32 records;	/* operations (with bookkeeping), strings, entries */
	u64 events;	/* operations without bookkeeping and extensions */
	u64 first_ts;	/* of operations */
	u64 check;	/* xxh64 of the payload */
	u64 head_check; /* xxh64 of the 40 bytes before */
};

struct trace_index_entry {
	u64 offset; /* of the block */
	u64 first_ts;
	u64 events; /* before this block */
};

/* Limits a file must keep; the reader checks them before it allocates. */
#define TRACE_MAX_BLOCK_RECORDS 32768u
#define TRACE_MAX_BLOCK_BYTES	(4u << 20)
#define TRACE_MAX_STRINGS	(1u << 20)
#define TRACE_MAX_STRING_BYTES	65536u
#define TRACE_MAX_INFO_LINES	4096u
#define TRACE_MAX_SLOTS		(1u << 26)

#endif
