/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of a file descriptor, through one bounded buffer. */
#ifndef MEMRIG_TRACE_LINES_H
#define MEMRIG_TRACE_LINES_H

#include "core/base/types.h"

struct lines {
	int fd;
	char *buffer;
	size_t cap, from, to; /* unread bytes: [from, to) */
	u64 number;	      /* of the line returned last, from 1 */
	u64 bytes, hash;      /* consumed; xxh64 chained over lines */
	bool eof;
};

int lines_init(struct lines *l, int fd); /* 0 or -ENOMEM; does not own @fd */
void lines_free(struct lines *l);
/* 1 and a line without its newline, valid until the next call; 0 at the end; -errno; -E2BIG: longer
 * than the buffer. */
int lines_next(struct lines *l, const char **line, size_t *len);
/* At least @n bytes to look at unless the file is shorter; returns how many there are. */
size_t lines_peek(struct lines *l, size_t n, const char **at);
/* Passes over @n bytes that were looked at. */
void lines_take(struct lines *l, size_t n);

#endif
