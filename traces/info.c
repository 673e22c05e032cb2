/* SPDX-License-Identifier: BSD-2-Clause */
#include "traces/info.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bits.h"
#include "traces/format.h"

void trace_info_init(struct trace_info *info)
{
	memset(info, 0, sizeof(*info));
#if defined(__x86_64__)
	strcpy(info->arch, "x86_64");
#elif defined(__aarch64__)
	strcpy(info->arch, "aarch64");
#else
	strcpy(info->arch, "unknown");
#endif
	info->page_shift = ilog2((u64)sysconf(_SC_PAGESIZE));
	info->version = TRACE_VERSION_NOW;
}

void trace_info_free(struct trace_info *info)
{
	for (u32 i = 0; i < info->nr; i++) {
		free(info->kv[i].key);
		free(info->kv[i].value);
	}
	free(info->kv);
	memset(info, 0, sizeof(*info));
}

int trace_info_copy(struct trace_info *to, const struct trace_info *from)
{
	*to = *from;
	to->nr = to->cap = to->bytes = 0;
	to->kv = NULL;
	for (u32 i = 0; i < from->nr; i++) {
		int err = trace_info_set(to, from->kv[i].key, from->kv[i].value);

		if (err) {
			trace_info_free(to);
			return err;
		}
	}
	to->lost = from->lost;
	return 0;
}

static bool key_ok(const char *key)
{
	size_t n = strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

	return n && !key[n] && n < 64;
}

static int set_page_size(struct trace_info *info, const char *value)
{
	char *end;
	u64 v = strtoull(value, &end, 0);

	if (*end == 'k' || *end == 'K') {
		v *= 1024;
		end++;
	}
	if (*end || !is_pow2(v) || v < 512 || v > (1u << 30))
		return -EINVAL;
	info->page_shift = ilog2(v);
	return 0;
}

static int set_lost(struct trace_info *info, const char *value)
{
	char *end;
	u64 v = strtoull(value, &end, 0);

	if (*end || end == value)
		return -EINVAL;
	info->lost = v;
	return 0;
}

static struct trace_kv *find(const struct trace_info *info, const char *key)
{
	for (u32 i = 0; i < info->nr; i++)
		if (!strcmp(info->kv[i].key, key))
			return &info->kv[i];
	return NULL;
}

static struct trace_kv *add(struct trace_info *info, const char *key)
{
	struct trace_kv *kv;

	if (info->nr == info->cap) {
		u32 cap = info->cap ? info->cap * 2 : 16;
		struct trace_kv *more = realloc(info->kv, cap * sizeof(*more));

		if (!more)
			return NULL;
		info->kv = more;
		info->cap = cap;
	}
	kv = &info->kv[info->nr];
	kv->key = strdup(key);
	kv->value = NULL;
	if (!kv->key)
		return NULL;
	info->nr++;
	return kv;
}

/* One line without blanks at its end. */
static void tidy(char *s)
{
	size_t n = strlen(s);

	for (char *c = s; *c; c++)
		if ((unsigned char)*c < 32)
			*c = ' ';
	while (n && s[n - 1] == ' ')
		s[--n] = 0;
}

int trace_info_set(struct trace_info *info, const char *key, const char *value)
{
	struct trace_kv *kv;
	char *copy;

	if (!key_ok(key) || strlen(value) > TRACE_MAX_STRING_BYTES)
		return -EINVAL;
	if (!strcmp(key, "arch")) {
		if (!*value || strlen(value) >= sizeof(info->arch) || strpbrk(value, " \t\n"))
			return -EINVAL;
		strcpy(info->arch, value);
		return 0;
	}
	if (!strcmp(key, "page_size"))
		return set_page_size(info, value);
	if (!strcmp(key, "lost"))
		return set_lost(info, value);
	while (*value == ' ' || *value == '\t')
		value++;
	if (info->nr >= TRACE_MAX_INFO_LINES || info->bytes + strlen(value) > MiB)
		return -E2BIG;
	copy = strdup(value);
	kv = find(info, key);
	if (copy && !kv)
		kv = add(info, key);
	if (!copy || !kv) {
		free(copy);
		return -ENOMEM;
	}
	tidy(copy);
	info->bytes += (u32)strlen(copy);
	info->bytes -= kv->value ? (u32)strlen(kv->value) : 0;
	free(kv->value);
	kv->value = copy;
	return 0;
}

int trace_info_setf(struct trace_info *info, const char *key, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return trace_info_set(info, key, text);
}

const char *trace_info_get(const struct trace_info *info, const char *key)
{
	const struct trace_kv *kv = find(info, key);

	return kv ? kv->value : "";
}

int trace_info_add_lost(struct trace_info *info, const char *kind, unsigned cpu, u64 n)
{
	char key[64];
	u64 had;

	snprintf(key, sizeof(key), "lost.%.32s.%u", kind, cpu);
	had = strtoull(trace_info_get(info, key), NULL, 0);
	info->lost += n;
	return trace_info_setf(info, key, "%" PRIu64, had + n);
}

int trace_info_add_probe(struct trace_info *info, const char *name, u64 cost_ns, u64 hits)
{
	char key[64];

	snprintf(key, sizeof(key), "probe.%.40s", name);
	return trace_info_setf(info, key, "%" PRIu64 " %" PRIu64, cost_ns, hits);
}
