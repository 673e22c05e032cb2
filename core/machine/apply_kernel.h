/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations of the group KERNEL: the page and object allocators by hand (interfaces.md s3).
 *
 * Term: id, the trace's name of what an allocation returned; kept in a table until it is freed.
 */
#ifndef MEMRIG_APPLY_KERNEL_H
#define MEMRIG_APPLY_KERNEL_H

#include <stdio.h>

#include "core/kmem/slab.h"
#include "core/machine.h"
#include "core/phys/mmzone.h"
#include "core/vm/mm_types.h"

struct machine_kernel_ops;

struct machine_kernel_ops *apply_kernel_create(struct phys *phys, struct kmem *kmem, struct vm *vm);
void apply_kernel_destroy(struct machine_kernel_ops *k);

/* False: not supported (or no host memory); nothing was done. */
bool apply_kernel_op(struct machine_kernel_ops *k, const struct mm_op *op, const struct mm_op_ext *ext,
		     const struct op_strings *strings, struct mm_result *res);

/* Snapshots of kind "slab" and "cache" of cache @cache, one JSON object a line. -EINVAL: neither. */
int apply_kernel_lists(struct machine_kernel_ops *k, const char *name, const char *kind, u64 cache,
		       FILE *out);

#endif
