/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/bug.h"

#include <stdio.h>
#include <stdlib.h>

void mm_bug(const char *file, int line, const char *cond)
{
	fprintf(stderr, "BUG: %s:%d: %s\n", file, line, cond);
	abort();
}
