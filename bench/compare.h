/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Comparison of results: bench JSON and replay JSON become sets of series (name -> repetitions), and
 * two series become a verdict.
 */
#ifndef MEMRIG_COMPARE_H
#define MEMRIG_COMPARE_H

#include <jansson.h>

#include "core/base/types.h"

#define COMPARE_ALPHA 0.05 /* a difference this improbable by chance is significant */
#define COMPARE_LEAST 4    /* repetitions a side: with 3 even full separation has p = 0.1 */

struct compare_verdict {
	double base, other;  /* medians */
	double change;       /* other / base - 1 */
	double worse;        /* the same, positive when other is worse */
	double low, high;    /* 95 % interval of the change; NaN below COMPARE_LEAST repetitions a side */
	double p;            /* two-sided; NaN below COMPARE_LEAST */
	bool significant;    /* below COMPARE_LEAST: never */
};

/* @n values against @m: see struct compare_verdict. */
void compare_series(const double *base, size_t n, const double *other, size_t m, bool less_is_better,
		    struct compare_verdict *out);

/*
 * Reads "A.json" or "A1.json,A2.json" (repetitions of one result) into
 *	{"series": {name: {"values": [...], "less_is_better": b, "unit": "ns"}}, "counters": {name: n},
 *	 "what": "bench" | "replay"}
 * counters: what must not differ between two replays of one trace and configuration. New reference,
 * or NULL with one line in @err.
 */
json_t *compare_load(const char *paths, char *err, size_t errlen);

#endif
