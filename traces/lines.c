/* SPDX-License-Identifier: BSD-2-Clause */
#include "traces/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#define BUFFER (512u << 10)

int lines_init(struct lines *l, int fd)
{
	memset(l, 0, sizeof(*l));
	l->fd = fd;
	l->cap = BUFFER;
	l->buffer = malloc(l->cap);
	return l->buffer ? 0 : -ENOMEM;
}

void lines_free(struct lines *l)
{
	free(l->buffer);
	l->buffer = NULL;
}

/* Reads more behind what is there. 0, -errno, -E2BIG when the buffer is full. */
static int fill(struct lines *l)
{
	ssize_t got;

	if (l->from) {
		memmove(l->buffer, l->buffer + l->from, l->to - l->from);
		l->to -= l->from;
		l->from = 0;
	}
	if (l->to == l->cap)
		return -E2BIG;
	do
		got = read(l->fd, l->buffer + l->to, l->cap - l->to);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	l->eof = !got;
	l->to += (size_t)got;
	return 0;
}

int lines_next(struct lines *l, const char **line, size_t *len)
{
	size_t looked = 0;
	const char *nl = NULL;

	for (;;) {
		int err;

		nl = memchr(l->buffer + l->from + looked, '\n', l->to - l->from - looked);
		if (nl || l->eof)
			break;
		looked = l->to - l->from;
		err = fill(l);
		if (err) {
			l->number++;
			return err;
		}
	}
	if (!nl && l->from == l->to)
		return 0;
	*line = l->buffer + l->from;
	*len = (nl ? (size_t)(nl - l->buffer) : l->to) - l->from;
	l->hash = XXH64(*line, *len, l->hash);
	l->from += *len + !!nl;
	l->bytes += *len + !!nl;
	l->number++;
	return 1;
}

size_t lines_peek(struct lines *l, size_t n, const char **at)
{
	while (l->to - l->from < n && !l->eof && !fill(l))
		;
	*at = l->buffer + l->from;
	return l->to - l->from;
}

void lines_take(struct lines *l, size_t n)
{
	l->hash = XXH64(l->buffer + l->from, n, l->hash);
	l->from += n;
	l->bytes += n;
}
