/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/result.h"

#include <inttypes.h>
#include <string.h>

#include "bench/manifest.h"
#include "traces/reader.h"

static json_t *num(u64 v)
{
	return json_integer((json_int_t)v);
}

static json_t *hex(u64 v)
{
	return json_sprintf("0x%" PRIx64, v);
}

static json_t *config_json(const struct machine_config *c)
{
	json_t *o = json_object();
	char text[CONFIG_STR_MAX];

	for (unsigned k = 0; k < NR_CONFIG_KEYS; k++)
		json_object_set_new(o, config_key_name(k),
				    json_string(config_key_print(c, k, text, sizeof(text))));
	return o;
}

/* Every counter under its own name, and what the kernel modelled calls differently. */
static json_t *vmstat_json(const struct machine *m, const struct vmstat_snapshot *s)
{
	struct vmstat_line lines[VMSTAT_MAX_LINES];
	unsigned n = machine_vmstat_lines(m, s, lines);
	json_t *o = json_object();

	for (unsigned i = 0; i < NR_VMSTAT; i++)
		json_object_set_new(o, vmstat_name(i), json_integer(s->v[i]));
	for (unsigned i = 0; i < n; i++)
		json_object_set_new(o, lines[i].name, json_integer(lines[i].value));
	return o;
}

static json_t *vma_json(const struct machine_vma *v)
{
	return json_pack("{so so ss so ss ss}", "start", hex(v->start), "end", hex(v->end), "perms",
			 v->perms, "pgoff", num(v->pgoff), "kind", v->kind, "flags", v->flags);
}

/* Virtual time that tasks waited, by reason. */
static json_t *stalls_json(const u64 *ns)
{
	json_t *o = json_object();

	for (unsigned k = 0; k < NR_STALLS; k++)
		json_object_set_new(o, machine_stall_name(k), num(ns[k]));
	return o;
}

/* One task; takes the reference to @vmas. */
static json_t *task_json(const struct machine_task *t, json_t *vmas)
{
	json_t *o = json_pack("{so so so so so so so so so}", "task", num(t->pid), "minflt",
			      num(t->minflt), "majflt", num(t->majflt), "rss_anon",
			      num(t->rss_anon), "rss_file", num(t->rss_file), "rss_shmem",
			      num(t->rss_shmem), "swap", num(t->swap), "pgtable_bytes",
			      num(t->pgtable_bytes), "vmas", vmas);

	json_object_set_new(o, "stall_ns", stalls_json(t->stall_ns));
	json_object_set_new(o, "memory_stall_ns", num(t->memory_stall_ns));
	json_object_set_new(o, "io_stall_ns", num(t->io_stall_ns));
	if (t->killed)
		json_object_set_new(o, "killed", json_true());
	return o;
}

static json_t *tasks_json(struct machine *m)
{
	json_t *a = json_array();
	struct machine_task t;
	struct machine_vma v;

	for (size_t i = 0; i < machine_nr_tasks(m); i++) {
		json_t *vmas = json_array();

		for (size_t k = 0; !machine_task_vma(m, i, k, &v); k++)
			json_array_append_new(vmas, vma_json(&v));
		machine_task(m, i, &t);
		json_array_append_new(a, task_json(&t, vmas));
	}
	return a;
}

static json_t *mark_tasks_json(const struct machine_mark *k)
{
	const struct machine_vma *v = k->vmas;
	json_t *a = json_array();

	for (size_t i = 0; i < k->nr_tasks; i++) {
		json_t *vmas = json_array();

		for (u64 n = k->tasks[i].nr_vmas; n; n--)
			json_array_append_new(vmas, vma_json(v++));
		json_array_append_new(a, task_json(&k->tasks[i], vmas));
	}
	return a;
}

static json_t *pressure_json(struct machine *m)
{
	json_t *windows = json_array(), *w;
	struct machine_pressure p;

	machine_pressure(m, &p);
	for (u32 i = 0; i < p.nr; i++) {
		const struct machine_stall_window *s = machine_pressure_window(m, i);

		if (!(s->some | s->io_some))
			continue;
		w = json_pack("{so so so so so}", "start_ns", num(i * p.width), "some_ns", num(s->some), "full_ns",
			      num(s->full), "io_some_ns", num(s->io_some), "io_full_ns", num(s->io_full));
		json_object_set_new(w, "stall_ns", stalls_json(s->kind));
		json_array_append_new(windows, w);
	}
	return json_pack("{so so so so so so so}", "some_ns", num(p.total.some), "full_ns", num(p.total.full),
			 "io_some_ns", num(p.total.io_some), "io_full_ns", num(p.total.io_full), "stall_ns",
			 stalls_json(p.total.kind), "window_ns", num(p.width), "windows", windows);
}

static json_t *u64_array(const u64 *v, unsigned n)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < n; i++)
		json_array_append_new(a, num(v[i]));
	return a;
}

