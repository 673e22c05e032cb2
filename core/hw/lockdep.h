/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The order of locks (lockdep=1, spec 12 s5.1): one thread drives a machine and waits for no lock, but says
 * which it would hold, so that an order by which two threads could wait for each other is found.
 *
 * Terms
 *   class     kind of lock, numbered from outer to inner; who holds one takes only inner ones.
 *   context   a task's operation, or a kernel thread that runs while it waits: each has its own locks.
 *
 * Only builds with assertions check; the others have nothing of it but the table of names. Page locks are let
 * go by who ends the I/O, so only taking them is judged. Linux: kernel/locking/lockdep.c; left out: learning
 * the order (it is given), interrupts.
 */
#ifndef MEMRIG_HW_LOCKDEP_H
#define MEMRIG_HW_LOCKDEP_H

#include "core/hw/hw.h"

enum lock_class { /* outer to inner */
	LOCK_KSM_THREAD, /* ksm_thread_mutex */
	LOCK_MMAP_SEM,
	LOCK_PAGE,
	LOCK_I_MMAP,	/* address_space.i_mmap_rwsem */
	LOCK_ANON_VMA,	/* anon_vma.root->rwsem */
	LOCK_TREE,	/* address_space.tree_lock */
	LOCK_VMAP_AREA, /* vmap_area_lock */
	LOCK_SLAB_LIST, /* kmem_cache_node.list_lock */
	LOCK_ZONE,
	NR_LOCK_CLASSES
};

#define LOCKDEP_DEPTH 32u

struct lockdep {
	u32 nr, base; /* locks held by all contexts; the running one's are held[base..nr) */
	struct {
		enum lock_class class;
		const void *lock;
	} held[LOCKDEP_DEPTH];
};

/* With @on: checks from now on, until lockdep_destroy(). 0 or -ENOMEM. */
int lockdep_init(struct hw *hw, bool on);
void lockdep_destroy(struct hw *hw);

const char *lock_class_name(enum lock_class class); /* "mmap_sem" */

/* Asserts that no inner lock is held, and no other of the class unless @nested. */
void lockdep_may_take(struct hw *hw, enum lock_class class, bool nested);
/* The context holds @lock now. */
void lockdep_take(struct hw *hw, enum lock_class class, const void *lock);
/* Asserts that the context holds @lock. */
void lockdep_drop(struct hw *hw, enum lock_class class, const void *lock);
bool lockdep_holds(const struct hw *hw, enum lock_class class, const void *lock);
/* A kernel thread runs: a context without locks, until lockdep_leave() with what lockdep_enter() answered. */
u32 lockdep_enter(struct hw *hw);
void lockdep_leave(struct hw *hw, u32 before);

#if MM_DEBUG >= 1
#define lockdep_on(hw) MM_UNLIKELY((hw)->lockdep != NULL)
#else
#define lockdep_on(hw) ((void)(hw), false)
#endif

/* Where Linux takes and drops a lock that the model does not have. */
MM_INLINE void lock_model(struct hw *hw, enum lock_class class, const void *lock)
{
	if (lockdep_on(hw)) {
		lockdep_may_take(hw, class, false);
		lockdep_take(hw, class, lock);
	}
}

MM_INLINE void unlock_model(struct hw *hw, enum lock_class class, const void *lock)
{
	if (lockdep_on(hw))
		lockdep_drop(hw, class, lock);
}

#endif
