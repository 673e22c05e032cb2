/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The running kernel judges the model: the program kernel-judge issues a random sequence of memory
 * system calls and accesses on the kernel below and writes it, with the kernel's answers, as a trace;
 * a machine with policy=modern and hwad=1 must answer the same, and end with the same mappings.
 * Rules differ between kernels: policy=modern is 6.18, and only that kernel or later ones are asked.
 */
#ifndef MEMRIG_VERIFY_H
#define MEMRIG_VERIFY_H

#include "core/base/types.h"

/* What the sequences of a mode are about; NULL behind the last. */
const char *verify_mode(unsigned i);
const char *verify_mode_help(unsigned i);

/* True, or false with the reason in @why. */
bool verify_possible(char *why, size_t n);

struct verify_result {
	u64 answers;    /* compared */
	u64 mappings;   /* compared */
	u64 differences;
	char first[256]; /* the first difference: line of the trace, what was expected, what came */
};

/*
 * One sequence of @steps calls of @mode from @seed, written to @trace. Adds to @r. 0, or -1 with one line
 * in @err when it could not be run.
 */
int verify_sequence(const char *mode, u64 seed, unsigned steps, const char *trace, struct verify_result *r,
		    char *err, size_t n);

#endif