static json_t *zones_json(struct machine *m)
{
	json_t *a = json_array();
	struct machine_zone z;

	for (size_t i = 0; i < machine_nr_zones(m); i++) {
		machine_zone(m, i, &z);
		json_array_append_new(
			a, json_pack("{si ss so so so so so so so so so}", "node", (int)z.node, "name",
				     z.name, "start_pfn", num(z.start_pfn), "spanned",
				     num(z.spanned), "present", num(z.present), "managed",
				     num(z.managed), "min", num(z.min), "low", num(z.low), "high",
				     num(z.high), "protection", u64_array(z.protection, z.nr_zones),
				     "free", u64_array(z.free, z.nr_orders)));
	}
	return a;
}

static json_t *ksm_json(const struct machine_ksm *k)
{
	return json_pack("{so so so so so so so so so so}", "pages_shared", num(k->pages_shared), "pages_sharing",
			 num(k->pages_sharing), "pages_unshared", num(k->pages_unshared), "pages_volatile",
			 num(k->pages_volatile), "full_scans", num(k->full_scans), "pages_scanned",
			 num(k->pages_scanned), "pages_skipped", num(k->pages_skipped), "ksm_zero_pages",
			 num(k->ksm_zero_pages), "stable_node_chains", num(k->stable_node_chains),
			 "stable_node_dups", num(k->stable_node_dups));
}

static json_t *marks_json(struct machine *m)
{
	json_t *a = json_array();
	const struct machine_mark *k;

	for (size_t i = 0; (k = machine_mark(m, i)); i++)
		json_array_append_new(a, json_pack("{ss so so so so}", "name", k->name, "event",
						   num(k->event), "vmstat", vmstat_json(m, &k->stat),
						   "ksm", ksm_json(&k->ksm), "tasks", mark_tasks_json(k)));
	return a;
}

static json_t *lists_json(struct machine *m)
{
	json_t *a = json_array();
	const char *text;

	for (size_t i = 0; (text = machine_list_json(m, i)); i++)
		json_array_append_new(a, json_loads(text, 0, NULL));
	return a;
}

static json_t *ops_json(struct machine *m, const struct replay_stats *st)
{
	json_t *o = json_object();

	for (unsigned c = 0; c < NR_OP_CODES; c++) {
		const struct replay_op_stat *s = &st->ops[c];

		if (!s->count || !op_known(c) || !op_name(c)[0])
			continue;
		json_object_set_new(o, op_name(c),
				    json_pack("{so so so sf sf}", "count", num(s->count), "errors",
					      num(machine_errors(m, c)), "skipped",
					      num(machine_skipped(m, c)), "ns_p50",
					      replay_percentile(s, 50), "ns_p99",
					      replay_percentile(s, 99)));
	}
	return o;
}

static json_t *mismatches_json(const struct replay_stats *st)
{
	json_t *first = json_array();

	for (u64 i = 0; i < st->mismatches && i < MM_MAX_MISMATCHES; i++)
		json_array_append_new(first, json_pack("{so ss ss}", "line", num(st->first[i].line),
						       "expected", st->first[i].expected, "got",
						       st->first[i].got));
	return json_pack("{so so}", "count", num(st->mismatches), "first", first);
}

json_t *result_host(void)
{
	static const char *const keys[] = {"kernel", "cpu", "cpus", "compiler", "build_type", "commit"};
	json_t *all = manifest_json(), *host = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		json_object_set(host, keys[i], json_object_get(all, keys[i]));
	json_decref(all);
	return host;
}

static json_t *heap_json(struct machine *m)
{
	struct machine_totals t;

	machine_totals(m, &t);
	return json_pack("{so so so}", "heap_used", num(t.heap_used), "heap_size", num(t.heap_size),
			 "relocated_tasks", num(t.relocated_tasks));
}

static s64 counter(const struct vmstat_snapshot *s, const char *name)
{
	int i = vmstat_by_name(name);

	return i < 0 ? 0 : s->v[i];
}

struct result_paging result_paging(const struct vmstat_snapshot *s)
{
	struct result_paging p = {
		.references = (u64)(counter(s, "accesses") + counter(s, "file_references")),
		.misses = (u64)(counter(s, "pgmajfault") + counter(s, "file_misses")),
	};

	p.miss_ratio = p.references ? (double)p.misses / (double)p.references : 0;
	return p;
}

static json_t *paging_json(const struct vmstat_snapshot *s)
{
	struct result_paging p = result_paging(s);

	return json_pack("{so so sf}", "references", num(p.references), "misses", num(p.misses), "miss_ratio",
			 p.miss_ratio);
}

struct result_trace result_trace_of(const struct trace_reader *reader, const char *path, const struct replay_stats *st,
				    char hash[32])
{
	struct result_trace t = {.path = path, .hash = hash, .events = st->events,
				 .duration_ns = st->last_ts - st->first_ts};

	hash[0] = '\0';
	if (reader) {
		snprintf(hash, 32, "%016" PRIx64, trace_hash(reader));
		t.lost = trace_reader_info(reader)->lost;
	}
	return t;
}

