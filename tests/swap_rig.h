/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole machine opened up: what tests of swap and migration share. */
#ifndef MEMRIG_SWAP_RIG_H
#define MEMRIG_SWAP_RIG_H

#include "core/machine/machine_types.h"
#include "core/phys/page_alloc.h"
#include "core/vm/vm.h"
#include "tests/test.h"

#include <errno.h>

#define PAGE 4096ull
#define BASE 0x10000000ull /* where areas of the tests start */

struct srig {
	struct machine *m;
	struct vm *vm;
	struct swap *sw;
};

static inline struct srig srig_boot(const char *const *sets)
{
	struct machine_config c;
	struct srig g = {0};
	char err[512];

	config_init(&c);
	for (; *sets; sets++)
		if (config_set_pair(&c, *sets, err, sizeof(err)))
			fail_msg("%s", err);
	assert_int_equal(config_finish(&c, err, sizeof(err)), 0);
	g.m = machine_create(&c, err, sizeof(err));
	if (!g.m)
		fail_msg("boot: %s", err);
	g.vm = &g.m->vm;
	g.sw = &g.vm->swap;
	return g;
}

static inline void srig_sound(struct srig *g)
{
	char why[512];

	if (machine_check(g->m, why, sizeof(why)))
		fail_msg("%s", why);
}

static inline void srig_end(struct srig *g)
{
	srig_sound(g);
	machine_destroy(g->m);
	g->m = NULL;
}

static inline u64 srig_event(const struct srig *g, enum vm_event_item ev)
{
	u64 n = 0;

	for (unsigned cpu = 0; cpu < g->m->hw.ncpu; cpu++)
		n += g->m->hw.cpus[cpu].events[ev];
	return n;
}

#endif
