/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/sweep.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/cmd.h"
#include "bench/fleet.h"
#include "bench/footprint.h"
#include "bench/heap_host.h"
#include "bench/manifest.h"
#include "bench/result.h"
#include "bench/trace_source.h"
#include "bench/verdict.h"
#include "bench/workload_source.h"
#include "bench/workload_trace.h"

#define FRAME_COST 128 /* host bytes a guest frame may cost: struct page, tag, and what hangs on them */

struct variant {
	struct machine_config config;
	bool done;
	unsigned like; /* the variant whose machine finds out what this one needs, if it asks for a fraction of it */
	u64 frames;    /* what that machine found */
};

struct run {
	struct sweep *s;
	unsigned nr;
	struct variant *v;
	struct sweep_result *results;
	struct trace_reader *reader; /* of the pass in progress; NULL: a workload */
	char *err;
	size_t errlen;
};

static int complain(struct run *r, const char *text)
{
	snprintf(r->err, r->errlen, "%s", text);
	return -1;
}

/* ---- the stream ---- */

struct stream {
	struct op_source src;
	struct trace_reader *reader;
	struct workload_run *run;
	struct workload_source *source;
};

/* Starts the workload as variant @variant has it. 0, or -1 with one line in @err. */
static int start_workload(const struct sweep *s, const struct machine_config *c, unsigned variant,
			  struct workload_run *w, char *err, size_t n)
{
	const struct variants *v = &s->variants;
	struct workload_options o = {.seed = c->seed, .gap = s->gap, .page = 1ull << config_page_shift(c)};

	*w = s->run;
	for (unsigned i = 0; i < v->nr_axes; i++)
		if (v->axes[i].kind == AXIS_PARAM &&
		    workload_set(w, v->axes[i].key, variants_value(v, variant, i), err, n))
			return -1;
	return workload_start(w, &o, err, n) ? -1 : 0;
}

/* The stream of variant @i and all that share it. */
static int open_stream(struct run *r, unsigned i, struct stream *st)
{
	memset(st, 0, sizeof(*st));
	if (r->s->trace) {
		st->reader = trace_open(r->s->trace, TRACE_READ_INLINE, r->err, r->errlen);
		if (!st->reader)
			return -1;
		st->src = trace_source(st->reader);
	} else {
		st->run = calloc(1, sizeof(*st->run));
		st->source = calloc(1, sizeof(*st->source));
		if (!st->run || !st->source || start_workload(r->s, &r->v[i].config, i, st->run, r->err, r->errlen)) {
			if (!st->source)
				complain(r, "out of memory");
			free(st->run);
			free(st->source);
			return -1;
		}
		st->source->run = st->run;
		st->src = workload_source(st->source);
	}
	r->reader = st->reader;
	return 0;
}

static void close_stream(struct stream *st)
{
	trace_close(st->reader);
	if (st->run)
		workload_stop(st->run);
	free(st->run);
	free(st->source);
}

static bool same_stream(const struct run *r, unsigned i, unsigned k)
{
	const struct machine_config *a = &r->v[i].config, *b = &r->v[k].config;

	return r->s->trace ||
	       (a->seed == b->seed && a->page == b->page && variants_same_params(&r->s->variants, i, k));
}

/* ---- configurations ---- */

static void fail_variant(struct run *r, unsigned i, const char *why)
{
	snprintf(r->results[i].error, sizeof(r->results[i].error), "%s", why);
	r->v[i].done = true;
}

static int configure(struct run *r, unsigned i)
{
	char why[512];

	r->v[i].config = r->s->base;
	variants_label(&r->s->variants, i, NULL, ' ', r->results[i].label);
	if (variants_apply(&r->s->variants, i, &r->v[i].config, r->err, r->errlen))
		return -1;
	if (config_finish(&r->v[i].config, why, sizeof(why)))
		fail_variant(r, i, why);
	return 0;
}

/* ---- passes ---- */

