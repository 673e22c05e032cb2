/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/tool.h"

#include <errno.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

int tool_run(const char *const *argv, const char *package, const char *what, char *err, size_t errlen)
{
	int status = -1, rc;
	pid_t pid;

	rc = posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ);
	if (rc) {
		snprintf(err, errlen, "%s: %s (Debian package %s)", argv[0], strerror(rc), package);
		return rc == ENOENT ? -ENOENT : -EIO;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	snprintf(err, errlen, "%s: %s failed", what, argv[0]);
	return -EIO;
}
