/* SPDX-License-Identifier: BSD-2-Clause */
/* One recording from beginning to end: see recorder.h. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "traces/record/convert.h"
#include "traces/record/heap.h"
#include "traces/record/probe.h"
#include "traces/record/recorder.h"

#define POLL_NS 4000000
#define WINDOW_NS                                                                                  \
	50000000u /* an event may come this much later than a younger one of another ring */
#define BUSY 2000 /* records in one drain that make the next one follow at once */

struct session {
	const struct rec_options *opt;
	struct rec_probe *probe;
	struct rec_heap heap;
	struct rec_queues qs;
	struct rec_convert *convert;
	struct trace_writer *writer;
	u32 first_heap; /* number of the first preload ring's queue */
	u64 start;
	u64 *lost; /* by kind and CPU, as last written */
	u64 heap_lost;
	struct rec_prints *prints;
	u64 next_look, looked; /* time of a look whose changes wait for their place in the trace; 0: none */
	u64 look_ns;           /* that all looks took */
	u32 looks;
	u32 *dead; /* heap_only: processes to be ended when their events are out */
	u32 nr_dead;
	pid_t child;
	int go, exec_error; /* pipes to and from the child */
	int status;
	char *err;
	size_t n;
};

static u64 clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

static int fail(struct session *s, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->err, s->n, fmt, ap);
	va_end(ap);
	return code;
}

/* --- the command --- */

/* The preload library lies beside the binary, or where it was installed. */
static int find_library(char *path, size_t n)
{
	static const char *const places[] = {"", "../" MEMRIG_LIBDIR "/", "../lib/"};
	char exe[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	if (len <= 0)
		return -errno;
	exe[len] = 0;
	slash = strrchr(exe, '/');
	*slash = 0;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		int k = snprintf(path, n, "%s/%slibmemrig-preload.so", exe, places[i]);

		if (k > 0 && (size_t)k < n && !access(path, R_OK))
			return 0;
	}
	return -ENOENT;
}

static _Noreturn void child_main(struct session *s, int go, int report, const char *library)
{
	char c;
	int e;

	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	if (read(go, &c, 1) != 1)
		_exit(127); /* the recorder gave up before it began */
	if (library && rec_heap_environment(&s->heap, library))
		_exit(127);
	execvp(s->opt->argv[0], s->opt->argv);
	e = errno;
	if (write(report, &e, sizeof(e)) != sizeof(e))
		_exit(126);
	_exit(127);
}

/* Forks the command and holds it before its exec. */
static int prepare_child(struct session *s)
{
	char library[PATH_MAX];
	int go[2], report[2];

	if (s->opt->heap && find_library(library, sizeof(library)))
		return fail(
			s, -ENOENT,
			"libmemrig-preload.so is neither beside the memrig binary nor installed");
	if (pipe2(go, O_CLOEXEC) || pipe2(report, O_CLOEXEC))
		return fail(s, -errno, "cannot make a pipe: %s", strerror(errno));
	s->child = fork();
	if (s->child < 0)
		return fail(s, -errno, "cannot fork: %s", strerror(errno));
	if (!s->child) {
		close(go[1]);
		close(report[0]);
		child_main(s, go[0], report[1], s->opt->heap ? library : NULL);
	}
	close(go[0]);
	close(report[1]);
	s->go = go[1];
	s->exec_error = report[0];
	return 0;
}

/* Lets the command go. 0 once it executes, else why it could not. */
static int release_child(struct session *s)
{
	int e = 0;
	ssize_t k;

	k = write(s->go, "", 1);
	close(s->go);
	s->go = -1;
	if (k != 1)
		return fail(s, -EPIPE, "the command vanished before it began");
	do {
		k = read(s->exec_error, &e, sizeof(e));
	} while (k < 0 && errno == EINTR);
	close(s->exec_error);
	s->exec_error = -1;
	if (k == sizeof(e))
		return fail(s, -e, "%s: %s", s->opt->argv[0], strerror(e));
	return 0;
}

