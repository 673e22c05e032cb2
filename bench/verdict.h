/* SPDX-License-Identifier: BSD-2-Clause */
/* What verbs say of a machine that a stream of operations has gone through: is it right, and its views. */
#ifndef MEMRIG_VERDICT_H
#define MEMRIG_VERDICT_H

#include <stdio.h>

#include "bench/replay_loop.h"

/*
 * Prints the differences from recorded results, what a failing `check` operation found and, if @check, the
 * first broken invariant, each as a line that begins with @name. EXIT_DONE or EXIT_CHECK_FAILED.
 */
int verdict(struct machine *m, const struct replay_stats *st, bool check, const char *name, FILE *out);

/* 0, or EXIT_USAGE after one line on standard error: a name in @list (comma-separated) is no view. */
int views_known(const char *verb, const char *list);
/* Prints the views of @list, each under its name. 0, or EXIT_USAGE as above: this machine has no such view. */
int views_print(const char *verb, struct machine *m, const char *list, FILE *out);

#endif
