/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/reclaim/reclaim.h"

#include <errno.h>
#include <string.h>

#include "core/reclaim/ksm.h"

int reclaim_init(struct reclaim *r, struct vm *vm, const struct machine_config *c)
{
	*r = (struct reclaim){.vm = vm, .phys = vm->phys, .hw = vm->hw, .config = c};
	r->ksm = ksm_create(vm, c);
	return r->ksm ? 0 : -ENOMEM;
}

void reclaim_destroy(struct reclaim *r)
{
	ksm_destroy(r->ksm);
	*r = (struct reclaim){0};
}

int reclaim_check(struct reclaim *r, char *why, size_t n)
{
	return ksm_check(r->ksm, why, n);
}

int reclaim_sysctl(struct reclaim *r, const char *name, const char *value)
{
	return ksm_sysctl(r->ksm, name, value);
}

int reclaim_show(struct reclaim *r, const char *view, FILE *out)
{
	(void)r;
	(void)view;
	(void)out;
	return -ENOENT;
}

int reclaim_step(struct reclaim *r, const char *thread, u64 n)
{
	if (strcmp(thread, "ksmd"))
		return -EINVAL;
	for (u64 i = 0; i < n && r->vm->ksm.run != KSM_RUN_UNMERGE; i++)
		ksm_do_scan(r->ksm, r->ksm->pages_to_scan);
	return 0;
}
