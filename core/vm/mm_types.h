/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address spaces: tasks, mm_struct, vm_area_struct, anon_vma.
 *
 * Terms
 *   task     one (pid, tid) of a trace, by its dense index; threads of a process share an mm.
 *   VMA      a range of equal rights and backing; disjoint, sorted, in a list and an index.
 *   gap      hole below a VMA; each node of the index knows the largest of its subtree, so that an
 *            address search is O(log n) (core/vm/vma_index.h).
 *   AVC      anon_vma_chain: connects a VMA with an anon_vma in which its pages may be found.
 *
 * Ownership: struct vm owns tasks (host memory, index by index) and, through caches in emulated RAM,
 * everything else. Linux: include/linux/mm_types.h; left out: waiting for locks (one
 * thread drives a machine).
 */
#ifndef MEMRIG_VM_MM_TYPES_H
#define MEMRIG_VM_MM_TYPES_H

#include "arch/pgtable.h"
#include "core/backing/filemap.h"
#include "core/backing/swap.h"
#include "core/backing/workingset.h"
#include "core/base/list.h"
#include "core/base/rbtree.h"
#include "core/hw/hw.h"
#include "core/kmem/slab.h"
#include "core/phys/lru.h"
#include "core/phys/mmzone.h"
#include "core/vm/psi.h"

enum vm_flag { /* values of Linux (spec 06 s1) */
	VM_READ = 1, VM_WRITE = 2, VM_EXEC = 4, VM_SHARED = 8,
	VM_MAYREAD = 0x10, VM_MAYWRITE = 0x20, VM_MAYEXEC = 0x40, VM_MAYSHARE = 0x80,
	VM_GROWSDOWN = 0x100, VM_PFNMAP = 0x400, VM_DENYWRITE = 0x800, VM_LOCKED = 0x2000,
	VM_IO = 0x4000, VM_SEQ_READ = 0x8000, VM_RAND_READ = 0x10000, VM_DONTCOPY = 0x20000,
	VM_DONTEXPAND = 0x40000, VM_ACCOUNT = 0x100000, VM_NORESERVE = 0x200000,
	VM_HUGETLB = 0x400000, VM_DONTDUMP = 0x4000000, VM_SOFTDIRTY = 0x8000000, VM_MIXEDMAP = 0x10000000,
	VM_HUGEPAGE = 0x20000000, VM_NOHUGEPAGE = 0x40000000
};
#define VM_MERGEABLE 0x80000000u
#define VM_SPECIAL   (VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP)
#define VM_RWX       (VM_READ | VM_WRITE | VM_EXEC)

struct tlb;
struct vm;
struct mm_struct;

struct anon_vma {
	struct anon_vma *root, *parent;
	u32 refcount, degree;    /* degree: children + VMAs whose anon_vma this is (spec 08 s1) */
	struct rb_root rb_root;  /* interval tree of the AVCs whose VMAs may map its pages */
};

struct anon_vma_chain {
	struct vm_area_struct *vma;
	struct anon_vma *anon_vma;
	struct list_head same_vma;  /* in the VMA, newest first */
	struct rb_node rb;          /* in the anon_vma: core/vm/interval_tree.h */
	u64 rb_subtree_last;
};

struct vm_area_struct {		  /* the first cache line is what the indexes read */
	vaddr_t vm_start, vm_end; /* end is exclusive */
	struct vm_area_struct *vm_next, *vm_prev;
	struct rb_node vm_rb; /* vma=rbtree */
	u64 rb_subtree_gap;   /* bytes of the largest gap below a VMA of the subtree */
	struct mm_struct *vm_mm;
	u64 vm_page_prot;   /* descriptor bits of a new mapping */
	u32 vm_flags;
	u64 vm_pgoff;       /* pages: in the file, or vm_start >> shift when it was made */
	struct list_head anon_vma_chain;
	struct anon_vma *anon_vma;
	struct vm_file *vm_file;
	struct {
		struct rb_node rb; /* in the file's i_mmap: core/vm/interval_tree.h */
		u64 rb_subtree_last;
	} shared;
};

enum mm_counter { MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES, NR_MM_COUNTERS };

