/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/hw/lockdep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int lockdep_init(struct hw *hw, bool on)
{
	hw->lockdep = on ? calloc(1, sizeof(*hw->lockdep)) : NULL;
	return on && !hw->lockdep ? -ENOMEM : 0;
}

void lockdep_destroy(struct hw *hw)
{
	free(hw->lockdep);
	hw->lockdep = NULL;
}

const char *lock_class_name(enum lock_class class)
{
	static const char *const names[NR_LOCK_CLASSES] = {
		[LOCK_KSM_THREAD] = "ksm_thread_mutex", [LOCK_MMAP_SEM] = "mmap_sem",
		[LOCK_PAGE] = "page lock",
		[LOCK_I_MMAP] = "i_mmap_rwsem",		[LOCK_ANON_VMA] = "anon_vma->rwsem",
		[LOCK_TREE] = "tree_lock",		[LOCK_VMAP_AREA] = "vmap_area_lock",
		[LOCK_SLAB_LIST] = "list_lock",		[LOCK_ZONE] = "zone->lock",
	};

	return names[class];
}

/* A held lock that forbids to take one of @class; NR_LOCK_CLASSES: none does. */
static enum lock_class forbidding(const struct lockdep *d, enum lock_class class, bool nested)
{
	for (u32 i = d->base; i < d->nr; i++)
		if (d->held[i].class > class || (d->held[i].class == class && !nested))
			return d->held[i].class;
	return NR_LOCK_CLASSES;
}

void lockdep_may_take(struct hw *hw, enum lock_class class, bool nested)
{
	enum lock_class held = forbidding(hw->lockdep, class, nested);

	if (held == NR_LOCK_CLASSES)
		return;
	fprintf(stderr, "lockdep: %s is taken under %s\n", lock_class_name(class), lock_class_name(held));
	BUG_ON(held != NR_LOCK_CLASSES && "locks out of order");
}

void lockdep_take(struct hw *hw, enum lock_class class, const void *lock)
{
	struct lockdep *d = hw->lockdep;

	BUG_ON(d->nr == LOCKDEP_DEPTH);
	d->held[d->nr].class = class;
	d->held[d->nr++].lock = lock;
}

/* Place of @lock among those of the context; d->nr: it is not there. */
static u32 place_of(const struct lockdep *d, enum lock_class class, const void *lock)
{
	u32 i = d->base;

	while (i < d->nr && (d->held[i].class != class || d->held[i].lock != lock))
		i++;
	return i;
}

void lockdep_drop(struct hw *hw, enum lock_class class, const void *lock)
{
	struct lockdep *d = hw->lockdep;
	u32 i = place_of(d, class, lock);

	BUG_ON(i == d->nr && "a lock is dropped that is not held");
	for (d->nr--; i < d->nr; i++)
		d->held[i] = d->held[i + 1];
}

bool lockdep_holds(const struct hw *hw, enum lock_class class, const void *lock)
{
	return place_of(hw->lockdep, class, lock) < hw->lockdep->nr;
}

u32 lockdep_enter(struct hw *hw)
{
	u32 before = hw->lockdep->base;

	hw->lockdep->base = hw->lockdep->nr;
	return before;
}

void lockdep_leave(struct hw *hw, u32 before)
{
	BUG_ON(hw->lockdep->nr != hw->lockdep->base && "a kernel thread keeps a lock");
	hw->lockdep->base = before;
}
