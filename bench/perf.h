/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters of perf_event_open(2) for the calling thread: software events always, hardware ones if
 * the machine has them. Counted only between perf_start() and perf_stop(), in user and kernel mode
 * where the system allows it, else in user mode. Seen by C++.
 */
#ifndef MEMRIG_PERF_H
#define MEMRIG_PERF_H

#include <stdbool.h>
#include <stddef.h>

enum perf_item {
#define PERF(SYM, name, type, config, text) PERF_ITEM_##SYM,
#include "bench/perf.def"
#undef PERF
	NR_PERF_ITEMS
};

struct perf_set {
	int fd[NR_PERF_ITEMS]; /* -1: not supported here */
	int error[NR_PERF_ITEMS]; /* why: errno */
};

void perf_open(struct perf_set *s);
void perf_close(struct perf_set *s);
void perf_start(const struct perf_set *s);
void perf_stop(const struct perf_set *s);
/* Totals since perf_open(), scaled up if the counter had to share the hardware; < 0: not supported. */
void perf_read(const struct perf_set *s, double out[NR_PERF_ITEMS]);

const char *perf_name(unsigned item);
const char *perf_help(unsigned item);

/* One line, "not supported by this machine: a, b (reason)", or "" when all are. Returns @buf. */
const char *perf_missing(char *buf, size_t n);

#endif
