/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct key {
	const char *name, *help, *values, *def_text;
	u64 def, min, max;
	size_t offset;
	enum config_kind kind;
} keys[NR_CONFIG_KEYS] = {
#define AT(key) offsetof(struct machine_config, key)
#define CONFIG_SIZE(key, def, min, max, help)                                                      \
	{#key, help, "", NULL, def, min, max, AT(key), CONFIG_KIND_SIZE},
#define CONFIG_INT(key, def, min, max, help)                                                       \
	{#key, help, "", NULL, def, min, max, AT(key), CONFIG_KIND_INT},
#define CONFIG_ENUM(key, def, names, help) {#key, help, names, def, 0, 0, 0, AT(key), CONFIG_KIND_ENUM},
#define CONFIG_STR(key, def, help)         {#key, help, "", def, 0, 0, 0, AT(key), CONFIG_KIND_STR},
#include "core/config.def"
};

MM_PRINTF(3, 4) static int fail(char *err, size_t n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (err && n)
		vsnprintf(err, n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static u64 *number(struct machine_config *c, const struct key *k)
{
	return (u64 *)(void *)((char *)c + k->offset);
}

static char *string(struct machine_config *c, const struct key *k)
{
	return (char *)c + k->offset;
}

/* Position of @value in "a|b|c", or -1. */
static int enum_position(const char *values, const char *value)
{
	size_t len = strlen(value);
	int i = 0;

	for (const char *p = values; *p; i++) {
		size_t n = strcspn(p, "|");

		if (n == len && !memcmp(p, value, n))
			return i;
		p += n + (p[n] == '|');
	}
	return -1;
}

int config_parse_size(const char *text, u64 *bytes)
{
	char *end;
	u64 v, unit = 1;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, 0);
	if (errno)
		return -EINVAL;
	switch (toupper((unsigned char)*end)) {
	case 'T':
		unit *= 1024; /* fall through */
	case 'G':
		unit *= 1024; /* fall through */
	case 'M':
		unit *= 1024; /* fall through */
	case 'K':
		unit *= 1024;
		end++;
	}
	if (*end || __builtin_mul_overflow(v, unit, bytes))
		return -EINVAL;
	return 0;
}

static size_t edit_distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), row[64];

	if (lb >= ARRAY_SIZE(row))
		return la + lb;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t old = row[j], best = diagonal + (a[i - 1] != b[j - 1]);

			if (old + 1 < best)
				best = old + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diagonal = old;
		}
	}
	return row[lb];
}

const char *config_nearest(const char *name, const char *const *names, size_t n)
{
	const char *best = NULL;
	size_t best_distance = strlen(name) / 2 + 1;

	for (size_t i = 0; i < n; i++) {
		size_t d = edit_distance(name, names[i]);

		if (d < best_distance) {
			best_distance = d;
			best = names[i];
		}
	}
	return best;
}

static int unknown_key(const char *name, char *err, size_t errlen)
{
	const char *names[NR_CONFIG_KEYS], *near;

	for (unsigned i = 0; i < NR_CONFIG_KEYS; i++)
		names[i] = keys[i].name;
	near = config_nearest(name, names, NR_CONFIG_KEYS);
	return fail(err, errlen, "unknown key '%s'%s%s%s", name, near ? ", did you mean '" : "",
		    near ? near : "", near ? "'?" : "; 'memrig show config' lists all");
}

static int set_number(struct machine_config *c, const struct key *k, const char *value, char *err,
		      size_t errlen)
{
	u64 v;
	char *end;

	if (k->kind == CONFIG_KIND_SIZE) {
		if (config_parse_size(value, &v))
			return fail(err, errlen, "%s=%s: expected a size (64K, 256M, 2G)", k->name,
				    value);
	} else {
		errno = 0;
		v = strtoull(value, &end, 0);
		if (errno || !isdigit((unsigned char)*value) || *end)
			return fail(err, errlen, "%s=%s: expected a number", k->name, value);
	}
	if (v < k->min || v > k->max)
		return fail(err, errlen, "%s=%s: expected %" PRIu64 " to %" PRIu64, k->name, value,
			    k->min, k->max);
	*number(c, k) = v;
	return 0;
}

