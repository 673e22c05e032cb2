/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of allocation flags: combinations first, longest first when printing. */
#include "core/phys/gfp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	gfp_t gfp;
} names[] = {
	{"transhuge", GFP_TRANSHUGE},
	{"highuser_movable", GFP_HIGHUSER_MOVABLE},
	{"highuser", GFP_HIGHUSER},
	{"user", GFP_USER},
	{"temporary", GFP_TEMPORARY},
	{"kernel", GFP_KERNEL},
	{"nofs", GFP_NOFS},
	{"noio", GFP_NOIO},
	{"atomic", GFP_ATOMIC},
#define X(SYM, value, name) {name, MM_GFP_##SYM},
	GFP_BITS(X)
#undef X
	{"nowait", GFP_NOWAIT},
};

int gfp_by_name(const char *name, size_t len, gfp_t *gfp)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strlen(names[i].name) == len && !memcmp(names[i].name, name, len)) {
			*gfp = names[i].gfp;
			return 0;
		}
	}
	return -EINVAL;
}

int gfp_parse(const char *text, gfp_t *gfp)
{
	gfp_t sum = 0, one;
	char *end;

	if (*text >= '0' && *text <= '9') {
		unsigned long v = strtoul(text, &end, 0);

		if (*end || v > UINT32_MAX)
			return -EINVAL;
		*gfp = (gfp_t)v;
		return 0;
	}
	for (;;) {
		size_t n = strcspn(text, "|,+");

		if (gfp_by_name(text, n, &one))
			return -EINVAL;
		sum |= one;
		if (!text[n])
			break;
		text += n + 1;
	}
	*gfp = sum;
	return 0;
}

const char *gfp_print(gfp_t gfp, char *buf, size_t n)
{
	size_t used = 0;

	if (!n)
		return buf;
	buf[0] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(names) && gfp; i++) {
		if (!names[i].gfp || (gfp & names[i].gfp) != names[i].gfp)
			continue;
		gfp &= ~names[i].gfp;
		used += (size_t)snprintf(buf + used, n - used, "%s%s", used ? "," : "", names[i].name);
		if (used >= n)
			return buf;
	}
	if (gfp)
		snprintf(buf + used, n - used, "%s0x%x", used ? "," : "", gfp);
	else if (!used)
		snprintf(buf, n, "nowait");
	return buf;
}