/* --- the loop --- */

static int put_losses(struct session *s, u64 now)
{
	u32 cpus = s->probe ? rec_probe_cpus(s->probe) : 0;
	int err = 0;

	for (u32 kind = 0; kind < NR_REC_LOSSES; kind++) {
		u64 sum = 0;

		for (u32 cpu = 0; cpu < cpus; cpu++) {
			u64 n = rec_probe_lost(s->probe, kind, cpu),
			    *was = &s->lost[kind * cpus + cpu];

			if (n > *was)
				trace_info_add_lost(trace_writer_info(s->writer),
						    rec_loss_name(kind), cpu, n - *was);
			sum += n - *was;
			*was = n;
		}
		if (sum && !err)
			err = rec_convert_lost(s->convert, now, rec_loss_name(kind), sum);
	}
	if (s->heap.shm && !err) {
		u64 n = rec_heap_lost(&s->heap);

		if (n > s->heap_lost) {
			trace_info_add_lost(trace_writer_info(s->writer), "heap", 0,
					    n - s->heap_lost);
			err = rec_convert_lost(s->convert, now, "heap", n - s->heap_lost);
		}
		s->heap_lost = n;
	}
	return err;
}

static int put_until(struct session *s, u64 watermark)
{
	struct rec_item *item;
	int err = 0;

	while (!err && (item = rec_pop(&s->qs, watermark))) {
		err = rec_convert_put(s->convert, item);
		free(item->name);
		item->name = NULL;
	}
	return err;
}

/* --- contents --- */

#define MAX_PROGRAMS 4096u

/* Looks at all pages; the changes are held back until the events before them are written. 0 or -errno. */
static int look(struct session *s)
{
	u64 start = clock_ns(CLOCK_MONOTONIC);
	struct rec_program *v;
	size_t n;
	int err = 0;

	if (!s->prints || s->looked || start < s->next_look)
		return 0;
	v = malloc(MAX_PROGRAMS * sizeof(*v));
	if (!v)
		return -ENOMEM;
	n = rec_convert_programs(s->convert, v, MAX_PROGRAMS);
	rec_prints_begin(s->prints);
	for (size_t i = 0; i < n && !err; i++)
		err = rec_prints_take(s->prints, &v[i]);
	free(v);
	if (!n) /* nobody yet */
		return 0;
	s->looked = clock_ns(CLOCK_MONOTONIC);
	s->next_look = start + s->opt->fingerprint_ns;
	s->look_ns += s->looked - start;
	s->looks++;
	return err;
}

static int put_look(struct session *s)
{
	const struct rec_print *v;
	int err = 0;
	u64 n;

	v = rec_prints_changed(s->prints, &n);
	for (u64 i = 0; i < n && !err; i++)
		err = rec_convert_fill(s->convert, s->looked, &v[i]);
	s->looked = 0;
	return err;
}

/* Everything up to @watermark, a look's changes among it in their place. */
static int put_all(struct session *s, u64 watermark)
{
	int err = 0;

	if (s->looked && s->looked <= watermark) {
		err = put_until(s, s->looked);
		err = err ? err : put_look(s);
	}
	return err ? err : put_until(s, watermark);
}

static void note_dead(struct session *s)
{
	if (!s->opt->heap_only)
		return;
	for (u32 i = 0; i < s->heap.nr_dead; i++) {
		bool known = false;

		for (u32 k = 0; k < s->nr_dead; k++)
			known |= s->dead[k] == s->heap.dead_pid[i];
		if (!known && s->nr_dead < PRELOAD_RINGS)
			s->dead[s->nr_dead++] = s->heap.dead_pid[i];
	}
}

