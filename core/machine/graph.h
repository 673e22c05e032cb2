/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The structures of a live machine and how they refer to each other (spec 12 s1): every reference as an
 * edge, with its way back followed where there is one.
 *
 * Objects are named by kind and by what the guest knows of them (a pid, an address, a frame), never by
 * a host pointer. Invariant (graph_check): no edge whose way back leads elsewhere.
 */
#ifndef MEMRIG_GRAPH_H
#define MEMRIG_GRAPH_H

#include <stdio.h>

#include "core/machine.h"

enum graph_back { GRAPH_NO_BACK, GRAPH_BACK_OK, GRAPH_BACK_BROKEN };

struct graph_edge {
	char from[64], to[64]; /* "vma 100 10000000" */
	const char *field;     /* "vm_mm" */
	enum graph_back back;
};

typedef void (*graph_fn)(void *arg, const struct graph_edge *e);

/* Every edge, grouped by where it starts. */
void graph_walk(struct machine *m, graph_fn fn, void *arg);

/* 0, or 12001 with the first broken edge in @why. */
int graph_check(struct machine *m, char *why, size_t n);

/* DOT; of edges of one field from one object at most @most are drawn, the others counted. */
void graph_print_dot(struct machine *m, unsigned most, FILE *out);

#endif
