/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The help of the verbs as data, for the man page and for completion: both are made from what --help
 * prints, so that they cannot say anything else.
 */
#ifndef MEMRIG_VERB_HELP_H
#define MEMRIG_VERB_HELP_H

#include <stdio.h>

#include "core/base/types.h"

const char *verb_name(unsigned i);    /* NULL behind the last */
const char *verb_summary(unsigned i); /* "": for the program's own use */

/* What `memrig @verb --help` prints, as a stream to be closed with pclose(). NULL: it cannot be run. */
FILE *verb_help_open(const char *verb);

/* One line of argp's help: an option starts, or goes on, or it is a paragraph. */
enum verb_help_kind { VERB_HELP_TEXT, VERB_HELP_OPTION, VERB_HELP_MORE };
/*
 * Takes a line apart, in place: @left is the option ("-o, --output=DIR"), @right its text or the
 * paragraph.
 */
enum verb_help_kind verb_help_split(char *line, char **left, char **right);

#endif
