/* SPDX-License-Identifier: BSD-2-Clause */
/* Floors 2 and 3 alone, booted from "key=value ..." for the suites that measure them. */
#ifndef MEMRIG_BENCH_PHYS_H
#define MEMRIG_BENCH_PHYS_H

#include "core/phys/page_alloc.h"

struct phys_bench {
	struct machine_config config;
	struct hw hw;
	struct phys phys;
	char err[256];
};

/* NULL if it does not boot; says why on standard error. Freed by phys_bench_down(). */
struct phys_bench *phys_bench_boot(const char *pairs);
void phys_bench_down(struct phys_bench *b);

#endif