/* One round: empties the rings, writes what is old enough. Number of records, or -errno. */
static s64 round_once(struct session *s, bool last)
{
	u64 now = clock_ns(CLOCK_MONOTONIC), dead = s->nr_dead;
	s64 n = s->probe ? rec_probe_drain(s->probe, &s->qs) : 0, h = 0;
	int err;

	if (n >= 0 && s->heap.shm) {
		h = rec_heap_drain(&s->heap, &s->qs, s->first_heap);
		note_dead(s);
	}
	if (n < 0 || h < 0)
		return n < 0 ? n : h;
	err = put_all(s, last ? ~0ull : now - WINDOW_NS);
	if (!err)
		err = put_losses(s, last ? now : now - WINDOW_NS);
	/* found dead a sweep ago or earlier, so all their events are written */
	for (u32 i = 0; i < dead && !err && s->heap.nr_dead; i++)
		err = rec_convert_gone(s->convert, now - WINDOW_NS, s->dead[i]);
	if (dead && s->heap.nr_dead)
		s->nr_dead = 0;
	return err ? err : n + h;
}

static bool any_alive(const struct session *s)
{
	for (u32 i = 0; i < s->opt->nr_pids; i++)
		if (!kill(s->opt->pids[i], 0) || errno == EPERM)
			return true;
	return false;
}

static bool finished(struct session *s)
{
	if (s->opt->stop && *s->opt->stop)
		return true;
	if (s->child > 0)
		return waitpid(s->child, &s->status, WNOHANG) == s->child;
	return s->opt->nr_pids && !any_alive(s);
}

static int loop(struct session *s)
{
	const struct timespec nap = {0, POLL_NS};
	s64 n = 0;

	s->status = -1;
	while (n >= 0 && !finished(s)) {
		n = round_once(s, false);
		if (n >= 0) {
			int err = look(s);

			n = err ? err : n;
		}
		if (n >= 0 && n < BUSY)
			nanosleep(&nap, NULL);
	}
	if (n >= 0) { /* a last round while attached, so that the end of the command is in */
		if (s->heap.shm)
			rec_heap_stop(&s->heap);
		if (s->probe)
			rec_probe_detach(s->probe);
		s->heap.next_sweep = 0;
		n = round_once(s, true);
	}
	for (u32 i = 0; n >= 0 && i < s->nr_dead; i++)
		n = rec_convert_gone(s->convert, clock_ns(CLOCK_MONOTONIC), s->dead[i]);
	if (n >= 0 && s->opt->heap_only && s->child > 0 && s->status != -1)
		n = rec_convert_gone(s->convert, clock_ns(CLOCK_MONOTONIC), (u32)s->child);
	return n < 0 ? fail(s, (int)n, "recording stopped: %s", strerror((int)-n)) : 0;
}

/* --- header --- */

static void join(char *out, size_t n, char *const *argv)
{
	size_t k = 0;

	out[0] = 0;
	for (; argv && *argv && k + 1 < n; argv++)
		k += (size_t)snprintf(out + k, n - k, "%s%s", k ? " " : "", *argv);
}

static void describe(struct session *s, struct trace_info *info)
{
	const struct rec_options *o = s->opt;
	struct utsname u;
	char command[4096];

	uname(&u);
	join(command, sizeof(command), o->argv);
	trace_info_init(info);
	trace_info_set(info, "source", "recorded");
	if (*command)
		trace_info_set(info, "command", command);
	trace_info_setf(info, "captured_with", "memrig %s record (%s%s%s%s)", MEMRIG_VERSION,
			o->heap_only ? ""
			: o->kmem    ? "eBPF: kernel pages, kmalloc, slab objects"
				     : "eBPF: mapping calls with results, faults, tasks",
			o->heap && !o->heap_only ? "; " : "",
			o->heap ? "preload: malloc family" : "",
			o->all	     ? "; all processes"
			: o->cgroup  ? "; one cgroup"
			: o->nr_pids ? "; running processes"
				     : "");
	trace_info_set(info, "clock", "monotonic");
	trace_info_setf(info, "start", "%llu", (unsigned long long)clock_ns(CLOCK_REALTIME));
	trace_info_setf(info, "host", "%s %s %s, %ld CPUs", u.sysname, u.release, u.machine,
			sysconf(_SC_NPROCESSORS_ONLN));
	if (o->kmem)
		trace_info_set(info, "notes",
			       "what was allocated before the recording is not known, nor its frees; "
			       "pages of slabs are among the pages: filter --op for either allocator alone");
	else if (!o->heap_only)
		trace_info_set(info, "notes",
			       "faults are first touches: re-accesses are not recorded");
}

