/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floor 6 as floor 8 sees it: tasks, system calls, accesses, views.
 *
 * System calls answer as Linux's do: a value, an address, or a negative errno; lengths in bytes. They
 * charge virtual time and may allocate. Addresses are the guest's.
 */
#ifndef MEMRIG_VM_H
#define MEMRIG_VM_H

#include <stdio.h>

#include "core/machine.h"
#include "core/vm/mm_types.h"

/* 0, -EINVAL (a geometry without page tables here) or -ENOMEM. */
int vm_init(struct vm *vm, struct kmem *kmem, const struct machine_config *c);
void vm_destroy(struct vm *vm);

/* Invariants I06.*, I07.*: 0, or their number (chapter * 1000 + n) with a sentence in @why. */
int vm_check(struct vm *vm, char *why, size_t n);
/* Views maps, smaps, pgtables, pagemap; -ENOENT for names of other floors. */
int vm_show(struct vm *vm, const char *view, FILE *out);
/* Run-time tunables of this floor: 0, -EINVAL, -ENOENT. */
int vm_sysctl(struct vm *vm, const char *name, const char *value);

/* ---- tasks ---- */

/* Introduces dense index @idx. 0, -ENOMEM, -E2BIG. Repeating it changes nothing. */
int vm_define_task(struct vm *vm, u32 idx, u32 pid, u32 tid);
MM_INLINE struct task *vm_task(const struct vm *vm, u32 idx)
{
	return idx < vm->nr_tasks ? vm->tasks[idx] : NULL;
}
/* An empty address space; initial break and top of a one-page stack (0: none). 0 or -errno. */
int vm_spawn(struct vm *vm, struct task *t, vaddr_t brk, vaddr_t stack_top);
/*
 * The child shares all pages copy-on-write. 0, -ESRCH (the parent has no address space) or -ENOMEM. May sleep.
 * (spec 08 s2.2)
 */
int vm_fork(struct vm *vm, struct task *parent, struct task *child);
/* @t leaves its address space, which goes with the last thread. May sleep. */
void vm_exit(struct vm *vm, struct task *t);
/* Thread @tid of @t's process shares its address space; its dense index in @idx. -ENOENT: undefined. */
int vm_thread(struct vm *vm, struct task *t, u32 tid, u32 *idx);

/* ---- system calls ---- */

#define VM_BAD_FILE UINT64_MAX /* no open file: -EBADF */
/*
 * spec 06 s7. @off in bytes. @place: where the recorded system put a mapping that is not MAP_FIXED: it
 * goes there and replaces what is in the way; 0: the model chooses. May sleep.
 */
s64 sys_mmap(struct vm *vm, struct task *t, vaddr_t addr, u64 len, u32 prot, u32 flags, u64 file,
	     u64 off, vaddr_t place);
s64 sys_munmap(struct vm *vm, struct task *t, vaddr_t addr, u64 len);
s64 sys_mprotect(struct vm *vm, struct task *t, vaddr_t addr, u64 len, u32 prot);
s64 sys_mremap(struct vm *vm, struct task *t, vaddr_t addr, u64 old_len, u64 new_len, u32 flags,
	       vaddr_t to, vaddr_t place);
s64 sys_brk(struct vm *vm, struct task *t, vaddr_t addr);
s64 sys_madvise(struct vm *vm, struct task *t, vaddr_t addr, u64 len, u32 advice);
s64 sys_mlock(struct vm *vm, struct task *t, vaddr_t addr, u64 len, u32 flags);
s64 sys_munlock(struct vm *vm, struct task *t, vaddr_t addr, u64 len);
s64 sys_mlockall(struct vm *vm, struct task *t, u32 flags);
s64 sys_munlockall(struct vm *vm, struct task *t);

/* Announces file @id of @size bytes; @kind "tmpfs" or anything else for a disk file. 0 or -errno. */
s64 vm_file(struct vm *vm, u64 id, u64 size, const char *kind, const char *name);
/*
 * How file @id is open, and what its inode and mount allow: MM_FMODE_* (new files: READ and WRITE). Mappings that
 * exist keep their rights. 0, -EINVAL (unknown bits) or -ENOMEM.
 */
s64 vm_file_mode(struct vm *vm, u64 id, u32 mode);

/*
 * Sets the size: pages beyond the new end leave the page cache and all address spaces, private copies
 * too. 0, -EFBIG, -EINVAL (not open for writing), -EPERM (append-only), -ENOMEM. May sleep. (spec 14 s6)
 */
s64 vm_ftruncate(struct vm *vm, u64 id, u64 size);