static int set_key(struct machine_config *c, const struct key *k, const char *value, char *err,
		   size_t errlen)
{
	int pos;

	switch (k->kind) {
	case CONFIG_KIND_ENUM:
		pos = enum_position(k->values, value);
		if (pos < 0)
			return fail(err, errlen, "%s=%s: expected one of %s", k->name, value,
				    k->values);
		*number(c, k) = (u64)pos;
		return 0;
	case CONFIG_KIND_STR:
		if (strlen(value) >= CONFIG_STR_MAX)
			return fail(err, errlen, "%s: longer than %d bytes", k->name,
				    CONFIG_STR_MAX - 1);
		strcpy(string(c, k), value);
		return 0;
	default:
		return set_number(c, k, value, err, errlen);
	}
}

void config_init(struct machine_config *c)
{
	memset(c, 0, sizeof(*c));
	for (unsigned i = 0; i < NR_CONFIG_KEYS; i++) {
		const struct key *k = &keys[i];

		if (k->def_text)
			(void)set_key(c, k, k->def_text, NULL, 0);
		else
			*number(c, k) = k->def;
	}
}

int config_set(struct machine_config *c, const char *key, const char *value, char *err, size_t errlen)
{
	/* Spec 13 calls the policy of swap slots `swap`, interfaces.md the size: values tell them apart. */
	if (!strcmp(key, "swap") && (!strcmp(value, "global") || !strcmp(value, "slots")))
		key = "swap_slots";
	for (unsigned i = 0; i < NR_CONFIG_KEYS; i++) {
		if (strcmp(keys[i].name, key))
			continue;
		int r = set_key(c, &keys[i], value, err, errlen);
		if (!r)
			c->given[i] = 1;
		return r;
	}
	return unknown_key(key, err, errlen);
}

int config_set_pair(struct machine_config *c, const char *pair, char *err, size_t errlen)
{
	const char *eq = strchr(pair, '=');
	char key[64];

	if (!eq || eq == pair || (size_t)(eq - pair) >= sizeof(key))
		return fail(err, errlen, "'%s': expected key=value", pair);
	memcpy(key, pair, (size_t)(eq - pair));
	key[eq - pair] = 0;
	return config_set(c, key, eq + 1, err, errlen);
}

/* Values a bundle gives to keys that the user left alone (spec 13 s1). */
static const struct bundle {
	u8 policy;
	const char *key, *value;
} bundles[] = {
	{POLICY_4_0, "dirtycow", "vulnerable"},
	{POLICY_4_12, "reclaim", "node"},      {POLICY_4_12, "fair", "0"},
	{POLICY_4_12, "watermark", "scale"},   {POLICY_4_12, "wmark", "4.4"},
	{POLICY_4_12, "highorder", "highatomic"}, {POLICY_4_12, "steal", "4.12"},
	{POLICY_4_12, "swap_slots", "slots"},  {POLICY_4_12, "compaction", "4.12"},
	{POLICY_4_12, "kcompactd", "1"},        {POLICY_4_12, "compact_unevictable_allowed", "1"},
	{POLICY_MODERN, "compaction", "4.12"}, {POLICY_MODERN, "kcompactd", "1"},
	{POLICY_MODERN, "compact_unevictable_allowed", "1"},
	{POLICY_MODERN, "reclaim", "node"},    {POLICY_MODERN, "fair", "0"},
	{POLICY_MODERN, "watermark", "scale"}, {POLICY_MODERN, "wmark", "4.4"},
	{POLICY_MODERN, "highorder", "highatomic"}, {POLICY_MODERN, "steal", "4.12"},
	{POLICY_MODERN, "hwad", "1"},          {POLICY_MODERN, "swap_slots", "slots"},
	{POLICY_4_12, "inactive", "4.12"},     {POLICY_4_12, "oom", "reaper"},
	{POLICY_4_12, "retry", "4.7"},
	{POLICY_MODERN, "dirtycow", "exclusive"},
	{POLICY_MODERN, "inactive", "4.12"},   {POLICY_MODERN, "oom", "reaper"},
	{POLICY_MODERN, "retry", "4.7"},       {POLICY_MODERN, "anonws", "1"},
	{POLICY_MODERN, "lazyfree", "1"},
	{POLICY_MODERN, "hwad", "1"},          {POLICY_MODERN, "ksm_max_page_sharing", "256"},
	{POLICY_MODERN, "ksm_smart_scan", "1"}, {POLICY_MODERN, "ksm_volatile_first", "1"},
	{POLICY_MODERN, "ksm_checksum", "xxhash"},
};

static void default_to(struct machine_config *c, unsigned key, const char *value)
{
	if (!c->given[key])
		(void)set_key(c, &keys[key], value, NULL, 0);
}

