/* SPDX-License-Identifier: BSD-2-Clause */
#include "traces/strtab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "traces/format.h"

int strtab_append(struct strtab *t, const char *s, size_t len)
{
	char *copy;

	if (t->nr >= TRACE_MAX_STRINGS || len > TRACE_MAX_STRING_BYTES)
		return -E2BIG;
	if (t->nr == t->cap) {
		u32 cap = t->cap ? t->cap * 2 : 64;
		char **more = realloc(t->strings, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		t->strings = more;
		t->cap = cap;
	}
	copy = malloc(len + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, s, len);
	copy[len] = 0;
	t->strings[t->nr++] = copy;
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
	return id && id <= t->nr ? t->strings[id - 1] : "";
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
	for (u32 i = 0; i < t->nr; i++)
		free(t->strings[i]);
	free(t->strings);
	map64_free(&t->ids);
	memset(t, 0, sizeof(*t));
}
