/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/replay_loop.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bench/progress.h"

struct replay {
	struct machine *m;
	const struct replay_options *opt;
	struct replay_stats *st;
	struct op_strings strings;
	struct mm_result results[MM_MAX_OP_BATCH];
	u64 next_sample, until_timed, clock_cost, ns;
	u64 free_at_boot; /* frames; for most_used */
};

/* What two adjacent clock readings differ by, to be taken off each timed operation. */
static u64 measure_clock(void)
{
	u64 best = UINT64_MAX;

	for (int i = 0; i < 64; i++) {
		u64 a = host_ns(), d = host_ns() - a;

		if (d < best)
			best = d;
	}
	return best;
}

/* Eight buckets to a power of two: within 9 % of the value. */
static unsigned bucket_of(u64 ns)
{
	unsigned log, b;

	if (ns < 16)
		return (unsigned)ns;
	log = 63u - (unsigned)__builtin_clzll(ns);
	b = 16 + (log - 4) * 8 + (unsigned)((ns >> (log - 3)) & 7);
	return b < REPLAY_BUCKETS ? b : REPLAY_BUCKETS - 1;
}

static double bucket_middle(unsigned b)
{
	unsigned log = 4 + (b - 16) / 8;

	if (b < 16)
		return b;
	return (double)(8 + (b - 16) % 8) * (double)(1ull << (log - 3)) * 1.0625;
}

double replay_percentile(const struct replay_op_stat *s, double percent)
{
	double want = (double)s->timed * percent / 100.0;
	u64 seen = 0;

	for (unsigned b = 0; b < REPLAY_BUCKETS; b++) {
		seen += s->histogram[b];
		if (seen && (double)seen >= want)
			return bucket_middle(b);
	}
	return 0;
}

static const char *access_name(unsigned res)
{
	static const char *const names[NR_RES] = {
		[RES_UNKNOWN] = "skipped", [RES_NONE] = "none", [RES_MINOR] = "minor",
		[RES_MAJOR] = "major", [RES_SIGSEGV] = "SIGSEGV", [RES_SIGBUS] = "SIGBUS",
	};

	return res < NR_RES && names[res] ? names[res] : "?";
}

static void print_value(char *buf, size_t n, s64 v)
{
	if (v < 0 && v > -4096) {
		const char *name = strerrorname_np((int)-v);

		snprintf(buf, n, "-%s", name ? name : "E?");
	} else if (v > 0xfffff) {
		snprintf(buf, n, "0x%" PRIx64, (u64)v);
	} else {
		snprintf(buf, n, "%" PRId64, v);
	}
}

static void print_result(char *buf, size_t n, const struct mm_result *r)
{
	if (r->res != RES_EXT)
		snprintf(buf, n, "%s", access_name(r->res));
	else if (r->has_second)
		snprintf(buf, n, "%" PRId64 ":%" PRId64, r->value, r->second);
	else
		print_value(buf, n, r->value);
}

/* Prints what was recorded for @op; returns false if nothing was. */
static bool print_expected(const struct replay *l, const struct mm_op *op, char *buf, size_t n)
{
	const struct mm_op_ext *ext = mm_op_ext(op);
	enum mm_op_res res = mm_op_res(op);

	switch (res) {
	case RES_UNKNOWN:
		return false;
	case RES_ZERO:
		print_value(buf, n, 0);
		return true;
	case RES_ADDR:
		print_value(buf, n, (s64)op->addr);
		return true;
	case RES_EXT:
		if (!ext)
			return false;
		if (ext->has & MM_EXT_RESULT_STR)
			snprintf(buf, n, "%s", l->strings.get ?
				 l->strings.get(l->strings.self, ext->result) : "");
		else
			print_value(buf, n, (s64)ext->result);
		return true;
	default:
		snprintf(buf, n, "%s", access_name(res));
		return true;
	}
}

static void compare(struct replay *l, const struct replay_batch *b)
{
	const struct mm_op *ops = b->ops;
	struct replay_mismatch mm;

	for (size_t i = 0; i < b->n; i++) {
		if (ops[i].code == OP_EXT || !print_expected(l, &ops[i], mm.expected, sizeof(mm.expected)))
			continue;
		print_result(mm.got, sizeof(mm.got), &l->results[i]);
		if (!strcmp(mm.expected, mm.got))
			continue;
		mm.line = b->line(b->self, i);
		if (l->st->mismatches < MM_MAX_MISMATCHES)
			l->st->first[l->st->mismatches] = mm;
		l->st->mismatches++;
	}
}

/* ---- samples ---- */

/* Zones by their names, all nodes' together, and what is sampled of each. */
static const char *const zone_names[] = {"dma", "dma32", "normal", "high", "movable"};
static const char *const zone_levels[] = {"free", "min", "low", "high"};
#define NR_ZONE_NAMES  ARRAY_SIZE(zone_names)
#define NR_ZONE_LEVELS ARRAY_SIZE(zone_levels)

