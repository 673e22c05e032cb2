/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pictures from results, by gnuplot. plots/plots.list declares them, one a line:
 *
 *	name | input | x | series series... | title | one explaining sentence
 *
 * x and series are column names of the input, which is one of
 *	bench[:UNIT]  cases of the bench JSON (of one unit)               one figure
 *	bench:+UNIT   the same, only cases with a goal                    one figure
 *	bench:UNIT:A+B  the same if the names of some cases begin with A, others with B
 *	samples       the sampled counters of a replay                    one figure a trace
 *	samples:COL   the same of traces where column COL is ever above 0
 *	replays       the replays of one trace on several machines       one figure a trace
 *	all-replays   every replay                                       one figure
 *	csv:FILE      FILE in the data directory, with named columns     one figure, if FILE exists
 * A table with columns curve and curve_index (of a sweep) gives scripts `curves` and the names curve_[i + 1].
 * plots/<name>.gp draws, or plots/<family>.gp for the name <family>-<member>; plots/style.gp owns
 * terminal, colours and fonts. A column that the input does not have is an error.
 */
#ifndef MEMRIG_PLOT_H
#define MEMRIG_PLOT_H

#include "bench/result_set.h"

#define PLOT_MAX        128
#define PLOT_MAX_SERIES 24
#define FIGURE_MAX      512

struct plot {
	char name[48], input[64], x[64];
	char series[PLOT_MAX_SERIES][64];
	unsigned nr_series;
	char title[160], sentence[640];
};

/* One picture: a plot with its input. */
struct figure {
	const struct plot *plot;
	char id[160], title[256], svg[4096];
	char command[1024];          /* what draws it again */
	const struct replay_result *replay; /* samples, replays: the (first) replay it shows */
};

struct figures {
	struct plot *plots;
	unsigned nr_plots;
	struct figure *list;
	unsigned nr;
	char dir[4096]; /* plots/ */
};

/* The directory with plots.list: $MEMRIG_PLOTS, or beside the binary. 0, or -1 with a line in @err. */
int plot_find_dir(char *dir, size_t n, char *err, size_t errlen);

/* Reads DIR/plots.list. Number of plots, or -1 with one line in @err that names the file and line. */
int plot_read_list(const char *dir, struct plot *plots, char *err, size_t errlen);

/* The script that draws @p: its own, or its family's. */
void plot_script(const char *dir, const struct plot *p, char *out, size_t n);

/* 0, or -1 with the missing column named in @err. */
int plot_check_columns(const struct plot *p, const struct table *t, const char *input_name, char *err,
		       size_t errlen);

/* Prepares @f from plots/. */
int figures_init(struct figures *f, char *err, size_t errlen);
void figures_free(struct figures *f);

/*
 * Draws all plots (@only: the one with that name) whose input @r has, into @out_dir as <id>.svg, with
 * <id>.tsv and <id>.gp beside it. 0, or -1 with one line in @err.
 */
int figures_draw(struct figures *f, const struct results *r, const char *only, const char *out_dir, char *err,
		 size_t errlen);

#endif
