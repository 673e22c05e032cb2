/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Studies: comparisons that are ready to run. A file workloads/studies/NAME.study says which trace or
 * workload runs on which machines and which numbers tell them apart:
 *
 *	title    one line
 *	workload NAME PARAMETER=VALUE...     (or: trace FILE, relative to the study's directory)
 *	set      KEY=VALUE                   for all variants; may be repeated
 *	vary     KEY=A,B,...                 an axis of machines; may be repeated
 *	param    NAME=A,B,...                an axis of the workload; may be repeated
 *	machine  NAME: KEY=VALUE...          one of several named machines, an axis; may be repeated
 *	plot     NAME                        of plots/plots.list, drawn from NAME.csv; may be repeated (study-NAME)
 *	metrics  NAME NAME...                columns to print
 *	quick                                scripts/run shows it in the report
 *
 * Lists are those of bench/variants.h.
 */
#ifndef MEMRIG_STUDY_H
#define MEMRIG_STUDY_H

#include "bench/sweep.h"

#define STUDY_MAX_METRICS 24
#define STUDY_MAX_PLOTS   4

struct study {
	char name[48], title[160];
	char text[4096];  /* the file's lines; the sweep points into it */
	char command[512]; /* workload and parameters */
	size_t used;
	struct sweep sweep;
	char metrics[STUDY_MAX_METRICS][64];
	unsigned nr_metrics;
	char plots[STUDY_MAX_PLOTS][64];
	unsigned nr_plots;
	char trace[4200];
	bool quick;
};

/* The directory of the studies: $MEMRIG_STUDIES, or beside the binary. 0, or -1 with a line in @err. */
int study_find_dir(char *dir, size_t n, char *err, size_t errlen);

/* Reads study @name of @dir. 0, or -1 with one line in @err that names file and line. */
int study_read(struct study *s, const char *dir, const char *name, char *err, size_t errlen);

/* Names of all studies, sorted: a NULL-ended array, to be freed with its strings. NULL: no memory. */
char **study_names(const char *dir);

/*
 * Runs all variants, prints the table, leaves NAME.csv and study-NAME.svg in @out_dir. 0, or -1 with one
 * line in @err.
 */
int study_run(struct study *s, const char *out_dir, bool quiet, char *err, size_t errlen);

#endif
