/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations of the group FILE (interfaces.md s3), and msync. Files are known by id; tasks matter
 * only where user memory is touched, so task 0 may do everything but that.
 */
#ifndef MEMRIG_APPLY_FILE_H
#define MEMRIG_APPLY_FILE_H

#include "core/machine/relocate.h"

/*
 * One operation. @c->task may be NULL. Answers: fread and fwrite bytes, drop_caches 0, the others
 * 0; negative errno on failure. False: not an operation of the group.
 */
bool apply_file(struct reloc_ctx *c, const struct mm_op *op, const struct mm_op_ext *ext,
		const struct op_strings *strings, s64 *answer);

/* drop_caches: 1 page cache, 2 slab, 3 both; also the sysctl of that name. 0 or -EINVAL. May sleep. */
int apply_drop_caches(struct machine *m, u64 what);

#endif
