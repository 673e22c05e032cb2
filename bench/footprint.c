/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/footprint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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

int footprint_ample(const struct machine_config *c, struct machine_config *ample, char *err, size_t errlen)
{
	double share;
	char *end;

	share = strtod(c->mem, &end);
	if (strcmp(end, "wss") || !(share > 0 && share <= 1000)) {
		snprintf(err, errlen, "mem=%s: expected a fraction of the footprint above 0, as in 0.5wss", c->mem);
		return -EINVAL;
	}
	*ample = *c;
	ample->memlimit = 0;
	memset(ample->mem, 0, sizeof(ample->mem)); /* configurations are compared by their bytes */
	snprintf(ample->mem, sizeof(ample->mem), "%s", c->arch == ARCH_ARM32 ? "2G" : "32G");
	return 0;
}

int footprint_set(struct machine_config *c, u64 frames, char *err, size_t errlen)
{
	u64 bytes;
	int rc = search(c, (u64)((double)frames * strtod(c->mem, NULL)), &bytes, err, errlen);

	if (!rc)
		snprintf(c->mem, sizeof(c->mem), "%lluK", bytes / KiB);
	return rc;
}

int footprint_resolve(struct machine_config *c, const struct op_source *src, char *err, size_t errlen)
{
	struct machine_config ample;
	struct machine *m = footprint_ample(c, &ample, err, errlen) ? NULL : machine_create(&ample, err, errlen);
	struct replay_stats *st = m ? malloc(sizeof(*st)) : NULL;
	u64 frames = 0;
	int rc = -EINVAL;

	if (m && !st)
		snprintf(err, errlen, "out of memory");
	if (st) {
		rc = replay_loop(m, src, &(struct replay_options){.quiet = true, .most_used = &frames}, st);
		if (rc)
			snprintf(err, errlen, "%s", rc == -EIO ? st->error : "out of memory");
	}
	free(st);
	machine_destroy(m);
	return rc ? -EINVAL : footprint_set(c, frames, err, errlen);
}
