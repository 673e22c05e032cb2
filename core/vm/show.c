/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Views of address spaces: maps, smaps, pagemap in the manner of /proc, pgtables as a dump of descriptors, and
 * layout, the regions of the kernel's half.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/vm/pgtable.h"
#include "core/vm/rmap.h"
#include "core/vm/vm.h"

static void show_vma_line(const struct machine_vma *v, FILE *out)
{
	char name[40] = "";

	if (!strcmp(v->kind, "heap") || !strcmp(v->kind, "stack"))
		snprintf(name, sizeof(name), "[%s]", v->kind);
	else if (strcmp(v->kind, "anon"))
		snprintf(name, sizeof(name), "%s", v->kind);
	fprintf(out, "%08" PRIx64 "-%08" PRIx64 " %s %08" PRIx64 " 00:00 0 %s%s\n", v->start, v->end, v->perms,
		v->pgoff, name[0] ? "                   " : "", name);
}

struct smaps {
	u64 rss, anon, dirty, shared;
};

static int smaps_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	struct smaps *s = arg;

	(void)va;
	for (unsigned i = 0; i < n; i++) {
		pte_t p = get_pte(vm, slots, i);
		struct page *page = pte_present(p) ? vm_normal_page(vm, p) : NULL;

		if (!page)
			continue;
		s->rss++;
		s->anon += PageAnon(page);
		s->dirty += pte_dirty(p) || PageDirty(page);
		s->shared += page_mapcount(page) > 1;
	}
	return 0;
}

static void show_smaps(struct vm *vm, const struct task *t, const struct machine_vma *v, FILE *out)
{
	struct smaps s = {0};
	unsigned kb = vm->page_shift - 10;

	pte_range(vm, t->mm, v->start, v->end, smaps_leaf, &s);
	fprintf(out, "Size:           %8" PRIu64 " kB\nRss:            %8" PRIu64 " kB\nShared:         %8" PRIu64
		" kB\nDirty:          %8" PRIu64 " kB\nAnonymous:      %8" PRIu64 " kB\nVmFlags: %s\n",
		(v->end - v->start) >> 10, s.rss << kb, s.shared << kb, s.dirty << kb, s.anon << kb, v->flags);
}

static int pgtable_leaf(struct vm *vm, void *arg, pt_slot *slots, unsigned n, vaddr_t va)
{
	for (unsigned i = 0; i < n; i++) {
		pte_t p = get_pte(vm, slots, i);

		if (!p.v)
			continue;
		fprintf(arg, "%016" PRIx64 " %016" PRIx64 " %s%s%s%s%s%s%s\n", va + ((u64)i << vm->page_shift), p.v,
			pte_valid(p) ? "valid" : "invalid", pte_young(p) ? " young" : "",
			pte_dirty(p) ? " dirty" : "", pte_write(p) ? " write" : "",
			p.v & A64_RDONLY ? " rdonly" : "", p.v & A64_UXN ? " uxn" : "",
			pte_special(p) ? " zero-page" : "");
	}
	return 0;
}

static u64 pagemap_entry(struct vm *vm, const struct mm_struct *mm, vaddr_t va)
{
	pt_slot *slot = pte_lookup(vm, mm, va);
	pte_t p = slot ? get_pte(vm, slot, 0) : (pte_t){0};
	const struct page *page;

	if (!p.v)
		return 0;
	if (pte_present(p)) {
		page = vm_normal_page(vm, p);
		return PM_PRESENT | (page && !PageAnon(page) ? PM_FILE : 0) | pte_pa(p) >> vm->page_shift;
	}
	return PM_SWAP | pte_swap_offset(p) << PM_SWAP_TYPE_BITS | pte_swap_type(p);
}

int vm_pagemap(struct vm *vm, const struct mm_struct *mm, vaddr_t addr, u64 n, u64 *entries)
{
	if (addr & ((1ull << vm->page_shift) - 1))
		return -EINVAL;
	for (u64 i = 0; i < n; i++, addr += 1ull << vm->page_shift)
		entries[i] = addr < vm->task_size ? pagemap_entry(vm, mm, addr) : 0;
	return 0;
}

/* The pages of @v that are somewhere: address and entry. */
static void show_pagemap(struct vm *vm, const struct mm_struct *mm, const struct machine_vma *v, FILE *out)
{
	for (vaddr_t va = v->start; va < v->end; va += 1ull << vm->page_shift) {
		u64 e = pagemap_entry(vm, mm, va);

		if (e)
			fprintf(out, "%016" PRIx64 " %016" PRIx64 "\n", va, e);
	}
}