static void sample_header(FILE *f)
{
	fprintf(f, "ts");
	for (unsigned i = 0; i < NR_VMSTAT; i++)
		fprintf(f, ",%s", vmstat_name(i));
	fprintf(f, ",rss_anon,rss_file,rss_shmem,pgtable_bytes,heap_used,heap_size,"
		"ksm_pages_shared,ksm_pages_sharing,ksm_pages_unshared,"
		"ksm_pages_volatile,ksm_full_scans,page_bytes,virtual_ns");
	for (size_t z = 0; z < NR_ZONE_NAMES; z++)
		for (size_t k = 0; k < NR_ZONE_LEVELS; k++)
			fprintf(f, ",zone_%s_%s", zone_names[z], zone_levels[k]);
	fputc('\n', f);
}

/* The position of a zone's name, "HighMem" among them. */
static size_t zone_index(const char *name)
{
	for (size_t z = 0; z < NR_ZONE_NAMES; z++)
		if (!strcasecmp(zone_names[z], name))
			return z;
	return 3;
}

/* Free pages of the zones and their watermarks, in pages. */
static void sample_zones(struct replay *l)
{
	u64 v[NR_ZONE_NAMES][NR_ZONE_LEVELS] = {{0}};
	struct machine_zone z;

	for (size_t i = 0; i < machine_nr_zones(l->m); i++) {
		u64 *sum;

		machine_zone(l->m, i, &z);
		sum = v[zone_index(z.name)];
		for (unsigned o = 0; o < z.nr_orders; o++)
			sum[0] += z.free[o] << o;
		sum[1] += z.min;
		sum[2] += z.low;
		sum[3] += z.high;
	}
	for (size_t i = 0; i < NR_ZONE_NAMES; i++)
		for (size_t k = 0; k < NR_ZONE_LEVELS; k++)
			fprintf(l->opt->samples, ",%" PRIu64, v[i][k]);
}

static void sample(struct replay *l, u64 ts)
{
	struct vmstat_snapshot s;
	struct machine_totals t;
	struct machine_ksm k;
	FILE *f = l->opt->samples;

	machine_vmstat(l->m, &s);
	machine_totals(l->m, &t);
	machine_ksm(l->m, &k);
	fprintf(f, "%" PRIu64, ts);
	for (unsigned i = 0; i < NR_VMSTAT; i++)
		fprintf(f, ",%" PRId64, s.v[i]);
	fprintf(f, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64,
		t.rss_anon, t.rss_file, t.rss_shmem, t.pgtable_bytes, t.heap_used, t.heap_size);
	fprintf(f, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%llu", k.pages_shared,
		k.pages_sharing, k.pages_unshared, k.pages_volatile, k.full_scans,
		1ull << config_page_shift(machine_config_of(l->m)));
	fprintf(f, ",%" PRIu64, machine_now(l->m));
	sample_zones(l);
	fputc('\n', f);
}

/* ---- batches ---- */

/* Records of @ops[i] with its extension. */
static size_t width(const struct mm_op *op)
{
	return op->flags & MM_OP_HAS_EXT ? 2 : 1;
}

static void apply_timed(struct replay *l, const struct mm_op *op, struct mm_result *res)
{
	struct replay_op_stat *s = &l->st->ops[op->code];
	u64 start = host_ns(), ns;

	machine_apply(l->m, op, width(op), &l->strings, res);
	ns = host_ns() - start;
	ns -= ns < l->clock_cost ? ns : l->clock_cost;
	s->timed++;
	s->histogram[bucket_of(ns)]++;
}

static u64 free_frames(const struct machine *m)
{
	struct vmstat_snapshot s;

	machine_vmstat(m, &s);
	return (u64)s.v[vmstat_by_name("nr_free_pages")];
}

/* In steps, with a look at the free frames after each. */
static void apply_looking(struct replay *l, const struct mm_op *ops, size_t n, struct mm_result *res)
{
	for (size_t i = 0, step; i < n; i += step) {
		u64 used;

		step = n - i < REPLAY_LOOK_EVERY ? n - i : REPLAY_LOOK_EVERY;
		step += i + step < n && ops[i + step].code == OP_EXT;
		machine_apply(l->m, ops + i, step, &l->strings, res ? res + i : NULL);
		used = l->free_at_boot - free_frames(l->m);
		if ((s64)used > (s64)*l->opt->most_used)
			*l->opt->most_used = used;
	}
}

