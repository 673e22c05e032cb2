/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/memcg.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int refuse(char *why, size_t n, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, n, format, ap);
	va_end(ap);
	return -1;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), r = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		r = -errno;
	close(fd);
	return r;
}

/* Is @word one of the words of the file? */
static bool has_word(const char *path, const char *word)
{
	char text[4096] = "", *save = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool found = false;

	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) > 0)
		for (char *w = strtok_r(text, " \n", &save); w && !found; w = strtok_r(NULL, " \n", &save))
			found = !strcmp(w, word);
	close(fd);
	return found;
}

/* Where a file system of @type with @option among its own options is mounted. */
static bool find_mount(const char *type, const char *option, char *dir, size_t n)
{
	FILE *f = fopen("/proc/self/mounts", "re");
	char line[1024], at[512], kind[64], options[512];
	bool found = false;

	if (!f)
		return false;
	while (!found && fgets(line, sizeof(line), f)) {
		char *save = NULL;

		if (sscanf(line, "%*s %511s %63s %511s", at, kind, options) != 3 || strcmp(kind, type))
			continue;
		found = !option;
		for (char *o = strtok_r(options, ",", &save); o && !found; o = strtok_r(NULL, ",", &save))
			found = !strcmp(o, option);
	}
	fclose(f);
	if (found)
		snprintf(dir, n, "%s", at);
	return found;
}

/* ---- version 2 ---- */

static void unmount(struct memcg *g)
{
	if (!g->mount[0])
		return;
	umount(g->mount);
	rmdir(g->mount);
	g->mount[0] = 0;
}

static bool mount_private(struct memcg *g)
{
	snprintf(g->mount, sizeof(g->mount), "/tmp/memrig-cgroup-XXXXXX");
	if (!mkdtemp(g->mount)) {
		g->mount[0] = 0;
		return false;
	}
	if (!mount("none", g->mount, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return true;
	rmdir(g->mount);
	g->mount[0] = 0;
	return false;
}

/* The root of a hierarchy of version 2 whose children can have the memory controller. */
static bool find_v2(struct memcg *g, char *root, size_t n)
{
	char path[600];

	if (!find_mount("cgroup2", NULL, root, n)) {
		if (!mount_private(g))
			return false;
		snprintf(root, n, "%s", g->mount);
	}
	snprintf(path, sizeof(path), "%s/cgroup.controllers", root);
	if (has_word(path, "memory")) {
		snprintf(path, sizeof(path), "%s/cgroup.subtree_control", root);
		if (has_word(path, "memory"))
			return true;
		if (!write_text(path, "+memory")) {
			snprintf(g->control, sizeof(g->control), "%s", path);
			return true;
		}
	}
	unmount(g);
	return false;
}

/* ---- both ---- */

int memcg_create(struct memcg *g, u64 bytes, char *why, size_t n)
{
	char root[512], path[600], text[32];
	int r;

	memset(g, 0, sizeof(*g));
	if (geteuid())
		return refuse(why, n, "memory cgroups are root's to make");
	if (find_v2(g, root, sizeof(root)))
		g->version = 2;
	else if (find_mount("cgroup", "memory", root, sizeof(root)))
		g->version = 1;
	else
		return refuse(why, n, "no cgroup hierarchy here has the memory controller");
	if ((size_t)snprintf(g->dir, sizeof(g->dir), "%s/memrig-judge-%d", root, (int)getpid()) >= sizeof(g->dir) ||
	    mkdir(g->dir, 0755)) {
		r = errno;
		g->dir[0] = 0;
		memcg_destroy(g);
		return refuse(why, n, "%s: no cgroup can be made there: %s", root, strerror(r));
	}
	snprintf(path, sizeof(path), "%s/%s", g->dir, g->version == 2 ? "memory.max" : "memory.limit_in_bytes");
	snprintf(text, sizeof(text), "%" PRIu64, bytes);
	r = write_text(path, text);
	if (!r)
		return 0;
	memcg_destroy(g);
	return refuse(why, n, "%s: %s", path, strerror(-r));
}

int memcg_destroy(struct memcg *g)
{
	const struct timespec nap = {0, 20000000};
	int r = 0;

	for (int i = 0; g->dir[0] && i < 100; i++) { /* the last process may still be on its way out */
		r = rmdir(g->dir) ? -errno : 0;
		if (r != -EBUSY)
			break;
		nanosleep(&nap, NULL);
	}
	g->dir[0] = 0;
	if (g->control[0])
		write_text(g->control, "-memory");
	g->control[0] = 0;
	unmount(g);
	return r;
}

int memcg_enter(const struct memcg *g)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/cgroup.procs", g->dir);
	return write_text(path, "0");
}

int memcg_stat_open(const struct memcg *g)
{
	char path[600];
	int fd;

	snprintf(path, sizeof(path), "%s/memory.stat", g->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* "name number" lines. */
static s64 number_of(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n'), line += line != NULL)
		if (!strncmp(line, name, n) && line[n] == ' ')
			return strtoll(line + n, NULL, 10);
	return -1;
}

/* On the stack: what the process allocates is the group's memory, too, and sanitizers keep what is freed. */
static s64 number_in(int fd, const char *name)
{
	char text[16384];
	size_t used = 0;
	ssize_t got;

	while (used < sizeof(text) - 1 && (got = pread(fd, text + used, sizeof(text) - 1 - used, (off_t)used)) > 0)
		used += (size_t)got;
	text[used] = 0;
	return number_of(text, name);
}

s64 memcg_stat(int fd, const char *name)
{
	return number_in(fd, name);
}

/* Folds what each CPU has counted for itself into the sums, if this kernel can. */
static void refresh_vmstat(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_RDONLY | O_CLOEXEC);
	char none[8];

	if (fd < 0)
		return;
	(void)!read(fd, none, sizeof(none));
	close(fd);
}

s64 host_vmstat(const char *name)
{
	int fd;
	s64 v;

	refresh_vmstat();
	fd = open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
	v = fd < 0 ? -1 : number_in(fd, name);
	if (fd >= 0)
		close(fd);
	return v;
}
