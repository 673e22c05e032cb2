/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/cache_judge.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/memcg.h"
#include "core/machine.h"
#include "workloads/workload.h"

#define PAGE	    4096u
#define STAT_EVERY  64u /* references */
#define MGLRU	    "/sys/kernel/mm/lru_gen/enabled"

static const struct cache_case cases[] = {
	{"scan and hot set", 3, 24576, 60000, 15, 32 * MiB},
	{"phases", 4, 24576, 60000, 10, 32 * MiB},
	{"zipf", 2, 24576, 60000, 10, 32 * MiB},
	{"cyclic", 0, 10240, 40000, 10, 32 * MiB},
};

const struct cache_case *cache_judge_case(unsigned i)
{
	return i < ARRAY_SIZE(cases) ? &cases[i] : NULL;
}

double cache_judge_error(u64 kernel, u64 model)
{
	double d = (double)model - (double)kernel;

	if (!kernel)
		return model ? 100 : 0;
	return (d < 0 ? -d : d) * 100 / (double)kernel;
}

static int complain(char *err, size_t n, const char *what)
{
	snprintf(err, n, "%s: %s", what, strerror(errno));
	return -1;
}

static bool kernel_has_mglru(void)
{
	FILE *f = fopen(MGLRU, "re");
	unsigned on = 0;

	if (!f)
		return false;
	if (fscanf(f, "%x", &on) != 1)
		on = 0;
	fclose(f);
	return on & 1;
}

/* ---- the string ---- */

static int start_string(struct workload_run *run, const struct cache_case *c, u64 seed, char *err, size_t n)
{
	const struct {
		const char *key;
		u64 value;
	} params[] = {{"string", c->string}, {"pages", c->pages}, {"refs", c->refs}, {"hot", c->hot}, {"random", 1}};
	struct workload_options o = {.seed = seed};
	char text[32];

	workload_prepare(run, workload_find("refs"));
	for (size_t i = 0; i < ARRAY_SIZE(params); i++) {
		snprintf(text, sizeof(text), "%" PRIu64, params[i].value);
		if (workload_set(run, params[i].key, text, err, n))
			return -1;
	}
	return workload_start(run, &o, err, n) ? -1 : 0;
}

/* What kernel and its child share. */
struct shared {
	struct cache_side side;
	char err[256];
	u64 nr;
	u32 refs[]; /* pages in order */
};

static struct shared *make_string(const struct cache_case *c, u64 seed, char *err, size_t n)
{
	size_t bytes = sizeof(struct shared) + c->refs * sizeof(u32);
	struct shared *s = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	struct mm_op ops[WORKLOAD_BURST];
	struct workload_run run;
	size_t got;

	if (s == MAP_FAILED) {
		complain(err, n, "mmap");
		return NULL;
	}
	if (start_string(&run, c, seed, err, n)) {
		munmap(s, bytes);
		return NULL;
	}
	while ((got = workload_next(&run, ops, WORKLOAD_BURST)) > 0)
		for (size_t i = 0; i < got && s->nr < c->refs; i++)
			if (ops[i].code == OP_FREAD)
				s->refs[s->nr++] = (u32)(ops[i].addr / PAGE);
	workload_stop(&run);
	return s;
}

/* ---- the kernel's side ---- */

/* The file, on the disk and no longer in the cache. Its descriptor, or -1 with a line in @err. */
static int make_file(const struct cache_case *c, const char *dir, char *err, size_t n)
{
	char path[4200];
	static u8 chunk[1 << 16];
	int fd;

	snprintf(path, sizeof(path), "%s/cache-judge-XXXXXX", dir);
	fd = mkostemp(path, O_CLOEXEC | O_NOATIME);
	if (fd < 0)
		return complain(err, n, path);
	unlink(path); /* gone with its last descriptor */
	for (u64 left = c->pages * PAGE; left;) {
		size_t part = left < sizeof(chunk) ? left : sizeof(chunk);

		memset(chunk, (int)(left >> 16), part);
		if (write(fd, chunk, part) != (ssize_t)part) {
			complain(err, n, dir);
			close(fd);
			return -1;
		}
		left -= part;
	}
	if (fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) || posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM)) {
		complain(err, n, dir);
		close(fd);
		return -1;
	}
	return fd;
}

static bool cached(const u8 *map, u32 page)
{
	u8 there = 0;

	mincore((void *)(uintptr_t)(map + (u64)page * PAGE), PAGE, &there);
	return there & 1;
}

static void note_held(struct shared *s, int stat, int version)
{
	s64 bytes = memcg_stat(stat, version == 2 ? "file" : "cache");

	if (bytes > 0 && (u64)bytes / PAGE > s->side.held)
		s->side.held = (u64)bytes / PAGE;
}

