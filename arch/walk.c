/* SPDX-License-Identifier: BSD-2-Clause */
#include "arch/walk.h"

struct pt_result pt_translate(enum pt_geom g, const struct pt_mem *mem, paddr_t root, vaddr_t va,
			      enum pt_access access, bool hwad)
{
	PT_SWITCH(g, pt_translate_body, mem, root, va, access, hwad)
}
