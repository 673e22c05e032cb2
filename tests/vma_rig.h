/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of address spaces: a process on a small machine, operations as one line of text, and layouts
 * drawn the same way. Addresses and lengths in hexadecimal and in pages:
 *
 *	run(&r, "m 10000 2 rw; m 12000 1 r; p 12000 1 rw");  mmap fixed, mprotect
 *	assert_layout(&r, "10000-13000 rw");
 *
 * Operations: m map, s map shared, u munmap, p mprotect, l mlock, n munlock, w write, t read.
 */
#ifndef MEMRIG_TEST_VMA_RIG_H
#define MEMRIG_TEST_VMA_RIG_H

#include <errno.h>

#include "core/vm/vma.h"
#include "tests/machine_boot.h"

#define ANON (MM_MAP_PRIVATE | MM_MAP_ANON)
#define RW   (MM_PROT_READ | MM_PROT_WRITE)

struct vma_rig {
	struct machine *m;
	struct vm *vm;
	struct task *t;
	u64 page;
};

/* Both indexes: every test of this kind runs once with each. */
static const char *const vma_indexes[] = {"vma=rbtree", "vma=btree"};
#define for_each_index(r, settings)                                                                \
	for (unsigned index_ = 0; index_ < 2 && vma_rig_up(r, settings, index_); vma_rig_down(r), index_++)

static inline bool vma_rig_up(struct vma_rig *r, const char *settings, unsigned index)
{
	char all[512];

	snprintf(all, sizeof(all), "mem=256M %s %s", vma_indexes[index], settings);
	r->m = boot_machine(all);
	r->vm = &r->m->vm;
	r->page = 1ull << r->vm->page_shift;
	r->t = boot_task(r->m, 1);
	return true;
}

static inline void vma_rig_down(struct vma_rig *r)
{
	assert_machine_sound(r->m);
	for (u32 i = 1; i < r->vm->nr_tasks; i++)
		if (vm_task(r->vm, i) && vm_task(r->vm, i)->mm)
			vm_exit(r->vm, vm_task(r->vm, i));
	assert_int_equal(r->vm->committed, 0);
	assert_machine_sound(r->m);
	machine_destroy(r->m);
}

static inline s64 map_at(struct vma_rig *r, u64 addr, u64 pages, u32 prot, u32 flags)
{
	return sys_mmap(r->vm, r->t, addr, pages * r->page, prot, flags, 0, 0, 0);
}

static inline u32 prot_of(const char *letters)
{
	u32 prot = 0;

	for (; *letters; letters++)
		prot |= *letters == 'r' ? MM_PROT_READ : *letters == 'w' ? MM_PROT_WRITE : *letters == 'x' ?
			MM_PROT_EXEC : 0;
	return prot;
}

static inline s64 run_one(struct vma_rig *r, char op, u64 at, u64 pages, const char *prot)
{
	u64 len = pages * r->page;

	switch (op) {
	case 'm':
		return map_at(r, at, pages, prot_of(prot), ANON | MM_MAP_FIXED);
	case 's':
		return map_at(r, at, pages, prot_of(prot), MM_MAP_SHARED | MM_MAP_ANON | MM_MAP_FIXED);
	case 'u':
		return sys_munmap(r->vm, r->t, at, len);
	case 'p':
		return sys_mprotect(r->vm, r->t, at, len, prot_of(prot));
	case 'l':
		return sys_mlock(r->vm, r->t, at, len, 0);
	case 'n':
		return sys_munlock(r->vm, r->t, at, len);
	case 'w':
		return mm_access_range(r->vm, r->t, at, len, MM_ACCESS_WRITE) >= RES_SIGSEGV ? -EFAULT : 0;
	case 't':
		return mm_access_range(r->vm, r->t, at, len, MM_ACCESS_READ) >= RES_SIGSEGV ? -EFAULT : 0;
	default:
		fail_msg("no operation '%c'", op);
		return 0;
	}
}

/* The answer of the last operation; the others must succeed. */
static inline s64 run(struct vma_rig *r, const char *ops)
{
	char copy[512], *save = NULL;
	s64 last = 0;

	snprintf(copy, sizeof(copy), "%s", ops);
	for (char *w = strtok_r(copy, ";", &save); w; w = strtok_r(NULL, ";", &save)) {
		unsigned long long at, pages;
		char op, prot[8] = "";

		if (last < 0)
			fail_msg("%s: error %lld before '%s'", ops, (long long)-last, w);
		if (sscanf(w, " %c %llx %llu %7s", &op, &at, &pages, prot) < 3)
			fail_msg("cannot read '%s'", w);
		last = run_one(r, op, at, pages, prot);
	}
	return last;
}

static inline const char *layout_of(struct task *t, char *buf, size_t n)
{
	size_t used = 0;

	buf[0] = 0;
	for_each_vma(t->mm, v)
		used += (size_t)snprintf(buf + used, used < n ? n - used : 0, "%s%llx-%llx %s%s%s%s%s", used ?
			" " : "",
					 (unsigned long long)v->vm_start, (unsigned long long)v->vm_end,
					 v->vm_flags & VM_READ ? "r" : "", v->vm_flags & VM_WRITE ? "w" : "",
					 v->vm_flags & VM_EXEC ? "x" : "", v->vm_flags & VM_RWX ? "" : "-",
					 v->vm_flags & VM_LOCKED ? "L" : "");
	return buf;
}

static inline void assert_task_layout(struct task *t, const char *want)
{
	char buf[4096];

	assert_string_equal(layout_of(t, buf, sizeof(buf)), want);
}

static inline void assert_layout(struct vma_rig *r, const char *want)
{
	assert_task_layout(r->t, want);
	assert_machine_sound(r->m);
}

static inline struct vm_area_struct *vma_at(struct vma_rig *r, u64 addr)
{
	struct vm_area_struct *v = vma_index_find(r->vm, r->t->mm, addr);

	return v && v->vm_start <= addr ? v : NULL;
}

/* A second process, forked off the first. */
static inline struct task *fork_task(struct vma_rig *r, u32 idx)
{
	assert_int_equal(vm_define_task(r->vm, idx, idx, idx), 0);
	assert_int_equal(vm_fork(r->vm, r->t, vm_task(r->vm, idx)), 0);
	return vm_task(r->vm, idx);
}

#endif
