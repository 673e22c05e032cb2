/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/reclaim/reclaim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/reclaim/compaction.h"
#include "core/reclaim/ksm.h"
#include "core/reclaim/lru_gen.h"
#include "core/reclaim/vmscan.h"

int reclaim_init(struct reclaim *r, struct vm *vm, const struct machine_config *c)
{
	int err;

	*r = (struct reclaim){.vm = vm, .phys = vm->phys, .hw = vm->hw, .config = c};
	r->ksm = ksm_create(vm, c);
	r->vmscan = calloc(1, sizeof(*r->vmscan));
	r->compaction = calloc(1, sizeof(*r->compaction));
	err = r->ksm && r->vmscan && r->compaction ? vmscan_init(r->vmscan, vm, c) : -ENOMEM;
	if (!err)
		err = compaction_init(r->compaction, vm, c);
	if (err) {
		reclaim_destroy(r);
		return err;
	}
	vm->phys->on_pressure = reclaim_on_pressure;
	vm->phys->on_pressure_self = r->vmscan;
	r->vmscan->compact = compaction_ops(r->compaction);
	return 0;
}

void reclaim_destroy(struct reclaim *r)
{
	if (r->phys)
		r->phys->on_pressure = NULL;
	if (r->ksm)
		ksm_destroy(r->ksm);
	free(r->compaction);
	free(r->vmscan);
	*r = (struct reclaim){0};
}

int reclaim_check(struct reclaim *r, char *why, size_t n)
{
	int err = vmscan_check(r->vmscan, why, n);

	if (!err)
		err = ksm_check(r->ksm, why, n);
	if (!err)
		err = migrate_check(r->vm, why, n);
	return err ? err : compaction_check(r->compaction, why, n);
}

int reclaim_sysctl(struct reclaim *r, const char *name, const char *value)
{
	int err = vmscan_sysctl(r->vmscan, name, value);

	if (err == -ENOENT)
		err = ksm_sysctl(r->ksm, name, value);
	return err == -ENOENT ? compaction_sysctl(r->compaction, name, value) : err;
}

int reclaim_show(struct reclaim *r, const char *view, FILE *out)
{
	if (strcmp(view, "lru_gen"))
		return -ENOENT;
	lru_gen_show(r->vmscan, out);
	return 0;
}

void reclaim_sched_point(struct reclaim *r)
{
	oom_reap_exits(r->vmscan, 0);
	if (r->config->threads == THREADS_INLINE)
		for (unsigned nid = 0; nid < r->phys->nr_nodes; nid++)
			kcompactd_run(r->compaction, nid);
}

void reclaim_drop_slab(struct reclaim *r)
{
	drop_slab(r->vmscan);
}

void reclaim_compact(struct reclaim *r)
{
	compact_nodes(r->compaction);
}

int reclaim_step(struct reclaim *r, const char *thread, u64 n)
{
	for (; n; n--) {
		if (!strcmp(thread, "kswapd"))
			for (unsigned nid = 0; nid < r->phys->nr_nodes; nid++)
				kswapd_run(r->vmscan, nid);
		else if (!strcmp(thread, "kcompactd"))
			for (unsigned nid = 0; nid < r->phys->nr_nodes; nid++)
				kcompactd_run(r->compaction, nid);
		else if (!strcmp(thread, "oom_reaper"))
			oom_reaper_step(r->vmscan);
		else if (strcmp(thread, "ksmd"))
			return -EINVAL;
		else if (r->vm->ksm.run != KSM_RUN_UNMERGE)
			ksm_do_scan(r->ksm, r->ksm->pages_to_scan);
	}
	return 0;
}
