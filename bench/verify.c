/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/replay_loop.h"
#include "bench/trace_source.h"

#define WINDOW_START 0x20000000ull /* kernel_judge.c: where its mappings are */
#define WINDOW_END   0x20040000ull
#define MAX_MAPS     4096

static const struct {
	const char *name, *help;
} modes[] = {
	{"anon", "private and shared anonymous mappings: mmap, munmap, mprotect, mremap, madvise, accesses"},
	{"lock", "the same with mlock and munlock"},
	{"place", "mappings whose address the kernel chooses"},
	{"brk", "the heap"},
	{"fork", "families: children that live on beside their parent, copy-on-write"},
	{"file", "shared and private mappings of a cached tmpfs file"},
};

const char *verify_mode(unsigned i)
{
	return i < ARRAY_SIZE(modes) ? modes[i].name : NULL;
}

const char *verify_mode_help(unsigned i)
{
	return i < ARRAY_SIZE(modes) ? modes[i].help : NULL;
}

bool verify_possible(char *why, size_t n)
{
	struct utsname u;
	int major = 0, minor = 0;

	uname(&u);
	sscanf(u.release, "%d.%d", &major, &minor);
	if (major * 1000 + minor >= 6018 && sysconf(_SC_PAGESIZE) == 4096)
		return true;
	snprintf(why, n, "the judge is a kernel from 6.18 on with 4 KiB pages; this is %s with %ld", u.release,
		 sysconf(_SC_PAGESIZE));
	return false;
}

/* kernel-judge beside this program, or installed. */
static int find_judge(char *path, size_t n)
{
	static const char *const places[] = {"kernel-judge", "../libexec/memrig/kernel-judge"};
	char exe[4096];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	exe[len > 0 ? len : 0] = 0;
	slash = strrchr(exe, '/');
	for (size_t i = 0; slash && i < ARRAY_SIZE(places); i++)
		if ((size_t)snprintf(path, n, "%.*s/%s", (int)(slash - exe), exe, places[i]) < n && !access(path, X_OK))
			return 0;
	return -1;
}

static int run_judge(const char *mode, u64 seed, unsigned steps, const char *trace, char *err, size_t n)
{
	char judge[4200], seed_text[32], steps_text[32];
	int status;
	pid_t pid;

	if (find_judge(judge, sizeof(judge))) {
		snprintf(err, n, "the program kernel-judge is neither beside memrig nor installed");
		return -1;
	}
	snprintf(seed_text, sizeof(seed_text), "%" PRIu64, seed);
	snprintf(steps_text, sizeof(steps_text), "%u", steps);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		int fd = open(trace, O_WRONLY | O_CREAT | O_TRUNC, 0666);

		if (fd >= 0 && dup2(fd, 1) == 1)
			execl(judge, judge, seed_text, steps_text, mode, NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status) {
		snprintf(err, n, "%s: the judge failed (mode %s, seed %s)", trace, mode, seed_text);
		return -1;
	}
	return 0;
}

struct map {
	unsigned long task, start, end;
	char perms[5];
};

struct maps {
	struct map list[MAX_MAPS];
	size_t nr;
};

/* The "#maps" comments of the trace. */
static int read_maps(const char *path, struct maps *maps)
{
	FILE *f = fopen(path, "re");
	char line[256];
	struct map m;

	if (!f)
		return -errno;
	maps->nr = 0;
	while (fgets(line, sizeof(line), f) && maps->nr < MAX_MAPS)
		if (sscanf(line, "#maps %lu %lx %lx %4s", &m.task, &m.start, &m.end, m.perms) == 4 && m.task == 1)
			maps->list[maps->nr++] = m;
	fclose(f);
	return 0;
}

static bool kernel_has(const struct maps *maps, const struct machine_vma *v)
{
	for (size_t i = 0; i < maps->nr; i++)
		if (maps->list[i].start == v->start && maps->list[i].end == v->end &&
		    !strcmp(maps->list[i].perms, v->perms))
			return true;
	return false;
}

static void differ(struct verify_result *r, const char *text)
{
	if (!r->differences++)
		snprintf(r->first, sizeof(r->first), "%s", text);
}

/* The mappings of task 1 where the kernel was asked to look. */
static void compare_maps(const struct machine *m, const struct maps *maps, struct verify_result *r)
{
	struct machine_task t;
	struct machine_vma v;
	char text[128];
	size_t found = 0;

	for (size_t i = 0; i < machine_nr_tasks(m); i++) {
		machine_task(m, i, &t);
		for (size_t k = 0; t.pid == 1 && !machine_task_vma(m, i, k, &v); k++) {
			bool inside = v.start < WINDOW_END && v.end > WINDOW_START;

			if (!inside && strcmp(v.kind, "heap"))
				continue;
			found++;
			r->mappings++;
			if (kernel_has(maps, &v))
				continue;
			snprintf(text, sizeof(text), "the model has %" PRIx64 "-%" PRIx64 " %s, the kernel has not",
				 v.start, v.end, v.perms);
			differ(r, text);
		}
	}
	if (found < maps->nr)
		differ(r, "the kernel has mappings that the model lacks");
}

static void take_mismatches(const struct replay_stats *st, const char *trace, struct verify_result *r)
{
	char text[256];

	r->answers += st->events;
	if (!st->mismatches)
		return;
	snprintf(text, sizeof(text), "%.100s:%" PRIu64 ": expected %s, got %s", trace, st->first[0].line,
		 st->first[0].expected, st->first[0].got);
	differ(r, text);
	r->differences += st->mismatches - 1;
}

static int replay(const char *trace, const struct maps *maps, struct verify_result *r, char *err, size_t n)
{
	struct replay_options opt = {.check = true, .quiet = true};
	struct replay_stats *st = calloc(1, sizeof(*st));
	struct trace_reader *reader = trace_open(trace, 0, err, n);
	struct machine_config c;
	struct machine *m = NULL;
	struct op_source src;
	int rc = -1;

	config_init(&c);
	if (st && reader && !config_set_pair(&c, "policy=modern", err, n) && !config_set_pair(&c, "hwad=1", err, n) &&
	    !config_finish(&c, err, n))
		m = machine_create(&c, err, n);
	if (m) {
		src = trace_source(reader);
		rc = replay_loop(m, &src, &opt, st) ? -1 : 0;
		if (rc)
			snprintf(err, n, "%s", st->error);
	}
	if (!rc) {
		take_mismatches(st, trace, r);
		compare_maps(m, maps, r);
		if (machine_check(m, err, n))
			differ(r, err);
	}
	machine_destroy(m);
	if (reader)
		trace_close(reader);
	free(st);
	return rc;
}

int verify_sequence(const char *mode, u64 seed, unsigned steps, const char *trace, struct verify_result *r,
		    char *err, size_t n)
{
	struct maps *maps = malloc(sizeof(*maps));
	int rc = maps ? 0 : -1;

	if (rc)
		snprintf(err, n, "out of memory");
	if (!rc)
		rc = run_judge(mode, seed, steps, trace, err, n);
	if (!rc && (rc = read_maps(trace, maps)))
		snprintf(err, n, "%s: %s", trace, strerror(-rc));
	if (!rc)
		rc = replay(trace, maps, r, err, n);
	free(maps);
	return rc ? -1 : 0;
}
