/* SPDX-License-Identifier: BSD-2-Clause */
#include "traces/strtab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "traces/format.h"

/* Where string @i lies: piece k holds STRTAB_FIRST << k of them. */
static char **place(const struct strtab *t, u64 i, unsigned *piece)
{
	*piece = 63u - (unsigned)__builtin_clzll(i / STRTAB_FIRST + 1);
	return t->pieces[*piece] ? &t->pieces[*piece][i - STRTAB_FIRST * ((1ull << *piece) - 1)] : NULL;
}

int strtab_append(struct strtab *t, const char *s, size_t len)
{
	unsigned piece;
	char *copy, **at;

	if (t->nr >= TRACE_MAX_STRINGS || len > TRACE_MAX_STRING_BYTES)
		return -E2BIG;
	at = place(t, t->nr, &piece);
	if (!at)
		t->pieces[piece] = malloc((STRTAB_FIRST << piece) * sizeof(char *));
	at = place(t, t->nr, &piece);
	copy = at ? malloc(len + 1) : NULL;
	if (!copy)
		return -ENOMEM;
	memcpy(copy, s, len);
	copy[len] = 0;
	*at = copy;
	__atomic_store_n(&t->nr, t->nr + 1, __ATOMIC_RELEASE);
	return 0;
}

u32 strtab_intern(struct strtab *t, const char *s, size_t len)
{
	u64 key = XXH64(s, len, 0);
	u32 id;

	if (!len)
		return 0;
	while ((id = map64_get(&t->ids, key)) != MAP64_NONE) {
		const char *have = strtab_get(t, id);

		if (!strncmp(have, s, len) && !have[len])
			return id;
		key++;
	}
	if (strtab_append(t, s, len))
		return 0;
	return map64_set(&t->ids, key, t->nr) ? 0 : t->nr;
}

const char *strtab_get(const struct strtab *t, u64 id)
{
	unsigned piece;

	return id && id <= __atomic_load_n(&t->nr, __ATOMIC_ACQUIRE) ? *place(t, id - 1, &piece) : "";
}

static const char *get(const void *self, u64 id)
{
	return strtab_get(self, id);
}

struct op_strings strtab_strings(const struct strtab *t)
{
	return (struct op_strings){.get = get, .self = t};
}

void strtab_free(struct strtab *t)
{
	unsigned piece;

	for (u32 i = 0; i < t->nr; i++)
		free(*place(t, i, &piece));
	for (unsigned i = 0; i < STRTAB_PIECES; i++)
		free(t->pieces[i]);
	map64_free(&t->ids);
	memset(t, 0, sizeof(*t));
}
