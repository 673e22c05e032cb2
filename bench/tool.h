/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs of other packages that draw for us. */
#ifndef MEMRIG_TOOL_H
#define MEMRIG_TOOL_H

#include <stddef.h>

/*
 * Runs @argv (found along PATH, NULL-ended) to its end. 0, -ENOENT if there is no such program, or -EIO; then
 * one line in @err, which names Debian's @package or @what failed.
 */
int tool_run(const char *const *argv, const char *package, const char *what, char *err, size_t errlen);

#endif
