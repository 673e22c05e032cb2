/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One fuzz target a file: what it does with arbitrary bytes, and seeds to begin with. Each is built twice:
 * with driver.c, for CTest, which tries the seeds and a fixed number of mutations of them, the same ones
 * at every run; and in the fuzz preset with libFuzzer (scripts/fuzz).
 */
#ifndef MEMRIG_FUZZ_H
#define MEMRIG_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/types.h"

/* The target. 0; what must not happen ends the process. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* Seeds: texts, and files below the source directory; both end with NULL. */
extern const char *const fuzz_texts[];
extern const char *const fuzz_files[];
extern const unsigned fuzz_mutations; /* that CTest tries */

#define FUZZ_REQUIRE(condition)                                                                    \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The bytes as a file that has a name. */
struct fuzz_file {
	int fd;
	char path[32];
};

static inline struct fuzz_file fuzz_file(const void *data, size_t size)
{
	struct fuzz_file f = {.fd = memfd_create("fuzz", 0)};

	FUZZ_REQUIRE(f.fd >= 0 && write(f.fd, data, size) == (ssize_t)size);
	snprintf(f.path, sizeof(f.path), "/proc/self/fd/%d", f.fd);
	return f;
}

/* What a refused input must have said: one line, not empty. */
static inline void fuzz_one_line(const char *err)
{
	FUZZ_REQUIRE(*err && !strchr(err, '\n'));
}

#endif
