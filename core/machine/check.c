/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Invariants of all floors, bottom up, so that the message names the lowest broken one; and the
 * hash by which two histories are compared.
 */
#include <string.h>

#include "core/machine/machine_types.h"
#include "core/vm/vm.h"

int machine_check(struct machine *m, char *why, size_t n)
{
	if (n)
		why[0] = 0;
	if (phys_check(&m->phys, why, n) || kmem_check(&m->kmem, why, n) || vm_check(&m->vm, why, n) ||
	    reclaim_check(&m->reclaim, why, n) || apply_kernel_check(m->kernel_ops, why, n))
		return 1;
	for (unsigned cpu = 0; cpu < m->hw.ncpu; cpu++)
		if (in_atomic(&m->hw, cpu)) {
			snprintf(why, n, "cpu %u was left in atomic context", cpu);
			return 1;
		}
	if (m->hw.lockdep && m->hw.lockdep->nr) {
		snprintf(why, n, "%s was not dropped", lock_class_name(m->hw.lockdep->held[0].class));
		return 1;
	}
	for (u32 i = 0; i < m->nr_procs; i++)
		if (m->procs[i].heap && heap_model_check(m->procs[i].heap, why, n))
			return 1;
	return 0;
}

/* FNV-1a over 64-bit words: order matters, host addresses never enter. */
static void mix(u64 *h, u64 v)
{
	*h = (*h ^ v) * 0x100000001b3ull;
	*h ^= *h >> 29;
}

static void hash_tasks(struct machine *m, u64 *h)
{
	struct machine_task t;
	struct machine_vma v;

	for (size_t i = 0; i < machine_nr_tasks(m); i++) {
		machine_task(m, i, &t);
		mix(h, t.pid);
		mix(h, t.minflt);
		mix(h, t.majflt);
		mix(h, t.rss_anon);
		mix(h, t.rss_file);
		for (size_t k = 0; !machine_task_vma(m, i, k, &v); k++) {
			mix(h, v.start);
			mix(h, v.end);
			mix(h, v.pgoff);
		}
	}
}

u64 machine_hash(struct machine *m)
{
	struct vmstat_snapshot s;
	struct machine_zone z;
	u64 h = 0xcbf29ce484222325ull;

	machine_vmstat(m, &s);
	mix(&h, s.ts);
	for (unsigned i = 0; i < NR_VMSTAT; i++)
		mix(&h, (u64)s.v[i]);
	for (size_t i = 0; i < machine_nr_zones(m); i++) {
		machine_zone(m, i, &z);
		for (unsigned o = 0; o < z.nr_orders; o++)
			mix(&h, z.free[o]);
	}
	hash_tasks(m, &h);
	return h;
}
