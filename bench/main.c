/* SPDX-License-Identifier: BSD-2-Clause */
/* memrig: finds the verb in verbs.def and hands over. */
#include <argp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/manifest.h"
#include "core/config.h"

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} verbs[] = {
#define VERB(name, function, summary) {#name, function, summary},
#include "bench/verbs.def"
#undef VERB
};

int cmd_error(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("memrig: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return EXIT_USAGE;
}

static void help(FILE *out)
{
	fputs("Usage: memrig VERB [OPTION...]\n"
	      "The memory management of Linux as a program: records, replays and times memory "
	      "traces.\n\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (*verbs[i].summary) /* else for the program's own use */
			fprintf(out, "  %-9s %s\n", verbs[i].name, verbs[i].summary);
	fputs("\n'memrig VERB --help' explains a verb; 'memrig --version' names the build.\n"
	      "Exit status: 0 done, 1 the check asked for failed, 2 wrong usage or unusable "
	      "input.\n",
	      out);
}

static int unknown_verb(const char *name)
{
	const char *names[ARRAY_SIZE(verbs)], *near;

	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		names[i] = verbs[i].name;
	near = config_nearest(name, names, ARRAY_SIZE(verbs));
	if (near)
		return cmd_error("unknown verb '%s', did you mean '%s'?", name, near);
	return cmd_error("unknown verb '%s'; 'memrig --help' lists all", name);
}

/* What was printed must have arrived: a full disk is no success. */
static int finish(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	return cmd_error("standard output: write error");
}

static int dispatch(int argc, char **argv)
{
	char name[64];

	if (argc < 2) {
		help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		help(stdout);
		return EXIT_DONE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("memrig %s (%s, %s)\n", MEMRIG_VERSION, manifest_commit(), manifest_build_type());
		return EXIT_DONE;
	}
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(verbs[i].name, argv[1]))
			continue;
		snprintf(name, sizeof(name), "memrig %s", verbs[i].name);
		argv[1] = name;
		return verbs[i].run(argc - 1, argv + 1);
	}
	return unknown_verb(argv[1]);
}

int main(int argc, char **argv)
{
	argp_err_exit_status = EXIT_USAGE;
	return finish(dispatch(argc, argv));
}
