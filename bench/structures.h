/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The structures of a small machine as a picture (spec 12 s1): the graph that `memrig replay T --show graph`
 * printed to DATA/graph.dot, drawn by graphviz.
 */
#ifndef MEMRIG_STRUCTURES_H
#define MEMRIG_STRUCTURES_H

#include <stddef.h>

struct structures {
	enum { STRUCTURES_NONE, STRUCTURES_DRAWN, STRUCTURES_NO_DOT } state;
	char svg[4400];
};

/*
 * Draws @data/graph.dot (NULL: there is none) as @out_dir/graph.svg, with the text of the graph beside it. 0 with
 * the state set, also if graphviz is missing; else -1 with one line in @err.
 */
int structures_draw(struct structures *s, const char *data, const char *out_dir, char *err, size_t errlen);

#endif
