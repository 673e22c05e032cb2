/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel virtual areas: vmalloc, vmap, ioremap (spec 05 s1).
 *
 * Terms
 *   area       vmap_area: a range of addresses, in a tree and a list by address; its last page is the
 *              guard, never mapped.
 *   lazy       freed, unmapped, but its addresses not reusable before the next purge, which flushes
 *              the TLB once for all of them.
 *   search cache  where the next first-fit search goes on; dropped when a hole seen could fit.
 *
 * Addresses are guest addresses (vaddr_t, 0 for Linux's NULL); vmalloc_ptr() gives the host's view.
 * Owns descriptors and page arrays (kmalloc), pages of vmalloc areas, and the kernel map.
 * Invariants I05.1, I05.2, I05.5: vmalloc_check(). Linux: mm/vmalloc.c; left out: vm_map_ram, lazy
 * per-CPU blocks, huge mappings.
 */
#ifndef MEMRIG_VM_VMALLOC_H
#define MEMRIG_VM_VMALLOC_H

#include <stdio.h>

#include "core/base/rbtree.h"
#include "core/kmem/slab.h"
#include "core/vm/kernel_map.h"

struct highmem;

enum { /* vm_struct.flags, values of Linux */
	VMALLOC_IOREMAP = 1, VMALLOC_ALLOC = 2, VMALLOC_MAP = 4, VMALLOC_USERMAP = 8,
	VMALLOC_VPAGES = 0x10, VMALLOC_UNINITIALIZED = 0x20, VMALLOC_NO_GUARD = 0x40,
	VMALLOC_ARRAY = 0x10000 /* ours: the page array of another area */
};
enum { VA_LAZY_FREE = 1, VA_LAZY_FREEING = 2, VA_VM_AREA = 4 };

struct vm_struct {
	vaddr_t addr;
	u64 size;            /* bytes, guard included */
	u32 flags, nr_pages;
	paddr_t phys_addr;   /* ioremap */
	vaddr_t pages_va;    /* VPAGES: where the page array is; else */
	void *pages;         /* kmalloc'ed array of frame numbers, a word each */
	const char *caller;
	struct list_head deferred; /* vfree() in interrupt */
};

struct vmap_area {
	vaddr_t va_start, va_end;
	struct rb_node rb_node;
	struct list_head list, purge;
	struct vm_struct *vm;
	u32 flags;
};

#define VMALLOC_MAX_STATIC 16
struct vmalloc_static { /* platform io, mapped at boot */
	vaddr_t va;
	paddr_t pa;
	u64 size;
};

struct vmalloc {
	struct kmem *kmem;
	struct phys *phys;
	struct kernel_map map;
	unsigned page_shift, word;
	vaddr_t start, end;
	struct rb_root root;
	struct list_head areas, lazy, deferred;
	struct rb_node *cache;
	u64 cached_hole_size, cached_align;
	vaddr_t cached_vstart;
	u64 lazy_nr, lazy_max;
	u64 nr_areas, nr_purges, nr_flushes, used; /* used: pages of live vmalloc areas */
	int last_error; /* why the last call returned 0 */
	struct vmalloc_static statics[VMALLOC_MAX_STATIC];
	unsigned nr_statics;
};

/* [VMALLOC_START, VMALLOC_END) of spec 02 s5, s6. */
void vmalloc_range(const struct phys *phys, vaddr_t *start, vaddr_t *end);

int vmalloc_init(struct vmalloc *v, struct kmem *k); /* 0 or -ENOMEM */
void vmalloc_destroy(struct vmalloc *v);             /* frees every area first */

/*
 * Virtually contiguous memory of order-0 pages, HIGHMEM first. 0: size 0, more than RAM, no memory or
 * no addresses (last_error), with one warning counted. May sleep. (spec 05 s1.2)
 */
vaddr_t vmalloc(struct vmalloc *v, unsigned cpu, u64 size);
vaddr_t vzalloc(struct vmalloc *v, unsigned cpu, u64 size);
/* The same, zeroed and SHMLBA aligned, for mapping into user space. May sleep. */
vaddr_t vmalloc_user(struct vmalloc *v, unsigned cpu, u64 size);
/* The same from DMA32 or low memory. May sleep. */
vaddr_t vmalloc_32(struct vmalloc *v, unsigned cpu, u64 size);
/* The same with @gfp for the pages; the area itself is GFP_KERNEL. May sleep. */
vaddr_t __vmalloc(struct vmalloc *v, unsigned cpu, u64 size, gfp_t gfp);

/* 0: nothing. Unaligned or unknown: a warning, nothing. In interrupt: done by vfree_deferred(). May sleep. */
void vfree(struct vmalloc *v, unsigned cpu, vaddr_t addr);
void vfree_deferred(struct vmalloc *v, unsigned cpu); /* the worker */

/* Maps @count given pages; they stay the caller's. May sleep. */
vaddr_t vmap(struct vmalloc *v, unsigned cpu, struct page *const *pages, u64 count);
void vunmap(struct vmalloc *v, unsigned cpu, vaddr_t addr);

/* Device memory. 0 for RAM (with a warning). Static mappings that cover the range are reused. May sleep. */
vaddr_t ioremap(struct vmalloc *v, unsigned cpu, paddr_t pa, u64 size);
void iounmap(struct vmalloc *v, unsigned cpu, vaddr_t addr);
int vmalloc_add_static(struct vmalloc *v, vaddr_t va, paddr_t pa, u64 size); /* 0 or -ENOSPC */

void vmalloc_purge(struct vmalloc *v, unsigned cpu); /* one TLB flush, lazy addresses free again */

/* Host memory behind a mapped address; NULL: the access would fault. */
void *vmalloc_ptr(const struct vmalloc *v, vaddr_t addr);

/* Copies [addr, addr + n); holes read as zeros. Bytes read, 0 if no area is in the range. (s1.6) */
u64 vread(const struct vmalloc *v, void *buf, vaddr_t addr, u64 n);

/* The live area that holds @addr, or NULL. */
struct vmap_area *find_vmap_area(const struct vmalloc *v, vaddr_t addr);

int vmalloc_show(const struct vmalloc *v, const char *view, FILE *out); /* "vmallocinfo" or -ENOENT */
int vmalloc_check(const struct vmalloc *v, char *why, size_t n); /* 0, or 5001, 5002, 5005 */

#endif
