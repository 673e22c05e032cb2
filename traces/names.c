/* SPDX-License-Identifier: BSD-2-Clause */
#include "traces/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/op.h"

struct name {
	u64 value;
	const char *name;
};

static const struct name advice_names[] = {{MM_MADV_NORMAL, "normal"},
					   {MM_MADV_RANDOM, "random"},
					   {MM_MADV_SEQUENTIAL, "sequential"},
					   {MM_MADV_WILLNEED, "willneed"},
					   {MM_MADV_DONTNEED, "dontneed"},
					   {MM_MADV_FREE, "free"},
					   {MM_MADV_REMOVE, "remove"},
					   {MM_MADV_DONTFORK, "dontfork"},
					   {MM_MADV_DOFORK, "dofork"},
					   {MM_MADV_MERGEABLE, "mergeable"},
					   {MM_MADV_UNMERGEABLE, "unmergeable"},
					   {MM_MADV_HUGEPAGE, "hugepage"},
					   {MM_MADV_NOHUGEPAGE, "nohugepage"},
					   {MM_MADV_DONTDUMP, "dontdump"},
					   {MM_MADV_DODUMP, "dodump"},
					   {MM_MADV_COLD, "cold"},
					   {MM_MADV_PAGEOUT, "pageout"},
					   {MM_MADV_POPULATE_READ, "populate_read"},
					   {MM_MADV_POPULATE_WRITE, "populate_write"},
					   {MM_MADV_WIPEONFORK, "wipeonfork"},
					   {MM_MADV_KEEPONFORK, "keeponfork"},
					   {MM_MADV_NOREUSE, "noreuse"},
					   {MM_MADV_OTHER, "other"},
					   {0, NULL}};

static const struct name access_names[] = {
	{MM_ACCESS_READ, "r"}, {MM_ACCESS_WRITE, "w"}, {MM_ACCESS_EXEC, "x"}, {0, NULL}};

static const struct name map_names[] = {{MM_MAP_SHARED, "shared"},
					{MM_MAP_PRIVATE, "private"},
					{MM_MAP_ANON, "anon"},
					{MM_MAP_FIXED, "fixed"},
					{MM_MAP_FIXED_NOREPLACE, "fixed_noreplace"},
					{MM_MAP_GROWSDOWN, "growsdown"},
					{MM_MAP_LOCKED, "locked"},
					{MM_MAP_POPULATE, "populate"},
					{MM_MAP_NORESERVE, "noreserve"},
					{MM_MAP_NONBLOCK, "nonblock"},
					{MM_MAP_STACK, "stack"},
					{MM_MAP_HUGETLB, "hugetlb"},
					{MM_MAP_DENYWRITE, "denywrite"},
					{MM_MAP_SYNC, "sync"},
					{MM_MAP_32BIT, "32bit"},
					{MM_MAP_ANON, "anonymous"},
					{0, NULL}};

/* Combinations first, the largest first: printing takes the first that fits. */
static const struct name gfp_names[] = {
	{0x20000 | 0xd0 | 0x2 | 0x8 | 0x4000 | 0x10000 | 0x1000 | 0x200 | 0x400000, "transhuge"},
	{0x200da, "highuser_movable"},
	{0x200d2, "highuser"},
	{0x200d0, "user"},
	{0x800d0, "temporary"},
	{0xd0, "kernel"},
	{0x50, "nofs"},
	{0x10, "noio"},
	{0x20, "atomic"},
	{0x1, "dma"},
	{0x2, "highmem"},
	{0x4, "dma32"},
	{0x8, "movable"},
	{0x10, "wait"},
	{0x20, "high"},
	{0x40, "io"},
	{0x80, "fs"},
	{0x100, "cold"},
	{0x200, "nowarn"},
	{0x400, "repeat"},
	{0x800, "nofail"},
	{0x1000, "noretry"},
	{0x2000, "memalloc"},
	{0x4000, "comp"},
	{0x8000, "zero"},
	{0x10000, "nomemalloc"},
	{0x20000, "hardwall"},
	{0x40000, "thisnode"},
	{0x80000, "reclaimable"},
	{0x400000, "no_kswapd"},
	{0x1000000, "write"},
	{0, "nowait"},
	{0, NULL}};

static const struct name lock_names[] = {{MM_MLOCK_ONFAULT, "onfault"},
					 {MM_MCL_CURRENT, "current"},
					 {MM_MCL_FUTURE, "future"},
					 {MM_MCL_ONFAULT, "mcl_onfault"},
					 {0, NULL}};

static const struct name mremap_names[] = {{MM_MREMAP_MAYMOVE, "maymove"},
					   {MM_MREMAP_FIXED, "fixed"},
					   {MM_MREMAP_DONTUNMAP, "dontunmap"},
					   {0, NULL}};

static const struct name msync_names[] = {{MM_MS_ASYNC, "async"},
					  {MM_MS_INVALIDATE, "invalidate"},
					  {MM_MS_SYNC, "sync"},
					  {0, NULL}};