/* Runs members[0..nr) over a stream of their own. */
static int pass(struct run *r, struct fleet_member *members, unsigned nr, void (*done)(void *, struct fleet_member *))
{
	struct fleet f = {.members = members, .nr = nr, .jobs = r->s->jobs, .quiet = r->s->quiet, .done = done,
			  .self = r};
	struct stream st;
	int rc;

	if (!nr)
		return 0;
	if (open_stream(r, (unsigned)members[0].id, &st))
		return -1;
	rc = fleet_run(&f, &st.src, r->err, r->errlen);
	close_stream(&st);
	for (unsigned i = 0; i < nr && !rc; i++)
		if (members[i].error[0])
			fail_variant(r, (unsigned)members[i].id, members[i].error);
	return rc ? -1 : 0;
}

static void nothing_to_take(void *self, struct fleet_member *v)
{
	(void)self;
	(void)v; /* what it needed is where options.most_used points */
}

/* The machines on which variants of the group from @first find out what they need: equal ones once. */
static unsigned ample_machines(struct run *r, unsigned first, struct fleet_member *members)
{
	unsigned nr = 0, k;

	for (unsigned i = first; i < r->nr; i++) {
		struct fleet_member *m = &members[nr];
		char why[512];

		if (r->v[i].done || !footprint_asked(&r->v[i].config) || !same_stream(r, first, i))
			continue;
		*m = (struct fleet_member){.id = i, .options = {.quiet = true, .most_used = &r->v[i].frames}};
		if (footprint_ample(&r->v[i].config, &m->config, why, sizeof(why))) {
			fail_variant(r, i, why);
			continue;
		}
		for (k = 0; memcmp(&members[k].config, &m->config, sizeof(m->config)); k++)
			;
		r->v[i].like = (unsigned)members[k].id;
		nr += k == nr;
	}
	return nr;
}

/* mem=0.5wss becomes a size for the whole group. */
static int resolve_footprints(struct run *r, unsigned first, struct fleet_member *members)
{
	char why[512];

	if (pass(r, members, ample_machines(r, first, members), nothing_to_take))
		return -1;
	for (unsigned i = first; i < r->nr; i++) {
		struct variant *v = &r->v[i], *like = &r->v[v->like];

		if (v->done || !footprint_asked(&v->config) || !same_stream(r, first, i))
			continue;
		snprintf(why, sizeof(why), "%s", r->results[v->like].error);
		if (!like->frames) /* its machine did not even boot */
			fail_variant(r, i, why);
		else if (footprint_set(&v->config, like->frames, why, sizeof(why)))
			fail_variant(r, i, why);
	}
	return 0;
}

/* ---- results ---- */

static void path_of(const struct run *r, unsigned i, const char *file, char *out, size_t n)
{
	char label[VARIANTS_LABEL];

	variants_label(&r->s->variants, i, NULL, '_', label);
	for (char *p = label; *p; p++)
		if (*p == '/' || *p == ' ')
			*p = '_';
	snprintf(out, n, "%s/%s%s%s", r->s->dir, label, *file ? "/" : "", file);
}

/* What the table does not need; many variants' page tables and VMAs fill a host's memory. */
static void shed(json_t *j)
{
	static const char *const heavy[] = {"tasks", "marks", "lists", "zones", "config"};

	for (size_t i = 0; i < ARRAY_SIZE(heavy); i++)
		json_object_del(j, heavy[i]);
}

static void store(struct run *r, unsigned i, json_t *j)
{
	struct sweep_result *res = &r->results[i];
	char path[8192], why[256];

	if (j && r->s->dir) {
		path_of(r, i, "result.json", path, sizeof(path));
		if (result_write(j, path, why, sizeof(why)))
			snprintf(res->error, sizeof(res->error), "%s", why);
	}
	if (!j)
		snprintf(res->error, sizeof(res->error), "out of memory");
	else if (!r->s->keep)
		shed(j);
	res->json = j;
}

static void say(const struct run *r, struct fleet_member *v, struct sweep_result *res)
{
	size_t size = 0;
	FILE *f = open_memstream(&res->said, &size);

	if (!f)
		return;
	if (r->s->check)
		res->status = verdict(v->m, v->st, true, r->s->trace ? r->s->trace : r->s->title, f);
	if (r->s->show && views_print(r->s->verb, v->m, r->s->show, f))
		res->status = EXIT_USAGE;
	fclose(f);
}

