/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mem=0.5wss: RAM as a fraction of what a trace needs. The footprint is the most frames in use at
 * once (pages, page cache, page tables, kernel objects) when the trace runs on a machine with more
 * RAM than it wants; the size found gives a booted machine that fraction of it in free frames, so
 * that kernel image and memmap come on top.
 */
#ifndef MEMRIG_FOOTPRINT_H
#define MEMRIG_FOOTPRINT_H

#include "bench/replay_loop.h"

/* Whether c->mem asks for a fraction. */
bool footprint_asked(const struct machine_config *c);

/*
 * The two halves of footprint_resolve(), for many machines at once: the machine on which the trace is to
 * run to see what it needs (replay_options.most_used),
 * and the size that follows from it. 0, or -EINVAL with one line in @err.
 */
int footprint_ample(const struct machine_config *c, struct machine_config *ample, char *err, size_t errlen);
int footprint_set(struct machine_config *c, u64 frames, char *err, size_t errlen);

/*
 * Runs @src to its end and replaces c->mem by the size. 0, or -EINVAL with one line in @err: not a
 * number above 0, the source failed, or no machine can be as large or as small.
 */
int footprint_resolve(struct machine_config *c, const struct op_source *src, char *err, size_t errlen);

#endif
