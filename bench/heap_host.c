/* SPDX-License-Identifier: BSD-2-Clause */
/* The parent's side: finds the library, starts the worker, reads its answer. */
#include "bench/heap_host.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct allocator {
	const char *name, *file, *package;
} allocators[NR_HEAP_HOSTS] = {
	[HEAP_HOST_GLIBC] = {"glibc", "", ""},
	[HEAP_HOST_JEMALLOC] = {"jemalloc", "libjemalloc.so.2", "libjemalloc2"},
	[HEAP_HOST_MIMALLOC] = {"mimalloc", "libmimalloc.so.2", "libmimalloc2.0"},
	[HEAP_HOST_TCMALLOC] = {"tcmalloc", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"},
};

const char *heap_host_name(int which)
{
	return which > 0 && which < NR_HEAP_HOSTS ? allocators[which].name : NULL;
}

bool heap_host_library(int which, char *path, size_t n)
{
	static const char *const places[] = {
		"/usr/lib/*-linux-gnu*/%s*", "/usr/lib64/%s*", "/usr/lib/%s*", "/usr/local/lib/%s*",
	};
	const char *file = allocators[which].file;
	char pattern[128];
	glob_t found;

	snprintf(path, n, "%s", file);
	if (!*file)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(pattern, sizeof(pattern), places[i], file);
		if (glob(pattern, 0, NULL, &found))
			continue;
		snprintf(path, n, "%s", found.gl_pathv[0]);
		globfree(&found);
		return true;
	}
	return false;
}

/* Becomes the worker; returns only if that fails. */
static void become_worker(const char *trace, int which, const char *library, int touch, int out)
{
	char which_text[16], touch_text[16];

	snprintf(which_text, sizeof(which_text), "%d", which);
	snprintf(touch_text, sizeof(touch_text), "%d", touch);
	if (dup2(out, STDOUT_FILENO) < 0)
		return;
	if (*library)
		setenv("LD_PRELOAD", library, 1);
	else
		unsetenv("LD_PRELOAD");
	execl("/proc/self/exe", "memrig", "__heap_worker", trace, which_text, touch_text, (char *)NULL);
}

static size_t read_all(int fd, char *buf, size_t n)
{
	size_t done = 0;

	while (done + 1 < n) {
		ssize_t got = read(fd, buf + done, n - done - 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	buf[done] = '\0';
	return done;
}

/* The worker's output and exit status; -errno if it could not be started. */
static int run_worker(const char *trace, int which, const char *library, int touch, char *buf,
		      size_t n)
{
	int fd[2], status = 0;
	pid_t pid;

	if (pipe(fd))
		return -errno;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		close(fd[0]);
		become_worker(trace, which, library, touch, fd[1]);
		_exit(127);
	}
	close(fd[1]);
	if (pid > 0) {
		read_all(fd[0], buf, n);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	close(fd[0]);
	return pid < 0 ? -EAGAIN : status;
}

static u64 number(const json_t *j, const char *key)
{
	return (u64)json_integer_value(json_object_get(j, key));
}

static void fill_result(const json_t *j, struct heap_host_result *out)
{
	out->events = number(j, "events");
	out->allocations = number(j, "allocations");
	out->frees = number(j, "frees");
	out->reallocs = number(j, "reallocs");
	out->skipped = number(j, "skipped");
	out->base_rss = number(j, "base_rss");
	out->peak_rss = number(j, "peak_rss");
	out->final_rss = number(j, "final_rss");
	out->peak_requested = number(j, "peak_requested");
	out->brk_bytes = number(j, "brk_bytes");
	out->data_bytes = number(j, "data_bytes");
	out->seconds = (double)number(j, "ns") / 1e9;
	out->ns_per_event = out->events ? (double)number(j, "ns") / (double)out->events : 0;
}

int heap_host_replay(const char *trace_path, int which, enum heap_host_touch touch,
		     struct heap_host_result *out, char *err, size_t n)
{
	char buf[4096] = "";
	const char *text;
	int status, r = -EIO;
	json_t *j;

	memset(out, 0, sizeof(*out));
	if (!heap_host_name(which)) {
		snprintf(err, n, "no allocator number %d", which);
		return -EINVAL;
	}
	snprintf(out->allocator, sizeof(out->allocator), "%s", allocators[which].name);
	if (!heap_host_library(which, out->library, sizeof(out->library))) {
		snprintf(err, n, "heap=%s: %s is not installed: apt-get install %s",
			 allocators[which].name, allocators[which].file, allocators[which].package);
		return -ENOENT;
	}
	status = run_worker(trace_path, which, out->library, (int)touch, buf, sizeof(buf));
	j = status < 0 ? NULL : json_loads(buf, 0, NULL);
	text = json_string_value(json_object_get(j, "error"));
	if (text) {
		snprintf(err, n, "%s", text);
		r = -EINVAL;
	} else if (!j || status) {
		snprintf(err, n, "heap=%s: the replaying process failed (status 0x%x)",
			 allocators[which].name, (unsigned)status);
	} else {
		fill_result(j, out);
		r = 0;
	}
	json_decref(j);
	return r;
}

json_t *heap_host_json(const struct heap_host_result *r)
{
	return json_pack("{ss ss sI sI sI sI sI sf sf sI sI sI sI sI sI}", "allocator", r->allocator,
			 "library", r->library, "events", (json_int_t)r->events, "allocations",
			 (json_int_t)r->allocations, "frees", (json_int_t)r->frees, "reallocs",
			 (json_int_t)r->reallocs, "skipped", (json_int_t)r->skipped, "seconds",
			 r->seconds, "ns_per_event", r->ns_per_event, "base_rss",
			 (json_int_t)r->base_rss, "peak_rss", (json_int_t)r->peak_rss, "final_rss",
			 (json_int_t)r->final_rss, "peak_requested", (json_int_t)r->peak_requested,
			 "brk_bytes", (json_int_t)r->brk_bytes, "data_bytes", (json_int_t)r->data_bytes);
}

static double mib(u64 bytes)
{
	return (double)bytes / (double)MiB;
}

void heap_host_print(const struct heap_host_result *r, FILE *out)
{
	fprintf(out, "%s%s%s%s\n", r->allocator, *r->library ? " (" : "", r->library,
		*r->library ? ")" : "");
	fprintf(out, "  events       %llu, %llu skipped\n", (unsigned long long)r->events,
		(unsigned long long)r->skipped);
	fprintf(out, "  time         %.2f ns an event, %.1f M/s\n", r->ns_per_event,
		r->ns_per_event > 0 ? 1000 / r->ns_per_event : 0);
	fprintf(out, "  requested    %.1f MiB at most\n", mib(r->peak_requested));
	fprintf(out, "  resident     %.1f MiB at most, %.1f MiB at the end (%.1f MiB before)\n",
		mib(r->peak_rss), mib(r->final_rss), mib(r->base_rss));
	fprintf(out, "  break        %.1f MiB grown; private memory %.1f MiB\n", mib(r->brk_bytes),
		mib(r->data_bytes));
}
