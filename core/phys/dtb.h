/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory nodes of a flattened device tree (spec 01 s1). */
#ifndef MEMRIG_PHYS_DTB_H
#define MEMRIG_PHYS_DTB_H

#include "core/base/types.h"

/*
 * Calls @fn for every (address, size) pair of the /memory nodes of the .dtb file @path, in the file's
 * order. 0, or -EINVAL with one line in @err that names the file (unreadable, no device tree, bad cell
 * counts, no memory node, or @fn refused).
 */
int dtb_memory(const char *path, int (*fn)(void *arg, u64 base, u64 size), void *arg, char *err,
	       size_t errlen);

#endif
