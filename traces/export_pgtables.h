/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables as a case for an ARM MMU: a folder with tables.bin (the tables' bytes), regs.txt,
 * probes.txt (accesses to ask) and expected.txt (what our walker answers), which must be
 * byte-identical to what the hardware answers. tests/qemu/ asks an emulated one.
 *
 * Only tables that a walk can reach are written. Linux: none.
 */
#ifndef MEMRIG_TRACES_EXPORT_PGTABLES_H
#define MEMRIG_TRACES_EXPORT_PGTABLES_H

#include "arch/walk.h"

enum pt_probe_kind { PT_PROBE_KR, PT_PROBE_KW, PT_PROBE_UR, PT_PROBE_UW, PT_PROBE_KX, PT_PROBE_UX, PT_NR_PROBES };

struct pt_probe {
	vaddr_t va;
	enum pt_probe_kind kind;
};

struct pt_case {
	enum pt_geom geom;
	const struct pt_mem *mem;
	struct pt_mmu mmu; /* hwad is ignored: the case judges software-managed state */
	const struct pt_probe *probes; /* NULL: @nr are chosen by @seed, most of them where something is mapped */
	u64 nr, seed;
};

struct pt_export_stats {
	u64 bytes, loads, probes, translated;
};

/*
 * Writes the case into the existing folder @dir and fills @st (may be NULL). 0, or a negative errno with
 * the file's name in @err. Files are replaced; the tables are not changed. Probes that are chosen fetch
 * nothing from tables or beyond them, where whoever asks may have his own code.
 */
int pt_export_case(const char *dir, const struct pt_case *c, struct pt_export_stats *st, char *err, size_t size);

#endif
