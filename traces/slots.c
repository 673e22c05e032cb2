/* SPDX-License-Identifier: BSD-2-Clause */
#include "traces/slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bug.h"
#include "traces/format.h"
#include "traces/map64.h"

#define NO_SLOT MM_SLOT_NONE

struct slot {
	u32 next;    /* in the stack of its class while free */
	u32 holders; /* processes that hold it */
};

struct process {
	struct map64 blocks; /* pointer -> slot */
	u32 threads;
};

struct slots {
	struct slot *slot;
	u8 *class;
	u32 nr, cap;
	u32 stack[SLOT_CLASSES]; /* free slots, last freed first */
	struct map64 pids;	 /* pid -> index of process */
	struct process *process;
	u32 nr_processes, cap_processes;
	u32 *idle; /* indexes of ended processes, to be used again */
	u32 nr_idle;
};

struct slots *slots_create(void)
{
	struct slots *s = calloc(1, sizeof(*s));

	if (s)
		memset(s->stack, 0xff, sizeof(s->stack));
	return s;
}

void slots_destroy(struct slots *s)
{
	if (!s)
		return;
	for (u32 i = 0; i < s->nr_processes; i++)
		map64_free(&s->process[i].blocks);
	map64_free(&s->pids);
	free(s->process);
	free(s->idle);
	free(s->slot);
	free(s->class);
	free(s);
}

u32 slots_nr(const struct slots *s)
{
	return s->nr;
}

static void release(struct slots *s, u32 slot)
{
	if (--s->slot[slot].holders)
		return;
	s->slot[slot].next = s->stack[s->class[slot]];
	s->stack[s->class[slot]] = slot;
}

static int grow(struct slots *s)
{
	u32 cap = s->cap ? s->cap * 2 : 1024;
	struct slot *slot = realloc(s->slot, cap * sizeof(*slot));
	u8 *class;

	if (!slot)
		return -ENOMEM;
	s->slot = slot;
	class = realloc(s->class, cap);
	if (!class)
		return -ENOMEM;
	s->class = class;
	s->cap = cap;
	return 0;
}

/* A slot for a block of @class: the one freed last, else one of any neighbour class, else a new
 * one. */
static int take(struct slots *s, u8 class, u32 *slot)
{
	u32 got = s->stack[class];

	if (got != NO_SLOT) {
		s->stack[class] = s->slot[got].next;
	} else {
		if (s->nr >= TRACE_MAX_SLOTS || (s->nr == s->cap && grow(s)))
			return -ENOMEM;
		got = s->nr++;
	}
	s->slot[got].holders = 1;
	s->class[got] = class;
	*slot = got;
	return 0;
}

static u32 new_process(struct slots *s)
{
	if (s->nr_idle)
		return s->idle[--s->nr_idle];
	if (s->nr_processes == s->cap_processes) {
		u32 cap = s->cap_processes ? s->cap_processes * 2 : 16;
		struct process *p = realloc(s->process, cap * sizeof(*p));
		u32 *idle;

		if (!p)
			return MAP64_NONE;
		s->process = p;
		idle = realloc(s->idle, cap * sizeof(*idle));
		if (!idle)
			return MAP64_NONE;
		s->idle = idle;
		s->cap_processes = cap;
	}
	return s->nr_processes++;
}

static struct process *process_of(struct slots *s, u32 pid)
{
	u32 i = map64_get(&s->pids, pid);

	if (i == MAP64_NONE) {
		i = new_process(s);
		if (i == MAP64_NONE)
			return NULL;
		s->process[i] = (struct process){.threads = 1};
		if (map64_set(&s->pids, pid, i))
			return NULL;
	}
	return &s->process[i];
}

/* All blocks of the process are gone without having been freed. */
static void drop_blocks(struct slots *s, struct process *p)
{
	const struct map64 *m = &p->blocks;
	size_t n = m->keys ? (size_t)1 << m->bits : 0;

	for (size_t i = 0; i < n; i++)
		if (m->values[i] != MAP64_NONE)
			release(s, m->values[i]);
	map64_free(&p->blocks);
}

static void end_process(struct slots *s, u32 pid)
{
	u32 i = map64_take(&s->pids, pid);

	if (i == MAP64_NONE)
		return;
	drop_blocks(s, &s->process[i]);
	s->idle[s->nr_idle++] = i;
}

static int fork_process(struct slots *s, u32 pid, u32 child)
{
	struct process *to, *from;
	u32 parent;

	if (pid == child)
		return 0;
	end_process(s, child); /* a pid that came round */
	parent = map64_get(&s->pids, pid);
	if (parent == MAP64_NONE || !s->process[parent].blocks.nr)
		return 0;
	to = process_of(s, child);
	from = &s->process[parent];
	if (!to || map64_copy(&to->blocks, &from->blocks))
		return -ENOMEM;
	for (size_t i = 0; i < (size_t)1 << to->blocks.bits; i++)
		if (to->blocks.values[i] != MAP64_NONE)
			s->slot[to->blocks.values[i]].holders++;
	return 0;
}

static int born(struct slots *s, struct process *p, u64 ptr, u64 size, u32 *slot)
{
	u32 old = map64_take(&p->blocks, ptr);
	int err;

	if (old != MAP64_NONE) /* its free was not seen */
		release(s, old);
	err = take(s, slot_class(size), slot);
	return err ? err : map64_set(&p->blocks, ptr, *slot);
}

static int see_realloc(struct slots *s, struct process *p, struct mm_op *op, u64 old_ptr)
{
	u32 old = old_ptr ? map64_get(&p->blocks, old_ptr) : MAP64_NONE, new = NO_SLOT;
	bool failed = !op->addr && op->len;
	int err = 0;

	if (old != MAP64_NONE && !failed) {
		map64_take(&p->blocks, old_ptr);
		release(s, old);
	}
	if (op->addr)
		err = born(s, p, op->addr, op->len, &new);
	op->arg = (u64)old << 32 | new;
	return err;
}

static int see_heap(struct slots *s, u32 pid, struct mm_op *op, const struct mm_op_ext *ext)
{
	struct process *p = process_of(s, pid);
	u32 slot = NO_SLOT;
	int err = 0;

	if (!p)
		return -ENOMEM;
	if (op->code == OP_REALLOC)
		return see_realloc(s, p, op, ext ? ext->x0 : 0);
	if (op->code == OP_FREE) {
		slot = op->addr ? map64_take(&p->blocks, op->addr) : NO_SLOT;
		if (slot != NO_SLOT)
			release(s, slot);
	} else if (op->addr) {
		err = born(s, p, op->addr, op->len, &slot);
	}
	op->arg = slot;
	return err;
}

int slots_see(struct slots *s, u32 pid, u32 tid, u32 child, struct mm_op *op,
	      const struct mm_op_ext *ext)
{
	u32 i;

	if (op_group(op->code) == OPG_HEAP)
		return see_heap(s, pid, op, ext);
	switch (op->code) {
	case OP_FORK:
		return fork_process(s, pid, child);
	case OP_SPAWN:
		end_process(s, pid);
		return 0;
	case OP_THREAD:
		i = map64_get(&s->pids, pid);
		if (i != MAP64_NONE)
			s->process[i].threads++;
		return 0;
	case OP_EXEC:
		i = map64_get(&s->pids, pid);
		if (i != MAP64_NONE)
			drop_blocks(s, &s->process[i]);
		return 0;
	case OP_EXIT:
		i = map64_get(&s->pids, pid);
		if (i != MAP64_NONE && (!--s->process[i].threads || pid == tid))
			end_process(s, pid);
		return 0;
	}
	return 0;
}
