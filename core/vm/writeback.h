/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Write-back: who writes dirty pages of files, and when (spec 14 s7).
 *
 * Terms
 *   dirtyable    pages that may become dirty: free ones and the file LRU lists, less reserves.
 *   thresholds   background (10 % of dirtyable): the flusher starts; dirty (20 %): writers wait.
 *   flusher      kernel thread: writes the oldest dirty file first, each by index, until below the
 *                background threshold. threads=timed: a daemon of the clock with its budget;
 * inline: at once; manual: op `step thread=flusher`.
 *
 * Writing a page cleans its descriptors first (page_mkclean), which is why this is floor 6's work.
 * Linux: mm/page-writeback.c, fs/fs-writeback.c; left out: rates and pauses (a writer over the
 * limit writes until it is below), pages written for their age alone, limits a device or memory
 * cgroup.
 */
#ifndef MEMRIG_VM_WRITEBACK_H
#define MEMRIG_VM_WRITEBACK_H

#include "core/vm/mm_types.h"

/* Registers the flusher. 0 or -ENOSPC. */
int writeback_init(struct vm *vm, const struct machine_config *c);

/* The thresholds in pages. */
void global_dirty_limits(const struct vm *vm, u64 *background, u64 *dirty);

/* A page was dirtied (by a write or a fault): wakes the flusher, or writes. */
void balance_dirty_pages(struct vm *vm);

/*
 * Cleans descriptors and flag of locked @p; true if it was dirty and is to be written now.
 * (Linux: clear_page_dirty_for_io)
 */
bool clear_page_dirty_for_io(struct vm *vm, struct page *p);

/* Writes at most @nr dirty pages, oldest file first; how many it wrote. */
u64 writeback_pages(struct vm *vm, u64 nr);
/* One turn of the flusher: until below the background threshold. Pages written. */
u64 flusher_step(struct vm *vm);

/*
 * Writes the dirty pages [first, last] of @f; with @wait also waits for all that are on their way.
 * 0, or with @wait the error that writing met: -EIO, -ENOSPC.
 */
int file_write_range(struct vm *vm, struct vm_file *f, u64 first, u64 last, bool wait);

#endif
