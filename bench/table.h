/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small table of text with named columns: what every picture is drawn from. Built from CSV files,
 * bench results and replay results; written as tab-separated text with a header for gnuplot.
 */
#ifndef MEMRIG_TABLE_H
#define MEMRIG_TABLE_H

#include <stdio.h>

#include "core/base/types.h"

#define TABLE_MAX_COLS 512
#define TABLE_MISSING  "NaN" /* a number that is not known */

struct table {
	unsigned nr_cols, nr_rows, room;
	char **cols;
	char **cells; /* nr_rows * nr_cols; NULL: missing */
};

void table_init(struct table *t);
void table_free(struct table *t);

/* Column of that name, or -1. table_add_col() first looks; only for tables without rows. -1: no memory, or full. */
int table_col(const struct table *t, const char *name);
int table_add_col(struct table *t, const char *name);

/* A new row of missing cells: its number, or -1. */
int table_add_row(struct table *t);
/* Sets a cell of the last row; unknown columns are ignored. */
void table_set(struct table *t, const char *col, const char *fmt, ...) MM_PRINTF(3, 4);
const char *table_get(const struct table *t, unsigned row, int col); /* never NULL */
double table_number(const struct table *t, unsigned row, int col);   /* NaN when missing or no number */

/* Least and greatest number of a column; false if it holds none. */
bool table_range(const struct table *t, int col, double *least, double *greatest);

/* Reads a CSV file whose first line names the columns. 0, or -1 with one line in @err. */
int table_read_csv(struct table *t, const char *path, char *err, size_t errlen);

/* As table_read_csv() reads it: commas in cells become semicolons. 0 or negative errno. */
int table_write_csv(const struct table *t, const char *path);

/* Tab-separated, at most about @most rows (evenly thinned; 0: all). 0 or negative errno. */
int table_write(const struct table *t, const char *path, unsigned most);

#endif
