/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The options that every verb with a machine shares: --set KEY=VALUE and -c FILE, as an argp child.
 */
#ifndef MEMRIG_MACHINE_ARGS_H
#define MEMRIG_MACHINE_ARGS_H

#include <argp.h>

#include "core/config.h"

struct machine_args {
	struct machine_config config;
};

extern const struct argp machine_argp; /* its input: struct machine_args */

/* Starts with all defaults. Call before argp_parse(). */
void machine_args_init(struct machine_args *a);

/* config_finish() with the one-line message and exit status 2 of a verb: 0 or 2. */
int machine_args_finish(struct machine_args *a);

#endif
