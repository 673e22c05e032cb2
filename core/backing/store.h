/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a disk file holds on its device, so that written data survive eviction: a tag a page
 * (data=tag) or bytes. Pages never written hold the original contents: distinct, fixed by file and
 * index, up to the size the file had when it was announced; zeros beyond.
 *
 * Chunks of 64 pages, made by the first write, in host memory: the model of a disk takes no RAM of
 * the machine.
 */
#ifndef MEMRIG_STORE_H
#define MEMRIG_STORE_H

#include "core/base/xarray.h"
#include "core/hw/hw.h"

struct file_store {
	struct xarray chunks;
	u64 file_id;
	u64 original; /* bytes of original contents that are left */
};

void store_init(struct file_store *s, u64 file_id, u64 original);
void store_destroy(struct file_store *s, const struct hw *hw);

/* Tag of page @index as a new file has it. */
MM_INLINE u64 store_original_tag(u64 file_id, u64 index)
{
	return (file_id + 1) << 40 | (index + 1);
}

/* Frame @pfn gets the contents of page @index. */
void store_read(const struct file_store *s, struct hw *hw, u64 index, pfn_t pfn);
/* Page @index gets the first @valid bytes of @pfn, then zeros. 0 or -ENOSPC (no host memory). */
int store_write(struct file_store *s, struct hw *hw, u64 index, pfn_t pfn, u64 valid);
/* Page @index becomes zeros. 0 or -ENOSPC. */
int store_clear(struct file_store *s, struct hw *hw, u64 index);
/* Forgets everything from byte @size on; with data=bytes also within a page. */
void store_truncate(struct file_store *s, const struct hw *hw, u64 size);

#endif