static const struct name fmode_names[] = {{MM_FMODE_READ, "read"},
					  {MM_FMODE_WRITE, "write"},
					  {MM_FMODE_APPEND, "append"},
					  {MM_FMODE_NOEXEC, "noexec"},
					  {MM_FMODE_NOMMAP, "nommap"},
					  {0, NULL}};

static const struct name wmark_names[] = {{0x20, "high"}, {0x10, "harder"}, {0, NULL}};

static const struct name slab_names[] = {{0x100, "debug_free"},
					 {0x400, "red_zone"},
					 {0x800, "poison"},
					 {0x2000, "hwcache_align"},
					 {0x4000, "cache_dma"},
					 {0x10000, "store_user"},
					 {0x20000, "reclaim_account"},
					 {0x40000, "panic"},
					 {0x80000, "destroy_by_rcu"},
					 {0x100000, "mem_spread"},
					 {0x200000, "trace"},
					 {0x20000, "temporary"},
					 {0x80000, "typesafe_by_rcu"},
					 {0, NULL}};

static const struct {
	const char *name, *expected;
	const struct name *names;
	char zero[4]; /* text of an empty set */
} kinds[NR_KEY_KINDS] = {
	[KK_HEX] = {"hex", "a number", NULL, ""},
	[KK_DEC] = {"dec", "a number", NULL, ""},
	[KK_BYTES] = {"bytes", "a number of bytes (K, M, G, T)", NULL, ""},
	[KK_STR] = {"str", "a word or a \"quoted string\"", NULL, ""},
	[KK_NAME] = {"name", "a number or a name", NULL, ""},
	[KK_TASK] = {"task", "a task: pid or pid.tid", NULL, ""},
	[KK_PROT] = {"prot", "letters of rwx, or -", NULL, "-"},
	[KK_ADVICE] = {"advice", "a name of madvise's advice in lower case", advice_names, ""},
	[KK_ACCESS] = {"access", "r, w or x", access_names, ""},
	[KK_MAP] = {"map", "names of mmap flags in lower case", map_names, "0"},
	[KK_GFP] = {"gfp", "names of allocation flags in lower case", gfp_names, "0"},
	[KK_LOCK] = {"lock", "onfault, current, future", lock_names, "0"},
	[KK_MREMAP] = {"mremap", "maymove, fixed, dontunmap", mremap_names, "0"},
	[KK_FMODE] = {"fmode", "read, write, append, noexec, nommap", fmode_names, "0"},
	[KK_WMARK] = {"wmark", "high, harder", wmark_names, "0"},
	[KK_MSYNC] = {"msync", "async, invalidate, sync", msync_names, "0"},
	[KK_SLAB] = {"slab", "names of slab flags in lower case", slab_names, "0"},
};

enum key_kind names_kind(const char *name, size_t len)
{
	for (unsigned k = 0; k < NR_KEY_KINDS; k++)
		if (!strncmp(kinds[k].name, name, len) && !kinds[k].name[len])
			return (enum key_kind)k;
	return NR_KEY_KINDS;
}

const char *names_expected(enum key_kind kind)
{
	return kind < NR_KEY_KINDS ? kinds[kind].expected : "?";
}

static unsigned digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 99;
}

static unsigned suffix_shift(char c)
{
	static const char letters[] = "KMGT";
	const char *at = memchr(letters, c & ~0x20, 4);

	return at ? 10u * (unsigned)(at - letters + 1) : 0;
}

int names_number(const char *text, size_t len, u64 *value)
{
	unsigned base = 10, shift = 0;
	bool negative = len && *text == '-';
	u64 v = 0;
	size_t i = negative;

	if (len >= i + 3 && text[i] == '0' && (text[i + 1] | 0x20) == 'x') {
		base = 16;
		i += 2;
	} else if (len > i + 1 && (shift = suffix_shift(text[len - 1]))) {
		len--;
	}
	if (i >= len)
		return -EINVAL;
	for (; i < len; i++) {
		unsigned d = digit(text[i]);

		if (d >= base || __builtin_mul_overflow(v, (u64)base, &v) ||
		    __builtin_add_overflow(v, (u64)d, &v))
			return -EINVAL;
	}
	if (shift && v >> (64 - shift))
		return -EINVAL;
	v <<= shift;
	if (negative && v > 1ull << 63)
		return -EINVAL;
	*value = negative ? -v : v;
	return 0;
}

static const struct name *by_name(const struct name *n, const char *text, size_t len)
{
	for (; n->name; n++)
		if (strlen(n->name) == len && !strncmp(n->name, text, len))
			return n;
	return NULL;
}

static int parse_prot(const char *text, size_t len, u64 *value)
{
	*value = 0;
	if (len == 1 && *text == '-')
		return 0;
	if (len && *text >= '0' && *text <= '9')
		return names_number(text, len, value) || *value > 7 ? -EINVAL : 0;
	for (size_t i = 0; i < len; i++) {
		u64 bit = text[i] == 'r'   ? MM_PROT_READ
			  : text[i] == 'w' ? MM_PROT_WRITE
			  : text[i] == 'x' ? MM_PROT_EXEC
					   : 0;

		if (text[i] != '-' && (!bit || *value & bit))
			return -EINVAL;
		*value |= bit;
	}
	return len ? 0 : -EINVAL;
}

