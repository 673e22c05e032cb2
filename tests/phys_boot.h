/* SPDX-License-Identifier: BSD-2-Clause */
/* Boots floors 2 and 3 from "key=value ..." for tests. */
#ifndef MEMRIG_TESTS_PHYS_BOOT_H
#define MEMRIG_TESTS_PHYS_BOOT_H

#include "core/phys/page_alloc.h"
#include "tests/test.h"

struct phys_rig {
	struct machine_config config;
	struct hw hw;
	struct phys phys;
	char err[256];
};

/* NORMAL 190 blocks of order 10, HIGHMEM 66: the machine of spec 01 s12. */
#define IDEAL_1G "arch=arm32 machine=vexpress ideal=1 mem=1G "

/* 0, or what went wrong, with rig->err set. Later pairs override earlier ones. */
static inline int rig_try(struct phys_rig *rig, const char *pairs)
{
	struct phys_layout layout;
	char text[1024], *save = NULL;
	int r;

	memset(rig, 0, sizeof(*rig));
	config_init(&rig->config);
	assert_true(strlen(pairs) < sizeof(text));
	strcpy(text, pairs);
	for (char *t = strtok_r(text, " ", &save); t; t = strtok_r(NULL, " ", &save)) {
		r = config_set_pair(&rig->config, t, rig->err, sizeof(rig->err));
		if (r)
			return r;
	}
	r = config_finish(&rig->config, rig->err, sizeof(rig->err));
	if (!r)
		r = phys_plan(&rig->config, &layout, rig->err, sizeof(rig->err));
	if (r)
		return r;
	struct hw_params hp = {.base = layout.base, .bytes = layout.bytes,
			       .page_shift = config_page_shift(&rig->config),
			       .ncpu = (unsigned)rig->config.ncpu,
			       .data_bytes = rig->config.data == DATA_BYTES,
			       .seed = rig->config.seed};

	r = hw_init(&rig->hw, &hp);
	if (r)
		return r;
	r = phys_init(&rig->phys, &rig->hw, &rig->config, rig->err, sizeof(rig->err));
	if (r)
		hw_destroy(&rig->hw);
	return r;
}

static inline void rig_check(struct phys_rig *rig)
{
	char why[256] = "";

	if (phys_check(&rig->phys, why, sizeof(why)))
		fail_msg("%s", why);
}

static inline struct phys *rig_boot(struct phys_rig *rig, const char *pairs)
{
	if (rig_try(rig, pairs))
		fail_msg("boot of '%s': %s", pairs, rig->err);
	rig_check(rig);
	return &rig->phys;
}

static inline void rig_down(struct phys_rig *rig)
{
	rig_check(rig);
	phys_destroy(&rig->phys);
	hw_destroy(&rig->hw);
}

/* Zone of @type on node 0. */
static inline struct zone *rig_zone(struct phys *p, enum zone_type type)
{
	assert_non_null(p->nodes[0].node_zones[type]);
	return p->nodes[0].node_zones[type];
}

static inline u64 free_pages_of(const struct zone *z)
{
	return (u64)zone_page_state(z, NR_FREE_PAGES);
}

/* nr_free by order against a list that ends with -1. */
static inline void assert_nr_free(const struct zone *z, const int *want)
{
	for (unsigned o = 0; o < z->phys->max_order; o++) {
		assert_true(want[o] >= 0);
		if ((int)z->free_area[o].nr_free != want[o])
			fail_msg("%s order %u: %u free blocks, expected %d", z->name, o,
				 z->free_area[o].nr_free, want[o]);
	}
}
#define ASSERT_NR_FREE(z, ...) assert_nr_free(z, (const int[]){__VA_ARGS__, -1, -1, -1, -1})

#endif
