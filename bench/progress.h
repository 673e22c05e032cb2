/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's clock, and the progress line of long work: one that changes on a terminal, plain ones elsewhere. */
#ifndef MEMRIG_PROGRESS_H
#define MEMRIG_PROGRESS_H

#include <time.h>

#include "core/base/types.h"

/* Host time in nanoseconds; only differences mean anything. */
MM_INLINE u64 host_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

struct progress {
	u64 started, last; /* host time; last: of the last line, or when it started */
	bool quiet;
};

MM_INLINE struct progress progress_begin(bool quiet)
{
	u64 now = host_ns();

	return (struct progress){now, now, quiet};
}

MM_INLINE double progress_seconds(const struct progress *p)
{
	return (double)(host_ns() - p->started) / 1e9;
}

/* Whether it is time for a line: five a second on a terminal, else one in five seconds; never if quiet. */
bool progress_due(const struct progress *p);
/* Prints @text, and if @done (0..1) is above 0 how far it is and how long it will take. */
void progress_show(struct progress *p, double done, const char *text);
/* The last line, if there was one before. */
void progress_end(struct progress *p, const char *text);

#endif
