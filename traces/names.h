/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of bits and values in the text form: prot, mmap flags, advice, access types, gfp, and so
 * on. Values are those of core/op.h; gfp and slab bits are Linux 4.0's, fixed values of the format.
 */
#ifndef MEMRIG_TRACE_NAMES_H
#define MEMRIG_TRACE_NAMES_H

#include "core/base/types.h"

enum key_kind {
	KK_HEX,
	KK_DEC,
	KK_BYTES,
	KK_STR,
	KK_NAME,
	KK_TASK, /* numbers, strings, either, tasks */
	KK_PROT,
	KK_ADVICE,
	KK_ACCESS, /* one of */
	KK_MAP,
	KK_GFP,
	KK_LOCK,
	KK_MSYNC,
	KK_MREMAP,
	KK_FMODE,
	KK_WMARK,
	KK_SLAB, /* sets of bits */
	NR_KEY_KINDS
};

/* Kind called @name in op.def, or NR_KEY_KINDS. */
enum key_kind names_kind(const char *name, size_t len);

/* Value of @text for the one-of and set kinds; numbers are taken as such. 0 or -EINVAL. */
int names_parse(enum key_kind kind, const char *text, size_t len, u64 *value);

/* Appends the canonical text of @value to @buf (of @n bytes); returns its length. */
size_t names_print(enum key_kind kind, u64 value, char *buf, size_t n);

/* What @kind may be, for messages: "rwx letters or -". */
const char *names_expected(enum key_kind kind);

/* Candidate nearest to @text (edit distance), or NULL when none is near. next() returns NULL at the
 * end. */
const char *names_nearest(const char *text, size_t len, const char *(*next)(void *ctx), void *ctx);

/* "0x1f", "12", "-3", "64K": 0 or -EINVAL. */
int names_number(const char *text, size_t len, u64 *value);

/* ENOMEM <-> "ENOMEM"; 0 and NULL when unknown. */
int names_errno(const char *text, size_t len);
const char *names_errno_name(int err);

#endif