static void show_task(struct vm *vm, const struct task *t, const char *view, FILE *out)
{
	struct machine_vma v;

	fprintf(out, "task %u\n", t->pid);
	if (!strcmp(view, "pgtables")) {
		fprintf(out, "geometry %s, top table at %" PRIx64 ", %" PRIu64 " tables, %" PRIu64 " of leaves\n",
			pt_geometries[vm->geom].name, t->mm->pgd, t->mm->nr_tables, t->mm->nr_ptes);
		pte_range(vm, t->mm, 0, vm->task_size, pgtable_leaf, out);
		return;
	}
	for (size_t i = 0; !vm_task_vma(vm, t, i, &v); i++) {
		if (!strcmp(view, "pagemap")) {
			show_pagemap(vm, t->mm, &v, out);
			continue;
		}
		show_vma_line(&v, out);
		if (!strcmp(view, "smaps"))
			show_smaps(vm, t, &v, out);
	}
}

/* Runs of equal entries of the kernel's half: addresses, level, first descriptor. */
struct run {
	const struct pt_geometry *g;
	FILE *out;
	vaddr_t start, next;
	u64 first, want, step; /* descriptor of the first entry; what continues the run */
	int height;
};

static void end_run(struct run *r)
{
	int digits = r->g->family == PT_ARM64 ? 16 : 8, level = (r->g->family == PT_SHORT ? 2 : 3) - r->height;

	if (r->next != r->start)
		fprintf(r->out, "%0*" PRIx64 "-%0*" PRIx64 " level %d, entries of %" PRIu64 " KiB, first %016" PRIx64
			"\n", digits, r->start, digits, r->next, level, r->step >> 10, r->first);
	r->start = r->next;
}

static void run_entry(struct run *r, vaddr_t va, u64 size, u64 desc, int height)
{
	if (va != r->next || desc != r->want || size != r->step || height != r->height) {
		end_run(r);
		r->start = va;
		r->first = desc;
	}
	r->height = height;
	r->step = size;
	r->next = va + size;
	r->want = desc + size;
}

static void run_span(void *ctx, const struct pt_span *span)
{
	struct run *r = ctx;
	const u32 *pair = (const u32 *)(const void *)span->slots;

	for (u32 i = 0; i < span->nr && !span->height; i++) {
		pte_t p = pte_get(r->g, pt_slot_at(r->g, span->slots, i));

		if (p.v)
			run_entry(r, span->va + ((u64)i << r->g->page_shift), pt_page_size(r->g), p.v, 0);
	}
	for (u32 i = 0; i < 2 && span->height && r->g->family == PT_SHORT; i++)
		if (pair[i])
			run_entry(r, ALIGN_DOWN(span->va, 2 * MiB) + i * MiB, MiB, pair[i], 1);
	if (span->height && r->g->family != PT_SHORT)
		run_entry(r, span->va, BIT(r->g->shift[span->height]), *(const u64 *)(const void *)span->slots,
			  span->height);
}

static void show_kernel_tables(struct vm *vm, FILE *out)
{
	const struct kernel_pgd *k = &vm->phys->kpgd;
	struct run r = {.g = vm_geometry(vm), .out = out};
	bool arm64 = r.g->family == PT_ARM64;

	if (k->space.root == PT_NO_TABLE)
		return;
	fprintf(out, "kernel\ngeometry %s, top table at %" PRIx64 ", pages of tables: %" PRIu64 " of boot, %" PRIu64
		" later\n", r.g->name, k->space.root, k->nr_early, k->nr_tables);
	pt_walk_range(&k->space, arm64 ? ~0ull << r.g->va_bits : vm->task_size, arm64 ? 0 : 4 * GiB, run_span, &r);
	end_run(&r);
}

int vm_show(struct vm *vm, const char *view, FILE *out)
{
	if (!strcmp(view, "layout") && vm->config->machine != MACHINE_X86PC) {
		layout_show(&vm->phys->kpgd.layout, out);
		return 0;
	}
	if (!strcmp(view, "pgtables"))
		show_kernel_tables(vm, out);
	if (strcmp(view, "maps") && strcmp(view, "smaps") && strcmp(view, "pgtables") && strcmp(view, "pagemap"))
		return swap_show(&vm->swap, view, out);
	for (u32 i = 1; i < vm->nr_tasks; i++)
		if (vm->tasks[i] && vm->tasks[i]->mm && vm->tasks[i]->lived)
			show_task(vm, vm->tasks[i], view, out);
	return 0;
}