/* Nanoseconds that noting one heap call takes: the clock and the store, as the library does them.
 */
static u64 heap_cost(void)
{
	static volatile struct heap_event ring[256];
	u64 best = ~0ull;

	for (int round = 0; round < 20; round++) {
		u64 start = clock_ns(CLOCK_MONOTONIC), t;

		for (u64 i = 0; i < 1000; i++) {
			ring[i % 256].tick = preload_tick();
			ring[i % 256].ptr = ring[i % 256].size = ring[i % 256].aux = i;
		}
		t = (clock_ns(CLOCK_MONOTONIC) - start) / 1000;
		best = t < best ? t : best;
	}
	return best;
}

static void describe_end(struct session *s, struct rec_summary *out)
{
	struct trace_info *info = trace_writer_info(s->writer);
	u64 calls = rec_convert_count(s->convert, REC_CALL),
	    faults = rec_convert_count(s->convert, REC_FAULT);

	out->lost = info->lost;
	out->late = trace_writer_raised(s->writer);
	if (s->probe && s->opt->kmem) {
		trace_info_add_probe(info, rec_cost_name(COST_KMEM), rec_probe_cost(s->probe, COST_KMEM),
				     rec_convert_count(s->convert, REC_KMEM));
		trace_info_setf(info, "unborn", "%llu", (unsigned long long)rec_convert_unborn(s->convert));
	} else if (s->probe) {
		trace_info_add_probe(info, rec_cost_name(COST_CALL),
				     rec_probe_cost(s->probe, COST_CALL), calls);
		trace_info_add_probe(info, rec_cost_name(COST_FAULT),
				     rec_probe_cost(s->probe, COST_FAULT), faults);
		trace_info_add_probe(info, rec_cost_name(COST_SYSCALL),
				     rec_probe_cost(s->probe, COST_SYSCALL), 0);
	}
	if (s->heap.shm) {
		trace_info_add_probe(info, "preload", heap_cost(), s->heap.events);
		out->programs = rec_heap_attached(&s->heap);
	}
	if (s->prints) {
		out->pages_seen = rec_prints_seen(s->prints);
		out->pages_changed = rec_prints_written(s->prints);
		trace_info_setf(info, "fingerprints",
				"%u looks at private anonymous pages, one every %llu ms; %llu pages hashed, "
				"%llu changed; %llu ns a page",
				s->looks, (unsigned long long)(s->opt->fingerprint_ns / 1000000),
				(unsigned long long)out->pages_seen, (unsigned long long)out->pages_changed,
				(unsigned long long)(out->pages_seen ? s->look_ns / out->pages_seen : 0));
	}
	if (out->late)
		trace_info_setf(info, "late", "%llu", (unsigned long long)out->late);
	if (rec_convert_orphans(s->convert))
		trace_info_setf(info, "orphans", "%llu",
				(unsigned long long)rec_convert_orphans(s->convert));
}

/* --- beginning and end --- */

static u32 power_of_two(u32 mib)
{
	u32 bytes = 1u << 20;

	while (bytes < 1u << 30 && bytes >> 20 < mib)
		bytes <<= 1;
	return bytes;
}

