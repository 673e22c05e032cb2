/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * String table of a stream: ids from 1 in order of appearance, 0 for none and for "". Pointers
 * handed out stay valid until the table is freed. Zero-filled memory is an empty table. One thread
 * appends; others may read what is there meanwhile (strtab_get()), so the table grows in pieces that stay.
 */
#ifndef MEMRIG_TRACE_STRTAB_H
#define MEMRIG_TRACE_STRTAB_H

#include "core/op.h"
#include "traces/map64.h"

#define STRTAB_FIRST  64ull /* strings of the first piece; each next one holds twice as many */
#define STRTAB_PIECES 32u

struct strtab {
	char **pieces[STRTAB_PIECES];
	u32 nr;
	struct map64 ids; /* hash of the text (probed on) -> id; only of interned strings */
};

/* Id of @s, new if need be. 0: "" or no memory or too many (TRACE_MAX_STRINGS). */
u32 strtab_intern(struct strtab *t, const char *s, size_t len);
/* Appends without looking for an equal one. 0 or -ENOMEM, -E2BIG. */
int strtab_append(struct strtab *t, const char *s, size_t len);
const char *strtab_get(const struct strtab *t, u64 id); /* "" if there is none */
struct op_strings strtab_strings(const struct strtab *t);
void strtab_free(struct strtab *t);

#endif
