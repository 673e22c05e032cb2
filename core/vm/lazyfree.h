/* SPDX-License-Identifier: BSD-2-Clause */
/* MADV_FREE: pages that may go without being written (spec 13 s5). */
#ifndef MEMRIG_VM_LAZYFREE_H
#define MEMRIG_VM_LAZYFREE_H

#include "core/vm/mm_types.h"

/* [start, end) of anonymous @v may be dropped. 0, or -EINVAL for files and locked areas. Counts pglazyfree. */
int madvise_free(struct vm *vm, struct vm_area_struct *v, vaddr_t start, vaddr_t end);

/* An anonymous page whose contents MADV_FREE gave up. */
MM_INLINE bool page_lazyfree(const struct page *p)
{
	return PageAnon(p) && !PageSwapBacked(p);
}

#endif
