/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Assertions. Guest errors are results, never assertions; these catch our own bugs only.
 *
 * BUG_ON(c)        always compiled in; for conditions that would corrupt the model.
 * VM_BUG_ON(c)     level 1 and up: O(1) checks on hot paths.
 * VM_BUG_ON_SLOW(c) level 2 and up: walks of lists and tables.
 */
#ifndef MEMRIG_BASE_BUG_H
#define MEMRIG_BASE_BUG_H

#include "core/base/types.h"

#ifndef MM_DEBUG
#define MM_DEBUG 1
#endif

/* Prints "BUG: file:line: condition" on standard error and aborts. */
_Noreturn void mm_bug(const char *file, int line, const char *cond);

/* Relative to the source tree: -fmacro-prefix-map in the top CMakeLists.txt. */
#define MM_FILE __FILE__

#define BUG() mm_bug(MM_FILE, __LINE__, "reached")
#define BUG_ON(c)                                                                                  \
	do {                                                                                       \
		if (MM_UNLIKELY(c))                                                                \
			mm_bug(MM_FILE, __LINE__, #c);                                             \
	} while (0)
#if MM_DEBUG >= 1
#define VM_BUG_ON(c) BUG_ON(c)
#else
#define VM_BUG_ON(c) ((void)sizeof(c))
#endif
#if MM_DEBUG >= 2
#define VM_BUG_ON_SLOW(c) BUG_ON(c)
#else
#define VM_BUG_ON_SLOW(c) ((void)sizeof(c))
#endif

#endif
