/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Worker: exec of this very program with LD_PRELOAD and MEMRIG_RIVAL set. A constructor sees the
 * variable and serves the pipes 0 and 1 instead of main(): reads a number of iterations, does them,
 * answers one byte. A run lasts milliseconds, the pipes' round trip some ten microseconds.
 */
#include "bench/rival_malloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATTERN(name)                 malloc_##name
#define PATTERN_ALLOC(a, cpu, size)   ((void)(a), malloc(size))
#define PATTERN_FREE(a, cpu, p)       ((void)(a), free(p))
#include "bench/slab_patterns.h"

static const char *const libraries[NR_RIVALS] = {
	[RIVAL_JEMALLOC] = "libjemalloc.so.2",
	[RIVAL_MIMALLOC] = "libmimalloc.so.2.0",
	[RIVAL_TCMALLOC] = "libtcmalloc_minimal.so.4",
};

__attribute__((constructor)) static void rival_worker(void)
{
	const char *order = getenv("MEMRIG_RIVAL");
	struct pattern *p;
	int kind;
	u32 size;
	u64 n;

	if (!order || sscanf(order, "%d %u", &kind, &size) != 2)
		return;
	p = aligned_alloc(64, sizeof(*p));
	if (!p || malloc_start(p, NULL, kind, size))
		_exit(1);
	if (write(1, "s", 1) != 1)
		_exit(1);
	while (read(0, &n, sizeof(n)) == sizeof(n)) {
		malloc_run(p, n);
		if (write(1, "d", 1) != 1)
			break;
	}
	malloc_stop(p);
	_exit(0);
}

static void exec_worker(const int *to, const int *from, int library, int kind, u32 size)
{
	char order[64];

	dup2(to[0], 0);
	dup2(from[1], 1);
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	snprintf(order, sizeof(order), "%d %u", kind, size);
	setenv("MEMRIG_RIVAL", order, 1);
	if (libraries[library])
		setenv("LD_PRELOAD", libraries[library], 1);
	execl("/proc/self/exe", "memrig", "--version", (char *)NULL);
	_exit(127);
}

int rival_start(struct rival *r, int library, int kind, u32 size)
{
	int to[2], from[2];
	char c;

	if (pipe(to))
		return -errno;
	if (pipe(from)) {
		close(to[0]);
		close(to[1]);
		return -EMFILE;
	}
	r->pid = fork();
	if (!r->pid)
		exec_worker(to, from, library, kind, size);
	close(to[0]);
	close(from[1]);
	r->to = to[1];
	r->from = from[0];
	if (r->pid > 0 && read(r->from, &c, 1) == 1 && c == 's')
		return 0;
	rival_stop(r);
	return -ENOENT;
}

void rival_run(struct rival *r, u64 n)
{
	char c;

	if (write(r->to, &n, sizeof(n)) != sizeof(n) || read(r->from, &c, 1) != 1)
		abort();
}

void rival_stop(struct rival *r)
{
	close(r->to);
	close(r->from);
	if (r->pid > 0)
		waitpid(r->pid, NULL, 0);
}
