/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/reclaim/reclaim.h"

#include <errno.h>

int reclaim_init(struct reclaim *r, struct vm *vm, const struct machine_config *c)
{
	*r = (struct reclaim){.vm = vm, .phys = vm->phys, .hw = vm->hw, .config = c};
	return 0;
}

void reclaim_destroy(struct reclaim *r)
{
	*r = (struct reclaim){0};
}

int reclaim_check(struct reclaim *r, char *why, size_t n)
{
	(void)r;
	(void)why;
	(void)n;
	return 0;
}

int reclaim_sysctl(struct reclaim *r, const char *name, const char *value)
{
	(void)r;
	(void)name;
	(void)value;
	return -ENOENT;
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
	(void)r;
	(void)thread;
	(void)n;
	return -EINVAL;
}
