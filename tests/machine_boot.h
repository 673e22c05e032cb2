/* SPDX-License-Identifier: BSD-2-Clause */
/* A booted machine with one process, for tests that look inside floor 6. */
#ifndef MEMRIG_TEST_MACHINE_BOOT_H
#define MEMRIG_TEST_MACHINE_BOOT_H

#include "core/machine/machine_types.h"
#include "core/vm/vm.h"
#include "tests/test.h"

/* What is left of the way once @c has all its keys. */
static inline struct machine *boot_config(struct machine_config *c, const char *settings)
{
	struct machine *m;
	char err[512];

	if (config_finish(c, err, sizeof(err)))
		fail_msg("%s: %s", settings, err);
	m = machine_create(c, err, sizeof(err));
	if (!m)
		fail_msg("%s: %s", settings, err);
	return m;
}

/* @settings: "key=value" words separated by blanks. */
static inline struct machine *boot_machine(const char *settings)
{
	struct machine_config c;
	char err[512], copy[512], *save = NULL;

	config_init(&c);
	assert_true(strlen(settings) < sizeof(copy));
	strcpy(copy, settings);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		if (config_set_pair(&c, w, err, sizeof(err)))
			fail_msg("%s: %s", settings, err);
	return boot_config(&c, settings);
}

/* @sets: "key=value" words, then NULL. */
static inline struct machine *boot_machine_sets(const char *const *sets)
{
	struct machine_config c;
	char err[512];

	config_init(&c);
	for (; *sets; sets++)
		if (config_set_pair(&c, *sets, err, sizeof(err)))
			fail_msg("%s", err);
	return boot_config(&c, "boot");
}

/* Task @idx, which is also its pid, with an empty address space. */
static inline struct task *boot_task(struct machine *m, u32 idx)
{
	assert_int_equal(vm_define_task(&m->vm, idx, idx, idx), 0);
	assert_int_equal(vm_spawn(&m->vm, vm_task(&m->vm, idx), 0, 0), 0);
	return vm_task(&m->vm, idx);
}

static inline void assert_machine_sound(struct machine *m)
{
	char why[512];

	if (machine_check(m, why, sizeof(why)))
		fail_msg("%s", why);
}

static inline s64 machine_counter(struct machine *m, const char *name)
{
	struct vmstat_snapshot s;

	machine_vmstat(m, &s);
	return s.v[vmstat_by_name(name)];
}

#endif
