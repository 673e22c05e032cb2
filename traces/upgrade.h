/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every older version of the format to the current one, here and nowhere else. A version is one
 * line in the table of upgrade.c: how its records become today's. Each released version keeps a
 * sample in traces/samples/.
 */
#ifndef MEMRIG_TRACE_UPGRADE_H
#define MEMRIG_TRACE_UPGRADE_H

#include "core/op.h"

bool trace_version_known(unsigned major);
/* Makes @n records of version @major current, in place. Nothing to do for the current one. */
void trace_upgrade(unsigned major, struct mm_op *ops, size_t n);

#endif