/* All references, in a process that pays for the pages. */
static void read_string(struct shared *s, const struct cache_case *c, const struct memcg *g, int fd)
{
	const u8 *map = mmap(NULL, c->pages * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	static u8 buffer[PAGE];
	s64 refaults, activations;
	int stat;

	if (map == MAP_FAILED || memcg_enter(g) || (stat = memcg_stat_open(g)) < 0) {
		snprintf(s->err, sizeof(s->err), "%.200s: cannot be used: %s", g->dir, strerror(errno));
		return;
	}
	refaults = memcg_stat(stat, "workingset_refault_file");
	activations = memcg_stat(stat, "workingset_activate_file");
	for (u64 i = 0; i < s->nr; i++) {
		s->side.misses += !cached(map, s->refs[i]);
		if (pread(fd, buffer, PAGE, (off_t)s->refs[i] * PAGE) != PAGE) {
			snprintf(s->err, sizeof(s->err), "reading the file: %s", strerror(errno));
			return;
		}
		if (i % STAT_EVERY == 0)
			note_held(s, stat, g->version);
	}
	s->side.refaults = (u64)(memcg_stat(stat, "workingset_refault_file") - refaults);
	s->side.activations = activations < 0 ? -1 : memcg_stat(stat, "workingset_activate_file") - activations;
	s->side.active = (u64)memcg_stat(stat, "active_file") / PAGE;
	close(stat);
}

static int run_child(struct shared *s, const struct cache_case *c, const struct memcg *g, int fd, char *err, size_t n)
{
	int status = 0;
	cpu_set_t one;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		CPU_ZERO(&one);
		CPU_SET(sched_getcpu(), &one);
		sched_setaffinity(0, sizeof(one), &one);
		read_string(s, c, g, fd);
		_exit(s->err[0] ? 1 : 0);
	}
	if (pid < 0)
		return complain(err, n, "fork");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!status)
		return 0;
	snprintf(err, n, "%s", s->err[0] ? s->err : "the reading process was killed");
	return -1;
}

/* What the whole machine counted since: ours, if others' refaults are few beside ours. */
static void take_host_activations(struct cache_side *side, s64 refaults, s64 activations)
{
	s64 all = host_vmstat("workingset_refault_file") - refaults, others = all - (s64)side->refaults;

	if (others < 0 || others > all / 10)
		return;
	side->activations = host_vmstat("workingset_activate_file") - activations;
	side->strangers = (u64)others;
}

static int judge_kernel(struct shared *s, const struct cache_case *c, const char *dir, int *version, char *err,
			size_t n)
{
	s64 refaults = host_vmstat("workingset_refault_file"), activations = host_vmstat("workingset_activate_file");
	int fd = make_file(c, dir, err, n), r = -1;
	struct memcg g;

	if (fd < 0)
		return -1;
	if (!memcg_create(&g, c->limit, err, n)) {
		*version = g.version;
		r = run_child(s, c, &g, fd, err, n);
		close(fd); /* the pages go with the file, and with them the group's last charges */
		if (memcg_destroy(&g) && !r) {
			snprintf(err, n, "the cgroup could not be removed");
			r = -1;
		}
	} else {
		close(fd);
	}
	if (!r && s->side.activations < 0 && activations >= 0)
		take_host_activations(&s->side, refaults, activations);
	return r;
}

/* ---- the model's side ---- */

static s64 counter(const struct vmstat_snapshot *s, const char *name)
{
	return s->v[vmstat_by_name(name)];
}

static struct machine *boot(u64 held, bool mglru, char *err, size_t n)
{
	char limit[32];
	const char *const sets[][2] = {
		{"policy", "modern"}, {"mem", "1G"},	  {"ncpu", "2"}, /* so that activation goes through a batch */
		{"pagevec", "31"},    {"memlimit", limit}, {"mglru", mglru ? "1" : "0"},
	};
	struct machine_config c;

	snprintf(limit, sizeof(limit), "%" PRIu64, held * PAGE);
	config_init(&c);
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		if (config_set(&c, sets[i][0], sets[i][1], err, n))
			return NULL;
	return config_finish(&c, err, n) ? NULL : machine_create(&c, err, n);
}

int cache_judge_model(const struct cache_case *c, u64 seed, bool mglru, u64 held, struct cache_side *side, char *err,
		      size_t n)
{
	struct machine *m = boot(held, mglru, err, n);
	struct mm_op ops[WORKLOAD_BURST];
	struct vmstat_snapshot s;
	struct op_strings strings;
	struct workload_run run;
	size_t got;

	if (!m)
		return -1;
	if (start_string(&run, c, seed, err, n)) {
		machine_destroy(m);
		return -1;
	}
	strings = workload_strings(&run);
	while ((got = workload_next(&run, ops, WORKLOAD_BURST)) > 0)
		machine_apply(m, ops, got, &strings, NULL);
	machine_vmstat(m, &s);
	*side = (struct cache_side){
		.misses = (u64)counter(&s, "cache_misses"),
		.refaults = (u64)counter(&s, "workingset_refault_file"),
		.activations = counter(&s, "workingset_activate_file"),
		.active = (u64)counter(&s, "nr_active_file"),
		.held = (u64)counter(&s, "nr_file_pages"),
	};
	workload_stop(&run);
	machine_destroy(m);
	return 0;
}

/* ---- both ---- */

bool cache_judge_possible(const char *dir, char *why, size_t n)
{
	struct memcg g;
	struct statfs fs;

	if (sysconf(_SC_PAGESIZE) != PAGE) {
		snprintf(why, n, "the model is compared at 4 KiB pages, the running kernel has others");
		return false;
	}
	if (statfs(dir, &fs) || fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC) {
		snprintf(why, n, "%s: no file system with a device", dir);
		return false;
	}
	if (memcg_create(&g, 64 * MiB, why, n))
		return false;
	memcg_destroy(&g);
	return true;
}

int cache_judge_run(const struct cache_case *c, const char *dir, u64 seed, struct cache_verdict *v, char *err, size_t n)
{
	size_t bytes = sizeof(struct shared) + c->refs * sizeof(u32);
	struct shared *s = make_string(c, seed, err, n);
	sigset_t all, before;
	int r;

	if (!s)
		return -1;
	memset(v, 0, sizeof(*v));
	v->mglru = kernel_has_mglru();
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	r = judge_kernel(s, c, dir, &v->cgroup, err, n);
	sigprocmask(SIG_SETMASK, &before, NULL);
	v->kernel = s->side;
	munmap(s, bytes);
	return r ? r : cache_judge_model(c, seed, v->mglru, v->kernel.held, &v->model, err, n);
}
