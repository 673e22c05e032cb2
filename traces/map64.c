/* SPDX-License-Identifier: BSD-2-Clause */
#include "traces/map64.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"

static u32 mask_of(const struct map64 *m)
{
	return (1u << m->bits) - 1;
}

/* Place of @key, or the empty place where it would go. */
static u32 find(const struct map64 *m, u64 key)
{
	u32 i = hash_u64(key, m->bits), mask = mask_of(m);

	while (m->values[i] != MAP64_NONE && m->keys[i] != key)
		i = (i + 1) & mask;
	return i;
}

static int allocate(struct map64 *m, unsigned bits)
{
	size_t n = (size_t)1 << bits;

	m->keys = malloc(n * sizeof(*m->keys));
	m->values = malloc(n * sizeof(*m->values));
	if (!m->keys || !m->values) {
		free(m->keys);
		free(m->values);
		return -ENOMEM;
	}
	memset(m->values, 0xff, n * sizeof(*m->values));
	m->bits = bits;
	m->nr = 0;
	return 0;
}

static int grow(struct map64 *m)
{
	struct map64 old = *m, bigger = {0};
	size_t n = old.keys ? (size_t)1 << old.bits : 0;

	if (allocate(&bigger, old.keys ? old.bits + 1 : 6))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		u32 to;

		if (old.values[i] == MAP64_NONE)
			continue;
		to = find(&bigger, old.keys[i]);
		bigger.keys[to] = old.keys[i];
		bigger.values[to] = old.values[i];
	}
	bigger.nr = old.nr;
	map64_free(&old);
	*m = bigger;
	return 0;
}

u32 map64_get(const struct map64 *m, u64 key)
{
	return m->keys ? m->values[find(m, key)] : MAP64_NONE;
}

int map64_set(struct map64 *m, u64 key, u32 value)
{
	u32 i;

	if (!m->keys || m->nr >= (mask_of(m) >> 2) * 3) {
		if (m->bits >= 30 || grow(m))
			return -ENOMEM;
	}
	i = find(m, key);
	m->nr += m->values[i] == MAP64_NONE;
	m->keys[i] = key;
	m->values[i] = value;
	return 0;
}

u32 map64_take(struct map64 *m, u64 key)
{
	u32 hole, value, mask;

	if (!m->keys)
		return MAP64_NONE;
	hole = find(m, key);
	value = m->values[hole];
	if (value == MAP64_NONE)
		return MAP64_NONE;
	mask = mask_of(m);
	for (u32 i = (hole + 1) & mask; m->values[i] != MAP64_NONE; i = (i + 1) & mask) {
		u32 home = hash_u64(m->keys[i], m->bits);

		/* may i move to the hole? only if its home does not lie cyclically in (hole, i] */
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		m->keys[hole] = m->keys[i];
		m->values[hole] = m->values[i];
		hole = i;
	}
	m->values[hole] = MAP64_NONE;
	m->nr--;
	return value;
}

int map64_copy(struct map64 *to, const struct map64 *from)
{
	size_t n;

	if (!from->nr)
		return 0;
	if (allocate(to, from->bits))
		return -ENOMEM;
	n = (size_t)1 << from->bits;
	memcpy(to->keys, from->keys, n * sizeof(*to->keys));
	memcpy(to->values, from->values, n * sizeof(*to->values));
	to->nr = from->nr;
	return 0;
}

void map64_free(struct map64 *m)
{
	free(m->keys);
	free(m->values);
	memset(m, 0, sizeof(*m));
}
