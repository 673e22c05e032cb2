/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hash map from u64 to u32 with open addressing and linear probing; deletion shifts back, so that
 * there are no tombstones. Its order decides nothing. Zero-filled memory is an empty map.
 */
#ifndef MEMRIG_TRACE_MAP64_H
#define MEMRIG_TRACE_MAP64_H

#include "core/base/types.h"

#define MAP64_NONE 0xffffffffu /* no value may be this */

struct map64 {
	u64 *keys;
	u32 *values;  /* MAP64_NONE: empty */
	u32 nr, bits; /* 1 << bits places; no memory while keys is NULL */
};

u32 map64_get(const struct map64 *m, u64 key);		    /* MAP64_NONE if absent */
int map64_set(struct map64 *m, u64 key, u32 value);	    /* 0 or -ENOMEM */
u32 map64_take(struct map64 *m, u64 key);		    /* removes; the value or MAP64_NONE */
int map64_copy(struct map64 *to, const struct map64 *from); /* @to is empty before; 0 or -ENOMEM */
void map64_free(struct map64 *m);			    /* empty afterwards */

#endif
