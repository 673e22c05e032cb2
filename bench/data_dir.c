/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/data_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool holds(const char *dir, const char *marker)
{
	char path[4200];

	return (size_t)snprintf(path, sizeof(path), "%s/%s", dir, marker) < sizeof(path) && !access(path, R_OK);
}

int data_dir_find(const char *name, const char *env, const char *marker, char *dir, size_t n, char *err,
		  size_t errlen)
{
	static const char *const beside[] = {"..", "../..", "../share/memrig"};
	const char *given = getenv(env), *base = strrchr(name, '/');
	char exe[4096];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	if (given) {
		snprintf(dir, n, "%s", given);
		if (holds(dir, marker))
			return 0;
		snprintf(err, errlen, "%s=%s: holds no %s", env, given, marker);
		return -1;
	}
	exe[len > 0 ? len : 0] = 0;
	slash = strrchr(exe, '/');
	if (slash)
		*slash = 0;
	for (size_t i = 0; i < ARRAY_SIZE(beside); i++) {
		bool installed = strstr(beside[i], "share");

		if ((size_t)snprintf(dir, n, "%s/%s/%s", exe, beside[i], installed && base ? base + 1 : name) < n &&
		    holds(dir, marker))
			return 0;
	}
	snprintf(err, errlen, "no %s beside the binary; set %s to the directory %s/", marker, env, name);
	return -1;
}
