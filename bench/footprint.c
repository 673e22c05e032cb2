/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/footprint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define STRETCH 64 /* records between two looks at the free frames */
#define ROUNDS  8  /* of the search for the size; the memmap grows with it by 1/64 */

bool footprint_asked(const struct machine_config *c)
{
	size_t n = strlen(c->mem);

	return n >= 3 && !strcmp(c->mem + n - 3, "wss");
}

static u64 free_frames(const struct machine *m)
{
	struct vmstat_snapshot s;

	machine_vmstat(m, &s);
	return (u64)s.v[vmstat_by_name("nr_free_pages")];
}

/* A machine like @c with @bytes of RAM. */
static struct machine *boot(const struct machine_config *c, u64 bytes, char *err, size_t errlen)
{
	struct machine_config sized = *c;

	snprintf(sized.mem, sizeof(sized.mem), "%" PRIu64, bytes);
	return machine_create(&sized, err, errlen);
}

/* The most frames of @m that @src had in use at once. */
static int most_used(struct machine *m, const struct op_source *src, u64 *frames, char *err, size_t errlen)
{
	const u64 at_boot = free_frames(m);
	struct op_strings strings = src->strings(src->self);
	const struct mm_op *ops;
	u64 least = at_boot;
	ssize_t n;

	while ((n = src->next(src->self, &ops)) > 0) {
		for (size_t i = 0, len; i < (size_t)n; i += len) {
			u64 left;

			len = (size_t)n - i < STRETCH ? (size_t)n - i : STRETCH;
			if (i + len < (size_t)n && ops[i + len].code == OP_EXT)
				len++;
			machine_apply(m, ops + i, len, &strings, NULL);
			left = free_frames(m);
			least = left < least ? left : least;
		}
	}
	if (n < 0) {
		snprintf(err, errlen, "%s", src->error(src->self));
		return -EINVAL;
	}
	*frames = at_boot - least;
	return 0;
}

/* The least RAM with which @c boots to at least @want free frames. */
static int search(const struct machine_config *c, u64 want, u64 *bytes, char *err, size_t errlen)
{
	const unsigned shift = config_page_shift(c);
	const u64 grain = c->arch == ARCH_ARM32 ? 2 * MiB : 64 * KiB; /* banks of lowmem end so */

	*bytes = ALIGN_UP((want << shift) + c->kernel_size + 32 * MiB, grain);
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct machine *m = boot(c, *bytes, err, errlen);
		s64 spare;

		if (!m)
			return -EINVAL;
		spare = (s64)(free_frames(m) - want) << shift;
		machine_destroy(m);
		if (spare >= 0 && spare < (s64)(2 * grain))
			break;
		*bytes = spare >= 0 ? *bytes - (u64)spare / grain * grain :
				      *bytes + ALIGN_UP((u64)-spare, grain);
	}
	return 0;
}

int footprint_resolve(struct machine_config *c, const struct op_source *src, char *err, size_t errlen)
{
	struct machine_config ample = *c;
	struct machine *m;
	u64 frames = 0, bytes;
	double share;
	char *end;
	int rc;

	share = strtod(c->mem, &end);
	if (strcmp(end, "wss") || !(share > 0 && share <= 1000)) {
		snprintf(err, errlen, "mem=%s: expected a fraction of the footprint above 0, as in 0.5wss", c->mem);
		return -EINVAL;
	}
	ample.memlimit = 0;
	m = boot(&ample, c->arch == ARCH_ARM32 ? 2 * GiB : 32 * GiB, err, errlen);
	if (!m)
		return -EINVAL;
	rc = most_used(m, src, &frames, err, errlen);
	machine_destroy(m);
	if (!rc)
		rc = search(c, (u64)((double)frames * share), &bytes, err, errlen);
	if (!rc)
		snprintf(c->mem, sizeof(c->mem), "%lluK", bytes / KiB);
	return rc;
}