static void take_result(void *self, struct fleet_member *v)
{
	struct run *r = self;
	char hash[32];
	struct result_trace t = result_trace_of(r->reader, r->s->title ? r->s->title : r->s->trace, v->st, hash);

	say(r, v, &r->results[v->id]);
	store(r, (unsigned)v->id, result_json(v->m, v->st, &t));
}

/* ---- machines ---- */

/* Bytes of the host that a machine may come to occupy. */
static u64 cost_of(const struct machine_config *c)
{
	u64 bytes;

	if (config_parse_size(c->mem, &bytes))
		bytes = 4 * GiB; /* banks: nobody knows */
	return (bytes >> config_page_shift(c)) * FRAME_COST + (c->data == DATA_BYTES ? bytes : 0) + 8 * MiB;
}

/* The next machines of the group from variant @first that fit into half of the host's memory, at least one. */
static unsigned next_machines(struct run *r, unsigned first, struct fleet_member *members)
{
	u64 room = (u64)sysconf(_SC_PHYS_PAGES) * (u64)sysconf(_SC_PAGESIZE) / 2, used = 0;
	unsigned nr = 0;

	for (unsigned i = first; i < r->nr; i++) {
		u64 cost = cost_of(&r->v[i].config);

		if (r->v[i].done || r->v[i].config.heap != HEAP_MODEL || !same_stream(r, first, i) ||
		    (nr && used + cost > room))
			continue;
		used += cost;
		r->v[i].done = true;
		members[nr++] = (struct fleet_member){
			.id = i, .config = r->v[i].config,
			.options = {.check = r->s->check, .quiet = true, .time_ops = true}};
	}
	return nr;
}

static void close_samples(struct run *r, struct fleet_member *members, struct outfile *files, unsigned nr, bool good)
{
	for (unsigned i = 0; i < nr; i++) {
		if (!files[i].f)
			continue;
		if (!good || members[i].error[0])
			outfile_abandon(&files[i]);
		else if (outfile_commit(&files[i]))
			fail_variant(r, (unsigned)members[i].id, "samples.csv cannot be written (disk full?)");
	}
}

static int open_samples(struct run *r, struct fleet_member *members, struct outfile *files, unsigned nr)
{
	char path[8192];

	for (unsigned i = 0; i < nr && r->s->sample_ns; i++) {
		int rc;

		path_of(r, (unsigned)members[i].id, "samples.csv", path, sizeof(path));
		rc = outfile_open(&files[i], path);
		if (rc) {
			files[i].f = NULL;
			snprintf(r->err, r->errlen, "%s: %s", path, strerror(-rc));
			return -1;
		}
		members[i].options.samples = files[i].f;
		members[i].options.sample_ns = r->s->sample_ns;
	}
	return 0;
}

/* All machines of the group from variant @first. */
static int run_group(struct run *r, unsigned first, struct fleet_member *members, struct outfile *files)
{
	unsigned nr;

	if (resolve_footprints(r, first, members))
		return -1;
	while ((nr = next_machines(r, first, members))) {
		int rc;

		memset(files, 0, nr * sizeof(*files));
		rc = open_samples(r, members, files, nr) || pass(r, members, nr, take_result) ? -1 : 0;
		close_samples(r, members, files, nr, !rc);
		if (rc)
			return -1;
	}
	return 0;
}

/* ---- the host's allocators ---- */