/*
 * File @id through the page cache (spec 14 s3, s4): bytes read or written, or -errno. @buf: user memory
 * that is touched and copied to or from, page by page; 0: none, and what is written is made up, the same
 * for equal histories. Writers may have to write dirty pages of others (s7).
 */
/* sys_fread() without a buffer from a file at hand. */
s64 vm_fread(struct vm *vm, struct vm_file *f, u64 off, u64 len);
s64 sys_fread(struct vm *vm, struct task *t, u64 id, u64 off, u64 len, vaddr_t buf);
s64 sys_fwrite(struct vm *vm, struct task *t, u64 id, u64 off, u64 len, vaddr_t buf);
/* Removes the name; pages go with the last mapping. 0 or -ENOENT. */
s64 sys_unlink(struct vm *vm, u64 id);
/* Writes all dirty pages and waits. 0, or once the error that writing met. */
s64 sys_fsync(struct vm *vm, u64 id);
/* spec 14 s7: 0, -EINVAL, -ENOMEM (hole), -EBUSY (locked), or the error that writing met. */
s64 sys_msync(struct vm *vm, struct task *t, vaddr_t addr, u64 len, u32 flags);
/* MM_MADV_NORMAL, RANDOM, SEQUENTIAL, WILLNEED, DONTNEED, NOREUSE of the whole file. 0 or -EINVAL. */
s64 sys_fadvise(struct vm *vm, u64 id, u32 advice);
/*
 * Pages [first, last] of @f become holes and leave all page tables; private copies stay. 0 or -ENOSPC.
 * (MADV_REMOVE)
 */
int vm_punch_hole(struct vm *vm, struct vm_file *f, u64 first, u64 last);
/* drop_caches 1. Pages that went. */
u64 vm_drop_pagecache(struct vm *vm);

/* ---- accesses ---- */

/* One access of one byte: RES_NONE (no fault), RES_MINOR, RES_MAJOR, RES_SIGSEGV, RES_SIGBUS. May sleep. */
enum mm_op_res mm_access(struct vm *vm, struct task *t, vaddr_t addr, unsigned access);
/* Every page of the range once; the worst answer, and stops at a signal. May sleep. */
enum mm_op_res mm_access_range(struct vm *vm, struct task *t, vaddr_t addr, u64 len, unsigned access);
/* Writes and leaves content @tag in each page. */
enum mm_op_res mm_write_tag(struct vm *vm, struct task *t, vaddr_t addr, u64 len, u64 tag);
/* Sets contents without counting as accesses: page i gets @tag + i * @step. 0 or -EFAULT. */
s64 mm_fill(struct vm *vm, struct task *t, vaddr_t addr, u64 len, u64 tag, u64 step);
/* Frame mapped at @addr; false: none. */
bool mm_frame(struct vm *vm, struct task *t, vaddr_t addr, pfn_t *pfn);
/* Content tag of the page at @addr; false if nothing is mapped there. */
bool mm_read_tag(struct vm *vm, struct task *t, vaddr_t addr, u64 *tag);

/* ---- for results ---- */

enum { /* bits of a /proc/pid/pagemap entry (spec 12 s2) */
	PM_PFN_BITS = 55,       /* present: the frame number below; swapped: 5 bits of type, then the slot */
	PM_SWAP_TYPE_BITS = 5,
};
#define PM_FILE	   (1ull << 61) /* of a file, or shared anonymous */
#define PM_SWAP	   (1ull << 62)
#define PM_PRESENT (1ull << 63)
/*
 * What /proc/pid/pagemap says of the @n pages from page-aligned @addr on; 0: nothing there. 0 or -EINVAL.
 * Atomic; the caller holds mmap_sem.
 */
int vm_pagemap(struct vm *vm, const struct mm_struct *mm, vaddr_t addr, u64 n, u64 *entries);

vaddr_t vm_task_size(const struct vm *vm);
const struct mm_struct *vm_mm_of_pid(const struct vm *vm, u32 pid); /* NULL: none */
u32 vm_rights_at(struct vm *vm, struct task *t, vaddr_t addr); /* MM_PROT_*; 0: nothing mapped */
void vm_lru_drain_all(struct vm *vm);
size_t vm_nr_processes(const struct vm *vm);
void vm_process_stat(const struct vm *vm, size_t i, struct machine_task *out);
int vm_process_vma(const struct vm *vm, size_t i, size_t n, struct machine_vma *out);
int vm_task_vma(const struct vm *vm, const struct task *t, size_t n, struct machine_vma *out);

#endif