/* The packed B-tree of vma=btree (core/vm/vma_btree.c): one tree a region of 2^32 pages. */
#define VMA_BT_REGIONS 16 /* 48-bit addresses, 4 KiB pages */
struct vma_bt_node;
struct vma_btree {
	struct vma_bt_node *root[VMA_BT_REGIONS];
	u64 used;                  /* bit r: region r has a root */
	u8 height[VMA_BT_REGIONS]; /* levels; 0: no VMA ends here */
	struct vma_bt_node *spare; /* set aside for changes that may not fail */
};

struct mm_struct {
	struct vm_area_struct *mmap; /* list head */
	union {
		struct rb_root mm_rb;	/* vma=rbtree */
		struct vma_btree mm_bt; /* vma=btree */
	};
	u32 map_count, mm_users;
	u32 page_shift;
	bool oom_skip; /* reaped, or not worth another try */
	s32 mmap_sem; /* readers; -1: a writer (no thread waits here; split operations and reclaim ask) */
	u32 mm_count; /* references to the struct itself: one for all users, one of ksm_slot */
	u32 vmacache_seqnum;
	vaddr_t highest_vm_end, mmap_base, start_brk, brk, start_stack;
	bool topdown;  /* free addresses are searched from mmap_base down, else from it up */
	u64 stack_gap; /* bytes kept free below stacks by the address search (4.12); 0: none */
	u64 total_vm, locked_vm, stack_vm, shared_vm, exec_vm; /* pages */
	u32 def_flags;
	paddr_t pgd;
	u64 nr_ptes, nr_pmds, nr_tables; /* leaf tables; middle ones (three levels and more); pages of all */
	u64 context;            /* of the TLB model (arch/tlb.h); 0: never ran */
	s64 rss[NR_MM_COUNTERS];
	struct list_head all; /* in vm->mms, also without users until mmdrop() */
	struct mm_slot *ksm_slot; /* core/vm/ksm_rmap.h; NULL: not registered */
};

/* What floor 6 knows of KSM: who is registered, and where ksmd stands (spec 11 s1, s2). */
struct ksm_registry {
	struct list_head slots;   /* mm_slot.mm_list in scan order */
	struct list_head *cursor; /* the slot that ksmd scans; &slots between two full scans */
	u32 run;                  /* 0 stopped, 1 merging, 2 unmerging */
	bool all;                 /* ksm_all=1: private anonymous mappings are born mergeable */
	int daemon;               /* of the clock, woken by the first registration; -1: none */
	u64 serial;               /* of the last slot made */
	u64 zero_pages;           /* PTEs of the zero page that ksmd placed: their dirty bit is set */
	struct kmem_cache *slot_cache;
};

#define VMACACHE_SIZE 4

struct task {
	struct mm_struct *mm; /* NULL before spawn and after exit */
	struct vm_area_struct *vmacache[VMACACHE_SIZE];
	u32 vmacache_seqnum;
	u32 vmacache_last; /* entry found last: looked at first */
	u32 pid, tid, index;
	u64 minflt, majflt;
	u64 stall_ns[NR_STALLS]; /* virtual time it waited, by reason */
	u64 memory_stall_ns, io_stall_ns;
	u32 parent;              /* dense index; 0: none */
	s32 oom_score_adj;       /* -1000 to 1000 */
	u8 signo, si_code; /* of the last fault that ended in a signal; 0: none yet */
	bool lived; /* had an address space once: appears in results */
	bool root;               /* has CAP_SYS_ADMIN */
	bool tif_memdie, killed; /* chosen by the OOM killer; must exit at its next scheduling point */
	bool stuck;              /* tests: sleeps with mmap_sem held for writing, so that a signal has to wait */
};