/* The malloc events of variant @i's stream, timed in a process of their own. */
static void run_on_host(struct run *r, unsigned i)
{
	char path[] = "/tmp/memrig-sweep-XXXXXX", why[512];
	struct workload_run w;
	struct heap_host_result h;
	const char *trace = r->s->trace;
	int rc = 0;

	r->v[i].done = true;
	if (!trace) {
		int fd = mkstemp(path);

		snprintf(why, sizeof(why), "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		rc = fd < 0 ? -EIO : start_workload(r->s, &r->v[i].config, i, &w, why, sizeof(why));
		if (!rc) {
			rc = workload_write_trace(&w, path, r->s->title, false, why, sizeof(why));
			workload_stop(&w);
		}
		trace = path;
	}
	if (!rc)
		rc = heap_host_replay(trace, (int)r->v[i].config.heap, HEAP_HOST_TOUCH_FIRST, &h, why, sizeof(why));
	if (!r->s->trace)
		unlink(path);
	if (rc)
		fail_variant(r, i, why);
	else
		store(r, i, heap_host_json(&h));
}

/* ---- all ---- */

static int make_variant_dirs(struct run *r)
{
	char path[8192];

	for (unsigned i = 0; i < r->nr && r->s->dir; i++) {
		int rc;

		path_of(r, i, "", path, sizeof(path));
		rc = make_dirs(path);
		if (rc) {
			snprintf(r->err, r->errlen, "%s: %s", path, strerror(-rc));
			return -1;
		}
	}
	return 0;
}

static int run_groups(struct run *r)
{
	struct fleet_member *members = calloc(r->nr + 1, sizeof(*members));
	struct outfile *files = calloc(r->nr, sizeof(*files));
	int rc = members && files ? 0 : complain(r, "out of memory");

	for (unsigned i = 0; i < r->nr && !rc; i++) {
		if (r->v[i].done)
			continue;
		if (r->v[i].config.heap != HEAP_MODEL)
			run_on_host(r, i);
		else
			rc = run_group(r, i, members, files);
	}
	free(members);
	free(files);
	return rc;
}

/* 16M,...,0.5wss: how much that is, on the first of the machines. */
static int close_open_end(struct run *r)
{
	struct variants *v = &r->s->variants;
	struct fleet_member members[2] = {{.id = 0}};
	const char *end = variants_open_end(v);
	u64 bytes;

	if (!end)
		return 0;
	r->nr = 1;
	if (configure(r, 0))
		return -1;
	snprintf(r->v[0].config.mem, sizeof(r->v[0].config.mem), "%s", end);
	if (!r->v[0].done && resolve_footprints(r, 0, members))
		return -1;
	if (r->v[0].done)
		return complain(r, r->results[0].error);
	if (config_parse_size(r->v[0].config.mem, &bytes))
		return complain(r, "mem=: no size");
	return variants_close_end(v, bytes, r->err, r->errlen) ? -1 : 0;
}

static int allocate(struct run *r)
{
	r->nr = variants_nr(&r->s->variants);
	if (r->nr > VARIANTS_MAX) {
		snprintf(r->err, r->errlen, "more than %d variants", VARIANTS_MAX);
		return -1;
	}
	r->v = calloc(r->nr, sizeof(*r->v));
	r->results = calloc(r->nr, sizeof(*r->results));
	return r->v && r->results ? 0 : complain(r, "out of memory");
}

static void free_results(struct sweep_result *results, unsigned nr)
{
	for (unsigned i = 0; results && i < nr; i++) {
		json_decref(results[i].json);
		free(results[i].said);
	}
	free(results);
}

static int run_all(struct run *r)
{
	bool any = false;

	if (allocate(r) || close_open_end(r))
		return -1;
	free(r->v);
	free(r->results);
	if (allocate(r))
		return -1;
	for (unsigned i = 0; i < r->nr; i++)
		if (configure(r, i))
			return -1;
	if (make_variant_dirs(r) || run_groups(r))
		return -1;
	for (unsigned i = 0; i < r->nr; i++) {
		any |= !r->results[i].error[0];
		if (config_parse_size(r->v[i].config.mem, &r->results[i].mem) || r->v[i].config.dtb[0])
			r->results[i].mem = 0;
	}
	return any ? 0 : complain(r, r->results[0].error);
}

int sweep_run(struct sweep *s, struct sweep_result **results, char *err, size_t n)
{
	struct run r = {.s = s, .err = err, .errlen = n};
	int rc = run_all(&r);

	if (rc)
		free_results(r.results, r.nr);
	*results = rc ? NULL : r.results;
	free(r.v);
	return rc;
}

void sweep_free(const struct sweep *s, struct sweep_result *results)
{
	free_results(results, variants_nr(&s->variants));
}
