/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floor 2: the bare machine: RAM, virtual CPUs, virtual clock, event counters, the seed.
 *
 * Terms
 *   arena     one MAP_NORESERVE mapping that stands for guest-physical [base, base + bytes).
 *   tag       data=tag: a 64-bit word per frame that stands for the frame's contents; 0 = zeros.
 *   cpu       number of a virtual CPU. Floors 2 to 4 take it as an argument; machine-wide code
 *             passes hw->cpu. With smp=1 each virtual CPU is driven by its own host thread, and
 *             that thread is the only writer of the CPU's event counters.
 *
 * Owns the mappings; everything else in the arena belongs to the floors above.
 * Invariants: clock never goes back; base and bytes are multiples of the page size.
 */
#ifndef MEMRIG_HW_H
#define MEMRIG_HW_H

#include "core/base/bug.h"
#include "core/base/limits.h"
#include "core/base/prng.h"
#include "core/base/types.h"
#include "core/vmstat.h"

enum hw_cost {
#define COST(SYM, ns, text) COST_##SYM,
#include "core/cost.def"
#undef COST
	NR_COSTS
};

struct hw_cpu {
	u64 events[NR_VM_EVENTS];
	u32 preempt_count; /* core/hw/atomic.h */
} __attribute__((aligned(2048))); /* found by a shift */

/* A daemon of the virtual clock: core/hw/clock.h. */
struct hw_daemon {
	u64 (*step)(void *self, u64 budget_ns);
	void *self;
	u64 due, period;
};

/* Virtual time that passed while the operation in flight waited for devices, and no stall has recorded. */
struct io_wait {
	u64 waited_ns;
	u64 thrashed_ns; /* of it: for pages that were in use when they were evicted */
};

struct hw {
	u8 *arena;
	u64 *tags;       /* data=tag: one word a frame of the arena; NULL with data=bytes */
	u32 *versions;   /* one word a frame: its contents' version, 0 unknown; NULL: nobody asked yet */
	u32 next_version;
	paddr_t base;    /* physical address of arena[0] */
	u64 bytes;
	unsigned page_shift;
	unsigned ncpu;
	unsigned cpu;    /* virtual CPU of the operation in flight */
	u32 task;        /* dense index of its task; 0: the kernel */
	bool data_bytes;
	u64 now;         /* virtual nanoseconds since boot */
	struct io_wait io;
	u64 daemon_due;  /* least due time of all daemons */
	unsigned nr_daemons;
	struct hw_daemon daemons[MM_MAX_DAEMONS];
	struct prng prng;
	struct hw_cpu *cpus;
	struct event_ring *events; /* core/hw/events.h; NULL: off */
	struct lockdep *lockdep;   /* core/hw/lockdep.h; NULL: off */
};

struct hw_params {
	paddr_t base;
	u64 bytes;
	unsigned page_shift, ncpu;
	bool data_bytes;
	u64 seed;
};

/* 0, -EINVAL (unaligned, no CPU), or -ENOMEM (the host refuses the address space). */
int hw_init(struct hw *hw, const struct hw_params *p);
void hw_destroy(struct hw *hw);

/*
 * Host memory for bookkeeping: zeros, populated by the first write of each page, so that tables may
 * be sized for their maximum. NULL: the host refuses. hw_zero_lazy() gives populated pages back;
 * @p and @bytes are multiples of the host's page size.
 */
void *hw_map_lazy(u64 bytes);
void hw_unmap_lazy(void *p, u64 bytes);
void hw_zero_lazy(void *p, u64 bytes);
/* Populates pages that will be written soon: one system call instead of a fault a page. */
void hw_populate_lazy(void *p, u64 bytes);

static const u32 hw_costs[NR_COSTS] = { /* virtual nanoseconds; here, so that they are constants in the code */
#define COST(SYM, ns, help) [COST_##SYM] = ns,
#include "core/cost.def"
#undef COST
};

MM_INLINE void charge(struct hw *hw, enum hw_cost cost)
{
	hw->now += hw_costs[cost];
}

MM_INLINE void charge_n(struct hw *hw, enum hw_cost cost, u64 n)
{
	hw->now += hw_costs[cost] * n;
}