struct vm {
	struct hw *hw;
	struct phys *phys;
	struct kmem *kmem;
	const struct machine_config *config;
	struct filemap files;
	struct lru lru;
	struct swap swap;
	struct workingset ws;
	struct psi psi;
	enum pt_geom geom;
	struct pt_mem mem; /* the window tables lie in: all of RAM */
	struct {	   /* where the last pte_lookup() ended: core/vm/pgtable.h */
		paddr_t pgd;
		u64 span; /* address >> what a leaf table covers; PT_NO_SPAN: nowhere */
		pt_slot *slots;
	} leaf;
	struct tlb *tlb;   /* core/vm/tlb.h; NULL: tlb=0 */
	unsigned page_shift;
	u8 dirtycow;        /* DIRTYCOW_* */
	bool old_anon_vma;  /* anonvma=old */
	bool hwad, modern, anonws, lazyfree;
	bool special_fault; /* modern or mglru=1: a fault counts or marks more */
	bool btree;	/* vma=btree: which member of mm_struct's union is alive */
	bool guard_gap; /* policy 4.12 and later: 256 pages below a stack, none of them in it */
	u64 unique_contents; /* contents=unique: of the next page born of a write; else 0 */
	vaddr_t task_size;
	pfn_t zero_pfn;
	u64 nr_pins;   /* references that gup holds */
	u64 committed; /* pages promised: vm_committed_as */
	u64 max_map_count, mmap_min_addr, legacy_va_layout, fault_around_pages;
	u64 overcommit, overcommit_ratio, overcommit_kbytes, admin_reserve_kbytes, user_reserve_kbytes;
	u64 dirty_ratio, dirty_background_ratio, highmem_is_dirtyable;
	int flusher;   /* daemon of the clock */
	struct kmem_cache *mm_cache, *vma_cache, *bt_cache, *anon_vma_cache, *avc_cache;
	struct task **tasks; /* by dense index; NULL: undefined */
	u32 nr_tasks;        /* entries */
	struct list_head mms;
	struct ksm_registry ksm;
};

MM_INLINE u64 vma_pages(const struct vm *vm, const struct vm_area_struct *v)
{
	return (v->vm_end - v->vm_start) >> vm->page_shift;
}

/*
 * mmap_sem: who looks at VMAs reads, who changes them writes (spec 12 s5.1). A conflict is a deadlock of ours:
 * who may meet a holder asks mmap_read_trylock().
 */
MM_INLINE void mmap_read_lock(struct vm *vm, struct mm_struct *mm)
{
	lock_model(vm->hw, LOCK_MMAP_SEM, mm);
	VM_BUG_ON(mm->mmap_sem < 0);
	mm->mmap_sem++;
}

/* In any order: who does not wait cannot wait for ever. */
MM_INLINE bool mmap_read_trylock(struct vm *vm, struct mm_struct *mm)
{
	if (mm->mmap_sem < 0)
		return false;
	if (lockdep_on(vm->hw))
		lockdep_take(vm->hw, LOCK_MMAP_SEM, mm);
	mm->mmap_sem++;
	return true;
}

MM_INLINE void mmap_read_unlock(struct vm *vm, struct mm_struct *mm)
{
	unlock_model(vm->hw, LOCK_MMAP_SEM, mm);
	VM_BUG_ON(mm->mmap_sem <= 0);
	mm->mmap_sem--;
}

/* @nested: under another one's, as a child's under its parent's. */
MM_INLINE void mmap_write_lock_nested(struct vm *vm, struct mm_struct *mm, bool nested)
{
	if (lockdep_on(vm->hw)) {
		lockdep_may_take(vm->hw, LOCK_MMAP_SEM, nested);
		lockdep_take(vm->hw, LOCK_MMAP_SEM, mm);
	}
	VM_BUG_ON(mm->mmap_sem);
	mm->mmap_sem = -1;
}

MM_INLINE void mmap_write_lock(struct vm *vm, struct mm_struct *mm)
{
	mmap_write_lock_nested(vm, mm, false);
}

MM_INLINE void mmap_write_unlock(struct vm *vm, struct mm_struct *mm)
{
	unlock_model(vm->hw, LOCK_MMAP_SEM, mm);
	VM_BUG_ON(mm->mmap_sem != -1);
	mm->mmap_sem = 0;
}

/* lockdep=1: the caller must hold mmap_sem in some mode, or for writing. An mm without users needs no lock. */
MM_INLINE void mmap_assert_locked(const struct vm *vm, const struct mm_struct *mm)
{
	VM_BUG_ON(lockdep_on(vm->hw) && mm->mm_users && !mm->mmap_sem && "mmap_sem is needed");
}

MM_INLINE void mmap_assert_write_locked(const struct vm *vm, const struct mm_struct *mm)
{
	VM_BUG_ON(lockdep_on(vm->hw) && mm->mm_users && mm->mmap_sem >= 0 && "mmap_sem is needed for writing");
}

#define for_each_vma(mm, v) for (struct vm_area_struct *v = (mm)->mmap; v; v = v->vm_next)

#endif
