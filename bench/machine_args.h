/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The options that every verb with a machine shares: --set KEY=VALUE and -c FILE, as an argp child. In verbs
 * of many machines a value may be a list (bench/variants.h).
 */
#ifndef MEMRIG_MACHINE_ARGS_H
#define MEMRIG_MACHINE_ARGS_H

#include <argp.h>

#include "bench/variants.h"

struct machine_args {
	struct machine_config config;
	struct variants *lists; /* where keys with several values go; NULL: the verb has one machine, no lists */
};

extern const struct argp machine_argp; /* its input: struct machine_args */

/* Starts with all defaults; @lists as above, empty. Call before argp_parse(). */
void machine_args_init(struct machine_args *a, struct variants *lists);

/* A child of an argp that takes them: static const struct argp_child children[] = MACHINE_ARGP; and its input. */
#define MACHINE_ARGP {{&machine_argp, 0, "Machine:", 5}, {0}}

/* The number that --@option was given, decimal or 0x...; an error that ends the program if it is none. */
u64 parse_number(const char *option, const char *text, const struct argp_state *state);
/* The text of --jobs: 1 to 256, or an error that ends the program. */
unsigned parse_jobs(const char *arg, const struct argp_state *state);

#define VARIANTS_HELP \
	"A list of values makes a machine of each: mem=64M,128M,256M. '...' between two numbers stands for what " \
	"comes of doubling the first: mem=16M,...,1G, or mem=16M,...,0.5wss up to half of what the trace needs. " \
	"Values with an '@' are no list (mem=512M@0x60000000,256M@0xa0000000 are two banks of one machine), and " \
	"neither are texts with commas (lowmem_reserve_ratio=256,32): separate several of those by ';'. A machine " \
	"that cannot be booted is a row with the reason. A miss is a page that had to wait for a device: a major " \
	"fault, or a read or write call that did not find it in the cache (pgmajfault + file_misses); the miss " \
	"ratio is taken of all pages that accesses and calls came to (accesses + file_references).\n\n"

/* config_finish() with the one-line message and exit status 2 of a verb: 0 or 2. */
int machine_args_finish(struct machine_args *a);

#endif
