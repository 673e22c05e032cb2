/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sweeps over three arrays, a[i] = b[i] + c[i], as the STREAM benchmark does: every page is used
 * once a pass, in order, and never soon again. The smallest workload, kept as the manual of the family.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/base/bits.h"
#include "workloads/workload.h"

enum { SIZE, PASSES, CHUNK };

static const struct workload_param params[] = {
	[SIZE] = {"size", 16 * MiB, 64 * KiB, 256 * GiB, "bytes of each of the three arrays"},
	[PASSES] = {"passes", 4, 1, 1 << 20, "sweeps over all of them"},
	[CHUNK] = {"chunk", 4 * KiB, 1, 16 * MiB, "bytes of one operation"},
	{0},
};

#define TASK 1u
#define CHUNKS_A_BURST ((WORKLOAD_BURST - 1) / 3) /* and the exit */

struct stream {
	u64 len, at, pass;
	bool started;
};

static int stream_init(struct workload_run *r)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->len = ALIGN_UP(r->param[SIZE], WORKLOAD_ALIGN);
	r->state = s;
	return 0;
}

static void stream_start(struct workload_run *r, struct stream *s)
{
	emit_task(r, TASK, 100, 100);
	emit_spawn(r, TASK, workload_name(r, "stream"), 0, 0);
	for (u64 i = 0; i < 3; i++)
		emit_mmap(r, TASK, WORKLOAD_BASE + i * s->len, s->len, MM_PROT_READ | MM_PROT_WRITE);
	s->started = true;
}

static bool stream_step(struct workload_run *r)
{
	struct stream *s = r->state;
	u64 chunk;

	if (!s->started) {
		stream_start(r, s);
		return true;
	}
	for (u64 i = 0; i < CHUNKS_A_BURST && s->at < s->len; i++) {
		chunk = mm_min(r->param[CHUNK], s->len - s->at);
		emit_read(r, TASK, WORKLOAD_BASE + s->len + s->at, chunk);
		emit_read(r, TASK, WORKLOAD_BASE + 2 * s->len + s->at, chunk);
		emit_write(r, TASK, WORKLOAD_BASE + s->at, chunk, s->pass + 1);
		s->at += chunk;
	}
	if (s->at < s->len)
		return true;
	s->at = 0;
	if (++s->pass < r->param[PASSES])
		return true;
	emit_exit(r, TASK);
	return false;
}

static void stream_fini(struct workload_run *r)
{
	free(r->state);
}

const struct workload workload_stream = {
	.name = "stream",
	.help = "sweeps over three arrays, each page used once a pass",
	.params = params,
	.init = stream_init,
	.step = stream_step,
	.fini = stream_fini,
};
