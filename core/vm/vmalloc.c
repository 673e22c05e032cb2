/* SPDX-License-Identifier: BSD-2-Clause */
/*
 *   vmalloc:  vm_struct -> area (first fit) -> page array -> pages -> map
 *   vfree:    unmap -> area becomes lazy -> pages, array, vm_struct freed; [purge -> addresses free]
 */
#include "core/vm/vmalloc.h"

#include <errno.h>
#include <string.h>

#include "core/base/bits.h"
#include "core/phys/page_alloc.h"
#include "core/hw/atomic.h"

#define IOREMAP_MAX_ORDER 24
#define SHMLBA            (16 * KiB) /* four pages on ARM */
#define LAZY_BYTES        (32 * MiB)

void vmalloc_range(const struct phys *phys, vaddr_t *start, vaddr_t *end)
{
	const struct vrange *v = &phys->kpgd.layout.at[LAYOUT_VMALLOC];

	*start = v->start;
	*end = v->end;
}

int vmalloc_init(struct vmalloc *v, struct kmem *k)
{
	memset(v, 0, sizeof(*v));
	v->kmem = k;
	v->phys = k->phys;
	v->page_shift = k->page_shift;
	v->word = k->word;
	vmalloc_range(v->phys, &v->start, &v->end);
	v->lazy_max = mm_fls(k->ncpu) * (LAZY_BYTES >> v->page_shift);
	list_init(&v->areas);
	list_init(&v->lazy);
	list_init(&v->deferred);
	kernel_map_init(&v->map, v->phys, v->start, v->end);
	return 0;
}

static void fail(struct vmalloc *v, int err, const char *text, u64 size)
{
	v->last_error = err;
	v->phys->nr_warnings++;
	if (v->phys->log)
		fprintf(v->phys->log, "vmalloc: %s: %llu bytes\n", text, (unsigned long long)size);
}

static u64 page_size(const struct vmalloc *v)
{
	return 1ull << v->page_shift;
}

/* ---- areas (spec 05 s1.3) ---- */

static struct vmap_area *area_of(struct rb_node *n)
{
	return container_of(n, struct vmap_area, rb_node);
}

/* The lowest area that ends at or above @addr. */
static struct vmap_area *first_ending_above(const struct vmalloc *v, vaddr_t addr)
{
	struct vmap_area *first = NULL;

