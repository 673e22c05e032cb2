/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/bench_phys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int configure(struct phys_bench *b, const char *pairs)
{
	char text[512], *save = NULL;

	config_init(&b->config);
	snprintf(text, sizeof(text), "%s", pairs);
	for (char *t = strtok_r(text, " ", &save); t; t = strtok_r(NULL, " ", &save))
		if (config_set_pair(&b->config, t, b->err, sizeof(b->err)))
			return -1;
	return config_finish(&b->config, b->err, sizeof(b->err));
}

static int boot(struct phys_bench *b)
{
	struct phys_layout layout;

	if (phys_plan(&b->config, &layout, b->err, sizeof(b->err)))
		return -1;
	struct hw_params p = {.base = layout.base, .bytes = layout.bytes,
			      .page_shift = config_page_shift(&b->config),
			      .ncpu = (unsigned)b->config.ncpu, .seed = b->config.seed};

	if (hw_init(&b->hw, &p)) {
		snprintf(b->err, sizeof(b->err), "no address space for the arena");
		return -1;
	}
	if (phys_init(&b->phys, &b->hw, &b->config, b->err, sizeof(b->err))) {
		hw_destroy(&b->hw);
		return -1;
	}
	return 0;
}

struct phys_bench *phys_bench_boot(const char *pairs)
{
	struct phys_bench *b = aligned_alloc(64, (sizeof(*b) + 63) & ~63ul);

	if (!b)
		return NULL;
	memset(b, 0, sizeof(*b));
	if (configure(b, pairs) || boot(b)) {
		fprintf(stderr, "%s: %s\n", pairs, b->err);
		free(b);
		return NULL;
	}
	return b;
}

void phys_bench_down(struct phys_bench *b)
{
	phys_destroy(&b->phys);
	hw_destroy(&b->hw);
	free(b);
}
