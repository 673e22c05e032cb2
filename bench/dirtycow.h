/* SPDX-License-Identifier: BSD-2-Clause */
/* `memrig run dirtycow`: CVE-2016-5195 step by step, and as a race (docs/DIRTYCOW.md). */
#ifndef MEMRIG_BENCH_DIRTYCOW_H
#define MEMRIG_BENCH_DIRTYCOW_H

#include <stdio.h>

#include "core/config.h"

/*
 * Prints the story on machines of @config under each rule, or only under config's own if @one: the
 * steps of one write with the page given back in the window, then the race of @seeds seeds. 0, or
 * an exit status with a line in @err.
 */
int dirtycow_story(const struct machine_config *config, bool one, u64 seeds, FILE *out, char *err,
		   size_t errlen);

#endif