/* The clock was moved on by @ns for a device. */
MM_INLINE void hw_io_wait(struct hw *hw, u64 ns, bool thrashing)
{
	hw->io.waited_ns += ns;
	hw->io.thrashed_ns += thrashing ? ns : 0;
}

MM_INLINE void count_vm_events(struct hw *hw, unsigned cpu, enum vm_event_item ev, u64 n)
{
	hw->cpus[cpu].events[ev] += n;
}

MM_INLINE void count_vm_event(struct hw *hw, unsigned cpu, enum vm_event_item ev)
{
	count_vm_events(hw, cpu, ev, 1);
}

/* Host address of guest-physical @pa, which must lie in the arena. */
MM_INLINE void *hw_ptr(const struct hw *hw, paddr_t pa)
{
	VM_BUG_ON(pa - hw->base >= hw->bytes);
	return hw->arena + (pa - hw->base);
}

MM_INLINE paddr_t hw_pa(const struct hw *hw, const void *p)
{
	VM_BUG_ON((u64)((const u8 *)p - hw->arena) >= hw->bytes);
	return hw->base + (u64)((const u8 *)p - hw->arena);
}

MM_INLINE void *hw_pfn_ptr(const struct hw *hw, pfn_t pfn)
{
	return hw_ptr(hw, (paddr_t)pfn << hw->page_shift);
}

/* Index of a frame in the tag array. */
MM_INLINE u64 hw_frame(const struct hw *hw, pfn_t pfn)
{
	return pfn - (hw->base >> hw->page_shift);
}

/*
 * Versions of contents: two looks at a frame that see the same version saw the same contents. They
 * begin with hw_watch_contents(); whoever changes contents other than by the functions below calls
 * hw_frame_changed(). A version is never given twice before hw_forget_versions().
 */
#define HW_MAX_VERSION 0x1fffffffu
int hw_watch_contents(struct hw *hw); /* 0 or -ENOMEM; again: nothing */
void hw_forget_versions(struct hw *hw);
MM_INLINE void hw_frame_changed(struct hw *hw, pfn_t pfn)
{
	if (MM_UNLIKELY(hw->versions != NULL))
		hw->versions[hw_frame(hw, pfn)] = 0;
}

/* The frame's version, given now if it has none. Its user forgets all at HW_MAX_VERSION. */
MM_INLINE u32 hw_frame_version(struct hw *hw, pfn_t pfn)
{
	u32 *v = &hw->versions[hw_frame(hw, pfn)];

	VM_BUG_ON(hw->next_version >= HW_MAX_VERSION);
	return *v ? *v : (*v = ++hw->next_version);
}

/*
 * Contents of user frames in either data mode. Zeroing and copying charge virtual time; they cost
 * host time only with data=bytes. A tag's bytes (data=bytes) are the tag repeated over the frame.
 */
void hw_clear_bytes(struct hw *hw, pfn_t pfn); /* data=bytes; hw_clear_frame() does the rest */
MM_INLINE void hw_clear_frame(struct hw *hw, pfn_t pfn)
{
	charge(hw, COST_ZERO_PAGE);
	hw_frame_changed(hw, pfn);
	if (MM_LIKELY(hw->tags != NULL))
		hw->tags[hw_frame(hw, pfn)] = 0;
	else
		hw_clear_bytes(hw, pfn);
}
void hw_copy_bytes(struct hw *hw, pfn_t to, pfn_t from); /* data=bytes; hw_copy_frame() does the rest */
MM_INLINE void hw_copy_frame(struct hw *hw, pfn_t to, pfn_t from)
{
	charge(hw, COST_COPY_PAGE);
	hw_frame_changed(hw, to);
	if (MM_LIKELY(hw->tags != NULL))
		hw->tags[hw_frame(hw, to)] = hw->tags[hw_frame(hw, from)];
	else
		hw_copy_bytes(hw, to, from);
}
void hw_set_frame_tag(struct hw *hw, pfn_t pfn, u64 tag);
u64 hw_frame_tag(const struct hw *hw, pfn_t pfn); /* data=bytes: the first word */
bool hw_frames_equal(const struct hw *hw, pfn_t a, pfn_t b);

#endif
