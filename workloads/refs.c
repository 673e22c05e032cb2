/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reference strings: one page after the other of a file (or of anonymous memory), drawn as the papers
 * on page replacement draw them. What a cache simulator eats, for the whole memory manager.
 *
 *   cyclic   0, 1, ... n - 1, and again: the string that LRU cannot serve
 *   uniform  each page alike
 *   zipf     few pages often (skew in thousandths)
 *   scanhot  a hot set, uniform, with a scan of the rest running through it
 *   phases   uniform in a window that moves on
 */
#include <errno.h>
#include <stdlib.h>

#include "core/base/bits.h"
#include "workloads/dist.h"
#include "workloads/workload.h"

enum { PAGES, REFS, STRING, SKEW, HOT, WRITE, ANON, RANDOM };
enum { CYCLIC, UNIFORM, ZIPF, SCANHOT, PHASES };

static const struct workload_param params[] = {
	[PAGES] = {"pages", 65536, 16, 1ull << 26, "pages of the file"},
	[REFS] = {"refs", 1 << 20, 1, 1ull << 40, "references"},
	[STRING] = {"string", ZIPF, CYCLIC, PHASES, "0 cyclic, 1 uniform, 2 zipf, 3 scan and hot set, 4 phases"},
	[SKEW] = {"skew", 1000, 0, 4000, "zipf: exponent in thousandths"},
	[HOT] = {"hot", 10, 1, 90, "scan and hot set: percent of the pages that are hot; half of the references"},
	[WRITE] = {"write", 0, 0, 100, "percent of the references that write"},
	[ANON] = {"anon", 0, 0, 1, "1: anonymous memory instead of a file"},
	[RANDOM] = {"random", 0, 0, 1, "1: no read-ahead of the file (POSIX_FADV_RANDOM)"},
	{0},
};

#define TASK 1u
#define FILE 1u

struct refs {
	struct dist dist;
	u64 left, scan;
	bool started;
};

static int refs_init(struct workload_run *r)
{
	static const u8 kinds[] = {[CYCLIC] = DIST_SEQUENTIAL, [UNIFORM] = DIST_UNIFORM, [ZIPF] = DIST_ZIPF,
				   [SCANHOT] = DIST_UNIFORM, [PHASES] = DIST_PHASES};
	struct refs *s = calloc(1, sizeof(*s));
	u64 n = r->param[PAGES];

	if (!s)
		return -ENOMEM;
	if (r->param[STRING] == SCANHOT)
		n = mm_max(n * r->param[HOT] / 100, 1);
	dist_init(&s->dist, (enum dist_kind)kinds[r->param[STRING]], n, (unsigned)r->param[SKEW]);
	s->scan = n;
	s->left = r->param[REFS];
	r->state = s;
	return 0;
}

static void refs_start(struct workload_run *r)
{
	u64 len = r->param[PAGES] * r->page;

	emit_task(r, TASK, 100, 100);
	emit_spawn(r, TASK, workload_name(r, "refs"), 0, 0);
	if (r->param[ANON])
		emit_mmap(r, TASK, WORKLOAD_BASE, len, MM_PROT_READ | MM_PROT_WRITE);
	else
		emit_file(r, FILE, len, workload_name(r, "refs.dat"));
	if (r->param[RANDOM] && !r->param[ANON])
		emit_fadvise(r, TASK, FILE, MM_MADV_RANDOM);
}

/* Every other reference of scan and hot set goes on with the scan. */
static u64 draw(struct workload_run *r, struct refs *s)
{
	u64 at;

	if (r->param[STRING] != SCANHOT || s->left & 1)
		return dist_draw(&s->dist, &r->prng);
	at = s->scan++;
	if (s->scan >= r->param[PAGES])
		s->scan = s->dist.n < r->param[PAGES] ? s->dist.n : 0;
	return at;
}

static bool refs_step(struct workload_run *r)
{
	struct refs *s = r->state;

	if (!s->started) {
		refs_start(r);
		s->started = true;
		return true;
	}
	for (u64 i = 0; i < WORKLOAD_BURST / 2 - 1 && s->left; i++, s->left--) {
		u64 off = draw(r, s) * r->page;
		bool write = prng_below(&r->prng, 100) < r->param[WRITE];

		if (r->param[ANON] && write)
			emit_write(r, TASK, WORKLOAD_BASE + off, 1, off + 1);
		else if (r->param[ANON])
			emit_read(r, TASK, WORKLOAD_BASE + off, 1);
		else if (write)
			emit_fwrite(r, TASK, FILE, off, r->page);
		else
			emit_fread(r, TASK, FILE, off, r->page);
	}
	if (s->left)
		return true;
	emit_exit(r, TASK);
	return false;
}

static void refs_fini(struct workload_run *r)
{
	free(r->state);
}

const struct workload workload_refs = {
	.name = "refs",
	.help = "a reference string over the pages of a file: cyclic, uniform, zipf, scan and hot set, phases",
	.params = params,
	.init = refs_init,
	.step = refs_step,
	.fini = refs_fini,
};
