/* SPDX-License-Identifier: BSD-2-Clause */
/* A13.1: every policy key alone, and the bundles, keep all invariants under pressure. */
#include "core/base/limits.h"
#include "core/machine.h"
#include "tests/machine_boot.h"
#include "workloads/workload.h"

static const char *const policies[] = {
	"policy=4.0", "policy=4.12", "policy=modern", "reclaim=node", "fair=0", "watermark=scale", "wmark=4.4",
	"highorder=highatomic", "steal=4.12", "inactive=4.12", "oom=reaper", "retry=4.7", "swap_slots=slots",
	"kcompactd=1", "compaction=4.12", "compaction=off", "ksm_use_zero_pages=1", "kmalloc_min=128",
	"dirtycow=vulnerable", "lazyfree=1", "vmapstack=1", "anonws=1", "workingset=0", "vma=btree", "slab=slub",
	"mglru=1", "mglru=1 reclaim=node hwad=1", "policy=modern mglru=1",
	"mglru=1 mglru_walk=0", "hwad=1", "swap_ssd=1", "anonvma=old", "threads=inline", "tlb=64",
};

static struct machine *boot(const char *pairs, const char *policy)
{
	char text[256];

	snprintf(text, sizeof(text), "%s %s%s", pairs, policy, MM_DEBUG ? " lockdep=1" : "");
	return boot_machine(text);
}

/* A workload on a machine too small for it; all invariants on the way and at the end. Swap-outs. */
static s64 stress(const char *pairs, const char *policy, const char *name, const char *param, const char *value,
		  u64 seed)
{
	static struct mm_op ops[MM_MAX_OP_BATCH];
	struct machine *m = boot(pairs, policy);
	struct workload_options o = {.seed = seed};
	struct workload_run run;
	struct op_strings strings;
	char why[256], err[256];
	size_t n, done = 0, next = 4000;
	s64 out;

	workload_prepare(&run, workload_find(name));
	assert_int_equal(workload_set(&run, param, value, err, sizeof(err)), 0);
	assert_int_equal(workload_start(&run, &o, err, sizeof(err)), 0);
	strings = workload_strings(&run);
	while ((n = workload_next(&run, ops, WORKLOAD_BURST)) > 0 && done < 16000) {
		machine_apply(m, ops, n, &strings, NULL);
		done += n;
		if (done < next)
			continue;
		next += 4000;
		if (machine_check(m, why, sizeof(why)))
			fail_msg("%s, %s, after %zu records: %s", policy, name, done, why);
	}
	if (machine_check(m, why, sizeof(why)))
		fail_msg("%s, %s: %s", policy, name, why);
	out = machine_counter(m, "pswpout");
	workload_stop(&run);
	machine_destroy(m);
	return out;
}

static void test_A13_1_every_policy_under_pressure(void **state)
{
	u64 seed = test_seed(13);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		s64 out = stress("mem=24M swap=64M", policies[i], "database", "size", "16M", seed);

		if (!out)
			fail_msg("%s: there was no pressure", policies[i]);
		stress("mem=24M swap=64M ncpu=2", policies[i], "forktree", "size", "8M", seed);
		stress("arch=arm32 machine=vexpress vmalloc=992M mem=32M swap=64M", policies[i], "fragment", "size",
		       "16M", seed);
		stress("mem=32M swap=64M", policies[i], "clones", "size", "4M", seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_A13_1_every_policy_under_pressure)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
