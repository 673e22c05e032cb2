/* SPDX-License-Identifier: BSD-2-Clause */
/* A trace file as a source of operations for replay_loop(). */
#ifndef MEMRIG_TRACE_SOURCE_H
#define MEMRIG_TRACE_SOURCE_H

#include "bench/replay_loop.h"
#include "traces/reader.h"

/* The source reads from @r, which must outlive it and is not closed by it. */
struct op_source trace_source(struct trace_reader *r);

#endif
