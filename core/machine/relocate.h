/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls of a trace on the model's address space, with or without relocation. apply.c calls
 * these and nothing else for mappings; without relocation each is one call into core/vm.
 *
 * A process is relocated from the moment one of its mappings does not fit (beyond the user address
 * space, or not aligned to the guest's larger pages), or from its start with place=own.
 */
#ifndef MEMRIG_RELOCATE_H
#define MEMRIG_RELOCATE_H

#include "core/machine/machine_types.h"

struct task;

/* One task's view during an operation. */
struct reloc_ctx {
	struct machine *m;
	struct task *task;
	struct machine_proc *leader;
};

/* Arguments of mmap as recorded. @place: the recorded result, or 0 for "the model chooses". */
struct reloc_mmap {
	u64 addr, len, off, place;
	u32 prot, flags;
	u64 file;
};

/* A new process: breaks and stacks that do not fit start relocation. */
s64 reloc_spawn(struct reloc_ctx *c, u64 brk, u64 stack);

s64 reloc_mmap(struct reloc_ctx *c, const struct reloc_mmap *a);
s64 reloc_munmap(struct reloc_ctx *c, u64 addr, u64 len);
s64 reloc_mprotect(struct reloc_ctx *c, u64 addr, u64 len, u32 prot);
s64 reloc_mremap(struct reloc_ctx *c, u64 addr, u64 old_len, u64 new_len, u32 flags, u64 to,
		 u64 place);
s64 reloc_brk(struct reloc_ctx *c, u64 addr);

/* Turns relocation on for the process; spans of what it has mapped already are the identity. */
int reloc_start(struct reloc_ctx *c);

/* Model address of a recorded address; addresses outside every span stay as they are. */
MM_INLINE u64 reloc_addr(const struct machine_proc *leader, u64 addr)
{
	u64 model;

	if (MM_LIKELY(!leader->place))
		return addr;
	return place_find(leader->place, addr, &model) ? model : addr;
}

/* The range form: cut to the span that holds @addr, aligned outwards to guest pages. */
void reloc_range(struct reloc_ctx *c, u64 *addr, u64 *len);

#endif
