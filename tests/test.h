/* SPDX-License-Identifier: BSD-2-Clause */
/* What every test includes: cmocka and a printed, overridable seed. */
#ifndef MEMRIG_TEST_H
#define MEMRIG_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/types.h"

/* Seed of random tests: MEMRIG_SEED or @fallback; printed so that a failure can be repeated. */
static inline u64 test_seed(u64 fallback)
{
	const char *s = getenv("MEMRIG_SEED");
	u64 seed = s ? strtoull(s, NULL, 0) : fallback;

	print_message("seed %llu (MEMRIG_SEED to change)\n", (unsigned long long)seed);
	return seed;
}

#endif
