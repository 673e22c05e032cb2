/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vm/psi.h"

#include <string.h>

#include "core/vm/vm.h"

/* Pairs of windows become one; what is recorded covers twice the time. */
static void widen(struct psi *psi)
{
	for (u32 i = 0; i < PSI_WINDOWS; i++) {
		struct machine_stall_window *w = &psi->windows[i / 2], *from = &psi->windows[i];

		if (!(i & 1)) {
			*w = *from;
			continue;
		}
		w->some += from->some;
		w->full += from->full;
		for (unsigned k = 0; k < NR_STALLS; k++)
			w->kind[k] += from->kind[k];
	}
	memset(&psi->windows[PSI_WINDOWS / 2], 0, sizeof(psi->windows) / 2);
	psi->width *= 2;
	psi->nr = (psi->nr + 1) / 2;
}

/*
 * Puts @ns that ended at @now into windows, backwards, where they are not full yet: a stall's own
 * time has holes, in which stalls within it were recorded before.
 */
static void record(struct psi *psi, enum stall_kind kind, u64 now, u64 ns, bool full)
{
	u64 i;

	i = psi->nr ? psi->nr - 1 : 0; /* most likely the same window as last time: no division */
	if (now - i * psi->width >= psi->width) {
		while (now / psi->width >= PSI_WINDOWS)
			widen(psi);
		i = now / psi->width;
		if (psi->nr <= i)
			psi->nr = (u32)i + 1;
	} else if (!psi->nr) {
		psi->nr = 1;
	}
	for (;; i--) {
		struct machine_stall_window *w = &psi->windows[i];
		u64 past = now - i * psi->width, room, part;

		past = past < psi->width ? past : psi->width;
		room = past > w->some ? past - w->some : 0;
		part = ns < room || !i ? ns : room;
		w->some += part;
		w->full += full ? part : 0;
		w->kind[kind] += part;
		ns -= part;
		if (!ns)
			return;
	}
}

static bool nobody_else(const struct vm *vm)
{
	return vm->hw->ncpu == 1 || list_empty(&vm->mms) || vm->mms.next->next == &vm->mms;
}

void psi_stall(struct vm *vm, enum stall_kind kind, struct psi_mark mark)
{
	struct psi *psi = &vm->psi;
	struct task *t = vm_task(vm, vm->hw->task);
	u64 inner = psi->some - mark.some, span = vm->hw->now - mark.start;
	u64 ns = span > inner ? span - inner : 0;
	bool full = nobody_else(vm);

	if (!ns)
		return;
	psi->total[kind] += ns;
	psi->some += ns;
	psi->full += full ? ns : 0;
	if (t)
		t->stall_ns[kind] += ns;
	record(psi, kind, vm->hw->now, ns, full);
}