	for (struct rb_node *n = v->root.node; n;) {
		struct vmap_area *a = area_of(n);

		if (a->va_end >= addr) {
			first = a;
			if (a->va_start <= addr)
				break;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return first;
}

struct vmap_area *find_vmap_area(const struct vmalloc *v, vaddr_t addr)
{
	for (struct rb_node *n = v->root.node; n;) {
		struct vmap_area *a = area_of(n);

		if (addr < a->va_start)
			n = n->left;
		else if (addr >= a->va_end)
			n = n->right;
		else
			return a->flags & VA_LAZY_FREE ? NULL : a;
	}
	return NULL;
}

static void insert_area(struct vmalloc *v, struct vmap_area *a)
{
	struct rb_node **link = &v->root.node, *parent = NULL, *prev;

	while (*link) {
		struct vmap_area *o = area_of(parent = *link);

		BUG_ON(a->va_start < o->va_end && a->va_end > o->va_start);
		link = a->va_start < o->va_end ? &parent->left : &parent->right;
	}
	rb_link(&a->rb_node, parent, link);
	rb_insert(&v->root, &a->rb_node, NULL);
	prev = rb_prev(&a->rb_node);
	list_add(&a->list, prev ? &area_of(prev)->list : &v->areas);
	v->nr_areas++;
}

static struct vmap_area *next_area(const struct vmalloc *v, const struct vmap_area *a)
{
	return a->list.next == &v->areas ? NULL : list_entry(a->list.next, struct vmap_area, list);
}

static void drop_cache(struct vmalloc *v)
{
	v->cached_hole_size = 0;
	v->cache = NULL;
}

/* A start for @size bytes in [vstart, vend), or 0 when addresses ran out. */
static vaddr_t find_hole(struct vmalloc *v, u64 size, u64 align, vaddr_t vstart, vaddr_t vend)
{
	struct vmap_area *first = NULL;
	vaddr_t addr = 0;

	if (!v->cache || size < v->cached_hole_size || vstart < v->cached_vstart ||
	    align < v->cached_align)
		drop_cache(v);
	v->cached_vstart = vstart;
	v->cached_align = align;
	if (v->cache) {
		first = area_of(v->cache);
		addr = ALIGN_UP(first->va_end, align);
		if (addr < vstart)
			drop_cache(v);
	}
	if (!v->cache) {
		addr = ALIGN_UP(vstart, align);
		first = first_ending_above(v, addr);
	}
	while (first && addr + size > first->va_start && addr + size <= vend && addr + size > addr) {
		if (addr + v->cached_hole_size < first->va_start)
			v->cached_hole_size = first->va_start - addr;
		addr = ALIGN_UP(first->va_end, align);
		first = next_area(v, first);
	}
	return addr + size < addr || addr + size > vend ? 0 : addr;
}

static struct vmap_area *alloc_vmap_area(struct vmalloc *v, unsigned cpu, u64 size, u64 align,
					 vaddr_t vstart, vaddr_t vend)
{
	struct vmap_area *a = kzalloc(v->kmem, cpu, sizeof(*a), GFP_KERNEL);
	vaddr_t addr;

	BUG_ON(!size || size & (page_size(v) - 1) || !is_pow2(align));
	if (!a) {
		v->last_error = -ENOMEM;
		return NULL;
	}
	addr = find_hole(v, size, align, vstart, vend);
	if (!addr) {
		vmalloc_purge(v, cpu);
		addr = find_hole(v, size, align, vstart, vend);
	}
	if (!addr) {
		kfree(v->kmem, cpu, a);
		v->last_error = -EBUSY;
		return NULL;
	}
	a->va_start = addr;
	a->va_end = addr + size;
	list_init(&a->purge);
	lock_model(v->phys->hw, LOCK_VMAP_AREA, v);
	insert_area(v, a);
	v->cache = &a->rb_node;
	unlock_model(v->phys->hw, LOCK_VMAP_AREA, v);
	return a;
}

/* Off the tree; the search cache moves down if it was at or above the area. */
static void free_vmap_area(struct vmalloc *v, unsigned cpu, struct vmap_area *a)
{
	if (v->cache) {
		if (a->va_end < v->cached_vstart)
			v->cache = NULL;
		else if (a->va_start <= area_of(v->cache)->va_start)
			v->cache = rb_prev(&a->rb_node);
	}
	rb_erase(&v->root, &a->rb_node, NULL);
	list_del(&a->list);
	v->nr_areas--;
	kfree(v->kmem, cpu, a);
}

void vmalloc_purge(struct vmalloc *v, unsigned cpu)
{
	if (list_empty(&v->lazy))
		return;
	v->nr_purges++;
	v->nr_flushes++; /* one flush over all of them */
	count_vm_event(v->phys->hw, cpu, EV_TLB_FLUSHES);
	while (!list_empty(&v->lazy)) {
		struct vmap_area *a = list_first_entry(&v->lazy, struct vmap_area, purge);

		list_del(&a->purge);
		v->lazy_nr -= (a->va_end - a->va_start) >> v->page_shift;
		free_vmap_area(v, cpu, a);
	}
}

/* Clears what is mapped and makes the area lazy. */
static void unmap_area(struct vmalloc *v, unsigned cpu, struct vmap_area *a)
{
	for (vaddr_t va = a->va_start; va < a->va_end; va += page_size(v))
		kernel_map_clear(&v->map, va);
	a->flags |= VA_LAZY_FREE;
	a->flags &= ~(u32)VA_VM_AREA;
	a->vm = NULL;
	list_add_tail(&a->purge, &v->lazy);
	v->lazy_nr += (a->va_end - a->va_start) >> v->page_shift;
	if (v->lazy_nr > v->lazy_max)
		vmalloc_purge(v, cpu);
}

/* ---- vm_struct ---- */

static struct vm_struct *get_vm_area(struct vmalloc *v, unsigned cpu, u64 size, u64 align, u32 flags,
				     const char *caller)
{
	struct vm_struct *vm;
	struct vmap_area *a;

	if (flags & VMALLOC_IOREMAP)
		align = 1ull << mm_clamp(mm_fls(size), v->page_shift, IOREMAP_MAX_ORDER);
	size = ALIGN_UP(size, page_size(v));
	vm = kzalloc(v->kmem, cpu, sizeof(*vm), GFP_KERNEL);
	if (!vm) {
		v->last_error = -ENOMEM;
		return NULL;
	}
	if (!(flags & VMALLOC_NO_GUARD))
		size += page_size(v);
	a = alloc_vmap_area(v, cpu, size, align, v->start, v->end);
	if (!a) {
		kfree(v->kmem, cpu, vm);
		return NULL;
	}
	vm->addr = a->va_start;
	vm->size = size;
	vm->flags = flags;
	vm->caller = caller;
	list_init(&vm->deferred);
	a->vm = vm;
	a->flags |= VA_VM_AREA;
	return vm;
}

/* ---- the array of an area's pages: frame numbers, a word of the guest each ---- */

static u8 *page_slot(const struct vmalloc *v, const struct vm_struct *vm, u32 i)
{
	u64 off = (u64)i * v->word;

	return vm->flags & VMALLOC_VPAGES ? vmalloc_ptr(v, vm->pages_va + off) : (u8 *)vm->pages + off;
}

static struct page *get_vm_page(const struct vmalloc *v, const struct vm_struct *vm, u32 i)
{
	u32 frame;

	memcpy(&frame, page_slot(v, vm, i), sizeof(frame));
	return frame_to_page(v->phys, frame);
}

static void set_vm_page(const struct vmalloc *v, const struct vm_struct *vm, u32 i, const struct page *p)
{
	u32 frame = page_frame(v->phys, p);

	memcpy(page_slot(v, vm, i), &frame, sizeof(frame));
}

static vaddr_t do_vmalloc(struct vmalloc *v, unsigned cpu, u64 size, u64 align, u32 flags, gfp_t gfp,
			  const char *caller);

static int alloc_page_array(struct vmalloc *v, unsigned cpu, struct vm_struct *vm, u64 n, gfp_t gfp)
{
	u64 bytes = n * v->word;

	gfp = (gfp & ~(gfp_t)MM_GFP_MOVABLE) | MM_GFP_ZERO;
	if (bytes > page_size(v)) {
		vm->pages_va = do_vmalloc(v, cpu, bytes, 1, VMALLOC_ARRAY, gfp | MM_GFP_HIGHMEM, vm->caller);
		vm->flags |= VMALLOC_VPAGES;
		return vm->pages_va ? 0 : -ENOMEM;
	}
	vm->pages = kzalloc(v->kmem, cpu, bytes, gfp & ~(gfp_t)(MM_GFP_HIGHMEM | MM_GFP_DMA32));
	return vm->pages ? 0 : -ENOMEM;
}

static void free_page_array(struct vmalloc *v, unsigned cpu, struct vm_struct *vm)
{
	if (vm->flags & VMALLOC_VPAGES)
		vfree(v, cpu, vm->pages_va);
	else
		kfree(v->kmem, cpu, vm->pages);
}

/* Takes the mapping of @addr away; its vm_struct, no longer known to anybody. NULL: no such area. */
static struct vm_struct *remove_vm_area(struct vmalloc *v, unsigned cpu, vaddr_t addr)
{
	struct vmap_area *a = find_vmap_area(v, addr);
	struct vm_struct *vm = a ? a->vm : NULL;

	if (!vm || vm->addr != addr)
		return NULL;
	unmap_area(v, cpu, a);
	return vm;
}

static void free_vm(struct vmalloc *v, unsigned cpu, struct vm_struct *vm, bool pages)
{
	if (pages) {
		for (u32 i = 0; i < vm->nr_pages; i++)
			free_page_page(v->phys, cpu, get_vm_page(v, vm, i));
		v->used -= vm->nr_pages;
		free_page_array(v, cpu, vm);
	}
	kfree(v->kmem, cpu, vm);
}

/* Pages one at a time, so high memory first; maps each. -ENOMEM leaves the part got so far. */
static int populate(struct vmalloc *v, unsigned cpu, struct vm_struct *vm, u32 n, gfp_t gfp)
{
	for (u32 i = 0; i < n; i++) {
		struct page *page = alloc_page(v->phys, cpu, gfp | MM_GFP_NOWARN);

		if (!page)
			return -ENOMEM;
		set_vm_page(v, vm, i, page);
		vm->nr_pages = i + 1;
		v->used++;
		if (gfp & MM_GFP_ZERO) /* kernel memory is real bytes even with data=tag */
			memset(hw_pfn_ptr(v->phys->hw, page_to_pfn(v->phys, page)), 0, page_size(v));
	}
	for (u32 i = 0; i < n; i++)
		if (kernel_map_set(&v->map, vm->addr + ((u64)i << v->page_shift),
				   page_to_pfn(v->phys, get_vm_page(v, vm, i))))
			return -ENOMEM;
	return 0;
}

static vaddr_t do_vmalloc(struct vmalloc *v, unsigned cpu, u64 size, u64 align, u32 flags, gfp_t gfp,
			  const char *caller)
{
	u64 n = (size + page_size(v) - 1) >> v->page_shift;
	struct vm_struct *vm;

	BUG_ON(in_atomic(v->phys->hw, cpu));
	if (!size || n > v->phys->totalram_pages || size + page_size(v) < size) {
		fail(v, -ENOMEM, "allocation failure", size);
		return 0;
	}
	vm = get_vm_area(v, cpu, size, align, flags | VMALLOC_ALLOC, caller);
	if (!vm) {
		fail(v, v->last_error, "allocation failure", size);
		return 0;
	}
	if (alloc_page_array(v, cpu, vm, n, gfp)) {
		remove_vm_area(v, cpu, vm->addr);
		kfree(v->kmem, cpu, vm);
		return 0; /* the array's own allocation has warned */
	}
	if (populate(v, cpu, vm, (u32)n, gfp)) {
		fail(v, -ENOMEM, "allocation failure", size);
		remove_vm_area(v, cpu, vm->addr);
		free_vm(v, cpu, vm, true);
		return 0;
	}
	return vm->addr;
}

vaddr_t vmalloc(struct vmalloc *v, unsigned cpu, u64 size)
{
	return do_vmalloc(v, cpu, size, 1, 0, GFP_KERNEL | MM_GFP_HIGHMEM, "vmalloc");
}

vaddr_t vzalloc(struct vmalloc *v, unsigned cpu, u64 size)
{
	return do_vmalloc(v, cpu, size, 1, 0, GFP_KERNEL | MM_GFP_HIGHMEM | MM_GFP_ZERO, "vzalloc");
}

vaddr_t vmalloc_user(struct vmalloc *v, unsigned cpu, u64 size)
{
	return do_vmalloc(v, cpu, size, mm_max(SHMLBA, page_size(v)), VMALLOC_USERMAP,
			  GFP_KERNEL | MM_GFP_HIGHMEM | MM_GFP_ZERO, "vmalloc_user");
}

vaddr_t vmalloc_32(struct vmalloc *v, unsigned cpu, u64 size)
{
	bool arm32 = v->phys->config->arch == ARCH_ARM32;

	return do_vmalloc(v, cpu, size, 1, 0, GFP_KERNEL | (arm32 ? 0u : MM_GFP_DMA32), "vmalloc_32");
}

vaddr_t __vmalloc(struct vmalloc *v, unsigned cpu, u64 size, gfp_t gfp)
{
	return do_vmalloc(v, cpu, size, 1, 0, gfp, "__vmalloc");
}

/* ---- freeing (spec 05 s1.4) ---- */

static void do_vfree(struct vmalloc *v, unsigned cpu, vaddr_t addr, bool pages)
{
	struct vmap_area *a;
	struct vm_struct *vm = NULL;

	if (!(addr & (page_size(v) - 1))) {
		a = find_vmap_area(v, addr);
		BUG_ON(!pages && a && a->vm && a->vm->addr == addr && a->vm->flags & VMALLOC_ALLOC);
		vm = remove_vm_area(v, cpu, addr);
	}
	if (!vm) {
		v->phys->nr_warnings++;
		return;
	}
	free_vm(v, cpu, vm, pages && vm->flags & VMALLOC_ALLOC);
}

void vfree(struct vmalloc *v, unsigned cpu, vaddr_t addr)
{
	struct vmap_area *a;

	BUG_ON(!in_interrupt(v->phys->hw, cpu) && in_atomic(v->phys->hw, cpu));
	if (!addr)
		return;
	if (in_interrupt(v->phys->hw, cpu)) {
		a = find_vmap_area(v, addr);
		if (a && a->vm && a->vm->addr == addr)
			list_move_tail(&a->vm->deferred, &v->deferred);
		else
			v->phys->nr_warnings++;
		return;
	}
	do_vfree(v, cpu, addr, true);
}

void vfree_deferred(struct vmalloc *v, unsigned cpu)
{
	cpu_might_sleep(v->phys->hw, cpu);
	while (!list_empty(&v->deferred)) {
		struct vm_struct *vm = list_first_entry(&v->deferred, struct vm_struct, deferred);

		list_del(&vm->deferred);
		do_vfree(v, cpu, vm->addr, true);
	}
}

vaddr_t vmap(struct vmalloc *v, unsigned cpu, struct page *const *pages, u64 count)
{
	struct vm_struct *vm;

	BUG_ON(in_atomic(v->phys->hw, cpu));
	if (!count || count > v->phys->totalram_pages)
		return 0;
	vm = get_vm_area(v, cpu, count << v->page_shift, 1, VMALLOC_MAP, "vmap");
	if (!vm)
		return 0;
	for (u64 i = 0; i < count; i++)
		if (kernel_map_set(&v->map, vm->addr + (i << v->page_shift),
				   page_to_pfn(v->phys, pages[i]))) {
			vunmap(v, cpu, vm->addr);
			return 0;
		}
	return vm->addr;
}

void vunmap(struct vmalloc *v, unsigned cpu, vaddr_t addr)
{
	BUG_ON(in_atomic(v->phys->hw, cpu));
	if (addr)
		do_vfree(v, cpu, addr, false);
}

/* ---- devices (spec 05 s2.9) ---- */

int vmalloc_add_static(struct vmalloc *v, vaddr_t va, paddr_t pa, u64 size)
{
	if (v->nr_statics == VMALLOC_MAX_STATIC)
		return -ENOSPC;
	v->statics[v->nr_statics++] = (struct vmalloc_static){va, pa, size};
	return 0;
}

vaddr_t ioremap(struct vmalloc *v, unsigned cpu, paddr_t pa, u64 size)
{
	u64 offset = pa & (page_size(v) - 1), bytes;
	struct vm_struct *vm;

	cpu_might_sleep(v->phys->hw, cpu);
	if (!size || pa + size - 1 < pa)
		return 0;
	for (unsigned i = 0; i < v->nr_statics; i++)
		if (pa >= v->statics[i].pa && pa + size <= v->statics[i].pa + v->statics[i].size)
			return v->statics[i].va + (pa - v->statics[i].pa);
	bytes = ALIGN_UP(offset + size, page_size(v));
	pa -= offset;
	for (u64 o = 0; o < bytes; o += page_size(v))
		if (pfn_valid(v->phys, (pa + o) >> v->page_shift)) {
			v->phys->nr_warnings++;
			return 0;
		}
	vm = get_vm_area(v, cpu, bytes, 1, VMALLOC_IOREMAP, "ioremap");
	if (!vm)
		return 0;
	vm->phys_addr = pa;
	for (u64 o = 0; o < bytes; o += page_size(v))
		if (kernel_map_set(&v->map, vm->addr + o, (pfn_t)((pa + o) >> v->page_shift))) {
			vunmap(v, cpu, vm->addr);
			return 0;
		}
	return vm->addr + offset;
}

void iounmap(struct vmalloc *v, unsigned cpu, vaddr_t addr)
{
	cpu_might_sleep(v->phys->hw, cpu);
	for (unsigned i = 0; i < v->nr_statics; i++)
		if (addr - v->statics[i].va < v->statics[i].size)
			return;
	vunmap(v, cpu, ALIGN_DOWN(addr, page_size(v)));
}

/* ---- reading ---- */

void *vmalloc_ptr(const struct vmalloc *v, vaddr_t addr)
{
	return kernel_map_ptr(&v->map, addr);
}

u64 vread(const struct vmalloc *v, void *buf, vaddr_t addr, u64 n)
{
	struct vmap_area *a = first_ending_above(v, addr + 1);
	u8 *to = buf;

	if (!a || a->va_start >= addr + n)
		return 0;
	for (u64 done = 0; done < n;) {
		u64 part = mm_min(n - done, page_size(v) - ((addr + done) & (page_size(v) - 1)));
		const void *from = vmalloc_ptr(v, addr + done);

		if (from)
			memcpy(to + done, from, part);
		else
			memset(to + done, 0, part);
		done += part;
	}
	return n;
}

static void show_area(const struct vmalloc *v, const struct vmap_area *a, FILE *out)
{
	static const struct { u32 flag; const char *name; } names[] = {
		{VMALLOC_IOREMAP, "ioremap"}, {VMALLOC_ALLOC, "vmalloc"}, {VMALLOC_MAP, "vmap"},
		{VMALLOC_USERMAP, "user"}, {VMALLOC_VPAGES, "vpages"},
	};
	const struct vm_struct *vm = a->vm;
	int digits = v->word == 4 ? 8 : 16;

	fprintf(out, "0x%0*llx-0x%0*llx %7llu %s", digits, (unsigned long long)vm->addr, digits,
		(unsigned long long)(vm->addr + vm->size), (unsigned long long)vm->size, vm->caller);
	if (vm->nr_pages)
		fprintf(out, " pages=%u", vm->nr_pages);
	if (vm->phys_addr)
		fprintf(out, " phys=%llx", (unsigned long long)vm->phys_addr);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (vm->flags & names[i].flag)
			fprintf(out, " %s", names[i].name);
	fputc('\n', out);
}

int vmalloc_show(const struct vmalloc *v, const char *view, FILE *out)
{
	struct vmap_area *a;

	if (strcmp(view, "vmallocinfo"))
		return -ENOENT;
	list_for_each_entry(a, &v->areas, list)
		if (a->vm)
			show_area(v, a, out);
	return 0;
}

/* ---- invariants ---- */

static int report(char *why, size_t n, int number, const char *text)
{
	snprintf(why, n, "%s", text);
	return number;
}

static u64 mapped_pages(const struct vm_struct *vm, unsigned shift)
{
	u64 guard = vm->flags & VMALLOC_NO_GUARD ? 0 : 1;

	return vm->flags & VMALLOC_ALLOC ? vm->nr_pages : (vm->size >> shift) - guard;
}

int vmalloc_check(const struct vmalloc *v, char *why, size_t n)
{
	struct rb_node *node = rb_first(&v->root);
	u64 lazy = 0, mapped = 0, areas = 0;
	vaddr_t last = v->start;
	struct vmap_area *a;

	if (rb_check(&v->root))
		return report(why, n, 5001, "area tree is no red-black tree");
	list_for_each_entry(a, &v->areas, list) {
		if (node != &a->rb_node || a->va_start < last || a->va_end > v->end)
			return report(why, n, 5001, "areas: tree and list differ, or they overlap");
		if (a->flags & VA_LAZY_FREE)
			lazy += (a->va_end - a->va_start) >> v->page_shift;
		else if (a->vm)
			mapped += mapped_pages(a->vm, v->page_shift);
		last = a->va_end;
		node = rb_next(node);
		areas++;
	}
	if (node || areas != v->nr_areas)
		return report(why, n, 5001, "areas: tree and list differ in length");
	if (mapped != v->map.nr_ptes || kernel_map_count(&v->map) != mapped)
		return report(why, n, 5002, "mapped pages differ from what live areas hold");
	if (lazy != v->lazy_nr)
		return report(why, n, 5005, "vmap_lazy_nr is wrong");
	return 0;
}

/* The lowest area in use: owners of page arrays free them, so lists change under a walk. */
static struct vmap_area *first_live(const struct vmalloc *v)
{
	struct vmap_area *a;

	list_for_each_entry(a, &v->areas, list)
		if (a->vm && !(a->vm->flags & VMALLOC_ARRAY))
			return a;
	return NULL;
}

void vmalloc_destroy(struct vmalloc *v)
{
	vfree_deferred(v, 0);
	for (struct vmap_area *a = first_live(v); a; a = first_live(v))
		do_vfree(v, 0, a->vm->addr, a->vm->flags & VMALLOC_ALLOC);
	vmalloc_purge(v, 0);
	kernel_map_destroy(&v->map);
}
