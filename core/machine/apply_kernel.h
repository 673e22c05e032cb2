/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations of the group KERNEL: the page, object and address allocators by hand (interfaces.md s3).
 *
 * Terms
 *   id      the trace's name of what an allocation returned; pages, objects, vmalloc areas and kmaps
 *           have separate name spaces.
 *   cache   the trace's name of a cache: a number, or 2^63 plus a string id.
 *
 * Owns the tables of ids (host memory), the kernel's vmalloc area and its high-memory mappings.
 */
#ifndef MEMRIG_APPLY_KERNEL_H
#define MEMRIG_APPLY_KERNEL_H

#include <stdio.h>

#include "core/kmem/slab.h"
#include "core/machine.h"
#include "core/phys/mmzone.h"
#include "core/vm/mm_types.h"

struct machine_kernel_ops;
struct vmalloc;

struct machine_kernel_ops *apply_kernel_create(struct phys *phys, struct kmem *kmem, struct vm *vm);
void apply_kernel_destroy(struct machine_kernel_ops *k);

/*
 * One operation. Answers: alloc_pages a frame from the first of RAM; alloc_bulk how many;
 * cache_alloc frame:index; vmalloc and kmap an address; fragmentation_index thousandths;
 * watermark_ok and cache_shrink 0 or 1; the others 0. Failures are negative errno: -ENOENT for an
 * unknown id. False: not supported (or no host memory); nothing was done.
 */
bool apply_kernel_op(struct machine_kernel_ops *k, const struct mm_op *op, const struct mm_op_ext *ext,
		     const struct op_strings *strings, struct mm_result *res);

/* Snapshots of kind "slab" and "cache" of cache @cache, one JSON object a line. -EINVAL: neither. */
int apply_kernel_lists(struct machine_kernel_ops *k, const char *name, const char *kind, u64 cache,
		       FILE *out);

/* The kernel's area, to look at. */
const struct vmalloc *apply_kernel_vmalloc(const struct machine_kernel_ops *k);

int apply_kernel_show(struct machine_kernel_ops *k, const char *view, FILE *out); /* or -ENOENT */
int apply_kernel_check(struct machine_kernel_ops *k, char *why, size_t n); /* I05.* */

#endif
