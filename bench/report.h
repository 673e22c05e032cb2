/* SPDX-License-Identifier: BSD-2-Clause */
/* The report: one HTML page with everything inside (styles, pictures), readable without a network. */
#ifndef MEMRIG_REPORT_H
#define MEMRIG_REPORT_H

#include "bench/plot.h"
#include "bench/structures.h"

/* Writes the page to @out. 0, or negative errno when a figure cannot be read. */
int report_write(FILE *out, const struct results *r, const struct figures *f, const struct structures *s);

/*
 * Copies an SVG of gnuplot into the page: without its XML head, its ids made unique with @number, its
 * black lines and text left to the style sheet. 0 or negative errno.
 */
int report_svg(FILE *out, const char *path, unsigned number, const char *label);

void report_text(FILE *out, const char *text); /* escaped for HTML */

#endif
