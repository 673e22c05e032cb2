/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/progress.h"

#include <stdio.h>
#include <unistd.h>

bool progress_due(const struct progress *p)
{
	return !p->quiet && host_ns() - p->last >= (isatty(2) ? 200000000u : 5000000000u);
}

void progress_show(struct progress *p, double done, const char *text)
{
	double seconds = progress_seconds(p);

	p->last = host_ns();
	fprintf(stderr, "%s%s", isatty(2) ? "\r" : "", text);
	if (done > 0)
		fprintf(stderr, ", %.0f %%, %.0f s left", done * 100, seconds / done - seconds);
	fputs(isatty(2) ? "   " : "\n", stderr);
}

void progress_end(struct progress *p, const char *text)
{
	if (p->last != p->started)
		fprintf(stderr, "%s%s\n", isatty(2) ? "\r" : "", text);
}
