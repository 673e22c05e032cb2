/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gives heap operations their slots (core/op.h) from the pointers of a recording.
 *
 * Terms
 *   process  a pid; it has a table pointer -> slot, which fork copies and exec or the end drops.
 *   class    blocks of similar size; a slot freed last in a class is given out first, as allocators
 *            do with addresses, so that readers can guess both.
 *
 * Memory is proportional to the blocks live at once.
 */
#ifndef MEMRIG_TRACE_SLOTS_H
#define MEMRIG_TRACE_SLOTS_H

#include "core/base/bits.h"
#include "core/op.h"

#define SLOT_CLASSES 256u

struct slots;

struct slots *slots_create(void); /* NULL: no memory */
void slots_destroy(struct slots *s);

/*
 * Looks at one operation of any kind done by (@pid, @tid); heap operations get their arg. @child:
 * pid of the child of a fork. 0 or -ENOMEM.
 */
int slots_see(struct slots *s, u32 pid, u32 tid, u32 child, struct mm_op *op,
	      const struct mm_op_ext *ext);
u32 slots_nr(const struct slots *s); /* highest number of slots so far */

/* Class of a block of @size bytes: exact for small ones, four to a power of two above. */
MM_INLINE u8 slot_class(u64 size)
{
	u64 units = (size > (1ull << 50) ? 1ull << 50 : size + 23) >> 4;
	unsigned order;

	if (units < 64)
		return (u8)units;
	order = ilog2(units);
	return (u8)(64 + (order - 6) * 4 + ((units >> (order - 2)) & 3));
}

#endif
