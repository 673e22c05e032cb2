/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snapshots: a machine is the result of its configuration and its operations alone (architecture s6),
 * so a snapshot is just these, and restoring is replaying them. It holds no address of the host, so it
 * may be restored any number of times, beside the original and beside each other.
 *
 * Terms
 *   history   every record and every advance of the clock since boot, with the strings they named.
 *   stream    one string table: ids of different tables must not be mixed.
 *
 * Owned by the machine (history) and by the caller (snapshot). 40 bytes a record.
 */
#ifndef MEMRIG_SNAPSHOT_H
#define MEMRIG_SNAPSHOT_H

#include "core/machine.h"

struct history;

void history_destroy(struct history *h);

/* Appends what machine_apply() is about to do; use the returned table instead of @strings. */
const struct op_strings *history_batch(struct history *h, const struct mm_op *ops, size_t n,
				       const struct op_strings *strings);
void history_advance(struct history *h, u64 ns);

#endif