static int open_sources(struct session *s)
{
	const struct rec_options *o = s->opt;
	struct rec_probe_options po = {.scope = o->all	    ? SCOPE_ALL
						: o->cgroup ? SCOPE_CGROUP
							    : SCOPE_LIST,
				       .cgroup = o->cgroup,
				       .kmem = o->kmem,
				       .ring_bytes = power_of_two(o->ring_mib ? o->ring_mib : 8)};
	u32 cpus = 0;
	bool refused = false;
	int err;

	if (!o->heap_only) {
		s->probe = rec_probe_open(&po, &refused, s->err, s->n);
		if (!s->probe)
			return refused ? -EPERM : -EINVAL;
		cpus = rec_probe_cpus(s->probe);
	}
	if (o->heap && (err = rec_heap_open(&s->heap)))
		return fail(s, err, "cannot make the shared memory: %s", strerror(-err));
	if (o->fingerprint_ns && !(s->prints = rec_prints_new()))
		return fail(s, -ENOMEM, "no memory");
	s->first_heap = cpus;
	s->lost = calloc((size_t)NR_REC_LOSSES * (cpus + 1), sizeof(*s->lost));
	s->dead = calloc(PRELOAD_RINGS, sizeof(*s->dead));
	if (!s->lost || !s->dead || rec_queues_init(&s->qs, cpus + (o->heap ? PRELOAD_RINGS : 0)))
		return fail(s, -ENOMEM, "no memory");
	return 0;
}

static int open_output(struct session *s)
{
	struct rec_convert_options co = {.heap_only = s->opt->heap_only};
	struct trace_info info;

	s->start = co.start = clock_ns(CLOCK_MONOTONIC);
	if (s->heap.shm)
		rec_heap_file(&s->heap, &co.hidden_dev, &co.hidden_ino);
	describe(s, &info);
	s->writer = trace_writer_open(s->opt->output, &info, s->opt->write_flags, s->err, s->n);
	trace_info_free(&info);
	if (!s->writer)
		return -EIO;
	s->convert = rec_convert_new(s->writer, &co);
	return s->convert ? 0 : fail(s, -ENOMEM, "no memory");
}

static int begin_recording(struct session *s)
{
	int err;

	if (s->opt->argv && s->probe && !s->opt->kmem) {
		err = rec_probe_add_waiting(s->probe, s->child);
		if (err)
			return fail(s, err, "cannot trace the command: %s", strerror(-err));
	}
	for (u32 i = 0; i < s->opt->nr_pids; i++) {
		err = rec_probe_add_running(s->probe, s->opt->pids[i]);
		if (err)
			return fail(s, err, "process %d: %s", s->opt->pids[i], strerror(-err));
	}
	return s->opt->argv ? release_child(s) : 0;
}

static int record(struct session *s, struct rec_summary *out)
{
	struct stat st;
	int err = open_sources(s);

	if (!err && s->opt->argv)
		err = prepare_child(s);
	if (!err)
		err = open_output(s);
	if (!err)
		err = begin_recording(s);
	if (!err)
		err = loop(s);
	if (err)
		return err;
	describe_end(s, out);
	out->status = s->status;
	out->pid = (u32)s->child;
	out->nanoseconds = clock_ns(CLOCK_MONOTONIC) - s->start;
	out->events = trace_writer_events(s->writer);
	trace_writer_flush(s->writer);
	out->bytes = trace_writer_bytes(s->writer);
	err = trace_writer_close(s->writer, s->err, s->n);
	s->writer = NULL;
	if (!err && !stat(s->opt->output, &st))
		out->bytes = (u64)st.st_size;
	return err;
}

int rec_run(const struct rec_options *opt, struct rec_summary *out, char *err, size_t n)
{
	struct session s = {
		.opt = opt, .heap = {.fd = -1}, .go = -1, .exec_error = -1, .err = err, .n = n};
	int r;

	memset(out, 0, sizeof(*out));
	err[0] = 0;
	r = record(&s, out);
	if (s.go >= 0)
		close(s.go); /* a held command ends by itself */
	if (s.exec_error >= 0)
		close(s.exec_error);
	if (r && s.child > 0 && s.status == 0)
		waitpid(s.child, NULL, WNOHANG);
	if (s.writer)
		trace_writer_abort(s.writer);
	rec_convert_free(s.convert);
	rec_prints_free(s.prints);
	rec_queues_free(&s.qs);
	rec_probe_close(s.probe);
	rec_heap_close(&s.heap);
	free(s.lost);
	free(s.dead);
	return r;
}
