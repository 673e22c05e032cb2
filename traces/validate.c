/* SPDX-License-Identifier: BSD-2-Clause */
#include "traces/validate.h"

#include <string.h>

#include "core/base/bug.h"
#include "core/base/limits.h"
#include "traces/format.h"
#include "traces/grammar.h"
#include "traces/tasks.h"

static u16 ext_bits(u8 fields)
{
	return (u16)((fields & BIT(KF_X0) ? MM_EXT_X0 : 0) | (fields & BIT(KF_X1) ? MM_EXT_X1 : 0) |
		     (fields & BIT(KF_X2) ? MM_EXT_X2 : 0));
}

void validator_init(struct validator *v)
{
	struct grammar g;

	BUG_ON(grammar_init(&g));
	memset(v, 0, sizeof(*v));
	for (unsigned c = 0; c < NR_OP_CODES; c++) {
		const struct op_shape *s = &g.shape[c];

		v->rule[c] = (struct op_rule){.known = s->known || c == OP_TASK,
					      .low_max = s->low_max,
					      .heap = s->heap,
					      .ext_required = ext_bits(s->required),
					      .needs_ext = !!ext_bits(s->required)};
	}
	validator_reset(v);
}

void validator_reset(struct validator *v)
{
	v->nr_tasks = 1;
	v->nr_slots = 0;
	v->last_ts = 0;
	v->new_tasks = 0;
}

static const char *see_task(struct validator *v, const struct mm_op *op)
{
	if (op->task != v->nr_tasks || v->nr_tasks >= MM_MAX_TASKS)
		return "a task index that is not the next";
	if (op->addr > TASK_MAX_ID || op->len > TASK_MAX_ID || !op->addr)
		return "an impossible pid or tid";
	if (op->flags)
		return "flags on a bookkeeping record";
	v->nr_tasks++;
	v->new_tasks++;
	return NULL;
}

static bool slot_ok(struct validator *v, u32 slot, bool born)
{
	if (slot == MM_SLOT_NONE)
		return true;
	if (born && slot == v->nr_slots && slot < TRACE_MAX_SLOTS)
		v->nr_slots++;
	return slot < v->nr_slots;
}

static const char *see_heap(struct validator *v, const struct mm_op *op)
{
	u32 old = (u32)(op->arg >> 32), slot = (u32)op->arg;
	bool ok;

	if (op->code == OP_REALLOC)
		ok = slot_ok(v, old, false) && slot_ok(v, slot, true);
	else
		ok = !old && slot_ok(v, slot, op->code != OP_FREE);
	return ok ? NULL : "a heap slot that no block had";
}

static const char *see_ext(const struct op_rule *rule, const struct mm_op *op,
			   const struct mm_op_ext *x)
{
	if (x->code != OP_EXT)
		return "an extension that is not there";
	if ((x->has & rule->ext_required) != rule->ext_required)
		return "a required field that is missing";
	if (x->has & ~15)
		return "unknown bits in an extension";
	return op->code == OP_TASK ? "an extension of a bookkeeping record" : NULL;
}

/* One operation; NULL or what is wrong. */
MM_INLINE const char *see_op(struct validator *v, const struct mm_op *op, bool last)
{
	const struct op_rule *rule = &v->rule[op->code & (NR_OP_CODES - 1)];
	unsigned res = (op->flags & MM_OP_RES_MASK) >> MM_OP_RES_SHIFT;
	bool ext = op->flags & MM_OP_HAS_EXT;

	if (MM_UNLIKELY(op->code >= NR_OP_CODES || !rule->known))
		return op->code == OP_EXT ? "an extension without an operation"
					  : "an unknown operation code";
	if (MM_UNLIKELY(op->ts < v->last_ts))
		return "a time before that of the record before";
	if (op->code == OP_TASK) {
		const char *why = see_task(v, op);

		if (why)
			return why;
	}
	if (MM_UNLIKELY(op->task >= v->nr_tasks))
		return "a task that was not introduced";
	if (MM_UNLIKELY((op->flags & MM_OP_LOW) > rule->low_max))
		return "an impossible protection, advice or access type";
	if (MM_UNLIKELY(res >= NR_RES || (res == RES_EXT && !ext)))
		return "an impossible result";
	if (MM_UNLIKELY(rule->needs_ext > ext))
		return "a required field that is missing";
	if (ext) {
		const char *why = last ? "an extension that is not there"
				       : see_ext(rule, op, (const void *)(op + 1));

		if (why)
			return why;
	}
	if (MM_UNLIKELY(op->code == OP_FORK && op->arg >= v->nr_tasks))
		return "a child that was not introduced";
	v->last_ts = op->ts;
	return rule->heap ? see_heap(v, op) : NULL;
}

const char *validator_shape(const struct validator *v, u8 code, u16 flags, u16 ext_has, u32 task,
			    bool *each)
{
	struct validator copy = {.nr_tasks = MM_MAX_TASKS + 1, .nr_slots = 1};
	struct mm_op ops[2] = {{.code = code, .flags = flags, .task = task}};
	struct mm_op_ext x = {.code = OP_EXT, .has = ext_has};
	const struct op_rule *rule = &v->rule[code & (NR_OP_CODES - 1)];

	*each = code == OP_TASK || code == OP_FORK || task >= v->nr_tasks;
	if (code == OP_TASK)
		return NULL;
	copy.rule[code & (NR_OP_CODES - 1)] = *rule;
	memcpy(&ops[1], &x, sizeof(x));
	return see_op(&copy, ops, false);
}

const char *validator_see(struct validator *v, const struct mm_op *ops, size_t n, size_t *at)
{
	for (size_t i = 0; i < n; i++) {
		const char *why = see_op(v, &ops[i], i + 1 == n);

		if (MM_UNLIKELY(why != NULL)) {
			*at = i;
			return why;
		}
		i += !!(ops[i].flags & MM_OP_HAS_EXT);
	}
	return NULL;
}
