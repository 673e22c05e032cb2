/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/vm/psi.h"

#include <string.h>

#include "core/vm/vm.h"

/* What a stall comes to. */
struct amount {
	u64 ns, memory, io;
	bool full;
};

static void add(struct machine_stall_window *w, enum stall_kind kind, const struct amount *a)
{
	w->kind[kind] += a->ns;
	w->some += a->memory;
	w->io_some += a->io;
	if (a->full) {
		w->full += a->memory;
		w->io_full += a->io;
	}
}

static u64 busy(const struct machine_stall_window *w)
{
	u64 ns = 0;

	for (unsigned k = 0; k < NR_STALLS; k++)
		ns += w->kind[k];
	return ns;
}

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
		w->io_some += from->io_some;
		w->io_full += from->io_full;
		for (unsigned k = 0; k < NR_STALLS; k++)
			w->kind[k] += from->kind[k];
	}
	memset(&psi->windows[PSI_WINDOWS / 2], 0, sizeof(psi->windows) / 2);
	psi->width *= 2;
	psi->nr = (psi->nr + 1) / 2;
}

static u64 least(u64 a, u64 b)
{
	return a < b ? a : b;
}

/*
 * Puts @a, which ended at @now, into windows, backwards, where they are not full yet: a stall's own
 * time has holes, in which stalls within it were recorded before.
 */
static void record(struct psi *psi, enum stall_kind kind, u64 now, struct amount a)
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
	for (; a.ns; i--) {
		struct machine_stall_window *w = &psi->windows[i];
		u64 past = least(now - i * psi->width, psi->width), used = busy(w);
		struct amount part = {.ns = i ? least(a.ns, past > used ? past - used : 0) : a.ns, .full = a.full};

		part.memory = least(a.memory, part.ns);
		part.io = least(a.io, part.ns);
		add(w, kind, &part);
		a.ns -= part.ns;
		a.memory -= part.memory;
		a.io -= part.io;
	}
}

static bool nobody_else(const struct vm *vm)
{
	return vm->hw->ncpu == 1 || list_empty(&vm->mms) || vm->mms.next->next == &vm->mms;
}

static void account(struct vm *vm, enum stall_kind kind, struct amount a)
{
	struct task *t = vm_task(vm, vm->hw->task);

	if (!a.ns)
		return;
	a.full = nobody_else(vm);
	add(&vm->psi.total, kind, &a);
	vm->psi.ns += a.ns;
	if (t) {
		t->stall_ns[kind] += a.ns;
		t->memory_stall_ns += a.memory;
		t->io_stall_ns += a.io;
	}
	record(&vm->psi, kind, vm->hw->now, a);
}

void psi_stall(struct vm *vm, enum stall_kind kind, struct psi_mark mark)
{
	struct hw *hw = vm->hw;
	u64 inner = vm->psi.ns - mark.ns, span = hw->now - mark.start;
	struct amount a = {.ns = span > inner ? span - inner : 0};

	a.memory = a.ns;
	a.io = least(hw->io.waited_ns - mark.io.waited_ns, a.ns);
	hw->io = mark.io; /* whoever is outside sees no waits of ours */
	account(vm, kind, a);
}

void psi_waits(struct vm *vm, enum stall_kind kind, struct io_wait before)
{
	struct hw *hw = vm->hw;
	struct amount a = {.ns = hw->io.waited_ns - before.waited_ns};

	a.io = a.ns;
	a.memory = hw->io.thrashed_ns - before.thrashed_ns;
	hw->io = before;
	account(vm, kind, a);
}
