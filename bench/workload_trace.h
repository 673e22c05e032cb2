/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes a workload as a trace: the two floors below that never include each other meet here. */
#ifndef MEMRIG_WORKLOAD_TRACE_H
#define MEMRIG_WORKLOAD_TRACE_H

#include "workloads/workload.h"

/*
 * Runs the started @run to its end into @path, as text if @text. @title goes into the header. 0, or
 * -errno with one line in @err and no file left.
 */
int workload_write_trace(struct workload_run *run, const char *path, const char *title, bool text,
			 char *err, size_t n);

#endif