static void apply_bundle(struct machine_config *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(bundles); i++) {
		if (bundles[i].policy != c->policy)
			continue;
		for (unsigned k = 0; k < NR_CONFIG_KEYS; k++)
			if (!strcmp(keys[k].name, bundles[i].key))
				default_to(c, k, bundles[i].value);
	}
	if (c->policy == POLICY_4_12 && c->arch == ARCH_ARM64 && !c->given[CFG_kmalloc_min])
		c->kmalloc_min = 128;
}

static int check_geometry(struct machine_config *c, char *err, size_t errlen)
{
	static const struct {
		u8 page, va;
	} ok[] = {{PAGE_4K, 39}, {PAGE_4K, 48}, {PAGE_16K, 36}, {PAGE_16K, 47}, {PAGE_16K, 48},
		  {PAGE_64K, 42}, {PAGE_64K, 48}};

	if (c->arch == ARCH_ARM32) {
		if (c->page != PAGE_4K)
			return fail(err, errlen, "arch=arm32 has 4k pages only");
		c->va = 32;
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(ok); i++)
		if (ok[i].page == c->page && ok[i].va == c->va)
			return 0;
	return fail(err, errlen, "va=%" PRIu64 " does not go with this page size: "
		    "4k: 39, 48; 16k: 36, 47, 48; 64k: 42, 48", c->va);
}

int config_finish(struct machine_config *c, char *err, size_t errlen)
{
	apply_bundle(c);
	if (c->machine == MACHINE_X86PC)
		default_to(c, CFG_arch, "arm32");
	if (c->arch == ARCH_ARM32)
		default_to(c, CFG_machine, "vexpress");
	else if (c->lpae)
		return fail(err, errlen, "lpae=1 needs arch=arm32");
	if (c->lockdep && !MM_DEBUG)
		return fail(err, errlen, "lockdep=1: this build has no assertions (presets debug, clang, asan have)");
	if (c->lockdep && c->smp)
		return fail(err, errlen, "lockdep=1 needs smp=0: what it checks is one thread's");
	if (c->percpu_pagelist_fraction && c->percpu_pagelist_fraction < 8)
		return fail(err, errlen, "percpu_pagelist_fraction: expected 0 or at least 8");
	if (c->ksm_max_page_sharing == 1)
		return fail(err, errlen, "ksm_max_page_sharing: expected 0 or at least 2");
	if (c->cache_line & (c->cache_line - 1) || c->kmalloc_min & (c->kmalloc_min - 1))
		return fail(err, errlen, "%s: expected a power of two",
			    c->cache_line & (c->cache_line - 1) ? "cache_line" : "kmalloc_min");
	if (c->max_order && c->max_order < 4)
		return fail(err, errlen, "max_order: expected 0 or at least 4");
	return check_geometry(c, err, errlen);
}

const char *config_key_name(unsigned key)
{
	return key < NR_CONFIG_KEYS ? keys[key].name : "";
}

const char *config_key_help(unsigned key)
{
	return key < NR_CONFIG_KEYS ? keys[key].help : "";
}

enum config_kind config_key_kind(unsigned key)
{
	return keys[key].kind;
}

const char *config_key_values(unsigned key)
{
	return key < NR_CONFIG_KEYS ? keys[key].values : "";
}

static const char *print_size(u64 v, char *buf, size_t n)
{
	static const char units[] = "KMGT";
	int u = -1;

	while (u < 3 && v && !(v & 1023)) {
		v >>= 10;
		u++;
	}
	if (u < 0)
		snprintf(buf, n, "%" PRIu64, v);
	else
		snprintf(buf, n, "%" PRIu64 "%c", v, units[u]);
	return buf;
}

const char *config_key_print(const struct machine_config *c, unsigned key, char *buf, size_t n)
{
	const struct key *k = &keys[key];
	struct machine_config *w = (struct machine_config *)(uintptr_t)c;
	const char *p = k->values;

	switch (k->kind) {
	case CONFIG_KIND_STR:
		snprintf(buf, n, "%s", string(w, k));
		return buf;
	case CONFIG_KIND_ENUM:
		for (u64 i = *number(w, k); i; i--)
			p += strcspn(p, "|") + 1;
		snprintf(buf, n, "%.*s", (int)strcspn(p, "|"), p);
		return buf;
	case CONFIG_KIND_SIZE:
		return print_size(*number(w, k), buf, n);
	default:
		snprintf(buf, n, "%" PRIu64, *number(w, k));
		return buf;
	}
}

const char *config_key_default(unsigned key, char *buf, size_t n)
{
	struct machine_config c;

	config_init(&c);
	return config_key_print(&c, key, buf, n);
}