json_t *result_json(struct machine *m, const struct replay_stats *st, const struct result_trace *t)
{
	struct vmstat_snapshot s;
	struct machine_ksm ksm;
	json_t *j = json_object();

	machine_vmstat(m, &s);
	machine_ksm(m, &ksm);
	json_object_set_new(j, "schema", json_integer(1));
	json_object_set_new(j, "memrig", json_string(MEMRIG_VERSION));
	json_object_set_new(j, "config", config_json(machine_config_of(m)));
	json_object_set_new(j, "seed", num(machine_config_of(m)->seed));
	json_object_set_new(j, "trace", json_pack("{ss ss so so so}", "path", t->path, "hash", t->hash,
						  "events", num(t->events), "lost", num(t->lost),
						  "duration_ns", num(t->duration_ns)));
	json_object_set_new(j, "replay",
			    json_pack("{so so sf sf so so}", "events", num(st->events), "skipped",
				      num(st->skipped), "seconds", st->seconds, "events_per_second",
				      st->seconds > 0 ? (double)st->events / st->seconds : 0.0,
				      "virtual_ns", num(machine_now(m)), "machine_hash",
				      hex(machine_hash(m))));
	json_object_set_new(j, "vmstat", vmstat_json(m, &s));
	json_object_set_new(j, "paging", paging_json(&s));
	json_object_set_new(j, "ksm", ksm_json(&ksm));
	json_object_set_new(j, "tasks", tasks_json(m));
	json_object_set_new(j, "pressure", pressure_json(m));
	json_object_set_new(j, "zones", zones_json(m));
	json_object_set_new(j, "marks", marks_json(m));
	json_object_set_new(j, "lists", lists_json(m));
	json_object_set_new(j, "heap", heap_json(m));
	json_object_set_new(j, "ops", ops_json(m, st));
	json_object_set_new(j, "mismatches", mismatches_json(st));
	json_object_set_new(j, "host", result_host());
	return j;
}

int result_write(const json_t *j, const char *path, char *err, size_t errlen)
{
	int r = outfile_json(j, path);

	if (r)
		snprintf(err, errlen, "%s: %s", path, strerror(-r));
	return r;
}

static void print_skipped(struct machine *m, FILE *out)
{
	for (unsigned c = 0; c < NR_OP_CODES; c++)
		if (machine_skipped(m, c))
			fprintf(out, "  skipped      %" PRIu64 " x %s\n", machine_skipped(m, c),
				op_name(c));
}

void result_print(struct machine *m, const struct replay_stats *st, const struct result_trace *t,
		  FILE *out)
{
	struct vmstat_snapshot s;
	struct result_paging paging;
	struct machine_totals tot;
	u64 page = 4096ull << (2 * machine_config_of(m)->page);

	machine_vmstat(m, &s);
	machine_totals(m, &tot);
	fprintf(out, "%s\n", t->path);
	fprintf(out, "  events       %" PRIu64 " in %.3f s: %.1f million a second%s\n", st->events,
		st->seconds, st->seconds > 0 ? (double)st->events / st->seconds / 1e6 : 0.0,
		t->lost ? "" : ", none lost");
	if (t->lost)
		fprintf(out, "  lost         %" PRIu64 " events when recording\n", t->lost);
	fprintf(out, "  recorded     %.3f s, virtual %.3f s\n", (double)t->duration_ns / 1e9,
		(double)machine_now(m) / 1e9);
	fprintf(out, "  faults       %" PRId64 " (%" PRId64 " major), %" PRId64 " copies on write, %" PRId64
		" segv\n", counter(&s, "pgfault"), counter(&s, "pgmajfault"),
		counter(&s, "cow_copies"), counter(&s, "segv"));
	paging = result_paging(&s);
	fprintf(out, "  misses       %" PRIu64 " of %" PRIu64 " page references (%.3g %%)\n", paging.misses,
		paging.references, paging.miss_ratio * 100);
	fprintf(out, "  at the end   %" PRIu64 " tasks, %" PRIu64 " VMAs, %.1f MiB anonymous, %.1f MiB file, "
		"%.1f KiB page tables\n", tot.tasks, tot.vmas,
		(double)(tot.rss_anon * page) / MiB, (double)(tot.rss_file * page) / MiB,
		(double)tot.pgtable_bytes / KiB);
	if (tot.heap_size)
		fprintf(out, "  model heap   %.1f MiB in use of %.1f MiB held\n",
			(double)tot.heap_used / MiB, (double)tot.heap_size / MiB);
	if (tot.relocated_tasks)
		fprintf(out, "  relocated    %" PRIu64 " processes: recorded addresses do not fit this guest\n",
			tot.relocated_tasks);
	print_skipped(m, out);
}
