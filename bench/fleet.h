/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fleet: many machines under one stream of operations, which is decoded once.
 *
 *	source -> ring of batches -> machine, machine, machine ...     each at its own place in the ring
 *
 * Threads take turns of up to FLEET_TURN batches, always with the machine that is most behind and that
 * nobody drives at the moment; whoever finds room in the ring decodes. A batch leaves the ring when the
 * last machine had it. So machines share nothing, one thread at a time drives each, slow ones hold up the
 * others by no more than the ring, and every machine sees what it would see alone.
 *
 * Memory: the ring (some 10 MiB) and the machines, whatever the length of the stream.
 */
#ifndef MEMRIG_FLEET_H
#define MEMRIG_FLEET_H

#include "bench/replay_loop.h"

#define FLEET_RING 64u /* batches kept */
#define FLEET_TURN 16u /* batches a thread applies to one machine, or decodes, at a time */

/* One machine of the fleet. The first three are set by the caller. */
struct fleet_member {
	struct machine_config config; /* passed config_finish() */
	struct replay_options options;
	u64 id;                       /* the caller's own */
	struct machine *m;            /* from boot until done() has returned */
	struct replay_stats *st;
	char error[512];              /* why it has no result; "" if it has one */
	/* the fleet's own */
	struct replay *loop;
	u64 next; /* batch it gets next */
	bool busy, over;
};

struct fleet {
	struct fleet_member *members;
	unsigned nr;
	unsigned jobs; /* threads, the caller's included; 0: one a CPU */
	bool quiet;    /* no progress line */
	/*
	 * The stream has ended for @v, whose machine still lives: takes the results out. Called in any of
	 * the threads, for one machine each, while others still run; the source may be asked for what is
	 * known at its end. May write v->error.
	 */
	void (*done)(void *self, struct fleet_member *v);
	void *self;
};

/*
 * Boots all machines and runs @src to its end. A machine that cannot boot says why in its error; the others
 * go on. 0, or -EIO (the source failed), -ENOMEM with one line in @err; done() may have been called for none.
 */
int fleet_run(struct fleet *f, const struct op_source *src, char *err, size_t errlen);

#endif
