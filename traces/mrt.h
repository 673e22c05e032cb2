/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Binary traces, block by block: what the reader's thread runs. Nothing here knows of threads.
 */
#ifndef MEMRIG_TRACE_MRT_H
#define MEMRIG_TRACE_MRT_H

#include "traces/columns.h"
#include "traces/format.h"
#include "traces/info.h"
#include "traces/validate.h"

#define MRT_ERR 512

struct mrt { /* an open file */
	const char *path;
	const u8 *map;
	size_t size;
	struct trace_header header;
	bool complete; /* the header says that the trace was closed, and the size agrees */
	size_t pos;    /* of the next block */
	u64 hash;
	bool no_checksum, saw_index;
	struct columns_decoder *columns;
	struct validator valid;
};

enum mrt_kind { MRT_END, MRT_OPS, MRT_STRINGS, MRT_INFO };

struct mrt_batch { /* what a block gave; buffers are kept from block to block */
	enum mrt_kind kind;
	const struct mm_op *ops; /* in the mapping or in buffer */
	u32 nr, nr_new_tasks;
	const char *text; /* strings, info */
	size_t size;
	size_t end; /* file position behind the block */
	u64 hash;   /* so far */
	struct mm_op *buffer;
	u32 cap;
	int err;
	char why[MRT_ERR]; /* the error, or at the end the notice that the trace was cut */
};

/* Maps @fd and checks the header. 0, or -errno with one line in @err. */
int mrt_open(struct mrt *f, const char *path, int fd, unsigned flags, char *err, size_t errlen);
void mrt_close(struct mrt *f);
void mrt_rewind(struct mrt *f);
/* The last info block that a closed trace has, else the first. 0, or -errno with one line in @err.
 */
int mrt_read_info(struct mrt *f, struct trace_info *info, char *err, size_t errlen);
/* The next block into @b. b->err is what it returns. */
int mrt_next(struct mrt *f, struct mrt_batch *b);

#endif
