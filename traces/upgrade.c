/* SPDX-License-Identifier: BSD-2-Clause */
#include "traces/upgrade.h"

#include "traces/format.h"

static const struct {
	unsigned major;
	void (*upgrade)(struct mm_op *ops, size_t n); /* to the version after it; NULL: current */
} versions[] = {
	{TRACE_V1, NULL},
};

bool trace_version_known(unsigned major)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		if (versions[i].major == major)
			return true;
	return false;
}

void trace_upgrade(unsigned major, struct mm_op *ops, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		if (versions[i].major >= major && versions[i].upgrade)
			versions[i].upgrade(ops, n);
}
