/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

#ifndef MEMRIG_COMMIT
#define MEMRIG_COMMIT "unknown"
#endif
#ifndef MEMRIG_BUILD_TYPE
#define MEMRIG_BUILD_TYPE "unknown"
#endif

const char *manifest_commit(void)
{
	return MEMRIG_COMMIT;
}

const char *manifest_build_type(void)
{
	return MEMRIG_BUILD_TYPE;
}

static void cpu_name(char *buf, size_t n)
{
	FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256], *colon;

	snprintf(buf, n, "unknown");
	while (f && fgets(line, sizeof(line), f)) {
		colon = strchr(line, ':');
		if (strncmp(line, "model name", 10) || !colon)
			continue;
		line[strcspn(line, "\n")] = 0;
		snprintf(buf, n, "%s", colon + 2);
		break;
	}
	if (f)
		fclose(f);
}

json_t *manifest_json(void)
{
	struct utsname u;
	char cpu[128], date[32];
	time_t now = time(NULL);
	struct tm tm;

	uname(&u);
	cpu_name(cpu, sizeof(cpu));
	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_pack("{ss ss ss ss si ss ss si ss}", "memrig", MEMRIG_VERSION, "commit", MEMRIG_COMMIT,
			 "compiler",
#ifdef __clang__
			 "clang " __clang_version__,
#else
			 "gcc " __VERSION__,
#endif
			 "build_type", MEMRIG_BUILD_TYPE, "debug", MM_DEBUG, "kernel", u.release, "cpu",
			 cpu, "cpus", (int)sysconf(_SC_NPROCESSORS_ONLN), "date", date);
}

void manifest_hash(const json_t *manifest, char out[17])
{
	char *text = json_dumps(manifest, JSON_SORT_KEYS | JSON_COMPACT | JSON_ENCODE_ANY);

	snprintf(out, 17, "%016" PRIx64, text ? (uint64_t)XXH64(text, strlen(text), 0) : 0);
	free(text);
}

int outfile_open(struct outfile *o, const char *path)
{
	struct stat st;

	if (strlen(path) >= sizeof(o->path))
		return -ENAMETOOLONG;
	strcpy(o->path, path);
	o->special = !stat(path, &st) && !S_ISREG(st.st_mode);
	if (o->special)
		strcpy(o->tmp, path);
	else
		snprintf(o->tmp, sizeof(o->tmp), "%s.tmp%d", path, (int)getpid());
	o->f = fopen(o->tmp, "we");
	return o->f ? 0 : -errno;
}

int outfile_commit(struct outfile *o)
{
	bool bad = ferror(o->f);
	int rc = 0;

	if (fclose(o->f))
		rc = -errno;
	else if (bad) /* of an earlier write, whose errno is gone */
		rc = -EIO;
	o->f = NULL;
	if (!rc && !o->special && rename(o->tmp, o->path))
		rc = -errno;
	if (rc && !o->special)
		unlink(o->tmp);
	return rc;
}

void outfile_abandon(struct outfile *o)
{
	if (o->f)
		fclose(o->f);
	o->f = NULL;
	if (!o->special)
		unlink(o->tmp);
}

int outfile_json(const json_t *j, const char *path)
{
	struct outfile o;
	int rc = outfile_open(&o, path);

	if (rc)
		return rc;
	errno = 0;
	if (json_dumpf(j, o.f, JSON_INDENT(1) | JSON_PRESERVE_ORDER) || fputc('\n', o.f) == EOF) {
		rc = errno ? -errno : -EIO;
		outfile_abandon(&o);
		return rc;
	}
	return outfile_commit(&o);
}

int make_dirs(const char *path)
{
	char part[4096];
	size_t n = strlen(path);

	if (!n || n >= sizeof(part))
		return n ? -ENAMETOOLONG : 0;
	memcpy(part, path, n + 1);
	for (size_t i = 1; i <= n; i++) {
		if (part[i] != '/' && part[i])
			continue;
		char c = part[i];

		part[i] = 0;
		if (mkdir(part, 0777) && errno != EEXIST)
			return -errno;
		part[i] = c;
	}
	return 0;
}
