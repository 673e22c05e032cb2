/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fingerprints of a live program's memory: a hash of each page of its private anonymous memory that
 * is present, at intervals. A page whose hash changed since the last look becomes a `fill` of the
 * trace, so that a replay has contents to merge, compress or compare.
 *
 * Terms
 *   tag   the hash, or 0 for a page of zeros; the shared zero page has no fingerprint.
 *   look  one pass over a process. A page missing in one is new in the next.
 *
 * The program is not stopped: a page that changes while it is read gets the hash of a mixture. A
 * forked process is compared with its parent first, since to fill a page it still shares would take
 * it from it. Reads /proc/PID/maps, pagemap, mem and /proc/kpageflags: needs root.
 */
#ifndef MEMRIG_RECORD_FINGERPRINT_H
#define MEMRIG_RECORD_FINGERPRINT_H

#include "core/base/types.h"

struct rec_prints;

/* A program that runs in a process: an exec begins another. */
struct rec_program {
	u32 tgid, nth;		/* nth program of the process, from 1 */
	u32 parent, parent_nth; /* forked from; 0: none known */
};

/* Consecutive pages whose contents changed to the same. */
struct rec_print {
	u64 addr, len, tag;
	u32 tgid, nth;
};

struct rec_prints *rec_prints_new(void); /* NULL: no memory */
void rec_prints_free(struct rec_prints *p);

/* Begins a look over all programs. */
void rec_prints_begin(struct rec_prints *p);
/* Looks at @prog. 0 (also if it is gone), or -ENOMEM. */
int rec_prints_take(struct rec_prints *p, const struct rec_program *prog);

/* What changed in this look, in the order of programs and addresses. */
const struct rec_print *rec_prints_changed(const struct rec_prints *p, u64 *nr);
u64 rec_prints_seen(const struct rec_prints *p);    /* pages hashed since the beginning */
u64 rec_prints_written(const struct rec_prints *p); /* of them: changed */

#endif
