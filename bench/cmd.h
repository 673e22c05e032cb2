/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verbs of the command line: verbs.def is the table, cmd_<verb>.c holds a verb. A verb function
 * parses its arguments with argp (main() made argv[0] "memrig VERB" and wrong usage exit with 2) and
 * returns the exit status: 0 done, 1 the check asked for failed, 2 wrong usage or unusable input.
 */
#ifndef MEMRIG_CMD_H
#define MEMRIG_CMD_H

#include "core/base/types.h"

#define VERB(name, function, summary) int function(int argc, char **argv);
#include "bench/verbs.def"
#undef VERB

enum { EXIT_DONE = 0, EXIT_CHECK_FAILED = 1, EXIT_USAGE = 2 };

/* Prints "memrig: ..." and a newline to standard error; returns EXIT_USAGE. */
int cmd_error(const char *fmt, ...) MM_PRINTF(1, 2);

#endif
