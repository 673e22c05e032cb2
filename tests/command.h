/* SPDX-License-Identifier: BSD-2-Clause */
/* Shell commands, for tests that meet the program as strangers do. */
#ifndef MEMRIG_TESTS_COMMAND_H
#define MEMRIG_TESTS_COMMAND_H

#include <stdio.h>
#include <sys/wait.h>

#include "tests/test.h"

/* Runs @command: its exit status. What it prints, streams as it redirects them, is in @out as far as @n goes. */
static inline int run_command(const char *command, char *out, size_t n)
{
	FILE *p = popen(command, "re");
	size_t got;
	int status;

	assert_non_null(p);
	got = fread(out, 1, n - 1, p);
	out[got] = '\0';
	while (fgetc(p) != EOF)
		;
	status = pclose(p);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#endif