/* Applies a stretch without samples in it; one operation in REPLAY_TIMED_EVERY on its own. */
static void apply_stretch(struct replay *l, const struct mm_op *ops, size_t n, struct mm_result *res)
{
	if (l->opt->most_used) {
		apply_looking(l, ops, n, res);
		return;
	}
	for (size_t i = 0; i < n;) {
		size_t plain = n - i;

		if (l->opt->time_ops && plain > l->until_timed) {
			plain = l->until_timed;
			if (ops[i + plain].code == OP_EXT)
				plain++;
		}
		if (plain) {
			machine_apply(l->m, ops + i, plain, &l->strings, res ? res + i : NULL);
			l->until_timed -= plain < l->until_timed ? plain : l->until_timed;
			i += plain;
		}
		if (l->opt->time_ops && !l->until_timed && i < n) {
			apply_timed(l, &ops[i], res ? res + i : NULL);
			i += width(&ops[i]);
			l->until_timed = REPLAY_TIMED_EVERY - 1;
		}
	}
}

static void count_ops(struct replay *l, const struct mm_op *ops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		l->st->ops[ops[i].code & (NR_OP_CODES - 1)].count++;
}

static void apply_sampled(struct replay *l, const struct mm_op *ops, size_t n, struct mm_result *res)
{
	size_t from = 0;

	for (size_t i = 0; i < n; i++) {
		if (ops[i].code == OP_EXT || ops[i].ts < l->next_sample)
			continue;
		apply_stretch(l, ops + from, i - from, res ? res + from : NULL);
		from = i;
		sample(l, l->next_sample);
		l->next_sample += (1 + (ops[i].ts - l->next_sample) / l->opt->sample_ns) * l->opt->sample_ns;
	}
	apply_stretch(l, ops + from, n - from, res ? res + from : NULL);
}

/* "replay: 1.2 M events, 3.4 M/s" */
static const char *rate(const struct progress *p, const struct replay_stats *st, char *text, size_t n)
{
	snprintf(text, n, "replay: %.1f M events, %.1f M/s", (double)st->events / 1e6,
		 (double)st->events / progress_seconds(p) / 1e6);
	return text;
}

struct replay *replay_begin(struct machine *m, const struct op_strings *strings, const struct replay_options *opt,
			    struct replay_stats *st)
{
	struct replay *l = calloc(1, sizeof(*l));

	memset(st, 0, sizeof(*st));
	if (!l)
		return NULL;
	l->m = m;
	l->opt = opt;
	l->st = st;
	l->until_timed = REPLAY_TIMED_EVERY;
	l->strings = *strings;
	if (opt->most_used) {
		*opt->most_used = 0;
		l->free_at_boot = free_frames(m);
	}
	if (opt->time_ops)
		l->clock_cost = measure_clock();
	if (opt->samples)
		sample_header(opt->samples);
	return l;
}

void replay_apply(struct replay *l, const struct replay_batch *b)
{
	struct mm_result *res = l->opt->check ? l->results : NULL;
	u64 start = host_ns();

	if (!l->st->events && b->n)
		l->st->first_ts = b->ops[0].ts;
	count_ops(l, b->ops, b->n);
	l->st->events += b->n;
	if (l->opt->sample_ns && l->opt->samples)
		apply_sampled(l, b->ops, b->n, res);
	else
		apply_stretch(l, b->ops, b->n, res);
	if (res)
		compare(l, b);
	for (size_t i = b->n; i-- > 0;)
		if (b->ops[i].code != OP_EXT) {
			l->st->last_ts = b->ops[i].ts;
			break;
		}
	l->ns += host_ns() - start;
}

int replay_end(struct replay *l)
{
	struct replay_stats *st = l->st;
	int r = 0;

	if (l->opt->samples && l->opt->sample_ns)
		sample(l, st->last_ts);
	/* Extensions and bookkeeping are records, not events. */
	st->events -= st->ops[OP_EXT].count + st->ops[OP_TASK].count;
	for (unsigned c = 0; c < NR_OP_CODES; c++)
		st->skipped += machine_skipped(l->m, c);
	st->seconds = (double)l->ns / 1e9;
	if (l->opt->samples && ferror(l->opt->samples))
		r = -ENOSPC;
	free(l);
	return r;
}

int replay_loop(struct machine *m, const struct op_source *src, const struct replay_options *opt,
		struct replay_stats *st)
{
	struct op_strings strings = src->strings ? src->strings(src->self) : (struct op_strings){.get = NULL};
	struct replay *l = replay_begin(m, &strings, opt, st);
	struct replay_batch b = {.line = src->line, .self = src->self};
	struct progress p = progress_begin(opt->quiet);
	char text[96];
	ssize_t n;
	int r;

	if (!l)
		return -ENOMEM;
	while ((n = src->next(src->self, &b.ops)) > 0) {
		b.n = (size_t)n;
		replay_apply(l, &b);
		if (progress_due(&p))
			progress_show(&p, src->progress ? src->progress(src->self) : -1,
				      rate(&p, st, text, sizeof(text)));
	}
	progress_end(&p, rate(&p, st, text, sizeof(text)));
	r = replay_end(l);
	st->seconds = progress_seconds(&p); /* waiting for the source included */
	if (n < 0)
		snprintf(st->error, sizeof(st->error), "%s", src->error(src->self));
	return r ? r : n < 0 ? -EIO : 0;
}