int names_parse(enum key_kind kind, const char *text, size_t len, u64 *value)
{
	const struct name *names = kinds[kind].names, *n;
	bool set = kind >= KK_MAP;

	if (kind == KK_PROT)
		return parse_prot(text, len, value);
	*value = 0;
	if (set && len == 1 && *text == '-')
		return 0;
	while (len) {
		size_t part = 0;
		u64 v;

		while (part < len && !(set && strchr(",|+", text[part])))
			part++;
		n = by_name(names, text, part);
		if (n)
			v = n->value;
		else if (names_number(text, part, &v))
			return -EINVAL;
		*value |= v;
		if (part == len)
			return 0;
		text += part + 1;
		len -= part + 1;
	}
	return -EINVAL;
}

static size_t print_prot(u64 value, char *buf, size_t n)
{
	int len = snprintf(buf, n, "%s%s%s%s", value & 1 ? "r" : "", value & 2 ? "w" : "",
			   value & 4 ? "x" : "", value & 7 ? "" : "-");

	return (size_t)len;
}

static size_t print_set(const struct name *names, u64 value, const char *zero, char *buf, size_t n)
{
	size_t len = 0;

	if (!value)
		return (size_t)snprintf(buf, n, "%s", zero);
	for (; names->name && value && len < n; names++) {
		if (!names->value || (value & names->value) != names->value)
			continue;
		len += (size_t)snprintf(buf + len, n - len, "%s%s", len ? "," : "", names->name);
		value &= ~names->value;
	}
	if (value && len < n)
		len += (size_t)snprintf(buf + len, n - len, "%s0x%" PRIx64, len ? "," : "", value);
	return len;
}

size_t names_print(enum key_kind kind, u64 value, char *buf, size_t n)
{
	const struct name *names = kinds[kind].names;

	if (kind == KK_PROT)
		return print_prot(value, buf, n);
	if (kind >= KK_MAP)
		return print_set(names, value, kinds[kind].zero, buf, n);
	if (kind == KK_HEX)
		return (size_t)snprintf(buf, n, "0x%" PRIx64, value);
	for (; names && names->name; names++)
		if (names->value == value)
			return (size_t)snprintf(buf, n, "%s", names->name);
	if (value >= -4096ull)
		return (size_t)snprintf(buf, n, "%" PRId64, (s64)value);
	return (size_t)snprintf(buf, n, "%" PRIu64, value);
}

/* Levenshtein distance, capped: words here are short. */
static unsigned distance(const char *a, size_t na, const char *b, size_t nb)
{
	unsigned row[32];

	if (na > 31 || nb > 31)
		return 99;
	for (size_t j = 0; j <= nb; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= na; i++) {
		unsigned diagonal = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = row[j];
			row[j] = best;
		}
	}
	return row[nb];
}

const char *names_nearest(const char *text, size_t len, const char *(*next)(void *ctx), void *ctx)
{
	const char *candidate, *best = NULL;
	unsigned least = len < 4 ? 2 : 4;

	while ((candidate = next(ctx))) {
		unsigned d = *candidate ? distance(text, len, candidate, strlen(candidate)) : 99;

		if (d < least) {
			least = d;
			best = candidate;
		}
	}
	return best;
}

#define ERRNOS(X)                                                                                  \
	X(EPERM)                                                                                   \
	X(ENOENT) X(ESRCH) X(EINTR) X(EIO) X(ENXIO) X(E2BIG) X(ENOEXEC) X(EBADF) X(ECHILD)         \
		X(EAGAIN) X(ENOMEM) X(EACCES) X(EFAULT) X(EBUSY) X(EEXIST) X(EXDEV) X(ENODEV)      \
			X(ENOTDIR) X(EISDIR) X(EINVAL) X(ENFILE) X(EMFILE) X(ENOTTY) X(ETXTBSY)    \
				X(EFBIG) X(ENOSPC) X(ESPIPE) X(EROFS) X(EPIPE) X(EDOM) X(ERANGE)   \
					X(EDEADLK) X(ENAMETOOLONG) X(ENOSYS) X(ENOTEMPTY) X(ELOOP) \
						X(EOVERFLOW) X(EOPNOTSUPP) X(ETIMEDOUT)            \
							X(EHWPOISON)

int names_errno(const char *text, size_t len)
{
#define X(e)                                                                                       \
	if (len == sizeof(#e) - 1 && !strncmp(text, #e, len))                                      \
		return e;
	ERRNOS(X)
#undef X
	return 0;
}

const char *names_errno_name(int err)
{
	switch (err) {
#define X(e)                                                                                       \
	case e:                                                                                    \
		return #e;
		ERRNOS(X)
#undef X
	}
	return NULL;
}
